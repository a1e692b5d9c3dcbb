//! Signatures of snapshots: small files beside the objects, no part of any id.
//!
//! What is signed is a line that names the snapshot (`Store::signed_text`); its id covers all it
//! holds. A signature is whatever the signing program gave, kept as it came: whether it is any good,
//! and whose, is for others to find out. A snapshot may have several. They go when their snapshot
//! has gone.

use std::path::PathBuf;

use super::lock::StoreLock;
use super::view::View;
use super::{Store, StoreError};
use crate::codec::Kind;
use crate::fsio::{OnExisting, write_atomically};
use crate::model::{ObjectId, SnapshotId};

/// A signature that the store keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// The snapshot it is of.
    pub snapshot: SnapshotId,
    /// The file.
    pub path: PathBuf,
}

/// The snapshot that the name of a signature's file says: its id, a point, and the beginning of the
/// hash of the content.
pub(super) fn snapshot_of(file: &str) -> Option<SnapshotId> {
    let (id, rest) = file.strip_suffix(".sig")?.split_once('.')?;
    let is_hash = rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit());
    id.parse::<ObjectId>().ok().filter(|_| is_hash).map(SnapshotId)
}

impl Store {
    /// What is signed of a snapshot.
    pub fn signed_text(snapshot: SnapshotId) -> String {
        format!("deepdiff-db snapshot {}\n", snapshot.0)
    }

    /// Keeps a signature of a snapshot that the store holds; gives its file. The same one is kept once.
    pub fn add_signature(
        &self,
        snapshot: SnapshotId,
        signature: &[u8],
    ) -> Result<PathBuf, StoreError> {
        self.prepare_writing()?;
        // gc removes signatures under the lock.
        let _lock = self.lock()?;
        self.reader()?.object(Kind::Snapshot, &snapshot.0)?;
        let folder = self.layout.signatures();
        if self.fs.info(&folder)?.is_none() {
            self.fs.create_dir(&folder)?;
            self.fs.sync_dir(self.path())?;
        }
        let hash = blake3::hash(signature).to_hex();
        let path = folder.join(format!("{}.{}.sig", snapshot.0, &hash[..16]));
        let tmp = self.layout.tmp();
        write_atomically(self.fs.as_ref(), &tmp, &path, signature, OnExisting::Replace)?;
        Ok(path)
    }

    /// Every signature, by snapshot.
    pub fn signatures(&self) -> Result<Vec<Signature>, StoreError> {
        let folder = self.layout.signatures();
        let mut found = Vec::new();
        for entry in self.fs.list_if_there(&folder)? {
            if let Some(snapshot) = snapshot_of(&entry.name) {
                found.push(Signature { snapshot, path: folder.join(&entry.name) });
            }
        }
        found.sort();
        Ok(found)
    }

    /// Removes the signatures of snapshots that are not there any more.
    pub(super) fn forget_signatures(&self, _lock: &StoreLock) -> Result<(), StoreError> {
        let signatures = self.signatures()?;
        if signatures.is_empty() {
            return Ok(());
        }
        let view = View::load(self.fs.as_ref(), &self.layout, None)?;
        let is_gone = |of: &&Signature| view.locations(&of.snapshot.0).next().is_none();
        let mut has_removed = false;
        for signature in signatures.iter().filter(is_gone) {
            self.fs.remove_file(&signature.path)?;
            has_removed = true;
        }
        if has_removed { Ok(self.fs.sync_dir(&self.layout.signatures())?) } else { Ok(()) }
    }
}
