//! The lock of a store: whoever moves refs, collects or repairs holds it.
//!
//! It is advisory and on a file that is never deleted, so it ends with the process that holds it.

use std::time::{Duration, Instant};

use super::{Store, StoreError};
use crate::fsio::{FileLock, OnExisting, write_atomically};

/// How long a command waits for another one: gc marks a large store under the lock.
const PATIENCE: Duration = Duration::from_secs(600);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Proof that the store is locked.
#[derive(Debug)]
pub(super) struct StoreLock {
    _lock: Box<dyn FileLock>,
}

impl Store {
    /// Waits for the lock.
    pub(super) fn lock(&self) -> Result<StoreLock, StoreError> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            if started.elapsed() > PATIENCE {
                return Err(StoreError::Locked { path: self.path().to_owned() });
            }
            if pause == LONGEST_PAUSE {
                tracing::debug!(store = %self.path().display(), "waiting for the lock");
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The lock, if nobody holds it.
    pub(super) fn try_lock(&self) -> Result<Option<StoreLock>, StoreError> {
        let path = self.layout.lock();
        let lock = match self.fs.try_lock(&path) {
            Err(error) if error.is_not_found() => {
                // Lost with an unsynced directory, or removed by a person. Of two processes that
                // create it at once one is refused and finds the other's.
                let tmp = self.layout.tmp();
                let fs = self.fs.as_ref();
                match write_atomically(fs, &tmp, &path, b"", OnExisting::Refuse) {
                    Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                        return Err(error.into());
                    }
                    _ => self.fs.try_lock(&path)?,
                }
            }
            lock => lock?,
        };
        Ok(lock.map(|lock| StoreLock { _lock: lock }))
    }
}
