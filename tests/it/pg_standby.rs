//! A server that follows another: it is read as it is, and says so.

use std::time::Duration;

use crate::lab::Lab;
use crate::server_lab::{Running, snapshot, state, wait_until};
use crate::servers::{Private, Server};

/// Waits until the standby has everything that the primary has.
fn catch_up(primary: &Server, standby: &Server) {
    let written = primary.run("postgres", "SELECT pg_current_wal_insert_lsn();");
    let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{}'::pg_lsn;", written.trim());
    wait_until("the standby", || standby.run("postgres", &sql).trim() == "t");
}

#[test]
fn l10_a_standby_says_what_it_is_and_what_it_does_not_have() {
    let private = Private::start("standby");
    let (primary, standby) = (private.server("postgres"), private.server("standby"));
    primary.run(
        "postgres",
        "CREATE TABLE t(id int PRIMARY KEY, v text);
         INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5000) i;
         CREATE UNLOGGED TABLE gone(id int PRIMARY KEY); INSERT INTO gone VALUES (1);",
    );
    catch_up(primary, standby);
    let (here, there) = (primary.url("postgres"), standby.url("postgres"));
    let lab = Lab::new();
    let checked = lab.run(&["check", &there]).fails(5, "UNKNOWN table public.gone");
    assert!(checked.stdout.contains("a standby does not have its rows"), "{}", checked.stdout);
    for jobs in ["1", "3"] {
        lab.run(&snapshot(&there, "standby", &["--jobs", jobs])).ok();
    }
    let shown = lab.run(&["show", "standby"]).ok().stdout;
    assert!(shown.contains("a standby, which has replayed up to LSN "), "{shown}");
    assert!(shown.contains("table public.gone"), "{shown}");
    lab.run(&snapshot(&here, "primary", &[])).ok();
    // What was not seen was neither dropped nor is it equal.
    let diff = lab.run(&["diff", "primary", "standby"]).fails(5, "public.gone");
    assert!(diff.stdout.contains("0 tables changed"), "{}", diff.stdout);
    // Without that table the two are one state, whichever server is asked.
    std::fs::write(lab.path("deepdiff.toml"), "exclude = ['public.gone']\n").unwrap();
    let expected = state(&lab, &here, "primary", &[]);
    assert_eq!(state(&lab, &there, "standby", &["--jobs", "2"]), expected);
    // It takes no changes but its primary's.
    primary.run("postgres", "UPDATE t SET v = 'x' WHERE id = 1;");
    lab.run(&snapshot(&here, "changed", &[])).ok();
    lab.run(&["pack", "primary", "changed", "-o", "change"]).ok();
    let applied = lab.run(&["apply", "change", "--to", &there, "--accept-target"]);
    assert!(applied.code != 0 && applied.stderr.contains("it is a standby"), "{}", applied.stderr);
}

/// Where the primary rewrites what is read, the standby ends the reading, which is not one of fewer
/// rows.
#[test]
fn l10_a_conflict_with_recovery_is_an_error() {
    let private = Private::start("standby");
    let (primary, standby) = (private.server("postgres"), private.server("standby"));
    primary.run(
        "postgres",
        "CREATE TABLE t(id int PRIMARY KEY, v text);
         INSERT INTO t SELECT i, repeat('v', 500) FROM generate_series(1, 40000) i;",
    );
    catch_up(primary, standby);
    let url = standby.url("postgres");
    let lab = Lab::new();
    for jobs in ["1", "2"] {
        let slowly = snapshot(&url, "prod", &["--max-rate", "4000", "--jobs", jobs]);
        let running = Running::start(lab.command(&slowly));
        let others = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass \
                      AND mode = 'AccessShareLock';";
        wait_until("the lock", || standby.run("postgres", others).trim() != "0");
        std::thread::sleep(Duration::from_millis(300));
        primary.run("postgres", "BEGIN; TRUNCATE t; ROLLBACK;");
        let output = running.end().fails(3, "error");
        // What the server says of it may be lost with the connection; the table is named then.
        let is_told = ["conflict with recovery", "table `public.t`"];
        assert!(is_told.iter().any(|words| output.stderr.contains(words)), "{}", output.stderr);
        lab.run(&["show", "prod"]).fails(2, "prod");
        catch_up(primary, standby);
    }
}
