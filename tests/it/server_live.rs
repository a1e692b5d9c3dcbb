//! Cases of the live snapshot (`L…`) on servers: writers that move rows, timeouts, slow readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::lab::Lab;
use crate::server_lab::{ENGINES, Engine, snapshot, state};
use crate::servers::{Database, Server};

/// Somebody who runs a script over and over.
struct Writer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(database: &Database, script: &'static str) -> Writer {
        let is_over = Arc::new(AtomicBool::new(false));
        let (server, name, over) =
            (database.server.clone(), database.name.clone(), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                server.run(&name, script);
            }
        });
        Writer { is_over, thread: Some(thread) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// Keys that move forward and backward while they are read: each row exactly once.
#[test]
fn l02_keys_that_move_are_read_once() {
    for engine in ENGINES {
        let database = engine.loaded(
            "CREATE TABLE t(id int PRIMARY KEY, name varchar(20));
             INSERT INTO t SELECT i * 10, CONCAT('row ', i) FROM $1(20000);",
        );
        let lab = Lab::new();
        let name = if engine == Engine::Postgres { "public.t" } else { "t" };
        let _writer = Writer::start(
            &database,
            "UPDATE t SET id = id + 300000 WHERE id BETWEEN 1 AND 1000;
             UPDATE t SET id = id - 300000 WHERE id > 300000;",
        );
        for jobs in ["1", "2", "1", "2", "1", "2"] {
            state(&lab, &database.url(), "prod", &["--jobs", jobs]);
            let rows = lab.run(&["cat", name, "--at", "prod", "--json"]).ok().stdout;
            let names: std::collections::BTreeSet<String> = rows
                .lines()
                .map(|line| {
                    let row: serde_json::Value = serde_json::from_str(line).unwrap();
                    row["row"]["name"].as_str().unwrap().to_owned()
                })
                .collect();
            assert_eq!((rows.lines().count(), names.len()), (20_000, 20_000), "{engine:?}");
        }
    }
}

/// A setting of the server for every new connection, as long as the value lives.
struct Setting<'s> {
    server: &'s Server,
    name: &'static str,
    before: String,
}

impl Setting<'_> {
    fn new<'s>(server: &'s Server, name: &'static str, value: &str) -> Setting<'s> {
        let before = server.run("mysql", &format!("SELECT @@GLOBAL.{name};")).trim().to_owned();
        server.run("mysql", &format!("SET GLOBAL {name} = {value};"));
        Setting { server, name, before }
    }
}

impl Drop for Setting<'_> {
    fn drop(&mut self) {
        let script = format!("SET GLOBAL {} = {};", self.name, self.before);
        let _ = self.server.try_run("mysql", &script);
    }
}

/// A reader that is slower than the server waits for loses nothing.
#[test]
fn l06_a_slow_reader_is_waited_for() {
    let engine = Engine::Mariadb;
    let database = engine.loaded(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(4000));
         INSERT INTO t SELECT i, REPEAT('x', 4000) FROM $1(8000);",
    );
    let lab = Lab::new();
    let expected = state(&lab, &database.url(), "prod", &[]);
    let _timeout = Setting::new(&database.server, "net_write_timeout", "1");
    for jobs in ["1", "2"] {
        // More than the buffers between server and reader hold is under way for seconds.
        let slowly = ["--max-rate", "6MB", "--jobs", jobs];
        assert_eq!(state(&lab, &database.url(), "prod", &slowly), expected);
    }
}

/// Timeouts that somebody set for the database end no reading.
#[test]
fn l07_timeouts_of_the_database_end_no_reading() {
    let engine = Engine::Postgres;
    let database = engine.loaded(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(40));
         INSERT INTO t SELECT i, CONCAT('value ', i) FROM $1(30000);",
    );
    let lab = Lab::new();
    let expected = state(&lab, &database.url(), "prod", &[]);
    let name = &database.name;
    for setting in [
        "statement_timeout = '100ms'",
        "idle_in_transaction_session_timeout = '200ms'",
        "lock_timeout = '1ms'",
    ] {
        database.sql(&format!("ALTER DATABASE {name} SET {setting};"));
    }
    for jobs in ["1", "2"] {
        let slowly = ["--max-rate", "15000", "--jobs", jobs];
        let taken = lab.run(&snapshot(&database.url(), "prod", &slowly)).ok().json();
        assert!(taken["seconds"].as_f64().unwrap() > 1.0, "{taken}");
        assert_eq!(taken["state"], expected.as_str());
    }
}

/// What a long reading costs the server is told: others' changes that cannot be cleaned up.
#[test]
fn l09_what_it_cost_the_server_is_told() {
    for engine in ENGINES {
        let database = engine.loaded(
            "CREATE TABLE t(id int PRIMARY KEY, v varchar(40));
             INSERT INTO t SELECT i, CONCAT('value ', i) FROM $1(8000);
             CREATE TABLE busy(id int PRIMARY KEY, n int); INSERT INTO busy VALUES (1, 0);",
        );
        let lab = Lab::new();
        let _writer = Writer::start(&database, "UPDATE busy SET n = n + 1;");
        let slowly = ["--max-rate", "4000"];
        lab.run(&snapshot(&database.url(), "prod", &slowly)).ok();
        let shown = lab.run(&["show", "prod"]).ok().stdout;
        let number = |words: &str| -> u64 {
            let (_, rest) = shown.split_once(words).unwrap_or_else(|| panic!("{words}: {shown}"));
            rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
        };
        match engine {
            Engine::Postgres => {
                assert!(number("at the end the horizon of transactions was ") > 10, "{shown}");
            }
            Engine::Mariadb => {
                let before = number("history list length ");
                let after = number("at the end the history list length was ");
                assert!(after > before, "{shown}");
            }
        }
    }
}
