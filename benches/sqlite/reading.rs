//! Phases that read databases and stores: snapshots, what they add, verify.

use std::cell::Cell;
use std::path::Path;

use super::Bench;
use super::handle::Database;
use super::report::{Line, Target, duration, float, number, ratio};
use super::run::{Contestant, Job, Run, Store, Watch, in_turn, text, timed, warm};
use super::table::Change;

/// How a table is read in the order that a snapshot needs.
pub const SCAN: &str = "SELECT * FROM items ORDER BY id";

/// `sqlite3 db .dump` to nowhere.
fn dump(database: &Path) -> Run {
    Job::new("sqlite3", &[text(database), ".dump"]).run(Watch::All)
}

/// A first snapshot beside `.dump` and the bare step loop; then the same once more.
pub fn snapshot(bench: &Bench) -> Vec<Line> {
    let rows = bench.big();
    let database = bench.data().items(rows);
    warm(&database);
    let (first_bytes, again_bytes) = (Cell::new(0), Cell::new(0));
    let folder = || bench.data().fresh_folder("snapshot-store");
    let mut contestants: Vec<Contestant<'_>> = vec![
        Box::new(|| dump(&database)),
        Box::new(|| timed(|| Database::open(&database).scan(SCAN))),
    ];
    if !bench.is_peers_only() {
        contestants.push(Box::new(|| {
            let store = Store::init(folder());
            let run = store.snapshot(&database, "items").run(Watch::All);
            first_bytes.set(store.bytes());
            run
        }));
        contestants.push(Box::new(|| {
            let store = Store::in_folder(bench.data().folder("snapshot-store"));
            let run = store.snapshot(&database, "items").run(Watch::All);
            again_bytes.set(store.bytes());
            run
        }));
    }
    let runs = in_turn(bench.rounds(), contestants);
    let [dump, scan] = [runs[0], runs[1]];
    let (ours, again) = (runs.get(2), runs.get(3));
    let job = format!("snapshot, {} rows", number(float(rows)));
    let line = |beside: String, target, figure: Option<f64>| Line {
        job: job.clone(),
        beside,
        ours: ours.map(|run| duration(run.wall)),
        figure,
        target,
        peak_kib: ours.map_or(0, |run| run.peak_kib),
    };
    let per_row = |bytes: u64| float(bytes) / float(rows);
    let file_bytes = std::fs::metadata(&database).map_or(0, |file| file.len());
    vec![
        line(
            format!("`sqlite3 db .dump` {}", duration(dump.wall)),
            Target::AtMost(0.40, "×"),
            ours.map(|run| ratio(run.wall, dump.wall)),
        ),
        line(
            format!("bare `sqlite3_step` loop {}", duration(scan.wall)),
            Target::AtMost(1.8, "×"),
            ours.map(|run| ratio(run.wall, scan.wall)),
        ),
        Line {
            job: "size of the store".to_owned(),
            beside: format!("database file {} B a row", number(per_row(file_bytes))),
            ours: ours.map(|_| format!("{} B", number(float(first_bytes.get())))),
            figure: ours.map(|_| per_row(first_bytes.get())),
            target: Target::None(" B a row"),
            peak_kib: 0,
        },
        Line {
            job: "again, nothing changed".to_owned(),
            beside: ours.map_or_else(String::new, |r| format!("the first {}", duration(r.wall))),
            ours: again.map(|run| duration(run.wall)),
            figure: ours.zip(again).map(|(first, again)| ratio(again.wall, first.wall)),
            target: Target::AtMost(0.8, "×"),
            peak_kib: again.map_or(0, |run| run.peak_kib),
        },
        added(
            "again: added to the store",
            again.map(|_| again_bytes.get() - first_bytes.get()),
            8.0,
        ),
    ]
}

/// A line on bytes that a snapshot added, with a limit in kB.
pub fn added(job: &str, bytes: Option<u64>, limit_kb: f64) -> Line {
    Line {
        job: job.to_owned(),
        beside: String::new(),
        ours: bytes.map(|bytes| format!("{} B", number(float(bytes)))),
        figure: bytes.map(|bytes| float(bytes) / 1000.0),
        target: Target::AtMost(limit_kb, " kB"),
        peak_kib: 0,
    }
}

/// What 1,000 random updates of one column add.
pub fn growth(bench: &Bench) -> Vec<Line> {
    let rows = bench.million();
    let updates = bench.changes(1000, rows);
    let base = bench.data().items(rows);
    let changed = bench.data().changed(rows, Change::Amounts(updates));
    let bytes = (!bench.is_peers_only()).then(|| {
        let store = Store::init(bench.data().fresh_folder("growth-store"));
        store.snapshot(&base, "items").run(Watch::Wall);
        let before = store.bytes();
        store.snapshot(&changed, "items").run(Watch::Wall);
        store.bytes() - before
    });
    vec![Line {
        job: format!("growth, {updates} random updates in {} rows", number(float(rows))),
        beside: "rows changed".to_owned(),
        ours: bytes.map(|bytes| format!("{} B", number(float(bytes)))),
        figure: bytes.map(|bytes| float(bytes) / float(updates) / 1000.0),
        target: Target::AtMost(1.5, " kB a row"),
        peak_kib: 0,
    }]
}

/// Verify, by default and in full, against the bytes that were hashed as rows.
pub fn verify(bench: &Bench) -> Vec<Line> {
    if bench.is_peers_only() {
        return Vec::new();
    }
    let database = bench.data().items(bench.big());
    let store = Store::init(bench.data().fresh_folder("verify-store"));
    let url = super::run::url(&database);
    let taken = store.job(&["snapshot", &url, "--ref", "items", "--json"]).json();
    let raw_bytes = taken["bytes_read"].as_u64().expect("snapshot --json gives bytes_read");
    let runs = in_turn(
        bench.rounds(),
        vec![
            Box::new(|| store.job(&["verify"]).run(Watch::All)),
            Box::new(|| store.job(&["verify", "--full"]).run(Watch::All)),
        ],
    );
    let line = |job: &str, run: Run, target: f64| Line {
        job: job.to_owned(),
        beside: format!("{} MB of rows", number(float(raw_bytes) / 1e6)),
        ours: Some(format!("{}, {} of processor", duration(run.wall), duration(run.cpu))),
        figure: Some(float(raw_bytes) / 1e9 / run.cpu.as_secs_f64()),
        target: Target::AtLeast(target, " GB/s a core"),
        peak_kib: run.peak_kib,
    };
    vec![line("verify", runs[0], 0.5), line("verify --full", runs[1], 0.3)]
}
