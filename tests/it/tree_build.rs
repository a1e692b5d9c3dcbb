//! Trees as they are built: one root for the same rows, and no more objects than needed.

use std::sync::Arc;

use deepdiff_db::codec::Kind;
use deepdiff_db::model::Value;
use deepdiff_db::store::MemoryObjects;
use deepdiff_db::tree::{StoreMode, Tree, TreePlan};
use proptest::prelude::*;

use crate::tree_lab::{
    KeyShape, Manner, PLAIN, SHAPES, SMALL, build, build_so, content, counted, objects, plan, rows,
    spec, without_keys,
};

fn any_shape() -> impl Strategy<Value = KeyShape> {
    proptest::sample::select(SHAPES.to_vec())
}

fn shaped_rows(most: usize) -> impl Strategy<Value = (KeyShape, Vec<Vec<Value>>)> {
    any_shape().prop_flat_map(move |shape| (Just(shape), rows(shape, most)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_holds_the_rows_it_was_built_from((shape, rows) in shaped_rows(300)) {
        let objects = objects();
        let plan = plan(shape);
        let root = build(&objects, &plan, &rows);
        let tree = Tree::new(&objects, plan, root);
        let content = content(&tree);
        prop_assert_eq!(without_keys(&content), counted(&rows));
        prop_assert_eq!(root.rows, u64::try_from(rows.len()).unwrap());
        for (key, (row, count)) in content.iter().step_by(7) {
            let found = tree.find(key).unwrap().expect("the key is there");
            prop_assert_eq!(&found.chunk.values(found.row).unwrap(), row);
            prop_assert_eq!(found.chunk.count(found.row).unwrap(), *count);
            let mut beside = key.clone();
            beside.push(0);
            prop_assert!(tree.find(&beside).unwrap().is_none());
        }
    }

    #[test]
    fn the_root_depends_on_the_rows_alone(
        (shape, rows) in shaped_rows(300),
        workers in 0usize..4,
        batch in 1usize..5_000,
        sort_budget in 1usize..40_000,
        seed in any::<u64>(),
    ) {
        let (first, second) = (objects(), objects());
        let plan = plan(shape);
        let root = build(&first, &plan, &rows);
        let mut shuffled = rows.clone();
        let len = shuffled.len();
        let mut state = seed | 1;
        for index in 1..len {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
        }
        let manner = Manner { workers, batch, sort_budget };
        prop_assert_eq!(build_so(&second, &plan, &shuffled, manner).unwrap(), root);
        for kind in Kind::STORED {
            prop_assert_eq!(first.count(kind), second.count(kind));
        }
    }

    #[test]
    fn a_hash_only_tree_has_the_same_root_and_no_values((shape, rows) in shaped_rows(200)) {
        let (full, hashes) = (objects(), objects());
        let root = build(&full, &plan(shape), &rows);
        let hash_only =
            TreePlan::new(&spec(shape), StoreMode::HashOnly).unwrap().with_rules(SMALL).shared();
        prop_assert_eq!(build(&hashes, &hash_only, &rows), root);
        for kind in [Kind::Column, Kind::ValueColumn, Kind::Value, Kind::ValueList] {
            prop_assert_eq!(hashes.count(kind).0, 0);
        }
        prop_assert_eq!(full.count(Kind::RowHashes).0, 0);
        let full = Tree::new(&full, plan(shape), root);
        let hashes = Tree::new(&hashes, hash_only, root);
        let (mut left, mut right) =
            (deepdiff_db::tree::Cursor::new(&full), deepdiff_db::tree::Cursor::new(&hashes));
        while let Some(left) = left.next_row().unwrap() {
            let right = right.next_row().unwrap().unwrap();
            prop_assert_eq!(
                left.chunk.row_hash(left.row).unwrap(),
                right.chunk.row_hash(right.row).unwrap()
            );
        }
    }
}

fn numbered(count: i64) -> Vec<Vec<Value>> {
    (0..count)
        .map(|id| {
            let text = |n: i64| Value::Text(format!("text number {n}"));
            vec![text(id), Value::Int(id), text(id % 100), Value::Int(id * 7 % 1000)]
        })
        .collect()
}

fn counts(objects: &MemoryObjects) -> Vec<(Kind, usize)> {
    Kind::STORED.iter().map(|kind| (*kind, objects.count(*kind).0)).collect()
}

fn format_plan() -> Arc<TreePlan> {
    TreePlan::new(&spec(KeyShape::Simple), StoreMode::Full).unwrap().shared()
}

#[test]
fn updating_one_cell_writes_one_block_one_chunk_and_the_path() {
    let objects = objects();
    let plan = format_plan();
    let mut rows = numbered(20_000);
    let root = build(&objects, &plan, &rows);
    assert_eq!(root.height, 2);
    let before = counts(&objects);
    rows[12_345][0] = Value::Text("changed".into());
    build(&objects, &plan, &rows);
    for ((kind, before), (_, after)) in before.iter().zip(counts(&objects)) {
        let expected = match kind {
            Kind::Column | Kind::Chunk => 1,
            Kind::Node => usize::from(root.height),
            _ => 0,
        };
        assert_eq!(after - before, expected, "{kind:?}");
    }
}

#[test]
fn building_again_writes_nothing() {
    let objects = objects();
    let plan = format_plan();
    let rows = numbered(5_000);
    let root = build(&objects, &plan, &rows);
    let before = counts(&objects);
    let again = build_so(&objects, &plan, &rows, Manner { workers: 2, ..PLAIN }).unwrap();
    assert_eq!(again, root);
    assert_eq!(counts(&objects), before);
}
