//! PostgreSQL 13 to 18.
//!
//! For now the catalog alone, read over a connection of its own.

mod catalog;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::error::EngineError;
use crate::model::snapshot::Scope;
use crate::model::{Catalog, NotCaptured};

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''; \
    SET LOCAL quote_all_identifiers = off; SET LOCAL TimeZone = 'UTC'; \
    SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'";

/// What the catalog of a database says, and which rights are missing to read it.
pub fn read_catalog(
    url: &str,
    scope: &Scope,
    schemas: &[String],
) -> Result<(Catalog, Vec<NotCaptured>), EngineError> {
    // A socket's folder comes as a parameter, beside a host that the driver insists on.
    let url = url.replacen("@/", "@localhost/", 1);
    let failed = |source| EngineError::Driver {
        database: "the database".to_owned(),
        action: "connect to".to_owned(),
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(sqlx::Error::Io(error)))?;
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&url).await.map_err(failed)?;
        connection.execute(AssertSqlSafe(BEGIN)).await.map_err(failed)?;
        let catalog = catalog::read(&mut connection, "the database", scope, schemas).await?;
        let missing = catalog::missing_rights(&mut connection, "the database", schemas).await?;
        Ok((catalog, missing))
    })
}
