//! What a column's declared type makes of the bytes of the binary protocol.
//!
//! The type comes from the catalog and says everything: the server's column
//! type, and for text its charset. Values are taken by their raw fields; what does not have the
//! shape of its type is refused, never approximated.

use std::borrow::Cow;

use crate::model::temporal::{Date, DateTime};
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, ValueRef};

/// What stands between a column type and its charset in a declared type.
const CHARSET: &str = " character set ";

/// The declared type of a column: the catalog's type without what does not change its values,
/// spelled alike by every version, with the charset of text.
pub(super) fn declared(column_type: &str, charset: Option<&str>) -> String {
    let base = base(column_type);
    let rest = &column_type[base.len()..];
    // MySQL 8.0.19 and later leave the display width of integers out. It means nothing, except
    // that `tinyint(1)` says boolean and ZEROFILL shows it.
    let is_shown = rest.ends_with(" zerofill") || (base == "tinyint" && rest.starts_with("(1)"));
    let has_width = matches!(base, "tinyint" | "smallint" | "mediumint" | "int" | "bigint")
        && !is_shown
        || base == "year";
    let rest = match rest.split_once(')') {
        Some((_, after)) if has_width && rest.starts_with('(') => after,
        _ => rest,
    };
    match charset {
        Some(charset) => format!("{base}{rest}{CHARSET}{}", charset_name(charset)),
        None => format!("{base}{rest}"),
    }
}

/// `utf8` is the old name of `utf8mb3`.
pub(super) fn charset_name(charset: &str) -> &str {
    if charset == "utf8" { "utf8mb3" } else { charset }
}

/// The word a type begins with.
pub(super) fn base(declared: &str) -> &str {
    let end = declared.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_');
    &declared[..end.unwrap_or(declared.len())]
}

/// How a column's values are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A signed integer of one to eight bytes.
    Signed,
    /// An unsigned integer of one to eight bytes.
    Unsigned,
    /// BIT: a big-endian number.
    Bit,
    /// DECIMAL, as text.
    Decimal,
    /// FLOAT or DOUBLE, by its bits.
    Float,
    /// Text.
    Text(Charset),
    /// ENUM: a label, or nothing for the invalid value, whose number is 0.
    Enum(Charset, Empty),
    /// SET: labels.
    Set(Charset, Empty),
    /// Binary data, geometries among them (SRID and WKB).
    Bytes,
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// TIMESTAMP, in UTC.
    Timestamp,
    /// TIME: a signed duration.
    Time,
    /// MySQL's JSON as its text.
    Json,
    /// MariaDB's UUID, as text.
    Uuid,
    /// A type without a kind of its own: the server's text.
    Other,
}

/// What an empty text of an ENUM or SET means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// The number 0: no label is empty.
    IsZero,
    /// Zero, or the label that is empty: the number must be read, too.
    IsAmbiguous,
}

/// A charset of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8, of three or four bytes.
    Utf8(Box<str>),
    /// ASCII.
    Ascii,
    /// Any other.
    Other(Box<str>),
}

impl Charset {
    fn of(name: &str) -> Charset {
        match name {
            "utf8mb4" | "utf8mb3" | "utf8" => Charset::Utf8(name.into()),
            "ascii" => Charset::Ascii,
            other => Charset::Other(other.into()),
        }
    }

    /// Text where the bytes are what the charset says, else the bytes.
    fn value<'a>(&'a self, bytes: &'a [u8]) -> ValueRef<'a> {
        let charset = match self {
            Charset::Utf8(name) => match std::str::from_utf8(bytes) {
                Ok(text) => return ValueRef::Text(text),
                Err(_) => name,
            },
            Charset::Ascii => match std::str::from_utf8(bytes) {
                Ok(text) if bytes.is_ascii() => return ValueRef::Text(text),
                _ => "ascii",
            },
            Charset::Other(name) => name,
        };
        ValueRef::RawText { charset, bytes }
    }
}

impl Kind {
    /// The kind of a declared type.
    pub(super) fn of(declared: &str) -> Kind {
        // Labels could hold the words, too; ours come last.
        let (column_type, charset) = match declared.rsplit_once(CHARSET) {
            Some((column_type, charset)) => (column_type, Charset::of(charset)),
            None => (declared, Charset::Other("binary".into())),
        };
        let base = base(column_type);
        match base {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => {
                let is_unsigned =
                    column_type.contains(" unsigned") || column_type.contains(" zerofill");
                if is_unsigned { Kind::Unsigned } else { Kind::Signed }
            }
            "year" => Kind::Unsigned,
            "bit" => Kind::Bit,
            "decimal" => Kind::Decimal,
            "float" | "double" => Kind::Float,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
                Kind::Text(charset)
            }
            "enum" => Kind::Enum(charset, empty(&column_type[base.len()..])),
            "set" => Kind::Set(charset, empty(&column_type[base.len()..])),
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob"
            | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geometrycollection" | "geomcollection"
            | "vector" => Kind::Bytes,
            "date" => Kind::Date,
            "datetime" => Kind::DateTime,
            "timestamp" => Kind::Timestamp,
            "time" => Kind::Time,
            "json" => Kind::Json,
            "uuid" => Kind::Uuid,
            _ => Kind::Other,
        }
    }

    /// Whether the server's number of the value must be read beside its text.
    pub(super) fn needs_number(&self) -> bool {
        matches!(self, Kind::Enum(_, Empty::IsAmbiguous) | Kind::Set(_, Empty::IsAmbiguous))
    }

    /// The value of a cell; `None` where the bytes have not the shape of the type. A decimal is
    /// put into `room`.
    #[inline]
    pub(super) fn value<'a>(
        &'a self,
        bytes: &'a [u8],
        room: &'a mut Decimal,
    ) -> Option<ValueRef<'a>> {
        Some(match self {
            Kind::Signed => ValueRef::Int(signed(bytes)?),
            Kind::Unsigned => integer(unsigned(bytes)?),
            Kind::Bit => integer(bit(bytes)?),
            Kind::Decimal => {
                if !matches!(room, Decimal::Finite(_)) {
                    *room = Decimal::Finite(FiniteDecimal::default());
                }
                let is_number = match room {
                    Decimal::Finite(number) => read_decimal(bytes, number),
                    _ => false,
                };
                is_number.then_some(ValueRef::Decimal(room))?
            }
            Kind::Float => match bytes.len() {
                4 => ValueRef::Float32(u32::from_le_bytes(bytes.try_into().ok()?)),
                _ => ValueRef::Float64(u64::from_le_bytes(bytes.try_into().ok()?)),
            },
            Kind::Enum(_, Empty::IsZero) if bytes.is_empty() => ValueRef::Int(0),
            Kind::Text(charset) | Kind::Enum(charset, _) | Kind::Set(charset, _) => {
                charset.value(bytes)
            }
            Kind::Bytes => ValueRef::Bytes(bytes),
            Kind::Date => ValueRef::Date(date_time(bytes)?.date),
            Kind::DateTime => ValueRef::DateTime(date_time(bytes)?),
            Kind::Timestamp => ValueRef::Timestamp(date_time(bytes)?),
            Kind::Time => ValueRef::Time(time(bytes)?),
            Kind::Json => ValueRef::Json(std::str::from_utf8(bytes).ok()?),
            Kind::Uuid => ValueRef::Uuid(uuid(bytes)?),
            Kind::Other => match std::str::from_utf8(bytes) {
                Ok(text) => ValueRef::Other(text),
                Err(_) => ValueRef::Bytes(bytes),
            },
        })
    }

    /// The value of a cell whose number was read, too: what is empty is told apart by it. An ENUM
    /// of number 0 and a SET of the empty label alone have no text of their own, and are numbers.
    pub(super) fn value_with_number<'a>(&'a self, bytes: &'a [u8], number: u64) -> ValueRef<'a> {
        match self {
            Kind::Enum(..) if number == 0 => ValueRef::Int(0),
            Kind::Set(..) if number != 0 && bytes.is_empty() => integer(number),
            Kind::Text(charset) | Kind::Enum(charset, _) | Kind::Set(charset, _) => {
                charset.value(bytes)
            }
            _ => ValueRef::Bytes(bytes),
        }
    }

    /// Whether the server orders values of this kind as their bytes in a key. `collation` is that
    /// of text: only those that compare code points and pad nothing do.
    pub(super) fn is_in_byte_order(&self, collation: Option<&str>) -> bool {
        match self {
            Kind::Signed
            | Kind::Unsigned
            | Kind::Bit
            | Kind::Decimal
            | Kind::Bytes
            | Kind::Date
            | Kind::DateTime
            | Kind::Timestamp
            | Kind::Time => true,
            Kind::Text(Charset::Utf8(_)) => collation.is_some_and(is_code_point_order),
            _ => false,
        }
    }
}

/// Whether a collation compares code points, and trailing spaces like any other character.
pub(super) fn is_code_point_order(collation: &str) -> bool {
    collation.ends_with("_nopad_bin") || collation == "utf8mb4_0900_bin" || collation == "binary"
}

fn integer(number: u64) -> ValueRef<'static> {
    i64::try_from(number).map_or(ValueRef::UInt(number), ValueRef::Int)
}

fn signed(bytes: &[u8]) -> Option<i64> {
    Some(match *bytes {
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a] => i8::from_le_bytes([a]).into(),
        _ => return None,
    })
}

/// An unsigned little-endian number.
pub(super) fn unsigned(bytes: &[u8]) -> Option<u64> {
    Some(match *bytes {
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a] => a.into(),
        _ => return None,
    })
}

fn bit(bytes: &[u8]) -> Option<u64> {
    let mut number = [0; 8];
    let start = number.len().checked_sub(bytes.len())?;
    number[start..].copy_from_slice(bytes);
    Some(u64::from_be_bytes(number))
}

/// Puts a number as the server writes it into `number`: sign, digits, a point. False where it is
/// written otherwise.
#[inline]
pub(super) fn read_decimal(text: &[u8], number: &mut FiniteDecimal) -> bool {
    let (is_negative, numerals) = match text.strip_prefix(b"-") {
        Some(numerals) => (true, numerals),
        None => (false, text),
    };
    let point = numerals.iter().position(|&byte| byte == b'.');
    let fraction = point.map_or(0, |point| numerals.len() - point - 1);
    let Ok(scale) = u16::try_from(fraction) else { return false };
    // A second point, or anything else, gives a digit above 9 and is refused.
    let digits = |numerals: &[u8], digits: &mut Vec<u8>| {
        digits.extend(numerals.iter().map(|byte| byte.wrapping_sub(b'0')));
    };
    let (whole, fraction) = numerals.split_at(point.unwrap_or(numerals.len()));
    let fraction = fraction.get(1..).unwrap_or_default();
    let is_number = number.refill(|room| {
        digits(whole, room);
        digits(fraction, room);
        (is_negative, scale)
    });
    is_number && !(whole.is_empty() && fraction.is_empty())
}

/// A date, or a date and time: a length, then as many of year, month, day, hour, minute, second
/// and microsecond as are not zero.
fn date_time(bytes: &[u8]) -> Option<DateTime> {
    let (&length, fields) = bytes.split_first()?;
    if usize::from(length) != fields.len() || !matches!(length, 0 | 4 | 7 | 11) {
        return None;
    }
    let mut whole = [0; 11];
    whole[..fields.len()].copy_from_slice(fields);
    let [y0, y1, month, day, hours, minutes, seconds, m0, m1, m2, m3] = whole;
    let date = Date::Fields { year: u16::from_le_bytes([y0, y1]).into(), month, day };
    let micros = clock(hours.into(), minutes, seconds, [m0, m1, m2, m3]);
    Some(DateTime { date, micros })
}

/// A duration: a length, then sign, days, hours, minutes, seconds and microseconds.
fn time(bytes: &[u8]) -> Option<i64> {
    let (&length, fields) = bytes.split_first()?;
    if usize::from(length) != fields.len() || !matches!(length, 0 | 8 | 12) {
        return None;
    }
    let mut whole = [0; 12];
    whole[..fields.len()].copy_from_slice(fields);
    let [sign, d0, d1, d2, d3, hours, minutes, seconds, m0, m1, m2, m3] = whole;
    let days = i64::from(u32::from_le_bytes([d0, d1, d2, d3]));
    let micros = clock(days * 24 + i64::from(hours), minutes, seconds, [m0, m1, m2, m3]);
    match sign {
        0 => Some(micros),
        1 => Some(-micros),
        _ => None,
    }
}

fn clock(hours: i64, minutes: u8, seconds: u8, micros: [u8; 4]) -> i64 {
    let seconds = (hours * 60 + i64::from(minutes)) * 60 + i64::from(seconds);
    seconds * 1_000_000 + i64::from(u32::from_le_bytes(micros))
}

fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut uuid = [0; 16];
    let mut count = 0;
    for (place, &byte) in text.iter().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = u8::try_from(char::from(byte).to_digit(16)?).ok()?;
        let half: &mut u8 = uuid.get_mut(count / 2)?;
        *half = *half << 4 | digit;
        count += 1;
    }
    (count == 32).then_some(uuid)
}

/// Whether one of the labels in `('a','b''c')` is empty. Quotes are doubled, other characters may
/// be escaped by a backslash.
fn empty(labels: &str) -> Empty {
    if labels_of(labels).iter().any(|label| label.is_empty()) {
        Empty::IsAmbiguous
    } else {
        Empty::IsZero
    }
}

fn labels_of(list: &str) -> Vec<Cow<'_, str>> {
    let mut labels = Vec::new();
    let mut rest = list.trim_start_matches('(');
    while let Some(quoted) = rest.strip_prefix('\'') {
        let mut label = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next() {
                Some((at, '\'')) if quoted[at + 1..].starts_with('\'') => {
                    characters.next();
                    label.push('\'');
                }
                Some((at, '\'')) => break at + 1,
                Some((_, '\\')) => label.extend(characters.next().map(|(_, escaped)| escaped)),
                Some((_, character)) => label.push(character),
                None => break quoted.len(),
            }
        };
        labels.push(Cow::Owned(label));
        rest = quoted[end..].trim_start_matches(',');
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(declared: &str, bytes: &[u8]) -> Option<crate::model::Value> {
        let mut room = Decimal::NaN;
        Kind::of(declared).value(bytes, &mut room).map(ValueRef::to_value)
    }

    #[test]
    fn types_are_spelled_alike_by_every_version() {
        for (column_type, charset, expected) in [
            ("int(11)", None, "int"),
            ("int(10) unsigned", None, "int unsigned"),
            ("tinyint(1)", None, "tinyint(1)"),
            ("tinyint(4)", None, "tinyint"),
            ("int(5) unsigned zerofill", None, "int(5) unsigned zerofill"),
            ("year(4)", None, "year"),
            ("decimal(10,2)", None, "decimal(10,2)"),
            ("bit(3)", None, "bit(3)"),
            ("varchar(20)", Some("utf8"), "varchar(20) character set utf8mb3"),
        ] {
            assert_eq!(declared(column_type, charset), expected);
        }
    }

    #[test]
    fn labels_are_taken_apart() {
        assert_eq!(
            labels_of(r"('a','it''s','','b\\',' character set x')"),
            ["a", "it's", "", "b\\", " character set x"]
        );
        assert!(Kind::of("enum('a','') character set utf8mb4").needs_number());
        assert!(!Kind::of("enum('''','a') character set utf8mb4").needs_number());
    }

    #[test]
    fn what_has_another_shape_is_refused() {
        for (declared, bytes) in [
            ("int", &[1, 2, 3][..]),
            ("bigint unsigned", &[0; 9]),
            ("bit(64)", &[0; 9]),
            ("decimal(5,2)", b"1.2.3"),
            ("decimal(5,2)", b""),
            ("float", &[0; 3]),
            ("datetime", &[4, 0, 0]),
            ("datetime", &[5, 0, 0, 0, 0, 0]),
            ("time", &[8, 2, 0, 0, 0, 0, 0, 0, 0]),
            ("uuid", b"123e4567-e89b-12d3-a456-42661417400"),
            ("json", &[0xff]),
        ] {
            assert_eq!(value(declared, bytes), None, "{declared} {bytes:?}");
        }
    }

    #[test]
    fn values_keep_their_fields() {
        use crate::model::Value;
        let date = |year, month, day| Date::Fields { year, month, day };
        assert_eq!(value("date", &[0]), Some(Value::Date(date(0, 0, 0))));
        assert_eq!(value("date", &[4, 0xe8, 7, 0, 10]), Some(Value::Date(date(2024, 0, 10))));
        let time = value("time(6)", &[12, 1, 34, 0, 0, 0, 22, 59, 59, 1, 0, 0, 0]);
        assert_eq!(time, Some(Value::Time(-3_020_399_000_001)));
        assert_eq!(value("bigint unsigned", &[0xff; 8]), Some(Value::UInt(u64::MAX)));
        assert_eq!(value("bit(10)", &[2, 1]), Some(Value::Int(513)));
        assert_eq!(value("tinyint(1)", &[127]), Some(Value::Int(127)));
        let invalid = value("enum('a') character set utf8mb4", b"");
        assert_eq!(invalid, Some(Value::Int(0)));
        let raw = Value::RawText { charset: "latin1".to_owned(), bytes: b"a".to_vec() };
        assert_eq!(value("varchar(1) character set latin1", b"a"), Some(raw));
    }
}
