//! What differs between two states: schema facts, rows, cells. Pure: reads objects, writes nothing.
//!
//! Two trees are descended together and equal ids are never opened. A comparison is one value
//! ([`Comparison`]); rows are streamed, in key order, so memory does not grow with the difference.

pub mod change;
mod compare;
mod error;
pub mod history;
mod respelled;
mod rows;
mod schema;
mod unseen;

pub use change::{Comparison, RowChange, RowCounts, SchemaChange, TableComparison, Verdict};
pub use compare::compare;
pub use error::DiffError;
pub use rows::{Access, Called, changes, count, rows, rows_called};

pub use crate::codec::cell::ExternalValue;
pub use crate::tree::rows::{Known, Row, RowValue, row_by_key, rows_of};
pub use crate::tree::state::{LoadedSnapshot, TableDefinition};
pub use crate::tree::{CellValue, ValuePieces};
