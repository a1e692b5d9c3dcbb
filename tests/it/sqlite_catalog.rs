//! The catalog of a SQLite database: facts, row keys, and what is not captured.

use deepdiff_db::engine::EngineError;
use deepdiff_db::engine::{OpenOptions, Source};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, KeyMatching, RowKey, RowKeySource, Value};

use crate::sqlite_database::{TestDatabase, block_on, lines, spec};

fn facts_of(sql: &str) -> String {
    let catalog = TestDatabase::new(sql).catalog();
    assert_eq!(unknown(&catalog), Vec::<String>::new());
    let facts: Vec<_> = catalog
        .facts
        .into_iter()
        .filter(|fact| fact.id.kind != deepdiff_db::model::ObjectKind::Setting)
        .collect();
    lines(&facts)
}

fn unknown(catalog: &Catalog) -> Vec<String> {
    catalog
        .not_captured
        .iter()
        .filter(|left_out| left_out.is_unknown)
        .map(|left_out| format!("{} {}: {}", left_out.kind, left_out.name, left_out.reason))
        .collect()
}

fn not_captured(catalog: &Catalog) -> Vec<String> {
    catalog
        .not_captured
        .iter()
        .map(|left_out| format!("{} {}", left_out.kind, left_out.name))
        .collect()
}

fn key_of(sql: &str) -> RowKey {
    spec(&TestDatabase::new(sql).catalog(), "t").key.clone()
}

fn key_names(sql: &str) -> Vec<String> {
    key_of(sql).column_names().into_iter().map(str::to_owned).collect()
}

#[test]
fn every_part_of_a_schema_is_a_fact() {
    let facts = facts_of(
        r#"
        CREATE TABLE parent(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT COLLATE NOCASE UNIQUE);
        CREATE TABLE child( -- a comment
            "a b" VARCHAR ( 10 ) NOT NULL ON CONFLICT REPLACE DEFAULT 'x''y',
            b DECIMAL(10,2) CONSTRAINT positive CHECK (b>0) DEFAULT (1+1),
            c INT CONSTRAINT named NOT NULL REFERENCES parent ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            d REAL AS (b * 2) STORED, e TEXT GENERATED ALWAYS AS (upper("a b")) VIRTUAL,
            PRIMARY KEY ("a b" COLLATE RTRIM DESC, b) ON CONFLICT IGNORE,
            CONSTRAINT uq UNIQUE (c, b DESC), UNIQUE(b),
            FOREIGN KEY (c) REFERENCES parent(id) ON UPDATE SET NULL MATCH FULL,
            CHECK (c /* why */ <> 5), CHECK (c <> 5)
        ) WITHOUT ROWID, STRICT;
        CREATE UNIQUE INDEX i ON child(lower("a b") DESC, c COLLATE NOCASE) WHERE c>1;
        CREATE VIEW v(x) AS SELECT "a b" /* c */ FROM child;
        CREATE TRIGGER tr AFTER UPDATE OF b, c ON child WHEN new.b > old.b BEGIN
            INSERT INTO parent(code) VALUES (new.b); -- note
        END;
        "#
        .replace("VARCHAR ( 10 )", "TEXT")
        .replace("DECIMAL(10,2)", "REAL")
        .as_str(),
    );
    insta::assert_snapshot!(facts, @r#"
    table child strict without-rowid
    table parent
    column child.a b default=<'x''y'> not-null not-null-conflict=<REPLACE> type=<TEXT>
    column child.b default=<1 + 1> type=<REAL>
    column child.c not-null not-null-name=<named> type=<INT>
    column child.d generated=<b * 2> stored type=<REAL>
    column child.e generated=<upper("a b")> type=<TEXT>
    column parent.code collation=<NOCASE> type=<TEXT>
    column parent.id type=<INTEGER>
    primary-key child collations=[RTRIM | BINARY] columns=[a b | b] conflict=<IGNORE> orders=[DESC | ASC]
    primary-key parent autoincrement columns=[id] rowid-alias
    unique child.(b) columns=[b]
    unique child.uq columns=[c | b] name=<uq> orders=[ASC | DESC]
    unique parent.(code) collations=[NOCASE] columns=[code]
    check child.(c <> 5) expression=<c <> 5>
    check child.(c <> 5) #2 expression=<c <> 5>
    check child.positive expression=<b > 0> name=<positive>
    foreign-key child.(c) REFERENCES parent columns=[c] initially-deferred on-delete=<CASCADE> table=<parent> -> parent
    foreign-key child.(c) REFERENCES parent #2 columns=[c] match=<FULL> on-update=<SET NULL> referenced-columns=[id] table=<parent> -> parent
    index i collations=[BINARY | NOCASE] columns=[lower("a b") | c] orders=[DESC | ASC] table=<child> terms=[expression | column] unique where=<c > 1> -> child
    view v columns=[x] query=<SELECT "a b" FROM child>
    trigger tr body=<BEGIN INSERT INTO parent(code) VALUES (new.b); END> columns=[b | c] event=<UPDATE> table=<child> timing=<AFTER> when=<new.b > old.b> -> child
    "#);
}

#[test]
fn a_constraint_is_the_same_fact_of_a_column_and_of_the_table() {
    let by_column = facts_of(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c INT CHECK (c>1), d INT REFERENCES p(id));",
    );
    let by_table = facts_of(
        "CREATE TABLE [p](`id` INTEGER, PRIMARY KEY(id ASC));
         CREATE TABLE \"t\"('a' INTEGER, b TEXT, c INT, d INT,
           FOREIGN KEY(d) REFERENCES p(ID) , CHECK(c > 1) UNIQUE (B) PRIMARY KEY (A));",
    );
    // The name of a referenced column stays as it is written.
    assert_eq!(by_column, by_table.replace("[ID]", "[id]"));
}

#[test]
fn facts_and_keys_do_not_depend_on_the_order_of_columns_or_constraints() {
    let first = TestDatabase::new(
        "CREATE TABLE t(a INT NOT NULL, b INT NOT NULL, UNIQUE(a), UNIQUE(b), CHECK(a>0), CHECK(b>0),
           CONSTRAINT x CHECK (a > 1), CONSTRAINT x CHECK (a > 2));",
    );
    let second = TestDatabase::new(
        "CREATE TABLE t(b INT NOT NULL, a INT NOT NULL, CONSTRAINT x CHECK (a > 2), CHECK(b>0),
           CONSTRAINT x CHECK (a > 1), CHECK(a>0), UNIQUE(b), UNIQUE(a));",
    );
    let (first, second) = (first.catalog(), second.catalog());
    assert_eq!(first.facts, second.facts);
    assert_eq!(spec(&first, "t").key, spec(&second, "t").key);
    assert_eq!(spec(&first, "t").columns, spec(&second, "t").columns);
    assert_eq!(spec(&first, "t").column_order, ["a", "b"]);
    assert_eq!(spec(&second, "t").column_order, ["b", "a"]);
}

#[test]
fn altered_tables_are_understood() {
    let altered = facts_of(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE old(x INT, gone TEXT, y TEXT CHECK (y <> ''));
         ALTER TABLE old ADD COLUMN z REAL NOT NULL DEFAULT -1.5;
         ALTER TABLE old ADD COLUMN r INT REFERENCES p(id) ON DELETE SET DEFAULT;
         ALTER TABLE old DROP COLUMN gone;
         ALTER TABLE old RENAME COLUMN x TO w;
         ALTER TABLE old RENAME TO \"new\";",
    );
    let direct = facts_of(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE new(w INT, y TEXT CHECK (y <> ''), z REAL NOT NULL DEFAULT -1.5,
           r INT REFERENCES p(id) ON DELETE SET DEFAULT);",
    );
    assert_eq!(altered, direct);
}

#[test]
fn create_table_as_is_understood() {
    let facts = facts_of(
        "CREATE TABLE s(a INTEGER, b VARCHAR(10), c REAL, d, e NUMERIC);
         CREATE TABLE t AS SELECT a, b AS \"odd \"\"name\", c, d, e, a+1, 'x' FROM s;",
    );
    assert!(facts.contains("column t.odd \"name type=<TEXT>"), "{facts}");
}

#[test]
fn s23_integer_primary_key_and_its_desc_trap() {
    let alias = |sql: &str| {
        let database = TestDatabase::new(sql);
        let catalog = database.catalog();
        let table = spec(&catalog, "t").clone();
        let RowKey::Columns { may_be_null, source, .. } = table.key else {
            panic!("no key: {sql}");
        };
        assert_eq!(source, RowKeySource::PrimaryKey);
        (table.reads_in_key_order, may_be_null, lines(&catalog.facts).contains("rowid-alias"))
    };
    assert_eq!(alias("CREATE TABLE t(id INTEGER PRIMARY KEY)"), (true, false, true));
    assert_eq!(alias("CREATE TABLE t(id INTEGER PRIMARY KEY DESC)"), (false, true, false));
    assert_eq!(alias("CREATE TABLE t(id INTEGER, PRIMARY KEY(id DESC))"), (true, false, true));
    assert_eq!(alias("CREATE TABLE t(id \"INTEGER\" PRIMARY KEY)"), (true, false, true));
    assert_eq!(alias("CREATE TABLE t(id INT PRIMARY KEY)"), (false, true, false));
    assert_eq!(alias("CREATE TABLE t(id INT NOT NULL PRIMARY KEY)"), (false, false, false));
    assert_eq!(alias("CREATE TABLE t(id INT PRIMARY KEY) STRICT"), (false, false, false));
    assert_eq!(alias("CREATE TABLE t(id TEXT PRIMARY KEY) WITHOUT ROWID"), (true, false, false));
    assert_eq!(
        alias("CREATE TABLE t(id TEXT, PRIMARY KEY(id DESC)) WITHOUT ROWID"),
        (false, false, false)
    );
    assert_eq!(
        alias("CREATE TABLE t(id TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID"),
        (false, false, false)
    );
    assert_eq!(
        alias("PRAGMA encoding='UTF-16'; CREATE TABLE t(id TEXT PRIMARY KEY) WITHOUT ROWID"),
        (false, false, false)
    );
    assert_eq!(
        alias("CREATE TABLE t(a INT, b INT NOT NULL, PRIMARY KEY(b, a))"),
        (false, true, false)
    );
}

#[test]
fn k16_the_key_has_the_order_of_the_primary_key_not_of_the_columns() {
    assert_eq!(
        key_names("CREATE TABLE t(a INT, b INT, PRIMARY KEY(b, a)) WITHOUT ROWID"),
        ["b", "a"]
    );
    assert_eq!(key_names("CREATE TABLE t(a INT, b INT, PRIMARY KEY(b, a, b))"), ["b", "a"]);
}

#[test]
fn k18_only_total_unique_indexes_over_not_null_columns_identify_rows() {
    let columns = "a INT NOT NULL, b INT NOT NULL, c INT, g INT NOT NULL AS (a)";
    let key = |index: &str| key_names(&format!("CREATE TABLE t({columns}); {index}"));
    let none: [&str; 0] = [];
    assert_eq!(key("CREATE UNIQUE INDEX i ON t(lower(a))"), none);
    assert_eq!(key("CREATE UNIQUE INDEX i ON t(a) WHERE b > 0"), none);
    assert_eq!(key("CREATE UNIQUE INDEX i ON t(a, c)"), none);
    assert_eq!(key("CREATE UNIQUE INDEX i ON t(g)"), none);
    assert_eq!(key("CREATE INDEX i ON t(a)"), none);
    assert_eq!(key("CREATE UNIQUE INDEX i ON t(b, a)"), ["b", "a"]);
    assert_eq!(key("CREATE UNIQUE INDEX i ON t(b, a); CREATE UNIQUE INDEX j ON t(b)"), ["b"]);
    assert_eq!(key("CREATE UNIQUE INDEX i ON t(b); CREATE UNIQUE INDEX j ON t(a)"), ["a"]);
    let RowKey::Columns { source, may_be_null, columns } =
        key_of("CREATE TABLE t(a TEXT COLLATE NOCASE NOT NULL UNIQUE)")
    else {
        panic!("no key");
    };
    assert_eq!((source, may_be_null), (RowKeySource::UniqueIndex, false));
    assert_eq!(columns[0].matching, KeyMatching::AsciiNoCase);
    assert_eq!(key_of("CREATE TABLE t(a INT)"), RowKey::RowHash);
}

#[test]
fn configured_keys_come_first_and_must_fit() {
    let database =
        TestDatabase::new("CREATE TABLE T(id INTEGER PRIMARY KEY, a TEXT COLLATE RTRIM, g AS (a))");
    let under = |columns: &[&str]| {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        let scope = Scope { key_overrides: vec![("t".to_owned(), columns)], ..Scope::default() };
        block_on(async {
            let mut source = Source::open(&database.url(), &OpenOptions::default()).await?;
            let catalog = source.catalog(&scope).await;
            source.close().await?;
            catalog
        })
    };
    let table = under(&["A"]).unwrap().tables.remove(0);
    let RowKey::Columns { columns, source, .. } = table.key else { panic!("no key") };
    assert_eq!(source, RowKeySource::Configured);
    assert_eq!((columns[0].name.as_str(), columns[0].matching), ("a", KeyMatching::TrailingSpaces));
    assert!(!table.reads_in_key_order);
    assert!(under(&["id"]).unwrap().tables.remove(0).reads_in_key_order);
    for wrong in [&["nope"][..], &["g"], &[], &["a", "A"]] {
        let error = under(wrong).unwrap_err();
        assert!(matches!(error, EngineError::KeyOverride { .. }), "{error}");
        assert!(error.to_string().contains("`T`"), "{error}");
    }
}

#[test]
fn s13_virtual_tables_are_captured_and_their_shadow_tables_named() {
    let database = TestDatabase::new(
        "CREATE VIRTUAL TABLE f USING fts5(title, body, tokenize = 'porter');
         CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);
         CREATE TABLE plain(id INTEGER PRIMARY KEY);
         INSERT INTO f VALUES ('a', 'b');",
    );
    let catalog = database.catalog();
    let names: Vec<&str> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(names, ["plain"]);
    let facts = lines(&catalog.facts);
    assert!(
        facts.contains(
            "virtual-table f arguments=[title | body | tokenize = 'porter'] module=<fts5>"
        ),
        "{facts}"
    );
    let left_out = not_captured(&catalog);
    for name in
        ["f_config", "f_content", "f_data", "f_docsize", "f_idx", "r_node", "r_parent", "r_rowid"]
    {
        assert!(left_out.contains(&format!("shadow table {name}")), "{name}: {left_out:?}");
    }
    assert!(left_out.contains(&"rows of a virtual table f".to_owned()));
    assert_eq!(unknown(&catalog), Vec::<String>::new());
}

#[test]
fn a_virtual_table_whose_module_is_missing_is_still_listed() {
    let database = TestDatabase::new("CREATE TABLE t(a)");
    database.run(
        "PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('table', 'geo', 'geo', 0,
           'CREATE VIRTUAL TABLE geo USING unheard_of(a, \"b, c\", (d, e))');",
    );
    let catalog = database.catalog();
    let facts = lines(&catalog.facts);
    assert!(
        facts.contains("virtual-table geo arguments=[a | \"b, c\" | (d, e)] module=<unheard_of>"),
        "{facts}"
    );
    assert_eq!(spec(&catalog, "t").name.name, "t");
}

#[test]
fn s16_statistics_and_sequences_are_no_tables() {
    let database = TestDatabase::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a);
         CREATE INDEX i ON t(a);
         INSERT INTO t VALUES (41, 1), (42, 2); DELETE FROM t WHERE id = 42; ANALYZE;
         INSERT INTO sqlite_sequence VALUES ('gone', 7);",
    );
    let catalog = database.catalog();
    assert_eq!(catalog.tables.len(), 1);
    let sequences: Vec<(&str, i64)> = catalog
        .sequences
        .iter()
        .map(|sequence| (sequence.name.name.as_str(), sequence.position))
        .collect();
    assert_eq!(sequences, [("t", 42)]);
    let left_out = not_captured(&catalog);
    assert!(left_out.contains(&"statistics sqlite_stat1".to_owned()), "{left_out:?}");
    assert!(left_out.contains(&"sequence gone".to_owned()), "{left_out:?}");
    assert!(!left_out.iter().any(|entry| entry.contains("sqlite_sequence")), "{left_out:?}");
}

#[test]
fn s20_settings_are_facts() {
    let database = TestDatabase::new(
        "PRAGMA encoding = 'UTF-16be'; PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA user_version = -3; PRAGMA application_id = 77; CREATE TABLE t(a);",
    );
    let facts = lines(&database.catalog().facts);
    insta::assert_snapshot!(facts, @"
    setting application_id value=77
    setting auto_vacuum value=<incremental>
    setting encoding value=<UTF-16be>
    setting user_version value=-3
    table t
    column t.a
    ");
}

#[test]
fn excluded_tables_go_with_all_that_is_theirs_and_receipts_in_silence() {
    let database = TestDatabase::new(
        "CREATE TABLE keep(a); CREATE TABLE Log_1(id INTEGER PRIMARY KEY AUTOINCREMENT, a);
         CREATE INDEX li ON log_1(a); CREATE TRIGGER lt AFTER INSERT ON log_1 BEGIN SELECT 1; END;
         INSERT INTO log_1 VALUES (5, 1); CREATE TABLE _deepdiff_receipts(pack);",
    );
    let scope = Scope { excluded_tables: vec!["log_*".to_owned()], ..Scope::default() };
    let catalog = database.catalog_under(&scope);
    assert_eq!(not_captured(&catalog), ["table Log_1"]);
    assert!(catalog.not_captured[0].reason.contains("`log_*`"));
    let facts = lines(&catalog.facts);
    assert!(
        !facts.contains("index ") && !facts.contains("trigger ") && !facts.contains("receipts"),
        "{facts}"
    );
    assert!(catalog.sequences.is_empty());
    assert_eq!(catalog.definitions.len(), 1);
}

#[test]
fn generated_columns_are_named_and_not_read() {
    let database = TestDatabase::new(
        "CREATE TABLE t(z INT, v AS (z+1), s AS (z+2) STORED, a INT); INSERT INTO t(z,a) VALUES (1, 2);",
    );
    let catalog = database.catalog();
    let columns: Vec<&str> =
        spec(&catalog, "t").columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["a", "z"]);
    assert_eq!(spec(&catalog, "t").column_order, ["z", "v", "s", "a"]);
    assert_eq!(not_captured(&catalog), ["generated column t.s", "generated column t.v"]);
    assert_eq!(database.rows("t"), [[Value::Int(2), Value::Int(1)]]);
}

#[test]
fn x6_objects_of_an_unknown_kind_or_without_sense_are_named_as_unknown() {
    let database = TestDatabase::new("CREATE TABLE t(a CHECK (a > 0)); CREATE VIEW v AS SELECT 1;");
    database.run(
        "PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('sprocket', 'novel', 't', 0, 'CREATE SPROCKET novel');",
    );
    // SQLite skips what it does not know when it loads the schema, or refuses the whole file.
    let opened = block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await?;
        let catalog = source.catalog(&Scope::default()).await;
        source.close().await?;
        catalog
    });
    match opened {
        Ok(catalog) => {
            assert_eq!(unknown(&catalog), ["sprocket novel: this kind of object is not known"]);
        }
        Err(error) => assert!(matches!(error, EngineError::Corrupt { .. }), "{error}"),
    }
}

#[test]
fn s19_a_damaged_schema_text_is_an_error_that_names_it() {
    let database = TestDatabase::new("CREATE TABLE broken(a INT)");
    database.run(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE broken(a INT' WHERE name = 'broken';",
    );
    let error = block_on(Source::open(&database.url(), &OpenOptions::default())).err().unwrap();
    assert!(matches!(error, EngineError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("broken"), "{error}");
}

#[test]
fn s24_a_view_that_is_already_invalid_is_captured() {
    let database = TestDatabase::new(
        "CREATE TABLE gone(a); CREATE VIEW v AS SELECT a FROM gone; CREATE VIEW w AS SELECT * FROM v;
         DROP TABLE gone; CREATE TABLE t(a);",
    );
    let catalog = database.catalog();
    assert!(lines(&catalog.facts).contains("view v query=<SELECT a FROM gone>"));
    assert_eq!(unknown(&catalog), Vec::<String>::new());
}

#[test]
fn unknown_collations_stop_nothing_that_does_not_need_them() {
    let database = TestDatabase::empty();
    block_on(async {
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(database.path())
            .create_if_missing(true)
            .collation("ODD", |a, b| b.cmp(a));
        use sqlx::{ConnectOptions, Connection};
        connection = connection.disable_statement_logging();
        let mut connection = connection.connect().await.unwrap();
        sqlx::raw_sql(
            "CREATE TABLE t(a TEXT COLLATE odd PRIMARY KEY, b INT);
             CREATE TABLE w(a TEXT COLLATE odd PRIMARY KEY, b INT) WITHOUT ROWID;
             INSERT INTO t VALUES ('x', 1), ('y', 2); INSERT INTO w VALUES ('x', 1);",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
    });
    let catalog = database.catalog();
    let RowKey::Columns { columns, .. } = &spec(&catalog, "t").key else { panic!("no key") };
    assert_eq!(columns[0].matching, KeyMatching::Unknown);
    assert_eq!(database.rows("t").len(), 2);
    let error = block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        let mut rows = crate::sqlite_database::Rows::default();
        let from = deepdiff_db::engine::ReadFrom::Start;
        let read = source.read_rows(spec(&catalog, "w"), &from, &mut rows).await;
        source.close().await.unwrap();
        read
    });
    match error {
        Ok(end) => assert_eq!(end.rows, 1),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains("`w`") && message.contains("odd"), "{message}");
        }
    }
}

#[test]
fn defaults_are_the_values_that_earlier_rows_read() {
    let database = TestDatabase::new(
        "CREATE TABLE t(a); INSERT INTO t VALUES (0);
         ALTER TABLE t ADD COLUMN i INTEGER DEFAULT '7';
         ALTER TABLE t ADD COLUMN r REAL DEFAULT 1;
         ALTER TABLE t ADD COLUMN s VARCHAR(9) DEFAULT 1.50;
         ALTER TABLE t ADD COLUMN n NUMERIC DEFAULT '1e2';
         ALTER TABLE t ADD COLUMN b BLOB DEFAULT x'0001';
         ALTER TABLE t ADD COLUMN w TEXT DEFAULT word;
         ALTER TABLE t ADD COLUMN p TEXT DEFAULT ('in (brackets');",
    );
    let catalog = database.catalog();
    let defaults: Vec<Value> =
        spec(&catalog, "t").columns.iter().skip(1).map(|column| column.default.clone()).collect();
    let row = database.rows("t").remove(0);
    assert_eq!(row[1..], defaults[..]);
    assert_eq!(defaults[2], Value::Int(100));
}

#[test]
fn definitions_are_the_texts_as_stored() {
    let database = TestDatabase::new(
        "CREATE TABLE t ( a , -- note\n b ) ; CREATE INDEX i ON t(a);CREATE VIEW v AS SELECT 1;",
    );
    let catalog = database.catalog();
    let texts: Vec<&str> = catalog.definitions.iter().map(|d| d.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "CREATE TABLE t ( a , -- note\n b )",
            "CREATE INDEX i ON t(a)",
            "CREATE VIEW v AS SELECT 1"
        ]
    );
}
