//! Storage codecs: how the plain bytes of an object are kept in a file (`docs/format.md`,
//! "Storage codecs").
//!
//! Ids cover plain bytes only, so these are free to improve: a reader knows every tag that was
//! ever written, a writer picks what is small and fast for the kind of object. Decoding is total:
//! any bytes give an error or exactly the promised number of plain bytes, and the memory that is
//! used is bounded by that number, which the caller has limited. What is decoded is hashed by the
//! caller before it is believed.

mod bits;
mod column;
mod decimals;
mod floats;
mod ints;
mod keys;
mod radix;
mod squeeze;
mod strings;
mod templates;
mod zeros;

use self::bits::{Reader, wrong};
use super::{DecodeError, Kind};

/// No object's plain bytes are longer than this.
pub const MAX_PLAIN_LEN: usize = 64 << 20;

/// Blocks with more rows are not packed, so that what packing needs beside them stays small.
const MAX_ROWS: usize = 1 << 20;

/// Shorter objects are stored as they are.
const SHORTEST: usize = 48;

/// An object as it lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The storage codec's tag.
    pub codec: u8,
    /// The length of the plain bytes.
    pub plain_len: u32,
    /// The encoded bytes.
    pub bytes: Vec<u8>,
}

/// The tags. Frozen; a new form takes a new number.
pub mod codec {
    /// The plain bytes.
    pub const PLAIN: u8 = 0;
    /// A zstd frame.
    pub const ZSTD: u8 = 1;
    /// A column block in runs of tags, integers, floats and strings.
    pub const COLUMN: u8 = 2;
    /// A key block: integers by component, numbers, or front-coded.
    pub const KEYS: u8 = 3;
    /// Multiplicities as a run of integers.
    pub const COUNTS: u8 = 4;
    /// Zeros by their number.
    pub const ZEROS: u8 = 5;
}

/// Encodes an object's plain bytes for storage, small and fast.
///
/// What is packed is unpacked again and compared before it is given out; of an object that is a
/// zstd frame and nothing else, zstd is trusted. Where something does not come back, the plain bytes
/// are stored and an error is logged: a mistake in packing costs space and no data
/// (`docs/durability.md`).
///
/// # Panics
///
/// Where the object is longer than [`MAX_PLAIN_LEN`]: callers split before that.
pub fn encode(kind: Kind, plain: &[u8]) -> Stored {
    assert!(plain.len() <= MAX_PLAIN_LEN, "an object of {} bytes", plain.len());
    let plain_len = u32::try_from(plain.len()).expect("64 MiB were checked");
    let packed =
        pack(kind, plain).filter(|(_, bytes)| bytes.len() < plain.len() - plain.len() / 20);
    let is_sound = packed.as_ref().is_none_or(|(codec, bytes)| {
        let is_trusted = *codec == codec::ZSTD && !cfg!(debug_assertions);
        is_trusted || comes_back(kind, *codec, bytes, plain)
    });
    debug_assert!(is_sound, "a {kind} of {} bytes does not come back", plain.len());
    let (codec, bytes) =
        packed.filter(|_| is_sound).unwrap_or_else(|| (codec::PLAIN, plain.to_vec()));
    Stored { codec, plain_len, bytes }
}

/// Whether packed bytes are unpacked to the plain ones.
fn comes_back(kind: Kind, codec: u8, packed: &[u8], plain: &[u8]) -> bool {
    let plain_len = u32::try_from(plain.len()).expect("64 MiB were checked");
    let why = match decode(codec, plain_len, packed) {
        Ok(again) if again == plain => return true,
        Ok(_) => "other bytes came back".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::error!(
        "a packed object would not have been readable, so it is stored as it is; please report \
         this: {kind} of {} bytes by storage codec {codec}: {why}",
        plain.len()
    );
    false
}

/// The codec of an object's kind, where it applies, and what it makes of the object.
fn pack(kind: Kind, plain: &[u8]) -> Option<(u8, Vec<u8>)> {
    if plain.len() < SHORTEST {
        return None;
    }
    let mut out = Vec::with_capacity(plain.len() / 2);
    let packed = match kind {
        Kind::Column | Kind::ValueColumn | Kind::TableColumn => {
            column::write(plain, &mut out).map(|()| codec::COLUMN)
        }
        Kind::Keys => keys::write(plain, &mut out).map(|()| codec::KEYS),
        Kind::Counts => pack_counts(plain, &mut out).map(|()| codec::COUNTS),
        Kind::Chunk | Kind::Node => {
            zeros::write(plain, &mut out);
            Some(codec::ZEROS)
        }
        // Nothing but hashes.
        Kind::RowHashes | Kind::ValueList => return None,
        _ => None,
    };
    match packed {
        Some(codec) => Some((codec, out)),
        None => squeeze::compress(plain, <[u8]>::to_vec).map(|bytes| (codec::ZSTD, bytes)),
    }
}

fn pack_counts(plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let counts = plain.chunks_exact(8);
    if !counts.remainder().is_empty() || plain.len() / 8 > MAX_ROWS {
        return None;
    }
    let counts: Vec<u64> = counts
        .map(|count| u64::from_le_bytes(count.try_into().expect("chunks of 8 bytes")))
        .collect();
    ints::write(&counts, out);
    Some(())
}

/// The plain bytes of a stored object.
pub fn decode(codec: u8, plain_len: u32, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let plain_len = usize::try_from(plain_len)
        .ok()
        .filter(|&len| len <= MAX_PLAIN_LEN)
        .ok_or_else(|| wrong("claims to be above the limit of 64 MiB"))?;
    let mut input = Reader::new(bytes);
    let plain = match codec {
        codec::PLAIN if bytes.len() == plain_len => return Ok(bytes.to_vec()),
        codec::PLAIN => return Err(wrong("not as long as promised")),
        codec::ZSTD => return squeeze::decompress(bytes, plain_len),
        codec::ZEROS => return zeros::read(bytes, plain_len),
        codec::COLUMN => column::read(&mut input, plain_len)?,
        codec::KEYS => keys::read(&mut input, plain_len)?,
        codec::COUNTS => unpack_counts(&mut input, plain_len)?,
        other => {
            let why = format!("storage codec {other} is not known");
            return Err(DecodeError::new("stored object", why));
        }
    };
    input.finish()?;
    Ok(plain)
}

fn unpack_counts(input: &mut Reader<'_>, plain_len: usize) -> Result<Vec<u8>, DecodeError> {
    if !plain_len.is_multiple_of(8) || plain_len / 8 > MAX_ROWS {
        return Err(wrong("counts have eight bytes each"));
    }
    let mut counts = Vec::new();
    ints::read(input, plain_len / 8, &mut counts)?;
    Ok(counts.iter().flat_map(|count| count.to_le_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_come_back_is_not_kept() {
        let plain = b"counts and columns and keys ".repeat(20);
        let (codec, packed) = pack(Kind::State, &plain).unwrap();
        assert!(comes_back(Kind::State, codec, &packed, &plain));
        let other = b"counts and columns and kegs ".repeat(20);
        assert!(!comes_back(Kind::State, codec, &packed, &other), "other bytes");
        assert!(!comes_back(Kind::State, codec, &packed[1..], &plain), "no frame");
        assert!(!comes_back(Kind::State, codec::COLUMN, &packed, &plain), "another codec");
        assert!(!comes_back(Kind::State, codec, &packed, &plain[1..]), "another length");
    }
}
