//! Rows that refer to a row which is about to go, and which the pack knows nothing of.
//!
//! Where a foreign key would change or remove them silently (CASCADE, SET NULL, SET DEFAULT), they
//! are looked for before the parent is deleted: those that the pack knows have left by then.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use super::outcome::{Drift, DriftClass};
use super::rows::{Tables, key_values, row_under_key};
use super::sinks::Values;
use crate::engine::Session;
use crate::model::{KeyColumn, Value};
use crate::pack::exact::Exact;
use crate::pack::label::label;
use crate::pack::manifest::{MOVES_KEY, StepLine};
use crate::pack::rules::{Action, ForeignKey, Rules};

/// The foreign keys that act on rows when their parent is deleted, or its key changed, by parent.
pub struct Referring {
    on_delete: BTreeMap<String, Vec<ForeignKey>>,
    on_update: BTreeMap<String, Vec<ForeignKey>>,
    limit: usize,
}

impl Referring {
    /// Those of a schema that the pack does not drop; at most `limit` rows are listed for each.
    pub fn new(rules: &Rules, dropped: &BTreeSet<String>, limit: usize) -> Referring {
        let acting = |action: fn(&ForeignKey) -> Action| {
            let mut keys: BTreeMap<String, Vec<ForeignKey>> = BTreeMap::new();
            for key in rules
                .foreign_keys
                .iter()
                .filter(|key| action(key) == Action::Changes && !dropped.contains(&key.id))
            {
                keys.entry(key.parent.clone()).or_default().push(key.clone());
            }
            keys
        };
        let (on_delete, on_update) = (acting(|key| key.on_delete), acting(|key| key.on_update));
        Referring { on_delete, on_update, limit }
    }

    /// The foreign keys by which a step could change rows that refer to its own.
    pub fn acting(&self, step: &StepLine<'_>) -> &[ForeignKey] {
        let keys = match step.verb.as_ref() {
            "delete" | "lift" => &self.on_delete,
            "update" | "park" if step.hazards.iter().any(|hazard| hazard == MOVES_KEY) => {
                &self.on_update
            }
            _ => return &[],
        };
        keys.get(step.object.as_ref()).map_or(&[], Vec::as_slice)
    }

    /// The rows that still refer to the row that a step deletes, or whose key it changes.
    pub fn left(
        &self,
        session: &Session<'_>,
        tables: &Tables,
        step: &StepLine<'_>,
        dropped: &BTreeSet<String>,
    ) -> Result<Vec<Drift>, ApplyError> {
        let keys = self.acting(step);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (Some(key), Some(parent)) = (&step.key, tables.spec(&step.object)) else {
            return Ok(Vec::new());
        };
        let Some(row) = &row_under_key(session, parent, &key_values(key))? else {
            return Ok(Vec::new());
        };
        let value_of = |name: &str| {
            let place = parent.columns.iter().position(|column| column.name == name);
            place.map(|place| row[place].clone())
        };
        let mut left = Vec::new();
        for foreign in keys.iter().filter(|foreign| !dropped.contains(&foreign.child)) {
            let values: Option<Vec<Value>> =
                foreign.parent_columns.iter().map(|(name, _)| value_of(name)).collect();
            if let Some(values) = values.filter(|values| !values.iter().any(Value::is_null)) {
                self.list(session, tables, foreign, &values, row, &mut left)?;
            }
        }
        Ok(left)
    }

    fn list(
        &self,
        session: &Session<'_>,
        tables: &Tables,
        foreign: &ForeignKey,
        values: &[Value],
        parent: &[Value],
        left: &mut Vec<Drift>,
    ) -> Result<(), ApplyError> {
        let Some(child) = tables.spec(&foreign.child) else { return Ok(()) };
        let columns = foreign.columns.iter().zip(&foreign.parent_columns);
        let columns: Vec<KeyColumn> = columns
            .map(|(name, (_, folding))| KeyColumn {
                name: name.clone(),
                matching: folding.matching,
            })
            .collect();
        let mut rows = Values::default();
        session.referencing_rows(child, &columns, values, self.limit as u64, &mut rows)?;
        for row in rows.rows {
            // A row that refers to itself goes with itself.
            if foreign.child == foreign.parent && row == parent {
                continue;
            }
            let names = child.key.column_names();
            let key = names.iter().filter_map(|name| {
                let place = child.columns.iter().position(|column| column.name == *name)?;
                Some(Exact(row[place].clone()))
            });
            let values: Vec<String> = values.iter().map(label).collect();
            left.push(Drift {
                table: foreign.child.clone(),
                key: key.collect(),
                class: DriftClass::Referring,
                found: format!("refers to {} ({})", foreign.parent, values.join(", ")),
            });
        }
        Ok(())
    }
}
