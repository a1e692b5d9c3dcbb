//! A store that lives as long as a command: for comparing commits where there is no store.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::codec::HashAlgorithm;
use crate::fsio::{self, FileSystem as _, RealFs};
use crate::store::{HashKey, Store};

/// The place of such a store, once there is one.
#[derive(Debug, Default)]
pub struct PassingStore {
    dir: Mutex<Option<PathBuf>>,
}

impl PassingStore {
    /// Creates it.
    pub fn create(
        &self,
        algorithm: HashAlgorithm,
        key: Option<&HashKey>,
    ) -> Result<Store, CliError> {
        let nonce: String =
            RealFs.nonce().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let dir = std::env::temp_dir().join(format!("deepdiff-git-{nonce}"));
        RealFs
            .create_dir(&dir)
            .map_err(|error| CliError::because(Exit::CouldNot, error.to_string(), error))?;
        *self.dir.lock().unwrap_or_else(PoisonError::into_inner) = Some(dir.clone());
        Ok(Store::init(Context::file_system(), &dir.join("store"), algorithm, key)?)
    }
}

impl Drop for PassingStore {
    fn drop(&mut self) {
        if let Some(dir) = self.dir.lock().unwrap_or_else(PoisonError::into_inner).take() {
            remove(&dir);
        }
    }
}

fn remove(dir: &Path) {
    if let Err(error) = fsio::remove_tree(&RealFs, dir) {
        tracing::warn!(%error, "a passing store is left in the folder of temporary files");
    }
}
