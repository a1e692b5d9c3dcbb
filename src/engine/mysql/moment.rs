//! One consistent moment on one connection or several.
//!
//! 1. The tables are listed. Then a transaction begins, and takes the metadata lock of every table
//!    by `SELECT * … LIMIT 0`, which opens no read view. From then on no table can be altered,
//!    truncated or dropped. Nothing else may be asked in this step: where the catalog is in InnoDB
//!    tables itself (MySQL 8), a look into it would open the view.
//! 2. The first read of an InnoDB table opens the view. (`START TRANSACTION WITH CONSISTENT
//!    SNAPSHOT` would do so, too, but ends the transaction before, and its locks with it.)
//! 3. The tables are listed again. Where they are others than those locked, all of it is done
//!    again; what came or went between is no longer possible after.
//!
//! Several connections do step 2 while a global read lock keeps everybody from committing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use super::catalog::{Rows, rows_of};
use super::connect::Link;
use super::failure;
use super::query::{execute, query};
use super::sql::quoted;
use super::tables::{self, Listed};
use crate::engine::error::EngineError;
use crate::model::{Catalog, TableSpec};

/// How long the global lock may be waited for, and then held: everybody's writes wait with us.
const GLOBAL_LOCK: Duration = Duration::from_secs(2);

/// How often the tables may change between listing and locking, or before the view is open.
pub(super) const ATTEMPTS: usize = 5;

/// Tables that are locked for reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) tables: Vec<Listed>,
    /// Tables the account may not read, with what the server said.
    pub(super) denied: BTreeMap<String, String>,
}

impl Locked {
    /// Tables of engines that have no snapshots: their rows are of the time they are read.
    pub(super) fn without_snapshot(&self) -> impl Iterator<Item = &Listed> {
        self.tables.iter().filter(|table| !is_transactional(&table.engine))
    }

    /// Fails where a table of the catalog may not be read.
    pub(super) fn check_rights(
        &self,
        database: &str,
        catalog: &Catalog,
    ) -> Result<(), EngineError> {
        let denied = |table: &TableSpec| {
            let message = self.denied.get(&table.name.name)?;
            Some((table.name.clone(), message.clone()))
        };
        match catalog.tables.iter().find_map(denied) {
            None => Ok(()),
            Some((table, message)) => Err(EngineError::Privilege {
                database: database.to_owned(),
                action: format!("read table `{table}` of"),
                message,
            }),
        }
    }
}

/// Whether what is written to a table of an engine can be rolled back.
pub(super) fn is_transactional(engine: &str) -> bool {
    rows_of(engine) == Rows::Consistent
}

/// Begins a transaction and takes the lock of every table (step 1).
pub(super) async fn lock(link: &mut Link) -> Result<Locked, EngineError> {
    for _ in 0..ATTEMPTS {
        let listed = list(link).await?;
        let begin = execute(&mut link.connection, "START TRANSACTION READ ONLY").await;
        begin.map_err(|error| link.wrong("begin a transaction in", error))?;
        if let Some(denied) = touch(link, &listed).await? {
            return Ok(Locked { tables: listed, denied });
        }
        end(link).await?;
    }
    Err(changed(&link.name))
}

/// Takes the lock of every table in the transaction that is open, which may have read and written
/// already. Locks of tables that went away meanwhile stay until its end.
pub(super) async fn hold(link: &mut Link) -> Result<Locked, EngineError> {
    for _ in 0..ATTEMPTS {
        let listed = list(link).await?;
        if let Some(denied) = touch(link, &listed).await?
            && list(link).await? == listed
        {
            return Ok(Locked { tables: listed, denied });
        }
    }
    Err(changed(&link.name))
}

/// Takes the lock of every table that is listed; gives those that are denied, and why. `None` where
/// one of them is not there any more.
async fn touch(
    link: &mut Link,
    listed: &[Listed],
) -> Result<Option<BTreeMap<String, String>>, EngineError> {
    let mut denied = BTreeMap::new();
    for table in listed {
        let touch = format!("SELECT * FROM {} LIMIT 0", quoted(&table.name));
        match execute(&mut link.connection, touch).await {
            Ok(()) => {}
            Err(error) if failure::is_denied(&error) => {
                denied.insert(table.name.clone(), error.to_string());
            }
            Err(error) if failure::number(&error) == Some(failure::NO_SUCH_TABLE) => {
                return Ok(None);
            }
            Err(error) => {
                let action = format!("lock table `{}` of", table.name);
                return Err(link.wrong(&action, error));
            }
        }
    }
    Ok(Some(denied))
}

/// Takes the locks that writing to these tables needs, and refuses those that know no transactions:
/// what was written to them would stay where the rest is rolled back.
pub(super) async fn lock_for_writing(link: &mut Link, names: &[String]) -> Result<(), EngineError> {
    let listed = list(link).await?;
    let engine_of = |name: &String| listed.iter().find(|table| table.name == *name);
    for table in names.iter().filter_map(engine_of) {
        if !is_transactional(&table.engine) {
            return Err(EngineError::Unsupported {
                database: link.name.clone(),
                what: format!(
                    "table `{}` is of engine {}, which knows no transactions: what is written to \
                     it could not be rolled back; make it an InnoDB table, or leave it out",
                    table.name, table.engine
                ),
            });
        }
    }
    for name in names {
        let touch = format!("SELECT 1 FROM {} LIMIT 0 FOR UPDATE", quoted(name));
        let touched = execute(&mut link.connection, touch).await;
        touched.map_err(|error| link.wrong(&format!("lock table `{name}` of"), error))?;
    }
    Ok(())
}

/// Opens the read view (step 2).
pub(super) async fn open_view(link: &mut Link, locked: &Locked) -> Result<(), EngineError> {
    let mut engines: Vec<&str> = Vec::new();
    for table in &locked.tables {
        let is_first = is_transactional(&table.engine) && !engines.contains(&table.engine.as_str());
        if !is_first || locked.denied.contains_key(&table.name) {
            continue;
        }
        engines.push(&table.engine);
        let read = format!("SELECT 1 FROM {} LIMIT 1", quoted(&table.name));
        query(&mut link.connection, read)
            .await
            .map_err(|error| link.wrong("open a consistent view of", error))?;
    }
    Ok(())
}

/// Whether the tables are those that are locked (step 3): another one would be read at another
/// moment, or not at all.
pub(super) async fn is_locked(link: &mut Link, locked: &Locked) -> Result<bool, EngineError> {
    Ok(list(link).await? == locked.tables)
}

/// Ends the transaction.
pub(super) async fn end(link: &mut Link) -> Result<(), EngineError> {
    let ended = execute(&mut link.connection, "COMMIT").await;
    ended.map_err(|error| link.wrong("end the transaction in", error))
}

async fn list(link: &mut Link) -> Result<Vec<Listed>, EngineError> {
    let listed = tables::list(&mut link.connection, &link.database).await;
    listed.map_err(|error| link.wrong("list the tables of", error))
}

/// The error where tables change faster than they can be locked.
pub(super) fn changed(database: &str) -> EngineError {
    let what = "tables came or went before they could be locked".to_owned();
    EngineError::Changed { database: database.to_owned(), what }
}

/// A lock on everything, held by a connection of its own.
pub(super) struct GlobalLock {
    connection: MySqlConnection,
    since: Instant,
}

impl GlobalLock {
    /// Takes the lock; the error says in words why it could not be had, which is no failure.
    pub(super) async fn take(link: &Link) -> Result<GlobalLock, String> {
        let take = async {
            let mut connection = link.beside().await?;
            let wait = GLOBAL_LOCK.as_secs();
            execute(&mut connection, format!("SET lock_wait_timeout = {wait}")).await?;
            execute(&mut connection, "FLUSH TABLES WITH READ LOCK").await?;
            Ok::<_, sqlx::Error>(GlobalLock { connection, since: Instant::now() })
        };
        // The server waits for statements that run, and everybody who writes waits behind us: that
        // must end, whatever the server thinks of its timeout. A dropped connection ends it.
        match tokio::time::timeout(GLOBAL_LOCK + Duration::from_millis(500), take).await {
            Ok(Ok(lock)) => Ok(lock),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it was not given in time".to_owned()),
        }
    }

    /// Gives the lock back; whether it was held all the time, and not for too long.
    pub(super) async fn release(mut self) -> bool {
        let is_held = execute(&mut self.connection, "UNLOCK TABLES").await.is_ok();
        let was_short = self.since.elapsed() <= GLOBAL_LOCK;
        let _ = self.connection.close().await;
        is_held && was_short
    }
}

/// Where the server's log of changes is, as far as the account may see it: a GTID set or a
/// position.
pub(super) async fn position(link: &mut Link) -> Option<String> {
    let gtid = if link.server.is_mariadb { "@@gtid_binlog_pos" } else { "@@GLOBAL.gtid_executed" };
    let told = query(&mut link.connection, format!("SELECT {gtid}")).await.ok();
    if let Some(gtid) =
        told.as_ref().and_then(|rows| rows.first()).filter(|r| !r.text(0).is_empty())
    {
        return Some(format!("GTID {}", gtid.text(0).replace('\n', "")));
    }
    for statement in ["SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"] {
        let told = query(&mut link.connection, statement).await.unwrap_or_default();
        if let Some(row) = told.first().filter(|row| !row.text(0).is_empty()) {
            return Some(format!("binary log {}:{}", row.text(0), row.text(1)));
        }
    }
    None
}

/// How many changes the server keeps for readers of older views, as far as the account may see it:
/// MariaDB tells everybody, MySQL accounts with PROCESS.
pub(super) async fn history_length(link: &mut Link) -> Option<u64> {
    for (statement, place) in [
        ("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'", 1),
        (
            "SELECT COUNT FROM information_schema.INNODB_METRICS \
             WHERE NAME = 'trx_rseg_history_len'",
            0,
        ),
    ] {
        let told = query(&mut link.connection, statement).await.unwrap_or_default();
        if let Some(length) = told.first().and_then(|row| row.number(place)) {
            return Some(length);
        }
    }
    None
}

/// The isolation level of the session, in the server's words.
pub(super) async fn isolation(link: &mut Link) -> Option<String> {
    for variable in ["@@tx_isolation", "@@transaction_isolation"] {
        let told = query(&mut link.connection, format!("SELECT {variable}")).await.ok();
        if let Some(row) = told.as_ref().and_then(|rows| rows.first()) {
            return Some(row.text(0).to_owned());
        }
    }
    None
}
