//! Structure objects: strict, total, and readable without bincode.
//!
//! Whatever bincode writes, wincode must read and write too (`codec_mirror`).

use std::collections::{BTreeMap, BTreeSet};

use deepdiff_db::codec::schema::{read_fact_body, read_names, write_fact_body, write_names};
use deepdiff_db::codec::state::{self, StoredTable};
use deepdiff_db::codec::structure::{
    self, BlockRef, Chunk, ChunkColumn, INLINE_LIMIT, Node, NodeEntry, Part,
};
use deepdiff_db::codec::{Kind, stored, wire};
use deepdiff_db::model::snapshot::{Guarantee, Scope, Snapshot, SourceInfo, State, TreeRoot};
use deepdiff_db::model::{
    Attribute, ColumnSpec, KeyColumn, KeyMatching, NotCaptured, ObjectId, ObjectName, RowKey,
    RowKeySource, Sequence, SnapshotId, StateId, TableSpec, Value,
};
use proptest::prelude::*;
use wincode::{SchemaRead, SchemaWrite};

use crate::codec_mirror as mirror;
use crate::codec_samples::{Random, cases, column_block, mutate, text, value};

fn id(seed: u64) -> ObjectId {
    let mut random = Random(seed);
    let words = [(); 4].map(|()| random.next().to_le_bytes());
    ObjectId(words.concat().try_into().unwrap())
}

fn root() -> impl Strategy<Value = TreeRoot> {
    prop_oneof![
        Just(TreeRoot::EMPTY),
        (any::<u64>(), any::<u8>(), 1..u64::MAX, any::<u64>()).prop_map(
            |(seed, height, rows, bytes)| TreeRoot { id: Some(id(seed)), height, rows, bytes }
        ),
    ]
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set(text(), 1..5).prop_map(|names| names.into_iter().collect())
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let columns = prop::collection::btree_map(text(), (0..4u8, any::<u64>(), any::<i64>()), 0..5);
    (1..9u32, any::<u64>(), any::<bool>(), columns).prop_map(|(rows, seed, has_counts, columns)| {
        Chunk {
            rows,
            keys: BlockRef::Object(id(seed)),
            row_hashes: id(seed + 1),
            counts: has_counts.then(|| BlockRef::Object(id(seed + 2))),
            columns: columns
                .into_iter()
                .map(|(name, (form, seed, number))| {
                    let block = match form {
                        0 => BlockRef::Inline(column_block(&[Value::Int(number)])),
                        1 => BlockRef::Object(id(seed)),
                        2 => BlockRef::WithValues(id(seed)),
                        _ => BlockRef::WithTables(id(seed)),
                    };
                    ChunkColumn { name, block }
                })
                .collect(),
        }
    })
}

fn node() -> impl Strategy<Value = Node> {
    let keys = prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..6), 2..6);
    (1..5u8, keys, any::<u64>()).prop_map(|(level, keys, seed)| Node {
        level,
        entries: (seed..)
            .zip(keys)
            .map(|(seed, last_key)| NodeEntry {
                last_key,
                rows: seed | 1,
                bytes: seed,
                id: id(seed),
            })
            .collect(),
    })
}

fn table() -> impl Strategy<Value = StoredTable> {
    (names(), value(), root(), 0..4usize, 0..3usize, any::<bool>(), any::<bool>()).prop_map(
        |(names, default, rows, matching, source, has_key, may_be_null)| {
            let matching = [
                KeyMatching::Binary,
                KeyMatching::AsciiNoCase,
                KeyMatching::TrailingSpaces,
                KeyMatching::Unknown,
            ][matching];
            let source =
                [RowKeySource::Configured, RowKeySource::PrimaryKey, RowKeySource::UniqueIndex]
                    [source];
            let columns = names.iter().rev().map(|name| KeyColumn { name: name.clone(), matching });
            let key = match has_key {
                true => RowKey::Columns { columns: columns.collect(), source, may_be_null },
                false => RowKey::RowHash,
            };
            let spec = TableSpec {
                name: ObjectName { schema: names[0].clone(), name: "t".into() },
                columns: names
                    .into_iter()
                    .map(|name| ColumnSpec {
                        declared_type: name.to_uppercase(),
                        name,
                        default: default.clone(),
                    })
                    .collect(),
                key,
                reads_in_key_order: false,
                column_order: Vec::new(),
            };
            StoredTable { spec, rows }
        },
    )
}

fn a_state() -> impl Strategy<Value = State> {
    (text(), names(), root(), root()).prop_map(|(engine, names, facts, tables)| State {
        engine,
        scope: Scope {
            masks: BTreeSet::from_iter(names.clone()).into_iter().skip(1).collect(),
            excluded_tables: names.clone(),
            key_overrides: vec![("t".into(), names)],
        },
        facts,
        tables,
    })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let times = prop::collection::vec(any::<(i64, i64)>(), 0..3);
    (names(), root(), times, any::<u64>(), any::<bool>(), any::<bool>()).prop_map(
        |(names, definitions, read_at, seed, is_hash_only, is_resumed)| Snapshot {
            state: StateId(id(seed)),
            source: SourceInfo {
                label: names[0].clone(),
                identity: "/db".into(),
                server: "SQLite 3".into(),
            },
            read_at,
            guarantee: if is_resumed { Guarantee::Resumed } else { Guarantee::SingleConnection },
            evidence: names.clone(),
            not_captured: vec![NotCaptured {
                kind: "table".into(),
                name: "x".into(),
                reason: "no".into(),
                is_unknown: is_resumed,
            }],
            sequences: vec![Sequence { name: ObjectName::bare("t"), position: seed.cast_signed() }],
            definitions,
            is_hash_only,
            parents: vec![SnapshotId(id(seed + 1))],
            author: names[names.len() - 1].clone(),
            message: "m".into(),
        },
    )
}

fn fact_body() -> impl Strategy<Value = (BTreeMap<String, Attribute>, Vec<ObjectName>)> {
    let attribute = prop_oneof![
        Just(Attribute::Flag),
        any::<i64>().prop_map(Attribute::Number),
        text().prop_map(Attribute::Text),
        names().prop_map(Attribute::List),
    ];
    let attributes = prop::collection::btree_map(text(), attribute, 0..4);
    let depends_on = prop::collection::btree_set((text(), text()), 0..3);
    (attributes, depends_on).prop_map(|(attributes, depends_on)| {
        let names = depends_on.into_iter().map(|(schema, name)| ObjectName { schema, name });
        (attributes, names.collect())
    })
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn structures_come_back(
        chunk in chunk(), node in node(), table in table(), a_state in a_state(),
        snapshot in snapshot(), fact in fact_body(),
    ) {
        prop_assert_eq!(Chunk::decode(&wire::to_bytes(&chunk)).unwrap(), chunk.clone());
        prop_assert_eq!(Node::decode(&wire::to_bytes(&node)).unwrap(), node.clone());
        let table_bytes = state::write_table(&table);
        prop_assert_eq!(state::read_table(&table_bytes).unwrap(), table);
        let state_bytes = state::write_state(&a_state);
        prop_assert_eq!(state::read_state(&state_bytes).unwrap(), a_state.clone());
        let snapshot_bytes = state::write_snapshot(&snapshot);
        prop_assert_eq!(state::read_snapshot(&snapshot_bytes).unwrap(), snapshot);
        let fact_bytes = write_fact_body(&fact.0, &fact.1);
        prop_assert_eq!(read_fact_body(&fact_bytes).unwrap(), fact);

        mirrored::<mirror::Chunk>(&wire::to_bytes(&chunk));
        mirrored::<mirror::Node>(&wire::to_bytes(&node));
        mirrored::<mirror::Table>(&table_bytes);
        match a_state.scope.masks.is_empty() {
            true => mirrored::<mirror::State>(&state_bytes),
            false => mirrored::<mirror::MaskedState>(&state_bytes),
        }
        mirrored::<mirror::Snapshot>(&snapshot_bytes);
        mirrored::<mirror::FactBody>(&fact_bytes);
        for (kind, plain) in [
            (Kind::Chunk, wire::to_bytes(&chunk)),
            (Kind::Node, wire::to_bytes(&node)),
            (Kind::Table, table_bytes),
            (Kind::State, state_bytes),
            (Kind::Snapshot, snapshot_bytes),
        ] {
            let stored = stored::encode(kind, &plain);
            let again = stored::decode(stored.codec, stored.plain_len, &stored.bytes);
            prop_assert_eq!(again, Ok(plain.clone()));
            structure::references(kind, &plain).unwrap();
        }
    }

    #[test]
    fn a_structure_that_nobody_writes_is_refused(
        chunk in chunk(), node in node(), table in table(), a_state in a_state(),
        snapshot in snapshot(), fact in fact_body(),
        places in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 6),
    ) {
        let mut places = places.into_iter();
        let mut mutated = |bytes: Vec<u8>| {
            let (place, how, byte) = places.next().unwrap();
            mutate(bytes, place, how, byte)
        };
        let bytes = mutated(wire::to_bytes(&chunk));
        if let Ok(chunk) = Chunk::decode(&bytes) {
            prop_assert_eq!(wire::to_bytes(&chunk), bytes);
        }
        let bytes = mutated(wire::to_bytes(&node));
        if let Ok(node) = Node::decode(&bytes) {
            prop_assert_eq!(wire::to_bytes(&node), bytes);
        }
        let bytes = mutated(state::write_table(&table));
        if let Ok(table) = state::read_table(&bytes) {
            prop_assert_eq!(state::write_table(&table), bytes);
        }
        let bytes = mutated(state::write_state(&a_state));
        if let Ok(state) = state::read_state(&bytes) {
            prop_assert_eq!(state::write_state(&state), bytes);
        }
        let bytes = mutated(state::write_snapshot(&snapshot));
        if let Ok(snapshot) = state::read_snapshot(&bytes) {
            prop_assert_eq!(state::write_snapshot(&snapshot), bytes);
        }
        let bytes = mutated(write_fact_body(&fact.0, &fact.1));
        if let Ok((attributes, depends_on)) = read_fact_body(&bytes) {
            prop_assert_eq!(write_fact_body(&attributes, &depends_on), bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_structure_or_an_error(
        bytes in prop::collection::vec(prop_oneof![3 => 0..3u8, 1 => any::<u8>()], 0..160),
    ) {
        for kind in Kind::STORED {
            let _ = structure::references(kind, &bytes);
        }
        if let Ok(names) = read_names(&bytes) {
            prop_assert_eq!(write_names(&names), bytes.clone());
        }
        if let Ok(snapshot) = state::read_snapshot(&bytes) {
            prop_assert_eq!(state::write_snapshot(&snapshot), bytes);
        }
    }
}

#[test]
fn a_length_that_is_merely_claimed_is_refused() {
    let mut plain = write_names(&["a".into()]);
    for len in [2u64, 1 << 20, 1 << 40, u64::MAX] {
        plain[..8].copy_from_slice(&len.to_le_bytes());
        assert!(read_names(&plain).is_err());
    }
    let mut plain = write_names(&["a".into()]);
    plain[8..16].copy_from_slice(&(1u64 << 35).to_le_bytes());
    assert!(read_names(&plain).is_err());
}

#[test]
fn chunks_that_break_a_rule_are_refused() {
    let good = Chunk {
        rows: 1,
        keys: BlockRef::Object(id(1)),
        row_hashes: id(2),
        counts: None,
        columns: vec![ChunkColumn {
            name: "a".into(),
            block: BlockRef::Inline(column_block(&[Value::Int(5)])),
        }],
    };
    let is_good = |change: &dyn Fn(&mut Chunk)| {
        let mut chunk = good.clone();
        change(&mut chunk);
        Chunk::decode(&wire::to_bytes(&chunk)).is_ok()
    };
    assert!(is_good(&|_| {}));
    assert!(!is_good(&|chunk| chunk.rows = 0));
    assert!(!is_good(&|chunk| chunk.columns.push(chunk.columns[0].clone())));
    assert!(!is_good(&|chunk| chunk.keys = BlockRef::WithValues(id(1))));
    assert!(!is_good(&|chunk| chunk.counts = Some(BlockRef::WithTables(id(1)))));
    assert!(!is_good(&|chunk| chunk.columns[0].block = BlockRef::Inline(vec![2, 0])), "all null");
    let apart = [&[2, 0xB0][..], &5000u64.to_le_bytes(), &[9; 32]].concat();
    assert!(apart.len() <= INLINE_LIMIT);
    assert!(!is_good(&|chunk| chunk.columns[0].block = BlockRef::Inline(apart.clone())));
}

#[test]
fn what_a_hash_only_snapshot_needs_is_told_from_what_a_full_one_needs() {
    let chunk = Chunk {
        rows: 3,
        keys: BlockRef::Object(id(1)),
        row_hashes: id(2),
        counts: Some(BlockRef::Object(id(3))),
        columns: vec![
            ChunkColumn { name: "a".into(), block: BlockRef::Object(id(4)) },
            ChunkColumn { name: "b".into(), block: BlockRef::WithValues(id(5)) },
        ],
    };
    let found = structure::references(Kind::Chunk, &wire::to_bytes(&chunk)).unwrap();
    let parts: Vec<_> = found.iter().map(|r| (r.kind, r.id, r.part)).collect();
    assert_eq!(
        parts,
        [
            (Kind::Keys, id(1), Part::Always),
            (Kind::Counts, id(3), Part::Always),
            (Kind::RowHashes, id(2), Part::RowHashes),
            (Kind::Column, id(4), Part::Values),
            (Kind::ValueColumn, id(5), Part::Values),
        ]
    );
}

/// wincode reads the bytes, and writes the same.
fn mirrored<'a, T>(bytes: &'a [u8])
where
    T: SchemaRead<'a, wincode::config::DefaultConfig, Dst = T>
        + SchemaWrite<wincode::config::DefaultConfig, Src = T>,
{
    let value = wincode::deserialize_exact::<T>(bytes).unwrap();
    assert_eq!(wincode::serialize(&value).unwrap(), bytes);
}

#[test]
fn masks_of_a_state_are_at_its_end_or_not_there() {
    let state = |masks: &[&str]| State {
        engine: "sqlite".to_owned(),
        scope: Scope {
            masks: masks.iter().map(|mask| (*mask).to_owned()).collect(),
            ..Scope::default()
        },
        facts: TreeRoot::EMPTY,
        tables: TreeRoot::EMPTY,
    };
    let plain = state::write_state(&state(&[]));
    let masked = state::write_state(&state(&["t.a"]));
    assert_eq!(masked[..plain.len()], plain, "what is there without masks stays as it was");
    assert_eq!(state::read_state(&masked).unwrap(), state(&["t.a"]));
    let empty = [&plain[..], &[0; 8]].concat();
    for wrong in [
        empty,
        state::write_state(&state(&["t.b", "t.a"])),
        state::write_state(&state(&["t.a", "t.a"])),
        [&masked[..], &[0]].concat(),
        masked[..masked.len() - 1].to_vec(),
    ] {
        state::read_state(&wrong).unwrap_err();
    }
}
