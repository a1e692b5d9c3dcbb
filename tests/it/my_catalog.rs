//! The catalog of MariaDB: every kind of object as facts, each of which can change on its own.

use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, ObjectKind};

use crate::my_lab::{
    PINNED, assert_known, assert_same_lines, catalog, catalog_as, changes, lines, lines_of,
    not_captured, rebuilding,
};
use crate::servers::{self, Database};

const SCHEMA: &str = include_str!("my_catalog.sql");
const FACTS: &str = include_str!("my_catalog.txt");

fn loaded() -> (Database, Catalog) {
    let database = servers::mariadb().database("CHARACTER SET utf8mb4");
    database.sql(SCHEMA);
    let catalog = catalog(&database);
    (database, catalog)
}

#[test]
fn every_object_becomes_these_facts_or_is_named() {
    let (_database, catalog) = loaded();
    assert_known(&catalog, "the schema");
    let mut told = lines(&catalog).join("\n");
    told.push_str("\n\n-- not captured\n");
    told.push_str(&not_captured(&catalog).join("\n"));
    told.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/my_catalog.txt");
        std::fs::write(path, &told).unwrap();
    }
    let (told, golden): (Vec<&str>, Vec<&str>) = (told.lines().collect(), FACTS.lines().collect());
    let gone = golden.iter().filter(|line| !told.contains(line)).map(|line| format!("- {line}"));
    let new = told.iter().filter(|line| !golden.contains(line)).map(|line| format!("+ {line}"));
    let changes: Vec<String> = gone.chain(new).collect();
    assert!(changes.is_empty(), "{}", changes.join("\n"));
    assert!(catalog.tables.is_empty());
}

#[test]
fn counters_stand_beside_the_facts() {
    let (database, before) = loaded();
    let sequences: Vec<String> =
        before.sequences.iter().map(|s| format!("{} {}", s.name, s.position)).collect();
    assert_eq!(sequences, ["parent 49"]);
    database.sql("SELECT NEXTVAL(s1)");
    let after = catalog(&database);
    assert_eq!(after.facts, before.facts);
    assert_eq!(after.definitions, before.definitions);
    assert_eq!(after.sequences.len(), 2);
}

#[test]
fn the_definitions_make_the_same_schema_again() {
    let (database, catalog) = loaded();
    let again = database.server.database("CHARACTER SET utf8mb4");
    again.sql(&rebuilding(&catalog));
    assert_same_lines(&crate::my_lab::catalog(&again), &catalog);
}

#[test]
fn x2_loaded_again_it_is_the_same_whatever_the_database_is_called() {
    let (database, first) = loaded();
    let again = database.server.database("CHARACTER SET utf8mb4");
    again.sql(SCHEMA);
    let second = catalog(&again);
    assert_same_lines(&second, &first);
    assert_eq!(second.not_captured, first.not_captured);
    for text in lines(&first).iter().chain(&not_captured(&first)) {
        assert!(!text.contains(&database.name), "{text}");
    }
}

#[test]
fn the_settings_of_the_session_change_nothing() {
    let (database, first) = loaded();
    for set in [
        "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,ORACLE'",
        "SET SESSION sql_quote_show_create = 0, SESSION character_set_results = latin1",
        "SET SESSION time_zone = '-07:00', SESSION character_set_results = utf8mb3",
    ] {
        let other = catalog_as(&database, "tester", set, &Scope::default());
        assert_eq!(lines(&other), lines(&first), "{set}");
        assert_eq!(other.definitions, first.definitions, "{set}");
    }
}

#[test]
fn the_session_is_left_as_it_was() {
    use sqlx::Row as _;
    let database = servers::mariadb().database("");
    let settings = crate::my_lab::settings_after_reading(&database, PINNED);
    let row: Vec<Option<String>> =
        (0..3).map(|at| settings.try_get::<Option<String>, _>(at).unwrap()).collect();
    assert_eq!(row, [Some(String::new()), None, Some("ON".to_owned())]);
}

/// Two statements in either order give one schema.
fn assert_same(options: &str, left: &str, right: &str) {
    let (a, b) = (servers::mariadb().database(options), servers::mariadb().database(options));
    a.sql(left);
    b.sql(right);
    assert_eq!(lines(&catalog(&a)), lines(&catalog(&b)), "{left}\n{right}");
}

fn changed(left: &str, right: &str) -> Vec<String> {
    let (a, b) = (servers::mariadb().database(""), servers::mariadb().database(""));
    a.sql(left);
    b.sql(right);
    changes(&catalog(&a), &catalog(&b))
}

#[test]
fn the_order_of_statements_does_not_matter() {
    let (t, u) = ("CREATE TABLE t (a int PRIMARY KEY);", "CREATE TABLE u (a int, b int);");
    let (k, l) = ("CREATE INDEX k ON u (a);", "CREATE UNIQUE INDEX l ON u (b);");
    let fk = "ALTER TABLE u ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES t (a);";
    assert_same("", &[t, u, k, l, fk].concat(), &[u, l, k, t, fk].concat());
    assert_same("", "CREATE TABLE t (a int(11) NULL DEFAULT NULL)", "CREATE TABLE t (a int)");
    assert_same(
        "",
        "CREATE TABLE t (a int PRIMARY KEY AUTO_INCREMENT); INSERT INTO t VALUES (NULL), (9);",
        "CREATE TABLE t (a int PRIMARY KEY AUTO_INCREMENT) AUTO_INCREMENT = 77",
    );
}

#[test]
fn m1_a_default_of_the_table_is_one_fact_and_its_columns_are_others() {
    let left = "CREATE TABLE t (a varchar(9)) CHARSET utf8mb4";
    let only_table = [left, "; ALTER TABLE t DEFAULT CHARSET latin1"].concat();
    let changes = changed(left, &only_table);
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes.iter().all(|line| line[2..].starts_with("table t ")), "{changes:?}");
    let all = [left, "; ALTER TABLE t CONVERT TO CHARACTER SET latin1"].concat();
    assert_eq!(changed(left, &all).len(), 4);
}

#[test]
fn m9_a_column_that_moves_changes_what_stands_after_what() {
    let changes = changed(
        "CREATE TABLE t (a int, b int, c int)",
        "CREATE TABLE t (a int, b int, x int, c int)",
    );
    assert_eq!(
        changes,
        [
            "- column t.c after=<b> type=<int>",
            "+ column t.c after=<x> type=<int>",
            "+ column t.x after=<b> type=<int>"
        ]
    );
    let ended = changed("CREATE TABLE t (a int)", "CREATE TABLE t (a int, b int)");
    assert_eq!(ended.len(), 1, "{ended:?}");
}

#[test]
fn m8_a_foreign_key_that_is_pointed_elsewhere_and_one_to_another_database() {
    let other = servers::mariadb().database("");
    other.sql("CREATE TABLE o (a int PRIMARY KEY)");
    let tables = "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE q (a int PRIMARY KEY);";
    let to = |table: &str| {
        format!(
            "{tables} CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES {table} (a))"
        )
    };
    let changes = changed(&to("p"), &to("q"));
    assert_eq!(changes.len(), 2, "{changes:?}");
    let database = servers::mariadb().database("");
    database.sql(&to(&format!("{}.o", other.name)));
    let line = lines_of(&catalog(&database), ObjectKind::ForeignKey, "t");
    assert!(line.contains(&format!("schema=<{0}> table=<{0}.o>", other.name)), "{line}");
    let actions = |actions: &str| to("p").replace("p (a))", &format!("p (a) {actions})"));
    assert_same("", &actions("ON DELETE RESTRICT ON UPDATE NO ACTION"), &to("p"));
}

#[test]
fn what_is_excluded_is_named_with_its_triggers_left_out() {
    let (database, _) = loaded();
    let scope = Scope { excluded_tables: vec!["par*".to_owned()], ..Scope::default() };
    let catalog = catalog_as(&database, "tester", PINNED, &scope);
    assert_eq!(lines_of(&catalog, ObjectKind::Table, "parent"), "");
    assert!(catalog.facts.iter().all(|fact| fact.id.kind != ObjectKind::Trigger));
    let named = not_captured(&catalog);
    assert!(
        named.contains(&"table parent: left out by the configuration (`par*`)".to_owned()),
        "{named:?}"
    );
    assert_known(&catalog, "without a table");
}

#[test]
fn m13_a_view_whose_table_is_gone_is_captured_all_the_same() {
    let database = servers::mariadb().database("");
    database.sql("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t;");
    let catalog = catalog(&database);
    assert_known(&catalog, "a broken view");
    let line = lines_of(&catalog, ObjectKind::View, "v");
    assert!(line.contains("query=<select `t`.`a` AS `a` from `t`>"), "{line}");
}

#[test]
fn a_table_the_server_cannot_open_is_unknown() {
    let database = servers::mariadb().database("");
    database.sql("CREATE TABLE good (a int); CREATE TABLE m1 (a int) ENGINE=MyISAM;");
    database.sql("CREATE TABLE merged (a int) ENGINE=MERGE UNION=(m1, gone);");
    let catalog = catalog(&database);
    let named = not_captured(&catalog);
    assert!(named.iter().any(|line| line.contains(" merged: ")), "{named:?}");
    assert!(!lines_of(&catalog, ObjectKind::Table, "good").is_empty());
}

#[test]
fn names_of_every_kind() {
    let script = "CREATE TABLE `a``b` (`c``d` int, `ü ö` int, `select` int, KEY `k``` (`c``d`));
        CREATE TABLE `T.x` (a int); CREATE VIEW `v``` AS SELECT `c``d` AS `x``y` FROM `a``b`;
        CREATE PROCEDURE `p``(` () SELECT 1;
        CREATE TRIGGER `t``r` AFTER INSERT ON `a``b` FOR EACH ROW SET @x = 1;
        CREATE EVENT `e v` ON SCHEDULE EVERY 1 DAY DO SELECT 1;";
    let database = servers::mariadb().database("");
    database.sql(script);
    let first = catalog(&database);
    assert_known(&first, "odd names");
    assert_eq!(first.facts.iter().filter(|f| f.id.object.name == "a`b").count(), 5);
    let again = servers::mariadb().database("");
    again.sql(&rebuilding(&first));
    assert_same_lines(&catalog(&again), &first);
}
