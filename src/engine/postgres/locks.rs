//! Fixing the moment that is read, and keeping the tables as they are until the end.
//!
//! TRUNCATE and rewriting DDL are not of a snapshot's kind: to an older snapshot a rewritten table
//! is empty. So every table is locked first (ACCESS SHARE, which only such statements wait for),
//! and the snapshot is taken after that. The tables to lock come from the catalog of a moment
//! before; where the catalog of the snapshot says otherwise, all of it is done again.

use sqlx::postgres::PgConnection;

use super::errors::Failure;
use super::tables::{self, ListedTable, Selection};
use super::{catalog, query, sql};
use crate::engine::error::EngineError;
use crate::model::snapshot::Scope;

/// How often tables may change in the moment between looking and locking.
const ATTEMPTS: usize = 5;

/// How many tables one statement locks.
const LOCKED_AT_ONCE: usize = 200;

/// The transaction in which everything is read.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The transaction in which something is changed, whatever the default of the account says.
pub(super) const BEGIN_WRITING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE";

/// What a moment is fixed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading, by several sessions maybe.
    Reading,
    /// Writing, by this session.
    Writing,
}

/// A moment that is fixed.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// The name under which other sessions can read at the same moment; none where it is fixed for
    /// writing.
    pub(super) snapshot: String,
    /// The tables that are locked, by name.
    pub(super) tables: Vec<ListedTable>,
}

/// Locks the tables and fixes the moment.
pub(super) async fn fix(
    connection: &mut PgConnection,
    selection: &Selection,
    scope: &Scope,
    purpose: Purpose,
) -> Result<Moment, Failure> {
    let begin = match purpose {
        Purpose::Reading => BEGIN,
        Purpose::Writing => BEGIN_WRITING,
    };
    let mut before = tables::list(connection, selection, scope).await?;
    for _ in 0..ATTEMPTS {
        query::execute(connection, begin.to_owned()).await?;
        let changed = match lock(connection, &before, Wait::ForOthers).await {
            Ok(()) => {
                let snapshot = match purpose {
                    Purpose::Reading => {
                        let sql = "SELECT pg_catalog.pg_export_snapshot()".to_owned();
                        query::text(connection, sql).await?
                    }
                    Purpose::Writing => String::new(),
                };
                lock_closed(connection, selection, &before).await?;
                let tables = tables::list(connection, selection, scope).await?;
                if tables == before {
                    return Ok(Moment { snapshot, tables });
                }
                Ok(tables)
            }
            Err(failure) => Err(failure),
        };
        query::execute(connection, "ROLLBACK".to_owned()).await?;
        before = match changed {
            Ok(tables) => tables,
            // A table that was listed and is not there any more.
            Err(failure) if matches!(failure.code().as_deref(), Some("42P01" | "3F000")) => {
                tables::list(connection, selection, scope).await?
            }
            Err(failure) => return Err(explained(connection, selection, &before, failure).await),
        };
    }
    Err(Failure::Engine(EngineError::Unsupported {
        database: selection.database.clone(),
        what: format!(
            "its tables were created, dropped or rewritten in each of {ATTEMPTS} attempts to lock \
             them; run this again when that is over"
        ),
    }))
}

/// Begins reading at a moment that another session has fixed and keeps.
pub(super) async fn join(
    connection: &mut PgConnection,
    selection: &Selection,
    moment: &Moment,
) -> Result<(), Failure> {
    let snapshot = moment.snapshot.replace('\'', "''");
    let sql = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{snapshot}'");
    query::execute(connection, sql).await?;
    // Whoever waits for the first session's lock would make this one wait for ever.
    let locked = lock(connection, &moment.tables, Wait::Never).await;
    match locked {
        Ok(()) => Ok(()),
        Err(failure) => {
            query::execute(connection, "ROLLBACK".to_owned()).await?;
            Err(explained(connection, selection, &moment.tables, failure).await)
        }
    }
}

/// Whether a lock is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// As long as the session's `lock_timeout` says.
    ForOthers,
    /// Not at all.
    Never,
}

/// Locks tables against being dropped, emptied or rewritten.
pub(super) async fn lock(
    connection: &mut PgConnection,
    tables: &[ListedTable],
    wait: Wait,
) -> Result<(), Failure> {
    let wait = if wait == Wait::Never { " NOWAIT" } else { "" };
    let open: Vec<&ListedTable> = tables.iter().filter(|table| table.is_open).collect();
    for tables in open.chunks(LOCKED_AT_ONCE) {
        let names: Vec<String> = tables.iter().map(|table| shown(table)).collect();
        let sql = format!("LOCK TABLE {} IN ACCESS SHARE MODE{wait}", names.join(", "));
        query::execute(connection, sql).await?;
    }
    Ok(())
}

/// A table without its children, as statements name it.
fn shown(table: &ListedTable) -> String {
    // Partitions are locked with their root, and need no rights of their own.
    let only = if table.is_partitioned { "" } else { "ONLY " };
    // Statements are in UTF-8 as long as no rows are read.
    let (schema, name) = (&table.name.schema, &table.name.name);
    format!("{only}{}.{}", sql::quoted(schema), sql::quoted(name))
}

/// Locks the tables of which the account may read only some columns. LOCK TABLE wants rights on all
/// of them; a SELECT locks as well, and fixes the snapshot before it does, so what happened to the
/// table in between is looked for.
pub(super) async fn lock_closed(
    connection: &mut PgConnection,
    selection: &Selection,
    tables: &[ListedTable],
) -> Result<(), Failure> {
    let closed: Vec<&ListedTable> = tables.iter().filter(|table| !table.is_open).collect();
    for table in &closed {
        query::execute(connection, format!("SELECT FROM {} LIMIT 0", shown(table))).await?;
    }
    require_unchanged(connection, selection, &closed).await
}

/// Refuses tables that others have emptied or rewritten since the snapshot: what it says of a
/// table's file is compared with what is so now.
pub(super) async fn require_unchanged(
    connection: &mut PgConnection,
    selection: &Selection,
    tables: &[&ListedTable],
) -> Result<(), Failure> {
    if tables.is_empty() {
        return Ok(());
    }
    let oids: Vec<String> = tables.iter().map(|table| table.oid.to_string()).collect();
    let sql = format!(
        "SELECT c.relname::text FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND \
         coalesce(pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid, c.oid) = \
         ANY ('{{{}}}'::pg_catalog.oid[]) AND \
         pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode",
        oids.join(",")
    );
    match query::rows(connection, sql).await?.first() {
        None => Ok(()),
        Some(row) => Err(Failure::Engine(EngineError::Changed {
            database: selection.database.clone(),
            what: format!("table `{}` was emptied or rewritten", row.text(0)),
        })),
    }
}

/// A lock that was not given, in full.
async fn explained(
    connection: &mut PgConnection,
    selection: &Selection,
    tables: &[ListedTable],
    failure: Failure,
) -> Failure {
    match failure.code().as_deref() {
        Some("55P03") => waiting(connection, selection, tables, failure).await,
        Some("42501") => forbidden(connection, selection, failure).await,
        _ => failure,
    }
}

/// Everything the account may not read, instead of the first thing.
async fn forbidden(
    connection: &mut PgConnection,
    selection: &Selection,
    failure: Failure,
) -> Failure {
    /// How many things a message names.
    const NAMED: usize = 10;
    let Selection { database, schemas, .. } = selection;
    let Ok(missing) = catalog::missing_rights(connection, database, schemas).await else {
        return failure;
    };
    let named: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(|thing| format!("{} `{}`: {}", thing.kind, thing.name, thing.reason))
        .collect();
    let error = failure.error(database, "lock the tables of");
    match error {
        EngineError::Privilege { database, action, message } if !named.is_empty() => {
            let more = match missing.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!("{message}; missing are {}{more}", named.join(", "));
            Failure::Engine(EngineError::Privilege { database, action, message })
        }
        error => Failure::Engine(error),
    }
}

/// On which table a lock was waited for, and who holds it.
async fn waiting(
    connection: &mut PgConnection,
    selection: &Selection,
    tables: &[ListedTable],
    failure: Failure,
) -> Failure {
    let sql = "SELECT l.relation::text, l.pid::text, a.usename::text, a.application_name \
               FROM pg_catalog.pg_locks l \
               LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
               WHERE l.mode = 'AccessExclusiveLock' AND l.locktype = 'relation' \
               AND l.database = (SELECT oid FROM pg_catalog.pg_database \
               WHERE datname = current_database()) ORDER BY l.granted DESC";
    let Ok(rows) = query::rows(connection, sql.to_owned()).await else { return failure };
    let held = rows.iter().find_map(|row| {
        let oid: u32 = row.number(0)?;
        Some((row, tables.iter().find(|table| table.oid == oid)?))
    });
    let Some((row, table)) = held else { return failure };
    let (process, user) = (row.text(1), row.text(2));
    Failure::Engine(EngineError::Locked {
        database: selection.database.clone(),
        action: format!("lock table `{}` of", table.name),
        message: format!("process {process} of the server, account `{user}`"),
    })
}
