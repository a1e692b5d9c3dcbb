//! `cat`: the rows of a table in a snapshot, or one of them.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::json;

use super::args::CatArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::key_words::{meanings, meanings_like};
use crate::codec::state::StoredTable;
use crate::diff::{self, Row};
use crate::model::{Flow, ObjectName, RowKey, Value};
use crate::report::{rows, value};
use crate::store::Reader;

/// Prints rows.
pub fn run(context: &Context, args: &CatArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store_for(&[&args.at])?.reader()?;
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
    let holds = match loaded.state.engine.as_str() {
        "sqlite" => Holds::AnyOf(is_sqlite),
        _ => Holds::OneKind(first_row(&reader, &table)?),
    };
    let found = by_key(&reader, &table, &args.key, &holds)?;
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

/// What the columns of a table hold.
enum Holds {
    /// Values of several kinds in any column: every meaning of every word is looked up.
    AnyOf(fn(&Value) -> bool),
    /// Values of one kind in each column, as in this row of the table; none where it has no rows.
    OneKind(Option<Row>),
}

/// A row of the table, where it has one.
fn first_row(reader: &Reader, table: &StoredTable) -> Result<Option<Row>, CliError> {
    let mut first = None;
    diff::rows_of(reader, table, &mut |row| {
        first = Some(row);
        Ok(Flow::Stop)
    })?;
    Ok(first)
}

/// The rows whose key the words can mean: NULL, a number, bytes or a text, in any combination.
fn by_key(
    reader: &Reader,
    table: &StoredTable,
    words: &[String],
    holds: &Holds,
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
    for (word, key) in words.iter().zip(columns) {
        let place = table.spec.columns.iter().position(|column| column.name == key.name);
        let meanings: Vec<Value> = match (holds, place) {
            (Holds::AnyOf(holds), _) => meanings(word).into_iter().filter(holds).collect(),
            (Holds::OneKind(Some(row)), Some(place)) => meanings_like(word, &row.values[place]),
            (Holds::OneKind(_), _) => return Ok(Vec::new()),
        };
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

/// Whether SQLite holds such values.
fn is_sqlite(value: &Value) -> bool {
    use Value::{Bytes, Float64, Int, Null, Text};
    matches!(value, Null | Int(_) | Float64(_) | Bytes(_) | Text(_))
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
