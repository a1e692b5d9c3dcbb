//! The client, its connection or the server is killed while a pack changes schema and rows of
//! PostgreSQL: the target is exactly as before or exactly as after.
//!
//! A gate before the server holds the answer to one command after the other, the one to COMMIT as
//! the last; then somebody is killed, and the target's state is taken by a new snapshot. Run again,
//! the pack ends in "after", and its rollback, which is treated the same way, in "before".

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use crate::lab::{Lab, Output};
use crate::server_lab::{Engine, Running, wait_until};
use crate::servers::{Database, Private, Server, postgres};

const BEFORE: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE SEQUENCE numbers;
    CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TABLE p(id int PRIMARY KEY, code text, n text, m mood DEFAULT 'ok');
    CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p, v varchar(40), legacy int);
    CREATE TABLE old(x int); CREATE INDEX cv ON c(v); CREATE VIEW w AS SELECT id, n FROM p;
    CREATE TABLE part(id int, region text) PARTITION BY LIST (region);
    CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a'); CREATE TABLE part_b PARTITION OF part FOR VALUES IN ('b');
    INSERT INTO p SELECT i, 'c' || i, i::text FROM generate_series(1, 400) i; UPDATE p SET n = 'words' WHERE id = 7;
    INSERT INTO c SELECT i, i, 'v' || i, i FROM generate_series(1, 400) i;
    INSERT INTO old VALUES (1), (1), (2); INSERT INTO part VALUES (1, 'a'), (2, 'b');";

const CHANGE: &str = "DROP VIEW w; DROP TABLE old; DROP INDEX cv; DELETE FROM c WHERE id IN (3, 9); DELETE FROM p WHERE id IN (3, 9);
    UPDATE p SET n = '5' WHERE id = 7; ALTER TABLE p ALTER n TYPE int USING n::int;
    ALTER TYPE mood ADD VALUE 'calm' BEFORE 'ok'; ALTER TABLE c DROP legacy, ADD more text DEFAULT 'x';
    UPDATE c SET v = 'changed' WHERE id < 60; INSERT INTO p VALUES (900, 'new', 1, 'sad'); INSERT INTO c VALUES (900, 900, 'new');
    ALTER TABLE p ADD UNIQUE (code), ADD CHECK (n > 0); ALTER TABLE c ALTER v SET NOT NULL;
    CREATE TABLE fresh(id int PRIMARY KEY, c int REFERENCES c); INSERT INTO fresh VALUES (1, 900), (2, 1);
    CREATE VIEW w AS SELECT id, n, code FROM p; CREATE INDEX ON c(more); DROP TABLE part_a;
    CREATE TRIGGER watch BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION fires();
    ALTER SEQUENCE numbers MINVALUE 100 START 200 RESTART 200; COMMENT ON TABLE p IS 'said';";

/// What the gate knows.
#[derive(Default)]
struct Answers {
    /// The commands that were answered, without those that only read.
    commands: Vec<String>,
    /// Which answer is held.
    hold: Option<usize>,
    is_held: bool,
    /// Whether connections that hold an answer end now instead of handing it on.
    cuts: bool,
}

/// A proxy before a server that holds the answer to a command.
struct Gate {
    port: u16,
    answers: Arc<(Mutex<Answers>, Condvar)>,
}

impl Gate {
    fn start(server: &Server) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = format!("127.0.0.1:{}", server.port);
        let answers = Arc::<(Mutex<Answers>, Condvar)>::default();
        let shared = Arc::clone(&answers);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&server)) else {
                    continue;
                };
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || hand_on(server, client, &shared));
            }
        });
        Gate { port, answers }
    }

    /// Starts anew: so many answers pass, the next one is held.
    fn hold(&self, after: Option<usize>) {
        *self.answers.0.lock().unwrap() = Answers { hold: after, ..Answers::default() };
    }

    /// Whether an answer is held.
    fn is_holding(&self) -> bool {
        self.answers.0.lock().unwrap().is_held
    }

    /// Lets the answer pass, or ends its connection.
    fn release(&self, cuts: bool) {
        let mut answers = self.answers.0.lock().unwrap();
        answers.hold = None;
        answers.cuts = cuts;
        self.answers.1.notify_all();
    }

    /// The commands since.
    fn commands(&self) -> Vec<String> {
        self.answers.0.lock().unwrap().commands.clone()
    }
}

/// Hands on a server's messages: a kind, a length that counts itself, and what it is of.
fn hand_on(server: TcpStream, mut client: TcpStream, shared: &(Mutex<Answers>, Condvar)) {
    // A message in two pieces would wait for the first to be acknowledged.
    client.set_nodelay(true).unwrap();
    let mut from = BufReader::new(server);
    let mut message = vec![0u8; 5];
    while from.read_exact(&mut message[..5]).is_ok() {
        let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]);
        message.resize(usize::try_from(length).unwrap() + 1, 0);
        if from.read_exact(&mut message[5..]).is_err() {
            break;
        }
        if message[0] == b'C' && !may_pass(&message[5..], shared) {
            break;
        }
        if client.write_all(&message).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = from.get_ref().shutdown(Shutdown::Both);
}

/// Notes that a command is done, and waits where its answer is held.
fn may_pass(message: &[u8], (answers, changed): &(Mutex<Answers>, Condvar)) -> bool {
    let tag = String::from_utf8_lossy(message).trim_end_matches('\0').to_owned();
    if ["SELECT", "SET", "SHOW"].iter().any(|read| tag.starts_with(read)) {
        return true;
    }
    let mut answers = answers.lock().unwrap();
    answers.commands.push(tag);
    if answers.hold.is_none_or(|after| answers.commands.len() <= after) {
        return true;
    }
    answers.is_held = true;
    while answers.hold.is_some() {
        answers = changed.wait(answers).unwrap();
    }
    !answers.cuts
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The program, by SIGKILL.
    Client,
    /// The server's process of its connection.
    Backend,
    /// The connection alone: the answer is lost.
    Connection,
    /// Every process of the server, by SIGKILL.
    Server,
}

/// Two databases, a pack between them, and the states that the target may be in.
struct Scene<'s> {
    lab: Lab,
    prod: Database,
    gate: Gate,
    states: [String; 2],
    private: Option<&'s Private>,
}

/// Whatever is connected besides.
const OTHERS: &str = "FROM pg_stat_activity WHERE datname = current_database()
    AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

impl<'s> Scene<'s> {
    fn new(server: &Server, private: Option<&'s Private>) -> Scene<'s> {
        let (prod, dev) = (server.database(""), server.database(""));
        prod.sql(BEFORE);
        dev.sql(BEFORE);
        dev.sql(CHANGE);
        let lab = Lab::new();
        let states = [lab.snapshot(&prod.url(), "prod"), lab.snapshot(&dev.url(), "dev")];
        lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "all"]).ok();
        let scene = Scene { lab, gate: Gate::start(server), prod, states, private };
        // From now on the table of receipts is there, and every run says as much.
        scene.start(&[]).end().ok();
        scene.start(&["--rollback"]).end().ok();
        assert_eq!(scene.state(), scene.states[0]);
        scene
    }

    fn start(&self, way: &[&str]) -> Running {
        let port = self.gate.port.to_string();
        let url = Engine::Postgres.tcp_url("tester", &self.prod.name, &port);
        let args = [&["apply", "change", "--to", &url, "--json"], way].concat();
        let mut command = self.lab.command(&args);
        command.env("PGPASSWORD", "tester-password");
        Running::start(command)
    }

    /// How many commands a run has, and whether COMMIT is its last.
    fn commands(&self, way: &[&str]) -> usize {
        self.gate.hold(None);
        self.start(way).end().ok();
        let commands = self.gate.commands();
        assert_eq!(commands.last().unwrap(), "COMMIT", "{commands:?}");
        commands.len()
    }

    fn state(&self) -> String {
        self.lab.snapshot(&self.prod.url(), "now")
    }

    /// A run one way in which somebody is killed when so many commands are answered, and another
    /// that ends it; gives whether it was committed nevertheless.
    fn killed(&self, way: &[&str], [from, to]: [usize; 2], at: usize, victim: Victim) -> bool {
        self.gate.hold(Some(at));
        let mut running = self.start(way);
        wait_until("the answer", || self.gate.is_holding() || !running.is_running());
        assert!(running.is_running(), "it ended before its command {at}");
        let command = self.gate.commands().pop().unwrap();
        let place = format!("{victim:?} killed {way:?} at {at}, {command}");
        match victim {
            Victim::Client => running.signal("-KILL"),
            Victim::Backend => {
                drop(self.prod.sql(&format!("SELECT pg_terminate_backend(pid) {OTHERS}")));
            }
            Victim::Connection => {}
            Victim::Server => self.private.unwrap().kill_postgres(),
        }
        self.gate.release(victim != Victim::Backend);
        let output = running.end();
        if victim == Victim::Server {
            self.private.unwrap().start_postgres_again();
        }
        wait_until("the server to notice", || {
            self.prod.sql(&format!("SELECT count(*) {OTHERS}")) == "0\n"
        });
        let state = self.state();
        let is_done = state == self.states[to];
        assert!(is_done || state == self.states[from], "{place}: neither before nor after");
        assert_eq!(is_done, command == "COMMIT", "{place}");
        self.told(&output, victim, is_done, &place);
        self.gate.hold(None);
        let again = self.start(way).end().ok().json();
        let outcome = if is_done { "already_applied" } else { "applied" };
        assert_eq!(again["outcome"], outcome, "{place}");
        assert_eq!(self.state(), self.states[to], "{place}, and run again");
        is_done
    }

    /// What a program that lives says must be true.
    fn told(&self, output: &Output, victim: Victim, is_done: bool, place: &str) {
        assert!(!output.stderr.contains("panicked"), "{place}: {}", output.stderr);
        match (victim, is_done) {
            (Victim::Client, _) => assert_eq!(output.code, -1, "{place}"),
            // It asks for the receipt.
            (Victim::Backend | Victim::Connection, true) => {
                assert_eq!(output.code, 0, "{place}: {}", output.stderr);
                assert_eq!(output.json()["outcome"], "applied", "{place}");
            }
            _ => assert_eq!(output.code, 3, "{place}: {}\n{}", output.stdout, output.stderr),
        }
    }

    /// There and back, killed at every place.
    fn everywhere(&self, victim: Victim) {
        let count = self.commands(&[]);
        let count_back = self.commands(&["--rollback"]);
        assert!(count > 30 && count_back > 30, "{count} {count_back}");
        for at in 0..count.max(count_back) {
            if at < count {
                self.killed(&[], [0, 1], at, victim);
            } else {
                self.start(&[]).end().ok();
            }
            if at < count_back {
                self.killed(&["--rollback"], [1, 0], at, victim);
            } else {
                self.start(&["--rollback"]).end().ok();
            }
        }
    }
}

#[test]
fn killed_at_any_command_the_target_is_before_or_after() {
    let scene = Scene::new(&postgres(), None);
    let (there, back) = (scene.commands(&[]) - 1, scene.commands(&["--rollback"]) - 1);
    assert!(!scene.killed(&[], [0, 1], there / 2, Victim::Client));
    assert!(!scene.killed(&["--rollback"], [1, 0], back / 3, Victim::Backend));
    // The answer to COMMIT.
    assert!(scene.killed(&[], [0, 1], there, Victim::Connection));
    assert!(scene.killed(&["--rollback"], [1, 0], back, Victim::Client));
}

#[test]
#[ignore = "takes many minutes: cargo nextest run --run-ignored all killed_at_every_command"]
fn killed_at_every_command_the_target_is_before_or_after() {
    let scene = Scene::new(&postgres(), None);
    for victim in [Victim::Client, Victim::Backend, Victim::Connection] {
        scene.everywhere(victim);
    }
}

#[test]
fn the_server_is_killed_and_recovers_to_before_or_after() {
    let private = Private::of_postgres();
    let scene = Scene::new(private.server("postgres"), Some(&private));
    let there = scene.commands(&[]) - 1;
    scene.start(&["--rollback"]).end().ok();
    assert!(!scene.killed(&[], [0, 1], there / 2, Victim::Server));
    scene.start(&["--rollback"]).end().ok();
    assert!(scene.killed(&[], [0, 1], there, Victim::Server));
}

#[test]
#[ignore = "takes many minutes: cargo nextest run --run-ignored all the_server_is_killed_at_every_command"]
fn the_server_is_killed_at_every_command() {
    let private = Private::of_postgres();
    let scene = Scene::new(private.server("postgres"), Some(&private));
    scene.everywhere(Victim::Server);
}
