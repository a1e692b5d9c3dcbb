//! A PostgreSQL database that is changed: the connection, and how far its transaction has come.
//!
//! A transaction begins with the first look at the catalog, so that the tables are locked before
//! its snapshot is taken. One apply runs at a time: an advisory lock of the session is held from
//! the beginning to the end, so what the receipts say stays true until the snapshot. After an
//! answer was lost, nothing is known, and nothing more is asked.

use std::cell::RefCell;
use std::sync::Arc;

use super::changes::Counts;
use super::connect::{Link, WRITING};
use super::fixed::Fixed;
use super::session::PostgresSession;
use super::tables::Selection;
use crate::engine::error::EngineError;
use crate::engine::{OpenOptions, ServerUrl};

/// An open target.
pub struct PostgresTarget {
    pub(super) link: Link,
    pub(super) schemas: Vec<String>,
    pub(super) course: RefCell<Course>,
}

/// How far a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is none.
    None,
    /// It was asked for, and begins with the first statement.
    Asked(Kind),
    /// The server has begun it.
    Open,
    /// An answer was lost.
    Unknown,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changing rows.
    Change,
    /// Filling tables.
    Restore,
    /// Filling tables while triggers and foreign keys rest.
    RestoreAtRest,
}

/// What is known of the transaction.
pub(super) struct Course {
    pub(super) stage: Stage,
    /// What its catalog was, once that was read.
    pub(super) fixed: Option<Arc<Fixed>>,
    /// Whether changes are counted.
    pub(super) is_watched: bool,
    /// What was counted when it began, or was asked last.
    pub(super) counted: Option<Counts>,
}

impl PostgresTarget {
    /// Opens an existing database for writing. A server that only follows another is refused.
    pub async fn open(url: &ServerUrl, options: &OpenOptions) -> Result<Self, EngineError> {
        let link = Link::open(url, options)?;
        if link.server.is_standby {
            let what = "it is a standby, which takes changes from its primary alone; apply to that"
                .to_owned();
            return Err(EngineError::Unsupported { database: link.name, what });
        }
        link.execute("set up a session of", WRITING.to_owned())?;
        let course = Course { stage: Stage::None, fixed: None, is_watched: false, counted: None };
        let schemas = url.schemas.clone();
        Ok(PostgresTarget { link, schemas, course: RefCell::new(course) })
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        self.link.server.version.clone()
    }

    /// The cluster, the database in it, and the chosen schemas of it.
    pub fn identity(&self) -> String {
        self.link.server.identity(&self.schemas)
    }

    /// Takes the connection.
    pub async fn session(&mut self) -> Result<PostgresSession<'_>, EngineError> {
        Ok(PostgresSession::new(self))
    }

    /// Closes the connection. An open transaction is rolled back.
    pub async fn close(mut self) -> Result<(), EngineError> {
        // The server does that too; a connection that is gone has nothing to close.
        let _ = PostgresSession::new(&mut self).rollback();
        Ok(())
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            database: self.link.name.clone(),
            schemas: self.schemas.clone(),
            encoding: self.link.server.encoding.clone(),
        }
    }
}
