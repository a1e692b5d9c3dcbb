//! Trees built in parts: ranges stitched together, and work that was interrupted and resumed.

use std::sync::Arc;

use deepdiff_db::codec::row::RowBatch;
use deepdiff_db::model::Value;
use deepdiff_db::store::MemoryObjects;
use deepdiff_db::tree::{
    Checkpoint, ChunkPool, CountedRows, MemoryScratch, RangeBuilder, RangeStitcher, ScratchSpace,
    Sorter, Tree, TreeBuilder, TreeError, TreePlan, TreeRules, check_tree,
};
use proptest::prelude::*;

use crate::tree_lab::{KeyShape, PLAIN, SHAPES, build, encode, hasher, objects, plan, rows, spec};

/// The rows of a table in key order, one batch a row, so that they can be cut anywhere.
fn sorted(objects: &MemoryObjects, plan: &Arc<TreePlan>, rows: &[Vec<Value>]) -> Vec<CountedRows> {
    let scratch = Arc::new(MemoryScratch::default());
    let mut sorter = Sorter::new(Arc::clone(plan), scratch, PLAIN.sort_budget);
    for batch in encode(objects, plan, rows, PLAIN.batch) {
        sorter.push(batch).unwrap();
    }
    let mut sorted = sorter.finish().unwrap();
    let mut single = Vec::new();
    while let Some(rows) = sorted.next_rows().unwrap() {
        for index in 0..rows.rows.len() {
            let row = rows.rows.row(index);
            let mut batch = RowBatch::default();
            batch.push_row(row.preimage, row.key);
            single.push(CountedRows { rows: batch, counts: vec![rows.count(index)] });
        }
    }
    single
}

fn copy(rows: &[CountedRows]) -> CountedRows {
    let mut copy = CountedRows::default();
    for row in rows {
        copy.rows.push_row(row.rows.row(0).preimage, row.rows.row(0).key);
        copy.counts.push(row.count(0));
    }
    copy
}

fn key(row: &CountedRows) -> &[u8] {
    row.rows.row(0).key
}

/// Rules under which chunks are capped as often as they end naturally.
fn capped(shape: KeyShape) -> Arc<TreePlan> {
    let mut rules = TreeRules::with_windows(3, 2);
    rules.rows.max_rows = 7;
    rules.rows.max_bytes = 700;
    rules.nodes.max_rows = 5;
    TreePlan::new(&spec(shape), deepdiff_db::tree::StoreMode::Full)
        .unwrap()
        .with_rules(rules)
        .shared()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_into_ranges_gives_the_tree_of_the_whole(
        (shape, rows) in proptest::sample::select(SHAPES.to_vec())
            .prop_flat_map(|shape| (Just(shape), rows(shape, 250))),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        workers in 0usize..3,
        is_capped in any::<bool>(),
        batch in 1usize..50,
    ) {
        let objects = objects();
        let plan = if is_capped { capped(shape) } else { plan(shape) };
        let root = build(&objects, &plan, &rows);
        let rows = sorted(&objects, &plan, &rows);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len() + 1)).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        let window = 3;
        let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
        let stitched = ChunkPool::scope(&objects, workers, |pool| {
            let mut parts = Vec::new();
            // Ranges may be built in any order.
            for range in cuts.windows(2).rev() {
                let before = &rows[range[0].saturating_sub(window)..range[0]];
                let after = &rows[range[1]..rows.len().min(range[1] + window)];
                let scratch = Arc::clone(&scratch);
                let mut builder =
                    RangeBuilder::new(Arc::clone(&plan), pool, scratch, before.iter().map(key));
                for rows in rows[range[0]..range[1]].chunks(batch) {
                    builder.push(copy(rows)).unwrap();
                }
                parts.push(builder.finish(after.iter().map(key)).unwrap());
            }
            let mut stitcher = RangeStitcher::new(Arc::clone(&plan), pool, Arc::clone(&scratch));
            for part in parts.into_iter().rev() {
                stitcher.push(part).unwrap();
            }
            stitcher.finish().unwrap()
        });
        prop_assert_eq!(stitched, root);
    }

    #[test]
    fn interrupted_and_resumed_gives_the_same_tree(
        (shape, rows) in proptest::sample::select(SHAPES.to_vec())
            .prop_flat_map(|shape| (Just(shape), rows(shape, 300))),
        stops in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
        batch in 1usize..40,
        workers in 0usize..3,
        is_capped in any::<bool>(),
        sends_again in any::<bool>(),
    ) {
        let objects = objects();
        let plan = if is_capped { capped(shape) } else { plan(shape) };
        let root = build(&objects, &plan, &rows);
        let rows = sorted(&objects, &plan, &rows);
        let mut stops: Vec<usize> = stops.iter().map(|stop| stop.index(rows.len() + 1)).collect();
        stops.sort_unstable();
        stops.push(usize::MAX);
        let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
        let mut checkpoint: Option<Checkpoint> = None;
        let mut result = None;
        for stop in stops {
            let from = checkpoint.as_ref().filter(|_| !sends_again).map_or(0, |checkpoint| {
                rows.partition_point(|row| key(row) <= checkpoint.last_key())
            });
            result = ChunkPool::scope(&objects, workers, |pool| {
                let (plan, scratch) = (Arc::clone(&plan), Arc::clone(&scratch));
                let mut builder = match &checkpoint {
                    None => TreeBuilder::new(plan, pool, scratch),
                    Some(old) => {
                        let old =
                            Checkpoint::from_bytes("test", old.as_bytes(), &hasher()).unwrap();
                        TreeBuilder::resume(plan, pool, scratch, &old).unwrap()
                    }
                };
                let mut sent = from;
                for rows in rows[from..].chunks(batch) {
                    if sent >= stop {
                        return None;
                    }
                    builder.push_counted(copy(rows)).unwrap();
                    sent += rows.len();
                    if let Some(taken) = builder.checkpoint() {
                        // Work never goes back.
                        let before = checkpoint.as_ref().map_or(&[][..], Checkpoint::last_key);
                        assert!(taken.last_key() >= before);
                        checkpoint = Some(taken);
                    }
                }
                Some(builder.finish().unwrap())
            });
        }
        prop_assert_eq!(result, Some(root));
        let mut problems = Vec::new();
        let tree = Tree::new(&objects, plan, root);
        let checked = check_tree(&tree, &mut |problem| problems.push(problem)).unwrap();
        prop_assert_eq!(problems, vec![]);
        prop_assert_eq!(checked, root.rows);
    }
}

/// A checkpoint of a builder that was given some rows of `plan`'s table.
fn some_checkpoint(plan: &Arc<TreePlan>) -> Checkpoint {
    let objects = objects();
    let rows: Vec<Vec<Value>> = (0..500)
        .map(|id| vec![Value::Null, Value::Int(id), Value::Text("x".into()), Value::Null])
        .collect();
    let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
    ChunkPool::scope(&objects, 0, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(plan), pool, scratch);
        let mut taken = None;
        for row in sorted(&objects, plan, &rows) {
            builder.push_counted(row).unwrap();
            taken = builder.checkpoint().or(taken);
        }
        taken.expect("500 rows have a boundary")
    })
}

#[test]
fn a_checkpoint_that_was_changed_or_belongs_elsewhere_is_refused() {
    let plan = plan(KeyShape::Simple);
    let checkpoint = some_checkpoint(&plan);
    for at in 0..checkpoint.as_bytes().len() {
        let mut bytes = checkpoint.as_bytes().to_vec();
        bytes[at] ^= 1;
        let read = Checkpoint::from_bytes("test", &bytes, &hasher());
        assert!(matches!(read, Err(TreeError::Checkpoint { .. })), "byte {at}");
        let read = Checkpoint::from_bytes("test", &bytes[..at], &hasher());
        assert!(read.is_err(), "cut at {at}");
    }
    let objects = objects();
    ChunkPool::scope(&objects, 0, |pool| {
        let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
        for other in [crate::tree_lab::plan(KeyShape::Composite), capped(KeyShape::Simple)] {
            let resumed = TreeBuilder::resume(other, pool, Arc::clone(&scratch), &checkpoint);
            assert!(matches!(resumed, Err(TreeError::Checkpoint { .. })));
        }
        assert!(TreeBuilder::resume(plan, pool, scratch, &checkpoint).is_ok());
    });
}
