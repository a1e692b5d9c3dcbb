//! Walking from every name to everything below it: nothing may be missing, and with a semantic
//! check, everything must mean what it says.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::outcome::{Damage, Damaged, VerifyOutcome};
use super::scan::ScanReport;
use super::{Depth, SemanticCheck, VerifyOptions};
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

pub(super) fn check(
    store: &Store,
    view: &Arc<View>,
    roots: &[Root],
    options: &VerifyOptions<'_>,
    scan: &ScanReport,
    outcome: &mut VerifyOutcome,
) -> Result<(), StoreError> {
    let semantic = options.check.filter(|_| options.depth >= Depth::Full);
    let reader = store.reader()?;
    let Some(semantic) = semantic else {
        return walk(store, view, roots, scan, &reader, outcome, &mut |_| {});
    };
    let found = Mutex::new(Vec::new());
    let (sender, receiver) = sync_channel::<Task>(options.jobs.get() * 4);
    let receiver = Arc::new(Mutex::new(receiver));
    let walked = std::thread::scope(|scope| {
        for _ in 0..options.jobs.get() {
            let (receiver, reader, found) = (receiver.clone(), &reader, &found);
            scope.spawn(move || work(semantic, reader, &receiver, found));
        }
        // Whoever waits for a side that is gone is woken: the workers by the end of this, the
        // walk by the end of the last worker.
        drop(receiver);
        let sender = sender;
        walk(store, view, roots, scan, &reader, outcome, &mut |reached| {
            let (kind, id, content) = (reached.kind, reached.id, reached.content);
            if semantic.wants(kind) {
                let plain = reached.plain.unwrap_or_default().to_vec();
                // A worker is gone only where it panicked, which the scope passes on.
                let _ = sender.send(Task { kind, id, content, plain });
            }
        })
    });
    outcome.damaged.append(&mut found.into_inner().unwrap_or_else(PoisonError::into_inner));
    walked
}

fn walk(
    store: &Store,
    view: &Arc<View>,
    roots: &[Root],
    scan: &ScanReport,
    reader: &Reader,
    outcome: &mut VerifyOutcome,
    on_reached: &mut dyn FnMut(&Reached<'_>),
) -> Result<(), StoreError> {
    let bad = scan.bad_places();
    let mut marker = Marker::new(store, view.clone(), Access::Positioned);
    let mut lost = Vec::new();
    let required = roots.iter().filter(|root| root.strictness == Strictness::Required);
    let tolerated = roots.iter().filter(|root| root.strictness == Strictness::Tolerated);
    for root in required.chain(tolerated) {
        let walked = marker.mark(root.object, &root.name, root.strictness, &mut |object, at, _| {
            if !bad.is_empty() && is_lost(view, &object.id, at, &bad) {
                lost.push((object.kind, object.id, root.name.clone()));
            }
            if root.strictness == Strictness::Required {
                on_reached(object);
            }
            Ok(())
        });
        match walked {
            // Bytes that hash to their id and mean nothing: said, and the walk goes on elsewhere.
            Err(StoreError::Object(error)) => outcome.damaged.push(malformed(&root.name, &error)),
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
        outcome
            .damaged
            .push(Damage { what, why: format!("every copy is damaged; {root} needs it") });
    }
    Ok(())
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

fn work(
    semantic: &dyn SemanticCheck,
    reader: &Reader,
    receiver: &Mutex<Receiver<Task>>,
    found: &Mutex<Vec<Damage>>,
) {
    loop {
        let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Task { kind, id, content, plain }) = received else { return };
        let reached = Reached { kind, id, content, plain: Some(&plain) };
        if let Err(why) = semantic.check(&reached, reader) {
            let what = Damaged::Object { id, kind: Some(kind) };
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push(Damage { what, why });
        }
    }
}
