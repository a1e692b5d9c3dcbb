//! A database on a MySQL or MariaDB server that is read.
//!
//! Once [`MysqlSource::begin`] has returned, everything that is read of transactional tables is of
//! one moment, and no table can change its shape until [`MysqlSource::end`]. The connection lives
//! on a thread of its own; the methods block while it works.

use futures_util::FutureExt as _;

use super::connect::Purpose;
use super::connection::Connection;
use super::moment::{self, GlobalLock, Locked};
use super::rows::{self, Exactly, Layout};
use super::sql::text;
use super::{catalog, tables};
use crate::engine::error::EngineError;
use crate::engine::sqlite::OpenOptions;
use crate::engine::{ReadEnd, ReadFrom, ServerUrl};
use crate::model::snapshot::{Guarantee, Scope};
use crate::model::{Catalog, NotCaptured, RowSink, TableSpec, Value};

/// An open source.
pub struct MysqlSource {
    connection: Connection,
    url: ServerUrl,
    options: OpenOptions,
    locked: Locked,
    guarantee: Guarantee,
    readers: Vec<MysqlSource>,
    evidence: Vec<String>,
}

impl MysqlSource {
    /// Connects to a server.
    pub async fn open(url: &ServerUrl, options: &OpenOptions) -> Result<MysqlSource, EngineError> {
        let connection = Connection::open(url, options, Purpose::Read)?;
        Ok(MysqlSource {
            connection,
            url: url.clone(),
            options: options.clone(),
            locked: Locked::default(),
            guarantee: Guarantee::None,
            readers: Vec::new(),
            evidence: Vec::new(),
        })
    }

    /// What the account may not see, as far as its grants tell.
    pub async fn missing_rights(&mut self) -> Result<Vec<NotCaptured>, EngineError> {
        self.connection.call("read the rights on", |link| {
            let database = link.database.clone();
            async move { catalog::missing_rights(&mut link.connection, &database).await }.boxed()
        })
    }

    /// Begins the transaction in which everything is read, on as many connections as can begin at
    /// one moment: `readers` where the account may lock everybody out for that moment, else one.
    pub async fn begin(&mut self, readers: usize) -> Result<(), EngineError> {
        for _ in 0..moment::ATTEMPTS {
            if self.try_to_begin(readers).await? {
                return Ok(());
            }
            for mut reader in self.readers.drain(..) {
                reader.end().await?;
            }
            self.end().await?;
        }
        Err(moment::changed(&self.connection.name))
    }

    /// False where tables came or went before they were locked.
    async fn try_to_begin(&mut self, readers: usize) -> Result<bool, EngineError> {
        self.evidence.clear();
        self.readers.clear();
        self.locked =
            self.connection.call("lock the tables of", |link| moment::lock(link).boxed())?;
        for _ in 1..readers {
            let mut reader = MysqlSource::open(&self.url, &self.options).await?;
            reader.locked =
                reader.connection.call("lock the tables of", |link| moment::lock(link).boxed())?;
            self.readers.push(reader);
        }
        let before = self.position()?;
        if self.readers.is_empty() || !self.open_views_together()? {
            for mut reader in self.readers.drain(..) {
                reader.end().await?;
            }
            self.open_view()?;
            self.guarantee = Guarantee::SingleConnection;
        }
        let after = self.position()?;
        let locked = self.locked.clone();
        let is_locked = self.connection.call("list the tables of", move |link| {
            async move { moment::is_locked(link, &locked).await }.boxed()
        })?;
        self.tell_positions(before, after);
        Ok(is_locked)
    }

    /// Opens the views of all connections while nobody can commit; false where that cannot be had.
    fn open_views_together(&mut self) -> Result<bool, EngineError> {
        let taken = self
            .connection
            .run("lock", |link| async move { GlobalLock::take(link).await }.boxed())?;
        let lock = match taken {
            Ok(lock) => lock,
            Err(why) => {
                let told = format!("read by one connection: no global read lock ({why})");
                self.evidence.push(told);
                return Ok(false);
            }
        };
        let mut are_alike = true;
        let mut opened = self.open_view();
        for reader in &mut self.readers {
            are_alike &= reader.locked == self.locked;
            opened = opened.and_then(|()| reader.open_view());
        }
        // Whatever happened, the lock goes first.
        let was_held =
            self.connection.run("unlock", |_| async move { lock.release().await }.boxed())?;
        opened?;
        let is_one_moment = was_held && are_alike;
        if is_one_moment {
            self.guarantee = Guarantee::LockedStart;
            let guarantee = self.guarantee;
            self.readers.iter_mut().for_each(|reader| reader.guarantee = guarantee);
        } else {
            self.evidence
                .push("read by one connection: the global read lock did not hold".to_owned());
            // The view that is open stands; this connection alone goes on with it.
        }
        Ok(is_one_moment)
    }

    fn open_view(&mut self) -> Result<(), EngineError> {
        let locked = self.locked.clone();
        self.connection.call("open a consistent view of", move |link| {
            async move { moment::open_view(link, &locked).await }.boxed()
        })
    }

    fn position(&mut self) -> Result<Option<String>, EngineError> {
        self.connection.call("read the position of", |link| {
            async move { Ok(moment::position(link).await) }.boxed()
        })
    }

    fn tell_positions(&mut self, before: Option<String>, after: Option<String>) {
        self.evidence.push(match (before, after) {
            (Some(before), Some(after)) if before == after => before,
            (Some(before), Some(after)) => format!("between {before} and {after}"),
            _ => "the position in the binary log is not known".to_owned(),
        });
        for table in self.locked.without_snapshot() {
            self.evidence.push(format!(
                "table `{}` is not snapshot-consistent: {} has no snapshots",
                table.name, table.engine
            ));
        }
    }

    /// The other connections that began at the same moment, to read with.
    pub fn take_readers(&mut self) -> Vec<MysqlSource> {
        std::mem::take(&mut self.readers)
    }

    /// How consistent what is read is.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// Ends the transaction.
    pub async fn end(&mut self) -> Result<(), EngineError> {
        self.connection.call("end the transaction in", |link| moment::end(link).boxed())
    }

    /// Closes the connection.
    pub async fn close(self) -> Result<(), EngineError> {
        // The thread ends with the connection, and the server notices.
        drop(self);
        Ok(())
    }

    /// Everything the catalog says.
    pub async fn catalog(&mut self, scope: &Scope) -> Result<Catalog, EngineError> {
        let asked = scope.clone();
        let catalog = self.connection.call("read the catalog of", move |link| {
            async move { tables::catalog(link, &asked).await }.boxed()
        })?;
        self.locked.check_rights(&self.connection.name, &catalog)?;
        Ok(catalog)
    }

    /// What the consistency rests on.
    pub async fn evidence(&mut self) -> Result<Vec<String>, EngineError> {
        let isolation = self.connection.call("read the isolation level of", |link| {
            async move { Ok(moment::isolation(link).await) }.boxed()
        })?;
        let isolation = isolation.unwrap_or_default().replace('-', " ").to_lowercase();
        let mut evidence = vec![format!("one read transaction, {isolation}")];
        evidence.extend(self.evidence.iter().cloned());
        let length = self.history_length()?;
        evidence.extend(length.map(|length| format!("history list length {length}")));
        Ok(evidence)
    }

    /// How many changes the server keeps for this and other readers.
    pub async fn cost(&mut self) -> Result<Option<String>, EngineError> {
        let length = self.history_length()?;
        Ok(length.map(|length| format!("at the end the history list length was {length}")))
    }

    fn history_length(&mut self) -> Result<Option<u64>, EngineError> {
        self.connection.call("read the history list length of", |link| {
            async move { Ok(moment::history_length(link).await) }.boxed()
        })
    }

    /// The server program and its version.
    pub fn server(&self) -> String {
        self.connection.server()
    }

    /// The server and the database.
    pub fn identity(&self) -> String {
        self.connection.identity()
    }

    /// Sends rows to the sink.
    pub async fn read_rows<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let layout = Layout::of(table);
        let sql = rows::scan(&layout, table, from)?;
        self.connection.select(table, &layout, sql, sink)
    }

    /// The exact number of rows.
    pub async fn count_rows(&mut self, table: &TableSpec) -> Result<u64, EngineError> {
        self.connection.count_rows(table)
    }

    /// About how many rows there are.
    pub async fn estimated_rows(&mut self, table: &TableSpec) -> Result<Option<u64>, EngineError> {
        let action = format!("estimate the rows of table `{}` of", table.name);
        let sql = format!(
            "SELECT TABLE_ROWS FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            text(self.url.database.as_deref().unwrap_or_default()),
            text(&table.name.name)
        );
        self.connection.ask(&action, sql)
    }

    /// Sends the row with exactly this key; says how many there were.
    pub async fn read_row_by_key<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        key: &[Value],
        sink: &mut S,
    ) -> Result<u64, EngineError> {
        let layout = Layout::of(table);
        let sql = rows::lookup(&layout, table, key).ok_or_else(|| EngineError::Unsupported {
            database: self.connection.name.clone(),
            what: format!("table `{}` has no such key to find its rows by", table.name),
        })?;
        let mut exactly = Exactly::new(table, key, sink);
        self.connection.select(table, &layout, sql, &mut exactly)?;
        Ok(exactly.rows)
    }
}
