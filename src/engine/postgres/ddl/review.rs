//! What a reviewer has to know of a step, and where a step stands when nothing else orders it.

use super::casts::{Conversion, conversion};
use super::{columns, foreign, programs, reach, structure};
use crate::engine::ddl::{FactChange, Schema, StepHazard, flag, list, text};
use crate::model::{Fact, ObjectKind, ObjectName};

const EXCLUSIVE: &str = "ACCESS EXCLUSIVE";
const SHARE: &str = "SHARE";
const SHARE_ROW: &str = "SHARE ROW EXCLUSIVE";
pub(super) const SHARE_UPDATE: &str = "SHARE UPDATE EXCLUSIVE";

/// The order of kinds, as they are made.
const ORDER: [ObjectKind; 34] = [
    ObjectKind::Setting,
    ObjectKind::DefaultGrant,
    ObjectKind::Schema,
    ObjectKind::Extension,
    ObjectKind::Collation,
    ObjectKind::Type,
    ObjectKind::Domain,
    ObjectKind::Sequence,
    ObjectKind::Operator,
    ObjectKind::Cast,
    ObjectKind::TextSearch,
    ObjectKind::Foreign,
    ObjectKind::Table,
    ObjectKind::Column,
    // Functions may take and give rows of tables, which the server notes nowhere.
    ObjectKind::Routine,
    ObjectKind::Check,
    ObjectKind::Partition,
    ObjectKind::PrimaryKey,
    ObjectKind::Unique,
    ObjectKind::Exclusion,
    ObjectKind::Index,
    ObjectKind::ForeignKey,
    ObjectKind::Statistics,
    ObjectKind::View,
    ObjectKind::MaterializedView,
    ObjectKind::Rule,
    ObjectKind::Trigger,
    ObjectKind::Policy,
    ObjectKind::Publication,
    ObjectKind::Owner,
    ObjectKind::Grant,
    ObjectKind::Comment,
    ObjectKind::EventTrigger,
    ObjectKind::VirtualTable,
];

/// Where a step stands: what goes first, against the order in which it was made. What a partition
/// has of an index or a constraint is made before that of the partitioned table, which takes it, and
/// goes after it.
pub(super) fn rank(change: FactChange<'_>) -> u16 {
    let place = |fact: &Fact| {
        let place = ORDER.iter().position(|kind| *kind == fact.id.kind).unwrap_or(ORDER.len());
        let is_taken = flag(fact, "inherited") || text(fact, "attached-to").is_some();
        2 * u16::try_from(place).unwrap_or(200) + u16::from(!is_taken)
    };
    match change {
        FactChange::Dropped(fact) => 1000 - place(fact),
        // New privileges by default must not reach what is made meanwhile.
        FactChange::Created(fact) if fact.id.kind == ObjectKind::DefaultGrant => 2000,
        FactChange::Altered(_, fact) | FactChange::Created(fact) => 1000 + place(fact),
    }
}

/// What a reviewer has to know.
pub(super) fn hazards(change: FactChange<'_>, schema: &Schema<'_>) -> Vec<StepHazard> {
    let (mut hazards, fact) = match change {
        FactChange::Created(fact) => (created(fact, schema), fact),
        FactChange::Dropped(fact) => (dropped(fact, schema), fact),
        FactChange::Altered(before, after) => (altered(before, after, schema), after),
    };
    hazards.extend(beside(fact, schema));
    go_down(fact, &mut hazards, schema);
    hazards.sort();
    hazards.dedup();
    hazards
}

fn lock(mode: &'static str, table: &ObjectName) -> StepHazard {
    StepHazard::Lock { mode, table: table.to_string() }
}

/// What is locked of tables that a fact is about and no part of.
fn beside(fact: &Fact, schema: &Schema<'_>) -> Vec<StepHazard> {
    match fact.id.kind {
        ObjectKind::Owner | ObjectKind::Comment => {
            let mode = if fact.id.kind == ObjectKind::Owner { EXCLUSIVE } else { SHARE_UPDATE };
            let subject = structure::container(fact, schema).and_then(|id| schema.get(&id));
            // These are relations, or of no table, for the server.
            let own = [ObjectKind::Index, ObjectKind::Statistics];
            let subject = subject.filter(|subject| !own.contains(&subject.id.kind));
            subject.and_then(table_of).map(|table| lock(mode, &table)).into_iter().collect()
        }
        ObjectKind::Publication => {
            let table = foreign::published_table(fact);
            table.map(|table| lock(SHARE_UPDATE, &table)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What is locked of a table is locked of those below it, where the statement goes down to them.
fn go_down(fact: &Fact, hazards: &mut Vec<StepHazard>, schema: &Schema<'_>) {
    let Some(table) = table_of(fact).filter(|_| reach::goes_down(fact)) else { return };
    let name = table.to_string();
    let modes: Vec<&'static str> = hazards
        .iter()
        .filter_map(|hazard| match hazard {
            StepHazard::Lock { mode, table } if *table == name => Some(*mode),
            _ => None,
        })
        .collect();
    for below in reach::descendants(&table, schema) {
        hazards.extend(modes.iter().map(|mode| lock(mode, &below)));
    }
}

/// Of a change of a domain: its values are looked for in every table that has some.
fn of_domain(domain: &ObjectName, schema: &Schema<'_>) -> Vec<StepHazard> {
    let tables = reach::users_of_domain(domain, schema);
    let mut hazards: Vec<StepHazard> = tables.iter().map(|table| lock(SHARE, table)).collect();
    if !hazards.is_empty() {
        hazards.push(StepHazard::Scan);
    }
    hazards
}

/// The table that a fact is a part of.
fn table_of(fact: &Fact) -> Option<ObjectName> {
    match fact.id.kind {
        ObjectKind::Index | ObjectKind::Statistics => fact.table(),
        ObjectKind::Trigger => Some(programs::table_of(fact)),
        ObjectKind::Check if flag(fact, "domain") => None,
        ObjectKind::Table
        | ObjectKind::Column
        | ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::Check
        | ObjectKind::ForeignKey
        | ObjectKind::Partition
        | ObjectKind::Rule
        | ObjectKind::Policy => Some(fact.id.object.clone()),
        _ => None,
    }
}

/// What changes who may do what, or what happens by itself.
fn is_behaviour(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Trigger
            | ObjectKind::EventTrigger
            | ObjectKind::Rule
            | ObjectKind::Policy
            | ObjectKind::Routine
            | ObjectKind::Owner
            | ObjectKind::Grant
            | ObjectKind::DefaultGrant
            | ObjectKind::Publication
    )
}

fn created(fact: &Fact, schema: &Schema<'_>) -> Vec<StepHazard> {
    let mut hazards = Vec::new();
    if is_behaviour(fact.id.kind) {
        hazards.push(StepHazard::Behaviour);
    }
    if fact.id.kind == ObjectKind::Check && flag(fact, "domain") && !flag(fact, "not-valid") {
        return of_domain(&fact.id.object, schema);
    }
    let Some(table) = table_of(fact) else { return hazards };
    match fact.id.kind {
        ObjectKind::Table => {}
        ObjectKind::Column => {
            hazards.push(lock(EXCLUSIVE, &table));
            let is_written = flag(fact, "stored")
                || text(fact, "identity").is_some()
                || text(fact, "type")
                    .and_then(super::types::own_type)
                    .is_some_and(|name| schema.object(ObjectKind::Domain, &name).is_some());
            if is_written {
                hazards.push(StepHazard::Rewrite);
            }
        }
        ObjectKind::Index => {
            hazards.extend([lock(SHARE, &table), StepHazard::Scan]);
        }
        ObjectKind::ForeignKey => {
            hazards.push(lock(SHARE_ROW, &table));
            if let Some(referenced) = super::constraints::referenced(fact) {
                hazards.push(lock(SHARE_ROW, &referenced));
                let below = reach::descendants(&referenced, schema);
                hazards.extend(below.iter().map(|table| lock(SHARE_ROW, table)));
            }
            if !flag(fact, "not-valid") && !flag(fact, "not-enforced") {
                hazards.push(StepHazard::Scan);
            }
        }
        ObjectKind::Check => {
            hazards.push(lock(EXCLUSIVE, &table));
            if !flag(fact, "not-valid") && !flag(fact, "not-enforced") {
                hazards.push(StepHazard::Scan);
            }
        }
        ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Exclusion => {
            hazards.extend([lock(EXCLUSIVE, &table), StepHazard::Scan]);
        }
        ObjectKind::Trigger => hazards.push(lock(SHARE_ROW, &table)),
        ObjectKind::Statistics => hazards.push(lock(SHARE_UPDATE, &table)),
        ObjectKind::Partition if fact.id.part == "bound" => {
            hazards.extend([lock(EXCLUSIVE, &table), StepHazard::Scan]);
            if let Some(parent) = super::tables::partitioned(fact) {
                hazards.push(lock(SHARE_UPDATE, &parent));
                // Its rows are looked through for those that belong to the new one.
                let rest = reach::default_partition(&parent, schema);
                hazards.extend(rest.map(|rest| lock(EXCLUSIVE, &rest)));
            }
        }
        _ => hazards.push(lock(EXCLUSIVE, &table)),
    }
    hazards
}

fn dropped(fact: &Fact, schema: &Schema<'_>) -> Vec<StepHazard> {
    let mut hazards = Vec::new();
    if is_behaviour(fact.id.kind) {
        hazards.push(StepHazard::Behaviour);
    }
    let Some(table) = table_of(fact) else { return hazards };
    match fact.id.kind {
        ObjectKind::Statistics => hazards.push(lock(SHARE_UPDATE, &table)),
        ObjectKind::ForeignKey => {
            hazards.push(lock(EXCLUSIVE, &table));
            hazards.extend(super::constraints::referenced(fact).map(|t| lock(EXCLUSIVE, &t)));
        }
        ObjectKind::Partition => {
            hazards.push(lock(EXCLUSIVE, &table));
            hazards.extend(of_parent(fact, schema));
        }
        ObjectKind::Table => {
            hazards.push(lock(EXCLUSIVE, &table));
            // Its foreign keys go with it, and their halves at the other end.
            hazards.extend(reach::referenced(&table, schema).iter().map(|t| lock(EXCLUSIVE, t)));
        }
        _ => hazards.push(lock(EXCLUSIVE, &table)),
    }
    hazards
}

/// What a partition that goes takes of the table that it was of.
fn of_parent(bound: &Fact, schema: &Schema<'_>) -> Vec<StepHazard> {
    let Some(parent) = super::tables::partitioned(bound) else { return Vec::new() };
    let rest = reach::default_partition(&parent, schema);
    rest.into_iter().chain([parent]).map(|table| lock(EXCLUSIVE, &table)).collect()
}

fn altered(before: &Fact, after: &Fact, schema: &Schema<'_>) -> Vec<StepHazard> {
    let mut hazards = Vec::new();
    if is_behaviour(after.id.kind) {
        hazards.push(StepHazard::Behaviour);
    }
    let differs = |name: &str| before.attributes.get(name) != after.attributes.get(name);
    if after.id.kind == ObjectKind::Domain && flag(after, "not-null") && !flag(before, "not-null") {
        return of_domain(&after.id.object, schema);
    }
    let Some(table) = table_of(after) else { return hazards };
    match after.id.kind {
        ObjectKind::Column => {
            let differing = super::constraints::differing(before, after);
            let is_light = differing.iter().all(|name| name == "statistics" || name == "options");
            hazards.push(lock(if is_light { SHARE_UPDATE } else { EXCLUSIVE }, &table));
            if columns::is_retyped(before, after) {
                hazards.extend(retyped(before, after, schema));
            }
            if flag(after, "not-null") && !flag(before, "not-null") {
                hazards.push(StepHazard::Scan);
            }
        }
        ObjectKind::Table => {
            let is_light = super::constraints::differing(before, after) == ["options"];
            hazards.push(lock(if is_light { SHARE_UPDATE } else { EXCLUSIVE }, &table));
            if differs("unlogged") || differs("access-method") || differs("tablespace") {
                hazards.push(StepHazard::Rewrite);
            }
        }
        ObjectKind::Check | ObjectKind::ForeignKey if differs("not-valid") => {
            hazards.extend([lock(SHARE_UPDATE, &table), StepHazard::Scan]);
        }
        ObjectKind::Partition => {
            hazards.extend([lock(EXCLUSIVE, &table), StepHazard::Scan]);
            hazards.extend(of_parent(before, schema));
        }
        ObjectKind::Statistics => hazards.push(lock(SHARE_UPDATE, &table)),
        ObjectKind::Trigger => hazards.push(lock(SHARE_ROW, &table)),
        _ => {
            let is_light = super::constraints::differing(before, after) == ["clustered"];
            hazards.push(lock(if is_light { SHARE_UPDATE } else { EXCLUSIVE }, &table));
        }
    }
    hazards
}

/// What the server does to the rows of a column whose type changes.
fn retyped(before: &Fact, after: &Fact, schema: &Schema<'_>) -> Vec<StepHazard> {
    let (Some(old), Some(new)) = (text(before, "type"), text(after, "type")) else {
        return vec![StepHazard::Rewrite];
    };
    if is_wider(old, new) {
        return Vec::new();
    }
    let mut hazards = vec![StepHazard::Rewrite];
    let is_asked_for =
        matches!(conversion(old, new, schema, schema), Conversion::Explicit | Conversion::Text);
    if !is_asked_for && !takes_all(old, new) && old != new {
        hazards.push(StepHazard::Narrows);
    }
    hazards
}

/// Whether every value of the one type is one of the other, exactly.
fn takes_all(old: &str, new: &str) -> bool {
    let grows = [
        ("smallint", "integer"),
        ("smallint", "bigint"),
        ("integer", "bigint"),
        ("smallint", "numeric"),
        ("integer", "numeric"),
        ("bigint", "numeric"),
        ("real", "double precision"),
        ("date", "timestamp without time zone"),
    ];
    grows.contains(&(old, new)) || new == "text" || new == "character varying"
}

/// Whether the server may refuse values of a column, or change them, when its type changes.
pub(super) fn may_refuse_values(before: &Fact, after: &Fact, schema: &Schema<'_>) -> bool {
    let is_data = |fact: &Fact| {
        fact.id.kind == ObjectKind::Column
            && text(fact, "generated").is_none()
            && !columns::is_of_view(fact, schema)
    };
    match (text(before, "type"), text(after, "type")) {
        (Some(old), Some(new)) if is_data(before) && is_data(after) => {
            let is_told_apart = || is_written_otherwise(old, new) && is_in_key(before, schema);
            !is_wider(old, new) && (!takes_all(old, new) || is_told_apart())
        }
        _ => false,
    }
}

/// Whether values stay what they are and are other ones to whoever orders rows by them: a number
/// that becomes text is equal to no number.
fn is_written_otherwise(old: &str, new: &str) -> bool {
    let numbers = ["smallint", "integer", "bigint", "numeric"];
    let are_numbers = numbers.contains(&old) && numbers.contains(&new);
    takes_all(old, new) && !is_wider(old, new) && !are_numbers
}

/// Whether a column is in something that no two rows may have alike.
fn is_in_key(column: &Fact, schema: &Schema<'_>) -> bool {
    let (table, name) = (&column.id.object, &column.id.part);
    let has = |fact: &Fact| list(fact, "columns").contains(name);
    let is_key = |kind| schema.parts(kind, table).any(has);
    is_key(ObjectKind::PrimaryKey)
        || is_key(ObjectKind::Unique)
        || schema.indexes(table).filter(|index| flag(index, "unique")).any(|index| {
            let body = super::views::body(index, schema);
            columns::mentioned(&body, table, schema).contains(&column.id)
        })
}

/// Whether the server takes values of the one type for values of the other as they are.
fn is_wider(old: &str, new: &str) -> bool {
    let split = |name: &str| -> (String, Option<Vec<i64>>) {
        // Of what stands behind the numbers, as in arrays, nothing is known.
        let split = name.strip_suffix(')').and_then(|name| name.split_once('('));
        let Some((base, numbers)) = split else { return (name.to_owned(), None) };
        let numbers = numbers.split(',').filter_map(|n| n.parse().ok());
        (base.to_owned(), Some(numbers.collect()))
    };
    let ((old, old_numbers), (new, new_numbers)) = (split(old), split(new));
    let is_text = |name: &str| name == "text" || name == "character varying";
    match (old_numbers, new_numbers) {
        (_, None) if is_text(&old) && is_text(&new) => true,
        (Some(a), Some(b)) if old == new && old == "character varying" => a <= b,
        (Some(a), Some(b)) if old == new && old == "numeric" => {
            a.len() == 2 && b.len() == 2 && a[1] == b[1] && a[0] <= b[0]
        }
        (Some(_), None) if old == new && old == "numeric" => true,
        (None, None) => old == new,
        _ => false,
    }
}

/// Whether what is remade may wait until the rows are changed: it does not help to find or write
/// them.
pub(super) fn can_wait(fact: &Fact) -> bool {
    match fact.id.kind {
        ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Rule
        | ObjectKind::Policy
        | ObjectKind::Trigger
        | ObjectKind::EventTrigger
        | ObjectKind::Statistics
        | ObjectKind::Publication
        | ObjectKind::ForeignKey
        | ObjectKind::Exclusion
        | ObjectKind::Check
        | ObjectKind::Owner
        | ObjectKind::Grant
        | ObjectKind::DefaultGrant
        | ObjectKind::Comment => true,
        ObjectKind::Index => !list(fact, "terms").is_empty() || text(fact, "where").is_some(),
        _ => false,
    }
}
