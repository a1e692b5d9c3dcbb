//! A place for one test: databases made by the sqlite3 program, the binary under test run on
//! them, and an oracle that is not our code.
//!
//! [`Lab::converge`] is the whole workflow: snapshot both, diff, pack, apply to a copy of the
//! left, compare by state id and by the oracle, roll back, compare again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

/// What a command printed and how it ended.
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    #[track_caller]
    pub fn ok(self) -> Output {
        assert_eq!(self.code, 0, "exit {}\n{}\n{}", self.code, self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn fails(self, code: i32, word: &str) -> Output {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(said.contains(word), "expected `{word}` in:\n{said}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }
}

/// Row counts of a diff: inserted, deleted, updated.
pub type Counts = (u64, u64, u64);

pub struct Lab {
    dir: TempDir,
}

impl Lab {
    /// An empty folder with a store.
    pub fn new() -> Lab {
        let lab = Lab { dir: tempfile::tempdir().unwrap() };
        lab.run(&["init"]).ok();
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that only its owner may read.
    pub fn secret(&self, name: &str, content: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(self.path(name), content).unwrap();
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path(name), own).unwrap();
    }

    /// Runs the binary in the lab's folder.
    pub fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The binary, hermetic: no configuration, time zone or colours of whoever runs the tests.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepdiff-db"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("DEEPDIFF_AUTHOR", "tester")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a script on a database with the sqlite3 program, creating the file.
    #[track_caller]
    pub fn sql(&self, db: &str, script: &str) -> String {
        sqlite3(&self.path(db), script)
    }

    /// Takes a snapshot of `db` as ref `name` and gives the state id.
    #[track_caller]
    pub fn snapshot(&self, db: &str, name: &str) -> String {
        let taken = self.run(&["snapshot", db, "--ref", name, "--json"]).ok().json();
        taken["state"].as_str().unwrap().to_owned()
    }

    /// The difference of two refs, as JSON.
    #[track_caller]
    pub fn diff(&self, from: &str, to: &str) -> Json {
        let output = self.run(&["diff", from, to, "--json"]);
        assert!(output.code <= 1, "{}\n{}", output.stdout, output.stderr);
        let json = output.json();
        assert_eq!(json["verdict"] == "equal", output.code == 0, "{json}");
        json
    }

    /// The counts of one table in a diff; zero where it does not occur.
    pub fn counts(diff: &Json, table: &str) -> Counts {
        let tables = diff["tables"].as_array().unwrap();
        tables.iter().find(|t| t["name"] == table).map_or((0, 0, 0), |t| {
            let count = |name: &str| t[name].as_u64().unwrap();
            (count("inserted"), count("deleted"), count("updated"))
        })
    }

    /// The whole workflow from `prod.db` to `dev.db`; gives the diff.
    #[track_caller]
    pub fn converge(&self) -> Json {
        self.converge_with(&["--allow", "all"])
    }

    /// The whole workflow, with these flags for `pack`.
    #[track_caller]
    pub fn converge_with(&self, flags: &[&str]) -> Json {
        let prod = self.snapshot("prod.db", "prod");
        let dev = self.snapshot("dev.db", "dev");
        let diff = self.diff("prod", "dev");
        std::fs::copy(self.path("prod.db"), self.path("copy.db")).unwrap();
        let pack = [&["pack", "prod", "dev", "-o", "change"], flags].concat();
        self.run(&pack).ok();

        let dry = ["apply", "change", "--to", "copy.db", "--accept-target", "--dry-run", "--json"];
        assert_eq!(self.run(&dry).ok().json()["outcome"], "dry_run");
        assert_eq!(dump(&self.path("copy.db")), dump(&self.path("prod.db")), "dry run wrote");

        let apply = ["apply", "change", "--to", "copy.db", "--accept-target", "--json"];
        assert_eq!(self.run(&apply).ok().json()["outcome"], "applied");
        assert_eq!(self.snapshot("copy.db", "copy"), dev, "the state after apply is not dev's");
        assert_eq!(dump(&self.path("copy.db")), dump(&self.path("dev.db")), "oracle after apply");
        assert_eq!(self.run(&apply).ok().json()["outcome"], "already_applied");

        let back = [&apply[..], &["--rollback"]].concat();
        assert_eq!(self.run(&back).ok().json()["outcome"], "applied");
        assert_eq!(self.snapshot("copy.db", "copy"), prod, "rollback did not restore prod");
        assert_eq!(
            dump(&self.path("copy.db")),
            dump(&self.path("prod.db")),
            "oracle after rollback"
        );
        assert_eq!(self.run(&["verify", "--json"]).ok().json()["outcome"], "ok");
        diff
    }
}

/// A lab with both databases made by scripts.
pub fn lab(prod: &str, dev: &str) -> Lab {
    let lab = Lab::new();
    lab.sql("prod.db", prod);
    lab.sql("dev.db", dev);
    lab
}

/// Runs a script with the sqlite3 program.
#[track_caller]
pub fn sqlite3(db: &Path, script: &str) -> String {
    use std::io::Write as _;
    let mut child = Command::new("sqlite3")
        .args(["-batch", "-bail", "-noheader"])
        .arg(db)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the sqlite3 program is installed by tests/run");
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{errors}\n{script}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every row of every table, as storage class and exact content, in an order of the oracle's.
#[track_caller]
pub fn dump(db: &Path) -> Vec<String> {
    let tables = sqlite3(
        db,
        "SELECT name FROM pragma_table_list WHERE schema='main' AND type='table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '_deepdiff_receipts' ORDER BY 1;",
    );
    let mut lines = Vec::new();
    for table in tables.lines() {
        let literal = table.replace('\'', "''");
        let columns =
            sqlite3(db, &format!("SELECT name FROM pragma_table_info('{literal}') ORDER BY name;"));
        let cells: Vec<String> = columns
            .lines()
            .map(|column| {
                let c = format!("\"{}\"", column.replace('"', "\"\""));
                format!(
                    "typeof({c})||':'||CASE typeof({c}) WHEN 'text' THEN hex(CAST({c} AS BLOB)) \
                     WHEN 'blob' THEN hex({c}) ELSE quote({c}) END"
                )
            })
            .collect();
        let mut rows: Vec<String> = Vec::new();
        // The oracle concatenates a limited number of operands at a time.
        let parts: Vec<String> = cells.chunks(50).map(|part| part.join("||' '||")).collect();
        let quoted = table.replace('"', "\"\"");
        let out = sqlite3(db, &format!("SELECT {} FROM \"{quoted}\";", parts.join(", ")));
        rows.extend(out.lines().map(|row| format!("{table}: {row}")));
        rows.sort();
        lines.append(&mut rows);
    }
    lines
}

/// The folder of public test data; where it is not here, the test says so and ends.
macro_rules! data_or_skip {
    () => {
        match $crate::lab::test_data() {
            Some(dir) => dir,
            None => {
                eprintln!("skipped: the folder of public test data is not here");
                return;
            }
        }
    };
}
pub(crate) use data_or_skip;

/// The folder of public test data, where it is present.
pub fn test_data() -> Option<PathBuf> {
    let dir = std::env::var_os("DEEPDIFF_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    dir.is_dir().then_some(dir)
}
