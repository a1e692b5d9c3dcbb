//! What snapshots in git cost beside other ways to keep the history of a database.
//!
//! `cargo bench --bench audit -- [--rows N] [--commits N]` commits snapshots of one table, of which
//! 0.1 % of the rows change each time, beside the text of `sqlite3 .dump` and the database file, each
//! in a repository of its own, and prints the markdown of `docs/performance.md`. It needs `git` and
//! `sqlite3`.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark makes its own files, talks to whoever runs it, and fails by a panic"
)]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;

/// Measures the program's commits beside those of other files.
#[derive(Parser, Debug)]
struct Args {
    /// Rows of the table
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// Commits
    #[arg(long, default_value_t = 30)]
    commits: u64,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Runs a command in a folder; gives how long it took.
fn timed(dir: &Path, program: &str, args: &[&str]) -> Duration {
    let started = Instant::now();
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("DEEPDIFF_AUTHOR", "bench")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    started.elapsed()
}

fn git(dir: &Path, args: &[&str]) -> Duration {
    let who = ["-c", "user.name=bench", "-c", "user.email=b@example.org", "-c", "gc.auto=0"];
    timed(dir, "git", &[&who[..], args].concat())
}

fn sql(dir: &Path, script: &str) {
    timed(dir, "sqlite3", &["db.sqlite", script]);
}

/// The bytes of all files below a folder.
fn size(dir: &Path) -> u64 {
    let files = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap);
    files.filter(|e| e.file_type().is_file()).map(|e| e.metadata().unwrap().len()).sum()
}

fn create(dir: &Path, rows: u64) {
    sql(
        dir,
        &format!(
            "CREATE TABLE items(id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, code TEXT,
                 amount TEXT NOT NULL, name TEXT, created_at TEXT NOT NULL, attrs TEXT, active INT);
             INSERT INTO items SELECT value, (value * 7919) % 50000, printf('C%011d', value * 31),
                 printf('%d.%02d', (value * 104729) % 90000, value % 100),
                 'customer ' || hex(value * 2654435761) || ' of the list',
                 datetime(1700000000 + value * 37, 'unixepoch'),
                 CASE WHEN value % 3 > 0 THEN '{{\"tags\":[\"a' || (value % 97) || '\",\"b' ||
                     (value % 89) || '\"],\"weight\":' || ((value * 31) % 1000) || '}}' END,
                 value % 2
             FROM generate_series(1, {rows});"
        ),
    );
}

/// Changes the amount of 0.1 % of the rows, all over the table.
fn change(dir: &Path, rows: u64, round: u64) -> u64 {
    let count = (rows / 1000).max(1);
    sql(
        dir,
        &format!(
            "UPDATE items SET amount = printf('%d.%02d', (id * 31 + {round} * 7877) % 90000, {round})
             WHERE id IN (SELECT 1 + (value * 61803 + {round} * 7877) % {rows}
                          FROM generate_series(1, {count}));"
        ),
    );
    count
}

/// One way to keep the history.
struct Way {
    name: &'static str,
    /// What is measured: `.git` after `git gc`, or the store.
    first: u64,
    last: u64,
    times: Vec<Duration>,
}

impl Way {
    fn new(name: &'static str) -> Way {
        Way { name, first: 0, last: 0, times: Vec::new() }
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1000.0
    }
}

fn main() {
    let args = Args::parse();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let program = env!("CARGO_BIN_EXE_deepdiff-db");
    let repositories = ["ours", "dump", "file"].map(|name| dir.join(name));
    for repository in &repositories {
        std::fs::create_dir(repository).unwrap();
        git(repository, &["init", "-q", "-b", "main"]);
    }
    let [_, dump, file] = &repositories;
    create(dir, args.rows);
    timed(dir, program, &["init"]);
    let mut ways = [
        "`git commit` of snapshots",
        "`sqlite3 .dump`, committed",
        "the database file, committed",
        "the store alone",
    ]
    .map(Way::new);
    let mut changed = 0;
    for round in 0..args.commits {
        if round > 0 {
            changed += change(dir, args.rows, round);
        }
        let snapshot = timed(dir, program, &["snapshot", "db.sqlite", "--ref", "prod"]);
        let commit = timed(dir, program, &["git", "commit", "prod", "--repo", "ours"]);
        let text = Instant::now();
        let out = File::create(dump.join("db.sql")).unwrap();
        let mut dumping = Command::new("sqlite3");
        let dumping = dumping.args(["db.sqlite", ".dump"]).current_dir(dir).stdout(out);
        assert!(dumping.status().unwrap().success());
        git(dump, &["add", "-A"]);
        git(dump, &["commit", "-q", "-m", "dump"]);
        let text = text.elapsed();
        let copy = Instant::now();
        std::fs::copy(dir.join("db.sqlite"), file.join("db.sqlite")).unwrap();
        git(file, &["add", "-A"]);
        git(file, &["commit", "-q", "-m", "file"]);
        let times = [commit, text, copy.elapsed(), snapshot];
        let is_first = round == 0;
        let is_last = round + 1 == args.commits;
        for (at, way) in ways.iter_mut().enumerate() {
            if !is_first {
                way.times.push(times[at]);
            }
            if !is_first && !is_last {
                continue;
            }
            let bytes = match repositories.get(at) {
                Some(repository) => {
                    git(repository, &["gc", "--quiet", "--prune=now"]);
                    size(&repository.join(".git/objects"))
                }
                None => size(&dir.join(".deepdiff")),
            };
            if is_first { way.first = bytes } else { way.last = bytes }
        }
    }
    let (rows, commits) = (args.rows, args.commits);
    println!("{rows} rows, {commits} snapshots, {changed} rows changed in all\n");
    println!("| kept as | first | after all | growth a changed row | time of one, median |");
    println!("|---|---|---|---|---|");
    for way in &ways {
        println!(
            "| {} | {:.2} MB | {:.2} MB | {:.0} bytes | {:.0} ms |",
            way.name,
            way.first as f64 / 1e6,
            way.last as f64 / 1e6,
            (way.last as f64 - way.first as f64) / changed as f64,
            way.median(),
        );
    }
}
