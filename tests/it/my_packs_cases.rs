//! Cases of schemas with rows on MySQL and MariaDB (`m…`): there, back, and compared by state, through the
//! binary. Each has its turn on one server; all of them where `DEEPDIFF_ALL_PAIRS` is set.

use crate::my_packs::Pair;
use crate::schema_plan::has_turn;
use crate::servers::{self, Server};

/// Which servers know a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    All,
    MariaDb,
    Mysql8,
}

impl On {
    fn has(self, server: &Server) -> bool {
        let is_mariadb = server.name.starts_with("mariadb");
        match self {
            On::All => true,
            On::MariaDb => is_mariadb,
            On::Mysql8 => !is_mariadb && !server.name.contains("5.7"),
        }
    }
}

/// A change, and the same backwards.
#[track_caller]
fn both_ways(case: usize, on: On, base: &str, change: &str) {
    let servers: Vec<Server> =
        servers::mysql_servers().into_iter().filter(|server| on.has(server)).collect();
    for (at, server) in servers.iter().enumerate() {
        if has_turn(case, at, servers.len()) {
            Pair::on(server, base, change).converges();
        }
    }
}

#[test]
fn m01_charsets_of_tables_and_of_columns() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a varchar(20), b text CHARACTER SET latin1) DEFAULT CHARSET=latin1;
        INSERT INTO t VALUES (1, 'a', 'b'), (2, NULL, 'c');
        CREATE TABLE u(id int PRIMARY KEY, a varchar(20) NOT NULL, KEY by_a (a)) DEFAULT CHARSET=latin1;
        INSERT INTO u VALUES (1, 'a'), (2, 'b');";
    let change = "ALTER TABLE t DEFAULT CHARACTER SET utf8mb4; INSERT INTO t VALUES (3, 'd', NULL);
        ALTER TABLE u CONVERT TO CHARACTER SET utf8mb4; UPDATE u SET a = '😀' WHERE id = 2;";
    both_ways(1, On::All, base, change);
}

#[test]
fn m02_three_bytes_and_four() {
    let base =
        "CREATE TABLE t(a varchar(20) CHARACTER SET utf8 COLLATE utf8_bin, id int PRIMARY KEY);
        INSERT INTO t VALUES ('ä', 1), ('b', 2), (NULL, 3);";
    let change =
        "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
        UPDATE t SET a = '😀' WHERE id = 3;";
    both_ways(2, On::All, base, change);
}

#[test]
fn m03_a_length_that_needs_a_second_byte() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a varchar(60), KEY by_a (a)); INSERT INTO t VALUES (1, 'a'), (2, REPEAT('b', 60));";
    let change = "ALTER TABLE t MODIFY a varchar(70) NOT NULL; UPDATE t SET a = REPEAT('c', 70) WHERE id = 1;";
    both_ways(3, On::All, base, change);
}

#[test]
fn m04_numbering_comes_goes_and_moves() {
    let base = "CREATE TABLE t(a int NOT NULL AUTO_INCREMENT, b int NOT NULL, PRIMARY KEY (a), KEY by_b (b)); INSERT INTO t VALUES (1, 10), (2, 20);
        CREATE TABLE u(name varchar(20)); INSERT INTO u VALUES ('a'), ('b'), ('b');
        CREATE TABLE v(id int PRIMARY KEY, n int); INSERT INTO v VALUES (1, 1), (2, 2);";
    let change = "ALTER TABLE t MODIFY a int NOT NULL, MODIFY b int NOT NULL AUTO_INCREMENT; INSERT INTO t VALUES (3, 30);
        ALTER TABLE u ADD COLUMN id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY;
        ALTER TABLE v MODIFY id int NOT NULL AUTO_INCREMENT; INSERT INTO v(n) VALUES (7);";
    both_ways(4, On::All, base, change);
}

#[test]
fn m05_widths_signs_and_zeros() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int, b int unsigned, c tinyint(1)); INSERT INTO t VALUES (1, 5, 6, 1), (2, -5, NULL, 0);";
    let change = "UPDATE t SET a = 7 WHERE id = 2; ALTER TABLE t MODIFY a int(8) zerofill, MODIFY b int, MODIFY c tinyint;
        UPDATE t SET b = -9, c = 100 WHERE id = 2;";
    both_ways(5, On::All, base, change);
}

#[test]
fn m06_moments_by_default_and_on_update() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a timestamp NULL, b datetime NOT NULL DEFAULT '2000-01-01'); INSERT INTO t VALUES (1, NULL, '2020-01-01'), (2, '2021-01-01', '0000-00-00');";
    let change = "UPDATE t SET a = '2022-02-02' WHERE id = 1;
        ALTER TABLE t MODIFY a timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
            MODIFY b datetime(6) NULL DEFAULT NULL, ADD COLUMN c date NOT NULL DEFAULT '0000-00-00';
        UPDATE t SET b = '2020-01-01 00:00:00.000001', a = a WHERE id = 1;";
    both_ways(6, On::All, base, change);
}

#[test]
fn m07_columns_that_are_computed() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int, s int AS (a + 1) STORED, KEY by_s (s)); INSERT INTO t(id, a) VALUES (1, 1), (2, NULL);";
    let change = "ALTER TABLE t ADD COLUMN v int AS (s * 2) VIRTUAL, ADD COLUMN n int AFTER id; UPDATE t SET n = 5, a = 4 WHERE id = 2;
        ALTER TABLE t DROP KEY by_s, ADD KEY by_v (v);";
    both_ways(7, On::All, base, change);
    let base = "CREATE TABLE t(id int PRIMARY KEY, a varchar(20), u varchar(36)); INSERT INTO t VALUES (1, 'Ann', 'x'), (2, 'Bob', 'y');";
    let change = "ALTER TABLE t ADD UNIQUE KEY lowered ((lower(a))), ALTER COLUMN u SET DEFAULT (uuid()); INSERT INTO t VALUES (3, 'Cy', 'z');";
    both_ways(7, On::Mysql8, base, change);
}

#[test]
fn m08_foreign_keys_that_point_elsewhere_and_in_circles() {
    let base = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE q(id int PRIMARY KEY); INSERT INTO p VALUES (1),(2); INSERT INTO q VALUES (3);
        CREATE TABLE c(id int PRIMARY KEY, r int, CONSTRAINT f FOREIGN KEY (r) REFERENCES p(id) ON DELETE RESTRICT); INSERT INTO c VALUES (1,1),(2,2);";
    let change = "ALTER TABLE c DROP FOREIGN KEY f; UPDATE c SET r = 3; DELETE FROM p WHERE id = 2;
        ALTER TABLE c ADD CONSTRAINT f FOREIGN KEY (r) REFERENCES q(id) ON DELETE CASCADE;
        CREATE TABLE a(id int PRIMARY KEY, b int); CREATE TABLE b(id int PRIMARY KEY, a int, CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a(id));
        ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b(id);
        INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1;";
    both_ways(8, On::All, base, change);
}

#[test]
fn m09_columns_change_places() {
    let base = "CREATE TABLE t(a int, b int, c varchar(9), d int, id int PRIMARY KEY); INSERT INTO t VALUES (1,2,'3',4,5),(6,7,'8',9,10);";
    let change = "ALTER TABLE t MODIFY d int FIRST, MODIFY a int AFTER c, ADD COLUMN e int AFTER id, DROP COLUMN b; UPDATE t SET e = 1 WHERE id = 5;";
    both_ways(9, On::All, base, change);
}

#[test]
fn m10_full_texts_places_and_prefixes() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a text NOT NULL, b text NOT NULL, g point NOT NULL, UNIQUE KEY pre (a(8)));
        INSERT INTO t VALUES (1, 'one', 'eins', POINT(1, 2)), (2, 'two', 'zwei', POINT(3, 4));";
    let change = "ALTER TABLE t DROP KEY pre, ADD UNIQUE KEY pre (a(2)); ALTER TABLE t ADD FULLTEXT KEY fa (a); ALTER TABLE t ADD FULLTEXT KEY fb (b);
        ALTER TABLE t ADD SPATIAL KEY here (g); UPDATE t SET b = 'uno' WHERE id = 1;";
    both_ways(10, On::All, base, change);
}

#[test]
fn m11_partitions_come_go_and_are_cut_anew() {
    let base = "CREATE TABLE t(id int NOT NULL, y int NOT NULL, PRIMARY KEY (id, y)) PARTITION BY RANGE (y)
            (PARTITION old VALUES LESS THAN (2000), PARTITION mid VALUES LESS THAN (2010), PARTITION new VALUES LESS THAN (2020));
        INSERT INTO t VALUES (1, 1990), (2, 2005), (3, 2015);";
    let change = "ALTER TABLE t REORGANIZE PARTITION mid INTO (PARTITION mid1 VALUES LESS THAN (2004), PARTITION mid2 VALUES LESS THAN (2010));
        ALTER TABLE t ADD PARTITION (PARTITION later VALUES LESS THAN MAXVALUE); ALTER TABLE t DROP PARTITION old; INSERT INTO t VALUES (4, 2050);";
    both_ways(11, On::All, base, change);
}

#[test]
fn m12_options_go_back_to_what_they_were() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8 COMMENT 'x'; INSERT INTO t VALUES (1, 1);";
    let change = "ALTER TABLE t ROW_FORMAT=DEFAULT KEY_BLOCK_SIZE=0 COMMENT ''; INSERT INTO t VALUES (2, 2);";
    both_ways(12, On::All, base, change);
}

#[test]
fn m13_views_over_what_changes() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int, b varchar(9)); INSERT INTO t VALUES (1, 1, 'x');
        CREATE VIEW v AS SELECT id, a FROM t; CREATE SQL SECURITY INVOKER VIEW w AS SELECT id FROM v;";
    let change = "DROP VIEW w; DROP VIEW v; ALTER TABLE t CHANGE a c int; UPDATE t SET c = 7;
        CREATE ALGORITHM=MERGE VIEW v AS SELECT id, c AS a FROM t; CREATE SQL SECURITY DEFINER VIEW w AS SELECT id, a FROM v;";
    both_ways(13, On::All, base, change);
}

#[test]
fn m14_programs_with_all_that_they_may_hold() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1);
        CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;
        CREATE TRIGGER two BEFORE INSERT ON t FOR EACH ROW FOLLOWS one SET NEW.a = NEW.a + 1;
        CREATE FUNCTION f() RETURNS varchar(20) DETERMINISTIC NO SQL RETURN ';--''x';";
    let change = "DROP TRIGGER one; CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW FOLLOWS two SET NEW.a = 5;
        DROP FUNCTION f; CREATE FUNCTION f() RETURNS varchar(20) DETERMINISTIC NO SQL RETURN 'y;';
        CREATE EVENT e ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE DISABLE DO DELETE FROM t; CREATE TABLE u(id int PRIMARY KEY); INSERT INTO u VALUES (1);";
    both_ways(14, On::All, base, change);
}

#[test]
fn m15_checks_of_columns_of_tables_and_of_nobody() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int CHECK (a > 0), b int, CONSTRAINT few CHECK (b < 10)); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2);";
    let change = "ALTER TABLE t MODIFY a int, DROP CONSTRAINT few; UPDATE t SET a = -1, b = 50 WHERE id = 2; ALTER TABLE t ADD CONSTRAINT few CHECK (b < 100);";
    both_ways(15, On::MariaDb, base, change);
    let base = "CREATE TABLE t(id int PRIMARY KEY, b int, CONSTRAINT few CHECK (b < 10)); INSERT INTO t VALUES (1, 1), (2, 2);";
    let change = "ALTER TABLE t ALTER CHECK few NOT ENFORCED; UPDATE t SET b = 50 WHERE id = 2;";
    both_ways(15, On::Mysql8, base, change);
}

#[test]
fn m16_what_mariadb_alone_knows() {
    let base = "CREATE SEQUENCE s; CREATE TABLE t(id int PRIMARY KEY DEFAULT nextval(s), a char(36), b date, c date); INSERT INTO t VALUES (1, '123e4567-e89b-12d3-a456-426614174000', '2020-01-01', '2021-01-01'), (2, NULL, '2020-01-01', '2022-01-01');";
    let change = "ALTER TABLE t MODIFY a uuid, MODIFY b date NOT NULL, MODIFY c date NOT NULL; ALTER TABLE t ADD PERIOD FOR p(b, c); UPDATE t SET a = '00000000-0000-0000-0000-000000000001' WHERE id = 2;
        CREATE TABLE h(id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING; INSERT INTO h VALUES (1, 1);";
    both_ways(16, On::MariaDb, base, change);
}

#[test]
fn m17_a_name_that_changes_in_case_alone() {
    let base = "CREATE TABLE T(id int PRIMARY KEY, A int); INSERT INTO T VALUES (1, 1), (2, 2);";
    let change = "RENAME TABLE T TO x; RENAME TABLE x TO t; ALTER TABLE t CHANGE A a int; UPDATE t SET a = 5 WHERE id = 1;";
    both_ways(17, On::All, base, change);
}

#[test]
fn m18_types_that_take_less() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int, b varchar(20), c decimal(8,4)); INSERT INTO t VALUES (1, 70000, REPEAT('x', 20), 1.2345), (2, 5, 'y', 2);";
    let change = "UPDATE t SET a = 7, b = 'z', c = 1.2 WHERE id = 1; ALTER TABLE t MODIFY a smallint, MODIFY b varchar(5), MODIFY c decimal(4,1);";
    both_ways(18, On::All, base, change);
}

#[test]
fn m20_no_instant_version_is_left() {
    // Each column that comes or goes at once is a version of the table's rows; there are 64.
    let versions: String =
        (0..32).map(|_| "ALTER TABLE t ADD COLUMN v int; ALTER TABLE t DROP COLUMN v; ").collect();
    let base = format!(
        "CREATE TABLE t(id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2); {versions}"
    );
    let change = "ALTER TABLE t ADD COLUMN b int NOT NULL DEFAULT 7, DROP COLUMN a; INSERT INTO t VALUES (3, 3);";
    both_ways(20, On::Mysql8, &base, change);
}

#[test]
fn m21_a_key_that_the_server_made() {
    let made = "SET sql_generate_invisible_primary_key = ON;";
    let base = format!(
        "{made} CREATE TABLE t(a int, b varchar(9)); INSERT INTO t(a, b) VALUES (1, 'x'), (2, NULL), (1, 'x');
         CREATE TABLE gone(a int); INSERT INTO gone(a) VALUES (7), (7);"
    );
    let change = format!(
        "{made} DROP TABLE gone; CREATE TABLE fresh(a int); INSERT INTO fresh(a) VALUES (5), (5);
         UPDATE t SET b = 'y' WHERE a = 2; DELETE FROM t WHERE my_row_id = 1; ALTER TABLE t ADD COLUMN c int;
         ALTER TABLE t ALTER COLUMN my_row_id SET VISIBLE; INSERT INTO t(a) VALUES (9);"
    );
    both_ways(21, On::Mysql8, &base, &change);
}

#[test]
fn m22_labels_in_another_order_and_fewer() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, e enum('a','b','c') NOT NULL, s set('x','y','z')); INSERT INTO t VALUES (1, 'a', 'x,z'), (2, 'c', NULL), (3, 'b', '');";
    let change = "UPDATE t SET e = 'a' WHERE e = 'b'; UPDATE t SET s = 'z' WHERE id = 1;
        ALTER TABLE t MODIFY e enum('c','d','a') NOT NULL DEFAULT 'd', MODIFY s set('z','w','y'); INSERT INTO t VALUES (4, 'd', 'w,z');";
    both_ways(22, On::All, base, change);
}
