//! Whether one chunk is what the encoder would have made of its rows.

use super::chunk::{LoadedChunk, column_kind};
use super::chunker::key_hash;
use super::error::TreeError;
use super::framed_rows::FramedRows;
use super::large;
use super::plan::StoreMode;
use super::reader::{Subtree, Tree};
use super::rekey::KeyWriter;
use crate::codec::block::Column;
use crate::codec::structure::{BlockRef, INLINE_LIMIT};
use crate::codec::{Kind, key};
use crate::model::ObjectId;

/// Checks chunks; keeps its memory from one to the next.
#[derive(Default)]
pub(super) struct ChunkVerifier {
    rows: FramedRows,
    hashes: Vec<ObjectId>,
    hash_block: Vec<u8>,
}

/// What a chunk is to the tree around it.
pub(super) struct CheckedChunk {
    /// What is wrong with it.
    pub(super) wrong: Vec<String>,
    /// For each row the hash of its key, and the length of its preimage where values are stored.
    pub(super) rows: Vec<(u64, u64)>,
    pub(super) first_key: Vec<u8>,
    pub(super) last_key: Vec<u8>,
}

impl ChunkVerifier {
    /// Checks the chunk of a subtree.
    pub(super) fn verify(
        &mut self,
        tree: &Tree<'_>,
        subtree: &Subtree,
    ) -> Result<CheckedChunk, TreeError> {
        let chunk = tree.load_chunk(subtree)?;
        let wrong = self.problems(&chunk, subtree)?;
        let keys = chunk.keys()?;
        let of_row = |row| (key_hash(0, keys.key(row)), self.rows.preimage_len(row));
        Ok(CheckedChunk {
            wrong,
            rows: (0..keys.len()).map(of_row).collect(),
            first_key: keys.key(0).to_vec(),
            last_key: keys.key(keys.len() - 1).to_vec(),
        })
    }

    fn problems(
        &mut self,
        chunk: &LoadedChunk<'_>,
        subtree: &Subtree,
    ) -> Result<Vec<String>, TreeError> {
        self.rows.clear();
        let mut wrong = Vec::new();
        let keys = chunk.keys()?;
        let has_cut_key = (0..keys.len()).any(|row| key::is_cut(keys.key(row)));
        wrong.extend(small_blocks(chunk)?);
        wrong.extend(listed_key(chunk, has_cut_key));
        if chunk.plan().mode == StoreMode::HashOnly {
            chunk.row_hash(0)?;
            return Ok(wrong);
        }
        for index in 0..chunk.plan().names.len() {
            wrong.extend(column(chunk, index)?);
        }
        self.rows.read(chunk)?;
        let mut bytes = 0u64;
        for row in 0..chunk.len() {
            let len = self.rows.preimage_len(row).saturating_mul(chunk.count(row)?);
            bytes = bytes.saturating_add(len);
        }
        if bytes != subtree.bytes {
            wrong.push(format!("its rows make {bytes} bytes, not {}", subtree.bytes));
        }
        wrong.extend(self.row_hashes(chunk));
        wrong.extend(row_keys(chunk)?);
        Ok(wrong)
    }

    fn row_hashes(&mut self, chunk: &LoadedChunk<'_>) -> Option<String> {
        let hasher = chunk.objects().hasher();
        self.hashes.clear();
        self.rows.hash(hasher, &mut self.hashes);
        self.hash_block.clear();
        self.hashes.iter().for_each(|hash| self.hash_block.extend_from_slice(&hash.0));
        let id = hasher.id(Kind::RowHashes, &self.hash_block);
        (id != chunk.list().row_hashes).then(|| "its rows have other hashes than it says".into())
    }
}

/// Whether every key is the one of its row, and every row with a key occurs once.
fn row_keys(chunk: &LoadedChunk<'_>) -> Result<Option<String>, TreeError> {
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
    let has_external = column.has_external();
    if has_external {
        external_values(chunk, column)?;
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

/// Reads the values of a column that are stored apart.
fn external_values(chunk: &LoadedChunk<'_>, column: &Column) -> Result<(), TreeError> {
    let rows = if column.is_constant() { 1 } else { chunk.len() };
    for row in 0..rows {
        let external = column.cell(row).external();
        let external = external.map_err(|source| chunk.malformed(Kind::ValueColumn, source))?;
        if let Some(value) = external {
            large::check_value(chunk.objects(), value)?;
        }
    }
    Ok(())
}
