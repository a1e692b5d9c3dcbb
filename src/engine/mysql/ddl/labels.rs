//! The labels of ENUM and SET types, read from how the server prints them.

use crate::engine::mysql::catalog::tokens::{Kind, cut};

/// The labels of `enum('a','b')`, quoted as they were printed. `None` for another type.
pub(super) fn of(type_text: &str, word: &str) -> Option<Vec<String>> {
    let rest = type_text.strip_prefix(word)?;
    let inner = rest.strip_prefix('(')?.strip_suffix(')')?;
    let tokens = cut(inner);
    let labels = tokens.iter().filter(|token| token.kind == Kind::Text);
    Some(labels.map(|token| token.text.to_owned()).collect())
}

/// The longest label, in characters.
pub(super) fn longest(labels: &[String]) -> u64 {
    let count = |label: &String| label.replace("''", "'").chars().count();
    let length = |label: &String| u64::try_from(count(label)).unwrap_or(u64::MAX);
    labels.iter().map(length).max().unwrap_or(0).saturating_sub(2)
}
