//! Rows that a pack does not touch and that others refer to, in tables whose definition it changes:
//! a scratch copy has them as they are in the store.
//!
//! Such a table is built anew, or gets a unique index, around them; a row that only stands in for
//! another may not be what the new definition takes. They are found by reading their table once,
//! and what they refer to themselves is found in the same way.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::error::ApplyError;
use super::prove::{Whole, insert, scratch};
use super::stand_ins::damaged;
use crate::codec::state::StoredTable;
use crate::diff::CellValue;
use crate::engine::Session;
use crate::model::{Fact, Flow, ObjectKind};
use crate::pack::request::ChangedTable;
use crate::pack::rules::{ForeignKey, Rules};
use crate::pack::shape::{FoldedKey, Shape};
use crate::pack::spool::{Change, Verb};
use crate::pack::token::{Folding, Nulls, token};
use crate::pack::{Draft, PackError, Request};

/// The tables whose definition a pack changes, by name: what stands in CREATE TABLE, and unique
/// indexes.
pub fn redefined(draft: &Draft) -> BTreeSet<String> {
    let is_definition = |fact: &Fact| match fact.id.kind {
        ObjectKind::Index => fact.attributes.contains_key("unique"),
        ObjectKind::Trigger | ObjectKind::View | ObjectKind::VirtualTable => false,
        _ => true,
    };
    let of = |facts: &'_ [Fact]| -> BTreeMap<_, _> {
        let facts = facts.iter().filter(|fact| is_definition(fact));
        facts.map(|fact| (fact.id.clone(), fact.clone())).collect()
    };
    let (before, after) = (of(&draft.facts_before), of(&draft.facts_after));
    let differing = before.iter().filter(|(id, fact)| after.get(id) != Some(fact));
    let new = after.iter().filter(|(id, _)| !before.contains_key(id));
    let facts = differing.chain(new).map(|(_, fact)| fact);
    facts.map(|fact| fact.table().unwrap_or_else(|| fact.id.object.clone()).name).collect()
}

/// A table with its columns on both ends, and the rows of it that are there already.
struct Parent<'a> {
    stored: &'a StoredTable,
    shape: Shape,
    there: HashSet<u64>,
}

/// Brings the rows into a scratch copy.
pub struct Parents<'a> {
    session: &'a Session<'a>,
    request: &'a Request<'a>,
    draft: &'a Draft,
    rules: &'a Rules,
    tables: BTreeMap<&'a str, Parent<'a>>,
    /// By the place of a foreign key: what was looked for already.
    asked: BTreeMap<usize, BTreeSet<u64>>,
    /// And what is to be looked for.
    open: BTreeMap<usize, BTreeSet<u64>>,
}

impl<'a> Parents<'a> {
    /// Of these tables.
    pub fn new(
        session: &'a Session<'a>,
        request: &'a Request<'a>,
        draft: &'a Draft,
        rules: &'a Rules,
        names: &BTreeSet<String>,
    ) -> Result<Parents<'a>, ApplyError> {
        let mut tables = BTreeMap::new();
        for stored in request.before.tables.iter().filter(|t| names.contains(&t.spec.name.name)) {
            let name = &stored.spec.name;
            let after = request.after.tables.iter().find(|table| table.spec.name == *name);
            let shape = Shape::new(Some(&stored.spec), after.map(|table| &table.spec));
            if let Some(shape) = shape {
                let changed = draft.tables.iter().find(|table| table.name == name.name);
                let there = changed.map_or_else(|| Ok(HashSet::new()), |t| touched(draft, t))?;
                tables.insert(name.name.as_str(), Parent { stored, shape, there });
            }
        }
        let (asked, open) = (BTreeMap::new(), BTreeMap::new());
        Ok(Parents { session, request, draft, rules, tables, asked, open })
    }

    /// Adds every row that is needed.
    pub fn add(mut self) -> Result<(), ApplyError> {
        for table in &self.draft.tables {
            let shape = Shape::new(table.before.as_ref(), table.after.as_ref());
            let Some(shape) = shape else { continue };
            for verb in Verb::EVERY {
                for change in self.draft.spool.read(table.runs.of(verb)) {
                    let (_, change) = change.map_err(|error| damaged(&shape.spec, error))?;
                    self.ask(&shape, &change);
                }
            }
        }
        while let Some(&key) = self.open.keys().next() {
            let parent = self.rules.foreign_keys[key].parent.clone();
            self.read(&parent)?;
        }
        Ok(())
    }

    fn keys_of<'s>(&'s self, child: &'s str) -> impl Iterator<Item = (usize, &'a ForeignKey)> + 's {
        let keys = self.rules.foreign_keys.iter().enumerate();
        keys.filter(move |(_, key)| {
            key.child == child && self.tables.contains_key(key.parent.as_str())
        })
    }

    /// Notes what a row refers to, before and after.
    fn ask(&mut self, shape: &Shape, change: &Change) {
        let keys: Vec<_> = self.keys_of(shape.label()).collect();
        for (place, key) in keys {
            let foldings = key.columns.iter().zip(&key.parent_columns);
            let columns: Vec<(String, Folding)> =
                foldings.map(|(name, (_, folding))| (name.clone(), *folding)).collect();
            let Some(folded) = shape.folded_key(&columns) else { continue };
            let (before, after) = folded.sides(0, shape, change);
            for token in [before, after].into_iter().flatten() {
                if self.asked.entry(place).or_default().insert(token) {
                    self.open.entry(place).or_default().insert(token);
                }
            }
        }
    }

    /// Reads a table once, for every foreign key that looks for something in it.
    fn read(&mut self, name: &str) -> Result<(), ApplyError> {
        let keys = self.rules.foreign_keys.iter().enumerate();
        let wanted: Vec<(usize, BTreeSet<u64>)> = keys
            .filter(|(_, key)| key.parent == name)
            .filter_map(|(place, _)| Some((place, self.open.remove(&place)?)))
            .collect();
        let Some(parent) = self.tables.get_mut(name) else { return Ok(()) };
        let lookups: Vec<(FoldedKey, BTreeSet<u64>)> = wanted
            .into_iter()
            .filter_map(|(place, tokens)| {
                let columns = &self.rules.foreign_keys[place].parent_columns;
                Some((parent.shape.folded_key(columns)?, tokens))
            })
            .collect();
        let columns: Vec<&str> =
            parent.stored.spec.columns.iter().map(|column| column.name.as_str()).collect();
        let mut statement = scratch(self.session).prepare(&insert(name, &columns))?;
        let (shape, there, request) = (&parent.shape, &mut parent.there, self.request);
        let mut found: Vec<Change> = Vec::new();
        let mut failed = None;
        let read = request.rows.rows(parent.stored, &mut |row| {
            let change = untouched(row.values);
            let is_wanted = lookups.iter().any(|(key, tokens)| {
                key.sides(0, shape, &change).0.is_some_and(|token| tokens.contains(&token))
            });
            if is_wanted && there.insert(identity(&change.before)) {
                let added = Whole::of(request, &change.before)
                    .map_err(ApplyError::from)
                    .and_then(|row| Ok(statement.run(row.iter())?));
                if let Err(error) = added {
                    failed = Some(error);
                    return Ok(Flow::Stop);
                }
                found.push(keys_only(shape, self.rules, change));
            }
            Ok(Flow::Continue)
        });
        let wrong = |source| PackError::Rows { table: parent.stored.spec.name.clone(), source };
        read.map_err(wrong)?;
        failed.map_or(Ok(()), Err)?;
        let shape = parent.shape.clone();
        found.iter().for_each(|change| self.ask(&shape, change));
        Ok(())
    }
}

/// A row that stays as it is.
fn untouched(values: Vec<CellValue>) -> Change {
    Change { before: values, after: Vec::new(), count: 1, others: 0 }
}

/// The row without what refers to nothing, which may be long.
fn keys_only(shape: &Shape, rules: &Rules, change: Change) -> Change {
    let own = rules.foreign_keys.iter().filter(|key| key.child == shape.label());
    let names: BTreeSet<&String> = own.flat_map(|key| &key.columns).collect();
    let places: Vec<usize> = names.iter().filter_map(|name| shape.place_before(name)).collect();
    let cells = change.before.into_iter().enumerate();
    let before = cells.map(|(at, cell)| match places.contains(&at) {
        true => cell,
        false => CellValue::Here(crate::model::Value::Null),
    });
    Change { before: before.collect(), ..change }
}

fn identity(row: &[CellValue]) -> u64 {
    let values = row.iter().map(|cell| (cell, Folding::exact()));
    token(1, Nulls::Collide, values).unwrap_or_default()
}

/// The rows of a table that the pack touches, and that are there because of that.
fn touched(draft: &Draft, table: &ChangedTable) -> Result<HashSet<u64>, ApplyError> {
    let mut rows = HashSet::new();
    for verb in [Verb::Update, Verb::Delete] {
        for change in draft.spool.read(table.runs.of(verb)) {
            let spec = table.before.as_ref().or(table.after.as_ref());
            let (_, change) = match (change, spec) {
                (Ok(change), _) => change,
                (Err(error), Some(spec)) => return Err(damaged(spec, error).into()),
                (Err(_), None) => continue,
            };
            rows.insert(identity(&change.before));
        }
    }
    Ok(rows)
}
