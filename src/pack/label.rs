//! Values and rows as messages show them: as literals, cut short, never a large value in full.

use super::shape::Shape;
use super::spool::Change;
use crate::diff::CellValue;
use crate::engine::sqlite::{SqliteDialect, TextEncoding};
use crate::model::{Value, ValueRef};

/// How much of a value a label shows.
const SHOWN: usize = 60;

/// No longer part of a value is made into a literal.
const LOOKED_AT: usize = 4 * SHOWN;

/// So many of a thing: `1 row`, `2 rows`.
pub fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A value as people are shown it.
pub fn label(value: &Value) -> String {
    label_of(value.as_ref())
}

/// A borrowed value as people are shown it.
pub fn label_of(value: ValueRef<'_>) -> String {
    let head = match value {
        ValueRef::Bytes(bytes) => Value::Bytes(bytes[..bytes.len().min(LOOKED_AT)].to_vec()),
        ValueRef::Text(text) => Value::Text(text.chars().take(LOOKED_AT).collect()),
        ValueRef::RawText { charset, bytes } => {
            let bytes = bytes[..bytes.len().min(LOOKED_AT)].to_vec();
            Value::RawText { charset: charset.to_owned(), bytes }
        }
        other => other.to_value(),
    };
    let dialect = SqliteDialect { encoding: TextEncoding::Utf8 };
    let text = dialect.literal(&head).unwrap_or_else(|| format!("{head:?}"));
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A row as people are shown it: its key, or all of it where it has none.
pub fn row_label(shape: &Shape, change: &Change) -> String {
    let row = match change.before.is_empty() {
        true => shape.row_after(change),
        false => shape.row_before(change),
    };
    let shown: Vec<String> = match shape.key_of(&row) {
        Some(key) => key.iter().map(label).collect(),
        None => row.iter().map(cell_label).collect(),
    };
    format!("({})", shown.join(", "))
}

fn cell_label(cell: &CellValue) -> String {
    match cell {
        CellValue::Here(value) => label(value),
        CellValue::Apart(value) => format!("a value of {} bytes", value.len),
    }
}
