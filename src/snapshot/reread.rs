//! The state of a database as an open transaction sees it: ids are computed and nothing is kept.

use std::sync::Arc;

use super::error::SnapshotError;
use super::lists;
use super::table::{ReadTable, RowMemory, TableRead};
use super::take::stored_spec;
use crate::codec::state::{StoredTable, write_state, write_table};
use crate::codec::{Hasher, Kind};
use crate::engine::Session;
use crate::model::StateId;
use crate::model::snapshot::{Scope, State};
use crate::store::KnownObjects;
use crate::tree::{ChunkPool, ScratchSpace, StoreMode};

/// Reads everything again and gives the id of the state.
pub fn state_of(
    session: &Session<'_>,
    engine: &str,
    scope: &Scope,
    hasher: &Hasher,
    scratch: &Arc<dyn ScratchSpace>,
    jobs: usize,
) -> Result<StateId, SnapshotError> {
    let state = read(session, engine, scope, hasher, scratch, jobs)?;
    Ok(StateId(hasher.id(Kind::State, &write_state(&state))))
}

/// Reads everything again.
pub(super) fn read(
    session: &Session<'_>,
    engine: &str,
    scope: &Scope,
    hasher: &Hasher,
    scratch: &Arc<dyn ScratchSpace>,
    jobs: usize,
) -> Result<State, SnapshotError> {
    let catalog = session.catalog(scope)?;
    let sink = KnownObjects::new(hasher.clone());
    ChunkPool::scope(&sink, jobs.saturating_sub(1), |pool| {
        let mut tables = Vec::with_capacity(catalog.tables.len());
        for spec in &catalog.tables {
            let read = ReadTable {
                pool,
                scratch,
                spec,
                mode: StoreMode::HashOnly,
                memory: RowMemory::default(),
            };
            let mut source = session;
            let TableRead::Whole(rows) = read.read(&mut source, None, &mut |_, _| Ok(false))?
            else {
                continue;
            };
            let table = StoredTable { spec: stored_spec(spec), rows };
            let id = hasher.id(Kind::Table, &write_table(&table));
            tables.push((spec.name.clone(), id));
        }
        Ok(State {
            engine: engine.to_owned(),
            scope: scope.clone(),
            facts: lists::facts(pool, scratch, &catalog)?,
            tables: lists::tables(pool, scratch, &tables)?,
        })
    })
}
