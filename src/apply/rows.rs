//! The rows a pack touches, read back from the target: are they as the pack says?
//!
//! Every row is read with the engine's own reader and compared by its row hash, before the first
//! write and again after the last, inside one transaction. Rows without a key are counted, in one
//! scan of their table each time.

use std::collections::BTreeMap;

use super::error::ApplyError;
use super::outcome::{Drift, DriftClass};
use super::sinks::Labels;
use crate::codec::Hasher;
use crate::codec::row::RowLayout;
use crate::engine::{ReadFrom, RowFinder, Session};
use crate::model::{Flow, ObjectId, RowSink, SinkError, TableSpec, Value, ValueRef};
use crate::pack::PackError;
use crate::pack::exact::Exact;
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
                Ok((spec.name.name.clone(), (spec.clone(), layout)))
            })
            .collect::<Result<_, ApplyError>>()?;
        Ok(Tables { specs })
    }

    /// The same tables, their rows found by the keys of `others`, where those know the table.
    pub fn keyed_like(specs: &[TableSpec], others: &Tables) -> Result<Tables, ApplyError> {
        let mut specs = specs.to_vec();
        for spec in &mut specs {
            let Some((other, _)) = others.specs.get(&spec.name.name) else { continue };
            let has_all = other
                .key
                .column_names()
                .iter()
                .all(|name| spec.columns.iter().any(|column| column.name == **name));
            if has_all {
                spec.key = other.key.clone();
            }
        }
        Tables::new(&specs)
    }

    /// The specification of a table.
    pub fn spec(&self, name: &str) -> Option<&TableSpec> {
        self.specs.get(name).map(|(spec, _)| spec)
    }
}

struct Reader<'s> {
    finder: RowFinder<'s>,
    hasher: RowHasher<'s>,
}

/// Reads rows by key and hashes them.
pub struct RowReader<'s> {
    session: &'s Session<'s>,
    tables: &'s Tables,
    hasher: &'s Hasher,
    readers: BTreeMap<&'s str, Reader<'s>>,
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

impl<'s> RowReader<'s> {
    /// A reader of these tables.
    pub fn new(session: &'s Session<'s>, tables: &'s Tables, hasher: &'s Hasher) -> Self {
        RowReader { session, tables, hasher, readers: BTreeMap::new() }
    }

    /// What stands under a key. A table that is not there holds nothing.
    pub fn find(&mut self, table: &str, key: &[Value]) -> Result<Found, ApplyError> {
        let Some((name, (spec, layout))) = self.tables.specs.get_key_value(table) else {
            return Ok(Found::Absent);
        };
        let name = name.as_str();
        if !self.readers.contains_key(name) {
            let finder = self.session.row_finder(spec)?;
            let hasher = RowHasher::new(layout, self.hasher);
            self.readers.insert(name, Reader { finder, hasher });
        }
        let reader = self.readers.get_mut(name).expect("just put there");
        let rows = reader.finder.read(key, &mut reader.hasher)?;
        let hash = reader.hasher.take();
        Ok(match (rows, hash) {
            (0, _) => Found::Absent,
            (1, Some(hash)) => Found::Row(hash),
            _ => Found::Several,
        })
    }

    /// The row under a key, for people.
    pub fn show(&mut self, table: &str, key: &[Value]) -> Result<String, ApplyError> {
        let Some((spec, _)) = self.tables.specs.get(table) else {
            return Ok("no such table".to_owned());
        };
        let mut labels = Labels::default();
        if self.session.row_finder(spec)?.read(key, &mut labels)? == 0 {
            return Ok("no row".to_owned());
        }
        let cells = spec.columns.iter().zip(&labels.0);
        let cells: Vec<String> =
            cells.map(|(column, value)| format!("{} = {value}", column.name)).collect();
        Ok(cells.join(", "))
    }
}

/// Takes the keys out of a step.
pub fn key_values(key: &[Exact]) -> Vec<Value> {
    key.iter().map(|Exact(value)| value.clone()).collect()
}

/// Whether a row is as a step expects it before anything runs; otherwise how it differs.
pub fn before_is_right(
    reader: &mut RowReader<'_>,
    step: &StepLine<'_>,
) -> Result<Option<Drift>, ApplyError> {
    let (Some(before), Some(key)) = (&step.before, &step.key) else { return Ok(None) };
    let values = key_values(key);
    let found = reader.find(&step.object, &values)?;
    let after = step.after.as_deref();
    let class = match (before.as_ref(), found) {
        (ABSENT, Found::Absent) => return Ok(None),
        (ABSENT, found) if is(found, after) => DriftClass::AlreadyApplied,
        (ABSENT, _) => DriftClass::Extra,
        (expected, found) if is(found, Some(expected)) => return Ok(None),
        (_, Found::Absent) if after == Some(ABSENT) => DriftClass::AlreadyApplied,
        (_, Found::Absent) if has_moved(reader, step)? => DriftClass::AlreadyApplied,
        (_, Found::Absent) => DriftClass::Missing,
        (_, found) if is(found, after) => DriftClass::AlreadyApplied,
        _ => DriftClass::Changed,
    };
    let found = reader.show(&step.object, &values)?;
    Ok(Some(Drift { table: step.object.clone().into_owned(), key: key.clone(), class, found }))
}

fn is(found: Found, hash: Option<&str>) -> bool {
    match (found, hash) {
        (Found::Row(found), Some(hash)) => is_hash(found, hash),
        _ => false,
    }
}

/// Compares without making a text: this runs for every row.
fn is_hash(found: ObjectId, hash: &str) -> bool {
    hash.parse::<ObjectId>().is_ok_and(|hash| hash == found)
}

fn has_moved(reader: &mut RowReader<'_>, step: &StepLine<'_>) -> Result<bool, ApplyError> {
    let Some(key) = &step.new_key else { return Ok(false) };
    let found = reader.find(&step.object, &key_values(key))?;
    Ok(is(found, step.after.as_deref()))
}

/// Whether a row is as a step expects it when all has run; otherwise what is there.
pub fn after_is_right(
    reader: &mut RowReader<'_>,
    step: &StepLine<'_>,
) -> Result<Option<String>, ApplyError> {
    let (Some(after), Some(key)) = (&step.after, &step.key) else { return Ok(None) };
    let values = key_values(step.new_key.as_ref().unwrap_or(key));
    let found = reader.find(&step.object, &values)?;
    let is_right = match after.as_ref() {
        ABSENT => found == Found::Absent,
        hash => is(found, Some(hash)),
    };
    if is_right { Ok(None) } else { reader.show(&step.object, &values).map(Some) }
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
