//! Known traps of packs on MySQL and MariaDB (`p…`), through the binary: order, constraints, what
//! the server does of its own accord.

use crate::lab::{Lab, Output};
use crate::my_database::Scene;
use crate::server_lab;
use crate::servers::{self, Database, Server};

/// Two databases of a server, the second one changed, and their snapshots `a` and `b`.
pub struct Pair {
    pub lab: Lab,
    pub a: Database,
    pub b: Database,
}

/// Scripts run in a mode in which everything can be stored.
const MODE: &str = "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';\n";

impl Pair {
    pub fn on(server: &Server, base: &str, change: &str) -> Pair {
        let make = || server.database("CHARACTER SET utf8mb4");
        let pair = Pair { lab: Lab::new(), a: make(), b: make() };
        for database in [&pair.a, &pair.b] {
            database.sql(&format!("{MODE}{base}"));
        }
        pair.b.sql(&format!("{MODE}{change}"));
        pair.state(&pair.a, "a");
        pair.state(&pair.b, "b");
        pair
    }

    /// Takes a snapshot; gives the state's id.
    #[track_caller]
    pub fn state(&self, database: &Database, name: &str) -> String {
        server_lab::state(&self.lab, &database.url(), name, &[])
    }

    /// What `a` is now.
    #[track_caller]
    pub fn now(&self) -> String {
        self.state(&self.a, "now")
    }

    /// What a snapshot is.
    #[track_caller]
    pub fn of(&self, name: &str) -> String {
        let shown = self.lab.run(&["show", name, "--json"]).ok().json();
        shown["state"].as_str().unwrap().to_owned()
    }

    pub fn pack(&self, more: &[&str]) -> Output {
        self.lab.run(&[&["pack", "a", "b", "-o", "change", "--allow", "all"], more].concat())
    }

    pub fn apply(&self, more: &[&str]) -> Output {
        self.lab.run(&[&["apply", "change", "--to", &self.a.url()], more].concat())
    }

    /// Packs, applies, compares, rolls back, compares; gives the statements that ran.
    #[track_caller]
    pub fn converges(&self) -> String {
        self.pack(&[]).ok();
        let sql = self.sql();
        self.apply(&["--verify-full"]).ok();
        assert_eq!(self.now(), self.of("b"), "{sql}");
        self.apply(&["--rollback", "--verify-full"]).ok();
        assert_eq!(self.now(), self.of("a"), "{sql}");
        sql
    }

    /// The statements of the way there.
    pub fn sql(&self) -> String {
        std::fs::read_to_string(self.lab.path("change/migration.sql")).unwrap()
    }

    /// Runs a script in `a`.
    pub fn prod(&self, script: &str) -> String {
        self.a.sql(&format!("{MODE}{script}"))
    }
}

/// On every server there is.
pub fn pairs(base: &str, change: &str) -> Vec<Pair> {
    servers::mysql_servers().iter().map(|server| Pair::on(server, base, change)).collect()
}

pub fn mariadb(base: &str, change: &str) -> Pair {
    Pair::on(&servers::mariadb(), base, change)
}

const UNIQUE: &str = "CREATE TABLE t(id int PRIMARY KEY, v varchar(20), w int, UNIQUE(v));
    INSERT INTO t VALUES (1,'a',1),(2,'b',2),(3,'c',3);";

#[test]
fn p01_unique_swap_2() {
    for pair in pairs(
        UNIQUE,
        "UPDATE t SET v = NULL; UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'a' ELSE 'c' END;",
    ) {
        let sql = pair.converges();
        assert!(!sql.contains("DELETE FROM"), "{sql}");
    }
    // The same where a value must always be there.
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(20) CHARACTER SET latin1 NOT NULL, n int NOT NULL, d date NOT NULL,
             UNIQUE(v), UNIQUE(n), UNIQUE(d));
         INSERT INTO t VALUES (1,'a',1,'2001-01-01'),(2,'b',2,'2001-01-02');",
        "DELETE FROM t; INSERT INTO t VALUES (1,'b',2,'2001-01-02'),(2,'a',1,'2001-01-01');",
    ) {
        let sql = pair.converges();
        assert!(!sql.contains("DELETE FROM"), "{sql}");
    }
}

#[test]
fn p02_unique_swap_3_and_chain() {
    for pair in pairs(
        UNIQUE,
        "UPDATE t SET v = NULL; UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'c' ELSE 'a' END;",
    ) {
        pair.converges();
    }
    let rows: Vec<String> = (1..=1000).map(|id| format!("({id}, {id})")).collect();
    for pair in pairs(
        &format!(
            "CREATE TABLE t(id int PRIMARY KEY, v int NOT NULL, UNIQUE(v)); INSERT INTO t VALUES {};",
            rows.join(",")
        ),
        "UPDATE t SET v = v + 1 ORDER BY v DESC;",
    ) {
        let sql = pair.converges();
        assert!(!sql.contains("-- park"), "a chain needs no parking");
    }
}

#[test]
fn p02_swaps_under_a_collation_that_folds() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(20) COLLATE utf8mb4_general_ci NOT NULL, UNIQUE(v));
         INSERT INTO t VALUES (1,'Foo'),(2,'bar'),(3,'é');",
        "DELETE FROM t; INSERT INTO t VALUES (1,'BAR'),(2,'foo'),(3,'E');",
    ) {
        pair.converges();
    }
}

#[test]
fn p03_swap_not_null_of_labels() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v enum('a','b') NOT NULL, UNIQUE(v)); INSERT INTO t VALUES (1,'a'),(2,'b');",
        "DELETE FROM t; INSERT INTO t VALUES (1,'b'),(2,'a');",
    ) {
        let sql = pair.converges();
        assert!(sql.contains("DELETE FROM"), "no label is left to park on: {sql}");
    }
    let pair = mariadb(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(9) NOT NULL CHECK (v IN ('a','b')), UNIQUE(v)); INSERT INTO t VALUES (1,'a'),(2,'b');",
        "DELETE FROM t; INSERT INTO t VALUES (1,'b'),(2,'a');",
    );
    pair.converges();
}

#[test]
fn p03_swap_not_null_of_labels_with_children_is_refused() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v enum('a','b') NOT NULL, UNIQUE(v)); INSERT INTO t VALUES (1,'a'),(2,'b');
         CREATE TABLE c(id int PRIMARY KEY, t int, FOREIGN KEY (t) REFERENCES t(id) ON DELETE CASCADE); INSERT INTO c VALUES (1,1);",
        "SET foreign_key_checks = 0; DELETE FROM t; INSERT INTO t VALUES (1,'b'),(2,'a');",
    ) {
        let refused = pair.pack(&[]);
        assert_eq!(refused.code, 4, "{}\n{}", refused.stdout, refused.stderr);
    }
}

#[test]
fn p04_swap_with_children_keeps_them() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(9) NOT NULL, UNIQUE(v)); INSERT INTO t VALUES (1,'a'),(2,'b');
         CREATE TABLE c(id int PRIMARY KEY, t int, FOREIGN KEY (t) REFERENCES t(id) ON DELETE CASCADE ON UPDATE CASCADE);
         INSERT INTO c VALUES (1,1),(2,2),(3,2);",
        "UPDATE t SET v = 'x' WHERE id = 1; UPDATE t SET v = 'a' WHERE id = 2; UPDATE t SET v = 'b' WHERE id = 1;",
    ) {
        let sql = pair.converges();
        assert!(!sql.contains("DELETE FROM") && !sql.contains("`c`"), "{sql}");
    }
}

#[test]
fn p07_reuse_unique() {
    for pair in pairs(UNIQUE, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (9,'a',1);") {
        pair.converges();
    }
}

const FAMILY: &str = "CREATE TABLE p(id int PRIMARY KEY, code varchar(9), UNIQUE(code));
    CREATE TABLE c(id int PRIMARY KEY, p int NOT NULL, FOREIGN KEY (p) REFERENCES p(id));
    INSERT INTO p VALUES (1,'x'),(2,'y'); INSERT INTO c VALUES (1,1),(2,2);";

#[test]
fn p08_move_child_drop_parent() {
    for pair in pairs(
        FAMILY,
        "INSERT INTO p VALUES (3,'z'); UPDATE c SET p = 3 WHERE id = 1; DELETE FROM p WHERE id = 1;",
    ) {
        pair.converges();
    }
}

#[test]
fn p09_move_child_and_unique_parent_code() {
    for pair in pairs(
        FAMILY,
        "INSERT INTO p VALUES (3,NULL); UPDATE c SET p = 3 WHERE id = 1; DELETE FROM p WHERE id = 1; UPDATE p SET code = 'x' WHERE id = 3;",
    ) {
        pair.converges();
    }
}

const CYCLE: &str = "CREATE TABLE l(id int PRIMARY KEY, r int NULLS); CREATE TABLE r(id int PRIMARY KEY, l int NULLS);
    ALTER TABLE l ADD FOREIGN KEY (r) REFERENCES r(id); ALTER TABLE r ADD FOREIGN KEY (l) REFERENCES l(id);";

#[test]
fn p10_fk_cycle_nullable_and_p11_not_null() {
    let rows = "SET foreign_key_checks = 0; INSERT INTO l VALUES (1,1),(2,2); INSERT INTO r VALUES (1,1),(2,2);";
    for pair in pairs(&CYCLE.replace("NULLS", "NULL"), rows) {
        pair.converges();
    }
    for pair in pairs(&CYCLE.replace("NULLS", "NOT NULL"), rows) {
        let refused = pair.pack(&[]);
        assert_eq!(refused.code, 4, "{}\n{}", refused.stdout, refused.stderr);
        assert!(!pair.lab.path("change").exists());
    }
    // One end may wait.
    for pair in pairs(&CYCLE.replacen("NULLS", "NULL", 1).replace("NULLS", "NOT NULL"), rows) {
        pair.converges();
    }
}

#[test]
fn p12_and_p13_self_ref_tree() {
    let tree = "CREATE TABLE t(id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES t(id));";
    // Children come before parents in key order, and after.
    let rows: Vec<String> = (1..10)
        .map(|id| format!("({id}, {})", id + 1))
        .chain(["(10, NULL)".to_owned()])
        .chain((11..20).map(|id| format!("({id}, {})", id - 1)))
        .collect();
    let rows = format!("SET foreign_key_checks = 0; INSERT INTO t VALUES {};", rows.join(","));
    for pair in pairs(tree, &rows) {
        pair.converges();
    }
}

/// InnoDB keeps a row that refers to itself, when it goes and when what it is referred to by changes.
#[test]
fn p12_rows_that_refer_to_themselves() {
    let tree = "CREATE TABLE t(id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES t(id));";
    for pair in pairs(tree, "INSERT INTO t VALUES (1, 1), (2, 1);") {
        pair.converges();
    }
    for pair in pairs(
        &tree.replace("t(id))", "t(id) ON DELETE CASCADE)"),
        "INSERT INTO t VALUES (1, 1), (2, 1);",
    ) {
        pair.converges();
    }
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, code varchar(9), up varchar(9), UNIQUE(code), FOREIGN KEY (up) REFERENCES t(code));
         INSERT INTO t VALUES (1,'a','a'),(2,'b','b'),(3,'c','c');",
        "SET foreign_key_checks = 0; UPDATE t SET code = 'x', up = 'x' WHERE id = 1; UPDATE t SET code = 'y', up = NULL WHERE id = 2; DELETE FROM t WHERE id = 3;",
    ) {
        // MySQL 9 takes no row whose reference and what it refers to in itself change at once: it is
        // rolled back, and named.
        if pair.a.server.name.starts_with("mysql-9") {
            pair.pack(&[]).ok();
            pair.apply(&[]).fails(4, "update t (1)");
            assert_eq!(pair.now(), pair.of("a"));
        } else {
            pair.converges();
        }
    }
    for pair in pairs(&tree.replace("up int", "up int NOT NULL"), "INSERT INTO t VALUES (1, 1);") {
        pair.pack(&[]).fails(4, "it refers to itself");
    }
}

const CASCADE: &str = "CREATE TABLE p(id int PRIMARY KEY);
    CREATE TABLE c(id int PRIMARY KEY, p int, v int, FOREIGN KEY (p) REFERENCES p(id) ON DELETE CASCADE);
    INSERT INTO p VALUES (1),(2); INSERT INTO c VALUES (1,1,1),(2,1,2),(3,2,3);";

#[test]
fn p14_cascade_planned() {
    for pair in pairs(CASCADE, "DELETE FROM p WHERE id = 1;") {
        pair.converges();
    }
}

#[test]
fn p15_cascade_unplanned() {
    for pair in pairs(CASCADE, "DELETE FROM p WHERE id = 1;") {
        pair.pack(&[]).ok();
        pair.prod("INSERT INTO c VALUES (11,1,1),(12,1,2),(13,1,3);");
        let before = pair.now();
        let refused = pair.apply(&[]).fails(4, "refers to p (1)");
        let said = format!("{}{}", refused.stdout, refused.stderr);
        for id in [11, 12, 13] {
            assert!(said.contains(&id.to_string()), "{said}");
        }
        assert_eq!(pair.now(), before);
    }
}

#[test]
fn p16_set_null_and_update_cascade() {
    for pair in pairs(
        "CREATE TABLE p(id varchar(9) PRIMARY KEY, v int);
         CREATE TABLE c(id int PRIMARY KEY, p varchar(9), FOREIGN KEY (p) REFERENCES p(id) ON DELETE SET NULL ON UPDATE CASCADE);
         INSERT INTO p VALUES ('a',1),('b',2); INSERT INTO c VALUES (1,'a'),(2,'b'),(3,'a');",
        "UPDATE p SET id = 'z' WHERE id = 'a'; DELETE FROM p WHERE id = 'b';",
    ) {
        pair.converges();
    }
    // A key that is spelled otherwise, with rows that follow it.
    for pair in pairs(
        "CREATE TABLE p(id varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY);
         CREATE TABLE c(id int PRIMARY KEY, p varchar(9) COLLATE utf8mb4_general_ci, FOREIGN KEY (p) REFERENCES p(id) ON UPDATE CASCADE);
         INSERT INTO p VALUES ('Foo'),('x'); INSERT INTO c VALUES (1,'x');",
        "UPDATE p SET id = 'FOO' WHERE id = 'Foo';",
    ) {
        pair.converges();
    }
}

const AUDIT: &str = "CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1,1),(2,2);
    CREATE TABLE audit(id int AUTO_INCREMENT PRIMARY KEY, what varchar(20));";

#[test]
fn p18_trigger_audit() {
    let trigger =
        "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW INSERT INTO audit(what) VALUES ('u');";
    for pair in
        pairs(&format!("{AUDIT}{trigger}"), "UPDATE t SET v = 10 WHERE id = 1; DELETE FROM audit;")
    {
        pair.pack(&[]).ok();
        pair.apply(&[]).fails(4, "its triggers would fire: g");
        assert_eq!(pair.now(), pair.of("a"));
        pair.apply(&["--allow-triggers", "t"]).ok();
        assert_eq!(
            pair.prod("SELECT v FROM t WHERE id = 1; SELECT COUNT(*) FROM audit;"),
            "10\n1\n"
        );
    }
}

#[test]
fn p19_trigger_that_rewrites_is_noticed() {
    let trigger = "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = NEW.v + 1;";
    for pair in pairs(
        &format!("{AUDIT}{trigger}"),
        "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 10);",
    ) {
        pair.pack(&[]).ok();
        pair.apply(&["--allow-triggers", "t"]).fails(4, "not as reviewed");
        assert_eq!(pair.now(), pair.of("a"));
    }
}

#[test]
fn p20_a_trigger_that_refuses_is_named() {
    let trigger = "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'never on sundays';";
    for pair in pairs(
        &format!("{AUDIT}{trigger}"),
        "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 10);",
    ) {
        pair.pack(&[]).ok();
        pair.apply(&["--allow-triggers", "t"]).fails(4, "never on sundays");
        assert_eq!(pair.now(), pair.of("a"));
    }
}

#[test]
fn p21_on_update_timestamp() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v int, ts timestamp(3) NOT NULL DEFAULT '2001-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP(3),
             dt datetime ON UPDATE CURRENT_TIMESTAMP);
         INSERT INTO t(id, v) VALUES (1,1),(2,2);",
        "UPDATE t SET v = 10, ts = ts, dt = dt WHERE id = 1; UPDATE t SET v = 20, ts = '2002-01-01 00:00:00', dt = '2003-01-01' WHERE id = 2;",
    ) {
        pair.converges();
    }
}

#[test]
fn p23_id_zero_and_p24_numbers_go_on() {
    let rows: Vec<String> = (1..=500).map(|id| format!("({id})")).collect();
    let insert = format!(
        "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO t VALUES (0),(-1),{};",
        rows.join(",")
    );
    for pair in pairs("CREATE TABLE t(id int AUTO_INCREMENT PRIMARY KEY);", &insert) {
        pair.converges();
        pair.apply(&[]).ok();
        assert_eq!(pair.prod("INSERT INTO t VALUES (NULL); SELECT MAX(id) FROM t;"), "501\n");
    }
    for pair in pairs(
        "CREATE TABLE t(id int AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 10000; INSERT INTO t VALUES (1);",
        "INSERT INTO t VALUES (2);",
    ) {
        pair.converges();
        assert_eq!(pair.prod("INSERT INTO t VALUES (NULL); SELECT MAX(id) FROM t;"), "10000\n");
    }
}

#[test]
fn p24_sequences_of_mariadb() {
    let base = "CREATE SEQUENCE s; CREATE TABLE t(id int PRIMARY KEY DEFAULT NEXTVAL(s)); INSERT INTO t VALUES (1);";
    let pair = mariadb(base, "DO SETVAL(s, 500); INSERT INTO t VALUES (2);");
    pair.converges();
    pair.apply(&[]).ok();
    let next: u64 = pair.prod("SELECT NEXTVAL(s);").trim().parse().unwrap();
    assert!(next > 500, "{next}");
    let pair = mariadb(base, "INSERT INTO t VALUES (2);");
    pair.prod("DO SETVAL(s, 10000);");
    pair.converges();
    assert_eq!(pair.prod("SELECT NEXTVAL(s);"), "10001\n");
}

#[test]
fn p25_generated_and_p26_invisible_columns() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v int, s int AS (v * 2) STORED, w int AS (v * 3) VIRTUAL, UNIQUE(s), KEY(w));
         INSERT INTO t(id, v) VALUES (1,1),(2,2);",
        "UPDATE t SET v = 10 WHERE id = 1; INSERT INTO t(id, v) VALUES (3,3); DELETE FROM t WHERE id = 2;",
    ) {
        let sql = pair.converges();
        assert!(!sql.contains("`w`"), "{sql}");
    }
    let pair = mariadb(
        "CREATE TABLE t(id int PRIMARY KEY, v int, h int INVISIBLE DEFAULT 7); INSERT INTO t(id, v, h) VALUES (1,1,1),(2,2,2);",
        "UPDATE t SET h = 10 WHERE id = 1; INSERT INTO t(id, v, h) VALUES (3,3,NULL);",
    );
    pair.converges();
}

#[test]
fn p25_a_swap_through_a_unique_generated_column() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(9) NOT NULL, l varchar(9) AS (LOWER(v)) STORED, UNIQUE(l));
         INSERT INTO t(id, v) VALUES (1,'a'),(2,'b');",
        "UPDATE t SET v = 'x' WHERE id = 1; UPDATE t SET v = 'a' WHERE id = 2; UPDATE t SET v = 'b' WHERE id = 1;",
    ) {
        pair.converges();
    }
}

#[test]
fn p27_a_check_that_only_prod_has() {
    let pair = mariadb(
        "CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1,1);",
        "INSERT INTO t VALUES (2,-1);",
    );
    pair.prod("ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0);");
    pair.state(&pair.a, "a");
    pair.pack(&[]).ok();
    assert_eq!(pair.apply(&["--verify-full", "--json"]).ok().json()["outcome"], "applied");
    assert_eq!(
        pair.apply(&["--rollback", "--verify-full", "--json"]).ok().json()["outcome"],
        "applied"
    );
}

#[test]
fn p28_partition_route() {
    let table = "CREATE TABLE t(id int, k int, v int, PRIMARY KEY(id, k)) PARTITION BY RANGE(k) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20));
         INSERT INTO t VALUES (1,1,1),(2,2,2),(3,15,3);";
    for pair in pairs(
        table,
        "UPDATE t SET k = 12 WHERE id = 1; UPDATE t SET v = 9 WHERE id = 3; INSERT INTO t VALUES (4,19,4);",
    ) {
        pair.converges();
    }
}

#[test]
fn p28_no_partition_for_a_row() {
    let table = "CREATE TABLE t(id int PRIMARY KEY, v int) PARTITION BY RANGE(id) (PARTITION a VALUES LESS THAN (10)PARTITIONS); INSERT INTO t VALUES (1,1);";
    for pair in pairs(
        &table.replace("PARTITIONS", ", PARTITION b VALUES LESS THAN (20)"),
        "INSERT INTO t VALUES (15,2);",
    ) {
        pair.pack(&[]).ok();
        pair.prod("ALTER TABLE t DROP PARTITION b;");
        pair.apply(&[]).fails(4, "schema");
        assert_eq!(pair.prod("SELECT COUNT(*) FROM t;"), "1\n");
    }
}

#[test]
fn p31_a_table_that_may_not_be_written() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v int); CREATE TABLE u(id int PRIMARY KEY); INSERT INTO t VALUES (1,1);",
        "UPDATE t SET v = 2; INSERT INTO u VALUES (1);",
    ) {
        pair.pack(&[]).ok();
        let scene = Scene { database: pair.a };
        let (account, url) = scene.account();
        let name = &scene.database.name;
        scene.run(&format!(
            "REVOKE ALL ON {name}.* FROM {name}@'%'; GRANT SELECT, CREATE, TRIGGER ON {name}.* TO {name}@'%';
             GRANT INSERT, UPDATE ON {name}.u TO {name}@'%';"
        ));
        let mut apply = pair.lab.command(&["apply", "change", "--to", &url]);
        let output = apply.env("MYSQL_PWD", "geheim").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("denied"), "{said}");
        assert!(!said.contains("geheim"), "{said}");
        drop(account);
        assert_eq!(server_lab::state(&pair.lab, &scene.database.url(), "now", &[]), {
            let shown = pair.lab.run(&["show", "a", "--json"]).ok().json();
            shown["state"].as_str().unwrap().to_owned()
        });
    }
}

#[test]
fn p32_myisam_mixed() {
    for pair in pairs(
        "CREATE TABLE t(id int PRIMARY KEY, v int); CREATE TABLE m(id int PRIMARY KEY, v int) ENGINE=MyISAM;
         INSERT INTO t VALUES (1,1); INSERT INTO m VALUES (1,1);",
        "UPDATE t SET v = 2; UPDATE m SET v = 2;",
    ) {
        let packed = pair.pack(&[]);
        if packed.code == 0 {
            pair.apply(&[]).fails(3, "MyISAM");
        }
        assert_eq!(pair.now(), pair.of("a"));
    }
}

#[test]
fn p35_many_rows_and_columns() {
    let columns: Vec<String> = (0..30).map(|n| format!("c{n} varchar(20)")).collect();
    let table = format!("CREATE TABLE t(id int PRIMARY KEY, {});", columns.join(", "));
    let values: Vec<String> = (0..30).map(|n| format!("CONCAT(i.n, '-{n}')")).collect();
    let digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let insert = format!(
        "INSERT INTO t SELECT i.n, {} FROM (SELECT a.d + 10*b.d + 100*c.d AS n FROM {digits} a, {digits} b, {digits} c) i;",
        values.join(", ")
    );
    for pair in pairs(&table, &insert) {
        pair.converges();
    }
}

#[test]
fn q12_the_widest_row() {
    let columns: Vec<String> = (0..1016).map(|n| format!("c{n} int")).collect();
    let table = format!(
        "CREATE TABLE t(id int PRIMARY KEY, {}); INSERT INTO t(id) VALUES (1),(2);",
        columns.join(", ")
    );
    for pair in pairs(&table, "UPDATE t SET c1015 = 1 WHERE id = 2; INSERT INTO t(id) VALUES (3);")
    {
        let sql = pair.converges();
        assert!(sql.contains("UPDATE `t` SET `c1015` = 1 WHERE"), "one column changes");
    }
}

#[test]
fn p37_schema_changed() {
    for pair in pairs(UNIQUE, "UPDATE t SET w = 9 WHERE id = 1;") {
        pair.pack(&[]).ok();
        pair.prod("ALTER TABLE t ADD COLUMN more int;");
        pair.apply(&[]).fails(4, "more");
        pair.prod("ALTER TABLE t DROP COLUMN more, MODIFY w bigint;");
        pair.apply(&[]).fails(4, "`w`".trim_matches('`'));
        pair.prod("ALTER TABLE t MODIFY w int;");
        pair.apply(&[]).ok();
        assert_eq!(pair.now(), pair.of("b"));
    }
}

#[test]
fn p38_minimal_update() {
    for pair in pairs(UNIQUE, "UPDATE t SET w = 9 WHERE id = 1;") {
        let sql = pair.converges();
        assert!(sql.contains("UPDATE `t` SET `w` = 9 WHERE `id` = 1 AND"), "{sql}");
    }
}
