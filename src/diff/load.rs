//! A snapshot with its state, and what can be read of both: facts, tables, definitions.

use super::error::DiffError;
use crate::codec::state::{self, StoredTable};
use crate::codec::{Kind, catalog};
use crate::model::snapshot::{Snapshot, State, TreeRoot};
use crate::model::{Fact, ObjectId, ObjectKind, ObjectName, SnapshotId, TableSpec, Value};
use crate::store::Objects;
use crate::tree::{Cursor, RowAt, StoreMode, Tree, TreePlan};

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
    pub fn load(objects: &dyn Objects, id: SnapshotId) -> Result<Self, DiffError> {
        let snapshot = state::read_snapshot(&objects.get(Kind::Snapshot, &id.0)?)?;
        let state = state::read_state(&objects.get(Kind::State, &snapshot.state.0)?)?;
        Ok(LoadedSnapshot { id, snapshot, state })
    }

    /// The schema facts, sorted by id.
    pub fn facts(&self, objects: &dyn Objects) -> Result<Vec<Fact>, DiffError> {
        let rows = list(objects, self.state.facts, &catalog::facts_spec())?;
        let mut facts = decoded(&rows, catalog::row_fact)?;
        facts.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(facts)
    }

    /// The tables, sorted by name: name and `Table` object.
    pub fn table_ids(
        &self,
        objects: &dyn Objects,
    ) -> Result<Vec<(ObjectName, ObjectId)>, DiffError> {
        let rows = list(objects, self.state.tables, &catalog::tables_spec())?;
        let mut tables = decoded(&rows, catalog::row_table)?;
        tables.sort();
        Ok(tables)
    }

    /// The tables, sorted by name.
    pub fn tables(&self, objects: &dyn Objects) -> Result<Vec<StoredTable>, DiffError> {
        let ids = self.table_ids(objects)?;
        ids.iter().map(|(_, id)| load_table(objects, id)).collect()
    }

    /// The table of this name.
    pub fn table(
        &self,
        objects: &dyn Objects,
        name: &str,
    ) -> Result<Option<StoredTable>, DiffError> {
        let ids = self.table_ids(objects)?;
        let found = ids.iter().find(|(n, _)| n.to_string() == name);
        found.map(|(_, id)| load_table(objects, id)).transpose()
    }

    /// The definitions, sorted by kind and name.
    pub fn definitions(&self, objects: &dyn Objects) -> Result<Vec<TableDefinition>, DiffError> {
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
pub(super) fn load_table(objects: &dyn Objects, id: &ObjectId) -> Result<StoredTable, DiffError> {
    Ok(state::read_table(&objects.get(Kind::Table, id)?)?)
}

fn decoded<T, E>(
    rows: &[Vec<Value>],
    decode: impl Fn(&[Value]) -> Result<T, E>,
) -> Result<Vec<T>, DiffError>
where
    DiffError: From<E>,
{
    rows.iter().map(|row| decode(row).map_err(DiffError::from)).collect()
}

/// All rows of one of a state's own lists.
fn list(
    objects: &dyn Objects,
    root: TreeRoot,
    spec: &TableSpec,
) -> Result<Vec<Vec<Value>>, DiffError> {
    let plan = TreePlan::new(spec, StoreMode::Full).expect("the format's own lists are sound");
    let tree = Tree::new(objects, plan.shared(), root);
    let mut cursor = Cursor::new(&tree);
    let mut rows = Vec::new();
    while let Some(at) = cursor.next_row()? {
        rows.push(whole_row(&at)?);
    }
    Ok(rows)
}

/// All values of a row, those that are stored apart included.
pub(super) fn whole_row(at: &RowAt<'_>) -> Result<Vec<Value>, DiffError> {
    let columns = at.chunk.plan().column_names().len();
    (0..columns).map(|index| Ok(at.chunk.whole_value(at.row, index)?)).collect()
}
