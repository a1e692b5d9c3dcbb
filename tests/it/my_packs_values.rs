//! Packs on MySQL and MariaDB through the binary: keys of every kind, values of every type.

use crate::my_packs::{mariadb, pairs};

#[test]
fn k04_and_k05_keys_respelled() {
    for pair in pairs(
        "CREATE TABLE t(k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v int); INSERT INTO t VALUES ('Foo',1),('bar',2),('é',3);
         CREATE TABLE p(k varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, v int); INSERT INTO p VALUES ('a',1),('b ',2);",
        "UPDATE t SET k = 'foo' WHERE v = 1; UPDATE t SET k = 'E', v = 4 WHERE v = 3; UPDATE p SET k = 'a ' WHERE v = 1; UPDATE p SET k = 'b', v = 3 WHERE v = 2;",
    ) {
        pair.converges();
    }
}

#[test]
fn k06_k08_and_k15_keys_of_other_kinds() {
    for pair in pairs(
        "CREATE TABLE e(k enum('z','a','m') PRIMARY KEY, v int); INSERT INTO e VALUES ('z',1),('a',2);
         CREATE TABLE b(k varbinary(9) PRIMARY KEY, v int); INSERT INTO b VALUES (x'00',1),(x'ff',2),('a',3),('a ',4);
         CREATE TABLE f(k double PRIMARY KEY, v int); INSERT INTO f VALUES (0.1,1),(0.3,2),(1e22,3);
         CREATE TABLE d(k datetime(6), l decimal(9,3), v int, PRIMARY KEY(l, k)); INSERT INTO d VALUES ('0000-00-00',0,1),('2024-00-10 01:02:03.5',-1.5,2);
         CREATE TABLE s(k int PRIMARY KEY, v int); INSERT INTO s VALUES (1,1),(2,2),(3,3),(4,4),(5,5);
         CREATE TABLE y(k year, t time(3), l varchar(9) CHARACTER SET latin1, v int, PRIMARY KEY(k, t, l)); INSERT INTO y VALUES (0,'-01:00:00','é',1),(2000,'838:59:59','E',2);",
        "UPDATE e SET v = 9; INSERT INTO e VALUES ('m',3); UPDATE b SET v = v + 1; DELETE FROM b WHERE k = 'a'; INSERT INTO b VALUES (x'6100',9);
         UPDATE f SET v = v + 1; DELETE FROM f WHERE k > 1; INSERT INTO f VALUES (0.1e0 + 0.2e0,4); UPDATE d SET v = v + 1; UPDATE d SET k = '2024-01-00' WHERE v = 2;
         UPDATE s SET k = k + 1 ORDER BY k DESC; UPDATE y SET v = v + 1; DELETE FROM y WHERE k = 2000;",
    ) {
        pair.converges();
    }
}

#[test]
fn k12_and_k13_rows_without_a_key() {
    for pair in pairs(
        "CREATE TABLE t(v varchar(9), f float, b blob); INSERT INTO t VALUES ('a',0.1,'x'),('a',0.1,'x'),('a',0.1,'x'),('b',NULL,NULL);
         CREATE TABLE n(v int UNIQUE, w int); INSERT INTO n VALUES (NULL,1),(NULL,1),(1,1);",
        "DELETE FROM t WHERE v = 'a' LIMIT 2; INSERT INTO t VALUES ('b',NULL,NULL),('A',0.1,'x'),('b',NULL,NULL);
         DELETE FROM n WHERE v IS NULL LIMIT 1; INSERT INTO n VALUES (2,1),(2 + 1,1);",
    ) {
        pair.converges();
    }
}

#[test]
fn every_type_goes_there_and_back() {
    let table = "CREATE TABLE t(id int PRIMARY KEY, a tinyint(1), b bigint unsigned, c decimal(30,10), d float, e double, f bit(64), g year,
        h date, i datetime(6), j timestamp(3) NULL, k time(6), l char(5), m varchar(20) COLLATE utf8mb4_general_ci, n varchar(20) CHARACTER SET latin1,
        o text CHARACTER SET ucs2, p enum('a','','c'), q set('a','b','c'), r binary(5), s varbinary(20), u longblob, v geometry, w mediumtext);
        INSERT INTO t(id) VALUES (1),(2),(3);";
    let change = "UPDATE t SET a = 127, b = 18446744073709551615, c = -0.0000000001, d = 0.1, e = 0.1e0 + 0.2e0, f = 18446744073709551615, g = 2155,
            h = '2024-02-31', i = '2024-00-10 01:02:03.000001', j = '2038-01-19 03:14:07.999', k = '-838:59:59', l = 'ab', m = 'É ', n = _latin1 x'80859f',
            o = '漢', p = '', q = 'a,c', r = x'00ff', s = x'5c2700', u = REPEAT(x'00ff', 50000), v = ST_GeomFromText('POINT(1 2)', 4326), w = REPEAT('é\\\\''\\0😀', 20000)
            WHERE id = 1;
        UPDATE t SET a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = '0000-00-00', i = '0000-00-00', j = '0000-00-00', k = '00:00:00', l = '', m = '', n = '',
            o = '', p = 'a', q = '', r = '', s = '', u = '', w = '' WHERE id = 2;
        INSERT INTO t SELECT 4, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, u, v, w FROM t WHERE id = 1; DELETE FROM t WHERE id = 3;";
    for pair in pairs(table, change) {
        pair.converges();
        // And from there to a near miss of each.
        pair.apply(&[]).ok();
        pair.prod("UPDATE t SET d = 0.10000001, e = 0.3e0, l = 'aB', m = 'e', n = _latin1 x'80859e', s = x'5c27', u = CONCAT(u, x'00'), w = CONCAT(w, ' ') WHERE id = 1;");
        pair.apply(&["--rollback"]).fails(4, "t");
    }
    let pair = mariadb(
        "CREATE TABLE t(id uuid PRIMARY KEY, a inet6, b inet4, c json, d varchar(99) COMPRESSED); INSERT INTO t VALUES ('123e4567-e89b-12d3-a456-426614174000','::1','1.2.3.4','{\"a\":  1}','x');",
        "UPDATE t SET a = '::2', b = '0.0.0.0', c = '{\"a\": 1}', d = 'X'; INSERT INTO t(id) VALUES ('ffffffff-ffff-4fff-bfff-ffffffffffff');",
    );
    pair.converges();
}

#[test]
fn t12_json_of_mysql_blocks_its_table_by_name() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v json); INSERT INTO t VALUES (1,'[0.1]');",
        "UPDATE t SET v = '[0.2]';",
    ) {
        let packed = pair.pack(&[]);
        if pair.a.server.name.starts_with("mariadb") {
            packed.ok();
        } else {
            packed.fails(4, "JSON");
        }
    }
}

#[test]
fn t18_an_enum_that_holds_no_label_is_refused_by_name() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v enum('a')); INSERT INTO t VALUES (1,'a');",
        "INSERT IGNORE INTO t VALUES (2,'nope');",
    ) {
        let refused = pair.pack(&[]);
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("ENUM"), "{}", refused.stderr);
    }
}

#[test]
fn t32_quote_storm() {
    for pair in pairs(
        "CREATE TABLE `a``b?';--`(`i``d` int PRIMARY KEY, `x'?\\\"` text, `?` int);",
        "INSERT INTO `a``b?';--` VALUES (1,'\\'',1),(2,'\\\\',2),(3,'\\\\\\'',3),(4,'`;--',4),(5,'?',5),(6,'\\n/*',6),(7,'\\\\!',7),(8,'$$ :x #',8);",
    ) {
        pair.converges();
    }
}

#[test]
fn names_that_differ_in_case_and_hold_dots() {
    for pair in pairs(
        "CREATE TABLE `T.x`(id int PRIMARY KEY, v int); CREATE TABLE `t.X`(id int PRIMARY KEY, v int, FOREIGN KEY (v) REFERENCES `T.x`(id));
         CREATE TABLE `select`(`from` int PRIMARY KEY, `Where` int);",
        "INSERT INTO `T.x` VALUES (1,1); INSERT INTO `t.X` VALUES (1,1); INSERT INTO `select` VALUES (1,1);",
    ) {
        pair.converges();
    }
}

#[test]
fn a_value_that_both_sides_hold_is_not_lost_with_a_column_that_is_made_anew() {
    let rows = "CREATE TABLE t(id int PRIMARY KEY, q set('a','b'), y year);
        INSERT INTO t VALUES (1, 'a,b', 2020), (2, NULL, NULL);";
    let change = "ALTER TABLE t MODIFY q varchar(9), MODIFY y int;";
    // A small table comes whole.
    mariadb(rows, change).converges();
    let many = format!("{rows} INSERT INTO t(id) SELECT seq FROM seq_3_to_20003;");
    let refused = mariadb(&many, change).pack(&[]).fails(4, "loses a value that both sides hold");
    let told = refused.stderr;
    assert!(told.contains("t.q (1)") && told.contains("t.y (1)"), "{told}");
}
