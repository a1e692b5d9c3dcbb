//! Case L05: a connection that ends anywhere is an error, and never a shorter state.

use std::time::{Duration, Instant};

use crate::lab::{Lab, Output};
use crate::server_lab::{Engine, Proxy, Running, snapshot};

/// The account's password.
const PASSWORD: &str = "let-me-in-4711";

fn run(engine: Engine, lab: &Lab, args: &[&str]) -> Output {
    let mut command = lab.command(args);
    command.env(engine.password_variable(), PASSWORD);
    let started = Instant::now();
    let output = Running::start(command).end();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    output
}

fn cut_anywhere(engine: Engine, jobs: &str) {
    let database = engine.loaded(
        "CREATE TABLE a(id int PRIMARY KEY, v varchar(40));
         INSERT INTO a SELECT i, CONCAT('value ', i) FROM $1(3000);
         CREATE TABLE b(v varchar(40)); INSERT INTO b SELECT CONCAT('w', i) FROM $1(2000);
         CREATE TABLE c(id varchar(20) PRIMARY KEY); INSERT INTO c VALUES ('x'), ('y');",
    );
    let proxy = Proxy::start(&database.server.port);
    let account = engine.account(&database, PASSWORD);
    account.grant_reading();
    let url = engine.tcp_url(&database.name, &database.name, &proxy.port.to_string());
    let lab = Lab::new();
    let args = snapshot(&url, "cut", &["--jobs", jobs]);
    proxy.cut_after(u64::MAX);
    let whole = run(engine, &lab, &args).ok().json();
    let total = proxy.answered();
    assert!(total > 50_000, "{total}");
    lab.run(&["ref", "--delete", "cut"]).ok();

    // With several connections the order of the bytes varies, so that the end is less exact.
    let steps = 25;
    for step in 0..steps {
        let bytes = total * step / steps;
        proxy.cut_after(bytes);
        let output = run(engine, &lab, &args).fails(3, &database.name);
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
        assert!(!output.stderr.contains(PASSWORD), "{}", output.stderr);
        lab.run(&["show", "cut"]).fails(2, "cut");
    }
    // The last answers are to the end of the transaction: after them nothing is missing.
    for missing in [1, 5, 10] {
        proxy.cut_after(total - missing);
        let output = run(engine, &lab, &args);
        if output.code == 0 {
            assert_eq!(output.json()["state"], whole["state"]);
            lab.run(&["ref", "--delete", "cut"]).ok();
        } else {
            output.fails(3, &database.name);
        }
    }
    proxy.cut_after(total * 2);
    assert_eq!(run(engine, &lab, &args).ok().json()["state"], whole["state"]);
    assert_eq!(lab.run(&["verify", "--full", "--json"]).ok().json()["outcome"], "ok");
}

#[test]
fn l05_postgres_cut_by_one_connection() {
    cut_anywhere(Engine::Postgres, "1");
}

#[test]
fn l05_postgres_cut_by_several_connections() {
    cut_anywhere(Engine::Postgres, "3");
}

#[test]
fn l05_mariadb_cut_by_one_connection() {
    cut_anywhere(Engine::Mariadb, "1");
}

#[test]
fn l05_mariadb_cut_by_several_connections() {
    cut_anywhere(Engine::Mariadb, "3");
}
