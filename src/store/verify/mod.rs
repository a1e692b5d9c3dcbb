//! Finding damage: quick, default, full, or as much as a time budget allows.
//!
//! - *quick* looks at names, small files, the structure and sizes of indexes and object files, and
//!   the snapshots that names lead to;
//! - *default* also decodes and hashes every object, and walks from every name to everything below;
//! - *full* also hands what it walks to a check that knows what objects mean.
//!
//! Nothing is locked or changed, and everything is read by positioned reads, so that a sector that
//! cannot be read is an error and not a signal.

mod outcome;
mod quick;
mod reach;
mod scan;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use super::mark::{Content, Reached};
pub use outcome::{Cursor, Damage, Damaged, VerifyOutcome};
pub(super) use scan::{ScanReport, body_len, offsets_of};

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

    /// Checks an object that lies below a name; the error says what is wrong.
    fn check(&self, object: &Reached<'_>, objects: &dyn Objects) -> Result<(), String>;
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
    /// After this time no more objects are read; [`VerifyOutcome::next`] says where to go on. What
    /// names lead to is walked by the run that comes to the end of the objects, in one go.
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
        if options.depth >= Depth::Default {
            scan = scan::scan(self, &view, options, deadline, &mut outcome)?;
            if outcome.next.is_none() {
                reach::check(self, &view, &roots, options, &scan, &mut outcome)?;
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
