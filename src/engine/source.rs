//! A database that is read, whichever engine it is of.

use super::{
    EngineError, OpenOptions, ReadEnd, ReadFrom, SourceUrl, mask, mysql, pattern, postgres, sqlite,
};
use crate::model::snapshot::{Guarantee, Scope};
use crate::model::{Catalog, NotCaptured, RowSink, TableSpec, Value};

/// Hands a call to whichever engine is behind.
macro_rules! each_source {
    ($source:expr, $engine:ident => $call:expr) => {
        match $source {
            Source::Sqlite($engine) => $call,
            Source::Postgres($engine) => $call,
            Source::Mysql($engine) => $call,
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
    /// A database on a MySQL or MariaDB server.
    Mysql(Box<mysql::MysqlSource>),
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
            SourceUrl::Mysql(url) => {
                let source = mysql::MysqlSource::open(url, options).await?;
                Ok(Source::Mysql(Box::new(source)))
            }
        }
    }

    /// The engine's name, as states carry it.
    pub fn engine(&self) -> &'static str {
        match self {
            Source::Sqlite(_) => "sqlite",
            Source::Postgres(_) => "postgres",
            Source::Mysql(_) => "mysql",
        }
    }

    /// Whether another process reads the rows, so that whoever takes them waits for it.
    pub fn is_remote(&self) -> bool {
        !matches!(self, Source::Sqlite(_))
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        each_source!(self, engine => engine.server())
    }

    /// What identifies the database among others.
    pub fn identity(&self) -> String {
        each_source!(self, engine => engine.identity())
    }

    /// What the account may not see, asked before anything is locked or read. Not while a
    /// transaction is open.
    pub async fn missing_rights(&mut self) -> Result<Vec<NotCaptured>, EngineError> {
        match self {
            Source::Sqlite(_) => Ok(Vec::new()),
            Source::Postgres(engine) => engine.missing_rights().await,
            Source::Mysql(engine) => engine.missing_rights().await,
        }
    }

    /// Begins the transaction in which everything is read, with as many connections as `readers`
    /// says where they must all begin together (MySQL, MariaDB).
    pub async fn begin(&mut self, readers: usize) -> Result<(), EngineError> {
        match self {
            Source::Sqlite(engine) => engine.begin().await,
            Source::Postgres(engine) => engine.begin().await,
            Source::Mysql(engine) => engine.begin(readers).await,
        }
    }

    /// Other connections that read at the same moment, at most so many; none where one is all
    /// there can be. The catalog must have been read.
    pub async fn readers(&mut self, wanted: usize) -> Result<Vec<Source>, EngineError> {
        match self {
            Source::Sqlite(_) => Ok(Vec::new()),
            Source::Postgres(engine) => {
                let mut readers = Vec::new();
                for _ in 0..wanted {
                    readers.push(Source::Postgres(Box::new(engine.reader().await?)));
                }
                Ok(readers)
            }
            Source::Mysql(engine) => {
                let readers = engine.take_readers();
                Ok(readers.into_iter().map(|reader| Source::Mysql(Box::new(reader))).collect())
            }
        }
    }

    /// How consistent what is read is, by so many connections.
    pub fn guarantee(&self, connections: usize) -> Guarantee {
        match self {
            Source::Postgres(_) if connections > 1 => Guarantee::ExportedSnapshot,
            Source::Sqlite(_) | Source::Postgres(_) => Guarantee::SingleConnection,
            Source::Mysql(engine) => engine.guarantee(),
        }
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
        let mut catalog = each_source!(self, engine => engine.catalog(scope).await)?;
        if !matches!(self, Source::Sqlite(_)) {
            catalog.unused_rules = pattern::unused_rules(scope, &catalog);
        }
        catalog.unused_rules.extend(mask::unused(scope, &catalog.facts));
        catalog.not_captured.extend(mask::told(scope, &catalog.facts));
        catalog.not_captured.sort();
        Ok(catalog)
    }

    /// What the consistency of the reading rests on, in the engine's words.
    pub async fn evidence(&mut self) -> Result<Vec<String>, EngineError> {
        each_source!(self, engine => engine.evidence().await)
    }

    /// What the open transaction has cost the server so far, in the engine's words: it keeps the
    /// server from cleaning up what others have changed. `None` where nothing tells.
    pub async fn cost(&mut self) -> Result<Option<String>, EngineError> {
        match self {
            Source::Sqlite(_) => Ok(None),
            Source::Postgres(engine) => engine.cost().await,
            Source::Mysql(engine) => engine.cost().await,
        }
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
