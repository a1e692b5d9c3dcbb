//! What ALTER TABLE … RENAME makes of a schema.
//!
//! SQLite rewrites the text of everything that names what gets another name: constraints and
//! indexes as is told here, token by token. Views and triggers are dropped before and made again,
//! since what a rename makes of a query is not told from its text. A new name that needs no quotes
//! is given without, so that it gets them only where the old one had them.

use super::super::sql::quoted;
use super::super::tokens::{Token, TokenKind, normal_text, tokens};
use super::{is_of_table, said};
use crate::engine::ddl::{Following, Rename, Renames, Schema, list, text};
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// Every keyword of SQLite, as its manual lists them.
const KEYWORDS: &str = "abort action add after all alter always analyze and as asc attach \
    autoincrement before begin between by cascade case cast check collate column commit conflict \
    constraint create cross current current_date current_time current_timestamp database default \
    deferrable deferred delete desc detach distinct do drop each else end escape except exclude \
    exclusive exists explain fail filter first following for foreign from full generated glob group \
    groups having if ignore immediate in index indexed initially inner insert instead intersect into \
    is isnull join key last left like limit match materialized natural no not nothing notnull null \
    nulls of offset on or order others outer over partition plan pragma preceding primary query raise \
    range recursive references regexp reindex release rename replace restrict returning right \
    rollback row rows savepoint select set table temp temporary then ties to transaction trigger \
    unbounded union unique update using vacuum values view virtual when where window with within \
    without";

/// Whether a name needs no quotes.
fn is_plain(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_word)
        && !KEYWORDS.split_whitespace().any(|word| word.eq_ignore_ascii_case(name))
}

/// The statement.
pub(super) fn statement(rename: &Rename) -> String {
    let table = quoted(&rename.table.name);
    let new = if is_plain(&rename.to) { rename.to.clone() } else { quoted(&rename.to) };
    match &rename.column {
        Some(column) => format!("ALTER TABLE {table} RENAME COLUMN {} TO {new}", quoted(column)),
        None => format!("ALTER TABLE {table} RENAME TO {}", quoted(&rename.to)),
    }
}

/// What becomes of a fact.
pub(super) fn follows(fact: &Fact, renames: &Renames) -> Following {
    match fact.id.kind {
        ObjectKind::View | ObjectKind::Trigger | ObjectKind::VirtualTable => {
            let names = said(fact);
            let is_said = |table: &&ObjectName| {
                names.iter().any(|name| name.eq_ignore_ascii_case(&table.name))
                    || text(fact, "table").is_some_and(|on| on.eq_ignore_ascii_case(&table.name))
            };
            match renames.touched().iter().find(|table| is_said(table)) {
                None => Following::Follows(fact.clone()),
                Some(table) if fact.id.kind == ObjectKind::VirtualTable => {
                    let reason = format!("its definition names {table}, and cannot change");
                    Following::Refused(reason)
                }
                Some(_) => Following::Remade,
            }
        }
        ObjectKind::Index => Following::Follows(index(fact, renames)),
        kind if is_of_table(kind) => Following::Follows(of_table(fact, renames)),
        _ => Following::Follows(fact.clone()),
    }
}

/// What a view or a trigger speaks of, views among it.
pub(super) fn speaks_of(fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
    let names = said(fact);
    let is_said =
        |name: &ObjectName| names.iter().any(|said| said.eq_ignore_ascii_case(&name.name));
    let views = schema.of_kind(ObjectKind::View);
    views
        .filter(|view| view.id != fact.id && is_said(&view.id.object))
        .map(|v| v.id.clone())
        .collect()
}

/// The table by a name that somebody spelled.
fn named(renames: &Renames, name: &str) -> Option<ObjectName> {
    let mut touched = renames.touched().into_iter();
    touched.find(|table| table.name.eq_ignore_ascii_case(name)).cloned()
}

fn index(fact: &Fact, renames: &Renames) -> Fact {
    let mut new = fact.clone();
    let Some(table) = text(fact, "table").and_then(|name| named(renames, name)) else {
        return new;
    };
    let terms = list(fact, "terms");
    let is_expression = |place: usize| terms.get(place).is_some_and(|term| term == "expression");
    if let Some(Attribute::List(columns)) = new.attributes.get_mut("columns") {
        for (place, column) in columns.iter_mut().enumerate() {
            *column = match is_expression(place) {
                true => rewritten(column, &table, renames),
                false => column_of(renames, &table, column),
            };
        }
    }
    rewrite(&mut new, "where", &table, renames);
    let name = renames.object(&table).name;
    new.attributes.insert("table".to_owned(), Attribute::Text(name));
    renames.dependencies(&mut new);
    new
}

fn of_table(fact: &Fact, renames: &Renames) -> Fact {
    let mut new = fact.clone();
    let table = &fact.id.object;
    new.id.object = renames.object(table);
    match fact.id.kind {
        ObjectKind::Column => {
            new.id.part = renames.column(table, &fact.id.part);
            rewrite(&mut new, "generated", table, renames);
        }
        ObjectKind::PrimaryKey | ObjectKind::Unique => columns(&mut new, "columns", table, renames),
        ObjectKind::Check => rewrite(&mut new, "expression", table, renames),
        ObjectKind::ForeignKey => {
            columns(&mut new, "columns", table, renames);
            if let Some(parent) = text(fact, "table").and_then(|name| named(renames, name)) {
                columns(&mut new, "referenced-columns", &parent, renames);
                if renames.has_table(&parent) {
                    let name = renames.object(&parent).name;
                    new.attributes.insert("table".to_owned(), Attribute::Text(name));
                }
            }
            renames.dependencies(&mut new);
        }
        _ => {}
    }
    new.id.part = part(fact, &new);
    new
}

/// The part by which a constraint without a name is told from others: what it says.
fn part(before: &Fact, after: &Fact) -> String {
    let said = |fact: &Fact| match fact.id.kind {
        ObjectKind::Unique => Some(format!("({})", list(fact, "columns").join(", "))),
        ObjectKind::Check => Some(format!("({})", text(fact, "expression")?)),
        ObjectKind::ForeignKey => {
            let columns = list(fact, "columns").join(", ");
            Some(format!("({columns}) REFERENCES {}", text(fact, "table")?))
        }
        _ => None,
    };
    let number =
        said(before).and_then(|said| before.id.part.strip_prefix(&said).map(str::to_owned));
    match (text(before, "name"), number, said(after)) {
        (None, Some(number), Some(said)) => format!("{said}{number}"),
        _ => after.id.part.clone(),
    }
}

fn column_of(renames: &Renames, table: &ObjectName, column: &str) -> String {
    let mut columns = renames.columns_of(table);
    let new = columns.find(|(old, _)| old.eq_ignore_ascii_case(column));
    new.map_or_else(|| column.to_owned(), |(_, new)| new.clone())
}

fn columns(fact: &mut Fact, attribute: &str, table: &ObjectName, renames: &Renames) {
    if let Some(Attribute::List(items)) = fact.attributes.get_mut(attribute) {
        items.iter_mut().for_each(|item| *item = column_of(renames, table, item));
    }
}

fn rewrite(fact: &mut Fact, attribute: &str, table: &ObjectName, renames: &Renames) {
    if let Some(Attribute::Text(said)) = fact.attributes.get_mut(attribute) {
        *said = rewritten(said, table, renames);
    }
}

/// An expression over a table's columns with their new names.
fn rewritten(expression: &str, table: &ObjectName, renames: &Renames) -> String {
    let old = tokens(expression);
    let mut texts: Vec<(TokenKind, String)> = Vec::with_capacity(old.len());
    for (place, token) in old.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|at| old.get(at));
        let after = old.get(place + 1);
        let name = match token.kind {
            TokenKind::Word | TokenKind::Quoted => token.name(),
            _ => None,
        };
        let is_qualifier = after.is_some_and(|next| next.is_symbol("."));
        let is_call =
            after.is_some_and(|next| next.is_symbol("(")) && token.kind == TokenKind::Word;
        let is_collation = before.is_some_and(|word| word.is_word("COLLATE"));
        let new = match name {
            Some(name) if is_qualifier && name.eq_ignore_ascii_case(&table.name) => {
                renames.has_table(table).then(|| (renames.object(table).name, true))
            }
            Some(name) if !is_qualifier && !is_call && !is_collation => {
                let new = column_of(renames, table, &name);
                (new != name).then_some((new, false))
            }
            _ => None,
        };
        texts.push(match new {
            // The name of a table always gets quotes.
            Some((new, is_table))
                if is_table || token.kind == TokenKind::Quoted || !is_plain(&new) =>
            {
                (TokenKind::Quoted, quoted(&new))
            }
            Some((new, _)) => (TokenKind::Word, new),
            None => (token.kind, token.text.to_owned()),
        });
    }
    let new: Vec<Token<'_>> =
        texts.iter().map(|(kind, text)| Token { kind: *kind, text }).collect();
    normal_text(&new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_expressions_are_told_from_other_words() {
        let mut renames = Renames::none();
        let table = ObjectName::bare("t");
        for (column, to) in [("old", "new"), ("a", "order")] {
            let (table, column) = (table.clone(), Some(column.to_owned()));
            renames.add(&Rename { table, column, to: to.to_owned() });
        }
        let said = |text: &str| rewritten(text, &table, &renames);
        assert_eq!(said("old > 0 AND \"OLD\" < 'old'"), "new > 0 AND \"new\" < 'old'");
        assert_eq!(said("old(t.old) > a"), "old(t.new) > \"order\"");
        assert_eq!(said("b COLLATE old"), "b COLLATE old");
    }
}
