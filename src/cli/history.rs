//! `history` and `blame`: one row through the snapshots of a ref, and who last set each of its cells.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::git;
use super::revision::shown;
use super::row_key;
use crate::diff::LoadedSnapshot;
use crate::diff::history::{self, CellChange, RowEvent, RowFollower, Seen, SeenRow, Trail};
use crate::model::ObjectName;
use crate::report::stat::plural;
use crate::report::value::{to_json, to_text, visible};
use crate::store::Reader;
use crate::tree::CellValue;

/// `history`
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The table; with its schema (`schema.table`) where several schemas have one of that name.
    pub table: String,
    /// The values of the row's key, in key order, as `cat` takes them.
    #[arg(required = true)]
    pub key: Vec<String>,
    /// Where to begin: a ref, tag, id, `ref~n`, `ref@date`, or
    /// `git:BRANCH` for the commits of a git branch; by default the only ref there is.
    #[arg(long, visible_alias = "ref", value_name = "SNAPSHOT")]
    pub at: Option<String>,
    /// At most this many changes.
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<usize>,
}

/// `blame`
#[derive(Debug, Args)]
pub struct BlameArgs {
    /// The table; with its schema (`schema.table`) where several schemas have one of that name.
    pub table: String,
    /// The values of the row's key, in key order, as `cat` takes them.
    #[arg(required = true)]
    pub key: Vec<String>,
    /// Where to begin: a ref, tag, id, `ref~n`, `ref@date`, or
    /// `git:BRANCH` for the commits of a git branch; by default the only ref there is.
    #[arg(long, visible_alias = "ref", value_name = "SNAPSHOT")]
    pub at: Option<String>,
}

/// A change of the row, and where.
struct Step {
    /// The snapshot that first has it as it is after the change.
    at: usize,
    change: Change,
    /// The row, as it was before it went or as it came.
    seen: Arc<Seen>,
}

enum Change {
    /// It is there in the oldest snapshot.
    First,
    /// It differs from what was seen of it before.
    Event(RowEvent),
    /// Nobody can say what it was here.
    Unseen(String),
}

/// A row followed through a chain of snapshots.
struct Followed {
    trail: Trail,
    name: ObjectName,
    /// The newest first.
    steps: Vec<Step>,
    /// The row in the newest snapshot.
    newest: Arc<Seen>,
}

/// Prints the changes of a row.
pub fn run(context: &Context, args: &HistoryArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store_for(args.at.as_deref().as_slice())?.reader()?;
    let followed = follow(context, &reader, &args.table, &args.key, args.at.as_deref())?;
    let steps = &followed.steps[..args.limit.unwrap_or(usize::MAX).min(followed.steps.len())];
    let is_known = followed.steps.iter().any(|step| !matches!(step.change, Change::Unseen(_)));
    if context.global.json {
        let events: Result<Vec<Json>, CliError> =
            steps.iter().map(|step| step_json(&reader, &followed, step)).collect();
        let object = json!({
            "table": followed.name.to_string(),
            "events": events?,
            "snapshots": followed.trail.snapshots.len(),
            "gone": followed.trail.gone.map(|id| id.to_string()),
        });
        writeln!(out, "{object}")?;
    } else {
        for step in steps {
            print_step(out, &reader, &followed, step)?;
        }
        if !is_known {
            let looked = plural(followed.trail.snapshots.len() as u64, "snapshot");
            writeln!(out, "no such row in {looked}")?;
        }
        print_end(out, &followed)?;
    }
    Ok(if is_known { Exit::Done } else { Exit::Different })
}

/// Prints the snapshot that last set each cell.
pub fn blame(context: &Context, args: &BlameArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store_for(args.at.as_deref().as_slice())?.reader()?;
    let followed = follow(context, &reader, &args.table, &args.key, args.at.as_deref())?;
    let Seen::Row(row) = followed.newest.as_ref() else {
        let message = format!("table {} has no such row there now", args.table);
        return Err(CliError::new(Exit::Different, message)
            .hint("`deepdiff-db history` with the same words shows what became of it"));
    };
    let Some(values) = &row.values else {
        let message = "the newest snapshot stored no values";
        return Err(CliError::new(Exit::Incomplete, message)
            .hint("name an earlier one with --at, which was taken without --hash-only"));
    };
    let mut lines = Vec::new();
    for (column, value) in row.table.spec.columns.iter().zip(values) {
        let step = followed.steps.iter().find(|step| sets(step, &column.name));
        lines.push((column.name.as_str(), value, step));
    }
    if context.global.json {
        let mut columns = Vec::new();
        for (name, value, step) in lines {
            let mut object = json!({"column": name, "value": cell_json(&reader, value)?});
            let step = step.map(|step| (step, &followed.trail.snapshots[step.at]));
            let is_certain = step.is_some_and(|(step, _)| is_certain(&step.change));
            object["snapshot"] = json!(step.map(|(_, loaded)| loaded.id.to_string()));
            object["read_at"] = json!(step.map(|(_, loaded)| &loaded.snapshot.read_at));
            object["author"] = json!(step.map(|(_, loaded)| &loaded.snapshot.author));
            object["message"] = json!(step.map(|(_, loaded)| &loaded.snapshot.message));
            object["certain"] = json!(is_certain);
            columns.push(object);
        }
        let gone = followed.trail.gone.map(|id| id.to_string());
        let name = followed.name.to_string();
        writeln!(out, "{}", json!({"table": name, "columns": columns, "gone": gone}))?;
        return Ok(Exit::Done);
    }
    let width = lines.iter().map(|(name, ..)| visible(name).chars().count()).max().unwrap_or(0);
    let set_by = |step: Option<&Step>| {
        step.map_or_else(String::new, |step| {
            let loaded = &followed.trail.snapshots[step.at];
            let or_before = if is_certain(&step.change) { "" } else { " or before" };
            format!("{} {}{or_before}", loaded.id.short(), when(loaded))
        })
    };
    let widest = lines.iter().map(|(.., step)| set_by(*step).chars().count()).max().unwrap_or(0);
    for (name, value, step) in lines {
        let text = to_text(&history::whole(&reader, value)?);
        writeln!(out, "{:<widest$}  {:<width$} = {text}", set_by(step), visible(name))?;
    }
    print_end(out, &followed)?;
    Ok(Exit::Done)
}

/// Whether a step set the column, or may have.
fn sets(step: &Step, column: &str) -> bool {
    match &step.change {
        Change::First | Change::Event(RowEvent::Inserted { .. } | RowEvent::Updated(None)) => true,
        Change::Event(RowEvent::Updated(Some(cells))) => cells.iter().any(|c| c.column == column),
        Change::Event(RowEvent::Deleted { .. }) | Change::Unseen(_) => false,
    }
}

/// Whether the column was set in this snapshot, and not perhaps before.
fn is_certain(change: &Change) -> bool {
    !matches!(change, Change::First | Change::Event(RowEvent::Updated(None)))
}

/// Follows the row that the words mean.
fn follow(
    context: &Context,
    reader: &Reader,
    table: &str,
    words: &[String],
    at: Option<&str>,
) -> Result<Followed, CliError> {
    let trail = trail(context, reader, at)?;
    let name = name_in(reader, &trail, table, at.unwrap_or("the only ref"))?;
    let mut follower = RowFollower::new(reader, name.clone());
    let mut keys = |loaded: &LoadedSnapshot, table: &_| row_key::keys(reader, loaded, table, words);
    let mut steps = Vec::new();
    let mut newest = None;
    // The sight after the change that is looked for, and the snapshot that has it first so far.
    let mut after: Option<(usize, Arc<Seen>)> = None;
    let mut gap: Option<Arc<Seen>> = None;
    for (index, loaded) in trail.snapshots.iter().enumerate() {
        let seen = follower.look(loaded, &mut keys)?;
        newest.get_or_insert_with(|| Arc::clone(&seen));
        if let Seen::Unseen(why) = seen.as_ref() {
            if gap.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &seen) && **known != *seen) {
                let change = Change::Unseen(why.clone());
                steps.push(Step { at: index, change, seen: Arc::clone(&seen) });
            }
            gap = Some(seen);
            continue;
        }
        gap = None;
        if let Some((at, then)) = &after
            && !Arc::ptr_eq(then, &seen)
            && let Some(event) = history::event(&seen, then)
        {
            let is_gone = matches!(event, RowEvent::Deleted { .. });
            let of = if is_gone { &seen } else { then };
            steps.push(Step { at: *at, change: Change::Event(event), seen: Arc::clone(of) });
        }
        after = Some((index, seen));
    }
    if let Some((at, seen)) = after
        && matches!(seen.as_ref(), Seen::Row(_))
    {
        steps.push(Step { at, change: Change::First, seen });
    }
    // A gap is met after the change that came later than it.
    steps.sort_by_key(|step| step.at);
    let newest = newest.unwrap_or_else(|| Arc::new(Seen::NoTable));
    Ok(Followed { trail, name, steps, newest })
}

/// The snapshots to look at: those of a git branch by its commits, others by their parents.
fn trail(context: &Context, reader: &Reader, at: Option<&str>) -> Result<Trail, CliError> {
    let head = match at {
        Some(text) => match text.strip_prefix(git::PREFIX) {
            Some(revision) => return git::trail(reader, revision),
            None => context.snapshot(reader, text)?,
        },
        None => only_ref(context, reader)?,
    };
    Trail::from(reader, head, &|id| Ok::<_, CliError>(reader.has(id)?))
}

/// The snapshot of the ref, where there is only one.
fn only_ref(context: &Context, reader: &Reader) -> Result<LoadedSnapshot, CliError> {
    let references = reader.store().references()?;
    match references.as_slice() {
        [(name, _)] => context.snapshot(reader, name.as_str()),
        [] => Err(CliError::usage("the store has no snapshots yet")
            .hint("take one with `deepdiff-db snapshot`")),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(CliError::usage("the history of which ref?")
                .hint(format!("--ref with one of {}", names.join(", "))))
        }
    }
}

/// The table that a text names in the newest snapshot that has one of that name.
fn name_in(reader: &Reader, trail: &Trail, text: &str, at: &str) -> Result<ObjectName, CliError> {
    let mut looked_at = None;
    for loaded in &trail.snapshots {
        if looked_at.replace(loaded.state.tables) == Some(loaded.state.tables) {
            continue;
        }
        let names = loaded.table_ids(reader)?.into_iter().map(|(name, _)| name).collect();
        if let Some(name) = row_key::table_named(&names, text)? {
            return Ok(name);
        }
    }
    let newest = trail.snapshots.first().map(|loaded| loaded.tables(reader)).transpose()?;
    Err(row_key::unknown_table(text, at, &newest.unwrap_or_default()))
}

fn when(loaded: &LoadedSnapshot) -> String {
    let moment = loaded.snapshot.read_at.first().map_or(0, |(begin, _)| *begin);
    format!("{} {}", shown(moment), visible(&loaded.snapshot.author))
}

fn print_step(
    out: &mut dyn Write,
    reader: &Reader,
    followed: &Followed,
    step: &Step,
) -> Result<(), CliError> {
    let loaded = &followed.trail.snapshots[step.at];
    let message = &loaded.snapshot.message;
    let message =
        if message.is_empty() { String::new() } else { format!("  {}", visible(message)) };
    writeln!(out, "snapshot {}  {}{message}", loaded.id.short(), when(loaded))?;
    match &step.change {
        Change::First => writeln!(out, "  = {}", row_text(reader, &step.seen)?)?,
        Change::Event(RowEvent::Inserted { with_table }) => {
            let table = if *with_table { "  (with its table)" } else { "" };
            writeln!(out, "  + {}{table}", row_text(reader, &step.seen)?)?;
        }
        Change::Event(RowEvent::Deleted { with_table }) => {
            let table = if *with_table { "  (with its table)" } else { "" };
            writeln!(out, "  - {}{table}", row_text(reader, &step.seen)?)?;
        }
        Change::Event(RowEvent::Updated(None)) => {
            writeln!(out, "  ~ (which columns changed is not known)")?;
        }
        Change::Event(RowEvent::Updated(Some(cells))) => {
            for CellChange { column, before, after } in cells {
                let old = cell_text(reader, before.as_ref())?;
                let new = cell_text(reader, after.as_ref())?;
                writeln!(out, "  ~ {}: {old} → {new}", visible(column))?;
            }
        }
        Change::Unseen(why) => writeln!(out, "  ? {}", visible(why))?,
    }
    Ok(())
}

fn print_end(out: &mut dyn Write, followed: &Followed) -> Result<(), CliError> {
    if let Some(gone) = followed.trail.gone {
        writeln!(out, "what was before is gone: snapshot {} was removed", gone.short())?;
    }
    Ok(())
}

fn cell_text(reader: &Reader, value: Option<&CellValue>) -> Result<String, CliError> {
    Ok(match value {
        Some(value) => to_text(&history::whole(reader, value)?),
        None => "(no column)".to_owned(),
    })
}

fn cell_json(reader: &Reader, value: &CellValue) -> Result<Json, CliError> {
    Ok(to_json(&history::whole(reader, value)?))
}

fn row_text(reader: &Reader, seen: &Seen) -> Result<String, CliError> {
    let Seen::Row(SeenRow { table, values: Some(values), .. }) = seen else {
        return Ok("(values not stored)".to_owned());
    };
    let mut cells = Vec::new();
    for (column, value) in table.spec.columns.iter().zip(values) {
        if !value.is_null() {
            let text = cell_text(reader, Some(value))?;
            cells.push(format!("{}={text}", visible(&column.name)));
        }
    }
    Ok(cells.join("  "))
}

/// The row's cells, or `unknown`.
fn row_json(reader: &Reader, seen: &Seen) -> Result<Json, CliError> {
    let Seen::Row(SeenRow { table, values: Some(values), .. }) = seen else {
        return Ok(json!("unknown"));
    };
    let mut cells = Map::new();
    for (column, value) in table.spec.columns.iter().zip(values) {
        cells.insert(column.name.clone(), cell_json(reader, value)?);
    }
    Ok(Json::Object(cells))
}

fn step_json(reader: &Reader, followed: &Followed, step: &Step) -> Result<Json, CliError> {
    let loaded = &followed.trail.snapshots[step.at];
    let mut object = json!({
        "snapshot": loaded.id.to_string(),
        "read_at": loaded.snapshot.read_at,
        "author": loaded.snapshot.author,
        "message": loaded.snapshot.message,
    });
    match &step.change {
        Change::First => {
            object["change"] = json!("first");
            object["row"] = row_json(reader, &step.seen)?;
        }
        Change::Event(RowEvent::Inserted { with_table }) => {
            object["change"] = json!("insert");
            object["row"] = row_json(reader, &step.seen)?;
            object["with_table"] = json!(with_table);
        }
        Change::Event(RowEvent::Deleted { with_table }) => {
            object["change"] = json!("delete");
            object["row"] = row_json(reader, &step.seen)?;
            object["with_table"] = json!(with_table);
        }
        Change::Event(RowEvent::Updated(cells)) => {
            object["change"] = json!("update");
            object["cells"] = match cells {
                None => json!("unknown"),
                Some(cells) => {
                    let mut changed = Map::new();
                    for CellChange { column, before, after } in cells {
                        let side = |value: &Option<CellValue>| {
                            value.as_ref().map(|value| cell_json(reader, value)).transpose()
                        };
                        changed.insert(column.clone(), json!([side(before)?, side(after)?]));
                    }
                    Json::Object(changed)
                }
            };
        }
        Change::Unseen(why) => {
            object["change"] = json!("unseen");
            object["why"] = json!(why);
        }
    }
    Ok(object)
}
