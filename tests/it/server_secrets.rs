//! Passwords of servers are in nothing that is printed or stored, wherever they come from.

use std::fs;
use std::path::Path;

use crate::lab::{Lab, Output};
use crate::server_lab::{ENGINES, Engine, Running};

/// A password with everything that a URL spells in another way.
const PASSWORD: &str = "Gr8/S3cr3t:p@ss %w#rd";
const ENCODED: &str = "Gr8%2FS3cr3t%3Ap%40ss%20%25w%23rd";

/// What no text may hold: the whole, and parts that would survive a careless cut.
const TRACES: [&str; 4] = [PASSWORD, ENCODED, "S3cr3t", "w#rd"];

#[track_caller]
fn is_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for trace in TRACES {
        assert!(!text.contains(trace), "{what} holds `{trace}`:\n{text:.2000}");
    }
}

#[track_caller]
fn checked(output: Output) -> Output {
    is_clean("standard output", output.stdout.as_bytes());
    is_clean("standard error", output.stderr.as_bytes());
    output
}

fn every_file(dir: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { every_file(&path, each) } else { each(&path) }
    }
}

/// Runs the binary with a password in the environment.
#[track_caller]
fn run(lab: &Lab, variable: Option<&str>, password: &str, args: &[&str]) -> Output {
    let mut command = lab.command(args);
    if let Some(variable) = variable {
        command.env(variable, password);
    }
    checked(Running::start(command).end())
}

/// The URL with a password in it.
fn with_password(url: &str, password: &str) -> String {
    url.replacen('@', &format!(":{password}@"), 1)
}

fn wherever_it_comes_from(engine: Engine) {
    let database = engine.loaded(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(20)); INSERT INTO t VALUES (1, 'row');",
    );
    let account = engine.account(&database, PASSWORD);
    account.grant_reading();
    let url = engine.tcp_url(&database.name, &database.name, &database.server.port);
    let with = with_password(&url, ENCODED);
    let variable = engine.password_variable();
    let lab = Lab::new();

    run(&lab, None, "", &["snapshot", &with, "--ref", "url", "--json"]).ok();
    run(&lab, None, "", &["check", &with]).ok();
    run(&lab, Some(variable), PASSWORD, &["snapshot", &url, "--ref", "env"]).ok();
    let parameter = format!("{url}&password={ENCODED}");
    run(&lab, None, "", &["snapshot", &parameter, "--ref", "parameter"]).ok();
    run(&lab, None, "", &["diff", "url", &with]).ok();
    run(&lab, None, "", &["diff", &with, "url", "--format", "html"]).ok();

    fs::write(lab.path("password"), format!("{PASSWORD}\n")).unwrap();
    for (name, line) in [
        ("by_env", "password_env = 'SHOP_PASSWORD'"),
        ("by_file", "password_file = 'password'"),
        ("by_command", "password_command = ['cat', 'password']"),
    ] {
        let config = format!("[sources.{name}]\nurl = '{url}'\n{line}\n");
        fs::write(lab.path("deepdiff.toml"), config).unwrap();
        run(&lab, Some("SHOP_PASSWORD"), PASSWORD, &["snapshot", name]).ok();
        run(&lab, Some("SHOP_PASSWORD"), PASSWORD, &["check", name, "--json"]).ok();
        // The source by its name, and the password of somebody else.
        let wrong = format!("{PASSWORD}x");
        fs::write(lab.path("password"), &wrong).unwrap();
        let refused = run(&lab, Some("SHOP_PASSWORD"), &wrong, &["snapshot", name, "--json"]);
        refused.fails(3, &database.name);
        fs::write(lab.path("password"), format!("{PASSWORD}\n")).unwrap();
    }
    let config = format!("[sources.in_url]\nurl = '{with}'\n");
    fs::write(lab.path("deepdiff.toml"), config).unwrap();
    run(&lab, None, "", &["snapshot", "in_url"]).ok();

    let wrong = with_password(&url, &format!("{ENCODED}x"));
    for args in
        [&["snapshot", &wrong, "--ref", "w"][..], &["check", &wrong], &["diff", "url", &wrong]]
    {
        run(&lab, None, "", args).fails(3, &database.name);
    }
    run(&lab, Some(variable), &format!("{PASSWORD}x"), &["snapshot", &url, "--ref", "w"])
        .fails(3, "");

    for args in [
        &["log"][..],
        &["log", "--json"],
        &["show", "url"],
        &["show", "url", "--json"],
        &["show", "url", "--schema"],
        &["ls", "env"],
        &["ref", "url", "--log"],
        &["verify", "--full"],
    ] {
        run(&lab, None, "", args).ok();
    }
    let mut files = 0;
    every_file(&lab.path(".deepdiff"), &mut |path| {
        is_clean(&path.display().to_string(), &fs::read(path).unwrap());
        files += 1;
    });
    assert!(files > 10, "{files}");
}

#[test]
fn passwords_for_postgres_stay_secret() {
    wherever_it_comes_from(Engine::Postgres);
}

#[test]
fn passwords_for_mariadb_stay_secret() {
    wherever_it_comes_from(Engine::Mariadb);
}

#[test]
fn urls_that_cannot_be_read_are_not_repeated() {
    for engine in ENGINES {
        let scheme = if engine == Engine::Postgres { "postgres" } else { "mysql" };
        let lab = Lab::new();
        for rest in [
            "h:port/d".to_owned(),
            "h/d?sslmod=x".to_owned(),
            "h/d#x".to_owned(),
            "[::1/d".to_owned(),
            "h/%ff".to_owned(),
            format!("h/d?sslmode=x&password={ENCODED}"),
        ] {
            let url = format!("{scheme}://u:{ENCODED}@{rest}");
            let output = run(&lab, None, "", &["snapshot", &url, "--ref", "x"]);
            assert!(output.code == 2 || output.code == 3, "{url}: {}", output.stderr);
        }
        // As people type it, without an encoding: it may be no URL, and it is secret all the same.
        let raw = format!("{scheme}://u:{PASSWORD}@127.0.0.1:1/d");
        let output = run(&lab, None, "", &["snapshot", &raw, "--ref", "x"]);
        assert!(output.code == 2 || output.code == 3, "{}", output.stderr);
    }
}

#[test]
fn configuration_that_cannot_be_read_is_not_repeated() {
    let lab = Lab::new();
    for config in [
        format!("[sources.p]\nurl = postgres://u:{ENCODED}@h/d\n"),
        format!("[sources.p]\nurl = 'postgres://u:{ENCODED}@h/d\n"),
        format!("[sources.p]\nurl = 'postgres://u@h/d'\npassword = '{PASSWORD}'\n"),
        format!("[sources.p]\nurl = ['postgres://u:{ENCODED}@h/d']\n"),
        format!("[sources]\np = 'postgres://u:{ENCODED}@h/d'\n"),
    ] {
        fs::write(lab.path("deepdiff.toml"), &config).unwrap();
        for args in [&["snapshot", "p"][..], &["snapshot", "p", "--json"]] {
            let output = run(&lab, None, "", args).fails(2, "deepdiff.toml");
            assert!(output.stderr.contains("line"), "it says where: {}", output.stderr);
        }
    }
}
