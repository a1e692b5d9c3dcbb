//! Walking what lies below a snapshot: for gc, for `verify`, and for publishing.
//!
//! A marker works on one view and visits every object once for each way of looking at it: below a
//! hash-only table values are absent and row hashes are there, elsewhere it is the other way
//! round, and the two share objects. Parents of snapshots are weak and not followed: what keeps an
//! older snapshot is a name or the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::error::malformed;
use super::resume::RootObject;
use super::view::{Access, Found, Location, View};
use super::{Store, StoreError};
use crate::codec::Kind;
use crate::codec::structure::{Part, references, snapshot_is_hash_only};
use crate::model::ObjectId;

/// Which of the optional parts of rows are stored below an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Content {
    /// Values, no row hashes.
    Values = 1,
    /// Above the tables of a hash-only snapshot: values here, row hashes below each table.
    AboveHashes = 2,
    /// Row hashes, no values.
    RowHashes = 4,
    /// Not known: whatever is there. Below the roots of a checkpoint.
    Either = 8,
}

/// The mark of an object that refers to nothing: it is the same however it is reached.
const LEAF: u8 = 16;

/// An object that was reached.
#[derive(Debug, Clone, Copy)]
pub struct Reached<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: ObjectId,
    /// What is stored below it.
    pub content: Content,
    /// Its plain bytes, for kinds that refer to other objects.
    pub plain: Option<&'a [u8]>,
}

/// An object that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) kind: Kind,
    pub(super) id: ObjectId,
    /// What leads to it.
    pub(super) root: String,
    pub(super) why: String,
}

/// Whether everything below a root must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    Required,
    /// What retention may have taken: gaps are no damage.
    Tolerated,
}

/// What visitors get: the object, its place, and whether it is reached for the first time.
pub(super) type Visit<'v> =
    dyn FnMut(&Reached<'_>, &Location<'_>, bool) -> Result<(), StoreError> + 'v;

/// Marks what is reachable. Roots that require completeness come before those that do not.
pub(super) struct Marker<'s> {
    store: &'s Store,
    view: Arc<View>,
    access: Access,
    seen: Vec<Vec<u8>>,
    missing: Vec<Missing>,
    reported: HashSet<ObjectId>,
    deadline: Option<Instant>,
    /// How many objects were looked at.
    steps: u64,
    is_over: bool,
}

/// The clock is looked at after so many objects, so a walk in a small store is never cut short.
const STEPS_A_LOOK: u64 = 1024;

struct Waiting {
    kind: Kind,
    id: ObjectId,
    content: Content,
    strictness: Strictness,
}

/// Whether objects of this kind refer to others.
pub(super) fn has_references(kind: Kind) -> bool {
    !matches!(kind, Kind::Column | Kind::Keys | Kind::RowHashes | Kind::Counts | Kind::Value)
}

impl<'s> Marker<'s> {
    pub(super) fn new(store: &'s Store, view: Arc<View>, access: Access) -> Self {
        let seen = view.loaded.iter().map(|loaded| vec![0u8; loaded.index.len()]).collect();
        Marker {
            store,
            view,
            access,
            seen,
            missing: Vec::new(),
            reported: HashSet::new(),
            deadline: None,
            steps: 0,
            is_over: false,
        }
    }

    /// The same marker, which gives up after the deadline.
    pub(super) fn until(self, deadline: Option<Instant>) -> Self {
        Marker { deadline, ..self }
    }

    /// Whether it gave up: not everything below the last root was looked at.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What should be there and is not.
    pub(super) fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Whether the entry of an index stands for an object that was reached.
    pub(super) fn is_live(&self, entry: (usize, usize)) -> bool {
        self.seen[entry.0][entry.1] != 0
    }

    /// Marks everything below a root, unless the time is up.
    pub(super) fn mark(
        &mut self,
        root: RootObject,
        name: &str,
        strictness: Strictness,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let content = if root.kind == Kind::Snapshot { Content::Values } else { Content::Either };
        let mut waiting = vec![Waiting { kind: root.kind, id: root.id, content, strictness }];
        while let Some(object) = waiting.pop() {
            self.steps += 1;
            if self.steps.is_multiple_of(STEPS_A_LOOK) {
                self.is_over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            }
            if self.is_over {
                return Ok(());
            }
            self.step(&object, name, visit, &mut waiting)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        object: &Waiting,
        name: &str,
        visit: &mut Visit<'_>,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), StoreError> {
        let &Waiting { kind, id, content, strictness } = object;
        let view = self.view.clone();
        let Some(location) = view.canonical(&id) else {
            let why = view.broken.first().map_or_else(
                || "no index lists it".to_owned(),
                |broken| format!("no index lists it, and {} is damaged", broken.path.display()),
            );
            self.report(object, name, why);
            return Ok(());
        };
        let bit = if has_references(kind) { content as u8 } else { LEAF };
        let seen = &mut self.seen[location.entry.0][location.entry.1];
        let is_first = *seen == 0;
        if *seen & bit != 0 {
            return Ok(());
        }
        *seen |= bit;
        if !has_references(kind) {
            if location.place.kind() != Some(kind) || view.is_marked_bad(&id, &location.file.id) {
                self.report(object, name, "it was found damaged".to_owned());
            }
            return visit(&Reached { kind, id, content, plain: None }, &location, is_first);
        }
        let fs = self.store.fs.as_ref();
        let plain = match view.read(fs, &self.store.hasher, self.access, kind, &id)? {
            Found::Plain(plain) => plain,
            Found::Nothing => {
                self.report(object, name, "its file is gone".to_owned());
                return Ok(());
            }
            Found::Bad(why) => {
                self.report(object, name, why);
                return Ok(());
            }
        };
        visit(&Reached { kind, id, content, plain: Some(&plain) }, &location, is_first)?;
        let wrong = |error| malformed(id, kind, &error);
        let content = match kind {
            Kind::Snapshot if snapshot_is_hash_only(&plain).map_err(wrong)? => Content::AboveHashes,
            Kind::Table if content == Content::AboveHashes => Content::RowHashes,
            _ => content,
        };
        for reference in references(kind, &plain).map_err(wrong)? {
            if let Some(strictness) = follow(content, reference.part, strictness) {
                let (kind, id) = (reference.kind, reference.id);
                waiting.push(Waiting { kind, id, content, strictness });
            }
        }
        Ok(())
    }

    fn report(&mut self, object: &Waiting, name: &str, why: String) {
        if object.strictness == Strictness::Required && self.reported.insert(object.id) {
            let (kind, id, root) = (object.kind, object.id, name.to_owned());
            self.missing.push(Missing { kind, id, root, why });
        }
    }
}

/// Whether a reference is followed, and how strictly.
fn follow(content: Content, part: Part, strictness: Strictness) -> Option<Strictness> {
    match (part, content) {
        (Part::Always, _)
        | (Part::Values, Content::Values | Content::AboveHashes)
        | (Part::RowHashes, Content::RowHashes) => Some(strictness),
        (Part::Values | Part::RowHashes, Content::Either) => Some(Strictness::Tolerated),
        (Part::Weak, _)
        | (Part::Values, Content::RowHashes)
        | (Part::RowHashes, Content::Values | Content::AboveHashes) => None,
    }
}
