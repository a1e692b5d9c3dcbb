//! Running statements, several at once where nothing has to be looked at between them, and counting
//! what they change.

use std::collections::BTreeMap;

use super::checks;
use super::error::ApplyError;
use super::relations::Relations;
use crate::engine::{EngineError, LargeKind, Session, TableChanges};
use crate::model::ObjectName;
use crate::pack::Refusal;
use crate::pack::label::counted;
use crate::pack::manifest::{REBUILD_TABLE, StepLine, TableTotals};

/// How many statements go to a server at once.
const AT_ONCE: usize = 200;

/// Statements go to a server when they have so many bytes.
const FULL: usize = 256 << 10;

/// The changes that statements made knowingly.
#[derive(Debug, Default)]
pub struct Changes {
    /// How many statements ran.
    pub statements: u64,
    start: Option<u64>,
    declared: u64,
    by_table: BTreeMap<String, TableChanges>,
    /// What the engine told so far, where it was asked in between.
    found: BTreeMap<ObjectName, TableChanges>,
}

impl Changes {
    /// What the engine tells of the changes of each table, the copying of rows aside.
    pub fn found(
        &mut self,
        session: &Session<'_>,
    ) -> Result<BTreeMap<ObjectName, TableChanges>, ApplyError> {
        for (table, more) in session.take_changes()?.unwrap_or_default() {
            self.found.entry(table).or_default().add(more);
        }
        Ok(std::mem::take(&mut self.found))
    }

    /// What changed beyond what was declared, by table; what is filled from other tables aside. A
    /// table that is or was a partition of another counts with that.
    pub fn beyond_declared(
        &mut self,
        session: &Session<'_>,
        relations: &Relations,
    ) -> Result<Vec<TableTotals>, ApplyError> {
        let mut found: BTreeMap<String, TableChanges> = BTreeMap::new();
        for (table, changes) in self.found(session)? {
            found.entry(relations.root(&table.to_string())).or_default().add(changes);
        }
        let mut declared: BTreeMap<String, TableChanges> = BTreeMap::new();
        for (table, changes) in std::mem::take(&mut self.by_table) {
            declared.entry(relations.root(&table)).or_default().add(changes);
        }
        self.by_table = declared;
        let mut beyond = Vec::new();
        for (name, found) in found {
            let more = self.more_than_declared(&name, found);
            if more != TableChanges::default() && !relations.is_derived(&name) {
                let TableChanges { inserted, updated, deleted } = more;
                beyond.push(TableTotals { name, inserted, updated, deleted });
            }
        }
        Ok(beyond)
    }

    /// Asks the engine what changed before rows are copied.
    fn before_copying(&mut self, session: &Session<'_>) -> Result<(), ApplyError> {
        self.found = self.found(session)?;
        Ok(())
    }

    /// Rows were copied: that is known, whatever table they are in meanwhile.
    fn after_copying(&mut self, session: &Session<'_>, rows: u64) -> Result<(), ApplyError> {
        session.take_changes()?;
        self.declared += rows;
        self.statements += 1;
        Ok(())
    }

    /// What changed of a table beyond what was declared. A row that moves to another partition is
    /// inserted there and deleted here.
    pub fn more_than_declared(&self, table: &str, found: TableChanges) -> TableChanges {
        let declared = self.by_table.get(table).copied().unwrap_or_default();
        let moved = declared.updated.saturating_sub(found.updated);
        TableChanges {
            inserted: found.inserted.saturating_sub(declared.inserted + moved),
            updated: found.updated.saturating_sub(declared.updated),
            deleted: found.deleted.saturating_sub(declared.deleted + moved),
        }
    }

    /// How many rows were changed that no statement declares, where the engine tells.
    pub fn unknown(&self, session: &Session<'_>) -> u64 {
        match (session.total_changes(), self.start) {
            (Some(total), Some(start)) => (total - start).saturating_sub(self.declared),
            _ => 0,
        }
    }

    fn note(&mut self, verb: &str, table: &str, rows: u64) {
        self.declared += rows;
        let of_table = self.by_table.entry(table.to_owned()).or_default();
        match verb {
            "insert" => of_table.inserted += rows,
            "delete" | "lift" => of_table.deleted += rows,
            _ => of_table.updated += rows,
        }
    }
}

/// A statement that waits, and what it must come to.
struct Waiting {
    text: String,
    verb: String,
    table: String,
    expected: Option<u64>,
    /// What is said of it where it fails.
    refusal: Refusal,
}

/// Statements that wait to be run.
pub struct Pending<'s> {
    session: &'s Session<'s>,
    /// Whether triggers may change rows that nobody declares.
    may_fire: bool,
    waiting: Vec<Waiting>,
    bytes: usize,
    /// What was done so far.
    pub changes: Changes,
}

impl<'s> Pending<'s> {
    /// None so far.
    pub fn new(session: &'s Session<'s>, may_fire: bool) -> Self {
        let changes = Changes { start: session.total_changes(), ..Changes::default() };
        Pending { session, may_fire, waiting: Vec::new(), bytes: 0, changes }
    }

    /// Takes a statement with the values that it binds; gives what speaks against one that was run.
    pub fn push(
        &mut self,
        step: &StepLine<'_>,
        text: &str,
        values: &[(LargeKind, Vec<u8>)],
    ) -> Result<Option<Refusal>, ApplyError> {
        let one = Waiting {
            text: text.to_owned(),
            verb: step.verb.clone().into_owned(),
            table: step.object.clone().into_owned(),
            expected: step.changes,
            refusal: checks::of_step(step, String::new()),
        };
        if step.verb == REBUILD_TABLE {
            return self.copy(&one);
        }
        if !values.is_empty() {
            if let Some(refusal) = self.run()? {
                return Ok(Some(refusal));
            }
            let values: Vec<_> = values.iter().map(|(kind, bytes)| (*kind, &bytes[..])).collect();
            let total = self.session.total_changes();
            return match self.session.execute_with(text, &values) {
                Ok(changed) => Ok(self.check(&one, changed, total)),
                Err(error) => self.failed(&one, error),
            };
        }
        self.bytes += one.text.len();
        self.waiting.push(one);
        // Where the engine counts everything, it is asked after each statement.
        let counts = self.session.total_changes().is_some();
        match counts || self.waiting.len() >= AT_ONCE || self.bytes >= FULL {
            true => self.run(),
            false => Ok(None),
        }
    }

    /// Runs what waits; gives what speaks against it.
    pub fn run(&mut self) -> Result<Option<Refusal>, ApplyError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        if waiting.is_empty() {
            return Ok(None);
        }
        let total = self.session.total_changes();
        let texts: Vec<&str> = waiting.iter().map(|one| one.text.as_str()).collect();
        let (changed, ended) = self.session.execute_each(&texts);
        for (one, changed) in waiting.iter().zip(&changed) {
            if let Some(refusal) = self.check(one, *changed, total) {
                return Ok(Some(refusal));
            }
        }
        match (ended, waiting.get(changed.len())) {
            (Ok(()), _) => Ok(None),
            (Err(error), Some(one)) => self.failed(one, error),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Runs a statement that builds a table anew.
    fn copy(&mut self, one: &Waiting) -> Result<Option<Refusal>, ApplyError> {
        if let Some(refusal) = self.run()? {
            return Ok(Some(refusal));
        }
        self.changes.before_copying(self.session)?;
        let total = self.session.total_changes();
        if let Err(error) = self.session.execute(&one.text) {
            return self.failed(one, error);
        }
        let copied = match (self.session.total_changes(), total) {
            (Some(now), Some(before)) => now.saturating_sub(before),
            _ => 0,
        };
        self.changes.after_copying(self.session, copied)?;
        Ok(None)
    }

    fn failed(&self, one: &Waiting, error: EngineError) -> Result<Option<Refusal>, ApplyError> {
        match error {
            EngineError::Constraint { .. }
            | EngineError::Server { .. }
            | EngineError::Refused { .. } => {
                Ok(Some(Refusal { reason: error.to_string(), ..one.refusal.clone() }))
            }
            error => Err(error.into()),
        }
    }

    /// Counts what a statement changed.
    fn check(&mut self, one: &Waiting, changed: u64, total: Option<u64>) -> Option<Refusal> {
        self.changes.statements += 1;
        let against = |reason| Some(Refusal { reason, ..one.refusal.clone() });
        let changed = match one.expected {
            Some(expected) => {
                self.changes.note(&one.verb, &one.table, changed);
                if expected != changed {
                    let changed = counted(changed, "row");
                    return against(format!("its statement changed {changed} and not {expected}"));
                }
                changed
            }
            None => 0,
        };
        let more = match (self.session.total_changes(), total) {
            (Some(now), Some(before)) => now.saturating_sub(before + changed),
            _ => 0,
        };
        if more > 0 && !self.may_fire {
            let more = counted(more, "row");
            return against(format!("its statement changed {more} that the pack does not know"));
        }
        None
    }
}
