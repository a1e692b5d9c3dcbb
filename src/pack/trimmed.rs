//! Values that both sides hold, of which the conversion of their column would make others.
//!
//! A value that is the same before and after is no change of its row, and nobody writes it: the
//! server's conversion has to leave it as it is. Where that drops the spaces at the end of a text,
//! a value that has some would come out shorter than was reviewed.

use super::error::{PackError, Refusal};
use super::label::label;
use super::request::Request;
use crate::codec::state::StoredTable;
use crate::diff::{CellValue, Row, TableComparison};
use crate::engine::ddl::{Ddl, Schema};
use crate::model::{Fact, FactId, Flow, ObjectKind, RowKey, SinkError, Value};

/// Refuses columns that hold such values, in either direction of the pack.
pub(super) fn refusals(request: &Request<'_>, ddl: &dyn Ddl) -> Result<Vec<Refusal>, PackError> {
    let (before, after) = (&request.before.facts, &request.after.facts);
    let schemas = (Schema::new(before), Schema::new(after));
    let mut refusals = Vec::new();
    for table in &request.comparison.tables {
        let (Some(old), Some(new)) = (&table.before, &table.after) else { continue };
        if !request.is_for(&table.name.to_string()) {
            continue;
        }
        for (place, column) in new.spec.columns.iter().enumerate() {
            let id = FactId {
                kind: ObjectKind::Column,
                object: table.name.clone(),
                part: column.name.clone(),
            };
            let (Some(was), Some(is)) = (schemas.0.get(&id), schemas.1.get(&id)) else { continue };
            let Some(old_place) = old.spec.place(&column.name) else { continue };
            if !ddl.drops_spaces(was, is, &schemas.0, &schemas.1)
                && !ddl.drops_spaces(is, was, &schemas.1, &schemas.0)
            {
                continue;
            }
            let places = Places { old: old_place, new: place };
            if let Some(row) = first_trimmed(request, table, old, new, places)? {
                refusals.push(refusal(was, is, &row));
            }
        }
    }
    Ok(refusals)
}

/// Where a column stands on both sides.
#[derive(Clone, Copy)]
struct Places {
    old: usize,
    new: usize,
}

/// The first row that holds such a value, in words.
fn first_trimmed(
    request: &Request<'_>,
    table: &TableComparison,
    old: &StoredTable,
    new: &StoredTable,
    places: Places,
) -> Result<Option<String>, PackError> {
    let mut found = None;
    let mut take = |row: Row<CellValue>| {
        let value = match &row.values[places.new] {
            CellValue::Here(value) => value.clone(),
            CellValue::Apart(value) => request.rows.whole(value)?,
        };
        if !ends_with_space(&value) {
            return Ok(Flow::Continue);
        }
        let key = key_values(new, &row);
        let is_alike = match &key {
            Some(key) => {
                let rows = request.rows.rows_by_key(old, key)?;
                rows.iter().any(|row| row.values[places.old] == value)
            }
            // Which row it was is not known.
            None => true,
        };
        if !is_alike {
            return Ok(Flow::Continue);
        }
        let shown: Vec<String> = key.iter().flatten().map(label).collect();
        found = Some(format!("({})", shown.join(", ")));
        Ok(Flow::Stop)
    };
    let read = request.rows.rows(new, &mut take);
    read.map_err(|source: SinkError| PackError::Rows { table: table.name.clone(), source })?;
    Ok(found)
}

fn ends_with_space(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.ends_with(' '),
        Value::RawText { bytes, .. } => bytes.ends_with(b" "),
        _ => false,
    }
}

/// The values of a row's key, where it has one and they are at hand.
fn key_values(table: &StoredTable, row: &Row<CellValue>) -> Option<Vec<Value>> {
    let RowKey::Columns { columns, .. } = &table.spec.key else { return None };
    let value = |name: &str| match row.values.get(table.spec.place(name)?)? {
        CellValue::Here(value) => Some(value.clone()),
        CellValue::Apart(_) => None,
    };
    columns.iter().map(|column| value(&column.name)).collect()
}

fn refusal(before: &Fact, after: &Fact, row: &str) -> Refusal {
    let declared = |fact| crate::engine::ddl::text(fact, "type").unwrap_or_default();
    let (old, new) = (declared(before), declared(after));
    Refusal::new(
        &after.id,
        format!(
            "it becomes {new} from {old}, and the server drops the spaces at the end of a value that \
             both sides hold"
        ),
        "take the spaces away on the side where they are part of the text, and take a new snapshot",
    )
    .at_row(row)
}
