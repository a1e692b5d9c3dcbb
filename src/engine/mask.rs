//! Masks: columns whose values are never read, so that they never leave the database.
//!
//! A mask is a pattern of `table.column` or `schema.table.column`. It is matched without regard to
//! the case of ASCII letters on every engine: what is spelled a little otherwise is rather hidden
//! than shown. A masked column is missing in the specification of its table, and so in every
//! statement that reads or writes rows; its facts stay in the schema. A column of a row key cannot
//! be masked, for without it nobody could say which row is which.

use std::collections::BTreeSet;

use super::ddl::{flag, text};
use super::error::EngineError;
use super::pattern;
use crate::model::snapshot::Scope;
use crate::model::{Fact, NotCaptured, ObjectKind, ObjectName, TableSpec};

/// The mask that hides a column, if one does.
fn mask_of<'s>(scope: &'s Scope, table: &ObjectName, column: &str) -> Option<&'s str> {
    let names = match table.schema.is_empty() {
        true => vec![format!("{}.{column}", table.name)],
        false => vec![format!("{}.{column}", table.name), format!("{table}.{column}")],
    };
    let hides = |mask: &&String| names.iter().any(|name| pattern::matches(mask, name, true));
    scope.masks.iter().find(hides).map(String::as_str)
}

/// Whether the values of a column are not read.
pub(super) fn is_masked(scope: &Scope, table: &ObjectName, column: &str) -> bool {
    mask_of(scope, table, column).is_some()
}

/// Takes the masked columns out of a table, whose key must do without them.
pub(super) fn apply(scope: &Scope, spec: &mut TableSpec) -> Result<(), EngineError> {
    if scope.masks.is_empty() {
        return Ok(());
    }
    let refuse = |reason: String| Err(EngineError::Mask { table: spec.name.to_string(), reason });
    for column in spec.key.column_names() {
        if let Some(mask) = mask_of(scope, &spec.name, column) {
            return refuse(format!(
                "the mask `{mask}` hides column `{column}`, which identifies its rows: name another \
                 row key in [keys], or leave the table out with `exclude`"
            ));
        }
    }
    if spec.columns.iter().all(|column| is_masked(scope, &spec.name, &column.name))
        && !spec.columns.is_empty()
    {
        return refuse("no column is left: leave the table out with `exclude`".to_owned());
    }
    let name = spec.name.clone();
    spec.columns.retain(|column| !is_masked(scope, &name, &column.name));
    Ok(())
}

/// The columns of tables whose values are masked, by their facts. (A generated column has no values
/// of its own.)
pub fn masked_columns<'f>(
    scope: &Scope,
    facts: impl Iterator<Item = &'f Fact> + Clone,
) -> Vec<&'f Fact> {
    if scope.masks.is_empty() {
        return Vec::new();
    }
    let tables: BTreeSet<&ObjectName> = facts
        .clone()
        .filter(|fact| fact.id.kind == ObjectKind::Table)
        .map(|fact| &fact.id.object)
        .collect();
    facts
        .filter(|fact| fact.id.kind == ObjectKind::Column && tables.contains(&fact.id.object))
        .filter(|fact| text(fact, "generated").is_none())
        .filter(|fact| is_masked(scope, &fact.id.object, &fact.id.part))
        .collect()
}

/// Whether a new row can do without a value of this column: it may be NULL, or gets one.
pub fn is_optional(column: &Fact) -> bool {
    let gets_one = ["default", "identity"].iter().any(|name| text(column, name).is_some());
    !flag(column, "not-null") || gets_one || flag(column, "auto-increment")
}

/// What a snapshot says of the masked columns.
pub(super) fn told(scope: &Scope, facts: &[Fact]) -> Vec<NotCaptured> {
    masked_columns(scope, facts.iter())
        .into_iter()
        .map(|fact| {
            let mask = mask_of(scope, &fact.id.object, &fact.id.part).unwrap_or_default();
            let name = format!("{}.{}", fact.id.object, fact.id.part);
            let reason = format!("its values are masked by the configuration (`{mask}`)");
            NotCaptured::known("masked column", &name, &reason)
        })
        .collect()
}

/// The masks that hide nothing, in words: a slip of the pen would show what it should hide.
pub(super) fn unused(scope: &Scope, facts: &[Fact]) -> Vec<String> {
    let masked = masked_columns(scope, facts.iter());
    let hides = |mask: &String| {
        let alone = Scope { masks: vec![mask.clone()], ..Scope::default() };
        masked.iter().any(|fact| is_masked(&alone, &fact.id.object, &fact.id.part))
    };
    scope
        .masks
        .iter()
        .filter(|mask| !hides(mask))
        .map(|mask| format!("mask: no column matches `{mask}`, so it hides nothing"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_of_a_table_and_a_column() {
        let scope = |mask: &str| Scope { masks: vec![mask.to_owned()], ..Scope::default() };
        let users = ObjectName { schema: "app".to_owned(), name: "users".to_owned() };
        for (mask, expected) in [
            ("users.email", true),
            ("app.users.email", true),
            ("Users.EMAIL", true),
            ("*.email", true),
            ("users.e*", true),
            ("email", false),
            ("other.users.email", false),
            ("user.email", false),
        ] {
            assert_eq!(is_masked(&scope(mask), &users, "email"), expected, "{mask}");
        }
    }
}
