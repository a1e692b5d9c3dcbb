//! Running one way of a pack: lock, check, run, check again, receipt, commit.
//!
//! Everything happens in one transaction that holds its locks from the start. Whatever is not
//! exactly as the pack says ends in a rollback and a report; the only writes that survive are those
//! of a pack that came out right. `--dry-run` goes the same way and rolls back at the end. Where
//! another transaction gets in the way, all of it is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::checks::{self, Expected};
use super::error::ApplyError;
use super::names::Names;
use super::online;
use super::options::{Finish, Held, Options, Place, ReadState};
use super::outcome::{Drift, Ending, Outcome};
use super::referring::Referring;
use super::relations::Relations;
use super::rows::{Expectation, Multiset, RowReader, Tables};
use super::saga;
use super::statements::{Changes, Pending};
use crate::codec::Hasher;
use crate::engine::{EngineError, ForeignKeyViolation, LargeKind, Receipt, Session, product};
use crate::fsio::FileSystem;
use crate::model::Catalog;
use crate::model::snapshot::Scope;
use crate::pack::label::counted;
use crate::pack::manifest::{MANIFEST, RowTotals, StepKind, StepLine};
use crate::pack::rules::Rules;
use crate::pack::{Pack, PackError, Refusal, Run};

/// Runs a pack on a target. `read_state` reads the target's state again before the commit.
pub fn apply(
    held: Held<'_, '_>,
    fs: &dyn FileSystem,
    pack: &Pack,
    hasher: &Hasher,
    options: &Options,
    read_state: Option<&mut ReadState<'_>>,
) -> Result<Outcome, ApplyError> {
    run_at(Place::Target, held, fs, pack, hasher, options, read_state)
}

pub(super) fn run_at(
    place: Place,
    held: Held<'_, '_>,
    fs: &dyn FileSystem,
    pack: &Pack,
    hasher: &Hasher,
    options: &Options,
    read_state: Option<&mut ReadState<'_>>,
) -> Result<Outcome, ApplyError> {
    checks::hash(pack, hasher)?;
    let Held { session, identity } = held;
    if pack.manifest.engine != session.engine() {
        let (made, given) = (product(&pack.manifest.engine), product(session.engine()));
        let reason = format!("the pack is for {made}, and the target is {given}");
        let hint = "name the target that the pack was made for";
        let mut outcome = Outcome::nothing_yet(pack, options.run);
        outcome.reasons.push(Refusal::new("target", reason, hint));
        return Ok(outcome);
    }
    let mut read_state = read_state;
    if place == Place::Target
        && let Some(my) = session.stepwise()
    {
        if saga::is_needed(pack, fs, options.run)? {
            let call = saga::Call { session, my, identity, fs, pack, hasher, options };
            return saga::run(&call, read_state);
        }
        if let Some(journal) = my.journal()? {
            let mut outcome = Outcome::nothing_yet(pack, options.run);
            outcome.reasons.push(saga::in_the_way(pack, &journal));
            return Ok(outcome);
        }
    }
    if place == Place::Target && options.finish == Finish::Commit {
        session.prepare_receipts()?;
    }
    for attempt in 1.. {
        session.watch_changes();
        let runner = Runner {
            place,
            session: &*session,
            identity,
            fs,
            pack,
            hasher,
            options,
            outcome: Outcome::nothing_yet(pack, options.run),
        };
        if pack.manifest.is_online() {
            return online::run(runner, read_state);
        }
        match runner.run(read_state.as_deref_mut()) {
            Err(ApplyError::Engine(EngineError::Contention { .. })) if attempt < ATTEMPTS => {
                std::thread::sleep(PAUSE * attempt);
            }
            ended => return ended,
        }
    }
    unreachable!("the last attempt returns")
}

/// How often a pack is tried where other transactions get in its way.
const ATTEMPTS: u32 = 5;

/// How long to wait before it is tried again, times the number of attempts so far.
const PAUSE: Duration = Duration::from_millis(100);

/// How many rows are read at once.
pub(super) const ROWS_AT_ONCE: usize = 1000;

/// Which steps are run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// All of them.
    All,
    /// Those of rows, but for those of these tables.
    RowsBut(&'a BTreeSet<String>),
}

impl Which<'_> {
    fn has(self, step: &StepLine<'_>) -> bool {
        match self {
            Which::All => true,
            Which::RowsBut(tables) => {
                step.kind() == StepKind::Row && !tables.contains(step.object.as_ref())
            }
        }
    }
}

/// Whether to go on.
enum Step {
    Done,
    Stop,
}

pub(super) struct Runner<'a, 's> {
    pub(super) place: Place,
    pub(super) session: &'a Session<'s>,
    pub(super) identity: &'a str,
    pub(super) fs: &'a dyn FileSystem,
    pub(super) pack: &'a Pack,
    pub(super) hasher: &'a Hasher,
    pub(super) options: &'a Options,
    pub(super) outcome: Outcome,
}

/// What is known before the first write.
pub(super) struct Before {
    pub(super) tables: Tables,
    pub(super) rules: Rules,
    pub(super) multisets: BTreeMap<String, Multiset>,
    pub(super) violations: Option<Vec<ForeignKeyViolation>>,
    pub(super) changes_schema: bool,
    /// Tables whose triggers will fire and may.
    pub(super) firing: BTreeSet<String>,
    /// Foreign keys that the pack drops.
    pub(super) dropped_foreign_keys: BTreeSet<String>,
    /// Which relations count for others.
    pub(super) relations: Relations,
}

impl Runner<'_, '_> {
    fn run(mut self, read_state: Option<&mut ReadState<'_>>) -> Result<Outcome, ApplyError> {
        match self.pack.way(self.options.run).rebuilds {
            true => self.session.begin_rebuild()?,
            false => self.session.begin()?,
        }
        match self.transaction(read_state) {
            Ok(Step::Done) => Ok(self.outcome),
            Ok(Step::Stop) => {
                self.session.rollback()?;
                Ok(self.outcome)
            }
            Err(error) => {
                // The first error is the one to report; closing the connection rolls back too.
                let _ = self.session.rollback();
                Err(error)
            }
        }
    }

    fn transaction(&mut self, read_state: Option<&mut ReadState<'_>>) -> Result<Step, ApplyError> {
        let scope = Scope::from(&self.pack.manifest.scope);
        let catalog = self.session.catalog(&scope)?;
        if self.place == Place::Target && !self.may_run()? {
            return Ok(Step::Stop);
        }
        let Some(before) = self.before(&catalog)? else {
            return Ok(Step::Stop);
        };
        self.outcome.outcome = Ending::RolledBack;
        let Some(mut expected) = self.statements(&before, Which::All)? else {
            return Ok(Step::Stop);
        };
        let after = match before.changes_schema {
            true => self.session.catalog(&scope)?,
            false => catalog,
        };
        self.after(&before, &after, &mut expected)?;
        if !self.is_refused()
            && let Some(read_state) = read_state
        {
            self.state(read_state)?;
        }
        if self.is_refused() {
            return Ok(Step::Stop);
        }
        self.end()
    }

    pub(super) fn is_refused(&self) -> bool {
        !self.outcome.reasons.is_empty() || self.outcome.drifted > 0
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if self.outcome.reasons.len() < self.options.limit {
            self.outcome.reasons.push(refusal);
        }
    }

    pub(super) fn drift(&mut self, drift: Drift) {
        self.outcome.drifted += 1;
        if self.outcome.drift.len() < self.options.limit {
            self.outcome.drift.push(drift);
        }
    }

    /// Runs every statement; gives the changes that were made knowingly.
    pub(super) fn statements(
        &mut self,
        before: &Before,
        which: Which<'_>,
    ) -> Result<Option<Changes>, ApplyError> {
        let dropped = &before.dropped_foreign_keys;
        let referring = Referring::new(&before.rules, dropped, self.options.limit);
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        let mut statements = self.pack.statements(self.fs, self.options.run)?;
        let mut pending = Pending::new(self.session, !before.firing.is_empty(), self.options);
        let mut dropped = BTreeSet::new();
        let mut during = None;
        // Where tables are built anew no foreign key acts; what then points nowhere is found later.
        let may_act = !self.pack.way(self.options.run).rebuilds;
        while let Some(step) = steps.next_step()? {
            if !which.has(&step) {
                continue;
            }
            // Sequences move last, when all is well: no rollback takes that back everywhere.
            if step.verb == "sequence" {
                pending.changes.statements += 1;
                continue;
            }
            if may_act && !referring.acting(&step).is_empty() {
                if let Some(refusal) = pending.run()? {
                    self.refuse(refusal);
                    return Ok(None);
                }
                if during.is_none() && before.changes_schema {
                    during = Some(self.tables_now(&before.tables)?);
                }
                let tables = during.as_ref().unwrap_or(&before.tables);
                for drift in referring.left(self.session, tables, &step, &dropped)? {
                    self.drift(drift);
                }
                if self.is_refused() {
                    return Ok(None);
                }
            }
            let (Some(at), Some(len)) = (step.at, step.len) else { continue };
            let text = statements.text(at, len)?;
            let values = self.values(&step)?;
            if let Some(refusal) = pending.push(&step, text, &values)? {
                self.refuse(refusal);
                return Ok(None);
            }
            if step.verb == "drop-table" {
                dropped.insert(step.object.to_string());
            }
        }
        if let Some(refusal) = pending.run()? {
            self.refuse(refusal);
            return Ok(None);
        }
        let changes = pending.changes;
        self.outcome.statements = changes.statements;
        Ok(Some(changes))
    }

    /// The tables amid a change of the schema.
    pub(super) fn tables_now(&self, before: &Tables) -> Result<Tables, ApplyError> {
        let catalog = self.session.catalog(&Scope::from(&self.pack.manifest.scope))?;
        Tables::keyed_like(&catalog.tables, before)
    }

    /// The large values that a step binds, each hashed before it is used.
    fn values(&self, step: &StepLine<'_>) -> Result<Vec<(LargeKind, Vec<u8>)>, ApplyError> {
        let values = step.binds.iter().map(|bind| {
            let kind = LargeKind::from_name(&bind.class).ok_or_else(|| {
                let path = PathBuf::from(MANIFEST);
                let why = format!("a step binds a value of class `{}`", bind.class);
                PackError::Edited { path, why }
            })?;
            Ok((kind, self.pack.value(self.fs, &bind.value)?))
        });
        Ok(values.collect::<Result<Vec<_>, PackError>>()?)
    }

    /// Everything that is checked after the last statement.
    pub(super) fn after(
        &mut self,
        before: &Before,
        catalog: &Catalog,
        changes: &mut Changes,
    ) -> Result<(), ApplyError> {
        let names = Names::of(&self.pack.manifest, &catalog.facts);
        let tables = Tables::keyed_like(&catalog.tables, &before.tables)?.called(&names);
        let session = self.session;
        if self.pack.way(self.options.run).is_deferred
            && let Err(error) = session.check_deferred()
        {
            let EngineError::Constraint { .. } = error else { return Err(error.into()) };
            let hint = "everything is as it was";
            self.refuse(Refusal::new("foreign keys", error.to_string(), hint));
            return Ok(());
        }
        let reader = RowReader::new(session, &tables, self.hasher);
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        let mut rows = Vec::new();
        loop {
            let step = steps.next_step()?;
            let is_last = step.is_none();
            rows.extend(step.as_ref().and_then(Expectation::of));
            if rows.len() >= ROWS_AT_ONCE || is_last {
                for (row, found) in reader.wrong_after(&rows)? {
                    let reason = format!("after all statements it is not as reviewed: {found}");
                    let refusal = checks::of_row(&row.verb, &row.table, Some(&row.key), reason);
                    self.refuse(refusal);
                }
                rows.clear();
            }
            if is_last {
                break;
            }
        }
        for (table, rows) in &before.multisets {
            let wrong = rows.after(session, &tables, table, self.hasher)?;
            if wrong > 0 {
                let reason = format!(
                    "after all statements {wrong} of its rows are there another number of times"
                );
                self.refuse(Refusal::new(table, reason, "a trigger may have changed them"));
            }
        }
        let relations = Relations::of(catalog).and(&before.relations).called(&names);
        self.count_changes(before, &relations, changes)?;
        if let Some(before) = &before.violations {
            let found = checks::violations(session)?.unwrap_or_default();
            for violation in found.into_iter().filter(|found| !before.contains(found)) {
                self.refuse(checks::of_violation(&violation));
            }
        }
        if self.place == Place::Target {
            let wanted = &self.pack.way(self.options.run).schema_after;
            let end = match self.options.run {
                Run::Forward => Expected::After,
                Run::Back => Expected::Before,
            };
            self.schema(
                catalog,
                wanted,
                end,
                "after all statements the schema is not as reviewed",
            )?;
        }
        Ok(())
    }

    /// Compares what moved with what was declared.
    fn count_changes(
        &mut self,
        before: &Before,
        relations: &Relations,
        changes: &mut Changes,
    ) -> Result<(), ApplyError> {
        let side_effects = changes.beyond_declared(self.session, relations)?;
        let total = changes.unknown(self.session);
        if before.firing.is_empty() && (total > 0 || !side_effects.is_empty()) {
            let effects = side_effects.iter();
            let of_tables = effects.clone().map(|t| t.inserted + t.updated + t.deleted).sum();
            let names: Vec<&str> = effects.map(|table| table.name.as_str()).collect();
            let reason = format!(
                "{} were changed that the pack does not declare (tables: {})",
                counted(total.max(of_tables), "row"),
                names.join(", ")
            );
            self.refuse(Refusal::new("side effects", reason, "nothing else may move"));
        }
        self.outcome.side_effects = side_effects;
        Ok(())
    }

    /// Reads the whole target again and compares its state.
    pub(super) fn state(&mut self, read_state: &mut ReadState<'_>) -> Result<(), ApplyError> {
        let state = read_state(self.session).map_err(ApplyError::VerifyFull)?;
        let manifest = &self.pack.manifest;
        let wanted = match self.options.run {
            Run::Forward if manifest.is_complete => Some(&manifest.wanted.state),
            Run::Forward => None,
            Run::Back => Some(&manifest.base.state),
        };
        if let Some(wanted) = wanted.filter(|wanted| **wanted != state) {
            let reason =
                format!("the whole target was read again: its state is {state}, not {wanted}");
            let hint = "something changed since the snapshot that the pack does not touch";
            self.refuse(Refusal::new("target", reason, hint));
        }
        self.outcome.state = Some(state);
        Ok(())
    }

    fn end(&mut self) -> Result<Step, ApplyError> {
        self.outcome.rows = self.pack.way(self.options.run).rows;
        if self.options.finish == Finish::DryRun {
            self.outcome.outcome = Ending::DryRun;
            return Ok(Step::Stop);
        }
        self.sequences()?;
        let receipt = self.receipt(self.options, self.outcome.statements);
        if self.place == Place::Target {
            self.session.write_receipt(&receipt)?;
        }
        match self.session.commit() {
            Ok(()) => {
                self.outcome.outcome = Ending::Applied;
                Ok(Step::Done)
            }
            Err(error @ EngineError::Contention { .. }) => Err(error.into()),
            Err(error) if self.session.is_in_transaction() => {
                self.outcome.rows = RowTotals::default();
                let hint = "everything is as it was";
                self.refuse(Refusal::new("commit", error.to_string(), hint));
                Ok(Step::Stop)
            }
            Err(source) => Err(ApplyError::CommitUnknown { receipt: Box::new(receipt), source }),
        }
    }

    /// The receipt of a run of so many statements.
    pub(super) fn receipt(&self, options: &Options, statements: u64) -> Receipt {
        Receipt {
            pack: self.pack.manifest.pack.clone(),
            target: self.identity.to_owned(),
            direction: options.run.as_str().to_owned(),
            at: options.at.clone(),
            statements,
        }
    }

    /// Raises the sequences, whose statements are counted with the others.
    pub(super) fn sequences(&mut self) -> Result<(), ApplyError> {
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        let mut statements = self.pack.statements(self.fs, self.options.run)?;
        while let Some(step) = steps.next_step()? {
            if let ("sequence", Some(at), Some(len)) = (step.verb.as_ref(), step.at, step.len) {
                self.session.execute(statements.text(at, len)?)?;
            }
        }
        Ok(())
    }
}
