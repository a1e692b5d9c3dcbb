//! SQLite's schema language against SQLite: whatever schema becomes whatever other, and the rows
//! are as they were.

use deepdiff_db::engine::Session;
use deepdiff_db::engine::ddl::{Ddl, Schema};
use deepdiff_db::engine::sqlite::SqliteDdl;
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, ObjectName};
use proptest::prelude::*;

use crate::sqlite_database::{TestDatabase, block_on, lines, scratch, shared_data};
use crate::sqlite_ddl_lab::{Texts, becomes, catalog, run, schema, statements};
use crate::sqlite_schemas::{ODD_DEFINITIONS, table};

/// The catalog of a schema; `None` where SQLite refuses it.
pub fn catalog_of(sql: &str) -> Option<Catalog> {
    let mut target = scratch("");
    block_on(async {
        let session = target.session().await.unwrap();
        session.execute("PRAGMA foreign_keys = OFF").unwrap();
        session.execute_script(sql).ok()?;
        Some(catalog(&session))
    })
}

/// From one schema to the other and back, and from nothing to it and back, by texts and by facts.
#[track_caller]
fn goes_both_ways(a: &str, b: &str) -> Vec<String> {
    let (wanted_a, wanted_b) = (catalog_of(a).unwrap(), catalog_of(b).unwrap());
    let mut first = Vec::new();
    for texts in [Texts::Wanted, Texts::None] {
        with(a, |session| {
            let there = becomes(session, &wanted_b, texts);
            becomes(session, &wanted_a, texts);
            if texts == Texts::Wanted {
                first = there;
            }
        });
    }
    first
}

/// A scratch database made by a script, foreign keys enforced.
pub fn with<T>(sql: &str, look: impl FnOnce(&Session<'_>) -> T) -> T {
    let mut target = scratch("");
    block_on(async {
        let session = target.session().await.unwrap();
        session.execute("PRAGMA foreign_keys = OFF").unwrap();
        session.execute_script(sql).unwrap();
        session.execute("PRAGMA foreign_keys = ON").unwrap();
        look(&session)
    })
}

/// Whether SQLite takes a table called `t`, and can insert into it at all.
fn takes_rows(sql: &str) -> bool {
    catalog_of(sql).is_some()
        && with(sql, |session| match session.execute("INSERT INTO t DEFAULT VALUES") {
            Err(error) => !error.to_string().contains("generated column loop"),
            Ok(_) => true,
        })
}

/// The rows of a query, each as one text.
fn query(database: &TestDatabase, sql: &str) -> Vec<String> {
    use sqlx::{AssertSqlSafe, Connection, Row};
    block_on(async {
        let mut connection = database.connect().await;
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await;
        connection.close().await.unwrap();
        rows.unwrap().iter().map(|row| row.get::<String, _>(0)).collect()
    })
}

/// Makes a database of `before` that of `after`, whose rows are the same where both have them.
#[track_caller]
fn changed(before: &str, after: &str) -> (TestDatabase, Vec<String>) {
    let database = TestDatabase::new(before);
    let wanted = catalog_of(after).unwrap();
    let statements = block_on(async {
        let mut target = database.target().await;
        let statements = {
            let session = target.session().await.unwrap();
            becomes(&session, &wanted, Texts::Wanted)
        };
        target.close().await.unwrap();
        statements
    });
    (database, statements)
}

/// Why a database of `before` does not become `after`; nothing of it is changed then.
#[track_caller]
fn refused(before: &str, after: &str) -> String {
    let database = TestDatabase::new(before);
    let wanted = catalog_of(after).unwrap();
    block_on(async {
        let mut target = database.target().await;
        let session = target.session().await.unwrap();
        let from = catalog(&session);
        let (from_schema, to) = (schema(&from, Texts::None), schema(&wanted, Texts::Wanted));
        let refusal =
            statements(&from_schema, &to).and_then(|all| run(&session, &all)).unwrap_err();
        assert_eq!(lines(&catalog(&session).facts), lines(&from.facts));
        refusal
    })
}

const P: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT);";

#[test]
fn every_odd_definition_comes_from_nothing_and_goes() {
    for definition in ODD_DEFINITIONS {
        goes_both_ways("", definition);
    }
}

#[test]
fn every_odd_definition_becomes_the_next() {
    for pair in ODD_DEFINITIONS.windows(2) {
        goes_both_ways(pair[0], pair[1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_table_becomes_any_other(a in table(), b in table()) {
        if takes_rows(&a) && takes_rows(&b) {
            goes_both_ways(&a, &b);
        }
    }
}

#[test]
fn every_pair_of_the_corpus_goes_both_ways() {
    let Some(data) = shared_data() else { return };
    let text = std::fs::read_to_string(data.join("schema-pairs/sqldef.jsonl")).unwrap();
    let mut gone = 0;
    for line in text.lines() {
        let pair: serde_json::Value = serde_json::from_str(line).unwrap();
        if pair["engine"] != "sqlite" {
            continue;
        }
        let side = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
        let (current, desired) = (side("current"), side("desired"));
        if catalog_of(&current).is_some() && catalog_of(&desired).is_some() {
            goes_both_ways(&current, &desired);
            gone += 1;
        }
    }
    assert!(gone > 50, "{gone}");
}

#[test]
fn s1_a_view_on_a_table_stands_while_it_is_built_anew() {
    let view = "CREATE VIEW v AS SELECT n FROM p;";
    let (database, statements) = changed(
        &format!("{P}{view} INSERT INTO p VALUES (1,'a'),(2,'b')"),
        &format!("CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT NOT NULL);{view}"),
    );
    assert!(!statements.iter().any(|s| s.contains("VIEW")), "{statements:#?}");
    assert_eq!(query(&database, "SELECT n FROM v"), ["a", "b"]);
}

#[test]
fn s2_a_trigger_of_another_table_stands_and_fires_afterwards() {
    let rest = "CREATE TABLE c(x); CREATE TRIGGER t AFTER INSERT ON c BEGIN INSERT INTO p(n) VALUES (new.x); END;";
    let (database, statements) = changed(
        &format!("{P}{rest} INSERT INTO c VALUES ('a')"),
        &format!("CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT UNIQUE);{rest}"),
    );
    assert!(!statements.iter().any(|s| s.contains("TRIGGER")), "{statements:#?}");
    database.run("INSERT INTO c VALUES ('b')");
    assert_eq!(query(&database, "SELECT n FROM p ORDER BY n"), ["a", "b"]);
}

#[test]
fn s3_triggers_of_the_table_and_of_views_on_it_are_there_afterwards() {
    let rest = "CREATE TRIGGER own AFTER INSERT ON p BEGIN UPDATE p SET n = 'own' WHERE id = new.id; END;
        CREATE VIEW v AS SELECT * FROM p;
        CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO p(n) VALUES ('instead'); END;";
    let (database, _) = changed(
        &format!("{P}{rest}"),
        &format!("CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT NOT NULL);{rest}"),
    );
    database.run("INSERT INTO v(n) VALUES ('x')");
    assert_eq!(query(&database, "SELECT n FROM p"), ["own"]);
}

#[test]
fn s4_children_under_a_cascade_keep_their_rows() {
    let child = "CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id) ON DELETE CASCADE);";
    let (database, _) = changed(
        &format!("{P}{child} INSERT INTO p VALUES (1,'a'); INSERT INTO c VALUES (1,1),(2,1)"),
        &format!("CREATE TABLE p(id INTEGER PRIMARY KEY, n VARCHAR(10));{child}"),
    );
    assert_eq!(query(&database, "SELECT CAST(count(*) AS TEXT) FROM c"), ["2"]);
    let text = query(&database, "SELECT sql FROM sqlite_schema WHERE name = 'c'");
    assert!(text[0].contains("REFERENCES p(id)"), "{text:?}");
}

#[test]
fn s5_autoincrement_never_goes_back() {
    let before = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t(a) VALUES (1),(2),(3); DELETE FROM t WHERE id > 1;";
    for (rows, expected) in
        [("", "3"), ("DELETE FROM t", "3"), ("DELETE FROM sqlite_sequence", "1")]
    {
        for check in ["a > 0", "t.a > 0"] {
            let (database, _) = changed(
                &format!("{before}{rows}"),
                &format!(
                    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a, CHECK ({check}))"
                ),
            );
            let found = query(&database, "SELECT name || seq FROM sqlite_sequence");
            assert_eq!(found, [format!("t{expected}")], "{rows} {check}");
        }
    }
}

#[test]
fn s6_a_hidden_rowid_is_kept() {
    for (columns, rowid) in
        [("a", "rowid"), ("rowid TEXT, a", "_rowid_"), ("rowid TEXT, \"_ROWID_\", a", "oid")]
    {
        for check in ["a > 0", "t.a > 0"] {
            let before = format!(
                "CREATE TABLE t({columns}); INSERT INTO t(a, {rowid}) VALUES (1, 7), (2, 5), (3, -9)"
            );
            let (database, _) =
                changed(&before, &format!("CREATE TABLE t({columns}, CHECK ({check}))"));
            assert_eq!(
                query(&database, &format!("SELECT {rowid} || ':' || a FROM t ORDER BY a")),
                ["7:1", "5:2", "-9:3"]
            );
        }
    }
}

#[test]
fn s7_strict_refuses_rows_that_do_not_fit_and_everything_is_as_it_was() {
    let refusal = refused(
        "CREATE TABLE t(a INT); CREATE TABLE u(b); INSERT INTO t VALUES (1), ('no'); INSERT INTO u VALUES (1)",
        "CREATE TABLE t(a INT) STRICT; CREATE TABLE u(b TEXT)",
    );
    assert!(refusal.contains("cannot store TEXT value in INT column"), "{refusal}");
}

#[test]
fn s8_without_rowid_comes_and_goes() {
    let rows = "INSERT INTO t VALUES ('b', 1), ('a', 2)";
    let with = "CREATE TABLE t(k TEXT PRIMARY KEY, v INT);";
    let without = "CREATE TABLE t(k TEXT PRIMARY KEY, v INT) WITHOUT ROWID;";
    for (before, after) in [(with, without), (without, with)] {
        let (database, _) = changed(&format!("{before}{rows}"), after);
        assert_eq!(query(&database, "SELECT k || v FROM t ORDER BY k"), ["a2", "b1"]);
    }
}

#[test]
fn s9_a_collation_under_which_keys_are_equal_is_refused() {
    let refusal = refused(
        "CREATE TABLE t(a TEXT UNIQUE); INSERT INTO t VALUES ('x'), ('X')",
        "CREATE TABLE t(a TEXT UNIQUE ON CONFLICT REPLACE COLLATE NOCASE)",
    );
    assert!(refusal.contains("UNIQUE constraint failed"), "{refusal}");
}

#[test]
fn s10_conflict_clauses_deferral_match_and_names_are_kept() {
    goes_both_ways(
        "CREATE TABLE t(a INT, b INT)",
        "CREATE TABLE t(a INT CONSTRAINT k PRIMARY KEY ON CONFLICT REPLACE,
            b INT CONSTRAINT nn NOT NULL ON CONFLICT IGNORE CONSTRAINT u UNIQUE ON CONFLICT ROLLBACK,
            c INT CONSTRAINT f REFERENCES t(a) ON DELETE SET NULL ON UPDATE RESTRICT MATCH PARTIAL DEFERRABLE INITIALLY DEFERRED,
            CONSTRAINT ch CHECK (a > b) ON CONFLICT FAIL, UNIQUE (c, a DESC) ON CONFLICT FAIL)",
    );
}

#[test]
fn s11_generated_columns_come_change_and_go() {
    let plain = "CREATE TABLE t(a INT, b INT);";
    let rows = "INSERT INTO t(a) VALUES (1), (2);";
    for generated in ["b INT AS (a * 2) STORED", "b INT AS (a * 2)", "b INT AS (a + 1) NOT NULL"] {
        let after = format!("CREATE TABLE t(a INT, {generated});");
        let (database, _) = changed(&format!("{plain}{rows}"), &after);
        assert_eq!(query(&database, "SELECT CAST(sum(a) AS TEXT) FROM t"), ["3"]);
        // What was generated is no data: the column is empty when it becomes one that holds some.
        let (database, _) = changed(&format!("{after}{rows}"), plain);
        assert_eq!(query(&database, "SELECT a || coalesce(b, '-') FROM t"), ["1-", "2-"]);
        goes_both_ways("CREATE TABLE t(a INT)", &after);
    }
}

#[test]
fn s12_the_texts_of_the_wanted_database_are_taken_with_quotes_and_comments() {
    let wanted = "CREATE TABLE [we \"ird](a TEXT DEFAULT \"dq\" /* why */, `b c` INT DEFAULT word -- so\n, [d]\n)";
    let (database, statements) = changed(
        "CREATE TABLE \"we \"\"ird\"(a TEXT, \"b c\" INT, d); INSERT INTO [we \"ird] VALUES ('x', 1, 2)",
        wanted,
    );
    assert!(statements[0].contains("/* why */"), "{statements:#?}");
    assert_eq!(
        query(&database, "SELECT sql FROM sqlite_schema"),
        [wanted.replace("[we \"ird]", "\"we \"\"ird\"")]
    );
    database.run("INSERT INTO [we \"ird] DEFAULT VALUES");
    assert_eq!(query(&database, "SELECT a || \"b c\" FROM [we \"ird] WHERE a <> 'x'"), ["dqword"]);
}

#[test]
fn s13_virtual_tables_are_made_and_never_dropped() {
    let fts = "CREATE TABLE t(a TEXT, b TEXT); CREATE VIRTUAL TABLE f USING fts5(a, content='t');";
    let (database, statements) = changed("CREATE TABLE t(a TEXT)", fts);
    assert!(statements.iter().all(|s| !s.contains("f_data")), "{statements:#?}");
    database.run(
        "INSERT INTO t(rowid, a) VALUES (4, 'word'); INSERT INTO f(rowid, a) VALUES (4, 'word')",
    );
    // A rebuild of the content leaves the index right.
    let wanted = catalog_of(&fts.replace("b TEXT", "b TEXT NOT NULL DEFAULT ''")).unwrap();
    block_on(async {
        let mut target = database.target().await;
        let session = target.session().await.unwrap();
        session.execute("UPDATE t SET b = ''").unwrap();
        becomes(&session, &wanted, Texts::Wanted);
    });
    assert_eq!(
        query(&database, "SELECT t.a FROM f JOIN t ON t.rowid = f.rowid WHERE f MATCH 'word'"),
        ["word"]
    );
    let refusal = refused(fts, "CREATE TABLE t(a TEXT, b TEXT)");
    assert!(refusal.contains("virtual table `f` are not captured"), "{refusal}");
}

#[test]
fn s14_partial_and_expression_indexes_follow_their_columns() {
    goes_both_ways(
        "CREATE TABLE t(a TEXT, b INT); CREATE INDEX i ON t(lower(a), b) WHERE b > 0; CREATE INDEX j ON t(b)",
        "CREATE TABLE t(name TEXT, b INT); CREATE INDEX i ON t(lower(name), b) WHERE b > 0; CREATE INDEX j ON t(b)",
    );
}

#[test]
fn s15_tables_that_refer_to_themselves_and_to_each_other() {
    let of = |a: &str, b: &str| {
        format!(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, up INT REFERENCES a(id) ON DELETE CASCADE, b INT REFERENCES b(id) {a});
         CREATE TABLE b(id INTEGER PRIMARY KEY, a INT REFERENCES a(id) ON DELETE SET NULL {b});"
    )
    };
    let rows = "INSERT INTO a VALUES (1, NULL, 1), (2, 1, 1); INSERT INTO b VALUES (1, 2);";
    let (database, _) = changed(&format!("{}{rows}", of("", "")), &of("NOT NULL", "NOT NULL"));
    assert_eq!(query(&database, "SELECT id || coalesce(up, '-') || b FROM a"), ["1-1", "211"]);
    assert_eq!(query(&database, "SELECT id || a FROM b"), ["12"]);
    for table in ["a", "b"] {
        let text =
            &query(&database, &format!("SELECT sql FROM sqlite_schema WHERE name = '{table}'"))[0];
        assert!(text.contains("REFERENCES a(id)") && !text.contains("_deepdiff"), "{text}");
    }
}

#[test]
fn s16_statistics_and_sequences_are_no_facts() {
    let (database, statements) = changed(
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE INDEX i ON t(a); INSERT INTO t(a) VALUES (1); ANALYZE",
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE INDEX i ON t(a)",
    );
    assert_eq!(statements, Vec::<String>::new());
    drop(database);
}

#[test]
fn s17_types_of_one_affinity_converge_in_their_text() {
    let (database, _) = changed(
        "CREATE TABLE t(a VARCHAR(10)); INSERT INTO t VALUES ('longer than ten characters')",
        "CREATE TABLE t(a VARCHAR(20))",
    );
    assert_eq!(query(&database, "SELECT a FROM t"), ["longer than ten characters"]);
}

#[test]
fn s20_settings_change_in_the_transaction_and_go_back_with_it() {
    let statements = goes_both_ways(
        "PRAGMA user_version = 3",
        "PRAGMA user_version = -7; PRAGMA application_id = 99",
    );
    assert!(statements.contains(&"PRAGMA user_version = -7".to_owned()), "{statements:?}");
    with("PRAGMA user_version = 3", |session| {
        let before = catalog(session);
        session.begin_rebuild().unwrap();
        session.execute("PRAGMA user_version = 8").unwrap();
        session.execute("PRAGMA application_id = 8").unwrap();
        assert_ne!(lines(&catalog(session).facts), lines(&before.facts));
        session.rollback().unwrap();
        assert_eq!(lines(&catalog(session).facts), lines(&before.facts));
    });
    let refusal = refused(
        "PRAGMA auto_vacuum = 0; CREATE TABLE t(a)",
        "PRAGMA auto_vacuum = 1; CREATE TABLE t(a)",
    );
    assert!(refusal.contains("`auto_vacuum` of a database is fixed"), "{refusal}");
}

#[test]
fn s22_the_order_of_a_key_without_rowid_changes() {
    let (database, _) = changed(
        "CREATE TABLE t(a TEXT, b TEXT, c, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO t VALUES ('x','2',1), ('y','1',2)",
        "CREATE TABLE t(a TEXT, b TEXT, c, PRIMARY KEY (b DESC, a COLLATE NOCASE)) WITHOUT ROWID",
    );
    assert_eq!(query(&database, "SELECT a || b || c FROM t ORDER BY c"), ["x21", "y12"]);
}

#[test]
fn s23_integer_primary_key_desc_is_no_rowid() {
    goes_both_ways(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, a)",
    );
    goes_both_ways(
        "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, a)",
        "CREATE TABLE t(id INTEGER, a, PRIMARY KEY (id DESC))",
    );
    let (database, _) = changed(
        "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, a); INSERT INTO t(rowid, id, a) VALUES (70, 1, 'x')",
        "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, a TEXT)",
    );
    assert_eq!(query(&database, "SELECT rowid || ':' || id FROM t"), ["70:1"]);
}

#[test]
fn s24_views_and_triggers_that_are_invalid_already_are_in_nobodys_way() {
    let broken = "CREATE VIEW broken AS SELECT gone FROM nowhere;
        CREATE TRIGGER lost AFTER INSERT ON q BEGIN INSERT INTO nowhere VALUES (1); END;";
    goes_both_ways(
        &format!("CREATE TABLE q(a); CREATE TABLE t(a, b);{broken}"),
        &format!("CREATE TABLE q(a); CREATE TABLE t(a INT, c DEFAULT 4);{broken}"),
    );
    goes_both_ways(
        &format!("CREATE TABLE q(a); CREATE TABLE t(a, b);{broken}"),
        &format!("CREATE TABLE q(a); CREATE TABLE t(a);{broken}"),
    );
}

#[test]
fn columns_are_added_and_dropped_in_place_where_sqlite_can() {
    let rows = "INSERT INTO t(a) VALUES (1), (2);";
    for (column, is_native) in [
        ("b", true),
        ("b TEXT DEFAULT 'it''s'", true),
        ("b INT NOT NULL DEFAULT -1", true),
        ("b INT AS (a + 1)", true),
        ("b DEFAULT x'00ff' COLLATE NOCASE", true),
        ("b DEFAULT word", false),
        ("b DEFAULT (1 + 1)", false),
        ("b DEFAULT CURRENT_TIMESTAMP", false),
        ("b UNIQUE", false),
        ("b CHECK (b > 0)", false),
        ("b INT AS (a + 1) STORED", false),
    ] {
        let (before, after) =
            ("CREATE TABLE t(a INT);", format!("CREATE TABLE t(a INT, {column});"));
        let (database, statements) = changed(&format!("{before}{rows}"), &after);
        let is_rebuilt = statements.iter().any(|s| s.contains("RENAME"));
        assert_eq!(is_rebuilt, !is_native, "{column}: {statements:#?}");
        assert_eq!(query(&database, "SELECT CAST(a AS TEXT) FROM t"), ["1", "2"], "{column}");
        let (_, statements) = changed(&format!("{after}{rows}"), before);
        let is_dropped = statements.iter().any(|s| s.contains("DROP COLUMN"));
        assert_eq!(is_dropped, !column.contains("UNIQUE") && !column.contains("CHECK"), "{column}");
    }
}

#[test]
fn new_columns_hold_what_planning_takes_them_to_hold() {
    let before = "CREATE TABLE t(a INT); INSERT INTO t VALUES (1);";
    for (column, expected) in [
        ("b DEFAULT word", "text:word"),
        ("b INT DEFAULT '7'", "integer:7"),
        ("b TEXT DEFAULT 7", "text:7"),
        ("b DEFAULT (1 + 1)", "null:"),
        ("b DEFAULT CURRENT_TIMESTAMP", "null:"),
        ("b REAL DEFAULT 2", "real:2.0"),
    ] {
        for check in ["a > 0", "t.a > 0"] {
            let (database, _) =
                changed(before, &format!("CREATE TABLE t(a INT, {column}, CHECK ({check}))"));
            let found = query(&database, "SELECT typeof(b) || ':' || coalesce(b, '') FROM t");
            assert_eq!(found, [expected], "{column}");
        }
    }
}

#[test]
fn names_cannot_break_out_of_statements() {
    for name in ["a\"b", "x'; DROP TABLE t; --", "]", "`", "ü\n🎉", "$$", "select", "sqlite", " "]
    {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let a =
            format!("CREATE TABLE {quoted}({quoted} INT); CREATE INDEX i ON {quoted}({quoted})");
        let b = format!(
            "CREATE TABLE {quoted}({quoted} INTEGER PRIMARY KEY AUTOINCREMENT, {quoted}2 TEXT CONSTRAINT {quoted} CHECK ({quoted} > 0),
               FOREIGN KEY ({quoted}) REFERENCES {quoted}({quoted}));
             CREATE VIEW v({quoted}) AS SELECT 1 AS {quoted};
             CREATE TRIGGER {quoted} INSTEAD OF UPDATE OF {quoted} ON v BEGIN DELETE FROM {quoted}; END"
        ).replace(&format!("{quoted}2"), "other");
        goes_both_ways(&a, &b);
    }
}

#[test]
fn a_name_that_is_taken_is_not_taken_for_the_new_table() {
    let other = "CREATE TABLE \"_deepdiff_new_t\"(x); CREATE VIEW _deepdiff_new_t_2 AS SELECT 1;";
    goes_both_ways(&format!("{other}CREATE TABLE t(a)"), &format!("{other}CREATE TABLE t(a INT)"));
}

#[test]
fn what_is_left_out_of_a_rebuild_is_written_from_facts() {
    // The wanted text lacks a column that stays because its drop was not allowed.
    let before = catalog_of("CREATE TABLE t(a, legacy TEXT DEFAULT 'x')").unwrap();
    let wanted = catalog_of("CREATE TABLE t(a NOT NULL)").unwrap();
    let mut facts = wanted.facts.clone();
    facts.extend(before.facts.iter().filter(|fact| fact.id.part == "legacy").cloned());
    facts.sort_by(|a, b| a.id.cmp(&b.id));
    let from = schema(&before, Texts::None);
    let mut to = Schema::new(&facts);
    for definition in &wanted.definitions {
        to.define(definition.kind, &definition.object, &definition.text);
    }
    let table = ObjectName::bare("t");
    let statements = SqliteDdl.rebuild(&table, &from, &to).unwrap();
    with("CREATE TABLE t(a, legacy TEXT DEFAULT 'x')", |session| {
        let texts: Vec<String> = statements
            .iter()
            .map(|statement| match statement {
                deepdiff_db::engine::ddl::Statement::Whole(text) => text.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        run(session, &texts).unwrap();
        let found = session.catalog(&Scope::default()).unwrap();
        assert_eq!(lines(&found.facts), lines(&facts));
    });
}
