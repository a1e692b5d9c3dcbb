//! What one side has and the other did not look at: it was neither created nor dropped.
//!
//! A snapshot lists what it did not capture, by kind and name: a table that is excluded, a schema
//! that was not chosen, all routines that the account is not shown. What goes with such an object
//! (its columns, indexes, triggers, owner, the sequence of a column) was not looked at either. What
//! is not captured *of* an object, such as the rows of a virtual table, hides no object.

use std::collections::BTreeSet;

use super::change::{SchemaChange, TableComparison};
use crate::model::{Attribute, FactId, NotCaptured, ObjectKind, ObjectName};

/// Which changes something that was not captured would explain.
pub(super) enum Unseen<'i> {
    /// Everything in a schema.
    Schema(&'i str),
    /// Everything that is in no schema.
    OutsideSchemas,
    /// The triggers of a table.
    TriggersOf(&'i str),
    /// Every table.
    Tables(BTreeSet<ObjectName>),
    /// Every object of another kind.
    All(ObjectKind),
    /// Objects, and what goes with them.
    Objects(BTreeSet<String>),
}

impl<'i> Unseen<'i> {
    /// What an item hides among changes that are on one side only; `None` where it hides no object.
    pub(super) fn of(item: &'i NotCaptured, one_sided: &[&SchemaChange]) -> Option<Self> {
        match item.kind.as_str() {
            "objects of the whole database" => return Some(Unseen::OutsideSchemas),
            "triggers" => return Some(Unseen::TriggersOf(&item.name)),
            _ => {}
        }
        let word = item.kind.replace(' ', "-");
        let kind = ObjectKind::ALL.into_iter().find(|kind| kind.as_str() == word)?;
        Some(match (kind, item.name.as_str()) {
            (ObjectKind::Schema, name) => Unseen::Schema(name),
            (ObjectKind::Table, "*") => {
                let tables = one_sided.iter().filter(|change| change.id.kind == ObjectKind::Table);
                Unseen::Tables(tables.map(|change| change.id.object.clone()).collect())
            }
            (kind, "*") => Unseen::All(kind),
            (_, name) => {
                let theirs = one_sided.iter().filter(|change| is_owned_by(change, name));
                let theirs = theirs.map(|change| change.id.object.to_string());
                Unseen::Objects(theirs.chain([name.to_owned()]).collect())
            }
        })
    }

    /// Whether it hides what a change of the schema, on one side only, is about.
    pub(super) fn hides(&self, change: &SchemaChange) -> bool {
        let FactId { kind, object, part } = &change.id;
        match self {
            Unseen::Schema(name) => {
                let is_it = *kind == ObjectKind::Schema || part == "schema";
                object.schema == *name
                    || (is_it && object.schema.is_empty() && object.name == *name)
            }
            Unseen::OutsideSchemas => object.schema.is_empty(),
            Unseen::TriggersOf(table) => *kind == ObjectKind::Trigger && change.belongs_to(table),
            Unseen::Tables(names) => names.iter().any(|name| change.belongs_to(&name.to_string())),
            Unseen::All(hidden) => kind == hidden,
            Unseen::Objects(names) => names.iter().any(|name| change.belongs_to(name)),
        }
    }

    /// Whether it hides a table that is on one side only.
    pub(super) fn hides_table(&self, table: &TableComparison) -> bool {
        match self {
            Unseen::Schema(name) => table.name.schema == *name,
            Unseen::OutsideSchemas | Unseen::TriggersOf(_) | Unseen::All(_) => false,
            Unseen::Tables(_) => true,
            Unseen::Objects(names) => names.contains(&table.name.to_string()),
        }
    }
}

/// Whether it is a sequence of a column of the object, or an index on it, which have names of their
/// own.
fn is_owned_by(change: &SchemaChange, object: &str) -> bool {
    let fact = change.before.as_ref().or(change.after.as_ref());
    match change.id.kind {
        ObjectKind::Sequence => match fact.and_then(|fact| fact.attributes.get("owned-by")) {
            Some(Attribute::Text(column)) => {
                column.strip_prefix(object).is_some_and(|column| column.starts_with('.'))
            }
            _ => false,
        },
        ObjectKind::Index => change.belongs_to(object),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;

    fn change(kind: ObjectKind, schema: &str, name: &str, attribute: (&str, &str)) -> SchemaChange {
        let object = ObjectName { schema: schema.to_owned(), name: name.to_owned() };
        let id = FactId { kind, object, part: String::new() };
        let (key, text) = attribute;
        let attributes = [(key.to_owned(), Attribute::Text(text.to_owned()))].into();
        let fact = Fact { id: id.clone(), attributes, depends_on: Vec::new() };
        SchemaChange { id, before: Some(fact), after: None }
    }

    fn hidden(kind: &str, name: &str, changes: &[SchemaChange]) -> Vec<bool> {
        let (kind, name, reason) = (kind.to_owned(), name.to_owned(), String::new());
        let item = NotCaptured { kind, name, reason, is_unknown: false };
        let one_sided: Vec<&SchemaChange> = changes.iter().collect();
        let unseen = Unseen::of(&item, &one_sided);
        changes.iter().map(|c| unseen.as_ref().is_some_and(|unseen| unseen.hides(c))).collect()
    }

    #[test]
    fn what_was_not_looked_at_hides_what_goes_with_it_and_nothing_else() {
        let none = ("", "");
        let changes = [
            change(ObjectKind::Table, "s", "t", none),
            change(ObjectKind::Index, "s", "t_i", ("table", "t")),
            change(ObjectKind::Comment, "s", "t_i", none),
            change(ObjectKind::Sequence, "s", "t_id_seq", ("owned-by", "s.t.id")),
            change(ObjectKind::Owner, "s", "t_id_seq", none),
            change(ObjectKind::Sequence, "s", "other", ("owned-by", "s.t2.id")),
            change(ObjectKind::Routine, "s", "f(integer)", none),
            change(ObjectKind::Routine, "u", "f(integer)", none),
            change(ObjectKind::Publication, "", "news", none),
            change(ObjectKind::Trigger, "s", "x", ("table", "t")),
        ];
        let of = |kind, name| {
            let hidden = hidden(kind, name, &changes);
            hidden.iter().map(|&is_hidden| if is_hidden { 'x' } else { '.' }).collect::<String>()
        };
        assert_eq!(of("table", "s.t"), "xxxxx....x");
        assert_eq!(of("table", "*"), "xx.......x");
        assert_eq!(of("schema", "s"), "xxxxxxx..x");
        assert_eq!(of("routine", "*"), "......xx..");
        assert_eq!(of("routine", "s.f(integer)"), "......x...");
        assert_eq!(of("triggers", "s.t"), ".........x");
        assert_eq!(of("objects of the whole database", "publications"), "........x.");
        assert_eq!(of("rows of a foreign table", "s.t"), "..........");
    }
}
