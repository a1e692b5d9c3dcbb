//! The two states of a pack, loaded from a store.

use super::renames::Base;
use super::request::{PackSide, Pieces, RowChanges};
use crate::codec::state::StoredTable;
use crate::diff::{
    self, Access, Called, CellValue, DiffError, ExternalValue, LoadedSnapshot, Row, RowChange,
    ValuePieces,
};
use crate::model::{Flow, SinkError, Value};
use crate::store::Objects;

impl PackSide {
    /// Loads what a pack needs of a snapshot; its rows stay in the store.
    pub fn load(objects: &dyn Objects, loaded: &LoadedSnapshot) -> Result<PackSide, DiffError> {
        let snapshot = &loaded.snapshot;
        Ok(PackSide {
            snapshot: loaded.id,
            state: snapshot.state,
            engine: loaded.state.engine.clone(),
            source: snapshot.source.clone(),
            scope: loaded.state.scope.clone(),
            is_hash_only: snapshot.is_hash_only,
            facts: loaded.facts(objects)?,
            definitions: loaded.definitions(objects)?,
            tables: loaded.tables(objects)?,
            sequences: snapshot.sequences.clone(),
        })
    }
}

/// The row changes between tables of one store.
pub struct StoredRows<'a> {
    /// Where they are.
    pub access: Access<'a>,
    /// The tables that go by other names than they are stored under, where any do.
    pub base: Option<&'a Base>,
}

impl<'a> StoredRows<'a> {
    /// Rows of tables by the names they are stored under.
    pub fn new(access: Access<'a>) -> StoredRows<'a> {
        StoredRows { access, base: None }
    }

    fn stored<'t>(&'t self, table: &'t StoredTable) -> &'t StoredTable {
        self.base.map_or(table, |base| base.stored(table))
    }
}

impl RowChanges for StoredRows<'_> {
    fn changes_called(
        &self,
        before: Option<Called<'_>>,
        after: Option<&StoredTable>,
        take: &mut dyn FnMut(RowChange<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError> {
        // Names that were given are names too.
        let before = before.map(|called| Called { table: self.stored(called.table), ..called });
        Ok(diff::rows_called(&self.access, before, after, take)?)
    }

    fn changes(
        &self,
        before: Option<&StoredTable>,
        after: Option<&StoredTable>,
        take: &mut dyn FnMut(RowChange<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError> {
        let called = |spec| Called { table: self.stored(spec), spec: &spec.spec };
        Ok(diff::rows_called(&self.access, before.map(called), after, take)?)
    }

    fn rows(
        &self,
        table: &StoredTable,
        take: &mut dyn FnMut(Row<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError> {
        Ok(diff::rows_of(self.access.objects, self.stored(table), take)?)
    }

    fn rows_by_key(&self, table: &StoredTable, key: &[Value]) -> Result<Vec<Row>, SinkError> {
        Ok(diff::row_by_key(self.access.objects, self.stored(table), key)?)
    }

    fn payload<'s>(&'s self, value: &ExternalValue) -> Result<Box<dyn Pieces + 's>, SinkError> {
        Ok(Box::new(ValuePieces::open(self.access.objects, *value)?))
    }
}

impl Pieces for ValuePieces<'_> {
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        Ok(ValuePieces::next_piece(self)?)
    }
}
