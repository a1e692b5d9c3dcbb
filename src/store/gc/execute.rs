//! Executing a plan, under the lock it was made under.
//!
//! Copies first, then pardons, then tombstones, then removals: at every moment each live object
//! has a visible copy. A file's index entries go before the file, its tombstone last, so that a
//! removal that was interrupted is never mistaken for finished work and is taken up again.

use std::collections::HashSet;
use std::sync::Arc;

use super::plan::Marked;
use super::{Action, PlannedFile};
use crate::store::lock::StoreLock;
use crate::store::view::{Location, View};
use crate::store::{FileId, Moment, Store, StoreError, marks};

pub(super) fn execute(
    store: &Store,
    lock: &StoreLock,
    marked: &Marked<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let planned = |action: Action| -> Vec<&PlannedFile> {
        marked.plan.with(move |other| other == action).collect()
    };
    let (fs, layout) = (store.fs.as_ref(), &store.layout);
    let emptied = planned(Action::CopyOut);
    copy_out(store, marked, &emptied)?;
    for file in planned(Action::Pardon) {
        fs.remove_file(&layout.tombstone(&file.file))?;
        fs.sync_dir(&layout.condemned())?;
    }
    let removed = planned(Action::Remove);
    // Removals get a tombstone too where they have none: it marks the file until it is gone.
    let to_condemn = planned(Action::Condemn)
        .into_iter()
        .chain(emptied)
        .chain(removed.iter().copied().filter(|file| !marked.view.condemned.contains(&file.file)));
    for file in to_condemn {
        marks::condemn(fs, layout, &file.file, now)?;
    }
    let removed: HashSet<FileId> = removed.iter().map(|file| file.file).collect();
    remove(store, lock, &removed)?;
    forget_orphans(store)?;
    store.forget_signatures(lock)?;
    store.merge_indexes(lock)
}

/// Removes tombstones of files that an interrupted removal has removed.
fn forget_orphans(store: &Store) -> Result<(), StoreError> {
    let view = View::load(store.fs.as_ref(), &store.layout, None)?;
    for file in view.condemned.iter().filter(|file| !view.files.contains_key(file)) {
        store.fs.remove_file(&store.layout.tombstone(file))?;
    }
    Ok(())
}

/// Copies the live objects of files that will be condemned into a new file.
fn copy_out(
    store: &Store,
    marked: &Marked<'_>,
    emptied: &[&PlannedFile],
) -> Result<(), StoreError> {
    if emptied.is_empty() {
        return Ok(());
    }
    let emptied: HashSet<FileId> = emptied.iter().map(|file| file.file).collect();
    let writer = store.writer_for_keeping()?;
    let view = &marked.view;
    let mut live = Vec::new();
    for (number, loaded) in view.loaded.iter().enumerate() {
        for position in 0..loaded.index.len() {
            let place = loaded.index.place_at(position);
            let file = usize::try_from(place.file).ok().and_then(|n| loaded.files.get(n));
            let Some(Some(file)) = file else { continue };
            if marked.marker.is_live((number, position)) && emptied.contains(&file.id) {
                live.push((file.id, place.offset, number, position));
            }
        }
    }
    // In the order they were written: what was read together stays together.
    live.sort_unstable();
    for (file, _, number, position) in live {
        let index = &view.loaded[number].index;
        let (entry, place) = ((number, position), index.place_at(position));
        let location = Location { entry, place, file: &view.files[&file] };
        writer.copy_out(view, index.id_at(position), &location)?;
    }
    writer.seal()
}

/// Removes object files: first from the indexes, then the data, then the tombstones.
fn remove(store: &Store, lock: &StoreLock, removed: &HashSet<FileId>) -> Result<(), StoreError> {
    if removed.is_empty() {
        return Ok(());
    }
    let (fs, layout) = (store.fs.as_ref(), &store.layout);
    let view = View::load(fs, layout, None)?;
    let affected: Vec<Arc<_>> = view
        .loaded
        .iter()
        .map(|loaded| loaded.index.clone())
        .filter(|index| index.files.iter().any(|file| removed.contains(&file.id)))
        .collect();
    for index in &affected {
        index
            .check_hash()
            .map_err(|why| StoreError::Damaged { path: layout.index(&index.id), why })?;
    }
    if !affected.is_empty() {
        let stays = |file: &FileId| view.files.contains_key(file) && !removed.contains(file);
        store.replace_indexes(lock, &affected, &stays)?;
        fs.sync_dir(&layout.objects())?;
    }
    for file in removed {
        fs.remove_file(&layout.object_file(file))?;
    }
    fs.sync_dir(&layout.objects())?;
    for file in removed {
        fs.remove_file(&layout.tombstone(file))?;
    }
    fs.sync_dir(&layout.condemned())?;
    forget_marks(store, &view, removed)
}

/// Removes marks of damaged objects whose bad copies are gone.
fn forget_marks(store: &Store, view: &View, removed: &HashSet<FileId>) -> Result<(), StoreError> {
    let is_gone = |file: &FileId| removed.contains(file) || !view.files.contains_key(file);
    let mut has_removed = false;
    for (id, files) in &view.damaged {
        if !files.is_empty() && files.iter().all(is_gone) {
            store.fs.remove_file(&store.layout.damage_mark(id))?;
            has_removed = true;
        }
    }
    if has_removed { Ok(store.fs.sync_dir(&store.layout.damaged())?) } else { Ok(()) }
}
