//! Commands on PostgreSQL, MySQL and MariaDB: what works there, and how what does not is refused.

use crate::lab::Lab;
use crate::servers::{self, Database};

/// Two databases of one engine, the second with a change, as refs `a` and `b`.
fn pair(server: &servers::Server, script: &str, change: &str) -> (Lab, Database, Database) {
    let lab = Lab::new();
    let databases = [server.database(""), server.database("")];
    for (database, name) in databases.iter().zip(["a", "b"]) {
        database.sql(script);
        if name == "b" {
            database.sql(change);
        }
        lab.run(&["snapshot", &database.url(), "--ref", name]).ok();
    }
    let [a, b] = databases;
    (lab, a, b)
}

const ITEMS: &str = "CREATE TABLE item(id int PRIMARY KEY, name varchar(20));
    INSERT INTO item VALUES (1, 'pot'), (2, 'cup');";

const CHANGE: &str = "UPDATE item SET name = 'mug' WHERE id = 2;";

fn both() -> [(servers::Server, &'static str); 2] {
    [(servers::postgres(), "PostgreSQL"), (servers::mariadb(), "MySQL or MariaDB")]
}

#[test]
fn packs_of_rows_converge_and_are_undone() {
    for (server, _) in both() {
        let (lab, a, b) = pair(&server, ITEMS, CHANGE);
        let state = |of: &str| lab.run(&["show", of, "--json"]).ok().json()["state"].clone();
        lab.run(&["pack", "a", "b", "-o", "change", "--allow", "all"]).ok();
        let apply = ["apply", "change", "--to", &a.url()];
        lab.run(&[&apply[..], &["--dry-run"]].concat()).ok();
        lab.run(&["snapshot", &a.url(), "--ref", "dry"]).ok();
        assert_eq!(state("dry"), state("a"), "a dry run changes nothing");
        lab.run(&apply).ok();
        lab.run(&["snapshot", &a.url(), "--ref", "applied"]).ok();
        assert_eq!(state("applied"), state("b"));
        let again = lab.run(&apply).ok();
        assert!(again.stdout.contains("already applied"), "{}", again.stdout);
        lab.run(&[&apply[..], &["--rollback", "--verify-full"]].concat()).ok();
        lab.run(&["snapshot", &a.url(), "--ref", "undone"]).ok();
        assert_eq!(state("undone"), state("a"));
        lab.run(&["apply", "change", "--to", &b.url()]).fails(4, "the pack was made for");
    }
}

#[test]
fn statements_of_a_difference_are_of_the_engine() {
    for (server, product) in both() {
        let (lab, _a, _b) = pair(&server, ITEMS, CHANGE);
        let sql = lab.run(&["diff", "a", "b", "--format", "sql"]);
        let quote = if product == "PostgreSQL" { '"' } else { '`' };
        let update = sql.stdout.lines().find(|line| line.starts_with("UPDATE"));
        assert!(update.is_some_and(|line| line.contains(quote)), "{}", sql.stdout);
        let lines = lab.run(&["diff", "a", "b", "--format", "jsonl"]);
        assert!(lines.stdout.contains("mug") && lines.code == 1, "{}", lines.stdout);
    }
}

#[test]
fn a_schema_that_differs_is_refused_unless_other_tables_are_named() {
    for (server, _) in both() {
        let more = "CREATE TABLE other(id int PRIMARY KEY); ALTER TABLE item ADD COLUMN extra int;";
        let (lab, a, b) = pair(&server, ITEMS, more);
        b.sql("DROP TABLE other");
        lab.run(&["snapshot", &b.url(), "--ref", "b"]).ok();
        let refused = lab.run(&["pack", "a", "b", "-o", "change"]).fails(4, "the schemas differ");
        assert!(refused.stderr.contains("extra"), "{}", refused.stderr);
        assert!(refused.stderr.contains("--tables"), "{}", refused.stderr);
        assert!(!lab.path("change").exists(), "nothing half-written is left");
        for database in [&a, &b] {
            database.sql("CREATE TABLE plain(id int PRIMARY KEY, v int)");
        }
        b.sql("INSERT INTO plain VALUES (1, 2), (2, 3)");
        for (database, name) in [(&a, "a"), (&b, "b")] {
            lab.run(&["snapshot", &database.url(), "--ref", name]).ok();
        }
        let taken = lab.run(&["ls", "a", "--json"]).ok();
        let table = if taken.stdout.contains("public") { "public.plain" } else { "plain" };
        lab.run(&["pack", "a", "b", "-o", "change", "--tables", "nothing"])
            .fails(4, "no such table");
        lab.run(&["pack", "a", "b", "-o", "change", "--tables", table]).ok();
        // The other tables may change meanwhile.
        a.sql("ALTER TABLE item ADD COLUMN later int");
        lab.run(&["apply", "change", "--to", &a.url()]).ok();
        let rows = lab.run(&["snapshot", &a.url(), "--ref", "a"]).ok();
        assert!(rows.stdout.contains("rows"), "{}", rows.stdout);
        a.sql("ALTER TABLE plain ADD COLUMN later int");
        lab.run(&["apply", "change", "--to", &a.url(), "--rollback"]).fails(4, "later");
    }
}

#[test]
fn packs_and_snapshots_stay_with_their_engine() {
    for (server, _) in both() {
        let (lab, _a, b) = pair(&server, ITEMS, CHANGE);
        let before = lab.run(&["show", "b", "--json"]).ok().json()["state"].clone();
        lab.sql("prod.db", "CREATE TABLE item(id INTEGER PRIMARY KEY, name);");
        lab.sql("dev.db", "CREATE TABLE item(id INTEGER PRIMARY KEY, name, more);");
        lab.snapshot("prod.db", "prod");
        lab.snapshot("dev.db", "dev");
        lab.run(&["pack", "prod", "dev", "-o", "change"]).ok();
        for flags in [&["--dry-run"][..], &[], &["--accept-target"]] {
            let url = b.url();
            let apply = [&["apply", "change", "--to", &url][..], flags].concat();
            lab.run(&apply).fails(4, "SQLite");
        }
        lab.run(&["restore", "prod", "--to", &b.url()]).fails(4, "SQLite");
        lab.run(&["restore", "a", "--to", "sqlite:new.db"]).fails(4, "SQLite");
        assert!(!lab.path("new.db").exists(), "nothing half-written is left");
        let taken = lab.run(&["snapshot", &b.url(), "--ref", "b", "--json"]).ok().json();
        assert_eq!(taken["state"], before);
    }
}

#[test]
fn a_snapshot_is_restored_into_an_empty_database_of_its_schema() {
    for (server, _) in both() {
        let (lab, a, _b) = pair(&server, ITEMS, CHANGE);
        lab.run(&["restore", "a", "--to", &a.url()]).fails(4, "rows");
        let empty = server.database("");
        lab.run(&["restore", "a", "--to", &empty.url()]).fails(4, "schema");
        empty.sql(ITEMS);
        empty.sql("DELETE FROM item");
        let restored = lab.run(&["restore", "a", "--to", &empty.url()]).ok();
        assert!(restored.stdout.contains("as in the snapshot"), "{}", restored.stdout);
        let state = |of: &str| lab.run(&["show", of, "--json"]).ok().json()["state"].clone();
        lab.run(&["snapshot", &empty.url(), "--ref", "restored"]).ok();
        assert_eq!(state("restored"), state("a"));
    }
}

#[test]
fn engines_are_not_compared_with_each_other() {
    let lab = Lab::new();
    lab.sql("prod.db", "CREATE TABLE item(id INTEGER PRIMARY KEY);");
    lab.snapshot("prod.db", "sqlite");
    let databases = both().map(|(server, _)| server.database(""));
    for (database, name) in databases.iter().zip(["postgres", "mysql"]) {
        database.sql("CREATE TABLE item(id int PRIMARY KEY);");
        lab.run(&["snapshot", &database.url(), "--ref", name]).ok();
    }
    for (from, to) in [("sqlite", "postgres"), ("postgres", "mysql"), ("mysql", "sqlite")] {
        lab.run(&["diff", from, to]).fails(3, "cannot be compared");
        lab.run(&["pack", from, to, "-o", "change"]).fails(3, "cannot be compared");
        assert!(!lab.path("change").exists());
    }
}

/// What `cat` prints of a row.
fn cat(lab: &Lab, words: &[&str]) -> String {
    lab.run(&[&["cat", "--at", "a"], words].concat()).ok().stdout
}

#[test]
fn cat_finds_rows_of_postgres() {
    let server = servers::postgres();
    let script =
        "CREATE TABLE item(id bigint PRIMARY KEY, name text); INSERT INTO item VALUES (7, 'pot');
        CREATE TABLE word(w text PRIMARY KEY); INSERT INTO word VALUES ('7'), ('NULL');
        CREATE TABLE thing(id uuid PRIMARY KEY, n int);
        INSERT INTO thing VALUES ('11111111-2222-3333-4444-55555555abcd', 1);
        CREATE TABLE rate(day date, tier numeric(4,2), live boolean, PRIMARY KEY (day, tier, live));
        INSERT INTO rate VALUES ('2026-02-28', 1.50, true);
        CREATE SCHEMA other; CREATE TABLE other.item(id int PRIMARY KEY);
        CREATE TABLE other.alone(id int PRIMARY KEY); INSERT INTO other.alone VALUES (-3);";
    let (lab, _a, _b) = pair(&server, script, "SELECT 1;");
    assert_eq!(cat(&lab, &["public.item", "7"]), "id=7  name='pot'\n");
    lab.run(&["cat", "item", "7", "--at", "a"]).fails(2, "public.item");
    assert_eq!(cat(&lab, &["alone", "--", "-3"]), "id=-3\n");
    assert_eq!(cat(&lab, &["other.alone", "--", "-3"]), "id=-3\n");
    assert_eq!(cat(&lab, &["word", "7"]), "w='7'\n");
    assert_eq!(cat(&lab, &["word", "NULL"]), "w='NULL'\n");
    let uuid = "11111111-2222-3333-4444-55555555ABCD";
    assert_eq!(cat(&lab, &["thing", uuid]), format!("id={}  n=1\n", uuid.to_lowercase()));
    lab.run(&["cat", "thing", "11111111-2222-3333-4444-555555550000", "--at", "a"])
        .fails(1, "no row");
    let rate = cat(&lab, &["public.rate", "2026-02-28", "1.50", "true"]);
    assert_eq!(rate, "day=2026-02-28  live=true  tier=1.50\n");
    lab.run(&["cat", "none", "--at", "a"]).fails(2, "other.alone");
    lab.run(&["diff", "a", "b", "--table", "alone"]).ok();
    lab.run(&["diff", "a", "b", "--table", "item"]).fails(2, "several");
}

#[test]
fn cat_finds_rows_of_mysql() {
    let script = "CREATE TABLE item(id bigint unsigned PRIMARY KEY, name varchar(9));
        INSERT INTO item VALUES (7, 'pot'), (18446744073709551615, 'last');
        CREATE TABLE word(w varchar(9) CHARACTER SET utf8mb4 PRIMARY KEY); INSERT INTO word VALUES ('Ab');";
    for server in servers::mysql_servers() {
        let (lab, _a, _b) = pair(&server, script, "SELECT 1;");
        assert_eq!(cat(&lab, &["item", "7"]), "id=7  name='pot'\n");
        let last = cat(&lab, &["item", "18446744073709551615"]);
        assert_eq!(last, "id=18446744073709551615  name='last'\n");
        assert_eq!(cat(&lab, &["word", "Ab"]), "w='Ab'\n");
    }
}

#[test]
fn check_names_every_right_that_is_missing_on_postgres() {
    let server = servers::postgres();
    let database = server.database("");
    let role = format!("checker_{}", database.name);
    let tables: String =
        (0..12).map(|n| format!("CREATE TABLE t{n}(id int PRIMARY KEY);")).collect();
    database.sql(&format!(
        "{tables} CREATE SCHEMA hidden; CREATE TABLE hidden.h(id int);
         CREATE ROLE {role} LOGIN; GRANT SELECT ON t0 TO {role};"
    ));
    let lab = Lab::new();
    let url = database.url().replace("tester@", &format!("{role}@"));
    let refused = lab.run(&["check", &url]).fails(3, "GRANT USAGE ON SCHEMA hidden");
    for n in 1..12 {
        assert!(
            refused.stderr.contains(&format!("missing: table public.t{n}:")),
            "{}",
            refused.stderr
        );
    }
    assert!(!refused.stderr.contains("missing: table public.t0:"), "{}", refused.stderr);
    lab.run(&["snapshot", &url, "--ref", "a"]).fails(3, "GRANT");
    // The grants of docs/sources.md are enough.
    let name = &database.name;
    database.sql(&format!(
        "GRANT CONNECT ON DATABASE {name} TO {role};
         GRANT USAGE ON SCHEMA public, hidden TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public, hidden TO {role};
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, hidden TO {role};"
    ));
    lab.run(&["check", &url]).ok();
    lab.run(&["snapshot", &url, "--ref", "a"]).ok();
    database.sql("ALTER TABLE t0 ENABLE ROW LEVEL SECURITY;");
    lab.run(&["check", &url]).fails(5, "BYPASSRLS");
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role};"));
}

#[test]
fn check_names_every_right_that_is_missing_on_mysql() {
    for server in servers::mysql_servers() {
        let database = server.database("CHARACTER SET utf8mb4");
        let name = &database.name;
        database.sql(&format!(
            "CREATE TABLE seen(id int PRIMARY KEY); CREATE TABLE part(id int PRIMARY KEY, v int);
             CREATE TABLE hidden(id int PRIMARY KEY); CREATE VIEW w AS SELECT id FROM seen;
             CREATE PROCEDURE p() SELECT 1;
             CREATE USER {name}@localhost; GRANT SELECT ON {name}.seen TO {name}@localhost;
             GRANT SELECT (id) ON {name}.part TO {name}@localhost;"
        ));
        let lab = Lab::new();
        let url = database.url().replacen("tester@", &format!("{name}@"), 1);
        let checked = lab.run(&["check", &url]).fails(5, "UNKNOWN table part");
        for unknown in
            ["UNKNOWN table *", "UNKNOWN routine *", "UNKNOWN event *", "UNKNOWN triggers seen"]
        {
            assert!(checked.stdout.contains(unknown), "{unknown}: {}", checked.stdout);
        }
        // The grants of docs/sources.md are enough.
        database.sql(&format!(
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON {name}.* TO {name}@localhost;
             GRANT SELECT ON mysql.proc TO {name}@localhost;"
        ));
        lab.run(&["check", &url]).ok();
        lab.run(&["snapshot", &url, "--ref", "a"]).ok();
        database.sql(&format!("DROP USER {name}@localhost;"));
    }
}
