//! SQL text for SQLite: names and exact values.
//!
//! Pure functions: the same value gives the same text everywhere. What is written evaluates to
//! exactly the value, storage class and bytes, in a database of the given encoding; a value that
//! such a database cannot hold has no text.

use std::fmt::Write;

use super::float;
use super::types::{TextEncoding, is_native};
use crate::model::{KeyMatching, TableSpec, Value};

/// A name in double quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name of a table's rowid that no column hides.
pub(super) fn free_rowid(table: &TableSpec) -> Option<&'static str> {
    let is_free =
        |name: &&str| !table.column_order.iter().any(|column| column.eq_ignore_ascii_case(name));
    ["rowid", "_rowid_", "oid"].into_iter().find(is_free)
}

/// The clause that compares by a key's rule. By a rule that is not known here nothing can be
/// compared, so bytes are.
pub(super) fn collate(matching: KeyMatching) -> &'static str {
    match matching {
        KeyMatching::Binary | KeyMatching::Unknown => " COLLATE BINARY",
        KeyMatching::AsciiNoCase => " COLLATE NOCASE",
        KeyMatching::TrailingSpaces => " COLLATE RTRIM",
    }
}

/// The text of a value; `None` where a database of this encoding cannot hold it.
pub(super) fn literal(value: &Value, encoding: TextEncoding) -> Option<String> {
    match value {
        Value::Null => Some("NULL".to_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float64(bits) => float::literal(*bits),
        Value::Bytes(bytes) => Some(blob(bytes)),
        Value::Text(text) if is_plain(text, encoding) => {
            Some(format!("'{}'", text.replace('\'', "''")))
        }
        Value::Text(text) => Some(cast_text(&encoding.encode(text))),
        Value::RawText { charset, bytes } if is_native(charset, bytes, encoding) => {
            Some(cast_text(bytes))
        }
        _ => None,
    }
}

/// Whether the value's text is an expression with TEXT affinity rather than a literal without.
pub(super) fn is_cast(value: &Value, encoding: TextEncoding) -> bool {
    match value {
        Value::Text(text) => !is_plain(text, encoding),
        Value::RawText { .. } => true,
        _ => false,
    }
}

/// Whether a text can stand in quotes. A NUL would end the statement; other control characters
/// would act on the terminal of whoever reads the SQL; and SQLite, converting a statement to
/// UTF-16, replaces two characters that UTF-16 text can hold.
fn is_plain(text: &str, encoding: TextEncoding) -> bool {
    let is_control =
        |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f;
    !text.bytes().any(is_control)
        && (encoding == TextEncoding::Utf8 || !text.contains(['\u{feff}', '\u{fffe}', '\u{ffff}']))
}

fn blob(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2 + 3);
    text.push_str("x'");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    text
}

fn cast_text(bytes: &[u8]) -> String {
    format!("CAST({} AS TEXT)", blob(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::sqlite::handle::Database;
    use crate::engine::sqlite::types::value_of;

    fn evaluated(database: &Database<'_>, encoding: TextEncoding, text: &str) -> Value {
        // Through a table: what counts is what is stored.
        database.execute("DELETE FROM t").unwrap();
        database.execute(&format!("INSERT INTO t VALUES ({text})")).unwrap();
        let mut row = database.prepare("SELECT a FROM t").unwrap();
        assert!(row.step().unwrap());
        let mut room = String::new();
        value_of(row.cell(0).unwrap(), encoding, &mut room).to_value()
    }

    fn database(encoding: TextEncoding) -> Database<'static> {
        let database = Database::in_memory().unwrap();
        database.execute(&format!("PRAGMA encoding = '{}'", encoding.name())).unwrap();
        database.execute("CREATE TABLE t(a BLOB)").unwrap();
        database
    }

    fn raw(encoding: TextEncoding, bytes: &[u8]) -> Value {
        Value::RawText { charset: encoding.charset().to_owned(), bytes: bytes.to_vec() }
    }

    #[test]
    fn every_literal_evaluates_to_its_value() {
        for encoding in [TextEncoding::Utf8, TextEncoding::Utf16le, TextEncoding::Utf16be] {
            let database = database(encoding);
            let lone_surrogate = match encoding {
                TextEncoding::Utf8 => b"\xff\xfeab\0".to_vec(),
                TextEncoding::Utf16le => b"\x00\xd8a\0".to_vec(),
                TextEncoding::Utf16be => b"\xd8\x00\0a".to_vec(),
            };
            let values = [
                Value::Null,
                Value::Int(i64::MIN),
                Value::Int(i64::MAX),
                Value::Int(0),
                Value::Float64((-0.0f64).to_bits()),
                Value::Float64(f64::INFINITY.to_bits()),
                Value::Float64(1e300f64.to_bits()),
                Value::Bytes((0..=255).collect()),
                Value::Bytes(Vec::new()),
                Value::Text(String::new()),
                Value::Text("it's; -- \\ \"`$$:x?\r\n\t\u{2028}".to_owned()),
                Value::Text("a\0b".to_owned()),
                Value::Text("\u{feff}bom".to_owned()),
                Value::Text("\u{fffe}\u{ffff}\u{fffd}".to_owned()),
                Value::Text("\u{1b}[2J".to_owned()),
                raw(encoding, &lone_surrogate),
            ];
            for value in values {
                let text = literal(&value, encoding).unwrap();
                assert_eq!(evaluated(&database, encoding, &text), value, "{text}");
            }
        }
    }

    #[test]
    fn what_the_database_cannot_hold_has_no_literal() {
        let utf8 = TextEncoding::Utf8;
        assert_eq!(literal(&Value::Bool(true), utf8), None);
        assert_eq!(literal(&Value::UInt(u64::MAX), utf8), None);
        assert_eq!(literal(&Value::Float64(f64::NAN.to_bits()), utf8), None);
        assert_eq!(literal(&raw(TextEncoding::Utf16le, b"ab"), utf8), None);
        assert_eq!(literal(&raw(TextEncoding::Utf16le, b"abc"), TextEncoding::Utf16le), None);
    }

    proptest! {
        #[test]
        fn any_text_and_any_name_survive(text in any::<String>(), name in "[^\0]{1,20}") {
            for encoding in [TextEncoding::Utf8, TextEncoding::Utf16be] {
                let database = database(encoding);
                let value = Value::Text(text.clone());
                let sql = literal(&value, encoding).unwrap();
                prop_assert_eq!(evaluated(&database, encoding, &sql), value);
            }
            let database = Database::in_memory().unwrap();
            let create = format!("CREATE TABLE t({} INT)", quoted(&name));
            prop_assert!(database.execute(&create).is_ok());
            let mut row = database.prepare("SELECT name FROM pragma_table_info('t')").unwrap();
            prop_assert!(row.step().unwrap());
            prop_assert_eq!(row.text(0).unwrap(), Some(name.as_str()));
        }
    }
}
