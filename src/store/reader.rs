//! Reading objects. No lock is taken and nothing is written.
//!
//! A reader works on a view of the store; what it misses makes it list the store once more, since
//! a writer may have added it or gc moved it. Everything is hashed before it is given out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::objects::{ObjectError, Objects};
use super::view::{Access, Found, View};
use super::{Store, StoreError};
use crate::codec::{Hasher, Kind};
use crate::model::{ObjectId, SnapshotId};

/// After this many bytes read, the mapped files are given back, so that the memory of a command
/// that reads a whole store stays small.
const UNMAP_AFTER: usize = 64 << 20;

/// Gives the objects of a store. Usable from several threads.
#[derive(Debug)]
pub struct Reader {
    store: Store,
    view: RwLock<Arc<View>>,
    read_since_unmap: AtomicUsize,
}

impl Store {
    /// A reader of what the store holds now, and of what comes later.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        let view = Arc::new(View::load(self.fs.as_ref(), &self.layout, None)?);
        let view = RwLock::new(view);
        Ok(Reader { store: self.clone(), view, read_since_unmap: AtomicUsize::new(0) })
    }
}

impl Reader {
    /// The store that is read.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lists the store again.
    pub fn refresh(&self) -> Result<(), StoreError> {
        self.refreshed().map(drop)
    }

    pub(super) fn refreshed(&self) -> Result<Arc<View>, StoreError> {
        let previous = self.view();
        let view = View::load(self.store.fs.as_ref(), &self.store.layout, Some(&previous))?;
        let view = Arc::new(view);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        Ok(view)
    }

    /// The plain bytes of an object.
    pub fn object(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, StoreError> {
        let view = self.view();
        let first = self.look(&view, kind, id)?;
        let found = match first {
            Found::Plain(_) => first,
            Found::Nothing | Found::Bad(_) => {
                let refreshed = self.refreshed()?;
                self.look(&refreshed, kind, id)?
            }
        };
        match found {
            Found::Plain(plain) => {
                self.count(&view, plain.len());
                Ok(plain)
            }
            Found::Nothing => Err(ObjectError::Missing { id: *id, kind }.into()),
            Found::Bad(why) => Err(ObjectError::Damaged { id: *id, kind, why }.into()),
        }
    }

    fn look(&self, view: &View, kind: Kind, id: &ObjectId) -> Result<Found, StoreError> {
        view.read(self.store.fs.as_ref(), &self.store.hasher, Access::Mapped, kind, id)
    }

    fn count(&self, view: &View, len: usize) {
        let so_far = self.read_since_unmap.fetch_add(len, Ordering::Relaxed);
        if so_far > UNMAP_AFTER {
            self.read_since_unmap.store(0, Ordering::Relaxed);
            view.unmap();
        }
    }

    /// Whether the store lists the object; it may still be damaged.
    pub fn has(&self, id: &ObjectId) -> Result<bool, StoreError> {
        if self.view().locations(id).next().is_some() {
            return Ok(true);
        }
        Ok(self.refreshed()?.locations(id).next().is_some())
    }

    /// The one snapshot whose id begins with these hexadecimal digits, at least four.
    pub fn snapshot_by_prefix(&self, prefix: &str) -> Result<SnapshotId, StoreError> {
        let (low, high) = range_of_prefix(prefix)?;
        let view = self.refreshed()?;
        let mut candidates = Vec::new();
        for loaded in &view.loaded {
            for position in loaded.index.between(&low, &high) {
                if loaded.index.place_at(position).kind() == Some(Kind::Snapshot) {
                    candidates.push(SnapshotId(loaded.index.id_at(position)));
                }
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        match candidates.as_slice() {
            [] => Err(StoreError::NoSuchSnapshot { prefix: prefix.to_owned() }),
            [one] => Ok(*one),
            _ => Err(StoreError::AmbiguousPrefix { prefix: prefix.to_owned(), candidates }),
        }
    }

    /// Every snapshot the store lists, in order of ids. Walks all indexes.
    pub fn snapshots(&self) -> Result<Vec<SnapshotId>, StoreError> {
        let view = self.refreshed()?;
        let mut found = Vec::new();
        for loaded in &view.loaded {
            for position in 0..loaded.index.len() {
                if loaded.index.place_at(position).kind() == Some(Kind::Snapshot) {
                    found.push(SnapshotId(loaded.index.id_at(position)));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// The smallest and the largest id that begin with these digits.
fn range_of_prefix(prefix: &str) -> Result<(ObjectId, ObjectId), StoreError> {
    let bad = || StoreError::BadPrefix { prefix: prefix.chars().take(80).collect() };
    let is_hex = prefix.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex || !(4..=64).contains(&prefix.len()) {
        return Err(bad());
    }
    let low = format!("{prefix:0<64}").parse().map_err(|_| bad())?;
    let high = format!("{prefix:f<64}").parse().map_err(|_| bad())?;
    Ok((low, high))
}

impl Objects for Reader {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        Ok(self.object(kind, id)?)
    }

    fn hasher(&self) -> &Hasher {
        &self.store.hasher
    }
}
