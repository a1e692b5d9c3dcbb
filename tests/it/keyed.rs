//! Keyed stores through the binary: who has not the key can do nothing with them, and ids say
//! nothing of guessable values.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value as Json;

use crate::lab::{Lab, Output};
use crate::servers;

const PROD: &str = "CREATE TABLE person(id INTEGER PRIMARY KEY, pin INT, note TEXT);
    INSERT INTO person VALUES(1, 1234, 'a'), (2, 4321, 'b'), (3, 9999, 'c');";
const DEV: &str = "UPDATE person SET pin = 1111 WHERE id = 2; DELETE FROM person WHERE id = 3;
    INSERT INTO person VALUES(4, 7, 'd'); ALTER TABLE person ADD COLUMN more TEXT;";

/// A lab whose store is keyed by the new file `key`, with both databases.
fn keyed() -> Lab {
    let lab = Lab::new();
    std::fs::remove_dir_all(lab.path(".deepdiff")).unwrap();
    lab.run(&["init", "--new-hash-key-file", "key"]).ok();
    lab.sql("prod.db", PROD);
    lab.sql("dev.db", &format!("{PROD}{DEV}"));
    lab
}

fn with_key(lab: &Lab, args: &[&str]) -> Output {
    lab.run(&[args, &["--hash-key-file", "key"]].concat())
}

fn snapshots(lab: &Lab) -> [Json; 2] {
    ["prod", "dev"].map(|name| {
        let db = format!("{name}.db");
        with_key(lab, &["snapshot", &db, "--ref", name, "--json"]).ok().json()["state"].clone()
    })
}

#[test]
fn a_new_key_is_its_owners_alone_and_nowhere_in_the_store() {
    let lab = keyed();
    let key = std::fs::read(lab.path("key")).unwrap();
    assert_eq!(key.len(), 65);
    assert_eq!(std::fs::metadata(lab.path("key")).unwrap().permissions().mode() & 0o777, 0o600);
    snapshots(&lab);
    for entry in walkdir::WalkDir::new(lab.path(".deepdiff")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            assert!(!holds(&key[..32]), "{}", entry.path().display());
        }
    }
    // A key is not written over, and none is left where no store came about.
    lab.run(&["init", "--new-hash-key-file", "key", "--store", "other"]).fails(3, "key");
    assert_eq!(std::fs::read(lab.path("key")).unwrap(), key);
    lab.run(&["init", "--new-hash-key-file", "key2"]).fails(3, "already");
    assert!(!lab.path("key2").exists());
    with_key(&lab, &["init", "--new-hash-key-file", "key2", "--store", "x"]).fails(2, "one key");
}

#[test]
fn ids_depend_on_the_key_and_on_nothing_else() {
    let lab = keyed();
    let states = snapshots(&lab);
    with_key(&lab, &["init", "--store", "twin"]).ok();
    lab.run(&["init", "--store", "stranger", "--new-hash-key-file", "key2"]).ok();
    let state = |store: &str, key: &str| {
        let args = ["snapshot", "prod.db", "--ref", "p", "--json", "--store", store];
        let taken = lab.run(&[&args[..], &["--hash-key-file", key]].concat()).ok();
        taken.json()["state"].clone()
    };
    assert_eq!(state("twin", "key"), states[0], "one key, one id");
    assert_ne!(state("stranger", "key2"), states[0], "another key, another id");
}

#[test]
fn nothing_works_without_the_key() {
    let lab = keyed();
    snapshots(&lab);
    std::fs::write(lab.path("wrong"), [8u8; 32]).unwrap();
    std::fs::write(lab.path("short"), "secret").unwrap();
    std::fs::write(lab.path("long"), vec![1u8; 70_000]).unwrap();
    for command in [
        &["log"][..],
        &["show", "prod"],
        &["ls", "prod"],
        &["cat", "person", "--at", "prod"],
        &["diff", "prod", "dev"],
        &["pack", "prod", "dev", "-o", "change"],
        &["snapshot", "prod.db", "--ref", "prod"],
        &["restore", "prod", "--to", "new.db"],
        &["verify"],
        &["gc"],
        &["repair"],
        &["tag"],
        &["ref"],
    ] {
        lab.run(command).fails(3, "--hash-key-file");
    }
    for (key, why) in [
        ("wrong", "not the one"),
        ("short", "32 bytes"),
        ("long", "longer"),
        (".", "directory"),
        ("no", "No such"),
    ] {
        lab.run(&["log", "--hash-key-file", key]).fails(3, why);
    }
    assert!(!lab.path("change").exists() && !lab.path("new.db").exists());
    // The message never shows what is in the file.
    let said = lab.run(&["log", "--hash-key-file", "short"]);
    assert!(!said.stderr.contains("secret"), "{}", said.stderr);
}

#[test]
fn a_key_that_others_may_read_is_told_of() {
    let lab = keyed();
    let open = |mode: u32| {
        std::fs::set_permissions(lab.path("key"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(0o640);
    let said = with_key(&lab, &["log"]).ok();
    assert!(said.stderr.contains("warning") && said.stderr.contains("0640"), "{}", said.stderr);
    with_key(&lab, &["init", "--store", "other"]).fails(4, "0640");
    assert!(!lab.path("other").exists());
    open(0o400);
    assert_eq!(with_key(&lab, &["log"]).ok().stderr, "");
}

#[test]
fn packs_of_a_keyed_store_want_its_key() {
    let lab = keyed();
    let [prod, dev] = snapshots(&lab);
    with_key(&lab, &["pack", "prod", "dev", "-o", "change", "--allow", "all"]).ok();
    with_key(&lab, &["rehearse", "change"]).ok();
    std::fs::copy(lab.path("prod.db"), lab.path("copy.db")).unwrap();
    let before = std::fs::read(lab.path("copy.db")).unwrap();
    let apply = ["apply", "change", "--to", "copy.db", "--accept-target"];
    lab.run(&apply).fails(2, "--hash-key-file");
    std::fs::write(lab.path("wrong"), [8u8; 32]).unwrap();
    let wrong = [&apply[..], &["--hash-key-file", "wrong"]].concat();
    lab.run(&wrong).fails(3, "not the one of the store that made the pack");
    assert_eq!(std::fs::read(lab.path("copy.db")).unwrap(), before);
    let state = |name: &str| {
        let args = ["snapshot", "copy.db", "--ref", name, "--json"];
        with_key(&lab, &args).ok().json()["state"].clone()
    };
    with_key(&lab, &[&apply[..], &["--verify-full"]].concat()).ok();
    assert_eq!(state("there"), dev);
    let again = with_key(&lab, &[&apply[..], &["--json"]].concat()).ok().json();
    assert_eq!(again["outcome"], "already_applied", "the receipt is known");
    with_key(&lab, &[&apply[..], &["--rollback"]].concat()).ok();
    assert_eq!(state("back"), prod);
    with_key(&lab, &["restore", "prod", "--to", "new.db"]).ok();
    with_key(&lab, &["gc"]).ok();
    with_key(&lab, &["verify", "--full"]).ok();
}

#[test]
fn packs_of_a_keyed_store_on_servers() {
    for server in [servers::postgres(), servers::mariadb()] {
        let lab = keyed();
        let script = "CREATE TABLE person(id int PRIMARY KEY, pin int);
            INSERT INTO person VALUES (1, 1234), (2, 4321);";
        let [a, b] = [server.database(""), server.database("")];
        a.sql(script);
        b.sql(&format!(
            "{script} UPDATE person SET pin = 5 WHERE id = 1; DELETE FROM person WHERE id = 2;"
        ));
        let state = |url: &str, name: &str| {
            let args = ["snapshot", url, "--ref", name, "--json"];
            with_key(&lab, &args).ok().json()["state"].clone()
        };
        let (before, after) = (state(&a.url(), "a"), state(&b.url(), "b"));
        with_key(&lab, &["pack", "a", "b", "-o", "change", "--allow", "all"]).ok();
        let url = a.url();
        let apply = ["apply", "change", "--to", &url];
        std::fs::write(lab.path("wrong"), [8u8; 32]).unwrap();
        lab.run(&[&apply[..], &["--hash-key-file", "wrong"]].concat()).fails(3, "not the one");
        with_key(&lab, &apply).ok();
        assert_eq!(state(&url, "now"), after);
        with_key(&lab, &[&apply[..], &["--rollback"]].concat()).ok();
        assert_eq!(state(&url, "now"), before);
    }
}
