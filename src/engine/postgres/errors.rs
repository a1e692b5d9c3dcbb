//! The server's and the driver's errors, by kind (PostgreSQL's manual, Appendix A).
//!
//! A message of the server may quote a value, never a password; what the driver says of a
//! connection's options is not repeated.

use sqlx::postgres::PgDatabaseError;

use crate::engine::error::EngineError;
use crate::engine::remote::Abandoned;

/// Why something on the connection's thread failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server or the driver said so.
    Driver(sqlx::Error),
    /// It is an error of ours already.
    Engine(EngineError),
    /// An earlier failure left the connection in no known state.
    Broken,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        Failure::Driver(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        Failure::Engine(error)
    }
}

impl Failure {
    /// The SQLSTATE, where the server spoke.
    pub(super) fn code(&self) -> Option<String> {
        match self {
            Failure::Driver(sqlx::Error::Database(error)) => error.code().map(Into::into),
            _ => None,
        }
    }

    /// The error of doing `action` to `database`.
    pub(super) fn error(self, database: &str, action: &str) -> EngineError {
        match self {
            Failure::Engine(error) => error,
            Failure::Driver(error) => classify(database, action, error),
            Failure::Broken => EngineError::Lost {
                database: database.to_owned(),
                action: action.to_owned(),
                message: "the connection was given up after an earlier error".to_owned(),
            },
        }
    }
}

/// The error of a job that was not done.
pub(super) fn abandoned(database: &str, action: &str, why: Abandoned) -> EngineError {
    let (database, action) = (database.to_owned(), action.to_owned());
    match why {
        Abandoned::Stopped => EngineError::Stopped { database, action },
        Abandoned::Gone => {
            let message = "the connection was given up after an earlier error".to_owned();
            EngineError::Lost { database, action, message }
        }
    }
}

/// The error that a failure of the driver stands for.
pub(super) fn classify(database: &str, action: &str, error: sqlx::Error) -> EngineError {
    let (database, action) = (database.to_owned(), action.to_owned());
    match error {
        sqlx::Error::Database(error) => match error.try_downcast::<PgDatabaseError>() {
            Ok(error) => answered(database, action, &error),
            Err(error) => EngineError::Refused {
                database,
                action,
                message: error.message().to_owned(),
                code: String::new(),
            },
        },
        sqlx::Error::Io(error) => {
            EngineError::Lost { database, action, message: error.to_string() }
        }
        source => EngineError::Driver { database, action, source },
    }
}

/// The error of an answer of the server.
fn answered(database: String, action: String, error: &PgDatabaseError) -> EngineError {
    let mut message = error.message().to_owned();
    for more in [error.detail(), error.hint()].into_iter().flatten() {
        message.push_str(&format!("; {more}"));
    }
    match error.code() {
        "28P01" | "28000" => EngineError::Login { database, message },
        "3D000" => EngineError::NotFound { database, reason: message },
        "42501" => EngineError::Privilege { database, action, message },
        "55P03" => EngineError::Locked { database, action, message },
        "40001" | "40P01" => EngineError::Contention { database, action, message },
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => {
            EngineError::Lost { database, action, message }
        }
        "53100" | "58030" => EngineError::Storage { database, action, message },
        "XX001" | "XX002" => EngineError::Corrupt { database, action, message },
        code if is_of(code, &["08"]) => EngineError::Lost { database, action, message },
        // Constraints, and whatever triggers and the functions of others say.
        code if is_of(code, &["09", "23", "27", "2F", "38", "39", "44", "P0"]) => {
            EngineError::Constraint { database, action, message }
        }
        code => EngineError::Refused { database, action, message, code: code.to_owned() },
    }
}

/// Whether a SQLSTATE is of one of these classes.
fn is_of(code: &str, classes: &[&str]) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}

/// The error of a connection that could not be made.
pub(super) fn cannot_connect(database: &str, error: sqlx::Error) -> EngineError {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => {
            EngineError::not_connected(database, &error)
        }
        sqlx::Error::Protocol(what) => EngineError::Unreachable {
            database: database.to_owned(),
            reason: format!("it does not answer as a PostgreSQL server does ({what})"),
        },
        error => classify(database, "connect to", error),
    }
}
