//! What is counted, and how it is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::outcome::{Direction, Outcome, Report};
use super::reasons;

/// The counts of one suite on one engine.
#[derive(Debug, Clone)]
pub struct Tally {
    suite: &'static str,
    engine: String,
    counts: BTreeMap<Outcome, usize>,
}

impl Tally {
    /// The counts of reports that are all of one suite and engine.
    pub fn of(reports: &[Report]) -> Tally {
        let mut counts = BTreeMap::new();
        for report in reports {
            *counts.entry(report.ending.outcome).or_default() += 1;
        }
        let first = reports.first().expect("because a suite is not empty");
        Tally { suite: first.suite, engine: first.engine.clone(), counts }
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.counts.get(&outcome).copied().unwrap_or(0)
    }

    /// All but those that do not load.
    fn loaded(&self) -> usize {
        let all: usize = self.counts.values().sum();
        all - self.count(Outcome::DoesNotLoad)
    }
}

/// The table of `docs/guarantees.md`.
pub fn markdown(tallies: &[Tally]) -> String {
    let mut text = "| suite | engine | pairs that load × 2 | converged | refused | wrong | lost \
                    | apply failed | rollback failed |\n|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for tally in tallies {
        let (loaded, converged) = (tally.loaded(), tally.count(Outcome::Converged));
        let tenths = (converged * 1000).checked_div(loaded).unwrap_or(0);
        let refused = tally.count(Outcome::Refused) + tally.count(Outcome::NotCaptured);
        let failed = [Outcome::ApplyFailed, Outcome::PackFailed, Outcome::Crashed];
        let failed: usize = failed.iter().map(|outcome| tally.count(*outcome)).sum();
        writeln!(
            text,
            "| {} | {} | {loaded} | {converged} ({}.{} %) | {refused} | {} | {} | {failed} | {} |",
            tally.suite,
            tally.engine,
            tenths / 10,
            tenths % 10,
            tally.count(Outcome::Wrong),
            tally.count(Outcome::Lost),
            tally.count(Outcome::RollbackFailed),
        )
        .expect("because it is memory");
        for outcome in [Outcome::PackFailed, Outcome::Crashed, Outcome::Broken] {
            if tally.count(outcome) > 0 {
                let (count, word) = (tally.count(outcome), outcome.word());
                writeln!(text, "\n{count} of {} on {}: {word}\n", tally.suite, tally.engine)
                    .expect("because it is memory");
            }
        }
    }
    text
}

/// How often something was the reason.
#[derive(Default)]
struct Reason {
    runs: usize,
    /// Runs in which nothing else was.
    alone: usize,
    example: String,
}

/// Every reason without its names, most frequent first: in how many runs, in how many of them
/// alone, and one of them.
pub fn reasons(reports: &[Report]) -> String {
    let mut counted: BTreeMap<(Outcome, String), Reason> = BTreeMap::new();
    for report in reports {
        let distinct = reasons::distinct(report);
        for text in &distinct {
            let reason = counted.entry((report.ending.outcome, text.clone())).or_default();
            reason.runs += 1;
            reason.alone += usize::from(distinct.len() == 1);
            if reason.example.is_empty() {
                reason.example = named(report);
            }
        }
    }
    let mut listed: Vec<_> = counted.into_iter().collect();
    listed.sort_by(|((a, _), x), ((b, _), y)| a.cmp(b).then(y.runs.cmp(&x.runs)));
    let mut text = String::new();
    let mut last = None;
    for ((outcome, why), Reason { runs, alone, example }) in listed {
        if last != Some(outcome) {
            writeln!(text, "\n{}: runs, alone, why, example", outcome.word())
                .expect("because it is memory");
            last = Some(outcome);
        }
        writeln!(text, "{runs:6} {alone:6}  {why}  [{example}]").expect("because it is memory");
    }
    text
}

/// The reports that ended in one of these ways, with all they say.
pub fn failures(reports: &[Report], outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for report in reports.iter().filter(|report| outcomes.contains(&report.ending.outcome)) {
        let word = report.ending.outcome.word();
        writeln!(text, "{word}: {} on {}", named(report), report.engine)
            .expect("because it is memory");
        for why in &report.ending.why {
            writeln!(text, "    {}", why.replace('\n', "\n      ")).expect("because it is memory");
        }
        if let Some(kept) = &report.kept {
            writeln!(text, "    kept: {kept}").expect("because it is memory");
        }
    }
    text
}

fn named(report: &Report) -> String {
    match report.direction {
        Direction::Forward => report.id.clone(),
        Direction::Backward => format!("{}, backwards", report.id),
    }
}
