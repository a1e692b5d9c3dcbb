//! Taking a snapshot: one consistent read of a source becomes trees, a state and a snapshot; and
//! the way back, restoring a database from one.
//!
//! The order of tables is the order of their names, rows flow from the engine through the encoder
//! into the tree builder without being collected, and nothing becomes visible before the writer
//! publishes it. What was read is checkpointed, so that an interrupted snapshot goes on.

pub mod check;
pub mod checkpoint;
pub mod error;
pub mod lists;
pub mod reread;
pub mod restore;
pub mod table;
pub mod take;

pub use checkpoint::Progress;
pub use error::SnapshotError;
pub use restore::restore;
pub use table::RowMemory;
pub use take::{Observer, Outcome, Request, Taken, take};
