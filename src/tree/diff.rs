//! Two trees side by side: what is on one side only, and what is on both and may differ.
//!
//! The trees are walked together from left to right. Subtrees of one id hold the same rows and are
//! never opened, so the cost follows the change. Spans come in key order; at most a chunk and a
//! path a side are in memory.

use std::ops::Range;
use std::sync::Arc;

use super::chunk::LoadedChunk;
use super::cursor::Walk;
use super::error::TreeError;
use super::plan::TreePlan;
use super::reader::{Subtree, Tree};

/// Consecutive rows of one chunk.
#[derive(Clone)]
pub struct Rows<'o> {
    /// The chunk.
    pub chunk: Arc<LoadedChunk<'o>>,
    /// Which of its rows.
    pub rows: Range<usize>,
}

/// Rows with equal keys on both sides: the row `left_from + i` and the row `right_from + i`, for
/// every `i` below `len`. Their cells and multiplicities may differ.
#[derive(Clone)]
pub struct Pairs<'l, 'r> {
    /// The chunk on the left.
    pub left: Arc<LoadedChunk<'l>>,
    /// The chunk on the right.
    pub right: Arc<LoadedChunk<'r>>,
    /// Its first row on the left.
    pub left_from: usize,
    /// Its first row on the right.
    pub right_from: usize,
    /// How many rows.
    pub len: usize,
    /// Whether these are two whole chunks with the same keys and multiplicities: blocks of one id
    /// then hold the same values for the same rows.
    pub is_aligned: bool,
}

impl Pairs<'_, '_> {
    /// The key of pair `index`.
    pub fn key(&self, index: usize) -> Result<&[u8], TreeError> {
        self.left.key(self.left_from + index)
    }

    /// How often the row of pair `index` occurs on the left and on the right.
    pub fn counts(&self, index: usize) -> Result<(u64, u64), TreeError> {
        let left = self.left.count(self.left_from + index)?;
        Ok((left, self.right.count(self.right_from + index)?))
    }
}

/// A part of the difference, in key order.
#[derive(Clone)]
pub enum Span<'l, 'r> {
    /// Rows whose keys are only on the left.
    Left(Rows<'l>),
    /// Rows whose keys are only on the right.
    Right(Rows<'r>),
    /// Rows whose keys are on both sides, in chunks that differ.
    Both(Pairs<'l, 'r>),
}

/// Compares two trees whose rows are identified by the same columns.
pub struct TreeDiff<'t, 'l, 'r> {
    left: Side<'t, 'l>,
    right: Side<'t, 'r>,
}

struct Side<'t, 'o> {
    tree: &'t Tree<'o>,
    walk: Walk,
    /// The next subtree, where it is a chunk that was opened, and how many of its rows are done.
    open: Option<(Arc<LoadedChunk<'o>>, usize)>,
}

impl<'t, 'l, 'r> TreeDiff<'t, 'l, 'r> {
    /// Starts a comparison.
    ///
    /// # Errors
    ///
    /// [`TreeError::KeysDiffer`] where the two sides identify their rows by different columns: one
    /// side must then be built anew by the other's key (`tree::rekey`).
    pub fn new(left: &'t Tree<'l>, right: &'t Tree<'r>) -> Result<Self, TreeError> {
        let (left_key, right_key) = (key_names(left.plan()), key_names(right.plan()));
        if left_key != right_key {
            return Err(TreeError::KeysDiffer {
                table: right.plan().table.clone(),
                left: left_key.join(", "),
                right: right_key.join(", "),
            });
        }
        Ok(TreeDiff { left: Side::new(left), right: Side::new(right) })
    }

    /// The next part of the difference; `None` at the end.
    pub fn next_span(&mut self) -> Result<Option<Span<'l, 'r>>, TreeError> {
        loop {
            let (left, right) = match (self.left.head(), self.right.head()) {
                (None, None) => return Ok(None),
                (Some(_), None) => return Ok(Some(Span::Left(self.left.rest()?))),
                (None, Some(_)) => return Ok(Some(Span::Right(self.right.rest()?))),
                (Some(left), Some(right)) => (left, right),
            };
            let untouched = self.left.is_untouched() && self.right.is_untouched();
            if untouched && left.level == right.level && left.id == right.id {
                self.left.skip();
                self.right.skip();
            } else if left.level > 0 || right.level > 0 {
                if left.level >= right.level {
                    self.left.walk.descend(self.left.tree)?;
                }
                if right.level >= left.level {
                    self.right.walk.descend(self.right.tree)?;
                }
            } else {
                return self.chunks(&left, &right).map(Some);
            }
        }
    }

    /// Compares the two chunks that come next, as far as their keys reach.
    fn chunks(&mut self, left: &Subtree, right: &Subtree) -> Result<Span<'l, 'r>, TreeError> {
        let (left, left_from) = self.left.open(left)?;
        let (right, right_from) = self.right.open(right)?;
        let same_keys = left_from == 0
            && right_from == 0
            && left.list().keys == right.list().keys
            && left.list().counts == right.list().counts
            && left.len() == right.len();
        if same_keys {
            let len = left.len();
            self.left.advance(len);
            self.right.advance(len);
            let is_aligned = true;
            return Ok(Span::Both(Pairs { left, right, left_from, right_from, len, is_aligned }));
        }
        let (left_keys, right_keys) = (left.keys()?, right.keys()?);
        let (left_key, right_key) = (left_keys.key(left_from), right_keys.key(right_from));
        if left_key < right_key {
            let rows = left_from..left_keys.lower_bound(right_key);
            self.left.advance(rows.len());
            return Ok(Span::Left(Rows { chunk: left, rows }));
        }
        if right_key < left_key {
            let rows = right_from..right_keys.lower_bound(left_key);
            self.right.advance(rows.len());
            return Ok(Span::Right(Rows { chunk: right, rows }));
        }
        let most = (left.len() - left_from).min(right.len() - right_from);
        let len = (1..most)
            .find(|i| left_keys.key(left_from + i) != right_keys.key(right_from + i))
            .unwrap_or(most);
        self.left.advance(len);
        self.right.advance(len);
        Ok(Span::Both(Pairs { left, right, left_from, right_from, len, is_aligned: false }))
    }
}

/// The names of the key's columns, in key order.
pub(super) fn key_names(plan: &TreePlan) -> Vec<&str> {
    let mut names: Vec<(usize, &str)> = plan
        .column_names()
        .iter()
        .enumerate()
        .filter_map(|(index, name)| Some((plan.layout.key_position(index)?, name.as_str())))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|(_, name)| name).collect()
}

impl<'t, 'o> Side<'t, 'o> {
    fn new(tree: &'t Tree<'o>) -> Self {
        Side { tree, walk: Walk::new(tree), open: None }
    }

    fn head(&self) -> Option<Subtree> {
        self.walk.head()
    }

    /// Whether no row of the next subtree is done.
    fn is_untouched(&self) -> bool {
        self.open.as_ref().is_none_or(|(_, done)| *done == 0)
    }

    fn skip(&mut self) {
        self.open = None;
        self.walk.skip();
    }

    /// The next subtree, a chunk, and how many of its rows are done.
    fn open(&mut self, head: &Subtree) -> Result<(Arc<LoadedChunk<'o>>, usize), TreeError> {
        if let Some((chunk, done)) = &self.open {
            return Ok((Arc::clone(chunk), *done));
        }
        let chunk = Arc::new(self.tree.load_chunk(head)?);
        self.open = Some((Arc::clone(&chunk), 0));
        Ok((chunk, 0))
    }

    fn advance(&mut self, rows: usize) {
        if let Some((chunk, done)) = &mut self.open {
            *done += rows;
            if *done >= chunk.len() {
                self.skip();
            }
        }
    }

    /// What is left of the next chunk, whose key range the other side does not reach.
    fn rest(&mut self) -> Result<Rows<'o>, TreeError> {
        loop {
            let head = self.head().expect("the caller saw that there is a subtree");
            if head.level > 0 {
                self.walk.descend(self.tree)?;
                continue;
            }
            let (chunk, done) = self.open(&head)?;
            let rows = done..chunk.len();
            self.skip();
            return Ok(Rows { chunk, rows });
        }
    }
}
