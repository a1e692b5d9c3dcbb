//! Takers of rows: whole values, single columns.

use crate::model::{Flow, RowSink, SinkError, Value, ValueRef};

/// Keeps the values of rows.
#[derive(Debug, Default)]
pub struct Values {
    row: Vec<Value>,
    /// The rows so far.
    pub rows: Vec<Vec<Value>>,
}

impl RowSink for Values {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.row.push(value.to_value());
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        self.rows.push(std::mem::take(&mut self.row));
        Ok(Flow::Continue)
    }
}

/// Calls back for each row of one column.
pub struct EachValue<F>(pub F);

impl<F: FnMut(ValueRef<'_>)> RowSink for EachValue<F> {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        (self.0)(value);
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        Ok(Flow::Continue)
    }
}
