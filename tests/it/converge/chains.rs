//! The chain of migrations of ory/hydra: its states as scripts, and which of them are paired.
//!
//! A state is dumped by the engine's own program while the chain runs once. So the values that
//! migrations draw at random are the same wherever two states share a row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::pairs::{Case, Part, Side, Suite};
use super::place::{Engine, Place};

/// How many pairs of states at random.
const JUMPS: usize = 200;

#[derive(Deserialize)]
struct Step {
    up: String,
}

/// Pairs of states: consecutive ones, and jumps.
pub fn cases(data: &Path, engine: &Engine, part: &Part) -> Vec<Case> {
    let file = data.join(format!("chain-hydra-{}.jsonl", engine.family()));
    let text = std::fs::read_to_string(file).unwrap();
    let steps: Vec<Step> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pairs: Vec<(String, usize, usize)> = consecutive(steps.len())
        .chain(jumps(steps.len()))
        .map(|(kind, from, to)| {
            (format!("hydra/{}/{kind}/{from:03}-{to:03}", engine.family()), from, to)
        })
        .filter(|(id, _, _)| part.has(id))
        .collect();
    let wanted: BTreeSet<usize> = pairs.iter().flat_map(|(_, from, to)| [*from, *to]).collect();
    let states = states(engine, &steps, &wanted);
    let side = |state: &usize| Side {
        setup: String::new(),
        schema: states[state].clone(),
        seed: String::new(),
    };
    pairs
        .iter()
        .map(|(id, from, to)| Case {
            id: id.clone(),
            suite: Suite::Hydra,
            sides: [side(from), side(to)],
            skipped: None,
        })
        .collect()
}

fn consecutive(steps: usize) -> impl Iterator<Item = (&'static str, usize, usize)> {
    (0..steps).map(|state| ("step", state, state + 1))
}

/// Pairs drawn by a hash of their number, so that they are the same wherever this runs.
fn jumps(steps: usize) -> impl Iterator<Item = (&'static str, usize, usize)> {
    let mut drawn = BTreeSet::new();
    let mut number = 0u64;
    while drawn.len() < JUMPS {
        let hash = xxh3_64(&number.to_le_bytes());
        let state = |bits: u64| usize::try_from(bits % (steps as u64 + 1)).unwrap();
        let (from, to) = (state(hash >> 32), state(hash & 0xffff_ffff));
        number += 1;
        if from.abs_diff(to) > 1 {
            drawn.insert((from, to));
        }
    }
    drawn.into_iter().map(|(from, to)| ("jump", from, to))
}

/// The wanted states as scripts. State n is what the first n steps make.
fn states(engine: &Engine, steps: &[Step], wanted: &BTreeSet<usize>) -> BTreeMap<usize, String> {
    let mut states = BTreeMap::new();
    if wanted.is_empty() {
        return states;
    }
    let dir = tempfile::tempdir().unwrap();
    let chain = Place::create(engine, dir.path(), "chain");
    let mut waiting = String::new();
    for state in 0..=steps.len() {
        if state > 0 {
            waiting.push_str(&script(engine, &steps[state - 1].up));
        }
        if wanted.contains(&state) {
            match engine {
                // Some statements are MySQL's alone: the states of MariaDB are without them.
                Engine::Mysql(_) => chain.try_each(&waiting),
                Engine::Postgres(_) | Engine::Sqlite => {
                    let loaded = chain.load(&waiting);
                    loaded
                        .unwrap_or_else(|error| panic!("the chain before state {state}: {error}"));
                }
            }
            waiting.clear();
            states.insert(state, chain.dump());
        }
    }
    states
}

/// The script of a step, as the installed version takes it.
fn script(engine: &Engine, step: &str) -> String {
    let mut script = step.to_owned();
    if matches!(engine, Engine::Sqlite) {
        // SQLite has `if` as another name for `iif` since 3.48.
        for word in [" if(", "(if(", " IF(", "(IF("] {
            script = script.replace(word, &word.to_ascii_lowercase().replace("if(", "iif("));
        }
    }
    script + "\n;\n"
}
