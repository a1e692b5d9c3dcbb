//! Rows on their way from the connection's thread to whoever takes them: the cells of many rows in
//! one buffer, which goes back and forth.
//!
//! A cell is its length and its bytes as they came; nothing is decoded or allocated for it. There
//! are never more than [`BATCHES`] buffers of a reading, and a buffer that grew for a wide row is
//! not kept, so memory is bounded by a few rows of whatever width.

use std::sync::mpsc::{Receiver, Sender, channel};

/// A batch is sent off when it holds this many bytes, few enough to stay in a core's cache.
const FULL: usize = 64 * 1024;

/// A buffer above this is given back to the system, and the next rows wait for it.
const WIDE: usize = 8 * FULL;

/// How many buffers are on their way at most.
pub(super) const BATCHES: usize = 16;

/// The length that says NULL.
const NULL: u32 = u32::MAX;

/// Rows in one buffer.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    rows: usize,
}

impl Batch {
    /// Adds a cell. False where it is longer than any cell can be.
    #[inline]
    #[must_use]
    pub(super) fn push(&mut self, cell: Option<&[u8]>) -> bool {
        let Some(cell) = cell else {
            self.bytes.extend_from_slice(&NULL.to_le_bytes());
            return true;
        };
        let Some(length) = u32::try_from(cell.len()).ok().filter(|&length| length != NULL) else {
            return false;
        };
        self.bytes.reserve(size_of::<u32>() + cell.len());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(cell);
        true
    }

    /// Ends a row; whether the batch should go.
    pub(super) fn end_row(&mut self) -> bool {
        self.rows += 1;
        self.bytes.len() >= FULL
    }

    /// Whether it holds no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many rows it holds.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The cells of its rows, one after the other.
    pub(super) fn cells(&self) -> Cells<'_> {
        Cells(&self.bytes)
    }

    fn is_wide(&self) -> bool {
        self.bytes.capacity() > WIDE
    }
}

/// Reads the cells of a batch.
pub(super) struct Cells<'b>(&'b [u8]);

impl<'b> Cells<'b> {
    /// The next cell, NULL being `None`; outside `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Option<&'b [u8]>> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        if length == NULL {
            self.0 = rest;
            return Some(None);
        }
        let (cell, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(cell))
    }
}

/// Gives empty batches out to the one who fills them.
pub(super) struct Spares {
    returned: Receiver<Batch>,
    /// How many were given out and are not back.
    away: usize,
}

/// Takes read batches back.
pub(super) struct Returns(Sender<Batch>);

/// The two ends of the way back.
pub(super) fn spares() -> (Returns, Spares) {
    let (returns, returned) = channel();
    (Returns(returns), Spares { returned, away: 0 })
}

impl Returns {
    /// Gives a batch back that was read.
    pub(super) fn put(&self, mut batch: Batch) {
        if batch.is_wide() {
            batch = Batch::default();
        }
        batch.bytes.clear();
        batch.rows = 0;
        // Nobody wants it any more at the end.
        let _ = self.0.send(batch);
    }
}

impl Spares {
    /// An empty batch. Waits while too many are away, and after a wide one until all are back.
    /// `None` where nobody reads any more.
    pub(super) fn take(&mut self, last: &LastSize) -> Option<Batch> {
        let most = if last.0 > WIDE { 1 } else { BATCHES };
        let mut batch = None;
        while self.away >= most {
            batch = Some(self.returned.recv().ok()?);
            self.away -= 1;
        }
        let batch = batch.or_else(|| {
            let batch = self.returned.try_recv().ok()?;
            self.away -= 1;
            Some(batch)
        });
        self.away += 1;
        Some(batch.unwrap_or_default())
    }
}

/// How large the batch before was.
#[derive(Debug, Default)]
pub(super) struct LastSize(usize);

impl LastSize {
    /// Of this batch.
    pub(super) fn of(batch: &Batch) -> LastSize {
        LastSize(batch.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_out_as_they_went_in() {
        let mut batch = Batch::default();
        let cells = [Some(&b"abc"[..]), None, Some(b""), Some(&[0xff; 300])];
        for cell in cells {
            assert!(batch.push(cell));
        }
        assert!(!batch.end_row());
        assert_eq!(batch.rows(), 1);
        let mut read = batch.cells();
        for cell in cells {
            assert_eq!(read.next(), Some(cell));
        }
        assert_eq!(read.next(), None);
    }

    #[test]
    fn few_batches_are_on_their_way_and_one_that_is_wide() {
        let (returns, mut spares) = spares();
        let mut wide = spares.take(&LastSize::default()).unwrap();
        assert!(wide.push(Some(&vec![0; WIDE + 1])));
        let last = LastSize::of(&wide);
        let second = spares.take(&LastSize::default()).unwrap();
        returns.put(wide);
        returns.put(second);
        let next = spares.take(&last).unwrap();
        assert!(next.is_empty() && !next.is_wide());
        assert_eq!(spares.away, 1);
        drop(returns);
        assert!(spares.take(&last).is_none());
    }
}
