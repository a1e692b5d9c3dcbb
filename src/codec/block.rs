//! Blocks: the values of one column, the keys, the multiplicities of a chunk
//! (`docs/format.md`, "Blocks").
//!
//! A column block has one of three forms, and which one follows from its content: *constant*
//! (every row has the same value), *uniform* (every row has the same type tag) or *mixed*. Tags,
//! lengths and payloads stand in runs of their own, so that storage codecs can pack them.

use super::cell::{self, Cell, EXTERNAL, ExternalValue, tag};
use super::{DecodeError, key};
use crate::model::ObjectId;

pub(super) const MIXED: u8 = 0;
pub(super) const UNIFORM: u8 = 1;
const CONSTANT: u8 = 2;

/// Collects the values of one column of one chunk.
#[derive(Debug, Default, Clone)]
pub struct ColumnBuilder {
    tags: Vec<u8>,
    lens: Vec<u32>,
    payloads: Vec<u8>,
    first_len: usize,
    is_constant: bool,
    is_uniform: bool,
    has_external: bool,
}

impl ColumnBuilder {
    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.tags.clear();
        self.lens.clear();
        self.payloads.clear();
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Adds NULLs until there are `len` values.
    pub fn fill_nulls(&mut self, len: usize) {
        while self.tags.len() < len {
            self.push(Cell::NULL);
        }
    }

    /// Adds the value of the next row.
    pub fn push(&mut self, cell: Cell<'_>) {
        if self.tags.is_empty() {
            self.first_len = cell.payload.len();
            (self.is_constant, self.is_uniform, self.has_external) = (true, true, false);
        } else if cell.tag != self.tags[0] {
            (self.is_constant, self.is_uniform) = (false, false);
        } else if self.is_constant {
            self.is_constant = cell.payload == &self.payloads[..self.first_len];
        }
        self.has_external |= cell.tag & EXTERNAL != 0;
        self.tags.push(cell.tag);
        if matches!(cell::fixed_len(cell.tag), Ok(None)) {
            let len = u32::try_from(cell.payload.len()).expect("inline payloads are short");
            self.lens.push(len);
        }
        self.payloads.extend_from_slice(cell.payload);
    }

    /// Whether every value is NULL: such a column is left out of its chunk.
    pub fn is_all_null(&self) -> bool {
        self.is_empty() || (self.is_constant && self.tags[0] == tag::NULL)
    }

    /// Whether a value is stored apart.
    pub fn has_external(&self) -> bool {
        self.has_external && !self.is_empty()
    }

    /// Writes the plain bytes of the block into `out`, which is cleared first.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        if self.is_constant {
            out.extend_from_slice(&[CONSTANT, self.tags[0]]);
            out.extend_from_slice(&self.payloads[..self.first_len]);
            return;
        }
        let rows = u32::try_from(self.tags.len()).expect("a chunk has fewer than 2^32 rows");
        out.push(if self.is_uniform { UNIFORM } else { MIXED });
        out.extend_from_slice(&rows.to_le_bytes());
        if self.is_uniform {
            out.push(self.tags[0]);
        } else {
            out.extend_from_slice(&self.tags);
        }
        for len in &self.lens {
            out.extend_from_slice(&len.to_le_bytes());
        }
        out.extend_from_slice(&self.payloads);
    }
}

/// A column block, decoded: gives the cell of any row.
#[derive(Debug, Clone)]
pub struct Column {
    plain: Vec<u8>,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Constant,
    /// Payloads of `width` bytes from `start` on.
    Fixed {
        tag: u8,
        start: usize,
        width: usize,
    },
    /// `ends[i]` is where the payload of row i ends; the first begins at `start`.
    Variable {
        uniform_tag: Option<u8>,
        start: usize,
        ends: Vec<u32>,
    },
}

/// The three runs of a block that is not constant.
pub(super) struct Runs<'a> {
    pub(super) rows: usize,
    /// One tag for all rows, or one a row.
    pub(super) tags: &'a [u8],
    /// The lengths of the payloads without a fixed length.
    pub(super) lens: &'a [u8],
    pub(super) payloads: &'a [u8],
}

impl Runs<'_> {
    pub(super) fn is_uniform(&self) -> bool {
        self.tags.len() == 1
    }

    pub(super) fn tag(&self, row: usize) -> u8 {
        if self.is_uniform() { self.tags[0] } else { self.tags[row] }
    }
}

pub(super) fn runs(plain: &[u8]) -> Result<Option<Runs<'_>>, DecodeError> {
    let (&form, rest) = plain.split_first().ok_or_else(|| wrong("empty"))?;
    if form == CONSTANT {
        return Ok(None);
    }
    if form > CONSTANT {
        return Err(wrong("unknown form"));
    }
    let (rows, rest) = rest.split_first_chunk::<4>().ok_or_else(|| wrong("cut short"))?;
    let rows = usize::try_from(u32::from_le_bytes(*rows)).map_err(|_| wrong("too many rows"))?;
    let tags = if form == UNIFORM { 1 } else { rows };
    let (tags, rest) = rest.split_at_checked(tags).ok_or_else(|| wrong("cut short"))?;
    let mut variable = 0usize;
    for &tag in tags {
        variable += usize::from(cell::fixed_len(tag)?.is_none());
    }
    if form == UNIFORM {
        variable *= rows;
    }
    let (lens, payloads) = variable
        .checked_mul(4)
        .and_then(|len| rest.split_at_checked(len))
        .ok_or_else(|| wrong("cut short"))?;
    Ok(Some(Runs { rows, tags, lens, payloads }))
}

fn wrong(why: &str) -> DecodeError {
    DecodeError::new("column block", why)
}

impl Column {
    /// Decodes a block of a chunk with this many rows. Checks its structure; a cell's content is
    /// checked when it is asked for, or by [`Column::check`].
    pub fn decode(plain: Vec<u8>, rows: usize) -> Result<Column, DecodeError> {
        let form = match runs(&plain)? {
            None => {
                let tag = *plain.get(1).ok_or_else(|| wrong("cut short"))?;
                let fits = cell::fixed_len(tag)?.is_none_or(|len| len == plain.len() - 2);
                if !fits || tag == tag::NULL {
                    return Err(wrong("a constant of the wrong length"));
                }
                Form::Constant
            }
            Some(runs) if runs.rows != rows || rows == 0 => {
                return Err(wrong("not as many rows as its chunk"));
            }
            Some(runs) => form_of(&plain, &runs)?,
        };
        Ok(Column { plain, form })
    }

    /// The cell of a row, which must be below the chunk's number of rows.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        match &self.form {
            Form::Constant => Cell { tag: self.plain[1], payload: &self.plain[2..] },
            Form::Fixed { tag, start, width } => {
                let at = start + row * width;
                Cell { tag: *tag, payload: &self.plain[at..at + width] }
            }
            Form::Variable { uniform_tag, start, ends } => {
                let tag = uniform_tag.unwrap_or_else(|| self.plain[5 + row]);
                let from = if row == 0 { 0 } else { index(ends[row - 1]) };
                Cell { tag, payload: &self.plain[start + from..start + index(ends[row])] }
            }
        }
    }

    /// Whether every row has the same value.
    pub fn is_constant(&self) -> bool {
        matches!(self.form, Form::Constant)
    }

    /// The plain bytes.
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Checks every cell, and that the encoder would have chosen this form.
    pub fn check(&self, rows: usize) -> Result<(), DecodeError> {
        let mut again = ColumnBuilder::default();
        for row in 0..rows {
            let cell = self.cell(row);
            match cell.external()? {
                Some(_) => {}
                None if cell.payload.len() > cell::EXTERNAL_ABOVE => {
                    return Err(wrong("a payload that should be stored apart"));
                }
                None => {
                    cell.value()?;
                }
            }
            again.push(cell);
        }
        let mut plain = Vec::with_capacity(self.plain.len());
        again.write(&mut plain);
        if plain != self.plain { Err(wrong("not in canonical form")) } else { Ok(()) }
    }
}

fn index(offset: u32) -> usize {
    usize::try_from(offset).expect("usize has at least 32 bits")
}

fn form_of(plain: &[u8], runs: &Runs<'_>) -> Result<Form, DecodeError> {
    let start = plain.len() - runs.payloads.len();
    if runs.is_uniform() {
        if let Some(width) = cell::fixed_len(runs.tags[0])? {
            if width.checked_mul(runs.rows) != Some(runs.payloads.len()) || width == 0 {
                return Err(wrong("payloads of the wrong length"));
            }
            return Ok(Form::Fixed { tag: runs.tags[0], start, width });
        }
    }
    let mut lens = runs.lens.chunks_exact(4);
    let mut ends = Vec::with_capacity(runs.rows);
    let mut end = 0u32;
    for row in 0..runs.rows {
        let len = match cell::fixed_len(runs.tag(row))? {
            Some(len) => u32::try_from(len).map_err(|_| wrong("too long"))?,
            None => {
                let len = lens.next().ok_or_else(|| wrong("cut short"))?;
                u32::from_le_bytes([len[0], len[1], len[2], len[3]])
            }
        };
        end = end.checked_add(len).ok_or_else(|| wrong("longer than 4 GiB"))?;
        ends.push(end);
    }
    if index(end) != runs.payloads.len() {
        return Err(wrong("payloads of the wrong length"));
    }
    Ok(Form::Variable { uniform_tag: runs.is_uniform().then(|| runs.tags[0]), start, ends })
}

/// The number of rows a block that stands alone speaks of: one for a constant.
fn rows_alone(plain: &[u8]) -> Result<usize, DecodeError> {
    Ok(runs(plain)?.map_or(1, |runs| runs.rows))
}

/// The values that a `ValueColumn` stores apart.
pub fn external_values(plain: &[u8]) -> Result<Vec<ExternalValue>, DecodeError> {
    let rows = rows_alone(plain)?;
    let column = Column::decode(plain.to_vec(), rows)?;
    let mut found = Vec::new();
    for row in 0..rows {
        found.extend(column.cell(row).external()?);
    }
    Ok(found)
}

/// The tables that a `TableColumn` lists.
pub fn table_ids(plain: &[u8]) -> Result<Vec<ObjectId>, DecodeError> {
    let rows = rows_alone(plain)?;
    let column = Column::decode(plain.to_vec(), rows)?;
    (0..rows).map(|row| table_id(column.cell(row))).collect()
}

/// The table that a cell of a `TableColumn` names.
pub fn table_id(cell: Cell<'_>) -> Result<ObjectId, DecodeError> {
    match (cell.tag, <[u8; 32]>::try_from(cell.payload)) {
        (tag::BYTES, Ok(id)) => Ok(ObjectId(id)),
        _ => Err(DecodeError::new("table column", "a cell that is no id")),
    }
}

/// The plain bytes of a `ValueList`: the length of the value and the ids of its pieces.
pub fn write_value_list(len: u64, pieces: &[ObjectId]) -> Vec<u8> {
    let mut plain = len.to_le_bytes().to_vec();
    plain.extend(pieces.iter().flat_map(|piece| piece.0));
    plain
}

/// The pieces of a `ValueList`.
pub fn value_pieces(plain: &[u8]) -> Result<Vec<ObjectId>, DecodeError> {
    let wrong = |why: &str| DecodeError::new("value list", why);
    let (len, ids) = plain.split_first_chunk::<8>().ok_or_else(|| wrong("cut short"))?;
    let len = u64::from_le_bytes(*len);
    let pieces: Vec<ObjectId> = ids
        .chunks(32)
        .map(|id| id.try_into().map(ObjectId).map_err(|_| wrong("an id has 32 bytes")))
        .collect::<Result<_, _>>()?;
    if pieces.len() < 2 || len.div_ceil(cell::PIECE_LEN as u64) != pieces.len() as u64 {
        return Err(wrong("not as many pieces as its length needs"));
    }
    Ok(pieces)
}

/// Writes the plain bytes of a block of keys: `u32 rows`, `u32 common length or 0`, the lengths
/// where they differ, and the keys.
pub fn write_keys<'k>(keys: impl Iterator<Item = &'k [u8]> + Clone, out: &mut Vec<u8>) {
    out.clear();
    let rows = u32::try_from(keys.clone().count()).expect("a chunk has fewer than 2^32 rows");
    out.extend_from_slice(&rows.to_le_bytes());
    let len = |key: &[u8]| u32::try_from(key.len()).expect("keys are short");
    let first = keys.clone().next().map_or(0, len);
    let common = if keys.clone().all(|key| len(key) == first) { first } else { 0 };
    out.extend_from_slice(&common.to_le_bytes());
    if common == 0 {
        keys.clone().for_each(|key| out.extend_from_slice(&len(key).to_le_bytes()));
    }
    keys.for_each(|key| out.extend_from_slice(key));
}

/// A block of keys, decoded.
#[derive(Debug, Clone)]
pub struct Keys {
    plain: Vec<u8>,
    /// Where each key ends within `plain`; the first begins at `start`.
    ends: Vec<u32>,
    start: usize,
}

impl Keys {
    /// Decodes the keys of a chunk: strictly ascending, none empty, none longer than a cut key.
    pub fn decode(plain: Vec<u8>, rows: usize) -> Result<Keys, DecodeError> {
        let wrong = |why: &str| DecodeError::new("key block", why);
        let (head, rest) = plain.split_first_chunk::<8>().ok_or_else(|| wrong("cut short"))?;
        let count = index(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
        let common = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if count != rows || rows == 0 {
            return Err(wrong("not as many keys as its chunk has rows"));
        }
        let lens_len = if common == 0 { rows.checked_mul(4) } else { Some(0) };
        let (lens, keys) = lens_len
            .and_then(|len| rest.split_at_checked(len))
            .ok_or_else(|| wrong("cut short"))?;
        let start = plain.len() - keys.len();
        if common != 0 && rows.checked_mul(index(common)) != Some(keys.len()) {
            return Err(wrong("keys of the wrong length"));
        }
        let mut ends = Vec::with_capacity(rows);
        let mut end = start;
        let mut lens = lens.chunks_exact(4);
        for _ in 0..rows {
            let len = match lens.next() {
                Some(len) => index(u32::from_le_bytes([len[0], len[1], len[2], len[3]])),
                None => index(common),
            };
            if len == 0 || (len > key::LONG_KEY && len != key::CUT_KEY) {
                return Err(wrong("a key of an impossible length"));
            }
            end += len;
            ends.push(u32::try_from(end).map_err(|_| wrong("longer than 4 GiB"))?);
        }
        if end != plain.len() {
            return Err(wrong("keys of the wrong length"));
        }
        let decoded = Keys { plain, ends, start };
        let ascending = (1..rows).all(|row| decoded.key(row - 1) < decoded.key(row));
        if !ascending {
            return Err(wrong("keys out of order"));
        }
        let lengths_agree = (1..rows).all(|row| decoded.key(row).len() == decoded.key(0).len());
        if lengths_agree != (common != 0) {
            return Err(wrong("not in canonical form"));
        }
        Ok(decoded)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no key; never the case for a decoded block.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The plain bytes.
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// The key of a row.
    pub fn key(&self, row: usize) -> &[u8] {
        let from = if row == 0 { self.start } else { index(self.ends[row - 1]) };
        &self.plain[from..index(self.ends[row])]
    }

    /// The first row whose key is not below `key`.
    pub fn lower_bound(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) < key { low = middle + 1 } else { high = middle }
        }
        low
    }
}

/// The plain bytes of a block of multiplicities, or `None` where all are 1.
pub fn write_counts(counts: &[u64]) -> Option<Vec<u8>> {
    counts
        .iter()
        .any(|&count| count != 1)
        .then(|| counts.iter().flat_map(|count| count.to_le_bytes()).collect())
}

/// The multiplicities of a chunk.
pub fn read_counts(plain: &[u8], rows: usize) -> Result<Vec<u64>, DecodeError> {
    let wrong = |why: &str| DecodeError::new("multiplicity block", why);
    if rows.checked_mul(8) != Some(plain.len()) {
        return Err(wrong("not as many counts as its chunk has rows"));
    }
    let counts: Vec<u64> = plain
        .chunks_exact(8)
        .map(|count| u64::from_le_bytes(count.try_into().expect("chunks of 8 bytes")))
        .collect();
    if counts.contains(&0) || counts.iter().all(|&count| count == 1) {
        return Err(wrong("not in canonical form"));
    }
    Ok(counts)
}
