//! Indexes: where the objects of some object files are (`docs/format.md`, "Indexes").
//!
//! An index lists the files it covers and, sorted by id, every object in them. It is found by its
//! name only and holds nothing that a scan of the object files could not give. Opening one checks
//! its structure, not its hash: what it leads to is hashed when it is read, and `verify` checks the
//! rest.

use std::ops::Range;
use std::path::Path;

use super::layout::FileId;
use super::object_file::FRAME_HEADER_LEN;
use crate::codec::Kind;
use crate::fsio::{FileSystem, FsError, Mapping};
use crate::model::ObjectId;

pub(super) const MAGIC: &[u8; 8] = b"ddb-indx";
pub(super) const VERSION: u16 = 1;
pub(super) const HEADER_LEN: usize = 24;
pub(super) const FILE_LEN: usize = 48;
pub(super) const FANOUT_LEN: usize = 256 * 4;
pub(super) const ID_LEN: usize = 32;
pub(super) const PLACE_LEN: usize = 16;
pub(super) const HASH_LEN: usize = 32;
/// The number of a file takes 24 bits of a place.
pub(super) const MAX_FILES: usize = 1 << 24;

/// How often a position is guessed, and below how many entries that is not worth it.
const GUESSES: usize = 4;
const FEW: usize = 8;

/// An object file as an index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexedFile {
    pub(super) id: FileId,
    pub(super) len: u64,
    pub(super) objects: u64,
}

/// Where an object is: the number of the file in its index, and the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) kind: u8,
    pub(super) stored_len: u32,
    pub(super) offset: u64,
}

impl Place {
    pub(super) fn to_bytes(self) -> [u8; PLACE_LEN] {
        let mut bytes = [0u8; PLACE_LEN];
        bytes[..4].copy_from_slice(&((self.file << 8) | u32::from(self.kind)).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }

    /// The bytes the frame takes in its file.
    pub(super) fn file_len(self) -> u64 {
        u64::from(self.stored_len) + FRAME_HEADER_LEN as u64
    }

    pub(super) fn kind(self) -> Option<Kind> {
        Kind::from_stored_number(self.kind)
    }
}

/// An index in memory, mapped.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) id: FileId,
    pub(super) files: Vec<IndexedFile>,
    bytes: Mapping,
    entries: usize,
    ids_at: usize,
    places_at: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0u8; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

impl Index {
    /// Opens the index `id` at `path`; the inner error says what is wrong with its structure.
    pub(super) fn open(
        fs: &dyn FileSystem,
        path: &Path,
        id: FileId,
    ) -> Result<Result<Index, String>, FsError> {
        Ok(Self::parse(fs.open(path)?.map()?, id))
    }

    fn parse(bytes: Mapping, id: FileId) -> Result<Index, String> {
        let malformed = || "its structure is not that of an index".to_owned();
        if bytes.len() < HEADER_LEN + FANOUT_LEN + HASH_LEN || &bytes[..8] != MAGIC {
            return Err(malformed());
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION || bytes[10..12] != [0, 0] {
            return Err(format!("index version {version} is not known"));
        }
        let file_count = usize::try_from(u32_at(&bytes, 12)).map_err(|_| malformed())?;
        let entries = usize::try_from(u64_at(&bytes, 16)).map_err(|_| malformed())?;
        let fanout_at = file_count.checked_mul(FILE_LEN).map(|len| HEADER_LEN + len);
        let ids_at = fanout_at.and_then(|at| at.checked_add(FANOUT_LEN)).ok_or_else(malformed)?;
        let places_at = entries.checked_mul(ID_LEN).and_then(|len| ids_at.checked_add(len));
        let end = places_at
            .and_then(|at| at.checked_add(entries.checked_mul(PLACE_LEN)?)?.checked_add(HASH_LEN));
        let (Some(places_at), Some(end)) = (places_at, end) else { return Err(malformed()) };
        if end != bytes.len() || bytes[end - HASH_LEN..] != id.0 {
            return Err(malformed());
        }
        let files = (0..file_count).map(|n| indexed_file(&bytes, HEADER_LEN + n * FILE_LEN));
        Ok(Index { id, files: files.collect(), bytes, entries, ids_at, places_at })
    }

    /// How many objects it lists.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// The id at a position.
    pub(super) fn id_at(&self, position: usize) -> ObjectId {
        let at = self.ids_at + position * ID_LEN;
        let mut id = [0u8; ID_LEN];
        id.copy_from_slice(&self.bytes[at..at + ID_LEN]);
        ObjectId(id)
    }

    fn id_bytes(&self, position: usize) -> &[u8] {
        let at = self.ids_at + position * ID_LEN;
        &self.bytes[at..at + ID_LEN]
    }

    /// The place at a position.
    pub(super) fn place_at(&self, position: usize) -> Place {
        let at = self.places_at + position * PLACE_LEN;
        let word = u32_at(&self.bytes, at);
        Place {
            file: word >> 8,
            kind: self.bytes[at],
            stored_len: u32_at(&self.bytes, at + 4),
            offset: u64_at(&self.bytes, at + 8),
        }
    }

    /// Where entries are whose id begins with this byte. A damaged fan-out gives a wrong range,
    /// never one outside the index.
    fn bucket(&self, first: u8) -> Range<usize> {
        let at = self.ids_at - FANOUT_LEN;
        let word = |n: usize| {
            usize::try_from(u32_at(&self.bytes, at + n * 4)).unwrap_or(0).min(self.entries)
        };
        let first = usize::from(first);
        let start = if first == 0 { 0 } else { word(first - 1) };
        start..word(first).max(start)
    }

    /// The positions of the entries with this id: one for each file that holds the object.
    pub(super) fn find(&self, id: &ObjectId) -> Range<usize> {
        let bucket = self.bucket(id.0[0]);
        let start = self.lower_bound(bucket.clone(), id);
        let mut end = start;
        while end < bucket.end && self.id_bytes(end) == id.0 {
            end += 1;
        }
        start..end
    }

    /// The first position in a bucket whose id is not below this one. Ids are hashes, so where one
    /// stands is nearly told by its value: a few guesses narrow the bucket before it is halved.
    fn lower_bound(&self, bucket: Range<usize>, id: &ObjectId) -> usize {
        // The first eight bytes decide nearly always, and are compared as one number.
        let wanted = head_of(&id.0);
        let Range { start: mut low, end: mut high } = bucket;
        // Every id from `low` to `high` has a head from `low_head` to `high_head`.
        let (mut low_head, mut high_head) = (wanted & !(u64::MAX >> 8), wanted | (u64::MAX >> 8));
        for _ in 0..GUESSES {
            if high - low < FEW {
                break;
            }
            let part = |head: u64| u128::from(head - low_head);
            let span = part(high_head).max(1);
            let ids = u128::try_from(high - low).expect("a length has fewer than 128 bits");
            let ahead = part(wanted) * ids / span;
            let guess = low + usize::try_from(ahead).unwrap_or(0).min(high - low - 1);
            let head = head_of(self.id_bytes(guess));
            // In a damaged index heads may be anywhere; then the bucket is halved.
            if head == wanted || head < low_head || head > high_head {
                break;
            }
            if head < wanted {
                (low, low_head) = (guess + 1, head);
            } else {
                (high, high_head) = (guess, head);
            }
        }
        self.partition(low..high, |other| {
            let head = head_of(other);
            head < wanted || (head == wanted && other < id.0.as_slice())
        })
    }

    /// The positions of the entries from `low` to `high`, both included.
    pub(super) fn between(&self, low: &ObjectId, high: &ObjectId) -> Range<usize> {
        let start = self.partition(0..self.entries, |other| other < low.0.as_slice());
        let end = self.partition(0..self.entries, |other| other <= high.0.as_slice());
        start..end.max(start)
    }

    fn partition(&self, range: Range<usize>, before: impl Fn(&[u8]) -> bool) -> usize {
        let Range { start: mut low, end: mut high } = range;
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.id_bytes(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Whether the index is, byte for byte, what was written.
    pub(super) fn check_hash(&self) -> Result<(), String> {
        let hashed = &self.bytes[..self.bytes.len() - HASH_LEN];
        if *blake3::hash(hashed).as_bytes() == self.id.0 {
            Ok(())
        } else {
            Err("its content does not fit its name".to_owned())
        }
    }
}

fn head_of(id: &[u8]) -> u64 {
    u64::from_be_bytes(*id.first_chunk().expect("an id has 32 bytes"))
}

fn indexed_file(bytes: &[u8], at: usize) -> IndexedFile {
    let mut id = [0u8; 32];
    id.copy_from_slice(&bytes[at..at + 32]);
    IndexedFile { id: FileId(id), len: u64_at(bytes, at + 32), objects: u64_at(bytes, at + 40) }
}
