//! One value ↔ its canonical bytes: a type tag and a payload (`docs/format.md`, "Cells").
//!
//! Payloads are little-endian and exact. The tag says the kind and, by [`EXTERNAL`], whether the
//! payload stands here or is an object of its own. Tags are in the order of [`Value`]'s kinds, so
//! that keys, which begin with the same tags, sort by kind first.

use super::{DecodeError, Kind};
use crate::model::temporal::{Date, DateTime, Interval, TimeTz};
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, ObjectId, Value, ValueRef};

/// Payloads longer than this are objects of their own.
pub const EXTERNAL_ABOVE: usize = 4096;

/// Values longer than this are stored as a list of pieces of this size.
pub const PIECE_LEN: usize = 1 << 20;

/// Set in the tag of a value that is an object of its own.
pub const EXTERNAL: u8 = 0x80;

/// The length of the payload that stands for a value stored apart: length and id.
pub const EXTERNAL_LEN: usize = 40;

/// The type tags. Frozen; their order is the order of kinds.
pub mod tag {
    #![allow(missing_docs, reason = "the names are those of the kinds of values")]
    pub const NULL: u8 = 0x00;
    pub const BOOL: u8 = 0x08;
    pub const INT: u8 = 0x10;
    pub const UINT: u8 = 0x11;
    pub const DECIMAL: u8 = 0x18;
    pub const FLOAT32: u8 = 0x20;
    pub const FLOAT64: u8 = 0x21;
    pub const TEXT: u8 = 0x30;
    pub const RAW_TEXT: u8 = 0x31;
    pub const BYTES: u8 = 0x38;
    pub const DATE: u8 = 0x40;
    pub const TIME: u8 = 0x41;
    pub const TIME_TZ: u8 = 0x42;
    pub const DATE_TIME: u8 = 0x43;
    pub const TIMESTAMP: u8 = 0x44;
    pub const INTERVAL: u8 = 0x48;
    pub const UUID: u8 = 0x50;
    pub const JSON: u8 = 0x58;
    pub const OTHER: u8 = 0x60;
}

/// The length of every payload of this tag, where it is fixed. `Err` for an unknown tag.
#[inline]
pub fn fixed_len(tag: u8) -> Result<Option<usize>, DecodeError> {
    match LENS[usize::from(tag)] {
        Len::Fixed(len) => Ok(Some(usize::from(len))),
        Len::Own => Ok(None),
        Len::Unknown => Err(unknown_tag(tag)),
    }
}

#[derive(Clone, Copy)]
enum Len {
    Fixed(u8),
    Own,
    Unknown,
}

/// What [`fixed_len`] says, by tag: it is asked for every cell.
static LENS: [Len; 256] = {
    let mut lens = [Len::Unknown; 256];
    let fixed = [
        (tag::NULL, 0),
        (tag::BOOL, 1),
        (tag::INT, 8),
        (tag::UINT, 8),
        (tag::FLOAT64, 8),
        (tag::TIME, 8),
        (tag::FLOAT32, 4),
        (tag::DATE, 7),
        (tag::TIME_TZ, 12),
        (tag::DATE_TIME, 15),
        (tag::TIMESTAMP, 15),
        (tag::INTERVAL, 16),
        (tag::UUID, 16),
    ];
    let mut n = 0;
    while n < fixed.len() {
        lens[fixed[n].0 as usize] = Len::Fixed(fixed[n].1);
        n += 1;
    }
    let own = [tag::DECIMAL, tag::TEXT, tag::RAW_TEXT, tag::BYTES, tag::JSON, tag::OTHER];
    let mut n = 0;
    while n < own.len() {
        lens[own[n] as usize] = Len::Own;
        // Only these can be long enough to be stored apart: `EXTERNAL_LEN`.
        lens[(own[n] | EXTERNAL) as usize] = Len::Fixed(40);
        n += 1;
    }
    lens
};

/// Whether payloads of this tag have lengths of their own.
#[inline]
pub fn is_variable(tag: u8) -> bool {
    matches!(LENS[usize::from(tag)], Len::Own)
}

#[cold]
fn unknown_tag(tag: u8) -> DecodeError {
    DecodeError::new("value", format!("type tag {tag:#04x} is not known"))
}

/// The tag of a value that stands inline.
pub fn tag_of(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => tag::NULL,
        ValueRef::Bool(_) => tag::BOOL,
        ValueRef::Int(_) => tag::INT,
        ValueRef::UInt(n) if i64::try_from(n).is_ok() => tag::INT,
        ValueRef::UInt(_) => tag::UINT,
        ValueRef::Decimal(_) => tag::DECIMAL,
        ValueRef::Float32(_) => tag::FLOAT32,
        ValueRef::Float64(_) => tag::FLOAT64,
        ValueRef::Text(_) => tag::TEXT,
        ValueRef::RawText { .. } => tag::RAW_TEXT,
        ValueRef::Bytes(_) => tag::BYTES,
        ValueRef::Date(_) => tag::DATE,
        ValueRef::Time(_) => tag::TIME,
        ValueRef::TimeTz(_) => tag::TIME_TZ,
        ValueRef::DateTime(_) => tag::DATE_TIME,
        ValueRef::Timestamp(_) => tag::TIMESTAMP,
        ValueRef::Interval(_) => tag::INTERVAL,
        ValueRef::Uuid(_) => tag::UUID,
        ValueRef::Json(_) => tag::JSON,
        ValueRef::Other(_) => tag::OTHER,
    }
}

/// The payload, where it is just the bytes that the value borrows.
pub fn borrowed_payload<'a>(value: &ValueRef<'a>) -> Option<&'a [u8]> {
    match value {
        ValueRef::Text(text) | ValueRef::Json(text) | ValueRef::Other(text) => {
            Some(text.as_bytes())
        }
        ValueRef::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Appends the payload of a value; NULL has none.
pub fn write_payload(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => {}
        ValueRef::Bool(b) => out.push(u8::from(b)),
        ValueRef::Int(n) | ValueRef::Time(n) => out.extend_from_slice(&n.to_le_bytes()),
        ValueRef::UInt(n) => out.extend_from_slice(&n.to_le_bytes()),
        ValueRef::Decimal(decimal) => write_decimal(decimal, out),
        ValueRef::Float32(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        ValueRef::Float64(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        ValueRef::Text(text) | ValueRef::Json(text) | ValueRef::Other(text) => {
            out.extend_from_slice(text.as_bytes());
        }
        ValueRef::RawText { charset, bytes } => {
            let len = u16::try_from(charset.len()).expect("names of charsets are short");
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(charset.as_bytes());
            out.extend_from_slice(bytes);
        }
        ValueRef::Bytes(bytes) => out.extend_from_slice(bytes),
        ValueRef::Date(date) => out.extend_from_slice(&date_payload(date)),
        ValueRef::TimeTz(time) => {
            out.extend_from_slice(&time.micros.to_le_bytes());
            out.extend_from_slice(&time.offset_seconds.to_le_bytes());
        }
        ValueRef::DateTime(at) | ValueRef::Timestamp(at) => {
            out.extend_from_slice(&date_time_payload(at));
        }
        ValueRef::Interval(interval) => {
            out.extend_from_slice(&interval.months.to_le_bytes());
            out.extend_from_slice(&interval.days.to_le_bytes());
            out.extend_from_slice(&interval.micros.to_le_bytes());
        }
        ValueRef::Uuid(uuid) => out.extend_from_slice(&uuid),
    }
}

fn write_decimal(decimal: &Decimal, out: &mut Vec<u8>) {
    match decimal {
        Decimal::NegativeInfinity => out.push(0),
        Decimal::Finite(number) => {
            out.push(if number.is_negative() { 1 } else { 2 });
            out.extend_from_slice(&number.scale().to_le_bytes());
            out.extend_from_slice(number.digits());
        }
        Decimal::Infinity => out.push(3),
        Decimal::NaN => out.push(4),
    }
}

/// The payload of a date.
fn date_payload(date: Date) -> [u8; 7] {
    let (class, year, month, day) = match date {
        Date::NegativeInfinity => (0, 0, 0, 0),
        Date::Fields { year, month, day } => (1, year, month, day),
        Date::Infinity => (2, 0, 0, 0),
    };
    let [y0, y1, y2, y3] = i32::to_le_bytes(year);
    [class, y0, y1, y2, y3, month, day]
}

/// The payload of a date and time.
pub(super) fn date_time_payload(at: DateTime) -> [u8; 15] {
    let mut payload = [0; 15];
    payload[..7].copy_from_slice(&date_payload(at.date));
    payload[7..].copy_from_slice(&at.micros.to_le_bytes());
    payload
}

/// A cell as it lies in a block or a row: its tag and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The type tag, with [`EXTERNAL`] where the value is stored apart.
    pub tag: u8,
    /// The payload; empty for NULL.
    pub payload: &'a [u8],
}

/// A value that is an object of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExternalValue {
    /// `Value` or `ValueList`.
    pub kind: Kind,
    /// The object.
    pub id: ObjectId,
    /// The length of the payload.
    pub len: u64,
    /// The tag the value has without [`EXTERNAL`].
    pub tag: u8,
}

impl ExternalValue {
    /// What stands in a row for the value: its length and id.
    pub fn payload(&self) -> [u8; EXTERNAL_LEN] {
        let mut payload = [0u8; EXTERNAL_LEN];
        payload[..8].copy_from_slice(&self.len.to_le_bytes());
        payload[8..].copy_from_slice(&self.id.0);
        payload
    }

    /// The tag that stands in a row for the value.
    pub fn cell_tag(&self) -> u8 {
        self.tag | EXTERNAL
    }
}

impl Cell<'_> {
    /// NULL.
    pub const NULL: Cell<'static> = Cell { tag: tag::NULL, payload: &[] };

    /// Whether the cell is NULL.
    pub fn is_null(&self) -> bool {
        self.tag == tag::NULL
    }

    /// Where the value is stored apart: where.
    pub fn external(&self) -> Result<Option<ExternalValue>, DecodeError> {
        if self.tag & EXTERNAL == 0 {
            return Ok(None);
        }
        fixed_len(self.tag)?;
        let wrong = |why: &str| DecodeError::new("value stored apart", why);
        let (len, id) = self.payload.split_first_chunk::<8>().ok_or_else(|| wrong("too short"))?;
        let id: [u8; 32] = id.try_into().map_err(|_| wrong("an id has 32 bytes"))?;
        let len = u64::from_le_bytes(*len);
        if len <= EXTERNAL_ABOVE as u64 {
            return Err(wrong("short enough to stand inline"));
        }
        let kind = if len > PIECE_LEN as u64 { Kind::ValueList } else { Kind::Value };
        Ok(Some(ExternalValue { kind, id: ObjectId(id), len, tag: self.tag & !EXTERNAL }))
    }

    /// The value, which must stand inline.
    pub fn value(&self) -> Result<Value, DecodeError> {
        if self.tag & EXTERNAL != 0 {
            return Err(DecodeError::new("value", "stored apart where it should stand inline"));
        }
        read_value(self.tag, self.payload)
    }
}

/// The value of a tag (without [`EXTERNAL`]) and a payload of any length. Strict: refuses what
/// [`write_payload`] would not write.
pub fn read_value(tag: u8, payload: &[u8]) -> Result<Value, DecodeError> {
    let wrong = |why: &str| DecodeError::new("value", why);
    if fixed_len(tag)?.is_some_and(|len| payload.len() != len) {
        return Err(wrong("payload of the wrong length"));
    }
    let mut fields = Fields(payload);
    Ok(match tag {
        tag::NULL => Value::Null,
        tag::BOOL => match payload[0] {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return Err(wrong("a truth value is 0 or 1")),
        },
        tag::INT => Value::Int(i64::from_le_bytes(fields.take()?)),
        tag::UINT => match u64::from_le_bytes(fields.take()?) {
            n if i64::try_from(n).is_ok() => return Err(wrong("unsigned where signed would do")),
            n => Value::UInt(n),
        },
        tag::DECIMAL => Value::Decimal(read_decimal(payload)?),
        tag::FLOAT32 => Value::Float32(u32::from_le_bytes(fields.take()?)),
        tag::FLOAT64 => Value::Float64(u64::from_le_bytes(fields.take()?)),
        tag::TEXT => Value::Text(read_text(payload)?),
        tag::RAW_TEXT => {
            let len = usize::from(u16::from_le_bytes(fields.take()?));
            let (charset, bytes) =
                fields.0.split_at_checked(len).ok_or_else(|| wrong("cut short"))?;
            Value::RawText { charset: read_text(charset)?, bytes: bytes.to_vec() }
        }
        tag::BYTES => Value::Bytes(payload.to_vec()),
        tag::DATE => Value::Date(fields.date()?),
        tag::TIME => Value::Time(i64::from_le_bytes(fields.take()?)),
        tag::TIME_TZ => Value::TimeTz(TimeTz {
            micros: i64::from_le_bytes(fields.take()?),
            offset_seconds: i32::from_le_bytes(fields.take()?),
        }),
        tag::DATE_TIME => Value::DateTime(fields.date_time()?),
        tag::TIMESTAMP => Value::Timestamp(fields.date_time()?),
        tag::INTERVAL => Value::Interval(Interval {
            months: i32::from_le_bytes(fields.take()?),
            days: i32::from_le_bytes(fields.take()?),
            micros: i64::from_le_bytes(fields.take()?),
        }),
        tag::UUID => Value::Uuid(fields.take()?),
        tag::JSON => Value::Json(read_text(payload)?),
        tag::OTHER => Value::Other(read_text(payload)?),
        _ => return Err(unknown_tag(tag)),
    })
}

/// As [`read_value`]; text and bytes keep the memory of the payload, so a large value is not
/// there twice.
pub fn into_value(tag: u8, payload: Vec<u8>) -> Result<Value, DecodeError> {
    match tag {
        tag::TEXT => String::from_utf8(payload)
            .map(Value::Text)
            .map_err(|_| DecodeError::new("value", "text that is not UTF-8")),
        tag::BYTES => Ok(Value::Bytes(payload)),
        _ => read_value(tag, &payload),
    }
}

fn read_text(bytes: &[u8]) -> Result<String, DecodeError> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| DecodeError::new("value", "text that is not UTF-8"))
}

fn read_decimal(payload: &[u8]) -> Result<Decimal, DecodeError> {
    let wrong = |why: &str| DecodeError::new("decimal", why);
    match payload {
        [0] => Ok(Decimal::NegativeInfinity),
        [3] => Ok(Decimal::Infinity),
        [4] => Ok(Decimal::NaN),
        [sign @ (1 | 2), low, high, digits @ ..] => {
            let negative = *sign == 1;
            let scale = u16::from_le_bytes([*low, *high]);
            let number = FiniteDecimal::new(negative, digits, scale)
                .filter(|number| number.digits() == digits && number.is_negative() == negative)
                .ok_or_else(|| wrong("not in canonical form"))?;
            Ok(Decimal::Finite(number))
        }
        _ => Err(wrong("unknown class")),
    }
}

/// Reads fields from the front of a payload.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or_else(|| DecodeError::new("value", "cut short"))?;
        self.0 = rest;
        Ok(*field)
    }

    fn date(&mut self) -> Result<Date, DecodeError> {
        let [class] = self.take()?;
        let year = i32::from_le_bytes(self.take()?);
        let [month, day] = self.take()?;
        match (class, year, month, day) {
            (0, 0, 0, 0) => Ok(Date::NegativeInfinity),
            (1, ..) => Ok(Date::Fields { year, month, day }),
            (2, 0, 0, 0) => Ok(Date::Infinity),
            _ => Err(DecodeError::new("date", "not in canonical form")),
        }
    }

    fn date_time(&mut self) -> Result<DateTime, DecodeError> {
        let date = self.date()?;
        let micros = i64::from_le_bytes(self.take()?);
        if micros != 0 && !matches!(date, Date::Fields { .. }) {
            return Err(DecodeError::new("date and time", "an infinite date has no time"));
        }
        Ok(DateTime { date, micros })
    }
}
