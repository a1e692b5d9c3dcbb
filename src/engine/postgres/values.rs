//! PostgreSQL's binary forms of single values (`src/backend/utils/adt/*send` of the server).
//!
//! Everything is exact: floats by their bits, numerics by their digits and scale, dates by their
//! fields. What is not of the form that the server sends is an error.

use crate::model::temporal::{Date, DateTime, Interval, TimeTz};

/// Days from 0000-03-01 of the proleptic Gregorian calendar to 2000-01-01.
const DAYS_TO_EPOCH: i64 = 730_425;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A date: days since 2000-01-01, with both ends standing for infinity.
pub(super) fn date(days: i32) -> Date {
    match days {
        i32::MIN => Date::NegativeInfinity,
        i32::MAX => Date::Infinity,
        days => fields(i64::from(days)),
    }
}

/// A timestamp: microseconds since 2000-01-01, with both ends standing for infinity.
pub(super) fn date_time(micros: i64) -> DateTime {
    let infinite = |date| DateTime { date, micros: 0 };
    match micros {
        i64::MIN => infinite(Date::NegativeInfinity),
        i64::MAX => infinite(Date::Infinity),
        micros => DateTime { date: fields(micros.div_euclid(DAY)), micros: micros.rem_euclid(DAY) },
    }
}

/// The fields of a day counted from 2000-01-01 (the civil-from-days algorithm: years begin in
/// March, so that leap days end them; 400 years are 146,097 days).
fn fields(days: i64) -> Date {
    let days = days + DAYS_TO_EPOCH;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let fits = "because 64 bits of microseconds, or 32 of days, span fewer years and days";
    Date::Fields {
        year: i32::try_from(year).expect(fits),
        month: u8::try_from(month).expect(fits),
        day: u8::try_from(day).expect(fits),
    }
}

/// A time with a zone: microseconds, and seconds *west* of UTC.
pub(super) fn time_tz(bytes: [u8; 12]) -> Option<TimeTz> {
    let (micros, west) = bytes.split_first_chunk::<8>()?;
    let west = i32::from_be_bytes(west.try_into().ok()?);
    Some(TimeTz { micros: i64::from_be_bytes(*micros), offset_seconds: west.checked_neg()? })
}

/// An interval: microseconds, days, months.
pub(super) fn interval(bytes: [u8; 16]) -> Interval {
    let [m0, m1, m2, m3, m4, m5, m6, m7, d0, d1, d2, d3, n0, n1, n2, n3] = bytes;
    Interval {
        months: i32::from_be_bytes([n0, n1, n2, n3]),
        days: i32::from_be_bytes([d0, d1, d2, d3]),
        micros: i64::from_be_bytes([m0, m1, m2, m3, m4, m5, m6, m7]),
    }
}

/// What a numeric says before its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeric {
    /// Not a number.
    NaN,
    /// Plus infinity.
    Infinity,
    /// Minus infinity.
    NegativeInfinity,
    /// A number, whose digits were written.
    Finite {
        /// Whether it is below zero.
        is_negative: bool,
        /// How many digits stand after the point.
        scale: u16,
    },
}

/// A numeric: count of base-10,000 digits, place of the first, sign, scale, digits. Decimal digits
/// are appended to `digits`, as many after the point as the scale says.
pub(super) fn numeric(bytes: &[u8], digits: &mut Vec<u8>) -> Option<Numeric> {
    let (head, groups) = bytes.split_first_chunk::<8>()?;
    let [c0, c1, w0, w1, s0, s1, d0, d1] = *head;
    // The count has no sign: there may be 32,768 groups before the point and 4,096 after it.
    let count = usize::from(u16::from_be_bytes([c0, c1]));
    let weight = i64::from(i16::from_be_bytes([w0, w1]));
    let scale = u16::from_be_bytes([d0, d1]);
    let is_negative = match u16::from_be_bytes([s0, s1]) {
        0x0000 => false,
        0x4000 => true,
        0xC000 => return Some(Numeric::NaN),
        0xD000 => return Some(Numeric::Infinity),
        0xF000 => return Some(Numeric::NegativeInfinity),
        _ => return None,
    };
    let (groups, rest) = groups.as_chunks::<2>();
    if groups.len() != count || !rest.is_empty() || scale > 0x3FFF {
        return None;
    }
    // Groups from the first one on, or from the point on where the number begins after it.
    let first = weight.max(-1);
    let last = -1 - i64::from(scale.div_ceil(4));
    let start = digits.len();
    let mut place = first;
    while place > last {
        // Group `i` stands at place `weight - i`.
        let group = usize::try_from(weight - place).ok().and_then(|index| groups.get(index));
        let group = group.map_or(0, |group| u16::from_be_bytes(*group));
        push_group(group, digits)?;
        place -= 1;
    }
    // Groups that the scale does not reach would be digits that are lost.
    let shown = usize::try_from(weight - last).unwrap_or(0);
    let is_hidden = groups.get(shown..).is_some_and(|rest| rest.iter().any(|g| *g != [0, 0]));
    let surplus = usize::from(scale.div_ceil(4)) * 4 - usize::from(scale);
    let end = digits.len().checked_sub(surplus).filter(|&end| end >= start)?;
    if is_hidden || digits[end..].iter().any(|&digit| digit != 0) {
        return None;
    }
    digits.truncate(end);
    Some(Numeric::Finite { is_negative, scale })
}

fn push_group(group: u16, digits: &mut Vec<u8>) -> Option<()> {
    if group > 9_999 {
        return None;
    }
    let digit = |power| u8::try_from(group / power % 10).expect("because it is below ten");
    digits.extend_from_slice(&[digit(1_000), digit(100), digit(10), digit(1)]);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_calendars() {
        let fields = |year, month, day| Date::Fields { year, month, day };
        assert_eq!(date(0), fields(2000, 1, 1));
        assert_eq!(date(-1), fields(1999, 12, 31));
        assert_eq!(date(59), fields(2000, 2, 29));
        assert_eq!(date(366), fields(2001, 1, 1));
        assert_eq!(date(-10_957), fields(1970, 1, 1));
        // 4713-01-01 BC and 5874897-12-31, the ends of the type.
        assert_eq!(date(-2_451_507), fields(-4712, 1, 1));
        assert_eq!(date(2_145_031_948), fields(5_874_897, 12, 31));
        assert_eq!(date(i32::MAX), Date::Infinity);
        let before = date_time(-1);
        assert_eq!(before, DateTime { date: fields(1999, 12, 31), micros: DAY - 1 });
    }

    fn number(count: i16, weight: i16, sign: u16, scale: u16, groups: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in [count.to_be_bytes(), weight.to_be_bytes()] {
            bytes.extend_from_slice(&field);
        }
        for field in [sign, scale].iter().chain(groups) {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn shown(bytes: &[u8]) -> Option<String> {
        let mut digits = Vec::new();
        let Numeric::Finite { is_negative, scale } = numeric(bytes, &mut digits)? else {
            return None;
        };
        let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let scale = usize::from(scale);
        let text = format!("{text:0>width$}", width = scale + 1);
        let (whole, fraction) = text.split_at(text.len() - scale);
        Some(format!("{}{whole}.{fraction}", if is_negative { "-" } else { "" }))
    }

    #[test]
    fn numerics_keep_digits_and_scale() {
        for (bytes, expected) in [
            (number(2, 0, 0, 2, &[1, 500]), "0001.05"),
            (number(1, 0, 0x4000, 0, &[12]), "-0012."),
            (number(1, -1, 0, 4, &[1]), "0.0001"),
            (number(1, -2, 0, 8, &[1]), "0.00000001"),
            (number(1, -2, 0, 5, &[1_000]), "0.00001"),
            (number(1, 2, 0, 1, &[7]), "000700000000.0"),
            (number(0, 0, 0, 3, &[]), "0000.000"),
            (number(0, 0, 0, 0, &[]), "0000."),
        ] {
            assert_eq!(shown(&bytes).as_deref(), Some(expected), "{bytes:?}");
        }
    }

    #[test]
    fn numerics_that_no_server_sends_are_refused() {
        for bytes in [
            number(2, 0, 0, 2, &[1]),
            number(1, 0, 0, 0, &[10_000]),
            number(1, 0, 0x1000, 0, &[1]),
            number(2, 0, 0, 1, &[1, 5]),
            number(2, 0, 0, 0, &[1, 5]),
            number(1, -2, 0, 2, &[1]),
            number(-1, 0, 0, 0, &[]),
            vec![0; 7],
        ] {
            assert_eq!(shown(&bytes), None, "{bytes:?}");
        }
        assert_eq!(numeric(&number(0, 0, 0xC000, 0, &[]), &mut Vec::new()), Some(Numeric::NaN));
    }
}
