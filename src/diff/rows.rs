//! The changed rows of a table, streamed in key order.
//!
//! The trees tell which keys are on one side only and which rows differ; this turns that into
//! [`RowChange`]s with values, and matches rows whose keys differ only in spelling
//! (`diff::respelled`).

use std::sync::Arc;

use super::change::{RowChange, RowCounts, TableComparison};
use super::error::DiffError;
use super::respelled::Respelled;
use crate::codec::key;
use crate::codec::state::StoredTable;
use crate::model::{Flow, RowKey, SinkError, TableSpec, Value};
use crate::store::Objects;
use crate::tree::rows::{Known, Row, RowValue, row_values};
use crate::tree::{
    Pairs, RowAt, RowComparer, Rows, SORT_BUDGET, ScratchObjects, ScratchSpace, Span, StoreMode,
    Tree, TreeDiff, TreeError, TreePlan, rekey,
};

/// Takes changed rows.
pub type OnChange<'a, V = Value> = dyn FnMut(RowChange<V>) -> Result<Flow, SinkError> + 'a;

/// What rows are compared with: where the objects are, and where rows wait that do not fit in
/// memory, should a table's key have changed.
pub struct Access<'o> {
    /// The objects.
    pub objects: &'o dyn Objects,
    /// Scratch files.
    pub scratch: Arc<dyn ScratchSpace>,
}

/// Hands on every changed row of a table that is on either side or on both, values included.
pub fn rows<V: RowValue>(
    access: &Access<'_>,
    before: Option<&StoredTable>,
    after: Option<&StoredTable>,
    on_change: &mut OnChange<'_, V>,
) -> Result<(), DiffError> {
    rows_called(access, before.map(Called::itself), after, on_change)
}

/// The same, where the left side goes by other names than it is stored under.
pub fn rows_called<V: RowValue>(
    access: &Access<'_>,
    before: Option<Called<'_>>,
    after: Option<&StoredTable>,
    on_change: &mut OnChange<'_, V>,
) -> Result<(), DiffError> {
    let side = |Called { table, spec }| Side { table, spec, mode: StoreMode::Full };
    both(access, before.map(side), after.map(Called::itself).map(side), &mut |event| {
        on_change(event.change()?).map_err(DiffError::Sink)
    })
}

/// A stored table, and the names by which it is compared.
#[derive(Debug, Clone, Copy)]
pub struct Called<'a> {
    /// The table as it is stored.
    pub table: &'a StoredTable,
    /// The same columns in the same order, by other names.
    pub spec: &'a TableSpec,
}

impl<'a> Called<'a> {
    /// A table by the names it is stored under.
    fn itself(table: &'a StoredTable) -> Called<'a> {
        Called { table, spec: &table.spec }
    }
}

/// Hands on every changed row of a table. Where a side stored no values, its rows have those of
/// their keys alone, and no column is named as changed.
pub fn changes(
    access: &Access<'_>,
    table: &TableComparison,
    on_change: &mut OnChange<'_>,
) -> Result<(), DiffError> {
    both(access, table.left(), table.right(), &mut |event| {
        on_change(event.change()?).map_err(DiffError::Sink)
    })
}

/// Counts the changed rows of a table, without reading more values than it takes to compare.
pub fn count(access: &Access<'_>, table: &TableComparison) -> Result<RowCounts, DiffError> {
    if !table.rows_differ && table.has_same_shape() {
        return Ok(RowCounts::default());
    }
    let mut counts = RowCounts::default();
    match (&table.before, &table.after) {
        (Some(gone), None) => counts.deleted = gone.rows.rows,
        (None, Some(new)) => counts.inserted = new.rows.rows,
        _ => both(access, table.left(), table.right(), &mut |event| {
            event.count(&mut counts);
            Ok(Flow::Continue)
        })?,
    }
    Ok(counts)
}

/// A table of one side, and what was stored of it.
#[derive(Clone, Copy)]
struct Side<'a> {
    table: &'a StoredTable,
    /// The names by which it is compared.
    spec: &'a TableSpec,
    mode: StoreMode,
}

impl<'a> Side<'a> {
    fn tree<'o>(&self, objects: &'o dyn Objects) -> Result<Tree<'o>, DiffError> {
        Ok(Tree::new(objects, self.plan()?.shared(), self.table.rows))
    }

    fn plan(&self) -> Result<TreePlan, DiffError> {
        let plan = TreePlan::new(&self.table.spec, self.mode).map_err(DiffError::Layout)?;
        Ok(self.named(plan))
    }

    /// The plan, with the names by which the columns are compared.
    fn named(&self, plan: TreePlan) -> TreePlan {
        if self.spec.columns == self.table.spec.columns {
            return plan;
        }
        plan.called(self.spec.columns.iter().map(|column| column.name.clone()).collect())
    }

    /// A key as the table stores its columns.
    fn stored_key(&self, key: &RowKey) -> RowKey {
        let mut key = key.clone();
        if let RowKey::Columns { columns, .. } = &mut key {
            for column in columns {
                if let Some(place) = self.spec.place(&column.name) {
                    column.name.clone_from(&self.table.spec.columns[place].name);
                }
            }
        }
        key
    }
}

impl TableComparison {
    fn mode(is_hash_only: bool) -> StoreMode {
        if is_hash_only { StoreMode::HashOnly } else { StoreMode::Full }
    }

    fn left(&self) -> Option<Side<'_>> {
        let mode = Self::mode(self.hash_only.0);
        self.before.as_ref().map(|table| Side { table, spec: &table.spec, mode })
    }

    fn right(&self) -> Option<Side<'_>> {
        let mode = Self::mode(self.hash_only.1);
        self.after.as_ref().map(|table| Side { table, spec: &table.spec, mode })
    }

    /// Whether equal roots mean equal rows: the columns and the key are the same.
    fn has_same_shape(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(left), Some(right)) => {
                left.spec.columns == right.spec.columns && left.spec.key == right.spec.key
            }
            _ => false,
        }
    }
}

/// A difference that was found; values are read only when they are asked for.
enum Event<'e, 'l, 'r> {
    Deleted(RowAt<'l>, u64),
    Inserted(RowAt<'r>, u64),
    /// Pairs of one span that differ, already counted.
    Updated {
        span: &'e Pairs<'l, 'r>,
        index: usize,
        comparer: &'e RowComparer,
    },
    Respelled(RowAt<'l>, RowAt<'r>),
}

impl Event<'_, '_, '_> {
    fn count(&self, counts: &mut RowCounts) {
        match self {
            Event::Deleted(_, count) => counts.deleted += count,
            Event::Inserted(_, count) => counts.inserted += count,
            Event::Updated { .. } | Event::Respelled(..) => counts.updated += 1,
        }
    }

    fn change<V: RowValue>(&self) -> Result<RowChange<V>, DiffError> {
        Ok(match self {
            Event::Deleted(at, count) => RowChange::Deleted(Row { count: *count, ..row(at)? }),
            Event::Inserted(at, count) => RowChange::Inserted(Row { count: *count, ..row(at)? }),
            Event::Updated { span, index, comparer } => updated(span, *index, comparer)?,
            Event::Respelled(left, right) => {
                let (before, after) = (row(left)?, row(right)?);
                let changed = changed_names(left, &before, right, &after);
                RowChange::Updated { before, after, changed }
            }
        })
    }
}

fn updated<V: RowValue>(
    span: &Pairs<'_, '_>,
    index: usize,
    comparer: &RowComparer,
) -> Result<RowChange<V>, DiffError> {
    let left = RowAt { chunk: span.left.clone(), row: span.left_from + index };
    let right = RowAt { chunk: span.right.clone(), row: span.right_from + index };
    let columns = comparer.columns();
    let changed = comparer.changed_columns(span, index)?;
    let changed: Vec<String> = changed.into_iter().map(|c| columns[c].name.clone()).collect();
    let before = row(&left)?;
    let after = if comparer.is_by_row_hash() {
        row(&right)?
    } else {
        row_beside(&right, (&left, &before), &changed)?
    };
    Ok(RowChange::Updated { before, after, changed })
}

/// A row under the same key as one that was read: what is in no changed column is the same there,
/// and its blocks are not read again.
fn row_beside<V: RowValue>(
    at: &RowAt<'_>,
    (left, before): (&RowAt<'_>, &Row<V>),
    changed: &[String],
) -> Result<Row<V>, DiffError> {
    let left_names = left.chunk.plan().column_names();
    let mut values = Vec::with_capacity(before.values.len());
    for (index, name) in at.chunk.plan().column_names().iter().enumerate() {
        // Almost always they stand in the same place.
        let same = match left_names.get(index) == Some(name) {
            true => Some(index),
            false => left_names.iter().position(|other| other == name),
        };
        let same = same.filter(|_| !changed.contains(name));
        values.push(match same {
            Some(place) => before.values[place].clone(),
            None => V::read(&at.chunk, at.row, index)?,
        });
    }
    let count = at.chunk.count(at.row)?;
    Ok(Row { key: before.key.clone(), values, known: before.known, count })
}

/// The columns in which two rows differ whose keys differ in spelling.
fn changed_names<V: RowValue>(
    left: &RowAt<'_>,
    before: &Row<V>,
    right: &RowAt<'_>,
    after: &Row<V>,
) -> Vec<String> {
    let (left, right) = (left.chunk.plan().column_names(), right.chunk.plan().column_names());
    let value = |names: &[String], row: &Row<V>, name: &String| {
        names.iter().position(|n| n == name).map(|at| row.values[at].clone())
    };
    let mut names: Vec<String> = left.iter().chain(right).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| match (value(left, before, name), value(right, after, name)) {
        (Some(old), Some(new)) => old != new,
        (Some(only), None) | (None, Some(only)) => only != V::from(Value::Null),
        (None, None) => false,
    });
    names
}

fn row<V: RowValue>(at: &RowAt<'_>) -> Result<Row<V>, DiffError> {
    let count = at.chunk.count(at.row)?;
    let key = at.chunk.key(at.row)?.to_vec();
    let plan = at.chunk.plan();
    if plan.mode() == StoreMode::Full {
        return Ok(Row { key, values: row_values(at)?, known: Known::All, count });
    }
    let mut values = vec![V::from(Value::Null); plan.column_names().len()];
    let mut known = Known::Nothing;
    if !key::is_cut(&key) {
        let decoded = key::decode(&key)?.values;
        for (index, value) in values.iter_mut().enumerate() {
            let position = plan.layout().key_position(index);
            if let Some(stored) = position.and_then(|position| decoded.get(position)) {
                *value = V::from(stored.clone());
                known = Known::Key;
            }
        }
    }
    Ok(Row { key, values, known, count })
}

type OnEvent<'a> = dyn FnMut(Event<'_, '_, '_>) -> Result<Flow, DiffError> + 'a;

fn both(
    access: &Access<'_>,
    before: Option<Side<'_>>,
    after: Option<Side<'_>>,
    on_event: &mut OnEvent<'_>,
) -> Result<(), DiffError> {
    let Some(some) = before.or(after) else { return Ok(()) };
    // A side without the table is an empty tree of the other side's shape.
    let empty = StoredTable {
        spec: some.table.spec.clone(),
        rows: crate::model::snapshot::TreeRoot::EMPTY,
    };
    let nothing = Side { table: &empty, ..some };
    let (left, right) = (before.unwrap_or(nothing), after.unwrap_or(nothing));
    let (left_tree, right_tree) = (left.tree(access.objects)?, right.tree(access.objects)?);
    if left.spec.key.column_names() != right.spec.key.column_names() {
        return rekeyed(access, left, right, on_event);
    }
    compare(&left_tree, &right_tree, &right.spec.key, on_event)
}

/// The key itself changed: the left side is sorted anew by the key of the right. Where that does not
/// identify its rows, both sides are sorted by all that a row holds.
fn rekeyed(
    access: &Access<'_>,
    left: Side<'_>,
    right: Side<'_>,
    on_event: &mut OnEvent<'_>,
) -> Result<(), DiffError> {
    let key = &right.spec.key;
    let has = |name: &&str| left.spec.columns.iter().any(|c| c.name == **name);
    if key.column_names().iter().all(has) {
        let sorted = ScratchObjects::new(access.objects, access.scratch.as_ref())?;
        match by_key(access, left, key, &sorted) {
            Ok(left_tree) => {
                return compare(&left_tree, &right.tree(access.objects)?, key, on_event);
            }
            Err(DiffError::Tree(TreeError::DuplicateKey { .. } | TreeError::NullInKey { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    let key = RowKey::RowHash;
    let left_rows = ScratchObjects::new(access.objects, access.scratch.as_ref())?;
    let right_rows = ScratchObjects::new(access.objects, access.scratch.as_ref())?;
    let left_tree = by_key(access, left, &key, &left_rows)?;
    let right_tree = by_key(access, right, &key, &right_rows)?;
    compare(&left_tree, &right_tree, &key, on_event)
}

/// The rows of a side, sorted anew by another key.
fn by_key<'o>(
    access: &Access<'_>,
    side: Side<'_>,
    key: &RowKey,
    sorted: &'o ScratchObjects<'_>,
) -> Result<Tree<'o>, DiffError> {
    let mut table = side.table.clone();
    table.spec.key = side.stored_key(key);
    let plan = Side { table: &table, spec: &table.spec, mode: side.mode }.plan()?;
    let tree = side.tree(access.objects)?;
    let root = rekey(&tree, &plan.clone().shared(), sorted, &access.scratch, SORT_BUDGET)?;
    Ok(Tree::new(sorted, side.named(plan).shared(), root))
}

fn compare(
    left: &Tree<'_>,
    right: &Tree<'_>,
    row_key: &RowKey,
    on_event: &mut OnEvent<'_>,
) -> Result<(), DiffError> {
    let mut comparer = RowComparer::new(left, right);
    let mut diff = TreeDiff::new(left, right)?;
    let mut respelled = None;
    while let Some(span) = diff.next_span()? {
        // Looked for once a key is on one side only, which in most differences none is.
        if respelled.is_none() && !matches!(span, Span::Both(_)) {
            respelled = Some(Respelled::find(left, right, row_key)?);
        }
        let partner = |key: &[u8]| respelled.as_ref().and_then(|found| found.partner_of_left(key));
        let is_partner = |key: &[u8]| respelled.as_ref().is_some_and(|found| found.has_right(key));
        let flow = match &span {
            Span::Left(rows) => {
                each(rows, &mut |at, count| match partner(at.chunk.key(at.row)?) {
                    None => on_event(Event::Deleted(at, count)),
                    Some(key) => match right.find(key)? {
                        Some(partner) => on_event(Event::Respelled(at, partner)),
                        None => on_event(Event::Deleted(at, count)),
                    },
                })?
            }
            Span::Right(rows) => each(rows, &mut |at, count| {
                if is_partner(at.chunk.key(at.row)?) {
                    return Ok(Flow::Continue);
                }
                on_event(Event::Inserted(at, count))
            })?,
            Span::Both(pairs) => compare_pairs(pairs, &mut comparer, on_event)?,
        };
        if flow == Flow::Stop {
            break;
        }
    }
    Ok(())
}

fn each<'o>(
    rows: &Rows<'o>,
    on_row: &mut dyn FnMut(RowAt<'o>, u64) -> Result<Flow, DiffError>,
) -> Result<Flow, DiffError> {
    for row in rows.rows.clone() {
        let count = rows.chunk.count(row)?;
        if on_row(RowAt { chunk: rows.chunk.clone(), row }, count)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::Continue)
}

fn compare_pairs(
    span: &Pairs<'_, '_>,
    comparer: &mut RowComparer,
    on_event: &mut OnEvent<'_>,
) -> Result<Flow, DiffError> {
    let differing = comparer.compare(span)?;
    if differing == 0 && span.is_aligned {
        return Ok(Flow::Continue);
    }
    for index in 0..span.len {
        let (l, r) = span.counts(index)?;
        let mut flow = Flow::Continue;
        if comparer.is_changed(index) {
            flow = on_event(Event::Updated { span, index, comparer })?;
        }
        if flow == Flow::Continue && l > r {
            let at = RowAt { chunk: span.left.clone(), row: span.left_from + index };
            flow = on_event(Event::Deleted(at, l - r))?;
        }
        if flow == Flow::Continue && r > l {
            let at = RowAt { chunk: span.right.clone(), row: span.right_from + index };
            flow = on_event(Event::Inserted(at, r - l))?;
        }
        if flow == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::Continue)
}
