//! The key file of a keyed store: read, looked at, made.
//!
//! The key is the secret that makes hashes of guessable values useless to whoever has only the
//! store. It is read from a file, never from the command line, and never copied into the store. A
//! file that others may read is told of; a new store is not made with one. Nothing here says what
//! is in the file.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::exit::Exit;
use crate::fsio::{FileSystem, write_new};
use crate::store::{HashKey, StoreError};

/// No key file is longer: whoever names a larger file has named the wrong one.
const LONGEST: u64 = 64 << 10;

/// How many random bytes a new key has.
const NEW_KEY: usize = 32;

/// A key file that was read.
pub(super) struct KeyFile {
    /// The key.
    pub(super) key: HashKey,
    path: PathBuf,
    /// The rights of others on the file, where they have any.
    exposed: Option<u32>,
}

impl KeyFile {
    /// Reads a key file. It may be a pipe.
    pub(super) fn read(path: &Path) -> Result<KeyFile, CliError> {
        let failed = |error: std::io::Error| {
            let message = format!("cannot read the key file {}", path.display());
            CliError::because(Exit::CouldNot, message, error)
        };
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        let mut content = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 > LONGEST {
            let message = format!("{} is longer than a key file can be", path.display());
            return Err(CliError::new(Exit::CouldNot, message));
        }
        let key = HashKey::from_file_content(&content).map_err(|error| {
            let message = format!("{} is no key file: {error}", path.display());
            CliError::new(Exit::CouldNot, message)
                .hint("`deepdiff-db init --new-hash-key-file FILE` makes one for a new store")
        })?;
        let mode = about.permissions().mode() & 0o777;
        let exposed = (about.is_file() && mode & 0o077 != 0).then_some(mode);
        Ok(KeyFile { key, path: path.to_owned(), exposed })
    }

    /// Writes a new key, which nobody knows, into a file that must not exist yet, for its owner
    /// alone.
    pub(super) fn create(fs: &dyn FileSystem, path: &Path) -> Result<KeyFile, CliError> {
        let mut random = [0u8; NEW_KEY];
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random)).map_err(
            |error| CliError::because(Exit::CouldNot, "no random bytes for a key", error),
        )?;
        let mut text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push('\n');
        write_new(fs, path, text.as_bytes()).map_err(StoreError::from)?;
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => fs.sync_dir(folder),
            _ => fs.sync_dir(Path::new(".")),
        }
        .map_err(StoreError::from)?;
        KeyFile::read(path)
    }

    /// That others may read the key, in words; `None` where they may not.
    pub(super) fn exposure(&self) -> Option<String> {
        let mode = self.exposed?;
        let path = self.path.display();
        Some(format!("others have rights on the key file {path} (mode {mode:04o}): chmod 600 it"))
    }
}
