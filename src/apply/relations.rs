//! Which relations hold rows that are counted elsewhere, or are nobody's.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;
use crate::engine::ddl::text;
use crate::model::{Catalog, ObjectKind, ObjectName};

/// How deep partitions may lie in each other.
const DEEPEST: usize = 64;

/// What there is to know of a schema before changes of rows are counted.
#[derive(Debug, Default)]
pub struct Relations {
    /// Materialised views, which are filled from other tables.
    derived: BTreeSet<String>,
    /// The table of each partition.
    partitioned: BTreeMap<String, String>,
}

impl Relations {
    /// Those of a catalog.
    pub fn of(catalog: &Catalog) -> Relations {
        let mut relations = Relations::default();
        for fact in &catalog.facts {
            let name = fact.id.object.to_string();
            match (fact.id.kind, text(fact, "table")) {
                (ObjectKind::MaterializedView, _) => {
                    relations.derived.insert(name);
                }
                (ObjectKind::Partition, Some(table)) => {
                    let schema = text(fact, "table-schema").unwrap_or(&fact.id.object.schema);
                    let table = ObjectName { schema: schema.to_owned(), name: table.to_owned() }
                        .to_string();
                    relations.partitioned.insert(name, table);
                }
                _ => {}
            }
        }
        relations
    }

    /// These and those of an earlier moment.
    #[must_use]
    pub fn and(mut self, earlier: &Relations) -> Relations {
        self.derived.extend(earlier.derived.iter().cloned());
        self.partitioned.extend(earlier.partitioned.clone());
        self
    }

    /// The same, where changes of a table count for the name by which a pack calls it.
    #[must_use]
    pub fn called(mut self, names: &Names) -> Relations {
        self.partitioned.extend(names.tables().map(|(new, old)| (old.clone(), new.clone())));
        self
    }

    /// Whether the rows of a relation are nobody's.
    pub fn is_derived(&self, name: &str) -> bool {
        self.derived.contains(name)
    }

    /// The table that changes of a relation count for: that of which it is or was a partition.
    pub fn root(&self, name: &str) -> String {
        let mut root = name;
        for _ in 0..DEEPEST {
            match self.partitioned.get(root) {
                Some(table) => root = table,
                None => break,
            }
        }
        root.to_owned()
    }
}
