//! `check`: what a snapshot of a source would hold, without taking one.

use std::io::Write;

use serde_json::json;

use super::args::CheckArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::snapshot::{runtime, warn};
use crate::engine::{EngineError, OpenOptions, Source};
use crate::model::{NotCaptured, RowKey, TableSpec};
use crate::report::json::not_captured;
use crate::report::stat::plural;
use crate::report::value::visible;

/// Reads the catalog and prints what would be captured.
pub fn run(context: &Context, args: &CheckArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let named = context.source(&args.source)?;
    let runtime = runtime()?;
    let mut missing = Vec::new();
    let seen = runtime.block_on(async {
        let mut source = Source::open(&named.url, &OpenOptions::default()).await?;
        missing = source.missing_rights().await?;
        source.begin(1).await?;
        let catalog = source.catalog(&context.config.scope()).await?;
        let evidence = source.evidence().await?;
        let server = source.server();
        source.end().await?;
        source.close().await?;
        Ok::<_, EngineError>((server, catalog, evidence))
    });
    let (server, catalog, evidence) = seen.map_err(|error| lacking(error, &missing))?;
    warn(&catalog.unused_rules);
    let is_unknown = catalog.not_captured.iter().any(|item| item.is_unknown);
    if context.global.json {
        let tables: Vec<_> = catalog
            .tables
            .iter()
            .map(|t| json!({"name": t.name.to_string(), "key": t.key.column_names()}))
            .collect();
        let left_out: Vec<_> = catalog.not_captured.iter().map(not_captured).collect();
        let object = json!({"source": named.label, "server": server, "evidence": evidence,
            "facts": catalog.facts.len(), "tables": tables, "not_captured": left_out,
            "warnings": catalog.unused_rules});
        writeln!(out, "{object}")?;
    } else {
        writeln!(out, "{} ({server})", named.label)?;
        for line in &evidence {
            writeln!(out, "  {line}")?;
        }
        let facts = plural(catalog.facts.len() as u64, "schema fact");
        writeln!(out, "  {facts}, {}:", plural(catalog.tables.len() as u64, "table"))?;
        for table in &catalog.tables {
            writeln!(out, "  {}: {}", visible(&table.name.to_string()), identity(table))?;
        }
        for item in &catalog.not_captured {
            let unknown = if item.is_unknown { "UNKNOWN " } else { "" };
            let (name, reason) = (visible(&item.name), visible(&item.reason));
            writeln!(out, "  not captured: {unknown}{} {name}: {reason}", item.kind)?;
        }
    }
    Ok(if is_unknown { Exit::Incomplete } else { Exit::Done })
}

/// A refusal of the server, with all the rights that are missing and not the first alone.
fn lacking(error: EngineError, missing: &[NotCaptured]) -> CliError {
    let is_about_rights = matches!(error, EngineError::Privilege { .. }) && !missing.is_empty();
    if !is_about_rights {
        return error.into();
    }
    let list: Vec<String> = missing
        .iter()
        .map(|item| {
            let (name, reason) = (visible(&item.name), visible(&item.reason));
            format!("missing: {} {name}: {reason}", item.kind)
        })
        .collect();
    CliError::from(error).hint(list.join("\n"))
}

fn identity(table: &TableSpec) -> String {
    match &table.key {
        RowKey::RowHash => "no key: rows are compared whole, with how often each occurs".to_owned(),
        RowKey::Columns { may_be_null, .. } => {
            let columns = visible(&table.key.column_names().join(", "));
            let nulls = if *may_be_null { ", NULLs possible" } else { "" };
            format!("rows identified by ({columns}){nulls}")
        }
    }
}
