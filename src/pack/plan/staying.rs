//! Which rows and tables stay although the wanted state does not have them, and which rows do not
//! come: because deletes are not allowed, or because a strategy keeps them.

use super::Drafter;
use crate::model::{RowKey, TableSpec};
use crate::pack::request::ChangedTable;
use crate::pack::spool::Verb;

impl Drafter<'_> {
    /// Whether the key of a table changes, or its rows have none and its columns change.
    pub(super) fn loses_sight(&self, name: &str) -> bool {
        let Some((before, after)) =
            self.table(name).and_then(|table| table.before.as_ref().zip(table.after.as_ref()))
        else {
            return false;
        };
        before.key != after.key
            || (before.key == RowKey::RowHash && before.columns != after.columns)
    }

    /// Whether rows of a table change that have a key on one side only.
    pub(super) fn is_rekeyed(&self, name: &str) -> bool {
        self.table(name).is_some_and(|table| {
            let has_key = |spec: &TableSpec| spec.key != RowKey::RowHash;
            let sides = table.before.as_ref().zip(table.after.as_ref());
            table.runs.changes() > 0
                && sides.is_some_and(|(before, after)| has_key(before) != has_key(after))
        })
    }

    /// Whether every row that a table has is deleted or updated, and all of that runs.
    pub(super) fn goes_whole(&self, name: &str) -> bool {
        let mut tables = self.request.before.tables.iter();
        let stored = tables.find(|table| table.spec.name.to_string() == name);
        let has = stored.map_or(0, |table| table.rows.rows);
        let goes = self.table(name).map_or(0, |table| {
            [Verb::Delete, Verb::Update].iter().map(|verb| table.runs.of(*verb).rows).sum()
        });
        has == goes && !self.missing_for_deletes(name) && !self.keeps_rows(name)
    }

    /// Whether deletes of a table's rows are not allowed.
    pub(super) fn missing_for_deletes(&self, name: &str) -> bool {
        self.table(name).is_some_and(|table| {
            let deleted = table.runs.of(Verb::Delete).rows;
            let consent = self.request.consent;
            deleted > 0 && !consent.missing_for_deletes(name, deleted, table.rows_before).is_empty()
        })
    }

    /// Whether rows that would be deleted hold something else in a column than its default; also
    /// where that cannot be told.
    pub(super) fn holds_values(&self, name: &str, column: &str) -> bool {
        let Some(table) = self.table(name) else { return false };
        let Some(spec) = &table.before else { return false };
        let Some(place) = spec.place(column) else { return false };
        let default = &spec.columns[place].default;
        let mut deletes = self.spool.read(table.runs.of(Verb::Delete));
        deletes.any(|change| {
            change.map_or(true, |(_, change)| change.before[place].here() != Some(default))
        })
    }

    /// Whether a strategy keeps rows of a table that the wanted state does not have.
    pub(super) fn keeps_rows(&self, name: &str) -> bool {
        self.keeps(name, &[Verb::Update, Verb::Delete])
    }

    /// Whether a strategy keeps rows of a table from coming.
    pub(super) fn lacks_rows(&self, name: &str) -> bool {
        self.keeps(name, &[Verb::Insert, Verb::Update])
    }

    /// Whether a strategy keeps a table from being dropped.
    pub(super) fn keeps_table(&self, name: &str) -> bool {
        self.table(name).is_some_and(|table| table.after.is_none())
            && self.keeps(name, &[Verb::Delete])
    }

    fn keeps(&self, name: &str, verbs: &[Verb]) -> bool {
        let keeps = |table: &ChangedTable| verbs.iter().any(|v| table.runs.kept(*v).changes > 0);
        self.table(name).is_some_and(keeps)
    }
}
