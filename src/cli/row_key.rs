//! Which table and which row a person means: a table by its name, a row by the words of its key.

use std::collections::BTreeSet;

use super::error::CliError;
use super::key_words::{meanings, meanings_like};
use crate::codec::key;
use crate::codec::state::StoredTable;
use crate::diff::LoadedSnapshot;
use crate::model::{ObjectName, RowKey, Value};
use crate::report::value;
use crate::store::Objects;
use crate::tree::{Cursor, StoreMode, Tree, TreePlan};

/// The table that a text names; an error that lists what there is where it names none.
pub(super) fn table(
    objects: &dyn Objects,
    loaded: &LoadedSnapshot,
    text: &str,
    at: &str,
) -> Result<StoredTable, CliError> {
    let names = loaded.table_ids(objects)?.into_iter().map(|(name, _)| name).collect();
    let named = table_named(&names, text)?;
    let table = named.map(|name| loaded.table(objects, &name.to_string())).transpose()?.flatten();
    match table {
        Some(table) => Ok(table),
        None => Err(unknown_table(text, at, &loaded.tables(objects)?)),
    }
}

/// The table that a text names: by its schema and name, or by its name alone where only one schema
/// has such a table.
pub fn table_named(
    tables: &BTreeSet<ObjectName>,
    text: &str,
) -> Result<Option<ObjectName>, CliError> {
    if let Some(exact) = tables.iter().find(|name| name.to_string() == text) {
        return Ok(Some(exact.clone()));
    }
    let found: Vec<&ObjectName> = tables.iter().filter(|name| name.name == text).collect();
    match found.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).clone())),
        several => {
            let names: Vec<String> =
                several.iter().map(|n| value::visible(&n.to_string())).collect();
            Err(CliError::usage(format!("`{text}` is the name of several tables"))
                .hint(format!("write one of {}", names.join(", "))))
        }
    }
}

/// An error that lists what there is.
pub fn unknown_table(name: &str, at: &str, tables: &[StoredTable]) -> CliError {
    let names: Vec<String> =
        tables.iter().map(|t| value::visible(&t.spec.name.to_string())).collect();
    let hint = match names.as_slice() {
        [] => "it has no tables at all".to_owned(),
        names => format!("its tables: {}", names.join(", ")),
    };
    CliError::usage(format!("snapshot `{at}` has no table `{name}`")).hint(hint)
}

/// The tree of a table's rows, as the snapshot stored them.
pub(super) fn tree<'o>(
    objects: &'o dyn Objects,
    loaded: &LoadedSnapshot,
    table: &StoredTable,
) -> Result<Tree<'o>, CliError> {
    let mode = if loaded.snapshot.is_hash_only { StoreMode::HashOnly } else { StoreMode::Full };
    let plan = TreePlan::new(&table.spec, mode).map_err(crate::tree::state::StateError::Layout)?;
    Ok(Tree::new(objects, plan.shared(), table.rows))
}

/// The keys that the words can mean: NULL, a number, bytes or a text, in any combination. None
/// where the table has no rows to tell what its columns hold.
pub(super) fn keys(
    objects: &dyn Objects,
    loaded: &LoadedSnapshot,
    table: &StoredTable,
    words: &[String],
) -> Result<Vec<Vec<Value>>, CliError> {
    let RowKey::Columns { columns, .. } = &table.spec.key else {
        let name = &table.spec.name;
        return Err(CliError::usage(format!("table {name} has no key to look a row up by"))
            .hint("leave the key out to print every row"));
    };
    if columns.len() != words.len() {
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let message = format!("the key of {} is ({})", table.spec.name, names.join(", "));
        return Err(CliError::usage(message).hint("give a value for each of its columns"));
    }
    let holds = match loaded.state.engine.as_str() {
        "sqlite" => Holds::AnyOf(is_sqlite),
        _ => Holds::LikeKey(first_key(&tree(objects, loaded, table)?)?),
    };
    let mut candidates: Vec<Vec<Value>> = vec![Vec::new()];
    for (position, word) in words.iter().enumerate() {
        let meanings: Vec<Value> = match &holds {
            Holds::AnyOf(holds) => meanings(word).into_iter().filter(holds).collect(),
            Holds::LikeKey(Some(key)) => meanings_like(word, &key[position]),
            Holds::LikeKey(None) => return Ok(Vec::new()),
        };
        candidates = candidates
            .iter()
            .flat_map(|front| {
                meanings.iter().map(move |value| {
                    let mut key = front.clone();
                    key.push(value.clone());
                    key
                })
            })
            .collect();
    }
    Ok(candidates)
}

/// What the columns of a key hold.
enum Holds {
    /// Values of several kinds in any column: every meaning of every word is looked up.
    AnyOf(fn(&Value) -> bool),
    /// Values of one kind in each column, as in this key of the table; none where it has no rows.
    LikeKey(Option<Vec<Value>>),
}

/// The first key of a tree, where it has rows.
fn first_key(tree: &Tree<'_>) -> Result<Option<Vec<Value>>, CliError> {
    let Some(at) = Cursor::new(tree).next_row()? else { return Ok(None) };
    let bytes = at.chunk.key(at.row)?;
    if !key::is_cut(bytes) {
        let decoded = key::decode(bytes).map_err(crate::tree::state::StateError::Decode)?;
        return Ok(Some(decoded.values));
    }
    let layout = tree.plan().layout();
    let mut places: Vec<usize> =
        (0..layout.column_count()).filter(|&index| layout.is_key_column(index)).collect();
    places.sort_unstable_by_key(|&index| layout.key_position(index));
    let values = places.into_iter().map(|index| at.chunk.whole_value(at.row, index));
    Ok(Some(values.collect::<Result<_, _>>()?))
}

/// Whether SQLite holds such values.
fn is_sqlite(value: &Value) -> bool {
    use Value::{Bytes, Float64, Int, Null, Text};
    matches!(value, Null | Int(_) | Float64(_) | Bytes(_) | Text(_))
}
