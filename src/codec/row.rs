//! Rows as an engine gives them → canonical rows: the preimage of the row hash, and the key.
//!
//! A canonical row is the concatenation, over the non-null columns in byte order of their names,
//! of `u16 name length, name, u8 tag, u16 payload length, payload`. Its hash is the row hash, so
//! nothing is copied between encoding and hashing (`codec::row_hash`). Values above 4 KiB are handed to a
//! [`LargeValues`] and enter by length and id.

use super::cell::{self, Cell, EXTERNAL, EXTERNAL_ABOVE, ExternalValue, tag};
use super::hash::FRAME_LEN;
use super::{DecodeError, Hasher, key, row_hash};
use crate::model::{Flow, ObjectId, RowKey, RowSink, SinkError, TableSpec, ValueRef};

/// Takes values that are stored apart.
pub trait LargeValues {
    /// Stores a payload longer than [`EXTERNAL_ABOVE`] and gives the id of its `Value` or
    /// `ValueList`.
    fn put(&mut self, payload: &[u8]) -> Result<ObjectId, SinkError>;
}

/// Rows, encoded one after the other.
#[derive(Debug, Default)]
pub struct RowBatch {
    bytes: Vec<u8>,
    rows: Vec<RowSpan>,
}

#[derive(Debug, Clone, Copy)]
struct RowSpan {
    /// Where the frame of the row begins.
    start: usize,
    /// Where the preimage ends and the padding of the frame begins.
    preimage_end: usize,
    /// Where the frame ends and the key begins.
    key: usize,
    end: usize,
}

/// A row of a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchRow<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// The preimage of the row hash in its frame: a header, the preimage, padding.
    pub framed: &'a [u8],
    /// The preimage of the row hash.
    pub preimage: &'a [u8],
}

impl RowBatch {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many bytes the rows take.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The row at `index`.
    pub fn row(&self, index: usize) -> BatchRow<'_> {
        let span = self.rows[index];
        BatchRow {
            key: &self.bytes[span.key..span.end],
            framed: &self.bytes[span.start..span.key],
            preimage: &self.bytes[span.start + FRAME_LEN..span.preimage_end],
        }
    }

    /// The row hash at `index`. Many at once are hashed faster by [`row_hash::hash_rows`].
    pub fn hash_row(&self, index: usize, hasher: &Hasher) -> ObjectId {
        row_hash::hash_row(hasher, self.row(index).framed)
    }

    /// Adds a row by its preimage and key, as when rows come back from a sort.
    pub fn push_row(&mut self, preimage: &[u8], key: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0u8; FRAME_LEN]);
        self.bytes.extend_from_slice(preimage);
        let preimage_end = self.bytes.len();
        row_hash::close_frame(&mut self.bytes, start);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.rows.push(RowSpan { start, preimage_end, key: at, end: self.bytes.len() });
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }
}

/// How the rows of one table are encoded.
#[derive(Debug, Clone)]
pub struct RowLayout {
    columns: Vec<LayoutColumn>,
    key_len: usize,
    may_be_null: bool,
}

#[derive(Debug, Clone)]
struct LayoutColumn {
    /// `u16 name length, name`.
    prefix: Vec<u8>,
    /// The prefix with room behind it, where it is short: one copy of a fixed length.
    start: Option<[u8; START]>,
    /// The first eight bytes of the prefix, and which of their bits belong to it.
    head: u64,
    mask: u64,
    /// The last eight bytes of a prefix of nine to sixteen: with the first ones that is all of it.
    tail: Option<[u8; 8]>,
    key_position: Option<usize>,
}

/// How many bytes [`LayoutColumn::start`] has. A prefix, tag, length and eight bytes of payload fit.
const START: usize = 32;

/// A tag and the length of a payload.
const CELL_HEAD: usize = 3;

impl LayoutColumn {
    fn new(name: &str, key_position: Option<usize>) -> Option<Self> {
        let mut prefix = u16::try_from(name.len()).ok()?.to_le_bytes().to_vec();
        prefix.extend_from_slice(name.as_bytes());
        let (mut head, mut mask) = ([0u8; 8], [0u8; 8]);
        for (place, &byte) in prefix.iter().take(8).enumerate() {
            (head[place], mask[place]) = (byte, 0xFF);
        }
        let (head, mask) = (u64::from_le_bytes(head), u64::from_le_bytes(mask));
        let tail = prefix.last_chunk::<8>().copied().filter(|_| (9..=16).contains(&prefix.len()));
        let mut start = [0u8; START];
        let start = (prefix.len() + CELL_HEAD + 8 <= START).then(|| {
            start[..prefix.len()].copy_from_slice(&prefix);
            start
        });
        Some(LayoutColumn { prefix, start, head, mask, tail, key_position })
    }

    /// Appends the prefix and zeros for the `len` bytes, at most eleven, that follow it; gives
    /// those.
    #[inline(always)]
    fn begin<'o>(&self, len: usize, out: &'o mut Vec<u8>) -> &'o mut [u8] {
        let at = out.len() + self.prefix.len();
        match &self.start {
            Some(start) => out.extend_from_slice(start),
            None => {
                out.extend_from_slice(&self.prefix);
                out.extend_from_slice(&[0; CELL_HEAD + 8]);
            }
        }
        out.truncate(at + len);
        &mut out[at..]
    }

    /// Whether a row goes on with a cell of this column. Most names are short, and one comparison
    /// decides.
    #[inline(always)]
    fn begins(&self, rest: &[u8]) -> bool {
        match rest.first_chunk::<8>() {
            Some(head) if u64::from_le_bytes(*head) & self.mask != self.head => false,
            Some(_) if self.prefix.len() <= 8 => true,
            Some(_) if self.tail.is_some() => {
                let before = self.prefix.len() - 8;
                rest.get(before..).and_then(<[u8]>::first_chunk::<8>).copied() == self.tail
            }
            _ => rest.starts_with(&self.prefix),
        }
    }
}

/// A table whose rows cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A name above 65,535 bytes.
    #[error("table {table}: the name of a column is longer than 65,535 bytes")]
    LongName {
        /// The table.
        table: String,
    },
    /// The key names a column that is not read.
    #[error("table {table}: key column {column} is not among the columns that are read")]
    NoKeyColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

impl RowLayout {
    /// The layout of a table.
    pub fn new(table: &TableSpec) -> Result<Self, LayoutError> {
        let keys = table.key.column_names();
        for name in &keys {
            if !table.columns.iter().any(|column| column.name == *name) {
                return Err(LayoutError::NoKeyColumn {
                    table: table.name.to_string(),
                    column: (*name).to_owned(),
                });
            }
        }
        let columns = table
            .columns
            .iter()
            .map(|column| {
                let key_position = keys.iter().position(|name| *name == column.name);
                LayoutColumn::new(&column.name, key_position)
                    .ok_or_else(|| LayoutError::LongName { table: table.name.to_string() })
            })
            .collect::<Result<_, _>>()?;
        let may_be_null = match table.key {
            RowKey::Columns { may_be_null, .. } => may_be_null,
            RowKey::RowHash => false,
        };
        Ok(RowLayout { columns, key_len: keys.len(), may_be_null })
    }

    /// Whether rows may occur more than once under one key.
    pub fn has_multiplicities(&self) -> bool {
        self.key_len == 0 || self.may_be_null
    }

    /// How many columns there are.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// How many columns the key has; none where a row's own hash is its key.
    pub fn key_len(&self) -> usize {
        self.key_len
    }

    /// Where in the key the column at `index` stands.
    pub fn key_position(&self, index: usize) -> Option<usize> {
        self.columns[index].key_position
    }

    /// Appends the cell of the column at `index` to a preimage; NULL adds nothing. Cells must come
    /// in the order of columns.
    pub fn write_cell(&self, index: usize, cell: Cell<'_>, preimage: &mut Vec<u8>) {
        if !cell.is_null() {
            preimage.extend_from_slice(&self.columns[index].prefix);
            write_tagged(cell, preimage);
        }
    }

    /// What stands before the tag in the cells of the column at `index`.
    pub fn cell_name(&self, index: usize) -> Vec<u8> {
        self.columns[index].prefix.clone()
    }

    /// What stands before the payload, where the tag and the payload's length are known.
    pub fn cell_head(&self, index: usize, tag: u8, len: usize) -> Vec<u8> {
        let [low, high] = payload_len(len).to_le_bytes();
        [self.columns[index].prefix.as_slice(), &[tag, low, high]].concat()
    }

    /// Whether the column at `index` is part of the key.
    pub fn is_key_column(&self, index: usize) -> bool {
        self.columns[index].key_position.is_some()
    }

    /// The name of the column at `index`.
    pub fn column_name(&self, index: usize) -> &[u8] {
        &self.columns[index].prefix[2..]
    }

    /// The cells of a preimage that this layout wrote, with the index of their column.
    pub fn cells<'a>(&'a self, preimage: &'a [u8]) -> RowCells<'a> {
        RowCells { layout: self, rest: preimage, column: 0 }
    }
}

/// Iterates over the non-null cells of a row: column index and cell.
pub struct RowCells<'a> {
    layout: &'a RowLayout,
    rest: &'a [u8],
    column: usize,
}

impl<'a> Iterator for RowCells<'a> {
    type Item = Result<(usize, Cell<'a>), DecodeError>;

    // Called for every cell of every row: what is handed over in memory costs more than the work.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let next = self.read();
        if next.is_none() {
            self.rest = &[];
        }
        Some(next.ok_or_else(|| DecodeError::new("row", "not a row of this table")))
    }
}

impl<'a> RowCells<'a> {
    #[inline(always)]
    fn read(&mut self) -> Option<(usize, Cell<'a>)> {
        let columns = self.layout.columns.get(self.column..)?;
        let skipped = columns.iter().position(|column| column.begins(self.rest))?;
        let column = self.column + skipped;
        let rest = &self.rest[columns[skipped].prefix.len()..];
        let (head, rest) = rest.split_first_chunk::<3>()?;
        let len = usize::from(u16::from_le_bytes([head[1], head[2]]));
        let (payload, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        self.column = column + 1;
        Some((column, Cell { tag: head[0], payload }))
    }
}

/// Encodes rows into batches and hands each full one on.
pub struct RowEncoder<'a, L, F> {
    layout: &'a RowLayout,
    hasher: &'a Hasher,
    large: L,
    batch: RowBatch,
    limit: usize,
    on_batch: F,
    column: usize,
    row_start: usize,
    key_parts: Vec<Vec<u8>>,
    key_has_null: bool,
}

impl<'a, L, F> RowEncoder<'a, L, F>
where
    L: LargeValues,
    F: FnMut(RowBatch) -> Result<(RowBatch, Flow), SinkError>,
{
    /// An encoder that calls `on_batch` whenever a batch has reached `limit` bytes. `on_batch`
    /// gives back an empty batch, new or used, to go on with.
    pub fn new(
        layout: &'a RowLayout,
        hasher: &'a Hasher,
        large: L,
        limit: usize,
        on_batch: F,
    ) -> Self {
        let mut encoder = RowEncoder {
            layout,
            hasher,
            large,
            batch: RowBatch::default(),
            limit,
            on_batch,
            column: 0,
            row_start: 0,
            key_parts: vec![Vec::new(); layout.key_len],
            key_has_null: false,
        };
        encoder.start_row();
        encoder
    }

    /// Hands on the rows that are still here.
    pub fn finish(mut self) -> Result<L, SinkError> {
        if !self.batch.is_empty() {
            self.batch.bytes.truncate(self.row_start);
            (self.on_batch)(self.batch)?;
        }
        Ok(self.large)
    }

    fn start_row(&mut self) {
        self.row_start = self.batch.bytes.len();
        self.batch.bytes.extend_from_slice(&[0u8; FRAME_LEN]);
        self.column = 0;
        self.key_has_null = false;
    }

    /// Takes the next cell of the row as a value that is stored apart already; never one of the
    /// key.
    pub fn apart(&mut self, value: &ExternalValue) -> Result<(), SinkError> {
        let layout = self.layout;
        let column = layout.columns.get(self.column).ok_or("more cells than columns")?;
        if column.key_position.is_some() {
            return Err("a value of the key that is stored apart".into());
        }
        layout.write_cell(
            self.column,
            Cell { tag: value.cell_tag(), payload: &value.payload() },
            &mut self.batch.bytes,
        );
        self.column += 1;
        Ok(())
    }

    /// Writes a value of any kind and length but NULL.
    fn write_value(&mut self, column: &LayoutColumn, value: ValueRef<'_>) -> Result<(), SinkError> {
        let out = &mut self.batch.bytes;
        out.extend_from_slice(&column.prefix);
        let head = out.len();
        out.extend_from_slice(&[cell::tag_of(value), 0, 0]);
        let large = cell::borrowed_payload(&value).filter(|bytes| bytes.len() > EXTERNAL_ABOVE);
        if let Some(payload) = large {
            let id = self.large.put(payload)?;
            write_external(out, head, payload.len(), &id);
            return Ok(());
        }
        cell::write_payload(value, out);
        let len = out.len() - head - 3;
        if len > EXTERNAL_ABOVE {
            let id = self.large.put(&out[head + 3..])?;
            out.truncate(head + 3);
            write_external(out, head, len, &id);
            return Ok(());
        }
        out[head + 1..head + 3].copy_from_slice(&payload_len(len).to_le_bytes());
        Ok(())
    }

    fn write_key(&mut self) {
        let preimage_end = self.batch.bytes.len();
        row_hash::close_frame(&mut self.batch.bytes, self.row_start);
        let start = self.batch.bytes.len();
        for part in &mut self.key_parts {
            self.batch.bytes.extend_from_slice(part);
            part.clear();
        }
        if self.layout.key_len == 0 || self.key_has_null {
            let row = &self.batch.bytes[self.row_start..start];
            let hash = row_hash::hash_row(self.hasher, row);
            key::write_row_hash(&hash, &mut self.batch.bytes);
        }
        key::finish(&mut self.batch.bytes, start, self.hasher);
        let end = self.batch.bytes.len();
        let row = RowSpan { start: self.row_start, preimage_end, key: start, end };
        self.batch.rows.push(row);
    }
}

impl<L, F> RowSink for RowEncoder<'_, L, F>
where
    L: LargeValues,
    F: FnMut(RowBatch) -> Result<(RowBatch, Flow), SinkError>,
{
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        let layout = self.layout;
        let column = layout.columns.get(self.column).ok_or("more cells than columns")?;
        self.column += 1;
        if let Some(position) = column.key_position {
            key::write_component(value, &mut self.key_parts[position]);
            self.key_has_null |= matches!(value, ValueRef::Null);
        }
        let out = &mut self.batch.bytes;
        match value {
            ValueRef::Null => {}
            ValueRef::Int(n) => write_word(column, tag::INT, n.to_le_bytes(), out),
            ValueRef::Float64(bits) => write_word(column, tag::FLOAT64, bits.to_le_bytes(), out),
            ValueRef::Text(text) if text.len() <= EXTERNAL_ABOVE => {
                write_short(column, tag::TEXT, text.as_bytes(), out);
            }
            ValueRef::Json(text) if text.len() <= EXTERNAL_ABOVE => {
                write_short(column, tag::JSON, text.as_bytes(), out);
            }
            ValueRef::Bool(b) => write_short(column, tag::BOOL, &[u8::from(b)], out),
            ValueRef::DateTime(at) => {
                write_short(column, tag::DATE_TIME, &cell::date_time_payload(at), out);
            }
            ValueRef::Timestamp(at) => {
                write_short(column, tag::TIMESTAMP, &cell::date_time_payload(at), out);
            }
            value => self.write_value(column, value)?,
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        if self.column != self.layout.columns.len() {
            return Err("fewer cells than columns".into());
        }
        if self.key_has_null && !self.layout.may_be_null {
            return Err("a key column is NULL where the key allows none".into());
        }
        self.write_key();
        let mut flow = Flow::Continue;
        if self.batch.bytes.len() >= self.limit {
            let full = std::mem::take(&mut self.batch);
            (self.batch, flow) = (self.on_batch)(full)?;
        }
        self.start_row();
        Ok(flow)
    }
}

/// Appends the part of a cell that follows its column's name.
#[inline]
pub fn write_tagged(cell: Cell<'_>, preimage: &mut Vec<u8>) {
    let [low, high] = payload_len(cell.payload.len()).to_le_bytes();
    preimage.extend_from_slice(&[cell.tag, low, high]);
    preimage.extend_from_slice(cell.payload);
}

fn payload_len(len: usize) -> u16 {
    u16::try_from(len).expect("inline payloads are at most 4 KiB")
}

/// Writes a cell of eight bytes, the most frequent kind, in copies of fixed lengths.
fn write_word(column: &LayoutColumn, tag: u8, word: [u8; 8], out: &mut Vec<u8>) {
    let mut cell = [0u8; CELL_HEAD + 8];
    (cell[0], cell[1]) = (tag, 8);
    cell[CELL_HEAD..].copy_from_slice(&word);
    column.begin(cell.len(), out).copy_from_slice(&cell);
}

/// Writes a cell whose payload is at most 4 KiB.
#[inline]
fn write_short(column: &LayoutColumn, tag: u8, payload: &[u8], out: &mut Vec<u8>) {
    let [low, high] = payload_len(payload.len()).to_le_bytes();
    column.begin(CELL_HEAD, out).copy_from_slice(&[tag, low, high]);
    out.extend_from_slice(payload);
}

fn write_external(out: &mut Vec<u8>, head: usize, len: usize, id: &ObjectId) {
    out[head] |= EXTERNAL;
    let payload_len = u16::try_from(cell::EXTERNAL_LEN).expect("40 fits");
    out[head + 1..head + 3].copy_from_slice(&payload_len.to_le_bytes());
    out.extend_from_slice(&(len as u64).to_le_bytes());
    out.extend_from_slice(&id.0);
}
