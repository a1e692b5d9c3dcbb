//! A part of an object that proves its place: BLAKE3 is a tree, so a few KiB of a long object and
//! the hashes beside them lead to its id (`docs/proofs.md`, "A part of a block").
//!
//! The tree is BLAKE3's own: leaves of 1 KiB over the header of the id and the plain bytes, the left
//! side of every node the largest power of two of leaves. Leaves and nodes hash differently and
//! leaves hash their place, so what leads to the id is what stands there. SHA-256 has no such tree.

use std::ops::Range;

use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, left_subtree_len, merge_subtrees_non_root,
    merge_subtrees_root,
};

use super::hash::{FRAME_LEN, frame};
use super::{HashAlgorithm, Hasher, Kind};
use crate::model::ObjectId;

/// BLAKE3's leaf.
pub const LEAF: u64 = 1024;

/// A part of an object: whole leaves, and the hashes of everything beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The number of the first leaf.
    pub from: u64,
    /// The bytes of the leaves; leaf 0 begins with the header of the id.
    pub bytes: Vec<u8>,
    /// The hashes of the largest subtrees that are left out, from left to right.
    pub beside: Vec<[u8; 32]>,
}

impl Slice {
    /// Where the leaves lie within the plain bytes: the first of them that is here, and the bytes
    /// from there on.
    pub fn plain(&self) -> Option<(u64, &[u8])> {
        match self.from {
            0 => Some((0, self.bytes.get(FRAME_LEN..)?)),
            from => Some((from.checked_mul(LEAF)?.checked_sub(HEADER)?, &self.bytes)),
        }
    }
}

/// The length of the header, as an offset.
const HEADER: u64 = FRAME_LEN as u64;

/// Nothing is as long as this; what claims to be leads to no id.
const LONGEST: u64 = 1 << 62;

/// Cuts out the leaves that hold `wanted`, a range of the plain bytes. `None` where the hash is no
/// tree, or where so few leaves are left out that the whole is no longer.
pub fn cut(hasher: &Hasher, kind: Kind, plain: &[u8], wanted: Range<usize>) -> Option<Slice> {
    let leaf = usize::try_from(LEAF).expect("1,024 fits");
    if hasher.algorithm() != HashAlgorithm::Blake3 || wanted.is_empty() || plain.len() < wanted.end
    {
        return None;
    }
    let len = u64::try_from(plain.len()).ok()?;
    let framed = [frame(kind, len).as_slice(), plain].concat();
    let first = (wanted.start + FRAME_LEN) / leaf * leaf;
    let end = ((wanted.end + FRAME_LEN).div_ceil(leaf) * leaf).min(framed.len());
    if framed.len() - (end - first) <= 2 * leaf {
        return None;
    }
    let mut cutter = Cutter { hasher, framed: &framed, wanted: first..end, beside: Vec::new() };
    cutter.walk(0..framed.len());
    let from = u64::try_from(first / leaf).ok()?;
    Some(Slice { from, bytes: framed[first..end].to_vec(), beside: cutter.beside })
}

/// The id of the object of `len` plain bytes that the slice is a part of; `None` where it is a part
/// of none: too short, too long, or with a hash too many.
pub fn id_of(hasher: &Hasher, len: u64, slice: &Slice) -> Option<ObjectId> {
    let total = len.checked_add(HEADER)?;
    let first = slice.from.checked_mul(LEAF)?;
    let end = first.checked_add(u64::try_from(slice.bytes.len()).ok()?)?;
    let is_aligned = end == total || end.is_multiple_of(LEAF);
    let is_part = first < end && end <= total && is_aligned && total > LEAF && total < LONGEST;
    if hasher.algorithm() != HashAlgorithm::Blake3 || !is_part {
        return None;
    }
    let mut folder = Folder { hasher, slice, first, end, beside: slice.beside.iter() };
    let left = left_subtree_len(total);
    let (a, b) = (folder.fold(0..left)?, folder.fold(left..total)?);
    let root = merge_subtrees_root(&a, &b, mode(hasher));
    folder.beside.next().is_none().then(|| ObjectId(*root.as_bytes()))
}

fn mode(hasher: &Hasher) -> Mode<'_> {
    hasher.key().map_or(Mode::Hash, Mode::KeyedHash)
}

/// The chaining value of a subtree that begins at this offset.
fn subtree(hasher: &Hasher, offset: u64, bytes: &[u8]) -> ChainingValue {
    let mut running = match hasher.key() {
        None => blake3::Hasher::new(),
        Some(key) => blake3::Hasher::new_keyed(key),
    };
    running.set_input_offset(offset);
    running.update(bytes);
    running.finalize_non_root()
}

struct Cutter<'a> {
    hasher: &'a Hasher,
    framed: &'a [u8],
    wanted: Range<usize>,
    beside: Vec<[u8; 32]>,
}

impl Cutter<'_> {
    fn walk(&mut self, range: Range<usize>) {
        let len = (range.end - range.start) as u64;
        if range.end <= self.wanted.start || range.start >= self.wanted.end {
            let bytes = &self.framed[range.clone()];
            self.beside.push(subtree(self.hasher, range.start as u64, bytes));
        } else if len > LEAF {
            let left = usize::try_from(left_subtree_len(len)).expect("no more than the whole");
            self.walk(range.start..range.start + left);
            self.walk(range.start + left..range.end);
        }
    }
}

struct Folder<'a> {
    hasher: &'a Hasher,
    slice: &'a Slice,
    /// Where the slice begins and ends within header and plain bytes.
    first: u64,
    end: u64,
    beside: std::slice::Iter<'a, [u8; 32]>,
}

impl Folder<'_> {
    /// The chaining value of the subtree over this range, which is not all. It goes down only
    /// where the slice is, so a length that is merely claimed costs its logarithm.
    fn fold(&mut self, range: Range<u64>) -> Option<ChainingValue> {
        let len = range.end - range.start;
        if range.end <= self.first || range.start >= self.end {
            return self.beside.next().copied();
        }
        if len <= LEAF {
            let from = usize::try_from(range.start.checked_sub(self.first)?).ok()?;
            let to = usize::try_from(range.end.checked_sub(self.first)?).ok()?;
            return Some(subtree(self.hasher, range.start, self.slice.bytes.get(from..to)?));
        }
        let middle = range.start + left_subtree_len(len);
        let (a, b) = (self.fold(range.start..middle)?, self.fold(middle..range.end)?);
        Some(merge_subtrees_non_root(&a, &b, mode(self.hasher)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(len: usize) -> Vec<u8> {
        (0..len).map(|n| u8::try_from((n * 31 + n / 251) % 256).unwrap()).collect()
    }

    #[test]
    fn every_part_leads_to_the_id_and_no_other_does() {
        let hashers =
            [Hasher::new(HashAlgorithm::Blake3), Hasher::keyed(HashAlgorithm::Blake3, [7; 32])];
        for hasher in hashers {
            for len in [3 * 1024, 3056, 4 * 1024 - 16, 7_000, 9 * 1024 + 1, 65_536] {
                let plain = plain(len);
                let id = hasher.id(Kind::RowHashes, &plain);
                for start in (0..len - 32).step_by(992) {
                    let wanted = start..start + 32;
                    let Some(slice) = cut(&hasher, Kind::RowHashes, &plain, wanted.clone()) else {
                        assert!(len < 5_000, "{len} {start}");
                        continue;
                    };
                    assert!(slice.bytes.len() <= 2048);
                    assert_eq!(id_of(&hasher, len as u64, &slice), Some(id), "{len} {start}");
                    let (at, bytes) = slice.plain().unwrap();
                    let at = usize::try_from(at).unwrap();
                    assert!(at <= start && wanted.end <= at + bytes.len());
                    assert_eq!(bytes, &plain[at..at + bytes.len()]);
                    refuses_others(&hasher, len as u64, &slice, id);
                }
            }
        }
        let sha = Hasher::new(HashAlgorithm::Sha256);
        assert_eq!(cut(&sha, Kind::RowHashes, &plain(9_000), 0..32), None);
    }

    fn refuses_others(hasher: &Hasher, len: u64, slice: &Slice, id: ObjectId) {
        let leads = |slice: &Slice, len| id_of(hasher, len, slice) == Some(id);
        let mut other = slice.clone();
        other.bytes[17] ^= 1;
        assert!(!leads(&other, len));
        for shift in [1, 2, u64::MAX] {
            other = Slice { from: slice.from.wrapping_add(shift), ..slice.clone() };
            assert!(!leads(&other, len));
        }
        other = slice.clone();
        other.beside.push([0; 32]);
        assert!(!leads(&other, len));
        other = slice.clone();
        other.beside.pop();
        assert!(!leads(&other, len));
        other = slice.clone();
        other.bytes.pop();
        assert!(!leads(&other, len));
        other = slice.clone();
        other.beside.reverse();
        assert!(slice.beside.len() < 2 || !leads(&other, len));
        assert_eq!(id_of(hasher, u64::MAX, slice), None);
        assert!(!leads(slice, u64::MAX - 16));
        assert!(!leads(slice, 1 << 40));
    }
}
