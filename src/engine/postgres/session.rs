//! The connection of a target, and all that is done with it.
//!
//! Every call waits for the server on the caller's thread. Values are written by statements that
//! others have written; rows are read as from a source.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, Executor as _};

use super::connect::{Connection, Link};
use super::errors::Failure;
use super::fixed::Fixed;
use super::loader::PostgresLoader;
use super::locks::{BEGIN_WRITING, Purpose};
use super::parameters::Bound;
use super::sql::{changes_rows, shown};
use super::target::{Kind, PostgresTarget, Stage};
use super::{changes, held, query, receipts};
use crate::engine::error::EngineError;
use crate::engine::{
    ForeignKeyViolation, HeldLock, LargeKind, ReadEnd, ReadFrom, Receipt, RelationFile,
    TableChanges, Unenforced,
};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Fact, KeyColumn, ObjectName, RowSink, TableSpec, Value};

/// How many keys one statement looks for.
const KEYS_AT_ONCE: usize = 5_000;

/// The number of the lock that whoever applies a pack holds: `deepdiff` as bytes.
const ONE_AT_A_TIME: u64 = 0x6465_6570_6469_6666;

/// Whether the account may let triggers and foreign keys rest.
const MAY_REST: &str = "SELECT pg_catalog.current_setting('is_superuser') = 'on'";

/// The first version in which a setting can be granted.
const GRANTED_SETTINGS: u32 = 150_000;

/// Holds the connection of a target.
pub struct PostgresSession<'a> {
    target: &'a mut PostgresTarget,
}

impl<'a> PostgresSession<'a> {
    pub(super) fn new(target: &'a mut PostgresTarget) -> Self {
        PostgresSession { target }
    }

    pub(super) fn link(&self) -> &Link {
        &self.target.link
    }

    /// Fails where the account may not write receipts. Their table is made in the transaction of
    /// the first one.
    pub fn prepare_receipts(&self) -> Result<(), EngineError> {
        let (database, schemas) = (self.link().name.clone(), self.target.schemas.clone());
        self.ask("write receipts to", move |connection| {
            async move { receipts::check(&mut connection.session, &database, &schemas).await }
                .boxed()
        })
    }

    /// The receipts of a pack, the last one last. None where there is no table of them.
    pub fn receipts(&self, pack: &str) -> Result<Vec<Receipt>, EngineError> {
        let (schemas, pack) = (self.target.schemas.clone(), pack.to_owned());
        self.ask("read the receipts of", move |connection| {
            async move { receipts::read(&mut connection.session, &schemas, &pack).await }.boxed()
        })
    }

    /// Writes a receipt, inside the transaction.
    pub fn write_receipt(&self, receipt: &Receipt) -> Result<(), EngineError> {
        let (database, schemas) = (self.link().name.clone(), self.target.schemas.clone());
        let receipt = receipt.clone();
        self.call("write a receipt to", move |connection| {
            async move {
                let session = &mut connection.session;
                receipts::write(session, &database, &schemas, &receipt).await
            }
            .boxed()
        })
    }

    /// Begins a transaction that writes, REPEATABLE READ. Waits for another apply, and for what
    /// others hold locked, as long as the open options say. The server's own transaction begins
    /// with the first look at the catalog, or the first statement.
    pub fn begin(&self) -> Result<(), EngineError> {
        self.begin_for(Kind::Change)
    }

    /// Begins a transaction as any other: tables are not built anew here.
    pub fn begin_rebuild(&self) -> Result<(), EngineError> {
        self.begin()
    }

    /// Foreign keys are always enforced.
    pub fn enforces_foreign_keys(&self) -> Result<bool, EngineError> {
        Ok(true)
    }

    /// Begins a transaction in which tables are filled. An account that may (a superuser, or from
    /// PostgreSQL 15 on one with the right to set `session_replication_role`) fills them with
    /// foreign keys and triggers at rest, those aside that are always on. With any other, triggers
    /// fire and foreign keys are checked, those that can wait at the end: parents come first then.
    pub fn begin_restore(&self) -> Result<Unenforced, EngineError> {
        let mut sql = MAY_REST.to_owned();
        if self.link().server.number >= GRANTED_SETTINGS {
            sql.push_str(
                " OR pg_catalog.has_parameter_privilege('session_replication_role', 'SET')",
            );
        }
        let rests = self.ask("read the rights on", move |connection| {
            async move { Ok(query::text(&mut connection.session, sql).await?) }.boxed()
        })?;
        let rests = rests.starts_with('t');
        self.begin_for(if rests { Kind::RestoreAtRest } else { Kind::Restore })?;
        Ok(Unenforced { foreign_keys: rests, triggers: rests })
    }

    fn begin_for(&self, kind: Kind) -> Result<(), EngineError> {
        let stage = self.target.course.borrow().stage;
        if stage == Stage::Unknown {
            return Err(Failure::Broken.error(&self.link().name, "begin a transaction on"));
        }
        if stage != Stage::None {
            let what = "a transaction is open already".to_owned();
            return Err(EngineError::Unsupported { database: self.link().name.clone(), what });
        }
        let sql = format!("SELECT pg_catalog.pg_advisory_lock({ONE_AT_A_TIME})");
        self.ask("wait for another apply on", move |connection| {
            async move { Ok(query::execute(&mut connection.session, sql).await?) }.boxed()
        })?;
        self.target.course.borrow_mut().stage = Stage::Asked(kind);
        Ok(())
    }

    /// Keeps others from changing the shape of these tables, and from emptying them.
    pub fn lock_tables(&self, tables: &[&TableSpec]) -> Result<(), EngineError> {
        if tables.is_empty() {
            return Ok(());
        }
        let fixed = self.fixed()?;
        let mut names = Vec::with_capacity(tables.len());
        for table in tables {
            names.push(fixed.reader(self.link(), table)?.relation());
        }
        let sql = format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", names.join(", "));
        self.run("lock the tables of", sql)
    }

    /// Commits the transaction.
    pub fn commit(&self) -> Result<(), EngineError> {
        let stage = self.target.course.borrow().stage;
        let committed = match stage {
            Stage::Open => {
                // A transaction that has failed would be rolled back without a word.
                let sql = "SELECT 1; COMMIT".to_owned();
                self.ask("commit to", move |connection| {
                    async move { Ok(query::execute(&mut connection.session, sql).await?) }.boxed()
                })
            }
            Stage::Unknown => Err(Failure::Broken.error(&self.link().name, "commit to")),
            Stage::None | Stage::Asked(_) => Ok(()),
        };
        match committed {
            Ok(()) => self.end(),
            // Where the server answered, it has rolled back, or is told to.
            Err(_) => drop(self.rollback()),
        }
        committed
    }

    /// Rolls the transaction back, if one is open.
    pub fn rollback(&self) -> Result<(), EngineError> {
        let stage = self.target.course.borrow().stage;
        if stage == Stage::Open {
            self.ask("roll back", |connection| {
                async move {
                    Ok(query::execute(&mut connection.session, "ROLLBACK".to_owned()).await?)
                }
                .boxed()
            })?;
        }
        self.end();
        Ok(())
    }

    /// Whether a transaction is open, as far as is known here: not after an answer was lost.
    pub fn is_in_transaction(&self) -> bool {
        matches!(self.target.course.borrow().stage, Stage::Asked(_) | Stage::Open)
    }

    /// Runs one statement; says how many rows it changed directly.
    pub fn execute(&self, sql: &str) -> Result<u64, EngineError> {
        let (counts, ended) = self.execute_each(&[sql]);
        ended?;
        Ok(counts.iter().sum())
    }

    /// Runs one statement with parameters. Text is bound as text where the database is of UTF-8,
    /// as what [`super::PostgresTable`] writes expects it, and as bytes where it is not.
    pub fn execute_with(
        &self,
        sql: &str,
        parameters: &[(LargeKind, &[u8])],
    ) -> Result<u64, EngineError> {
        let is_utf8 = self.link().server.encoding.is_utf8();
        let bound: Vec<Bound> = parameters
            .iter()
            .map(|(kind, bytes)| Bound {
                is_text: *kind == LargeKind::Text && is_utf8,
                bytes: bytes.to_vec(),
            })
            .collect();
        let text = sql.to_owned();
        let changed = self.call(&shown(sql), move |connection| {
            async move {
                let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
                for bound in bound {
                    query = query.bind(bound);
                }
                Ok(connection.session.execute(query).await?.rows_affected())
            }
            .boxed()
        })?;
        Ok(if changes_rows(sql) { changed } else { 0 })
    }

    /// Runs statements one after the other, until one fails, in one message to the server.
    pub fn execute_each(&self, statements: &[&str]) -> (Vec<u64>, Result<(), EngineError>) {
        if statements.is_empty() {
            return (Vec::new(), Ok(()));
        }
        // A comment at the end of a statement ends with its line.
        let text = statements.join("\n;\n");
        let ran = self.call("run statements on", move |connection| {
            async move { Ok(query::each(&mut connection.session, text).await) }.boxed()
        });
        let (mut counts, ended) = match ran {
            Ok(ran) => ran,
            Err(error) => return (Vec::new(), Err(error)),
        };
        for (count, statement) in counts.iter_mut().zip(statements) {
            if !changes_rows(statement) {
                *count = 0;
            }
        }
        let ended = ended.map_err(|error| {
            let failed = statements.get(counts.len()).copied().unwrap_or_default();
            Failure::from(error).error(&self.link().name, &shown(failed))
        });
        let ended = self.settle(ended).and_then(|()| match counts.len() == statements.len() {
            true => Ok(()),
            false => Err(EngineError::Malformed {
                database: self.link().name.clone(),
                action: "run statements on".to_owned(),
                what: format!("{} answers to {} statements", counts.len(), statements.len()),
            }),
        });
        (counts, ended)
    }

    /// Runs the statements of a text one after the other.
    pub fn execute_script(&self, sql: &str) -> Result<(), EngineError> {
        self.run(&shown(sql), sql.to_owned())
    }

    /// Fills a table with rows.
    pub fn loader<'s>(&'s self, table: &'s TableSpec) -> Result<PostgresLoader<'s>, EngineError> {
        Ok(PostgresLoader::new(self, table))
    }

    /// The catalog as the transaction sees it. The first look locks the tables and fixes the
    /// moment; without a transaction it is one of its own.
    pub fn catalog(&self, scope: &Scope) -> Result<Catalog, EngineError> {
        let (stage, known) = {
            let course = self.target.course.borrow();
            (course.stage, course.fixed.clone())
        };
        let (link, selection) = (self.link(), self.target.selection());
        match stage {
            Stage::Asked(kind) => {
                // Whatever fails now, there may be a transaction to roll back.
                self.target.course.borrow_mut().stage = Stage::Open;
                let fixed = Fixed::new(link, selection, scope, Purpose::Writing);
                let (fixed, catalog) = self.settle(fixed)?;
                self.target.course.borrow_mut().fixed = Some(Arc::new(fixed));
                self.started(kind)?;
                Ok(catalog)
            }
            Stage::Open => {
                let fixed = Fixed::within(known.as_deref(), link, selection, scope);
                let (fixed, catalog) = self.settle(fixed)?;
                self.target.course.borrow_mut().fixed = Some(Arc::new(fixed));
                Ok(catalog)
            }
            Stage::None => {
                let read = Fixed::new(link, selection, scope, Purpose::Reading);
                let ended = link.execute("end reading", "ROLLBACK".to_owned());
                let (_, catalog) = self.settle(read)?;
                self.settle(ended)?;
                Ok(catalog)
            }
            Stage::Unknown => Err(Failure::Broken.error(&link.name, "read the catalog of")),
        }
    }

    /// Sends the rows of a table to the sink, as the transaction sees them.
    pub fn read_rows<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let fixed = self.fixed()?;
        self.settle(fixed.reader(self.link(), table)?.read(from, sink))
    }

    /// The exact number of rows of a table.
    pub fn count_rows(&self, table: &TableSpec) -> Result<u64, EngineError> {
        let fixed = self.fixed()?;
        self.settle(fixed.reader(self.link(), table)?.count())
    }

    /// Sends the rows that have one of these keys, and locks them until the end of the
    /// transaction.
    pub fn rows_by_keys<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        keys: &[Vec<Value>],
        sink: &mut S,
    ) -> Result<(), EngineError> {
        let fixed = self.fixed()?;
        let reader = fixed.reader(self.link(), table)?;
        for keys in keys.chunks(KEYS_AT_ONCE) {
            self.settle(reader.lock_by_keys(keys, sink))?;
        }
        Ok(())
    }

    /// Sends at most `limit` rows of a child table whose foreign key columns hold these values.
    pub fn referencing_rows<S: RowSink + ?Sized>(
        &self,
        child: &TableSpec,
        columns: &[KeyColumn],
        parent_key: &[Value],
        limit: u64,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let fixed = self.fixed()?;
        let reader = fixed.reader(self.link(), child)?;
        self.settle(reader.referencing(columns, parent_key, limit, sink))
    }

    /// Has the constraints checked that wait for the end of the transaction.
    pub fn check_deferred(&self) -> Result<(), EngineError> {
        self.run("check the constraints of", "SET CONSTRAINTS ALL IMMEDIATE".to_owned())
    }

    /// Nothing: no foreign key of this engine that is valid points nowhere.
    pub fn foreign_key_check(
        &self,
        _limit: usize,
    ) -> Result<Vec<ForeignKeyViolation>, EngineError> {
        Ok(Vec::new())
    }

    /// Nothing: the server counts by table, which [`PostgresSession::take_changes`] tells.
    pub fn total_changes(&self) -> Option<u64> {
        None
    }

    /// Counts changes per table from the beginning of the next transaction on, or from now on
    /// where one is open.
    pub fn watch_changes(&mut self) {
        let mut course = self.target.course.borrow_mut();
        course.is_watched = true;
        course.counted = None;
    }

    /// The changes per table since they were watched, or asked for, those of triggers and foreign
    /// keys included; `None` where the server does not count (`track_counts`). A row that moves
    /// from one partition to another is a deletion and an insertion.
    pub fn take_changes(&self) -> Result<Option<BTreeMap<ObjectName, TableChanges>>, EngineError> {
        let Some(now) = self.counted()? else { return Ok(None) };
        let mut course = self.target.course.borrow_mut();
        let before = course.counted.replace(now.clone()).unwrap_or_default();
        Ok(Some(changes::since(&before, &now)))
    }

    /// Without a limit of the server's own: what one takes is in the dialect's limits.
    pub fn longest_statement(&self) -> Result<Option<u64>, EngineError> {
        Ok(None)
    }

    /// Nothing: no setting of a schema is a transaction's to set.
    pub fn apply_settings(&self, _facts: &[Fact]) -> Result<(), EngineError> {
        Ok(())
    }

    /// The locks that the transaction holds on relations of the database.
    pub fn held_locks(&self) -> Result<Option<Vec<HeldLock>>, EngineError> {
        self.call("ask for the locks of", |connection| {
            async move { held::locks(&mut connection.session).await.map(Some) }.boxed()
        })
    }

    /// The files of tables and indexes.
    pub fn relation_files(&self) -> Result<Option<Vec<RelationFile>>, EngineError> {
        self.call("ask for the files of", |connection| {
            async move { held::files(&mut connection.session).await.map(Some) }.boxed()
        })
    }

    /// Takes the lock of runs whose statements each commit, for as long as the connection lives. It is
    /// asked for and not waited for: who waits holds up what runs CONCURRENTLY.
    pub fn lock_online(&self) -> Result<(), EngineError> {
        let sql = "DO $$ BEGIN IF NOT pg_catalog.pg_try_advisory_lock(\
                   pg_catalog.hashtextextended('deepdiff-db', 0)) THEN \
                   RAISE lock_not_available USING MESSAGE = \
                   'another run of this program is at work on this database'; END IF; END $$";
        self.run("lock the changes of", sql.to_owned())
    }

    /// Removes the table of receipts.
    pub fn drop_own_tables(&self) -> Result<(), EngineError> {
        let schemas = self.target.schemas.clone();
        self.ask("remove the receipts of", move |connection| {
            async move { receipts::remove(&mut connection.session, &schemas).await }.boxed()
        })
    }

    fn counted(&self) -> Result<Option<changes::Counts>, EngineError> {
        self.call("count the changes of", |connection| {
            async move { changes::read(&mut connection.session).await }.boxed()
        })
    }

    fn fixed(&self) -> Result<Arc<Fixed>, EngineError> {
        let fixed = self.target.course.borrow().fixed.clone();
        fixed.ok_or_else(|| Fixed::missing(self.link()))
    }

    fn run(&self, action: &str, sql: String) -> Result<(), EngineError> {
        self.call(action, move |connection| {
            async move { Ok(query::execute(&mut connection.session, sql).await?) }.boxed()
        })
    }

    /// Hands the session a job inside the transaction, where one was asked for.
    pub(super) fn call<R: Send + 'static>(
        &self,
        action: &str,
        job: impl for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<R, Failure>>
        + Send
        + 'static,
    ) -> Result<R, EngineError> {
        let stage = self.target.course.borrow().stage;
        if let Stage::Asked(kind) = stage {
            self.ask("begin a transaction on", |connection| {
                let sql = BEGIN_WRITING.to_owned();
                async move { Ok(query::execute(&mut connection.session, sql).await?) }.boxed()
            })?;
            self.target.course.borrow_mut().stage = Stage::Open;
            self.started(kind)?;
        }
        self.ask(action, job)
    }

    /// Hands the session a job, whatever the transaction.
    fn ask<R: Send + 'static>(
        &self,
        action: &str,
        job: impl for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<R, Failure>>
        + Send
        + 'static,
    ) -> Result<R, EngineError> {
        self.settle(self.link().call(action, job))
    }

    /// What comes with the beginning of a transaction.
    fn started(&self, kind: Kind) -> Result<(), EngineError> {
        let sql = match kind {
            Kind::Change => None,
            Kind::RestoreAtRest => Some("SET LOCAL session_replication_role = replica"),
            Kind::Restore => Some("SET CONSTRAINTS ALL DEFERRED"),
        };
        if let Some(sql) = sql {
            self.ask("prepare the restoring of", move |connection| {
                async move { Ok(query::execute(&mut connection.session, sql.to_owned()).await?) }
                    .boxed()
            })?;
        }
        let is_watched = self.target.course.borrow().is_watched;
        if is_watched {
            let counted = self.counted()?;
            self.target.course.borrow_mut().counted = counted;
        }
        Ok(())
    }

    /// Notes where an answer was lost.
    fn settle<T>(&self, result: Result<T, EngineError>) -> Result<T, EngineError> {
        if let Err(
            EngineError::Lost { .. } | EngineError::Stopped { .. } | EngineError::Driver { .. },
        ) = &result
        {
            self.target.course.borrow_mut().stage = Stage::Unknown;
        }
        result
    }

    /// Forgets the transaction that is over, and lets others apply.
    fn end(&self) {
        let mut course = self.target.course.borrow_mut();
        let was_open = matches!(course.stage, Stage::Asked(_) | Stage::Open);
        course.fixed = None;
        course.counted = None;
        if course.stage != Stage::Unknown {
            course.stage = Stage::None;
        }
        drop(course);
        if was_open {
            // A connection that is gone holds no lock.
            let _ = self.run(
                "end a transaction on",
                format!("SELECT pg_catalog.pg_advisory_unlock({ONE_AT_A_TIME})"),
            );
        }
    }
}
