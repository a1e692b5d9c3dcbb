//! What the window W of the chunk rule costs and saves: size, growth and the reach of a diff.
//!
//! `cargo bench --bench windows -- [ROWS]` builds the benchmark's table in memory for W = 128, 256
//! and 512 and prints the markdown of `docs/format.md`. Sizes are exact and repeatable: objects as
//! stored, and 44 bytes for each in the index.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks to whoever runs it, and a panic is how it fails"
)]

use std::sync::{Arc, Mutex};

use deepdiff_db::codec::row::RowEncoder;
use deepdiff_db::codec::{HashAlgorithm, Hasher, Kind, Stored};
use deepdiff_db::model::snapshot::TreeRoot;
use deepdiff_db::model::{
    ColumnSpec, Flow, KeyColumn, KeyMatching, ObjectId, ObjectName, RowKey, RowKeySource, RowSink,
    TableSpec, Value, ValueRef,
};
use deepdiff_db::store::objects::ObjectError;
use deepdiff_db::store::{MemoryObjects, ObjectSink, Objects};
use deepdiff_db::tree::{
    ChunkPool, LargeValueWriter, MemoryScratch, ScratchSpace, Span, StoreMode, Tree, TreeBuilder,
    TreeDiff, TreePlan, TreeRules,
};

/// What an object takes in an index.
const INDEX_ENTRY: usize = 44;
const CHANGES: u64 = 1_000;

/// Objects in memory that count what is added and what is read.
struct Counted {
    objects: MemoryObjects,
    written: Mutex<(usize, usize)>,
    read: Mutex<(usize, usize)>,
}

impl Objects for Counted {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        let plain = self.objects.get(kind, id)?;
        let mut read = self.read.lock().unwrap();
        *read = (read.0 + 1, read.1 + plain.len());
        Ok(plain)
    }

    fn hasher(&self) -> &Hasher {
        Objects::hasher(&self.objects)
    }
}

impl ObjectSink for Counted {
    fn hasher(&self) -> &Hasher {
        Objects::hasher(&self.objects)
    }

    fn contains(&self, id: &ObjectId) -> Result<bool, ObjectError> {
        self.objects.contains(id)
    }

    fn append(&self, kind: Kind, id: ObjectId, stored: Stored) -> Result<(), ObjectError> {
        let mut written = self.written.lock().unwrap();
        *written = (written.0 + 1, written.1 + stored.bytes.len() + INDEX_ENTRY);
        drop(written);
        self.objects.append(kind, id, stored)
    }
}

fn spec() -> TableSpec {
    let names =
        ["active", "amount", "attributes", "code", "id", "title", "updated_at", "warehouse"];
    let column = |name: &&str| ColumnSpec {
        name: (*name).to_owned(),
        declared_type: String::new(),
        default: Value::Null,
    };
    let id = KeyColumn { name: "id".to_owned(), matching: KeyMatching::Binary };
    TableSpec {
        name: ObjectName::bare("items"),
        columns: names.iter().map(column).collect(),
        key: RowKey::Columns {
            columns: vec![id],
            source: RowKeySource::PrimaryKey,
            may_be_null: false,
        },
        reads_in_key_order: true,
        column_order: Vec::new(),
    }
}

/// SplitMix64: the same numbers on every machine.
fn random(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const WORDS: [&str; 16] = [
    "copper", "kettle", "blue", "garden", "small", "lamp", "oak", "table", "linen", "cloth",
    "iron", "hook", "glass", "jar", "wool", "blanket",
];

fn word(number: u64) -> &'static str {
    WORDS[usize::try_from(number % 16).unwrap()]
}

/// Cents as the float that SQLite keeps a price in.
fn amount(cents: u64) -> u64 {
    let text = format!("{}.{:02}", cents / 100, cents % 100);
    text.parse::<f64>().unwrap().to_bits()
}

fn row(sink: &mut impl RowSink, number: u64, is_changed: bool) {
    let r = |salt: u64| random(number * 16 + salt);
    let cents = r(1) % 1_000_000 + u64::from(is_changed);
    let attributes = format!(
        "{{\"colour\":\"{}\",\"weight\":{},\"tags\":[\"{}\",\"{}\"]}}",
        word(r(2)),
        r(3) % 10_000,
        word(r(4)),
        word(r(5))
    );
    let code = format!("{:012X}", r(6) % (1 << 48));
    let title = format!("{} {} {} {}", word(r(7)), word(r(8)), word(r(9)), r(10) % 1000);
    let second = r(11) % 86_400;
    let updated_at = format!(
        "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}",
        20 + r(12) % 6,
        1 + r(13) % 12,
        1 + r(14) % 28,
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    let id = i64::try_from(number * 3 + random(number) % 3).unwrap();
    sink.cell(ValueRef::Int(i64::from(r(15) % 4 != 0))).unwrap();
    sink.cell(ValueRef::Float64(amount(cents))).unwrap();
    let has_attributes = !number.is_multiple_of(4);
    sink.cell(if has_attributes { ValueRef::Text(&attributes) } else { ValueRef::Null }).unwrap();
    sink.cell(ValueRef::Text(&code)).unwrap();
    sink.cell(ValueRef::Int(id)).unwrap();
    sink.cell(ValueRef::Text(&title)).unwrap();
    sink.cell(ValueRef::Text(&updated_at)).unwrap();
    sink.cell(ValueRef::Int(i64::try_from(r(0) % 500).unwrap())).unwrap();
    sink.end_row().unwrap();
}

fn build(objects: &Counted, plan: &Arc<TreePlan>, rows: u64, changed: &[u64]) -> TreeRoot {
    let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
    ChunkPool::scope(objects, 1, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(plan), pool, scratch);
        let large = LargeValueWriter::new(objects, StoreMode::Full);
        let hasher = Objects::hasher(objects);
        let mut encoder = RowEncoder::new(plan.layout(), hasher, large, 256 << 10, |batch| {
            Ok((builder.push(batch)?, Flow::Continue))
        });
        for number in 0..rows {
            row(&mut encoder, number, changed.binary_search(&number).is_ok());
        }
        encoder.finish().map_err(|error| error.to_string()).unwrap();
        builder.finish().unwrap()
    })
}

fn main() {
    let rows = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let mut changed: Vec<u64> = (0..CHANGES).map(|n| random(n + 77) % rows).collect();
    changed.sort_unstable();
    changed.dedup();
    println!("{rows} rows, {} of them changed in one column\n", changed.len());
    println!(
        "| W | chunks | bytes a row, all included | growth a changed row | read by the diff: objects, plain bytes |"
    );
    println!("|---|---|---|---|---|");
    for window in [128, 256, 512] {
        let rules = TreeRules::with_windows(window, 16);
        let plan = TreePlan::new(&spec(), StoreMode::Full).unwrap().with_rules(rules).shared();
        let objects = Counted {
            objects: MemoryObjects::new(Hasher::new(HashAlgorithm::Blake3)),
            written: Mutex::default(),
            read: Mutex::default(),
        };
        let first = build(&objects, &plan, rows, &[]);
        let (_, size) = *objects.written.lock().unwrap();
        let chunks = objects.objects.count(Kind::Chunk).0;
        let second = build(&objects, &plan, rows, &changed);
        let grown = objects.written.lock().unwrap().1 - size;
        let left = Tree::new(&objects, Arc::clone(&plan), first);
        let right = Tree::new(&objects, Arc::clone(&plan), second);
        let mut diff = TreeDiff::new(&left, &right).unwrap();
        let mut comparer = deepdiff_db::tree::RowComparer::new(&left, &right);
        let mut found = 0;
        while let Some(span) = diff.next_span().unwrap() {
            if let Span::Both(pairs) = &span {
                found += comparer.compare(pairs).unwrap();
            }
        }
        assert_eq!(found, changed.len());
        let (read, bytes) = *objects.read.lock().unwrap();
        let a_row = u64::try_from(size * 10).unwrap() / rows;
        let growth = grown / changed.len();
        println!(
            "| {window} | {chunks} | {}.{} | {growth} | {read}, {:.1} MB |",
            a_row / 10,
            a_row % 10,
            f64::from(u32::try_from(bytes / 1000).unwrap()) / 1000.0
        );
    }
}
