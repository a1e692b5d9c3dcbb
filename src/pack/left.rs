//! Tables as a pack leaves them, where that is not as wanted: a column that may not be dropped stays,
//! with what it holds, and one that cannot be made is not there.
//!
//! Rows are planned and verified as they will be, so that no value of such a column is lost on the
//! way.

use std::collections::{BTreeMap, BTreeSet};

use super::request::Request;
use crate::diff::CellValue;
use crate::engine::ddl::text;
use crate::model::{ColumnSpec, Fact, ObjectKind, TableSpec};

use super::spool::Change;

/// Where a column's value comes from.
#[derive(Debug, Clone)]
enum Source {
    After(usize),
    /// The row as it was; a new row has the default.
    Before(usize, CellValue),
}

/// A table that is left otherwise than wanted.
#[derive(Debug)]
pub(super) struct LeftTable {
    pub(super) spec: TableSpec,
    sources: Vec<Source>,
}

impl LeftTable {
    /// The table between what it is and what is wanted; `None` where it is left as wanted.
    fn new(before: &TableSpec, after: &TableSpec, left: &BTreeSet<&str>) -> Option<LeftTable> {
        let has = |columns: &[ColumnSpec], name: &str| columns.iter().any(|c| c.name == name);
        let stays = |column: &ColumnSpec| {
            left.contains(column.name.as_str()) && !has(&after.columns, &column.name)
        };
        let mut columns: Vec<(ColumnSpec, Source)> = Vec::new();
        for (place, column) in after.columns.iter().enumerate() {
            if left.contains(column.name.as_str()) {
                columns.push((column.clone(), Source::After(place)));
            }
        }
        for (place, column) in before.columns.iter().enumerate().filter(|(_, c)| stays(c)) {
            let default = CellValue::Here(column.default.clone());
            columns.push((column.clone(), Source::Before(place, default)));
        }
        let is_as_wanted = columns.len() == after.columns.len()
            && columns.iter().all(|(_, source)| matches!(source, Source::After(_)));
        if is_as_wanted {
            return None;
        }
        columns.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        let (columns, sources) = columns.into_iter().unzip();
        let mut column_order = before.column_order.clone();
        column_order.retain(|name| left.contains(name.as_str()));
        let news = after.column_order.iter().filter(|name| left.contains(name.as_str()));
        let news: Vec<String> = news.filter(|name| !column_order.contains(name)).cloned().collect();
        column_order.extend(news);
        Some(LeftTable { spec: TableSpec { columns, column_order, ..after.clone() }, sources })
    }

    /// A change, as it will be.
    pub(super) fn change(&self, change: Change) -> Change {
        if change.after.is_empty() {
            return change;
        }
        let value = |source: &Source| match source {
            Source::After(place) => change.after[*place].clone(),
            Source::Before(place, default) => change.before.get(*place).unwrap_or(default).clone(),
        };
        let after = self.sources.iter().map(value).collect();
        Change { after, ..change }
    }
}

/// The tables that are left otherwise than wanted, by name.
pub(super) fn tables(request: &Request<'_>, facts: &[Fact]) -> BTreeMap<String, LeftTable> {
    let mut columns: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.id.kind == ObjectKind::Column) {
        if text(fact, "generated").is_none() {
            columns.entry(fact.id.object.to_string()).or_default().insert(&fact.id.part);
        }
    }
    let both = request.comparison.tables.iter().filter_map(|table| {
        let (before, after) = (table.before.as_ref()?, table.after.as_ref()?);
        Some((table.name.to_string(), &before.spec, &after.spec))
    });
    both.filter_map(|(name, before, after)| {
        let left = LeftTable::new(before, after, columns.get(&name)?)?;
        Some((name, left))
    })
    .collect()
}
