//! Bytes ↔ model: the only layer that knows encodings.
//!
//! Everything that is hashed or stored is encoded here and nowhere else; `docs/format.md` describes
//! every byte. All decoders are strict: they refuse what the encoder would not have written, they
//! never panic, and they never allocate what a length field merely claims.

pub mod block;
pub mod catalog;
pub mod cell;
pub mod hash;
pub mod key;
pub mod row;
pub mod row_hash;
pub mod schema;
pub mod slice;
pub mod state;
pub mod stored;
pub mod structure;
pub mod wire;

pub use cell::Cell;
pub use hash::{HashAlgorithm, Hasher, Kind};
pub use stored::Stored;

/// Bytes that are not an encoding of what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}: {why}")]
pub struct DecodeError {
    /// What the bytes should have been.
    pub what: &'static str,
    /// What is wrong with them.
    pub why: String,
}

impl DecodeError {
    /// An error about `what`.
    pub fn new(what: &'static str, why: impl Into<String>) -> Self {
        DecodeError { what, why: why.into() }
    }
}
