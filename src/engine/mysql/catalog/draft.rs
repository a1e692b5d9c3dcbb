//! A fact that is being written; attributes that would say the default are left out.

use std::collections::BTreeMap;

use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// A fact that is being written.
pub(super) struct Draft(Fact);

impl Draft {
    /// A fact without attributes.
    pub(super) fn new(kind: ObjectKind, object: &str, part: impl Into<String>) -> Draft {
        let id = FactId { kind, object: ObjectName::bare(object), part: part.into() };
        Draft(Fact { id, attributes: BTreeMap::new(), depends_on: Vec::new() })
    }

    /// A flag, where it is set.
    pub(super) fn flag(mut self, name: &str, is_set: bool) -> Draft {
        if is_set {
            self.0.attributes.insert(name.to_owned(), Attribute::Flag);
        }
        self
    }

    /// A text, where there is one.
    pub(super) fn text(mut self, name: &str, text: Option<impl Into<String>>) -> Draft {
        if let Some(text) = text {
            self.0.attributes.insert(name.to_owned(), Attribute::Text(text.into()));
        }
        self
    }

    /// A list, where it is not empty.
    pub(super) fn list(mut self, name: &str, items: Vec<String>) -> Draft {
        if !items.is_empty() {
            self.0.attributes.insert(name.to_owned(), Attribute::List(items));
        }
        self
    }

    /// A list beside the columns, where any of its items says something.
    pub(super) fn list_beside(self, name: &str, items: Vec<String>, default: &str) -> Draft {
        if items.iter().all(|item| item == default) { self } else { self.list(name, items) }
    }

    /// Objects it depends on.
    pub(super) fn depends_on(mut self, objects: impl IntoIterator<Item = String>) -> Draft {
        self.0.depends_on.extend(objects.into_iter().map(ObjectName::bare));
        self.0.depends_on.sort();
        self.0.depends_on.dedup();
        self
    }

    /// The fact.
    pub(super) fn done(self) -> Fact {
        self.0
    }
}

/// Gives facts with the same identity parts of their own, in the order of what they say.
pub(super) fn number_duplicates(facts: &mut [Fact]) {
    facts.sort_by(|a, b| {
        a.id.cmp(&b.id)
            .then_with(|| format!("{:?}", a.attributes).cmp(&format!("{:?}", b.attributes)))
    });
    let mut last: Option<(FactId, usize)> = None;
    for fact in facts {
        match &mut last {
            Some((id, count)) if *id == fact.id => {
                *count += 1;
                fact.id.part.push_str(&format!(" #{count}"));
            }
            _ => last = Some((fact.id.clone(), 1)),
        }
    }
}
