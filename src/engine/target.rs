//! A database that is changed, whichever engine it is of.
//!
//! A [`Target`] is a connection; a [`Session`] holds it, and everything a session does is
//! synchronous.

use std::collections::BTreeMap;

use super::{
    EngineError, ForeignKeyViolation, OpenOptions, ReadEnd, ReadFrom, SourceUrl, TableChanges,
    product, sqlite,
};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Fact, KeyColumn, ObjectName, RowSink, TableSpec, Value};

/// A database that is changed.
#[non_exhaustive]
pub enum Target {
    /// A SQLite database.
    Sqlite(sqlite::SqliteTarget),
}

impl Target {
    /// Opens an existing database for writing.
    pub async fn open(url: &SourceUrl, options: &OpenOptions) -> Result<Target, EngineError> {
        match url {
            SourceUrl::Sqlite(path) => {
                Ok(Target::Sqlite(sqlite::SqliteTarget::open(path, options).await?))
            }
            server => Err(unsupported(server)),
        }
    }

    /// Creates a database, for the schema of these facts. One that exists is refused.
    pub async fn create(
        url: &SourceUrl,
        facts: &[Fact],
        options: &OpenOptions,
    ) -> Result<Target, EngineError> {
        match url {
            SourceUrl::Sqlite(path) => {
                Ok(Target::Sqlite(sqlite::SqliteTarget::create(path, facts, options).await?))
            }
            server => Err(unsupported(server)),
        }
    }

    /// A private, empty database of the same engine, for proving a plan for these facts.
    pub async fn scratch(
        &self,
        facts: &[Fact],
        options: &OpenOptions,
    ) -> Result<Target, EngineError> {
        match self {
            Target::Sqlite(_) => {
                Ok(Target::Sqlite(sqlite::SqliteTarget::scratch(facts, options).await?))
            }
        }
    }

    /// The engine's name, as states carry it.
    pub fn engine(&self) -> &'static str {
        match self {
            Target::Sqlite(_) => "sqlite",
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
        each!(Target, self, engine => Ok(Session::Sqlite(engine.session().await?)))
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
}

/// A reader of rows by key.
#[non_exhaustive]
pub enum RowFinder<'s> {
    /// On SQLite.
    Sqlite(sqlite::KeyReader<'s>),
}

impl RowFinder<'_> {
    /// Sends the row whose key is exactly this one; says how many there were.
    pub fn read<S: RowSink + ?Sized>(
        &mut self,
        key: &[Value],
        sink: &mut S,
    ) -> Result<u64, EngineError> {
        each!(RowFinder, self, engine => engine.read(key, sink))
    }
}

/// A statement that is run many times.
#[non_exhaustive]
pub enum Prepared<'s> {
    /// On SQLite.
    Sqlite(sqlite::SqlitePrepared<'s>),
}

impl Prepared<'_> {
    /// Runs the statement with these parameters; says how many rows it changed directly.
    pub fn run<'v>(
        &mut self,
        parameters: impl IntoIterator<Item = &'v Value>,
    ) -> Result<u64, EngineError> {
        each!(Prepared, self, engine => engine.run(parameters))
    }
}

impl Session<'_> {
    /// Begins a transaction that holds the locks for writing.
    pub fn begin_immediate(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.begin_immediate())
    }

    /// Commits the transaction.
    pub fn commit(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.commit())
    }

    /// Rolls the transaction back, if one is open.
    pub fn rollback(&self) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.rollback())
    }

    /// Whether a transaction is open.
    pub fn is_in_transaction(&self) -> bool {
        each!(Session, self, engine => engine.is_in_transaction())
    }

    /// Sets a savepoint.
    pub fn savepoint(&self, name: &str) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.savepoint(name))
    }

    /// Forgets a savepoint and keeps what was done since.
    pub fn release(&self, name: &str) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.release(name))
    }

    /// Undoes what was done since a savepoint, which stays.
    pub fn rollback_to(&self, name: &str) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.rollback_to(name))
    }

    /// Runs one statement; says how many rows it changed directly.
    pub fn execute(&self, sql: &str) -> Result<u64, EngineError> {
        each!(Session, self, engine => engine.execute(sql))
    }

    /// Runs one statement with parameters, in their order: class and the bytes as they are stored.
    pub fn execute_with(
        &self,
        sql: &str,
        parameters: &[(sqlite::StorageClass, &[u8])],
    ) -> Result<u64, EngineError> {
        each!(Session, self, engine => engine.execute_with(sql, parameters))
    }

    /// Runs the statements of a text one after the other.
    pub fn execute_script(&self, sql: &str) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.execute_script(sql))
    }

    /// Prepares the insertion of rows, whose values come in the order of [`TableSpec::columns`].
    pub fn prepare_insert(&self, table: &TableSpec) -> Result<Prepared<'_>, EngineError> {
        each!(Session, self, engine => Ok(Prepared::Sqlite(engine.prepare_insert(table)?)))
    }

    /// Prepares a statement that is run many times.
    pub fn prepare(&self, sql: &str) -> Result<Prepared<'_>, EngineError> {
        each!(Session, self, engine => Ok(Prepared::Sqlite(engine.prepare(sql)?)))
    }

    /// The catalog as the transaction sees it.
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

    /// A reader of rows by key, for many keys.
    pub fn row_finder<'s>(&'s self, table: &'s TableSpec) -> Result<RowFinder<'s>, EngineError> {
        each!(Session, self, engine => Ok(RowFinder::Sqlite(engine.key_reader(table)?)))
    }

    /// How often each of these rows is in the table, in one scan; every column exact, values in
    /// the order of [`TableSpec::columns`].
    pub fn count_equal_rows(
        &self,
        table: &TableSpec,
        rows: &[Vec<Value>],
    ) -> Result<Vec<u64>, EngineError> {
        each!(Session, self, engine => engine.count_equal_rows(table, rows))
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

    /// At most `limit` rows whose foreign keys point nowhere.
    pub fn foreign_key_check(&self, limit: usize) -> Result<Vec<ForeignKeyViolation>, EngineError> {
        each!(Session, self, engine => engine.foreign_key_check(limit))
    }

    /// How many rows were changed on this connection so far, side effects included.
    pub fn total_changes(&self) -> u64 {
        each!(Session, self, engine => engine.total_changes())
    }

    /// Counts changes per table from now on, side effects included where the engine tells.
    pub fn watch_changes(&mut self) {
        each!(Session, self, engine => engine.watch_changes());
    }

    /// The changes per table since they were last asked for.
    pub fn take_changes(&self) -> BTreeMap<ObjectName, TableChanges> {
        each!(Session, self, engine => engine.take_changes())
    }

    /// A number that changes when another connection commits.
    pub fn data_version(&self) -> Result<i64, EngineError> {
        each!(Session, self, engine => engine.data_version())
    }

    /// Sets the settings among the facts that a transaction can set.
    pub fn apply_settings(&self, facts: &[Fact]) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.apply_settings(facts))
    }

    /// Raises a sequence to a position; never lowers it.
    pub fn raise_sequence(&self, table: &ObjectName, position: i64) -> Result<(), EngineError> {
        each!(Session, self, engine => engine.raise_sequence(table, position))
    }
}

fn unsupported(url: &SourceUrl) -> EngineError {
    let what = format!(
        "this program reads {} and does not change it yet: `apply` and `restore` are for SQLite so \
         far, `diff` works",
        product(url.engine())
    );
    EngineError::Unsupported { database: url.redacted(), what }
}
