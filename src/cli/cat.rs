//! `cat`: the rows of a table in a snapshot, or one of them.

use std::io::Write;

use serde_json::json;

use super::args::CatArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::row_key;
use crate::codec::state::StoredTable;
use crate::diff::{self, Row};
use crate::model::Flow;
use crate::report::{rows, value};
use crate::store::Reader;

/// Prints rows.
pub fn run(context: &Context, args: &CatArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store_for(&[&args.at])?.reader()?;
    let loaded = context.snapshot(&reader, &args.at)?;
    let table = row_key::table(&reader, &loaded, &args.table, &args.at)?;
    if loaded.snapshot.is_hash_only {
        let message = format!("snapshot {} stored no values", loaded.id.short());
        return Err(CliError::new(Exit::Incomplete, message)
            .hint("it was taken with --hash-only; take one without"));
    }
    if args.key.is_empty() {
        return every_row(context, &reader, &table, args.limit, out);
    }
    let mut found = Vec::new();
    for key in row_key::keys(&reader, &loaded, &table, &args.key)? {
        found.extend(diff::row_by_key(&reader, &table, &key)?);
    }
    if found.is_empty() {
        let message = format!("table {} has no row with key {}", args.table, args.key.join(", "));
        return Err(CliError::new(Exit::Different, message));
    }
    for row in &found {
        print(context, &table, row, out)?;
    }
    Ok(Exit::Done)
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
