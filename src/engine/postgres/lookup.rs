//! Rows that are looked for: by their keys, and by what they refer to.
//!
//! The server compares by its own rules, of collations, numbers, padding; whoever asks for exact
//! keys compares the bytes of what comes.

use super::literals;
use super::rows::{OnStop, Reader};
use super::types::{ColumnReading, Reading};
use crate::engine::ReadEnd;
use crate::engine::error::EngineError;
use crate::model::{Flow, KeyColumn, KeyMatching, RowSink, SinkError, Value, ValueRef};

impl Reader<'_> {
    /// Sends the rows with exactly this key, bytes and all; says how many there are.
    pub(super) fn read_by_key<S: RowSink + ?Sized>(
        &self,
        key: &[Value],
        sink: &mut S,
    ) -> Result<u64, EngineError> {
        let columns = self.key_columns(key.len())?;
        let mut conditions = Vec::with_capacity(columns.len());
        for ((_, column), value) in columns.iter().zip(key) {
            match literals::equals(column, value, self.encoding()) {
                Some(condition) => conditions.push(condition),
                None => return Ok(0),
            }
        }
        let places: Vec<usize> = columns.iter().map(|(place, _)| *place).collect();
        let select = format!("{} WHERE {}", self.select(), conditions.join(" AND "));
        let mut exact = Exact { key, places: &places, row: Vec::new(), sink, sent: 0 };
        self.copy(&select, OnStop::GoBack, &mut exact)?;
        Ok(exact.sent)
    }

    /// Sends the rows that have one of these keys as the server compares them, each once, and locks
    /// them.
    pub(super) fn lock_by_keys<S: RowSink + ?Sized>(
        &self,
        keys: &[Vec<Value>],
        sink: &mut S,
    ) -> Result<(), EngineError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let columns: Vec<&ColumnReading> =
            self.key_columns(first.len())?.into_iter().map(|(_, column)| column).collect();
        if keys.iter().any(|key| key.len() != columns.len()) {
            return Err(self.unsupported("was asked for a key with another number of columns"));
        }
        let condition = match self.among(&columns, keys) {
            Some(condition) => Some(condition),
            None => self.one_of(&columns, keys),
        };
        let Some(condition) = condition else { return Ok(()) };
        let select = format!("{} WHERE {condition} FOR UPDATE", self.select());
        self.copy(&select, OnStop::ReadOn, sink)?;
        Ok(())
    }

    /// Sends rows whose columns hold these values, by the comparison of a foreign key.
    pub(super) fn referencing<S: RowSink + ?Sized>(
        &self,
        columns: &[KeyColumn],
        values: &[Value],
        limit: u64,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        if columns.len() != values.len() || columns.is_empty() {
            return Err(self.unsupported("has a foreign key with another number of columns"));
        }
        let mut conditions = Vec::with_capacity(columns.len());
        for (key, value) in columns.iter().zip(values) {
            let (_, column) = self.column(&key.name)?;
            let none = Ok(ReadEnd { rows: 0, is_complete: true });
            let Some(condition) = self.refers(column, key.matching, value) else { return none };
            conditions.push(condition);
        }
        let conditions = conditions.join(" AND ");
        let select = format!("{} WHERE {conditions} LIMIT {limit}", self.select());
        self.copy(&select, OnStop::ReadOn, sink)
    }

    /// The condition that a column refers to a value of the parent, whose type may be another.
    fn refers(
        &self,
        column: &ColumnReading,
        matching: KeyMatching,
        value: &Value,
    ) -> Option<String> {
        let encoding = self.encoding();
        let name = encoding.quoted(&column.name);
        if value.is_null() {
            return None;
        }
        let literal = literals::literal(value, encoding)?;
        let is_text = matches!(column.reading, Reading::Text | Reading::Padded);
        if matching == KeyMatching::TrailingSpaces && is_text {
            let bpchar = "pg_catalog.bpchar";
            return Some(format!("{name}::{bpchar} = {literal}::{bpchar}"));
        }
        match (value, &column.compared_as) {
            (Value::Other(_) | Value::Json(_), Some(compared_as)) => {
                Some(format!("{name} = {literal}::{compared_as}"))
            }
            // The type's own equality, wherever its operator is: that of arrays looks it up by the
            // type.
            (Value::Other(_) | Value::Json(_), None) => {
                let declared = &column.declared_type;
                Some(format!("ARRAY[{name}] = ARRAY[{literal}::{declared}]"))
            }
            (Value::Decimal(_), _) => Some(format!("{name} = {literal}::pg_catalog.numeric")),
            (Value::Float32(_) | Value::Float64(_), _) => {
                Some(format!("{name} = {literal}::pg_catalog.float8"))
            }
            (Value::Int(number), _) => Some(format!("{name} = ({number})")),
            _ => literals::equals(column, value, encoding),
        }
    }

    /// The columns of the key with their places.
    fn key_columns(&self, len: usize) -> Result<Vec<(usize, &ColumnReading)>, EngineError> {
        let names = self.spec().key.column_names();
        if names.len() != len || names.is_empty() {
            return Err(self.unsupported("was asked for a key with another number of columns"));
        }
        names.into_iter().map(|name| self.column(name)).collect()
    }

    /// The condition that a key is one of these: arrays, which are parsed once, whatever their
    /// length. `None` where a value stands in no text.
    fn among(&self, columns: &[&ColumnReading], keys: &[Vec<Value>]) -> Option<String> {
        let mut left = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let name = self.encoding().quoted(&column.name);
            let (name, element) = match &column.compared_as {
                Some(element) => (name, element.as_str()),
                None => (literals::as_text(column, &name), "pg_catalog.text"),
            };
            let mut array = String::from("{");
            for key in keys {
                let value = &key[place];
                if value.is_null() {
                    return None;
                }
                let text = literals::plain(value).filter(|text| !text.contains('\0'))?;
                push_element(&mut array, &text);
            }
            array.push('}');
            left.push(name);
            arrays.push(format!("{}::{element}[]", self.encoding().literal(&array)));
        }
        if let ([left], [array]) = (left.as_slice(), arrays.as_slice()) {
            return Some(format!("{left} = ANY ({array})"));
        }
        let lists: Vec<String> =
            arrays.iter().map(|array| format!("pg_catalog.unnest({array})")).collect();
        let (left, lists) = (left.join(", "), lists.join(", "));
        Some(format!("({left}) IN (SELECT * FROM ROWS FROM ({lists}) AS wanted)"))
    }

    /// The same condition key by key; keys that no row can have are left out. `None` where no row
    /// can have any.
    fn one_of(&self, columns: &[&ColumnReading], keys: &[Vec<Value>]) -> Option<String> {
        let conditions: Vec<String> = keys
            .iter()
            .filter_map(|key| {
                let each: Option<Vec<String>> = columns
                    .iter()
                    .zip(key)
                    .map(|(column, value)| literals::equals(column, value, self.encoding()))
                    .collect();
                Some(format!("({})", each?.join(" AND ")))
            })
            .collect();
        (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
    }
}

/// Adds an element to the text of an array.
fn push_element(array: &mut String, text: &str) {
    if array.len() > 1 {
        array.push(',');
    }
    array.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            array.push('\\');
        }
        array.push(character);
    }
    array.push('"');
}

/// Lets the rows through whose key is exactly this one: the server compares by the rules of
/// collations and numbers.
struct Exact<'e, S: ?Sized> {
    key: &'e [Value],
    places: &'e [usize],
    row: Vec<Value>,
    sink: &'e mut S,
    sent: u64,
}

impl<S: RowSink + ?Sized> RowSink for Exact<'_, S> {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.row.push(value.to_value());
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        let row = std::mem::take(&mut self.row);
        if self.places.iter().zip(self.key).any(|(&place, wanted)| row[place] != *wanted) {
            return Ok(Flow::Continue);
        }
        self.sent += 1;
        for value in &row {
            self.sink.cell(value.as_ref())?;
        }
        self.sink.end_row()
    }
}
