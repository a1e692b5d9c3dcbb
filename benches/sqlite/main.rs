//! Every target for SQLite beside its peer's own command, in one run.
//!
//! `cargo bench --bench sqlite -- [--rows N] [--repeat N] [--peers] [--list] [PHASE…]`; what is
//! printed is the markdown of `docs/performance.md`. Databases are kept under `target/bench-data`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark makes its own files and talks to whoever runs it"
)]

mod changing;
mod diffing;
mod extremes;
mod handle;
#[path = "../items/mod.rs"]
mod items;
mod reading;
mod report;
mod run;
mod table;

use std::path::{Path, PathBuf};

use clap::Parser;
use report::Line;
use table::Data;

/// A million, the size that fits a CI run.
const MILLION: u64 = 1_000_000;

/// Measures the program on SQLite databases beside its peers.
#[derive(Parser, Debug)]
struct Args {
    /// Rows of the table, for every phase [default: 5 million, or 1 million where the target says so]
    #[arg(long)]
    rows: Option<u64>,
    /// Rounds; medians are reported
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Run the peers only
    #[arg(long)]
    peers: bool,
    /// Where databases are kept [default: bench-data in the target directory]
    #[arg(long)]
    data: Option<PathBuf>,
    /// List the phases
    #[arg(long)]
    list: bool,
    /// What to measure [default: everything]
    phases: Vec<String>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a phase needs to know.
pub struct Bench {
    rows: Option<u64>,
    repeat: usize,
    peers: bool,
    data: Data,
}

impl Bench {
    /// The rows of the big table.
    pub fn big(&self) -> u64 {
        self.rows.unwrap_or(5 * MILLION)
    }

    /// The rows of the table of a million.
    pub fn million(&self) -> u64 {
        self.rows.unwrap_or(MILLION).min(MILLION)
    }

    /// How many rows are changed where a phase wants `wished` of `rows`: a small table, as one that
    /// only tries the benchmark out, has fewer to change.
    pub fn changes(&self, wished: u64, rows: u64) -> u64 {
        wished.min(rows / 10)
    }

    /// How many rounds are run.
    pub fn rounds(&self) -> usize {
        self.repeat.max(1)
    }

    /// Whether only peers are run.
    pub fn is_peers_only(&self) -> bool {
        self.peers
    }

    /// The databases.
    pub fn data(&self) -> &Data {
        &self.data
    }
}

/// A phase: its name, what it measures, and how.
type Phase = (&'static str, &'static str, fn(&Bench) -> Vec<Line>);

const PHASES: [Phase; 10] = [
    (
        "snapshot",
        "a first snapshot beside .dump and a bare step loop; then one more",
        reading::snapshot,
    ),
    ("growth", "what 1,000 random updates of one column add to the store", reading::growth),
    (
        "columns",
        "ALTER TABLE ADD COLUMN, empty and with a default: bytes added, time of the diff",
        diffing::columns,
    ),
    ("verify", "verify, default and full", reading::verify),
    ("diff-equal", "two equal snapshots, the whole process", diffing::equal),
    ("diff", "100 random changed rows, printed, beside sqldiff", diffing::hundred),
    ("diff-every", "every row changed, beside reading both sides", diffing::every),
    ("apply", "20,000 guarded changes, beside sqldiff's SQL through sqlite3", changing::apply),
    ("many", "a diff in a store of 1,000 snapshots beside one of 10", changing::many),
    ("extremes", "peak memory with 2,000 columns, and with a value of 200 MB", extremes::extremes),
];

fn main() {
    let args = Args::parse();
    if args.list {
        for (name, what, _) in PHASES {
            println!("{name:<12} {what}");
        }
        return;
    }
    let unknown = args.phases.iter().find(|name| !PHASES.iter().any(|(known, ..)| known == name));
    if let Some(name) = unknown {
        eprintln!("there is no phase {name}: see --list");
        std::process::exit(2);
    }
    let folder = args.data.unwrap_or_else(|| {
        // Beside the folder that cargo gives to tests and benchmarks for their files.
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        temporary.parent().unwrap_or(temporary).join("bench-data")
    });
    let bench = Bench {
        rows: args.rows,
        repeat: args.repeat,
        peers: args.peers,
        data: Data::in_folder(folder),
    };
    let mut lines = Vec::new();
    for (name, what, measure) in PHASES {
        if args.phases.is_empty() || args.phases.iter().any(|chosen| chosen == name) {
            eprintln!("== {name}: {what}");
            let measured = measure(&bench);
            eprint!("{}", report::markdown(&measured));
            lines.extend(measured);
        }
    }
    println!("{}, medians of {} rounds.\n", report::machine(), bench.rounds());
    print!("{}", report::markdown(&lines));
}
