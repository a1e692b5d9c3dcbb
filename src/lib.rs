//! Git for database state: snapshots of live databases in a content-addressed store, exact diffs,
//! and safe, reviewable changes of production.
//!
//! The layers and what each may use are in `docs/architecture.md`; a test enforces them.
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests set their own scene; the build without tests holds the code to fsio"
    )
)]

pub mod apply;
pub mod cli;
pub mod codec;
pub mod diff;
pub mod engine;
#[allow(clippy::disallowed_methods, reason = "fsio is where files are written")]
pub mod fsio;
pub mod git;
pub mod model;
pub mod pack;
pub mod proof;
pub mod report;
pub mod snapshot;
pub mod store;
pub mod tree;
