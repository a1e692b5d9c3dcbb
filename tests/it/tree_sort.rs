//! The sorter: order, merged duplicates, refused ones, and bounded memory.

use std::sync::Arc;

use deepdiff_db::model::Value;
use deepdiff_db::tree::{MemoryScratch, Sorter, TreeError};

use crate::tree_lab::{KeyShape, Manner, PLAIN, Row, build, build_so, encode, objects, plan};

fn numbered(ids: impl Iterator<Item = i64>) -> Vec<Row> {
    ids.map(|id| vec![Value::Null, Value::Int(id), Value::Text("n".into()), Value::Int(id % 3)])
        .collect()
}

/// How many scratch files it takes to sort these rows; they come out ascending.
fn files(rows: &[Row], budget: usize) -> usize {
    let (objects, plan) = (objects(), plan(KeyShape::Simple));
    let scratch = Arc::new(MemoryScratch::default());
    let mut sorter = Sorter::new(Arc::clone(&plan), scratch.clone(), budget);
    for batch in encode(&objects, &plan, rows, 1000) {
        sorter.push(batch).unwrap();
    }
    let mut sorted = sorter.finish().unwrap();
    let (mut count, mut last) = (0, Vec::new());
    while let Some(rows) = sorted.next_rows().unwrap() {
        for index in 0..rows.rows.len() {
            let key = rows.rows.row(index).key;
            assert!(key > last.as_slice());
            last = key.to_vec();
            count += 1;
        }
    }
    assert_eq!(count, rows.len());
    scratch.created()
}

#[test]
fn rows_in_order_make_one_run_and_need_no_file_where_they_fit() {
    let rows = numbered(0..3_000);
    assert_eq!(files(&rows, usize::MAX), 0);
    assert_eq!(files(&rows, 10_000), 1);
}

#[test]
fn rows_in_reverse_make_many_runs_that_are_merged_in_passes() {
    // A batch a run, hundreds of them: more than are merged at once.
    assert!(files(&numbered((0..6_000).rev()), 1) > 70);
}

#[test]
fn two_rows_with_one_key_are_refused_by_name() {
    for (shape, budget) in [
        (KeyShape::Simple, 1 << 20),
        (KeyShape::Simple, 1),
        (KeyShape::Composite, 1 << 20),
        (KeyShape::Nullable, 1),
    ] {
        let mut rows = numbered(0..100);
        rows.push(rows[42].clone());
        let manner = Manner { sort_budget: budget, batch: 100, ..PLAIN };
        match build_so(&objects(), &plan(shape), &rows, manner) {
            Err(TreeError::DuplicateKey { table, key }) => {
                assert_eq!(table, "test");
                assert!(key.contains("42"), "{key}");
            }
            other => panic!("{shape:?}: {other:?}"),
        }
    }
}

#[test]
fn rows_without_identity_are_counted() {
    for budget in [1, 1 << 20] {
        let manner = Manner { sort_budget: budget, batch: 200, ..PLAIN };
        let rows: Vec<Row> = numbered((0..10).cycle().take(100));
        for shape in [KeyShape::None, KeyShape::Nullable] {
            let mut rows = rows.clone();
            rows.iter_mut().for_each(|row| row[2] = Value::Null);
            let root = build_so(&objects(), &plan(shape), &rows, manner).unwrap();
            assert_eq!(root.rows, 100);
            assert_eq!(root, build(&objects(), &plan(shape), &rows));
        }
    }
}

#[test]
fn rows_wider_than_the_budget_are_sorted() {
    let rows: Vec<Row> = (0..40i64)
        .rev()
        .map(|id| {
            let wide = Value::Text("w".repeat(4_000));
            vec![wide.clone(), Value::Int(id), wide, Value::Int(id)]
        })
        .collect();
    let plan = plan(KeyShape::Simple);
    let manner = Manner { sort_budget: 100, batch: 1, ..PLAIN };
    let root = build_so(&objects(), &plan, &rows, manner).unwrap();
    assert_eq!(root, build(&objects(), &plan, &rows));
}
