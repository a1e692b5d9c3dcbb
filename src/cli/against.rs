//! `verify --against`: a snapshot held beside the live source it was taken of.
//!
//! Nothing that the store says of its rows is believed: every object of the snapshot is read, hashed
//! and checked as `verify --full` does, and the source is read anew into a store of its own, keys and
//! hashes only, which goes away at the end. The store itself is not written.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::args::VerifyArgs;
use super::context::{Context, NamedSource};
use super::diff::{UNTOLD, live};
use super::error::CliError;
use super::exit::Exit;
use super::row_key;
use super::scratch::Scratch;
use super::temporary::TemporaryFolder;
use crate::codec::{Hasher, Kind};
use crate::diff::{self, Access, Comparison, LoadedSnapshot, RowChange, RowCounts};
use crate::model::{Flow, ObjectId};
use crate::report::schema;
use crate::report::stat::plural;
use crate::report::value::visible;
use crate::store::{ObjectError, Objects, Reader, Store};
use crate::tree::error::describe_key;
use crate::tree::{CheckManner, StoreMode, check_tree_in};

/// What was found.
struct Found {
    snapshot: LoadedSnapshot,
    live: LoadedSnapshot,
    /// What is wrong in the store itself.
    damaged: Vec<String>,
    rows_checked: u64,
    comparison: Comparison,
    tables: Vec<TableFound>,
}

/// A table whose rows differ.
struct TableFound {
    name: String,
    counts: RowCounts,
    /// The first keys that differ, and the last one.
    keys: Vec<String>,
    last: Option<String>,
}

/// How many keys of a table are listed.
const LISTED: usize = 5;

/// Compares.
pub(super) fn run(
    context: &Context,
    args: &VerifyArgs,
    source: &str,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    let store = context.store()?;
    let reader = store.reader()?;
    let named = context.source(source)?;
    let text = match args.snapshots.as_slice() {
        [] => named.reference.as_ref().ok_or_else(|| {
            CliError::usage("against which snapshot?").hint("name it after the source")
        })?,
        [only] => only,
        _ => return Err(CliError::usage("--against compares one snapshot")),
    };
    let snapshot = context.snapshot(&reader, text)?;
    let folder = TemporaryFolder::create("against")?;
    let found = compare(context, &store, &reader, &named, snapshot, folder.path())?;
    drop(folder);
    if context.global.json {
        writeln!(out, "{}", as_json(&found))?;
    } else {
        print(out, &found, &named.label)?;
    }
    Ok(found.exit())
}

fn compare(
    context: &Context,
    store: &Store,
    reader: &Reader,
    named: &NamedSource,
    snapshot: LoadedSnapshot,
    folder: &Path,
) -> Result<Found, CliError> {
    let (damaged, rows_checked) = damage(reader, &snapshot)?;
    let (algorithm, key) = (store.hasher().algorithm(), context.hash_key()?);
    let beside =
        Store::init(Context::file_system(), &folder.join("store"), algorithm, key.as_ref())?;
    let beside_reader = beside.reader()?;
    // The source as it is now, under the rules of the snapshot.
    let scope = &snapshot.state.scope;
    let live = live(context, &beside, &beside_reader, named, scope, StoreMode::HashOnly)?;
    let objects = Both { stored: reader, live: &beside_reader };
    let scratch = Arc::new(Scratch::new(beside.file_system(), &beside.tmp_dir()));
    let access = Access { objects: &objects, scratch };
    let (comparison, tables) = match differences(&access, &snapshot, &live) {
        Ok(found) => found,
        // What is damaged cannot be compared, and is told of already.
        Err(error) if !damaged.is_empty() => {
            let incomplete = vec![format!("the comparison ended early: {error}")];
            (Comparison { schema: Vec::new(), tables: Vec::new(), incomplete }, Vec::new())
        }
        Err(error) => return Err(error),
    };
    Ok(Found { snapshot, live, damaged, rows_checked, comparison, tables })
}

/// What differs between the snapshot and the source, keys of rows included.
fn differences(
    access: &Access<'_>,
    snapshot: &LoadedSnapshot,
    live: &LoadedSnapshot,
) -> Result<(Comparison, Vec<TableFound>), CliError> {
    let mut comparison = diff::compare(access.objects, snapshot, live)?;
    let mut tables = Vec::new();
    for table in &comparison.tables {
        let name = table.name.to_string();
        let mut found =
            TableFound { name, counts: RowCounts::default(), keys: Vec::new(), last: None };
        diff::changes(access, table, &mut |change| {
            found.counts.add(&change);
            let (RowChange::Inserted(row)
            | RowChange::Deleted(row)
            | RowChange::Updated { before: row, .. }) = &change;
            let key = describe_key(&row.key);
            if found.keys.len() < LISTED {
                found.keys.push(key);
            } else {
                found.last = Some(key);
            }
            Ok(Flow::Continue)
        })?;
        if found.counts != RowCounts::default() {
            tables.push(found);
        }
    }
    if tables.is_empty() && comparison.schema.is_empty() && !comparison.tables.is_empty() {
        comparison.incomplete.push(UNTOLD.to_owned());
    }
    Ok((comparison, tables))
}

/// Reads all that the snapshot has in the store, and says what is wrong with it.
fn damage(reader: &Reader, snapshot: &LoadedSnapshot) -> Result<(Vec<String>, u64), CliError> {
    let mut damaged = Vec::new();
    let mut rows = 0u64;
    let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let manner = CheckManner { jobs, ..CheckManner::default() };
    for table in snapshot.tables(reader)? {
        let tree = row_key::tree(reader, snapshot, &table)?;
        let checked = check_tree_in(&tree, &manner, &mut |problem| {
            damaged.push(problem.to_string());
        })?;
        rows = rows.saturating_add(checked.rows);
    }
    Ok((damaged, rows))
}

/// The objects of the store, and of what was read now. Equal ids are equal objects.
struct Both<'a> {
    stored: &'a Reader,
    live: &'a Reader,
}

impl Objects for Both<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        match self.live.get(kind, id) {
            Err(ObjectError::Missing { .. }) => self.stored.get(kind, id),
            found => found,
        }
    }

    fn hasher(&self) -> &Hasher {
        Objects::hasher(self.stored)
    }
}

impl Found {
    fn is_different(&self) -> bool {
        !self.tables.is_empty() || !self.comparison.schema.is_empty()
    }

    fn exit(&self) -> Exit {
        match (self.is_different() || !self.damaged.is_empty(), &self.comparison.incomplete) {
            (true, _) => Exit::Different,
            (false, incomplete) if !incomplete.is_empty() => Exit::Incomplete,
            (false, _) => Exit::Done,
        }
    }

    fn word(&self) -> &'static str {
        match self.exit() {
            Exit::Done => "equal",
            Exit::Incomplete => "incomplete",
            _ if self.damaged.is_empty() => "different",
            _ => "damaged",
        }
    }
}

fn as_json(found: &Found) -> Json {
    let tables: Vec<Json> = found.tables.iter().map(table_json).collect();
    json!({
        "outcome": found.word(),
        "snapshot": found.snapshot.id.to_string(),
        "state": found.snapshot.snapshot.state.to_string(),
        "live_state": found.live.snapshot.state.to_string(),
        "rows_checked": found.rows_checked,
        "damaged": found.damaged,
        "schema": found.comparison.schema.iter().map(schema::to_json).collect::<Vec<_>>(),
        "tables": tables,
        "incomplete": found.comparison.incomplete,
    })
}

fn table_json(table: &TableFound) -> Json {
    let RowCounts { inserted, deleted, updated } = table.counts;
    json!({
        "name": table.name,
        "inserted": inserted,
        "deleted": deleted,
        "updated": updated,
        "keys": table.keys,
        "last": table.last.as_ref().or(table.keys.last()),
    })
}

fn print(out: &mut dyn Write, found: &Found, source: &str) -> Result<(), CliError> {
    let rows = plural(found.rows_checked, "row");
    let id = found.snapshot.id.short();
    writeln!(out, "{}: snapshot {id} beside {}, {rows} checked", found.word(), visible(source))?;
    for problem in &found.damaged {
        writeln!(out, "  in the store: {}", visible(problem))?;
    }
    for group in schema::grouped(&found.comparison.schema) {
        writeln!(out, "  {}", group.headline())?;
    }
    for table in &found.tables {
        let RowCounts { inserted, deleted, updated } = table.counts;
        let name = visible(&table.name);
        writeln!(out, "  {name}: {inserted} only there, {deleted} only here, {updated} other")?;
        let keys: Vec<String> = table.keys.iter().map(|key| visible(key)).collect();
        let last = table.last.as_ref().map_or_else(String::new, |l| format!(" … {}", visible(l)));
        writeln!(out, "    {}{last}", keys.join(" "))?;
    }
    for reason in &found.comparison.incomplete {
        writeln!(out, "  incomplete: {}", visible(reason))?;
    }
    Ok(())
}
