//! The verdict of a comparison as one JSON object (`docs/json.md`).

use serde_json::{Value as Json, json};

use super::schema;
use crate::diff::{Comparison, RowCounts, Verdict};
use crate::model::{NotCaptured, ObjectName, SnapshotId, StateId};

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct Side {
    /// The snapshot; of a live source, one that nothing names.
    pub snapshot: SnapshotId,
    /// Its state.
    pub state: StateId,
    /// Whether it stored keys and row hashes only, so that nobody knows which cells changed.
    pub is_hash_only: bool,
    /// What the snapshot leaves out.
    pub not_captured: Vec<NotCaptured>,
}

/// Everything a comparison found, rows counted.
#[derive(Debug, Clone)]
pub struct DiffReport {
    /// The left side.
    pub from: Side,
    /// The right side.
    pub to: Side,
    /// Schema changes and tables that differ.
    pub comparison: Comparison,
    /// Row counts of the tables whose rows differ, in the order of the tables.
    pub counts: Vec<(ObjectName, RowCounts)>,
}

impl DiffReport {
    /// The verdict: never equal while anything is incomplete.
    pub fn verdict(&self) -> Verdict {
        let rows = self.counts.iter().any(|(_, counts)| *counts != RowCounts::default());
        if rows || !self.comparison.schema.is_empty() {
            Verdict::Different
        } else if !self.comparison.incomplete.is_empty() {
            Verdict::Incomplete
        } else if self.from.state == self.to.state || self.comparison.tables.is_empty() {
            Verdict::Equal
        } else {
            Verdict::Different
        }
    }

    /// What either side leaves out, each once.
    pub fn not_captured(&self) -> Vec<&NotCaptured> {
        not_captured_by(&self.from.not_captured, &self.to.not_captured)
    }

    /// The object that `diff --json` prints.
    pub fn to_json(&self) -> Json {
        let side = |side: &Side| {
            json!({
                "snapshot": side.snapshot.to_string(),
                "state": side.state.to_string(),
                "hash_only": side.is_hash_only,
            })
        };
        let tables: Vec<Json> = self
            .counts
            .iter()
            .map(|(name, counts)| {
                json!({
                    "name": name.to_string(),
                    "inserted": counts.inserted,
                    "deleted": counts.deleted,
                    "updated": counts.updated,
                })
            })
            .collect();
        json!({
            "verdict": verdict_word(self.verdict()),
            "from": side(&self.from),
            "to": side(&self.to),
            "schema": self.comparison.schema.iter().map(schema::to_json).collect::<Vec<_>>(),
            "tables": tables,
            "incomplete": self.comparison.incomplete,
            "not_captured": self.not_captured().into_iter().map(not_captured).collect::<Vec<_>>(),
        })
    }
}

/// The stable word for a verdict.
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equal => "equal",
        Verdict::Different => "different",
        Verdict::Incomplete => "incomplete",
    }
}

/// What either side leaves out, each once.
pub fn not_captured_by<'a>(from: &'a [NotCaptured], to: &'a [NotCaptured]) -> Vec<&'a NotCaptured> {
    let mut all: Vec<&NotCaptured> = from.iter().chain(to).collect();
    all.sort();
    all.dedup();
    all
}

/// Something left out, as an element of `not_captured`.
pub fn not_captured(item: &NotCaptured) -> Json {
    json!({
        "kind": item.kind,
        "name": item.name,
        "reason": item.reason,
        "unknown": item.is_unknown,
    })
}
