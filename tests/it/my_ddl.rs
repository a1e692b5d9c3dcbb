//! Schemas of MySQL and MariaDB become one another, on every server there is: each case forward and
//! back, with the facts between the stages as they were planned (`traps.md` 3.8, M1 to M22, X1).

use crate::my_ddl_lab::there_and_back;
use crate::schema_plan::has_turn;
use crate::servers;

/// A schema that MariaDB alone knows.
const EVERYTHING: &str = include_str!("my_catalog.sql");

#[test]
fn x1_everything_mariadb_knows_from_nothing_and_back() {
    let server = servers::mariadb();
    let script = EVERYTHING.replace("CREATE TABLE _deepdiff_receipts (a int);", "");
    there_and_back(&server, "", &script).unwrap();
}

/// Pairs for every server: what changes, one schema, the other.
const PAIRS: &[(&str, &str, &str)] = &[
    ("a column comes", "CREATE TABLE t (a int)", "CREATE TABLE t (a int, b int NOT NULL)"),
    (
        "columns come at every place",
        "CREATE TABLE t (b int, d int)",
        "CREATE TABLE t (a int, b int, c int DEFAULT 5, d int, e varchar(9) NOT NULL)",
    ),
    (
        "columns change places",
        "CREATE TABLE t (a int, b int, c int, d int, e int)",
        "CREATE TABLE t (d int, e int, b int, a int, c int)",
    ),
    (
        "a block of columns moves",
        "CREATE TABLE t (a int, b int, c int, d int, e int)",
        "CREATE TABLE t (c int, d int, e int, x int, a int, b int)",
    ),
    (
        "columns come, go and move at once",
        "CREATE TABLE t (a int, b int NOT NULL, c text NOT NULL, d int, e datetime NOT NULL)",
        "CREATE TABLE t (d bigint, x int, a int, y int, f int)",
    ),
    (
        "types become wider, narrower and others",
        "CREATE TABLE t (a int, b bigint, c varchar(20), d enum('a','b'), e int, f decimal(8,2), \
         g binary(4), h char(3), i int unsigned, j date)",
        "CREATE TABLE t (a bigint, b int, c varchar(10), d enum('c','a'), e varchar(9), \
         f decimal(7,3), g binary(8), h varchar(2), i int, j datetime(3))",
    ),
    (
        "charsets and collations",
        "CREATE TABLE t (a varchar(9) CHARACTER SET latin1, b text CHARACTER SET utf8mb4, \
         c char(3) COLLATE utf8mb4_bin) CHARSET latin1",
        "CREATE TABLE t (a varchar(9) CHARACTER SET utf8mb4, b text CHARACTER SET latin1, \
         c char(3) COLLATE utf8mb4_general_ci) CHARSET utf8mb4",
    ),
    (
        "defaults",
        "CREATE TABLE t (a int DEFAULT 1, b varchar(9) DEFAULT 'it''s', c datetime(3) DEFAULT \
         CURRENT_TIMESTAMP(3), d timestamp NULL, e bit(3) DEFAULT b'101', f decimal(5,2) DEFAULT -1)",
        "CREATE TABLE t (a int, b varchar(9) NOT NULL DEFAULT '\\\\n''', c datetime(3) ON UPDATE \
         CURRENT_TIMESTAMP(3), d timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE \
         CURRENT_TIMESTAMP, e bit(3), f decimal(5,2) NOT NULL DEFAULT '1.5')",
    ),
    (
        "m6 not null comes and goes",
        "CREATE TABLE t (a int, b int NOT NULL, c varchar(9) NOT NULL DEFAULT 'x', d text)",
        "CREATE TABLE t (a int NOT NULL, b int, c varchar(9), d text NOT NULL)",
    ),
    (
        "comments",
        "CREATE TABLE t (a int COMMENT 'it''s\\n\\\\', KEY k (a) COMMENT 'x') COMMENT 'o''ne'",
        "CREATE TABLE t (a int COMMENT 'AFTER `b`', KEY k (a) COMMENT 'y''') COMMENT '\\\\'",
    ),
    (
        "m4 numbering comes and goes",
        "CREATE TABLE t (a int NOT NULL PRIMARY KEY, b int)",
        "CREATE TABLE t (a int NOT NULL AUTO_INCREMENT PRIMARY KEY, b int)",
    ),
    (
        "m4 another column is numbered",
        "CREATE TABLE t (a int NOT NULL AUTO_INCREMENT PRIMARY KEY, b int)",
        "CREATE TABLE t (b int, id bigint NOT NULL AUTO_INCREMENT, PRIMARY KEY (id))",
    ),
    (
        "the key of a numbered column grows",
        "CREATE TABLE t (a int NOT NULL AUTO_INCREMENT PRIMARY KEY, b int NOT NULL)",
        "CREATE TABLE t (a int NOT NULL AUTO_INCREMENT, b int NOT NULL, PRIMARY KEY (a, b))",
    ),
    (
        "the key of a numbered column becomes another kind of key",
        "CREATE TABLE t (a int NOT NULL AUTO_INCREMENT, b int NOT NULL, PRIMARY KEY (a))",
        "CREATE TABLE t (a int NOT NULL AUTO_INCREMENT, b int NOT NULL, PRIMARY KEY (b), UNIQUE (a))",
    ),
    (
        "generated columns",
        "CREATE TABLE t (a int, v int AS (a + 1) VIRTUAL, s int AS (a + 2) STORED, x int, y int, \
         KEY k (s), KEY l (v))",
        "CREATE TABLE t (a bigint, v int AS (a + 3) VIRTUAL, s int AS (a + 4) STORED, \
         x int AS (a + 5) STORED, z int AS (y + 1) VIRTUAL, y int, KEY k (s))",
    ),
    (
        "generated columns turn",
        "CREATE TABLE t (a int, v int AS (a + 1) VIRTUAL, s int AS (a + 2) STORED, b int, c int)",
        "CREATE TABLE t (a int, v int AS (a + 1) STORED, s int, b int AS (a * 2) VIRTUAL, c int)",
    ),
    (
        "keys and indexes",
        "CREATE TABLE t (a int NOT NULL, b varchar(20), c text, PRIMARY KEY (a), UNIQUE u (b), \
         KEY k (b(3), a), KEY c (c(10)))",
        "CREATE TABLE t (a int NOT NULL, b varchar(20), c text, d int NOT NULL, \
         PRIMARY KEY (d, a), UNIQUE u (b(5)), KEY u2 (b), UNIQUE k (a), FULLTEXT KEY c (c))",
    ),
    (
        "m10 full text and spatial indexes",
        "CREATE TABLE t (a text, b text, g point NOT NULL, FULLTEXT x (a), FULLTEXT y (b))",
        "CREATE TABLE t (a text, b text, g point NOT NULL, FULLTEXT x (a, b), FULLTEXT z (a), \
         SPATIAL KEY s (g))",
    ),
    (
        "an index over a column that becomes text",
        "CREATE TABLE t (a varchar(20), b varchar(9), KEY k (a), KEY l (a, b))",
        "CREATE TABLE t (a text, b varchar(9), KEY k (a(5)), KEY l (b))",
    ),
    (
        "m8 foreign keys",
        "CREATE TABLE p (id int PRIMARY KEY, u int UNIQUE); \
         CREATE TABLE c (a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id), \
         CONSTRAINT g FOREIGN KEY (b) REFERENCES p (u) ON DELETE CASCADE)",
        "CREATE TABLE p (id bigint PRIMARY KEY, u int UNIQUE); CREATE TABLE q (id int PRIMARY KEY); \
         CREATE TABLE c (a bigint, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) \
         ON UPDATE CASCADE, CONSTRAINT g FOREIGN KEY (b) REFERENCES q (id) ON DELETE SET NULL)",
    ),
    (
        "m8 the columns of a foreign key change, and it does not",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (a int, b int, \
         CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        "CREATE TABLE p (id bigint PRIMARY KEY); CREATE TABLE c (a bigint, b int, \
         CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
    ),
    (
        "m8 the index of a foreign key changes, and it does not",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (a int, b int, KEY k (a), \
         CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (a int, b int, KEY l (a, b), \
         CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
    ),
    (
        "m8 a circle of foreign keys",
        "CREATE TABLE z (i int)",
        "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int, \
         s int, FOREIGN KEY (a) REFERENCES a (id), FOREIGN KEY (s) REFERENCES b (id)); \
         ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id)",
    ),
    (
        "the key a foreign key refers to becomes another",
        "CREATE TABLE p (id int PRIMARY KEY, x int NOT NULL); CREATE TABLE c (a int, \
         CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        "CREATE TABLE p (id int NOT NULL, x int NOT NULL, PRIMARY KEY (x), UNIQUE u (id)); \
         CREATE TABLE c (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
    ),
    (
        "m11 partitions come and go",
        "CREATE TABLE t (a int NOT NULL, b int)",
        "CREATE TABLE t (a int NOT NULL, b int) PARTITION BY RANGE (a) \
         (PARTITION p0 VALUES LESS THAN (10) COMMENT 'it''s', PARTITION p1 VALUES LESS THAN MAXVALUE)",
    ),
    (
        "m11 a partition at the end",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10))",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), \
         PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN (30))",
    ),
    (
        "m11 partitions in the middle",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), \
         PARTITION pm VALUES LESS THAN MAXVALUE)",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), \
         PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN (30), \
         PARTITION pm VALUES LESS THAN MAXVALUE)",
    ),
    (
        "m11 partitions rotate",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p1 VALUES LESS THAN (10), \
         PARTITION p2 VALUES LESS THAN (20))",
        "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p2 VALUES LESS THAN (20), \
         PARTITION p3 VALUES LESS THAN (30))",
    ),
    (
        "m11 lists, hashes and parts of parts",
        "CREATE TABLE l (a int) PARTITION BY LIST (a) (PARTITION x VALUES IN (1,2), PARTITION y \
         VALUES IN (3)); CREATE TABLE h (a int, `order` int) PARTITION BY HASH (`order`) PARTITIONS 4; \
         CREATE TABLE s (a int, b int) PARTITION BY RANGE (a) SUBPARTITION BY HASH (b) \
         SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (10))",
        "CREATE TABLE l (a int) PARTITION BY LIST (a) (PARTITION x VALUES IN (1), PARTITION y \
         VALUES IN (3,2), PARTITION z VALUES IN (4)); CREATE TABLE h (a int, `order` int) PARTITION \
         BY HASH (`order`) PARTITIONS 3; CREATE TABLE s (a int, b int) PARTITION BY RANGE COLUMNS (a) \
         SUBPARTITION BY KEY (b) SUBPARTITIONS 3 (PARTITION p0 VALUES LESS THAN (10))",
    ),
    (
        "m12 options of tables",
        "CREATE TABLE t (a int, KEY k (a)) ROW_FORMAT=DYNAMIC STATS_PERSISTENT=1 COMMENT 'c'; \
         CREATE TABLE m (a int) ENGINE=MyISAM CHECKSUM=1 MAX_ROWS=100",
        "CREATE TABLE t (a int, KEY k (a)) ROW_FORMAT=COMPACT; CREATE TABLE m (a int) ENGINE=InnoDB",
    ),
    (
        "tables come and go",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (a int, CONSTRAINT f FOREIGN KEY (a) \
         REFERENCES p (id)); CREATE VIEW x AS SELECT id FROM p",
        "CREATE TABLE x (id int PRIMARY KEY); CREATE TABLE d (a int, CONSTRAINT f FOREIGN KEY (a) \
         REFERENCES x (id)); CREATE VIEW p AS SELECT id FROM x",
    ),
    (
        "m13 views",
        "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a \
         FROM v; CREATE VIEW same AS SELECT a FROM v",
        "CREATE TABLE t (a bigint, b int); CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v (x, a) \
         AS SELECT b, a FROM t WHERE a > 'ü' WITH LOCAL CHECK OPTION; CREATE VIEW w AS SELECT x FROM \
         v; CREATE VIEW same AS SELECT a FROM v",
    ),
    (
        "m14 triggers in their order",
        "CREATE TABLE t (a int); CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW SET new.a = 1; \
         CREATE TRIGGER two BEFORE INSERT ON t FOR EACH ROW SET new.a = 2; \
         CREATE TRIGGER three BEFORE INSERT ON t FOR EACH ROW SET new.a = 3;",
        "CREATE TABLE t (a int); CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW SET new.a = 11; \
         CREATE TRIGGER zero BEFORE INSERT ON t FOR EACH ROW SET new.a = 0; \
         CREATE TRIGGER two BEFORE INSERT ON t FOR EACH ROW FOLLOWS one SET new.a = 2; \
         CREATE TRIGGER three BEFORE INSERT ON t FOR EACH ROW PRECEDES one SET new.a = 3; \
         CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW SET @x = 'ü;';",
    ),
    (
        "m14 routines and events",
        "DELIMITER //\nCREATE FUNCTION f(a int) RETURNS int DETERMINISTIC RETURN a + 1//\n\
         CREATE PROCEDURE p() SELECT 1//\n\
         CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1//\n",
        "DELIMITER //\nSET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'//\n\
         CREATE FUNCTION f(a int, `b``c` varchar(9) CHARSET latin1) RETURNS varchar(9) CHARSET latin1 \
         READS SQL DATA SQL SECURITY INVOKER COMMENT 'a\\''b' BEGIN RETURN 'x;\\'; END//\n\
         CREATE PROCEDURE \"p\"\"q\"() BEGIN SELECT \"a\" FROM (SELECT 1 AS \"a\") t; SELECT ';$$'; END//\n\
         SET sql_mode = DEFAULT, time_zone = '+03:00'//\n\
         CREATE EVENT e ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS '2036-01-01 00:00:00' ENDS \
         '2037-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'e''c' DO SELECT 'ü'//\n\
         CREATE EVENT g ON SCHEDULE AT '2037-01-01 00:00:00' DO SELECT 2//\n\
         SET NAMES latin1//\nCREATE PROCEDURE asked() SELECT 1//\n",
    ),
    (
        "names of every kind",
        "CREATE TABLE `a``b` (`c``d` int, KEY `k``` (`c``d`))",
        "CREATE TABLE `a``b` (`ü ö` int, `select` int, `c``d` bigint, KEY `k```  (`c``d`, `ü ö`)); \
         CREATE TABLE `x'; DROP TABLE y; --` (`a AFTER ``b``` int, `AFTER ``x``` int); \
         CREATE VIEW `v``` AS SELECT `c``d` AS `x``y` FROM `a``b`; \
         CREATE TRIGGER `t``r` AFTER INSERT ON `a``b` FOR EACH ROW SET @x = 1;",
    ),
    (
        "m22 sets and enums",
        "CREATE TABLE t (a set('x','y'), b enum('a','it''s') NOT NULL, c enum('p','q') DEFAULT 'q')",
        "CREATE TABLE t (a set('y','z'), b enum('it''s','b') NOT NULL DEFAULT 'b', c varchar(3))",
    ),
    (
        "a column and a key take the places of others",
        "CREATE TABLE t (A int, b int, UNIQUE KEY K (A))",
        "CREATE TABLE t (a bigint, b int, KEY k (a))",
    ),
];

/// What MariaDB alone knows.
const MARIADB: &[(&str, &str, &str)] = &[
    (
        "m15 checks of columns and tables",
        "CREATE TABLE t (a int CHECK (a > 0), b json, c int, d int CHECK (d > 1), \
         CONSTRAINT x CHECK (c > 0))",
        "CREATE TABLE t (a bigint, b longtext, c int CHECK (c > 1), d int CHECK (d > 2), e json, \
         CONSTRAINT x CHECK (c > 0 AND a > 0), CONSTRAINT y CHECK (e <> '))'))",
    ),
    (
        "m16 system versioning",
        "CREATE TABLE t (a int, b int); CREATE TABLE u (a int) WITH SYSTEM VERSIONING; \
         CREATE TABLE w (a int, b int) WITH SYSTEM VERSIONING",
        "CREATE TABLE t (a int, b int WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING; \
         CREATE TABLE u (a int); CREATE TABLE w (a bigint, c int, b int) WITH SYSTEM VERSIONING",
    ),
    (
        "m16 system versioning with columns",
        "CREATE TABLE t (a int)",
        "CREATE TABLE t (a int, rs timestamp(6) GENERATED ALWAYS AS ROW START, re timestamp(6) \
         GENERATED ALWAYS AS ROW END INVISIBLE, PERIOD FOR SYSTEM_TIME (rs, re)) \
         WITH SYSTEM VERSIONING",
    ),
    (
        "m16 periods",
        "CREATE TABLE t (id int, s date, e date)",
        "CREATE TABLE t (id int, s date, e date, PERIOD FOR p (s, e), \
         UNIQUE u (id, p WITHOUT OVERLAPS))",
    ),
    (
        "m16 sequences",
        "CREATE SEQUENCE s; CREATE SEQUENCE gone; CREATE TABLE t (a int DEFAULT NEXTVAL(gone), b int)",
        "CREATE SEQUENCE s START 5 INCREMENT -2 MINVALUE -100 MAXVALUE 90 CACHE 7 CYCLE; \
         CREATE SEQUENCE new NOCACHE; \
         CREATE TABLE t (a int, b int DEFAULT NEXTVAL(new), c uuid DEFAULT uuid())",
    ),
    (
        "m9 what is not seen",
        "CREATE TABLE t (a int, b int DEFAULT 5, c text, KEY k (a), KEY l (b))",
        "CREATE TABLE t (a int, b int INVISIBLE DEFAULT 5, c text COMPRESSED, KEY k (a) IGNORED, \
         KEY l (b DESC))",
    ),
    (
        "m7 defaults that are computed",
        "CREATE TABLE t (a int, b blob, c int DEFAULT (1 + 2))",
        "CREATE TABLE t (a int DEFAULT (c + 1), b blob DEFAULT 'x''', c int DEFAULT (2 + 3), \
         d inet6 DEFAULT '::1')",
    ),
    (
        "m12 what MariaDB keeps in pages",
        "CREATE TABLE t (a int)",
        "CREATE TABLE t (a int) PAGE_COMPRESSED=1 ROW_FORMAT=COMPACT",
    ),
];

/// What MySQL 8 and later know.
const MYSQL_8: &[(&str, &str, &str)] = &[
    (
        "m15 checks that are not enforced",
        "CREATE TABLE t (a int, b int CHECK (b > 0), CONSTRAINT x CHECK (a > 0), \
         CONSTRAINT y CHECK (a < 9))",
        "CREATE TABLE t (a int, b int, CONSTRAINT x CHECK (a > 0) NOT ENFORCED, \
         CONSTRAINT y CHECK (a < 8), CONSTRAINT z CHECK (json_valid('{\"a\": \\'x\\'}')))",
    ),
    (
        "m7 indexes over expressions",
        "CREATE TABLE t (a int, b varchar(9), j json, KEY k (a))",
        "CREATE TABLE t (a int, b varchar(9), j json, KEY k ((a + 1), b DESC), \
         UNIQUE u ((lower(b))), KEY m ((CAST(j->'$.x' AS UNSIGNED ARRAY))), KEY i (a) INVISIBLE)",
    ),
    (
        "m7 defaults that are computed",
        "CREATE TABLE t (a int, j json, b blob)",
        "CREATE TABLE t (a int DEFAULT (abs(-5)), j json DEFAULT (json_array()), \
         b blob DEFAULT ('x'), c text NOT NULL DEFAULT (concat('a', uuid())), \
         d datetime DEFAULT (now() + INTERVAL 1 DAY))",
    ),
    (
        "m9 what is not seen, and where it lies",
        "CREATE TABLE t (a int, b int, g point NOT NULL)",
        "CREATE TABLE t (a int, b int INVISIBLE, g point NOT NULL SRID 4326, SPATIAL KEY s (g))",
    ),
    (
        "what has no default, not even NULL",
        "CREATE TABLE t (a int, b int DEFAULT 1)",
        "CREATE TABLE t (a int, b int DEFAULT 1, c int); ALTER TABLE t ALTER COLUMN a DROP DEFAULT; \
         ALTER TABLE t ALTER COLUMN c DROP DEFAULT",
    ),
];

fn all(pairs: &[(&str, &str, &str)], servers: &[servers::Server]) {
    let only = std::env::var("DEEPDIFF_DDL_CASE").ok();
    let mut wrong = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        for (place, (what, first, second)) in pairs.iter().enumerate() {
            let is_asked = only.as_ref().is_none_or(|only| what.contains(only.as_str()));
            if !is_asked || !has_turn(place, number, servers.len()) {
                continue;
            }
            let set = "SET sql_mode = 'STRICT_TRANS_TABLES', time_zone = 'SYSTEM';\n";
            let script = |schema: &str| format!("{set}{schema}");
            if let Err(error) = there_and_back(server, &script(first), &script(second)) {
                wrong.push(format!("== {what}: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_change_there_and_back() {
    all(PAIRS, &servers::mysql_servers());
}

#[test]
fn x1_every_schema_from_nothing_and_back() {
    all(&from_nothing(PAIRS), &servers::mysql_servers());
}

fn from_nothing<'p>(pairs: &[(&'p str, &'p str, &'p str)]) -> Vec<(&'p str, &'p str, &'p str)> {
    pairs.iter().map(|(what, _, second)| (*what, "", *second)).collect()
}

#[test]
fn what_mariadb_alone_knows() {
    let servers = [servers::mariadb()];
    all(MARIADB, &servers);
    all(&from_nothing(MARIADB), &servers);
}

#[test]
fn what_mysql_8_and_later_know() {
    // MariaDB and MySQL 5.7 know other things, or less.
    let mut servers = servers::mysql_servers();
    servers.retain(|server| server.name.starts_with("mysql-") && server.name != "mysql-5.7");
    all(MYSQL_8, &servers);
    all(&from_nothing(MYSQL_8), &servers);
}
