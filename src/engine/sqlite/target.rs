//! A SQLite database that is changed: a file, a new file, or a scratch database in memory.
//!
//! A [`SqliteTarget`] is the connection; a [`SqliteSession`] holds its handle, and everything it
//! does is synchronous, so a pack's thousands of statements cost no message to another thread.
//! Foreign keys are enforced; triggers run. A session that is dropped inside a transaction leaves
//! it open; a target that is dropped rolls it back.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::SqliteOperation;

use super::connect::{Access, Footprint, Link, Locked, OpenOptions, beside, classify};
use super::handle::{Bind, Switch, library_version};
use super::prepared::{self, SqliteLoader, SqlitePrepared};
use super::put_off::PutOff;
use super::rows::{self, KeyReader};
use super::sql::quoted;
use super::types::{StorageClass, TextEncoding, bind_stored};
use super::{catalog, types, violations};
use crate::engine::error::EngineError;
use crate::engine::url::canonical;
use crate::engine::{
    ForeignKeyViolation, LargeKind, RECEIPTS_TABLE, ReadEnd, ReadFrom, Receipt, TableChanges,
    Unenforced,
};
use crate::model::snapshot::Scope;
use crate::model::{
    Attribute, Catalog, Fact, KeyColumn, ObjectKind, ObjectName, RowSink, TableSpec, Value,
};

/// How much of a statement an error message shows.
const SHOWN_SQL: usize = 120;

type ChangesByTable = Arc<Mutex<HashMap<String, TableChanges>>>;

/// An open target.
pub struct SqliteTarget {
    link: Link,
    /// The file; none for a scratch database.
    path: Option<PathBuf>,
    footprint: Option<Footprint>,
    encoding: TextEncoding,
}

impl SqliteTarget {
    /// Opens an existing file for writing. A file that cannot be written is refused.
    pub async fn open(path: &Path, options: &OpenOptions) -> Result<SqliteTarget, EngineError> {
        let path = canonical(path)?;
        let footprint = Footprint::of(&path);
        let mut link = Link::open(&path, Access::Write, options).await?;
        match prepare(&mut link).await {
            Ok(encoding) => {
                let footprint = Some(footprint);
                Ok(SqliteTarget { link, path: Some(path), footprint, encoding })
            }
            Err(error) => {
                // The first error is the one to report.
                let _ = link.close().await;
                footprint.restore().await;
                Err(error)
            }
        }
    }

    /// Creates a file. One that is there already, or the remains of one, is refused. The facts are
    /// those of the schema it will get: its encoding and vacuum mode must be set first.
    pub async fn create(
        path: &Path,
        facts: &[Fact],
        options: &OpenOptions,
    ) -> Result<SqliteTarget, EngineError> {
        let path = new_path(path)?;
        let link = Link::open(&path, Access::Create, options).await?;
        SqliteTarget::fresh(link, Some(path), facts).await
    }

    /// An empty database in memory, for proving a plan. The facts are as for
    /// [`SqliteTarget::create`].
    pub async fn scratch(
        facts: &[Fact],
        options: &OpenOptions,
    ) -> Result<SqliteTarget, EngineError> {
        let link = Link::in_memory(options).await?;
        SqliteTarget::fresh(link, None, facts).await
    }

    async fn fresh(
        mut link: Link,
        path: Option<PathBuf>,
        facts: &[Fact],
    ) -> Result<SqliteTarget, EngineError> {
        let locked = link.lock().await?;
        // Before anything reads the file: both are fixed with its first page.
        let mut settings = Vec::new();
        if let Some(Attribute::Text(encoding)) = setting(facts, "encoding") {
            settings.push(format!("PRAGMA encoding = {}", quoted(encoding)));
        }
        if let Some(Attribute::Text(vacuum)) = setting(facts, "auto_vacuum") {
            settings.push(format!("PRAGMA auto_vacuum = {}", quoted(vacuum)));
        }
        for setting in settings {
            locked.execute(&setting, "set up")?;
        }
        locked.configure(Access::Create)?;
        let encoding = locked.encoding()?;
        drop(locked);
        Ok(SqliteTarget { link, path, footprint: None, encoding })
    }

    /// The absolute path, or what a scratch database is called.
    pub fn identity(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => self.link.name.clone(),
        }
    }

    /// The library that writes the file, which is the server here.
    pub fn server(&self) -> String {
        format!("SQLite {}", library_version())
    }

    /// Takes the handle for any number of operations.
    pub async fn session(&mut self) -> Result<SqliteSession<'_>, EngineError> {
        let encoding = self.encoding;
        let locked = self.link.lock().await?;
        Ok(SqliteSession { locked, encoding, changes: None, put_off: PutOff::default() })
    }

    /// Closes the connection. An open transaction is rolled back.
    pub async fn close(self) -> Result<(), EngineError> {
        let closed = self.link.close().await;
        if let Some(footprint) = self.footprint {
            footprint.restore().await;
        }
        closed
    }
}

/// Holds the handle of a target.
pub struct SqliteSession<'a> {
    locked: Locked<'a>,
    encoding: TextEncoding,
    changes: Option<ChangesByTable>,
    /// What is set back when the transaction has ended.
    put_off: PutOff,
}

impl SqliteSession<'_> {
    /// Begins a transaction that holds the write lock from now on.
    pub fn begin(&self) -> Result<(), EngineError> {
        self.put_off.set_back(&self.locked)?;
        self.locked.execute("BEGIN IMMEDIATE", "begin a transaction on")
    }

    /// Begins a transaction in which tables can be built anew: foreign keys are not enforced, and a
    /// table that is renamed changes no text but its own. Both are as before when the transaction
    /// has ended, however it ends. Refused where a transaction is open: there SQLite would go on
    /// enforcing foreign keys, and say nothing.
    pub fn begin_rebuild(&self) -> Result<(), EngineError> {
        if self.is_in_transaction() {
            return Err(EngineError::Unsupported {
                database: self.locked.name.to_owned(),
                what: "tables cannot be built anew in a transaction that is open already"
                    .to_owned(),
            });
        }
        let begun = self
            .put_off
            .put_off(&self.locked)
            .and_then(|()| self.locked.execute("BEGIN IMMEDIATE", "begin a transaction on"));
        if begun.is_err() {
            // The first error is the one to report; the next transaction tries again.
            let _ = self.put_off.set_back(&self.locked);
        }
        begun
    }

    /// Whether foreign keys are enforced outside of transactions that put them off.
    pub fn enforces_foreign_keys(&self) -> Result<bool, EngineError> {
        self.put_off.enforces_foreign_keys(&self.locked)
    }

    /// Begins a transaction in which foreign keys are not enforced; they stay so until the
    /// connection is closed. Triggers are created when rows are in.
    pub fn begin_restore(&self) -> Result<Unenforced, EngineError> {
        self.locked.execute("PRAGMA foreign_keys = OFF", "set up")?;
        self.begin()?;
        Ok(Unenforced { foreign_keys: true, triggers: false })
    }

    /// Nothing to do: the transaction holds the lock of the whole file.
    pub fn lock_tables(&self, _tables: &[&TableSpec]) -> Result<(), EngineError> {
        Ok(())
    }

    /// Nothing to do: what receipts need is made in their transaction.
    pub fn prepare_receipts(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// The receipts of a pack, the last one last.
    pub fn receipts(&self, pack: &str) -> Result<Vec<Receipt>, EngineError> {
        let wrong = |failure| classify(self.locked.name, "read the receipts of", failure);
        let there = format!(
            "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = '{RECEIPTS_TABLE}'"
        );
        if self.locked.query_int(&there, "read the receipts of")? != Some(1) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT pack, target, direction, at, statements FROM main.{} ORDER BY id",
            quoted(RECEIPTS_TABLE)
        );
        let mut statement = self.locked.database.prepare(&sql).map_err(wrong)?;
        let mut receipts = Vec::new();
        while statement.step().map_err(wrong)? {
            let mut text = |column| -> Result<String, EngineError> {
                Ok(statement.text(column).map_err(wrong)?.unwrap_or_default().to_owned())
            };
            let receipt = Receipt {
                pack: text(0)?,
                target: text(1)?,
                direction: text(2)?,
                at: text(3)?,
                statements: text(4)?.parse().unwrap_or_default(),
            };
            if receipt.pack == pack {
                receipts.push(receipt);
            }
        }
        Ok(receipts)
    }

    /// Writes a receipt.
    pub fn write_receipt(&self, receipt: &Receipt) -> Result<(), EngineError> {
        let table = quoted(RECEIPTS_TABLE);
        self.execute(&format!(
            "CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, pack TEXT NOT NULL, \
             target TEXT NOT NULL, direction TEXT NOT NULL, at TEXT NOT NULL, \
             statements INTEGER NOT NULL)"
        ))?;
        let statements = i64::try_from(receipt.statements).unwrap_or(i64::MAX);
        self.prepare(&format!(
            "INSERT INTO {table} (pack, target, direction, at, statements) \
             VALUES (?1, ?2, ?3, ?4, ?5)"
        ))?
        .run(&[
            Value::Text(receipt.pack.clone()),
            Value::Text(receipt.target.clone()),
            Value::Text(receipt.direction.clone()),
            Value::Text(receipt.at.clone()),
            Value::Int(statements),
        ])?;
        Ok(())
    }

    /// Commits. After it, closing the target may move the log into the file, as for any writer.
    pub fn commit(&self) -> Result<(), EngineError> {
        self.locked.execute("COMMIT", "commit to")?;
        if let Err(error) = self.put_off.set_back(&self.locked) {
            // What is committed is committed; the next transaction tries again.
            tracing::warn!(%error, "settings of the connection are not set back yet");
        }
        self.locked
            .database
            .switch(Switch::NoCheckpointOnClose, false)
            .map_err(|failure| classify(self.locked.name, "configure", failure))
    }

    /// Rolls back, if a transaction is still open: some errors make SQLite do it by itself.
    pub fn rollback(&self) -> Result<(), EngineError> {
        if self.locked.database.is_in_transaction() {
            self.locked.execute("ROLLBACK", "roll back")?;
        }
        self.put_off.set_back(&self.locked)
    }

    /// Whether a transaction is open.
    pub fn is_in_transaction(&self) -> bool {
        self.locked.database.is_in_transaction()
    }

    /// Runs one statement and says how many rows it changed directly (triggers and foreign key
    /// actions not counted; nothing for statements that change no rows).
    pub fn execute(&self, sql: &str) -> Result<u64, EngineError> {
        let wrong = |failure| classify(self.locked.name, &shown(sql), failure);
        let mut statement = self.locked.database.prepare(sql).map_err(wrong)?;
        prepared::run(&self.locked, &mut statement, &[]).map_err(wrong)
    }

    /// Runs statements one after the other, until one fails.
    pub fn execute_each(&self, statements: &[&str]) -> (Vec<u64>, Result<(), EngineError>) {
        let mut changed = Vec::with_capacity(statements.len());
        for statement in statements {
            match self.execute(statement) {
                Ok(rows) => changed.push(rows),
                Err(error) => return (changed, Err(error)),
            }
        }
        (changed, Ok(()))
    }

    /// Runs one statement with parameters, in their order: what they are and the bytes as SQLite
    /// keeps them. Says what [`SqliteSession::execute`] says.
    pub fn execute_with(
        &self,
        sql: &str,
        parameters: &[(LargeKind, &[u8])],
    ) -> Result<u64, EngineError> {
        let wrong = |failure| classify(self.locked.name, &shown(sql), failure);
        let mut statement = self.locked.database.prepare(sql).map_err(wrong)?;
        let mut rooms = vec![Vec::new(); parameters.len()];
        let binds: Vec<Bind<'_>> = parameters
            .iter()
            .zip(&mut rooms)
            .map(|((kind, bytes), room)| {
                let class = match kind {
                    LargeKind::Text => StorageClass::Text,
                    LargeKind::Bytes => StorageClass::Blob,
                };
                bind_stored(class, bytes, self.encoding, room)
            })
            .collect();
        prepared::run(&self.locked, &mut statement, &binds).map_err(wrong)
    }

    /// Runs the statements of a text one after the other.
    pub fn execute_script(&self, sql: &str) -> Result<(), EngineError> {
        let mut rest = sql;
        while !rest.is_empty() {
            let wrong = |failure| classify(self.locked.name, &shown(rest), failure);
            let (statement, after) = self.locked.database.prepare_first(rest).map_err(wrong)?;
            if let Some(mut statement) = statement {
                while statement.step().map_err(wrong)? {}
            }
            rest = after;
        }
        Ok(())
    }

    /// Fills a table with rows.
    pub fn loader(&self, table: &TableSpec) -> Result<SqliteLoader<'_>, EngineError> {
        let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let into = quoted(&table.name.name);
        let insert = if names.is_empty() {
            self.prepare(&format!("INSERT INTO main.{into} DEFAULT VALUES"))?
        } else {
            let places = vec!["?"; names.len()].join(", ");
            let names = names.join(", ");
            self.prepare(&format!("INSERT INTO main.{into} ({names}) VALUES ({places})"))?
        };
        Ok(SqliteLoader::new(insert))
    }

    /// Prepares a statement that is run many times.
    pub fn prepare(&self, sql: &str) -> Result<SqlitePrepared<'_>, EngineError> {
        let shown = shown(sql);
        let statement = self
            .locked
            .database
            .prepare(sql)
            .map_err(|failure| classify(self.locked.name, &shown, failure))?;
        Ok(SqlitePrepared::new(&self.locked, self.encoding, statement, shown))
    }

    /// The catalog as this transaction sees it.
    pub fn catalog(&self, scope: &Scope) -> Result<Catalog, EngineError> {
        catalog::read(&self.locked, self.encoding, scope)
    }

    /// Sends rows to the sink, as this transaction sees them.
    pub fn read_rows<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        rows::read(&self.locked, self.encoding, table, from, sink)
    }

    /// The exact number of rows.
    pub fn count_rows(&self, table: &TableSpec) -> Result<u64, EngineError> {
        rows::count(&self.locked, table)
    }

    /// Sends the rows that have one of these keys.
    pub fn rows_by_keys<S: RowSink + ?Sized>(
        &self,
        table: &TableSpec,
        keys: &[Vec<Value>],
        sink: &mut S,
    ) -> Result<(), EngineError> {
        let mut reader = self.key_reader(table)?;
        for key in keys {
            reader.read(key, sink)?;
        }
        Ok(())
    }

    /// A reader of rows by key.
    pub fn key_reader<'s>(&'s self, table: &'s TableSpec) -> Result<KeyReader<'s>, EngineError> {
        KeyReader::new(&self.locked, self.encoding, table)
    }

    /// Sends rows of a child table that reference these values of a parent's key.
    pub fn referencing_rows<S: RowSink + ?Sized>(
        &self,
        child: &TableSpec,
        columns: &[KeyColumn],
        parent_key: &[Value],
        limit: u64,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let locked = &self.locked;
        rows::read_referencing(locked, self.encoding, child, columns, parent_key, limit, sink)
    }

    /// Foreign keys that point nowhere, at most `limit` of them. Those of which SQLite says that
    /// they fit no key of their parent cannot be looked at.
    pub fn foreign_key_check(&self, limit: usize) -> Result<Vec<ForeignKeyViolation>, EngineError> {
        violations::find(&self.locked, limit)
    }

    /// Nothing to do: where checks wait, [`SqliteSession::foreign_key_check`] makes them.
    pub fn check_deferred(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// No limit beside that of the dialect.
    pub fn longest_statement(&self) -> Result<Option<u64>, EngineError> {
        Ok(None)
    }

    /// How many rows were changed on this connection so far, triggers and foreign key actions
    /// included.
    pub fn total_changes(&self) -> Option<u64> {
        Some(self.locked.database.total_changes())
    }

    /// Counts changes per table from now on, those of triggers and foreign key actions included.
    /// SQLite tells nothing of tables WITHOUT ROWID: their changes are only in
    /// [`SqliteSession::total_changes`].
    pub fn watch_changes(&mut self) {
        let changes: ChangesByTable = Arc::default();
        self.changes = Some(Arc::clone(&changes));
        let Some(handle) = self.locked.database.lent() else {
            return;
        };
        handle.set_update_hook(move |change| {
            let mut changes = changes.lock().unwrap_or_else(PoisonError::into_inner);
            if !changes.contains_key(change.table) {
                changes.insert(change.table.to_owned(), TableChanges::default());
            }
            if let Some(table) = changes.get_mut(change.table) {
                match change.operation {
                    SqliteOperation::Insert => table.inserted += 1,
                    SqliteOperation::Update => table.updated += 1,
                    SqliteOperation::Delete => table.deleted += 1,
                    SqliteOperation::Unknown(_) => {}
                }
            }
        });
    }

    /// The changes per table since [`SqliteSession::watch_changes`], or since this was last asked.
    pub fn take_changes(&self) -> Result<Option<BTreeMap<ObjectName, TableChanges>>, EngineError> {
        let Some(changes) = &self.changes else {
            return Ok(None);
        };
        let mut changes = changes.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = changes.drain().map(|(table, count)| (ObjectName::bare(table), count));
        // SQLite's own tables: sequences move with the rows they number.
        let of_users = changes.filter(|(table, _)| !table.name.starts_with("sqlite_"));
        Ok(Some(of_users.collect()))
    }

    /// Sets the settings among the facts that can be set in a transaction.
    pub fn apply_settings(&self, facts: &[Fact]) -> Result<(), EngineError> {
        for name in ["user_version", "application_id"] {
            if let Some(Attribute::Number(value)) = setting(facts, name) {
                self.locked.execute(&format!("PRAGMA main.{name} = {value}"), "set up")?;
            }
        }
        Ok(())
    }

    /// The encoding of the database's text.
    pub fn encoding(&self) -> types::TextEncoding {
        self.encoding
    }
}

async fn prepare(link: &mut Link) -> Result<TextEncoding, EngineError> {
    let locked = link.lock().await?;
    locked.configure(Access::Write)?;
    locked.query_int("SELECT count(*) FROM main.sqlite_schema", "open")?;
    if locked.database.is_read_only() {
        return Err(EngineError::Privilege {
            database: locked.name.to_owned(),
            action: "write to".to_owned(),
            message: "the file is read-only".to_owned(),
        });
    }
    locked.encoding()
}

/// The absolute path of a file that is to be created.
fn new_path(path: &Path) -> Result<PathBuf, EngineError> {
    let database = path.display().to_string();
    let missing = |reason: &str| EngineError::NotFound {
        database: database.clone(),
        reason: reason.to_owned(),
    };
    let name = path.file_name().ok_or_else(|| missing("the path names no file"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(|_| missing("its folder does not exist"))?;
    let path = folder.join(name);
    // A journal without its database would be taken for one of the new file.
    let remains = ["", "-journal", "-wal"].map(|suffix| beside(&path, suffix));
    match remains.iter().find(|file| file.symlink_metadata().is_ok()) {
        Some(file) => Err(EngineError::Exists { database: file.display().to_string() }),
        None => Ok(path),
    }
}

fn setting<'f>(facts: &'f [Fact], name: &str) -> Option<&'f Attribute> {
    facts
        .iter()
        .find(|fact| fact.id.kind == ObjectKind::Setting && fact.id.object.name == name)
        .and_then(|fact| fact.attributes.get("value"))
}

/// What an error says was being done: the head of the statement.
fn shown(sql: &str) -> String {
    let sql = sql.trim_start();
    let mut head: String = sql.chars().take(SHOWN_SQL).collect();
    if head.len() < sql.len() {
        head.push('…');
    }
    format!("run `{}` on", head.trim_end())
}
