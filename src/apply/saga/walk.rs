//! Walking a course: each step noted before it runs and after it, and the schema it must leave
//! compared with the one it left.

use super::course::{Course, Step};
use super::failpoint::pass;
use super::proof::lines;
use super::{Saga, rows, undo};
use crate::apply::error::ApplyError;
use crate::engine::{EngineError, Journal};
use crate::model::Fact;
use crate::pack::{Refusal, Run, fingerprint};

/// How many facts that differ are named.
const NAMED: usize = 20;

/// Where a walk ended.
pub(super) enum Walked {
    /// All steps are done.
    Through,
    /// A step was not done, for these reasons; those before it were.
    Failed(usize, Vec<Refusal>),
    /// The target is as no step leaves it, for these reasons.
    Lost(Vec<Refusal>),
}

impl Saga<'_, '_> {
    /// Goes through the steps that are left. `journal` says where the walk begins.
    pub(super) fn walk(
        &mut self,
        journal: &Journal,
        course: &Course,
    ) -> Result<Walked, ApplyError> {
        let mut at = match self.place(journal, course)? {
            Ok(at) => at,
            Err(reasons) => return Ok(Walked::Lost(reasons)),
        };
        self.prepare(course)?;
        while let Some(step) = course.steps.get(at) {
            pass("step");
            let failed = match step.is_rows() {
                true => self.rows(journal, course, at)?,
                false => self.step(Saga::direction(&journal.direction), course, at, step)?,
            };
            match failed {
                rows::Ended::Done => {}
                rows::Ended::Failed(reasons) => {
                    return self.after_failure(course, at, reasons);
                }
            }
            at += 1;
        }
        Ok(Walked::Through)
    }

    /// How many steps are done, by the journal and by the schema that there is.
    pub(super) fn place(
        &mut self,
        journal: &Journal,
        course: &Course,
    ) -> Result<Result<usize, Vec<Refusal>>, ApplyError> {
        let at = usize::try_from(journal.position).unwrap_or(usize::MAX);
        let catalog = self.session.catalog(self.scope)?;
        let found = catalog.facts;
        self.specs = catalog.tables;
        if self.says(course, at, &found) {
            // The schema alone does not tell whether a step ran that leaves it as it is: it may run
            // again.
            return Ok(Ok(at));
        }
        let is_schema = course.steps.get(at).is_some_and(|step| !step.is_rows());
        if journal.is_running && is_schema && self.says(course, at + 1, &found) {
            if let Some(aside) = &course.steps[at].aside {
                // What it holds was not looked at: that is done when it is put aside again.
                self.session.execute(&undo::fetched(aside))?;
                return Ok(Ok(at));
            }
            self.my.advance_journal(journal.position + 1, false)?;
            return Ok(Ok(at + 1));
        }
        Ok(Err(self.differences(course, at, &found)))
    }

    pub(super) fn says(&self, course: &Course, steps: usize, found: &[Fact]) -> bool {
        course.digests_after(steps, &self.plain) == fingerprint::digests(found, &self.plain)
    }

    pub(super) fn differences(
        &self,
        course: &Course,
        steps: usize,
        found: &[Fact],
    ) -> Vec<Refusal> {
        let expected = lines(&course.facts_after(steps), &self.plain);
        let named = fingerprint::differences(&expected, found, &self.plain, NAMED);
        let (reason, hint) = (
            "the schema is not as any step of this pack leaves it",
            "somebody else changed it meanwhile: take that back, and run the same command again",
        );
        named.into_iter().map(|what| Refusal::new(what, reason, hint)).collect()
    }

    /// The settings that the steps need, in a session that begins with none of them.
    fn prepare(&self, course: &Course) -> Result<(), ApplyError> {
        for setting in &course.preparations {
            self.session.execute(setting)?;
        }
        Ok(())
    }

    /// Runs one statement.
    fn step(
        &mut self,
        run: Run,
        course: &Course,
        at: usize,
        step: &Step,
    ) -> Result<rows::Ended, ApplyError> {
        self.my.advance_journal(at as u64, true)?;
        pass("statement");
        let ran = self.statement(step);
        pass("ran");
        if let Err(error) = ran {
            return self.failed(&step.name, error);
        }
        self.statements += 1;
        let found = self.facts()?;
        if !self.says(course, at + 1, &found) {
            return Ok(rows::Ended::Failed(self.differences(course, at + 1, &found)));
        }
        if let Some(aside) = &step.aside
            && let Some(refusal) = self.wrong_aside(run, course, at, aside)?
        {
            pass("wrong");
            self.session.execute(&undo::fetched(aside))?;
            return Ok(rows::Ended::Failed(vec![refusal]));
        }
        self.my.advance_journal(at as u64 + 1, false)?;
        Ok(rows::Ended::Done)
    }

    fn statement(&self, step: &Step) -> Result<(), EngineError> {
        for setting in &step.set_up {
            self.session.execute(setting)?;
        }
        let ran = self.session.execute(&step.statement);
        for setting in &step.tidy_up {
            self.session.execute(setting)?;
        }
        ran.map(|_| ())
    }

    /// What the server refuses, and what waits for too long, is a reason to go back; a connection
    /// that is lost ends the run where it is.
    pub(super) fn failed(&self, name: &str, error: EngineError) -> Result<rows::Ended, ApplyError> {
        match error {
            EngineError::Lost { .. }
            | EngineError::Stopped { .. }
            | EngineError::Driver { .. }
            | EngineError::Unreachable { .. } => Err(error.into()),
            error => {
                let hint = "see to that, and run the same command again";
                Ok(rows::Ended::Failed(vec![Refusal::new(name, error.to_string(), hint)]))
            }
        }
    }

    /// Where a step failed, and whether it ran in spite of that.
    fn after_failure(
        &mut self,
        course: &Course,
        at: usize,
        mut reasons: Vec<Refusal>,
    ) -> Result<Walked, ApplyError> {
        let found = self.facts()?;
        for done in [at, at + 1] {
            if self.says(course, done, &found) {
                // Rows say by themselves whether they are there.
                if !course.steps[at].is_rows() {
                    self.my.advance_journal(done as u64, false)?;
                    return Ok(Walked::Failed(done, reasons));
                }
                return Ok(Walked::Failed(at, reasons));
            }
        }
        reasons.extend(self.differences(course, at, &found));
        Ok(Walked::Lost(reasons))
    }

    /// The facts of the target as it is.
    pub(super) fn facts(&self) -> Result<Vec<Fact>, ApplyError> {
        Ok(self.session.catalog(self.scope)?.facts)
    }
}
