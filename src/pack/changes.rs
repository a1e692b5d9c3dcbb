//! The row changes of a pack, taken from the store into the spool once, and read again from there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::decisions::Decisions;
use super::error::PackError;
use super::exact::Exact;
use super::left::LeftTable;
use super::manifest::ColumnGuard;
use super::order::TableWork;
use super::request::{ChangedTable, Request};
use super::rules::{Rules, TableRules};
use super::schema::{SchemaStep, SchemaVerb};
use super::sorting::{Divided, Divider};
use super::spool::{Change, Spool, SpoolError, Verb};
use super::whole;
use crate::codec::state::StoredTable;
use crate::diff::{CellValue, Row, RowChange, TableComparison};
use crate::engine::Dialect;
use crate::engine::ddl::Schema;
use crate::model::{Flow, ObjectKind, ObjectName, SinkError, TableSpec};

/// Takes the changes of all tables; the tables come back sorted by name. `left` are those that are
/// left otherwise than wanted; those of `whole` come with the rows that do not differ.
pub(super) fn spool_changes(
    request: &Request<'_>,
    dialect: &Dialect,
    left: &BTreeMap<String, LeftTable>,
    whole: &BTreeSet<String>,
    spool: &mut Spool,
) -> Result<Vec<ChangedTable>, PackError> {
    let mut decisions = Decisions::open(request.fs, request.decisions)?;
    match spool_tables(request, dialect, &mut decisions, (left, whole), spool) {
        Ok(tables) => {
            decisions.finish()?;
            Ok(tables)
        }
        Err(error) => {
            decisions.discard();
            Err(error)
        }
    }
}

fn spool_tables(
    request: &Request<'_>,
    dialect: &Dialect,
    decisions: &mut Decisions<'_>,
    (left, whole): (&BTreeMap<String, LeftTable>, &BTreeSet<String>),
    spool: &mut Spool,
) -> Result<Vec<ChangedTable>, PackError> {
    let mut tables = Vec::new();
    let facts = request.before.facts.iter().chain(&request.after.facts);
    let rules = Rules::of(request.enforcement()?, facts);
    let schemas = (Schema::new(&request.before.facts), Schema::new(&request.after.facts));
    let is_for = |table: &&TableComparison| request.is_for(&table.name.to_string());
    for table in request.comparison.tables.iter().filter(is_for) {
        let copies = copies_before(request, &rules, table)?;
        let ordering = ordering_columns(&rules, table);
        let left = left.get(&table.name.to_string());
        let after = left.map(|left| &left.spec).or(table.after.as_ref().map(|table| &table.spec));
        let before = table.before.as_ref().map(|table| &table.spec);
        let as_left = |change: Change| match left {
            Some(left) => left.change(change),
            None => change,
        };
        let mut writer = spool.table();
        let mut divider =
            Divider::new(request, table, after, &rules, dialect, (&schemas.0, &schemas.1))?;
        let mut failed = None;
        let is_whole = whole.contains(&table.name.to_string());
        let mut changed = HashSet::new();
        let bring = |spec, row: &mut Vec<CellValue>| {
            bring(request, &ordering, spec, row).map_err(PackError::Value)
        };
        let mut add = |change: RowChange<CellValue>| {
            let Divided { taken, kept } = divider.divide(change, decisions)?;
            if taken.is_some() && kept.is_some() {
                writer.divide();
            }
            for (change, is_kept) in [(taken, false), (kept, true)] {
                for mut change in change.into_iter().flat_map(|change| parts(change, table)) {
                    let row = if change.before.is_empty() { &change.after } else { &change.before };
                    let copies = copies.get(row).copied().unwrap_or(0);
                    let gone = if change.verb() == Verb::Delete { change.count } else { 0 };
                    change.others = copies.saturating_sub(gone);
                    if is_whole {
                        changed.extend(whole::key_before(table, &change));
                    }
                    let mut change = as_left(change);
                    bring(before, &mut change.before)?;
                    bring(after, &mut change.after)?;
                    if is_kept { writer.keep(&change) } else { writer.push(&change) }?;
                }
            }
            Ok(())
        };
        let mut take = |change: RowChange<CellValue>| match add(change) {
            Ok(()) => Ok(Flow::Continue),
            Err(error) => {
                failed = Some(error);
                Err(SinkError::from("the difference could not be taken"))
            }
        };
        let read = request.rows.changes(table.before.as_ref(), table.after.as_ref(), &mut take);
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(|source| PackError::Rows { table: table.name.clone(), source })?;
        if is_whole {
            whole::unchanged(request, table, &changed, &mut |change| {
                let mut change = as_left(change);
                bring(before, &mut change.before)?;
                bring(after, &mut change.after)?;
                Ok(writer.push(&change)?)
            })?;
        }
        let runs = writer.finish()?;
        tables.push(ChangedTable {
            name: table.name.to_string(),
            before: before.cloned(),
            after: after.cloned(),
            rows_before: table.before.as_ref().map_or(0, |table| table.rows.rows),
            runs,
            findings: divider.finish(),
        });
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tables)
}

/// The columns whose values order rows, or identify them: those of keys, unique or foreign.
fn ordering_columns(rules: &Rules, table: &TableComparison) -> BTreeSet<String> {
    let name = &table.name.to_string();
    let mut columns = BTreeSet::new();
    for side in [&table.before, &table.after].into_iter().flatten() {
        columns.extend(side.spec.key.column_names().into_iter().map(str::to_owned));
    }
    for key in rules.table(name).into_iter().flat_map(|table| &table.unique) {
        columns.extend(key.columns.iter().map(|(column, _)| column.clone()));
    }
    for key in &rules.foreign_keys {
        if key.child == *name {
            columns.extend(key.columns.iter().cloned());
        }
        if key.parent == *name {
            columns.extend(key.parent_columns.iter().map(|(column, _)| column.clone()));
        }
    }
    columns
}

/// Takes the large values of these columns out of the store: the plan must know them.
fn bring(
    request: &Request<'_>,
    columns: &BTreeSet<String>,
    spec: Option<&TableSpec>,
    row: &mut [CellValue],
) -> Result<(), SinkError> {
    let Some(spec) = spec else { return Ok(()) };
    for (cell, column) in row.iter_mut().zip(&spec.columns) {
        if let CellValue::Apart(value) = cell
            && columns.contains(&column.name)
        {
            *cell = CellValue::Here(request.rows.whole(value)?);
        }
    }
    Ok(())
}

/// The error of a spool that cannot be read.
pub(super) fn damaged(table: &ObjectName, error: SpoolError) -> PackError {
    match error {
        SpoolError::Fs(error) => PackError::Fs(error),
        SpoolError::Damaged(source) => PackError::Scratch { table: table.clone(), source },
    }
}

/// Where the key of a table changes, a changed row is one that goes and one that comes.
fn parts(change: RowChange<CellValue>, table: &TableComparison) -> Vec<Change> {
    let has_other_key = match (&table.before, &table.after) {
        (Some(before), Some(after)) => before.spec.key != after.spec.key,
        _ => false,
    };
    match change {
        RowChange::Updated { before, after, .. } if has_other_key => {
            vec![Change::from(RowChange::Deleted(before)), Change::from(RowChange::Inserted(after))]
        }
        change => vec![Change::from(change)],
    }
}

/// How often each changed row of a table is there before: needed where its rowid has no name.
fn copies_before(
    request: &Request<'_>,
    rules: &Rules,
    table: &TableComparison,
) -> Result<HashMap<Vec<CellValue>, u64>, PackError> {
    let of_table = rules.table(&table.name.to_string());
    if !rules.enforcement.has_hidden_rowids() || !of_table.is_some_and(TableRules::hides_rowid) {
        return Ok(HashMap::new());
    }
    let (Some(before), Some(_)) = (&table.before, &table.after) else {
        return Ok(HashMap::new());
    };
    let wrong = |source| PackError::Rows { table: table.name.clone(), source };
    let mut copies = HashMap::new();
    let mut changed = |change: RowChange<CellValue>| {
        let change = Change::from(change);
        let row = if change.before.is_empty() { change.after } else { change.before };
        copies.insert(row, 0);
        Ok(Flow::Continue)
    };
    request.rows.changes(Some(before), table.after.as_ref(), &mut changed).map_err(wrong)?;
    let mut count = |row: Row<CellValue>| {
        if let Some(copies) = copies.get_mut(&row.values) {
            *copies += row.count;
        }
        Ok(Flow::Continue)
    };
    request.rows.rows(before, &mut count).map_err(wrong)?;
    Ok(copies)
}

/// What the columns that a step drops may hold: their defaults, and what the changed rows hold.
pub(super) fn column_guards(
    step: &SchemaStep,
    works: &[TableWork<'_>],
    tables: &[StoredTable],
    spool: &Spool,
) -> Result<Vec<ColumnGuard>, PackError> {
    let mut guards = Vec::new();
    for deed in step.deeds_of(SchemaVerb::Drop, ObjectKind::Column) {
        let table = deed.id.object.to_string();
        let name = &deed.id.part;
        let spec = tables.iter().map(|table| &table.spec).find(|t| t.name == deed.id.object);
        let column = spec.and_then(|spec| spec.columns.iter().find(|c| c.name == *name));
        // A column without values of its own loses none.
        let Some(default) = column.map(|column| column.default.clone()) else { continue };
        let work = works.iter().find(|work| work.shape.label() == table);
        let place = work.and_then(|work| work.shape.place(name));
        let mut others = 0;
        if let (Some(work), Some(place)) = (work, place) {
            for change in [Verb::Update, Verb::Delete].map(|verb| work.read(spool, verb)) {
                for change in change {
                    let (_, change) = change.map_err(|error| work.damaged(error))?;
                    if work.shape.before(&change, place).here() != Some(&default) {
                        others += change.count;
                    }
                }
            }
        }
        guards.push(ColumnGuard { name: name.clone(), default: Exact(default), others });
    }
    Ok(guards)
}
