//! A tree built anew by another key is the tree that the other key would have made.

use std::sync::Arc;

use deepdiff_db::model::Value;
use deepdiff_db::store::{MemoryObjects, Objects};
use deepdiff_db::tree::{
    MemoryScratch, ScratchObjects, ScratchSpace, StoreMode, Tree, TreeError, TreePlan, rekey,
};
use proptest::prelude::*;

use crate::tree_lab::{KeyShape, Row, SHAPES, build, content, objects, plan, rows, spec};

fn rekeyed<'o>(
    objects: &'o MemoryObjects,
    from: KeyShape,
    to: KeyShape,
    rows: &[Row],
) -> Result<(ScratchObjects<'o>, deepdiff_db::model::snapshot::TreeRoot), TreeError> {
    let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
    let root = build(objects, &plan(from), rows);
    let tree = Tree::new(objects, plan(from), root);
    let over = ScratchObjects::new(objects, scratch.as_ref())?;
    let root = rekey(&tree, &plan(to), &over, &scratch, 2_000)?;
    Ok((over, root))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn by_any_other_key(
        (from, to) in (
            proptest::sample::select(SHAPES.to_vec()),
            proptest::sample::select(SHAPES.to_vec()),
        ),
        rows in rows(KeyShape::Simple, 150),
    ) {
        let objects = objects();
        let (over, root) = rekeyed(&objects, from, to, &rows).unwrap();
        let direct = crate::tree_lab::objects();
        prop_assert_eq!(root, build(&direct, &plan(to), &rows));
        let (over, direct): (&dyn Objects, &dyn Objects) = (&over, &direct);
        let over = Tree::new(over, plan(to), root);
        let direct = Tree::new(direct, plan(to), root);
        prop_assert_eq!(content(&over), content(&direct));
    }
}

fn row(id: i64, name: Value) -> Row {
    vec![Value::Null, Value::Int(id), name, Value::Null]
}

#[test]
fn a_key_that_is_not_one_is_refused() {
    let objects = objects();
    let rows = vec![row(1, Value::Text("a".into())); 2];
    let result = rekeyed(&objects, KeyShape::None, KeyShape::Simple, &rows);
    assert!(matches!(result, Err(TreeError::DuplicateKey { .. })));

    let rows = [row(1, Value::Null)];
    let result = rekeyed(&objects, KeyShape::Simple, KeyShape::Composite, &rows);
    assert!(matches!(result, Err(TreeError::NullInKey { .. })));

    let hash_only = TreePlan::new(&spec(KeyShape::Simple), StoreMode::HashOnly).unwrap().shared();
    let rows: Vec<Row> = (0..50).map(|id| row(id, Value::Text(format!("name {id}")))).collect();
    let root = build(&objects, &hash_only, &rows);
    let tree = Tree::new(&objects, hash_only, root);
    let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
    let result = rekey(&tree, &plan(KeyShape::Composite), &objects, &scratch, 1 << 20);
    assert!(matches!(result, Err(TreeError::HashOnly { .. })));
}
