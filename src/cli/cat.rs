//! `cat`: the rows of a table in a snapshot, or one of them.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::json;

use super::args::CatArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::codec::state::StoredTable;
use crate::diff::{self, Row};
use crate::model::temporal::Date;
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, Flow, ObjectName, RowKey, Value};
use crate::report::{rows, value};
use crate::store::Reader;

/// Prints rows.
pub fn run(context: &Context, args: &CatArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store()?.reader()?;
    let loaded = context.snapshot(&reader, &args.at)?;
    let names = loaded.table_ids(&reader)?.into_iter().map(|(name, _)| name).collect();
    let named = table_named(&names, &args.table)?;
    let table = named.map(|name| loaded.table(&reader, &name.to_string())).transpose()?.flatten();
    let Some(table) = table else {
        return Err(unknown_table(&args.table, &args.at, &loaded.tables(&reader)?));
    };
    if loaded.snapshot.is_hash_only {
        let message = format!("snapshot {} stored no values", loaded.id.short());
        return Err(CliError::new(Exit::Incomplete, message)
            .hint("it was taken with --hash-only; take one without"));
    }
    if args.key.is_empty() {
        return every_row(context, &reader, &table, args.limit, out);
    }
    let holds = if loaded.state.engine == "sqlite" { is_sqlite } else { |_: &Value| true };
    let found = by_key(&reader, &table, &args.key, holds)?;
    if found.is_empty() {
        let message = format!("table {} has no row with key {}", args.table, args.key.join(", "));
        return Err(CliError::new(Exit::Different, message));
    }
    for row in &found {
        print(context, &table, row, out)?;
    }
    Ok(Exit::Done)
}

/// The table that a text names: by its schema and name, or by its name alone where only one schema
/// has such a table.
pub fn table_named(
    tables: &BTreeSet<ObjectName>,
    text: &str,
) -> Result<Option<ObjectName>, CliError> {
    if let Some(exact) = tables.iter().find(|name| name.to_string() == text) {
        return Ok(Some(exact.clone()));
    }
    let found: Vec<&ObjectName> = tables.iter().filter(|name| name.name == text).collect();
    match found.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).clone())),
        several => {
            let names: Vec<String> =
                several.iter().map(|n| value::visible(&n.to_string())).collect();
            Err(CliError::usage(format!("`{text}` is the name of several tables"))
                .hint(format!("write one of {}", names.join(", "))))
        }
    }
}

/// An error that lists what there is.
pub fn unknown_table(name: &str, at: &str, tables: &[StoredTable]) -> CliError {
    let names: Vec<String> =
        tables.iter().map(|t| value::visible(&t.spec.name.to_string())).collect();
    let hint = match names.as_slice() {
        [] => "it has no tables at all".to_owned(),
        names => format!("its tables: {}", names.join(", ")),
    };
    CliError::usage(format!("snapshot `{at}` has no table `{name}`")).hint(hint)
}

fn every_row(
    context: &Context,
    reader: &Reader,
    table: &StoredTable,
    limit: Option<u64>,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    let mut printed = 0;
    let mut failed = None;
    diff::rows_of(reader, table, &mut |row| {
        if limit.is_some_and(|limit| printed >= limit) {
            return Ok(Flow::Stop);
        }
        printed += 1;
        match print(context, table, &row, out) {
            Ok(()) => Ok(Flow::Continue),
            Err(error) => {
                failed = Some(error);
                Ok(Flow::Stop)
            }
        }
    })?;
    failed.map_or(Ok(Exit::Done), Err)
}

/// The rows whose key the words can mean: NULL, a number, bytes or a text, in any combination.
fn by_key(
    reader: &Reader,
    table: &StoredTable,
    words: &[String],
    holds: fn(&Value) -> bool,
) -> Result<Vec<Row>, CliError> {
    let RowKey::Columns { columns, .. } = &table.spec.key else {
        let name = &table.spec.name;
        return Err(CliError::usage(format!("table {name} has no key to look a row up by"))
            .hint("leave the key out to print every row"));
    };
    if columns.len() != words.len() {
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let message = format!("the key of {} is ({})", table.spec.name, names.join(", "));
        return Err(CliError::usage(message).hint("give a value for each of its columns"));
    }
    let mut candidates: Vec<Vec<Value>> = vec![Vec::new()];
    for word in words {
        let meanings: Vec<Value> = meanings(word).into_iter().filter(holds).collect();
        candidates = candidates
            .iter()
            .flat_map(|front| {
                meanings.iter().map(move |value| {
                    let mut key = front.clone();
                    key.push(value.clone());
                    key
                })
            })
            .collect();
    }
    let mut found = Vec::new();
    for key in candidates {
        found.extend(diff::row_by_key(reader, table, &key)?);
    }
    Ok(found)
}

/// Whether SQLite holds such values. Its columns hold any of them, so that every meaning of every
/// word is looked up: fewer meanings are far fewer looks.
fn is_sqlite(value: &Value) -> bool {
    use Value::{Bytes, Float64, Int, Null, Text};
    matches!(value, Null | Int(_) | Float64(_) | Bytes(_) | Text(_))
}

/// What a word on the command line can mean as a value. Which of these a column holds is its
/// engine's business: a key of another kind is not found, and costs a look.
fn meanings(word: &str) -> Vec<Value> {
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
    values.extend(decimal(word));
    if let Ok(number) = word.parse::<f64>() {
        values.push(Value::Float64(number.to_bits()));
    }
    if let Some(digits) = word.strip_prefix("x'").and_then(|rest| rest.strip_suffix('\'')) {
        values.extend(hex(digits).map(Value::Bytes));
    }
    values.extend(uuid(word));
    values.extend(date(word));
    values.push(Value::Text(word.to_owned()));
    values.push(Value::Other(word.to_owned()));
    values
}

/// Digits with the scale they are written with, which is part of a decimal.
fn decimal(word: &str) -> Option<Value> {
    let (is_negative, number) = match word.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, word),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number =
        !whole.is_empty() && (whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit());
    if !is_number {
        return None;
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
    let scale = u16::try_from(fraction.len()).ok()?;
    Some(Value::Decimal(Decimal::Finite(FiniteDecimal::new(is_negative, &digits, scale)?)))
}

fn uuid(word: &str) -> Option<Value> {
    let groups: Vec<&str> = word.split('-').collect();
    if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
        return None;
    }
    let bytes = hex(&groups.concat())?;
    bytes.try_into().ok().map(Value::Uuid)
}

fn date(word: &str) -> Option<Value> {
    let mut parts = word.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    Some(Value::Date(Date::Fields { year, month, day }))
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

fn print(
    context: &Context,
    table: &StoredTable,
    row: &Row,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if context.global.json {
        let cells = rows::row_json(&table.spec.columns, row);
        writeln!(out, "{}", json!({"row": cells, "count": row.count}))?;
        return Ok(());
    }
    let cells: Vec<String> = table
        .spec
        .columns
        .iter()
        .zip(&row.values)
        .map(|(column, v)| format!("{}={}", value::visible(&column.name), value::to_text(v)))
        .collect();
    let times = if row.count == 1 { String::new() } else { format!("  × {}", row.count) };
    writeln!(out, "{}{times}", cells.join("  "))?;
    Ok(())
}
