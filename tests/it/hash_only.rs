//! Hash-only snapshots through the binary: the same ids, the rows that differ named, no values
//! anywhere, and every command either works or says what to do.

use crate::lab::{Lab, lab};

const PROD: &str = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price INT);
    INSERT INTO item VALUES(1,'confidential pot',10),(2,'confidential cup',20),(3,'pan',30);
    CREATE TABLE log(line TEXT); INSERT INTO log VALUES('x'),('x');";
const DEV: &str = "UPDATE item SET name='mug' WHERE id=2; DELETE FROM item WHERE id=3;
    INSERT INTO item VALUES(4,'jar',40); INSERT INTO log VALUES('y');";

fn scene() -> Lab {
    lab(PROD, &format!("{PROD}{DEV}"))
}

fn take(lab: &Lab, name: &str, reference: &str, more: &[&str]) -> String {
    let db = format!("{name}.db");
    let args = [&["snapshot", &db, "--ref", reference, "--json"], more].concat();
    lab.run(&args).ok().json()["state"].as_str().unwrap().to_owned()
}

#[test]
fn the_state_is_that_of_a_full_snapshot() {
    let lab = scene();
    let full = take(&lab, "prod", "full", &[]);
    assert_eq!(take(&lab, "prod", "hashes", &["--hash-only"]), full);
    lab.run(&["diff", "full", "hashes"]).ok();
    let other = scene();
    assert_eq!(take(&other, "prod", "first", &["--hash-only"]), full, "in either order");
}

#[test]
fn no_block_of_values_is_stored() {
    let rows = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO item SELECT i, 'confidential ' || (i % 7), i FROM n;";
    let table = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price INT);";
    let other = lab(&format!("{table}{rows}"), "");
    take(&other, "prod", "first", &["--hash-only"]);
    for entry in walkdir::WalkDir::new(other.path(".deepdiff/objects")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(12).any(|window| window == b"confidential"));
        }
    }
}

#[test]
fn differences_name_rows_and_no_values() {
    for (left, right) in [(true, true), (true, false), (false, true)] {
        let lab = scene();
        for (name, is_hashed) in [("prod", left), ("dev", right)] {
            take(&lab, name, name, if is_hashed { &["--hash-only"] } else { &[] });
        }
        let diff = lab.diff("prod", "dev");
        assert_eq!(Lab::counts(&diff, "item"), (1, 1, 1), "{left} {right}");
        assert_eq!(Lab::counts(&diff, "log"), (1, 0, 0), "{left} {right}");
        assert_eq!(
            (&diff["from"]["hash_only"], &diff["to"]["hash_only"]),
            (&left.into(), &right.into())
        );
        let text = lab.run(&["diff", "prod", "dev"]).stdout;
        for row in ["~ id=2", "+ id=4", "- id=3", "not known"] {
            assert!(text.contains(row), "{row} in {text}");
        }
        assert!(lab.run(&["diff", "prod", "dev", "--stat"]).stdout.contains("1 row updated"));
        let lines = lab.run(&["diff", "prod", "dev", "--format", "jsonl"]);
        assert!(lines.stdout.contains(r#""key":{"id":2},"values":"unknown""#), "{}", lines.stdout);
        assert_eq!(lab.run(&["diff", "prod", "dev", "--format", "markdown"]).code, 1);
        let page = lab.run(&["diff", "prod", "dev", "--format", "html"]);
        assert!(page.code == 1 && page.stdout.contains("hash_only\":true"));
        lab.run(&["diff", "prod", "dev", "--format", "sql"]).fails(5, "--hash-only");
        // Whether the price changed nobody knows: no answer is better than a wrong one.
        lab.run(&["diff", "prod", "dev", "--columns", "price"]).fails(5, "--columns");
    }
}

#[test]
fn what_needs_values_is_refused_by_name() {
    let lab = scene();
    take(&lab, "prod", "prod", &["--hash-only"]);
    take(&lab, "dev", "dev", &[]);
    lab.run(&["cat", "item", "--at", "prod"]).fails(5, "--hash-only");
    lab.run(&["cat", "item", "2", "--at", "prod"]).fails(5, "--hash-only");
    lab.run(&["restore", "prod", "--to", "new.db"]).fails(3, "--hash-only");
    lab.run(&["pack", "prod", "dev", "-o", "change"]).fails(4, "--hash-only");
    lab.run(&["pack", "dev", "prod", "-o", "change"]).fails(4, "--hash-only");
    assert!(!lab.path("new.db").exists() && !lab.path("change").exists());
    assert!(lab.run(&["show", "prod"]).ok().stdout.contains("keys and row hashes only"));
    assert_eq!(lab.run(&["show", "prod", "--json"]).ok().json()["hash_only"], true);
    lab.run(&["ls", "prod"]).ok();
    lab.run(&["log"]).ok();
    lab.run(&["verify", "--full"]).ok();
    lab.run(&["repair"]).ok();
}

#[test]
fn a_full_snapshot_after_it_stores_the_values_and_gc_keeps_each_its_own() {
    let lab = scene();
    take(&lab, "prod", "prod", &["--hash-only"]);
    take(&lab, "prod", "prod", &[]);
    assert!(
        lab.run(&["cat", "item", "2", "--at", "prod"]).ok().stdout.contains("confidential cup")
    );
    take(&lab, "prod", "later", &["--hash-only"]);
    let collect = ["gc", "--log-days", "0", "--grace-days", "0"];
    lab.run(&collect).ok();
    lab.run(&["verify", "--full"]).ok();
    lab.run(&["cat", "item", "2", "--at", "prod"]).ok();
    lab.run(&["restore", "prod", "--to", "new.db"]).ok();
    // Without the full one, its values go, and the hashes stay.
    lab.run(&["ref", "--delete", "prod"]).ok();
    lab.run(&collect).ok();
    lab.run(&collect).ok();
    lab.run(&["verify", "--full"]).ok();
    lab.run(&["cat", "item", "--at", "later"]).fails(5, "--hash-only");
    take(&lab, "dev", "dev", &[]);
    assert_eq!(Lab::counts(&lab.diff("later", "dev"), "item"), (1, 1, 1));
}
