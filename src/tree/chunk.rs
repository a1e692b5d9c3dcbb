//! A chunk that is read: its blocks are fetched and decoded when they are asked for, once.
//!
//! A column that the chunk does not list is NULL in every row, or a part of the key; then its
//! values stand in the key block.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use super::error::TreeError;
use super::framed_rows::{CellWriter, FramedRows};
use super::large;
use super::plan::{StoreMode, TreePlan};
use super::reader::Subtree;
use crate::codec::block::{self, Column, Keys};
use crate::codec::cell::{self, EXTERNAL, EXTERNAL_ABOVE, ExternalValue};
use crate::codec::hash::FRAME_LEN;
use crate::codec::structure::{BlockRef, Chunk};
use crate::codec::{DecodeError, Kind, key, row_hash};
use crate::model::{ObjectId, Value};
use crate::store::Objects;

/// A chunk, loaded as far as it was needed.
pub struct LoadedChunk<'o> {
    objects: &'o dyn Objects,
    plan: Arc<TreePlan>,
    id: ObjectId,
    total: u64,
    last_key: Option<Vec<u8>>,
    rows: usize,
    list: Chunk,
    /// For each column of the table its place in the list.
    places: Vec<Option<usize>>,
    /// Whether the key's columns are blocks here, because a key is cut. At least one of them is
    /// then listed: a long key is not NULL all over.
    lists_key: bool,
    keys: OnceLock<Keys>,
    counts: OnceLock<Vec<u64>>,
    row_hashes: OnceLock<Vec<ObjectId>>,
    columns: Vec<OnceLock<Column>>,
}

/// A value as a cell gives it: here, or stored apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CellValue {
    /// The value.
    Here(Value),
    /// Where the value is.
    Apart(ExternalValue),
}

impl CellValue {
    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, CellValue::Here(Value::Null))
    }

    /// The value, where it is here.
    pub fn here(&self) -> Option<&Value> {
        match self {
            CellValue::Here(value) => Some(value),
            CellValue::Apart(_) => None,
        }
    }
}

impl From<Value> for CellValue {
    fn from(value: Value) -> Self {
        CellValue::Here(value)
    }
}

impl<'o> LoadedChunk<'o> {
    pub(super) fn new(
        objects: &'o dyn Objects,
        plan: Arc<TreePlan>,
        subtree: &Subtree,
        list: Chunk,
    ) -> Result<Self, TreeError> {
        let rows = usize::try_from(list.rows).expect("usize has at least 32 bits");
        let mut places = vec![None; plan.names.len()];
        let mut index = 0;
        for (place, column) in list.columns.iter().enumerate() {
            // Both lists are sorted by name.
            while plan.names.get(index).is_some_and(|name| *name < column.name) {
                index += 1;
            }
            match plan.names.get(index) {
                Some(name) if *name == column.name => places[index] = Some(place),
                _ => {
                    let why = format!("its column {:?} is none of the table's", column.name);
                    return Err(malformed(&plan, Kind::Chunk, subtree.id, "chunk", &why));
                }
            }
        }
        if list.counts.is_none() && u64::from(list.rows) != subtree.rows {
            let why = "not as many rows as the node above says";
            return Err(malformed(&plan, Kind::Chunk, subtree.id, "chunk", why));
        }
        let columns = list.columns.iter().map(|_| OnceLock::new()).collect();
        let lists_key = (places.iter().enumerate())
            .any(|(index, place)| place.is_some() && plan.layout.is_key_column(index));
        Ok(LoadedChunk {
            objects,
            plan,
            id: subtree.id,
            total: subtree.rows,
            last_key: subtree.last_key.clone(),
            rows,
            list,
            places,
            lists_key,
            keys: OnceLock::new(),
            counts: OnceLock::new(),
            row_hashes: OnceLock::new(),
            columns,
        })
    }

    /// The chunk's id.
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it holds none; never the case.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How its rows look.
    pub fn plan(&self) -> &TreePlan {
        &self.plan
    }

    /// Where its objects are.
    pub fn objects(&self) -> &'o dyn Objects {
        self.objects
    }

    /// The list of its blocks.
    pub fn list(&self) -> &Chunk {
        &self.list
    }

    /// Where the values of the column at `index` are; `None` where the chunk does not list it.
    pub fn block_of(&self, index: usize) -> Option<&BlockRef> {
        self.places[index].map(|place| &self.list.columns[place].block)
    }

    /// The keys.
    pub fn keys(&self) -> Result<&Keys, TreeError> {
        load(&self.keys, || {
            let plain = self.plain(Kind::Keys, &self.list.keys)?;
            let keys = Keys::decode(plain, self.rows)
                .map_err(|source| self.malformed(Kind::Keys, source))?;
            if self.last_key.as_deref().is_some_and(|last| keys.key(self.rows - 1) != last) {
                let why = "its last key is not the one that the node above says";
                return Err(self.malformed(Kind::Keys, DecodeError::new("key block", why)));
            }
            Ok(keys)
        })
    }

    /// The key of a row.
    pub fn key(&self, row: usize) -> Result<&[u8], TreeError> {
        Ok(self.keys()?.key(row))
    }

    /// How often a row occurs.
    pub fn count(&self, row: usize) -> Result<u64, TreeError> {
        let Some(block) = &self.list.counts else { return Ok(1) };
        let counts = load(&self.counts, || {
            let plain = self.plain(Kind::Counts, block)?;
            let counts = block::read_counts(&plain, self.rows)
                .map_err(|source| self.malformed(Kind::Counts, source))?;
            let total = counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count));
            if total != Some(self.total) {
                let why = "not as many rows as the node above says";
                return Err(self.malformed(Kind::Counts, DecodeError::new("counts", why)));
            }
            Ok(counts)
        })?;
        Ok(counts[row])
    }

    /// The column at `index`; `None` where the chunk does not list it.
    pub fn column(&self, index: usize) -> Result<Option<&Column>, TreeError> {
        let Some(place) = self.places[index] else { return Ok(None) };
        let column = load(&self.columns[place], || {
            let block = &self.list.columns[place].block;
            let kind = column_kind(block);
            let is_stored = matches!(block, BlockRef::Inline(_) | BlockRef::WithTables(_));
            if self.plan.mode == StoreMode::HashOnly && !is_stored {
                return Err(TreeError::HashOnly { table: self.plan.table.clone() });
            }
            let plain = self.plain(kind, block)?;
            Column::decode(plain, self.rows).map_err(|source| self.malformed(kind, source))
        })?;
        Ok(Some(column))
    }

    /// The value of the column at `index` in a row.
    pub fn value(&self, row: usize, index: usize) -> Result<CellValue, TreeError> {
        let wrong = |source| self.malformed(Kind::Column, source);
        if let Some(column) = self.column(index)? {
            let cell = column.cell(row);
            return match cell.external().map_err(wrong)? {
                Some(value) => Ok(CellValue::Apart(value)),
                None => cell.value().map(CellValue::Here).map_err(wrong),
            };
        }
        match self.key_position(index) {
            None => Ok(CellValue::Here(Value::Null)),
            Some(position) => {
                let mut values = self.key_values(row)?;
                Ok(CellValue::Here(values.swap_remove(position)))
            }
        }
    }

    /// Whether the key's columns are blocks here.
    pub(super) fn lists_key(&self) -> bool {
        self.lists_key
    }

    /// Where in the key the values of the column at `index` stand; `None` where they do not.
    pub(super) fn key_position(&self, index: usize) -> Option<usize> {
        self.plan.layout.key_position(index).filter(|_| !self.lists_key)
    }

    /// The values of the key's columns, in key order.
    pub(super) fn key_values(&self, row: usize) -> Result<Vec<Value>, TreeError> {
        let wrong = |source| self.malformed(Kind::Keys, source);
        let decoded = key::decode(self.key(row)?).map_err(wrong)?;
        if decoded.values.len() != self.plan.layout.key_len() {
            return Err(wrong(DecodeError::new(
                "key",
                "not as many values as the key has columns",
            )));
        }
        Ok(decoded.values)
    }

    /// The values of all columns, those stored apart included: in byte order of column names.
    pub fn values(&self, row: usize) -> Result<Vec<Value>, TreeError> {
        let mut key_values = None;
        let mut values = Vec::with_capacity(self.plan.names.len());
        for index in 0..self.plan.names.len() {
            let value = match self.key_position(index) {
                None => self.whole_value(row, index)?,
                Some(position) => {
                    let values = match &mut key_values {
                        Some(values) => values,
                        none => none.insert(self.key_values(row)?),
                    };
                    std::mem::replace(&mut values[position], Value::Null)
                }
            };
            values.push(value);
        }
        Ok(values)
    }

    /// The value of the column at `index`, wherever it is stored.
    pub fn whole_value(&self, row: usize, index: usize) -> Result<Value, TreeError> {
        match self.value(row, index)? {
            CellValue::Here(value) => Ok(value),
            CellValue::Apart(apart) => {
                let payload = large::read_value(self.objects, apart)?;
                cell::into_value(apart.tag, payload)
                    .map_err(|source| TreeError::Value { id: apart.id, source })
            }
        }
    }

    /// The value of the column at `index`; one that is stored in pieces stays where it is.
    pub fn lean_value(&self, row: usize, index: usize) -> Result<CellValue, TreeError> {
        match self.value(row, index)? {
            CellValue::Apart(apart) if apart.kind != Kind::ValueList => {
                self.whole_value(row, index).map(CellValue::Here)
            }
            value => Ok(value),
        }
    }

    /// Appends the preimage of a row's hash: the row as it was encoded.
    pub fn write_preimage(&self, row: usize, out: &mut Vec<u8>) -> Result<(), TreeError> {
        CellWriter::new(self)?.write(row, out)
    }

    /// The cell that a value of a key makes: its tag and payload.
    pub(super) fn cell_of(&self, value: &Value) -> (u8, Cow<'static, [u8]>) {
        let tag = cell::tag_of(value.as_ref());
        let mut payload = Vec::new();
        cell::write_payload(value.as_ref(), &mut payload);
        if payload.len() <= EXTERNAL_ABOVE {
            return (tag, Cow::Owned(payload));
        }
        // A key may be short where its value is not: a decimal with thousands of zeros.
        let id = large::large_value_id(self.objects.hasher(), &payload);
        let len = u64::try_from(payload.len()).expect("a length in memory fits in 64 bits");
        (tag | EXTERNAL, Cow::Owned([len.to_le_bytes().as_slice(), &id.0].concat()))
    }

    /// The hash of a row: as stored below a hash-only table, else computed from its cells.
    pub fn row_hash(&self, row: usize) -> Result<ObjectId, TreeError> {
        if self.plan.layout.key_len() == 0 {
            return self.hash_in_key(row);
        }
        if self.plan.mode == StoreMode::HashOnly || self.row_hashes.get().is_some() {
            return Ok(self.row_hashes()?[row]);
        }
        let mut framed = vec![0u8; FRAME_LEN];
        self.write_preimage(row, &mut framed)?;
        row_hash::close_frame(&mut framed, 0);
        Ok(row_hash::hash_row(self.objects.hasher(), &framed))
    }

    /// The hashes of all rows: faster than one by one.
    pub fn row_hashes(&self) -> Result<&[ObjectId], TreeError> {
        let hashes = load(&self.row_hashes, || {
            if self.plan.layout.key_len() == 0 {
                return (0..self.rows).map(|row| self.hash_in_key(row)).collect();
            }
            match self.plan.mode {
                StoreMode::HashOnly => self.stored_row_hashes(),
                StoreMode::Full => self.computed_row_hashes(),
            }
        })?;
        Ok(hashes)
    }

    /// The row hash that is the key of a row without one.
    fn hash_in_key(&self, row: usize) -> Result<ObjectId, TreeError> {
        let hash = self.key(row)?.strip_prefix(&[key::ROW_HASH]);
        hash.and_then(|hash| hash.try_into().ok()).map(ObjectId).ok_or_else(|| {
            let source = DecodeError::new("key", "no row hash where the table has no key");
            self.malformed(Kind::Keys, source)
        })
    }

    fn stored_row_hashes(&self) -> Result<Vec<ObjectId>, TreeError> {
        let plain = self.objects.get(Kind::RowHashes, &self.list.row_hashes)?;
        if self.rows.checked_mul(32) != Some(plain.len()) {
            let source = DecodeError::new("row-hash block", "not as many hashes as rows");
            return Err(self.malformed(Kind::RowHashes, source));
        }
        let hashes = plain.chunks_exact(32);
        Ok(hashes.map(|hash| ObjectId(hash.try_into().expect("chunks of 32"))).collect())
    }

    fn computed_row_hashes(&self) -> Result<Vec<ObjectId>, TreeError> {
        let mut rows = FramedRows::default();
        rows.read(self)?;
        let mut hashes = Vec::with_capacity(self.rows);
        rows.hash(self.objects.hasher(), &mut hashes);
        Ok(hashes)
    }

    fn plain(&self, kind: Kind, block: &BlockRef) -> Result<Vec<u8>, TreeError> {
        Ok(match block {
            BlockRef::Inline(plain) => plain.clone(),
            BlockRef::Object(id) | BlockRef::WithValues(id) | BlockRef::WithTables(id) => {
                self.objects.get(kind, id)?
            }
        })
    }

    pub(super) fn malformed(&self, kind: Kind, source: DecodeError) -> TreeError {
        TreeError::Malformed { table: self.plan.table.clone(), kind, id: self.id, source }
    }
}

/// The kind of the object that a column's block is.
pub(super) fn column_kind(block: &BlockRef) -> Kind {
    match block {
        BlockRef::Inline(_) | BlockRef::Object(_) => Kind::Column,
        BlockRef::WithValues(_) => Kind::ValueColumn,
        BlockRef::WithTables(_) => Kind::TableColumn,
    }
}

fn malformed(
    plan: &TreePlan,
    kind: Kind,
    id: ObjectId,
    what: &'static str,
    why: &str,
) -> TreeError {
    let source = DecodeError::new(what, why);
    TreeError::Malformed { table: plan.table.clone(), kind, id, source }
}

fn load<T>(
    place: &OnceLock<T>,
    load: impl FnOnce() -> Result<T, TreeError>,
) -> Result<&T, TreeError> {
    if let Some(loaded) = place.get() {
        return Ok(loaded);
    }
    let loaded = load()?;
    Ok(place.get_or_init(|| loaded))
}
