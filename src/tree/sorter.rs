//! Puts rows into key order: an external merge sort with bounded memory.
//!
//! Rows that already come in order cost almost nothing: they are handed on as they came while they
//! fit in memory, and make one single run when they do not. Rows with equal keys are merged into
//! one with a multiplicity where the table allows it, and refused where it does not. Memory is the
//! budget and one row: wide rows pass through, they are never gathered.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::{TreeError, describe_key};
use super::plan::{CountedRows, TreePlan};
use super::records::{RecordReader, RecordWriter};
use super::scratch::ScratchSpace;
use crate::codec::row::{BatchRow, RowBatch};

/// Memory for rows being sorted, unless told otherwise.
pub const SORT_BUDGET: usize = 64 << 20;

/// No more runs than this are merged at once.
const FAN_IN: usize = 64;

/// Bytes of rows in a batch of sorted rows.
const BATCH_LEN: usize = 256 << 10;

/// Batches that are kept to be used again, and the size above which one is not.
const SPARE_BATCHES: usize = 8;
const SPARE_LEN: usize = 1 << 20;

/// What a row takes beside its bytes: its span in the batch, and its place in the index.
const ROW_OVERHEAD: usize = 24 + std::mem::size_of::<Place>();

/// Sorts the rows of one table.
pub struct Sorter {
    plan: Arc<TreePlan>,
    scratch: Arc<dyn ScratchSpace>,
    budget: usize,
    batches: Vec<CountedRows>,
    bytes: usize,
    /// Whether everything in memory came in strictly ascending order.
    is_ordered: bool,
    runs: Vec<Run>,
    spare: Vec<RowBatch>,
}

/// Sorted rows in a scratch file.
struct Run {
    /// How often its rows were merged; runs of one level are of about one size.
    level: u32,
    writer: RecordWriter,
    last_key: Vec<u8>,
}

/// Where a row is in memory, with the front of its key: most comparisons need nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    front: [u8; 16],
    batch: u32,
    row: u32,
}

impl Sorter {
    /// A sorter that keeps about `budget` bytes of rows in memory.
    pub fn new(plan: Arc<TreePlan>, scratch: Arc<dyn ScratchSpace>, budget: usize) -> Self {
        Sorter {
            plan,
            scratch,
            budget,
            batches: Vec::new(),
            bytes: 0,
            is_ordered: true,
            runs: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Takes rows in any order, and gives an empty batch to go on with.
    pub fn push(&mut self, rows: RowBatch) -> Result<RowBatch, TreeError> {
        if rows.is_empty() {
            return Ok(rows);
        }
        self.push_counted(rows.into())?;
        Ok(self.spare.pop().unwrap_or_default())
    }

    /// Takes rows in any order, with how often each occurs.
    pub fn push_counted(&mut self, rows: CountedRows) -> Result<(), TreeError> {
        for (index, _) in rows.counts.iter().enumerate().filter(|(_, count)| **count > 1) {
            let row = rows.rows.row(index);
            may_repeat(&self.plan, row.key, row.preimage)?;
        }
        if rows.rows.is_empty() {
            return Ok(());
        }
        self.is_ordered = self.is_ordered && self.goes_on(&rows.rows);
        self.bytes += rows.rows.byte_len() + rows.rows.len() * ROW_OVERHEAD;
        self.batches.push(rows);
        if self.bytes >= self.budget {
            self.spill()?;
            self.recycle();
        }
        Ok(())
    }

    /// Keeps the memory of batches that were spilled for those to come, unless it is much.
    fn recycle(&mut self) {
        for batch in self.batches.drain(..) {
            let mut rows = batch.rows;
            if rows.byte_len() <= SPARE_LEN && self.spare.len() < SPARE_BATCHES {
                rows.clear();
                self.spare.push(rows);
            }
        }
    }

    fn goes_on(&self, rows: &RowBatch) -> bool {
        let mut last = self.batches.last().map(|batch| batch.rows.row(batch.rows.len() - 1).key);
        for index in 0..rows.len() {
            let key = rows.row(index).key;
            if last.is_some_and(|last| key <= last) {
                return false;
            }
            last = Some(key);
        }
        true
    }

    /// Ends the input and gives the rows in order.
    pub fn finish(mut self) -> Result<Sorted, TreeError> {
        if self.runs.is_empty() {
            let source = if self.is_ordered {
                Source::AsTheyCame(std::mem::take(&mut self.batches).into())
            } else {
                let places = self.sorted_places();
                Source::Memory { batches: std::mem::take(&mut self.batches), places, next: 0 }
            };
            return Ok(Sorted { source, plan: self.plan });
        }
        if !self.batches.is_empty() {
            self.spill()?;
            self.batches.clear();
        }
        let mut level = 0;
        while self.runs.len() > FAN_IN {
            self.merge_level(level)?;
            level += 1;
        }
        let merge = Merge::new(self.runs, self.budget)?;
        Ok(Sorted { source: Source::Runs(merge), plan: self.plan })
    }

    fn sorted_places(&self) -> Vec<Place> {
        let mut places =
            Vec::with_capacity(self.batches.iter().map(|batch| batch.rows.len()).sum());
        for (batch, rows) in (0u32..).zip(&self.batches) {
            for row in 0..rows.rows.len() {
                let key = rows.rows.row(row).key;
                let mut front = [0u8; 16];
                let len = key.len().min(16);
                front[..len].copy_from_slice(&key[..len]);
                let row = u32::try_from(row).expect("a batch has fewer than 2^32 rows");
                places.push(Place { front, batch, row });
            }
        }
        // No key is a prefix of another one, so keys with different fronts compare as these do.
        if !self.is_ordered {
            places.sort_unstable_by(|a, b| {
                a.front
                    .cmp(&b.front)
                    .then_with(|| key_at(&self.batches, a).cmp(key_at(&self.batches, b)))
            });
        }
        places
    }

    /// Writes the rows in memory to a run: the last one, where they go on from it.
    fn spill(&mut self) -> Result<(), TreeError> {
        let places = self.sorted_places();
        let first = places.first().map_or(&[][..], |place| key_at(&self.batches, place));
        let goes_on = self.runs.last().is_some_and(|run| first > run.last_key.as_slice());
        if !goes_on {
            let file = create(self.scratch.as_ref())?;
            self.runs.push(Run { level: 0, writer: RecordWriter::new(file), last_key: Vec::new() });
        }
        let run = self.runs.last_mut().expect("a run was just made sure of");
        let mut at = 0;
        while at < places.len() {
            let (count, next) = equal_rows(&self.plan, &self.batches, &places, at)?;
            let row = row_at(&self.batches, &places[at]);
            run.writer.push(row.key, row.preimage, count)?;
            at = next;
        }
        if let Some(last) = places.last() {
            run.last_key = key_at(&self.batches, last).to_vec();
        }
        self.bytes = 0;
        self.is_ordered = true;
        self.merge_full_levels()
    }

    /// Keeps the number of open files small: as many runs of one level as can be merged at once
    /// become one of the next.
    fn merge_full_levels(&mut self) -> Result<(), TreeError> {
        let mut level = 0;
        // The last run may still grow.
        while self.runs.iter().rev().skip(1).filter(|run| run.level == level).count() >= FAN_IN {
            self.merge_level(level)?;
            level += 1;
        }
        Ok(())
    }

    /// Merges the first runs of a level into one of the next level.
    fn merge_level(&mut self, level: u32) -> Result<(), TreeError> {
        let mut merged = Vec::new();
        let mut kept = Vec::new();
        for run in self.runs.drain(..) {
            if run.level <= level && merged.len() < FAN_IN {
                merged.push(run);
            } else {
                kept.push(run);
            }
        }
        if merged.len() < 2 {
            kept.append(&mut merged);
            self.runs = kept;
            return Ok(());
        }
        let position = kept.iter().take_while(|run| run.level > level).count();
        let last_key = merged.iter().map(|run| &run.last_key).max().cloned().unwrap_or_default();
        let mut merge = Merge::new(merged, self.budget)?;
        let mut writer = RecordWriter::new(create(self.scratch.as_ref())?);
        let (mut key, mut preimage) = (Vec::new(), Vec::new());
        while let Some(count) = merge.next_row(&self.plan, &mut key, &mut preimage)? {
            writer.push(&key, &preimage, count)?;
        }
        kept.insert(position, Run { level: level + 1, writer, last_key });
        self.runs = kept;
        Ok(())
    }
}

fn create(scratch: &dyn ScratchSpace) -> Result<Box<dyn super::ScratchFile>, TreeError> {
    scratch.create().map_err(|source| TreeError::Scratch { verb: "create", source })
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("usize has at least 32 bits")
}

fn row_at<'b>(batches: &'b [CountedRows], place: &Place) -> BatchRow<'b> {
    batches[index(place.batch)].rows.row(index(place.row))
}

fn count_at(batches: &[CountedRows], place: &Place) -> u64 {
    batches[index(place.batch)].count(index(place.row))
}

fn key_at<'b>(batches: &'b [CountedRows], place: &Place) -> &'b [u8] {
    row_at(batches, place).key
}

/// How many of the rows from `at` on have one key, and where the next key begins.
fn equal_rows(
    plan: &TreePlan,
    batches: &[CountedRows],
    places: &[Place],
    at: usize,
) -> Result<(u64, usize), TreeError> {
    let first = row_at(batches, &places[at]);
    let (mut count, mut next) = (count_at(batches, &places[at]), at + 1);
    while let Some(place) = places.get(next).filter(|place| place.front == places[at].front) {
        if key_at(batches, place) != first.key {
            break;
        }
        may_repeat(plan, first.key, first.preimage)?;
        (count, next) = (count.saturating_add(count_at(batches, place)), next + 1);
    }
    Ok((count, next))
}

/// Whether a row may occur more than once: it has no key, or a part of its key is NULL.
fn may_repeat(plan: &TreePlan, key: &[u8], preimage: &[u8]) -> Result<(), TreeError> {
    let layout = &plan.layout;
    let mut key_parts = 0;
    for cell in layout.cells(preimage) {
        let (column, _) =
            cell.map_err(|source| TreeError::Row { table: plan.table.clone(), source })?;
        key_parts += usize::from(layout.is_key_column(column));
    }
    if layout.key_len() == 0 || (layout.has_multiplicities() && key_parts < layout.key_len()) {
        return Ok(());
    }
    Err(TreeError::DuplicateKey { table: plan.table.clone(), key: describe_key(key) })
}

/// The rows of a table in strictly ascending key order.
pub struct Sorted {
    source: Source,
    plan: Arc<TreePlan>,
}

enum Source {
    /// They came in order and fit in memory.
    AsTheyCame(VecDeque<CountedRows>),
    Memory {
        batches: Vec<CountedRows>,
        places: Vec<Place>,
        next: usize,
    },
    Runs(Merge),
}

impl Sorted {
    /// The next rows; `None` at the end.
    pub fn next_rows(&mut self) -> Result<Option<CountedRows>, TreeError> {
        let mut rows = CountedRows::default();
        let has_counts = self.plan.layout.has_multiplicities();
        match &mut self.source {
            Source::AsTheyCame(batches) => return Ok(batches.pop_front()),
            Source::Memory { batches, places, next } => {
                while *next < places.len() && rows.rows.byte_len() < BATCH_LEN {
                    let at = *next;
                    let count;
                    (count, *next) = equal_rows(&self.plan, batches, places, at)?;
                    let row = row_at(batches, &places[at]);
                    rows.rows.push_row(row.preimage, row.key);
                    rows.counts.extend(has_counts.then_some(count));
                }
            }
            Source::Runs(merge) => {
                let (mut key, mut preimage) = (Vec::new(), Vec::new());
                while rows.rows.byte_len() < BATCH_LEN {
                    match merge.next_row(&self.plan, &mut key, &mut preimage)? {
                        Some(count) => rows.counts.extend(has_counts.then_some(count)),
                        None => break,
                    }
                    rows.rows.push_row(&preimage, &key);
                }
            }
        }
        Ok((!rows.rows.is_empty()).then_some(rows))
    }
}

/// Merges runs: a heap of their next keys.
struct Merge {
    readers: Vec<RecordReader>,
    /// Indexes of readers that have a row; a binary heap with the smallest key first.
    heap: Vec<usize>,
}

impl Merge {
    fn new(runs: Vec<Run>, budget: usize) -> Result<Merge, TreeError> {
        // Half the budget: rows are still being written or built beside the merge.
        let buffer = (budget / 2 / runs.len().max(1)).clamp(16 << 10, 512 << 10);
        let mut merge = Merge { readers: Vec::new(), heap: Vec::new() };
        for run in runs {
            let mut reader = run.writer.into_reader(buffer)?;
            if reader.advance()? {
                merge.heap.push(merge.readers.len());
                merge.readers.push(reader);
            }
        }
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sink(at);
        }
        Ok(merge)
    }

    /// Gives the next row and how often it occurs; `None` at the end.
    fn next_row(
        &mut self,
        plan: &TreePlan,
        key: &mut Vec<u8>,
        preimage: &mut Vec<u8>,
    ) -> Result<Option<u64>, TreeError> {
        let Some(&first) = self.heap.first() else { return Ok(None) };
        let reader = &mut self.readers[first];
        key.clear();
        key.extend_from_slice(reader.key());
        let mut count = reader.count();
        reader.preimage(preimage)?;
        self.advance_first()?;
        while let Some(&next) = self.heap.first() {
            if self.readers[next].key() != key.as_slice() {
                break;
            }
            may_repeat(plan, key, preimage)?;
            count = count.saturating_add(self.readers[next].count());
            self.advance_first()?;
        }
        Ok(Some(count))
    }

    fn advance_first(&mut self) -> Result<(), TreeError> {
        if !self.readers[self.heap[0]].advance()? {
            self.heap.swap_remove(0);
        }
        self.sink(0);
        Ok(())
    }

    fn sink(&mut self, mut at: usize) {
        let key = |heap: &[usize], at: usize| self.readers[heap[at]].key();
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && key(&self.heap, child) < key(&self.heap, least) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}
