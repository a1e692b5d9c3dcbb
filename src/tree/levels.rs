//! The inner nodes above chunks, built as chunks arrive.
//!
//! Each level cuts its children by the same rule as rows are cut, over the children's last keys
//! and with a salt of its own. A node has at least two children; the only child of a level is the
//! root.

use std::collections::VecDeque;

use super::chunker::{Chunker, Cut, TreeRules, key_hash};
use super::error::TreeError;
use crate::codec::structure::{Node, NodeEntry};
use crate::codec::{Kind, wire};
use crate::model::snapshot::TreeRoot;
use crate::store::ObjectSink;

/// Nodes that are not finished, level by level.
pub(super) struct Levels<'s> {
    sink: &'s dyn ObjectSink,
    rules: TreeRules,
    levels: Vec<Level>,
}

/// The children of one level that are in no node yet.
pub(super) struct Level {
    pub(super) chunker: Chunker,
    pub(super) entries: VecDeque<NodeEntry>,
    /// How many children this level was given, up to two.
    pub(super) seen: u8,
}

impl Level {
    fn new(rules: &TreeRules) -> Level {
        Level { chunker: Chunker::new(rules.nodes), entries: VecDeque::new(), seen: 0 }
    }
}

impl<'s> Levels<'s> {
    pub(super) fn new(sink: &'s dyn ObjectSink, rules: TreeRules) -> Self {
        Levels { sink, rules, levels: Vec::new() }
    }

    /// Goes on with levels that a checkpoint kept.
    pub(super) fn restore(sink: &'s dyn ObjectSink, rules: TreeRules, levels: Vec<Level>) -> Self {
        Levels { sink, rules, levels }
    }

    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Takes the next chunk.
    pub(super) fn push(&mut self, entry: NodeEntry) -> Result<(), TreeError> {
        self.push_at(0, entry)
    }

    fn push_at(&mut self, index: usize, entry: NodeEntry) -> Result<(), TreeError> {
        if self.levels.len() == index {
            self.levels.push(Level::new(&self.rules));
        }
        let level = &mut self.levels[index];
        let hash = key_hash(level_number(index), &entry.last_key);
        level.entries.push_back(entry);
        level.seen = level.seen.saturating_add(1).min(2);
        for cut in level.chunker.push(hash, 0).into_iter().flatten() {
            self.cut(index, cut)?;
        }
        Ok(())
    }

    fn cut(&mut self, index: usize, cut: Cut) -> Result<(), TreeError> {
        let entries: Vec<NodeEntry> = self.levels[index].entries.drain(..cut.rows).collect();
        let (mut rows, mut bytes) = (0u64, 0u64);
        for entry in &entries {
            rows = rows.saturating_add(entry.rows);
            bytes = bytes.saturating_add(entry.bytes);
        }
        let last_key = entries.last().map(|entry| entry.last_key.clone()).unwrap_or_default();
        let node = Node { level: level_number(index), entries };
        let id = self.sink.put(Kind::Node, &wire::to_bytes(&node))?;
        self.push_at(index + 1, NodeEntry { last_key, rows, bytes, id })
    }

    /// Ends the table and gives the root.
    pub(super) fn finish(mut self) -> Result<TreeRoot, TreeError> {
        let mut index = 0;
        while index < self.levels.len() {
            let is_top = index + 1 == self.levels.len();
            let level = &mut self.levels[index];
            if level.seen == 1 && is_top {
                let entry = level.entries.pop_front().expect("an only child is in no node");
                let height = u8::try_from(index).expect("a tree has few levels");
                let NodeEntry { rows, bytes, id, .. } = entry;
                return Ok(TreeRoot { id: Some(id), height, rows, bytes });
            }
            let mut cuts = Vec::new();
            level.chunker.finish(|cut| cuts.push(cut));
            for cut in cuts {
                self.cut(index, cut)?;
            }
            index += 1;
        }
        Ok(TreeRoot::EMPTY)
    }
}

/// The level of the nodes that hold the children at `index`: 1 above chunks.
fn level_number(index: usize) -> u8 {
    u8::try_from(index + 1).expect("every level halves the number of children at least")
}
