//! A chunk as one blob: its blocks with their lengths, and no ids (`docs/format-git.md`).
//!
//! The blob holds what is needed to read the rows without anything else, except for the values that
//! are stored apart. The decoder is strict, and never allocates what a length merely claims.

use crate::codec::block::{self, Column, Keys};
use crate::codec::cell::ExternalValue;
use crate::codec::{DecodeError, key};
use crate::model::Value;
use crate::tree::{PlainChunk, PlainColumn};

/// What every such blob begins with: a name and a version.
const MAGIC: &[u8; 8] = b"ddbrows\x01";

/// A chunk, and the names of the columns that make its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkBlob {
    /// The columns of the key, in key order; none where rows are identified by their hash.
    pub key_columns: Vec<String>,
    /// The blocks.
    pub chunk: PlainChunk,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum ChunkCell {
    /// The value.
    Here(Value),
    /// How many bytes a value has that is stored apart.
    Apart(u64),
}

/// A row: the names and values of the columns that are not NULL, and how often it occurs.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkRow {
    /// The columns of the key, then the others by their names.
    pub cells: Vec<(String, ChunkCell)>,
    /// How often the row occurs.
    pub count: u64,
}

fn wrong(why: &str) -> DecodeError {
    DecodeError::new("blob of rows", why)
}

impl ChunkBlob {
    /// The bytes of the blob.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.chunk.rows.to_le_bytes());
        put_u16(self.key_columns.len(), &mut out);
        self.key_columns.iter().for_each(|name| put_name(name, &mut out));
        put_bytes(&self.chunk.keys, &mut out);
        put_bytes(self.chunk.counts.as_deref().unwrap_or(&[]), &mut out);
        put_u16(self.chunk.columns.len(), &mut out);
        for column in &self.chunk.columns {
            put_name(&column.name, &mut out);
            put_bytes(&column.plain, &mut out);
        }
        out
    }

    /// The chunk of such bytes.
    pub fn decode(bytes: &[u8]) -> Result<ChunkBlob, DecodeError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong("it begins otherwise"))?;
        let mut input = Input { rest };
        let rows = input.u32()?;
        let mut key_columns = Vec::new();
        for _ in 0..input.u16()? {
            key_columns.push(input.name()?);
        }
        let keys = input.bytes()?;
        let counts = Some(input.bytes()?).filter(|counts| !counts.is_empty());
        let mut columns = Vec::new();
        for _ in 0..input.u16()? {
            columns.push(PlainColumn { name: input.name()?, plain: input.bytes()? });
        }
        if !input.rest.is_empty() {
            return Err(wrong("bytes after its end"));
        }
        Ok(ChunkBlob { key_columns, chunk: PlainChunk { rows, keys, counts, columns } })
    }

    /// The values that its rows store apart.
    pub fn external_values(&self) -> Result<Vec<ExternalValue>, DecodeError> {
        let mut found = Vec::new();
        for column in &self.chunk.columns {
            if block::refers_to_objects(&column.plain)? {
                found.extend(block::external_values(&column.plain)?);
            }
        }
        Ok(found)
    }

    /// Hands on its rows, for people.
    pub fn rows(&self) -> Result<Vec<ChunkRow>, DecodeError> {
        let count = usize::try_from(self.chunk.rows).map_err(|_| wrong("too many rows"))?;
        let keys = Keys::decode(self.chunk.keys.clone(), count)?;
        let counts = match &self.chunk.counts {
            None => None,
            Some(plain) => Some(block::read_counts(plain, count)?),
        };
        let mut columns = Vec::new();
        for column in &self.chunk.columns {
            columns.push((column.name.as_str(), Column::decode(column.plain.clone(), count)?));
        }
        (0..count)
            .map(|row| {
                let mut cells = Vec::new();
                // A key that was cut cannot be decoded; its columns are then listed.
                let is_listed = columns.iter().any(|(name, _)| self.is_key(name));
                if !is_listed && !self.key_columns.is_empty() {
                    let values = key::decode(keys.key(row))?.values;
                    let named = self.key_columns.iter().cloned().zip(values);
                    cells.extend(named.map(|(name, value)| (name, ChunkCell::Here(value))));
                }
                for (name, column) in &columns {
                    let cell = column.cell(row);
                    let value = match cell.external()? {
                        Some(value) => ChunkCell::Apart(value.len),
                        None => ChunkCell::Here(cell.value()?),
                    };
                    if value != ChunkCell::Here(Value::Null) {
                        cells.push(((*name).to_owned(), value));
                    }
                }
                Ok(ChunkRow { cells, count: counts.as_ref().map_or(1, |counts| counts[row]) })
            })
            .collect()
    }

    fn is_key(&self, name: &str) -> bool {
        self.key_columns.iter().any(|column| column == name)
    }
}

fn put_u16(number: usize, out: &mut Vec<u8>) {
    let number = u16::try_from(number).expect("a table has fewer than 2^16 columns");
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_name(name: &str, out: &mut Vec<u8>) {
    put_u16(name.len(), out);
    out.extend_from_slice(name.as_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(bytes.len()).expect("a block is far below 4 GiB");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

struct Input<'a> {
    rest: &'a [u8],
}

impl Input<'_> {
    fn u16(&mut self) -> Result<u16, DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| wrong("cut short"))?;
        self.rest = rest;
        Ok(u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| wrong("cut short"))?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, DecodeError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(|| wrong("cut short"))?;
        self.rest = rest;
        Ok(bytes.to_vec())
    }

    fn bytes(&mut self) -> Result<Vec<u8>, DecodeError> {
        let len = usize::try_from(self.u32()?).map_err(|_| wrong("too long"))?;
        self.take(len)
    }

    fn name(&mut self) -> Result<String, DecodeError> {
        let len = usize::from(self.u16()?);
        String::from_utf8(self.take(len)?).map_err(|_| wrong("a name that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_read_as_it_was_written_and_no_other() {
        let column =
            |name: &str, plain: &[u8]| PlainColumn { name: name.into(), plain: plain.into() };
        let blob = ChunkBlob {
            key_columns: vec!["id".into(), "größe".into()],
            chunk: PlainChunk {
                rows: 7,
                keys: vec![1, 2, 3],
                counts: None,
                columns: vec![column("a", &[2, 0x10]), column("b", &[])],
            },
        };
        let bytes = blob.encode();
        assert_eq!(ChunkBlob::decode(&bytes).unwrap(), blob);
        for len in 0..bytes.len() {
            ChunkBlob::decode(&bytes[..len]).unwrap_err();
        }
        ChunkBlob::decode(&[bytes.as_slice(), &[0]].concat()).unwrap_err();
    }
}
