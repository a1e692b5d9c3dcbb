//! Snapshots of PostgreSQL and MariaDB beside the servers' own dumps, in one run.
//!
//! `eval "$(tests/servers start DIR)"; cargo bench --bench servers -- [--rows N] [--repeat N]`
//! makes the table of 112 bytes a row in the servers that `DEEPDIFF_TEST_POSTGRES` and
//! `DEEPDIFF_TEST_MYSQL` name, and prints the markdown of `docs/performance.md`. Contestants run in
//! turn; medians are reported.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark makes its own files and talks to whoever runs it"
)]

#[path = "../sqlite/report.rs"]
#[allow(dead_code, reason = "the other benchmark uses all of it")]
mod report;
#[path = "../sqlite/run.rs"]
#[allow(dead_code, reason = "the other benchmark uses all of it")]
mod run;

use std::cell::Cell;
use std::path::PathBuf;

use clap::Parser;
use report::{Line, Target, duration, float, number, ratio};
use run::{Contestant, Job, Run, Store, Watch, in_turn, text};

/// Measures snapshots of servers beside the servers' own dumps.
#[derive(Parser, Debug)]
struct Args {
    /// Rows of the table
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Rounds; medians are reported
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// The columns, which both servers take as they stand.
const COLUMNS: &str = "id bigint NOT NULL PRIMARY KEY, warehouse int NOT NULL, \
    code varchar(12) NOT NULL, amount numeric(12,2) NOT NULL, title varchar(40) NOT NULL, \
    updated_at timestamp NOT NULL, attributes json, active boolean NOT NULL";

const DATABASE: &str = "deepdiff_bench";

/// The default server of a variable: its URL, and the parameters of it.
struct Server {
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
        Some(Server {
            url: url.replacen("/postgres?", "/deepdiff_bench?", 1).replacen(
                "/mysql?",
                "/deepdiff_bench?",
                1,
            ),
            socket: parameter(socket)?,
            port: parameter("port=")?,
        })
    }

    fn psql(&self, database: &str, sql: &str) -> Job {
        let command = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "tester", "-h", &self.socket];
        Job::new("psql", &[&command[..], &["-p", &self.port, "-d", database, "-c", sql]].concat())
    }

    fn mariadb(&self, sql: &str) -> Job {
        Job::new("mariadb", &["--no-defaults", "-S", &self.socket, "-u", "tester", "-e", sql])
    }
}

/// A store in a temporary folder.
fn fresh_store(folder: &std::path::Path) -> Store {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("a folder can be made");
    Store::init(folder.to_owned())
}

/// A first snapshot by so many connections, into a new store.
fn snapshot<'a>(
    url: &'a str,
    folder: PathBuf,
    jobs: &'a str,
    bytes: &'a Cell<u64>,
) -> Contestant<'a> {
    Box::new(move || {
        let store = fresh_store(&folder);
        let run = store.job(&["snapshot", url, "--ref", "b", "--jobs", jobs]).run(Watch::All);
        bytes.set(store.bytes());
        run
    })
}

fn line(job: String, beside: &str, peer: Run, ours: Run, target: Target) -> Line {
    Line {
        job,
        beside: format!("{beside} {}", duration(peer.wall)),
        ours: Some(duration(ours.wall)),
        figure: Some(ratio(ours.wall, peer.wall)),
        target,
        peak_kib: ours.peak_kib,
    }
}

fn postgres(args: &Args, server: &Server, folder: &std::path::Path) -> Vec<Line> {
    let rows = args.rows;
    server.psql("postgres", &format!("DROP DATABASE IF EXISTS {DATABASE}")).run(Watch::Wall);
    server.psql("postgres", &format!("CREATE DATABASE {DATABASE}")).run(Watch::Wall);
    let fill = format!(
        "SET client_min_messages = warning; CREATE TABLE items ({COLUMNS}); \
         INSERT INTO items SELECT i, hashint8(i) & 255, \
         upper(substr(md5(i::text), 1, 12)), (hashint8(i + 7) & 9999999) / 100.0, \
         (ARRAY['Stainless','Foldable','Compact','Insulated'])[1 + (hashint8(i) & 3)] || ' ' || \
         (ARRAY['kettle','lantern','backpack','grinder'])[1 + (hashint8(i + 1) & 3)] || ', ' || \
         (ARRAY['black','navy','forest green','sand'])[1 + (hashint8(i + 2) & 3)] || ' #' || (i % 10000), \
         timestamp '2026-01-01' + (hashint8(i + 3) & 16777215) * interval '1 second', \
         CASE WHEN i % 2 = 0 THEN json_build_object('weight', hashint8(i) & 4095, 'tags', \
         json_build_array('a' || (i & 15), 'b'), 'origin', (ARRAY['DE','FR','PL','CN'])[1 + (i & 3)]) END, \
         hashint8(i + 4) & 1 = 0 FROM generate_series(1, {rows}) i"
    );
    server.psql(DATABASE, &fill).run(Watch::Wall);
    server.psql(DATABASE, "VACUUM (ANALYZE, FREEZE) items").run(Watch::Wall);
    let copy =
        server.psql(DATABASE, "COPY (SELECT * FROM items ORDER BY id) TO STDOUT (FORMAT binary)");
    let dump_file = folder.join("items.dump");
    let dump_to = text(&dump_file).to_owned();
    let connection = ["-U", "tester", "-h", &server.socket, "-p", &server.port, "-d", DATABASE];
    let dump = Job::new("pg_dump", &[&connection[..], &["-Fc", "-f", &dump_to]].concat());
    let (one, two) = (Cell::new(0), Cell::new(0));
    let runs = in_turn(
        args.repeat,
        vec![
            Box::new(|| copy.run(Watch::Wall)),
            Box::new(|| dump.run(Watch::Wall)),
            snapshot(&server.url, folder.join("one"), "1", &one),
            snapshot(&server.url, folder.join("two"), "2", &two),
        ],
    );
    let job = |jobs| format!("PostgreSQL snapshot, {} rows, --jobs {jobs}", number(float(rows)));
    let dumped = std::fs::metadata(&dump_file).map_or(0, |file| file.len());
    server.psql("postgres", &format!("DROP DATABASE {DATABASE}")).run(Watch::Wall);
    vec![
        line(job(1), "`psql` COPY binary, ordered", runs[0], runs[2], Target::AtMost(1.2, "×")),
        line(job(2), "`psql` COPY binary, ordered", runs[0], runs[3], Target::AtMost(0.7, "×")),
        line(job(1), "`pg_dump -Fc`", runs[1], runs[2], Target::AtMost(0.4, "×")),
        Line {
            job: "size of the store".to_owned(),
            beside: format!("`pg_dump -Fc` {} B a row", number(float(dumped) / float(rows))),
            ours: Some(format!("{} B a row", number(float(one.get()) / float(rows)))),
            figure: Some(float(one.get()) / float(dumped.max(1))),
            target: Target::AtMost(1.0, "×"),
            peak_kib: 0,
        },
    ]
}

fn mariadb(args: &Args, server: &Server, folder: &std::path::Path) -> Vec<Line> {
    let rows = args.rows;
    let fill = format!(
        "DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4; \
         USE {DATABASE}; CREATE TABLE items ({COLUMNS}); SET time_zone = '+00:00'; \
         INSERT INTO items SELECT seq, crc32(seq) & 255, upper(substr(md5(seq), 1, 12)), \
         (crc32(seq + 7) % 9999999) / 100, \
         concat(elt(1 + (crc32(seq) & 3), 'Stainless', 'Foldable', 'Compact', 'Insulated'), ' ', \
         elt(1 + (crc32(seq + 1) & 3), 'kettle', 'lantern', 'backpack', 'grinder'), ', ', \
         elt(1 + (crc32(seq + 2) & 3), 'black', 'navy', 'forest green', 'sand'), ' #', seq % 10000), \
         from_unixtime(1767225600 + (crc32(seq + 3) & 16777215)), \
         if(seq % 2 = 0, json_object('weight', crc32(seq) & 4095, 'tags', \
         json_array(concat('a', seq & 15), 'b'), 'origin', elt(1 + (seq & 3), 'DE', 'FR', 'PL', 'CN')), NULL), \
         crc32(seq + 4) & 1 FROM seq_1_to_{rows}; ANALYZE TABLE items"
    );
    server.mariadb(&fill).run(Watch::Wall);
    let dump = Job::new(
        "mariadb-dump",
        &["--no-defaults", "-S", &server.socket, "-u", "tester", "--single-transaction", DATABASE],
    );
    let (one, two) = (Cell::new(0), Cell::new(0));
    let runs = in_turn(
        args.repeat,
        vec![
            Box::new(|| dump.run(Watch::Wall)),
            snapshot(&server.url, folder.join("one"), "1", &one),
            snapshot(&server.url, folder.join("two"), "2", &two),
        ],
    );
    let job = |jobs| format!("MariaDB snapshot, {} rows, --jobs {jobs}", number(float(rows)));
    server.mariadb(&format!("DROP DATABASE {DATABASE}")).run(Watch::Wall);
    let beside = "`mariadb-dump --single-transaction`";
    vec![
        line(job(1), beside, runs[0], runs[1], Target::AtMost(0.8, "×")),
        line(job(2), beside, runs[0], runs[2], Target::None("×")),
    ]
}

fn main() {
    let args = Args::parse();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut lines = Vec::new();
    if let Some(server) = Server::of("DEEPDIFF_TEST_POSTGRES", "host=") {
        lines.extend(postgres(&args, &server, folder.path()));
        eprint!("{}", report::markdown(&lines));
    }
    if let Some(server) = Server::of("DEEPDIFF_TEST_MYSQL", "socket=") {
        lines.extend(mariadb(&args, &server, folder.path()));
    }
    if lines.is_empty() {
        eprintln!("no server: eval \"$(tests/servers start DIR)\" first");
        std::process::exit(2);
    }
    println!("{}, medians of {} rounds.\n", report::machine(), args.repeat);
    print!("{}", report::markdown(&lines));
}
