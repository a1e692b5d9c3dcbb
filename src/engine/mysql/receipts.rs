//! The table of receipts on MySQL and MariaDB.
//!
//! CREATE TABLE commits, so the table is made before a transaction begins, and what an account
//! needs for it is tried there. Reading receipts inside a transaction locks them: of two that apply
//! at the same time, one waits until the other's receipt is there, or is rolled back.

use super::connect::Link;
use super::failure;
use super::moment::is_transactional;
use super::query::{execute, query};
use super::sql::{quoted, readable, text};
use crate::engine::error::EngineError;
use crate::engine::{RECEIPTS_TABLE, Receipt};
use crate::model::Value;

const READ: &str = "read the receipts of";
const WRITE: &str = "write a receipt to";
const PREPARE: &str = "prepare the table of receipts of";

const COLUMNS: &str = "`pack`, `target`, `direction`, `at`, `statements`";

/// Makes the table where there is none, and tries what the account needs for it.
pub(super) async fn prepare(link: &mut Link) -> Result<(), EngineError> {
    let table = quoted(RECEIPTS_TABLE);
    let find = format!(
        "SELECT ENGINE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}",
        text(RECEIPTS_TABLE)
    );
    let found = query(&mut link.connection, find).await;
    let found = found.map_err(|error| link.wrong(PREPARE, error))?;
    match found.first() {
        None => {
            let create = format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 `id` bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, \
                 `pack` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
                 `target` text NOT NULL, `direction` varchar(32) NOT NULL, \
                 `at` varchar(64) NOT NULL, `statements` bigint unsigned NOT NULL) \
                 ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            );
            let created = execute(&mut link.connection, create).await;
            created.map_err(|error| link.wrong(PREPARE, error))?;
        }
        Some(row) if !is_transactional(row.text(0)) => {
            return Err(EngineError::Unsupported {
                database: link.name.clone(),
                what: format!(
                    "table `{RECEIPTS_TABLE}` is of engine {}, which knows no transactions: \
                     receipts in it would say what is not so",
                    row.text(0)
                ),
            });
        }
        Some(_) => {}
    }
    for attempt in [
        format!("SELECT {COLUMNS} FROM {table} LIMIT 0 FOR UPDATE"),
        format!("INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM {table} WHERE FALSE"),
    ] {
        let tried = execute(&mut link.connection, attempt).await;
        tried.map_err(|error| link.wrong(PREPARE, error))?;
    }
    Ok(())
}

/// The receipts of a pack, the last one last. None where there is no table of them.
pub(super) async fn read(
    link: &mut Link,
    pack: &str,
    is_in_transaction: bool,
) -> Result<Vec<Receipt>, EngineError> {
    let select = format!(
        "SELECT {COLUMNS} FROM {} WHERE `pack` = {} ORDER BY `id`{}",
        quoted(RECEIPTS_TABLE),
        text(pack),
        if is_in_transaction { " FOR UPDATE" } else { "" }
    );
    let rows = match query(&mut link.connection, select).await {
        Ok(rows) => rows,
        Err(error) if failure::number(&error) == Some(failure::NO_SUCH_TABLE) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(link.wrong(READ, error)),
    };
    let receipt = |row: &super::query::Answer| {
        Some(Receipt {
            pack: row.get(0)?.to_owned(),
            target: row.get(1)?.to_owned(),
            direction: row.get(2)?.to_owned(),
            at: row.get(3)?.to_owned(),
            statements: row.number(4)?,
        })
    };
    let receipts: Option<Vec<Receipt>> = rows.iter().map(receipt).collect();
    receipts.ok_or_else(|| EngineError::Malformed {
        database: link.name.clone(),
        action: READ.to_owned(),
        what: format!("table `{RECEIPTS_TABLE}` holds what this program does not write"),
    })
}

/// Writes a receipt.
pub(super) async fn write(link: &mut Link, receipt: &Receipt) -> Result<(), EngineError> {
    let texts = [&receipt.pack, &receipt.target, &receipt.direction, &receipt.at];
    let values: Vec<String> =
        texts.into_iter().filter_map(|text| readable(&Value::Text(text.clone()))).collect();
    let insert = format!(
        "INSERT INTO {} ({COLUMNS}) VALUES ({}, {})",
        quoted(RECEIPTS_TABLE),
        values.join(", "),
        receipt.statements
    );
    let written = execute(&mut link.connection, insert).await;
    written.map_err(|error| link.wrong(WRITE, error))
}
