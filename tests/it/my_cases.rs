//! The cases of equality (`Q…`) and keys (`K…`) on every MySQL and MariaDB server, through the whole
//! program.

use serde_json::Value as Json;

use crate::lab::{Counts, Lab};
use crate::servers::{self, Database, Server};

const OPTIONS: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/// Two databases of one server and a store.
struct Pair {
    lab: Lab,
    prod: Database,
    dev: Database,
}

impl Pair {
    /// Both with a common schema, and their own rows.
    fn new(server: &Server, schema: &str, prod: &str, dev: &str) -> Pair {
        let loaded = |rows: &str| {
            let database = server.database(OPTIONS);
            database.sql(&format!("{schema};\n{rows};"));
            database
        };
        Pair { lab: Lab::new(), prod: loaded(prod), dev: loaded(dev) }
    }

    /// Snapshots of both, and their difference.
    #[track_caller]
    fn diff(&self) -> Json {
        self.lab.snapshot(&self.prod.url(), "prod");
        self.lab.snapshot(&self.dev.url(), "dev");
        self.lab.diff("prod", "dev")
    }

    /// How the rows of `t` differ.
    #[track_caller]
    fn counts(&self) -> Counts {
        Lab::counts(&self.diff(), "t")
    }
}

/// How the rows of `t` differ, on every server.
#[track_caller]
fn differ(schema: &str, prod: &str, dev: &str, expected: Counts) {
    for server in servers::mysql_servers() {
        assert_eq!(Pair::new(&server, schema, prod, dev).counts(), expected, "{}", server.name);
    }
}

const TEXTS: &str = "CREATE TABLE t(id int PRIMARY KEY, a text, b text)";

/// Rows of `t`: an id and what stands for the other columns.
fn rows(rows: &[&str]) -> String {
    let rows: Vec<String> =
        rows.iter().enumerate().map(|(id, row)| format!("({id}, {row})")).collect();
    format!("INSERT INTO t VALUES {}", rows.join(", "))
}

#[test]
fn q01_null_is_none_of_the_texts_that_stand_for_it() {
    let nulls = rows(&["NULL, 'x'"; 6]);
    let texts = rows(&[
        "'', 'x'",
        "' ', 'x'",
        "'NULL', 'x'",
        "'<null>', 'x'",
        "'DEFAULT_REPLACEMENT_STRING', 'x'",
        r"'\\N', 'x'",
    ]);
    differ(TEXTS, &nulls, &texts, (0, 0, 6));
}

#[test]
fn q02_q06_q08_separators_spaces_and_normal_forms() {
    let pairs = [
        ("'a|b', 'c'", "'a', 'b|c'"),
        ("'a#b', 'c'", "'a', 'b#c'"),
        ("x'611f62', 'c'", "'a', x'621f63'"),
        ("NULL, 'x'", "'x', NULL"),
        ("'x', ''", "'x ', ''"),
        ("'x', ''", "' x', ''"),
        ("'x', ''", r"'x\t', ''"),
        ("'x', ''", r"'x\n', ''"),
        ("'x', ''", r"'x\r\n', ''"),
        ("x'c3a9', ''", "x'65cc81', ''"),
        ("'same', 'same'", "'same', 'same'"),
    ];
    let (left, right): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    differ(TEXTS, &rows(&left), &rows(&right), (0, 0, 10));
}

#[test]
fn q03_q04_q05_changes_that_cancel_each_other() {
    let schema = "CREATE TABLE t(id int PRIMARY KEY, a int, b int, at datetime)";
    let digits = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION
        SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";
    let base = format!(
        "INSERT INTO t SELECT i, i, -i, '2024-01-01' + INTERVAL i SECOND FROM
         (SELECT x.d * 100 + y.d * 10 + z.d AS i FROM {digits} x, {digits} y, {digits} z) n"
    );
    for server in servers::mysql_servers() {
        let shifted = "UPDATE t SET at = at + INTERVAL 1 HOUR WHERE id < 4";
        let pair = Pair::new(&server, schema, &base, &format!("{base}; {shifted}"));
        assert_eq!(pair.counts(), (0, 0, 4));
        pair.dev.sql(
            "UPDATE t SET at = at - INTERVAL 1 HOUR WHERE id < 4;
             UPDATE t SET a = CASE a WHEN 7 THEN 8 ELSE 7 END WHERE id IN (7, 8);
             UPDATE t SET a = -9, b = 9 WHERE id = 9;",
        );
        assert_eq!(pair.counts(), (0, 0, 3));
        pair.dev.sql("UPDATE t SET at = at + INTERVAL 1 HOUR;");
        assert_eq!(pair.counts(), (0, 0, 1000));
    }
}

#[test]
fn q07_case_and_accents_alone_are_differences() {
    differ(
        "CREATE TABLE t(id int PRIMARY KEY, a varchar(20) COLLATE utf8mb4_unicode_ci)",
        &rows(&["'Résumé'", "'ABC'", "'same'"]),
        &rows(&["'resume'", "'abc'", "'same'"]),
        (0, 0, 2),
    );
}

#[test]
fn q09_q10_numbers_differ_in_their_last_digit() {
    differ(
        "CREATE TABLE t(id int PRIMARY KEY, a bigint, b bigint unsigned, c decimal(38, 18))",
        &rows(&[
            "9007199254740992, 0, 0",
            "9223372036854775807, 0, 0",
            "-9223372036854775808, 0, 0",
            "0, 18446744073709551615, 0",
            "0, 0, 12345678901234567890.123456789012345678",
        ]),
        &rows(&[
            "9007199254740993, 0, 0",
            "9223372036854775806, 0, 0",
            "-9223372036854775807, 0, 0",
            "0, 18446744073709551614, 0",
            "0, 0, 12345678901234567890.123456789012345679",
        ]),
        (0, 0, 5),
    );
}

#[test]
fn q12_the_last_of_as_many_columns_as_there_can_be() {
    let columns: Vec<String> = (0..1016).map(|n| format!("c{n} bit")).collect();
    let row = |last: &str| format!("INSERT INTO t VALUES (1, {}{last})", "1, ".repeat(1015));
    differ(
        &format!("CREATE TABLE t(id int PRIMARY KEY, {})", columns.join(", ")),
        &row("0"),
        &row("1"),
        (0, 0, 1),
    );
}

#[test]
fn q14_empty_and_missing_tables() {
    for server in servers::mysql_servers() {
        let pair = Pair::new(&server, "CREATE TABLE t(id int PRIMARY KEY)", "", "");
        assert_eq!(pair.diff()["verdict"], "equal");
        pair.dev.sql("INSERT INTO t VALUES (1), (2), (3);");
        assert_eq!(pair.counts(), (3, 0, 0));
        pair.prod.sql("DROP TABLE t;");
        assert_eq!(pair.diff()["verdict"], "different");
    }
}

#[test]
fn q17_the_order_of_columns_changes_no_row() {
    let rows = "INSERT INTO t(id, a, b) VALUES (1, 'x', 2), (2, 'y', 3)";
    for server in servers::mysql_servers() {
        let pair = Pair::new(
            &server,
            "SELECT 1",
            &format!("CREATE TABLE t(id int PRIMARY KEY, a varchar(9), b int); {rows}"),
            &format!(
                "CREATE TABLE t(b int, gone int, a varchar(9), id int PRIMARY KEY); {rows};
                 ALTER TABLE t DROP gone"
            ),
        );
        assert_eq!(pair.counts(), (0, 0, 0), "{}", server.name);
    }
}

#[test]
fn k04_a_key_that_changes_in_case_only_is_no_equal_row() {
    for server in servers::mysql_servers() {
        let pair = Pair::new(
            &server,
            "CREATE TABLE t(k varchar(9) COLLATE utf8mb4_unicode_ci PRIMARY KEY, v int)",
            "INSERT INTO t VALUES ('Foo', 1), ('bar', 2)",
            "INSERT INTO t VALUES ('foo', 1), ('bar', 2)",
        );
        assert_eq!(pair.counts(), (1, 1, 0), "{}", server.name);
    }
}

#[test]
fn k08_binary_keys_keep_every_byte() {
    differ(
        "CREATE TABLE t(k varbinary(16) PRIMARY KEY, v int)",
        "INSERT INTO t VALUES (x'00', 1), (x'0000', 1), (x'ff', 1), ('a', 1), ('a ', 1), ('0x41', 1)",
        "INSERT INTO t VALUES (x'00', 1), (x'000000', 1), (x'ff', 2), ('a', 1), ('a ', 2), ('A', 1)",
        (2, 2, 2),
    );
}

#[test]
fn k12_k13_equal_rows_without_a_key_are_counted() {
    differ(
        "CREATE TABLE t(a varchar(9), j json, f float, d longblob)",
        "INSERT INTO t VALUES ('a', '[1]', 0.1, x'00ff'), ('a', '[1]', 0.1, x'00ff'),
         ('a', '[1]', 0.1, x'00ff'), ('b', NULL, NULL, NULL)",
        "INSERT INTO t VALUES ('a', '[1]', 0.1, x'00ff'), ('b', NULL, NULL, NULL),
         ('b', NULL, NULL, NULL)",
        (1, 2, 0),
    );
}

#[test]
fn k15_a_chain_of_keys_is_rows_that_changed() {
    differ(
        "CREATE TABLE t(id int PRIMARY KEY, v char(1))",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')",
        "INSERT INTO t VALUES (2, 'a'), (3, 'b'), (4, 'c'), (5, 'd'), (6, 'e')",
        (1, 1, 4),
    );
}

#[test]
fn t26_q21_a_table_that_was_made_again_is_the_same() {
    for server in servers::mysql_servers() {
        let pair = Pair::new(
            &server,
            "CREATE TABLE t(id int PRIMARY KEY, v char(5), w varchar(20), KEY k(w))",
            "INSERT INTO t VALUES (3, 'ab', 'x'), (1, 'ab   ', 'y'), (2, NULL, 'z'); DELETE FROM t WHERE id = 9",
            "INSERT INTO t VALUES (1, 'ab   ', 'y'), (2, NULL, 'z'), (3, 'ab', 'x'), (4, '', '');
             DELETE FROM t WHERE id = 4; OPTIMIZE TABLE t",
        );
        assert_eq!(pair.diff()["verdict"], "equal", "{}", server.name);
    }
}
