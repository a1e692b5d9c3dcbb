//! What stands of each fact while rows change.
//!
//! Before the rows come tables, columns, types and what these need; what could refuse rows on their
//! way, and what only reads them, comes after. What goes is gone by then.

use std::collections::BTreeMap;

use super::{
    columns, constraints, foreign, indexes, programs, sequences, tables, types, views, words,
};
use crate::engine::ddl::{Alteration, Schema, flag, text};
use crate::engine::postgres::defaults::is_constant;
use crate::model::{Fact, ObjectKind, ObjectName};

/// What stands between a fact and what it shall be.
pub(super) fn midway(
    before: Option<&Fact>,
    after: Option<&Fact>,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Option<Fact> {
    match (before, after) {
        (_, None) => None,
        (None, Some(after)) => made(after, from, to),
        (Some(before), Some(after)) => changed(before, after, from, to),
    }
}

/// Whether a relation is new: all its rows are still to come.
fn is_new(relation: &ObjectName, from: &Schema<'_>) -> bool {
    words::relation(relation, from).is_none()
}

/// Whether a table has no rows that a column could be wrong for.
fn is_empty(table: &ObjectName, from: &Schema<'_>) -> bool {
    is_new(table, from) || !from.has_rows(table)
}

fn made(after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Option<Fact> {
    let object = &after.id.object;
    match after.id.kind {
        ObjectKind::Column if columns::is_of_view(after, to) => None,
        ObjectKind::Column => Some(column(after, from)),
        ObjectKind::Sequence if flag(after, "identity") => {
            let column = to.get(&sequences::owner(after)?)?;
            let midway = midway(from.get(&column.id), Some(column), from, to)?;
            text(&midway, "identity").map(|_| after.clone())
        }
        ObjectKind::PrimaryKey | ObjectKind::Unique => {
            let stands = match flag(after, "inherited") {
                true => {
                    has_kept_parent(after, from, to)
                        || is_new(object, from) && {
                            tables::parents(object, to).iter().all(|parent| is_new(parent, from))
                        }
                }
                false => is_new(object, from),
            };
            stands.then(|| after.clone())
        }
        ObjectKind::Check if flag(after, "domain") => {
            from.object(ObjectKind::Domain, object).is_none().then(|| after.clone())
        }
        ObjectKind::Check => {
            (is_new(object, from) && super::structure::is_inline(after, to)).then(|| after.clone())
        }
        ObjectKind::ForeignKey if flag(after, "inherited") => {
            has_kept_parent(after, from, to).then(|| after.clone())
        }
        ObjectKind::Index if text(after, "attached-to").is_some() => {
            let parent = super::spelling::parsed(text(after, "attached-to")?)?;
            let new = to.object(ObjectKind::Index, &parent)?;
            stands(new, from, to).then(|| after.clone())
        }
        ObjectKind::Trigger if flag(after, "inherited") => {
            let is_kept = tables::parents(&programs::table_of(after), to).iter().any(|parent| {
                let id = |schema: &Schema<'_>| {
                    schema.part(ObjectKind::Trigger, object, &parent.name).cloned()
                };
                id(from).is_some() && id(from) == id(to)
            });
            is_kept.then(|| after.clone())
        }
        ObjectKind::Routine if is_of_new_view(after, from, to) => None,
        kind => comes_before_rows(kind).then(|| after.clone()),
    }
}

/// Whether a routine takes or gives rows of a view that comes after the rows.
fn is_of_new_view(routine: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    routine.depends_on.iter().any(|name| {
        [ObjectKind::View, ObjectKind::MaterializedView]
            .iter()
            .filter_map(|kind| to.object(*kind, name))
            .any(|view| !stands(view, from, to))
    })
}

/// Whether what is new of a kind is there while rows change.
fn comes_before_rows(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Setting
            | ObjectKind::Schema
            | ObjectKind::Extension
            | ObjectKind::Collation
            | ObjectKind::Type
            | ObjectKind::Domain
            | ObjectKind::Sequence
            | ObjectKind::Table
            | ObjectKind::Column
            | ObjectKind::Partition
            | ObjectKind::Routine
            | ObjectKind::Operator
            | ObjectKind::Cast
            | ObjectKind::TextSearch
            | ObjectKind::Foreign
    )
}

/// Whether a fact of the wanted schema is there while rows change.
fn stands(wanted: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    match from.get(&wanted.id) {
        Some(old) if old.attributes == wanted.attributes => true,
        old => midway(old, Some(wanted), from, to).is_some_and(|fact| fact == *wanted),
    }
}

/// Whether the partitioned table has the same constraint already, which a new partition gets when
/// it is attached.
fn has_kept_parent(constraint: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let columns = |fact: &Fact| fact.attributes.get("columns").cloned();
    tables::parents(&constraint.id.object, to).iter().any(|parent| {
        to.parts(constraint.id.kind, parent)
            .any(|fact| columns(fact) == columns(constraint) && stands(fact, from, to))
    })
}

/// A new column: rows that are there have nothing for it yet.
fn column(after: &Fact, from: &Schema<'_>) -> Fact {
    let mut column = after.clone();
    if !is_new(&after.id.object, from) && !columns::fills_rows(after, from) {
        // It may need what belongs to the column, as a sequence does.
        super::yielding::remove_default(&mut column);
    }
    if is_empty(&after.id.object, from) {
        return column;
    }
    if text(after, "identity").is_some() || !columns::fills_rows(after, from) {
        without_not_null(&mut column);
        column.attributes.remove("identity");
    }
    column
}

fn without_not_null(column: &mut Fact) {
    for name in ["not-null", "not-null-name", "not-null-not-valid", "not-null-no-inherit"] {
        column.attributes.remove(name);
    }
}

fn changed(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Option<Fact> {
    let keeps = |alteration: Alteration| match alteration {
        Alteration::InPlace(_) => Some(before.clone()),
        _ => None,
    };
    match after.id.kind {
        ObjectKind::Column if columns::is_of_view(after, to) => Some(before.clone()),
        ObjectKind::Column => changed_column(before, after, from),
        ObjectKind::Sequence => {
            (flag(before, "identity") == flag(after, "identity")).then(|| after.clone())
        }
        ObjectKind::Type if text(after, "kind") == Some("ENUM") => {
            let is_enum = text(before, "kind") == Some("ENUM");
            Some(if is_enum { types::between(before, after) } else { after.clone() })
        }
        ObjectKind::Domain => {
            let mut domain = after.clone();
            if !flag(before, "not-null") {
                without_not_null(&mut domain);
            }
            Some(domain)
        }
        ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::Check
        | ObjectKind::ForeignKey => keeps(constraints::alter(before, after, to)),
        ObjectKind::Index => keeps(indexes::alter(before, after, true)),
        ObjectKind::Statistics => keeps(indexes::alter_statistics(before, after)),
        ObjectKind::View | ObjectKind::MaterializedView => keeps(views::alter(before, after)),
        ObjectKind::Owner | ObjectKind::Grant | ObjectKind::DefaultGrant | ObjectKind::Comment => {
            Some(before.clone())
        }
        ObjectKind::Publication => keeps(foreign::republish(before, after)),
        ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy | ObjectKind::EventTrigger => {
            None
        }
        _ => Some(after.clone()),
    }
}

/// A column while rows change: of the new type, with a NOT NULL only where it had one.
fn changed_column(before: &Fact, after: &Fact, from: &Schema<'_>) -> Option<Fact> {
    let computed = (text(before, "generated").is_some(), text(after, "generated").is_some());
    let is_recomputed = ["generated", "stored"]
        .iter()
        .any(|name| before.attributes.get(*name) != after.attributes.get(*name));
    if is_recomputed || computed.0 != computed.1 {
        return Some(column(after, from));
    }
    let mut midway = after.clone();
    let default = (text(before, "default"), text(after, "default"));
    if default.0 != default.1 && !default.1.is_some_and(is_constant) {
        super::yielding::remove_default(&mut midway);
    }
    if text(before, "identity").is_some() != text(after, "identity").is_some() {
        midway.attributes.remove("identity");
        super::yielding::remove_default(&mut midway);
    }
    if is_empty(&after.id.object, from) {
        return Some(midway);
    }
    let not_null: BTreeMap<_, _> = before
        .attributes
        .iter()
        .filter(|(name, _)| name.starts_with("not-null"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if flag(after, "not-null") {
        // What it is called and how it holds is told when the rows are there.
        without_not_null(&mut midway);
        midway.attributes.extend(not_null);
    }
    Some(midway)
}
