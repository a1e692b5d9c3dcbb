//! Publishing a snapshot: moving a ref to it, once everything below it is safe.
//!
//! The order is that of `docs/durability.md`, "Publishing". All objects are sealed before the lock
//! is taken. Under the lock, gc cannot condemn anything, so what is checked there stays true until
//! the ref has moved and keeps it alive.

use super::lock::StoreLock;
use super::refs::{Move, Space};
use super::{StoreError, Writer, error};
use crate::codec::Kind;
use crate::model::SnapshotId;

/// A ref that was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// What the ref named before.
    pub old: Option<SnapshotId>,
    /// What it names now.
    pub new: SnapshotId,
    /// How many objects had to be copied out of files that gc had condemned meanwhile.
    pub copied_out: u64,
}

/// A publication that can no longer lose anything: the lock is held and all objects are safe.
struct Prepared {
    lock: StoreLock,
    published: Published,
}

impl Writer {
    /// Seals what was appended and moves a ref to `snapshot`, which must have been appended or be
    /// in the store.
    ///
    /// Once this returns the new value survives a crash. Where it fails before that, the ref is
    /// where it was; [`StoreError::RefMoved`] says that somebody else moved it meanwhile. Where only
    /// the log could not be written the ref has moved, and the error names the log.
    pub fn publish(&self, snapshot: SnapshotId, how: &Move<'_>) -> Result<Published, StoreError> {
        self.seal()?;
        let prepared = self.prepare(snapshot, how)?;
        self.commit(&prepared, how)?;
        Ok(prepared.published)
    }

    fn prepare(&self, snapshot: SnapshotId, how: &Move<'_>) -> Result<Prepared, StoreError> {
        let store = self.store();
        let lock = store.lock()?;
        let old = store.check_expected(Space::Refs, how)?;
        // Other writers' files may be visible and not durable yet: the names are made so here.
        store.fs.sync_dir(&store.layout.objects())?;
        let mut copied_out = 0;
        if !self.is_all_there()? {
            let before = self.added().0;
            self.relied().clear();
            self.rely_on_all_below(snapshot).map_err(collected)?;
            self.seal()?;
            copied_out = self.added().0 - before;
            if !self.is_all_there()? {
                return Err(StoreError::Collected { id: snapshot.0 });
            }
        }
        self.reader().object(Kind::Snapshot, &snapshot.0)?;
        Ok(Prepared { lock, published: Published { old, new: snapshot, copied_out } })
    }

    /// Whether every object file this writer relies on is indexed and not condemned.
    fn is_all_there(&self) -> Result<bool, StoreError> {
        let view = self.reader().refreshed()?;
        let indexed = view.indexed_files();
        let relied = self.relied();
        Ok(relied.iter().all(|file| indexed.contains(file) && !view.condemned.contains(file)))
    }

    fn commit(&self, prepared: &Prepared, how: &Move<'_>) -> Result<(), StoreError> {
        let store = self.store();
        store.swap(&prepared.lock, Space::Refs, Some(prepared.published.new), how)?;
        self.release();
        // Housekeeping: what was published does not depend on it, and the next one tries again.
        if let Err(error) = store.merge_indexes(&prepared.lock) {
            tracing::warn!(error = %error::chain(&error), "indexes were not merged");
        }
        Ok(())
    }
}

fn collected(error: StoreError) -> StoreError {
    match error {
        StoreError::Incomplete { id, .. } => StoreError::Collected { id },
        error => error,
    }
}
