//! Case L01 on servers: while money moves between two tables, no snapshot misses or doubles any.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::lab::Lab;
use crate::server_lab::{Engine, state};
use crate::servers::Database;

const ACCOUNTS: i64 = 200;
const EACH: i64 = 1_000;

/// Clients that move money until the bank is closed.
struct Bank {
    is_closed: Arc<AtomicBool>,
    clerks: Vec<JoinHandle<()>>,
}

impl Bank {
    fn open(database: &Database, clerks: u64) -> Bank {
        let is_closed = Arc::new(AtomicBool::new(false));
        let clerk = |number: u64| {
            let mut client = database.server.client(&database.name);
            client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let client = client.spawn().unwrap();
            let is_closed = Arc::clone(&is_closed);
            std::thread::spawn(move || work(client, number, &is_closed))
        };
        let clerks = (1..=clerks).map(clerk).collect();
        Bank { is_closed, clerks }
    }
}

/// Sends transfers, always from `a` to `b`, so that no two of them wait for each other in a circle.
fn work(mut client: Child, number: u64, is_closed: &AtomicBool) {
    let mut stdin = client.stdin.take().unwrap();
    let mut random = number;
    while !is_closed.load(Ordering::Relaxed) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let accounts = u64::try_from(ACCOUNTS).unwrap();
        let (from, to) = ((random >> 33) % accounts + 1, (random >> 20) % accounts + 1);
        let transfer = format!(
            "BEGIN; UPDATE a SET n = n - 7 WHERE id = {from};
             UPDATE b SET n = n + 7 WHERE id = {to}; COMMIT;\n"
        );
        if stdin.write_all(transfer.as_bytes()).is_err() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    drop(stdin);
    let _ = client.kill();
    let _ = client.wait();
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Relaxed);
        for clerk in self.clerks.drain(..) {
            let _ = clerk.join();
        }
    }
}

/// The sum of a table's money.
fn sum(lab: &Lab, table: &str) -> i64 {
    let rows = lab.run(&["cat", table, "--at", "prod", "--json"]).ok().stdout;
    let amount = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["row"]["n"].as_i64().unwrap()
    };
    rows.lines().map(amount).sum()
}

fn invariant(engine: Engine, snapshots: usize) {
    let database = engine.loaded(&format!(
        "CREATE TABLE a(id int PRIMARY KEY, n int); CREATE TABLE b(id int PRIMARY KEY, n int);
         INSERT INTO a SELECT i, {EACH} FROM $1({ACCOUNTS}); INSERT INTO b SELECT id, 0 FROM a;"
    ));
    let (a, b) = match engine {
        Engine::Postgres => ("public.a", "public.b"),
        Engine::Mariadb => ("a", "b"),
    };
    let lab = Lab::new();
    let bank = Bank::open(&database, 8);
    let mut states = std::collections::HashSet::new();
    for _ in 0..snapshots {
        states.insert(state(&lab, &database.url(), "prod", &["--jobs", "2"]));
        assert_eq!(sum(&lab, a) + sum(&lab, b), ACCOUNTS * EACH, "{engine:?}");
    }
    drop(bank);
    assert!(states.len() > snapshots / 2, "the bank did not move: {} states", states.len());
}

#[test]
fn l01_postgres_bank_invariant() {
    invariant(Engine::Postgres, 50);
}

#[test]
fn l01_mariadb_bank_invariant() {
    invariant(Engine::Mariadb, 20);
}
