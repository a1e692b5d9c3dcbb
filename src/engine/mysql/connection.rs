//! A connection for callers that are synchronous: jobs, questions, and the rows of tables.
//!
//! The session lives on a thread of its own; everything here blocks while it works. What a session
//! is for is said when it is opened; nothing here knows of transactions.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::batch::{BATCHES, spares};
use super::connect::{Link, Purpose, Server};
use super::failure;
use super::query::query;
use super::rows::{self, Decoder, Layout};
use super::sql::quoted;
use crate::engine::error::EngineError;
use crate::engine::remote::Remote;
use crate::engine::sqlite::OpenOptions;
use crate::engine::{ReadEnd, ServerUrl, SourceUrl};
use crate::model::{RowSink, TableSpec};

/// A session on a thread of its own.
pub(super) struct Connection {
    remote: Remote<Link>,
    /// The URL without secrets.
    pub(super) name: String,
    server: Server,
}

impl Connection {
    /// Connects to a server.
    pub(super) fn open(
        url: &ServerUrl,
        options: &OpenOptions,
        purpose: Purpose,
    ) -> Result<Connection, EngineError> {
        let name = SourceUrl::Mysql(Box::new(url.clone())).redacted();
        let (link_url, link_name, link_options) = (url.clone(), name.clone(), options.clone());
        let connected = Remote::connect(options.stop.clone(), move || {
            async move { Link::open(&link_url, link_name, &link_options, purpose).await }.boxed()
        })
        .map_err(|error| EngineError::Unreachable {
            database: name.clone(),
            reason: error.to_string(),
        })?;
        let remote = connected.map_err(|error| match error {
            Ok(error) => error,
            Err(why) => failure::abandoned(&name, "connect to", why),
        })?;
        let server = remote
            .call(|link| async { link.server.clone() }.boxed())
            .map_err(|why| failure::abandoned(&name, "connect to", why))?;
        Ok(Connection { remote, name, server })
    }

    /// The server program and its version.
    pub(super) fn server(&self) -> String {
        let program = if self.server.is_mariadb { "MariaDB" } else { "MySQL" };
        format!("{program} {}", self.server.version)
    }

    /// The server and the database.
    pub(super) fn identity(&self) -> String {
        self.server.identity.clone()
    }

    /// Has a job done, whatever it answers.
    pub(super) fn run<R: Send + 'static>(
        &self,
        action: &str,
        job: impl for<'c> FnOnce(&'c mut Link) -> BoxFuture<'c, R> + Send + 'static,
    ) -> Result<R, EngineError> {
        self.remote.call(job).map_err(|why| failure::abandoned(&self.name, action, why))
    }

    /// Has a job done that may fail.
    pub(super) fn call<R: Send + 'static>(
        &self,
        action: &str,
        job: impl for<'c> FnOnce(&'c mut Link) -> BoxFuture<'c, Result<R, EngineError>> + Send + 'static,
    ) -> Result<R, EngineError> {
        self.run(action, job)?
    }

    /// The number a query answers with.
    pub(super) fn ask(&self, action: &str, sql: String) -> Result<Option<u64>, EngineError> {
        let answered = self
            .run(action, move |link| async move { query(&mut link.connection, sql).await }.boxed());
        let rows = answered?.map_err(|error| failure::classify(&self.name, action, error))?;
        Ok(rows.first().and_then(|row| row.number(0)))
    }

    /// The exact number of rows of a table.
    pub(super) fn count_rows(&self, table: &TableSpec) -> Result<u64, EngineError> {
        let action = format!("count the rows of table `{}` of", table.name);
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name.name));
        let count = self.ask(&action, sql)?;
        count.ok_or_else(|| EngineError::Unsupported {
            database: self.name.clone(),
            what: format!("the server does not count the rows of table `{}`", table.name),
        })
    }

    /// Sends the rows of a select of a layout to the sink.
    pub(super) fn select<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        layout: &Layout,
        sql: String,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let (returns, spares) = spares();
        let cells = layout.cells();
        let mut decoder = Decoder::new(&self.name, table, layout);
        let streamed = self.remote.stream(
            BATCHES,
            move |link, sender| {
                async move { rows::stream(link, sql, cells, sender, spares).await }.boxed()
            },
            |batch| {
                let goes_on = decoder.send(&batch, sink)?;
                returns.put(batch);
                Ok(goes_on)
            },
        );
        let action = format!("read table `{}` of", table.name);
        let ended = streamed.map_err(|why| failure::abandoned(&self.name, &action, why))?;
        ended?.map_err(|error| failure::classify(&self.name, &action, error))?;
        Ok(decoder.end())
    }
}
