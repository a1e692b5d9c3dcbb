//! What stands in a pack's `pack.json` and in its lists of steps (`docs/pack.md`).
//!
//! `pack.json` names every other file by its digest and itself by `pack`, the digest of its own
//! text with that member empty. It has one form: what is read must be written again as the same
//! bytes, so no byte of a pack can be changed unnoticed.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::reversal::Reversals;
use crate::codec::{Hasher, Kind};
use crate::model::FactId;
use crate::model::snapshot::Scope;

/// The version of the pack format that this program writes and reads. (1 did not say whether a pack
/// vouches for the whole schema.)
pub const FORMAT: u64 = 2;

/// The files of a pack, `pack.json` aside.
pub const FILES: [&str; 6] = [
    "migration.sql",
    "migration.jsonl",
    "rollback.sql",
    "rollback.jsonl",
    "schema.jsonl",
    "summary.md",
];

/// The name of the manifest.
pub const MANIFEST: &str = "pack.json";

/// The part of a pack whose statements each commit.
pub const ONLINE: &str = "online";

/// The part of a pack that is one transaction, and after which another comes.
pub const FIRST: &str = "first";

/// `pack.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format.
    pub format: u64,
    /// The pack's own digest.
    pub pack: String,
    /// The engine it is for.
    pub engine: String,
    /// The hash function of digests and row hashes.
    pub hash: String,
    /// Whether row hashes depend on a key.
    pub is_keyed: bool,
    /// What the target was like.
    pub base: Side,
    /// What it shall become.
    pub wanted: Side,
    /// The target.
    pub target: TargetId,
    /// The rules states were read under.
    pub scope: ScopeLine,
    /// The tables it is for; all where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// What gets another name. Everything else in the pack goes by the new ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renames: Vec<RenameLine>,
    /// Whether it changes the schema, and vouches for all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes_schema: bool,
    /// Which of two packs it is, where there are two: `first`, or `online`, whose statements each
    /// commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Whether the target will be exactly as wanted: nothing is left out.
    pub is_complete: bool,
    /// The way there.
    pub migration: Way,
    /// The way back.
    pub rollback: Way,
    /// The other files.
    pub files: Vec<FileLine>,
    /// The large values, in `values/`, by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueLine>,
    /// What is left out.
    pub left_out: Vec<LeftOut>,
    /// What a strategy keeps as the target has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// What to know before it runs.
    pub hazards: Vec<Hazard>,
    /// Triggers of tables whose rows change.
    pub triggers: Vec<TriggerLine>,
}

/// A table or a column that gets another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameLine {
    /// The table, by its name before.
    pub table: String,
    /// The column of it, by its name before; the table itself where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The new name.
    pub to: String,
}

/// One of the two compared snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// The snapshot.
    pub snapshot: String,
    /// Its state.
    pub state: String,
}

/// Which database the pack was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetId {
    /// Its name in the configuration.
    pub label: String,
    /// What tells it from others.
    pub identity: String,
}

/// The rules a state was read under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeLine {
    /// Patterns of tables that are left out.
    pub excluded_tables: Vec<String>,
    /// Row keys that were named.
    pub key_overrides: Vec<(String, Vec<String>)>,
}

impl From<&Scope> for ScopeLine {
    fn from(scope: &Scope) -> Self {
        ScopeLine {
            excluded_tables: scope.excluded_tables.clone(),
            key_overrides: scope.key_overrides.clone(),
        }
    }
}

impl From<&ScopeLine> for Scope {
    fn from(line: &ScopeLine) -> Self {
        Scope {
            excluded_tables: line.excluded_tables.clone(),
            key_overrides: line.key_overrides.clone(),
        }
    }
}

/// One of the two ways a pack can be run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// How many statements it has.
    pub statements: u64,
    /// How many rows it changes.
    pub rows: RowTotals,
    /// The same by table.
    pub tables: Vec<TableTotals>,
    /// The fingerprint of the schema it starts from.
    pub schema_before: String,
    /// The fingerprint of the schema it leaves.
    pub schema_after: String,
    /// Whether foreign keys are checked at the end of the transaction.
    pub is_deferred: bool,
    /// Whether it builds tables anew, drops some, or meets a foreign key that cannot be enforced
    /// while rows change: on SQLite foreign keys are not enforced then while it runs, and checked
    /// when all has run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuilds: bool,
    /// How its steps are taken back by the other way.
    #[serde(default, skip_serializing_if = "Reversals::is_none")]
    pub reversals: Reversals,
}

/// Numbers of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowTotals {
    /// Rows added.
    pub inserted: u64,
    /// Rows changed.
    pub updated: u64,
    /// Rows removed.
    pub deleted: u64,
}

impl RowTotals {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// Numbers of rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableTotals {
    /// The table.
    pub name: String,
    /// Rows added.
    pub inserted: u64,
    /// Rows changed.
    pub updated: u64,
    /// Rows removed.
    pub deleted: u64,
}

/// A file of the pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLine {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub digest: String,
}

/// A large value: a file of `values/`, named by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueLine {
    /// Its digest.
    pub digest: String,
    /// Its length.
    pub bytes: u64,
}

/// Something that does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// What it would do: `delete`, `drop-table`, `insert`, …
    pub step: String,
    /// The class that must be allowed; `blocked` where another left-out step is in its way.
    pub class: String,
    /// The table or object.
    pub object: String,
    /// How many rows.
    pub rows: u64,
    /// The keys of the first of them.
    pub keys: Vec<String>,
    /// The options that would let it run.
    pub allow: Vec<String>,
    /// Why it does not run.
    pub reason: String,
}

/// Something that a strategy keeps from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// What it would do: `insert`, `update`, `delete`, `drop-table`.
    pub step: String,
    /// The table.
    pub object: String,
    /// The table's strategy: `theirs`, `ours` or `manual`.
    pub strategy: String,
    /// How many rows.
    pub rows: u64,
    /// The keys of the first of them.
    pub keys: Vec<String>,
    /// Why it does not run.
    pub reason: String,
}

/// Something to know before the pack runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hazard {
    /// `data-loss`, `scan`, `lock`, `triggers`, `deferred-checks`, `not-seen`.
    pub kind: String,
    /// The table or object; empty for the whole database.
    pub object: String,
    /// For people.
    pub text: String,
    /// Rows concerned.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Triggers that fire when the pack runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerLine {
    /// The table.
    pub table: String,
    /// Its triggers.
    pub triggers: Vec<String>,
    /// Whether they were allowed when the pack was made.
    pub is_allowed: bool,
}

impl Manifest {
    /// The text of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest is plain JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Whether it is the second of two packs, whose statements each commit.
    pub fn is_online(&self) -> bool {
        self.part.as_deref() == Some(ONLINE)
    }

    /// Puts in the pack's own digest.
    #[must_use]
    pub fn sealed(mut self, hasher: &Hasher) -> Manifest {
        self.pack.clear();
        self.pack = hasher.id(Kind::Pack, &self.to_bytes()).to_string();
        self
    }

    /// Whether the digest is that of the content.
    pub fn is_sealed(&self, hasher: &Hasher) -> bool {
        let unsealed = Manifest { pack: String::new(), ..self.clone() };
        hasher.id(Kind::Pack, &unsealed.to_bytes()).to_string() == self.pack
    }
}

/// A line of `migration.jsonl` or `rollback.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepLine<'a> {
    /// The step's number, from 1.
    pub id: u64,
    /// What it does.
    #[serde(borrow)]
    pub verb: Cow<'a, str>,
    /// The table or object.
    #[serde(borrow)]
    pub object: Cow<'a, str>,
    /// The row's key; not there for rows without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<Exact>>,
    /// The row's key afterwards, where it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_key: Option<Vec<Exact>>,
    /// How many equal rows, where rows have no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u64>,
    /// The row hash before anything runs; `absent` for no row.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Cow<'a, str>>,
    /// The row hash when all has run; `absent` for no row.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cow<'a, str>>,
    /// How many rows the statement must change; not there where it is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<u64>,
    /// For a table that is dropped: its rows and the digest of their sorted hashes.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content<'a>>,
    /// For a column that is dropped: its name, and how many rows hold more than its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnGuard>,
    /// The one fact that it is about, where statements each commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<FactName>,
    /// The steps it must follow, where constraints say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<u64>,
    /// What to know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hazards: Vec<Cow<'a, str>>,
    /// The large values that its statement binds, in the order of its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<Binding>,
    /// Where its statement begins in the SQL file, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// How long its statement is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub len: Option<u64>,
}

/// A fact, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactName {
    /// The kind of fact.
    pub kind: String,
    /// The object.
    pub object: String,
    /// The part of the object.
    pub part: String,
}

impl FactName {
    /// The name of a fact.
    pub fn of(id: &FactId) -> FactName {
        let (kind, object) = (id.kind.as_str().to_owned(), id.object.to_string());
        FactName { kind, object, part: id.part.clone() }
    }
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.part.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.kind, self.object, self.part)
    }
}

/// A large value that a statement binds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// `text` or `blob`.
    pub class: String,
    /// The digest of the value, which is the name of its file.
    pub value: String,
}

/// What a table holds, whatever the order of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content<'a> {
    /// How many rows.
    pub rows: u64,
    /// The digest of their hashes, sorted.
    #[serde(borrow)]
    pub digest: Cow<'a, str>,
}

/// What a column that is dropped may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnGuard {
    /// The column.
    pub name: String,
    /// What it holds in rows that the pack knows nothing of.
    pub default: Exact,
    /// How many rows hold something else.
    pub others: u64,
}

/// The hazard of an update that changes what rows refer to, where they would follow it.
pub const MOVES_KEY: &str = "moves-key";

/// The verb of the statements that build a table anew: the rows that they copy are no changes.
pub const REBUILD_TABLE: &str = "rebuild-table";

/// The verb of the line between the two stages of a schema, where statements commit one by one:
/// what follows are the rows. It has no statement.
pub const ROWS: &str = "rows";

/// The verb of the statements that drop what was put aside.
pub const DROP_TRASH: &str = "drop-trash";

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// A row, or nothing but a guard of one.
    Row,
    /// When foreign keys are checked.
    Deferral,
    /// A setting of the session that the others need.
    Preparation,
    /// The schema.
    Schema,
    /// Where the rows begin.
    Rows,
    /// A sequence is raised.
    Sequence,
    /// What was put aside goes.
    Trash,
}

impl StepLine<'_> {
    /// What it is about, by its verb.
    pub fn kind(&self) -> StepKind {
        match self.verb.as_ref() {
            "insert" | "update" | "park" | "delete" | "lift" | "check" => StepKind::Row,
            "defer" => StepKind::Deferral,
            "prepare" => StepKind::Preparation,
            ROWS => StepKind::Rows,
            "sequence" => StepKind::Sequence,
            DROP_TRASH => StepKind::Trash,
            _ => StepKind::Schema,
        }
    }
}

/// The word for no row.
pub const ABSENT: &str = "absent";

/// A line of `schema.jsonl`: a fact by the digests of what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactLine {
    /// The kind of fact.
    pub kind: String,
    /// The object.
    pub object: String,
    /// The part of the object.
    pub part: String,
    /// What it says before; not there where it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it says afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
