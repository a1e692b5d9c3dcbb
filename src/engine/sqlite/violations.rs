//! Foreign keys that point nowhere.
//!
//! `PRAGMA foreign_key_check` ends at the first table with a key that fits no unique key of its
//! parent (a "mismatch"): such a table is left out then, since nobody can say what its rows refer
//! to.

use super::connect::{Locked, classify};
use super::handle::Failure;
use super::sql::quoted;
use crate::engine::ForeignKeyViolation;
use crate::engine::error::EngineError;
use crate::model::ObjectName;

const ACTION: &str = "check the foreign keys of";

/// At most `limit` of them.
pub(super) fn find(
    locked: &Locked<'_>,
    limit: usize,
) -> Result<Vec<ForeignKeyViolation>, EngineError> {
    let wrong = |failure| classify(locked.name, ACTION, failure);
    match check(locked, "PRAGMA main.foreign_key_check", limit) {
        Err(failure) if is_mismatch(&failure) => {}
        found => return found.map_err(wrong),
    }
    let mut violations = Vec::new();
    for table in locked.table_entries()?.into_iter().filter(|table| table.kind == "table") {
        let left = limit.saturating_sub(violations.len());
        let sql = format!("PRAGMA main.foreign_key_check({})", quoted(&table.name));
        match check(locked, &sql, left) {
            Ok(found) => violations.extend(found),
            Err(failure) if is_mismatch(&failure) => {}
            Err(failure) => return Err(wrong(failure)),
        }
    }
    Ok(violations)
}

fn is_mismatch(failure: &Failure) -> bool {
    failure.message.contains("foreign key mismatch")
}

fn check(
    locked: &Locked<'_>,
    sql: &str,
    limit: usize,
) -> Result<Vec<ForeignKeyViolation>, Failure> {
    let mut statement = locked.database.prepare(sql)?;
    let mut violations = Vec::new();
    while violations.len() < limit && statement.step()? {
        let table = statement.text(0)?.unwrap_or_default().to_owned();
        let parent = statement.text(2)?.unwrap_or_default().to_owned();
        violations.push(ForeignKeyViolation {
            table: ObjectName::bare(table),
            row: statement.text(1)?.map(str::to_owned),
            parent: ObjectName::bare(parent),
        });
    }
    Ok(violations)
}
