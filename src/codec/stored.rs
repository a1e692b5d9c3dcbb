//! Storage codecs: how the plain bytes of an object are kept in a file.
//!
//! Ids cover plain bytes only, so these are free to improve: a reader knows every tag that was
//! ever written, a writer picks whichever is smallest. What is decoded is hashed by the caller
//! before it is believed.

use super::{DecodeError, Kind};

/// No object's plain bytes are longer than this.
pub const MAX_PLAIN_LEN: usize = 64 << 20;

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

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Encodes an object's plain bytes for storage, as it saves most.
pub fn encode(_kind: Kind, plain: &[u8]) -> Stored {
    let plain_len = u32::try_from(plain.len()).expect("objects are at most 64 MiB");
    if let Ok(bytes) = zstd::bulk::compress(plain, 1)
        && bytes.len() < plain.len() - plain.len() / 20
    {
        return Stored { codec: ZSTD, plain_len, bytes };
    }
    Stored { codec: PLAIN, plain_len, bytes: plain.to_vec() }
}

/// The plain bytes of a stored object.
pub fn decode(codec: u8, plain_len: u32, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let wrong = |why: String| DecodeError::new("stored object", why);
    let plain_len = usize::try_from(plain_len).map_err(|e| wrong(e.to_string()))?;
    if plain_len > MAX_PLAIN_LEN {
        return Err(wrong(format!("claims {plain_len} bytes, above the limit of 64 MiB")));
    }
    let plain = match codec {
        PLAIN => bytes.to_vec(),
        ZSTD => zstd::bulk::decompress(bytes, plain_len).map_err(|e| wrong(e.to_string()))?,
        other => return Err(wrong(format!("storage codec {other} is not known"))),
    };
    if plain.len() != plain_len {
        return Err(wrong(format!("{} bytes where {plain_len} were promised", plain.len())));
    }
    Ok(plain)
}
