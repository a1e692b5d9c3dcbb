//! From one schema to another: what runs before the rows change and what after them, in which
//! order, what is left out, and what cannot be done.
//!
//! Facts go in, steps come out, without a server. What is not allowed is taken out of the wanted
//! schema first (`gate`); what is left is reached in two stages, with the facts between them as the
//! rows find them (`stage`); within a stage an order is found by what facts need of each other
//! (`arrange`). Before them, what would hold rows that have to leave their table is dropped
//! (`leaving`). Every fact that differs is brought about by exactly one step, or named in a
//! refusal.

mod arrange;
mod circles;
mod fates;
mod gate;
mod leaving;
mod names;
mod stage;
mod step;

use std::collections::{BTreeMap, BTreeSet};

pub use names::{back, forth};
pub use step::{Deed, SchemaLeftOut, SchemaStep, SchemaVerb};

use super::consent::Consent;
use super::error::Refusal;
use crate::diff::TableDefinition;
use crate::engine::ddl::{Ddl, Schema};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// What happens to the schema.
#[derive(Debug, Default)]
pub struct SchemaPlan {
    /// What runs before everything else: names change.
    pub opening: Vec<SchemaStep>,
    /// What runs when all has run: names change back.
    pub closing: Vec<SchemaStep>,
    /// The tables whose rows that change are out of them while their columns become others: they
    /// leave before `before_rows`, and come back after it.
    pub leaving: BTreeSet<String>,
    /// What runs before those leave.
    pub before_leaving: Vec<SchemaStep>,
    /// What runs before the rows, in order.
    pub before_rows: Vec<SchemaStep>,
    /// What runs after the rows, in order.
    pub after_rows: Vec<SchemaStep>,
    /// What does not run.
    pub left_out: Vec<SchemaLeftOut>,
    /// What cannot be done at all.
    pub refusals: Vec<Refusal>,
    /// The facts while rows change.
    pub facts_for_rows: Vec<Fact>,
    /// The facts when the pack has run.
    pub facts_after: Vec<Fact>,
    /// Whether dropping tables needs foreign keys checked at the end.
    pub is_deferred: bool,
}

impl SchemaPlan {
    /// Nothing of the schema changes.
    pub fn unchanged(facts: &[Fact]) -> SchemaPlan {
        SchemaPlan {
            facts_for_rows: facts.to_vec(),
            facts_after: facts.to_vec(),
            ..SchemaPlan::default()
        }
    }

    /// All steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = &SchemaStep> {
        let own = self.before_leaving.iter().chain(&self.before_rows).chain(&self.after_rows);
        self.opening.iter().chain(own).chain(&self.closing)
    }

    /// The tables that are built anew around their rows.
    pub fn rebuilt(&self) -> BTreeSet<String> {
        self.steps().filter_map(SchemaStep::rebuilt_table).collect()
    }
}

/// One side's schema.
#[derive(Debug, Clone, Copy)]
pub struct SchemaSide<'a> {
    /// Its facts, sorted by id.
    pub facts: &'a [Fact],
    /// The texts of its objects.
    pub definitions: &'a [TableDefinition],
}

impl<'a> SchemaSide<'a> {
    fn described(&self) -> Schema<'a> {
        let mut schema = Schema::new(self.facts);
        self.describe(&mut schema);
        schema
    }

    fn describe(&self, schema: &mut Schema<'a>) {
        for definition in self.definitions {
            schema.define(definition.kind, &definition.object, &definition.text);
            if !definition.column_order.is_empty() {
                schema.order_columns(&definition.object, &definition.column_order);
            }
        }
    }
}

/// Everything the planning of the schema looks at.
pub struct SchemaInput<'a> {
    /// The schema as it is.
    pub before: SchemaSide<'a>,
    /// The schema as it should be.
    pub after: SchemaSide<'a>,
    /// What may be dropped.
    pub consent: &'a Consent,
    /// The tables of `before`, and whether they have rows.
    pub tables: &'a [(ObjectName, bool)],
    /// Whether rows of a table stay that the wanted state does not have.
    pub keeps_rows: &'a dyn Fn(&str) -> bool,
    /// Whether rows of a table stay because their deletion is not allowed, and hold something else in
    /// a column than its default.
    pub keeps_values: &'a dyn Fn(&str, &str) -> bool,
    /// Whether a table lacks rows that the wanted state has, because a strategy keeps them away.
    pub lacks_rows: &'a dyn Fn(&str) -> bool,
    /// Whether a table stays because a strategy keeps its rows.
    pub keeps_table: &'a dyn Fn(&str) -> bool,
    /// Whether rows of a table change, and all of those may leave it for a while.
    pub may_leave: &'a dyn Fn(&str) -> bool,
    /// Whether rows of a table cannot be told apart while it changes.
    pub loses_sight: &'a dyn Fn(&str) -> bool,
}

/// Plans the schema.
pub fn plan(ddl: &dyn Ddl, input: &SchemaInput<'_>) -> SchemaPlan {
    let mut from = input.before.described();
    for (table, has_rows) in input.tables {
        from.count_rows(table, *has_rows);
    }
    let wanted = input.after.described();
    let gated = gate::open(ddl, &from, &wanted, input);
    let mut plan = SchemaPlan { left_out: gated.left_out, ..SchemaPlan::default() };
    let mut to = Schema::new(&gated.facts).described_like(&from);
    input.after.describe(&mut to);
    let leaving = leaving::find(ddl, &from, &to, input);
    let mut settled = between(ddl, &from, &to);
    settled.retain(|fact| !leaving.holding.contains(&fact.id));
    drop_orphans(ddl, &mut settled, &from, &to);
    let mut freed = input.before.facts.to_vec();
    freed.retain(|fact| !leaving.holding.contains(&fact.id));
    drop_orphans(ddl, &mut freed, &from, &from);
    let freed = Schema::new(&freed).described_like(&from);
    let freeing = stage::plan(ddl, &from, &freed);
    plan.refusals.extend(freeing.refusals);
    plan.before_leaving = freeing.steps;
    plan.leaving = leaving.tables;
    // What a first stage has to drop, and may be made later, is made later.
    loop {
        let during = Schema::new(&settled).described_like(&to);
        let first = stage::plan(ddl, &freed, &during);
        let late: BTreeSet<FactId> = first
            .remade
            .iter()
            .filter(|id| during.get(id).is_some_and(|fact| ddl.can_wait(fact)))
            .cloned()
            .collect();
        if late.is_empty() {
            let second = stage::plan(ddl, &during, &to);
            plan.refusals.extend(first.refusals);
            plan.refusals.extend(second.refusals);
            plan.is_deferred = first.is_deferred || second.is_deferred;
            plan.before_rows = first.steps;
            plan.after_rows = second.steps;
            break;
        }
        settled.retain(|fact| !late.contains(&fact.id));
        drop_orphans(ddl, &mut settled, &from, &to);
    }
    plan.facts_for_rows = settled;
    plan.facts_after = gated.facts;
    plan
}

/// The steps from one set of facts straight to another, no rows between; or what speaks against it.
pub fn straight(
    ddl: &dyn Ddl,
    from: &[Fact],
    to: &[Fact],
) -> Result<Vec<SchemaStep>, Vec<Refusal>> {
    let planned = stage::plan(ddl, &Schema::new(from), &Schema::new(to));
    match planned.refusals.is_empty() {
        true => Ok(planned.steps),
        false => Err(planned.refusals),
    }
}

/// The facts between the stages, sorted by id.
fn between(ddl: &dyn Ddl, from: &Schema<'_>, to: &Schema<'_>) -> Vec<Fact> {
    let mut facts: BTreeMap<&FactId, Fact> = BTreeMap::new();
    let ids: BTreeSet<&FactId> = from.facts().chain(to.facts()).map(|fact| &fact.id).collect();
    for id in ids {
        let (before, after) = (from.get(id), to.get(id));
        let middle = match (before, after) {
            (Some(before), Some(after)) if before.attributes == after.attributes => {
                Some(after.clone())
            }
            _ => ddl.midway(before, after, from, to),
        };
        if let Some(fact) = middle {
            facts.insert(id, fact);
        }
    }
    let mut facts: Vec<Fact> = facts.into_values().collect();
    drop_orphans(ddl, &mut facts, from, to);
    facts
}

/// Whether facts of this kind name the columns that they are about, and no others.
fn is_of_columns(kind: ObjectKind) -> bool {
    kind.is_constraint() || matches!(kind, ObjectKind::Index | ObjectKind::Statistics)
}

/// What belongs to each fact, directly.
fn contents<'a>(ddl: &dyn Ddl, schema: &Schema<'a>) -> BTreeMap<FactId, Vec<&'a Fact>> {
    let mut contents: BTreeMap<FactId, Vec<&'a Fact>> = BTreeMap::new();
    for fact in schema.facts() {
        if let Some(container) = ddl.container(fact, schema) {
            contents.entry(container).or_default().push(fact);
        }
    }
    contents
}

/// What belongs to something that is not there in between is not there either; nor is a key or a
/// check of a column that is not.
pub(super) fn drop_orphans(
    ddl: &dyn Ddl,
    facts: &mut Vec<Fact>,
    from: &Schema<'_>,
    to: &Schema<'_>,
) {
    loop {
        let schema = Schema::new(facts.iter());
        let is_missing = |id: &FactId| {
            (from.get(id).is_some() || to.get(id).is_some()) && schema.get(id).is_none()
        };
        let is_orphan = |fact: &Fact| {
            let container = ddl.container(fact, to).or_else(|| ddl.container(fact, from));
            container.as_ref().is_some_and(is_missing)
                || (is_of_columns(fact.id.kind)
                    && ddl.can_wait(fact)
                    && ddl
                        .requires(fact, from)
                        .iter()
                        .any(|id| id.kind == ObjectKind::Column && is_missing(id)))
        };
        let orphans: BTreeSet<FactId> =
            schema.facts().filter(|fact| is_orphan(fact)).map(|fact| fact.id.clone()).collect();
        if orphans.is_empty() {
            return;
        }
        facts.retain(|fact| !orphans.contains(&fact.id));
    }
}
