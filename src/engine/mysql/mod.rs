//! The engine of MySQL and MariaDB.
//!
//! `connect` opens a session with pinned settings (`option_files` says what URL and environment
//! leave open), `moment` brings connections to one consistent moment, `catalog` reads what there
//! is, `tables` and `keys` say what is read of it and how rows are identified, `rows` streams them
//! (`batch` carries them between threads, `types` decodes them), `sql` writes text, `failure` sorts
//! errors, `source` is what the rest of the program sees.

mod batch;
mod catalog;
mod connect;
mod failure;
mod keys;
mod moment;
mod option_files;
mod query;
mod rows;
mod source;
mod sql;
mod statements;
mod tables;
mod target;
mod types;

use sqlx::mysql::MySqlConnection;

pub use source::MysqlSource;
pub use statements::{MysqlDialect, MysqlTable};
pub use target::{MysqlLoader, MysqlSession, MysqlTarget};

use super::error::EngineError;
use crate::model::snapshot::Scope;
use crate::model::{Catalog, NotCaptured};

/// Reads the catalog of a database, without the tables whose rows are to be read.
pub async fn read_catalog(
    connection: &mut MySqlConnection,
    database: &str,
    scope: &Scope,
) -> Result<Catalog, EngineError> {
    catalog::read(connection, database, scope).await
}

/// What the account may not see of a database.
pub async fn missing_rights(
    connection: &mut MySqlConnection,
    database: &str,
) -> Result<Vec<NotCaptured>, EngineError> {
    catalog::missing_rights(connection, database).await
}
