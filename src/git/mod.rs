//! Snapshots as commits of a git repository, and back: the only layer that uses gix.
//!
//! A commit holds all of a snapshot (`docs/format-git.md`): texts that people read, and the chunks
//! of every table as plain blobs at paths that stay the same, so that git shares and deltas them.
//! Work tree, index, `HEAD` and hooks are never touched. Objects are synced before the branch moves,
//! and what is read from a repository is believed only once it has the ids that it should have.
//!
//! Nothing here prints, and nothing knows an engine: what a commit tells of a change is handed in.

mod branch;
mod chunk_blob;
mod chunk_files;
mod commit;
mod error;
mod failpoint;
mod folder;
mod import;
mod manifest;
mod names;
mod object_writer;
mod pack_file;
mod pages;
mod program;
mod repository;
mod schema_files;
mod signing;
mod table_file;

pub use branch::{Branch, BranchName, CommitInfo};
pub use chunk_blob::{ChunkBlob, ChunkCell, ChunkRow};
pub use commit::{Changes, CommitRequest, Committed, Content, commit};
pub use error::{GitError, GitErrorKind};
pub use import::{Imported, import};
pub use program::{fetch, push};
pub use repository::{GitId, Repository};
pub use signing::Signing;
