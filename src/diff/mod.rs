//! What differs between two states: schema facts, rows, cells. Pure: reads objects, writes nothing.
//!
//! Two trees are descended together and equal ids are never opened. A comparison is one value
//! ([`Comparison`]); rows are streamed, in key order, so memory does not grow with the difference.

pub mod change;
pub mod load;

pub use change::{Comparison, Row, RowChange, RowCounts, SchemaChange, TableComparison, Verdict};
pub use load::{LoadedSnapshot, TableDefinition};
