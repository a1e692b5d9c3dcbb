//! Files that are written whole: all of it is there, or nothing.
//!
//! The order is always the same: write under a name nobody looks for, sync the content, rename,
//! sync the directory. After a crash the name leads to the old content or to the new one.

use std::io;
use std::path::{Path, PathBuf};

use super::{AppendFile, FileSystem, FsError, OnExisting};

/// Creates a file with a name that nobody used before, in `dir`; the name ends in `.extension`.
pub fn create_unique(
    fs: &dyn FileSystem,
    dir: &Path,
    extension: &str,
) -> Result<(PathBuf, Box<dyn AppendFile>), FsError> {
    let mut attempts = 0;
    loop {
        let name: String = fs.nonce().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = dir.join(format!("{name}.{extension}"));
        match fs.create(&path) {
            Ok(file) => return Ok((path, file)),
            // Whoever clears abandoned files was faster: take another name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 8 => {
                attempts += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Writes a whole file by way of a temporary one in `tmp_dir` (same file system): once this
/// returns it survives a crash, and no reader ever sees a part of it.
pub fn write_atomically(
    fs: &dyn FileSystem,
    tmp_dir: &Path,
    path: &Path,
    bytes: &[u8],
    on_existing: OnExisting,
) -> Result<(), FsError> {
    let (tmp, mut file) = create_unique(fs, tmp_dir, "tmp")?;
    let renamed = file
        .append(bytes)
        .and_then(|()| file.sync())
        .and_then(|()| fs.rename(&tmp, path, on_existing));
    if let Err(error) = renamed {
        // Best effort: the error that matters is the first one, and leftovers are cleared later.
        let _ = fs.remove_file(&tmp);
        return Err(error);
    }
    match path.parent() {
        Some(here) if here.as_os_str().is_empty() => fs.sync_dir(Path::new(".")),
        Some(parent) => fs.sync_dir(parent),
        None => Ok(()),
    }
}

/// Removes a directory and everything in it. For folders that the program made itself.
pub fn remove_tree(fs: &dyn FileSystem, dir: &Path) -> Result<(), FsError> {
    for entry in fs.list(dir)? {
        let path = dir.join(&entry.name);
        if entry.is_dir { remove_tree(fs, &path)? } else { fs.remove_file(&path)? }
    }
    fs.remove_dir(dir)
}

/// Writes a whole new file in place and syncs it, for folders that nobody reads before they are
/// complete (a pack, an export). The caller syncs the directory when all its files are written.
pub fn write_new(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let mut file = fs.create(path)?;
    file.append(bytes)?;
    file.sync()
}
