//! Checkpoints of work that can be resumed: opaque bytes, and the objects they need.
//!
//! gc keeps what a checkpoint names, so the work may wait for as long as it likes. The content is
//! the business of whoever wrote it.

use std::path::PathBuf;

use super::{RefName, Store, StoreError, record};
use crate::codec::Kind;
use crate::fsio::{OnExisting, write_atomically};
use crate::model::ObjectId;

const FIRST_LINE: &str = "deepdiff-checkpoint 1";

/// An object that a checkpoint needs, with everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootObject {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: ObjectId,
}

/// Work that waits to be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The objects it builds on.
    pub roots: Vec<RootObject>,
    /// What the worker needs to go on.
    pub payload: Vec<u8>,
}

impl Checkpoint {
    fn to_bytes(&self) -> Vec<u8> {
        let mut body = format!("{FIRST_LINE}\n").into_bytes();
        for root in &self.roots {
            body.extend_from_slice(format!("root {} {}\n", root.kind as u8, root.id).as_bytes());
        }
        body.extend_from_slice(format!("payload {}\n", self.payload.len()).as_bytes());
        body.extend_from_slice(&self.payload);
        record::seal(body)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Checkpoint, String> {
        let malformed = || "it is malformed".to_owned();
        let mut rest = record::open(bytes)?;
        let mut line = || {
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(malformed)?;
            let line = std::str::from_utf8(&rest[..end]).map_err(|_| malformed())?;
            rest = &rest[end + 1..];
            Ok::<&str, String>(line)
        };
        if line()? != FIRST_LINE {
            return Err("it is no checkpoint of a version that is known".to_owned());
        }
        let mut roots = Vec::new();
        loop {
            let line = line()?;
            if let Some(len) = line.strip_prefix("payload ") {
                if len.parse() != Ok(rest.len()) {
                    return Err(malformed());
                }
                return Ok(Checkpoint { roots, payload: rest.to_vec() });
            }
            roots.push(parse_root(line).ok_or_else(malformed)?);
        }
    }
}

fn parse_root(line: &str) -> Option<RootObject> {
    let (kind, id) = line.strip_prefix("root ")?.split_once(' ')?;
    let kind = Kind::from_stored_number(kind.parse().ok()?)?;
    Some(RootObject { kind, id: id.parse().ok()? })
}

impl Store {
    fn checkpoint_path(&self, name: &RefName) -> PathBuf {
        self.layout.resume().join(name.file_name())
    }

    /// Writes a checkpoint, or replaces it. Its objects must be sealed before (`Writer::seal`):
    /// what it names then survives a crash with it.
    pub fn write_checkpoint(
        &self,
        name: &RefName,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        self.prepare_writing()?;
        let bytes = checkpoint.to_bytes();
        let (tmp, path) = (self.layout.tmp(), self.checkpoint_path(name));
        Ok(write_atomically(self.fs.as_ref(), &tmp, &path, &bytes, OnExisting::Replace)?)
    }

    /// The checkpoint of this name, if there is one.
    pub fn checkpoint(&self, name: &RefName) -> Result<Option<Checkpoint>, StoreError> {
        let path = self.checkpoint_path(name);
        let bytes = match self.fs.read(&path, record::MAX_RECORD_LEN) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let parsed = Checkpoint::parse(&bytes);
        parsed.map(Some).map_err(|why| StoreError::Damaged { path, why })
    }

    /// The names of all checkpoints, in order.
    pub fn checkpoints(&self) -> Result<Vec<RefName>, StoreError> {
        let entries = self.fs.list_if_there(&self.layout.resume())?;
        let mut names: Vec<_> =
            entries.iter().filter_map(|entry| RefName::from_file_name(&entry.name)).collect();
        names.sort();
        Ok(names)
    }

    /// Removes a checkpoint, if there is one.
    pub fn remove_checkpoint(&self, name: &RefName) -> Result<(), StoreError> {
        self.prepare_writing()?;
        match self.fs.remove_file(&self.checkpoint_path(name)) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        Ok(self.fs.sync_dir(&self.layout.resume())?)
    }
}
