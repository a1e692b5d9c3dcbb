//! Renames that nobody has given and that look like it: proposed, and never done.
//!
//! A column that goes and one of the same type that comes, in one table, or a table that goes and one
//! of the same columns that comes: where most rows hold the same, a person is told, with the flag to
//! give. Rows are compared once for each such pair, and only as long as most are equal.

use std::collections::BTreeSet;

use super::super::error::PackError;
use super::super::label::counted;
use super::super::manifest::Hazard;
use super::super::request::Request;
use super::super::summary::for_a_shell;
use crate::codec::state::StoredTable;
use crate::diff::{Called, CellValue, RowChange, TableComparison};
use crate::model::{Flow, KeyColumn, ObjectName, RowKey, TableSpec};

/// How many pairs are looked at, at most.
const PAIRS: usize = 32;

/// The part of the rows that may differ.
const DIFFERING: u64 = 10;

/// The kind by which a pack tells of one.
pub const KIND: &str = "perhaps-renamed";

/// The names that may only have changed.
pub fn propose(request: &Request<'_>) -> Result<Vec<Hazard>, PackError> {
    let mut found = Vec::new();
    if request.enforcement()?.commits_ddl() || !request.tables.is_empty() {
        return Ok(found);
    }
    let pairs = of_columns(request).into_iter().chain(of_tables(request)).take(PAIRS);
    for pair in pairs {
        if let Some(same) = pair.same(request)? {
            found.push(pair.told(same));
        }
    }
    Ok(found)
}

/// Something that goes and something that comes.
struct Pair<'a> {
    before: &'a StoredTable,
    after: &'a StoredTable,
    /// The columns; none where it is the table.
    columns: Option<(String, String)>,
}

fn of_columns<'a>(request: &Request<'a>) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    for table in &request.comparison.tables {
        let TableComparison { before: Some(before), after: Some(after), .. } = table else {
            continue;
        };
        if before.spec.key == RowKey::RowHash {
            continue;
        }
        let missing = |column: &&crate::model::ColumnSpec, other: &TableSpec| {
            other.place(&column.name).is_none()
        };
        for gone in before.spec.columns.iter().filter(|column| missing(column, &after.spec)) {
            let new = after.spec.columns.iter().filter(|column| missing(column, &before.spec));
            for new in new.filter(|new| new.declared_type == gone.declared_type) {
                let columns = Some((gone.name.clone(), new.name.clone()));
                pairs.push(Pair { before, after, columns });
            }
        }
    }
    pairs
}

fn of_tables<'a>(request: &Request<'a>) -> Vec<Pair<'a>> {
    let shape = |table: &StoredTable| -> BTreeSet<(String, String)> {
        let columns = table.spec.columns.iter();
        columns.map(|column| (column.name.clone(), column.declared_type.clone())).collect()
    };
    let tables = &request.comparison.tables;
    let gone = tables.iter().filter(|t| t.after.is_none()).filter_map(|t| t.before.as_ref());
    let mut pairs = Vec::new();
    for before in gone {
        let new = tables.iter().filter(|t| t.before.is_none()).filter_map(|t| t.after.as_ref());
        let is_alike = |after: &&StoredTable| {
            after.spec.name.schema == before.spec.name.schema
                && after.spec.key.column_names() == before.spec.key.column_names()
                && shape(after) == shape(before)
        };
        pairs.extend(new.filter(is_alike).map(|after| Pair { before, after, columns: None }));
    }
    pairs
}

impl Pair<'_> {
    /// How many of the rows hold the same; none where that is too few.
    fn same(&self, request: &Request<'_>) -> Result<Option<u64>, PackError> {
        let rows = self.before.rows.rows;
        let most = rows / DIFFERING;
        let spec = self.called();
        let mut differing = 0;
        let mut take = |change: RowChange<CellValue>| {
            differing += match &change {
                RowChange::Deleted(row) => row.count,
                RowChange::Inserted(_) => 0,
                RowChange::Updated { changed, .. } => u64::from(match &self.columns {
                    Some((_, new)) => changed.contains(new),
                    None => true,
                }),
            };
            Ok(if differing > most { Flow::Stop } else { Flow::Continue })
        };
        let called = Called { table: self.before, spec: &spec };
        request
            .rows
            .changes_called(Some(called), Some(self.after), &mut take)
            .map_err(|source| PackError::Rows { table: self.before.spec.name.clone(), source })?;
        Ok((rows > 0 && differing <= most).then(|| rows - differing))
    }

    /// The table before, as if the name had changed.
    fn called(&self) -> TableSpec {
        let mut spec = self.before.spec.clone();
        let Some((gone, new)) = &self.columns else { return spec };
        let rename = |name: &mut String| {
            if name == gone {
                name.clone_from(new);
            }
        };
        spec.columns.iter_mut().for_each(|column| rename(&mut column.name));
        if let RowKey::Columns { columns, .. } = &mut spec.key {
            columns.iter_mut().for_each(|key: &mut KeyColumn| rename(&mut key.name));
        }
        spec
    }

    fn told(&self, same: u64) -> Hazard {
        let rows = self.before.rows.rows;
        let table: &ObjectName = &self.before.spec.name;
        let (object, what, word) = match &self.columns {
            Some((gone, new)) => {
                let object = format!("{table}.{gone}");
                (object.clone(), format!("column {new}"), format!("--rename {object}={new}"))
            }
            None => {
                let (object, new) = (table.to_string(), &self.after.spec.name.name);
                (object.clone(), format!("table {new}"), format!("--rename {object}={new}"))
            }
        };
        let text = format!(
            "it goes, and the {what} of the same type comes, and {same} of {} hold the same: if only \
             the name has changed, {}",
            counted(rows, "row"),
            for_a_shell(&word)
        );
        Hazard { kind: KIND.to_owned(), object, text, rows: same, bytes: 0 }
    }
}
