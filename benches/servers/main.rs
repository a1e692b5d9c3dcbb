//! Snapshots of PostgreSQL and MariaDB beside the servers' own dumps, in one run.
//!
//! `eval "$(tests/servers start DIR)"; cargo bench --bench servers -- [--rows N] [--repeat N] [PHASE…]`
//! makes the table of 112 bytes a row in the servers that `DEEPDIFF_TEST_POSTGRES` and
//! `DEEPDIFF_TEST_MYSQL` name, and prints the markdown of `docs/performance.md`. Contestants run in
//! turn; medians are reported.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark makes its own files and talks to whoever runs it"
)]

mod applying;
mod latency;
mod mariadb;
mod postgres;
#[path = "../sqlite/report.rs"]
#[allow(dead_code, reason = "the other benchmark uses all of it")]
mod report;
#[path = "../sqlite/run.rs"]
#[allow(dead_code, reason = "the other benchmark uses all of it")]
mod run;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use clap::Parser;
use report::{Line, Target, duration, ratio};
use run::{Contestant, Job, Run, Store, Watch};

/// Measures snapshots of servers beside the servers' own dumps.
#[derive(Parser, Debug)]
struct Args {
    /// Rows of the table
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Rounds; medians are reported
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// How long each round of the phase `latency` writes, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Print the phases and what each measures
    #[arg(long)]
    list: bool,
    /// The phases to run, by default all for whose server there is a URL
    phases: Vec<String>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// The columns, which both servers take as they stand.
const COLUMNS: &str = "id bigint NOT NULL PRIMARY KEY, warehouse int NOT NULL, \
    code varchar(12) NOT NULL, amount numeric(12,2) NOT NULL, title varchar(40) NOT NULL, \
    updated_at timestamp NOT NULL, attributes json, active boolean NOT NULL";

const DATABASE: &str = "deepdiff_bench";

/// The password of `tester` over TCP, as `tests/servers` sets it.
const PASSWORD: &str = "tester-password";

/// What the phases need to know.
struct Bench {
    rows: u64,
    repeat: usize,
    seconds: u64,
    /// For stores and dumps.
    folder: PathBuf,
}

/// The default server of a variable: its URL, and the parameters of it.
struct Server {
    /// Of the database [`DATABASE`], over the socket.
    url: String,
    socket: String,
    port: String,
}

impl Server {
    fn of(variable: &str, socket: &str) -> Option<Server> {
        let list = std::env::var(variable).ok()?;
        let (_, url) = list.split_whitespace().next()?.split_once('=')?;
        let parameter = |name: &str| {
            let rest = url.split_once(name)?.1;
            rest.split('&').next().map(str::to_owned)
        };
        let ours = format!("/{DATABASE}?");
        Some(Server {
            url: url.replacen("/postgres?", &ours, 1).replacen("/mysql?", &ours, 1),
            socket: parameter(socket)?,
            port: parameter("port=")?,
        })
    }
}

/// A store in a temporary folder.
fn fresh_store(folder: &Path) -> Store {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("a folder can be made");
    Store::init(folder.to_owned())
}

/// First snapshots, each into a new store.
struct Snapshots {
    url: String,
    folder: PathBuf,
    options: Vec<String>,
    /// The bytes of the last store.
    bytes: Cell<u64>,
}

impl Snapshots {
    /// By so many connections.
    fn new(url: &str, folder: &Path, jobs: &str) -> Snapshots {
        let options = vec!["--jobs".to_owned(), jobs.to_owned()];
        let folder = folder.join(format!("store-{jobs}"));
        Snapshots { url: url.to_owned(), folder, options, bytes: Cell::new(0) }
    }

    fn take(&self) -> Run {
        let store = fresh_store(&self.folder);
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let job = store.job(&[&["snapshot", &self.url, "--ref", "b"][..], &options].concat());
        let run = with_password(job, &self.url).run(Watch::All);
        self.bytes.set(store.bytes());
        run
    }

    fn contestant(&self) -> Contestant<'_> {
        Box::new(|| self.take())
    }
}

/// With the password that is wanted over TCP; over a socket one is wrong.
fn with_password(job: Job, address: &str) -> Job {
    match address.contains("127.0.0.1") {
        true => job.with("PGPASSWORD", PASSWORD).with("MYSQL_PWD", PASSWORD),
        false => job,
    }
}

/// A job that nobody watches.
fn peer(job: &Job) -> Contestant<'_> {
    Box::new(|| job.run(Watch::Wall))
}

/// A line of a snapshot beside a peer's job.
fn line(job: String, beside: &str, peer: Run, ours: Run, target: Target) -> Line {
    Line {
        job,
        beside: format!("{beside} {}", duration(peer.wall)),
        ours: Some(format!("{}, {} of processor", duration(ours.wall), duration(ours.cpu))),
        figure: Some(ratio(ours.wall, peer.wall)),
        target,
        peak_kib: ours.peak_kib,
    }
}

/// A phase: its name, its server, what it measures, and how.
type Phase = (&'static str, &'static str, &'static str, fn(&Bench, &Server) -> Vec<Line>);

const POSTGRES: &str = "postgres";
const MARIADB: &str = "mariadb";

const PHASES: [Phase; 8] = [
    ("postgres", POSTGRES, "beside psql COPY and pg_dump -Fc", postgres::dumps),
    ("heap", POSTGRES, "rows in random physical order, beside psql COPY", postgres::heap),
    ("tls", POSTGRES, "over TCP with TLS, beside psql COPY over the same", postgres::tls),
    ("latency", POSTGRES, "p99 of a pgbench writer, with and without a snapshot", latency::writer),
    ("apply", POSTGRES, "a pack of 20,000 row changes, there and back", applying::on_postgres),
    ("mariadb", MARIADB, "beside mariadb-dump", mariadb::dumps),
    ("mariadb-tls", MARIADB, "over TCP with TLS, beside mariadb-dump over the same", mariadb::tls),
    (
        "mariadb-apply",
        MARIADB,
        "a pack of 20,000 row changes, there and back",
        applying::on_mariadb,
    ),
];

/// A server, and how its table is made and dropped.
type Engine = (&'static str, Option<Server>, fn(&Bench, &Server), fn(&Server));

fn main() {
    let args = Args::parse();
    if args.list {
        for (name, _, what, _) in PHASES {
            println!("{name:<12} {what}");
        }
        return;
    }
    let unknown = args.phases.iter().find(|name| !PHASES.iter().any(|(known, ..)| known == name));
    if let Some(name) = unknown {
        eprintln!("there is no phase {name}: see --list");
        std::process::exit(2);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = Bench {
        rows: args.rows,
        repeat: args.repeat.max(1),
        seconds: args.seconds,
        folder: folder.path().to_owned(),
    };
    let engines: [Engine; 2] = [
        (
            POSTGRES,
            Server::of("DEEPDIFF_TEST_POSTGRES", "host="),
            postgres::fill,
            postgres::drop_all,
        ),
        (MARIADB, Server::of("DEEPDIFF_TEST_MYSQL", "socket="), mariadb::fill, mariadb::drop_all),
    ];
    let is_chosen = |name: &str| args.phases.is_empty() || args.phases.iter().any(|p| p == name);
    let mut lines = Vec::new();
    for (engine, server, fill, drop_all) in engines {
        let phases = PHASES.iter().filter(|(name, of, ..)| *of == engine && is_chosen(name));
        let (Some(server), true) = (server, phases.clone().next().is_some()) else { continue };
        fill(&bench, &server);
        for (name, _, what, measure) in phases {
            eprintln!("== {name}: {what}");
            let measured = measure(&bench, &server);
            eprint!("{}", report::markdown(&measured));
            lines.extend(measured);
        }
        drop_all(&server);
    }
    if lines.is_empty() {
        eprintln!("no server: eval \"$(tests/servers start DIR)\" first");
        std::process::exit(2);
    }
    println!("{}, medians of {} rounds.\n", report::machine(), bench.repeat);
    print!("{}", report::markdown(&lines));
}
