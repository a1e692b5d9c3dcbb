//! The statements that make things: the text by which the wanted database has them, or, where
//! there is none that says exactly what is wanted, a text written from the facts.
//!
//! Whichever it is, it is read again and must give exactly the facts: no fact can make a text say
//! anything else.

use super::super::sql::quoted;
use super::super::tokens::{Token, TokenKind, tokens};
use super::told;
use crate::engine::ddl::{Schema, flag, list, text};
use crate::model::{Fact, ObjectKind, ObjectName};

/// Whether a fact stands in the definition of a table.
pub(super) fn is_of_table(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table
            | ObjectKind::Column
            | ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Check
            | ObjectKind::ForeignKey
    )
}

/// The CREATE TABLE statement of a table.
pub(super) fn table(table: &ObjectName, schema: &Schema<'_>) -> Result<String, String> {
    let mut wanted: Vec<&Fact> =
        schema.of(table).iter().copied().filter(|fact| is_of_table(fact.id.kind)).collect();
    wanted.sort_by(|a, b| a.id.cmp(&b.id));
    let says_it = |definition: &str| {
        told::table(definition, &table.name)
            .is_ok_and(|told| told.iter().eq(wanted.iter().copied()))
    };
    if let Some(definition) = schema.definition(ObjectKind::Table, table)
        && says_it(definition)
    {
        return Ok(definition.to_owned());
    }
    [Types::AsTheyAre, Types::Quoted]
        .into_iter()
        .map(|types| written_table(table, schema, types))
        .find(|definition| says_it(definition))
        .ok_or_else(|| format!("table `{}` cannot be written from its facts", table.name))
}

/// The statement that makes an index, a view, a trigger or a virtual table.
pub(super) fn object(fact: &Fact, schema: &Schema<'_>) -> Result<String, String> {
    let object = &fact.id.object;
    let name = object.name.as_str();
    let on = text(fact, "table").unwrap_or_default();
    let says_it = |definition: &str| {
        let told = match fact.id.kind {
            ObjectKind::Index => told::index(definition, fact, schema),
            ObjectKind::View => told::view(definition, name),
            ObjectKind::Trigger => told::trigger(definition, name, on),
            _ => told::virtual_table(definition, name),
        };
        told.is_some_and(|told| told == *fact)
    };
    let definition = schema.definition(fact.id.kind, object).map(str::to_owned);
    let written = || match fact.id.kind {
        ObjectKind::Index => written_index(fact, schema),
        ObjectKind::View => written_view(fact),
        ObjectKind::Trigger => written_trigger(fact),
        _ => written_virtual_table(fact),
    };
    definition
        .filter(|definition| says_it(definition))
        .or_else(|| Some(written()).filter(|definition| says_it(definition)))
        .ok_or_else(|| format!("{} `{name}` cannot be written from its facts", fact.id.kind))
}

/// How the types of columns are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Types {
    AsTheyAre,
    /// In quotes, for types that would be read as something else.
    Quoted,
}

fn written_table(table: &ObjectName, schema: &Schema<'_>, types: Types) -> String {
    let key = schema.object(ObjectKind::PrimaryKey, table);
    let mut lines: Vec<String> = schema
        .columns(table)
        .into_iter()
        .map(|column| {
            let mut line = column_clause(column, types);
            if let Some(key) = key.filter(|key| stands_with_column(key, column)) {
                line.push_str(&key_of_column(key));
            }
            line
        })
        .collect();
    let has_own_line =
        |key: &&Fact| !schema.columns(table).iter().any(|c| stands_with_column(key, c));
    lines.extend(key.filter(has_own_line).map(|key| key_line(key, "PRIMARY KEY", schema)));
    lines
        .extend(schema.parts(ObjectKind::Unique, table).map(|key| key_line(key, "UNIQUE", schema)));
    lines.extend(schema.parts(ObjectKind::Check, table).map(check_line));
    lines.extend(schema.parts(ObjectKind::ForeignKey, table).map(|key| {
        let columns = names(list(key, "columns"));
        named(key, &format!("FOREIGN KEY ({columns}) {}", references(key)))
    }));
    let own = schema.object(ObjectKind::Table, table);
    let options: Vec<&str> = [("without-rowid", "WITHOUT ROWID"), ("strict", "STRICT")]
        .into_iter()
        .filter(|(name, _)| own.is_some_and(|own| flag(own, name)))
        .map(|(_, words)| words)
        .collect();
    let options = match options.is_empty() {
        true => String::new(),
        false => format!(" {}", options.join(", ")),
    };
    format!("CREATE TABLE {} (\n  {}\n){options}", quoted(&table.name), lines.join(",\n  "))
}

/// A column's own words, without keys.
fn column_clause(column: &Fact, types: Types) -> String {
    let mut words = vec![quoted(&column.id.part)];
    words.extend(text(column, "type").map(|declared| match types {
        Types::AsTheyAre => declared.to_owned(),
        Types::Quoted => quoted(declared),
    }));
    words.extend(text(column, "collation").map(|name| format!("COLLATE {}", quoted(name))));
    if flag(column, "not-null") {
        let name = text(column, "not-null-name");
        words.extend(name.map(|name| format!("CONSTRAINT {}", quoted(name))));
        words.push(format!("NOT NULL{}", on_conflict(text(column, "not-null-conflict"))));
    }
    words.extend(text(column, "default").map(|default| format!("DEFAULT {}", bracketed(default))));
    if let Some(expression) = text(column, "generated") {
        let kind = if flag(column, "stored") { "STORED" } else { "VIRTUAL" };
        words.push(format!("GENERATED ALWAYS AS ({expression}) {kind}"));
    }
    words.join(" ")
}

/// What ALTER TABLE ADD COLUMN takes: the column with the foreign keys that come with it.
pub(super) fn added_column(column: &Fact, foreign_keys: &[&Fact]) -> String {
    let own = foreign_keys.iter().map(|key| format!(" {}", named(key, &references(key))));
    let own: String = own.collect();
    let clause = |types| {
        let clause = column_clause(column, types);
        let reads = told::table(&format!("CREATE TABLE t ({clause})"), &column.id.object.name);
        let is_it = reads.is_ok_and(|facts| facts.contains(column) && facts.len() == 2);
        is_it.then_some(clause)
    };
    let clause = clause(Types::AsTheyAre)
        .or_else(|| clause(Types::Quoted))
        .unwrap_or_else(|| column_clause(column, Types::AsTheyAre));
    format!("{clause}{own}")
}

/// One token stands without brackets, or a sign and one: a bare word is text there, and a column
/// in brackets.
fn bracketed(default: &str) -> String {
    let tokens = tokens(default);
    let is_plain = match tokens.as_slice() {
        [token] => token.kind != TokenKind::Symbol,
        [sign, token] => {
            (sign.is_symbol("-") || sign.is_symbol("+")) && token.kind == TokenKind::Number
        }
        _ => false,
    };
    if is_plain { default.to_owned() } else { format!("({default})") }
}

/// A key of one column that must stand with it, or reads better there.
fn stands_with_column(key: &Fact, column: &Fact) -> bool {
    let [name] = list(key, "columns") else { return false };
    let is_descending = !list(key, "orders").is_empty();
    let is_integer = text(column, "type") == Some("INTEGER");
    *name == column.id.part && is_integer && flag(key, "rowid-alias") != is_descending
}

fn key_of_column(key: &Fact) -> String {
    let order = if list(key, "orders").is_empty() { "" } else { " DESC" };
    let conflict = on_conflict(text(key, "conflict"));
    let autoincrement = if flag(key, "autoincrement") { " AUTOINCREMENT" } else { "" };
    format!(" {}", named(key, &format!("PRIMARY KEY{order}{conflict}{autoincrement}")))
}

fn key_line(key: &Fact, words: &str, schema: &Schema<'_>) -> String {
    let collations = list(key, "collations");
    let orders = list(key, "orders");
    let terms = list(key, "columns").iter().enumerate().map(|(place, name)| {
        let mut term = quoted(name);
        let column = told::column_of(schema, &key.id.object, name);
        let own = column.and_then(|column| text(column, "collation")).unwrap_or("BINARY");
        let wanted = collations.get(place).map_or("BINARY", String::as_str);
        if wanted != own && !flag(key, "rowid-alias") {
            term.push_str(&format!(" COLLATE {}", quoted(wanted)));
        }
        if orders.get(place).is_some_and(|order| order == "DESC") {
            term.push_str(" DESC");
        }
        term
    });
    let terms = terms.collect::<Vec<_>>().join(", ");
    let autoincrement = if flag(key, "autoincrement") { " AUTOINCREMENT" } else { "" };
    let conflict = on_conflict(text(key, "conflict"));
    named(key, &format!("{words} ({terms}{autoincrement}){conflict}"))
}

fn check_line(check: &Fact) -> String {
    let expression = text(check, "expression").unwrap_or_default();
    let conflict = on_conflict(text(check, "conflict"));
    named(check, &format!("CHECK ({expression}){conflict}"))
}

fn references(key: &Fact) -> String {
    let mut clause = format!("REFERENCES {}", quoted(text(key, "table").unwrap_or_default()));
    let referenced = list(key, "referenced-columns");
    if !referenced.is_empty() {
        clause.push_str(&format!(" ({})", names(referenced)));
    }
    for (attribute, words) in [("on-delete", "ON DELETE"), ("on-update", "ON UPDATE")] {
        if let Some(action) = text(key, attribute) {
            clause.push_str(&format!(" {words} {action}"));
        }
    }
    if let Some(kind) = text(key, "match") {
        clause.push_str(&format!(" MATCH {}", quoted(kind)));
    }
    if flag(key, "initially-deferred") {
        clause.push_str(" DEFERRABLE INITIALLY DEFERRED");
    }
    clause
}

fn named(fact: &Fact, clause: &str) -> String {
    match text(fact, "name") {
        Some(name) => format!("CONSTRAINT {} {clause}", quoted(name)),
        None => clause.to_owned(),
    }
}

fn on_conflict(resolution: Option<&str>) -> String {
    resolution.map(|word| format!(" ON CONFLICT {word}")).unwrap_or_default()
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

fn written_index(fact: &Fact, schema: &Schema<'_>) -> String {
    let unique = if flag(fact, "unique") { "UNIQUE " } else { "" };
    let table = fact.table().unwrap_or_else(|| ObjectName::bare(""));
    let (kinds, orders) = (list(fact, "terms"), list(fact, "orders"));
    let collations = list(fact, "collations");
    let terms = list(fact, "columns").iter().enumerate().map(|(place, said)| {
        let is_expression = kinds.get(place).is_some_and(|kind| kind == "expression");
        let wanted = collations.get(place).map_or("BINARY", String::as_str);
        let column = told::column_of(schema, &table, said);
        let own = match is_expression {
            true => None,
            false => Some(column.and_then(|c| text(c, "collation")).unwrap_or("BINARY")),
        };
        let mut term = if is_expression { said.clone() } else { quoted(said) };
        let is_told = own == Some(wanted) || (own.is_none() && collations.is_empty());
        if !is_told {
            term = if is_expression { format!("({term})") } else { term };
            term.push_str(&format!(" COLLATE {}", quoted(wanted)));
        }
        if orders.get(place).is_some_and(|order| order == "DESC") {
            term.push_str(" DESC");
        }
        term
    });
    let terms = terms.collect::<Vec<_>>().join(", ");
    let condition = text(fact, "where").map(|c| format!("\nWHERE {c}")).unwrap_or_default();
    format!(
        "CREATE {unique}INDEX {} ON {} ({terms}){condition}",
        quoted(&fact.id.object.name),
        quoted(&table.name)
    )
}

fn written_view(fact: &Fact) -> String {
    let columns = list(fact, "columns");
    let columns = match columns.is_empty() {
        true => String::new(),
        false => format!(" ({})", names(columns)),
    };
    let query = text(fact, "query").unwrap_or_default();
    format!("CREATE VIEW {}{columns} AS\n{query}", quoted(&fact.id.object.name))
}

fn written_trigger(fact: &Fact) -> String {
    let of = |attribute| text(fact, attribute).unwrap_or_default();
    let columns = list(fact, "columns");
    let columns = match columns.is_empty() {
        true => String::new(),
        false => format!(" OF {}", names(columns)),
    };
    let when = text(fact, "when").map(|when| format!("\nWHEN {when}")).unwrap_or_default();
    format!(
        "CREATE TRIGGER {} {} {}{columns} ON {}{when}\n{}",
        quoted(&fact.id.object.name),
        of("timing"),
        of("event"),
        quoted(of("table")),
        of("body")
    )
}

fn written_virtual_table(fact: &Fact) -> String {
    let module = text(fact, "module").unwrap_or_default();
    let arguments = list(fact, "arguments").join(", ");
    format!(
        "CREATE VIRTUAL TABLE {} USING {}({arguments})",
        quoted(&fact.id.object.name),
        quoted(module)
    )
}

/// A CREATE TABLE statement for a table of another name: everything after the name is as it was.
pub(super) fn renamed(definition: &str, name: &str) -> Result<String, String> {
    let tokens = tokens(definition);
    let mut at = 2;
    let is_word = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    if is_word(2, "IF") && is_word(3, "NOT") && is_word(4, "EXISTS") {
        at = 5;
    }
    if tokens.get(at + 1).is_some_and(|token| token.is_symbol(".")) {
        at += 2;
    }
    let start = |token: &Token<'_>| token.text.as_ptr().addr() - definition.as_ptr().addr();
    let rest = tokens
        .get(at)
        .map(|token| start(token) + token.text.len())
        .and_then(|end| definition.get(end..))
        .ok_or("the statement names no table")?;
    Ok(format!("CREATE TABLE {}{rest}", quoted(name)))
}

/// Whether a text names something: by a token, whatever its case and quotes.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    tokens(text).iter().any(|token| is_name(token, name))
}

/// The names in a text, without their quotes.
pub(super) fn names_in(text: &str) -> Vec<String> {
    tokens(text).iter().filter_map(Token::name).collect()
}

/// Whether a CREATE TABLE statement names columns by its own name: `t.a`.
pub(super) fn qualifies_by(definition: &str, name: &str) -> bool {
    tokens(definition)
        .windows(2)
        .skip(2)
        .any(|pair| is_name(&pair[0], name) && pair[1].is_symbol("."))
}

fn is_name(token: &Token<'_>, name: &str) -> bool {
    token.name().is_some_and(|token| token.eq_ignore_ascii_case(name))
}
