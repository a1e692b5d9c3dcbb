//! A database of one side: made, loaded, asked and dropped by the engine's own client programs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::pairs::Side;
use crate::servers::{Database, Server};

/// Where pairs run.
#[derive(Debug, Clone)]
pub enum Engine {
    Postgres(Server),
    /// MySQL or MariaDB.
    Mysql(Server),
    Sqlite,
}

impl Engine {
    /// The word for it in the files of pairs.
    pub fn family(&self) -> &'static str {
        match self {
            Engine::Postgres(_) => "postgres",
            Engine::Mysql(_) => "mysql",
            Engine::Sqlite => "sqlite",
        }
    }

    /// The server's name.
    pub fn name(&self) -> &str {
        match self {
            Engine::Postgres(server) | Engine::Mysql(server) => &server.name,
            Engine::Sqlite => "sqlite",
        }
    }

    /// Roles belong to the whole server: those that pairs take for granted are made once, and
    /// stay.
    pub fn make_roles(&self, roles: &[String]) {
        let Engine::Postgres(server) = self else { return };
        let script: String = roles.iter().map(|role| creation(role)).collect();
        let _ = server.try_run("postgres", &script);
    }
}

/// Makes a role unless it is there; another process may be doing the same.
fn creation(role: &str) -> String {
    let (name, text) = (role.replace('"', "\"\""), role.replace('\'', "''"));
    format!(
        "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{text}') THEN \
         CREATE ROLE \"{name}\"; END IF; \
         EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL; END $do$;\n"
    )
}

/// A database.
#[derive(Debug)]
pub enum Place {
    Postgres(Database),
    Mysql(Database),
    Sqlite(PathBuf),
}

impl Place {
    /// An empty one.
    pub fn create(engine: &Engine, dir: &Path, name: &str) -> Place {
        match engine {
            Engine::Postgres(server) => Place::Postgres(server.database("")),
            Engine::Mysql(server) => Place::Mysql(server.database("")),
            Engine::Sqlite => Place::Sqlite(dir.join(format!("{name}.db"))),
        }
    }

    /// How the program under test is told of it.
    pub fn url(&self) -> String {
        match self {
            Place::Postgres(database) | Place::Mysql(database) => database.url(),
            Place::Sqlite(path) => path.to_str().unwrap().to_owned(),
        }
    }

    /// Runs the scripts of a side, apart from its rows.
    pub fn load_side(&self, side: &Side) -> Result<(), String> {
        self.load(&side.setup)?;
        self.load(&side.schema)
    }

    /// Runs a script that must succeed; what the client said otherwise.
    pub fn load(&self, script: &str) -> Result<(), String> {
        if script.trim().is_empty() && !matches!(self, Place::Sqlite(_)) {
            return Ok(());
        }
        let output = match self {
            Place::Postgres(_) => {
                self.client(&["-v", "VERBOSITY=verbose"], &self.without_roles(script))
            }
            // The server cuts the script into statements, so that bodies of triggers stay whole.
            Place::Mysql(_) => {
                self.client(&["--quick"], &format!("DELIMITER //;;//\n{script}\n//;;//\n"))
            }
            Place::Sqlite(_) => self.client(&["-bail"], &format!("{QUICK}{script}\n;")),
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A script of nothing but comments.
        let is_empty = matches!(self, Place::Mysql(_)) && said.contains("ERROR 1065");
        if output.status.success() || is_empty { Ok(()) } else { Err(first_error(&said)) }
    }

    /// Puts in rows of which any may be refused.
    pub fn try_rows(&self, script: &str) {
        match self {
            // After an error PostgreSQL takes nothing more in a transaction.
            Place::Postgres(_) => self.try_each(script),
            Place::Mysql(_) => self.try_each(&format!("START TRANSACTION;\n{script}COMMIT;\n")),
            Place::Sqlite(_) => self.try_each(&format!("BEGIN;\n{script}COMMIT;\n")),
        }
    }

    /// Runs statements of which any may fail.
    pub fn try_each(&self, script: &str) {
        match self {
            Place::Postgres(_) => self.client(&["-v", "ON_ERROR_STOP=0"], script),
            Place::Mysql(_) => self.client(&["--force"], script),
            Place::Sqlite(_) => {
                self.client(&[], &format!("{QUICK}PRAGMA foreign_keys = ON;\n{script}"))
            }
        };
    }

    /// What a query prints, one line a row.
    pub fn ask(&self, script: &str) -> Result<String, String> {
        let output = match self {
            Place::Sqlite(_) => self.client(&["-bail"], script),
            Place::Postgres(_) | Place::Mysql(_) => self.client(&[], script),
        };
        if !output.status.success() {
            return Err(first_error(&String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The whole database as a script, by the engine's own program.
    pub fn dump(&self) -> String {
        match self {
            Place::Postgres(_) => self.pg_dump(&["--inserts"]),
            Place::Mysql(database) => {
                let mut dump = Command::new("mariadb-dump");
                dump.args(["--no-defaults", "--skip-comments", "--compact", "--routines"]);
                dump.args(["--hex-blob", "-u", "tester", "-S", database.server.socket()]);
                dump.arg(&database.name);
                // Without these tables would be made before those they refer to.
                format!("SET foreign_key_checks = 0;\n{}", stdout_of(&mut dump))
            }
            Place::Sqlite(path) => {
                stdout_of(Command::new("sqlite3").arg("-batch").arg(path).arg(".dump"))
            }
        }
    }

    /// What `pg_dump` prints, without the lines that are never the same twice.
    pub fn pg_dump(&self, options: &[&str]) -> String {
        let Place::Postgres(database) = self else { panic!("pg_dump is for PostgreSQL") };
        let (socket, port) = (database.server.socket(), &database.server.port);
        let mut dump = Command::new("pg_dump");
        dump.args(["-h", socket, "-p", port, "-U", "tester"]).args(options).arg(&database.name);
        let text = stdout_of(&mut dump);
        let lines = text.lines().filter(|line| {
            // The public schema is there before a script runs.
            !line.starts_with("\\restrict")
                && !line.starts_with("\\unrestrict")
                && *line != "CREATE SCHEMA public;"
        });
        lines.fold(String::new(), |text, line| text + line + "\n")
    }

    /// The client with more options, fed a script.
    fn client(&self, options: &[&str], script: &str) -> Output {
        let mut command = match self {
            Place::Postgres(database) | Place::Mysql(database) => {
                let mut command = database.server.client(&database.name);
                command.args(options);
                command
            }
            Place::Sqlite(path) => {
                let mut command = Command::new("sqlite3");
                command.args(["-batch", "-noheader"]).args(options).arg(path);
                command
            }
        };
        fed(&mut command, script)
    }

    /// Roles are there already: a script's own statements that make them would fail.
    fn without_roles(&self, script: &str) -> String {
        let mut text = String::new();
        let mut rest = script;
        while let Some((before, statement, after)) = next_role(rest) {
            let name = statement.split_whitespace().nth(2).unwrap_or_default();
            let name = name.trim_matches(|c| c == '"' || c == ';');
            if let Place::Postgres(database) = self {
                let _ = database.server.try_run("postgres", &creation(name));
            }
            text.push_str(before);
            rest = after;
        }
        text + rest
    }
}

/// SQLite need not sync what lives for a second.
const QUICK: &str = "PRAGMA synchronous = OFF;\n.once /dev/null\nPRAGMA journal_mode = MEMORY;\n";

/// Splits a script around its next `CREATE ROLE …;` or `CREATE USER …;`.
fn next_role(script: &str) -> Option<(&str, &str, &str)> {
    let upper = script.to_ascii_uppercase();
    let starts = |word: &str| {
        upper.match_indices(word).map(|(at, _)| at).find(|at| {
            !upper[..*at].ends_with(|c: char| c.is_alphanumeric())
                && !upper[*at..].starts_with("CREATE USER MAPPING")
        })
    };
    let start = [starts("CREATE ROLE "), starts("CREATE USER ")].into_iter().flatten().min()?;
    let end = start + script[start..].find(';')? + 1;
    Some((&script[..start], &script[start..end], &script[end..]))
}

/// Runs a command with a script on its standard input.
fn fed(command: &mut Command, script: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    // The client may answer more than a pipe holds before it has read everything.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(script.as_bytes());
        });
        child.wait_with_output().unwrap()
    })
}

fn stdout_of(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The line of a client's complaint that says what is wrong.
fn first_error(said: &str) -> String {
    let line = said.lines().find(|line| line.to_ascii_lowercase().contains("error"));
    line.or_else(|| said.lines().next()).unwrap_or("no message").to_owned()
}
