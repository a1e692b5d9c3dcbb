//! Columns that ALTER TABLE adds and drops, and those for which the table must be built anew.
//!
//! SQLite adds a column at the end, and drops one that nothing names
//! (<https://www.sqlite.org/lang_altertable.html>). Whatever could fail for rows that are on their
//! way, or for something elsewhere in the schema, is left to a rebuild.

use super::create::{is_of_table, mentions};
use crate::engine::ddl::{Schema, flag, list, text};
use crate::model::{Fact, ObjectKind, ObjectName};

/// Why ALTER TABLE does not add a column to its table
/// (<https://www.sqlite.org/lang_altertable.html#altertabaddcol>). Its foreign keys come with it.
pub(super) fn why_not_added(
    column: &Fact,
    foreign_keys: &[&Fact],
    to: &Schema<'_>,
) -> Option<&'static str> {
    let default = text(column, "default").filter(|default| !default.eq_ignore_ascii_case("NULL"));
    if flag(column, "stored") {
        return Some("SQLite adds no stored generated column");
    }
    if needs_another(column, to) {
        return Some("it needs another generated column, which may not be there yet");
    }
    if !to.has_rows(&column.id.object) {
        return None;
    }
    if flag(column, "not-null") && default.is_none() {
        return Some("rows that exist would have no value in a NOT NULL column");
    }
    if default.is_some_and(|default| !is_constant(default)) {
        return Some("rows that exist get only defaults that are constant");
    }
    if default.is_some() && !foreign_keys.is_empty() {
        return Some("SQLite adds no column with a default that refers to a table");
    }
    None
}

/// Whether a generated column is made of another one.
fn needs_another(column: &Fact, to: &Schema<'_>) -> bool {
    let Some(expression) = text(column, "generated") else { return false };
    let mut others = to.parts(ObjectKind::Column, &column.id.object);
    others.any(|other| {
        other.id != column.id
            && text(other, "generated").is_some()
            && mentions(expression, &other.id.part)
    })
}

/// Why ALTER TABLE does not drop a column of its table.
pub(super) fn why_not_dropped(column: &Fact, from: &Schema<'_>) -> Option<String> {
    let (table, name) = (&column.id.object, column.id.part.as_str());
    let is_other = |fact: &&Fact| fact.id != column.id;
    let mut columns = from.parts(ObjectKind::Column, table).filter(is_other);
    if !columns.any(|other| text(other, "generated").is_none()) {
        return Some("no other column holds data".to_owned());
    }
    let in_the_way = from.facts().filter(is_other).find(|fact| match fact.id.kind {
        // SQLite reads them all, and one that is not valid, for whatever reason, is in the way.
        ObjectKind::View | ObjectKind::Trigger => true,
        ObjectKind::Index => fact.table().as_ref() == Some(table) && names(fact, name),
        kind => {
            (is_of_table(kind) && fact.id.object == *table && names(fact, name))
                || refers_to(fact, table, name)
        }
    })?;
    Some(format!("the {} {} is in the way", in_the_way.id.kind, in_the_way.id))
}

/// Whether a part of a table, or an index, names a column.
pub(super) fn names(fact: &Fact, column: &str) -> bool {
    let mut columns = list(fact, "columns").iter();
    // A column stands there without quotes, whatever its name is; an expression does not.
    columns.any(|said| said.eq_ignore_ascii_case(column) || mentions(said, column))
        || ["expression", "generated", "default", "where"]
            .into_iter()
            .filter_map(|attribute| text(fact, attribute))
            .any(|text| mentions(text, column))
}

/// Whether a foreign key refers to a column of a table.
fn refers_to(fact: &Fact, table: &ObjectName, column: &str) -> bool {
    let parent = text(fact, "table").unwrap_or_default();
    fact.id.kind == ObjectKind::ForeignKey
        && parent.eq_ignore_ascii_case(&table.name)
        && list(fact, "referenced-columns").iter().any(|name| name.eq_ignore_ascii_case(column))
}

/// Whether a default is a literal. What is taken for none here is one for SQLite at worst.
fn is_constant(default: &str) -> bool {
    let bare = default.trim_start_matches(['+', '-', ' ']);
    let is_blob = bare.starts_with(['x', 'X']) && is_string(&bare[1..]);
    let is_word = |word: &str| bare.eq_ignore_ascii_case(word);
    let is_number = bare.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    (is_number && bare.parse::<f64>().is_ok())
        || is_string(bare)
        || is_blob
        || is_word("TRUE")
        || is_word("FALSE")
}

/// Whether a text is one string in quotes.
fn is_string(text: &str) -> bool {
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    inner.is_some_and(|inner| !inner.replace("''", "").contains('\''))
}
