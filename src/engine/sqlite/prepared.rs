//! Statements of a target that are run many times, and the filling of tables with them.

use super::connect::{Locked, classify};
use super::handle::{Bind, Failure, Statement};
use super::types::{TextEncoding, bind_of, describe};
use crate::engine::error::EngineError;
use crate::model::Value;

/// Fills a table.
pub struct SqliteLoader<'s> {
    insert: SqlitePrepared<'s>,
}

impl<'s> SqliteLoader<'s> {
    /// A loader that runs this insert.
    pub(super) fn new(insert: SqlitePrepared<'s>) -> SqliteLoader<'s> {
        SqliteLoader { insert }
    }

    /// Adds a row, its values in the order of `TableSpec::columns`.
    pub fn push(&mut self, row: &[Value]) -> Result<(), EngineError> {
        self.insert.run(row).map(drop)
    }

    /// Nothing is left: rows are written as they come.
    pub fn finish(self) -> Result<(), EngineError> {
        Ok(())
    }
}

/// A statement that is run many times.
pub struct SqlitePrepared<'s> {
    locked: &'s Locked<'s>,
    encoding: TextEncoding,
    statement: Statement<'s>,
    shown: String,
}

impl<'s> SqlitePrepared<'s> {
    /// A prepared statement, and what errors say was being done.
    pub(super) fn new(
        locked: &'s Locked<'s>,
        encoding: TextEncoding,
        statement: Statement<'s>,
        shown: String,
    ) -> SqlitePrepared<'s> {
        SqlitePrepared { locked, encoding, statement, shown }
    }

    /// Runs the statement with these parameters; says how many rows it changed directly.
    pub fn run<'v>(
        &mut self,
        parameters: impl IntoIterator<Item = &'v Value>,
    ) -> Result<u64, EngineError> {
        let parameters: Vec<&Value> = parameters.into_iter().collect();
        let mut rooms = vec![Vec::new(); parameters.len()];
        let mut binds = Vec::with_capacity(parameters.len());
        for (value, room) in parameters.into_iter().zip(&mut rooms) {
            let bound = bind_of(value, self.encoding, room);
            binds.push(bound.ok_or_else(|| EngineError::Unsupported {
                database: self.locked.name.to_owned(),
                what: format!("could not {}: SQLite cannot hold {}", self.shown, describe(value)),
            })?);
        }
        run(self.locked, &mut self.statement, &binds)
            .map_err(|failure| classify(self.locked.name, &self.shown, failure))
    }
}

/// Runs a statement to its end. SQLite keeps the count of an earlier statement where this one
/// changes no rows, so that is told by the total.
pub(super) fn run(
    locked: &Locked<'_>,
    statement: &mut Statement<'_>,
    parameters: &[Bind<'_>],
) -> Result<u64, Failure> {
    let before = locked.database.total_changes();
    statement.run_with(parameters)?;
    let is_changed = locked.database.total_changes() != before && !statement.is_read_only();
    Ok(if is_changed { locked.database.changes() } else { 0 })
}
