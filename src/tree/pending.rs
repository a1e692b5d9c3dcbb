//! Rows whose chunk is not decided yet, in order: in memory up to a budget, beyond it in scratch
//! files.
//!
//! Rows stay in the batches they came in, shared by reference. With usual rows nothing is ever
//! spilled: what waits is a few hundred rows. Scratch files are a queue: one is dropped when the
//! last of its rows was taken, so disk use follows what waits and not the size of the table.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::error::TreeError;
use super::plan::CountedRows;
use super::records::{self, RecordWriter};
use super::scratch::ScratchSpace;

/// Bytes of rows that may wait in memory.
pub(super) const PENDING_BUDGET: usize = 32 << 20;

/// A scratch file is followed by another one when it has reached this.
const FILE_LEN: u64 = 64 << 20;

/// Some consecutive rows of a batch.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) batch: Arc<CountedRows>,
    pub(super) rows: Range<usize>,
}

enum Segment {
    Memory(Piece),
    Spilled { file: u64, from: u64, end: u64, rows: usize, has_counts: bool },
}

struct SpillFile {
    writer: RecordWriter,
    segments: usize,
}

/// Rows that wait.
pub(super) struct PendingRows {
    scratch: Arc<dyn ScratchSpace>,
    budget: usize,
    segments: VecDeque<Segment>,
    in_memory: usize,
    files: VecDeque<SpillFile>,
    /// The number of the first file.
    first_file: u64,
}

impl PendingRows {
    pub(super) fn new(scratch: Arc<dyn ScratchSpace>, budget: usize) -> Self {
        PendingRows {
            scratch,
            budget,
            segments: VecDeque::new(),
            in_memory: 0,
            files: VecDeque::new(),
            first_file: 0,
        }
    }

    /// Nothing, in the same scratch space under the same budget.
    pub(super) fn empty(&self) -> PendingRows {
        PendingRows::new(Arc::clone(&self.scratch), self.budget)
    }

    pub(super) fn push(&mut self, piece: Piece) {
        if !piece.rows.is_empty() {
            self.in_memory += piece_len(&piece);
            self.segments.push_back(Segment::Memory(piece));
        }
    }

    /// Spills the newest rows until the budget holds.
    pub(super) fn keep_budget(&mut self) -> Result<(), TreeError> {
        let mut newest = self.segments.len();
        while self.in_memory > self.budget && newest > 0 {
            newest -= 1;
            if let Segment::Memory(piece) = &self.segments[newest] {
                let piece = piece.clone();
                self.segments[newest] = self.spill(&piece)?;
                self.in_memory -= piece_len(&piece);
            }
        }
        Ok(())
    }

    fn spill(&mut self, piece: &Piece) -> Result<Segment, TreeError> {
        if self.files.back().is_none_or(|file| file.writer.len() >= FILE_LEN) {
            let file = self
                .scratch
                .create()
                .map_err(|source| TreeError::Scratch { verb: "create", source })?;
            self.files.push_back(SpillFile { writer: RecordWriter::new(file), segments: 0 });
        }
        let number = self.first_file + len64(self.files.len()) - 1;
        let file = self.files.back_mut().expect("a file was just made sure of");
        file.segments += 1;
        let from = file.writer.len();
        for index in piece.rows.clone() {
            let row = piece.batch.rows.row(index);
            file.writer.push(row.key, row.preimage, piece.batch.count(index))?;
        }
        Ok(Segment::Spilled {
            file: number,
            from,
            end: file.writer.len(),
            rows: piece.rows.len(),
            has_counts: !piece.batch.counts.is_empty(),
        })
    }

    /// Takes the next `count` rows, which must be there.
    pub(super) fn take(&mut self, mut count: usize) -> Result<Vec<Piece>, TreeError> {
        let mut taken = Vec::new();
        while count > 0 {
            let front = self.segments.pop_front().expect("a chunk's rows were pushed before");
            let mut piece = match front {
                Segment::Memory(piece) => piece,
                Segment::Spilled { file, from, end, rows, has_counts } => {
                    let batch = self.load(file, from, end, has_counts)?;
                    let piece = Piece { batch: Arc::new(batch), rows: 0..rows };
                    self.in_memory += piece_len(&piece);
                    piece
                }
            };
            self.in_memory -= piece_len(&piece);
            if piece.rows.len() > count {
                let split = piece.rows.start + count;
                let rest = Piece { batch: Arc::clone(&piece.batch), rows: split..piece.rows.end };
                piece.rows.end = split;
                self.in_memory += piece_len(&rest);
                self.segments.push_front(Segment::Memory(rest));
            }
            count -= piece.rows.len();
            taken.push(piece);
        }
        Ok(taken)
    }

    fn load(
        &mut self,
        number: u64,
        from: u64,
        end: u64,
        has_counts: bool,
    ) -> Result<CountedRows, TreeError> {
        let index = usize::try_from(number - self.first_file).expect("few files are open");
        let file = &mut self.files[index];
        let rows = records::read_rows(file.writer.flushed()?, from, end, has_counts)?;
        file.segments -= 1;
        while self.files.front().is_some_and(|file| file.segments == 0) {
            self.files.pop_front();
            self.first_file += 1;
        }
        Ok(rows)
    }
}

/// What a piece counts against the budget: its share of its batch.
fn piece_len(piece: &Piece) -> usize {
    let rows = piece.batch.rows.len().max(1);
    let share = piece.batch.rows.byte_len() / rows;
    share * piece.rows.len()
}

fn len64(len: usize) -> u64 {
    u64::try_from(len).expect("a length in memory fits in 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::scratch::MemoryScratch;

    #[test]
    fn rows_come_back_in_order_whether_spilled_or_not() {
        for budget in [0, 300, 3_000, usize::MAX] {
            let scratch = Arc::new(MemoryScratch::default());
            let mut pending = PendingRows::new(scratch.clone(), budget);
            let (mut next, mut expected) = (0u32, 0u32);
            for round in 0..200usize {
                let mut batch = CountedRows::default();
                for _ in 0..round % 7 {
                    batch.rows.push_row(&[7; 40], &next.to_be_bytes());
                    batch.counts.push(u64::from(next) + 1);
                    next += 1;
                }
                let rows = 0..batch.rows.len();
                pending.push(Piece { batch: Arc::new(batch), rows });
                pending.keep_budget().unwrap();
                assert!(pending.in_memory <= budget);
                let take = usize::try_from(next - expected).unwrap() / 3;
                for piece in pending.take(take).unwrap() {
                    for index in piece.rows {
                        let row = piece.batch.rows.row(index);
                        assert_eq!(row.key, expected.to_be_bytes());
                        assert_eq!(row.preimage, [7; 40]);
                        assert_eq!(piece.batch.count(index), u64::from(expected) + 1);
                        expected += 1;
                    }
                }
            }
            assert_eq!(scratch.created() > 0, budget <= 300);
        }
    }
}
