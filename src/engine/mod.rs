//! Databases ↔ model: the surface that every engine has.
//!
//! A [`Source`] is read, a [`Target`] is changed, a [`Dialect`] writes SQL without a connection; what differs between engines is a method of the
//! variant, never a comparison of names. Rows go out cell by cell through
//! [`RowSink`](crate::model::RowSink), so an engine knows no encoding. Async stops here: a [`Session`] is synchronous.

/// Hands a call to whichever engine is behind.
macro_rules! each {
    ($engines:ident, $this:expr, $engine:ident => $call:expr) => {
        match $this {
            $engines::Sqlite($engine) => $call,
            $engines::Postgres($engine) => $call,
            $engines::Mysql($engine) => $call,
        }
    };
}

pub mod ddl;
mod dialect;
mod error;
mod journal;
mod mask;
pub mod mysql;
mod operand;
mod pattern;
pub mod postgres;
mod receipt;
mod remote;
mod secret;
mod server_url;
mod source;
pub mod sqlite;
mod target;
mod url;

pub use dialect::{Dialect, StatementLimits, TableStatements};
pub use error::EngineError;
pub use journal::{
    JOURNAL_TABLE, Journal, TRASH_PREFIX, UNDONE_PREFIX, is_own_table, trash_name, undone_name,
};
pub use mask::{is_optional, masked_columns};
pub use operand::{Cell, LargeKind, Operand, RowGuard, RowUpdate};
pub(crate) use pattern::matches as matches_pattern;
pub use receipt::{RECEIPTS_TABLE, Receipt};
pub use secret::Secret;
pub use server_url::{ServerUrl, Tls};
pub use source::Source;
pub use sqlite::OpenOptions;
pub use target::{Loader, Session, Target};
pub use url::SourceUrl;

use crate::model::{ObjectName, Value};

/// What people call an engine, by the name that states carry.
pub fn product(engine: &str) -> &str {
    match engine {
        "sqlite" => "SQLite",
        "postgres" => "PostgreSQL",
        "mysql" => "MySQL or MariaDB",
        other => other,
    }
}

/// Where to begin reading a table.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadFrom {
    /// At its first row.
    Start,
    /// After the row with this key, where the table is read in key order.
    After(Vec<Value>),
    /// Between two keys, where the table is read in key order by several connections.
    Between(KeyRange),
}

/// A range of a table's rows, in key order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyRange {
    /// The rows after this key; from the first one where there is none.
    pub after: Option<Vec<Value>>,
    /// The rows up to this key, itself included; to the last one where there is none.
    pub until: Option<Vec<Value>>,
    /// At most so many.
    pub limit: Option<u64>,
    /// From the last one backwards.
    pub is_descending: bool,
}

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadEnd {
    /// How many rows were sent.
    pub rows: u64,
    /// Whether the end was reached; false where the sink stopped it.
    pub is_complete: bool,
}

/// How many rows of a table were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableChanges {
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
}

impl TableChanges {
    /// Counts others too.
    pub fn add(&mut self, others: TableChanges) {
        self.inserted += others.inserted;
        self.updated += others.updated;
        self.deleted += others.deleted;
    }
}

/// A lock that a transaction holds on a table, an index or the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// What tells the relation from others.
    pub relation: String,
    /// Its name; none where it is dropped already.
    pub name: Option<String>,
    /// How it is locked, in the server's word.
    pub mode: String,
}

/// Where a server keeps a table or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationFile {
    /// What tells the relation from others.
    pub relation: String,
    /// Its name.
    pub name: String,
    /// The file, which is another when it was written anew.
    pub file: String,
    /// Whether it is a table, and no index.
    pub is_table: bool,
}

/// What does not hold while tables are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unenforced {
    /// Whether foreign keys may point nowhere.
    pub foreign_keys: bool,
    /// Whether triggers do not fire.
    pub triggers: bool,
}

/// A row whose foreign key points nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyViolation {
    /// The table of the row.
    pub table: ObjectName,
    /// The row, in the engine's words, where it says.
    pub row: Option<String>,
    /// The table that has no such row.
    pub parent: ObjectName,
}
