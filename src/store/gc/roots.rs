//! What keeps objects alive, in the order it is marked: names, checkpoints, recent log entries.

use std::collections::HashSet;
use std::time::Duration;

use super::GcOptions;
use super::keep::Retained;
use crate::codec::Kind;
use crate::model::SnapshotId;
use crate::store::log::LogFile;
use crate::store::mark::Strictness;
use crate::store::resume::RootObject;
use crate::store::{Moment, Store, StoreError};

/// Something that keeps an object and all below it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Root {
    pub(in crate::store) name: String,
    pub(in crate::store) object: RootObject,
    pub(in crate::store) strictness: Strictness,
}

fn snapshot(id: SnapshotId) -> RootObject {
    RootObject { kind: Kind::Snapshot, id: id.0 }
}

/// Every root of a store, and what the rules say of the snapshots that refs have named. Log entries
/// count from `log_since` on; those of refs, where there are rules, as these say. What is held outside
/// of the store as well need not be in it.
pub(super) fn roots(
    store: &Store,
    log_since: Moment,
    options: &GcOptions,
    is_there: &dyn Fn(SnapshotId) -> bool,
) -> Result<(Vec<Root>, Vec<Retained>), StoreError> {
    let mut roots = Vec::new();
    let mut retained = Vec::new();
    let mut required = |name: String, object: RootObject| {
        roots.push(Root { name, object, strictness: Strictness::Required });
    };
    for (name, id) in store.references()? {
        required(format!("ref {name}"), snapshot(id));
    }
    for (name, id) in store.tags()? {
        required(format!("tag {name}"), snapshot(id));
    }
    for name in store.checkpoints()? {
        // One that was removed since the listing keeps nothing.
        let Some(checkpoint) = store.checkpoint(&name)? else { continue };
        for root in checkpoint.roots {
            required(format!("checkpoint {name}"), root);
        }
    }
    let mut ruled = HashSet::new();
    if let Some(rules) = &options.keep {
        for (name, head) in store.references()? {
            retained.extend(rules.apply(&name, head, &store.log(&name)?, is_there));
            ruled.insert(name.file_name());
        }
        let also: HashSet<SnapshotId> = options.also.iter().map(|(_, id)| *id).collect();
        for kept in retained.iter_mut().filter(|retained| also.contains(&retained.snapshot)) {
            kept.rules.push("in-git");
        }
        for kept in retained.iter().filter(|retained| !retained.rules.is_empty()) {
            let name = format!("rules for {}", kept.reference);
            let (object, strictness) = (snapshot(kept.snapshot), Strictness::Tolerated);
            roots.push(Root { name, object, strictness });
        }
    }
    for (name, id) in &options.also {
        let (object, strictness) = (snapshot(*id), Strictness::Tolerated);
        roots.push(Root { name: name.clone(), object, strictness });
    }
    roots.extend(logged(store, log_since, &ruled)?);
    Ok((roots, retained))
}

/// The snapshots that recent log entries name, each once; not those in the logs of refs that rules
/// are for.
fn logged(store: &Store, since: Moment, ruled: &HashSet<String>) -> Result<Vec<Root>, StoreError> {
    let mut seen = HashSet::new();
    let mut roots = Vec::new();
    let mut entries: Vec<_> = store.fs.list_if_there(&store.layout.log())?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries.into_iter().filter(|entry| !ruled.contains(&entry.name)) {
        let path = store.layout.log().join(&entry.name);
        let log = LogFile::read(store.fs.as_ref(), &path)?.into_entries(&path)?;
        for moved in log.iter().filter(|moved| moved.when >= since) {
            for id in moved.old.into_iter().chain(moved.new) {
                if seen.insert(id) {
                    let name = format!("log of {}", entry.name.replace("%2F", "/"));
                    let (object, strictness) = (snapshot(id), Strictness::Tolerated);
                    roots.push(Root { name, object, strictness });
                }
            }
        }
    }
    Ok(roots)
}

/// The moment this long before another one.
pub(in crate::store) fn before(now: Moment, age: Duration) -> Moment {
    Moment(now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
}
