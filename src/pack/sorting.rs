//! Which part of a row's difference runs and which is kept, as its table's strategy says.
//!
//! A row of which only some cells are taken becomes two changes: the one that runs, from the
//! target's row to the mixed one, and the rest, which is kept. A kept row that loses a column with
//! its schema is a change that runs too, so that the way back brings the column's value back; so is one
//! that gets a value by a rule.

use std::collections::{BTreeMap, BTreeSet};

use super::consent::Class;
use super::decision::{Answer, Entry, Sides, Take};
use super::decisions::Decisions;
use super::error::{PackError, Refusal};
use super::fill::{self, Filler, Wanting};
use super::label;
use super::request::{Findings, Request};
use super::rules::Rules;
use super::strategy::{Choice, Fate};
use crate::codec::Hasher;
use crate::diff::{CellValue, Row, RowChange, TableComparison};
use crate::engine::Dialect;
use crate::engine::ddl::Schema;
use crate::model::{Flow, RowKey, TableSpec};

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
    filler: Filler<'a>,
    /// What would have to be allowed for its deletes to run, where rows that stay matter.
    missing: Vec<Class>,
    wanting: Vec<Wanting>,
}

impl<'a> Divider<'a> {
    pub(super) fn new(
        request: &Request<'a>,
        table: &'a TableComparison,
        left: Option<&'a TableSpec>,
        rules: &Rules,
        dialect: &'a Dialect,
        schemas: (&Schema<'_>, &Schema<'_>),
    ) -> Result<Divider<'a>, PackError> {
        let before = table.before.as_ref().map(|table| &table.spec);
        let after = table.after.as_ref().map(|table| &table.spec);
        let filler = Filler::new(request.fills, before, after, schemas);
        let missing = if filler.is_needed() { missing(request, table)? } else { Vec::new() };
        Ok(Divider {
            name: table.name.to_string(),
            before,
            after,
            filler,
            missing,
            wanting: Vec::new(),
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
            Fate::Taken => Ok(self.take(change)),
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
            Answer::Theirs => Ok(self.take(change)),
            Answer::Ours => Ok(self.keep(change)),
            Answer::Cells(cells) => match self.mix(&change, &cells) {
                Ok(mixed) => Ok(self.part(change, mixed, &cells)),
                Err(reason) => {
                    decisions.refuse(&entry, reason);
                    Ok(Divided::default())
                }
            },
        }
    }

    /// Takes a difference. A row whose deletion is not allowed stays, and may need a value.
    fn take(&mut self, change: RowChange<CellValue>) -> Divided {
        if let RowChange::Deleted(row) = &change
            && !self.missing.is_empty()
        {
            if self.filler.has_rules() {
                return self.keep(change);
            }
            self.look(row, None, " (its deletion is not allowed)", &|_| true);
        }
        Divided { taken: Some(change), kept: None }
    }

    /// Keeps a whole row as the target has it.
    fn keep(&mut self, change: RowChange<CellValue>) -> Divided {
        let carried = match &change {
            RowChange::Deleted(row) | RowChange::Updated { before: row, .. } => self.carry(row),
            RowChange::Inserted(_) => None,
        };
        Divided { taken: carried, kept: Some(change) }
    }

    /// The change of a kept row that loses a column or gets a value, as far as there is one.
    fn carry(&mut self, row: &Row<CellValue>) -> Option<RowChange<CellValue>> {
        let specs = (self.before?, self.after?);
        let lost = lost(specs.0, self.left?, row);
        let filled = self.filler.first_filled(specs, &row.values);
        let Some(column) = lost.as_ref().or(filled.as_ref()) else {
            self.look(row, None, " as the target has it", &|_| true);
            return None;
        };
        let carried = match self.cannot_carry(specs.0, specs.1, row) {
            None => carried(specs.0, specs.1, row, &BTreeMap::new(), None),
            Some(why) => Err(why),
        };
        match carried {
            Ok(mut values) => {
                self.filler.fill(specs, &row.values, &mut values, &|_| true);
                self.look(row, Some(&values), " as the target has it", &|_| true);
                let after = Row { values, ..row.clone() };
                let changed = vec![column.clone()];
                Some(RowChange::Updated { before: row.clone(), after, changed })
            }
            Err(why) => {
                let (reason, hint) = match &lost {
                    Some(column) => (
                        format!(
                            "the row is kept as the target has it, and would lose its column \
                             {column}, which a rollback could not bring back: {why}"
                        ),
                        "take this row, or leave the column (no --allow drop-column)",
                    ),
                    None => (
                        format!("the row stays, and its column {column} cannot be filled: {why}"),
                        "take this row, or let it be deleted",
                    ),
                };
                if self.losses.len() < NAMED {
                    let refusal = Refusal::new(&self.name, reason, hint);
                    self.losses.push(refusal.at_row(shown(specs.0, row)));
                }
                None
            }
        }
    }

    /// Notes the columns that a row which stays has no value for.
    fn look(
        &mut self,
        row: &Row<CellValue>,
        values: Option<&[CellValue]>,
        stays: &str,
        is_own: &dyn Fn(&str) -> bool,
    ) {
        let (Some(before), Some(after)) = (self.before, self.after) else { return };
        if self.wanting.len() >= NAMED {
            return;
        }
        for column in self.filler.wanting((before, after), &row.values, values, is_own) {
            let refusal = fill::refusal(&column, stays).at_row(shown(before, row));
            self.wanting.push(Wanting { column, refusal });
        }
    }

    /// What was found on the way.
    pub(super) fn finish(self) -> Findings {
        let stays = if self.filler.has_rules() { self.missing } else { Vec::new() };
        Findings { losses: self.losses, wanting: self.wanting, stays }
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
        let mut mixed = carried(old, new, before, cells, Some(&after.values))?;
        let is_own = |column: &str| cells.get(column) == Some(&Take::Ours);
        self.filler.fill((old, new), &before.values, &mut mixed, &is_own);
        Ok(mixed)
    }

    /// Divides an update at the mixed row.
    fn part(
        &mut self,
        change: RowChange<CellValue>,
        mixed: Vec<CellValue>,
        cells: &BTreeMap<String, Take>,
    ) -> Divided {
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
        let is_own = |column: &str| cells.get(column) == Some(&Take::Ours);
        self.look(before, Some(&mixed), " in part", &is_own);
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

/// A row, in words: its key, or all of it where it has none.
fn shown(spec: &TableSpec, row: &Row<CellValue>) -> String {
    let names = spec.key.column_names();
    let places: Vec<usize> = names.iter().filter_map(|name| spec.place(name)).collect();
    let cells: Vec<&CellValue> = match places.is_empty() {
        true => row.values.iter().collect(),
        false => places.iter().map(|place| &row.values[*place]).collect(),
    };
    let values = cells.into_iter().filter_map(CellValue::here).map(label::label);
    format!("({})", values.collect::<Vec<_>>().join(", "))
}

/// Which classes would have to be allowed for the deletes of a table.
fn missing(request: &Request<'_>, table: &TableComparison) -> Result<Vec<Class>, PackError> {
    let rows = table.before.as_ref().map_or(0, |table| table.rows.rows);
    fill::missing(request.consent, &table.name.to_string(), rows, || {
        let mut deleted = 0;
        let mut count = |change: RowChange<CellValue>| {
            if let RowChange::Deleted(row) = change {
                deleted += row.count;
            }
            Ok(Flow::Continue)
        };
        let read = request.rows.changes(table.before.as_ref(), table.after.as_ref(), &mut count);
        read.map_err(|source| PackError::Rows { table: table.name.clone(), source })?;
        Ok(deleted)
    })
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
