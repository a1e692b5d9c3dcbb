//! Creating, finding and opening a store.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{Access, Format, HashKey};
use super::layout::{Layout, STORE_DIR};
use super::{Store, StoreError};
use crate::codec::HashAlgorithm;
use crate::fsio::{FileSystem, FsError, OnExisting, write_atomically, write_new};

const MAX_FORMAT_LEN: u64 = 1 << 16;

/// What git is told of a store: to leave it alone.
pub(super) const GITIGNORE: &[u8] = b"*\n";

/// The store of a directory: `.deepdiff` in it or in the nearest directory above.
pub fn discover(fs: &dyn FileSystem, start: &Path) -> Result<PathBuf, StoreError> {
    for directory in start.ancestors() {
        let candidate = directory.join(STORE_DIR);
        if fs.info(&candidate)?.is_some_and(|info| info.is_dir) {
            return Ok(candidate);
        }
    }
    Err(StoreError::NotFound { start: start.to_owned() })
}

impl Store {
    /// Creates a store in the directory `path`, which must be absent or empty (an interrupted
    /// creation is taken up again). The `format` file comes last: without it there is no store.
    pub fn init(
        fs: Arc<dyn FileSystem>,
        path: &Path,
        algorithm: HashAlgorithm,
        key: Option<&HashKey>,
    ) -> Result<Store, StoreError> {
        let layout = Layout::new(path);
        if !may_create(fs.as_ref(), &layout)? {
            return Err(StoreError::AlreadyExists { path: path.to_owned() });
        }
        create_dir_if_absent(fs.as_ref(), path)?;
        for directory in layout.directories() {
            create_dir_if_absent(fs.as_ref(), &directory)?;
        }
        for (file, content) in [(layout.lock(), &b""[..]), (layout.gitignore(), GITIGNORE)] {
            if fs.info(&file)?.is_some() {
                fs.remove_file(&file)?;
            }
            write_new(fs.as_ref(), &file, content)?;
        }
        fs.sync_dir(path)?;
        match path.parent() {
            Some(here) if here.as_os_str().is_empty() => fs.sync_dir(Path::new("."))?,
            Some(parent) => fs.sync_dir(parent)?,
            None => {}
        }
        let (format, hasher) = Format::create(algorithm, key);
        let tmp = layout.tmp();
        let bytes = format.to_bytes();
        write_atomically(fs.as_ref(), &tmp, &layout.format(), &bytes, OnExisting::Refuse)?;
        Ok(Store { fs, layout, format, hasher })
    }

    /// Opens the store in the directory `path`. `key` is the key of a store whose ids depend on
    /// one, and only of such a store.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        path: &Path,
        key: Option<&HashKey>,
    ) -> Result<Store, StoreError> {
        let layout = Layout::new(path);
        let format_path = layout.format();
        let bytes = match fs.read(&format_path, MAX_FORMAT_LEN) {
            Ok(bytes) => bytes,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                let why = "it has no file `format`".to_owned();
                return Err(StoreError::NotAStore { path: path.to_owned(), why });
            }
            Err(error) => return Err(error.into()),
        };
        let format = Format::parse(&bytes, path, &format_path)?;
        format.allows(Access::Read, path)?;
        let hasher = format.hasher(key, path)?;
        Ok(Store { fs, layout, format, hasher })
    }

    /// Whether this program may write to the store. Makes directories that are not there: a store
    /// that came out of git has no empty ones.
    pub(super) fn prepare_writing(&self) -> Result<(), StoreError> {
        self.format.allows(Access::Write, self.path())?;
        let mut has_created = false;
        for directory in self.layout.directories() {
            if self.fs.info(&directory)?.is_none() {
                match self.fs.create_dir(&directory) {
                    // Somebody else needed it too.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    result => result?,
                }
                has_created = true;
            }
        }
        if has_created { Ok(self.fs.sync_dir(self.path())?) } else { Ok(()) }
    }

    pub(super) fn allows_collecting(&self) -> Result<(), StoreError> {
        self.format.allows(Access::Collect, self.path())
    }
}

/// Whether there is nothing yet, or only what an interrupted creation left.
fn may_create(fs: &dyn FileSystem, layout: &Layout) -> Result<bool, StoreError> {
    match fs.info(layout.root())? {
        None => return Ok(true),
        Some(info) if !info.is_dir => return Ok(false),
        Some(_) => {}
    }
    if fs.info(&layout.format())?.is_some() {
        return Ok(false);
    }
    let ours = layout.directories();
    for entry in fs.list(layout.root())? {
        let path = layout.root().join(&entry.name);
        let is_ours = path == layout.lock() || path == layout.gitignore();
        if !(is_ours || entry.is_dir && ours.contains(&path)) {
            return Ok(false);
        }
        let may_have_content = path == layout.tmp();
        if entry.is_dir && !may_have_content && !fs.list(&path)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn create_dir_if_absent(fs: &dyn FileSystem, path: &Path) -> Result<(), FsError> {
    if fs.info(path)?.is_some_and(|info| info.is_dir) { Ok(()) } else { fs.create_dir(path) }
}
