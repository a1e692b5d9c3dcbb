//! Every write, sync, rename and removal goes wrong once.
//!
//! A piece of work runs on the simulated file system with its n-th operation failed, cut short, or
//! being the last one before or after which the power goes; then the machine starts again under
//! several ideas of what survives. Whatever happened, the store opens, each ref is where it was or
//! where it was going, nothing below a ref is missing, and the work can be done again.

use std::time::Duration;

use deepdiff_db::fsio::{Fault, SimulatedFs, Survival};
use deepdiff_db::model::SnapshotId;
use deepdiff_db::store::gc::GcOptions;
use deepdiff_db::store::{Checkpoint, Expected, Store, StoreError};

use crate::store_scene::*;

const FAULTS: [Fault; 5] =
    [Fault::Fail, Fault::CutShort, Fault::CrashBefore, Fault::CrashAfter, Fault::DiskFull];

/// Runs `work` on copies of `fs` under every fault, and `check` on what each crash leaves.
fn enumerate(
    fs: &SimulatedFs,
    work: &dyn Fn(&Store) -> Result<(), StoreError>,
    check: &dyn Fn(&Store, &str),
) {
    let clean = fs.deep_copy();
    work(&reopen(&clean).unwrap()).unwrap();
    let operations = clean.operations() - fs.deep_copy().operations();
    assert!(operations > 3, "the work does something");
    for fault in FAULTS {
        for nth in 0..operations {
            let fs = fs.deep_copy();
            let store = reopen(&fs).unwrap();
            fs.inject(nth, fault);
            // Some work ends well all the same: merging indexes is housekeeping.
            let _ = work(&store);
            for survival in Survival::ALL {
                let what = format!("{fault:?} at operation {nth}, {survival:?}");
                let after = fs.after_crash(survival);
                let store = reopen(&after).unwrap_or_else(|error| panic!("{what}: {error}"));
                check(&store, &what);
            }
        }
    }
}

fn check_sound(store: &Store, what: &str) {
    let outcome = verify(store, deepdiff_db::store::verify::Depth::Default);
    assert!(outcome.is_sound(), "{what}: {:#?}", outcome.damaged);
}

fn check_ref(store: &Store, what: &str, allowed: &[Option<SnapshotId>]) {
    let found = store.reference(&name("prod")).unwrap();
    assert!(allowed.contains(&found), "{what}: prod is {found:?}");
}

fn old_and_new() -> (Content, Content) {
    let mut old = Content::of(&[&[1, 2, 3], &[4, 5]]);
    old.message = "old".into();
    let mut new = Content::of(&[&[1, 2, 3], &[4, 5, 6, 7]]);
    new.message = "new".into();
    (old, new)
}

#[test]
fn creating_a_store() {
    let path = store_path();
    let create = |fs: &SimulatedFs| {
        let algorithm = deepdiff_db::codec::HashAlgorithm::Blake3;
        Store::init(std::sync::Arc::new(fs.clone()), &path, algorithm, None)
    };
    let clean = SimulatedFs::new();
    create(&clean).unwrap();
    for fault in FAULTS {
        for nth in 0..clean.operations() {
            let fs = SimulatedFs::new();
            fs.inject(nth, fault);
            let is_done = create(&fs).is_ok();
            for survival in Survival::ALL {
                let what = format!("{fault:?} at operation {nth}, {survival:?}");
                let after = fs.after_crash(survival);
                if let Ok(store) = reopen(&after) {
                    check_sound(&store, &what);
                } else {
                    assert!(!is_done, "{what}");
                    create(&after).unwrap_or_else(|error| panic!("{what}: {error}"));
                }
            }
        }
    }
}

#[test]
fn writing_and_publishing() {
    let (old, new) = old_and_new();
    let (fs, store) = simulated();
    let before = publish(&store, "prod", &old).unwrap();
    let after = publish(&reopen(&fs.deep_copy()).unwrap(), "prod", &new).unwrap();
    enumerate(&fs, &|store| publish(store, "prod", &new).map(drop), &|store, what| {
        check_ref(store, what, &[Some(before), Some(after)]);
        check_sound(store, what);
        publish(store, "prod", &new).unwrap_or_else(|error| panic!("{what}: {error}"));
        check_ref(store, what, &[Some(after)]);
        check_sound(store, what);
    });
}

#[test]
fn a_publish_that_returned_survives() {
    let (old, new) = old_and_new();
    let (fs, store) = simulated();
    publish(&store, "prod", &old).unwrap();
    let after = publish(&store, "prod", &new).unwrap();
    for survival in Survival::ALL {
        let store = reopen(&fs.after_crash(survival)).unwrap();
        check_ref(&store, "after a publish", &[Some(after)]);
        check_sound(&store, "after a publish");
        assert_eq!(store.log(&name("prod")).unwrap().len(), 2);
    }
}

#[test]
fn publishing_with_a_merge_of_indexes() {
    let (fs, store) = simulated();
    for n in 0..3 {
        publish(&store, "prod", &Content::of(&[&[n]])).unwrap();
    }
    let before = store.reference(&name("prod")).unwrap();
    let new = Content::of(&[&[77, 78]]);
    let after = Some(publish(&reopen(&fs.deep_copy()).unwrap(), "prod", &new).unwrap());
    enumerate(&fs, &|store| publish(store, "prod", &new).map(drop), &|store, what| {
        check_ref(store, what, &[before, after]);
        check_sound(store, what);
    });
}

#[test]
fn sealing_and_checkpoints() {
    let (old, new) = old_and_new();
    let (fs, store) = simulated();
    publish(&store, "prod", &old).unwrap();
    let checkpoint = |payload: &[u8]| Checkpoint { roots: Vec::new(), payload: payload.to_vec() };
    store.write_checkpoint(&name("prod"), &checkpoint(b"old")).unwrap();
    enumerate(
        &fs,
        &|store| {
            let writer = store.writer()?;
            let snapshot = try_add(&writer, &new)?;
            writer.seal()?;
            let kind = deepdiff_db::codec::Kind::Snapshot;
            let roots = vec![deepdiff_db::store::RootObject { kind, id: snapshot.0 }];
            let payload = b"new".to_vec();
            store.write_checkpoint(&name("prod"), &Checkpoint { roots, payload })
        },
        &|store, what| {
            let found = store.checkpoint(&name("prod")).unwrap().unwrap();
            assert!([&b"old"[..], b"new"].contains(&found.payload.as_slice()), "{what}");
            // What the new checkpoint names is there.
            check_sound(store, what);
        },
    );
}

#[test]
fn tags_and_deleted_refs() {
    let (old, _) = old_and_new();
    let (fs, store) = simulated();
    let id = publish(&store, "prod", &old).unwrap();
    let tag = name("v1");
    enumerate(
        &fs,
        &|store| {
            store.create_tag(id, &moved(&tag, Expected::Absent))?;
            store.delete_reference(&moved(&name("prod"), Expected::At(id)))
        },
        &|store, what| {
            check_ref(store, what, &[Some(id), None]);
            let tagged = store.tag(&tag).unwrap();
            assert!([Some(id), None].contains(&tagged), "{what}");
            assert!(tagged.is_some() || store.reference(&name("prod")).unwrap().is_some());
            check_sound(store, what);
        },
    );
}

/// A store in which gc has everything to do: a mostly dead file, a dead one, one that is condemned
/// for long, and one that is condemned and alive again.
fn store_for_gc() -> (SimulatedFs, SnapshotId) {
    let (fs, store) = simulated();
    publish(&store, "dead", &Content::of(&[&[90, 91, 92], &[95]])).unwrap();
    store.delete_reference(&moved(&name("dead"), Expected::Anything)).unwrap();
    store.collect(&GcOptions::default(), later(100)).unwrap();
    let old = Content::of(&[&[1], &[2, 3, 12, 13, 14, 15], &[5, 6, 7, 8]]);
    publish_at(&store, "prod", &old, later(101)).unwrap();
    publish_at(&store, "other", &Content::of(&[&[20, 21]]), later(101)).unwrap();
    store.delete_reference(&moved(&name("other"), Expected::Anything)).unwrap();
    let prod = publish_at(&store, "prod", &Content::of(&[&[1]]), later(102)).unwrap();
    (fs, prod)
}

#[test]
fn collecting() {
    let (fs, prod) = store_for_gc();
    let options = GcOptions { log_age: Duration::ZERO, ..GcOptions::default() };
    let plan = reopen(&fs).unwrap().plan_gc(&options, later(130)).unwrap();
    assert!(plan.removed_bytes() > 0, "{plan:#?}");
    enumerate(&fs, &|store| store.collect(&options, later(130)).map(drop), &|store, what| {
        check_ref(store, what, &[Some(prod)]);
        check_sound(store, what);
        for day in [130, 150, 170] {
            store.collect(&options, later(day)).unwrap_or_else(|e| panic!("{what}: {e}"));
            check_sound(store, what);
        }
        let plan = store.plan_gc(&options, later(171)).unwrap();
        assert!(plan.is_empty() && plan.forgotten.is_empty(), "{what}: {plan:#?}");
    });
}

#[test]
fn repairing() {
    let (old, new) = old_and_new();
    let (fs, store) = simulated();
    publish(&store, "prod", &old).unwrap();
    let prod = publish(&store, "prod", &new).unwrap();
    // One bit in the middle of an object, one in an index, one in a log.
    let files = fs.files();
    let find = |suffix: &str| files.iter().find(|f| f.to_string_lossy().ends_with(suffix)).unwrap();
    fs.flip(find(".objs"), 100, 4);
    fs.flip(find(".idx"), 1400, 4);
    fs.flip(find("log/prod"), 9, 4);
    let readable = |store: &Store| {
        let reader = store.reader().unwrap();
        let outcome = verify(store, deepdiff_db::store::verify::Depth::Default);
        drop(reader);
        outcome.damaged.len()
    };
    let damage = readable(&reopen(&fs).unwrap());
    assert!(damage > 0);
    enumerate(&fs, &|store| store.repair(later(1)).map(drop), &|store, what| {
        check_ref(store, what, &[Some(prod)]);
        store.repair(later(2)).unwrap_or_else(|error| panic!("{what}: {error}"));
        // The next snapshots of unchanged data heal the store.
        publish(store, "prod", &old).unwrap_or_else(|error| panic!("{what}: {error}"));
        publish(store, "prod", &new).unwrap_or_else(|error| panic!("{what}: {error}"));
        check_sound(store, what);
    });
}

/// The process lives on after a failed operation, or another one does: what it then publishes must
/// survive, though it may rest on files that were left unsynced.
#[test]
fn publishing_again_after_a_failure() {
    let (old, new) = old_and_new();
    let (fs, store) = simulated();
    publish(&store, "prod", &old).unwrap();
    let clean = fs.deep_copy();
    let before = clean.operations();
    let after = publish(&reopen(&clean).unwrap(), "prod", &new).unwrap();
    let operations = clean.operations() - before;
    for fault in [Fault::Fail, Fault::CutShort] {
        for nth in 0..operations {
            let what = format!("{fault:?} at operation {nth}");
            let fs = fs.deep_copy();
            let store = reopen(&fs).unwrap();
            fs.inject(nth, fault);
            let _ = publish(&store, "other", &new);
            assert!(fs.has_faulted(), "{what}");
            publish(&store, "prod", &new).unwrap_or_else(|error| panic!("{what}: {error}"));
            for survival in Survival::ALL {
                let what = format!("{what}, {survival:?}");
                let store = reopen(&fs.after_crash(survival)).unwrap();
                check_ref(&store, &what, &[Some(after)]);
                check_sound(&store, &what);
            }
        }
    }
}
