//! Cases of live snapshots (`L…`) and interruptions: consistent under writers, clear under locks,
//! resumable after a signal and after kill −9.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Lab, lab};

/// A database that takes a while to read in a debug build.
fn large(rows: u32) -> String {
    format!(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO a VALUES(1,'first');
         CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, n INTEGER, note TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})
         INSERT INTO t SELECT i*3, 'value '||(i*7919%104729), i%97, hex(i*104729) FROM n;
         CREATE TABLE z(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO z VALUES(1,'last');"
    )
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn has_checkpoint(lab: &Lab) -> bool {
    fs::read_dir(lab.path(".deepdiff/resume")).is_ok_and(|mut dir| dir.next().is_some())
}

/// Starts a snapshot and ends it with a signal as soon as a checkpoint is there.
fn interrupted(lab: &Lab, signal: &str) -> Option<i32> {
    let args = ["snapshot", "prod.db", "--ref", "prod", "--checkpoint-seconds", "0"];
    let mut child = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a checkpoint", || has_checkpoint(lab));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    child.wait().unwrap().code()
}

#[test]
fn l20_killed_and_resumed() {
    let lab = lab(&large(60_000), "SELECT 1;");
    let fresh = Lab::new();
    fs::copy(lab.path("prod.db"), fresh.path("prod.db")).unwrap();
    let expected = fresh.snapshot("prod.db", "prod");

    interrupted(&lab, "-KILL");
    lab.run(&["verify"]).ok();
    lab.run(&["show", "prod"]).fails(2, "prod");
    let taken =
        lab.run(&["snapshot", "prod.db", "--ref", "prod", "--resume", "--json"]).ok().json();
    assert_eq!(taken["state"], expected.as_str());
    assert_eq!(taken["guarantee"], "resumed");
    assert!(!has_checkpoint(&lab), "the checkpoint is gone once the snapshot is published");
    let shown = lab.run(&["show", "prod", "--json"]).ok().json();
    assert_eq!(shown["read_at"].as_array().unwrap().len(), 2, "{shown}");
    lab.run(&["verify", "--full"]).ok();
}

#[test]
fn interrupted_by_a_signal_in_order() {
    let lab = lab(&large(60_000), "SELECT 1;");
    let code = interrupted(&lab, "-INT");
    // It may have been over before the signal came.
    if code == Some(0) {
        return;
    }
    assert_eq!(code, Some(130));
    assert!(has_checkpoint(&lab));
    let taken =
        lab.run(&["snapshot", "prod.db", "--ref", "prod", "--resume", "--json"]).ok().json();
    assert_eq!(taken["guarantee"], "resumed");
    lab.run(&["verify"]).ok();
}

#[test]
fn resume_refuses_another_database() {
    let lab = lab(&large(60_000), &large(10));
    if interrupted(&lab, "-KILL") == Some(0) {
        return;
    }
    lab.run(&["snapshot", "dev.db", "--ref", "prod", "--resume"]).fails(4, "another database");
    lab.run(&["snapshot", "dev.db", "--ref", "other", "--resume"]).fails(3, "other");
}

/// A writer that moves money between two tables until it is stopped.
struct Bank(Child);

impl Bank {
    fn open(db: &Path) -> Bank {
        let script = "PRAGMA busy_timeout=60000;\n".to_owned()
            + &"BEGIN IMMEDIATE; UPDATE a SET n = n - 1 WHERE id = abs(random()) % 50 + 1;
                UPDATE b SET n = n + 1 WHERE id = abs(random()) % 50 + 1; COMMIT;
                WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n<30000)
                SELECT max(n) FROM i;\n"
                .repeat(20_000);
        let mut child = Command::new("sqlite3")
            .arg(db)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::spawn(move || {
            // The pipe breaks when the bank is closed.
            let _ = stdin.write_all(script.as_bytes());
        });
        Bank(child)
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn l01_bank_invariant() {
    let setup = |mode: &str| {
        format!(
            "PRAGMA journal_mode={mode};
             CREATE TABLE a(id INTEGER PRIMARY KEY, n INTEGER);
             CREATE TABLE b(id INTEGER PRIMARY KEY, n INTEGER);
             WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n<50)
             INSERT INTO a SELECT n, 1000 FROM i;
             INSERT INTO b SELECT id, 0 FROM a;"
        )
    };
    for mode in ["WAL", "DELETE"] {
        let lab = Lab::new();
        lab.sql("prod.db", &setup(mode));
        let bank = Bank::open(&lab.path("prod.db"));
        let mut states = std::collections::HashSet::new();
        for _ in 0..10 {
            states.insert(lab.snapshot("prod.db", "prod"));
            let sum: i64 = ["a", "b"]
                .iter()
                .flat_map(|table| {
                    let rows = lab.run(&["cat", table, "--at", "prod", "--json"]).ok().stdout;
                    rows.lines()
                        .map(|line| {
                            let row: serde_json::Value = serde_json::from_str(line).unwrap();
                            row["row"]["n"].as_i64().unwrap()
                        })
                        .collect::<Vec<_>>()
                })
                .sum();
            assert_eq!(sum, 50_000, "journal_mode={mode}");
        }
        drop(bank);
        assert!(states.len() > 1, "the bank did not move while snapshots were taken");
    }
}

#[test]
fn l15_a_locked_database_says_so() {
    let lab = lab("CREATE TABLE t(x); INSERT INTO t VALUES(1);", "SELECT 1;");
    let mut holder = Command::new("sqlite3")
        .arg(lab.path("prod.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = holder.stdin.as_mut().unwrap();
    stdin.write_all(b"BEGIN EXCLUSIVE;\nSELECT 'held';\n").unwrap();
    let mut held = [0u8; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    lab.run(&["snapshot", "prod.db", "--ref", "prod"]).fails(3, "lock");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    lab.snapshot("prod.db", "prod");
}

#[test]
fn l15_a_hot_journal_is_no_corruption() {
    // A writer that dies in the middle of a transaction, after its cache spilled to the file.
    let lab = Lab::new();
    lab.sql("prod.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'old');");
    let before = lab.snapshot("prod.db", "before");
    let mut writer = Command::new("sqlite3")
        .arg(lab.path("prod.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let script = "PRAGMA cache_size=5; PRAGMA cache_spill=5; BEGIN; UPDATE t SET v='new';
        WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<20000)
        INSERT INTO t SELECT i, hex(randomblob(50)) FROM n;
        SELECT 'spilled';\n";
    writer.stdin.as_mut().unwrap().write_all(script.as_bytes()).unwrap();
    let mut said = [0u8; 7];
    std::io::Read::read_exact(writer.stdout.as_mut().unwrap(), &mut said).unwrap();
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(lab.path("prod.db-journal").exists(), "there is a hot journal");
    lab.run(&["snapshot", "prod.db", "--ref", "prod"]).fails(3, "journal");
    assert!(lab.path("prod.db-journal").exists(), "nothing was written to the source");
    lab.sql("prod.db", "PRAGMA schema_version;");
    assert_eq!(lab.snapshot("prod.db", "after"), before);
}

#[test]
fn the_source_is_left_as_it_was() {
    for mode in ["WAL", "DELETE"] {
        let lab = Lab::new();
        let setup =
            format!("PRAGMA journal_mode={mode}; CREATE TABLE t(x); INSERT INTO t VALUES(1);");
        lab.sql("prod.db", &setup);
        let list = || {
            let mut names: Vec<_> = fs::read_dir(lab.path(""))
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with("prod"))
                .collect();
            names.sort();
            (names, fs::read(lab.path("prod.db")).unwrap())
        };
        let before = list();
        lab.snapshot("prod.db", "prod");
        assert_eq!(list(), before, "journal_mode={mode}");
    }
}
