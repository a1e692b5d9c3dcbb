//! The values of one column of one chunk ↔ the plain bytes of their block.
//!
//! Building follows the rows and allocates nothing a value; decoding checks the form as a whole, so
//! that a cell is then a matter of two offsets.

use super::index;
use crate::codec::DecodeError;
use crate::codec::cell::{self, Cell, EXTERNAL, tag};

pub(in crate::codec) const MIXED: u8 = 0;
pub(in crate::codec) const UNIFORM: u8 = 1;
const CONSTANT: u8 = 2;

/// Collects the values of one column of one chunk.
#[derive(Debug, Default, Clone)]
pub struct ColumnBuilder {
    rows: usize,
    first_tag: u8,
    first_len: usize,
    /// One tag a row, once there are two different ones; empty before.
    tags: Vec<u8>,
    /// The lengths of payloads without a fixed one, as they will be written.
    lens: Vec<u8>,
    payloads: Vec<u8>,
    is_constant: bool,
    is_uniform: bool,
    has_external: bool,
}

impl ColumnBuilder {
    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.tags.clear();
        self.lens.clear();
        self.payloads.clear();
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds NULLs until there are `len` values.
    pub fn fill_nulls(&mut self, len: usize) {
        if self.rows >= len {
            return;
        }
        self.push(Cell::NULL);
        if !self.is_uniform {
            self.tags.resize(len, tag::NULL);
        }
        self.rows = len;
    }

    /// Adds the value of the next row.
    #[inline]
    pub fn push(&mut self, cell: Cell<'_>) {
        // Most columns have one tag and different values, and from then on nothing changes.
        let is_usual = self.is_uniform && !self.is_constant && cell.tag == self.first_tag;
        if is_usual && self.rows > 0 {
            self.rows += 1;
            self.append(cell);
        } else {
            self.push_unusual(cell);
        }
    }

    fn push_unusual(&mut self, cell: Cell<'_>) {
        if self.rows == 0 {
            (self.first_tag, self.first_len) = (cell.tag, cell.payload.len());
            (self.is_constant, self.is_uniform, self.has_external) = (true, true, false);
        } else if !self.is_uniform {
            self.tags.push(cell.tag);
        } else if cell.tag != self.first_tag {
            (self.is_constant, self.is_uniform) = (false, false);
            self.tags.resize(self.rows, self.first_tag);
            self.tags.push(cell.tag);
        } else if self.is_constant {
            self.is_constant = cell.payload == &self.payloads[..self.first_len];
        }
        self.rows += 1;
        self.has_external |= cell.tag & EXTERNAL != 0;
        self.append(cell);
    }

    #[inline]
    fn append(&mut self, cell: Cell<'_>) {
        if cell::is_variable(cell.tag) {
            let len = u32::try_from(cell.payload.len()).expect("inline payloads are short");
            self.lens.extend_from_slice(&len.to_le_bytes());
        }
        match <&[u8; 8]>::try_from(cell.payload) {
            Ok(word) => self.payloads.extend_from_slice(word),
            Err(_) => self.payloads.extend_from_slice(cell.payload),
        }
    }

    /// Whether every value is NULL: such a column is left out of its chunk.
    pub fn is_all_null(&self) -> bool {
        self.is_empty() || (self.is_constant && self.first_tag == tag::NULL)
    }

    /// Whether a value is stored apart.
    pub fn has_external(&self) -> bool {
        self.has_external && !self.is_empty()
    }

    /// Writes the plain bytes of the block into `out`, which is cleared first.
    ///
    /// # Panics
    ///
    /// Where there is no value: a chunk has at least one row.
    pub fn write(&self, out: &mut Vec<u8>) {
        assert!(self.rows > 0, "a block has at least one row");
        out.clear();
        if self.is_constant {
            out.extend_from_slice(&[CONSTANT, self.first_tag]);
            out.extend_from_slice(&self.payloads[..self.first_len]);
            return;
        }
        let rows = u32::try_from(self.rows).expect("a chunk has fewer than 2^32 rows");
        out.reserve(6 + self.tags.len() + self.lens.len() + self.payloads.len());
        out.push(if self.is_uniform { UNIFORM } else { MIXED });
        out.extend_from_slice(&rows.to_le_bytes());
        if self.is_uniform {
            out.push(self.first_tag);
        } else {
            out.extend_from_slice(&self.tags);
        }
        out.extend_from_slice(&self.lens);
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
pub(in crate::codec) struct Runs<'a> {
    pub(in crate::codec) rows: usize,
    /// One tag for all rows, or one a row.
    pub(in crate::codec) tags: &'a [u8],
    pub(in crate::codec) is_uniform: bool,
    /// The lengths of the payloads without a fixed length.
    pub(in crate::codec) lens: &'a [u8],
    pub(in crate::codec) payloads: &'a [u8],
}

impl Runs<'_> {
    fn tag(&self, row: usize) -> u8 {
        if self.is_uniform { self.tags[0] } else { self.tags[row] }
    }
}

/// The runs of a block; `None` for a constant.
pub(in crate::codec) fn runs(plain: &[u8]) -> Result<Option<Runs<'_>>, DecodeError> {
    let (&form, rest) = plain.split_first().ok_or_else(|| wrong("empty"))?;
    if form == CONSTANT {
        return Ok(None);
    }
    if form > CONSTANT {
        return Err(wrong("unknown form"));
    }
    let is_uniform = form == UNIFORM;
    let (rows, rest) = rest.split_first_chunk::<4>().ok_or_else(|| wrong("cut short"))?;
    let rows = index(u32::from_le_bytes(*rows));
    let tags = if is_uniform { 1 } else { rows };
    let (tags, rest) = rest.split_at_checked(tags).ok_or_else(|| wrong("cut short"))?;
    let mut variable = 0usize;
    for &tag in tags {
        variable += usize::from(cell::fixed_len(tag)?.is_none());
    }
    let lens = if is_uniform { variable.checked_mul(rows) } else { Some(variable) };
    let (lens, payloads) = lens
        .and_then(|lens| lens.checked_mul(4))
        .and_then(|len| rest.split_at_checked(len))
        .ok_or_else(|| wrong("cut short"))?;
    Ok(Some(Runs { rows, tags, is_uniform, lens, payloads }))
}

fn wrong(why: &str) -> DecodeError {
    DecodeError::new("column block", why)
}

impl Column {
    /// Decodes a block of a chunk with this many rows. Checks its structure, and that the builder
    /// would have chosen this form; a cell's content is checked when it is asked for, or by
    /// [`Column::check`].
    pub fn decode(plain: Vec<u8>, rows: usize) -> Result<Column, DecodeError> {
        if rows == 0 {
            return Err(wrong("a chunk has at least one row"));
        }
        let form = match runs(&plain)? {
            None => {
                let tag = *plain.get(1).ok_or_else(|| wrong("cut short"))?;
                let len = plain.len() - 2;
                let fits = cell::fixed_len(tag)?
                    .map_or(len <= cell::EXTERNAL_ABOVE, |fixed_len| fixed_len == len);
                if !fits || tag == tag::NULL {
                    return Err(wrong("a constant of the wrong length"));
                }
                Form::Constant
            }
            Some(runs) if runs.rows != rows => {
                return Err(wrong("not as many rows as its chunk"));
            }
            Some(runs) => form_of(&plain, &runs)?,
        };
        Ok(Column { plain, form })
    }

    /// The cell of a row, which must be below the chunk's number of rows.
    #[inline]
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

    /// The payloads, where every row has the same tag and all payloads its length: one after the
    /// other, from the first row on.
    pub fn fixed_payloads(&self) -> Option<(u8, usize, &[u8])> {
        match self.form {
            Form::Fixed { tag, start, width } => Some((tag, width, &self.plain[start..])),
            _ => None,
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

    /// Whether a value is stored apart.
    pub fn has_external(&self) -> bool {
        self.tags().iter().any(|tag| tag & EXTERNAL != 0)
    }

    /// The tags of the rows; only one where all have the same.
    fn tags(&self) -> &[u8] {
        match &self.form {
            Form::Constant => &self.plain[1..2],
            Form::Fixed { tag, .. } | Form::Variable { uniform_tag: Some(tag), .. } => {
                std::slice::from_ref(tag)
            }
            Form::Variable { uniform_tag: None, ends, .. } => &self.plain[5..5 + ends.len()],
        }
    }

    /// Checks every cell. That the form is the canonical one was checked by [`Column::decode`].
    pub fn check(&self, rows: usize) -> Result<(), DecodeError> {
        let payloads = match &self.form {
            Form::Constant => &self.plain[2..],
            Form::Fixed { start, .. } | Form::Variable { start, .. } => &self.plain[*start..],
        };
        // Any eight bytes are a number, and no cut through ASCII leaves half a character. Lengths
        // were checked with the form; that of a constant too.
        let is_free = |tag: &u8| matches!(*tag, tag::NULL | tag::INT | tag::FLOAT64 | tag::BYTES);
        let is_text = |tag: &u8| matches!(*tag, tag::NULL | tag::TEXT | tag::JSON | tag::OTHER);
        let tags = self.tags();
        if tags.iter().all(is_free) || (tags.iter().all(is_text) && payloads.is_ascii()) {
            return Ok(());
        }
        let rows = if self.is_constant() { rows.min(1) } else { rows };
        for row in 0..rows {
            let cell = self.cell(row);
            if cell.external()?.is_some() {
                continue;
            }
            if cell.payload.len() > cell::EXTERNAL_ABOVE {
                return Err(wrong("a payload that should be stored apart"));
            }
            match cell.tag {
                tag::INT | tag::FLOAT64 | tag::BYTES => {}
                tag::TEXT | tag::JSON | tag::OTHER => {
                    std::str::from_utf8(cell.payload)
                        .map_err(|_| wrong("text that is not UTF-8"))?;
                }
                _ => drop(cell.value()?),
            }
        }
        Ok(())
    }
}

fn form_of(plain: &[u8], runs: &Runs<'_>) -> Result<Form, DecodeError> {
    let start = plain.len() - runs.payloads.len();
    let uniform_tag = runs.is_uniform.then(|| runs.tags[0]);
    let fixed_width = match uniform_tag {
        Some(tag) => cell::fixed_len(tag)?,
        None => None,
    };
    let (form, may_be_constant) = match (uniform_tag, fixed_width) {
        (Some(tag), Some(width)) => {
            if width.checked_mul(runs.rows) != Some(runs.payloads.len()) || width == 0 {
                return Err(wrong("payloads of the wrong length"));
            }
            (Form::Fixed { tag, start, width }, true)
        }
        _ => {
            let lens_agree = runs.lens.chunks_exact(4).all(|len| len == &runs.lens[..4]);
            (Form::Variable { uniform_tag, start, ends: ends_of(runs)? }, lens_agree)
        }
    };
    let is_same = match uniform_tag {
        Some(_) => {
            let width = runs.payloads.len() / runs.rows;
            may_be_constant
                && runs.payloads[width..] == runs.payloads[..runs.payloads.len() - width]
        }
        None => runs.tags.iter().all(|tag| *tag == runs.tags[0]),
    };
    if is_same { Err(wrong("not in canonical form")) } else { Ok(form) }
}

/// Where the payload of each row ends, from the first one on.
fn ends_of(runs: &Runs<'_>) -> Result<Vec<u32>, DecodeError> {
    let mut lens = runs.lens.chunks_exact(4);
    let mut ends = Vec::with_capacity(runs.rows);
    let mut end = 0usize;
    for row in 0..runs.rows {
        end += match cell::fixed_len(runs.tag(row))? {
            Some(len) => len,
            None => {
                let len = lens.next().ok_or_else(|| wrong("cut short"))?;
                index(u32::from_le_bytes([len[0], len[1], len[2], len[3]]))
            }
        };
        ends.push(u32::try_from(end).map_err(|_| wrong("longer than 4 GiB"))?);
    }
    let is_short = |len: &[u8]| {
        index(u32::from_le_bytes([len[0], len[1], len[2], len[3]])) <= cell::EXTERNAL_ABOVE
    };
    if end != runs.payloads.len() {
        return Err(wrong("payloads of the wrong length"));
    }
    if !runs.lens.chunks_exact(4).all(is_short) {
        return Err(wrong("a payload that should be stored apart"));
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(number: i64) -> [u8; 8] {
        number.to_le_bytes()
    }

    #[test]
    fn nulls_before_between_and_after_values() {
        let (one, two) = (int(1), int(2));
        let mut builder = ColumnBuilder::default();
        for _ in 0..2 {
            builder.clear();
            builder.fill_nulls(2);
            assert!(builder.is_all_null());
            builder.push(Cell { tag: tag::INT, payload: &one });
            builder.fill_nulls(5);
            builder.push(Cell { tag: tag::INT, payload: &two });
            builder.fill_nulls(8);
            assert_eq!((builder.len(), builder.is_all_null()), (8, false));
            let mut plain = Vec::new();
            builder.write(&mut plain);
            let column = Column::decode(plain, 8).unwrap();
            column.check(8).unwrap();
            let ints: Vec<bool> = (0..8).map(|row| column.cell(row).tag == tag::INT).collect();
            assert_eq!(ints, [false, false, true, false, false, true, false, false]);
            assert_eq!(column.cell(5).payload, two);
        }
    }

    #[test]
    fn a_form_that_the_builder_would_not_choose_is_refused() {
        let mut uniform = vec![UNIFORM, 2, 0, 0, 0, tag::INT];
        uniform.extend_from_slice(&int(7));
        uniform.extend_from_slice(&int(7));
        assert!(Column::decode(uniform.clone(), 2).is_err());
        *uniform.last_mut().unwrap() = 1;
        assert!(Column::decode(uniform, 2).is_ok());
        let mut mixed = vec![MIXED, 2, 0, 0, 0, tag::BOOL, tag::BOOL, 0, 1];
        assert!(Column::decode(mixed.clone(), 2).is_err());
        mixed[5] = tag::NULL;
        mixed.pop();
        assert!(Column::decode(mixed, 2).is_ok());
    }
}
