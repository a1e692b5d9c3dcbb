//! Values as people read them, and as JSON that loses nothing.
//!
//! JSON cells are exact: what a JSON number or string cannot hold exactly is an object with one
//! key that names the kind (`docs/json.md`).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::model::temporal::{Date, DateTime};
use crate::model::{Decimal, Value};

/// Integers up to this size are exact in every JSON reader.
const SAFE_INTEGER: u64 = 1 << 53;

/// How many characters of a value a person is shown.
pub const SHOWN: usize = 120;

/// The value as a JSON cell.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(n) if n.unsigned_abs() <= SAFE_INTEGER => json!(n),
        Value::Int(n) => json!({ "int": n.to_string() }),
        Value::UInt(n) => json!({ "int": n.to_string() }),
        Value::Text(text) => json!(text),
        Value::RawText { charset, bytes } => {
            json!({ "raw_text": { "charset": charset, "base64": BASE64.encode(bytes) } })
        }
        Value::Bytes(bytes) => json!({ "base64": BASE64.encode(bytes) }),
        other => json!({ kind(other): plain(other) }),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::UInt(_) => "int",
        Value::Decimal(_) => "decimal",
        Value::Float32(_) => "float32",
        Value::Float64(_) => "float",
        Value::Text(_) => "text",
        Value::RawText { .. } => "raw_text",
        Value::Bytes(_) => "base64",
        Value::Date(_) => "date",
        Value::Time(_) => "time",
        Value::TimeTz(_) => "timetz",
        Value::DateTime(_) => "datetime",
        Value::Timestamp(_) => "timestamp",
        Value::Interval(_) => "interval",
        Value::Uuid(_) => "uuid",
        Value::Json(_) => "json",
        Value::Other(_) => "other",
    }
}

/// The value for a person: text in quotes, bytes in hexadecimal, long values cut.
pub fn to_text(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) => quoted(text),
        Value::RawText { charset, bytes } => format!("{charset} {}", hex(bytes)),
        Value::Bytes(bytes) => hex(bytes),
        Value::Json(text) | Value::Other(text) => quoted(text),
        other => plain(other),
    }
}

/// A name or a sentence for a person, on one line: what would end the line, move the cursor or
/// hide is escaped. A name in a comment of SQL cannot leave it.
pub fn visible(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| push_visible(character, &mut out));
    out
}

fn push_visible(character: char, out: &mut String) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c.is_control() || is_invisible(c) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// Text in single quotes, control characters escaped, cut after [`SHOWN`] characters.
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for (shown, character) in text.chars().enumerate() {
        if shown == SHOWN {
            let _ = write!(out, "…' ({} characters)", text.chars().count());
            return out;
        }
        match character {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            c => push_visible(c, &mut out),
        }
    }
    out.push('\'');
    out
}

/// Characters that would hide a difference or reorder the line they stand in.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{a0}')
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::from("x'");
    for byte in bytes.iter().take(SHOWN / 2) {
        let _ = write!(out, "{byte:02x}");
    }
    if bytes.len() > SHOWN / 2 {
        let _ = write!(out, "…' ({} bytes)", bytes.len());
    } else {
        out.push('\'');
    }
    out
}

/// Numbers, dates and the like: exact, without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::UInt(n) => n.to_string(),
        Value::Decimal(decimal) => decimal_text(decimal),
        Value::Float32(bits) => float_text(format!("{:?}", f32::from_bits(*bits))),
        Value::Float64(bits) => float_text(format!("{:?}", f64::from_bits(*bits))),
        Value::Date(date) => date_text(*date),
        Value::Time(micros) => time_text(*micros),
        Value::TimeTz(time) => {
            format!("{}{}", time_text(time.micros), offset_text(time.offset_seconds))
        }
        Value::DateTime(at) => date_time_text(*at),
        Value::Timestamp(at) => match at.date {
            Date::Fields { .. } => format!("{}Z", date_time_text(*at)),
            infinite => date_text(infinite),
        },
        Value::Interval(i) => format!("{} months {} days {} us", i.months, i.days, i.micros),
        Value::Uuid(bytes) => uuid_text(bytes),
        Value::Null
        | Value::Text(_)
        | Value::RawText { .. }
        | Value::Bytes(_)
        | Value::Json(_)
        | Value::Other(_) => match value {
            Value::Text(text) | Value::Json(text) | Value::Other(text) => text.clone(),
            other => to_text(other),
        },
    }
}

fn float_text(shortest: String) -> String {
    match shortest.as_str() {
        "inf" => "Infinity".to_owned(),
        "-inf" => "-Infinity".to_owned(),
        _ => shortest,
    }
}

fn decimal_text(decimal: &Decimal) -> String {
    let number = match decimal {
        Decimal::NegativeInfinity => return "-Infinity".to_owned(),
        Decimal::Infinity => return "Infinity".to_owned(),
        Decimal::NaN => return "NaN".to_owned(),
        Decimal::Finite(number) => number,
    };
    let scale = usize::from(number.scale());
    let mut digits: Vec<u8> = vec![0; (scale + 1).saturating_sub(number.digits().len())];
    digits.extend_from_slice(number.digits());
    let point = digits.len() - scale;
    let mut out = String::from(if number.is_negative() { "-" } else { "" });
    for (place, digit) in digits.iter().enumerate() {
        if place == point {
            out.push('.');
        }
        out.push(char::from(b'0' + digit));
    }
    out
}

fn date_text(date: Date) -> String {
    match date {
        Date::NegativeInfinity => "-infinity".to_owned(),
        Date::Infinity => "infinity".to_owned(),
        Date::Fields { year, month, day } => format!("{year:04}-{month:02}-{day:02}"),
    }
}

fn time_text(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}");
    }
    text
}

fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn date_time_text(at: DateTime) -> String {
    match at.date {
        Date::Fields { .. } => format!("{} {}", date_text(at.date), time_text(at.micros)),
        infinite => date_text(infinite),
    }
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut out = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::FiniteDecimal;

    #[test]
    fn json_cells_keep_what_numbers_cannot() {
        assert_eq!(to_json(&Value::Int(9_007_199_254_740_992)), json!(9_007_199_254_740_992_i64));
        assert_eq!(
            to_json(&Value::Int(9_007_199_254_740_993)),
            json!({ "int": "9007199254740993" })
        );
        assert_eq!(to_json(&Value::Float64(0.1f64.to_bits())), json!({ "float": "0.1" }));
        assert_eq!(to_json(&Value::Float64((-0.0f64).to_bits())), json!({ "float": "-0.0" }));
        assert_eq!(to_json(&Value::Bytes(vec![0, 255])), json!({ "base64": "AP8=" }));
        let price = FiniteDecimal::new(true, &[5, 0], 3).unwrap();
        assert_eq!(
            to_json(&Value::Decimal(Decimal::Finite(price))),
            json!({ "decimal": "-0.050" })
        );
    }

    #[test]
    fn text_shows_what_would_hide() {
        assert_eq!(to_text(&Value::Text("a\u{200b}b\n".into())), "'a\\u{200b}b\\n'");
        assert_eq!(visible("a\n--\u{1b}[31m\u{202e}"), "a\\n--\\u{1b}[31m\\u{202e}");
        assert_eq!(to_text(&Value::Text("it's".into())), "'it''s'");
        assert_eq!(to_text(&Value::Bytes(vec![1, 2])), "x'0102'");
    }
}
