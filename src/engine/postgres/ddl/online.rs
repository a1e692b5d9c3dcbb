//! What can be brought about beside everybody's work, when the transaction of a pack has ended: an
//! index is made CONCURRENTLY, a constraint stands NOT VALID and is validated later.
//!
//! Only of plain tables: the server does neither to a partitioned one, and what tables inherit from
//! each other goes to all of them at once.

use super::{review, structure, tables};
use crate::engine::ddl::{FactChange, Postponed, Schema, Statement, StepHazard, flag, text};
use crate::model::{Attribute, Fact, ObjectKind, ObjectName};

/// What of a wanted fact can wait.
pub(super) fn postponed(fact: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Option<Postponed> {
    let is_plain = |table: &ObjectName| is_plain(table, from) && is_plain(table, to);
    match fact.id.kind {
        ObjectKind::Index => {
            let table = fact.table()?;
            let is_marked = flag(fact, "invalid")
                || flag(fact, "clustered")
                || text(fact, "attached-to").is_some()
                || tables::identification(&table, &fact.id.object.name, to).is_some();
            let is_new = from.get(&fact.id).is_none();
            (is_new && !is_marked && is_plain(&table)).then_some(Postponed::Absent)
        }
        ObjectKind::ForeignKey | ObjectKind::Check => {
            let is_marked = ["domain", "not-valid", "not-enforced", "inherited"]
                .iter()
                .any(|name| flag(fact, name));
            if is_marked || !is_plain(&fact.id.object) {
                return None;
            }
            let mut weaker = fact.clone();
            weaker.attributes.insert("not-valid".to_owned(), Attribute::Flag);
            Some(Postponed::Weaker(weaker))
        }
        _ => None,
    }
}

/// Whether this is a table that is no part of another, and has no parts.
fn is_plain(table: &ObjectName, schema: &Schema<'_>) -> bool {
    schema.object(ObjectKind::Table, table).is_some()
        && schema.parts(ObjectKind::Partition, table).next().is_none()
        && structure::parents(table, schema).is_empty()
        && !structure::has_children(table, schema)
}

/// The statements outside of transactions that do what these do inside one.
pub(super) fn concurrently(statements: Vec<Statement>) -> Vec<Statement> {
    let words = [
        ("CREATE INDEX ", "CREATE INDEX CONCURRENTLY "),
        ("CREATE UNIQUE INDEX ", "CREATE UNIQUE INDEX CONCURRENTLY "),
        ("DROP INDEX ", "DROP INDEX CONCURRENTLY "),
    ];
    let online = |statement| {
        let Statement::Whole(sql) = &statement else { return statement };
        let found = words.iter().find_map(|(plain, online)| {
            sql.strip_prefix(plain).map(|rest| Statement::Whole(format!("{online}{rest}")))
        });
        found.unwrap_or(statement)
    };
    statements.into_iter().map(online).collect()
}

/// What a reviewer has to know of such a statement: an index of its own locks nobody out.
pub(super) fn hazards(change: FactChange<'_>, hazards: Vec<StepHazard>) -> Vec<StepHazard> {
    let (FactChange::Created(fact) | FactChange::Dropped(fact) | FactChange::Altered(_, fact)) =
        change;
    if fact.id.kind != ObjectKind::Index {
        return hazards;
    }
    let less = |hazard| match hazard {
        StepHazard::Lock { table, .. } => StepHazard::Lock { mode: review::SHARE_UPDATE, table },
        other => other,
    };
    hazards.into_iter().map(less).collect()
}

/// What the session has to be set to: waiting for others hinders nobody here.
pub(super) fn preamble() -> Vec<String> {
    ["SET lock_timeout = 0", "SET default_tablespace = ''"].map(str::to_owned).to_vec()
}
