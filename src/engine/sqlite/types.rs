//! SQLite's types: text encodings, column affinities, and cells ↔ model values.
//!
//! A cell becomes the value of its storage class and nothing else: no affinity is applied on
//! reading, integers stay 64-bit, floats keep their bits, and text that is no valid text of the
//! database's encoding keeps its bytes.

use std::borrow::Cow;

use super::handle::{Bind, Cell};
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName, Value, ValueRef};

/// The encoding in which a database keeps its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextEncoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, little endian.
    Utf16le,
    /// UTF-16, big endian.
    Utf16be,
}

impl TextEncoding {
    /// The encoding that `PRAGMA encoding` calls so.
    pub fn from_name(name: &str) -> Option<TextEncoding> {
        match name {
            "UTF-8" => Some(TextEncoding::Utf8),
            "UTF-16le" => Some(TextEncoding::Utf16le),
            "UTF-16be" => Some(TextEncoding::Utf16be),
            _ => None,
        }
    }

    /// The name that `PRAGMA encoding` gives and takes.
    pub fn name(self) -> &'static str {
        match self {
            TextEncoding::Utf8 => "UTF-8",
            TextEncoding::Utf16le => "UTF-16le",
            TextEncoding::Utf16be => "UTF-16be",
        }
    }

    /// The encoding that the facts of a schema, sorted by id, tell; UTF-8 where they do not.
    pub fn of_facts(facts: &[Fact]) -> TextEncoding {
        let id = FactId {
            kind: ObjectKind::Setting,
            object: ObjectName::bare("encoding"),
            part: String::new(),
        };
        let found = facts.binary_search_by(|fact| fact.id.cmp(&id)).ok();
        match found.and_then(|index| facts[index].attributes.get("value")) {
            Some(Attribute::Text(name)) => Self::from_name(name).unwrap_or(TextEncoding::Utf8),
            _ => TextEncoding::Utf8,
        }
    }

    /// The charset under which text that is not valid stands in the model.
    pub fn charset(self) -> &'static str {
        match self {
            TextEncoding::Utf8 => "UTF-8",
            TextEncoding::Utf16le => "UTF-16LE",
            TextEncoding::Utf16be => "UTF-16BE",
        }
    }

    fn unit(self, pair: [u8; 2]) -> u16 {
        match self {
            TextEncoding::Utf16be => u16::from_be_bytes(pair),
            TextEncoding::Utf8 | TextEncoding::Utf16le => u16::from_le_bytes(pair),
        }
    }

    /// The bytes of a text in this encoding.
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            TextEncoding::Utf8 => Cow::Borrowed(text.as_bytes()),
            TextEncoding::Utf16le => {
                Cow::Owned(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
            }
            TextEncoding::Utf16be => {
                Cow::Owned(text.encode_utf16().flat_map(u16::to_be_bytes).collect())
            }
        }
    }

    /// Converts UTF-16 bytes into `text`; false where they are not valid UTF-16.
    fn decode_into(self, bytes: &[u8], text: &mut String) -> bool {
        text.clear();
        let (pairs, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() {
            return false;
        }
        for unit in char::decode_utf16(pairs.iter().map(|&pair| self.unit(pair))) {
            match unit {
                Ok(character) => text.push(character),
                Err(_) => return false,
            }
        }
        true
    }
}

/// The storage class of a value that has bytes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageClass {
    /// Text, in the encoding of the database.
    Text,
    /// A blob.
    Blob,
}

impl StorageClass {
    /// The name that `typeof` gives.
    pub fn as_str(self) -> &'static str {
        match self {
            StorageClass::Text => "text",
            StorageClass::Blob => "blob",
        }
    }

    /// The class of this name.
    pub fn from_name(name: &str) -> Option<StorageClass> {
        [StorageClass::Text, StorageClass::Blob].into_iter().find(|class| class.as_str() == name)
    }
}

/// The affinity of a column (<https://www.sqlite.org/datatype3.html#determination_of_column_affinity>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Affinity {
    /// Texts that look like integers become integers.
    Integer,
    /// Numbers become text.
    Text,
    /// Nothing is converted.
    Blob,
    /// Integers become floats.
    Real,
    /// Texts that look like numbers become numbers.
    Numeric,
}

impl Affinity {
    /// The affinity of a column declared so. In a STRICT table the type `ANY` converts nothing.
    pub fn of(declared_type: &str, is_strict: bool) -> Affinity {
        let declared = declared_type.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        if is_strict && declared.trim_matches(['"', '`', '\'', '[', ']']) == "ANY" {
            Affinity::Blob
        } else if has("INT") {
            Affinity::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Affinity::Text
        } else if has("BLOB") || declared.is_empty() {
            Affinity::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }
}

/// The model's view of a cell. `text` is room for a conversion from UTF-16.
#[inline(always)]
pub(super) fn value_of<'c>(
    cell: Cell<'c>,
    encoding: TextEncoding,
    text: &'c mut String,
) -> ValueRef<'c> {
    match cell {
        Cell::Null => ValueRef::Null,
        Cell::Int(number) => ValueRef::Int(number),
        Cell::Float(bits) => ValueRef::Float64(bits),
        Cell::Blob(bytes) => ValueRef::Bytes(bytes),
        Cell::Text(bytes) if encoding == TextEncoding::Utf8 => match std::str::from_utf8(bytes) {
            Ok(text) => ValueRef::Text(text),
            Err(_) => ValueRef::RawText { charset: encoding.charset(), bytes },
        },
        Cell::Text(bytes) => {
            if encoding.decode_into(bytes, text) {
                ValueRef::Text(text)
            } else {
                ValueRef::RawText { charset: encoding.charset(), bytes }
            }
        }
    }
}

/// Whether a cell is exactly this value: the same storage class and the same bytes.
pub(super) fn is_exactly(
    cell: Cell<'_>,
    encoding: TextEncoding,
    text: &mut String,
    value: &Value,
) -> bool {
    match (cell, value) {
        (Cell::Text(bytes), Value::Text(wanted)) if encoding == TextEncoding::Utf8 => {
            bytes == wanted.as_bytes()
        }
        _ => value_of(cell, encoding, text) == value.as_ref(),
    }
}

/// How a value is bound so that SQLite holds exactly it; `None` where it cannot hold it.
pub(super) fn bind_of<'v>(
    value: &'v Value,
    encoding: TextEncoding,
    room: &'v mut Vec<u8>,
) -> Option<Bind<'v>> {
    match value {
        Value::Null => Some(Bind::Null),
        Value::Int(number) => Some(Bind::Int(*number)),
        Value::Float64(bits) => {
            let number = f64::from_bits(*bits);
            (!number.is_nan()).then_some(Bind::Float(number))
        }
        Value::Bytes(bytes) => Some(Bind::Blob(bytes)),
        Value::Text(text) => Some(match encoding {
            TextEncoding::Utf8 => Bind::Text(text.as_bytes()),
            _ => bind_utf16(&encoding.encode(text), encoding, room),
        }),
        Value::RawText { charset, bytes } if is_native(charset, bytes, encoding) => {
            Some(match encoding {
                TextEncoding::Utf8 => Bind::Text(bytes),
                _ => bind_utf16(bytes, encoding, room),
            })
        }
        _ => None,
    }
}

/// How bytes as SQLite keeps them are bound.
pub(super) fn bind_stored<'v>(
    class: StorageClass,
    bytes: &'v [u8],
    encoding: TextEncoding,
    room: &'v mut Vec<u8>,
) -> Bind<'v> {
    match (class, encoding) {
        (StorageClass::Blob, _) => Bind::Blob(bytes),
        (StorageClass::Text, TextEncoding::Utf8) => Bind::Text(bytes),
        (StorageClass::Text, _) if begins_with_mark(bytes, encoding) => {
            bind_utf16(bytes, encoding, room)
        }
        (StorageClass::Text, TextEncoding::Utf16le) => Bind::TextUtf16le(bytes),
        (StorageClass::Text, TextEncoding::Utf16be) => Bind::TextUtf16be(bytes),
    }
}

/// Whether UTF-16 begins with what SQLite takes for a byte order mark.
fn begins_with_mark(bytes: &[u8], encoding: TextEncoding) -> bool {
    bytes.first_chunk::<2>().is_some_and(|first| matches!(encoding.unit(*first), 0xfeff | 0xfffe))
}

/// Whether raw text is text of this encoding: other charsets would have to be converted, and an
/// odd number of UTF-16 bytes loses the last on every way in.
pub(super) fn is_native(charset: &str, bytes: &[u8], encoding: TextEncoding) -> bool {
    charset == encoding.charset()
        && (encoding == TextEncoding::Utf8 || bytes.len().is_multiple_of(2))
}

/// UTF-16 bytes to bind. SQLite takes a leading byte order mark off bound UTF-16, so a text that
/// begins with one gets another.
fn bind_utf16<'v>(bytes: &[u8], encoding: TextEncoding, room: &'v mut Vec<u8>) -> Bind<'v> {
    room.clear();
    if begins_with_mark(bytes, encoding) {
        room.extend_from_slice(&encoding.encode("\u{feff}"));
    }
    room.extend_from_slice(bytes);
    match encoding {
        TextEncoding::Utf16be => Bind::TextUtf16be(room),
        TextEncoding::Utf8 | TextEncoding::Utf16le => Bind::TextUtf16le(room),
    }
}

/// What a value is, for messages about values that SQLite cannot hold.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Bool(_) => "a boolean".to_owned(),
        Value::UInt(number) => format!("the integer {number}, above 9223372036854775807"),
        Value::Decimal(_) => "an exact decimal".to_owned(),
        Value::Float32(_) => "a 32-bit float".to_owned(),
        Value::Float64(_) => "a float that is not a number (NaN)".to_owned(),
        Value::RawText { charset, .. } => {
            format!("text in {charset} that is not valid in the database's encoding")
        }
        Value::Date(_) | Value::Time(_) | Value::TimeTz(_) => "a date or time".to_owned(),
        Value::DateTime(_) | Value::Timestamp(_) => "a date and time".to_owned(),
        Value::Interval(_) => "an interval".to_owned(),
        Value::Uuid(_) => "a UUID".to_owned(),
        Value::Json(_) => "a JSON value".to_owned(),
        Value::Other(_) => "a value of another database's type".to_owned(),
        Value::Null | Value::Int(_) | Value::Text(_) | Value::Bytes(_) => "this value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinity_follows_the_manual() {
        let cases = [
            ("INT", Affinity::Integer),
            ("UNSIGNED BIG INT", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("FLOATING POINT", Affinity::Integer),
            ("VARCHAR(255)", Affinity::Text),
            ("clob", Affinity::Text),
            ("", Affinity::Blob),
            ("BLOB", Affinity::Blob),
            ("DOUBLE PRECISION", Affinity::Real),
            ("DECIMAL(10,5)", Affinity::Numeric),
            ("ANY", Affinity::Numeric),
            ("STRING", Affinity::Numeric),
        ];
        for (declared, affinity) in cases {
            assert_eq!(Affinity::of(declared, false), affinity, "{declared}");
        }
        assert_eq!(Affinity::of("any", true), Affinity::Blob);
    }

    #[test]
    fn utf16_is_text_where_valid_and_bytes_where_not() {
        let mut room = String::new();
        let text = "a\0\u{feff}\u{ffff}😀";
        for encoding in [TextEncoding::Utf16le, TextEncoding::Utf16be] {
            let bytes = encoding.encode(text).into_owned();
            let value = value_of(Cell::Text(&bytes), encoding, &mut room);
            assert_eq!(value, ValueRef::Text(text));
            let lone = encoding.encode("\u{10000}")[..2].to_vec();
            assert_eq!(
                value_of(Cell::Text(&lone), encoding, &mut room),
                ValueRef::RawText { charset: encoding.charset(), bytes: &lone }
            );
        }
    }
}
