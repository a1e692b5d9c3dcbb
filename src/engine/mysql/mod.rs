//! The MySQL and MariaDB engine.
//!
//! `catalog` reads what there is.

mod catalog;

use sqlx::mysql::MySqlConnection;

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
