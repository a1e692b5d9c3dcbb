//! What the tests on real servers share: a database on each engine's default server, runs of the
//! binary that can be watched, and a proxy that cuts a connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::lab::{Lab, Output};
use crate::servers::{Database, mariadb, postgres};

/// The options of a MariaDB database in which different texts differ.
pub const EXACT: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";

/// Which script a database wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Mariadb,
}

/// Both engines.
pub const ENGINES: [Engine; 2] = [Engine::Postgres, Engine::Mariadb];

impl Engine {
    /// An empty database on the default server.
    pub fn database(self) -> Database {
        match self {
            Engine::Postgres => postgres().database(""),
            Engine::Mariadb => mariadb().database(EXACT),
        }
    }

    /// A database loaded by a script: `$1` in it stands for a series of numbers from 1 to the one
    /// in parentheses, as a table of a column `i`.
    pub fn loaded(self, script: &str) -> Database {
        let database = self.database();
        database.sql(&self.series(script));
        database
    }

    /// Replaces `$1(N)` by what the server calls the numbers from 1 to N.
    fn series(self, script: &str) -> String {
        let mut parts = script.split("$1(");
        let mut text = parts.next().unwrap().to_owned();
        for part in parts {
            let (count, rest) = part.split_once(')').unwrap();
            text += &match self {
                Engine::Postgres => format!("generate_series(1, {count}::bigint) AS s(i)"),
                Engine::Mariadb => {
                    format!("(SELECT CAST(seq AS signed) AS i FROM seq_1_to_{count}) AS s")
                }
            };
            text += rest;
        }
        text
    }

    /// The variable of the environment that holds a password.
    pub fn password_variable(self) -> &'static str {
        match self {
            Engine::Postgres => "PGPASSWORD",
            Engine::Mariadb => "MYSQL_PWD",
        }
    }

    /// The URL over TCP, in clear, by way of a port, of an account without its password.
    pub fn tcp_url(self, account: &str, database: &str, port: &str) -> String {
        let (scheme, tls) = match self {
            Engine::Postgres => ("postgres", "sslmode=disable"),
            Engine::Mariadb => ("mysql", "ssl-mode=disable"),
        };
        format!("{scheme}://{account}@127.0.0.1:{port}/{database}?{tls}")
    }

    /// An account of the database's name with rights on nothing yet.
    pub fn account<'d>(self, database: &'d Database, password: &str) -> Account<'d> {
        let name = &database.name;
        database.sql(&match self {
            Engine::Postgres => format!("CREATE ROLE {name} LOGIN PASSWORD '{password}';"),
            Engine::Mariadb => format!("CREATE USER {name}@'%' IDENTIFIED BY '{password}';"),
        });
        Account { engine: self, database }
    }

    /// How many other connections the server has to the database.
    pub fn connections(self, database: &Database) -> String {
        let query = match self {
            Engine::Postgres => {
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid();"
            }
            Engine::Mariadb => {
                "SELECT count(*) FROM information_schema.processlist
                 WHERE db = DATABASE() AND id <> CONNECTION_ID();"
            }
        };
        database.sql(query).trim().to_owned()
    }
}

/// An account of one test, which goes with the value.
pub struct Account<'d> {
    engine: Engine,
    database: &'d Database,
}

impl Account<'_> {
    /// Gives it rights: `$1` in the script stands for its name.
    pub fn grant(&self, script: &str) {
        let name = &self.database.name;
        let account = match self.engine {
            Engine::Postgres => name.clone(),
            Engine::Mariadb => format!("{name}@'%'"),
        };
        self.database.sql(&script.replace("$1", &account));
    }

    /// Gives it every right to read.
    pub fn grant_reading(&self) {
        match self.engine {
            Engine::Postgres => self.grant("GRANT SELECT ON ALL TABLES IN SCHEMA public TO $1;"),
            Engine::Mariadb => {
                self.grant(&format!("GRANT ALL ON {}.* TO $1;", self.database.name));
            }
        }
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        let (database, name) = (self.database, &self.database.name);
        let script = match self.engine {
            Engine::Postgres => format!("DROP OWNED BY {name}; DROP ROLE {name};"),
            Engine::Mariadb => format!("DROP USER {name}@'%';"),
        };
        let _ = database.server.try_run(name, &script);
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run that goes on while a test looks on.
pub struct Running(Option<Child>);

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Running {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running(Some(child))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// How far it lets others go first: 0, or up to 19.
    pub fn niceness(&self) -> i32 {
        let id = self.0.as_ref().unwrap().id();
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // The name of the program, in parentheses, may hold spaces.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(16).unwrap().parse().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let pid = self.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Output {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Another client's connection, which is kept open in the middle of its script.
pub struct Session(Child);

impl Session {
    /// Runs a script, and keeps the connection.
    pub fn hold(database: &Database, script: &str) -> Session {
        let mut client = database.server.client(&database.name);
        client.stdin(Stdio::piped()).stdout(Stdio::piped());
        if database.url().starts_with("mysql") {
            client.arg("--unbuffered");
        }
        let mut child = client.spawn().unwrap();
        let script = format!("{script};\nSELECT 'held';\n");
        let stdin = child.stdin.as_mut().unwrap();
        stdin.write_all(script.as_bytes()).unwrap();
        stdin.flush().unwrap();
        let mut said = [0u8; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"held");
        Session(child)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The arguments of a snapshot.
pub fn snapshot<'a>(url: &'a str, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["snapshot", url, "--ref", name, "--json"], more].concat()
}

/// Takes a snapshot with more arguments; gives its state id.
#[track_caller]
pub fn state(lab: &Lab, url: &str, name: &str, more: &[&str]) -> String {
    let taken = lab.run(&snapshot(url, name, more)).ok().json();
    taken["state"].as_str().unwrap().to_owned()
}

/// A proxy before a server that closes every connection after so many bytes of answers.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    answered: Arc<AtomicU64>,
    limit: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts one before a server's port.
    pub fn start(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = format!("127.0.0.1:{server}");
        let proxy = Proxy { port, answered: Arc::default(), limit: Arc::default() };
        let (answered, limit) = (Arc::clone(&proxy.answered), Arc::clone(&proxy.limit));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(&server).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (answered, limit) = (Arc::clone(&answered), Arc::clone(&limit));
                std::thread::spawn(move || forward(server, client, &answered, &limit));
            }
        });
        proxy
    }

    /// From now on, so many bytes of answers pass.
    pub fn cut_after(&self, bytes: u64) {
        self.answered.store(0, Ordering::SeqCst);
        self.limit.store(bytes, Ordering::SeqCst);
    }

    /// How many bytes of answers there were since.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }
}

/// Hands on answers, byte-exactly up to the limit.
fn forward(mut server: TcpStream, mut client: TcpStream, answered: &AtomicU64, limit: &AtomicU64) {
    let mut buffer = vec![0u8; 16 << 10];
    while let Ok(count) = server.read(&mut buffer) {
        if count == 0 {
            break;
        }
        let before = answered.fetch_add(count as u64, Ordering::SeqCst);
        let room = limit.load(Ordering::SeqCst).saturating_sub(before);
        let passing = usize::try_from(room).map_or(count, |room| room.min(count));
        if client.write_all(&buffer[..passing]).is_err() || passing < count {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
