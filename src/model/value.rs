//! Typed, exact values and their total order.
//!
//! A [`Value`] owns, a [`ValueRef`] borrows from a driver's buffer. No value passes through
//! floating-point arithmetic, a calendar library or a lossy string. The order of values is the
//! byte order of their key encoding (`codec::key`): first by kind, then by content.

use super::temporal::{Date, DateTime, Interval, TimeTz};

/// A value that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed integer; every integer that fits is of this kind.
    Int(i64),
    /// An unsigned integer above `i64::MAX`. Build it with [`Value::unsigned`].
    UInt(u64),
    /// An exact decimal; its scale is part of it.
    Decimal(Decimal),
    /// A 32-bit float by its bits.
    Float32(u32),
    /// A 64-bit float by its bits.
    Float64(u64),
    /// Text known to be UTF-8.
    Text(String),
    /// Text whose bytes are not UTF-8 or whose charset has no exact conversion.
    RawText {
        /// The server's name of the charset.
        charset: String,
        /// The bytes as stored.
        bytes: Vec<u8>,
    },
    /// Binary data.
    Bytes(Vec<u8>),
    /// A date.
    Date(Date),
    /// A time of day or a signed duration, in microseconds.
    Time(i64),
    /// A time of day with an offset.
    TimeTz(TimeTz),
    /// A date and time without a zone.
    DateTime(DateTime),
    /// An instant, its fields in UTC.
    Timestamp(DateTime),
    /// An interval.
    Interval(Interval),
    /// A UUID by its bytes.
    Uuid([u8; 16]),
    /// JSON as the server's text.
    Json(String),
    /// Any other type: the server's text under pinned settings.
    Other(String),
}

/// A value borrowed from somebody's buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// SQL NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer above `i64::MAX`; smaller ones must come as [`ValueRef::Int`].
    UInt(u64),
    /// An exact decimal.
    Decimal(&'a Decimal),
    /// A 32-bit float by its bits.
    Float32(u32),
    /// A 64-bit float by its bits.
    Float64(u64),
    /// Text known to be UTF-8.
    Text(&'a str),
    /// Text in a charset that is not known to be UTF-8.
    RawText {
        /// The server's name of the charset.
        charset: &'a str,
        /// The bytes as stored.
        bytes: &'a [u8],
    },
    /// Binary data.
    Bytes(&'a [u8]),
    /// A date.
    Date(Date),
    /// A time of day or a signed duration, in microseconds.
    Time(i64),
    /// A time of day with an offset.
    TimeTz(TimeTz),
    /// A date and time without a zone.
    DateTime(DateTime),
    /// An instant, its fields in UTC.
    Timestamp(DateTime),
    /// An interval.
    Interval(Interval),
    /// A UUID by its bytes.
    Uuid([u8; 16]),
    /// JSON as the server's text.
    Json(&'a str),
    /// Any other type as the server's text.
    Other(&'a str),
}

/// An exact decimal number, or one of PostgreSQL's three special ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decimal {
    /// Minus infinity.
    NegativeInfinity,
    /// A number: `digits` × 10^(−scale).
    Finite(FiniteDecimal),
    /// Plus infinity.
    Infinity,
    /// Not a number.
    NaN,
}

/// A finite decimal: sign, decimal digits without leading zeros, and the scale. By default zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FiniteDecimal {
    negative: bool,
    digits: Vec<u8>,
    scale: u16,
}

impl FiniteDecimal {
    /// Builds a decimal from digits of value 0–9, most significant first, and its scale (the
    /// number of digits after the point). Leading zeros are dropped; zero is never negative.
    /// `None` where a digit is above 9.
    pub fn new(negative: bool, digits: &[u8], scale: u16) -> Option<Self> {
        if digits.iter().any(|&digit| digit > 9) {
            return None;
        }
        let first = digits.iter().position(|&digit| digit != 0).unwrap_or(digits.len());
        let digits = digits[first..].to_vec();
        Some(FiniteDecimal { negative: negative && !digits.is_empty(), digits, scale })
    }

    /// Replaces the number in the memory of its digits, so that reading many costs no allocation
    /// each: `write` appends digits of value 0–9 and gives sign and scale. False, with the number
    /// zero, where a digit is above 9.
    pub fn refill(&mut self, write: impl FnOnce(&mut Vec<u8>) -> (bool, u16)) -> bool {
        self.digits.clear();
        let (negative, scale) = write(&mut self.digits);
        let is_valid = self.digits.iter().all(|&digit| digit <= 9);
        let zeros = self.digits.iter().position(|&digit| digit != 0);
        let zeros = zeros.filter(|_| is_valid).unwrap_or(self.digits.len());
        self.digits.drain(..zeros);
        (self.negative, self.scale) = (negative && !self.digits.is_empty(), scale);
        is_valid
    }

    /// Whether the number is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The digits, each 0–9, without leading zeros; empty for zero.
    pub fn digits(&self) -> &[u8] {
        &self.digits
    }

    /// How many digits stand after the decimal point.
    pub fn scale(&self) -> u16 {
        self.scale
    }
}

impl Value {
    /// The integer of this value, of whichever kind holds it.
    pub fn unsigned(number: u64) -> Value {
        match i64::try_from(number) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::UInt(number),
        }
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Borrows the value.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Bool(b) => ValueRef::Bool(*b),
            Value::Int(n) => ValueRef::Int(*n),
            Value::UInt(n) => ValueRef::UInt(*n),
            Value::Decimal(d) => ValueRef::Decimal(d),
            Value::Float32(bits) => ValueRef::Float32(*bits),
            Value::Float64(bits) => ValueRef::Float64(*bits),
            Value::Text(text) => ValueRef::Text(text),
            Value::RawText { charset, bytes } => ValueRef::RawText { charset, bytes },
            Value::Bytes(bytes) => ValueRef::Bytes(bytes),
            Value::Date(date) => ValueRef::Date(*date),
            Value::Time(micros) => ValueRef::Time(*micros),
            Value::TimeTz(time) => ValueRef::TimeTz(*time),
            Value::DateTime(at) => ValueRef::DateTime(*at),
            Value::Timestamp(at) => ValueRef::Timestamp(*at),
            Value::Interval(interval) => ValueRef::Interval(*interval),
            Value::Uuid(uuid) => ValueRef::Uuid(*uuid),
            Value::Json(text) => ValueRef::Json(text),
            Value::Other(text) => ValueRef::Other(text),
        }
    }
}

impl ValueRef<'_> {
    /// Copies the value out of the buffer it borrows.
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(b) => Value::Bool(b),
            ValueRef::Int(n) => Value::Int(n),
            ValueRef::UInt(n) => Value::unsigned(n),
            ValueRef::Decimal(d) => Value::Decimal(d.clone()),
            ValueRef::Float32(bits) => Value::Float32(bits),
            ValueRef::Float64(bits) => Value::Float64(bits),
            ValueRef::Text(text) => Value::Text(text.to_owned()),
            ValueRef::RawText { charset, bytes } => {
                Value::RawText { charset: charset.to_owned(), bytes: bytes.to_vec() }
            }
            ValueRef::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            ValueRef::Date(date) => Value::Date(date),
            ValueRef::Time(micros) => Value::Time(micros),
            ValueRef::TimeTz(time) => Value::TimeTz(time),
            ValueRef::DateTime(at) => Value::DateTime(at),
            ValueRef::Timestamp(at) => Value::Timestamp(at),
            ValueRef::Interval(interval) => Value::Interval(interval),
            ValueRef::Uuid(uuid) => Value::Uuid(uuid),
            ValueRef::Json(text) => Value::Json(text.to_owned()),
            ValueRef::Other(text) => Value::Other(text.to_owned()),
        }
    }
}
