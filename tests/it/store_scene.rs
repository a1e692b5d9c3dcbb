//! The scene of the store's tests: stores on the simulated and the real file system, and small
//! snapshots of made-up tables with every kind of object in them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepdiff_db::codec::block::{ColumnBuilder, write_keys, write_value_list};
use deepdiff_db::codec::cell::{Cell, PIECE_LEN, tag};
use deepdiff_db::codec::state::{StoredTable, write_snapshot, write_state, write_table};
use deepdiff_db::codec::structure::{BlockRef, Chunk, ChunkColumn, Node, NodeEntry};
use deepdiff_db::codec::{HashAlgorithm, Kind, wire};
use deepdiff_db::fsio::{FileSystem, SimulatedFs};
use deepdiff_db::model::snapshot::{Guarantee, Scope, Snapshot, SourceInfo, State, TreeRoot};
use deepdiff_db::model::{ObjectId, ObjectName, RowKey, SnapshotId, StateId, TableSpec};
use deepdiff_db::store::verify::{Depth, VerifyOptions, VerifyOutcome};
use deepdiff_db::store::{Expected, Moment, Move, ObjectSink, RefName, Store, StoreError, Writer};

pub const DAY: i64 = 24 * 60 * 60 * 1_000_000;
pub const START: Moment = Moment(1_700_000_000_000_000);

pub fn store_path() -> PathBuf {
    PathBuf::from("/store")
}

pub fn simulated() -> (SimulatedFs, Store) {
    let fs = SimulatedFs::new();
    let store =
        Store::init(Arc::new(fs.clone()), &store_path(), HashAlgorithm::Blake3, None).unwrap();
    (fs, store)
}

pub fn reopen(fs: &SimulatedFs) -> Result<Store, StoreError> {
    Store::open(Arc::new(fs.clone()), &store_path(), None)
}

pub fn name(text: &str) -> RefName {
    RefName::new(text).unwrap()
}

pub fn later(days: i64) -> Moment {
    Moment(START.0 + days * DAY)
}

pub fn moved(name: &RefName, expected: Expected) -> Move<'_> {
    Move { name, expected, who: "ada", message: "a move", when: START }
}

/// Rows of a made-up database: the value of each row, by table. Equal inputs give equal objects.
#[derive(Debug, Clone)]
pub struct Content {
    pub tables: Vec<Vec<u64>>,
    pub is_hash_only: bool,
    pub has_large_value: bool,
    pub message: String,
}

impl Content {
    pub fn of(tables: &[&[u64]]) -> Content {
        Content {
            tables: tables.iter().map(|rows| rows.to_vec()).collect(),
            is_hash_only: false,
            has_large_value: false,
            message: String::new(),
        }
    }
}

/// Bytes that zstd cannot shrink, so that a flipped bit cannot hide.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn bytes_column(values: &[Vec<u8>]) -> (Vec<u8>, bool) {
    let mut column = ColumnBuilder::default();
    for value in values {
        column.push(Cell { tag: tag::BYTES, payload: value });
    }
    let mut plain = Vec::new();
    column.write(&mut plain);
    (plain, column.has_external())
}

fn keys_of(rows: usize) -> Vec<u8> {
    let keys: Vec<[u8; 9]> = (0..rows as u64)
        .map(|row| {
            let mut key = [0x10; 9];
            key[1..].copy_from_slice(&row.to_be_bytes());
            key
        })
        .collect();
    let mut plain = Vec::new();
    write_keys(keys.iter().map(<[u8; 9]>::as_slice), &mut plain);
    plain
}

fn chunk(sink: &dyn ObjectSink, rows: &[u64], salt: u64, content: &Content) -> ObjectId {
    let keys = sink.put(Kind::Keys, &keys_of(rows.len())).unwrap();
    let hashes: Vec<u8> = rows.iter().flat_map(|row| noise(*row ^ salt, 32)).collect();
    let row_hashes = sink.hasher().id(Kind::RowHashes, &hashes);
    let values: Vec<_> = rows.iter().map(|row| noise(*row, 70)).collect();
    let (plain, _) = bytes_column(&values);
    let column = sink.hasher().id(Kind::Column, &plain);
    if content.is_hash_only {
        sink.put(Kind::RowHashes, &hashes).unwrap();
    } else {
        sink.put(Kind::Column, &plain).unwrap();
    }
    let mut columns = vec![ChunkColumn { name: "a".into(), block: BlockRef::Object(column) }];
    if content.has_large_value {
        columns.push(large_value(sink, rows.len(), content));
    }
    let chunk = Chunk {
        rows: u32::try_from(rows.len()).unwrap(),
        keys: BlockRef::Object(keys),
        row_hashes,
        counts: None,
        columns,
    };
    sink.put(Kind::Chunk, &wire::to_bytes(&chunk)).unwrap()
}

/// A column whose every cell is one value of two pieces.
fn large_value(sink: &dyn ObjectSink, rows: usize, content: &Content) -> ChunkColumn {
    let pieces = [vec![1u8; PIECE_LEN], vec![2u8; 100]];
    let put = |kind: Kind, plain: &[u8]| {
        if content.is_hash_only {
            sink.hasher().id(kind, plain)
        } else {
            sink.put(kind, plain).unwrap()
        }
    };
    let ids: Vec<ObjectId> = pieces.iter().map(|piece| put(Kind::Value, piece)).collect();
    let len = (PIECE_LEN + 100) as u64;
    let list = put(Kind::ValueList, &write_value_list(len, &ids));
    let mut payload = len.to_le_bytes().to_vec();
    payload.extend(list.0);
    let mut column = ColumnBuilder::default();
    for _ in 0..rows {
        column.push(Cell { tag: tag::BYTES | 0x80, payload: &payload });
    }
    let mut plain = Vec::new();
    column.write(&mut plain);
    let id = put(Kind::ValueColumn, &plain);
    ChunkColumn { name: "b".into(), block: BlockRef::WithValues(id) }
}

fn rows_root(sink: &dyn ObjectSink, rows: &[u64], salt: u64, content: &Content) -> TreeRoot {
    if rows.is_empty() {
        return TreeRoot::EMPTY;
    }
    let (count, bytes) = (rows.len() as u64, rows.len() as u64 * 80);
    if rows.len() < 4 {
        let id = Some(chunk(sink, rows, salt, content));
        return TreeRoot { id, height: 0, rows: count, bytes };
    }
    let (left, right) = rows.split_at(rows.len() / 2);
    let entries = [(left, 1u8), (right, 2)].map(|(rows, last)| NodeEntry {
        last_key: vec![0x10, last],
        rows: rows.len() as u64,
        bytes: rows.len() as u64 * 80,
        id: chunk(sink, rows, salt ^ u64::from(last), content),
    });
    let node = Node { level: 1, entries: entries.to_vec() };
    let id = Some(sink.put(Kind::Node, &wire::to_bytes(&node)).unwrap());
    TreeRoot { id, height: 1, rows: count, bytes }
}

fn table(sink: &dyn ObjectSink, number: usize, content: &Content) -> ObjectId {
    let rows = rows_root(sink, &content.tables[number], number as u64, content);
    let spec = TableSpec {
        name: ObjectName { schema: String::new(), name: format!("t{number}") },
        columns: Vec::new(),
        key: RowKey::RowHash,
        reads_in_key_order: false,
        column_order: Vec::new(),
    };
    sink.put(Kind::Table, &write_table(&StoredTable { spec, rows })).unwrap()
}

/// Adds a snapshot of this content with all its objects.
pub fn add(sink: &dyn ObjectSink, content: &Content) -> SnapshotId {
    let tables: Vec<Vec<u8>> =
        (0..content.tables.len()).map(|n| table(sink, n, content).0.to_vec()).collect();
    let tables_root = if tables.is_empty() {
        TreeRoot::EMPTY
    } else {
        let (plain, _) = bytes_column(&tables);
        let id = sink.put(Kind::TableColumn, &plain).unwrap();
        let column = ChunkColumn { name: "table".into(), block: BlockRef::WithTables(id) };
        let chunk = Chunk {
            rows: u32::try_from(tables.len()).unwrap(),
            keys: BlockRef::Inline(keys_of(tables.len())),
            row_hashes: sink.hasher().id(Kind::RowHashes, b"tables"),
            counts: None,
            columns: vec![column],
        };
        let id = Some(sink.put(Kind::Chunk, &wire::to_bytes(&chunk)).unwrap());
        TreeRoot { id, height: 0, rows: tables.len() as u64, bytes: 40 }
    };
    let state = State {
        engine: "made-up".into(),
        scope: Scope::default(),
        facts: TreeRoot::EMPTY,
        tables: tables_root,
    };
    let state = sink.put(Kind::State, &write_state(&state)).unwrap();
    let snapshot = Snapshot {
        state: StateId(state),
        source: SourceInfo { label: "x".into(), identity: "y".into(), server: "z".into() },
        read_at: vec![(1, 2)],
        guarantee: Guarantee::SingleConnection,
        evidence: Vec::new(),
        not_captured: Vec::new(),
        sequences: Vec::new(),
        definitions: TreeRoot::EMPTY,
        is_hash_only: content.is_hash_only,
        parents: Vec::new(),
        author: "ada".into(),
        message: content.message.clone(),
    };
    SnapshotId(sink.put(Kind::Snapshot, &write_snapshot(&snapshot)).unwrap())
}

/// Writes and publishes a snapshot.
pub fn publish(store: &Store, to: &str, content: &Content) -> Result<SnapshotId, StoreError> {
    publish_at(store, to, content, START)
}

pub fn publish_at(
    store: &Store,
    to: &str,
    content: &Content,
    when: Moment,
) -> Result<SnapshotId, StoreError> {
    let writer = store.writer()?;
    publish_with(&writer, to, content, when)
}

pub fn publish_with(
    writer: &Writer,
    to: &str,
    content: &Content,
    when: Moment,
) -> Result<SnapshotId, StoreError> {
    let snapshot = try_add(writer, content)?;
    let name = name(to);
    let how = Move { when, ..moved(&name, Expected::Anything) };
    writer.publish(snapshot, &how)?;
    Ok(snapshot)
}

/// Like [`add`], where the disk may fail: the objects are made in memory first.
pub fn try_add(writer: &Writer, content: &Content) -> Result<SnapshotId, StoreError> {
    let recorded = Recorder::new(writer.hasher().clone());
    let snapshot = add(&recorded, content);
    for (kind, plain) in recorded.objects() {
        writer.put(kind, &plain)?;
    }
    Ok(snapshot)
}

/// A sink that keeps the plain bytes in the order they came.
struct Recorder {
    hasher: deepdiff_db::codec::Hasher,
    objects: std::sync::Mutex<Vec<(Kind, Vec<u8>)>>,
}

impl Recorder {
    fn new(hasher: deepdiff_db::codec::Hasher) -> Self {
        Recorder { hasher, objects: std::sync::Mutex::default() }
    }

    fn objects(self) -> Vec<(Kind, Vec<u8>)> {
        self.objects.into_inner().unwrap()
    }
}

impl ObjectSink for Recorder {
    fn hasher(&self) -> &deepdiff_db::codec::Hasher {
        &self.hasher
    }

    fn contains(&self, _: &ObjectId) -> Result<bool, deepdiff_db::store::ObjectError> {
        Ok(false)
    }

    fn append(
        &self,
        kind: Kind,
        _: ObjectId,
        stored: deepdiff_db::codec::Stored,
    ) -> Result<(), deepdiff_db::store::ObjectError> {
        let plain =
            deepdiff_db::codec::stored::decode(stored.codec, stored.plain_len, &stored.bytes);
        self.objects.lock().unwrap().push((kind, plain.unwrap()));
        Ok(())
    }
}

pub fn verify(store: &Store, depth: Depth) -> VerifyOutcome {
    let jobs = NonZeroUsize::MIN;
    store.verify(&VerifyOptions { depth, jobs, ..VerifyOptions::default() }).unwrap()
}

#[track_caller]
pub fn assert_sound(store: &Store) {
    let outcome = verify(store, Depth::Default);
    assert!(outcome.is_sound(), "{:#?}", outcome.damaged);
}

/// How many files in `objects/` end so.
pub fn count_files(fs: &dyn FileSystem, store: &Path, suffix: &str) -> usize {
    let entries = fs.list(&store.join("objects")).unwrap();
    entries.iter().filter(|entry| entry.name.ends_with(suffix)).count()
}
