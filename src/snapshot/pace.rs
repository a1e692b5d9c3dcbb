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

/// For how long a reading that was slower than it may be, may be faster: what is not used is not
/// saved up, or a wait for a lock would be followed by a burst.
const CREDIT: u64 = 10_000;

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
    /// When what was read so far is paid for, in microseconds since the beginning.
    paid: AtomicU64,
}

impl Pace {
    /// Begins now.
    pub fn new(limits: Limits) -> Pace {
        Pace { limits, began: Instant::now(), paid: AtomicU64::new(0) }
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
        let due = self.due(rows, bytes);
        self.check_age()?;
        while self.limits.pause_file.as_ref().is_some_and(|file| file.exists()) && !should_stop() {
            std::thread::sleep(LOOK);
            self.check_age()?;
        }
        while let Some(wait) = due.and_then(|due| due.checked_sub(self.age())) {
            if wait.is_zero() || should_stop() {
                break;
            }
            std::thread::sleep(wait.min(LOOK));
            self.check_age()?;
        }
        Ok(())
    }

    /// When the rate allows what was read; all who read take their turns on one line of time.
    fn due(&self, rows: u64, bytes: u64) -> Option<Duration> {
        let (done, rate) = match self.limits.max_rate? {
            Rate::Rows(rate) => (rows, rate),
            Rate::Bytes(rate) => (bytes, rate),
        };
        let cost = u128::from(done) * 1_000_000 / u128::from(rate.max(1));
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let now = u64::try_from(self.age().as_micros()).unwrap_or(u64::MAX);
        let from = now.saturating_sub(CREDIT);
        let pay = |paid: u64| paid.max(from).saturating_add(cost);
        let before =
            self.paid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid| Some(pay(paid)));
        let (Ok(before) | Err(before)) = before;
        Some(Duration::from_micros(pay(before)))
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
    fn time_that_was_not_used_is_not_saved_up() {
        let pace = Pace::new(Limits { max_rate: Some(Rate::Rows(1_000)), ..Limits::default() });
        std::thread::sleep(Duration::from_millis(150));
        pace.read(100, 0, &|| false).unwrap();
        assert!(pace.age() >= Duration::from_millis(240), "{:?}", pace.age());
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
