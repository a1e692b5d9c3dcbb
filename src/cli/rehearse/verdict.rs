//! What a rehearsal showed, as people and scripts are told (`docs/json.md`, "rehearse").

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde_json::{Value as Json, json};

use super::super::apply::drift_words;
use super::super::error::CliError;
use crate::apply::Outcome;
use crate::engine::{HeldLock, RelationFile};
use crate::pack::Manifest;
use crate::report::stat::plural;
use crate::report::value::{self, visible};

/// What a pack locked and wrote anew.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Modes by relation, plain reading aside; none where the server does not tell.
    locks: Option<BTreeMap<String, BTreeSet<String>>>,
    /// Tables and indexes that are in another file than before.
    rewritten: Option<Vec<String>>,
}

impl Effects {
    pub(super) fn new(
        locks: Option<Vec<HeldLock>>,
        before: Option<&[RelationFile]>,
        after: Option<&[RelationFile]>,
    ) -> Effects {
        let known: BTreeMap<&str, &str> = before
            .into_iter()
            .flatten()
            .map(|file| (file.relation.as_str(), file.name.as_str()))
            .collect();
        let locks = locks.map(|locks| {
            let mut modes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for lock in locks.into_iter().filter(|lock| lock.mode != "AccessShareLock") {
                let name = lock.name.or_else(|| {
                    let name = known.get(lock.relation.as_str())?;
                    Some(format!("{name} (dropped)"))
                });
                // What was made and dropped again was never there for others.
                if let Some(name) = name {
                    modes.entry(name).or_default().insert(lock.mode);
                }
            }
            modes
        });
        let rewritten = before.zip(after).map(|(before, after)| {
            let old: BTreeMap<&str, &str> =
                before.iter().map(|f| (f.relation.as_str(), f.file.as_str())).collect();
            let is_other = |f: &&RelationFile| {
                old.get(f.relation.as_str()).is_some_and(|file| *file != f.file)
            };
            let of = |f: &RelationFile| match f.is_table {
                true => f.name.clone(),
                false => format!("{} (index)", f.name),
            };
            after.iter().filter(is_other).map(of).collect()
        });
        Effects { locks, rewritten }
    }
}

/// What a rehearsal showed.
pub(super) struct Verdict {
    base: String,
    outcome: Outcome,
    pub(super) effects: Effects,
    pub(super) times: Vec<(&'static str, f64)>,
    /// What of the scratch database could not be taken back.
    pub(super) left_behind: Option<String>,
    after: Option<String>,
    /// Whether the state is the wanted one; none where the pack does not promise that.
    converges: Option<bool>,
    back: Option<Outcome>,
    restored: Option<String>,
}

impl Verdict {
    pub(super) fn new(base: &str, outcome: Outcome) -> Verdict {
        Verdict {
            base: base.to_owned(),
            outcome,
            effects: Effects::default(),
            times: Vec::new(),
            left_behind: None,
            after: None,
            converges: None,
            back: None,
            restored: None,
        }
    }

    /// The state that the way there left.
    pub(super) fn forward(&mut self, state: &str, manifest: &Manifest, is_exact: bool) {
        self.after = Some(state.to_owned());
        let is_promised = manifest.is_complete && is_exact;
        self.converges = is_promised.then(|| manifest.wanted.state == state);
    }

    /// The way back, and the state that it left.
    pub(super) fn back(&mut self, outcome: Outcome, state: &str) {
        self.back = Some(outcome);
        self.restored = Some(state.to_owned());
    }

    fn goes_back(&self) -> bool {
        self.back.as_ref().is_some_and(Outcome::is_success)
            && self.restored.as_ref() == Some(&self.base)
    }

    /// Whether the pack did what it promises, there and back.
    pub(super) fn is_good(&self) -> bool {
        self.outcome.is_success() && self.converges != Some(false) && self.goes_back()
    }

    fn word(&self) -> &'static str {
        match self {
            _ if !self.outcome.is_success() => "refused",
            _ if self.converges == Some(false) => "differs",
            _ if !self.goes_back() => "does-not-go-back",
            _ if self.converges.is_none() => "runs",
            _ => "converges",
        }
    }

    pub(super) fn to_json(&self) -> Json {
        let times: Vec<Json> = self
            .times
            .iter()
            .map(|(what, s)| json!({"step": what, "seconds": rounded(*s)}))
            .collect();
        json!({
            "outcome": self.word(),
            "states": { "base": self.base, "after": self.after, "restored": self.restored },
            "migration": self.outcome,
            "rollback": self.back,
            "locks": self.effects.locks,
            "rewritten": self.effects.rewritten,
            "times": times,
            "left_behind": self.left_behind,
        })
    }

    pub(super) fn print(&self, out: &mut dyn Write, manifest: &Manifest) -> Result<(), CliError> {
        let text = match self.word() {
            "refused" => "the pack does not run on the snapshot it was made from",
            "differs" => "the pack runs, and what it leaves is not the wanted state",
            "does-not-go-back" => {
                "the pack runs, and its rollback does not bring the snapshot back"
            }
            "runs" if manifest.is_complete => {
                "the pack runs and goes back; its rows and schema are as reviewed"
            }
            "runs" => "the pack runs and goes back; it leaves out some of the wanted state",
            _ => "the pack leaves the wanted state, and its rollback brings the snapshot back",
        };
        writeln!(out, "{}: {text}", self.word())?;
        let short = |state: &str| state.get(..12).unwrap_or(state).to_owned();
        let states = [Some(&self.base), self.after.as_ref(), self.restored.as_ref()];
        let states: Vec<String> = states.into_iter().flatten().map(|state| short(state)).collect();
        writeln!(out, "  states: {}", states.join(" → "))?;
        for outcome in [Some(&self.outcome), self.back.as_ref()].into_iter().flatten() {
            let (what, statements) = (outcome.direction, plural(outcome.statements, "statement"));
            writeln!(out, "  {what}: {statements}, {}", plural(outcome.rows.total(), "row"))?;
            for reason in reasons(outcome) {
                writeln!(out, "    {}", visible(&reason))?;
            }
        }
        self.print_effects(out, manifest)?;
        for (what, seconds) in &self.times {
            writeln!(out, "  {seconds:>9.3} s  {what}")?;
        }
        if let Some(left) = &self.left_behind {
            writeln!(out, "the scratch database is not as it was: {}", visible(left))?;
        }
        Ok(())
    }

    fn print_effects(&self, out: &mut dyn Write, manifest: &Manifest) -> Result<(), CliError> {
        match &self.effects.locks {
            Some(locks) => {
                for (relation, modes) in locks {
                    let modes: Vec<&str> = modes.iter().map(String::as_str).collect();
                    writeln!(out, "  locked: {} ({})", visible(relation), modes.join(", "))?;
                }
            }
            None => {
                for hazard in manifest.hazards.iter().filter(|hazard| hazard.kind == "lock") {
                    writeln!(out, "  locks, as the pack says: {}", visible(&hazard.text))?;
                }
            }
        }
        for relation in self.effects.rewritten.iter().flatten() {
            writeln!(out, "  written anew: {}", visible(relation))?;
        }
        Ok(())
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Why a run did not end well.
pub(super) fn reasons(outcome: &Outcome) -> Vec<String> {
    let reasons = outcome.reasons.iter().map(ToString::to_string);
    let drift = outcome.drift.iter().map(|drift| {
        let key: Vec<String> = drift.key.iter().map(|part| value::to_text(&part.0)).collect();
        format!("{} ({}): {}", drift.table, key.join(", "), drift_words(drift.class))
    });
    reasons.chain(drift).take(20).collect()
}
