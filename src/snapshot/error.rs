//! What can go wrong while a snapshot is taken or restored.

use crate::codec::DecodeError;
use crate::codec::row::LayoutError;
use crate::engine::EngineError;
use crate::model::StateId;
use crate::store::{ObjectError, StoreError};
use crate::tree::TreeError;
use crate::tree::state::StateError;

/// An error of taking or restoring a snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The database could not be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Rows could not become a tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The store could not take or give something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object could not be read or written.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The state could not be loaded.
    #[error(transparent)]
    State(#[from] StateError),
    /// A table has a shape that cannot be encoded.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Something stored is not what it should be.
    #[error("what is stored cannot be read")]
    Decode(#[from] DecodeError),
    /// A row could not be taken.
    #[error("a row cannot be encoded")]
    Rows(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The rows that arrived are not as many as the database counts.
    #[error("table {table}: {read} rows arrived, but the database counts {counted}")]
    CountMismatch {
        /// The table.
        table: String,
        /// How many arrived.
        read: u64,
        /// How many there are.
        counted: u64,
    },
    /// The transaction was open for longer than allowed.
    #[error(
        "the snapshot's transaction was open for longer than {} s; nothing was published, and the \
         transaction is closed",
        limit.as_secs_f64()
    )]
    TooOld {
        /// The limit.
        limit: std::time::Duration,
    },
    /// The source is not as it was when the snapshot was interrupted.
    #[error("the interrupted snapshot cannot go on: {why}")]
    CannotResume {
        /// What changed.
        why: String,
    },
    /// The snapshot lacks what a restore needs.
    #[error("snapshot {snapshot} cannot be restored: {why}")]
    NotRestorable {
        /// The snapshot.
        snapshot: String,
        /// Why.
        why: String,
    },
    /// What was restored is not what was stored; nothing of it is left.
    #[error(
        "what was written has the state {} and not {}: it was taken back",
        found.short(),
        expected.short()
    )]
    RestoredOtherwise {
        /// The state of the snapshot.
        expected: StateId,
        /// The state that was found.
        found: StateId,
    },
}
