//! The rows of a chunk, written as they were when they were hashed.
//!
//! From column blocks straight to the frames of `codec::row_hash`: no value is made of a cell, and
//! the memory is kept from chunk to chunk.

use super::chunk::LoadedChunk;
use super::error::TreeError;
use crate::codec::block::Column;
use crate::codec::cell::{Cell, tag};
use crate::codec::hash::FRAME_LEN;
use crate::codec::{Hasher, key, row, row_hash};
use crate::model::{ObjectId, Value};

/// After a chunk of more bytes than this the memory is given back.
const KEPT: usize = 8 << 20;

/// The rows of one chunk in the frames of their hashes.
#[derive(Default)]
pub(super) struct FramedRows {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    preimage_end: usize,
    end: usize,
}

impl FramedRows {
    /// Takes the rows of a chunk in place of those that were here.
    pub(super) fn read(&mut self, chunk: &LoadedChunk<'_>) -> Result<(), TreeError> {
        self.clear();
        let writer = CellWriter::new(chunk)?;
        for row in 0..chunk.len() {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&[0; FRAME_LEN]);
            writer.write(row, &mut self.bytes)?;
            let preimage_end = self.bytes.len();
            row_hash::close_frame(&mut self.bytes, start);
            self.spans.push(Span { start, preimage_end, end: self.bytes.len() });
        }
        Ok(())
    }

    /// Forgets the rows.
    pub(super) fn clear(&mut self) {
        self.spans.clear();
        self.bytes.clear();
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }

    /// The length of a row's preimage; 0 where the row is not here.
    pub(super) fn preimage_len(&self, row: usize) -> u64 {
        let len = |span: &Span| span.preimage_end - span.start - FRAME_LEN;
        u64::try_from(self.spans.get(row).map_or(0, len)).expect("a length in memory")
    }

    /// Appends the hashes of all rows.
    pub(super) fn hash(&self, hasher: &Hasher, hashes: &mut Vec<ObjectId>) {
        let frames = self.spans.iter().map(|span| &self.bytes[span.start..span.end]);
        row_hash::hash_rows(hasher, frames, hashes);
    }
}

/// Writes the rows of a chunk as they were encoded, from where their cells lie.
pub(super) struct CellWriter<'c, 'o> {
    chunk: &'c LoadedChunk<'o>,
    /// The columns that are not NULL all over.
    sources: Vec<Source<'c>>,
}

/// Where the cells of a column come from.
enum Source<'c> {
    /// The same tag and width in every row: the beginning of its cells, and the payloads.
    Fixed { head: Head, width: usize, payloads: &'c [u8] },
    /// Any other column: its name as it stands before a cell.
    Column { name: Head, column: &'c Column },
    /// A part of the key.
    Key { index: usize, position: usize },
}

impl<'c, 'o> CellWriter<'c, 'o> {
    pub(super) fn new(chunk: &'c LoadedChunk<'o>) -> Result<Self, TreeError> {
        let layout = &chunk.plan().layout;
        let mut sources = Vec::with_capacity(layout.column_count());
        for index in 0..layout.column_count() {
            if let Some(column) = chunk.column(index)? {
                sources.push(match column.fixed_payloads() {
                    Some((tag, width, payloads)) => {
                        let head = Head::new(layout.cell_head(index, tag, width));
                        Source::Fixed { head, width, payloads }
                    }
                    None => Source::Column { name: Head::new(layout.cell_name(index)), column },
                });
            } else if let Some(position) = chunk.key_position(index) {
                sources.push(Source::Key { index, position });
            }
        }
        Ok(CellWriter { chunk, sources })
    }

    /// Appends the preimage of a row's hash.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), TreeError> {
        let mut key_values = None;
        for source in &self.sources {
            match source {
                Source::Fixed { head, width: 8, payloads } => {
                    head.write(out);
                    let word = payloads[row * 8..].first_chunk::<8>().expect("one a row");
                    out.extend_from_slice(word);
                }
                Source::Fixed { head, width, payloads } => {
                    head.write(out);
                    out.extend_from_slice(&payloads[row * width..(row + 1) * width]);
                }
                Source::Column { name, column } => {
                    let cell = column.cell(row);
                    if !cell.is_null() {
                        name.write(out);
                        row::write_tagged(cell, out);
                    }
                }
                Source::Key { index, position } => {
                    self.write_key_cell(row, *index, *position, &mut key_values, out)?;
                }
            }
        }
        Ok(())
    }

    /// Appends the cell of a column whose values stand in the key. `values` holds the key's values
    /// once they were needed.
    fn write_key_cell(
        &self,
        row: usize,
        index: usize,
        position: usize,
        values: &mut Option<Vec<Value>>,
        out: &mut Vec<u8>,
    ) -> Result<(), TreeError> {
        let layout = &self.chunk.plan().layout;
        let whole = self.chunk.key(row)?;
        if let Some(number) = key::integer_at(whole, layout.key_len(), position) {
            let payload = number.to_le_bytes();
            layout.write_cell(index, Cell { tag: tag::INT, payload: &payload }, out);
            return Ok(());
        }
        let values = match values {
            Some(values) => values,
            none => none.insert(self.chunk.key_values(row)?),
        };
        let (tag, payload) = self.chunk.cell_of(&values[position]);
        layout.write_cell(index, Cell { tag, payload: &payload }, out);
        Ok(())
    }
}

/// The bytes that a column's cells begin with. Most are few, and are copied as one block of a
/// known length, of which the rest is cut off again: faster than a copy of any length.
struct Head {
    short: [u8; Head::SHORT],
    whole: Vec<u8>,
}

impl Head {
    const SHORT: usize = 32;

    fn new(whole: Vec<u8>) -> Head {
        let mut short = [0; Head::SHORT];
        if let Some(part) = short.get_mut(..whole.len()) {
            part.copy_from_slice(&whole);
        }
        Head { short, whole }
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        if self.whole.len() > Head::SHORT {
            return out.extend_from_slice(&self.whole);
        }
        let end = out.len() + self.whole.len();
        out.extend_from_slice(&self.short);
        out.truncate(end);
    }
}
