//! Conditions that are true of exactly one row.
//!
//! The key comes first by plain comparison, which its index answers; then every column by its
//! bytes, whatever the collation, by the sign of a zero, by the number of a label that is empty.
//! Values above 4 KiB are compared by length only: whoever applies a statement compares the row
//! byte by byte before.

use super::sql::{literal, quoted, readable, readable_bytes};
use super::types::{Empty, Kind, base};
use crate::engine::Operand;
use crate::model::{ColumnSpec, KeyMatching, Value};

/// Values up to this many bytes are compared whole.
const LARGEST_COMPARED: usize = 4096;

/// A column, as far as comparing and writing its values goes.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    kind: Kind,
    /// Whether `=` compares bytes: binary data other than geometries.
    is_binary: bool,
    /// For a column of the key: when its index takes two values for the same.
    matching: Option<KeyMatching>,
}

impl Column {
    pub(super) fn new(spec: &ColumnSpec, matching: Option<KeyMatching>) -> Column {
        let base = base(&spec.declared_type);
        Column {
            name: spec.name.clone(),
            kind: Kind::of(&spec.declared_type),
            is_binary: base.ends_with("blob") || base.ends_with("binary"),
            matching,
        }
    }

    /// The text of a value that is written to the column; `None` where the server would not keep
    /// it: strict mode refuses the number 0 of an ENUM.
    pub(super) fn written(&self, value: &Value) -> Option<String> {
        match (&self.kind, value) {
            (Kind::Enum(..), Value::Int(0)) => None,
            _ => readable(value),
        }
    }

    /// The comparison that an index of the key can answer, where there is one.
    pub(super) fn by_index(&self, value: &Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::Text(_) | Value::RawText { .. } => {
                Some(format!("{} = {}", quoted(&self.name), self.written(value)?))
            }
            _ => None,
        }
    }

    /// Whether [`Column::by_index`] compares bytes already.
    pub(super) fn is_exact_by_index(&self) -> bool {
        self.matching == Some(KeyMatching::Binary) && matches!(self.kind, Kind::Text(_))
    }

    /// The condition that is true of this value alone; `None` where MySQL has no such value.
    pub(super) fn is_exactly(&self, value: &Value) -> Option<String> {
        let name = quoted(&self.name);
        Some(match value {
            Value::Null => format!("{name} IS NULL"),
            Value::Int(number) if self.has_labels() => {
                format!("CAST({name} AS UNSIGNED) = {number}")
            }
            Value::Float32(bits) => float(&name, value, f32::from_bits(*bits).into())?,
            Value::Float64(bits) => float(&name, value, f64::from_bits(*bits))?,
            Value::Text(text) => self.has_bytes(&name, text.as_bytes()),
            Value::RawText { bytes, .. } => self.has_bytes(&name, bytes),
            Value::Bytes(bytes) if bytes.len() > LARGEST_COMPARED => {
                has_length(&name, bytes.len() as u64)
            }
            Value::Bytes(_) if self.is_binary => format!("{name} = {}", readable(value)?),
            Value::Bytes(_) => format!("CAST({name} AS BINARY) = {}", readable(value)?),
            value => format!("{name} = {}", readable(value)?),
        })
    }

    fn has_labels(&self) -> bool {
        matches!(self.kind, Kind::Enum(..) | Kind::Set(..))
    }

    fn has_bytes(&self, name: &str, bytes: &[u8]) -> String {
        let is_key = self.matching.is_some();
        if bytes.len() > LARGEST_COMPARED && !is_key {
            return has_length(name, bytes.len() as u64);
        }
        match self.kind {
            Kind::Set(_, Empty::IsAmbiguous) if bytes.is_empty() => {
                return format!("CAST({name} AS UNSIGNED) = 0");
            }
            Kind::Enum(_, Empty::IsAmbiguous) if bytes.is_empty() => {
                return format!("CAST({name} AS BINARY) = '' AND CAST({name} AS UNSIGNED) <> 0");
            }
            _ => {}
        }
        format!("CAST({name} AS BINARY) = {}", readable_bytes(bytes))
    }
}

/// A float is compared as the double that it is. The two zeros are equal; where the server tells
/// them apart at all, it shows the sign of one. (After `=` it would show that of the literal.)
fn float(name: &str, value: &Value, number: f64) -> Option<String> {
    if number != 0.0 {
        return Some(format!("{name} = {}", literal(value)?));
    }
    let shows = if number.is_sign_negative() { "LIKE" } else { "NOT LIKE" };
    Some(format!("{name} >= 0e0 AND {name} <= 0e0 AND CONCAT({name}) {shows} '-%'"))
}

fn has_length(name: &str, bytes: u64) -> String {
    format!("LENGTH({name}) = {bytes}")
}

/// The condition that a column holds what a statement expects.
pub(super) fn condition(column: &Column, operand: Operand<'_>) -> Option<String> {
    match operand {
        Operand::Literal(value) => column.is_exactly(value),
        Operand::Bound { bytes, .. } => Some(has_length(&quoted(&column.name), bytes)),
    }
}
