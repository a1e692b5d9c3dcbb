//! `pack`: the reviewed change that turns one state into another.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::PackArgs;
use super::context::Context;
use super::diff::{access, side};
use super::error::CliError;
use super::exit::Exit;
use super::fill;
use super::snapshot::runtime;
use crate::apply::create_pack;
use crate::diff::{self, Comparison};
use crate::fsio;
use crate::pack::online::meanwhile;
use crate::pack::renames::Renamed;
use crate::pack::summary::for_a_shell;
use crate::pack::{
    Consent, DecisionFile, Manifest, PackError, PackSide, Part, Request, StoredRows, renames,
};
use crate::report::stat::plural;
use crate::report::value::visible;

/// Plans the change, proves it on a scratch copy and writes its folder.
pub fn run(context: &Context, args: &PackArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut consent = Consent::parse(&args.allow)?;
    args.allow_triggers.iter().for_each(|table| consent.allow_triggers(table));
    let mut strategies = context.config.pack.strategies()?;
    args.strategy.iter().try_for_each(|words| strategies.strategy_flag(words))?;
    args.changes.iter().try_for_each(|words| strategies.changes_flag(words))?;
    let asked = beside(&args.output, ".decisions.toml");
    let given = args.decisions.as_deref();
    let decisions = given.map_or(DecisionFile::Ask(&asked), DecisionFile::Given);
    let store = context.store()?;
    let reader = store.reader()?;
    let from = side(context, &store, &reader, &args.from)?;
    let to = side(context, &store, &reader, &args.to)?;
    let comparison = diff::compare(&reader, &from, &to)?;
    let (before, after) = (PackSide::load(&reader, &from)?, PackSide::load(&reader, &to)?);
    let renamed = renamed(context, args, &before, &after, &comparison)?;
    let base = renamed.as_ref().map(|renamed| &renamed.base);
    let target = renamed.as_ref().map_or(&before, |renamed| &renamed.side);
    let fills = fill::rules(context, &args.fill, &reader, (target, base), &after)?;
    let rows = StoredRows { access: access(&store, &reader), base };
    let fs = store.file_system();
    let request = Request {
        before: target,
        base,
        after: &after,
        comparison: renamed.as_ref().map_or(&comparison, |renamed| &renamed.comparison),
        rows: &rows,
        hasher: store.hasher(),
        consent: &consent,
        strategies: &strategies,
        fills: &fills,
        decisions,
        tables: &args.tables,
        part: Part::Whole,
        fs: fs.as_ref(),
        scratch: &store.tmp_dir(),
        dir: &args.output,
    };
    let runtime = runtime()?;
    let meanwhile = if args.online { meanwhile(&request)? } else { None };
    let Some(meanwhile) = meanwhile else {
        let manifest = runtime.block_on(create_pack(&request))?;
        tell(context, args, &manifest, None, out)?;
        return Ok(Exit::Done);
    };
    let first = Request { after: &meanwhile.side, part: Part::First, ..request };
    let manifest = runtime.block_on(create_pack(&first))?;
    let dir = beside(&args.output, ".online");
    let online = Request {
        before: &meanwhile.side,
        // Names have changed by then.
        base: None,
        comparison: &meanwhile.comparison,
        part: Part::Online {
            is_complete: manifest.left_out.is_empty() && manifest.kept.is_empty(),
        },
        // No rows are left to decide about.
        decisions: DecisionFile::Ask(&asked),
        dir: &dir,
        ..request
    };
    let second = runtime.block_on(create_pack(&online)).map_err(CliError::from);
    let second = second.and_then(|second| {
        let (left, found) = (&manifest.migration.schema_after, &second.migration.schema_before);
        if left == found {
            return Ok(second);
        }
        fsio::remove_tree(fs.as_ref(), &dir).map_err(PackError::from)?;
        Err(CliError::new(
            Exit::Refused,
            "a part of the schema is left out, and what comes after it would not fit",
        )
        .hint("allow what is left out, or make the pack without --online"))
    });
    match second {
        Ok(second) => tell(context, args, &manifest, Some((&dir, &second)), out)?,
        Err(error) => {
            // Why there is no second pack matters more.
            let _ = fsio::remove_tree(fs.as_ref(), &args.output);
            return Err(error);
        }
    }
    Ok(Exit::Done)
}

/// The state before by its new names, where any are given.
fn renamed(
    context: &Context,
    args: &PackArgs,
    before: &PackSide,
    after: &PackSide,
    comparison: &Comparison,
) -> Result<Option<Renamed>, CliError> {
    let words: Vec<String> =
        context.config.pack.renames.iter().chain(&args.rename).cloned().collect();
    let renames = renames::resolve(&words, before, after)?;
    if renames.is_empty() {
        return Ok(None);
    }
    Ok(Some(renames::rename(before.clone(), after, comparison, renames)?))
}

fn tell(
    context: &Context,
    args: &PackArgs,
    manifest: &Manifest,
    online: Option<(&Path, &Manifest)>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if context.global.json {
        let mut object = as_json(args, manifest);
        if let Some((dir, online)) = online {
            object["online"] = json!({
                "dir": dir.display().to_string(),
                "pack": online.pack,
                "steps": online.migration.statements,
            });
        }
        writeln!(out, "{object}")?;
        return Ok(());
    }
    print(out, args, manifest)?;
    if let Some((dir, online)) = online {
        let steps = plural(online.migration.statements, "step");
        writeln!(
            out,
            "{}: {steps}, each a transaction of its own; after that pack:",
            dir.display()
        )?;
        writeln!(out, "  deepdiff-db apply {} --to TARGET", dir.display())?;
    } else if args.online {
        writeln!(out, "nothing of it can wait: there is no second pack")?;
    }
    Ok(())
}

/// A name beside the folder that the pack will be.
fn beside(output: &Path, ending: &str) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    output.with_file_name(name)
}

fn as_json(args: &PackArgs, manifest: &Manifest) -> serde_json::Value {
    json!({
        "dir": args.output.display().to_string(),
        "pack": manifest.pack,
        "steps": manifest.migration.statements,
        "rows": manifest.migration.rows,
        "complete": manifest.is_complete,
        "reversals": manifest.migration.reversals,
        "renames": manifest.renames,
        "left_out": manifest.left_out,
        "kept": manifest.kept,
        "hazards": manifest.hazards,
    })
}

fn print(out: &mut dyn Write, args: &PackArgs, manifest: &Manifest) -> Result<(), CliError> {
    let rows = &manifest.migration.rows;
    let steps = match manifest.migration.statements {
        0 => "nothing to change".to_owned(),
        steps => plural(steps, "step"),
    };
    writeln!(out, "{}: {steps}", args.output.display())?;
    writeln!(
        out,
        "  rows: {} inserted, {} updated, {} deleted",
        rows.inserted, rows.updated, rows.deleted
    )?;
    if !manifest.migration.reversals.is_none() {
        writeln!(out, "  taken back by a rollback: {}", manifest.migration.reversals.to_text())?;
    }
    for hazard in &manifest.hazards {
        let object = if hazard.object.is_empty() { "the database" } else { &hazard.object };
        let (object, text) = (visible(object), visible(&hazard.text));
        writeln!(out, "  hazard: {} ({object}): {text}", hazard.kind)?;
    }
    if !manifest.left_out.is_empty() {
        writeln!(out, "  left out, and what would let it run:")?;
    }
    for left_out in &manifest.left_out {
        let rows = if left_out.rows == 0 {
            String::new()
        } else {
            format!(" ({})", plural(left_out.rows, "row"))
        };
        let (object, reason) = (visible(&left_out.object), visible(&left_out.reason));
        writeln!(out, "    {} {object}{rows}: {reason}", left_out.step)?;
        if !left_out.allow.is_empty() {
            let options: Vec<String> = left_out.allow.iter().map(|o| for_a_shell(o)).collect();
            writeln!(out, "      {}", visible(&options.join(" ")))?;
        }
    }
    if !manifest.kept.is_empty() {
        writeln!(out, "  kept by strategy:")?;
    }
    for kept in &manifest.kept {
        let rows = plural(kept.rows, "row");
        let (object, reason) = (visible(&kept.object), visible(&kept.reason));
        writeln!(out, "    {} {object} ({rows}), {}: {reason}", kept.step, kept.strategy)?;
    }
    writeln!(out, "read {}/summary.md and migration.sql, then:", args.output.display())?;
    writeln!(out, "  deepdiff-db apply {} --to TARGET --dry-run", args.output.display())?;
    Ok(())
}
