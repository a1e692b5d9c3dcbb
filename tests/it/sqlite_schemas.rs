//! The parser of stored definitions against schemas that SQLite accepted: real ones, and
//! generated ones by the thousand.

use deepdiff_db::engine::sqlite::{SqliteDialect, TextEncoding};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, ObjectKind};
use proptest::prelude::*;

use crate::sqlite_database::{TestDatabase, block_on, lines, scratch, shared_data, spec};

fn catalog_of(sql: &str) -> Option<Catalog> {
    let mut target = scratch("");
    block_on(async {
        let session = target.session().await.unwrap();
        session.execute_script(sql).ok()?;
        Some(session.catalog(&Scope::default()).unwrap())
    })
}

fn assert_understood(catalog: &Catalog, what: &str) {
    let unknown: Vec<_> = catalog.not_captured.iter().filter(|entry| entry.is_unknown).collect();
    assert!(unknown.is_empty(), "{what}: {unknown:#?}");
}

/// The definitions of a catalog, run on an empty database, must give the same facts.
fn assert_rebuilds(catalog: &Catalog, what: &str) {
    let mut script = String::new();
    for definition in &catalog.definitions {
        script.push_str(&definition.text);
        script.push_str("\n;\n");
    }
    let again =
        catalog_of(&script).unwrap_or_else(|| panic!("{what}: cannot be rebuilt:\n{script}"));
    assert_eq!(lines(&catalog.facts), lines(&again.facts), "{what}");
}

#[test]
fn every_sqlite_schema_of_the_pairs_is_understood() {
    let Some(data) = shared_data() else { return };
    let text = std::fs::read_to_string(data.join("schema-pairs/sqldef.jsonl")).unwrap();
    let mut understood = 0;
    for line in text.lines() {
        let pair: serde_json::Value = serde_json::from_str(line).unwrap();
        if pair["engine"] != "sqlite" {
            continue;
        }
        for side in ["current", "desired"] {
            let sql = pair[side].as_str().unwrap_or_default();
            let Some(catalog) = catalog_of(sql) else { continue };
            let what = format!("{} {side}", pair["name"]);
            assert_understood(&catalog, &what);
            assert_rebuilds(&catalog, &what);
            understood += 1;
        }
    }
    assert!(understood > 100, "{understood}");
}

#[test]
fn every_state_of_a_long_chain_of_migrations_is_understood() {
    let Some(data) = shared_data() else { return };
    let text = std::fs::read_to_string(data.join("schema-pairs/chain-hydra-sqlite.jsonl")).unwrap();
    let mut target = scratch("");
    block_on(async {
        let session = target.session().await.unwrap();
        session.execute("PRAGMA foreign_keys = OFF").unwrap();
        let mut steps = 0;
        for line in text.lines() {
            let step: serde_json::Value = serde_json::from_str(line).unwrap();
            let up = step["up"].as_str().unwrap_or_default();
            session
                .execute_script(up)
                .unwrap_or_else(|error| panic!("{}: {error}", step["version"]));
            let catalog = session.catalog(&Scope::default()).unwrap();
            assert_understood(&catalog, &step["version"].to_string());
            steps += 1;
        }
        assert!(steps > 200, "{steps}");
    });
}

#[test]
fn the_public_databases_are_understood() {
    let Some(data) = shared_data() else { return };
    for (file, tables) in [
        ("chinook/old/chinook.sqlite", 11),
        ("chinook/new/chinook.sqlite", 11),
        ("iso/2018/db.sqlite", 0),
        ("iso/2026/db.sqlite", 0),
        ("ourairports/2022-01-01/db.sqlite", 5),
    ] {
        let database = TestDatabase::empty();
        std::fs::copy(data.join(file), database.path()).unwrap();
        let catalog = database.catalog();
        assert_understood(&catalog, file);
        assert_rebuilds(&catalog, file);
        assert!(tables == 0 || catalog.tables.len() == tables, "{file}: {}", catalog.tables.len());
    }
}

/// Definitions that SQLite takes and few would write.
pub const ODD_DEFINITIONS: &[&str] = &[
    "CREATE TABLE t(a)",
    "CREATE TABLE t(a INT, CHECK(a>0) CHECK(a<9) UNIQUE(a) CONSTRAINT lonely)",
    "CREATE TABLE t(a LONG VARCHAR(-1, +2) NOT NULL, b \"quoted type\"(3))",
    "CREATE TABLE t(a INT PRIMARY KEY ON CONFLICT REPLACE NOT NULL ON CONFLICT IGNORE UNIQUE ON CONFLICT REPLACE)",
    "CREATE TABLE t(a INT UNIQUE UNIQUE, UNIQUE(a), UNIQUE(a))",
    "CREATE TABLE t(a INT PRIMARY KEY UNIQUE)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY UNIQUE)",
    "CREATE TABLE t(a generated always, b generated always as (a), c INT generated always as (a) stored)",
    "CREATE TABLE t(a DEFAULT -1, b DEFAULT +1, c DEFAULT - 1.5e3, d DEFAULT abc, e DEFAULT \"abc\")",
    "CREATE TABLE t(a DEFAULT (1), b DEFAULT (- 1), c DEFAULT ('x' || (2)), d DEFAULT TRUE, e DEFAULT CURRENT_TIME)",
    "CREATE TABLE t(a DEFAULT NULL NULL, b NOT NULL NOT NULL DEFAULT 1 DEFAULT 2)",
    "CREATE TABLE t(a COLLATE nocase COLLATE RTRIM, b TEXT COLLATE \"BINARY\")",
    "CREATE TABLE t(a INT REFERENCES t, b INT REFERENCES t(a) ON INSERT CASCADE ON DELETE SET NULL ON UPDATE SET DEFAULT MATCH simple NOT DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE t(a INT, b INT, FOREIGN KEY(a, b) REFERENCES nowhere(x, y) ON DELETE RESTRICT DEFERRABLE)",
    "CREATE TABLE t(a INT CONSTRAINT x REFERENCES t CONSTRAINT y DEFERRABLE INITIALLY IMMEDIATE)",
    "CREATE TABLE t(a INTEGER, PRIMARY KEY(a AUTOINCREMENT))",
    "CREATE TABLE t('a b' INT, [c d] INT, `e``f` INT, \"g\"\"h\" INT, PRIMARY KEY('a b', [c d] COLLATE nocase DESC))",
    "CREATE TABLE t(a TEXT, PRIMARY KEY(a, a COLLATE nocase)) WITHOUT ROWID",
    "CREATE TABLE t(a TEXT, b, PRIMARY KEY(b, a, b)) WITHOUT ROWID",
    "CREATE TABLE t(a ANY, b INT) STRICT",
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b ANY) WITHOUT ROWID, STRICT",
    "CREATE TABLE \"we\"\"ird\"(\"select\" INT, \"from\" INT CHECK (\"select\" > [from]))",
    "CREATE TABLE t(a /* ( */ INT -- )\n , b TEXT CHECK (b <> ')' AND b <> '(' ) )",
    "CREATE TABLE \"if\"(if, replace, rename, begin, \"end\", temp)",
    "CREATE TABLE t(größe INT, 名前 TEXT UNIQUE, \"😀\" BLOB)",
    "CREATE TABLE t(a, b AS (a || 'x') VIRTUAL NOT NULL UNIQUE, c INT AS (1) STORED CHECK (c = 1))",
    "CREATE TABLE t(a,b); CREATE INDEX i ON t(a, b DESC, a+b COLLATE nocase ASC, lower(a) COLLATE RTRIM DESC, (b))",
    "CREATE TABLE t(a,b); CREATE UNIQUE INDEX 'i x' ON \"t\"(\"a\" COLLATE \"nocase\") WHERE a IS NOT NULL AND (b > 1)",
    "CREATE TABLE t(a,b); CREATE INDEX i ON t(a ASC); CREATE INDEX j ON t([a] COLLATE binary)",
    "CREATE TABLE t(a); CREATE VIEW v AS WITH x(y) AS (SELECT a FROM t) SELECT * FROM x; CREATE VIEW w(p, \"q r\") AS SELECT 1, 2",
    "CREATE TABLE t(a); CREATE TRIGGER tr BEFORE DELETE ON t BEGIN SELECT raise(abort, 'no; END'); END",
    "CREATE TABLE t(a); CREATE TRIGGER tr UPDATE ON t FOR EACH ROW WHEN (new.a = 'BEGIN') BEGIN DELETE FROM t; UPDATE t SET a = CASE WHEN 1 THEN 2 END; END",
    "CREATE TABLE t(a); CREATE VIEW v AS SELECT * FROM t; CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.a); END",
    "CREATE TABLE T(a); CREATE TRIGGER tr AFTER INSERT ON t WHEN CASE WHEN new.a THEN 1 ELSE 0 END BEGIN INSERT INTO t SELECT 2 UNION SELECT 3; END",
    "CREATE TABLE main.t(x); CREATE INDEX main.i ON t(x); CREATE VIEW main.v AS SELECT 1; CREATE TRIGGER main.tr AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE TABLE IF NOT EXISTS t(x); CREATE INDEX IF NOT EXISTS i ON t(x)",
];

#[test]
fn odd_but_valid_definitions_are_understood() {
    for sql in ODD_DEFINITIONS {
        let Some(catalog) = catalog_of(sql) else {
            panic!("SQLite refuses {sql}");
        };
        assert_understood(&catalog, sql);
        assert_rebuilds(&catalog, sql);
        assert!(catalog.facts.len() > 5, "{sql}");
    }
}

#[test]
fn a_column_definition_can_be_taken_out() {
    let dialect = SqliteDialect { encoding: TextEncoding::Utf8 };
    let table =
        "CREATE TABLE t(a INT, \"b c\" VARCHAR (10) NOT NULL /* c */ DEFAULT 'x', UNIQUE(a))";
    assert_eq!(
        dialect.column_definition(table, "b c").as_deref(),
        Some("\"b c\" VARCHAR(10) NOT NULL DEFAULT 'x'")
    );
    assert_eq!(dialect.column_definition(table, "z"), None);
    assert_eq!(dialect.column_definition("no table", "z"), None);
}

#[test]
fn x3_many_tables_and_columns_are_read_in_reasonable_time() {
    let mut script = String::from("BEGIN;");
    for table in 0..1_000 {
        let columns: Vec<String> =
            (0..10).map(|column| format!("c{column} TEXT DEFAULT 'd{column}'")).collect();
        script.push_str(&format!("CREATE TABLE t{table}({}, UNIQUE(c1));", columns.join(",")));
    }
    script.push_str("COMMIT;");
    let database = TestDatabase::new(&script);
    let began = std::time::Instant::now();
    let catalog = database.catalog();
    assert_eq!(catalog.tables.len(), 1_000);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    assert_understood(&catalog, "many");
}

/// Pieces of generated definitions. Names clash and expressions misfit now and then: SQLite refuses
/// those, and what it accepts must be understood.
fn column() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "a", "B", "\"c d\"", "[e]", "`f`", "'g'", "größe", "rowid", "key",
    ]);
    let declared = prop::sample::select(vec![
        "",
        "INTEGER",
        "int",
        "VARCHAR(10)",
        "DECIMAL ( 5 , 2 )",
        "\"odd type\"",
        "TEXT",
        "unsigned big int",
        "REAL",
        "BLOB",
        "ANY",
    ]);
    let constraint = prop::sample::select(vec![
        "NOT NULL",
        "CONSTRAINT n NOT NULL ON CONFLICT REPLACE",
        "NULL",
        "UNIQUE",
        "UNIQUE ON CONFLICT FAIL",
        "PRIMARY KEY",
        "PRIMARY KEY DESC",
        "PRIMARY KEY ASC ON CONFLICT IGNORE",
        "PRIMARY KEY AUTOINCREMENT",
        "CHECK (1)",
        "CONSTRAINT c CHECK ((a) > 0 OR 'x)' <> ')')",
        "DEFAULT 1",
        "DEFAULT -1.5",
        "DEFAULT (1 + 1)",
        "DEFAULT 'it''s'",
        "DEFAULT current_timestamp",
        "DEFAULT word",
        "COLLATE nocase",
        "COLLATE RTRIM",
        "REFERENCES t",
        "REFERENCES p(x) ON DELETE CASCADE ON UPDATE SET NULL",
        "REFERENCES p MATCH FULL DEFERRABLE INITIALLY DEFERRED",
        "AS (1)",
        "GENERATED ALWAYS AS (a || 'x') STORED",
        "/* ) */",
        "-- ,\n",
    ]);
    (name, declared, prop::collection::vec(constraint, 0..4))
        .prop_map(|(name, declared, rest)| format!("{name} {declared} {}", rest.join(" ")))
}

/// A table called `t`, which SQLite may refuse.
pub fn table() -> impl Strategy<Value = String> {
    let constraint = prop::sample::select(vec![
        "PRIMARY KEY (a)",
        "PRIMARY KEY (a, b DESC)",
        "PRIMARY KEY ([e] COLLATE NOCASE)",
        "UNIQUE (a, b)",
        "CONSTRAINT u UNIQUE (B COLLATE rtrim DESC) ON CONFLICT ROLLBACK",
        "CHECK (a > 0 AND (b IN (1, 2)))",
        "CONSTRAINT x CHECK (length(\"c d\") < 5)",
        "FOREIGN KEY (a) REFERENCES t (b)",
        "FOREIGN KEY (a, b) REFERENCES p ON DELETE SET DEFAULT NOT DEFERRABLE",
        "CONSTRAINT lonely",
    ]);
    let options =
        prop::sample::select(vec!["", "", "WITHOUT ROWID", "STRICT", "STRICT, WITHOUT ROWID"]);
    (
        prop::collection::vec(column(), 1..5),
        prop::collection::vec(constraint, 0..4),
        prop::sample::select(vec![", ", " "]),
        options,
    )
        .prop_map(|(columns, constraints, comma, options)| {
            let constraints = if constraints.is_empty() {
                String::new()
            } else {
                format!(", {}", constraints.join(comma))
            };
            format!("CREATE TABLE t({}{constraints}) {options}", columns.join(",\n"))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn parser_and_pragmas_agree_on_generated_tables(sql in table()) {
        if let Some(catalog) = catalog_of(&sql) {
            assert_understood(&catalog, &sql);
            assert_rebuilds(&catalog, &sql);
            let table = spec(&catalog, "t");
            let facts = catalog.facts.iter().filter(|fact| fact.id.kind == ObjectKind::Column);
            prop_assert_eq!(facts.count(), table.column_order.len());
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}", tail in "[ -~\\n]{0,60}") {
        let dialect = SqliteDialect { encoding: TextEncoding::Utf8 };
        for sql in [text.clone(), format!("CREATE TABLE t({text}{tail}"), format!("CREATE TABLE t({tail})")] {
            let _ = dialect.column_definition(&sql, "a");
        }
    }
}
