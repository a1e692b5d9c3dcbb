//! One row through snapshots: its changes, who set its cells, and a snapshot beside a live source.

use serde_json::{Value as Json, json};

use crate::lab::Lab;
use crate::servers;

/// Snapshots of a table of some thousand rows, one after each step.
fn scene(steps: &[&str]) -> Lab {
    let lab = Lab::new();
    lab.sql(
        "prod.db",
        "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO item SELECT i, 'name ' || i, i FROM n;
         CREATE TABLE other(id INTEGER PRIMARY KEY);",
    );
    lab.run(&["snapshot", "prod.db", "--ref", "prod", "-m", "0"]).ok();
    for (number, step) in steps.iter().enumerate() {
        lab.sql("prod.db", step);
        let message = (number + 1).to_string();
        lab.run(&["snapshot", "prod.db", "--ref", "prod", "-m", &message]).ok();
    }
    lab
}

fn json(lab: &Lab, words: &[&str]) -> Json {
    lab.run(&[words, &["--json"]].concat()).json()
}

/// The changes of a row as message, word and cells.
fn told(history: &Json) -> Vec<(String, String, Json)> {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let events = history["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| {
            let what = ["cells", "row", "why"].iter().find_map(|name| event.get(name));
            (text(&event["message"]), text(&event["change"]), what.unwrap().clone())
        })
        .collect()
}

fn line(message: &str, change: &str, what: Json) -> (String, String, Json) {
    (message.to_owned(), change.to_owned(), what)
}

#[test]
fn every_change_of_a_row_and_no_other() {
    let lab = scene(&[
        "UPDATE item SET name = 'seven' WHERE id = 7",
        "UPDATE item SET name = 'eight' WHERE id = 8",
        "INSERT INTO other VALUES(1)",
        "DELETE FROM item WHERE id = 7",
        "INSERT INTO item VALUES(7, 'again', 1.5); UPDATE item SET price = 0 WHERE id > 2000",
        "ALTER TABLE item ADD COLUMN note TEXT DEFAULT 'new'",
        "UPDATE item SET note = 'seen', price = 2.5 WHERE id = 7",
    ]);
    let float = |text: &str| json!({ "float": text });
    let history = json(&lab, &["history", "item", "7"]);
    assert_eq!(
        told(&history),
        [
            line(
                "7",
                "update",
                json!({"note": ["new", "seen"], "price": [float("1.5"), float("2.5")]})
            ),
            line("5", "insert", json!({"id": 7, "name": "again", "price": float("1.5")})),
            line("4", "delete", json!({"id": 7, "name": "seven", "price": float("7.0")})),
            line("1", "update", json!({"name": ["name 7", "seven"]})),
            line("0", "first", json!({"id": 7, "name": "name 7", "price": float("7.0")})),
        ]
    );
    assert_eq!((&history["snapshots"], &history["gone"]), (&json!(8), &json!(null)));
    let text = lab.run(&["history", "item", "7", "-n", "2"]).ok().stdout;
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(
        lines,
        ["  ~ note: 'new' → 'seen'", "  ~ price: 1.5 → 2.5", "  + id=7  name='again'  price=1.5"]
    );
    let earlier = json(&lab, &["history", "item", "7", "--ref", "prod~6"]);
    assert_eq!(told(&earlier).len(), 2);
    let blame = json(&lab, &["blame", "item", "7"]);
    let set: Vec<(&Json, &Json, &Json)> = blame["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (&c["column"], &c["message"], &c["certain"]))
        .collect();
    let line = |a: &str, b: &str, c: bool| (json!(a), json!(b), json!(c));
    let expected = [
        line("id", "5", true),
        line("name", "5", true),
        line("note", "7", true),
        line("price", "7", true),
    ];
    assert!(set.into_iter().eq(expected.iter().map(|(a, b, c)| (a, b, c))), "{blame}");
    let text = lab.run(&["blame", "item", "9"]).ok().stdout;
    assert!(text.lines().all(|line| line.contains(" or before  ")), "{text}");
    lab.run(&["blame", "item", "7", "--at", "prod~3"]).fails(1, "no such row");
    lab.run(&["history", "item", "9999"]).fails(1, "no such row in 8 snapshots");
    lab.run(&["history", "items", "7"]).fails(2, "has no table");
    lab.run(&["history", "item", "7", "8"]).fails(2, "the key of item is (id)");
    lab.run(&["snapshot", "prod.db", "--ref", "second"]).ok();
    lab.run(&["history", "item", "7"]).fails(2, "which ref");
}

#[test]
fn tables_and_keys_that_come_and_go() {
    let lab = scene(&[
        "DROP TABLE item",
        "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item VALUES(7, 'x')",
        "DROP TABLE item; CREATE TABLE item(id INTEGER, name TEXT PRIMARY KEY NOT NULL);
         INSERT INTO item VALUES(7, 'x')",
        "DROP TABLE item; CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO item VALUES(7, 'y')",
    ]);
    let why = json!("its rows are identified by (name) there");
    let float = json!({ "float": "7.0" });
    assert_eq!(
        told(&json(&lab, &["history", "item", "7"])),
        [
            line("4", "update", json!({"name": ["x", "y"]})),
            line("3", "unseen", why),
            line("2", "insert", json!({"id": 7, "name": "x"})),
            line("1", "delete", json!({"id": 7, "name": "name 7", "price": float})),
            line("0", "first", json!({"id": 7, "name": "name 7", "price": float})),
        ]
    );
    let gone = json(&lab, &["history", "item", "7", "--at", "prod~3"]);
    assert_eq!(told(&gone)[0].1, "delete", "a table that is gone in the newest is found in others");
    let log = json(&lab, &["log", "prod", "--table", "item"]);
    let rows: Vec<&Json> =
        log["snapshots"].as_array().unwrap().iter().map(|s| &s["table"]["rows"]).collect();
    assert_eq!(json!(rows), json!([[1, 1], [1, 1], [null, 1], [3000, null], [null, 3000]]));
    let other = lab.run(&["log", "--table", "other"]).ok().stdout;
    assert_eq!(other.lines().filter(|line| line.starts_with("snapshot ")).count(), 1, "{other}");
    lab.run(&["log", "--table", "none"]).fails(2, "no snapshot has a table");
}

#[test]
fn what_nobody_looked_at_is_said() {
    let lab = Lab::new();
    lab.sql(
        "prod.db",
        "CREATE TABLE item(id INTEGER PRIMARY KEY, v); INSERT INTO item VALUES(1, 1)",
    );
    let config = |more: &str| {
        let text = format!("{more}[sources.prod]\nurl = \"sqlite:prod.db\"\n");
        std::fs::write(lab.path("deepdiff.toml"), text).unwrap();
    };
    config("");
    lab.run(&["snapshot", "prod", "-m", "0"]).ok();
    config("exclude = [\"item\"]\n");
    let excluded = lab.run(&["snapshot", "prod", "-m", "1"]);
    lab.sql("prod.db", "UPDATE item SET v = 2");
    config("");
    lab.run(&["snapshot", "prod", "-m", "2", "--hash-only"]).ok();
    lab.sql("prod.db", "UPDATE item SET v = 3");
    lab.run(&["snapshot", "prod", "-m", "3"]).ok();
    let told = told(&json(&lab, &["history", "item", "1"]));
    let words: Vec<(&str, &str)> = told.iter().map(|(m, c, _)| (m.as_str(), c.as_str())).collect();
    let gap: &[(&str, &str)] = if excluded.code == 0 { &[("1", "unseen")] } else { &[] };
    let expected = [&[("3", "update"), ("2", "update")], gap, &[("0", "first")]].concat();
    assert_eq!((words, excluded.code), (expected, 0), "{}", excluded.stderr);
    assert_eq!((&told[0].2, &told[1].2), (&json!("unknown"), &json!("unknown")));
}

#[test]
fn parents_that_were_removed_are_shown_as_gone() {
    let lab = scene(&[
        "UPDATE item SET price = 1 WHERE id = 7",
        "UPDATE item SET price = 2 WHERE id = 7",
    ]);
    let oldest = json(&lab, &["show", "prod~1"])["snapshot"].clone();
    lab.run(&["gc", "--log-days", "0", "--grace-days", "0"]).ok();
    for _ in 0..2 {
        lab.run(&["gc", "--log-days", "0", "--grace-days", "0"]).ok();
    }
    let history = json(&lab, &["history", "item", "7"]);
    if history["gone"].is_null() {
        panic!("nothing was collected: {history}");
    }
    assert_eq!(history["gone"], oldest);
    assert_eq!(told(&history)[0].1, "first");
    let text = lab.run(&["history", "item", "7"]).ok().stdout;
    assert!(text.contains("what was before is gone: snapshot "), "{text}");
}

#[test]
fn a_snapshot_beside_its_live_source() {
    let lab = scene(&[]);
    let files = || std::fs::read_dir(lab.path(".deepdiff/objects")).unwrap().count();
    let before = files();
    let equal = json(&lab, &["verify", "--against", "prod.db", "prod"]);
    assert_eq!((&equal["outcome"], &equal["rows_checked"]), (&json!("equal"), &json!(3000)));
    assert_eq!(equal["state"], equal["live_state"]);
    lab.sql(
        "prod.db",
        "UPDATE item SET price = -1 WHERE id BETWEEN 100 AND 107; DELETE FROM item WHERE id = 3;
         INSERT INTO item VALUES(9000, 'new', 1); CREATE INDEX item_name ON item(name)",
    );
    let run = lab.run(&["verify", "--against", "prod.db", "prod", "--json"]);
    let found = run.json();
    assert_eq!((run.code, &found["outcome"]), (1, &json!("different")));
    let table = &found["tables"][0];
    assert_eq!(
        (&table["inserted"], &table["deleted"], &table["updated"], &table["last"]),
        (&json!(1), &json!(1), &json!(8), &json!("(9000)"))
    );
    assert_eq!(table["keys"], json!(["(3)", "(100)", "(101)", "(102)", "(103)"]));
    assert_eq!(found["schema"][0]["kind"], "index");
    let text = lab.run(&["verify", "--against", "prod.db", "prod"]).fails(1, "8 other").stdout;
    assert!(text.contains("1 only there, 1 only here"), "{text}");
    assert_eq!(files(), before, "the store was written");
    lab.run(&["verify", "--against", "prod.db"]).fails(2, "against which snapshot");
    lab.run(&["verify", "prod"]).fails(2, "--against");
}

#[test]
fn a_damaged_store_is_found_beside_its_source() {
    let lab = scene(&[]);
    let objects = std::fs::read_dir(lab.path(".deepdiff/objects")).unwrap();
    let files = objects.map(|file| file.unwrap().path());
    for file in files.filter(|path| path.extension().is_some_and(|e| e == "objs")) {
        let mut bytes = std::fs::read(&file).unwrap();
        let place = bytes.len() / 3;
        bytes[place..place + 8].iter_mut().for_each(|byte| *byte ^= 0x55);
        std::fs::write(&file, bytes).unwrap();
    }
    let run = lab.run(&["verify", "--against", "prod.db", "prod", "--json"]);
    assert_eq!((run.code, &run.json()["outcome"]), (1, &json!("damaged")), "{}", run.stderr);
    assert!(!run.json()["damaged"].as_array().unwrap().is_empty());
}

#[test]
fn rows_of_servers() {
    for server in [servers::postgres(), servers::mariadb()] {
        let lab = Lab::new();
        let database = server.database("");
        let snapshot = || lab.run(&["snapshot", &database.url(), "--ref", "prod"]).ok();
        database.sql(
            "CREATE TABLE item(code varchar(20) PRIMARY KEY, price numeric(6,2));
             CREATE TABLE filled(id int PRIMARY KEY, v int);
             INSERT INTO item VALUES ('a', 1.50), ('b', 2);",
        );
        snapshot();
        database
            .sql("UPDATE item SET price = 3 WHERE code = 'a'; INSERT INTO filled VALUES (1, 1);");
        snapshot();
        let cells = |n: usize| told(&json(&lab, &["history", "item", "a"]))[n].2.clone();
        let decimal = |text: &str| json!({ "decimal": text });
        assert_eq!(cells(0), json!({"price": [decimal("1.50"), decimal("3.00")]}));
        assert_eq!(cells(1), json!({"code": "a", "price": decimal("1.50")}));
        let filled = told(&json(&lab, &["history", "filled", "1"]));
        assert_eq!(filled, [line(&filled[0].0, "insert", json!({"id": 1, "v": 1}))]);
        let verify = ["verify", "--against", &database.url(), "prod"];
        lab.run(&verify).ok();
        database.sql("DELETE FROM item WHERE code = 'b'");
        lab.run(&verify).fails(1, "1 only here");
    }
}
