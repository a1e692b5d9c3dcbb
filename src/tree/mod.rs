//! Trees of rows: how a table is cut into chunks, written, read, compared and checked.
//!
//! A tree is the same for the same rows, however they arrived: chunk boundaries depend on keys
//! alone, and only on nearby ones (`docs/format-tree.md`). Nothing here knows a database, a store's
//! files or a schema; rows come in as [`RowBatch`](crate::codec::row::RowBatch)es in key order and
//! objects go to an [`ObjectSink`](crate::store::ObjectSink).

mod assembly;
pub mod builder;
pub mod check;
pub mod checkpoint;
pub mod chunk;
mod chunk_encoder;
pub mod chunker;
pub mod compare;
pub mod cursor;
pub mod diff;
pub mod error;
mod framed_rows;
pub mod large;
mod levels;
mod pending;
pub mod plan;
pub mod pool;
pub mod range;
pub mod reader;
mod records;
pub mod rekey;
pub mod rows;
pub mod scratch;
pub mod sorter;
pub mod state;
pub mod transfer;
mod verify_chunk;

pub use builder::TreeBuilder;
pub use check::{CheckManner, CheckedTree, Problem, check_tree, check_tree_in};
pub use checkpoint::Checkpoint;
pub use chunk::{CellValue, LoadedChunk};
pub use chunker::TreeRules;
pub use compare::RowComparer;
pub use cursor::Cursor;
pub use diff::{Pairs, Rows, Span, TreeDiff};
pub use error::TreeError;
pub use large::{LargeValueWriter, ValuePieces};
pub use plan::{CountedRows, StoreMode, TreePlan};
pub use pool::ChunkPool;
pub use range::{RangeBuilder, RangePart, RangeStitcher};
pub use reader::{RowAt, Tree};
pub use rekey::{ScratchObjects, rekey};
pub use scratch::{MemoryScratch, ScratchFile, ScratchSpace};
pub use sorter::{SORT_BUDGET, Sorted, Sorter};
pub use transfer::{ChunkPlace, ChunkPlaces, PlainChunk, PlainColumn, TreeFromChunks};
