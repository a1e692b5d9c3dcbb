//! What stands in the way on a server, through the program: the exit code, the object, the cause.

use crate::lab::{Lab, Output};
use crate::server_lab::{ENGINES, Engine, Running, Session, snapshot};

const PASSWORD: &str = "let-me-in-4711";

#[track_caller]
fn refused(engine: Engine, url: &str, words: &[&str]) {
    let lab = Lab::new();
    let mut command = lab.command(&snapshot(url, "prod", &[]));
    if url.contains("127.0.0.1") {
        command.env(engine.password_variable(), PASSWORD);
    }
    let output: Output = Running::start(command).end();
    for word in words {
        assert!(output.stderr.contains(word), "no `{word}` in: {}", output.stderr);
    }
    output.fails(3, "error");
    lab.run(&["show", "prod"]).fails(2, "prod");
}

#[test]
fn no_such_database_and_nobody_there() {
    for engine in ENGINES {
        let database = engine.database();
        let url = database.server.url("no_such_database");
        refused(engine, &url, &["no_such_database"]);
        let url = engine.tcp_url("me", "shop", "1");
        refused(engine, &url, &["127.0.0.1:1/shop", "could not connect"]);
    }
}

#[test]
fn l18_a_table_or_a_column_without_a_right() {
    let engine = Engine::Postgres;
    let database = engine.loaded(
        "CREATE TABLE open_t(id int PRIMARY KEY); CREATE TABLE secret_t(id int PRIMARY KEY, v int);",
    );
    let account = engine.account(&database, PASSWORD);
    let url = engine.tcp_url(&database.name, &database.name, &database.server.port);
    account.grant("GRANT SELECT ON open_t TO $1;");
    refused(engine, &url, &["secret_t", "not allowed", &database.name]);
    account.grant("GRANT SELECT (id) ON secret_t TO $1;");
    refused(engine, &url, &["secret_t", "not allowed", &database.name]);
    account.grant(
        "GRANT SELECT ON secret_t TO $1; ALTER TABLE secret_t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY half ON secret_t USING (id % 2 = 0);",
    );
    refused(engine, &url, &["secret_t", "row", &database.name]);
}

#[test]
fn a_lock_of_somebody_else() {
    for engine in ENGINES {
        let database = engine.loaded("CREATE TABLE held_t(id int PRIMARY KEY);");
        let script = match engine {
            Engine::Postgres => "BEGIN; LOCK TABLE held_t IN ACCESS EXCLUSIVE MODE",
            Engine::Mariadb => "LOCK TABLES held_t WRITE",
        };
        let _held = Session::hold(&database, script);
        refused(engine, &database.url(), &["held_t", "lock", &database.name]);
    }
}
