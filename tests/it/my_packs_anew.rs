//! Tables that are put aside and made anew on MySQL and MariaDB, because their rows are found by what
//! changes in kind: through the binary, there and back, stopped at each place, with others about.

use crate::lab::Output;
use crate::my_packs::{Pair, pairs};
use crate::my_packs_schema::{behind_rows, interfered, killed_at, killed_in, left_over};
use crate::servers;

/// Rows found by text, others that refer to them and to which they refer, and all that can hang on a table.
pub const BASE: &str = "
    CREATE TABLE regions(id int PRIMARY KEY, name varchar(20));
    INSERT INTO regions VALUES (1,'north'),(2,'south');
    CREATE TABLE clients(id char(36) NOT NULL, name varchar(40) NOT NULL, region int, head char(36),
        PRIMARY KEY (id), UNIQUE KEY by_name (name), KEY of_head (head),
        CONSTRAINT in_region FOREIGN KEY (region) REFERENCES regions(id),
        CONSTRAINT under FOREIGN KEY (head) REFERENCES clients(id));
    INSERT INTO clients VALUES ('a-1','Ann',1,NULL),('a-2','Bob',2,'a-1'),('a-3','Cy',NULL,'a-1');
    CREATE TABLE tokens(id int PRIMARY KEY, client char(36) NOT NULL, note varchar(20),
        CONSTRAINT of_client FOREIGN KEY (client) REFERENCES clients(id) ON DELETE CASCADE);
    INSERT INTO tokens VALUES (1,'a-1','x'),(2,'a-2',NULL),(3,'a-2','z');
    CREATE TABLE names(id int PRIMARY KEY, client varchar(40),
        CONSTRAINT named FOREIGN KEY (client) REFERENCES clients(name));
    INSERT INTO names VALUES (1,'Ann'),(2,'Bob');
    CREATE VIEW heads AS SELECT id, name FROM clients WHERE head IS NULL;
    CREATE VIEW first_head AS SELECT MIN(id) AS id FROM heads;
    CREATE TRIGGER trimmed BEFORE INSERT ON clients FOR EACH ROW SET NEW.name = TRIM(NEW.name);";

/// The keys become numbers.
pub const CHANGE: &str = "
    DROP VIEW first_head; DROP VIEW heads; DROP TRIGGER trimmed;
    ALTER TABLE tokens DROP FOREIGN KEY of_client; ALTER TABLE tokens DROP KEY of_client;
    ALTER TABLE clients DROP FOREIGN KEY under; ALTER TABLE clients DROP KEY of_head;
    ALTER TABLE clients DROP PRIMARY KEY; ALTER TABLE clients DROP COLUMN head, DROP COLUMN id;
    ALTER TABLE clients ADD COLUMN id int unsigned NOT NULL AUTO_INCREMENT FIRST, ADD PRIMARY KEY (id);
    ALTER TABLE tokens DROP COLUMN client; ALTER TABLE tokens ADD COLUMN client int unsigned NULL AFTER id;
    UPDATE tokens SET client = id WHERE id < 3; DELETE FROM tokens WHERE id = 3;
    INSERT INTO regions VALUES (3,'east'); UPDATE clients SET region = 3 WHERE name = 'Cy';
    INSERT INTO clients VALUES (9,'Di',3);
    ALTER TABLE tokens MODIFY client int unsigned NOT NULL,
        ADD CONSTRAINT of_client FOREIGN KEY (client) REFERENCES clients(id);
    ALTER TABLE regions ADD UNIQUE KEY once (name); CREATE VIEW heads AS SELECT id, name FROM clients;
    CREATE TRIGGER trimmed BEFORE INSERT ON clients FOR EACH ROW SET NEW.name = TRIM(NEW.name);";

/// On one of the servers.
fn packed(server: usize) -> Pair {
    let pair = Pair::on(&servers::mysql_servers()[server], BASE, CHANGE);
    pair.pack(&["--allow", "large-delete"]).ok();
    pair
}

#[test]
fn a_key_becomes_another_in_kind_there_and_back() {
    for pair in pairs(BASE, CHANGE) {
        let sql = pair.converges();
        let place = |word: &str| sql.find(word).unwrap_or_else(|| panic!("{word}:\n{sql}"));
        let aside = place("RENAME TABLE `clients` TO `_deepdiff_trash_clients`");
        assert!(place("DROP TRIGGER `trimmed`") < aside, "{sql}");
        assert!(aside < place("CREATE TABLE `clients`"), "{sql}");
        assert!(place("CREATE TABLE `clients`") < place("INSERT INTO `clients`"), "{sql}");
        assert!(place("INSERT INTO `clients`") < place("TRIGGER `trimmed` BEFORE"), "{sql}");
        assert_eq!(left_over(&pair), "");
    }
}

/// Kills runs at these places, and goes on or back from there; says how many were tried.
fn killed(server: usize, places: impl Iterator<Item = usize>) -> usize {
    killed_in(&packed(server), places)
}

// Each server takes other places: about the table that is put aside, and behind the rows.

#[test]
fn m19_killed_while_a_table_is_made_anew_on_mariadb() {
    assert_eq!(killed(0, [16, 38].into_iter()), 2);
}

#[test]
fn m19_killed_while_a_table_is_made_anew_on_mysql_57() {
    assert_eq!(killed(1, [21, 43].into_iter()), 2);
}

#[test]
fn m19_killed_while_a_table_is_made_anew_on_mysql_97() {
    assert_eq!(killed(2, [27, 33].into_iter()), 2);
}

#[test]
#[ignore = "takes minutes: cargo nextest run --run-ignored all m19_killed_while_a_table_is_made_anew"]
fn m19_killed_while_a_table_is_made_anew_everywhere() {
    for server in 0..servers::mysql_servers().len() {
        assert!(killed(server, 1..) > 40);
    }
}

/// A run that waits at a place until it has been seen there, and something else has been done.
fn stopped(pair: &Pair, place: &str, script: &str) -> Output {
    interfered(pair, place, "is_running", script)
}

#[test]
fn what_others_write_into_a_table_before_it_is_put_aside_stops_the_pack() {
    let pair = packed(0);
    let before = pair.of("a");
    // It waits before each statement; the first is no table that is put aside.
    let refused =
        stopped(&pair, "statement", "INSERT INTO clients VALUES ('a-9','Late',NULL,NULL);");
    assert_eq!(refused.code, 4, "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.contains("it holds 4 rows"), "{}", refused.stdout);
    assert_eq!(left_over(&pair), "");
    assert_eq!(pair.prod("SELECT name FROM clients WHERE id = 'a-9';"), "Late\n");
    pair.prod("DELETE FROM clients WHERE id = 'a-9';");
    assert_eq!(pair.now(), before);
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), pair.of("b"));
}

#[test]
fn what_others_write_into_the_new_table_is_not_lost_when_a_run_goes_back() {
    let pair = packed(2);
    let (before, after) = (pair.of("a"), pair.of("b"));
    // A row of somebody else makes the new foreign key impossible, and cannot go back.
    let script = "INSERT INTO clients VALUES (77,'Late',NULL);
        INSERT INTO tokens(id, client) VALUES (9, 500);";
    let stopped = interfered(&pair, "rows", &behind_rows(&pair), script);
    assert_eq!(stopped.code, 5, "{}\n{}", stopped.stdout, stopped.stderr);
    assert!(stopped.stdout.contains("it holds 5 rows"), "{}", stopped.stdout);
    assert_eq!(pair.prod("SELECT name FROM clients WHERE id = 77;"), "Late\n");
    pair.prod("DELETE FROM tokens WHERE id = 9;");
    for _ in 0..2 {
        pair.apply(&[]).fails(5, "it holds 5 rows");
    }
    pair.prod("DELETE FROM clients WHERE id = 77;");
    pair.apply(&["--rollback"]).ok();
    assert_eq!(pair.now(), before);
    assert_eq!(left_over(&pair), "");
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), after);
}

#[test]
fn a_step_that_fails_brings_back_the_table_that_was_put_aside() {
    let pair = packed(1);
    let before = pair.of("a");
    // It breaks what is new alone, in a table that stays.
    let script = "INSERT INTO regions VALUES (9, 'north');";
    let failed = interfered(&pair, "rows", &behind_rows(&pair), script);
    assert_eq!(failed.code, 4, "{}\n{}", failed.stdout, failed.stderr);
    assert!(failed.stdout.contains("rolled back"), "{}", failed.stdout);
    assert_eq!(left_over(&pair), "");
    pair.prod("DELETE FROM regions WHERE id = 9;");
    assert_eq!(pair.now(), before, "{}", failed.stdout);
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), pair.of("b"));
}

#[test]
fn rows_get_or_lose_their_key_and_change() {
    for pair in pairs(
        "CREATE TABLE users(name varchar(40), age int); INSERT INTO users VALUES ('Ann',1),('Bob',2),('Bob',2),(NULL,3);",
        "CREATE TABLE u(id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(40), age int);
         INSERT INTO u(name, age) SELECT name, age + 1 FROM users; DROP TABLE users; RENAME TABLE u TO users;",
    ) {
        pair.converges();
    }
}

#[test]
fn values_that_no_type_in_between_holds_are_there_until_the_end() {
    // The table is made anew, with the row that does not change, and a step that fails goes back.
    let base = "CREATE TABLE t(id int PRIMARY KEY, v varchar(20)); INSERT INTO t VALUES (1,'one'),(2,'2'),(3,NULL);
        CREATE TABLE other(id int PRIMARY KEY, w int); INSERT INTO other VALUES (1,1);";
    let change = "ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v date; UPDATE t SET v = '2020-01-02' WHERE id = 1;
        ALTER TABLE other ADD UNIQUE KEY once (w);";
    let pair = Pair::on(&servers::mariadb(), base, change);
    let before = pair.of("a");
    pair.pack(&[]).ok();
    let failed = interfered(&pair, "rows", &behind_rows(&pair), "INSERT INTO other VALUES (2,1);");
    assert_eq!(failed.code, 4, "{}\n{}", failed.stdout, failed.stderr);
    pair.prod("DELETE FROM other WHERE id = 2;");
    assert_eq!(pair.now(), before);
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), pair.of("b"));
    assert!(killed_at(&pair, 12, &["--rollback"], &["--rollback"]));
    assert_eq!(pair.now(), before);
}

#[test]
fn a_foreign_key_from_another_database_is_named_before_anything_runs() {
    let pair = packed(0);
    let (name, other) = (&pair.a.name, pair.a.server.database(""));
    other.sql(&format!(
        "CREATE TABLE far(id int PRIMARY KEY, client char(36) CHARACTER SET utf8mb4, CONSTRAINT from_afar FOREIGN KEY (client) REFERENCES {name}.clients(id));"
    ));
    pair.apply(&[]).fails(4, "from_afar");
    assert_eq!(pair.now(), pair.of("a"));
    other.sql("DROP TABLE far;");
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), pair.of("b"));
}
