//! What can go wrong between a database and the model, by kind.
//!
//! Every message says what was being done, to which database, and where it helps what to do next.
//! Messages never hold a password. An error of whoever takes the rows passes through untouched.

use crate::model::SinkError;

/// An error of an engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The URL is not one of a supported engine, or not one at all.
    #[error("`{url}` is not a source: {reason}")]
    Url {
        /// The URL, without secrets.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such database.
    #[error("no database at `{database}`: {reason}")]
    NotFound {
        /// The database.
        database: String,
        /// What was found instead.
        reason: String,
    },
    /// A database that was to be created is there already.
    #[error("`{database}` exists already and is not overwritten")]
    Exists {
        /// The database.
        database: String,
    },
    /// The file is something else, or encrypted.
    #[error("`{database}` is not a SQLite database (or it is encrypted)")]
    NotADatabase {
        /// The database.
        database: String,
    },
    /// Another connection holds a lock for longer than the timeout.
    #[error(
        "could not {action} `{database}`: another connection holds a lock on it ({message}); \
         wait until that program has finished its transaction, or stop it, and run this again"
    )]
    Locked {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
    },
    /// Another transaction got in the way of this one, which the server rolled back: a deadlock, or
    /// rows that were changed since this one began. All of it may be tried again.
    #[error(
        "could not {action} `{database}`: another transaction got in the way ({message}); run this \
         again"
    )]
    Contention {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
    },
    /// An interrupted write left a journal that must be rolled back first, which needs writing.
    #[error(
        "`{database}` has a hot journal: a write to it was interrupted, and reading it needs that \
         write rolled back, which this program will not do; open it once with the program that \
         owns it, or with `sqlite3 {database} 'PRAGMA schema_version'`"
    )]
    HotJournal {
        /// The database.
        database: String,
    },
    /// The database is damaged.
    #[error("`{database}` is damaged: could not {action}: {message}")]
    Corrupt {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
    },
    /// The operating system or the server does not allow it.
    #[error("not allowed to {action} `{database}`: {message}")]
    Privilege {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
    },
    /// Something the engine, or this program, cannot do.
    #[error("`{database}`: {what}")]
    Unsupported {
        /// The database.
        database: String,
        /// What is not supported, with names.
        what: String,
    },
    /// A value that the engine cannot hold.
    #[error("{engine} cannot hold {value} (column `{column}` of table `{table}`)")]
    ValueKind {
        /// The engine.
        engine: &'static str,
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What the value is.
        value: String,
    },
    /// A configured row key does not fit the table.
    #[error("the configured key of table `{table}` cannot be used: {reason}")]
    KeyOverride {
        /// The table.
        table: String,
        /// Why not.
        reason: String,
    },
    /// A mask does not fit the table.
    #[error("the columns of table `{table}` cannot be masked so: {reason}")]
    Mask {
        /// The table.
        table: String,
        /// Why not.
        reason: String,
    },
    /// A constraint refused a change.
    #[error("`{database}` refused to {action}: {message}")]
    Constraint {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
    },
    /// The reading was told to stop.
    #[error("stopped while trying to {action} `{database}`")]
    Stopped {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
    },
    /// The structure of the database changed while it was read.
    #[error("`{database}` was changed by others while it was read: {what}; run this again")]
    Changed {
        /// The database.
        database: String,
        /// What changed, with names.
        what: String,
    },
    /// The disk failed or is full.
    #[error("could not {action} `{database}`: {message}")]
    Storage {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
    },
    /// Any other answer of the server.
    #[error("could not {action} `{database}`: {message} (code {code})")]
    Server {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
        /// The server's code.
        code: i32,
    },
    /// The driver failed without a word from the server.
    #[error("could not {action} `{database}`")]
    Driver {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// Nobody answers where the server should be, or not as it should.
    #[error(
        "could not connect to `{database}`: {reason}; check that the server runs, its address, \
         and that it takes connections from here"
    )]
    Unreachable {
        /// The database.
        database: String,
        /// Why not.
        reason: String,
    },
    /// A protected connection could not be made.
    #[error(
        "could not connect to `{database}` with TLS: {reason}; check the server's certificate, and \
         the authorities that are named for it (`sslrootcert`, `ssl-ca`)"
    )]
    Untrusted {
        /// The database.
        database: String,
        /// Why not.
        reason: String,
    },
    /// The server does not let the account in.
    #[error(
        "could not log in to `{database}`: {message}; check the account, and the password in the \
         configuration, the environment or the password file"
    )]
    Login {
        /// The database.
        database: String,
        /// The server's message.
        message: String,
    },
    /// The connection ended in the middle.
    #[error("lost the connection while trying to {action} `{database}`: {message}")]
    Lost {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// What was heard last.
        message: String,
    },
    /// A server's answer is not of the form it should have.
    #[error("could not {action} `{database}`: {what}")]
    Malformed {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// What is wrong with it.
        what: String,
    },
    /// Any other answer of a server whose codes are not numbers.
    #[error("could not {action} `{database}`: {message} (code {code})")]
    Refused {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The server's message.
        message: String,
        /// The server's code.
        code: String,
    },
    /// A file operation failed.
    #[error("could not {action} `{database}`")]
    Io {
        /// The database.
        database: String,
        /// What was being done.
        action: String,
        /// The error.
        #[source]
        source: std::io::Error,
    },
    /// Whoever takes the rows failed; the error is theirs.
    #[error(transparent)]
    Sink(SinkError),
}

impl EngineError {
    /// The error of a connection that the driver or the system could not make.
    pub(super) fn not_connected(database: &str, error: &sqlx::Error) -> EngineError {
        let mut reason = match error {
            sqlx::Error::Io(error) => error.to_string(),
            sqlx::Error::Tls(error) | sqlx::Error::Configuration(error) => error.to_string(),
            error => error.to_string(),
        };
        let database = database.to_owned();
        // What is wrong with a certificate comes as a failure to read, too.
        let is_tls = matches!(error, sqlx::Error::Tls(_)) || reason.contains("certificate");
        if is_tls {
            reason.truncate(reason.trim_end_matches('.').len());
            EngineError::Untrusted { database, reason }
        } else {
            EngineError::Unreachable { database, reason }
        }
    }
}
