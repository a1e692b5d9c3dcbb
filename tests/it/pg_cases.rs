//! The cases of equality (`Q…`) and keys (`K…`) on PostgreSQL, through the whole program.

use crate::lab::Lab;
use crate::pg_lab::{Pair, loaded};

const TEXTS: &str = "CREATE TABLE t(id int PRIMARY KEY, a text, b text)";

/// Rows of `t`: an id and what stands for the other columns.
fn rows(rows: &[&str]) -> String {
    let rows: Vec<String> =
        rows.iter().enumerate().map(|(id, row)| format!("({id}, {row})")).collect();
    format!("INSERT INTO t VALUES {}", rows.join(", "))
}

#[test]
fn q01_null_is_none_of_the_texts_that_stand_for_it() {
    let texts = ["''", "' '", "'NULL'", "'<null>'", "'DEFAULT_REPLACEMENT_STRING'", r"'\N'"];
    let nulls = rows(&["NULL, 'x'"; 6]);
    let written: Vec<String> = texts.iter().map(|text| format!("{text}, 'x'")).collect();
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    assert_eq!(Pair::new(TEXTS, &nulls, &rows(&written)).counts(), (0, 0, 6));
}

#[test]
fn q02_q06_q08_separators_spaces_and_normal_forms() {
    let left = rows(&[
        "'a|b', 'c'",
        "'a#b', 'c'",
        r"E'a\x1fb', 'c'",
        "NULL, 'x'",
        "'x', ''",
        "'x', ''",
        "'x', ''",
        "'x', ''",
        "'x', ''",
        "U&'\\00e9', ''",
        "'same', 'same'",
    ]);
    let right = rows(&[
        "'a', 'b|c'",
        "'a', 'b#c'",
        r"'a', E'b\x1fc'",
        "'x', NULL",
        "'x ', ''",
        "' x', ''",
        r"E'x\t', ''",
        r"E'x\n', ''",
        r"E'x\r\n', ''",
        "U&'e\\0301', ''",
        "'same', 'same'",
    ]);
    assert_eq!(Pair::new(TEXTS, &left, &right).counts(), (0, 0, 10));
}

#[test]
fn q03_q04_q05_changes_that_cancel_each_other() {
    let schema = "CREATE TABLE t(id int PRIMARY KEY, a int, b int, at timestamptz)";
    let base = "INSERT INTO t SELECT i, i, -i, '2024-01-01'::timestamptz + i * interval '1 s'
                FROM generate_series(1, 1000) i";
    let pair = Pair::new(
        schema,
        base,
        &format!("{base}; UPDATE t SET at = at + interval '1 hour' WHERE id <= 4"),
    );
    assert_eq!(pair.counts(), (0, 0, 4));
    pair.dev.sql(
        "UPDATE t SET at = at - interval '1 hour' WHERE id <= 4;
                  UPDATE t SET a = CASE a WHEN 7 THEN 8 ELSE 7 END WHERE a IN (7, 8);
                  UPDATE t SET a = b, b = a WHERE id = 9",
    );
    assert_eq!(pair.counts(), (0, 0, 3));
    pair.dev.sql("UPDATE t SET at = at + interval '1 hour'");
    assert_eq!(pair.counts(), (0, 0, 1000));
}

#[test]
fn q09_q10_numbers_differ_in_their_last_digit() {
    let pair = Pair::new(
        "CREATE TABLE t(id int PRIMARY KEY, a bigint, b numeric(38, 18))",
        "INSERT INTO t VALUES (1, 9007199254740992, 1), (2, 9223372036854775807, 0.000000000000000001),
         (3, -9223372036854775808, 12345678901234567890.123456789012345678)",
        "INSERT INTO t VALUES (1, 9007199254740993, 1), (2, 9223372036854775807, 0.000000000000000002),
         (3, -9223372036854775807, 12345678901234567890.123456789012345678)",
    );
    assert_eq!(pair.counts(), (0, 0, 3));
}

#[test]
fn q11_q15_values_that_are_equal_to_the_server_and_not_the_same() {
    let pair = Pair::new(
        "CREATE TABLE t(id int PRIMARY KEY, a numeric, b jsonb, c interval, d box, e circle)",
        "INSERT INTO t VALUES (1, 1.0, NULL, NULL, NULL, NULL), (2, NULL, '{\"a\":1.0}', NULL, NULL, NULL),
         (3, NULL, NULL, '1 mon', NULL, NULL), (4, NULL, NULL, NULL, '(0,0),(1,4)', NULL),
         (5, NULL, NULL, NULL, NULL, '<(0,0),1>')",
        "INSERT INTO t VALUES (1, 1.00, NULL, NULL, NULL, NULL), (2, NULL, '{\"a\":1.00}', NULL, NULL, NULL),
         (3, NULL, NULL, '30 days', NULL, NULL), (4, NULL, NULL, NULL, '(0,0),(2,2)', NULL),
         (5, NULL, NULL, NULL, NULL, '<(5,5),1>')",
    );
    assert_eq!(
        pair.dev.sql("SELECT '1 mon'::interval = '30 days', '(0,0),(1,4)'::box = '(0,0),(2,2)'"),
        "t|t\n"
    );
    assert_eq!(pair.counts(), (0, 0, 5));
}

#[test]
fn q12_1600_columns_differ_in_the_last() {
    let columns: Vec<String> = (0..1599).map(|n| format!("c{n} bool")).collect();
    let schema = format!("CREATE TABLE t(id int PRIMARY KEY, {})", columns.join(", "));
    let row = |last| {
        let cells = vec!["true"; 1598].join(", ");
        format!("INSERT INTO t VALUES (1, {cells}, {last})")
    };
    assert_eq!(Pair::new(&schema, &row("true"), &row("false")).counts(), (0, 0, 1));
}

#[test]
fn q14_empty_and_missing_tables() {
    let pair = Pair::new("CREATE TABLE t(id int PRIMARY KEY)", "SELECT 1", "SELECT 1");
    assert_eq!(pair.diff()["verdict"], "equal");
    pair.dev.sql("INSERT INTO t SELECT generate_series(1, 5)");
    assert_eq!(pair.counts(), (5, 0, 0));
    pair.prod.sql("DROP TABLE t");
    assert_eq!(pair.diff()["verdict"], "different");
}

#[test]
fn q16_k12_tables_without_a_key_or_an_equality() {
    let pair = Pair::new(
        "CREATE TABLE t(a json, b xml, c point)",
        "INSERT INTO t VALUES ('1', '<a/>', '(1,1)'), ('1', '<a/>', '(1,1)'), ('1', '<a/>', '(1,1)'), (NULL, NULL, NULL)",
        "INSERT INTO t VALUES ('1', '<a/>', '(1,1)'), (NULL, NULL, NULL), (NULL, NULL, NULL)",
    );
    assert_eq!(pair.counts(), (1, 2, 0));
}

#[test]
fn q17_the_order_of_columns_and_dropped_ones() {
    let rows = "INSERT INTO t(id, a, b) SELECT i, 'a' || i, i FROM generate_series(1, 100) i";
    let pair = Pair::new(
        "SELECT 1",
        &format!("CREATE TABLE t(id int PRIMARY KEY, a text, b int); {rows}"),
        &format!(
            "CREATE TABLE t(b int, gone text, a text, id int PRIMARY KEY); {rows};
             ALTER TABLE t DROP gone"
        ),
    );
    assert_eq!(pair.counts(), (0, 0, 0));
}

#[test]
fn q18_settings_of_the_database_change_nothing() {
    let script = "CREATE TABLE t(id int PRIMARY KEY, a timestamptz, b float8, c bytea, d interval, e date[],
         f money, g float8[], h bytea[]); INSERT INTO t VALUES (1, '2024-07-01 12:00+00', 0.1, '\\x0aff',
         '1 year 2 days 03:04:05.6', '{2024-02-01}', 12.5, '{0.30000000000000004}', ARRAY['\\x41'::bytea]);
         CREATE SCHEMA other; CREATE TYPE other.c AS ENUM ('a'); CREATE TABLE u(v other.c PRIMARY KEY);
         INSERT INTO u VALUES ('a');";
    let pair = Pair::new("SELECT 1", script, script);
    let before = pair.state(&pair.prod, "prod");
    for setting in [
        "TimeZone = 'Asia/Kathmandu'",
        "DateStyle = 'SQL, DMY'",
        "extra_float_digits = -15",
        "bytea_output = 'escape'",
        "IntervalStyle = 'iso_8601'",
        "search_path = 'other'",
        "lc_monetary = 'C.UTF-8'",
        "standard_conforming_strings = off",
        "client_encoding = 'LATIN1'",
        "row_security = off",
        "statement_timeout = '1s'",
        "default_transaction_isolation = 'serializable'",
        "quote_all_identifiers = on",
        "xmlbinary = 'hex'",
        "array_nulls = off",
        "default_transaction_read_only = on",
    ] {
        pair.dev.sql(&format!("ALTER DATABASE {} SET {setting}", pair.dev.name));
    }
    assert_eq!(pair.state(&pair.dev, "dev"), before);
}

#[test]
fn k01_k02_text_keys_under_a_language() {
    let script = "CREATE TABLE t(k text PRIMARY KEY); INSERT INTO t VALUES
                  ('a'), ('B'), ('A'), ('b'), ('é'), ('-x'), ('_'), ('ab c'), ('a-b')";
    let left = loaded(script);
    let right = loaded(&script.replace("k text", "k text COLLATE \"en-x-icu\""));
    let lab = Lab::new();
    lab.snapshot(&left.url(), "left");
    lab.snapshot(&right.url(), "right");
    assert_eq!(Lab::counts(&lab.diff("left", "right"), "public.t"), (0, 0, 0));
    right.sql("DELETE FROM t WHERE k = '_'; INSERT INTO t VALUES ('ß')");
    lab.snapshot(&right.url(), "right");
    assert_eq!(Lab::counts(&lab.diff("left", "right"), "public.t"), (1, 1, 0));
}

#[test]
fn k07_labels_added_in_the_middle() {
    let schema = "CREATE TYPE mood AS ENUM ('a', 'c'); CREATE TABLE t(k mood PRIMARY KEY, v int)";
    let pair = Pair::new(
        schema,
        "INSERT INTO t VALUES ('a', 1), ('c', 3)",
        "ALTER TYPE mood ADD VALUE 'b' BEFORE 'c'; INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 4)",
    );
    assert_eq!(pair.counts(), (1, 0, 1));
}

#[test]
fn k14_numbers_as_keys_are_the_same_row() {
    let pair = Pair::new(
        "CREATE TABLE t(k float8 PRIMARY KEY, v int); CREATE TABLE n(k numeric PRIMARY KEY, v int)",
        "INSERT INTO t VALUES ('NaN', 1), ('-Infinity', 2), (1.5, 3), (0, 4);
         INSERT INTO n VALUES (1.0, 1), (0, 2), (1000, 3), ('NaN', 4)",
        "INSERT INTO t VALUES ('NaN', 9), ('-Infinity', 2), (1.5, 3), ('-0', 4);
         INSERT INTO n VALUES (1.00, 1), (0.0, 2), (1000, 3), ('NaN', 4)",
    );
    let diff = pair.diff();
    assert_eq!(Lab::counts(&diff, "public.t"), (0, 0, 2));
    assert_eq!(Lab::counts(&diff, "public.n"), (0, 0, 2));
}

#[test]
fn k16_k17_keys_in_another_order_than_the_rows() {
    let schema = "CREATE TABLE t(a bigint, b uuid, c int, PRIMARY KEY (b, a))";
    let rows = "INSERT INTO t SELECT i * 1152921504606846, md5(i::text)::uuid, i FROM generate_series(1, 7999) i";
    let pair = Pair::new(
        schema,
        rows,
        &format!("{rows} ORDER BY md5(i::text); UPDATE t SET c = 0 WHERE c = 5"),
    );
    assert_eq!(pair.counts(), (0, 0, 1));
}

/// Case and accents alone, and a key that another spelling is equal to, where the server has the
/// types for it.
#[test]
fn q07_k04_case_alone_under_citext_and_a_collation() {
    let schema =
        "CREATE COLLATION ci (PROVIDER = icu, LOCALE = 'und-u-ks-level1', DETERMINISTIC = false);
         CREATE TABLE t(id int PRIMARY KEY, v text COLLATE ci);
         CREATE TABLE k(k text COLLATE ci PRIMARY KEY, v int)";
    let pair = Pair::new(
        schema,
        "INSERT INTO t VALUES (1, 'Résumé'), (2, 'ABC'), (3, 'same');
         INSERT INTO k VALUES ('Foo', 1), ('bar', 2)",
        "INSERT INTO t VALUES (1, 'resume'), (2, 'abc'), (3, 'same');
         INSERT INTO k VALUES ('foo', 1), ('bar', 2)",
    );
    assert_eq!(pair.dev.sql("SELECT 'Résumé' = 'resume' COLLATE ci"), "t\n");
    let diff = pair.diff();
    assert_eq!(Lab::counts(&diff, "public.t"), (0, 0, 2));
    assert_eq!(Lab::counts(&diff, "public.k"), (1, 1, 0));
    let has_citext = "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'";
    if pair.prod.sql(has_citext).trim() == "1" {
        let schema = "CREATE EXTENSION citext; CREATE TABLE t(k citext PRIMARY KEY, v citext)";
        let prod = "INSERT INTO t VALUES ('Foo', 'x'), ('bar', 'ABC')";
        let dev = "INSERT INTO t VALUES ('foo', 'x'), ('bar', 'abc')";
        assert_eq!(Pair::new(schema, prod, dev).counts(), (1, 1, 1));
    }
}

#[test]
fn k15_a_chain_of_keys_is_rows_that_changed() {
    let pair = Pair::new(
        "CREATE TABLE t(id int PRIMARY KEY, v text)",
        "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5) i",
        "INSERT INTO t SELECT i + 1, 'v' || i FROM generate_series(1, 5) i",
    );
    assert_eq!(pair.counts(), (1, 1, 4));
}

/// After an upgrade of the collation's library the index is in another order than the server
/// believes. It is not read by, and said to be so.
#[test]
fn k19_an_index_that_is_out_of_order_hides_no_row() {
    let rows = "INSERT INTO t SELECT chr(65 + i % 26 + 32 * (i % 2)) || i, i FROM generate_series(1, 2000) i";
    let schema = |collation: &str| {
        format!("CREATE TABLE t(k text COLLATE \"{collation}\" PRIMARY KEY, v int)")
    };
    let whole = loaded(&format!("{}; {rows}", schema("en-x-icu")));
    let stale = loaded(&format!("{}; {rows}", schema("C")));
    stale.sql(
        "UPDATE pg_attribute SET attcollation = '\"en-x-icu\"'::regcollation
             WHERE attname = 'k' AND attrelid IN ('t'::regclass, 't_pkey'::regclass);
         UPDATE pg_index SET indcollation = (SELECT attcollation::oid::text::oidvector FROM pg_attribute
             WHERE attrelid = 't'::regclass AND attname = 'k') WHERE indexrelid = 't_pkey'::regclass;
         UPDATE pg_collation SET collversion = '0' WHERE collname = 'en-x-icu';",
    );
    // So it is: by its index the server does not find what is there.
    let found = stale.sql(
        "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
         SET enable_hashagg = off; SET client_min_messages = error;
         SELECT count(*) FROM generate_series(1, 2000) i
         WHERE EXISTS (SELECT FROM t WHERE k = chr(65 + i % 26 + 32 * (i % 2)) || i)",
    );
    assert_ne!(found.trim(), "2000");
    let lab = Lab::new();
    lab.snapshot(&whole.url(), "whole");
    lab.snapshot(&stale.url(), "stale");
    let diff = lab.run(&["diff", "whole", "stale", "--json"]).json();
    assert_eq!(Lab::counts(&diff, "public.t"), (0, 0, 0), "{diff}");
    for args in [&["check", &stale.url()][..], &["show", "stale"]] {
        let said = lab.run(args).ok().stdout;
        assert!(said.contains("collation en-x-icu has another version"), "{said}");
    }
    let said = lab.run(&["show", "whole"]).ok().stdout;
    assert!(!said.contains("another version"), "{said}");
}

/// The same, where it is the collation of the whole database.
#[test]
fn k19_the_collation_of_the_database_counts() {
    let server = crate::servers::postgres();
    let options = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C.UTF-8'";
    let database = server.database(options);
    database.sql("CREATE TABLE t(k text PRIMARY KEY); INSERT INTO t VALUES ('a'), ('B')");
    let lab = Lab::new();
    let said = lab.run(&["check", &database.url()]).ok().stdout;
    assert!(!said.contains("another version"), "{said}");
    let name = &database.name;
    database.sql(&format!("UPDATE pg_database SET datcollversion = '0' WHERE datname = '{name}'"));
    let said = lab.run(&["check", &database.url()]).ok().stdout;
    assert!(said.contains("collation of the database has another version"), "{said}");
}
