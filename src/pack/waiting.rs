//! Values that nobody has, on which rows of a server's table wait while others take theirs.
//!
//! They fit the declared type by its form alone; that nobody has them is near certain, and proved by
//! the unique key itself when the statement runs.

use super::rules::TableRules;
use super::shape::may_be_null;
use crate::model::temporal::{Date, DateTime};
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, Value};

/// The value on which the row with this number waits in a column; `None` where the type has no such
/// values, or the table checks the column.
pub(super) fn on_server(table: &TableRules, column: &str, number: u32) -> Option<Value> {
    if table.checks_column(column) {
        return None;
    }
    if may_be_null(table, column) {
        return Some(Value::Null);
    }
    of_type(table.types.get(column)?, number)
}

fn of_type(declared: &str, number: u32) -> Option<Value> {
    let declared = declared.to_ascii_lowercase();
    if declared.ends_with(']') {
        return None;
    }
    let (name, arguments) = match declared.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.split_once(')')?.0),
        None => (declared.split(' ').next()?, ""),
    };
    let of = |place: usize| arguments.split(',').nth(place)?.trim().parse::<usize>().ok();
    // Half of the numbers of a small type are left to the rows that are there.
    let down_from = |most: i64| {
        let value = most - i64::from(number);
        (value > most / 2).then_some(Value::Int(value))
    };
    match name {
        "tinyint" => down_from(127),
        "smallint" => down_from(32_767),
        "mediumint" => down_from(8_388_607),
        "integer" | "int" => down_from(2_147_483_647),
        "bigint" => down_from(8_888_000_000_000_000),
        "numeric" | "decimal" => decimal(of(0), of(1).unwrap_or(0), number),
        "text" | "tinytext" | "mediumtext" | "longtext" => text(None, number),
        "character varying" | "varchar" | "bpchar" => text(of(0), number),
        "character" if declared.starts_with("character varying") => text(of(0), number),
        "character" | "char" => text(Some(of(0).unwrap_or(1)), number),
        "bytea" | "varbinary" | "blob" | "longblob" => {
            let bytes = format!("deepdiff-parked-{number}").into_bytes();
            of(0).is_none_or(|most| most >= bytes.len()).then_some(Value::Bytes(bytes))
        }
        "uuid" => {
            let mut uuid = [0xdd; 16];
            uuid[12..].copy_from_slice(&number.to_be_bytes());
            Some(Value::Uuid(uuid))
        }
        "date" => Some(Value::Date(day(number)?)),
        "datetime" => Some(Value::DateTime(DateTime { date: day(number)?, micros: 0 })),
        "timestamp" if declared.contains("without time zone") => {
            Some(Value::DateTime(DateTime { date: day(number)?, micros: 0 }))
        }
        _ => None,
    }
}

/// Of all nines, down.
fn decimal(precision: Option<usize>, scale: usize, number: u32) -> Option<Value> {
    let whole = precision.map_or(16, |precision| precision.saturating_sub(scale)).min(16);
    let most = 10u64.checked_pow(u32::try_from(whole).ok()?)?.checked_sub(1)?;
    let value = most.checked_sub(u64::from(number)).filter(|value| *value > most / 2)?;
    let text = value.to_string();
    let digits = text.bytes().map(|digit| digit - b'0');
    let digits: Vec<u8> = digits.chain(std::iter::repeat_n(0, scale)).collect();
    let number = FiniteDecimal::new(false, &digits, u16::try_from(scale).ok()?)?;
    Some(Value::Decimal(Decimal::Finite(number)))
}

fn text(longest: Option<usize>, number: u32) -> Option<Value> {
    let long = format!("deepdiff-parked-{number}");
    let short = format!("~{number:x}~");
    let fits = |text: &String| longest.is_none_or(|longest| text.len() <= longest);
    [long, short].into_iter().find(fits).map(Value::Text)
}

/// A day far from now, different for each number.
fn day(number: u32) -> Option<Date> {
    let (year, rest) = (8000 + i32::try_from(number / 336).ok()?, number % 336);
    let (month, day) = (u8::try_from(1 + rest / 28).ok()?, u8::try_from(1 + rest % 28).ok()?);
    (year < 9999).then_some(Date::Fields { year, month, day })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_type() {
        for (declared, expected) in [
            ("integer", Some(Value::Int(2_147_483_640))),
            ("bigint(20) unsigned", Some(Value::Int(8_887_999_999_999_993))),
            ("character varying(40)", Some(Value::Text("deepdiff-parked-7".into()))),
            ("varchar(4)", Some(Value::Text("~7~".into()))),
            ("char(2)", None),
            ("character", None),
            ("boolean", None),
            ("text[]", None),
            ("public.mood", None),
            ("date", Some(Value::Date(Date::Fields { year: 8000, month: 1, day: 8 }))),
        ] {
            assert_eq!(of_type(declared, 7), expected, "{declared}");
        }
        let digits = FiniteDecimal::new(false, &[9, 2, 0, 0], 2).unwrap();
        let expected = Some(Value::Decimal(Decimal::Finite(digits)));
        assert_eq!(of_type("numeric(4,2)", 7), expected);
    }
}
