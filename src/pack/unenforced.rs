//! Foreign keys that SQLite cannot enforce while rows change.
//!
//! One whose parent is not there, or whose parent's columns are under no unique key, makes every
//! statement fail that has to look at it: the key may be on its way (a unique index is made after
//! the rows), or the schema may be that way for good. A pack that meets one runs without foreign
//! keys and has them checked at its end, like one that builds tables anew.

use std::collections::{BTreeMap, BTreeSet};

use super::enforcement::Enforcement;
use super::order::TableWork;
use super::rules::{flag, list, text};
use super::schema::{SchemaPlan, SchemaStep};
use crate::model::{Fact, ObjectKind};

/// Whether a way runs without foreign keys: they would follow the rows of tables that are dropped or
/// built anew, or one of them cannot be enforced.
pub fn are_put_off(enforcement: Enforcement, plan: &SchemaPlan, works: &[TableWork<'_>]) -> bool {
    let touched = works.iter().map(|work| work.shape.label());
    enforcement.acts_on_dropped_rows()
        && (plan.steps().any(SchemaStep::drops_table) || are_met(&plan.facts_for_rows, touched))
}

/// Whether changing rows of these tables meets a foreign key that SQLite cannot enforce under these
/// facts: one of theirs, or of a table whose rows may have to follow theirs.
fn are_met<'t>(facts: &[Fact], touched: impl IntoIterator<Item = &'t str>) -> bool {
    let schema = Tables::of(facts);
    let mut met: BTreeSet<String> = touched.into_iter().map(str::to_ascii_lowercase).collect();
    let mut waiting: Vec<String> = met.iter().cloned().collect();
    while let Some(parent) = waiting.pop() {
        for child in schema.children.get(&parent).into_iter().flatten() {
            if met.insert(child.clone()) {
                waiting.push(child.clone());
            }
        }
    }
    let mut keys = schema.foreign_keys.iter();
    keys.any(|key| met.contains(&lower(&key.id.object.name)) && !schema.is_enforceable(key))
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// What foreign keys are looked up by, tables without case.
struct Tables<'f> {
    foreign_keys: Vec<&'f Fact>,
    /// The tables that refer to each.
    children: BTreeMap<String, BTreeSet<String>>,
    /// Primary keys, unique constraints and unique indexes over columns and all rows.
    keys: BTreeMap<String, Vec<&'f Fact>>,
    /// Collations of columns that name one.
    collations: BTreeMap<(String, String), &'f str>,
}

impl<'f> Tables<'f> {
    fn of(facts: &'f [Fact]) -> Tables<'f> {
        let (foreign_keys, children) = (Vec::new(), BTreeMap::new());
        let (keys, collations) = (BTreeMap::new(), BTreeMap::new());
        let mut tables = Tables { foreign_keys, children, keys, collations };
        for fact in facts {
            tables.note(fact);
        }
        tables
    }

    fn note(&mut self, fact: &'f Fact) {
        let own = lower(&fact.id.object.name);
        match fact.id.kind {
            ObjectKind::ForeignKey => {
                let parent = lower(text(fact, "table").unwrap_or_default());
                self.children.entry(parent).or_default().insert(own);
                self.foreign_keys.push(fact);
            }
            ObjectKind::PrimaryKey | ObjectKind::Unique => {
                self.keys.entry(own).or_default().push(fact);
            }
            ObjectKind::Index => {
                let is_partial = text(fact, "where").is_some();
                let is_of_columns = list(fact, "terms").iter().all(|term| term == "column");
                if flag(fact, "unique") && !is_partial && is_of_columns {
                    let table = lower(text(fact, "table").unwrap_or_default());
                    self.keys.entry(table).or_default().push(fact);
                }
            }
            ObjectKind::Column => {
                if let Some(collation) = text(fact, "collation") {
                    self.collations.insert((own, lower(&fact.id.part)), collation);
                }
            }
            _ => {}
        }
    }

    /// Whether the parent has the unique key that is needed
    /// (<https://www.sqlite.org/foreignkeys.html#fk_indexes>).
    fn is_enforceable(&self, foreign_key: &Fact) -> bool {
        let parent = lower(text(foreign_key, "table").unwrap_or_default());
        let count = list(foreign_key, "columns").len();
        let referenced: BTreeSet<String> =
            list(foreign_key, "referenced-columns").iter().map(|name| lower(name)).collect();
        let mut keys = self.keys.get(&parent).into_iter().flatten();
        keys.any(|key| {
            let is_primary = key.id.kind == ObjectKind::PrimaryKey;
            let columns = list(key, "columns");
            if columns.len() != count || (referenced.is_empty() && !is_primary) {
                return false;
            }
            referenced.is_empty()
                || columns.iter().enumerate().all(|(place, name)| {
                    let name = lower(name);
                    let used = list(key, "collations").get(place).map_or("BINARY", String::as_str);
                    let own = self.collations.get(&(parent.clone(), name.clone()));
                    referenced.contains(&name)
                        && (flag(key, "rowid-alias") || *own.unwrap_or(&"BINARY") == used)
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attribute, FactId, ObjectName};

    fn fact(kind: ObjectKind, object: &str, part: &str, lists: &[(&str, &[&str])]) -> Fact {
        let id = FactId { kind, object: ObjectName::bare(object), part: part.to_owned() };
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let attributes =
            lists.iter().map(|(name, items)| ((*name).to_owned(), Attribute::List(list(items))));
        Fact { id, attributes: attributes.collect(), depends_on: Vec::new() }
    }

    fn with(mut fact: Fact, texts: &[(&str, &str)]) -> Fact {
        let texts =
            texts.iter().map(|(name, t)| ((*name).to_owned(), Attribute::Text((*t).to_owned())));
        fact.attributes.extend(texts);
        fact
    }

    fn refers(child: &str, parent: &str, to: &[&str]) -> Fact {
        let lists: [(&str, &[&str]); 2] = [("columns", &["x"]), ("referenced-columns", to)];
        with(fact(ObjectKind::ForeignKey, child, "", &lists), &[("table", parent)])
    }

    fn unique(table: &str, columns: &[&str], texts: &[(&str, &str)]) -> Fact {
        let mut index = fact(ObjectKind::Index, "i", "", &[("columns", columns)]);
        index.attributes.insert("unique".to_owned(), Attribute::Flag);
        with(with(index, &[("table", table)]), texts)
    }

    #[test]
    fn a_key_needs_its_parent_and_a_unique_key_there() {
        let key = || refers("child", "Parent", &["Code"]);
        assert!(are_met(&[key()], ["child"]));
        assert!(are_met(&[key()], ["parent"]), "rows of the child may follow");
        assert!(!are_met(&[key()], ["other"]));
        assert!(!are_met(&[key(), unique("parent", &["code"], &[])], ["child"]));
        assert!(are_met(&[key(), unique("parent", &["code"], &[("where", "x")])], ["child"]));
        assert!(are_met(&[key(), unique("parent", &["code", "b"], &[])], ["child"]));
        let column = fact(ObjectKind::Column, "parent", "code", &[]);
        let column = with(column, &[("collation", "NOCASE")]);
        assert!(are_met(&[key(), unique("parent", &["code"], &[]), column], ["child"]));
        let primary = fact(ObjectKind::PrimaryKey, "parent", "", &[("columns", &["id"])]);
        assert!(!are_met(&[refers("child", "parent", &[]), primary], ["child"]));
        // Rows of `c` may follow those of `b`, and those of `b` follow `a`.
        let chain = [
            refers("b", "a", &["id"]),
            refers("c", "b", &["id"]),
            refers("c", "gone", &["id"]),
            unique("a", &["id"], &[]),
            unique("b", &["id"], &[]),
        ];
        assert!(are_met(&chain, ["a"]));
    }
}
