//! The content-addressed store: object files, indexes, refs, publish, gc, verify, repair.
//!
//! Knows ids and bytes, no tables. `docs/durability.md` has the order of every write.

pub mod memory;
pub mod objects;

pub use memory::MemoryObjects;
pub use objects::{ObjectSink, Objects};
