//! Reading one table: in key order straight into the tree, or through the sorter.
//!
//! A table with a key is first taken as if its rows came in key order, as the engine promises for
//! some tables and as most others lie anyway. Where a row comes out of order, the table is read
//! again through the sorter; the root is the same either way, and what was written is shared.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::error::SnapshotError;
use crate::codec::key;
use crate::codec::row::{RowBatch, RowEncoder};
use crate::engine::{EngineError, KeyRange, ReadEnd, ReadFrom, Session, Source};
use crate::model::snapshot::TreeRoot;
use crate::model::{Flow, RowKey, RowSink, SinkError, TableSpec};
use crate::tree::{
    Checkpoint, ChunkPool, CountedRows, LargeValueWriter, RangeBuilder, RangePart, SORT_BUDGET,
    ScratchSpace, Sorter, StoreMode, TreeBuilder, TreeError, TreePlan,
};

/// How many bytes of rows are in memory at a time while a table is read. No id depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMemory {
    /// Rows that are encoded before they are handed on, few enough to stay in a core's cache. A
    /// checkpoint lies between two batches.
    pub batch: usize,
    /// Rows that wait to be sorted; beyond it they wait in scratch files.
    pub sort: usize,
}

impl Default for RowMemory {
    fn default() -> Self {
        RowMemory { batch: 64 << 10, sort: SORT_BUDGET }
    }
}

/// Where rows come from: a source and the runtime its futures run on, or an open transaction.
pub trait RowSource {
    /// Sends the rows of a table to the sink, from a place on.
    fn read_rows(
        &mut self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut dyn RowSink,
    ) -> Result<ReadEnd, EngineError>;

    /// The exact number of rows of a table, in the same transaction.
    fn count_rows(&mut self, table: &TableSpec) -> Result<u64, EngineError>;
}

impl RowSource for (&Runtime, &mut Source) {
    fn read_rows(
        &mut self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut dyn RowSink,
    ) -> Result<ReadEnd, EngineError> {
        self.0.block_on(self.1.read_rows(table, from, sink))
    }

    fn count_rows(&mut self, table: &TableSpec) -> Result<u64, EngineError> {
        self.0.block_on(self.1.count_rows(table))
    }
}

impl RowSource for &Session<'_> {
    fn read_rows(
        &mut self,
        table: &TableSpec,
        from: &ReadFrom,
        sink: &mut dyn RowSink,
    ) -> Result<ReadEnd, EngineError> {
        Session::read_rows(self, table, from, sink)
    }

    fn count_rows(&mut self, table: &TableSpec) -> Result<u64, EngineError> {
        Session::count_rows(self, table)
    }
}

/// How a table is read.
pub struct ReadTable<'a, 's> {
    /// Who encodes chunks.
    pub pool: &'a ChunkPool<'s>,
    /// Where rows wait that do not fit in memory.
    pub scratch: &'a Arc<dyn ScratchSpace>,
    /// The table.
    pub spec: &'a TableSpec,
    /// Whether values are stored.
    pub mode: StoreMode,
    /// How much of it is in memory.
    pub memory: RowMemory,
}

/// How the reading of a table ended.
pub enum TableRead {
    /// At its end.
    Whole(TreeRoot),
    /// It was stopped.
    Stopped,
}

/// Takes a checkpoint, where one is possible here.
pub type TakeCheckpoint<'a> = dyn FnMut() -> Option<Checkpoint> + 'a;

/// How much was read of a table, or of a range of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Rows.
    pub rows: u64,
    /// Their encoded bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, batch: &RowBatch) {
        self.rows += batch.len() as u64;
        self.bytes += batch.byte_len() as u64;
    }
}

/// Called now and then with what was read so far; `true` stops.
pub type OnRows<'a> =
    dyn FnMut(Amount, &mut TakeCheckpoint<'_>) -> Result<bool, SnapshotError> + 'a;

impl ReadTable<'_, '_> {
    /// Reads the table, from a checkpoint on where there is one.
    pub fn read<S: RowSource>(
        &self,
        source: &mut S,
        resume: Option<&Checkpoint>,
        on_rows: &mut OnRows<'_>,
    ) -> Result<TableRead, SnapshotError> {
        let plan = TreePlan::new(self.spec, self.mode)?.shared();
        // Rows of a keyed table often lie in key order even where nothing promises it, and a row
        // out of order shows at once.
        if self.spec.key != RowKey::RowHash {
            match self.read_in_order(source, &plan, resume, on_rows) {
                Err(SnapshotError::Tree(TreeError::OutOfOrder { .. })) => {}
                read => return read,
            }
        }
        self.read_sorted(source, &plan, on_rows)
    }

    fn read_in_order<S: RowSource>(
        &self,
        source: &mut S,
        plan: &Arc<TreePlan>,
        resume: Option<&Checkpoint>,
        on_rows: &mut OnRows<'_>,
    ) -> Result<TableRead, SnapshotError> {
        let scratch = Arc::clone(self.scratch);
        let (mut builder, from) = match resume {
            None => (TreeBuilder::new(Arc::clone(plan), self.pool, scratch), ReadFrom::Start),
            Some(at) => {
                let key = key::decode(at.last_key())?;
                let builder = TreeBuilder::resume(Arc::clone(plan), self.pool, scratch, at)?;
                (builder, ReadFrom::After(key.values))
            }
        };
        let is_whole = from == ReadFrom::Start;
        let mut read = Amount::default();
        let is_stopped = self.read_rows(source, plan, &from, |batch| {
            read.add(&batch);
            let spare = builder.push(batch)?;
            // Only an order that the engine knows of can be entered in the middle.
            let is_resumable = self.spec.reads_in_key_order;
            let mut take = || if is_resumable { builder.checkpoint() } else { None };
            let must_stop = on_rows(read, &mut take)?;
            Ok((spare, must_stop))
        })?;
        if is_stopped {
            return Ok(TableRead::Stopped);
        }
        if is_whole {
            self.check_count(source, read.rows)?;
        }
        Ok(TableRead::Whole(builder.finish()?))
    }

    fn read_sorted<S: RowSource>(
        &self,
        source: &mut S,
        plan: &Arc<TreePlan>,
        on_rows: &mut OnRows<'_>,
    ) -> Result<TableRead, SnapshotError> {
        let mut sorter = Sorter::new(Arc::clone(plan), Arc::clone(self.scratch), self.memory.sort);
        let mut read = Amount::default();
        let is_stopped = self.read_rows(source, plan, &ReadFrom::Start, |batch| {
            read.add(&batch);
            let spare = sorter.push(batch)?;
            Ok((spare, on_rows(read, &mut || None)?))
        })?;
        if is_stopped {
            return Ok(TableRead::Stopped);
        }
        self.check_count(source, read.rows)?;
        let mut builder = TreeBuilder::new(Arc::clone(plan), self.pool, Arc::clone(self.scratch));
        let mut sorted = sorter.finish()?;
        while let Some(counted) = sorted.next_rows()? {
            builder.push_counted(counted)?;
            if on_rows(read, &mut || None)? {
                return Ok(TableRead::Stopped);
            }
        }
        Ok(TableRead::Whole(builder.finish()?))
    }

    /// Reads a range of the table; `None` where it was stopped. How many rows it has comes with it.
    pub(super) fn read_range<S: RowSource>(
        &self,
        source: &mut S,
        plan: &Arc<TreePlan>,
        range: &KeyRange,
        on_rows: &mut OnRows<'_>,
    ) -> Result<Option<(RangePart, u64)>, SnapshotError> {
        let window = plan.rules().rows.window as u64;
        let around = |is_before| match is_before {
            true => KeyRange {
                until: range.after.clone(),
                limit: Some(window),
                is_descending: true,
                ..KeyRange::default()
            },
            false => {
                let after = range.until.clone();
                KeyRange { after, limit: Some(window), ..KeyRange::default() }
            }
        };
        let mut before = Vec::new();
        if range.after.is_some() {
            before = self.read_keys(source, plan, around(true))?;
            before.reverse();
        }
        let scratch = Arc::clone(self.scratch);
        let keys = before.iter().map(Vec::as_slice);
        let mut builder = RangeBuilder::new(Arc::clone(plan), self.pool, scratch, keys);
        let mut read = Amount::default();
        let from = ReadFrom::Between(range.clone());
        let is_stopped = self.read_rows(source, plan, &from, |batch| {
            read.add(&batch);
            builder.push(CountedRows { rows: batch, counts: Vec::new() })?;
            Ok((self.pool.spare_batch(), on_rows(read, &mut || None)?))
        })?;
        if is_stopped {
            return Ok(None);
        }
        let mut after = Vec::new();
        if range.until.is_some() {
            after = self.read_keys(source, plan, around(false))?;
        }
        let part = builder.finish(after.iter().map(Vec::as_slice))?;
        Ok(Some((part, read.rows)))
    }

    /// The encoded keys of a range's rows.
    pub(super) fn read_keys<S: RowSource>(
        &self,
        source: &mut S,
        plan: &Arc<TreePlan>,
        range: KeyRange,
    ) -> Result<Vec<Vec<u8>>, SnapshotError> {
        let mut keys = Vec::new();
        self.read_rows(source, plan, &ReadFrom::Between(range), |mut batch| {
            keys.extend((0..batch.len()).map(|row| batch.row(row).key.to_vec()));
            batch.clear();
            Ok((batch, false))
        })?;
        Ok(keys)
    }

    /// Reads rows and hands on encoded batches; gives whether `on_batch` stopped it.
    fn read_rows<S: RowSource>(
        &self,
        source: &mut S,
        plan: &Arc<TreePlan>,
        from: &ReadFrom,
        mut on_batch: impl FnMut(RowBatch) -> Result<(RowBatch, bool), SnapshotError>,
    ) -> Result<bool, SnapshotError> {
        let sink = self.pool.sink();
        let large = LargeValueWriter::new(sink, self.mode);
        let mut is_stopped = false;
        let mut encoder =
            RowEncoder::new(plan.layout(), sink.hasher(), large, self.memory.batch, |batch| {
                let (spare, must_stop) = on_batch(batch).map_err(SinkError::from)?;
                is_stopped = must_stop;
                Ok((spare, if must_stop { Flow::Stop } else { Flow::Continue }))
            });
        let read = source.read_rows(self.spec, from, &mut encoder);
        match read {
            Ok(_) => {
                encoder.finish().map_err(sink_error)?;
                Ok(is_stopped)
            }
            Err(EngineError::Sink(error)) => Err(sink_error(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// An end of the rows is believed only where the database counts as many.
    pub(super) fn check_count<S: RowSource>(
        &self,
        source: &mut S,
        read: u64,
    ) -> Result<(), SnapshotError> {
        let counted = source.count_rows(self.spec)?;
        if counted != read {
            let table = self.spec.name.to_string();
            return Err(SnapshotError::CountMismatch { table, read, counted });
        }
        Ok(())
    }
}

/// The error that went through an engine as a sink's error, as what it was.
pub(super) fn sink_error(error: SinkError) -> SnapshotError {
    match error.downcast::<SnapshotError>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<TreeError>() {
            Ok(error) => SnapshotError::Tree(*error),
            Err(error) => SnapshotError::Rows(error),
        },
    }
}
