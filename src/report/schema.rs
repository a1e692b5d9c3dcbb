//! Schema changes in words: what was created, dropped or altered, and how.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::stat::plural;
use super::value::visible;
use crate::diff::SchemaChange;
use crate::model::{Attribute, Fact, ObjectKind};

/// A change as a person thinks of it: a table is created or dropped with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouped<'c> {
    /// The change.
    pub change: &'c SchemaChange,
    /// What came or went with it: columns, constraints, indexes, triggers.
    pub parts: Vec<&'c SchemaChange>,
}

/// The changes, where the parts of created and dropped objects stand with their object.
pub fn grouped(changes: &[SchemaChange]) -> Vec<Grouped<'_>> {
    let whole = |change: &SchemaChange| {
        change.before.is_some() != change.after.is_some() && change.id.part.is_empty()
    };
    let owner = |part: &SchemaChange| {
        let owner = changes.iter().position(|change| {
            matches!(
                change.id.kind,
                ObjectKind::Table | ObjectKind::View | ObjectKind::VirtualTable
            ) && whole(change)
                && change.id != part.id
                && change.before.is_some() == part.before.is_some()
                && change.after.is_some() == part.after.is_some()
                && part.belongs_to(&change.id.object.to_string())
        });
        // What is made by a statement of its own, and owns parts, is no part.
        owner.filter(|_| !matches!(part.id.kind, ObjectKind::Table | ObjectKind::View))
    };
    let owners: Vec<Option<usize>> = changes.iter().map(owner).collect();
    let parts_of = |index: usize| {
        let parts = changes.iter().zip(&owners).filter(|(_, owner)| **owner == Some(index));
        parts.map(|(part, _)| part).collect()
    };
    let alone = changes.iter().enumerate().filter(|(index, _)| owners[*index].is_none());
    alone.map(|(index, change)| Grouped { change, parts: parts_of(index) }).collect()
}

impl Grouped<'_> {
    /// One line for a person: sign, kind, name, and how many parts of each kind.
    pub fn headline(&self) -> String {
        format!("{} {}", sign(self.change), self.words())
    }

    /// The line without its sign.
    pub fn words(&self) -> String {
        let id = &self.change.id;
        let words = format!("{} {}", id.kind, visible(&id.to_string()));
        if self.parts.is_empty() { words } else { format!("{words} ({})", self.part_words()) }
    }

    /// How many parts of each kind; empty where there are none.
    pub fn part_words(&self) -> String {
        let mut counts: Vec<(ObjectKind, u64)> = Vec::new();
        for part in &self.parts {
            match counts.iter_mut().find(|(kind, _)| *kind == part.id.kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((part.id.kind, 1)),
            }
        }
        let counts: Vec<String> = counts.into_iter().map(|(kind, n)| counted(kind, n)).collect();
        counts.join(", ")
    }
}

fn counted(kind: ObjectKind, count: u64) -> String {
    match (kind, count) {
        (ObjectKind::PrimaryKey, 1) => "primary key".to_owned(),
        (ObjectKind::Unique, _) => plural(count, "unique constraint"),
        (ObjectKind::Check, _) => plural(count, "check"),
        (ObjectKind::Index, 2..) => format!("{count} indexes"),
        (kind, count) => plural(count, &kind.as_str().replace('-', " ")),
    }
}

/// The stable word for a change, as in JSON.
pub fn change_word(change: &SchemaChange) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "created",
        (_, None) => "dropped",
        _ => "altered",
    }
}

/// `+`, `-` or `~`.
pub fn sign(change: &SchemaChange) -> char {
    match change_word(change) {
        "created" => '+',
        "dropped" => '-',
        _ => '~',
    }
}

/// For an altered fact, a line for each attribute that differs.
pub fn details(change: &SchemaChange) -> Vec<String> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return Vec::new();
    };
    let names: BTreeSet<&String> =
        before.attributes.keys().chain(after.attributes.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.attributes.get(*name) != after.attributes.get(*name))
        .map(|name| format!("{name}: {} → {}", shown(before, name), shown(after, name)))
        .collect()
}

/// An attribute for a person.
pub fn shown(fact: &Fact, name: &str) -> String {
    match fact.attributes.get(name) {
        None => "none".to_owned(),
        Some(Attribute::Flag) => "yes".to_owned(),
        Some(Attribute::Number(number)) => number.to_string(),
        Some(Attribute::Text(text)) => text.clone(),
        Some(Attribute::List(list)) => format!("({})", list.join(", ")),
    }
}

/// A change as an element of `schema` in JSON.
pub fn to_json(change: &SchemaChange) -> Json {
    let mut object = json!({
        "kind": change.id.kind.as_str(),
        "name": change.id.to_string(),
        "change": change_word(change),
    });
    let details = details(change);
    if !details.is_empty() {
        object["details"] = json!(details);
    }
    object
}
