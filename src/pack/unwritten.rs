//! Values that both sides hold, and that would not outlive the change of their column.
//!
//! A value that is the same before and after is no change of its row, and nobody writes it: the
//! server's conversion has to leave it as it is. Where that drops the spaces at the end of a text,
//! a value that has some would come out shorter than was reviewed; where the column is made anew,
//! it would not come out at all.

use std::collections::BTreeSet;

use super::error::{PackError, Refusal};
use super::label::label;
use super::request::Request;
use super::whole::key_of;
use crate::codec::state::StoredTable;
use crate::diff::{CellValue, Row, TableComparison};
use crate::engine::ddl::{Alteration, Ddl, Schema, text};
use crate::model::{Fact, FactId, Flow, ObjectKind, SinkError, Value};

/// Refuses columns that hold such values, in either direction of the pack, which leaves the schema
/// as `after` says; `anew` are the tables that it makes anew.
pub(super) fn refusals(
    request: &Request<'_>,
    ddl: &dyn Ddl,
    after: &[Fact],
    anew: &BTreeSet<String>,
) -> Result<Vec<Refusal>, PackError> {
    let before = &request.before.facts;
    let schemas = (Schema::new(before), Schema::new(after));
    let mut refusals = Vec::new();
    for table in &request.comparison.tables {
        let (Some(old), Some(new)) = (&table.before, &table.after) else { continue };
        let name = table.name.to_string();
        // All rows of what is made anew are written.
        if !request.is_for(&name) || anew.contains(&name) {
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
            let ways = [
                fate(ddl, (was, is), (&schemas.0, &schemas.1)),
                fate(ddl, (is, was), (&schemas.1, &schemas.0)),
            ];
            for fate in ways.into_iter().flatten() {
                let look = Look { old, new, places: [old_place, place], fate };
                if let Some(row) = look.first(request, table)? {
                    refusals.push(refusal(was, is, fate).at_row(row));
                    break;
                }
            }
        }
    }
    Ok(refusals)
}

/// What does not outlive the change of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The spaces at the end.
    Trimmed,
    /// Any value.
    Lost,
}

/// What a column's values lose when it becomes the other; `None` where nothing.
fn fate(
    ddl: &dyn Ddl,
    (was, is): (&Fact, &Fact),
    (from, to): (&Schema<'_>, &Schema<'_>),
) -> Option<Fate> {
    if was.attributes == is.attributes {
        return None;
    }
    if ddl.drops_spaces(was, is, from, to) {
        return Some(Fate::Trimmed);
    }
    (ddl.alter(was, is, from, to) == Alteration::Remade).then_some(Fate::Lost)
}

/// In how many rows a value is looked for that would be lost. Where there is one, there are as a rule
/// many, and what is not found here is refused by `apply`.
const LOOKED_AT: u32 = 1000;

/// A column of a table on both sides.
struct Look<'a> {
    old: &'a StoredTable,
    new: &'a StoredTable,
    /// Where the column stands in them.
    places: [usize; 2],
    fate: Fate,
}

impl Look<'_> {
    /// The first row that holds a value which would not come out as it is, in words.
    fn first(
        &self,
        request: &Request<'_>,
        table: &TableComparison,
    ) -> Result<Option<String>, PackError> {
        let (mut found, mut left) = (None, LOOKED_AT);
        let mut take = |row: Row<CellValue>| {
            let value = match &row.values[self.places[1]] {
                CellValue::Here(value) => value.clone(),
                CellValue::Apart(value) => request.rows.whole(value)?,
            };
            let is_hit = match self.fate {
                Fate::Trimmed => ends_with_space(&value),
                Fate::Lost => value != Value::Null,
            };
            if !is_hit {
                return Ok(Flow::Continue);
            }
            let key = key_of(self.new, &row.values);
            let is_alike = match &key {
                Some(key) => {
                    let rows = request.rows.rows_by_key(self.old, key)?;
                    rows.iter().any(|row| row.values[self.places[0]] == value)
                }
                // Which row it was is not known; `apply` counts what it would lose.
                None => self.fate == Fate::Trimmed,
            };
            if is_alike {
                let shown: Vec<String> = key.iter().flatten().map(label).collect();
                found = Some(format!("({})", shown.join(", ")));
                return Ok(Flow::Stop);
            }
            left -= u32::from(self.fate == Fate::Lost);
            Ok(if left == 0 { Flow::Stop } else { Flow::Continue })
        };
        let read = request.rows.rows(self.new, &mut take);
        read.map_err(|source: SinkError| PackError::Rows { table: table.name.clone(), source })?;
        Ok(found)
    }
}

fn ends_with_space(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.ends_with(' '),
        Value::RawText { bytes, .. } => bytes.ends_with(b" "),
        _ => false,
    }
}

fn refusal(before: &Fact, after: &Fact, fate: Fate) -> Refusal {
    let declared = |fact| text(fact, "type").unwrap_or_default();
    let (old, new) = (declared(before), declared(after));
    let (what, hint) = match fate {
        Fate::Trimmed => (
            "the server drops the spaces at the end of a value that both sides hold",
            "take the spaces away on the side where they are part of the text, and take a new snapshot",
        ),
        Fate::Lost => (
            "it has to be made anew for that, which loses a value that both sides hold",
            "change the column by hand in the target, take a new snapshot of it, and make the pack again",
        ),
    };
    Refusal::new(&after.id, format!("it becomes {new} from {old}, and {what}"), hint)
}
