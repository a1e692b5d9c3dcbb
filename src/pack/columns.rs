//! Columns that are added to a table: what `ALTER TABLE … ADD COLUMN` takes, and what it refuses.
//!
//! The definition is written from the facts of the column and of the constraints that came with
//! it; that it makes exactly those facts is proved on the scratch copy.

use super::rules::{flag, list, text};
use super::schema_plan::SchemaSide;
use crate::diff::SchemaChange;
use crate::model::{Fact, ObjectKind};

/// A column to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// What follows `ADD COLUMN`.
    pub definition: String,
    is_not_null: bool,
    is_stored: bool,
    default: Option<String>,
    refers: bool,
}

/// What differs in a table that is on both sides.
pub struct NewColumns<'a> {
    /// The columns to add, in the order of the wanted table.
    pub columns: Vec<NewColumn>,
    /// The changes that are something else.
    pub not_additions: Vec<&'a SchemaChange>,
}

/// Sorts the changes of a table into added columns and the rest.
pub fn new_columns<'a>(
    table: &str,
    changes: &[&'a SchemaChange],
    after: SchemaSide<'_>,
) -> NewColumns<'a> {
    let mut columns: Vec<(&'a Fact, Vec<String>)> = Vec::new();
    let mut others = Vec::new();
    for change in changes {
        match (change.id.kind, &change.before, &change.after) {
            (ObjectKind::Column, None, Some(fact)) => columns.push((fact, Vec::new())),
            _ => others.push(*change),
        }
    }
    let definition =
        after.definitions.iter().find(|d| d.kind == ObjectKind::Table && d.object.name == table);
    let order = definition.map_or(&[][..], |definition| &definition.column_order);
    columns.sort_by_key(|(fact, _)| order.iter().position(|name| *name == fact.id.part));
    let not_additions =
        others.into_iter().filter(|change| !belongs_to_column(change, &mut columns)).collect();
    let columns = columns.into_iter().map(|(fact, more)| NewColumn::of(fact, &more)).collect();
    NewColumns { columns, not_additions }
}

/// Whether a new constraint can be written with one of the new columns; it is, if so.
fn belongs_to_column(change: &SchemaChange, columns: &mut [(&Fact, Vec<String>)]) -> bool {
    let (None, Some(fact)) = (&change.before, &change.after) else { return false };
    let clause = match fact.id.kind {
        ObjectKind::ForeignKey => references(fact),
        ObjectKind::Check => check(fact),
        _ => return false,
    };
    let column = match fact.id.kind {
        ObjectKind::ForeignKey => match list(fact, "columns") {
            [column] => columns.iter_mut().find(|(new, _)| new.id.part == *column),
            _ => None,
        },
        // A check may name any column; with the last one all of them are there.
        _ => columns.last_mut(),
    };
    match column {
        Some((_, clauses)) => {
            clauses.push(clause);
            true
        }
        None => false,
    }
}

fn named(fact: &Fact, clause: String) -> String {
    match text(fact, "name") {
        Some(name) => format!("CONSTRAINT {} {clause}", identifier(name)),
        None => clause,
    }
}

fn references(fact: &Fact) -> String {
    let mut clause = format!("REFERENCES {}", identifier(text(fact, "table").unwrap_or_default()));
    if let [column] = list(fact, "referenced-columns") {
        clause.push_str(&format!("({})", identifier(column)));
    }
    for (attribute, words) in
        [("on-delete", "ON DELETE"), ("on-update", "ON UPDATE"), ("match", "MATCH")]
    {
        if let Some(value) = text(fact, attribute) {
            clause.push_str(&format!(" {words} {value}"));
        }
    }
    if flag(fact, "initially-deferred") {
        clause.push_str(" DEFERRABLE INITIALLY DEFERRED");
    }
    named(fact, clause)
}

fn check(fact: &Fact) -> String {
    named(fact, format!("CHECK ({})", text(fact, "expression").unwrap_or_default()))
}

impl NewColumn {
    fn of(fact: &Fact, constraints: &[String]) -> NewColumn {
        let name = fact.id.part.clone();
        let mut words = vec![identifier(&name)];
        words.extend(text(fact, "type").map(str::to_owned));
        if let Some(collation) = text(fact, "collation") {
            words.push(format!("COLLATE {}", identifier(collation)));
        }
        let is_not_null = flag(fact, "not-null");
        if is_not_null {
            let constraint = text(fact, "not-null-name");
            words.extend(constraint.map(|name| format!("CONSTRAINT {}", identifier(name))));
            words.push("NOT NULL".to_owned());
            let conflict = text(fact, "not-null-conflict");
            words.extend(conflict.map(|conflict| format!("ON CONFLICT {conflict}")));
        }
        let default = text(fact, "default").map(str::to_owned);
        words.extend(default.as_ref().map(|default| format!("DEFAULT ({default})")));
        let is_stored = flag(fact, "stored");
        if let Some(expression) = text(fact, "generated") {
            let kind = if is_stored { "STORED" } else { "VIRTUAL" };
            words.push(format!("GENERATED ALWAYS AS ({expression}) {kind}"));
        }
        words.extend(constraints.iter().cloned());
        let refers = constraints.iter().any(|clause| clause.contains("REFERENCES "));
        NewColumn { name, definition: words.join(" "), is_not_null, is_stored, default, refers }
    }

    /// Why SQLite would not add the column to a table with, or without, rows
    /// (<https://www.sqlite.org/lang_altertable.html#altertabaddcol>).
    pub fn why_not(&self, has_rows: bool) -> Option<&'static str> {
        let default = self.default.as_deref().map(str::trim).filter(|d| !is_null(d));
        if self.is_stored {
            return Some("SQLite cannot add a stored generated column");
        }
        if !has_rows {
            return None;
        }
        if self.is_not_null && default.is_none() {
            return Some(
                "SQLite cannot add a NOT NULL column without a default to rows that exist",
            );
        }
        if default.is_some_and(|default| !is_constant(default)) {
            return Some(
                "SQLite cannot add a column whose default is not constant to rows that exist",
            );
        }
        if self.refers && default.is_some() {
            return Some("SQLite cannot add a column that refers to a table and has a default");
        }
        None
    }
}

fn is_null(default: &str) -> bool {
    default.eq_ignore_ascii_case("NULL")
}

/// Whether a default is a literal. What this takes for one and SQLite does not is refused on the
/// scratch copy.
fn is_constant(default: &str) -> bool {
    let bare = default.trim_start_matches(['+', '-', ' ', '(']).trim_end_matches([')', ' ']);
    let first = bare.chars().next().unwrap_or(' ');
    let is_word = |word: &str| bare.eq_ignore_ascii_case(word);
    first.is_ascii_digit()
        || matches!(first, '\'' | '"' | '.')
        || ((first == 'x' || first == 'X') && bare[1..].starts_with('\''))
        || is_word("TRUE")
        || is_word("FALSE")
        || is_word("NULL")
}

/// A quoted name, in SQLite.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
