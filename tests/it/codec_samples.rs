//! Values, keys and blocks for the tests of the codec.
//!
//! Strategies give values that lie close together (equal prefixes, separators, zero bytes, numbers
//! that differ in their last bit), because that is where encodings go wrong. Blocks are made from a
//! seed: they have hundreds of cells, and a seed is all that is needed to make one again.

use deepdiff_db::codec::block::ColumnBuilder;
use deepdiff_db::codec::{Cell, cell};
use deepdiff_db::model::temporal::{Date, DateTime, Interval, TimeTz};
use deepdiff_db::model::value::FiniteDecimal;
use deepdiff_db::model::{Decimal, Value};
use proptest::prelude::*;
use proptest::sample::select;

#[path = "../../benches/items/random.rs"]
mod random;

pub use random::Random;

/// Configuration of a property test. Seeds are printed where one fails; nothing is written.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

const LETTERS: [char; 16] = [
    '\0',
    '\u{1}',
    '\u{1f}',
    ' ',
    '#',
    ',',
    '|',
    '/',
    'a',
    'b',
    'A',
    '\u{7f}',
    '\u{ff}',
    'é',
    '\u{fffd}',
    '\u{10ffff}',
];

pub fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(select(&LETTERS[..]), 0..5)
        .prop_map(|letters| letters.into_iter().collect())
}

pub fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![select(&[0u8, 1, 2, 0xFE, 0xFF][..]), any::<u8>()], 0..6)
}

pub fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3..4i64,
        any::<i64>(),
        select(&[i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX, 1 << 53, (1 << 53) + 1][..]),
    ]
}

fn float() -> impl Strategy<Value = u64> {
    let special = [0.0, -0.0, 1.0, 0.1, 0.3, 5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    prop_oneof![
        any::<u64>(),
        select(special.to_vec()).prop_map(f64::to_bits),
        select(&[0x7FF8_0000_0000_0001, 0xFFF8_0000_0000_0000, 0x3FB9_9999_9999_999B][..]),
    ]
}

pub fn decimal() -> impl Strategy<Value = Decimal> {
    let digits = prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(9), 0..10u8], 0..7);
    let scale = prop_oneof![0..4u16, Just(7), Just(u16::MAX)];
    let finite = (any::<bool>(), digits, scale).prop_map(|(negative, digits, scale)| {
        Decimal::Finite(FiniteDecimal::new(negative, &digits, scale).unwrap())
    });
    prop_oneof![
        8 => finite,
        1 => select(&[Decimal::NegativeInfinity, Decimal::Infinity, Decimal::NaN][..]),
    ]
}

pub fn date() -> impl Strategy<Value = Date> {
    prop_oneof![
        4 => (prop_oneof![-1..2i32, Just(2024), any::<i32>()], 0..14u8, 0..33u8)
            .prop_map(|(year, month, day)| Date::Fields { year, month, day }),
        1 => select(&[Date::NegativeInfinity, Date::Infinity][..]),
    ]
}

pub fn date_time() -> impl Strategy<Value = DateTime> {
    (date(), integer()).prop_map(|(date, micros)| {
        // An infinite date has no time.
        let micros = if matches!(date, Date::Fields { .. }) { micros } else { 0 };
        DateTime { date, micros }
    })
}

fn time_tz() -> impl Strategy<Value = TimeTz> {
    (integer(), prop_oneof![-2..3i32, any::<i32>()])
        .prop_map(|(micros, offset_seconds)| TimeTz { micros, offset_seconds })
}

fn interval() -> impl Strategy<Value = Interval> {
    (-2..3i32, -31..32i32, integer()).prop_map(|(months, days, micros)| Interval {
        months,
        days,
        micros,
    })
}

/// A value of any kind.
pub fn value() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        integer().prop_map(Value::Int),
        any::<u64>().prop_map(Value::unsigned),
        select(&[u64::MAX, u64::MAX - 1, 1 << 63][..]).prop_map(Value::unsigned),
        decimal().prop_map(Value::Decimal),
        float().prop_map(Value::Float64),
        any::<u32>().prop_map(Value::Float32),
        select(&[0.0f32, -0.0, 0.1, f32::NAN, -f32::NAN][..])
            .prop_map(|float| Value::Float32(float.to_bits())),
        text().prop_map(Value::Text),
        (text(), bytes()).prop_map(|(charset, bytes)| Value::RawText { charset, bytes }),
        bytes().prop_map(Value::Bytes),
        date().prop_map(Value::Date),
        integer().prop_map(Value::Time),
        time_tz().prop_map(Value::TimeTz),
        date_time().prop_map(Value::DateTime),
        date_time().prop_map(Value::Timestamp),
        interval().prop_map(Value::Interval),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        text().prop_map(Value::Json),
        text().prop_map(Value::Other),
    ]
    .boxed()
}

/// Two values, of which every other pair is of one kind.
pub fn two_values() -> impl Strategy<Value = (Value, Value)> {
    let kinds: Vec<BoxedStrategy<(Value, Value)>> = vec![
        (integer(), integer()).prop_map(|(a, b)| (Value::Int(a), Value::Int(b))).boxed(),
        (decimal(), decimal()).prop_map(|(a, b)| (Value::Decimal(a), Value::Decimal(b))).boxed(),
        (float(), float()).prop_map(|(a, b)| (Value::Float64(a), Value::Float64(b))).boxed(),
        (any::<u32>(), any::<u32>())
            .prop_map(|(a, b)| (Value::Float32(a), Value::Float32(b)))
            .boxed(),
        (text(), text()).prop_map(|(a, b)| (Value::Text(a), Value::Text(b))).boxed(),
        (bytes(), bytes()).prop_map(|(a, b)| (Value::Bytes(a), Value::Bytes(b))).boxed(),
        (date_time(), date_time())
            .prop_map(|(a, b)| (Value::Timestamp(a), Value::Timestamp(b)))
            .boxed(),
        (interval(), interval())
            .prop_map(|(a, b)| (Value::Interval(a), Value::Interval(b)))
            .boxed(),
    ];
    prop_oneof![
        (value(), value()),
        value().prop_map(|value| (value.clone(), value)),
        proptest::strategy::Union::new(kinds),
    ]
}

/// Bytes that were changed in one place: replaced, cut, longer, or with two bytes exchanged.
pub fn mutate(mut bytes: Vec<u8>, place: usize, how: u8, byte: u8) -> Vec<u8> {
    if bytes.is_empty() {
        return vec![byte];
    }
    let place = place % bytes.len();
    match how % 6 {
        0 => bytes[place] = byte,
        1 => bytes[place] ^= 1 << (byte % 8),
        2 => bytes.truncate(place),
        3 => bytes.insert(place, byte),
        4 => bytes.push(byte),
        _ => {
            let other = usize::from(byte) % bytes.len();
            bytes.swap(place, other);
        }
    }
    bytes
}

impl Random {
    pub fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }
}

/// What the columns of [`column`] look like.
pub const SHAPES: u64 = 24;

fn shaped_value(shape: u64, row: u64, random: &mut Random) -> Value {
    let cents = random.below(1_000_000);
    let word = ["kettle", "lantern", "", "backpack", "a longer word of these"][random.index(5)];
    match shape {
        0 => Value::Int(row.cast_signed() * 3 + 7),
        1 => Value::Int((row * 5 + random.below(1 << (row % 40))).cast_signed()),
        2 => Value::Int(random.next().cast_signed()),
        3 => Value::unsigned(random.next() | 1 << 63),
        4 => Value::Float64((f64::from(u32::try_from(cents).unwrap()) / 100.0).to_bits()),
        5 => Value::Float64(random.next()),
        6 if cents.is_multiple_of(9) => {
            Value::Float64([f64::NAN, -0.0, 0.1 + 0.2][random.index(3)].to_bits())
        }
        6 => Value::Float64((f64::from(u32::try_from(cents).unwrap()) / 1000.0).to_bits()),
        7 if cents.is_multiple_of(3) => Value::Int(cents.cast_signed()),
        7 => Value::Float64((f64::from(u32::try_from(cents).unwrap()) / 10.0).to_bits()),
        8 => Value::Text(word.to_owned()),
        9 => Value::Text(format!("{word} {cents} of {row}")),
        10 => {
            Value::Text(format!("2026-{:02}-{:02} 12:{:02}:00", cents % 12 + 1, row % 28, row % 60))
        }
        11 => Value::Text(format!("{:016x}-{:016x}", random.next(), random.next())),
        12 if random.below(2) == 0 => Value::Null,
        12 => Value::Text(format!("{{\"a\":{cents},\"b\":\"{word}\"}}")),
        13 => [Value::Null, Value::Bool(true), Value::Bool(false)][random.index(3)].clone(),
        14 => Value::Bytes(random.bytes(32)),
        15 => {
            let len = random.index(200);
            Value::Bytes(random.bytes(len))
        }
        16 => Value::Uuid(random.bytes(16).try_into().unwrap()),
        17 => Value::Date(Date::Fields {
            year: 2000 + (row % 30) as i32,
            month: 5,
            day: (row % 28) as u8,
        }),
        18 => Value::Timestamp(DateTime {
            date: Date::Fields { year: 2026, month: 1, day: (row % 28) as u8 },
            micros: cents.cast_signed() * 1_000_000,
        }),
        19 => Value::Decimal(Decimal::Finite(
            FiniteDecimal::new(
                false,
                &cents.to_string().bytes().map(|d| d - b'0').collect::<Vec<_>>(),
                2,
            )
            .unwrap(),
        )),
        20 => Value::Json(word.repeat(random.index(30))),
        21 => Value::Float32(u32::try_from(random.next() >> 32).unwrap()),
        22 => Value::Text("x".repeat(random.index(4097))),
        _ => [
            Value::Null,
            Value::Int(row.cast_signed()),
            Value::Text(word.to_owned()),
            Value::Bytes(vec![0; 3]),
            Value::Float64(1.5f64.to_bits()),
            Value::Bool(true),
            Value::Uuid([7; 16]),
        ][random.index(7)]
        .clone(),
    }
}

/// The values of a column of one shape.
pub fn column(shape: u64, rows: usize, random: &mut Random) -> Vec<Value> {
    (0..rows as u64).map(|row| shaped_value(shape % SHAPES, row, random)).collect()
}

/// The plain bytes of the block of these values.
pub fn column_block(values: &[Value]) -> Vec<u8> {
    let mut builder = ColumnBuilder::default();
    let mut payload = Vec::new();
    for value in values {
        payload.clear();
        cell::write_payload(value.as_ref(), &mut payload);
        builder.push(Cell { tag: cell::tag_of(value.as_ref()), payload: &payload });
    }
    let mut plain = Vec::new();
    builder.write(&mut plain);
    plain
}
