//! A SQLite file that is read: one connection, one read transaction.
//!
//! The source is never written and leaves no log files behind where that can be avoided. Once
//! [`SqliteSource::begin`] has returned, everything that is read is of one moment, whatever other
//! programs do.

use std::path::PathBuf;

use super::connect::{Access, Footprint, Link, OpenOptions, beside};
use super::handle::library_version;
use super::types::TextEncoding;
use super::{catalog, rows};
use crate::engine::error::EngineError;
use crate::engine::url::canonical;
use crate::engine::{ReadEnd, ReadFrom};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, RowSink, TableSpec, Value};

/// An open source.
pub struct SqliteSource {
    link: Link,
    path: PathBuf,
    footprint: Footprint,
    encoding: TextEncoding,
}

impl SqliteSource {
    /// Opens an existing file for reading.
    pub async fn open(
        path: &std::path::Path,
        options: &OpenOptions,
    ) -> Result<SqliteSource, EngineError> {
        let path = canonical(path)?;
        let footprint = Footprint::of(&path);
        let mut link = Link::open(&path, Access::Read, options).await?;
        match prepare(&mut link).await {
            Ok(encoding) => Ok(SqliteSource { link, path, footprint, encoding }),
            Err(error) => {
                // The first error is the one to report.
                let _ = link.close().await;
                footprint.restore().await;
                Err(error)
            }
        }
    }

    /// Begins the read transaction. It starts with the first read, which is done here.
    pub async fn begin(&mut self) -> Result<(), EngineError> {
        let locked = self.link.lock().await?;
        locked.execute("BEGIN DEFERRED", "begin reading")?;
        locked.query_int("SELECT count(*) FROM main.sqlite_schema", "begin reading")?;
        Ok(())
    }

    /// Ends the read transaction.
    pub async fn end(&mut self) -> Result<(), EngineError> {
        let locked = self.link.lock().await?;
        if locked.database.is_in_transaction() {
            locked.execute("ROLLBACK", "end reading")?;
        }
        Ok(())
    }

    /// Closes the connection and removes log files that reading made.
    pub async fn close(self) -> Result<(), EngineError> {
        let closed = self.link.close().await;
        self.footprint.restore().await;
        closed
    }

    /// Everything the catalog says.
    pub async fn catalog(&mut self, scope: &Scope) -> Result<Catalog, EngineError> {
        let encoding = self.encoding;
        catalog::read(&self.link.lock().await?, encoding, scope)
    }

    /// What the consistency of the reading rests on.
    pub async fn evidence(&mut self) -> Result<Vec<String>, EngineError> {
        let action = "read the state of";
        let size = self.path.metadata().map(|file| file.len());
        let log = beside(&self.path, "-wal").metadata().map(|file| file.len());
        let locked = self.link.lock().await?;
        let mut evidence = Vec::new();
        if locked.database.is_in_transaction() {
            evidence.push("one read transaction on one connection".to_owned());
        }
        let journal = locked.query_text("PRAGMA main.journal_mode", action)?;
        evidence.push(format!("journal mode {journal}"));
        if let Some(version) = locked.query_int("PRAGMA main.data_version", action)? {
            evidence.push(format!("data version {version}"));
        }
        if let Some(version) = locked.query_int("PRAGMA main.schema_version", action)? {
            evidence.push(format!("schema version {version}"));
        }
        if let Some(header) = locked.database.file_header() {
            let counter = u32::from_be_bytes([header[24], header[25], header[26], header[27]]);
            evidence.push(format!("file change counter {counter}"));
        }
        if let Ok(size) = size {
            evidence.push(format!("file of {size} bytes"));
        }
        if let Ok(log) = log {
            evidence.push(format!("write-ahead log of {log} bytes"));
        }
        Ok(evidence)
    }

    /// The library that reads the file, which is the server here.
    pub fn server(&self) -> String {
        format!("SQLite {}", library_version())
    }

    /// The absolute path.
    pub fn identity(&self) -> String {
        self.path.display().to_string()
    }

    /// The encoding of the database's text.
    pub fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    /// Sends rows to the sink.
    pub async fn read_rows<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let encoding = self.encoding;
        rows::read(&self.link.lock().await?, encoding, table, from, sink)
    }

    /// The exact number of rows.
    pub async fn count_rows(&mut self, table: &TableSpec) -> Result<u64, EngineError> {
        rows::count(&self.link.lock().await?, table)
    }

    /// About how many rows there are, without reading them; for progress only.
    pub async fn estimated_rows(&mut self, table: &TableSpec) -> Result<Option<u64>, EngineError> {
        // A row takes at least this many bytes of the file.
        const SMALLEST_ROW: u64 = 4;
        let size = self.path.metadata().map_or(0, |file| file.len())
            + beside(&self.path, "-wal").metadata().map_or(0, |file| file.len());
        let locked = self.link.lock().await?;
        let estimate = rows::estimate(&locked, table)?;
        Ok(estimate.filter(|&rows| rows <= size / SMALLEST_ROW))
    }

    /// Sends the row with exactly this key; says how many there were.
    pub async fn read_row_by_key<S: RowSink + ?Sized>(
        &mut self,
        table: &TableSpec,
        key: &[Value],
        sink: &mut S,
    ) -> Result<u64, EngineError> {
        let encoding = self.encoding;
        let locked = self.link.lock().await?;
        let mut reader = rows::KeyReader::new(&locked, encoding, table)?;
        reader.read(key, sink)
    }
}

/// Sets the connection up. The first thing that needs the file is the encoding, so what is wrong
/// with the file is found here.
async fn prepare(link: &mut Link) -> Result<TextEncoding, EngineError> {
    let locked = link.lock().await?;
    locked.configure(Access::Read)?;
    locked.query_int("SELECT count(*) FROM main.sqlite_schema", "open")?;
    locked.encoding()
}
