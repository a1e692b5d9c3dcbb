//! Two states compared as far as no row is needed: schema facts, and which tables differ.

use std::collections::BTreeMap;

use super::change::{Comparison, TableComparison};
use super::error::DiffError;
use super::load::{LoadedSnapshot, load_table};
use super::schema;
use crate::codec::state::StoredTable;
use crate::model::{ObjectId, ObjectName};
use crate::store::Objects;

/// Compares two snapshots. Equal ids are never opened.
pub fn compare(
    objects: &dyn Objects,
    from: &LoadedSnapshot,
    to: &LoadedSnapshot,
) -> Result<Comparison, DiffError> {
    if from.state.engine != to.state.engine {
        let (left, right) = (from.state.engine.clone(), to.state.engine.clone());
        return Err(DiffError::Engines { left, right });
    }
    let schema = if from.state.facts == to.state.facts {
        Vec::new()
    } else {
        schema::compare(&from.facts(objects)?, &to.facts(objects)?)
    };
    let tables = if from.state.tables == to.state.tables {
        Vec::new()
    } else {
        tables(objects, from, to)?
    };
    Ok(Comparison { schema, tables, incomplete: incomplete(from, to) })
}

fn tables(
    objects: &dyn Objects,
    from: &LoadedSnapshot,
    to: &LoadedSnapshot,
) -> Result<Vec<TableComparison>, DiffError> {
    type Sides = (Option<ObjectId>, Option<ObjectId>);
    let mut sides: BTreeMap<ObjectName, Sides> = BTreeMap::new();
    for (name, id) in from.table_ids(objects)? {
        sides.entry(name).or_default().0 = Some(id);
    }
    for (name, id) in to.table_ids(objects)? {
        sides.entry(name).or_default().1 = Some(id);
    }
    sides.retain(|_, (left, right)| left != right);
    let load = |id: Option<ObjectId>| id.map(|id| load_table(objects, &id)).transpose();
    sides
        .into_iter()
        .map(|(name, (left, right))| {
            let (before, after) = (load(left)?, load(right)?);
            let root = |side: &Option<StoredTable>| side.as_ref().and_then(|t| t.rows.id);
            let rows_differ = root(&before) != root(&after);
            Ok(TableComparison { name, before, after, rows_differ })
        })
        .collect()
}

/// What keeps the answer from being complete.
fn incomplete(from: &LoadedSnapshot, to: &LoadedSnapshot) -> Vec<String> {
    let mut reasons = Vec::new();
    if from.state.scope != to.state.scope {
        reasons.push("the two states were read under different rules (left out, row keys)".into());
    }
    for side in [from, to] {
        for item in side.snapshot.not_captured.iter().filter(|item| item.is_unknown) {
            reasons.push(format!("{} {} is unknown: {}", item.kind, item.name, item.reason));
        }
    }
    reasons.sort();
    reasons.dedup();
    reasons
}
