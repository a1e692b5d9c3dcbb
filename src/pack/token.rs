//! When two rows collide in a unique key, and which row a foreign key refers to.
//!
//! A token is a hash of a key's values, folded so that values the database takes for the same give
//! the same token: numbers by their value, text by the key's collation, foreign keys by the
//! affinity of the parent's column. Two values with one token by chance add an order that was not
//! needed; they never lose one.

use unicode_normalization::UnicodeNormalization as _;
use xxhash_rust::xxh3::Xxh3;

use crate::diff::CellValue;
use crate::model::{Decimal, KeyMatching, Value};

/// A folded key value.
pub type Token = u64;

/// The affinity by which a value is converted before it is compared with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// None.
    AsIs,
    /// Text that looks like a number becomes one.
    ToNumber,
    /// A number becomes text.
    ToText,
}

/// How a column of a key is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folding {
    /// The collation's equality.
    pub matching: KeyMatching,
    /// The conversion.
    pub conversion: Conversion,
    /// How many characters, or bytes, count, where not all do.
    pub prefix: Option<usize>,
}

impl Folding {
    /// By bytes, all of them.
    pub fn exact() -> Folding {
        Folding { matching: KeyMatching::Binary, conversion: Conversion::AsIs, prefix: None }
    }
}

/// What NULL is under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// It never collides and refers to nothing.
    Distinct,
    /// It is a value like others.
    Collide,
}

/// The token of these values under a key, `None` where one of them is NULL and collides with
/// nothing. `salt` tells the keys of a database apart.
pub fn token<'v>(
    salt: u64,
    nulls: Nulls,
    values: impl Iterator<Item = (&'v CellValue, Folding)>,
) -> Option<Token> {
    let mut hash = Xxh3::with_seed(salt);
    for (value, folding) in values {
        match value {
            CellValue::Here(Value::Null) if nulls == Nulls::Collide => hash.update(&[0]),
            CellValue::Here(value) => fold(value, folding, &mut hash)?,
            // Columns under a key have none.
            CellValue::Apart(value) => fold_bytes(value.tag, &value.id.0, &mut hash),
        }
    }
    Some(hash.digest())
}

fn fold(value: &Value, folding: Folding, hash: &mut Xxh3) -> Option<()> {
    match value {
        Value::Null => return None,
        Value::Int(number) if folding.conversion == Conversion::ToText => {
            fold_text(&number.to_string(), folding, hash);
        }
        Value::Int(number) => fold_int(*number, hash),
        Value::UInt(number) => match i64::try_from(*number) {
            Ok(number) => fold_int(number, hash),
            Err(_) => fold_bytes(7, &number.to_le_bytes(), hash),
        },
        Value::Decimal(decimal) => fold_decimal(decimal, hash),
        Value::Float32(bits) => fold_float(f64::from(f32::from_bits(*bits)), hash),
        Value::Float64(bits) => fold_float(f64::from_bits(*bits), hash),
        Value::Text(text) | Value::Other(text) => match number_in(text, folding.conversion) {
            Some(Number::Int(number)) => fold_int(number, hash),
            Some(Number::Float(number)) => fold_float(number, hash),
            None => fold_text(text, folding, hash),
        },
        Value::Bytes(bytes) => fold_bytes(3, &bytes[..shown(bytes.len(), folding)], hash),
        // Of a charset that is not known here: only its plain consonants and digits are sure.
        Value::RawText { bytes, .. } => {
            let bytes = &bytes[..shown(bytes.len(), folding)];
            let is_sure = |b: &u8| b.is_ascii_alphanumeric() && !b"aeiouy".contains(b);
            match folding.matching {
                KeyMatching::Binary => fold_bytes(4, bytes, hash),
                _ => {
                    let lower = bytes.iter().map(u8::to_ascii_lowercase);
                    fold_bytes(4, &lower.filter(is_sure).collect::<Vec<u8>>(), hash);
                }
            }
        }
        // Equal values fold alike.
        other => fold_bytes(5, format!("{other:?}").as_bytes(), hash),
    }
    Some(())
}

enum Number {
    Int(i64),
    Float(f64),
}

fn number_in(text: &str, conversion: Conversion) -> Option<Number> {
    if conversion != Conversion::ToNumber {
        return None;
    }
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let starts = trimmed.trim_start_matches(['+', '-']);
    if !starts.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match trimmed.parse() {
        Ok(number) => Some(Number::Int(number)),
        Err(_) => trimmed.parse().ok().map(Number::Float),
    }
}

fn fold_int(number: i64, hash: &mut Xxh3) {
    hash.update(&[1]);
    hash.update(&number.to_le_bytes());
}

/// Floats that are whole and within 64 bits fold as integers; others by their bits.
fn fold_float(number: f64, hash: &mut Xxh3) {
    match whole(number) {
        Some(whole) => fold_int(whole, hash),
        None => {
            hash.update(&[2]);
            hash.update(&number.to_bits().to_le_bytes());
        }
    }
}

/// The integer that this float is exactly, read from its bits so that nothing is rounded.
fn whole(number: f64) -> Option<i64> {
    if number == 0.0 {
        return Some(0);
    }
    let bits = number.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).ok()? - 1075;
    let mantissa = i128::from((bits & ((1 << 52) - 1)) | (1 << 52));
    let size = match exponent {
        0..=11 => mantissa << exponent,
        -52..=-1 if mantissa.trailing_zeros() >= exponent.unsigned_abs() => {
            mantissa >> exponent.unsigned_abs()
        }
        _ => return None,
    };
    i64::try_from(if number < 0.0 { -size } else { size }).ok()
}

/// Numbers are the same by value, whatever their scale.
fn fold_decimal(decimal: &Decimal, hash: &mut Xxh3) {
    let Decimal::Finite(number) = decimal else {
        return fold_bytes(8, format!("{decimal:?}").as_bytes(), hash);
    };
    let (mut digits, mut scale) = (number.digits(), i64::from(number.scale()));
    while let Some((0, front)) = digits.split_last() {
        (digits, scale) = (front, scale - 1);
    }
    if digits.is_empty() {
        return fold_int(0, hash);
    }
    let zeros = usize::try_from(-scale).unwrap_or(0);
    let mut text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    if scale <= 0 && digits.len() + zeros < 20 {
        text.push_str(&"0".repeat(zeros));
        let sign = if number.is_negative() { "-" } else { "" };
        if let Ok(whole) = format!("{sign}{text}").parse() {
            return fold_int(whole, hash);
        }
    }
    fold_bytes(8, format!("{}{text}e{}", number.is_negative(), -scale).as_bytes(), hash);
}

fn fold_text(text: &str, folding: Folding, hash: &mut Xxh3) {
    let text = match folding.prefix.and_then(|length| text.char_indices().nth(length)) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    match folding.matching {
        KeyMatching::AsciiNoCase => fold_bytes(6, text.to_ascii_lowercase().as_bytes(), hash),
        KeyMatching::TrailingSpaces => fold_bytes(6, text.trim_end_matches(' ').as_bytes(), hash),
        KeyMatching::Binary => fold_bytes(6, text.as_bytes(), hash),
        KeyMatching::Unknown => fold_bytes(6, coarse(text).as_bytes(), hash),
    }
}

/// What is left of a text where case, accents, width and spaces count for nothing, and a repeated
/// letter as one: whatever a collation of a language takes for the same, as far as is known.
fn coarse(text: &str) -> String {
    let mut folded: String = String::with_capacity(text.len());
    let letters = text.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    for letter in letters.filter(|c| c.is_alphanumeric()) {
        if !folded.ends_with(letter) {
            folded.push(letter);
        }
    }
    folded
}

fn shown(length: usize, folding: Folding) -> usize {
    folding.prefix.map_or(length, |prefix| prefix.min(length))
}

fn fold_bytes(kind: u8, bytes: &[u8], hash: &mut Xxh3) {
    hash.update(&[kind]);
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &Value, matching: KeyMatching, conversion: Conversion) -> Option<Token> {
        let value = CellValue::Here(value.clone());
        let folding = Folding { matching, conversion, prefix: None };
        token(0, Nulls::Distinct, [(&value, folding)].into_iter())
    }

    #[test]
    fn numbers_are_the_same_by_value() {
        let fold = |value| one(&value, KeyMatching::Binary, Conversion::AsIs);
        let float = |f: f64| Value::Float64(f.to_bits());
        assert_eq!(fold(Value::Int(1)), fold(float(1.0)));
        assert_eq!(fold(Value::Int(0)), fold(float(-0.0)));
        assert_eq!(fold(Value::Int(i64::MIN)), fold(float(-9_223_372_036_854_775_808.0)));
        assert_eq!(fold(Value::Int(1 << 60)), fold(float(1_152_921_504_606_846_976.0)));
        assert_ne!(fold(Value::Int(i64::MAX)), fold(float(9_223_372_036_854_775_808.0)));
        assert_ne!(fold(Value::Int(1)), fold(float(1.5)));
        assert_ne!(fold(Value::Int(1)), fold(Value::Text("1".into())));
        assert_ne!(fold(Value::Text("1".into())), fold(Value::Bytes(b"1".to_vec())));
        assert_eq!(fold(Value::Null), None);
    }

    #[test]
    fn text_is_the_same_by_collation() {
        let fold =
            |text: &str, matching| one(&Value::Text(text.into()), matching, Conversion::AsIs);
        assert_eq!(fold("Foo", KeyMatching::AsciiNoCase), fold("fOO", KeyMatching::AsciiNoCase));
        assert_ne!(fold("É", KeyMatching::AsciiNoCase), fold("é", KeyMatching::AsciiNoCase));
        let spaces = KeyMatching::TrailingSpaces;
        assert_eq!(fold("a  ", spaces), fold("a", spaces));
        assert_ne!(fold("a", KeyMatching::Binary), fold("A", KeyMatching::Binary));
    }

    #[test]
    fn what_a_collation_may_take_for_the_same_folds_alike() {
        let fold = |text: &str| {
            let value = Value::Text(text.into());
            one(&value, KeyMatching::Unknown, Conversion::AsIs)
        };
        for same in ["Strasse", "STRASSE", "Straße", "strase", "Strás-se  "] {
            assert_eq!(fold(same), fold("strasse"), "{same}");
        }
        assert_ne!(fold("strasse"), fold("strafe"));
    }

    #[test]
    fn decimals_are_the_same_by_value() {
        let fold = |digits: &[u8], scale| {
            let number = crate::model::value::FiniteDecimal::new(false, digits, scale).unwrap();
            one(&Value::Decimal(Decimal::Finite(number)), KeyMatching::Binary, Conversion::AsIs)
        };
        let int = |n| one(&Value::Int(n), KeyMatching::Binary, Conversion::AsIs);
        assert_eq!(fold(&[1, 0, 0], 2), int(1));
        assert_eq!(fold(&[1, 0, 0], 0), int(100));
        assert_eq!(fold(&[], 2), int(0));
        assert_eq!(fold(&[1, 5, 0], 2), fold(&[1, 5], 1));
        assert_ne!(fold(&[1, 5], 1), fold(&[1, 5], 2));
    }

    #[test]
    fn a_foreign_key_converts_as_the_parent_does() {
        let to_number = |v| one(&v, KeyMatching::Binary, Conversion::ToNumber);
        assert_eq!(to_number(Value::Text(" 12 ".into())), to_number(Value::Int(12)));
        assert_ne!(to_number(Value::Text("12a".into())), to_number(Value::Int(12)));
        let to_text = |v| one(&v, KeyMatching::Binary, Conversion::ToText);
        assert_eq!(to_text(Value::Int(12)), to_text(Value::Text("12".into())));
    }
}
