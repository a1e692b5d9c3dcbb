//! Which rows of a span differ, and in which columns.
//!
//! Columns are matched by name. In aligned chunks, columns whose blocks have one id are not read.
//! A column that is on one side only counts on the other as its default, so that only values
//! unlike it make a row differ. Nothing is allocated for a row.

use std::collections::BTreeMap;

use super::chunk::LoadedChunk;
use super::diff::Pairs;
use super::error::TreeError;
use super::large;
use super::plan::TreePlan;
use super::reader::Tree;
use crate::codec::block::Column;
use crate::codec::cell::{Cell, EXTERNAL, EXTERNAL_ABOVE};
use crate::codec::{Hasher, state};
use crate::model::Value;

/// A column of two tables that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnPair {
    /// Its name.
    pub name: String,
    /// Its index on the left, where it is there.
    pub left: Option<usize>,
    /// Its index on the right, where it is there.
    pub right: Option<usize>,
    /// The cell that stands for the column on the side where it is not: tag and payload.
    default: (u8, Vec<u8>),
}

/// The columns of two tables, matched by name, in byte order of names; columns of the key are
/// equal where keys are and are left out.
pub fn column_pairs(left: &TreePlan, right: &TreePlan, hasher: &Hasher) -> Vec<ColumnPair> {
    let mut places: BTreeMap<&String, (Option<usize>, Option<usize>)> = BTreeMap::new();
    for (index, name) in left.column_names().iter().enumerate() {
        places.entry(name).or_default().0 = Some(index);
    }
    for (index, name) in right.column_names().iter().enumerate() {
        places.entry(name).or_default().1 = Some(index);
    }
    let mut pairs = Vec::with_capacity(places.len());
    for (name, (pair_left, pair_right)) in places {
        let default = match (pair_left, pair_right) {
            (Some(index), None) => &left.defaults[index],
            (None, Some(index)) => &right.defaults[index],
            _ => &Value::Null,
        };
        if pair_left.is_some_and(|index| left.layout.is_key_column(index)) {
            continue;
        }
        let default = default_cell(default, hasher);
        pairs.push(ColumnPair { name: name.clone(), left: pair_left, right: pair_right, default });
    }
    pairs
}

fn default_cell(default: &Value, hasher: &Hasher) -> (u8, Vec<u8>) {
    let mut payload = Vec::new();
    let tag = state::default_cell(default, &mut payload);
    if payload.len() <= EXTERNAL_ABOVE {
        return (tag, payload);
    }
    let id = large::large_value_id(hasher, &payload);
    let len = u64::try_from(payload.len()).expect("a length in memory fits in 64 bits");
    (tag | EXTERNAL, [len.to_le_bytes().as_slice(), &id.0].concat())
}

/// Compares the rows of spans; keeps its memory from one to the next.
pub struct RowComparer {
    pairs: Vec<ColumnPair>,
    by_row_hash: bool,
    differs: Vec<bool>,
}

impl RowComparer {
    /// A comparer for two trees that are identified by the same key.
    pub fn new(left: &Tree<'_>, right: &Tree<'_>) -> Self {
        RowComparer {
            pairs: column_pairs(left.plan(), right.plan(), right.objects().hasher()),
            by_row_hash: left.is_hash_only() || right.is_hash_only(),
            differs: Vec::new(),
        }
    }

    /// The columns that are compared.
    pub fn columns(&self) -> &[ColumnPair] {
        &self.pairs
    }

    /// Whether one side has row hashes only: a row then differs or not, and no column is known.
    pub fn is_by_row_hash(&self) -> bool {
        self.by_row_hash
    }

    /// Finds the pairs whose rows differ and says how many they are. Multiplicities are not
    /// compared here ([`Pairs::counts`]).
    pub fn compare(&mut self, span: &Pairs<'_, '_>) -> Result<usize, TreeError> {
        self.differs.clear();
        self.differs.resize(span.len, false);
        if self.by_row_hash {
            let left = &span.left.row_hashes()?[span.left_from..];
            let right = &span.right.row_hashes()?[span.right_from..];
            for (differs, (left, right)) in self.differs.iter_mut().zip(left.iter().zip(right)) {
                *differs = left != right;
            }
        } else {
            for pair in &self.pairs {
                if let Some(columns) = PairColumns::read(span, pair)? {
                    for (index, differs) in self.differs.iter_mut().enumerate() {
                        *differs |= columns.differ(span, index);
                    }
                }
            }
        }
        Ok(self.differs.iter().filter(|differs| **differs).count())
    }

    /// Whether the rows of pair `index` differed in the span compared last.
    pub fn is_changed(&self, index: usize) -> bool {
        self.differs[index]
    }

    /// The columns in which the rows of pair `index` differ, as indexes into
    /// [`RowComparer::columns`]; none where that is not known.
    pub fn changed_columns(
        &self,
        span: &Pairs<'_, '_>,
        index: usize,
    ) -> Result<Vec<usize>, TreeError> {
        let mut changed = Vec::new();
        if self.by_row_hash {
            return Ok(changed);
        }
        for (number, pair) in self.pairs.iter().enumerate() {
            if PairColumns::read(span, pair)?.is_some_and(|columns| columns.differ(span, index)) {
                changed.push(number);
            }
        }
        Ok(changed)
    }
}

/// The values of one column on both sides.
struct PairColumns<'c> {
    left: Values<'c>,
    right: Values<'c>,
}

enum Values<'c> {
    Block(&'c Column),
    Same(Cell<'c>),
}

impl<'c> Values<'c> {
    fn read(
        chunk: &'c LoadedChunk<'_>,
        index: Option<usize>,
        default: &'c (u8, Vec<u8>),
    ) -> Result<Values<'c>, TreeError> {
        Ok(match index {
            None => Values::Same(Cell { tag: default.0, payload: &default.1 }),
            Some(index) => match chunk.column(index)? {
                None => Values::Same(Cell::NULL),
                Some(column) if column.is_constant() => Values::Same(column.cell(0)),
                Some(column) => Values::Block(column),
            },
        })
    }

    fn cell(&self, row: usize) -> Cell<'c> {
        match self {
            Values::Block(column) => column.cell(row),
            Values::Same(cell) => *cell,
        }
    }
}

impl<'c> PairColumns<'c> {
    /// Reads the column's blocks; `None` where they cannot differ.
    fn read(span: &'c Pairs<'_, '_>, pair: &'c ColumnPair) -> Result<Option<Self>, TreeError> {
        if let (true, Some(left), Some(right)) = (span.is_aligned, pair.left, pair.right)
            && span.left.block_of(left) == span.right.block_of(right)
        {
            return Ok(None);
        }
        let left = Values::read(&span.left, pair.left, &pair.default)?;
        let right = Values::read(&span.right, pair.right, &pair.default)?;
        if let (Values::Same(left), Values::Same(right)) = (&left, &right)
            && left == right
        {
            return Ok(None);
        }
        Ok(Some(PairColumns { left, right }))
    }

    fn differ(&self, span: &Pairs<'_, '_>, index: usize) -> bool {
        self.left.cell(span.left_from + index) != self.right.cell(span.right_from + index)
    }
}
