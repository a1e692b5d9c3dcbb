//! The errors of the layers below, as a person meets them: which exit code, which hint.

use std::error::Error;
use std::io;

use super::error::CliError;
use super::exit::Exit;
use crate::apply::ApplyError;
use crate::diff::DiffError;
use crate::engine::EngineError;
use crate::git::{GitError, GitErrorKind};
use crate::pack::{FailureKind, PackError};
use crate::proof::ProofError;
use crate::snapshot::SnapshotError;
use crate::store::{ErrorKind, ObjectError, StoreError};
use crate::tree::TreeError;
use crate::tree::state::StateError;

fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::CouldNot | ErrorKind::Damaged => Exit::CouldNot,
        ErrorKind::Refused => Exit::Refused,
    }
}

/// An error whose own words are the message.
fn spoken(exit: Exit, error: impl Error + Send + Sync + 'static) -> CliError {
    CliError::because(exit, error.to_string(), error)
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        let spoken = spoken(exit_of(error.kind()), error);
        match hint {
            Some(hint) => spoken.hint(hint),
            None => spoken,
        }
    }
}

impl From<ObjectError> for CliError {
    fn from(error: ObjectError) -> Self {
        StoreError::from(error).into()
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        let exit = match error {
            EngineError::Url { .. }
            | EngineError::KeyOverride { .. }
            | EngineError::Mask { .. } => Exit::Usage,
            _ => Exit::CouldNot,
        };
        spoken(exit, error)
    }
}

impl From<TreeError> for CliError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Object(error) => error.into(),
            error => spoken(Exit::CouldNot, error),
        }
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Object(error) => error.into(),
            StateError::Tree(error) => error.into(),
            error => spoken(Exit::CouldNot, error),
        }
    }
}

impl From<DiffError> for CliError {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Object(error) => error.into(),
            DiffError::Tree(error) => error.into(),
            DiffError::State(error) => error.into(),
            error @ DiffError::Masks { .. } => spoken(Exit::Incomplete, error).hint(
                "take both again under the same `mask` in deepdiff.toml; a live source is read under \
                 what stands there now",
            ),
            error => spoken(Exit::CouldNot, error),
        }
    }
}

impl From<SnapshotError> for CliError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Engine(error) => error.into(),
            SnapshotError::Tree(error) => error.into(),
            SnapshotError::Store(error) => error.into(),
            SnapshotError::Object(error) => error.into(),
            SnapshotError::State(error) => error.into(),
            error @ SnapshotError::CannotResume { .. } => spoken(Exit::Refused, error)
                .hint("run `deepdiff-db snapshot` without --resume to read everything anew"),
            error @ SnapshotError::NotRestorable { .. } => spoken(Exit::Refused, error),
            error @ SnapshotError::RestoredOtherwise { .. } => spoken(Exit::Incomplete, error)
                .hint("check the store with `deepdiff-db verify --full`"),
            error => spoken(Exit::CouldNot, error),
        }
    }
}

fn exit_of_pack(kind: FailureKind) -> Exit {
    match kind {
        FailureKind::Refused => Exit::Refused,
        FailureKind::CouldNot => Exit::CouldNot,
        FailureKind::Usage => Exit::Usage,
        FailureKind::Incomplete => Exit::Incomplete,
    }
}

impl From<PackError> for CliError {
    fn from(error: PackError) -> Self {
        let hint = match &error {
            PackError::Undecided { path, .. } => Some(format!(
                "fill in `take` there, then run the same command with --decisions {}",
                path.display()
            )),
            PackError::DecisionsThere { path } => {
                Some(format!("read it with --decisions {}, or remove it", path.display()))
            }
            PackError::Decisions { is_void: true, .. } => Some(
                "remove the entries that are named, or run without --decisions to write them \
                      anew"
                    .to_owned(),
            ),
            PackError::WrongKey => {
                Some("name that store's key with --hash-key-file FILE".to_owned())
            }
            _ => None,
        };
        let spoken = spoken(exit_of_pack(error.kind()), error);
        match hint {
            Some(hint) => spoken.hint(hint),
            None => spoken,
        }
    }
}

impl From<ApplyError> for CliError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Pack(error) => error.into(),
            ApplyError::Engine(error) => error.into(),
            error @ ApplyError::Unfinished { .. } => spoken(Exit::Incomplete, error),
            error => spoken(exit_of_pack(error.kind()), error),
        }
    }
}

/// A proof that cannot be made. What is wrong with one that is checked is an answer.
impl From<ProofError> for CliError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Object(error) => error.into(),
            ProofError::Tree(error) => error.into(),
            ProofError::State(error) => error.into(),
            error @ ProofError::Unprovable(_) => spoken(Exit::Incomplete, error),
            error => spoken(Exit::CouldNot, error)
                .hint("check the store with `deepdiff-db verify --full`"),
        }
    }
}

impl From<GitError> for CliError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Store(error) => error.into(),
            GitError::Object(error) => error.into(),
            GitError::Tree(error) => error.into(),
            GitError::State(error) => error.into(),
            error => {
                let exit = match error.kind() {
                    GitErrorKind::Usage => Exit::Usage,
                    GitErrorKind::CouldNot => Exit::CouldNot,
                    GitErrorKind::Refused => Exit::Refused,
                };
                let hint = error.hint();
                let spoken = spoken(exit, error);
                match hint {
                    Some(hint) => spoken.hint(hint),
                    None => spoken,
                }
            }
        }
    }
}

/// A command line that cannot be parsed. What clap says after its first line is the hint.
impl From<&clap::Error> for CliError {
    fn from(error: &clap::Error) -> Self {
        let said = error.render().to_string();
        let (first, rest) = said.split_once('\n').unwrap_or((&said, ""));
        let usage = CliError::usage(first.strip_prefix("error: ").unwrap_or(first));
        let rest: Vec<&str> = rest.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if rest.is_empty() { usage } else { usage.hint(rest.join("\n")) }
    }
}

/// Writing to standard output. Whoever closed the pipe wants no more of it.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::BrokenPipe => Exit::PipeClosed,
            _ => Exit::CouldNot,
        };
        CliError::because(exit, "cannot write to standard output", error)
    }
}
