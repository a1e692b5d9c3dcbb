//! Bad input: an error that names the object and the cause, the exit code of its kind, and
//! nothing lost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::lab::{Lab, lab};

const SHOP: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
    INSERT INTO t VALUES(1,'a'),(2,'b');";

fn object_file(lab: &Lab) -> PathBuf {
    let objects = fs::read_dir(lab.path(".deepdiff/objects")).unwrap();
    objects
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "objs"))
        .unwrap()
}

#[test]
fn a_wrong_path() {
    let lab = Lab::new();
    lab.run(&["snapshot", "nowhere.db", "--ref", "x"]).fails(3, "nowhere.db");
    assert!(!lab.path("nowhere.db").exists());
    lab.run(&["snapshot", "sqlite:no/where.db", "--ref", "x"]).fails(3, "no/where.db");
}

#[test]
fn a_file_that_is_not_a_database() {
    let lab = Lab::new();
    fs::write(lab.path("text.db"), "this is not a database, but long enough to be one".repeat(40))
        .unwrap();
    lab.run(&["snapshot", "text.db", "--ref", "x"]).fails(3, "text.db");
    lab.run(&["check", "text.db"]).fails(3, "not a SQLite database");
}

#[test]
fn no_store() {
    let lab = Lab::new();
    fs::remove_dir_all(lab.path(".deepdiff")).unwrap();
    lab.run(&["log"]).fails(3, "init");
    lab.run(&["--store", "elsewhere", "log"]).fails(3, "elsewhere");
}

#[test]
fn init_twice() {
    let lab = Lab::new();
    lab.run(&["init"]).fails(3, ".deepdiff");
}

#[test]
fn a_store_of_a_newer_version() {
    let lab = lab(SHOP, SHOP);
    lab.snapshot("prod.db", "prod");
    let format = lab.path(".deepdiff/format");
    let text = fs::read_to_string(&format).unwrap();
    let newer = text.replacen('1', "99", 1);
    assert_ne!(text, newer);
    fs::set_permissions(&format, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&format, newer).unwrap();
    lab.run(&["log"]).fails(3, "version 99");
    fs::write(&format, text).unwrap();
    lab.run(&["log"]).ok();
}

#[test]
fn a_damaged_object_file() {
    let lab = lab(SHOP, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);");
    lab.snapshot("prod.db", "prod");
    let path = object_file(&lab);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, bytes).unwrap();
    let verdict = lab.run(&["verify", "--json"]);
    assert_eq!(verdict.code, 1, "{}", verdict.stderr);
    assert_eq!(verdict.json()["outcome"], "damaged");
    // What is lost is named once.
    let said = lab.run(&["repair"]).stdout;
    let mut named: Vec<&str> = said
        .split("object ")
        .skip(1)
        .filter_map(|rest| rest.get(..12))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    assert!(!named.is_empty(), "{said}");
    let count = named.len();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), count, "{said}");
    // The next snapshot of unchanged data heals the store.
    lab.snapshot("prod.db", "prod");
    lab.run(&["verify"]).ok();
    lab.run(&["cat", "t", "--at", "prod"]).ok();
}

#[test]
fn unknown_names() {
    let lab = lab(SHOP, SHOP);
    lab.snapshot("prod.db", "prod");
    lab.run(&["diff", "prod", "nothing"]).fails(2, "nothing");
    lab.run(&["cat", "nothing", "--at", "prod"]).fails(2, "nothing");
    lab.run(&["diff", "prod", "prod", "--table", "nothing"]).fails(2, "nothing");
    lab.run(&["diff", "prod~7", "prod"]).fails(2, "prod~7");
    lab.run(&["diff", "prod@1999-01-01", "prod"]).fails(2, "1999");
    lab.run(&["ref", "--delete", "nothing"]).fails(2, "nothing");
    lab.run(&["frobnicate"]).fails(2, "frobnicate");
}

#[test]
fn an_ambiguous_id() {
    let lab = lab(SHOP, SHOP);
    // Snapshots until two ids begin with the same four digits would take hours; the empty
    // prefix of every id is too short instead, and says so.
    lab.snapshot("prod.db", "prod");
    lab.run(&["show", "abc"]).fails(2, "abc");
}

#[test]
fn a_url_needs_a_ref() {
    let lab = lab(SHOP, SHOP);
    lab.run(&["snapshot", "sqlite:prod.db"]).fails(2, "--ref");
    lab.run(&["snapshot", "prod.db", "--ref", "../x"]).fails(2, "../x");
    lab.run(&["snapshot", "oracle://localhost/x", "--ref", "x"]).fails(2, "oracle");
}

#[test]
fn a_pack_into_a_folder_that_exists() {
    let lab = lab(SHOP, SHOP);
    lab.snapshot("prod.db", "prod");
    fs::create_dir(lab.path("there")).unwrap();
    fs::write(lab.path("there/precious"), "x").unwrap();
    lab.run(&["pack", "prod", "prod", "-o", "there"]).fails(2, "there");
    assert!(lab.path("there/precious").exists());
}

#[test]
fn a_folder_that_is_no_pack() {
    let lab = Lab::new();
    lab.sql("prod.db", "CREATE TABLE t(id INTEGER PRIMARY KEY);");
    for folder in [".", "nowhere"] {
        let refused = lab.run(&["apply", folder, "--to", "prod.db"]).fails(3, "is no pack");
        assert!(refused.stderr.contains("pack A B -o"), "{}", refused.stderr);
    }
}

#[test]
fn an_edited_pack() {
    let lab = lab(SHOP, &SHOP.replace("'b'", "'c'"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]).ok();
    let before = fs::read(lab.path("prod.db")).unwrap();
    for entry in fs::read_dir(lab.path("change")).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for position in (0..whole.len()).step_by(whole.len() / 60 + 1) {
            let mut edited = whole.clone();
            edited[position] ^= 1;
            fs::write(&path, edited).unwrap();
            let run = lab.run(&["apply", "change", "--to", "prod.db"]);
            assert_eq!(run.code, 4, "{path:?} at {position}: {}{}", run.stdout, run.stderr);
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(fs::read(lab.path("prod.db")).unwrap(), before);
    lab.run(&["apply", "change", "--to", "prod.db"]).ok();
}

#[test]
fn a_pack_for_another_target() {
    let lab = lab(SHOP, &SHOP.replace("'b'", "'c'"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]).ok();
    fs::copy(lab.path("prod.db"), lab.path("other.db")).unwrap();
    lab.run(&["apply", "change", "--to", "other.db"]).fails(4, "--accept-target");
    lab.run(&["apply", "change", "--to", "other.db", "--accept-target"]).ok();
}

#[test]
fn a_target_that_drifted() {
    let lab = lab(SHOP, &SHOP.replace("'b'", "'c'"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]).ok();
    lab.sql("prod.db", "UPDATE t SET v = 'prod moved on' WHERE id = 2;");
    let run = lab.run(&["apply", "change", "--to", "prod.db", "--json"]);
    assert_eq!(run.code, 4);
    let outcome = run.json();
    assert_eq!(outcome["outcome"], "refused");
    assert_eq!(outcome["drift"].as_array().unwrap().len(), 1, "{outcome}");
    assert_eq!(lab.sql("prod.db", "SELECT v FROM t WHERE id = 2;"), "prod moved on\n");
}

#[test]
fn a_full_disk() {
    // A small file system of its own needs the right to mount; where that is missing the
    // process limit on file size stands in for it.
    let lab = lab(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)
         INSERT INTO t SELECT i, randomblob(1000) FROM n;",
        SHOP,
    );
    let state = lab.snapshot("dev.db", "dev");
    fs::create_dir(lab.path("small")).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(lab.path("small"))
        .output()
        .is_ok_and(|output| output.status.success());
    if mounted {
        lab.run(&["init", "small"]).ok();
        let run = lab.run(&["--store", "small/.deepdiff", "snapshot", "prod.db", "--ref", "prod"]);
        let verify = lab.run(&["--store", "small/.deepdiff", "verify"]);
        let again = lab.run(&["--store", "small/.deepdiff", "snapshot", "dev.db", "--ref", "dev"]);
        std::process::Command::new("umount").arg(lab.path("small")).status().unwrap();
        run.fails(3, "space");
        verify.ok();
        again.ok();
    } else {
        let script = format!(
            "ulimit -f 1000; trap '' XFSZ; exec {} snapshot prod.db --ref prod",
            env!("CARGO_BIN_EXE_deepdiff-db")
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .current_dir(lab.path(""))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    }
    lab.run(&["verify"]).ok();
    assert_eq!(lab.snapshot("dev.db", "dev"), state);
}

#[test]
fn a_read_only_directory() {
    let lab = lab(SHOP, SHOP);
    lab.snapshot("prod.db", "prod");
    if rustix_is_root() {
        eprintln!("permissions do not bind the superuser: only reading is checked");
    }
    let objects = lab.path(".deepdiff");
    fs::set_permissions(&objects, fs::Permissions::from_mode(0o500)).unwrap();
    lab.run(&["log"]).ok();
    lab.run(&["diff", "prod", "prod"]).ok();
    if !rustix_is_root() {
        lab.run(&["ref", "other", "prod"]).fails(3, ".deepdiff");
    }
    fs::set_permissions(&objects, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Nobody may make a file there, not even the superuser.
#[test]
fn a_folder_that_takes_no_database() {
    let lab = lab(SHOP, SHOP);
    lab.snapshot("prod.db", "prod");
    lab.run(&["restore", "prod", "--to", "/proc/x.db"]).fails(3, "its folder cannot be written");
}

fn rustix_is_root() -> bool {
    // Whoever owns a folder made by this process.
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(tempfile::tempdir().unwrap().path()).unwrap().uid() == 0
}

#[test]
fn configuration_with_an_unknown_key() {
    let lab = Lab::new();
    fs::write(lab.path("deepdiff.toml"), "[sources.prod]\nurl = 'sqlite:prod.db'\npasword = 'x'\n")
        .unwrap();
    lab.run(&["log"]).fails(2, "pasword");
}
