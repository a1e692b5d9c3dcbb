//! Hidden rowids of rows that leave their table while it is built anew: noted before, given back with
//! the rows, forgotten afterwards. What refers to rows by them (the index of a full-text search)
//! goes on doing so.

use std::borrow::Cow;

use super::error::PackError;
use super::manifest::{REBUILD_TABLE, StepLine};
use super::writer::WayWriter;
use crate::engine::Dialect;

impl WayWriter<'_> {
    /// Notes the rowids of a table whose rows are about to leave it.
    pub(super) fn note_rowids(&mut self, table: usize) -> Result<(), PackError> {
        let Some((_, statements)) = self.tables[table].rowids() else { return Ok(()) };
        self.part_of_rebuild(table, &statements)
    }

    /// Forgets them when the rows are back.
    pub(super) fn forget_rowids(
        &mut self,
        table: usize,
        dialect: &Dialect,
    ) -> Result<(), PackError> {
        let Some((notes, _)) = self.tables[table].rowids() else { return Ok(()) };
        let statement = format!("DROP TABLE {}", dialect.quoted(notes));
        self.part_of_rebuild(table, &[statement])
    }

    fn part_of_rebuild(&mut self, table: usize, statements: &[String]) -> Result<(), PackError> {
        let object = self.tables[table].work.shape.label().to_owned();
        for statement in statements {
            let line = StepLine {
                verb: Cow::Borrowed(REBUILD_TABLE),
                object: Cow::Borrowed(&object),
                ..StepLine::default()
            };
            self.statement(statement, line)?;
        }
        Ok(())
    }
}
