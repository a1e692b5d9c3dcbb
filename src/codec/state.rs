//! Tables, states and snapshots ↔ their frozen wire structs (`docs/format.md`).

use bincode::{Decode, Encode};

use super::cell;
use super::structure::{Part, Reference, Root, push_root};
use super::{DecodeError, Kind, wire};
use crate::model::snapshot::{Guarantee, Scope, Snapshot, SourceInfo, State, TreeRoot};
use crate::model::{
    ColumnSpec, KeyColumn, KeyMatching, NotCaptured, ObjectId, ObjectName, RowKey, RowKeySource,
    Sequence, SnapshotId, StateId, TableSpec, Value,
};

/// A table of a state: what is needed to read its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTable {
    /// Its columns and key. `column_order` and `reads_in_key_order` are no part of a state: the
    /// first is empty and the second false here.
    pub spec: TableSpec,
    /// Its rows.
    pub rows: TreeRoot,
}

#[derive(Encode, Decode)]
struct WireName {
    schema: String,
    name: String,
}

#[derive(Encode, Decode)]
struct WireTable {
    name: WireName,
    columns: Vec<WireColumn>,
    key: Option<WireKey>,
    rows: Root,
}

#[derive(Encode, Decode)]
struct WireColumn {
    name: String,
    declared_type: String,
    default_tag: u8,
    default_payload: Vec<u8>,
}

#[derive(Encode, Decode)]
struct WireKey {
    columns: Vec<WireKeyColumn>,
    source: u8,
    may_be_null: bool,
}

#[derive(Encode, Decode)]
struct WireKeyColumn {
    name: String,
    matching: u8,
}

#[derive(Encode, Decode)]
struct WireScope {
    excluded_tables: Vec<String>,
    key_overrides: Vec<(String, Vec<String>)>,
}

#[derive(Encode, Decode)]
struct WireState {
    engine: String,
    scope: WireScope,
    facts: Root,
    tables: Root,
}

/// A state with masked columns, which are at least one: what it is without them, and they.
#[derive(Encode, Decode)]
struct WireMaskedState {
    state: WireState,
    masks: Vec<String>,
}

#[derive(Encode, Decode)]
struct WireNotCaptured {
    kind: String,
    name: String,
    reason: String,
    is_unknown: bool,
}

#[derive(Encode, Decode)]
struct WireSequence {
    name: WireName,
    position: i64,
}

#[derive(Encode, Decode)]
struct WireSnapshot {
    state: ObjectId,
    label: String,
    identity: String,
    server: String,
    read_at: Vec<(i64, i64)>,
    guarantee: u8,
    evidence: Vec<String>,
    not_captured: Vec<WireNotCaptured>,
    sequences: Vec<WireSequence>,
    definitions: Root,
    is_hash_only: bool,
    parents: Vec<ObjectId>,
    author: String,
    message: String,
}

impl WireKey {
    /// Whether the key consists of different columns of the table, at least one.
    fn is_of(&self, columns: &[ColumnSpec]) -> bool {
        let names = || self.columns.iter().map(|column| &column.name);
        names().count() > 0
            && names().all(|name| columns.binary_search_by(|c| c.name.cmp(name)).is_ok())
            && names().enumerate().all(|(at, name)| names().take(at).all(|other| other != name))
    }
}

const MATCHING: [KeyMatching; 4] = [
    KeyMatching::Binary,
    KeyMatching::AsciiNoCase,
    KeyMatching::TrailingSpaces,
    KeyMatching::Unknown,
];
const SOURCES: [RowKeySource; 3] =
    [RowKeySource::Configured, RowKeySource::PrimaryKey, RowKeySource::UniqueIndex];
const GUARANTEES: [Guarantee; 5] = [
    Guarantee::SingleConnection,
    Guarantee::Resumed,
    Guarantee::ExportedSnapshot,
    Guarantee::LockedStart,
    Guarantee::None,
];

fn number_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let position = all.iter().position(|other| other == one).expect("every variant is listed");
    u8::try_from(position).expect("the lists are short")
}

fn by_number<T: Copy>(what: &'static str, all: &[T], number: u8) -> Result<T, DecodeError> {
    all.get(usize::from(number))
        .copied()
        .ok_or_else(|| DecodeError::new(what, format!("number {number} is not known")))
}

impl From<&ObjectName> for WireName {
    fn from(name: &ObjectName) -> Self {
        WireName { schema: name.schema.clone(), name: name.name.clone() }
    }
}

impl From<WireName> for ObjectName {
    fn from(name: WireName) -> Self {
        ObjectName { schema: name.schema, name: name.name }
    }
}

/// The plain bytes of a table.
pub fn write_table(table: &StoredTable) -> Vec<u8> {
    let columns = table.spec.columns.iter().map(|column| {
        let mut default_payload = Vec::new();
        cell::write_payload(column.default.as_ref(), &mut default_payload);
        WireColumn {
            name: column.name.clone(),
            declared_type: column.declared_type.clone(),
            default_tag: cell::tag_of(column.default.as_ref()),
            default_payload,
        }
    });
    let key = match &table.spec.key {
        RowKey::RowHash => None,
        RowKey::Columns { columns, source, may_be_null } => Some(WireKey {
            columns: columns
                .iter()
                .map(|column| WireKeyColumn {
                    name: column.name.clone(),
                    matching: number_of(&MATCHING, &column.matching),
                })
                .collect(),
            source: number_of(&SOURCES, source),
            may_be_null: *may_be_null,
        }),
    };
    wire::to_bytes(&WireTable {
        name: (&table.spec.name).into(),
        columns: columns.collect(),
        key,
        rows: table.rows.into(),
    })
}

/// The table of these plain bytes.
pub fn read_table(plain: &[u8]) -> Result<StoredTable, DecodeError> {
    let table: WireTable = wire::from_bytes("table", plain)?;
    let columns: Vec<ColumnSpec> = table
        .columns
        .into_iter()
        .map(|column| {
            let default = cell::read_value(column.default_tag, &column.default_payload)?;
            let WireColumn { name, declared_type, .. } = column;
            Ok(ColumnSpec { name, declared_type, default })
        })
        .collect::<Result<_, DecodeError>>()?;
    if !columns.windows(2).all(|pair| pair[0].name < pair[1].name) {
        return Err(DecodeError::new("table", "columns out of order"));
    }
    let key = match table.key {
        None => RowKey::RowHash,
        Some(key) if !key.is_of(&columns) => {
            return Err(DecodeError::new("table", "a key that is not of its columns"));
        }
        Some(key) => RowKey::Columns {
            columns: key
                .columns
                .into_iter()
                .map(|column| {
                    let matching = by_number("key matching", &MATCHING, column.matching)?;
                    Ok(KeyColumn { name: column.name, matching })
                })
                .collect::<Result<_, DecodeError>>()?,
            source: by_number("key source", &SOURCES, key.source)?,
            may_be_null: key.may_be_null,
        },
    };
    Ok(StoredTable {
        spec: TableSpec {
            name: table.name.into(),
            columns,
            key,
            reads_in_key_order: false,
            column_order: Vec::new(),
        },
        rows: table.rows.checked()?.into(),
    })
}

pub(super) fn table_root(plain: &[u8]) -> Result<Root, DecodeError> {
    Ok(read_table(plain)?.rows.into())
}

/// The plain bytes of a state.
pub fn write_state(state: &State) -> Vec<u8> {
    let wire = WireState {
        engine: state.engine.clone(),
        scope: WireScope {
            excluded_tables: state.scope.excluded_tables.clone(),
            key_overrides: state.scope.key_overrides.clone(),
        },
        facts: state.facts.into(),
        tables: state.tables.into(),
    };
    match state.scope.masks.is_empty() {
        true => wire::to_bytes(&wire),
        false => wire::to_bytes(&WireMaskedState { state: wire, masks: state.scope.masks.clone() }),
    }
}

/// The state of these plain bytes.
pub fn read_state(plain: &[u8]) -> Result<State, DecodeError> {
    let (state, masks) = wire_state(plain)?;
    Ok(State {
        engine: state.engine,
        scope: Scope {
            excluded_tables: state.scope.excluded_tables,
            key_overrides: state.scope.key_overrides,
            masks,
        },
        facts: state.facts.checked()?.into(),
        tables: state.tables.checked()?.into(),
    })
}

/// A state and its masks. The list of masks stands at the end, and is there only where it is not
/// empty: so the bytes of the one form are never those of the other.
fn wire_state(plain: &[u8]) -> Result<(WireState, Vec<String>), DecodeError> {
    let error = match wire::from_bytes::<WireState>("state", plain) {
        Ok(state) => return Ok((state, Vec::new())),
        Err(error) => error,
    };
    match wire::from_bytes::<WireMaskedState>("state", plain) {
        Ok(WireMaskedState { state, masks }) => {
            let is_sorted = masks.windows(2).all(|pair| pair[0] < pair[1]);
            if masks.is_empty() || !is_sorted {
                return Err(DecodeError::new("state", "masks that are not sorted, or none"));
            }
            Ok((state, masks))
        }
        Err(_) => Err(error),
    }
}

pub(super) fn state_roots(plain: &[u8]) -> Result<(Root, Root), DecodeError> {
    let (state, _) = wire_state(plain)?;
    Ok((state.facts, state.tables))
}

/// The plain bytes of a snapshot.
pub fn write_snapshot(snapshot: &Snapshot) -> Vec<u8> {
    wire::to_bytes(&WireSnapshot {
        state: snapshot.state.0,
        label: snapshot.source.label.clone(),
        identity: snapshot.source.identity.clone(),
        server: snapshot.source.server.clone(),
        read_at: snapshot.read_at.clone(),
        guarantee: number_of(&GUARANTEES, &snapshot.guarantee),
        evidence: snapshot.evidence.clone(),
        not_captured: snapshot.not_captured.iter().map(wire_not_captured).collect(),
        sequences: snapshot
            .sequences
            .iter()
            .map(|s| WireSequence { name: (&s.name).into(), position: s.position })
            .collect(),
        definitions: snapshot.definitions.into(),
        is_hash_only: snapshot.is_hash_only,
        parents: snapshot.parents.iter().map(|parent| parent.0).collect(),
        author: snapshot.author.clone(),
        message: snapshot.message.clone(),
    })
}

fn wire_not_captured(item: &NotCaptured) -> WireNotCaptured {
    WireNotCaptured {
        kind: item.kind.clone(),
        name: item.name.clone(),
        reason: item.reason.clone(),
        is_unknown: item.is_unknown,
    }
}

/// The snapshot of these plain bytes.
pub fn read_snapshot(plain: &[u8]) -> Result<Snapshot, DecodeError> {
    let snapshot: WireSnapshot = wire::from_bytes("snapshot", plain)?;
    Ok(Snapshot {
        state: StateId(snapshot.state),
        source: SourceInfo {
            label: snapshot.label,
            identity: snapshot.identity,
            server: snapshot.server,
        },
        read_at: snapshot.read_at,
        guarantee: by_number("guarantee", &GUARANTEES, snapshot.guarantee)?,
        evidence: snapshot.evidence,
        not_captured: snapshot
            .not_captured
            .into_iter()
            .map(|item| NotCaptured {
                kind: item.kind,
                name: item.name,
                reason: item.reason,
                is_unknown: item.is_unknown,
            })
            .collect(),
        sequences: snapshot
            .sequences
            .into_iter()
            .map(|s| Sequence { name: s.name.into(), position: s.position })
            .collect(),
        definitions: snapshot.definitions.checked()?.into(),
        is_hash_only: snapshot.is_hash_only,
        parents: snapshot.parents.into_iter().map(SnapshotId).collect(),
        author: snapshot.author,
        message: snapshot.message,
    })
}

pub(super) fn snapshot_references(
    plain: &[u8],
    found: &mut Vec<Reference>,
) -> Result<(), DecodeError> {
    let snapshot: WireSnapshot = wire::from_bytes("snapshot", plain)?;
    found.push(Reference { kind: Kind::State, id: snapshot.state, part: Part::Always });
    push_root(&snapshot.definitions, found);
    for id in snapshot.parents {
        found.push(Reference { kind: Kind::Snapshot, id, part: Part::Weak });
    }
    Ok(())
}

pub(super) fn snapshot_is_hash_only(plain: &[u8]) -> Result<bool, DecodeError> {
    let snapshot: WireSnapshot = wire::from_bytes("snapshot", plain)?;
    Ok(snapshot.is_hash_only)
}

/// What a constant default is worth comparing with: the cell it would make in a row.
pub fn default_cell(default: &Value, payload: &mut Vec<u8>) -> u8 {
    payload.clear();
    cell::write_payload(default.as_ref(), payload);
    cell::tag_of(default.as_ref())
}
