//! What belongs to what, what needs what, and which names are taken.
//!
//! The catalog tells dependencies between objects by name; which column, constraint or index is
//! meant is found here by what the facts say. A need too many costs a step that is not necessary;
//! one too few would be an error of the server.

use super::spelling::parsed;
use super::words::{relation, subject};
use super::{columns, constraints, foreign, operators, programs, rights, sequences, tables, views};
use crate::engine::ddl::{Schema, flag, list, text};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

pub(super) use super::tables::parents;

/// The kinds of facts that are about an object as a whole, and by whose name others depend on it.
const OBJECTS: [ObjectKind; 14] = [
    ObjectKind::Table,
    ObjectKind::View,
    ObjectKind::MaterializedView,
    ObjectKind::Sequence,
    ObjectKind::Type,
    ObjectKind::Domain,
    ObjectKind::Collation,
    ObjectKind::Routine,
    ObjectKind::Extension,
    ObjectKind::Foreign,
    ObjectKind::Operator,
    ObjectKind::TextSearch,
    ObjectKind::Index,
    ObjectKind::Statistics,
];

/// Whether a table is partitioned, or others inherit from it.
pub(super) fn has_children(table: &ObjectName, schema: &Schema<'_>) -> bool {
    let is_partitioned = schema.object(ObjectKind::Partition, table).is_some();
    let inherits = |fact: &Fact| {
        list(fact, "inherits").iter().any(|parent| parsed(parent).is_some_and(|p| p == *table))
    };
    is_partitioned
        || schema.of_kind(ObjectKind::Table).any(inherits)
        || schema.of_kind(ObjectKind::Foreign).any(inherits)
}

/// Whether a column is in the key of a partitioned table.
pub(super) fn is_in_partition_key(column: &Fact, schema: &Schema<'_>) -> bool {
    schema
        .object(ObjectKind::Partition, &column.id.object)
        .and_then(|partition| text(partition, "key"))
        .is_some_and(|key| super::spelling::mentions(key, &column.id.part))
}

fn id(kind: ObjectKind, object: &ObjectName, part: &str) -> FactId {
    FactId { kind, object: object.clone(), part: part.to_owned() }
}

fn schema_of(object: &ObjectName) -> FactId {
    id(ObjectKind::Schema, &ObjectName::bare(&object.schema), "")
}

/// What a fact belongs to.
pub(super) fn container(fact: &Fact, schema: &Schema<'_>) -> Option<FactId> {
    let object = &fact.id.object;
    let of_relation = |name: &ObjectName| relation(name, schema).map(|fact| fact.id.clone());
    let found = |id: FactId| schema.get(&id).map(|_| id);
    match fact.id.kind {
        ObjectKind::Column
        | ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::ForeignKey
        | ObjectKind::Partition
        | ObjectKind::Rule
        | ObjectKind::Policy => of_relation(object),
        ObjectKind::Check if flag(fact, "domain") => found(id(ObjectKind::Domain, object, "")),
        ObjectKind::Check => of_relation(object),
        ObjectKind::Index => of_relation(&fact.table()?),
        ObjectKind::Statistics => of_relation(&statistics_table(fact)?),
        ObjectKind::Trigger => of_relation(&programs::table_of(fact)),
        ObjectKind::Sequence => found(sequences::owner(fact)?),
        ObjectKind::Table => {
            let bound = schema.part(ObjectKind::Partition, object, "bound")?;
            of_relation(&super::tables::partitioned(bound)?)
        }
        ObjectKind::Type if !fact.id.part.is_empty() => found(id(ObjectKind::Type, object, "")),
        ObjectKind::Operator if fact.id.part == "class" => {
            operators::family_of(fact, schema).map(|family| family.id.clone())
        }
        ObjectKind::Publication if !fact.id.part.is_empty() && fact.id.part != "subscription" => {
            found(id(ObjectKind::Publication, object, ""))
        }
        ObjectKind::Owner | ObjectKind::Comment => subject(&fact.id.part, object, schema),
        ObjectKind::Grant => rights::subject(fact, schema),
        ObjectKind::DefaultGrant if !object.schema.is_empty() => found(schema_of(object)),
        _ => None,
    }
}

fn statistics_table(statistics: &Fact) -> Option<ObjectName> {
    let space = text(statistics, "table-schema").unwrap_or(&statistics.id.object.schema);
    Some(ObjectName { schema: space.to_owned(), name: text(statistics, "table")?.to_owned() })
}

/// Whether a fact is made by the statement that makes what it belongs to.
pub(super) fn is_inline(fact: &Fact, schema: &Schema<'_>) -> bool {
    let of_view = || columns::is_of_view(fact, schema);
    match fact.id.kind {
        ObjectKind::Column => !of_view(),
        ObjectKind::Partition => fact.id.part.is_empty(),
        // One of a partitioned table takes those of its partitions, which are made before.
        ObjectKind::PrimaryKey | ObjectKind::Unique => {
            !flag(fact, "invalid")
                && schema.object(ObjectKind::Partition, &fact.id.object).is_none()
        }
        // One that calls a function may need what needs the table.
        ObjectKind::Check => {
            !flag(fact, "not-valid") && !fact.depends_on.iter().any(|name| name.name.ends_with(')'))
        }
        ObjectKind::Type => !fact.id.part.is_empty(),
        ObjectKind::Sequence => flag(fact, "identity"),
        _ => false,
    }
}

/// Whether the server keeps what a routine reads.
pub(super) fn has_parsed_body(routine: &Fact) -> bool {
    text(routine, "definition").is_some_and(|definition| {
        definition.contains("\nRETURN ") || definition.contains("\nBEGIN ATOMIC")
    })
}

/// What must be there for a fact to be there.
pub(super) fn requires(fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let object = &fact.id.object;
    let mut ids: Vec<FactId> = match fact.id.kind {
        ObjectKind::Sequence | ObjectKind::Table => Vec::new(),
        _ => container(fact, schema).into_iter().collect(),
    };
    if !object.schema.is_empty() {
        ids.push(schema_of(object));
    }
    let reads_columns = match fact.id.kind {
        ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Rule
        | ObjectKind::Policy
        | ObjectKind::Column => true,
        ObjectKind::Routine => has_parsed_body(fact),
        _ => false,
    };
    if !matches!(fact.id.kind, ObjectKind::Owner | ObjectKind::Comment | ObjectKind::Grant) {
        // A partition's index is there before the one it is attached to takes it.
        let attached_to = text(fact, "attached-to").and_then(parsed);
        for name in fact.depends_on.iter().filter(|name| Some(*name) != attached_to.as_ref()) {
            ids.extend(named(name, reads_columns, schema));
        }
    }
    ids.extend(own_needs(fact, schema));
    ids.retain(|id| *id != fact.id);
    ids.sort();
    ids.dedup();
    ids
}

/// The facts that a dependency on an object of this name may mean.
fn named(name: &ObjectName, reads_columns: bool, schema: &Schema<'_>) -> Vec<FactId> {
    let facts = schema.of(name).iter().filter(|fact| match fact.id.kind {
        ObjectKind::Type => fact.id.part.is_empty(),
        ObjectKind::Column | ObjectKind::PrimaryKey => reads_columns,
        kind => OBJECTS.contains(&kind),
    });
    facts.map(|fact| fact.id.clone()).collect()
}

/// What the attributes of a fact say that it needs.
fn own_needs(fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let object = &fact.id.object;
    let column = |name: &String| id(ObjectKind::Column, object, name);
    match fact.id.kind {
        ObjectKind::Extension => {
            let space = text(fact, "schema").unwrap_or_default();
            vec![id(ObjectKind::Schema, &ObjectName::bare(space), "")]
        }
        ObjectKind::Table => table_needs(fact, schema),
        ObjectKind::Partition => partition_needs(fact, schema),
        ObjectKind::Column => {
            let mut ids = columns::mentioned(&views::body(fact, schema), object, schema);
            for parent in parents(object, schema) {
                ids.push(id(ObjectKind::Column, &parent, &fact.id.part));
            }
            ids
        }
        ObjectKind::PrimaryKey | ObjectKind::Unique => {
            list(fact, "columns").iter().chain(list(fact, "include")).map(column).collect()
        }
        ObjectKind::ForeignKey => {
            let mut ids: Vec<FactId> = list(fact, "columns").iter().map(column).collect();
            ids.extend(referenced_needs(fact, schema));
            ids
        }
        ObjectKind::Check | ObjectKind::Exclusion | ObjectKind::Policy => {
            columns::mentioned(&views::body(fact, schema), object, schema)
        }
        ObjectKind::Index => fact.table().map_or_else(Vec::new, |table| {
            columns::mentioned(&views::body(fact, schema), &table, schema)
        }),
        ObjectKind::Statistics => statistics_table(fact).map_or_else(Vec::new, |table| {
            columns::mentioned(&views::body(fact, schema), &table, schema)
        }),
        ObjectKind::Trigger => {
            columns::mentioned(&views::body(fact, schema), &programs::table_of(fact), schema)
        }
        ObjectKind::Sequence => sequences::owner(fact).map_or_else(Vec::new, |owner| {
            let table = id(ObjectKind::Table, &owner.object, "");
            // The column whose default asks the sequence needs it, and not the other way.
            let asks = schema.get(&owner).is_some_and(|column| {
                text(column, "default").is_some() && column.depends_on.contains(object)
            });
            if asks { vec![table] } else { vec![table, owner] }
        }),
        ObjectKind::Grant => {
            let words = fact.id.part.split(" TO ").next().unwrap_or_default();
            vec![id(ObjectKind::Owner, object, words), id(ObjectKind::Owner, object, "table")]
        }
        ObjectKind::Operator if !fact.id.part.is_empty() => {
            let family = match fact.id.part.as_str() {
                "class" => operators::family_of(fact, schema),
                _ => Some(fact),
            };
            let members = family.map_or_else(Vec::new, operators::members);
            members.iter().flat_map(|name| named(name, false, schema)).collect()
        }
        ObjectKind::Foreign => foreign_needs(fact),
        ObjectKind::Publication => {
            let Some(table) = foreign::published_table(fact) else { return Vec::new() };
            let mut ids = vec![id(ObjectKind::Table, &table, "")];
            ids.extend(columns::mentioned(&views::body(fact, schema), &table, schema));
            ids
        }
        _ => Vec::new(),
    }
}

fn table_needs(table: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let mut ids = Vec::new();
    for parent in list(table, "inherits").iter().filter_map(|parent| parsed(parent)) {
        ids.push(id(ObjectKind::Table, &parent, ""));
        ids.extend(schema.parts(ObjectKind::Column, &parent).map(|fact| fact.id.clone()));
    }
    if let Some(of) = text(table, "of-type").and_then(parsed) {
        ids.push(id(ObjectKind::Type, &of, ""));
    }
    ids
}

/// A table is attached with all that its parent has as well.
fn partition_needs(fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let object = &fact.id.object;
    if fact.id.part.is_empty() {
        return columns::mentioned(&views::body(fact, schema), object, schema);
    }
    let mut ids = Vec::new();
    for part in schema.of(object) {
        let is_shared = match part.id.kind {
            ObjectKind::Column => true,
            ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Check
            | ObjectKind::ForeignKey => flag(part, "inherited") || flag(part, "merged"),
            _ => false,
        };
        if is_shared {
            ids.push(part.id.clone());
        }
    }
    let is_attached = |index: &&Fact| {
        text(index, "attached-to").is_some() && index.table().as_ref() == Some(object)
    };
    ids.extend(schema.of_kind(ObjectKind::Index).filter(is_attached).map(|fact| fact.id.clone()));
    if let Some(table) = tables::partitioned(fact) {
        ids.push(id(ObjectKind::Table, &table, ""));
        ids.push(id(ObjectKind::Partition, &table, ""));
        ids.extend(schema.parts(ObjectKind::Column, &table).map(|fact| fact.id.clone()));
        ids.extend(schema.parts(ObjectKind::Check, &table).map(|fact| fact.id.clone()));
    }
    ids
}

/// What a foreign key refers to: a table, its columns, and whatever makes them unique.
fn referenced_needs(key: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let Some(table) = constraints::referenced(key) else { return Vec::new() };
    let referenced = list(key, "referenced-columns");
    let mut ids = vec![id(ObjectKind::Table, &table, "")];
    ids.extend(referenced.iter().map(|name| id(ObjectKind::Column, &table, name)));
    let is_over = |fact: &Fact| {
        let columns = list(fact, "columns");
        columns.len() == referenced.len() && columns.iter().all(|name| referenced.contains(name))
    };
    for part in schema.of(&table) {
        if matches!(part.id.kind, ObjectKind::PrimaryKey | ObjectKind::Unique) && is_over(part) {
            ids.push(part.id.clone());
        }
    }
    // Where there are several, nobody knows on which of them it stands.
    let unique = schema.of_kind(ObjectKind::Index).filter(|index| {
        flag(index, "unique") && index.table().as_ref() == Some(&table) && is_over(index)
    });
    ids.extend(unique.map(|index| index.id.clone()));
    ids
}

fn foreign_needs(fact: &Fact) -> Vec<FactId> {
    let of = |name: &str, part: &str| id(ObjectKind::Foreign, &ObjectName::bare(name), part);
    match fact.id.part.as_str() {
        "server" => text(fact, "wrapper").map(|name| of(name, "wrapper")).into_iter().collect(),
        "table" => text(fact, "server").map(|name| of(name, "server")).into_iter().collect(),
        "wrapper" => Vec::new(),
        _ => vec![id(ObjectKind::Foreign, &fact.id.object, "server")],
    }
}

/// The names a fact takes, with the space in which no other may have them.
pub(super) fn names(fact: &Fact) -> Vec<String> {
    let object = &fact.id.object;
    let of_constraint = |name: &str| format!("constraint {object} {name}");
    let beside = |name: &str| {
        let index = ObjectName { schema: object.schema.clone(), name: name.to_owned() };
        format!("relation {index}")
    };
    match fact.id.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => {
            vec![format!("relation {object}"), format!("type {object}")]
        }
        ObjectKind::Foreign if fact.id.part == "table" => {
            vec![format!("relation {object}"), format!("type {object}")]
        }
        ObjectKind::Index | ObjectKind::Sequence => vec![format!("relation {object}")],
        ObjectKind::Type if fact.id.part.is_empty() => {
            vec![format!("relation {object}"), format!("type {object}")]
        }
        ObjectKind::Domain => vec![format!("type {object}")],
        ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Exclusion => {
            let name = text(fact, "name").unwrap_or(&fact.id.part);
            vec![of_constraint(name), beside(name)]
        }
        ObjectKind::Check | ObjectKind::ForeignKey => vec![of_constraint(&fact.id.part)],
        ObjectKind::Column => vec![format!("column {object} {}", fact.id.part)],
        ObjectKind::Routine => vec![format!("routine {object}")],
        _ => Vec::new(),
    }
}
