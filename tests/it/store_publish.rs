//! Writing, publishing and reading: names, races of two writers, adoption, checkpoints, keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deepdiff_db::codec::{HashAlgorithm, Kind};
use deepdiff_db::fsio::{Fault, FileSystem, RealFs, SimulatedFs, Survival};
use deepdiff_db::model::SnapshotId;
use deepdiff_db::store::verify::Depth;
use deepdiff_db::store::{
    Checkpoint, ErrorKind, Expected, HashKey, ObjectSink, RootObject, Store, StoreError,
    WriterOptions, discover,
};

use crate::store_scene::*;

fn on_disk() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".deepdiff");
    let store = Store::init(RealFs::shared(), &path, HashAlgorithm::Blake3, None).unwrap();
    (dir, store)
}

#[test]
fn what_is_published_is_read_back() {
    let (dir, store) = on_disk();
    let mut content = Content::of(&[&[1, 2, 3], &[4, 5, 6, 7, 8]]);
    content.has_large_value = true;
    let first = publish(&store, "prod", &content).unwrap();
    content.tables[1].push(9);
    let second = publish(&store, "prod", &content).unwrap();
    content.is_hash_only = true;
    publish(&store, "hashes", &content).unwrap();
    assert_ne!(first, second);

    let found = discover(&RealFs, &dir.path().join("a").join("b")).unwrap();
    let store = Store::open(RealFs::shared(), &found, None).unwrap();
    assert_eq!(store.reference(&name("prod")).unwrap(), Some(second));
    assert_eq!(store.reference(&name("dev")).unwrap(), None);
    let log = store.log(&name("prod")).unwrap();
    assert_eq!(
        log.iter().map(|e| (e.old, e.new)).collect::<Vec<_>>(),
        [(None, Some(first)), (Some(first), Some(second))]
    );
    let reader = store.reader().unwrap();
    reader.object(Kind::Snapshot, &first.0).unwrap();
    assert_eq!(reader.snapshots().unwrap().len(), 3);
    let by_prefix = reader.snapshot_by_prefix(&first.0.to_string()[..10]).unwrap();
    assert_eq!(by_prefix, first);
    assert!(matches!(reader.snapshot_by_prefix("abc"), Err(StoreError::BadPrefix { .. })));
    let outcome = verify(&store, Depth::Full);
    assert!(outcome.is_sound(), "{:#?}", outcome.damaged);
    assert!(outcome.notes.is_empty(), "{:#?}", outcome.notes);
}

#[test]
fn files_are_private_and_sealed_ones_read_only() {
    let (_dir, store) = on_disk();
    publish(&store, "prod", &Content::of(&[&[1]])).unwrap();
    let mode = |path: &std::path::Path| RealFs.info(path).unwrap().unwrap().mode;
    assert_eq!(mode(store.path()), 0o700);
    for entry in RealFs.list(store.path()).unwrap() {
        let path = store.path().join(&entry.name);
        assert_eq!(mode(&path), if entry.is_dir { 0o700 } else { 0o600 }, "{}", entry.name);
    }
    for entry in RealFs.list(&store.path().join("objects")).unwrap() {
        assert_eq!(mode(&store.path().join("objects").join(entry.name)), 0o444);
    }
    assert!(RealFs.list(&store.path().join("tmp")).unwrap().is_empty());
}

#[test]
fn writing_the_same_again_adds_nothing_but_a_log_line() {
    let (_dir, store) = on_disk();
    let content = Content::of(&[&[1, 2, 3]]);
    publish(&store, "prod", &content).unwrap();
    let before = count_files(&RealFs, store.path(), ".objs");
    let writer = store.writer().unwrap();
    publish_with(&writer, "prod", &content, START).unwrap();
    assert_eq!(writer.added(), (0, 0));
    assert_eq!(count_files(&RealFs, store.path(), ".objs"), before);
}

#[test]
fn of_two_writers_that_publish_one_ref_one_is_refused() {
    let (_dir, store) = on_disk();
    let base = publish(&store, "prod", &Content::of(&[&[1]])).unwrap();
    let (first, second) = (store.writer().unwrap(), store.writer().unwrap());
    let mine = add(&first, &Content::of(&[&[1, 2]]));
    let theirs = add(&second, &Content::of(&[&[1, 3]]));
    let prod = name("prod");
    first.publish(mine, &moved(&prod, Expected::At(base))).unwrap();
    let error = second.publish(theirs, &moved(&prod, Expected::At(base))).unwrap_err();
    assert!(matches!(&error, StoreError::RefMoved { found: Some(found), .. } if *found == mine));
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(store.reference(&prod).unwrap(), Some(mine));
    second.publish(theirs, &moved(&prod, Expected::At(mine))).unwrap();
    assert_sound(&store);
}

#[test]
fn writers_in_many_threads_lose_nothing() {
    let (_dir, store) = on_disk();
    let writer = store.writer_with(WriterOptions { roll_over_at: 4096 }).unwrap();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let writer = &writer;
        let threads: Vec<_> = (0..4u64)
            .map(|thread| {
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    for n in 0..50u64 {
                        // Half of what each thread writes, the others write too.
                        let plain = if n % 2 == 0 { n } else { n * 1000 + thread };
                        let plain = blake3::hash(&plain.to_le_bytes()).as_bytes().repeat(9);
                        ids.push(writer.put(Kind::Value, &plain).unwrap());
                        assert!(writer.contains(ids.last().unwrap()).unwrap());
                    }
                    ids
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    writer.seal().unwrap();
    let reader = store.reader().unwrap();
    for id in &ids {
        reader.object(Kind::Value, id).unwrap();
        writer.reader().object(Kind::Value, id).unwrap();
    }
    assert!(count_files(&RealFs, store.path(), ".objs") > 1);
    assert_sound(&store);
}

#[test]
fn a_reader_sees_what_was_published_after_it_was_made() {
    let (_dir, store) = on_disk();
    let reader = store.reader().unwrap();
    let id = publish(&store, "prod", &Content::of(&[&[1]])).unwrap();
    reader.object(Kind::Snapshot, &id.0).unwrap();
}

#[test]
fn tags_and_refs_are_made_moved_and_deleted() {
    let (_dir, store) = on_disk();
    let first = publish(&store, "team/prod", &Content::of(&[&[1]])).unwrap();
    let second = publish(&store, "team/prod", &Content::of(&[&[2]])).unwrap();
    let (prod, tag) = (name("team/prod"), name("v1"));
    store.create_tag(first, &moved(&tag, Expected::Anything)).unwrap();
    let taken = store.create_tag(second, &moved(&tag, Expected::Anything)).unwrap_err();
    assert!(matches!(taken, StoreError::RefMoved { what: "tag", .. }));
    store.set_reference(first, &moved(&prod, Expected::At(second))).unwrap();
    assert_eq!(store.references().unwrap(), [(prod.clone(), first)]);
    assert_eq!(store.tags().unwrap(), [(tag.clone(), first)]);
    store.delete_reference(&moved(&prod, Expected::Anything)).unwrap();
    store.delete_tag(&moved(&tag, Expected::At(first))).unwrap();
    let gone = store.delete_tag(&moved(&tag, Expected::Anything)).unwrap_err();
    assert!(matches!(gone, StoreError::NoSuchName { .. }));
    assert_eq!(store.log(&prod).unwrap().len(), 4);
    assert!(store.references().unwrap().is_empty());
    let unknown = SnapshotId(deepdiff_db::model::ObjectId([9; 32]));
    let missing = store.set_reference(unknown, &moved(&prod, Expected::Absent)).unwrap_err();
    assert!(missing.to_string().contains("is missing"), "{missing}");
}

#[test]
fn work_of_a_killed_writer_is_adopted_and_its_leftovers_removed() {
    let (fs, store) = simulated();
    let writer = store.writer().unwrap();
    let sealed = writer.put(Kind::Value, b"sealed, not indexed").unwrap();
    // Two operations before the index has its name.
    let operations = {
        let probe = fs.deep_copy();
        let store = reopen(&probe).unwrap();
        let writer = store.writer().unwrap();
        writer.put(Kind::Value, b"sealed, not indexed").unwrap();
        let before = probe.operations();
        writer.seal().unwrap();
        probe.operations() - before
    };
    fs.inject(operations - 2, Fault::CrashBefore);
    writer.seal().unwrap_err();
    let fs = fs.after_crash(Survival::Everything);
    let store = reopen(&fs).unwrap();
    fs.create(&store_path().join("tmp/abandoned.objs")).unwrap();
    let owned = fs.create(&store_path().join("tmp/owned.objs")).unwrap();
    let writer = store.writer().unwrap();
    assert!(writer.contains(&sealed).unwrap());
    let left: Vec<_> = fs.list(&store_path().join("tmp")).unwrap();
    assert_eq!(left.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["owned.objs"]);
    drop(owned);
}

#[test]
fn checkpoints_keep_their_objects_and_come_back() {
    let (_fs, store) = simulated();
    let writer = store.writer().unwrap();
    let id = writer.put(Kind::Value, b"half a table").unwrap();
    writer.seal().unwrap();
    let roots = vec![RootObject { kind: Kind::Value, id }];
    let checkpoint = Checkpoint { roots, payload: b"row 17\nof \0 many".to_vec() };
    let prod = name("prod");
    store.write_checkpoint(&prod, &checkpoint).unwrap();
    drop(writer);
    let options = deepdiff_db::store::gc::GcOptions {
        grace: Duration::ZERO,
        ..deepdiff_db::store::gc::GcOptions::default()
    };
    store.collect(&options, later(1)).unwrap();
    assert_eq!(store.checkpoint(&prod).unwrap(), Some(checkpoint));
    store.reader().unwrap().object(Kind::Value, &id).unwrap();
    assert_eq!(store.checkpoints().unwrap(), std::slice::from_ref(&prod));
    store.remove_checkpoint(&prod).unwrap();
    store.remove_checkpoint(&prod).unwrap();
    store.collect(&options, later(2)).unwrap();
    store.reader().unwrap().object(Kind::Value, &id).unwrap_err();
}

#[test]
fn a_keyed_store_opens_with_its_key_only() {
    let fs: Arc<dyn FileSystem> = Arc::new(SimulatedFs::new());
    let key = HashKey::from_file_content(&[7; 40]).unwrap();
    let other = HashKey::from_file_content(&[8; 40]).unwrap();
    assert!(matches!(HashKey::from_file_content(b"short"), Err(StoreError::KeyTooShort { .. })));
    let path = store_path();
    Store::init(fs.clone(), &path, HashAlgorithm::Sha256, Some(&key)).unwrap();
    let open = |key: Option<&HashKey>| Store::open(fs.clone(), &path, key);
    assert!(matches!(open(None), Err(StoreError::KeyNeeded { .. })));
    assert!(matches!(open(Some(&other)), Err(StoreError::WrongKey { .. })));
    let store = open(Some(&key)).unwrap();
    assert!(store.hasher().is_keyed());
    publish(&store, "prod", &Content::of(&[&[1]])).unwrap();
    assert_sound(&store);
    let (fs, _) = simulated();
    let unwanted = Store::open(Arc::new(fs), &path, Some(&key)).unwrap_err();
    assert!(matches!(unwanted, StoreError::KeyNotWanted { .. }));
}

#[test]
fn stores_that_are_not_ours_to_open_are_refused_by_name() {
    let (_dir, store) = on_disk();
    let path = store.path().to_owned();
    let open = || Store::open(RealFs::shared(), &path, None);
    let again = Store::init(RealFs::shared(), &path, HashAlgorithm::Blake3, None).unwrap_err();
    assert!(matches!(again, StoreError::AlreadyExists { .. }));
    std::fs::write(path.join("format"), "deepdiff-store 7\nwhatever\n").unwrap();
    let newer = open().unwrap_err();
    assert!(matches!(newer, StoreError::NewerVersion { found: 7, known: 1, .. }), "{newer}");
    assert!(newer.hint().is_some());
    std::fs::remove_file(path.join("format")).unwrap();
    assert!(matches!(open().unwrap_err(), StoreError::NotAStore { .. }));
    let nowhere = tempfile::tempdir().unwrap();
    let missing = discover(&RealFs, nowhere.path()).unwrap_err();
    assert!(matches!(missing, StoreError::NotFound { .. }) && missing.hint().is_some());
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let (fs, store) = simulated();
    let first = publish(&store, "prod", &Content::of(&[&[1]])).unwrap();
    for nth in 0..30 {
        let fs = fs.deep_copy();
        let store = reopen(&fs).unwrap();
        fs.inject(nth, Fault::DiskFull);
        match publish(&store, "prod", &Content::of(&[&[1, 2]])) {
            Ok(_) => {}
            Err(error) => assert!(error.hint().unwrap().contains("disk is full"), "{error:?}"),
        }
        let store = reopen(&fs.after_crash(Survival::Everything)).unwrap();
        assert_sound(&store);
        store.reader().unwrap().object(Kind::Snapshot, &first.0).unwrap();
    }
}

#[test]
fn indexes_stay_few_over_many_publishes() {
    let (fs, store) = simulated();
    let mut most = 0;
    for n in 0..300u64 {
        publish(&store, "prod", &Content::of(&[&[n, n + 1], &[7]])).unwrap();
        most = most.max(count_files(&fs, &store_path(), ".idx"));
    }
    assert!(most <= 10, "{most} indexes");
    assert_eq!(count_files(&fs, &store_path(), ".objs"), 300);
    assert_sound(&store);
    let started = Instant::now();
    let reader = store.reader().unwrap();
    let prod = store.reference(&name("prod")).unwrap().unwrap();
    reader.object(Kind::Snapshot, &prod.0).unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
}
