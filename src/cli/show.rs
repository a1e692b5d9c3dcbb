//! `show`: one snapshot in full, or the statements of its schema. `ls`: its tables.

use std::io::Write;

use serde_json::json;

use super::args::{LsArgs, ShowArgs};
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::revision::shown;
use super::snapshot::bytes;
use crate::codec::state::StoredTable;
use crate::diff::LoadedSnapshot;
use crate::model::RowKey;
use crate::report::json::not_captured;
use crate::report::stat::plural;
use crate::report::value::visible;
use crate::store::Reader;

/// Prints a snapshot.
pub fn run(context: &Context, args: &ShowArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store_for(&[&args.snapshot])?.reader()?;
    let loaded = context.snapshot(&reader, &args.snapshot)?;
    if args.schema {
        return schema(context, &reader, &loaded, out);
    }
    let tables = loaded.tables(&reader)?;
    let facts = loaded.facts(&reader)?;
    let snapshot = &loaded.snapshot;
    if context.global.json {
        let object = json!({
            "snapshot": loaded.id.to_string(),
            "state": snapshot.state.to_string(),
            "engine": loaded.state.engine,
            "source": {
                "label": snapshot.source.label,
                "identity": snapshot.source.identity,
                "server": snapshot.source.server,
            },
            "read_at": snapshot.read_at,
            "guarantee": snapshot.guarantee.as_str(),
            "evidence": snapshot.evidence,
            "hash_only": snapshot.is_hash_only,
            "author": snapshot.author,
            "message": snapshot.message,
            "parents": snapshot.parents.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "facts": facts.len(),
            "tables": tables.iter().map(table_json).collect::<Vec<_>>(),
            "sequences": snapshot.sequences.iter()
                .map(|s| json!({"name": s.name.to_string(), "position": s.position}))
                .collect::<Vec<_>>(),
            "not_captured": snapshot.not_captured.iter().map(not_captured).collect::<Vec<_>>(),
        });
        writeln!(out, "{object}")?;
        return Ok(Exit::Done);
    }
    writeln!(out, "snapshot  {}", loaded.id)?;
    writeln!(out, "state     {}", snapshot.state)?;
    writeln!(out, "source    {} ({})", snapshot.source.label, snapshot.source.server)?;
    for (start, end) in &snapshot.read_at {
        writeln!(out, "read      {} to {}", shown(*start), shown(*end))?;
    }
    writeln!(out, "guarantee {}: {}", snapshot.guarantee.as_str(), snapshot.evidence.join("; "))?;
    if snapshot.is_hash_only {
        writeln!(out, "stored    keys and row hashes only (and column blocks of up to 64 bytes)")?;
    }
    writeln!(out, "author    {}", snapshot.author)?;
    if !snapshot.message.is_empty() {
        writeln!(out, "message   {}", visible(&snapshot.message))?;
    }
    for parent in &snapshot.parents {
        let gone = if reader.has(&parent.0)? { "" } else { " (removed)" };
        writeln!(out, "parent    {}{gone}", parent.short())?;
    }
    let facts = plural(facts.len() as u64, "schema fact");
    writeln!(out, "\n{facts}, {}:", plural(tables.len() as u64, "table"))?;
    print_tables(out, &tables)?;
    for sequence in &snapshot.sequences {
        writeln!(out, "sequence {} at {}", visible(&sequence.name.to_string()), sequence.position)?;
    }
    if !snapshot.not_captured.is_empty() {
        writeln!(out, "\nnot captured:")?;
        for item in &snapshot.not_captured {
            let unknown = if item.is_unknown { " (unknown)" } else { "" };
            let (name, reason) = (visible(&item.name), visible(&item.reason));
            writeln!(out, "  {} {name}: {reason}{unknown}", item.kind)?;
        }
    }
    Ok(Exit::Done)
}

/// Prints the tables of a snapshot.
pub fn ls(context: &Context, args: &LsArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store_for(&[&args.snapshot])?.reader()?;
    let tables = context.snapshot(&reader, &args.snapshot)?.tables(&reader)?;
    if context.global.json {
        let list: Vec<_> = tables.iter().map(table_json).collect();
        writeln!(out, "{}", json!({ "tables": list }))?;
    } else {
        print_tables(out, &tables)?;
    }
    Ok(Exit::Done)
}

fn print_tables(out: &mut dyn Write, tables: &[StoredTable]) -> Result<(), CliError> {
    let name = |table: &StoredTable| visible(&table.spec.name.to_string());
    let width = tables.iter().map(|t| name(t).chars().count()).max().unwrap_or(0);
    for table in tables {
        writeln!(
            out,
            "  {:<width$}  {:>12} {:<4}  {:>11}  by {}",
            name(table),
            table.rows.rows,
            if table.rows.rows == 1 { "row" } else { "rows" },
            bytes(table.rows.bytes),
            key_words(&table.spec.key),
        )?;
    }
    Ok(())
}

fn key_words(key: &RowKey) -> String {
    match key {
        RowKey::RowHash => "whole row (no key)".to_owned(),
        key @ RowKey::Columns { .. } => visible(&key.column_names().join(", ")),
    }
}

fn table_json(table: &StoredTable) -> serde_json::Value {
    json!({
        "name": table.spec.name.to_string(),
        "rows": table.rows.rows,
        "bytes": table.rows.bytes,
        "key": table.spec.key.column_names(),
        "columns": table.spec.columns.iter().map(|c| &c.name).collect::<Vec<_>>(),
    })
}

fn schema(
    context: &Context,
    reader: &Reader,
    loaded: &LoadedSnapshot,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    let definitions = loaded.definitions(reader)?;
    if context.global.json {
        let list: Vec<_> = definitions
            .iter()
            .map(|d| json!({"kind": d.kind.as_str(), "name": d.object.to_string(), "text": d.text}))
            .collect();
        writeln!(out, "{}", json!({ "definitions": list }))?;
    } else {
        for definition in &definitions {
            writeln!(out, "{};", definition.text)?;
        }
    }
    Ok(Exit::Done)
}
