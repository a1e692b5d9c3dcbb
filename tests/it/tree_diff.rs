//! Two trees compared: the difference applied to one side gives the other, and costs no more than
//! the change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deepdiff_db::codec::{Hasher, Kind};
use deepdiff_db::model::{ObjectId, Value};
use deepdiff_db::store::objects::ObjectError;
use deepdiff_db::store::{MemoryObjects, Objects};
use deepdiff_db::tree::{RowComparer, Span, StoreMode, Tree, TreeDiff, TreeError, TreePlan};
use proptest::prelude::*;

use crate::tree_lab::{
    Content, KeyShape, Row, SHAPES, SMALL, build, column, content, objects, plan, rows, spec,
    unique,
};

/// What the spans of a comparison say, applied to the left side.
fn applied(left: &Tree<'_>, right: &Tree<'_>) -> Content {
    let mut result = content(left);
    let mut diff = TreeDiff::new(left, right).unwrap();
    let mut comparer = RowComparer::new(left, right);
    let mut last: Vec<u8> = Vec::new();
    let mut ascends = |key: &[u8]| {
        assert!(key > last.as_slice(), "spans come in key order");
        last = key.to_vec();
    };
    while let Some(span) = diff.next_span().unwrap() {
        match span {
            Span::Left(rows) => {
                for row in rows.rows {
                    let key = rows.chunk.key(row).unwrap();
                    ascends(key);
                    result.remove(key).expect("a row of the left side goes");
                }
            }
            Span::Right(rows) => {
                for row in rows.rows {
                    let key = rows.chunk.key(row).unwrap();
                    ascends(key);
                    let values = rows.chunk.values(row).unwrap();
                    let count = rows.chunk.count(row).unwrap();
                    assert!(result.insert(key.to_vec(), (values, count)).is_none());
                }
            }
            Span::Both(pairs) => {
                let changed = comparer.compare(&pairs).unwrap();
                let mut found = 0;
                for index in 0..pairs.len {
                    let key = pairs.key(index).unwrap();
                    ascends(key);
                    let (before, after) = pairs.counts(index).unwrap();
                    let held = result.get_mut(key).expect("the row is on both sides");
                    assert_eq!(held.1, before);
                    held.1 = after;
                    let columns = comparer.changed_columns(&pairs, index).unwrap();
                    assert_eq!(!columns.is_empty(), comparer.is_changed(index));
                    found += usize::from(!columns.is_empty());
                    for column in columns {
                        let at = comparer.columns()[column].right.unwrap();
                        let row = pairs.right_from + index;
                        let value = pairs.right.whole_value(row, at).unwrap();
                        assert_ne!(held.0[at], value);
                        held.0[at] = value;
                    }
                }
                assert_eq!(found, changed);
            }
        }
    }
    result
}

/// Some rows of `base` go, some change, some come.
fn edited(shape: KeyShape, base: &[Row], other: &[Row], picks: &[u8]) -> Vec<Row> {
    let mut edited = Vec::new();
    for (index, row) in base.iter().enumerate() {
        match picks[index % picks.len()] {
            0..=10 => {}
            11..=20 => {
                let mut row = row.clone();
                row[0] = Value::Int(i64::from(picks[index % picks.len()]));
                edited.push(row);
            }
            21..=25 => edited.extend([row.clone(), row.clone()]),
            _ => edited.push(row.clone()),
        }
    }
    edited.extend(other.iter().take(usize::from(picks[0]) / 8).cloned());
    unique(shape, edited)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_difference_of_edited_rows_applied_gives_the_other_side(
        (shape, base, other) in proptest::sample::select(SHAPES.to_vec())
            .prop_flat_map(|shape| (Just(shape), rows(shape, 300), rows(shape, 60))),
        picks in proptest::collection::vec(any::<u8>(), 1..80),
    ) {
        let objects = objects();
        let plan = plan(shape);
        let left = build(&objects, &plan, &base);
        let right = build(&objects, &plan, &edited(shape, &base, &other, &picks));
        let left = Tree::new(&objects, Arc::clone(&plan), left);
        let right = Tree::new(&objects, Arc::clone(&plan), right);
        prop_assert_eq!(applied(&left, &right), content(&right));
        prop_assert_eq!(applied(&right, &left), content(&left));
    }

    #[test]
    fn the_difference_of_unlike_rows_applied_gives_the_other_side(
        (shape, left, right) in proptest::sample::select(SHAPES.to_vec())
            .prop_flat_map(|shape| (Just(shape), rows(shape, 200), rows(shape, 40))),
    ) {
        let objects = objects();
        let plan = plan(shape);
        let empty = Tree::new(&objects, Arc::clone(&plan), build(&objects, &plan, &[]));
        let left = Tree::new(&objects, Arc::clone(&plan), build(&objects, &plan, &left));
        let right = Tree::new(&objects, Arc::clone(&plan), build(&objects, &plan, &right));
        prop_assert_eq!(applied(&left, &right), content(&right));
        prop_assert_eq!(applied(&empty, &right), content(&right));
        prop_assert_eq!(applied(&left, &empty), content(&empty));
    }
}

/// Counts what is read.
struct Counting<'o>(&'o MemoryObjects, AtomicUsize);

impl Objects for Counting<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.get(kind, id)
    }

    fn hasher(&self) -> &Hasher {
        Objects::hasher(self.0)
    }
}

fn numbered(count: i64) -> Vec<Row> {
    (0..count)
        .map(|id| {
            let text = |n: i64| Value::Text(format!("text number {n}"));
            vec![text(id), Value::Int(id), text(id % 100), Value::Int(id * 7 % 1000)]
        })
        .collect()
}

/// All pairs that differ, and how many objects were read for it.
fn changed(objects: &MemoryObjects, left: &Tree<'_>, right: &Tree<'_>) -> (usize, usize) {
    let (left_reads, right_reads) =
        (Counting(objects, AtomicUsize::new(0)), Counting(objects, AtomicUsize::new(0)));
    let left = Tree::new(&left_reads, Arc::clone(left.plan()), left.root());
    let right = Tree::new(&right_reads, Arc::clone(right.plan()), right.root());
    let mut diff = TreeDiff::new(&left, &right).unwrap();
    let mut comparer = RowComparer::new(&left, &right);
    let mut changed = 0;
    while let Some(span) = diff.next_span().unwrap() {
        match span {
            Span::Left(rows) => changed += rows.rows.len(),
            Span::Right(rows) => changed += rows.rows.len(),
            Span::Both(pairs) => changed += comparer.compare(&pairs).unwrap(),
        }
    }
    let reads = left_reads.1.load(Ordering::Relaxed).max(right_reads.1.load(Ordering::Relaxed));
    (changed, reads)
}

#[test]
fn a_difference_costs_the_change_and_not_the_table() {
    let objects = objects();
    let plan = TreePlan::new(&spec(KeyShape::Simple), StoreMode::Full).unwrap().shared();
    let tree = |rows: &[Row]| Tree::new(&objects, Arc::clone(&plan), build(&objects, &plan, rows));
    let base = numbered(100_000);
    let left = tree(&base);
    assert_eq!(changed(&objects, &left, &left), (0, 0), "equal roots open nothing");

    let mut rows = base.clone();
    rows[54_321][3] = Value::Int(-1);
    let (found, reads) = changed(&objects, &left, &tree(&rows));
    assert_eq!(found, 1);
    // The nodes down to the chunk, the chunk, one column. No keys: the chunks are aligned.
    assert_eq!(reads, usize::from(left.root().height) + 2);

    let mut rows = base.clone();
    rows.remove(54_321);
    let (found, reads) = changed(&objects, &left, &tree(&rows));
    assert_eq!(found, 1);
    assert!(reads < 30, "one row removed: {reads} objects read");

    let mut rows = base;
    rows.drain(20_000..21_000);
    let (found, reads) = changed(&objects, &left, &tree(&rows));
    assert_eq!(found, 1000);
    assert!(reads < 100, "a thousand rows removed: {reads} objects read");
}

#[test]
fn a_column_that_was_added_with_its_default_is_compared_without_reading_the_others() {
    let objects = objects();
    let plan = TreePlan::new(&spec(KeyShape::Simple), StoreMode::Full).unwrap().shared();
    let base = numbered(10_000);
    let left = Tree::new(&objects, Arc::clone(&plan), build(&objects, &plan, &base));

    let mut wider = spec(KeyShape::Simple);
    wider.columns.push(column("z_added"));
    wider.columns[4].default = Value::Int(7);
    let wider = TreePlan::new(&wider, StoreMode::Full).unwrap().shared();
    let with = |value: Value| -> Vec<Row> {
        base.iter().map(|row| [row.as_slice(), std::slice::from_ref(&value)].concat()).collect()
    };

    let mut rows = with(Value::Int(7));
    let right = Tree::new(&objects, Arc::clone(&wider), build(&objects, &wider, &rows));
    let (found, reads) = changed(&objects, &left, &right);
    let chunks = objects.count(Kind::Chunk).0;
    assert_eq!(found, 0);
    assert!(reads <= chunks, "{reads} objects read of {chunks} chunks on both sides");

    rows[77][4] = Value::Null;
    let right = Tree::new(&objects, Arc::clone(&wider), build(&objects, &wider, &rows));
    assert_eq!(changed(&objects, &left, &right).0, 1);

    // All NULL: not one chunk is another one.
    let nulls =
        Tree::new(&objects, Arc::clone(&wider), build(&objects, &wider, &with(Value::Null)));
    assert_eq!(nulls.root(), left.root());
}

#[test]
fn trees_by_different_keys_are_refused() {
    let objects = objects();
    let (simple, composite) = (plan(KeyShape::Simple), plan(KeyShape::Composite));
    let rows = numbered(10);
    let left = Tree::new(&objects, Arc::clone(&simple), build(&objects, &simple, &rows));
    let right = Tree::new(&objects, Arc::clone(&composite), build(&objects, &composite, &rows));
    match TreeDiff::new(&left, &right) {
        Err(TreeError::KeysDiffer { left, right, .. }) => {
            assert_eq!((left.as_str(), right.as_str()), ("id", "name, id"));
        }
        _ => panic!("keys differ"),
    }
}

#[test]
fn a_hash_only_side_is_compared_by_row_hashes() {
    let objects = objects();
    let full = plan(KeyShape::Simple);
    let hash_only =
        TreePlan::new(&spec(KeyShape::Simple), StoreMode::HashOnly).unwrap().with_rules(SMALL);
    let hash_only = hash_only.shared();
    let mut rows = numbered(500);
    let left = Tree::new(&objects, Arc::clone(&full), build(&objects, &full, &rows));
    rows[100][0] = Value::Null;
    rows[300][3] = Value::Int(-5);
    let right = Tree::new(&objects, Arc::clone(&hash_only), build(&objects, &hash_only, &rows));
    assert_eq!(changed(&objects, &left, &right).0, 2);
}
