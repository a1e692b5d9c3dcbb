//! Masks on PostgreSQL, MySQL and MariaDB, through the binary.

use crate::lab::Lab;
use crate::servers::{self, Database, Server};

const TABLE: &str =
    "CREATE TABLE person(id int PRIMARY KEY, name varchar(20), ssn varchar(20), age int);
    INSERT INTO person VALUES (1,'ann','secret-111',30), (2,'bob','secret-222',40);";

fn lab(mask: &str) -> Lab {
    let lab = Lab::new();
    std::fs::write(lab.path("deepdiff.toml"), format!("mask = [{mask}]\n")).unwrap();
    lab
}

fn pair(server: &Server, base: &str, change: &str) -> [Database; 2] {
    let databases = [server.database(""), server.database("")];
    databases.iter().for_each(|database| drop(database.sql(base)));
    databases[1].sql(change);
    databases
}

fn every() -> Vec<Server> {
    servers::postgres_servers().into_iter().chain(servers::mysql_servers()).collect()
}

fn both() -> [Server; 2] {
    [servers::postgres(), servers::mariadb()]
}

#[test]
fn masked_values_stay_in_the_database() {
    for server in every() {
        let change = "UPDATE person SET age = 41, ssn = 'secret-other' WHERE id = 2;
            INSERT INTO person VALUES (3,'cyd','secret-333',50);";
        let [a, b] = pair(&server, TABLE, change);
        let lab = lab("'person.ssn'");
        let before = lab.snapshot(&a.url(), "a");
        let after = lab.snapshot(&b.url(), "b");
        assert_eq!(
            Lab::counts(
                &lab.diff("a", "b"),
                if a.url().starts_with("my") { "person" } else { "public.person" }
            ),
            (1, 0, 1)
        );
        lab.run(&["pack", "a", "b", "-o", "change"]).ok();
        for folder in [".deepdiff", "change"] {
            for entry in walkdir::WalkDir::new(lab.path(folder)) {
                let entry = entry.unwrap();
                if entry.file_type().is_file() {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    assert!(!bytes.windows(6).any(|window| window == b"secret"));
                }
            }
        }
        let url = a.url();
        let apply = ["apply", "change", "--to", &url];
        lab.run(&apply).ok();
        assert_eq!(lab.snapshot(&url, "now"), after);
        let held = a.sql("SELECT ssn FROM person WHERE id = 2");
        assert!(held.contains("secret-222"), "{held}");
        lab.run(&[&apply[..], &["--rollback"]].concat()).ok();
        assert_eq!(lab.snapshot(&url, "now"), before);
        let held = a.sql("SELECT count(*) FROM person WHERE ssn LIKE 'secret-%'");
        assert!(held.contains('2'), "{held}");
    }
}

#[test]
fn what_would_lose_masked_values_is_refused() {
    for server in both() {
        for (change, word) in [
            ("DELETE FROM person WHERE id = 2", "masked column ssn"),
            ("UPDATE person SET id = 7 WHERE id = 2", "masked column ssn"),
            ("ALTER TABLE person DROP COLUMN ssn", "person.ssn"),
            ("DROP TABLE person", "is dropped"),
        ] {
            let [a, b] = pair(&server, TABLE, change);
            let lab = lab("'person.ssn'");
            lab.snapshot(&a.url(), "a");
            lab.snapshot(&b.url(), "b");
            lab.run(&["pack", "a", "b", "-o", "change", "--allow", "all"]).fails(4, word);
        }
        let strict = TABLE.replace("ssn varchar(20)", "ssn varchar(20) NOT NULL");
        let [a, b] = pair(&server, &strict, "INSERT INTO person VALUES (3,'cyd','s',50)");
        let lab = lab("'*.ssn'");
        lab.snapshot(&a.url(), "a");
        lab.snapshot(&b.url(), "b");
        lab.run(&["pack", "a", "b", "-o", "change"]).fails(4, "person.ssn");
    }
}

/// `ON UPDATE CURRENT_TIMESTAMP`: no statement names the column, and it changes all the same.
#[test]
fn a_masked_column_that_changes_by_itself_is_no_bystander() {
    let table = "CREATE TABLE t(id int PRIMARY KEY, n int,
        at timestamp NULL DEFAULT NULL ON UPDATE current_timestamp);
        INSERT INTO t VALUES (1, 1, '2020-01-01 00:00:00');";
    let [a, b] = pair(&servers::mariadb(), table, "UPDATE t SET n = 2 WHERE id = 1");
    let lab = lab("'t.at'");
    lab.snapshot(&a.url(), "a");
    lab.snapshot(&b.url(), "b");
    lab.run(&["pack", "a", "b", "-o", "change"]).fails(4, "t.at");
}

#[test]
fn a_schema_changes_around_masked_values() {
    for server in both() {
        let change = "ALTER TABLE person ADD COLUMN more int NOT NULL DEFAULT 5;
            ALTER TABLE person DROP COLUMN name; UPDATE person SET age = 99 WHERE id = 1;";
        let [a, b] = pair(&server, TABLE, change);
        let lab = lab("'person.ssn'");
        let before = lab.snapshot(&a.url(), "a");
        let after = lab.snapshot(&b.url(), "b");
        lab.run(&["pack", "a", "b", "-o", "change", "--allow", "all"]).ok();
        let url = a.url();
        let apply = ["apply", "change", "--to", &url];
        lab.run(&apply).ok();
        assert_eq!(lab.snapshot(&url, "now"), after);
        lab.run(&[&apply[..], &["--rollback"]].concat()).ok();
        assert_eq!(lab.snapshot(&url, "now"), before);
        let held = a.sql("SELECT count(*) FROM person WHERE ssn LIKE 'secret-%'");
        assert!(held.contains('2'), "{held}");
    }
}

/// On PostgreSQL an account needs no right on what is masked.
#[test]
fn column_grants_suffice_on_postgres() {
    for server in servers::postgres_servers() {
        let database = server.database("");
        database.sql(TABLE);
        let lab = lab("'person.ssn'");
        let whole = lab.snapshot(&database.url(), "whole");
        let role = format!("mask_{}", &blake3::hash(database.url().as_bytes()).to_hex()[..12]);
        database.sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA public TO {role};
             GRANT SELECT (id, name, age) ON person TO {role};"
        ));
        let url = database.url().replacen("tester", &role, 1);
        let taken = lab.run(&["snapshot", &url, "--ref", "part", "--json", "--jobs", "2"]);
        let diff = lab.run(&["diff", "whole", "part", "--data"]);
        let plain = Lab::new();
        let refused = plain.run(&["snapshot", &url, "--ref", "part"]);
        database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role};"));
        let taken = taken.ok().json();
        assert!(!taken["not_captured"].to_string().contains("is_unknown\":true"), "{taken}");
        // Grants are facts: the states differ in them, and in no row.
        assert_eq!(diff.code, 0, "{}{}", diff.stdout, diff.stderr);
        assert!(!whole.is_empty());
        refused.fails(3, "ssn");
    }
}
