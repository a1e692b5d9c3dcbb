//! Whether a tree is what the builder would have made of its rows (`verify --full`).
//!
//! Objects are hashed wherever they are read, so what is looked for here is what a hash cannot
//! tell: boundaries that the rule would not have set, rows whose hashes are not the ones that the
//! chunk promises, blocks in a form that no encoder writes, sums that do not add up. Every problem
//! is reported with its place; what can still be checked beside it is checked.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::chunker::{Chunker, Cut, CutEnd, key_hash};
use super::error::{TreeError, describe_key};
use super::plan::StoreMode;
use super::reader::{Subtree, Tree};
use super::verify_chunk::{CheckedChunk, ChunkVerifier};
use crate::model::ObjectId;
use crate::store::objects::ObjectError;

/// Something that is wrong with a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table {table}: {what} {id} (rows up to {last_key}): {why}")]
pub struct Problem {
    /// The table.
    pub table: String,
    /// `chunk` or `node`.
    pub what: &'static str,
    /// The object.
    pub id: ObjectId,
    /// The last key below it, readable; `the end` for the root.
    pub last_key: String,
    /// What is wrong.
    pub why: String,
}

/// How a tree is checked.
#[derive(Clone, Copy)]
pub struct CheckManner<'a> {
    /// How many threads check chunks.
    pub jobs: NonZeroUsize,
    /// Asked from time to time whether to give up.
    pub is_over: &'a dyn Fn() -> bool,
}

impl Default for CheckManner<'_> {
    fn default() -> Self {
        CheckManner { jobs: NonZeroUsize::MIN, is_over: &|| false }
    }
}

/// How far a check came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedTree {
    /// The rows that were checked, multiplicities counted.
    pub rows: u64,
    /// Whether it came to the end of the tree.
    pub is_whole: bool,
}

/// Checks a whole tree on this thread and reports what is wrong with it. Gives the number of rows
/// that were checked, multiplicities counted.
///
/// # Errors
///
/// Only where objects cannot be read at all; a missing or damaged one is a problem of the tree.
pub fn check_tree(tree: &Tree<'_>, report: &mut dyn FnMut(Problem)) -> Result<u64, TreeError> {
    Ok(check_tree_in(tree, &CheckManner::default(), report)?.rows)
}

/// As [`check_tree`], on several threads and for as long as it may take.
pub fn check_tree_in(
    tree: &Tree<'_>,
    manner: &CheckManner<'_>,
    report: &mut dyn FnMut(Problem),
) -> Result<CheckedTree, TreeError> {
    let rules = tree.plan().rules;
    let mut check = TreeCheck {
        tree,
        manner: *manner,
        report,
        verifiers: (0..manner.jobs.get()).map(|_| ChunkVerifier::default()).collect(),
        waiting: Vec::new(),
        rows: Boundaries::new(Chunker::new(rules.rows), tree.plan().mode),
        nodes: (0..tree.root().height)
            .map(|_| Boundaries::new(Chunker::new(rules.nodes), StoreMode::Full))
            .collect(),
        last_key: Vec::new(),
        checked: 0,
        is_over: false,
    };
    if let Some(top) = tree.top() {
        check.subtree(&top)?;
        check.chunks()?;
        if !check.is_over {
            check.end(&top);
        }
    }
    Ok(CheckedTree { rows: check.checked, is_whole: !check.is_over })
}

/// Chunks that a thread takes at once: enough that threads seldom wait for each other.
const CHUNKS_A_JOB: usize = 64;

struct TreeCheck<'c, 't, 'o> {
    tree: &'t Tree<'o>,
    manner: CheckManner<'c>,
    report: &'c mut dyn FnMut(Problem),
    /// One a thread.
    verifiers: Vec<ChunkVerifier>,
    /// Chunks that are to be checked, in order.
    waiting: Vec<Subtree>,
    rows: Boundaries,
    /// From the level above chunks upwards.
    nodes: Vec<Boundaries>,
    last_key: Vec<u8>,
    checked: u64,
    is_over: bool,
}

impl TreeCheck<'_, '_, '_> {
    fn problem(&mut self, subtree: &Subtree, why: impl Into<String>) {
        (self.report)(Problem {
            table: self.tree.plan().table.clone(),
            what: if subtree.level == 0 { "chunk" } else { "node" },
            id: subtree.id,
            last_key: subtree.last_key.as_deref().map_or("the end".into(), describe_key),
            why: why.into(),
        });
    }

    /// Turns what can be told of a subtree into a problem, and the rest into an error.
    fn failed(&mut self, subtree: &Subtree, error: TreeError) -> Result<(), TreeError> {
        if matches!(error, TreeError::Object(ObjectError::Io(_))) {
            return Err(error);
        }
        let mut why = error.to_string();
        if let Some(source) = std::error::Error::source(&error) {
            why = format!("{why}: {source}");
        }
        self.problem(subtree, why);
        // What comes after a hole cannot be counted from what came before it.
        self.rows.stop();
        self.nodes.iter_mut().for_each(Boundaries::stop);
        Ok(())
    }

    fn subtree(&mut self, subtree: &Subtree) -> Result<(), TreeError> {
        if self.is_over {
            return Ok(());
        }
        if subtree.level == 0 {
            self.waiting.push(subtree.clone());
            let is_enough = self.waiting.len() >= CHUNKS_A_JOB * self.verifiers.len();
            return if is_enough { self.chunks() } else { Ok(()) };
        }
        let node = match self.tree.load_node(subtree) {
            Ok(node) => node,
            Err(error) => {
                self.chunks()?;
                return self.failed(subtree, error);
            }
        };
        let boundaries = usize::from(subtree.level) - 1;
        for entry in &node.entries {
            let hash = key_hash(subtree.level, &entry.last_key);
            self.nodes[boundaries].push(hash, 0);
            self.subtree(&Subtree::of_entry(subtree.level - 1, entry))?;
        }
        if let Some(why) = self.nodes[boundaries].end_of(node.entries.len()) {
            self.problem(subtree, why);
        }
        Ok(())
    }

    /// Checks the chunks that wait: each by itself and side by side, then in their order.
    fn chunks(&mut self) -> Result<(), TreeError> {
        let waiting = std::mem::take(&mut self.waiting);
        let checked = side_by_side(&mut self.verifiers, self.tree, &waiting);
        for (subtree, checked) in waiting.iter().zip(checked) {
            match checked {
                Ok(chunk) => self.chunk(subtree, chunk),
                Err(error) => self.failed(subtree, error)?,
            }
        }
        self.is_over |= (self.manner.is_over)();
        Ok(())
    }

    fn chunk(&mut self, subtree: &Subtree, chunk: CheckedChunk) {
        chunk.wrong.into_iter().for_each(|why| self.problem(subtree, why));
        self.checked = self.checked.saturating_add(subtree.rows);
        if chunk.first_key <= self.last_key {
            self.problem(subtree, "its first key is not above the last one before it");
        }
        self.last_key = chunk.last_key;
        for &(key_hash, bytes) in &chunk.rows {
            self.rows.push(key_hash, bytes);
        }
        if let Some(why) = self.rows.end_of(chunk.rows.len()) {
            self.problem(subtree, why);
        }
    }

    fn end(&mut self, top: &Subtree) {
        let mut wrong: Vec<String> = self.rows.finish().into_iter().collect();
        for boundaries in &mut self.nodes {
            wrong.extend(boundaries.finish());
        }
        wrong.into_iter().for_each(|why| self.problem(top, why));
    }
}

/// Checks chunks on as many threads as there are verifiers; gives what came out in their order.
fn side_by_side(
    verifiers: &mut [ChunkVerifier],
    tree: &Tree<'_>,
    chunks: &[Subtree],
) -> Vec<Result<CheckedChunk, TreeError>> {
    let next = AtomicUsize::new(0);
    let work = |verifier: &mut ChunkVerifier| {
        let mut checked = Vec::new();
        while let Some((number, chunk)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            chunks.get(number).map(|chunk| (number, chunk))
        } {
            checked.push((number, verifier.verify(tree, chunk)));
        }
        checked
    };
    // A few chunks are not worth a thread.
    let threads = verifiers.len().min(chunks.len() / 4 + 1);
    let (first, others) = verifiers[..threads].split_first_mut().expect("there is one at least");
    let mut checked = std::thread::scope(|scope| {
        let others: Vec<_> =
            others.iter_mut().map(|verifier| scope.spawn(|| work(verifier))).collect();
        let mut checked = work(first);
        for other in others {
            match other.join() {
                Ok(more) => checked.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        checked
    });
    checked.sort_unstable_by_key(|(number, _)| *number);
    checked.into_iter().map(|(_, checked)| checked).collect()
}

/// The boundaries that the rule sets, beside those that are there.
struct Boundaries {
    chunker: Chunker,
    /// Whether sizes are not known, so that the cap cannot be followed.
    without_sizes: bool,
    /// Where the rule ends chunks and where chunks end, counted from the start; the first that
    /// have no counterpart yet.
    expected: std::collections::VecDeque<u64>,
    actual: std::collections::VecDeque<u64>,
    expected_end: u64,
    actual_end: u64,
    is_stopped: bool,
}

impl Boundaries {
    fn new(chunker: Chunker, mode: StoreMode) -> Self {
        Boundaries {
            chunker,
            without_sizes: mode == StoreMode::HashOnly,
            expected: std::collections::VecDeque::new(),
            actual: std::collections::VecDeque::new(),
            expected_end: 0,
            actual_end: 0,
            is_stopped: false,
        }
    }

    /// Gives up: a part of the rows is not known.
    fn stop(&mut self) {
        self.is_stopped = true;
    }

    fn push(&mut self, hash: u64, bytes: u64) {
        if !self.is_stopped {
            let cuts = self.chunker.push(hash, bytes);
            cuts.into_iter().flatten().for_each(|cut| self.expect(cut));
        }
    }

    fn expect(&mut self, cut: Cut) {
        self.expected_end += u64::try_from(cut.rows).expect("a length fits in 64 bits");
        if !(self.without_sizes && cut.end == CutEnd::Cap) {
            self.expected.push_back(self.expected_end);
        }
    }

    /// A chunk of this many rows ends. Says what is wrong with the boundaries known so far.
    fn end_of(&mut self, rows: usize) -> Option<String> {
        self.actual_end += u64::try_from(rows).expect("a length fits in 64 bits");
        self.actual.push_back(self.actual_end);
        self.compare()
    }

    fn compare(&mut self) -> Option<String> {
        while let (false, Some(&expected), Some(&actual)) =
            (self.is_stopped, self.expected.front(), self.actual.front())
        {
            if expected == actual {
                self.expected.pop_front();
                self.actual.pop_front();
            } else if self.without_sizes && actual < expected {
                // It may have been the cap.
                self.actual.pop_front();
            } else {
                self.is_stopped = true;
                return Some(format!(
                    "the rule ends a run after row {expected} of its level, \
                     here one ends after row {actual}"
                ));
            }
        }
        None
    }

    fn finish(&mut self) -> Option<String> {
        if self.is_stopped {
            return None;
        }
        let mut cuts = Vec::new();
        self.chunker.finish(|cut| cuts.push(cut));
        cuts.into_iter().for_each(|cut| self.expect(cut));
        let wrong = self.compare();
        let is_open = !self.is_stopped && (!self.expected.is_empty() || !self.actual.is_empty());
        wrong.or_else(|| is_open.then(|| "its last run does not end where the rows end".to_owned()))
    }
}
