//! PostgreSQL, version 13 and later.
//!
//! `connect` opens and pins sessions, `locks` fixes the moment that is read, `catalog` says what
//! there is, `tables` and `keys` what of it is read by rows, `rows` sends those: COPY in binary,
//! taken apart by `binary` and `values` on the caller's thread. Nothing is written to a source.
//! `target` and `session` change a database, `loader` fills one; `dialect`, `statements` and `guards`
//! write SQL without a connection. Nothing here knows an encoding of ours.

mod binary;
mod catalog;
mod changes;
mod connect;
mod ddl;
mod declared;
mod defaults;
mod dialect;
mod errors;
mod fixed;
mod guards;
mod held;
mod keys;
mod literals;
mod loader;
mod locks;
mod lookup;
mod parameters;
mod passfile;
mod query;
mod receipts;
mod rows;
mod session;
mod source;
mod sql;
mod statements;
mod tables;
mod target;
mod types;
mod values;

pub use ddl::PostgresDdl;
pub use dialect::PostgresDialect;
pub use loader::PostgresLoader;
pub use session::PostgresSession;
pub use source::{PostgresSource, read_catalog};
pub use statements::PostgresTable;
pub use target::PostgresTarget;
