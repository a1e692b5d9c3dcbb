//! Constraints of tables: keys, unique, exclusion, check and foreign key constraints.
//!
//! Of what a table has from its parent, the partition's part is made before it is attached and
//! taken over then; dropped, it is gone with the parent's or stays behind, so it is dropped where
//! it is still there.

use super::spelling::{names, option_changes, options, qualified, quoted};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// The name of a constraint.
pub(super) fn name_of(constraint: &Fact) -> &str {
    text(constraint, "name").unwrap_or(&constraint.id.part)
}

/// A constraint as CREATE TABLE and ADD take it.
pub(super) fn definition(constraint: &Fact) -> Result<String, String> {
    let mut words = format!("CONSTRAINT {} ", quoted(name_of(constraint)));
    words.push_str(&match constraint.id.kind {
        ObjectKind::PrimaryKey | ObjectKind::Unique => key(constraint)?,
        ObjectKind::Exclusion => text(constraint, "definition")
            .ok_or_else(|| format!("the constraint {} has no definition", constraint.id))?
            .to_owned(),
        ObjectKind::Check => check(constraint)?,
        _ => foreign_key(constraint)?,
    });
    Ok(words)
}

fn key(constraint: &Fact) -> Result<String, String> {
    if flag(constraint, "invalid") {
        return Err(format!("the index of the constraint {} is not valid", constraint.id));
    }
    let mut words = match constraint.id.kind {
        ObjectKind::PrimaryKey => "PRIMARY KEY",
        _ => "UNIQUE",
    }
    .to_owned();
    if flag(constraint, "nulls-not-distinct") {
        words.push_str(" NULLS NOT DISTINCT");
    }
    let mut columns = names(list(constraint, "columns"));
    if flag(constraint, "without-overlaps") {
        columns.push_str(" WITHOUT OVERLAPS");
    }
    words.push_str(&format!(" ({columns})"));
    if !list(constraint, "include").is_empty() {
        words.push_str(&format!(" INCLUDE ({})", names(list(constraint, "include"))));
    }
    if !list(constraint, "options").is_empty() {
        words.push_str(&format!(" WITH ({})", options(list(constraint, "options"))));
    }
    if let Some(tablespace) = text(constraint, "tablespace") {
        words.push_str(&format!(" USING INDEX TABLESPACE {}", quoted(tablespace)));
    }
    words.push_str(&deferral(constraint));
    Ok(words)
}

fn deferral(constraint: &Fact) -> String {
    let mut words = String::new();
    if flag(constraint, "deferrable") {
        words.push_str(" DEFERRABLE");
    }
    if flag(constraint, "initially-deferred") {
        words.push_str(" INITIALLY DEFERRED");
    }
    words
}

fn check(constraint: &Fact) -> Result<String, String> {
    let expression = text(constraint, "expression")
        .ok_or_else(|| format!("the check {} has no expression", constraint.id))?;
    let mut words = format!("CHECK ({expression})");
    if flag(constraint, "no-inherit") {
        words.push_str(" NO INHERIT");
    }
    words.push_str(enforcement(constraint));
    Ok(words)
}

/// A constraint that is not enforced is not valid either.
fn enforcement(constraint: &Fact) -> &'static str {
    match (flag(constraint, "not-enforced"), flag(constraint, "not-valid")) {
        (true, _) => " NOT ENFORCED",
        (false, true) => " NOT VALID",
        (false, false) => "",
    }
}

/// The table that a foreign key refers to.
pub(super) fn referenced(constraint: &Fact) -> Option<ObjectName> {
    let schema = text(constraint, "table-schema").unwrap_or(&constraint.id.object.schema);
    Some(ObjectName { schema: schema.to_owned(), name: text(constraint, "table")?.to_owned() })
}

fn foreign_key(constraint: &Fact) -> Result<String, String> {
    if flag(constraint, "triggers-disabled") {
        return Err(format!("the triggers of the foreign key {} are disabled", constraint.id));
    }
    let table = referenced(constraint)
        .ok_or_else(|| format!("the foreign key {} refers to no table", constraint.id))?;
    let columns = |name| {
        let list = list(constraint, name);
        match (flag(constraint, "period"), list.split_last()) {
            (true, Some((last, []))) => format!("PERIOD {}", quoted(last)),
            (true, Some((last, rest))) => format!("{}, PERIOD {}", names(rest), quoted(last)),
            _ => names(list),
        }
    };
    let mut words = format!(
        "FOREIGN KEY ({}) REFERENCES {} ({})",
        columns("columns"),
        qualified(&table),
        columns("referenced-columns")
    );
    if let Some(kind) = text(constraint, "match") {
        words.push_str(&format!(" MATCH {kind}"));
    }
    if let Some(action) = text(constraint, "on-update") {
        words.push_str(&format!(" ON UPDATE {action}"));
    }
    if let Some(action) = text(constraint, "on-delete") {
        words.push_str(&format!(" ON DELETE {action}"));
        let columns = list(constraint, "on-delete-columns");
        if !columns.is_empty() {
            words.push_str(&format!(" ({})", names(columns)));
        }
    }
    words.push_str(&deferral(constraint));
    words.push_str(enforcement(constraint));
    Ok(words)
}

/// The clause that clusters a table by the index of a constraint.
pub(super) fn clustering(constraint: &Fact) -> Vec<String> {
    let clause = format!("CLUSTER ON {}", quoted(name_of(constraint)));
    flag(constraint, "clustered").then_some(clause).into_iter().collect()
}

/// Whether a constraint is its parent's, and made and dropped with that: checks are, where tables
/// inherit, and whatever partitions have of a check.
pub(super) fn comes_with_parent(constraint: &Fact, schema: &Schema<'_>) -> bool {
    let is_partition = schema.part(ObjectKind::Partition, &constraint.id.object, "bound").is_some();
    flag(constraint, "inherited") && (!is_partition || constraint.id.kind == ObjectKind::Check)
}

/// Adds a constraint to a table that is there.
pub(super) fn create(constraint: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let table = &constraint.id.object;
    if constraint.id.kind == ObjectKind::Check && flag(constraint, "domain") {
        return super::types::add_check(constraint);
    }
    if comes_with_parent(constraint, to) {
        return Ok(Vec::new());
    }
    let definition = definition(constraint)?;
    let mut statements = vec![Statement::clause(table, format!("ADD {definition}"))];
    if constraint.id.kind == ObjectKind::Exclusion
        && let Some(tablespace) = text(constraint, "tablespace")
    {
        let index =
            ObjectName { schema: table.schema.clone(), name: name_of(constraint).to_owned() };
        statements.push(Statement::whole(format!(
            "ALTER INDEX {} SET TABLESPACE {}",
            qualified(&index),
            quoted(tablespace)
        )));
    }
    let clustering = clustering(constraint).into_iter();
    statements.extend(clustering.map(|clause| Statement::clause(table, clause)));
    statements.extend(super::tables::identification(table, name_of(constraint), to));
    Ok(statements)
}

/// Drops a constraint of a table that stays.
pub(super) fn drop(constraint: &Fact, from: &Schema<'_>) -> Vec<Statement> {
    let table = &constraint.id.object;
    let name = quoted(name_of(constraint));
    if flag(constraint, "domain") {
        let domain = qualified(table);
        return vec![Statement::whole(format!("ALTER DOMAIN {domain} DROP CONSTRAINT {name}"))];
    }
    if comes_with_parent(constraint, from) {
        return Vec::new();
    }
    match flag(constraint, "inherited") {
        true => {
            let table = qualified(table);
            vec![Statement::whole(format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"))]
        }
        false => vec![Statement::clause(table, format!("DROP CONSTRAINT {name}"))],
    }
}

/// How a constraint becomes another.
pub(super) fn alter(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
    let differing = differing(before, after);
    let only = |names: &[&str]| differing.iter().all(|name| names.contains(&name.as_str()));
    // Whose it is changes with what its table belongs to.
    if only(&["inherited", "merged"]) {
        return Alteration::InPlace(Vec::new());
    }
    if comes_with_parent(after, to) && flag(before, "inherited") {
        return Alteration::InPlace(Vec::new());
    }
    let is_key = matches!(
        after.id.kind,
        ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Exclusion
    );
    if is_key
        && only(&["name", "options", "tablespace", "clustered"])
        && !flag(after, "invalid")
        && !is_in_circle_of_names(before, after, from, to)
    {
        return Alteration::InPlace(key_changes(before, after));
    }
    let name = quoted(name_of(after));
    if only(&["not-valid"]) && !flag(after, "not-valid") {
        let table = &after.id.object;
        return Alteration::InPlace(vec![match flag(after, "domain") {
            true => Statement::whole(format!(
                "ALTER DOMAIN {} VALIDATE CONSTRAINT {name}",
                qualified(table)
            )),
            false => Statement::clause(table, format!("VALIDATE CONSTRAINT {name}")),
        }]);
    }
    if after.id.kind == ObjectKind::ForeignKey
        && only(&["deferrable", "initially-deferred"])
        && !flag(after, "inherited")
    {
        let deferral = match deferral(after) {
            words if words.is_empty() => " NOT DEFERRABLE".to_owned(),
            words if flag(after, "initially-deferred") => words,
            words => format!("{words} INITIALLY IMMEDIATE"),
        };
        let clause = format!("ALTER CONSTRAINT {name}{deferral}");
        return Alteration::InPlace(vec![Statement::clause(&after.id.object, clause)]);
    }
    Alteration::Remade
}

/// Whether keys pass their names on to each other in a circle, so that none can be renamed first.
fn is_in_circle_of_names(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let mut passed: Vec<&FactId> = Vec::new();
    let mut taker = after;
    loop {
        let space = taker.id.object.schema.clone();
        let index = ObjectName { schema: space, name: name_of(taker).to_owned() };
        let Some(holder) = super::words::constraint_of_index(&index, from) else { return false };
        if passed.contains(&&holder.id) {
            return false;
        }
        passed.push(&holder.id);
        match to.get(&holder.id) {
            Some(next) if name_of(next) != name_of(holder) => taker = next,
            _ => return false,
        }
        if holder.id == before.id {
            return true;
        }
    }
}

/// The names of the attributes that differ.
pub(super) fn differing(before: &Fact, after: &Fact) -> Vec<String> {
    let names = before.attributes.keys().chain(after.attributes.keys());
    let mut names: Vec<String> = names
        .filter(|name| before.attributes.get(*name) != after.attributes.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

fn key_changes(before: &Fact, after: &Fact) -> Vec<Statement> {
    let table = &after.id.object;
    let mut statements = Vec::new();
    if name_of(before) != name_of(after) {
        statements.push(Statement::whole(format!(
            "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
            qualified(table),
            quoted(name_of(before)),
            quoted(name_of(after))
        )));
    }
    let index = ObjectName { schema: table.schema.clone(), name: name_of(after).to_owned() };
    statements.extend(index_storage(&index, before, after));
    statements.extend(clustering_change(table, name_of(after), before, after));
    statements
}

/// How an index lies, as changes of what it was.
pub(super) fn index_storage(index: &ObjectName, before: &Fact, after: &Fact) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut add = |words: String| {
        statements.push(Statement::whole(format!("ALTER INDEX {} {words}", qualified(index))));
    };
    let (set, reset) = option_changes(list(before, "options"), list(after, "options"));
    if !set.is_empty() {
        add(format!("SET ({set})"));
    }
    if !reset.is_empty() {
        add(format!("RESET ({reset})"));
    }
    if text(before, "tablespace") != text(after, "tablespace") {
        let tablespace = text(after, "tablespace").unwrap_or("pg_default");
        add(format!("SET TABLESPACE {}", quoted(tablespace)));
    }
    statements
}

/// The clause by which a table is clustered by an index, or no more.
pub(super) fn clustering_change(
    table: &ObjectName,
    index: &str,
    before: &Fact,
    after: &Fact,
) -> Option<Statement> {
    match (flag(before, "clustered"), flag(after, "clustered")) {
        (false, true) => Some(Statement::clause(table, format!("CLUSTER ON {}", quoted(index)))),
        (true, false) => Some(Statement::clause(table, "SET WITHOUT CLUSTER")),
        _ => None,
    }
}
