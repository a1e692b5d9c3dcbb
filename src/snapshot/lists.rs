//! A state's own lists (facts, tables, definitions) as trees.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::SnapshotError;
use super::table::RowMemory;
use crate::codec::catalog;
use crate::codec::row::RowEncoder;
use crate::model::snapshot::TreeRoot;
use crate::model::{
    Catalog, Flow, ObjectId, ObjectKind, ObjectName, RowSink as _, TableSpec, Value,
};
use crate::tree::{
    ChunkPool, LargeValueWriter, ScratchSpace, Sorter, StoreMode, TreeBuilder, TreePlan,
};

/// The tree of the catalog's facts.
pub fn facts(
    pool: &ChunkPool<'_>,
    scratch: &Arc<dyn ScratchSpace>,
    catalog: &Catalog,
) -> Result<TreeRoot, SnapshotError> {
    let plan = TreePlan::new(&catalog::facts_spec(), StoreMode::Full)?;
    build(pool, scratch, plan, catalog.facts.iter().map(catalog::fact_row))
}

/// The tree of a state's tables, by the ids of their `Table` objects.
pub fn tables(
    pool: &ChunkPool<'_>,
    scratch: &Arc<dyn ScratchSpace>,
    tables: &[(ObjectName, ObjectId)],
) -> Result<TreeRoot, SnapshotError> {
    let spec = catalog::tables_spec();
    let column = column_index(&spec, "table");
    let plan = TreePlan::new(&spec, StoreMode::Full)?.with_table_column(column);
    build(pool, scratch, plan, tables.iter().map(|(name, id)| catalog::table_row(name, id)))
}

/// The tree of the catalog's definitions, and of the orders of the tables' columns.
pub fn definitions(
    pool: &ChunkPool<'_>,
    scratch: &Arc<dyn ScratchSpace>,
    catalog: &Catalog,
) -> Result<TreeRoot, SnapshotError> {
    let orders: BTreeMap<&ObjectName, &[String]> =
        catalog.tables.iter().map(|t| (&t.name, t.column_order.as_slice())).collect();
    let plan = TreePlan::new(&catalog::definitions_spec(), StoreMode::Full)?;
    let rows = catalog.definitions.iter().map(|definition| {
        let order = match definition.kind {
            ObjectKind::Table => orders.get(&definition.object).copied().unwrap_or(&[]),
            _ => &[],
        };
        catalog::definition_row(definition, order)
    });
    build(pool, scratch, plan, rows)
}

fn column_index(spec: &TableSpec, name: &str) -> usize {
    spec.columns.iter().position(|c| c.name == name).expect("the format's own column")
}

fn build(
    pool: &ChunkPool<'_>,
    scratch: &Arc<dyn ScratchSpace>,
    plan: TreePlan,
    rows: impl Iterator<Item = Vec<Value>>,
) -> Result<TreeRoot, SnapshotError> {
    let plan = plan.shared();
    let sink = pool.sink();
    let memory = RowMemory::default();
    let mut sorter = Sorter::new(Arc::clone(&plan), Arc::clone(scratch), memory.sort);
    let large = LargeValueWriter::new(sink, plan.mode());
    let hasher = sink.hasher();
    let mut encoder = RowEncoder::new(plan.layout(), hasher, large, memory.batch, |batch| {
        Ok((sorter.push(batch)?, Flow::Continue))
    });
    let mut rows = rows;
    let encoded = rows
        .try_for_each(|row| {
            row.iter().try_for_each(|value| encoder.cell(value.as_ref()))?;
            encoder.end_row().map(drop)
        })
        .and_then(|()| encoder.finish().map(drop));
    encoded.map_err(super::table::sink_error)?;
    let mut builder = TreeBuilder::new(plan, pool, Arc::clone(scratch));
    let mut sorted = sorter.finish()?;
    while let Some(rows) = sorted.next_rows()? {
        builder.push_counted(rows)?;
    }
    Ok(builder.finish()?)
}
