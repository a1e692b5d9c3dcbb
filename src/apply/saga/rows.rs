//! The rows of a course: one transaction, which notes in the journal that it was.
//!
//! They change under the schema between its two stages, so a row can be compared by its hash where
//! its columns are there as they were, or as they shall be; others are guarded by their statements,
//! and compared when the schema is as it shall be. What the second stage will ask of rows is asked
//! before the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::course::Course;
use super::failpoint::pass;
use super::{Saga, checks_of};
use crate::apply::checks;
use crate::apply::error::ApplyError;
use crate::apply::relations::Relations;
use crate::apply::rows::{Expectation, RowReader, Tables};
use crate::apply::run::{Before, ROWS_AT_ONCE, Runner, Which};
use crate::engine::{EngineError, Journal};
use crate::model::{Catalog, Fact, ObjectKind, TableSpec};
use crate::pack::manifest::StepKind;
use crate::pack::rules::Rules;
use crate::pack::{Refusal, Run};

/// How often the rows are tried where other transactions get in their way.
const ATTEMPTS: u32 = 5;

/// How long to wait before they are tried again, times the number of attempts so far.
const PAUSE: Duration = Duration::from_millis(100);

/// How a step ended that did not end the run.
pub(super) enum Ended {
    /// It is done.
    Done,
    /// It is not, for these reasons.
    Failed(Vec<Refusal>),
}

/// Which end of a way rows are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Before,
    After,
}

impl Saga<'_, '_> {
    /// Changes the rows, and notes that.
    pub(super) fn rows(
        &mut self,
        journal: &Journal,
        course: &Course,
        at: usize,
    ) -> Result<Ended, ApplyError> {
        let running = Saga::direction(&journal.direction);
        let run = if journal.is_undoing { Saga::opposite(running) } else { running };
        for attempt in 1.. {
            self.session.begin()?;
            let ended = self.transaction(run, journal.is_undoing, course, at);
            match ended {
                Ok(Ended::Done) => match self.session.commit() {
                    Ok(()) => {
                        pass("rows");
                        return Ok(Ended::Done);
                    }
                    Err(EngineError::Contention { .. }) if attempt < ATTEMPTS => {}
                    Err(error) => {
                        if self.session.is_in_transaction() {
                            self.session.rollback()?;
                        }
                        return self.failed("rows", error);
                    }
                },
                Ok(failed) => {
                    self.session.rollback()?;
                    return Ok(failed);
                }
                Err(ApplyError::Engine(EngineError::Contention { .. })) if attempt < ATTEMPTS => {
                    self.session.rollback()?;
                }
                Err(ApplyError::Engine(error)) => {
                    let rolled_back = self.session.rollback();
                    let ended = self.failed("rows", error)?;
                    rolled_back?;
                    return Ok(ended);
                }
                Err(error) => {
                    let _ = self.session.rollback();
                    return Err(error);
                }
            }
            std::thread::sleep(PAUSE * attempt);
        }
        unreachable!("the last attempt returns")
    }

    fn transaction(
        &mut self,
        run: Run,
        is_undoing: bool,
        course: &Course,
        at: usize,
    ) -> Result<Ended, ApplyError> {
        let catalog = self.session.catalog(self.scope)?;
        if !self.says(course, at, &catalog.facts) {
            return Ok(Ended::Failed(self.differences(course, at, &catalog.facts)));
        }
        let kept = &course.kept;
        let options = self.options_of(run);
        let mut runner = self.runner(&options);
        let mut overview = checks::overview(&mut self.pack.steps(self.fs, run)?)?;
        overview.events.retain(|table, _| !kept.contains(table));
        let rules = Rules::of(runner.enforcement()?, &catalog.facts);
        let firing = runner.triggers(&rules, &overview);
        let specs = course.keyed(&catalog.tables);
        let tables = Tables::new(&specs)?;
        let touched: Vec<&TableSpec> =
            overview.events.keys().filter_map(|name| tables.spec(name)).collect();
        self.session.lock_tables(&touched)?;
        // Undoing goes from the end of the run to its start.
        let (first, last) = match is_undoing {
            true => (&course.end, &course.start),
            false => (&course.start, &course.end),
        };
        let seen = seen_from(&specs, &course.facts(first), &catalog)?;
        compare(&mut runner, run, &seen, End::Before, kept)?;
        if !is_undoing {
            columns_before(&mut runner, run, &tables)?;
        }
        if runner.is_refused() {
            return Ok(Ended::Failed(self.told(runner)));
        }
        let before = Before {
            tables,
            rules,
            multisets: BTreeMap::new(),
            violations: None,
            changes_schema: false,
            firing,
            dropped_foreign_keys: BTreeSet::new(),
            relations: Relations::default(),
        };
        let Some(changes) = runner.statements(&before, Which::RowsBut(kept))? else {
            return Ok(Ended::Failed(self.told(runner)));
        };
        let seen = seen_from(&specs, &course.facts(last), &catalog)?;
        compare(&mut runner, run, &seen, End::After, kept)?;
        if runner.is_refused() {
            return Ok(Ended::Failed(self.told(runner)));
        }
        self.statements += changes.statements;
        let wanted = course.facts_after(course.steps.len());
        let reasons = checks_of(self.my, &catalog.facts, &wanted)?;
        if !reasons.is_empty() {
            return Ok(Ended::Failed(reasons));
        }
        self.my.advance_journal(at as u64 + 1, false)?;
        pass("commit");
        Ok(Ended::Done)
    }
}

/// Looks again at what columns hold that will be dropped behind the rows: what came since the run began
/// would go with them.
fn columns_before(
    runner: &mut Runner<'_, '_>,
    run: Run,
    tables: &Tables,
) -> Result<(), ApplyError> {
    let mut steps = runner.pack.steps(runner.fs, run)?;
    let mut is_behind = false;
    while let Some(step) = steps.next_step()? {
        is_behind |= step.kind() == StepKind::Rows;
        if is_behind
            && step.column.is_some()
            && let Some(drift) = checks::guard(runner.session, tables, &step, runner.hasher)?
        {
            runner.drift(drift);
        }
    }
    Ok(())
}

/// Reads the rows of a way again, and notes those that are not as they should be.
pub(super) fn compare_before(
    runner: &mut Runner<'_, '_>,
    run: Run,
    tables: &Tables,
) -> Result<(), ApplyError> {
    compare(runner, run, tables, End::Before, &BTreeSet::new())
}

fn compare(
    runner: &mut Runner<'_, '_>,
    run: Run,
    tables: &Tables,
    end: End,
    without: &BTreeSet<String>,
) -> Result<(), ApplyError> {
    let reader = RowReader::new(runner.session, tables, runner.hasher);
    let mut steps = runner.pack.steps(runner.fs, run)?;
    let mut rows = Vec::new();
    loop {
        let step = steps.next_step()?;
        let is_last = step.is_none();
        let expected = step.as_ref().and_then(Expectation::of);
        rows.extend(
            expected
                .filter(|row| tables.spec(&row.table).is_some() && !without.contains(&row.table)),
        );
        if rows.len() >= ROWS_AT_ONCE || is_last {
            match end {
                End::Before => {
                    let drifts = reader.wrong_before(&rows)?;
                    drifts.into_iter().for_each(|drift| runner.drift(drift));
                }
                End::After => {
                    for (row, found) in reader.wrong_after(&rows)? {
                        let reason = format!("after its statements it is not as reviewed: {found}");
                        let refusal = checks::of_row(&row.verb, &row.table, Some(&row.key), reason);
                        runner.refuse(refusal);
                    }
                }
            }
            rows.clear();
        }
        if is_last {
            return Ok(());
        }
    }
}

/// The tables as they are while rows change, with the columns that they have at one end, as far as
/// those are there with the same values.
fn seen_from(specs: &[TableSpec], end: &[Fact], catalog: &Catalog) -> Result<Tables, ApplyError> {
    let seen: Vec<TableSpec> =
        specs.iter().filter_map(|spec| seen_as(spec, end, &catalog.facts)).collect();
    Tables::new(&seen)
}

/// A table with the columns that these facts give it, where the columns that there are hold the
/// same values.
fn seen_as(spec: &TableSpec, wanted: &[Fact], now: &[Fact]) -> Option<TableSpec> {
    const VALUES: [&str; 4] = ["type", "charset", "generated", "stored"];
    let of_table = |facts: &'_ [Fact]| -> BTreeMap<String, Fact> {
        let columns = facts
            .iter()
            .filter(|fact| fact.id.kind == ObjectKind::Column && fact.id.object == spec.name);
        columns.map(|fact| (fact.id.part.clone(), fact.clone())).collect()
    };
    let (wanted, now) = (of_table(wanted), of_table(now));
    let is_same = |name: &String, fact: &Fact| {
        now.get(name).is_some_and(|found| {
            VALUES.iter().all(|value| found.attributes.get(*value) == fact.attributes.get(*value))
        })
    };
    if wanted.is_empty() || !wanted.iter().all(|(name, fact)| is_same(name, fact)) {
        return None;
    }
    let mut spec = spec.clone();
    spec.columns.retain(|column| wanted.contains_key(&column.name));
    let has_key = spec.key.column_names().iter().all(|name| wanted.contains_key(*name));
    has_key.then_some(spec)
}
