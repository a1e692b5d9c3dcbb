//! Filling a table: many rows in one INSERT, exactly as they are.
//!
//! A large value goes by itself, as a parameter: as text it would be twice as long, and the server
//! takes no packet beyond a limit.

use super::statements::MysqlTable;
use super::target::MysqlTarget;
use crate::engine::error::EngineError;
use crate::engine::{Cell, LargeKind, Operand};
use crate::model::{TableSpec, Value};

/// An INSERT is sent when it is this long.
const FULL: usize = 512 * 1024;

/// Values from this many bytes on are parameters.
const LARGE: usize = 64 * 1024;

/// Fills a table. Rows come when they are sent: at the latest with [`MysqlLoader::finish`].
pub struct MysqlLoader<'s> {
    target: &'s MysqlTarget,
    table: &'s TableSpec,
    statements: MysqlTable,
    sql: String,
    full: usize,
    large: usize,
}

impl<'s> MysqlLoader<'s> {
    pub(super) fn new(
        target: &'s MysqlTarget,
        table: &'s TableSpec,
    ) -> Result<MysqlLoader<'s>, EngineError> {
        let longest = usize::try_from(target.longest_statement()?).unwrap_or(usize::MAX);
        Ok(MysqlLoader {
            target,
            table,
            statements: MysqlTable::new(table, &[]),
            sql: String::new(),
            full: FULL.min(longest / 2),
            large: LARGE.min(longest / 8),
        })
    }

    /// Adds a row.
    pub fn push(&mut self, row: &[Value]) -> Result<(), EngineError> {
        if row.len() != self.table.columns.len() {
            return Err(EngineError::Unsupported {
                database: self.table.name.to_string(),
                what: "a row with another number of columns cannot be written".to_owned(),
            });
        }
        let names = self.table.columns.iter().map(|column| column.name.as_str());
        let mut parameters: Vec<(LargeKind, &[u8])> = Vec::new();
        let mut cells: Vec<Cell<'_>> = Vec::with_capacity(row.len());
        for (name, value) in names.zip(row) {
            let large = large(value).filter(|(_, bytes)| bytes.len() >= self.large);
            cells.push((
                name,
                match large {
                    None => Operand::Literal(value),
                    Some((kind, bytes)) => {
                        parameters.push((kind, bytes));
                        Operand::Bound { kind, bytes: bytes.len() as u64, parameter: "?" }
                    }
                },
            ));
        }
        if !parameters.is_empty() {
            self.send()?;
            let sql = self.statements.insert(&[cells])?;
            return self.target.execute_with(&sql, &parameters).map(|_| ());
        }
        if self.sql.is_empty() {
            self.sql = self.statements.insert(&[cells])?;
        } else {
            let values = self.statements.values(&cells)?;
            if self.sql.len() + values.len() > self.full {
                self.send()?;
                self.sql = self.statements.insert(&[cells])?;
            } else {
                self.sql.push_str(", (");
                self.sql.push_str(&values);
                self.sql.push(')');
            }
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<(), EngineError> {
        self.send()
    }

    fn send(&mut self) -> Result<(), EngineError> {
        match std::mem::take(&mut self.sql) {
            sql if sql.is_empty() => Ok(()),
            sql => self.target.execute(&sql).map(|_| ()),
        }
    }
}

/// The bytes of a value that could be long, as the column stores them.
fn large(value: &Value) -> Option<(LargeKind, &[u8])> {
    match value {
        Value::Text(text) => Some((LargeKind::Text, text.as_bytes())),
        Value::RawText { bytes, .. } => Some((LargeKind::Text, bytes)),
        Value::Bytes(bytes) => Some((LargeKind::Bytes, bytes)),
        _ => None,
    }
}
