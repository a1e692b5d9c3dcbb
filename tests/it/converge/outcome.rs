//! How one direction of one pair can end, and what is kept of it.

use serde_json::{Value as Json, json};

/// How one direction ended. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A side is no schema for this server: the pair counts for nothing.
    DoesNotLoad,
    /// There and back, by state id and by the observer.
    Converged,
    /// No pack was made, no complete one, or one that `apply` refused before it wrote, each with
    /// its reasons.
    Refused,
    /// A snapshot was refused or is incomplete.
    NotCaptured,
    /// `pack` ended with an error that is no refusal.
    PackFailed,
    /// `apply` said that it is done, and the target is not as wanted.
    Wrong,
    /// Something is gone that the pack does not declare, or a failed `apply` left the target
    /// otherwise than it was.
    Lost,
    /// A pack was made, and running it failed: the plan is wrong, but nothing is lost.
    ApplyFailed,
    /// The pack was applied and cannot be undone exactly.
    RollbackFailed,
    /// The program panicked, was killed, or did not end.
    Crashed,
    /// The harness itself failed.
    Broken,
}

impl Outcome {
    /// One word for it, as in the details.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::DoesNotLoad => "does-not-load",
            Outcome::Converged => "converged",
            Outcome::Refused => "refused",
            Outcome::NotCaptured => "not-captured",
            Outcome::PackFailed => "pack-failed",
            Outcome::Wrong => "wrong",
            Outcome::Lost => "lost",
            Outcome::ApplyFailed => "apply-failed",
            Outcome::RollbackFailed => "rollback-failed",
            Outcome::Crashed => "crashed",
            Outcome::Broken => "broken",
        }
    }
}

/// Which way a pair was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

impl Direction {
    /// Both, with the places of the sides they lead from and to.
    pub const BOTH: [(Direction, usize, usize); 2] =
        [(Direction::Forward, 0, 1), (Direction::Backward, 1, 0)];
}

/// An end before the good one, with what was said.
#[derive(Debug, Clone)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// Why: whole texts, with their names.
    pub why: Vec<String>,
}

impl Ending {
    /// An ending for one reason.
    pub fn new(outcome: Outcome, why: impl Into<String>) -> Ending {
        Ending { outcome, why: vec![why.into()] }
    }
}

/// One direction of one pair.
#[derive(Debug, Clone)]
pub struct Report {
    pub id: String,
    pub suite: &'static str,
    pub engine: String,
    pub direction: Direction,
    pub ending: Ending,
    /// Tables that no row could be put into, on either side.
    pub empty_tables: Vec<String>,
    /// Rows on the side it leads from.
    pub rows: u64,
    /// Where the databases and the pack are kept, if they are.
    pub kept: Option<String>,
}

impl Report {
    /// One line of the details.
    pub fn json(&self) -> Json {
        json!({
            "suite": self.suite,
            "engine": self.engine,
            "id": self.id,
            "direction": match self.direction {
                Direction::Forward => "current-to-desired",
                Direction::Backward => "desired-to-current",
            },
            "outcome": self.ending.outcome.word(),
            "reasons": super::reasons::distinct(self),
            "why": self.ending.why,
            "rows": self.rows,
            "empty_tables": self.empty_tables,
            "kept": self.kept,
        })
    }
}
