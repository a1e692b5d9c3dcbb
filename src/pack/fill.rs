//! Values for rows that stay as the target has them, where the wanted schema asks for one.
//!
//! A column that is new, or takes no NULL any more, may find rows that only the target has: nothing in
//! the two states says what they hold in it. A person says it by a rule for the column. Only what is
//! NULL, or not there, is filled; rows that are taken from the wanted state never are. Where there is
//! no rule, the row is named and no pack is made.

use super::consent::{Class, Consent};
use super::error::Refusal;
use crate::diff::CellValue;
use crate::engine::ddl::{Schema, flag, text};
use crate::model::{FactId, ObjectKind, ObjectName, TableSpec, Value};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The same for every row.
    Value(Value),
    /// What the row holds in another column.
    Column(String),
}

/// A rule for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The table, by its name in the wanted state.
    pub table: ObjectName,
    /// The column, likewise.
    pub column: String,
    /// Where its values come from.
    pub rule: Rule,
}

/// A row that stays without a value that its column asks for.
#[derive(Debug, Clone)]
pub struct Wanting {
    /// The column.
    pub column: FactId,
    /// What to say, unless the column is left as it is.
    pub refusal: Refusal,
}

/// The rules of one table, and the columns that ask for a value.
#[derive(Debug)]
pub(super) struct Filler<'a> {
    /// Each with the place of its column in the wanted table.
    rules: Vec<(usize, &'a Rule)>,
    required: Vec<Required>,
}

/// A column that asks for a value which not every row has.
#[derive(Debug)]
struct Required {
    place: usize,
    column: FactId,
    /// Whether rows that are there have none at all.
    is_new: bool,
}

impl<'a> Filler<'a> {
    pub(super) fn new(
        fills: &'a [Fill],
        before: Option<&TableSpec>,
        after: Option<&TableSpec>,
        (from, to): (&Schema<'_>, &Schema<'_>),
    ) -> Filler<'a> {
        let (Some(before), Some(after)) = (before, after) else {
            return Filler { rules: Vec::new(), required: Vec::new() };
        };
        let rules = fills.iter().filter(|fill| fill.table == after.name);
        let rules = rules.filter_map(|fill| Some((after.place(&fill.column)?, &fill.rule)));
        let columns = after.columns.iter().enumerate();
        let required = columns.filter_map(|(place, column)| {
            let (object, part) = (after.name.clone(), column.name.clone());
            let id = FactId { kind: ObjectKind::Column, object, part };
            let fact = to.get(&id).filter(|fact| flag(fact, "not-null"))?;
            let is_new = before.place(&column.name).is_none();
            let has_default = ["default", "identity"].iter().any(|name| text(fact, name).is_some())
                || flag(fact, "auto-increment");
            let was_required = from.get(&id).is_some_and(|fact| flag(fact, "not-null"));
            let is_required = if is_new { !has_default } else { !was_required };
            is_required.then_some(Required { place, column: id, is_new })
        });
        Filler { rules: rules.collect(), required: required.collect() }
    }

    /// Whether anything is asked of rows that stay.
    pub(super) fn is_needed(&self) -> bool {
        self.has_rules() || !self.required.is_empty()
    }

    /// Whether rows that stay are filled.
    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The name of a column that a row has no value for and gets one.
    pub(super) fn first_filled(
        &self,
        (before, after): (&TableSpec, &TableSpec),
        row: &[CellValue],
    ) -> Option<String> {
        let mut columns = self.rules.iter().map(|(place, _)| &after.columns[*place].name);
        columns.find(|name| before.place(name).is_none_or(|at| row[at].is_null())).cloned()
    }

    /// Fills what a row has no value for. `row` is what it was, `values` what it becomes, of which the
    /// columns that `is_own` says stay as the target has them.
    pub(super) fn fill(
        &self,
        (before, after): (&TableSpec, &TableSpec),
        row: &[CellValue],
        values: &mut [CellValue],
        is_own: &dyn Fn(&str) -> bool,
    ) {
        for (place, rule) in &self.rules {
            let name = &after.columns[*place].name;
            let has_one = before.place(name).is_some() && !values[*place].is_null();
            if has_one || !is_own(name) {
                continue;
            }
            values[*place] = match rule {
                Rule::Value(value) => CellValue::Here(value.clone()),
                Rule::Column(other) => {
                    before.place(other).map_or(CellValue::Here(Value::Null), |at| row[at].clone())
                }
            };
        }
    }

    /// The columns that a row which stays has no value for; `values` is what it becomes, where it
    /// changes at all.
    pub(super) fn wanting(
        &self,
        (before, after): (&TableSpec, &TableSpec),
        row: &[CellValue],
        values: Option<&[CellValue]>,
        is_own: &dyn Fn(&str) -> bool,
    ) -> Vec<FactId> {
        let is_ruled = |place: usize| self.rules.iter().any(|(ruled, _)| *ruled == place);
        let has_none = |required: &&Required| {
            let (place, name) = (required.place, &after.columns[required.place].name);
            let is_null = match (values, before.place(name)) {
                (Some(values), _) => values[place].is_null(),
                (None, Some(at)) => row[at].is_null(),
                (None, None) => true,
            };
            match required.is_new {
                true => is_own(name) && (is_null || !is_ruled(place)),
                false => is_null,
            }
        };
        self.required.iter().filter(has_none).map(|required| required.column.clone()).collect()
    }
}

/// What to say of a row that has no value for a column.
pub(super) fn refusal(column: &FactId, stays: &str) -> Refusal {
    let name = format!("{}.{}", column.object, column.part);
    let reason =
        format!("the row stays{stays}, and has no value for the column, which takes no NULL");
    let hint =
        format!("say what it gets (--fill '{name}=VALUE'), or let the row be taken or deleted");
    Refusal::new(name, reason, hint)
}

/// Why deletes of a table do not run, for people.
pub(super) fn not_allowed(table: &str, missing: &[Class]) -> String {
    let flags: Vec<String> = missing.iter().map(|class| class.flag(table)).collect();
    format!(
        "their deletion is not allowed ({}), so they stay, with the values of --fill",
        flags.join(" ")
    )
}

/// Which classes would have to be allowed for the deletes of a table, counted where that matters.
pub(super) fn missing<E>(
    consent: &Consent,
    table: &str,
    rows: u64,
    count: impl FnOnce() -> Result<u64, E>,
) -> Result<Vec<Class>, E> {
    // Of no delete nothing but the class itself is asked.
    let missing = consent.missing_for_deletes(table, 0, rows);
    if !missing.is_empty() || consent.allows(Class::LargeDelete, table) {
        return Ok(missing);
    }
    Ok(consent.missing_for_deletes(table, count()?, rows))
}
