//! The catalog of MariaDB: every kind of object as facts, each of which can change on its own.

use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, ObjectKind};

use crate::my_lab::{
    PINNED, assert_known, catalog, catalog_as, lines, lines_of, not_captured, rebuilding,
};
use crate::servers::{self, Database};

const SCHEMA: &str = r#"
CREATE SEQUENCE s1 START 5 INCREMENT 2 CACHE 10 CYCLE;
CREATE TABLE parent (
  id int PRIMARY KEY AUTO_INCREMENT, j json, e enum('a','b''c') NOT NULL DEFAULT 'a',
  u uuid DEFAULT uuid(), d datetime(3) DEFAULT now(3) ON UPDATE now(3), n decimal(10,2) DEFAULT 1.5,
  x int unsigned CHECK (x > 0), y int DEFAULT (1 + 2),
  z varchar(10) CHARACTER SET latin1 COMMENT 'it''s\n\\ ö', w int AS (x + 1) STORED,
  v text GENERATED ALWAYS AS (concat(z, '-')) VIRTUAL INVISIBLE, b bit(3) DEFAULT b'101',
  bl blob DEFAULT 'abc', q int DEFAULT NEXTVAL(s1), g point NOT NULL, iv int INVISIBLE DEFAULT 7,
  nd int, v2 text, t1 timestamp NULL, comp text COMPRESSED, zf int(5) ZEROFILL,
  CONSTRAINT named CHECK (x < 100), KEY k1 (z(3), x DESC) COMMENT 'kc',
  UNIQUE KEY u1 (x, n) USING BTREE, UNIQUE KEY u2 (z(4)), FULLTEXT ft (v2), SPATIAL KEY sp (g),
  KEY ig (n) IGNORED
) COMMENT 'tc' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8 AUTO_INCREMENT=50;
ALTER TABLE parent ALTER COLUMN nd DROP DEFAULT;
CREATE TABLE child (
  id int, pid int, pid2 int, same int, UNIQUE (id),
  FOREIGN KEY (pid) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE NO ACTION,
  CONSTRAINT fk2 FOREIGN KEY (pid2) REFERENCES parent (id) ON DELETE SET NULL ON UPDATE RESTRICT,
  FOREIGN KEY (same) REFERENCES child (id)
);
CREATE TABLE versioned (a int, b int WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING;
CREATE TABLE versioned2 (a int, rs timestamp(6) GENERATED ALWAYS AS ROW START,
  re timestamp(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (rs, re))
  WITH SYSTEM VERSIONING;
CREATE TABLE period (id int, s date, e date, PERIOD FOR p (s, e), UNIQUE over (id, p WITHOUT OVERLAPS));
CREATE TABLE ranges (a int, b date) PARTITION BY RANGE (to_days(b)) SUBPARTITION BY HASH (a)
  SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (738000) COMMENT 'c0',
                   PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE hashed (a int) PARTITION BY HASH (a) PARTITIONS 4;
CREATE TABLE memory (a int, KEY k (a) USING BTREE, KEY h (a) USING HASH) ENGINE=MEMORY;
CREATE TABLE old (a int) ENGINE=MyISAM CHECKSUM=1 CHARSET utf8;
CREATE TABLE _deepdiff_receipts (a int);
DELIMITER //
CREATE FUNCTION f1(a int, s varchar(10)) RETURNS varchar(20) CHARSET latin1 DETERMINISTIC
  READS SQL DATA COMMENT 'fc' BEGIN /* said; */ RETURN concat(a, 'x;y'); END//
CREATE PROCEDURE f1(IN a int, OUT b int) SQL SECURITY INVOKER BEGIN SET b = a; END//
CREATE AGGREGATE FUNCTION agg(x int) RETURNS int(5) BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND
  RETURN 1; LOOP FETCH GROUP NEXT ROW; END LOOP; END//
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'//
CREATE PROCEDURE "odd""name"() SELECT 'a\', "x" FROM (SELECT 1 AS "x") t//
SET sql_mode = 'ORACLE'//
CREATE PACKAGE pk AS PROCEDURE p1; END//
CREATE PACKAGE BODY pk AS PROCEDURE p1 AS BEGIN SELECT 1; END; END//
SET sql_mode = DEFAULT//
CREATE TRIGGER tr1 BEFORE INSERT ON parent FOR EACH ROW SET new.x = 1//
CREATE TRIGGER tr2 BEFORE INSERT ON parent FOR EACH ROW PRECEDES tr1 BEGIN SET new.x = 2; END//
CREATE TRIGGER tr3 AFTER DELETE ON parent FOR EACH ROW SET @a = 'ü'//
CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO DELETE FROM child//
CREATE EVENT e2 ON SCHEDULE AT '2037-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'ec'
  DO BEGIN DELETE FROM child; END//
CREATE EVENT e3 ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS '2036-01-01 00:00:00'
  ENDS '2037-01-01 00:00:00' DO DO 1//
DELIMITER ;
CREATE VIEW v1 AS SELECT id, x FROM parent WHERE z = 'ä' WITH LOCAL CHECK OPTION;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v2 (a, b) AS
  SELECT v1.id, c.pid FROM v1 JOIN child c ON c.pid = v1.id;
CREATE VIEW v0 AS SELECT f1(1, 'a') AS x, v2.a FROM v2, mysql.user;
"#;

fn loaded() -> (Database, Catalog) {
    let database = servers::mariadb().database("CHARACTER SET utf8mb4");
    load(&database, SCHEMA);
    let catalog = catalog(&database);
    (database, catalog)
}

/// Runs a script; comments reach the server.
fn load(database: &Database, script: &str) {
    database.sql(script);
}

#[test]
fn everything_is_captured_or_named() {
    let (database, catalog) = loaded();
    assert_known(&catalog, "the schema");
    insta::assert_snapshot!(not_captured(&catalog).join("\n"), @"");
    let sequences: Vec<String> = catalog
        .sequences
        .iter()
        .map(|sequence| format!("{} {}", sequence.name, sequence.position))
        .collect();
    assert_eq!(sequences, ["parent 49"]);
    database.sql("SELECT NEXTVAL(s1)");
    let moved = crate::my_lab::catalog(&database);
    assert_eq!(moved.facts, catalog.facts);
    assert_eq!(moved.sequences.len(), 2);
    assert!(catalog.tables.is_empty());
}

#[test]
fn tables_and_columns() {
    let (_database, catalog) = loaded();
    let of = |kind, object: &str| lines_of(&catalog, kind, object);
    insta::assert_snapshot!(of(ObjectKind::Table, "parent"), @"");
    insta::assert_snapshot!(of(ObjectKind::Table, "versioned2"), @"");
    insta::assert_snapshot!(of(ObjectKind::Table, "period"), @"");
    insta::assert_snapshot!(of(ObjectKind::Table, "old"), @"");
    insta::assert_snapshot!(of(ObjectKind::Column, "parent"), @"");
    insta::assert_snapshot!(of(ObjectKind::Column, "versioned"), @"");
    insta::assert_snapshot!(of(ObjectKind::Column, "versioned2"), @"");
}

#[test]
fn keys_and_constraints() {
    let (_database, catalog) = loaded();
    let of = |kind, object: &str| lines_of(&catalog, kind, object);
    insta::assert_snapshot!(of(ObjectKind::PrimaryKey, "parent"), @"");
    insta::assert_snapshot!(of(ObjectKind::Unique, "parent"), @"");
    insta::assert_snapshot!(of(ObjectKind::Unique, "period"), @"");
    insta::assert_snapshot!(of(ObjectKind::Index, "parent"), @"");
    insta::assert_snapshot!(of(ObjectKind::Index, "memory"), @"");
    insta::assert_snapshot!(of(ObjectKind::Check, "parent"), @"");
    insta::assert_snapshot!(of(ObjectKind::ForeignKey, "child"), @"");
    insta::assert_snapshot!(of(ObjectKind::Partition, "ranges"), @"");
    insta::assert_snapshot!(of(ObjectKind::Partition, "hashed"), @"");
}

#[test]
fn views_programs_and_sequences() {
    let (_database, catalog) = loaded();
    let of = |kind| {
        let facts = catalog.facts.iter().filter(|fact| fact.id.kind == kind);
        facts.map(crate::my_lab::line).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(of(ObjectKind::Setting), @"");
    insta::assert_snapshot!(of(ObjectKind::View), @"");
    insta::assert_snapshot!(of(ObjectKind::Routine), @"");
    insta::assert_snapshot!(of(ObjectKind::Trigger), @"");
    insta::assert_snapshot!(of(ObjectKind::Event), @"");
    insta::assert_snapshot!(of(ObjectKind::Sequence), @"");
}

#[test]
fn the_definitions_make_the_same_schema_again() {
    let (database, catalog) = loaded();
    let again = database.server.database("CHARACTER SET utf8mb4");
    load(&again, &rebuilding(&catalog));
    assert_eq!(lines(&crate::my_lab::catalog(&again)), lines(&catalog));
}

#[test]
fn x2_loaded_again_it_is_the_same_whatever_the_database_is_called() {
    let (database, first) = loaded();
    let again = database.server.database("CHARACTER SET utf8mb4");
    load(&again, SCHEMA);
    let second = catalog(&again);
    assert_eq!(lines(&second), lines(&first));
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
    assert_eq!(row, [Some(String::new()), None, Some("1".to_owned())]);
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
    let (a, b) = (lines(&catalog(&a)), lines(&catalog(&b)));
    let mut changed: Vec<String> =
        a.iter().filter(|l| !b.contains(l)).map(|l| format!("- {l}")).collect();
    changed.extend(b.iter().filter(|l| !a.contains(l)).map(|l| format!("+ {l}")));
    changed
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
    insta::assert_snapshot!(changes.join("\n"), @"");
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
    assert_same(
        "",
        &format!("{} ON DELETE RESTRICT", to("p").trim_end_matches(')'))
            .replace(" ON DELETE", ") ON DELETE"),
        &to("p"),
    );
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
    assert_eq!(lines(&catalog(&again)), lines(&first));
}
