//! Values as SQL literals of the type they are compared with.
//!
//! Keys are looked for by them. A value is written exactly and the literal cast to the column's
//! own type; what is read as text is compared as text.

use super::sql::ServerEncoding;
use super::types::Reading;
use crate::model::temporal::{Date, DateTime, Interval};
use crate::model::{Decimal, Value};

/// The microseconds of a second.
const SECOND: i64 = 1_000_000;

/// The condition that a column, read so, has a value; `None` where it can never have it.
pub(super) fn equals(
    column: &str,
    reading: Reading,
    value: &Value,
    encoding: &ServerEncoding,
) -> Option<String> {
    if value.is_null() {
        return Some(format!("{column} IS NULL"));
    }
    if reading.literal_type().is_some() {
        return Some(format!("{column} = {}", typed(reading, value, encoding)?));
    }
    let text = match reading {
        Reading::Output => reading.expression(column),
        _ => format!("{column}::pg_catalog.text"),
    };
    Some(format!("{text} = {}", text_literal(value, encoding)?))
}

/// A literal of the reading's type; `None` where the type has no such value.
pub(super) fn typed(reading: Reading, value: &Value, encoding: &ServerEncoding) -> Option<String> {
    let name = reading.literal_type()?;
    let literal = match value {
        Value::RawText { .. } => text_literal(value, encoding)?,
        value => encoding.literal(&plain(value)?),
    };
    Some(format!("{literal}::pg_catalog.{name}"))
}

/// Text, whatever its bytes.
fn text_literal(value: &Value, encoding: &ServerEncoding) -> Option<String> {
    match value {
        Value::RawText { charset, bytes } if *charset == encoding.name => {
            let hex = hex(bytes);
            Some(format!("pg_catalog.convert_from('\\x{hex}'::pg_catalog.bytea, '{charset}')"))
        }
        Value::Text(text) | Value::Json(text) | Value::Other(text) => Some(encoding.literal(text)),
        _ => None,
    }
}

/// A value as the server's input functions take it.
fn plain(value: &Value) -> Option<String> {
    Some(match value {
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(decimal) => decimal_text(decimal),
        Value::Float32(bits) => float(f64::from(f32::from_bits(*bits)), {
            let number = f32::from_bits(*bits);
            format!("{number:e}")
        }),
        Value::Float64(bits) => {
            let number = f64::from_bits(*bits);
            float(number, format!("{number:e}"))
        }
        Value::Text(text) => text.clone(),
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
        Value::Uuid(bytes) => hex(bytes),
        _ => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The shortest digits that give the number back; the server reads them exactly.
fn float(number: f64, digits: String) -> String {
    match number {
        n if n.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => digits,
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
            (Value::Float64((-0.0f64).to_bits()), "-0e0"),
            (Value::Float32(0.1f32.to_bits()), "1e-1"),
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
