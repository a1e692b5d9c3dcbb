//! Rows of a scratch copy that stand in for rows of the target: parents that inserted rows refer
//! to and that a pack does not touch, of tables that stay as they are (the others: `parents`).
//!
//! A stand-in holds the values that are referred to and, where something must be there, a value
//! that nothing else has. Where a table does not take one, foreign keys are not proved.

use std::collections::BTreeSet;

use super::error::ApplyError;
use super::parents::{self, Parents};
use super::prove::{insert, scratch};
use super::rows::row_by_key;
use crate::engine::ddl::text;
use crate::engine::{EngineError, Session, is_optional, masked_columns};
use crate::model::snapshot::Scope;
use crate::model::{Fact, KeyColumn, KeyMatching, RowKey, RowKeySource, TableSpec, Value};
use crate::pack::enforcement::Enforcement;
use crate::pack::request::ChangedTable;
use crate::pack::rules::{ForeignKey, Rules, TableRules};
use crate::pack::shape::Shape;
use crate::pack::spool::{SpoolError, Verb};
use crate::pack::token::{Conversion, Folding};
use crate::pack::{Draft, PackError, Request};

/// The error of a spool that cannot be read.
pub fn damaged(table: &TableSpec, error: SpoolError) -> PackError {
    match error {
        SpoolError::Fs(error) => PackError::Fs(error),
        SpoolError::Damaged(source) => PackError::Scratch { table: table.name.clone(), source },
    }
}

/// The columns of a table that must have a value and are masked, and what they are declared as. On
/// a scratch copy something else stands there.
pub fn unknown_columns<'r>(request: &'r Request<'_>, table: &str) -> Vec<(&'r str, &'r str)> {
    masked_columns(&request.before.scope, request.before.facts.iter())
        .into_iter()
        .filter(|fact| fact.id.object.name == table && !is_optional(fact))
        .map(|fact| (fact.id.part.as_str(), text(fact, "type").unwrap_or_default()))
        .collect()
}

/// How often the store is asked whether a parent is there; after that it is believed to be.
const QUESTIONS: u64 = 20_000;

/// Adds what is needed; says whether foreign keys can be enforced on the copy.
pub fn add(
    session: &Session<'_>,
    request: &Request<'_>,
    draft: &Draft,
) -> Result<bool, ApplyError> {
    let known: BTreeSet<_> = draft.facts_after.iter().map(|fact| &fact.id).collect();
    let gone = draft.facts_before.iter().filter(|fact| !known.contains(&fact.id));
    let facts: Vec<&Fact> = draft.facts_after.iter().chain(gone).collect();
    let rules = Rules::of(Enforcement::Sqlite, facts);
    let catalog = session.catalog(&Scope::from(&draft.manifest.scope))?;
    let redefined = parents::redefined(draft);
    Parents::new(session, request, draft, &rules, &redefined)?.add()?;
    let mut number = 0;
    let is_unknown = |key: &ForeignKey| {
        let unknown = unknown_columns(request, &key.child);
        unknown.iter().any(|(name, _)| key.columns.iter().any(|column| column == name))
    };
    if rules.foreign_keys.iter().any(is_unknown) {
        return Ok(false);
    }
    for key in rules.foreign_keys.iter().filter(|key| !redefined.contains(&key.parent)) {
        let find = |name: &str| draft.tables.iter().find(|table| table.name == name);
        let spec = catalog.tables.iter().find(|spec| spec.name.name == key.parent);
        let (Some(child), Some(spec)) = (find(&key.child), spec) else { continue };
        let Some(parent) = rules.table(&key.parent) else { continue };
        let link = Link { session, request, draft, key, child, spec, parent };
        if !link.add(find(&key.parent), &mut number)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which end of a change a value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Before,
    After,
}

/// A foreign key of a table that changes.
struct Link<'a> {
    session: &'a Session<'a>,
    request: &'a Request<'a>,
    draft: &'a Draft,
    key: &'a ForeignKey,
    child: &'a ChangedTable,
    spec: &'a TableSpec,
    parent: &'a TableRules,
}

impl Link<'_> {
    fn add(&self, parent: Option<&ChangedTable>, number: &mut u64) -> Result<bool, ApplyError> {
        // What is referred to may be a column that is not there yet.
        let is_there = |name: &String| self.spec.columns.iter().any(|c| c.name == *name);
        if !self.key.parent_columns.iter().all(|(name, _)| is_there(name)) {
            return Ok(false);
        }
        // What the pack itself inserts must not be there before, nor is anything needed twice.
        let mut known = BTreeSet::new();
        if let Some(parent) = parent {
            let columns = self.key.parent_columns.clone();
            self.each_value(parent, &columns, |end, token, _| {
                if end == End::After {
                    known.insert(token);
                }
                Ok(true)
            })?;
        }
        let keyed = self.keyed();
        let foldings = self.key.columns.iter().zip(&self.key.parent_columns);
        let columns: Vec<_> =
            foldings.map(|(name, (_, folding))| (name.clone(), *folding)).collect();
        self.each_value(self.child, &columns, |_, token, values| {
            if !known.insert(token) || row_by_key(self.session, &keyed, &values)?.is_some() {
                return Ok(true);
            }
            *number += 1;
            // Who refers to nothing gets no stand-in: then the proof fails, and names the row.
            if *number <= QUESTIONS && self.is_surely_missing(&values)? {
                return Ok(true);
            }
            self.stand_in(values, *number)
        })
    }

    /// Whether the parent is not there, as far as the store can tell at once: by the table's own
    /// key, for values that are equal only where their bytes are.
    fn is_surely_missing(&self, values: &[Value]) -> Result<bool, ApplyError> {
        let name = &self.spec.name;
        let table = self.request.before.tables.iter().find(|table| table.spec.name == *name);
        let Some(table) = table else { return Ok(false) };
        let RowKey::Columns { columns, .. } = &table.spec.key else { return Ok(false) };
        let mut key = Vec::new();
        for column in columns {
            let referenced = self.key.parent_columns.iter().position(|(c, _)| *c == column.name);
            let Some(place) = referenced else { return Ok(false) };
            let folding = self.key.parent_columns[place].1;
            let is_plain = match &values[place] {
                Value::Int(_) => folding.conversion == Conversion::ToNumber,
                Value::Text(_) => {
                    folding.matching == KeyMatching::Binary
                        && column.matching == KeyMatching::Binary
                        && folding.conversion == Conversion::ToText
                }
                _ => false,
            };
            if !is_plain || columns.len() != values.len() {
                return Ok(false);
            }
            key.push(values[place].clone());
        }
        // An integer can also be kept as a float where the column is declared to hold those.
        if key.iter().any(|value| matches!(value, Value::Int(_))) && !self.holds_integers() {
            return Ok(false);
        }
        let found = self.request.rows.rows_by_key(table, &key);
        let wrong = |source| PackError::Rows { table: name.clone(), source };
        Ok(found.map_err(wrong)?.is_empty())
    }

    fn holds_integers(&self) -> bool {
        self.key.parent_columns.iter().all(|(name, _)| {
            let declared = self.parent.types.get(name).map_or("", String::as_str);
            declared.to_ascii_uppercase().contains("INT")
        })
    }

    /// The parent with the referenced columns as its key.
    fn keyed(&self) -> TableSpec {
        let columns = self
            .key
            .parent_columns
            .iter()
            .map(|(name, folding)| KeyColumn { name: name.clone(), matching: folding.matching });
        let source = RowKeySource::UniqueIndex;
        let key = RowKey::Columns { columns: columns.collect(), source, may_be_null: true };
        TableSpec { key, ..self.spec.clone() }
    }

    /// Calls back for each value of these columns that a change gives up or takes, until it says
    /// false: rows that are deleted come back when the pack is undone.
    fn each_value(
        &self,
        table: &ChangedTable,
        columns: &[(String, Folding)],
        mut take: impl FnMut(End, u64, Vec<Value>) -> Result<bool, ApplyError>,
    ) -> Result<bool, ApplyError> {
        let shape = Shape::new(table.before.as_ref(), table.after.as_ref());
        let Some(shape) = shape else { return Ok(true) };
        let Some(key) = shape.folded_key(columns) else { return Ok(true) };
        let places: Vec<usize> = key.places().collect();
        for verb in Verb::EVERY {
            for change in self.draft.spool.read(table.runs.of(verb)) {
                let (_, change) = change.map_err(|error| damaged(&shape.spec, error))?;
                let (given, taken) = key.tokens(0, &shape, &change);
                for (end, token) in [(End::Before, given), (End::After, taken)] {
                    let Some(token) = token else { continue };
                    let value = |&place: &usize| match end {
                        End::Before => shape.before(&change, place).here().cloned(),
                        End::After => shape.after(&change, place).here().cloned(),
                    };
                    // Columns under a key have no large values.
                    let values: Option<Vec<Value>> = places.iter().map(value).collect();
                    let Some(values) = values else { continue };
                    if !take(end, token, values)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Adds one row; false where the table takes none.
    fn stand_in(&self, values: Vec<Value>, number: u64) -> Result<bool, ApplyError> {
        let mut columns: Vec<&str> =
            self.key.parent_columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut row = values;
        for column in &self.spec.columns {
            let name = column.name.as_str();
            // The rowid too: a number that SQLite picks could be one the pack inserts.
            if self.parent.not_null.contains(name) && !columns.contains(&name) {
                columns.push(name);
                row.push(filler(&column.declared_type, number));
            }
        }
        for (name, declared) in unknown_columns(self.request, &self.key.parent) {
            columns.push(name);
            row.push(filler(declared, number));
        }
        match scratch(self.session).prepare(&insert(&self.key.parent, &columns))?.run(&row) {
            Ok(_) => Ok(true),
            // Another spelling of the same key is there already.
            Err(EngineError::Constraint { message, .. }) => Ok(message.contains("UNIQUE")),
            Err(_) => Ok(false),
        }
    }
}

/// A value of a declared type that nothing else has.
pub fn filler(declared: &str, number: u64) -> Value {
    let declared = declared.to_ascii_uppercase();
    let number = i64::try_from(number).unwrap_or(0);
    if declared.contains("INT") || declared.contains("REAL") || declared.contains("NUM") {
        Value::Int(-7_000_000_000_000 - number)
    } else if declared.contains("BLOB") {
        Value::Bytes(format!("stand-in-{number}").into_bytes())
    } else {
        Value::Text(format!("stand-in-{number}"))
    }
}
