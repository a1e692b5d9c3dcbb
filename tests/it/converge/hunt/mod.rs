//! Pairs of databases by chance: whatever a seed makes of schema and rows on two sides, a pack from
//! one to the other is refused by name, or it converges and its rollback brings the first back.
//!
//! The suites of `pairs` are what people did; this is what nobody thought of. A pair depends on its
//! seed alone. `DEEPDIFF_HUNT=FROM..TO` runs other seeds than the tests do, `DEEPDIFF_HUNT_SCRIPTS`
//! names a folder for their scripts, and `DEEPDIFF_HUNT_KEEP` leaves databases and packs.

mod chance;
mod changes;
mod postgres;
mod sqlite;

use super::outcome::Outcome;
use super::pairs::{Case, Side, Suite};
use super::place::Engine;
use super::run::{self, Afterwards, Options, Progress};
use super::table;
use crate::servers;
use chance::Chance;
use postgres::Draft;

/// What no pair may end in: a pack that cannot run is as bad as one that does something else.
const BAD: [Outcome; 8] = [
    Outcome::Wrong,
    Outcome::Lost,
    Outcome::RollbackFailed,
    Outcome::Crashed,
    Outcome::Broken,
    Outcome::NotCaptured,
    Outcome::PackFailed,
    Outcome::ApplyFailed,
];

/// The pair of a seed: mostly a database and what it becomes, sometimes two that know nothing of
/// each other.
fn postgres_case(seed: u64) -> Case {
    let mut how = Chance::new(!seed);
    let base = Draft::new(seed);
    let mut wanted = if how.one_in(10) { Draft::new(seed + (1 << 40)) } else { base.clone() };
    let mut current = base;
    if how.one_in(3) {
        current.change(1 + how.below(4));
    }
    wanted.chance = Chance::new(seed + (1 << 41));
    wanted.change(1 + how.below(9));
    case(seed, &current.script, &wanted.script)
}

/// The same on SQLite.
fn sqlite_case(seed: u64) -> Case {
    let mut how = Chance::new(!seed);
    let mut current = sqlite::Draft::new(seed);
    let mut wanted = current.clone();
    if how.one_in(3) {
        current.change(1 + how.below(4));
    }
    wanted.chance = Chance::new(seed + (1 << 41));
    wanted.change(1 + how.below(9));
    case(seed, &current.script(), &wanted.script())
}

fn case(seed: u64, current: &str, wanted: &str) -> Case {
    let side = |script: &str| Side {
        setup: String::new(),
        schema: script.to_owned(),
        // Every other pair gets rows besides, mostly the same on both sides.
        seed: if seed.is_multiple_of(2) { "SELECT 1".to_owned() } else { String::new() },
    };
    Case {
        id: format!("seed-{seed}"),
        suite: Suite::Chance,
        sides: [side(current), side(wanted)],
        skipped: None,
    }
}

/// Runs the seeds that a test takes, or those that are asked for.
#[track_caller]
fn hunt(engine: &Engine, seeds: std::ops::Range<u64>, make: fn(u64) -> Case) {
    let asked = std::env::var("DEEPDIFF_HUNT").ok();
    let seeds = asked.as_deref().map_or(seeds, |text| {
        let (from, to) = text.split_once("..").expect("FROM..TO");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    let cases: Vec<Case> = seeds.map(make).collect();
    if let Some(folder) = std::env::var_os("DEEPDIFF_HUNT_SCRIPTS") {
        for case in &cases {
            for (side, name) in case.sides.iter().zip(["current", "wanted"]) {
                let path = std::path::Path::new(&folder).join(format!("{}.{name}.sql", case.id));
                std::fs::write(path, &side.schema).unwrap();
            }
        }
    }
    let progress = if asked.is_some() { Progress::Told } else { Progress::Silent };
    let afterwards = match std::env::var_os("DEEPDIFF_HUNT_KEEP") {
        Some(_) => Afterwards::Keep,
        None => Afterwards::Drop,
    };
    let options = Options { jobs: 2, afterwards, progress, told: &BAD };
    let tested = run::all(engine, &cases, &options);
    let failures = table::failures(&tested, &BAD);
    eprintln!("{}\n{}", table::markdown(&[table::Tally::of(&tested)]), table::reasons(&tested));
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn on_postgres() {
    hunt(&Engine::Postgres(servers::postgres()), 0..12, postgres_case);
}

#[test]
fn on_sqlite() {
    hunt(&Engine::Sqlite, 0..24, sqlite_case);
}
