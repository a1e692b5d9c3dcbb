//! Row changes on disk while a pack is planned, so that memory does not grow with their number.
//!
//! One nameless scratch file holds the changes of all tables; inserts, updates and deletes of a
//! table stand in runs of their own, each in key order, and so do those that a strategy keeps from
//! running. A change is found again by its place. Nothing here knows SQL or order.

use crate::codec::DecodeError;
use crate::codec::cell::{self, Cell, EXTERNAL};
use crate::diff::{CellValue, RowChange};
use crate::fsio::{FsError, ScratchFile};

/// Changes are written in pieces of about this size.
const PIECE: usize = 256 << 10;

/// What a row change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Adds the row.
    Insert,
    /// Changes cells of the row.
    Update,
    /// Removes the row.
    Delete,
}

impl Verb {
    /// Every verb, in the order they run in if nothing speaks against it.
    pub const EVERY: [Verb; 3] = [Verb::Insert, Verb::Update, Verb::Delete];

    /// The stable name, as in the pack.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Insert => "insert",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }

    fn opposite(self) -> Verb {
        match self {
            Verb::Insert => Verb::Delete,
            Verb::Update => Verb::Update,
            Verb::Delete => Verb::Insert,
        }
    }
}

/// The change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The values before, in the order of the columns of that side; empty for an insert.
    pub before: Vec<CellValue>,
    /// The values after; empty for a delete.
    pub after: Vec<CellValue>,
    /// How many equal rows; 1 where the row has a key.
    pub count: u64,
    /// How many more equal rows are there on both sides; known only where statements need it.
    pub others: u64,
}

impl Change {
    /// What the change does.
    pub fn verb(&self) -> Verb {
        match (self.before.is_empty(), self.after.is_empty()) {
            (true, _) => Verb::Insert,
            (_, true) => Verb::Delete,
            _ => Verb::Update,
        }
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn reversed(self) -> Change {
        Change { before: self.after, after: self.before, ..self }
    }
}

/// What a difference does.
pub(super) fn verb_of(change: &RowChange<CellValue>) -> Verb {
    match change {
        RowChange::Inserted(_) => Verb::Insert,
        RowChange::Deleted(_) => Verb::Delete,
        RowChange::Updated { .. } => Verb::Update,
    }
}

impl From<RowChange<CellValue>> for Change {
    fn from(change: RowChange<CellValue>) -> Self {
        match change {
            RowChange::Inserted(row) => {
                Change { before: Vec::new(), after: row.values, count: row.count, others: 0 }
            }
            RowChange::Deleted(row) => {
                Change { before: row.values, after: Vec::new(), count: row.count, others: 0 }
            }
            RowChange::Updated { before, after, .. } => {
                Change { before: before.values, after: after.values, count: 1, others: 0 }
            }
        }
    }
}

/// Where a change stands in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

/// The changes of one table and verb.
#[derive(Debug, Default)]
pub struct Run {
    pieces: Vec<(u64, u64)>,
    /// How many changes.
    pub changes: u64,
    /// How many rows they touch, multiplicities counted.
    pub rows: u64,
    /// How many bytes of values they hold, large ones included.
    pub bytes: u64,
}

/// The runs of one table, by verb.
#[derive(Debug, Default)]
pub struct TableRuns {
    /// First those that are wanted, then those that are kept.
    runs: [Run; 6],
    is_divided: bool,
}

impl TableRuns {
    /// The changes of a verb that are wanted.
    pub fn of(&self, verb: Verb) -> &Run {
        &self.runs[slot(verb)]
    }

    /// The changes of a verb that a strategy keeps from running.
    pub fn kept(&self, verb: Verb) -> &Run {
        &self.runs[KEPT + slot(verb)]
    }

    /// How many changes are wanted.
    pub fn changes(&self) -> u64 {
        self.runs[..KEPT].iter().map(|run| run.changes).sum()
    }

    /// How many changes a strategy keeps from running.
    pub fn kept_changes(&self) -> u64 {
        self.runs[KEPT..].iter().map(|run| run.changes).sum()
    }

    /// Whether a change that is kept may be the rest of one that is wanted, of the same row.
    pub fn is_divided(&self) -> bool {
        self.is_divided
    }
}

/// Where the runs of what is kept begin.
const KEPT: usize = 3;

fn slot(verb: Verb) -> usize {
    match verb {
        Verb::Insert => 0,
        Verb::Update => 1,
        Verb::Delete => 2,
    }
}

/// Why the spool could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The scratch file could not be used.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// What came back is not what was written.
    #[error(transparent)]
    Damaged(#[from] DecodeError),
}

/// The scratch file.
#[derive(Debug)]
pub struct Spool {
    file: Box<dyn ScratchFile>,
}

impl Spool {
    /// A spool in this file.
    pub fn new(file: Box<dyn ScratchFile>) -> Self {
        Spool { file }
    }

    /// Starts to take the changes of a table.
    pub fn table(&mut self) -> TableWriter<'_> {
        TableWriter { spool: self, runs: TableRuns::default(), waiting: Default::default() }
    }

    /// Reads the changes of a run in order.
    pub fn read<'s>(&'s self, run: &'s Run) -> RunReader<'s> {
        let piece = Piece { bytes: Vec::new(), at: 0, start: 0 };
        RunReader { file: &*self.file, pieces: run.pieces.iter(), piece, is_reversed: false }
    }

    /// The change at a place.
    pub fn at(&self, place: Place) -> Result<Change, SpoolError> {
        let mut len = [0u8; 8];
        self.file.read_exact_at(&mut len, place.0)?;
        let len = u64::from_le_bytes(len);
        let end = place.0.checked_add(8).and_then(|at| at.checked_add(len));
        if end.is_none_or(|end| end > self.file.len()) {
            return Err(damaged("a change that reaches beyond the end").into());
        }
        let mut bytes = vec![0u8; usize::try_from(len).map_err(|_| damaged("too long"))?];
        self.file.read_exact_at(&mut bytes, place.0 + 8)?;
        Ok(read_change(&bytes)?)
    }
}

/// Takes the changes of one table.
pub struct TableWriter<'s> {
    spool: &'s mut Spool,
    runs: TableRuns,
    waiting: [Vec<u8>; 6],
}

impl TableWriter<'_> {
    /// Adds the next change that is wanted.
    pub fn push(&mut self, change: &Change) -> Result<(), FsError> {
        self.add(change, slot(change.verb()))
    }

    /// Adds the next change that is kept from running.
    pub fn keep(&mut self, change: &Change) -> Result<(), FsError> {
        self.add(change, KEPT + slot(change.verb()))
    }

    /// Says that the change of one row was divided in two.
    pub fn divide(&mut self) {
        self.runs.is_divided = true;
    }

    fn add(&mut self, change: &Change, slot: usize) -> Result<(), FsError> {
        let waiting = &mut self.waiting[slot];
        let start = waiting.len();
        waiting.extend_from_slice(&[0; 8]);
        write_change(change, waiting);
        let len = (waiting.len() - start - 8) as u64;
        let apart = [&change.before, &change.after].into_iter().flatten().map(|cell| match cell {
            CellValue::Apart(value) => value.len,
            CellValue::Here(_) => 0,
        });
        let bytes = len + apart.sum::<u64>();
        waiting[start..start + 8].copy_from_slice(&len.to_le_bytes());
        let run = &mut self.runs.runs[slot];
        run.changes += 1;
        run.rows += change.count;
        run.bytes += bytes * change.count;
        if self.waiting[slot].len() >= PIECE {
            self.flush(slot)?;
        }
        Ok(())
    }

    fn flush(&mut self, slot: usize) -> Result<(), FsError> {
        let waiting = &mut self.waiting[slot];
        if !waiting.is_empty() {
            self.runs.runs[slot].pieces.push((self.spool.file.len(), waiting.len() as u64));
            self.spool.file.append(waiting)?;
            waiting.clear();
            waiting.shrink_to(PIECE * 2);
        }
        Ok(())
    }

    /// Ends the table.
    pub fn finish(mut self) -> Result<TableRuns, FsError> {
        for slot in 0..self.waiting.len() {
            self.flush(slot)?;
        }
        Ok(self.runs)
    }
}

struct Piece {
    bytes: Vec<u8>,
    at: usize,
    start: u64,
}

/// Reads the changes of a run in order.
pub struct RunReader<'s> {
    file: &'s dyn ScratchFile,
    pieces: std::slice::Iter<'s, (u64, u64)>,
    piece: Piece,
    is_reversed: bool,
}

impl RunReader<'_> {
    fn next_change(&mut self) -> Result<Option<(Place, Change)>, SpoolError> {
        while self.piece.at == self.piece.bytes.len() {
            let Some(&(start, len)) = self.pieces.next() else {
                return Ok(None);
            };
            let len = usize::try_from(len).map_err(|_| damaged("too long"))?;
            self.piece.bytes.resize(len, 0);
            self.file.read_exact_at(&mut self.piece.bytes, start)?;
            (self.piece.at, self.piece.start) = (0, start);
        }
        let place = Place(self.piece.start + self.piece.at as u64);
        let rest = &self.piece.bytes[self.piece.at..];
        let (len, rest) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("cut short"))?;
        let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| damaged("too long"))?;
        let bytes = rest.get(..len).ok_or_else(|| damaged("cut short"))?;
        let change = read_change(bytes)?;
        self.piece.at += 8 + len;
        Ok(Some((place, if self.is_reversed { change.reversed() } else { change })))
    }
}

impl Iterator for RunReader<'_> {
    type Item = Result<(Place, Change), SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_change().transpose()
    }
}

fn damaged(why: &str) -> DecodeError {
    DecodeError::new("row change", why)
}

/// The bytes of a change: the same for equal changes only. Large values are named by their id.
pub(super) fn write_change(change: &Change, out: &mut Vec<u8>) {
    out.extend_from_slice(&change.count.to_le_bytes());
    out.extend_from_slice(&change.others.to_le_bytes());
    for values in [&change.before, &change.after] {
        out.extend_from_slice(&(values.len() as u64).to_le_bytes());
        for value in values {
            let head = out.len();
            out.extend_from_slice(&[0; 9]);
            match value {
                CellValue::Here(value) => {
                    out[head] = cell::tag_of(value.as_ref());
                    cell::write_payload(value.as_ref(), out);
                }
                CellValue::Apart(value) => {
                    out[head] = value.cell_tag();
                    out.extend_from_slice(&value.payload());
                }
            }
            let len = (out.len() - head - 9) as u64;
            out[head + 1..head + 9].copy_from_slice(&len.to_le_bytes());
        }
    }
}

fn read_change(bytes: &[u8]) -> Result<Change, DecodeError> {
    let mut rest = bytes;
    let mut take = |len: usize| {
        let (taken, left) = rest.split_at_checked(len).ok_or_else(|| damaged("cut short"))?;
        rest = left;
        Ok::<_, DecodeError>(taken)
    };
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes taken"));
    let count = number(take(8)?);
    let others = number(take(8)?);
    let mut sides = [Vec::new(), Vec::new()];
    for side in &mut sides {
        for _ in 0..number(take(8)?) {
            let tag = take(1)?[0];
            let len = usize::try_from(number(take(8)?)).map_err(|_| damaged("too long"))?;
            let payload = take(len)?;
            let cell = Cell { tag, payload };
            side.push(match cell.external()? {
                Some(value) => CellValue::Apart(value),
                None => CellValue::Here(cell::read_value(tag & !EXTERNAL, payload)?),
            });
        }
    }
    let [before, after] = sides;
    Ok(Change { before, after, count, others })
}

impl Verb {
    /// The verb of the change that undoes one of this verb.
    #[must_use]
    pub fn reversed(self) -> Verb {
        self.opposite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Kind;
    use crate::diff::ExternalValue;
    use crate::model::{ObjectId, Value};

    #[test]
    fn a_change_survives_the_spool() {
        let here = |values: [Value; 3]| values.map(CellValue::Here).to_vec();
        let mut after = here([Value::Float64(0), Value::Bytes(vec![0xff]), Value::Null]);
        let (id, len) = (ObjectId([7; 32]), 3 << 20);
        let large = ExternalValue { kind: Kind::ValueList, id, len, tag: cell::tag::TEXT };
        after.push(CellValue::Apart(large));
        let change = Change {
            before: here([Value::Int(1), Value::Text("a\0b".into()), Value::Null]),
            after,
            count: 3,
            others: 2,
        };
        let mut bytes = Vec::new();
        write_change(&change, &mut bytes);
        assert_eq!(read_change(&bytes).unwrap(), change);
        assert!(read_change(&bytes[..bytes.len() - 1]).is_err());
        assert_eq!(change.clone().reversed().reversed(), change);
    }
}
