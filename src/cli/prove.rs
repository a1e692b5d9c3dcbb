//! `prove` and `check-proof`: a row of a snapshot, or that there is none, by the snapshot's id alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value as Json, json};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::key_words::meanings;
use super::revision::shown;
use super::row_key;
use super::snapshot::bytes;
use crate::codec::Hasher;
use crate::codec::state::StoredTable;
use crate::diff::{self, LoadedSnapshot};
use crate::fsio;
use crate::model::{Flow, NotCaptured, ObjectId, ObjectName, RowKey, Value};
use crate::proof::{Claim, Finding, Made, Proof, ProofError, Proved, Question, make};
use crate::report::stat::plural;
use crate::report::value::{to_text, visible};
use crate::store::Reader;
use crate::tree::rows::rows_with_key;
use crate::tree::{CellValue, RowAt};

/// `prove`
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// A ref, tag, id, `ref~n` or `ref@date`.
    pub snapshot: String,
    /// The table; with its schema (`schema.table`) where several schemas have one of that name.
    /// Without a key: that there is no such table.
    pub table: String,
    /// The values of the row's key, in key order, as `cat` takes them.
    pub key: Vec<String>,
    /// Find the row by the value of a column instead, in a table without a key; may be given several
    /// times. One row must have them all.
    #[arg(long = "where", value_name = "COLUMN=VALUE", conflicts_with = "key")]
    pub conditions: Vec<String>,
    /// The file to write; by default the proof is printed.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave values above 4 KiB out, and prove them by length and hash.
    #[arg(long)]
    pub large_by_hash: bool,
}

/// `check-proof`
#[derive(Debug, Args)]
pub struct CheckProofArgs {
    /// The file of the proof; `-` reads it from standard input.
    pub file: PathBuf,
    /// The id of the snapshot, from somewhere that you trust.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

/// Writes a proof.
pub fn run(context: &Context, args: &ProveArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let reader = context.store()?.reader()?;
    let loaded = context.snapshot(&reader, &args.snapshot)?;
    let question = question(&reader, &loaded, args)?;
    let made = make(&reader, loaded.id, question)?;
    let text = made.proof.to_text();
    let Some(path) = &args.output else {
        write!(out, "{text}")?;
        return Ok(Exit::Done);
    };
    let could_not =
        |error: fsio::FsError| CliError::because(Exit::CouldNot, error.to_string(), error);
    fsio::write_new(Context::file_system().as_ref(), path, text.as_bytes()).map_err(could_not)?;
    if context.global.json {
        let object = json!({
            "file": path.display().to_string(),
            "bytes": text.len(),
            "finding": word(&made.proved.finding),
            "snapshot": loaded.id.to_string(),
            "table": made.proved.name.to_string(),
            "shown": {"keys": made.shown.keys, "columns": made.shown.columns},
        });
        writeln!(out, "{object}")?;
    } else {
        print_made(out, path, &made, text.len())?;
    }
    Ok(Exit::Done)
}

fn print_made(out: &mut dyn Write, path: &Path, made: &Made, len: usize) -> Result<(), CliError> {
    let file = path.display();
    let id = made.proved.loaded.id;
    let name = visible(&made.proved.name.to_string());
    let said = match &made.proved.finding {
        Finding::Row { .. } => format!("a row of {name}"),
        Finding::NoRow { .. } => format!("that {name} has no such row"),
        Finding::NoTable => format!("that there is no table {name}"),
    };
    writeln!(out, "{file} proves {said} in snapshot {} ({})", id.short(), bytes(len as u64))?;
    let mut others = Vec::new();
    if made.shown.keys > 0 {
        others.push(plural(made.shown.keys as u64, "key"));
    }
    if !made.shown.columns.is_empty() {
        let names: Vec<String> = made.shown.columns.iter().map(|name| visible(name)).collect();
        others.push(format!("values of {} (short blocks)", names.join(", ")));
    }
    if !others.is_empty() {
        writeln!(out, "it shows of other rows: {}", others.join("; "))?;
    }
    let key = if made.proof.is_keyed { " --hash-key-file FILE" } else { "" };
    writeln!(out, "check it with: deepdiff-db check-proof {file} --id {id}{key}")?;
    Ok(())
}

/// What is asked of the snapshot: what the store knows to be true.
fn question(
    reader: &Reader,
    loaded: &LoadedSnapshot,
    args: &ProveArgs,
) -> Result<Question, CliError> {
    if args.key.is_empty() && args.conditions.is_empty() {
        return no_table(reader, loaded, args);
    }
    let table = row_key::table(reader, loaded, &args.table, &args.snapshot)?;
    let name = table.spec.name.clone();
    let asked = |claim| Question { table: name, claim };
    if !args.conditions.is_empty() {
        let claim = row_where(reader, loaded, &table, args)?;
        return Ok(asked(claim));
    }
    if table.spec.key == RowKey::RowHash {
        let message = format!("table {} has no key to look a row up by", args.table);
        return Err(CliError::usage(message).hint("find the row with --where COLUMN=VALUE"));
    }
    let mut keys = row_key::keys(reader, loaded, &table, &args.key)?;
    let tree = row_key::tree(reader, loaded, &table)?;
    let mut found = Vec::new();
    for values in &keys {
        found.extend(rows_with_key(&tree, values)?);
    }
    if keys.is_empty() {
        // The table is empty, and has no row with any key.
        keys.push(args.key.iter().filter_map(|word| meanings(word).into_iter().next()).collect());
    }
    match found.as_slice() {
        [] => Ok(asked(Claim::NoRow { keys })),
        [at] => Ok(asked(row(loaded, at, args.large_by_hash)?)),
        several => {
            let message = format!("{} rows of {} can be meant", several.len(), args.table);
            Err(CliError::usage(message).hint("find the one with --where COLUMN=VALUE"))
        }
    }
}

fn no_table(
    reader: &Reader,
    loaded: &LoadedSnapshot,
    args: &ProveArgs,
) -> Result<Question, CliError> {
    let names = loaded.table_ids(reader)?.into_iter().map(|(name, _)| name).collect();
    if let Some(table) = row_key::table_named(&names, &args.table)? {
        return Err(CliError::usage(format!("there is a table {table}; which row of it?"))
            .hint("give the values of its key, or --where COLUMN=VALUE"));
    }
    let table = match args.table.split_once('.') {
        Some((schema, name)) if loaded.state.engine == "postgres" => {
            ObjectName { schema: schema.to_owned(), name: name.to_owned() }
        }
        None if loaded.state.engine == "postgres" => {
            return Err(CliError::usage(format!("`{}`: in which schema?", args.table))
                .hint("write it as schema.table"));
        }
        _ => ObjectName::bare(&args.table),
    };
    Ok(Question { table, claim: Claim::NoTable })
}

/// The claim that a row is there.
fn row(loaded: &LoadedSnapshot, at: &RowAt<'_>, large_by_hash: bool) -> Result<Claim, CliError> {
    if loaded.snapshot.is_hash_only {
        let message = format!("snapshot {} stored no values", loaded.id.short());
        return Err(CliError::new(Exit::Incomplete, message)
            .hint("it can prove that a row is not there, and no row's values"));
    }
    let mut preimage = Vec::new();
    at.chunk.write_preimage(at.row, &mut preimage)?;
    let mut by_hash = Vec::new();
    let plan = at.chunk.plan();
    for (index, name) in plan.column_names().iter().enumerate() {
        let may_be = large_by_hash && !plan.layout().is_key_column(index);
        if may_be && matches!(at.chunk.value(at.row, index)?, CellValue::Apart(_)) {
            by_hash.push(name.clone());
        }
    }
    Ok(Claim::Row { preimage, by_hash })
}

/// The one row that has these values: every row of the table is looked at.
fn row_where(
    reader: &Reader,
    loaded: &LoadedSnapshot,
    table: &StoredTable,
    args: &ProveArgs,
) -> Result<Claim, CliError> {
    let conditions = conditions(table, &args.conditions)?;
    let mut found: Option<Vec<u8>> = None;
    let mut is_several = false;
    diff::rows_of::<Value>(reader, table, &mut |row| {
        if conditions.iter().all(|(place, meant)| meant.contains(&row.values[*place])) {
            is_several = found.is_some();
            found = Some(row.key);
        }
        Ok(if is_several { Flow::Stop } else { Flow::Continue })
    })?;
    let key = match found {
        Some(_) if is_several => {
            let message = format!("more than one row of {} has these values", args.table);
            return Err(CliError::usage(message).hint("name more columns"));
        }
        Some(key) => key,
        None => {
            let message = format!("no row of {} has these values", args.table);
            return Err(CliError::new(Exit::Different, message)
                .hint("only a key can be proved to be missing"));
        }
    };
    let tree = row_key::tree(reader, loaded, table)?;
    let at = tree.find(&key)?.ok_or_else(|| {
        CliError::new(Exit::CouldNot, "a row that was read is not found by its key")
    })?;
    row(loaded, &at, args.large_by_hash)
}

/// Each condition as the place of its column and what its value can mean.
fn conditions(table: &StoredTable, words: &[String]) -> Result<Vec<(usize, Vec<Value>)>, CliError> {
    let condition = |word: &String| {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| CliError::usage(format!("`{word}`: write it as COLUMN=VALUE")))?;
        let place = table.spec.place(name).ok_or_else(|| {
            CliError::usage(format!("table {} has no column `{name}`", table.spec.name))
        })?;
        Ok((place, meanings(value)))
    };
    words.iter().map(condition).collect()
}

/// Checks a proof.
pub fn check(
    context: &Context,
    args: &CheckProofArgs,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    let trusted = args.id.as_deref().map(trusted).transpose()?;
    let content = read(args)?;
    let verdict = verdict(context, &content, trusted)?;
    match verdict {
        Ok(proved) => {
            let is_known = trusted.is_some();
            if context.global.json {
                writeln!(out, "{}", proved_json(&proved, is_known))?;
            } else {
                print_proved(out, &proved, is_known)?;
            }
            Ok(if is_known { Exit::Done } else { Exit::Incomplete })
        }
        Err(why) => {
            if context.global.json {
                writeln!(out, "{}", json!({"outcome": "rejected", "why": why}))?;
            } else {
                writeln!(out, "rejected: {}", visible(&why))?;
            }
            Ok(Exit::Different)
        }
    }
}

fn trusted(text: &str) -> Result<ObjectId, CliError> {
    text.to_ascii_lowercase().parse().map_err(|_| {
        CliError::usage(format!("`{text}` is no whole id"))
            .hint("`deepdiff-db show SNAPSHOT` prints all 64 digits of it")
    })
}

fn read(args: &CheckProofArgs) -> Result<Vec<u8>, CliError> {
    let content = if args.file.as_os_str() == "-" {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut content).map(|_| content)
    } else {
        std::fs::read(&args.file)
    };
    content.map_err(|error| {
        let message = format!("cannot read the proof {}", args.file.display());
        CliError::because(Exit::CouldNot, message, error)
    })
}

/// What was proved, or why nothing was.
fn verdict(
    context: &Context,
    content: &[u8],
    trusted: Option<ObjectId>,
) -> Result<Result<Proved, String>, CliError> {
    let Ok(text) = std::str::from_utf8(content) else {
        return Ok(Err("not a proof: not UTF-8".to_owned()));
    };
    let proof = match Proof::parse(text) {
        Ok(proof) => proof,
        Err(error) => return Ok(Err(said(error))),
    };
    let hasher = if proof.is_keyed {
        let Some(key) = context.hash_key()? else {
            return Err(CliError::usage("the proof is of a keyed store: its ids depend on a key")
                .hint("give the store's key with --hash-key-file FILE"));
        };
        key.hasher(proof.hash)
    } else {
        Hasher::new(proof.hash)
    };
    if trusted.is_some_and(|id| id != proof.snapshot.0) {
        return Ok(Err(format!("it is about another snapshot, {}", proof.snapshot)));
    }
    Ok(proof.check(&hasher).map_err(said))
}

/// An error with its causes, on one line.
fn said(error: ProofError) -> String {
    CliError::because(Exit::Different, error.to_string(), error).chain().join(": ")
}

fn word(finding: &Finding) -> &'static str {
    match finding {
        Finding::Row { .. } => "row",
        Finding::NoRow { .. } => "no-row",
        Finding::NoTable => "no-table",
    }
}

fn proved_json(proved: &Proved, is_known: bool) -> Json {
    let snapshot = &proved.loaded.snapshot;
    let count = match &proved.finding {
        Finding::Row { count, .. } => *count,
        Finding::NoRow { .. } | Finding::NoTable => 0,
    };
    json!({
        "outcome": if is_known { "proved" } else { "unchecked" },
        "finding": word(&proved.finding),
        "snapshot": proved.loaded.id.to_string(),
        "state": snapshot.state.to_string(),
        "source": snapshot.source.label,
        "server": snapshot.source.server,
        "read_at": snapshot.read_at,
        "guarantee": snapshot.guarantee.as_str(),
        "author": snapshot.author,
        "message": snapshot.message,
        "table": proved.name.to_string(),
        "key": proved.key_names(),
        "row": proved.row(),
        "count": count,
        "no_row_with": proved.keys(),
        "not_captured": doubts(proved).into_iter().map(crate::report::json::not_captured)
            .collect::<Vec<_>>(),
    })
}

fn print_proved(out: &mut dyn Write, proved: &Proved, is_known: bool) -> Result<(), CliError> {
    let (id, snapshot) = (proved.loaded.id, &proved.loaded.snapshot);
    let name = visible(&proved.name.to_string());
    let verb = if is_known { "proved" } else { "leads to an id that was not checked" };
    match &proved.finding {
        Finding::Row { values, count } => {
            let times = if *count == 1 { String::new() } else { format!(", {count} times") };
            writeln!(out, "{verb}: this row is in {name}{times}")?;
            let columns = proved.table.as_ref().map_or(&[][..], |table| &table.spec.columns);
            for (column, value) in columns.iter().zip(values) {
                let text = match (&value.value, value.apart) {
                    (Some(value), _) => to_text(value),
                    (None, Some(apart)) => {
                        format!("({}, by its hash {})", bytes(apart.len), apart.id)
                    }
                    (None, None) => String::new(),
                };
                writeln!(out, "  {} = {text}", visible(&column.name))?;
            }
        }
        Finding::NoRow { keys } => {
            let names = proved.key_names();
            let key = |values: &Vec<Value>| {
                let cells = names.iter().zip(values);
                let cells = cells.map(|(name, v)| format!("{}={}", visible(name), to_text(v)));
                cells.collect::<Vec<_>>().join("  ")
            };
            let keys: Vec<String> = keys.iter().map(key).collect();
            writeln!(out, "{verb}: {name} has no row with {}", keys.join(", or "))?;
        }
        Finding::NoTable => writeln!(out, "{verb}: there is no table {name}")?,
    }
    writeln!(out, "snapshot  {id}")?;
    writeln!(
        out,
        "source    {} ({})",
        visible(&snapshot.source.label),
        visible(&snapshot.source.server)
    )?;
    for (start, end) in &snapshot.read_at {
        writeln!(out, "read      {} to {}", shown(*start), shown(*end))?;
    }
    for item in doubts(proved) {
        let (name, reason) = (visible(&item.name), visible(&item.reason));
        writeln!(out, "note: the snapshot does not have {} {name}: {reason}", visible(&item.kind))?;
    }
    if !is_known {
        writeln!(
            out,
            "hint: with --id ID, an id that you have from elsewhere, it would be proved"
        )?;
    }
    Ok(())
}

/// What the snapshot left out that what is missing could have been in.
fn doubts(proved: &Proved) -> Vec<&NotCaptured> {
    let items = proved.loaded.snapshot.not_captured.iter();
    let name = proved.name.to_string();
    let is_about = |item: &&NotCaptured| match &proved.finding {
        Finding::Row { .. } => false,
        Finding::NoRow { .. } => item.name == name,
        Finding::NoTable => {
            item.name == name
                || matches!(item.kind.as_str(), "table" | "schema") && item.name == "*"
                || item.kind == "schema" && item.name == proved.name.schema
        }
    };
    items.filter(is_about).collect()
}
