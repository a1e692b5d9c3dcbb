//! Which tables a statement reaches besides the one that it names: those that inherit from it, its
//! partitions, the partition that takes the rest, what its foreign keys refer to, and the tables of
//! whoever has a column of a domain.

use super::spelling::parsed;
use super::types::own_type;
use super::{constraints, structure};
use crate::engine::ddl::{Schema, flag, list, text};
use crate::model::{Fact, ObjectKind, ObjectName};

/// The partitions of a table, and those that inherit from it, with theirs.
pub(super) fn descendants(table: &ObjectName, schema: &Schema<'_>) -> Vec<ObjectName> {
    let mut found: Vec<ObjectName> = Vec::new();
    let mut open = vec![table.clone()];
    while let Some(parent) = open.pop() {
        for child in children(&parent, schema) {
            // A table may have two parents that have one.
            if !found.contains(&child) {
                found.push(child.clone());
                open.push(child);
            }
        }
    }
    found
}

fn children(table: &ObjectName, schema: &Schema<'_>) -> Vec<ObjectName> {
    if !structure::has_children(table, schema) {
        return Vec::new();
    }
    let is_parent = |name: &String| parsed(name).is_some_and(|parent| parent == *table);
    let heirs = schema
        .of_kind(ObjectKind::Table)
        .filter(|fact| list(fact, "inherits").iter().any(is_parent));
    let heirs = heirs.map(|fact| fact.id.object.clone());
    heirs.chain(partitions(table, schema).map(|bound| bound.id.object.clone())).collect()
}

/// The bounds of a table's partitions.
fn partitions<'a>(
    table: &'a ObjectName,
    schema: &'a Schema<'_>,
) -> impl Iterator<Item = &'a Fact> + 'a {
    schema.of_kind(ObjectKind::Partition).filter(move |bound| {
        let space = text(bound, "table-schema").unwrap_or(&bound.id.object.schema);
        text(bound, "table") == Some(table.name.as_str()) && space == table.schema
    })
}

/// The partition of a table that takes the rows of no other.
pub(super) fn default_partition(table: &ObjectName, schema: &Schema<'_>) -> Option<ObjectName> {
    let bound = partitions(table, schema).find(|bound| text(bound, "bound") == Some("DEFAULT"))?;
    Some(bound.id.object.clone())
}

/// The tables that the foreign keys of a table refer to.
pub(super) fn referenced(table: &ObjectName, schema: &Schema<'_>) -> Vec<ObjectName> {
    let keys = schema.parts(ObjectKind::ForeignKey, table);
    keys.filter_map(constraints::referenced).filter(|referenced| referenced != table).collect()
}

/// The tables with a column of a domain, or of one over it.
pub(super) fn users_of_domain(domain: &ObjectName, schema: &Schema<'_>) -> Vec<ObjectName> {
    let is_of = |fact: &&Fact, domain: &ObjectName| {
        text(fact, "type").and_then(own_type).is_some_and(|name| name == *domain)
    };
    let mut domains = vec![domain.clone()];
    let mut at = 0;
    while let Some(domain) = domains.get(at).cloned() {
        let over = schema.of_kind(ObjectKind::Domain).filter(|fact| is_of(fact, &domain));
        let over: Vec<ObjectName> = over.map(|fact| fact.id.object.clone()).collect();
        domains.extend(over);
        at += 1;
    }
    let mut tables: Vec<ObjectName> = schema
        .of_kind(ObjectKind::Column)
        .filter(|column| domains.iter().any(|domain| is_of(column, domain)))
        .map(|column| column.id.object.clone())
        .filter(|table| schema.object(ObjectKind::Table, table).is_some())
        .collect();
    tables.sort();
    tables.dedup();
    tables
}

/// Whether what is done to a part of a table is done to that part of its descendants as well.
pub(super) fn goes_down(fact: &Fact) -> bool {
    match fact.id.kind {
        ObjectKind::Column
        | ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::ForeignKey
        | ObjectKind::Index
        | ObjectKind::Trigger => true,
        ObjectKind::Check => !flag(fact, "no-inherit"),
        _ => false,
    }
}
