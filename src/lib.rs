//! Git for database state: snapshots of live databases in a content-addressed store, exact diffs,
//! and safe, reviewable changes of production.
//!
//! The layers and what each may use are in `docs/architecture.md`; a test enforces them.

pub mod codec;
pub mod diff;
pub mod fsio;
pub mod model;
pub mod report;
pub mod store;
