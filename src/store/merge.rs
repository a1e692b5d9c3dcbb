//! Keeping indexes few: small ones are merged into larger ones.
//!
//! The smallest indexes are joined as long as the next one is at most twice as large as those
//! joined so far. What remains at least doubles from one to the next, so there are O(log n)
//! indexes, and an entry is written O(log n) times.

use std::sync::Arc;

use super::index::Index;
use super::index_writer;
use super::layout::FileId;
use super::lock::StoreLock;
use super::view::View;
use super::{Store, StoreError};

impl Store {
    /// Merges indexes where there are too many.
    pub(super) fn merge_indexes(&self, lock: &StoreLock) -> Result<(), StoreError> {
        let view = View::load(self.fs.as_ref(), &self.layout, None)?;
        let group = group(&view);
        if group.len() < 2 {
            return Ok(());
        }
        // A damaged index would be sealed anew with its damage: `repair` has to rebuild it.
        if group.iter().any(|index| index.check_hash().is_err()) {
            return Ok(());
        }
        self.replace_indexes(lock, &group, &|file| view.files.contains_key(file))
    }

    /// Writes one index over the wanted files in place of several indexes.
    pub(super) fn replace_indexes(
        &self,
        _lock: &StoreLock,
        group: &[Arc<Index>],
        wanted: &dyn Fn(&FileId) -> bool,
    ) -> Result<(), StoreError> {
        let fs = self.fs.as_ref();
        let merged = index_writer::write_merged(fs, &self.layout, group, wanted)?;
        fs.sync_dir(&self.layout.objects())?;
        for index in group {
            if Some(index.id) != merged {
                fs.remove_file(&self.layout.index(&index.id))?;
            }
        }
        Ok(())
    }
}

/// The indexes that should become one, the smallest first.
fn group(view: &View) -> Vec<Arc<Index>> {
    let mut group: Vec<Arc<Index>> = Vec::new();
    let mut joined = 0usize;
    for loaded in view.loaded.iter().rev() {
        let len = loaded.index.len();
        if !group.is_empty() && len > joined.saturating_mul(2) {
            break;
        }
        joined += len;
        group.push(loaded.index.clone());
    }
    group
}
