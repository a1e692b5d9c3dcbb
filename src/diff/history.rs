//! One row through many snapshots: where it is in each, and what changed between two of them.
//!
//! Snapshots are looked at one after the other, newest or oldest first. What has the id that it had
//! in the snapshot before (the list of tables, the table, its rows, the row's chunk) is not opened
//! again, so a snapshot costs a path through the tree at most, and no row but this one is read.

use std::sync::Arc;

use crate::codec::state::StoredTable;
use crate::codec::{catalog, cell};
use crate::model::snapshot::TreeRoot;
use crate::model::{ObjectId, ObjectName, SnapshotId, Value};
use crate::store::Objects;
use crate::tree::large::read_value;
use crate::tree::rows::rows_with_key;
use crate::tree::state::{LoadedSnapshot, StateError, load_table};
use crate::tree::{CellValue, RowAt, StoreMode, Tree, TreeError, TreePlan};

/// What a snapshot says of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It is there.
    Row(SeenRow),
    /// The table is there, and the row is not.
    NoRow,
    /// The table is not there.
    NoTable,
    /// Nobody can say: why.
    Unseen(String),
}

/// A row in a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRow {
    /// Its table there.
    pub table: Arc<StoredTable>,
    /// Its values, in byte order of the columns' names; `None` where none were stored.
    pub values: Option<Vec<CellValue>>,
    /// Its hash.
    pub hash: ObjectId,
}

/// How a row differs between a snapshot and an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub enum RowEvent {
    /// It was not there; nor was its table, where that is said.
    Inserted {
        /// Whether the table is new, too.
        with_table: bool,
    },
    /// It is not there any more; nor is its table, where that is said.
    Deleted {
        /// Whether the table is gone, too.
        with_table: bool,
    },
    /// It is another: these cells, or nobody can say which.
    Updated(Option<Vec<CellChange>>),
}

/// A cell that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct CellChange {
    /// The column.
    pub column: String,
    /// The value before; `None` where the column was not there.
    pub before: Option<CellValue>,
    /// The value after; `None` where the column is not there any more.
    pub after: Option<CellValue>,
}

impl SeenRow {
    /// The value of a column; `None` where the table has no such column.
    fn value(&self, name: &str) -> Option<&CellValue> {
        let place = self.table.spec.place(name)?;
        self.values.as_ref()?.get(place)
    }

    /// The value that a new column would have in the rows that were there.
    fn default(&self, name: &str) -> Option<&Value> {
        let place = self.table.spec.place(name)?;
        Some(&self.table.spec.columns[place].default)
    }
}

/// What happened between two sights of a row; `None` where nothing did, or where it cannot be told.
pub fn event(before: &Seen, after: &Seen) -> Option<RowEvent> {
    match (before, after) {
        (Seen::Row(before), Seen::Row(after)) => updated(before, after).map(RowEvent::Updated),
        (Seen::NoRow | Seen::NoTable, Seen::Row(_)) => {
            Some(RowEvent::Inserted { with_table: *before == Seen::NoTable })
        }
        (Seen::Row(_), Seen::NoRow | Seen::NoTable) => {
            Some(RowEvent::Deleted { with_table: *after == Seen::NoTable })
        }
        _ => None,
    }
}

/// The cells that differ. A column that is on one side only counts where the value is unlike its
/// default, as in a diff.
fn updated(before: &SeenRow, after: &SeenRow) -> Option<Option<Vec<CellChange>>> {
    if before.hash == after.hash {
        return None;
    }
    if before.values.is_none() || after.values.is_none() {
        return Some(None);
    }
    let columns = |row: &SeenRow| row.table.spec.columns.clone();
    let mut names: Vec<String> =
        columns(before).into_iter().chain(columns(after)).map(|column| column.name).collect();
    names.sort();
    names.dedup();
    let mut cells = Vec::new();
    for column in names {
        let (old, new) = (before.value(&column), after.value(&column));
        let is_changed = match (old, new) {
            (Some(old), Some(new)) => old != new,
            (Some(old), None) => old.here() != before.default(&column),
            (None, Some(new)) => new.here() != after.default(&column),
            (None, None) => false,
        };
        if is_changed {
            cells.push(CellChange { before: old.cloned(), after: new.cloned(), column });
        }
    }
    (!cells.is_empty()).then_some(Some(cells))
}

/// The whole value of a cell, wherever it is stored.
pub fn whole(objects: &dyn Objects, value: &CellValue) -> Result<Value, StateError> {
    match value {
        CellValue::Here(value) => Ok(value.clone()),
        CellValue::Apart(apart) => {
            let payload = read_value(objects, *apart)?;
            Ok(cell::into_value(apart.tag, payload)?)
        }
    }
}

/// The `Table` object of a table in a snapshot; `None` where it has no such table.
pub fn table_id(
    objects: &dyn Objects,
    loaded: &LoadedSnapshot,
    name: &ObjectName,
) -> Result<Option<ObjectId>, StateError> {
    let spec = catalog::tables_spec();
    let plan = TreePlan::new(&spec, StoreMode::Full)?.shared();
    let list = Tree::new(objects, plan, loaded.state.tables);
    let key = [Value::Text(name.schema.clone()), Value::Text(name.name.clone())];
    let key = list.plan().key_of(key.iter().map(Value::as_ref), objects.hasher());
    let Some(at) = list.find(&key)? else { return Ok(None) };
    let row = crate::tree::rows::row_values::<Value>(&at)?;
    Ok(Some(catalog::row_table(&row)?.1))
}

/// The keys that a row may have: what a person's words mean in a table of this shape.
pub type Keys<'a, E> = dyn FnMut(&LoadedSnapshot, &StoredTable) -> Result<Vec<Vec<Value>>, E> + 'a;

/// Looks for one row in snapshot after snapshot.
pub struct RowFollower<'o> {
    objects: &'o dyn Objects,
    name: ObjectName,
    /// The keys to look for, and the shape of the table whose key they are of.
    keys: Option<(Shape, Vec<Vec<Value>>)>,
    last: Option<Last>,
}

/// The key's columns with their declared types.
type Shape = Vec<(String, String)>;

/// What was seen last, and where.
struct Last {
    tables: TreeRoot,
    is_hash_only: bool,
    table: Option<(ObjectId, Arc<StoredTable>)>,
    chunks: Vec<Option<ObjectId>>,
    seen: Arc<Seen>,
}

impl<'o> RowFollower<'o> {
    /// Follows a row of this table.
    pub fn new(objects: &'o dyn Objects, name: ObjectName) -> Self {
        RowFollower { objects, name, keys: None, last: None }
    }

    /// What the next snapshot says of the row; the same sight as before where nothing on the way
    /// to it has another id.
    pub fn look<E: From<StateError>>(
        &mut self,
        loaded: &LoadedSnapshot,
        keys: &mut Keys<'_, E>,
    ) -> Result<Arc<Seen>, E> {
        let (tables, is_hash_only) = (loaded.state.tables, loaded.snapshot.is_hash_only);
        let last = self.last.take().filter(|last| last.is_hash_only == is_hash_only);
        let mut next = match last {
            Some(last) if last.tables == tables && last.table.is_some() => last,
            last => {
                let id = table_id(self.objects, loaded, &self.name)?;
                match (last, id) {
                    (_, None) => Last {
                        tables,
                        is_hash_only,
                        table: None,
                        chunks: Vec::new(),
                        seen: Arc::new(self.missing(loaded)),
                    },
                    (Some(last), Some(id)) if last.table.as_ref().is_some_and(|t| t.0 == id) => {
                        last
                    }
                    (last, Some(id)) => self.in_table(loaded, id, last, keys)?,
                }
            }
        };
        next.tables = tables;
        let seen = Arc::clone(&next.seen);
        self.last = Some(next);
        Ok(seen)
    }

    /// A table that is not there, or that was not looked at.
    fn missing(&self, loaded: &LoadedSnapshot) -> Seen {
        let name = self.name.to_string();
        let hides = |kind: &str, hidden: &str| match kind {
            "table" => hidden == name || hidden == "*",
            "schema" => hidden == self.name.schema,
            _ => false,
        };
        let mut items = loaded.snapshot.not_captured.iter();
        match items.find(|item| hides(&item.kind, &item.name)) {
            Some(item) => Seen::Unseen(format!("the table was not looked at: {}", item.reason)),
            None => Seen::NoTable,
        }
    }

    fn in_table<E: From<StateError>>(
        &mut self,
        loaded: &LoadedSnapshot,
        id: ObjectId,
        last: Option<Last>,
        keys: &mut Keys<'_, E>,
    ) -> Result<Last, E> {
        let table = Arc::new(load_table(self.objects, &id)?);
        let is_hash_only = loaded.snapshot.is_hash_only;
        let of = |chunks, seen| Last {
            tables: loaded.state.tables,
            is_hash_only,
            table: Some((id, Arc::clone(&table))),
            chunks,
            seen,
        };
        let shape = shape(&table);
        let is_other_key = self.keys.as_ref().is_some_and(|(known, _)| {
            known.iter().map(|(name, _)| name).ne(shape.iter().map(|(name, _)| name))
        });
        if is_other_key {
            let names = table.spec.key.column_names().join(", ");
            let why = if names.is_empty() {
                "the table has no key there".to_owned()
            } else {
                format!("its rows are identified by ({names}) there")
            };
            return Ok(of(Vec::new(), Arc::new(Seen::Unseen(why))));
        }
        let candidates = match &self.keys {
            Some((known, keys)) if *known == shape => keys.clone(),
            _ => keys(loaded, &table)?,
        };
        let mode = if is_hash_only { StoreMode::HashOnly } else { StoreMode::Full };
        let plan = TreePlan::new(&table.spec, mode).map_err(StateError::Layout)?;
        let tree = Tree::new(self.objects, plan.shared(), table.rows);
        let chunks = chunks(&tree, &candidates)?;
        if let Some(last) = last
            && last.table.as_ref().is_some_and(|(_, before)| before.spec == table.spec)
            && last.chunks == chunks
            && !chunks.is_empty()
        {
            return Ok(of(chunks, last.seen));
        }
        let mut found: Vec<(Vec<Value>, RowAt<'_>)> = Vec::new();
        for values in &candidates {
            let rows = rows_with_key(&tree, values).map_err(StateError::Tree)?;
            found.extend(rows.into_iter().map(|at| (values.clone(), at)));
        }
        let seen = match found.as_slice() {
            [] => Seen::NoRow,
            [(values, at)] => {
                // From here on it is this one of all that the words can mean.
                let seen = Seen::Row(seen_row(&table, at).map_err(StateError::Tree)?);
                let values = vec![values.clone()];
                let chunks = self::chunks(&tree, &values)?;
                self.keys = Some((shape, values));
                return Ok(of(chunks, Arc::new(seen)));
            }
            several => Seen::Unseen(format!("{} rows can be meant there", several.len())),
        };
        Ok(of(chunks, Arc::new(seen)))
    }
}

fn shape(table: &StoredTable) -> Shape {
    let columns = &table.spec.columns;
    let declared = |name: &str| {
        let column = columns.iter().find(|column| column.name == name);
        column.map_or_else(String::new, |column| column.declared_type.clone())
    };
    let names = table.spec.key.column_names();
    names.into_iter().map(|name| (name.to_owned(), declared(name))).collect()
}

/// The chunk that each key leads to.
fn chunks(tree: &Tree<'_>, keys: &[Vec<Value>]) -> Result<Vec<Option<ObjectId>>, StateError> {
    let of = |values: &Vec<Value>| {
        let key = tree.plan().key_of(values.iter().map(Value::as_ref), tree.objects().hasher());
        Ok(tree.chunk_of(&key)?.map(|chunk| chunk.id()))
    };
    keys.iter().map(of).collect()
}

fn seen_row(table: &Arc<StoredTable>, at: &RowAt<'_>) -> Result<SeenRow, TreeError> {
    let columns = table.spec.columns.len();
    let values = match at.chunk.plan().mode() {
        StoreMode::HashOnly => None,
        StoreMode::Full => {
            let values = (0..columns).map(|index| at.chunk.value(at.row, index));
            Some(values.collect::<Result<Vec<_>, _>>()?)
        }
    };
    Ok(SeenRow { table: Arc::clone(table), values, hash: at.chunk.row_hash(at.row)? })
}

/// A chain of snapshots from one to its first parent, and so on.
#[derive(Debug, Clone)]
pub struct Trail {
    /// The snapshots, newest first.
    pub snapshots: Vec<LoadedSnapshot>,
    /// The parent that is not there any more, where the chain ends for that.
    pub gone: Option<SnapshotId>,
}

impl Trail {
    /// The chain from this snapshot on. `is_there` says whether a parent still is.
    pub fn from<E: From<StateError>>(
        objects: &dyn Objects,
        head: LoadedSnapshot,
        is_there: &dyn Fn(&ObjectId) -> Result<bool, E>,
    ) -> Result<Trail, E> {
        let mut snapshots = vec![head];
        let mut gone = None;
        while let Some(&parent) = snapshots.last().and_then(|last| last.snapshot.parents.first()) {
            // A parent was there before its child was, so a chain has no circles.
            if !is_there(&parent.0)? {
                gone = Some(parent);
                break;
            }
            snapshots.push(LoadedSnapshot::load(objects, parent)?);
        }
        Ok(Trail { snapshots, gone })
    }
}
