//! The integration tests, one binary with a module per area.

mod sqlite_catalog;
mod sqlite_database;
mod sqlite_rows;
mod sqlite_schemas;
mod sqlite_source;
mod sqlite_target;
