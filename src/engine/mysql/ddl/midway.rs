//! What stands while rows change.
//!
//! Nothing that could refuse a row on its way, everything that holds its values: what is new takes
//! what it can of what is there, and what goes asks for nothing any more. Every statement commits,
//! so what is gone is gone; tables, columns and partitions go last.

use std::collections::BTreeMap;

use super::types::{self, Relation};
use super::{column, partition};
use crate::engine::ddl::{Schema, flag, list, text};
use crate::model::{Attribute, Fact, ObjectKind, ObjectName};

/// Whether something may be made after the rows that had to go before them.
pub(super) fn can_wait(fact: &Fact) -> bool {
    matches!(
        fact.id.kind,
        ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Index
            | ObjectKind::Check
            | ObjectKind::ForeignKey
            | ObjectKind::View
            | ObjectKind::Trigger
            | ObjectKind::Event
            | ObjectKind::Routine
    )
}

/// What stands of a fact that differs.
pub(super) fn midway(
    before: Option<&Fact>,
    after: Option<&Fact>,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Option<Fact> {
    let fact = after.or(before)?;
    let table = match fact.id.kind {
        ObjectKind::Trigger | ObjectKind::Event | ObjectKind::View | ObjectKind::ForeignKey => {
            return None;
        }
        // What was there is there, until it is another one.
        ObjectKind::Routine => return before.cloned(),
        ObjectKind::Setting => return after.cloned(),
        ObjectKind::Sequence => return sequence(before, after, to),
        ObjectKind::Table => return table(before, after),
        _ => &fact.id.object,
    };
    let is_there = |schema: &Schema<'_>| schema.object(ObjectKind::Table, table).is_some();
    match (is_there(from), is_there(to)) {
        (false, _) => return after.cloned(),
        (_, false) => return before.cloned(),
        _ => {}
    }
    match fact.id.kind {
        ObjectKind::Column => {
            let mut middle = column_midway(before, after, from, to)?;
            let is_versioned = |schema: &Schema<'_>| {
                let table = schema.object(ObjectKind::Table, table);
                table.is_some_and(|table| flag(table, "system-versioned"))
            };
            if !is_versioned(from) || !is_versioned(to) {
                middle.attributes.remove("without-system-versioning");
            }
            let place = place(&middle, from, to);
            set_text(&mut middle, "after", place);
            Some(middle)
        }
        ObjectKind::PrimaryKey | ObjectKind::Unique => key(before, after, from, to),
        ObjectKind::Index => index(before),
        ObjectKind::Check => check(before, after),
        ObjectKind::Partition => partitioning(before, after, from, to),
        _ => after.cloned(),
    }
}

fn set_text(fact: &mut Fact, name: &str, value: Option<String>) {
    match value {
        Some(value) => {
            fact.attributes.insert(name.to_owned(), Attribute::Text(value));
        }
        None => {
            fact.attributes.remove(name);
        }
    }
}

fn sequence(before: Option<&Fact>, after: Option<&Fact>, to: &Schema<'_>) -> Option<Fact> {
    match (before, after) {
        (_, Some(after)) => Some(after.clone()),
        // Its name may be that of a table, which is needed by then.
        (Some(before), None) => {
            to.object(ObjectKind::Table, &before.id.object).is_none().then(|| before.clone())
        }
        (None, None) => None,
    }
}

fn table(before: Option<&Fact>, after: Option<&Fact>) -> Option<Fact> {
    let (Some(before), Some(after)) = (before, after) else { return after.or(before).cloned() };
    let mut middle = after.clone();
    // Rows that are about to change leave no history, unless they always did.
    if !flag(before, "system-versioned") {
        middle.attributes.remove("system-versioned");
    }
    let periods: Vec<String> = list(after, "periods")
        .iter()
        .filter(|period| list(before, "periods").contains(period))
        .cloned()
        .collect();
    match periods.is_empty() {
        true => middle.attributes.remove("periods"),
        false => middle.attributes.insert("periods".to_owned(), Attribute::List(periods)),
    };
    Some(middle)
}

fn column_midway(
    before: Option<&Fact>,
    after: Option<&Fact>,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Option<Fact> {
    match (before, after) {
        (None, Some(after)) => new_column(after),
        (Some(before), None) => {
            let mut middle = going_column(before, to)?;
            if column::is_in_key(&before.id, from) {
                // Rows are written by what tells them apart, and new ones have none of it.
                middle.attributes.remove("not-null");
                middle.attributes.remove("default");
            }
            Some(middle)
        }
        (Some(before), Some(after)) => {
            let is_generated = |fact: &Fact| text(fact, "generated").is_some();
            match (is_generated(before), is_generated(after)) {
                (true, true) if column::is_remade(before, after, from, to) => {
                    // Nothing is computed for rows that are there before somebody asks.
                    Some(if flag(after, "stored") { before.clone() } else { after.clone() })
                }
                (true, true) => Some(after.clone()),
                (false, true) => Some(weakened(before)),
                (true, false) => Some(filled(after)),
                (false, false) if column::is_remade(before, after, from, to) => Some(filled(after)),
                (false, false) => Some(changed_column(before, after)),
            }
        }
        (None, None) => None,
    }
}

/// A new column. What is computed is computed when the rows are there.
fn new_column(after: &Fact) -> Option<Fact> {
    text(after, "generated").is_none().then(|| filled(after))
}

/// A column that the rows which are there get: with NULL, unless it is known what else.
fn filled(after: &Fact) -> Fact {
    let mut middle = after.clone();
    middle.attributes.remove("auto-increment");
    middle.attributes.remove("on-update");
    if !types::is_filled(after) || flag(after, "auto-increment") {
        middle.attributes.remove("not-null");
        middle.attributes.remove("default");
    }
    middle
}

/// A column that goes when the rows have changed.
fn going_column(before: &Fact, to: &Schema<'_>) -> Option<Fact> {
    let name = before.id.part.to_lowercase();
    let is_taken = to
        .parts(ObjectKind::Column, &before.id.object)
        .any(|column| column.id.part.to_lowercase() == name);
    let goes_early = text(before, "generated").is_some() || is_taken;
    (!goes_early).then(|| weakened(before))
}

/// A column that asks for nothing.
fn weakened(before: &Fact) -> Fact {
    let mut middle = before.clone();
    middle.attributes.remove("auto-increment");
    middle.attributes.remove("on-update");
    middle.attributes.remove("no-default");
    if flag(before, "not-null") && !types::is_filled(before) {
        // New rows say what they hold in it: its default, or NULL where that is not known.
        middle.attributes.remove("not-null");
    } else if flag(before, "not-null") && text(before, "default").is_none() {
        match types::filler(text(before, "type").unwrap_or_default()) {
            Some(filler) => set_text(&mut middle, "default", Some(filler.to_owned())),
            None => {
                middle.attributes.remove("not-null");
            }
        }
    }
    middle
}

/// A column that holds what it had and what it shall have.
fn changed_column(before: &Fact, after: &Fact) -> Fact {
    let mut middle = after.clone();
    let type_text = match types::relation(before, after) {
        Relation::Narrower => text(before, "type").map(str::to_owned),
        Relation::Between(type_text) => Some(type_text),
        Relation::Wider | Relation::Foreign => text(after, "type").map(str::to_owned),
    };
    let is_text = |fact: &Fact| text(fact, "charset").is_some();
    if text(&middle, "type") != type_text.as_deref() {
        set_text(&mut middle, "type", type_text);
    }
    if let Some((charset, collation)) = types::charset_between(before, after) {
        set_text(&mut middle, "charset", Some(charset));
        set_text(&mut middle, "collation", Some(collation));
    }
    if !is_text(after) && text(&middle, "type") == text(before, "type") && is_text(before) {
        for name in ["charset", "collation"] {
            set_text(&mut middle, name, text(before, name).map(str::to_owned));
        }
    }
    if !flag(before, "not-null") {
        middle.attributes.remove("not-null");
    }
    if text(before, "on-update") != text(after, "on-update") {
        middle.attributes.remove("on-update");
    }
    if !flag(before, "auto-increment") {
        middle.attributes.remove("auto-increment");
    }
    middle
}

/// The column that one stands behind while rows change: as it shall be, with those that go where
/// they are.
fn place(column: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Option<String> {
    let table = &column.id.object;
    let order = order(table, from, to);
    let at = order.iter().position(|name| *name == column.id.part)?;
    Some(order[at.checked_sub(1)?].to_owned())
}

fn order<'a>(table: &ObjectName, from: &Schema<'a>, to: &Schema<'a>) -> Vec<&'a str> {
    let before = column::ordered(from, table);
    let known: BTreeMap<&str, &Fact> =
        before.iter().map(|column| (column.id.part.as_str(), *column)).collect();
    let mut order: Vec<&'a str> = column::ordered(to, table)
        .into_iter()
        .filter(|column| {
            known.contains_key(column.id.part.as_str()) || new_column(column).is_some()
        })
        .map(|column| column.id.part.as_str())
        .collect();
    let mut previous: Option<&str> = None;
    for column in before {
        let name = column.id.part.as_str();
        let goes = to.get(&column.id).is_none();
        if goes && going_column(column, to).is_some() {
            let behind = previous.and_then(|name| order.iter().position(|other| *other == name));
            order.insert(behind.map_or(0, |at| at + 1), name);
        }
        if !goes || order.contains(&name) {
            previous = Some(name);
        }
    }
    order
}

/// Keys are not there while they differ, except one that numbers rows.
fn key(
    before: Option<&Fact>,
    after: Option<&Fact>,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Option<Fact> {
    let before = before?;
    let numbers_rows = |fact: &Fact| {
        list(fact, "columns").first().is_some_and(|first| {
            let is_numbered = |schema: &Schema<'_>| {
                let column = schema.part(ObjectKind::Column, &fact.id.object, first);
                column.is_some_and(|column| flag(column, "auto-increment"))
            };
            is_numbered(from) && is_numbered(to)
        })
    };
    // What tells rows apart by the same columns in the same way refuses the same rows.
    let is_same = |name: &str| {
        after.is_some_and(|after| before.attributes.get(name) == after.attributes.get(name))
    };
    let refuses_the_same =
        ["columns", "lengths", "collations", "without-overlaps"].iter().all(|name| is_same(name));
    (refuses_the_same || numbers_rows(before)).then(|| before.clone())
}

/// An index stays until its place is taken; those of other kinds may refuse what columns become.
fn index(before: Option<&Fact>) -> Option<Fact> {
    before.filter(|index| text(index, "kind").is_none() && !flag(index, "unique")).cloned()
}

fn check(before: Option<&Fact>, after: Option<&Fact>) -> Option<Fact> {
    let (before, after) = (before?, after?);
    let is_same = text(before, "expression") == text(after, "expression");
    let unenforced = [after, before].into_iter().find(|check| flag(check, "not-enforced"));
    unenforced.filter(|_| is_same).cloned()
}

/// Partitions that both have are those which take more.
fn partitioning(
    before: Option<&Fact>,
    after: Option<&Fact>,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Option<Fact> {
    let table = &before.or(after)?.id.object;
    let is_cut = |schema: &Schema<'_>| schema.part(ObjectKind::Partition, table, "").is_some();
    if !is_cut(from) || !is_cut(to) {
        return None;
    }
    match partition::takes_more(table, from, to) {
        true => after.cloned(),
        false => before.cloned(),
    }
}
