//! Whether packs converge on schemas that others wrote, and on rows in them.
//!
//! Every pair of `schema-pairs` is a change to plan, in both directions, and so is every pair of
//! states of the hydra chains. Both sides are loaded by the engine's own client and filled with
//! rows, snapshot, packed offline, applied, compared by state id *and* by an observer that is not
//! our code, and rolled back. [`outcome::Outcome`] says how that can end.
//!
//! The tests here take a fixed tenth of all pairs. `tests/converge` runs the same code over all of
//! them and prints the table of `docs/guarantees.md`.

mod chains;
mod columns;
mod fill;
mod hunt;
mod loss;
mod observe;
mod outcome;
mod pairs;
mod place;
mod product;
mod reasons;
mod run;
mod table;
mod values;
mod whole;

use crate::lab::data_or_skip;
use crate::servers::{mariadb, postgres};

use outcome::Outcome;
use pairs::{Part, Suite};
use place::Engine;
use run::Options;
use table::Tally;

/// What may not happen, whatever else does.
const NEVER: [Outcome; 5] =
    [Outcome::Wrong, Outcome::Lost, Outcome::RollbackFailed, Outcome::Crashed, Outcome::Broken];

/// What the planner reaches today in a part of a suite. Whoever makes more converge raises it.
struct Reached {
    /// Directions that converge, at least.
    converged: usize,
    /// Packs that cannot be made for another reason than a refusal, or whose run there or back the
    /// server ended, so that everything stayed as it was: at most.
    failed: usize,
}

/// Runs the fixed part of a suite.
#[track_caller]
fn holds(engine: &Engine, suite: Suite, part: &Part, reached: &Reached) {
    let data = data_or_skip!().join("schema-pairs");
    let cases = pairs::cases(&data, engine, suite, part);
    assert!(!cases.is_empty(), "no pairs of {} for {}", suite.name(), engine.name());
    engine.make_roles(&pairs::roles(&data));
    let tested = run::all(engine, &cases, &Options { jobs: 2, ..Options::default() });
    let tally = Tally::of(&tested);
    eprintln!("{}\n{}", table::markdown(std::slice::from_ref(&tally)), table::reasons(&tested));
    let failures = table::failures(&tested, &NEVER);
    assert!(failures.is_empty(), "{failures}");
    let kinds = [Outcome::PackFailed, Outcome::ApplyFailed, Outcome::RollbackFailed];
    let failed: usize = kinds.iter().map(|kind| tally.count(*kind)).sum();
    let listed = table::failures(&tested, &kinds);
    assert!(failed <= reached.failed, "{failed} packs could not be made or run:\n{listed}");
    let (converged, before) = (tally.count(Outcome::Converged), reached.converged);
    assert!(converged >= before, "{converged} directions converged; there were {before} before");
}

// One test a suite and engine, so that they run beside each other.

#[test]
fn sqldef_on_postgres_first_half() {
    holds(
        &Engine::Postgres(postgres()),
        Suite::Sqldef,
        &Part::Twentieth(0),
        &Reached { converged: 80, failed: 0 },
    );
}

#[test]
fn sqldef_on_postgres_second_half() {
    holds(
        &Engine::Postgres(postgres()),
        Suite::Sqldef,
        &Part::Twentieth(1),
        &Reached { converged: 78, failed: 0 },
    );
}

#[test]
fn pgschema_on_postgres() {
    holds(
        &Engine::Postgres(postgres()),
        Suite::Pgschema,
        &Part::Tenth,
        &Reached { converged: 34, failed: 0 },
    );
}

#[test]
fn apgdiff_on_postgres() {
    holds(
        &Engine::Postgres(postgres()),
        Suite::Apgdiff,
        &Part::Tenth,
        &Reached { converged: 18, failed: 2 },
    );
}

#[test]
fn tusker_on_postgres() {
    holds(
        &Engine::Postgres(postgres()),
        Suite::Tusker,
        &Part::Tenth,
        &Reached { converged: 6, failed: 0 },
    );
}

#[test]
fn sqldef_on_mariadb() {
    holds(
        &Engine::Mysql(mariadb()),
        Suite::Sqldef,
        &Part::Tenth,
        &Reached { converged: 48, failed: 0 },
    );
}

#[test]
fn sqldef_on_sqlite() {
    holds(&Engine::Sqlite, Suite::Sqldef, &Part::Tenth, &Reached { converged: 18, failed: 0 });
}

#[test]
fn hydra_on_postgres() {
    holds(
        &Engine::Postgres(postgres()),
        Suite::Hydra,
        &Part::Twentieth(0),
        &Reached { converged: 32, failed: 0 },
    );
}

#[test]
fn hydra_on_mariadb() {
    holds(
        &Engine::Mysql(mariadb()),
        Suite::Hydra,
        &Part::Fortieth(0),
        &Reached { converged: 12, failed: 0 },
    );
}

#[test]
fn hydra_on_sqlite() {
    holds(
        &Engine::Sqlite,
        Suite::Hydra,
        &Part::Twentieth(0),
        &Reached { converged: 36, failed: 0 },
    );
}
