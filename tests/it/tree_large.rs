//! Large values are objects of their own; wide rows and long keys stay in bounds.

use std::sync::Arc;

use deepdiff_db::codec::Kind;
use deepdiff_db::codec::cell::PIECE_LEN;
use deepdiff_db::codec::structure::BlockRef;
use deepdiff_db::model::Value;
use deepdiff_db::store::ObjectSink;
use deepdiff_db::tree::large::{ValuePieces, large_value_id, read_value, value_equals};
use deepdiff_db::tree::{CellValue, Cursor, StoreMode, Tree, TreePlan};

use crate::tree_lab::{KeyShape, Row, SMALL, build, content, hasher, objects, plan, spec};

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|n| u8::try_from((n * 31 + n / 251 + usize::from(seed)) % 256).unwrap()).collect()
}

fn row(id: i64, note: Value) -> Row {
    vec![note, Value::Int(id), Value::Text("name".into()), Value::Null]
}

#[test]
fn a_large_value_is_an_object_and_a_larger_one_a_list_of_pieces() {
    for (len, values, lists) in [
        (4096, 0, 0),
        (4097, 1, 0),
        (PIECE_LEN, 1, 0),
        (PIECE_LEN + 1, 2, 1),
        (3 * PIECE_LEN, 3, 1),
    ] {
        let objects = objects();
        let plan = plan(KeyShape::Simple);
        let large = bytes(len, 1);
        let root = build(&objects, &plan, &[row(1, Value::Bytes(large.clone()))]);
        assert_eq!(objects.count(Kind::Value).0, values, "{len}");
        assert_eq!(objects.count(Kind::ValueList).0, lists, "{len}");
        let tree = Tree::new(&objects, plan, root);
        let at = Cursor::new(&tree).next_row().unwrap().unwrap();
        assert_eq!(at.chunk.whole_value(0, 0).unwrap(), Value::Bytes(large.clone()));
        let is_apart = matches!(at.chunk.block_of(0), Some(BlockRef::WithValues(_)));
        assert_eq!(is_apart, values > 0);
        if let CellValue::Apart(apart) = at.chunk.value(0, 0).unwrap() {
            assert_eq!(apart.id, large_value_id(&hasher(), &large));
            assert!(value_equals(&objects, apart, &large).unwrap());
            assert!(!value_equals(&objects, apart, &bytes(len, 2)).unwrap());
            assert!(!value_equals(&objects, apart, &large[1..]).unwrap());
            // A row that claims another length is not believed.
            for claimed in [apart.len - 1, apart.len + 1] {
                let lie = deepdiff_db::codec::cell::ExternalValue { len: claimed, ..apart };
                assert!(read_value(&objects, lie).is_err());
            }
            let mut pieces = ValuePieces::open(&objects, apart).unwrap();
            let mut joined = Vec::new();
            while let Some(piece) = pieces.next_piece().unwrap() {
                joined.extend(piece);
            }
            assert_eq!(joined, large);
        }
    }
}

#[test]
fn updating_one_large_value_leaves_the_others() {
    let objects = objects();
    let plan = TreePlan::new(&spec(KeyShape::Simple), StoreMode::Full).unwrap().shared();
    let mut rows: Vec<Row> =
        (0..20).map(|id| row(id, Value::Bytes(bytes(10_000, u8::try_from(id).unwrap())))).collect();
    build(&objects, &plan, &rows);
    assert_eq!(objects.count(Kind::Value).0, 20);
    rows[7][0] = Value::Text("now short".into());
    rows[8][0] = Value::Bytes(bytes(10_000, 200));
    build(&objects, &plan, &rows);
    assert_eq!(objects.count(Kind::Value).0, 21);
    assert_eq!(objects.count(Kind::ValueColumn).0, 2);
}

#[test]
fn hash_only_stores_no_large_value() {
    let objects = objects();
    let plan = TreePlan::new(&spec(KeyShape::Simple), StoreMode::HashOnly).unwrap();
    let plan = plan.with_rules(SMALL).shared();
    let rows = [row(1, Value::Bytes(bytes(2 * PIECE_LEN, 1))), row(2, Value::Null)];
    build(&objects, &plan, &rows);
    for kind in [Kind::Value, Kind::ValueList, Kind::ValueColumn, Kind::Column] {
        assert_eq!(objects.count(kind).0, 0);
    }
}

/// A key that is cut beside one whose other columns are all NULL: the chunk lists the key's
/// columns, and the one that it leaves out is NULL, not in the key.
#[test]
fn a_null_beside_a_long_key_is_read_as_null() {
    let objects = objects();
    let plan = plan(KeyShape::Nullable);
    let long = Value::Text("k".repeat(2_000));
    let rows = [vec![Value::Int(1), Value::Null, long.clone(), Value::Null]];
    let root = build(&objects, &plan, &rows);
    let held = content(&Tree::new(&objects, plan, root));
    assert_eq!(held.values().cloned().collect::<Vec<_>>(), [(rows[0].clone(), 1)]);
}

/// A key column above 4 KiB is stored apart, and its key is cut.
#[test]
fn a_key_larger_than_an_inline_value_comes_back() {
    let objects = objects();
    let plan = plan(KeyShape::Composite);
    let rows: Vec<Row> = (0..50)
        .map(|id| vec![Value::Null, Value::Int(id), Value::Text("q".repeat(5_000)), Value::Int(1)])
        .collect();
    let root = build(&objects, &plan, &rows);
    let tree = Tree::new(&objects, Arc::clone(&plan), root);
    let mut found: Vec<Row> = content(&tree).into_values().map(|(row, _)| row).collect();
    found.sort_by_key(|row| format!("{:?}", row[1]).len() * 1000 + format!("{row:?}").len());
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|row| row[2] == Value::Text("q".repeat(5_000))));
    // One value, however many rows have it.
    assert_eq!(objects.count(Kind::Value).0, 1);
    assert!(ObjectSink::contains(&objects, &root.id.unwrap()).unwrap());
}
