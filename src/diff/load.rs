//! A snapshot with its state, and what can be read of both.

use crate::model::snapshot::{Snapshot, State};
use crate::model::{ObjectKind, ObjectName, SnapshotId};

/// A snapshot and its state, loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedSnapshot {
    /// The snapshot's id.
    pub id: SnapshotId,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its state.
    pub state: State,
}

/// The text and the order of columns by which an object was defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// Table, index, view, trigger or virtual table.
    pub kind: ObjectKind,
    /// Its name.
    pub object: ObjectName,
    /// The statement as the server keeps it.
    pub text: String,
    /// For tables: the names of the columns in the table's order, generated ones included.
    pub column_order: Vec<String>,
}
