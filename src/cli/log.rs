//! `log`: snapshots, newest first.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::io::Write;

use serde_json::{Value as Json, json};

use super::args::LogArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::revision::shown;
use super::row_key::table_named;
use crate::codec::state::StoredTable;
use crate::diff::LoadedSnapshot;
use crate::diff::history::table_id;
use crate::model::{ObjectId, ObjectName, SnapshotId};
use crate::report::stat::plural;
use crate::report::value::visible;
use crate::store::Reader;
use crate::tree::state::load_table;

/// Prints the snapshots that can be reached from a name, or from all of them.
pub fn run(context: &Context, args: &LogArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let reader = store.reader()?;
    let names = names(&reader)?;
    let heads: Vec<SnapshotId> = match &args.snapshot {
        Some(text) => vec![context.snapshot(&reader, text)?.id],
        None => names.keys().copied().collect(),
    };
    let mut walk = Walk { reader: &reader, seen: HashSet::new(), heap: BinaryHeap::new() };
    for head in heads {
        walk.add(head)?;
    }
    let mut changes = args.table.as_deref().map(|table| TableChanges::new(&reader, table));
    let mut list = Vec::new();
    let mut printed = 0;
    while let Some(entry) = walk.next()? {
        if args.limit.is_some_and(|limit| printed >= limit) {
            break;
        }
        let change = match &mut changes {
            None => None,
            Some(changes) => match changes.of(&entry)? {
                Some(change) => Some(change),
                None => continue,
            },
        };
        printed += 1;
        let none = Vec::new();
        let names = names.get(&entry.id).unwrap_or(&none);
        if context.global.json {
            list.push(as_json(&entry, names, change.as_ref()));
        } else {
            print(out, &entry, names, change.as_ref())?;
        }
    }
    if context.global.json {
        writeln!(out, "{}", json!({ "snapshots": list }))?;
    } else if printed == 0 && args.limit != Some(0) && args.table.is_none() {
        writeln!(out, "no snapshots yet")?;
    }
    match changes {
        Some(changes) if changes.is_unknown() => {
            let message = format!("no snapshot has a table `{}`", changes.text);
            Err(CliError::usage(message).hint("`deepdiff-db ls SNAPSHOT` lists the tables of one"))
        }
        _ => Ok(Exit::Done),
    }
}

/// What names each snapshot.
fn names(reader: &Reader) -> Result<BTreeMap<SnapshotId, Vec<String>>, CliError> {
    let mut names: BTreeMap<SnapshotId, Vec<String>> = BTreeMap::new();
    for (name, id) in reader.store().references()? {
        names.entry(id).or_default().push(name.as_str().to_owned());
    }
    for (name, id) in reader.store().tags()? {
        names.entry(id).or_default().push(format!("tag {}", name.as_str()));
    }
    Ok(names)
}

/// Walks from snapshots to their parents, always the newest first.
struct Walk<'a> {
    reader: &'a Reader,
    seen: HashSet<SnapshotId>,
    heap: BinaryHeap<(i64, SnapshotId)>,
}

impl Walk<'_> {
    fn add(&mut self, id: SnapshotId) -> Result<(), CliError> {
        // A parent that retention removed is no damage: the walk ends there.
        if self.seen.insert(id) && self.reader.has(&id.0)? {
            let loaded = LoadedSnapshot::load(self.reader, id)?;
            self.heap.push((read_at(&loaded), id));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<LoadedSnapshot>, CliError> {
        let Some((_, id)) = self.heap.pop() else { return Ok(None) };
        let loaded = LoadedSnapshot::load(self.reader, id)?;
        for parent in &loaded.snapshot.parents {
            self.add(*parent)?;
        }
        Ok(Some(loaded))
    }
}

/// How a table differs from what it was in the snapshot before.
struct TableChange {
    name: ObjectName,
    before: Option<StoredTable>,
    after: Option<StoredTable>,
    /// Whether the snapshot before is there to compare with.
    has_before: bool,
}

impl TableChange {
    fn columns_differ(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => before.spec != after.spec,
            _ => false,
        }
    }

    fn words(&self) -> String {
        let rows = |table: &StoredTable| plural(table.rows.rows, "row");
        let columns = if self.columns_differ() { ", other columns or another key" } else { "" };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("{} → {}{columns}", rows(before), rows(after)),
            (None, Some(after)) if self.has_before => format!("new, {}", rows(after)),
            (None, Some(after)) => rows(after),
            (Some(before), None) => format!("gone, {} before", rows(before)),
            (None, None) => String::new(),
        }
    }
}

/// Tells in which snapshots a table changed. A table is looked up once for each list of tables.
struct TableChanges<'a> {
    reader: &'a Reader,
    text: &'a str,
    name: Option<ObjectName>,
    known: HashMap<Option<ObjectId>, Option<ObjectId>>,
}

impl<'a> TableChanges<'a> {
    fn new(reader: &'a Reader, text: &'a str) -> Self {
        TableChanges { reader, text, name: None, known: HashMap::new() }
    }

    fn is_unknown(&self) -> bool {
        self.name.is_none()
    }

    /// How the table changed in this snapshot; `None` where it did not.
    fn of(&mut self, loaded: &LoadedSnapshot) -> Result<Option<TableChange>, CliError> {
        let after = self.table(loaded)?;
        let parent = loaded.snapshot.parents.first();
        let parent = match parent {
            Some(id) if self.reader.has(&id.0)? => Some(LoadedSnapshot::load(self.reader, *id)?),
            _ => None,
        };
        let has_before = parent.is_some();
        let before = parent.map(|parent| self.table(&parent)).transpose()?.flatten();
        let Some(name) = self.name.clone().filter(|_| before != after) else { return Ok(None) };
        let load = |id: Option<ObjectId>| id.map(|id| load_table(self.reader, &id)).transpose();
        let (before, after) = (load(before)?, load(after)?);
        Ok(Some(TableChange { name, before, after, has_before }))
    }

    fn table(&mut self, loaded: &LoadedSnapshot) -> Result<Option<ObjectId>, CliError> {
        if self.name.is_none() {
            let names = loaded.table_ids(self.reader)?.into_iter().map(|(name, _)| name).collect();
            self.name = table_named(&names, self.text)?;
        }
        let Some(name) = &self.name else { return Ok(None) };
        let tables = loaded.state.tables.id;
        if let Some(known) = self.known.get(&tables) {
            return Ok(*known);
        }
        let found = table_id(self.reader, loaded, name)?;
        self.known.insert(tables, found);
        Ok(found)
    }
}

fn read_at(loaded: &LoadedSnapshot) -> i64 {
    loaded.snapshot.read_at.first().map_or(0, |(start, _)| *start)
}

fn print(
    out: &mut dyn Write,
    loaded: &LoadedSnapshot,
    names: &[String],
    change: Option<&TableChange>,
) -> Result<(), CliError> {
    let snapshot = &loaded.snapshot;
    let named = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    writeln!(out, "snapshot {}{named}", loaded.id.short())?;
    writeln!(out, "  read    {} by {}", shown(read_at(loaded)), snapshot.author)?;
    writeln!(out, "  source  {}", snapshot.source.label)?;
    writeln!(out, "  state   {} ({})", snapshot.state.short(), snapshot.guarantee.as_str())?;
    if let Some(change) = change {
        writeln!(out, "  {}: {}", visible(&change.name.to_string()), change.words())?;
    }
    if !snapshot.message.is_empty() {
        writeln!(out, "  {}", visible(&snapshot.message))?;
    }
    Ok(())
}

fn as_json(loaded: &LoadedSnapshot, names: &[String], change: Option<&TableChange>) -> Json {
    let snapshot = &loaded.snapshot;
    let mut object = json!({
        "snapshot": loaded.id.to_string(),
        "state": snapshot.state.to_string(),
        "names": names,
        "source": snapshot.source.label,
        "read_at": snapshot.read_at,
        "guarantee": snapshot.guarantee.as_str(),
        "author": snapshot.author,
        "message": snapshot.message,
        "parents": snapshot.parents.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    if let Some(change) = change {
        let rows = |table: &Option<StoredTable>| table.as_ref().map(|table| table.rows.rows);
        object["table"] = json!({
            "name": change.name.to_string(),
            "rows": [rows(&change.before), rows(&change.after)],
            "shape_differs": change.columns_differ(),
        });
    }
    object
}
