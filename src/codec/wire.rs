//! Frozen wire structs: bincode 2.0.1 with fixed-width little-endian integers, strictly.
//!
//! bincode is no longer maintained, so it is walled into this module; `docs/format.md` describes
//! the bytes without it and golden files pin them. Decoding takes all bytes, and re-encoding what
//! was decoded must give the same bytes.

use bincode::{Decode, Encode};

use super::DecodeError;

/// No wire struct is larger than this; a length field that claims more is refused before anything
/// is allocated.
const LIMIT: usize = 64 << 20;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<LIMIT>()
}

/// The bytes of a wire struct.
///
/// # Panics
///
/// Where the struct is larger than the format allows (64 MiB): callers split before that.
pub fn to_bytes<T: Encode>(value: &T) -> Vec<u8> {
    bincode::encode_to_vec(value, config()).expect("wire structs are within the limit by design")
}

/// The wire struct of these bytes, all of them.
pub fn from_bytes<T: Encode + Decode<()>>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    let (value, used): (T, usize) = bincode::decode_from_slice(bytes, config())
        .map_err(|error| DecodeError::new(what, error.to_string()))?;
    if used != bytes.len() {
        return Err(DecodeError::new(what, format!("{} bytes too many", bytes.len() - used)));
    }
    if to_bytes(&value) != bytes {
        return Err(DecodeError::new(what, "not in canonical form"));
    }
    Ok(value)
}
