//! Tables and columns that get other names, and what that makes of the facts that speak of them.
//!
//! Every name here is the one before. Structured names (of tables, in lists of columns) are put in
//! place by [`Renames`]; what a server makes of a text is its language's business
//! (`Ddl::follows`), and where that is not known for sure, the fact is dropped before the names
//! change and made again afterwards.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The table.
    pub table: ObjectName,
    /// The column of it; the table itself where there is none.
    pub column: Option<String>,
    /// The new name.
    pub to: String,
}

impl Rename {
    /// What takes it back.
    #[must_use]
    pub fn inverse(self) -> Rename {
        let Rename { table, column, to } = self;
        match column {
            Some(column) => Rename { table, column: Some(to), to: column },
            None => {
                let new = ObjectName { schema: table.schema.clone(), name: to };
                Rename { table: new, column: None, to: table.name }
            }
        }
    }
}

/// Tables and columns that get other names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renames {
    tables: BTreeMap<ObjectName, ObjectName>,
    columns: BTreeMap<ObjectName, BTreeMap<String, String>>,
    server: String,
}

/// What becomes of a fact when names change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Following {
    /// It says this afterwards, without being touched.
    Follows(Fact),
    /// That is not known: it is dropped before, and made again as it shall be.
    Remade,
    /// It is in the way, and why.
    Refused(String),
}

impl Renames {
    /// None.
    pub fn none() -> Renames {
        Renames::default()
    }

    /// The same on a server, as a snapshot names it: what follows may depend on its version.
    #[must_use]
    pub fn on(mut self, server: &str) -> Renames {
        server.clone_into(&mut self.server);
        self
    }

    /// The server, where it is known.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Adds one.
    pub fn add(&mut self, rename: &Rename) {
        let Rename { table, column, to } = rename;
        match column {
            Some(column) => {
                let columns = self.columns.entry(table.clone()).or_default();
                columns.insert(column.clone(), to.clone());
            }
            None => {
                let new = ObjectName { schema: table.schema.clone(), name: to.clone() };
                self.tables.insert(table.clone(), new);
            }
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.columns.is_empty()
    }

    /// All of them: the columns of each table, and then the table.
    pub fn all(&self) -> Vec<Rename> {
        let tables: BTreeSet<&ObjectName> = self.tables.keys().chain(self.columns.keys()).collect();
        let mut all = Vec::new();
        for table in tables {
            for (column, to) in self.columns_of(table) {
                let (table, column) = (table.clone(), Some(column.clone()));
                all.push(Rename { table, column, to: to.clone() });
            }
            if let Some(new) = self.tables.get(table) {
                all.push(Rename { table: table.clone(), column: None, to: new.name.clone() });
            }
        }
        all
    }

    /// What takes all of them back: each table, and then its columns.
    pub fn inverse(&self) -> Vec<Rename> {
        self.all().into_iter().rev().map(Rename::inverse).collect()
    }

    /// The renames that take these back, all by the names that these give.
    #[must_use]
    pub fn reversed(&self) -> Renames {
        let turned = |columns: &BTreeMap<String, String>| {
            columns.iter().map(|(old, new)| (new.clone(), old.clone())).collect()
        };
        let columns = self.columns.iter();
        Renames {
            tables: self.tables.iter().map(|(old, new)| (new.clone(), old.clone())).collect(),
            columns: columns.map(|(table, names)| (self.object(table), turned(names))).collect(),
            server: self.server.clone(),
        }
    }

    /// The new name of an object: its own where it keeps it.
    pub fn object(&self, object: &ObjectName) -> ObjectName {
        self.tables.get(object).unwrap_or(object).clone()
    }

    /// Whether a table gets another name.
    pub fn has_table(&self, table: &ObjectName) -> bool {
        self.tables.contains_key(table)
    }

    /// Whether a table, or a column of it, gets another name.
    pub fn touches(&self, table: &ObjectName) -> bool {
        self.has_table(table) || self.columns.contains_key(table)
    }

    /// The tables that are touched, by their names before.
    pub fn touched(&self) -> BTreeSet<&ObjectName> {
        self.tables.keys().chain(self.columns.keys()).collect()
    }

    /// The columns of a table that get other names.
    pub fn columns_of(&self, table: &ObjectName) -> impl Iterator<Item = (&String, &String)> {
        self.columns.get(table).into_iter().flatten()
    }

    /// The new name of a column: its own where it keeps it.
    pub fn column(&self, table: &ObjectName, column: &str) -> String {
        let columns = self.columns.get(table);
        columns.and_then(|columns| columns.get(column)).map_or(column, String::as_str).to_owned()
    }

    /// Whether a fact is of a table or column that gets another name, as a whole.
    pub fn is_of(&self, id: &FactId) -> bool {
        match id.kind {
            ObjectKind::Table => self.has_table(&id.object),
            ObjectKind::Column => {
                self.has_table(&id.object)
                    || self.columns_of(&id.object).any(|(column, _)| *column == id.part)
            }
            _ => false,
        }
    }

    /// A list of columns of a table, by their new names. `is_name` says which items are names.
    pub fn list(
        &self,
        fact: &mut Fact,
        attribute: &str,
        table: &ObjectName,
        is_name: impl Fn(usize) -> bool,
    ) {
        if let Some(Attribute::List(items)) = fact.attributes.get_mut(attribute) {
            let items = items.iter_mut().enumerate().filter(|(place, _)| is_name(*place));
            items.for_each(|(_, item)| *item = self.column(table, item));
        }
    }

    /// The objects that a fact depends on, by their new names.
    pub fn dependencies(&self, fact: &mut Fact) {
        let mut names: Vec<ObjectName> = fact.depends_on.iter().map(|o| self.object(o)).collect();
        names.sort();
        fact.depends_on = names;
    }
}
