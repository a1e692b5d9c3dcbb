//! How rows travel from an engine to whoever encodes them: cell by cell, borrowed, never boxed.

use super::value::ValueRef;

/// An error of whoever takes the rows; the engine hands it back untouched.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Whether the engine should go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Send the next row.
    Continue,
    /// Stop here; this is no error and the caller knows why.
    Stop,
}

/// Takes rows, one cell at a time.
///
/// An engine calls [`RowSink::cell`] once for each column of the table's
/// [`TableSpec::columns`](super::schema::TableSpec::columns), in that order, NULLs included, and
/// then [`RowSink::end_row`].
pub trait RowSink {
    /// Takes the next cell of the row.
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError>;

    /// Ends the row.
    fn end_row(&mut self) -> Result<Flow, SinkError>;
}
