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
use crate::engine::ddl::text;
use crate::engine::{EngineError, Journal};
use crate::model::{Catalog, Fact, ObjectKind, ObjectName, TableSpec};
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

/// A side of the pack: the state before it or the wanted one. While rows change, names are those of
/// the wanted one; row hashes hold those of the side that they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
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
        let specs = course.keyed(&catalog.tables, &self.names);
        let tables = Tables::new(&specs)?;
        let touched: Vec<&TableSpec> =
            overview.events.keys().filter_map(|name| tables.spec(name)).collect();
        self.session.lock_tables(&touched)?;
        // Undoing goes from the end of the run to its start, as a run of the other way does.
        let (first, last) = match is_undoing {
            true => (&course.end, &course.start),
            false => (&course.start, &course.end),
        };
        let (begins, ends) = match run {
            Run::Forward => (Side::Before, Side::After),
            Run::Back => (Side::After, Side::Before),
        };
        let seen = self.seen_from(&specs, &course.facts(first), begins, &catalog)?;
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
        let seen = self.seen_from(&specs, &course.facts(last), ends, &catalog)?;
        compare(&mut runner, run, &seen, End::After, kept)?;
        if runner.is_refused() {
            return Ok(Ended::Failed(self.told(runner)));
        }
        self.statements += changes.statements;
        let wanted = course.end_by_names_of_rows();
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

impl Saga<'_, '_> {
    /// What a table and its columns, which have their new names, are called on a side; puts the columns
    /// into the order that they have there.
    pub(super) fn side(&self, spec: &mut TableSpec, side: Side) -> TableSpec {
        if self.names.is_empty() || side == Side::After {
            return spec.clone();
        }
        let mut called = self.names.before(spec);
        let mut places: Vec<usize> = (0..spec.columns.len()).collect();
        places.sort_by(|a, b| called.columns[*a].name.cmp(&called.columns[*b].name));
        for table in [spec, &mut called] {
            table.columns = places.iter().map(|place| table.columns[*place].clone()).collect();
        }
        called
    }

    /// The tables as they are while rows change, with the columns that they have on a side, as far as
    /// those are there with the same values.
    fn seen_from(
        &self,
        specs: &[TableSpec],
        wanted: &[Fact],
        side: Side,
        catalog: &Catalog,
    ) -> Result<Tables, ApplyError> {
        let seen: Vec<(TableSpec, TableSpec)> = specs
            .iter()
            .filter_map(|spec| {
                let mut spec = spec.clone();
                let called = self.side(&mut spec, side);
                seen_as(spec, called, wanted, &catalog.facts)
            })
            .collect();
        Tables::hashed_as(&seen)
    }
}

/// A table with the columns that these facts give it by the names in `called`, where the columns that
/// there are hold the same values.
fn seen_as(
    mut spec: TableSpec,
    mut called: TableSpec,
    wanted: &[Fact],
    now: &[Fact],
) -> Option<(TableSpec, TableSpec)> {
    const VALUES: [&str; 4] = ["type", "charset", "generated", "stored"];
    let of_table = |facts: &'_ [Fact], table: &ObjectName| -> BTreeMap<String, Fact> {
        let columns = facts
            .iter()
            .filter(|fact| fact.id.kind == ObjectKind::Column && fact.id.object == *table);
        columns.map(|fact| (fact.id.part.clone(), fact.clone())).collect()
    };
    let (wanted, now) = (of_table(wanted, &called.name), of_table(now, &spec.name));
    let is_generated = |fact: &Fact| text(fact, "generated").is_some();
    let names: BTreeMap<&str, &str> = called
        .columns
        .iter()
        .zip(&spec.columns)
        .map(|(called, column)| (called.name.as_str(), column.name.as_str()))
        .collect();
    let is_same = |name: &String, fact: &Fact| {
        let name = names.get(name.as_str()).copied().unwrap_or(name);
        match now.get(name) {
            Some(found) => VALUES
                .iter()
                .all(|value| found.attributes.get(*value) == fact.attributes.get(*value)),
            // What is computed is no part of a row.
            None => is_generated(fact),
        }
    };
    if wanted.is_empty() || !wanted.iter().all(|(name, fact)| is_same(name, fact)) {
        return None;
    }
    let is_there: Vec<bool> =
        called.columns.iter().map(|column| wanted.contains_key(&column.name)).collect();
    let has_key = called.key.column_names().iter().all(|name| wanted.contains_key(*name));
    for table in [&mut spec, &mut called] {
        let mut place = is_there.iter();
        table.columns.retain(|_| place.next().is_some_and(|is_there| *is_there));
    }
    has_key.then_some((spec, called))
}
