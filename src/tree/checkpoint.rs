//! A place in the building of a tree from which it can go on in another process.
//!
//! A checkpoint lies on a natural boundary. The boundary row beats every row within W of it, so
//! the rows after it are cut as those at the beginning of a table are, and no hash of a row before
//! it is needed: the checkpoint keeps the boundary's key and the unfinished nodes, and no row is
//! read twice. Its bytes end in a hash over them and over the rules they were made by.

use std::collections::VecDeque;

use super::chunker::{Chunker, Cutter, LocalMaximum, TreeRules};
use super::error::TreeError;
use super::levels::{Level, Levels};
use super::plan::{StoreMode, TreePlan};
use crate::codec::structure::NodeEntry;
use crate::codec::{Hasher, Kind};
use crate::model::ObjectId;
use crate::store::ObjectSink;

/// A checkpoint: opaque bytes, and the key after which reading goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    bytes: Vec<u8>,
    last_key: Vec<u8>,
}

const ID_LEN: usize = 32;
const VERSION: u8 = 1;

impl Checkpoint {
    /// The key of the last row that is in the tree: reading goes on right after it.
    pub fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// The bytes, to be kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The finished subtrees that the checkpoint relies on.
    pub fn references(&self) -> Vec<(Kind, ObjectId)> {
        let body = &self.bytes[..self.bytes.len().saturating_sub(ID_LEN)];
        let mut input = Input(body);
        let levels = input.head().and_then(|_| input.levels(&TreeRules::FORMAT));
        let of_level = |(depth, level): (usize, Level)| {
            let kind = if depth == 0 { Kind::Chunk } else { Kind::Node };
            level.entries.into_iter().map(move |entry| (kind, entry.id))
        };
        levels.into_iter().flatten().enumerate().flat_map(of_level).collect()
    }

    /// The checkpoint of a table, from its bytes. Refuses bytes that were changed.
    pub fn from_bytes(table: &str, bytes: &[u8], hasher: &Hasher) -> Result<Self, TreeError> {
        let wrong = |why: &str| TreeError::Checkpoint { table: table.into(), why: why.into() };
        let (body, id) = bytes.split_last_chunk::<ID_LEN>().ok_or_else(|| wrong("cut short"))?;
        if hasher.id(Kind::File, body) != ObjectId(*id) {
            return Err(wrong("its bytes were changed, or another store's hash made it"));
        }
        let mut input = Input(body);
        let (last_key, _) = input.head().ok_or_else(|| wrong("malformed"))?;
        Ok(Checkpoint { bytes: bytes.to_vec(), last_key: last_key.to_vec() })
    }
}

/// Writes a checkpoint after the row with this key.
pub(super) fn take(
    plan: &TreePlan,
    levels: &[Level],
    last_key: &[u8],
    sink: &dyn ObjectSink,
) -> Checkpoint {
    let mut bytes = vec![VERSION];
    write_bytes(&mut bytes, last_key);
    write_bytes(&mut bytes, &identity(plan));
    write_len(&mut bytes, levels.len());
    for level in levels {
        write_level(&mut bytes, level);
    }
    let id = sink.hasher().id(Kind::File, &bytes);
    bytes.extend_from_slice(&id.0);
    Checkpoint { bytes, last_key: last_key.to_vec() }
}

/// The unfinished nodes of a checkpoint that was made by the same plan.
pub(super) fn levels<'s>(
    checkpoint: &Checkpoint,
    plan: &TreePlan,
    sink: &'s dyn ObjectSink,
) -> Result<Levels<'s>, TreeError> {
    let wrong = |why: &str| TreeError::Checkpoint { table: plan.table.clone(), why: why.into() };
    let body = checkpoint.bytes.len().checked_sub(ID_LEN).map(|end| &checkpoint.bytes[..end]);
    let mut input = Input(body.ok_or_else(|| wrong("cut short"))?);
    let (_, made_by) = input.head().ok_or_else(|| wrong("malformed"))?;
    if made_by != identity(plan) {
        return Err(wrong("the table's columns or key, or what is stored, were others then"));
    }
    let levels = input.levels(&plan.rules).ok_or_else(|| wrong("malformed"))?;
    Ok(Levels::restore(sink, plan.rules, levels))
}

/// Whatever must be the same for a checkpoint to be of use.
fn identity(plan: &TreePlan) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_bytes(&mut bytes, plan.table.as_bytes());
    bytes.push(match plan.mode {
        StoreMode::Full => 0,
        StoreMode::HashOnly => 1,
    });
    for rule in [&plan.rules.rows, &plan.rules.nodes] {
        write_len(&mut bytes, rule.window);
        write_len(&mut bytes, rule.max_rows);
        bytes.extend_from_slice(&rule.max_bytes.to_le_bytes());
    }
    write_len(&mut bytes, plan.table_column.map_or(0, |index| index + 1));
    for (index, name) in plan.names.iter().enumerate() {
        write_bytes(&mut bytes, name.as_bytes());
        write_len(&mut bytes, plan.layout.key_position(index).map_or(0, |position| position + 1));
    }
    bytes
}

fn write_level(bytes: &mut Vec<u8>, level: &Level) {
    let (maximum, waiting, cutter) = level.chunker.parts();
    let (seen, candidates) = maximum.state();
    bytes.push(level.seen);
    write_u64(bytes, seen);
    write_len(bytes, candidates.len());
    for (row, hash) in candidates {
        write_u64(bytes, row);
        write_u64(bytes, hash);
    }
    write_len(bytes, waiting.len());
    let (rows, size) = cutter.state();
    write_len(bytes, rows);
    write_u64(bytes, size);
    write_len(bytes, level.entries.len());
    for entry in &level.entries {
        write_bytes(bytes, &entry.last_key);
        write_u64(bytes, entry.rows);
        write_u64(bytes, entry.bytes);
        bytes.extend_from_slice(&entry.id.0);
    }
}

fn write_u64(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn write_len(bytes: &mut Vec<u8>, len: usize) {
    write_u64(bytes, u64::try_from(len).expect("a length in memory fits in 64 bits"));
}

fn write_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    write_len(bytes, content.len());
    bytes.extend_from_slice(content);
}

struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn head(&mut self) -> Option<(&'b [u8], &'b [u8])> {
        let (&version, rest) = self.0.split_first()?;
        self.0 = rest;
        let head = (self.bytes()?, self.bytes()?);
        (version == VERSION).then_some(head)
    }

    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    /// The length of something whose items take `least` bytes or more each.
    fn len(&mut self, least: usize) -> Option<usize> {
        let len = usize::try_from(self.u64()?).ok()?;
        (len.checked_mul(least)? <= self.0.len()).then_some(len)
    }

    fn bytes(&mut self) -> Option<&'b [u8]> {
        let len = self.len(1)?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn levels(&mut self, rules: &TreeRules) -> Option<Vec<Level>> {
        let count = self.len(1)?;
        let levels = (0..count).map(|_| self.level(rules)).collect::<Option<Vec<_>>>()?;
        self.0.is_empty().then_some(levels)
    }

    fn level(&mut self, rules: &TreeRules) -> Option<Level> {
        let (&has_seen, rest) = self.0.split_first()?;
        self.0 = rest;
        let seen = self.u64()?;
        let candidates = self.len(16)?;
        let candidates =
            (0..candidates).map(|_| Some((self.u64()?, self.u64()?))).collect::<Option<_>>()?;
        let maximum = LocalMaximum::restore(rules.nodes.window, seen, candidates)?;
        let waiting = usize::try_from(self.u64()?).ok()?;
        let cut_rows = usize::try_from(self.u64()?).ok()?;
        let cutter = Cutter::restore(rules.nodes, cut_rows, self.u64()?);
        let entries = self.len(56)?;
        let entries = (0..entries).map(|_| self.entry()).collect::<Option<VecDeque<_>>>()?;
        let agree = cut_rows.checked_add(waiting) == Some(entries.len())
            && u64::try_from(waiting) == Ok(maximum.unsettled());
        // Children of nodes count no bytes, so those that wait are known by their number.
        let waiting: VecDeque<u64> = std::iter::repeat_n(0, waiting.min(entries.len())).collect();
        let chunker = Chunker::from_parts(maximum, waiting, cutter);
        agree.then_some(Level { chunker, entries, seen: has_seen })
    }

    fn entry(&mut self) -> Option<NodeEntry> {
        let last_key = self.bytes()?.to_vec();
        let (rows, bytes) = (self.u64()?, self.u64()?);
        let (id, rest) = self.0.split_first_chunk::<ID_LEN>()?;
        self.0 = rest;
        Some(NodeEntry { last_key, rows, bytes, id: ObjectId(*id) })
    }
}
