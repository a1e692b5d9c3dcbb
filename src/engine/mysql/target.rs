//! A database on a MySQL or MariaDB server that is changed.
//!
//! A [`MysqlTarget`] is the connection and what is known of its transaction; a [`MysqlSession`]
//! holds it. Constraints and triggers are on. Where the server rolls a transaction back by itself,
//! nothing runs until that is acknowledged by a rollback: alone, each statement would commit.
//! Every DDL statement commits what was done before it.

use std::cell::{Cell as Shared, RefCell};
use std::collections::{BTreeMap, HashMap};

use futures_util::FutureExt as _;

use super::connect::Purpose;
use super::connection::Connection;
use super::loader::MysqlLoader;
use super::lookups::{self, KeyIndex};
use super::query::{execute, query};
use super::rows::{self, Layout};
use super::{moment, receipts, runs, tables};
use crate::engine::error::EngineError;
use crate::engine::{
    ForeignKeyViolation, LargeKind, OpenOptions, ReadEnd, ReadFrom, Receipt, ServerUrl,
    TableChanges, Unenforced,
};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Fact, KeyColumn, ObjectName, RowSink, TableSpec, Value};

/// What a statement has beside its text and its values in a packet, at most.
const PACKET_ROOM: u64 = 1024;

/// What is known of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// There is none.
    None,
    /// One is open.
    Open,
    /// One is open in which foreign keys are not enforced.
    Unchecked,
    /// The server rolled one back, and nobody has acknowledged that.
    RolledBack {
        /// Whether foreign keys are not enforced.
        is_unchecked: bool,
    },
}

/// An open target.
pub struct MysqlTarget {
    pub(super) connection: Connection,
    /// To open another one beside it.
    pub(super) url: ServerUrl,
    pub(super) options: OpenOptions,
    transaction: Shared<Transaction>,
    /// Whether a lock that is not had in time ends the whole transaction.
    ends_by_timeout: bool,
    longest_statement: u64,
    /// Which index answers a lookup by key, by table.
    indexes: RefCell<HashMap<ObjectName, Option<String>>>,
}

/// Holds the connection of a target.
pub struct MysqlSession<'a> {
    pub(super) target: &'a MysqlTarget,
}

impl MysqlTarget {
    /// Opens an existing database for writing. A server that takes no writes is refused.
    pub async fn open(url: &ServerUrl, options: &OpenOptions) -> Result<Self, EngineError> {
        MysqlTarget::connect(url, options)
    }

    pub(super) fn connect(url: &ServerUrl, options: &OpenOptions) -> Result<Self, EngineError> {
        let connection = Connection::open(url, options, Purpose::Write)?;
        let ask = |sql: &str| connection.ask("read the limits of", sql.to_owned());
        let longest = ask("SELECT @@max_allowed_packet")?.unwrap_or(u64::MAX);
        let ends_by_timeout = ask("SELECT @@innodb_rollback_on_timeout")? == Some(1);
        Ok(MysqlTarget {
            connection,
            url: url.clone(),
            options: options.clone(),
            transaction: Shared::new(Transaction::None),
            ends_by_timeout,
            longest_statement: longest.saturating_sub(PACKET_ROOM),
            indexes: RefCell::default(),
        })
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        self.connection.server()
    }

    /// The server and the database.
    pub fn identity(&self) -> String {
        self.connection.identity()
    }

    /// Takes the connection.
    pub async fn session(&mut self) -> Result<MysqlSession<'_>, EngineError> {
        Ok(MysqlSession { target: self })
    }

    /// Closes the connection. An open transaction is rolled back.
    pub async fn close(self) -> Result<(), EngineError> {
        self.rollback()
    }

    /// Runs one statement; says how many rows it found or changed.
    pub(super) fn execute(&self, sql: &str) -> Result<u64, EngineError> {
        let (counts, result) = self.execute_each(&[sql]);
        result.map(|()| counts.iter().sum())
    }

    pub(super) fn execute_with(
        &self,
        sql: &str,
        parameters: &[(LargeKind, &[u8])],
    ) -> Result<u64, EngineError> {
        self.ready()?;
        let action = runs::shown(sql);
        let sql = sql.to_owned();
        let values = parameters.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        let ran = self.connection.run(&action, |link| {
            async move { runs::with_parameters(link, sql, values).await }.boxed()
        });
        self.noted(ran.and_then(|ran| ran.map_err(|error| self.wrong(&action, error))))
    }

    fn execute_each(&self, statements: &[&str]) -> (Vec<u64>, Result<(), EngineError>) {
        if let Err(error) = self.ready() {
            return (Vec::new(), Err(error));
        }
        let mut counts = Vec::with_capacity(statements.len());
        for trip in runs::trips(statements, self.longest_statement) {
            let (sql, length) = (runs::joined(trip), trip.len());
            let ran = self.connection.run("change", move |link| {
                async move { runs::each(link, sql, length).await }.boxed()
            });
            let result = ran.and_then(|(done, result)| {
                let failed = trip.get(done.len()).copied().unwrap_or_default();
                counts.extend(done);
                result.map_err(|error| self.wrong(&runs::shown(failed), error))
            });
            if let Err(error) = self.noted(result) {
                return (counts, Err(error));
            }
        }
        (counts, Ok(()))
    }

    /// The longest statement that the server takes.
    pub(super) fn longest_statement(&self) -> Result<u64, EngineError> {
        Ok(self.longest_statement)
    }

    fn wrong(&self, action: &str, error: sqlx::Error) -> EngineError {
        super::failure::classify(&self.connection.name, action, error)
    }

    /// Fails where the server ended the transaction that the caller believes in.
    pub(super) fn ready(&self) -> Result<(), EngineError> {
        match self.transaction.get() {
            Transaction::RolledBack { .. } => Err(EngineError::Contention {
                database: self.connection.name.clone(),
                action: "go on with the transaction on".to_owned(),
                message: "the server has rolled it back".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Learns from an error what became of the transaction.
    pub(super) fn noted<T>(&self, result: Result<T, EngineError>) -> Result<T, EngineError> {
        let is_unchecked = match self.transaction.get() {
            Transaction::Open => false,
            Transaction::Unchecked => true,
            Transaction::None | Transaction::RolledBack { .. } => return result,
        };
        match &result {
            Err(EngineError::Lost { .. } | EngineError::Stopped { .. }) => {
                self.transaction.set(Transaction::None);
            }
            Err(EngineError::Contention { .. }) => {
                self.transaction.set(Transaction::RolledBack { is_unchecked });
            }
            Err(EngineError::Locked { .. }) if self.ends_by_timeout => {
                self.transaction.set(Transaction::RolledBack { is_unchecked });
            }
            _ => {}
        }
        result
    }

    /// Runs statements of this program's own, none of which gives rows.
    fn command(
        &self,
        action: &str,
        statements: &'static [&'static str],
    ) -> Result<(), EngineError> {
        let done = self.connection.call(action, {
            let action = action.to_owned();
            move |link| {
                async move {
                    for statement in statements {
                        let run = execute(&mut link.connection, *statement).await;
                        run.map_err(|error| link.wrong(&action, error))?;
                    }
                    Ok(())
                }
                .boxed()
            }
        });
        self.noted(done)
    }

    fn begin(&self, is_unchecked: bool) -> Result<(), EngineError> {
        const ACTION: &str = "begin a transaction on";
        if matches!(self.transaction.get(), Transaction::Open | Transaction::Unchecked) {
            return Err(EngineError::Unsupported {
                database: self.connection.name.clone(),
                what: "a transaction is open already, and beginning another would commit it"
                    .to_owned(),
            });
        }
        // Reading the catalog sets and sets back; whatever happened there, this is how it begins.
        self.connection.call(ACTION, |link| link.pin().boxed())?;
        let statements: &[&str] = match is_unchecked {
            true => &["SET foreign_key_checks = 0", "START TRANSACTION READ WRITE"],
            false => &["START TRANSACTION READ WRITE"],
        };
        self.command(ACTION, statements)?;
        let open = if is_unchecked { Transaction::Unchecked } else { Transaction::Open };
        self.transaction.set(open);
        Ok(())
    }

    fn commit(&self) -> Result<(), EngineError> {
        self.ready()?;
        if self.transaction.get() == Transaction::None {
            return Err(EngineError::Unsupported {
                database: self.connection.name.clone(),
                what: "there is no transaction to commit".to_owned(),
            });
        }
        self.command("commit to", &["COMMIT"])?;
        self.ended()
    }

    fn rollback(&self) -> Result<(), EngineError> {
        if self.transaction.get() == Transaction::None {
            return Ok(());
        }
        self.command("roll back", &["ROLLBACK"])?;
        self.ended()
    }

    /// The transaction is over, and foreign keys are enforced again.
    fn ended(&self) -> Result<(), EngineError> {
        let was = self.transaction.replace(Transaction::None);
        match was {
            Transaction::Unchecked | Transaction::RolledBack { is_unchecked: true } => {
                self.command("set up a session of", &["SET foreign_key_checks = 1"])
            }
            _ => Ok(()),
        }
    }

    /// The index that begins with the columns of a table's key.
    fn key_index(&self, table: &TableSpec) -> Result<Option<String>, EngineError> {
        let ask = match lookups::key_index(table) {
            KeyIndex::Known(index) => return Ok(Some(index.to_owned())),
            KeyIndex::Ask(sql) => sql,
        };
        if let Some(index) = self.indexes.borrow().get(&table.name) {
            return Ok(index.clone());
        }
        let action = format!("read the indexes of table `{}` of", table.name);
        let rows = self
            .connection
            .run(&action, |link| async move { query(&mut link.connection, ask).await }.boxed());
        let rows = rows.and_then(|rows| rows.map_err(|error| self.wrong(&action, error)));
        let rows = self.noted(rows)?;
        let indexes = rows.iter().map(|row| (row.text(0), row.text(1), row.get(2).is_none()));
        let index = lookups::leading(&table.key.column_names(), indexes);
        self.indexes.borrow_mut().insert(table.name.clone(), index.clone());
        Ok(index)
    }

    fn select<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        layout: &Layout,
        sql: String,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        self.ready()?;
        self.noted(self.connection.select(table, layout, sql, sink))
    }

    fn unsupported(&self, table: &TableSpec, what: &str) -> EngineError {
        EngineError::Unsupported {
            database: self.connection.name.clone(),
            what: format!("table `{}` {what}", table.name),
        }
    }
}

impl MysqlSession<'_> {
    /// Makes the table of receipts where there is none, which commits; fails where the account may
    /// not write them.
    pub fn prepare_receipts(&self) -> Result<(), EngineError> {
        const ACTION: &str = "prepare the table of receipts of";
        if self.is_in_transaction() {
            return Err(EngineError::Unsupported {
                database: self.target.connection.name.clone(),
                what: "the table of receipts is made before a transaction begins".to_owned(),
            });
        }
        self.target.connection.call(ACTION, |link| receipts::prepare(link).boxed())
    }

    /// The receipts of a pack, the last one last. None where there is no table of them. Inside a
    /// transaction they are locked until its end.
    pub fn receipts(&self, pack: &str) -> Result<Vec<Receipt>, EngineError> {
        self.target.ready()?;
        let (pack, is_in_transaction) = (pack.to_owned(), self.is_in_transaction());
        let read = self.target.connection.call("read the receipts of", move |link| {
            async move { receipts::read(link, &pack, is_in_transaction).await }.boxed()
        });
        self.target.noted(read)
    }

    /// Writes a receipt, inside the transaction.
    pub fn write_receipt(&self, receipt: &Receipt) -> Result<(), EngineError> {
        self.target.ready()?;
        let receipt = receipt.clone();
        let written = self.target.connection.call("write a receipt to", move |link| {
            async move { receipts::write(link, &receipt).await }.boxed()
        });
        self.target.noted(written)
    }

    /// Begins a transaction that writes, at REPEATABLE READ. What it reads row by row it sees as it
    /// was at its first plain read; what it looks up by key, as it was committed last.
    pub fn begin(&self) -> Result<(), EngineError> {
        self.target.begin(false)
    }

    /// Begins a transaction as any other: tables are not built anew here.
    pub fn begin_rebuild(&self) -> Result<(), EngineError> {
        self.begin()
    }

    /// Foreign keys are always enforced.
    pub fn enforces_foreign_keys(&self) -> Result<bool, EngineError> {
        Ok(true)
    }

    /// Begins a transaction in which tables are filled and foreign keys are not enforced. Triggers
    /// fire all the same: whoever fills tables that have some makes them afterwards.
    pub fn begin_restore(&self) -> Result<Unenforced, EngineError> {
        self.target.begin(true)?;
        Ok(Unenforced { foreign_keys: true, triggers: false })
    }

    /// Refuses tables whose rows could not be put back, and takes the locks that writing to the
    /// others needs. None of them can be altered, emptied or dropped by anybody else from here on.
    /// (Reading the catalog locked them, too, for reading.)
    pub fn lock_tables(&self, tables: &[&TableSpec]) -> Result<(), EngineError> {
        self.target.ready()?;
        let names: Vec<String> = tables.iter().map(|table| table.name.name.clone()).collect();
        let locked = self.target.connection.call("lock the tables of", move |link| {
            async move { moment::lock_for_writing(link, &names).await }.boxed()
        });
        self.target.noted(locked)
    }

    /// Commits the transaction.
    pub fn commit(&self) -> Result<(), EngineError> {
        self.target.commit()
    }

    /// Rolls the transaction back, if one is open. Where the connection is lost, the server has.
    pub fn rollback(&self) -> Result<(), EngineError> {
        self.target.rollback()
    }

    /// Whether a transaction is open, as far as is known here: not after the connection was lost,
    /// and not after the server rolled it back.
    pub fn is_in_transaction(&self) -> bool {
        matches!(self.target.transaction.get(), Transaction::Open | Transaction::Unchecked)
    }

    /// Runs one statement; says how many rows it changed directly, or found, where it changes them
    /// to what they are.
    pub fn execute(&self, sql: &str) -> Result<u64, EngineError> {
        self.target.execute(sql)
    }

    /// Runs one statement with parameters, in the order in which they stand in it. Their bytes go
    /// through no charset, so they are what the column stores.
    pub fn execute_with(
        &self,
        sql: &str,
        parameters: &[(LargeKind, &[u8])],
    ) -> Result<u64, EngineError> {
        self.target.execute_with(sql, parameters)
    }

    /// Runs statements one after the other, many in one packet, until one fails: gives what each
    /// changed, and the error of the one after them.
    pub fn execute_each(&self, statements: &[&str]) -> (Vec<u64>, Result<(), EngineError>) {
        self.target.execute_each(statements)
    }

    /// Runs the statements of a text one after the other. The server tells them apart.
    pub fn execute_script(&self, sql: &str) -> Result<(), EngineError> {
        self.target.ready()?;
        let action = runs::shown(sql);
        let sql = sql.to_owned();
        let ran = self
            .target
            .connection
            .run(&action, |link| async move { runs::script(link, sql).await }.boxed());
        let ran = ran.and_then(|ran| ran.map_err(|error| self.target.wrong(&action, error)));
        self.target.noted(ran)
    }

    /// Fills a table with rows.
    pub fn loader<'s>(&'s self, table: &'s TableSpec) -> Result<MysqlLoader<'s>, EngineError> {
        MysqlLoader::new(self.target, table)
    }

    /// The catalog as it is now; the tables it names keep their shape until the end of the
    /// transaction.
    pub fn catalog(&self, scope: &Scope) -> Result<Catalog, EngineError> {
        self.target.ready()?;
        let (connection, asked) = (&self.target.connection, scope.clone());
        let read = connection.call("read the catalog of", move |link| {
            async move {
                let locked = moment::hold(link).await?;
                let catalog = tables::catalog(link, &asked).await?;
                locked.check_rights(&link.name, &catalog)?;
                Ok(catalog)
            }
            .boxed()
        });
        self.target.noted(read)
    }

    /// Sends the rows of a table to the sink, as the transaction sees them.
    pub fn read_rows<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let layout = Layout::of(table);
        let sql = rows::scan(&layout, table, from)?;
        self.target.select(table, &layout, sql, sink)
    }

    /// The exact number of rows of a table, as the transaction sees them.
    pub fn count_rows(&self, table: &TableSpec) -> Result<u64, EngineError> {
        self.target.ready()?;
        self.target.noted(self.target.connection.count_rows(table))
    }

    /// Sends the rows that have one of these keys, as they were committed last or changed here, and
    /// locks them until the end of the transaction. Rows whose keys the server takes for equal come
    /// with them.
    pub fn rows_by_keys<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        keys: &[Vec<Value>],
        sink: &mut S,
    ) -> Result<(), EngineError> {
        if keys.is_empty() {
            return Ok(());
        }
        let layout = Layout::of(table);
        let index = self.target.key_index(table)?;
        let selects = lookups::by_keys(&layout, table, keys, index.as_deref());
        let selects = selects.ok_or_else(|| {
            self.target.unsupported(table, "has no such keys to find its rows by")
        })?;
        for sql in selects {
            if !self.target.select(table, &layout, sql, sink)?.is_complete {
                break;
            }
        }
        Ok(())
    }

    /// Sends at most `limit` rows of a child table whose foreign key columns hold these values, by
    /// the server's own equality, as they were committed last.
    pub fn referencing_rows<S: RowSink + ?Sized>(
        &self,
        child: &TableSpec,
        columns: &[KeyColumn],
        parent_key: &[Value],
        limit: u64,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let layout = Layout::of(child);
        let sql = lookups::referring(&layout, child, columns, parent_key, limit);
        let sql = sql.ok_or_else(|| {
            self.target.unsupported(child, "has a foreign key that cannot be looked up by")
        })?;
        self.target.select(child, &layout, sql, sink)
    }

    /// Nothing waits for the end of the transaction: InnoDB checks row by row.
    pub fn check_deferred(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// None: where foreign keys are enforced, none of them points nowhere.
    pub fn foreign_key_check(
        &self,
        _limit: usize,
    ) -> Result<Vec<ForeignKeyViolation>, EngineError> {
        Ok(Vec::new())
    }

    /// The server does not tell: its counters leave out what foreign keys change, and count what it
    /// does for itself.
    pub fn total_changes(&self) -> Option<u64> {
        None
    }

    /// Nothing is watched.
    pub fn watch_changes(&mut self) {}

    /// The server tells of no changes by table.
    pub fn take_changes(&self) -> Result<Option<BTreeMap<ObjectName, TableChanges>>, EngineError> {
        Ok(None)
    }

    /// The longest statement that the server takes: its largest packet.
    pub fn longest_statement(&self) -> Result<Option<u64>, EngineError> {
        self.target.longest_statement().map(Some)
    }

    /// No setting of a database is set in a transaction: ALTER DATABASE commits.
    pub fn apply_settings(&self, _facts: &[Fact]) -> Result<(), EngineError> {
        Ok(())
    }
}
