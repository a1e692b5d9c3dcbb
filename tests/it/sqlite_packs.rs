//! Packs that change tables of SQLite beyond what ALTER TABLE can, with rows in them: by the
//! program, there and back, with the oracle of `lab`.

use deepdiff_db::apply::Ending;
use deepdiff_db::pack::{Consent, PackError, Run};

use crate::lab::sqlite3;
use crate::pack_lab::PackLab;

/// Parents, children under a cascade, numbers that were given out, rows of every fate.
const BEFORE: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT);
    CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id) ON DELETE CASCADE, q TEXT);
    CREATE INDEX cq ON c(q);
    CREATE VIEW w AS SELECT p.n, c.q FROM p JOIN c ON c.p = p.id;
    CREATE TRIGGER ct AFTER INSERT ON c BEGIN UPDATE p SET v = new.id WHERE 0; END;
    INSERT INTO p VALUES (1,'a',1),(2,'b',2),(3,'c',3),(9,'gone',4);
    DELETE FROM p WHERE id = 9;
    INSERT INTO c VALUES (1,1,'x'),(2,1,'y'),(3,2,'z');";

/// `BEFORE` with other tables, and rows that are equal, changed, added and removed.
fn after(p: &str, c: &str, rows: &str) -> String {
    format!(
        "CREATE TABLE p({p}); CREATE TABLE c({c}); CREATE INDEX cq ON c(q);
         CREATE VIEW w AS SELECT p.n, c.q FROM p JOIN c ON c.p = p.id;
         INSERT INTO p(id, n, v) VALUES (1,'a',1),(2,'B',2),(4,'d',4);
         INSERT INTO c(id, p, q) VALUES (1,1,'x'),(3,2,'zz'),(5,4,'new'); {rows};
         CREATE TRIGGER ct AFTER INSERT ON c BEGIN UPDATE p SET v = new.id WHERE 0; END;"
    )
}

const P: &str = "id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT";
const C: &str = "id INTEGER PRIMARY KEY, p INT REFERENCES p(id) ON DELETE CASCADE, q TEXT";

#[test]
fn tables_change_in_every_way_with_rows_in_them() {
    for (p, c) in [
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT NOT NULL, v INT", C),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, n VARCHAR(9) DEFAULT 'x', v BIGINT", C),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT UNIQUE, v INT CHECK (v > 0)", C),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT COLLATE NOCASE, v TEXT", C),
        ("id INTEGER PRIMARY KEY, n TEXT, v REAL", C),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT, CHECK (p.v < 99)", C),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT, g INT AS (v * 2) STORED", C),
        ("id INTEGER PRIMARY KEY, n TEXT, v INT) STRICT; CREATE TABLE more(x", C),
        (P, "id INTEGER PRIMARY KEY, p INT NOT NULL REFERENCES p(id), q TEXT NOT NULL"),
        (P, "id INT PRIMARY KEY, p INT, q TEXT) WITHOUT ROWID; CREATE TABLE more(x"),
        (
            P,
            "id INT, p INT REFERENCES p ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, q TEXT UNIQUE",
        ),
        (
            "id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT NOT NULL, v INT",
            "id INTEGER PRIMARY KEY, p INTEGER, q BLOB",
        ),
    ] {
        PackLab::new(BEFORE, &after(p, c, "")).converges();
    }
}

#[test]
fn columns_come_and_go_with_their_values() {
    for (p, rows) in [
        (
            "id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT, x TEXT UNIQUE",
            "UPDATE p SET x = id",
        ),
        (
            "id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT, x TEXT NOT NULL DEFAULT ''",
            "UPDATE p SET x = 'y' WHERE id = 1",
        ),
        (
            "id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT, x TEXT DEFAULT CURRENT_TIMESTAMP",
            "UPDATE p SET x = NULL WHERE id = 1",
        ),
        (
            "id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT, x INT REFERENCES p(id)",
            "UPDATE p SET x = 1 WHERE id = 4",
        ),
        (
            "id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT, v INT, x INT CHECK (x > 0) DEFAULT 0",
            "UPDATE p SET x = id",
        ),
    ] {
        let before = BEFORE;
        let rows = if p.contains("DEFAULT 0") { "" } else { rows };
        let p = p.replace("DEFAULT 0", "");
        let after = after(&p, C, rows);
        PackLab::new(before, &after).converges();
        PackLab::new(&after, before).converges();
    }
}

#[test]
fn parents_and_children_are_dropped_in_whatever_order_their_names_have() {
    for (parent, child) in [("a", "b"), ("b", "a")] {
        for action in ["", "ON DELETE CASCADE", "ON DELETE RESTRICT"] {
            let before = format!(
                "CREATE TABLE {parent}(id INTEGER PRIMARY KEY);
                 CREATE TABLE {child}(id INTEGER PRIMARY KEY, p INT REFERENCES {parent}(id) {action});
                 INSERT INTO {parent} VALUES (1), (2); INSERT INTO {child} VALUES (1, 1), (2, 2);"
            );
            PackLab::new(&before, "CREATE TABLE other(x)").converges();
            let without = format!(
                "CREATE TABLE {child}(id INTEGER PRIMARY KEY, p INT); INSERT INTO {child} VALUES (1, 1)"
            );
            PackLab::new(&before, &without).converges();
        }
    }
}

#[test]
fn s5_numbers_that_were_given_out_are_not_given_out_again() {
    let lab = PackLab::new(BEFORE, &after(&P.replace("n TEXT", "n TEXT NOT NULL"), C, ""));
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    let applied =
        lab.apply("change", "copy.db", |options| options.triggers = ["c".to_owned()].into());
    assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
    let found = sqlite3(&lab.path("copy.db"), "SELECT seq FROM sqlite_sequence WHERE name = 'p';");
    assert_eq!(found.trim(), "9");
}

#[test]
fn s6_rows_that_stay_keep_their_hidden_rowids() {
    let before = "CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT);
        CREATE VIRTUAL TABLE f USING fts5(v, content='t');
        INSERT INTO t(rowid, k, v) VALUES (7,'a','word'),(3,'b','other'),(5,'c','third');
        INSERT INTO f(f) VALUES ('rebuild');";
    let after = before.replace("v TEXT)", "v TEXT NOT NULL)").replace("'third'", "'3'");
    let lab = PackLab::new(before, &after);
    lab.converges();
    let applied = lab.apply("change", "copy.db", |_| {});
    assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
    let found = sqlite3(
        &lab.path("copy.db"),
        "SELECT t.rowid, t.k FROM f JOIN t ON t.rowid = f.rowid WHERE f MATCH 'word';",
    );
    assert_eq!(found.trim(), "7|a");
}

#[test]
fn s6_rows_that_change_keep_their_hidden_rowids_too() {
    for (key, columns) in [
        ("PRIMARY KEY (k)", "k TEXT"),
        ("PRIMARY KEY (k, rowid)", "k TEXT COLLATE NOCASE, rowid INT DEFAULT 1"),
        ("UNIQUE (k, n)", "k REAL NOT NULL, n INT NOT NULL DEFAULT 3"),
        ("PRIMARY KEY (k)", "k BLOB"),
    ] {
        let of = |v: &str, rows: &str| {
            format!(
                "CREATE TABLE t({columns}, v {v}, {key}); CREATE TABLE _deepdiff_rowids_t(x);
                 INSERT INTO t(_rowid_, k, v) VALUES (7,1,'a'),(3,2.5,'b'),(-5,'c','c'),(9,'d','d'); {rows}"
            )
        };
        let rows = "UPDATE t SET v = 'B' WHERE k = 2.5; UPDATE t SET v = 'D' WHERE k = 'd';
            DELETE FROM t WHERE k = 1; INSERT INTO t(k, v) VALUES ('e', 'e');";
        let lab = PackLab::new(&of("TEXT", ""), &of("TEXT NOT NULL CHECK (v <> 'zz')", rows));
        lab.converges();
        let rowids = || {
            let found = sqlite3(
                &lab.path("copy.db"),
                "SELECT _rowid_ FROM t WHERE v NOT IN ('a', 'e') ORDER BY v COLLATE NOCASE;",
            );
            found.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(rowids(), ["3", "-5", "9"], "{key}: back");
        let applied = lab.apply("change", "copy.db", |_| {});
        assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
        assert_eq!(rowids(), ["3", "-5", "9"], "{key}: there");
    }
}

#[test]
fn s7_a_row_that_does_not_fit_takes_the_whole_pack_back() {
    let before = "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); INSERT INTO t VALUES (1,1),(2,2);
        CREATE TABLE u(x); INSERT INTO u VALUES (1);";
    let after =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT) STRICT; INSERT INTO t VALUES (1,1),(2,2);
        CREATE TABLE u(x NOT NULL); INSERT INTO u VALUES (1), (2);";
    let lab = PackLab::new(before, after);
    lab.converges();
    let refused = lab.refused_after("INSERT INTO t VALUES (3, 'no')");
    assert!(refused.reasons[0].to_string().contains("cannot store TEXT value"), "{refused:#?}");
}

#[test]
fn a_child_that_the_pack_does_not_know_is_not_lost_with_its_parent() {
    let lab = PackLab::new(BEFORE, &after(&P.replace("n TEXT", "n TEXT NOT NULL"), C, ""));
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    sqlite3(
        &lab.path("copy.db"),
        "DROP TRIGGER ct; INSERT INTO c VALUES (77, 3, 'mine');
        CREATE TRIGGER ct AFTER INSERT ON c BEGIN UPDATE p SET v = new.id WHERE 0; END;",
    );
    let refused =
        lab.apply("change", "copy.db", |options| options.triggers = ["c".to_owned()].into());
    assert_eq!(refused.outcome, Ending::RolledBack, "{refused:#?}");
    assert!(refused.reasons[0].to_string().contains("77"), "{refused:#?}");
    assert_eq!(sqlite3(&lab.path("copy.db"), "SELECT count(*) FROM c;").trim(), "4");
}

#[test]
fn a_column_that_may_not_go_keeps_its_values_while_the_table_is_built_anew() {
    let lab = PackLab::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, legacy TEXT);
         INSERT INTO t VALUES (1,'1','L1'), (2,'two','L2'), (3,'x','L3');",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER NOT NULL CHECK (a > 0));
         INSERT INTO t VALUES (1,1), (2,2), (4,4);",
    );
    let consent = Consent::parse(["narrow-type", "delete-rows"]).unwrap();
    lab.pack("change", &consent).unwrap();
    lab.copy_prod();
    let applied = lab.apply("change", "copy.db", |_| {});
    assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
    let rows = sqlite3(&lab.path("copy.db"), "SELECT id, a, legacy FROM t ORDER BY id;");
    assert_eq!(rows.trim(), "1|1|L1\n2|2|L2\n4|4|");
    let back = lab.apply("change", "copy.db", |options| options.run = Run::Back);
    assert_eq!(back.outcome, Ending::Applied, "{back:#?}");
    let rows = sqlite3(&lab.path("copy.db"), "SELECT * FROM t ORDER BY id;");
    assert_eq!(rows.trim(), "1|1|L1\n2|two|L2\n3|x|L3");
}

#[test]
fn s13_a_virtual_table_that_would_go_is_refused_by_name() {
    let before = "CREATE TABLE t(a); CREATE VIRTUAL TABLE f USING fts5(a);";
    let lab = PackLab::new(before, "CREATE TABLE t(a)");
    let Err(PackError::Refused(refusals)) = lab.pack("change", &Consent::everything()) else {
        panic!("a virtual table was dropped");
    };
    assert!(refusals[0].to_string().contains("`f` are not captured"), "{refusals:#?}");
}

#[test]
fn s15_tables_that_refer_to_each_other_are_built_anew_together() {
    let of = |rest: &str, rows: &str| {
        format!(
            "CREATE TABLE a(id INTEGER PRIMARY KEY, up INT REFERENCES a(id) ON DELETE CASCADE, b INT REFERENCES b(id) {rest});
             CREATE TABLE b(id INTEGER PRIMARY KEY, a INT {rest} REFERENCES a(id) ON DELETE CASCADE);
             INSERT INTO a VALUES (1,NULL,1),(2,1,1),(3,2,2); INSERT INTO b VALUES (1,2),(2,1);{rows}"
        )
    };
    let rows = "DELETE FROM a WHERE id = 3; DELETE FROM b WHERE id = 2; UPDATE a SET up = 2 WHERE id = 1; INSERT INTO b VALUES (7, 1);";
    PackLab::new(&of("", ""), &of("NOT NULL", rows)).converges();
    PackLab::new(&of("NOT NULL", rows), &of("", "")).converges();
}

#[test]
fn s21_tables_may_have_the_names_of_databases() {
    let before = "CREATE TABLE main(id INTEGER PRIMARY KEY, temp TEXT); INSERT INTO main VALUES (1, 'a'), (2, 'b');
        CREATE TABLE temp(id INTEGER PRIMARY KEY, main INT REFERENCES main(id)); INSERT INTO temp VALUES (1, 1), (2, 2);
        CREATE TABLE \"main.temp\"(x); INSERT INTO \"main.temp\" VALUES (1); CREATE VIEW \"temp.main\" AS SELECT temp FROM main;";
    let after = "CREATE TABLE main(id INTEGER PRIMARY KEY, temp TEXT NOT NULL); INSERT INTO main VALUES (1, 'A'), (3, 'c');
        CREATE TABLE temp(id INTEGER PRIMARY KEY, main INT NOT NULL REFERENCES main(id)); INSERT INTO temp VALUES (1, 1), (2, 3);
        CREATE TABLE \"main.temp\"(x, y); INSERT INTO \"main.temp\" VALUES (2, 1); CREATE VIEW \"temp.main\" AS SELECT id, temp FROM main;
        CREATE INDEX sqlitish ON temp(main);";
    PackLab::new(before, after).converges();
}

#[test]
fn s24_a_view_that_is_invalid_already_is_in_nobodys_way() {
    let broken = "CREATE VIEW broken AS SELECT gone FROM nowhere;";
    let lab = PackLab::new(
        &format!("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 2);{broken}"),
        &format!("CREATE TABLE t(a TEXT); INSERT INTO t VALUES ('1');{broken}"),
    );
    lab.converges();
}

/// What stands between two tables that refer to each other by a column with a unique index.
fn by_index(index: &str, rows: &str) -> String {
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL); {index}
         CREATE TABLE c(id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code) ON DELETE CASCADE);
         INSERT INTO p VALUES (1,'a'),(2,'b'),(3,'c'); INSERT INTO c VALUES (1,'a'),(2,'b'); {rows}"
    )
}

#[test]
fn a_foreign_key_whose_unique_index_comes_after_the_rows_is_checked_at_the_end() {
    let before = "CREATE TABLE other(x)";
    let after = by_index("CREATE UNIQUE INDEX pc ON p(code);", "");
    PackLab::new(before, &after).converges();
    PackLab::new(&after, before).converges();
    // One that can never be enforced is in nobody's way either.
    let change = "DELETE FROM p WHERE id = 3; UPDATE c SET code = 'b' WHERE id = 1;";
    PackLab::new(&by_index("", ""), &by_index("", change)).converges();
    let gone = "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1),(2);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id) ON DELETE CASCADE,
            q INT REFERENCES nowhere(id)); INSERT INTO c VALUES (1,1,5),(2,2,NULL);";
    let change = format!("{gone} DELETE FROM c WHERE id = 2; DELETE FROM p WHERE id = 2;");
    PackLab::new(gone, &change).converges();
}

#[test]
fn a_child_that_the_pack_does_not_know_is_found_without_foreign_keys_too() {
    let after = by_index("CREATE UNIQUE INDEX pd ON p(code);", "DELETE FROM p WHERE id = 3;");
    let lab = PackLab::new(&by_index("CREATE UNIQUE INDEX pc ON p(code);", ""), &after);
    lab.converges();
    let refused = lab.refused_after("INSERT INTO c VALUES (77, 'c');");
    assert!(format!("{:?}", refused.reasons).contains("77"), "{refused:#?}");
}

#[test]
fn rows_that_others_refer_to_are_themselves_on_the_scratch_copy() {
    // Parents that no row of the pack touches; their new definition takes no row that is made up.
    let of = |p: &str, c: &str| {
        format!(
            "CREATE TABLE g(id INTEGER PRIMARY KEY); INSERT INTO g VALUES (1),(2);
             CREATE TABLE p(k TEXT PRIMARY KEY, state INT, g INT {p});
             INSERT INTO p VALUES ('1', 5, 1), ('2', 6, 2), ('3', 7, 1);
             CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(k));
             INSERT INTO c VALUES (1, '1') {c};"
        )
    };
    let after = of("REFERENCES g(id), CHECK (state > 4 AND g IS NOT NULL)", ", (2, '2'), (3, '3')");
    PackLab::new(&of("", ""), &after).converges();
    PackLab::new(&after, &of("", "")).converges();
    let integer = after.replace("k TEXT PRIMARY KEY", "k INTEGER PRIMARY KEY");
    PackLab::new(&of("", ""), &integer).converges();
    let unique = format!("{} CREATE UNIQUE INDEX ps ON p(state);", of("", ", (2, '2'), (3, '3')"));
    PackLab::new(&of("", ""), &unique).converges();
}
