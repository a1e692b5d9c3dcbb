//! Ids: 256-bit hashes over (domain, kind, length, plain bytes), by BLAKE3 or SHA-256, keyed or
//! not (`docs/format.md`, "Ids").
//!
//! The preimage of an id is a 16-byte header and the plain bytes. The header is
//! `"ddb" 0x01 kind 0 0 0` and the length as a little-endian `u64`, so no two kinds, and no two
//! lengths, share a preimage. Row hashes, of which there are many short ones, are padded and
//! hashed side by side (`codec::row_hash`).

use std::cell::RefCell;

use sha2::{Digest, Sha256};

use crate::model::ObjectId;

/// What an object is. Part of its id; the numbers are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The values of one column in one chunk.
    Column = 1,
    /// As `Column`, where at least one value is stored apart, as an object of its own.
    ValueColumn = 2,
    /// As `Column`, where every value is the id of a `Table`.
    TableColumn = 3,
    /// The keys of one chunk.
    Keys = 4,
    /// The row hashes of one chunk.
    RowHashes = 5,
    /// The multiplicities of one chunk.
    Counts = 6,
    /// A value above 4 KiB, or a piece of one.
    Value = 7,
    /// The list of a value's pieces.
    ValueList = 8,
    /// A leaf of a tree: the list of a chunk's blocks.
    Chunk = 9,
    /// An inner node of a tree.
    Node = 10,
    /// A table of a state: its columns, its key, the root of its rows.
    Table = 11,
    /// A state.
    State = 12,
    /// A snapshot.
    Snapshot = 13,
    /// Not an object: the preimage of a row hash.
    Row = 32,
    /// Not an object: a key longer than 1 KiB.
    LongKey = 33,
    /// Not an object: an object file or an index by its content.
    File = 34,
    /// Not an object: a change pack by its content.
    Pack = 35,
}

impl Kind {
    /// The kinds of objects that are stored.
    pub const STORED: [Kind; 13] = [
        Kind::Column,
        Kind::ValueColumn,
        Kind::TableColumn,
        Kind::Keys,
        Kind::RowHashes,
        Kind::Counts,
        Kind::Value,
        Kind::ValueList,
        Kind::Chunk,
        Kind::Node,
        Kind::Table,
        Kind::State,
        Kind::Snapshot,
    ];

    /// The kind with this number, if objects of it are stored.
    pub fn from_stored_number(number: u8) -> Option<Kind> {
        Self::STORED.into_iter().find(|kind| *kind as u8 == number)
    }
}

impl std::fmt::Display for Kind {
    /// The kind in words, as messages say it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Column => "column block",
            Kind::ValueColumn => "column block with large values",
            Kind::TableColumn => "list of tables",
            Kind::Keys => "key block",
            Kind::RowHashes => "row-hash block",
            Kind::Counts => "multiplicity block",
            Kind::Value => "large value",
            Kind::ValueList => "list of pieces",
            Kind::Chunk => "chunk",
            Kind::Node => "node",
            Kind::Table => "table",
            Kind::State => "state",
            Kind::Snapshot => "snapshot",
            Kind::Row => "row",
            Kind::LongKey => "long key",
            Kind::File => "file",
            Kind::Pack => "pack",
        })
    }
}

/// A hash function of 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// BLAKE3, the default.
    Blake3,
    /// SHA-256, for those who must.
    Sha256,
}

impl HashAlgorithm {
    /// The stable name, as in the `format` file.
    pub fn as_str(self) -> &'static str {
        match self {
            HashAlgorithm::Blake3 => "blake3",
            HashAlgorithm::Sha256 => "sha256",
        }
    }

    /// The algorithm of this stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [HashAlgorithm::Blake3, HashAlgorithm::Sha256].into_iter().find(|a| a.as_str() == name)
    }
}

/// The size of the header in front of every hashed content.
pub const FRAME_LEN: usize = 16;

/// Contents up to this size are hashed in a buffer of their own, with the header in front.
const COPIED: usize = 128 << 10;

thread_local! {
    static FRAMED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Computes the ids of one store: an algorithm and, where the store is keyed, its key.
#[derive(Clone)]
pub struct Hasher {
    algorithm: HashAlgorithm,
    key: Option<[u8; 32]>,
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keyed = if self.key.is_some() { ", keyed" } else { "" };
        write!(f, "Hasher({}{keyed})", self.algorithm.as_str())
    }
}

impl Hasher {
    /// A hasher without a key.
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Hasher { algorithm, key: None }
    }

    /// A hasher whose every id depends on `key`: BLAKE3's keyed mode, or HMAC-SHA-256 (RFC 2104).
    pub fn keyed(algorithm: HashAlgorithm, key: [u8; 32]) -> Self {
        Hasher { algorithm, key: Some(key) }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Whether ids depend on a key.
    pub fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// A value by which two hashers are compared without their keys: it tells whether a key is the
    /// right one, and nothing of the key.
    pub fn check_value(&self) -> ObjectId {
        self.id(Kind::File, b"deepdiff-db store check")
    }

    /// The id of `plain` as an object of this kind.
    pub fn id(&self, kind: Kind, plain: &[u8]) -> ObjectId {
        self.id_of_parts(kind, &[plain])
    }

    /// The id of the parts, one after the other.
    pub fn id_of_parts(&self, kind: Kind, parts: &[&[u8]]) -> ObjectId {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > COPIED {
            let mut running = self.start(kind, len as u64);
            parts.iter().for_each(|part| running.update(part));
            return running.finish();
        }
        // BLAKE3 hashes the pieces of one buffer side by side, and the pieces of two not: a copy
        // costs less than that.
        FRAMED.with_borrow_mut(|framed| {
            framed.clear();
            framed.extend_from_slice(&frame(kind, len as u64));
            parts.iter().for_each(|part| framed.extend_from_slice(part));
            self.raw(framed)
        })
    }

    /// The hash of bytes that bring their own header and padding (`codec::row_hash`).
    pub(super) fn raw(&self, framed: &[u8]) -> ObjectId {
        match (self.algorithm, &self.key) {
            (HashAlgorithm::Blake3, None) => ObjectId(*blake3::hash(framed).as_bytes()),
            (HashAlgorithm::Blake3, Some(key)) => {
                ObjectId(*blake3::keyed_hash(key, framed).as_bytes())
            }
            (HashAlgorithm::Sha256, None) => ObjectId(Sha256::digest(framed).into()),
            (HashAlgorithm::Sha256, Some(_)) => {
                let mut running = self.unframed();
                running.update(framed);
                running.finish()
            }
        }
    }

    /// The key, for a hash function that is keyed.
    pub(super) fn key(&self) -> Option<&[u8; 32]> {
        self.key.as_ref()
    }

    /// Starts the id of a content of `len` bytes that arrives in pieces.
    pub fn start(&self, kind: Kind, len: u64) -> RunningId {
        let mut running = self.unframed();
        running.update(&frame(kind, len));
        running
    }

    fn unframed(&self) -> RunningId {
        RunningId {
            inner: match (self.algorithm, &self.key) {
                (HashAlgorithm::Blake3, None) => Running::Blake3(Box::default()),
                (HashAlgorithm::Blake3, Some(key)) => {
                    Running::Blake3(Box::new(blake3::Hasher::new_keyed(key)))
                }
                (HashAlgorithm::Sha256, None) => Running::Sha256(Sha256::new()),
                (HashAlgorithm::Sha256, Some(key)) => {
                    let mut inner = Sha256::new();
                    inner.update(hmac_pad(key, 0x36));
                    Running::HmacSha256 { inner, key: *key }
                }
            },
        }
    }
}

/// An id being computed over a content that arrives in pieces.
pub struct RunningId {
    inner: Running,
}

enum Running {
    Blake3(Box<blake3::Hasher>),
    Sha256(Sha256),
    HmacSha256 { inner: Sha256, key: [u8; 32] },
}

impl RunningId {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.inner {
            Running::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Running::Sha256(hasher) | Running::HmacSha256 { inner: hasher, .. } => {
                hasher.update(bytes);
            }
        }
    }

    /// The id of everything added. It is the caller's duty to have added as many bytes as said.
    pub fn finish(self) -> ObjectId {
        ObjectId(match self.inner {
            Running::Blake3(hasher) => *hasher.finalize().as_bytes(),
            Running::Sha256(hasher) => hasher.finalize().into(),
            Running::HmacSha256 { inner, key } => {
                let mut outer = Sha256::new();
                outer.update(hmac_pad(&key, 0x5c));
                outer.update(inner.finalize());
                outer.finalize().into()
            }
        })
    }
}

pub(super) fn frame(kind: Kind, len: u64) -> [u8; FRAME_LEN] {
    let mut header = [0u8; FRAME_LEN];
    header[..4].copy_from_slice(b"ddb\x01");
    header[4] = kind as u8;
    header[8..].copy_from_slice(&len.to_le_bytes());
    header
}

/// The key padded to SHA-256's block of 64 bytes and combined with HMAC's constant.
fn hmac_pad(key: &[u8; 32], constant: u8) -> [u8; 64] {
    let mut pad = [constant; 64];
    for (byte, key) in pad.iter_mut().zip(key) {
        *byte ^= key;
    }
    pad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashers() -> [Hasher; 4] {
        let key = [7u8; 32];
        [
            Hasher::new(HashAlgorithm::Blake3),
            Hasher::new(HashAlgorithm::Sha256),
            Hasher::keyed(HashAlgorithm::Blake3, key),
            Hasher::keyed(HashAlgorithm::Sha256, key),
        ]
    }

    #[test]
    fn parts_do_not_matter_and_kinds_do() {
        for hasher in hashers() {
            let id = hasher.id(Kind::Row, b"a row");
            assert_eq!(id, hasher.id_of_parts(Kind::Row, &[b"a ", b"row"]));
            assert_ne!(id, hasher.id(Kind::Column, b"a row"));
        }
    }

    #[test]
    fn hmac_matches_a_known_vector() {
        // Computed with Python's hmac module over the same preimage.
        let hasher = Hasher::keyed(HashAlgorithm::Sha256, [7u8; 32]);
        let expected = "b9981109e31d1bea468dc05c9fe3a4f54141845c818c885a537f4c37801ee788";
        assert_eq!(hasher.id(Kind::Row, b"a row").to_string(), expected);
    }
}
