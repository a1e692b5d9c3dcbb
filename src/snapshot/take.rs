//! Taking a snapshot from beginning to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::checkpoint::{Finished, Progress, Unfinished};
use super::error::SnapshotError;
use super::lists;
use super::pace::{Limits, Pace};
use super::parallel::Readers;
use super::table::{self, Amount, ReadTable, RowMemory, TableRead};
use crate::codec::state::{self, StoredTable};
use crate::codec::{Kind, state::write_table};
use crate::engine::{EngineError, Source};
use crate::model::snapshot::{Guarantee, Scope, Snapshot, SourceInfo, State, TreeRoot};
use crate::model::{Catalog, ObjectId, ObjectName, SnapshotId, StateId, TableSpec};
use crate::store::{ObjectSink as _, Writer};
use crate::tree::{ChunkPool, ScratchSpace, StoreMode};

/// What a snapshot shall be.
pub struct Request<'a> {
    /// The source's name in the configuration, or its URL without secrets.
    pub label: &'a str,
    /// The rules to read by.
    pub scope: &'a Scope,
    /// Whether values are stored.
    pub mode: StoreMode,
    /// Threads that hash and compress.
    pub jobs: usize,
    /// Connections that read, where the engine can read one moment by several.
    pub readers: usize,
    /// What the source may be asked.
    pub limits: Limits,
    /// The snapshots before this one.
    pub parents: Vec<SnapshotId>,
    /// Who takes it.
    pub author: &'a str,
    /// What the author says of it.
    pub message: &'a str,
    /// How often what was read is made safe against an interruption.
    pub checkpoint_every: Duration,
    /// How much of a table is in memory.
    pub memory: RowMemory,
    /// Where an interrupted snapshot stopped.
    pub resume: Option<Progress>,
}

/// Follows a snapshot while it is taken.
pub trait Observer: Sync {
    /// A table begins; with an estimate of its rows where there is one.
    fn table(&self, name: &ObjectName, estimate: Option<u64>);
    /// So many rows of the table were read.
    fn rows(&self, done: u64);
    /// Whether to stop in order, leaving a checkpoint.
    fn should_stop(&self) -> bool;
    /// Keeps a checkpoint; everything it relies on is in the writer.
    fn keep(&self, progress: &Progress) -> Result<(), SnapshotError>;
}

/// A snapshot that was taken; its objects are in the writer, not yet published.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The snapshot's id.
    pub id: SnapshotId,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// How many tables it has.
    pub tables: u64,
    /// How many rows.
    pub rows: u64,
    /// How many bytes of row-hash preimages.
    pub bytes: u64,
    /// The rules of the scope that had no effect, in words.
    pub unused_rules: Vec<String>,
}

/// How the taking ended.
pub enum Outcome {
    /// Everything was read.
    Taken(Box<Taken>),
    /// It was stopped; a checkpoint was kept.
    Interrupted,
}

/// Reads a source, in one transaction that this begins, into the writer.
pub fn take(
    runtime: &Runtime,
    source: &mut Source,
    writer: &Writer,
    scratch: &Arc<dyn ScratchSpace>,
    request: Request<'_>,
    observer: &dyn Observer,
) -> Result<Outcome, SnapshotError> {
    runtime.block_on(source.begin(request.readers))?;
    let started = now();
    let pace = Pace::new(request.limits.clone());
    let catalog = runtime.block_on(source.catalog(request.scope))?;
    let others = runtime.block_on(source.readers(request.readers.saturating_sub(1)))?;
    let connections = others.len() + 1;
    let mut evidence = runtime.block_on(source.evidence())?;
    let info = SourceInfo {
        label: request.label.to_owned(),
        identity: source.identity(),
        server: source.server(),
    };
    let mut progress = match &request.resume {
        Some(before) => before.resumed(&info.identity, request.scope, request.mode, started)?,
        None => Progress::new(&info.identity, request.scope, request.mode, started),
    };
    let is_resumed = request.resume.is_some();
    // The thread that reads encodes chunks, too, whenever the others have enough to do. Where it
    // waits for a server instead of reading, it is not counted among those that encode.
    let workers = request.jobs.saturating_sub(usize::from(!source.is_remote()));
    let outcome = ChunkPool::scope(writer, workers, |pool| {
        let mut session = Session {
            runtime,
            source,
            writer,
            pool,
            scratch,
            request: &request,
            observer,
            pace: &pace,
        };
        let Some(tables) = session.tables(&catalog, &mut progress, others)? else {
            return Ok::<_, SnapshotError>(None);
        };
        let facts = lists::facts(pool, scratch, &catalog)?;
        let listed: Vec<_> = tables.iter().map(|t| (t.stored.spec.name.clone(), t.id)).collect();
        let table_list = lists::tables(pool, scratch, &listed)?;
        let definitions = lists::definitions(pool, scratch, &catalog)?;
        Ok(Some((tables, facts, table_list, definitions)))
    })?;
    let Some((tables, facts, table_list, definitions)) = outcome else {
        return Ok(Outcome::Interrupted);
    };
    evidence.extend(runtime.block_on(source.cost())?);
    runtime.block_on(source.end())?;
    if is_resumed {
        evidence.push("read in more than one session; see the times".to_owned());
    }
    let state = State {
        engine: source.engine().to_owned(),
        scope: request.scope.clone(),
        facts,
        tables: table_list,
    };
    let state = StateId(writer.put(Kind::State, &state::write_state(&state))?);
    let snapshot = Snapshot {
        state,
        source: info,
        read_at: progress.sessions_until(now()),
        guarantee: if is_resumed { Guarantee::Resumed } else { source.guarantee(connections) },
        evidence,
        not_captured: catalog.not_captured,
        sequences: catalog.sequences,
        definitions,
        is_hash_only: request.mode == StoreMode::HashOnly,
        parents: request.parents,
        author: request.author.to_owned(),
        message: request.message.to_owned(),
    };
    let id = SnapshotId(writer.put(Kind::Snapshot, &state::write_snapshot(&snapshot))?);
    let sum = |count: fn(&TreeRoot) -> u64| tables.iter().map(|t| count(&t.stored.rows)).sum();
    Ok(Outcome::Taken(Box::new(Taken {
        id,
        snapshot,
        tables: tables.len() as u64,
        rows: sum(|root| root.rows),
        bytes: sum(|root| root.bytes),
        unused_rules: catalog.unused_rules,
    })))
}

/// Now, in microseconds since 1970 UTC.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

struct Session<'a, 's> {
    runtime: &'a Runtime,
    source: &'a mut Source,
    writer: &'s Writer,
    pool: &'a ChunkPool<'s>,
    scratch: &'a Arc<dyn ScratchSpace>,
    request: &'a Request<'a>,
    observer: &'a dyn Observer,
    pace: &'a Pace,
}

/// A table whose rows are in the writer.
pub(super) struct WrittenTable {
    pub(super) id: ObjectId,
    pub(super) stored: StoredTable,
}

impl Session<'_, '_> {
    /// Reads every table; `None` where it was stopped.
    fn tables(
        &mut self,
        catalog: &Catalog,
        progress: &mut Progress,
        others: Vec<Source>,
    ) -> Result<Option<Vec<WrittenTable>>, SnapshotError> {
        if !others.is_empty() {
            return self.tables_by_several(catalog, progress, others);
        }
        let mut written = Vec::with_capacity(catalog.tables.len());
        let mut last_checkpoint = Instant::now();
        for spec in &catalog.tables {
            if let Some(table) = self.finished_before(spec, progress)? {
                written.push(table);
                continue;
            }
            let read = self.table(spec, progress, &mut last_checkpoint)?;
            let TableRead::Whole(rows) = read else {
                return Ok(None);
            };
            let stored = StoredTable { spec: stored_spec(spec), rows };
            let id = self.writer.put(Kind::Table, &write_table(&stored))?;
            progress.finished.push(Finished { table: spec.name.clone(), id });
            progress.unfinished = None;
            written.push(WrittenTable { id, stored });
        }
        Ok(Some(written))
    }

    fn tables_by_several(
        &mut self,
        catalog: &Catalog,
        progress: &mut Progress,
        others: Vec<Source>,
    ) -> Result<Option<Vec<WrittenTable>>, SnapshotError> {
        let written = catalog.tables.iter().map(|spec| self.finished_before(spec, progress));
        let written = written.collect::<Result<Vec<_>, _>>()?;
        // Where a single connection stopped within a table, the table is read anew.
        progress.unfinished = None;
        let readers = Readers {
            writer: self.writer,
            pool: self.pool,
            scratch: self.scratch,
            request: self.request,
            observer: self.observer,
            pace: self.pace,
        };
        readers.tables(catalog, written, progress, (self.runtime, &mut *self.source), others)
    }

    /// A table that was read whole before the snapshot was interrupted.
    fn finished_before(
        &self,
        spec: &TableSpec,
        progress: &Progress,
    ) -> Result<Option<WrittenTable>, SnapshotError> {
        let Some(finished) = progress.finished.iter().find(|f| f.table == spec.name) else {
            return Ok(None);
        };
        let plain = self.writer.reader().object(Kind::Table, &finished.id)?;
        let stored = state::read_table(&plain)?;
        if stored.spec != stored_spec(spec) {
            let why = format!("table {} has another shape now", spec.name);
            return Err(SnapshotError::CannotResume { why });
        }
        Ok(Some(WrittenTable { id: finished.id, stored }))
    }

    fn table(
        &mut self,
        spec: &TableSpec,
        progress: &mut Progress,
        last_checkpoint: &mut Instant,
    ) -> Result<TableRead, SnapshotError> {
        let estimate = self.runtime.block_on(self.source.estimated_rows(spec))?;
        self.observer.table(&spec.name, estimate);
        // It stays the place to go on from until there is a later one.
        progress.unfinished = progress.unfinished.take().filter(|u| u.table == spec.name);
        let resume = progress.unfinished.clone();
        let read = ReadTable {
            pool: self.pool,
            scratch: self.scratch,
            spec,
            mode: self.request.mode,
            memory: self.request.memory,
        };
        let every = self.request.checkpoint_every;
        let (observer, writer, pace) = (self.observer, self.writer, self.pace);
        let mut before = Amount::default();
        let mut on_rows = |read: Amount, take: &mut table::TakeCheckpoint<'_>| {
            observer.rows(read.rows);
            // Where a table is read a second time, through the sorter, its rows count again.
            let rows = read.rows.checked_sub(before.rows).unwrap_or(read.rows);
            let bytes = read.bytes.checked_sub(before.bytes).unwrap_or(read.bytes);
            before = read;
            pace.read(rows, bytes, &|| observer.should_stop())?;
            let must_stop = observer.should_stop();
            if !must_stop && last_checkpoint.elapsed() < every {
                return Ok(false);
            }
            let at = take();
            if at.is_none() && !must_stop {
                return Ok(false);
            }
            if let Some(checkpoint) = at {
                progress.unfinished = Some(Unfinished { table: spec.name.clone(), checkpoint });
            }
            writer.seal()?;
            observer.keep(progress)?;
            *last_checkpoint = Instant::now();
            Ok(must_stop)
        };
        let mut source = (self.runtime, &mut *self.source);
        let from = resume.as_ref().map(|u| &u.checkpoint);
        match read.read(&mut source, from, &mut on_rows) {
            // The wait for the server was ended, not the reading in order between two batches.
            Err(SnapshotError::Engine(EngineError::Stopped { .. })) if observer.should_stop() => {
                writer.seal()?;
                observer.keep(progress)?;
                Ok(TableRead::Stopped)
            }
            read => read,
        }
    }
}

/// What of a table's specification is part of the state.
pub(super) fn stored_spec(spec: &TableSpec) -> TableSpec {
    TableSpec { reads_in_key_order: false, column_order: Vec::new(), ..spec.clone() }
}
