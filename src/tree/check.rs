//! Whether a tree is what the builder would have made of its rows (`verify --full`).
//!
//! Objects are hashed wherever they are read, so what is looked for here is what a hash cannot
//! tell: boundaries that the rule would not have set, rows whose hashes are not the ones that the
//! chunk promises, blocks in a form that no encoder writes, sums that do not add up. Every problem
//! is reported with its place; what can still be checked beside it is checked.

use super::chunk::LoadedChunk;
use super::chunker::{Chunker, Cut, CutEnd, key_hash};
use super::error::{TreeError, describe_key};
use super::plan::StoreMode;
use super::reader::{Subtree, Tree};
use super::verify_chunk::ChunkVerifier;
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

/// Checks a whole tree and reports what is wrong with it. Gives the number of rows that were
/// checked, multiplicities counted.
///
/// # Errors
///
/// Only where objects cannot be read at all; a missing or damaged one is a problem of the tree.
pub fn check_tree(tree: &Tree<'_>, report: &mut dyn FnMut(Problem)) -> Result<u64, TreeError> {
    let rules = tree.plan().rules;
    let mut check = TreeCheck {
        tree,
        report,
        verifier: ChunkVerifier::default(),
        rows: Boundaries::new(Chunker::new(rules.rows), tree.plan().mode),
        nodes: (0..tree.root().height)
            .map(|_| Boundaries::new(Chunker::new(rules.nodes), StoreMode::Full))
            .collect(),
        last_key: Vec::new(),
        checked: 0,
    };
    if let Some(top) = tree.top() {
        check.subtree(&top)?;
        check.end(&top);
    }
    Ok(check.checked)
}

struct TreeCheck<'c, 't, 'o> {
    tree: &'t Tree<'o>,
    report: &'c mut dyn FnMut(Problem),
    verifier: ChunkVerifier,
    rows: Boundaries,
    /// From the level above chunks upwards.
    nodes: Vec<Boundaries>,
    last_key: Vec<u8>,
    checked: u64,
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
        if subtree.level == 0 {
            return self.chunk(subtree);
        }
        let node = match self.tree.load_node(subtree) {
            Ok(node) => node,
            Err(error) => return self.failed(subtree, error),
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

    fn chunk(&mut self, subtree: &Subtree) -> Result<(), TreeError> {
        let chunk = match self.tree.load_chunk(subtree) {
            Ok(chunk) => chunk,
            Err(error) => return self.failed(subtree, error),
        };
        match self.verifier.verify(&chunk, subtree) {
            Ok(wrong) => wrong.into_iter().for_each(|why| self.problem(subtree, why)),
            Err(error) => return self.failed(subtree, error),
        }
        self.checked = self.checked.saturating_add(subtree.rows);
        if let Err(error) = self.keys(&chunk, subtree) {
            return self.failed(subtree, error);
        }
        if let Some(why) = self.rows.end_of(chunk.len()) {
            self.problem(subtree, why);
        }
        Ok(())
    }

    fn keys(&mut self, chunk: &LoadedChunk<'_>, subtree: &Subtree) -> Result<(), TreeError> {
        let keys = chunk.keys()?;
        if keys.key(0) <= self.last_key.as_slice() {
            self.problem(subtree, "its first key is not above the last one before it");
        }
        for row in 0..keys.len() {
            let bytes = self.verifier.preimage_len(row);
            self.rows.push(key_hash(0, keys.key(row)), bytes);
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(keys.key(keys.len() - 1));
        Ok(())
    }

    fn end(&mut self, top: &Subtree) {
        let mut wrong: Vec<String> = self.rows.finish().into_iter().collect();
        for boundaries in &mut self.nodes {
            wrong.extend(boundaries.finish());
        }
        wrong.into_iter().for_each(|why| self.problem(top, why));
    }
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
