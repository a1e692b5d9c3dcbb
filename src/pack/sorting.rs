//! Which part of a row's difference runs and which is kept, as its table's strategy says.
//!
//! A row of which only some cells are taken becomes two changes: the one that runs, from the
//! target's row to the mixed one, and the rest, which is kept. A kept row that loses a column with
//! its schema is a change that runs too, so that the way back brings the column's value back.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{Answer, Entry, Sides, Take};
use super::decisions::Decisions;
use super::error::{PackError, Refusal};
use super::label;
use super::request::Request;
use super::rules::Rules;
use super::strategy::{Choice, Fate};
use crate::codec::Hasher;
use crate::diff::{CellValue, Row, RowChange, TableComparison};
use crate::engine::Dialect;
use crate::model::{RowKey, TableSpec};

/// A difference, divided.
#[derive(Debug, Default)]
pub(super) struct Divided {
    /// What runs.
    pub(super) taken: Option<RowChange<CellValue>>,
    /// What is kept from running.
    pub(super) kept: Option<RowChange<CellValue>>,
}

/// How many rows are named.
const NAMED: usize = 20;

/// Divides the differences of one table.
pub(super) struct Divider<'a> {
    name: String,
    before: Option<&'a TableSpec>,
    after: Option<&'a TableSpec>,
    /// Columns that only mean something together: those of one key.
    keys: Vec<BTreeSet<String>>,
    /// The table as it will be, where a column that may not go stays.
    left: Option<&'a TableSpec>,
    choice: Choice,
    dialect: &'a Dialect,
    hasher: Hasher,
    /// What was decided about the first row of a table that is dropped.
    whole: Option<Answer>,
    losses: Vec<Refusal>,
}

impl<'a> Divider<'a> {
    pub(super) fn new(
        request: &Request<'a>,
        table: &'a TableComparison,
        left: Option<&'a TableSpec>,
        rules: &Rules,
        dialect: &'a Dialect,
    ) -> Result<Divider<'a>, PackError> {
        Ok(Divider {
            name: table.name.to_string(),
            before: table.before.as_ref().map(|table| &table.spec),
            after: table.after.as_ref().map(|table| &table.spec),
            keys: keys(rules, &table.name.to_string()),
            left,
            losses: Vec::new(),
            choice: request.choice(&table.name)?,
            dialect,
            hasher: Hasher::new(request.hasher.algorithm()),
            whole: None,
        })
    }

    /// Divides a difference; both parts are missing where nobody decided yet.
    pub(super) fn divide(
        &mut self,
        change: RowChange<CellValue>,
        decisions: &mut Decisions<'_>,
    ) -> Result<Divided, PackError> {
        let verb = super::spool::verb_of(&change);
        match self.choice.fate(verb) {
            Fate::Taken => Ok(Divided { taken: Some(change), kept: None }),
            Fate::Kept => Ok(self.keep(change)),
            Fate::Asked => self.ask(change, decisions),
        }
    }

    fn ask(
        &mut self,
        change: RowChange<CellValue>,
        decisions: &mut Decisions<'_>,
    ) -> Result<Divided, PackError> {
        let sides = Sides { name: &self.name, before: self.before, after: self.after };
        let entry = Entry::of(sides, &change, self.dialect, &self.hasher);
        let Some(answer) = decisions.answer(&entry)? else { return Ok(Divided::default()) };
        if self.after.is_none() {
            let first = self.whole.get_or_insert_with(|| answer.clone());
            if *first != answer {
                decisions.refuse(
                    &entry,
                    "its table is dropped as a whole, so all its rows must be decided alike",
                );
            }
        }
        match answer {
            Answer::Theirs => Ok(Divided { taken: Some(change), kept: None }),
            Answer::Ours => Ok(self.keep(change)),
            Answer::Cells(cells) => match self.mix(&change, &cells) {
                Ok(mixed) => Ok(self.part(change, mixed)),
                Err(reason) => {
                    decisions.refuse(&entry, reason);
                    Ok(Divided::default())
                }
            },
        }
    }

    /// Keeps a whole row as the target has it.
    fn keep(&mut self, change: RowChange<CellValue>) -> Divided {
        let carried = match &change {
            RowChange::Deleted(row) | RowChange::Updated { before: row, .. } => self.carry(row),
            RowChange::Inserted(_) => None,
        };
        Divided { taken: carried, kept: Some(change) }
    }

    /// The change of a kept row that loses a column, as far as there is one.
    fn carry(&mut self, row: &Row<CellValue>) -> Option<RowChange<CellValue>> {
        let (before, after) = (self.before?, self.after?);
        let column = lost(before, self.left?, row)?;
        let carried = match self.cannot_carry(before, after, row) {
            None => carried(before, after, row, &BTreeMap::new(), None),
            Some(why) => Err(why),
        };
        match carried {
            Ok(values) => {
                let after = Row { values, ..row.clone() };
                let changed = vec![column];
                Some(RowChange::Updated { before: row.clone(), after, changed })
            }
            Err(why) => {
                self.lose(row, &column, &why);
                None
            }
        }
    }

    fn lose(&mut self, row: &Row<CellValue>, column: &str, why: &str) {
        if self.losses.len() >= NAMED {
            return;
        }
        let reason = format!(
            "the row is kept as the target has it, and would lose its column {column}, which a \
             rollback could not bring back: {why}"
        );
        let hint = "take this row, or leave the column (no --allow drop-column)";
        let shown: Vec<String> =
            row.values.iter().filter_map(CellValue::here).map(label::label).collect();
        let refusal = Refusal::new(&self.name, reason, hint);
        self.losses.push(refusal.at_row(format!("({})", shown.join(", "))));
    }

    /// The rows that would lose what nothing could bring back.
    pub(super) fn finish(self) -> Vec<Refusal> {
        self.losses
    }

    /// Why a row cannot be carried into the wanted schema as it is.
    fn cannot_carry(
        &self,
        before: &TableSpec,
        after: &TableSpec,
        row: &Row<CellValue>,
    ) -> Option<String> {
        if before.key != after.key {
            return Some("the key of its table changes".to_owned());
        }
        let RowKey::Columns { columns, .. } = &before.key else {
            return Some("its table has no key".to_owned());
        };
        let is_null = |name: &str| before.place(name).is_some_and(|at| row.values[at].is_null());
        columns.iter().any(|c| is_null(&c.name)).then(|| "its key is NULL".to_owned())
    }

    /// The row with some cells of each side, in the order of the wanted columns.
    fn mix(
        &self,
        change: &RowChange<CellValue>,
        cells: &BTreeMap<String, Take>,
    ) -> Result<Vec<CellValue>, String> {
        let (RowChange::Updated { before, after, .. }, Some(old), Some(new)) =
            (change, self.before, self.after)
        else {
            return Err("only cells of an update are taken one by one".to_owned());
        };
        if let Some(why) = self.cannot_carry(old, new, before) {
            return Err(format!("it can only be decided about as a whole: {why}"));
        }
        for key in &self.keys {
            let takes = || cells.iter().filter(|(column, _)| key.contains(*column));
            if takes().any(|(_, take)| *take == Take::Ours)
                && takes().any(|(_, take)| *take == Take::Theirs)
            {
                let columns: Vec<&str> = key.iter().map(String::as_str).collect();
                let columns = columns.join(", ");
                return Err(format!("the columns of a key are decided about alike: {columns}"));
            }
        }
        carried(old, new, before, cells, Some(&after.values))
    }

    /// Divides an update at the mixed row.
    fn part(&mut self, change: RowChange<CellValue>, mixed: Vec<CellValue>) -> Divided {
        let (RowChange::Updated { before, after, .. }, Some(old), Some(new)) =
            (&change, self.before, self.after)
        else {
            return Divided { taken: Some(change), kept: None };
        };
        if mixed == after.values {
            return Divided { taken: Some(change), kept: None };
        }
        let untouched = carried(old, new, before, &BTreeMap::new(), None);
        if untouched.is_ok_and(|untouched| untouched == mixed) {
            return self.keep(change);
        }
        // What is kept begins where the other part ends.
        let mut start = before.values.clone();
        for (place, column) in old.columns.iter().enumerate() {
            if let Some(at) = new.place(&column.name) {
                start[place] = mixed[at].clone();
            }
        }
        let updated = |from: Row<CellValue>, to: Row<CellValue>| RowChange::Updated {
            before: from,
            after: to,
            changed: Vec::new(),
        };
        let middle = Row { values: mixed, ..after.clone() };
        let rest = Row { values: start, ..before.clone() };
        let taken = Some(updated(before.clone(), middle));
        Divided { taken, kept: Some(updated(rest, after.clone())) }
    }
}

/// The columns of each key of a table, where there are several: of a mixed key nobody knows whether
/// other rows have it.
fn keys(rules: &Rules, table: &str) -> Vec<BTreeSet<String>> {
    let unique = rules.table(table).into_iter().flat_map(|table| &table.unique);
    let unique = unique.map(|key| key.columns.iter().map(|(column, _)| column.clone()).collect());
    let foreign = rules.foreign_keys.iter().filter(|key| key.child == table);
    let foreign = foreign.map(|key| key.columns.iter().cloned().collect());
    unique.chain(foreign).filter(|key: &BTreeSet<String>| key.len() > 1).collect()
}

/// A column that goes, where the row holds something else in it than its default.
fn lost(before: &TableSpec, after: &TableSpec, row: &Row<CellValue>) -> Option<String> {
    let columns = before.columns.iter().zip(&row.values);
    let mut gone = columns.filter(|(column, _)| after.place(&column.name).is_none());
    let found = gone.find(|(column, cell)| cell.here() != Some(&column.default));
    found.map(|(column, _)| column.name.clone())
}

/// The values of a row in the order of the wanted columns: what is not taken is the target's, and
/// in a column that is new, its default.
fn carried(
    before: &TableSpec,
    after: &TableSpec,
    row: &Row<CellValue>,
    cells: &BTreeMap<String, Take>,
    theirs: Option<&[CellValue]>,
) -> Result<Vec<CellValue>, String> {
    let columns = after.columns.iter().enumerate();
    let value = |(at, column): (usize, &crate::model::ColumnSpec)| {
        let is_named = cells.contains_key(&column.name);
        let is_taken = cells.get(&column.name) == Some(&Take::Theirs);
        match (theirs, before.place(&column.name)) {
            // What does not differ is on both sides.
            (Some(theirs), _) if is_taken || !is_named => Ok(theirs[at].clone()),
            (_, None) => Ok(CellValue::Here(column.default.clone())),
            (_, Some(place)) if before.columns[place].declared_type != column.declared_type => {
                Err(format!("column {} changes its type", column.name))
            }
            (_, Some(place)) => Ok(row.values[place].clone()),
        }
    };
    columns.map(value).collect()
}
