//! `rehearse`: packs tried out on scratch databases, which are left as they were found.

use serde_json::Value as Json;

use crate::lab::{Lab, Output};
use crate::my_packs;
use crate::pg_lab::Pair as PgPair;
use crate::servers::{self, Database};

/// What is left in the temporary folder of the store.
fn leftovers(lab: &Lab) -> Vec<String> {
    let entries = std::fs::read_dir(lab.path(".deepdiff/tmp")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn steps(said: &Json) -> Vec<&str> {
    said["times"].as_array().unwrap().iter().map(|time| time["step"].as_str().unwrap()).collect()
}

const PROD: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE gone(x);
    INSERT INTO t VALUES (1, 'x'), (2, 'y'); INSERT INTO gone VALUES (1), (1);
    CREATE VIEW v AS SELECT a FROM t;";
const DEV: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL CHECK (a <> ''), b INT);
    INSERT INTO t VALUES (1, 'x', NULL), (3, 'z', 4); CREATE VIEW v AS SELECT a, b FROM t;";

fn scene() -> Lab {
    let lab = Lab::new();
    lab.sql("prod.db", PROD);
    lab.sql("dev.db", DEV);
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab
}

#[test]
fn a_pack_for_sqlite_is_rehearsed_on_a_file_that_is_gone_afterwards() {
    let lab = scene();
    lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]).ok();
    // The databases are not needed.
    std::fs::remove_file(lab.path("prod.db")).unwrap();
    let before = leftovers(&lab);
    let said = lab.run(&["rehearse", "change", "--json"]).ok().json();
    assert_eq!(said["outcome"], "converges", "{said}");
    assert_eq!(said["states"]["base"], said["states"]["restored"]);
    assert_eq!(steps(&said), ["restore", "apply", "read again", "roll back", "read again"]);
    assert_eq!(said["left_behind"], Json::Null);
    assert_eq!(leftovers(&lab), before);
    let text = lab.run(&["rehearse", "change"]).ok().stdout;
    assert!(text.starts_with("converges: the pack leaves the wanted state"), "{text}");
    assert!(text.contains("locks, as the pack says: the whole database"), "{text}");
    lab.run(&["rehearse", "change", "--on", "sqlite:x.db"]).fails(2, "rehearsed on a file");
}

#[test]
fn a_pack_that_leaves_something_out_runs() {
    let lab = scene();
    lab.run(&["pack", "prod", "dev", "-o", "change"]).ok();
    let said = lab.run(&["rehearse", "change", "--json"]).ok().json();
    assert_eq!(said["outcome"], "runs", "{said}");
}

#[test]
fn what_would_stop_the_pack_stops_the_rehearsal() {
    let lab = Lab::new();
    let base = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x');
        CREATE TRIGGER keep AFTER UPDATE ON t BEGIN UPDATE t SET a = 'mine' WHERE id = new.id; END;";
    lab.sql("prod.db", base);
    lab.sql("dev.db", &format!("{base} DROP TRIGGER keep; UPDATE t SET a = 'y';
        CREATE TRIGGER keep AFTER UPDATE ON t BEGIN UPDATE t SET a = 'mine' WHERE id = new.id; END;"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab.run(&["pack", "prod", "dev", "-o", "change"]).ok();
    let before = leftovers(&lab);
    let said = lab.run(&["rehearse", "change", "--json"]).fails(4, "would fire").json();
    assert_eq!(said["outcome"], "refused", "{said}");
    let allowed = ["rehearse", "change", "--allow-triggers", "t"];
    lab.run(&allowed).fails(4, "it is not as reviewed");
    assert_eq!(leftovers(&lab), before);

    // An edited pack, a store without the snapshot.
    let sql = lab.path("change/migration.sql");
    let text = std::fs::read_to_string(&sql).unwrap();
    std::fs::write(&sql, format!("{text} ")).unwrap();
    lab.run(&["rehearse", "change"]).fails(4, "migration.sql");
    std::fs::write(&sql, text).unwrap();
    let other = Lab::new();
    let store = other.path(".deepdiff");
    let store = store.to_str().unwrap();
    lab.run(&["rehearse", "change", "--store", store]).fails(2, "is not in the store");
}

fn rehearse(lab: &Lab, on: &Database) -> Output {
    lab.run(&["rehearse", "change", "--on", &on.url(), "--json"])
}

#[test]
fn a_pack_for_postgres_is_rehearsed_on_an_empty_database() {
    let schema = "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE SEQUENCE numbers;
        CREATE TABLE p (id int PRIMARY KEY, name text, m mood DEFAULT 'ok');
        CREATE TABLE c (id int PRIMARY KEY DEFAULT nextval('numbers'), p int REFERENCES p);
        CREATE TABLE old (x int); CREATE VIEW v AS SELECT name FROM p;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
        CREATE TRIGGER watch BEFORE INSERT ON old FOR EACH ROW EXECUTE FUNCTION f();
        INSERT INTO p VALUES (1, 'a', 'ok'), (2, 'b', 'bad'); INSERT INTO c VALUES (1, 1);
        INSERT INTO old VALUES (1), (1), (2)";
    let change = "ALTER TABLE p ALTER id TYPE bigint, ADD COLUMN more text; DROP TABLE old;
        UPDATE p SET more = 'x' WHERE id = 2; INSERT INTO c VALUES (7, 2); CREATE INDEX ON c (p);";
    let pair = PgPair::new(schema, "", change);
    pair.pack(&[]);
    let scratch = pair.prod.server.database("");
    let said = rehearse(&pair.lab, &scratch).ok().json();
    assert_eq!(said["outcome"], "converges", "{said}");
    let modes = |relation: &str| said["locks"][relation].as_array().unwrap();
    assert!(modes("public.p").contains(&"AccessExclusiveLock".into()), "{said}");
    assert!(modes("public.old (dropped)").contains(&"AccessExclusiveLock".into()), "{said}");
    assert!(modes("public.c").contains(&"RowExclusiveLock".into()), "{said}");
    let rewritten = said["rewritten"].as_array().unwrap();
    assert!(rewritten.contains(&"public.p".into()), "{said}");
    assert!(!rewritten.contains(&"public.c".into()), "{said}");
    let left = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public'";
    assert_eq!(scratch.sql(left).trim(), "0");
    // Once more on the same: nothing was left behind.
    assert_eq!(rehearse(&pair.lab, &scratch).ok().json()["outcome"], "converges");

    rehearse(&pair.lab, &pair.prod).fails(4, "is the target of the pack itself");
    rehearse(&pair.lab, &pair.dev).fails(4, "is not empty");
    pair.lab.run(&["rehearse", "change"]).fails(2, "needs a scratch server");
    // What somebody may want is not dropped.
    scratch.sql("CREATE TABLE mine (x int)");
    rehearse(&pair.lab, &scratch).fails(4, "mine");
    assert_eq!(scratch.sql(left).trim(), "1");
}

#[test]
fn a_pack_for_mariadb_is_rehearsed_in_an_empty_database() {
    let schema = "CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20));
        CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id));";
    let rows = "INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 1);";
    let change = "DELETE FROM c; DELETE FROM p WHERE id = 1; UPDATE p SET name = 'c';
        ALTER TABLE p ADD COLUMN more INT NOT NULL DEFAULT 3; CREATE INDEX by_name ON p (name);";
    let server = servers::mariadb();
    let pair = my_packs::Pair::on(&server, &format!("{schema}{rows}"), change);
    pair.pack(&[]).ok();
    let scratch = server.database("CHARACTER SET utf8mb4");
    let said = rehearse(&pair.lab, &scratch).ok().json();
    assert_eq!(said["outcome"], "converges", "{said}");
    assert_eq!(said["locks"], Json::Null);
    assert_eq!(scratch.sql("SHOW TABLES").trim(), "");
    // Once more on the same: nothing was left behind.
    assert_eq!(rehearse(&pair.lab, &scratch).ok().json()["outcome"], "converges");
}
