//! The rows a pack touches, read back from the target: are they as the pack says?
//!
//! Every row is read with the engine's own reader and compared by its row hash, before the first
//! write and again after the last, inside one transaction. Rows without a key are counted, in one
//! scan of their table each time.

use std::collections::{BTreeMap, HashMap};

use super::error::ApplyError;
use super::names::Names;
use super::outcome::{Drift, DriftClass};
use super::sinks::Values;
use crate::codec::Hasher;
use crate::codec::row::RowLayout;
use crate::engine::{ReadFrom, Session};
use crate::model::{
    ColumnSpec, Flow, ObjectId, RowKey, RowKeySource, RowSink, SinkError, TableSpec, Value,
    ValueRef,
};
use crate::pack::PackError;
use crate::pack::exact::Exact;
use crate::pack::label::label;
use crate::pack::manifest::{ABSENT, StepLine};
use crate::pack::row_hash::{RowHasher, layout};

/// The tables of a catalog with what hashing their rows needs.
pub struct Tables {
    specs: BTreeMap<String, (TableSpec, RowLayout)>,
}

impl Tables {
    /// The tables of a catalog.
    pub fn new(specs: &[TableSpec]) -> Result<Tables, ApplyError> {
        let specs = specs
            .iter()
            .map(|spec| {
                let layout = layout(spec).map_err(PackError::from)?;
                Ok((spec.name.to_string(), (spec.clone(), layout)))
            })
            .collect::<Result<_, ApplyError>>()?;
        Ok(Tables { specs })
    }

    /// The same, and those that have another name than a pack calls them by also by that one.
    #[must_use]
    pub fn called(mut self, names: &Names) -> Tables {
        for (new, old) in names.tables() {
            if let Some(table) = self.specs.get(old).cloned() {
                self.specs.insert(new.clone(), table);
            }
        }
        self
    }

    /// Tables, each with what its columns are called where rows are hashed.
    pub fn hashed_as(tables: &[(TableSpec, TableSpec)]) -> Result<Tables, ApplyError> {
        let specs = tables
            .iter()
            .map(|(spec, called)| {
                let layout = layout(called).map_err(PackError::from)?;
                Ok((spec.name.to_string(), (spec.clone(), layout)))
            })
            .collect::<Result<_, ApplyError>>()?;
        Ok(Tables { specs })
    }

    /// The same tables, their rows found by the keys of `others`, where those know the table.
    pub fn keyed_like(specs: &[TableSpec], others: &Tables) -> Result<Tables, ApplyError> {
        let mut specs = specs.to_vec();
        for spec in &mut specs {
            let Some((other, _)) = others.specs.get(&spec.name.to_string()) else { continue };
            let has_all = other
                .key
                .column_names()
                .iter()
                .all(|name| spec.columns.iter().any(|column| column.name == **name));
            if has_all && spec.key.column_names() != other.key.column_names() {
                spec.key = other.key.clone();
                spec.reads_in_key_order = false;
                // The index that it came from may be gone.
                if let RowKey::Columns { source, .. } = &mut spec.key {
                    *source = RowKeySource::Configured;
                }
            }
        }
        Tables::new(&specs)
    }

    /// The specification of a table.
    pub fn spec(&self, name: &str) -> Option<&TableSpec> {
        self.specs.get(name).map(|(spec, _)| spec)
    }
}

/// Reads rows by key and hashes them, many at a time.
pub struct RowReader<'s> {
    session: &'s Session<'s>,
    tables: &'s Tables,
    hasher: &'s Hasher,
}

/// What was found where a row should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// One row.
    Row(ObjectId),
    /// More than one.
    Several,
}

/// What must stand under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Absent,
    Row(ObjectId),
}

impl Wanted {
    fn of(text: Option<&str>) -> Option<Wanted> {
        match text? {
            ABSENT => Some(Wanted::Absent),
            hash => hash.parse().ok().map(Wanted::Row),
        }
    }

    fn is(self, found: Found) -> bool {
        match self {
            Wanted::Absent => found == Found::Absent,
            Wanted::Row(hash) => found == Found::Row(hash),
        }
    }
}

/// What a step says of its row.
#[derive(Debug)]
pub struct Expectation {
    /// What the step does.
    pub verb: String,
    /// The table.
    pub table: String,
    /// The row's key.
    pub key: Vec<Exact>,
    new_key: Option<Vec<Exact>>,
    before: Option<Wanted>,
    after: Option<Wanted>,
}

impl Expectation {
    /// What a step says; `None` where it is not about one row with a key.
    pub fn of(step: &StepLine<'_>) -> Option<Expectation> {
        if step.copies.is_some() {
            return None;
        }
        Some(Expectation {
            verb: step.verb.clone().into_owned(),
            table: step.object.clone().into_owned(),
            key: step.key.clone()?,
            new_key: step.new_key.clone(),
            before: Wanted::of(step.before.as_deref()),
            after: Wanted::of(step.after.as_deref()),
        })
    }

    fn key_after(&self) -> &[Exact] {
        self.new_key.as_deref().unwrap_or(&self.key)
    }
}

/// What stands under keys of tables.
type Standing = BTreeMap<String, HashMap<Vec<Value>, Found>>;

impl<'s> RowReader<'s> {
    /// A reader of these tables.
    pub fn new(session: &'s Session<'s>, tables: &'s Tables, hasher: &'s Hasher) -> Self {
        RowReader { session, tables, hasher }
    }

    /// The rows that are not as their steps expect them before anything runs.
    pub fn wrong_before(&self, rows: &[Expectation]) -> Result<Vec<Drift>, ApplyError> {
        let expecting = || rows.iter().filter(|row| row.before.is_some());
        let standing = self.standing(expecting().map(|row| (row.table.as_str(), &row.key[..])))?;
        let mut drifts = Vec::new();
        for row in expecting() {
            let found = find(&standing, &row.table, &row.key);
            let Some(class) = self.drift_class(row, found)? else { continue };
            let found = self.show(&row.table, &row.key)?;
            drifts.push(Drift { table: row.table.clone(), key: row.key.clone(), class, found });
        }
        Ok(drifts)
    }

    fn drift_class(
        &self,
        row: &Expectation,
        found: Found,
    ) -> Result<Option<DriftClass>, ApplyError> {
        let is_after = |found| row.after.is_some_and(|after| after.is(found));
        Ok(Some(match (row.before, found) {
            (None, _) => return Ok(None),
            (Some(before), found) if before.is(found) => return Ok(None),
            (Some(Wanted::Absent), found) if is_after(found) => DriftClass::AlreadyApplied,
            (Some(Wanted::Absent), _) => DriftClass::Extra,
            (_, Found::Absent) if row.after == Some(Wanted::Absent) => DriftClass::AlreadyApplied,
            (_, Found::Absent) if self.has_moved(row)? => DriftClass::AlreadyApplied,
            (_, Found::Absent) => DriftClass::Missing,
            (_, found) if is_after(found) => DriftClass::AlreadyApplied,
            _ => DriftClass::Changed,
        }))
    }

    fn has_moved(&self, row: &Expectation) -> Result<bool, ApplyError> {
        let (Some(key), Some(after)) = (&row.new_key, row.after) else { return Ok(false) };
        let standing = self.standing([(row.table.as_str(), &key[..])].into_iter())?;
        Ok(after.is(find(&standing, &row.table, key)))
    }

    /// The rows that are not as their steps expect them when all has run, and what is there.
    pub fn wrong_after<'r>(
        &self,
        rows: &'r [Expectation],
    ) -> Result<Vec<(&'r Expectation, String)>, ApplyError> {
        let expecting = || rows.iter().filter(|row| row.after.is_some());
        let standing =
            self.standing(expecting().map(|row| (row.table.as_str(), row.key_after())))?;
        let mut wrong = Vec::new();
        for row in expecting() {
            let found = find(&standing, &row.table, row.key_after());
            if !row.after.is_some_and(|after| after.is(found)) {
                wrong.push((row, self.show(&row.table, row.key_after())?));
            }
        }
        Ok(wrong)
    }

    /// What stands under these keys. A table that is not there holds nothing.
    fn standing<'k>(
        &self,
        keys: impl Iterator<Item = (&'k str, &'k [Exact])>,
    ) -> Result<Standing, ApplyError> {
        let mut by_table: BTreeMap<&str, Vec<Vec<Value>>> = BTreeMap::new();
        for (table, key) in keys {
            by_table.entry(table).or_default().push(key_values(key));
        }
        let mut standing = Standing::new();
        for (table, keys) in by_table {
            let Some((spec, layout)) = self.tables.specs.get(table) else { continue };
            let mut sink = KeyedSink {
                hasher: RowHasher::new(layout, self.hasher),
                places: key_places(spec),
                cell: 0,
                key: vec![Value::Null; spec.key.column_names().len()],
                found: HashMap::with_capacity(keys.len()),
            };
            self.session.rows_by_keys(spec, &keys, &mut sink)?;
            standing.insert(table.to_owned(), sink.found);
        }
        Ok(standing)
    }

    /// The row under a key, for people.
    fn show(&self, table: &str, key: &[Exact]) -> Result<String, ApplyError> {
        let Some((spec, _)) = self.tables.specs.get(table) else {
            return Ok("no such table".to_owned());
        };
        let Some(row) = row_by_key(self.session, spec, &key_values(key))? else {
            return Ok("no row".to_owned());
        };
        let cells = spec.columns.iter().zip(&row);
        let cells: Vec<String> =
            cells.map(|(column, value)| format!("{} = {}", column.name, label(value))).collect();
        Ok(cells.join(", "))
    }
}

fn find(standing: &Standing, table: &str, key: &[Exact]) -> Found {
    let found = standing.get(table).and_then(|rows| rows.get(&key_values(key)));
    found.copied().unwrap_or(Found::Absent)
}

/// Where the columns of the key stand in a row: by column, the place in the key.
fn key_places(spec: &TableSpec) -> Vec<Option<usize>> {
    let names = spec.key.column_names();
    let place = |column: &ColumnSpec| names.iter().position(|name| *name == column.name);
    spec.columns.iter().map(place).collect()
}

/// The row with exactly this key.
pub fn row_by_key(
    session: &Session<'_>,
    spec: &TableSpec,
    key: &[Value],
) -> Result<Option<Vec<Value>>, ApplyError> {
    let mut rows = Values::default();
    session.rows_by_keys(spec, &[key.to_vec()], &mut rows)?;
    let places = key_places(spec);
    let is_same = |row: &Vec<Value>| {
        let cells = row.iter().zip(&places);
        cells.into_iter().all(|(value, place)| place.is_none_or(|place| key[place] == *value))
    };
    Ok(rows.rows.into_iter().find(is_same))
}

/// The row with this key, by the database's own equality where no row has just the same bytes: the
/// type of a key may have changed since the key was written down.
pub fn row_under_key(
    session: &Session<'_>,
    spec: &TableSpec,
    key: &[Value],
) -> Result<Option<Vec<Value>>, ApplyError> {
    if let Some(row) = row_by_key(session, spec, key)? {
        return Ok(Some(row));
    }
    let mut rows = Values::default();
    session.rows_by_keys(spec, &[key.to_vec()], &mut rows)?;
    Ok(rows.rows.into_iter().next())
}

/// Hashes rows and keeps the hashes by key.
struct KeyedSink<'h> {
    hasher: RowHasher<'h>,
    places: Vec<Option<usize>>,
    cell: usize,
    key: Vec<Value>,
    found: HashMap<Vec<Value>, Found>,
}

impl RowSink for KeyedSink<'_> {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        if let Some(Some(place)) = self.places.get(self.cell) {
            self.key[*place] = value.to_value();
        }
        self.cell += 1;
        self.hasher.cell(value)
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        self.cell = 0;
        self.hasher.end_row()?;
        let hash = self.hasher.take().ok_or("a row without a hash")?;
        let found = self.found.entry(self.key.clone()).or_insert(Found::Absent);
        *found = match *found {
            Found::Absent => Found::Row(hash),
            _ => Found::Several,
        };
        Ok(Flow::Continue)
    }
}

/// Takes the keys out of a step.
pub fn key_values(key: &[Exact]) -> Vec<Value> {
    key.iter().map(|Exact(value)| value.clone()).collect()
}

/// Rows without a key: how often each must be there at least, and how their number changes.
#[derive(Debug, Default)]
pub struct Multiset {
    rows: BTreeMap<[u8; 32], Copies>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Copies {
    removed: u64,
    added: u64,
    before: u64,
}

impl Multiset {
    /// Notes what a step does.
    pub fn note(&mut self, step: &StepLine<'_>) {
        let copies = step.copies.unwrap_or(1);
        let id = |text: &Option<std::borrow::Cow<'_, str>>| {
            text.as_deref().and_then(|text| text.parse::<ObjectId>().ok())
        };
        if let Some(hash) = id(&step.before) {
            self.rows.entry(hash.0).or_default().removed += copies;
        }
        if let Some(hash) = id(&step.after) {
            self.rows.entry(hash.0).or_default().added += copies;
        }
    }

    fn count(
        &self,
        session: &Session<'_>,
        tables: &Tables,
        table: &str,
        hasher: &Hasher,
    ) -> Result<BTreeMap<[u8; 32], u64>, ApplyError> {
        let mut counts: BTreeMap<[u8; 32], u64> = self.rows.keys().map(|k| (*k, 0)).collect();
        each_hash(session, tables, table, hasher, &mut |hash| {
            if let Some(count) = counts.get_mut(&hash.0) {
                *count += 1;
            }
        })?;
        Ok(counts)
    }

    /// Counts before anything runs; gives how many rows are missing.
    pub fn before(
        &mut self,
        session: &Session<'_>,
        tables: &Tables,
        table: &str,
        hasher: &Hasher,
    ) -> Result<u64, ApplyError> {
        let counts = self.count(session, tables, table, hasher)?;
        let mut missing = 0;
        for (hash, copies) in &mut self.rows {
            copies.before = counts.get(hash).copied().unwrap_or(0);
            missing += copies.removed.saturating_sub(copies.before);
        }
        Ok(missing)
    }

    /// Counts when all has run; gives how many different rows are there another number of times
    /// than they should.
    pub fn after(
        &self,
        session: &Session<'_>,
        tables: &Tables,
        table: &str,
        hasher: &Hasher,
    ) -> Result<u64, ApplyError> {
        let counts = self.count(session, tables, table, hasher)?;
        let wrong = self.rows.iter().filter(|(hash, copies)| {
            counts.get(*hash).copied() != Some(copies.before - copies.removed + copies.added)
        });
        Ok(wrong.count() as u64)
    }
}

/// Hashes every row of a table. A table that is not there has none.
pub fn each_hash(
    session: &Session<'_>,
    tables: &Tables,
    table: &str,
    hasher: &Hasher,
    take: &mut dyn FnMut(ObjectId),
) -> Result<(), ApplyError> {
    let Some((spec, layout)) = tables.specs.get(table) else { return Ok(()) };
    let mut sink = HashSink { hasher: RowHasher::new(layout, hasher), take };
    session.read_rows(spec, &ReadFrom::Start, &mut sink)?;
    Ok(())
}

struct HashSink<'h, 't> {
    hasher: RowHasher<'h>,
    take: &'t mut dyn FnMut(ObjectId),
}

impl RowSink for HashSink<'_, '_> {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.hasher.cell(value)
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        self.hasher.end_row()?;
        (self.take)(self.hasher.take().ok_or("a row without a hash")?);
        Ok(Flow::Continue)
    }
}
