//! `cat`: the rows of a table in a snapshot, or one of them.

use std::io::Write;

use serde_json::json;

use super::args::CatArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::codec::state::StoredTable;
use crate::diff::{self, Row};
use crate::model::{Flow, RowKey, Value};
use crate::report::{rows, value};
use crate::store::Reader;

/// Prints rows.
pub fn run(context: &Context, args: &CatArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store()?.reader()?;
    let loaded = context.snapshot(&reader, &args.at)?;
    let Some(table) = loaded.table(&reader, &args.table)? else {
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
    let found = by_key(&reader, &table, &args.key)?;
    if found.is_empty() {
        let message = format!("table {} has no row with key {}", args.table, args.key.join(", "));
        return Err(CliError::new(Exit::Different, message));
    }
    for row in &found {
        print(context, &table, row, out)?;
    }
    Ok(Exit::Done)
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
fn by_key(reader: &Reader, table: &StoredTable, words: &[String]) -> Result<Vec<Row>, CliError> {
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
        let meanings = meanings(word);
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

/// What a word on the command line can mean as a value.
fn meanings(word: &str) -> Vec<Value> {
    let mut values = Vec::new();
    if word == "NULL" {
        values.push(Value::Null);
    }
    if let Ok(number) = word.parse::<i64>() {
        values.push(Value::Int(number));
    }
    if let Ok(number) = word.parse::<f64>() {
        values.push(Value::Float64(number.to_bits()));
    }
    if let Some(digits) = word.strip_prefix("x'").and_then(|rest| rest.strip_suffix('\'')) {
        values.extend(hex(digits).map(Value::Bytes));
    }
    values.push(Value::Text(word.to_owned()));
    values
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
