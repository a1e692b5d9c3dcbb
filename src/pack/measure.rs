//! How much data a pack destroys: bytes of values, and the content of a table that goes.

use super::content;
use super::error::PackError;
use super::order::TableWork;
use super::row_hash::RowHasher;
use super::spool::{Spool, Verb};
use super::written_table::Layouts;
use crate::codec::Hasher;
use crate::diff::CellValue;
use crate::model::Value;

/// Rows, bytes and digest of a table whose rows are all deletes and updates of `work`.
pub(super) fn content_of(
    work: &TableWork<'_>,
    layouts: &Layouts,
    spool: &Spool,
    hasher: &Hasher,
) -> Result<(u64, u64, String), PackError> {
    let Some(layout) = &layouts.before else {
        return Ok((0, 0, String::new()));
    };
    let (mut rows, mut bytes) = (0, 0);
    let all = || [Verb::Delete, Verb::Update].into_iter().flat_map(|verb| work.read(spool, verb));
    for change in all() {
        let (_, change) = change.map_err(|error| work.damaged(error))?;
        rows += change.count;
        bytes += change.before.iter().map(value_len).sum::<u64>() * change.count;
    }
    let mut row_hasher = RowHasher::new(layout, hasher);
    let digest = content::digest(rows, hasher, |take| {
        for change in all() {
            let (_, change) = change.map_err(|error| work.damaged(error))?;
            let hash = row_hasher
                .hash(&change.before)
                .map_err(|source| PackError::Rows { table: work.shape.table().clone(), source })?;
            for _ in 0..change.count {
                take(hash);
            }
        }
        Ok::<_, PackError>(())
    })?;
    Ok((rows, bytes, digest))
}

/// The bytes of a value, about.
pub(super) fn value_len(value: &CellValue) -> u64 {
    match value {
        CellValue::Apart(value) => value.len,
        CellValue::Here(Value::Null) => 0,
        CellValue::Here(Value::Text(text)) => text.len() as u64,
        CellValue::Here(Value::Bytes(bytes) | Value::RawText { bytes, .. }) => bytes.len() as u64,
        CellValue::Here(_) => 8,
    }
}
