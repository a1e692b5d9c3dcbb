//! Row keys ↔ bytes whose order is the order of keys (`docs/format.md`, "Keys").
//!
//! A key is its components one after the other, each a type tag and a payload that sorts as the
//! values do and ends itself, so the encoding is injective and no key is a prefix of another. A
//! row without an identity of its own ends in [`ROW_HASH`] and its row hash. A key above
//! [`LONG_KEY`] bytes is cut there and followed by the hash of the whole.

use super::cell::tag;
use super::{DecodeError, Hasher, Kind};
use crate::model::temporal::{Date, DateTime, Interval, TimeTz};
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, ObjectId, Value, ValueRef};

/// Keys longer than this are cut here and followed by their hash.
pub const LONG_KEY: usize = 1024;

/// The length of a key that was cut.
pub const CUT_KEY: usize = LONG_KEY + 32;

/// The tag before the row hash, above every type tag.
pub const ROW_HASH: u8 = 0xFE;

/// Whether these are the bytes of a key that was cut: it cannot be decoded, and its chunk keeps
/// the key columns as blocks.
pub fn is_cut(key: &[u8]) -> bool {
    key.len() > LONG_KEY
}

/// Ends a key that was written from `start` on: cuts it where it is too long.
pub fn finish(out: &mut Vec<u8>, start: usize, hasher: &Hasher) {
    if out.len() - start > LONG_KEY {
        let id = hasher.id(Kind::LongKey, &out[start..]);
        out.truncate(start + LONG_KEY);
        out.extend_from_slice(&id.0);
    }
}

/// Appends a row hash, for rows without an identity of their own.
pub fn write_row_hash(hash: &ObjectId, out: &mut Vec<u8>) {
    out.push(ROW_HASH);
    out.extend_from_slice(&hash.0);
}

/// Appends one component of a key.
pub fn write_component(value: ValueRef<'_>, out: &mut Vec<u8>) {
    out.push(super::cell::tag_of(value));
    match value {
        ValueRef::Null => {}
        ValueRef::Bool(b) => out.push(u8::from(b)),
        ValueRef::Int(n) | ValueRef::Time(n) => write_i64(n, out),
        ValueRef::UInt(n) => match i64::try_from(n) {
            Ok(n) => write_i64(n, out),
            Err(_) => out.extend_from_slice(&n.to_be_bytes()),
        },
        ValueRef::Decimal(decimal) => write_decimal(decimal, out),
        ValueRef::Float32(bits) => {
            let sortable = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            out.extend_from_slice(&sortable.to_be_bytes());
        }
        ValueRef::Float64(bits) => {
            let sortable = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            out.extend_from_slice(&sortable.to_be_bytes());
        }
        ValueRef::Text(text) | ValueRef::Json(text) | ValueRef::Other(text) => {
            write_bytes(text.as_bytes(), out);
        }
        ValueRef::RawText { charset, bytes } => {
            write_bytes(charset.as_bytes(), out);
            write_bytes(bytes, out);
        }
        ValueRef::Bytes(bytes) => write_bytes(bytes, out),
        ValueRef::Date(date) => write_date(date, out),
        ValueRef::TimeTz(time) => {
            write_i64(time.micros, out);
            write_i32(time.offset_seconds, out);
        }
        ValueRef::DateTime(at) | ValueRef::Timestamp(at) => {
            write_date(at.date, out);
            write_i64(at.micros, out);
        }
        ValueRef::Interval(interval) => {
            write_i32(interval.months, out);
            write_i32(interval.days, out);
            write_i64(interval.micros, out);
        }
        ValueRef::Uuid(uuid) => out.extend_from_slice(&uuid),
    }
}

fn write_i64(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number ^ i64::MIN).to_be_bytes());
}

fn write_i32(number: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number ^ i32::MIN).to_be_bytes());
}

/// A zero byte becomes `00 FF`; the end is `00 01`.
fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xFF);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0x00, 0x01]);
}

fn write_date(date: Date, out: &mut Vec<u8>) {
    match date {
        Date::NegativeInfinity => out.push(0),
        Date::Fields { year, month, day } => {
            out.push(1);
            write_i32(year, out);
            out.extend_from_slice(&[month, day]);
        }
        Date::Infinity => out.push(2),
    }
}

/// By size first (class, position of the first digit, digits), then by scale.
fn write_decimal(decimal: &Decimal, out: &mut Vec<u8>) {
    let number = match decimal {
        Decimal::NegativeInfinity => return out.push(0),
        Decimal::Infinity => return out.push(4),
        Decimal::NaN => return out.push(5),
        Decimal::Finite(number) => number,
    };
    if number.digits().is_empty() {
        out.push(2);
    } else {
        out.push(if number.is_negative() { 1 } else { 3 });
        let start = out.len();
        let digits = number.digits();
        let point = i64::try_from(digits.len()).expect("a length in memory fits in 63 bits")
            - i64::from(number.scale());
        write_i64(point, out);
        let significant = digits.iter().rposition(|&d| d != 0).map_or(0, |last| last + 1);
        out.extend(digits[..significant].iter().map(|digit| digit + 1));
        out.push(0);
        if number.is_negative() {
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    out.extend_from_slice(&number.scale().to_be_bytes());
}

/// A key that was decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedKey {
    /// The values of the key's columns, in key order; empty for tables without a key.
    pub values: Vec<Value>,
    /// The row hash, where it is part of the key.
    pub row_hash: Option<ObjectId>,
}

/// The component at `position` of a key of `components` integers; `None` where the key is another.
/// Gives what [`decode`] would, without decoding all of it.
pub fn integer_at(key: &[u8], components: usize, position: usize) -> Option<i64> {
    const COMPONENT: usize = 9;
    let is_integers = components.checked_mul(COMPONENT) == Some(key.len())
        && !is_cut(key)
        && key.iter().step_by(COMPONENT).all(|tag| *tag == tag::INT);
    let bytes = key.chunks_exact(COMPONENT).nth(position).filter(|_| is_integers)?;
    Some(i64::from_be_bytes(*bytes.last_chunk()?) ^ i64::MIN)
}

/// Decodes a key that was not cut. Strict: refuses what the encoder would not write.
pub fn decode(key: &[u8]) -> Result<DecodedKey, DecodeError> {
    if is_cut(key) {
        return Err(wrong("a long key that was cut has no values"));
    }
    let mut input = Input(key);
    let mut decoded = DecodedKey { values: Vec::new(), row_hash: None };
    while let Some(&tag) = input.0.first() {
        input.0 = &input.0[1..];
        if tag == ROW_HASH {
            decoded.row_hash = Some(ObjectId(input.take()?));
            if !input.0.is_empty() {
                return Err(wrong("bytes after the row hash"));
            }
            break;
        }
        decoded.values.push(input.component(tag)?);
    }
    Ok(decoded)
}

fn wrong(why: &str) -> DecodeError {
    DecodeError::new("key", why)
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| wrong("cut short"))?;
        self.0 = rest;
        Ok(*field)
    }

    fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.take()?) ^ i64::MIN)
    }

    fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.take()?) ^ i32::MIN)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = Vec::new();
        loop {
            let zero = self
                .0
                .iter()
                .position(|&byte| byte == 0)
                .ok_or_else(|| wrong("text without an end"))?;
            bytes.extend_from_slice(&self.0[..zero]);
            let after = self.0.get(zero + 1).copied();
            self.0 = self.0.get(zero + 2..).unwrap_or(&[]);
            match after {
                Some(0x01) => return Ok(bytes),
                Some(0xFF) => bytes.push(0),
                _ => return Err(wrong("a zero byte that is neither escaped nor an end")),
            }
        }
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.bytes()?).map_err(|_| wrong("text that is not UTF-8"))
    }

    fn date(&mut self) -> Result<Date, DecodeError> {
        match self.take()? {
            [0] => Ok(Date::NegativeInfinity),
            [1] => {
                let year = self.i32()?;
                let [month, day] = self.take()?;
                Ok(Date::Fields { year, month, day })
            }
            [2] => Ok(Date::Infinity),
            _ => Err(wrong("unknown class of date")),
        }
    }

    fn date_time(&mut self) -> Result<DateTime, DecodeError> {
        let at = DateTime { date: self.date()?, micros: self.i64()? };
        if at.micros != 0 && !matches!(at.date, Date::Fields { .. }) {
            return Err(wrong("an infinite date has no time"));
        }
        Ok(at)
    }

    fn component(&mut self, tag: u8) -> Result<Value, DecodeError> {
        Ok(match tag {
            tag::NULL => Value::Null,
            tag::BOOL => match self.take()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return Err(wrong("a truth value is 0 or 1")),
            },
            tag::INT => Value::Int(self.i64()?),
            tag::UINT => match u64::from_be_bytes(self.take()?) {
                n if i64::try_from(n).is_ok() => {
                    return Err(wrong("unsigned where signed would do"));
                }
                n => Value::UInt(n),
            },
            tag::DECIMAL => Value::Decimal(self.decimal()?),
            tag::FLOAT32 => {
                let bits = u32::from_be_bytes(self.take()?);
                Value::Float32(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
            }
            tag::FLOAT64 => {
                let bits = u64::from_be_bytes(self.take()?);
                Value::Float64(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
            }
            tag::TEXT => Value::Text(self.text()?),
            tag::RAW_TEXT => Value::RawText { charset: self.text()?, bytes: self.bytes()? },
            tag::BYTES => Value::Bytes(self.bytes()?),
            tag::DATE => Value::Date(self.date()?),
            tag::TIME => Value::Time(self.i64()?),
            tag::TIME_TZ => {
                Value::TimeTz(TimeTz { micros: self.i64()?, offset_seconds: self.i32()? })
            }
            tag::DATE_TIME => Value::DateTime(self.date_time()?),
            tag::TIMESTAMP => Value::Timestamp(self.date_time()?),
            tag::INTERVAL => Value::Interval(Interval {
                months: self.i32()?,
                days: self.i32()?,
                micros: self.i64()?,
            }),
            tag::UUID => Value::Uuid(self.take()?),
            tag::JSON => Value::Json(self.text()?),
            tag::OTHER => Value::Other(self.text()?),
            _ => return Err(DecodeError::new("key", format!("type tag {tag:#04x} is not known"))),
        })
    }

    fn decimal(&mut self) -> Result<Decimal, DecodeError> {
        let negative = match self.take()? {
            [0] => return Ok(Decimal::NegativeInfinity),
            [4] => return Ok(Decimal::Infinity),
            [5] => return Ok(Decimal::NaN),
            [2] => {
                let scale = u16::from_be_bytes(self.take()?);
                let zero = FiniteDecimal::new(false, &[], scale);
                return Ok(Decimal::Finite(zero.expect("no digit is above 9")));
            }
            [1] => true,
            [3] => false,
            _ => return Err(wrong("unknown class of decimal")),
        };
        let mask = if negative { 0xFF } else { 0 };
        let point = self.take::<8>()?.map(|byte| byte ^ mask);
        let point = i64::from_be_bytes(point) ^ i64::MIN;
        let end = self
            .0
            .iter()
            .position(|&byte| byte ^ mask == 0)
            .ok_or_else(|| wrong("a decimal without an end"))?;
        let mut digits = Vec::with_capacity(end);
        for byte in &self.0[..end] {
            match (byte ^ mask).checked_sub(1) {
                Some(digit @ 0..=9) => digits.push(digit),
                _ => return Err(wrong("a digit above 9")),
            }
        }
        self.0 = &self.0[end + 1..];
        let scale = u16::from_be_bytes(self.take()?);
        // The zeros between the last significant digit and the scale were left out. A key is at
        // most LONG_KEY bytes, but a number such as 1e60000 has a short one.
        let len = usize::try_from(point.saturating_add(i64::from(scale)))
            .ok()
            .filter(|&len| len >= digits.len() && len <= MAX_DIGITS)
            .ok_or_else(|| wrong("a decimal whose digits and scale disagree"))?;
        let canonical = digits.first().is_some_and(|&d| d != 0) && digits.last() != Some(&0);
        if !canonical {
            return Err(wrong("a decimal with zeros at its ends"));
        }
        digits.resize(len, 0);
        let number = FiniteDecimal::new(negative, &digits, scale);
        Ok(Decimal::Finite(number.ok_or_else(|| wrong("a digit above 9"))?))
    }
}

/// PostgreSQL's numeric has at most 131,072 digits before the point and 16,383 after it.
const MAX_DIGITS: usize = 131_072 + 65_535;
