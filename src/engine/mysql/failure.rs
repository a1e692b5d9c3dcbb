//! What a server or the driver says went wrong, sorted into kinds.
//!
//! Messages of servers name accounts, hosts and objects, never passwords; nothing of ours is added
//! to them but what was being done, to which database (its URL without secrets).

use sqlx::mysql::MySqlDatabaseError;

use crate::engine::error::EngineError;
use crate::engine::remote::Abandoned;

/// A table that is not there, or no longer.
pub(super) const NO_SUCH_TABLE: u16 = 1146;
/// The statement was killed.
pub(super) const INTERRUPTED: u16 = 1317;
/// The account or its password is wrong.
const LOGIN_REFUSED: u16 = 1045;
const LOGIN_REFUSED_WITHOUT_PASSWORD: u16 = 1698;
/// A table changed its definition after the snapshot was opened.
const DEFINITION_CHANGED: u16 = 1412;

/// A lock was not had in time.
const LOCK_WAIT: u16 = 1205;
/// The transaction was chosen to end a deadlock.
const DEADLOCK: u16 = 1213;
/// A row changed after the snapshot was opened (MariaDB).
const RECORD_CHANGED: u16 = 1020;
/// The transaction was rolled back by the server for another reason of that kind.
const ROLLED_BACK: u16 = 1614;

/// The server, the transaction, or InnoDB takes no writes.
const READ_ONLY_SERVER: u16 = 1290;
const READ_ONLY_TRANSACTION: u16 = 1792;
const READ_ONLY_MODE: u16 = 1836;

/// Whether a value or a row was refused: by a key, a reference, a check, a type, a partition, or a
/// trigger that says so.
fn is_constraint(number: u16) -> bool {
    matches!(
        number,
        1022 | 1048 | 1062 | 1169 | 1216 | 1217 | 1263
            ..=1265
                | 1292
                | 1300
                | 1364
                | 1366
                | 1367
                | 1406
                | 1411
                | 1416
                | 1451
                | 1452
                | 1526
                | 1557
                | 1586
                | 1644
                | 1690
                | 1748
                | 1761
                | 1762
                | 1863
                | 3140
                | 3819
                | 4025
    )
}

/// The server's number of an error.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    server_error(error).map(MySqlDatabaseError::number)
}

/// Whether the server refused the account or its password.
pub(super) fn is_login(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(LOGIN_REFUSED | LOGIN_REFUSED_WITHOUT_PASSWORD))
}

/// Whether the account lacks a right.
pub(super) fn is_denied(error: &sqlx::Error) -> bool {
    // Access denied (to the server, a database, a table, a column, a privilege, a routine), host
    // not allowed, password expired, account locked.
    matches!(
        number(error),
        Some(1044 | 1045 | 1130 | 1142 | 1143 | 1227 | 1370 | 1698 | 1820 | 1862 | 3118 | 4151)
    )
}

fn server_error(error: &sqlx::Error) -> Option<&MySqlDatabaseError> {
    match error {
        sqlx::Error::Database(error) => error.try_downcast_ref::<MySqlDatabaseError>(),
        _ => None,
    }
}

/// The kind of an error, with what was being done to which database.
pub(super) fn classify(database: &str, action: &str, error: sqlx::Error) -> EngineError {
    let is_denied = is_denied(&error);
    let (database, action) = (database.to_owned(), action.to_owned());
    if let Some(server) = server_error(&error) {
        let message = server.message().to_owned();
        return match server.number() {
            _ if is_denied => EngineError::Privilege { database, action, message },
            READ_ONLY_SERVER | READ_ONLY_TRANSACTION | READ_ONLY_MODE => {
                EngineError::Privilege { database, action, message }
            }
            1049 => EngineError::NotFound { database, reason: message },
            LOCK_WAIT => EngineError::Locked { database, action, message },
            DEADLOCK | RECORD_CHANGED | ROLLED_BACK => {
                EngineError::Contention { database, action, message }
            }
            number if is_constraint(number) => {
                EngineError::Constraint { database, action, message }
            }
            1021 | 1114 => EngineError::Storage { database, action, message },
            DEFINITION_CHANGED => EngineError::Changed { database, what: message },
            // The server goes down, or somebody killed the connection.
            1053 | 1077 | 1079 | 1152..=1161 | 1927 | 3169 | 4031 => {
                EngineError::Lost { database, action, message }
            }
            number => EngineError::Server { database, action, message, code: number.into() },
        };
    }
    match error {
        sqlx::Error::Io(error) => {
            EngineError::Lost { database, action, message: error.to_string() }
        }
        source => EngineError::Driver { database, action, source },
    }
}

/// Why a connection could not be made.
pub(super) fn classify_connect(database: &str, error: sqlx::Error) -> EngineError {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => {
            EngineError::not_connected(database, &error)
        }
        error if is_login(&error) => {
            let message = server_error(&error).map(|e| e.message().to_owned());
            let message = message.unwrap_or_default();
            EngineError::Login { database: database.to_owned(), message }
        }
        error => classify(database, "connect to", error),
    }
}

/// A job that the connection did not finish.
pub(super) fn abandoned(database: &str, action: &str, why: Abandoned) -> EngineError {
    let (database, action) = (database.to_owned(), action.to_owned());
    match why {
        Abandoned::Stopped => EngineError::Stopped { database, action },
        Abandoned::Gone => {
            let message = "the connection takes no more statements".to_owned();
            EngineError::Lost { database, action, message }
        }
    }
}
