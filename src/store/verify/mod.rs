//! Finding damage: quick, default, full, or as much as a time budget allows.
//!
//! - *quick* looks at names, small files, the structure and sizes of indexes and object files, and
//!   the snapshots that names lead to;
//! - *default* also decodes and hashes every object, and walks from every name to everything below;
//! - *full* also hands what it walks to a check that knows what objects mean; what that reads is
//!   not read once more.
//!
//! Nothing is locked or changed, and everything is read by positioned reads, so that a sector that
//! cannot be read is an error and not a signal.

mod outcome;
mod quick;
mod reach;
mod reading;
mod scan;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use super::mark::{Content, Reached};
pub use outcome::{Cursor, Damage, Damaged, VerifyOutcome};
pub(super) use scan::{ScanReport, body_len, offsets_of};

use self::reach::Walk;
use super::objects::Objects;
use super::view::View;
use super::{Store, StoreError};
use crate::codec::Kind;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Names, small files, structure and sizes.
    Quick,
    /// Every object, and that all that names need is there.
    Default,
    /// What objects mean, too.
    Full,
}

/// Checks what objects mean, for layers that know it: for instance that the row hashes of a table
/// are those of its rows. Called from several threads.
pub trait SemanticCheck: Sync {
    /// Whether objects of this kind are to be checked.
    fn wants(&self, kind: Kind) -> bool;

    /// Checks an object that lies below a name; the error says what is wrong. Where `is_over` turns
    /// true, the check may be given up; it then says so.
    fn check(
        &self,
        object: &Reached<'_>,
        objects: &dyn Objects,
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<Extent, String>;
}

/// How far a check came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// To the end.
    Whole,
    /// Until its time was up.
    CutShort,
}

/// How to verify.
#[derive(Clone, Copy)]
pub struct VerifyOptions<'a> {
    /// How closely.
    pub depth: Depth,
    /// How many threads decode and hash.
    pub jobs: NonZeroUsize,
    /// The check for [`Depth::Full`].
    pub check: Option<&'a dyn SemanticCheck>,
    /// After this time no more is read; [`VerifyOutcome::next`] says where to go on. What names lead
    /// to is walked when every object was read, in one run: if not in what is left of that run's
    /// time, then by the next run, which has all of its time for it.
    pub budget: Option<Duration>,
    /// Where to begin reading objects.
    pub start: Option<Cursor>,
}

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        VerifyOptions { depth: Depth::Default, jobs, check: None, budget: None, start: None }
    }
}

impl Store {
    /// Looks for damage. Damage is in the outcome; an error is returned only where the store could
    /// not be read at all.
    pub fn verify(&self, options: &VerifyOptions<'_>) -> Result<VerifyOutcome, StoreError> {
        Ok(self.examine(options)?.outcome)
    }

    /// Verifies, and keeps what `repair` needs to know.
    pub(super) fn examine(&self, options: &VerifyOptions<'_>) -> Result<Examined, StoreError> {
        let deadline = options.budget.and_then(|budget| Instant::now().checked_add(budget));
        let view = Arc::new(View::load(self.fs.as_ref(), &self.layout, None)?);
        let mut outcome = VerifyOutcome::default();
        let roots = quick::check(self, &view, &mut outcome)?;
        let mut scan = ScanReport::default();
        let meaning = options.check.filter(|_| options.depth >= Depth::Full);
        let walk = Walk { store: self, view: &view, roots: &roots, jobs: options.jobs, deadline };
        match meaning {
            _ if options.depth < Depth::Default => {}
            Some(check) if deadline.is_none() => {
                // What the check reads is decoded and hashed by that, and not once more.
                let (_, sound) = walk.meaning(check, &scan, &mut outcome)?;
                scan = scan::scan(self, &view, options, deadline, Some(&sound), &mut outcome)?;
                if !scan.frames.is_empty() {
                    walk.presence(&scan, &mut outcome)?;
                }
            }
            meaning => {
                scan = scan::scan(self, &view, options, deadline, None, &mut outcome)?;
                if outcome.next.is_none() {
                    let extent = match meaning {
                        Some(check) => walk.meaning(check, &scan, &mut outcome)?.0,
                        None => walk.presence(&scan, &mut outcome)?,
                    };
                    if extent == Extent::CutShort {
                        outcome.cut_short(options.start);
                    }
                }
            }
        }
        outcome.sort();
        Ok(Examined { outcome, scan, view })
    }
}

/// What a verification found, in the words of the store.
pub(super) struct Examined {
    pub(super) outcome: VerifyOutcome,
    pub(super) scan: ScanReport,
    pub(super) view: Arc<View>,
}
