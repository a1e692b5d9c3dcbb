//! Renames that a person gives on MySQL and MariaDB, where every statement commits: there and back,
//! with everything that can speak of a name, stopped at each place, with others about.

use crate::lab::Lab;
use crate::my_packs::Pair;
use crate::my_packs_schema::{behind_rows, interfered, killed_in, left_over};
use crate::servers::{self, Server};

/// A pair of databases, each made by a script of its own.
fn pair(server: &Server, before: &str, after: &str) -> Pair {
    let make = || server.database("CHARACTER SET utf8mb4");
    let pair = Pair { lab: Lab::new(), a: make(), b: make() };
    for (database, script, name) in [(&pair.a, before, "a"), (&pair.b, after, "b")] {
        database.sql(script);
        pair.state(database, name);
    }
    pair
}

fn on_all(before: &str, after: &str) -> Vec<Pair> {
    servers::mysql_servers().iter().map(|server| pair(server, before, after)).collect()
}

/// Packs with renames, applies, compares, rolls back, compares; gives the statements.
#[track_caller]
fn converges(pair: &Pair, renames: &[&str]) -> String {
    packed(pair, renames);
    let sql = pair.sql();
    pair.apply(&["--verify-full"]).ok();
    assert_eq!(pair.now(), pair.of("b"), "{sql}");
    pair.apply(&["--rollback", "--verify-full"]).ok();
    assert_eq!(pair.now(), pair.of("a"), "{sql}");
    assert_eq!(left_over(pair), "");
    sql
}

fn words<'r>(renames: &[&'r str]) -> Vec<&'r str> {
    renames.iter().flat_map(|rename| ["--rename", rename]).collect()
}

#[track_caller]
fn packed(pair: &Pair, renames: &[&str]) {
    pair.pack(&words(renames)).ok();
}

/// A table with everything that names it or a column of it, on both sides of foreign keys.
const SHOP: &str = "
    CREATE TABLE maker(id int PRIMARY KEY AUTO_INCREMENT, called varchar(40) NOT NULL, UNIQUE KEY by_name (called));
    INSERT INTO maker VALUES (1,'Anna'),(2,'Bert');
    CREATE TABLE item(id int PRIMARY KEY AUTO_INCREMENT, zeta varchar(20) NOT NULL DEFAULT 'x' COMMENT 'a ''name''', maker int, low int,
        up int GENERATED ALWAYS AS (low + 1) VIRTUAL, kept int GENERATED ALWAYS AS (low + 2) STORED, note text,
        CONSTRAINT below CHECK (low < 1000), CHECK (low <> 77), CONSTRAINT named CHECK (CHAR_LENGTH(zeta) > 0),
        UNIQUE KEY both_once (zeta, low), KEY by_low (low), KEY by_up (up), KEY by_note (note(10)),
        FOREIGN KEY (maker) REFERENCES maker(id));
    INSERT INTO item(id, zeta, maker, low, note) VALUES (1,'pot',1,10,'a'),(2,'cup',2,20,NULL),(3,'can',NULL,NULL,'c'),(4,'gone',1,4,'d');
    CREATE TABLE sale(id int PRIMARY KEY, item int NOT NULL, low int, FOREIGN KEY (item) REFERENCES item(id));
    INSERT INTO sale VALUES (1,1,5),(2,2,6),(3,4,7);
    CREATE TABLE log(id int PRIMARY KEY AUTO_INCREMENT, what text);
    CREATE VIEW cheap AS SELECT id, low FROM item WHERE low < 15;
    CREATE VIEW cheaper AS SELECT id FROM cheap WHERE id > 0;
    CREATE TRIGGER noted AFTER UPDATE ON item FOR EACH ROW INSERT INTO log(what) VALUES (NEW.low);
    CREATE TRIGGER trimmed BEFORE INSERT ON item FOR EACH ROW SET NEW.note = TRIM(NEW.note);";

/// The same by other names, which stand elsewhere among the names of the columns.
fn renamed(script: &str) -> String {
    let script = script.replace(
        "sale(id int PRIMARY KEY, item int NOT NULL, low int",
        "sale(id int PRIMARY KEY, item int NOT NULL, LOW int",
    );
    let script = script.replace("low", "amount").replace("LOW", "low").replace("beamount", "below");
    let script = script
        .replace("by_amount", "by_low")
        .replace("zeta", "a_name")
        .replace(" item(", " article(");
    script
        .replace("FROM item", "FROM article")
        .replace("ON item", "ON article")
        .replace("INTO item(", "INTO article(")
}

const RENAMES: [&str; 3] = ["item.low=amount", "item.zeta=a_name", "item=article"];

#[test]
fn a_table_and_its_columns_are_renamed() {
    for pair in on_all(SHOP, &renamed(SHOP)) {
        let sql = converges(&pair, &RENAMES);
        assert!(sql.contains("RENAME TABLE `item` TO `article`"), "{sql}");
        for word in ["DROP TABLE", "INSERT INTO `", "UPDATE `", "FOREIGN KEY", "DROP COLUMN `note"]
        {
            assert!(!sql.contains(word), "{word}: {sql}");
        }
        // A trigger that names nothing of it stays, and so does an index.
        for word in ["trimmed", "by_low", "both_once"] {
            assert!(!sql.contains(word), "{word}: {sql}");
        }
        let is_mariadb = pair.a.server.name.starts_with("mariadb");
        // MariaDB takes what is computed and checked along.
        assert_eq!(sql.contains("GENERATED ALWAYS"), !is_mariadb, "{sql}");
        let is_old = pair.a.server.name == "mysql-5.7";
        let word = if is_old {
            "CHANGE COLUMN `low` `amount` int"
        } else {
            "RENAME COLUMN `low` TO `amount`"
        };
        assert!(sql.contains(word), "{sql}");
    }
}

/// Names, types and rows change together, and tables come and go.
fn changed() -> String {
    let script = renamed(&without_trigger())
        .replace("amount int,", "amount bigint NOT NULL DEFAULT 7,")
        .replace(",NULL,NULL,'c')", ",NULL,7,'c')")
        .replace("note text,", "note varchar(100), more int,")
        .replace("sale(id int PRIMARY KEY, item int", "sale(id int PRIMARY KEY, article int")
        .replace("FOREIGN KEY (item)", "FOREIGN KEY (article)")
        .replace("up int GEN", "up bigint GEN")
        .replace("kept int GEN", "kept bigint GEN");
    let (tables, programs) = script.split_once("CREATE VIEW").unwrap();
    format!(
        "{tables} UPDATE article SET amount = 11 WHERE id = 1; DELETE FROM sale WHERE id = 3;
         DELETE FROM article WHERE id = 4; INSERT INTO sale VALUES (8,1,1);
         INSERT INTO article(id, a_name, maker, amount) VALUES (9,'new',2,99);
         CREATE TABLE notes(id int PRIMARY KEY, what text); INSERT INTO notes VALUES (1,'x');
         CREATE VIEW{programs}"
    )
}

/// Nothing fires when rows change.
fn without_trigger() -> String {
    SHOP.lines().filter(|line| !line.contains("TRIGGER trimmed")).collect::<Vec<_>>().join("\n")
}

const CHANGES: [&str; 4] =
    ["item.low=amount", "item.zeta=a_name", "item=article", "sale.item=article"];

/// A table that goes, besides.
fn before() -> String {
    format!(
        "{SHOP} CREATE TABLE old(id int PRIMARY KEY, v int); INSERT INTO old VALUES (1,1),(2,2);"
    )
}

fn scene(server: usize) -> Pair {
    let pair = pair(&servers::mysql_servers()[server], &before(), &changed());
    packed(&pair, &CHANGES);
    pair
}

#[test]
fn names_types_and_rows_change_together() {
    for pair in on_all(&before(), &changed()) {
        let sql = converges(&pair, &[&CHANGES[..], &["item.low=amount"]].concat());
        assert!(!sql.contains("DROP COLUMN `low`"), "{sql}");
    }
}

#[test]
fn m19_killed_while_names_change_on_mariadb() {
    assert_eq!(killed_in(&scene(0), [7, 12].into_iter()), 2);
}

#[test]
fn m19_killed_while_names_change_on_mysql_57() {
    assert_eq!(killed_in(&scene(1), [14, 22].into_iter()), 2);
}

#[test]
fn m19_killed_while_names_change_on_mysql_97() {
    assert_eq!(killed_in(&scene(2), [17, 29].into_iter()), 2);
}

#[test]
#[ignore = "takes minutes: cargo nextest run --run-ignored all m19_killed_while_names_change"]
fn m19_killed_while_names_change_everywhere() {
    for server in 0..servers::mysql_servers().len() {
        assert!(killed_in(&scene(server), 1..) > 40);
    }
}

#[test]
fn a_step_that_fails_behind_the_names_brings_them_back() {
    let pair = scene(2);
    let before = pair.of("a");
    // Behind the rows: a row of somebody else breaks what is new alone.
    let script = "INSERT INTO article(id, a_name, amount) VALUES (50,'late',NULL);";
    let failed = interfered(&pair, "rows", &behind_rows(&pair), script);
    assert_eq!(failed.code, 4, "{}\n{}", failed.stdout, failed.stderr);
    assert_eq!(pair.prod("SELECT zeta FROM item WHERE id = 50;"), "late\n");
    pair.prod("DELETE FROM item WHERE id = 50;");
    assert_eq!(pair.now(), before, "{}", failed.stdout);
    pair.apply(&[]).ok();
    assert_eq!(pair.now(), pair.of("b"));
}

#[test]
fn rows_that_differ_are_found_by_either_name() {
    let pair = scene(0);
    pair.prod("UPDATE item SET low = 12 WHERE id = 1;");
    pair.apply(&[]).fails(4, "article (1): changed");
    pair.prod("UPDATE item SET low = 10 WHERE id = 1; DELETE FROM log;");
    assert_eq!(pair.now(), pair.of("a"));
    // Another one after names have changed, in a column that no statement sets.
    let script = "UPDATE article SET note = 'other' WHERE id = 1;";
    let failed = interfered(&pair, "25", "position = 8", script);
    assert_eq!(failed.code, 4, "{}\n{}", failed.stdout, failed.stderr);
    assert!(
        failed.stdout.contains("item") || failed.stdout.contains("article"),
        "{}",
        failed.stdout
    );
    pair.prod("UPDATE item SET note = 'a' WHERE id = 1; DELETE FROM log;");
    assert_eq!(pair.now(), pair.of("a"), "{}", failed.stdout);
}

#[test]
fn a_table_made_anew_gets_other_names() {
    let base = "CREATE TABLE t(code varchar(20) PRIMARY KEY, v varchar(20), n int); INSERT INTO t VALUES ('1','a',1),('2','b',2),('3','c',3);
        CREATE TABLE c(id int PRIMARY KEY, t varchar(20), FOREIGN KEY (t) REFERENCES t(code)); INSERT INTO c VALUES (1,'1'),(2,NULL);";
    let wanted = "CREATE TABLE u(id int PRIMARY KEY, a_v varchar(20), n int); INSERT INTO u VALUES (1,'a',1),(2,'B',2),(4,'d',4);
        CREATE TABLE c(id int PRIMARY KEY, t int, FOREIGN KEY (t) REFERENCES u(id)); INSERT INTO c VALUES (1,1),(2,2);";
    let renames = ["t.code=id", "t.v=a_v", "t=u"];
    for (server, place) in servers::mysql_servers().iter().zip([13, 21, 27]) {
        let pair = pair(server, base, wanted);
        let more = [&words(&renames)[..], &["--allow", "large-delete"]].concat();
        pair.pack(&more).ok();
        assert!(pair.sql().contains("_deepdiff_trash"), "{}", pair.sql());
        assert_eq!(killed_in(&pair, [place].into_iter()), 1);
    }
}

#[test]
fn a_key_that_others_refer_to_is_renamed() {
    for pair in on_all(
        "CREATE TABLE t(code varchar(20) PRIMARY KEY, a int, b text); CREATE TABLE c(id int PRIMARY KEY, t varchar(20), CONSTRAINT f FOREIGN KEY (t) REFERENCES t(code));
         INSERT INTO t VALUES ('x',1,'one'),('y',2,'two'),('z',3,'three'); INSERT INTO c VALUES (1,'x'),(2,'y');",
        "CREATE TABLE t(Code varchar(20) PRIMARY KEY, a int, b text); CREATE TABLE d(id int PRIMARY KEY, tt varchar(20), CONSTRAINT f FOREIGN KEY (tt) REFERENCES t(Code));
         INSERT INTO t VALUES ('x',1,'one'),('y',2,'TWO'),('q',9,'nine'); INSERT INTO d VALUES (1,'x'),(2,'q');",
    ) {
        let sql = converges(&pair, &["t.code=Code", "c=d", "c.t=tt"]);
        assert!(!sql.contains("DROP FOREIGN KEY") && !sql.contains("DROP TABLE"), "{sql}");
    }
}

#[test]
fn names_that_cannot_change_are_refused() {
    let part = |column: &str| {
        format!(
            "CREATE TABLE p({column} int PRIMARY KEY) PARTITION BY HASH({column}) PARTITIONS 2; CREATE TABLE k({column} int);"
        )
    };
    for pair in on_all(&part("a"), &part("b")) {
        pair.pack(&words(&["k.a=b"])).fails(4, "no key");
        pair.pack(&words(&["p.a=b", "p.b=a"])).fails(2, "no such table or column");
        let is_mariadb = pair.a.server.name.starts_with("mariadb");
        match is_mariadb {
            true => {
                converges(&pair, &["p.a=b"]);
            }
            false => {
                pair.pack(&words(&["p.a=b"])).fails(4, "partitioned by a column");
            }
        }
    }
    let swap = ["CREATE TABLE t(id int PRIMARY KEY, a int, b int);"; 2];
    let pair = pair(&servers::mariadb(), swap[0], swap[1]);
    pair.pack(&words(&["t.a=b", "t.b=a"])).fails(2, "in the second state too");
}

#[test]
fn a_pack_that_changes_names_is_rehearsed() {
    let pair = scene(0);
    let empty = pair.a.server.database("CHARACTER SET utf8mb4");
    let said = pair.lab.run(&["rehearse", "change", "--on", &empty.url(), "--json"]).ok().json();
    assert_eq!(said["outcome"], "converges", "{said}");
}
