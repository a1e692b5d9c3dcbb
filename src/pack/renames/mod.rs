//! Names that a person says have changed: the state before, as it is by its new names.
//!
//! Everything is planned from there: facts, tables and the comparison go by the new names, and the
//! way there begins with the statements that make it so, as the way back ends with those that take
//! it back. A name is never guessed: it is in the first state alone, and the new one in the second
//! alone, or there is no pack. What a rename makes of a text and is not known for sure is dropped
//! before, and made again afterwards (`engine::ddl::Following`).

mod proposals;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use super::error::{PackError, Refusal};
use super::manifest::RenameLine;
use super::request::PackSide;
use crate::codec::state::StoredTable;
use crate::diff::{Comparison, SchemaChange, TableComparison, TableDefinition};
use crate::engine::ddl::{Ddl, Following, Rename, Renames, Schema, text};
use crate::model::{Attribute, Fact, FactId, KeyColumn, ObjectKind, ObjectName, RowKey, TableSpec};

pub use proposals::propose;
pub use words::resolve;

const HINT: &str =
    "leave the rename away, or make it by hand in the target and take a new snapshot";

/// The state before, by its new names.
#[derive(Debug)]
pub struct Renamed {
    /// The state. Its facts are those that there are when the names have changed.
    pub side: PackSide,
    /// What differs then.
    pub comparison: Comparison,
    /// The names, and what they are the names of.
    pub base: Base,
}

/// What there is before names change.
#[derive(Debug)]
pub struct Base {
    /// The names.
    pub renames: Renames,
    /// All facts.
    pub facts: Vec<Fact>,
    /// The texts of the objects.
    pub definitions: Vec<TableDefinition>,
    /// The facts that are there while names change.
    pub freed: Vec<Fact>,
    /// What is dropped before that, with the name that it has in the wanted state.
    pub shed: Vec<(Fact, FactId)>,
    /// The tables that are touched: by their new names, and as they are stored.
    pub tables: BTreeMap<ObjectName, (StoredTable, StoredTable)>,
}

impl Base {
    /// A table as it is stored, where it goes by other names here.
    pub fn stored<'a>(&'a self, table: &'a StoredTable) -> &'a StoredTable {
        match self.tables.get(&table.spec.name) {
            Some((called, stored)) if called == table => stored,
            _ => table,
        }
    }

    /// A table with the names that it has before, by its new name.
    pub fn spec(&self, name: &str) -> Option<&TableSpec> {
        let tables = self.tables.iter();
        let mut found = tables.filter(|(new, _)| new.to_string() == name);
        found.next().map(|(_, (_, stored))| &stored.spec)
    }

    /// The names, as the manifest holds them.
    pub fn lines(&self) -> Vec<RenameLine> {
        let line = |rename: Rename| RenameLine {
            table: rename.table.to_string(),
            column: rename.column,
            to: rename.to,
        };
        self.renames.all().into_iter().map(line).collect()
    }
}

/// Gives tables and columns of the state before their new names.
pub fn rename(
    before: PackSide,
    after: &PackSide,
    comparison: &Comparison,
    renames: Renames,
) -> Result<Renamed, PackError> {
    let ddl = before.enforcement()?.ddl(&before.source.server);
    let ddl = ddl.as_ref();
    let renames = renames.on(&before.source.server);
    let schema = Schema::new(&before.facts);
    let wanted = Schema::new(&after.facts);
    let mut refusals = keyless(&before.tables, &renames);
    let carried = Carried::of(ddl, &schema, &wanted, &renames, &mut refusals);
    if !refusals.is_empty() {
        return Err(PackError::Refused(refusals));
    }
    let shed: Vec<(Fact, FactId)> = carried
        .shed
        .iter()
        .filter_map(|id| Some((schema.get(id)?.clone(), renamed(schema.get(id)?, &renames).id)))
        .collect();
    let freed = before.facts.iter().filter(|fact| !carried.shed.contains(&fact.id)).cloned();
    let freed = ddl.mended(freed.collect(), &schema, &schema);
    let tables: BTreeMap<ObjectName, (StoredTable, StoredTable)> = before
        .tables
        .iter()
        .filter(|table| renames.touches(&table.spec.name))
        .map(|table| {
            let called = stored(table, &renames);
            (called.spec.name.clone(), (called, table.clone()))
        })
        .collect();
    let comparison = compared(comparison, &carried.facts, after, &renames, &tables);
    let mut side = PackSide {
        facts: carried.facts,
        definitions: definitions(&before.definitions, &renames),
        tables: before.tables.iter().map(|table| stored(table, &renames)).collect(),
        ..before.clone()
    };
    side.tables.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    for sequence in &mut side.sequences {
        sequence.name = renames.object(&sequence.name);
    }
    side.sequences.sort_by(|a, b| a.name.cmp(&b.name));
    let PackSide { facts, definitions, .. } = before;
    let base = Base { renames, facts, definitions, freed, shed, tables };
    Ok(Renamed { side, comparison, base })
}

/// The facts when names have changed.
struct Carried {
    facts: Vec<Fact>,
    /// What is dropped before.
    shed: BTreeSet<FactId>,
}

impl Carried {
    fn of(
        ddl: &dyn Ddl,
        schema: &Schema<'_>,
        wanted: &Schema<'_>,
        renames: &Renames,
        refusals: &mut Vec<Refusal>,
    ) -> Carried {
        let refuse = |fact: &Fact, reason: &str| {
            Refusal::new(format!("{} {}", fact.id.kind, fact.id), reason, HINT)
        };
        let mut new: BTreeMap<&FactId, Fact> = BTreeMap::new();
        let mut shed: BTreeSet<FactId> = BTreeSet::new();
        for fact in schema.facts() {
            match ddl.follows(fact, renames, schema, wanted) {
                Following::Follows(fact_then) => {
                    new.insert(&fact.id, fact_then);
                }
                Following::Remade => {
                    shed.insert(fact.id.clone());
                }
                Following::Refused(reason) => refusals.push(refuse(fact, &reason)),
            }
        }
        // Whatever belongs to what goes, or speaks of it, goes as well.
        let spoken: Vec<(&Fact, BTreeSet<FactId>)> = schema
            .facts()
            .map(|fact| {
                let mut ids: BTreeSet<FactId> = ddl.speaks_of(fact, schema).into_iter().collect();
                ids.extend(ddl.container(fact, schema));
                (fact, ids)
            })
            .collect();
        loop {
            let goes = |(fact, ids): &&(&Fact, BTreeSet<FactId>)| {
                !shed.contains(&fact.id) && ids.iter().any(|id| shed.contains(id))
            };
            let more: Vec<&Fact> = spoken.iter().filter(goes).map(|(fact, _)| *fact).collect();
            if more.is_empty() {
                break;
            }
            shed.extend(more.into_iter().map(|fact| fact.id.clone()));
        }
        for fact in schema.facts().filter(|fact| shed.contains(&fact.id)) {
            let has_values = fact.id.kind == ObjectKind::Table
                || (fact.id.kind == ObjectKind::Column && text(fact, "generated").is_none());
            if has_values {
                let reason = "it needs something that cannot stay while names change";
                refusals.push(refuse(fact, reason));
            }
            new.remove(&fact.id);
        }
        let mut facts: Vec<Fact> = new.into_values().collect();
        facts.sort_by(|a, b| a.id.cmp(&b.id));
        // What stood behind something that went stands behind what that stood behind.
        let gone = schema.facts().filter(|fact| shed.contains(&fact.id));
        let gone: Vec<Fact> = gone.map(|fact| renamed(fact, renames)).collect();
        let places = facts.clone();
        let places = Schema::new(places.iter().chain(&gone));
        Carried { facts: ddl.mended(facts, &places, &places), shed }
    }
}

/// A fact by the new names, as far as those are its identity and its place: what it says is not known.
fn renamed(fact: &Fact, renames: &Renames) -> Fact {
    let (mut new, id) = (fact.clone(), &fact.id);
    new.id.object = renames.object(&id.object);
    match id.kind {
        ObjectKind::Column => new.id.part = renames.column(&id.object, &id.part),
        // A check of a column is known by that.
        ObjectKind::Check if text(fact, "column").is_some() => {
            new.id.part = renames.column(&id.object, &id.part);
        }
        // A trigger's part is its table.
        ObjectKind::Trigger if !id.part.is_empty() => {
            let table = ObjectName { schema: id.object.schema.clone(), name: id.part.clone() };
            (new.id.object, new.id.part) = (id.object.clone(), renames.object(&table).name);
        }
        _ => {}
    }
    let place = new.attributes.get_mut("after").filter(|_| id.kind == ObjectKind::Column);
    if let Some(Attribute::Text(after)) = place {
        *after = renames.column(&id.object, after);
    }
    if id.kind == ObjectKind::Trigger
        && let (Some(Attribute::Text(name)), Some(table)) =
            (new.attributes.get_mut("table"), fact.table())
    {
        *name = renames.object(&table).name;
    }
    new
}

/// Rows without a key are known by all they hold, the names of their columns included.
fn keyless(tables: &[StoredTable], renames: &Renames) -> Vec<Refusal> {
    let is_keyless = |table: &&StoredTable| {
        table.spec.key == RowKey::RowHash && renames.columns_of(&table.spec.name).next().is_some()
    };
    let reason =
        "its rows have no key, so each of them would be another by the new name of a column";
    let refusals = tables.iter().filter(is_keyless);
    refusals.map(|table| Refusal::new(&table.spec.name, reason, HINT)).collect()
}

/// A table by its new names; its columns stay in their order.
pub fn called(table: &TableSpec, renames: &Renames) -> TableSpec {
    let column = |name: &String| renames.column(&table.name, name);
    let mut new = table.clone();
    new.name = renames.object(&table.name);
    new.columns.iter_mut().for_each(|c| c.name = column(&c.name));
    new.column_order.iter_mut().for_each(|name| *name = column(name));
    if let RowKey::Columns { columns, .. } = &mut new.key {
        let rename = |key: &mut KeyColumn| key.name = column(&key.name);
        columns.iter_mut().for_each(rename);
    }
    new
}

fn stored(table: &StoredTable, renames: &Renames) -> StoredTable {
    StoredTable { spec: called(&table.spec, renames), rows: table.rows }
}

/// The texts by the new names. One that would have to say another name is none.
fn definitions(all: &[TableDefinition], renames: &Renames) -> Vec<TableDefinition> {
    let called = |definition: &TableDefinition| {
        let TableDefinition { object, column_order, .. } = definition;
        if definition.kind != ObjectKind::Table || !renames.touches(object) {
            return definition.clone();
        }
        let column_order = column_order.iter().map(|name| renames.column(object, name));
        TableDefinition {
            object: renames.object(object),
            text: String::new(),
            column_order: column_order.collect(),
            kind: definition.kind,
        }
    };
    let mut definitions: Vec<TableDefinition> = all.iter().map(called).collect();
    definitions.sort_by(|a, b| (a.kind, &a.object).cmp(&(b.kind, &b.object)));
    definitions
}

/// What differs by the new names.
fn compared(
    comparison: &Comparison,
    facts: &[Fact],
    after: &PackSide,
    renames: &Renames,
    tables: &BTreeMap<ObjectName, (StoredTable, StoredTable)>,
) -> Comparison {
    // What one of the snapshots did not see was taken out of the comparison, and stays out.
    let was_compared: BTreeSet<&FactId> = comparison.schema.iter().map(|c| &c.id).collect();
    let (is, shall) = (Schema::new(facts), Schema::new(&after.facts));
    let ids: BTreeSet<&FactId> = facts.iter().chain(&after.facts).map(|fact| &fact.id).collect();
    let changes = ids.into_iter().filter_map(|id| {
        let (before, after) = (is.get(id), shall.get(id));
        let is_same = match (before, after) {
            (Some(before), Some(after)) => before.attributes == after.attributes,
            _ => false,
        };
        let is_of_table = tables.contains_key(&id.object);
        (!is_same && (was_compared.contains(id) || is_of_table)).then(|| SchemaChange {
            id: id.clone(),
            before: before.cloned(),
            after: after.cloned(),
        })
    });
    let schema = changes.collect();
    let is_touched =
        |table: &&TableComparison| renames.touches(&table.name) || tables.contains_key(&table.name);
    let mut compared: Vec<TableComparison> =
        comparison.tables.iter().filter(|table| !is_touched(table)).cloned().collect();
    for (name, (called, _)) in tables {
        let after = after.tables.iter().find(|table| table.spec.name == *name).cloned();
        let is_same = after.as_ref().is_some_and(|after| after == called);
        if !is_same {
            compared.push(TableComparison {
                name: name.clone(),
                before: Some(called.clone()),
                after,
                rows_differ: true,
                hash_only: (false, false),
            });
        }
    }
    compared.sort_by(|a, b| a.name.cmp(&b.name));
    Comparison { schema, tables: compared, incomplete: comparison.incomplete.clone() }
}
