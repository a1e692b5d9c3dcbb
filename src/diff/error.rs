//! What can go wrong while states are loaded and compared.

use crate::codec::DecodeError;
use crate::codec::row::LayoutError;
use crate::store::ObjectError;
use crate::tree::TreeError;
use crate::tree::state::StateError;

/// An error of loading or comparing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// An object is missing, damaged or cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A state or its rows cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A tree cannot be read or compared.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An object is what its id says, but not what it should be.
    #[error("what is stored cannot be read")]
    Decode(#[from] DecodeError),
    /// The two sides were read by schema models that cannot be compared.
    #[error(
        "a state of {left} and a state of {right} cannot be compared: their schemas differ in kind"
    )]
    Engines {
        /// The engine on the left.
        left: String,
        /// The engine on the right.
        right: String,
    },
    /// The values of other columns are masked on one side.
    #[error("the two states were read under different masks ({left} and {right})")]
    Masks {
        /// Those of the left.
        left: String,
        /// Those of the right.
        right: String,
    },
    /// A stored table has a shape that no program should have written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Whoever takes the rows failed.
    #[error("a changed row could not be handed on")]
    Sink(#[source] Box<dyn std::error::Error + Send + Sync>),
}
