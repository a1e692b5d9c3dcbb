//! The course of a change that commits at every step: its steps, and the schema that each must
//! leave, as the journal keeps them.
//!
//! Facts are kept once, however many schemas say them; a schema is the places of its facts. What
//! a course says is all that is needed to go on with it, or to undo it, on another day.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::apply::names::Names;
use crate::codec::Hasher;
use crate::engine::ddl::Rename;
use crate::model::{
    Attribute, Fact, FactId, KeyColumn, KeyMatching, ObjectKind, ObjectName, RowKey, RowKeySource,
    TableSpec,
};
use crate::pack::fingerprint::{self, Digests};

/// The places of a schema's facts.
pub(super) type Places = Vec<usize>;

/// A course.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Course {
    /// Every fact that any of the schemas says.
    facts: Vec<StoredFact>,
    /// The schema before the run, which undoing it leaves.
    pub(super) start: Places,
    /// The schema that the run shall leave.
    pub(super) end: Places,
    /// The schema in which the rows of the way back change.
    pub(super) turn: Places,
    /// The schema before the first of these steps.
    pub(super) from: Places,
    /// Settings of the session.
    pub(super) preparations: Vec<String>,
    /// The steps.
    pub(super) steps: Vec<Step>,
    /// The steps of the way back behind its rows.
    pub(super) tail: Vec<Step>,
    /// Where this undoes a run: the tables whose rows never went, or came back with their table.
    pub(super) kept: BTreeSet<String>,
    /// The tables that are made anew before the rows.
    pub(super) anew: Vec<Anew>,
    /// By what the rows of each table were found before the run.
    keys: Vec<(String, Vec<(String, String)>)>,
}

/// A step: one statement that commits, or all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// For people: what it does, to what. Empty for the rows.
    pub(super) name: String,
    /// Settings around the statement.
    pub(super) set_up: Vec<String>,
    /// The statement; empty for the rows.
    pub(super) statement: String,
    /// Settings that take those back.
    pub(super) tidy_up: Vec<String>,
    /// The ids of facts that are gone after it, by a place of each.
    pub(super) gone: Places,
    /// The facts that are there after it.
    pub(super) come: Places,
    /// The table that it puts aside.
    pub(super) aside: Option<Aside>,
    /// Whether it gives a table or a column another name.
    #[serde(default)]
    pub(super) is_rename: bool,
}

/// A table that is put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Aside {
    /// Its name.
    pub(super) table: String,
    /// The name under which it is put aside.
    pub(super) under: String,
    /// How many rows it must hold.
    pub(super) rows: u64,
    /// The digest of them.
    pub(super) digest: String,
}

/// A table that is put aside before the rows, and made anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anew {
    /// What it must hold before the run.
    pub(super) before: Aside,
    /// What it must hold when the rows have changed.
    pub(super) after: Aside,
}

impl Step {
    /// All rows, in one transaction.
    pub(super) fn rows() -> Step {
        Step::default()
    }

    /// Whether it is the rows.
    pub(super) fn is_rows(&self) -> bool {
        self.statement.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFact {
    kind: String,
    schema: String,
    name: String,
    part: String,
    attributes: BTreeMap<String, StoredAttribute>,
    depends_on: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum StoredAttribute {
    Flag,
    Number(i64),
    Text(String),
    List(Vec<String>),
}

impl StoredFact {
    fn of(fact: &Fact) -> StoredFact {
        let attribute = |attribute: &Attribute| match attribute {
            Attribute::Flag => StoredAttribute::Flag,
            Attribute::Number(number) => StoredAttribute::Number(*number),
            Attribute::Text(text) => StoredAttribute::Text(text.clone()),
            Attribute::List(list) => StoredAttribute::List(list.clone()),
        };
        let name = |object: &ObjectName| (object.schema.clone(), object.name.clone());
        StoredFact {
            kind: fact.id.kind.as_str().to_owned(),
            schema: fact.id.object.schema.clone(),
            name: fact.id.object.name.clone(),
            part: fact.id.part.clone(),
            attributes: fact.attributes.iter().map(|(n, a)| (n.clone(), attribute(a))).collect(),
            depends_on: fact.depends_on.iter().map(name).collect(),
        }
    }

    fn id(&self) -> Option<FactId> {
        let kind = ObjectKind::from_name(&self.kind)?;
        let object = ObjectName { schema: self.schema.clone(), name: self.name.clone() };
        Some(FactId { kind, object, part: self.part.clone() })
    }

    fn fact(&self) -> Option<Fact> {
        let attribute = |attribute: &StoredAttribute| match attribute {
            StoredAttribute::Flag => Attribute::Flag,
            StoredAttribute::Number(number) => Attribute::Number(*number),
            StoredAttribute::Text(text) => Attribute::Text(text.clone()),
            StoredAttribute::List(list) => Attribute::List(list.clone()),
        };
        let names = self.depends_on.iter();
        Some(Fact {
            id: self.id()?,
            attributes: self.attributes.iter().map(|(n, a)| (n.clone(), attribute(a))).collect(),
            depends_on: names
                .map(|(schema, name)| ObjectName { schema: schema.clone(), name: name.clone() })
                .collect(),
        })
    }
}

/// Gives facts their places.
#[derive(Default)]
pub(super) struct Pool {
    facts: Vec<Fact>,
    places: BTreeMap<FactId, Vec<usize>>,
}

impl Pool {
    fn place(&mut self, fact: &Fact) -> usize {
        let known = self.places.entry(fact.id.clone()).or_default();
        if let Some(place) = known.iter().find(|place| self.facts[**place] == *fact) {
            return *place;
        }
        known.push(self.facts.len());
        self.facts.push(fact.clone());
        self.facts.len() - 1
    }

    /// The places of a schema.
    pub(super) fn places(&mut self, facts: &[Fact]) -> Places {
        facts.iter().map(|fact| self.place(fact)).collect()
    }

    /// What differs between two schemas, as a step says it: what is gone, and what has come.
    pub(super) fn difference(&mut self, before: &[Fact], after: &[Fact]) -> (Places, Places) {
        let ids: BTreeMap<&FactId, &Fact> = after.iter().map(|fact| (&fact.id, fact)).collect();
        let was: BTreeMap<&FactId, &Fact> = before.iter().map(|fact| (&fact.id, fact)).collect();
        let gone: Vec<&Fact> = before.iter().filter(|fact| !ids.contains_key(&fact.id)).collect();
        let come: Vec<&Fact> =
            after.iter().filter(|fact| was.get(&fact.id) != Some(fact)).collect();
        let gone = gone.into_iter().map(|fact| self.place(fact)).collect();
        let come = come.into_iter().map(|fact| self.place(fact)).collect();
        (gone, come)
    }

    /// The facts that a course knows already keep their places.
    pub(super) fn of(course: &Course) -> Option<Pool> {
        let mut pool = Pool::default();
        for stored in &course.facts {
            let fact = stored.fact()?;
            pool.places.entry(fact.id.clone()).or_default().push(pool.facts.len());
            pool.facts.push(fact);
        }
        Some(pool)
    }

    /// Puts all facts into a course.
    pub(super) fn into_course(self, course: &mut Course) {
        course.facts = self.facts.iter().map(StoredFact::of).collect();
    }
}

impl Course {
    /// The text for the journal.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a course is plain JSON")
    }

    /// The course that a journal holds; `None` where it is not one of this program.
    pub(super) fn from_text(text: &str) -> Option<Course> {
        let course: Course = serde_json::from_str(text).ok()?;
        course.is_whole().then_some(course)
    }

    fn is_whole(&self) -> bool {
        let steps = self.steps.iter().chain(&self.tail);
        let ends = [&self.start, &self.end, &self.turn, &self.from];
        let mut places = steps.flat_map(|s| [&s.gone, &s.come]).chain(ends).flatten();
        places.all(|place| *place < self.facts.len())
            && self.facts.iter().all(|fact| fact.id().is_some())
    }

    /// The facts at these places, sorted by id.
    pub(super) fn facts(&self, places: &[usize]) -> Vec<Fact> {
        let mut facts: Vec<Fact> =
            places.iter().filter_map(|place| self.facts.get(*place)?.fact()).collect();
        facts.sort_by(|a, b| a.id.cmp(&b.id));
        facts
    }

    /// The last step among these that gives something another name.
    pub(super) fn last_rename(&self, among: Range<usize>) -> Option<usize> {
        let Range { start, end } = among;
        (start..end.min(self.steps.len())).rev().find(|at| self.steps[*at].is_rename)
    }

    /// The name that a step changes, which does so.
    pub(super) fn rename_at(&self, at: usize) -> Option<Rename> {
        let (before, step) = (self.schema_after(at), self.steps.get(at)?);
        let ids = |places: &'_ Places, kind: ObjectKind| -> Vec<FactId> {
            let ids = places.iter().filter_map(|place| self.facts.get(*place)?.id());
            ids.filter(|id| id.kind == kind).collect()
        };
        let changed = |kind: ObjectKind| {
            let old = ids(&step.gone, kind).into_iter().next()?;
            let mut come = ids(&step.come, kind).into_iter();
            Some((old, come.find(|id| !before.contains_key(id))?))
        };
        if let Some((old, new)) = changed(ObjectKind::Table) {
            return Some(Rename { table: old.object, column: None, to: new.object.name });
        }
        let (old, new) = changed(ObjectKind::Column)?;
        Some(Rename { table: old.object, column: Some(old.part), to: new.part })
    }

    /// The facts at the end, by the names that they have while rows change.
    pub(super) fn end_by_names_of_rows(&self) -> Vec<Fact> {
        let behind = self.rows_at().map_or(self.steps.len(), |rows| rows + 1);
        let first = (behind..self.steps.len()).find(|at| self.steps[*at].is_rename);
        self.facts_after(first.unwrap_or(self.steps.len()))
    }

    /// The facts after so many steps, sorted by id.
    pub(super) fn facts_after(&self, steps: usize) -> Vec<Fact> {
        self.facts(&self.schema_after(steps).into_values().collect::<Vec<_>>())
    }

    fn schema_after(&self, steps: usize) -> BTreeMap<FactId, usize> {
        let by_id = |place: &usize| Some((self.facts.get(*place)?.id()?, *place));
        let mut schema: BTreeMap<FactId, usize> = self.from.iter().filter_map(by_id).collect();
        for step in self.steps.iter().take(steps) {
            for (id, _) in step.gone.iter().filter_map(by_id) {
                schema.remove(&id);
            }
            schema.extend(step.come.iter().filter_map(by_id));
        }
        schema
    }

    /// The places, after so many steps, of the facts that have the ids of these.
    pub(super) fn places_of(&self, steps: usize, like: &[usize]) -> Places {
        let id = |place: &usize| self.facts.get(*place)?.id();
        let wanted: BTreeSet<FactId> = like.iter().filter_map(id).collect();
        let before = self.schema_after(steps);
        before.into_iter().filter(|(id, _)| wanted.contains(id)).map(|(_, place)| place).collect()
    }

    /// What the facts after so many steps say, as digests.
    pub(super) fn digests_after(&self, steps: usize, hasher: &Hasher) -> Digests {
        fingerprint::digests(&self.facts_after(steps), hasher)
    }

    /// Whether a table is made anew before the rows.
    pub(super) fn is_anew(&self, table: &ObjectName) -> bool {
        let name = table.to_string();
        self.anew.iter().any(|anew| anew.before.table == name)
    }

    /// Where the rows change, among the steps.
    pub(super) fn rows_at(&self) -> Option<usize> {
        self.steps.iter().position(Step::is_rows)
    }

    /// Remembers by what rows are found.
    pub(super) fn remember_keys(&mut self, tables: &[TableSpec]) {
        let keyed = tables.iter().filter_map(|table| match &table.key {
            RowKey::Columns { columns, .. } => {
                let columns = columns.iter();
                let columns = columns.map(|c| (c.name.clone(), matching_name(c.matching).into()));
                Some((table.name.to_string(), columns.collect()))
            }
            RowKey::RowHash => None,
        });
        self.keys = keyed.collect();
    }

    /// These tables, their rows found by what they were found by before the run, as far as they
    /// were there, whatever their names were then.
    pub(super) fn keyed(&self, tables: &[TableSpec], names: &Names) -> Vec<TableSpec> {
        let keys: BTreeMap<&str, &Vec<(String, String)>> =
            self.keys.iter().map(|(table, key)| (table.as_str(), key)).collect();
        let was_there: BTreeSet<String> = self
            .facts(&self.start)
            .iter()
            .filter(|fact| fact.id.kind == ObjectKind::Table)
            .map(|fact| fact.id.object.to_string())
            .collect();
        let keyed = tables.iter().map(|table| {
            let mut table = table.clone();
            let called = [table.clone(), names.before(&table), names.after(&table)];
            // The place of a column is the same by all names.
            let place = |name: &String| called.iter().find_map(|table| table.place(name));
            let known = called.iter().find_map(|table| keys.get(table.name.to_string().as_str()));
            match known {
                Some(key) => {
                    let columns: Option<Vec<KeyColumn>> = key
                        .iter()
                        .map(|(name, matching)| {
                            let name = table.columns[place(name)?].name.clone();
                            Some(KeyColumn { name, matching: matching_of(matching) })
                        })
                        .collect();
                    if let Some(columns) = columns
                        && !columns.iter().map(|key| key.name.as_str()).eq(table.key.column_names())
                    {
                        let source = RowKeySource::Configured;
                        table.key = RowKey::Columns { columns, source, may_be_null: false };
                        table.reads_in_key_order = false;
                    }
                }
                None if called.iter().any(|table| was_there.contains(&table.name.to_string())) => {
                    table.key = RowKey::RowHash;
                    table.reads_in_key_order = false;
                }
                None => {}
            }
            table
        });
        keyed.collect()
    }
}

fn matching_name(matching: KeyMatching) -> &'static str {
    match matching {
        KeyMatching::Binary => "binary",
        KeyMatching::AsciiNoCase => "ascii-no-case",
        KeyMatching::TrailingSpaces => "trailing-spaces",
        KeyMatching::Unknown => "unknown",
    }
}

fn matching_of(name: &str) -> KeyMatching {
    match name {
        "binary" => KeyMatching::Binary,
        "ascii-no-case" => KeyMatching::AsciiNoCase,
        "trailing-spaces" => KeyMatching::TrailingSpaces,
        _ => KeyMatching::Unknown,
    }
}
