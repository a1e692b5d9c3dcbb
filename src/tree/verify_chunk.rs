//! Whether one chunk is what the encoder would have made of its rows.

use super::chunk::{LoadedChunk, column_kind};
use super::error::TreeError;
use super::plan::StoreMode;
use super::reader::Subtree;
use super::rekey::KeyWriter;
use crate::codec::cell::EXTERNAL;
use crate::codec::row::RowBatch;
use crate::codec::structure::{BlockRef, INLINE_LIMIT};
use crate::codec::{Kind, key, row_hash};
use crate::model::ObjectId;

/// Checks chunks; keeps its memory from one to the next.
#[derive(Default)]
pub(super) struct ChunkVerifier {
    rows: RowBatch,
    preimage: Vec<u8>,
    hashes: Vec<ObjectId>,
    hash_block: Vec<u8>,
}

impl ChunkVerifier {
    /// The length of a row's preimage in the chunk verified last; 0 where it is not known.
    pub(super) fn preimage_len(&self, row: usize) -> u64 {
        if row >= self.rows.len() {
            return 0;
        }
        let len = self.rows.row(row).preimage.len();
        u64::try_from(len).expect("a length in memory fits in 64 bits")
    }

    /// What is wrong with a chunk.
    pub(super) fn verify(
        &mut self,
        chunk: &LoadedChunk<'_>,
        subtree: &Subtree,
    ) -> Result<Vec<String>, TreeError> {
        self.rows.clear();
        let mut wrong = Vec::new();
        let has_cut_key = (0..chunk.len())
            .try_fold(false, |cut, row| Ok::<_, TreeError>(cut | key::is_cut(chunk.key(row)?)))?;
        wrong.extend(small_blocks(chunk)?);
        wrong.extend(listed_key(chunk, has_cut_key));
        if chunk.plan().mode == StoreMode::HashOnly {
            chunk.row_hash(0)?;
            return Ok(wrong);
        }
        for index in 0..chunk.plan().names.len() {
            wrong.extend(column(chunk, index)?);
        }
        let mut bytes = 0u64;
        for row in 0..chunk.len() {
            self.preimage.clear();
            chunk.write_preimage(row, &mut self.preimage)?;
            self.rows.push_row(&self.preimage, chunk.key(row)?);
            let len = self.preimage_len(row).saturating_mul(chunk.count(row)?);
            bytes = bytes.saturating_add(len);
        }
        if bytes != subtree.bytes {
            wrong.push(format!("its rows make {bytes} bytes, not {}", subtree.bytes));
        }
        wrong.extend(self.row_hashes(chunk));
        wrong.extend(self.row_keys(chunk)?);
        Ok(wrong)
    }

    fn row_hashes(&mut self, chunk: &LoadedChunk<'_>) -> Option<String> {
        let hasher = chunk.objects().hasher();
        self.hashes.clear();
        let rows = &self.rows;
        let frames = (0..rows.len()).map(|row| rows.row(row).framed);
        row_hash::hash_rows(hasher, frames, &mut self.hashes);
        self.hash_block.clear();
        self.hashes.iter().for_each(|hash| self.hash_block.extend_from_slice(&hash.0));
        let id = hasher.id(Kind::RowHashes, &self.hash_block);
        (id != chunk.list().row_hashes).then(|| "its rows have other hashes than it says".into())
    }

    /// Whether every key is the one of its row, and every row with a key occurs once.
    fn row_keys(&self, chunk: &LoadedChunk<'_>) -> Result<Option<String>, TreeError> {
        let layout = &chunk.plan().layout;
        if !layout.has_multiplicities() && !chunk.lists_key() {
            // Its values were read from the key itself.
            return Ok(None);
        }
        let mut writer = KeyWriter::new(chunk.plan(), chunk.objects().hasher());
        for row in 0..chunk.len() {
            let has_identity = writer.write_row(chunk, row)?;
            if writer.key() != chunk.key(row)? {
                return Ok(Some(format!("the key of its row {row} is not the one of its values")));
            }
            if has_identity && chunk.count(row)? > 1 {
                return Ok(Some(format!("its row {row} has a key and occurs more than once")));
            }
        }
        Ok(None)
    }
}

/// Multiplicities are there only where rows can repeat; keys and multiplicities stand in the list
/// where they are short, and only there.
fn small_blocks(chunk: &LoadedChunk<'_>) -> Result<Option<String>, TreeError> {
    let list = chunk.list();
    if list.counts.is_some() && !chunk.plan().layout.has_multiplicities() {
        return Ok(Some("it has multiplicities where every row has a key".into()));
    }
    let keys_len = chunk.keys()?.plain().len();
    let counts_len = chunk.len().saturating_mul(8);
    let blocks = [(Some(&list.keys), keys_len), (list.counts.as_ref(), counts_len)];
    for (block, len) in blocks {
        if block.is_some_and(|block| matches!(block, BlockRef::Inline(_)) != (len <= INLINE_LIMIT))
        {
            return Ok(Some("its keys or multiplicities are in the wrong place".into()));
        }
    }
    Ok(None)
}

/// The key's columns are blocks where a key is cut, and only there.
fn listed_key(chunk: &LoadedChunk<'_>, has_cut_key: bool) -> Option<String> {
    let is_wrong = chunk.plan().layout.key_len() > 0 && chunk.lists_key() != has_cut_key;
    is_wrong.then(|| "its key's columns are blocks exactly where no key is cut".into())
}

/// Whether the column's block is canonical and of the right kind.
fn column(chunk: &LoadedChunk<'_>, index: usize) -> Result<Option<String>, TreeError> {
    let name = &chunk.plan().names[index];
    let Some(column) = chunk.column(index)? else { return Ok(None) };
    let block = chunk.block_of(index).expect("a column that was read is listed");
    if let Err(error) = column.check(chunk.len()) {
        return Ok(Some(format!("column {name}: {error}")));
    }
    let mut has_external = false;
    for row in 0..chunk.len() {
        if column.cell(row).tag & EXTERNAL != 0 {
            has_external = true;
            chunk.whole_value(row, index)?;
        }
    }
    let is_table = chunk.plan().table_column == Some(index);
    let is_short = column.plain().len() <= INLINE_LIMIT;
    let expected = match (is_table, has_external, is_short) {
        (true, ..) => Kind::TableColumn,
        (_, true, _) => Kind::ValueColumn,
        _ => Kind::Column,
    };
    let inline = expected == Kind::Column && is_short;
    let is_right = column_kind(block) == expected && matches!(block, BlockRef::Inline(_)) == inline;
    Ok((!is_right).then(|| format!("column {name}: its block is of the wrong kind or place")))
}
