//! The rules a database enforces on rows, as far as the order of changes depends on them.
//!
//! Read from the facts of a schema: unique keys, foreign keys, triggers, what may be NULL. Names
//! are found without case, as SQLite finds them. This is the only file of planning that knows the
//! names of attributes (`docs/format-sqlite-facts.md`).

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Condition;
use super::token::{Conversion, Folding};
use crate::model::{Attribute, Fact, KeyMatching, ObjectKind, ObjectName};

/// What happens to a row whose parent goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The change is refused at the end of the statement, or of the transaction.
    NoAction,
    /// The change is refused at once.
    Restrict,
    /// The row is changed or removed too.
    Changes,
}

/// A unique key: primary key, unique constraint, unique index.
#[derive(Debug, Clone)]
pub struct UniqueKey {
    /// How people know it.
    pub label: String,
    /// Its columns and how each compares.
    pub columns: Vec<(String, Folding)>,
    /// Whether it is the primary key.
    pub is_primary: bool,
    /// Which rows it speaks of, where not of all.
    pub condition: Option<Condition>,
}

/// A foreign key.
#[derive(Debug, Clone)]
pub struct ForeignKey {
    /// The table that refers.
    pub child: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table referred to, as that table spells itself.
    pub parent: String,
    /// Its columns and how each compares.
    pub parent_columns: Vec<(String, Folding)>,
    /// What deleting the parent does.
    pub on_delete: Action,
    /// What changing the parent's key does.
    pub on_update: Action,
}

/// A trigger that fires on changes of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// `insert`, `update` or `delete`.
    pub event: String,
}

/// The rules of one table.
#[derive(Debug, Clone, Default)]
pub struct TableRules {
    /// The table as it spells itself.
    pub name: String,
    /// Unique keys without expressions.
    pub unique: Vec<UniqueKey>,
    /// Columns that may not be NULL, the primary key's included.
    pub not_null: BTreeSet<String>,
    /// The columns of the primary key.
    pub primary: Vec<String>,
    /// The column that is the rowid.
    pub rowid_alias: Option<String>,
    /// All columns, generated ones included.
    pub columns: BTreeSet<String>,
    /// Declared types by column.
    pub types: BTreeMap<String, String>,
    /// Collations by column, where one is named.
    pub collations: BTreeMap<String, String>,
    /// Columns whose values are computed.
    pub generated: BTreeSet<String>,
    /// Whether values must have the declared type.
    pub is_strict: bool,
    /// Whether the table has no rowid.
    pub is_without_rowid: bool,
    /// Whether the table checks its rows.
    pub has_checks: bool,
    /// Whether a constraint says what to do on conflict: statements must overrule it.
    pub has_conflict_clause: bool,
    /// Collations this program cannot compare by, with the index or key that uses them.
    pub unknown_collations: Vec<String>,
    /// The triggers of the table.
    pub triggers: Vec<Trigger>,
    /// The highest number is kept in `sqlite_sequence`.
    pub is_autoincrement: bool,
}

/// The rules of a whole database.
#[derive(Debug, Default)]
pub struct Rules {
    tables: BTreeMap<String, TableRules>,
    /// Every foreign key whose parent is there, sorted by child.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Rules {
    /// The rules that these facts make.
    pub fn of<'f>(facts: impl IntoIterator<Item = &'f Fact>) -> Rules {
        let facts: Vec<&Fact> = facts.into_iter().collect();
        let mut rules = Rules::default();
        for fact in &facts {
            rules.read(fact);
        }
        rules.foreign_keys = facts
            .iter()
            .filter(|fact| fact.id.kind == ObjectKind::ForeignKey)
            .filter_map(|fact| rules.foreign_key(fact))
            .collect();
        rules
    }

    /// The rules of a table.
    pub fn table(&self, name: &str) -> Option<&TableRules> {
        self.tables.get(&name.to_ascii_lowercase())
    }

    /// The foreign keys that refer to a table.
    pub fn referring_to<'r>(&'r self, parent: &'r str) -> impl Iterator<Item = &'r ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.parent == parent)
    }

    fn entry(&mut self, table: &ObjectName) -> &mut TableRules {
        let entry = self.tables.entry(table.name.to_ascii_lowercase()).or_default();
        if entry.name.is_empty() {
            entry.name.clone_from(&table.name);
        }
        entry
    }

    fn read(&mut self, fact: &Fact) {
        match fact.id.kind {
            ObjectKind::Table => {
                let table = self.entry(&fact.id.object);
                table.is_strict = flag(fact, "strict");
                table.is_without_rowid = flag(fact, "without-rowid");
            }
            ObjectKind::Column => self.read_column(fact),
            ObjectKind::PrimaryKey | ObjectKind::Unique => self.read_key(fact),
            ObjectKind::Check => {
                let table = self.entry(&fact.id.object);
                table.has_checks = true;
                table.has_conflict_clause |= text(fact, "conflict").is_some();
            }
            ObjectKind::Index => self.read_index(fact),
            ObjectKind::Trigger => {
                // A disabled trigger does not fire; one trigger may be of several events.
                if text(fact, "enabled").is_some_and(|enabled| enabled != "ALWAYS") {
                    return;
                }
                let table = ObjectName::bare(text(fact, "table").unwrap_or_default());
                let events = text(fact, "event").unwrap_or_default().to_ascii_lowercase();
                let name = &fact.id.object.name;
                let of_rows = events.split(" or ").filter(|event| *event != "truncate");
                let triggers =
                    of_rows.map(|event| Trigger { name: name.clone(), event: event.to_owned() });
                self.entry(&table).triggers.extend(triggers);
            }
            _ => {}
        }
    }

    fn read_column(&mut self, fact: &Fact) {
        let name = fact.id.part.clone();
        let table = self.entry(&fact.id.object);
        if flag(fact, "not-null") {
            table.not_null.insert(name.clone());
        }
        if text(fact, "generated").is_some() {
            table.generated.insert(name.clone());
        }
        let declared = text(fact, "type").unwrap_or_default();
        table.types.insert(name.clone(), declared.to_owned());
        if let Some(collation) = text(fact, "collation") {
            table.collations.insert(name.clone(), collation.to_owned());
        }
        table.has_conflict_clause |= text(fact, "not-null-conflict").is_some();
        table.columns.insert(name);
    }

    fn read_key(&mut self, fact: &Fact) {
        let is_primary = fact.id.kind == ObjectKind::PrimaryKey;
        let label = match is_primary {
            true => "PRIMARY KEY".to_owned(),
            false => format!("UNIQUE {}", fact.id.part),
        };
        let columns = list(fact, "columns");
        let table = self.entry(&fact.id.object);
        table.has_conflict_clause |= text(fact, "conflict").is_some();
        table.push_key(label, fact, is_primary);
        if is_primary {
            table.is_autoincrement = flag(fact, "autoincrement");
            if flag(fact, "rowid-alias") {
                table.rowid_alias = columns.first().cloned();
            }
            // Only a WITHOUT ROWID or STRICT table, or the rowid itself, keeps NULL out.
            if table.is_without_rowid || table.is_strict || flag(fact, "rowid-alias") {
                table.not_null.extend(columns.iter().cloned());
            }
            table.primary = columns.to_vec();
        }
    }

    fn read_index(&mut self, fact: &Fact) {
        let Some(table) = text(fact, "table") else { return };
        let has_expression = !list(fact, "terms").is_empty();
        let table = self.entry(&ObjectName::bare(table));
        if flag(fact, "unique") && !has_expression {
            table.push_key(format!("INDEX {}", fact.id.object), fact, false);
        } else {
            table.note_collations(&fact.id.object.name, list(fact, "collations"));
        }
    }

    fn foreign_key(&self, fact: &Fact) -> Option<ForeignKey> {
        let parent = self.table(text(fact, "table")?)?;
        let child = self.table(&fact.id.object.name)?;
        let columns = list(fact, "columns").to_vec();
        let referenced = match list(fact, "referenced-columns") {
            [] => &parent.primary[..],
            named => named,
        };
        if referenced.len() != columns.len() {
            return None;
        }
        let parent_columns = referenced
            .iter()
            .map(|name| {
                let name = parent.spelled(name);
                let folding = parent.folding_of(&name);
                (name, folding)
            })
            .collect();
        let columns = columns.iter().map(|name| child.spelled(name)).collect();
        Some(ForeignKey {
            child: child.name.clone(),
            columns,
            parent: parent.name.clone(),
            parent_columns,
            on_delete: action(text(fact, "on-delete")),
            on_update: action(text(fact, "on-update")),
        })
    }
}

impl TableRules {
    /// Whether no name of the rowid is left: equal rows cannot be told apart then.
    pub fn hides_rowid(&self) -> bool {
        let is_hidden =
            |name: &str| self.columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid"].into_iter().all(is_hidden)
    }

    fn push_key(&mut self, label: String, fact: &Fact, is_primary: bool) {
        let collations = list(fact, "collations");
        self.note_collations(&label, collations);
        let columns = list(fact, "columns")
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let matching = collations.get(at).map_or(KeyMatching::Binary, |c| matching(c));
                (name.clone(), Folding { matching, conversion: Conversion::AsIs })
            })
            .collect();
        let condition = text(fact, "where").map(Condition::of);
        self.unique.push(UniqueKey { label, columns, is_primary, condition });
    }

    fn note_collations(&mut self, label: &str, collations: &[String]) {
        for collation in collations {
            if matching(collation) == KeyMatching::Unknown {
                self.unknown_collations.push(format!("{collation} of {label}"));
            }
        }
    }

    fn spelled(&self, column: &str) -> String {
        let same = |known: &&String| known.eq_ignore_ascii_case(column);
        self.columns.iter().find(same).map_or_else(|| column.to_owned(), Clone::clone)
    }

    /// How a foreign key's values are compared with this column: by its collation and affinity
    /// (<https://www.sqlite.org/foreignkeys.html#fk_basics>).
    fn folding_of(&self, column: &str) -> Folding {
        let matching = self.collations.get(column).map_or(KeyMatching::Binary, |c| matching(c));
        let declared = self.types.get(column).map_or("", String::as_str);
        Folding { matching, conversion: conversion(declared) }
    }
}

/// What a comparison with a column of this declared type converts the other side to.
fn conversion(declared: &str) -> Conversion {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if !has("INT") && (has("CHAR") || has("CLOB") || has("TEXT")) {
        Conversion::ToText
    } else if !has("INT") && (declared.is_empty() || has("BLOB")) {
        Conversion::AsIs
    } else {
        Conversion::ToNumber
    }
}

fn matching(collation: &str) -> KeyMatching {
    match collation.to_ascii_uppercase().as_str() {
        "BINARY" => KeyMatching::Binary,
        "NOCASE" => KeyMatching::AsciiNoCase,
        "RTRIM" => KeyMatching::TrailingSpaces,
        _ => KeyMatching::Unknown,
    }
}

fn action(text: Option<&str>) -> Action {
    match text.map(str::to_ascii_uppercase).as_deref() {
        None | Some("NO ACTION") => Action::NoAction,
        Some("RESTRICT") => Action::Restrict,
        Some(_) => Action::Changes,
    }
}

/// Whether a fact has this flag.
pub fn flag(fact: &Fact, name: &str) -> bool {
    matches!(fact.attributes.get(name), Some(Attribute::Flag))
}

/// The text of an attribute.
pub fn text<'f>(fact: &'f Fact, name: &str) -> Option<&'f str> {
    match fact.attributes.get(name) {
        Some(Attribute::Text(text)) => Some(text),
        _ => None,
    }
}

/// The items of an attribute; none where it is not there.
pub fn list<'f>(fact: &'f Fact, name: &str) -> &'f [String] {
    match fact.attributes.get(name) {
        Some(Attribute::List(items)) => items,
        _ => &[],
    }
}
