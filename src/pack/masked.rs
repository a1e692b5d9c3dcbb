//! What a pack cannot do to tables with masked columns, whose values nobody here knows.
//!
//! The values stay in the database, and no statement of a pack names their columns. So whatever
//! would take a row or a column away and bring it back later, here or on the way back, is refused:
//! it would come back without them. New rows do without them, where the table takes that.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::damaged;
use super::error::{PackError, Refusal};
use super::manifest::Hazard;
use super::request::{ChangedTable, Request};
use super::schema::{SchemaPlan, SchemaVerb};
use super::shape::Shape;
use super::spool::{Spool, Verb};
use crate::engine::ddl::text;
use crate::engine::{is_optional, masked_columns};
use crate::model::{Fact, FactId, ObjectKind};

const BY_HAND: &str = "make this change by hand, and take both snapshots again";

/// The masked columns of a pack's tables, before or after it.
pub(super) struct Masked<'f> {
    /// By table.
    columns: BTreeMap<String, Vec<&'f Fact>>,
}

impl<'f> Masked<'f> {
    /// Those of a schema under the pack's scope.
    fn of(request: &Request<'_>, facts: impl Iterator<Item = &'f Fact> + Clone) -> Masked<'f> {
        let mut columns: BTreeMap<String, Vec<&Fact>> = BTreeMap::new();
        for fact in masked_columns(&request.before.scope, facts) {
            columns.entry(fact.id.object.to_string()).or_default().push(fact);
        }
        Masked { columns }
    }

    fn list(&self, table: &str) -> String {
        let columns = self.columns.get(table).map_or(&[][..], Vec::as_slice);
        let names: Vec<&str> = columns.iter().map(|fact| fact.id.part.as_str()).collect();
        match names.as_slice() {
            [name] => format!("masked column {name}"),
            names => format!("masked columns {}", names.join(", ")),
        }
    }
}

/// The tables that have masked columns, before or after.
pub(super) fn tables(request: &Request<'_>) -> BTreeSet<String> {
    let both = request.before.facts.iter().chain(&request.after.facts);
    let own = Masked::of(request, both).columns.into_keys();
    let earlier = Masked::of(request, request.facts_before().iter()).columns.into_keys();
    own.chain(earlier).collect()
}

/// What of a pack would lose masked values, or cannot do without them.
pub(super) fn refusals(
    request: &Request<'_>,
    changed: &[ChangedTable],
    plan: &SchemaPlan,
    spool: &Spool,
) -> Result<Vec<Refusal>, PackError> {
    if request.before.scope.masks.is_empty() {
        return Ok(Vec::new());
    }
    let before = Masked::of(request, request.before.facts.iter());
    let after = Masked::of(request, plan.facts_after.iter());
    let mut refusals = renamed(request);
    refusals.extend(schema(&before, &after, plan));
    for table in changed {
        refusals.extend(rows(request, table, &before, &after, spool)?);
    }
    Ok(refusals)
}

/// A mask goes by the names that a table and its columns have.
fn renamed(request: &Request<'_>) -> Vec<Refusal> {
    let Some(base) = request.base else { return Vec::new() };
    let masked = tables(request);
    let is_masked = |name: &str| masked.contains(name);
    let mut refusals = Vec::new();
    for line in base.lines() {
        let new = match &line.column {
            Some(_) => line.table.clone(),
            None => match line.table.rsplit_once('.') {
                Some((schema, _)) if !line.to.contains('.') => format!("{schema}.{}", line.to),
                _ => line.to.clone(),
            },
        };
        if is_masked(&line.table) || is_masked(&new) {
            let reason =
                "it is renamed, or a column of it, and has masked columns: masks go by names";
            refusals.push(Refusal::new(&line.table, reason, BY_HAND));
        }
    }
    refusals
}

fn schema(before: &Masked<'_>, after: &Masked<'_>, plan: &SchemaPlan) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let drops = plan.steps().flat_map(|step| step.deeds_of(SchemaVerb::Drop, ObjectKind::Table));
    let dropped: BTreeSet<String> = drops.map(|deed| deed.id.object.to_string()).collect();
    for table in before.columns.keys() {
        let what = if plan.anew.contains(table) {
            "is made anew"
        } else if dropped.contains(table) {
            "is dropped"
        } else {
            continue;
        };
        let lost = before.list(table);
        let reason = format!("it {what}, and nothing could bring back the values of its {lost}");
        refusals.push(Refusal::new(table, reason, BY_HAND));
    }
    let facts: BTreeMap<&FactId, &Fact> =
        plan.facts_after.iter().map(|fact| (&fact.id, fact)).collect();
    for (table, columns) in &before.columns {
        let is_told = plan.anew.contains(table) || dropped.contains(table);
        for fact in columns.iter().filter(|_| !is_told) {
            let what = match facts.get(&fact.id) {
                None => "dropped",
                Some(later) if !holds_the_same(fact, later) => "changed",
                Some(_) => continue,
            };
            let reason = format!("it is {what}, and its values are masked: nobody here knows them");
            refusals.push(Refusal::new(&fact.id, reason, BY_HAND));
        }
    }
    // A column that was there and not masked has its values in the snapshot.
    for (table, columns) in &after.columns {
        let had = before.columns.get(table).map_or(&[][..], Vec::as_slice);
        let is_new = |fact: &&&Fact| !had.iter().any(|other| other.id == fact.id);
        let is_added = !had.is_empty() && columns.iter().any(|fact| is_new(&fact));
        let needs = columns.iter().find(|fact| is_new(fact) && !is_optional(fact));
        if let Some(fact) = needs.filter(|_| is_added) {
            let reason =
                "it is added, must not be NULL and has no default, and its values are masked";
            refusals.push(Refusal::new(&fact.id, reason, BY_HAND));
        }
    }
    refusals
}

/// Whether a column keeps whatever it holds: it may stand elsewhere, and say otherwise what new rows
/// get.
fn holds_the_same(before: &Fact, after: &Fact) -> bool {
    const HARMLESS: [&str; 4] = ["after", "comment", "default", "no-default"];
    let kept = |fact: &Fact| {
        let mut attributes = fact.attributes.clone();
        attributes.retain(|name, _| !HARMLESS.contains(&name.as_str()));
        attributes
    };
    kept(before) == kept(after)
}

fn rows(
    request: &Request<'_>,
    table: &ChangedTable,
    before: &Masked<'_>,
    after: &Masked<'_>,
    spool: &Spool,
) -> Result<Vec<Refusal>, PackError> {
    let name = &table.name;
    let is_masked = before.columns.contains_key(name) || after.columns.contains_key(name);
    if !is_masked || table.runs.changes() == 0 {
        return Ok(Vec::new());
    }
    let mut refusals = Vec::new();
    if has_rows_without_key(spool, table)? {
        let side = if before.columns.contains_key(name) { before } else { after };
        let reason = format!(
            "rows without a key change, and could not be told apart without their {}",
            side.list(name)
        );
        refusals.push(Refusal::new(name, reason, "name a row key in [keys]"));
        return Ok(refusals);
    }
    let deleted = table.runs.of(Verb::Delete).rows;
    let may_delete =
        || request.consent.missing_for_deletes(name, deleted, table.rows_before).is_empty();
    // A table that goes is told of as a whole.
    if deleted > 0 && table.after.is_some() && before.columns.contains_key(name) && may_delete() {
        let reason = format!(
            "{deleted} of its rows are deleted, and no rollback could bring back their {}",
            before.list(name)
        );
        let hint = format!("leave them there: --changes {name}=insert,update");
        refusals.push(Refusal::new(name, reason, hint));
    }
    let columns = || before.columns.get(name).into_iter().chain(after.columns.get(name)).flatten();
    let moving = columns().find(|fact| text(fact, "on-update").is_some());
    if let Some(fact) = moving.filter(|_| table.runs.of(Verb::Update).rows > 0) {
        let reason = "rows are updated, and the server gives this masked column another value then";
        let hint = format!("leave those rows as they are: --changes {name}=insert");
        refusals.push(Refusal::new(&fact.id, reason, hint));
    }
    let needed = after.columns.get(name).into_iter().flatten().find(|fact| !is_optional(fact));
    if let Some(fact) = needed.filter(|_| table.runs.of(Verb::Insert).rows > 0) {
        let reason =
            "rows are inserted, and this masked column must not be NULL and has no default";
        let hint = format!("give it a default, or leave the rows away: --changes {name}=update");
        refusals.push(Refusal::new(&fact.id, reason, hint));
    }
    Ok(refusals)
}

/// Whether a row comes or goes that is known only by all it holds.
fn has_rows_without_key(spool: &Spool, table: &ChangedTable) -> Result<bool, PackError> {
    let Some(shape) = Shape::new(table.before.as_ref(), table.after.as_ref()) else {
        return Ok(false);
    };
    for verb in [Verb::Insert, Verb::Delete] {
        for change in spool.read(table.runs.of(verb)) {
            let (_, change) = change.map_err(|error| damaged(shape.table(), error))?;
            let row = match verb {
                Verb::Delete => shape.row_before(&change),
                Verb::Insert | Verb::Update => shape.row_after(&change),
            };
            if shape.key_of(&row).is_none() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// That a row would leave its table for a while, and come back without its masked values.
pub(super) fn reinserted(table: &str) -> Refusal {
    let reason = "a row that changes would have to leave the table for a while, and would come back \
                  without the values of its masked columns";
    Refusal::new(table, reason, BY_HAND)
}

/// What to know of new rows and tables with masked columns.
pub(super) fn hazards(request: &Request<'_>, changed: &[ChangedTable]) -> Vec<Hazard> {
    let after = Masked::of(request, request.after.facts.iter());
    let mut hazards = Vec::new();
    for table in changed {
        let inserted = table.runs.of(Verb::Insert).rows;
        if inserted > 0 && after.columns.contains_key(&table.name) {
            hazards.push(Hazard {
                kind: "masked".to_owned(),
                object: table.name.clone(),
                text: format!(
                    "new rows get no value in the {} (NULL, or the default); the rollback removes \
                     them whatever was written there since",
                    after.list(&table.name)
                ),
                rows: inserted,
                bytes: 0,
            });
        }
    }
    hazards
}
