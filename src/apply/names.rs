//! A pack that changes names speaks of everything by the new ones: what the target has under others is
//! found here.

use std::collections::BTreeMap;

use crate::engine::ddl::{Following, Rename, Renames, Schema};
use crate::model::{Fact, ObjectKind, ObjectName, TableSpec};
use crate::pack::Manifest;
use crate::pack::enforcement::Enforcement;
use crate::pack::renames;

/// Which names a pack changes, as far as a schema has them.
#[derive(Debug, Default)]
pub struct Names {
    renames: Renames,
    /// Those that take them back.
    reversed: Renames,
    /// Tables by their new names, with the old ones.
    tables: BTreeMap<String, String>,
}

impl Names {
    /// The names that change, for a schema that has the old ones; none for any other.
    pub fn of(manifest: &Manifest, facts: &[Fact]) -> Names {
        if manifest.renames.is_empty() {
            return Names::default();
        }
        let tables: BTreeMap<String, &ObjectName> = facts
            .iter()
            .filter(|fact| fact.id.kind == ObjectKind::Table)
            .map(|fact| (fact.id.object.to_string(), &fact.id.object))
            .collect();
        Names::found(manifest, |table| tables.get(table).map(|table| (*table).clone()))
    }

    /// All names that change, where objects are in no schemas.
    pub fn all(manifest: &Manifest) -> Names {
        Names::found(manifest, |table| Some(ObjectName::bare(table)))
    }

    fn found(manifest: &Manifest, find: impl Fn(&str) -> Option<ObjectName>) -> Names {
        let mut names = Names::default();
        for line in &manifest.renames {
            let Some(table) = find(&line.table) else { continue };
            let (column, to) = (line.column.clone(), line.to.clone());
            if column.is_none() {
                let new = ObjectName { schema: table.schema.clone(), name: to.clone() };
                names.tables.insert(new.to_string(), table.to_string());
            }
            names.renames.add(&Rename { table, column, to });
        }
        names.reversed = names.renames.reversed();
        names
    }

    /// The tables that have another name than the pack calls them by: that, and the one they have.
    pub fn tables(&self) -> impl Iterator<Item = (&String, &String)> {
        self.tables.iter()
    }

    /// Whether no name changes.
    pub fn is_empty(&self) -> bool {
        self.renames.is_empty()
    }

    /// The old name of a table: its own where it keeps it.
    pub fn old<'n>(&'n self, table: &'n str) -> &'n str {
        self.tables.get(table).map_or(table, String::as_str)
    }

    /// A table by its new names, whichever it has.
    pub fn after(&self, table: &TableSpec) -> TableSpec {
        renames::called(table, &self.renames)
    }

    /// A table by its old names, whichever it has. Its columns stay in their order.
    pub fn before(&self, table: &TableSpec) -> TableSpec {
        renames::called(table, &self.reversed)
    }

    /// Facts by the new names, those aside that are not there while names change.
    pub fn called(&self, enforcement: Enforcement, facts: &[Fact]) -> Vec<Fact> {
        follow(enforcement, facts, &self.renames)
    }

    /// Facts that have the new names by the old ones, those aside of which it is not known what they
    /// would say.
    pub fn taken_back(&self, enforcement: Enforcement, facts: &[Fact]) -> Vec<Fact> {
        follow(enforcement, facts, &self.reversed)
    }
}

fn follow(enforcement: Enforcement, facts: &[Fact], renames: &Renames) -> Vec<Fact> {
    if renames.is_empty() {
        return facts.to_vec();
    }
    let (ddl, schema) = (enforcement.ddl(""), Schema::new(facts));
    let follows = |fact: &Fact| match ddl.follows(fact, renames, &schema, &schema) {
        Following::Follows(fact) => Some(fact),
        Following::Remade | Following::Refused(_) => None,
    };
    facts.iter().filter_map(follows).collect()
}
