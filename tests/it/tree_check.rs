//! The check of whole trees: a good one passes, and whatever is wrong is found and named.

use std::sync::Arc;

use deepdiff_db::codec::structure::{BlockRef, Chunk};
use deepdiff_db::codec::{Hasher, Kind, wire};
use deepdiff_db::model::snapshot::TreeRoot;
use deepdiff_db::model::{ObjectId, Value};
use deepdiff_db::store::objects::ObjectError;
use deepdiff_db::store::{MemoryObjects, ObjectSink, Objects};
use deepdiff_db::tree::{Problem, StoreMode, Tree, TreePlan, TreeRules, check_tree};
use proptest::prelude::*;

use crate::tree_lab::{KeyShape, Row, SHAPES, build, objects, plan, rows, spec};

fn problems(objects: &dyn Objects, plan: &Arc<TreePlan>, root: TreeRoot) -> Vec<Problem> {
    let mut problems = Vec::new();
    let tree = Tree::new(objects, Arc::clone(plan), root);
    check_tree(&tree, &mut |problem| problems.push(problem)).unwrap();
    problems
}

#[track_caller]
fn assert_found(problems: &[Problem], word: &str) {
    let found = problems.iter().any(|problem| problem.to_string().contains(word));
    assert!(found, "expected `{word}` in {problems:#?}");
}

fn hash_only(shape: KeyShape) -> Arc<TreePlan> {
    let plan = TreePlan::new(&spec(shape), StoreMode::HashOnly).unwrap();
    plan.with_rules(crate::tree_lab::SMALL).shared()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_the_builder_made_passes(
        (shape, rows) in proptest::sample::select(SHAPES.to_vec())
            .prop_flat_map(|shape| (Just(shape), rows(shape, 250))),
    ) {
        let full = objects();
        let plan = plan(shape);
        let root = build(&full, &plan, &rows);
        prop_assert_eq!(problems(&full, &plan, root), vec![]);
        let hashes = objects();
        let plan = hash_only(shape);
        prop_assert_eq!(build(&hashes, &plan, &rows), root);
        prop_assert_eq!(problems(&hashes, &plan, root), vec![]);
    }
}

fn numbered(count: i64) -> Vec<Row> {
    (0..count)
        .map(|id| {
            let text = Value::Text(format!("text number {id}"));
            vec![text.clone(), Value::Int(id), text, Value::Int(5)]
        })
        .collect()
}

#[test]
fn boundaries_by_another_rule_are_found() {
    for rules in [TreeRules::with_windows(4, 2), TreeRules::with_windows(3, 3)] {
        let objects = objects();
        let other = TreePlan::new(&spec(KeyShape::Simple), StoreMode::Full).unwrap();
        let root = build(&objects, &other.with_rules(rules).shared(), &numbered(300));
        assert_found(&problems(&objects, &plan(KeyShape::Simple), root), "the rule ends a run");
    }
}

/// A table of one chunk, its list changed by `change`.
fn changed(change: impl FnOnce(&MemoryObjects, &mut Chunk)) -> Vec<Problem> {
    let objects = objects();
    let plan = plan(KeyShape::Simple);
    let root = build(&objects, &plan, &numbered(5));
    assert_eq!(root.height, 0);
    let mut list = Chunk::decode(&objects.get(Kind::Chunk, &root.id.unwrap()).unwrap()).unwrap();
    change(&objects, &mut list);
    let id = objects.put(Kind::Chunk, &wire::to_bytes(&list)).unwrap();
    problems(&objects, &plan, TreeRoot { id: Some(id), ..root })
}

#[test]
fn a_chunk_that_no_builder_writes_is_found() {
    assert_eq!(changed(|_, _| {}), vec![]);
    assert_found(&changed(|_, list| list.row_hashes = ObjectId([7; 32])), "other hashes");
    assert_found(&changed(|_, list| list.columns.truncate(2)), "other hashes");
    assert_found(&changed(|_, list| list.columns[0].name = "b_note".into()), "none of the table's");
    // A constant that is written row by row.
    let spelled_out = |objects: &MemoryObjects, list: &mut Chunk| {
        let mut plain = vec![1, 5, 0, 0, 0, 0x10];
        (0..5).for_each(|_| plain.extend_from_slice(&5i64.to_le_bytes()));
        list.columns[2].block = BlockRef::Inline(plain.clone());
        objects.put(Kind::Column, &plain).unwrap();
    };
    assert_found(&changed(spelled_out), "not in canonical form");
    // A short block as an object of its own.
    let apart = |objects: &MemoryObjects, list: &mut Chunk| {
        let BlockRef::Inline(plain) = list.columns[2].block.clone() else {
            panic!("a constant is short")
        };
        list.columns[2].block = BlockRef::Object(objects.put(Kind::Column, &plain).unwrap());
    };
    assert_found(&changed(apart), "wrong kind or place");
    let counts = |_: &MemoryObjects, list: &mut Chunk| {
        let counts = [1u64, 1, 2, 1, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
        list.counts = Some(BlockRef::Inline(counts));
    };
    assert_found(&changed(counts), "malformed");
}

#[test]
fn sums_that_do_not_add_up_are_found() {
    let objects = objects();
    let plan = plan(KeyShape::Simple);
    for count in [5, 300] {
        let root = build(&objects, &plan, &numbered(count));
        let more = TreeRoot { bytes: root.bytes + 1, ..root };
        assert_found(&problems(&objects, &plan, more), if count == 5 { "bytes" } else { "above" });
        let more = TreeRoot { rows: root.rows + 1, ..root };
        assert_found(&problems(&objects, &plan, more), "above says");
    }
}

/// Objects of which one is missing.
struct Without<'o>(&'o MemoryObjects, ObjectId);

impl Objects for Without<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        if *id == self.1 {
            return Err(ObjectError::Missing { id: *id, kind });
        }
        self.0.get(kind, id)
    }

    fn hasher(&self) -> &Hasher {
        Objects::hasher(self.0)
    }
}

#[test]
fn a_missing_object_is_one_problem_and_the_rest_is_checked() {
    let objects = objects();
    let plan = plan(KeyShape::Simple);
    let root = build(&objects, &plan, &numbered(300));
    let tree = Tree::new(&objects, Arc::clone(&plan), root);
    let mut cursor = deepdiff_db::tree::Cursor::new(&tree);
    cursor.next_chunk().unwrap();
    let second = cursor.next_chunk().unwrap().unwrap();
    let without = Without(&objects, second.id());
    let tree = Tree::new(&without, plan, root);
    let mut problems = Vec::new();
    let checked = check_tree(&tree, &mut |problem| problems.push(problem)).unwrap();
    assert_eq!(problems.len(), 1);
    assert_found(&problems, "missing");
    assert_eq!(checked, root.rows - u64::try_from(second.len()).unwrap());
}
