//! How many rows of each table a transaction has changed, as the server counts them: the changes
//! of triggers, rules and foreign keys included.
//!
//! The counts are of the session, and of what it has not handed to the server's statistics yet, so
//! they are compared with those at the beginning of the transaction. Changes of partitions count
//! for their root: a row that moves from one to another is a deletion and an insertion.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;

use super::errors::Failure;
use super::query;
use crate::engine::{RECEIPTS_TABLE, TableChanges};
use crate::model::ObjectName;

/// The counts of every table that has any.
pub(super) type Counts = BTreeMap<ObjectName, TableChanges>;

/// What the session has counted; `None` where the server does not count.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Option<Counts>, Failure> {
    let is_on = query::text(connection, "SHOW track_counts".to_owned()).await?;
    if is_on != "on" {
        return Ok(None);
    }
    let sql = "SELECT n.nspname::text, c.relname::text, sum(s.n_tup_ins)::text, \
               sum(s.n_tup_upd)::text, sum(s.n_tup_del)::text \
               FROM pg_catalog.pg_stat_xact_user_tables s \
               JOIN pg_catalog.pg_class c ON c.oid = \
               coalesce(pg_catalog.pg_partition_root(s.relid)::pg_catalog.oid, s.relid) \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 GROUP BY 1, 2";
    let rows = query::rows(connection, sql.to_owned()).await?;
    let counted = rows.iter().map(|row| {
        let name = ObjectName { schema: row.text(0).to_owned(), name: row.text(1).to_owned() };
        let changes = TableChanges {
            inserted: row.number(2).unwrap_or_default(),
            updated: row.number(3).unwrap_or_default(),
            deleted: row.number(4).unwrap_or_default(),
        };
        (name, changes)
    });
    Ok(Some(counted.filter(|(name, _)| name.name != RECEIPTS_TABLE).collect()))
}

/// What was counted after `before`.
pub(super) fn since(before: &Counts, now: &Counts) -> Counts {
    let mut changed = Counts::new();
    for (name, now) in now {
        let before = before.get(name).copied().unwrap_or_default();
        let changes = TableChanges {
            inserted: now.inserted.saturating_sub(before.inserted),
            updated: now.updated.saturating_sub(before.updated),
            deleted: now.deleted.saturating_sub(before.deleted),
        };
        if changes != TableChanges::default() {
            changed.insert(name.clone(), changes);
        }
    }
    changed
}
