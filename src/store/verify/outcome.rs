//! What a verification found, and where the next one may go on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::codec::Kind;
use crate::fsio::{OnExisting, write_atomically};
use crate::model::ObjectId;
use crate::store::{FileId, Store, StoreError, record};

/// What is damaged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damaged {
    /// A file of the store.
    File(PathBuf),
    /// An object.
    Object {
        /// Its id.
        id: ObjectId,
        /// Its kind, where that is known.
        kind: Option<Kind>,
    },
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damaged::File(path) => write!(f, "{}", path.display()),
            Damaged::Object { id, kind: Some(kind) } => write!(f, "object {id} ({kind})"),
            Damaged::Object { id, kind: None } => write!(f, "object {id}"),
        }
    }
}

/// One piece of damage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// What is damaged.
    pub what: Damaged,
    /// How, and what needs it.
    pub why: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct VerifyOutcome {
    /// How many objects were read.
    pub objects: u64,
    /// How many plain bytes they have.
    pub bytes: u64,
    /// All damage, in order.
    pub damaged: Vec<Damage>,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
    /// Where to go on, where the time was up before everything was looked at.
    pub next: Option<Cursor>,
}

impl VerifyOutcome {
    /// Whether no damage was found.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
    }

    /// Says that the walk from names was cut short in a run that began at `start`. If it had all of
    /// the run's time, the next one would come no further: it reads objects again instead.
    pub(super) fn cut_short(&mut self, start: Option<Cursor>) {
        if start == Some(Cursor::BEHIND_ALL) {
            self.next = Some(Cursor::START);
            let note = "what names lead to was not walked to the end: that needs more time";
            self.notes.push(note.to_owned());
        } else {
            self.next = Some(Cursor::BEHIND_ALL);
        }
    }

    pub(super) fn damaged_file(&mut self, path: impl Into<PathBuf>, why: impl Into<String>) {
        self.damaged.push(Damage { what: Damaged::File(path.into()), why: why.into() });
    }

    pub(super) fn sort(&mut self) {
        self.damaged.sort();
        self.damaged.dedup();
        self.notes.sort();
        self.notes.dedup();
    }
}

/// A position among all objects of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The object file; where it is gone, the next one by name.
    pub file: FileId,
    /// Where in it an object begins; 0 for the first.
    pub offset: u64,
}

impl Cursor {
    /// Before every object.
    pub(super) const START: Cursor = Cursor { file: FileId([0; 32]), offset: 0 };
    /// Behind every object: only the walk from names is left.
    pub(super) const BEHIND_ALL: Cursor = Cursor { file: FileId([0xff; 32]), offset: 0 };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (file, offset) = text.split_once(' ').ok_or(())?;
        let file = FileId::parse(file).ok_or(())?;
        Ok(Cursor { file, offset: offset.parse().map_err(|_| ())? })
    }
}

impl Store {
    fn cursor_path(&self) -> PathBuf {
        // No checkpoint's name begins with a dot.
        self.layout.resume().join(".verify")
    }

    /// Where the last verification with a time budget stopped; `None` too where nobody knows.
    pub fn verify_cursor(&self) -> Option<Cursor> {
        let bytes = self.fs.read(&self.cursor_path(), 1 << 12).ok()?;
        record::open_text(&bytes).ok()?.strip_suffix('\n')?.parse().ok()
    }

    /// Remembers where a verification with a time budget stopped.
    pub fn write_verify_cursor(&self, cursor: Option<Cursor>) -> Result<(), StoreError> {
        let path = self.cursor_path();
        let Some(cursor) = cursor else {
            return match self.fs.remove_file(&path) {
                Err(error) if !error.is_not_found() => Err(error.into()),
                _ => Ok(()),
            };
        };
        let bytes = record::seal(format!("{cursor}\n").into_bytes());
        let tmp = self.layout.tmp();
        Ok(write_atomically(self.fs.as_ref(), &tmp, &path, &bytes, OnExisting::Replace)?)
    }
}
