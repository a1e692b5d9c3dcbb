//! Cases of keys (`K…`): every row exactly once, whatever identifies it.

use crate::lab::{Lab, lab};

#[test]
fn k04_key_that_changes_only_in_case() {
    let schema = "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v INTEGER);
        CREATE TABLE child(id INTEGER PRIMARY KEY, k TEXT COLLATE NOCASE REFERENCES t(k));";
    let lab = lab(
        &format!(
            "{schema}INSERT INTO t VALUES('Foo',1),('bar',2); INSERT INTO child VALUES(1,'foo');"
        ),
        &format!(
            "{schema}INSERT INTO t VALUES('foo',1),('bar',2); INSERT INTO child VALUES(1,'foo');"
        ),
    );
    let diff = lab.converge();
    assert_eq!(Lab::counts(&diff, "t"), (0, 0, 1));
    assert_eq!(Lab::counts(&diff, "child"), (0, 0, 0));
}

#[test]
fn k08_binary_keys() {
    let schema = "CREATE TABLE t(k BLOB PRIMARY KEY NOT NULL, v) WITHOUT ROWID;";
    let rows = "INSERT INTO t VALUES(x'00',1),(x'0000',2),(x'FF',3),(x'FF00',4),(x'20',5),
        (x'2020',6),(x'41',7),('0x41',8),('A',9),(x'',10);";
    let lab = lab(
        &format!("{schema}{rows}"),
        &format!(
            "{schema}{rows} UPDATE t SET v = v + 100; DELETE FROM t WHERE k = x'0000';
            INSERT INTO t VALUES(x'000000', 11);"
        ),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (1, 1, 9));
}

#[test]
fn k11_null_in_primary_key() {
    let schema = "CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES(NULL,'a'),(NULL,'a'),(NULL,'b'),('k','c');"),
        &format!("{schema}INSERT INTO t VALUES(NULL,'a'),(NULL,'c'),('k','d');"),
    );
    // One of the two `a` goes, `b` goes, `c` comes; the keyed row is an update.
    assert_eq!(Lab::counts(&lab.converge(), "t"), (1, 2, 1));
}

#[test]
fn k12_duplicate_rows_without_a_key() {
    let schema = "CREATE TABLE t(v TEXT);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES('a'),('a'),('a'),('b');"),
        &format!("{schema}INSERT INTO t VALUES('a'),('b'),('b');"),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (1, 2, 0));
}

#[test]
fn k15_key_update_chain() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'c'),(4,'d'),(5,'e');"),
        &format!("{schema}INSERT INTO t VALUES(2,'a'),(3,'b'),(4,'c'),(5,'d'),(6,'e');"),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (1, 1, 4));
}

#[test]
fn k16_key_column_order() {
    let schema = "CREATE TABLE t(a INTEGER, b INTEGER, v, PRIMARY KEY(b, a)) WITHOUT ROWID;";
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)
        INSERT INTO t SELECT i, i * 7919 % 1009, 'v'||i FROM n;";
    let lab = lab(
        &format!("{schema}{fill}"),
        &format!("{schema}{fill} UPDATE t SET v = 'w' WHERE a % 100 = 0;"),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 20));
}

#[test]
fn k17_sparse_keys() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v);
        CREATE TABLE u(id TEXT PRIMARY KEY, v) WITHOUT ROWID;";
    let fill = "WITH RECURSIVE n(i) AS (SELECT -7 UNION ALL SELECT i+1 FROM n WHERE i<7)
        INSERT INTO t SELECT i * 1152921504606846976, i FROM n;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)
        INSERT INTO u SELECT printf('018f%08x-%04x-7%03x-8%03x-%012x',
            i * 977 % 4294967291, i % 65536, i % 4096, i % 4096, i * 104729), i FROM n;";
    let lab = lab(
        &format!("{schema}{fill}"),
        &format!(
            "{schema}{fill} UPDATE t SET v = 99 WHERE id > 0; DELETE FROM u WHERE v % 500 = 0;"
        ),
    );
    let diff = lab.converge();
    assert_eq!(Lab::counts(&diff, "t"), (0, 0, 7));
    assert_eq!(Lab::counts(&diff, "u"), (0, 6, 0));
}

#[test]
fn k20_columns_that_shadow_the_rowid() {
    let schema = "CREATE TABLE t(rowid TEXT, oid TEXT, _rowid_ TEXT);
        CREATE TABLE u(rowid TEXT PRIMARY KEY, v) WITHOUT ROWID;
        CREATE TABLE w(rowid TEXT, id INTEGER PRIMARY KEY);";
    let lab = lab(
        &format!(
            "{schema}INSERT INTO t VALUES('a','b','c'),('a','b','c'); INSERT INTO u VALUES('x',1);
            INSERT INTO w VALUES('p',1),('q',2);"
        ),
        &format!(
            "{schema}INSERT INTO t VALUES('a','b','c'),('d','b','c'); INSERT INTO u VALUES('x',2);
            INSERT INTO w VALUES('q',1),('q',2);"
        ),
    );
    let diff = lab.converge();
    assert_eq!(Lab::counts(&diff, "t"), (1, 1, 0));
    assert_eq!(Lab::counts(&diff, "u"), (0, 0, 1));
    assert_eq!(Lab::counts(&diff, "w"), (0, 0, 1));
}

#[test]
fn k21_vacuum_renumbers_hidden_rowids() {
    let lab = lab(
        "CREATE TABLE t(v TEXT); CREATE TABLE u(k TEXT PRIMARY KEY, v);
         INSERT INTO t VALUES('a'),('b'),('c'),('d'); INSERT INTO u SELECT v, v FROM t;
         DELETE FROM t WHERE v IN ('a','c'); DELETE FROM u WHERE k IN ('a','c');",
        "SELECT 1;",
    );
    let before = lab.snapshot("prod.db", "before");
    lab.sql("prod.db", "VACUUM;");
    assert_eq!(lab.snapshot("prod.db", "after"), before);
}
