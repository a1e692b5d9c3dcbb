//! Where everything lies in a store, and the names of object files and indexes.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::ObjectId;

/// The name of the directory that holds a store.
pub const STORE_DIR: &str = ".deepdiff";

/// The name of an object file or an index: the BLAKE3 hash of its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub [u8; 32]);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ObjectId(self.0).fmt(f)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ObjectId(self.0).short())
    }
}

impl FileId {
    /// The file with these 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<FileId> {
        text.parse::<ObjectId>().ok().map(|id| FileId(id.0))
    }
}

/// What a file in `objects/` is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SealedName {
    Objects(FileId),
    Index(FileId),
}

impl SealedName {
    pub(super) fn parse(name: &str) -> Option<SealedName> {
        if let Some(stem) = name.strip_suffix(".objs") {
            return FileId::parse(stem).map(SealedName::Objects);
        }
        FileId::parse(name.strip_suffix(".idx")?).map(SealedName::Index)
    }
}

/// The paths of a store.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Layout { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn gitignore(&self) -> PathBuf {
        self.root.join(".gitignore")
    }

    pub(super) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(super) fn refs(&self) -> PathBuf {
        self.root.join("refs")
    }

    pub(super) fn tags(&self) -> PathBuf {
        self.root.join("tags")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(super) fn condemned(&self) -> PathBuf {
        self.root.join("condemned")
    }

    pub(super) fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    pub(super) fn resume(&self) -> PathBuf {
        self.root.join("resume")
    }

    /// Made when something is signed for the first time.
    pub(super) fn signatures(&self) -> PathBuf {
        self.root.join("signatures")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Every directory of a store, below its root.
    pub(super) fn directories(&self) -> [PathBuf; 8] {
        [
            self.refs(),
            self.tags(),
            self.log(),
            self.objects(),
            self.condemned(),
            self.damaged(),
            self.resume(),
            self.tmp(),
        ]
    }

    pub(super) fn object_file(&self, id: &FileId) -> PathBuf {
        self.objects().join(format!("{id}.objs"))
    }

    pub(super) fn index(&self, id: &FileId) -> PathBuf {
        self.objects().join(format!("{id}.idx"))
    }

    pub(super) fn tombstone(&self, id: &FileId) -> PathBuf {
        self.condemned().join(id.to_string())
    }

    pub(super) fn damage_mark(&self, id: &ObjectId) -> PathBuf {
        self.damaged().join(id.to_string())
    }
}
