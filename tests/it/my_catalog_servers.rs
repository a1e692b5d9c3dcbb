//! One schema on every MySQL and MariaDB server there is: what the servers themselves spell
//! differently is one fact, and what is left is listed here.

use deepdiff_db::model::ObjectKind;

use crate::my_lab::{assert_known, assert_same_lines, catalog, changes, lines_of, rebuilding};
use crate::servers;

const SCHEMA: &str = "
    CREATE TABLE parent (
      id int unsigned NOT NULL AUTO_INCREMENT, tiny tinyint DEFAULT '5', flag tinyint(1) DEFAULT 1,
      small smallint, medium mediumint unsigned, big bigint NOT NULL DEFAULT 0, y year DEFAULT 2020,
      n decimal(10,2) DEFAULT '1.5', f float DEFAULT 1.5, d double, s varchar(20) DEFAULT 'it''s',
      c char(3) CHARACTER SET utf8 COMMENT 'three', t text, b blob, bits bit(3) DEFAULT b'101',
      e enum('a','b') NOT NULL DEFAULT 'a', st set('x','y'), bin varbinary(9),
      at datetime(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
      ts timestamp NULL DEFAULT CURRENT_TIMESTAMP, g geometry NOT NULL,
      PRIMARY KEY (id), UNIQUE KEY u (s, n), KEY k (s(3)) COMMENT 'kc', KEY h (big) USING BTREE,
      FULLTEXT KEY ft (t), SPATIAL KEY sp (g)
    ) CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'tc' ROW_FORMAT=DYNAMIC;
    CREATE TABLE child (a int unsigned, b int unsigned, o int,
      CONSTRAINT f1 FOREIGN KEY (a) REFERENCES parent (id) ON DELETE CASCADE,
      CONSTRAINT f2 FOREIGN KEY (b) REFERENCES parent (id) ON DELETE SET NULL ON UPDATE NO ACTION);
    CREATE TABLE ranges (a int, b int) PARTITION BY RANGE (a) SUBPARTITION BY HASH (b) SUBPARTITIONS 2
      (PARTITION p0 VALUES LESS THAN (10) COMMENT 'c0', PARTITION p1 VALUES LESS THAN MAXVALUE);
    CREATE TABLE lists (a int, b varchar(9)) PARTITION BY LIST COLUMNS (b)
      (PARTITION pa VALUES IN ('x','y'), PARTITION pb VALUES IN ('z'));
    CREATE TABLE keyed (a int PRIMARY KEY) PARTITION BY KEY (a) PARTITIONS 3;
    CREATE TABLE plain_file (a int PRIMARY KEY) ENGINE=MyISAM;
    CREATE VIEW plain AS SELECT id, s FROM parent;
    DELIMITER //
    CREATE FUNCTION f(a int, s varchar(9)) RETURNS bigint DETERMINISTIC NO SQL COMMENT 'fc'
      RETURN a + 1//
    CREATE PROCEDURE p(INOUT a int) SQL SECURITY INVOKER BEGIN SET a = 1; END//
    CREATE TRIGGER one BEFORE UPDATE ON child FOR EACH ROW SET new.o = 1//
    CREATE TRIGGER two BEFORE UPDATE ON child FOR EACH ROW PRECEDES one SET new.o = 2//
    CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO DELETE FROM child//
    CREATE EVENT fixed ON SCHEDULE EVERY 1 HOUR STARTS '2036-01-01 00:00:00'
      ON COMPLETION PRESERVE DISABLE COMMENT 'ec' DO DELETE FROM child//";

/// The same SQL mode for every server, by which what is made is stored.
fn script() -> String {
    format!("SET sql_mode = 'STRICT_TRANS_TABLES', time_zone = 'SYSTEM';\n{SCHEMA}")
}

const OPTIONS: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci";

#[test]
fn the_same_schema_gives_the_same_facts_on_every_server() {
    let mut servers = servers::mysql_servers().into_iter();
    let first = servers.next().unwrap().database(OPTIONS);
    first.sql(&script());
    let expected = catalog(&first);
    for server in servers {
        let database = server.database(OPTIONS);
        database.sql(&script());
        let told = catalog(&database);
        assert_known(&told, &server.name);
        let changes = changes(&expected, &told);
        assert!(changes.is_empty(), "{}: {}", server.name, changes.join("\n"));
    }
}

#[test]
fn the_definitions_of_every_server_make_the_same_schema_again() {
    for server in servers::mysql_servers() {
        let database = server.database(OPTIONS);
        database.sql(&script());
        let told = catalog(&database);
        let again = server.database(OPTIONS);
        again.sql(&rebuilding(&told));
        assert_same_lines(&catalog(&again), &told);
    }
}

#[test]
fn generated_columns_keep_what_the_server_prints() {
    for server in servers::mysql_servers() {
        let database = server.database("");
        database.sql("CREATE TABLE t (a int, v int AS (a + 1) VIRTUAL, s int AS (a + 2) STORED)");
        let line = lines_of(&catalog(&database), ObjectKind::Column, "t");
        assert!(line.contains("generated=<`a` + 2> stored"), "{}: {line}", server.name);
        assert!(line.contains("generated=<`a` + 1> type"), "{}: {line}", server.name);
    }
}
