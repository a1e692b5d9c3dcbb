//! SQL text of an engine, written without a connection.
//!
//! The same arguments give the same text. Names are always quoted, values are exact literals, and
//! every UPDATE and DELETE carries the image of the row it is meant for.

use super::sqlite::{SqliteDialect, TableSql, TextEncoding};
use super::{EngineError, sqlite};
use crate::model::{Fact, TableSpec, Value};

/// A column's name and its value in a statement.
pub type Cell<'c> = sqlite::Cell<'c>;

/// How an engine writes SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite's.
    Sqlite(SqliteDialect),
}

impl Dialect {
    /// The dialect of a state: its engine, and the facts of its schema, sorted by id, which say in
    /// what encoding a SQLite database keeps its text.
    pub fn of(engine: &str, facts: &[Fact]) -> Result<Dialect, EngineError> {
        match engine {
            "sqlite" => {
                let encoding = TextEncoding::of_facts(facts);
                Ok(Dialect::Sqlite(SqliteDialect { encoding }))
            }
            _ => Err(EngineError::Unsupported {
                database: engine.to_owned(),
                what: "this program writes no SQL for that engine".to_owned(),
            }),
        }
    }

    /// A quoted name.
    pub fn quoted(&self, name: &str) -> String {
        each!(Dialect, self, engine => engine.quoted(name))
    }

    /// The exact text of a value; `None` where the engine cannot hold it.
    pub fn literal(&self, value: &Value) -> Option<String> {
        each!(Dialect, self, engine => engine.literal(value))
    }

    /// The definition of a column in a table's definition text, as ALTER TABLE ADD COLUMN takes
    /// it; `None` where the text is not understood or has no such column.
    pub fn column_definition(&self, create_table: &str, column: &str) -> Option<String> {
        each!(Dialect, self, engine => engine.column_definition(create_table, column))
    }

    /// The writer of statements for the rows of a table. The facts are those of its schema, sorted
    /// by id.
    pub fn table(&self, table: &TableSpec, facts: &[Fact]) -> TableStatements {
        match self {
            Dialect::Sqlite(_) => TableStatements::Sqlite(TableSql::new(table, facts)),
        }
    }
}

/// Writes statements for the rows of one table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TableStatements {
    /// For SQLite.
    Sqlite(TableSql),
}

impl TableStatements {
    /// `INSERT` of a row. All its columns must be given, NULLs included: a column that is left out
    /// gets its default.
    pub fn insert(&self, row: &[Cell<'_>]) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.insert(row))
    }

    /// `UPDATE` of the row with this key that still is as it was before. The changes come from the
    /// caller, only columns that really change.
    pub fn update(
        &self,
        key: &[Value],
        before: &[Cell<'_>],
        changes: &[Cell<'_>],
    ) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.update(key, before, changes))
    }

    /// `DELETE` of the row with this key that still is as it was before.
    pub fn delete(&self, key: &[Value], before: &[Cell<'_>]) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.delete(key, before))
    }

    /// `DELETE` of this many of the rows that are exactly so, for rows without a key. It changes
    /// fewer where there are fewer: the count of changed rows is the guard.
    pub fn delete_equal(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.delete_equal(row, count))
    }

    /// The condition that is true of exactly this row.
    pub fn guards(&self, key: &[Value], before: &[Cell<'_>]) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.guards(key, before))
    }
}
