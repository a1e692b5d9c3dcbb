//! Taking over what interrupted writers left: sealed files are indexed, the rest is removed.
//!
//! A file belongs to a live writer while its advisory lock is held; then it is left alone. A sealed
//! file is read through and hashed before it is indexed, and synced, since its owner may have died
//! before it could.

use std::path::{Path, PathBuf};

use super::index::IndexedFile;
use super::index_writer;
use super::layout::FileId;
use super::lock::StoreLock;
use super::object_file::{FOOTER_LEN, Footer, Frames, ScanError};
use super::object_writer::NewObject;
use super::view::View;
use super::{Store, StoreError};
use crate::fsio::{FileLock, FsError, OnExisting, ReadFile};

/// What a scan of an object file found.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) file: IndexedFile,
    /// Sorted by id.
    pub(super) objects: Vec<NewObject>,
}

impl Store {
    /// Takes over what is left behind, and clears `tmp/`.
    pub(super) fn adopt(&self, _lock: &StoreLock) -> Result<(), StoreError> {
        for entry in self.fs.list_if_there(&self.layout.tmp())? {
            let path = self.layout.tmp().join(&entry.name);
            if entry.is_dir {
                continue;
            }
            let Some(_owned) = self.own_abandoned(&path)? else { continue };
            if entry.name.ends_with(".objs") && self.adopt_unfinished(&path)? {
                continue;
            }
            self.fs.remove_file(&path)?;
        }
        self.adopt_unindexed()
    }

    /// The lock of a file whose owner is gone.
    pub(super) fn own_abandoned(
        &self,
        path: &Path,
    ) -> Result<Option<Box<dyn FileLock>>, StoreError> {
        match self.fs.try_lock(path) {
            Ok(lock) => Ok(lock),
            // Its owner has just renamed or removed it.
            Err(error) if error.is_not_found() => Ok(None),
            // Without locks nobody can tell who is gone.
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves a sealed file from `tmp/` into `objects/`; false where it is not sealed.
    fn adopt_unfinished(&self, path: &Path) -> Result<bool, StoreError> {
        let file = self.fs.open(path)?;
        let Ok(scanned) = self.scan(file.as_ref())? else { return Ok(false) };
        let target = self.layout.object_file(&scanned.file.id);
        file.sync()?;
        match self.fs.rename(path, &target, OnExisting::Refuse) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.index_scanned(&scanned)?;
        Ok(true)
    }

    /// Indexes sealed files in `objects/` that no index lists.
    fn adopt_unindexed(&self) -> Result<(), StoreError> {
        let view = View::load(self.fs.as_ref(), &self.layout, None)?;
        let indexed = view.indexed_files();
        let unindexed: Vec<(FileId, PathBuf)> = view
            .files
            .values()
            .filter(|file| !indexed.contains(&file.id) && !view.condemned.contains(&file.id))
            .map(|file| (file.id, file.path.clone()))
            .collect();
        for (id, path) in unindexed {
            let Some(_owned) = self.own_abandoned(&path)? else { continue };
            let file = self.fs.open(&path)?;
            match self.scan(file.as_ref())? {
                Ok(scanned) if scanned.file.id == id => {
                    file.sync()?;
                    self.index_scanned(&scanned)?;
                }
                // Damaged: `verify` reports it, `repair` saves what can be saved.
                _ => {}
            }
        }
        Ok(())
    }

    fn index_scanned(&self, scanned: &Scanned) -> Result<(), StoreError> {
        let fs = self.fs.as_ref();
        index_writer::write_fresh(fs, &self.layout, scanned.file, &scanned.objects)?;
        Ok(fs.sync_dir(&self.layout.objects())?)
    }

    /// Reads a sealed file from front to back: what is in it, if all of it is as it was sealed.
    pub(super) fn scan(&self, file: &dyn ReadFile) -> Result<Result<Scanned, String>, FsError> {
        let footer = match Footer::read(file)? {
            Ok(footer) => footer,
            Err(why) => return Ok(Err(why)),
        };
        match self.scan_frames(file, &footer) {
            Ok(result) => Ok(result),
            Err(ScanError::Fs(error)) => Err(error),
            Err(ScanError::NotAFrame { offset, why }) => {
                Ok(Err(format!("at byte {offset}: {why}")))
            }
        }
    }

    fn scan_frames(
        &self,
        file: &dyn ReadFile,
        footer: &Footer,
    ) -> Result<Result<Scanned, String>, ScanError> {
        let mut frames = Frames::new(file, footer.body_len);
        if let Err(why) = frames.check_header()? {
            return Ok(Err(why));
        }
        let mut objects = Vec::new();
        while let Some(frame) = frames.next()? {
            let (kind, id) = match frame.open(&self.hasher) {
                Ok((kind, id, _)) => (kind as u8, id),
                Err(why) => return Ok(Err(format!("at byte {}: {why}", frame.offset))),
            };
            let stored_len = frame.header.stored_len;
            objects.push(NewObject { id, offset: frame.offset, stored_len, kind });
        }
        if let Err(why) = frames.finish(footer) {
            return Ok(Err(why));
        }
        objects.sort_unstable();
        let file = IndexedFile {
            id: footer.id,
            len: footer.body_len + FOOTER_LEN as u64,
            objects: footer.objects,
        };
        Ok(Ok(Scanned { file, objects }))
    }
}
