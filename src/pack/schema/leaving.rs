//! Rows that have to be out of their table while its columns or partitions become others.
//!
//! A column whose type changes converts every value it holds, and the server may refuse one; a
//! partition that goes takes its rows along; and where its key changes or rows have none, a row may be told from
//! others only by columns that go. Where the pack changes or deletes such a row anyway, the
//! row leaves before and comes back after. What would hold it, or be held by it, is a foreign key: those of such tables are made again at the end,
//! which checks them.

use std::collections::BTreeSet;

use super::SchemaInput;
use crate::engine::ddl::{Ddl, Schema};
use crate::model::{FactId, ObjectKind, ObjectName};

/// The tables whose rows leave, and what is dropped for that.
#[derive(Default)]
pub(super) struct Leaving {
    pub(super) tables: BTreeSet<String>,
    pub(super) holding: BTreeSet<FactId>,
}

/// Finds them.
pub(super) fn find(
    ddl: &dyn Ddl,
    from: &Schema<'_>,
    to: &Schema<'_>,
    input: &SchemaInput<'_>,
) -> Leaving {
    if !ddl.lets_rows_leave() {
        return Leaving::default();
    }
    let mut changing: BTreeSet<ObjectName> = from
        .of_kind(ObjectKind::Column)
        .filter(|before| {
            let after = to.get(&before.id);
            after.is_some_and(|after| ddl.may_refuse_values(before, after, from))
        })
        .map(|column| column.id.object.clone())
        .collect();
    changing.extend(ddl.displaced(from, to));
    let tables = from.of_kind(ObjectKind::Table).map(|table| &table.id.object);
    changing.extend(tables.filter(|table| (input.loses_sight)(&table.to_string())).cloned());
    let tables: BTreeSet<String> =
        changing.iter().map(ToString::to_string).filter(|table| (input.may_leave)(table)).collect();
    if tables.is_empty() {
        return Leaving::default();
    }
    let holding = from.of_kind(ObjectKind::ForeignKey).filter(|key| {
        changing.contains(&key.id.object)
            || ddl.requires(key, from).iter().any(|id| changing.contains(&id.object))
    });
    Leaving { holding: holding.map(|key| key.id.clone()).collect(), tables }
}
