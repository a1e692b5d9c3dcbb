//! What belongs to what, what needs what, and what gives way.
//!
//! The bodies of routines, triggers and events are not looked into: the servers do not either until
//! they run. A view that reads something which is not there cannot be made, but stays.

use std::collections::BTreeSet;

use super::{program, types, wording};
use crate::engine::ddl::{Break, Schema, Yielding, flag, list, text};
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

fn id(kind: ObjectKind, object: &ObjectName, part: &str) -> FactId {
    FactId { kind, object: object.clone(), part: part.to_owned() }
}

/// What a fact goes with.
pub(super) fn container(fact: &Fact) -> Option<FactId> {
    let object = &fact.id.object;
    let table = || Some(id(ObjectKind::Table, object, ""));
    match fact.id.kind {
        ObjectKind::Check => match text(fact, "column") {
            Some(column) => Some(id(ObjectKind::Column, object, column)),
            None => table(),
        },
        ObjectKind::Partition if !fact.id.part.is_empty() => {
            Some(id(ObjectKind::Partition, object, ""))
        }
        ObjectKind::Column
        | ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::ForeignKey
        | ObjectKind::Index
        | ObjectKind::Partition => table(),
        ObjectKind::Trigger => Some(id(ObjectKind::Table, &fact.table()?, "")),
        ObjectKind::Routine => {
            let body = object.name.strip_prefix("package body ")?;
            let package = ObjectName::bare(format!("package {body}"));
            Some(id(ObjectKind::Routine, &package, ""))
        }
        _ => None,
    }
}

/// Whether a fact is made with what it belongs to.
pub(super) fn is_inline(fact: &Fact) -> bool {
    matches!(
        fact.id.kind,
        ObjectKind::Column
            | ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Index
            | ObjectKind::Check
            | ObjectKind::Partition
    )
}

/// The names a fact takes. MySQL's checks are named within the database, as foreign keys are.
pub(super) fn names(fact: &Fact, is_mariadb: bool) -> Vec<String> {
    let table = &fact.id.object.name;
    let part = text(fact, "name").unwrap_or(&fact.id.part).to_lowercase();
    let name = match fact.id.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::Sequence => format!("relation {table}"),
        ObjectKind::Column => format!("column {table} {part}"),
        ObjectKind::Unique | ObjectKind::Index => format!("index {table} {part}"),
        ObjectKind::PrimaryKey => format!("index {table} primary"),
        ObjectKind::Check if text(fact, "column").is_some() => return Vec::new(),
        ObjectKind::Check if is_mariadb => format!("check {table} {part}"),
        ObjectKind::Check => format!("check {part}"),
        ObjectKind::ForeignKey => format!("foreign key {part}"),
        ObjectKind::Trigger => format!("trigger {table}"),
        ObjectKind::Event => format!("event {}", table.to_lowercase()),
        ObjectKind::Routine => format!("routine {}", table.to_lowercase()),
        _ => return Vec::new(),
    };
    vec![name]
}

/// What a fact needs to be there.
pub(super) fn requires(fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let object = &fact.id.object;
    let column = |name: &str| id(ObjectKind::Column, object, name);
    let mut needed: Vec<FactId> = container(fact).into_iter().collect();
    match fact.id.kind {
        ObjectKind::Column => {
            needed.extend(program::sequences_of(fact));
            for expression in ["generated", "default"].iter().filter_map(|name| text(fact, name)) {
                needed.extend(columns_in(expression, fact, schema));
            }
        }
        ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index => {
            let terms = list(fact, "terms");
            for (at, part) in list(fact, "columns").iter().enumerate() {
                match terms.get(at).is_some_and(|term| term == "expression") {
                    true => needed.extend(columns_in(part, fact, schema)),
                    false => needed.push(column(part)),
                }
            }
        }
        ObjectKind::Check => {
            needed.push(id(ObjectKind::Table, object, ""));
            let expression = text(fact, "expression").unwrap_or_default();
            needed.extend(columns_in(expression, fact, schema));
        }
        ObjectKind::ForeignKey => foreign_key(fact, schema, &mut needed),
        ObjectKind::Partition if fact.id.part.is_empty() => {
            let method = text(fact, "method").unwrap_or_default();
            needed.extend(columns_in(method, fact, schema));
            let partitions = schema.parts(ObjectKind::Partition, object);
            needed.extend(partitions.filter(|p| !p.id.part.is_empty()).map(|p| p.id.clone()));
            for kind in [ObjectKind::PrimaryKey, ObjectKind::Unique] {
                needed.extend(schema.parts(kind, object).map(|key| key.id.clone()));
            }
        }
        ObjectKind::Partition => {
            needed
                .extend(text(fact, "after").map(|after| id(ObjectKind::Partition, object, after)));
        }
        ObjectKind::View => {
            for read in &fact.depends_on {
                let kinds = [ObjectKind::Table, ObjectKind::View, ObjectKind::Sequence];
                needed.extend(kinds.iter().map(|kind| id(*kind, read, "")));
                needed.push(id(ObjectKind::Routine, read, ""));
                needed.extend(schema.parts(ObjectKind::Column, read).map(|c| c.id.clone()));
            }
        }
        ObjectKind::Trigger => {
            let follows = text(fact, "follows").map(ObjectName::bare);
            needed.extend(follows.map(|other| id(ObjectKind::Trigger, &other, "")));
        }
        _ => {}
    }
    needed
}

/// The columns of a fact's table that an expression names; the fact itself is none of them.
fn columns_in(expression: &str, fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let named: BTreeSet<String> =
        wording::named(expression).iter().map(|name| name.to_lowercase()).collect();
    schema
        .parts(ObjectKind::Column, &fact.id.object)
        .filter(|column| column.id != fact.id && named.contains(&column.id.part.to_lowercase()))
        .map(|column| column.id.clone())
        .collect()
}

/// The columns of a foreign key on both sides, and the keys that serve it.
fn foreign_key(key: &Fact, schema: &Schema<'_>, needed: &mut Vec<FactId>) {
    let object = &key.id.object;
    let columns = list(key, "columns");
    needed.extend(columns.iter().map(|name| id(ObjectKind::Column, object, name)));
    needed.extend(serving(columns, object, schema).into_iter().map(|found| found.id.clone()));
    let Some(parent) = parent(key) else { return };
    needed.push(id(ObjectKind::Table, &parent, ""));
    let referenced = list(key, "referenced-columns");
    needed.extend(referenced.iter().map(|name| id(ObjectKind::Column, &parent, name)));
    needed.extend(serving(referenced, &parent, schema).into_iter().map(|found| found.id.clone()));
}

/// The table of the same database that a foreign key refers to.
fn parent(key: &Fact) -> Option<ObjectName> {
    match text(key, "schema") {
        Some(_) => None,
        None => text(key, "table").map(ObjectName::bare),
    }
}

/// The keys that begin with these columns, in any order, as a whole.
fn serving<'a>(columns: &[String], table: &ObjectName, schema: &Schema<'a>) -> Vec<&'a Fact> {
    let serves = |fact: &&&Fact| {
        let is_key =
            matches!(fact.id.kind, ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index);
        let parts = list(fact, "columns");
        is_key
            && text(fact, "kind").is_none()
            && parts.len() >= columns.len()
            && parts[..columns.len()].iter().zip(columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
            && list(fact, "lengths").iter().take(columns.len()).all(String::is_empty)
    };
    schema.of(table).iter().filter(serves).copied().collect()
}

/// What a fact does when something it needs goes or changes.
pub(super) fn yields(fact: &Fact, needed: &Fact, broken: Break<'_>, from: &Schema<'_>) -> Yielding {
    match (fact.id.kind, needed.id.kind, broken) {
        (ObjectKind::Column, ObjectKind::Sequence, Break::Gone) => without_default(fact),
        (ObjectKind::Column, ObjectKind::Column, Break::Gone) => {
            match text(fact, "generated").is_some() {
                true => Yielding::Remade,
                false => without_default(fact),
            }
        }
        (
            ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index,
            ObjectKind::Column,
            broken,
        ) => match broken {
            Break::Gone => Yielding::Remade,
            Break::Altered(after) => key_over(fact, after),
        },
        (ObjectKind::Check, ObjectKind::Column, Break::Gone) => Yielding::Remade,
        (ObjectKind::ForeignKey, _, broken) => foreign_key_yields(fact, needed, broken, from),
        (ObjectKind::Partition, ObjectKind::Column | ObjectKind::Partition, Break::Gone) => {
            match fact.id.part.is_empty() {
                true => Yielding::Remade,
                false => Yielding::Stands,
            }
        }
        (ObjectKind::Trigger, ObjectKind::Trigger, _) => Yielding::Remade,
        _ => Yielding::Stands,
    }
}

fn without_default(column: &Fact) -> Yielding {
    let mut weaker = column.clone();
    weaker.attributes.remove("default");
    // Rows that come meanwhile name every column.
    if !flag(column, "not-null") {
        weaker.attributes.remove("no-default");
    }
    Yielding::Weakened(weaker)
}

/// A key over a column that becomes another one.
fn key_over(key: &Fact, column: &Fact) -> Yielding {
    let place = list(key, "columns").iter().position(|part| *part == column.id.part);
    let Some(place) = place else { return Yielding::Stands };
    let has_length = list(key, "lengths").get(place).is_some_and(|length| !length.is_empty());
    let type_text = text(column, "type").unwrap_or_default();
    let is_special = text(key, "kind").is_some();
    let is_lost = match is_special {
        true => text(key, "kind") == Some("SPATIAL") && !flag(column, "not-null"),
        false => types::is_unbounded(type_text) && !has_length,
    };
    if is_lost { Yielding::Remade } else { Yielding::Stands }
}

/// What the servers do not change in a column while a foreign key is over it.
const FIXED: [&str; 6] = ["type", "charset", "collation", "not-null", "generated", "stored"];

fn foreign_key_yields(key: &Fact, needed: &Fact, broken: Break<'_>, from: &Schema<'_>) -> Yielding {
    let object = &key.id.object;
    match (needed.id.kind, broken) {
        (ObjectKind::Column, Break::Gone) => Yielding::Remade,
        (ObjectKind::Column, Break::Altered(after)) => {
            let value = |fact: &Fact, name: &str| -> Option<Attribute> {
                fact.attributes.get(name).cloned()
            };
            let differs = FIXED.iter().any(|name| value(needed, name) != value(after, name));
            if differs { Yielding::Remade } else { Yielding::Stands }
        }
        (ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index, broken) => {
            let is_child = needed.id.object == *object
                && serving(list(key, "columns"), object, from).iter().any(|k| k.id == needed.id);
            let (columns, table) = match (is_child, parent(key)) {
                (true, _) => (list(key, "columns"), object.clone()),
                (false, Some(parent)) => (list(key, "referenced-columns"), parent),
                (false, None) => return Yielding::Stands,
            };
            if let Break::Altered(after) = broken {
                let schema = Schema::new([after]);
                if !serving(columns, &table, &schema).is_empty() {
                    return Yielding::Stands;
                }
            }
            let others = serving(columns, &table, from);
            match others.iter().any(|other| other.id != needed.id) {
                true => Yielding::Stands,
                false => Yielding::Remade,
            }
        }
        (ObjectKind::Table, Break::Gone) => Yielding::Remade,
        _ => Yielding::Stands,
    }
}
