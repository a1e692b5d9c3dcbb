//! Rows whose keys differ in bytes but are the same to the database: `Foo` and `foo` under
//! NOCASE, 1 and 1.0. To the database such a change is an update of the key, never a delete and
//! an insert.
//!
//! The keys that are on one side only are folded by the key's own equality. A folded key that
//! exactly one row of each side has is a pair. Only tables in whose keys that can happen pay for
//! it: 16 bytes and a key for each row that is on one side only.

use std::collections::HashMap;

use super::error::DiffError;
use crate::codec::key;
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, KeyMatching, RowKey, Value};
use crate::tree::{Rows, Span, Tree, TreeDiff};

/// Pairs of keys, left to right.
#[derive(Default)]
pub struct Respelled {
    by_left: HashMap<Vec<u8>, Vec<u8>>,
    by_right: HashMap<Vec<u8>, ()>,
}

/// What of one folded key was seen.
#[derive(Default)]
struct Seen {
    left: Vec<Vec<u8>>,
    right: Vec<Vec<u8>>,
}

impl Respelled {
    /// Finds the pairs. A table whose keys cannot be respelled is not read.
    pub fn find(left: &Tree<'_>, right: &Tree<'_>, row_key: &RowKey) -> Result<Self, DiffError> {
        let RowKey::Columns { columns, .. } = row_key else {
            return Ok(Respelled::default());
        };
        let matching: Vec<KeyMatching> = columns.iter().map(|column| column.matching).collect();
        let is_folding = matching
            .iter()
            .any(|m| matches!(m, KeyMatching::AsciiNoCase | KeyMatching::TrailingSpaces));
        let mut seen: HashMap<Vec<u8>, Seen> = HashMap::new();
        // Under binary equality only numbers of different kinds or scales can be the same, so only
        // keys with a float or a decimal need to be remembered, and then whatever matches them.
        if !is_folding && !collect(left, right, &matching, &mut seen, Wanted::WithNumber)? {
            return Ok(Respelled::default());
        }
        let wanted = if is_folding { Wanted::All } else { Wanted::Known };
        seen.values_mut().for_each(|seen| *seen = Seen::default());
        collect(left, right, &matching, &mut seen, wanted)?;
        let mut found = Respelled::default();
        for pair in seen.into_values() {
            if let ([from], [to]) = (pair.left.as_slice(), pair.right.as_slice()) {
                found.by_left.insert(from.clone(), to.clone());
                found.by_right.insert(to.clone(), ());
            }
        }
        Ok(found)
    }

    /// The key on the right that is the same to the database as this one on the left.
    pub fn partner_of_left(&self, key: &[u8]) -> Option<&[u8]> {
        self.by_left.get(key).map(Vec::as_slice)
    }

    /// Whether this key on the right has a partner on the left.
    pub fn has_right(&self, key: &[u8]) -> bool {
        self.by_right.contains_key(key)
    }
}

/// Which keys are remembered.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    All,
    /// Those with a number that has other spellings.
    WithNumber,
    /// Those that fold to one that is known already.
    Known,
}

/// Walks the keys that are on one side only; gives whether any was remembered.
fn collect(
    left: &Tree<'_>,
    right: &Tree<'_>,
    matching: &[KeyMatching],
    seen: &mut HashMap<Vec<u8>, Seen>,
    wanted: Wanted,
) -> Result<bool, DiffError> {
    let mut diff = TreeDiff::new(left, right)?;
    let mut any = false;
    while let Some(span) = diff.next_span()? {
        match &span {
            Span::Left(rows) => {
                any |= remember(rows, matching, seen, wanted, |seen, key| seen.left.push(key))?;
            }
            Span::Right(rows) => {
                any |= remember(rows, matching, seen, wanted, |seen, key| seen.right.push(key))?;
            }
            Span::Both(_) => {}
        }
    }
    Ok(any)
}

fn remember(
    rows: &Rows<'_>,
    matching: &[KeyMatching],
    seen: &mut HashMap<Vec<u8>, Seen>,
    wanted: Wanted,
    push: impl Fn(&mut Seen, Vec<u8>),
) -> Result<bool, DiffError> {
    let mut any = false;
    for row in rows.rows.clone() {
        let bytes = rows.chunk.key(row)?;
        if key::is_cut(bytes) {
            continue;
        }
        if wanted == Wanted::WithNumber && !may_hold_number(bytes) {
            continue;
        }
        let decoded = key::decode(bytes)?;
        if decoded.row_hash.is_some() {
            continue;
        }
        let is_number =
            decoded.values.iter().any(|v| matches!(v, Value::Float64(_) | Value::Decimal(_)));
        if wanted == Wanted::WithNumber && !is_number {
            continue;
        }
        let folded = folded(&decoded.values, matching);
        match wanted {
            Wanted::Known => {
                if let Some(seen) = seen.get_mut(&folded) {
                    push(seen, bytes.to_vec());
                    any = true;
                }
            }
            Wanted::All | Wanted::WithNumber => {
                push(seen.entry(folded).or_default(), bytes.to_vec());
                any = true;
            }
        }
    }
    Ok(any)
}

/// Whether the tag of a float or a decimal occurs anywhere: cheap, and never wrong when it says no.
fn may_hold_number(key: &[u8]) -> bool {
    key.contains(&crate::codec::cell::tag::FLOAT64)
        || key.contains(&crate::codec::cell::tag::DECIMAL)
}

/// A digest of the key as the database's equality sees it.
fn folded(values: &[Value], matching: &[KeyMatching]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (value, matching) in values.iter().zip(matching) {
        let folded = match (value, matching) {
            (Value::Float64(bits), _) => match exact_integer(f64::from_bits(*bits)) {
                Some(number) => Value::Int(number),
                None => value.clone(),
            },
            (Value::Decimal(Decimal::Finite(number)), _) => {
                Value::Decimal(Decimal::Finite(without_zeros(number)))
            }
            (Value::Text(text), KeyMatching::AsciiNoCase) => Value::Text(text.to_ascii_lowercase()),
            (Value::Text(text), KeyMatching::TrailingSpaces) => {
                Value::Text(text.trim_end_matches(' ').to_owned())
            }
            _ => value.clone(),
        };
        key::write_component(folded.as_ref(), &mut bytes);
    }
    xxhash_rust::xxh3::xxh3_128(&bytes).to_le_bytes().to_vec()
}

/// The number with as few digits after the point as it needs: 1.00 and 1.0 are one key.
fn without_zeros(number: &FiniteDecimal) -> FiniteDecimal {
    let (mut digits, mut scale) = (number.digits(), number.scale());
    while let (Some((0, rest)), 1..) = (digits.split_last(), scale) {
        (digits, scale) = (rest, scale - 1);
    }
    let scale = if digits.is_empty() { 0 } else { scale };
    FiniteDecimal::new(number.is_negative(), digits, scale)
        .expect("because they are digits of a decimal")
}

/// The integer that a float is exactly, if it is one that 64 bits hold.
fn exact_integer(float: f64) -> Option<i64> {
    let text = format!("{float:.0}");
    let number: i64 = text.parse().ok()?;
    let is_whole = float.fract() == 0.0;
    is_whole.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_follows_the_database() {
        let same =
            |a: Value, b: Value, matching| folded(&[a], &[matching]) == folded(&[b], &[matching]);
        let text = |text: &str| Value::Text(text.to_owned());
        assert!(same(text("Foo"), text("fOO"), KeyMatching::AsciiNoCase));
        assert!(!same(text("É"), text("é"), KeyMatching::AsciiNoCase));
        assert!(same(text("a  "), text("a"), KeyMatching::TrailingSpaces));
        assert!(!same(text("a "), text("a"), KeyMatching::Binary));
        let float = |float: f64| Value::Float64(float.to_bits());
        assert!(same(Value::Int(1), float(1.0), KeyMatching::Binary));
        assert!(same(Value::Int(0), float(-0.0), KeyMatching::Binary));
        assert!(!same(Value::Int(1), float(1.5), KeyMatching::Binary));
        assert!(!same(Value::Int(i64::MAX), float(9.3e18), KeyMatching::Binary));
        let decimal = |digits: &[u8], scale| {
            Value::Decimal(Decimal::Finite(FiniteDecimal::new(false, digits, scale).unwrap()))
        };
        assert!(same(decimal(&[1, 0], 1), decimal(&[1, 0, 0], 2), KeyMatching::Binary));
        assert!(same(decimal(&[], 0), decimal(&[], 3), KeyMatching::Binary));
        assert!(!same(decimal(&[1, 0], 0), decimal(&[1], 0), KeyMatching::Binary));
    }
}
