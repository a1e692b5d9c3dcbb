//! What a proof says, in words and exact cells: the part that people read, checked with the rest.

use serde_json::{Map, Value as Json, json};

use super::follow::{Finding, Proved, ProvedValue};
use crate::codec::cell::ExternalValue;
use crate::model::{RowKey, Value};
use crate::report::value::to_json;

impl Proved {
    /// What stands in the file: large values by their length and id.
    pub(super) fn says(&self) -> Json {
        let mut said = Map::new();
        let snapshot = &self.loaded.snapshot;
        said.insert("source".to_owned(), json!(snapshot.source.label));
        said.insert("read_at".to_owned(), json!(snapshot.read_at));
        said.insert("table".to_owned(), json!(self.name.to_string()));
        match &self.finding {
            Finding::Row { values, count } => {
                said.insert("row".to_owned(), self.cells(values, lean));
                said.insert("count".to_owned(), json!(count));
            }
            Finding::NoRow { .. } => {
                said.insert("no_row_with".to_owned(), self.keys());
            }
            Finding::NoTable => {
                said.insert("no_such_table".to_owned(), json!(true));
            }
        }
        Json::Object(said)
    }

    /// The row with all values that were proved; `null` where none was.
    pub fn row(&self) -> Json {
        match &self.finding {
            Finding::Row { values, .. } => self.cells(values, |value| match &value.value {
                Some(whole) => to_json(whole),
                None => lean(value),
            }),
            Finding::NoRow { .. } | Finding::NoTable => Json::Null,
        }
    }

    /// The keys that no row has, as objects of cells.
    pub fn keys(&self) -> Json {
        let Finding::NoRow { keys } = &self.finding else { return json!([]) };
        let names = self.key_names();
        let object = |values: &Vec<Value>| -> Map<String, Json> {
            names.iter().cloned().zip(values.iter().map(to_json)).collect()
        };
        keys.iter().map(object).collect()
    }

    /// The columns of the table's key.
    pub fn key_names(&self) -> Vec<String> {
        let key = self.table.as_ref().map_or(&RowKey::RowHash, |table| &table.spec.key);
        key.column_names().into_iter().map(str::to_owned).collect()
    }

    fn cells(&self, values: &[ProvedValue], cell: impl Fn(&ProvedValue) -> Json) -> Json {
        let columns = self.table.as_ref().map_or(&[][..], |table| &table.spec.columns);
        let cells = columns.iter().zip(values);
        Json::Object(cells.map(|(column, value)| (column.name.clone(), cell(value))).collect())
    }
}

fn lean(value: &ProvedValue) -> Json {
    match (&value.apart, &value.value) {
        (Some(ExternalValue { id, len, .. }), _) => {
            json!({ "apart": { "bytes": len, "id": id.to_string() } })
        }
        (None, Some(value)) => to_json(value),
        (None, None) => Json::Null,
    }
}
