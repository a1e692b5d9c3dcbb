//! From rows and cuts to chunks that are written: what a builder of a whole table, a builder of a
//! range, and the stitching of ranges have in common.

use std::sync::Arc;

use super::chunk_encoder::{ChunkEncoder, ChunkRows};
use super::chunker::{Cut, CutEnd};
use super::error::TreeError;
use super::pending::{PENDING_BUDGET, PendingRows};
use super::plan::TreePlan;
use super::pool::{ChunkPool, Results, Task, Written};
use super::scratch::ScratchSpace;

/// Rows that wait, and chunks that are being written.
pub(super) struct Assembly<'p, 's> {
    plan: Arc<TreePlan>,
    pool: &'p ChunkPool<'s>,
    pub(super) pending: PendingRows,
    encoder: ChunkEncoder,
    results: Arc<Results>,
}

impl<'p, 's> Assembly<'p, 's> {
    pub(super) fn new(
        plan: Arc<TreePlan>,
        pool: &'p ChunkPool<'s>,
        scratch: Arc<dyn ScratchSpace>,
    ) -> Self {
        Assembly {
            plan,
            pool,
            pending: PendingRows::new(scratch, PENDING_BUDGET),
            encoder: ChunkEncoder::default(),
            results: Arc::default(),
        }
    }

    /// Nothing pending, under the same budget.
    pub(super) fn empty_rows(&self) -> PendingRows {
        self.pending.empty()
    }

    pub(super) fn plan(&self) -> &Arc<TreePlan> {
        &self.plan
    }

    pub(super) fn pool(&self) -> &'p ChunkPool<'s> {
        self.pool
    }

    /// Makes a chunk of the next pending rows.
    pub(super) fn cut(&mut self, cut: Cut) -> Result<(), TreeError> {
        let pieces = self.pending.take(cut.rows)?;
        self.write(ChunkRows { plan: Arc::clone(&self.plan), pieces }, cut.end);
        Ok(())
    }

    fn write(&mut self, rows: ChunkRows, end: CutEnd) {
        let task = Task::new(rows, end, &self.results);
        if let Err(task) = self.pool.offer(task) {
            task.run(self.pool, &mut self.encoder);
        }
    }

    /// The next chunk in order, if it is written.
    pub(super) fn written(&mut self) -> Option<Result<Written, TreeError>> {
        self.results.take()
    }

    /// The next chunk in order; helps until it is written. `None` when all were given.
    pub(super) fn wait(&mut self) -> Option<Result<Written, TreeError>> {
        loop {
            if let Some(written) = self.results.take() {
                return Some(written);
            }
            if self.results.outstanding() == 0 {
                return None;
            }
            match self.pool.steal() {
                Some(task) => task.run(self.pool, &mut self.encoder),
                None => return self.results.wait(),
            }
        }
    }
}
