//! Blocks and storage codecs: what was put in comes out, and nothing else gets in.

use deepdiff_db::codec::block::{self, Column, Keys};
use deepdiff_db::codec::{HashAlgorithm, Hasher, Kind, cell, key, stored};
use deepdiff_db::model::{ObjectId, Value};
use proptest::prelude::*;

use crate::codec_samples::{Random, SHAPES, cases, column, column_block, mutate, value};

const TAGS: [u8; 6] = [
    stored::codec::PLAIN,
    stored::codec::ZSTD,
    stored::codec::COLUMN,
    stored::codec::KEYS,
    stored::codec::COUNTS,
    stored::codec::ZEROS,
];

/// What is stored of an object; it decodes to the same plain bytes.
fn round_trip(kind: Kind, plain: &[u8]) -> stored::Stored {
    let stored = stored::encode(kind, plain);
    let again = stored::decode(stored.codec, stored.plain_len, &stored.bytes);
    assert_eq!(again.as_deref(), Ok(plain), "{kind:?} by codec {}", stored.codec);
    assert!(stored.bytes.len() <= plain.len());
    stored
}

fn values_of(column: &Column, rows: usize) -> Vec<Value> {
    (0..rows).map(|row| column.cell(row).value().unwrap()).collect()
}

/// Keys of one shape, ascending.
fn keys(shape: u64, rows: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let hasher = Hasher::new(HashAlgorithm::Blake3);
    let mut keys: Vec<Vec<u8>> = (0..rows as u64)
        .map(|row| {
            let number = random.next();
            let int = |number: u64| Value::Int(number.cast_signed());
            let values = match shape % 9 {
                0 => vec![int(row)],
                1 => vec![int(row * 7 + number % 7)],
                2 => vec![int(number)],
                3 => vec![int(row / 4), int(row % 4)],
                4 => vec![Value::Text(format!("{number:016x}"))],
                5 => vec![Value::Text(format!("customer {}", number % 10_000))],
                6 => vec![Value::Uuid(
                    [number.to_le_bytes(), row.to_be_bytes()].concat().try_into().unwrap(),
                )],
                7 => vec![Value::Text("k".repeat(random.index(1500))), int(row)],
                _ => vec![Value::Null],
            };
            let mut key = Vec::new();
            values.iter().for_each(|value| key::write_component(value.as_ref(), &mut key));
            if shape % 9 == 8 {
                key::write_row_hash(&hasher.id(Kind::Row, &number.to_le_bytes()), &mut key);
            }
            key::finish(&mut key, 0, &hasher);
            key
        })
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

fn key_block(keys: &[Vec<u8>]) -> Vec<u8> {
    let mut plain = Vec::new();
    block::write_keys(keys.iter().map(Vec::as_slice), &mut plain);
    plain
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn columns_of_every_shape_come_back(
        seed in any::<u64>(),
        shape in 0..SHAPES,
        rows in prop_oneof![1..20usize, 100..300usize],
    ) {
        let values = column(shape, rows, &mut Random(seed));
        let plain = column_block(&values);
        round_trip(Kind::Column, &plain);
        let is_null = values.iter().all(Value::is_null);
        match Column::decode(plain, rows) {
            Ok(column) => {
                column.check(rows).unwrap();
                prop_assert_eq!(values_of(&column, rows), values);
            }
            Err(_) => prop_assert!(is_null, "a column of NULLs is left out of its chunk"),
        }
    }

    #[test]
    fn keys_of_every_shape_come_back(
        seed in any::<u64>(),
        shape in 0..9u64,
        rows in prop_oneof![1..20usize, 100..300usize],
    ) {
        let keys = keys(shape, rows, &mut Random(seed));
        let plain = key_block(&keys);
        round_trip(Kind::Keys, &plain);
        let decoded = Keys::decode(plain, keys.len()).unwrap();
        for (row, key) in keys.iter().enumerate() {
            prop_assert_eq!(decoded.key(row), &key[..]);
            prop_assert_eq!(decoded.lower_bound(key), row);
        }
    }

    #[test]
    fn counts_come_back(counts in prop::collection::vec(prop_oneof![1..4u64, 1..u64::MAX], 1..300)) {
        match block::write_counts(&counts) {
            None => prop_assert!(counts.iter().all(|&count| count == 1)),
            Some(plain) => {
                round_trip(Kind::Counts, &plain);
                prop_assert_eq!(block::read_counts(&plain, counts.len()).unwrap(), counts);
            }
        }
    }

    #[test]
    fn any_object_of_any_kind_is_stored(
        kind in 0..Kind::STORED.len(),
        seed in any::<u64>(),
        len in 0..3000usize,
        letters in prop_oneof![Just(1u64), Just(2), Just(40), Just(256)],
    ) {
        let mut random = Random(seed);
        let plain: Vec<u8> = (0..len).map(|_| random.below(letters).to_le_bytes()[0]).collect();
        round_trip(Kind::STORED[kind], &plain);
    }

    /// An object that is not quite what its kind should be is stored all the same, bit by bit: a
    /// storage codec does not judge.
    #[test]
    fn damaged_blocks_are_stored_as_they_are(
        seed in any::<u64>(),
        shape in 0..SHAPES,
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4),
    ) {
        let mut random = Random(seed);
        let mut column = column_block(&column(shape, 60, &mut random));
        let mut keys = key_block(&keys(shape, 60, &mut random));
        for (place, how, byte) in changes {
            // Headers and tags more often than payloads.
            let place = if byte % 2 == 0 { place % 12 } else { place };
            column = mutate(column, place, how, byte);
            keys = mutate(keys, place, how, byte);
        }
        round_trip(Kind::Column, &column);
        round_trip(Kind::Keys, &keys);
        round_trip(Kind::Counts, &keys);
    }
}

proptest! {
    #![proptest_config(cases(5_000))]

    #[test]
    fn a_column_block_that_no_builder_writes_is_refused(
        values in prop::collection::vec(value(), 1..6),
        place in any::<usize>(),
        how in any::<u8>(),
        byte in any::<u8>(),
        rows in 0..7usize,
    ) {
        let plain = mutate(column_block(&values), place, how, byte);
        for rows in [rows, values.len()] {
            let Ok(column) = Column::decode(plain.clone(), rows) else { continue };
            if column.check(rows).is_ok() {
                let is_plain = (0..rows).all(|row| column.cell(row).tag & cell::EXTERNAL == 0);
                if is_plain {
                    prop_assert_eq!(column_block(&values_of(&column, rows)), plain.clone());
                }
            }
        }
        let _ = (block::external_values(&plain), block::table_ids(&plain));
    }

    #[test]
    fn a_key_block_that_nobody_writes_is_refused(
        seed in any::<u64>(),
        shape in 0..9u64,
        rows in 1..6usize,
        place in any::<usize>(),
        how in any::<u8>(),
        byte in any::<u8>(),
    ) {
        let keys = keys(shape, rows, &mut Random(seed));
        let plain = mutate(key_block(&keys), place, how, byte);
        for rows in [keys.len(), keys.len() + 1] {
            if let Ok(decoded) = Keys::decode(plain.clone(), rows) {
                let again: Vec<_> = (0..rows).map(|row| decoded.key(row).to_vec()).collect();
                prop_assert_eq!(key_block(&again), plain.clone());
            }
        }
        if let Ok(counts) = block::read_counts(&plain, plain.len() / 8) {
            prop_assert_eq!(block::write_counts(&counts), Some(plain.clone()));
        }
        if let Ok(pieces) = block::value_pieces(&plain) {
            let len = u64::from_le_bytes(plain[..8].try_into().unwrap());
            prop_assert_eq!(block::write_value_list(len, &pieces), plain);
        }
    }

    /// Whatever lies in a file: an error or as many bytes as promised, and no panic.
    #[test]
    fn stored_bytes_that_were_changed_decode_to_their_length_or_not_at_all(
        seed in any::<u64>(),
        shape in 0..SHAPES,
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4),
        tag in any::<u8>(),
        plain_len in 0..5000u32,
    ) {
        let mut random = Random(seed);
        let rows = 1 + random.index(80);
        let (kind, plain) = match seed % 3 {
            0 => (Kind::Keys, key_block(&keys(shape, rows, &mut random))),
            _ => (Kind::Column, column_block(&column(shape, rows, &mut random))),
        };
        let stored = stored::encode(kind, &plain);
        let mut bytes = stored.bytes;
        for (place, how, byte) in changes {
            bytes = mutate(bytes, if how % 2 == 0 { place % 40 } else { place }, how, byte);
        }
        let other = TAGS[usize::from(tag) % TAGS.len()];
        for (codec, len) in [(stored.codec, stored.plain_len), (stored.codec, plain_len), (other, plain_len)] {
            if let Ok(plain) = stored::decode(codec, len, &bytes) {
                prop_assert_eq!(plain.len(), len as usize);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn any_bytes_decode_to_their_length_or_not_at_all(
        tag in 0..7u8,
        plain_len in prop_oneof![0..200u32, any::<u32>()],
        bytes in prop::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..40),
    ) {
        if let Ok(plain) = stored::decode(tag, plain_len, &bytes) {
            prop_assert_eq!(plain.len(), plain_len as usize);
        }
    }
}

#[test]
fn what_claims_to_be_large_is_refused_before_it_is_made() {
    let largest = u32::try_from(stored::MAX_PLAIN_LEN).unwrap();
    for tag in TAGS {
        assert!(stored::decode(tag, largest + 1, &[0; 100]).is_err());
        assert!(stored::decode(tag, largest, &[0; 100]).is_err(), "codec {tag}");
        assert!(stored::decode(tag, largest, &[]).is_err());
    }
    for tag in 6..=255 {
        assert!(stored::decode(tag, 3, &[1, 2, 3]).is_err());
    }
}

#[test]
fn packed_blocks_are_as_small_as_their_content() {
    let mut random = Random(3);
    let mut bytes_a_row = |shape| {
        let values = column(shape, 255, &mut random);
        round_trip(Kind::Column, &column_block(&values)).bytes.len() * 10 / 255
    };
    // In tenths of a byte, headers included.
    assert!(bytes_a_row(0) <= 1, "numbers in steps");
    assert!(bytes_a_row(4) <= 28, "amounts with two decimals below 10,000");
    assert!(bytes_a_row(10) <= 30, "timestamps");
    assert!(bytes_a_row(11) <= 166, "hexadecimal text of 32 digits");
    assert!(bytes_a_row(8) <= 6, "five words");
    let keys = keys(0, 255, &mut random);
    assert!(round_trip(Kind::Keys, &key_block(&keys)).bytes.len() < 16, "consecutive ids");
}

#[test]
fn hashes_are_not_compressed() {
    let hasher = Hasher::new(HashAlgorithm::Blake3);
    let hashes: Vec<u8> =
        (0..255u64).flat_map(|row| hasher.id(Kind::Row, &row.to_le_bytes()).0).collect();
    assert_eq!(round_trip(Kind::RowHashes, &hashes).codec, stored::codec::PLAIN);
    assert_eq!(round_trip(Kind::Value, &hashes).codec, stored::codec::PLAIN);
    let text = "text that is the same again and again. ".repeat(200);
    let stored = round_trip(Kind::Value, text.as_bytes());
    assert_eq!(stored.codec, stored::codec::ZSTD);
    assert!(stored.bytes.len() < 200);
}

#[test]
fn values_kept_apart_are_references_and_inline_ones_are_not() {
    let id = ObjectId([9; 32]);
    let payload = [&5000u64.to_le_bytes()[..], &id.0].concat();
    let mut builder = block::ColumnBuilder::default();
    builder.push(deepdiff_db::codec::Cell { tag: 0x30 | cell::EXTERNAL, payload: &payload });
    builder.fill_nulls(3);
    assert!(builder.has_external() && !builder.is_all_null());
    let mut plain = Vec::new();
    builder.write(&mut plain);
    assert!(block::refers_to_objects(&plain).unwrap());
    let found = block::external_values(&plain).unwrap();
    assert_eq!((found.len(), found[0].id, found[0].kind), (1, id, Kind::Value));
    round_trip(Kind::ValueColumn, &plain);
}
