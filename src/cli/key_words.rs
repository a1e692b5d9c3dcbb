//! What a word on the command line can mean as a value of a key column.
//!
//! A word is read in every way that it can be: as what `cat` shows of a value, and as the servers'
//! own clients write it. Which of these a column holds is its engine's business; where values of
//! the column are known, the kind of one of them says which ways are worth a look.

use crate::model::temporal::{Date, DateTime, Interval, TimeTz};
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, Value};

/// What a word can mean.
pub(super) fn meanings(word: &str) -> Vec<Value> {
    let mut values = Vec::new();
    if word == "NULL" {
        values.push(Value::Null);
    }
    if let Ok(truth) = word.parse::<bool>() {
        values.push(Value::Bool(truth));
    }
    if let Ok(number) = word.parse::<i64>() {
        values.push(Value::Int(number));
    } else if let Ok(number) = word.parse::<u64>() {
        values.push(Value::UInt(number));
    }
    values.extend(decimal(word).map(Value::Decimal));
    if let Ok(number) = word.parse::<f64>() {
        values.push(Value::Float64(number.to_bits()));
    }
    if let Ok(number) = word.parse::<f32>() {
        values.push(Value::Float32(number.to_bits()));
    }
    if let Some(digits) = word.strip_prefix("x'").and_then(|rest| rest.strip_suffix('\'')) {
        values.extend(hex(digits).map(Value::Bytes));
    }
    values.extend(uuid(word));
    values.extend(date(word).map(Value::Date));
    values.extend(clock(word).map(Value::Time));
    values.extend(time_with_offset(word).map(Value::TimeTz));
    let instant = word.strip_suffix('Z').or_else(|| word.strip_suffix("+00"));
    match instant.map(date_time) {
        Some(instant) => values.extend(instant.map(Value::Timestamp)),
        None => values.extend(
            date_time(word).into_iter().flat_map(|at| [Value::DateTime(at), Value::Timestamp(at)]),
        ),
    }
    values.extend(interval(word).map(Value::Interval));
    values.push(Value::Text(word.to_owned()));
    values.push(Value::Other(word.to_owned()));
    values.push(Value::Json(word.to_owned()));
    values
}

/// What a word can mean in a column that holds a value like this one.
pub(super) fn meanings_like(word: &str, like: &Value) -> Vec<Value> {
    if let Value::RawText { charset, .. } = like {
        // Of the bytes of other charsets a terminal knows only those that are ASCII's.
        let (charset, bytes) = (charset.clone(), word.as_bytes().to_vec());
        let raw = word.is_ascii().then_some(Value::RawText { charset, bytes });
        let text = [Value::Text(word.to_owned())];
        return raw.into_iter().chain(text).collect();
    }
    let mut values = meanings(word);
    values.retain(|value| is_alike(value, like));
    values
}

/// Whether one column holds both.
fn is_alike(one: &Value, other: &Value) -> bool {
    let is_integer = |value: &Value| matches!(value, Value::Int(_) | Value::UInt(_));
    // A label of an ENUM and the number of one that has none, text and what is no valid text.
    let is_text = |value: &Value| matches!(value, Value::Text(_) | Value::RawText { .. });
    std::mem::discriminant(one) == std::mem::discriminant(other)
        || (is_integer(one) && is_integer(other))
        || (is_text(other) && (is_text(one) || is_integer(one)))
        || matches!((one, other), (_, Value::Null) | (Value::Null, _))
}

/// Digits with the scale they are written with, which is part of a decimal.
fn decimal(word: &str) -> Option<Decimal> {
    match word {
        "NaN" => return Some(Decimal::NaN),
        "Infinity" => return Some(Decimal::Infinity),
        "-Infinity" => return Some(Decimal::NegativeInfinity),
        _ => {}
    }
    let (is_negative, number) = signed(word);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !is_digits(whole) || !(fraction.is_empty() || is_digits(fraction)) {
        return None;
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
    let scale = u16::try_from(fraction.len()).ok()?;
    Some(Decimal::Finite(FiniteDecimal::new(is_negative, &digits, scale)?))
}

fn uuid(word: &str) -> Option<Value> {
    let groups: Vec<&str> = word.split('-').collect();
    if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
        return None;
    }
    let bytes = hex(&groups.concat())?;
    bytes.try_into().ok().map(Value::Uuid)
}

/// A year, a month and a day; years before 1 have a sign, which counts as one of four digits.
fn date(word: &str) -> Option<Date> {
    match word {
        "infinity" => return Some(Date::Infinity),
        "-infinity" => return Some(Date::NegativeInfinity),
        _ => {}
    }
    let (is_negative, rest) = signed(word);
    let mut parts = rest.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some()
        || year.len() + usize::from(is_negative) < 4
        || (month.len(), day.len()) != (2, 2)
    {
        return None;
    }
    let year: i32 = number(year)?;
    let year = if is_negative { -year } else { year };
    Some(Date::Fields { year, month: number(month)?, day: number(day)? })
}

/// Hours, minutes and seconds, as microseconds; an interval's may be negative and many.
fn clock(word: &str) -> Option<i64> {
    let (is_negative, rest) = signed(word);
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut parts = whole.split(':');
    let (hours, minutes) = (parts.next()?, parts.next()?);
    let seconds = parts.next().unwrap_or("0");
    if parts.next().is_some() || fraction.len() > 6 {
        return None;
    }
    let parts: [i64; 3] = [number(hours)?, number(minutes)?, number(seconds)?];
    let micros: i64 = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<6}"))? };
    let seconds =
        parts.into_iter().try_fold(0i64, |sum, part| sum.checked_mul(60)?.checked_add(part))?;
    let all = seconds.checked_mul(1_000_000)?.checked_add(micros)?;
    Some(if is_negative { -all } else { all })
}

fn time_with_offset(word: &str) -> Option<TimeTz> {
    let place = word.rfind(['+', '-']).filter(|&place| place > 0)?;
    let (time, offset) = word.split_at(place);
    let (is_west, offset) = signed(offset);
    let mut parts = offset.trim_start_matches('+').split(':');
    let mut seconds = 0;
    for unit in [3600, 60, 1] {
        seconds += parts.next().map_or(Some(0), number::<i32>)?.checked_mul(unit)?;
    }
    let offset_seconds = if is_west { -seconds } else { seconds };
    parts.next().is_none().then_some(TimeTz { micros: clock(time)?, offset_seconds })
}

/// A date and a time, with a blank or a `T` between them; midnight where there is none.
fn date_time(word: &str) -> Option<DateTime> {
    let (day, time) = word.split_once([' ', 'T']).unwrap_or((word, "00:00"));
    Some(DateTime { date: date(day)?, micros: clock(time)? })
}

/// Numbers with units, and a time: `1 months 2 days 3 us`, `1 year 2 mons -3 days 04:05:06`.
fn interval(word: &str) -> Option<Interval> {
    let mut interval = Interval { months: 0, days: 0, micros: 0 };
    let mut words = word.split_ascii_whitespace();
    let mut is_empty = true;
    while let Some(word) = words.next() {
        is_empty = false;
        if word.contains(':') {
            interval.micros = interval.micros.checked_add(clock(word)?)?;
            continue;
        }
        let amount: i64 = word.parse().ok()?;
        let small = || i32::try_from(amount).ok();
        match words.next()? {
            "year" | "years" => {
                interval.months = interval.months.checked_add(small()?.checked_mul(12)?)?;
            }
            "mon" | "mons" | "month" | "months" => {
                interval.months = interval.months.checked_add(small()?)?;
            }
            "day" | "days" => interval.days = interval.days.checked_add(small()?)?,
            "us" => interval.micros = interval.micros.checked_add(amount)?,
            _ => return None,
        }
    }
    (!is_empty).then_some(interval)
}

fn signed(word: &str) -> (bool, &str) {
    word.strip_prefix('-').map_or((false, word), |rest| (true, rest))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    is_digits(digits).then(|| digits.parse().ok())?
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::value::to_text;

    /// What is shown of a value is a word that means it.
    #[test]
    fn what_is_shown_is_found() {
        let date = |year| Date::Fields { year, month: 2, day: 29 };
        let micros = 86_399_000_001;
        for value in [
            Value::Date(date(2024)),
            Value::Date(date(-44)),
            Value::Date(date(294_276)),
            Value::Date(Date::Infinity),
            Value::Date(Date::Fields { year: 0, month: 0, day: 0 }),
            Value::Time(micros),
            Value::Time(-3_020_399_000_000),
            Value::Time(86_400_000_000),
            Value::TimeTz(TimeTz { micros, offset_seconds: -5_400 }),
            Value::TimeTz(TimeTz { micros: 0, offset_seconds: 57_599 }),
            Value::DateTime(DateTime { date: date(1), micros }),
            Value::Timestamp(DateTime { date: date(2024), micros: 0 }),
            Value::DateTime(DateTime { date: Date::NegativeInfinity, micros: 0 }),
            Value::Interval(Interval { months: -1, days: 30, micros: -1 }),
            Value::Float32(21_666.66f32.to_bits()),
            Value::Float32((-0.0f32).to_bits()),
            Value::Float64(f64::NEG_INFINITY.to_bits()),
            Value::Decimal(Decimal::NaN),
            Value::Bytes(vec![0, 255]),
            Value::Uuid([0xab; 16]),
        ] {
            let word = to_text(&value);
            assert!(meanings_like(&word, &value).contains(&value), "{word}: {value:?}");
        }
    }

    #[test]
    fn what_clients_write_is_found_too() {
        let interval = Interval { months: 14, days: -3, micros: 3_723_000_000 };
        assert!(meanings("1 year 2 mons -3 days 01:02:03").contains(&Value::Interval(interval)));
        let midnight = Date::Fields { year: 2024, month: 2, day: 1 };
        let midnight = DateTime { date: midnight, micros: 0 };
        for word in ["2024-02-01", "2024-02-01T00:00", "2024-02-01 00:00:00"] {
            assert!(meanings(word).contains(&Value::Timestamp(midnight)), "{word}");
        }
        let like = Value::RawText { charset: "latin1".to_owned(), bytes: Vec::new() };
        let raw = Value::RawText { charset: "latin1".to_owned(), bytes: b"Ab".to_vec() };
        assert!(meanings_like("Ab", &like).contains(&raw));
        for word in ["", ":", "1:2:3:4", "+", "1 day 2", "99999999999 years", "--", "2024-1-1", "é"]
        {
            assert!(
                meanings(word).iter().all(|value| !matches!(
                    value,
                    Value::Time(_) | Value::TimeTz(_) | Value::Interval(_) | Value::Date(_)
                )),
                "{word}"
            );
        }
    }
}
