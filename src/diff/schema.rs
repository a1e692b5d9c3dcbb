//! Schema facts compared: both lists are sorted by id, so this is one merge.

use std::cmp::Ordering;

use super::change::SchemaChange;
use crate::model::Fact;

/// What differs between two sorted lists of facts, in their order.
pub fn compare(left: &[Fact], right: &[Fact]) -> Vec<SchemaChange> {
    let mut changes = Vec::new();
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(l), Some(r)) => l.id.cmp(&r.id),
        };
        let before = if order.is_le() { left.next() } else { None };
        let after = if order.is_ge() { right.next() } else { None };
        // Dependencies follow from the attributes; alone they are no change a person could make.
        let same = match (before, after) {
            (Some(l), Some(r)) => l.attributes == r.attributes,
            _ => false,
        };
        if let (false, Some(fact)) = (same, before.or(after)) {
            let id = fact.id.clone();
            changes.push(SchemaChange { id, before: before.cloned(), after: after.cloned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Attribute, FactId, ObjectKind, ObjectName};

    fn fact(name: &str, position: i64) -> Fact {
        Fact {
            id: FactId {
                kind: ObjectKind::Table,
                object: ObjectName::bare(name),
                part: String::new(),
            },
            attributes: BTreeMap::from([("n".to_owned(), Attribute::Number(position))]),
            depends_on: Vec::new(),
        }
    }

    #[test]
    fn created_dropped_altered() {
        let left = [fact("a", 1), fact("b", 1), fact("c", 1)];
        let right = [fact("b", 1), fact("c", 2), fact("d", 1)];
        let changes = compare(&left, &right);
        let shape: Vec<(&str, bool, bool)> = changes
            .iter()
            .map(|c| (c.id.object.name.as_str(), c.before.is_some(), c.after.is_some()))
            .collect();
        assert_eq!(shape, [("a", true, false), ("c", true, true), ("d", false, true)]);
        assert!(compare(&left, &left).is_empty());
    }
}
