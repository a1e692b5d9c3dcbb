//! What can go wrong with a store, said so that a person knows which object and what to do.
//!
//! Each error has a kind, from which the command line takes its exit code, and may have a hint.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::objects::ObjectError;
use crate::codec::DecodeError;
use crate::fsio::FsError;
use crate::model::{ObjectId, SnapshotId};

/// What kind of failure an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// It was asked for something that makes no sense (a malformed name, an ambiguous id).
    Usage,
    /// It could not be done (a file, a right, the disk, a newer version).
    CouldNot,
    /// Something stored is damaged.
    Damaged,
    /// It was refused so that nothing is lost.
    Refused,
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file operation failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// An object is missing, damaged, or could not be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// No store was found.
    #[error("no store `.deepdiff` in {} or any directory above it", start.display())]
    NotFound {
        /// Where the search began.
        start: PathBuf,
    },
    /// The directory is no store.
    #[error("{} is not a store: {why}", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What is missing or wrong.
        why: String,
    },
    /// There is something already where a store should be created.
    #[error("{} exists already", path.display())]
    AlreadyExists {
        /// The directory.
        path: PathBuf,
    },
    /// The store was written by a newer program.
    #[error(
        "the store {} has format version {found}; this program knows versions up to {known}",
        path.display()
    )]
    NewerVersion {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The store uses a feature this program does not know.
    #[error(
        "to {operation} the store {} a program must know `{feature}`, which this one does not",
        path.display()
    )]
    UnknownFeature {
        /// The store.
        path: PathBuf,
        /// What was attempted: read, write or collect.
        operation: &'static str,
        /// The feature.
        feature: String,
    },
    /// The store's ids depend on a key, and none was given.
    #[error("the ids of the store {} depend on a key file", path.display())]
    KeyNeeded {
        /// The store.
        path: PathBuf,
    },
    /// A key was given for a store without one.
    #[error("the store {} has no key, but a key file was given", path.display())]
    KeyNotWanted {
        /// The store.
        path: PathBuf,
    },
    /// The key is another store's.
    #[error("the key file is not the one of the store {}", path.display())]
    WrongKey {
        /// The store.
        path: PathBuf,
    },
    /// The key file is too short to be a secret.
    #[error("a key file has at least 32 bytes; this one has {len}")]
    KeyTooShort {
        /// How long it is.
        len: usize,
    },
    /// Somebody else holds the lock.
    #[error("the store {} is locked by another process", path.display())]
    Locked {
        /// The store.
        path: PathBuf,
    },
    /// A name that refs, tags and checkpoints may not have.
    #[error("`{name}` is not a valid name: {why}")]
    InvalidName {
        /// The name.
        name: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// There is no such ref or tag.
    #[error("there is no {what} `{name}`")]
    NoSuchName {
        /// `ref` or `tag`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A ref is not where it was expected: somebody else moved it meanwhile.
    #[error(
        "{what} `{name}` moved meanwhile: expected {}, found {}",
        shown(*expected),
        shown(*found)
    )]
    RefMoved {
        /// `ref` or `tag`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Where it was expected.
        expected: Option<SnapshotId>,
        /// Where it is.
        found: Option<SnapshotId>,
    },
    /// A prefix is too short, or no hexadecimal digits.
    #[error("`{prefix}` is not the beginning of an id: at least 4 hexadecimal digits are needed")]
    BadPrefix {
        /// The prefix.
        prefix: String,
    },
    /// No snapshot's id begins so.
    #[error("there is no snapshot whose id begins with {prefix}")]
    NoSuchSnapshot {
        /// The prefix.
        prefix: String,
    },
    /// Several snapshots' ids begin so.
    #[error("{prefix} is ambiguous: it could be {}", listed(candidates, prefix.len() + 8))]
    AmbiguousPrefix {
        /// The prefix.
        prefix: String,
        /// Every snapshot whose id begins so.
        candidates: Vec<SnapshotId>,
    },
    /// A file of the store is not what it should be.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Something below a ref is missing, so what is alive cannot be known.
    #[error("object {id} below {root} is missing or damaged: {why}")]
    Incomplete {
        /// What leads to the object.
        root: String,
        /// The object.
        id: ObjectId,
        /// What was found.
        why: String,
    },
    /// An object that this writer relied on was collected before it was published.
    #[error("object {id} was collected while this snapshot was being written")]
    Collected {
        /// The object.
        id: ObjectId,
    },
    /// An earlier write of this session failed; what it wrote is not complete.
    #[error("an earlier write to the store {} failed, so nothing of it can be published: {why}", path.display())]
    WriterFailed {
        /// The store.
        path: PathBuf,
        /// The first failure.
        why: String,
    },
    /// An object that no file can hold.
    #[error("object {id} has {len} stored bytes, more than the format allows")]
    ObjectTooLarge {
        /// The object.
        id: ObjectId,
        /// Its length.
        len: usize,
    },
}

/// The first `digits` of each id.
fn listed(ids: &[SnapshotId], digits: usize) -> String {
    let short = |id: &SnapshotId| id.0.to_string().chars().take(digits).collect::<String>();
    ids.iter().map(short).collect::<Vec<_>>().join(", ")
}

fn shown(id: Option<SnapshotId>) -> String {
    id.map_or_else(|| "nothing".to_owned(), |id| id.short())
}

impl StoreError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            StoreError::Object(ObjectError::Missing { .. } | ObjectError::Damaged { .. })
            | StoreError::Damaged { .. }
            | StoreError::Incomplete { .. } => ErrorKind::Damaged,
            StoreError::RefMoved { .. } | StoreError::Collected { .. } => ErrorKind::Refused,
            StoreError::InvalidName { .. }
            | StoreError::BadPrefix { .. }
            | StoreError::AmbiguousPrefix { .. } => ErrorKind::Usage,
            StoreError::Object(ObjectError::Io(error)) => {
                error.downcast_ref::<StoreError>().map_or(ErrorKind::CouldNot, StoreError::kind)
            }
            _ => ErrorKind::CouldNot,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            StoreError::NotFound { .. } => {
                Some("create one with `deepdiff-db init`, or name one with `--store DIR`")
            }
            StoreError::NewerVersion { .. } | StoreError::UnknownFeature { .. } => {
                Some("use a newer version of this program")
            }
            StoreError::KeyNeeded { .. } | StoreError::WrongKey { .. } => {
                Some("name the key file that the store was created with: `--hash-key-file F`")
            }
            StoreError::Damaged { .. }
            | StoreError::Incomplete { .. }
            | StoreError::Object(ObjectError::Missing { .. } | ObjectError::Damaged { .. }) => {
                Some("`deepdiff-db verify` lists what is damaged, `deepdiff-db repair` mends it")
            }
            StoreError::RefMoved { .. } => Some("look at it with `deepdiff-db log`, and run again"),
            StoreError::Collected { .. } => Some("run the snapshot again"),
            StoreError::Object(ObjectError::Io(error)) => {
                error.downcast_ref::<StoreError>().and_then(StoreError::hint)
            }
            StoreError::Fs(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("the disk is full; nothing published was lost: free some space, run again")
                }
                io::ErrorKind::PermissionDenied => {
                    Some("the store belongs to another user, or you have no right to write there")
                }
                io::ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only"),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<StoreError> for ObjectError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Object(error) => error,
            error => ObjectError::Io(Box::new(error)),
        }
    }
}

/// An error and its causes in one line, where it becomes a part of a report.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A structure object whose bytes hash to its id but mean nothing.
pub(super) fn malformed(id: ObjectId, kind: crate::codec::Kind, error: &DecodeError) -> StoreError {
    StoreError::Object(ObjectError::Damaged { id, kind, why: error.to_string() })
}
