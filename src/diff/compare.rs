//! Two states compared as far as no row is needed: schema facts, and which tables differ.

use std::collections::BTreeMap;

use super::change::{Comparison, SchemaChange, TableComparison};
use super::error::DiffError;
use super::schema;
use super::unseen::Unseen;
use crate::codec::state::StoredTable;
use crate::model::{ObjectId, ObjectName};
use crate::store::Objects;
use crate::tree::state::{LoadedSnapshot, load_table};

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
    let masks = |side: &LoadedSnapshot| match side.state.scope.masks.as_slice() {
        [] => "none".to_owned(),
        masks => masks.join(", "),
    };
    if from.state.scope.masks != to.state.scope.masks {
        // What one side does not know of each row is no difference, and hides others.
        return Err(DiffError::Masks { left: masks(from), right: masks(to) });
    }
    let mut schema = if from.state.facts == to.state.facts {
        Vec::new()
    } else {
        schema::compare(&from.facts(objects)?, &to.facts(objects)?)
    };
    let mut tables =
        if from.state.tables == to.state.tables { Vec::new() } else { tables(objects, from, to)? };
    let mut incomplete = incomplete(from, to);
    incomplete.extend(leave_out(from, to, &mut schema, &mut tables));
    incomplete.extend(tables.iter().filter_map(untold));
    Ok(Comparison { schema, tables, incomplete })
}

/// What one side has and the other did not look at was neither created nor dropped. Takes it out
/// of the comparison, and says so.
fn leave_out(
    from: &LoadedSnapshot,
    to: &LoadedSnapshot,
    schema: &mut Vec<SchemaChange>,
    tables: &mut Vec<TableComparison>,
) -> Vec<String> {
    let mut said = Vec::new();
    for (unseeing, is_left) in [(from, true), (to, false)] {
        let one_sided = |before: bool, after: bool| if is_left { !before } else { !after };
        let is_one_sided = |c: &SchemaChange| one_sided(c.before.is_some(), c.after.is_some());
        for item in &unseeing.snapshot.not_captured {
            let candidates: Vec<_> = schema.iter().filter(|change| is_one_sided(change)).collect();
            let Some(unseen) = Unseen::of(item, &candidates) else { continue };
            let count = schema.len() + tables.len();
            tables.retain(|table| {
                let is_one_sided = one_sided(table.before.is_some(), table.after.is_some());
                !(is_one_sided && unseen.hides_table(table))
            });
            schema.retain(|change| !(is_one_sided(change) && unseen.hides(change)));
            if schema.len() + tables.len() < count {
                let side = if is_left { "left" } else { "right" };
                let (kind, name, reason) = (&item.kind, &item.name, &item.reason);
                said.push(format!("{kind} {name} is not compared: on the {side}, {reason}"));
            }
        }
    }
    said
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
            let hash_only = (from.snapshot.is_hash_only, to.snapshot.is_hash_only);
            Ok(TableComparison { name, before, after, rows_differ, hash_only })
        })
        .collect()
}

/// Row hashes cannot tell a new column from a changed value.
fn untold(table: &TableComparison) -> Option<String> {
    let (left, right) = (table.before.as_ref()?, table.after.as_ref()?);
    let names = |side: &StoredTable| -> Vec<String> {
        side.spec.columns.iter().map(|column| column.name.clone()).collect()
    };
    let is_hash_only = table.hash_only.0 || table.hash_only.1;
    (is_hash_only && names(left) != names(right)).then(|| {
        format!("table {}: its columns changed, and one side stored row hashes only", table.name)
    })
}

/// What keeps the answer from being complete.
fn incomplete(from: &LoadedSnapshot, to: &LoadedSnapshot) -> Vec<String> {
    let mut reasons = Vec::new();
    if from.state.scope != to.state.scope {
        reasons.push(
            "the two states were read under different rules (what is left out, row keys): take both \
             again under the same"
                .into(),
        );
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
