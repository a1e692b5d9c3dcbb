//! Collecting what nothing needs any more: plan, then execute.
//!
//! Alive is what refs, tags, recent log entries and checkpoints lead to. Files without live
//! objects are condemned; from mostly dead ones the live objects are copied out first; condemned
//! files are removed after a grace period, if everything alive has a copy elsewhere. The store is
//! locked from the marking to the last removal, and a writer that relies on a condemned file
//! notices when it publishes (`docs/durability.md`, "Collecting").

mod execute;
mod keep;
mod plan;
mod roots;

use std::time::Duration;

use super::{FileId, Moment, Store, StoreError};
use crate::model::SnapshotId;
pub use keep::{KeepRules, Retained};
pub(super) use roots::Root;

/// How gc decides.
#[derive(Debug, Clone)]
pub struct GcOptions {
    /// How long a condemned file stays.
    pub grace: Duration,
    /// How long log entries keep what they name.
    pub log_age: Duration,
    /// Which older snapshots of each ref stay, instead of those that its log names within `log_age`.
    pub keep: Option<KeepRules>,
    /// Snapshots that stay besides, each with the name of what holds it outside of the store.
    pub also: Vec<(String, SnapshotId)>,
    /// A file of which less than this share of bytes is alive is emptied, in percent.
    pub sparse_below: u64,
}

impl Default for GcOptions {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        GcOptions {
            grace: 14 * DAY,
            log_age: 90 * DAY,
            keep: None,
            also: Vec::new(),
            sparse_below: 50,
        }
    }
}

/// What happens to an object file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it is alive.
    Keep,
    /// Nothing: a live writer owns it.
    InUse,
    /// Its live objects are copied out, and it is condemned.
    CopyOut,
    /// It is condemned.
    Condemn,
    /// It is condemned already, and waits.
    Wait {
        /// Since when.
        since: Moment,
    },
    /// It is alive again: its tombstone is removed.
    Pardon,
    /// It is removed.
    Remove,
}

/// An object file in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedFile {
    /// The file.
    pub file: FileId,
    /// How long it is.
    pub bytes: u64,
    /// How many bytes of objects in it are alive and have no copy in a better place.
    pub live_bytes: u64,
    /// How many objects that is.
    pub live_objects: u64,
    /// What happens to it.
    pub action: Action,
}

/// What keeps objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// A ref, a tag, a log or a checkpoint, in words.
    pub name: String,
    /// How many snapshots or, of a checkpoint, trees it names.
    pub entries: u64,
    /// How many objects only this and later keepers need.
    pub objects: u64,
    /// How many bytes they take.
    pub bytes: u64,
}

/// What gc would do.
#[derive(Debug, Clone, Default)]
pub struct GcPlan {
    /// Every object file, by name.
    pub files: Vec<PlannedFile>,
    /// What keeps objects, in the order it was marked.
    pub kept_by: Vec<Keeper>,
    /// Snapshots in the store that nothing keeps.
    pub forgotten: Vec<SnapshotId>,
    /// With rules: every snapshot that a ref has named and that is there, and which rules keep it.
    pub retained: Vec<Retained>,
}

impl GcPlan {
    /// The files with this kind of action.
    pub fn with(&self, is_meant: impl Fn(Action) -> bool) -> impl Iterator<Item = &PlannedFile> {
        self.files.iter().filter(move |file| is_meant(file.action))
    }

    /// How many bytes disappear at once.
    pub fn removed_bytes(&self) -> u64 {
        self.with(|action| action == Action::Remove).map(|file| file.bytes).sum()
    }

    /// How many bytes nothing keeps: they disappear, at the latest when their grace is over.
    pub fn freed_bytes(&self) -> u64 {
        let goes = |action| !matches!(action, Action::Keep | Action::InUse | Action::Pardon);
        self.with(goes).map(|file| file.bytes.saturating_sub(file.live_bytes)).sum()
    }

    /// Whether executing it would change nothing.
    pub fn is_empty(&self) -> bool {
        use Action::{InUse, Keep, Wait};
        self.files.iter().all(|file| matches!(file.action, Keep | InUse | Wait { .. }))
    }
}

impl Store {
    /// What gc would do now. Nothing is locked or changed.
    pub fn plan_gc(&self, options: &GcOptions, now: Moment) -> Result<GcPlan, StoreError> {
        self.allows_collecting()?;
        Ok(plan::plan(self, options, now)?.plan)
    }

    /// Locks the store, marks, and executes the plan that results, which it returns.
    pub fn collect(&self, options: &GcOptions, now: Moment) -> Result<GcPlan, StoreError> {
        self.allows_collecting()?;
        self.prepare_writing()?;
        let lock = self.lock()?;
        self.adopt(&lock)?;
        let marked = plan::plan(self, options, now)?;
        execute::execute(self, &lock, &marked, now)?;
        Ok(marked.plan)
    }
}
