//! What RENAME makes of a schema.
//!
//! Keys, foreign keys and the places of columns follow. MySQL refuses to rename a column that a
//! check, a generated column or a key names in an expression, and MariaDB rewrites those texts in ways of
//! its own: they are dropped before and made again, and so are views and triggers, which neither
//! server rewrites.

use super::wording::named;
use super::{MysqlDdl, column};
use crate::engine::ddl::{Following, Rename, Renames, Schema, list, text};
use crate::engine::mysql::sql::quoted;
use crate::model::{Attribute, Fact, ObjectKind, ObjectName};

/// The statement.
pub(super) fn statement(
    ddl: MysqlDdl,
    rename: &Rename,
    schema: &Schema<'_>,
) -> Result<String, String> {
    let (table, to) = (quoted(&rename.table.name), quoted(&rename.to));
    let Some(name) = &rename.column else {
        return Ok(format!("RENAME TABLE {table} TO {to}"));
    };
    if ddl != MysqlDdl::Mysql57 {
        return Ok(format!("ALTER TABLE {table} RENAME COLUMN {} TO {to}", quoted(name)));
    }
    let fact = schema
        .part(ObjectKind::Column, &rename.table, name)
        .ok_or_else(|| format!("the column {name} is not there"))?;
    let definition = column::definition(ddl, fact, schema)?;
    Ok(format!("ALTER TABLE {table} CHANGE COLUMN {} {to} {definition}", quoted(name)))
}

/// What becomes of a fact.
pub(super) fn follows(fact: &Fact, renames: &Renames) -> Following {
    let table = &fact.id.object;
    let mut new = fact.clone();
    renames.dependencies(&mut new);
    let depends = fact.depends_on.iter().any(|other| renames.touches(other));
    match fact.id.kind {
        ObjectKind::View if depends => return Following::Remade,
        ObjectKind::Trigger => {
            let is_on = fact.table().is_some_and(|table| renames.touches(&table));
            return if is_on { Following::Remade } else { Following::Follows(new) };
        }
        ObjectKind::ForeignKey => return foreign_key(fact, new, renames),
        _ if !renames.touches(table) || !is_of_table(fact.id.kind) => {
            return Following::Follows(new);
        }
        _ => {}
    }
    new.id.object = renames.object(table);
    let is_spoken = |expression: &str| is_spoken(expression, table, renames);
    match fact.id.kind {
        ObjectKind::Table => {
            let refused = ["periods", "union"].iter().any(|a| fact.attributes.contains_key(*a));
            if refused {
                let reason = "its periods or its union would have to follow";
                return Following::Refused(reason.to_owned());
            }
        }
        ObjectKind::Column => {
            if text(fact, "generated").is_some_and(is_spoken) {
                return Following::Remade;
            }
            if text(fact, "default").is_some_and(is_spoken) {
                let reason = "its default names a column that gets another name";
                return Following::Refused(reason.to_owned());
            }
            new.id.part = renames.column(table, &fact.id.part);
            if let Some(Attribute::Text(after)) = new.attributes.get_mut("after") {
                *after = renames.column(table, after);
            }
        }
        ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index => {
            let terms = list(fact, "terms");
            let is_expression = |at: usize| terms.get(at).is_some_and(|term| term == "expression");
            let columns = list(fact, "columns").iter().enumerate();
            if columns.into_iter().any(|(at, said)| is_expression(at) && is_spoken(said)) {
                return Following::Remade;
            }
            renames.list(&mut new, "columns", table, |at| !is_expression(at));
            if fact.attributes.contains_key("table") {
                let name = new.id.object.name.clone();
                new.attributes.insert("table".to_owned(), Attribute::Text(name));
            }
        }
        ObjectKind::Check => {
            let of = text(fact, "column").unwrap_or_default();
            let is_of_renamed = renames.columns_of(table).any(|(column, _)| column == of);
            // MySQL gives names of its own other ones with the table.
            let is_numbered = renames.has_table(table)
                && fact.id.part.starts_with(&format!("{}_chk_", table.name));
            let said = text(fact, "expression").unwrap_or_default();
            if is_of_renamed || is_numbered || is_spoken(said) {
                return Following::Remade;
            }
        }
        ObjectKind::Partition => {
            if text(fact, "method").is_some_and(is_spoken) {
                let reason = "it is partitioned by a column that gets another name";
                return Following::Refused(reason.to_owned());
            }
        }
        _ => {}
    }
    Following::Follows(new)
}

fn is_of_table(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table
            | ObjectKind::Column
            | ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Index
            | ObjectKind::Check
            | ObjectKind::Partition
    )
}

/// Whether an expression names a column that gets another name.
fn is_spoken(expression: &str, table: &ObjectName, renames: &Renames) -> bool {
    let said = named(expression);
    renames.columns_of(table).any(|(old, _)| said.iter().any(|name| name.eq_ignore_ascii_case(old)))
}

/// Names that the server made of the table's follow it, and so would others that look like them.
fn foreign_key(fact: &Fact, mut new: Fact, renames: &Renames) -> Following {
    let table = &fact.id.object;
    let is_numbered = fact.id.part.starts_with(&format!("{}_ibfk_", table.name));
    if renames.has_table(table) && is_numbered {
        return Following::Remade;
    }
    new.id.object = renames.object(table);
    renames.list(&mut new, "columns", table, |_| true);
    if text(fact, "schema").is_none()
        && let Some(parent) = text(fact, "table").map(ObjectName::bare)
    {
        renames.list(&mut new, "referenced-columns", &parent, |_| true);
        let name = renames.object(&parent).name;
        new.attributes.insert("table".to_owned(), Attribute::Text(name));
    }
    Following::Follows(new)
}
