//! Proofs: that a snapshot has a row, has none, or has no table of a name, by nothing but its id.
//!
//! An id covers everything below it, so a proof is the part of a store that leads from an id to a
//! row (`docs/proofs.md`). Maker and checker are one walk (`follow.rs`): the maker writes down what
//! the walk asks for, in that order, and the checker answers with exactly that. What is shown of
//! other rows are their hashes, the keys between nodes, and the blocks that are short enough to
//! stand in a chunk's list. Nothing here knows a file, a store's or any other.

mod error;
mod evidence;
mod file;
mod follow;
mod make;
mod says;

pub use error::ProofError;
pub use file::Proof;
pub use follow::{Claim, Finding, Proved, ProvedValue, Question};
pub use make::{Made, Shown, make};
