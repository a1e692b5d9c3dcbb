//! Tables that are put aside with all their rows and made anew, where every statement commits.
//!
//! A column that rows are found by and whose type becomes another in kind has no type in between that
//! holds the values of both; and what has a key on one side only can be found on that side only. Where
//! every row of such a table is replaced anyway, the table is put aside as one that goes, another is made
//! under its name, and the rows fill that. What it held is there until the end.

use std::collections::BTreeSet;

use super::{SchemaInput, drop_orphans};
use crate::engine::ddl::{Ddl, Schema};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// Finds the tables that are made anew.
pub(super) fn find(
    ddl: &dyn Ddl,
    from: &Schema<'_>,
    to: &Schema<'_>,
    input: &SchemaInput<'_>,
) -> BTreeSet<ObjectName> {
    let mut tables: BTreeSet<ObjectName> = ddl.made_anew(from, to).into_iter().collect();
    let stays = from.of_kind(ObjectKind::Table).filter(|table| to.get(&table.id).is_some());
    let rekeyed = stays.map(|table| &table.id.object).filter(|table| {
        ddl.dropped_for_good(table).is_some() && (input.is_rekeyed)(&table.to_string())
    });
    tables.extend(rekeyed.cloned());
    tables.retain(|table| (input.may_be_anew)(&table.to_string()));
    tables
}

/// A schema without these tables, in two steps: first without what would hold them (foreign keys from
/// and to them, views, what keeps a name), then without the tables themselves.
pub fn emptied(
    ddl: &dyn Ddl,
    facts: &[Fact],
    tables: &BTreeSet<ObjectName>,
) -> (Vec<Fact>, Vec<Fact>) {
    let (mut freed, mut emptied) = (facts.to_vec(), facts.to_vec());
    if tables.is_empty() {
        return (freed, emptied);
    }
    let from = Schema::new(facts);
    let is_table =
        |fact: &Fact| fact.id.kind == ObjectKind::Table && tables.contains(&fact.id.object);
    emptied.retain(|fact| !is_table(fact));
    drop_orphans(ddl, &mut emptied, &from, &from);
    let left: BTreeSet<FactId> = emptied.iter().map(|fact| fact.id.clone()).collect();
    let mut held: BTreeSet<FactId> = from
        .facts()
        .filter(|fact| !left.contains(&fact.id) && ddl.keeps_its_name(fact))
        .map(|fact| fact.id.clone())
        .collect();
    // Whatever else needs them, through as many steps as it takes.
    loop {
        let needs = |fact: &&Fact| {
            let is_missing =
                |id: &FactId| held.contains(id) || (from.get(id).is_some() && !left.contains(id));
            left.contains(&fact.id)
                && !held.contains(&fact.id)
                && ddl.requires(fact, &from).iter().any(is_missing)
        };
        let more: Vec<FactId> = from.facts().filter(needs).map(|fact| fact.id.clone()).collect();
        if more.is_empty() {
            break;
        }
        held.extend(more);
    }
    for facts in [&mut freed, &mut emptied] {
        facts.retain(|fact| !held.contains(&fact.id));
        drop_orphans(ddl, facts, &from, &from);
    }
    (freed, emptied)
}
