//! Phases that change things: applying a pack, and a store that has grown old.

use std::fs;

use super::Bench;
use super::diffing::beside_itself;
use super::handle::Database;
use super::items::Random;
use super::report::{Line, Target, duration, float, number};
use super::run::{Contestant, Job, Run, Store, Watch, in_turn, text, url};
use super::table::Change;

/// A pack of guarded changes onto a copy, beside the SQL that `sqldiff` writes.
pub fn apply(bench: &Bench) -> Vec<Line> {
    let rows = bench.million();
    let base = bench.data().items(rows);
    let changes = bench.changes(20_000, rows);
    let changed = bench.data().changed(rows, Change::Mixed(changes));
    let folder = bench.data().fresh_folder("apply");
    let (target, peer_target) = (folder.join("target.db"), folder.join("peer.db"));
    let sql = folder.join("sqldiff.sql");
    Job::new("sqldiff", &["--transaction", "--primarykey", text(&base), text(&changed)])
        .writing(&sql)
        .run(Watch::Wall);
    let pack = folder.join("pack");
    let store = (!bench.is_peers_only()).then(|| {
        let store = Store::init(folder.join("store"));
        store.snapshot(&base, "prod").run(Watch::Wall);
        store.snapshot(&changed, "dev").run(Watch::Wall);
        store
    });
    let making = store.as_ref().map(|store| {
        store.job(&["pack", "prod", "dev", "-o", text(&pack), "--allow", "all"]).run(Watch::All)
    });
    let target_url = url(&target);
    let mut contestants: Vec<Contestant<'_>> = vec![Box::new(|| {
        fs::copy(&base, &peer_target).expect("a database can be copied");
        Job::new("sqlite3", &["-bail", text(&peer_target)]).reading(&sql).run(Watch::All)
    })];
    if let Some(store) = &store {
        contestants.push(Box::new(|| {
            fs::copy(&base, &target).expect("a database can be copied");
            let args = ["apply", text(&pack), "--to", &target_url, "--accept-target"];
            store.job(&args).run(Watch::All)
        }));
    }
    let runs = in_turn(bench.rounds(), contestants);
    let line = |job: String, beside: String, run: Option<&Run>, target| Line {
        job,
        beside,
        ours: run.map(|run| duration(run.wall)),
        figure: run.map(|run| float(changes) / run.wall.as_secs_f64()),
        target,
        peak_kib: run.map_or(0, |run| run.peak_kib),
    };
    vec![
        line(
            format!("apply, {} guarded changes", number(float(changes))),
            format!("`sqldiff`'s SQL by `sqlite3`, no guards {}", duration(runs[0].wall)),
            runs.get(1),
            Target::AtLeast(20_000.0, " a second"),
        ),
        line(
            format!("pack of {} changes", number(float(changes))),
            String::new(),
            making.as_ref(),
            Target::None(" a second"),
        ),
    ]
}

/// The same diff in a store of ten snapshots and in one of a thousand.
pub fn many(bench: &Bench) -> Vec<Line> {
    const ROWS: u64 = 20_000;
    const SNAPSHOTS: u64 = 1000;
    if bench.is_peers_only() {
        return Vec::new();
    }
    let base = bench.data().items(ROWS);
    let folder = bench.data().fresh_folder("many");
    let database = folder.join("growing.db");
    fs::copy(&base, &database).expect("a database can be copied");
    let store = Store::init(folder.join("store"));
    let mut random = Random::new(SNAPSHOTS);
    let mut young = None;
    for count in 1..=SNAPSHOTS {
        let shelf = random.below(2000);
        let sql = format!("UPDATE items SET amount = amount + 0.01 WHERE warehouse = {shelf}");
        Database::open(&database).execute(&sql);
        store.snapshot(&database, "items").run(Watch::Wall);
        if count == 10 {
            young = Some(store.copy_to(&folder.join("young")));
        }
    }
    let young = young.expect("there were ten");
    let diff = |store: &Store, from: &str| {
        let job = store.job(&["diff", from, "items"]).accepting(1);
        Box::new(move || job.run(Watch::Wall)) as Contestant<'_>
    };
    let runs = in_turn(
        bench.rounds().max(25),
        vec![
            diff(&young, "items~1"),
            diff(&store, "items~1"),
            diff(&young, "items~9"),
            diff(&store, "items~9"),
        ],
    );
    let of = |count: u64| format!("in a store of {count}");
    vec![
        beside_itself(
            &format!("diff of the last two {}", of(SNAPSHOTS)),
            &of(10),
            [runs[0], runs[1]],
            1.5,
        ),
        beside_itself(
            &format!("diff of ten steps {}", of(SNAPSHOTS)),
            &of(10),
            [runs[2], runs[3]],
            1.5,
        ),
    ]
}
