//! The pairs of schemas: read from where they lie, chosen by suite, engine and part.

use std::path::Path;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::place::Engine;
use crate::converge::chains;

/// A collection of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    Sqldef,
    Pgschema,
    Apgdiff,
    Tusker,
    /// Consecutive states of a chain of migrations, and jumps between any two.
    Hydra,
    /// Made by chance, by scripts of which any statement may fail.
    Chance,
}

impl Suite {
    /// All that lie in files.
    pub const ALL: [Suite; 5] =
        [Suite::Sqldef, Suite::Pgschema, Suite::Apgdiff, Suite::Tusker, Suite::Hydra];

    /// Its name, which is that of its file.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Sqldef => "sqldef",
            Suite::Pgschema => "pgschema",
            Suite::Apgdiff => "apgdiff",
            Suite::Tusker => "tusker",
            Suite::Hydra => "hydra",
            Suite::Chance => "chance",
        }
    }
}

/// How much of a suite is run. Which pairs that are depends on their ids alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    All,
    Tenth,
    /// One half of the tenth: 0 or 1.
    Twentieth(u64),
    /// A quarter of the tenth: 0 to 3.
    Fortieth(u64),
    /// The ids that hold a text.
    Named(String),
}

impl Part {
    /// Whether a pair belongs to it.
    pub fn has(&self, id: &str) -> bool {
        let hash = xxh3_64(id.as_bytes());
        match self {
            Part::All => true,
            Part::Tenth => hash.is_multiple_of(10),
            Part::Twentieth(half) => hash.is_multiple_of(10) && hash / 10 % 2 == *half,
            Part::Fortieth(quarter) => hash.is_multiple_of(10) && hash / 10 % 4 == *quarter,
            Part::Named(text) => id.contains(text),
        }
    }
}

/// Two schemas for one engine: a change to plan, in both directions.
#[derive(Debug, Clone)]
pub struct Case {
    pub id: String,
    pub suite: Suite,
    /// The scripts of the two sides.
    pub sides: [Side; 2],
    /// Why it must not be tried, where that is so.
    pub skipped: Option<&'static str>,
}

/// One side: scripts that the engine's client runs one after the other.
#[derive(Debug, Clone)]
pub struct Side {
    pub setup: String,
    pub schema: String,
    /// Rows that were written for it; where there are none they are generated.
    pub seed: String,
}

/// One line of a file of pairs.
#[derive(Deserialize)]
struct Line {
    id: String,
    engine: String,
    #[serde(default)]
    setup: String,
    current: String,
    desired: String,
    #[serde(default)]
    seed: String,
    #[serde(default)]
    seed_desired: String,
}

/// The cases of a suite for an engine.
pub fn cases(data: &Path, engine: &Engine, suite: Suite, part: &Part) -> Vec<Case> {
    if suite == Suite::Hydra {
        return chains::cases(data, engine, part);
    }
    let text = std::fs::read_to_string(data.join(format!("{}.jsonl", suite.name()))).unwrap();
    let alone = needing_their_own_server(data);
    text.lines()
        .map(|line| serde_json::from_str::<Line>(line).unwrap())
        .filter(|line| line.engine == engine.family() && part.has(&line.id))
        .map(|line| Case {
            skipped: alone.contains(&line.id).then_some("it wants a server of its own"),
            id: line.id,
            suite,
            sides: [
                Side { setup: line.setup.clone(), schema: line.current, seed: line.seed },
                Side { setup: line.setup, schema: line.desired, seed: line.seed_desired },
            ],
        })
        .collect()
}

fn notes(data: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(data.join("load-notes.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The words of all lists of a name in the notes.
fn noted(data: &Path, list: &str) -> Vec<String> {
    let notes = notes(data);
    let suites = notes.as_object().unwrap().values().flat_map(|e| e.as_object().unwrap().values());
    let lists = suites.filter_map(|suite| suite.get(list)?.as_array());
    lists.flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Pairs that the notes say do not load on the default servers.
pub fn known_not_to_load(data: &Path) -> Vec<String> {
    noted(data, "do_not_load")
}

/// Roles that pairs take for granted.
pub fn roles(data: &Path) -> Vec<String> {
    let mut roles = noted(data, "roles_to_create");
    // The notes were made by an account of this name, which is elsewhere only a usual one.
    roles.push("postgres".to_owned());
    roles
}

/// Pairs that bring a server down.
fn needing_their_own_server(data: &Path) -> Vec<String> {
    noted(data, "need_a_server_of_their_own")
}
