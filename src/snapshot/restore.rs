//! Restoring: a database with the rows of a snapshot.
//!
//! On SQLite the database is new: tables by their own text, then rows, then indexes, views and
//! triggers, so that nothing fires or is built twice. On a server it exists, has the schema of the
//! snapshot already, and every table is empty: nothing is ever overwritten. Rows come in within one
//! transaction, in which everything is read again: unless the state is that of the snapshot, it is
//! rolled back.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::error::SnapshotError;
use super::reread;
use crate::codec::state::{StoredTable, write_state};
use crate::codec::{Hasher, Kind};
use crate::engine::{Dialect, Session, Target, Unenforced, is_optional, masked_columns};
use crate::model::{Attribute, Catalog, Fact, FactId, Flow, ObjectKind, ObjectName, StateId};
use crate::store::Objects;
use crate::tree::ScratchSpace;
use crate::tree::rows::rows_of;
use crate::tree::state::{LoadedSnapshot, TableDefinition};

/// How many differences of schemas are named.
const NAMED: usize = 10;

/// How much a restore wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// The state of what was written, read again.
    pub state: Option<StateId>,
    /// The columns that got no values, because they are masked.
    pub masked: Vec<FactId>,
}

/// What reading everything again needs.
pub struct Reading<'a> {
    /// The store's hash function.
    pub hasher: &'a Hasher,
    /// Where rows are sorted.
    pub scratch: &'a Arc<dyn ScratchSpace>,
    /// On how many processors.
    pub jobs: usize,
}

/// Writes the rows of a snapshot, and on SQLite the schema, into a database. `on_table` is told
/// each table and its rows, `on_rows` how many are done.
pub fn restore(
    runtime: &Runtime,
    objects: &dyn Objects,
    loaded: &LoadedSnapshot,
    target: &mut Target,
    reading: &Reading<'_>,
    on_table: &mut dyn FnMut(&StoredTable),
    on_rows: &mut dyn FnMut(u64),
) -> Result<Restored, SnapshotError> {
    if loaded.snapshot.is_hash_only {
        return Err(SnapshotError::NotRestorable {
            snapshot: loaded.id.short(),
            why: "it stored keys and row hashes only, no values".to_owned(),
        });
    }
    let facts = loaded.facts(objects)?;
    let masked = masked(objects, loaded, &facts)?;
    let engine = target.engine();
    let session = runtime.block_on(target.session())?;
    let unenforced = session.begin_restore()?;
    let run = Run { objects, loaded, session: &session, facts: &facts };
    let filled = run.fill(engine, unenforced, on_table, on_rows).and_then(|restored| {
        let state = run.check(engine, reading)?;
        Ok(Restored { state: Some(state), masked, ..restored })
    });
    match filled {
        Ok(restored) => {
            session.commit()?;
            Ok(restored)
        }
        Err(error) => {
            // The first error is the one to report; closing the connection rolls back too.
            let _ = session.rollback();
            Err(error)
        }
    }
}

/// The masked columns of tables with rows, which all have to do without a value.
fn masked(
    objects: &dyn Objects,
    loaded: &LoadedSnapshot,
    facts: &[Fact],
) -> Result<Vec<FactId>, SnapshotError> {
    let tables = loaded.tables(objects)?;
    let has_rows = |name: &ObjectName| {
        tables.iter().any(|table| table.spec.name == *name && table.rows.rows > 0)
    };
    let masked = masked_columns(&loaded.state.scope, facts.iter()).into_iter();
    let masked: Vec<&Fact> = masked.filter(|fact| has_rows(&fact.id.object)).collect();
    match masked.iter().find(|fact| !is_optional(fact)) {
        None => Ok(masked.into_iter().map(|fact| fact.id.clone()).collect()),
        Some(needed) => Err(SnapshotError::NotRestorable {
            snapshot: loaded.id.short(),
            why: format!(
                "column {} must not be NULL and has no default, and its values are masked",
                needed.id
            ),
        }),
    }
}

struct Run<'a, 's> {
    objects: &'a dyn Objects,
    loaded: &'a LoadedSnapshot,
    session: &'a Session<'s>,
    facts: &'a [Fact],
}

impl Run<'_, '_> {
    fn fill(
        &self,
        engine: &str,
        unenforced: Unenforced,
        on_table: &mut dyn FnMut(&StoredTable),
        on_rows: &mut dyn FnMut(u64),
    ) -> Result<Restored, SnapshotError> {
        let definitions = self.loaded.definitions(self.objects)?;
        let is_new = engine == "sqlite";
        let mut tables = self.loaded.tables(self.objects)?;
        if is_new {
            self.session.apply_settings(self.facts)?;
            self.create(&definitions, &[ObjectKind::Table])?;
        } else {
            let catalog = self.session.catalog(&self.loaded.state.scope)?;
            self.check_target(&catalog, unenforced)?;
            parents_first(&mut tables, self.facts);
        }
        let mut restored = Restored::default();
        for table in &tables {
            on_table(table);
            restored.tables += 1;
            restored.rows += self.rows(table, on_rows)?;
        }
        let dialect = Dialect::of(engine, self.facts)?;
        for sequence in &self.loaded.snapshot.sequences {
            for raise in dialect.raise_sequence(&sequence.name, sequence.position, self.facts) {
                self.session.execute(&raise)?;
            }
        }
        if is_new {
            for kind in
                [ObjectKind::VirtualTable, ObjectKind::Index, ObjectKind::View, ObjectKind::Trigger]
            {
                self.create(&definitions, &[kind])?;
            }
        }
        Ok(restored)
    }

    fn refused(&self, why: String) -> SnapshotError {
        SnapshotError::NotRestorable { snapshot: self.loaded.id.short(), why }
    }

    /// Whether the target has the schema of the snapshot, and no rows.
    fn check_target(&self, catalog: &Catalog, unenforced: Unenforced) -> Result<(), SnapshotError> {
        let concerning = |facts: &[Fact]| -> BTreeSet<(FactId, String)> {
            let facts = facts.iter().filter(|fact| fact.id.kind.concerns_rows());
            facts.map(|fact| (fact.id.clone(), format!("{:?}", fact.attributes))).collect()
        };
        let (wanted, found) = (concerning(self.facts), concerning(&catalog.facts));
        let differing: BTreeSet<String> = wanted
            .symmetric_difference(&found)
            .map(|(id, _)| format!("{} {id}", id.kind.as_str()))
            .collect();
        if !differing.is_empty() {
            let named: Vec<String> = differing.iter().take(NAMED).cloned().collect();
            let more = differing.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return Err(self.refused(format!(
                "the target does not have its schema ({}{more} differ): load the schema into an \
                 empty database first, as the server's own dump of the schema has it",
                named.join(", ")
            )));
        }
        for table in &catalog.tables {
            let rows = self.session.count_rows(table)?;
            if rows > 0 {
                return Err(self.refused(format!(
                    "table `{}` of the target holds {rows} rows, and none are overwritten: restore \
                     into an empty database, or make a pack",
                    table.name
                )));
            }
        }
        let trigger = self.facts.iter().find(|fact| fact.id.kind == ObjectKind::Trigger);
        if let Some(trigger) = trigger.filter(|_| !unenforced.triggers) {
            return Err(self.refused(format!(
                "trigger `{}` would fire for each row: load the schema without triggers first, or \
                 restore with an account that may switch them off",
                trigger.id.object
            )));
        }
        Ok(())
    }

    fn create(
        &self,
        definitions: &[TableDefinition],
        kinds: &[ObjectKind],
    ) -> Result<(), SnapshotError> {
        for definition in definitions.iter().filter(|d| kinds.contains(&d.kind)) {
            self.session.execute(&definition.text)?;
        }
        Ok(())
    }

    fn rows(
        &self,
        table: &StoredTable,
        on_rows: &mut dyn FnMut(u64),
    ) -> Result<u64, SnapshotError> {
        let mut loader = self.session.loader(&table.spec)?;
        let mut done = 0;
        let mut failed = None;
        rows_of(self.objects, table, &mut |row| {
            for _ in 0..row.count {
                if let Err(error) = loader.push(&row.values) {
                    failed = Some(error);
                    return Ok(Flow::Stop);
                }
                done += 1;
            }
            on_rows(done);
            Ok(Flow::Continue)
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        loader.finish()?;
        Ok(done)
    }

    /// Whether the state is that of the snapshot, as the transaction sees it. Owners, grants and
    /// comments of a server's database are its own: they may differ, rows not.
    fn check(&self, engine: &str, reading: &Reading<'_>) -> Result<StateId, SnapshotError> {
        let Reading { hasher, scratch, jobs } = *reading;
        let wanted = &self.loaded.state;
        let read = reread::read(self.session, engine, &wanted.scope, hasher, scratch, jobs)?;
        let found = StateId(hasher.id(Kind::State, &write_state(&read)));
        let expected = self.loaded.snapshot.state;
        let has_rows = engine != "sqlite" && read.tables == wanted.tables;
        if found == expected || has_rows {
            return Ok(found);
        }
        Err(SnapshotError::RestoredOtherwise { expected, found })
    }
}

/// Orders tables so that those that are referred to come first, as far as that is possible.
fn parents_first(tables: &mut Vec<StoredTable>, facts: &[Fact]) {
    let mut needs: BTreeSet<(ObjectName, ObjectName)> = BTreeSet::new();
    for fact in facts.iter().filter(|fact| fact.id.kind == ObjectKind::ForeignKey) {
        let text = |name| match fact.attributes.get(name) {
            Some(Attribute::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let Some(name) = text("table") else { continue };
        let schema = text("table-schema").unwrap_or_else(|| fact.id.object.schema.clone());
        needs.insert((fact.id.object.clone(), ObjectName { schema, name }));
    }
    let mut left = std::mem::take(tables);
    while !left.is_empty() {
        let is_free = |table: &StoredTable| {
            let child = &table.spec.name;
            left.iter().all(|other| {
                other.spec.name == *child
                    || !needs.contains(&(child.clone(), other.spec.name.clone()))
            })
        };
        let next = left.iter().position(is_free).unwrap_or(0);
        tables.push(left.remove(next));
    }
}
