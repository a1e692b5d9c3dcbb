//! The command line, as clap reads it. What it means is decided by the command's own file.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::history::{BlameArgs, HistoryArgs};
use super::keep::KeepArgs;
use super::prove::{CheckProofArgs, ProveArgs};
use super::sign::{SignArgs, SignaturesArgs};
use crate::snapshot::{Limits, Rate};

/// Git for database state: snapshot live databases, compare them offline, bring changes back
/// safely.
#[derive(Debug, Parser)]
#[command(name = "deepdiff-db", version, about, long_about = None, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done or equal, 1 different (diff) or damaged (verify), \
    2 usage, 3 could not, 4 refused for safety, 5 incomplete.")]
pub struct Cli {
    /// The options that go with every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The options that go with every command.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// The store to use, instead of the `.deepdiff` found by walking up from here.
    #[arg(long, global = true, value_name = "DIR", env = "DEEPDIFF_STORE")]
    pub store: Option<PathBuf>,
    /// Print one JSON object instead of text (see docs/json.md).
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress on the terminal.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// The key file of a keyed store.
    #[arg(long, global = true, value_name = "FILE", env = "DEEPDIFF_HASH_KEY_FILE")]
    pub hash_key_file: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an empty store.
    Init(InitArgs),
    /// Look at a source and say what a snapshot of it would hold.
    Check(CheckArgs),
    /// Read a database as one consistent state into the store.
    Snapshot(SnapshotArgs),
    /// List snapshots, newest first.
    Log(LogArgs),
    /// Show one snapshot: where and when it was read, and what it holds.
    Show(ShowArgs),
    /// List the tables of a snapshot.
    Ls(LsArgs),
    /// Print the rows of a table, or one of them.
    Cat(CatArgs),
    /// Compare two snapshots, or live sources.
    Diff(DiffArgs),
    /// Write the reviewed change that turns A into B.
    Pack(PackArgs),
    /// Run a change pack against a database, guarded and in one transaction.
    Apply(ApplyArgs),
    /// Try a change pack out on a scratch file or server: that it converges and goes back, what it
    /// locks, how long it takes.
    Rehearse(RehearseArgs),
    /// Rebuild a database from a snapshot.
    Restore(RestoreArgs),
    /// Keep snapshots as commits of a git repository, and read them back.
    Git(super::git::args::GitArgs),
    /// List, create or delete tags.
    Tag(TagArgs),
    /// List, set or delete refs.
    Ref(RefArgs),
    /// Show how one row changed from snapshot to snapshot.
    History(HistoryArgs),
    /// Show which snapshot last set each cell of a row.
    Blame(BlameArgs),
    /// Prove a row of a snapshot, or that it has none, by the snapshot's id alone.
    Prove(ProveArgs),
    /// Check a proof, offline and without a store.
    CheckProof(CheckProofArgs),
    /// Check that everything the store should hold is there and undamaged.
    Verify(VerifyArgs),
    /// Sign a snapshot with an SSH key.
    Sign(SignArgs),
    /// Remove what no ref, tag or recent log entry needs.
    Gc(GcArgs),
    /// Rebuild indexes and mark damaged objects so that the next snapshot heals them.
    Repair(RepairArgs),
    /// Walk through the whole job on bundled data, in a temporary folder.
    Demo(DemoArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder.
    Man(ManArgs),
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder that shall hold the store (in `.deepdiff`).
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The hash function of all ids.
    #[arg(long, value_enum, default_value = "blake3")]
    pub hash: HashChoice,
    /// Key the ids of the store, by a new key file that is written here. Keep it apart from the
    /// store, and safe: every command needs it, as --hash-key-file.
    #[arg(long, value_name = "FILE")]
    pub new_hash_key_file: Option<PathBuf>,
}

/// A hash function by its name.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum HashChoice {
    /// BLAKE3, 256 bits.
    Blake3,
    /// SHA-256.
    Sha256,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A source named in deepdiff.toml, `sqlite:PATH`, the path of a database file,
    /// `postgres://USER@HOST/DATABASE` or `mysql://USER@HOST/DATABASE` (see docs/sources.md).
    pub source: String,
}

/// `snapshot`
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// A source named in deepdiff.toml, `sqlite:PATH`, the path of a database file,
    /// `postgres://USER@HOST/DATABASE` or `mysql://USER@HOST/DATABASE` (see docs/sources.md).
    pub source: String,
    /// The ref to move; by default the source's name in deepdiff.toml.
    #[arg(long = "ref", value_name = "NAME")]
    pub reference: Option<String>,
    /// What to say of this snapshot.
    #[arg(long, short, default_value = "", hide_default_value = true)]
    pub message: String,
    /// Threads that hash and compress, by default one for each processor; on servers also the
    /// connections that read at one moment, by default one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Store keys and row hashes only, no values.
    #[arg(long)]
    pub hash_only: bool,
    /// Go on where an interrupted snapshot of the same source stopped.
    #[arg(long)]
    pub resume: bool,
    /// How often to make safe what was read, so that --resume can go on from there.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub checkpoint_seconds: u64,
    /// Give up where the transaction has been open for so long (`90s`, `10m`, `2h`).
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_age: Option<Duration>,
    /// Read at most so much in a second: rows (`50000`, `50k`) or bytes (`20MB`).
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub max_rate: Option<Rate>,
    /// Read nothing while there is such a file.
    #[arg(long, value_name = "FILE")]
    pub pause_file: Option<PathBuf>,
}

impl SnapshotArgs {
    /// What the source may be asked.
    pub fn limits(&self) -> Limits {
        Limits {
            max_age: self.max_age,
            max_rate: self.max_rate,
            pause_file: self.pause_file.clone(),
        }
    }
}

/// A number and the unit after it.
fn quantity(text: &str) -> Option<(u64, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    Some((text[..digits].parse().ok().filter(|&number| number > 0)?, &text[digits..]))
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match quantity(text) {
        Some((number, "" | "s")) => Some(number),
        Some((number, "m")) => number.checked_mul(60),
        Some((number, "h")) => number.checked_mul(3600),
        _ => None,
    };
    seconds.map(Duration::from_secs).ok_or_else(|| "write it as 90s, 10m or 2h".to_owned())
}

fn rate(text: &str) -> Result<Rate, String> {
    let times = |number: u64, factor: u64| number.checked_mul(factor);
    let rate = match quantity(text) {
        Some((number, "" | "rows")) => Some(Rate::Rows(number)),
        Some((number, "k")) => times(number, 1_000).map(Rate::Rows),
        Some((number, "kB" | "KB")) => times(number, 1_000).map(Rate::Bytes),
        Some((number, "MB")) => times(number, 1_000_000).map(Rate::Bytes),
        Some((number, "GB")) => times(number, 1_000_000_000).map(Rate::Bytes),
        _ => None,
    };
    rate.ok_or_else(|| "write it as 50000 or 50k (rows) or 20MB (bytes)".to_owned())
}

/// `log`
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Where to begin; by default all refs.
    pub snapshot: Option<String>,
    /// At most this many.
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<usize>,
    /// Only the snapshots in which this table is another than in the one before, with its rows.
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
}

/// `show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A ref, tag, id, `ref~n` or `ref@date`.
    pub snapshot: String,
    /// The schema as the database's own statements.
    #[arg(long)]
    pub schema: bool,
}

/// `ls`
#[derive(Debug, Args)]
pub struct LsArgs {
    /// A ref, tag, id, `ref~n` or `ref@date`.
    pub snapshot: String,
}

/// `cat`
#[derive(Debug, Args)]
pub struct CatArgs {
    /// The table; with its schema (`schema.table`) where several schemas have one of that name.
    pub table: String,
    /// The values of the row's key, in key order; without them every row is printed. `NULL` finds
    /// NULL and the text, `1` numbers and the text, `x'00FF'` bytes and the text; UUIDs, dates and
    /// decimals are written as they are printed.
    pub key: Vec<String>,
    /// The snapshot to read: a ref, tag, id, `ref~n` or `ref@date`.
    #[arg(long, value_name = "SNAPSHOT")]
    pub at: String,
    /// At most this many rows.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// `diff`
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct DiffArgs {
    /// A ref, tag, id, `ref~n`, `ref@date`, or a live source: a name in deepdiff.toml, a file, or
    /// the URL of a server.
    pub from: String,
    /// The same.
    pub to: String,
    /// Only the counts.
    #[arg(long)]
    pub stat: bool,
    /// Only the schema.
    #[arg(long, conflicts_with = "data")]
    pub schema: bool,
    /// Only the rows.
    #[arg(long)]
    pub data: bool,
    /// Only this table; may be given several times.
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,
    /// Only differences in these columns, separated by commas.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// At most this many rows of each table.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub format: DiffFormat,
    /// With `--format html`: the folder of a change pack that was made of this difference. The page
    /// then also says what runs, what is left out and how to allow it, and what to know before.
    #[arg(long, value_name = "DIR")]
    pub pack: Option<PathBuf>,
}

impl DiffArgs {
    /// Whether every change counts.
    pub fn is_all(&self) -> bool {
        self.columns.is_empty() && !self.data
    }
}

/// A way to print a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal.
    Text,
    /// One JSON object a line, as they are found.
    Jsonl,
    /// As SQL statements (SQLite); not guarded, for reading (see `pack`).
    Sql,
    /// For a review.
    Markdown,
    /// For a review in a browser: one page, with nothing beside it (`… > review.html`).
    Html,
}

/// `pack`
#[derive(Debug, Args)]
pub struct PackArgs {
    /// What the target is like now: a ref, tag, id, `ref~n`, `ref@date`, or a live source.
    pub from: String,
    /// What it shall become.
    pub to: String,
    /// The folder to write; it must not exist.
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Allow destructive steps: `all`, a class, or a class for one object as the list of what is left
    /// out names it (`drop-column:public.users.legacy`). Classes: delete-rows, large-delete (besides,
    /// for many deletes of a table; not part of `all`), drop-table, drop-column, narrow-type,
    /// drop-constraint, drop-index, drop-view, drop-trigger, drop-routine, drop-type, drop-sequence,
    /// drop-schema, drop-policy, drop-other (docs/pack.md says what each is).
    #[arg(long, value_name = "CLASS[:OBJECT]", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Allow the triggers of this table to fire.
    #[arg(long, value_name = "TABLE")]
    pub allow_triggers: Vec<String>,
    /// Change the rows of this table only, and no schema (PostgreSQL, MySQL, MariaDB); once for each
    /// table, named as `ls` prints it. Its schema must be the same in both snapshots; that of others
    /// may differ.
    #[arg(long, value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Lock less (PostgreSQL): indexes and constraints that can wait go into a pack of their own,
    /// `DIR.online`, to be applied after this one; each of its statements commits by itself.
    #[arg(long)]
    pub online: bool,
    /// Whose rows a table has in the end: `theirs` (those of the wanted state, which is the default),
    /// `ours` (those of the target), or `manual` (row by row, as a file says that is written for it).
    /// Without TABLE, for all tables that nothing else is said of. Overrules deepdiff.toml.
    #[arg(long, value_name = "[TABLE=]STRATEGY")]
    pub strategy: Vec<String>,
    /// Which changes of a table are wanted at all, of `insert`, `update` and `delete`, separated by
    /// commas. Without TABLE, for all tables that nothing else is said of. Overrules deepdiff.toml.
    #[arg(long, value_name = "[TABLE=]CHANGES")]
    pub changes: Vec<String>,
    /// A table or a column that only has another name, as `TABLE=NEW` or `TABLE.COLUMN=NEW`: it is
    /// renamed, and keeps its rows and values. Names before the `=` are those of FROM, with the schema
    /// where there is one. Besides those of deepdiff.toml.
    #[arg(long, value_name = "OLD=NEW")]
    pub rename: Vec<String>,
    /// What rows that stay get in a column that is new, or takes no NULL any more, as
    /// `TABLE.COLUMN=VALUE`, `=DEFAULT` (the column's own) or `=@OTHER` (what the row holds in another
    /// column). Names are those of TO. Besides those of deepdiff.toml.
    #[arg(long, value_name = "COLUMN=VALUE")]
    pub fill: Vec<String>,
    /// The file with the decisions about rows of tables whose strategy is `manual`. Without it they
    /// are asked for: a file is written beside the folder, to be filled in, and no pack is made.
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
}

/// `apply`
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct ApplyArgs {
    /// The folder of the pack.
    pub pack: PathBuf,
    /// The database to change: a source of the configuration, a file, or a URL.
    #[arg(long, value_name = "SOURCE")]
    pub to: String,
    /// Run everything, report, and roll back.
    #[arg(long)]
    pub dry_run: bool,
    /// Undo the pack: run its rollback, under the same guards.
    #[arg(long)]
    pub rollback: bool,
    /// Apply to another database than the one the pack was made for (a copy, a clone).
    #[arg(long)]
    pub accept_target: bool,
    /// Allow the triggers of this table to fire, beside those allowed when the pack was made.
    #[arg(long, value_name = "TABLE")]
    pub allow_triggers: Vec<String>,
    /// Read the whole target again inside the transaction and report its state.
    #[arg(long)]
    pub verify_full: bool,
}

/// `rehearse`
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// The folder of the pack. The snapshot that it starts from must be in the store.
    pub pack: PathBuf,
    /// An empty database on a scratch server, for packs of servers: a source of the configuration or
    /// a URL. It is filled from the snapshot, and emptied again. For SQLite a scratch file is made.
    #[arg(long, value_name = "SOURCE")]
    pub on: Option<String>,
    /// Allow the triggers of this table to fire, beside those allowed when the pack was made.
    #[arg(long, value_name = "TABLE")]
    pub allow_triggers: Vec<String>,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A ref, tag, id, `ref~n` or `ref@date`.
    pub snapshot: String,
    /// The SQLite database to create, which must not exist; or a database on a server that has the
    /// schema already and no rows.
    #[arg(long, value_name = "SOURCE")]
    pub to: String,
}

/// `tag`
#[derive(Debug, Args)]
pub struct TagArgs {
    /// The tag to create; without it all tags are listed.
    pub name: Option<String>,
    /// What it shall name.
    pub snapshot: Option<String>,
    /// Delete the tag.
    #[arg(long, short, requires = "name", conflicts_with = "snapshot")]
    pub delete: bool,
    /// Move the tag where it exists.
    #[arg(long, short)]
    pub force: bool,
}

/// `ref`
#[derive(Debug, Args)]
pub struct RefArgs {
    /// The ref to set; without it all refs are listed.
    pub name: Option<String>,
    /// What it shall name.
    pub snapshot: Option<String>,
    /// Delete the ref.
    #[arg(long, short, requires = "name", conflicts_with = "snapshot")]
    pub delete: bool,
    /// Print the ref's history of moves.
    #[arg(long, requires = "name", conflicts_with_all = ["snapshot", "delete"])]
    pub log: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Compare a snapshot with this live source instead: every stored row of it is checked, and
    /// every row of the source read.
    #[arg(
        long,
        value_name = "SOURCE",
        conflicts_with_all = ["quick", "full", "budget", "signatures"]
    )]
    pub against: Option<String>,
    /// With --against: the snapshot, by default that of the source's own ref. With --signatures: the
    /// snapshots, by default all that refs and tags name.
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// Only that everything is there: names, indexes, sizes.
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Also recompute row hashes, chunk boundaries and counts.
    #[arg(long)]
    pub full: bool,
    /// Stop after this many seconds; the next run goes on from there.
    #[arg(long, value_name = "SECONDS")]
    pub budget: Option<u64>,
    /// Whose signatures are wanted.
    #[command(flatten)]
    pub signatures: SignaturesArgs,
}

/// `gc`
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How many days what was condemned waits until it is deleted.
    #[arg(long, value_name = "DAYS")]
    pub grace_days: Option<u64>,
    /// How many days of the log keep what they name.
    #[arg(long, value_name = "DAYS")]
    pub log_days: Option<u64>,
    /// Which older snapshots stay.
    #[command(flatten)]
    pub keep: KeepArgs,
}

/// `repair`
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the folder, and say where it is.
    #[arg(long)]
    pub keep: bool,
}

/// `completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder to write into.
    pub dir: PathBuf,
}
