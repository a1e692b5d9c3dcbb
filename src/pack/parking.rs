//! Where a row waits while others take its unique values, or while what it refers to comes and goes:
//! on NULL, on a value nobody has, or outside the table.
//!
//! Whether the table takes the waiting value (checks, types) is asked of a scratch copy. That
//! nobody in the target has it is near certain by its form, and proved by the unique key itself
//! when the statement runs.

use std::collections::BTreeMap;

use super::error::PackError;
use super::rules::{Action, Rules, TableRules};
use super::shape::{Shape, is_row_key, may_be_null};
use super::spool::{Change, Verb};
use super::waiting;
use crate::diff::CellValue;
use crate::model::Value;

/// Where a row waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parking {
    /// These columns hold these values meanwhile.
    Columns(Vec<(usize, Value)>),
    /// The row is deleted and inserted again.
    Reinsert,
}

/// Numbers around which waiting values lie: whole in a float of 64 bits.
const SHELF: i64 = 8_888_000_000_000_000;

/// What tables were found to take, where that does not depend on the row: by table, columns and
/// form of the waiting value.
pub type Known = BTreeMap<(String, Vec<usize>, u32), bool>;

/// Asks whether the table takes a row.
pub type Accepts<'a> = dyn FnMut(&Shape, &[CellValue]) -> Result<bool, PackError> + 'a;

/// Where the row of an update can wait; `number` is different for every row that waits. `None`
/// where there is no place.
pub fn find(
    shape: &Shape,
    rules: &Rules,
    change: &Change,
    number: u32,
    known: &mut Known,
    accepts: &mut Accepts<'_>,
) -> Result<Option<Parking>, PackError> {
    let Some(table) = rules.table(shape.label()) else { return Ok(None) };
    let free = columns_to_free(shape, rules, change);
    let free = || free.iter().map(|&column| (column, Value::Null));
    let columns = match change.verb() {
        Verb::Insert => Vec::new(),
        Verb::Update | Verb::Delete => columns_to_park(shape, table, change),
    };
    if columns.is_empty() {
        let free: Vec<(usize, Value)> = free().collect();
        return Ok((!free.is_empty()).then_some(Parking::Columns(free)));
    }
    let is_referenced = |column: usize| {
        rules.referring_to(&table.name).any(|key| {
            (key.on_update != Action::NoAction || !key.may_wait)
                && key.parent_columns.iter().any(|(name, _)| name == shape.name(column))
        })
    };
    if columns.iter().any(|&column| is_referenced(column)) {
        // The rows that refer to it would follow it, or be in its way.
    } else if !rules.enforcement.is_proved() {
        let waiting = |&column: &usize| {
            let value = waiting::on_server(table, shape.name(column), number)?;
            Some((column, value))
        };
        let parked: Option<Vec<(usize, Value)>> = columns.iter().map(waiting).collect();
        if let Some(mut parked) = parked {
            parked.extend(free().filter(|(column, _)| !columns.contains(column)));
            return Ok(Some(Parking::Columns(parked)));
        }
    } else {
        for form in 0..FORMS {
            let parked: Vec<(usize, Value)> = columns
                .iter()
                .map(|&column| (column, waiting_value(shape, table, column, form, number)))
                .collect();
            let of_table = (table.name.clone(), columns.clone(), form);
            let is_taken = match known.get(&of_table).filter(|_| !table.has_checks) {
                Some(is_taken) => *is_taken,
                None => {
                    let mut row = shape.row_before(change);
                    for (column, value) in &parked {
                        row[*column] = CellValue::Here(value.clone());
                    }
                    accepts(shape, &row)?
                }
            };
            known.insert(of_table, is_taken);
            if is_taken {
                return Ok(Some(Parking::Columns(parked)));
            }
        }
    }
    let may_leave = change.verb() == Verb::Update
        && rules.referring_to(&table.name).all(|key| {
            key.on_delete == Action::NoAction && key.on_update == Action::NoAction && key.may_wait
        });
    Ok(may_leave.then_some(Parking::Reinsert))
}

/// Where a row waits that only refers to itself: it keeps its unique values, and refers to nothing.
pub fn letting_go(shape: &Shape, rules: &Rules, change: &Change) -> Option<Parking> {
    let columns = columns_to_free(shape, rules, change);
    let free: Vec<(usize, Value)> = columns.into_iter().map(|c| (c, Value::Null)).collect();
    (!free.is_empty()).then_some(Parking::Columns(free))
}

/// The columns that are NULL while the row refers to nothing, where it may and that is checked at
/// once.
fn columns_to_free(shape: &Shape, rules: &Rules, change: &Change) -> Vec<usize> {
    let keys = rules.foreign_keys.iter();
    let of_row = keys.filter(|key| key.child == shape.label() && !key.may_wait);
    let mut columns: Vec<usize> =
        of_row.flat_map(|key| &key.freed_by).filter_map(|name| shape.place(name)).collect();
    let holds_null = |&column: &usize| match change.before.is_empty() {
        true => shape.after(change, column).is_null(),
        false => shape.before(change, column).is_null(),
    };
    columns.retain(|column| !holds_null(column));
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// One column of each unique key whose value the change gives up.
fn columns_to_park(shape: &Shape, table: &TableRules, change: &Change) -> Vec<usize> {
    let mut columns = Vec::new();
    for key in &table.unique {
        let Some(folded) = shape.unique_key(key) else { continue };
        // A value that is given up for NULL is in somebody's way just the same.
        let (given, _) = folded.tokens(0, shape, change);
        if given.is_none() || is_row_key(shape, &folded) {
            continue;
        }
        let places: Vec<usize> = folded.places().collect();
        if places.iter().any(|place| columns.contains(place)) {
            continue;
        }
        let nullable = places.iter().find(|&&place| may_be_null(table, shape.name(place)));
        let not_alias = places
            .iter()
            .rev()
            .find(|&&place| table.rowid_alias.as_deref() != Some(shape.name(place)));
        columns.extend(nullable.or(not_alias).or(places.last()).copied());
    }
    columns
}

/// How many forms of waiting values there are.
const FORMS: u32 = 6;

fn waiting_value(
    shape: &Shape,
    table: &TableRules,
    column: usize,
    form: u32,
    number: u32,
) -> Value {
    let name = shape.name(column);
    if form == 0 && may_be_null(table, name) {
        return Value::Null;
    }
    let declared = table.types.get(name).map_or("", String::as_str).to_ascii_uppercase();
    let is_text = ["CHAR", "CLOB", "TEXT"].iter().any(|part| declared.contains(part))
        && !declared.contains("INT");
    let is_real = ["REAL", "FLOA", "DOUB"].iter().any(|part| declared.contains(part))
        && !declared.contains("INT");
    let whole = SHELF + i64::from(number);
    match (form, is_text) {
        (0 | 1, true) | (2, false) => Value::Text(format!("deepdiff-parked-{number}")),
        (0, false) if is_real => float(whole),
        (0, false) => Value::Int(-whole),
        (1, false) | (2, true) => Value::Int(whole),
        (3, _) => float(whole),
        (4, _) => Value::Bytes(format!("deepdiff-parked-{number}").into_bytes()),
        _ => Value::Text(format!("{number:08x}")),
    }
}

/// A float of this many and a half would not be exact; the whole number is.
fn float(whole: i64) -> Value {
    let mut number = 0f64;
    for digit in whole.to_string().bytes() {
        number = number * 10.0 + f64::from(digit - b'0');
    }
    Value::Float64(number.to_bits())
}
