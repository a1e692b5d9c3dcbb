//! From a definition that was understood to facts (`docs/format-sqlite-facts.md`).
//!
//! A fact is the same however its object was written down: constraints of a column and of the
//! table come out alike, names are without quotes, columns are spelled as the table spells them,
//! and no fact depends on the order of columns or constraints.

use std::collections::BTreeMap;

use super::agreement::TableInfo;
use super::parse::{
    CheckClause, CreateIndex, CreateTable, CreateTrigger, CreateView, CreateVirtualTable,
    ForeignKeyClause, KeyClause,
};
use super::pragmas::IndexInfo;
use super::tokens::normalised;
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// A fact that is being written.
struct Draft(Fact);

impl Draft {
    fn new(kind: ObjectKind, object: &str, part: impl Into<String>) -> Draft {
        let id = FactId { kind, object: ObjectName::bare(object), part: part.into() };
        Draft(Fact { id, attributes: BTreeMap::new(), depends_on: Vec::new() })
    }

    fn flag(mut self, name: &str, is_set: bool) -> Draft {
        if is_set {
            self.0.attributes.insert(name.to_owned(), Attribute::Flag);
        }
        self
    }

    fn text(mut self, name: &str, text: Option<impl Into<String>>) -> Draft {
        if let Some(text) = text {
            self.0.attributes.insert(name.to_owned(), Attribute::Text(text.into()));
        }
        self
    }

    fn list(mut self, name: &str, items: Vec<String>) -> Draft {
        if !items.is_empty() {
            self.0.attributes.insert(name.to_owned(), Attribute::List(items));
        }
        self
    }

    fn depends_on(mut self, object: &str) -> Draft {
        self.0.depends_on.push(ObjectName::bare(object));
        self
    }
}

/// A setting of the database.
pub(super) fn setting(name: &str, value: Attribute) -> Fact {
    let mut draft = Draft::new(ObjectKind::Setting, name, "");
    draft.0.attributes.insert("value".to_owned(), value);
    draft.0
}

/// The facts of a table: itself, its columns and its constraints.
pub(super) fn of_table(parsed: &CreateTable, info: &TableInfo) -> Vec<Fact> {
    let table = &info.entry.name;
    let mut facts = vec![
        Draft::new(ObjectKind::Table, table, "")
            .flag("without-rowid", parsed.is_without_rowid)
            .flag("strict", parsed.is_strict)
            .0,
    ];
    for (clause, told) in parsed.columns.iter().zip(&info.columns) {
        let declared = normalised(&told.declared_type);
        facts.push(
            Draft::new(ObjectKind::Column, table, &told.name)
                .text("type", (!declared.is_empty()).then_some(declared))
                .flag("not-null", clause.is_not_null)
                .text("not-null-name", clause.not_null_name.clone())
                .text("not-null-conflict", clause.not_null_conflict.clone())
                .text("default", clause.default.clone())
                .text("collation", own_collation(&told.collation))
                .text("generated", clause.generated.clone())
                .flag("stored", clause.is_stored)
                .0,
        );
    }
    facts.extend(parsed.primary_key.iter().map(|key| primary_key(key, info)));
    let mut constraints: Vec<Fact> = Vec::new();
    constraints.extend(parsed.uniques.iter().map(|key| unique(key, info)));
    constraints.extend(parsed.checks.iter().map(|check| check_fact(check, table)));
    constraints.extend(parsed.foreign_keys.iter().map(|key| foreign_key(key, info)));
    number_duplicates(&mut constraints);
    facts.extend(constraints);
    facts
}

/// The fact of an index.
pub(super) fn of_index(parsed: &CreateIndex, index: &IndexInfo, info: &TableInfo) -> Fact {
    let is_expression = index.terms.iter().any(|term| term.column.is_none());
    let names = parsed
        .terms
        .iter()
        .zip(&index.terms)
        .map(|(term, told)| told.column.clone().unwrap_or_else(|| term.expression.clone()));
    let kinds = index.terms.iter().map(|term| match term.column {
        Some(_) => "column".to_owned(),
        None => "expression".to_owned(),
    });
    let collations: Vec<String> = index.terms.iter().map(|term| term.collation.clone()).collect();
    let orders = index.terms.iter().map(|term| term.is_descending);
    Draft::new(ObjectKind::Index, &index.name, "")
        .text("table", Some(info.entry.name.clone()))
        .flag("unique", parsed.is_unique)
        .list("columns", names.collect())
        .list("terms", if is_expression { kinds.collect() } else { Vec::new() })
        .list("collations", collation_list(&collations))
        .list("orders", order_list(orders))
        .text("where", parsed.condition.clone())
        .depends_on(&info.entry.name)
        .0
}

/// The fact of a view.
pub(super) fn of_view(parsed: &CreateView, name: &str) -> Fact {
    Draft::new(ObjectKind::View, name, "")
        .list("columns", parsed.columns.clone())
        .text("query", Some(parsed.query.clone()))
        .0
}

/// The fact of a trigger. `table` is the table's or view's name as it spells itself.
pub(super) fn of_trigger(parsed: &CreateTrigger, name: &str, table: &str) -> Fact {
    Draft::new(ObjectKind::Trigger, name, "")
        .text("table", Some(table))
        .text("timing", Some(parsed.timing))
        .text("event", Some(parsed.event))
        .list("columns", parsed.columns.clone())
        .text("when", parsed.condition.clone())
        .text("body", Some(parsed.body.clone()))
        .depends_on(table)
        .0
}

/// The fact of a virtual table.
pub(super) fn of_virtual_table(parsed: &CreateVirtualTable, name: &str) -> Fact {
    Draft::new(ObjectKind::VirtualTable, name, "")
        .text("module", Some(parsed.module.clone()))
        .list("arguments", parsed.arguments.clone())
        .0
}

fn own_collation(collation: &str) -> Option<String> {
    (!collation.eq_ignore_ascii_case("BINARY")).then(|| folded(collation))
}

/// SQLite compares names of collations without case; the built-in ones are written in capitals.
fn folded(collation: &str) -> String {
    collation.to_ascii_uppercase()
}

/// The collations of a key, beside its columns; nothing where all are BINARY.
fn collation_list(collations: &[String]) -> Vec<String> {
    if collations.iter().all(|collation| own_collation(collation).is_none()) {
        return Vec::new();
    }
    collations.iter().map(|collation| folded(collation)).collect()
}

/// The orders of a key, beside its columns; nothing where all ascend.
fn order_list(are_descending: impl Iterator<Item = bool> + Clone) -> Vec<String> {
    if !are_descending.clone().any(|is_descending| is_descending) {
        return Vec::new();
    }
    let name = |is_descending| if is_descending { "DESC" } else { "ASC" };
    are_descending.map(|is_descending| name(is_descending).to_owned()).collect()
}

/// A column's name as the table spells it.
fn spelled(info: &TableInfo, column: &str) -> String {
    info.column(column).map_or_else(|| column.to_owned(), |column| column.name.clone())
}

fn key_columns(key: &KeyClause, info: &TableInfo) -> Vec<String> {
    key.terms.iter().map(|term| spelled(info, &term.column)).collect()
}

fn key_attributes(draft: Draft, key: &KeyClause, info: &TableInfo) -> Draft {
    let collation = |column: &str, given: &Option<String>| {
        let own = || info.column(column).map(|column| column.collation.clone());
        given.clone().or_else(own).unwrap_or_else(|| "BINARY".to_owned())
    };
    let collations = key.terms.iter().map(|term| collation(&term.column, &term.collation));
    draft
        .list("columns", key_columns(key, info))
        .list("collations", collation_list(&collations.collect::<Vec<_>>()))
        .list("orders", order_list(key.terms.iter().map(|term| term.is_descending)))
        .text("name", key.name.clone())
        .text("conflict", key.conflict.clone())
}

fn primary_key(key: &KeyClause, info: &TableInfo) -> Fact {
    let draft = Draft::new(ObjectKind::PrimaryKey, &info.entry.name, "");
    let mut key = key.clone();
    // SQLite ignores the collation of a key that is a single INTEGER column.
    let is_ignored = match info.primary_key_index().map(|index| index.terms.as_slice()) {
        None => true,
        Some([term]) => own_collation(&term.collation).is_none(),
        Some(_) => false,
    };
    if let [term] = key.terms.as_mut_slice()
        && is_ignored
    {
        term.collation = Some("BINARY".to_owned());
    }
    key_attributes(draft, &key, info)
        .flag("autoincrement", key.is_autoincrement)
        .flag("rowid-alias", info.rowid_alias().is_some())
        .0
}

fn unique(key: &KeyClause, info: &TableInfo) -> Fact {
    let part =
        key.name.clone().unwrap_or_else(|| format!("({})", key_columns(key, info).join(", ")));
    key_attributes(Draft::new(ObjectKind::Unique, &info.entry.name, part), key, info).0
}

fn check_fact(check: &CheckClause, table: &str) -> Fact {
    let part = check.name.clone().unwrap_or_else(|| format!("({})", check.expression));
    Draft::new(ObjectKind::Check, table, part)
        .text("expression", Some(check.expression.clone()))
        .text("name", check.name.clone())
        .text("conflict", check.conflict.clone())
        .0
}

fn foreign_key(key: &ForeignKeyClause, info: &TableInfo) -> Fact {
    let columns: Vec<String> = key.columns.iter().map(|name| spelled(info, name)).collect();
    let part = key
        .name
        .clone()
        .unwrap_or_else(|| format!("({}) REFERENCES {}", columns.join(", "), key.table));
    Draft::new(ObjectKind::ForeignKey, &info.entry.name, part)
        .list("columns", columns)
        .text("table", Some(key.table.clone()))
        .list("referenced-columns", key.referenced.clone())
        .text("on-delete", key.on_delete.clone())
        .text("on-update", key.on_update.clone())
        .text("match", key.match_clause.clone())
        .flag("initially-deferred", key.is_deferred)
        .text("name", key.name.clone())
        .depends_on(&key.table)
        .0
}

/// Gives facts that share an id a number each, in the order of what they say, so that their place
/// in the text does not matter.
fn number_duplicates(facts: &mut [Fact]) {
    facts.sort_by_cached_key(|fact| (fact.id.clone(), format!("{:?}", fact.attributes)));
    let mut taken: BTreeMap<FactId, usize> = BTreeMap::new();
    for fact in facts {
        let count = taken.entry(fact.id.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            fact.id.part = format!("{} #{count}", fact.id.part);
        }
    }
}
