//! A snapshot with its state, and what can be read of both: facts, tables, definitions.

use super::cursor::Cursor;
use super::error::TreeError;
use super::plan::{StoreMode, TreePlan};
use super::reader::Tree;
use super::rows::row_values;
use crate::codec::row::LayoutError;
use crate::codec::state::{self, StoredTable};
use crate::codec::{DecodeError, Kind, catalog};
use crate::model::snapshot::{Snapshot, State, TreeRoot};
use crate::model::{Fact, ObjectId, ObjectKind, ObjectName, SnapshotId, TableSpec, Value};
use crate::store::{ObjectError, Objects};

/// An error of loading a state or of reading its rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// An object is missing, damaged or cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An object is what its id says, but not what it should be.
    #[error("what is stored cannot be read")]
    Decode(#[from] DecodeError),
    /// A stored table has a shape that no program should have written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Whoever takes the rows failed.
    #[error("a row could not be handed on")]
    Sink(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A snapshot and its state, loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedSnapshot {
    /// The snapshot's id.
    pub id: SnapshotId,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its state.
    pub state: State,
}

/// The text and the order of columns by which an object was defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// Table, index, view, trigger or virtual table.
    pub kind: ObjectKind,
    /// Its name.
    pub object: ObjectName,
    /// The statement as the server keeps it.
    pub text: String,
    /// For tables: the names of the columns in the table's order, generated ones included.
    pub column_order: Vec<String>,
}

impl LoadedSnapshot {
    /// Loads a snapshot and its state.
    pub fn load(objects: &dyn Objects, id: SnapshotId) -> Result<Self, StateError> {
        let snapshot = state::read_snapshot(&objects.get(Kind::Snapshot, &id.0)?)?;
        let state = state::read_state(&objects.get(Kind::State, &snapshot.state.0)?)?;
        Ok(LoadedSnapshot { id, snapshot, state })
    }

    /// The schema facts, sorted by id.
    pub fn facts(&self, objects: &dyn Objects) -> Result<Vec<Fact>, StateError> {
        let rows = list(objects, self.state.facts, &catalog::facts_spec())?;
        let mut facts = decoded(&rows, catalog::row_fact)?;
        facts.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(facts)
    }

    /// The tables, sorted by name: name and `Table` object.
    pub fn table_ids(
        &self,
        objects: &dyn Objects,
    ) -> Result<Vec<(ObjectName, ObjectId)>, StateError> {
        let rows = list(objects, self.state.tables, &catalog::tables_spec())?;
        let mut tables = decoded(&rows, catalog::row_table)?;
        tables.sort();
        Ok(tables)
    }

    /// The tables, sorted by name.
    pub fn tables(&self, objects: &dyn Objects) -> Result<Vec<StoredTable>, StateError> {
        let ids = self.table_ids(objects)?;
        ids.iter().map(|(_, id)| load_table(objects, id)).collect()
    }

    /// The table of this name.
    pub fn table(
        &self,
        objects: &dyn Objects,
        name: &str,
    ) -> Result<Option<StoredTable>, StateError> {
        let ids = self.table_ids(objects)?;
        let found = ids.iter().find(|(n, _)| n.to_string() == name);
        found.map(|(_, id)| load_table(objects, id)).transpose()
    }

    /// The definitions, sorted by kind and name.
    pub fn definitions(&self, objects: &dyn Objects) -> Result<Vec<TableDefinition>, StateError> {
        let rows = list(objects, self.snapshot.definitions, &catalog::definitions_spec())?;
        let mut definitions = decoded(&rows, catalog::row_definition)?
            .into_iter()
            .map(|(d, column_order)| TableDefinition {
                kind: d.kind,
                object: d.object,
                text: d.text,
                column_order,
            })
            .collect::<Vec<_>>();
        definitions.sort_by(|a, b| (a.kind, &a.object).cmp(&(b.kind, &b.object)));
        Ok(definitions)
    }
}

/// The table of a `Table` object.
pub fn load_table(objects: &dyn Objects, id: &ObjectId) -> Result<StoredTable, StateError> {
    Ok(state::read_table(&objects.get(Kind::Table, id)?)?)
}

fn decoded<T, E>(
    rows: &[Vec<Value>],
    decode: impl Fn(&[Value]) -> Result<T, E>,
) -> Result<Vec<T>, StateError>
where
    StateError: From<E>,
{
    rows.iter().map(|row| decode(row).map_err(StateError::from)).collect()
}

/// All rows of one of a state's own lists.
fn list(
    objects: &dyn Objects,
    root: TreeRoot,
    spec: &TableSpec,
) -> Result<Vec<Vec<Value>>, StateError> {
    let plan = TreePlan::new(spec, StoreMode::Full).expect("the format's own lists are sound");
    let tree = Tree::new(objects, plan.shared(), root);
    let mut cursor = Cursor::new(&tree);
    let mut rows = Vec::new();
    while let Some(at) = cursor.next_row()? {
        rows.push(row_values(&at)?);
    }
    Ok(rows)
}
