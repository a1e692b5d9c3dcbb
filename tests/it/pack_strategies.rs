//! Strategies: rows that are taken, kept or decided one by one, through the binary, there and back.

use crate::lab::{Lab, Output};
use crate::pg_lab::Pair as PgPair;
use crate::{my_packs, servers};

/// Two databases of SQLite and their snapshots `prod` and `dev`.
struct Scene {
    lab: Lab,
}

impl Scene {
    fn new(prod: &str, dev: &str) -> Scene {
        let lab = Lab::new();
        lab.sql("prod.db", prod);
        lab.sql("dev.db", dev);
        lab.snapshot("prod.db", "prod");
        lab.snapshot("dev.db", "dev");
        Scene { lab }
    }

    /// Both from one script, the second changed.
    fn changed(prod: &str, change: &str) -> Scene {
        Scene::new(prod, &format!("{prod};\n{change}"))
    }

    fn pack(&self, more: &[&str]) -> Output {
        self.lab.run(&[&["pack", "prod", "dev", "-o", "change", "--json"], more].concat())
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.lab.path(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.lab.path(file), text).unwrap();
    }

    /// Packs and applies, asks the oracle, and goes back; gives what `pack` said.
    #[track_caller]
    fn leaves(&self, more: &[&str], question: &str, answer: &str) -> serde_json::Value {
        let said = self.pack(more).ok().json();
        let before = self.lab.snapshot("prod.db", "again");
        let apply = ["apply", "change", "--to", "prod.db", "--verify-full"];
        self.lab.run(&[&apply[..], &["--dry-run"]].concat()).ok();
        self.lab.run(&apply).ok();
        assert_eq!(self.lab.sql("prod.db", question).trim(), answer);
        self.lab.run(&["apply", "change", "--to", "prod.db", "--rollback"]).ok();
        assert_eq!(self.lab.snapshot("prod.db", "back"), before, "the rollback did not restore it");
        said
    }
}

const USERS: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT);
    CREATE TABLE log_a(id INTEGER PRIMARY KEY, what TEXT);
    INSERT INTO users VALUES (1, 'a', 'Ann'), (2, 'b', 'Bob'), (3, 'c', 'Cid');
    INSERT INTO log_a VALUES (1, 'x')";
const CHANGE: &str = "UPDATE users SET name = 'Anna' WHERE id = 1; DELETE FROM users WHERE id = 3;
    INSERT INTO users VALUES (4, 'd', 'Dan'); UPDATE log_a SET what = 'y';
    INSERT INTO log_a VALUES (2, 'z');";
const ALL_USERS: &str =
    "SELECT group_concat(id || email || name) FROM (SELECT * FROM users ORDER BY id)";

#[test]
fn ours_keeps_a_table_and_theirs_takes_it() {
    let scene = Scene::changed(USERS, CHANGE);
    let question = format!("{ALL_USERS} UNION ALL SELECT group_concat(id || what) FROM log_a");
    let said = scene.leaves(
        &["--allow", "all", "--strategy", "users=ours"],
        &question,
        "1aAnn,2bBob,3cCid\n1y,2z",
    );
    assert_eq!(said["complete"], false);
    assert_eq!(said["left_out"].as_array().unwrap().len(), 0);
    let kept = said["kept"].as_array().unwrap();
    let steps: Vec<_> = kept.iter().map(|kept| kept["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["insert", "update", "delete"]);
    assert!(kept.iter().all(|kept| kept["strategy"] == "ours" && kept["rows"] == 1));
    let sql = scene.read("change/migration.sql");
    assert!(sql.contains("-- Kept by strategy: none of this runs."), "{sql}");
    assert!(sql.contains("-- DELETE FROM \"users\""), "{sql}");
    assert!(scene.read("change/summary.md").contains("## Kept by strategy\n\n- insert `users`"));
}

#[test]
fn unwanted_changes_are_kept_and_allowed_deletes_are_not_needed() {
    let scene = Scene::changed(USERS, CHANGE);
    let said = scene.leaves(
        &["--changes", "insert,update", "--changes", "log_*=insert"],
        "SELECT group_concat(id || email || name) FROM (SELECT * FROM users ORDER BY id)
         UNION ALL SELECT group_concat(id || what) FROM log_a",
        "1aAnna,2bBob,3cCid,4dDan\n1x,2z",
    );
    // The delete is not wanted: it waits for no consent.
    assert_eq!(said["left_out"].as_array().unwrap().len(), 0, "{said}");
}

#[test]
fn the_configuration_names_strategies_and_flags_overrule_it() {
    let scene = Scene::changed(USERS, CHANGE);
    let config = "[pack]\nchanges = ['insert', 'update']\n[pack.tables.'log_?']\nstrategy = 'ours'\n\
                  [pack.tables.users]\nchanges = ['update']\n";
    scene.write("deepdiff.toml", config);
    let said = scene.leaves(
        &["--strategy", "LOG_A=theirs"],
        &format!("{ALL_USERS} UNION ALL SELECT group_concat(id || what) FROM log_a"),
        "1aAnna,2bBob,3cCid\n1y,2z",
    );
    assert_eq!(said["kept"].as_array().unwrap().len(), 2, "{said}");
    for (bad, word) in [
        ("[pack]\nstrategy = 'mine'", "no such strategy"),
        ("[pack]\nstrategies = 'ours'", "unknown field"),
        ("[pack.tables.orders]\nstrategy = 'ours'", "orders"),
        ("[pack.tables.users]\nchanges = []", "at least one change"),
    ] {
        scene.write("deepdiff.toml", bad);
        let output = scene.lab.run(&["pack", "prod", "dev", "-o", "other"]);
        output.fails(2, word);
    }
    std::fs::remove_file(scene.lab.path("deepdiff.toml")).unwrap();
    let output = scene.lab.run(&["pack", "prod", "dev", "-o", "other", "--strategy", "usrs=ours"]);
    output.fails(2, "neither of the two snapshots has such a table");
}

#[test]
fn what_a_kept_row_makes_impossible_is_left_out_with_its_reason() {
    let base = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
        INSERT INTO p VALUES (1, 'one'), (2, 'two'); INSERT INTO c VALUES (1, 1)";
    // A child of a row that does not come, a parent of a row that stays, a value that is not free.
    let change = "INSERT INTO p VALUES (3, 'x'); INSERT INTO c VALUES (2, 3), (3, 2);
        UPDATE p SET code = 'free' WHERE id = 1;
        UPDATE p SET code = 'one' WHERE id = 2; DELETE FROM c WHERE id = 1;";
    let scene = Scene::changed(base, change);
    let said = scene.leaves(
        &["--allow", "all", "--strategy", "p=ours"],
        "SELECT group_concat(id || code) FROM p UNION ALL SELECT group_concat(id || '>' || p) FROM c",
        "1one,2two\n3>2",
    );
    let left = said["left_out"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{said}");
    assert_eq!((&left[0]["object"], &left[0]["rows"]), (&"c".into(), &1.into()));
    let reason = left[0]["reason"].as_str().unwrap();
    assert_eq!(reason, "insert of p (3) is kept from running");

    // What keeps a value keeps others from taking it.
    let scene = Scene::changed(
        base,
        "UPDATE p SET code = 'free' WHERE id = 1;
        INSERT INTO p VALUES (9, 'one');",
    );
    let said = scene.leaves(
        &["--changes", "insert"],
        "SELECT group_concat(id || code) FROM p",
        "1one,2two",
    );
    let reason = said["left_out"][0]["reason"].as_str().unwrap();
    assert_eq!(reason, "update of p (1) is kept from running");

    // A parent stays while a row that stays refers to it.
    let scene = Scene::changed(base, "DELETE FROM c; DELETE FROM p WHERE id = 1;");
    let said = scene.leaves(
        &["--allow", "all", "--strategy", "c=ours"],
        "SELECT group_concat(id) FROM p",
        "1,2",
    );
    assert_eq!(said["left_out"][0]["step"], "delete");
}

#[test]
fn a_table_whose_rows_are_kept_is_not_dropped() {
    let scene = Scene::new(
        "CREATE TABLE old(id INTEGER PRIMARY KEY); INSERT INTO old VALUES (1), (2);
         CREATE TABLE t(id INTEGER PRIMARY KEY);",
        "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE new(id INTEGER PRIMARY KEY);
         INSERT INTO new VALUES (7);",
    );
    let said = scene.leaves(
        &["--allow", "all", "--strategy", "o*=ours", "--strategy", "new=ours"],
        "SELECT group_concat(id) FROM old UNION ALL SELECT count(*) FROM new",
        "1,2\n0",
    );
    let kept = said["kept"].as_array().unwrap();
    assert_eq!(kept.len(), 2, "{said}");
    assert_eq!((&kept[1]["step"], &kept[1]["rows"]), (&"drop-table".into(), &2.into()));
    assert!(scene.read("change/migration.sql").contains("-- DROP TABLE \"old\""));
}

#[test]
fn a_kept_row_that_loses_a_column_gets_it_back() {
    let prod = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, c TEXT);
        INSERT INTO t VALUES (1, 'x', 'gone'), (2, 'y', 'too'), (3, 'z', NULL)";
    let dev = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);
        INSERT INTO t VALUES (2, 'new'), (3, 'z')";
    let scene = Scene::new(prod, dev);
    scene.leaves(
        &["--allow", "all", "--strategy", "t=ours"],
        "SELECT group_concat(id || a) FROM t",
        "1x,2y,3z",
    );
    // Without consent the column stays, with what it holds.
    let scene = Scene::new(prod, dev);
    let all = "SELECT group_concat(id || a || ifnull(c, '')) FROM t";
    scene.leaves(&["--strategy", "t=ours"], all, "1xgone,2ytoo,3z");
    let scene = Scene::new(prod, dev);
    scene.leaves(&["--allow", "delete-rows"], all, "2newtoo,3z");
    // A delete that is left out keeps the column: nothing else could bring the value back.
    let scene = Scene::new(prod, dev);
    let said = scene.leaves(
        &["--allow", "drop-column"],
        "SELECT group_concat(id || a || ifnull(c, '')) FROM t",
        "1xgone,2newtoo,3z",
    );
    let reasons: Vec<_> = said["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["reason"].as_str().unwrap())
        .collect();
    assert!(reasons.contains(&"rows whose deletion is left out hold values in it"), "{reasons:?}");
}

#[test]
fn a_change_that_is_in_the_way_of_nothing_loses_no_column() {
    // The update waits for a row that stays, and its row would lose a column.
    let scene = Scene::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, c TEXT);
         INSERT INTO t VALUES (1, 'x', NULL), (2, 'y', 'held')",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE);
         INSERT INTO t VALUES (2, 'x')",
    );
    let flags = ["--allow", "drop-column", "--changes", "insert,update"];
    scene.pack(&flags).fails(4, "it would lose its column c");
    assert!(!scene.lab.path("change").exists());
}

#[test]
fn manual_asks_first_and_goes_on_with_the_answers() {
    let scene = Scene::changed(USERS, CHANGE);
    let manual = ["--allow", "all", "--strategy", "users=manual"];
    scene.pack(&manual).fails(5, "3 rows have to be decided");
    assert!(!scene.lab.path("change").exists());
    let file = "change.decisions.toml";
    let asked = scene.read(file);
    assert_eq!(asked.matches("take = \"\"").count(), 3, "{asked}");
    assert!(asked.contains("before.name = \"'Ann'\"\nafter.name = \"'Anna'\"\n"), "{asked}");
    scene.pack(&manual).fails(2, "may hold decisions");

    let given = [&manual[..], &["--decisions", file]].concat();
    let undecided = scene.pack(&given);
    let undecided = undecided.fails(5, "users (3): it is not decided");
    assert!(undecided.stdout.contains("users (4)"), "{}", undecided.stdout);

    // The entries may stand in any order.
    let mut entries: Vec<&str> = asked.split("\n[[row]]\n").skip(1).collect();
    entries.reverse();
    let answer = |entry: &str| match entry {
        entry if entry.contains("kind = \"insert\"") => entry.replace("\"\"", "\"theirs\""),
        entry if entry.contains("kind = \"delete\"") => entry.replace("\"\"", "\"ours\""),
        entry => entry.replace("take = \"\"", "cells = { name = \"theirs\" }"),
    };
    let text: String = entries.iter().map(|e| format!("[[row]]\n{}\n", answer(e))).collect();
    scene.write(file, &text);
    let said = scene.leaves(&given, ALL_USERS, "1aAnna,2bBob,3cCid,4dDan");
    let kept = said["kept"].as_array().unwrap();
    assert_eq!(kept.len(), 1, "{said}");
    assert_eq!((&kept[0]["step"], &kept[0]["strategy"]), (&"delete".into(), &"manual".into()));

    // What is there again is not written over.
    scene
        .lab
        .run(&["pack", "prod", "dev", "-o", "change", "--decisions", file])
        .fails(4, "no such row");
}

#[test]
fn decisions_about_other_rows_are_void_and_named() {
    let scene = Scene::changed(USERS, CHANGE);
    let manual = ["--allow", "all", "--strategy", "users=manual"];
    scene.pack(&manual).fails(5, "to be decided");
    let file = "change.decisions.toml";
    let asked = scene.read(file).replace("take = \"\"", "take = \"theirs\"");
    // The header shows how answers are written.
    let asked = &asked[asked.find("[[row]]").unwrap()..];
    let given = [&manual[..], &["--decisions", file]].concat();
    for (edit, code, word) in [
        (asked.replace("'Anna'", "'Hanna'"), 4, "users (1): its entry was edited"),
        (asked.replace("id = \"4\"", "id = \"5\""), 4, "users (5): no such row differs"),
        (format!("{asked}\n{asked}"), 4, "no such row differs"),
        (asked.replacen("\"theirs\"\n", "\"their\"\n", 1), 4, "there are ours and theirs"),
        (asked.replacen("take =", "takes =", 2), 2, "line "),
        (asked.replacen("[[row]]", "", 1), 2, "an entry begins with [[row]]"),
        (asked[..asked.rfind("\n[[row]]").unwrap()].to_owned(), 5, "it has no entry"),
        ("# nothing\n".to_owned(), 5, "users (1): it has no entry"),
    ] {
        scene.write(file, &edit);
        scene.pack(&given).fails(code, word);
        assert!(!scene.lab.path("change").exists());
    }
    // The row changes after it was decided about.
    scene.write(file, asked);
    scene.lab.sql("dev.db", "UPDATE users SET name = 'Annie' WHERE id = 1");
    scene.lab.snapshot("dev.db", "dev");
    scene.pack(&given).fails(4, "users (1): it has changed since it was decided about");
}

#[test]
fn cells_are_taken_one_by_one_and_the_rest_is_in_the_way() {
    let base =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, at REAL, b BLOB);
        INSERT INTO t VALUES (1, 'a', 'n1', 0.1, x'00'), (2, 'b', 'n2', 2.5, x'01')";
    // Row 2 takes the address that row 1 gives up.
    let change = "UPDATE t SET email = 'x', name = 'm1', at = 0.2, b = x'ff' WHERE id = 1;
        UPDATE t SET email = 'a' WHERE id = 2;";
    let scene = Scene::changed(base, change);
    let manual = ["--strategy", "manual"];
    scene.pack(&manual).fails(5, "2 rows have");
    let file = "change.decisions.toml";
    let asked = scene.read(file);
    let first = asked.replacen(
        "take = \"\"\n\n",
        "take = \"ours\"\ncells = { name = \"theirs\", b = \"theirs\" }\n\n",
        1,
    );
    let text = first.replacen("take = \"\"\n", "take = \"theirs\"\n", 3);
    scene.write(file, &text[text.find("[[row]]").unwrap()..]);
    let given = ["--strategy", "manual", "--decisions", file];
    let question = "SELECT group_concat(id || email || name || at || hex(b)) FROM t";
    let said = scene.leaves(&given, question, "1am10.1FF,2bn22.501");
    let left = said["left_out"].as_array().unwrap();
    assert_eq!(left[0]["reason"], "update of t (1) is kept from running", "{said}");
    assert_eq!(said["kept"][0]["rows"], 1);
}

#[test]
fn a_dropped_table_is_decided_about_as_a_whole() {
    let scene = Scene::new(
        "CREATE TABLE old(id INTEGER PRIMARY KEY); INSERT INTO old VALUES (1), (2);
         CREATE TABLE n(a); INSERT INTO n VALUES (1), (1), (2)",
        "CREATE TABLE n(a); INSERT INTO n VALUES (1), (3)",
    );
    let manual = ["--allow", "all", "--strategy", "old=manual", "--strategy", "n=manual"];
    scene.pack(&manual).fails(5, "5 rows have");
    let file = "change.decisions.toml";
    let asked = scene.read(file);
    let entries = &asked[asked.find("[[row]]").unwrap()..];
    let given = [&manual[..], &["--decisions", file]].concat();
    let mut number = 0;
    let mixed: String = entries
        .lines()
        .map(|line| match line {
            "take = \"\"" => {
                number += 1;
                format!("take = \"{}\"\n", if number % 2 == 0 { "ours" } else { "theirs" })
            }
            line => format!("{line}\n"),
        })
        .collect();
    scene.write(file, &mixed);
    scene.pack(&given).fails(4, "its table is dropped as a whole");
    scene.write(file, &entries.replace("take = \"\"", "take = \"theirs\""));
    let said = scene.leaves(&given, "SELECT group_concat(a) FROM n", "1,3");
    assert_eq!(said["complete"], true);
}

/// A table of many rows is asked about, decided and packed.
#[test]
fn many_rows_are_decided_by_a_program() {
    let scene = Scene::changed(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO t SELECT i, 'value ' || i FROM n",
        "UPDATE t SET a = a || '!'; DELETE FROM t WHERE id % 50 = 0;",
    );
    let flags = ["--strategy", "manual", "--allow", "all"];
    scene.pack(&flags).fails(5, "3000 rows have");
    let file = "change.decisions.toml";
    let asked = scene.read(file);
    let text = asked[asked.find("[[row]]").unwrap()..].replace("take = \"\"", "take = \"ours\"");
    scene.write(file, &text.replacen("\"ours\"", "\"theirs\"", 1000));
    let given = [&flags[..], &["--decisions", file]].concat();
    scene.leaves(&given, "SELECT count(*), sum(a LIKE '%!') FROM t", "2980|980");
}

const SERVER: &str =
    "CREATE TABLE p(id INTEGER PRIMARY KEY, code VARCHAR(20) UNIQUE, note VARCHAR(20));
    CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
    INSERT INTO p VALUES (1, 'one', 'n'), (2, 'two', 'n'); INSERT INTO c VALUES (1, 1);";
const SERVER_CHANGE: &str =
    "INSERT INTO p VALUES (3, 'x', 'n'); INSERT INTO c VALUES (2, 3), (3, 2);
    UPDATE p SET code = 'free', note = 'm' WHERE id = 1;";

/// Answers that take the note of the row that changes, and keep the row that is new away.
fn answered(asked: &str) -> String {
    let entries = &asked[asked.find("[[row]]").unwrap()..];
    let cells = "take = \"ours\"\ncells = { note = \"theirs\" }";
    let answer = |entry: &str| match entry.contains("kind = \"update\"") {
        true => entry.replace("take = \"\"", cells),
        false => entry.replace("take = \"\"", "take = \"ours\""),
    };
    entries.split("[[row]]").skip(1).map(|entry| format!("[[row]]{}", answer(entry))).collect()
}

#[test]
fn strategies_hold_on_postgres() {
    let pair = PgPair::new(SERVER, "", SERVER_CHANGE);
    let flags = ["--strategy", "public.p=manual"];
    pair.try_pack(&flags).fails(5, "2 rows have");
    let file = pair.lab.path("change.decisions.toml");
    std::fs::write(&file, answered(&std::fs::read_to_string(&file).unwrap())).unwrap();
    let given = [&flags[..], &["--decisions", "change.decisions.toml"]].concat();
    pair.try_pack(&given).ok();
    let before = pair.state(&pair.prod, "before");
    pair.apply(&pair.prod, &[]).ok();
    let rows = pair.prod.sql("SELECT * FROM p ORDER BY id; SELECT * FROM c ORDER BY id");
    assert_eq!(rows.split_whitespace().collect::<Vec<_>>(), ["1|one|m", "2|two|n", "1|1", "3|2"]);
    pair.apply(&pair.prod, &["--rollback"]).ok();
    assert_eq!(pair.state(&pair.prod, "after"), before);
}

#[test]
fn strategies_hold_on_mysql() {
    let pair = my_packs::Pair::on(
        &servers::mariadb(),
        &SERVER.replace("REFERENCES p(id)", ", FOREIGN KEY (p) REFERENCES p(id)"),
        SERVER_CHANGE,
    );
    let flags = ["--strategy", "p=manual", "--json"];
    pair.pack(&flags).fails(5, "2 rows have");
    let file = pair.lab.path("change.decisions.toml");
    std::fs::write(&file, answered(&std::fs::read_to_string(&file).unwrap())).unwrap();
    let given = [&flags[..], &["--decisions", "change.decisions.toml"]].concat();
    let said = pair.pack(&given).ok().json();
    assert_eq!(said["left_out"][0]["reason"], "insert of p (3) is kept from running");
    pair.apply(&[]).ok();
    let rows = pair.a.sql("SELECT concat_ws('|', id, code, note) FROM p ORDER BY id; SELECT concat_ws('|', id, p) FROM c ORDER BY id");
    assert_eq!(rows.split_whitespace().collect::<Vec<_>>(), ["1|one|m", "2|two|n", "1|1", "3|2"]);
    pair.apply(&["--rollback"]).ok();
    assert_eq!(pair.now(), pair.of("a"));
}
