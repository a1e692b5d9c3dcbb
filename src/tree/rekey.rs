//! A tree built anew by another key, where the identity of a table's rows changed.
//!
//! Rows keep their preimages and hashes; only keys are written anew, sorted and cut. The new tree
//! lies in a scratch file and lives as long as the comparison that needs it. It has no speed
//! target.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::builder::TreeBuilder;
use super::chunk::LoadedChunk;
use super::cursor::Cursor;
use super::error::TreeError;
use super::plan::{CountedRows, TreePlan};
use super::pool::ChunkPool;
use super::reader::Tree;
use super::scratch::{ScratchFile, ScratchSpace};
use super::sorter::Sorter;
use crate::codec::hash::FRAME_LEN;
use crate::codec::{Hasher, Kind, Stored, key, row_hash, stored};
use crate::model::snapshot::TreeRoot;
use crate::model::{ObjectId, Value};
use crate::store::objects::ObjectError;
use crate::store::{ObjectSink, Objects};

/// Bytes of rows that are sorted at once.
const BATCH_LEN: usize = 256 << 10;

/// Builds the tree of the same rows by the key of `plan`, which must have the same columns.
///
/// # Errors
///
/// [`TreeError::DuplicateKey`] where the other key is not unique in these rows, and
/// [`TreeError::HashOnly`] where there are no values to make keys of.
pub fn rekey(
    tree: &Tree<'_>,
    plan: &Arc<TreePlan>,
    sink: &dyn ObjectSink,
    scratch: &Arc<dyn ScratchSpace>,
    budget: usize,
) -> Result<TreeRoot, TreeError> {
    let mut sorter = Sorter::new(Arc::clone(plan), Arc::clone(scratch), budget);
    let mut writer = KeyWriter::new(plan, sink.hasher());
    let mut batch = CountedRows::default();
    let mut cursor = Cursor::new(tree);
    while let Some(at) = cursor.next_row()? {
        writer.write_row(&at.chunk, at.row)?;
        batch.rows.push_row(&writer.preimage, &writer.key);
        batch.counts.push(at.chunk.count(at.row)?);
        if batch.rows.byte_len() >= BATCH_LEN {
            sorter.push_counted(std::mem::take(&mut batch))?;
        }
    }
    sorter.push_counted(batch)?;
    let mut sorted = sorter.finish()?;
    ChunkPool::scope(sink, 0, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(plan), pool, Arc::clone(scratch));
        while let Some(rows) = sorted.next_rows()? {
            builder.push_counted(rows)?;
        }
        builder.finish()
    })
}

/// Writes rows and the keys that a plan gives them.
pub(super) struct KeyWriter<'p> {
    plan: &'p TreePlan,
    hasher: &'p Hasher,
    /// The columns of the key, in key order.
    columns: Vec<usize>,
    framed: Vec<u8>,
    preimage: Vec<u8>,
    key: Vec<u8>,
}

impl<'p> KeyWriter<'p> {
    pub(super) fn new(plan: &'p TreePlan, hasher: &'p Hasher) -> Self {
        let position = |index: &usize| plan.layout.key_position(*index);
        let mut columns: Vec<usize> =
            (0..plan.names.len()).filter(|index| position(index).is_some()).collect();
        columns.sort_unstable_by_key(position);
        let (framed, preimage, key) = (Vec::new(), Vec::new(), Vec::new());
        KeyWriter { plan, hasher, columns, framed, preimage, key }
    }

    /// The key written last.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Writes a row. Says whether its key is an identity of its own, so that it occurs once.
    pub(super) fn write_row(
        &mut self,
        chunk: &LoadedChunk<'_>,
        row: usize,
    ) -> Result<bool, TreeError> {
        self.preimage.clear();
        chunk.write_preimage(row, &mut self.preimage)?;
        self.key.clear();
        let mut has_null = false;
        for &column in &self.columns {
            let value = chunk.whole_value(row, column)?;
            has_null |= value == Value::Null;
            key::write_component(value.as_ref(), &mut self.key);
        }
        if has_null && !self.plan.layout.has_multiplicities() {
            return Err(TreeError::NullInKey { table: self.plan.table.clone() });
        }
        let has_identity = !has_null && !self.columns.is_empty();
        if !has_identity {
            self.framed.clear();
            self.framed.resize(FRAME_LEN, 0);
            self.framed.extend_from_slice(&self.preimage);
            row_hash::close_frame(&mut self.framed, 0);
            let hash = row_hash::hash_row(self.hasher, &self.framed);
            key::write_row_hash(&hash, &mut self.key);
        }
        key::finish(&mut self.key, 0, self.hasher);
        Ok(has_identity)
    }
}

/// Objects in a scratch file, over others that they refer to.
pub struct ScratchObjects<'o> {
    base: &'o dyn Objects,
    content: Mutex<Content>,
}

struct Content {
    file: Box<dyn ScratchFile>,
    len: u64,
    places: HashMap<ObjectId, Place>,
}

#[derive(Clone, Copy)]
struct Place {
    kind: Kind,
    codec: u8,
    plain_len: u32,
    at: u64,
    len: usize,
}

impl<'o> ScratchObjects<'o> {
    /// No objects yet; what is not found here is looked for in `base`.
    pub fn new(base: &'o dyn Objects, scratch: &dyn ScratchSpace) -> Result<Self, TreeError> {
        let file =
            scratch.create().map_err(|source| TreeError::Scratch { verb: "create", source })?;
        let content = Content { file, len: 0, places: HashMap::new() };
        Ok(ScratchObjects { base, content: Mutex::new(content) })
    }
}

fn scratch_failed(error: std::io::Error) -> ObjectError {
    ObjectError::Io(Box::new(error))
}

impl Objects for ScratchObjects<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let place = content.places.get(id).copied().filter(|place| place.kind == kind);
        let Some(place) = place else {
            drop(content);
            return self.base.get(kind, id);
        };
        let mut bytes = vec![0u8; place.len];
        content.file.read_at(place.at, &mut bytes).map_err(scratch_failed)?;
        drop(content);
        let damaged = |why: String| ObjectError::Damaged { id: *id, kind, why };
        let plain = stored::decode(place.codec, place.plain_len, &bytes)
            .map_err(|error| damaged(error.to_string()))?;
        if self.base.hasher().id(kind, &plain) != *id {
            return Err(damaged("a scratch file changed under us".into()));
        }
        Ok(plain)
    }

    fn hasher(&self) -> &Hasher {
        self.base.hasher()
    }
}

impl ObjectSink for ScratchObjects<'_> {
    fn hasher(&self) -> &Hasher {
        self.base.hasher()
    }

    fn contains(&self, id: &ObjectId) -> Result<bool, ObjectError> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(content.places.contains_key(id))
    }

    fn append(&self, kind: Kind, id: ObjectId, stored: Stored) -> Result<(), ObjectError> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let Stored { codec, plain_len, bytes } = stored;
        let place = Place { kind, codec, plain_len, at: content.len, len: bytes.len() };
        content.file.append(&bytes).map_err(scratch_failed)?;
        content.len += u64::try_from(bytes.len()).expect("objects are at most 64 MiB");
        content.places.insert(id, place);
        Ok(())
    }
}
