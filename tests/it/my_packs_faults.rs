//! Drift, atomicity and recovery of packs on MySQL and MariaDB (`r…`), through the binary.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::my_packs::{Pair, pairs};
use crate::server_lab::{Proxy, Running, Session, wait_until};
use crate::servers::PrivateServer;

const ROWS: &str = "CREATE TABLE t(id int PRIMARY KEY, v varchar(20) COLLATE utf8mb4_general_ci, w int, f float, b mediumblob);
    INSERT INTO t VALUES (1,'x',1,0.1,'b'),(2,'y',2,0.2,NULL),(3,'z',3,-0.3,''),(4,'q',4,NULL,REPEAT('b',9000));";

const CHANGE: &str = "UPDATE t SET v = 'changed' WHERE id IN (1,4); DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (9,'new',9,9,NULL);";

fn packed() -> Vec<Pair> {
    let pairs = pairs(ROWS, CHANGE);
    pairs.iter().for_each(|pair| {
        pair.pack(&[]).ok();
    });
    pairs
}

/// Applying is refused for this reason, and what is there stays.
#[track_caller]
fn assert_refused(pair: &Pair, drift: &str, word: &str) {
    pair.prod(drift);
    let before = pair.now();
    pair.apply(&[]).fails(4, word);
    assert_eq!(pair.now(), before, "{drift}");
}

#[test]
fn r01_to_r04_drift() {
    for (drift, word) in [
        ("UPDATE t SET v = 'other' WHERE id = 1;", "t (1)"),
        ("UPDATE t SET w = 100 WHERE id = 1;", "t (1)"),
        ("UPDATE t SET v = 'X' WHERE id = 1;", "t (1)"),
        ("UPDATE t SET v = 'x ' WHERE id = 1;", "t (1)"),
        ("UPDATE t SET f = 0.10000001 WHERE id = 1;", "t (1)"),
        ("UPDATE t SET b = 'B' WHERE id = 1;", "t (1)"),
        ("UPDATE t SET b = CONCAT(REPEAT('b',8999), 'c') WHERE id = 4;", "t (4)"),
        ("DELETE FROM t WHERE id = 1;", "t (1)"),
        ("INSERT INTO t(id) VALUES (9);", "t (9)"),
        ("UPDATE t SET w = 7 WHERE id = 2;", "t (2)"),
    ] {
        for pair in packed() {
            assert_refused(&pair, drift, word);
        }
    }
}

#[test]
fn r05_large_values_match_and_drift() {
    let large = "CREATE TABLE t(id int PRIMARY KEY, b longblob, c longtext); INSERT INTO t VALUES (1,REPEAT('b',5000000),REPEAT('é',2500000)),(2,'x','y');";
    let change = "UPDATE t SET b = CONCAT(b, 'x'), c = CONCAT('x', c) WHERE id = 1; UPDATE t SET b = REPEAT(x'00ff5c27', 1000000) WHERE id = 2;";
    for pair in pairs(large, change) {
        pair.converges();
    }
    for pair in pairs(large, change) {
        pair.pack(&[]).ok();
        assert_refused(
            &pair,
            "UPDATE t SET b = CONCAT(REPEAT('b',4999999), 'B') WHERE id = 1;",
            "t (1)",
        );
    }
}

#[test]
fn r06_apply_twice_and_p39_what_is_there_already() {
    for pair in packed() {
        pair.apply(&[]).ok();
        let done = pair.now();
        assert_eq!(done, pair.of("b"));
        let again = pair.apply(&[]).ok();
        assert!(again.stdout.contains("already applied"), "{}", again.stdout);
        pair.apply(&["--rollback"]).ok();
        let again = pair.apply(&["--rollback"]).ok();
        assert!(again.stdout.contains("already"), "{}", again.stdout);
        pair.apply(&[]).ok();
        assert_eq!(pair.now(), done);
        // Somebody else made the same changes.
        pair.prod("DELETE FROM _deepdiff_receipts;");
        pair.apply(&[]).fails(4, "already");
        assert_eq!(pair.now(), done);
    }
}

#[test]
fn r11_inverse_with_and_without_later_drift() {
    for pair in packed() {
        pair.apply(&[]).ok();
        pair.prod("UPDATE t SET w = 55 WHERE id = 3;");
        pair.apply(&["--rollback"]).ok();
        assert_eq!(pair.prod("SELECT id, w FROM t ORDER BY id;"), "1\t1\n2\t2\n3\t55\n4\t4\n");
    }
    for pair in packed() {
        pair.apply(&[]).ok();
        pair.prod("UPDATE t SET w = 55 WHERE id = 1;");
        let before = pair.now();
        pair.apply(&["--rollback"]).fails(4, "t (1)");
        assert_eq!(pair.now(), before);
    }
}

#[test]
fn r12_a_flipped_byte_and_r13_another_target() {
    for pair in packed() {
        for name in ["migration.sql", "rollback.sql", "pack.json"] {
            let path = pair.lab.path("change").join(name);
            let whole = std::fs::read(&path).unwrap();
            for place in [whole.len() / 3, whole.len() / 2, whole.len() - 2] {
                let mut bytes = whole.clone();
                bytes[place] ^= 1;
                std::fs::write(&path, &bytes).unwrap();
                let refused = pair.apply(&[]);
                assert!([3, 4].contains(&refused.code), "{name}: {}", refused.stderr);
            }
            std::fs::write(&path, &whole).unwrap();
        }
        assert_eq!(pair.now(), pair.of("a"));
        pair.lab.run(&["apply", "change", "--to", &pair.b.url()]).fails(4, "made for");
    }
}

#[test]
fn r14_a_dry_run_runs_everything_and_leaves_nothing() {
    for pair in packed() {
        let dry = pair.apply(&["--dry-run", "--verify-full"]).ok();
        assert!(dry.stdout.contains("4") || dry.stdout.contains("rolled back"), "{}", dry.stdout);
        assert_eq!(pair.now(), pair.of("a"));
        assert_eq!(pair.prod("SHOW TABLES;"), "t\n", "not even a table of receipts");
        pair.prod("UPDATE t SET w = 8 WHERE id = 1;");
        pair.apply(&["--dry-run"]).fails(4, "t (1)");
    }
}

#[test]
fn r10_a_lock_is_not_waited_for_for_ever() {
    for hold in ["BEGIN; UPDATE t SET w = 100 WHERE id = 1", "LOCK TABLES t WRITE"] {
        for pair in packed() {
            let session = Session::hold(&pair.a, hold);
            let started = Instant::now();
            let refused = pair.apply(&[]);
            assert_eq!(refused.code, 3, "{}", refused.stderr);
            assert!(refused.stderr.contains("lock"), "{}", refused.stderr);
            assert!(started.elapsed() < Duration::from_secs(60));
            drop(session);
            assert_eq!(pair.now(), pair.of("a"));
            pair.apply(&[]).ok();
        }
    }
}

/// A pack of so many rows that it takes a while, in two tables.
fn long() -> Vec<Pair> {
    let rows = |from: u32| {
        let rows: Vec<String> =
            (from..from + 3000).map(|id| format!("({id}, 'row {id}')")).collect();
        rows.join(",")
    };
    let base = format!(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(99)); CREATE TABLE u LIKE t; INSERT INTO t VALUES {}; INSERT INTO u VALUES {};",
        rows(0),
        rows(0)
    );
    let change = format!(
        "UPDATE t SET v = CONCAT(v, '!'); DELETE FROM u WHERE id < 200; INSERT INTO u VALUES {};",
        rows(5000)
    );
    let pairs = pairs(&base, &change);
    pairs.iter().for_each(|pair| {
        pair.pack(&[]).ok();
    });
    pairs
}

fn receipts(pair: &Pair) -> String {
    pair.prod("CREATE TABLE IF NOT EXISTS _deepdiff_receipts(id int, direction int); SELECT COUNT(*) FROM _deepdiff_receipts;")
        .trim()
        .to_owned()
}

/// Whether the pack is there, wholly or not at all, with its receipt.
#[track_caller]
fn is_applied(pair: &Pair) -> bool {
    let now = pair.now();
    let is_applied = now == pair.of("b");
    if !is_applied && now != pair.of("a") {
        let [from_a, from_b] =
            ["a", "b"].map(|of| pair.lab.run(&["diff", of, "now", "--stat"]).stdout);
        panic!("neither before nor after:\n{from_a}\n{from_b}");
    }
    assert_eq!(receipts(pair) != "0", is_applied, "the receipt agrees");
    is_applied
}

#[test]
fn r07_killed_at_any_moment_the_target_is_before_or_after() {
    for pair in long() {
        let started = Instant::now();
        pair.apply(&[]).ok();
        let whole = started.elapsed();
        pair.apply(&["--rollback"]).ok();
        pair.prod("DELETE FROM _deepdiff_receipts;");
        for moment in 1..=20u32 {
            let url = pair.a.url();
            let running = Running::start(pair.lab.command(&["apply", "change", "--to", &url]));
            std::thread::sleep(whole * moment / 20);
            running.signal("-KILL");
            running.end();
            // The server rolls back once it notices.
            wait_until("the server to notice", || connections(&pair) == "0");
            if is_applied(&pair) {
                let again = pair.apply(&[]).ok();
                assert!(again.stdout.contains("already applied"), "{}", again.stdout);
                pair.apply(&["--rollback"]).ok();
                pair.prod("DELETE FROM _deepdiff_receipts;");
            }
        }
        pair.apply(&[]).ok();
        assert!(is_applied(&pair));
    }
}

fn connections(pair: &Pair) -> String {
    let asked = pair.prod("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID();");
    asked.trim().to_owned()
}

#[test]
fn r07_a_connection_that_is_killed_leaves_nothing() {
    for pair in long() {
        for pause in [5, 30, 80, 150] {
            let url = pair.a.url();
            let running = Running::start(pair.lab.command(&["apply", "change", "--to", &url]));
            wait_until("a connection", || connections(&pair) != "0");
            std::thread::sleep(Duration::from_millis(pause));
            let ids = pair.prod("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID();");
            for id in ids.lines() {
                let _ = pair.a.server.try_run(&pair.a.name, &format!("KILL {id};"));
            }
            let output = running.end();
            wait_until("the server to notice", || connections(&pair) == "0");
            if is_applied(&pair) {
                pair.apply(&["--rollback"]).ok();
                pair.prod("DELETE FROM _deepdiff_receipts;");
            } else {
                assert_eq!(output.code, 3, "{}\n{}", output.stdout, output.stderr);
            }
        }
    }
}

fn through(pair: &Pair, port: u16, run: &[&str]) -> Command {
    // In clear, where the server takes a password so.
    let tls = if pair.a.server.name.starts_with("mysql-9") { "required" } else { "disable" };
    let url = format!("mysql://tester@127.0.0.1:{port}/{}?ssl-mode={tls}", pair.a.name);
    let mut command = pair.lab.command(&[&["apply", "change", "--to", &url][..], run].concat());
    command.env("MYSQL_PWD", "tester-password");
    command
}

#[test]
fn r08_the_answer_to_the_commit_is_lost() {
    for pair in packed() {
        let proxy = Proxy::start(&pair.a.server.port);
        proxy.cut_after(u64::MAX);
        // The answers of a run that is undone at the end are a few bytes fewer: cut from there on.
        let dry = Running::start(through(&pair, proxy.port, &["--dry-run"])).end().ok();
        drop(dry);
        proxy.cut_after(u64::MAX);
        Running::start(through(&pair, proxy.port, &[])).end().ok();
        let whole = proxy.answered();
        let mut lost = 0;
        for cut in (whole.saturating_sub(60)..whole).rev().step_by(5) {
            pair.apply(&["--rollback"]).ok();
            pair.prod("DELETE FROM _deepdiff_receipts;");
            proxy.cut_after(cut);
            let output = Running::start(through(&pair, proxy.port, &[])).end();
            wait_until("the server to notice", || connections(&pair) == "0");
            if is_applied(&pair) {
                lost += u32::from(output.code != 0);
                let again = pair.apply(&[]).ok();
                assert!(again.stdout.contains("already applied"), "{}", again.stdout);
            } else {
                assert_eq!(output.code, 3, "{}\n{}", output.stdout, output.stderr);
                pair.apply(&[]).ok();
            }
            if lost > 0 {
                break;
            }
        }
        assert!(lost > 0, "no answer to a commit was lost");
    }
}

#[test]
fn r09_deadlocks_are_tried_again_as_a_whole() {
    for pair in packed() {
        // The other one has changed more, so it is the pack that the server ends.
        pair.prod(
            "CREATE TABLE w(id int PRIMARY KEY); INSERT INTO w SELECT id + 10 * w FROM t; INSERT INTO w SELECT id + 1000 FROM w;
             INSERT INTO w SELECT id + 2000 FROM w; INSERT INTO w SELECT id + 4000 FROM w;",
        );
        pair.state(&pair.a, "a");
        pair.b.sql("CREATE TABLE w(id int PRIMARY KEY);");
        pair.state(&pair.b, "b");
        std::fs::remove_dir_all(pair.lab.path("change")).unwrap();
        pair.pack(&["--tables", "t"]).ok();
        let mut other = Talking::to(&pair);
        other.say("BEGIN; DELETE FROM w; SELECT * FROM t WHERE id = 9 FOR UPDATE; SELECT 'held';");
        other.hear("held");
        let url = pair.a.url();
        let mut running = Running::start(pair.lab.command(&["apply", "change", "--to", &url]));
        // It holds the rows it read, and waits for the gap of the one it inserts.
        std::thread::sleep(Duration::from_millis(1500));
        assert!(running.is_running());
        other.say("SELECT * FROM t WHERE id = 1 FOR UPDATE; ROLLBACK; SELECT 'done';");
        other.hear("done");
        running.end().ok();
        assert_eq!(pair.prod("SELECT v FROM t WHERE id = 1;"), "changed\n");
        assert_eq!(receipts(&pair), "1");
    }
}

/// A client that is spoken to.
struct Talking {
    child: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Talking {
    fn to(pair: &Pair) -> Talking {
        use std::io::BufRead as _;
        let mut client = pair.a.server.client(&pair.a.name);
        client.arg("--unbuffered");
        client.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = client.spawn().unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        Talking { child, lines }
    }

    fn say(&mut self, script: &str) {
        use std::io::Write as _;
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{script}").unwrap();
        stdin.flush().unwrap();
    }

    fn hear(&mut self, word: &str) {
        assert!(self.lines.by_ref().any(|line| line.unwrap() == word), "{word} was never said");
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn p34_a_server_that_takes_small_packets_or_no_writes() {
    let own = PrivateServer::start();
    let base = "CREATE TABLE t(id int PRIMARY KEY, v mediumtext); INSERT INTO t VALUES (1,'x'),(2,REPEAT('y',60000));";
    let rows: Vec<String> =
        (10..50).map(|id| format!("({id}, REPEAT('a', {}))", 1000 * id)).collect();
    let change = format!(
        "INSERT INTO t VALUES {}; UPDATE t SET v = REPEAT('z',60000) WHERE id = 1; DELETE FROM t WHERE id = 2;",
        rows.join(",")
    );
    let fitting = Pair::on(&own.server, base, &change);
    fitting.pack(&[]).ok();
    let too_long = Pair::on(
        &own.server,
        base,
        "UPDATE t SET v = REPEAT('z',1000000) WHERE id = 1; INSERT INTO t VALUES (3,'');",
    );
    too_long.pack(&[]).ok();
    own.server.run(
        "mysql",
        "SET GLOBAL net_buffer_length = 8192; SET GLOBAL max_allowed_packet = 65536;",
    );
    fitting.apply(&[]).ok();
    let refused = too_long.apply(&[]).fails(4, "the server takes at most 64512");
    assert!(refused.stdout.contains("t (1)"), "{}", refused.stdout);
    own.server.run("mysql", "SET GLOBAL max_allowed_packet = 1073741824;");
    assert_eq!(fitting.now(), fitting.of("b"));
    assert_eq!(too_long.now(), too_long.of("a"));

    own.server.run("mysql", "SET GLOBAL read_only = 1;");
    too_long.apply(&[]).fails(3, "the server takes no writes (read_only is ON)");
    fitting.apply(&["--rollback", "--dry-run"]).fails(3, "the server takes no writes");
    own.server.run("mysql", "SET GLOBAL read_only = 0;");
    too_long.apply(&[]).ok();
    assert_eq!(too_long.now(), too_long.of("b"));
}
