//! Statements for the rows of MySQL tables, with guards.

use crate::engine::error::EngineError;
use crate::engine::{Cell, RowGuard, RowUpdate, StatementLimits};
use crate::model::{ColumnSpec, Fact, ObjectName, TableSpec, Value};

/// How MySQL writes SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MysqlDialect;

/// Writes statements for one table.
#[derive(Debug, Clone)]
pub struct MysqlTable {
    table: ObjectName,
}

impl MysqlDialect {
    /// A quoted name.
    pub fn quoted(&self, name: &str) -> String {
        super::sql::quoted(name)
    }

    /// The exact text of a value.
    pub fn literal(&self, _value: &Value) -> Option<String> {
        None
    }

    /// The text of the parameter with this number.
    pub fn parameter(&self, _number: usize) -> String {
        "?".to_owned()
    }

    /// The statement after which foreign keys are checked at the end of the transaction.
    pub fn deferral(&self) -> Option<&'static str> {
        None
    }

    /// Statements that raise a sequence.
    pub fn raise_sequence(
        &self,
        _name: &ObjectName,
        _position: i64,
        _facts: &[Fact],
    ) -> Vec<String> {
        Vec::new()
    }

    /// The statements that make a native client stop.
    pub fn client_stop(&self) -> &'static str {
        ""
    }

    /// How long statements may be.
    pub fn limits(&self) -> StatementLimits {
        StatementLimits { longest: 1 << 30, inserted: 1, changed: 1, full: 1 << 16 }
    }

    /// Why rows of a table with this column cannot be written exactly.
    pub fn unwritable(&self, _column: &ColumnSpec) -> Option<String> {
        None
    }

    /// The definition of a column.
    pub fn column_definition(&self, _create_table: &str, _column: &str) -> Option<String> {
        None
    }
}

impl MysqlTable {
    /// The writer for a table.
    pub fn new(table: &TableSpec, _facts: &[Fact]) -> Self {
        MysqlTable { table: table.name.clone() }
    }

    fn not_yet(&self) -> Result<String, EngineError> {
        let what = "no statements are written for it yet".to_owned();
        Err(EngineError::Unsupported { database: self.table.to_string(), what })
    }

    /// `INSERT` of rows.
    pub fn insert(&self, _rows: &[Vec<Cell<'_>>]) -> Result<String, EngineError> {
        self.not_yet()
    }

    /// `INSERT` of equal rows.
    pub fn insert_copies(&self, _row: &[Cell<'_>], _count: u64) -> Result<String, EngineError> {
        self.not_yet()
    }

    /// `UPDATE` of rows.
    pub fn update(&self, _rows: &[RowUpdate<'_>]) -> Result<String, EngineError> {
        self.not_yet()
    }

    /// `DELETE` of rows.
    pub fn delete(&self, _rows: &[RowGuard<'_>]) -> Result<String, EngineError> {
        self.not_yet()
    }

    /// `DELETE` of some equal rows.
    pub fn delete_equal(&self, _row: &[Cell<'_>], _count: u64) -> Result<String, EngineError> {
        self.not_yet()
    }

    /// `DELETE` of all equal rows.
    pub fn delete_all_equal(&self, _row: &[Cell<'_>]) -> Result<String, EngineError> {
        self.not_yet()
    }
}
