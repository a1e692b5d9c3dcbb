//! Change packs: a reviewed change of a target, both ways, with its guards and its evidence.
//!
//! Planning needs no server: two snapshots, what differs, and what a person allows. `plan` is the
//! whole of it; `schema` decides the schema, `order` (with `edges`, `graph`, `parking`) the
//! order of rows, `statement`, `values` and `writer` put it on disk, `folder` reads it again and believes
//! nothing that its digests do not vouch for. `docs/pack.md` describes every file.

mod batch;
mod changes;
mod condition;
pub mod consent;
pub mod content;
mod decision;
mod decisions;
mod draft;
mod edges;
pub mod enforcement;
pub mod error;
pub mod exact;
pub mod fill;
pub mod fingerprint;
pub mod folder;
pub mod graph;
mod kept;
pub mod label;
mod leaving;
mod left;
mod listing;
pub mod manifest;
mod measure;
pub mod online;
pub mod order;
mod output;
pub mod parking;
mod plan;
pub mod renames;
pub mod request;
pub mod reversal;
pub mod row_hash;
mod rowids;
mod rowless;
pub mod rules;
pub mod schema;
pub mod selection;
pub mod shape;
mod side;
mod sorting;
pub mod spool;
pub mod statement;
pub mod strategy;
pub mod summary;
pub mod token;
mod unenforced;
mod unwritten;
pub mod values;
mod waiting;
mod whole;
mod writer;
mod written_table;

pub use consent::{Class, Consent};
pub use decisions::DecisionFile;
pub use draft::{Draft, draft};
pub use error::{FailureKind, PackError, Refusal};
pub use folder::{Pack, Run};
pub use manifest::Manifest;
pub use online::Part;
pub use request::{PackSide, Request, RowChanges, check_sides};
pub use side::StoredRows;
pub use strategy::{Setting, Strategies, Strategy};

pub use crate::diff::CellValue;
