//! Why something is not proved.

use crate::codec::DecodeError;
use crate::codec::row::LayoutError;
use crate::store::ObjectError;
use crate::tree::TreeError;
use crate::tree::state::StateError;

/// An error of making or checking a proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The text is not in the form of a proof.
    #[error("not a proof: {0}")]
    Form(String),
    /// The proof's parts do not lead from its id to what it says.
    #[error("the proof does not hold: {0}")]
    Broken(String),
    /// What a walk through the tree met.
    #[error("the proof does not hold")]
    Tree(#[from] TreeError),
    /// What stands where a snapshot, a state or a table should.
    #[error("the proof does not hold")]
    State(#[from] StateError),
    /// An object that is missing or another one.
    #[error("the proof does not hold")]
    Object(#[from] ObjectError),
    /// Bytes that are not what they should be.
    #[error("the proof does not hold")]
    Decode(#[from] DecodeError),
    /// A table that cannot have rows.
    #[error("the proof does not hold")]
    Layout(#[from] LayoutError),
    /// Nothing in a store can prove this.
    #[error("this cannot be proved: {0}")]
    Unprovable(String),
}

impl ProofError {
    pub(super) fn broken(why: impl Into<String>) -> Self {
        ProofError::Broken(why.into())
    }
}
