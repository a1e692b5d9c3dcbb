//! Packs that change the schema on MySQL and MariaDB, where every statement commits: through the
//! binary, with rows in the tables.

use std::fmt::Display;
use std::path::PathBuf;

use crate::lab::Output;
use crate::my_packs::{Pair, pairs};
use crate::server_lab::{Running, wait_until};

/// A schema with something of everything that a pack changes.
const BASE: &str = "
    CREATE TABLE customers(id int PRIMARY KEY AUTO_INCREMENT, name varchar(40) NOT NULL, note text, city varchar(20));
    INSERT INTO customers VALUES (1,'Ann','first','Oslo'),(2,'Bob',NULL,'Rome'),(3,'Cy','third',NULL);
    CREATE TABLE orders(id int PRIMARY KEY, customer int NOT NULL, amount decimal(8,2), state varchar(10),
        CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers(id));
    INSERT INTO orders VALUES (10,1,5.00,'new'),(11,1,7.25,'paid'),(12,2,1.00,NULL);
    CREATE TABLE old(id int PRIMARY KEY, v varchar(20));
    INSERT INTO old VALUES (1,'one'),(2,'two');
    CREATE VIEW paid AS SELECT id, amount FROM orders WHERE state = 'paid';
    CREATE TRIGGER looked BEFORE UPDATE ON old FOR EACH ROW SET NEW.v = TRIM(NEW.v);";

/// What becomes of it: a pack of about ten steps.
const CHANGE: &str = "
    CREATE TABLE cities(id int PRIMARY KEY, name varchar(20) NOT NULL, UNIQUE KEY by_name (name));
    INSERT INTO cities VALUES (1,'Oslo'),(2,'Rome');
    ALTER TABLE customers ADD COLUMN city_id int NULL, MODIFY name varchar(60) NOT NULL, DROP COLUMN note;
    UPDATE customers SET city_id = CASE city WHEN 'Oslo' THEN 1 WHEN 'Rome' THEN 2 END;
    ALTER TABLE customers DROP COLUMN city, ADD CONSTRAINT lives FOREIGN KEY (city_id) REFERENCES cities(id);
    INSERT INTO customers VALUES (4,'Di',1);
    UPDATE orders SET state = 'new' WHERE state IS NULL;
    ALTER TABLE orders MODIFY state varchar(8) NOT NULL, MODIFY amount decimal(10,2), ADD KEY by_state (state);
    DELETE FROM orders WHERE id = 10; INSERT INTO orders VALUES (13,4,9.99,'paid');
    DROP VIEW paid; CREATE VIEW paid AS SELECT id, customer, amount FROM orders WHERE state = 'paid';
    DROP TABLE old;
    CREATE TRIGGER counted BEFORE INSERT ON orders FOR EACH ROW SET NEW.amount = COALESCE(NEW.amount, 0);";

fn packed() -> Vec<Pair> {
    let pairs = pairs(BASE, CHANGE);
    pairs.iter().for_each(|pair| {
        pair.pack(&[]).ok();
    });
    pairs
}

/// The program with settings of its environment.
pub fn apply_with(pair: &Pair, more: &[&str], name: &str, value: &str) -> Output {
    let url = pair.a.url();
    let mut command = pair.lab.command(&[&["apply", "change", "--to", &url][..], more].concat());
    command.env(name, value);
    Running::start(command).end()
}

/// This program's own tables, receipts and the journal aside.
pub fn left_over(pair: &Pair) -> String {
    pair.prod(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE '\\_deepdiff\\_trash%';
         SELECT COUNT(*) FROM _deepdiff_journal HAVING COUNT(*) > 0;",
    )
}

#[test]
fn a_pack_of_schema_and_rows_there_and_back() {
    for pair in pairs(BASE, CHANGE) {
        let sql = pair.converges();
        let place = |word: &str| sql.find(word).unwrap_or_else(|| panic!("{word}:\n{sql}"));
        assert!(place("ADD COLUMN `city_id`") < place("INSERT INTO `cities`"), "{sql}");
        assert!(place("INSERT INTO `orders`") < place("DROP COLUMN"), "{sql}");
        assert!(place("TRIGGER `counted`") < place("RENAME TABLE `old`"), "{sql}");
        assert!(place("RENAME TABLE `old`") < place("DROP TABLE IF EXISTS `_deepdiff_trash_old`"));
        assert_eq!(left_over(&pair), "");
        let again = pair.apply(&["--rollback"]).ok();
        assert!(again.stdout.contains("already applied"), "{}", again.stdout);
    }
}

/// New rows have nothing to say in columns that go, whatever these ask for.
#[test]
fn rows_come_while_columns_go_that_take_no_null() {
    let columns = [
        ("a", "int NOT NULL", "1"),
        ("b", "decimal(10,2) NOT NULL", "1.50"),
        ("c", "date NOT NULL", "'2020-02-02'"),
        ("d", "datetime NOT NULL", "'2020-02-02 01:02:03'"),
        ("e", "varchar(9) NOT NULL", "'e'"),
        ("f", "text NOT NULL", "'f'"),
        ("g", "blob NOT NULL", "'g'"),
        ("h", "enum('x','y') NOT NULL", "'y'"),
        ("i", "set('x','y') NOT NULL", "'x,y'"),
        ("j", "time NOT NULL", "'01:02:03'"),
        ("k", "year NOT NULL", "2020"),
        ("l", "bit(3) NOT NULL", "5"),
        ("m", "double NOT NULL", "1.5"),
        ("n", "binary(4) NOT NULL", "'n'"),
        ("o", "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP", "'2020-02-02 01:02:03'"),
        ("p", "varchar(9) CHARACTER SET latin1 NOT NULL", "'p'"),
        ("q", "bigint unsigned NOT NULL DEFAULT 7", "8"),
    ];
    let all = |of: fn(&(&str, &str, &str)) -> String| columns.iter().map(of).collect::<String>();
    let base = format!(
        "CREATE TABLE t(id int PRIMARY KEY{}); INSERT INTO t VALUES (1{});",
        all(|(name, declared, _)| format!(", {name} {declared}")),
        all(|(_, _, value)| format!(", {value}")),
    );
    let drops = all(|(name, _, _)| format!("DROP COLUMN {name}, "));
    let change =
        format!("ALTER TABLE t {} ; INSERT INTO t VALUES (2)", drops.trim_end_matches(", "));
    for pair in pairs(&base, &change) {
        pair.converges();
    }
    let made = format!("{base} {change}; DELETE FROM t WHERE id = 1;");
    let change = format!("DROP TABLE t; {base}");
    for pair in pairs(&made, &change) {
        pair.converges();
    }
}

fn connections(pair: &Pair) -> String {
    let asked = pair.prod("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE (DB = DATABASE() OR DB LIKE '\\_deepdiff\\_shadow%') AND ID <> CONNECTION_ID();");
    asked.trim().to_owned()
}

/// A run that is killed at a place, and one after it; false where it came through.
pub fn killed_at(pair: &Pair, place: usize, first: &[&str], then: &[&str]) -> bool {
    let killed = apply_with(pair, first, "DEEPDIFF_TEST_KILL_AT", &place.to_string());
    if killed.code == 0 {
        return false;
    }
    wait_until("the server to notice", || connections(pair) == "0");
    let output = pair.apply(then);
    assert_eq!(output.code, 0, "at {place}: {}\n{}", output.stdout, output.stderr);
    assert_eq!(left_over(pair), "", "at {place}");
    true
}

fn killed(server: usize, places: impl Iterator<Item = usize>) -> usize {
    killed_in(&packed().swap_remove(server), places)
}

/// Kills runs of a pair of schemas at these places, and goes on or back from there; says how many
/// places there are that were tried.
pub fn killed_in(pair: &Pair, places: impl Iterator<Item = usize>) -> usize {
    let (before, after) = (pair.of("a"), pair.of("b"));
    let mut tried = 0;
    for place in places {
        // There, killed and gone on with; back, killed and gone on with; there, killed and undone.
        if !killed_at(pair, place, &[], &[]) {
            break;
        }
        assert_eq!(pair.now(), after, "at {place}, gone on");
        if !killed_at(pair, place, &["--rollback"], &["--rollback"]) {
            break;
        }
        assert_eq!(pair.now(), before, "at {place}, back and gone on");
        assert!(killed_at(pair, place, &[], &["--rollback"]));
        assert_eq!(pair.now(), before, "at {place}, undone");
        tried += 1;
        pair.prod("DELETE FROM _deepdiff_receipts;");
    }
    tried
}

// Each server takes other places; all of them together are not a third of those there are.

#[test]
fn m19_killed_on_mariadb() {
    assert_eq!(killed(0, [2, 9, 19].into_iter()), 3);
}

#[test]
fn m19_killed_on_mysql_57() {
    assert_eq!(killed(1, [8, 14, 31].into_iter()), 3);
}

#[test]
fn m19_killed_on_mysql_97() {
    assert_eq!(killed(2, [12, 25, 36].into_iter()), 3);
}

#[test]
#[ignore = "takes minutes: cargo nextest run --run-ignored all m19_killed_everywhere"]
fn m19_killed_everywhere() {
    for server in 0..packed().len() {
        let tried = killed(server, 1..);
        assert!(tried > 30, "only {tried} places");
    }
}

/// A run of the pack that waits at a place for as long as a file is there.
pub fn waiting_at(pair: &Pair, place: impl Display) -> (Running, PathBuf) {
    let file = pair.lab.path("wait");
    std::fs::write(&file, "").unwrap();
    let url = pair.a.url();
    let mut command = pair.lab.command(&["apply", "change", "--to", &url]);
    command.env("DEEPDIFF_TEST_WAIT_AT", format!("{place}:{}", file.display()));
    (Running::start(command), file)
}

/// Runs the pack until it comes to a place and the journal says something, does something else in the
/// target, and lets it go on.
pub fn interfered(pair: &Pair, place: &str, said: &str, script: &str) -> Output {
    let (running, file) = waiting_at(pair, place);
    wait_until(place, || {
        let asked = format!("SELECT {said} FROM _deepdiff_journal WHERE part = 0");
        pair.a.server.try_run(&pair.a.name, &asked).stdout == b"1\n"
    });
    pair.prod(script);
    std::fs::remove_file(&file).unwrap();
    running.end()
}

/// What the journal says once the rows of the pack have changed.
pub fn behind_rows(pair: &Pair) -> String {
    let sql = std::fs::read(pair.lab.path("change/migration.sql")).unwrap();
    let steps = std::fs::read_to_string(pair.lab.path("change/migration.jsonl")).unwrap();
    let steps = steps.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let before = steps.take_while(|step| step["verb"] != "rows");
    let is_step = |step: &serde_json::Value| {
        let at = step["at"].as_u64().map(|at| usize::try_from(at).unwrap());
        step["verb"] != "prepare" && at.is_some_and(|at| !sql[at..].starts_with(b"SET "))
    };
    format!("position > {}", before.filter(is_step).count())
}

#[test]
fn a_step_that_fails_is_undone_with_all_before_it() {
    for pair in packed() {
        let before = pair.of("a");
        // Behind the rows: the check of rows was fooled.
        let script = "INSERT INTO orders(id, customer, state) VALUES (99, 1, NULL);";
        let refused = interfered(&pair, "rows", &behind_rows(&pair), script);
        assert_eq!(refused.code, 4, "{}\n{}", refused.stdout, refused.stderr);
        assert!(
            refused.stdout.contains("rolled back; the target is as it was"),
            "{}",
            refused.stdout
        );
        assert_eq!(left_over(&pair), "");
        assert_eq!(pair.prod("SELECT id FROM orders WHERE id = 99;"), "99\n");
        pair.prod("DELETE FROM orders WHERE id = 99;");
        assert_eq!(pair.now(), before, "{}", refused.stdout);
        pair.apply(&[]).ok();
        assert_eq!(pair.now(), pair.of("b"));
    }
}

#[test]
fn d31_a_dry_run_checks_and_runs_nothing() {
    for pair in packed() {
        let dry = pair.apply(&["--dry-run"]).ok();
        assert!(dry.stdout.contains("it did not run"), "{}", dry.stdout);
        assert_eq!(pair.now(), pair.of("a"));
        let tables = pair.prod("SHOW TABLES; SHOW DATABASES LIKE '\\_deepdiff\\_shadow%';");
        assert!(!tables.contains("_deepdiff_receipts"), "{tables}");
        let stored =
            pair.lab.run(&["apply", "change", "--to", &pair.a.url(), "--dry-run", "--json"]);
        assert_eq!(stored.ok().json()["outcome"], "checked");
    }
}

#[test]
fn rows_that_a_step_would_not_take_stop_the_pack_before_it() {
    for pair in packed() {
        // Rows that the pack knows nothing of: without a state, and of no customer that stays.
        pair.prod("INSERT INTO orders(id, customer, state) VALUES (99, 1, NULL);");
        let refused = pair.apply(&[]).fails(4, "it holds NULL, and shall not");
        assert!(refused.stdout.contains("rolled back"), "{}", refused.stdout);
        pair.prod("DELETE FROM orders WHERE id = 99;");
        assert_eq!(pair.now(), pair.of("a"));
        assert_eq!(left_over(&pair), "");
        // A table that goes must hold what the pack knows.
        pair.prod("INSERT INTO old VALUES (3, 'three');");
        pair.apply(&[]).fails(4, "old");
        pair.prod("DELETE FROM old WHERE id = 3;");
        assert_eq!(pair.now(), pair.of("a"));
    }
}

#[test]
fn a_right_that_is_missing_is_named_before_anything_runs() {
    let pair = packed().swap_remove(0);
    let (name, user) = (&pair.a.name, format!("{}_u", pair.a.name));
    pair.prod(&format!(
        "CREATE USER {user}@localhost; GRANT ALL ON {name}.* TO {user}@localhost; GRANT SELECT ON mysql.proc TO {user}@localhost;"
    ));
    let url = pair.a.url().replacen("tester@", &format!("{user}@"), 1);
    let refused = pair.lab.run(&["apply", "change", "--to", &url]);
    pair.prod(&format!("DROP USER {user}@localhost;"));
    refused.fails(4, "_deepdiff");
    assert_eq!(pair.now(), pair.of("a"));
}

#[test]
fn a_schema_that_no_step_leaves_is_named_and_left_alone() {
    let pair = packed().swap_remove(0);
    // Killed when the rows are through.
    let killed = apply_with(&pair, &[], "DEEPDIFF_TEST_KILL_AT", "25");
    assert_ne!(killed.code, 0);
    wait_until("the server to notice", || connections(&pair) == "0");
    pair.prod("ALTER TABLE cities ADD COLUMN by_hand int;");
    for way in [&[][..], &["--rollback"]] {
        let stopped = pair.apply(way).fails(5, "cities.by_hand");
        assert!(stopped.stdout.contains("stopped in the middle"), "{}", stopped.stdout);
    }
    // Nothing else runs meanwhile.
    pair.apply(&["--dry-run"]).fails(4, "in the middle of the migration");
    pair.prod("ALTER TABLE cities DROP COLUMN by_hand;");
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), pair.of("b"));
}

#[test]
fn values_that_no_type_in_between_holds_come_back_from_the_end() {
    // More rows than are written along to make the table anew.
    let base = "CREATE TABLE t(id int PRIMARY KEY, v varchar(20)); INSERT INTO t SELECT seq, NULL FROM seq_1_to_20001;
        UPDATE t SET v = 'one' WHERE id = 1; UPDATE t SET v = '2' WHERE id = 2;";
    let change = "ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v date; UPDATE t SET v = '2020-01-02' WHERE id = 1;
        CREATE VIEW w AS SELECT id FROM t;";
    let pair = Pair::on(&crate::servers::mariadb(), base, change);
    pair.pack(&[]).ok();
    let (before, after) = (pair.of("a"), pair.of("b"));
    for place in 1..=8 {
        if !killed_at(&pair, place, &[], &["--rollback"]) {
            break;
        }
        assert_eq!(pair.now(), before, "at {place}");
    }
    pair.prod("DELETE FROM _deepdiff_receipts;");
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), after);
}
