//! The cases of drift, atomicity and recovery (`R…`) on PostgreSQL, through the binary.

use std::time::{Duration, Instant};

use crate::pg_lab::Pair;
use crate::pg_pack_lab::dump;
use crate::server_lab::{Engine, Proxy, Running, Session, wait_until};

const ROWS: &str = "CREATE TABLE t(id int PRIMARY KEY, v text, b bytea, j json);
    INSERT INTO t VALUES (1, 'a', '\\x00', '{}'), (2, 'b', NULL, NULL), (3, 'c', '\\x01', '1.0'), (4, 'd', NULL, '[1]')";

const CHANGE: &str = "UPDATE t SET v = 'A' WHERE id = 1; UPDATE t SET j = '[2]' WHERE id = 4; DELETE FROM t WHERE id = 2;
    INSERT INTO t VALUES (9, 'n', NULL, NULL);";

fn packed() -> Pair {
    let pair = Pair::new(ROWS, "", CHANGE);
    pair.pack(&[]);
    pair
}

#[test]
fn r01_r02_r03_r05_drift_is_told_and_nothing_is_changed() {
    let pair = packed();
    for (drift, class, count) in [
        ("UPDATE t SET v = 'mine' WHERE id = 1", "changed", 1),
        ("UPDATE t SET b = '\\x09' WHERE id = 1", "changed", 1),
        ("UPDATE t SET j = '{ }' WHERE id = 1", "changed", 1),
        ("UPDATE t SET j = '[1.0]' WHERE id = 4", "changed", 1),
        ("DELETE FROM t WHERE id = 4", "missing", 1),
        ("INSERT INTO t VALUES (9, 'other')", "extra", 1),
        (
            "DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (9, 'n'); UPDATE t SET v = 'A' WHERE id = 1",
            "already-applied",
            3,
        ),
    ] {
        let refused = pair.refused_after(drift, &[]);
        assert_eq!(
            (&refused["outcome"], &refused["drifted"]),
            (&"refused".into(), &count.into()),
            "{drift}: {refused}"
        );
        assert_eq!(refused["drift"][0]["class"], class, "{drift}: {refused}");
    }
    // A row that the pack does not touch is nobody's business.
    let copy = pair.copy();
    copy.sql("UPDATE t SET v = 'theirs' WHERE id = 3");
    pair.apply(&copy, &["--accept-target"]).ok();
}

#[test]
fn r06_r11_twice_and_back_with_later_drift() {
    let pair = packed();
    pair.apply(&pair.prod, &[]).ok();
    let before = dump(&pair.prod);
    let again = pair.apply(&pair.prod, &[]).ok().json();
    assert_eq!((&again["outcome"], &again["statements"]), (&"already_applied".into(), &0.into()));
    pair.prod.sql("UPDATE t SET v = 'later' WHERE id = 9");
    pair.apply(&pair.prod, &["--rollback"]).fails(4, "changed");
    pair.prod.sql("UPDATE t SET v = 'n' WHERE id = 9");
    assert_eq!(dump(&pair.prod), before);
    pair.apply(&pair.prod, &["--rollback"]).ok();
    let again = pair.apply(&pair.prod, &["--rollback"]).ok().json();
    assert_eq!(again["outcome"], "already_applied");
    pair.apply(&pair.prod, &[]).ok();
    assert_eq!(dump(&pair.prod), before);
    let receipts = "SELECT string_agg(direction, ',' ORDER BY id) FROM _deepdiff_receipts";
    assert_eq!(pair.prod.sql(receipts), "migration,rollback,migration\n");
}

#[test]
fn r12_a_pack_that_was_touched_is_refused() {
    let pair = packed();
    for file in ["migration.sql", "rollback.sql", "pack.json"] {
        let path = pair.lab.path("change").join(file);
        let good = std::fs::read(&path).unwrap();
        for at in [0, good.len() / 3, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let output = pair.apply(&pair.prod, &[]);
            assert!(output.code == 3 || output.code == 4, "{file} {at}: {}", output.stderr);
        }
        std::fs::write(&path, &good).unwrap();
    }
    assert_eq!(pair.prod.sql("SELECT v FROM t WHERE id = 1"), "a\n");
}

#[test]
fn r13_wrong_target() {
    let pair = packed();
    let copy = pair.copy();
    pair.apply(&copy, &[]).fails(4, "the pack was made for");
    pair.apply(&pair.dev, &["--accept-target"]).fails(4, "t");
    pair.apply(&copy, &["--accept-target"]).ok();
    assert_eq!(dump(&copy), dump(&pair.dev));
}

#[test]
fn r14_dry_run_reports_as_the_real_one() {
    let pair = packed();
    let dry = pair.apply(&pair.prod, &["--dry-run"]).ok().json();
    let real = pair.apply(&pair.prod, &[]).ok().json();
    assert_eq!((&dry["statements"], &dry["rows"]), (&real["statements"], &real["rows"]));
}

/// A change of some thousand rows, which takes a while.
fn long() -> Pair {
    let schema = "CREATE TABLE t(id int PRIMARY KEY, v text UNIQUE); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 2000) i";
    let pair = Pair::new(
        schema,
        "",
        "UPDATE t SET v = 'w' || id WHERE id % 2 = 0; DELETE FROM t WHERE id % 5 = 0; INSERT INTO t SELECT i, 'n' || i FROM generate_series(10000, 10700) i;",
    );
    pair.pack(&[]);
    pair
}

/// Whether the target is as before or after, and its receipt says the same.
#[track_caller]
fn before_or_after(pair: &Pair, before: &str, after: &str) -> bool {
    let now = dump(&pair.prod);
    let is_applied = now == after;
    assert!(is_applied || now == before, "neither before nor after");
    let has_table =
        pair.prod.sql("SELECT count(*) FROM pg_tables WHERE tablename = '_deepdiff_receipts'")
            == "1\n";
    let direction = if has_table {
        pair.prod.sql("SELECT direction FROM _deepdiff_receipts ORDER BY id DESC LIMIT 1")
    } else {
        String::new()
    };
    assert_eq!(direction == "migration\n", is_applied, "{direction}");
    is_applied
}

/// Whatever runs on the database besides.
const OTHERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

#[test]
fn r07_killed_at_any_moment_the_target_is_before_or_after() {
    let pair = long();
    let (before, after) = (dump(&pair.prod), dump(&pair.dev));
    let url = pair.prod.url();
    let command = || pair.lab.command(&["apply", "change", "--to", &url]);
    let started = Instant::now();
    Running::start(command()).end().ok();
    let whole = started.elapsed();
    pair.apply(&pair.prod, &["--rollback"]).ok();
    let mut ended_early = 0;
    for step in 0..20u32 {
        let mut running = Running::start(command());
        std::thread::sleep(whole * step / 18);
        if step % 2 == 0 {
            running.signal("-KILL");
        } else {
            pair.prod.sql(&format!("SELECT pg_terminate_backend(pid) {OTHERS}"));
        }
        let is_over = !running.is_running();
        let output = running.end();
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
        wait_until("the server to notice", || {
            pair.prod.sql(&format!("SELECT count(*) {OTHERS}")) == "0\n"
        });
        let is_applied = before_or_after(&pair, &before, &after);
        ended_early += u32::from(!is_applied);
        if output.code == 0 {
            assert!(is_applied, "{is_over}");
        }
        pair.apply(&pair.prod, &[]).ok();
        assert!(before_or_after(&pair, &before, &after));
        pair.apply(&pair.prod, &["--rollback"]).ok();
        assert!(!before_or_after(&pair, &before, &after));
    }
    assert!(ended_early >= 5, "{ended_early}");
}

/// A connection that ends anywhere in the answers, those to COMMIT among them.
#[test]
fn r08_the_answer_to_commit_is_lost() {
    let pair = packed();
    let (before, after) = (dump(&pair.prod), dump(&pair.dev));
    let proxy = Proxy::start(&pair.prod.server.port);
    let url = Engine::Postgres.tcp_url("tester", &pair.prod.name, &proxy.port.to_string());
    let apply = |flags: &[&str]| {
        let mut command =
            pair.lab.command(&[&["apply", "change", "--to", &url, "--json"], flags].concat());
        command.env("PGPASSWORD", "tester-password");
        Running::start(command).end()
    };
    // Every time the server says as much: the table of receipts is there, and empty.
    let undo = || {
        pair.apply(&pair.prod, &["--rollback"]).ok();
        pair.prod.sql("TRUNCATE _deepdiff_receipts");
    };
    pair.apply(&pair.prod, &[]).ok();
    undo();
    proxy.cut_after(u64::MAX);
    apply(&[]).ok();
    let total = proxy.answered();
    undo();
    let mut committed_unheard = 0;
    let cuts =
        (0..5).map(|step| total * step / 5).chain((60..=340).step_by(20).map(|back| total - back));
    for cut in cuts {
        proxy.cut_after(cut);
        let output = apply(&[]);
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
        wait_until("the server to notice", || {
            pair.prod.sql(&format!("SELECT count(*) {OTHERS}")) == "0\n"
        });
        let is_applied = before_or_after(&pair, &before, &after);
        match output.code {
            0 => assert!(is_applied),
            3 => committed_unheard += u32::from(is_applied),
            code => panic!("exit {code}: {}", output.stderr),
        }
        proxy.cut_after(u64::MAX);
        let again = apply(&[]).ok().json();
        let wanted = if is_applied { "already_applied" } else { "applied" };
        assert_eq!(again["outcome"], wanted, "cut at {cut} of {total}");
        undo();
    }
    assert!(committed_unheard > 0, "no cut hit the answer to COMMIT");
}

/// Rows that others change just then are met by trying again.
#[test]
fn r09_serialization_failures_are_tried_again() {
    let pair = packed();
    // It holds a row of the pack, and changes it to what it was.
    let holder = Session::hold(&pair.prod, "BEGIN; UPDATE t SET v = v WHERE id = 1;");
    let mut running =
        Running::start(pair.lab.command(&["apply", "change", "--to", &pair.prod.url(), "--json"]));
    wait_until("the apply to wait", || {
        pair.prod.sql(&format!("SELECT count(*) {OTHERS} AND wait_event_type = 'Lock'")) == "1\n"
    });
    assert!(running.is_running());
    pair.prod.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%SET v = v%' AND datname = current_database()");
    drop(holder);
    let output = running.end().ok();
    assert_eq!(output.json()["outcome"], "applied");
    // One that commits meanwhile is a serialisation failure, and then drift.
    pair.apply(&pair.prod, &["--rollback"]).ok();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let writer = std::thread::scope(|scope| {
        let database = &pair.prod;
        let stops = &stop;
        let writer = scope.spawn(move || {
            let mut rounds = 0;
            while !stops.load(std::sync::atomic::Ordering::Relaxed) {
                database.sql("UPDATE t SET v = v WHERE id = 1");
                rounds += 1;
            }
            rounds
        });
        for _ in 0..5 {
            let output = pair.apply(&pair.prod, &[]);
            assert!(
                output.code == 0 || output.stderr.contains("another transaction"),
                "{}",
                output.stderr
            );
            if output.code == 0 {
                pair.apply(&pair.prod, &["--rollback"]);
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(writer > 0);
}

#[test]
fn r10_a_table_that_others_lock() {
    let pair = packed();
    for lock in [
        "LOCK TABLE t IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE t IN SHARE MODE",
        "UPDATE t SET v = 'held' WHERE id = 1",
    ] {
        let holder = Session::hold(&pair.prod, &format!("BEGIN; {lock};"));
        let started = Instant::now();
        let output = pair.apply(&pair.prod, &[]);
        assert_eq!(output.code, 3, "{lock}: {}\n{}", output.stdout, output.stderr);
        assert!(output.stderr.contains("lock"), "{}", output.stderr);
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        pair.prod.sql(&format!("SELECT pg_terminate_backend(pid) {OTHERS}"));
        drop(holder);
        assert_eq!(pair.prod.sql("SELECT v FROM t WHERE id = 1"), "a\n");
    }
    pair.apply(&pair.prod, &[]).ok();
}

/// Two at once: one of them applies, the other finds it done.
#[test]
fn two_applies_at_once_are_one() {
    let pair = long();
    let url = pair.prod.url();
    let start = || Running::start(pair.lab.command(&["apply", "change", "--to", &url, "--json"]));
    let both = [start(), start()].map(|running| running.end().ok().json()["outcome"].clone());
    assert!(
        both.contains(&"applied".into()) && both.contains(&"already_applied".into()),
        "{both:?}"
    );
    assert_eq!(dump(&pair.prod), dump(&pair.dev));
}
