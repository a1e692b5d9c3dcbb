//! The journal's table on MySQL and MariaDB.
//!
//! One row says how far a run is, the others hold its steps in pieces: no statement is longer than
//! what the smallest servers take. The table is made, and the account's rights to it are tried,
//! before anything is changed.

use super::connect::Link;
use super::failure;
use super::moment::is_transactional;
use super::query::{execute, query};
use super::sql::{quoted, text};
use crate::engine::error::EngineError;
use crate::engine::{JOURNAL_TABLE, Journal};

const READ: &str = "read the journal of";
const WRITE: &str = "write the journal of";
const PREPARE: &str = "prepare the journal of";

/// How much of the steps stands in one row.
const PIECE: usize = 24 << 10;

/// Makes the table where there is none, and tries what the account needs for it.
pub(super) async fn prepare(link: &mut Link) -> Result<(), EngineError> {
    let table = quoted(JOURNAL_TABLE);
    let find = format!(
        "SELECT ENGINE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}",
        text(JOURNAL_TABLE)
    );
    let found = query(&mut link.connection, find).await;
    let found = found.map_err(|error| link.wrong(PREPARE, error))?;
    match found.first() {
        None => {
            let create = format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 `part` int unsigned NOT NULL PRIMARY KEY, \
                 `pack` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
                 `direction` varchar(32) NOT NULL, `is_undoing` tinyint NOT NULL, \
                 `position` bigint unsigned NOT NULL, `is_running` tinyint NOT NULL, \
                 `course` longtext NOT NULL) \
                 ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            );
            let created = execute(&mut link.connection, create).await;
            created.map_err(|error| link.wrong(PREPARE, error))?;
        }
        Some(row) if !is_transactional(row.text(0)) => {
            return Err(EngineError::Unsupported {
                database: link.name.clone(),
                what: format!(
                    "table `{JOURNAL_TABLE}` is of engine {}, which knows no transactions",
                    row.text(0)
                ),
            });
        }
        Some(_) => {}
    }
    for attempt in [
        format!("SELECT * FROM {table} LIMIT 0"),
        format!("INSERT INTO {table} SELECT * FROM {table} WHERE FALSE"),
        format!("UPDATE {table} SET `position` = 0 WHERE FALSE"),
        format!("DELETE FROM {table} WHERE FALSE"),
    ] {
        let tried = execute(&mut link.connection, attempt).await;
        tried.map_err(|error| link.wrong(PREPARE, error))?;
    }
    Ok(())
}

/// What the journal says; `None` where nothing is on its way.
pub(super) async fn read(link: &mut Link) -> Result<Option<Journal>, EngineError> {
    let select = format!(
        "SELECT `part`, `pack`, `direction`, `is_undoing`, `position`, `is_running`, `course` \
         FROM {} ORDER BY `part`",
        quoted(JOURNAL_TABLE)
    );
    let rows = match query(&mut link.connection, select).await {
        Ok(rows) => rows,
        Err(error) if failure::number(&error) == Some(failure::NO_SUCH_TABLE) => return Ok(None),
        Err(error) => return Err(link.wrong(READ, error)),
    };
    let Some(head) = rows.first() else { return Ok(None) };
    let malformed = || EngineError::Malformed {
        database: link.name.clone(),
        action: READ.to_owned(),
        what: format!("table `{JOURNAL_TABLE}` holds what this program does not write"),
    };
    for (place, row) in (0_u64..).zip(&rows) {
        if row.number(0) != Some(place) {
            return Err(malformed());
        }
    }
    Ok(Some(Journal {
        pack: head.text(1).to_owned(),
        direction: head.text(2).to_owned(),
        is_undoing: head.number(3).ok_or_else(malformed)? != 0,
        position: head.number(4).ok_or_else(malformed)?,
        is_running: head.number(5).ok_or_else(malformed)? != 0,
        course: rows[1..].iter().map(|row| row.text(6)).collect(),
    }))
}

/// Writes a journal in the place of whatever was there, in a transaction of its own.
pub(super) async fn write(link: &mut Link, journal: &Journal) -> Result<(), EngineError> {
    let table = quoted(JOURNAL_TABLE);
    let mut statements =
        vec!["START TRANSACTION READ WRITE".to_owned(), format!("DELETE FROM {table}")];
    let head = format!(
        "{}, {}, {}, {}, {}",
        text(&journal.pack),
        text(&journal.direction),
        u8::from(journal.is_undoing),
        journal.position,
        u8::from(journal.is_running)
    );
    for (part, piece) in std::iter::once("").chain(pieces(&journal.course)).enumerate() {
        statements.push(format!("INSERT INTO {table} VALUES ({part}, {head}, {})", text(piece)));
    }
    statements.push("COMMIT".to_owned());
    for statement in statements {
        if let Err(error) = execute(&mut link.connection, statement).await {
            let _ = execute(&mut link.connection, "ROLLBACK").await;
            return Err(link.wrong(WRITE, error));
        }
    }
    Ok(())
}

/// Notes how far the run is.
pub(super) async fn advance(
    link: &mut Link,
    position: u64,
    is_running: bool,
) -> Result<(), EngineError> {
    let update = format!(
        "UPDATE {} SET `position` = {position}, `is_running` = {} WHERE `part` = 0",
        quoted(JOURNAL_TABLE),
        u8::from(is_running)
    );
    let updated = execute(&mut link.connection, update).await;
    updated.map_err(|error| link.wrong(WRITE, error))
}

/// Takes everything out of the journal: nothing is on its way any more.
pub(super) async fn clear(link: &mut Link) -> Result<(), EngineError> {
    let delete = format!("DELETE FROM {}", quoted(JOURNAL_TABLE));
    let deleted = execute(&mut link.connection, delete).await;
    deleted.map_err(|error| link.wrong(WRITE, error))
}

/// Pieces of a text that end between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.len().min(PIECE);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
