//! The SQLite engine.
//!
//! `connect` opens, `catalog` reads what there is (with `pragmas`, `tokens`, `parse`, `agreement`,
//! `facts`, `keys` and `defaults`), `rows` reads the data, `types` says what a value is, `sql`
//! (with `float` and `statements`) writes text, `ddl` the text that changes schemas, `source` and
//! `target` are what the rest of the program sees. All unsafe code is in `handle`.

mod agreement;
mod catalog;
mod cells;
mod connect;
mod ddl;
mod defaults;
mod facts;
mod float;
mod handle;
mod keys;
mod parse;
mod pragmas;
mod prepared;
mod put_off;
mod rows;
mod source;
mod sql;
mod statements;
mod target;
mod tokens;
mod types;
mod violations;

pub use connect::OpenOptions;
pub use ddl::SqliteDdl;
pub use prepared::{SqliteLoader, SqlitePrepared};
pub use rows::KeyReader;
pub use source::SqliteSource;
pub use sql::quoted;
pub use statements::TableSql;
pub use target::{SqliteSession, SqliteTarget};
pub use types::{Affinity, StorageClass, TextEncoding};

use super::StatementLimits;
use crate::model::{ColumnSpec, Fact, ObjectName, Value};

/// SQLite takes no longer statement (`SQLITE_MAX_SQL_LENGTH`).
const LONGEST: usize = 1_000_000_000;

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

    /// The text of the parameter with this number.
    pub fn parameter(&self, number: usize) -> String {
        format!("?{number}")
    }

    /// The statement after which foreign keys are checked at the end of the transaction.
    pub fn deferral(&self) -> Option<&'static str> {
        Some("PRAGMA defer_foreign_keys = ON")
    }

    /// Tables may be altered while foreign keys wait.
    pub fn deferral_end(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Statements that raise the numbering of a table and never lower it.
    pub fn raise_sequence(&self, name: &ObjectName, position: i64, _facts: &[Fact]) -> Vec<String> {
        let name = name.name.replace('\'', "''");
        vec![
            format!(
                "INSERT INTO sqlite_sequence (name, seq) SELECT '{name}', 0 WHERE NOT EXISTS \
                 (SELECT 1 FROM sqlite_sequence WHERE name = '{name}')"
            ),
            format!(
                "UPDATE sqlite_sequence SET seq = {position} WHERE name = '{name}' \
                 AND seq < {position}"
            ),
        ]
    }

    /// Under `query_only` SQLite refuses every later write of the connection, and the failing query
    /// stops clients that stop at errors.
    pub fn client_stop(&self) -> &'static str {
        "PRAGMA query_only = ON;\nSELECT * FROM \"this file is run by: deepdiff-db apply\";\n"
    }

    /// How long statements may be: one row each, since nothing is won by more.
    pub fn limits(&self) -> StatementLimits {
        StatementLimits { longest: LONGEST, inserted: 1, changed: 1, full: LONGEST }
    }

    /// Why rows of a table with this column cannot be written exactly: SQLite keeps any value in any
    /// column.
    pub fn unwritable(&self, _column: &ColumnSpec) -> Option<String> {
        None
    }

    /// The definition of a column in a stored CREATE TABLE statement, as ALTER TABLE ADD COLUMN
    /// takes it; `None` where the statement is not understood or has no such column.
    pub fn column_definition(&self, create_table: &str, column: &str) -> Option<String> {
        let table = parse::parse_table(create_table).ok()?;
        let found = table.columns.into_iter().find(|known| known.name == column)?;
        Some(found.text)
    }
}
