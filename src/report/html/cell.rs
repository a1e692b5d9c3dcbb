//! Cells of a page: exact as in JSON (`docs/json.md`), and long values cut.
//!
//! A cut value is a member of its own, `cut`, with where the piece begins and how long the whole
//! is; of two values that differ, both pieces begin shortly before the difference, so that it is
//! seen. Text is counted in characters, bytes in bytes.

use serde_json::{Value as Json, json};

use super::super::value;
use crate::model::Value;

/// A value is cut that is longer.
const LONGEST: usize = 1_000;

/// How much of what two values have in common is shown before their difference.
const BEFORE: usize = 60;

/// A value that did not change is cut earlier: it only says which row this is.
const LONGEST_UNCHANGED: usize = 80;

/// A value of a row that is on one side only.
pub(super) fn alone(value: &Value) -> Json {
    cut(value, 0, LONGEST)
}

/// A value beside one that changed.
pub(super) fn unchanged(value: &Value) -> Json {
    cut(value, 0, LONGEST_UNCHANGED)
}

/// A value before and after.
pub(super) fn pair(before: &Value, after: &Value) -> (Json, Json) {
    let at = common_start(before, after).saturating_sub(BEFORE);
    (cut(before, at, LONGEST), cut(after, at, LONGEST))
}

/// There is no such column on this side.
pub(super) fn absent() -> Json {
    json!({ "absent": true })
}

/// The value was not stored.
pub(super) fn unknown() -> Json {
    json!({ "unknown": true })
}

/// The value did not change, and is not written.
pub(super) fn not_written() -> Json {
    json!([])
}

fn bytes_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) | Value::RawText { bytes, .. } => Some(bytes),
        _ => None,
    }
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Json(text) | Value::Other(text) => Some(text),
        _ => None,
    }
}

fn common_start(before: &Value, after: &Value) -> usize {
    match (bytes_of(before), bytes_of(after), text_of(before), text_of(after)) {
        (Some(a), Some(b), ..) => a.iter().zip(b).take_while(|(x, y)| x == y).count(),
        (_, _, Some(a), Some(b)) => a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count(),
        _ => 0,
    }
}

/// The value, or of a long one the piece that begins at `at` or, should it end before, its end.
fn cut(value: &Value, at: usize, longest: usize) -> Json {
    match value {
        Value::Bytes(bytes) => match piece_of_bytes(bytes, at, longest) {
            None => value::to_json(value),
            Some((at, piece)) => told(&Value::Bytes(piece), at, bytes.len()),
        },
        Value::RawText { charset, bytes } => match piece_of_bytes(bytes, at, longest) {
            None => value::to_json(value),
            Some((at, bytes_of_piece)) => {
                let charset = charset.clone();
                told(&Value::RawText { charset, bytes: bytes_of_piece }, at, bytes.len())
            }
        },
        Value::Text(text) => cut_text(value, text, at, longest, Value::Text),
        Value::Json(text) => cut_text(value, text, at, longest, Value::Json),
        Value::Other(text) => cut_text(value, text, at, longest, Value::Other),
        other => cut_number(value::to_json(other), longest),
    }
}

fn told(piece: &Value, at: usize, length: usize) -> Json {
    json!({ "cut": value::to_json(piece), "at": at, "length": length })
}

/// Bytes are shown by two digits each.
fn piece_of_bytes(bytes: &[u8], at: usize, longest: usize) -> Option<(usize, Vec<u8>)> {
    let longest = longest / 2;
    if bytes.len() <= longest {
        return None;
    }
    let at = at.min(bytes.len() - longest);
    Some((at, bytes[at..at + longest].to_vec()))
}

fn cut_text(
    value: &Value,
    text: &str,
    at: usize,
    longest: usize,
    kind: impl Fn(String) -> Value,
) -> Json {
    // No text has more characters than bytes.
    let length = if text.len() <= longest { 0 } else { text.chars().count() };
    if length <= longest {
        return value::to_json(value);
    }
    let at = at.min(length - longest);
    told(&kind(text.chars().skip(at).take(longest).collect()), at, length)
}

/// A decimal may have thousands of digits.
fn cut_number(cell: Json, longest: usize) -> Json {
    let object = cell.as_object().and_then(|object| object.iter().next());
    let Some((kind, Json::String(text))) = object else { return cell };
    if text.len() <= longest {
        return cell;
    }
    let (start, length) = (text.chars().take(longest).collect::<String>(), text.chars().count());
    json!({ "cut": { kind.as_str(): start }, "at": 0, "length": length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_are_exact() {
        for value in [
            Value::Null,
            Value::Int(i64::MIN),
            Value::Text("é".repeat(LONGEST)),
            Value::Bytes(vec![7; LONGEST / 2]),
            Value::RawText { charset: "latin1".into(), bytes: vec![0xff] },
        ] {
            assert_eq!(alone(&value), value::to_json(&value));
        }
    }

    #[test]
    fn a_difference_in_a_long_value_is_shown() {
        let text = |end: &str| Value::Text(format!("{}{end}", "ü".repeat(5_000)));
        let (before, after) = pair(&text("old"), &text("new and longer"));
        assert_eq!((&before["length"], &after["length"]), (&json!(5_003), &json!(5_014)));
        assert!(before["cut"].as_str().unwrap().ends_with("üold"), "{before}");
        assert!(after["cut"].as_str().unwrap().ends_with("ünew and longer"), "{after}");
        let bytes = |last: u8| {
            let mut bytes = vec![0; 100_000];
            bytes[50_000] = last;
            Value::Bytes(bytes)
        };
        let (before, after) = pair(&bytes(1), &bytes(2));
        assert_eq!((&before["at"], &before["length"]), (&json!(49_940), &json!(100_000)));
        assert_ne!(before["cut"], after["cut"]);
    }

    #[test]
    fn one_long_value_beside_a_short_one() {
        let (before, after) = pair(&Value::Null, &Value::Text("x".repeat(2_000)));
        assert_eq!(before, Json::Null);
        assert_eq!((after["at"].as_u64(), after["length"].as_u64()), (Some(0), Some(2_000)));
        assert_eq!(unchanged(&Value::Text("x".repeat(81)))["length"], 81);
    }
}
