//! The walk from a snapshot's id to what is claimed, over whatever answers for the objects.
//!
//! Nothing is believed that does not hash to the id that led to it. A key leads through the nodes to
//! the one chunk that may hold it; a row is there when its hash is among the chunk's, and is not when
//! the chunk's keys pass over its own. Trees are sorted: that is what a program that took the snapshot
//! guarantees, and nobody who merely has its id.

use std::sync::Arc;

use super::error::ProofError;
use crate::codec::cell::{self, Cell, EXTERNAL_ABOVE, ExternalValue};
use crate::codec::hash::FRAME_LEN;
use crate::codec::row::RowLayout;
use crate::codec::slice::{self, Slice};
use crate::codec::state::{self, StoredTable};
use crate::codec::structure::Chunk;
use crate::codec::{Hasher, Kind, catalog, key, row_hash};
use crate::model::{ObjectId, ObjectName, RowKey, SnapshotId, Value};
use crate::store::Objects;
use crate::tree::state::LoadedSnapshot;
use crate::tree::{StoreMode, Tree, TreePlan, ValuePieces};

/// What a snapshot is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The table.
    pub table: ObjectName,
    /// What of it.
    pub claim: Claim,
}

/// What is claimed of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// It has this row.
    Row {
        /// The preimage of the row's hash.
        preimage: Vec<u8>,
        /// The columns whose values are proved by their hashes only, in the order of columns.
        by_hash: Vec<String>,
    },
    /// It has no row with any of these keys: values in key order.
    NoRow {
        /// The keys, at least one.
        keys: Vec<Vec<Value>>,
    },
    /// There is no such table.
    NoTable,
}

/// What was proved.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The snapshot it is proved of.
    pub loaded: LoadedSnapshot,
    /// The name of the table.
    pub name: ObjectName,
    /// The table, where there is one.
    pub table: Option<StoredTable>,
    /// What was found.
    pub finding: Finding,
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The row, with the values of all columns in byte order of their names.
    Row {
        /// The values.
        values: Vec<ProvedValue>,
        /// How often the row occurs.
        count: u64,
    },
    /// No row has any of these keys.
    NoRow {
        /// The keys.
        keys: Vec<Vec<Value>>,
    },
    /// There is no such table.
    NoTable,
}

/// A value of a row that was proved.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvedValue {
    /// The value; `None` where only its hash was given.
    pub value: Option<Value>,
    /// Where it is an object of its own.
    pub apart: Option<ExternalValue>,
}

/// Row hashes of a chunk: all, or a part that proves its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hashes {
    Whole(Vec<u8>),
    Part(Slice),
}

/// Answers for the objects on the way.
pub(super) trait Evidence: Objects {
    /// The plain bytes of the table that is claimed.
    fn table(&self) -> Result<Vec<u8>, ProofError>;

    /// Row hashes of the chunk of the tree that `key` leads to, among them `wanted`.
    fn row_hashes(
        &self,
        tree: &Tree<'_>,
        key: &[u8],
        wanted: &ObjectId,
    ) -> Result<Hashes, ProofError>;
}

/// Walks from the snapshot to what is claimed of it.
pub(super) fn follow(
    evidence: &dyn Evidence,
    id: SnapshotId,
    question: &Question,
) -> Result<Proved, ProofError> {
    let loaded = LoadedSnapshot::load(evidence, id)?;
    let name = question.table.clone();
    let spec = catalog::tables_spec();
    let list_plan = TreePlan::new(&spec, StoreMode::Full)?.shared();
    let list = Tree::new(evidence, Arc::clone(&list_plan), loaded.state.tables);
    let list_key = [Value::Text(name.schema.clone()), Value::Text(name.name.clone())];
    if question.claim == Claim::NoTable {
        absent(&list, &list_key)?;
        return Ok(Proved { loaded, name, table: None, finding: Finding::NoTable });
    }
    // The way through the list comes first in a proof, then the table that it lists.
    let listed = list_plan.key_of(list_key.iter().map(Value::as_ref), evidence.hasher());
    list.chunk_of(&listed)?;
    let plain = evidence.table()?;
    let table = state::read_table(&plain)?;
    if table.spec.name != name {
        return Err(ProofError::broken("its table is another one"));
    }
    let cells = catalog::table_row(&name, &evidence.hasher().id(Kind::Table, &plain));
    let preimage = written(list_plan.layout(), &cells)?;
    present(evidence, &list, &listed, &hash_of(evidence.hasher(), &preimage))?;
    let plan = TreePlan::new(&table.spec, StoreMode::Full)?.shared();
    let tree = Tree::new(evidence, plan, table.rows);
    let finding = match &question.claim {
        Claim::Row { preimage, by_hash } => row(evidence, &table, &tree, preimage, by_hash)?,
        Claim::NoRow { keys } => {
            no_row(&table, &tree, keys)?;
            Finding::NoRow { keys: keys.clone() }
        }
        Claim::NoTable => Finding::NoTable,
    };
    Ok(Proved { loaded, name, table: Some(table), finding })
}

/// The hash of the row with this preimage.
pub(super) fn hash_of(hasher: &Hasher, preimage: &[u8]) -> ObjectId {
    let mut framed = vec![0u8; FRAME_LEN];
    framed.extend_from_slice(preimage);
    row_hash::close_frame(&mut framed, 0);
    row_hash::hash_row(hasher, &framed)
}

/// The preimage of a row of a state's own list.
fn written(layout: &RowLayout, values: &[Value]) -> Result<Vec<u8>, ProofError> {
    let mut preimage = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let mut payload = Vec::new();
        cell::write_payload(value.as_ref(), &mut payload);
        if payload.len() > EXTERNAL_ABOVE {
            return Err(ProofError::Unprovable("the table's name is above 4 KiB".into()));
        }
        let tag = cell::tag_of(value.as_ref());
        layout.write_cell(index, Cell { tag, payload: &payload }, &mut preimage);
    }
    Ok(preimage)
}

/// That the tree has a row with this key and hash. Gives how often it occurs.
fn present(
    evidence: &dyn Evidence,
    tree: &Tree<'_>,
    key: &[u8],
    hash: &ObjectId,
) -> Result<u64, ProofError> {
    let Some(chunk) = tree.chunk_of(key)? else {
        return Err(ProofError::broken("its key is above every key of the table"));
    };
    let hashes = evidence.row_hashes(tree, key, hash)?;
    let place = place_of(evidence.hasher(), chunk.list(), &hashes, hash)?;
    Ok(chunk.count(place)?)
}

/// The place in the chunk of the row with this hash.
fn place_of(
    hasher: &Hasher,
    list: &Chunk,
    hashes: &Hashes,
    wanted: &ObjectId,
) -> Result<usize, ProofError> {
    let len = u64::from(list.rows) * HASH_LEN;
    let (id, part) = match hashes {
        Hashes::Whole(plain) if plain.len() as u64 == len => {
            (Some(hasher.id(Kind::RowHashes, plain)), Some((0, plain.as_slice())))
        }
        Hashes::Whole(_) => (None, None),
        Hashes::Part(slice) => (slice::id_of(hasher, len, slice), slice.plain()),
    };
    let (Some((at, bytes)), true) = (part, id == Some(list.row_hashes)) else {
        return Err(ProofError::broken("its row hashes are not those of its chunk"));
    };
    let first = at.div_ceil(HASH_LEN);
    let skipped = usize::try_from(first * HASH_LEN - at).expect("less than a hash");
    let found = bytes
        .get(skipped..)
        .and_then(|hashes| hashes.chunks_exact(32).position(|hash| hash == wanted.0.as_slice()));
    let place = found.and_then(|place| usize::try_from(first).ok()?.checked_add(place));
    place.ok_or_else(|| ProofError::broken("its row is none of its chunk's"))
}

const HASH_LEN: u64 = 32;

/// That the tree has no row whose key has these values.
fn absent(tree: &Tree<'_>, values: &[Value]) -> Result<(), ProofError> {
    let mut whole = Vec::new();
    values.iter().for_each(|value| key::write_component(value.as_ref(), &mut whole));
    let mut wanted = whole.clone();
    key::finish(&mut wanted, 0, tree.objects().hasher());
    let has_null = values.iter().any(Value::is_null);
    if has_null && whole.len() + 33 > key::LONG_KEY {
        let why = "a key with a NULL in it and more than 1 KiB may stand anywhere";
        return Err(ProofError::Unprovable(why.into()));
    }
    let Some(chunk) = tree.chunk_of(&wanted)? else { return Ok(()) };
    let keys = chunk.keys()?;
    let at = keys.lower_bound(&wanted);
    if at == keys.len() {
        return Ok(());
    }
    let next = keys.key(at);
    let rest = next.strip_prefix(whole.as_slice());
    let has_hash = rest.is_some_and(|rest| rest.len() == 33 && rest[0] == key::ROW_HASH);
    if next == wanted || has_hash {
        return Err(ProofError::broken("there is a row with this key"));
    }
    Ok(())
}

fn no_row(table: &StoredTable, tree: &Tree<'_>, keys: &[Vec<Value>]) -> Result<(), ProofError> {
    let RowKey::Columns { columns, .. } = &table.spec.key else {
        let why = "a table without a key has no row that could be named and missing";
        return Err(ProofError::Unprovable(why.into()));
    };
    if keys.is_empty() || keys.iter().any(|values| values.len() != columns.len()) {
        return Err(ProofError::broken("its key is none of the table's"));
    }
    keys.iter().try_for_each(|values| absent(tree, values))
}

/// That the table has the row of this preimage.
fn row(
    evidence: &dyn Evidence,
    table: &StoredTable,
    tree: &Tree<'_>,
    preimage: &[u8],
    by_hash: &[String],
) -> Result<Finding, ProofError> {
    let layout = tree.plan().layout();
    let mut values =
        vec![ProvedValue { value: Some(Value::Null), apart: None }; layout.column_count()];
    for found in layout.cells(preimage) {
        let (index, cell) = found?;
        if cell.is_null() {
            return Err(ProofError::broken("a NULL that is written out"));
        }
        values[index] = match cell.external()? {
            Some(apart) => ProvedValue { value: None, apart: Some(apart) },
            None => ProvedValue { value: Some(cell.value()?), apart: None },
        };
    }
    let mut unnamed = by_hash.iter().peekable();
    for (index, column) in table.spec.columns.iter().enumerate() {
        let Some(apart) = values[index].apart else { continue };
        let is_by_hash = unnamed.next_if_eq(&&column.name).is_some();
        if !is_by_hash {
            values[index].value = Some(whole(evidence, apart)?);
        }
    }
    if unnamed.peek().is_some() {
        return Err(ProofError::broken("a value by its hash that is none"));
    }
    let hash = hash_of(evidence.hasher(), preimage);
    let key = key_of(table, layout, &values, &hash, evidence.hasher())?;
    let count = present(evidence, tree, &key, &hash)?;
    Ok(Finding::Row { values, count })
}

/// A value that is an object of its own. Its pieces are objects that were given, each once, so
/// nothing grows beyond what was given.
fn whole(evidence: &dyn Evidence, apart: ExternalValue) -> Result<Value, ProofError> {
    let mut pieces = ValuePieces::open(evidence, apart)?;
    let mut payload = Vec::new();
    while let Some(piece) = pieces.next_piece()? {
        payload.extend_from_slice(&piece);
    }
    Ok(cell::into_value(apart.tag, payload)?)
}

/// The key of a row with these values and this hash.
fn key_of(
    table: &StoredTable,
    layout: &RowLayout,
    values: &[ProvedValue],
    hash: &ObjectId,
    hasher: &Hasher,
) -> Result<Vec<u8>, ProofError> {
    let mut bytes = Vec::new();
    let mut has_null = false;
    for name in table.spec.key.column_names() {
        let place = table.spec.place(name);
        let Some(value) = place.and_then(|place| values[place].value.as_ref()) else {
            return Err(ProofError::broken("a value of its key is given by its hash"));
        };
        has_null |= value.is_null();
        key::write_component(value.as_ref(), &mut bytes);
    }
    if has_null && !layout.has_multiplicities() {
        return Err(ProofError::broken("a NULL in a key that allows none"));
    }
    if has_null || layout.key_len() == 0 {
        key::write_row_hash(hash, &mut bytes);
    }
    key::finish(&mut bytes, 0, hasher);
    Ok(bytes)
}
