//! SQL text of an engine, written without a connection.
//!
//! The same arguments give the same text. Names are always quoted, values are exact literals, and
//! every UPDATE and DELETE carries the image of the row it is meant for.

use super::EngineError;
use super::mysql::{MysqlDialect, MysqlTable};
use super::operand::{Cell, RowGuard, RowUpdate};
use super::postgres::{PostgresDialect, PostgresTable};
use super::sqlite::{SqliteDialect, TableSql, TextEncoding};
use crate::model::{ColumnSpec, Fact, ObjectName, TableSpec, Value};

/// How an engine writes SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite's.
    Sqlite(SqliteDialect),
    /// PostgreSQL's.
    Postgres(PostgresDialect),
    /// That of MySQL and MariaDB.
    Mysql(MysqlDialect),
}

/// How long statements may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementLimits {
    /// The most bytes that the engine takes.
    pub longest: usize,
    /// How many rows one INSERT may hold.
    pub inserted: usize,
    /// How many rows one UPDATE or DELETE may change.
    pub changed: usize,
    /// About how many bytes of values a statement of several rows has at most.
    pub full: usize,
}

impl Dialect {
    /// The dialect of a state: its engine, and the facts of its schema, sorted by id, which say in
    /// what encoding a database keeps its text.
    pub fn of(engine: &str, facts: &[Fact]) -> Result<Dialect, EngineError> {
        match engine {
            "sqlite" => {
                let encoding = TextEncoding::of_facts(facts);
                Ok(Dialect::Sqlite(SqliteDialect { encoding }))
            }
            "postgres" => Ok(Dialect::Postgres(PostgresDialect::of_facts(facts))),
            "mysql" => Ok(Dialect::Mysql(MysqlDialect)),
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

    /// The quoted name of a table, with its schema where the engine has them.
    pub fn relation(&self, name: &ObjectName) -> String {
        match name.schema.as_str() {
            "" => self.quoted(&name.name),
            schema => format!("{}.{}", self.quoted(schema), self.quoted(&name.name)),
        }
    }

    /// The exact text of a value; `None` where the engine cannot hold it.
    pub fn literal(&self, value: &Value) -> Option<String> {
        each!(Dialect, self, engine => engine.literal(value))
    }

    /// The text of the parameter with this number, counted from 1.
    pub fn parameter(&self, number: usize) -> String {
        each!(Dialect, self, engine => engine.parameter(number))
    }

    /// The statement after which foreign keys are checked at the end of the transaction, as far as
    /// they can be; `None` where the engine has none.
    pub fn deferral(&self) -> Option<&'static str> {
        each!(Dialect, self, engine => engine.deferral())
    }

    /// The statements after which foreign keys are checked at each statement again, and those that
    /// waited have been.
    pub fn deferral_end(&self) -> Vec<&'static str> {
        each!(Dialect, self, engine => engine.deferral_end())
    }

    /// Statements that raise a sequence, or the numbering of a table, to a position and never lower
    /// it; none where inserting rows does that. The facts are those of the schema.
    pub fn raise_sequence(&self, name: &ObjectName, position: i64, facts: &[Fact]) -> Vec<String> {
        each!(Dialect, self, engine => engine.raise_sequence(name, position, facts))
    }

    /// The statements at the head of a file that make a native client stop before it changes
    /// anything, each on a line; the message names what runs the file instead.
    pub fn client_stop(&self) -> &'static str {
        each!(Dialect, self, engine => engine.client_stop())
    }

    /// How long statements may be.
    pub fn limits(&self) -> StatementLimits {
        each!(Dialect, self, engine => engine.limits())
    }

    /// Why rows of a table with this column cannot be written exactly; `None` where they can.
    pub fn unwritable(&self, column: &ColumnSpec) -> Option<String> {
        each!(Dialect, self, engine => engine.unwritable(column))
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
            Dialect::Postgres(_) => TableStatements::Postgres(PostgresTable::new(table, facts)),
            Dialect::Mysql(_) => TableStatements::Mysql(MysqlTable::new(table, facts)),
        }
    }
}

/// Writes statements for the rows of one table.
///
/// Where a statement is for several rows, they are at most as many as [`StatementLimits`] says, and
/// it changes as many rows as it is given, or the guard of one of them does not hold.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TableStatements {
    /// For SQLite.
    Sqlite(TableSql),
    /// For PostgreSQL.
    Postgres(PostgresTable),
    /// For MySQL and MariaDB.
    Mysql(MysqlTable),
}

impl TableStatements {
    /// `INSERT` of rows, all with the same columns in the same order. All columns must be given,
    /// NULLs included: one that is left out gets its default.
    pub fn insert(&self, rows: &[Vec<Cell<'_>>]) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.insert(rows))
    }

    /// `INSERT` of so many equal rows.
    pub fn insert_copies(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.insert_copies(row, count))
    }

    /// Statements that note the hidden rowid of every row, by its key, in a new table of this name;
    /// none where rows have no such thing.
    pub fn note_rowids(&self, notes: &str) -> Vec<String> {
        match self {
            TableStatements::Sqlite(table) => table.note_rowids(notes),
            TableStatements::Postgres(_) | TableStatements::Mysql(_) => Vec::new(),
        }
    }

    /// `INSERT` of a row that had this key, with the rowid that was noted for it there.
    pub fn insert_noted(
        &self,
        row: &[Cell<'_>],
        key: &[Value],
        notes: &str,
    ) -> Result<String, EngineError> {
        match self {
            TableStatements::Sqlite(table) => table.insert_noted(row, key, notes),
            TableStatements::Postgres(_) | TableStatements::Mysql(_) => {
                self.insert(&[row.to_vec()])
            }
        }
    }

    /// `UPDATE` of the rows with these keys that still are as they were before. The rows all change
    /// the same columns; the changes come from the caller, only columns that really change.
    pub fn update(&self, rows: &[RowUpdate<'_>]) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.update(rows))
    }

    /// `DELETE` of the rows with these keys that still are as they were before.
    pub fn delete(&self, rows: &[RowGuard<'_>]) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.delete(rows))
    }

    /// `DELETE` of this many of the rows that are exactly so, for rows without a key. It changes
    /// fewer where there are fewer: the count of changed rows is the guard.
    pub fn delete_equal(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.delete_equal(row, count))
    }

    /// `DELETE` of all rows that are exactly so, for rows without a key that cannot be told apart.
    pub fn delete_all_equal(&self, row: &[Cell<'_>]) -> Result<String, EngineError> {
        each!(TableStatements, self, engine => engine.delete_all_equal(row))
    }
}
