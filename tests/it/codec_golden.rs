//! Golden vectors: the bytes of every encoding, as they were written down on the first day.
//!
//! `fixtures/golden/codec/*.json` hold what the inputs below must encode to, in hexadecimal, and
//! what every storage codec ever wrote must decode to. An encoding that changes breaks every store:
//! files that are there are never rewritten. `UPDATE_GOLDEN=1` adds what is new.

use std::path::PathBuf;

use deepdiff_db::codec::row::{LargeValues, RowBatch, RowEncoder, RowLayout};
use deepdiff_db::codec::structure::{BlockRef, Chunk, ChunkColumn, Node, NodeEntry};
use deepdiff_db::codec::{
    HashAlgorithm, Hasher, Kind, block, cell, key, row_hash, schema, state, stored, wire,
};
use deepdiff_db::model::snapshot::{Guarantee, Scope, Snapshot, SourceInfo, State, TreeRoot};
use deepdiff_db::model::temporal::{Date, DateTime, Interval, TimeTz};
use deepdiff_db::model::value::FiniteDecimal;
use deepdiff_db::model::{
    Attribute, ColumnSpec, Decimal, Flow, KeyColumn, KeyMatching, NotCaptured, ObjectId,
    ObjectName, RowKey, RowKeySource, RowSink, Sequence, SinkError, SnapshotId, StateId, TableSpec,
    Value,
};
use serde_json::{Map, Value as Json, json};

use crate::codec_samples::{Random, column, column_block};

const STORE_KEY: [u8; 32] = *b"a key of 32 bytes for golden ids";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Compares entries with those of a file, by name. An entry that the file does not have is an
/// error, or is added where `UPDATE_GOLDEN` is set; one that only the file has is an error too.
fn compare(file: &str, entries: Vec<(String, Json)>) {
    let path = PathBuf::from("fixtures/golden/codec").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut golden: Map<String, Json> = serde_json::from_str(&text).unwrap();
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for name in golden.keys() {
        assert!(entries.iter().any(|(other, _)| other == name), "{file}: {name} is made no more");
    }
    for (name, entry) in entries {
        match golden.get(&name) {
            Some(known) => assert_eq!(*known, entry, "{file}: {name} has changed"),
            None if is_update => drop(golden.insert(name, entry)),
            None => panic!("{file}: {name} is new; UPDATE_GOLDEN=1 adds it"),
        }
    }
    if is_update {
        let text = serde_json::to_string_pretty(&golden).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
}

fn decimal(negative: bool, digits: &[u8], scale: u16) -> Value {
    Value::Decimal(Decimal::Finite(FiniteDecimal::new(negative, digits, scale).unwrap()))
}

fn date(year: i32, month: u8, day: u8) -> Date {
    Date::Fields { year, month, day }
}

/// At least one value of each kind, and those that encodings get wrong.
fn values() -> Vec<(&'static str, Value)> {
    let float = |float: f64| Value::Float64(float.to_bits());
    let text = |text: &str| Value::Text(text.to_owned());
    let at = |date, micros| DateTime { date, micros };
    vec![
        ("null", Value::Null),
        ("false", Value::Bool(false)),
        ("true", Value::Bool(true)),
        ("int 0", Value::Int(0)),
        ("int 1", Value::Int(1)),
        ("int -1", Value::Int(-1)),
        ("int min", Value::Int(i64::MIN)),
        ("int max", Value::Int(i64::MAX)),
        ("uint 2^63", Value::unsigned(1 << 63)),
        ("uint max", Value::unsigned(u64::MAX)),
        ("decimal 0", decimal(false, &[], 0)),
        ("decimal 0.00", decimal(false, &[], 2)),
        ("decimal 1", decimal(false, &[1], 0)),
        ("decimal 1.00", decimal(false, &[1, 0, 0], 2)),
        ("decimal -12.340", decimal(true, &[1, 2, 3, 4, 0], 3)),
        ("decimal 0.005", decimal(false, &[5], 3)),
        ("decimal 100000", decimal(false, &[1, 0, 0, 0, 0, 0], 0)),
        ("decimal -infinity", Value::Decimal(Decimal::NegativeInfinity)),
        ("decimal infinity", Value::Decimal(Decimal::Infinity)),
        ("decimal NaN", Value::Decimal(Decimal::NaN)),
        ("float32 0.1", Value::Float32(0.1f32.to_bits())),
        ("float32 -0", Value::Float32((-0.0f32).to_bits())),
        ("float 0", float(0.0)),
        ("float -0", float(-0.0)),
        ("float 0.1", float(0.1)),
        ("float -2.5", float(-2.5)),
        ("float smallest", float(5e-324)),
        ("float infinity", float(f64::INFINITY)),
        ("float -infinity", float(f64::NEG_INFINITY)),
        ("float NaN", Value::Float64(0x7FF8_0000_0000_0000)),
        ("text empty", text("")),
        ("text hello", text("hello")),
        ("text with zeros", text("a\0b\0\0")),
        ("text of several scripts", text("Grüße, 世界 🌍")),
        ("raw text", Value::RawText { charset: "latin1".into(), bytes: vec![0xE9, 0, 0xFF] }),
        ("bytes empty", Value::Bytes(Vec::new())),
        ("bytes", Value::Bytes(vec![0, 1, 0xFE, 0xFF, 0])),
        ("date", Value::Date(date(2026, 11, 22))),
        ("date 44 BC", Value::Date(date(-43, 3, 15))),
        ("date zero", Value::Date(date(0, 0, 0))),
        ("date -infinity", Value::Date(Date::NegativeInfinity)),
        ("date infinity", Value::Date(Date::Infinity)),
        ("time 24:00", Value::Time(86_400_000_000)),
        ("time -838:59:59", Value::Time(-3_020_399_000_000)),
        ("time with zone", Value::TimeTz(TimeTz { micros: 43_200_000_000, offset_seconds: -3600 })),
        ("date and time", Value::DateTime(at(date(2026, 11, 22), 1))),
        ("date and time infinity", Value::DateTime(at(Date::Infinity, 0))),
        ("timestamp", Value::Timestamp(at(date(1969, 12, 31), 86_399_999_999))),
        ("interval", Value::Interval(Interval { months: 1, days: -2, micros: 3 })),
        ("uuid", Value::Uuid(*b"0123456789abcdef")),
        ("json", Value::Json("{\"a\": 1.0}".into())),
        ("other", Value::Other("[2026-01-01,)".into())),
    ]
}

#[test]
fn cells_and_keys_are_as_on_the_first_day() {
    let entries = values().into_iter().map(|(name, value)| {
        let mut payload = Vec::new();
        cell::write_payload(value.as_ref(), &mut payload);
        let tag = cell::tag_of(value.as_ref());
        let mut component = Vec::new();
        key::write_component(value.as_ref(), &mut component);
        assert_eq!(cell::read_value(tag, &payload).unwrap(), value);
        assert_eq!(key::decode(&component).unwrap().values, [value]);
        let entry = json!({ "tag": tag, "payload": hex(&payload), "key": hex(&component) });
        (name.to_owned(), entry)
    });
    compare("values.json", entries.collect());
}

#[test]
fn special_keys_are_as_on_the_first_day() {
    let hasher = Hasher::new(HashAlgorithm::Blake3);
    let mut cut = Vec::new();
    key::write_component(Value::Text("k".repeat(1100)).as_ref(), &mut cut);
    key::finish(&mut cut, 0, &hasher);
    let mut composite = Vec::new();
    key::write_component(Value::Text("a\0".into()).as_ref(), &mut composite);
    key::write_component(Value::Int(-7).as_ref(), &mut composite);
    let mut with_hash = Vec::new();
    key::write_component(Value::Null.as_ref(), &mut with_hash);
    key::write_row_hash(&ObjectId([0xAB; 32]), &mut with_hash);
    let entries = [
        ("text of 1,100 k, cut, blake3", cut),
        ("text a and a zero, int -7", composite),
        ("null and a row hash of ab", with_hash),
    ];
    let entries = entries.map(|(name, key)| (name.to_owned(), json!({ "key": hex(&key) })));
    compare("keys.json", entries.to_vec());
}

struct ByBlake3;

impl LargeValues for ByBlake3 {
    fn put(&mut self, payload: &[u8]) -> Result<ObjectId, SinkError> {
        Ok(Hasher::new(HashAlgorithm::Blake3).id(Kind::Value, payload))
    }
}

fn people() -> TableSpec {
    let column = |name: &str| ColumnSpec {
        name: name.to_owned(),
        declared_type: "TEXT".to_owned(),
        default: Value::Int(0),
    };
    TableSpec {
        name: ObjectName::bare("people"),
        columns: ["born", "id", "name"].map(column).to_vec(),
        key: RowKey::Columns {
            columns: vec![KeyColumn { name: "id".into(), matching: KeyMatching::AsciiNoCase }],
            source: RowKeySource::UniqueIndex,
            may_be_null: true,
        },
        reads_in_key_order: false,
        column_order: Vec::new(),
    }
}

fn hashers() -> [(&'static str, Hasher); 4] {
    [
        ("blake3", Hasher::new(HashAlgorithm::Blake3)),
        ("sha256", Hasher::new(HashAlgorithm::Sha256)),
        ("blake3, keyed", Hasher::keyed(HashAlgorithm::Blake3, STORE_KEY)),
        ("sha256, keyed", Hasher::keyed(HashAlgorithm::Sha256, STORE_KEY)),
    ]
}

#[test]
fn rows_and_their_hashes_are_as_on_the_first_day() {
    let text = |text: &str| Value::Text(text.to_owned());
    let rows = [
        ("a row", vec![Value::Date(date(1815, 12, 10)), Value::Int(1), text("Ada")]),
        ("a row with a null", vec![Value::Null, Value::Int(2), text("")]),
        ("a row without a key", vec![Value::Null, Value::Null, text("nobody")]),
        ("a row of nulls", vec![Value::Null, Value::Null, Value::Null]),
        ("a row with a large value", vec![Value::Null, Value::Int(3), text(&"x".repeat(5000))]),
    ];
    let layout = RowLayout::new(&people()).unwrap();
    let hashers = hashers();
    let entries = rows.into_iter().map(|(name, row)| {
        let mut batches = Vec::new();
        let mut encoder = RowEncoder::new(&layout, &hashers[0].1, ByBlake3, 1, |batch| {
            batches.push(batch);
            Ok((RowBatch::default(), Flow::Continue))
        });
        row.iter().for_each(|value| encoder.cell(value.as_ref()).unwrap());
        encoder.end_row().unwrap();
        encoder.finish().unwrap();
        let encoded = batches[0].row(0);
        let mut entry = Map::new();
        entry.insert("preimage".into(), hex(encoded.preimage).into());
        entry.insert("key".into(), hex(encoded.key).into());
        for (algorithm, hasher) in &hashers {
            let mut hashes = Vec::new();
            row_hash::hash_rows(hasher, std::iter::once(encoded.framed), &mut hashes);
            entry.insert((*algorithm).into(), hashes[0].to_string().into());
        }
        (name.to_owned(), Json::Object(entry))
    });
    compare("rows.json", entries.collect());
}

fn id(byte: u8) -> ObjectId {
    ObjectId([byte; 32])
}

/// One object of each kind and form, with its plain bytes.
fn objects() -> Vec<(&'static str, Kind, Vec<u8>)> {
    let ints = |range: std::ops::Range<i64>| range.map(Value::Int).collect::<Vec<_>>();
    let keys = |keys: &[Value]| {
        let encoded: Vec<Vec<u8>> = keys
            .iter()
            .map(|value| {
                let mut key = Vec::new();
                key::write_component(value.as_ref(), &mut key);
                key
            })
            .collect();
        let mut plain = Vec::new();
        block::write_keys(encoded.iter().map(Vec::as_slice), &mut plain);
        plain
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let external = {
        let payload = [&5000u64.to_le_bytes()[..], &id(0xE1).0].concat();
        let mut builder = block::ColumnBuilder::default();
        builder.push(deepdiff_db::codec::Cell { tag: 0xB0, payload: &payload });
        builder.push(deepdiff_db::codec::Cell { tag: 0x30, payload: b"short" });
        let mut plain = Vec::new();
        builder.write(&mut plain);
        plain
    };
    vec![
        ("column, constant", Kind::Column, column_block(&[text("same"), text("same")])),
        ("column, uniform and fixed", Kind::Column, column_block(&ints(1..5))),
        ("column, uniform", Kind::Column, column_block(&[text("a"), text(""), text("ccc")])),
        ("column, mixed", Kind::Column, column_block(&[Value::Null, text("a"), Value::Int(7)])),
        ("column with a value apart", Kind::ValueColumn, external),
        (
            "column of tables",
            Kind::TableColumn,
            column_block(&[Value::Bytes(vec![1; 32]), Value::Bytes(vec![2; 32])]),
        ),
        ("keys of one length", Kind::Keys, keys(&ints(-1..3))),
        ("keys of different lengths", Kind::Keys, keys(&[text("a"), text("ab"), text("b")])),
        ("row hashes", Kind::RowHashes, [id(1).0, id(2).0].concat()),
        ("counts", Kind::Counts, block::write_counts(&[1, 3, 1]).unwrap()),
        ("value", Kind::Value, vec![b'v'; 5000]),
        ("value list", Kind::ValueList, block::write_value_list(1 << 21, &[id(7), id(8)])),
        ("chunk", Kind::Chunk, wire::to_bytes(&a_chunk())),
        ("node", Kind::Node, wire::to_bytes(&a_node())),
        (
            "table",
            Kind::Table,
            state::write_table(&state::StoredTable { spec: people(), rows: root() }),
        ),
        (
            "table without a key",
            Kind::Table,
            state::write_table(&state::StoredTable {
                spec: TableSpec { key: RowKey::RowHash, ..people() },
                rows: TreeRoot::EMPTY,
            }),
        ),
        ("state", Kind::State, state::write_state(&a_state())),
        ("snapshot", Kind::Snapshot, state::write_snapshot(&a_snapshot())),
    ]
}

fn root() -> TreeRoot {
    TreeRoot { id: Some(id(0xC0)), height: 1, rows: 1000, bytes: 45_678 }
}

fn a_chunk() -> Chunk {
    let column = |name: &str, block| ChunkColumn { name: name.to_owned(), block };
    Chunk {
        rows: 3,
        keys: BlockRef::Object(id(1)),
        row_hashes: id(2),
        counts: Some(BlockRef::Object(id(3))),
        columns: vec![
            column("a", BlockRef::Inline(column_block(&[Value::Bool(true)]))),
            column("b", BlockRef::Object(id(4))),
            column("c", BlockRef::WithValues(id(5))),
            column("d", BlockRef::WithTables(id(6))),
        ],
    }
}

fn a_node() -> Node {
    let entry = |last_key: &[u8], rows, byte| NodeEntry {
        last_key: last_key.to_vec(),
        rows,
        bytes: rows * 100,
        id: id(byte),
    };
    Node { level: 2, entries: vec![entry(b"\x10a", 7, 1), entry(b"\x10b", 300, 2)] }
}

fn a_state() -> State {
    State {
        engine: "sqlite".into(),
        scope: Scope {
            excluded_tables: vec!["log_*".into()],
            key_overrides: vec![("people".into(), vec!["id".into()])],
            masks: Vec::new(),
        },
        facts: TreeRoot { id: Some(id(9)), height: 0, rows: 5, bytes: 500 },
        tables: TreeRoot::EMPTY,
    }
}

fn a_snapshot() -> Snapshot {
    Snapshot {
        state: StateId(id(0x57)),
        source: SourceInfo {
            label: "prod".into(),
            identity: "/srv/prod.db".into(),
            server: "SQLite 3.50.4".into(),
        },
        read_at: vec![(1_700_000_000_000_000, 1_700_000_001_000_000)],
        guarantee: Guarantee::Resumed,
        evidence: vec!["data_version 7".into()],
        not_captured: vec![NotCaptured {
            kind: "table".into(),
            name: "sqlite_stat1".into(),
            reason: "statistics".into(),
            is_unknown: false,
        }],
        sequences: vec![Sequence { name: ObjectName::bare("people"), position: 42 }],
        definitions: root(),
        is_hash_only: false,
        parents: vec![SnapshotId(id(0x50))],
        author: "Ada".into(),
        message: "before the migration".into(),
    }
}

#[test]
fn objects_and_their_ids_are_as_on_the_first_day() {
    let entries = objects().into_iter().map(|(name, kind, plain)| {
        let mut entry = Map::new();
        entry.insert("kind".into(), (kind as u8).into());
        entry.insert("plain".into(), hex(&plain).into());
        for (algorithm, hasher) in hashers() {
            entry.insert(algorithm.into(), hasher.id(kind, &plain).to_string().into());
        }
        (name.to_owned(), Json::Object(entry))
    });
    compare("objects.json", entries.collect());
}

#[test]
fn golden_objects_are_still_read() {
    let text = std::fs::read_to_string("fixtures/golden/codec/objects.json").unwrap();
    let golden: Map<String, Json> = serde_json::from_str(&text).unwrap();
    let plain = |name: &str| unhex(golden[name]["plain"].as_str().unwrap());
    assert_eq!(Chunk::decode(&plain("chunk")).unwrap(), a_chunk());
    assert_eq!(Node::decode(&plain("node")).unwrap(), a_node());
    let table = state::read_table(&plain("table")).unwrap();
    assert_eq!((table.spec, table.rows), (people(), root()));
    assert_eq!(state::read_state(&plain("state")).unwrap(), a_state());
    assert_eq!(state::read_snapshot(&plain("snapshot")).unwrap(), a_snapshot());
    for (name, rows) in
        [("column, constant", 2), ("column, uniform and fixed", 4), ("column, uniform", 3)]
    {
        block::Column::decode(plain(name), rows).unwrap().check(rows).unwrap();
    }
    let mixed = block::Column::decode(plain("column, mixed"), 3).unwrap();
    assert_eq!(mixed.cell(2).value().unwrap(), Value::Int(7));
    assert_eq!(
        block::external_values(&plain("column with a value apart")).unwrap()[0].id,
        id(0xE1)
    );
    assert_eq!(block::table_ids(&plain("column of tables")).unwrap(), [id(1), id(2)]);
    assert_eq!(block::Keys::decode(plain("keys of different lengths"), 3).unwrap().len(), 3);
    assert_eq!(block::read_counts(&plain("counts"), 3).unwrap(), [1, 3, 1]);
    assert_eq!(block::value_pieces(&plain("value list")).unwrap(), [id(7), id(8)]);
}

#[test]
fn schema_facts_are_as_on_the_first_day() {
    let attributes = [
        ("not_null", Attribute::Flag),
        ("position", Attribute::Number(-3)),
        ("type", Attribute::Text("VARCHAR(12)".into())),
        ("values", Attribute::List(vec!["a".into(), String::new()])),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    let depends_on = [ObjectName { schema: "public".into(), name: "people".into() }];
    let fact = schema::write_fact_body(&attributes, &depends_on);
    let names = schema::write_names(&["id".into(), "name".into()]);
    assert_eq!(schema::read_fact_body(&fact).unwrap(), (attributes, depends_on.to_vec()));
    assert_eq!(schema::read_names(&names).unwrap(), ["id", "name"]);
    compare(
        "schema.json",
        vec![
            ("fact".into(), json!({ "plain": hex(&fact) })),
            ("names".into(), json!({ "plain": hex(&names) })),
        ],
    );
}

/// Objects that are stored in every form that a storage codec has.
fn packed() -> Vec<(String, Kind, Vec<u8>)> {
    let mut random = Random(7);
    let mut packed: Vec<(String, Kind, Vec<u8>)> = (0..crate::codec_samples::SHAPES)
        .filter(|shape| *shape != 22)
        .map(|shape| {
            let values = column(shape, 40, &mut random);
            (format!("column of shape {shape}"), Kind::Column, column_block(&values))
        })
        .collect();
    let outliers = (0..60).map(|row| Value::Int(if row % 20 == 3 { 1 << 40 } else { row % 5 }));
    packed.push((
        "integers with outliers".into(),
        Kind::Column,
        column_block(&outliers.collect::<Vec<_>>()),
    ));
    let text = |text: String| Value::Text(text);
    let numbered: Vec<Value> = (0..40u64)
        .map(|row| text(format!("{{\"batch\":{},\"of\":\"{row:02}\"}}", row * row * row)))
        .collect();
    packed.push(("text that differs in numbers".into(), Kind::Column, column_block(&numbered)));
    let amounts: Vec<Value> = (0..40u64)
        .map(|row| {
            let number = (row * 7_919_317 % 10_000_000).to_string();
            let digits: Vec<u8> = number.bytes().map(|digit| digit - b'0').collect();
            let number = FiniteDecimal::new(row % 5 == 0, &digits, 2).unwrap();
            Value::Decimal(Decimal::Finite(number))
        })
        .collect();
    packed.push(("decimals of one scale".into(), Kind::Column, column_block(&amounts)));
    let key_block = |keys: Vec<Vec<Value>>| {
        let mut encoded: Vec<Vec<u8>> = keys
            .iter()
            .map(|values| {
                let mut key = Vec::new();
                values.iter().for_each(|value| key::write_component(value.as_ref(), &mut key));
                key
            })
            .collect();
        encoded.sort();
        let mut plain = Vec::new();
        block::write_keys(encoded.iter().map(Vec::as_slice), &mut plain);
        plain
    };
    let ints = (0..40).map(|row| vec![Value::Int(row / 3 - 5), Value::Int(row * row)]).collect();
    let codes =
        (0..40u64).map(|row| vec![text(format!("AB-{:06}", row * 7919 % 100_000))]).collect();
    let names = (0..40)
        .map(|row| vec![text(format!("customer {} of {}", row * row, "x".repeat(row)))])
        .collect();
    packed.push(("keys by component".into(), Kind::Keys, key_block(ints)));
    packed.push(("keys as numbers".into(), Kind::Keys, key_block(codes)));
    packed.push(("keys, front-coded".into(), Kind::Keys, key_block(names)));
    let counts: Vec<u64> = (0..40).map(|row| row % 3 + 1).collect();
    packed.push(("counts".into(), Kind::Counts, block::write_counts(&counts).unwrap()));
    packed.push(("chunk".into(), Kind::Chunk, wire::to_bytes(&a_chunk())));
    packed.push(("node".into(), Kind::Node, wire::to_bytes(&a_node())));
    packed.push(("snapshot".into(), Kind::Snapshot, state::write_snapshot(&a_snapshot())));
    packed.push(("value".into(), Kind::Value, "the same words again. ".repeat(50).into_bytes()));
    packed.push(("row hashes".into(), Kind::RowHashes, [id(1).0, id(2).0].concat()));
    packed
}

/// Storage codecs are free to improve, so what is written now is not compared with what was
/// written; what was written must be read for ever.
#[test]
fn every_stored_form_is_still_read() {
    let path = PathBuf::from("fixtures/golden/codec/stored.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut golden: Map<String, Json> = serde_json::from_str(&text).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for (name, kind, plain) in packed() {
            golden.entry(name).or_insert_with(|| {
                let stored = stored::encode(kind, &plain);
                json!({
                    "kind": kind as u8,
                    "codec": stored.codec,
                    "stored": hex(&stored.bytes),
                    "plain": hex(&plain),
                })
            });
        }
        std::fs::write(&path, serde_json::to_string_pretty(&golden).unwrap() + "\n").unwrap();
    }
    let mut codecs = [false; 6];
    for (name, entry) in &golden {
        let codec = u8::try_from(entry["codec"].as_u64().unwrap()).unwrap();
        let bytes = unhex(entry["stored"].as_str().unwrap());
        let plain = unhex(entry["plain"].as_str().unwrap());
        let len = u32::try_from(plain.len()).unwrap();
        assert_eq!(stored::decode(codec, len, &bytes).as_deref(), Ok(&plain[..]), "{name}");
        codecs[usize::from(codec)] = true;
    }
    assert!(codecs.iter().all(|&is_there| is_there), "every codec has an entry: {codecs:?}");
}
