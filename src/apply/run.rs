//! Running one way of a pack: lock, check, run, check again, receipt, commit.
//!
//! Everything happens in one transaction that holds the write lock from the start. Whatever is not
//! exactly as the pack says ends in a rollback and a report; the only writes that survive are those
//! of a pack that came out right. `--dry-run` goes the same way and rolls back at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::checks::{self, Expected};
use super::error::ApplyError;
use super::outcome::{Drift, Ending, Outcome};
use super::receipt::{self, Receipt};
use super::referring::Referring;
use super::rows::{self, Multiset, RowReader, Tables};
use crate::codec::Hasher;
use crate::engine::sqlite::StorageClass;
use crate::engine::{EngineError, ForeignKeyViolation, Session};
use crate::fsio::FileSystem;
use crate::model::snapshot::Scope;
use crate::model::{Catalog, SinkError};
use crate::pack::label::counted;
use crate::pack::manifest::{MANIFEST, RowTotals, StepLine, TableTotals};
use crate::pack::rules::Rules;
use crate::pack::{Pack, PackError, Refusal, Run};

/// Reads the whole target within the transaction and gives its state's id.
pub type ReadState<'a> = dyn FnMut(&Session<'_>) -> Result<String, SinkError> + 'a;

/// What is done when everything came out right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Commit.
    Commit,
    /// Roll back.
    DryRun,
}

/// What is checked besides rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A target: its identity, its schema, its receipts.
    Target,
    /// A scratch copy, which has none of these.
    Scratch,
}

/// How a pack is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which way.
    pub run: Run,
    /// What is done in the end.
    pub finish: Finish,
    /// Whether the target may be another than the one the pack was made for.
    pub accepts_target: bool,
    /// Tables whose triggers may fire, beside those that were allowed when the pack was made.
    pub triggers: BTreeSet<String>,
    /// How many rows that are not as expected are listed.
    pub limit: usize,
    /// The moment for the receipt, as text.
    pub at: String,
}

impl Options {
    /// The usual ones: forward, committed, nothing allowed.
    pub fn new(at: impl Into<String>) -> Self {
        Options {
            run: Run::Forward,
            finish: Finish::Commit,
            accepts_target: false,
            triggers: BTreeSet::new(),
            limit: 100,
            at: at.into(),
        }
    }
}

/// A target whose connection is held.
pub struct Held<'a, 's> {
    /// The connection.
    pub session: &'a mut Session<'s>,
    /// What identifies the target.
    pub identity: &'a str,
}

/// Runs a pack on a target. `read_state` reads the target's state again before the commit.
pub fn apply(
    held: Held<'_, '_>,
    fs: &dyn FileSystem,
    pack: &Pack,
    hasher: &Hasher,
    options: Options,
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
    options: Options,
    read_state: Option<&mut ReadState<'_>>,
) -> Result<Outcome, ApplyError> {
    check_hash(pack, hasher)?;
    let Held { session, identity } = held;
    session.watch_changes();
    session.begin_immediate()?;
    let session = &*session;
    let mut runner = Runner {
        place,
        session,
        identity,
        fs,
        pack,
        hasher,
        options,
        outcome: Outcome {
            outcome: Ending::Refused,
            pack: pack.manifest.pack.clone(),
            direction: Run::Forward.as_str(),
            statements: 0,
            rows: RowTotals::default(),
            drift: Vec::new(),
            drifted: 0,
            reasons: Vec::new(),
            side_effects: Vec::new(),
            state: None,
        },
    };
    runner.outcome.direction = runner.options.run.as_str();
    match runner.transaction(read_state) {
        Ok(Step::Done) => Ok(runner.outcome),
        Ok(Step::Stop) => {
            session.rollback()?;
            Ok(runner.outcome)
        }
        Err(error) => {
            // The first error is the one to report; closing the connection rolls back too.
            let _ = session.rollback();
            Err(error)
        }
    }
}

fn check_hash(pack: &Pack, hasher: &Hasher) -> Result<(), ApplyError> {
    let keyed = |is_keyed| if is_keyed { " with a key" } else { "" };
    let manifest = &pack.manifest;
    let given = format!("{}{}", hasher.algorithm().as_str(), keyed(hasher.is_keyed()));
    let wanted = format!("{}{}", manifest.hash, keyed(manifest.is_keyed));
    if given == wanted {
        return Ok(());
    }
    Err(PackError::Hash { pack: wanted, given }.into())
}

/// Whether to go on.
enum Step {
    Done,
    Stop,
}

struct Runner<'a, 's> {
    place: Place,
    session: &'a Session<'s>,
    identity: &'a str,
    fs: &'a dyn FileSystem,
    pack: &'a Pack,
    hasher: &'a Hasher,
    options: Options,
    outcome: Outcome,
}

/// What is known before the first write.
struct Before {
    tables: Tables,
    rules: Rules,
    multisets: BTreeMap<String, Multiset>,
    violations: Option<Vec<ForeignKeyViolation>>,
    /// Tables whose triggers will fire and may.
    firing: BTreeSet<String>,
}

/// How many foreign keys that point nowhere are compared.
const VIOLATIONS: usize = 100_000;

impl Runner<'_, '_> {
    fn transaction(&mut self, read_state: Option<&mut ReadState<'_>>) -> Result<Step, ApplyError> {
        if self.place == Place::Target && !self.may_run()? {
            return Ok(Step::Stop);
        }
        let scope = Scope::from(&self.pack.manifest.scope);
        let catalog = self.session.catalog(&scope)?;
        let Some(before) = self.before(&catalog)? else {
            return Ok(Step::Stop);
        };
        self.outcome.outcome = Ending::RolledBack;
        let Some(expected) = self.statements(&before)? else {
            return Ok(Step::Stop);
        };
        let after = self.session.catalog(&scope)?;
        self.after(&before, &after, &expected)?;
        if self.is_refused() {
            return Ok(Step::Stop);
        }
        if let Some(read_state) = read_state {
            self.state(read_state)?;
        }
        if self.is_refused() {
            return Ok(Step::Stop);
        }
        self.end()
    }

    fn is_refused(&self) -> bool {
        !self.outcome.reasons.is_empty() || self.outcome.drifted > 0
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.outcome.reasons.len() < self.options.limit {
            self.outcome.reasons.push(refusal);
        }
    }

    fn drift(&mut self, drift: Drift) {
        self.outcome.drifted += 1;
        if self.outcome.drift.len() < self.options.limit {
            self.outcome.drift.push(drift);
        }
    }

    /// Receipts and identity.
    fn may_run(&mut self) -> Result<bool, ApplyError> {
        let manifest = &self.pack.manifest;
        if receipt::last_run(self.session, &manifest.pack)? == Some(self.options.run) {
            self.outcome.outcome = Ending::AlreadyApplied;
            return Ok(false);
        }
        if manifest.target.identity != self.identity && !self.options.accepts_target {
            let reason = format!(
                "the pack was made for `{}`, and this is `{}`",
                manifest.target.identity, self.identity
            );
            let hint = "if this is meant (a copy, a clone, a file that was moved), say \
                        --accept-target: schema and rows are checked all the same";
            self.refuse(Refusal::new("target", reason, hint));
            return Ok(false);
        }
        Ok(true)
    }

    /// Everything that is checked before the first write.
    fn before(&mut self, catalog: &Catalog) -> Result<Option<Before>, ApplyError> {
        if self.place == Place::Target {
            let wanted = &self.pack.way(self.options.run).schema_before;
            let end = match self.options.run {
                Run::Forward => Expected::Before,
                Run::Back => Expected::After,
            };
            self.schema(catalog, wanted, end, "the schema is not the one the pack was made for")?;
            if self.is_refused() {
                return Ok(None);
            }
        }
        let steps = checks::overview(&mut self.pack.steps(self.fs, self.options.run)?)?;
        let rules = Rules::of(&catalog.facts);
        let firing = self.triggers(&rules, &steps);
        let tables = Tables::new(&catalog.tables)?;
        let mut multisets = steps.multisets;
        self.rows_before(&tables)?;
        for (table, rows) in &mut multisets {
            let missing = rows.before(self.session, &tables, table, self.hasher)?;
            if missing > 0 {
                self.drift(checks::missing_copies(table, missing));
            }
        }
        if self.is_refused() {
            return Ok(None);
        }
        let checks_all = steps.changes_schema || self.pack.way(self.options.run).is_deferred;
        let violations = match checks_all {
            true => Some(self.session.foreign_key_check(VIOLATIONS)?),
            false => None,
        };
        Ok(Some(Before { tables, rules, multisets, violations, firing }))
    }

    fn schema(
        &mut self,
        catalog: &Catalog,
        wanted: &str,
        end: Expected,
        reason: &str,
    ) -> Result<(), ApplyError> {
        let found = checks::schema_differences(self.fs, self.pack, &catalog.facts, wanted, end)?;
        for difference in found.into_iter().flatten() {
            let hint = "take a new snapshot of the target and make the pack again";
            self.refuse(Refusal::new(difference, reason, hint));
        }
        Ok(())
    }

    /// The tables whose triggers fire; refuses those that may not.
    fn triggers(&mut self, rules: &Rules, steps: &checks::Overview) -> BTreeSet<String> {
        let manifest = &self.pack.manifest;
        let allowed: BTreeSet<String> = manifest
            .triggers
            .iter()
            .filter(|line| line.is_allowed)
            .map(|line| line.table.clone())
            .chain(self.options.triggers.iter().cloned())
            .collect();
        let mut firing = BTreeSet::new();
        for (table, events) in &steps.events {
            let names: Vec<&str> = rules
                .table(table)
                .into_iter()
                .flat_map(|table| &table.triggers)
                .filter(|trigger| events.contains(trigger.event.as_str()))
                .map(|trigger| trigger.name.as_str())
                .filter(|name| !steps.dropped_triggers.contains(*name))
                .collect();
            if names.is_empty() {
                continue;
            }
            if allowed.contains(table) || self.place == Place::Scratch {
                firing.insert(table.clone());
                continue;
            }
            let reason = format!("its triggers would fire: {}", names.join(", "));
            let hint = format!("if that is meant, say --allow-triggers {table}");
            self.refuse(Refusal::new(table, reason, hint));
        }
        firing
    }

    /// Reads every row that will be touched.
    fn rows_before(&mut self, tables: &Tables) -> Result<(), ApplyError> {
        let session = self.session;
        let mut reader = RowReader::new(session, tables, self.hasher);
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        while let Some(step) = steps.next_step()? {
            if step.copies.is_none()
                && let Some(drift) = rows::before_is_right(&mut reader, &step)?
            {
                self.drift(drift);
            }
            if let Some(drift) = checks::guard(session, tables, &step, self.hasher)? {
                self.drift(drift);
            }
        }
        Ok(())
    }

    /// Runs every statement; gives the changes that were made knowingly, by table.
    fn statements(&mut self, before: &Before) -> Result<Option<Changes>, ApplyError> {
        let referring = Referring::new(&before.rules, self.options.limit);
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        let mut statements = self.pack.statements(self.fs, self.options.run)?;
        let mut changes = Changes { start: self.session.total_changes(), ..Changes::default() };
        let mut dropped = BTreeSet::new();
        while let Some(step) = steps.next_step()? {
            let (Some(at), Some(len)) = (step.at, step.len) else { continue };
            for drift in referring.left(self.session, &before.tables, &step, &dropped)? {
                self.drift(drift);
            }
            if self.is_refused() {
                return Ok(None);
            }
            let text = statements.text(at, len)?;
            if !self.statement(&step, text, before, &mut changes)? {
                return Ok(None);
            }
            if step.verb == "drop-table" {
                dropped.insert(step.object.to_string());
            }
        }
        Ok(Some(changes))
    }

    fn statement(
        &mut self,
        step: &StepLine<'_>,
        text: &str,
        before: &Before,
        changes: &mut Changes,
    ) -> Result<bool, ApplyError> {
        let total = self.session.total_changes();
        let is_counted = step.changes.is_some() || step.verb == "sequence";
        let changed = match self.execute(step, text)? {
            Ok(changed) => {
                if is_counted {
                    changed
                } else {
                    0
                }
            }
            Err(error @ (EngineError::Constraint { .. } | EngineError::Server { .. })) => {
                self.refuse(checks::of_step(step, error.to_string()));
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        self.outcome.statements += 1;
        changes.declared += changed;
        if step.changes.is_some() {
            *changes.by_table.entry(step.object.to_string()).or_default() += changed;
        }
        if let Some(expected) = step.changes.filter(|expected| *expected != changed) {
            let changed = counted(changed, "row");
            let reason = format!("its statement changed {changed} and not {expected}");
            self.refuse(checks::of_step(step, reason));
            return Ok(false);
        }
        let more = self.session.total_changes().saturating_sub(total + changed);
        if more > 0 && before.firing.is_empty() {
            let more = counted(more, "row");
            let reason = format!("its statement changed {more} that the pack does not know");
            self.refuse(checks::of_step(step, reason));
            return Ok(false);
        }
        Ok(true)
    }

    /// Runs a step's statement with the large values that it binds, each hashed before it is used.
    fn execute(
        &self,
        step: &StepLine<'_>,
        text: &str,
    ) -> Result<Result<u64, EngineError>, ApplyError> {
        if step.binds.is_empty() {
            return Ok(self.session.execute(text));
        }
        let values = step
            .binds
            .iter()
            .map(|bind| {
                let class = StorageClass::from_name(&bind.class).ok_or_else(|| {
                    let path = PathBuf::from(MANIFEST);
                    let why = format!("a step binds a value of class `{}`", bind.class);
                    PackError::Edited { path, why }
                })?;
                Ok((class, self.pack.value(self.fs, &bind.value)?))
            })
            .collect::<Result<Vec<_>, PackError>>()?;
        let values: Vec<_> = values.iter().map(|(class, bytes)| (*class, &bytes[..])).collect();
        Ok(self.session.execute_with(text, &values))
    }

    /// Everything that is checked after the last statement.
    fn after(
        &mut self,
        before: &Before,
        catalog: &Catalog,
        changes: &Changes,
    ) -> Result<(), ApplyError> {
        let tables = Tables::keyed_like(&catalog.tables, &before.tables)?;
        let session = self.session;
        let mut reader = RowReader::new(session, &tables, self.hasher);
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        while let Some(step) = steps.next_step()? {
            if step.copies.is_some() {
                continue;
            }
            if let Some(found) = rows::after_is_right(&mut reader, &step)? {
                let reason = format!("after all statements it is not as reviewed: {found}");
                self.refuse(checks::of_step(&step, reason));
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
        self.count_changes(before, changes);
        if let Some(before) = &before.violations {
            let found = session.foreign_key_check(VIOLATIONS)?;
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
    fn count_changes(&mut self, before: &Before, changes: &Changes) {
        let mut side_effects = Vec::new();
        for (table, counted) in self.session.take_changes() {
            let total = counted.inserted + counted.updated + counted.deleted;
            let declared = changes.by_table.get(&table.name).copied().unwrap_or(0);
            // SQLite's own tables: sequences move with the rows they number.
            if total > declared && !table.name.starts_with("sqlite_") {
                side_effects.push(TableTotals {
                    name: table.name,
                    inserted: counted.inserted,
                    updated: counted.updated,
                    deleted: counted.deleted,
                });
            }
        }
        let total = self.session.total_changes() - changes.start;
        if before.firing.is_empty() && (total != changes.declared || !side_effects.is_empty()) {
            let names: Vec<&str> = side_effects.iter().map(|table| table.name.as_str()).collect();
            let reason = format!(
                "{total} rows were changed and the pack declares {} (tables: {})",
                changes.declared,
                names.join(", ")
            );
            self.refuse(Refusal::new("side effects", reason, "nothing else may move"));
        }
        self.outcome.side_effects = side_effects;
    }

    /// Reads the whole target again and compares its state.
    fn state(&mut self, read_state: &mut ReadState<'_>) -> Result<(), ApplyError> {
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
        if self.place == Place::Target {
            let receipt = Receipt {
                pack: self.pack.manifest.pack.clone(),
                target: self.identity.to_owned(),
                run: self.options.run,
                at: self.options.at.clone(),
                statements: self.outcome.statements,
            };
            receipt::write(self.session, &receipt)?;
        }
        match self.session.commit() {
            Ok(()) => {
                self.outcome.outcome = Ending::Applied;
                Ok(Step::Done)
            }
            Err(error) if self.session.is_in_transaction() => {
                self.outcome.rows = RowTotals::default();
                let hint = "everything is as it was";
                self.refuse(Refusal::new("commit", error.to_string(), hint));
                Ok(Step::Stop)
            }
            Err(error) => Err(ApplyError::CommitUnknown(error)),
        }
    }
}

/// The changes that statements made knowingly.
#[derive(Debug, Default)]
struct Changes {
    start: u64,
    declared: u64,
    by_table: BTreeMap<String, u64>,
}
