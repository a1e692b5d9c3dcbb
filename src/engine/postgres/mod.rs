//! PostgreSQL, version 13 and later.
//!
//! `connect` opens and pins sessions, `locks` fixes the moment that is read, `catalog` says what
//! there is, `tables` and `keys` what of it is read by rows, `rows` sends those: COPY in binary,
//! taken apart by `binary` and `values` on the caller's thread. Nothing is written to a source, and
//! nothing here knows an encoding of ours.

mod binary;
mod catalog;
mod connect;
mod defaults;
mod errors;
mod keys;
mod literals;
mod locks;
mod passfile;
mod query;
mod rows;
mod source;
mod sql;
mod statements;
mod tables;
mod target;
mod types;
mod values;

pub use source::{PostgresSource, read_catalog};
pub use statements::{PostgresDialect, PostgresTable};
pub use target::{PostgresLoader, PostgresSession, PostgresTarget};
