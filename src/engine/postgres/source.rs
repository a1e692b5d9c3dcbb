//! A PostgreSQL database that is read: one session, one transaction, and others beside it.
//!
//! The moment that is read is fixed by the first look at the catalog, because the scope says which
//! tables are locked for it. From then on everything is of that moment, in this session and in
//! those of [`PostgresSource::reader`]. Calls wait for the server on the caller's thread.

use futures_util::FutureExt as _;

use super::connect::{Link, horizon};
use super::fixed::Fixed;
use super::locks::{self, Purpose};
use super::tables::Selection;
use super::{catalog, query};
use crate::engine::error::EngineError;
use crate::engine::{OpenOptions, ReadEnd, ReadFrom, ServerUrl};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, NotCaptured, RowSink, TableSpec, Value};

/// An open source.
pub struct PostgresSource {
    link: Link,
    url: ServerUrl,
    options: OpenOptions,
    fixed: Option<Fixed>,
}

/// What the catalog of a database says, without a lock on a table and without what reading rows
/// needs, and what the account may not read.
pub fn read_catalog(
    url: &ServerUrl,
    options: &OpenOptions,
    scope: &Scope,
) -> Result<(Catalog, Vec<NotCaptured>), EngineError> {
    let link = Link::open(url, options)?;
    let (database, schemas, scope) = (link.name.clone(), url.schemas.clone(), scope.clone());
    link.call("read the catalog of", move |connection| {
        async move {
            let session = &mut connection.session;
            query::execute(session, locks::BEGIN.to_owned()).await?;
            let catalog = catalog::read(session, &database, &scope, &schemas).await?;
            let missing = catalog::missing_rights(session, &database, &schemas).await?;
            query::execute(session, "ROLLBACK".to_owned()).await?;
            Ok((catalog, missing))
        }
        .boxed()
    })
}

impl PostgresSource {
    /// Connects to a database for reading.
    pub async fn open(
        url: &ServerUrl,
        options: &OpenOptions,
    ) -> Result<PostgresSource, EngineError> {
        let link = Link::open(url, options)?;
        Ok(PostgresSource { link, url: url.clone(), options: options.clone(), fixed: None })
    }

    /// What the account may not read.
    pub async fn missing_rights(&mut self) -> Result<Vec<NotCaptured>, EngineError> {
        let (database, schemas) = (self.link.name.clone(), self.url.schemas.clone());
        self.link.call("read the rights on", move |connection| {
            async move {
                let session = &mut connection.session;
                Ok(catalog::missing_rights(session, &database, &schemas).await?)
            }
            .boxed()
        })
    }

    /// Begins a reading; its moment is that of the next look at the catalog.
    pub async fn begin(&mut self) -> Result<(), EngineError> {
        self.end().await
    }

    /// Ends the transaction.
    pub async fn end(&mut self) -> Result<(), EngineError> {
        if self.fixed.take().is_some() {
            self.link.execute("end reading", "ROLLBACK".to_owned())?;
        }
        Ok(())
    }

    /// Closes the connection.
    pub async fn close(mut self) -> Result<(), EngineError> {
        // The server ends what a closed connection leaves open, but not without a complaint in its
        // log; a connection that is gone already has nothing to close.
        let _ = self.end().await;
        Ok(())
    }

    /// Everything the catalog says. Locks the tables and fixes the moment, where that was not
    /// done.
    pub async fn catalog(&mut self, scope: &Scope) -> Result<Catalog, EngineError> {
        let selection = self.selection();
        let (fixed, catalog) = match &self.fixed {
            Some(known) => known.again(&self.link, selection, scope)?,
            None => Fixed::new(&self.link, selection, scope, Purpose::Reading)?,
        };
        self.fixed = Some(fixed);
        Ok(catalog)
    }

    /// Another session that reads at the same moment, as long as this one does.
    pub async fn reader(&self) -> Result<PostgresSource, EngineError> {
        let fixed = self.fixed()?.clone();
        let link = Link::open(&self.url, &self.options)?;
        let (selection, moment) = (self.selection(), fixed.moment.clone());
        link.call("read at the same moment from", move |connection| {
            async move { locks::join(&mut connection.session, &selection, &moment).await }.boxed()
        })?;
        let (url, options) = (self.url.clone(), self.options.clone());
        Ok(PostgresSource { link, url, options, fixed: Some(fixed) })
    }

    /// What the consistency of the reading rests on.
    pub async fn evidence(&mut self) -> Result<Vec<String>, EngineError> {
        let mut evidence = Vec::new();
        if let Some(fixed) = &self.fixed {
            evidence.push(format!(
                "one snapshot, {}, taken after ACCESS SHARE locks on {} tables",
                fixed.moment.snapshot,
                fixed.moment.tables.len()
            ));
        }
        let lsn = if self.link.server.is_standby {
            "'a standby, which has replayed up to LSN ' || pg_catalog.pg_last_wal_replay_lsn()"
        } else {
            "'LSN ' || pg_catalog.pg_current_wal_lsn()"
        };
        let sql = format!(
            "SELECT {lsn} UNION ALL SELECT 'visible transactions ' || \
             pg_catalog.pg_current_snapshot()::text UNION ALL \
             SELECT 'began at ' || pg_catalog.now()::text"
        );
        let rows = self.link.rows("read the state of", sql)?;
        evidence.extend(rows.iter().map(|row| row.text(0).to_owned()));
        evidence.push(format!("system identifier {}", self.link.server.system));
        evidence.extend(self.stale_collations()?);
        Ok(evidence)
    }

    /// How far the transaction holds back what vacuum may remove.
    pub async fn cost(&mut self) -> Result<Option<String>, EngineError> {
        let horizon = self.link.call("ask for the age of the transaction in", |connection| {
            async move { Ok(horizon(&connection.options, connection.process).await) }.boxed()
        })?;
        let told = |age| format!("at the end the horizon of transactions was {age} behind");
        Ok(horizon.map(told))
    }

    /// Collations whose library has changed since, after which indexes on text may be out of order:
    /// rows of such tables are read without them. Databases have a version of their own since 15.
    fn stale_collations(&self) -> Result<Vec<String>, EngineError> {
        let mut sql = "SELECT 'collation ' || c.collname FROM pg_catalog.pg_collation c \
                   WHERE c.collversion <> pg_catalog.pg_collation_actual_version(c.oid) \
                   AND EXISTS (SELECT FROM pg_catalog.pg_attribute a \
                   WHERE a.attcollation = c.oid AND a.attrelid >= 16384)"
            .to_owned();
        if self.link.server.number >= 150_000 {
            sql.push_str(
                " UNION ALL SELECT 'the collation of the database' FROM pg_catalog.pg_database d \
                 WHERE d.datname = pg_catalog.current_database() AND d.datcollversion <> \
                 pg_catalog.pg_database_collation_actual_version(d.oid)",
            );
        }
        let rows = self.link.rows("read the collations of", format!("{sql} ORDER BY 1"))?;
        Ok(rows
            .iter()
            .map(|row| format!("{} has another version than its indexes", row.text(0)))
            .collect())
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        self.link.server.version.clone()
    }

    /// The cluster, the database in it, and the schemas of it.
    pub fn identity(&self) -> String {
        self.link.server.identity(&self.url.schemas)
    }

    /// Sends rows to the sink.
    pub async fn read_rows<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        self.fixed()?.reader(&self.link, table)?.read(from, sink)
    }

    /// The exact number of rows.
    pub async fn count_rows(&mut self, table: &TableSpec) -> Result<u64, EngineError> {
        self.fixed()?.reader(&self.link, table)?.count()
    }

    /// About how many rows there are; for progress only.
    pub async fn estimated_rows(&mut self, table: &TableSpec) -> Result<Option<u64>, EngineError> {
        self.fixed()?.reader(&self.link, table)?.estimate()
    }

    /// Sends the row with exactly this key; says how many there were.
    pub async fn read_row_by_key<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        key: &[Value],
        sink: &mut S,
    ) -> Result<u64, EngineError> {
        self.fixed()?.reader(&self.link, table)?.read_by_key(key, sink)
    }

    fn selection(&self) -> Selection {
        Selection {
            database: self.link.name.clone(),
            schemas: self.url.schemas.clone(),
            encoding: self.link.server.encoding.clone(),
        }
    }

    fn fixed(&self) -> Result<&Fixed, EngineError> {
        self.fixed.as_ref().ok_or_else(|| Fixed::missing(&self.link))
    }
}
