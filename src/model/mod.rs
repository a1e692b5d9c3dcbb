//! The vocabulary of the program: values and their order, rows, keys, identifiers, the schema
//! model and snapshots.
//!
//! Nothing here does I/O, knows an encoding or an engine. Every other layer speaks in these types.

pub mod id;
pub mod key;
pub mod row;
pub mod schema;
pub mod snapshot;
pub mod temporal;
pub mod value;

pub use id::{ObjectId, SnapshotId, StateId};
pub use key::{KeyColumn, KeyMatching, RowKey, RowKeySource};
pub use row::{Flow, RowSink, SinkError};
pub use schema::{
    Attribute, Catalog, ColumnSpec, Definition, Fact, FactId, NotCaptured, ObjectKind, ObjectName,
    Sequence, TableSpec,
};
pub use value::{Decimal, Value, ValueRef};
