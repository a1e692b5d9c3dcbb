//! Trees built range by range: any split of the key space gives the tree of the whole.
//!
//! A range is read with W keys beyond either end, so every boundary within it is found. What lies
//! before the first boundary and after the last one is unfinished: it is handed on as rows, and
//! [`RangeStitcher`] joins it with the ranges beside it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::assembly::Assembly;
use super::builder::KeyOrder;
use super::chunk_encoder::preimage_len;
use super::chunker::{Cut, CutEnd, Cutter, LocalMaximum, Settled, key_hash};
use super::error::TreeError;
use super::levels::Levels;
use super::pending::{PendingRows, Piece};
use super::plan::{CountedRows, TreePlan};
use super::pool::ChunkPool;
use super::scratch::ScratchSpace;
use crate::codec::structure::NodeEntry;
use crate::model::snapshot::TreeRoot;

/// Builds the chunks of one range of a table's rows.
pub struct RangeBuilder<'p, 's> {
    order: KeyOrder,
    maximum: LocalMaximum,
    /// How many rows before the range are not settled yet.
    foreign: u64,
    /// The bytes of the range's rows that are not settled yet.
    waiting: VecDeque<u64>,
    cutter: Cutter,
    assembly: Assembly<'p, 's>,
    head: Head,
    entries: Vec<NodeEntry>,
}

/// The rows before the first boundary of a range.
struct Head {
    /// Rows of the head, once its boundary is found; until then it is not known.
    rows: Option<PendingRows>,
    bytes: Vec<u64>,
    has_boundary: bool,
}

/// What is known of one range: chunks, and unfinished rows at both ends.
pub struct RangePart {
    head: PendingRows,
    head_bytes: Vec<u64>,
    /// Whether the head ends at a boundary. Where it does not, it is the whole range.
    has_boundary: bool,
    entries: Vec<NodeEntry>,
    tail: PendingRows,
    tail_cutter: Cutter,
}

impl<'p, 's> RangeBuilder<'p, 's> {
    /// Starts a range. `before` are the keys of the W rows before it, in order; fewer where the
    /// table begins there.
    pub fn new<'k>(
        plan: Arc<TreePlan>,
        pool: &'p ChunkPool<'s>,
        scratch: Arc<dyn ScratchSpace>,
        before: impl IntoIterator<Item = &'k [u8]>,
    ) -> Self {
        let mut maximum = LocalMaximum::new(plan.rules.rows.window);
        let mut foreign = 0;
        for key in before {
            foreign += 1;
            if maximum.push(key_hash(0, key)).is_some() {
                foreign -= 1;
            }
        }
        RangeBuilder {
            order: KeyOrder::default(),
            maximum,
            foreign,
            waiting: VecDeque::new(),
            cutter: Cutter::new(plan.rules.rows),
            assembly: Assembly::new(plan, pool, scratch),
            head: Head { rows: None, bytes: Vec::new(), has_boundary: false },
            entries: Vec::new(),
        }
    }

    /// Takes the next rows of the range.
    pub fn push(&mut self, rows: CountedRows) -> Result<(), TreeError> {
        self.order.check(self.assembly.plan(), &rows.rows)?;
        let all = 0..rows.rows.len();
        let mut settled = Vec::new();
        for index in all.clone() {
            let row = rows.rows.row(index);
            self.waiting.push_back(preimage_len(&row));
            settled.extend(self.maximum.push(key_hash(0, row.key)));
        }
        self.assembly.pending.push(Piece { batch: Arc::new(rows), rows: all });
        for is_boundary in settled {
            self.settle(is_boundary)?;
        }
        self.assembly.pending.keep_budget()
    }

    /// Ends the range. `after` are the keys of the W rows after it, in order; fewer where the
    /// table ends there.
    pub fn finish<'k>(
        mut self,
        after: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<RangePart, TreeError> {
        for key in after {
            if let Some(is_boundary) = self.maximum.push(key_hash(0, key)) {
                self.settle(is_boundary)?;
            }
        }
        while !self.waiting.is_empty() {
            self.settle(false)?;
        }
        while let Some(written) = self.assembly.wait() {
            self.entries.push(written?.entry);
        }
        let RangeBuilder { assembly, head, cutter, entries, .. } = self;
        let Head { rows, bytes, has_boundary } = head;
        let empty = assembly.empty_rows();
        let (head, tail) = match rows {
            Some(head) => (head, assembly.pending),
            None => (assembly.pending, empty),
        };
        Ok(RangePart { head, head_bytes: bytes, has_boundary, entries, tail, tail_cutter: cutter })
    }

    /// Settles the next row: one before the range, or the first of it that waits.
    fn settle(&mut self, is_boundary: bool) -> Result<(), TreeError> {
        if self.foreign > 0 {
            self.foreign -= 1;
            return Ok(());
        }
        let Some(bytes) = self.waiting.pop_front() else { return Ok(()) };
        if !self.head.has_boundary {
            self.head.bytes.push(bytes);
            if is_boundary {
                self.head.has_boundary = true;
                let rows = self.head.bytes.len();
                let mut head = self.assembly.empty_rows();
                for piece in self.assembly.pending.take(rows)? {
                    head.push(piece);
                    head.keep_budget()?;
                }
                self.head.rows = Some(head);
            }
            return Ok(());
        }
        for cut in self.cutter.push(bytes, Settled::inner(is_boundary)).into_iter().flatten() {
            self.assembly.cut(cut)?;
            while let Some(written) = self.assembly.written() {
                self.entries.push(written?.entry);
            }
        }
        Ok(())
    }
}

/// Joins ranges, from left to right, into one tree.
pub struct RangeStitcher<'p, 's> {
    cutter: Cutter,
    assembly: Assembly<'p, 's>,
    levels: Levels<'s>,
}

impl<'p, 's> RangeStitcher<'p, 's> {
    /// Before the first range.
    pub fn new(
        plan: Arc<TreePlan>,
        pool: &'p ChunkPool<'s>,
        scratch: Arc<dyn ScratchSpace>,
    ) -> Self {
        RangeStitcher {
            cutter: Cutter::new(plan.rules.rows),
            levels: Levels::new(pool.sink(), plan.rules),
            assembly: Assembly::new(plan, pool, scratch),
        }
    }

    /// Takes the next range.
    pub fn push(&mut self, mut part: RangePart) -> Result<(), TreeError> {
        let last = part.head_bytes.len();
        for (row, bytes) in (1..).zip(part.head_bytes) {
            for piece in part.head.take(1)? {
                self.assembly.pending.push(piece);
            }
            let is_boundary = part.has_boundary && row == last;
            for cut in self.cutter.push(bytes, Settled::inner(is_boundary)).into_iter().flatten() {
                self.cut(cut)?;
            }
            self.assembly.pending.keep_budget()?;
        }
        if part.has_boundary {
            self.drain()?;
            part.entries.into_iter().try_for_each(|entry| self.levels.push(entry))?;
            self.assembly.pending = part.tail;
            self.cutter = part.tail_cutter;
        }
        Ok(())
    }

    /// Ends the table and gives the root of its tree.
    pub fn finish(mut self) -> Result<TreeRoot, TreeError> {
        if let Some(cut) = self.cutter.finish() {
            self.cut(Cut { end: CutEnd::Last, ..cut })?;
        }
        self.drain()?;
        self.levels.finish()
    }

    fn cut(&mut self, cut: Cut) -> Result<(), TreeError> {
        self.assembly.cut(cut)?;
        while let Some(written) = self.assembly.written() {
            self.levels.push(written?.entry)?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), TreeError> {
        while let Some(written) = self.assembly.wait() {
            self.levels.push(written?.entry)?;
        }
        Ok(())
    }
}
