//! Trees carried elsewhere: the chunks of a tree as plain blocks, and a tree made of such blocks.
//!
//! What is carried holds no id: the list of a chunk, its row hashes and the nodes above are computed
//! anew. Where the blocks are those of the tree, the root comes out the same; whoever carries them
//! compares it. Knows nothing of where the blocks are kept on their way.

use std::collections::HashMap;
use std::sync::Arc;

use super::LoadedChunk;
use super::cursor::Walk;
use super::error::TreeError;
use super::framed_rows::FramedRows;
use super::levels::Levels;
use super::plan::{StoreMode, TreePlan};
use super::reader::{Subtree, Tree};
use crate::codec::block::{self, Column, Keys};
use crate::codec::structure::{BlockRef, Chunk, ChunkColumn, INLINE_LIMIT, NodeEntry};
use crate::codec::{DecodeError, Hasher, Kind, wire};
use crate::model::ObjectId;
use crate::model::snapshot::TreeRoot;
use crate::store::{ObjectError, ObjectSink, Objects};

/// The blocks of a chunk as plain bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainChunk {
    /// How many keys it has.
    pub rows: u32,
    /// The key block.
    pub keys: Vec<u8>,
    /// The multiplicities, where any is not 1.
    pub counts: Option<Vec<u8>>,
    /// The columns that are listed, in byte order of their names.
    pub columns: Vec<PlainColumn>,
}

/// A column of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainColumn {
    /// Its name.
    pub name: String,
    /// Its block.
    pub plain: Vec<u8>,
}

/// The place of a chunk in its tree.
#[derive(Debug, Clone)]
pub struct ChunkPlace {
    subtree: Subtree,
}

impl ChunkPlace {
    /// The chunk's id.
    pub fn id(&self) -> ObjectId {
        self.subtree.id
    }
}

/// Goes over the chunks of a tree in key order without opening them.
pub struct ChunkPlaces<'t, 'o> {
    tree: &'t Tree<'o>,
    walk: Walk,
}

impl<'t, 'o> ChunkPlaces<'t, 'o> {
    /// Before the first chunk.
    pub fn new(tree: &'t Tree<'o>) -> Self {
        ChunkPlaces { tree, walk: Walk::new(tree) }
    }

    /// The next chunk; `None` at the end.
    pub fn next_place(&mut self) -> Result<Option<ChunkPlace>, TreeError> {
        while let Some(head) = self.walk.head() {
            if head.level == 0 {
                self.walk.skip();
                return Ok(Some(ChunkPlace { subtree: head }));
            }
            self.walk.descend(self.tree)?;
        }
        Ok(None)
    }

    /// The chunk of a place; its blocks are read as they are asked for.
    pub fn open(&self, place: &ChunkPlace) -> Result<LoadedChunk<'o>, TreeError> {
        self.tree.load_chunk(&place.subtree)
    }
}

impl LoadedChunk<'_> {
    /// The chunk as plain blocks.
    pub fn plain_blocks(&self) -> Result<PlainChunk, TreeError> {
        let rows = self.list().rows;
        let mut counts = Vec::new();
        if self.list().counts.is_some() {
            for row in 0..self.len() {
                counts.push(self.count(row)?);
            }
        }
        let mut columns = Vec::new();
        for (index, name) in self.plan().names.iter().enumerate() {
            if let Some(column) = self.column(index)? {
                columns.push(PlainColumn { name: name.clone(), plain: column.plain().to_vec() });
            }
        }
        let keys = self.keys()?.plain().to_vec();
        Ok(PlainChunk { rows, keys, counts: block::write_counts(&counts), columns })
    }
}

/// Makes a tree of plain chunks, which may come in any order. Keeps an entry for each chunk in memory.
pub struct TreeFromChunks<'s> {
    sink: &'s dyn ObjectSink,
    plan: Arc<TreePlan>,
    entries: Vec<NodeEntry>,
}

impl<'s> TreeFromChunks<'s> {
    /// No chunk yet. The plan says that values are stored.
    pub fn new(sink: &'s dyn ObjectSink, plan: Arc<TreePlan>) -> Self {
        TreeFromChunks { sink, plan, entries: Vec::new() }
    }

    /// Takes a chunk. The values that it stores apart are the caller's business.
    pub fn push(&mut self, chunk: PlainChunk) -> Result<(), TreeError> {
        let malformed = |kind, source| TreeError::Malformed {
            table: self.plan.table.clone(),
            kind,
            id: ObjectId([0; 32]),
            source,
        };
        let wrong = |why: &str| malformed(Kind::Chunk, DecodeError::new("chunk", why));
        if self.plan.mode != StoreMode::Full {
            return Err(wrong("a chunk of values for a tree without them"));
        }
        let rows = usize::try_from(chunk.rows).map_err(|_| wrong("more rows than memory"))?;
        let keys = Keys::decode(chunk.keys.clone(), rows).map_err(|e| malformed(Kind::Keys, e))?;
        let last_key = keys.key(rows - 1).to_vec();
        let counts = match &chunk.counts {
            None => None,
            Some(plain) => {
                Some(block::read_counts(plain, rows).map_err(|e| malformed(Kind::Counts, e))?)
            }
        };
        let total = match &counts {
            None => Some(u64::from(chunk.rows)),
            Some(counts) => counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count)),
        };
        let total = total.ok_or_else(|| wrong("more rows than can be counted"))?;
        let (mut list, blocks) = self.put_blocks(chunk, rows, &malformed)?;
        let (row_hashes, bytes) = self.hash_rows(&list, &blocks, total, counts.as_deref())?;
        list.row_hashes = row_hashes;
        let id = self.sink.put(Kind::Chunk, &wire::to_bytes(&list))?;
        self.entries.push(NodeEntry { last_key, rows: total, bytes, id });
        Ok(())
    }

    /// Gives the blocks to the sink, as the encoder of chunks would have. The row hashes are not
    /// known yet.
    fn put_blocks(
        &self,
        chunk: PlainChunk,
        rows: usize,
        malformed: &dyn Fn(Kind, DecodeError) -> TreeError,
    ) -> Result<(Chunk, Blocks), TreeError> {
        let hasher = self.sink.hasher().clone();
        let mut blocks = Blocks { hasher, plain: HashMap::new() };
        let mut put = |kind, plain: Vec<u8>| -> Result<ObjectId, TreeError> {
            let id = self.sink.put(kind, &plain)?;
            blocks.plain.insert(id, plain);
            Ok(id)
        };
        let keys = match chunk.keys.len() {
            0..=INLINE_LIMIT => BlockRef::Inline(chunk.keys),
            _ => BlockRef::Object(put(Kind::Keys, chunk.keys)?),
        };
        let counts = match chunk.counts {
            None => None,
            Some(plain) if plain.len() <= INLINE_LIMIT => Some(BlockRef::Inline(plain)),
            Some(plain) => Some(BlockRef::Object(put(Kind::Counts, plain)?)),
        };
        let mut columns: Vec<ChunkColumn> = Vec::with_capacity(chunk.columns.len());
        for PlainColumn { name, plain } in chunk.columns {
            if columns.last().is_some_and(|last| last.name >= name) {
                let why = DecodeError::new("chunk", "columns out of order");
                return Err(malformed(Kind::Chunk, why));
            }
            let column =
                Column::decode(plain, rows).map_err(|source| malformed(Kind::Column, source))?;
            column.check(rows).map_err(|source| malformed(Kind::Column, source))?;
            let is_table = self.plan.table_column.is_some_and(|at| self.plan.names[at] == name);
            let (has_external, plain) = (column.has_external(), column.plain().to_vec());
            let block = if is_table {
                BlockRef::WithTables(put(Kind::TableColumn, plain)?)
            } else if has_external {
                BlockRef::WithValues(put(Kind::ValueColumn, plain)?)
            } else if plain.len() <= INLINE_LIMIT {
                BlockRef::Inline(plain)
            } else {
                BlockRef::Object(put(Kind::Column, plain)?)
            };
            columns.push(ChunkColumn { name, block });
        }
        let row_hashes = ObjectId([0; 32]);
        Ok((Chunk { rows: chunk.rows, keys, row_hashes, counts, columns }, blocks))
    }

    /// The id of the row hashes, and the bytes of the rows' preimages.
    fn hash_rows(
        &self,
        list: &Chunk,
        blocks: &Blocks,
        total: u64,
        counts: Option<&[u64]>,
    ) -> Result<(ObjectId, u64), TreeError> {
        let subtree =
            Subtree { level: 0, id: list.row_hashes, rows: total, bytes: 0, last_key: None };
        let chunk = LoadedChunk::new(blocks, Arc::clone(&self.plan), &subtree, list.clone())?;
        let mut rows = FramedRows::default();
        rows.read(&chunk)?;
        let mut hashes = Vec::with_capacity(chunk.len());
        rows.hash(self.sink.hasher(), &mut hashes);
        let hash_block: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        let mut bytes = 0u64;
        for row in 0..chunk.len() {
            let count = counts.map_or(1, |counts| counts[row]);
            bytes = bytes.saturating_add(rows.preimage_len(row).saturating_mul(count));
        }
        Ok((self.sink.hasher().id(Kind::RowHashes, &hash_block), bytes))
    }

    /// Makes the nodes above the chunks and gives the root.
    pub fn finish(mut self) -> Result<TreeRoot, TreeError> {
        self.entries.sort_unstable_by(|a, b| a.last_key.cmp(&b.last_key));
        let mut levels = Levels::new(self.sink, self.plan.rules);
        for entry in self.entries {
            levels.push(entry)?;
        }
        levels.finish()
    }
}

/// The blocks of one chunk, for reading its rows.
struct Blocks {
    hasher: Hasher,
    plain: HashMap<ObjectId, Vec<u8>>,
}

impl Objects for Blocks {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        self.plain.get(id).cloned().ok_or(ObjectError::Missing { id: *id, kind })
    }

    fn hasher(&self) -> &Hasher {
        &self.hasher
    }
}
