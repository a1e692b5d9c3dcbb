//! How fast a source may be read: what protects production while a snapshot runs.
//!
//! A [`Pace`] is shared by everything that reads one snapshot and is told of every batch. It waits
//! where the rate is spent, waits while the pause file is there, and fails where the transaction
//! has been open for too long: an old transaction keeps the server from cleaning up behind it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::error::SnapshotError;

/// How often a wait looks up.
const LOOK: Duration = Duration::from_millis(50);

/// The most that is read in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Rows.
    Rows(u64),
    /// Bytes of row-hash preimages, which is about what the values take.
    Bytes(u64),
}

/// What a source may be asked.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// How long the transaction may be open.
    pub max_age: Option<Duration>,
    /// How much may be read in a second.
    pub max_rate: Option<Rate>,
    /// Nothing is read while there is such a file.
    pub pause_file: Option<PathBuf>,
}

/// The pace of one snapshot.
#[derive(Debug)]
pub struct Pace {
    limits: Limits,
    began: Instant,
    rows: AtomicU64,
    bytes: AtomicU64,
    /// For how long reading was paused, in microseconds; it earns nothing.
    paused: AtomicU64,
}

impl Pace {
    /// Begins now.
    pub fn new(limits: Limits) -> Pace {
        Pace {
            limits,
            began: Instant::now(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            paused: AtomicU64::new(0),
        }
    }

    /// How long the transaction has been open.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Tells of rows that were read, and waits as long as that wants. A stop ends the wait.
    pub fn read(
        &self,
        rows: u64,
        bytes: u64,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(), SnapshotError> {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.check_age()?;
        let from = Instant::now();
        while self.limits.pause_file.as_ref().is_some_and(|file| file.exists()) && !should_stop() {
            std::thread::sleep(LOOK);
            self.check_age()?;
        }
        if self.limits.pause_file.is_some() {
            let waited = u64::try_from(from.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.paused.fetch_add(waited, Ordering::Relaxed);
        }
        while let Some(wait) = self.owed(rows, bytes) {
            if should_stop() {
                break;
            }
            std::thread::sleep(wait.min(LOOK));
            self.check_age()?;
        }
        Ok(())
    }

    /// How long to wait until the rate allows what was read.
    fn owed(&self, rows: u64, bytes: u64) -> Option<Duration> {
        let (done, rate) = match self.limits.max_rate? {
            Rate::Rows(rate) => (rows, rate),
            Rate::Bytes(rate) => (bytes, rate),
        };
        let micros = u128::from(done) * 1_000_000 / u128::from(rate.max(1));
        let due = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let paused = Duration::from_micros(self.paused.load(Ordering::Relaxed));
        due.checked_sub(self.age().saturating_sub(paused)).filter(|wait| !wait.is_zero())
    }

    fn check_age(&self) -> Result<(), SnapshotError> {
        match self.limits.max_age {
            Some(limit) if self.age() > limit => Err(SnapshotError::TooOld { limit }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept() {
        let pace = Pace::new(Limits { max_rate: Some(Rate::Rows(1_000)), ..Limits::default() });
        pace.read(100, 0, &|| false).unwrap();
        pace.read(100, 0, &|| false).unwrap();
        assert!(pace.age() >= Duration::from_millis(200), "{:?}", pace.age());
    }

    #[test]
    fn a_stop_ends_a_wait_and_an_old_transaction_is_an_error() {
        let pace = Pace::new(Limits { max_rate: Some(Rate::Bytes(1)), ..Limits::default() });
        pace.read(1, 1 << 40, &|| true).unwrap();
        let limit = Duration::ZERO;
        let pace = Pace::new(Limits { max_age: Some(limit), ..Limits::default() });
        let error = pace.read(1, 1, &|| false).unwrap_err();
        assert!(matches!(error, SnapshotError::TooOld { .. }), "{error}");
    }
}
