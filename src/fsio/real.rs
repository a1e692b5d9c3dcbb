//! The file system of the operating system.
//!
//! Files are created 0600 and directories 0700. Locks are `flock`: they belong to the open file,
//! follow it through renames, and end with the process, however it ends.
#![allow(clippy::disallowed_methods, reason = "this is where the allowed way leads to")]

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    AppendFile, DirEntry, FileInfo, FileLock, FileSystem, FsError, Mapping, OnExisting, ReadFile,
    ScratchFile, WriteBack,
};

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFs;

impl RealFs {
    /// The real file system, ready to be shared.
    pub fn shared() -> Arc<dyn FileSystem> {
        Arc::new(RealFs)
    }
}

/// An open file and the path it was opened by, for errors.
#[derive(Debug)]
struct Handle {
    file: File,
    path: PathBuf,
    len: u64,
}

impl Handle {
    fn fail(&self, verb: &'static str) -> impl FnOnce(io::Error) -> FsError + '_ {
        move |error| FsError::new(verb, &self.path, error)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.file.write_all(bytes).map_err(|e| FsError::new("write", &self.path, e))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), FsError> {
        self.file.read_exact_at(buffer, offset).map_err(self.fail("read"))
    }
}

fn fail<'a>(verb: &'static str, path: &'a Path) -> impl Fn(io::Error) -> FsError + 'a {
    move |error| FsError::new(verb, path, error)
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        rustix::io::Errno::from_io_error(error),
        Some(
            rustix::io::Errno::NOSYS
                | rustix::io::Errno::INVAL
                | rustix::io::Errno::NOTSUP
                | rustix::io::Errno::NOLCK
        )
    )
}

/// Takes the lock of a file just created, and makes sure that nobody who looks for abandoned
/// files came in between.
fn own(file: &File, path: &Path) -> Result<(), FsError> {
    let lost = || {
        let why = "somebody else took it at once";
        FsError::new("create", path, io::Error::new(io::ErrorKind::AlreadyExists, why))
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(lost()),
        // Without locks nobody can tell that a file was abandoned, so nobody will take it.
        Err(TryLockError::Error(error)) if is_unsupported(&error) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(FsError::new("lock", path, error)),
    }
    let is_unlinked = file.metadata().map_err(fail("create", path))?.nlink() == 0;
    if is_unlinked { Err(lost()) } else { Ok(()) }
}

impl FileSystem for RealFs {
    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>, FsError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(fail("create", path))?;
        own(&file, path)?;
        Ok(Box::new(Handle { file, path: path.to_owned(), len: 0 }))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn AppendFile>, FsError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let file = options.open(path).map_err(fail("open", path))?;
        Ok(Box::new(Handle { file, path: path.to_owned(), len: 0 }))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn ReadFile>, FsError> {
        let file = File::open(path).map_err(fail("open", path))?;
        let len = file.metadata().map_err(fail("open", path))?.len();
        Ok(Arc::new(Handle { file, path: path.to_owned(), len }))
    }

    fn create_dir(&self, path: &Path) -> Result<(), FsError> {
        std::fs::DirBuilder::new().mode(0o700).create(path).map_err(fail("create directory", path))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), FsError> {
        let directory = File::open(path).map_err(fail("open directory", path))?;
        directory.sync_all().map_err(fail("sync directory", path))
    }

    fn rename(&self, from: &Path, to: &Path, on_existing: OnExisting) -> Result<(), FsError> {
        let result = match on_existing {
            OnExisting::Replace => std::fs::rename(from, to),
            OnExisting::Refuse => rename_to_free_name(from, to),
        };
        result.map_err(fail("rename a file to", to))
    }

    fn remove_file(&self, path: &Path) -> Result<(), FsError> {
        std::fs::remove_file(path).map_err(fail("remove", path))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), FsError> {
        std::fs::remove_dir(path).map_err(fail("remove directory", path))
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>, FsError> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fail("list", path))? {
            let entry = entry.map_err(fail("list", path))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_dir = entry.file_type().map_err(fail("list", path))?.is_dir();
            entries.push(DirEntry { name, is_dir });
        }
        Ok(entries)
    }

    fn info(&self, path: &Path) -> Result<Option<FileInfo>, FsError> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(FileInfo {
                len: metadata.len(),
                is_dir: metadata.is_dir(),
                mode: metadata.permissions().mode() & 0o7777,
                owner: metadata.uid(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FsError::new("look at", path, error)),
        }
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>, FsError> {
        let file = File::open(path).map_err(fail("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(HeldLock { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(FsError::new("lock", path, error)),
        }
    }

    fn scratch(&self, dir: &Path) -> Result<Box<dyn ScratchFile>, FsError> {
        let name: String = self.nonce().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = dir.join(format!("{name}.scratch"));
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(fail("create", &path))?;
        match std::fs::remove_file(&path) {
            // Whoever clears abandoned files was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(fail("unlink", &path))?,
        }
        Ok(Box::new(Handle { file, path, len: 0 }))
    }

    fn nonce(&self) -> [u8; 16] {
        // Each `RandomState` of a process has keys of its own, seeded by the operating system.
        let mut nonce = [0u8; 16];
        for half in nonce.chunks_exact_mut(8) {
            let seed = (std::process::id(), std::time::SystemTime::now());
            half.copy_from_slice(&RandomState::new().hash_one(seed).to_le_bytes());
        }
        nonce
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
        Err(error) if is_unsupported(&error) => link_to_free_name(from, to),
        result => result,
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    link_to_free_name(from, to)
}

/// For file systems whose rename cannot refuse: a hard link can.
fn link_to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

#[derive(Debug)]
struct HeldLock {
    _file: File,
}

impl FileLock for HeldLock {}

impl AppendFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.write(bytes)
    }

    fn sync(&mut self) -> Result<(), FsError> {
        self.file.sync_all().map_err(self.fail("sync"))
    }

    fn make_read_only(&mut self) -> Result<(), FsError> {
        let mode = Permissions::from_mode(0o444);
        self.file.set_permissions(mode).map_err(self.fail("make read-only"))
    }

    fn write_back(&self) -> Result<Option<WriteBack>, FsError> {
        let file = self.file.try_clone().map_err(self.fail("write back"))?;
        let path = self.path.clone();
        let write_back = move || file.sync_data().map_err(|e| FsError::new("sync", &path, e));
        Ok(Some(Box::new(write_back)))
    }
}

impl ReadFile for Handle {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FsError> {
        self.read(buffer, offset)
    }

    fn sync(&self) -> Result<(), FsError> {
        self.file.sync_all().map_err(self.fail("sync"))
    }

    fn map(&self) -> Result<Mapping, FsError> {
        Mapping::of_file(&self.file).map_err(self.fail("map"))
    }
}

impl ScratchFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.write(bytes)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FsError> {
        self.read(buffer, offset)
    }

    fn len(&self) -> u64 {
        self.len
    }
}
