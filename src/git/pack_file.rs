//! The bytes of a git pack and of its index (gitformat-pack(5), versions 2).
//!
//! Objects are stored whole, without deltas: `git gc` makes those. A pack is built in memory, up to
//! [`PackBuilder::is_full`], and written at once; so its length is known before its header is.

use gix::hash::{Kind as HashKind, ObjectId as GitOid};
use gix::zlib::Compression;
use gix::zlib::stream::deflate::{Compress, FlushCompress};

use super::error::GitError;

/// A pack is written when its compressed objects have this many bytes.
const FULL: usize = 32 << 20;

/// What kind of object git stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectType {
    Commit,
    Tree,
    Blob,
}

impl ObjectType {
    fn number(self) -> u8 {
        match self {
            ObjectType::Commit => 1,
            ObjectType::Tree => 2,
            ObjectType::Blob => 3,
        }
    }

    fn word(self) -> &'static str {
        match self {
            ObjectType::Commit => "commit",
            ObjectType::Tree => "tree",
            ObjectType::Blob => "blob",
        }
    }
}

/// The id that git gives an object.
pub(super) fn object_id(
    hash: HashKind,
    object: ObjectType,
    content: &[u8],
) -> Result<GitOid, GitError> {
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(format!("{} {}\0", object.word(), content.len()).as_bytes());
    hasher.update(content);
    hasher.try_finalize().map_err(|error| GitError::repository("hash an object", error))
}

fn checksum(hash: HashKind, bytes: &[u8]) -> Result<GitOid, GitError> {
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(bytes);
    hasher.try_finalize().map_err(|error| GitError::repository("hash a pack", error))
}

/// A finished pack.
pub(super) struct FinishedPack {
    /// What its files are called after `pack-`.
    pub(super) name: String,
    pub(super) pack: Vec<u8>,
    pub(super) index: Vec<u8>,
}

struct Entry {
    id: GitOid,
    crc: u32,
    offset: usize,
}

/// Objects on their way into one pack.
pub(super) struct PackBuilder {
    hash: HashKind,
    body: Vec<u8>,
    entries: Vec<Entry>,
    compress: Compress,
}

/// The bytes before the first object.
const HEADER: usize = 12;

impl PackBuilder {
    /// No objects yet.
    pub(super) fn new(hash: HashKind) -> Self {
        let compress = Compress::new(Compression::DEFAULT);
        PackBuilder { hash, body: vec![0; HEADER], entries: Vec::new(), compress }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.body.len() >= FULL
    }

    /// Adds an object that is not in it yet.
    pub(super) fn push(
        &mut self,
        id: GitOid,
        object: ObjectType,
        content: &[u8],
    ) -> Result<(), GitError> {
        let offset = self.body.len();
        let mut size = content.len();
        let mut byte = (object.number() << 4) | low_bits(size, 4);
        size >>= 4;
        while size > 0 {
            self.body.push(byte | 0x80);
            byte = low_bits(size, 7);
            size >>= 7;
        }
        self.body.push(byte);
        self.deflate(content)?;
        let crc = crc32fast::hash(&self.body[offset..]);
        self.entries.push(Entry { id, crc, offset });
        Ok(())
    }

    fn deflate(&mut self, content: &[u8]) -> Result<(), GitError> {
        self.compress.reset();
        let mut buffer = vec![0u8; 64 << 10];
        let mut rest = content;
        loop {
            let (read, written) = (self.compress.total_in(), self.compress.total_out());
            let status = self
                .compress
                .compress(rest, &mut buffer, FlushCompress::Finish)
                .map_err(|error| GitError::repository("compress an object", error))?;
            let step = |now: u64, before: u64| {
                usize::try_from(now - before).expect("a step is within a slice")
            };
            rest = &rest[step(self.compress.total_in(), read)..];
            self.body.extend_from_slice(&buffer[..step(self.compress.total_out(), written)]);
            if status == gix::zlib::Status::StreamEnd {
                return Ok(());
            }
        }
    }

    /// The pack and its index.
    pub(super) fn finish(mut self) -> Result<FinishedPack, GitError> {
        let count = u32::try_from(self.entries.len()).expect("a pack is far below 2^32 objects");
        self.body[..4].copy_from_slice(b"PACK");
        self.body[4..8].copy_from_slice(&2u32.to_be_bytes());
        self.body[8..HEADER].copy_from_slice(&count.to_be_bytes());
        let pack_id = checksum(self.hash, &self.body)?;
        self.body.extend_from_slice(pack_id.as_slice());
        self.entries.sort_unstable_by(|a, b| a.id.as_slice().cmp(b.id.as_slice()));
        let index = self.index(&pack_id)?;
        Ok(FinishedPack { name: pack_id.to_hex().to_string(), pack: self.body, index })
    }

    fn index(&self, pack_id: &GitOid) -> Result<Vec<u8>, GitError> {
        let mut index = vec![0xff, b't', b'O', b'c'];
        index.extend_from_slice(&2u32.to_be_bytes());
        let mut below = 0u32;
        let mut entries = self.entries.iter().peekable();
        for first in 0..=255u8 {
            while entries.next_if(|entry| entry.id.first_byte() == first).is_some() {
                below += 1;
            }
            index.extend_from_slice(&below.to_be_bytes());
        }
        self.entries.iter().for_each(|entry| index.extend_from_slice(entry.id.as_slice()));
        self.entries.iter().for_each(|entry| index.extend_from_slice(&entry.crc.to_be_bytes()));
        for entry in &self.entries {
            // The top bit would mean a table of long offsets.
            let offset = u32::try_from(entry.offset).ok().filter(|offset| offset >> 31 == 0);
            let offset = offset.expect("a pack ends soon after it is full");
            index.extend_from_slice(&offset.to_be_bytes());
        }
        index.extend_from_slice(pack_id.as_slice());
        let own = checksum(self.hash, &index)?;
        index.extend_from_slice(own.as_slice());
        Ok(index)
    }
}

fn low_bits(number: usize, bits: u32) -> u8 {
    u8::try_from(number & ((1 << bits) - 1)).expect("seven bits fit in a byte")
}
