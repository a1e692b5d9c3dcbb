//! Marking, and what follows from it for each object file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::roots::{before, roots};
use super::{Action, GcOptions, GcPlan, Keeper, PlannedFile};
use crate::codec::Kind;
use crate::model::SnapshotId;
use crate::store::mark::{Marker, has_references};
use crate::store::object_file::{FOOTER_LEN, HEADER_LEN};
use crate::store::view::{Access, View};
use crate::store::{FileId, Moment, Store, StoreError, marks};

/// A file shorter than this is small. Where there are many small files that are kept, they are
/// gathered into one.
const SMALL: u64 = 4 << 20;
const MANY: usize = 100;

/// A plan, and the marking it rests on.
pub(super) struct Marked<'s> {
    pub(super) plan: GcPlan,
    pub(super) view: Arc<View>,
    pub(super) marker: Marker<'s>,
}

/// What is alive in a file.
#[derive(Default, Clone, Copy)]
struct Live {
    objects: u64,
    bytes: u64,
}

pub(super) fn plan<'s>(
    store: &'s Store,
    options: &GcOptions,
    now: Moment,
) -> Result<Marked<'s>, StoreError> {
    let earlier = match options.keep {
        None => None,
        Some(_) => Some(View::load(store.fs.as_ref(), &store.layout, None)?),
    };
    let is_there = |id: SnapshotId| {
        earlier.as_ref().is_some_and(|view| view.locations(&id.0).next().is_some())
    };
    let since = before(now, options.log_age);
    let (roots, retained) = roots(store, since, options, &is_there)?;
    // What a name leads to was there before the name, so the names are read first.
    let view = Arc::new(View::load(store.fs.as_ref(), &store.layout, None)?);
    if let Some(broken) = view.broken.first() {
        let (path, why) = (broken.path.clone(), broken.why.clone());
        return Err(StoreError::Damaged { path, why });
    }
    let mut marker = Marker::new(store, view.clone(), Access::Positioned);
    let mut live: BTreeMap<FileId, Live> = BTreeMap::new();
    let mut plan = GcPlan { retained, ..GcPlan::default() };
    for root in roots {
        // The entries of one log follow each other, and are told together.
        let mut keeper = match plan.kept_by.pop_if(|keeper| keeper.name == root.name) {
            Some(keeper) => keeper,
            None => Keeper { name: root.name, entries: 0, objects: 0, bytes: 0 },
        };
        keeper.entries += 1;
        let name = keeper.name.clone();
        marker.mark(root.object, &name, root.strictness, &mut |_, location, is_first| {
            if is_first {
                let bytes = location.place.file_len();
                let file = live.entry(location.file.id).or_default();
                file.objects += 1;
                file.bytes += bytes;
                keeper.objects += 1;
                keeper.bytes += bytes;
            }
            Ok(())
        })?;
        plan.kept_by.push(keeper);
    }
    // Below an object that cannot be read there may be live ones that nobody knows of.
    if let Some(lost) = marker.missing().iter().find(|missing| has_references(missing.kind)) {
        let (root, id, why) = (lost.root.clone(), lost.id, lost.why.clone());
        return Err(StoreError::Incomplete { root, id, why });
    }
    plan.forgotten = forgotten(&view, &marker);
    plan.files = files(store, options, now, &view, &live)?;
    Ok(Marked { plan, view, marker })
}

fn files(
    store: &Store,
    options: &GcOptions,
    now: Moment,
    view: &View,
    live: &BTreeMap<FileId, Live>,
) -> Result<Vec<PlannedFile>, StoreError> {
    let mut files = Vec::new();
    let indexed = view.indexed_files();
    let is_lost = |file: &FileId| !indexed.contains(file) && !view.condemned.contains(file);
    for file in view.files.values() {
        let Some(info) = store.fs.info(&file.path)? else { continue };
        let alive = live.get(&file.id).copied().unwrap_or_default();
        files.push(PlannedFile {
            file: file.id,
            bytes: info.len,
            live_bytes: alive.bytes,
            live_objects: alive.objects,
            action: match action(store, options, now, view, file.id, info.len, alive)? {
                // Not adopted, so it is damaged or its owner lives. `repair` may save something.
                Action::Condemn | Action::Remove if is_lost(&file.id) => Action::Keep,
                action => action,
            },
        });
    }
    files.sort_by_key(|file| file.file);
    gather_small(store, &mut files)?;
    Ok(files)
}

fn action(
    store: &Store,
    options: &GcOptions,
    now: Moment,
    view: &View,
    file: FileId,
    len: u64,
    alive: Live,
) -> Result<Action, StoreError> {
    if view.condemned.contains(&file) {
        if alive.objects > 0 {
            return Ok(Action::Pardon);
        }
        let since = match marks::condemned_since(store.fs.as_ref(), &store.layout, &file) {
            // Nobody knows since when: the grace begins now, when the tombstone is written anew.
            Err(StoreError::Damaged { .. }) => return Ok(Action::Condemn),
            since => since?,
        };
        let is_over = since <= before(now, options.grace);
        return Ok(if is_over { Action::Remove } else { Action::Wait { since } });
    }
    // Header and footer do not count, or small files would be emptied again and again.
    let body = len.saturating_sub((HEADER_LEN + FOOTER_LEN) as u64);
    let is_sparse = alive.bytes.saturating_mul(100) < body.saturating_mul(options.sparse_below);
    if alive.objects > 0 && !is_sparse {
        return Ok(Action::Keep);
    }
    if store.own_abandoned(&store.layout.object_file(&file))?.is_none() {
        return Ok(Action::InUse);
    }
    Ok(if alive.objects > 0 {
        Action::CopyOut
    } else if options.grace.is_zero() {
        Action::Remove
    } else {
        Action::Condemn
    })
}

/// Where many small files are kept, empties them into one.
fn gather_small(store: &Store, files: &mut [PlannedFile]) -> Result<(), StoreError> {
    let is_small = |file: &PlannedFile| file.action == Action::Keep && file.bytes < SMALL;
    if files.iter().filter(|file| is_small(file)).count() <= MANY {
        return Ok(());
    }
    for file in files.iter_mut().filter(|file| is_small(file)) {
        if store.own_abandoned(&store.layout.object_file(&file.file))?.is_some() {
            file.action = Action::CopyOut;
        }
    }
    Ok(())
}

/// Snapshots that are listed and not alive.
fn forgotten(view: &View, marker: &Marker<'_>) -> Vec<SnapshotId> {
    let mut found = Vec::new();
    for loaded in &view.loaded {
        for position in 0..loaded.index.len() {
            if loaded.index.place_at(position).kind() != Some(Kind::Snapshot) {
                continue;
            }
            let id = loaded.index.id_at(position);
            let is_live = view.canonical(&id).is_none_or(|copy| marker.is_live(copy.entry));
            if !is_live {
                found.push(SnapshotId(id));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
