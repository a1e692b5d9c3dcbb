//! Peak memory where tables are unusual: as many columns as SQLite takes, and one huge value.

use std::path::PathBuf;

use super::Bench;
use super::report::{Line, Target, duration, float};
use super::run::{Run, Store, Watch};

/// The memory that any command may take, without what its largest row needs twice.
const LIMIT_MIB: f64 = 256.0;

/// Snapshots and diffs of both kinds.
pub fn extremes(bench: &Bench) -> Vec<Line> {
    const VALUE: usize = 200_000_000;
    let wide = bench.data().wide(2000);
    let large = bench.data().large(VALUE);
    if bench.is_peers_only() {
        return Vec::new();
    }
    let twice_the_value = 2.0 * 200.0e6 / 1_048_576.0;
    let mut lines = measure(bench, "2,000 columns", &wide, LIMIT_MIB);
    lines.extend(measure(bench, "a value of 200 MB", &large, LIMIT_MIB + twice_the_value));
    lines
}

fn measure(bench: &Bench, what: &str, databases: &[PathBuf; 2], limit: f64) -> Vec<Line> {
    let store = Store::init(bench.data().fresh_folder("extremes-store"));
    let line = |job: &str, run: Run| Line {
        job: format!("{job}, {what}"),
        beside: String::new(),
        ours: Some(duration(run.wall)),
        figure: Some(float(run.peak_kib) / 1024.0),
        target: Target::AtMost(limit, " MiB"),
        peak_kib: run.peak_kib,
    };
    let snapshot = store.snapshot(&databases[0], "prod").run(Watch::All);
    let again = store.snapshot(&databases[1], "dev").run(Watch::All);
    let diff = store.job(&["diff", "prod", "dev"]).accepting(1).run(Watch::All);
    let verify = store.job(&["verify", "--full"]).run(Watch::All);
    vec![
        line("snapshot", snapshot),
        line("snapshot, last byte changed", again),
        line("diff of the two", diff),
        line("verify --full", verify),
    ]
}
