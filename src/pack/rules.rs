//! The rules a database enforces on rows, as far as the order of changes depends on them.
//!
//! Read from the facts of a schema: unique keys, foreign keys, triggers, what may be NULL. Tables
//! go by their names as text ([`ObjectName`]'s own), found as the engine finds them. Of planning
//! only this file and `enforcement` know the names of attributes (`docs/format-*-facts.md`).

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Condition;
use super::enforcement::{Compared, Enforcement};
use super::token::Folding;
pub use crate::engine::ddl::{flag, list, text};
use crate::model::{Fact, KeyMatching, ObjectKind, ObjectName};

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
    /// Whether NULLs collide too.
    pub takes_null_once: bool,
    /// Whether it may be checked at the end of the transaction.
    pub may_wait: bool,
}

/// A foreign key.
#[derive(Debug, Clone)]
pub struct ForeignKey {
    /// The fact that tells of it, as text.
    pub id: String,
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
    /// Whether it may be checked at the end of the transaction.
    pub may_wait: bool,
    /// The columns that hold NULL while a row refers to nothing; none where that is not possible.
    pub freed_by: Vec<String>,
}

/// A trigger that fires on changes of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The fact that tells of it, as text.
    pub id: String,
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
    /// Columns whose values are computed, and from what.
    pub generated: BTreeMap<String, String>,
    /// Columns that only the database may set, unless it is overruled: inserts do that, updates
    /// cannot.
    pub identities: BTreeSet<String>,
    /// Whether values must have the declared type.
    pub is_strict: bool,
    /// Whether the table has no rowid.
    pub is_without_rowid: bool,
    /// Whether the table checks its rows.
    pub has_checks: bool,
    /// What it checks.
    pub checks: Vec<String>,
    /// Whether a constraint says what to do on conflict: statements must overrule it.
    pub has_conflict_clause: bool,
    /// Collations this program cannot compare by, with the index or key that uses them.
    pub unknown_collations: Vec<String>,
    /// Whether an exclusion constraint connects rows in a way that is not known here.
    pub has_exclusions: bool,
    /// Unique indexes on expressions, until the columns are all known.
    expressions: Vec<(String, Fact)>,
    /// The triggers of the table.
    pub triggers: Vec<Trigger>,
    /// The highest number is kept in `sqlite_sequence`.
    pub is_autoincrement: bool,
}

impl TableRules {
    /// Whether it has a column that holds data of its own.
    pub fn holds(&self, column: &str) -> bool {
        self.columns.contains(column) && !self.generated.contains_key(column)
    }
}

/// The rules of a whole database.
#[derive(Debug)]
pub struct Rules {
    /// The engine that enforces them.
    pub enforcement: Enforcement,
    tables: BTreeMap<String, TableRules>,
    /// Every foreign key whose parent is there, sorted by child.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Rules {
    /// The rules that these facts make.
    pub fn of<'f>(enforcement: Enforcement, facts: impl IntoIterator<Item = &'f Fact>) -> Rules {
        let facts: Vec<&Fact> = facts.into_iter().collect();
        let (tables, foreign_keys) = (BTreeMap::new(), Vec::new());
        let mut rules = Rules { enforcement, tables, foreign_keys };
        // The columns first: keys look up their types.
        for is_column in [true, false] {
            let facts = facts.iter().filter(|f| (f.id.kind == ObjectKind::Column) == is_column);
            facts.for_each(|fact| rules.read(fact));
        }
        rules.read_expressions();
        rules.foreign_keys = facts
            .iter()
            .filter(|fact| fact.id.kind == ObjectKind::ForeignKey)
            .filter_map(|fact| rules.foreign_key(fact))
            .collect();
        rules
    }

    /// The rules of a table.
    pub fn table(&self, name: &str) -> Option<&TableRules> {
        self.tables.get(&self.enforcement.place(name))
    }

    /// The foreign keys that refer to a table.
    pub fn referring_to<'r>(&'r self, parent: &'r str) -> impl Iterator<Item = &'r ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.parent == parent)
    }

    fn entry(&mut self, table: &ObjectName) -> &mut TableRules {
        let name = table.to_string();
        let entry = self.tables.entry(self.enforcement.place(&name)).or_default();
        if entry.name.is_empty() {
            entry.name = name;
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
                table.checks.extend(text(fact, "expression").map(str::to_owned));
                table.has_conflict_clause |= text(fact, "conflict").is_some();
            }
            ObjectKind::Index => self.read_index(fact),
            ObjectKind::Exclusion => self.entry(&fact.id.object).has_exclusions = true,
            ObjectKind::Trigger if self.enforcement.fires(fact) => {
                self.read_trigger(fact, &fact.id.object.name);
            }
            // A rule rewrites statements, which is a trigger by another name.
            ObjectKind::Rule if self.enforcement.fires(fact) => {
                self.read_trigger(fact, &format!("rule {}", fact.id.part));
            }
            _ => {}
        }
    }

    /// One trigger may be of several events.
    fn read_trigger(&mut self, fact: &Fact, name: &str) {
        let table = self.enforcement.table_of(fact);
        let events = text(fact, "event").unwrap_or_default().to_ascii_lowercase();
        let of_rows = events.split(" or ").filter(|event| !["truncate", "select"].contains(event));
        let triggers = of_rows.map(|event| Trigger {
            name: name.to_owned(),
            id: fact.id.to_string(),
            event: event.to_owned(),
        });
        self.entry(&table).triggers.extend(triggers);
    }

    fn read_column(&mut self, fact: &Fact) {
        let name = fact.id.part.clone();
        let table = self.entry(&fact.id.object);
        if flag(fact, "not-null") {
            table.not_null.insert(name.clone());
        }
        if let Some(expression) = text(fact, "generated") {
            table.generated.insert(name.clone(), expression.to_owned());
        }
        if text(fact, "identity") == Some("ALWAYS") {
            table.identities.insert(name.clone());
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
        let enforcement = self.enforcement;
        let table = self.entry(&fact.id.object);
        table.has_conflict_clause |= text(fact, "conflict").is_some();
        table.push_key(label, fact, is_primary, enforcement);
        if is_primary {
            table.is_autoincrement = flag(fact, "autoincrement");
            if flag(fact, "rowid-alias") {
                table.rowid_alias = columns.first().cloned();
            }
            // In SQLite only a WITHOUT ROWID or STRICT table, or the rowid itself, keeps NULL out.
            if !enforcement.takes_null_in_primary_keys()
                || table.is_without_rowid
                || table.is_strict
                || flag(fact, "rowid-alias")
            {
                table.not_null.extend(columns.iter().cloned());
            }
            table.primary = columns.to_vec();
        }
    }

    fn read_index(&mut self, fact: &Fact) {
        let Some(name) = text(fact, "table") else { return };
        let has_expression = !list(fact, "terms").is_empty();
        let label = match fact.id.part.as_str() {
            "" => format!("INDEX {}", fact.id.object),
            part => format!("INDEX {part} of {name}"),
        };
        let (enforcement, table) = (self.enforcement, self.enforcement.table_of(fact));
        let table = self.entry(&table);
        if !flag(fact, "unique") || flag(fact, "invalid") {
            table.note_collations(&fact.id.object.name, list(fact, "collations"));
        } else if !has_expression {
            table.push_key(label, fact, false, enforcement);
        } else if enforcement.is_proved() {
            // The scratch copy shows what such an index refuses.
            table.note_collations(&fact.id.object.name, list(fact, "collations"));
        } else {
            table.expressions.push((label, fact.clone()));
        }
    }

    /// Unique indexes on expressions, as keys over the columns that these may name.
    fn read_expressions(&mut self) {
        for table in self.tables.values_mut() {
            for (label, fact) in std::mem::take(&mut table.expressions) {
                let terms = list(&fact, "terms").iter().chain(list(&fact, "columns"));
                let terms: Vec<&String> = terms
                    .flat_map(|term| [Some(term), table.generated.get(term)])
                    .flatten()
                    .collect();
                let named = |column: &&String| terms.iter().any(|term| names_column(term, column));
                let folding = Folding { matching: KeyMatching::Unknown, ..Folding::exact() };
                let is_kept = |column: &&String| !table.generated.contains_key(*column);
                let columns = table.columns.iter().filter(is_kept).filter(named);
                let columns: Vec<(String, Folding)> =
                    columns.map(|column| (column.clone(), folding)).collect();
                if !columns.is_empty() {
                    let condition = text(&fact, "where").map(Condition::of);
                    let takes_null_once = flag(&fact, "nulls-not-distinct");
                    let (is_primary, may_wait) = (false, false);
                    table.unique.push(UniqueKey {
                        label,
                        columns,
                        is_primary,
                        condition,
                        takes_null_once,
                        may_wait,
                    });
                }
            }
        }
    }

    fn foreign_key(&self, fact: &Fact) -> Option<ForeignKey> {
        let parent = self.table(&self.enforcement.table_of(fact).to_string())?;
        let child = self.table(&fact.id.object.to_string())?;
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
                let folding = self.enforcement.parent_folding(parent.compared(&name));
                (name, folding)
            })
            .collect();
        let columns: Vec<String> = columns.iter().map(|name| child.spelled(name)).collect();
        let may_be_null = |name: &&String| {
            !child.not_null.contains(*name)
                && !child.primary.contains(name)
                && !child.checks_column(name)
        };
        let mut freed_by: Vec<String> = columns.iter().filter(may_be_null).cloned().collect();
        // Under MATCH FULL all columns are NULL or none.
        if text(fact, "match").is_some_and(|kind| kind.eq_ignore_ascii_case("full"))
            && freed_by.len() < columns.len()
        {
            freed_by.clear();
        }
        Some(ForeignKey {
            id: fact.id.to_string(),
            child: child.name.clone(),
            columns,
            parent: parent.name.clone(),
            parent_columns,
            on_delete: action(text(fact, "on-delete")),
            on_update: action(text(fact, "on-update")),
            may_wait: self.enforcement.may_wait(fact),
            freed_by,
        })
    }
}

impl TableRules {
    /// Whether a check of the table names this column.
    pub fn checks_column(&self, column: &str) -> bool {
        self.checks.iter().any(|check| names_column(check, column))
    }

    /// Whether no name of the rowid is left: equal rows cannot be told apart then.
    pub fn hides_rowid(&self) -> bool {
        let is_hidden =
            |name: &str| self.columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid"].into_iter().all(is_hidden)
    }

    fn push_key(&mut self, label: String, fact: &Fact, is_primary: bool, enforcement: Enforcement) {
        let is_computed = |name: &String| self.generated.contains_key(name);
        if !enforcement.is_proved() && list(fact, "columns").iter().any(is_computed) {
            // A key over what is computed is one over what it is computed from.
            self.expressions.push((label, fact.clone()));
            return;
        }
        let collations = list(fact, "collations");
        self.note_collations(&label, collations);
        let columns = list(fact, "columns")
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let prefix = list(fact, "lengths").get(at).and_then(|length| length.parse().ok());
                let collation = collations.get(at).map(String::as_str);
                let compared = Compared { collation, prefix, ..self.compared(name) };
                (name.clone(), enforcement.folding(compared))
            })
            .collect();
        let condition = text(fact, "where").map(Condition::of);
        let takes_null_once = flag(fact, "nulls-not-distinct");
        let may_wait = enforcement.unique_may_wait(fact);
        let key = UniqueKey { label, columns, is_primary, condition, takes_null_once, may_wait };
        self.unique.push(key);
    }

    fn note_collations(&mut self, label: &str, collations: &[String]) {
        for collation in collations {
            let compared = Compared { collation: Some(collation), declared: "", prefix: None };
            if Enforcement::Sqlite.folding(compared).matching == KeyMatching::Unknown {
                self.unknown_collations.push(format!("{collation} of {label}"));
            }
        }
    }

    fn spelled(&self, column: &str) -> String {
        let same = |known: &&String| known.eq_ignore_ascii_case(column);
        self.columns.iter().find(same).map_or_else(|| column.to_owned(), Clone::clone)
    }

    fn compared(&self, column: &str) -> Compared<'_> {
        Compared {
            collation: self.collations.get(column).map(String::as_str),
            declared: self.types.get(column).map_or("", String::as_str),
            prefix: None,
        }
    }
}

/// Whether an expression names a column, as a word of its own.
fn names_column(expression: &str, column: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    expression.match_indices(column).any(|(at, _)| {
        let before = expression[..at].chars().next_back();
        let after = expression[at + column.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn action(text: Option<&str>) -> Action {
    match text.map(str::to_ascii_uppercase).as_deref() {
        None | Some("NO ACTION") => Action::NoAction,
        Some("RESTRICT") => Action::Restrict,
        Some(_) => Action::Changes,
    }
}
