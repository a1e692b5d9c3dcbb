//! History of a row in a store of many snapshots, and sizes of proofs among many rows.
//!
//! `cargo bench --bench history -- [ROWS] [SNAPSHOTS]` writes a store of a table (1,000,000 rows) in
//! which each snapshot (1,000) changes ten rows of the one before, as a real store has it: a sealed
//! file each. Trees are edited in place of being read from a database anew, which would take an hour;
//! the ids are those that it would have given. Commands are run as processes, cold each time; the
//! median of seven is printed. `-- proofs [ROWS]` (5,000,000) prints the sizes of proofs.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks to whoever runs it, and a panic is how it fails"
)]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deepdiff_db::codec::block::{Column, ColumnBuilder};
use deepdiff_db::codec::cell::{Cell, tag};
use deepdiff_db::codec::hash::FRAME_LEN;
use deepdiff_db::codec::row::RowEncoder;
use deepdiff_db::codec::state::{StoredTable, write_snapshot, write_state, write_table};
use deepdiff_db::codec::structure::{BlockRef, Chunk, Node};
use deepdiff_db::codec::{HashAlgorithm, Hasher, Kind, Stored, catalog, row_hash, wire};
use deepdiff_db::fsio::RealFs;
use deepdiff_db::model::snapshot::{Guarantee, Scope, Snapshot, SourceInfo, State, TreeRoot};
use deepdiff_db::model::{
    ColumnSpec, Flow, KeyColumn, KeyMatching, ObjectId, ObjectName, RowKey, RowKeySource, RowSink,
    SnapshotId, StateId, TableSpec, ValueRef,
};
use deepdiff_db::proof::{Claim, Question, make};
use deepdiff_db::store::{
    Expected, Moment, Move, ObjectError, ObjectSink, Objects, Reader, RefName, Store, Writer,
};
use deepdiff_db::tree::{
    ChunkPool, LargeValueWriter, MemoryScratch, ScratchSpace, StoreMode, Tree, TreeBuilder,
    TreePlan,
};

const CHANGED: u64 = 10;

/// The row that is followed changes in every so manieth snapshot.
const EVERY: u64 = 50;

fn spec() -> TableSpec {
    let names = ["active", "amount", "code", "id", "note", "title", "updated_at", "warehouse"];
    let column = |name: &&str| ColumnSpec {
        name: (*name).to_owned(),
        declared_type: String::new(),
        default: deepdiff_db::model::Value::Null,
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
        reads_in_key_order: false,
        column_order: Vec::new(),
    }
}

const AMOUNT: usize = 1;

/// SplitMix64: the same numbers on every machine.
fn random(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn id_of(number: u64) -> i64 {
    i64::try_from(number * 3).unwrap()
}

fn row(sink: &mut impl RowSink, number: u64) {
    let r = |salt: u64| random(number * 16 + salt);
    let int = |n: u64| ValueRef::Int(i64::try_from(n).unwrap());
    sink.cell(int(r(1) % 2)).unwrap();
    sink.cell(int(r(2) % 1_000_000)).unwrap();
    sink.cell(ValueRef::Text(&format!("{:012X}", r(3) % (1 << 48)))).unwrap();
    sink.cell(ValueRef::Int(id_of(number))).unwrap();
    sink.cell(ValueRef::Text(&format!("{{\"weight\":{},\"colour\":\"blue\"}}", r(4) % 10_000)))
        .unwrap();
    sink.cell(ValueRef::Text(&format!("small blue kettle {}", r(5) % 1000))).unwrap();
    sink.cell(ValueRef::Text(&format!("2024-02-{:02} 10:00:00", 1 + r(6) % 28))).unwrap();
    sink.cell(int(r(7) % 500)).unwrap();
    sink.end_row().unwrap();
}

/// Takes the cells of a row.
type TakeRow<'a> = dyn FnMut(&[ValueRef<'_>]) + 'a;

fn tree(sink: &dyn ObjectSink, plan: &Arc<TreePlan>, rows: &dyn Fn(&mut TakeRow<'_>)) -> TreeRoot {
    let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
    ChunkPool::scope(sink, 1, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(plan), pool, scratch);
        let large = LargeValueWriter::new(sink, StoreMode::Full);
        let mut encoder =
            RowEncoder::new(plan.layout(), sink.hasher(), large, 256 << 10, |batch| {
                Ok((builder.push(batch)?, Flow::Continue))
            });
        rows(&mut |values| {
            values.iter().for_each(|value| encoder.cell(*value).unwrap());
            encoder.end_row().unwrap();
        });
        encoder.finish().map_err(|error| error.to_string()).unwrap();
        builder.finish().unwrap()
    })
}

fn table_tree(sink: &dyn ObjectSink, plan: &Arc<TreePlan>, rows: u64) -> TreeRoot {
    let scratch: Arc<dyn ScratchSpace> = Arc::new(MemoryScratch::default());
    ChunkPool::scope(sink, 1, |pool| {
        let mut builder = TreeBuilder::new(Arc::clone(plan), pool, scratch);
        let large = LargeValueWriter::new(sink, StoreMode::Full);
        let mut encoder =
            RowEncoder::new(plan.layout(), sink.hasher(), large, 256 << 10, |batch| {
                Ok((builder.push(batch)?, Flow::Continue))
            });
        (0..rows).for_each(|number| row(&mut encoder, number));
        encoder.finish().map_err(|error| error.to_string()).unwrap();
        builder.finish().unwrap()
    })
}

/// A store, and what is being added to it.
struct Fresh<'a> {
    reader: &'a Reader,
    writer: &'a Writer,
    objects: Mutex<HashMap<ObjectId, Vec<u8>>>,
}

impl Objects for Fresh<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        match self.objects.lock().unwrap().get(id) {
            Some(plain) => Ok(plain.clone()),
            None => self.reader.get(kind, id),
        }
    }

    fn hasher(&self) -> &Hasher {
        Objects::hasher(self.reader)
    }
}

impl ObjectSink for Fresh<'_> {
    fn hasher(&self) -> &Hasher {
        Objects::hasher(self.reader)
    }

    fn contains(&self, id: &ObjectId) -> Result<bool, ObjectError> {
        self.writer.contains(id)
    }

    fn append(&self, kind: Kind, id: ObjectId, stored: Stored) -> Result<(), ObjectError> {
        self.writer.append(kind, id, stored)
    }

    fn put(&self, kind: Kind, plain: &[u8]) -> Result<ObjectId, ObjectError> {
        let id = self.writer.put(kind, plain)?;
        self.objects.lock().unwrap().insert(id, plain.to_vec());
        Ok(id)
    }
}

/// Adds one to the amount of a row; gives the id that takes the place of this subtree's.
fn edit(sink: &dyn ObjectSink, tree: &Tree<'_>, level: u8, id: ObjectId, key: &[u8]) -> ObjectId {
    let objects = tree.objects();
    if level > 0 {
        let mut node = Node::decode(&objects.get(Kind::Node, &id).unwrap()).unwrap();
        let place = node.entries.partition_point(|entry| entry.last_key.as_slice() < key);
        node.entries[place].id = edit(sink, tree, level - 1, node.entries[place].id, key);
        return sink.put(Kind::Node, &wire::to_bytes(&node)).unwrap();
    }
    let chunk = tree.chunk_of(key).unwrap().unwrap();
    let at = chunk.keys().unwrap().lower_bound(key);
    let column: &Column = chunk.column(AMOUNT).unwrap().unwrap();
    let old = column.cell(at).payload;
    let new = (i64::from_le_bytes(old.try_into().unwrap()) + 1).to_le_bytes();
    let mut cells = ColumnBuilder::default();
    for row in 0..chunk.len() {
        let changed = Cell { tag: tag::INT, payload: &new };
        cells.push(if row == at { changed } else { column.cell(row) });
    }
    let mut plain = Vec::new();
    cells.write(&mut plain);
    let mut preimage = Vec::new();
    chunk.write_preimage(at, &mut preimage).unwrap();
    let layout = tree.plan().layout();
    let mut framed = vec![0u8; FRAME_LEN];
    for cell in layout.cells(&preimage) {
        let (index, cell) = cell.unwrap();
        let changed = Cell { tag: tag::INT, payload: &new };
        layout.write_cell(index, if index == AMOUNT { changed } else { cell }, &mut framed);
    }
    row_hash::close_frame(&mut framed, 0);
    let mut hashes = chunk.row_hashes().unwrap().to_vec();
    hashes[at] = row_hash::hash_row(sink.hasher(), &framed);
    let hashes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    let mut list: Chunk = chunk.list().clone();
    list.row_hashes = sink.hasher().id(Kind::RowHashes, &hashes);
    let column = list.columns.iter_mut().find(|column| column.name == "amount").unwrap();
    column.block = BlockRef::Object(sink.put(Kind::Column, &plain).unwrap());
    sink.put(Kind::Chunk, &wire::to_bytes(&list)).unwrap()
}

fn snapshot(
    sink: &dyn ObjectSink,
    rows: TreeRoot,
    parent: Option<SnapshotId>,
    number: u64,
) -> SnapshotId {
    let table = StoredTable { spec: spec(), rows };
    let table = sink.put(Kind::Table, &write_table(&table)).unwrap();
    let list = catalog::tables_spec();
    let plan = TreePlan::new(&list, StoreMode::Full).unwrap().with_table_column(2).shared();
    let listed = catalog::table_row(&ObjectName::bare("items"), &table);
    let tables = tree(sink, &plan, &|take| {
        take(&listed.iter().map(deepdiff_db::model::Value::as_ref).collect::<Vec<_>>());
    });
    let (engine, scope, facts) = ("sqlite".to_owned(), Scope::default(), TreeRoot::EMPTY);
    let state = State { engine, scope, facts, tables };
    let state = StateId(sink.put(Kind::State, &write_state(&state)).unwrap());
    let text = |text: &str| text.to_owned();
    let moment = i64::try_from(number).unwrap() * 1_000_000;
    let snapshot = Snapshot {
        state,
        source: SourceInfo { label: text("prod"), identity: text("prod"), server: text("SQLite") },
        read_at: vec![(moment, moment)],
        guarantee: Guarantee::SingleConnection,
        evidence: vec![text("one transaction")],
        not_captured: Vec::new(),
        sequences: Vec::new(),
        definitions: TreeRoot::EMPTY,
        is_hash_only: false,
        parents: parent.into_iter().collect(),
        author: text("bench"),
        message: String::new(),
    };
    SnapshotId(sink.put(Kind::Snapshot, &write_snapshot(&snapshot)).unwrap())
}

fn store_in(dir: &Path) -> Store {
    Store::init(Arc::new(RealFs), &dir.join(".deepdiff"), HashAlgorithm::Blake3, None).unwrap()
}

/// A store of snapshots, each with ten rows changed.
fn grow(dir: &Path, rows: u64, snapshots: u64) {
    let store = store_in(dir);
    let plan = TreePlan::new(&spec(), StoreMode::Full).unwrap().shared();
    let name = RefName::new("prod").unwrap();
    let (mut root, mut parent) = (TreeRoot::EMPTY, None);
    for number in 0..snapshots {
        let (writer, reader) = (store.writer().unwrap(), store.reader().unwrap());
        let objects = Mutex::default();
        let fresh = Fresh { reader: &reader, writer: &writer, objects };
        if number == 0 {
            root = table_tree(&writer, &plan, rows);
        } else {
            for change in 0..CHANGED {
                let followed = change == 0 && number.is_multiple_of(EVERY);
                let row = if followed { rows / 2 } else { random(number * 100 + change) % rows };
                let key = plan.key_of([ValueRef::Int(id_of(row))], store.hasher());
                let tree = Tree::new(&fresh, Arc::clone(&plan), root);
                root.id = Some(edit(&fresh, &tree, root.height, root.id.unwrap(), &key));
            }
        }
        let id = snapshot(&writer, root, parent, number);
        let expected = parent.map_or(Expected::Absent, Expected::At);
        let when = Moment(i64::try_from(number).unwrap());
        let how = Move { name: &name, expected, who: "bench", message: "", when };
        writer.publish(id, &how).unwrap();
        parent = Some(id);
    }
}

/// The median of seven runs, and the lines that were printed.
fn timed(dir: &Path, words: &[&str]) -> (Duration, usize) {
    let mut times = Vec::new();
    let mut lines = 0;
    for _ in 0..7 {
        let started = Instant::now();
        let run = Command::new(env!("CARGO_BIN_EXE_deepdiff-db"))
            .args(words)
            .current_dir(dir)
            .output()
            .unwrap();
        times.push(started.elapsed());
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        lines = run.stdout.split(|&byte| byte == b'\n').count() - 1;
    }
    times.sort_unstable();
    (times[3], lines)
}

fn histories(rows: u64, snapshots: u64) {
    let dir = std::env::temp_dir().join(format!("deepdiff-bench-history-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let started = Instant::now();
    grow(&dir, rows, snapshots);
    println!("{snapshots} snapshots of {rows} rows, written in {:.0?}\n", started.elapsed());
    println!("| command | median | lines |\n|---|---|---|");
    let key = id_of(rows / 2).to_string();
    let other = id_of(rows / 3).to_string();
    for words in [
        &["history", "items", &key][..],
        &["history", "items", &other],
        &["blame", "items", &key],
        &["log", "prod", "--table", "items"],
        &["log", "prod"],
        &["cat", "items", &key, "--at", "prod"],
    ] {
        let (time, lines) = timed(&dir, words);
        println!("| `{}` | {time:.1?} | {lines} |", words.join(" "));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn proofs(rows: u64) {
    let dir = std::env::temp_dir().join(format!("deepdiff-bench-proofs-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let store = store_in(&dir);
    let plan = TreePlan::new(&spec(), StoreMode::Full).unwrap().shared();
    let writer = store.writer().unwrap();
    let root = table_tree(&writer, &plan, rows);
    let id = snapshot(&writer, root, None, 0);
    writer.seal().unwrap();
    let reader = store.reader().unwrap();
    let tree = Tree::new(&reader, Arc::clone(&plan), root);
    let (mut there, mut absent) = (Vec::new(), Vec::new());
    let started = Instant::now();
    for number in 0..1_000 {
        let number = id_of(random(number) % rows);
        let key = plan.key_of([ValueRef::Int(number)], store.hasher());
        let at = tree.find(&key).unwrap().unwrap();
        let mut preimage = Vec::new();
        at.chunk.write_preimage(at.row, &mut preimage).unwrap();
        let keys = vec![vec![deepdiff_db::model::Value::Int(number + 1)]];
        for (claim, sizes) in [
            (Claim::Row { preimage, by_hash: Vec::new() }, &mut there),
            (Claim::NoRow { keys }, &mut absent),
        ] {
            let question = Question { table: ObjectName::bare("items"), claim };
            sizes.push(make(&reader, id, question).unwrap().proof.to_text().len());
        }
    }
    let height = root.height;
    println!("2000 proofs among {rows} rows (height {height}), in {:.0?}\n", started.elapsed());
    println!("| bytes of a proof | median | 99 of 100 | largest |\n|---|---|---|---|");
    for (what, mut sizes) in [("of a row", there), ("of no row", absent)] {
        sizes.sort_unstable();
        println!("| {what} | {} | {} | {} |", sizes[500], sizes[990], sizes[999]);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if words.iter().any(|word| word == "proofs") {
        proofs(numbers.first().copied().unwrap_or(5_000_000));
    } else {
        let rows = numbers.first().copied().unwrap_or(1_000_000);
        histories(rows, numbers.get(1).copied().unwrap_or(1_000));
    }
}
