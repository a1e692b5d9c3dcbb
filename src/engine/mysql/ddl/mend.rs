//! The places of what is left, where a part of a wanted schema is left out.
//!
//! A column says which one it stands behind, and a trigger which one it follows. Where something
//! stays that was to go, or is not made that was to come, they stand behind others than wanted.

use std::collections::{BTreeMap, BTreeSet};

use super::column;
use crate::engine::ddl::{Schema, text};
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// The facts of a schema between two others, with the places that they have in it.
pub(super) fn mended(mut facts: Vec<Fact>, from: &Schema<'_>, wanted: &Schema<'_>) -> Vec<Fact> {
    let places = places(&facts, from, wanted);
    for fact in &mut facts {
        let name = match fact.id.kind {
            ObjectKind::Column => "after",
            ObjectKind::Trigger => "follows",
            _ => continue,
        };
        let Some(place) = places.get(&fact.id) else { continue };
        match place {
            Some(place) => {
                fact.attributes.insert(name.to_owned(), Attribute::Text(place.clone()));
            }
            None => {
                fact.attributes.remove(name);
            }
        }
    }
    facts
}

/// What each column and trigger stands behind.
fn places(
    facts: &[Fact],
    from: &Schema<'_>,
    wanted: &Schema<'_>,
) -> BTreeMap<FactId, Option<String>> {
    let there: BTreeSet<&FactId> = facts.iter().map(|fact| &fact.id).collect();
    let mut places = BTreeMap::new();
    let tables: BTreeSet<&ObjectName> = facts
        .iter()
        .filter(|fact| fact.id.kind == ObjectKind::Column)
        .map(|fact| &fact.id.object)
        .collect();
    for table in tables {
        let ids = |schema: &Schema<'_>| -> Vec<FactId> {
            column::ordered(schema, table).iter().map(|column| column.id.clone()).collect()
        };
        let order = merged(&ids(wanted), &ids(from), &there);
        let mut previous: Option<String> = None;
        for id in order {
            let part = id.part.clone();
            places.insert(id, previous.replace(part));
        }
    }
    let groups: BTreeSet<(&str, &str, &str)> =
        facts.iter().filter(|fact| fact.id.kind == ObjectKind::Trigger).map(group).collect();
    for group in groups {
        let order = merged(&triggers(wanted, group), &triggers(from, group), &there);
        let mut previous: Option<String> = None;
        for id in order {
            let name = id.object.name.clone();
            places.insert(id, previous.replace(name));
        }
    }
    places
}

/// The triggers that one is in order with.
fn group(trigger: &Fact) -> (&str, &str, &str) {
    let said = |name| text(trigger, name).unwrap_or_default();
    (said("table"), said("timing"), said("event"))
}

/// The triggers of a group, as they fire.
fn triggers(schema: &Schema<'_>, of: (&str, &str, &str)) -> Vec<FactId> {
    let all: Vec<&Fact> = schema
        .facts()
        .filter(|fact| fact.id.kind == ObjectKind::Trigger && group(fact) == of)
        .collect();
    let mut ordered = Vec::with_capacity(all.len());
    let mut previous: Option<&str> = None;
    while ordered.len() < all.len()
        && let Some(next) = all.iter().find(|trigger| text(trigger, "follows") == previous)
    {
        ordered.push(next.id.clone());
        previous = Some(&next.id.object.name);
    }
    ordered
}

/// What is there, in the wanted order; what is not wanted stands behind what it stood behind.
fn merged(wanted: &[FactId], before: &[FactId], there: &BTreeSet<&FactId>) -> Vec<FactId> {
    let mut order: Vec<FactId> = wanted.iter().filter(|id| there.contains(id)).cloned().collect();
    let mut previous: Option<&FactId> = None;
    for id in before.iter().filter(|id| there.contains(id)) {
        if !order.contains(id) {
            let behind = previous.and_then(|p| order.iter().position(|other| other == p));
            order.insert(behind.map_or(0, |at| at + 1), id.clone());
        }
        previous = Some(id);
    }
    order
}
