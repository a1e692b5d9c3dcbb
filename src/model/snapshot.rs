//! States and snapshots: what was in a database, and when and how it was read.

use super::id::{ObjectId, SnapshotId, StateId};
use super::schema::{NotCaptured, Sequence};

/// A Merkle tree by its root: everything below is found from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeRoot {
    /// The root's object; `None` for an empty tree. A chunk where `height` is 0, else a node.
    pub id: Option<ObjectId>,
    /// How many levels of nodes stand above the chunks.
    pub height: u8,
    /// How many rows the tree holds, multiplicities counted.
    pub rows: u64,
    /// How many bytes of row-hash preimages they make.
    pub bytes: u64,
}

impl TreeRoot {
    /// A tree without rows.
    pub const EMPTY: TreeRoot = TreeRoot { id: None, height: 0, rows: 0, bytes: 0 };
}

/// Under which rules a database was read. Part of the state: states under different scopes are
/// not compared silently.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Patterns of tables that are left out, sorted.
    pub excluded_tables: Vec<String>,
    /// Row keys named by the configuration: table and columns, sorted by table.
    pub key_overrides: Vec<(String, Vec<String>)>,
    /// Patterns of columns whose values are not read, as `table.column` or `schema.table.column`,
    /// sorted.
    pub masks: Vec<String>,
}

/// The content of a database under a scope. Its id covers nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The engine family whose schema model the facts follow (`sqlite`, …).
    pub engine: String,
    /// The rules it was read under.
    pub scope: Scope,
    /// The tree of schema facts.
    pub facts: TreeRoot,
    /// The tree of tables.
    pub tables: TreeRoot,
}

/// How consistent the reading of a snapshot was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guarantee {
    /// One transaction on one connection saw everything.
    SingleConnection,
    /// The reading was interrupted and resumed: the rows were read at more than one moment.
    Resumed,
    /// Several connections shared one snapshot that the server exported (PostgreSQL).
    ExportedSnapshot,
    /// Several connections began while a lock kept everybody from writing (MySQL, MariaDB).
    LockedStart,
    /// Nothing holds the rows to one moment.
    None,
}

impl Guarantee {
    /// The stable name, as in JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Guarantee::SingleConnection => "single-connection",
            Guarantee::Resumed => "resumed",
            Guarantee::ExportedSnapshot => "exported-snapshot",
            Guarantee::LockedStart => "locked-start",
            Guarantee::None => "none",
        }
    }
}

/// Where a state was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// The source's name in the configuration, or its URL without secrets.
    pub label: String,
    /// What identifies the database among others (for SQLite its absolute path).
    pub identity: String,
    /// The server program and version.
    pub server: String,
}

/// A state plus where and when it was read and how far that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The content.
    pub state: StateId,
    /// Where it was read.
    pub source: SourceInfo,
    /// When the reading began and ended, in microseconds since 1970 UTC. Where it was resumed,
    /// one pair for each session.
    pub read_at: Vec<(i64, i64)>,
    /// The guarantee of consistency that was reached.
    pub guarantee: Guarantee,
    /// What the guarantee rests on (transaction, data version, …), in the engine's words.
    pub evidence: Vec<String>,
    /// What the state leaves out.
    pub not_captured: Vec<NotCaptured>,
    /// Sequence positions.
    pub sequences: Vec<Sequence>,
    /// The tree of definitions (texts and column orders), outside the state.
    pub definitions: TreeRoot,
    /// Whether only keys and row hashes were stored, no values.
    pub is_hash_only: bool,
    /// The snapshots before this one. Weak: one that retention removed is no damage.
    pub parents: Vec<SnapshotId>,
    /// Who took it.
    pub author: String,
    /// What the author said of it.
    pub message: String,
}
