//! Snapshots of servers by several connections, under limits and interruptions: the same state id
//! for any number of connections, and nothing left open on the server.

use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::server_lab::{ENGINES, Engine, Running, Session, snapshot, state, wait_until};
use crate::servers::Database;

/// A table that is cut into ranges, one with gaps that is, too, and small ones of every kind of key.
fn tables(engine: Engine) -> Database {
    let database = engine.loaded(
        "CREATE TABLE dense(id bigint PRIMARY KEY, v varchar(40), n int);
         INSERT INTO dense SELECT i, CONCAT('value ', i * 7919 % 104729), i % 97 FROM $1(220000);
         CREATE TABLE gaps(id bigint PRIMARY KEY, v varchar(40));
         INSERT INTO gaps SELECT (i - 60000) * i * 31, CONCAT('v', i) FROM $1(60001)
             WHERE i <> 60000 AND i > 30000;
         INSERT INTO gaps SELECT 1000000000000 + i, 'far' FROM $1(220000);
         INSERT INTO gaps VALUES (9223372036854775807, 'last'), (-9223372036854775807, 'first');
         CREATE TABLE keyless(v varchar(40), n int);
         INSERT INTO keyless SELECT CONCAT('v', i % 50), i % 3 FROM $1(3000);
         CREATE TABLE texts(id varchar(40) PRIMARY KEY, v int);
         INSERT INTO texts SELECT md5(CAST(i AS char(10))), i FROM $1(3000);
         CREATE TABLE pairs(a int, b varchar(20), PRIMARY KEY (a, b));
         INSERT INTO pairs SELECT i % 7, CONCAT('b', i) FROM $1(3000);
         CREATE TABLE nothing(id int PRIMARY KEY);",
    );
    database.sql(match engine {
        Engine::Postgres => {
            "CREATE TABLE uuids(id uuid PRIMARY KEY, v int);
             INSERT INTO uuids SELECT md5(i::text)::uuid, i FROM generate_series(1, 3000) i;
             ANALYZE;"
        }
        Engine::Mariadb => {
            "CREATE TABLE uuids(id uuid PRIMARY KEY, v int);
             INSERT INTO uuids SELECT CONCAT(SUBSTR(md5(seq), 1, 8), '-', SUBSTR(md5(seq), 9, 4),
                 '-4', SUBSTR(md5(seq), 14, 3), '-8', SUBSTR(md5(seq), 18, 3), '-',
                 SUBSTR(md5(seq), 21, 12)), seq FROM seq_1_to_3000;
             ANALYZE TABLE dense, gaps;"
        }
    });
    database
}

/// A table that takes a while at a low rate.
fn slow(engine: Engine) -> Database {
    engine.loaded(
        "CREATE TABLE a(id int PRIMARY KEY, v varchar(10)); INSERT INTO a VALUES (1, 'first');
         CREATE TABLE t(id int PRIMARY KEY, v varchar(40));
         INSERT INTO t SELECT i * 3, CONCAT('value ', i * 7919 % 104729) FROM $1(40000);
         CREATE TABLE z(id int PRIMARY KEY, v varchar(10)); INSERT INTO z VALUES (1, 'last');",
    )
}

fn same_for_any_number(engine: Engine) {
    let database = tables(engine);
    let url = database.url();
    let lab = Lab::new();
    let single = state(&lab, &url, "single", &["--jobs", "1"]);
    for jobs in ["2", "5"] {
        let taken = lab.run(&snapshot(&url, "several", &["--jobs", jobs])).ok().json();
        assert_eq!(taken["state"], single.as_str(), "{engine:?} --jobs {jobs}: {taken}");
        assert_ne!(taken["guarantee"], "single_connection", "{engine:?} --jobs {jobs}: {taken}");
    }
    assert_eq!(lab.run(&["verify", "--full", "--json"]).ok().json()["outcome"], "ok");
    assert_eq!(engine.connections(&database), "0");
}

#[test]
fn any_number_of_connections_finds_one_state_on_postgres() {
    same_for_any_number(Engine::Postgres);
}

#[test]
fn any_number_of_connections_finds_one_state_on_mariadb() {
    same_for_any_number(Engine::Mariadb);
}

/// Waits until nobody is connected.
#[track_caller]
fn is_left_alone(engine: Engine, database: &Database) {
    wait_until("the server's connections to end", || engine.connections(database) == "0");
}

/// Sends a signal to a run, which ends in order and soon.
#[track_caller]
fn leaves_at_once(engine: Engine, running: Running, signal: &str) {
    let told = Instant::now();
    running.signal(signal);
    let output = running.end();
    let took = told.elapsed();
    assert_eq!(output.code, 130, "{engine:?}: {}{}", output.stdout, output.stderr);
    assert!(took < Duration::from_secs(4), "{engine:?}: it took {took:?}");
}

#[test]
fn l20_interrupted_and_resumed() {
    for engine in ENGINES {
        let database = slow(engine);
        let url = database.url();
        let lab = Lab::new();
        let expected = state(&Lab::new(), &url, "prod", &[]);
        for (jobs, signal) in [("1", "-INT"), ("2", "-TERM")] {
            let slowly = snapshot(
                &url,
                "prod",
                &["--jobs", jobs, "--max-rate", "4000", "--checkpoint-seconds", "0"],
            );
            let running = Running::start(lab.command(&slowly));
            let kept = lab.path(".deepdiff/resume/prod");
            wait_until("a checkpoint", || kept.exists());
            leaves_at_once(engine, running, signal);
            is_left_alone(engine, &database);
            lab.run(&["show", "prod"]).fails(2, "prod");
            let resumed = snapshot(&url, "prod", &["--jobs", jobs, "--resume"]);
            let taken = lab.run(&resumed).ok().json();
            assert_eq!(taken["state"], expected.as_str(), "{engine:?} --jobs {jobs}");
            assert_eq!(taken["guarantee"], "resumed");
            lab.run(&["verify", "--full"]).ok();
            lab.run(&["ref", "--delete", "prod"]).ok();
        }
    }
}

#[test]
fn interrupted_while_it_waits_for_a_lock() {
    for engine in ENGINES {
        let database = slow(engine);
        let url = database.url();
        let lab = Lab::new();
        let held = Session::hold(
            &database,
            match engine {
                Engine::Postgres => "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE",
                Engine::Mariadb => "LOCK TABLES t WRITE",
            },
        );
        let running = Running::start(lab.command(&snapshot(&url, "prod", &[])));
        wait_until("the connection", || engine.connections(&database) == "2");
        std::thread::sleep(Duration::from_millis(300));
        leaves_at_once(engine, running, "-INT");
        drop(held);
        is_left_alone(engine, &database);
        lab.run(&snapshot(&url, "prod", &[])).ok();
    }
}

#[test]
fn l08_an_old_transaction_is_given_up() {
    for engine in ENGINES {
        let database = slow(engine);
        let url = database.url();
        for jobs in ["1", "2"] {
            let lab = Lab::new();
            let limits = ["--jobs", jobs, "--max-rate", "4000", "--max-age", "1s"];
            let started = Instant::now();
            lab.run(&snapshot(&url, "prod", &limits)).fails(3, "transaction");
            assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
            is_left_alone(engine, &database);
            lab.run(&["show", "prod"]).fails(2, "prod");
        }
    }
}

#[test]
fn l17_a_pause_file_holds_it() {
    for engine in ENGINES {
        let database = slow(engine);
        let url = database.url();
        let lab = Lab::new();
        let expected = state(&lab, &url, "before", &[]);
        for jobs in ["1", "2"] {
            let file = lab.path("pause");
            std::fs::write(&file, "").unwrap();
            let gentle = ["--jobs", jobs, "--pause-file", "pause", "--max-rate", "1000k"];
            let paused = snapshot(&url, "prod", &gentle);
            let mut running = Running::start(lab.command(&paused));
            wait_until("the connection", || engine.connections(&database) != "0");
            std::thread::sleep(Duration::from_secs(1));
            assert!(running.is_running(), "{engine:?}");
            assert_eq!(running.niceness(), 19);
            std::fs::remove_file(&file).unwrap();
            let taken = running.end().ok().json();
            assert_eq!(taken["state"], expected.as_str());
            is_left_alone(engine, &database);
        }
    }
}
