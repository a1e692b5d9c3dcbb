//! Values as text: what the server's input functions take, and SQL literals of it.
//!
//! Every value is written exactly: floats by the shortest digits that give their bits back,
//! decimals with their scale, times by their fields.

use std::borrow::Cow;

use super::sql::ServerEncoding;
use super::types::{ColumnReading, Reading};
use crate::model::temporal::{Date, DateTime, Interval};
use crate::model::{Decimal, Value};

/// The microseconds of a second.
const SECOND: i64 = 1_000_000;

/// The condition that a column has a value; `None` where it can never have it.
pub(super) fn equals(
    column: &ColumnReading,
    value: &Value,
    encoding: &ServerEncoding,
) -> Option<String> {
    let name = encoding.quoted(&column.name);
    if value.is_null() {
        return Some(format!("{name} IS NULL"));
    }
    match &column.compared_as {
        Some(_) => Some(format!("{name} = {}", typed(column, value, encoding)?)),
        None => Some(format!("{} = {}", as_text(column, &name), literal(value, encoding)?)),
    }
}

/// The text of a column, for those that are compared as text.
pub(super) fn as_text(column: &ColumnReading, name: &str) -> String {
    match column.reading {
        Reading::Output => column.reading.expression(name),
        _ => format!("{name}::pg_catalog.text"),
    }
}

/// A literal of the type as which a column is compared; `None` where it has no such value.
pub(super) fn typed(
    column: &ColumnReading,
    value: &Value,
    encoding: &ServerEncoding,
) -> Option<String> {
    let name = column.compared_as.as_deref()?;
    if let (Reading::Char, Value::RawText { bytes, .. }) = (column.reading, value) {
        return byte(bytes);
    }
    Some(format!("{}::{name}", literal(value, encoding)?))
}

/// A byte as the type `"char"` has it.
pub(super) fn byte(bytes: &[u8]) -> Option<String> {
    let [byte] = bytes else { return None };
    Some(format!("({}::pg_catalog.int4)::pg_catalog.\"char\"", byte.cast_signed()))
}

/// A literal that is of no type yet: it takes the type of what it stands for, by the type's own
/// input function. `None` where no type has such a value.
pub(super) fn literal(value: &Value, encoding: &ServerEncoding) -> Option<String> {
    match value {
        Value::Null => Some("NULL".to_owned()),
        Value::RawText { charset, bytes } if *charset == encoding.name => {
            let hex = hex(bytes);
            Some(format!("pg_catalog.convert_from('\\x{hex}'::pg_catalog.bytea, '{charset}')"))
        }
        Value::RawText { .. } => None,
        value => {
            let text = plain(value)?;
            // No text of the server has a zero byte in it.
            (!text.contains('\0')).then(|| encoding.literal(&text))
        }
    }
}

/// A value as the server's input functions take it.
pub(super) fn plain(value: &Value) -> Option<Cow<'_, str>> {
    Some(Cow::Owned(match value {
        Value::Text(text) | Value::Json(text) | Value::Other(text) => {
            return Some(Cow::Borrowed(text));
        }
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(decimal) => decimal_text(decimal),
        Value::Float32(bits) => float32(*bits)?,
        Value::Float64(bits) => float64(*bits)?,
        Value::Bytes(bytes) => format!("\\x{}", hex(bytes)),
        Value::Date(date) => date_text(*date),
        Value::Time(micros) => time_text(*micros),
        Value::TimeTz(time) => {
            let (sign, offset) = sign(i64::from(time.offset_seconds));
            let (minutes, seconds) = (offset / 60, offset % 60);
            let (hours, minutes) = (minutes / 60, minutes % 60);
            format!("{}{sign}{hours:02}:{minutes:02}:{seconds:02}", time_text(time.micros))
        }
        Value::DateTime(at) => date_time_text(*at, ""),
        Value::Timestamp(at) => date_time_text(*at, "+00"),
        Value::Interval(interval) => interval_text(*interval),
        Value::Uuid(bytes) => uuid_text(bytes),
        Value::Null | Value::UInt(_) | Value::RawText { .. } => return None,
    }))
}

/// Hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    let hex = hex(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The shortest digits that give the number back; the server reads them exactly.
fn float64(bits: u64) -> Option<String> {
    let number = f64::from_bits(bits);
    if number.is_nan() {
        let payload = (bits & (1 << 51) != 0).then_some(bits & ((1 << 51) - 1));
        return payload.map(|payload| not_a_number(number.is_sign_negative(), payload));
    }
    let size = number.abs();
    let is_short = size == 0.0 || (1e-5..1e15).contains(&size);
    Some(finite(number, if is_short { number.to_string() } else { format!("{number:e}") }))
}

fn float32(bits: u32) -> Option<String> {
    let number = f32::from_bits(bits);
    if number.is_nan() {
        let payload = (bits & (1 << 22) != 0).then_some(u64::from(bits & ((1 << 22) - 1)));
        return payload.map(|payload| not_a_number(number.is_sign_negative(), payload));
    }
    let size = number.abs();
    let is_short = size == 0.0 || (1e-5..1e7).contains(&size);
    let digits = if is_short { number.to_string() } else { format!("{number:e}") };
    Some(finite(f64::from(number), digits))
}

fn finite(number: f64, digits: String) -> String {
    match number {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => digits,
    }
}

/// What is no number has a sign and a payload all the same, which the C library of the server
/// reads; those of the kind that traps it does not.
fn not_a_number(is_negative: bool, payload: u64) -> String {
    let sign = if is_negative { "-" } else { "" };
    match payload {
        0 => format!("{sign}NaN"),
        payload => format!("{sign}NaN({payload:#x})"),
    }
}

fn decimal_text(decimal: &Decimal) -> String {
    let number = match decimal {
        Decimal::NaN => return "NaN".to_owned(),
        Decimal::Infinity => return "Infinity".to_owned(),
        Decimal::NegativeInfinity => return "-Infinity".to_owned(),
        Decimal::Finite(number) => number,
    };
    let scale = usize::from(number.scale());
    let digits: String = number.digits().iter().map(|digit| char::from(b'0' + digit)).collect();
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if number.is_negative() { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A sign and the size.
fn sign(number: i64) -> (char, u64) {
    (if number < 0 { '-' } else { '+' }, number.unsigned_abs())
}

fn time_text(micros: i64) -> String {
    let (seconds, micros) = (micros / SECOND, micros % SECOND);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!("{:02}:{:02}:{seconds:02}.{micros:06}", minutes / 60, minutes % 60)
}

/// The fields of a date and whether they count from before year 1.
fn fields(date: Date) -> Result<(String, &'static str), &'static str> {
    match date {
        Date::NegativeInfinity => Err("-infinity"),
        Date::Infinity => Err("infinity"),
        Date::Fields { year, month, day } => {
            let (year, era) =
                if year > 0 { (i64::from(year), "") } else { (1 - i64::from(year), " BC") };
            Ok((format!("{year:04}-{month:02}-{day:02}"), era))
        }
    }
}

fn date_text(date: Date) -> String {
    match fields(date) {
        Ok((fields, era)) => format!("{fields}{era}"),
        Err(infinity) => infinity.to_owned(),
    }
}

fn date_time_text(at: DateTime, zone: &str) -> String {
    match fields(at.date) {
        Ok((fields, era)) => format!("{fields} {}{zone}{era}", time_text(at.micros)),
        Err(infinity) => infinity.to_owned(),
    }
}

fn interval_text(interval: Interval) -> String {
    let (sign, micros) = sign(interval.micros);
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "{} mons {} days {sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}",
        interval.months, interval.days
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::temporal::TimeTz;
    use crate::model::value::FiniteDecimal;

    #[test]
    fn values_are_written_as_the_server_reads_them() {
        let date = Date::Fields { year: 0, month: 2, day: 29 };
        let number = FiniteDecimal::new(true, &[5], 3).unwrap();
        for (value, expected) in [
            (Value::Date(date), "0001-02-29 BC"),
            (Value::DateTime(DateTime { date, micros: 1 }), "0001-02-29 00:00:00.000001 BC"),
            (Value::Time(86_400_000_000), "24:00:00.000000"),
            (
                Value::TimeTz(TimeTz { micros: 0, offset_seconds: -57_599 }),
                "00:00:00.000000-15:59:59",
            ),
            (Value::Decimal(Decimal::Finite(number)), "-0.005"),
            (Value::Float64((-0.0f64).to_bits()), "-0"),
            (Value::Float64(1e300f64.to_bits()), "1e300"),
            (Value::Float64(0xfff8_0000_0000_0000), "-NaN"),
            (Value::Float64(0x7ff8_0000_0000_0005), "NaN(0x5)"),
            (Value::Float32(0.1f32.to_bits()), "0.1"),
            (Value::Float32(16_777_217f32.to_bits()), "1.6777216e7"),
            (Value::Uuid([0xab; 16]), "abababab-abab-abab-abab-abababababab"),
            (
                Value::Interval(Interval { months: -1, days: 2, micros: -1 }),
                "-1 mons 2 days -00:00:00.000001",
            ),
            (Value::Bytes(vec![0, 255]), "\\x00ff"),
        ] {
            assert_eq!(plain(&value).unwrap(), expected, "{value:?}");
        }
    }
}
