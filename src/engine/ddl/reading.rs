//! What stands in a fact, by the names of its attributes.

use crate::model::{Attribute, Fact};

/// Whether a fact has this flag.
pub fn flag(fact: &Fact, name: &str) -> bool {
    matches!(fact.attributes.get(name), Some(Attribute::Flag))
}

/// The text of an attribute.
pub fn text<'f>(fact: &'f Fact, name: &str) -> Option<&'f str> {
    match fact.attributes.get(name) {
        Some(Attribute::Text(text)) => Some(text),
        _ => None,
    }
}

/// The number of an attribute.
pub fn number(fact: &Fact, name: &str) -> Option<i64> {
    match fact.attributes.get(name) {
        Some(Attribute::Number(number)) => Some(*number),
        _ => None,
    }
}

/// The items of an attribute; none where it is not there.
pub fn list<'f>(fact: &'f Fact, name: &str) -> &'f [String] {
    match fact.attributes.get(name) {
        Some(Attribute::List(items)) => items,
        _ => &[],
    }
}
