//! Unique indexes that stay because their drop is not allowed, and the rows that need them gone.
//!
//! The wanted state has no such index, so its rows may have equal values under it. Of those that
//! take one value the first runs, if no other row keeps that value; the others are left out, and
//! with them what they are in the way of. Partial indexes are left to the scratch copy and the
//! target.

use std::collections::{BTreeMap, HashMap};

use super::changes::damaged;
use super::error::PackError;
use super::request::{ChangedTable, Request};
use super::rules::{Rules, UniqueKey};
use super::shape::{FoldedKey, Shape};
use super::spool::{Change, Place, Spool, Verb};
use super::token::Token;
use crate::diff::{CellValue, Row};
use crate::model::Flow;

/// The changes of a table that an index which stays forbids, and which index.
pub(super) fn held(
    request: &Request<'_>,
    spool: &Spool,
    table: &ChangedTable,
    shape: &Shape,
    during: &Rules,
    wanted: &Rules,
) -> Result<BTreeMap<Place, String>, PackError> {
    let unique = |rules: &Rules| -> Vec<UniqueKey> {
        rules.table(&table.name).map(|table| table.unique.clone()).unwrap_or_default()
    };
    let stays = unique(wanted);
    let is_kept = |key: &&UniqueKey| {
        key.condition.is_none() && !stays.iter().any(|other| other.label == key.label)
    };
    let mut held = BTreeMap::new();
    for key in unique(during).iter().filter(is_kept) {
        let Some(folded) = shape.unique_key(key) else { continue };
        let reason = format!("{} stays, and another row has its value there", key.label);
        for place in without_room(request, spool, table, shape, &folded)? {
            held.entry(place).or_insert_with(|| reason.clone());
        }
    }
    Ok(held)
}

/// What happens to one value.
#[derive(Default)]
struct Value {
    takers: Vec<Place>,
    /// Rows that have it, less those that give it up.
    kept: u64,
    given: u64,
}

fn without_room(
    request: &Request<'_>,
    spool: &Spool,
    table: &ChangedTable,
    shape: &Shape,
    key: &FoldedKey,
) -> Result<Vec<Place>, PackError> {
    let mut values: HashMap<Token, Value> = HashMap::new();
    let mut without = Vec::new();
    for verb in Verb::EVERY {
        for change in spool.read(table.runs.of(verb)) {
            let (place, change) = change.map_err(|error| damaged(shape.table(), error))?;
            let (given, taken) = key.tokens(0, shape, &change);
            if let Some(given) = given {
                values.entry(given).or_default().given += change.count;
            }
            match taken {
                // Equal rows, all at once.
                Some(_) if change.count > 1 => without.push(place),
                Some(taken) => values.entry(taken).or_default().takers.push(place),
                None => {}
            }
        }
    }
    let stored =
        request.before.tables.iter().find(|stored| stored.spec.name.to_string() == table.name);
    if let Some(stored) = stored.filter(|_| values.values().any(|v| !v.takers.is_empty())) {
        let mut count = |row: Row<CellValue>| {
            let change = Change { before: row.values, after: Vec::new(), count: 1, others: 0 };
            let (token, _) = key.sides(0, shape, &change);
            if let Some(value) = token.and_then(|token| values.get_mut(&token)) {
                value.kept += row.count;
            }
            Ok(Flow::Continue)
        };
        request
            .rows
            .rows(stored, &mut count)
            .map_err(|source| PackError::Rows { table: shape.table().clone(), source })?;
    }
    for value in values.into_values() {
        let is_free = value.kept <= value.given;
        without.extend(value.takers.into_iter().skip(usize::from(is_free)));
    }
    Ok(without)
}
