//! Foreign data and publications.
//!
//! A secret is not in the facts: what needs one cannot be made, and one that changes is not seen.

use super::columns;
use super::constraints;
use super::spelling::{names, parsed, qualified, quoted, role, string, without_arguments};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// What stands for a secret in a fact.
const BLOT: &str = "***";

fn option(item: &str) -> (&str, &str) {
    item.split_once('=').unwrap_or((item, ""))
}

fn secret(name: &str, id: &FactId) -> String {
    format!("the option `{name}` of {id} is a secret, which no snapshot holds")
}

/// `OPTIONS (…)`.
pub(super) fn options(items: &[String], id: &FactId) -> Result<String, String> {
    let mut words = Vec::new();
    for item in items {
        let (name, value) = option(item);
        if value == BLOT || item == BLOT {
            return Err(secret(name, id));
        }
        words.push(format!("{} {}", quoted(name), string(value)));
    }
    Ok(format!("OPTIONS ({})", words.join(", ")))
}

/// `OPTIONS (ADD …, SET …, DROP …)` from one list to another.
pub(super) fn option_changes(
    before: &Fact,
    after: &Fact,
    attribute: &str,
) -> Result<String, String> {
    let (old, new) = (list(before, attribute), list(after, attribute));
    let mut words = Vec::new();
    for item in new.iter().filter(|item| !old.contains(item)) {
        let (name, value) = option(item);
        if value == BLOT || item == BLOT {
            return Err(secret(name, &after.id));
        }
        let is_known = old.iter().any(|item| option(item).0 == name);
        let verb = if is_known { "SET" } else { "ADD" };
        words.push(format!("{verb} {} {}", quoted(name), string(value)));
    }
    for item in old {
        let (name, _) = option(item);
        if new.iter().all(|item| option(item).0 != name) {
            words.push(format!("DROP {}", quoted(name)));
        }
    }
    Ok(format!("OPTIONS ({})", words.join(", ")))
}

fn with_options(mut sql: String, fact: &Fact) -> Result<Vec<Statement>, String> {
    if !list(fact, "options").is_empty() {
        sql.push(' ');
        sql.push_str(&options(list(fact, "options"), &fact.id)?);
    }
    Ok(vec![Statement::whole(sql)])
}

/// The role of a user mapping.
fn mapped(fact: &Fact) -> Option<String> {
    let name = fact.id.part.strip_prefix("user mapping for ")?;
    Some(if name == "public" { "PUBLIC".to_owned() } else { role(name) })
}

/// Makes something of foreign data.
pub(super) fn create(
    fact: &Fact,
    inline: &[&Fact],
    to: &Schema<'_>,
) -> Result<Vec<Statement>, String> {
    let name = qualified(&fact.id.object);
    let missing = || format!("the {} {name} is not whole", fact.id.part);
    match fact.id.part.as_str() {
        "wrapper" => {
            let mut sql = format!("CREATE FOREIGN DATA WRAPPER {name}");
            for (attribute, words) in [("handler", "HANDLER"), ("validator", "VALIDATOR")] {
                if let Some(function) = text(fact, attribute) {
                    sql.push_str(&format!(" {words} {}", without_arguments(function)));
                }
            }
            with_options(sql, fact)
        }
        "server" => {
            let mut sql = format!("CREATE SERVER {name}");
            for (attribute, words) in [("type", "TYPE"), ("version", "VERSION")] {
                if let Some(value) = text(fact, attribute) {
                    sql.push_str(&format!(" {words} {}", string(value)));
                }
            }
            let wrapper = quoted(text(fact, "wrapper").ok_or_else(missing)?);
            with_options(format!("{sql} FOREIGN DATA WRAPPER {wrapper}"), fact)
        }
        "table" => {
            let server = quoted(text(fact, "server").ok_or_else(missing)?);
            let parents = list(fact, "inherits");
            let comes_along = |part: &Fact| flag(part, "inherited") && !parents.is_empty();
            let mut lines = Vec::new();
            for part in to.columns(&fact.id.object) {
                if inline.iter().any(|inline| inline.id == part.id) && !comes_along(part) {
                    lines.push(columns::definition(part, true, to)?);
                }
            }
            for part in inline.iter().filter(|part| part.id.kind == ObjectKind::Check) {
                if !comes_along(part) {
                    lines.push(constraints::definition(part)?);
                }
            }
            let mut sql =
                format!("CREATE FOREIGN TABLE {name} (\n    {}\n)", lines.join(",\n    "));
            if !parents.is_empty() {
                sql.push_str(&format!(" INHERITS ({})", parents.join(", ")));
            }
            let mut statements = with_options(format!("{sql} SERVER {server}"), fact)?;
            for part in inline.iter().filter(|part| part.id.kind == ObjectKind::Column) {
                let extras = columns::extras(None, part, to).into_iter();
                statements.extend(extras.map(|clause| Statement::clause(&fact.id.object, clause)));
            }
            Ok(statements)
        }
        _ => {
            let user = mapped(fact).ok_or_else(missing)?;
            with_options(format!("CREATE USER MAPPING FOR {user} SERVER {name}"), fact)
        }
    }
}

/// How ALTER and DROP call it.
fn called(fact: &Fact) -> Result<String, String> {
    let name = qualified(&fact.id.object);
    Ok(match fact.id.part.as_str() {
        "wrapper" => format!("FOREIGN DATA WRAPPER {name}"),
        "server" => format!("SERVER {name}"),
        "table" => format!("FOREIGN TABLE {name}"),
        _ => {
            let user = mapped(fact).ok_or_else(|| format!("{} is not known", fact.id))?;
            format!("USER MAPPING FOR {user} SERVER {name}")
        }
    })
}

/// Drops something of foreign data.
pub(super) fn drop(fact: &Fact) -> Result<Vec<Statement>, String> {
    Ok(vec![Statement::whole(format!("DROP {}", called(fact)?))])
}

/// How something of foreign data becomes another.
pub(super) fn alter(before: &Fact, after: &Fact) -> Alteration {
    let only_options = constraints::differing(before, after).iter().all(|name| name == "options");
    if !only_options {
        return match after.id.part.as_str() {
            "table" => Alteration::Refused(format!(
                "the foreign table {} would be of another server or parent",
                after.id.object
            )),
            _ => Alteration::Remade,
        };
    }
    match called(after).and_then(|called| {
        Ok(format!("ALTER {called} {}", option_changes(before, after, "options")?))
    }) {
        Ok(sql) => Alteration::InPlace(vec![Statement::whole(sql)]),
        Err(why) => Alteration::Refused(why),
    }
}

/// Makes a publication, or adds to one.
pub(super) fn publish(fact: &Fact) -> Result<Vec<Statement>, String> {
    let name = quoted(&fact.id.object.name);
    Ok(vec![Statement::whole(match fact.id.part.as_str() {
        "subscription" => return Err(subscription(fact)),
        "" => {
            let all = if flag(fact, "all-tables") { " FOR ALL TABLES" } else { "" };
            format!("CREATE PUBLICATION {name}{all} WITH ({})", published(fact))
        }
        part => {
            let mut sql = format!("ALTER PUBLICATION {name} ADD {}", member(part)?);
            if !list(fact, "columns").is_empty() {
                sql.push_str(&format!(" ({})", names(list(fact, "columns"))));
            }
            if let Some(condition) = text(fact, "where") {
                sql.push_str(&format!(" WHERE ({condition})"));
            }
            sql
        }
    })])
}

fn subscription(fact: &Fact) -> String {
    format!(
        "the subscription {} connects to another server, and no snapshot holds how",
        fact.id.object
    )
}

fn published(fact: &Fact) -> String {
    let mut options = vec![format!("publish = {}", string(&list(fact, "publish").join(", ")))];
    if let Some(columns) = text(fact, "publish-generated-columns") {
        options.push(format!("publish_generated_columns = {columns}"));
    }
    if flag(fact, "via-partition-root") {
        options.push("publish_via_partition_root = true".to_owned());
    }
    options.join(", ")
}

/// A part of a publication, as it is added and dropped: of a table its rows alone, because those
/// that inherit from it are parts of their own.
fn member(part: &str) -> Result<String, String> {
    match part.strip_prefix("TABLE ").and_then(parsed) {
        Some(table) => Ok(format!("TABLE ONLY {}", qualified(&table))),
        None if part.starts_with("TABLES IN SCHEMA ") => Ok(part.to_owned()),
        None => Err(format!("`{part}` of a publication is not known")),
    }
}

/// The table that a part of a publication is.
pub(super) fn published_table(fact: &Fact) -> Option<ObjectName> {
    fact.id.part.strip_prefix("TABLE ").and_then(parsed)
}

/// Drops a publication, or a part of one.
pub(super) fn withdraw(fact: &Fact) -> Result<Vec<Statement>, String> {
    let name = quoted(&fact.id.object.name);
    Ok(vec![Statement::whole(match fact.id.part.as_str() {
        "subscription" => return Err(subscription(fact)),
        "" => format!("DROP PUBLICATION {name}"),
        part => format!("ALTER PUBLICATION {name} DROP {}", member(part)?),
    })])
}

/// How a publication becomes another.
pub(super) fn republish(before: &Fact, after: &Fact) -> Alteration {
    match after.id.part.as_str() {
        "subscription" => Alteration::Refused(subscription(after)),
        "" if flag(before, "all-tables") == flag(after, "all-tables") => {
            let name = quoted(&after.id.object.name);
            let mut options = published(after);
            if flag(before, "via-partition-root") && !flag(after, "via-partition-root") {
                options.push_str(", publish_via_partition_root = false");
            }
            if text(before, "publish-generated-columns").is_some()
                && text(after, "publish-generated-columns").is_none()
            {
                options.push_str(", publish_generated_columns = none");
            }
            let sql = format!("ALTER PUBLICATION {name} SET ({options})");
            Alteration::InPlace(vec![Statement::whole(sql)])
        }
        _ => Alteration::Remade,
    }
}
