//! A table of a page: its columns in the table's order, and its rows by the places of columns.
//!
//! The columns are those of both sides. A row on one side is `[sign, count, cells]`; an updated
//! one is `["~", cells, olds]`: the cells afterwards, and by place what the changed ones held
//! before (null where that is not known). Of the unchanged cells only the first few are written.

use serde_json::{Map, Value as Json, json};

use super::cell;
use crate::diff::{Known, Row, RowChange, RowCounts, TableComparison};
use crate::model::{TableSpec, Value};

/// So many unchanged columns are written with an updated row.
const CONTEXT: usize = 24;

/// Where a column's values stand in a row of either side.
#[derive(Debug)]
struct Column {
    name: String,
    before: Option<usize>,
    after: Option<usize>,
    is_key: bool,
}

/// The shape of a table's rows.
#[derive(Debug)]
pub(super) struct Shape {
    name: String,
    change: Option<&'static str>,
    columns: Vec<Column>,
    types: Vec<[Option<String>; 2]>,
    written: u64,
}

fn place(spec: Option<&TableSpec>, name: &str) -> Option<usize> {
    spec?.columns.iter().position(|column| column.name == name)
}

impl Shape {
    /// The columns of both sides: in `order`, and after it what that does not name.
    pub(super) fn new(table: &TableComparison, order: &[String]) -> Shape {
        let left = table.before.as_ref().map(|side| &side.spec);
        let right = table.after.as_ref().map(|side| &side.spec);
        let specs = [right, left];
        let stored = specs.iter().flatten().flat_map(|spec| &spec.columns).map(|c| &c.name);
        let mut names: Vec<&String> = Vec::new();
        for name in order.iter().chain(stored) {
            let is_there = place(left, name).is_some() || place(right, name).is_some();
            if is_there && !names.contains(&name) {
                names.push(name);
            }
        }
        let key = right.or(left).map(|spec| spec.key.column_names()).unwrap_or_default();
        let declared = |spec: Option<&TableSpec>, name: &str| {
            place(spec, name).and_then(|at| Some(spec?.columns[at].declared_type.clone()))
        };
        Shape {
            name: table.name.to_string(),
            change: match (left, right) {
                (None, _) => Some("created"),
                (_, None) => Some("dropped"),
                _ => None,
            },
            types: names.iter().map(|name| [declared(left, name), declared(right, name)]).collect(),
            columns: names
                .iter()
                .map(|name| Column {
                    name: (*name).clone(),
                    before: place(left, name),
                    after: place(right, name),
                    is_key: key.contains(&name.as_str()),
                })
                .collect(),
            written: 0,
        }
    }

    /// How many rows were made, equal ones counted.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// A changed row as an item of the table's blocks.
    pub(super) fn row(&mut self, change: &RowChange) -> Json {
        match change {
            RowChange::Inserted(row) => self.one_side("+", row, |column| column.after),
            RowChange::Deleted(row) => self.one_side("-", row, |column| column.before),
            RowChange::Updated { before, after, changed } => {
                self.written += 1;
                if before.known == Known::All && after.known == Known::All {
                    self.updated(before, after, changed)
                } else {
                    // What one side stored would look as if it were unchanged.
                    let known = match before.known {
                        Known::Nothing => Known::Nothing,
                        Known::All | Known::Key => Known::Key,
                    };
                    let cells = self.known_cells(before, known, |column| column.before);
                    json!(["~", cells, null])
                }
            }
        }
    }

    fn one_side(&mut self, sign: &str, row: &Row, at: impl Fn(&Column) -> Option<usize>) -> Json {
        self.written += row.count;
        json!([sign, row.count, self.known_cells(row, row.known, at)])
    }

    fn known_cells(
        &self,
        row: &Row,
        known: Known,
        at: impl Fn(&Column) -> Option<usize>,
    ) -> Vec<Json> {
        let cell = |column: &Column| {
            let is_known = match known {
                Known::All => true,
                Known::Key => column.is_key,
                Known::Nothing => false,
            };
            match at(column).and_then(|at| row.values.get(at)) {
                None => cell::absent(),
                Some(value) if is_known => cell::alone(value),
                Some(_) => cell::unknown(),
            }
        };
        self.columns.iter().map(cell).collect()
    }

    fn updated(&self, before: &Row, after: &Row, changed: &[String]) -> Json {
        let value = |row: &'_ Row, at: Option<usize>| at.and_then(|at| row.values.get(at)).cloned();
        let mut cells = Vec::with_capacity(self.columns.len());
        let mut olds = Map::new();
        let mut context = 0;
        for (place, column) in self.columns.iter().enumerate() {
            let new = value(after, column.after);
            if changed.contains(&column.name) {
                let (old, new) = pair(value(before, column.before), new);
                olds.insert(place.to_string(), old);
                cells.push(new);
                continue;
            }
            let is_written = column.is_key || context < CONTEXT;
            context += usize::from(!column.is_key);
            cells.push(match new {
                None => cell::absent(),
                Some(_) if !is_written => cell::not_written(),
                Some(value) if column.is_key => cell::alone(&value),
                Some(value) => cell::unchanged(&value),
            });
        }
        json!(["~", cells, olds])
    }

    /// What the page must know of the table beside its rows.
    pub(super) fn to_json(&self, counts: RowCounts, written: u64, blocks: &[usize]) -> Json {
        let columns: Vec<Json> = self
            .columns
            .iter()
            .zip(&self.types)
            .map(|(column, [before, after])| {
                json!({ "name": column.name, "before": before, "after": after })
            })
            .collect();
        let key: Vec<usize> = (0..columns.len()).filter(|at| self.columns[*at].is_key).collect();
        json!({
            "name": self.name,
            "change": self.change,
            "columns": columns,
            "key": key,
            "inserted": counts.inserted,
            "deleted": counts.deleted,
            "updated": counts.updated,
            "written": written,
            "blocks": blocks,
        })
    }
}

fn pair(old: Option<Value>, new: Option<Value>) -> (Json, Json) {
    match (old, new) {
        (Some(old), Some(new)) => cell::pair(&old, &new),
        (old, new) => {
            let told = |side: Option<Value>| side.map_or_else(cell::absent, |v| cell::alone(&v));
            (told(old), told(new))
        }
    }
}
