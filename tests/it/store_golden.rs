//! Stores that were made by the first version open for ever.
//!
//! `fixtures/golden/store-v1` and `store-v1-keyed` are stores as version 1 writes them, in git, so
//! without empty directories. They are opened, read, verified and written to (in a copy). A store
//! that is there is never made again; `UPDATE_GOLDEN=1` makes one that is missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepdiff_db::codec::{HashAlgorithm, Kind};
use deepdiff_db::fsio::{FileSystem, RealFs, SimulatedFs, write_new};
use deepdiff_db::store::verify::Depth;
use deepdiff_db::store::{Checkpoint, Expected, HashKey, RootObject, Store};

use crate::store_scene::*;

/// The ids of the snapshots in both stores: of refs `prod` and `hashes`.
const PROD: &str = "2eae839b";
const KEYED_PROD: &str = "b70a7551";

fn golden(name: &str) -> PathBuf {
    PathBuf::from("fixtures/golden").join(name)
}

fn key() -> HashKey {
    HashKey::from_file_content(b"a key file of a golden store, 40 bytes..").unwrap()
}

fn content() -> Content {
    let mut content = Content::of(&[&[1, 2, 3], &[4, 5, 6, 7, 8]]);
    content.has_large_value = true;
    content.message = "golden".into();
    content
}

fn make(path: &Path, algorithm: HashAlgorithm, key: Option<&HashKey>) {
    let store = Store::init(RealFs::shared(), path, algorithm, key).unwrap();
    publish(&store, "prod", &Content::of(&[&[1, 2, 3]])).unwrap();
    let prod = publish(&store, "prod", &content()).unwrap();
    publish(&store, "team/hashes", &Content { is_hash_only: true, ..content() }).unwrap();
    store.create_tag(prod, &moved(&name("v1"), Expected::Absent)).unwrap();
    let roots = vec![RootObject { kind: Kind::Snapshot, id: prod.0 }];
    let checkpoint = Checkpoint { roots, payload: b"a checkpoint".to_vec() };
    store.write_checkpoint(&name("prod"), &checkpoint).unwrap();
}

/// A copy in memory, that may be written to.
fn copy(from: &Path, fs: &SimulatedFs, to: &Path) {
    fs.create_dir(to).unwrap();
    for entry in RealFs.list(from).unwrap() {
        let (from, to) = (from.join(&entry.name), to.join(&entry.name));
        if entry.is_dir {
            copy(&from, fs, &to);
        } else {
            write_new(fs, &to, &RealFs.read(&from, 1 << 20).unwrap()).unwrap();
        }
    }
}

fn check(name_of_store: &str, algorithm: HashAlgorithm, key: Option<&HashKey>, prod: &str) {
    let path = golden(name_of_store);
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
        make(&path, algorithm, key);
    }
    let store = Store::open(RealFs::shared(), &path, key).unwrap();
    assert_eq!(store.hasher().algorithm(), algorithm);
    let found = store.reference(&name("prod")).unwrap().unwrap();
    assert!(found.0.to_string().starts_with(prod), "prod is {}", found.0);
    assert_eq!(store.tag(&name("v1")).unwrap(), Some(found));
    assert_eq!(store.log(&name("prod")).unwrap().len(), 2);
    assert_eq!(store.checkpoint(&name("prod")).unwrap().unwrap().payload, b"a checkpoint");
    let outcome = verify(&store, Depth::Full);
    assert!(outcome.is_sound(), "{:#?}", outcome.damaged);
    assert!(outcome.objects > 20);
    store.reader().unwrap().object(Kind::Snapshot, &found.0).unwrap();

    let fs = SimulatedFs::new();
    copy(&path, &fs, &store_path());
    let store = Store::open(Arc::new(fs), &store_path(), key).unwrap();
    // What it holds counts as there: the same content gives the same ids and adds nothing.
    let writer = store.writer().unwrap();
    assert_eq!(publish_with(&writer, "prod", &content(), START).unwrap(), found);
    assert_eq!(writer.added(), (0, 0));
    publish(&store, "prod", &Content::of(&[&[9]])).unwrap();
    assert_sound(&store);
}

#[test]
fn a_store_of_version_1() {
    check("store-v1", HashAlgorithm::Blake3, None, PROD);
}

#[test]
fn a_keyed_store_of_version_1() {
    check("store-v1-keyed", HashAlgorithm::Sha256, Some(&key()), KEYED_PROD);
}
