//! Reading tables of MySQL and MariaDB: order, keys, width, ways to end (cases `K…`, `Q…`).

use deepdiff_db::engine::{OpenOptions, ReadFrom, Source};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{KeyMatching, RowKey, RowKeySource, Value};

use crate::my_database::{Scene, scene, scenes};
use crate::sqlite_database::{Rows, block_on, spec};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Reads a table on after each of its rows: every row exactly once, whatever the page.
#[track_caller]
fn assert_resumes_anywhere(scene: &Scene, table: &str) {
    let catalog = scene.catalog();
    let spec = spec(&catalog, table);
    assert!(spec.reads_in_key_order, "{table}");
    let places: Vec<usize> = spec
        .key
        .column_names()
        .iter()
        .map(|name| spec.columns.iter().position(|column| column.name == *name).unwrap())
        .collect();
    let (whole, _) = scene.read(spec, &ReadFrom::Start);
    for (index, row) in whole.iter().enumerate() {
        let key = places.iter().map(|&place| row[place].clone()).collect();
        let (rest, _) = scene.read(spec, &ReadFrom::After(key));
        assert_eq!(rest, whole[index + 1..], "{table} after {row:?}");
    }
}

#[test]
fn b3_k08_reading_on_after_any_key() {
    for scene in scenes(
        "CREATE TABLE a(x int, y varbinary(9), v int, PRIMARY KEY(y, x));
         INSERT INTO a VALUES (1, 'a', 1), (2, 'a', 2), (1, x'00', 3), (-1, x'ff', 4), (1, x'6100', 5),
             (1, 'a ', 6), (1, '', 7);
         CREATE TABLE b(x bigint unsigned PRIMARY KEY);
         INSERT INTO b VALUES (0), (1), (9223372036854775807), (9223372036854775808), (18446744073709551615);
         CREATE TABLE c(d datetime(6), t time(6), PRIMARY KEY(d, t));
         INSERT INTO c VALUES ('0000-00-00', '-838:59:59'), ('2024-00-10', '-00:00:01'),
             ('2024-00-10', '00:00:00'), ('2024-02-31 01:02:03.5', '00:00:00.000001');
         CREATE TABLE d(n decimal(10,3) PRIMARY KEY);
         INSERT INTO d VALUES (-10), (-9.999), (-0.001), (0), (0.001), (1), (10), (9);
         CREATE TABLE e(b bit(10), y year, d date, PRIMARY KEY(b, y, d));
         INSERT INTO e VALUES (0, 0, '2024-01-01'), (1023, 1901, '0000-00-00'), (1023, 2155, '2024-01-01');
         CREATE TABLE f(b binary(16) PRIMARY KEY);
         INSERT INTO f VALUES (x'00'), (x'ff'), ('a'), ('a '), ('0x41');",
    ) {
        for table in ["a", "b", "c", "d", "e", "f"] {
            assert_resumes_anywhere(&scene, table);
        }
    }
    let scene = scene(
        "CREATE TABLE s(v varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PRIMARY KEY);
         INSERT INTO s VALUES ('a'), ('a '), ('a\\t'), ('A'), ('é'), ('😀'), ('\u{ffff}'), ('');",
    );
    assert_resumes_anywhere(&scene, "s");
}

#[test]
fn k03_and_k06_orders_that_are_not_bytes_are_not_promised() {
    for scene in scenes(
        "CREATE TABLE t(a varchar(9) COLLATE utf8mb4_general_ci, b int, PRIMARY KEY(a, b));
         INSERT INTO t VALUES ('foo', 2), ('FOO', 1), ('Foo', 3);
         CREATE TABLE e(a enum('z','a','m') PRIMARY KEY); INSERT INTO e VALUES ('z'), ('a'), ('m');
         CREATE TABLE p(a varchar(9) COLLATE utf8mb4_bin PRIMARY KEY);
         INSERT INTO p VALUES ('a'), ('a\\t');",
    ) {
        let catalog = scene.catalog();
        for (table, rows, matching) in [
            ("t", 3, KeyMatching::Unknown),
            ("e", 3, KeyMatching::Binary),
            ("p", 2, KeyMatching::TrailingSpaces),
        ] {
            let spec = spec(&catalog, table);
            assert!(!spec.reads_in_key_order, "{table}");
            assert_eq!(scene.rows(table).len(), rows);
            let RowKey::Columns { columns, .. } = &spec.key else { panic!("{table}") };
            assert_eq!(columns[0].matching, matching, "{table}");
        }
    }
}

#[test]
fn k05_spaces_and_controls_in_a_key() {
    let scene = scene(
        "CREATE TABLE t(id varchar(9) COLLATE utf8mb4_nopad_bin PRIMARY KEY);
         INSERT INTO t VALUES ('a'), ('a '), ('a\u{1}');",
    );
    assert_eq!(scene.rows("t"), [[text("a")], [text("a\u{1}")], [text("a ")]]);
}

#[test]
fn k10_and_k12_rows_without_an_identity() {
    for scene in scenes(
        "CREATE TABLE n(v int UNIQUE); INSERT INTO n VALUES (1), (NULL), (NULL);
         CREATE TABLE d(v varchar(3)); INSERT INTO d VALUES ('a'), ('a'), ('a'), ('b');
         CREATE TABLE p(v varchar(300) NOT NULL, UNIQUE(v(10))); INSERT INTO p VALUES ('x');
         CREATE TABLE u(a int NOT NULL, b int NOT NULL, c int NOT NULL, UNIQUE(a, b), UNIQUE(c));
         INSERT INTO u VALUES (1, 2, 3);",
    ) {
        let catalog = scene.catalog();
        for (table, rows) in [("n", 3), ("d", 4), ("p", 1)] {
            assert_eq!(spec(&catalog, table).key, RowKey::RowHash, "{table}");
            assert_eq!(scene.rows(table).len(), rows);
        }
        assert_eq!(spec(&catalog, "u").key.column_names(), ["c"]);
    }
}

#[test]
fn k16_and_k22_wide_and_permuted_keys() {
    let columns: Vec<String> = (0..16).map(|n| format!("k{n:02} int")).collect();
    let names: Vec<String> = (0..16).rev().map(|n| format!("k{n:02}")).collect();
    for scene in scenes(&format!(
        "CREATE TABLE w(v varbinary(3072) PRIMARY KEY) ROW_FORMAT=DYNAMIC;
         INSERT INTO w VALUES (REPEAT('a', 3072)), (CONCAT(REPEAT('a', 3071), 'b'));
         CREATE TABLE m({}, PRIMARY KEY({}));
         INSERT INTO m VALUES (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16), (16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1);",
        columns.join(", "),
        names.join(", ")
    )) {
        assert_resumes_anywhere(&scene, "w");
        assert_resumes_anywhere(&scene, "m");
        let rows = scene.rows("m");
        assert_eq!(rows[0][15], Value::Int(1), "ordered by the last column first");
    }
}

#[test]
fn a_row_is_found_by_its_exact_key() {
    for scene in scenes(
        "CREATE TABLE t(k varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v int);
         INSERT INTO t VALUES ('Foo', 1);
         CREATE TABLE f(k float PRIMARY KEY); INSERT INTO f VALUES (0.1);
         CREATE TABLE b(k varchar(9) CHARACTER SET latin1 PRIMARY KEY); INSERT INTO b VALUES (x'e9');",
    ) {
        let catalog = scene.catalog();
        let found = |table: &str, key: Value| {
            block_on(async {
                let mut source = scene.source().await;
                let mut rows = Rows::default();
                source.read_row_by_key(spec(&catalog, table), &[key], &mut rows).await.unwrap()
            })
        };
        assert_eq!(found("t", text("Foo")), 1);
        assert_eq!(found("t", text("foo")), 0, "the collation's equal is another row");
        assert_eq!(found("f", Value::Float32(0.1f32.to_bits())), 1);
        let raw = Value::RawText { charset: "latin1".to_owned(), bytes: vec![0xe9] };
        assert_eq!(found("b", raw), 1);
    }
}

#[test]
fn e14_what_a_star_does_not_show() {
    let scene = scene(
        "CREATE TABLE t(id int PRIMARY KEY, hidden int INVISIBLE DEFAULT 7, v int,
             g int AS (v + 1) STORED, h int AS (v + 2) VIRTUAL);
         INSERT INTO t(id, v) VALUES (1, 2);
         CREATE TABLE s(id int PRIMARY KEY) WITH SYSTEM VERSIONING; INSERT INTO s VALUES (1);
         DELETE FROM s; INSERT INTO s VALUES (2);
         CREATE VIEW w AS SELECT * FROM t; CREATE SEQUENCE q;",
    );
    let catalog = scene.catalog();
    let names: Vec<_> = catalog.tables.iter().map(|t| t.name.name.as_str()).collect();
    assert_eq!(names, ["s", "t"]);
    assert_eq!(scene.rows("t"), [[Value::Int(7), Value::Int(1), Value::Int(2)]]);
    assert_eq!(spec(&catalog, "t").column_order, ["id", "hidden", "v", "g", "h"]);
    assert_eq!(scene.rows("s"), [[Value::Int(2)]], "history is not rows");
    assert_eq!(spec(&catalog, "s").key.column_names(), ["id"]);
}

#[test]
fn q12_a_thousand_columns() {
    let columns: Vec<String> = (0..1016).map(|n| format!("c{n} tinyint")).collect();
    for scene in scenes(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, {}); INSERT INTO t(id, c0, c1015) VALUES (1, 1, 2);",
        columns.join(", ")
    )) {
        let rows = scene.exact("t");
        assert_eq!(rows[0].len(), 1017);
        assert_eq!(rows[0].iter().filter(|value| !value.is_null()).count(), 3);
    }
}

#[test]
fn q13_rows_wider_than_a_packet() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v longblob, w longblob) MAX_ROWS=10;
         INSERT INTO t VALUES (1, REPEAT('x', 16777215), NULL),
             (2, REPEAT('y', 20000000), REPEAT('z', 15000000)), (3, 'short', '');",
    ) {
        let rows = scene.rows("t");
        let length = |value: &Value| match value {
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        let lengths: Vec<_> = rows.iter().map(|row| (length(&row[1]), length(&row[2]))).collect();
        assert_eq!(lengths, [(16_777_215, 0), (20_000_000, 15_000_000), (5, 0)]);
        let Value::Bytes(last) = &rows[1][2] else { panic!() };
        assert!(last.iter().all(|&byte| byte == b'z'));
    }
}

#[test]
fn q19_and_q21_settings_and_physical_order_do_not_show() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(9), ts timestamp(6) NOT NULL DEFAULT '2000-01-01 00:00:00');
         INSERT INTO t VALUES (3, 'é', '2024-07-01 12:00:00.5'), (1, 'a\\\\b', '2024-01-01 12:00:00'), (2, '', '2038-01-19 00:00:00');",
    ) {
        let before = (scene.catalog(), scene.rows("t"));
        scene.run(
            "SET @mode = @@GLOBAL.sql_mode, @zone = @@GLOBAL.time_zone, @names = @@GLOBAL.character_set_results;
             SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES', GLOBAL time_zone = '-05:00';
             OPTIMIZE TABLE t;",
        );
        let after = (scene.catalog(), scene.rows("t"));
        scene.run("SET GLOBAL sql_mode = DEFAULT, GLOBAL time_zone = DEFAULT;");
        assert_eq!(after, before);
    }
}

#[test]
fn a_sink_that_stops_leaves_the_connection_usable() {
    let scene = scene(
        "CREATE TABLE n(d int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
         CREATE TABLE t(id int AUTO_INCREMENT PRIMARY KEY, v varchar(200));
         INSERT INTO t(v) SELECT REPEAT('x', 200) FROM n a, n b, n c, n d, n e;",
    );
    block_on(async {
        let mut source = scene.source().await;
        let catalog = source.catalog(&Scope::default()).await.unwrap();
        let table = spec(&catalog, "t");
        for _ in 0..3 {
            let mut rows = Rows { stop_after: Some(10), ..Rows::default() };
            let end = source.read_rows(table, &ReadFrom::Start, &mut rows).await.unwrap();
            assert_eq!((end.rows, end.is_complete), (10, false));
        }
        // The transaction is the same one: what came since is not seen.
        scene.run("INSERT INTO t(v) VALUES ('new');");
        assert_eq!(source.count_rows(table).await.unwrap(), 100_000);
        let mut rows = Rows::default();
        let end = source.read_rows(table, &ReadFrom::Start, &mut rows).await.unwrap();
        assert_eq!((end.rows, end.is_complete), (100_000, true));
        assert!(source.estimated_rows(table).await.unwrap().is_some_and(|rows| rows > 1000));
        source.end().await.unwrap();
        source.close().await.unwrap();
    });
}

#[test]
fn a_configured_key_and_an_excluded_table() {
    let scene = scene(
        "CREATE TABLE t(id int PRIMARY KEY, code varchar(9) NOT NULL, n int);
         INSERT INTO t VALUES (1, 'a', NULL); CREATE TABLE log_1(a int);",
    );
    let scope = |columns: &[&str]| Scope {
        excluded_tables: vec!["log_*".to_owned()],
        key_overrides: vec![(
            "t".to_owned(),
            columns.iter().map(|name| (*name).to_owned()).collect(),
        )],
        ..Scope::default()
    };
    let catalog = scene.catalog_under(&scope(&["code"])).unwrap();
    assert_eq!(catalog.tables.len(), 1);
    let RowKey::Columns { source, .. } = catalog.tables[0].key else { panic!() };
    assert_eq!(source, RowKeySource::Configured);
    assert!(scene.catalog_under(&scope(&["id"])).unwrap().tables[0].reads_in_key_order);
    for (columns, word) in [(&["n"][..], "NULL"), (&["x"], "no column"), (&["id", "id"], "twice")] {
        let error = scene.catalog_under(&scope(columns)).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn identity_is_the_servers_however_it_is_reached() {
    let scene = scene("CREATE TABLE t(id int PRIMARY KEY);");
    block_on(async {
        let source = scene.source().await;
        let (_account, url) = scene.account();
        let url = url.replacen('@', ":geheim@", 1).parse().unwrap();
        let other = Source::open(&url, &OpenOptions::default()).await.unwrap();
        assert_eq!(source.identity(), other.identity());
        assert!(source.identity().ends_with(&scene.database.name), "{}", source.identity());
        assert!(source.server().starts_with("MariaDB 1"), "{}", source.server());
        assert_eq!(source.engine(), "mysql");
    });
}
