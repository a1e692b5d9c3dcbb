//! Rows that do not differ, of tables that can only be made anew.
//!
//! Such a table is put aside with all its rows and filled again from the pack, so the pack has to hold
//! those too that are the same on both sides. Of a large table it does not: there the column that changes
//! in kind is made anew in its place.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::error::PackError;
use super::request::{ChangedTable, Request};
use super::schema::SchemaPlan;
use super::spool::{Change, Verb};
use super::strategy::{Fate, Strategy};
use crate::codec::state::StoredTable;
use crate::diff::{CellValue, Row, TableComparison};
use crate::engine::ddl::{Ddl, Schema};
use crate::model::{Flow, RowKey, SinkError, Value};

/// How many rows a table may have that is written as a whole.
const MOST: u64 = 20_000;

/// The tables that are written as a whole, by name.
pub(super) fn wanted(request: &Request<'_>, ddl: &dyn Ddl) -> Result<BTreeSet<String>, PackError> {
    if !request.changes_schema(request.enforcement()?) {
        return Ok(BTreeSet::new());
    }
    let (from, to) = (&request.before.facts, &request.after.facts);
    let names = ddl.made_anew(&Schema::new(from), &Schema::new(to));
    let mut wanted = BTreeSet::new();
    for table in request.comparison.tables.iter().filter(|table| names.contains(&table.name)) {
        let is_small = |side: &Option<StoredTable>| {
            side.as_ref().is_some_and(|table| table.rows.rows <= MOST && is_keyed(table))
        };
        let has_one_key = match (&table.before, &table.after) {
            (Some(before), Some(after)) => before.spec.key == after.spec.key,
            _ => false,
        };
        let choice = request.choice(&table.name)?;
        let takes_all = choice.strategy == Strategy::Theirs
            && Verb::EVERY.iter().all(|verb| choice.fate(*verb) == Fate::Taken);
        if has_one_key && is_small(&table.before) && is_small(&table.after) && takes_all {
            wanted.insert(table.name.to_string());
        }
    }
    Ok(wanted)
}

/// Those of them that a plan does not make anew: their rows were taken for nothing.
pub(super) fn for_nothing(
    wanted: &BTreeSet<String>,
    tables: &[ChangedTable],
    plan: &SchemaPlan,
) -> bool {
    let has_rows = |name: &&String| {
        let table = tables.iter().find(|table| table.name == **name);
        table.is_some_and(|table| table.runs.of(Verb::Update).changes > 0)
    };
    wanted.difference(&plan.anew).any(|name| has_rows(&name))
}

fn is_keyed(table: &StoredTable) -> bool {
    matches!(table.spec.key, RowKey::Columns { may_be_null: false, .. })
}

/// Rows with their keys, in key order.
type Rows = Vec<(Vec<Value>, Vec<CellValue>)>;

/// The key of a row; `None` where it has none, or a value of it is not here.
pub(super) fn key_of(table: &StoredTable, row: &[CellValue]) -> Option<Vec<Value>> {
    if table.spec.key == RowKey::RowHash {
        return None;
    }
    let names = table.spec.key.column_names();
    names.iter().map(|name| row.get(table.spec.place(name)?)?.here().cloned()).collect()
}

/// Hands the rows of a table that are on both sides and not among `changed`, as changes to what they are.
pub(super) fn unchanged(
    request: &Request<'_>,
    table: &TableComparison,
    changed: &HashSet<Vec<Value>>,
    take: &mut dyn FnMut(Change) -> Result<(), PackError>,
) -> Result<(), PackError> {
    let (Some(before), Some(after)) = (&table.before, &table.after) else { return Ok(()) };
    let rows_of = |side: &StoredTable| -> Result<Rows, PackError> {
        let mut rows = Rows::new();
        let mut note = |row: Row<CellValue>| {
            let key =
                key_of(side, &row.values).ok_or_else(|| SinkError::from("a key is missing"))?;
            if !changed.contains(&key) {
                rows.push((key, row.values));
            }
            Ok(Flow::Continue)
        };
        let read = request.rows.rows(side, &mut note);
        read.map_err(|source| PackError::Rows { table: table.name.clone(), source })?;
        Ok(rows)
    };
    let mut others: HashMap<_, _> = rows_of(after)?.into_iter().collect();
    for (key, before) in rows_of(before)? {
        if let Some(after) = others.remove(&key) {
            take(Change { before, after, count: 1, others: 0 })?;
        }
    }
    Ok(())
}

/// The key of a changed row, as it was.
pub(super) fn key_before(table: &TableComparison, change: &Change) -> Option<Vec<Value>> {
    let side = match change.before.is_empty() {
        true => table.after.as_ref().map(|side| (side, &change.after)),
        false => table.before.as_ref().map(|side| (side, &change.before)),
    };
    side.and_then(|(side, row)| key_of(side, row))
}
