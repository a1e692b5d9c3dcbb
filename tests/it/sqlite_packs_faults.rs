//! A client that is killed while a pack changes schema and rows of a SQLite database: the target is
//! exactly as before or exactly as after.
//!
//! What a killed process leaves are its files. So before each statement of a pack the database and
//! its journal are copied, as they are at that moment; whoever opens such a copy finds the journal
//! and rolls back. Besides, processes are really killed, most of them late, when they commit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deepdiff_db::apply::{Ending, Finish, Watch};
use deepdiff_db::pack::{Consent, Run};

use crate::lab::{dump, sqlite3};
use crate::pack_lab::PackLab;
use crate::server_lab::Running;

/// Two tables that refer to each other, with rows of every fate.
fn schema(of_p: &str, of_c: &str, more: &str) -> String {
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT {of_p});
         CREATE TABLE c(k TEXT PRIMARY KEY, p INT REFERENCES p(id) ON DELETE CASCADE, v TEXT {of_c});
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO p SELECT i, 'p' || i || printf('%.400c', '.') FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO c(k, p, v) SELECT 'k' || i, i, 'c' || i || printf('%.400c', '-') FROM n;
         {more}"
    )
}

fn lab() -> PackLab {
    let before = schema(
        "",
        "",
        "CREATE TABLE old(a); INSERT INTO old VALUES (1); CREATE INDEX cv ON c(v); CREATE VIEW w AS SELECT k FROM c;",
    );
    let change = "UPDATE c SET v = 'new' WHERE k IN ('k7', 'k2999'); DELETE FROM p WHERE id IN (3, 2500);
        DELETE FROM c WHERE p IN (3, 2500); INSERT INTO p VALUES (9000, 'x');
        INSERT INTO c(k, p, v) VALUES ('k9000', 9000, 'y'); CREATE TABLE fresh(a); INSERT INTO fresh VALUES (1), (2);
        CREATE UNIQUE INDEX pc ON p(code); CREATE VIEW w AS SELECT k, v FROM c; PRAGMA user_version = 7;";
    let after = schema("NOT NULL", ", CHECK (v <> 'no')", change);
    let lab = PackLab::new(&before, &after);
    lab.pack("change", &Consent::everything()).unwrap();
    lab
}

/// Copies a database with its journal.
fn copy(from: &Path, to: &Path) {
    let journal = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
    std::fs::copy(from, to).unwrap();
    if journal(from).exists() {
        std::fs::copy(journal(from), journal(to)).unwrap();
    }
}

#[test]
fn killed_before_any_statement_the_target_is_as_before() {
    let lab = lab();
    lab.copy_prod();
    let ends = [lab.path("prod.db"), lab.path("dev.db")].map(|path| dump(&path));
    for (run, [before, after]) in
        [(Run::Forward, [&ends[0], &ends[1]]), (Run::Back, [&ends[1], &ends[0]])]
    {
        let target = lab.path("copy.db");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let folder = lab.path(run.as_str());
        std::fs::create_dir(&folder).unwrap();
        let watch = {
            let (seen, folder, target) = (seen.clone(), folder.clone(), target.clone());
            Watch(Arc::new(move |verb, object| {
                let mut seen = seen.lock().unwrap();
                copy(&target, &folder.join(format!("{}.db", seen.len())));
                seen.push(format!("{verb} {object}"));
            }))
        };
        let applied = lab.apply("change", "copy.db", |options| {
            options.run = run;
            options.watch = Some(watch);
        });
        assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
        let steps = seen.lock().unwrap().clone();
        assert!(steps.len() > 15, "{steps:?}");
        for (number, step) in steps.iter().enumerate() {
            let left = folder.join(format!("{number}.db"));
            assert_eq!(dump(&left), *before, "killed before step {number}, {step}");
            assert_eq!(sqlite3(&left, "PRAGMA integrity_check;").trim(), "ok", "{step}");
            // Run again, it ends where it should; a few of them are enough.
            if number % 6 == 1 {
                let name = format!("{}/{number}.db", run.as_str());
                let again = lab.apply("change", &name, |options| options.run = run);
                assert_eq!(again.outcome, Ending::Applied, "{step}: {again:#?}");
                assert_eq!(dump(&left), *after, "{step}");
            }
        }
        assert_eq!(dump(&target), *after);
    }
}

#[test]
fn killed_at_any_moment_the_target_is_before_or_after() {
    let lab = lab();
    let (before, after) = (dump(&lab.path("prod.db")), dump(&lab.path("dev.db")));
    let start = || {
        lab.copy_prod();
        let args = ["apply", "change", "--to", "copy.db", "--accept-target"];
        Running::start(lab.lab.command(&args))
    };
    let started = Instant::now();
    start().end().ok();
    let whole = started.elapsed();
    let mut seen = [0, 0];
    for moment in 1..=20u32 {
        let running = start();
        // Most of them late, when tables are copied and committed.
        std::thread::sleep(whole * (8 + moment) / 28 + Duration::from_millis(1));
        running.signal("-KILL");
        running.end();
        let found = dump(&lab.path("copy.db"));
        let is_after = found == after;
        assert!(is_after || found == before, "moment {moment}: neither before nor after");
        seen[usize::from(is_after)] += 1;
        let expected = if is_after { Ending::AlreadyApplied } else { Ending::DryRun };
        let next = lab.apply("change", "copy.db", |options| options.finish = Finish::DryRun);
        assert_eq!(next.outcome, expected, "moment {moment}");
    }
    assert!(seen[0] > 0, "no run was cut short: {seen:?}");
}
