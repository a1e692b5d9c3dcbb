//! Undoing a run from wherever it is.
//!
//! Before the rows have changed, the schema goes straight back. After that, what was put aside last
//! is fetched back, the schema goes to the one in which the rows of the way back change, and from
//! there it is the way back of the pack. Tables that never went keep their rows.

use std::collections::BTreeSet;

use super::course::{Aside, Course, Pool, Step};
use super::failpoint::pass;
use super::listing;
use super::proof::{Proof, Proved};
use super::swap::Swap;
use super::walk::Walked;
use super::{Saga, rows};
use crate::apply::error::ApplyError;
use crate::apply::rows::Tables;
use crate::engine::Journal;
use crate::engine::ddl::{Alteration, Schema, text};
use crate::model::{Fact, ObjectKind, ObjectName};
use crate::pack::{Refusal, fingerprint, schema};

/// The statement that fetches a table back that was put aside.
pub(super) fn fetched(aside: &Aside) -> String {
    renamed(&aside.under, &aside.table)
}

/// The statement that gives a table another name.
pub(super) fn renamed(table: &str, name: &str) -> String {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    format!("RENAME TABLE {} TO {}", quoted(table), quoted(name))
}

/// What leads back from a place of a course, before it is proved.
struct Retreat {
    /// Tables that were put aside last come back.
    fetched: Vec<Step>,
    /// The schema then.
    begins: Vec<Fact>,
    /// What was put aside before the rows takes the place of what was made anew.
    swap: Swap,
    /// From there straight to another schema.
    straight: Vec<Step>,
    /// Whether the rows have changed.
    has_rows: bool,
}

fn retreat(saga: &Saga<'_, '_>, course: &Course, done: usize) -> Result<Retreat, Vec<Refusal>> {
    let has_rows = course.rows_at().is_some_and(|rows| done > rows);
    let (mut left, mut fetched_steps) = (done, Vec::new());
    while has_rows
        && let Some(step) = left.checked_sub(1).and_then(|last| course.steps.get(last))
        && let Some(aside) = &step.aside
    {
        left -= 1;
        let before = course.places_of(left, &step.gone);
        let name = format!("fetch-table {}", aside.table);
        let statement = fetched(aside);
        fetched_steps.push(Step { name, statement, come: before, ..Step::default() });
    }
    let begins = course.facts_after(left);
    let swap = Swap::plan(saga, course, left, &begins, has_rows)?;
    let to = course.facts(if has_rows { &course.turn } else { &course.start });
    let planned = schema::straight(saga.ddl.as_ref(), &swap.ends, &to)?;
    let straight = listing::of_plan(&planned);
    Ok(Retreat { fetched: fetched_steps, begins, swap, straight, has_rows })
}

impl Saga<'_, '_> {
    /// The columns whose values went with one of so many steps before the rows: they come back by
    /// the way back of the pack only, from the end.
    pub(super) fn lost(&self, course: &Course, done: usize) -> Vec<Refusal> {
        if course.rows_at().is_none_or(|rows| done > rows) {
            return Vec::new();
        }
        let (start, now) = (course.facts(&course.start), course.facts_after(done));
        let (from, to) = (Schema::new(&start), Schema::new(&now));
        let is_lost = |before: &&Fact| {
            let goes_back = |after: &Fact| {
                self.ddl.alter(after, before, &to, &from) != Alteration::Remade
                    && self.ddl.alter(before, after, &from, &to) != Alteration::Remade
            };
            before.id.kind == ObjectKind::Column
                && text(before, "generated").is_none()
                && !course.is_anew(&before.id.object)
                && to.get(&before.id) != Some(before)
                && !to.get(&before.id).is_some_and(goes_back)
        };
        let (reason, hint) = (
            "it has been made anew for its new type, and its values are in the pack alone",
            "remove what stands in the way, run `apply` to go on to the end, and then, if you want, \
             `apply --rollback`",
        );
        let lost = start.iter().filter(is_lost);
        lost.map(|column| Refusal::new(format!("column {}", column.id), reason, hint)).collect()
    }

    /// What speaks against undoing a course at any of its steps.
    pub(super) fn irreversible(&self, course: &Course) -> Vec<Refusal> {
        for done in 0..=course.steps.len() {
            if let Err(refusals) = retreat(self, course, done) {
                let reason = |refusal: Refusal| Refusal {
                    reason: format!(
                        "after step {done} of {} it could not be undone: {}",
                        course.steps.len(),
                        refusal.reason
                    ),
                    ..refusal
                };
                return refusals.into_iter().map(reason).collect();
            }
        }
        Vec::new()
    }

    /// The course that undoes another one of which so many steps are done.
    pub(super) fn undoing(&self, course: &Course, done: usize) -> Proved<Course> {
        let lost = self.lost(course, done);
        if !lost.is_empty() {
            return Ok(Err(lost));
        }
        let mut retreat = match retreat(self, course, done) {
            Ok(retreat) => retreat,
            Err(refusals) => return Ok(Err(refusals)),
        };
        let mut pool = Pool::of(course).ok_or_else(super::foreign)?;
        let ends = course.facts(if retreat.has_rows { &course.turn } else { &course.start });
        let Swap { clearing, cleared, ends: swapped, .. } = &mut retreat.swap;
        for (steps, from, to) in
            [(clearing, &retreat.begins, &*cleared), (&mut retreat.straight, &*swapped, &ends)]
        {
            let proved = self.proved_straight(steps, from, to, &mut pool)?;
            if let Err(refusals) = proved {
                return Ok(Err(refusals));
            }
        }
        let mut undoing = course.clone();
        undoing.from = pool.places(&course.facts_after(done));
        if retreat.has_rows {
            undoing.kept = kept(course, &retreat.begins);
            undoing.kept.extend(retreat.swap.tables.iter().cloned());
        }
        undoing.steps = retreat.fetched;
        let swap = retreat.swap.into_steps(&mut pool, self.hasher)?;
        undoing.steps.extend(swap);
        undoing.steps.extend(retreat.straight);
        if retreat.has_rows {
            undoing.steps.push(Step::rows());
            undoing.steps.extend(course.tail.iter().cloned());
        }
        undoing.tail = Vec::new();
        pool.into_course(&mut undoing);
        let (leads, wanted) = (
            undoing.digests_after(undoing.steps.len(), &self.plain),
            fingerprint::digests(&course.facts(&course.start), &self.plain),
        );
        if leads != wanted {
            return Err(super::foreign());
        }
        Ok(Ok(undoing))
    }

    /// Proves steps on an empty database with the schema before them.
    fn proved_straight(
        &self,
        steps: &mut [Step],
        from: &[Fact],
        to: &[Fact],
        pool: &mut Pool,
    ) -> Proved<()> {
        if steps.is_empty() {
            return Ok(Ok(()));
        }
        let begun = Proof::begin(self.my, self.ddl.as_ref(), self.scope, &self.plain, from)?;
        let mut proof = match begun {
            Ok(proof) => proof,
            Err(refusals) => return Ok(Err(refusals)),
        };
        if let Err(refusals) = proof.run(steps, pool)? {
            return Ok(Err(refusals));
        }
        let wrong = proof.differences(to, &self.plain);
        proof.end()?;
        Ok(if wrong.is_empty() { Ok(()) } else { Err(wrong) })
    }

    /// Goes back from where so many steps are done. What comes out are rows that are not as they
    /// were; an error names what stands in the way.
    pub(super) fn undo(
        &mut self,
        journal: &Journal,
        course: &Course,
        done: usize,
        is_own: bool,
    ) -> Result<Result<Vec<Refusal>, Vec<Refusal>>, ApplyError> {
        if done == 0 {
            return self.undone(journal, course, is_own).map(Ok);
        }
        let undoing = match self.undoing(course, done)? {
            Ok(undoing) => undoing,
            Err(reasons) => return Ok(Err(reasons)),
        };
        pass("undo");
        let journal = Journal {
            is_undoing: true,
            position: 0,
            is_running: false,
            course: undoing.to_text(),
            ..journal.clone()
        };
        self.my.write_journal(&journal)?;
        self.undo_on(&journal, &undoing, is_own)
    }

    /// Goes on going back.
    pub(super) fn undo_on(
        &mut self,
        journal: &Journal,
        undoing: &Course,
        is_own: bool,
    ) -> Result<Result<Vec<Refusal>, Vec<Refusal>>, ApplyError> {
        match self.walk(journal, undoing)? {
            Walked::Through => self.undone(journal, undoing, is_own).map(Ok),
            Walked::Failed(_, reasons) | Walked::Lost(reasons) => Ok(Err(reasons)),
        }
    }

    /// Everything is undone: rows are compared, and the journal is closed. Where it was asked for
    /// (`is_own` is false), that is a run of its own, with a receipt.
    fn undone(
        &mut self,
        journal: &Journal,
        course: &Course,
        is_own: bool,
    ) -> Result<Vec<Refusal>, ApplyError> {
        pass("undone");
        let run = Saga::direction(&journal.direction);
        let options = self.options_of(run);
        let mut runner = self.runner(&options);
        self.session.begin()?;
        let compared =
            self.session.catalog(self.scope).map_err(ApplyError::from).and_then(|catalog| {
                let tables = Tables::new(&course.keyed(&catalog.tables))?;
                rows::compare_before(&mut runner, run, &tables)
            });
        self.session.rollback()?;
        compared?;
        let mut reasons = self.told(runner);
        if self.drifted > 0 && reasons.is_empty() {
            let reason = "rows that the pack knows are not as they were: somebody else may have \
                          changed them meanwhile";
            reasons.push(Refusal::new("rows", reason, "the schema is as it was"));
        }
        let options = self.options_of(Saga::opposite(run));
        self.close((!is_own).then_some(&options))?;
        Ok(reasons)
    }
}

/// The tables that the run drops and has not dropped yet.
fn kept(course: &Course, now: &[Fact]) -> BTreeSet<String> {
    let tables = |facts: &[Fact]| -> BTreeSet<ObjectName> {
        let tables = facts.iter().filter(|fact| fact.id.kind == ObjectKind::Table);
        tables.map(|fact| fact.id.object.clone()).collect()
    };
    let (start, end) = (tables(&course.facts(&course.start)), tables(&course.facts(&course.end)));
    let now = tables(now);
    let kept = start.iter().filter(|table| !end.contains(table) && now.contains(table));
    kept.map(ToString::to_string).collect()
}
