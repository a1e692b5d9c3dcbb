//! `log`: snapshots, newest first.

use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::io::Write;

use serde_json::{Value as Json, json};

use super::args::LogArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::revision::shown;
use crate::diff::LoadedSnapshot;
use crate::model::SnapshotId;
use crate::report::value::visible;
use crate::store::Reader;

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
    let mut list = Vec::new();
    let mut printed = 0;
    while let Some(entry) = walk.next()? {
        if args.limit.is_some_and(|limit| printed >= limit) {
            break;
        }
        printed += 1;
        let none = Vec::new();
        let names = names.get(&entry.id).unwrap_or(&none);
        if context.global.json {
            list.push(as_json(&entry, names));
        } else {
            print(out, &entry, names)?;
        }
    }
    if context.global.json {
        writeln!(out, "{}", json!({ "snapshots": list }))?;
    } else if printed == 0 && args.limit != Some(0) {
        writeln!(out, "no snapshots yet")?;
    }
    Ok(Exit::Done)
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

fn read_at(loaded: &LoadedSnapshot) -> i64 {
    loaded.snapshot.read_at.first().map_or(0, |(start, _)| *start)
}

fn print(out: &mut dyn Write, loaded: &LoadedSnapshot, names: &[String]) -> Result<(), CliError> {
    let snapshot = &loaded.snapshot;
    let named = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    writeln!(out, "snapshot {}{named}", loaded.id.short())?;
    writeln!(out, "  read    {} by {}", shown(read_at(loaded)), snapshot.author)?;
    writeln!(out, "  source  {}", snapshot.source.label)?;
    writeln!(out, "  state   {} ({})", snapshot.state.short(), snapshot.guarantee.as_str())?;
    if !snapshot.message.is_empty() {
        writeln!(out, "  {}", visible(&snapshot.message))?;
    }
    Ok(())
}

fn as_json(loaded: &LoadedSnapshot, names: &[String]) -> Json {
    let snapshot = &loaded.snapshot;
    json!({
        "snapshot": loaded.id.to_string(),
        "state": snapshot.state.to_string(),
        "names": names,
        "source": snapshot.source.label,
        "read_at": snapshot.read_at,
        "guarantee": snapshot.guarantee.as_str(),
        "author": snapshot.author,
        "message": snapshot.message,
        "parents": snapshot.parents.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
