//! The words in which a difference is told: verdict, schema changes, row changes.

use crate::codec::state::StoredTable;
use crate::model::{Fact, FactId, ObjectKind, ObjectName, Value};
use crate::tree::rows::Row;

/// What a comparison found. `Incomplete` is never equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The states are the same.
    Equal,
    /// The states differ.
    Different,
    /// Nothing differs as far as can be told, but something could not be told.
    Incomplete,
}

/// How a fact of the schema differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaChange {
    /// What it is about.
    pub id: FactId,
    /// The fact on the left; `None` where it was created.
    pub before: Option<Fact>,
    /// The fact on the right; `None` where it was dropped.
    pub after: Option<Fact>,
}

impl SchemaChange {
    /// Whether it is about this table or view or a part of it: a column, a constraint, an index, a
    /// trigger.
    pub fn belongs_to(&self, object: &str) -> bool {
        let is_on = |fact: &Fact| {
            matches!(fact.id.kind, ObjectKind::Index | ObjectKind::Trigger)
                && fact.table().is_some_and(|table| table.to_string() == object)
        };
        self.id.object.to_string() == object
            || self.before.as_ref().is_some_and(is_on)
            || self.after.as_ref().is_some_and(is_on)
    }
}

/// A table that differs, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableComparison {
    /// The table.
    pub name: ObjectName,
    /// On the left, where it is there.
    pub before: Option<StoredTable>,
    /// On the right, where it is there.
    pub after: Option<StoredTable>,
    /// Whether the roots of the rows differ.
    pub rows_differ: bool,
    /// Whether the left and the right side stored keys and row hashes only.
    pub hash_only: (bool, bool),
}

/// Everything that differs between two states, rows aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Schema changes, sorted by id.
    pub schema: Vec<SchemaChange>,
    /// Tables that are on one side only, or whose stored tables differ; sorted by name.
    pub tables: Vec<TableComparison>,
    /// Why the comparison cannot be complete; empty where it is.
    pub incomplete: Vec<String>,
}

/// How a row differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange<V = Value> {
    /// Only on the right; or, in a table without a key, `count` times more often there.
    Inserted(Row<V>),
    /// Only on the left; or, in a table without a key, `count` times more often there.
    Deleted(Row<V>),
    /// On both sides with different cells. The keys differ only where the database takes them for
    /// the same (`KeyMatching`).
    Updated {
        /// The row on the left.
        before: Row<V>,
        /// The row on the right.
        after: Row<V>,
        /// The names of the columns whose values differ; a column that is on one side only
        /// counts where the value is unlike its default.
        changed: Vec<String>,
    },
}

/// How many rows of a table differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowCounts {
    /// Rows only on the right.
    pub inserted: u64,
    /// Rows only on the left.
    pub deleted: u64,
    /// Rows with different cells.
    pub updated: u64,
}

impl RowCounts {
    /// Counts a change.
    pub fn add<V>(&mut self, change: &RowChange<V>) {
        match change {
            RowChange::Inserted(row) => self.inserted += row.count,
            RowChange::Deleted(row) => self.deleted += row.count,
            RowChange::Updated { .. } => self.updated += 1,
        }
    }
}
