//! The content-addressed store: object files, indexes, refs, publish, gc, verify, repair.
//!
//! Knows ids and bytes, no tables. [`Store`] is a store that was opened; a [`Reader`] gives
//! objects, a [`Writer`] takes them and publishes a snapshot under a name. Readers take no lock.
//! `docs/durability.md` has the order of every write and `docs/format-store.md` every byte.

mod adopt;
mod error;
mod format;
pub mod gc;
mod index;
mod index_writer;
mod layout;
mod lock;
mod log;
mod mark;
mod marks;
pub mod memory;
mod merge;
mod name;
mod object_file;
mod object_writer;
pub mod objects;
mod open;
mod publish;
mod reader;
mod record;
mod refs;
pub mod repair;
mod resume;
mod signatures;
pub mod verify;
mod view;
mod writer;

use std::path::Path;
use std::sync::Arc;

pub use error::{ErrorKind, StoreError};
pub use format::{HashKey, VERSION};
pub use layout::{FileId, STORE_DIR};
pub use log::{LogEntry, Moment};
pub use memory::{KnownObjects, MemoryObjects};
pub use name::RefName;
pub use objects::{ObjectError, ObjectSink, Objects};
pub use open::discover;
pub use publish::Published;
pub use reader::Reader;
pub use refs::{Expected, Move};
pub use resume::{Checkpoint, RootObject};
pub use signatures::Signature;
pub use writer::{Writer, WriterOptions};

use crate::codec::Hasher;
use crate::fsio::FileSystem;

/// A store that was opened: its place, its format and its hash. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    fs: Arc<dyn FileSystem>,
    layout: layout::Layout,
    format: format::Format,
    hasher: Hasher,
}

impl Store {
    /// The directory of the store.
    pub fn path(&self) -> &Path {
        self.layout.root()
    }

    /// The hash of the store's ids.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// The file system the store is on.
    pub fn file_system(&self) -> &Arc<dyn FileSystem> {
        &self.fs
    }

    /// The directory for unfinished files, in the file system of the store. What is left there by
    /// a process that died is removed.
    pub fn tmp_dir(&self) -> std::path::PathBuf {
        self.layout.tmp()
    }
}
