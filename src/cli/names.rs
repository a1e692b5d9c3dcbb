//! `tag` and `ref`: names for snapshots.

use std::io::Write;

use serde_json::json;

use super::args::{RefArgs, TagArgs};
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::revision::shown;
use crate::model::SnapshotId;
use crate::report::value::visible;
use crate::snapshot::take::now;
use crate::store::{Expected, LogEntry, Moment, Move, RefName, Store};

/// Lists, creates or deletes tags.
pub fn tag(context: &Context, args: &TagArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let author = Context::author();
    let Some(name) = &args.name else {
        return list(context, "tags", &store.tags()?, out);
    };
    let name = RefName::new(name)?;
    let found = store.tag(&name)?;
    let message = if args.delete { "deleted" } else { "tagged" };
    let when = Moment(now());
    let change = Move { name: &name, expected: expected(found), who: &author, message, when };
    if args.delete {
        require(found, "tag", &name)?;
        store.delete_tag(&change)?;
        return said(context, out, &name, None);
    }
    let reader = store.reader()?;
    let text = args.snapshot.as_ref().ok_or_else(|| {
        CliError::usage(format!("what shall the tag `{}` name?", name.as_str()))
            .hint("deepdiff-db tag NAME SNAPSHOT")
    })?;
    let to = context.snapshot(&reader, text)?.id;
    if store.reference(&name)?.is_some() {
        return Err(taken("ref", &name));
    }
    if found.is_some() && !args.force {
        let message = format!("there is a tag `{}` already", name.as_str());
        return Err(CliError::new(Exit::Refused, message).hint("move it with --force"));
    }
    store.move_tag(to, &change)?;
    said(context, out, &name, Some(to))
}

/// Lists, sets or deletes refs, or prints how one moved.
pub fn reference(context: &Context, args: &RefArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let author = Context::author();
    let Some(name) = &args.name else {
        return list(context, "refs", &store.references()?, out);
    };
    let name = RefName::new(name)?;
    let found = store.reference(&name)?;
    if args.log {
        return log(context, &store.log(&name)?, out);
    }
    let message = if args.delete { "deleted" } else { "set" };
    let when = Moment(now());
    let change = Move { name: &name, expected: expected(found), who: &author, message, when };
    if args.delete {
        require(found, "ref", &name)?;
        store.delete_reference(&change)?;
        return said(context, out, &name, None);
    }
    match &args.snapshot {
        Some(text) => {
            let to = context.snapshot(&store.reader()?, text)?.id;
            require_no_tag(&store, &name)?;
            store.set_reference(to, &change)?;
            said(context, out, &name, Some(to))
        }
        None => said(context, out, &name, Some(require(found, "ref", &name)?)),
    }
}

/// A ref hides a tag of its name: what the tag's name meant would change in silence.
pub fn require_no_tag(store: &Store, name: &RefName) -> Result<(), CliError> {
    if store.tag(name)?.is_some() { Err(taken("tag", name)) } else { Ok(()) }
}

fn taken(by: &str, name: &RefName) -> CliError {
    let message = format!("there is a {by} `{}`, and one name cannot mean both", name.as_str());
    CliError::new(Exit::Refused, message).hint("choose another name")
}

/// Where a name must be, if it is where it was found.
pub fn expected(found: Option<SnapshotId>) -> Expected {
    found.map_or(Expected::Absent, Expected::At)
}

fn require(found: Option<SnapshotId>, what: &str, name: &RefName) -> Result<SnapshotId, CliError> {
    found.ok_or_else(|| CliError::usage(format!("there is no {what} `{}`", name.as_str())))
}

fn list(
    context: &Context,
    what: &str,
    names: &[(RefName, SnapshotId)],
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    if context.global.json {
        let list: Vec<_> = names
            .iter()
            .map(|(name, id)| json!({"name": name.as_str(), "snapshot": id.to_string()}))
            .collect();
        writeln!(out, "{}", json!({ what: list }))?;
    } else {
        for (name, id) in names {
            writeln!(out, "{} {}", id.short(), name.as_str())?;
        }
    }
    Ok(Exit::Done)
}

fn said(
    context: &Context,
    out: &mut dyn Write,
    name: &RefName,
    id: Option<SnapshotId>,
) -> Result<Exit, CliError> {
    if context.global.json {
        let id = id.map(|id| id.to_string());
        writeln!(out, "{}", json!({"name": name.as_str(), "snapshot": id}))?;
    } else {
        let id = id.map_or_else(|| "deleted".to_owned(), |id| id.short());
        writeln!(out, "{id} {}", name.as_str())?;
    }
    Ok(Exit::Done)
}

fn log(context: &Context, entries: &[LogEntry], out: &mut dyn Write) -> Result<Exit, CliError> {
    let text = |id: Option<SnapshotId>| id.map(|id| id.to_string());
    if context.global.json {
        let moves: Vec<_> = entries
            .iter()
            .map(|e| {
                json!({"when": e.when.0, "old": text(e.old), "new": text(e.new), "who": e.who,
                    "message": e.message})
            })
            .collect();
        writeln!(out, "{}", json!({ "moves": moves }))?;
    } else {
        for entry in entries.iter().rev() {
            let new = entry.new.map_or_else(|| "deleted     ".to_owned(), |id| id.short());
            let message = visible(&entry.message);
            writeln!(out, "{new} {} {} {message}", shown(entry.when.0), entry.who)?;
        }
    }
    Ok(Exit::Done)
}
