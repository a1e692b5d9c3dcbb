//! What the scope leaves out of the catalog, and which of its rules have no effect.
//!
//! A partition goes with the table it is of, because its rows are read there.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::directory::Directory;
use super::query::{Reader, failed};
use crate::engine::RECEIPTS_TABLE;
use crate::engine::error::EngineError;
use crate::engine::pattern;
use crate::model::snapshot::Scope;
use crate::model::{NotCaptured, ObjectName};

/// What the scope does here.
pub(super) struct LeftOut {
    /// The tables it leaves out.
    pub not_captured: Vec<NotCaptured>,
    /// Its rules without effect, in words.
    pub unused_rules: Vec<String>,
}

/// The pattern that leaves a table out, if one does: it is of its name, or of its schema and name.
pub(in super::super) fn exclusion<'s>(scope: &'s Scope, table: &ObjectName) -> Option<&'s str> {
    let patterns = scope.excluded_tables.iter().map(String::as_str);
    patterns.into_iter().find(|pattern| matches(pattern, table))
}

/// Leaves out the receipts, temporary relations, and what the configuration excludes.
pub(super) async fn leave_out(
    directory: &mut Directory,
    reader: &mut Reader<'_>,
    scope: &Scope,
) -> Result<LeftOut, EngineError> {
    let mut not_captured = Vec::new();
    let (mut read, mut excluded) = (BTreeSet::new(), BTreeSet::new());
    for row in reader.rows(RELATIONS).await? {
        let relation = Relation::of(&row).map_err(|error| failed(reader.database, error))?;
        if relation.is_temporary || relation.root.name == RECEIPTS_TABLE {
            directory.leave_out(relation.oid);
            continue;
        }
        let is_chosen = reader.schemas.contains(&relation.root.schema);
        let pattern = exclusion(scope, &relation.root).filter(|_| relation.is_table);
        if pattern.is_some() {
            directory.leave_out(relation.oid);
        }
        if !relation.is_table || !relation.is_root || !is_chosen {
            continue;
        }
        if let Some(pattern) = pattern {
            not_captured.push(NotCaptured {
                kind: "table".to_owned(),
                name: relation.root.to_string(),
                reason: format!("left out by the configuration (`{pattern}`)"),
                is_unknown: false,
            });
            excluded.insert(relation.root);
        } else {
            read.insert(relation.root);
        }
    }
    Ok(LeftOut { not_captured, unused_rules: unused_rules(scope, &read, &excluded) })
}

/// A rule with a slip of the pen does nothing, and nobody would know.
fn unused_rules(
    scope: &Scope,
    read: &BTreeSet<ObjectName>,
    excluded: &BTreeSet<ObjectName>,
) -> Vec<String> {
    let mut unused = Vec::new();
    for pattern in &scope.excluded_tables {
        if !excluded.iter().any(|table| matches(pattern, table)) {
            unused.push(format!("exclude: no table matches `{pattern}`"));
        }
    }
    for (named, _) in &scope.key_overrides {
        let is_it = |table: &ObjectName| table.name == *named || table.to_string() == *named;
        if read.iter().any(is_it) {
            continue;
        }
        unused.push(match excluded.iter().any(is_it) {
            true => format!("keys: the rows of `{named}` are not captured"),
            false => format!("keys: there is no table `{named}`"),
        });
    }
    unused
}

fn matches(pattern: &str, table: &ObjectName) -> bool {
    pattern::matches(pattern, &table.name, false)
        || pattern::matches(pattern, &table.to_string(), false)
}

struct Relation {
    oid: i64,
    /// The table it is a partition of, at the top; itself otherwise.
    root: ObjectName,
    is_root: bool,
    is_table: bool,
    is_temporary: bool,
}

impl Relation {
    fn of(row: &PgRow) -> Result<Relation, sqlx::Error> {
        Ok(Relation {
            oid: row.try_get("oid")?,
            root: ObjectName { schema: row.try_get("schema")?, name: row.try_get("name")? },
            is_root: row.try_get("is_root")?,
            is_table: row.try_get("is_table")?,
            is_temporary: row.try_get("is_temporary")?,
        })
    }
}

const RELATIONS: &str = r#"
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, t.relname::text AS name, c.oid = t.oid AS is_root,
    c.relkind IN ('r', 'p', 'f') AS is_table, c.relpersistence = 't' AS is_temporary
FROM pg_class c
JOIN pg_class t ON t.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
"#;
