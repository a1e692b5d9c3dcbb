//! The lines of a way that are about no row and no fact: settings, sequences, where the rows begin,
//! what was put aside, what goes with it.

use std::borrow::Cow;

use super::error::PackError;
use super::manifest::{DROP_TRASH, ROWS, StepLine};
use super::schema::{SchemaPlan, SchemaVerb};
use super::spool::{Spool, Verb};
use super::writer::{DROP_TABLE, WayWriter};
use crate::engine::ddl::Ddl;
use crate::model::{Fact, ObjectKind, ObjectName};

impl WayWriter<'_> {
    /// Writes a statement that prepares the others.
    pub fn prepare(&mut self, statement: &str) -> Result<(), PackError> {
        self.about("prepare", "schema", statement)
    }

    /// Notes that the rows begin here.
    pub fn turn(&mut self) -> Result<(), PackError> {
        self.flush()?;
        let id = self.number();
        let (verb, object) = (Cow::Borrowed(ROWS), Cow::Borrowed(""));
        self.line(&StepLine { id, verb, object, ..StepLine::default() })
    }

    /// Counts the rows that go with a table which is made anew. Those that change come back.
    pub fn count_gone(&mut self, table: usize, spool: &Spool) -> Result<(), PackError> {
        let work = self.tables[table].work;
        self.written.losses.remove(&(work.shape.label().to_owned(), DROP_TABLE));
        for change in work.read(spool, Verb::Delete) {
            let (_, change) = change.map_err(|error| work.damaged(error))?;
            self.count(table, Verb::Delete, &change);
        }
        Ok(())
    }

    /// Drops for good what the steps of a plan have put aside.
    pub fn empty_trash(&mut self, plan: &SchemaPlan, ddl: &dyn Ddl) -> Result<(), PackError> {
        let dropped = plan.steps().flat_map(|s| s.deeds_of(SchemaVerb::Drop, ObjectKind::Table));
        for deed in dropped {
            let table = &deed.id.object;
            if let Some(statement) = ddl.dropped_for_good(table) {
                self.about(DROP_TRASH, &table.to_string(), &statement)?;
            }
        }
        Ok(())
    }

    /// Raises a sequence; its position is never lowered.
    pub fn sequence(
        &mut self,
        sequence: &ObjectName,
        position: i64,
        facts: &[Fact],
    ) -> Result<(), PackError> {
        let object = sequence.to_string();
        for statement in self.dialect.raise_sequence(sequence, position, facts) {
            self.about("sequence", &object, &statement)?;
        }
        Ok(())
    }

    fn about(&mut self, verb: &str, object: &str, statement: &str) -> Result<(), PackError> {
        let (verb, object) = (Cow::Borrowed(verb), Cow::Borrowed(object));
        self.statement(statement, StepLine { verb, object, ..StepLine::default() })?;
        Ok(())
    }
}
