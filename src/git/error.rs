//! What can go wrong between a store and a git repository.

use std::path::PathBuf;

use crate::fsio::FsError;
use crate::model::{SnapshotId, StateId};
use crate::store::{ObjectError, StoreError};
use crate::tree::TreeError;
use crate::tree::state::StateError;

/// How an error is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitErrorKind {
    /// The command line is wrong.
    Usage,
    /// It could not be done.
    CouldNot,
    /// Refused for safety.
    Refused,
}

/// An error of the git layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// No repository there.
    #[error("{} is in no git repository", path.display())]
    NotARepository {
        /// Where it was looked for.
        path: PathBuf,
        /// What gix said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The repository belongs to somebody else.
    #[error("the git repository at {} belongs to another user", path.display())]
    Untrusted {
        /// Where it is.
        path: PathBuf,
        /// What gix said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The repository uses something that cannot be read or written.
    #[error("the git repository at {} cannot be used: {why}", path.display())]
    Unsupported {
        /// Where it is.
        path: PathBuf,
        /// What it uses.
        why: String,
    },
    /// Something in the repository could not be read or written.
    #[error("could not {verb} in the git repository")]
    Repository {
        /// What was attempted.
        verb: String,
        /// What gix said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No such branch or commit.
    #[error("`{revision}` names no commit of the git repository{}", .why.as_deref().unwrap_or(""))]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// More of it.
        why: Option<String>,
    },
    /// A branch whose name cannot be one.
    #[error("`{name}` cannot be the name of a branch: {why}")]
    BranchName {
        /// The name.
        name: String,
        /// Why.
        why: String,
    },
    /// The branch is checked out: moving it would make a work tree look changed.
    #[error("branch {branch} is checked out in {}; nothing was changed", worktree.display())]
    CheckedOut {
        /// The branch.
        branch: String,
        /// The work tree.
        worktree: PathBuf,
    },
    /// The head of the branch is something else.
    #[error("commit {commit} is none of deepdiff-db: {why}")]
    NotOurs {
        /// The commit.
        commit: String,
        /// What is missing.
        why: String,
    },
    /// Somebody else moved the branch.
    #[error("branch {branch} was moved by somebody else meanwhile; nothing was changed")]
    Moved {
        /// The branch.
        branch: String,
        /// What gix said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The same objects are being written by another process.
    #[error("another process is committing the same snapshot; nothing was changed")]
    Underway,
    /// A part of a commit is missing.
    #[error("commit {commit} is not whole: {path} is missing")]
    Missing {
        /// The commit.
        commit: String,
        /// What is missing.
        path: String,
    },
    /// A part of a commit is not what it should be.
    #[error("commit {commit}: {path} {why}")]
    Damaged {
        /// The commit.
        commit: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A part of a commit cannot be read as what it is.
    #[error("commit {commit}: {path} cannot be read")]
    Unreadable {
        /// The commit.
        commit: String,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was rebuilt is not what the commit promises.
    #[error("commit {commit} does not hold what it says: {what}; nothing was imported")]
    OtherContent {
        /// The commit.
        commit: String,
        /// What differs.
        what: String,
    },
    /// The commit has no rows.
    #[error(
        "commit {commit} holds a snapshot's description and no rows (it was made with \
         --manifest-only)"
    )]
    ManifestOnly {
        /// The commit.
        commit: String,
    },
    /// Snapshots without values cannot be committed.
    #[error(
        "snapshot {} holds keys and row hashes only, and a commit needs values",
        snapshot.short()
    )]
    HashOnly {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// The ids of the commit are made in another way than those of the store.
    #[error("the ids in commit {commit} are made with {theirs}, those of this store with {ours}")]
    OtherHash {
        /// The commit.
        commit: String,
        /// Its hash.
        theirs: String,
        /// The store's.
        ours: String,
    },
    /// Two things would have one path.
    #[error("{what} would have the same path in git as another")]
    Collision {
        /// What.
        what: String,
    },
    /// A snapshot that no commit can describe.
    #[error("state {} cannot be described: {why}", state.short())]
    NotDescribable {
        /// The state.
        state: StateId,
        /// Why.
        why: String,
    },
    /// Git itself is needed and not there.
    #[error("`{program}` could not be started")]
    NoProgram {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{program}` failed ({status}): {said}")]
    ProgramFailed {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        said: String,
    },
    /// A commit cannot be signed as the configuration says.
    #[error("the commit cannot be signed: {why}")]
    Signing {
        /// Why.
        why: String,
    },
    /// A file of the repository could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object of the store is missing or damaged.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A tree of the store cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A state of the store cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl GitError {
    /// What was attempted in the repository, and what gix said.
    pub(super) fn repository(
        verb: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        GitError::Repository { verb: verb.into(), source: source.into() }
    }

    /// How this is to be taken.
    pub fn kind(&self) -> GitErrorKind {
        match self {
            GitError::UnknownRevision { .. } | GitError::BranchName { .. } => GitErrorKind::Usage,
            GitError::CheckedOut { .. }
            | GitError::NotOurs { .. }
            | GitError::Moved { .. }
            | GitError::Underway
            | GitError::OtherContent { .. }
            | GitError::OtherHash { .. }
            | GitError::Untrusted { .. }
            | GitError::HashOnly { .. }
            | GitError::ManifestOnly { .. } => GitErrorKind::Refused,
            _ => GitErrorKind::CouldNot,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            GitError::NotARepository { .. } => "name one with --repo DIR, or `git init` one",
            GitError::Untrusted { .. } => {
                "if it may be trusted: git config --global --add safe.directory DIR"
            }
            GitError::CheckedOut { .. } => {
                "check out another branch there, or commit to another one with --branch NAME"
            }
            GitError::NotOurs { .. } => "commit to another branch with --branch NAME",
            GitError::Moved { .. } | GitError::Underway => "run the same command again",
            GitError::Missing { .. } => {
                "fetch the whole history: a shallow or partial clone lacks it"
            }
            GitError::HashOnly { .. } => "take a snapshot without --hash-only",
            GitError::OtherHash { theirs, .. } if theirs.contains("key") => {
                "import into a store that was made with the same key (init --hash-key-file FILE)"
            }
            GitError::OtherHash { .. } => "import into a store of the same hash (init --hash …)",
            GitError::NoProgram { .. } => "install it, or put it into PATH",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
