//! The shape of trees: sizes of chunks, what an insert rewrites, failures of the sink, and the
//! ids that the format fixes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deepdiff_db::codec::row::RowBatch;
use deepdiff_db::codec::{Hasher, Kind, Stored};
use deepdiff_db::model::{ObjectId, Value};
use deepdiff_db::store::objects::ObjectError;
use deepdiff_db::store::{MemoryObjects, ObjectSink, Objects};
use deepdiff_db::tree::chunker::{Chunker, key_hash};
use deepdiff_db::tree::{
    ChunkPool, Cursor, MemoryScratch, StoreMode, Tree, TreeBuilder, TreeError, TreePlan, TreeRules,
};

use crate::tree_lab::{KeyShape, Manner, PLAIN, Row, build, build_so, encode, objects, plan, spec};

/// The last keys of the chunks of a table with these keys.
fn boundaries(keys: &BTreeSet<u64>) -> Vec<(u64, usize)> {
    let mut chunker = Chunker::new(TreeRules::FORMAT.rows);
    let mut sizes = Vec::new();
    for key in keys {
        sizes.extend(chunker.push(key_hash(0, &key.to_be_bytes()), 100).into_iter().flatten());
    }
    chunker.finish(|cut| sizes.push(cut));
    let mut keys = keys.iter();
    sizes.iter().map(|cut| (*keys.nth(cut.rows - 1).unwrap(), cut.rows)).collect()
}

/// Numbers without a pattern, and always the same.
fn scattered(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|n| (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n << 7))
}

#[test]
fn chunks_are_about_twice_the_window_and_an_insert_rewrites_one_or_two() {
    let mut keys: BTreeSet<u64> = scattered(30_000).collect();
    let before = boundaries(&keys);
    let count = u64::try_from(before.len()).unwrap();
    let mean = 30_000 / count;
    assert!((240..275).contains(&mean), "mean of {mean} rows");
    let over = before.iter().filter(|(_, rows)| *rows > 257 * 2).count();
    assert!(over * 20 < before.len(), "{over} chunks of more than twice the mean");

    let mut rewritten = Vec::new();
    for key in scattered(30_040).skip(30_000) {
        let before: BTreeSet<(u64, usize)> = boundaries(&keys).into_iter().collect();
        keys.insert(key);
        let after: BTreeSet<(u64, usize)> = boundaries(&keys).into_iter().collect();
        rewritten.push(after.difference(&before).count());
    }
    rewritten.sort_unstable();
    assert!(*rewritten.last().unwrap() <= 2, "{rewritten:?}");
    assert!(rewritten.iter().sum::<usize>() < 46, "{rewritten:?}");
}

fn numbered(count: i64) -> Vec<Row> {
    (0..count)
        .map(|id| {
            let text = Value::Text(format!("text number {id}"));
            vec![
                text.clone(),
                Value::Int(id),
                text,
                Value::Float64(f64::from(i32::try_from(id).unwrap()).to_bits()),
            ]
        })
        .collect()
}

/// The root of a fixed table: it changes only where the format does.
#[test]
fn the_root_of_a_golden_table_stays() {
    let plan = TreePlan::new(&spec(KeyShape::Simple), StoreMode::Full).unwrap().shared();
    let root = build(&objects(), &plan, &numbered(2_000));
    let text = format!("{} {} {} {}", root.id.unwrap(), root.height, root.rows, root.bytes);
    insta::assert_snapshot!(text, @"172b5782da63d80acdc51699f62a48affa81a4db2ddb6817acc9e9bf1729387d 1 2000 165780");
}

/// A sink that fails after some objects.
struct Failing(MemoryObjects, AtomicUsize);

impl ObjectSink for Failing {
    fn hasher(&self) -> &Hasher {
        Objects::hasher(&self.0)
    }

    fn contains(&self, id: &ObjectId) -> Result<bool, ObjectError> {
        self.0.contains(id)
    }

    fn append(&self, kind: Kind, id: ObjectId, stored: Stored) -> Result<(), ObjectError> {
        let left =
            self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_err() {
            return Err(ObjectError::Io("the disk is full".into()));
        }
        self.0.append(kind, id, stored)
    }
}

#[test]
fn a_sink_that_fails_fails_the_build_and_nobody_waits() {
    let plan = plan(KeyShape::Simple);
    let rows = numbered(400);
    let whole = objects();
    build(&whole, &plan, &rows);
    let all: usize = Kind::STORED.iter().map(|kind| whole.count(*kind).0).sum();
    for workers in [0, 1, 3] {
        for after in (0..all).step_by(7) {
            let sink = Failing(objects(), AtomicUsize::new(after));
            let manner = Manner { workers, batch: 500, ..PLAIN };
            let error = build_so(&sink, &plan, &rows, manner).unwrap_err();
            assert!(error.to_string().contains("disk is full"), "{error}");
        }
        let sink = Failing(objects(), AtomicUsize::new(all));
        let manner = Manner { workers, ..PLAIN };
        build_so(&sink, &plan, &rows, manner).unwrap();
    }
}

#[test]
fn rows_out_of_order_are_refused_by_the_builder() {
    let (objects, plan) = (objects(), plan(KeyShape::Simple));
    let mut rows = numbered(50);
    rows.swap(20, 21);
    for limit in [1, 1 << 20] {
        ChunkPool::scope(&objects, 1, |pool| {
            let scratch = Arc::new(MemoryScratch::default());
            let mut builder = TreeBuilder::new(Arc::clone(&plan), pool, scratch);
            let batches = encode(&objects, &plan, &rows, limit);
            let result: Result<Vec<RowBatch>, TreeError> =
                batches.into_iter().map(|batch| builder.push(batch)).collect();
            match result {
                Err(TreeError::OutOfOrder { table, key }) => {
                    assert_eq!((table.as_str(), key.as_str()), ("test", "(20)"));
                }
                other => panic!("{other:?}"),
            }
        });
    }
}

/// Rows of 100 kB wait for their chunk beyond any budget: they are spilled, and the tree is the
/// same as that of rows which never were.
#[test]
fn wide_rows_wait_in_scratch_files() {
    let columns: Vec<String> = (0..60).map(|n| format!("column_{n:02}")).collect();
    let mut wide = spec(KeyShape::Simple);
    wide.columns = columns.iter().map(|name| crate::tree_lab::column(name)).collect();
    wide.columns.insert(0, crate::tree_lab::column("a"));
    wide.columns.push(crate::tree_lab::column("id"));
    wide.columns.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<Row> = (0..400i64)
        .map(|id| {
            let value = Value::Text(
                char::from(b'a' + u8::try_from(id % 26).unwrap()).to_string().repeat(4_000),
            );
            let mut row = vec![value; 61];
            row.push(Value::Int(id));
            row
        })
        .collect();
    let plan = TreePlan::new(&wide, StoreMode::Full).unwrap().shared();
    let objects = objects();
    let scratch = Arc::new(MemoryScratch::default());
    let root = ChunkPool::scope(&objects, 1, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(&plan), pool, scratch.clone());
        for rows in rows.chunks(10) {
            for batch in encode(&objects, &plan, rows, 1 << 18) {
                builder.push(batch).unwrap();
            }
        }
        builder.finish().unwrap()
    });
    // 240 kB a row and a window of 128: 31 MB wait on average, and more at a boundary.
    assert!(scratch.created() > 0);
    assert_eq!(root.rows, 400);
    let tree = Tree::new(&objects, Arc::clone(&plan), root);
    let mut cursor = Cursor::new(&tree);
    let mut id = 0i64;
    while let Some(at) = cursor.next_row().unwrap() {
        assert_eq!(at.chunk.whole_value(at.row, 61).unwrap(), Value::Int(id));
        assert!(at.chunk.len() <= 17, "the cap of 4 MiB holds");
        id += 1;
    }
    assert_eq!(id, 400);
}

/// The column of a state's tree of tables: never inline, and its objects name tables.
#[test]
fn a_table_column_is_always_an_object_that_names_tables() {
    let objects = objects();
    let plan = TreePlan::new(&spec(KeyShape::Simple), StoreMode::Full).unwrap();
    let plan = plan.with_table_column(3).shared();
    let rows: Vec<Row> = (0..1i64)
        .map(|id| vec![Value::Null, Value::Int(id), Value::Null, Value::Bytes(vec![7; 32])])
        .collect();
    let root = build(&objects, &plan, &rows);
    assert_eq!(objects.count(Kind::TableColumn).0, 1);
    let tree = Tree::new(&objects, Arc::clone(&plan), root);
    let at = Cursor::new(&tree).next_row().unwrap().unwrap();
    assert_eq!(at.chunk.whole_value(0, 3).unwrap(), Value::Bytes(vec![7; 32]));
    let mut problems = Vec::new();
    deepdiff_db::tree::check_tree(&tree, &mut |problem| problems.push(problem)).unwrap();
    assert_eq!(problems, vec![]);
}
