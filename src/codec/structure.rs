//! The objects that hold a store together: chunks, nodes, tables, states, snapshots.
//!
//! Each is a frozen wire struct (`codec::wire`; byte tables in `docs/format.md`). [`references`]
//! says which objects an object needs, and is all that a store must know of their content.

use bincode::de::{Decoder, read::Reader};
use bincode::enc::{Encoder, write::Writer};
use bincode::error::{DecodeError as BinError, EncodeError};
use bincode::{Decode, Encode};

use super::block;
use super::{DecodeError, Kind, wire};
use crate::model::ObjectId;

/// Blocks up to this many plain bytes stand in the chunk's list itself.
pub const INLINE_LIMIT: usize = 64;

/// Where a block of a chunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockRef {
    /// Here: at most [`INLINE_LIMIT`] plain bytes, none of which refer to other objects.
    Inline(Vec<u8>),
    /// An object of the block's own kind.
    Object(ObjectId),
    /// An object of kind `ValueColumn`.
    WithValues(ObjectId),
    /// An object of kind `TableColumn`.
    WithTables(ObjectId),
}

/// A column of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChunkColumn {
    /// The column's name.
    pub name: String,
    /// Its values.
    pub block: BlockRef,
}

/// A leaf of a tree: the list of a chunk's blocks. Columns stand in byte order of their names;
/// one that is NULL in every row is left out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Chunk {
    /// How many keys the chunk holds, at least one.
    pub rows: u32,
    /// The keys.
    pub keys: BlockRef,
    /// The row hashes: always part of the chunk, stored only below a hash-only table.
    pub row_hashes: ObjectId,
    /// The multiplicities, where any is not 1.
    pub counts: Option<BlockRef>,
    /// The columns that are not part of the key.
    pub columns: Vec<ChunkColumn>,
}

/// A child of a node.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NodeEntry {
    /// The last key below the child.
    pub last_key: Vec<u8>,
    /// Rows below it, multiplicities counted.
    pub rows: u64,
    /// Bytes of row-hash preimages below it.
    pub bytes: u64,
    /// The child.
    pub id: ObjectId,
}

/// An inner node: its children in key order, at least two.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Node {
    /// 1 above chunks, one more for each level.
    pub level: u8,
    /// The children.
    pub entries: Vec<NodeEntry>,
}

/// The root of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Root {
    /// The object, unless the tree is empty.
    pub id: Option<ObjectId>,
    /// 0 for a chunk, else the level of the node.
    pub height: u8,
    /// Rows, multiplicities counted.
    pub rows: u64,
    /// Bytes of row-hash preimages.
    pub bytes: u64,
}

/// What part of a table's data a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Always stored.
    Always,
    /// Stored unless the rows belong to a hash-only snapshot.
    Values,
    /// Stored only where the rows belong to a hash-only snapshot.
    RowHashes,
    /// May be missing without damage (a parent snapshot).
    Weak,
}

/// An object that another one refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: ObjectId,
    /// Whether it must be there.
    pub part: Part,
}

impl Root {
    /// The root of a tree that was read: one without an object has nothing below it.
    pub(super) fn checked(self) -> Result<Root, DecodeError> {
        let is_empty = self.rows == 0 && self.bytes == 0 && self.height == 0;
        match self.id {
            Some(_) if self.rows > 0 => Ok(self),
            None if is_empty => Ok(self),
            _ => Err(DecodeError::new("root of a tree", "its rows and its object disagree")),
        }
    }

    fn reference(&self, references: &mut Vec<Reference>) {
        if let Some(id) = self.id {
            let kind = if self.height == 0 { Kind::Chunk } else { Kind::Node };
            references.push(Reference { kind, id, part: Part::Always });
        }
    }
}

impl From<crate::model::snapshot::TreeRoot> for Root {
    fn from(root: crate::model::snapshot::TreeRoot) -> Self {
        Root { id: root.id, height: root.height, rows: root.rows, bytes: root.bytes }
    }
}

impl From<Root> for crate::model::snapshot::TreeRoot {
    fn from(root: Root) -> Self {
        Self { id: root.id, height: root.height, rows: root.rows, bytes: root.bytes }
    }
}

impl Chunk {
    /// The chunk of these plain bytes.
    pub fn decode(plain: &[u8]) -> Result<Chunk, DecodeError> {
        let chunk: Chunk = wire::from_bytes("chunk", plain)?;
        let wrong = |why: &str| Err(DecodeError::new("chunk", why));
        if chunk.rows == 0 {
            return wrong("no rows");
        }
        if !chunk.columns.windows(2).all(|pair| pair[0].name < pair[1].name) {
            return wrong("columns out of order");
        }
        chunk.check_inline_blocks()?;
        Ok(chunk)
    }

    /// A block that stands in the list was checked by nobody else, and refers to no object.
    fn check_inline_blocks(&self) -> Result<(), DecodeError> {
        let wrong = |why: &str| Err(DecodeError::new("chunk", why));
        let rows = usize::try_from(self.rows)
            .map_err(|error| DecodeError::new("chunk", error.to_string()))?;
        match &self.keys {
            BlockRef::Inline(plain) => drop(block::Keys::decode(plain.clone(), rows)?),
            BlockRef::Object(_) => {}
            _ => return wrong("keys of the wrong kind"),
        }
        match &self.counts {
            Some(BlockRef::Inline(plain)) => drop(block::read_counts(plain, rows)?),
            Some(BlockRef::Object(_)) | None => {}
            _ => return wrong("counts of the wrong kind"),
        }
        for column in &self.columns {
            if let BlockRef::Inline(plain) = &column.block {
                block::Column::decode(plain.clone(), rows)?;
                if block::refers_to_objects(plain)? {
                    return wrong("a block in the list that refers to an object");
                }
            }
        }
        Ok(())
    }
}

impl Node {
    /// The node of these plain bytes.
    pub fn decode(plain: &[u8]) -> Result<Node, DecodeError> {
        let node: Node = wire::from_bytes("node", plain)?;
        let wrong = |why: &str| Err(DecodeError::new("node", why));
        if node.level == 0 || node.entries.len() < 2 {
            return wrong("needs a level above zero and two children");
        }
        if !node.entries.windows(2).all(|pair| pair[0].last_key < pair[1].last_key) {
            return wrong("children out of order");
        }
        if !node.entries.iter().all(|entry| entry.rows > 0 && !entry.last_key.is_empty()) {
            return wrong("a child without rows");
        }
        Ok(node)
    }
}

/// The objects that an object refers to.
pub fn references(kind: Kind, plain: &[u8]) -> Result<Vec<Reference>, DecodeError> {
    let mut found = Vec::new();
    match kind {
        Kind::Chunk => chunk_references(&Chunk::decode(plain)?, &mut found),
        Kind::Node => {
            let node = Node::decode(plain)?;
            let kind = if node.level == 1 { Kind::Chunk } else { Kind::Node };
            found.extend(node.entries.iter().map(|entry| Reference {
                kind,
                id: entry.id,
                part: Part::Always,
            }));
        }
        Kind::Table => super::state::table_root(plain)?.reference(&mut found),
        Kind::State => {
            let (facts, tables) = super::state::state_roots(plain)?;
            facts.reference(&mut found);
            tables.reference(&mut found);
        }
        Kind::Snapshot => super::state::snapshot_references(plain, &mut found)?,
        Kind::ValueColumn => {
            for value in block::external_values(plain)? {
                found.push(Reference { kind: value.kind, id: value.id, part: Part::Always });
            }
        }
        Kind::TableColumn => {
            for id in block::table_ids(plain)? {
                found.push(Reference { kind: Kind::Table, id, part: Part::Always });
            }
        }
        Kind::ValueList => {
            for id in block::value_pieces(plain)? {
                found.push(Reference { kind: Kind::Value, id, part: Part::Always });
            }
        }
        Kind::Column | Kind::Keys | Kind::RowHashes | Kind::Counts | Kind::Value => {}
        Kind::Row | Kind::LongKey | Kind::File | Kind::Pack => {}
    }
    Ok(found)
}

/// Whether a snapshot stored keys and row hashes only, no values.
pub fn snapshot_is_hash_only(plain: &[u8]) -> Result<bool, DecodeError> {
    super::state::snapshot_is_hash_only(plain)
}

pub(super) fn push_root(root: &Root, found: &mut Vec<Reference>) {
    root.reference(found);
}

fn chunk_references(chunk: &Chunk, found: &mut Vec<Reference>) {
    if let BlockRef::Object(id) = chunk.keys {
        found.push(Reference { kind: Kind::Keys, id, part: Part::Always });
    }
    if let Some(BlockRef::Object(id)) = chunk.counts {
        found.push(Reference { kind: Kind::Counts, id, part: Part::Always });
    }
    found.push(Reference { kind: Kind::RowHashes, id: chunk.row_hashes, part: Part::RowHashes });
    for column in &chunk.columns {
        let (kind, id) = match column.block {
            BlockRef::Inline(_) => continue,
            BlockRef::Object(id) => (Kind::Column, id),
            BlockRef::WithValues(id) => (Kind::ValueColumn, id),
            BlockRef::WithTables(id) => (Kind::TableColumn, id),
        };
        found.push(Reference { kind, id, part: Part::Values });
    }
}

impl Encode for ObjectId {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        encoder.writer().write(&self.0)
    }
}

impl<C> Decode<C> for ObjectId {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BinError> {
        let mut id = [0u8; 32];
        decoder.claim_bytes_read(32)?;
        decoder.reader().read(&mut id)?;
        Ok(ObjectId(id))
    }
}

/// One tag byte, then one length byte and the bytes, or the id.
impl Encode for BlockRef {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self {
            BlockRef::Inline(bytes) => {
                let len = u8::try_from(bytes.len())
                    .ok()
                    .filter(|_| bytes.len() <= INLINE_LIMIT)
                    .ok_or(EncodeError::Other("an inline block is at most 64 bytes"))?;
                encoder.writer().write(&[0, len])?;
                encoder.writer().write(bytes)
            }
            BlockRef::Object(id) => write_tagged(encoder, 1, id),
            BlockRef::WithValues(id) => write_tagged(encoder, 2, id),
            BlockRef::WithTables(id) => write_tagged(encoder, 3, id),
        }
    }
}

fn write_tagged<E: Encoder>(encoder: &mut E, tag: u8, id: &ObjectId) -> Result<(), EncodeError> {
    encoder.writer().write(&[tag])?;
    id.encode(encoder)
}

impl<C> Decode<C> for BlockRef {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BinError> {
        match u8::decode(decoder)? {
            0 => {
                let len = usize::from(u8::decode(decoder)?);
                if len > INLINE_LIMIT {
                    return Err(BinError::Other("an inline block is at most 64 bytes"));
                }
                decoder.claim_bytes_read(len)?;
                let mut bytes = vec![0u8; len];
                decoder.reader().read(&mut bytes)?;
                Ok(BlockRef::Inline(bytes))
            }
            1 => Ok(BlockRef::Object(ObjectId::decode(decoder)?)),
            2 => Ok(BlockRef::WithValues(ObjectId::decode(decoder)?)),
            3 => Ok(BlockRef::WithTables(ObjectId::decode(decoder)?)),
            _ => Err(BinError::Other("no such kind of block reference")),
        }
    }
}

bincode::impl_borrow_decode!(ObjectId);
bincode::impl_borrow_decode!(BlockRef);
