//! The rows of one table: all of them, or the one with a key.

use super::cursor::Cursor;
use super::plan::{StoreMode, TreePlan};
use super::reader::{RowAt, Tree};
use super::state::StateError;
use super::{CellValue, LoadedChunk, TreeError};
use crate::codec::key;
use crate::codec::state::StoredTable;
use crate::model::{Flow, SinkError, Value};
use crate::store::Objects;

/// A row with the values of all columns of its side, in byte order of the column names
/// (`StoredTable::spec.columns`); NULL where the row has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<V = Value> {
    /// The key's bytes (`codec::key`).
    pub key: Vec<u8>,
    /// The values; NULL in the place of one that is not known.
    pub values: Vec<V>,
    /// Which of the values are known.
    pub known: Known,
    /// How often the row occurs; 1 in a table with a key.
    pub count: u64,
}

/// Which values of a row are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// All of them.
    All,
    /// Those of its key: the others were not stored.
    Key,
    /// None: they were not stored, and the row has no key, or too long a one.
    Nothing,
}

/// How the values of rows are given: a [`Value`] is whole; a [`CellValue`] is, where it is stored
/// in pieces, only named, so that rows take little memory whatever they hold.
pub trait RowValue: From<Value> + Clone + PartialEq {
    /// The value of the column at `index`.
    fn read(chunk: &LoadedChunk<'_>, row: usize, index: usize) -> Result<Self, TreeError>;
}

impl RowValue for Value {
    fn read(chunk: &LoadedChunk<'_>, row: usize, index: usize) -> Result<Self, TreeError> {
        chunk.whole_value(row, index)
    }
}

impl RowValue for CellValue {
    fn read(chunk: &LoadedChunk<'_>, row: usize, index: usize) -> Result<Self, TreeError> {
        chunk.lean_value(row, index)
    }
}

/// Takes rows.
pub type OnRow<'a, V = Value> = dyn FnMut(Row<V>) -> Result<Flow, SinkError> + 'a;

/// All values of a row.
pub fn row_values<V: RowValue>(at: &RowAt<'_>) -> Result<Vec<V>, TreeError> {
    let columns = at.chunk.plan().column_names().len();
    (0..columns).map(|index| V::read(&at.chunk, at.row, index)).collect()
}

/// The tree of a table's rows.
fn tree<'o>(objects: &'o dyn Objects, table: &StoredTable) -> Result<Tree<'o>, StateError> {
    let plan = TreePlan::new(&table.spec, StoreMode::Full).map_err(StateError::Layout)?;
    Ok(Tree::new(objects, plan.shared(), table.rows))
}

/// A row with all its values.
fn row<V: RowValue>(at: &RowAt<'_>) -> Result<Row<V>, StateError> {
    let count = at.chunk.count(at.row)?;
    let key = at.chunk.key(at.row)?.to_vec();
    Ok(Row { key, values: row_values(at)?, known: Known::All, count })
}

/// Hands on every row of a table, in key order.
pub fn rows_of<V: RowValue>(
    objects: &dyn Objects,
    table: &StoredTable,
    on_row: &mut OnRow<'_, V>,
) -> Result<(), StateError> {
    let tree = tree(objects, table)?;
    let mut cursor = Cursor::new(&tree);
    while let Some(at) = cursor.next_row()? {
        if on_row(row(&at)?).map_err(StateError::Sink)? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

/// The rows with these key values: one, or as many as a key that may be NULL allows.
pub fn row_by_key(
    objects: &dyn Objects,
    table: &StoredTable,
    values: &[Value],
) -> Result<Vec<Row>, StateError> {
    let tree = tree(objects, table)?;
    rows_with_key(&tree, values)?.iter().map(row).collect()
}

/// Where the rows with these key values are.
pub fn rows_with_key<'o>(tree: &Tree<'o>, values: &[Value]) -> Result<Vec<RowAt<'o>>, TreeError> {
    let mut wanted = Vec::new();
    for value in values {
        key::write_component(value.as_ref(), &mut wanted);
    }
    let whole = wanted.clone();
    key::finish(&mut wanted, 0, tree.objects().hasher());
    let mut cursor = Cursor::from_key(tree, &wanted)?;
    let mut found = Vec::new();
    while let Some(at) = cursor.next_row()? {
        let key = at.chunk.key(at.row)?;
        let has_hash = key.len() == whole.len() + 33 && key.starts_with(&whole);
        if key != wanted && !has_hash {
            break;
        }
        found.push(at);
    }
    Ok(found)
}
