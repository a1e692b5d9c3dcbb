//! The two states of a pack, loaded from a store.

use super::request::{PackSide, Pieces, RowChanges};
use crate::codec::state::StoredTable;
use crate::diff::{
    self, Access, CellValue, DiffError, ExternalValue, LoadedSnapshot, Row, RowChange, ValuePieces,
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
pub struct StoredRows<'a>(pub Access<'a>);

impl RowChanges for StoredRows<'_> {
    fn changes(
        &self,
        before: Option<&StoredTable>,
        after: Option<&StoredTable>,
        take: &mut dyn FnMut(RowChange<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError> {
        Ok(diff::rows(&self.0, before, after, take)?)
    }

    fn rows(
        &self,
        table: &StoredTable,
        take: &mut dyn FnMut(Row<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError> {
        Ok(diff::rows_of(self.0.objects, table, take)?)
    }

    fn rows_by_key(&self, table: &StoredTable, key: &[Value]) -> Result<Vec<Row>, SinkError> {
        Ok(diff::row_by_key(self.0.objects, table, key)?)
    }

    fn payload<'s>(&'s self, value: &ExternalValue) -> Result<Box<dyn Pieces + 's>, SinkError> {
        Ok(Box::new(ValuePieces::open(self.0.objects, *value)?))
    }
}

impl Pieces for ValuePieces<'_> {
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        Ok(ValuePieces::next_piece(self)?)
    }
}
