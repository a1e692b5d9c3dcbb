//! Walking from every name to everything below it: nothing may be missing, and with a semantic
//! check, everything must mean what it says.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::outcome::{Damage, Damaged, VerifyOutcome};
use super::reading::{CheckedObjects, SoundFrames};
use super::scan::ScanReport;
use super::{Extent, SemanticCheck};
use crate::codec::Kind;
use crate::model::ObjectId;
use crate::store::gc::Root;
use crate::store::mark::{Content, Marker, Reached, Strictness};
use crate::store::view::{Access, Location, View};
use crate::store::{FileId, Reader, Store, StoreError};

/// An object that waits for the semantic check.
struct Task {
    kind: Kind,
    id: ObjectId,
    content: Content,
    plain: Vec<u8>,
}

/// A walk from every name.
pub(super) struct Walk<'a> {
    pub(super) store: &'a Store,
    pub(super) view: &'a Arc<View>,
    pub(super) roots: &'a [Root],
    pub(super) jobs: NonZeroUsize,
    /// When it is to be given up.
    pub(super) deadline: Option<Instant>,
}

impl Walk<'_> {
    /// Whether everything that names lead to is there.
    pub(super) fn presence(
        &self,
        scan: &ScanReport,
        outcome: &mut VerifyOutcome,
    ) -> Result<Extent, StoreError> {
        self.walk(scan, &self.store.reader()?, outcome, &mut |_| {})
    }

    /// The same, and what it means. Gives the frames that were found sound, too.
    pub(super) fn meaning(
        &self,
        semantic: &dyn SemanticCheck,
        scan: &ScanReport,
        outcome: &mut VerifyOutcome,
    ) -> Result<(Extent, SoundFrames), StoreError> {
        let reader = self.store.reader()?;
        let objects = CheckedObjects::new(self.store, self.view, &reader)?;
        let found = Mutex::new(Found { damaged: Vec::new(), extent: Extent::Whole });
        let (sender, receiver) = sync_channel::<Task>(self.jobs.get() * 4);
        let receiver = Arc::new(Mutex::new(receiver));
        let walked = std::thread::scope(|scope| {
            for _ in 0..self.jobs.get() {
                let (receiver, objects, found) = (receiver.clone(), &objects, &found);
                scope.spawn(move || self.work(semantic, objects, &receiver, found));
            }
            // Whoever waits for a side that is gone is woken: the workers by the end of this, the
            // walk by the end of the last worker.
            drop(receiver);
            let sender = sender;
            self.walk(scan, &reader, outcome, &mut |reached| {
                let (kind, id, content) = (reached.kind, reached.id, reached.content);
                if semantic.wants(kind) {
                    let plain = reached.plain.unwrap_or_default().to_vec();
                    // A worker is gone only where it panicked, which the scope passes on.
                    let _ = sender.send(Task { kind, id, content, plain });
                }
            })
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.damaged.append(&mut found.damaged);
        let extent = if walked? == Extent::Whole { found.extent } else { Extent::CutShort };
        Ok((extent, objects.into_sound()))
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn walk(
        &self,
        scan: &ScanReport,
        reader: &Reader,
        outcome: &mut VerifyOutcome,
        on_reached: &mut dyn FnMut(&Reached<'_>),
    ) -> Result<Extent, StoreError> {
        let view = self.view;
        let bad = scan.bad_places();
        let marker = Marker::new(self.store, view.clone(), Access::Positioned);
        let mut marker = marker.until(self.deadline);
        let mut lost = Vec::new();
        let of = |strictness| self.roots.iter().filter(move |root| root.strictness == strictness);
        for root in of(Strictness::Required).chain(of(Strictness::Tolerated)) {
            let (name, strictness) = (&root.name, root.strictness);
            let walked = marker.mark(root.object, name, strictness, &mut |object, at, _| {
                if !bad.is_empty() && is_lost(view, &object.id, at, &bad) {
                    lost.push((object.kind, object.id, name.clone()));
                }
                if strictness == Strictness::Required {
                    on_reached(object);
                }
                Ok(())
            });
            match walked {
                // Bytes that hash to their id and mean nothing: said, and the walk goes on.
                Err(StoreError::Object(error)) => outcome.damaged.push(malformed(name, &error)),
                result => result?,
            }
        }
        // gc may have moved what is missing since the view was made.
        let is_unchanged = marker.missing().is_empty() || view.is_same_as(&*reader.refreshed()?);
        for missing in marker.missing() {
            if is_unchanged || reader.object(missing.kind, &missing.id).is_err() {
                let what = Damaged::Object { id: missing.id, kind: Some(missing.kind) };
                let why = format!("{}; {} needs it", missing.why, missing.root);
                outcome.damaged.push(Damage { what, why });
            }
        }
        for (kind, id, root) in lost {
            let what = Damaged::Object { id, kind: Some(kind) };
            let why = format!("every copy is damaged; {root} needs it");
            outcome.damaged.push(Damage { what, why });
        }
        Ok(if marker.is_over() { Extent::CutShort } else { Extent::Whole })
    }

    fn work(
        &self,
        semantic: &dyn SemanticCheck,
        objects: &CheckedObjects<'_>,
        receiver: &Mutex<Receiver<Task>>,
        found: &Mutex<Found>,
    ) {
        loop {
            let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Task { kind, id, content, plain }) = received else { return };
            let reached = Reached { kind, id, content, plain: Some(&plain) };
            let checked = semantic.check(&reached, objects, &|| self.is_over());
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match checked {
                Ok(Extent::Whole) => {}
                Ok(Extent::CutShort) => found.extent = Extent::CutShort,
                Err(why) => {
                    let what = Damaged::Object { id, kind: Some(kind) };
                    found.damaged.push(Damage { what, why });
                }
            }
        }
    }
}

/// What the workers found.
struct Found {
    damaged: Vec<Damage>,
    extent: Extent,
}

fn malformed(root: &str, error: &crate::store::ObjectError) -> Damage {
    use crate::store::ObjectError::{Damaged as Bad, Missing};
    let what = match error {
        Bad { id, kind, .. } | Missing { id, kind } => {
            Damaged::Object { id: *id, kind: Some(*kind) }
        }
        _ => Damaged::File(std::path::PathBuf::new()),
    };
    Damage { what, why: format!("{error}; {root} needs it") }
}

/// Whether no copy of an object is sound.
fn is_lost(
    view: &View,
    id: &ObjectId,
    location: &Location<'_>,
    bad: &HashSet<(FileId, u64)>,
) -> bool {
    let is_bad = |copy: &Location<'_>| bad.contains(&(copy.file.id, copy.place.offset));
    is_bad(location) && view.locations(id).all(|copy| is_bad(&copy))
}
