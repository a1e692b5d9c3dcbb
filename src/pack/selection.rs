//! Which facts of a schema a pack of rows depends on, where it does not change the schema.
//!
//! Such a pack is made where the two schemas say the same of what rows depend on, for all tables or
//! for those that are named. Who owns what, who may do what and comments are no matter of rows, and
//! may differ.

use std::collections::BTreeSet;

use super::enforcement::Enforcement;
use super::error::Refusal;
use super::request::Request;
use crate::model::{Fact, ObjectKind};

/// How many differences are named.
const NAMED: usize = 20;

/// The facts of the schema that a pack vouches for: all where it changes the schema (`is_whole`),
/// else those that rows depend on. `tables` are the tables it is for; all where there are none.
pub fn vouched(
    enforcement: Enforcement,
    facts: &[Fact],
    tables: &[String],
    is_whole: bool,
) -> Vec<Fact> {
    if is_whole {
        return facts.to_vec();
    }
    let tables: BTreeSet<&str> = tables.iter().map(String::as_str).collect();
    facts.iter().filter(|fact| concerns(enforcement, fact, &tables)).cloned().collect()
}

fn concerns(enforcement: Enforcement, fact: &Fact, tables: &BTreeSet<&str>) -> bool {
    if !fact.id.kind.concerns_rows() {
        return false;
    }
    if tables.is_empty() {
        return true;
    }
    let is_named = |name: &str| tables.contains(name);
    let by_table = enforcement.table_of(fact).to_string();
    match fact.id.kind {
        // Of its own table, and of the one it refers to.
        ObjectKind::ForeignKey => is_named(&fact.id.object.to_string()) || is_named(&by_table),
        ObjectKind::Table
        | ObjectKind::Column
        | ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::Check
        | ObjectKind::Rule
        | ObjectKind::Policy => is_named(&fact.id.object.to_string()),
        ObjectKind::Index | ObjectKind::Trigger | ObjectKind::Partition => {
            is_named(&by_table) || is_named(&fact.id.object.to_string())
        }
        _ => false,
    }
}

/// What differs between the two schemas and is no matter of the pack.
pub fn is_ignored(request: &Request<'_>, enforcement: Enforcement) -> bool {
    !request.changes_schema(enforcement)
        && (!request.comparison.schema.is_empty()
            || request.comparison.tables.iter().any(|t| !request.is_for(&t.name.to_string())))
}

/// Why no pack of rows can be made between two schemas that differ.
pub(super) fn refusals(request: &Request<'_>, enforcement: Enforcement) -> Vec<Refusal> {
    let tables: BTreeSet<&str> = request.tables.iter().map(String::as_str).collect();
    let mut refusals: Vec<Refusal> = request
        .tables
        .iter()
        .filter(|name| !request.before.tables.iter().any(|t| t.spec.name.to_string() == **name))
        .map(|name| {
            let hint = "names are written as `deepdiff-db ls` prints them";
            Refusal::new(name, "the first snapshot has no such table", hint)
        })
        .collect();
    let differing = request.comparison.schema.iter().filter(|change| {
        let sides = [&change.before, &change.after];
        sides.into_iter().flatten().any(|fact| concerns(enforcement, fact, &tables))
    });
    refusals.extend(differing.map(|change| {
        let what = match (&change.before, &change.after) {
            (None, _) => "is new",
            (_, None) => "is gone",
            _ => "is different",
        };
        let kind = change.id.kind.as_str();
        let reason = format!("the schemas differ: this {kind} {what}");
        let hint = "bring the schemas in line first, or name the tables whose rows shall change, \
                    and whose schema is the same, with --tables";
        Refusal::new(&change.id, reason, hint)
    }));
    let hidden = refusals.len().saturating_sub(NAMED);
    refusals.truncate(NAMED);
    if hidden > 0 {
        let reason = format!("{hidden} more differences of the schemas");
        refusals.push(Refusal::new("schema", reason, "`deepdiff-db diff` shows them all"));
    }
    refusals
}
