//! `snapshot.toml`: all that the id of a snapshot covers and that no other file of a commit holds.
//!
//! Nothing is left to the reader: a field of the model that has no place here does not compile.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::{HashAlgorithm, Hasher, Kind};
use crate::model::snapshot::{Guarantee, Scope, Snapshot, SourceInfo, State, TreeRoot};
use crate::model::{NotCaptured, ObjectId, ObjectName, Sequence, SnapshotId, StateId};

/// The version of the layout of a commit.
const FORMAT: u32 = 1;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) snapshot: String,
    pub(super) state: String,
    /// `rows`, or `manifest-only`.
    pub(super) content: String,
    hash: String,
    keyed: bool,
    /// What tells another key from the right one; only where ids depend on a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_check: Option<String>,
    engine: String,
    author: String,
    message: String,
    guarantee: String,
    evidence: Vec<String>,
    /// Microseconds since 1970 UTC: begin and end of each session of reading.
    read_at: Vec<(i64, i64)>,
    parents: Vec<String>,
    excluded_tables: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    masks: Vec<String>,
    source: Source,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    key_overrides: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sequence: Vec<Position>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    not_captured: Vec<Left>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    label: String,
    identity: String,
    server: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    schema: String,
    name: String,
    position: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    kind: String,
    name: String,
    reason: String,
    is_unknown: bool,
}

/// What `content` says where rows are there.
pub(super) const ROWS: &str = "rows";
/// What it says where they are not.
pub(super) const MANIFEST_ONLY: &str = "manifest-only";

/// How the ids of a store are made, in words.
pub(super) fn hash_in_words(hash: &str, is_keyed: bool) -> String {
    if is_keyed { format!("{hash} and a key") } else { hash.to_owned() }
}

const GUARANTEES: [Guarantee; 5] = [
    Guarantee::SingleConnection,
    Guarantee::Resumed,
    Guarantee::ExportedSnapshot,
    Guarantee::LockedStart,
    Guarantee::None,
];

impl Manifest {
    /// What is said of a snapshot. `Err` says why nothing can be.
    pub(super) fn new(
        id: SnapshotId,
        snapshot: &Snapshot,
        state: &State,
        hasher: &Hasher,
        content: &str,
    ) -> Result<Manifest, String> {
        // Whoever adds a field decides here what becomes of it.
        let Snapshot {
            state: state_id,
            source: SourceInfo { label, identity, server },
            read_at,
            guarantee,
            evidence,
            not_captured,
            sequences,
            definitions: _,
            is_hash_only: _,
            parents,
            author,
            message,
        } = snapshot;
        let State { engine, scope, facts: _, tables: _ } = state;
        let Scope { excluded_tables, key_overrides, masks } = scope;
        let overrides: BTreeMap<_, _> = key_overrides.iter().cloned().collect();
        if overrides.len() != key_overrides.len() {
            return Err("the keys of one table are overridden twice".to_owned());
        }
        Ok(Manifest {
            format: FORMAT,
            snapshot: id.to_string(),
            state: state_id.to_string(),
            content: content.to_owned(),
            hash: hasher.algorithm().as_str().to_owned(),
            keyed: hasher.is_keyed(),
            key_check: hasher.is_keyed().then(|| key_check(hasher)),
            engine: engine.clone(),
            author: author.clone(),
            message: message.clone(),
            guarantee: guarantee.as_str().to_owned(),
            evidence: evidence.clone(),
            read_at: read_at.clone(),
            parents: parents.iter().map(ToString::to_string).collect(),
            excluded_tables: excluded_tables.clone(),
            masks: masks.clone(),
            source: Source {
                label: label.clone(),
                identity: identity.clone(),
                server: server.clone(),
            },
            key_overrides: overrides,
            sequence: sequences
                .iter()
                .map(|Sequence { name: ObjectName { schema, name }, position }| Position {
                    schema: schema.clone(),
                    name: name.clone(),
                    position: *position,
                })
                .collect(),
            not_captured: not_captured
                .iter()
                .map(|NotCaptured { kind, name, reason, is_unknown }| Left {
                    kind: kind.clone(),
                    name: name.clone(),
                    reason: reason.clone(),
                    is_unknown: *is_unknown,
                })
                .collect(),
        })
    }

    /// The text of the file.
    pub(super) fn to_text(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }

    /// The file of this text. `Err` says what is wrong with it.
    pub(super) fn from_text(text: &str) -> Result<Manifest, String> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let Version { format } = toml::from_str(text).map_err(|error| error.to_string())?;
        if format != FORMAT {
            return Err(format!("its format {format} is of another version of the program"));
        }
        let manifest: Manifest = toml::from_str(text).map_err(|error| error.to_string())?;
        if manifest.content != ROWS && manifest.content != MANIFEST_ONLY {
            return Err(format!("its content `{}` is not known", manifest.content));
        }
        manifest.snapshot_id()?;
        Ok(manifest)
    }

    /// The snapshot that the commit promises.
    pub(super) fn snapshot_id(&self) -> Result<SnapshotId, String> {
        Ok(SnapshotId(id(&self.snapshot)?))
    }

    /// The hash function, and whether ids depend on a key besides.
    pub(super) fn hash(&self) -> Result<(HashAlgorithm, bool), String> {
        let algorithm = HashAlgorithm::from_name(&self.hash)
            .ok_or_else(|| format!("the hash `{}` is not known", self.hash))?;
        Ok((algorithm, self.keyed))
    }

    /// Whether ids that depend on a key were made with this one.
    pub(super) fn is_of_key(&self, hasher: &Hasher) -> bool {
        self.key_check.as_ref().is_none_or(|check| *check == key_check(hasher))
    }

    /// When the last session of reading ended, in microseconds since 1970 UTC.
    pub(super) fn read_at(&self) -> i64 {
        self.read_at.last().map_or(0, |(_, end)| *end)
    }

    /// The state of this description and these lists.
    pub(super) fn state(&self, facts: TreeRoot, tables: TreeRoot) -> State {
        let scope = Scope {
            excluded_tables: self.excluded_tables.clone(),
            key_overrides: self.key_overrides.clone().into_iter().collect(),
            masks: self.masks.clone(),
        };
        State { engine: self.engine.clone(), scope, facts, tables }
    }

    /// The snapshot of this description, this state and these definitions.
    pub(super) fn snapshot(
        &self,
        state: StateId,
        definitions: TreeRoot,
    ) -> Result<Snapshot, String> {
        let guarantee = GUARANTEES.into_iter().find(|g| g.as_str() == self.guarantee);
        let parents: Result<Vec<_>, String> =
            self.parents.iter().map(|text| id(text).map(SnapshotId)).collect();
        Ok(Snapshot {
            state,
            source: SourceInfo {
                label: self.source.label.clone(),
                identity: self.source.identity.clone(),
                server: self.source.server.clone(),
            },
            read_at: self.read_at.clone(),
            guarantee: guarantee
                .ok_or_else(|| format!("the guarantee `{}` is not known", self.guarantee))?,
            evidence: self.evidence.clone(),
            not_captured: self
                .not_captured
                .iter()
                .map(|left| NotCaptured {
                    kind: left.kind.clone(),
                    name: left.name.clone(),
                    reason: left.reason.clone(),
                    is_unknown: left.is_unknown,
                })
                .collect(),
            sequences: self
                .sequence
                .iter()
                .map(|Position { schema, name, position }| Sequence {
                    name: ObjectName { schema: schema.clone(), name: name.clone() },
                    position: *position,
                })
                .collect(),
            definitions,
            is_hash_only: false,
            parents: parents?,
            author: self.author.clone(),
            message: self.message.clone(),
        })
    }
}

/// An id that every commit of one key has in common. Says nothing of the key.
fn key_check(hasher: &Hasher) -> String {
    hasher.id(Kind::File, b"deepdiff-db git check").to_string()
}

fn id(text: &str) -> Result<ObjectId, String> {
    text.parse::<ObjectId>().map_err(|error| error.to_string())
}
