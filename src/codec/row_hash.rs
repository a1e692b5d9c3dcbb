//! Row hashes: many short preimages, hashed side by side (`docs/format.md`, "Row hashes").
//!
//! The preimage of a row stands in a frame: the header of every id (`codec::hash`), the preimage,
//! and zeros up to the next multiple of 64 bytes. The row hash is the hash of the whole frame. The
//! length in the header keeps it injective; the padding lets BLAKE3 hash frames of equal size in
//! the lanes of one vector register, four to eight times as fast as one by one. Any BLAKE3 gives
//! the same result.
//!
//! This is the only module that uses BLAKE3's unstable `platform`; the crate's version is pinned.

use blake3::IncrementCounter;
use blake3::platform::{Platform, words_from_le_bytes_32};

use super::hash::{FRAME_LEN, frame};
use super::{HashAlgorithm, Hasher, Kind};
use crate::model::ObjectId;

/// BLAKE3's block: frames are padded to a multiple of it.
const BLOCK: usize = 64;

/// Frames up to BLAKE3's chunk of 1 KiB are hashed side by side.
const SIDE_BY_SIDE: usize = 1024;

/// How many frames are handed to the vector code at once.
const GROUP: usize = 16;

const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const KEYED_HASH: u8 = 1 << 4;

/// BLAKE3's initial chaining value where no key is given: SHA-256's constants.
const IV: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];

/// Completes the frame that begins at `start` of `bytes`, with room for the header, and ends with
/// them: writes the header and the padding.
pub fn close_frame(bytes: &mut Vec<u8>, start: usize) {
    let len = bytes.len() - start - FRAME_LEN;
    bytes[start..start + FRAME_LEN].copy_from_slice(&frame(Kind::Row, len as u64));
    let padded = (bytes.len() - start).next_multiple_of(BLOCK);
    bytes.resize(start + padded, 0);
}

/// The row hash of one frame.
pub fn hash_row(hasher: &Hasher, framed: &[u8]) -> ObjectId {
    hasher.raw(framed)
}

/// Appends the row hashes of these frames, in their order.
pub fn hash_rows<'f>(
    hasher: &Hasher,
    frames: impl Iterator<Item = &'f [u8]>,
    out: &mut Vec<ObjectId>,
) {
    if hasher.algorithm() != HashAlgorithm::Blake3 {
        out.extend(frames.map(|framed| hash_row(hasher, framed)));
        return;
    }
    let lanes = Lanes::new(hasher);
    let mut waiting: [Waiting<'f>; SIDE_BY_SIDE / BLOCK] = Default::default();
    for framed in frames {
        let place = out.len();
        out.push(ObjectId([0; 32]));
        let blocks = framed.len() / BLOCK;
        if framed.len() > SIDE_BY_SIDE || blocks == 0 {
            out[place] = hash_row(hasher, framed);
            continue;
        }
        let group = &mut waiting[blocks - 1];
        group.push(framed, place);
        if group.len == GROUP {
            lanes.flush(group, blocks, out);
        }
    }
    for (index, group) in waiting.iter_mut().enumerate() {
        lanes.flush(group, index + 1, out);
    }
}

/// Frames of one size that wait to be hashed together, and where their hashes go.
#[derive(Default, Clone, Copy)]
struct Waiting<'f> {
    frames: [&'f [u8]; GROUP],
    places: [usize; GROUP],
    len: usize,
}

impl<'f> Waiting<'f> {
    fn push(&mut self, framed: &'f [u8], place: usize) {
        self.frames[self.len] = framed;
        self.places[self.len] = place;
        self.len += 1;
    }
}

struct Lanes {
    platform: Platform,
    key: [u32; 8],
    flags: u8,
}

impl Lanes {
    fn new(hasher: &Hasher) -> Self {
        let (key, flags) = match hasher.key() {
            None => (IV, 0),
            Some(key) => (words_from_le_bytes_32(key), KEYED_HASH),
        };
        Lanes { platform: Platform::detect(), key, flags }
    }

    fn flush(&self, group: &mut Waiting<'_>, blocks: usize, out: &mut [ObjectId]) {
        if group.len == 0 {
            return;
        }
        let frames = &group.frames[..group.len];
        let mut hashes = [0u8; 32 * GROUP];
        match blocks {
            1 => self.hash::<64>(frames, &mut hashes),
            2 => self.hash::<128>(frames, &mut hashes),
            3 => self.hash::<192>(frames, &mut hashes),
            4 => self.hash::<256>(frames, &mut hashes),
            5 => self.hash::<320>(frames, &mut hashes),
            6 => self.hash::<384>(frames, &mut hashes),
            7 => self.hash::<448>(frames, &mut hashes),
            8 => self.hash::<512>(frames, &mut hashes),
            9 => self.hash::<576>(frames, &mut hashes),
            10 => self.hash::<640>(frames, &mut hashes),
            11 => self.hash::<704>(frames, &mut hashes),
            12 => self.hash::<768>(frames, &mut hashes),
            13 => self.hash::<832>(frames, &mut hashes),
            14 => self.hash::<896>(frames, &mut hashes),
            15 => self.hash::<960>(frames, &mut hashes),
            _ => self.hash::<1024>(frames, &mut hashes),
        }
        for (hash, place) in hashes.chunks_exact(32).zip(&group.places[..group.len]) {
            out[*place].0.copy_from_slice(hash);
        }
        group.len = 0;
    }

    fn hash<const N: usize>(&self, frames: &[&[u8]], hashes: &mut [u8]) {
        let blank = [0u8; N];
        let mut inputs = [&blank; GROUP];
        for (input, framed) in inputs.iter_mut().zip(frames) {
            *input = (*framed).try_into().expect("a group holds frames of one size");
        }
        self.platform.hash_many(
            &inputs[..frames.len()],
            &self.key,
            0,
            IncrementCounter::No,
            self.flags,
            CHUNK_START,
            CHUNK_END | ROOT,
            hashes,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_by_side_is_plain_blake3_of_the_frame() {
        let hashers = [
            Hasher::new(HashAlgorithm::Blake3),
            Hasher::keyed(HashAlgorithm::Blake3, [7; 32]),
            Hasher::new(HashAlgorithm::Sha256),
            Hasher::keyed(HashAlgorithm::Sha256, [7; 32]),
        ];
        let frames: Vec<Vec<u8>> = (0..1300usize)
            .map(|len| {
                let mut framed = vec![0u8; FRAME_LEN];
                framed.extend((0..len).map(|n| u8::try_from((n * 7 + len) % 256).unwrap()));
                close_frame(&mut framed, 0);
                framed
            })
            .collect();
        for hasher in hashers {
            let mut hashes = Vec::new();
            hash_rows(&hasher, frames.iter().map(Vec::as_slice), &mut hashes);
            for (framed, hash) in frames.iter().zip(&hashes) {
                assert_eq!(hash_row(&hasher, framed), *hash, "{hasher:?} {}", framed.len());
            }
        }
        assert_eq!(
            hash_row(&Hasher::new(HashAlgorithm::Blake3), &frames[5]).0,
            *blake3::hash(&frames[5]).as_bytes()
        );
    }
}
