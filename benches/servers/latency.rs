//! What a snapshot costs somebody who writes at the same time: the p99 latency of pgbench's
//! transactions with nothing beside it, with snapshots one after the other, and with snapshots at
//! half the speed that they have by themselves.
//!
//! The writer begins a fixed number of transactions a second, so that there is time left for
//! others as on a server that is not overloaded, and latency counts from when each was due.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::postgres::psql;
use crate::report::{Line, Target, duration, float, number, ratio};
use crate::run::{Job, Run, Watch, in_turn, text};
use crate::{Bench, DATABASE, Server, Snapshots};

/// What pgbench writes to.
pub const WRITTEN: &str = "deepdiff_bench_writer";

/// Transactions that the writer begins in a second.
const RATE: &str = "200";

/// A writer, and what runs beside it.
pub fn writer(bench: &Bench, server: &Server) -> Vec<Line> {
    psql(server, "postgres", &format!("CREATE DATABASE {WRITTEN}")).run(Watch::Wall);
    pgbench(server, &["-i", "-q", "-s", "10"]).run(Watch::Wall);
    let free = Snapshots::new(&server.url, &bench.folder, "1");
    free.take();
    let seconds = free.take().wall.as_secs_f64();
    let half = number(float(bench.rows) / seconds / 2.0).replace(',', "");
    let half = half.split('.').next().unwrap_or_default().to_owned();
    let mut paced = Snapshots::new(&server.url, &bench.folder, "1");
    paced.options.extend(["--max-rate".to_owned(), half.clone()]);
    let runs = in_turn(
        bench.repeat,
        vec![
            Box::new(|| p99(bench, server)),
            Box::new(|| beside(&free, || p99(bench, server))),
            Box::new(|| beside(&paced, || p99(bench, server))),
        ],
    );
    let line = |job: String, ours: Run, target| Line {
        job,
        beside: format!("nothing beside it {}", duration(runs[0].wall)),
        ours: Some(duration(ours.wall)),
        figure: Some(ratio(ours.wall, runs[0].wall)),
        target,
        peak_kib: 0,
    };
    let p99 = format!("p99 of `pgbench -R {RATE}`");
    vec![
        line(format!("{p99}, a snapshot of {DATABASE} beside it"), runs[1], Target::None("×")),
        line(format!("{p99}, one with --max-rate {half}"), runs[2], Target::AtMost(1.25, "×")),
    ]
}

fn pgbench(server: &Server, args: &[&str]) -> Job {
    let to = ["-U", "tester", "-h", &server.socket, "-p", &server.port];
    Job::new("pgbench", &[args, &to, &[WRITTEN]].concat())
}

/// Runs `work` while snapshots are taken, one after the other.
fn beside(snapshots: &Snapshots, work: impl FnOnce() -> Run) -> Run {
    let is_over = AtomicBool::new(false);
    let (url, folder, options) = (&snapshots.url, &snapshots.folder, &snapshots.options);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let again = Snapshots {
                    url: url.clone(),
                    folder: folder.clone(),
                    options: options.clone(),
                    bytes: std::cell::Cell::new(0),
                };
                again.take();
            }
        });
        // The first one is reading when the writer begins.
        std::thread::sleep(Duration::from_millis(300));
        let run = work();
        is_over.store(true, Ordering::Relaxed);
        run
    })
}

/// The latency that one in a hundred transactions exceeds.
fn p99(bench: &Bench, server: &Server) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let prefix = folder.path().join("writer");
    let seconds = bench.seconds.to_string();
    let args = ["-n", "-c", "1", "-M", "prepared", "-R", RATE, "-T", &seconds, "-l"];
    let log = format!("--log-prefix={}", text(&prefix));
    pgbench(server, &[&args[..], &[&log]].concat()).run(Watch::Wall);
    let mut latencies = latencies(folder.path());
    assert!(!latencies.is_empty(), "pgbench logged no transaction");
    latencies.sort_unstable();
    let place = (latencies.len() * 99 / 100).min(latencies.len() - 1);
    Run { wall: Duration::from_micros(latencies[place]), ..Run::default() }
}

/// The third field of every line of pgbench's logs: microseconds.
fn latencies(folder: &Path) -> Vec<u64> {
    let files = std::fs::read_dir(folder).expect("a folder of ours");
    let paths = files.map(|file| file.expect("a file of ours").path());
    let logs = paths.map(|path| std::fs::read_to_string(path).expect("pgbench's log is text"));
    logs.flat_map(|log| {
        let fields = log.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
        fields.collect::<Vec<u64>>()
    })
    .collect()
}
