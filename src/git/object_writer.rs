//! New objects of a repository: into packs of their own, synced, and safe from `git gc` until a ref
//! names them.
//!
//! An object is left out only where the commit before holds it, which the branch keeps alive. Whatever
//! else is in the repository may be collected at any moment, or be an empty file that a crash left; so
//! it is written again, and git looks into packs first. A `.keep` file beside a pack makes `git gc`
//! leave it alone. Its lock ends with this process: the next run finds what was left behind by one that
//! died, and lets `git gc` have it.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::hash::{Kind as HashKind, ObjectId as GitOid};

use super::error::GitError;
use super::pack_file::{FinishedPack, ObjectType, PackBuilder, object_id};
use crate::fsio::{AppendFile, FileSystem, OnExisting};

/// What a `.keep` file of this program says.
const KEEP: &[u8] = b"deepdiff-db: until a branch names what is in here\n";
/// How unfinished files begin: git removes what begins with `tmp_`, when it is old.
const TMP: &str = "tmp_deepdiff_";

/// Writes objects into packs.
pub(super) struct ObjectWriter {
    fs: Arc<dyn FileSystem>,
    objects: PathBuf,
    hash: HashKind,
    builder: PackBuilder,
    /// What need not be written: what the commit before holds, and what was written.
    known: HashSet<GitOid>,
    kept: Vec<Kept>,
    written: Written,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

struct Kept {
    path: PathBuf,
    _lock: Box<dyn AppendFile>,
}

impl ObjectWriter {
    /// Writes below the folder `objects` of a repository. Lets go of what dead processes kept.
    pub(super) fn new(
        fs: Arc<dyn FileSystem>,
        objects: &Path,
        hash: HashKind,
    ) -> Result<Self, GitError> {
        let packs = objects.join("pack");
        if fs.info(&packs)?.is_none() {
            match fs.create_dir(&packs) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => made?,
            }
        }
        clear_abandoned(fs.as_ref(), &packs)?;
        Ok(ObjectWriter {
            fs,
            objects: objects.to_owned(),
            hash,
            builder: PackBuilder::new(hash),
            known: HashSet::new(),
            kept: Vec::new(),
            written: Written::default(),
        })
    }

    /// Says that the commit before holds an object.
    pub(super) fn know(&mut self, id: GitOid) {
        self.known.insert(id);
    }

    /// Adds an object and gives its id.
    pub(super) fn put(&mut self, object: ObjectType, content: &[u8]) -> Result<GitOid, GitError> {
        let id = object_id(self.hash, object, content)?;
        if !self.known.insert(id) {
            return Ok(id);
        }
        self.builder.push(id, object, content)?;
        self.written.objects += 1;
        self.remove_empty(&id)?;
        if self.builder.is_full() {
            self.flush()?;
        }
        Ok(id)
    }

    /// Removes a loose object of this id that is an empty file: what a crash makes of one that was
    /// not synced. `git fsck` stumbles over it even where a pack has the object.
    fn remove_empty(&self, id: &GitOid) -> Result<(), GitError> {
        let hex = id.to_hex().to_string();
        let path = self.objects.join(&hex[..2]).join(&hex[2..]);
        if self.fs.info(&path)?.is_some_and(|info| info.len == 0 && !info.is_dir) {
            self.fs.remove_file(&path)?;
        }
        Ok(())
    }

    /// Makes every object durable and visible; says what was written.
    pub(super) fn finish(&mut self) -> Result<Written, GitError> {
        self.flush()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<(), GitError> {
        if self.builder.is_empty() {
            return Ok(());
        }
        let builder = std::mem::replace(&mut self.builder, PackBuilder::new(self.hash));
        let FinishedPack { name, pack, index } = builder.finish()?;
        self.written.bytes += u64::try_from(pack.len()).expect("a length in memory fits");
        let packs = self.objects.join("pack");
        let path = |extension: &str| packs.join(format!("pack-{name}.{extension}"));
        // From here on `git gc` leaves the pack alone, before there is one.
        self.keep(&packs, &path("keep"))?;
        self.fs.sync_dir(&packs)?;
        self.write(&packs, &path("pack"), &pack)?;
        self.write(&packs, &path("idx"), &index)?;
        self.fs.sync_dir(&packs)?;
        Ok(())
    }

    /// Makes the `.keep` file. It appears with its content, and locked.
    fn keep(&mut self, packs: &Path, path: &Path) -> Result<(), GitError> {
        let (tmp, mut file) = self.create_tmp(packs)?;
        let renamed = file
            .append(KEEP)
            .and_then(|()| file.sync())
            .and_then(|()| self.fs.rename(&tmp, path, OnExisting::Refuse));
        if let Err(error) = renamed {
            // The first error is the one that matters.
            let _ = self.fs.remove_file(&tmp);
            return Err(match error.kind() {
                ErrorKind::AlreadyExists => GitError::Underway,
                _ => error.into(),
            });
        }
        self.kept.push(Kept { path: path.to_owned(), _lock: file });
        Ok(())
    }

    fn create_tmp(&self, packs: &Path) -> Result<(PathBuf, Box<dyn AppendFile>), GitError> {
        let nonce: String = self.fs.nonce().iter().map(|byte| format!("{byte:02x}")).collect();
        let tmp = packs.join(format!("{TMP}{nonce}"));
        let file = self.fs.create(&tmp)?;
        Ok((tmp, file))
    }

    fn write(&self, packs: &Path, path: &Path, bytes: &[u8]) -> Result<(), GitError> {
        let (tmp, mut file) = self.create_tmp(packs)?;
        let renamed = file
            .append(bytes)
            .and_then(|()| file.make_read_only())
            .and_then(|()| file.sync())
            // A pack of this name has these bytes.
            .and_then(|()| self.fs.rename(&tmp, path, OnExisting::Replace));
        if let Err(error) = renamed {
            // The first error is the one that matters.
            let _ = self.fs.remove_file(&tmp);
            return Err(error.into());
        }
        Ok(())
    }
}

impl Drop for ObjectWriter {
    /// A branch names the objects by now, or nothing ever will: either way `git gc` may have them.
    fn drop(&mut self) {
        for kept in &self.kept {
            if let Err(error) = self.fs.remove_file(&kept.path) {
                tracing::warn!(%error, "a .keep file is left; the next commit removes it");
            }
        }
    }
}

/// Removes what processes that died left: `.keep` files of ours and unfinished files, where nobody
/// holds their lock.
fn clear_abandoned(fs: &dyn FileSystem, packs: &Path) -> Result<(), GitError> {
    for entry in fs.list_if_there(packs)? {
        let path = packs.join(&entry.name);
        let is_keep = entry.name.ends_with(".keep") && is_ours(fs, &path);
        if entry.is_dir || !(is_keep || entry.name.starts_with(TMP)) {
            continue;
        }
        match fs.try_lock(&path) {
            Ok(Some(_lock)) => fs.remove_file(&path)?,
            Ok(None) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_ours(fs: &dyn FileSystem, path: &Path) -> bool {
    let limit = u64::try_from(KEEP.len()).expect("a short text");
    // Git's own say who made them; those of people are empty, or longer.
    fs.read(path, limit).is_ok_and(|content| content == KEEP)
}
