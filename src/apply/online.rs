//! Running the second of two packs, whose statements each commit (`pack::online`).
//!
//! Each statement is about one fact, and its step says which: what the catalog says of that fact
//! tells whether it has run. So a run that ended in the middle is gone on with by the next one, in
//! either direction, without a journal; only one run is at work at a time. An index that a failed
//! statement left behind is of no use to anybody, and goes.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::{self, Expected};
use super::error::ApplyError;
use super::options::{Finish, ReadState};
use super::outcome::{Ending, Outcome};
use super::run::Runner;
use crate::codec::Hasher;
use crate::codec::hash::HashAlgorithm;
use crate::engine::{Dialect, EngineError};
use crate::model::snapshot::Scope;
use crate::model::{Attribute, Fact, FactId, ObjectKind};
use crate::pack::manifest::{FactName, StepKind, StepLine};
use crate::pack::{Refusal, Run, fingerprint};

/// What a fact says where the run begins, and where it ends.
#[derive(Debug, Default)]
struct Ends {
    start: Option<String>,
    end: Option<String>,
}

/// The facts of the target.
struct Found {
    digests: BTreeMap<FactName, String>,
    /// Indexes that a statement began and did not finish.
    unfinished: BTreeMap<FactName, FactId>,
    facts: Vec<Fact>,
}

pub(super) fn run(
    mut runner: Runner<'_, '_>,
    read_state: Option<&mut ReadState<'_>>,
) -> Result<Outcome, ApplyError> {
    runner.session.begin()?;
    let may_run = runner.may_run();
    runner.session.rollback()?;
    if !may_run? {
        return Ok(runner.outcome);
    }
    let ends = runner.ends()?;
    let found = runner.found()?;
    runner.astray(&ends, &found);
    if runner.is_refused() {
        return Ok(runner.outcome);
    }
    if runner.options.finish == Finish::DryRun {
        runner.outcome.outcome = Ending::Checked;
        return Ok(runner.outcome);
    }
    runner.session.lock_online()?;
    let is_through = match runner.steps(&ends, found)? {
        Some(found) => runner.is_as_wanted(&found)?,
        None => false,
    };
    if !is_through {
        runner.outcome.outcome = match runner.outcome.statements {
            0 => Ending::Refused,
            _ => Ending::Unfinished,
        };
        return Ok(runner.outcome);
    }
    if let Some(read_state) = read_state.filter(|_| runner.options.run == Run::Forward) {
        runner.session.begin()?;
        let compared = runner.state(read_state);
        runner.session.rollback()?;
        compared?;
        if runner.is_refused() {
            runner.outcome.outcome = Ending::Unfinished;
            return Ok(runner.outcome);
        }
    }
    runner.commit_receipt()?;
    runner.outcome.outcome = Ending::Applied;
    Ok(runner.outcome)
}

impl Runner<'_, '_> {
    fn plain(&self) -> Hasher {
        let algorithm = HashAlgorithm::from_name(&self.pack.manifest.hash);
        Hasher::new(algorithm.unwrap_or(HashAlgorithm::Blake3))
    }

    fn ends(&self) -> Result<BTreeMap<FactName, Ends>, ApplyError> {
        let lines = self.pack.facts(self.fs)?.into_iter().map(|line| {
            let (start, end) = match self.options.run {
                Run::Forward => (line.before, line.after),
                Run::Back => (line.after, line.before),
            };
            let name = FactName { kind: line.kind, object: line.object, part: line.part };
            (name, Ends { start, end })
        });
        Ok(lines.collect())
    }

    fn found(&self) -> Result<Found, ApplyError> {
        let facts = self.session.catalog(&Scope::from(&self.pack.manifest.scope))?.facts;
        let digests = fingerprint::digests(&facts, &self.plain());
        let digests = digests.into_iter().map(|(id, digest)| (FactName::of(&id), digest));
        let is_unfinished = |fact: &&Fact| {
            fact.id.kind == ObjectKind::Index
                && matches!(fact.attributes.get("invalid"), Some(Attribute::Flag))
        };
        let unfinished = facts.iter().filter(is_unfinished);
        let unfinished = unfinished.map(|fact| (FactName::of(&fact.id), fact.id.clone())).collect();
        Ok(Found { digests: digests.collect(), unfinished, facts })
    }

    /// Refuses a schema that no place of this run leaves.
    fn astray(&mut self, ends: &BTreeMap<FactName, Ends>, found: &Found) {
        let nothing = Ends::default();
        let names: BTreeSet<&FactName> = ends.keys().chain(found.digests.keys()).collect();
        for name in names {
            let ends = ends.get(name).unwrap_or(&nothing);
            let now = found.digests.get(name);
            let is_begun = found.unfinished.contains_key(name) && ends.start != ends.end;
            if now != ends.start.as_ref() && now != ends.end.as_ref() && !is_begun {
                let reason = "it is as no step of this pack leaves it";
                let hint = "this is the second of two packs: apply the first one before it, and take \
                            it back before the first one is";
                self.refuse(Refusal::new(name, reason, hint));
            }
        }
    }

    /// Runs what has not run yet; gives what there is then, or `None` where not all has run.
    fn steps(
        &mut self,
        ends: &BTreeMap<FactName, Ends>,
        mut found: Found,
    ) -> Result<Option<Found>, ApplyError> {
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        let mut statements = self.pack.statements(self.fs, self.options.run)?;
        while let Some(step) = steps.next_step()? {
            let (Some(at), Some(len)) = (step.at, step.len) else { continue };
            let statement = statements.text(at, len)?;
            if step.kind() == StepKind::Preparation {
                self.session.execute(statement)?;
                continue;
            }
            let Some(name) = step.fact.clone() else { continue };
            let end = ends.get(&name).and_then(|ends| ends.end.as_ref());
            let drops = step.verb.starts_with("drop-");
            let is_done = |found: &Found| {
                let now = found.digests.get(&name);
                now == end || (drops && now.is_none())
            };
            if is_done(&found) {
                continue;
            }
            if !drops && let Some(id) = found.unfinished.get(&name) {
                self.remove(id, &found.facts)?;
            }
            if let Some(watch) = &self.options.watch {
                (watch.0)(&step.verb, &step.object);
            }
            let ran = self.session.execute(statement);
            found = self.found()?;
            if let Err(error) = ran {
                self.failed(&step, &name, &found, error)?;
                return Ok(None);
            }
            self.outcome.statements += 1;
            if !is_done(&found) {
                let reason = "it is not as reviewed after its statement";
                self.refuse(Refusal::new(
                    &name,
                    reason,
                    "look at it, and run the same command again",
                ));
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// Drops what is left of an index that was not finished.
    fn remove(&self, index: &FactId, facts: &[Fact]) -> Result<(), ApplyError> {
        let dialect = Dialect::of(&self.pack.manifest.engine, facts)?;
        let name = dialect.relation(&index.object);
        self.session.execute(&format!("DROP INDEX CONCURRENTLY {name}"))?;
        Ok(())
    }

    fn failed(
        &mut self,
        step: &StepLine<'_>,
        name: &FactName,
        found: &Found,
        error: EngineError,
    ) -> Result<(), ApplyError> {
        match error {
            EngineError::Lost { .. }
            | EngineError::Stopped { .. }
            | EngineError::Driver { .. }
            | EngineError::Unreachable { .. } => return Err(error.into()),
            _ => {}
        }
        if let Some(id) = found.unfinished.get(name) {
            self.remove(id, &found.facts)?;
        }
        let object = format!("{} {}", step.verb, step.object);
        let hint = "see to that, and run the same command again; what is done stays, and `apply \
                    --rollback` takes it back";
        self.refuse(Refusal::new(object, error.to_string(), hint));
        Ok(())
    }

    /// Whether the whole schema is what this run leaves.
    fn is_as_wanted(&mut self, found: &Found) -> Result<bool, ApplyError> {
        let (pack, run) = (self.pack, self.options.run);
        let end = if run == Run::Forward { Expected::After } else { Expected::Before };
        let wanted = &pack.way(run).schema_after;
        let found = checks::schema_differences(self.fs, pack, &found.facts, wanted, end)?;
        for difference in found.into_iter().flatten() {
            let reason = "after all statements the schema is not as reviewed";
            let hint = "somebody else changed it meanwhile: take that back, and run the same command \
                        again";
            self.refuse(Refusal::new(difference, reason, hint));
        }
        Ok(!self.is_refused())
    }

    fn commit_receipt(&self) -> Result<(), ApplyError> {
        let receipt = self.receipt(self.options, self.outcome.statements);
        self.session.begin()?;
        self.session.write_receipt(&receipt)?;
        match self.session.commit() {
            Ok(()) => Ok(()),
            Err(source) if !self.session.is_in_transaction() => {
                Err(ApplyError::CommitUnknown { receipt: Box::new(receipt), source })
            }
            Err(error) => Err(error.into()),
        }
    }
}
