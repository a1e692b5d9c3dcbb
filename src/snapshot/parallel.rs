//! Reading the tables of one moment with several connections.
//!
//! Tables are handed out largest first; a large one that is read in the order of one integer key
//! is cut into ranges, which any connection may read. Boundaries of chunks depend on nearby keys
//! only, so every id is the one that a single connection would have found. A table counts as
//! finished, and is kept by checkpoints, when its last range is in and the server counts as many
//! rows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::Runtime;

use super::checkpoint::{Finished, Progress};
use super::error::SnapshotError;
use super::pace::Pace;
use super::table::{Amount, ReadTable, TableRead};
use super::take::{Observer, Request, WrittenTable, stored_spec};
use crate::codec::state::{StoredTable, write_table};
use crate::codec::{Kind, key};
use crate::engine::{EngineError, KeyRange, Source};
use crate::model::snapshot::TreeRoot;
use crate::model::{Catalog, ObjectName, TableSpec, Value};
use crate::store::{ObjectSink as _, Writer};
use crate::tree::{ChunkPool, RangePart, RangeStitcher, ScratchSpace, TreeError, TreePlan};

/// A table with fewer rows than this is not cut.
const CUT_FROM: u64 = 200_000;

/// Ranges for each connection, so that uneven ones even out.
const RANGES_PER_READER: u64 = 8;

/// What every connection works with.
pub(super) struct Readers<'a, 's> {
    pub(super) writer: &'s Writer,
    pub(super) pool: &'a ChunkPool<'s>,
    pub(super) scratch: &'a Arc<dyn ScratchSpace>,
    pub(super) request: &'a Request<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) pace: &'a Pace,
}

/// Something a connection reads.
enum Job {
    Table(usize),
    Range { table: usize, place: usize, range: KeyRange },
}

/// A table that is being read.
#[derive(Default)]
struct Open {
    /// What its ranges gave, by their places.
    parts: Vec<Option<(RangePart, u64)>>,
    /// Its rows do not lie in the order of its key after all.
    is_out_of_order: bool,
}

/// What the connections share.
struct Shared<'p> {
    jobs: VecDeque<Job>,
    open: Vec<Open>,
    written: Vec<Option<WrittenTable>>,
    progress: &'p mut Progress,
    last_checkpoint: Instant,
    error: Option<SnapshotError>,
}

struct Team<'t, 'a, 's, 'p> {
    readers: &'t Readers<'a, 's>,
    catalog: &'t Catalog,
    shared: Mutex<Shared<'p>>,
    rows: AtomicU64,
    /// Set when one failed or was told to stop: the others stop, too.
    is_over: AtomicBool,
}

impl Readers<'_, '_> {
    /// Reads every table that is not among `written`; `None` where it was stopped.
    pub(super) fn tables(
        &self,
        catalog: &Catalog,
        written: Vec<Option<WrittenTable>>,
        progress: &mut Progress,
        first: (&Runtime, &mut Source),
        others: Vec<Source>,
    ) -> Result<Option<Vec<WrittenTable>>, SnapshotError> {
        let (runtime, source) = first;
        let count = others.len() as u64 + 1;
        let mut sized = Vec::new();
        for (table, spec) in catalog.tables.iter().enumerate() {
            if written[table].is_none() {
                let estimate = runtime.block_on(source.estimated_rows(spec))?;
                sized.push((estimate.unwrap_or(0), table));
            }
        }
        sized.sort_by_key(|&(rows, table)| (std::cmp::Reverse(rows), table));
        let mut jobs = VecDeque::new();
        let mut open: Vec<Open> = catalog.tables.iter().map(|_| Open::default()).collect();
        for &(rows, table) in &sized {
            let spec = &catalog.tables[table];
            let ranges = match rows >= CUT_FROM && spec.reads_in_key_order {
                true => {
                    self.ranges(spec, &mut (runtime, &mut *source), count * RANGES_PER_READER)?
                }
                false => Vec::new(),
            };
            if ranges.is_empty() {
                jobs.push_back(Job::Table(table));
            }
            open[table].parts = ranges.iter().map(|_| None).collect();
            let ranges = ranges.into_iter().enumerate();
            jobs.extend(ranges.map(|(place, range)| Job::Range { table, place, range }));
        }
        let name = format!("{} tables", sized.len());
        let estimate = sized.iter().map(|(rows, _)| rows).sum();
        self.observer.table(&ObjectName::bare(name), Some(estimate));
        let last_checkpoint = Instant::now();
        let shared = Shared { jobs, open, written, progress, last_checkpoint, error: None };
        let team = Team {
            readers: self,
            catalog,
            shared: Mutex::new(shared),
            rows: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        };
        std::thread::scope(|scope| {
            for other in others {
                scope.spawn(|| team.work_alone(other));
            }
            team.work(runtime, source);
        });
        team.finish()
    }

    /// Ranges of about equal width over one integer key; none where the key is another.
    fn ranges(
        &self,
        spec: &TableSpec,
        source: &mut (&Runtime, &mut Source),
        wanted: u64,
    ) -> Result<Vec<KeyRange>, SnapshotError> {
        let plan = TreePlan::new(spec, self.request.mode)?.shared();
        let table = self.table(spec);
        let mut end = |is_descending| -> Result<Option<i64>, SnapshotError> {
            let range = KeyRange { limit: Some(1), is_descending, ..KeyRange::default() };
            let keys = table.read_keys(source, &plan, range)?;
            let Some(first) = keys.first() else { return Ok(None) };
            Ok(match key::decode(first)?.values[..] {
                [Value::Int(value)] => Some(value),
                _ => None,
            })
        };
        let (Some(first), Some(last)) = (end(false)?, end(true)?) else { return Ok(Vec::new()) };
        Ok(even_ranges(first, last, wanted))
    }

    fn table<'t>(&'t self, spec: &'t TableSpec) -> ReadTable<'t, 't> {
        ReadTable {
            pool: self.pool,
            scratch: self.scratch,
            spec,
            mode: self.request.mode,
            memory: self.request.memory,
        }
    }
}

/// Ranges that cover everything, cut at equal distances between two keys.
fn even_ranges(first: i64, last: i64, wanted: u64) -> Vec<KeyRange> {
    let span = i128::from(last) - i128::from(first);
    let mut bounds: Vec<i64> = (1..i128::from(wanted))
        .filter_map(|at| i64::try_from(i128::from(first) + span * at / i128::from(wanted)).ok())
        .collect();
    bounds.dedup();
    let key = |bound: &i64| Some(vec![Value::Int(*bound)]);
    let afters = std::iter::once(None).chain(bounds.iter().map(key));
    let untils = bounds.iter().map(key).chain(std::iter::once(None));
    afters
        .zip(untils)
        .map(|(after, until)| KeyRange { after, until, ..KeyRange::default() })
        .collect()
}

impl<'p> Team<'_, '_, '_, 'p> {
    /// What is shared is consistent between any two statements, also where a thread panicked.
    fn shared(&self) -> MutexGuard<'_, Shared<'p>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works with a connection of its own, and closes it.
    fn work_alone(&self, mut source: Source) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                self.work(&runtime, &mut source);
                if let Err(error) = runtime.block_on(source.close()) {
                    self.fail(error.into());
                }
            }
            Err(error) => self.fail(SnapshotError::Rows(error.into())),
        }
    }

    fn work(&self, runtime: &Runtime, source: &mut Source) {
        let mut source = (runtime, source);
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(job) = self.shared().jobs.pop_front() else { return };
            match self.run(job, &mut source) {
                Ok(true) => {}
                Ok(false) => self.is_over.store(true, Ordering::Relaxed),
                Err(SnapshotError::Engine(EngineError::Stopped { .. }))
                    if self.readers.observer.should_stop() =>
                {
                    self.is_over.store(true, Ordering::Relaxed);
                }
                Err(error) => self.fail(error),
            }
        }
    }

    fn fail(&self, error: SnapshotError) {
        self.is_over.store(true, Ordering::Relaxed);
        self.shared().error.get_or_insert(error);
    }

    /// Does a job; `false` where it was stopped.
    fn run(&self, job: Job, source: &mut (&Runtime, &mut Source)) -> Result<bool, SnapshotError> {
        match job {
            Job::Table(table) => {
                let spec = &self.catalog.tables[table];
                let mut before = Amount::default();
                let read = self
                    .readers
                    .table(spec)
                    .read(source, None, &mut |read, _| self.advance(&mut before, read))?;
                let TableRead::Whole(rows) = read else { return Ok(false) };
                self.finished(table, rows)?;
                Ok(true)
            }
            Job::Range { table, place, range } => self.range(table, place, &range, source),
        }
    }

    fn range(
        &self,
        table: usize,
        place: usize,
        range: &KeyRange,
        source: &mut (&Runtime, &mut Source),
    ) -> Result<bool, SnapshotError> {
        if self.shared().open[table].is_out_of_order {
            return Ok(true);
        }
        let spec = &self.catalog.tables[table];
        let plan = TreePlan::new(spec, self.readers.request.mode)?.shared();
        let reader = self.readers.table(spec);
        let mut before = Amount::default();
        let part = match reader
            .read_range(source, &plan, range, &mut |read, _| self.advance(&mut before, read))
        {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(false),
            Err(SnapshotError::Tree(TreeError::OutOfOrder { .. })) => {
                let mut shared = self.shared();
                if !std::mem::replace(&mut shared.open[table].is_out_of_order, true) {
                    shared.jobs.push_back(Job::Table(table));
                }
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let mut shared = self.shared();
        let open = &mut shared.open[table];
        open.parts[place] = Some(part);
        if open.is_out_of_order || open.parts.iter().any(Option::is_none) {
            return Ok(true);
        }
        let parts: Vec<(RangePart, u64)> =
            std::mem::take(&mut open.parts).into_iter().flatten().collect();
        drop(shared);
        reader.check_count(source, parts.iter().map(|(_, rows)| rows).sum())?;
        let scratch = Arc::clone(self.readers.scratch);
        let mut stitcher = RangeStitcher::new(plan, self.readers.pool, scratch);
        for (part, _) in parts {
            stitcher.push(part)?;
        }
        self.finished(table, stitcher.finish()?)?;
        Ok(true)
    }

    /// Tells of rows; `true` where reading is to stop.
    fn advance(&self, before: &mut Amount, read: Amount) -> Result<bool, SnapshotError> {
        // Where a table is read a second time, through the sorter, its rows count again.
        let rows = read.rows.checked_sub(before.rows).unwrap_or(read.rows);
        let bytes = read.bytes.checked_sub(before.bytes).unwrap_or(read.bytes);
        *before = read;
        let observer = self.readers.observer;
        observer.rows(self.rows.fetch_add(rows, Ordering::Relaxed) + rows);
        let must_stop = || self.is_over.load(Ordering::Relaxed) || observer.should_stop();
        self.readers.pace.read(rows, bytes, &must_stop)?;
        Ok(must_stop())
    }

    /// Writes a table whose rows are all in, and keeps that now and then.
    fn finished(&self, table: usize, rows: TreeRoot) -> Result<(), SnapshotError> {
        let spec = &self.catalog.tables[table];
        let stored = StoredTable { spec: stored_spec(spec), rows };
        let writer = self.readers.writer;
        let id = writer.put(Kind::Table, &write_table(&stored))?;
        let mut shared = self.shared();
        shared.progress.finished.push(Finished { table: spec.name.clone(), id });
        shared.written[table] = Some(WrittenTable { id, stored });
        if shared.last_checkpoint.elapsed() >= self.readers.request.checkpoint_every {
            writer.seal()?;
            self.readers.observer.keep(shared.progress)?;
            shared.last_checkpoint = Instant::now();
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<Vec<WrittenTable>>, SnapshotError> {
        let shared = self.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = shared.error {
            return Err(error);
        }
        let written: Option<Vec<WrittenTable>> = shared.written.into_iter().collect();
        if written.is_none() {
            self.readers.writer.seal()?;
            self.readers.observer.keep(shared.progress)?;
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_ranges_cover_every_key_once() {
        for (first, last) in [(1, 100), (i64::MIN, i64::MAX), (5, 5), (-3, 3)] {
            let ranges = even_ranges(first, last, 16);
            assert_eq!(ranges.first().unwrap().after, None);
            assert_eq!(ranges.last().unwrap().until, None);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].until, pair[1].after);
                assert!(pair[0].after != pair[0].until || pair[0].after.is_none());
            }
        }
    }
}
