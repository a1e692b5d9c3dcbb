//! Every byte of a small store decays once (trap L21).
//!
//! For each byte of each file: `verify` says that something is damaged, whatever is still read is
//! what was written, and `repair` together with a new snapshot of the same data makes the store
//! sound again wherever a ref still leads to its snapshot.

use deepdiff_db::codec::Kind;
use deepdiff_db::fsio::{FileSystem, SimulatedFs};
use deepdiff_db::model::{ObjectId, SnapshotId};
use deepdiff_db::store::verify::{Damage, Damaged, Depth};
use deepdiff_db::store::{Checkpoint, Expected, Store};

use crate::store_scene::*;

fn content() -> Content {
    let mut content = Content::of(&[&[1, 2], &[3, 4, 5, 6]]);
    content.message = "a snapshot".into();
    content
}

/// An object with its plain bytes.
type Known = (Kind, ObjectId, Vec<u8>);

/// A small store with something in every directory, and all objects in it.
fn small_store() -> (SimulatedFs, SnapshotId, Vec<Known>) {
    let (fs, store) = simulated();
    let prod = publish(&store, "prod", &content()).unwrap();
    store.create_tag(prod, &moved(&name("v1"), Expected::Absent)).unwrap();
    let checkpoint = Checkpoint { roots: Vec::new(), payload: b"payload".to_vec() };
    store.write_checkpoint(&name("prod"), &checkpoint).unwrap();
    (fs.clone(), prod, objects_of(&store, prod))
}

fn objects_of(store: &Store, snapshot: SnapshotId) -> Vec<Known> {
    let reader = store.reader().unwrap();
    let mut waiting = vec![(Kind::Snapshot, snapshot.0)];
    let mut found = Vec::new();
    while let Some((kind, id)) = waiting.pop() {
        let Ok(plain) = reader.object(kind, &id) else { continue };
        for reference in deepdiff_db::codec::structure::references(kind, &plain).unwrap() {
            waiting.push((reference.kind, reference.id));
        }
        found.push((kind, id, plain));
    }
    assert!(found.len() > 8);
    found
}

#[test]
fn every_byte_of_a_small_store() {
    let (fs, prod, objects) = small_store();
    let mut flips = 0;
    for path in fs.files() {
        let len = fs.info(&path).unwrap().unwrap().len;
        for offset in 0..usize::try_from(len).unwrap() {
            // The fan-out of an index is 1 KiB of nearly the same: a sample of it will do.
            let is_index = path.extension().is_some_and(|extension| extension == "idx");
            if is_index && (72..1096).contains(&offset) && offset % 16 != 3 {
                continue;
            }
            let fs = fs.deep_copy();
            fs.flip(&path, offset, 1 << (offset % 8));
            let what = format!("byte {offset} of {}", path.display());
            // A damaged `format` is an error of opening already.
            let Ok(store) = reopen(&fs) else { continue };
            check(&store, prod, &objects, &what);
            if offset % 7 == 0 {
                heal(&store, &objects, &what);
            }
            flips += 1;
        }
    }
    assert!(flips > 2000);
}

fn check(store: &Store, prod: SnapshotId, objects: &[Known], what: &str) {
    let outcome = verify(store, Depth::Default);
    assert!(!outcome.is_sound(), "{what}: not noticed");
    for space in [store.reference(&name("prod")), store.tag(&name("v1"))] {
        if let Ok(Some(found)) = space {
            let is_there = store.reader().unwrap().object(Kind::Snapshot, &found.0).is_ok();
            assert!(found == prod || !is_there, "{what}: a ref leads to another snapshot");
        }
    }
    if let Ok(log) = store.log(&name("prod")) {
        assert!(log.iter().all(|entry| entry.new == Some(prod)), "{what}: the log lies");
    }
    if let Ok(Some(checkpoint)) = store.checkpoint(&name("prod")) {
        assert_eq!(checkpoint.payload, b"payload", "{what}");
    }
    let reader = store.reader().unwrap();
    for (kind, id, plain) in objects {
        if let Ok(read) = reader.object(*kind, id) {
            assert_eq!(&read, plain, "{what}: wrong data");
        }
    }
}

fn heal(store: &Store, objects: &[Known], what: &str) {
    store.repair(later(1)).unwrap_or_else(|error| panic!("{what}: {error}"));
    publish(store, "prod", &content()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let outcome = verify(store, Depth::Default);
    // Only a person can say what a damaged tag should name.
    let is_of_tag = |damage: &Damage| {
        let is_file = matches!(&damage.what, Damaged::File(path) if path.ends_with("tags/v1"));
        is_file || damage.why.ends_with("; tag v1 needs it")
    };
    let healed = outcome.damaged.iter().all(is_of_tag);
    assert!(healed, "{what}: not healed: {:#?}", outcome.damaged);
    for (kind, id, plain) in objects {
        assert_eq!(&store.reader().unwrap().object(*kind, id).unwrap(), plain, "{what}");
    }
}
