//! Indexes of their own statement, and extended statistics.
//!
//! The index of a partition that belongs to one of the partitioned table is made before that one,
//! which then takes it; dropped with it, it may be gone already.

use super::constraints::{clustering_change, differing, index_storage};
use super::spelling::{names, options, qualified, quoted};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, number, text};
use crate::model::{Fact, ObjectName};

fn table_of(index: &Fact) -> Result<ObjectName, String> {
    index.table().ok_or_else(|| format!("the index {} is of no table", index.id.object))
}

/// Makes an index.
pub(super) fn create(index: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let table = table_of(index)?;
    if flag(index, "invalid") {
        return Err(format!("the index {} is not valid", index.id.object));
    }
    let unique = if flag(index, "unique") { "UNIQUE " } else { "" };
    let mut sql =
        format!("CREATE {unique}INDEX {} ON {}", quoted(&index.id.object.name), qualified(&table));
    if let Some(method) = text(index, "access-method") {
        sql.push_str(&format!(" USING {}", quoted(method)));
    }
    sql.push_str(&format!(" ({})", terms(index)?.join(", ")));
    if !list(index, "include").is_empty() {
        sql.push_str(&format!(" INCLUDE ({})", names(list(index, "include"))));
    }
    if flag(index, "nulls-not-distinct") {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    if !list(index, "options").is_empty() {
        sql.push_str(&format!(" WITH ({})", options(list(index, "options"))));
    }
    if let Some(tablespace) = text(index, "tablespace") {
        sql.push_str(&format!(" TABLESPACE {}", quoted(tablespace)));
    }
    if let Some(condition) = text(index, "where") {
        sql.push_str(&format!(" WHERE {condition}"));
    }
    let mut statements = vec![Statement::whole(sql)];
    statements.extend(targets(index, &[], list(index, "statistics")));
    if flag(index, "clustered") {
        let clause = format!("CLUSTER ON {}", quoted(&index.id.object.name));
        statements.push(Statement::clause(&table, clause));
    }
    statements.extend(super::tables::identification(&table, &index.id.object.name, to));
    Ok(statements)
}

/// What is indexed: columns and expressions, each with how it is ordered.
fn terms(index: &Fact) -> Result<Vec<String>, String> {
    let item = |name: &str, place: usize| {
        list(index, name).get(place).map(String::as_str).filter(|item| !item.is_empty())
    };
    let mut terms = Vec::new();
    for (place, column) in list(index, "columns").iter().enumerate() {
        let mut term = match item("terms", place) {
            Some("expression") => column.clone(),
            _ => quoted(column),
        };
        if let Some(collation) = item("index-collations", place) {
            term.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(class) = item("operator-classes", place) {
            term.push_str(&format!(" {class}"));
        }
        if let Some(parameters) = item("operator-class-options", place) {
            if item("operator-classes", place).is_none() {
                return Err(format!(
                    "the index {} has parameters of an operator class that it does not name",
                    index.id.object
                ));
            }
            let parameters: Vec<String> = parameters.split(", ").map(str::to_owned).collect();
            term.push_str(&format!(" ({})", options(&parameters)));
        }
        if item("orders", place) == Some("DESC") {
            term.push_str(" DESC");
        }
        if let Some(nulls) = item("nulls", place) {
            term.push_str(&format!(" NULLS {nulls}"));
        }
        terms.push(term);
    }
    Ok(terms)
}

/// The statistics targets of terms that differ.
fn targets(index: &Fact, before: &[String], after: &[String]) -> Vec<Statement> {
    let terms = before.len().max(after.len());
    let target = |list: &[String], place: usize| {
        list.get(place).filter(|target| !target.is_empty()).map_or("-1", String::as_str).to_owned()
    };
    (0..terms)
        .filter(|&place| target(before, place) != target(after, place))
        .map(|place| {
            Statement::whole(format!(
                "ALTER INDEX {} ALTER COLUMN {} SET STATISTICS {}",
                qualified(&index.id.object),
                place + 1,
                target(after, place)
            ))
        })
        .collect()
}

/// Drops an index of a table that stays.
pub(super) fn drop(index: &Fact) -> Vec<Statement> {
    let name = qualified(&index.id.object);
    let words = match text(index, "attached-to") {
        Some(_) => "DROP INDEX IF EXISTS",
        None => "DROP INDEX",
    };
    vec![Statement::whole(format!("{words} {name}"))]
}

/// How an index becomes another. `moves` says that its table becomes a partition, or is one no
/// more: then it is attached or set free with it.
pub(super) fn alter(before: &Fact, after: &Fact, moves: bool) -> Alteration {
    let differing = differing(before, after);
    let only = |names: &[&str]| differing.iter().all(|name| names.contains(&name.as_str()));
    let mut changeable = vec!["options", "tablespace", "statistics", "clustered"];
    if moves {
        changeable.push("attached-to");
    }
    let (true, Some(table)) = (only(&changeable), after.table()) else {
        return Alteration::Remade;
    };
    let mut statements = index_storage(&after.id.object, before, after);
    statements.extend(targets(after, list(before, "statistics"), list(after, "statistics")));
    statements.extend(clustering_change(&table, &after.id.object.name, before, after));
    Alteration::InPlace(statements)
}

/// Makes extended statistics.
pub(super) fn create_statistics(statistics: &Fact) -> Result<Vec<Statement>, String> {
    let definition = text(statistics, "definition")
        .ok_or_else(|| format!("the statistics {} have no definition", statistics.id.object))?;
    let mut statements = vec![Statement::whole(definition)];
    if number(statistics, "statistics").is_some() {
        statements.push(statistics_target(statistics));
    }
    Ok(statements)
}

/// Drops extended statistics.
pub(super) fn drop_statistics(statistics: &Fact) -> Vec<Statement> {
    vec![Statement::whole(format!("DROP STATISTICS {}", qualified(&statistics.id.object)))]
}

/// How extended statistics become others.
pub(super) fn alter_statistics(before: &Fact, after: &Fact) -> Alteration {
    match differing(before, after).as_slice() {
        [name] if name == "statistics" => Alteration::InPlace(vec![statistics_target(after)]),
        _ => Alteration::Remade,
    }
}

fn statistics_target(statistics: &Fact) -> Statement {
    Statement::whole(format!(
        "ALTER STATISTICS {} SET STATISTICS {}",
        qualified(&statistics.id.object),
        number(statistics, "statistics").unwrap_or(-1)
    ))
}
