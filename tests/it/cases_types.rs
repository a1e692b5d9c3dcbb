//! Cases of types (`T…`): every value SQLite can hold comes through bit by bit.

use std::fmt::Write as _;

use crate::lab::{Lab, lab};

#[test]
fn t01_float64_corpus() {
    let mut values = vec![
        "0.1+0.2".to_owned(),
        "5e-324".into(),
        "1.7976931348623157e308".into(),
        "9007199254740991.0".into(),
        "9007199254740993.0".into(),
        "2.2250738585072014e-308".into(),
        "123456.789e-250".into(),
        "0.3".into(),
        "1e23".into(),
        "8.41e21".into(),
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..200 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let float = f64::from_bits(seed);
        if float.is_finite() {
            values.push(format!("{float:e}"));
        }
    }
    let mut dev = String::from("CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, n);");
    for (id, value) in values.iter().enumerate() {
        let _ = write!(dev, "INSERT INTO t VALUES({id}, {value}, -({value}));");
    }
    let lab = lab("CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, n);", &dev);
    assert_eq!(Lab::counts(&lab.converge(), "t"), (values.len() as u64, 0, 0));
}

#[test]
fn t01_float64_updates_are_guarded_exactly() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES(1, 0.1+0.2),(2, 5e-324),(3, 1.0);"),
        &format!("{schema}INSERT INTO t VALUES(1, 0.3),(2, 1e-323),(3, 1.0000000000000002);"),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 3));
}

#[test]
fn t04_sqlite_specials() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, n);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES(1, 9e999, 0.0),(2, -9e999, 9e999),(3, 1, 0);"),
        &format!("{schema}INSERT INTO t VALUES(1, -9e999, -0.0),(2, 9e999, -9e999),(3, 1, 0.0);"),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 3));
}

#[test]
fn t15_blob_of_all_bytes() {
    let all: String = (0..=255u8).map(|byte| format!("{byte:02X}")).collect();
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES(1, x'00'),(2, x'{all}');"),
        &format!("{schema}INSERT INTO t VALUES(1, x'{all}'),(2, x'{all}00'),(3, x'C328');"),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (1, 0, 2));
}

#[test]
fn t16_text_with_a_zero_byte() {
    let schema = "CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v TEXT);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES('a', 'a'),(CAST(x'6B006C' AS TEXT), 'x');"),
        &format!(
            "{schema}INSERT INTO t VALUES('a', CAST(x'610062' AS TEXT)),
            (CAST(x'6B006C' AS TEXT), CAST(x'00' AS TEXT));"
        ),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 2));
}

#[test]
fn t27_dynamic_types() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c NUMERIC, d BLOB, e);";
    let values = ["1", "1.0", "'1'", "x'31'", "NULL", "1.5", "'a'"];
    let (mut prod, mut dev) = (schema.to_owned(), schema.to_owned());
    for (id, value) in values.iter().enumerate() {
        let next = values[(id + 1) % values.len()];
        let _ = write!(prod, "INSERT INTO t VALUES({id},{value},{value},{value},{value},{value});");
        let _ = write!(dev, "INSERT INTO t VALUES({id},{next},{next},{next},{next},{next});");
    }
    let lab = lab(&prod, &dev);
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 7));
}

#[test]
fn t27_strict_tables() {
    let schema =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, i INT, r REAL, s TEXT, b BLOB, a ANY) STRICT;";
    let lab = lab(
        &format!(
            "{schema}INSERT INTO t VALUES(1, 1, 1.0, '1', x'31', 1),(2, 2, 2, '2', x'32', '2');"
        ),
        &format!(
            "{schema}INSERT INTO t VALUES(1, 2, 2.0, '2', x'32', '1'),(2, 2, 2, '2', x'32', 2.0);"
        ),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 2));
}

#[test]
fn t28_invalid_utf8() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);";
    let lab = lab(
        &format!("{schema}INSERT INTO t VALUES(1, 'ok'),(2, CAST(x'FF' AS TEXT));"),
        &format!(
            "{schema}INSERT INTO t VALUES(1, CAST(x'61FF62' AS TEXT)),(2, CAST(x'FE' AS TEXT));"
        ),
    );
    assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 2));
}

#[test]
fn t28_utf16_databases() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let schema = format!(
            "PRAGMA encoding='{encoding}'; CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v TEXT);"
        );
        let lab = lab(
            &format!(
                "{schema}INSERT INTO t VALUES('a','żółw'),('𝄞','x'),('z',CAST(x'00D8' AS TEXT));"
            ),
            &format!(
                "{schema}INSERT INTO t VALUES('a','żuk'),('𝄞','y'),('z',CAST(x'00D9' AS TEXT));"
            ),
        );
        assert_eq!(Lab::counts(&lab.converge(), "t"), (0, 0, 3), "{encoding}");
    }
}

#[test]
fn t32_quote_storm() {
    let nasty = [
        "'",
        "\\",
        "\\'",
        "\"",
        "`",
        "$$",
        ":x",
        "?",
        ";--",
        "\\!",
        "\n",
        "\u{2028}",
        "'; DROP TABLE t; --",
        "[",
        "]",
        "/*",
        "*/",
        "@x",
        "#",
        "%s",
        "\r\n.quit\n",
    ];
    let schema = "CREATE TABLE \"t'\"\"`[;--\"(\"id\" INTEGER PRIMARY KEY, \"c'\"\"`];?\" TEXT);";
    let (mut prod, mut dev) = (schema.to_owned(), schema.to_owned());
    for (id, text) in nasty.iter().enumerate() {
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        let _ = write!(prod, "INSERT INTO \"t'\"\"`[;--\" VALUES({id}, 'plain');");
        let _ = write!(dev, "INSERT INTO \"t'\"\"`[;--\" VALUES({id}, CAST(x'{hex}' AS TEXT));");
    }
    let lab = lab(&prod, &dev);
    assert_eq!(Lab::counts(&lab.converge(), "t'\"`[;--").2, nasty.len() as u64);
}
