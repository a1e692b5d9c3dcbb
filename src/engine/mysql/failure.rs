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
            1049 => EngineError::NotFound { database, reason: message },
            1205 => EngineError::Locked { database, action, message },
            DEFINITION_CHANGED => EngineError::Changed { database, what: message },
            // The server goes down, or somebody killed the connection.
            1053 | 1077 | 1079 | 1927 => EngineError::Lost { database, action, message },
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
