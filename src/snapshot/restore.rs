//! Restoring: a new database with the schema and rows of a snapshot.
//!
//! One transaction: tables by their own text, then rows, then indexes, views and triggers, so that
//! nothing fires or is built twice. Foreign keys are not enforced while rows come in: the source
//! may hold rows that break them, and a restore gives back what was there.

use tokio::runtime::Runtime;

use super::error::SnapshotError;
use crate::codec::state::StoredTable;
use crate::engine::{Session, Target};
use crate::model::{Flow, ObjectKind};
use crate::store::Objects;
use crate::tree::rows::rows_of;
use crate::tree::state::{LoadedSnapshot, TableDefinition};

/// How much a restore wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
}

/// Writes the schema and rows of a snapshot into a database that was just created. `on_table` is
/// told each table and its rows, `on_rows` how many are done.
pub fn restore(
    runtime: &Runtime,
    objects: &dyn Objects,
    loaded: &LoadedSnapshot,
    target: &mut Target,
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
    let definitions = loaded.definitions(objects)?;
    let session = runtime.block_on(target.session())?;
    session.execute_script("PRAGMA foreign_keys = OFF")?;
    session.begin_immediate()?;
    session.apply_settings(&facts)?;
    create(&session, &definitions, &[ObjectKind::Table])?;
    let mut restored = Restored::default();
    for table in loaded.tables(objects)? {
        on_table(&table);
        restored.tables += 1;
        restored.rows += rows(&session, objects, &table, on_rows)?;
    }
    for sequence in &loaded.snapshot.sequences {
        session.raise_sequence(&sequence.name, sequence.position)?;
    }
    create(&session, &definitions, &[ObjectKind::VirtualTable])?;
    create(&session, &definitions, &[ObjectKind::Index])?;
    create(&session, &definitions, &[ObjectKind::View])?;
    create(&session, &definitions, &[ObjectKind::Trigger])?;
    session.commit()?;
    Ok(restored)
}

fn create(
    session: &Session<'_>,
    definitions: &[TableDefinition],
    kinds: &[ObjectKind],
) -> Result<(), SnapshotError> {
    for definition in definitions.iter().filter(|d| kinds.contains(&d.kind)) {
        session.execute(&definition.text)?;
    }
    Ok(())
}

fn rows(
    session: &Session<'_>,
    objects: &dyn Objects,
    table: &StoredTable,
    on_rows: &mut dyn FnMut(u64),
) -> Result<u64, SnapshotError> {
    let mut insert = session.prepare_insert(&table.spec)?;
    let mut done = 0;
    let mut failed = None;
    rows_of(objects, table, &mut |row| {
        for _ in 0..row.count {
            if let Err(error) = insert.run(&row.values) {
                failed = Some(error);
                return Ok(Flow::Stop);
            }
            done += 1;
        }
        on_rows(done);
        Ok(Flow::Continue)
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(done),
    }
}
