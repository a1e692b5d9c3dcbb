//! The table that is printed: what was measured, beside what, and whether the target was met.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    /// The job.
    pub job: String,
    /// The peer and its figure.
    pub beside: String,
    /// Our figure; none where only peers were run.
    pub ours: Option<String>,
    /// What is compared with the target.
    pub figure: Option<f64>,
    /// The target.
    pub target: Target,
    /// The largest resident set of our command in KiB, where it was watched.
    pub peak_kib: u64,
}

/// A target, with the unit that its figure has.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// No more than this.
    AtMost(f64, &'static str),
    /// No less than this.
    AtLeast(f64, &'static str),
    /// Shown for comparison, in this unit.
    None(&'static str),
}

impl Target {
    fn is_met(self, figure: f64) -> Option<bool> {
        match self {
            Target::AtMost(limit, _) => Some(figure <= limit),
            Target::AtLeast(limit, _) => Some(figure >= limit),
            Target::None(_) => None,
        }
    }
}

/// The table as markdown.
pub fn markdown(lines: &[Line]) -> String {
    let mut table = String::from(
        "| job | beside | measured | figure | target | met | peak memory |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let (target, unit) = match line.target {
            Target::AtMost(limit, unit) => (format!("≤ {}", number(limit)), unit),
            Target::AtLeast(limit, unit) => (format!("≥ {}", number(limit)), unit),
            Target::None(unit) => (String::new(), unit),
        };
        let met = match line.figure.and_then(|figure| line.target.is_met(figure)) {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let figure = line.figure.map(|figure| format!("{}{unit}", number(figure)));
        let peak = if line.peak_kib == 0 { String::new() } else { mib(line.peak_kib) };
        let cells = [
            line.job.as_str(),
            &line.beside,
            line.ours.as_deref().unwrap_or("not run"),
            figure.as_deref().unwrap_or_default(),
            &format!("{target}{}", if target.is_empty() { "" } else { unit }),
            met,
            &peak,
        ];
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table
}

/// One line on the machine and the programs.
pub fn machine() -> String {
    let first_line = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().map(str::to_owned)
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| {
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, name)| name.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sqlite = first_line("sqlite3", &["--version"]).unwrap_or_default();
    let parts = [
        cpu.unwrap_or_else(|| "unknown processor".to_owned()),
        format!("{cores} cores"),
        first_line("uname", &["-sr"]).unwrap_or_default(),
        first_line("rustc", &["--version"]).unwrap_or_default(),
        format!("sqlite3 {}", sqlite.split(' ').next().unwrap_or_default()),
        format!(
            "commit {}",
            first_line("git", &["describe", "--always", "--dirty"]).unwrap_or_default()
        ),
    ];
    parts.join(", ")
}

/// A number with as many digits as it needs to be compared.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A duration for people.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{} ms", number(seconds * 1000.0))
    } else {
        format!("{} s", number(seconds))
    }
}

/// KiB for people.
pub fn mib(kib: u64) -> String {
    format!("{} MiB", number(float(kib) / 1024.0))
}

/// How many times `b` goes into `a`.
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// A count as a float.
#[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
pub fn float(count: u64) -> f64 {
    count as f64
}
