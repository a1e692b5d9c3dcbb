//! The SQLite engine.
//!
//! `connect` opens, `catalog` reads what there is (with `pragmas`, `tokens`, `parse`, `agreement`,
//! `facts`, `keys` and `defaults`), `rows` reads the data, `types` says what a value is, `sql`
//! (with `float` and `statements`) writes text, `source` and `target` are what the rest of the
//! program sees. All unsafe code is in `handle`.

mod agreement;
mod catalog;
mod cells;
mod connect;
mod defaults;
mod facts;
mod float;
mod handle;
mod keys;
mod parse;
mod pragmas;
mod rows;
mod source;
mod sql;
mod statements;
mod target;
mod tokens;
mod types;

pub use connect::OpenOptions;
pub use rows::KeyReader;
pub use source::SqliteSource;
pub use statements::{Cell, Operand, TableSql};
pub use target::{SqlitePrepared, SqliteSession, SqliteTarget};
pub use types::{Affinity, StorageClass, TextEncoding};

use crate::model::Value;

/// The SQLite dialect: names and values as text, in a database of one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteDialect {
    /// The encoding of the database the text is for.
    pub encoding: TextEncoding,
}

impl SqliteDialect {
    /// A quoted name.
    pub fn quoted(&self, name: &str) -> String {
        sql::quoted(name)
    }

    /// The exact text of a value; `None` where SQLite cannot hold it.
    pub fn literal(&self, value: &Value) -> Option<String> {
        sql::literal(value, self.encoding)
    }

    /// The definition of a column in a stored CREATE TABLE statement, as ALTER TABLE ADD COLUMN
    /// takes it; `None` where the statement is not understood or has no such column.
    pub fn column_definition(&self, create_table: &str, column: &str) -> Option<String> {
        let table = parse::parse_table(create_table).ok()?;
        let found = table.columns.into_iter().find(|known| known.name == column)?;
        Some(found.text)
    }
}
