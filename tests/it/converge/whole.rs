//! All pairs, or those asked for: what `tests/converge` runs. Its options come by the environment
//! (`DEEPDIFF_CONVERGE_…`), and the table goes to standard output.

use std::collections::BTreeSet;
use std::io::Write as _;

use super::outcome::{Outcome, Report};
use super::pairs::{self, Part, Suite};
use super::place::Engine;
use super::run::{self, Afterwards, Options, Progress};
use super::table::{self, Tally};
use crate::lab::test_data;
use crate::servers::{mysql_servers, postgres_servers};

#[test]
#[ignore = "takes many minutes: run tests/converge"]
fn whole() {
    let data = test_data().expect("the folder of public test data is not here");
    let data = data.join("schema-pairs");
    let options = Options {
        jobs: option("JOBS").map_or(2, |jobs| jobs.parse().expect("a number of jobs")),
        afterwards: if option("KEEP").is_some() { Afterwards::Keep } else { Afterwards::Drop },
        progress: Progress::Told,
        told: &super::NEVER,
    };
    let part = match (option("ID"), option("TENTH")) {
        (Some(id), _) => Part::Named(id),
        (None, Some(_)) => Part::Tenth,
        (None, None) => Part::All,
    };
    let mut tallies = Vec::new();
    let mut reports = Vec::new();
    for engine in engines() {
        engine.make_roles(&pairs::roles(&data));
        for suite in Suite::ALL {
            if option("SUITE").is_some_and(|name| name != suite.name()) || !has(&engine, suite) {
                continue;
            }
            let cases = pairs::cases(&data, &engine, suite, &part);
            if cases.is_empty() {
                continue;
            }
            eprintln!("{} on {}: {} pairs", suite.name(), engine.name(), cases.len());
            let tested = run::all(&engine, &cases, &options);
            write_details(&tested);
            tallies.push(Tally::of(&tested));
            reports.extend(tested);
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{}", table::markdown(&tallies)).unwrap();
    writeln!(out, "{}", table::reasons(&reports)).unwrap();
    let bad = [&super::NEVER[..], &[Outcome::NotCaptured, Outcome::PackFailed]].concat();
    writeln!(out, "{}", table::failures(&reports, &bad)).unwrap();
    writeln!(out, "{}", unexpected_loads(&data, &reports)).unwrap();
}

fn option(name: &str) -> Option<String> {
    std::env::var(format!("DEEPDIFF_CONVERGE_{name}")).ok().filter(|text| !text.is_empty())
}

/// Which suites an engine has pairs of.
fn has(engine: &Engine, suite: Suite) -> bool {
    matches!(engine, Engine::Postgres(_)) || matches!(suite, Suite::Sqldef | Suite::Hydra)
}

/// The engines asked for: by family, or a server by its name. By default one of each family.
fn engines() -> Vec<Engine> {
    let postgres = postgres_servers().into_iter().map(Engine::Postgres);
    let mysql = mysql_servers().into_iter().map(Engine::Mysql);
    let all: Vec<Engine> = postgres.chain(mysql).chain([Engine::Sqlite]).collect();
    let mut families = BTreeSet::new();
    let default: Vec<&Engine> =
        all.iter().filter(|engine| families.insert(engine.family())).collect();
    match option("ENGINE") {
        None => default.into_iter().cloned().collect(),
        Some(asked) => {
            let found = default.into_iter().find(|e| e.family() == asked).cloned();
            let found = found.or_else(|| all.iter().find(|e| e.name() == asked).cloned());
            let names: Vec<&str> = all.iter().map(Engine::name).collect();
            vec![found.unwrap_or_else(|| panic!("no engine {asked} among {names:?}"))]
        }
    }
}

/// Appends one JSON object a direction to the file of details.
fn write_details(reports: &[Report]) {
    let Some(path) = option("DETAILS") else { return };
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for report in reports {
        writeln!(file, "{}", report.json()).unwrap();
    }
}

/// How what loads differs from the notes, which are of the default servers.
fn unexpected_loads(data: &std::path::Path, reports: &[Report]) -> String {
    let known: BTreeSet<String> = pairs::known_not_to_load(data).into_iter().collect();
    let mut lines = BTreeSet::new();
    for report in reports.iter().filter(|report| report.engine != "sqlite") {
        let loads = report.ending.outcome != Outcome::DoesNotLoad;
        let (id, why) = (&report.id, report.ending.why.join("; "));
        match (loads, known.contains(id)) {
            (true, true) => lines.insert(format!("loads, against the notes: {id}")),
            (false, false) => {
                lines.insert(format!("does not load, against the notes: {id}: {why}"))
            }
            _ => false,
        };
    }
    lines.into_iter().collect::<Vec<_>>().join("\n")
}
