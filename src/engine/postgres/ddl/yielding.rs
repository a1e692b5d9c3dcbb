//! What a fact that stays does when something it needs goes or changes.
//!
//! The server keeps what it has parsed: a view, a rule, a policy or a generated column does not let
//! a column's type change below it. Keys and plain indexes it makes anew by itself.

use super::spelling::{mentions, parsed};
use super::views::body;
use super::{columns, structure, types};
use crate::engine::ddl::{Break, Schema, Yielding, flag, list, text};
use crate::model::{Attribute, Fact, ObjectKind};

/// What a fact has to do.
pub(super) fn yields(fact: &Fact, needed: &Fact, broken: Break<'_>, from: &Schema<'_>) -> Yielding {
    let is_gone = broken == Break::Gone;
    let gone = || if is_gone { Yielding::Remade } else { Yielding::Stands };
    match fact.id.kind {
        ObjectKind::Grant if needed.id.kind == ObjectKind::Owner => Yielding::Remade,
        ObjectKind::Owner | ObjectKind::Grant | ObjectKind::Comment | ObjectKind::DefaultGrant => {
            gone()
        }
        ObjectKind::Column => column(fact, needed, broken, from),
        ObjectKind::Table => table(fact, needed, is_gone),
        ObjectKind::Domain => domain(fact, needed, is_gone),
        ObjectKind::Partition => partition(fact, needed, broken),
        ObjectKind::ForeignKey => match needed.id.kind {
            ObjectKind::Column if is_retyped(needed, broken) => Yielding::Remade,
            _ => gone(),
        },
        ObjectKind::PrimaryKey | ObjectKind::Unique => gone(),
        ObjectKind::Index => match needed.id.kind {
            ObjectKind::Column if !is_gone && is_retyped(needed, broken) => index(fact, needed),
            _ => gone(),
        },
        ObjectKind::Setting | ObjectKind::Schema => Yielding::Stands,
        ObjectKind::Sequence if is_gone && !flag(fact, "identity") => released(fact, needed),
        ObjectKind::Extension | ObjectKind::Sequence => Yielding::Stands,
        _ => reading(fact, needed, broken, from),
    }
}

/// A sequence outlives the column that owns it, with its position.
fn released(sequence: &Fact, needed: &Fact) -> Yielding {
    if super::sequences::owner(sequence).is_none_or(|owner| owner != needed.id) {
        return Yielding::Stands;
    }
    let mut free = sequence.clone();
    free.attributes.remove("owned-by");
    Yielding::Weakened(free)
}

/// Whether a column becomes one that what reads it does not know.
fn is_retyped(needed: &Fact, broken: Break<'_>) -> bool {
    match broken {
        Break::Gone => true,
        Break::Altered(after) => columns::is_retyped(needed, after),
    }
}

/// What the server has parsed: views, rules, policies, checks, triggers, routines with a body, …
fn reading(fact: &Fact, needed: &Fact, broken: Break<'_>, from: &Schema<'_>) -> Yielding {
    let body = body(fact, from);
    let is_hit = match needed.id.kind {
        ObjectKind::Column => {
            // A whole row has every column.
            is_retyped(needed, broken) && (mentions(&body, &needed.id.part) || body.contains(".*"))
        }
        ObjectKind::PrimaryKey => broken == Break::Gone && body.contains("GROUP BY"),
        _ => broken == Break::Gone,
    };
    if is_hit { Yielding::Remade } else { Yielding::Stands }
}

/// A plain index is made anew with its column; what stands in an expression is not understood, and
/// targets of statistics would be lost.
fn index(index: &Fact, column: &Fact) -> Yielding {
    let is_plain = list(index, "terms").is_empty()
        && text(index, "where").is_none()
        && list(index, "statistics").is_empty()
        && list(index, "operator-classes").is_empty()
        && list(index, "index-collations").is_empty()
        && list(index, "columns").contains(&column.id.part);
    if is_plain { Yielding::Stands } else { Yielding::Remade }
}

fn column(fact: &Fact, needed: &Fact, broken: Break<'_>, from: &Schema<'_>) -> Yielding {
    let is_gone = broken == Break::Gone;
    let is_own = needed.id.object == fact.id.object;
    match needed.id.kind {
        ObjectKind::Column if is_own => {
            let is_hit = is_retyped(needed, broken) && text(fact, "generated").is_some();
            if is_hit { Yielding::Remade } else { Yielding::Stands }
        }
        ObjectKind::Column => {
            let is_row = is_row_of(fact, needed);
            match is_row && is_retyped(needed, broken) {
                true => as_text(fact, from),
                false => Yielding::Stands,
            }
        }
        ObjectKind::Type | ObjectKind::Domain if is_gone => as_text(fact, from),
        ObjectKind::Table if is_gone && is_row_of(fact, needed) => as_text(fact, from),
        ObjectKind::Collation if is_gone => {
            if text(fact, "generated").is_some() {
                return Yielding::Remade;
            }
            let mut weaker = fact.clone();
            weaker.attributes.remove("collation");
            weaker.attributes.remove("default");
            depends_by_type(&mut weaker);
            Yielding::Weakened(weaker)
        }
        ObjectKind::Extension if is_gone => Yielding::Refused(format!(
            "the column {} needs the extension {}",
            fact.id, needed.id.object
        )),
        ObjectKind::Routine | ObjectKind::Sequence | ObjectKind::Operator if is_gone => {
            without_default(fact)
        }
        ObjectKind::TextSearch if is_gone => without_default(fact),
        _ => Yielding::Stands,
    }
}

/// Whether a column holds rows of a table.
fn is_row_of(column: &Fact, needed: &Fact) -> bool {
    text(column, "type").and_then(types::own_type).is_some_and(|name| name == needed.id.object)
}

fn without_default(column: &Fact) -> Yielding {
    if text(column, "generated").is_some() {
        return Yielding::Remade;
    }
    let mut weaker = column.clone();
    match remove_default(&mut weaker) {
        true => Yielding::Weakened(weaker),
        false => Yielding::Stands,
    }
}

/// Takes the default from a column, with what it needs; tells whether there was one.
pub(super) fn remove_default(column: &mut Fact) -> bool {
    let had_one = column.attributes.remove("default").is_some();
    if had_one {
        depends_by_type(column);
    }
    had_one
}

/// What a column without a default depends on: its type and its collation, and extensions, which
/// either may be of.
fn depends_by_type(column: &mut Fact) {
    let own = text(column, "type").and_then(types::own_type);
    let collation = text(column, "collation").and_then(parsed);
    column.depends_on.retain(|name| {
        name.schema.is_empty() || Some(name) == own.as_ref() || Some(name) == collation.as_ref()
    });
}

/// A column whose type is made anew holds text meanwhile.
fn as_text(column: &Fact, from: &Schema<'_>) -> Yielding {
    if text(column, "generated").is_some() {
        return Yielding::Remade;
    }
    if structure::is_in_partition_key(column, from) {
        return Yielding::Refused(format!(
            "the column {} is in the key by which its table is partitioned, and its type has to be \
             made anew",
            column.id
        ));
    }
    // A default of the type, whose column is of another.
    let is_of_type = text(column, "type").and_then(types::own_type).is_some();
    if !is_of_type {
        return without_default(column);
    }
    let is_array = text(column, "type").is_some_and(|declared| declared.ends_with("[]"));
    let mut weaker = column.clone();
    let name = if is_array { "text[]" } else { "text" };
    weaker.attributes.insert("type".to_owned(), Attribute::Text(name.to_owned()));
    for name in ["default", "collation", "storage", "compression"] {
        weaker.attributes.remove(name);
    }
    weaker.depends_on.clear();
    Yielding::Weakened(weaker)
}

/// A table of a type is one of its own while the type is made anew.
fn table(table: &Fact, needed: &Fact, is_gone: bool) -> Yielding {
    let mut weaker = table.clone();
    match needed.id.kind {
        ObjectKind::Type if is_gone && weaker.attributes.remove("of-type").is_some() => {
            Yielding::Weakened(weaker)
        }
        _ => Yielding::Stands,
    }
}

fn domain(domain: &Fact, needed: &Fact, is_gone: bool) -> Yielding {
    let is_base =
        text(domain, "type").and_then(types::own_type).is_some_and(|name| name == needed.id.object);
    let is_collation = needed.id.kind == ObjectKind::Collation;
    match (is_gone, is_base || is_collation) {
        (false, _) => Yielding::Stands,
        (true, true) => Yielding::Remade,
        (true, false) => {
            let mut weaker = domain.clone();
            match weaker.attributes.remove("default") {
                Some(_) => Yielding::Weakened(weaker),
                None => Yielding::Stands,
            }
        }
    }
}

fn partition(partition: &Fact, needed: &Fact, broken: Break<'_>) -> Yielding {
    let is_key = partition.id.part.is_empty();
    let is_hit = match needed.id.kind {
        ObjectKind::Column => is_key && is_retyped(needed, broken),
        ObjectKind::Routine | ObjectKind::Type | ObjectKind::Collation => broken == Break::Gone,
        _ => false,
    };
    match is_hit {
        true => Yielding::Refused(format!(
            "the table {} is partitioned by what depends on {}",
            partition.id.object, needed.id
        )),
        false => Yielding::Stands,
    }
}

/// What a fact is that needs less.
pub(super) fn weaker(fact: &Fact) -> Option<Fact> {
    if fact.id.kind != ObjectKind::Column || flag(fact, "inherited") {
        return None;
    }
    let mut weaker = fact.clone();
    remove_default(&mut weaker).then_some(weaker)
}
