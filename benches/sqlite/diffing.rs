//! Phases that compare snapshots, beside Debian's `sqldiff` on the two files.

use std::path::PathBuf;
use std::time::Duration;

use super::Bench;
use super::handle::Database;
use super::reading::{SCAN, added};
use super::report::{Line, Target, duration, float, number, ratio};
use super::run::{Contestant, Job, Run, Store, Watch, in_turn, text, timed, warm};
use super::table::Change;

/// A new store with snapshots of these files under these names.
fn store_of(bench: &Bench, name: &str, snapshots: &[(&str, &PathBuf)]) -> Store {
    let store = Store::init(bench.data().fresh_folder(name));
    for (reference, database) in snapshots {
        store.snapshot(database, reference).run(Watch::Wall);
    }
    store
}

fn milliseconds(run: Run) -> f64 {
    run.wall.as_secs_f64() * 1000.0
}

/// Two equal snapshots, the whole process; beside a process that does nothing.
pub fn equal(bench: &Bench) -> Vec<Line> {
    let database = bench.data().items(bench.million());
    let store = (!bench.is_peers_only())
        .then(|| store_of(bench, "equal-store", &[("prod", &database), ("dev", &database)]));
    let mut contestants: Vec<Contestant<'_>> =
        vec![Box::new(|| Job::new("/bin/true", &[]).run(Watch::Wall))];
    if let Some(store) = &store {
        contestants.push(Box::new(|| store.job(&["diff", "prod", "dev"]).run(Watch::Wall)));
    }
    // Milliseconds need more rounds than seconds.
    let runs = in_turn(bench.rounds().max(25), contestants);
    let ours = runs.get(1).copied();
    let peak =
        store.map_or(0, |store| store.job(&["diff", "prod", "dev"]).run(Watch::All).peak_kib);
    vec![Line {
        job: "diff of equal snapshots, whole process".to_owned(),
        beside: format!("`/bin/true` {}", duration(runs[0].wall)),
        ours: ours.map(|run| duration(run.wall)),
        figure: ours.map(milliseconds),
        target: Target::AtMost(5.0, " ms"),
        peak_kib: peak,
    }]
}

/// A hundred rows changed at random, printed by a cold process.
pub fn hundred(bench: &Bench) -> Vec<Line> {
    let rows = bench.big();
    let base = bench.data().items(rows);
    let changes = bench.changes(100, rows);
    let changed = bench.data().changed(rows, Change::Rows(changes));
    warm(&base);
    warm(&changed);
    let sqldiff =
        || Job::new("sqldiff", &["--primarykey", text(&base), text(&changed)]).run(Watch::All);
    let store = (!bench.is_peers_only())
        .then(|| store_of(bench, "diff-store", &[("prod", &base), ("dev", &changed)]));
    let mut contestants: Vec<Contestant<'_>> = vec![Box::new(sqldiff)];
    let job = |store: &Store| store.job(&["diff", "prod", "dev"]).accepting(1);
    if let Some(store) = &store {
        contestants.push(Box::new(|| job(store).run(Watch::Wall)));
    }
    let runs = in_turn(bench.rounds(), contestants);
    let ours = runs.get(1).copied();
    vec![Line {
        job: format!("diff, {changes} random rows of {}, printed", number(float(rows))),
        beside: format!("`sqldiff` {}", duration(runs[0].wall)),
        ours: ours.map(|run| duration(run.wall)),
        figure: ours.map(milliseconds),
        target: Target::AtMost(40.0, " ms"),
        peak_kib: store.map_or(0, |store| job(&store).run(Watch::All).peak_kib),
    }]
}

/// Every row changed: what comparing costs where nothing is shared.
pub fn every(bench: &Bench) -> Vec<Line> {
    let rows = bench.big();
    let base = bench.data().items(rows);
    let changed = bench.data().changed(rows, Change::EveryAmount);
    warm(&base);
    warm(&changed);
    let both =
        || timed(|| [&base, &changed].map(|database| Database::open(database).scan(SCAN).rows));
    let sqldiff =
        || Job::new("sqldiff", &["--primarykey", text(&base), text(&changed)]).run(Watch::All);
    let store = (!bench.is_peers_only())
        .then(|| store_of(bench, "every-store", &[("prod", &base), ("dev", &changed)]));
    let mut contestants: Vec<Contestant<'_>> = vec![Box::new(both), Box::new(sqldiff)];
    if let Some(store) = &store {
        for option in [&["--stat"][..], &[]] {
            let mut args = vec!["diff", "prod", "dev"];
            args.extend(option);
            let job = store.job(&args).accepting(1);
            contestants.push(Box::new(move || job.run(Watch::All)));
        }
    }
    let runs = in_turn(bench.rounds(), contestants);
    let per_second = |time: Duration| float(rows) / 1e6 / time.as_secs_f64();
    let line = |job: &str, beside: String, run: Option<&Run>, target| Line {
        job: format!("{job}, all of {} rows changed", number(float(rows))),
        beside,
        ours: run.map(|run| format!("{}, {} of processor", duration(run.wall), duration(run.cpu))),
        figure: run.map(|run| per_second(run.cpu)),
        target,
        peak_kib: run.map_or(0, |run| run.peak_kib),
    };
    let unit = " M rows/s a core";
    vec![
        line(
            "diff --stat",
            format!("reading both sides {}", duration(runs[0].wall)),
            runs.get(2),
            Target::AtLeast(1.5, unit),
        ),
        line(
            "diff, printed",
            format!("`sqldiff` {}", duration(runs[1].wall)),
            runs.get(3),
            Target::None(unit),
        ),
    ]
}

/// A column is added: empty, and with a default.
pub fn columns(bench: &Bench) -> Vec<Line> {
    if bench.is_peers_only() {
        return Vec::new();
    }
    let rows = bench.big();
    let base = bench.data().items(rows);
    let empty = bench.data().changed(rows, Change::EmptyColumn);
    let default = bench.data().changed(rows, Change::DefaultColumn);
    let store = store_of(bench, "columns-store", &[("prod", &base)]);
    let before = store.bytes();
    store.snapshot(&empty, "empty").run(Watch::Wall);
    let grown = store.bytes() - before;
    store.snapshot(&default, "default").run(Watch::Wall);
    let diff = |name: &'static str| {
        let job = store.job(&["diff", "prod", name]).accepting(1);
        Box::new(move || job.run(Watch::All)) as Contestant<'_>
    };
    let stat = store.job(&["diff", "prod", "default", "--stat"]).accepting(1);
    let runs = in_turn(
        bench.rounds(),
        vec![diff("empty"), diff("default"), Box::new(|| stat.run(Watch::All))],
    );
    let line = |job: &str, run: Run| Line {
        job: format!("{job}, {} rows", number(float(rows))),
        beside: String::new(),
        ours: Some(duration(run.wall)),
        figure: Some(run.wall.as_secs_f64()),
        target: Target::AtMost(0.5, " s"),
        peak_kib: run.peak_kib,
    };
    vec![
        // A chunk that is rewritten adds about a kilobyte, and there are thousands of them: below
        // this only the schema's facts and the roots were written.
        added("ADD COLUMN, empty: added to the store", Some(grown), 64.0),
        line("diff after ADD COLUMN, empty", runs[0]),
        line("diff after ADD COLUMN with a default", runs[1]),
        line("diff --stat after ADD COLUMN with a default", runs[2]),
    ]
}

/// A line on a diff beside the same one elsewhere.
pub fn beside_itself(job: &str, beside: &str, runs: [Run; 2], limit: f64) -> Line {
    Line {
        job: job.to_owned(),
        beside: format!("{beside} {}", duration(runs[0].wall)),
        ours: Some(duration(runs[1].wall)),
        figure: Some(ratio(runs[1].wall, runs[0].wall)),
        target: Target::AtMost(limit, "×"),
        peak_kib: runs[1].peak_kib,
    }
}
