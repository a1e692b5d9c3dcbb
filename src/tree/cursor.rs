//! Goes over the rows of a tree in key order, a chunk at a time, from any key on.

use std::sync::Arc;

use super::chunk::LoadedChunk;
use super::error::TreeError;
use super::reader::{RowAt, Subtree, Tree};
use crate::codec::structure::Node;

/// A place in a tree: subtrees that were not visited yet, and the rows at hand.
pub struct Cursor<'t, 'o> {
    tree: &'t Tree<'o>,
    walk: Walk,
    chunk: Option<Arc<LoadedChunk<'o>>>,
    row: usize,
}

impl<'t, 'o> Cursor<'t, 'o> {
    /// Before the first row.
    pub fn new(tree: &'t Tree<'o>) -> Self {
        Cursor { tree, walk: Walk::new(tree), chunk: None, row: 0 }
    }

    /// Before the first row whose key is not below `key`.
    pub fn from_key(tree: &'t Tree<'o>, key: &[u8]) -> Result<Self, TreeError> {
        let mut cursor = Cursor::new(tree);
        while let Some(head) = cursor.walk.head() {
            if head.last_key.as_deref().is_some_and(|last| last < key) {
                cursor.walk.skip();
            } else if head.level > 0 {
                cursor.walk.descend(tree)?;
            } else {
                break;
            }
        }
        if let Some(chunk) = cursor.next_chunk()? {
            cursor.row = chunk.keys()?.lower_bound(key);
            cursor.chunk = Some(chunk);
        }
        Ok(cursor)
    }

    /// The next row; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<RowAt<'o>>, TreeError> {
        loop {
            if let Some(chunk) = self.chunk.as_ref().filter(|chunk| self.row < chunk.len()) {
                let row = RowAt { chunk: Arc::clone(chunk), row: self.row };
                self.row += 1;
                return Ok(Some(row));
            }
            self.row = 0;
            self.chunk = self.next_chunk()?;
            if self.chunk.is_none() {
                return Ok(None);
            }
        }
    }

    /// The next chunk that was not begun; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Arc<LoadedChunk<'o>>>, TreeError> {
        while let Some(head) = self.walk.head() {
            if head.level == 0 {
                let chunk = self.tree.load_chunk(&head)?;
                self.walk.skip();
                return Ok(Some(Arc::new(chunk)));
            }
            self.walk.descend(self.tree)?;
        }
        Ok(None)
    }
}

/// A walk over a tree from left to right, that opens only what it is told to.
pub(super) struct Walk {
    top: Option<Subtree>,
    path: Vec<(Arc<Node>, usize)>,
}

impl Walk {
    pub(super) fn new(tree: &Tree<'_>) -> Self {
        Walk { top: tree.top(), path: Vec::new() }
    }

    /// The subtree that comes next; `None` at the end.
    pub(super) fn head(&self) -> Option<Subtree> {
        match self.path.last() {
            Some((node, index)) => Some(Subtree::of_entry(node.level - 1, &node.entries[*index])),
            None => self.top.clone(),
        }
    }

    /// Leaves the next subtree behind without opening it.
    pub(super) fn skip(&mut self) {
        while let Some((node, index)) = self.path.last_mut() {
            *index += 1;
            if *index < node.entries.len() {
                return;
            }
            self.path.pop();
        }
        self.top = None;
    }

    /// Opens the next subtree, which is no chunk: its first child comes next.
    pub(super) fn descend(&mut self, tree: &Tree<'_>) -> Result<(), TreeError> {
        let head = self.head().expect("there is a subtree to open");
        let node = tree.load_node(&head)?;
        self.path.push((Arc::new(node), 0));
        Ok(())
    }
}
