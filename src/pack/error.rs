//! What can go wrong while a pack is planned, written or read, and in which tone it is told.
//!
//! A refusal is no failure: the program understood what was asked and will not do it. Each names
//! the object, where there is one the row, and says what to do instead.

use std::fmt;
use std::path::PathBuf;

use crate::codec::DecodeError;
use crate::codec::row::LayoutError;
use crate::fsio::FsError;
use crate::model::{ObjectName, SinkError};

/// The kind of an error of packs and of applying them: what the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// What was asked cannot be asked so (exit code 2).
    Usage,
    /// It could not be done: a connection, a file, a privilege (exit code 3).
    CouldNot,
    /// It was refused for safety (exit code 4).
    Refused,
    /// Something must be decided first (exit code 5).
    Incomplete,
}

/// One thing that a pack would have to do and does not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// What it is about: a table, an index, a setting, …
    pub object: String,
    /// The row, where it is about one: its key as literals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Why it is refused.
    pub reason: String,
    /// What can be done instead.
    pub hint: String,
}

impl Refusal {
    /// A refusal about a whole object.
    pub fn new(
        object: impl fmt::Display,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Refusal { object: object.to_string(), row: None, reason: reason.into(), hint: hint.into() }
    }

    /// The same about one row.
    #[must_use]
    pub fn at_row(mut self, row: impl Into<String>) -> Self {
        self.row = Some(row.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.object)?;
        if let Some(row) = &self.row {
            write!(f, " {row}")?;
        }
        write!(f, ": {}", self.reason)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}

/// An error of packs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A word of `--allow` that means nothing.
    #[error("`--allow {word}`: {reason}")]
    Consent {
        /// The word.
        word: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A strategy, or the table it is for, that means nothing.
    #[error("strategy: `{word}`: {reason}")]
    Strategy {
        /// The word.
        word: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that does not change so.
    #[error("`--rename {word}`: {reason}")]
    Rename {
        /// The words.
        word: String,
        /// What is wrong with them.
        reason: String,
    },
    /// A value that no column gets so.
    #[error("`--fill {word}`: {reason}")]
    Fill {
        /// The words.
        word: String,
        /// What is wrong with them.
        reason: String,
    },
    /// Rows wait for a person's decision.
    #[error("no pack was made: {} to be decided in {}", wait(*.rows), path.display())]
    Undecided {
        /// The file that was written.
        path: PathBuf,
        /// How many rows.
        rows: u64,
    },
    /// A file of decisions would be written over.
    #[error("{} is there already, and may hold decisions", path.display())]
    DecisionsThere {
        /// The file.
        path: PathBuf,
    },
    /// A file of decisions cannot be read.
    #[error("{}, line {line}: {why}", path.display())]
    DecisionsText {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// Decisions that are missing, or are not about the rows that differ.
    #[error("no pack was made from the decisions in {}: {}", path.display(), list(.problems))]
    Decisions {
        /// The file.
        path: PathBuf,
        /// Whether some of them hold no more, or cannot be followed; else some are only missing.
        is_void: bool,
        /// The rows.
        problems: Vec<Refusal>,
    },
    /// The pack was not made, for these reasons.
    #[error("no pack was made: {}", list(.0))]
    Refused(Vec<Refusal>),
    /// The plan does not do on a scratch copy what it promises.
    #[error("no pack was made, because on a scratch copy {direction} did not work: {reason}")]
    NotProved {
        /// `the migration` or `the rollback`.
        direction: &'static str,
        /// What went wrong, naming the row or object.
        reason: String,
    },
    /// The folder to write to is there already.
    #[error("`{}` exists already; name a folder that does not exist yet", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file of a pack is not what the pack says.
    #[error("`{}` was changed after the pack was made: {why}", path.display())]
    Edited {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The pack was made by another version.
    #[error("`{}` has version {found} of the pack format, and this program reads {known}: make the pack again", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version this program knows.
        known: u64,
    },
    /// The pack's row hashes were made with another key or hash function.
    #[error("the pack hashes rows with {pack}, and this program was given {given}")]
    Hash {
        /// What the pack says.
        pack: String,
        /// What was given.
        given: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The rows of a table could not be read from the store.
    #[error("could not read the rows of table {table}")]
    Rows {
        /// The table.
        table: ObjectName,
        /// Why.
        #[source]
        source: SinkError,
    },
    /// A large value could not be read from the store, or is none that the database can hold.
    #[error("could not take a large value out of the store")]
    Value(#[source] SinkError),
    /// A table's rows cannot be encoded.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A statement could not be written.
    #[error("could not write a statement for table {table}: {reason}")]
    Statement {
        /// The table.
        table: ObjectName,
        /// Why.
        reason: String,
    },
    /// What this program wrote into its own scratch file came back different.
    #[error("a scratch file of table {table} was damaged while it was used")]
    Scratch {
        /// The table.
        table: ObjectName,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// The scratch database could not be used.
    #[error("could not use a scratch database to prove the pack")]
    Prover(#[source] SinkError),
}

impl PackError {
    /// What the exit code says.
    pub fn kind(&self) -> FailureKind {
        match self {
            PackError::Consent { .. }
            | PackError::Strategy { .. }
            | PackError::Rename { .. }
            | PackError::Fill { .. }
            | PackError::DecisionsText { .. }
            | PackError::DecisionsThere { .. }
            | PackError::Exists { .. } => FailureKind::Usage,
            PackError::Undecided { .. } | PackError::Decisions { is_void: false, .. } => {
                FailureKind::Incomplete
            }
            PackError::Refused(_)
            | PackError::Decisions { .. }
            | PackError::NotProved { .. }
            | PackError::Edited { .. }
            | PackError::Version { .. }
            | PackError::Hash { .. }
            | PackError::Statement { .. } => FailureKind::Refused,
            PackError::Fs(_)
            | PackError::Rows { .. }
            | PackError::Value(_)
            | PackError::Layout(_)
            | PackError::Scratch { .. }
            | PackError::Prover(_) => FailureKind::CouldNot,
        }
    }
}

fn wait(rows: u64) -> String {
    match rows {
        1 => "1 row has".to_owned(),
        rows => format!("{rows} rows have"),
    }
}

fn list(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
