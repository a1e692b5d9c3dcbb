//! How fast trees are built, compared and checked: measurements, run by hand.
//!
//! `cargo test --release --test it tree_speed -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::time::{Duration, Instant};

use deepdiff_db::codec::row::{RowEncoder, RowLayout};
use deepdiff_db::model::snapshot::TreeRoot;
use deepdiff_db::model::{
    Flow, KeyColumn, KeyMatching, ObjectName, RowKey, RowKeySource, RowSink, TableSpec, ValueRef,
};
use deepdiff_db::store::{KnownObjects, MemoryObjects, ObjectSink};
use deepdiff_db::tree::{
    ChunkPool, LargeValueWriter, MemoryScratch, RowComparer, Span, StoreMode, Tree, TreeBuilder,
    TreeDiff, TreePlan, check_tree,
};

use crate::tree_lab::{column, hasher, objects};

const ROWS: i64 = 1_000_000;

/// The table of the targets: 112 bytes a row, names aside.
fn target_table() -> TableSpec {
    let names = ["amount", "created", "customer", "id", "note", "paid", "payload", "status"];
    TableSpec {
        name: ObjectName::bare("orders"),
        columns: names.iter().map(|name| column(name)).collect(),
        key: RowKey::Columns {
            columns: vec![KeyColumn { name: "id".into(), matching: KeyMatching::Binary }],
            source: RowKeySource::PrimaryKey,
            may_be_null: false,
        },
        reads_in_key_order: true,
        column_order: Vec::new(),
    }
}

/// Sends the rows of the target table; `salt` changes one column of every row.
fn send(encoder: &mut impl RowSink, salt: i64) {
    let mut text = String::new();
    for id in 0..ROWS {
        let scattered = id.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()) >> 20;
        encoder.cell(ValueRef::Int(scattered % 100_000 + salt)).unwrap();
        encoder.cell(ValueRef::Text("2026-11-22 19:42:53")).unwrap();
        encoder.cell(ValueRef::Int(scattered % 50_000)).unwrap();
        encoder.cell(ValueRef::Int(id)).unwrap();
        text.clear();
        text.push_str("a note of thirty bytes, ");
        text.push_str(if id % 2 == 0 { "odd" } else { "even" });
        encoder.cell(ValueRef::Text(&text)).unwrap();
        encoder.cell(ValueRef::Int(id % 2)).unwrap();
        if id % 3 == 0 {
            encoder.cell(ValueRef::Null).unwrap();
        } else {
            let json = "{\"tags\":[\"red\",\"blue\"],\"weight\":12.5,\"fragile\":false}";
            encoder.cell(ValueRef::Text(json)).unwrap();
        }
        encoder.cell(ValueRef::Text("shipped")).unwrap();
        encoder.end_row().unwrap();
    }
}

fn encode_only(layout: &RowLayout) -> Duration {
    let (begun, hasher, sink) = (Instant::now(), hasher(), KnownObjects::new(hasher()));
    let large = LargeValueWriter::new(&sink, StoreMode::Full);
    let mut encoder = RowEncoder::new(layout, &hasher, large, 256 << 10, |mut batch| {
        batch.clear();
        Ok((batch, Flow::Continue))
    });
    send(&mut encoder, 0);
    encoder.finish().unwrap();
    begun.elapsed()
}

fn build(sink: &dyn ObjectSink, plan: &Arc<TreePlan>, workers: usize, salt: i64) -> TreeRoot {
    let hasher = hasher();
    let scratch = Arc::new(MemoryScratch::default());
    ChunkPool::scope(sink, workers, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(plan), pool, scratch);
        let large = LargeValueWriter::new(sink, StoreMode::Full);
        let mut encoder = RowEncoder::new(plan.layout(), &hasher, large, 256 << 10, |batch| {
            Ok((builder.push(batch)?, Flow::Continue))
        });
        send(&mut encoder, salt);
        encoder.finish().unwrap();
        builder.finish().unwrap()
    })
}

#[allow(clippy::print_stdout, reason = "it is what this is for")]
fn report(what: &str, time: Duration) {
    let nanos = time.as_nanos() / u128::try_from(ROWS).unwrap();
    println!("{what:<44} {:>7.3} s  {nanos:>5} ns a row", time.as_secs_f64());
}

#[test]
#[ignore = "a measurement"]
fn building_comparing_and_checking() {
    let plan = TreePlan::new(&target_table(), StoreMode::Full).unwrap().shared();
    report("encode alone", encode_only(plan.layout()));
    for workers in [0, 1] {
        let begun = Instant::now();
        build(&KnownObjects::new(hasher()), &plan, workers, 0);
        report(&format!("encode and hash, {workers} workers"), begun.elapsed());
    }
    let objects: MemoryObjects = objects();
    for workers in [0, 1] {
        let objects = crate::tree_lab::objects();
        let begun = Instant::now();
        build(&objects, &plan, workers, 0);
        report(&format!("encode, hash and store, {workers} workers"), begun.elapsed());
    }
    let left = Tree::new(&objects, Arc::clone(&plan), build(&objects, &plan, 1, 0));
    let right = Tree::new(&objects, Arc::clone(&plan), build(&objects, &plan, 1, 1));
    let begun = Instant::now();
    let mut diff = TreeDiff::new(&left, &right).unwrap();
    let mut comparer = RowComparer::new(&left, &right);
    let mut changed = 0;
    while let Some(span) = diff.next_span().unwrap() {
        if let Span::Both(pairs) = span {
            changed += comparer.compare(&pairs).unwrap();
        }
    }
    assert_eq!(i64::try_from(changed).unwrap(), ROWS);
    report("diff, one column of every row changed", begun.elapsed());
    let begun = Instant::now();
    check_tree(&left, &mut |problem| panic!("{problem}")).unwrap();
    report("full check", begun.elapsed());
}
