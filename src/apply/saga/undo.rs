//! Undoing a run from wherever it is.
//!
//! Before the rows have changed, the schema goes straight back. After that, what was put aside last
//! is fetched back, the schema goes to the one in which the rows of the way back change, and from
//! there it is the way back of the pack. Tables that never went keep their rows. Where names have changed
//! on the way, they change back in between: what was done since is undone by the names that there are.

use std::collections::BTreeSet;
use std::ops::Range;

use super::course::{Aside, Course, Pool, Step};
use super::failpoint::pass;
use super::listing;
use super::proof::{Proof, Proved};
use super::swap::Swap;
use super::walk::Walked;
use super::{Saga, rows};
use crate::apply::error::ApplyError;
use crate::apply::names::Names;
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
    /// One after the other. Each but the last ends where a name has changed back.
    stretches: Vec<Stretch>,
    /// Whether the rows have changed.
    has_rows: bool,
}

/// What leads back to where another name was given, or to the end.
struct Stretch {
    /// Tables that were put aside last come back.
    fetched: Vec<Step>,
    /// The schema then.
    begins: Vec<Fact>,
    /// What was put aside before the rows takes the place of what was made anew.
    swap: Swap,
    /// From there straight to another schema.
    straight: Vec<Step>,
    /// That one.
    ends: Vec<Fact>,
}

impl Stretch {
    /// What leads back to what these steps began with, where names are the same on both ends. `to` is
    /// the schema to come to.
    fn plan(
        saga: &Saga<'_, '_>,
        course: &Course,
        steps: Range<usize>,
        to: Vec<Fact>,
        has_rows: bool,
    ) -> Result<Stretch, Vec<Refusal>> {
        let (mut left, mut fetched_steps) = (steps.end, Vec::new());
        while has_rows
            && left > steps.start
            && let Some(step) = course.steps.get(left - 1)
            && let Some(aside) = &step.aside
        {
            left -= 1;
            let before = course.places_of(left, &step.gone);
            let name = format!("fetch-table {}", aside.table);
            let statement = fetched(aside);
            fetched_steps.push(Step { name, statement, come: before, ..Step::default() });
        }
        let begins = course.facts_after(left);
        let swap = Swap::plan(saga, course, steps.start..left, &begins, has_rows)?;
        let planned = schema::straight(saga.ddl.as_ref(), &swap.ends, &to)?;
        let straight = listing::of_plan(&planned);
        Ok(Stretch { fetched: fetched_steps, begins, swap, straight, ends: to })
    }

    /// Gives a name back behind all that.
    fn rename(&mut self, saga: &Saga<'_, '_>, course: &Course, at: usize) -> Result<(), Refusal> {
        let before = course.facts_after(at);
        let refuse = |reason: String| {
            Refusal::new(&course.steps[at].name, reason, "give the name back by hand")
        };
        let rename =
            course.rename_at(at).ok_or_else(|| refuse("what it did is not told".into()))?;
        let back = rename.inverse();
        let statement = saga.ddl.rename(&back, &Schema::new(&before)).map_err(refuse)?;
        let kind = if back.column.is_some() { "column" } else { "table" };
        let name = format!("rename-{kind} {}", back.table);
        self.straight.push(Step { name, statement, is_rename: true, ..Step::default() });
        self.ends = before;
        Ok(())
    }

    /// Goes on with another one, where nothing but statements follows.
    fn join(&mut self, next: Stretch) -> Option<Stretch> {
        if !next.fetched.is_empty() || !next.swap.tables.is_empty() {
            return Some(next);
        }
        self.straight.extend(next.straight);
        self.ends = next.ends;
        None
    }
}

fn retreat(saga: &Saga<'_, '_>, course: &Course, done: usize) -> Result<Retreat, Vec<Refusal>> {
    let rows = course.rows_at().filter(|rows| done > *rows);
    let (has_rows, from) = (rows.is_some(), rows.map_or(0, |rows| rows + 1));
    let (mut left, mut stretches) = (done, Vec::<Stretch>::new());
    loop {
        let rename = course.last_rename(from..left);
        let stretch = match rename {
            Some(at) => {
                let to = course.facts_after(at + 1);
                let mut stretch = Stretch::plan(saga, course, at + 1..left, to, has_rows)?;
                stretch.rename(saga, course, at).map_err(|refusal| vec![refusal])?;
                stretch
            }
            None => {
                let to = course.facts(if has_rows { &course.turn } else { &course.start });
                Stretch::plan(saga, course, 0..left, to, has_rows)?
            }
        };
        let apart = match stretches.last_mut() {
            Some(last) => last.join(stretch),
            None => Some(stretch),
        };
        stretches.extend(apart);
        match rename {
            Some(at) => left = at,
            None => return Ok(Retreat { stretches, has_rows }),
        }
    }
}

impl Saga<'_, '_> {
    /// The columns whose values went with one of so many steps before the rows: they come back by
    /// the way back of the pack only, from the end.
    pub(super) fn lost(&self, course: &Course, done: usize) -> Vec<Refusal> {
        if course.rows_at().is_none_or(|rows| done > rows) {
            return Vec::new();
        }
        // Nothing is lost until names have changed, and where they have it goes by the new ones.
        let start = match course.last_rename(0..done) {
            Some(at) => course.facts_after(at + 1),
            None => course.facts(&course.start),
        };
        let now = course.facts_after(done);
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
        let retreat = match retreat(self, course, done) {
            Ok(retreat) => retreat,
            Err(refusals) => return Ok(Err(refusals)),
        };
        let mut pool = Pool::of(course).ok_or_else(super::foreign)?;
        let mut undoing = course.clone();
        undoing.from = pool.places(&course.facts_after(done));
        undoing.steps = Vec::new();
        let last = retreat.stretches.last().filter(|_| retreat.has_rows);
        undoing.kept = last.map(|last| kept(course, &last.begins)).unwrap_or_default();
        for mut stretch in retreat.stretches {
            let Swap { clearing, cleared, ends: swapped, .. } = &mut stretch.swap;
            for (steps, from, to) in [
                (clearing, &stretch.begins, &*cleared),
                (&mut stretch.straight, &*swapped, &stretch.ends),
            ] {
                let proved = self.proved_straight(steps, from, to, &mut pool)?;
                if let Err(refusals) = proved {
                    return Ok(Err(refusals));
                }
            }
            if retreat.has_rows {
                undoing.kept.extend(stretch.swap.tables.iter().cloned());
            }
            undoing.steps.extend(stretch.fetched);
            undoing.steps.extend(stretch.swap.into_steps(&mut pool, self.hasher)?);
            undoing.steps.extend(stretch.straight);
        }
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
                let names = Names::of(&self.pack.manifest, &catalog.facts);
                let keyed = course.keyed(&catalog.tables, &self.names);
                let tables = Tables::new(&keyed)?.called(&names);
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
    let start = tables(&course.facts(&course.start));
    let (end, now) = (tables(&course.end_by_names_of_rows()), tables(now));
    let kept = start.iter().filter(|table| !end.contains(table) && now.contains(table));
    kept.map(ToString::to_string).collect()
}
