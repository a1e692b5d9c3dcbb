//! One chunk: rows → row hashes, key block, column blocks, the chunk's list.
//!
//! Works on rows where they lie, with buffers that are kept from chunk to chunk, so nothing is
//! allocated for a row or a value. A block that is in the store already is neither compressed nor
//! written again.

use std::sync::Arc;

use super::error::TreeError;
use super::pending::Piece;
use super::plan::{StoreMode, TreePlan};
use crate::codec::block::{self, ColumnBuilder};
use crate::codec::row::BatchRow;
use crate::codec::structure::{BlockRef, Chunk, ChunkColumn, INLINE_LIMIT, NodeEntry};
use crate::codec::{Hasher, Kind, key, row_hash, wire};
use crate::model::ObjectId;
use crate::store::ObjectSink;

/// Buffers that have taken this many bytes of rows are given back to the allocator: otherwise each
/// of many columns could keep room for the largest chunk it ever saw.
const BUFFERS_LIMIT: u64 = 8 << 20;

/// The rows of a chunk.
pub(super) struct ChunkRows {
    pub(super) plan: Arc<TreePlan>,
    pub(super) pieces: Vec<Piece>,
}

impl ChunkRows {
    fn rows(&self) -> impl Iterator<Item = BatchRow<'_>> + Clone {
        self.pieces
            .iter()
            .flat_map(|piece| piece.rows.clone().map(|index| piece.batch.rows.row(index)))
    }

    fn counts(&self) -> impl Iterator<Item = u64> + Clone {
        self.pieces
            .iter()
            .flat_map(|piece| piece.rows.clone().map(|index| piece.batch.count(index)))
    }

    fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.rows.len()).sum()
    }

    /// About how much memory the rows keep occupied.
    pub(super) fn byte_len(&self) -> usize {
        self.rows().map(|row| row.framed.len() + row.key.len()).sum()
    }
}

/// Encodes chunks, one after the other.
#[derive(Default)]
pub(super) struct ChunkEncoder {
    columns: Vec<ColumnBuilder>,
    buffered: u64,
    block: Vec<u8>,
    row_hashes: Vec<ObjectId>,
    hash_block: Vec<u8>,
}

impl ChunkEncoder {
    /// Writes a chunk and gives its entry for the node above.
    pub(super) fn encode(
        &mut self,
        sink: &dyn ObjectSink,
        chunk: &ChunkRows,
    ) -> Result<NodeEntry, TreeError> {
        let plan = chunk.plan.as_ref();
        let hasher = sink.hasher();
        let mut totals = Totals::default();
        let has_cut_key = self.read_rows(chunk, &mut totals)?;
        self.hash_rows(hasher, chunk);
        let row_hashes = match plan.mode {
            StoreMode::Full => hasher.id(Kind::RowHashes, &self.hash_block),
            StoreMode::HashOnly => sink.put(Kind::RowHashes, &self.hash_block)?,
        };
        block::write_keys(chunk.rows().map(|row| row.key), &mut self.block);
        let keys = small_block(sink, Kind::Keys, &self.block)?;
        let mut counts = None;
        if plan.layout.has_multiplicities() {
            let all: Vec<u64> = chunk.counts().collect();
            counts = match block::write_counts(&all) {
                Some(plain) => Some(small_block(sink, Kind::Counts, &plain)?),
                None => None,
            };
        }
        let keep_key_columns = has_cut_key || plan.layout.key_len() == 0;
        let columns = self.write_columns(sink, plan, chunk.len(), keep_key_columns)?;
        let rows = u32::try_from(chunk.len()).expect("the cap is far below 2^32 rows");
        let list = Chunk { rows, keys, row_hashes, counts, columns };
        let id = sink.put(Kind::Chunk, &wire::to_bytes(&list))?;
        let last_key = chunk.rows().last().map(|row| row.key.to_vec()).unwrap_or_default();
        self.give_back(totals.plain);
        Ok(NodeEntry { last_key, rows: totals.rows, bytes: totals.bytes, id })
    }

    /// Fills the block of row hashes. Where the table has no key, the keys hold them already.
    fn hash_rows(&mut self, hasher: &Hasher, chunk: &ChunkRows) {
        self.hash_block.clear();
        if chunk.plan.layout.key_len() == 0 {
            for row in chunk.rows() {
                self.hash_block.extend_from_slice(&row.key[1..]);
            }
            return;
        }
        self.row_hashes.clear();
        row_hash::hash_rows(hasher, chunk.rows().map(|row| row.framed), &mut self.row_hashes);
        self.row_hashes.iter().for_each(|hash| self.hash_block.extend_from_slice(&hash.0));
    }

    /// Spreads the cells of the rows over the columns. Says whether a key is cut.
    fn read_rows(&mut self, chunk: &ChunkRows, totals: &mut Totals) -> Result<bool, TreeError> {
        let plan = chunk.plan.as_ref();
        self.columns.iter_mut().for_each(ColumnBuilder::clear);
        self.columns.resize_with(plan.layout.column_count(), ColumnBuilder::default);
        let mut has_cut_key = false;
        for (index, (row, count)) in chunk.rows().zip(chunk.counts()).enumerate() {
            has_cut_key |= key::is_cut(row.key);
            totals.add(&row, count);
            for cell in plan.layout.cells(row.preimage) {
                let (column, cell) =
                    cell.map_err(|source| TreeError::Row { table: plan.table.clone(), source })?;
                let column = &mut self.columns[column];
                if column.len() < index {
                    column.fill_nulls(index);
                }
                column.push(cell);
            }
        }
        Ok(has_cut_key)
    }

    fn write_columns(
        &mut self,
        sink: &dyn ObjectSink,
        plan: &TreePlan,
        rows: usize,
        keep_key_columns: bool,
    ) -> Result<Vec<ChunkColumn>, TreeError> {
        let mut columns = Vec::new();
        for (index, column) in self.columns.iter_mut().enumerate() {
            if column.is_all_null() || (plan.layout.is_key_column(index) && !keep_key_columns) {
                continue;
            }
            column.fill_nulls(rows);
            column.write(&mut self.block);
            let plain = self.block.as_slice();
            let put = |kind| match plan.mode {
                StoreMode::Full => sink.put(kind, plain).map_err(TreeError::from),
                StoreMode::HashOnly => Ok(sink.hasher().id(kind, plain)),
            };
            let block = if plan.table_column == Some(index) {
                // A table's tree must be found from here, so the column is always an object.
                BlockRef::WithTables(sink.put(Kind::TableColumn, plain)?)
            } else if column.has_external() {
                BlockRef::WithValues(put(Kind::ValueColumn)?)
            } else if plain.len() <= INLINE_LIMIT {
                BlockRef::Inline(plain.to_vec())
            } else {
                BlockRef::Object(put(Kind::Column)?)
            };
            columns.push(ChunkColumn { name: plan.names[index].clone(), block });
        }
        Ok(columns)
    }

    fn give_back(&mut self, bytes: u64) {
        self.buffered += bytes;
        if self.buffered > BUFFERS_LIMIT {
            *self = ChunkEncoder::default();
        }
    }
}

#[derive(Default)]
struct Totals {
    rows: u64,
    bytes: u64,
    /// Bytes of the rows as they lie here, each counted once.
    plain: u64,
}

impl Totals {
    fn add(&mut self, row: &BatchRow<'_>, count: u64) {
        let len = preimage_len(row);
        self.rows = self.rows.saturating_add(count);
        self.bytes = self.bytes.saturating_add(len.saturating_mul(count));
        self.plain += len;
    }
}

/// The length of a row's preimage, as caps and totals count it.
pub(super) fn preimage_len(row: &BatchRow<'_>) -> u64 {
    u64::try_from(row.preimage.len()).expect("a length in memory fits in 64 bits")
}

fn small_block(sink: &dyn ObjectSink, kind: Kind, plain: &[u8]) -> Result<BlockRef, TreeError> {
    if plain.len() <= INLINE_LIMIT {
        return Ok(BlockRef::Inline(plain.to_vec()));
    }
    Ok(BlockRef::Object(sink.put(kind, plain)?))
}
