//! Frozen wire structs: bincode 2.0.1 with fixed-width little-endian integers, strictly.
//!
//! bincode is no longer maintained, so it is walled into this module; `docs/format.md` describes
//! the bytes without it and golden files pin them. Decoding takes all bytes, and re-encoding what
//! was decoded must give the same bytes.

use bincode::{Decode, Encode};

use super::DecodeError;

/// No wire struct is larger than this.
const LARGEST: usize = 64 << 20;

fn config<const LIMIT: usize>() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<LIMIT>()
}

/// The bytes of a wire struct.
///
/// # Panics
///
/// Where the struct cannot be written: an inline block above its limit, which callers rule out.
pub fn to_bytes<T: Encode>(value: &T) -> Vec<u8> {
    bincode::encode_to_vec(value, config::<LARGEST>())
        .expect("wire structs are within the limits by design")
}

/// The wire struct of these bytes, all of them.
pub fn from_bytes<T: Encode + Decode<()>>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    // The limit is what bincode may claim in memory before it has read the elements of a list, so
    // it goes with the size of the input: a length field alone allocates nothing of its size.
    match bytes.len() {
        0..=0xFFF => within::<T, { 1 << 16 }>(what, bytes),
        0x1000..=0xFFFF => within::<T, { 1 << 20 }>(what, bytes),
        0x1_0000..=0xF_FFFF => within::<T, { 1 << 24 }>(what, bytes),
        len if len <= LARGEST => within::<T, { 1 << 30 }>(what, bytes),
        _ => Err(DecodeError::new(what, "above the limit of 64 MiB")),
    }
}

fn within<T: Encode + Decode<()>, const LIMIT: usize>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    let (value, used): (T, usize) = bincode::decode_from_slice(bytes, config::<LIMIT>())
        .map_err(|error| DecodeError::new(what, error.to_string()))?;
    if used != bytes.len() {
        return Err(DecodeError::new(what, format!("{} bytes too many", bytes.len() - used)));
    }
    if to_bytes(&value) != bytes {
        return Err(DecodeError::new(what, "not in canonical form"));
    }
    Ok(value)
}
