//! Known traps of packs (`p…`): order and constraints.

use deepdiff_db::apply::{DriftClass, Ending};
use deepdiff_db::pack::{Consent, PackError};

use crate::lab::sqlite3;
use crate::pack_lab::PackLab;

const PAIR: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE);
    INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c')";

fn sql(lab: &PackLab) -> String {
    std::fs::read_to_string(lab.path("change").join("migration.sql")).unwrap()
}

#[test]
fn p01_unique_swap_2() {
    let lab = PackLab::changed(
        PAIR,
        "UPDATE t SET v = NULL; UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'a' ELSE 'c' END;",
    );
    lab.converges();
    let sql = sql(&lab);
    assert!(!sql.contains("DELETE FROM"), "{sql}");
    assert!(sql.contains("\"v\" = NULL"), "{sql}");
}

#[test]
fn p02_unique_swap_3_and_chain() {
    PackLab::changed(
        PAIR,
        "UPDATE t SET v = NULL; UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'c' ELSE 'a' END;",
    )
    .converges();
    let rows = "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL UNIQUE);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000)
        INSERT INTO t SELECT i, i FROM n";
    let chain = PackLab::changed(rows, "UPDATE t SET v = -v; UPDATE t SET v = 1 - v;");
    chain.converges();
    assert!(!sql(&chain).contains("-- park"), "a chain needs no parking");
}

#[test]
fn p02_unique_ring_of_1000_not_null() {
    let rows = "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL UNIQUE);
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<999)
        INSERT INTO t SELECT i, i FROM n";
    let lab = PackLab::changed(rows, "UPDATE t SET v = -1-v; UPDATE t SET v = (-v) % 1000;");
    lab.converges();
    assert_eq!(sql(&lab).matches("-- park").count(), 1);
}

#[test]
fn p03_swap_not_null_check_reinserts() {
    let lab = PackLab::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE CHECK(v IN ('a','b')));
         INSERT INTO t VALUES (1,'a'),(2,'b');",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE CHECK(v IN ('a','b')));
         INSERT INTO t VALUES (1,'b'),(2,'a');",
    );
    lab.converges();
    assert!(sql(&lab).contains("DELETE FROM"));
}

#[test]
fn p03_swap_not_null_check_with_cascade_is_refused() {
    let schema =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE CHECK(v IN ('a','b')));
         CREATE TABLE c(id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id) ON DELETE CASCADE);";
    let lab = PackLab::new(
        &format!("{schema} INSERT INTO t VALUES (1,'a'),(2,'b'); INSERT INTO c VALUES (1,1);"),
        &format!("{schema} INSERT INTO t VALUES (1,'b'),(2,'a'); INSERT INTO c VALUES (1,1);"),
    );
    let error = lab.pack("change", &Consent::everything()).unwrap_err();
    assert!(matches!(error, PackError::Refused(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("(1)") && text.contains("(2)") && text.contains("circle"), "{text}");
    assert!(!lab.path("change").exists());
}

#[test]
fn p04_swap_with_children_keeps_them() {
    let schema = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);
        INSERT INTO c VALUES (1,1),(2,2);";
    PackLab::new(
        &format!("{schema} INSERT INTO p VALUES (1,'a'),(2,'b');"),
        &format!("{schema} INSERT INTO p VALUES (1,'b'),(2,'a');"),
    )
    .converges();
}

#[test]
fn p04_swap_of_referenced_codes() {
    let schema = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(code));
        INSERT INTO c VALUES (1,'a'),(2,'b');";
    PackLab::new(
        &format!("{schema} INSERT INTO p VALUES (1,'a'),(2,'b');"),
        &format!("{schema} INSERT INTO p VALUES (1,'b'),(2,'a');"),
    )
    .converges();
}

#[test]
fn p07_reuse_unique() {
    PackLab::changed(PAIR, "DELETE FROM t WHERE id=1; INSERT INTO t VALUES (9,'a');").converges();
}

#[test]
fn p08_move_child_drop_parent() {
    for action in ["", "ON DELETE CASCADE", "ON DELETE SET NULL", "ON DELETE RESTRICT"] {
        PackLab::changed(
            &format!(
                "CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT);
                 CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p(id) {action});
                 INSERT INTO p VALUES (1,'x'); INSERT INTO c VALUES (1,1),(2,1)"
            ),
            "INSERT INTO p VALUES (2,'y'); UPDATE c SET p=2; DELETE FROM p WHERE id=1;",
        )
        .converges();
    }
}

#[test]
fn p09_move_child_and_unique_parent_code() {
    for action in ["", "ON DELETE CASCADE", "ON DELETE RESTRICT"] {
        let schema = format!(
            "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
             CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p(id) {action});"
        );
        PackLab::new(
            &format!("{schema} INSERT INTO p VALUES (1,'x'); INSERT INTO c VALUES (1,1);"),
            &format!("{schema} INSERT INTO p VALUES (2,'x'); INSERT INTO c VALUES (1,2);"),
        )
        .converges();
    }
}

#[test]
fn p10_fk_cycle_nullable_and_p11_not_null() {
    for null in ["", "NOT NULL"] {
        let lab = PackLab::changed(
            &format!(
                "CREATE TABLE a(id INTEGER PRIMARY KEY, b INTEGER {null} REFERENCES b(id));
                 CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER {null} REFERENCES a(id));"
            ),
            "INSERT INTO a VALUES (1,1),(2,2); INSERT INTO b VALUES (1,1),(2,2);",
        );
        let manifest = lab.converges();
        assert!(manifest.migration.is_deferred);
        // A circle that goes, one that comes, and one whose rows change partners.
        let lab = PackLab::changed(
            &format!(
                "CREATE TABLE a(id INTEGER PRIMARY KEY, b INTEGER {null} REFERENCES b(id));
                 CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER {null} REFERENCES a(id));
                 INSERT INTO a VALUES (1,1),(2,2),(3,3); INSERT INTO b VALUES (1,1),(2,2),(3,3)"
            ),
            "DELETE FROM a WHERE id=1; DELETE FROM b WHERE id=1;
             INSERT INTO a VALUES (4,4); INSERT INTO b VALUES (4,4);
             UPDATE a SET b=5-b WHERE id IN (2,3); UPDATE b SET a=5-a WHERE id IN (2,3);",
        );
        assert!(lab.converges().migration.is_deferred);
    }
}

#[test]
fn p12_self_ref_tree() {
    let empty = "CREATE TABLE n(id INTEGER PRIMARY KEY, up INTEGER REFERENCES n(id));
        INSERT INTO n VALUES (1000, 1000)";
    let tree = "WITH RECURSIVE l(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM l WHERE i<40)
        INSERT INTO n SELECT i, CASE WHEN i<31 THEN i+10 END FROM l;";
    PackLab::changed(empty, tree).converges();
    PackLab::new(&format!("{empty}; {tree}"), empty).converges();
}

#[test]
fn p14_cascade_planned() {
    let lab = PackLab::changed(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);
         INSERT INTO p VALUES (1),(2); INSERT INTO c VALUES (1,1),(2,1),(3,2)",
        "PRAGMA foreign_keys=ON; DELETE FROM p WHERE id=1;",
    );
    let manifest = lab.converges();
    assert_eq!(manifest.migration.rows.deleted, 3);
}

#[test]
fn p15_cascade_unplanned() {
    let lab = PackLab::changed(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);
         INSERT INTO p VALUES (1),(2); INSERT INTO c VALUES (1,1),(2,1),(3,2)",
        "PRAGMA foreign_keys=ON; DELETE FROM p WHERE id=1;",
    );
    let outcome = lab.refused_after("INSERT INTO c VALUES (10,1),(11,1),(12,1);");
    assert_eq!(outcome.drift.len(), 3, "{outcome:#?}");
    assert!(outcome.drift.iter().all(|d| d.class == DriftClass::Referring && d.table == "c"));
}

#[test]
fn p16_update_cascade_of_a_referenced_code() {
    let schema = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(code) ON UPDATE CASCADE);";
    let lab = PackLab::new(
        &format!("{schema} INSERT INTO p VALUES (1,'a'); INSERT INTO c VALUES (1,'a'),(2,'a');"),
        &format!("{schema} INSERT INTO p VALUES (1,'z'); INSERT INTO c VALUES (1,'z'),(2,'z');"),
    );
    lab.converges();
    let outcome = lab.refused_after("INSERT INTO c VALUES (3,'a');");
    assert_eq!(outcome.outcome, Ending::RolledBack);
}

#[test]
fn p18_trigger_audit() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
        CREATE TABLE audit(what TEXT);
        INSERT INTO t VALUES (1,'a');
        CREATE TRIGGER log AFTER UPDATE ON t BEGIN INSERT INTO audit VALUES (new.v); END;";
    let dev = format!("{schema} UPDATE t SET v='b'; DELETE FROM audit;");
    let lab = PackLab::new(schema, &dev);
    let refused = lab.refused_after("");
    assert_eq!(refused.outcome, Ending::Refused);
    assert!(refused.reasons[0].reason.contains("log"), "{refused:#?}");
    let applied = lab.apply("change", "copy.db", |o| {
        o.triggers.insert("t".into());
    });
    assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
    assert_eq!(applied.side_effects.len(), 1);
    assert_eq!(
        (applied.side_effects[0].name.as_str(), applied.side_effects[0].inserted),
        ("audit", 1)
    );
}

#[test]
fn p19_trigger_that_rewrites_is_noticed() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, at TEXT);
        INSERT INTO t VALUES (1,'a','then');
        CREATE TRIGGER touch AFTER UPDATE OF v ON t BEGIN UPDATE t SET at='now' WHERE id=new.id; END;";
    let lab =
        PackLab::new(schema, &format!("{schema} UPDATE t SET v='b'; UPDATE t SET at='then';"));
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    let outcome = lab.apply("change", "copy.db", |o| {
        o.triggers.insert("t".into());
    });
    assert_eq!(outcome.outcome, Ending::RolledBack);
    assert!(outcome.reasons[0].reason.contains("at = 'now'"), "{outcome:#?}");
}

#[test]
fn p24_sequence_behind_and_ahead() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
        INSERT INTO t VALUES (10,'x')";
    let lab = PackLab::changed(
        schema,
        "INSERT INTO t VALUES (500,'y'); INSERT INTO t VALUES (600,'z'); DELETE FROM t WHERE id=600;",
    );
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
    let next = "INSERT INTO t(v) VALUES ('n'); SELECT max(id) FROM t;";
    assert_eq!(sqlite3(&lab.path("copy.db"), next).trim(), "601");
    lab.copy_prod();
    sqlite3(&lab.path("copy.db"), "UPDATE sqlite_sequence SET seq = 10000;");
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
    assert_eq!(sqlite3(&lab.path("copy.db"), next).trim(), "10001");
}

#[test]
fn p25_generated_columns_are_not_written() {
    let schema =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, v INT AS (a+1), s INT AS (a*2) STORED);
        CREATE UNIQUE INDEX i ON t(v); INSERT INTO t(id,a) VALUES (1,1),(2,2)";
    PackLab::changed(
        schema,
        "DELETE FROM t WHERE id=1; UPDATE t SET a=5; INSERT INTO t(id,a) VALUES (3,7);",
    )
    .converges();
}

#[test]
fn p37_schema_changed() {
    let lab = PackLab::changed(PAIR, "UPDATE t SET v='z' WHERE id=1;");
    let outcome = lab.refused_after("ALTER TABLE t ADD COLUMN more INT;");
    assert_eq!(outcome.outcome, Ending::Refused);
    assert!(outcome.reasons[0].object.contains("t.more"), "{outcome:#?}");
}

#[test]
fn p38_minimal_update() {
    let columns: Vec<String> = (0..40).map(|n| format!("c{n} TEXT DEFAULT 'v'")).collect();
    let prod = format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, {}); INSERT INTO t(id) VALUES (1)",
        columns.join(",")
    );
    let lab = PackLab::changed(&prod, "UPDATE t SET c7='w';");
    lab.converges();
    assert!(sql(&lab).contains("SET \"c7\" = 'w' WHERE"), "{}", sql(&lab));
}

#[test]
fn k04_key_respelled() {
    let schema = "CREATE TABLE p(k TEXT COLLATE NOCASE PRIMARY KEY, v INT);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(k));
        INSERT INTO c VALUES (1,'foo');";
    let lab = PackLab::new(
        &format!("{schema} INSERT INTO p VALUES ('Foo',1);"),
        &format!("{schema} INSERT INTO p VALUES ('foo',1);"),
    );
    let manifest = lab.converges();
    assert_eq!(manifest.migration.rows.updated, 1);
    let number = "CREATE TABLE t(k PRIMARY KEY, v INT);";
    PackLab::new(
        &format!("{number} INSERT INTO t VALUES (1,1);"),
        &format!("{number} INSERT INTO t VALUES (1.0,1);"),
    )
    .converges();
}

#[test]
fn k11_null_keys_and_k12_no_key() {
    PackLab::new(
        "CREATE TABLE t(k TEXT PRIMARY KEY, v INT);
         INSERT INTO t VALUES (NULL,1),(NULL,1),(NULL,2),('a',1);",
        "CREATE TABLE t(k TEXT PRIMARY KEY, v INT);
         INSERT INTO t VALUES (NULL,1),(NULL,3),(NULL,2),('a',2);",
    )
    .converges();
    let manifest = PackLab::new(
        "CREATE TABLE t(v TEXT, w); INSERT INTO t VALUES ('a',1),('a',1),('a',1),('b',2);",
        "CREATE TABLE t(v TEXT, w); INSERT INTO t VALUES ('a',1),('b',2),('b',2),('c',x'00');",
    )
    .converges();
    assert_eq!((manifest.migration.rows.deleted, manifest.migration.rows.inserted), (2, 2));
    PackLab::new(
        "CREATE TABLE t(rowid TEXT, oid TEXT); INSERT INTO t VALUES ('a','x'),('a','x');",
        "CREATE TABLE t(rowid TEXT, oid TEXT); INSERT INTO t VALUES ('a','x'),('b','x'),('b','x');",
    )
    .converges();
}

#[test]
fn t32_quote_storm_and_specials() {
    let storm = "x'' \\ \" ` $$ :x ? ; -- \\! \u{2028} é \n.shell echo";
    let schema = "CREATE TABLE \"a\"\"b; --\"(\"i d\" INTEGER PRIMARY KEY, \"v'\"\"\" TEXT, n);";
    PackLab::new(
        &format!("{schema} INSERT INTO \"a\"\"b; --\" VALUES (1,'{storm}',-0.0),(2,'b',9e999);"),
        &format!(
            "{schema} INSERT INTO \"a\"\"b; --\" VALUES (1,'{storm}!',0.1+0.2),
             (3,CAST(x'610062' AS TEXT),x'00ff'),(4,CAST(x'ff' AS TEXT),-9e999);"
        ),
    )
    .converges();
}

#[test]
fn conflict_clauses_do_not_replace_rows() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, v TEXT UNIQUE ON CONFLICT IGNORE);
        INSERT INTO t VALUES (1,'a'),(2,'b')";
    let lab =
        PackLab::changed(schema, "UPDATE t SET v='c' WHERE id=1; INSERT INTO t VALUES (3,'z');");
    lab.converges();
    let outcome = lab.refused_after("INSERT INTO t VALUES (4,'z');");
    assert_eq!(outcome.outcome, Ending::RolledBack);
    assert!(outcome.reasons[0].reason.contains("UNIQUE"), "{outcome:#?}");
}

#[test]
fn a_check_that_only_prod_has_names_the_row() {
    let lab = PackLab::changed(PAIR, "INSERT INTO t VALUES (9,'q');");
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    // The fingerprint binds, so a constraint must be missing from it to get this far: a unique
    // value that another row took.
    sqlite3(&lab.path("copy.db"), "INSERT INTO t VALUES (77,'q');");
    let outcome = lab.apply("change", "copy.db", |_| {});
    assert_eq!(outcome.outcome, Ending::RolledBack);
    assert_eq!(outcome.reasons[0].row.as_deref(), Some("(9)"), "{outcome:#?}");
}

#[test]
fn a_circle_through_two_keys_one_of_them_to_null() {
    let schema =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, rank INT UNIQUE);";
    PackLab::new(
        &format!("{schema} INSERT INTO p VALUES (5,'k1',NULL),(1,'k3',1);"),
        &format!("{schema} INSERT INTO p VALUES (5,'k0',1),(1,'k1',NULL);"),
    )
    .converges();
}

#[test]
fn a_parent_by_another_key_than_its_rowid_is_stood_in_for() {
    let schema = "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
        CREATE TABLE c(id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code)); INSERT INTO p VALUES (0,'k')";
    PackLab::changed(schema, "INSERT INTO p VALUES (1,'l'); INSERT INTO c VALUES (1,'k');")
        .converges();
}

#[test]
fn a_swap_through_a_unique_expression_is_refused_by_name() {
    let schema =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE UNIQUE INDEX e ON t(lower(v));
        INSERT INTO t VALUES (1,'A'),(2,'B'),(3,'C')";
    let lab = PackLab::new(
        schema,
        &format!(
            "{schema}; UPDATE t SET v = v || '_'; UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'a' ELSE 'c' END;"
        ),
    );
    let error = lab.pack("change", &Consent::everything()).unwrap_err();
    assert!(matches!(error, PackError::NotProved { .. }), "{error}");
    let text = error.to_string();
    for part in ["update t (1)", "index 'e'", "UNIQUE"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!lab.path("change").exists());
    PackLab::changed(schema, "UPDATE t SET v='D' WHERE id=3; INSERT INTO t VALUES (4,'x');")
        .converges();
}
