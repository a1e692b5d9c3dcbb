//! The engine of MySQL and MariaDB.
//!
//! `connect` opens a session with pinned settings (`option_files` says what URL and environment
//! leave open), `connection` keeps it on a thread of its own, `moment` brings several to one
//! consistent moment, `catalog` reads what there is, `tables` and `keys` say what is read of it and
//! how rows are identified, `rows` streams them (`batch` carries them between threads, `types`
//! decodes them) and `lookups` finds some of them. `sql` writes text, `statements` whole statements
//! whose conditions are `guard`'s. `failure` sorts errors. The rest of the program sees `source`,
//! and of what is changed `target`, with `runs`, `loader` and `receipts`
//! behind it; `stepwise`, with `journal` and `shadow`, is for changes that commit at
//! every step, and `precheck` asks rows beforehand what such a step will demand of them. `ddl` writes the statements that change a schema.

mod batch;
mod catalog;
mod connect;
mod connection;
mod ddl;
mod failure;
mod guard;
mod journal;
mod keys;
mod loader;
mod lookups;
mod moment;
mod option_files;
pub mod precheck;
mod query;
mod receipts;
mod rows;
mod runs;
mod shadow;
mod source;
mod sql;
mod statements;
mod stepwise;
mod tables;
mod target;
mod types;

use sqlx::mysql::MySqlConnection;

pub use ddl::MysqlDdl;
pub use loader::MysqlLoader;
pub use shadow::Shadow;
pub use source::MysqlSource;
pub use statements::{MysqlDialect, MysqlTable};
pub use target::{MysqlSession, MysqlTarget};

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
