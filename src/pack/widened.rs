//! Tables that keep columns which the wanted state does not have, because their drop is left out.
//!
//! There the wanted rows are widened: such a column holds what it held before, and in rows that
//! come, its default. So what is reviewed, verified and undone is what the pack really leaves.

use super::spool::Change;
use crate::diff::CellValue;
use crate::model::{Fact, FactId, ObjectKind, TableSpec, Value};

/// The columns that stay, by their places in the widened rows, ascending: where they were, and what
/// a row has there that comes.
#[derive(Debug, Clone, Default)]
pub struct Staying(Vec<(usize, usize, Value)>);

impl Staying {
    /// The columns of `before` that `after` has not and that are among these facts, sorted by id;
    /// with the specification that has them too. Nothing where there are none.
    pub fn of(
        before: &TableSpec,
        after: &TableSpec,
        facts: &[Fact],
    ) -> Option<(Staying, TableSpec)> {
        let stays = |name: &str| {
            let (object, part) = (before.name.clone(), name.to_owned());
            let id = FactId { kind: ObjectKind::Column, object, part };
            facts.binary_search_by(|fact| fact.id.cmp(&id)).is_ok()
        };
        let columns = before.columns.iter().enumerate();
        let staying: Vec<_> = columns
            .filter(|(_, column)| after.place(&column.name).is_none() && stays(&column.name))
            .collect();
        if staying.is_empty() {
            return None;
        }
        let mut wide = after.clone();
        wide.columns.extend(staying.iter().map(|(_, column)| (*column).clone()));
        wide.columns.sort_by(|a, b| a.name.cmp(&b.name));
        if !wide.column_order.is_empty() {
            wide.column_order.extend(staying.iter().map(|(_, column)| column.name.clone()));
        }
        let mut places: Vec<_> = staying
            .iter()
            .filter_map(|(was, column)| {
                Some((wide.place(&column.name)?, *was, column.default.clone()))
            })
            .collect();
        places.sort_by_key(|(place, ..)| *place);
        Some((Staying(places), wide))
    }

    /// A change, with the row after it widened.
    pub fn widen(&self, mut change: Change) -> Change {
        if change.after.is_empty() {
            return change;
        }
        for (place, was, default) in &self.0 {
            let held = change.before.get(*was).cloned();
            change.after.insert(*place, held.unwrap_or_else(|| CellValue::Here(default.clone())));
        }
        change
    }
}
