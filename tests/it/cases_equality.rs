//! Cases of equality and hashing (`Q…`): nothing different is ever taken for equal.

use std::fmt::Write as _;

use crate::lab::{Lab, lab};

/// Both scripts on one schema; gives the counts of table `t` after the whole workflow.
fn counts(schema: &str, prod: &str, dev: &str) -> (u64, u64, u64) {
    let lab = lab(&format!("{schema}{prod}"), &format!("{schema}{dev}"));
    Lab::counts(&lab.converge(), "t")
}

#[test]
fn q01_null_vs_sentinels() {
    let sentinels = ["''", "' '", "'NULL'", "'<null>'", "'DEFAULT_REPLACEMENT_STRING'", "'\\N'"];
    let (mut prod, mut dev) = (String::new(), String::new());
    for (id, sentinel) in sentinels.iter().enumerate() {
        let _ = write!(prod, "INSERT INTO t VALUES({id}, NULL);");
        let _ = write!(dev, "INSERT INTO t VALUES({id}, {sentinel});");
    }
    assert_eq!(counts("CREATE TABLE t(id INTEGER PRIMARY KEY, v);", &prod, &dev), (0, 0, 6));
}

#[test]
fn q02_separator_shift() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT);";
    let prod = "INSERT INTO t VALUES(1,'a|b','c'),(2,'a#b','c'),(3,'a,b','c'),
        (4,'a'||char(31)||'b','c'),(5,NULL,'x');";
    let dev = "INSERT INTO t VALUES(1,'a','b|c'),(2,'a','b#c'),(3,'a','b,c'),
        (4,'a','b'||char(31)||'c'),(5,'x',NULL);";
    assert_eq!(counts(schema, prod, dev), (0, 0, 5));
}

#[test]
fn q02_separator_shift_in_keys() {
    let schema = "CREATE TABLE t(a TEXT, b TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID;";
    let prod = "INSERT INTO t VALUES('a|b','c'),('x','');";
    let dev = "INSERT INTO t VALUES('a','b|c'),('','x');";
    assert_eq!(counts(schema, prod, dev), (2, 2, 0));
}

#[test]
fn q03_xor_cancel() {
    for rows in [2, 4, 1000] {
        let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, at INTEGER);";
        let fill = |delta: i32| {
            format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})
                 INSERT INTO t SELECT i, 1700000000 + i*60 + {delta} FROM n;"
            )
        };
        assert_eq!(counts(schema, &fill(0), &fill(3600)), (0, 0, rows));
    }
}

#[test]
fn q04_row_permutation() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);";
    let prod = "INSERT INTO t VALUES(1,'x',10),(2,'y',20),(3,'z',30);";
    let dev = "INSERT INTO t VALUES(1,'y',20),(2,'x',10),(3,'z',30);";
    assert_eq!(counts(schema, prod, dev), (0, 0, 2));
}

#[test]
fn q05_column_permutation() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES(1,'x','y');"),
        &format!("{schema}INSERT INTO t VALUES(1,'y','x');"),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 1));
    let rows = lab.run(&["diff", "prod", "dev", "--format", "jsonl"]);
    let first: serde_json::Value = rows
        .stdout
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .find(|l: &serde_json::Value| l["change"] == "update")
        .unwrap();
    assert_eq!(first["cells"], serde_json::json!({"a": ["x", "y"], "b": ["y", "x"]}));
}

#[test]
fn q06_trailing_and_leading_whitespace() {
    let variants = ["'x '", "' x'", "'x'||char(9)", "'x'||char(10)", "'x'||char(13,10)"];
    let (mut prod, mut dev) = (String::new(), String::new());
    for (id, variant) in variants.iter().enumerate() {
        let _ = write!(prod, "INSERT INTO t VALUES({id}, 'x');");
        let _ = write!(dev, "INSERT INTO t VALUES({id}, {variant});");
    }
    assert_eq!(counts("CREATE TABLE t(id INTEGER PRIMARY KEY, v);", &prod, &dev), (0, 0, 5));
}

#[test]
fn q07_case_only_under_nocase() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE);";
    let prod = "INSERT INTO t VALUES(1,'Résumé'),(2,'ABC');";
    let dev = "INSERT INTO t VALUES(1,'resume'),(2,'abc');";
    assert_eq!(counts(schema, prod, dev), (0, 0, 2));
}

#[test]
fn q08_nfc_and_nfd() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);";
    let prod = "INSERT INTO t VALUES(1, char(0xE9));";
    let dev = "INSERT INTO t VALUES(1, 'e'||char(0x301));";
    assert_eq!(counts(schema, prod, dev), (0, 0, 1));
}

#[test]
fn q09_bigint_digits() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER);";
    let prod = "INSERT INTO t VALUES(1,9007199254740992),(2,-9223372036854775808),
        (3,9223372036854775806),(9223372036854775807,1),(-9223372036854775808,1);";
    let dev = "INSERT INTO t VALUES(1,9007199254740993),(2,-9223372036854775807),
        (3,9223372036854775807),(9223372036854775807,2),(-9223372036854775808,2);";
    assert_eq!(counts(schema, prod, dev), (0, 0, 5));
}

#[test]
fn q12_two_thousand_columns() {
    let columns: Vec<String> = (0..1999).map(|n| format!("c{n} INTEGER")).collect();
    let schema = format!("CREATE TABLE t(id INTEGER PRIMARY KEY, {});", columns.join(","));
    let values: Vec<String> = (0..1999).map(|n| n.to_string()).collect();
    let insert = format!("INSERT INTO t VALUES(1,{});", values.join(","));
    let dev = format!("{insert}UPDATE t SET c1998 = c1998 + 1;");
    assert_eq!(counts(&schema, &insert, &dev), (0, 0, 1));
}

#[test]
fn q13_long_value_that_differs_in_its_last_byte() {
    // 20 MB here; the 200 MB value and its memory are measured by the benchmark.
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);";
    let prod = "INSERT INTO t VALUES(1, zeroblob(20000000));";
    let dev = "INSERT INTO t VALUES(1, CAST(zeroblob(19999999) || 'x' AS BLOB));";
    let lab = lab(&format!("{schema}{prod}"), &format!("{schema}{dev}"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    assert_eq!(Lab::counts(&lab.diff("prod", "dev"), "t"), (0, 0, 1));
}

#[test]
fn q14_empty_and_missing_tables() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v);";
    let lab1 = lab(schema, schema);
    assert_eq!(lab1.converge()["verdict"], "equal");
    let rows = format!("{schema}INSERT INTO t VALUES(1,1),(2,2);");
    assert_eq!(Lab::counts(&lab(schema, &rows).converge(), "t"), (2, 0, 0));
    let missing = lab("CREATE TABLE u(x);", &format!("CREATE TABLE u(x);{rows}"));
    let diff = missing.converge();
    assert_eq!(diff["verdict"], "different");
    let created: Vec<_> = diff["schema"].as_array().unwrap().iter().map(|c| &c["change"]).collect();
    assert!(!created.is_empty() && created.iter().all(|c| *c == "created"), "{diff}");
}

#[test]
fn q17_column_order_is_no_difference() {
    let lab = lab(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES(1,'x','y');",
        "CREATE TABLE t(b TEXT, id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES('y',1,'x');",
    );
    let (prod, dev) = (lab.snapshot("prod.db", "prod"), lab.snapshot("dev.db", "dev"));
    assert_eq!(prod, dev);
    assert_eq!(lab.diff("prod", "dev")["verdict"], "equal");
}

#[test]
fn q21_unchanged_is_zero() {
    let lab = lab(
        "CREATE TABLE t(a TEXT, b INTEGER); CREATE TABLE u(id INTEGER PRIMARY KEY, v);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)
         INSERT INTO t SELECT 'row '||(i%700), i%13 FROM n; INSERT INTO u SELECT rowid, a FROM t;",
        "SELECT 1;",
    );
    let first = lab.snapshot("prod.db", "first");
    lab.sql("prod.db", "DELETE FROM t WHERE rowid % 2; VACUUM;");
    lab.sql(
        "prod.db",
        "WITH RECURSIVE n(i) AS (SELECT 3000 UNION ALL SELECT i-1 FROM n WHERE i>1)
         INSERT INTO t SELECT 'row '||(i%700), i%13 FROM n WHERE i % 2; VACUUM;",
    );
    let again = lab.run(&["snapshot", "prod.db", "--ref", "second", "--json"]).ok().json();
    assert_eq!(again["state"], first);
    let stored = again["bytes_stored"].as_u64().unwrap();
    assert!(stored < 8_000, "{stored} bytes for nothing new");
}
