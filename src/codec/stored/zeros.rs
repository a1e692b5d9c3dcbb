//! Structure objects without their zeros: fixed-width numbers between hashes.
//!
//! A zero byte is followed by how many more zeros come after it; all other bytes stand for
//! themselves. Chunks and nodes are mostly hashes, on which zstd would lose its time, and numbers
//! of eight bytes of which most are zero.

use super::bits::wrong;
use crate::codec::DecodeError;

/// Appends the bytes without their zeros.
pub(super) fn write(plain: &[u8], out: &mut Vec<u8>) {
    let mut rest = plain;
    while let Some(zero) = rest.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        let after = &rest[zero + 1..];
        let more = after.iter().take(255).take_while(|byte| **byte == 0).count();
        out.push(u8::try_from(more).expect("at most 255 were taken"));
        rest = &after[more..];
    }
    out.extend_from_slice(rest);
}

/// Rebuilds the plain bytes, which must be `plain_len`.
pub(super) fn read(bytes: &[u8], plain_len: usize) -> Result<Vec<u8>, DecodeError> {
    if plain_len.div_ceil(128) > bytes.len() {
        return Err(wrong("claims more than its bytes can hold"));
    }
    let mut plain = Vec::with_capacity(plain_len);
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|&byte| byte == 0) {
        let (more, after) =
            rest[zero + 1..].split_first().ok_or_else(|| wrong("cut short after a zero"))?;
        plain.extend_from_slice(&rest[..=zero]);
        plain.resize(plain.len() + usize::from(*more), 0);
        if plain.len() > plain_len {
            return Err(wrong("longer than promised"));
        }
        rest = after;
    }
    plain.extend_from_slice(rest);
    if plain.len() == plain_len { Ok(plain) } else { Err(wrong("not as long as promised")) }
}
