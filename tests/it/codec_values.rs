//! Cells and keys: injective, in order, strict.

use std::cmp::Ordering;

use deepdiff_db::codec::key::DecodedKey;
use deepdiff_db::codec::{HashAlgorithm, Hasher, cell, key};
use deepdiff_db::model::{Decimal, ObjectId, Value};
use proptest::prelude::*;

use crate::codec_samples::{bytes, cases, decimal, mutate, text, two_values, value};

fn cell_bytes(value: &Value) -> Vec<u8> {
    let mut out = vec![cell::tag_of(value.as_ref())];
    cell::write_payload(value.as_ref(), &mut out);
    out
}

fn key_bytes(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| key::write_component(value.as_ref(), &mut out));
    out
}

/// The order of values, worked out on the values and not on their encodings.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) | (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::UInt(a), Value::UInt(b)) => a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => compare_decimals(a, b),
        (Value::Float32(a), Value::Float32(b)) => f32::from_bits(*a).total_cmp(&f32::from_bits(*b)),
        (Value::Float64(a), Value::Float64(b)) => f64::from_bits(*a).total_cmp(&f64::from_bits(*b)),
        (Value::Text(a), Value::Text(b))
        | (Value::Json(a), Value::Json(b))
        | (Value::Other(a), Value::Other(b)) => a.cmp(b),
        (Value::RawText { charset, bytes }, Value::RawText { charset: other, bytes: others }) => {
            (charset, bytes).cmp(&(other, others))
        }
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::TimeTz(a), Value::TimeTz(b)) => a.cmp(b),
        (Value::DateTime(a), Value::DateTime(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => {
            a.cmp(b)
        }
        (Value::Interval(a), Value::Interval(b)) => a.cmp(b),
        (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
        (a, b) => kind(a).cmp(&kind(b)),
    }
}

fn kind(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::UInt(_) => 3,
        Value::Decimal(_) => 4,
        Value::Float32(_) => 5,
        Value::Float64(_) => 6,
        Value::Text(_) => 7,
        Value::RawText { .. } => 8,
        Value::Bytes(_) => 9,
        Value::Date(_) => 10,
        Value::Time(_) => 11,
        Value::TimeTz(_) => 12,
        Value::DateTime(_) => 13,
        Value::Timestamp(_) => 14,
        Value::Interval(_) => 15,
        Value::Uuid(_) => 16,
        Value::Json(_) => 17,
        Value::Other(_) => 18,
    }
}

/// By value, then by scale: written out with as many digits before and after the point.
fn compare_decimals(a: &Decimal, b: &Decimal) -> Ordering {
    let class = |decimal: &Decimal| match decimal {
        Decimal::NegativeInfinity => 0,
        Decimal::Finite(_) => 1,
        Decimal::Infinity => 2,
        Decimal::NaN => 3,
    };
    let (Decimal::Finite(a), Decimal::Finite(b)) = (a, b) else {
        return class(a).cmp(&class(b));
    };
    let scale = usize::from(a.scale().max(b.scale()));
    let written = |number: &deepdiff_db::model::value::FiniteDecimal| {
        let mut digits = number.digits().to_vec();
        digits.resize(digits.len() + scale - usize::from(number.scale()), 0);
        let first = digits.iter().position(|&digit| digit != 0).unwrap_or(digits.len());
        digits.split_off(first)
    };
    let size = |digits: &Vec<u8>, other: &Vec<u8>| {
        digits.len().cmp(&other.len()).then_with(|| digits.cmp(other))
    };
    let (left, right) = (written(a), written(b));
    let by_value = match (a.is_negative(), b.is_negative()) {
        (false, false) => size(&left, &right),
        (true, true) => size(&right, &left),
        (left, right) => right.cmp(&left),
    };
    by_value.then_with(|| a.scale().cmp(&b.scale()))
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn a_cell_is_its_value_and_no_other(pair in two_values()) {
        let (a, b) = (cell_bytes(&pair.0), cell_bytes(&pair.1));
        prop_assert_eq!(a == b, pair.0 == pair.1);
        prop_assert_eq!(&cell::read_value(a[0], &a[1..]).unwrap(), &pair.0);
    }

    #[test]
    fn the_order_of_keys_is_the_order_of_their_bytes(pair in two_values()) {
        let key = |value| key_bytes(std::slice::from_ref(value));
        let (a, b) = (key(&pair.0), key(&pair.1));
        prop_assert_eq!(a.cmp(&b), compare(&pair.0, &pair.1));
        prop_assert_eq!(a == b, pair.0 == pair.1);
        prop_assert!(a == b || !(a.starts_with(&b) || b.starts_with(&a)), "a key within a key");
        prop_assert_eq!(key::decode(&a).unwrap().values, vec![pair.0]);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn keys_of_several_columns_sort_by_their_first_difference(
        pairs in prop::collection::vec(two_values(), 1..4),
    ) {
        let (a, b): (Vec<Value>, Vec<Value>) = pairs.into_iter().unzip();
        let by_columns = a.iter().zip(&b).map(|(a, b)| compare(a, b));
        let expected = by_columns.fold(Ordering::Equal, Ordering::then);
        prop_assert_eq!(key_bytes(&a).cmp(&key_bytes(&b)), expected);
        prop_assert_eq!(key::decode(&key_bytes(&a)).unwrap().values, a);
    }

    #[test]
    fn decimals_sort_by_value_then_scale(a in decimal(), b in decimal()) {
        let expected = compare_decimals(&a, &b);
        let (a, b) = (Value::Decimal(a), Value::Decimal(b));
        prop_assert_eq!(key_bytes(&[a]).cmp(&key_bytes(&[b])), expected);
    }

    #[test]
    fn texts_with_zeros_and_separators_stay_apart(
        a in (text(), text(), bytes()),
        b in (text(), text(), bytes()),
    ) {
        let key = |(first, second, third): &(String, String, Vec<u8>)| {
            key_bytes(&[
                Value::Text(first.clone()),
                Value::Other(second.clone()),
                Value::Bytes(third.clone()),
            ])
        };
        prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
    }

    #[test]
    fn a_cell_that_no_value_has_is_refused(
        original in value(),
        place in any::<usize>(),
        how in any::<u8>(),
        byte in any::<u8>(),
    ) {
        let bytes = mutate(cell_bytes(&original), place, how, byte);
        let value = bytes.split_first().map(|(&tag, payload)| cell::read_value(tag, payload));
        if let Some(Ok(value)) = value {
            prop_assert_eq!(cell_bytes(&value), bytes);
        }
    }

    #[test]
    fn a_key_that_no_row_has_is_refused(
        original in prop::collection::vec(value(), 1..3),
        place in any::<usize>(),
        how in any::<u8>(),
        byte in any::<u8>(),
    ) {
        let bytes = mutate(key_bytes(&original), place, how, byte);
        if let Ok(decoded) = key::decode(&bytes) {
            let mut again = key_bytes(&decoded.values);
            if let Some(hash) = decoded.row_hash {
                key::write_row_hash(&hash, &mut again);
            }
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_cell_and_a_key_or_an_error(
        tag in any::<u8>(),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let known = [0u8, 8, 16, 17, 24, 32, 33, 48, 49, 56, 64, 65, 66, 67, 68, 72, 80, 88, 96];
        for tag in [tag, known[usize::from(tag) % known.len()]] {
            if let Ok(value) = cell::read_value(tag, &bytes) {
                let mut payload = Vec::new();
                cell::write_payload(value.as_ref(), &mut payload);
                prop_assert_eq!((cell::tag_of(value.as_ref()), &payload), (tag, &bytes));
            }
            let key = [&[tag][..], &bytes].concat();
            if let Ok(DecodedKey { values, row_hash: None }) = key::decode(&key) {
                prop_assert_eq!(key_bytes(&values), key);
            }
        }
    }
}

#[test]
fn long_keys_are_cut_and_stay_apart() {
    let hasher = Hasher::new(HashAlgorithm::Blake3);
    let cut = |text: String| {
        let mut out = vec![1, 2, 3];
        key::write_component(Value::Text(text).as_ref(), &mut out);
        key::finish(&mut out, 3, &hasher);
        out.split_off(3)
    };
    let longest_whole = cut("a".repeat(key::LONG_KEY - 3));
    assert_eq!((longest_whole.len(), key::is_cut(&longest_whole)), (key::LONG_KEY, false));
    assert!(key::decode(&longest_whole).is_ok());
    let (a, b) = (cut("a".repeat(2000)), cut("a".repeat(2001)));
    assert_eq!((a.len(), b.len()), (key::CUT_KEY, key::CUT_KEY));
    assert_eq!(a[..key::LONG_KEY], b[..key::LONG_KEY]);
    assert_ne!(a, b);
    assert!(key::is_cut(&a) && key::decode(&a).is_err());
}

#[test]
fn a_row_hash_ends_a_key() {
    let hash = ObjectId([7; 32]);
    let mut bytes = key_bytes(&[Value::Null, Value::Int(5)]);
    key::write_row_hash(&hash, &mut bytes);
    let decoded = key::decode(&bytes).unwrap();
    assert_eq!(decoded.values, [Value::Null, Value::Int(5)]);
    assert_eq!(decoded.row_hash, Some(hash));
    bytes.push(0);
    assert!(key::decode(&bytes).is_err());
}
