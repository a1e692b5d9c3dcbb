//! Rows of PostgreSQL tables, by COPY in binary.
//!
//! The connection's thread gathers the server's messages into pieces of many rows; they are taken
//! apart by whoever called. Every query names its columns, in the order of
//! [`TableSpec::columns`]. A reading that is stopped in the middle cancels its statement and goes
//! back to a savepoint, so that the session, its locks and its moment stay; where that fails, the
//! session takes no more jobs.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};

use futures_util::{FutureExt as _, Stream, TryStreamExt as _};

use super::binary::{Decoder, Wrong};
use super::connect::{Connection, Link, cancel};
use super::errors::{Failure, abandoned};
use super::sql::ServerEncoding;
use super::tables::Table;
use super::types::ColumnReading;
use super::{literals, query};
use crate::engine::error::EngineError;
use crate::engine::{KeyRange, ReadEnd, ReadFrom};
use crate::model::{Flow, RowSink, TableSpec, Value};

/// How many bytes of rows are gathered into a piece, few enough to stay in a core's cache.
const PIECE: usize = 64 * 1024;

/// Messages from this size on are pieces of their own, and are not copied.
const LARGE: usize = 64 * 1024;

/// How many pieces may wait.
const AHEAD: usize = 16;

/// What happens where the rows of a query are not all taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnStop {
    /// The statement is cancelled, and the transaction goes back to before it.
    GoBack,
    /// The rest is read and dropped. So no savepoint is needed, under which rows would be locked
    /// by a transaction of its own: thousands of those slow the whole server down.
    ReadOn,
}

/// A piece of the stream.
enum Piece {
    /// Messages that were gathered.
    Gathered(Vec<u8>),
    /// A large message; when this is dropped, the next message may be read.
    Large { message: Box<dyn AsRef<[u8]> + Send>, _taken: Sender<Infallible> },
}

/// A table and the session that reads it.
pub(super) struct Reader<'r> {
    /// The session.
    pub(super) link: &'r Link,
    /// The table.
    pub(super) table: Cow<'r, Table>,
}

impl Reader<'_> {
    /// Sends the rows of the table, from a place on.
    pub(super) fn read<S: RowSink + ?Sized>(
        &self,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let sql = self.scan(from)?;
        self.copy(&sql, OnStop::GoBack, sink)
    }

    /// The exact number of rows, from the table itself: the planner may not use an index for it.
    pub(super) fn count(&self) -> Result<u64, EngineError> {
        let action = format!("count the rows of table `{}` of", self.spec().name);
        let sql = format!(
            "SET LOCAL enable_indexscan = off; SELECT count(*)::text FROM {}; \
             SET LOCAL enable_indexscan = on",
            self.relation()
        );
        let rows = self.in_server_encoding(&action, move |connection| {
            async move { Ok(query::text(&mut connection.session, sql).await?) }.boxed()
        })?;
        rows.parse().map_err(|_| EngineError::Malformed {
            database: self.link.name.clone(),
            action,
            what: "the count is no number".to_owned(),
        })
    }

    /// About how many rows there are, as the server's statistics say. Before 14, 0 rows in no
    /// pages can also be a table that was never looked at.
    pub(super) fn estimate(&self) -> Result<Option<u64>, EngineError> {
        let action = format!("estimate the rows of table `{}` of", self.spec().name);
        let oid = self.table.listed.oid;
        let sql = format!(
            "SELECT sum(c.reltuples)::int8::text, \
             bool_and(c.reltuples >= 0 AND (c.relpages > 0 OR \
             pg_catalog.current_setting('server_version_num')::int4 >= 140000)) \
             FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND (c.oid = {oid} OR c.oid IN \
             (SELECT relid FROM pg_catalog.pg_partition_tree({oid}) WHERE isleaf))"
        );
        let rows = self.link.rows(&action, sql)?;
        Ok(rows.first().filter(|row| row.is_true(1)).and_then(|row| row.number(0)))
    }

    pub(super) fn spec(&self) -> &TableSpec {
        &self.table.spec
    }

    pub(super) fn encoding(&self) -> &ServerEncoding {
        &self.link.server.encoding
    }

    fn action(&self) -> String {
        format!("read table `{}` of", self.spec().name)
    }

    pub(super) fn unsupported(&self, what: &str) -> EngineError {
        EngineError::Unsupported {
            database: self.link.name.clone(),
            what: format!("table `{}` {what}", self.spec().name),
        }
    }

    /// A column and its place.
    pub(super) fn column(&self, name: &str) -> Result<(usize, &ColumnReading), EngineError> {
        let mut columns = self.table.columns.iter().enumerate();
        columns
            .find(|(_, column)| column.name == name)
            .ok_or_else(|| self.unsupported(&format!("has no column `{name}` of its key")))
    }

    /// `ONLY "s"."t"`: the rows of children are theirs, those of partitions the root's.
    pub(super) fn relation(&self) -> String {
        let only = if self.table.listed.is_partitioned { "" } else { "ONLY " };
        format!("{only}{}", self.encoding().qualified(&self.spec().name))
    }

    pub(super) fn select(&self) -> String {
        let columns: Vec<String> = self
            .table
            .columns
            .iter()
            .map(|column| column.reading.expression(&self.encoding().quoted(&column.name)))
            .collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.relation())
    }

    fn scan(&self, from: &ReadFrom) -> Result<String, EngineError> {
        let mut sql = self.select();
        let names = self.spec().key.column_names();
        let quoted: Vec<String> = names.iter().map(|name| self.encoding().quoted(name)).collect();
        let range = match from {
            ReadFrom::Start => KeyRange::default(),
            ReadFrom::After(key) => KeyRange { after: Some(key.clone()), ..KeyRange::default() },
            ReadFrom::Between(range) => range.clone(),
        };
        let mut conditions = Vec::new();
        for (key, operator) in [(&range.after, ">"), (&range.until, "<=")] {
            let Some(key) = key else { continue };
            let values = self.key_literals(&names, key)?;
            conditions.push(format!("({}) {operator} ({})", quoted.join(", "), values.join(", ")));
        }
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        if self.spec().reads_in_key_order && !names.is_empty() {
            let direction = if range.is_descending { " DESC" } else { "" };
            let order: Vec<String> = quoted.iter().map(|q| format!("{q}{direction}")).collect();
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        if let Some(limit) = range.limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        Ok(sql)
    }

    /// The values of a key, to compare rows with.
    fn key_literals(&self, names: &[&str], key: &[Value]) -> Result<Vec<String>, EngineError> {
        if !self.spec().reads_in_key_order || names.is_empty() || names.len() != key.len() {
            return Err(self.unsupported("is not read in key order, so not from the middle"));
        }
        names
            .iter()
            .zip(key)
            .map(|(name, value)| {
                let (_, column) = self.column(name)?;
                literals::typed(column, value, self.encoding())
                    .ok_or_else(|| self.unsupported(&format!("has no such key (`{name}`)")))
            })
            .collect()
    }

    /// Runs a job while the session speaks the encoding of the server.
    fn in_server_encoding<R: Send + 'static>(
        &self,
        action: &str,
        job: impl for<'c> FnOnce(
            &'c mut Connection,
        ) -> futures_util::future::BoxFuture<'c, Result<R, Failure>>
        + Send
        + 'static,
    ) -> Result<R, EngineError> {
        let encoding = self.encoding().clone();
        self.link.call(action, move |connection| {
            async move {
                speak(connection, &encoding).await?;
                let done = job(connection).await?;
                speak_utf8(connection, &encoding).await?;
                Ok(done)
            }
            .boxed()
        })
    }

    /// Sends the rows of a query to the sink.
    pub(super) fn copy<S: RowSink + ?Sized>(
        &self,
        select: &str,
        on_stop: OnStop,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let action = self.action();
        let sql = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
        let encoding = self.encoding().clone();
        let mut decoder = Decoder::new(&self.table.columns, self.encoding());
        let (spare, spares) = channel();
        let mut is_stopped = false;
        let streamed = self.link.remote().stream(
            AHEAD,
            move |connection: &mut Connection, pieces| {
                async move {
                    let job = Job { sql: &sql, encoding: &encoding, on_stop };
                    send(connection, job, pieces, spares).await
                }
                .boxed()
            },
            |piece| {
                let flow = feed(&mut decoder, piece, sink, &spare)?;
                is_stopped = flow == Flow::Stop;
                Ok::<bool, Wrong>(!is_stopped)
            },
        );
        let name = &self.link.name;
        let sent = streamed.map_err(|why| abandoned(name, &action, why))?;
        let sent = sent.map_err(|wrong| wrong.error(name, &action))?;
        if is_stopped {
            return Ok(ReadEnd { rows: decoder.rows(), is_complete: false });
        }
        sent.map_err(|failure| failure.error(name, &action))?;
        let rows = decoder.finish().map_err(|wrong| wrong.error(name, &action))?;
        Ok(ReadEnd { rows, is_complete: true })
    }
}

/// Takes a piece apart and gives its memory back.
fn feed<S: RowSink + ?Sized>(
    decoder: &mut Decoder<'_>,
    piece: Piece,
    sink: &mut S,
    spare: &Sender<Vec<u8>>,
) -> Result<Flow, Wrong> {
    match piece {
        Piece::Large { message, _taken } => decoder.feed((*message).as_ref(), sink),
        Piece::Gathered(mut piece) => {
            let flow = decoder.feed(&piece, sink)?;
            piece.clear();
            // Nobody takes it where the last piece has been sent.
            let _ = spare.send(piece);
            Ok(flow)
        }
    }
}

async fn speak(connection: &mut Connection, encoding: &ServerEncoding) -> Result<(), Failure> {
    if encoding.is_utf8() {
        return Ok(());
    }
    let sql = format!("SET client_encoding = '{}'", encoding.name);
    Ok(query::execute(&mut connection.session, sql).await?)
}

async fn speak_utf8(connection: &mut Connection, encoding: &ServerEncoding) -> Result<(), Failure> {
    if encoding.is_utf8() {
        return Ok(());
    }
    Ok(query::execute(&mut connection.session, "SET client_encoding = 'UTF8'".to_owned()).await?)
}

/// What is to be run.
struct Job<'j> {
    sql: &'j str,
    encoding: &'j ServerEncoding,
    on_stop: OnStop,
}

/// Runs a COPY and sends what comes on, until it ends or nobody takes it any more.
async fn send(
    connection: &mut Connection,
    job: Job<'_>,
    pieces: SyncSender<Piece>,
    spares: Receiver<Vec<u8>>,
) -> Result<(), Failure> {
    if connection.is_broken {
        return Err(Failure::Broken);
    }
    speak(connection, job.encoding).await?;
    let goes_back = job.on_stop == OnStop::GoBack;
    if goes_back {
        query::execute(&mut connection.session, "SAVEPOINT reading".to_owned()).await?;
    }
    // Whatever ends this before its last line leaves the driver somewhere in the middle; an error
    // of the server after the first row does not.
    connection.is_broken = true;
    let sent = {
        let mut stream = connection.session.copy_out_raw(job.sql).await?;
        match pass_on(&mut stream, &pieces, spares).await {
            Ok(Taken::InPart) => {
                let asked = goes_back && cancel(&connection.options, connection.process).await;
                match drain(&mut stream).await {
                    Ok(()) => {}
                    Err(error) if asked && is_canceled(&error) => {}
                    Err(error) => return Err(error.into()),
                }
                Ok(Taken::InPart)
            }
            sent => sent,
        }
    };
    drop(pieces);
    let taken = match sent {
        Ok(taken) => taken,
        Err(error) => {
            connection.is_broken = error.as_database_error().is_none();
            return Err(error.into());
        }
    };
    connection.is_broken = false;
    if goes_back {
        if taken == Taken::InPart {
            go_back(connection).await?;
        }
        query::execute(&mut connection.session, "RELEASE SAVEPOINT reading".to_owned()).await?;
    }
    speak_utf8(connection, job.encoding).await
}

async fn go_back(connection: &mut Connection) -> Result<(), Failure> {
    // A request to cancel that came too late hits this.
    let late = query::execute(&mut connection.session, "SELECT".to_owned()).await;
    if let Err(error) = late
        && !is_canceled(&error)
        && !is_aborted(&error)
    {
        return Err(error.into());
    }
    let back = "ROLLBACK TO SAVEPOINT reading".to_owned();
    Ok(query::execute(&mut connection.session, back).await?)
}

/// How much of a stream was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Whole,
    InPart,
}

async fn pass_on<B: AsRef<[u8]> + Send + 'static>(
    stream: &mut (impl Stream<Item = Result<B, sqlx::Error>> + Unpin),
    pieces: &SyncSender<Piece>,
    spares: Receiver<Vec<u8>>,
) -> Result<Taken, sqlx::Error> {
    let mut gathered = Vec::with_capacity(PIECE + LARGE);
    while let Some(message) = stream.try_next().await? {
        let bytes = message.as_ref();
        let is_large = bytes.len() >= LARGE;
        if !is_large {
            gathered.extend_from_slice(bytes);
        }
        if gathered.len() >= PIECE || (is_large && !gathered.is_empty()) {
            let next = spares.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE + LARGE));
            let full = std::mem::replace(&mut gathered, next);
            if pieces.send(Piece::Gathered(full)).is_err() {
                return Ok(Taken::InPart);
            }
        }
        if is_large {
            // Only one of them is in memory at a time.
            let (_taken, waiting) = channel();
            let message = Box::new(message);
            if pieces.send(Piece::Large { message, _taken }).is_err() {
                return Ok(Taken::InPart);
            }
            let _ = waiting.recv();
        }
    }
    if !gathered.is_empty() && pieces.send(Piece::Gathered(gathered)).is_err() {
        // The stream itself has ended.
        return Ok(Taken::Whole);
    }
    Ok(Taken::Whole)
}

async fn drain<B>(
    stream: &mut (impl Stream<Item = Result<B, sqlx::Error>> + Unpin),
) -> Result<(), sqlx::Error> {
    while stream.try_next().await?.is_some() {}
    Ok(())
}

fn is_canceled(error: &sqlx::Error) -> bool {
    has_code(error, "57014")
}

fn is_aborted(error: &sqlx::Error) -> bool {
    has_code(error, "25P02")
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|known| known == code)
}
