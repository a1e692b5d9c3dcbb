//! Changing SQLite databases: sessions, guards, and what a statement really matches.

use std::collections::BTreeMap;

use deepdiff_db::engine::sqlite::{SqliteTarget, TableSql};
use deepdiff_db::engine::{
    Cell, Dialect, EngineError, OpenOptions, Operand, ReadFrom, RowGuard, RowUpdate, Session,
    SourceUrl, Target,
};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{KeyColumn, KeyMatching, ObjectName, RowKey, TableSpec, Value};
use proptest::prelude::*;

use crate::sqlite_database::{Rows, TestDatabase, block_on, scratch, spec};

fn cells<'c>(row: &[(&'c str, &'c Value)]) -> Vec<Cell<'c>> {
    row.iter().map(|(name, value)| (*name, Operand::Literal(value))).collect()
}

fn guard<'c>(key: &[&Value], row: &[(&'c str, &'c Value)]) -> RowGuard<'c> {
    RowGuard { key: key.iter().map(|value| (*value).clone()).collect(), before: cells(row) }
}

/// How often each of these rows is in a table.
fn counts(session: &Session<'_>, table: &TableSpec, wanted: &[Vec<Value>]) -> Vec<usize> {
    let mut rows = Rows::default();
    session.read_rows(table, &ReadFrom::Start, &mut rows).unwrap();
    let count = |row: &Vec<Value>| rows.rows.iter().filter(|found| *found == row).count();
    wanted.iter().map(count).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn real(number: f64) -> Value {
    Value::Float64(number.to_bits())
}

#[test]
fn a_target_is_never_created_by_opening_it() {
    let database = TestDatabase::empty();
    let error = block_on(Target::open(&database.url(), &OpenOptions::default())).err().unwrap();
    assert!(matches!(error, EngineError::NotFound { .. }), "{error}");
    assert!(database.files().is_empty());
}

#[test]
fn create_refuses_what_is_there_and_the_remains_of_what_was() {
    for file in ["test.db", "test.db-wal", "test.db-journal"] {
        let database = TestDatabase::empty();
        std::fs::write(database.folder().join(file), b"").unwrap();
        let error =
            block_on(Target::create(&database.url(), &[], &OpenOptions::default())).err().unwrap();
        assert!(matches!(error, EngineError::Exists { .. }), "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
    let database = TestDatabase::empty();
    let url = SourceUrl::sqlite(database.folder().join("no/such/folder.db"));
    let error = block_on(Target::create(&url, &[], &OpenOptions::default())).err().unwrap();
    assert!(matches!(error, EngineError::NotFound { .. }), "{error}");
}

#[test]
fn a_created_database_has_the_settings_of_the_facts() {
    let model = TestDatabase::new(
        "PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = FULL; PRAGMA user_version = 9;
         PRAGMA application_id = -5; CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT DEFAULT 'x');
         INSERT INTO t VALUES (77, 'é');",
    );
    let catalog = model.catalog();
    let copy = TestDatabase::empty();
    block_on(async {
        let options = OpenOptions::default();
        let mut target = Target::create(&copy.url(), &catalog.facts, &options).await.unwrap();
        let session = target.session().await.unwrap();
        session.begin().unwrap();
        for definition in &catalog.definitions {
            session.execute(&definition.text).unwrap();
        }
        session.apply_settings(&catalog.facts).unwrap();
        let dialect = Dialect::of("sqlite", &catalog.facts).unwrap();
        for sequence in &catalog.sequences {
            for position in [sequence.position, 3] {
                for raise in dialect.raise_sequence(&sequence.name, position, &catalog.facts) {
                    session.execute(&raise).unwrap();
                }
            }
        }
        session.commit().unwrap();
        drop(session);
        target.close().await.unwrap();
    });
    let made = copy.catalog();
    assert_eq!(made.facts, catalog.facts);
    assert_eq!(made.sequences, catalog.sequences);
    assert_eq!(made.tables, catalog.tables);
}

#[test]
fn changes_are_counted_for_the_statement_and_for_every_table() {
    let mut target = scratch(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE log(what);
         CREATE TABLE c(p INT REFERENCES p ON DELETE CASCADE);
         CREATE TABLE w(k INT PRIMARY KEY) WITHOUT ROWID;
         CREATE TRIGGER tr AFTER DELETE ON p BEGIN INSERT INTO log VALUES (old.id); END;",
    );
    block_on(async {
        let mut session = target.session().await.unwrap();
        session.watch_changes();
        assert_eq!(session.execute("INSERT INTO p VALUES (1), (2)").unwrap(), 2);
        assert_eq!(session.execute("INSERT INTO c VALUES (1), (1), (2)").unwrap(), 3);
        assert_eq!(session.execute("CREATE TABLE extra(a)").unwrap(), 0);
        assert_eq!(session.execute("UPDATE p SET id = id WHERE id = 99").unwrap(), 0);
        assert_eq!(session.take_changes().unwrap().unwrap()[&ObjectName::bare("c")].inserted, 3);
        let before = session.total_changes().unwrap();
        assert_eq!(session.execute("DELETE FROM p WHERE id = 1").unwrap(), 1);
        assert_eq!(session.total_changes().unwrap() - before, 4);
        let changes = session.take_changes().unwrap().unwrap();
        let counts: BTreeMap<&str, (u64, u64, u64)> = changes
            .iter()
            .map(|(table, count)| {
                (table.name.as_str(), (count.inserted, count.updated, count.deleted))
            })
            .collect();
        assert_eq!(
            counts,
            BTreeMap::from([("c", (0, 0, 2)), ("log", (1, 0, 0)), ("p", (0, 0, 1))])
        );
        let before = session.total_changes().unwrap();
        assert_eq!(session.execute("INSERT INTO w VALUES (1)").unwrap(), 1);
        assert!(session.take_changes().unwrap().unwrap().is_empty());
        assert_eq!(session.total_changes().unwrap() - before, 1);
    });
}

#[test]
fn constraints_are_enforced_and_named() {
    let mut target = scratch(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, u UNIQUE);
         CREATE TABLE c(p INT REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO p VALUES (1, 1);",
    );
    block_on(async {
        let session = target.session().await.unwrap();
        let error = session.execute("INSERT INTO p VALUES (2, 1)").unwrap_err();
        assert!(matches!(error, EngineError::Constraint { .. }), "{error}");
        assert!(
            error.to_string().contains("p.u") && error.to_string().contains("INSERT INTO p"),
            "{error}"
        );
        session.begin().unwrap();
        session.execute("INSERT INTO c VALUES (42)").unwrap();
        let violations = session.foreign_key_check(10).unwrap();
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].table, ObjectName::bare("c"));
        assert_eq!(violations[0].parent, ObjectName::bare("p"));
        let error = session.commit().unwrap_err();
        assert!(matches!(error, EngineError::Constraint { .. }), "{error}");
        assert!(session.is_in_transaction());
        session.rollback().unwrap();
        session.rollback().unwrap();
        assert!(session.foreign_key_check(10).unwrap().is_empty());
    });
}

#[test]
fn a_transaction_that_is_dropped_never_happened() {
    let database = TestDatabase::new("CREATE TABLE t(a)");
    block_on(async {
        let mut target = database.target().await;
        let session = target.session().await.unwrap();
        session.begin().unwrap();
        session.execute("INSERT INTO t VALUES (1)").unwrap();
        drop(session);
        target.close().await.unwrap();
    });
    assert_eq!(database.rows("t").len(), 0);
}

#[test]
fn one_statement_is_run_never_two() {
    let mut target = scratch("CREATE TABLE t(a)");
    block_on(async {
        let session = target.session().await.unwrap();
        assert!(session.execute("INSERT INTO t VALUES (1); DELETE FROM t").is_err());
        assert!(session.execute("INSERT INTO t VALUES ('\0')").is_err());
        let catalog = session.catalog(&Scope::default()).unwrap();
        assert_eq!(session.count_rows(spec(&catalog, "t")).unwrap(), 0);
    });
}

#[test]
fn referencing_rows_are_found_by_the_rule_of_the_parent() {
    let mut target = scratch(
        "CREATE TABLE p(k TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, k TEXT REFERENCES p);
         INSERT INTO p VALUES ('Foo'), ('bar'); INSERT INTO c VALUES (1, 'foo'), (2, 'FOO'), (3, 'bar'), (4, NULL);",
    );
    block_on(async {
        let session = target.session().await.unwrap();
        let catalog = session.catalog(&Scope::default()).unwrap();
        let columns = [KeyColumn { name: "k".to_owned(), matching: KeyMatching::AsciiNoCase }];
        let mut rows = Rows::default();
        let key = [text("Foo")];
        let end =
            session.referencing_rows(spec(&catalog, "c"), &columns, &key, 10, &mut rows).unwrap();
        assert_eq!(end.rows, 2);
        let end =
            session.referencing_rows(spec(&catalog, "c"), &columns, &key, 1, &mut rows).unwrap();
        assert_eq!(end.rows, 1);
    });
}

#[test]
fn a_key_is_looked_up_and_not_scanned_for() {
    let tables = [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "CREATE TABLE t(id TEXT PRIMARY KEY, v)",
        "CREATE TABLE t(id TEXT COLLATE NOCASE PRIMARY KEY, v)",
        "CREATE TABLE t(id TEXT, v, PRIMARY KEY(id COLLATE RTRIM))",
        "CREATE TABLE t(id TEXT COLLATE NOCASE, v, PRIMARY KEY(id COLLATE BINARY))",
        "CREATE TABLE t(id TEXT PRIMARY KEY, v) WITHOUT ROWID",
        "CREATE TABLE t(id INT NOT NULL UNIQUE, v)",
    ];
    for table in tables {
        let database = TestDatabase::new(&format!(
            "{table};
             WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
             INSERT INTO t SELECT i, i FROM n;"
        ));
        block_on(async {
            let mut target = database.target().await;
            let session = target.session().await.unwrap();
            let catalog = session.catalog(&Scope::default()).unwrap();
            let spec = spec(&catalog, "t");
            let is_text = spec.columns[0].declared_type == "TEXT";
            let mut rows = Rows::default();
            let began = std::time::Instant::now();
            let key = |key: i64| if is_text { text(&key.to_string()) } else { Value::Int(key) };
            let keys: Vec<Vec<Value>> = (1..=2_000).map(|number| vec![key(number)]).collect();
            session.rows_by_keys(spec, &keys, &mut rows).unwrap();
            assert_eq!(rows.rows.len(), 2_000);
            // 2,000 scans of 20,000 rows would take minutes in a debug build.
            assert!(began.elapsed().as_secs() < 5, "{table}: {:?}", began.elapsed());
        });
    }
}

/// A row of every storage class and of near misses, in columns of every affinity.
const NEAR_MISSES: &[&str] = &[
    "NULL",
    "0",
    "1",
    "-1",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "0.0",
    "-0.0",
    "1.0",
    "1.5",
    "9007199254740992.0",
    "9e999",
    "-9e999",
    "1e300",
    "''",
    "'1'",
    "'1.0'",
    "'a'",
    "'A'",
    "'a '",
    "'NULL'",
    "'a' || char(0)",
    "'a' || char(0) || 'b'",
    "CAST(x'61ff' AS TEXT)",
    "CAST(x'31' AS TEXT)",
    "x''",
    "x'31'",
    "x'61'",
    "x'00'",
    "x'61ff'",
    "char(65279) || 'x'",
    "char(65535)",
    "char(27) || '[0m'",
];

fn near_misses(columns: &str, encoding: &str) -> Target {
    let mut script = format!(
        "PRAGMA encoding = '{encoding}'; CREATE TABLE t(id INTEGER PRIMARY KEY, {columns});"
    );
    for value in NEAR_MISSES {
        script.push_str(&format!("INSERT INTO t(v) VALUES ({value});"));
    }
    scratch(&script)
}

fn is_zero(value: &Value) -> bool {
    matches!(value, Value::Float64(bits) if f64::from_bits(*bits) == 0.0)
}

#[test]
fn c20_d11_a_guard_is_true_of_exactly_the_value_it_was_made_from() {
    for encoding in ["UTF-8", "UTF-16le"] {
        for column in [
            "v",
            "v TEXT",
            "v INTEGER",
            "v NUMERIC",
            "v REAL",
            "v BLOB",
            "v TEXT COLLATE NOCASE",
            "v COLLATE RTRIM",
        ] {
            let mut target = near_misses(column, encoding);
            block_on(async {
                let session = target.session().await.unwrap();
                let catalog = session.catalog(&Scope::default()).unwrap();
                let table = spec(&catalog, "t");
                let writer = TableSql::new(table, &catalog.facts);
                let mut rows = Rows::default();
                session.read_rows(table, &deepdiff_db::engine::ReadFrom::Start, &mut rows).unwrap();
                for row in &rows.rows {
                    let value = &row[1];
                    // No function of SQLite tells the two zeros apart: the guard cannot either.
                    let same = |other: &Value| *other == *value || is_zero(other) && is_zero(value);
                    let expected = rows.rows.iter().filter(|other| same(&other[1])).count();
                    let guards = writer.guards(&[], &cells(&[("v", value)])).unwrap();
                    let changed =
                        session.execute(&format!("UPDATE t SET v = v WHERE {guards}")).unwrap();
                    assert_eq!(
                        usize::try_from(changed).unwrap(),
                        expected,
                        "{column} {encoding}: {guards}"
                    );
                }
            });
        }
    }
}

#[test]
fn statements_change_exactly_the_row_they_name() {
    let mut target = scratch(
        "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, a INT, b TEXT) WITHOUT ROWID;
         INSERT INTO t VALUES ('Foo', 1, 'x'), ('it''s', NULL, NULL);",
    );
    block_on(async {
        let session = target.session().await.unwrap();
        let catalog = session.catalog(&Scope::default()).unwrap();
        let writer = TableSql::new(spec(&catalog, "t"), &catalog.facts);
        let (foo, one, two, x) = (text("Foo"), Value::Int(1), Value::Int(2), text("x"));
        let update = writer
            .update(&[RowUpdate {
                row: guard(&[&foo], &[("a", &one), ("b", &x), ("k", &foo)]),
                changes: cells(&[("a", &two)]),
            }])
            .unwrap();
        assert_eq!(
            update,
            "UPDATE \"t\" SET \"a\" = 2 WHERE \"k\" COLLATE NOCASE IS 'Foo' AND \"k\" COLLATE BINARY IS 'Foo' \
             AND \"a\" IS 1 AND \"b\" IS 'x'"
        );
        assert_eq!(session.execute(&update).unwrap(), 1);
        assert_eq!(session.execute(&update).unwrap(), 0, "the row is no longer as it was");
        let wrong_case = writer.delete(&[guard(&[&text("foo")], &[("a", &two)])]).unwrap();
        assert_eq!(session.execute(&wrong_case).unwrap(), 0);
        let null = Value::Null;
        let delete =
            writer.delete(&[guard(&[&text("it's")], &[("a", &null), ("b", &null)])]).unwrap();
        assert_eq!(
            delete,
            "DELETE FROM \"t\" WHERE \"k\" COLLATE NOCASE IS 'it''s' AND \"k\" COLLATE BINARY IS 'it''s' \
             AND \"a\" IS NULL AND \"b\" IS NULL"
        );
        assert_eq!(session.execute(&delete).unwrap(), 1);
        let insert =
            writer.insert(&[cells(&[("a", &null), ("b", &x), ("k", &text("new"))])]).unwrap();
        assert_eq!(insert, "INSERT INTO \"t\" (\"a\", \"b\", \"k\") VALUES (NULL, 'x', 'new')");
        assert_eq!(session.execute(&insert).unwrap(), 1);
        let error = writer.insert(&[cells(&[("a", &Value::Bool(true))])]).unwrap_err();
        assert!(
            error.to_string().contains("`a`") && error.to_string().contains("boolean"),
            "{error}"
        );
        assert!(
            writer
                .update(&[RowUpdate { row: guard(&[], &[]), changes: cells(&[("a", &two)]) }])
                .is_err(),
            "a statement without a condition"
        );
    });
}

#[test]
fn k12_of_equal_rows_as_many_as_asked_for_are_deleted() {
    for columns in ["a, b", "rowid, b", "rowid, _rowid_"] {
        let mut target = scratch(&format!(
            "CREATE TABLE t({columns}); INSERT INTO t VALUES ('a', NULL), ('a', NULL), ('a', NULL), ('b', 1);"
        ));
        let names: Vec<&str> = columns.split(", ").collect();
        block_on(async {
            let session = target.session().await.unwrap();
            let catalog = session.catalog(&Scope::default()).unwrap();
            let table = spec(&catalog, "t");
            assert_eq!(table.key, RowKey::RowHash);
            let writer = TableSql::new(table, &catalog.facts);
            let (a, null) = (text("a"), Value::Null);
            let row = [(names[0], &a), (names[1], &null)];
            let in_order = |values: [Value; 2]| {
                let mut cells: Vec<(&str, Value)> = names.iter().copied().zip(values).collect();
                cells.sort_by(|x, y| x.0.cmp(y.0));
                cells.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
            };
            let wanted = [
                in_order([text("a"), Value::Null]),
                in_order([text("b"), Value::Int(1)]),
                in_order([text("b"), real(1.0)]),
                in_order([text("A"), Value::Null]),
            ];
            assert_eq!(counts(&session, table, &wanted), [3, 1, 0, 0]);
            assert_eq!(session.execute(&writer.delete_equal(&cells(&row), 2).unwrap()).unwrap(), 2);
            assert_eq!(counts(&session, table, &wanted), [1, 1, 0, 0]);
            assert_eq!(session.execute(&writer.delete_equal(&cells(&row), 2).unwrap()).unwrap(), 1);
        });
    }
    let mut target = scratch("CREATE TABLE t(rowid, oid, _rowid_)");
    block_on(async {
        let session = target.session().await.unwrap();
        let catalog = session.catalog(&Scope::default()).unwrap();
        let writer = TableSql::new(spec(&catalog, "t"), &catalog.facts);
        let error = writer.delete_equal(&cells(&[("oid", &Value::Null)]), 1).unwrap_err();
        assert!(error.to_string().contains("rowid"), "{error}");
    });
}

#[test]
fn q12_guards_over_two_thousand_columns_are_no_problem() {
    let columns: Vec<String> = (0..2_000).map(|index| format!("c{index:04}")).collect();
    let values: Vec<String> = (0..2_000).map(|index| index.to_string()).collect();
    let mut target = scratch(&format!(
        "CREATE TABLE t({}); INSERT INTO t VALUES ({});",
        columns.join(","),
        values.join(",")
    ));
    block_on(async {
        let session = target.session().await.unwrap();
        let catalog = session.catalog(&Scope::default()).unwrap();
        let writer = TableSql::new(spec(&catalog, "t"), &catalog.facts);
        let values: Vec<Value> = (0..2_000).map(Value::Int).collect();
        let row: Vec<(&str, &Value)> = columns.iter().map(String::as_str).zip(&values).collect();
        let insert = writer.insert(&[cells(&row)]).unwrap();
        assert_eq!(session.execute(&insert).unwrap(), 1);
        assert_eq!(session.execute(&writer.delete_equal(&cells(&row), 5).unwrap()).unwrap(), 2);
    });
}

#[test]
fn large_values_are_guarded_by_class_and_length() {
    let mut target = scratch("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    block_on(async {
        let session = target.session().await.unwrap();
        let catalog = session.catalog(&Scope::default()).unwrap();
        let writer = TableSql::new(spec(&catalog, "t"), &catalog.facts);
        let large = text(&"é\0x".repeat(5_000));
        let insert = writer.insert(&[cells(&[("id", &Value::Int(1)), ("v", &large)])]).unwrap();
        session.execute(&insert).unwrap();
        let guards = writer.guards(&[Value::Int(1)], &cells(&[("v", &large)])).unwrap();
        assert!(guards.len() < 200, "{guards}");
        assert_eq!(session.execute(&format!("DELETE FROM t WHERE {guards}")).unwrap(), 1);
    });
}

#[test]
fn a_scratch_database_enforces_foreign_keys() {
    block_on(async {
        let mut scratch = SqliteTarget::scratch(&[], &OpenOptions::default()).await.unwrap();
        let session = scratch.session().await.unwrap();
        session.execute("CREATE TABLE t(a REFERENCES p)").unwrap();
        assert!(session.execute("INSERT INTO t VALUES (1)").is_err(), "foreign keys are on");
    });
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Int),
        (-3i64..4).prop_map(Value::Int),
        any::<u64>()
            .prop_filter("NaN", |bits| !f64::from_bits(*bits).is_nan())
            .prop_map(Value::Float64),
        any::<String>().prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_row_written_as_sql_is_read_as_it_was_and_guarded_exactly(
        row in prop::collection::vec(any_value(), 2),
        other in prop::collection::vec(any_value(), 2),
    ) {
        let mut target = scratch("CREATE TABLE t(a, b)");
        block_on(async {
            let session = target.session().await.unwrap();
            let catalog = session.catalog(&Scope::default()).unwrap();
            let table = spec(&catalog, "t");
            let writer = TableSql::new(table, &catalog.facts);
            for row in [&row, &other] {
                session.execute(&writer.insert(&[cells(&[("a", &row[0]), ("b", &row[1])])]).unwrap()).unwrap();
            }
            let mut rows = Rows::default();
            session.read_rows(table, &deepdiff_db::engine::ReadFrom::Start, &mut rows).unwrap();
            assert_eq!(rows.rows, [row.clone(), other.clone()]);
            let guards = writer.guards(&[], &cells(&[("a", &row[0]), ("b", &row[1])])).unwrap();
            let matched = session.execute(&format!("DELETE FROM t WHERE {guards}")).unwrap();
            let zeros = |row: &[Value]| row.iter().any(is_zero);
            if !zeros(&row) {
                assert_eq!(matched, 1 + u64::from(row == other));
            }
        });
    }
}
