//! Tombstones of condemned object files and marks of damaged objects.
//!
//! `condemned/<file>` says since when an object file awaits its removal: readers still read it,
//! writers no longer rely on it. `damaged/<object>` lists the files whose copy of an object was
//! found bad: writers write the object anew, and with that the store heals.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::layout::{FileId, Layout};
use super::log::Moment;
use super::{StoreError, record};
use crate::fsio::{FileSystem, FsError, OnExisting, write_atomically};
use crate::model::ObjectId;

const MAX_MARK_LEN: u64 = 1 << 20;

/// The files with a tombstone, whatever stands on it.
pub(super) fn condemned(
    fs: &dyn FileSystem,
    layout: &Layout,
) -> Result<HashSet<FileId>, StoreError> {
    let entries = fs.list_if_there(&layout.condemned())?;
    Ok(entries.iter().filter_map(|entry| FileId::parse(&entry.name)).collect())
}

/// Since when a file is condemned.
pub(super) fn condemned_since(
    fs: &dyn FileSystem,
    layout: &Layout,
    file: &FileId,
) -> Result<Moment, StoreError> {
    let path = layout.tombstone(file);
    let bytes = fs.read(&path, MAX_MARK_LEN)?;
    let since = record::open_text(&bytes).and_then(|body| {
        let time = body.strip_prefix("since ").and_then(|rest| rest.strip_suffix('\n'));
        time.and_then(|time| time.parse().ok()).map(Moment).ok_or("it is malformed".to_owned())
    });
    since.map_err(|why| StoreError::Damaged { path, why })
}

pub(super) fn condemn(
    fs: &dyn FileSystem,
    layout: &Layout,
    file: &FileId,
    now: Moment,
) -> Result<(), FsError> {
    let bytes = record::seal(format!("since {}\n", now.0).into_bytes());
    write_atomically(fs, &layout.tmp(), &layout.tombstone(file), &bytes, OnExisting::Replace)
}

/// The objects marked as damaged, with the files whose copy is bad; no file where the mark itself
/// cannot be read.
pub(super) fn damaged(
    fs: &dyn FileSystem,
    layout: &Layout,
) -> Result<HashMap<ObjectId, HashSet<FileId>>, StoreError> {
    let mut found = HashMap::new();
    for entry in fs.list_if_there(&layout.damaged())? {
        let Ok(id) = entry.name.parse::<ObjectId>() else { continue };
        let files = match read_damage(fs, &layout.damage_mark(&id)) {
            Err(StoreError::Fs(error)) if error.is_not_found() => continue,
            Err(StoreError::Damaged { .. }) => HashSet::new(),
            result => result?,
        };
        found.insert(id, files);
    }
    Ok(found)
}

pub(super) fn read_damage(fs: &dyn FileSystem, path: &Path) -> Result<HashSet<FileId>, StoreError> {
    let bytes = fs.read(path, MAX_MARK_LEN)?;
    let parsed = record::open_text(&bytes).and_then(|body| {
        let file = |line: &str| line.strip_prefix("file ").and_then(FileId::parse);
        body.lines().map(file).collect::<Option<_>>().ok_or("it is malformed".to_owned())
    });
    parsed.map_err(|why| StoreError::Damaged { path: path.to_owned(), why })
}

/// Marks the copies of an object in these files as bad.
pub(super) fn mark_damaged(
    fs: &dyn FileSystem,
    layout: &Layout,
    id: &ObjectId,
    files: &BTreeSet<FileId>,
) -> Result<(), FsError> {
    let body: String = files.iter().map(|file| format!("file {file}\n")).collect();
    let bytes = record::seal(body.into_bytes());
    write_atomically(fs, &layout.tmp(), &layout.damage_mark(id), &bytes, OnExisting::Replace)
}
