//! Collecting and repairing, beside live readers and writers; verifying within a time budget.

use std::sync::Mutex;
use std::time::Duration;

use deepdiff_db::codec::Kind;
use deepdiff_db::fsio::FileSystem;
use deepdiff_db::store::gc::{Action, GcOptions};
use deepdiff_db::store::verify::{
    Content as Stored, Depth, Extent, Reached, SemanticCheck, VerifyOptions,
};
use deepdiff_db::store::{ErrorKind, Expected, ObjectSink, Objects, StoreError};

use crate::store_scene::*;

fn at_once() -> GcOptions {
    GcOptions { grace: Duration::ZERO, log_age: Duration::ZERO, ..GcOptions::default() }
}

fn no_log() -> GcOptions {
    GcOptions { log_age: Duration::ZERO, ..GcOptions::default() }
}

#[test]
fn what_nothing_names_goes_after_its_grace() {
    let (fs, store) = simulated();
    let old = publish(&store, "prod", &Content::of(&[&[1, 2, 3]])).unwrap();
    publish(&store, "prod", &Content::of(&[&[50, 51, 52]])).unwrap();
    // The log keeps it for 90 days.
    let plan = store.collect(&GcOptions::default(), later(80)).unwrap();
    assert!(plan.is_empty() && plan.forgotten.is_empty(), "{plan:#?}");
    let plan = store.collect(&GcOptions::default(), later(100)).unwrap();
    assert_eq!(plan.forgotten, [old]);
    assert_eq!(plan.with(|action| action == Action::CopyOut).count(), 1, "its keys are shared");
    assert!(plan.kept_by.iter().any(|keeper| keeper.name == "ref prod" && keeper.objects > 4));
    // Condemned things are still read, and wait.
    store.reader().unwrap().object(Kind::Snapshot, &old.0).unwrap();
    let plan = store.collect(&GcOptions::default(), later(110)).unwrap();
    assert_eq!(plan.with(|action| matches!(action, Action::Wait { .. })).count(), 1);
    let plan = store.collect(&GcOptions::default(), later(115)).unwrap();
    assert!(plan.removed_bytes() > 0);
    store.reader().unwrap().object(Kind::Snapshot, &old.0).unwrap_err();
    assert_eq!(count_files(&fs, &store_path(), ".objs"), 2);
    assert!(fs.list(&store_path().join("condemned")).unwrap().is_empty());
    assert_sound(&store);
}

#[test]
fn live_objects_are_copied_out_of_mostly_dead_files() {
    let (fs, store) = simulated();
    publish(&store, "prod", &Content::of(&[&[1], &[2, 3, 4, 5, 6, 7, 8, 9], &[10, 11]])).unwrap();
    publish(&store, "prod", &Content::of(&[&[1]])).unwrap();
    let plan = store.collect(&no_log(), later(1)).unwrap();
    assert_eq!(plan.with(|action| action == Action::CopyOut).count(), 1, "{plan:#?}");
    assert_sound(&store);
    store.collect(&no_log(), later(20)).unwrap();
    assert_eq!(count_files(&fs, &store_path(), ".objs"), 2);
    assert_sound(&store);
}

#[test]
fn a_ref_that_is_set_back_to_a_condemned_snapshot_keeps_it() {
    let (_fs, store) = simulated();
    let old = publish(&store, "prod", &Content::of(&[&[1, 2, 3]])).unwrap();
    publish(&store, "prod", &Content::of(&[&[50, 51, 52]])).unwrap();
    store.collect(&no_log(), later(1)).unwrap();
    store.set_reference(old, &moved(&name("prod"), Expected::Anything)).unwrap();
    store.collect(&at_once(), later(2)).unwrap();
    store.collect(&at_once(), later(3)).unwrap();
    store.reader().unwrap().object(Kind::Snapshot, &old.0).unwrap();
    assert_sound(&store);
}

#[test]
fn a_snapshot_of_which_parts_are_gone_cannot_be_named() {
    let (_fs, store) = simulated();
    let big = Content::of(&[&[1, 2, 3, 4, 5, 6], &[7]]);
    let old = publish(&store, "prod", &big).unwrap();
    store.delete_reference(&moved(&name("prod"), Expected::Anything)).unwrap();
    store.collect(&at_once(), later(1)).unwrap();
    let error = store.create_tag(old, &moved(&name("v1"), Expected::Absent)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert_eq!(store.tag(&name("v1")).unwrap(), None);
}

#[test]
fn a_writer_copies_out_what_gc_condemned_meanwhile() {
    let (_fs, store) = simulated();
    let content = Content::of(&[&[1, 2, 3], &[7, 8]]);
    publish(&store, "old", &content).unwrap();
    let writer = store.writer().unwrap();
    let snapshot = add(&writer, &content);
    // While it writes, what it relies on loses its name, and gc runs.
    store.delete_reference(&moved(&name("old"), Expected::Anything)).unwrap();
    let plan = store.collect(&no_log(), later(1)).unwrap();
    assert_eq!(plan.with(|action| action == Action::Condemn).count(), 1);
    let published = writer.publish(snapshot, &moved(&name("new"), Expected::Absent)).unwrap();
    assert!(published.copied_out > 4);
    store.collect(&no_log(), later(20)).unwrap();
    assert_sound(&store);
}

#[test]
fn a_writer_whose_objects_were_removed_does_not_publish() {
    let (_fs, store) = simulated();
    let content = Content::of(&[&[1, 2, 3], &[7, 8]]);
    publish(&store, "old", &content).unwrap();
    let writer = store.writer().unwrap();
    let snapshot = add(&writer, &content);
    store.delete_reference(&moved(&name("old"), Expected::Anything)).unwrap();
    store.collect(&at_once(), later(1)).unwrap();
    let error = writer.publish(snapshot, &moved(&name("new"), Expected::Absent)).unwrap_err();
    assert!(matches!(error, StoreError::Collected { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(store.reference(&name("new")).unwrap(), None);
    publish(&store, "new", &content).unwrap();
    assert_sound(&store);
}

#[test]
fn files_of_a_live_writer_are_left_alone() {
    let (_fs, store) = simulated();
    let writer = store.writer().unwrap();
    let snapshot = add(&writer, &Content::of(&[&[1, 2, 3]]));
    writer.seal().unwrap();
    let plan = store.collect(&at_once(), later(1)).unwrap();
    assert_eq!(plan.with(|action| action == Action::InUse).count(), 1);
    let published = writer.publish(snapshot, &moved(&name("prod"), Expected::Absent)).unwrap();
    assert_eq!(published.copied_out, 0);
    assert_sound(&store);
}

#[test]
fn gc_does_nothing_where_it_cannot_know_what_is_alive() {
    let (fs, store) = simulated();
    publish(&store, "prod", &Content::of(&[&[1, 2, 3]])).unwrap();
    let log = fs.files().into_iter().find(|path| path.ends_with("log/prod")).unwrap();
    fs.flip(&log, 10, 1);
    let error = store.collect(&at_once(), later(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    let repaired = store.repair(later(1)).unwrap();
    assert!(repaired.remaining.is_empty(), "{repaired:#?}");
    store.collect(&at_once(), later(1)).unwrap();
}

#[test]
fn many_small_files_become_one() {
    let (fs, store) = simulated();
    for n in 0..120 {
        let to = format!("r{n}");
        publish(&store, &to, &Content::of(&[&[n]])).unwrap();
    }
    store.collect(&no_log(), later(1)).unwrap();
    store.collect(&no_log(), later(20)).unwrap();
    assert_eq!(count_files(&fs, &store_path(), ".objs"), 1);
    assert_eq!(count_files(&fs, &store_path(), ".idx"), 1);
    assert_sound(&store);
}

#[test]
fn a_lost_index_is_made_again_by_the_next_writer() {
    let (fs, store) = simulated();
    let prod = publish(&store, "prod", &Content::of(&[&[1, 2, 3]])).unwrap();
    let index = fs.files().into_iter().find(|f| f.to_string_lossy().ends_with(".idx")).unwrap();
    fs.remove_file(&index).unwrap();
    assert!(!verify(&store, Depth::Default).is_sound());
    drop(store.writer().unwrap());
    store.reader().unwrap().object(Kind::Snapshot, &prod.0).unwrap();
    assert_sound(&store);
}

#[test]
fn damaged_objects_do_not_count_as_there() {
    let (fs, store) = simulated();
    let content = Content::of(&[&[1, 2, 3], &[4, 5]]);
    publish(&store, "prod", &content).unwrap();
    let objs = fs.files().into_iter().find(|f| f.to_string_lossy().ends_with(".objs")).unwrap();
    let len = usize::try_from(fs.info(&objs).unwrap().unwrap().len).unwrap();
    // Some bits of a packed object carry nothing: one is flipped that does.
    for offset in len / 3.. {
        fs.flip(&objs, offset, 1);
        if store.plan_repair().unwrap().bad_objects.len() == 1 {
            break;
        }
        fs.flip(&objs, offset, 1);
    }
    let repaired = store.repair(later(1)).unwrap();
    assert!(repaired.saved > 3);
    assert_eq!(repaired.plan.bad_objects.len(), 1);
    let (bad, _) = repaired.plan.bad_objects.first_key_value().unwrap();
    assert!(!repaired.remaining.is_empty());
    assert!(!store.writer().unwrap().contains(bad).unwrap());
    publish(&store, "prod", &content).unwrap();
    assert_sound(&store);
    store.collect(&no_log(), later(30)).unwrap();
    store.collect(&no_log(), later(60)).unwrap();
    assert!(fs.list(&store_path().join("damaged")).unwrap().is_empty());
    assert_sound(&store);
}

#[test]
fn a_budget_covers_everything_in_turns() {
    let (_fs, store) = simulated();
    for n in 0..6 {
        publish(&store, "prod", &Content::of(&[&[n, n + 100, n + 200]])).unwrap();
    }
    let all = verify(&store, Depth::Default);
    let (mut objects, mut turns) = (0, 0);
    let mut start = None;
    loop {
        let budget = Some(Duration::ZERO);
        let options = VerifyOptions { budget, start, ..VerifyOptions::default() };
        let outcome = store.verify(&options).unwrap();
        assert!(outcome.is_sound());
        objects += outcome.objects;
        turns += 1;
        store.write_verify_cursor(outcome.next).unwrap();
        start = store.verify_cursor();
        assert_eq!(start, outcome.next);
        if start.is_none() {
            break;
        }
    }
    assert_eq!((objects, turns), (all.objects, 7));
}

/// A check that notices at once that its time is up, and a walk that was begun with all of a run's
/// time: what is left undone is told, and the next run reads the objects again.
#[test]
fn a_walk_that_its_time_does_not_suffice_for_is_told_of() {
    struct Slow;
    impl SemanticCheck for Slow {
        fn wants(&self, kind: Kind) -> bool {
            kind == Kind::Table
        }

        fn check(
            &self,
            _: &Reached<'_>,
            _: &dyn Objects,
            is_over: &(dyn Fn() -> bool + Sync),
        ) -> Result<Extent, String> {
            Ok(if is_over() { Extent::CutShort } else { Extent::Whole })
        }
    }
    let (_fs, store) = simulated();
    publish(&store, "prod", &Content::of(&[&[1, 2, 3]])).unwrap();
    let run = |start, budget| {
        let depth = Depth::Full;
        let check: Option<&dyn SemanticCheck> = Some(&Slow);
        store
            .verify(&VerifyOptions { depth, check, start, budget, ..VerifyOptions::default() })
            .unwrap()
    };
    let no_time = Some(Duration::ZERO);
    let objects = run(None, no_time);
    let walk = run(objects.next, no_time);
    assert_eq!((walk.objects, walk.is_sound()), (0, true));
    let again = run(walk.next, no_time);
    assert_eq!(again.objects, objects.objects, "objects are read again");
    assert!(again.next.is_some() && walk.notes.iter().any(|note| note.contains("more time")));
    assert_eq!(run(again.next, Some(Duration::from_secs(3600))).next, None);
    assert_eq!(run(None, None).next, None);
}

#[test]
fn entries_of_one_log_are_told_together() {
    let (_fs, store) = simulated();
    for n in 0..4 {
        publish(&store, "prod", &Content::of(&[&[n]])).unwrap();
    }
    let plan = store.plan_gc(&GcOptions::default(), later(0)).unwrap();
    let kept: Vec<_> =
        plan.kept_by.iter().map(|keeper| (keeper.name.as_str(), keeper.entries)).collect();
    assert_eq!(kept, [("ref prod", 1), ("log of prod", 4)]);
}

struct Collector(Mutex<Vec<(Kind, Stored)>>);

impl SemanticCheck for Collector {
    fn wants(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Table | Kind::Chunk)
    }

    fn check(
        &self,
        object: &Reached<'_>,
        objects: &dyn Objects,
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Extent, String> {
        let again = objects.get(object.kind, &object.id).map_err(|error| error.to_string())?;
        assert_eq!(Some(again.as_slice()), object.plain);
        self.0.lock().unwrap().push((object.kind, object.content));
        if object.kind == Kind::Table && object.content == Stored::AboveHashes {
            return Err("said by the check".to_owned());
        }
        Ok(Extent::Whole)
    }
}

#[test]
fn a_full_verification_asks_what_objects_mean() {
    let (_fs, store) = simulated();
    let mut content = Content::of(&[&[1, 2, 3]]);
    publish(&store, "prod", &content).unwrap();
    content.is_hash_only = true;
    publish(&store, "hashes", &content).unwrap();
    let check = Collector(Mutex::default());
    let options =
        VerifyOptions { depth: Depth::Full, check: Some(&check), ..VerifyOptions::default() };
    let outcome = store.verify(&options).unwrap();
    let said: Vec<_> = outcome.damaged.iter().map(|damage| damage.why.as_str()).collect();
    assert_eq!(said, ["said by the check"]);
    let seen = check.0.into_inner().unwrap();
    let count = |what: (Kind, Stored)| seen.iter().filter(|other| **other == what).count();
    // Both snapshots share their table and chunk; each is looked at in both ways.
    assert_eq!(count((Kind::Table, Stored::Values)), 1);
    assert_eq!(count((Kind::Table, Stored::AboveHashes)), 1);
    assert_eq!(count((Kind::Chunk, Stored::RowHashes)), 1);
    assert_eq!(count((Kind::Chunk, Stored::Values)), 2);
}
