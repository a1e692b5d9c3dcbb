//! Every write, sync, rename, lock and map of a file.
//!
//! [`FileSystem`] lists all that the program ever does to files, so that a twin in memory
//! ([`SimulatedFs`]) can fail, cut short or forget each operation once and tests can look at what
//! a crash leaves. Files are appended to and never written over: what must change is written anew
//! and renamed. Every error says what was attempted and on which path.
//!
//! Nothing here knows what the files mean.

mod map;
mod real;
mod simulated;
mod survival;
mod whole;
mod world;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use map::Mapping;
pub use real::RealFs;
pub use simulated::{Fault, SimulatedFs};
pub use survival::Survival;
pub use whole::{create_unique, remove_tree, write_atomically, write_new};

/// An operation on a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} {}", path.display())]
pub struct FsError {
    /// What was attempted, as in "could not … the path".
    pub verb: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl FsError {
    /// An error of doing `verb` to `path`.
    pub fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        FsError { verb, path: path.to_owned(), source }
    }

    /// What the operating system said, in kind.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether the file is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }
}

/// What a rename does when the new name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// It fails with [`io::ErrorKind::AlreadyExists`].
    Refuse,
    /// The old file is replaced, atomically.
    Replace,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without the directory.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_dir: bool,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// The length in bytes.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// The permission bits, such as `0o600`.
    pub mode: u32,
    /// The user id of the owner.
    pub owner: u32,
}

/// A file system, real or simulated.
pub trait FileSystem: Send + Sync + Debug {
    /// Creates a file of mode 0600 that must not exist yet. While the handle lives it holds the
    /// file's advisory lock, so that others can tell unfinished work from abandoned work.
    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>, FsError>;

    /// Opens a file for appending; creates it with mode 0600 where it is not there.
    fn open_append(&self, path: &Path) -> Result<Box<dyn AppendFile>, FsError>;

    /// Opens a file for reading.
    fn open(&self, path: &Path) -> Result<Arc<dyn ReadFile>, FsError>;

    /// Creates a directory of mode 0700 that must not exist yet.
    fn create_dir(&self, path: &Path) -> Result<(), FsError>;

    /// Makes the names in a directory survive a crash.
    fn sync_dir(&self, path: &Path) -> Result<(), FsError>;

    /// Renames a file within one file system, atomically.
    fn rename(&self, from: &Path, to: &Path, on_existing: OnExisting) -> Result<(), FsError>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> Result<(), FsError>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> Result<(), FsError>;

    /// The names in a directory, in no order. Names that are not UTF-8 are left out: the program
    /// writes none.
    fn list(&self, path: &Path) -> Result<Vec<DirEntry>, FsError>;

    /// As [`FileSystem::list`]; nothing where there is no such directory.
    fn list_if_there(&self, path: &Path) -> Result<Vec<DirEntry>, FsError> {
        match self.list(path) {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            result => result,
        }
    }

    /// What is known of a file; `None` where there is none.
    fn info(&self, path: &Path) -> Result<Option<FileInfo>, FsError>;

    /// Takes the advisory lock of an existing file; `None` where somebody else holds it.
    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>, FsError>;

    /// A file without a name, in the file system of `dir`: it vanishes with its handle, however
    /// the program ends.
    fn scratch(&self, dir: &Path) -> Result<Box<dyn ScratchFile>, FsError>;

    /// 128 bits that no other call gave. Unique, not secret.
    fn nonce(&self) -> [u8; 16];

    /// The whole content of a file that has no reason to be longer than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FsError> {
        let file = self.open(path)?;
        let len = file.len();
        let too_long = || {
            let why = format!("it has {len} bytes, more than the {limit} expected");
            FsError::new("read", path, io::Error::new(io::ErrorKind::FileTooLarge, why))
        };
        if len > limit {
            return Err(too_long());
        }
        let mut bytes = vec![0u8; usize::try_from(len).map_err(|_| too_long())?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// A file that only grows.
pub trait AppendFile: Send + Debug {
    /// Adds all of `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<(), FsError>;

    /// Makes the content survive a crash. Where this fails, what was appended since the last
    /// success may never reach the disk, whatever later calls say: give the file up.
    fn sync(&mut self) -> Result<(), FsError>;

    /// Takes the right to write from everybody: mode 0444.
    fn make_read_only(&mut self) -> Result<(), FsError>;

    /// A way for another thread to send to the disk what was appended so far, so that a later
    /// [`AppendFile::sync`] finds little left to do. It replaces no sync, but where it fails, the
    /// file has to be given up as after a failed sync. `None` where it would gain nothing.
    fn write_back(&self) -> Result<Option<WriteBack>, FsError>;
}

/// Sends what was appended to the disk; see [`AppendFile::write_back`].
pub type WriteBack = Box<dyn FnOnce() -> Result<(), FsError> + Send>;

/// A file that is read.
pub trait ReadFile: Send + Sync + Debug {
    /// The length when it was opened.
    fn len(&self) -> u64;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes from `offset` on; an error where there are fewer.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FsError>;

    /// Makes the content survive a crash, for a file that somebody else left unsynced.
    fn sync(&self) -> Result<(), FsError>;

    /// The content as memory. Only for sealed files, which never change.
    fn map(&self) -> Result<Mapping, FsError>;
}

/// A file without a name: written at the end, read anywhere.
pub trait ScratchFile: Send + Debug {
    /// Adds all of `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<(), FsError>;

    /// Fills `buffer` with the bytes from `offset` on; an error where there are fewer.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FsError>;

    /// How many bytes were appended.
    fn len(&self) -> u64;

    /// Whether nothing was appended.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An advisory lock, held until it is dropped.
pub trait FileLock: Send + Sync + Debug {}
