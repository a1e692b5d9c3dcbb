//! Names and values as SQL text, exact under the pinned session.
//!
//! Text and bytes are written in hexadecimal, so neither a charset of the connection nor an escape
//! rule can touch them, and no value can end its literal.

use std::fmt::Write as _;

use crate::model::temporal::{Date, DateTime};
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, Value};

/// Charsets of which a character never is one byte.
const WIDE: [&str; 4] = ["ucs2", "utf16", "utf16le", "utf32"];

/// A quoted name.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A literal of UTF-8 text.
pub(super) fn text(text: &str) -> String {
    format!("_utf8mb4 x'{}'", hex(text.as_bytes()))
}

/// The exact literal of a value; `None` where MySQL has no such value.
pub(super) fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Decimal(Decimal::Finite(number)) => decimal(number),
        Value::Float32(bits) => float(f64::from(f32::from_bits(*bits)))?,
        Value::Float64(bits) => float(f64::from_bits(*bits))?,
        Value::Text(content) | Value::Other(content) => text(content),
        Value::RawText { charset, bytes } => {
            let is_name = charset.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
            is_name.then(|| format!("_{charset} x'{}'", hex(bytes)))?
        }
        Value::Bytes(bytes) => format!("x'{}'", hex(bytes)),
        Value::Date(value) => format!("'{}'", date(*value)?),
        Value::DateTime(value) | Value::Timestamp(value) => format!("'{}'", date_time(*value)?),
        Value::Time(micros) => format!("'{}'", time(*micros)),
        Value::Uuid(uuid) => {
            let hex = hex(uuid);
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            format!("'{}'", parts.join("-"))
        }
        Value::Bool(_)
        | Value::Decimal(_)
        | Value::TimeTz(_)
        | Value::Interval(_)
        | Value::Json(_) => return None,
    })
}

/// The exact literal of a value, readable where that is possible: text between quotes where no
/// character needs an escape or hides, hexadecimal else. `None` where MySQL has no such value, or
/// takes it for damaged: bytes that are not what their charset says.
pub(super) fn readable(value: &Value) -> Option<String> {
    match value {
        Value::Text(content) | Value::Other(content) => {
            Some(shown(content).unwrap_or_else(|| text(content)))
        }
        Value::RawText { charset, .. } if ["utf8mb4", "utf8mb3", "ascii"].contains(&&**charset) => {
            None
        }
        Value::RawText { charset, bytes } if !WIDE.contains(&&**charset) => {
            let is_name = charset.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
            match ascii(bytes).and_then(shown).filter(|_| is_name) {
                Some(shown) => Some(format!("_{charset}{shown}")),
                None => literal(value),
            }
        }
        value => literal(value),
    }
}

/// The literal of the bytes of text, to compare bytes with: readable where that is possible.
pub(super) fn readable_bytes(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(shown).unwrap_or_else(|| format!("x'{}'", hex(bytes)))
}

fn ascii(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())
}

/// Text between quotes; `None` where a character needs an escape, or cannot be seen and changes
/// what is seen.
fn shown(text: &str) -> Option<String> {
    let hides = |character: char| {
        character.is_control()
            || matches!(character, '\\' | '\u{ad}' | '\u{61c}' | '\u{feff}')
            || ('\u{200b}'..='\u{200f}').contains(&character)
            || ('\u{2028}'..='\u{202e}').contains(&character)
            || ('\u{2060}'..='\u{2069}').contains(&character)
    };
    (!text.contains(hides)).then(|| format!("'{}'", text.replace('\'', "''")))
}

/// An exponent makes it a double, which the server reads back to the same bits.
fn float(number: f64) -> Option<String> {
    number.is_finite().then(|| format!("{number:e}"))
}

fn decimal(number: &FiniteDecimal) -> String {
    let scale = usize::from(number.scale());
    let mut digits: String =
        number.digits().iter().map(|&digit| char::from(b'0' + digit)).collect();
    if digits.len() <= scale {
        digits.insert_str(0, &"0".repeat(scale + 1 - digits.len()));
    }
    if scale > 0 {
        digits.insert(digits.len() - scale, '.');
    }
    let sign = if number.is_negative() { "-" } else { "" };
    format!("{sign}{digits}")
}

fn date(date: Date) -> Option<String> {
    match date {
        Date::Fields { year, month, day } => Some(format!("{year:04}-{month:02}-{day:02}")),
        Date::Infinity | Date::NegativeInfinity => None,
    }
}

fn date_time(at: DateTime) -> Option<String> {
    Some(format!("{} {}", date(at.date)?, time(at.micros)))
}

fn time(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let seconds = micros / 1_000_000;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = match micros % 1_000_000 {
        0 => String::new(),
        fraction => format!(".{fraction:06}"),
    };
    format!("{sign}{hours:02}:{minutes:02}:{rest:02}{fraction}")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("because writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_exact() {
        let number = FiniteDecimal::new(true, &[5], 3).unwrap();
        let at = Date::Fields { year: 2024, month: 0, day: 10 };
        for (value, expected) in [
            (Value::UInt(u64::MAX), "18446744073709551615"),
            (Value::Decimal(Decimal::Finite(number)), "-0.005"),
            (Value::Float32(0.1f32.to_bits()), "1.0000000149011612e-1"),
            (Value::Float64((-0.0f64).to_bits()), "-0e0"),
            (Value::Text("a'\\".to_owned()), "_utf8mb4 x'61275c'"),
            (Value::Bytes(vec![0, 255]), "x'00ff'"),
            (Value::Date(at), "'2024-00-10'"),
            (Value::Time(-3_020_399_000_000), "'-838:59:59'"),
            (Value::Time(1), "'00:00:00.000001'"),
            (Value::DateTime(DateTime { date: at, micros: 1 }), "'2024-00-10 00:00:00.000001'"),
            (Value::Uuid([0xab; 16]), "'abababab-abab-abab-abab-abababababab'"),
        ] {
            assert_eq!(literal(&value).as_deref(), Some(expected));
        }
        assert_eq!(literal(&Value::Float64(f64::NAN.to_bits())), None);
        assert_eq!(quoted("a`b"), "`a``b`");
    }

    #[test]
    fn text_is_readable_where_nothing_is_hidden() {
        let text = |text: &str| Value::Text(text.to_owned());
        let raw = |charset: &str, bytes: &[u8]| Value::RawText {
            charset: charset.to_owned(),
            bytes: bytes.to_vec(),
        };
        for (value, expected) in [
            (text("it's é 😀 \"?;--"), Some("'it''s é 😀 \"?;--'")),
            (text("a\\"), Some("_utf8mb4 x'615c'")),
            (text("a\0"), Some("_utf8mb4 x'6100'")),
            (text("a\u{202e}b"), Some("_utf8mb4 x'61e280ae62'")),
            (raw("latin1", b"abc"), Some("_latin1'abc'")),
            (raw("latin1", b"\xe9"), Some("_latin1 x'e9'")),
            (raw("gbk", b"\x81\x5c"), Some("_gbk x'815c'")),
            (raw("utf16", b"\0a"), Some("_utf16 x'0061'")),
            (raw("utf16", b"ab"), Some("_utf16 x'6162'")),
            (raw("utf8mb4", b"\xff"), None),
            (raw("x'--", b"a"), None),
        ] {
            assert_eq!(readable(&value).as_deref(), expected, "{value:?}");
        }
        assert_eq!(readable_bytes("é".as_bytes()), "'é'");
        assert_eq!(readable_bytes(b"\xe9"), "x'e9'");
    }
}
