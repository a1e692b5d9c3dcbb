//! Databases on real servers, one for each test.
//!
//! `tests/servers` starts the servers and tells of them in `DEEPDIFF_TEST_POSTGRES` and
//! `DEEPDIFF_TEST_MYSQL`: `NAME=URL`, separated by spaces, the first being the default. A test that
//! needs one fails where there is none, and says how to start them. Scripts are loaded by the
//! servers' own clients, so that no code of ours stands between a case and its data.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// A server that tests may use.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name, such as `postgres` or `mysql-5.7`.
    pub name: String,
    family: Family,
    socket: String,
    /// The TCP port on 127.0.0.1, where a password is wanted (`tester`, `tester-password`).
    pub port: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Postgres,
    Mysql,
}

/// Every PostgreSQL server there is, the default one first.
pub fn postgres_servers() -> Vec<Server> {
    servers(Family::Postgres, "DEEPDIFF_TEST_POSTGRES", "host=")
}

/// Every MySQL and MariaDB server there is, the default one first.
pub fn mysql_servers() -> Vec<Server> {
    servers(Family::Mysql, "DEEPDIFF_TEST_MYSQL", "socket=")
}

/// The default PostgreSQL server.
pub fn postgres() -> Server {
    postgres_servers().swap_remove(0)
}

/// The default MariaDB server.
pub fn mariadb() -> Server {
    mysql_servers().swap_remove(0)
}

/// A MariaDB server of one test, for what only the settings of a whole server show.
pub struct PrivateServer {
    /// The server.
    pub server: Server,
    dir: std::path::PathBuf,
}

impl PrivateServer {
    /// Starts one.
    pub fn start() -> PrivateServer {
        // Not below a folder that only this account may enter.
        let dir = std::env::temp_dir().join(format!("deepdiff-own-{}", std::process::id()));
        let mut start = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers"));
        start.arg("start").arg(&dir).env_remove("DEEPDIFF_TEST_MYSQL");
        // PostgreSQL is there; the script starts what is not.
        start.env("DEEPDIFF_TEST_POSTGRES", "none");
        let output = start.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (_, list) = said.split_once("DEEPDIFF_TEST_MYSQL='").unwrap();
        let list = list.split('\'').next().unwrap();
        PrivateServer { server: listed(Family::Mysql, list, "socket=").swap_remove(0), dir }
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let mut stop = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers"));
        let _ = stop.arg("stop").arg(&self.dir).stdin(Stdio::null()).output();
    }
}

fn servers(family: Family, variable: &str, socket: &str) -> Vec<Server> {
    let Ok(list) = std::env::var(variable) else {
        panic!("no server for this test: run ./tests/run, or eval \"$(tests/servers start DIR)\"");
    };
    listed(family, &list, socket)
}

fn listed(family: Family, list: &str, socket: &str) -> Vec<Server> {
    list.split_whitespace().map(|entry| Server::named(family, entry, socket)).collect()
}

/// Servers of one test, started by `tests/servers` and stopped with the value.
pub struct Private {
    dir: TempDir,
    servers: Vec<Server>,
}

impl Private {
    /// Starts them: `command` is one of the script's.
    pub fn start(command: &str) -> Private {
        let mut private = Private { dir: tempfile::tempdir().unwrap(), servers: Vec::new() };
        let output = private.script(command);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tests/servers {command}: {error}");
        let told = String::from_utf8(output.stdout).unwrap();
        for entry in told.split([' ', '\n', '\'']).filter(|word| word.contains("://")) {
            private.servers.push(match entry.contains("=postgres:") {
                true => Server::named(Family::Postgres, entry, "host="),
                false => Server::named(Family::Mysql, entry, "socket="),
            });
        }
        private
    }

    /// A PostgreSQL server that may be killed.
    pub fn of_postgres() -> Private {
        Private::start("alone")
    }

    /// Kills every process of the PostgreSQL server, as if its machine had stopped.
    pub fn kill_postgres(&self) {
        let file = self.dir.path().join("s/postgres.pid");
        let pid = std::fs::read_to_string(file).unwrap().trim().to_owned();
        let children = Command::new("pgrep").args(["-P", &pid]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        // Its head first, so that it makes no new ones.
        let pids: Vec<&str> = [pid.as_str()].into_iter().chain(children.lines()).collect();
        for pid in &pids {
            let _ = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
        }
        let is_there = |pid: &&str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        while pids.iter().any(is_there) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Starts it again on what it had written.
    pub fn start_postgres_again(&self) {
        let output = self.script("again");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tests/servers again: {error}");
    }

    /// One of them, by its name.
    pub fn server(&self, name: &str) -> &Server {
        self.servers.iter().find(|server| server.name == name).unwrap()
    }

    fn script(&self, command: &str) -> Output {
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers"))
            .args([command, self.dir.path().join("s").to_str().unwrap()])
            .env_remove("DEEPDIFF_TEST_POSTGRES")
            .env_remove("DEEPDIFF_TEST_MYSQL")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = self.script("stop");
    }
}

impl Server {
    /// The server of `NAME=URL`, whose socket is in a parameter.
    fn named(family: Family, entry: &str, socket: &str) -> Server {
        let (name, url) = entry.split_once('=').expect("because it is NAME=URL");
        let parameter = |name: &str| {
            let (_, rest) = url.split_once(name).unwrap_or_else(|| panic!("no {name} in {url}"));
            rest.split('&').next().unwrap().to_owned()
        };
        let (socket, port) = (parameter(socket), parameter("port="));
        Server { name: name.to_owned(), family, socket, port }
    }

    /// The socket, or for PostgreSQL the folder it is in.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// The folder that a server of `tests/servers` keeps its certificates in.
    pub fn folder(&self) -> &Path {
        let socket = Path::new(&self.socket);
        if self.family == Family::Postgres { socket } else { socket.parent().unwrap() }
    }

    /// An empty database of its own, which is dropped with the value.
    pub fn database(&self, options: &str) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t_{}_{number}", std::process::id());
        let maintenance = match self.family {
            Family::Postgres => "postgres",
            Family::Mysql => "mysql",
        };
        self.run(maintenance, &format!("CREATE DATABASE {name} {options};"));
        Database { server: self.clone(), name, maintenance }
    }

    /// Runs a script in a database by the server's own client; panics where it fails.
    pub fn run(&self, database: &str, script: &str) -> String {
        let output = self.try_run(database, script);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}\n{:.2000}", self.name, script);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a script in a database by the server's own client.
    pub fn try_run(&self, database: &str, script: &str) -> Output {
        let mut child = self
            .client(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the client of {} does not start: {error}", self.name));
        // The client may answer more than a pipe holds before it has read everything.
        let mut stdin = child.stdin.take().unwrap();
        let script = script.as_bytes().to_vec();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&script);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }

    /// The client, connected to a database over the socket, printing bare tab-separated rows.
    pub fn client(&self, database: &str) -> Command {
        let mut command;
        match self.family {
            Family::Postgres => {
                command = Command::new("psql");
                command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "tester"]);
                command.args(["-h", &self.socket, "-p", &self.port, "-d", database]);
            }
            Family::Mysql => {
                command = Command::new("mariadb");
                command.args(["--no-defaults", "--batch", "--skip-column-names", "--raw"]);
                command.args(["--binary-mode", "--default-character-set=utf8mb4"]);
                command.args(["--local-infile=1", "-S", &self.socket, "-u", "tester", database]);
            }
        }
        command
    }

    /// The URL of a database, over the socket.
    pub fn url(&self, database: &str) -> String {
        let (socket, port) = (&self.socket, &self.port);
        match self.family {
            Family::Postgres => format!("postgres://tester@/{database}?host={socket}&port={port}"),
            Family::Mysql => format!("mysql://tester@/{database}?socket={socket}"),
        }
    }

    /// The URL of a database over TCP, without a password. It is `tester-password`.
    pub fn tcp_url(&self, database: &str) -> String {
        let scheme = match self.family {
            Family::Postgres => "postgres",
            Family::Mysql => "mysql",
        };
        format!("{scheme}://tester@127.0.0.1:{}/{database}", self.port)
    }
}

/// A database of one test.
#[derive(Debug)]
pub struct Database {
    /// Where it is.
    pub server: Server,
    /// What it is called.
    pub name: String,
    maintenance: &'static str,
}

impl Database {
    /// Runs a script; gives what it printed.
    pub fn sql(&self, script: &str) -> String {
        self.server.run(&self.name, script)
    }

    /// The URL over the socket.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let force = if self.server.family == Family::Postgres { " WITH (FORCE)" } else { "" };
        let script = format!("DROP DATABASE IF EXISTS {}{force};", self.name);
        let _ = self.server.try_run(self.maintenance, &script);
    }
}
