//! Rows of SQLite tables: the known traps that the engine alone can show.
//!
//! Here "different" means that the rows read differ, and "exact" that what is read is what an
//! independent reader (sqlx's own channel over `typeof()` and `hex()`) sees.

use deepdiff_db::engine::{OpenOptions, ReadFrom, Source};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{RowKey, Value};
use proptest::prelude::*;

use crate::sqlite_database::{Rows, TestDatabase, block_on, spec, spelled};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn real(number: f64) -> Value {
    Value::Float64(number.to_bits())
}

fn sorted(mut rows: Vec<Vec<Value>>) -> Vec<String> {
    let mut lines: Vec<String> = rows.drain(..).map(|row| format!("{row:?}")).collect();
    lines.sort();
    lines
}

/// All rows of two one-column tables, made by these values, are pairwise different.
fn assert_all_different(values: &[&str]) {
    for column in ["v", "v TEXT", "v BLOB"] {
        let database =
            TestDatabase::new(&format!("CREATE TABLE t(id INTEGER PRIMARY KEY, {column})"));
        for value in values {
            database.run(&format!("INSERT INTO t(v) VALUES ({value})"));
        }
        let rows = database.rows("t");
        for (index, row) in rows.iter().enumerate() {
            for other in &rows[..index] {
                assert_ne!(row[1], other[1], "{column}");
            }
        }
    }
}

#[test]
fn q01_null_is_no_sentinel() {
    assert_all_different(&[
        "NULL",
        "''",
        "' '",
        "'NULL'",
        "'<null>'",
        "'DEFAULT_REPLACEMENT_STRING'",
        "'\\N'",
    ]);
}

#[test]
fn q02_separators_do_not_shift() {
    for separator in ["|", "#", ",", "\u{1f}"] {
        let database = TestDatabase::new(&format!(
            "CREATE TABLE t(a, b); INSERT INTO t VALUES ('a{separator}b', 'c'), ('a', 'b{separator}c')"
        ));
        let rows = database.rows("t");
        assert_ne!(rows[0], rows[1]);
    }
    let database =
        TestDatabase::new("CREATE TABLE t(a, b); INSERT INTO t VALUES (NULL, 'x'), ('x', NULL)");
    let rows = database.rows("t");
    assert_eq!(rows, [[Value::Null, text("x")], [text("x"), Value::Null]]);
}

#[test]
fn q06_and_q07_and_q08_spaces_case_and_normal_forms_count() {
    assert_all_different(&[
        "'x'",
        "'x '",
        "' x'",
        "'x' || char(9)",
        "'x' || char(10)",
        "'x' || char(13, 10)",
        "'X'",
        "char(233)",
        "'e' || char(769)",
        "'Résumé'",
        "'resume'",
    ]);
}

#[test]
fn q09_integers_are_exact_to_the_last_digit() {
    let database = TestDatabase::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER);
         INSERT INTO t VALUES (1, 9007199254740992), (2, 9007199254740993), (3, 9223372036854775807),
           (4, -9223372036854775808);",
    );
    let values: Vec<Value> = database.rows("t").into_iter().map(|mut row| row.remove(1)).collect();
    assert_eq!(
        values,
        [
            Value::Int(9_007_199_254_740_992),
            Value::Int(9_007_199_254_740_993),
            Value::Int(i64::MAX),
            Value::Int(i64::MIN),
        ]
    );
}

#[test]
fn q12_two_thousand_columns_are_read() {
    let columns: Vec<String> = (0..2_000).map(|index| format!("c{index:04} INT")).collect();
    let values: Vec<String> = (0..2_000).map(|index| index.to_string()).collect();
    let database = TestDatabase::new(&format!(
        "CREATE TABLE t({}); INSERT INTO t VALUES ({});",
        columns.join(","),
        values.join(",")
    ));
    let row = database.rows("t").remove(0);
    assert_eq!(row.len(), 2_000);
    assert!(row.iter().zip(0..).all(|(value, index)| *value == Value::Int(index)));
}

#[test]
fn q14_an_empty_table_is_complete() {
    let database = TestDatabase::new("CREATE TABLE t(a)");
    let catalog = database.catalog();
    let (rows, end) = database.read(spec(&catalog, "t"), &ReadFrom::Start, None);
    assert!(rows.is_empty() && end.is_complete && end.rows == 0);
}

#[test]
fn q17_columns_come_in_byte_order_of_their_names_whatever_the_table_says() {
    let database =
        TestDatabase::new("CREATE TABLE t(z, \"B\", a); INSERT INTO t VALUES ('z', 'B', 'a')");
    assert_eq!(database.rows("t"), [[text("B"), text("a"), text("z")]]);
}

#[test]
fn q21_and_k21_vacuum_changes_no_row() {
    let database = TestDatabase::new(
        "CREATE TABLE t(a TEXT, b INT); INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3), ('c', 3);
         DELETE FROM t WHERE a = 'a';",
    );
    let before = sorted(database.rows("t"));
    database.run("VACUUM");
    assert_eq!(sorted(database.rows("t")), before);
    assert_eq!(spec(&database.catalog(), "t").key, RowKey::RowHash);
}

#[test]
fn k08_binary_keys_keep_every_byte() {
    for table in
        ["CREATE TABLE t(k BLOB PRIMARY KEY) WITHOUT ROWID", "CREATE TABLE t(k BLOB PRIMARY KEY)"]
    {
        let database = TestDatabase::new(&format!(
            "{table}; INSERT INTO t VALUES (x'00'), (x'0000'), (x'ff'), (x'ff20'), (x'ff00'), ('0x41'), (x'41');"
        ));
        let rows: Vec<Value> = database.rows("t").into_iter().flatten().collect();
        assert_eq!(rows.len(), 7);
        for bytes in [&b"\0"[..], b"\0\0", b"\xff", b"\xff ", b"\xff\0", b"A"] {
            assert!(rows.contains(&Value::Bytes(bytes.to_vec())), "{bytes:?}");
        }
        assert!(rows.contains(&text("0x41")));
    }
}

#[test]
fn k11_a_primary_key_with_nulls_says_so_and_reads_every_row() {
    let database = TestDatabase::new(
        "CREATE TABLE t(k TEXT PRIMARY KEY, v INT);
         INSERT INTO t VALUES (NULL, 1), (NULL, 1), (NULL, 2), ('a', 1);",
    );
    let catalog = database.catalog();
    assert!(matches!(&spec(&catalog, "t").key, RowKey::Columns { may_be_null: true, .. }));
    assert_eq!(database.rows("t").len(), 4);
}

#[test]
fn k12_equal_rows_without_a_key_are_all_read() {
    let database =
        TestDatabase::new("CREATE TABLE t(a); INSERT INTO t VALUES ('a'), ('a'), ('a'), ('b')");
    assert_eq!(database.rows("t").len(), 4);
}

#[test]
fn k17_sparse_keys_are_read_in_order_from_any_place() {
    let database = TestDatabase::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v);
         INSERT INTO t VALUES (-9223372036854775808, 1), (-1, 2), (0, 3), (1152921504606846976, 4),
           (9223372036854775807, 5);",
    );
    let catalog = database.catalog();
    let table = spec(&catalog, "t");
    assert!(table.reads_in_key_order);
    let (all, _) = database.read(table, &ReadFrom::Start, None);
    for (index, row) in all.iter().enumerate() {
        let from = ReadFrom::After(vec![row[0].clone()]);
        let (rest, end) = database.read(table, &from, None);
        assert_eq!(rest, all[index + 1..]);
        assert!(end.is_complete);
    }
    let (two, end) = database.read(table, &ReadFrom::Start, Some(2));
    assert_eq!((two.len(), end.rows, end.is_complete), (2, 2, false));
}

#[test]
fn composite_keys_are_read_in_order_from_any_place() {
    let database = TestDatabase::new(
        "CREATE TABLE t(a TEXT, b BLOB, v INT, PRIMARY KEY(b, a)) WITHOUT ROWID;
         INSERT INTO t VALUES ('x', 1, 1), ('x', 2, 2), ('y', 1, 3), ('', x'00', 4), ('é', 'k', 5);",
    );
    let catalog = database.catalog();
    let table = spec(&catalog, "t");
    assert!(table.reads_in_key_order);
    let (all, _) = database.read(table, &ReadFrom::Start, None);
    let keys: Vec<(Value, Value)> =
        all.iter().map(|row| (row[1].clone(), row[0].clone())).collect();
    assert_eq!(keys[0], (Value::Int(1), text("x")));
    assert_eq!(keys[1], (Value::Int(1), text("y")));
    for (index, (b, a)) in keys.iter().enumerate() {
        let from = ReadFrom::After(vec![b.clone(), a.clone()]);
        assert_eq!(database.read(table, &from, None).0, all[index + 1..]);
    }
}

#[test]
fn k20_columns_may_be_called_rowid() {
    let database = TestDatabase::new(
        "CREATE TABLE t(rowid TEXT, oid TEXT, _rowid_ TEXT); INSERT INTO t VALUES ('r', 'o', 'u');
         CREATE TABLE w(rowid TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('k', 1);
         CREATE TABLE i(rowid INTEGER PRIMARY KEY, v); INSERT INTO i VALUES (7, 1);",
    );
    assert_eq!(database.rows("t"), [[text("u"), text("o"), text("r")]]);
    assert_eq!(database.rows("w"), [[text("k"), Value::Int(1)]]);
    assert_eq!(database.rows("i"), [[Value::Int(7), Value::Int(1)]]);
    assert_eq!(spec(&database.catalog(), "t").key, RowKey::RowHash);
}

#[test]
fn t01_floats_keep_their_bits() {
    let numbers = [0.1 + 0.2, 5e-324, f64::MAX, 9_007_199_254_740_993.0, 1.0 / 3.0, 2.5e-308];
    let database = TestDatabase::new("CREATE TABLE t(id INTEGER PRIMARY KEY, a REAL, b)");
    block_on(async {
        let mut connection = database.connect().await;
        for number in numbers {
            sqlx::query("INSERT INTO t(a, b) VALUES (?1, ?1)")
                .bind(number)
                .execute(&mut connection)
                .await
                .unwrap();
        }
        sqlx::Connection::close(connection).await.unwrap();
    });
    for (row, number) in database.rows("t").iter().zip(numbers) {
        assert_eq!(row[..2], [real(number), real(number)]);
    }
}

#[test]
fn t04_infinities_and_negative_zero_are_what_sqlite_holds() {
    let database = TestDatabase::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a REAL, b);
         INSERT INTO t VALUES (1, 9e999, 9e999), (2, -9e999, -9e999), (3, -0.0, -0.0), (4, 0.0, 0.0);",
    );
    let rows = database.rows("t");
    assert_eq!(rows[0][..2], [real(f64::INFINITY), real(f64::INFINITY)]);
    assert_eq!(rows[1][..2], [real(f64::NEG_INFINITY), real(f64::NEG_INFINITY)]);
    // A REAL column keeps whole numbers as integers, so there the sign of zero is lost on the way in.
    assert_eq!(rows[2][..2], [real(0.0), real(-0.0)]);
    assert_eq!(rows[3][..2], [real(0.0), real(0.0)]);
}

#[test]
fn t15_and_t16_blobs_of_all_bytes_and_text_with_nul() {
    let all: String = (0..=255).map(|byte: u8| format!("{byte:02x}")).collect();
    let database = TestDatabase::new(&format!(
        "CREATE TABLE t(a BLOB, b TEXT); INSERT INTO t VALUES (x'{all}', 'a' || char(0) || 'b');"
    ));
    assert_eq!(database.rows("t"), [[Value::Bytes((0..=255).collect()), text("a\0b")]]);
}

#[test]
fn t27_the_storage_class_is_kept_in_columns_of_every_affinity() {
    let database = TestDatabase::new(
        "CREATE TABLE t(t TEXT, i INTEGER, n NUMERIC, r REAL, b BLOB, x);
         CREATE TABLE s(i INTEGER, a ANY, t TEXT) STRICT;",
    );
    for value in
        ["1", "1.0", "'1'", "x'31'", "NULL", "1.5", "'abc'", "1e300", "'1e2'", "9007199254740993.0"]
    {
        database.run(&format!(
            "INSERT INTO t VALUES ({value},{value},{value},{value},{value},{value});
             INSERT INTO s(a) VALUES ({value});"
        ));
    }
    for (table, columns) in [("t", &["b", "i", "n", "r", "t", "x"][..]), ("s", &["a", "i", "t"])] {
        let oracle = database.oracle(table, columns);
        for (row, told) in database.rows(table).iter().zip(&oracle) {
            for (value, told) in row.iter().zip(told) {
                // The oracle's text of a float is decimal; its class is what counts here.
                if let Value::Float64(_) = value {
                    assert!(told.starts_with("real:"), "{value:?} {told}");
                } else {
                    assert_eq!(&spelled(value), told);
                }
            }
        }
    }
}

#[test]
fn t28_invalid_utf8_keeps_its_bytes() {
    let database = TestDatabase::new(
        "CREATE TABLE t(a TEXT); INSERT INTO t VALUES (CAST(x'61ff00c3' AS TEXT)), (CAST(x'eda080' AS TEXT));",
    );
    let raw = |bytes: &[u8]| Value::RawText { charset: "UTF-8".to_owned(), bytes: bytes.to_vec() };
    assert_eq!(database.rows("t"), [[raw(b"a\xff\0\xc3")], [raw(b"\xed\xa0\x80")]]);
}

#[test]
fn t28_utf16_databases_give_their_text_and_keep_what_is_none() {
    for (encoding, charset, lone) in
        [("UTF-16le", "UTF-16LE", "00d86100"), ("UTF-16be", "UTF-16BE", "d8000061")]
    {
        let database = TestDatabase::new(&format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE \"größe\"(id INTEGER PRIMARY KEY, a TEXT, ü BLOB);
             INSERT INTO \"größe\"(a, ü) VALUES ('aé😀' || char(0) || 'z', x'00d8'), ('', 'ü'),
               (CAST(x'{lone}' AS TEXT), 1);"
        ));
        let rows = database.rows("größe");
        assert_eq!(rows[0], [text("aé😀\0z"), Value::Int(1), Value::Bytes(vec![0, 0xd8])]);
        assert_eq!(rows[1], [text(""), Value::Int(2), text("ü")]);
        let Value::RawText { charset: told, bytes } = &rows[2][0] else {
            panic!("{:?}", rows[2]);
        };
        assert_eq!((told.as_str(), bytes.len()), (charset, 4));
    }
}

#[test]
fn keys_of_utf16_databases_are_found_whatever_they_hold() {
    let database = TestDatabase::new(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(k TEXT PRIMARY KEY, v INT) WITHOUT ROWID;
         INSERT INTO t VALUES (char(65279) || 'bom', 1), (CAST(x'fffe6100' AS TEXT), 2),
           (CAST(x'ffff6100' AS TEXT), 3), (CAST(x'00d86100' AS TEXT), 4), ('a' || char(0), 5), ('', 6);",
    );
    let rows = database.rows("t");
    assert_eq!(rows.len(), 6);
    let catalog = database.catalog();
    block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        for row in &rows {
            let mut found = Rows::default();
            let key = [row[0].clone()];
            let count =
                source.read_row_by_key(spec(&catalog, "t"), &key, &mut found).await.unwrap();
            assert_eq!(count, 1, "{row:?}");
            assert_eq!(found.rows, std::slice::from_ref(row));
        }
        source.close().await.unwrap();
    });
}

#[test]
fn tables_without_rowid_are_read_whatever_the_order_of_their_key() {
    for key in [
        "k TEXT COLLATE NOCASE PRIMARY KEY, v",
        "k TEXT, v, PRIMARY KEY(k DESC)",
        "k, v, PRIMARY KEY(v, k)",
    ] {
        let database = TestDatabase::new(&format!(
            "CREATE TABLE t({key}) WITHOUT ROWID; CREATE INDEX covering ON t(v, k);
             INSERT INTO t VALUES ('b', 1), ('C', 2), ('a', 3);"
        ));
        let expected = [("C", 2), ("a", 3), ("b", 1)].map(|(k, v)| vec![text(k), Value::Int(v)]);
        assert_eq!(sorted(database.rows("t")), sorted(expected.to_vec()));
        let catalog = database.catalog();
        let table = spec(&catalog, "t");
        if !table.reads_in_key_order {
            let read = block_on(async {
                let mut source =
                    Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
                let from = ReadFrom::After(vec![text("a")]);
                let read = source.read_rows(table, &from, &mut Rows::default()).await;
                source.close().await.unwrap();
                read
            });
            assert!(read.unwrap_err().to_string().contains("key order"));
        }
    }
}

#[test]
fn t32_quotes_in_names_and_values_are_just_characters() {
    let storm = "'\\\\'\"`$$:x?;--\\!\n\u{2028}";
    let name = format!("\"{}\"", storm.replace('"', "\"\""));
    let value = format!("'{}'", storm.replace('\'', "''"));
    let database = TestDatabase::new(&format!(
        "CREATE TABLE {name}({name} TEXT PRIMARY KEY, \"b'\" TEXT) WITHOUT ROWID; INSERT INTO {name} VALUES ({value}, {value});"
    ));
    let catalog = database.catalog();
    let table = spec(&catalog, storm);
    assert_eq!(table.key.column_names(), [storm]);
    assert_eq!(database.rows(storm), [[text(storm), text(storm)]]);
    let from = ReadFrom::After(vec![text("!")]);
    assert_eq!(database.read(table, &from, None).0.len(), usize::from(storm > "!"));
}

#[test]
fn counts_and_estimates() {
    let database = TestDatabase::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (5);
         CREATE TABLE sparse(id INTEGER PRIMARY KEY); INSERT INTO sparse VALUES (1), (9000000000);
         CREATE TABLE w(a PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES (1);
         CREATE TABLE e(a); CREATE TABLE s(a); CREATE INDEX si ON s(a);
         INSERT INTO s VALUES (1), (2); ANALYZE s; INSERT INTO s VALUES (3);",
    );
    let catalog = database.catalog();
    block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        source.begin(1).await.unwrap();
        for (table, count, estimate) in [
            ("t", 3, Some(5)),
            ("sparse", 2, None),
            ("w", 1, None),
            ("e", 0, Some(0)),
            ("s", 3, Some(2)),
        ] {
            let spec = spec(&catalog, table);
            assert_eq!(source.count_rows(spec).await.unwrap(), count, "{table}");
            assert_eq!(source.estimated_rows(spec).await.unwrap(), estimate, "{table}");
        }
        source.close().await.unwrap();
    });
}

#[test]
fn a_row_is_found_by_exactly_its_key() {
    let database = TestDatabase::new(
        "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v); INSERT INTO t VALUES ('Foo', 1);
         CREATE TABLE n(k PRIMARY KEY, v); INSERT INTO n VALUES (1, 'int'), ('1', 'text'), (x'31', 'blob');",
    );
    let catalog = database.catalog();
    let find = |table: &str, key: Value| {
        block_on(async {
            let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
            let mut rows = Rows::default();
            let found =
                source.read_row_by_key(spec(&catalog, table), &[key], &mut rows).await.unwrap();
            source.close().await.unwrap();
            assert_eq!(usize::try_from(found).unwrap(), rows.rows.len());
            rows.rows
        })
    };
    assert_eq!(find("t", text("Foo")).len(), 1);
    assert_eq!(find("t", text("foo")).len(), 0);
    assert_eq!(find("n", Value::Int(1))[0][1], text("int"));
    assert_eq!(find("n", text("1"))[0][1], text("text"));
    assert_eq!(find("n", Value::Bytes(b"1".to_vec()))[0][1], text("blob"));
    assert_eq!(find("n", real(1.0)).len(), 0);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Int),
        any::<u64>()
            .prop_filter("NaN", |bits| !f64::from_bits(*bits).is_nan())
            .prop_map(Value::Float64),
        any::<String>().prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_stored_is_read(rows in prop::collection::vec(prop::collection::vec(any_value(), 3), 1..30)) {
        let database = TestDatabase::new("CREATE TABLE t(a, b BLOB, c)");
        block_on(async {
            let mut target = database.target().await;
            let session = target.session().await.unwrap();
            let catalog = session.catalog(&Scope::default()).unwrap();
            let mut loader = session.loader(spec(&catalog, "t")).unwrap();
            for row in &rows {
                loader.push(row).unwrap();
            }
            loader.finish().unwrap();
        });
        prop_assert_eq!(database.rows("t"), rows);
    }
}
