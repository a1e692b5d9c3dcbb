//! How far an interrupted snapshot came: which tables are whole, and where in the next one a
//! natural boundary lies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::error::SnapshotError;
use crate::codec::{Hasher, Kind};
use crate::model::snapshot::Scope;
use crate::model::{ObjectId, ObjectName};
use crate::store::{self, RootObject};
use crate::tree::{Checkpoint, StoreMode};

/// How far a snapshot came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    identity: String,
    scope: Scope,
    mode: StoreMode,
    /// When each session began and ended; the last one goes on.
    sessions: Vec<(i64, i64)>,
    /// The tables that were read whole.
    pub finished: Vec<Finished>,
    /// The table in which reading stopped, where it can go on there.
    pub unfinished: Option<Unfinished>,
}

/// A table that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The table.
    pub table: ObjectName,
    /// Its `Table` object.
    pub id: ObjectId,
}

/// A table that was read up to a boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The table.
    pub table: ObjectName,
    /// The place.
    pub checkpoint: Checkpoint,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireProgress {
    version: u32,
    identity: String,
    excluded_tables: Vec<String>,
    key_overrides: Vec<(String, Vec<String>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    masks: Vec<String>,
    is_hash_only: bool,
    sessions: Vec<(i64, i64)>,
    finished: Vec<(String, String, String)>,
    unfinished: Option<(String, String, String)>,
}

impl Progress {
    /// Nothing was read yet.
    pub fn new(identity: &str, scope: &Scope, mode: StoreMode, started: i64) -> Self {
        Progress {
            identity: identity.to_owned(),
            scope: scope.clone(),
            mode,
            sessions: vec![(started, started)],
            finished: Vec::new(),
            unfinished: None,
        }
    }

    /// The same, where another session begins. Refuses another database or other rules.
    pub fn resumed(
        &self,
        identity: &str,
        scope: &Scope,
        mode: StoreMode,
        started: i64,
    ) -> Result<Self, SnapshotError> {
        let refuse = |why: &str| SnapshotError::CannotResume { why: why.to_owned() };
        if self.identity != identity {
            return Err(refuse("it read another database"));
        }
        if self.scope != *scope {
            return Err(refuse("what is left out or masked, or a row key, was configured anew"));
        }
        if self.mode != mode {
            return Err(refuse("only one of the two is --hash-only"));
        }
        let mut resumed = self.clone();
        resumed.sessions.push((started, started));
        Ok(resumed)
    }

    /// The sessions, where the last one ends now.
    pub fn sessions_until(&self, now: i64) -> Vec<(i64, i64)> {
        let mut sessions = self.sessions.clone();
        if let Some(last) = sessions.last_mut() {
            last.1 = now;
        }
        sessions
    }

    /// What the store is to keep, now.
    pub fn to_stored(&self, now: i64) -> store::Checkpoint {
        store::Checkpoint { roots: self.roots(), payload: self.to_bytes(now) }
    }

    /// The progress that the store kept.
    pub fn of_stored(kept: &store::Checkpoint, hasher: &Hasher) -> Result<Self, SnapshotError> {
        Self::from_bytes(&kept.payload, hasher)
    }

    /// The objects that were written and are relied on.
    fn roots(&self) -> Vec<RootObject> {
        let tables = self.finished.iter().map(|finished| (Kind::Table, finished.id));
        let unfinished = self.unfinished.iter().flat_map(|u| u.checkpoint.references());
        tables.chain(unfinished).map(|(kind, id)| RootObject { kind, id }).collect()
    }

    fn to_bytes(&self, now: i64) -> Vec<u8> {
        let wire = WireProgress {
            version: 1,
            identity: self.identity.clone(),
            excluded_tables: self.scope.excluded_tables.clone(),
            key_overrides: self.scope.key_overrides.clone(),
            masks: self.scope.masks.clone(),
            is_hash_only: self.mode == StoreMode::HashOnly,
            sessions: self.sessions_until(now),
            finished: self
                .finished
                .iter()
                .map(|f| (f.table.schema.clone(), f.table.name.clone(), f.id.to_string()))
                .collect(),
            unfinished: self.unfinished.as_ref().map(|u| {
                let bytes = BASE64.encode(u.checkpoint.as_bytes());
                (u.table.schema.clone(), u.table.name.clone(), bytes)
            }),
        };
        serde_json::to_vec(&wire).expect("strings and numbers are always JSON")
    }

    fn from_bytes(bytes: &[u8], hasher: &Hasher) -> Result<Self, SnapshotError> {
        let refuse = |why: String| SnapshotError::CannotResume { why };
        let wire: WireProgress = serde_json::from_slice(bytes)
            .map_err(|error| refuse(format!("its checkpoint cannot be read: {error}")))?;
        if wire.version != 1 {
            return Err(refuse("its checkpoint is of another version".to_owned()));
        }
        let finished = wire.finished.into_iter().map(|(schema, name, id)| {
            let id = id.parse().map_err(|error| refuse(format!("its checkpoint: {error}")))?;
            Ok(Finished { table: ObjectName { schema, name }, id })
        });
        let unfinished = wire.unfinished.map(|(schema, name, bytes)| {
            let bytes =
                BASE64.decode(bytes).map_err(|error| refuse(format!("its checkpoint: {error}")))?;
            let checkpoint = Checkpoint::from_bytes(&name, &bytes, hasher)?;
            Ok::<_, SnapshotError>(Unfinished { table: ObjectName { schema, name }, checkpoint })
        });
        Ok(Progress {
            identity: wire.identity,
            scope: Scope {
                excluded_tables: wire.excluded_tables,
                key_overrides: wire.key_overrides,
                masks: wire.masks,
            },
            mode: if wire.is_hash_only { StoreMode::HashOnly } else { StoreMode::Full },
            sessions: wire.sessions,
            finished: finished.collect::<Result<_, SnapshotError>>()?,
            unfinished: unfinished.transpose()?,
        })
    }
}
