//! The steps by which names change, and those that take them back.
//!
//! What would not follow for sure is dropped first. It is made again as it shall be by what comes
//! behind; on the way back, as it was.

use super::fates::refusal;
use super::stage;
use super::step::{Deed, SchemaStep, SchemaVerb, class_of_drop, consent_name};
use super::{SchemaPlan, SchemaSide};
use crate::engine::ddl::{Ddl, Rename, Schema};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};
use crate::pack::consent::Consent;
use crate::pack::error::Refusal;
use crate::pack::renames::Base;

/// Puts the steps in front of a plan that begins where names have changed.
pub fn forth(
    ddl: &dyn Ddl,
    base: &Base,
    wanted: &[Fact],
    consent: &Consent,
    plan: &mut SchemaPlan,
) {
    plan.refusals.extend(unallowed(base, wanted, consent));
    let side = SchemaSide { facts: &base.facts, definitions: &base.definitions };
    let (from, to) = (side.described(), Schema::new(&base.freed));
    let freeing = stage::plan(ddl, &from, &to.described_like(&from));
    plan.refusals.extend(freeing.refusals);
    plan.opening = freeing.steps;
    let steps = steps(ddl, base, base.renames.all());
    extend(&mut plan.opening, steps, &mut plan.refusals);
}

/// Puts the steps that take names back behind a plan that ends where they have changed.
pub fn back(ddl: &dyn Ddl, base: &Base, plan: &mut SchemaPlan) {
    let steps = steps(ddl, base, base.renames.inverse());
    extend(&mut plan.closing, steps, &mut plan.refusals);
    let side = SchemaSide { facts: &base.facts, definitions: &base.definitions };
    let (from, to) = (Schema::new(&base.freed), side.described());
    let making = stage::plan(ddl, &from.described_like(&to), &to);
    plan.refusals.extend(making.refusals);
    plan.closing.extend(making.steps);
}

fn extend(
    steps: &mut Vec<SchemaStep>,
    new: Vec<Result<SchemaStep, Refusal>>,
    refusals: &mut Vec<Refusal>,
) {
    for step in new {
        match step {
            Ok(step) => steps.push(step),
            Err(refusal) => refusals.push(refusal),
        }
    }
}

/// The steps of renames on either way. A column that is dropped before gets its name when it is made.
fn steps(ddl: &dyn Ddl, base: &Base, renames: Vec<Rename>) -> Vec<Result<SchemaStep, Refusal>> {
    let schema = Schema::new(&base.freed);
    let is_there = |rename: &Rename| {
        let has = |name: &str| schema.part(ObjectKind::Column, &rename.table, name).is_some();
        rename.column.as_ref().is_none_or(|column| has(column) || has(&rename.to))
    };
    let renames = renames.into_iter().filter(is_there);
    renames.map(|rename| step(ddl, &rename, &schema)).collect()
}

fn step(ddl: &dyn Ddl, rename: &Rename, schema: &Schema<'_>) -> Result<SchemaStep, Refusal> {
    let id = id_of(&rename.table, rename.column.as_deref());
    let statement = ddl.rename(rename, schema).map_err(|reason| {
        let fact = Fact { id: id.clone(), attributes: Default::default(), depends_on: Vec::new() };
        refusal(&fact, reason)
    })?;
    let deeds = vec![Deed { verb: SchemaVerb::Rename, id }];
    Ok(SchemaStep { deeds, statement, hazards: ddl.rename_hazards(rename) })
}

fn id_of(table: &ObjectName, column: Option<&str>) -> FactId {
    let kind = if column.is_some() { ObjectKind::Column } else { ObjectKind::Table };
    FactId { kind, object: table.clone(), part: column.unwrap_or_default().to_owned() }
}

/// What would have to stay and cannot: it is not wanted, and may not be dropped.
fn unallowed(base: &Base, wanted: &[Fact], consent: &Consent) -> Vec<Refusal> {
    let wanted = Schema::new(wanted);
    let shed = base.shed.iter().filter(|(_, id)| wanted.get(id).is_none());
    shed.filter_map(|(fact, id)| {
        let class =
            class_of_drop(fact).filter(|class| !consent.allows(*class, &consent_name(id)))?;
        let reason = "it speaks of what gets another name, and is not in the wanted state";
        let hint = format!("{}, or leave the rename away", class.flag(&consent_name(id)));
        Some(Refusal::new(format!("{} {}", fact.id.kind, fact.id), reason, hint))
    })
    .collect()
}
