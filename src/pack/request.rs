//! What a pack is made from: two states, what differs, what may be destroyed, where to write.

use std::path::Path;

use super::consent::Consent;
use super::error::{PackError, Refusal};
use super::spool::TableRuns;
use crate::codec::Hasher;
use crate::codec::state::StoredTable;
use crate::diff::{Comparison, Row, RowChange, TableDefinition};
use crate::fsio::FileSystem;
use crate::model::snapshot::{Scope, SourceInfo};
use crate::model::{Fact, Flow, Sequence, SinkError, SnapshotId, StateId, TableSpec, Value};

/// One of the two states a pack is made from.
#[derive(Debug, Clone)]
pub struct PackSide {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its state.
    pub state: StateId,
    /// Where it was read.
    pub source: SourceInfo,
    /// The rules it was read under.
    pub scope: Scope,
    /// Whether it holds hashes only.
    pub is_hash_only: bool,
    /// Its schema, sorted by id.
    pub facts: Vec<Fact>,
    /// The texts of its objects.
    pub definitions: Vec<TableDefinition>,
    /// Its tables.
    pub tables: Vec<StoredTable>,
    /// Its sequences.
    pub sequences: Vec<Sequence>,
}

/// Gives the rows that differ between two tables, in key order.
pub trait RowChanges {
    /// Hands every change to `take`.
    fn changes(
        &self,
        before: Option<&StoredTable>,
        after: Option<&StoredTable>,
        take: &mut dyn FnMut(RowChange) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError>;

    /// Hands every row of a table to `take`.
    fn rows(
        &self,
        table: &StoredTable,
        take: &mut dyn FnMut(Row) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError>;

    /// Whether a table has a row with exactly these values of its key.
    fn has_row(&self, table: &StoredTable, key: &[Value]) -> Result<bool, SinkError>;
}

/// What a pack is made from.
pub struct Request<'a> {
    /// What the target is like.
    pub before: &'a PackSide,
    /// What it shall become.
    pub after: &'a PackSide,
    /// What differs.
    pub comparison: &'a Comparison,
    /// The rows that differ.
    pub rows: &'a dyn RowChanges,
    /// The hash function of the store.
    pub hasher: &'a Hasher,
    /// What may be destroyed.
    pub consent: &'a Consent,
    /// Where files are written.
    pub fs: &'a dyn FileSystem,
    /// A folder for nameless scratch files.
    pub scratch: &'a Path,
    /// The folder of the pack, which must not exist yet.
    pub dir: &'a Path,
}

/// A table with its changes.
#[derive(Debug)]
pub struct ChangedTable {
    /// The table's name.
    pub name: String,
    /// Before.
    pub before: Option<TableSpec>,
    /// After.
    pub after: Option<TableSpec>,
    /// How many rows it had.
    pub rows_before: u64,
    /// The changes.
    pub runs: TableRuns,
}

/// Refuses states that no pack can be made from.
pub(super) fn check_sides(request: &Request<'_>) -> Result<(), PackError> {
    let mut refusals = Vec::new();
    for side in [request.before, request.after] {
        if side.is_hash_only {
            refusals.push(Refusal::new(
                format!("snapshot {}", side.snapshot.short()),
                "it holds keys and row hashes only, and a pack needs values",
                "take a snapshot without --hash-only",
            ));
        }
    }
    if request.before.scope != request.after.scope {
        refusals.push(Refusal::new(
            "scope",
            "the two snapshots were taken under different rules (excluded tables or key overrides)",
            "take both under the same deepdiff.toml",
        ));
    }
    if refusals.is_empty() { Ok(()) } else { Err(PackError::Refused(refusals)) }
}
