//! Running programs and closures against the clock: wall time, processor time, peak memory.
//!
//! Contestants run in turn, once each a round, so that whatever else the machine does hits all of
//! them; what is reported is the median.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One measurement, or the median of some.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    /// By the clock on the wall.
    pub wall: Duration,
    /// User and system time; zero where nobody asked.
    pub cpu: Duration,
    /// The largest resident set in KiB; zero where nobody asked.
    pub peak_kib: u64,
}

/// Something that is measured: each call is one run.
pub type Contestant<'a> = Box<dyn FnMut() -> Run + 'a>;

/// Runs the contestants in turn, `rounds` times; gives the medians, in their order.
pub fn in_turn(rounds: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<Run> {
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for (contestant, runs) in contestants.iter_mut().zip(&mut runs) {
            runs.push(contestant());
        }
    }
    runs.iter().map(|runs| median(runs)).collect()
}

/// The medians of time, and the largest of the peaks.
fn median(runs: &[Run]) -> Run {
    let middle = |of: fn(&Run) -> Duration| {
        let mut times: Vec<Duration> = runs.iter().map(of).collect();
        times.sort();
        times[times.len() / 2]
    };
    let peak_kib = runs.iter().map(|run| run.peak_kib).max().unwrap_or_default();
    Run { wall: middle(|run| run.wall), cpu: middle(|run| run.cpu), peak_kib }
}

/// Times a closure.
pub fn timed<T>(work: impl FnOnce() -> T) -> Run {
    let start = Instant::now();
    std::hint::black_box(work());
    Run { wall: start.elapsed(), ..Run::default() }
}

/// What to watch while a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Wall time alone, with nothing in between.
    Wall,
    /// Processor time and peak memory too, by GNU time, which costs about a millisecond.
    All,
}

/// A command with the exit codes that are no failure.
#[derive(Debug, Clone)]
pub struct Job {
    program: PathBuf,
    args: Vec<String>,
    variables: Vec<(&'static str, String)>,
    stdin: Option<PathBuf>,
    stdout: Option<PathBuf>,
    accepted: Vec<i32>,
}

impl Job {
    /// A command that reads nothing and whose output is thrown away.
    pub fn new(program: impl Into<PathBuf>, args: &[&str]) -> Job {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Job {
            program: program.into(),
            args,
            variables: Vec::new(),
            stdin: None,
            stdout: None,
            accepted: vec![0],
        }
    }

    /// Runs with a variable of the environment.
    #[allow(dead_code, reason = "the benchmark of servers uses it")]
    pub fn with(mut self, name: &'static str, value: &str) -> Job {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Reads from a file.
    pub fn reading(mut self, file: &Path) -> Job {
        self.stdin = Some(file.to_owned());
        self
    }

    /// Writes its output to a file.
    pub fn writing(mut self, file: &Path) -> Job {
        self.stdout = Some(file.to_owned());
        self
    }

    /// Takes this exit code for success as well.
    pub fn accepting(mut self, code: i32) -> Job {
        self.accepted.push(code);
        self
    }

    /// Runs it once against the clock.
    pub fn run(&self, watch: Watch) -> Run {
        let report = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut command = match watch {
            Watch::Wall => Command::new(&self.program),
            Watch::All => {
                let mut command = Command::new("/usr/bin/time");
                command.arg("-v").arg("-o").arg(report.path()).arg(&self.program);
                command
            }
        };
        command.args(&self.args).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(self.stdin.as_ref().map_or_else(Stdio::null, |file| open(file).into()));
        command.stdout(self.stdout.as_ref().map_or_else(Stdio::null, |file| {
            File::create(file).expect("an output file can be made").into()
        }));
        let errors = tempfile::NamedTempFile::new().expect("a temporary file");
        command.stderr(errors.reopen().expect("a temporary file"));
        let start = Instant::now();
        let status = command.status().unwrap_or_else(|error| panic!("{}: {error}", self.line()));
        let wall = start.elapsed();
        if !status.code().is_some_and(|code| self.accepted.contains(&code)) {
            let errors = fs::read_to_string(errors.path()).unwrap_or_default();
            panic!("{}: {status}\n{errors}", self.line());
        }
        match watch {
            Watch::Wall => Run { wall, ..Run::default() },
            Watch::All => {
                let report = fs::read_to_string(report.path()).expect("GNU time wrote its report");
                Run { wall, ..usage(&report) }
            }
        }
    }

    /// Runs it and gives the JSON that it prints.
    pub fn json(&self) -> Value {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", self.line()));
        if !output.status.code().is_some_and(|code| self.accepted.contains(&code)) {
            let errors = String::from_utf8_lossy(&output.stderr);
            panic!("{}: {}\n{errors}", self.line(), output.status);
        }
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{}: no JSON: {error}", self.line()))
    }

    fn line(&self) -> String {
        format!("{} {}", self.program.display(), self.args.join(" "))
    }
}

fn open(file: &Path) -> File {
    File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What GNU time's report says.
fn usage(report: &str) -> Run {
    let field = |name: &str| {
        let line = report.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("GNU time reports no {name}")).trim().to_owned()
    };
    let seconds =
        |name: &str| Duration::from_secs_f64(field(name).parse().expect("GNU time prints seconds"));
    Run {
        wall: Duration::ZERO,
        cpu: seconds("User time (seconds):") + seconds("System time (seconds):"),
        peak_kib: field("Maximum resident set size (kbytes):").parse().expect("a number of KiB"),
    }
}

/// A store and the program that keeps it.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A new store in an empty folder.
    pub fn init(folder: PathBuf) -> Store {
        let store = Store { folder };
        store.job(&["init"]).run(Watch::Wall);
        store
    }

    /// The store in a folder where one was made.
    pub fn in_folder(folder: PathBuf) -> Store {
        Store { folder }
    }

    /// The same store in another folder, byte by byte.
    pub fn copy_to(&self, folder: &Path) -> Store {
        let (from, to) = (self.folder.join("."), folder);
        Job::new("cp", &["-r", text(&from), text(to)]).run(Watch::Wall);
        Store { folder: to.to_owned() }
    }

    /// A command of the program on this store.
    pub fn job(&self, args: &[&str]) -> Job {
        let mut all = vec!["--store", text(&self.folder)];
        all.extend(args);
        Job::new(env!("CARGO_BIN_EXE_deepdiff-db"), &all)
    }

    /// A snapshot of a file under a name.
    pub fn snapshot(&self, database: &Path, name: &str) -> Job {
        self.job(&["snapshot", &url(database), "--ref", name])
    }

    /// Bytes of all files in the store.
    pub fn bytes(&self) -> u64 {
        walkdir::WalkDir::new(&self.folder)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.metadata().map_or(0, |metadata| metadata.len()))
            .sum()
    }
}

/// The URL of a database file.
pub fn url(database: &Path) -> String {
    format!("sqlite:{}", text(database))
}

/// A path of ours as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

/// Reads a file once, so that every contestant finds it in the page cache.
pub fn warm(file: &Path) {
    std::io::copy(&mut open(file), &mut std::io::sink()).expect("a database can be read");
}
