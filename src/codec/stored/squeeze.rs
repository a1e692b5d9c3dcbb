//! Runs of bytes through zstd, where that is worth its time.
//!
//! One context a thread is kept for each direction, so that a small run costs no allocation of
//! zstd's tables. Short runs, and runs that look random, are not tried.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::bits::{Reader, write_len, wrong};
use crate::codec::DecodeError;

/// Measured in `benches/codec.rs`: the table is in `docs/decisions/`.
const LEVEL: i32 = 1;

/// Shorter runs are stored as they are.
const SHORTEST: usize = 64;

/// zstd makes at most 128 KiB of one block of four bytes.
const HIGHEST_RATIO: usize = 1 << 15;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

struct Contexts {
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    buffer: Vec<u8>,
}

impl Contexts {
    fn new() -> std::io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_contentsize(false)?;
        compressor.include_dictid(false)?;
        Ok(Contexts { compressor, decompressor: Decompressor::new()?, buffer: Vec::new() })
    }
}

thread_local! {
    static CONTEXTS: RefCell<Option<Contexts>> = const { RefCell::new(None) };
}

fn with_contexts<T>(work: impl FnOnce(&mut Contexts) -> std::io::Result<T>) -> std::io::Result<T> {
    CONTEXTS.with_borrow_mut(|contexts| {
        work(match contexts {
            Some(contexts) => contexts,
            None => contexts.insert(Contexts::new()?),
        })
    })
}

/// Whether a sample of the bytes looks like what no compressor makes smaller: a text has some
/// eighty different bytes, and 256 random bytes have about 162.
pub(super) fn looks_random(bytes: &[u8]) -> bool {
    let step = (bytes.len() / 256).max(1);
    let mut seen = [false; 256];
    let (mut different, mut sampled) = (0usize, 0usize);
    for &byte in bytes.iter().step_by(step) {
        different += usize::from(!seen[usize::from(byte)]);
        seen[usize::from(byte)] = true;
        sampled += 1;
    }
    sampled >= 256 && different > 140
}

/// Gives `use_compressed` the compressed bytes if they save at least 5 %.
pub(super) fn compress<T>(bytes: &[u8], use_compressed: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if bytes.len() < SHORTEST || looks_random(bytes) {
        return None;
    }
    let work = |contexts: &mut Contexts| {
        contexts.buffer.clear();
        contexts.buffer.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        contexts.compressor.compress_to_buffer(bytes, &mut contexts.buffer)?;
        let is_worth_it = contexts.buffer.len() < bytes.len() - bytes.len() / 20;
        let used = is_worth_it.then(|| use_compressed(&contexts.buffer));
        if contexts.buffer.capacity() > 1 << 21 {
            contexts.buffer = Vec::new();
        }
        Ok(used)
    };
    // Compression fails only for want of memory, and then the plain bytes do.
    with_contexts(work).ok().flatten()
}

/// The `len` bytes that were compressed.
pub(super) fn decompress(compressed: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    if len.div_ceil(HIGHEST_RATIO) > compressed.len() {
        return Err(wrong("claims more than its bytes can hold"));
    }
    let mut plain = Vec::with_capacity(len);
    with_contexts(|contexts| contexts.decompressor.decompress_to_buffer(compressed, &mut plain))
        .map_err(|error| wrong(&error.to_string()))?;
    if plain.len() != len {
        return Err(wrong("not as long as promised"));
    }
    Ok(plain)
}

/// Appends a run of bytes. Its length is not written.
pub(super) fn write(bytes: &[u8], out: &mut Vec<u8>) {
    let written = compress(bytes, |compressed| {
        out.push(ZSTD);
        write_len(compressed.len(), out);
        out.extend_from_slice(compressed);
    });
    if written.is_none() {
        out.push(PLAIN);
        out.extend_from_slice(bytes);
    }
}

/// Reads a run of `len` bytes.
pub(super) fn read(input: &mut Reader<'_>, len: usize) -> Result<Vec<u8>, DecodeError> {
    match input.byte()? {
        PLAIN => Ok(input.bytes(len)?.to_vec()),
        ZSTD => {
            let compressed = input.len(len)?;
            decompress(input.bytes(compressed)?, len)
        }
        _ => Err(wrong("a run of bytes of unknown form")),
    }
}
