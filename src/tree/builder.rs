//! Builds the tree of a table from its rows in key order, streaming.
//!
//! The builder's thread checks the order, hashes keys and finds boundaries; everything else about a
//! chunk happens in the [`ChunkPool`]. Memory is bounded by what waits for a boundary, which
//! spills to scratch files, and by what waits for the pool. The root depends on the rows alone:
//! not on batches, workers, or whether the work was interrupted.

use std::sync::Arc;

use super::assembly::Assembly;
use super::checkpoint::{self, Checkpoint};
use super::chunk_encoder::preimage_len;
use super::chunker::{Chunker, Cut, CutEnd, key_hash};
use super::error::{TreeError, describe_key};
use super::levels::Levels;
use super::pending::Piece;
use super::plan::{CountedRows, TreePlan};
use super::pool::{ChunkPool, Written};
use super::scratch::ScratchSpace;
use crate::codec::row::RowBatch;
use crate::model::snapshot::TreeRoot;

/// Builds one tree.
pub struct TreeBuilder<'p, 's> {
    order: KeyOrder,
    /// Rows up to this key are in the tree already: it was resumed.
    is_written: Option<Vec<u8>>,
    chunker: Chunker,
    cuts: Vec<Cut>,
    assembly: Assembly<'p, 's>,
    levels: Levels<'s>,
    rows: u64,
    checkpoints: Checkpoints,
}

/// What is known of the last boundary.
#[derive(Default)]
struct Checkpoints {
    /// The key of the last row that was written, if its chunk ends naturally.
    boundary: Option<Vec<u8>>,
    is_wanted: bool,
    kept: Option<Checkpoint>,
}

impl<'p, 's> TreeBuilder<'p, 's> {
    /// Starts a tree.
    pub fn new(
        plan: Arc<TreePlan>,
        pool: &'p ChunkPool<'s>,
        scratch: Arc<dyn ScratchSpace>,
    ) -> Self {
        let levels = Levels::new(pool.sink(), plan.rules);
        Self::with_levels(plan, pool, scratch, levels)
    }

    /// Goes on where a checkpoint was taken. Only rows after [`Checkpoint::last_key`] are needed;
    /// those up to it may be sent again (a sort knows no better) and are left out.
    pub fn resume(
        plan: Arc<TreePlan>,
        pool: &'p ChunkPool<'s>,
        scratch: Arc<dyn ScratchSpace>,
        checkpoint: &Checkpoint,
    ) -> Result<Self, TreeError> {
        let levels = checkpoint::levels(checkpoint, &plan, pool.sink())?;
        let mut builder = Self::with_levels(plan, pool, scratch, levels);
        builder.is_written = Some(checkpoint.last_key().to_vec());
        Ok(builder)
    }

    fn with_levels(
        plan: Arc<TreePlan>,
        pool: &'p ChunkPool<'s>,
        scratch: Arc<dyn ScratchSpace>,
        levels: Levels<'s>,
    ) -> Self {
        TreeBuilder {
            order: KeyOrder::default(),
            is_written: None,
            chunker: Chunker::new(plan.rules.rows),
            cuts: Vec::new(),
            assembly: Assembly::new(plan, pool, scratch),
            levels,
            rows: 0,
            checkpoints: Checkpoints::default(),
        }
    }

    /// Takes the next rows, and gives an empty batch to go on with.
    ///
    /// # Errors
    ///
    /// [`TreeError::OutOfOrder`] where a key is not above the one before; the tree is then of no
    /// use, and the rows must be sent again through the sorter.
    pub fn push(&mut self, rows: RowBatch) -> Result<RowBatch, TreeError> {
        self.push_counted(rows.into())?;
        Ok(self.assembly.pool().spare_batch())
    }

    /// Takes the next rows with how often each occurs.
    pub fn push_counted(&mut self, rows: CountedRows) -> Result<(), TreeError> {
        self.order.check(self.assembly.plan(), &rows.rows)?;
        self.cuts.clear();
        let new = self.first_new(&rows.rows)..rows.rows.len();
        for index in new.clone() {
            let row = rows.rows.row(index);
            let cuts = self.chunker.push(key_hash(0, row.key), preimage_len(&row));
            if cuts != [None, None] {
                self.cuts.extend(cuts.into_iter().flatten());
            }
            self.rows = self.rows.saturating_add(rows.count(index));
        }
        self.assembly.pending.push(Piece { batch: Arc::new(rows), rows: new });
        for cut in std::mem::take(&mut self.cuts) {
            self.assembly.cut(cut)?;
            while let Some(written) = self.assembly.written() {
                self.absorb(written?)?;
            }
        }
        self.assembly.pending.keep_budget()
    }

    /// The first of these rows that is not in the tree yet.
    fn first_new(&mut self, rows: &RowBatch) -> usize {
        let Some(last) = &self.is_written else { return 0 };
        let new = (0..rows.len()).find(|&index| rows.row(index).key > last.as_slice());
        if new.is_some() {
            self.is_written = None;
        }
        new.unwrap_or(rows.len())
    }

    /// How many rows were taken, multiplicities counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// A checkpoint at a recent boundary. `None` where none was passed since this was last asked:
    /// ask again later. Every object below it has been given to the sink.
    pub fn checkpoint(&mut self) -> Option<Checkpoint> {
        if let Some(kept) = self.checkpoints.kept.take() {
            return Some(kept);
        }
        match &self.checkpoints.boundary {
            Some(key) => {
                let plan = self.assembly.plan();
                Some(checkpoint::take(plan, self.levels.levels(), key, self.assembly.pool().sink()))
            }
            None => {
                self.checkpoints.is_wanted = true;
                None
            }
        }
    }

    /// Ends the table and gives the root of its tree.
    pub fn finish(mut self) -> Result<TreeRoot, TreeError> {
        let mut cuts = Vec::new();
        self.chunker.finish(|cut| cuts.push(cut));
        for cut in cuts {
            self.assembly.cut(cut)?;
        }
        while let Some(written) = self.assembly.wait() {
            self.absorb(written?)?;
        }
        self.levels.finish()
    }

    fn absorb(&mut self, written: Written) -> Result<(), TreeError> {
        let checkpoints = &mut self.checkpoints;
        checkpoints.boundary = match written.end {
            CutEnd::Natural => Some(written.entry.last_key.clone()),
            CutEnd::Cap | CutEnd::Last => None,
        };
        self.levels.push(written.entry)?;
        if let (true, Some(key)) = (checkpoints.is_wanted, &checkpoints.boundary) {
            let (plan, sink) = (self.assembly.plan(), self.assembly.pool().sink());
            checkpoints.kept = Some(checkpoint::take(plan, self.levels.levels(), key, sink));
            checkpoints.is_wanted = false;
        }
        Ok(())
    }
}

/// Checks that keys ascend strictly, across batches. No key is empty, so an empty one is "none
/// yet".
#[derive(Debug, Default)]
pub(super) struct KeyOrder {
    last: Vec<u8>,
}

impl KeyOrder {
    pub(super) fn check(&mut self, plan: &TreePlan, rows: &RowBatch) -> Result<(), TreeError> {
        let mut last: &[u8] = &self.last;
        for index in 0..rows.len() {
            let key = rows.row(index).key;
            if key <= last {
                let (table, key) = (plan.table.clone(), describe_key(key));
                return Err(TreeError::OutOfOrder { table, key });
            }
            last = key;
        }
        if !rows.is_empty() {
            let last = rows.row(rows.len() - 1).key;
            self.last.clear();
            self.last.extend_from_slice(last);
        }
        Ok(())
    }
}
