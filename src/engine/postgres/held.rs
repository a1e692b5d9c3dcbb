//! What a transaction holds and has written anew, as the server itself tells: locks of relations,
//! and the files that relations are in.

use sqlx::postgres::PgConnection;

use super::errors::Failure;
use super::query;
use crate::engine::{HeldLock, RelationFile};

/// Relations of the database that are no part of the server.
const OWN: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// The locks that this session holds on relations. One that is dropped already has no name.
pub(super) async fn locks(connection: &mut PgConnection) -> Result<Vec<HeldLock>, Failure> {
    let sql = format!(
        "SELECT DISTINCT l.relation::pg_catalog.text, n.nspname || '.' || c.relname, l.mode \
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation \
         LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE l.locktype = 'relation' AND l.granted \
         AND l.pid = pg_catalog.pg_backend_pid() AND (c.oid IS NULL OR {OWN}) ORDER BY 2, 1, 3"
    );
    let rows = query::rows(connection, sql).await?;
    let lock = |row: &query::Texts| HeldLock {
        relation: row.text(0).to_owned(),
        name: row.get(1).map(str::to_owned),
        mode: row.text(2).to_owned(),
    };
    Ok(rows.iter().map(lock).collect())
}

/// The file of each table and index.
pub(super) async fn files(connection: &mut PgConnection) -> Result<Vec<RelationFile>, Failure> {
    let sql = format!(
        "SELECT c.oid::pg_catalog.text, n.nspname || '.' || c.relname, \
         c.relfilenode::pg_catalog.text, c.relkind = 'r' FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relfilenode <> 0 AND {OWN} ORDER BY 2"
    );
    let rows = query::rows(connection, sql).await?;
    let file = |row: &query::Texts| RelationFile {
        relation: row.text(0).to_owned(),
        name: row.text(1).to_owned(),
        file: row.text(2).to_owned(),
        is_table: row.is_true(3),
    };
    Ok(rows.iter().map(file).collect())
}
