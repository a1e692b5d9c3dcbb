//! Rows: one preimage and one hash for one content, and for no other.
//!
//! Cases Q01, Q02, Q06, Q08, Q09, Q15, Q20, at the level of encodings.

use std::collections::HashMap;

use deepdiff_db::codec::row::{LargeValues, RowBatch, RowEncoder, RowLayout};
use deepdiff_db::codec::{HashAlgorithm, Hasher, Kind, cell, key};
use deepdiff_db::model::temporal::Interval;
use deepdiff_db::model::{
    ColumnSpec, Flow, KeyColumn, KeyMatching, ObjectId, ObjectName, RowKey, RowKeySource, RowSink,
    SinkError, TableSpec, Value,
};
use proptest::prelude::*;

use crate::codec_samples::{Random, cases, text, value};

struct KeptApart<'h> {
    hasher: &'h Hasher,
    payloads: Vec<Vec<u8>>,
}

impl LargeValues for KeptApart<'_> {
    fn put(&mut self, payload: &[u8]) -> Result<ObjectId, SinkError> {
        self.payloads.push(payload.to_vec());
        Ok(self.hasher.id(Kind::Value, payload))
    }
}

fn table(columns: &[&str], key: &[&str], may_be_null: bool) -> TableSpec {
    let column = |name: &&str| ColumnSpec {
        name: (*name).to_owned(),
        declared_type: String::new(),
        default: Value::Null,
    };
    let key_column =
        |name: &&str| KeyColumn { name: (*name).to_owned(), matching: KeyMatching::Binary };
    TableSpec {
        name: ObjectName::bare("t"),
        columns: columns.iter().map(column).collect(),
        key: if key.is_empty() {
            RowKey::RowHash
        } else {
            RowKey::Columns {
                columns: key.iter().map(key_column).collect(),
                source: RowKeySource::PrimaryKey,
                may_be_null,
            }
        },
        reads_in_key_order: false,
        column_order: Vec::new(),
    }
}

/// Rows encoded under a layout: batches of the limit.
fn encode(spec: &TableSpec, rows: &[Vec<Value>], limit: usize) -> Result<Vec<RowBatch>, SinkError> {
    let hasher = Hasher::new(HashAlgorithm::Blake3);
    let layout = RowLayout::new(spec)?;
    let mut batches = Vec::new();
    let large = KeptApart { hasher: &hasher, payloads: Vec::new() };
    let mut encoder = RowEncoder::new(&layout, &hasher, large, limit, |batch| {
        batches.push(batch);
        Ok((RowBatch::default(), Flow::Continue))
    });
    for row in rows {
        for value in row {
            encoder.cell(value.as_ref())?;
        }
        encoder.end_row()?;
    }
    encoder.finish()?;
    Ok(batches)
}

fn preimage(columns: &[&str], row: &[Value]) -> Vec<u8> {
    let batches = encode(&table(columns, &[], false), &[row.to_vec()], 1).unwrap();
    batches[0].row(0).preimage.to_vec()
}

/// What a row says: its non-null cells by name.
fn content<'a>(columns: &[&'a str], row: &'a [Value]) -> Vec<(&'a str, &'a Value)> {
    columns.iter().copied().zip(row).filter(|(_, value)| !value.is_null()).collect()
}

const NAMES: [[&str; 3]; 4] =
    [["a", "ab", "b"], ["a", "b", "c"], ["", "a", "a\0b"], ["a", "c", "d"]];

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn a_preimage_is_its_row_and_no_other(
        left in (0..4usize, prop::collection::vec(value(), 3)),
        right in (0..4usize, prop::collection::vec(value(), 3)),
        same in prop::collection::vec(any::<bool>(), 3),
    ) {
        let mut right = right;
        for (at, same) in same.iter().enumerate() {
            if *same {
                right.1[at] = left.1[at].clone();
            }
        }
        let (names, other_names) = (NAMES[left.0], NAMES[right.0]);
        let is_same = content(&names, &left.1) == content(&other_names, &right.1);
        prop_assert_eq!(preimage(&names, &left.1) == preimage(&other_names, &right.1), is_same);
    }

    /// Q02: what one cell ends with and the next begins with can be exchanged, and is not.
    #[test]
    fn q02_separators_shift_nothing(parts in prop::collection::vec(text(), 3), cut in 0..3usize) {
        let whole = parts.concat();
        let at = whole.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(whole.len());
        let shifted = (&whole[..at], &whole[at..]);
        let original = (parts[0].as_str(), &whole[parts[0].len()..]);
        let row = |(a, b): (&str, &str)| {
            preimage(&["a", "b"], &[Value::Text(a.to_owned()), Value::Text(b.to_owned())])
        };
        prop_assert_eq!(row(original) == row(shifted), original == shifted);
    }

    #[test]
    fn cells_of_a_row_come_back(row in prop::collection::vec(value(), 3), names in 0..4usize) {
        let spec = table(&NAMES[names], &[], false);
        let layout = RowLayout::new(&spec).unwrap();
        let batches = encode(&spec, std::slice::from_ref(&row), 1).unwrap();
        let encoded = batches[0].row(0);
        let mut again = vec![Value::Null; 3];
        for cell in layout.cells(encoded.preimage) {
            let (column, cell) = cell.unwrap();
            again[column] = cell.value().unwrap();
        }
        prop_assert_eq!(again, row);
        prop_assert_eq!(key::decode(encoded.key).unwrap().row_hash,
            Some(batches[0].hash_row(0, &Hasher::new(HashAlgorithm::Blake3))));
    }
}

/// Q20: of a million pairs of small rows, those that are equal, and no others, have equal
/// preimages.
#[test]
fn q20_a_million_rows_do_not_collide() {
    let mut random = Random(20);
    let names = ["a", "ab", "b"];
    let spec = table(&names, &[], false);
    let layout = RowLayout::new(&spec).unwrap();
    let hasher = Hasher::new(HashAlgorithm::Sha256);
    let words = ["", "a", "b", "ab", "a|b", "NULL", "1", "1.0", "\0", "b\0"];
    let make = |random: &mut Random| match random.below(8) {
        0 => Value::Null,
        1 => Value::Int(random.below(3).cast_signed()),
        2 => Value::Float64([0.0f64, -0.0, 1.0, 2.0][random.index(4)].to_bits()),
        3 => Value::Bytes(words[random.index(10)].as_bytes().to_vec()),
        4 => Value::Bool(random.below(2) == 1),
        _ => Value::Text(words[random.index(10)].to_owned()),
    };
    // Rows that were seen, by a number that tells all rows of this test apart.
    let mut seen: HashMap<Vec<u8>, Vec<Value>> = HashMap::new();
    let mut collisions = 0u32;
    let mut kept = Vec::new();
    for _ in 0..10 {
        let rows: Vec<Vec<Value>> =
            (0..100_000).map(|_| names.iter().map(|_| make(&mut random)).collect()).collect();
        let large = KeptApart { hasher: &hasher, payloads: Vec::new() };
        let mut encoder = RowEncoder::new(&layout, &hasher, large, usize::MAX, |batch| {
            kept.push(batch);
            Ok((RowBatch::default(), Flow::Continue))
        });
        for row in &rows {
            row.iter().for_each(|value| encoder.cell(value.as_ref()).unwrap());
            encoder.end_row().unwrap();
        }
        encoder.finish().unwrap();
        let batch = kept.pop().unwrap();
        for (index, row) in rows.into_iter().enumerate() {
            let preimage = batch.row(index).preimage;
            match seen.get(preimage) {
                Some(other) => {
                    assert_eq!(*other, row);
                    collisions += 1;
                }
                None => {
                    seen.insert(preimage.to_vec(), row);
                }
            }
        }
    }
    // One preimage a row was shown above; one row a preimage: as many rows as preimages.
    let mut rows: Vec<String> = seen.values().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), seen.len());
    assert!(collisions > 100_000, "equal rows are part of the test: {collisions}");
}

#[test]
fn q01_null_is_no_other_value() {
    let sentinels = ["", " ", "NULL", "<null>", "DEFAULT_REPLACEMENT_STRING", "\\N"];
    let null = preimage(&["a"], &[Value::Null]);
    for sentinel in sentinels {
        assert_ne!(preimage(&["a"], &[Value::Text(sentinel.to_owned())]), null);
    }
    let left = preimage(&["a", "b"], &[Value::Null, Value::Text("x".into())]);
    let right = preimage(&["a", "b"], &[Value::Text("x".into()), Value::Null]);
    assert_ne!(left, right);
}

#[test]
fn q06_q08_q09_q15_what_looks_alike_is_different() {
    let texts = ["x", "x ", " x", "x\t", "x\n", "x\r\n", "\u{e9}", "e\u{301}", "X"];
    let interval = |months, days, micros| Value::Interval(Interval { months, days, micros });
    let mut values: Vec<Value> = texts.iter().map(|text| Value::Text((*text).into())).collect();
    values.extend([
        Value::Int(1),
        Value::Text("1".into()),
        Value::Float64(1f64.to_bits()),
        Value::Float32(1f32.to_bits()),
        Value::Bytes(b"1".to_vec()),
        Value::Bool(true),
        Value::Json("1".into()),
        Value::Other("1".into()),
        Value::Int(9_007_199_254_740_992),
        Value::Int(9_007_199_254_740_993),
        Value::Int(i64::MIN),
        Value::Int(i64::MAX),
        Value::unsigned(u64::MAX),
        interval(1, 0, 0),
        interval(0, 30, 0),
        interval(0, 0, 30 * 86_400_000_000),
    ]);
    for (index, value) in values.iter().enumerate() {
        for other in &values[index + 1..] {
            let row = |value: &Value| preimage(&["a"], std::slice::from_ref(value));
            assert_ne!(row(value), row(other), "{value:?} and {other:?}");
        }
    }
}

#[test]
fn a_column_that_is_null_changes_no_row() {
    let narrow = preimage(&["a", "c"], &[Value::Int(1), Value::Int(2)]);
    let wide = preimage(&["a", "b", "c"], &[Value::Int(1), Value::Null, Value::Int(2)]);
    assert_eq!(narrow, wide);
}

#[test]
fn values_above_four_kib_enter_by_their_id() {
    let spec = table(&["a"], &[], false);
    let layout = RowLayout::new(&spec).unwrap();
    let hasher = Hasher::new(HashAlgorithm::Blake3);
    for (len, is_apart) in [(cell::EXTERNAL_ABOVE, false), (cell::EXTERNAL_ABOVE + 1, true)] {
        for value in [Value::Bytes(vec![7; len]), Value::Text("a".repeat(len))] {
            let mut batches = Vec::new();
            let large = KeptApart { hasher: &hasher, payloads: Vec::new() };
            let mut encoder = RowEncoder::new(&layout, &hasher, large, 1, |batch| {
                batches.push(batch);
                Ok((RowBatch::default(), Flow::Continue))
            });
            encoder.cell(value.as_ref()).unwrap();
            encoder.end_row().unwrap();
            let large = encoder.finish().unwrap();
            let mut payload = Vec::new();
            cell::write_payload(value.as_ref(), &mut payload);
            let (_, cell) = layout.cells(batches[0].row(0).preimage).next().unwrap().unwrap();
            if is_apart {
                assert_eq!(large.payloads, [payload.clone()]);
                let apart = cell.external().unwrap().unwrap();
                assert_eq!((apart.kind, apart.len), (Kind::Value, len as u64));
                assert_eq!(apart.id, hasher.id(Kind::Value, &payload));
                assert_eq!(apart.tag, cell::tag_of(value.as_ref()));
                assert!(cell.value().is_err());
            } else {
                assert!(large.payloads.is_empty());
                assert_eq!(cell.value().unwrap(), value);
            }
        }
    }
}

#[test]
fn keys_of_rows_follow_the_key_and_not_the_columns() {
    let spec = table(&["a", "b", "c"], &["c", "a"], true);
    let rows = [
        vec![Value::Int(1), Value::Int(2), Value::Int(3)],
        vec![Value::Null, Value::Int(2), Value::Int(3)],
    ];
    let batches = encode(&spec, &rows, usize::MAX).unwrap();
    let whole = key::decode(batches[0].row(0).key).unwrap();
    assert_eq!((whole.values, whole.row_hash), (vec![Value::Int(3), Value::Int(1)], None));
    let with_null = key::decode(batches[0].row(1).key).unwrap();
    let hash = batches[0].hash_row(1, &Hasher::new(HashAlgorithm::Blake3));
    assert_eq!(with_null.values, [Value::Int(3), Value::Null]);
    assert_eq!(with_null.row_hash, Some(hash));
}

#[test]
fn rows_that_do_not_fit_their_table_are_refused() {
    let spec = table(&["a", "b"], &["a"], false);
    let int = || Value::Int(1);
    assert!(encode(&spec, &[vec![int(), int(), int()]], 1).is_err());
    assert!(encode(&spec, &[vec![int()]], 1).is_err());
    assert!(encode(&spec, &[vec![Value::Null, int()]], 1).is_err());
    let no_column = table(&["a"], &["b"], false);
    assert!(RowLayout::new(&no_column).is_err());
    let long = "x".repeat(65_536);
    assert!(RowLayout::new(&table(&[&long], &[], false)).is_err());
    let layout = RowLayout::new(&spec).unwrap();
    assert!(layout.cells(b"\x01\x00a\x10\x09\x00").any(|cell| cell.is_err()));
    assert!(layout.cells(b"\x01\x00x\x00\x00\x00").any(|cell| cell.is_err()));
}
