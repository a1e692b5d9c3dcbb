//! The engine of MySQL and MariaDB.
//!
//! `connect` opens a session with pinned settings (`option_files` says what URL and environment
//! leave open), `moment` brings connections to one consistent moment, `tables` and `keys` say what
//! is read and how rows are identified, `rows` streams them (`batch` carries them between threads,
//! `types` decodes them), `sql` writes text, `failure` sorts errors, `source` is what the rest of
//! the program sees.

mod batch;
mod connect;
mod failure;
mod keys;
mod moment;
mod option_files;
mod query;
mod rows;
mod source;
mod sql;
mod tables;
mod types;

pub use source::MysqlSource;
