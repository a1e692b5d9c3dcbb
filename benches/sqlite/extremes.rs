//! Peak memory where tables are unusual: as many columns as SQLite takes, and one huge value.

use std::fs;
use std::path::PathBuf;

use super::Bench;
use super::report::{Line, Target, duration, float};
use super::run::{Run, Store, Watch, text, url};

/// The memory that any command may take, without what its largest row needs twice.
const LIMIT_MIB: f64 = 256.0;

/// Every command that reads or writes rows, on databases of both kinds.
pub fn extremes(bench: &Bench) -> Vec<Line> {
    const VALUE: usize = 200_000_000;
    let wide = bench.data().wide(2000);
    let large = bench.data().large(VALUE);
    let none = bench.data().without_large();
    if bench.is_peers_only() {
        return Vec::new();
    }
    let twice_the_value = 2.0 * 200.0e6 / 1_048_576.0;
    let store = |name: &str| Store::init(bench.data().fresh_folder(name));
    let wide_phase =
        Phase { what: "2,000 columns", store: store("extremes-wide"), limit: LIMIT_MIB };
    let mut lines = wide_phase.reading(&wide);
    lines.extend(wide_phase.changing(bench, "an update", ("prod", &wide[0]), "dev"));
    let limit = LIMIT_MIB + twice_the_value;
    let phase = Phase { what: "a value of 200 MB", store: store("extremes-large"), limit };
    lines.extend(phase.reading(&large));
    phase.store.snapshot(&none, "none").run(Watch::Wall);
    lines.extend(phase.changing(bench, "an update", ("prod", &large[0]), "dev"));
    lines.extend(phase.changing(bench, "an insert", ("none", &none), "prod"));
    lines.extend(phase.changing(bench, "a delete", ("prod", &large[0]), "none"));
    lines.push(phase.restoring(bench));
    lines
}

/// Databases of one kind, and what is allowed for them.
struct Phase {
    what: &'static str,
    store: Store,
    limit: f64,
}

impl Phase {
    fn line(&self, job: &str, run: &Run) -> Line {
        Line {
            job: format!("{job}, {}", self.what),
            beside: String::new(),
            ours: Some(duration(run.wall)),
            figure: Some(float(run.peak_kib) / 1024.0),
            target: Target::AtMost(self.limit, " MiB"),
            peak_kib: run.peak_kib,
        }
    }

    fn reading(&self, databases: &[PathBuf; 2]) -> Vec<Line> {
        let store = &self.store;
        let snapshot = store.snapshot(&databases[0], "prod").run(Watch::All);
        let again = store.snapshot(&databases[1], "dev").run(Watch::All);
        let diff = store.job(&["diff", "prod", "dev"]).accepting(1).run(Watch::All);
        let verify = store.job(&["verify", "--full"]).run(Watch::All);
        vec![
            self.line("snapshot", &snapshot),
            self.line("snapshot, last byte changed", &again),
            self.line("diff of the two", &diff),
            self.line("verify --full", &verify),
        ]
    }

    /// A pack from one snapshot to another, on a copy of the database: there and back.
    fn changing(
        &self,
        bench: &Bench,
        change: &str,
        (from, database): (&str, &PathBuf),
        to: &str,
    ) -> Vec<Line> {
        let folder = bench.data().fresh_folder("extremes-pack");
        let (pack, target) = (folder.join("pack"), folder.join("target.db"));
        fs::copy(database, &target).expect("a database can be copied");
        let (pack, target) = (text(&pack), url(&target));
        let make = ["pack", from, to, "-o", pack, "--allow", "all"];
        let apply = ["apply", pack, "--to", &target, "--accept-target"];
        let with = |option| [&apply[..], &[option]].concat();
        let jobs = [
            ("pack", make.to_vec()),
            ("apply --dry-run", with("--dry-run")),
            ("apply", apply.to_vec()),
            ("apply --rollback", with("--rollback")),
        ];
        jobs.iter()
            .map(|(job, args)| {
                self.line(&format!("{job}, {change}"), &self.store.job(args).run(Watch::All))
            })
            .collect()
    }

    fn restoring(&self, bench: &Bench) -> Line {
        let folder = bench.data().fresh_folder("extremes-restore");
        let target = url(&folder.join("restored.db"));
        let restore = self.store.job(&["restore", "prod", "--to", &target]).run(Watch::All);
        self.line("restore", &restore)
    }
}
