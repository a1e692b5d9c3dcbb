//! A MySQL database that is changed.

use std::collections::BTreeMap;

use crate::engine::error::EngineError;
use crate::engine::{
    ForeignKeyViolation, LargeKind, OpenOptions, ReadEnd, ReadFrom, Receipt, ServerUrl,
    TableChanges, Unenforced,
};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Fact, KeyColumn, ObjectName, RowSink, TableSpec, Value};

/// An open target.
pub struct MysqlTarget {
    name: String,
}

/// Holds the connection of a target.
pub struct MysqlSession<'a> {
    target: &'a mut MysqlTarget,
}

/// Fills a table.
pub struct MysqlLoader<'s> {
    name: &'s str,
}

fn not_yet<T>(database: &str) -> Result<T, EngineError> {
    let what = "this program reads MySQL and does not change it yet: `apply` and `restore` are \
                for SQLite so far, `diff` works";
    Err(EngineError::Unsupported { database: database.to_owned(), what: what.to_owned() })
}

impl MysqlTarget {
    /// Opens an existing database for writing.
    pub async fn open(url: &ServerUrl, _options: &OpenOptions) -> Result<Self, EngineError> {
        not_yet(url.host.as_deref().unwrap_or("the server"))
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        self.name.clone()
    }

    /// What identifies the database among others.
    pub fn identity(&self) -> String {
        self.name.clone()
    }

    /// Takes the connection.
    pub async fn session(&mut self) -> Result<MysqlSession<'_>, EngineError> {
        Ok(MysqlSession { target: self })
    }

    /// Closes the connection.
    pub async fn close(self) -> Result<(), EngineError> {
        Ok(())
    }
}

impl MysqlSession<'_> {
    /// Makes ready what receipts need and a transaction could not make: on engines that commit at
    /// each DDL statement, the table of receipts. Fails where the account may not write them.
    pub fn prepare_receipts(&self) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// The receipts of a pack, the last one last. None where there is no table of them.
    pub fn receipts(&self, _pack: &str) -> Result<Vec<Receipt>, EngineError> {
        not_yet(&self.target.name)
    }

    /// Writes a receipt, inside the transaction.
    pub fn write_receipt(&self, _receipt: &Receipt) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// Begins a transaction that writes: REPEATABLE READ at least. What others hold locked is
    /// waited for as long as the open options say.
    pub fn begin(&self) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// Begins a transaction in which tables are filled: as far as the engine and the account allow,
    /// foreign keys are not enforced and triggers do not fire while it lasts.
    pub fn begin_restore(&self) -> Result<Unenforced, EngineError> {
        not_yet(&self.target.name)
    }

    /// Keeps others from changing the shape of these tables, of the catalog that was read, and from
    /// emptying them, until the end of the transaction.
    pub fn lock_tables(&self, _tables: &[&TableSpec]) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// Commits the transaction.
    pub fn commit(&self) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// Rolls the transaction back, if one is open.
    pub fn rollback(&self) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// Whether a transaction is open, as far as is known here: not after an answer was lost.
    pub fn is_in_transaction(&self) -> bool {
        false
    }

    /// Runs one statement; says how many rows it changed directly. A row that an UPDATE finds
    /// counts, even where it is as it should become.
    pub fn execute(&self, _sql: &str) -> Result<u64, EngineError> {
        not_yet(&self.target.name)
    }

    /// Runs one statement with parameters, in their order: what they are, and the bytes as they are
    /// stored.
    pub fn execute_with(
        &self,
        _sql: &str,
        _parameters: &[(LargeKind, &[u8])],
    ) -> Result<u64, EngineError> {
        not_yet(&self.target.name)
    }

    /// Runs statements one after the other, until one fails: gives what each changed, and the error
    /// of the one after them.
    pub fn execute_each(&self, _statements: &[&str]) -> (Vec<u64>, Result<(), EngineError>) {
        (Vec::new(), not_yet(&self.target.name))
    }

    /// Runs the statements of a text one after the other.
    pub fn execute_script(&self, _sql: &str) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// Fills a table with rows.
    pub fn loader<'s>(&'s self, _table: &'s TableSpec) -> Result<MysqlLoader<'s>, EngineError> {
        not_yet(&self.target.name)
    }

    /// The catalog as the transaction sees it. On servers no table it names changes its shape from
    /// here on until the end of the transaction, and rows are read only of these tables.
    pub fn catalog(&self, _scope: &Scope) -> Result<Catalog, EngineError> {
        not_yet(&self.target.name)
    }

    /// Sends the rows of a table to the sink, as the transaction sees them.
    pub fn read_rows<S: RowSink + ?Sized>(
        &self,
        _table: &TableSpec,
        _from: &ReadFrom,
        _sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        not_yet(&self.target.name)
    }

    /// The exact number of rows of a table.
    pub fn count_rows(&self, _table: &TableSpec) -> Result<u64, EngineError> {
        not_yet(&self.target.name)
    }

    /// Sends the rows that have one of these keys, and locks them until the end of the
    /// transaction. They come in any order; rows whose keys the database takes for equal to one
    /// of these, though they are not the same bytes, may come with them.
    pub fn rows_by_keys<S: RowSink + ?Sized>(
        &self,
        _table: &TableSpec,
        _keys: &[Vec<Value>],
        _sink: &mut S,
    ) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// Sends at most `limit` rows of a child table whose foreign key columns hold these values.
    /// Each column comes with the matching of the parent's column.
    pub fn referencing_rows<S: RowSink + ?Sized>(
        &self,
        _child: &TableSpec,
        _columns: &[KeyColumn],
        _parent_key: &[Value],
        _limit: u64,
        _sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        not_yet(&self.target.name)
    }

    /// Has the constraints checked that wait for the end of the transaction.
    pub fn check_deferred(&self) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }

    /// At most `limit` rows whose foreign keys point nowhere, on engines that may hold such rows.
    pub fn foreign_key_check(
        &self,
        _limit: usize,
    ) -> Result<Vec<ForeignKeyViolation>, EngineError> {
        not_yet(&self.target.name)
    }

    /// How many rows were changed on this connection so far, side effects included, where the
    /// engine tells.
    pub fn total_changes(&self) -> Option<u64> {
        None
    }

    /// Counts changes per table from now on, side effects included where the engine tells.
    pub fn watch_changes(&mut self) {}

    /// The changes per table since they were watched, or asked for; `None` where the engine does
    /// not tell.
    pub fn take_changes(&self) -> Result<Option<BTreeMap<ObjectName, TableChanges>>, EngineError> {
        not_yet(&self.target.name)
    }

    /// The longest statement that the server takes, parameters included; `None` where that is
    /// without a limit of its own.
    pub fn longest_statement(&self) -> Result<Option<u64>, EngineError> {
        not_yet(&self.target.name)
    }

    /// Sets the settings among the facts that a transaction can set.
    pub fn apply_settings(&self, _facts: &[Fact]) -> Result<(), EngineError> {
        not_yet(&self.target.name)
    }
}

impl MysqlLoader<'_> {
    /// Adds a row.
    pub fn push(&mut self, _row: &[Value]) -> Result<(), EngineError> {
        not_yet(self.name)
    }

    /// Writes what is left.
    pub fn finish(self) -> Result<(), EngineError> {
        not_yet(self.name)
    }
}
