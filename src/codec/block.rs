//! Blocks: the values of one column, the keys, the multiplicities of a chunk
//! (`docs/format.md`, "Blocks").
//!
//! A column block has one of three forms, and which one follows from its content: *constant*
//! (every row has the same value), *uniform* (every row has the same type tag) or *mixed*. Tags,
//! lengths and payloads stand in runs of their own, so that storage codecs can pack them. Blocks
//! whose cells refer to other objects say which.

mod column;
mod keys;

pub use self::column::{Column, ColumnBuilder};
pub(super) use self::column::{MIXED, Runs, UNIFORM, runs};
pub use self::keys::{Keys, read_counts, write_counts, write_keys};

use super::DecodeError;
use super::cell::{self, Cell, EXTERNAL, ExternalValue, tag};
use crate::model::ObjectId;

fn index(offset: u32) -> usize {
    usize::try_from(offset).expect("usize has at least 32 bits")
}

/// The number of rows a block that stands alone speaks of: one for a constant.
fn rows_alone(plain: &[u8]) -> Result<usize, DecodeError> {
    Ok(runs(plain)?.map_or(1, |runs| runs.rows))
}

/// Whether a cell of a column block is stored apart.
pub fn refers_to_objects(plain: &[u8]) -> Result<bool, DecodeError> {
    let is_external = |tag: &u8| tag & EXTERNAL != 0;
    Ok(match runs(plain)? {
        Some(runs) => runs.tags.iter().any(is_external),
        None => plain.get(1).is_some_and(is_external),
    })
}

/// The values that a `ValueColumn` stores apart.
pub fn external_values(plain: &[u8]) -> Result<Vec<ExternalValue>, DecodeError> {
    let rows = rows_alone(plain)?;
    let column = Column::decode(plain.to_vec(), rows)?;
    let mut found = Vec::new();
    for row in 0..rows {
        found.extend(column.cell(row).external()?);
    }
    Ok(found)
}

/// The tables that a `TableColumn` lists.
pub fn table_ids(plain: &[u8]) -> Result<Vec<ObjectId>, DecodeError> {
    let rows = rows_alone(plain)?;
    let column = Column::decode(plain.to_vec(), rows)?;
    (0..rows).map(|row| table_id(column.cell(row))).collect()
}

/// The table that a cell of a `TableColumn` names.
pub fn table_id(cell: Cell<'_>) -> Result<ObjectId, DecodeError> {
    match (cell.tag, <[u8; 32]>::try_from(cell.payload)) {
        (tag::BYTES, Ok(id)) => Ok(ObjectId(id)),
        _ => Err(DecodeError::new("table column", "a cell that is no id")),
    }
}

/// The plain bytes of a `ValueList`: the length of the value and the ids of its pieces.
pub fn write_value_list(len: u64, pieces: &[ObjectId]) -> Vec<u8> {
    let mut plain = len.to_le_bytes().to_vec();
    plain.extend(pieces.iter().flat_map(|piece| piece.0));
    plain
}

/// The pieces of a `ValueList`.
pub fn value_pieces(plain: &[u8]) -> Result<Vec<ObjectId>, DecodeError> {
    let wrong = |why: &str| DecodeError::new("value list", why);
    let (len, ids) = plain.split_first_chunk::<8>().ok_or_else(|| wrong("cut short"))?;
    let len = u64::from_le_bytes(*len);
    let pieces: Vec<ObjectId> = ids
        .chunks(32)
        .map(|id| id.try_into().map(ObjectId).map_err(|_| wrong("an id has 32 bytes")))
        .collect::<Result<_, _>>()?;
    if pieces.len() < 2 || len.div_ceil(cell::PIECE_LEN as u64) != pieces.len() as u64 {
        return Err(wrong("not as many pieces as its length needs"));
    }
    Ok(pieces)
}
