//! Runs pairs: both directions of each, on several threads.
//!
//! A pair has two databases, each loaded once. Forward, the first is changed into the second and
//! back; backward, the second into the first. Each is compared with what the other was before
//! anything was applied, so that one direction's failure does not touch the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fill::fill;
use super::loss;
use super::observe::Observation;
use super::outcome::{Direction, Ending, Outcome, Report};
use super::pairs::{Case, Suite};
use super::place::{Engine, Place};
use super::product::{Applied, Workspace};

/// How pairs are run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Threads.
    pub jobs: usize,
    pub afterwards: Afterwards,
    pub progress: Progress,
    /// The endings that are told as they come.
    pub told: &'static [Outcome],
}

/// What becomes of databases and packs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Afterwards {
    #[default]
    Drop,
    Keep,
}

/// Whether standard error tells how far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    #[default]
    Silent,
    Told,
}

/// Both directions of every pair, in the order of the pairs.
pub fn all(engine: &Engine, cases: &[Case], options: &Options) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { break };
                    let done = guarded(engine, case, options);
                    if options.progress == Progress::Told {
                        eprint!("{}", super::table::failures(&done, options.told));
                    }
                    reports.lock().unwrap().push((at, done));
                    if options.progress == Progress::Told && (at + 1).is_multiple_of(50) {
                        eprintln!("{} of {} pairs", at + 1, cases.len());
                    }
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap();
    reports.sort_by_key(|(at, _)| *at);
    reports.into_iter().flat_map(|(_, done)| done).collect()
}

/// A failure of the harness is a report, too, and ends no other pair.
fn guarded(engine: &Engine, case: &Case, options: &Options) -> Vec<Report> {
    catch_unwind(AssertUnwindSafe(|| pair(engine, case, options))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let ending = Ending::new(Outcome::Broken, text.unwrap_or_default());
        Direction::BOTH.map(|(direction, _, _)| report(engine, case, direction, &ending)).into()
    })
}

fn report(engine: &Engine, case: &Case, direction: Direction, ending: &Ending) -> Report {
    Report {
        id: case.id.clone(),
        suite: case.suite.name(),
        engine: engine.name().to_owned(),
        direction,
        ending: ending.clone(),
        empty_tables: Vec::new(),
        rows: 0,
        kept: None,
    }
}

fn pair(engine: &Engine, case: &Case, options: &Options) -> Vec<Report> {
    let both = |ending: &Ending| {
        Direction::BOTH.map(|(direction, _, _)| report(engine, case, direction, ending)).to_vec()
    };
    if let Some(why) = case.skipped {
        return both(&Ending::new(Outcome::DoesNotLoad, why));
    }
    let workspace = match Workspace::new() {
        Ok(workspace) => workspace,
        Err(ending) => return both(&ending),
    };
    let places = ["current", "desired"].map(|name| Place::create(engine, workspace.path(), name));
    let mut reports = match Scene::set(&workspace, &places, case) {
        Ok(mut scene) => Direction::BOTH
            .map(|(direction, from, to)| {
                let ending = scene.try_direction(from, to);
                let mut report = report(engine, case, direction, &ending);
                scene.describe(&mut report, from);
                report
            })
            .to_vec(),
        Err(ending) => both(&ending),
    };
    if options.afterwards == Afterwards::Keep {
        let urls = places.each_ref().map(Place::url).join(" ");
        let _ = places.map(std::mem::ManuallyDrop::new);
        let kept = format!("{} {urls}", workspace.keep().display());
        for report in &mut reports {
            report.kept = Some(kept.clone());
        }
    }
    reports
}

/// Two loaded databases and what they were like before anything was applied.
struct Scene<'a> {
    workspace: &'a Workspace,
    places: &'a [Place; 2],
    states: [String; 2],
    /// Not looked at before there is a pack.
    observed: Option<[Observation; 2]>,
    /// Whether packs are also run dry, and those of one direction by `--verify-full`.
    is_thorough: bool,
}

/// The refs of the two sides.
const NAMES: [&str; 2] = ["current", "desired"];

impl<'a> Scene<'a> {
    fn set(workspace: &'a Workspace, places: &'a [Place; 2], case: &Case) -> Result<Self, Ending> {
        let is_by_chance = case.suite == Suite::Chance;
        for (side, place) in case.sides.iter().zip(places) {
            if is_by_chance {
                place.try_each(&side.schema);
                continue;
            }
            let loaded = place.load_side(side);
            loaded.map_err(|error| Ending::new(Outcome::DoesNotLoad, error))?;
        }
        for (number, (side, place)) in case.sides.iter().zip(places).enumerate() {
            if side.seed.trim().is_empty() {
                let broken = |error| Ending::new(Outcome::Broken, format!("rows: {error}"));
                fill(place, &case.id, number).map_err(broken)?;
            } else {
                let no_load = |error| Ending::new(Outcome::DoesNotLoad, error);
                place.load(&side.seed).map_err(no_load)?;
            }
        }
        let states = [
            workspace.snapshot(&places[0].url(), NAMES[0])?,
            workspace.snapshot(&places[1].url(), NAMES[1])?,
        ];
        let is_thorough = is_by_chance;
        Ok(Scene { workspace, places, states, observed: None, is_thorough })
    }

    /// What a report says besides, where it was looked at.
    fn describe(&self, report: &mut Report, from: usize) {
        if let Some(observed) = &self.observed {
            report.rows = observed[from].count();
            let empty = observed.iter().flat_map(Observation::empty_tables);
            report.empty_tables = empty.cloned().collect();
            report.empty_tables.sort();
            report.empty_tables.dedup();
        }
    }

    fn try_direction(&mut self, from: usize, to: usize) -> Ending {
        self.direction(from, to)
            .err()
            .unwrap_or(Ending { outcome: Outcome::Converged, why: Vec::new() })
    }

    /// What `apply` is told to check besides.
    fn checks(&self, from: usize) -> &'static [&'static str] {
        if self.is_thorough && from == 1 { &["--verify-full"] } else { &[] }
    }

    /// There and back; an error is any end but the good one.
    fn direction(&mut self, from: usize, to: usize) -> Result<(), Ending> {
        let dir = ["forward", "backward"][from];
        self.workspace.pack(NAMES[from], NAMES[to], dir)?;
        if self.observed.is_none() {
            self.observed = Some([observe(&self.places[0])?, observe(&self.places[1])?]);
        }
        let observed = self.observed.as_ref().expect("because it was just set");
        let url = self.places[from].url();
        if self.is_thorough {
            // Whatever it said and did, what follows finds the target as it was.
            self.workspace.apply(dir, &url, &["--dry-run"])?;
        }
        match self.workspace.apply(dir, &url, self.checks(from))? {
            Applied::Done => {}
            Applied::Refused(why) => {
                self.unchanged(from, dir)?;
                return Err(Ending { outcome: Outcome::Refused, why });
            }
            Applied::Failed(why) => {
                self.unchanged(from, dir)?;
                return Err(Ending { outcome: Outcome::ApplyFailed, why });
            }
        }
        let after = observe(&self.places[from])?;
        let pack = self.workspace.path().join(dir);
        self.judge(&pack, [&observed[from], &after, &observed[to]], &self.states[to])?;
        self.undo(from, dir, &observed[from])
    }

    /// Whether the target is what was wanted, and nothing else went.
    fn judge(
        &self,
        pack: &Path,
        [before, after, wanted]: [&Observation; 3],
        state: &str,
    ) -> Result<(), Ending> {
        let lost = loss::undeclared(pack, before, after);
        if !lost.is_empty() {
            return Err(Ending { outcome: Outcome::Lost, why: lost });
        }
        let mut wrong = after.differences(wanted);
        let from = usize::from(pack.ends_with("backward"));
        match self.workspace.snapshot(&self.places[from].url(), "after") {
            Ok(found) if found == state => {}
            Ok(_) => wrong.push("state: the id is not that of the wanted snapshot".to_owned()),
            Err(ending) => wrong.extend(ending.why),
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Ending { outcome: Outcome::Wrong, why: wrong }),
        }
    }

    fn undo(&self, from: usize, dir: &str, before: &Observation) -> Result<(), Ending> {
        let url = self.places[from].url();
        let back = [self.checks(from), &["--rollback"]].concat();
        let why = match self.workspace.apply(dir, &url, &back)? {
            Applied::Refused(why) | Applied::Failed(why) => why,
            Applied::Done => {
                let mut why = observe(&self.places[from])?.differences(before);
                if self.workspace.snapshot(&url, "undone")? != self.states[from] {
                    why.push("state: the id is not that of the first snapshot".to_owned());
                }
                why
            }
        };
        match why.is_empty() {
            true => Ok(()),
            false => Err(Ending { outcome: Outcome::RollbackFailed, why }),
        }
    }

    /// After a pack that did not run: the target must be as before, or a rollback must make it so.
    fn unchanged(&self, from: usize, dir: &str) -> Result<(), Ending> {
        let url = self.places[from].url();
        let is_as_before = || Ok(self.workspace.snapshot(&url, "unchanged")? == self.states[from]);
        if is_as_before()? {
            return Ok(());
        }
        self.workspace.apply(dir, &url, &["--rollback"])?;
        if is_as_before()? {
            return Ok(());
        }
        let text =
            "state: apply failed, and the target is not as it was before, nor after a rollback";
        Err(Ending::new(Outcome::Lost, text))
    }
}

fn observe(place: &Place) -> Result<Observation, Ending> {
    let broken = |error| Ending::new(Outcome::Broken, format!("the observer: {error}"));
    Observation::of(place).map_err(broken)
}
