//! Packs that change the schema, and what is left out or refused.

use deepdiff_db::apply::Ending;
use deepdiff_db::pack::{Consent, PackError};

use crate::lab::{dump, sqlite3};
use crate::pack_lab::PackLab;

const SHOP: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT);
    CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), q INT);
    CREATE TABLE old(k TEXT, v BLOB); INSERT INTO old VALUES ('a',x'00'),('a',x'00'),('b',NULL);
    CREATE INDEX ci ON c(q); CREATE VIEW w AS SELECT n FROM p;
    CREATE TRIGGER wt INSTEAD OF INSERT ON w BEGIN INSERT INTO p(n) VALUES (new.n); END;
    INSERT INTO p VALUES (1,'a'),(2,'b'); INSERT INTO c VALUES (1,1,5),(2,2,6)";

#[test]
fn tables_come_and_go_with_their_rows() {
    let lab = PackLab::changed(
        SHOP,
        "DROP TABLE old;
         CREATE TABLE new(id INTEGER PRIMARY KEY AUTOINCREMENT, c INTEGER REFERENCES c(id), v TEXT DEFAULT 'x');
         CREATE UNIQUE INDEX nv ON new(v) WHERE v <> 'x';
         INSERT INTO new(c,v) VALUES (1,'q'),(2,'r');
         CREATE TRIGGER nt AFTER INSERT ON new BEGIN UPDATE c SET q=q+1; END;",
    );
    lab.converges();
}

#[test]
fn parents_and_children_are_dropped_together() {
    for action in ["", "ON DELETE CASCADE"] {
        let schema = format!(
            "CREATE TABLE p(id INTEGER PRIMARY KEY);
             CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) {action});
             CREATE TABLE keep(id INTEGER PRIMARY KEY);
             INSERT INTO p VALUES (1); INSERT INTO c VALUES (1,1); INSERT INTO keep VALUES (1)"
        );
        PackLab::changed(&schema, "DROP TABLE c; DROP TABLE p;").converges();
        PackLab::changed(&schema, "DROP TABLE c; DELETE FROM p;").converges();
    }
}

#[test]
fn columns_are_added_and_taken_back() {
    let lab = PackLab::changed(
        SHOP,
        "ALTER TABLE p ADD COLUMN a TEXT;
         ALTER TABLE p ADD COLUMN \"b b\" INT NOT NULL DEFAULT 7;
         ALTER TABLE p ADD COLUMN d TEXT COLLATE NOCASE DEFAULT 'it''s' CHECK (d <> 'no');
         ALTER TABLE c ADD COLUMN up INTEGER REFERENCES p(id) ON DELETE SET NULL;
         ALTER TABLE c ADD COLUMN g INT AS (q + 1);
         UPDATE p SET a='x', \"b b\"=8 WHERE id=1; UPDATE c SET up=2 WHERE id=1;
         INSERT INTO p(id,n) VALUES (3,'z');",
    );
    lab.converges();
}

#[test]
fn a_dropped_column_that_holds_more_than_the_pack_knows_is_kept() {
    let lab =
        PackLab::changed(SHOP, "ALTER TABLE p ADD COLUMN a TEXT; UPDATE p SET a='x' WHERE id=1;");
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
    sqlite3(&lab.path("copy.db"), "UPDATE p SET a='mine' WHERE id=2;");
    let back = lab.apply("change", "copy.db", |o| o.run = deepdiff_db::pack::Run::Back);
    assert_eq!(back.outcome, Ending::Refused, "{back:#?}");
}

#[test]
fn indexes_views_and_triggers_change() {
    PackLab::changed(
        SHOP,
        "DROP INDEX ci; CREATE UNIQUE INDEX ci ON c(q DESC); DROP VIEW w; CREATE VIEW w AS SELECT n, id FROM p;
         CREATE TRIGGER wt INSTEAD OF INSERT ON w BEGIN INSERT INTO p(n) VALUES (new.n); END;
         CREATE VIEW w2 AS SELECT * FROM w; CREATE TRIGGER ct AFTER DELETE ON c BEGIN SELECT 1; END;
         UPDATE c SET q = 60 - q;",
    )
    .converges();
    let lab = PackLab::changed(&format!("{SHOP}; DROP TRIGGER wt"), "DROP INDEX ci; DROP VIEW w;");
    lab.converges();
}

#[test]
fn what_is_not_allowed_is_left_out_and_listed() {
    let lab = PackLab::changed(
        SHOP,
        "DROP TABLE old; DROP INDEX ci; DROP VIEW w; DELETE FROM c WHERE id=1; DELETE FROM p WHERE id=1;
         UPDATE p SET n='B' WHERE id=2; CREATE TABLE t2(a);",
    );
    let manifest = lab.pack("change", &Consent::none()).unwrap();
    assert!(!manifest.is_complete);
    let left: Vec<(&str, &str, &[String])> = manifest
        .left_out
        .iter()
        .map(|l| (l.class.as_str(), l.object.as_str(), &l.allow[..]))
        .collect();
    let flags = |flag: &str| vec![format!("--allow {flag}")];
    for (class, object) in [
        ("drop-table", "old"),
        ("drop-index", "ci"),
        ("drop-view", "w"),
        ("delete-rows", "c"),
        ("delete-rows", "p"),
    ] {
        let flag = flags(&format!("{class}:{object}"));
        assert!(left.contains(&(class, object, &flag[..])), "{class} {object}: {left:?}");
    }
    let sql = std::fs::read_to_string(lab.path("change").join("migration.sql")).unwrap();
    assert!(sql.contains("-- DROP TABLE \"old\"") && sql.contains("-- DELETE FROM \"c\""), "{sql}");
    lab.copy_prod();
    let applied = lab.apply("change", "copy.db", |_| {});
    assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
    let rows = sqlite3(
        &lab.path("copy.db"),
        "SELECT group_concat(n) FROM p; SELECT count(*) FROM old, t2;",
    );
    assert_eq!(rows.trim(), "a,B\n0");
    let back = lab.apply("change", "copy.db", |o| o.run = deepdiff_db::pack::Run::Back);
    assert_eq!(back.outcome, Ending::Applied, "{back:#?}");
    assert_eq!(dump(&lab.path("copy.db")), dump(&lab.path("prod.db")));
}

#[test]
fn what_a_left_out_delete_makes_impossible_is_left_out_too() {
    let lab = PackLab::changed(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
         INSERT INTO p VALUES (1,'x'),(2,'y')",
        "DELETE FROM p WHERE id=1; INSERT INTO p VALUES (3,'x'),(4,'free'); INSERT INTO c VALUES (1,3),(2,4);",
    );
    let manifest = lab.pack("change", &Consent::none()).unwrap();
    let blocked: Vec<(&str, &str, &[String])> = manifest
        .left_out
        .iter()
        .filter(|l| l.class == "blocked")
        .map(|l| (l.step.as_str(), l.object.as_str(), &l.keys[..]))
        .collect();
    assert_eq!(
        blocked,
        [("insert", "c", &["(1)".to_owned()][..]), ("insert", "p", &["(3)".to_owned()][..])]
    );
    lab.copy_prod();
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
    let rows = sqlite3(
        &lab.path("copy.db"),
        "SELECT group_concat(id) FROM p; SELECT group_concat(id) FROM c;",
    );
    assert_eq!(rows.trim(), "1,2,4\n2");
    let back = lab.apply("change", "copy.db", |o| o.run = deepdiff_db::pack::Run::Back);
    assert_eq!(back.outcome, Ending::Applied, "{back:#?}");
    assert_eq!(dump(&lab.path("copy.db")), dump(&lab.path("prod.db")));
}

#[test]
fn rows_of_a_table_that_is_not_dropped_hold_their_parents() {
    let lab = PackLab::changed(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p INTEGER REFERENCES p(id) ON DELETE CASCADE);
         INSERT INTO p VALUES (1),(2); INSERT INTO c VALUES (1)",
        "DROP TABLE c; DELETE FROM p;",
    );
    let consent = Consent::parse(["delete-rows:p"]).unwrap();
    let manifest = lab.pack("change", &consent).unwrap();
    assert_eq!(manifest.migration.rows.deleted, 1, "{:#?}", manifest.left_out);
    lab.copy_prod();
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
}

#[test]
fn a_large_delete_needs_its_own_word() {
    let rows = "CREATE TABLE t(id INTEGER PRIMARY KEY);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) INSERT INTO t SELECT i FROM n";
    let lab = PackLab::changed(rows, "DELETE FROM t WHERE id > 500;");
    let manifest = lab.pack("one", &Consent::parse(["all"]).unwrap()).unwrap();
    assert_eq!(manifest.left_out[0].allow, ["--allow large-delete:t"]);
    let manifest = lab.pack("two", &Consent::parse(["all", "large-delete"]).unwrap()).unwrap();
    assert!(manifest.is_complete);
}

#[test]
fn what_a_pack_cannot_do_is_refused_by_name() {
    let cases = [
        ("CREATE VIRTUAL TABLE f USING fts5(x);", "", "f"),
        ("PRAGMA auto_vacuum = 1;", "", "auto_vacuum"),
        ("CREATE VIRTUAL TABLE f USING fts5(x);", "CREATE VIRTUAL TABLE f USING fts5(x, y);", "f"),
    ];
    for (prod, dev, name) in cases {
        let rest = "CREATE TABLE t(a);";
        let lab = PackLab::new(&format!("{prod}{rest}"), &format!("{dev}{rest}"));
        let error = lab.pack("change", &Consent::everything()).unwrap_err();
        assert!(matches!(error, PackError::Refused(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(!lab.path("change").exists());
    }
}

#[test]
fn changes_that_need_a_table_built_anew_converge() {
    let w = "DROP VIEW w;";
    for change in [
        "DELETE FROM c; DROP TABLE p; CREATE TABLE p(id INTEGER PRIMARY KEY, n INT); ",
        "ALTER TABLE p DROP COLUMN n;",
        "PRAGMA user_version = 5;",
        "CREATE VIEW w AS SELECT n FROM p; ALTER TABLE c ADD COLUMN g AS (q) STORED",
    ] {
        PackLab::changed(&format!("{SHOP};{w}"), &change.replace("ALTER TABLE c ADD COLUMN g AS (q) STORED", "DROP TABLE c; CREATE TABLE c(id INTEGER PRIMARY KEY, p INT, q INT, g AS (q) STORED)"))
            .converges();
    }
    PackLab::new(
        "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);",
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b INT NOT NULL); INSERT INTO t VALUES (1,2);",
    )
    .converges();
}

#[test]
fn equal_input_gives_equal_bytes() {
    let lab = PackLab::changed(SHOP, "UPDATE p SET n='x'; DROP TABLE old; CREATE TABLE z(a);");
    lab.pack("one", &Consent::everything()).unwrap();
    lab.pack("two", &Consent::everything()).unwrap();
    for entry in std::fs::read_dir(lab.path("one")).unwrap() {
        let name = entry.unwrap().file_name();
        let [one, two] =
            ["one", "two"].map(|dir| std::fs::read(lab.path(dir).join(&name)).unwrap());
        assert!(one == two, "{name:?}");
    }
}

#[test]
fn a_unique_index_is_left_out_with_the_rows_that_break_it() {
    let lab = PackLab::changed(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1,'a'),(2,'a'),(3,'a')",
        "DELETE FROM t WHERE id<3; CREATE UNIQUE INDEX u ON t(v);",
    );
    let manifest = lab.pack("change", &Consent::none()).unwrap();
    let left: Vec<&str> = manifest.left_out.iter().map(|l| l.object.as_str()).collect();
    assert_eq!(left, ["u", "t"]);
    lab.applies_and_rolls_back();
}

#[test]
fn a_key_that_comes_or_goes_with_an_index() {
    let keyed = "CREATE TABLE t(a INT NOT NULL, b TEXT NOT NULL);
        INSERT INTO t VALUES (1,'x'),(2,'y'),(3,'z'); CREATE UNIQUE INDEX ka ON t(a)";
    PackLab::changed(
        keyed,
        "DROP INDEX ka; INSERT INTO t VALUES (1,'w'),(2,'y'); UPDATE t SET b='q' WHERE a=3;",
    )
    .converges();
    PackLab::changed(keyed, "DROP INDEX ka; CREATE UNIQUE INDEX kb ON t(b); UPDATE t SET a=9; INSERT INTO t VALUES (9,'new');")
        .converges();
}

#[test]
fn a_row_that_refers_to_nothing_is_named() {
    let schema = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id));
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1,1)";
    let lab = PackLab::changed(schema, "INSERT INTO c VALUES (7,99);");
    let error = lab.pack("change", &Consent::everything()).unwrap_err().to_string();
    assert!(
        error.contains("(7)") && error.contains("FOREIGN KEY") && error.contains("migration"),
        "{error}"
    );
    let lab = PackLab::changed(
        &format!("{schema}; INSERT INTO c VALUES (8,98)"),
        "DELETE FROM c WHERE id=8;",
    );
    let error = lab.pack("change", &Consent::everything()).unwrap_err().to_string();
    assert!(error.contains("(8)") && error.contains("rollback"), "{error}");
}

#[test]
fn rows_that_a_kept_unique_index_forbids_are_left_out_with_what_needs_them() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE UNIQUE INDEX u ON t(v);
        CREATE TABLE c(id INTEGER PRIMARY KEY, t INT REFERENCES t(id));
        INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c')";
    let lab = PackLab::changed(
        schema,
        "DROP INDEX u; UPDATE t SET v='c' WHERE id=2; INSERT INTO c VALUES (1,4),(2,5);
         INSERT INTO t VALUES (4,'a'),(5,'n'),(6,'n'),(7,'b'),(8,'z');",
    );
    let manifest = lab.pack("change", &Consent::none()).unwrap();
    let left: Vec<(&str, &str, &[String])> = manifest
        .left_out
        .iter()
        .map(|l| (l.object.as_str(), l.step.as_str(), &l.keys[..]))
        .collect();
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    // 4 and 6 meet a row that has their value, 2 as well; 7 waits for 2, and a child for 4.
    let expected = [
        ("u", "drop-index", &keys(&[])[..]),
        ("c", "insert", &keys(&["(1)"])[..]),
        ("t", "insert", &keys(&["(4)", "(6)", "(7)"])[..]),
        ("t", "update", &keys(&["(2)"])[..]),
    ];
    assert_eq!(left, expected);
    let why = &manifest.left_out[2].reason;
    assert!(why.contains("INDEX u stays"), "{why}");
    assert_eq!(manifest.migration.rows.inserted, 3);
    lab.applies_and_rolls_back();
    let lab = PackLab::changed(schema, "DROP INDEX u; INSERT INTO t VALUES (4,'a');");
    lab.converges();
}

#[test]
fn equal_states_make_a_pack_of_nothing() {
    let lab = PackLab::changed(SHOP, "");
    let manifest = lab.pack("change", &Consent::none()).unwrap();
    assert_eq!(manifest.migration.statements, 0);
    assert!(manifest.hazards.is_empty() && manifest.left_out.is_empty(), "{manifest:#?}");
    let summary = std::fs::read_to_string(lab.path("change").join("summary.md")).unwrap();
    assert!(summary.contains("nothing to change"), "{summary}");
    lab.copy_prod();
    let applied = lab.apply("change", "copy.db", |_| {});
    assert_eq!((applied.outcome, applied.statements), (Ending::Applied, 0));
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::AlreadyApplied);
}
