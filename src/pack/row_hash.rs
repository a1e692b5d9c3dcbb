//! The row hash of a row in memory: what a snapshot would compute for it, without a store.

use std::cell::Cell;
use std::rc::Rc;

use crate::codec::cell::PIECE_LEN;
use crate::codec::row::{LargeValues, LayoutError, RowBatch, RowEncoder, RowLayout};
use crate::codec::{Hasher, Kind, block};
use crate::diff::CellValue;
use crate::model::{Flow, ObjectId, RowKey, RowSink, SinkError, TableSpec, ValueRef};

/// Computes the ids of values that a snapshot would store apart, and stores nothing.
#[derive(Debug, Clone)]
pub struct IdsOnly(pub Hasher);

impl LargeValues for IdsOnly {
    fn put(&mut self, payload: &[u8]) -> Result<ObjectId, SinkError> {
        if payload.len() <= PIECE_LEN {
            return Ok(self.0.id(Kind::Value, payload));
        }
        let pieces: Vec<ObjectId> =
            payload.chunks(PIECE_LEN).map(|piece| self.0.id(Kind::Value, piece)).collect();
        let list = block::write_value_list(payload.len() as u64, &pieces);
        Ok(self.0.id(Kind::ValueList, &list))
    }
}

/// The layout of a table's rows as far as row hashes go: they do not depend on the key.
pub fn layout(table: &TableSpec) -> Result<RowLayout, LayoutError> {
    RowLayout::new(&TableSpec { key: RowKey::RowHash, ..table.clone() })
}

type OnRow = Box<dyn FnMut(RowBatch) -> Result<(RowBatch, Flow), SinkError>>;

/// Hashes rows one at a time; a [`RowSink`] itself.
pub struct RowHasher<'l> {
    encoder: RowEncoder<'l, IdsOnly, OnRow>,
    last: Rc<Cell<Option<ObjectId>>>,
}

impl<'l> RowHasher<'l> {
    /// A hasher of rows in this layout.
    pub fn new(layout: &'l RowLayout, hasher: &'l Hasher) -> Self {
        let last = Rc::new(Cell::new(None));
        let slot = Rc::clone(&last);
        let on_row: OnRow = Box::new(move |mut batch| {
            // The key of a row without an identity of its own is a tag and its row hash.
            let hash = batch.row(0).key.get(1..).and_then(|hash| hash.try_into().ok());
            slot.set(hash.map(ObjectId));
            batch.clear();
            Ok((batch, Flow::Continue))
        });
        // A limit of nothing: every row is a full batch.
        RowHasher {
            encoder: RowEncoder::new(layout, hasher, IdsOnly(hasher.clone()), 0, on_row),
            last,
        }
    }

    /// The hash of the row that ended last.
    pub fn take(&mut self) -> Option<ObjectId> {
        self.last.take()
    }

    /// The hash of a row by its values, in the order of the table's columns.
    pub fn hash(&mut self, values: &[CellValue]) -> Result<ObjectId, SinkError> {
        for value in values {
            match value {
                CellValue::Here(value) => self.encoder.cell(value.as_ref())?,
                CellValue::Apart(value) => self.encoder.apart(value)?,
            }
        }
        self.encoder.end_row()?;
        Ok(self.take().expect("a row has just ended"))
    }
}

impl RowSink for RowHasher<'_> {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.encoder.cell(value)
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        self.encoder.end_row()
    }
}
