//! Opening SQLite files: for reading without leaving a trace, for writing, in memory.
//!
//! A source is opened read-only, never created, with a busy timeout, without a checkpoint on
//! close, and its log files that were not there before are removed again where SQLite itself finds
//! nobody else using them. The database file is only ever opened through SQLite: closing a second
//! descriptor would drop this process's POSIX locks on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libsqlite3_sys as ffi;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::handle::{Database, Failure, Switch};
use super::types::TextEncoding;
use crate::engine::error::EngineError;

/// How many virtual machine instructions run between two looks at the stop flag.
const INSTRUCTIONS_BETWEEN_STOP_CHECKS: i32 = 50_000;

/// The page cache of a reading connection, in KiB: a scan needs each page once.
const READ_CACHE: u32 = 16 * 1024;

/// The page cache of a writing connection, in KiB: changes come back to their pages, and what does
/// not fit is written to the file before COMMIT.
const WRITE_CACHE: u32 = 64 * 1024;

/// How a connection behaves.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// How long a lock of another connection is waited for.
    pub busy_timeout: Duration,
    /// Set to true, it makes a running statement stop with [`EngineError::Stopped`].
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions { busy_timeout: Duration::from_secs(5), stop: None }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Reading only.
    Read,
    /// Reading and writing a file that exists.
    Write,
    /// Writing a file that does not exist yet.
    Create,
}

/// An open connection and the name it goes by in messages.
pub(super) struct Link {
    connection: SqliteConnection,
    /// The path, or what a database in memory is called.
    pub(super) name: String,
}

/// What is done to a database that is not there yet.
const CREATE: &str = "create";

impl Link {
    /// Opens a file. The path must be canonical: sqlx passes names to SQLite with URIs enabled,
    /// and only a name that begins with `/` is safe from being taken for one.
    pub(super) async fn open(
        path: &Path,
        access: Access,
        options: &OpenOptions,
    ) -> Result<Link, EngineError> {
        let name = path.display().to_string();
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .read_only(access == Access::Read)
            .create_if_missing(access == Access::Create)
            .foreign_keys(access != Access::Read);
        let action = if access == Access::Create { CREATE } else { "open" };
        Link::connect(connect, name, action, options).await
    }

    /// Opens an empty database in memory.
    pub(super) async fn in_memory(options: &OpenOptions) -> Result<Link, EngineError> {
        let connect =
            SqliteConnectOptions::new().filename(":memory:").in_memory(true).foreign_keys(true);
        Link::connect(connect, "scratch database".to_owned(), CREATE, options).await
    }

    async fn connect(
        connect: SqliteConnectOptions,
        name: String,
        action: &str,
        options: &OpenOptions,
    ) -> Result<Link, EngineError> {
        let connect = connect
            .busy_timeout(options.busy_timeout)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        let connection =
            connect.connect().await.map_err(|error| driver_error(&name, action, error))?;
        let mut link = Link { connection, name };
        if let Some(stop) = options.stop.clone() {
            let mut handle = link
                .connection
                .lock_handle()
                .await
                .map_err(|error| driver_error(&link.name, "open", error))?;
            handle.set_progress_handler(INSTRUCTIONS_BETWEEN_STOP_CHECKS, move || {
                !stop.load(Ordering::Relaxed)
            });
        }
        Ok(link)
    }

    /// Takes the handle from the driver's thread until the result is dropped.
    pub(super) async fn lock(&mut self) -> Result<Locked<'_>, EngineError> {
        let handle = self
            .connection
            .lock_handle()
            .await
            .map_err(|error| driver_error(&self.name, "use", error))?;
        Ok(Locked { database: Database::locked(handle), name: &self.name })
    }

    /// Closes the connection and waits until it is closed.
    pub(super) async fn close(self) -> Result<(), EngineError> {
        let name = self.name;
        self.connection.close().await.map_err(|error| driver_error(&name, "close", error))
    }
}

/// A locked connection with its name: what everything synchronous works on.
pub(super) struct Locked<'a> {
    pub(super) database: Database<'a>,
    pub(super) name: &'a str,
}

impl Locked<'_> {
    /// Runs a statement.
    pub(super) fn execute(&self, sql: &str, action: &str) -> Result<(), EngineError> {
        self.database.execute(sql).map_err(|failure| classify(self.name, action, failure))
    }

    /// The first cell of the first row, as an integer.
    pub(super) fn query_int(&self, sql: &str, action: &str) -> Result<Option<i64>, EngineError> {
        let wrong = |failure| classify(self.name, action, failure);
        let mut statement = self.database.prepare(sql).map_err(wrong)?;
        let found = statement.step().map_err(wrong)?;
        Ok(found.then(|| statement.int(0)))
    }

    /// The first cell of the first row, as text.
    pub(super) fn query_text(&self, sql: &str, action: &str) -> Result<String, EngineError> {
        let wrong = |failure| classify(self.name, action, failure);
        let mut statement = self.database.prepare(sql).map_err(wrong)?;
        if !statement.step().map_err(wrong)? {
            return Ok(String::new());
        }
        Ok(statement.text(0).map_err(wrong)?.unwrap_or_default().to_owned())
    }

    /// The text encoding of the database.
    pub(super) fn encoding(&self) -> Result<TextEncoding, EngineError> {
        let name = self.query_text("PRAGMA main.encoding", "read the encoding of")?;
        TextEncoding::from_name(&name).ok_or_else(|| EngineError::Unsupported {
            database: self.name.to_owned(),
            what: format!("the text encoding `{name}` is not known"),
        })
    }

    /// Settings every connection gets. None of them writes the file.
    pub(super) fn configure(&self, access: Access) -> Result<(), EngineError> {
        let wrong = |failure| classify(self.name, "configure", failure);
        self.database.switch(Switch::NoCheckpointOnClose, true).map_err(wrong)?;
        if access == Access::Read {
            self.database.switch(Switch::DoubleQuotedStrings, false).map_err(wrong)?;
            self.database.switch(Switch::TrustedSchema, false).map_err(wrong)?;
            self.execute("PRAGMA query_only = ON", "configure")?;
        }
        self.execute("PRAGMA cell_size_check = ON", "configure")?;
        // No memory map: pages of it would count as this process's memory, and a file cut short
        // by somebody else would kill it. A scan of a million rows was not faster with one.
        self.execute("PRAGMA mmap_size = 0", "configure")?;
        self.execute("PRAGMA temp_store = FILE", "configure")?;
        let cache = if access == Access::Read { READ_CACHE } else { WRITE_CACHE };
        // The first statement that looks at the file.
        self.execute(&format!("PRAGMA cache_size = -{cache}"), "open")
    }
}

/// Which log files of a database were there before it was opened.
#[derive(Debug, Clone)]
pub(super) struct Footprint {
    path: PathBuf,
    had_log: bool,
}

impl Footprint {
    /// Looks at the files beside the database.
    pub(super) fn of(path: &Path) -> Footprint {
        Footprint { path: path.to_owned(), had_log: beside(path, "-wal").exists() }
    }

    /// Removes log files that this program's reading made, by letting SQLite do it: the last
    /// connection to close a log without content deletes it. A read-only connection cannot, so a
    /// writing one is opened and closed without a write. Where that is not possible, they stay:
    /// they are empty.
    pub(super) async fn restore(&self) {
        let log = beside(&self.path, "-wal");
        let is_ours = !self.had_log && log.metadata().is_ok_and(|log| log.len() == 0);
        if !is_ours {
            return;
        }
        let options = OpenOptions { busy_timeout: Duration::ZERO, stop: None };
        let Ok(mut link) = Link::open(&self.path, Access::Write, &options).await else {
            return;
        };
        if let Ok(locked) = link.lock().await
            && locked.query_int("SELECT count(*) FROM main.sqlite_schema", "read").is_err()
        {
            tracing::debug!(path = %self.path.display(), "the empty log stays");
        }
        if let Err(error) = link.close().await {
            tracing::debug!(path = %self.path.display(), %error, "the empty log stays");
        }
    }
}

/// A file that SQLite keeps beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The error of a driver call.
pub(super) fn driver_error(name: &str, action: &str, error: sqlx::Error) -> EngineError {
    if let sqlx::Error::Database(database) = &error
        && let Some(code) = database.code()
        && let Ok(code) = code.parse::<i32>()
    {
        return classify(name, action, Failure { code, message: database.message().to_owned() });
    }
    EngineError::Driver { database: name.to_owned(), action: action.to_owned(), source: error }
}

/// The error that a result code stands for (<https://www.sqlite.org/rescode.html>).
pub(super) fn classify(name: &str, action: &str, failure: Failure) -> EngineError {
    let database = name.to_owned();
    let action = action.to_owned();
    let code = failure.code;
    let primary = failure.primary();
    let message = failure.message;
    match primary {
        _ if code == ffi::SQLITE_READONLY_ROLLBACK => EngineError::HotJournal { database },
        ffi::SQLITE_NOTADB => EngineError::NotADatabase { database },
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => EngineError::Locked { database, action, message },
        ffi::SQLITE_CORRUPT => EngineError::Corrupt { database, action, message },
        ffi::SQLITE_INTERRUPT => EngineError::Stopped { database, action },
        ffi::SQLITE_CONSTRAINT => EngineError::Constraint { database, action, message },
        ffi::SQLITE_IOERR | ffi::SQLITE_FULL => EngineError::Storage { database, action, message },
        ffi::SQLITE_READONLY if code != ffi::SQLITE_READONLY => {
            cannot_open(database, action, &message)
        }
        ffi::SQLITE_PERM | ffi::SQLITE_AUTH | ffi::SQLITE_READONLY => {
            EngineError::Privilege { database, action, message }
        }
        ffi::SQLITE_CANTOPEN => cannot_open(database, action, &message),
        ffi::SQLITE_ERROR if names_what_is_missing(&message) => {
            EngineError::Unsupported { what: format!("could not {action}: {message}"), database }
        }
        _ => EngineError::Server { database, action, message, code },
    }
}

/// A collation, module or function that some other program registers before it uses the file.
fn names_what_is_missing(message: &str) -> bool {
    ["no such collation sequence", "no such module", "no such function", "unknown function"]
        .iter()
        .any(|missing| message.contains(missing))
}

/// Why SQLite could not open a file: what is beside it tells.
fn cannot_open(database: String, action: String, message: &str) -> EngineError {
    let path = Path::new(&database);
    if action == CREATE {
        let message = format!("{message}; its folder cannot be written");
        return EngineError::Privilege { database, action, message };
    }
    if path.is_absolute() && !path.exists() {
        return EngineError::NotFound { database, reason: "no such file".to_owned() };
    }
    let message = format!(
        "{message}; its file or folder is not accessible (a database in WAL mode needs a folder \
         that can be written, or a copy of the database elsewhere)"
    );
    EngineError::Privilege { database, action, message }
}
