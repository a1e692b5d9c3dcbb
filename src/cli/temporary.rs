//! A folder that lives as long as its owner, among the system's temporary files.

use std::path::{Path, PathBuf};

use super::error::CliError;
use super::exit::Exit;
use crate::fsio::{self, FileSystem as _, RealFs};

/// Such a folder; others may not read it.
#[derive(Debug)]
pub(super) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Creates one; `purpose` is part of its name.
    pub(super) fn create(purpose: &str) -> Result<TemporaryFolder, CliError> {
        let nonce: String =
            RealFs.nonce().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let dir = std::env::temp_dir().join(format!("deepdiff-{purpose}-{nonce}"));
        RealFs
            .create_dir(&dir)
            .map_err(|error| CliError::because(Exit::CouldNot, error.to_string(), error))?;
        Ok(TemporaryFolder(dir))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = fsio::remove_tree(&RealFs, &self.0) {
            tracing::warn!(%error, "a folder is left among the temporary files");
        }
    }
}
