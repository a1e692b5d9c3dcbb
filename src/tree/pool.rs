//! Worker threads that encode chunks.
//!
//! A bounded queue of chunks, and threads that take from it. Whoever offers a chunk to a full
//! queue gets it back and encodes it on its own thread, so nobody waits while there is work. The
//! results of one builder come back in the order of its chunks, whoever encoded them. A pool
//! serves any number of builders, one after the other or at once.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::chunk_encoder::{ChunkEncoder, ChunkRows};
use super::chunker::CutEnd;
use super::error::TreeError;
use crate::codec::row::RowBatch;
use crate::codec::structure::NodeEntry;
use crate::store::ObjectSink;

/// Chunks that may wait for each worker.
const QUEUED_PER_WORKER: usize = 4;

/// Bytes of rows that may wait for all workers, unless a single chunk is larger.
const QUEUED_BYTES: usize = 16 << 20;

/// Batches that are kept to be used again, and the size above which one is not.
const SPARE_BATCHES: usize = 8;
const SPARE_LEN: usize = 1 << 20;

/// A chunk that was written.
pub(super) struct Written {
    pub(super) entry: NodeEntry,
    pub(super) end: CutEnd,
}

/// Threads that encode chunks into one sink.
pub struct ChunkPool<'s> {
    sink: &'s dyn ObjectSink,
    workers: usize,
    queue: Mutex<Queue>,
    wake: Condvar,
    spare: Mutex<Vec<RowBatch>>,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    bytes: usize,
    is_closed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is consistent between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'s> ChunkPool<'s> {
    /// Runs `body` with a pool of `workers` threads, which end with it. With none, every chunk is
    /// encoded by the thread that builds.
    pub fn scope<R>(
        sink: &'s dyn ObjectSink,
        workers: usize,
        body: impl FnOnce(&ChunkPool<'s>) -> R,
    ) -> R {
        let pool = ChunkPool {
            sink,
            workers,
            queue: Mutex::default(),
            wake: Condvar::new(),
            spare: Mutex::default(),
        };
        std::thread::scope(|scope| {
            let _closing = Closing(&pool);
            for _ in 0..workers {
                scope.spawn(|| pool.work());
            }
            body(&pool)
        })
    }

    /// Where the objects go.
    pub fn sink(&self) -> &'s dyn ObjectSink {
        self.sink
    }

    /// An empty batch, used before if there is one.
    pub fn spare_batch(&self) -> RowBatch {
        lock(&self.spare).pop().unwrap_or_default()
    }

    /// Takes a batch that is no longer needed.
    pub(super) fn recycle(&self, mut batch: RowBatch) {
        if batch.byte_len() <= SPARE_LEN {
            batch.clear();
            let mut spare = lock(&self.spare);
            if spare.len() < SPARE_BATCHES {
                spare.push(batch);
            }
        }
    }

    /// Queues a task, or gives it back to be done by the caller.
    pub(super) fn offer(&self, task: Task) -> Result<(), Task> {
        if self.workers == 0 {
            return Err(task);
        }
        let mut queue = lock(&self.queue);
        let is_full = queue.tasks.len() >= self.workers * QUEUED_PER_WORKER
            || (!queue.tasks.is_empty() && queue.bytes + task.bytes > QUEUED_BYTES);
        if is_full {
            return Err(task);
        }
        queue.bytes += task.bytes;
        queue.tasks.push_back(task);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes a task that waits.
    pub(super) fn steal(&self) -> Option<Task> {
        lock(&self.queue).pop()
    }

    fn work(&self) {
        let mut encoder = ChunkEncoder::default();
        loop {
            let mut queue = lock(&self.queue);
            let task = loop {
                if queue.is_closed {
                    return;
                }
                match queue.pop() {
                    Some(task) => break task,
                    None => {
                        queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(queue);
            task.run(self, &mut encoder);
        }
    }
}

impl Queue {
    fn pop(&mut self) -> Option<Task> {
        let task = self.tasks.pop_front()?;
        self.bytes -= task.bytes;
        Some(task)
    }
}

/// Ends the workers when the body of the scope ends, however it ends.
struct Closing<'p, 's>(&'p ChunkPool<'s>);

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.is_closed = true;
        queue.tasks.clear();
        drop(queue);
        self.0.wake.notify_all();
    }
}

/// A chunk to be encoded, and where its result goes.
pub(super) struct Task {
    rows: ChunkRows,
    bytes: usize,
    end: CutEnd,
    ticket: Ticket,
}

impl Task {
    pub(super) fn new(rows: ChunkRows, end: CutEnd, results: &Arc<Results>) -> Task {
        let ticket = results.reserve(rows.plan.table());
        Task { bytes: rows.byte_len(), rows, end, ticket }
    }

    pub(super) fn run(self, pool: &ChunkPool<'_>, encoder: &mut ChunkEncoder) {
        let Task { rows, end, ticket, .. } = self;
        let result = encoder.encode(pool.sink, &rows);
        for piece in rows.pieces {
            if let Some(batch) = Arc::into_inner(piece.batch) {
                pool.recycle(batch.rows);
            }
        }
        ticket.fill(result.map(|entry| Written { entry, end }));
    }
}

/// The results of one builder's chunks, in order.
#[derive(Default)]
pub(super) struct Results {
    slots: Mutex<Slots>,
    filled: Condvar,
}

#[derive(Default)]
struct Slots {
    /// The number of the first slot.
    first: u64,
    slots: VecDeque<Option<Result<Written, TreeError>>>,
}

impl Results {
    fn reserve(self: &Arc<Self>, table: &str) -> Ticket {
        let mut slots = lock(&self.slots);
        slots.slots.push_back(None);
        let number = slots.first + u64::try_from(slots.slots.len()).expect("few chunks wait") - 1;
        Ticket { results: Arc::clone(self), number: Some(number), table: table.to_owned() }
    }

    /// How many chunks were begun and not taken yet.
    pub(super) fn outstanding(&self) -> usize {
        lock(&self.slots).slots.len()
    }

    /// The next result, if it is there.
    pub(super) fn take(&self) -> Option<Result<Written, TreeError>> {
        lock(&self.slots).take()
    }

    /// The next result, when it is there; `None` where nothing is outstanding.
    pub(super) fn wait(&self) -> Option<Result<Written, TreeError>> {
        let mut slots = lock(&self.slots);
        loop {
            if slots.slots.is_empty() {
                return None;
            }
            if let Some(result) = slots.take() {
                return Some(result);
            }
            slots = self.filled.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Slots {
    fn take(&mut self) -> Option<Result<Written, TreeError>> {
        self.slots.front()?.as_ref()?;
        self.first += 1;
        self.slots.pop_front().flatten()
    }
}

/// The right and the duty to fill one slot: a task that is dropped, or panics, fills it with an
/// error, so nobody waits for it forever.
struct Ticket {
    results: Arc<Results>,
    number: Option<u64>,
    table: String,
}

impl Ticket {
    fn fill(mut self, result: Result<Written, TreeError>) {
        self.put(result);
    }

    fn put(&mut self, result: Result<Written, TreeError>) {
        let Some(number) = self.number.take() else { return };
        let mut slots = lock(&self.results.slots);
        let index = number.checked_sub(slots.first).and_then(|index| usize::try_from(index).ok());
        if let Some(slot) = index.and_then(|index| slots.slots.get_mut(index)) {
            *slot = Some(result);
        }
        drop(slots);
        self.results.filled.notify_all();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let table = std::mem::take(&mut self.table);
        self.put(Err(TreeError::WorkerFailed { table }));
    }
}
