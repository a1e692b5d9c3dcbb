//! Key blocks and multiplicities of a chunk ↔ their plain bytes (`docs/format.md`, "Blocks").
//!
//! Keys are strictly ascending. Where all have one length it is written once; multiplicities are
//! written only where one of them is not 1.

use super::index;
use crate::codec::{DecodeError, key};

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
