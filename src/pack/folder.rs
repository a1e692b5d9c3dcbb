//! A pack that is read: its manifest and files verified, its steps and statements handed out.
//!
//! Nothing of a pack is believed before all its digests have been checked. Steps stream from their
//! list; statements are read by their place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::PackError;
use super::manifest::{FILES, FORMAT, FactLine, MANIFEST, Manifest, StepLine, Way};
use super::output;
use super::values::VALUES;
use crate::codec::hash::HashAlgorithm;
use crate::codec::{Hasher, Kind};
use crate::fsio::{FileSystem, FsError, ReadFile};
use crate::model::ObjectId;

/// No manifest is longer.
const LONGEST_MANIFEST: u64 = 64 << 20;

/// Why a file is not believed.
const NOT_ITS_DIGEST: &str = "its digest is not the one in pack.json";

/// Lists are read in pieces of this size.
const PIECE: usize = 256 << 10;

/// Which way a pack is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Run {
    /// The migration.
    Forward,
    /// The rollback.
    Back,
}

impl Run {
    /// The stable name, as in receipts.
    pub fn as_str(self) -> &'static str {
        match self {
            Run::Forward => "migration",
            Run::Back => "rollback",
        }
    }
}

/// A verified pack.
#[derive(Debug)]
pub struct Pack {
    dir: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Pack {
    /// Opens a pack and checks every byte of it.
    pub fn open(fs: &dyn FileSystem, dir: &Path) -> Result<Pack, PackError> {
        let path = dir.join(MANIFEST);
        let bytes = fs.read(&path, LONGEST_MANIFEST)?;
        let edited = |why: &str| PackError::Edited { path: path.clone(), why: why.to_owned() };
        #[derive(serde::Deserialize)]
        struct Version {
            format: u64,
        }
        let version: Version = serde_json::from_slice(&bytes)
            .map_err(|error| edited(&format!("it is no manifest: {error}")))?;
        if version.format != FORMAT {
            let (found, known) = (version.format, FORMAT);
            return Err(PackError::Version { path, found, known });
        }
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| edited(&format!("it is no manifest: {error}")))?;
        if manifest.to_bytes() != bytes {
            return Err(edited("it is not as this program writes it"));
        }
        let algorithm = HashAlgorithm::from_name(&manifest.hash)
            .ok_or_else(|| edited("its hash function is not known"))?;
        let hasher = Hasher::new(algorithm);
        if !manifest.is_sealed(&hasher) {
            return Err(edited("its digest is not that of its content"));
        }
        if !manifest.files.iter().map(|file| file.name.as_str()).eq(FILES) {
            return Err(edited("it does not list the files of a pack"));
        }
        for file in &manifest.files {
            let path = dir.join(&file.name);
            let (bytes, digest) = output::digest(fs, &path, &hasher)?;
            if bytes != file.bytes || digest != file.digest {
                return Err(PackError::Edited { path, why: NOT_ITS_DIGEST.to_owned() });
            }
        }
        let pack = Pack { dir: dir.to_owned(), manifest };
        for value in &pack.manifest.values {
            let path = pack.value_path(&value.digest)?;
            let (bytes, digest) = match output::digest(fs, &path, &hasher) {
                Err(error) if error.is_not_found() => {
                    let why = "it is listed in pack.json and not there".to_owned();
                    return Err(PackError::Edited { path, why });
                }
                found => found?,
            };
            if bytes != value.bytes || digest != value.digest {
                return Err(PackError::Edited { path, why: NOT_ITS_DIGEST.to_owned() });
            }
        }
        Ok(pack)
    }

    /// The path of a value: a digest is hexadecimal, so it leads nowhere else.
    fn value_path(&self, digest: &str) -> Result<PathBuf, PackError> {
        if digest.parse::<ObjectId>().is_ok() {
            return Ok(self.dir.join(VALUES).join(digest));
        }
        let why = "it names a value by what is no digest".to_owned();
        Err(PackError::Edited { path: self.dir.join(MANIFEST), why })
    }

    /// The bytes of a large value, hashed again before they are believed.
    pub fn value(&self, fs: &dyn FileSystem, digest: &str) -> Result<Vec<u8>, PackError> {
        let path = self.value_path(digest)?;
        let edited = |why: &str| PackError::Edited { path: path.clone(), why: why.to_owned() };
        let listed = self.manifest.values.binary_search_by(|line| line.digest.as_str().cmp(digest));
        let Ok(listed) = listed else { return Err(edited("pack.json does not list it")) };
        let bytes = fs.read(&path, self.manifest.values[listed].bytes)?;
        let algorithm = HashAlgorithm::from_name(&self.manifest.hash)
            .ok_or_else(|| edited("its hash function is not known"))?;
        let found = Hasher::new(algorithm).id(Kind::Pack, &bytes).to_string();
        if found == digest { Ok(bytes) } else { Err(edited(NOT_ITS_DIGEST)) }
    }

    /// A pack that was just written and has no manifest on disk yet.
    pub fn unsealed(dir: &Path, manifest: Manifest) -> Pack {
        Pack { dir: dir.to_owned(), manifest }
    }

    /// One way of the pack.
    pub fn way(&self, run: Run) -> &Way {
        match run {
            Run::Forward => &self.manifest.migration,
            Run::Back => &self.manifest.rollback,
        }
    }

    /// The steps of one way, from the first.
    pub fn steps(&self, fs: &dyn FileSystem, run: Run) -> Result<Lines, PackError> {
        let name = match run {
            Run::Forward => "migration.jsonl",
            Run::Back => "rollback.jsonl",
        };
        Ok(Lines::open(fs, &self.dir.join(name))?)
    }

    /// The statements of one way.
    pub fn statements(&self, fs: &dyn FileSystem, run: Run) -> Result<Statements, PackError> {
        let name = match run {
            Run::Forward => "migration.sql",
            Run::Back => "rollback.sql",
        };
        let path = self.dir.join(name);
        let file = fs.open(&path)?;
        Ok(Statements { path, file, piece: Vec::new(), start: 0 })
    }

    /// The facts of the schema: what they say before and after the migration.
    pub fn facts(&self, fs: &dyn FileSystem) -> Result<Vec<FactLine>, PackError> {
        let mut lines = Lines::open(fs, &self.dir.join("schema.jsonl"))?;
        let mut facts = Vec::new();
        while let Some(line) = lines.next_line()? {
            let fact = serde_json::from_slice(line);
            facts.push(fact.map_err(|error| lines.malformed(&error))?);
        }
        Ok(facts)
    }
}

/// The lines of a file, one after the other.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: Arc<dyn ReadFile>,
    read: u64,
    piece: Vec<u8>,
    at: usize,
}

impl Lines {
    fn open(fs: &dyn FileSystem, path: &Path) -> Result<Lines, FsError> {
        let file = fs.open(path)?;
        Ok(Lines { path: path.to_owned(), file, read: 0, piece: Vec::new(), at: 0 })
    }

    fn next_line(&mut self) -> Result<Option<&[u8]>, PackError> {
        let mut searched = self.at;
        loop {
            let end = self.piece[searched..].iter().position(|&byte| byte == b'\n');
            if let Some(end) = end {
                let start = self.at;
                self.at = searched + end + 1;
                return Ok(Some(&self.piece[start..searched + end]));
            }
            self.piece.drain(..self.at);
            self.at = 0;
            searched = self.piece.len();
            let left = self.file.len() - self.read;
            if left == 0 {
                return match self.piece.is_empty() {
                    true => Ok(None),
                    false => Err(self.malformed(&"the last line has no end")),
                };
            }
            let size = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            self.piece.resize(searched + size, 0);
            self.file.read_exact_at(&mut self.piece[searched..], self.read)?;
            self.read += size as u64;
        }
    }

    /// The next step.
    pub fn next_step(&mut self) -> Result<Option<StepLine<'_>>, PackError> {
        let path = self.path.clone();
        match self.next_line()? {
            None => Ok(None),
            Some(line) => serde_json::from_slice(line).map(Some).map_err(|error| {
                PackError::Edited { path, why: format!("a step cannot be read: {error}") }
            }),
        }
    }

    fn malformed(&self, why: &dyn std::fmt::Display) -> PackError {
        PackError::Edited { path: self.path.clone(), why: why.to_string() }
    }
}

/// The statements of a SQL file by their place.
#[derive(Debug)]
pub struct Statements {
    path: PathBuf,
    file: Arc<dyn ReadFile>,
    piece: Vec<u8>,
    start: u64,
}

impl Statements {
    /// The statement of a step.
    pub fn text(&mut self, at: u64, len: u64) -> Result<&str, PackError> {
        let outside = || PackError::Edited {
            path: self.path.clone(),
            why: "a step's statement lies outside the file".to_owned(),
        };
        let end = at.checked_add(len).filter(|end| *end <= self.file.len()).ok_or_else(outside)?;
        let has = self.start <= at && end <= self.start + self.piece.len() as u64;
        if !has {
            let left = self.file.len() - at;
            let size = left.min(len.max(PIECE as u64));
            self.piece.clear();
            self.piece.shrink_to(PIECE);
            self.piece.resize(usize::try_from(size).map_err(|_| outside())?, 0);
            self.file.read_exact_at(&mut self.piece, at)?;
            self.start = at;
        }
        let from = usize::try_from(at - self.start).expect("within the piece");
        let len = usize::try_from(len).expect("within the piece");
        std::str::from_utf8(&self.piece[from..from + len]).map_err(|_| PackError::Edited {
            path: self.path.clone(),
            why: "a statement is not UTF-8".to_owned(),
        })
    }
}
