//! What came of running a pack, as people and scripts are told (`docs/json.md`, "apply").

use serde::Serialize;

use crate::pack::exact::Exact;
use crate::pack::manifest::{RowTotals, TableTotals};
use crate::pack::{Pack, Refusal, Run};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It ran and is committed.
    Applied,
    /// It had been run before; nothing was written.
    AlreadyApplied,
    /// It ran as it would, and was rolled back as asked.
    DryRun,
    /// Something spoke against it before the first write.
    Refused,
    /// Something spoke against it while it ran; everything is as it was.
    RolledBack,
    /// Every check spoke for it. Its statements would each commit, so they did not run.
    Checked,
    /// It ended between its first step and its last one: it can be gone on with, or undone.
    Unfinished,
}

/// How a row differs from what the pack was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftClass {
    /// It is not as it was in the base snapshot.
    Changed,
    /// It is gone.
    Missing,
    /// It is there and should not be.
    Extra,
    /// It is already as the pack would leave it.
    AlreadyApplied,
    /// It refers to a row that goes, and the pack does not know it.
    Referring,
}

/// A row that is not as the pack expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The table.
    pub table: String,
    /// The row's key; empty where rows have none.
    pub key: Vec<Exact>,
    /// How it differs.
    pub class: DriftClass,
    /// For people: what is there instead.
    pub found: String,
}

/// What came of running a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub outcome: Ending,
    /// The pack's digest.
    pub pack: String,
    /// `migration` or `rollback`.
    pub direction: &'static str,
    /// How many statements ran.
    pub statements: u64,
    /// How many rows they changed.
    pub rows: RowTotals,
    /// Rows that are not as expected, up to a limit.
    pub drift: Vec<Drift>,
    /// How many there are in all.
    pub drifted: u64,
    /// Why it was refused or rolled back, other than by drift.
    pub reasons: Vec<Refusal>,
    /// Rows that triggers changed, by table.
    pub side_effects: Vec<TableTotals>,
    /// The target's state after it, where the whole target was read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl Outcome {
    /// That of a run whose receipt was found in the target after its answer was lost.
    pub fn committed(pack: &Pack, run: Run, statements: u64) -> Outcome {
        let rows = pack.way(run).rows;
        Outcome { outcome: Ending::Applied, statements, rows, ..Outcome::nothing_yet(pack, run) }
    }

    /// That of a run that has done nothing so far.
    pub(super) fn nothing_yet(pack: &Pack, run: Run) -> Outcome {
        Outcome {
            outcome: Ending::Refused,
            pack: pack.manifest.pack.clone(),
            direction: run.as_str(),
            statements: 0,
            rows: RowTotals::default(),
            drift: Vec::new(),
            drifted: 0,
            reasons: Vec::new(),
            side_effects: Vec::new(),
            state: None,
        }
    }

    /// Whether the target is as the pack says, now or already before.
    pub fn is_success(&self) -> bool {
        !matches!(self.outcome, Ending::Refused | Ending::RolledBack | Ending::Unfinished)
    }
}
