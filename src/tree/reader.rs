//! Reads a tree: nodes and chunks by id, a row by key, rows from a key on.
//!
//! What is read is checked against what the node above says of it, so a tree is never half
//! believed. A small number of nodes and chunks is kept; memory does not grow with the tree.

use std::sync::{Arc, Mutex, PoisonError};

use super::chunk::LoadedChunk;
use super::error::TreeError;
use super::plan::{StoreMode, TreePlan};
use crate::codec::structure::{Chunk, Node, NodeEntry};
use crate::codec::{DecodeError, Kind};
use crate::model::ObjectId;
use crate::model::snapshot::TreeRoot;
use crate::store::Objects;

/// Nodes and chunks that a tree keeps for the next look-up.
const KEPT_NODES: usize = 32;
const KEPT_CHUNKS: usize = 4;

/// A tree that is read.
pub struct Tree<'o> {
    objects: &'o dyn Objects,
    plan: Arc<TreePlan>,
    root: TreeRoot,
    nodes: Mutex<Kept<Arc<Node>>>,
    chunks: Mutex<Kept<Arc<LoadedChunk<'o>>>>,
}

/// A subtree as the node above it, or the root, describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subtree {
    /// 0 for a chunk.
    pub(super) level: u8,
    pub(super) id: ObjectId,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Unknown for the root alone.
    pub(super) last_key: Option<Vec<u8>>,
}

impl Subtree {
    pub(super) fn of_entry(level: u8, entry: &NodeEntry) -> Subtree {
        let NodeEntry { last_key, rows, bytes, id } = entry.clone();
        Subtree { level, id, rows, bytes, last_key: Some(last_key) }
    }
}

impl<'o> Tree<'o> {
    /// Opens the tree below `root`. `plan` says how its rows look and whether values were stored.
    pub fn new(objects: &'o dyn Objects, plan: Arc<TreePlan>, root: TreeRoot) -> Self {
        let (nodes, chunks) = (Kept::new(KEPT_NODES), Kept::new(KEPT_CHUNKS));
        Tree { objects, plan, root, nodes: Mutex::new(nodes), chunks: Mutex::new(chunks) }
    }

    /// The root.
    pub fn root(&self) -> TreeRoot {
        self.root
    }

    /// How the rows look.
    pub fn plan(&self) -> &Arc<TreePlan> {
        &self.plan
    }

    /// Where the objects are.
    pub fn objects(&self) -> &'o dyn Objects {
        self.objects
    }

    /// Whether only keys and row hashes were stored.
    pub fn is_hash_only(&self) -> bool {
        self.plan.mode == StoreMode::HashOnly
    }

    /// How many rows there are, multiplicities counted.
    pub fn count(&self) -> u64 {
        self.root.rows
    }

    /// The whole tree as a subtree; `None` where it is empty.
    pub(super) fn top(&self) -> Option<Subtree> {
        let TreeRoot { id, height, rows, bytes } = self.root;
        Some(Subtree { level: height, id: id?, rows, bytes, last_key: None })
    }

    /// The row with this key; `None` where there is none.
    pub fn find(&self, key: &[u8]) -> Result<Option<RowAt<'o>>, TreeError> {
        let Some(chunk) = self.chunk_of(key)? else { return Ok(None) };
        let keys = chunk.keys()?;
        let row = keys.lower_bound(key);
        let is_there = row < keys.len() && keys.key(row) == key;
        Ok(is_there.then(|| RowAt { chunk: Arc::clone(&chunk), row }))
    }

    /// The chunk that has the first key not below this one, of a tree with nodes by the nodes
    /// alone; `None` where all keys are below it. A tree that is one chunk has that for every key.
    pub fn chunk_of(&self, key: &[u8]) -> Result<Option<Arc<LoadedChunk<'o>>>, TreeError> {
        let Some(mut subtree) = self.top() else { return Ok(None) };
        while subtree.level > 0 {
            let node = self.node(&subtree)?;
            let index = node.entries.partition_point(|entry| entry.last_key.as_slice() < key);
            match node.entries.get(index) {
                Some(entry) => subtree = Subtree::of_entry(subtree.level - 1, entry),
                None => return Ok(None),
            }
        }
        self.chunk(&subtree).map(Some)
    }

    /// The node of a subtree whose level is above 0, kept for the next time.
    pub(super) fn node(&self, subtree: &Subtree) -> Result<Arc<Node>, TreeError> {
        if let Some(node) = kept(&self.nodes, &subtree.id) {
            return Ok(node);
        }
        let node = Arc::new(self.load_node(subtree)?);
        keep(&self.nodes, subtree.id, &node);
        Ok(node)
    }

    /// The chunk of a subtree whose level is 0, kept for the next time.
    pub(super) fn chunk(&self, subtree: &Subtree) -> Result<Arc<LoadedChunk<'o>>, TreeError> {
        if let Some(chunk) = kept(&self.chunks, &subtree.id) {
            return Ok(chunk);
        }
        let chunk = Arc::new(self.load_chunk(subtree)?);
        keep(&self.chunks, subtree.id, &chunk);
        Ok(chunk)
    }

    /// Reads a node and checks it against what is said of it.
    pub(super) fn load_node(&self, subtree: &Subtree) -> Result<Node, TreeError> {
        let plain = self.objects.get(Kind::Node, &subtree.id)?;
        let malformed = |source| self.malformed(Kind::Node, subtree.id, source);
        let node = Node::decode(&plain).map_err(malformed)?;
        let total = |part: fn(&NodeEntry) -> u64| {
            node.entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(part(entry)))
        };
        let last = node.entries.last().map(|entry| entry.last_key.as_slice());
        let agrees = node.level == subtree.level
            && total(|entry| entry.rows) == Some(subtree.rows)
            && total(|entry| entry.bytes) == Some(subtree.bytes)
            && subtree.last_key.as_deref().is_none_or(|key| last == Some(key));
        if !agrees {
            return Err(malformed(DecodeError::new("node", "not what the node above says of it")));
        }
        Ok(node)
    }

    /// Reads a chunk's list; its blocks are read as they are asked for.
    pub(super) fn load_chunk(&self, subtree: &Subtree) -> Result<LoadedChunk<'o>, TreeError> {
        let plain = self.objects.get(Kind::Chunk, &subtree.id)?;
        let list = Chunk::decode(&plain)
            .map_err(|source| self.malformed(Kind::Chunk, subtree.id, source))?;
        LoadedChunk::new(self.objects, Arc::clone(&self.plan), subtree, list)
    }

    fn malformed(&self, kind: Kind, id: ObjectId, source: DecodeError) -> TreeError {
        TreeError::Malformed { table: self.plan.table.clone(), kind, id, source }
    }
}

/// A row where it lies.
#[derive(Clone)]
pub struct RowAt<'o> {
    /// Its chunk.
    pub chunk: Arc<LoadedChunk<'o>>,
    /// Its place in the chunk.
    pub row: usize,
}

/// The things used last, most recent last.
struct Kept<T> {
    limit: usize,
    items: Vec<(ObjectId, T)>,
}

impl<T> Kept<T> {
    fn new(limit: usize) -> Self {
        Kept { limit, items: Vec::new() }
    }
}

fn kept<T: Clone>(all: &Mutex<Kept<T>>, id: &ObjectId) -> Option<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let index = all.items.iter().position(|(kept, _)| kept == id)?;
    let found = all.items.remove(index);
    let item = found.1.clone();
    all.items.push(found);
    Some(item)
}

fn keep<T: Clone>(all: &Mutex<Kept<T>>, id: ObjectId, item: &T) {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.items.len() >= all.limit {
        all.items.remove(0);
    }
    all.items.push((id, item.clone()));
}
