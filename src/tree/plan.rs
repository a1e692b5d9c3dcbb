//! What a tree is built by: a table's layout, its rules, and what is stored of it.

use std::sync::Arc;

use super::chunker::TreeRules;
use crate::codec::row::{LayoutError, RowBatch, RowLayout};
use crate::codec::{Hasher, key};
use crate::model::{TableSpec, Value, ValueRef};

/// What is stored of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// Keys and values.
    Full,
    /// Keys and row hashes, no values. The ids are the same as those of a full tree.
    HashOnly,
}

/// How the rows of one table become a tree.
#[derive(Debug, Clone)]
pub struct TreePlan {
    pub(super) table: String,
    pub(super) layout: RowLayout,
    /// The names under which the columns are stored.
    pub(super) names: Vec<String>,
    /// The names by which they are compared with others, where those are not the same.
    called: Option<Vec<String>>,
    /// What a row has in a column that is not there yet.
    pub(super) defaults: Vec<Value>,
    pub(super) mode: StoreMode,
    pub(super) table_column: Option<usize>,
    pub(super) rules: TreeRules,
}

impl TreePlan {
    /// The plan for a table, by the rules of the format.
    pub fn new(spec: &TableSpec, mode: StoreMode) -> Result<TreePlan, LayoutError> {
        Ok(TreePlan {
            table: spec.name.to_string(),
            layout: RowLayout::new(spec)?,
            names: spec.columns.iter().map(|column| column.name.clone()).collect(),
            called: None,
            defaults: spec.columns.iter().map(|column| column.default.clone()).collect(),
            mode,
            table_column: None,
            rules: TreeRules::FORMAT,
        })
    }

    /// The same, where the values of the column at `index` are ids of `Table` objects.
    #[must_use]
    pub fn with_table_column(mut self, index: usize) -> TreePlan {
        self.table_column = Some(index);
        self
    }

    /// The same for columns that others know by these names, in the order in which they are stored.
    #[must_use]
    pub fn called(mut self, names: Vec<String>) -> TreePlan {
        self.called = (names.len() == self.names.len()).then_some(names);
        self
    }

    /// The same by other rules: for measurements and tests, since every id changes with them.
    #[must_use]
    pub fn with_rules(mut self, rules: TreeRules) -> TreePlan {
        self.rules = rules;
        self
    }

    /// The table's name, as errors show it.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// How rows are encoded.
    pub fn layout(&self) -> &RowLayout {
        &self.layout
    }

    /// The key of the row with these values in the key's columns, in key order. None of them may
    /// be NULL: such a row has its own hash in its key.
    pub fn key_of<'v>(
        &self,
        values: impl IntoIterator<Item = ValueRef<'v>>,
        hasher: &Hasher,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        values.into_iter().for_each(|value| key::write_component(value, &mut bytes));
        key::finish(&mut bytes, 0, hasher);
        bytes
    }

    /// The names by which the columns are known, in the order in which they are stored: the byte
    /// order of the names they are stored under.
    pub fn column_names(&self) -> &[String] {
        self.called.as_ref().unwrap_or(&self.names)
    }

    /// The rules that cut it.
    pub fn rules(&self) -> TreeRules {
        self.rules
    }

    /// What is stored.
    pub fn mode(&self) -> StoreMode {
        self.mode
    }

    /// The plan, to be shared.
    pub fn shared(self) -> Arc<TreePlan> {
        Arc::new(self)
    }
}

/// Rows in key order, with how often each occurs.
#[derive(Debug, Default)]
pub struct CountedRows {
    /// The rows.
    pub rows: RowBatch,
    /// How often each row occurs; empty where every row occurs once.
    pub counts: Vec<u64>,
}

impl CountedRows {
    /// How often the row at `index` occurs.
    pub fn count(&self, index: usize) -> u64 {
        self.counts.get(index).copied().unwrap_or(1)
    }
}

impl From<RowBatch> for CountedRows {
    fn from(rows: RowBatch) -> Self {
        CountedRows { rows, counts: Vec::new() }
    }
}
