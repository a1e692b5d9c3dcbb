//! Rows that have to be out of their table while its columns become others.
//!
//! A column whose type changes converts every value it holds, and the server may refuse one. Where
//! the pack changes or deletes such a row anyway, the row leaves before and comes back after. What
//! would hold it, or be held by it, is a foreign key: those of such tables are made again at the end,
//! which checks them.

use std::collections::BTreeSet;

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
    may_leave: &dyn Fn(&str) -> bool,
) -> Leaving {
    let converting: BTreeSet<&ObjectName> = from
        .of_kind(ObjectKind::Column)
        .filter(|before| {
            let after = to.get(&before.id);
            after.is_some_and(|after| ddl.may_refuse_values(before, after, from))
        })
        .map(|column| &column.id.object)
        .collect();
    let tables: BTreeSet<String> =
        converting.iter().map(ToString::to_string).filter(|table| may_leave(table)).collect();
    if tables.is_empty() {
        return Leaving::default();
    }
    let holding = from.of_kind(ObjectKind::ForeignKey).filter(|key| {
        converting.contains(&key.id.object)
            || ddl.requires(key, from).iter().any(|id| converting.contains(&id.object))
    });
    Leaving { holding: holding.map(|key| key.id.clone()).collect(), tables }
}
