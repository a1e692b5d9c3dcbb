//! What can go wrong while a pack is run. What a target's *content* speaks against is no error: it
//! is an [`Outcome`](super::Outcome) of kind refused or rolled back.

use crate::engine::{EngineError, Receipt};
use crate::model::SinkError;
use crate::pack::{FailureKind, PackError};

/// An error of applying a pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The pack cannot be used, or a file of it cannot be read.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The target cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A row of the target could not be hashed.
    #[error("could not hash a row of table {table}")]
    Row {
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: SinkError,
    },
    /// The whole target could not be read again.
    #[error("could not read the whole target again inside the transaction; nothing was changed")]
    VerifyFull(#[source] SinkError),
    /// The journal of the target holds what this program cannot read.
    #[error(
        "the journal in the target (table `_deepdiff_journal`) is not one that this program can go \
         on with: it was written by another version, or by somebody else"
    )]
    Journal,
    /// A run ended between its first step and its last one.
    #[error(
        "the target is in the middle of the pack, behind {done} of its steps; run the same command \
         again to go on, or with the other direction to go back"
    )]
    Unfinished {
        /// How many steps are done.
        done: u64,
        /// Why it ended.
        #[source]
        source: Box<ApplyError>,
    },
    /// The commit was sent and its answer is not known.
    #[error(
        "the target did not say whether it committed; run the same command again: the receipt in \
         the target decides whether the pack has been applied"
    )]
    CommitUnknown {
        /// The receipt that is there if it did.
        receipt: Box<Receipt>,
        /// What was heard instead.
        #[source]
        source: EngineError,
    },
}

impl ApplyError {
    /// What the exit code says.
    pub fn kind(&self) -> FailureKind {
        match self {
            ApplyError::Pack(error) => error.kind(),
            _ => FailureKind::CouldNot,
        }
    }
}
