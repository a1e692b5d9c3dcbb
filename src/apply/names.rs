//! A pack that changes names speaks of everything by the new ones: what the target has under others is
//! found here.

use std::collections::BTreeMap;

use crate::engine::ddl::{Following, Rename, Renames, Schema};
use crate::model::{Fact, ObjectKind, ObjectName};
use crate::pack::Manifest;
use crate::pack::enforcement::Enforcement;

/// Which names a pack changes, as far as a schema has them.
#[derive(Debug, Default)]
pub struct Names {
    renames: Renames,
    /// Tables by their new names, with the old ones.
    tables: BTreeMap<String, String>,
}

impl Names {
    /// The names that change, for a schema that has the old ones; none for any other.
    pub fn of(manifest: &Manifest, facts: &[Fact]) -> Names {
        let mut names = Names::default();
        if manifest.renames.is_empty() {
            return names;
        }
        let tables: BTreeMap<String, &ObjectName> = facts
            .iter()
            .filter(|fact| fact.id.kind == ObjectKind::Table)
            .map(|fact| (fact.id.object.to_string(), &fact.id.object))
            .collect();
        for line in &manifest.renames {
            let Some(table) = tables.get(&line.table) else { continue };
            let (table, column) = ((*table).clone(), line.column.clone());
            let to = line.to.clone();
            if column.is_none() {
                let new = ObjectName { schema: table.schema.clone(), name: to.clone() };
                names.tables.insert(new.to_string(), table.to_string());
            }
            names.renames.add(&Rename { table, column, to });
        }
        names
    }

    /// The tables that have another name than the pack calls them by: that, and the one they have.
    pub fn tables(&self) -> impl Iterator<Item = (&String, &String)> {
        self.tables.iter()
    }

    /// Facts by the new names, those aside that are not there while names change.
    pub fn called(&self, enforcement: Enforcement, facts: &[Fact]) -> Vec<Fact> {
        if self.renames.is_empty() {
            return facts.to_vec();
        }
        let (ddl, schema) = (enforcement.ddl(""), Schema::new(facts));
        let follows = |fact: &Fact| match ddl.follows(fact, &self.renames, &schema, &schema) {
            Following::Follows(fact) => Some(fact),
            Following::Remade | Following::Refused(_) => None,
        };
        facts.iter().filter_map(follows).collect()
    }
}
