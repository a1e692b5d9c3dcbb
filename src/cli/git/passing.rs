//! A store that lives as long as a command: for comparing commits where there is no store.

use std::sync::{Mutex, PoisonError};

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::temporary::TemporaryFolder;
use crate::codec::HashAlgorithm;
use crate::store::{HashKey, Store};

/// The place of such a store, once there is one.
#[derive(Debug, Default)]
pub struct PassingStore {
    folder: Mutex<Option<TemporaryFolder>>,
}

impl PassingStore {
    /// Creates it.
    pub fn create(
        &self,
        algorithm: HashAlgorithm,
        key: Option<&HashKey>,
    ) -> Result<Store, CliError> {
        let folder = TemporaryFolder::create("git")?;
        let path = folder.path().join("store");
        *self.folder.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder);
        Ok(Store::init(Context::file_system(), &path, algorithm, key)?)
    }
}
