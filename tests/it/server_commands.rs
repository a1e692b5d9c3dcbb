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
fn a_schema_that_differs_is_packed_or_left_alone() {
    for (server, _) in both() {
        let more = "CREATE TABLE other(id int PRIMARY KEY); ALTER TABLE item ADD COLUMN extra int;";
        let (lab, a, b) = pair(&server, ITEMS, more);
        b.sql("DROP TABLE other");
        lab.run(&["snapshot", &b.url(), "--ref", "b"]).ok();
        let state = |name: &str| lab.run(&["show", name, "--json"]).ok().json()["state"].clone();
        lab.run(&["pack", "a", "b", "-o", "whole", "--allow", "all"]).ok();
        for (flags, name) in [(&[][..], "b"), (&["--rollback"], "a")] {
            let apply = ["apply", "whole", "--to", &a.url(), "--verify-full"];
            lab.run(&[&apply[..], flags].concat()).ok();
            lab.run(&["snapshot", &a.url(), "--ref", "applied"]).ok();
            assert_eq!(state("applied"), state(name));
        }
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

/// What one side did not look at was neither created nor dropped, whatever kind it is of.
#[test]
fn what_one_side_did_not_look_at_is_not_compared() {
    let database = servers::postgres().database("");
    database.sql(
        "CREATE TABLE kept(id int PRIMARY KEY); CREATE SCHEMA other;
         CREATE TABLE other.t(id serial PRIMARY KEY, v text); CREATE INDEX by_v ON other.t(v);
         CREATE FUNCTION other.f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE TYPE other.mood AS ENUM ('sad'); CREATE VIEW other.w AS SELECT 1 AS one;
         COMMENT ON SCHEMA other IS 'another'; CREATE PUBLICATION news FOR TABLE kept;
         CREATE TABLE left_out(id serial PRIMARY KEY, v text); CREATE INDEX by_v ON left_out(v);
         COMMENT ON INDEX by_v IS 'words';",
    );
    let lab = Lab::new();
    let url = database.url();
    let chosen = format!("{url}&schema=public");
    lab.run(&["snapshot", &url, "--ref", "whole"]).ok();
    lab.run(&["snapshot", &chosen, "--ref", "chosen"]).ok();
    std::fs::write(lab.path("deepdiff.toml"), "exclude = ['left_out']\n").unwrap();
    lab.run(&["snapshot", &url, "--ref", "part"]).ok();
    for (from, to, said) in [
        ("whole", "chosen", "schema other is not compared: on the right, it is not among"),
        ("chosen", "whole", "objects of the whole database"),
        ("whole", "part", "table public.left_out is not compared: on the right, left out"),
        ("part", "whole", "table public.left_out is not compared: on the left, left out"),
    ] {
        let diff = lab.run(&["diff", from, to, "--json"]).fails(5, said).json();
        assert_eq!(diff["schema"], serde_json::json!([]), "{diff}");
        assert_eq!(diff["tables"], serde_json::json!([]), "{diff}");
    }
    // What both looked at is told.
    database.sql("ALTER TABLE kept ADD v int;");
    lab.run(&["snapshot", &chosen, "--ref", "chosen"]).ok();
    let diff = lab.run(&["diff", "whole", "chosen", "--json"]).json();
    let names: Vec<_> = diff["schema"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["public.kept.v"], "{diff}");
}

#[test]
fn routines_that_one_account_is_not_shown_are_not_dropped() {
    for server in servers::mysql_servers() {
        let database = server.database("CHARACTER SET utf8mb4");
        let name = &database.name;
        database.sql(&format!(
            "CREATE TABLE seen(id int PRIMARY KEY); CREATE TABLE hidden(id int PRIMARY KEY, v int);
             CREATE INDEX by_v ON hidden(v); CREATE PROCEDURE p() SELECT 1;
             CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1;
             CREATE TRIGGER g BEFORE INSERT ON seen FOR EACH ROW SET new.id = new.id;
             CREATE USER {name}@localhost; GRANT SELECT ON {name}.seen TO {name}@localhost;"
        ));
        let lab = Lab::new();
        let url = database.url();
        let partly = url.replacen("tester@", &format!("{name}@"), 1);
        lab.run(&["snapshot", &url, "--ref", "whole"]).ok();
        lab.run(&["snapshot", &partly, "--ref", "part"]).ok();
        for (from, to) in [("whole", "part"), ("part", "whole")] {
            let diff = lab.run(&["diff", from, to, "--json"]).fails(5, "is not compared").json();
            assert_eq!(diff["schema"], serde_json::json!([]), "{}: {diff}", server.name);
            assert_eq!(diff["tables"], serde_json::json!([]), "{}: {diff}", server.name);
        }
        database.sql(&format!("DROP USER {name}@localhost;"));
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
        CREATE TABLE at(k timestamptz PRIMARY KEY);
        INSERT INTO at VALUES ('2026-02-28 01:02:03.5+00'), ('infinity');
        CREATE TABLE local(k timestamp PRIMARY KEY); INSERT INTO local VALUES ('2026-02-28 01:02:03');
        CREATE TABLE hour(k time PRIMARY KEY); INSERT INTO hour VALUES ('24:00');
        CREATE TABLE zoned(k timetz PRIMARY KEY); INSERT INTO zoned VALUES ('01:02:03+05:30');
        CREATE TABLE span(k interval PRIMARY KEY); INSERT INTO span VALUES ('1 mon -2 days 3 s');
        CREATE TABLE short(k real PRIMARY KEY); INSERT INTO short VALUES (0.1);
        CREATE TABLE long(k float8 PRIMARY KEY); INSERT INTO long VALUES ('NaN');
        CREATE TABLE exact(k numeric PRIMARY KEY); INSERT INTO exact VALUES ('NaN');
        CREATE TABLE doc(k jsonb PRIMARY KEY); INSERT INTO doc VALUES ('{\"a\": 1}');
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
    for (table, word, shown) in [
        ("at", "2026-02-28 01:02:03.5+00", "2026-02-28 01:02:03.500000Z"),
        ("at", "2026-02-28 01:02:03.500000Z", "2026-02-28 01:02:03.500000Z"),
        ("at", "infinity", "infinity"),
        ("local", "2026-02-28T01:02:03", "2026-02-28 01:02:03"),
        ("hour", "24:00:00", "24:00:00"),
        ("zoned", "01:02:03+05:30", "01:02:03+05:30:00"),
        ("span", "1 mon -2 days 00:00:03", "1 months -2 days 3000000 us"),
        ("short", "0.1", "0.1"),
        ("long", "NaN", "NaN"),
        ("exact", "NaN", "NaN"),
        ("doc", r#"{"a": 1}"#, r#"'{"a": 1}'"#),
    ] {
        let cat = cat(&lab, &["--", table, word]);
        assert_eq!(cat, format!("k={shown}\n"), "{table} {word}");
    }
    lab.run(&["cat", "none", "--at", "a"]).fails(2, "other.alone");
    lab.run(&["diff", "a", "b", "--table", "alone"]).ok();
    lab.run(&["diff", "a", "b", "--table", "item"]).fails(2, "several");
}

#[test]
fn cat_finds_rows_of_mysql() {
    let script = "CREATE TABLE item(id bigint unsigned PRIMARY KEY, name varchar(9));
        INSERT INTO item VALUES (7, 'pot'), (18446744073709551615, 'last');
        CREATE TABLE word(w varchar(9) CHARACTER SET utf8mb4 PRIMARY KEY); INSERT INTO word VALUES ('Ab');
        CREATE TABLE at(k timestamp(3) PRIMARY KEY, d date, t time);
        SET time_zone = '+00:00'; INSERT INTO at VALUES ('2026-02-28 01:02:03.5', NULL, NULL);
        CREATE TABLE day(k date, t time, PRIMARY KEY(k, t));
        INSERT INTO day VALUES ('2026-02-28', '-838:59:59');
        CREATE TABLE f(k float PRIMARY KEY); INSERT INTO f VALUES (0.1);
        CREATE TABLE latin(k varchar(9) CHARACTER SET latin1 PRIMARY KEY); INSERT INTO latin VALUES ('Ab');
        CREATE TABLE e(k enum('a','b') PRIMARY KEY); INSERT INTO e VALUES ('b');";
    for server in servers::mysql_servers() {
        let (lab, _a, _b) = pair(&server, script, "SELECT 1;");
        assert_eq!(cat(&lab, &["item", "7"]), "id=7  name='pot'\n");
        let last = cat(&lab, &["item", "18446744073709551615"]);
        assert_eq!(last, "id=18446744073709551615  name='last'\n");
        assert_eq!(cat(&lab, &["word", "Ab"]), "w='Ab'\n");
        let at = cat(&lab, &["at", "2026-02-28 01:02:03.5"]);
        assert_eq!(at, "d=NULL  k=2026-02-28 01:02:03.500000Z  t=NULL\n");
        let day = cat(&lab, &["--", "day", "2026-02-28", "-838:59:59"]);
        assert_eq!(day, "k=2026-02-28  t=-838:59:59\n");
        assert_eq!(cat(&lab, &["f", "0.1"]), "k=0.1\n");
        assert_eq!(cat(&lab, &["latin", "Ab"]), "k=latin1 x'4162'\n");
        assert_eq!(cat(&lab, &["e", "b"]), "k='b'\n");
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
        let has_proc = database.sql("SHOW TABLES FROM mysql LIKE 'proc';").contains("proc");
        let routines = if has_proc { "SELECT ON mysql.proc" } else { "SHOW_ROUTINE ON *.*" };
        database.sql(&format!(
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON {name}.* TO {name}@localhost;
             GRANT {routines} TO {name}@localhost;"
        ));
        lab.run(&["check", &url]).ok();
        lab.run(&["snapshot", &url, "--ref", "a"]).ok();
        database.sql(&format!("DROP USER {name}@localhost;"));
    }
}
