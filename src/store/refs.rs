//! Refs and tags: names for snapshots, one small file each.
//!
//! A ref moves by compare-and-swap under the lock of the store: the new file is synced, renamed
//! over the old one, and the directory synced; then the move is logged. A tag is created once and
//! not moved. A file holds 64 hexadecimal digits and a newline, nothing else.

use std::path::PathBuf;

use super::lock::StoreLock;
use super::log::{self, LogEntry, LogFile, Moment};
use super::{RefName, Store, StoreError};
use crate::codec::Kind;
use crate::fsio::{OnExisting, write_atomically};
use crate::model::{ObjectId, SnapshotId};

const REF_LEN: u64 = 65;

/// Where a ref must be before it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It must not exist.
    Absent,
    /// It must name this snapshot.
    At(SnapshotId),
    /// Anywhere.
    Anything,
}

/// A move of a ref.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// The ref.
    pub name: &'a RefName,
    /// Where it must be now.
    pub expected: Expected,
    /// Who moves it, for the log.
    pub who: &'a str,
    /// Why, for the log.
    pub message: &'a str,
    /// When, for the log.
    pub when: Moment,
}

/// Refs or tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Refs,
    Tags,
}

impl Space {
    pub(super) const BOTH: [Space; 2] = [Space::Refs, Space::Tags];

    pub(super) fn word(self) -> &'static str {
        match self {
            Space::Refs => "ref",
            Space::Tags => "tag",
        }
    }
}

/// The snapshot in a ref's file.
pub(super) fn parse_ref(bytes: &[u8]) -> Option<SnapshotId> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    text.parse::<ObjectId>().ok().map(SnapshotId)
}

impl Store {
    pub(super) fn space_dir(&self, space: Space) -> PathBuf {
        match space {
            Space::Refs => self.layout.refs(),
            Space::Tags => self.layout.tags(),
        }
    }

    pub(super) fn log_path(&self, space: Space, name: &RefName) -> PathBuf {
        // No name contains a colon, so the logs of tags are apart from those of refs.
        let file = match space {
            Space::Refs => name.file_name(),
            Space::Tags => format!("tag:{}", name.file_name()),
        };
        self.layout.log().join(file)
    }

    pub(super) fn read_name(
        &self,
        space: Space,
        name: &RefName,
    ) -> Result<Option<SnapshotId>, StoreError> {
        let path = self.space_dir(space).join(name.file_name());
        let bytes = match self.fs.read(&path, REF_LEN) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let why = "it is not an id of 64 hexadecimal digits and a newline".to_owned();
        parse_ref(&bytes).map(Some).ok_or(StoreError::Damaged { path, why })
    }

    pub(super) fn names(&self, space: Space) -> Result<Vec<RefName>, StoreError> {
        let entries = self.fs.list_if_there(&self.space_dir(space))?;
        let mut names: Vec<_> =
            entries.iter().filter_map(|entry| RefName::from_file_name(&entry.name)).collect();
        names.sort();
        Ok(names)
    }

    fn all_of(&self, space: Space) -> Result<Vec<(RefName, SnapshotId)>, StoreError> {
        let mut found = Vec::new();
        for name in self.names(space)? {
            // One that was deleted since the listing is not there.
            if let Some(id) = self.read_name(space, &name)? {
                found.push((name, id));
            }
        }
        Ok(found)
    }

    /// The snapshot a ref names, if there is such a ref.
    pub fn reference(&self, name: &RefName) -> Result<Option<SnapshotId>, StoreError> {
        self.read_name(Space::Refs, name)
    }

    /// All refs, by name.
    pub fn references(&self) -> Result<Vec<(RefName, SnapshotId)>, StoreError> {
        self.all_of(Space::Refs)
    }

    /// The snapshot a tag names, if there is such a tag.
    pub fn tag(&self, name: &RefName) -> Result<Option<SnapshotId>, StoreError> {
        self.read_name(Space::Tags, name)
    }

    /// All tags, by name.
    pub fn tags(&self) -> Result<Vec<(RefName, SnapshotId)>, StoreError> {
        self.all_of(Space::Tags)
    }

    /// Every move of a ref, the oldest first; also of one that was deleted.
    pub fn log(&self, name: &RefName) -> Result<Vec<LogEntry>, StoreError> {
        let path = self.log_path(Space::Refs, name);
        LogFile::read(self.fs.as_ref(), &path)?.into_entries(&path)
    }

    /// Lets a ref name a snapshot that the store holds.
    pub fn set_reference(&self, to: SnapshotId, how: &Move<'_>) -> Result<(), StoreError> {
        self.prepare_writing()?;
        let lock = self.lock()?;
        self.check_expected(Space::Refs, how)?;
        self.keep(&lock, to)?;
        self.swap(&lock, Space::Refs, Some(to), how)
    }

    /// Deletes a ref. Its log stays.
    pub fn delete_reference(&self, how: &Move<'_>) -> Result<(), StoreError> {
        self.delete(Space::Refs, how)
    }

    /// Creates a tag of a snapshot that the store holds; refused where the name is taken.
    pub fn create_tag(&self, to: SnapshotId, how: &Move<'_>) -> Result<(), StoreError> {
        self.move_tag(to, &Move { expected: Expected::Absent, ..*how })
    }

    /// Lets a tag name another snapshot that the store holds, in one step.
    pub fn move_tag(&self, to: SnapshotId, how: &Move<'_>) -> Result<(), StoreError> {
        self.prepare_writing()?;
        let lock = self.lock()?;
        self.check_expected(Space::Tags, how)?;
        self.keep(&lock, to)?;
        self.swap(&lock, Space::Tags, Some(to), how)
    }

    /// Deletes a tag. Its log stays.
    pub fn delete_tag(&self, how: &Move<'_>) -> Result<(), StoreError> {
        self.delete(Space::Tags, how)
    }

    fn delete(&self, space: Space, how: &Move<'_>) -> Result<(), StoreError> {
        self.prepare_writing()?;
        let lock = self.lock()?;
        let name = how.name.as_str().to_owned();
        // A damaged ref may be deleted too, by whoever does not say where it is.
        let path = self.space_dir(space).join(how.name.file_name());
        if self.fs.info(&path)?.is_none() {
            return Err(StoreError::NoSuchName { what: space.word(), name });
        }
        self.swap(&lock, space, None, how)
    }

    /// Whether a name is where it should be before it moves; gives where it is.
    pub(super) fn check_expected(
        &self,
        space: Space,
        how: &Move<'_>,
    ) -> Result<Option<SnapshotId>, StoreError> {
        let found = match (self.read_name(space, how.name), how.expected) {
            // Whoever moves it from anywhere may move it out of damage.
            (Err(StoreError::Damaged { .. }), Expected::Anything) => None,
            (result, _) => result?,
        };
        let expected = match how.expected {
            Expected::Anything => return Ok(found),
            Expected::Absent => None,
            Expected::At(id) => Some(id),
        };
        if found == expected {
            return Ok(found);
        }
        let (what, name) = (space.word(), how.name.as_str().to_owned());
        Err(StoreError::RefMoved { what, name, expected, found })
    }

    /// Moves, creates or deletes a name, and logs it. Nothing is checked but where it is.
    pub(super) fn swap(
        &self,
        _lock: &StoreLock,
        space: Space,
        to: Option<SnapshotId>,
        how: &Move<'_>,
    ) -> Result<(), StoreError> {
        let old = self.check_expected(space, how)?;
        let fs = self.fs.as_ref();
        let path = self.space_dir(space).join(how.name.file_name());
        let tmp = self.layout.tmp();
        match to {
            Some(id) => {
                let bytes = format!("{}\n", id.0).into_bytes();
                write_atomically(fs, &tmp, &path, &bytes, OnExisting::Replace)?;
            }
            None => {
                fs.remove_file(&path)?;
                fs.sync_dir(&self.space_dir(space))?;
            }
        }
        let entry = LogEntry {
            when: how.when,
            old,
            new: to,
            who: how.who.to_owned(),
            message: how.message.to_owned(),
        };
        Ok(log::append(fs, &tmp, &self.log_path(space, how.name), &entry)?)
    }

    /// Whether some ref or tag names this snapshot: then gc keeps all of it.
    pub(super) fn is_named(&self, id: SnapshotId) -> Result<bool, StoreError> {
        for space in Space::BOTH {
            for name in self.names(space)? {
                match self.read_name(space, &name) {
                    Ok(Some(found)) if found == id => return Ok(true),
                    // A damaged ref names nothing.
                    Ok(_) | Err(StoreError::Damaged { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(false)
    }

    /// Makes sure that a snapshot may be named: it is there with all below it, and nothing of it
    /// is only in condemned files.
    fn keep(&self, _lock: &StoreLock, id: SnapshotId) -> Result<(), StoreError> {
        let writer = self.writer_for_keeping()?;
        writer.reader().object(Kind::Snapshot, &id.0)?;
        if !self.is_named(id)? {
            writer.rely_on_all_below(id)?;
            writer.seal()?;
        }
        Ok(())
    }
}
