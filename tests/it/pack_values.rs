//! Large values in packs: kept in files beside the SQL, bound, and never believed unhashed.

use std::path::PathBuf;

use deepdiff_db::apply::{self, ApplyError, Ending, Held, Options};
use deepdiff_db::engine::Target;
use deepdiff_db::engine::sqlite::{OpenOptions, SqliteTarget};
use deepdiff_db::fsio::RealFs;
use deepdiff_db::pack::{Consent, Pack, PackError};

use crate::lab::{dump, sqlite3};
use crate::pack_lab::{PackLab, wait};

/// A blob of some MiB that is not all the same.
fn blob(mebibytes: usize, seed: usize) -> String {
    format!("CAST(replace(hex(zeroblob({})), '00', 'ab{seed}d') AS BLOB)", mebibytes << 18)
}

fn values(lab: &PackLab) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(lab.path("change").join("values")) else { return vec![] };
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn sql(lab: &PackLab, way: &str) -> String {
    std::fs::read_to_string(lab.path("change").join(way)).unwrap()
}

fn scene() -> PackLab {
    let prod = format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v);
         INSERT INTO t VALUES (1,'a',{}),(2,'b',{}),(3,'c',{}),(4,'d',x'00')",
        blob(2, 1),
        blob(3, 2),
        blob(2, 3),
    );
    let change = format!(
        "UPDATE t SET v = CAST(v AS TEXT) || 'é' WHERE id=1; UPDATE t SET name='B' WHERE id=2;
         DELETE FROM t WHERE id=3; INSERT INTO t VALUES (5,'e',{});",
        blob(4, 5)
    );
    PackLab::changed(&prod, &change)
}

#[test]
fn large_values_are_inserted_updated_deleted_and_come_back() {
    let lab = scene();
    let manifest = lab.converges();
    // Both sides of the update, the deleted one, the inserted one; the one that stays is in none.
    assert_eq!(manifest.values.len(), 4);
    assert_eq!(values(&lab).len(), 4);
    let migration = sql(&lab, "migration.sql");
    assert!(migration.len() < 10_000, "{} bytes", migration.len());
    for line in &manifest.values {
        let file = format!("values/{}", line.digest);
        let is_named = migration.contains(&file) || sql(&lab, "rollback.sql").contains(&file);
        assert!(is_named, "{file}");
    }
    assert!(migration.contains("?1 /* text of "), "{migration}");
    assert!(migration.contains("octet_length(\"v\") IS 3145728"), "{migration}");
}

#[test]
fn large_text_converges_in_utf_8_and_utf_16() {
    for encoding in ["UTF-8", "UTF-16be"] {
        let text = |seed: &str| {
            format!("'x' || char(65279) || replace(hex(zeroblob(155000)), '00', 'é{seed}😀')")
        };
        // Text that is none: bytes that the encoding does not know.
        let broken = "CAST(replace(hex(zeroblob(530001)), '00', 'ab') || x'd8d8' AS TEXT)";
        let prod = format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
             INSERT INTO t VALUES (1,{}),(2,{broken}),(3,'x')",
            text("1")
        );
        let change = format!(
            "UPDATE t SET v = {} WHERE id=1; DELETE FROM t WHERE id=2;
             UPDATE t SET v = {broken} || 'y' WHERE id=3;",
            text("2")
        );
        let manifest = PackLab::changed(&prod, &change).converges();
        assert_eq!(manifest.values.len(), 4, "{encoding}");
    }
}

#[test]
fn equal_rows_with_large_values_are_counted() {
    let prod = format!(
        "CREATE TABLE t(a TEXT, v BLOB); INSERT INTO t VALUES ('a',{0}),('a',{0}),('b',{0})",
        blob(2, 1)
    );
    let change = format!(
        "DELETE FROM t WHERE rowid=1; INSERT INTO t VALUES ('c',{0}),('c',{0});",
        blob(2, 2)
    );
    let manifest = PackLab::changed(&prod, &change).converges();
    assert_eq!(manifest.values.len(), 2);
}

#[test]
fn a_large_value_under_a_unique_key_stays_in_the_statement() {
    let prod = format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO t VALUES (1,{}),(2,'b')",
        blob(2, 1).replace("AS BLOB", "AS TEXT")
    );
    let swap = "CREATE TEMP TABLE s AS SELECT * FROM t; UPDATE t SET v = NULL;
        UPDATE t SET v = (SELECT v FROM s WHERE s.id = 3 - t.id); DROP TABLE s;";
    let manifest = PackLab::changed(&prod, swap).converges();
    assert!(manifest.values.is_empty());
}

#[test]
fn a_large_value_that_is_left_out_is_not_kept() {
    let lab = scene();
    let manifest = lab.pack("change", &Consent::default()).unwrap();
    assert_eq!(manifest.values.len(), 3, "the value of the row that stays is in no file");
    lab.applies_and_rolls_back();
}

#[test]
fn an_edited_or_missing_value_is_refused() {
    let lab = scene();
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    let before = dump(&lab.path("copy.db"));
    for file in values(&lab) {
        let bytes = std::fs::read(&file).unwrap();
        let mut edited = bytes.clone();
        edited[1 << 20] ^= 1;
        std::fs::write(&file, &edited).unwrap();
        let error = lab.try_apply("change", "copy.db", |_| {}).unwrap_err();
        assert!(matches!(error, ApplyError::Pack(PackError::Edited { .. })), "{error}");
        std::fs::remove_file(&file).unwrap();
        let error = lab.try_apply("change", "copy.db", |_| {}).unwrap_err();
        assert!(matches!(error, ApplyError::Pack(PackError::Edited { .. })), "{error}");
        assert_eq!(dump(&lab.path("copy.db")), before);
        std::fs::write(&file, &bytes).unwrap();
    }
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
}

#[test]
fn a_value_that_is_edited_after_the_pack_was_opened_is_refused() {
    let lab = scene();
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    let before = dump(&lab.path("copy.db"));
    let pack = Pack::open(&RealFs, &lab.path("change")).unwrap();
    for file in values(&lab) {
        std::fs::write(&file, "something else").unwrap();
    }
    let error = wait(async {
        let opened = SqliteTarget::open(&lab.path("copy.db"), &OpenOptions::default()).await;
        let mut target = Target::Sqlite(opened.unwrap());
        let outcome = {
            let mut session = target.session().await.unwrap();
            let mut options = Options::new("2026-01-01T00:00:00Z");
            options.accepts_target = true;
            let held = Held { session: &mut session, identity: "copy" };
            apply::apply(held, &RealFs, &pack, &lab.hasher(), &options, None)
        };
        target.close().await.unwrap();
        outcome.unwrap_err()
    });
    assert!(matches!(error, ApplyError::Pack(PackError::Edited { .. })), "{error}");
    assert_eq!(dump(&lab.path("copy.db")), before);
}

#[test]
fn a_large_value_that_drifted_is_found_byte_by_byte() {
    let lab = scene();
    // Same class, same length: the guard of the SQL would not see it.
    let outcome = lab.refused_after(
        "UPDATE t SET v = CAST(substr(v, 1, 99) || x'ee' || substr(v, 101) AS BLOB) WHERE id=3;",
    );
    assert_eq!(outcome.outcome, Ending::Refused);
    assert_eq!(outcome.drifted, 1);
    assert!(outcome.drift[0].found.len() < 500, "{}", outcome.drift[0].found.len());
    sqlite3(&lab.path("copy.db"), "SELECT 1");
}
