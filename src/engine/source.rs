//! A database that is read, whichever engine it is of.

use super::{EngineError, OpenOptions, ReadEnd, ReadFrom, SourceUrl, postgres, sqlite};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, RowSink, TableSpec, Value};

/// Hands a call to whichever engine is behind.
macro_rules! each_source {
    ($source:expr, $engine:ident => $call:expr) => {
        match $source {
            Source::Sqlite($engine) => $call,
            Source::Postgres($engine) => $call,
        }
    };
}

/// A database that is read.
#[non_exhaustive]
pub enum Source {
    /// A SQLite file.
    Sqlite(sqlite::SqliteSource),
    /// A PostgreSQL database.
    Postgres(Box<postgres::PostgresSource>),
}

impl Source {
    /// Opens a database for reading. Nothing is ever written to it.
    pub async fn open(url: &SourceUrl, options: &OpenOptions) -> Result<Source, EngineError> {
        match url {
            SourceUrl::Sqlite(path) => {
                Ok(Source::Sqlite(sqlite::SqliteSource::open(path, options).await?))
            }
            SourceUrl::Postgres(url) => {
                let source = postgres::PostgresSource::open(url, options).await?;
                Ok(Source::Postgres(Box::new(source)))
            }
            server @ SourceUrl::Mysql(_) => Err(unsupported(server)),
        }
    }

    /// The engine's name, as states carry it.
    pub fn engine(&self) -> &'static str {
        match self {
            Source::Sqlite(_) => "sqlite",
            Source::Postgres(_) => "postgres",
        }
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        each_source!(self, engine => engine.server())
    }

    /// What identifies the database among others.
    pub fn identity(&self) -> String {
        each_source!(self, engine => engine.identity())
    }

    /// Begins the transaction in which everything is read.
    pub async fn begin(&mut self) -> Result<(), EngineError> {
        each_source!(self, engine => engine.begin().await)
    }

    /// Ends the transaction.
    pub async fn end(&mut self) -> Result<(), EngineError> {
        each_source!(self, engine => engine.end().await)
    }

    /// Closes the connection and leaves the database as it was found.
    pub async fn close(self) -> Result<(), EngineError> {
        each_source!(self, engine => engine.close().await)
    }

    /// Everything the catalog says, under a scope.
    pub async fn catalog(&mut self, scope: &Scope) -> Result<Catalog, EngineError> {
        each_source!(self, engine => engine.catalog(scope).await)
    }

    /// What the consistency of the reading rests on, in the engine's words.
    pub async fn evidence(&mut self) -> Result<Vec<String>, EngineError> {
        each_source!(self, engine => engine.evidence().await)
    }

    /// Sends the rows of a table to the sink, from a place on. Blocks while it reads.
    pub async fn read_rows<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        each_source!(self, engine => engine.read_rows(table, from, sink).await)
    }

    /// The exact number of rows of a table, in the same transaction.
    pub async fn count_rows(&mut self, table: &TableSpec) -> Result<u64, EngineError> {
        each_source!(self, engine => engine.count_rows(table).await)
    }

    /// About how many rows a table has, for progress; `None` where nothing cheap tells.
    pub async fn estimated_rows(&mut self, table: &TableSpec) -> Result<Option<u64>, EngineError> {
        each_source!(self, engine => engine.estimated_rows(table).await)
    }

    /// Sends the row whose key is exactly this one; says how many there were.
    pub async fn read_row_by_key<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        key: &[Value],
        sink: &mut S,
    ) -> Result<u64, EngineError> {
        each_source!(self, engine => engine.read_row_by_key(table, key, sink).await)
    }
}

fn unsupported(url: &SourceUrl) -> EngineError {
    let reason = "that engine is not read yet".to_owned();
    EngineError::Url { url: url.redacted(), reason }
}
