//! Packs in two parts on PostgreSQL (`pack --online`): a transaction, and after it what locks less.

use crate::pg_lab::Pair;
use crate::server_lab::Session;

const BASE: &str = "CREATE TABLE p(id int PRIMARY KEY, name text);
    CREATE TABLE c(id int PRIMARY KEY, p int, n int, t text);
    CREATE TABLE m(id int, v int) PARTITION BY RANGE (id);
    CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10);
    INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 1, 1, 'x'), (2, 2, 2, 'y'); INSERT INTO m VALUES (1, 1)";

const CHANGE: &str = "ALTER TABLE c ADD COLUMN more text DEFAULT 'm', ADD CONSTRAINT positive CHECK (n > 0),
        ADD CONSTRAINT to_p FOREIGN KEY (p) REFERENCES p;
    CREATE UNIQUE INDEX c_n ON c (n); CREATE INDEX \"c T\" ON c (lower(t)) WHERE n > 0; COMMENT ON INDEX c_n IS 'numbers';
    CREATE INDEX m_v ON m (v); CREATE TABLE fresh(id int PRIMARY KEY, v int UNIQUE CHECK (v > 0));
    CREATE INDEX ON fresh (v); ALTER TABLE fresh ADD FOREIGN KEY (id) REFERENCES p;
    INSERT INTO fresh VALUES (1, 1); UPDATE c SET t = 'z' WHERE id = 1; INSERT INTO c VALUES (3, 1, 3, 'n')";

fn pair() -> Pair {
    let pair = Pair::new(BASE, "", CHANGE);
    pair.state(&pair.prod, "prod");
    pair.state(&pair.dev, "dev");
    pair.lab.run(&["pack", "prod", "dev", "-o", "change", "--online", "--allow", "all"]).ok();
    pair
}

impl Pair {
    fn run(&self, pack: &str, more: &[&str]) -> crate::lab::Output {
        self.lab.run(&[&["apply", pack, "--to", &self.prod.url(), "--json"], more].concat())
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.lab.path(name)).unwrap()
    }
}

/// Leaves an index that is not valid.
fn half_made(pair: &Pair, statement: &str) {
    let made = pair.prod.server.try_run(&pair.prod.name, statement);
    assert!(!made.status.success(), "{made:?}");
}

#[test]
fn what_can_wait_is_a_pack_of_its_own_there_and_back() {
    let pair = pair();
    let (first, online) =
        (pair.file("change/migration.sql"), pair.file("change.online/migration.sql"));
    for words in
        ["CHECK ((n > 0)) NOT VALID", "REFERENCES \"public\".\"p\"", "CREATE INDEX \"m_v\""]
    {
        assert!(first.contains(words), "{words} in {first}");
    }
    assert!(!first.contains("c_n") && !first.contains("c T"), "{first}");
    for words in [
        "CREATE UNIQUE INDEX CONCURRENTLY \"c_n\"",
        "CREATE INDEX CONCURRENTLY \"c T\"",
        "VALIDATE CONSTRAINT \"positive\"",
        "VALIDATE CONSTRAINT \"to_p\"",
        "COMMENT ON INDEX",
    ] {
        assert!(online.contains(words), "{words} in {online}");
    }
    let told = pair.file("change.online/summary.md");
    assert!(!told.contains("SHARE\n") && told.contains("SHARE UPDATE EXCLUSIVE"), "{told}");
    let back = pair.file("change.online/rollback.sql");
    assert!(back.contains("DROP INDEX CONCURRENTLY"), "{back}");

    pair.run("change.online", &[]).fails(4, "apply the first one before it");
    pair.run("change", &["--verify-full"]).ok();
    let between = pair.state(&pair.prod, "between");
    assert_eq!(pair.run("change.online", &["--dry-run"]).ok().json()["outcome"], "checked");
    assert_eq!(pair.state(&pair.prod, "now"), between);
    let said = pair.run("change.online", &["--verify-full"]).ok().json();
    assert_eq!(said["outcome"], "applied", "{said}");
    assert_eq!(pair.state(&pair.prod, "now"), pair.state(&pair.dev, "dev"));
    assert_eq!(pair.run("change.online", &[]).ok().json()["outcome"], "already_applied");

    pair.run("change", &["--rollback"]).fails(4, "is new");
    pair.run("change.online", &["--rollback"]).ok();
    assert_eq!(pair.state(&pair.prod, "now"), between);
    pair.run("change", &["--rollback"]).ok();
    let prod = pair.lab.run(&["show", "prod", "--json"]).ok().json();
    assert_eq!(pair.state(&pair.prod, "now"), prod["state"].as_str().unwrap());
}

#[test]
fn a_run_that_stops_in_the_middle_is_gone_on_with_or_taken_back() {
    let pair = pair();
    pair.run("change", &[]).ok();
    let between = pair.state(&pair.prod, "between");
    // Somebody writes what no unique index takes.
    pair.prod.sql("INSERT INTO c VALUES (9, 1, 1, 'twice')");
    let said = pair.run("change.online", &[]);
    let said = said.fails(5, "c_n").json();
    assert_eq!(said["outcome"], "unfinished", "{said}");
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!(pair.prod.sql(invalid).trim(), "0", "{said}");
    // What another program left behind is no obstacle either.
    half_made(&pair, "CREATE UNIQUE INDEX CONCURRENTLY c_n ON c (n)");
    assert_eq!(pair.prod.sql(invalid).trim(), "1");
    pair.prod.sql("DELETE FROM c WHERE id = 9");
    let said = pair.run("change.online", &[]).ok().json();
    assert_eq!(said["outcome"], "applied", "{said}");
    assert_eq!(pair.state(&pair.prod, "now"), pair.state(&pair.dev, "dev"));

    // From any place back: some are done, one is half done.
    pair.run("change.online", &["--rollback"]).ok();
    pair.prod.sql("CREATE INDEX \"c T\" ON c (lower(t)) WHERE n > 0; ALTER TABLE c VALIDATE CONSTRAINT positive");
    pair.prod.sql("INSERT INTO c VALUES (9, 1, 1, 'twice')");
    half_made(&pair, "CREATE UNIQUE INDEX CONCURRENTLY c_n ON c (n)");
    pair.prod.sql("DELETE FROM c WHERE id = 9");
    pair.run("change.online", &[]).ok();
    pair.prod.sql("DROP INDEX \"c T\"");
    pair.run("change.online", &["--rollback"]).ok();
    assert_eq!(pair.state(&pair.prod, "now"), between);
    // Somebody else's change is named.
    pair.prod.sql("CREATE INDEX c_n ON c (id)");
    pair.run("change.online", &[]).fails(4, "index public.c_n");
}

#[test]
fn writers_go_on_while_it_runs() {
    let pair = pair();
    pair.run("change", &[]).ok();
    // A transaction that has written keeps its lock all the while; CREATE INDEX would wait for it.
    let writer = Session::hold(&pair.prod, "BEGIN; UPDATE c SET n = n WHERE id = 2;");
    let apply = std::thread::scope(|scope| {
        let running = scope.spawn(|| pair.run("change.online", &[]));
        std::thread::sleep(std::time::Duration::from_millis(700));
        // While it waits for that transaction, others write.
        pair.prod.sql("SET lock_timeout = '2s'; UPDATE c SET t = t || '' WHERE id = 1");
        drop(writer);
        running.join().unwrap()
    });
    assert_eq!(apply.ok().json()["outcome"], "applied");
}

#[test]
fn nothing_waits_where_nothing_can_or_another_engine_runs() {
    let pair = Pair::new("CREATE TABLE t(id int PRIMARY KEY)", "", "ALTER TABLE t ADD a int");
    pair.state(&pair.prod, "prod");
    pair.state(&pair.dev, "dev");
    let said = pair.lab.run(&["pack", "prod", "dev", "-o", "change", "--online"]).ok();
    assert!(said.stdout.contains("there is no second pack"), "{}", said.stdout);
    assert!(!pair.lab.path("change.online").exists());
    let lab = crate::lab::Lab::new();
    lab.sql("a.db", "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    lab.sql("b.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); CREATE INDEX i ON t(a)");
    lab.run(&["pack", "a.db", "b.db", "-o", "change", "--online"]).fails(4, "--online");
    // What is left out of the first would be missing under the second.
    let pair = Pair::new(BASE, "CREATE TABLE old(x int)", CHANGE);
    pair.state(&pair.prod, "prod");
    pair.state(&pair.dev, "dev");
    pair.lab.run(&["pack", "prod", "dev", "-o", "change", "--online"]).fails(4, "left out");
    assert!(!pair.lab.path("change").exists() && !pair.lab.path("change.online").exists());
}

#[test]
fn one_run_is_at_work_at_a_time() {
    let pair = pair();
    pair.run("change", &[]).ok();
    let take = "DO $$BEGIN PERFORM pg_advisory_lock(hashtextextended('deepdiff-db', 0)); END$$";
    let other = Session::hold(&pair.prod, take);
    let before = pair.state(&pair.prod, "before");
    pair.run("change.online", &[]).fails(3, "another run of this program");
    assert_eq!(pair.state(&pair.prod, "now"), before);
    drop(other);
    // The server lets go when it sees that the client is gone.
    pair.prod.sql(take);
    pair.run("change.online", &[]).ok();
}

#[test]
fn names_and_decisions_are_the_first_packs() {
    let base = "CREATE TABLE t(id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)";
    let change =
        "ALTER TABLE t RENAME a TO b; UPDATE t SET b = 5 WHERE id = 2; CREATE INDEX i ON t (b)";
    let pair = Pair::new(base, "", change);
    let before = pair.state(&pair.prod, "prod");
    let after = pair.state(&pair.dev, "dev");
    let pack = ["pack", "prod", "dev", "-o", "change", "--online", "--rename", "public.t.a=b"];
    let manual = [&pack[..], &["--strategy", "manual"]].concat();
    pair.lab.run(&manual).fails(5, "to be decided");
    let file = pair.lab.path("change.decisions.toml");
    let asked = std::fs::read_to_string(&file).unwrap();
    let decided = asked.replace("take = \"\"", "take = \"theirs\"");
    assert_ne!(asked, decided, "{asked}");
    std::fs::write(&file, decided).unwrap();
    let file = file.to_str().unwrap();
    pair.lab.run(&[&manual[..], &["--decisions", file]].concat()).ok();
    pair.run("change", &[]).ok();
    pair.run("change.online", &["--verify-full"]).ok();
    assert_eq!(pair.state(&pair.prod, "now"), after);
    pair.run("change.online", &["--rollback"]).ok();
    pair.run("change", &["--rollback"]).ok();
    assert_eq!(pair.state(&pair.prod, "now"), before);
}
