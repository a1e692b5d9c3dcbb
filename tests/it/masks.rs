//! Masks on SQLite, through the binary: the values of masked columns are read by nothing, stored
//! nowhere, written by nothing, and lost by nothing. (Servers: `masks_servers`.)

use crate::lab::{Lab, dump, lab};

const TABLE: &str =
    "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, ssn TEXT DEFAULT '-', age INT);";
const ROWS: &str = "INSERT INTO person VALUES(1,'ann','secret-111',30),(2,'bob','secret-222',40),
    (3,'cyd','secret-333',50);";
const CHANGE: &str = "UPDATE person SET age=41, ssn='secret-other' WHERE id=2;
    INSERT INTO person VALUES(4,'dan','secret-444',60);";

fn masked(mask: &str, prod: &str, dev: &str) -> Lab {
    let lab = lab(prod, dev);
    configure(&lab, mask);
    lab
}

fn configure(lab: &Lab, mask: &str) {
    std::fs::write(lab.path("deepdiff.toml"), format!("mask = [{mask}]\n")).unwrap();
}

fn people(change: &str) -> Lab {
    let prod = format!("{TABLE}{ROWS}");
    masked("'person.ssn'", &prod, &format!("{prod}{change}"))
}

#[test]
fn masked_values_are_in_no_file_and_in_no_output() {
    let lab = people(CHANGE);
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab.run(&["pack", "prod", "dev", "-o", "change"]).ok();
    for folder in [".deepdiff", "change"] {
        for entry in walkdir::WalkDir::new(lab.path(folder)) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                let is_there = bytes.windows(6).any(|window| window == b"secret");
                assert!(!is_there, "{}", entry.path().display());
            }
        }
    }
    let said = lab.run(&["cat", "person", "--at", "prod"]).ok().stdout;
    assert!(said.contains("ann") && !said.contains("ssn"), "{said}");
    let diff = lab.run(&["diff", "prod", "dev"]).stdout;
    assert!(diff.contains("age") && !diff.contains("ssn"), "{diff}");
    let shown = lab.run(&["show", "prod"]).ok().stdout;
    assert!(shown.contains("masked column") && shown.contains("person.ssn"), "{shown}");
    assert!(lab.run(&["check", "prod.db"]).ok().stdout.contains("masked column"));
    lab.run(&["verify", "--full"]).ok();
}

#[test]
fn only_a_masked_column_differs_so_the_states_are_equal() {
    let lab = people("UPDATE person SET ssn='secret-other';");
    assert_eq!(lab.snapshot("prod.db", "prod"), lab.snapshot("dev.db", "dev"));
    lab.run(&["diff", "prod", "dev"]).ok();
}

#[test]
fn the_mask_is_part_of_the_state() {
    let lab = people("");
    let hidden = lab.snapshot("prod.db", "hidden");
    configure(&lab, "");
    let open = lab.snapshot("prod.db", "open");
    assert_ne!(hidden, open);
    lab.run(&["diff", "hidden", "open"]).fails(5, "different masks");
    lab.run(&["pack", "hidden", "open", "-o", "change"]).fails(5, "different masks");
    lab.run(&["diff", "hidden", "prod.db"]).fails(5, "different masks");
    configure(&lab, "'*.SSN', 'PERSON.s*'");
    assert_ne!(lab.snapshot("prod.db", "otherwise"), hidden, "the rules themselves count");
}

#[test]
fn a_pack_leaves_masked_values_where_they_are() {
    let lab = people(CHANGE);
    let prod = lab.snapshot("prod.db", "prod");
    let dev = lab.snapshot("dev.db", "dev");
    let summary = lab.run(&["pack", "prod", "dev", "-o", "change"]).ok().stdout;
    assert!(summary.contains("masked"), "{summary}");
    let before = dump(&lab.path("prod.db"));
    let apply = ["apply", "change", "--to", "prod.db"];
    lab.run(&[&apply[..], &["--verify-full"]].concat()).ok();
    assert_eq!(lab.snapshot("prod.db", "now"), dev);
    let held = lab.sql("prod.db", "SELECT id, ssn, age FROM person ORDER BY id;");
    assert_eq!(held, "1|secret-111|30\n2|secret-222|41\n3|secret-333|50\n4|-|60\n");
    // Somebody writes the masked column meanwhile: the guards do not look at it.
    lab.sql("prod.db", "UPDATE person SET ssn='secret-new' WHERE id=2;");
    lab.run(&[&apply[..], &["--rollback"]].concat()).ok();
    assert_eq!(lab.snapshot("prod.db", "now"), prod);
    lab.sql("prod.db", "UPDATE person SET ssn='secret-222' WHERE id=2;");
    assert_eq!(dump(&lab.path("prod.db")), before);
}

#[test]
fn deletes_are_refused_because_nothing_brings_the_value_back() {
    let lab = people("DELETE FROM person WHERE id=3; UPDATE person SET age=1 WHERE id=1;");
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let pack = ["pack", "prod", "dev", "-o", "change"];
    let allowed = [&pack[..], &["--allow", "delete-rows,large-delete"]].concat();
    lab.run(&allowed).fails(4, "masked column ssn");
    // What is not allowed is left out, as ever; and a strategy may say so.
    lab.run(&pack).ok();
    std::fs::remove_dir_all(lab.path("change")).unwrap();
    lab.run(&[&allowed[..], &["--changes", "person=insert,update"]].concat()).ok();
    lab.run(&["apply", "change", "--to", "prod.db"]).ok();
    assert_eq!(lab.sql("prod.db", "SELECT count(*), max(ssn) FROM person;"), "3|secret-333\n");
    // A row with another key is one that goes and one that comes.
    let lab = people("UPDATE person SET id=9 WHERE id=3;");
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab.run(&allowed).fails(4, "masked column ssn");
}

#[test]
fn inserts_that_need_a_masked_value_are_refused_by_name() {
    let table = TABLE.replace("ssn TEXT DEFAULT '-'", "ssn TEXT NOT NULL CHECK (ssn LIKE 's%')");
    let prod = format!("{table}{ROWS}");
    let update = "UPDATE person SET age=41 WHERE id=2;";
    let insert = "INSERT INTO person VALUES(4,'dan','secret-444',60);";
    let lab = masked("'person.ssn'", &prod, &format!("{prod}{update}{insert}"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let pack = ["pack", "prod", "dev", "-o", "change"];
    lab.run(&pack).fails(4, "person.ssn");
    lab.run(&["restore", "prod", "--to", "new.db"]).fails(4, "person.ssn");
    assert!(!lab.path("new.db").exists());
    // Updates alone are proved on a copy where something stands in for what nobody knows.
    lab.run(&[&pack[..], &["--changes", "person=update"]].concat()).ok();
    lab.run(&["apply", "change", "--to", "prod.db"]).ok();
    let held = lab.sql("prod.db", "SELECT ssn, age FROM person WHERE id=2;");
    assert_eq!(held, "secret-222|41\n");
    lab.run(&["apply", "change", "--to", "prod.db", "--rollback"]).ok();
}

#[test]
fn a_restore_says_what_it_could_not_bring_back() {
    let lab = people("");
    let prod = lab.snapshot("prod.db", "prod");
    let said = lab.run(&["restore", "prod", "--to", "new.db"]).ok().stdout;
    assert!(said.contains("masked") && said.contains("person.ssn"), "{said}");
    assert_eq!(lab.snapshot("new.db", "new"), prod);
    assert_eq!(lab.sql("new.db", "SELECT DISTINCT ssn FROM person;"), "-\n");
}

#[test]
fn keys_are_never_masked() {
    let lab = people("");
    for mask in ["'person.id'", "'person.*'", "'*.id'"] {
        configure(&lab, mask);
        let refused = lab.run(&["snapshot", "prod.db", "--ref", "prod"]);
        refused.fails(2, "`id`, which identifies its rows");
    }
    lab.sql("prod.db", "CREATE TABLE plain(a INT, b INT); CREATE TABLE coded(code TEXT, v INT);");
    configure(&lab, "'plain.*'");
    lab.run(&["snapshot", "prod.db", "--ref", "prod"]).fails(2, "no column is left");
    let both = "mask = ['coded.code']\n[keys]\ncoded = ['code']\n";
    std::fs::write(lab.path("deepdiff.toml"), both).unwrap();
    lab.run(&["snapshot", "prod.db", "--ref", "prod"]).fails(2, "`code`");
    configure(&lab, "'ssn'");
    lab.run(&["snapshot", "prod.db", "--ref", "prod"]).fails(2, "TABLE.COLUMN");
    configure(&lab, "'person.snn'");
    let said = lab.run(&["snapshot", "prod.db", "--ref", "prod"]).ok();
    assert!(said.stderr.contains("no column matches `person.snn`"), "{}", said.stderr);
}

#[test]
fn a_table_is_rebuilt_around_its_masked_values() {
    let dev = format!("{}{ROWS}", TABLE.replace("age INT", "age INT CHECK (age > 0)"));
    let prod = format!("{TABLE}{ROWS}");
    let lab = masked("'person.ssn'", &prod, &dev);
    lab.snapshot("prod.db", "prod");
    let dev_state = lab.snapshot("dev.db", "dev");
    lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]).ok();
    let before = dump(&lab.path("prod.db"));
    lab.run(&["apply", "change", "--to", "prod.db"]).ok();
    assert_eq!(lab.snapshot("prod.db", "now"), dev_state);
    assert_eq!(dump(&lab.path("prod.db")), before, "masked values are copied within the database");
    lab.run(&["apply", "change", "--to", "prod.db", "--rollback"]).ok();
    assert_eq!(dump(&lab.path("prod.db")), before);
    // Rows that change would leave the table meanwhile.
    lab.sql("dev.db", "UPDATE person SET age=77 WHERE id=1;");
    lab.snapshot("dev.db", "dev");
    let again = ["pack", "prod", "dev", "-o", "again", "--allow", "all"];
    lab.run(&again).fails(4, "leave the table for a while");
    assert!(!lab.path("again").exists());
}

#[test]
fn what_would_destroy_masked_values_is_refused() {
    let prod = format!("{TABLE}{ROWS}CREATE TABLE other(id INTEGER PRIMARY KEY);");
    for (change, word) in [
        ("ALTER TABLE person DROP COLUMN ssn;", "person.ssn"),
        ("DROP TABLE person;", "is dropped"),
        ("ALTER TABLE person RENAME COLUMN ssn TO tax;", "person.ssn"),
    ] {
        let lab = masked("'person.ssn'", &prod, &format!("{prod}{change}"));
        lab.snapshot("prod.db", "prod");
        lab.snapshot("dev.db", "dev");
        lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]).fails(4, word);
        assert!(!lab.path("change").exists());
    }
    let lab = masked("'person.ssn'", &prod, &format!("{prod}ALTER TABLE person RENAME TO people;"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let pack = ["pack", "prod", "dev", "-o", "change", "--allow", "all", "--rename"];
    lab.run(&[&pack[..], &["person=people"]].concat()).fails(4, "masks go by names");
}

#[test]
fn a_keyless_table_with_a_masked_column_is_compared_and_not_packed() {
    let table = "CREATE TABLE log(line TEXT, who TEXT);";
    let prod =
        format!("{table}INSERT INTO log VALUES('a','secret-1'),('a','secret-2'),('b','secret-3');");
    let lab = masked("'log.who'", &prod, &format!("{prod}INSERT INTO log VALUES('a','secret-4');"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    assert_eq!(Lab::counts(&lab.diff("prod", "dev"), "log"), (1, 0, 0));
    lab.run(&["pack", "prod", "dev", "-o", "change"]).fails(4, "rows without a key");
}

/// SQLite lets a primary key hold NULL unless it says otherwise.
#[test]
fn a_key_that_may_be_null_is_a_key_where_it_is_not() {
    let table = "CREATE TABLE t(code TEXT PRIMARY KEY, v INT, s TEXT);";
    let prod = format!("{table}INSERT INTO t VALUES('a',1,'secret-1'),(NULL,2,'secret-2');");
    for (change, is_refused) in [
        ("UPDATE t SET v=9 WHERE code='a'; INSERT INTO t VALUES('b',3,'secret-3');", false),
        ("INSERT INTO t VALUES(NULL,3,'secret-3');", true),
        ("UPDATE t SET v=9 WHERE code IS NULL;", true),
    ] {
        let lab = masked("'t.s'", &prod, &format!("{prod}{change}"));
        lab.snapshot("prod.db", "prod");
        lab.snapshot("dev.db", "dev");
        let pack = lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]);
        if is_refused {
            pack.fails(4, "rows without a key");
        } else {
            pack.ok();
            lab.run(&["apply", "change", "--to", "prod.db"]).ok();
            assert_eq!(lab.sql("prod.db", "SELECT s FROM t WHERE code='a';"), "secret-1\n");
        }
    }
}

#[test]
fn a_unique_clash_that_needs_a_row_away_is_refused() {
    let table = "CREATE TABLE place(id INTEGER PRIMARY KEY, n INT NOT NULL UNIQUE CHECK (n IN (1,2)), s TEXT);";
    let prod = format!("{table}INSERT INTO place VALUES(1,1,'secret-1'),(2,2,'secret-2');");
    let dev = format!("{table}INSERT INTO place VALUES(1,2,'secret-1'),(2,1,'secret-2');");
    let lab = masked("'place.s'", &prod, &dev);
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab.run(&["pack", "prod", "dev", "-o", "change"]).fails(4, "leave the table for a while");
}
