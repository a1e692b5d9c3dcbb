//! What the tests of trees share: tables of every kind of key, random rows, trees in memory, and
//! the rows of a tree as plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepdiff_db::codec::row::{RowBatch, RowEncoder};
use deepdiff_db::codec::{HashAlgorithm, Hasher};
use deepdiff_db::model::snapshot::TreeRoot;
use deepdiff_db::model::{
    ColumnSpec, Flow, KeyColumn, KeyMatching, ObjectName, RowKey, RowKeySource, RowSink, TableSpec,
    Value,
};
use deepdiff_db::store::{MemoryObjects, ObjectSink};
use deepdiff_db::tree::{
    ChunkPool, Cursor, LargeValueWriter, MemoryScratch, Sorter, StoreMode, Tree, TreeBuilder,
    TreeError, TreePlan, TreeRules,
};
use proptest::prelude::*;

pub type Row = Vec<Value>;

/// Rows by key, with how often each occurs.
pub type Content = BTreeMap<Vec<u8>, (Row, u64)>;

/// How the rows of a test table are identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyShape {
    /// By `id`.
    Simple,
    /// By `name`, then `id`.
    Composite,
    /// By `name`, then `id`, either of which may be NULL.
    Nullable,
    /// Not at all.
    None,
}

pub const SHAPES: [KeyShape; 4] =
    [KeyShape::Simple, KeyShape::Composite, KeyShape::Nullable, KeyShape::None];

/// A table with the columns `a_note, id, name, size`, in that order.
pub fn spec(shape: KeyShape) -> TableSpec {
    let columns = ["a_note", "id", "name", "size"];
    let key = |names: &[&str], may_be_null| RowKey::Columns {
        columns: names
            .iter()
            .map(|name| KeyColumn { name: (*name).to_owned(), matching: KeyMatching::Binary })
            .collect(),
        source: RowKeySource::PrimaryKey,
        may_be_null,
    };
    TableSpec {
        name: ObjectName::bare("test"),
        columns: columns.iter().map(|name| column(name)).collect(),
        key: match shape {
            KeyShape::Simple => key(&["id"], false),
            KeyShape::Composite => key(&["name", "id"], false),
            KeyShape::Nullable => key(&["name", "id"], true),
            KeyShape::None => RowKey::RowHash,
        },
        reads_in_key_order: false,
        column_order: Vec::new(),
    }
}

pub fn column(name: &str) -> ColumnSpec {
    ColumnSpec { name: name.to_owned(), declared_type: String::new(), default: Value::Null }
}

/// Small windows, so that a few hundred rows make a tree of several levels.
pub const SMALL: TreeRules = TreeRules::with_windows(3, 2);

pub fn plan(shape: KeyShape) -> Arc<TreePlan> {
    TreePlan::new(&spec(shape), StoreMode::Full).unwrap().with_rules(SMALL).shared()
}

pub fn hasher() -> Hasher {
    Hasher::new(HashAlgorithm::Blake3)
}

pub fn objects() -> MemoryObjects {
    MemoryObjects::new(hasher())
}

/// The rows in the order given, in batches of about `limit` bytes.
pub fn encode(sink: &dyn ObjectSink, plan: &TreePlan, rows: &[Row], limit: usize) -> Vec<RowBatch> {
    let mut batches = Vec::new();
    let hasher = hasher();
    let large = LargeValueWriter::new(sink, plan.mode());
    let mut encoder = RowEncoder::new(plan.layout(), &hasher, large, limit, |batch| {
        batches.push(batch);
        Ok((RowBatch::default(), Flow::Continue))
    });
    for row in rows {
        row.iter().for_each(|value| encoder.cell(value.as_ref()).unwrap());
        encoder.end_row().unwrap();
    }
    encoder.finish().unwrap();
    batches
}

/// How a tree is built; its root must not depend on any of this.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub workers: usize,
    pub batch: usize,
    pub sort_budget: usize,
}

pub const PLAIN: Manner = Manner { workers: 0, batch: 1 << 16, sort_budget: 1 << 26 };

pub fn build(sink: &dyn ObjectSink, plan: &Arc<TreePlan>, rows: &[Row]) -> TreeRoot {
    build_so(sink, plan, rows, PLAIN).unwrap()
}

/// Builds a tree of rows in any order, through the sorter.
pub fn build_so(
    sink: &dyn ObjectSink,
    plan: &Arc<TreePlan>,
    rows: &[Row],
    manner: Manner,
) -> Result<TreeRoot, TreeError> {
    let scratch = Arc::new(MemoryScratch::default());
    let mut sorter = Sorter::new(Arc::clone(plan), scratch.clone(), manner.sort_budget);
    for batch in encode(sink, plan, rows, manner.batch) {
        sorter.push(batch)?;
    }
    let mut sorted = sorter.finish()?;
    ChunkPool::scope(sink, manner.workers, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(plan), pool, scratch);
        while let Some(rows) = sorted.next_rows()? {
            builder.push_counted(rows)?;
        }
        builder.finish()
    })
}

/// Everything a tree holds.
pub fn content(tree: &Tree<'_>) -> Content {
    let mut content = Content::new();
    let mut cursor = Cursor::new(tree);
    let mut last: Option<Vec<u8>> = None;
    while let Some(at) = cursor.next_row().unwrap() {
        let key = at.chunk.key(at.row).unwrap().to_vec();
        assert!(last.is_none_or(|last| last < key), "keys ascend");
        let row = (at.chunk.values(at.row).unwrap(), at.chunk.count(at.row).unwrap());
        content.insert(key.clone(), row);
        last = Some(key);
    }
    content
}

/// What a tree of these rows should hold: each row with its number, keys aside.
pub fn counted(rows: &[Row]) -> Vec<(Row, u64)> {
    let mut counted: Vec<(Row, u64)> = Vec::new();
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| format!("{row:?}"));
    for row in sorted {
        match counted.last_mut().filter(|(last, _)| *last == row) {
            Some((_, count)) => *count += 1,
            None => counted.push((row, 1)),
        }
    }
    counted
}

/// The same of a tree's content.
pub fn without_keys(content: &Content) -> Vec<(Row, u64)> {
    let mut rows: Vec<(Row, u64)> = content.values().cloned().collect();
    rows.sort_by_key(|(row, _)| format!("{row:?}"));
    rows
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(Value::Null),
        8 => (0i64..5).prop_map(Value::Int),
        2 => any::<i64>().prop_map(Value::Int),
        4 => "[a-c]{0,3}".prop_map(Value::Text),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        1 => any::<u64>().prop_map(Value::Float64),
        1 => (4_000usize..6_000).prop_map(|len| Value::Text("x".repeat(len))),
    ]
}

fn name() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => "[a-z]{0,4}".prop_map(Value::Text),
        2 => (0i64..100).prop_map(Value::Int),
        // So long that the key is cut.
        1 => ("[a-z]{2}", 1_000usize..1_200)
            .prop_map(|(text, len)| Value::Text(text.repeat(len / 2))),
    ]
}

/// Rows of a test table, with unique keys where the shape asks for it.
pub fn rows(shape: KeyShape, most: usize) -> impl Strategy<Value = Vec<Row>> {
    let nullable = move |values: BoxedStrategy<Value>| {
        if shape == KeyShape::Nullable || shape == KeyShape::None {
            prop_oneof![1 => Just(Value::Null), 5 => values].boxed()
        } else {
            values
        }
    };
    let id = prop_oneof![6 => 0i64..400, 1 => any::<i64>()].prop_map(Value::Int);
    let row = (value(), nullable(id.boxed()), nullable(name().boxed()), value())
        .prop_map(|(note, id, name, size)| vec![note, id, name, size]);
    let least = most / 8;
    proptest::collection::vec(row, least..=most).prop_map(move |rows| unique(shape, rows))
}

/// Leaves out rows whose key another one has.
pub fn unique(shape: KeyShape, rows: Vec<Row>) -> Vec<Row> {
    let mut seen = std::collections::BTreeSet::new();
    rows.into_iter()
        .filter(|row| {
            let key = match shape {
                KeyShape::Simple => vec![row[1].clone()],
                _ => vec![row[2].clone(), row[1].clone()],
            };
            let has_null = key.contains(&Value::Null);
            shape == KeyShape::None
                || (shape == KeyShape::Nullable && has_null)
                || seen.insert(format!("{key:?}"))
        })
        .collect()
}
