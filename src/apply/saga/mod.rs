//! Packs that change the schema where every statement commits: a journalled sequence.
//!
//! Everything that can be known before the first statement is: the steps are tried on an empty
//! database of the same server (`proof`), what they will ask of rows is asked, and the way back from
//! every step is planned (`undo`). The journal in the target holds the course, and is written before
//! and after each step (`walk`); the rows change in one transaction (`rows`). What fails is undone;
//! what is interrupted is gone on with, or undone, by the next run, which finds in the journal and
//! in the schema where it is.

mod aside;
mod course;
mod failpoint;
mod listing;
mod proof;
mod rows;
mod swap;
mod undo;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use course::{Anew, Aside, Course, Pool, Step};
use failpoint::pass;
use listing::Listing;
use proof::{Proof, Proved};
use walk::Walked;

use super::checks::{self, Expected};
use super::error::ApplyError;
use super::names::Names;
use super::options::{Finish, Options, Place, ReadState};
use super::outcome::{Drift, Ending, Outcome};
use super::relations::Relations;
use super::rows::Tables;
use super::run::{Before, Runner};
use super::statements::Changes;
use crate::codec::Hasher;
use crate::codec::hash::HashAlgorithm;
use crate::engine::ddl::{Ddl, Schema};
use crate::engine::mysql::{MysqlSession, precheck};
use crate::engine::{EngineError, Journal, Session};
use crate::fsio::FileSystem;
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Fact, TableSpec};
use crate::pack::enforcement::Enforcement;
use crate::pack::rules::Rules;
use crate::pack::{Pack, PackError, Refusal, Run};

/// What is needed to run one.
pub(super) struct Call<'a, 's> {
    pub(super) session: &'a Session<'s>,
    pub(super) my: &'a MysqlSession<'a>,
    pub(super) identity: &'a str,
    pub(super) fs: &'a dyn FileSystem,
    pub(super) pack: &'a Pack,
    pub(super) hasher: &'a Hasher,
    pub(super) options: &'a Options,
}

/// A run.
struct Saga<'a, 's> {
    session: &'a Session<'s>,
    my: &'a MysqlSession<'a>,
    identity: &'a str,
    fs: &'a dyn FileSystem,
    pack: &'a Pack,
    hasher: &'a Hasher,
    /// That of digests, which have no key.
    plain: Hasher,
    options: &'a Options,
    scope: &'a Scope,
    ddl: Box<dyn Ddl>,
    /// The names that the pack changes.
    names: Names,
    /// The tables as they were when the walk began.
    specs: Vec<TableSpec>,
    statements: u64,
    drift: Vec<Drift>,
    drifted: u64,
}

/// Whether a pack is run so: one of its statements changes the schema.
pub(super) fn is_needed(pack: &Pack, fs: &dyn FileSystem, run: Run) -> Result<bool, PackError> {
    if !pack.manifest.changes_schema {
        return Ok(false);
    }
    let listing = listing::of(pack, fs, run)?;
    Ok(!listing.first.is_empty() || !listing.second.is_empty())
}

/// A pack on its way that is not this one, or is the matter of a run of its own.
pub(super) fn in_the_way(pack: &Pack, journal: &Journal) -> Refusal {
    let reason = format!(
        "the target is in the middle of the {} of pack {}",
        journal.direction,
        journal.pack.get(..12).unwrap_or(&journal.pack)
    );
    let hint = match journal.pack == pack.manifest.pack {
        true => "run `apply` with it, or `apply --rollback`, without --dry-run first",
        false => "run `apply` with that pack, or `apply --rollback`, first",
    };
    Refusal::new("journal", reason, hint)
}

/// Runs a pack, or goes on with it, or undoes what there is of it.
pub(super) fn run(
    call: &Call<'_, '_>,
    read_state: Option<&mut ReadState<'_>>,
) -> Result<Outcome, ApplyError> {
    let Call { session, my, identity, fs, pack, hasher, options } = *call;
    if !my.lock_changes()? {
        let mut outcome = Outcome::nothing_yet(pack, options.run);
        let reason = "another run of this program is changing the schema of the target";
        outcome.reasons.push(Refusal::new("target", reason, "wait until it has ended"));
        return Ok(outcome);
    }
    let algorithm = HashAlgorithm::from_name(&pack.manifest.hash).unwrap_or(HashAlgorithm::Blake3);
    let scope = Scope::from(&pack.manifest.scope);
    let mut saga = Saga {
        session,
        my,
        identity,
        fs,
        pack,
        hasher,
        plain: Hasher::new(algorithm),
        options,
        scope: &scope,
        ddl: Box::new(my.ddl()),
        names: Names::all(&pack.manifest),
        specs: Vec::new(),
        statements: 0,
        drift: Vec::new(),
        drifted: 0,
    };
    let ended = saga.go(read_state);
    let ended = ended.map_err(|error| saga.between(error));
    // Whoever comes next waits for the connection to end, where this cannot be said.
    let _ = my.unlock_changes();
    let mut outcome = ended?;
    outcome.statements = outcome.statements.max(saga.statements);
    outcome.drift.append(&mut saga.drift);
    outcome.drifted += saga.drifted;
    Ok(outcome)
}

/// What stands in a journal that this program has not written.
fn foreign() -> ApplyError {
    ApplyError::Journal
}

/// Whether all steps are done and were found right: what is left cannot be undone, and need not be.
fn is_finishing(journal: &Journal, course: &Course) -> bool {
    journal.is_running && journal.position >= course.steps.len() as u64
}

/// What the schema to come will ask of rows as they are, and does not get.
fn checks_of(
    my: &MysqlSession<'_>,
    from: &[Fact],
    to: &[Fact],
) -> Result<Vec<Refusal>, ApplyError> {
    let mut reasons = Vec::new();
    for check in precheck::checks(my.ddl(), &Schema::new(from), &Schema::new(to)) {
        let found = match my.first_row(&check.query) {
            Ok(found) => found,
            // What a query cannot ask is found by the step itself.
            Err(EngineError::Server { .. } | EngineError::Constraint { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(row) = found {
            let values: Vec<&str> =
                row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
            let reason = format!("{}: ({})", check.reason, values.join(", "));
            let hint = "nothing of that is in the snapshot: bring the rows in line, take a new \
                        snapshot of the target and make the pack again";
            reasons.push(Refusal::new(check.object, reason, hint));
        }
    }
    Ok(reasons)
}

/// Notes in a course which tables are put aside before the rows on both ways, by the steps that do it;
/// gives their names.
fn anew(there: &[Step], back: &[Step], course: &mut Course) -> BTreeSet<String> {
    let asides = |steps: &'_ [Step]| -> Vec<Aside> {
        steps.iter().filter_map(|step| step.aside.clone()).collect()
    };
    let back = asides(back);
    let of_both = asides(there).into_iter().filter_map(|before| {
        let after = back.iter().find(|after| after.table == before.table)?.clone();
        Some(Anew { before, after })
    });
    course.anew = of_both.collect();
    course.anew.iter().map(|anew| anew.before.table.clone()).collect()
}

impl<'a, 's> Saga<'a, 's> {
    fn opposite(run: Run) -> Run {
        match run {
            Run::Forward => Run::Back,
            Run::Back => Run::Forward,
        }
    }

    fn direction(name: &str) -> Run {
        if name == Run::Back.as_str() { Run::Back } else { Run::Forward }
    }

    fn options_of(&self, run: Run) -> Options {
        Options { run, ..self.options.clone() }
    }

    fn runner<'r>(&self, options: &'r Options) -> Runner<'r, 's>
    where
        'a: 'r,
    {
        Runner {
            place: Place::Target,
            session: self.session,
            identity: self.identity,
            fs: self.fs,
            pack: self.pack,
            hasher: self.hasher,
            options,
            outcome: Outcome::nothing_yet(self.pack, options.run),
        }
    }

    /// The reasons of a runner; what it found of rows is kept.
    fn told(&mut self, runner: Runner<'_, '_>) -> Vec<Refusal> {
        let Outcome { reasons, drift, drifted, .. } = runner.outcome;
        self.drift.extend(drift);
        self.drifted += drifted;
        reasons
    }

    fn outcome(&self, ending: Ending, reasons: Vec<Refusal>) -> Outcome {
        let nothing = Outcome::nothing_yet(self.pack, self.options.run);
        Outcome { outcome: ending, reasons, ..nothing }
    }

    /// An error after the first step leaves the target between two states.
    fn between(&self, error: ApplyError) -> ApplyError {
        if matches!(error, ApplyError::CommitUnknown { .. }) {
            return error;
        }
        match self.my.journal() {
            Ok(None) => error,
            Ok(Some(journal)) => {
                ApplyError::Unfinished { done: journal.position, source: Box::new(error) }
            }
            Err(_) if self.statements == 0 => error,
            Err(_) => ApplyError::Unfinished { done: self.statements, source: Box::new(error) },
        }
    }

    fn go(&mut self, read_state: Option<&mut ReadState<'_>>) -> Result<Outcome, ApplyError> {
        let Some(journal) = self.my.journal()? else { return self.fresh(read_state) };
        let is_other = journal.pack != self.pack.manifest.pack;
        if is_other || self.options.finish == Finish::DryRun {
            return Ok(self.outcome(Ending::Refused, vec![in_the_way(self.pack, &journal)]));
        }
        let options = self.options_of(self.options.run);
        let mut runner = self.runner(&options);
        if !runner.is_target() {
            let reasons = self.told(runner);
            return Ok(self.outcome(Ending::Refused, reasons));
        }
        let course = Course::from_text(&journal.course).ok_or_else(foreign)?;
        let running = Saga::direction(&journal.direction);
        let is_wanted = running == self.options.run;
        if journal.is_undoing {
            return match self.undo_on(&journal, &course, is_wanted)? {
                Err(reasons) => Ok(self.outcome(Ending::Unfinished, reasons)),
                Ok(reasons) if !reasons.is_empty() => Ok(self.outcome(Ending::RolledBack, reasons)),
                Ok(_) if is_wanted => self.fresh(read_state),
                Ok(_) => Ok(self.applied()),
            };
        }
        if is_wanted {
            return self.there(running, &journal, &course, None, read_state);
        }
        if is_finishing(&journal, &course) {
            self.finish(running)?;
            return self.fresh(read_state);
        }
        match self.place(&journal, &course)? {
            // What was lost comes back from the end.
            Ok(done) if !self.lost(&course, done).is_empty() => {
                let ended = self.there(running, &journal, &course, None, None)?;
                if ended.outcome == Ending::Applied { self.fresh(read_state) } else { Ok(ended) }
            }
            Ok(done) => match self.undo(&journal, &course, done, false)? {
                Err(reasons) => Ok(self.outcome(Ending::Unfinished, reasons)),
                Ok(reasons) if reasons.is_empty() => Ok(self.applied()),
                Ok(reasons) => Ok(self.outcome(Ending::RolledBack, reasons)),
            },
            Err(reasons) => Ok(self.outcome(Ending::Unfinished, reasons)),
        }
    }

    fn applied(&self) -> Outcome {
        let rows = self.pack.way(self.options.run).rows;
        Outcome { rows, ..self.outcome(Ending::Applied, Vec::new()) }
    }

    /// A run from its beginning.
    fn fresh(&mut self, read_state: Option<&mut ReadState<'_>>) -> Result<Outcome, ApplyError> {
        let is_dry = self.options.finish == Finish::DryRun;
        if !is_dry {
            self.session.prepare_receipts()?;
            self.my.prepare_journal()?;
        }
        if let Some(table) = self.my.trash()?.first() {
            let reason = "it was put aside by a run that nothing else is known of";
            let refusal = Refusal::new(table, reason, "look at it, and drop or rename it");
            return Ok(self.outcome(Ending::Refused, vec![refusal]));
        }
        let options = self.options_of(self.options.run);
        let mut runner = self.runner(&options);
        self.session.begin()?;
        let gate = Self::gate(&mut runner, self.scope);
        self.session.rollback()?;
        let Some((catalog, before)) = gate? else {
            let ending = runner.outcome.outcome;
            let reasons = self.told(runner);
            return Ok(self.outcome(ending, reasons));
        };
        drop(runner);
        let course = match self.proved(&catalog)? {
            Ok(course) => course,
            Err(reasons) => return Ok(self.outcome(Ending::Refused, reasons)),
        };
        let reasons = self.demanded(&course, &catalog)?;
        if !reasons.is_empty() {
            return Ok(self.outcome(Ending::Refused, reasons));
        }
        if is_dry {
            return Ok(self.outcome(Ending::Checked, Vec::new()));
        }
        let journal = Journal {
            pack: self.pack.manifest.pack.clone(),
            direction: self.options.run.as_str().to_owned(),
            is_undoing: false,
            position: 0,
            is_running: false,
            course: course.to_text(),
        };
        self.my.write_journal(&journal)?;
        self.there(self.options.run, &journal, &course, Some(before), read_state)
    }

    /// What the steps before the rows will ask of rows as they are, and do not get.
    fn demanded(&self, course: &Course, catalog: &Catalog) -> Result<Vec<Refusal>, ApplyError> {
        let rows = course.rows_at().unwrap_or(0);
        let mut middle = course.facts_after(rows);
        // Rows are asked while they go by the old names.
        if course.last_rename(0..rows).is_some() {
            middle = self.names.taken_back(Enforcement::Mysql, &middle);
        }
        // What is made anew takes none of the rows that there are.
        let is_anew = |fact: &&Fact| {
            let table = fact.id.object.to_string();
            let mut anew = course.anew.iter().map(|anew| &anew.before.table);
            anew.any(|name| *name == table || self.names.old(name) == table)
        };
        let asked: Vec<Fact> = catalog.facts.iter().filter(|f| !is_anew(f)).cloned().collect();
        checks_of(self.my, &asked, &middle)
    }

    /// What every pack is checked for before its first write.
    fn gate(
        runner: &mut Runner<'_, '_>,
        scope: &Scope,
    ) -> Result<Option<(Catalog, Before)>, ApplyError> {
        let catalog = runner.session.catalog(scope)?;
        if !runner.may_run()? {
            return Ok(None);
        }
        Ok(runner.before(&catalog)?.map(|before| (catalog, before)))
    }

    /// The course, proved there and back on an empty database.
    fn proved(&self, catalog: &Catalog) -> Proved<Course> {
        let run = self.options.run;
        let Listing { preparations, mut first, mut second, trash } =
            listing::of(self.pack, self.fs, run)?;
        let mut back = listing::of(self.pack, self.fs, Saga::opposite(run))?;
        let mut pool = Pool::default();
        let mut course = Course::default();
        course.preparations = preparations;
        course.start = pool.places(&catalog.facts);
        course.from = course.start.clone();
        course.remember_keys(&catalog.tables);
        let begun =
            Proof::begin(self.my, self.ddl.as_ref(), self.scope, &self.plain, &catalog.facts)?;
        let mut proof = match begun {
            Ok(proof) => proof,
            Err(refusals) => return Ok(Err(refusals)),
        };
        if let Err(refusals) = proof.run(&mut first, &mut pool)? {
            return Ok(Err(refusals));
        }
        let touched = checks::overview(&mut self.pack.steps(self.fs, run)?)?.events;
        let touched: BTreeSet<String> = touched.into_keys().collect();
        if let Err(refusals) = proof.takes_rows(&touched)? {
            return Ok(Err(refusals));
        }
        if let Err(refusals) = proof.run(&mut second, &mut pool)? {
            return Ok(Err(refusals));
        }
        course.end = proof.places(&mut pool);
        let mut wrong = self.not_the_end(&proof.facts)?;
        let refilled: BTreeSet<String> = anew(&first, &back.first, &mut course);
        let touched = touched.difference(&refilled).cloned().collect();
        wrong.extend(proof.rekeyed(catalog, &touched, &self.names)?);
        if !wrong.is_empty() {
            return Ok(Err(wrong));
        }
        proof.empty_trash(&trash)?;
        if let Err(refusals) = proof.run(&mut back.first, &mut pool)? {
            return Ok(Err(refusals));
        }
        course.turn = proof.places(&mut pool);
        if let Err(refusals) = proof.run(&mut back.second, &mut pool)? {
            return Ok(Err(refusals));
        }
        let wrong = proof.differences(&catalog.facts, &self.plain);
        proof.end()?;
        if !wrong.is_empty() {
            return Ok(Err(wrong));
        }
        course.steps = first;
        course.steps.push(Step::rows());
        course.steps.extend(second);
        course.tail = back.second;
        pool.into_course(&mut course);
        let mut wrong = self.irreversible(&course);
        wrong.extend(self.held_from_elsewhere(&course, &catalog.facts)?);
        Ok(if wrong.is_empty() { Ok(course) } else { Err(wrong) })
    }

    /// What of a schema is not as the pack says it will be.
    fn not_the_end(&self, facts: &[Fact]) -> Result<Vec<Refusal>, ApplyError> {
        let run = self.options.run;
        let wanted = &self.pack.way(run).schema_after;
        let end = if run == Run::Forward { Expected::After } else { Expected::Before };
        let found = checks::schema_differences(self.fs, self.pack, facts, wanted, end)?;
        let reason = "the steps lead elsewhere on an empty database";
        let hint = "nothing was changed; this pack does not fit this server";
        let found = found.into_iter().flatten();
        Ok(found.map(|what| Refusal::new(what, reason, hint)).collect())
    }

    /// Goes the way there; what fails is undone.
    fn there(
        &mut self,
        run: Run,
        journal: &Journal,
        course: &Course,
        before: Option<Before>,
        read_state: Option<&mut ReadState<'_>>,
    ) -> Result<Outcome, ApplyError> {
        let is_finishing = is_finishing(journal, course);
        let (done, reasons) = match is_finishing {
            true => (course.steps.len(), Vec::new()),
            false => match self.walk(journal, course)? {
                Walked::Through => {
                    pass("verify");
                    (course.steps.len(), self.verified(run, course, before, read_state)?)
                }
                Walked::Failed(done, reasons) => (done, reasons),
                Walked::Lost(reasons) => {
                    return Ok(self.outcome(Ending::Unfinished, reasons));
                }
            },
        };
        if reasons.is_empty() && self.drifted == 0 {
            if !is_finishing {
                self.my.advance_journal(course.steps.len() as u64, true)?;
            }
            self.finish(run)?;
            return Ok(self.applied());
        }
        match self.undo(journal, course, done, true)? {
            Ok(more) => {
                let reasons = reasons.into_iter().chain(more).collect();
                Ok(self.outcome(Ending::RolledBack, reasons))
            }
            Err(more) => {
                let reasons = reasons.into_iter().chain(more).collect();
                Ok(self.outcome(Ending::Unfinished, reasons))
            }
        }
    }

    /// What is not as it shall be when all steps are done.
    fn verified(
        &mut self,
        run: Run,
        course: &Course,
        before: Option<Before>,
        read_state: Option<&mut ReadState<'_>>,
    ) -> Result<Vec<Refusal>, ApplyError> {
        let options = self.options_of(run);
        let mut runner = self.runner(&options);
        self.session.begin()?;
        let looked = self.look(&mut runner, course, before, read_state);
        self.session.rollback()?;
        looked?;
        Ok(self.told(runner))
    }

    fn look(
        &self,
        runner: &mut Runner<'_, '_>,
        course: &Course,
        before: Option<Before>,
        read_state: Option<&mut ReadState<'_>>,
    ) -> Result<(), ApplyError> {
        let (catalog, names) = (runner.session.catalog(self.scope)?, &self.names);
        let before = match before {
            Some(before) => before,
            None => Before {
                tables: Tables::new(&course.keyed(&catalog.tables, names))?,
                rules: Rules::of(runner.enforcement()?, &catalog.facts),
                multisets: BTreeMap::new(),
                violations: None,
                changes_schema: true,
                firing: BTreeSet::new(),
                dropped_foreign_keys: BTreeSet::new(),
                relations: Relations::default(),
            },
        };
        runner.after(&before, &catalog, &mut Changes::default())?;
        if !runner.is_refused()
            && let Some(read_state) = read_state
        {
            runner.state(read_state)?;
        }
        Ok(())
    }

    /// The last of a run: sequences, what was put aside, the receipt.
    fn finish(&mut self, run: Run) -> Result<(), ApplyError> {
        pass("finish");
        let options = self.options_of(run);
        self.runner(&options).sequences()?;
        self.close(Some(&options))
    }

    /// Drops what was put aside, and closes the journal, with a receipt or without.
    fn close(&mut self, receipt: Option<&Options>) -> Result<(), ApplyError> {
        for table in self.my.trash()? {
            pass("trash");
            let statement = format!("DROP TABLE IF EXISTS `{}`", table.replace('`', "``"));
            self.session.execute(&statement)?;
        }
        pass("close");
        self.session.begin()?;
        let statements = self.statements;
        let receipt = receipt.map(|options| self.runner(options).receipt(options, statements));
        if let Some(receipt) = &receipt {
            self.session.write_receipt(receipt)?;
        }
        self.my.clear_journal()?;
        pass("receipt");
        match (self.session.commit(), receipt) {
            (Ok(()), _) => Ok(()),
            (Err(source), Some(receipt)) if !self.session.is_in_transaction() => {
                Err(ApplyError::CommitUnknown { receipt: Box::new(receipt), source })
            }
            (Err(error), _) => Err(error.into()),
        }
    }
}
