//! A database that is changed, whichever engine it is of.
//!
//! A [`Target`] is a connection; a [`Session`] holds it, and everything a session does is
//! synchronous.

use std::collections::BTreeMap;

use super::{
    EngineError, ForeignKeyViolation, HeldLock, JOURNAL_TABLE, LargeKind, OpenOptions,
    RECEIPTS_TABLE, ReadEnd, ReadFrom, Receipt, RelationFile, SourceUrl, TableChanges, Unenforced,
    mysql, postgres, sqlite,
};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Fact, KeyColumn, ObjectName, RowSink, TableSpec, Value};

/// A database that is changed.
#[non_exhaustive]
pub enum Target {
    /// A SQLite database.
    Sqlite(sqlite::SqliteTarget),
    /// A PostgreSQL database.
    Postgres(postgres::PostgresTarget),
    /// A database on a MySQL or MariaDB server.
    Mysql(mysql::MysqlTarget),
}

impl Target {
    /// Opens an existing database for writing.
    pub async fn open(url: &SourceUrl, options: &OpenOptions) -> Result<Target, EngineError> {
        Ok(match url {
            SourceUrl::Sqlite(path) => {
                Target::Sqlite(sqlite::SqliteTarget::open(path, options).await?)
            }
            SourceUrl::Postgres(url) => {
                Target::Postgres(postgres::PostgresTarget::open(url, options).await?)
            }
            SourceUrl::Mysql(url) => Target::Mysql(mysql::MysqlTarget::open(url, options).await?),
        })
    }

    /// The database that a snapshot with these facts is restored into. On SQLite it is created, and
    /// one that exists is refused; on a server it exists, and whoever restores looks whether its
    /// tables are empty.
    pub async fn create(
        url: &SourceUrl,
        facts: &[Fact],
        options: &OpenOptions,
    ) -> Result<Target, EngineError> {
        match url {
            SourceUrl::Sqlite(path) => {
                Ok(Target::Sqlite(sqlite::SqliteTarget::create(path, facts, options).await?))
            }
            server => Target::open(server, options).await,
        }
    }

    /// The engine's name, as states carry it.
    pub fn engine(&self) -> &'static str {
        match self {
            Target::Sqlite(_) => "sqlite",
            Target::Postgres(_) => "postgres",
            Target::Mysql(_) => "mysql",
        }
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        each!(Target, self, engine => engine.server())
    }

    /// What identifies the database among others.
    pub fn identity(&self) -> String {
        each!(Target, self, engine => engine.identity())
    }

    /// Takes the connection for any number of synchronous operations.
    pub async fn session(&mut self) -> Result<Session<'_>, EngineError> {
        Ok(match self {
            Target::Sqlite(engine) => Session::Sqlite(engine.session().await?),
            Target::Postgres(engine) => Session::Postgres(engine.session().await?),
            Target::Mysql(engine) => Session::Mysql(engine.session().await?),
        })
    }

    /// Closes the connection. An open transaction is rolled back.
    pub async fn close(self) -> Result<(), EngineError> {
        each!(Target, self, engine => engine.close().await)
    }
}

/// A target's connection, held for many operations.
#[non_exhaustive]
pub enum Session<'a> {
    /// A SQLite connection.
    Sqlite(sqlite::SqliteSession<'a>),
    /// A PostgreSQL connection.
    Postgres(postgres::PostgresSession<'a>),
    /// A connection to a MySQL or MariaDB server.
    Mysql(mysql::MysqlSession<'a>),
}

/// Takes the rows of one table that is filled. What was not finished may not be there.
#[non_exhaustive]
pub enum Loader<'s> {
    /// On SQLite.
    Sqlite(sqlite::SqliteLoader<'s>),
    /// On PostgreSQL.
    Postgres(postgres::PostgresLoader<'s>),
    /// On MySQL or MariaDB.
    Mysql(mysql::MysqlLoader<'s>),
}

impl Loader<'_> {
    /// Adds a row, its values in the order of [`TableSpec::columns`].
    pub fn push(&mut self, row: &[Value]) -> Result<(), EngineError> {
        each!(Loader, self, engine => engine.push(row))
    }

    /// Writes what is left.
    pub fn finish(self) -> Result<(), EngineError> {
        each!(Loader, self, engine => engine.finish())
    }
}

impl Session<'_> {
    /// The engine's name, as states carry it.
    pub fn engine(&self) -> &'static str {
        match self {
            Session::Sqlite(_) => "sqlite",
            Session::Postgres(_) => "postgres",
            Session::Mysql(_) => "mysql",
        }
    }

    /// Makes ready what receipts need and a transaction could not make: on engines that commit at
    /// each DDL statement, the table of receipts. Fails where the account may not write them.
    pub fn prepare_receipts(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.prepare_receipts())
    }

    /// The receipts of a pack, the last one last. None where there is no table of them.
    pub fn receipts(&self, pack: &str) -> Result<Vec<Receipt>, EngineError> {
        each!(Session, self, engine => engine.receipts(pack))
    }

    /// Writes a receipt, inside the transaction.
    pub fn write_receipt(&self, receipt: &Receipt) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.write_receipt(receipt))
    }

    /// Removes this program's own tables, outside of transactions: what a rehearsal leaves.
    pub fn drop_own_tables(&self) -> Result<(), EngineError> {
        match self {
            Session::Postgres(engine) => engine.drop_own_tables(),
            other => [RECEIPTS_TABLE, JOURNAL_TABLE].iter().try_for_each(|table| {
                other.execute_script(&format!("DROP TABLE IF EXISTS {table}"))
            }),
        }
    }

    /// Keeps other runs from changing the target by statements that each commit, until the connection
    /// ends; fails where another is at it.
    pub fn lock_online(&self) -> Result<(), EngineError> {
        match self {
            Session::Postgres(engine) => engine.lock_online(),
            _ => Ok(()),
        }
    }

    /// The locks that the transaction holds, where the server tells.
    pub fn held_locks(&self) -> Result<Option<Vec<HeldLock>>, EngineError> {
        match self {
            Session::Postgres(engine) => engine.held_locks(),
            _ => Ok(None),
        }
    }

    /// Where the server keeps tables and indexes, where it tells.
    pub fn relation_files(&self) -> Result<Option<Vec<RelationFile>>, EngineError> {
        match self {
            Session::Postgres(engine) => engine.relation_files(),
            _ => Ok(None),
        }
    }

    /// The session of an engine on which every DDL statement commits, so that a change of the schema
    /// is a sequence with a journal; `None` where it is part of a transaction.
    pub fn stepwise(&self) -> Option<&mysql::MysqlSession<'_>> {
        match self {
            Session::Mysql(engine) => Some(engine),
            Session::Sqlite(_) | Session::Postgres(_) => None,
        }
    }

    /// Begins a transaction that writes: REPEATABLE READ at least. What others hold locked is
    /// waited for as long as the open options say.
    pub fn begin(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.begin())
    }

    /// Begins a transaction in which tables are filled, and says what is not enforced while it lasts:
    /// as much as the engine and the account allow.
    pub fn begin_restore(&self) -> Result<Unenforced, EngineError> {
        each!(Session, self, engine => engine.begin_restore())
    }

    /// Begins a transaction in which tables can be built anew. On SQLite foreign keys are not
    /// enforced while it lasts, and whoever runs it checks them at its end; it is refused where a
    /// transaction is open already.
    pub fn begin_rebuild(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.begin_rebuild())
    }

    /// Whether foreign keys are enforced, a transaction that builds tables anew aside.
    pub fn enforces_foreign_keys(&self) -> Result<bool, EngineError> {
        each!(Session, self, engine => engine.enforces_foreign_keys())
    }

    /// Keeps others from changing the shape of these tables, of the catalog that was read, and from
    /// emptying them, until the end of the transaction.
    pub fn lock_tables(&self, tables: &[&TableSpec]) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.lock_tables(tables))
    }

    /// Commits the transaction.
    pub fn commit(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.commit())
    }

    /// Rolls the transaction back, if one is open.
    pub fn rollback(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.rollback())
    }

    /// Whether a transaction is open, as far as is known here: not after an answer was lost.
    pub fn is_in_transaction(&self) -> bool {
        each!(Session, self, engine => engine.is_in_transaction())
    }

    /// Runs one statement; says how many rows it changed directly. A row that an UPDATE finds
    /// counts, even where it is as it should become.
    pub fn execute(&self, sql: &str) -> Result<u64, EngineError> {
        each!(Session, self, engine => engine.execute(sql))
    }

    /// Runs one statement with parameters, in their order: what they are, and the bytes as they are
    /// stored.
    pub fn execute_with(
        &self,
        sql: &str,
        parameters: &[(LargeKind, &[u8])],
    ) -> Result<u64, EngineError> {
        each!(Session, self, engine => engine.execute_with(sql, parameters))
    }

    /// Runs statements one after the other, until one fails: gives what each changed, and the error
    /// of the one after them.
    pub fn execute_each(&self, statements: &[&str]) -> (Vec<u64>, Result<(), EngineError>) {
        each!(Session, self, engine => engine.execute_each(statements))
    }

    /// Runs the statements of a text one after the other.
    pub fn execute_script(&self, sql: &str) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.execute_script(sql))
    }

    /// Fills a table with rows.
    pub fn loader<'s>(&'s self, table: &'s TableSpec) -> Result<Loader<'s>, EngineError> {
        Ok(match self {
            Session::Sqlite(engine) => Loader::Sqlite(engine.loader(table)?),
            Session::Postgres(engine) => Loader::Postgres(engine.loader(table)?),
            Session::Mysql(engine) => Loader::Mysql(engine.loader(table)?),
        })
    }

    /// The catalog as the transaction sees it. On servers no table it names changes its shape from
    /// here on until the end of the transaction, and rows are read only of these tables.
    pub fn catalog(&self, scope: &Scope) -> Result<Catalog, EngineError> {
        each!(Session, self, engine => engine.catalog(scope))
    }

    /// Sends the rows of a table to the sink, as the transaction sees them.
    pub fn read_rows<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        each!(Session, self, engine => engine.read_rows(table, from, sink))
    }

    /// The exact number of rows of a table.
    pub fn count_rows(&self, table: &TableSpec) -> Result<u64, EngineError> {
        each!(Session, self, engine => engine.count_rows(table))
    }

    /// Sends the rows that have one of these keys, and locks them until the end of the
    /// transaction. They come in any order; rows whose keys the database takes for equal to one
    /// of these, though they are not the same bytes, may come with them.
    pub fn rows_by_keys<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        keys: &[Vec<Value>],
        sink: &mut S,
    ) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.rows_by_keys(table, keys, sink))
    }

    /// Sends at most `limit` rows of a child table whose foreign key columns hold these values.
    /// Each column comes with the matching of the parent's column.
    pub fn referencing_rows<S: RowSink + ?Sized>(
        &self,
        child: &TableSpec,
        columns: &[KeyColumn],
        parent_key: &[Value],
        limit: u64,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        each!(Session, self, engine => {
            engine.referencing_rows(child, columns, parent_key, limit, sink)
        })
    }

    /// Has the constraints checked that wait for the end of the transaction.
    pub fn check_deferred(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.check_deferred())
    }

    /// At most `limit` rows whose foreign keys point nowhere, on engines that may hold such rows.
    pub fn foreign_key_check(&self, limit: usize) -> Result<Vec<ForeignKeyViolation>, EngineError> {
        each!(Session, self, engine => engine.foreign_key_check(limit))
    }

    /// How many rows were changed on this connection so far, side effects included, where the
    /// engine tells.
    pub fn total_changes(&self) -> Option<u64> {
        each!(Session, self, engine => engine.total_changes())
    }

    /// Counts changes per table from now on, side effects included where the engine tells.
    pub fn watch_changes(&mut self) {
        each!(Session, self, engine => engine.watch_changes());
    }

    /// The changes per table since they were watched, or asked for; `None` where the engine does
    /// not tell.
    pub fn take_changes(&self) -> Result<Option<BTreeMap<ObjectName, TableChanges>>, EngineError> {
        each!(Session, self, engine => engine.take_changes())
    }

    /// The longest statement that the server takes, parameters included; `None` where that is
    /// without a limit of its own.
    pub fn longest_statement(&self) -> Result<Option<u64>, EngineError> {
        each!(Session, self, engine => engine.longest_statement())
    }

    /// Sets the settings among the facts that a transaction can set.
    pub fn apply_settings(&self, facts: &[Fact]) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.apply_settings(facts))
    }
}
