//! Keys, indexes, checks and foreign keys.

use super::{MysqlDdl, Written, column, wording};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::engine::mysql::sql::quoted;
use crate::model::{Fact, ObjectKind};

/// The name of a key.
fn name(fact: &Fact) -> &str {
    text(fact, "name").unwrap_or(&fact.id.part)
}

/// A key as it stands in CREATE TABLE and after ADD.
pub(super) fn definition(ddl: MysqlDdl, key: &Fact) -> Result<String, String> {
    let mut words = match key.id.kind {
        ObjectKind::PrimaryKey => vec!["PRIMARY KEY".to_owned()],
        ObjectKind::Unique => vec![format!("UNIQUE INDEX {}", quoted(name(key)))],
        _ => {
            let kind = match wording::word_of(key, "kind")? {
                Some(kind) => format!("{kind} "),
                None if flag(key, "unique") => "UNIQUE ".to_owned(),
                None => String::new(),
            };
            vec![format!("{kind}INDEX {}", quoted(name(key)))]
        }
    };
    words.push(format!("({})", parts(key)?.join(", ")));
    if let Some(using) = wording::word_of(key, "using")? {
        words.push(format!("USING {using}"));
    }
    if let Some(options) = text(key, "options") {
        if !wording::is_whole(options) {
            return Err(format!("its options `{options}` are not understood"));
        }
        words.push(options.to_owned());
    }
    if let Some(parser) = text(key, "parser") {
        words.push(format!("WITH PARSER {}", quoted(parser)));
    }
    if let Some(comment) = text(key, "comment") {
        words.push(format!("COMMENT {}", wording::string(comment)));
    }
    if flag(key, "invisible") {
        words.push(if ddl.is_mariadb() { "IGNORED" } else { "INVISIBLE" }.to_owned());
    }
    Ok(words.join(" "))
}

/// The columns and expressions of a key.
fn parts(key: &Fact) -> Result<Vec<String>, String> {
    let (columns, terms) = (list(key, "columns"), list(key, "terms"));
    let (lengths, orders) = (list(key, "lengths"), list(key, "orders"));
    let mut parts = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let is_expression = terms.get(at).is_some_and(|term| term == "expression");
        let mut part = match is_expression {
            true => wording::bracketed(column)?,
            false => quoted(column),
        };
        if let Some(length) = lengths.get(at).filter(|length| !length.is_empty()) {
            part.push_str(&format!("({})", wording::word(length)?));
        }
        if orders.get(at).is_some_and(|order| order == "DESC") {
            part.push_str(" DESC");
        }
        parts.push(part);
    }
    if let Some(period) = text(key, "without-overlaps") {
        // The two columns of the period stand at the end.
        parts.truncate(parts.len().saturating_sub(2));
        parts.push(format!("{} WITHOUT OVERLAPS", quoted(period)));
    }
    Ok(parts)
}

/// Adds a key.
pub(super) fn create(ddl: MysqlDdl, key: &Fact) -> Written {
    let clause = format!("ADD {}", definition(ddl, key)?);
    Ok(vec![Statement::clause(&key.id.object, clause)])
}

/// Drops a key.
pub(super) fn drop(key: &Fact) -> Vec<Statement> {
    let clause = match key.id.kind {
        ObjectKind::PrimaryKey => "DROP PRIMARY KEY".to_owned(),
        _ => format!("DROP INDEX {}", quoted(name(key))),
    };
    vec![Statement::clause(&key.id.object, clause)]
}

/// Whether two facts differ in nothing but a flag.
fn differ_only_in(before: &Fact, after: &Fact, name: &str) -> bool {
    let rest = |fact: &Fact| {
        let mut attributes = fact.attributes.clone();
        attributes.remove(name);
        attributes
    };
    flag(before, name) != flag(after, name) && rest(before) == rest(after)
}

/// Makes a key another one, in one statement.
pub(super) fn alter(ddl: MysqlDdl, before: &Fact, after: &Fact) -> Alteration {
    if after.id.kind != ObjectKind::PrimaryKey && differ_only_in(before, after, "invisible") {
        let state = match (ddl.is_mariadb(), flag(after, "invisible")) {
            (true, true) => "IGNORED",
            (true, false) => "NOT IGNORED",
            (false, true) => "INVISIBLE",
            (false, false) => "VISIBLE",
        };
        let clause = format!("ALTER INDEX {} {state}", quoted(name(after)));
        return Alteration::InPlace(vec![Statement::clause(&after.id.object, clause)]);
    }
    let mut statements = drop(before);
    match create(ddl, after) {
        Ok(made) => statements.extend(made),
        Err(reason) => return Alteration::Refused(reason),
    }
    Alteration::InPlace(statements)
}

/// A check of a table, as it stands in CREATE TABLE and after ADD.
pub(super) fn check_definition(check: &Fact) -> Result<String, String> {
    let expression = text(check, "expression").ok_or("it has no expression")?;
    let expression = wording::bracketed(expression)?;
    let enforced = if flag(check, "not-enforced") { " NOT ENFORCED" } else { "" };
    Ok(format!("CONSTRAINT {} CHECK {expression}{enforced}", quoted(name(check))))
}

/// The column a check belongs to.
fn column_of<'a>(check: &Fact, schema: &Schema<'a>) -> Option<Result<&'a Fact, String>> {
    let name = text(check, "column")?;
    let column = schema.part(ObjectKind::Column, &check.id.object, name);
    Some(column.ok_or_else(|| format!("its column `{name}` is not there")))
}

/// Adds a check.
pub(super) fn create_check(ddl: MysqlDdl, check: &Fact, to: &Schema<'_>) -> Written {
    let clause = match column_of(check, to) {
        Some(column) => column::modified(ddl, column?, to)?,
        None => format!("ADD {}", check_definition(check)?),
    };
    Ok(vec![Statement::clause(&check.id.object, clause)])
}

/// Drops a check.
pub(super) fn drop_check(ddl: MysqlDdl, check: &Fact, from: &Schema<'_>) -> Written {
    let clause = match column_of(check, from) {
        Some(column) => {
            // Defined as it is, without its check.
            let column = column?;
            let bare = Schema::new([column]);
            column::modified(ddl, column, &bare)?
        }
        None if ddl.is_mariadb() => format!("DROP CONSTRAINT {}", quoted(name(check))),
        None => format!("DROP CHECK {}", quoted(name(check))),
    };
    Ok(vec![Statement::clause(&check.id.object, clause)])
}

/// Makes a check another one.
pub(super) fn alter_check(
    ddl: MysqlDdl,
    before: &Fact,
    after: &Fact,
    to: &Schema<'_>,
) -> Alteration {
    if text(before, "column").is_some() && text(before, "column") == text(after, "column") {
        return match create_check(ddl, after, to) {
            Ok(statements) => Alteration::InPlace(statements),
            Err(reason) => Alteration::Refused(reason),
        };
    }
    if !differ_only_in(before, after, "not-enforced") {
        return Alteration::Remade;
    }
    let state = if flag(after, "not-enforced") { "NOT ENFORCED" } else { "ENFORCED" };
    let clause = format!("ALTER CHECK {} {state}", quoted(name(after)));
    Alteration::InPlace(vec![Statement::clause(&after.id.object, clause)])
}

/// Adds a foreign key.
pub(super) fn create_foreign(key: &Fact) -> Written {
    let table = text(key, "table").ok_or("it refers to nothing")?;
    let parent = match text(key, "schema") {
        Some(schema) => {
            let bare = table.strip_prefix(schema).and_then(|rest| rest.strip_prefix('.'));
            let bare = bare.ok_or_else(|| format!("`{table}` is not in `{schema}`"))?;
            format!("{}.{}", quoted(schema), quoted(bare))
        }
        None => quoted(table),
    };
    let mut clause = format!(
        "ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {parent} ({})",
        quoted(name(key)),
        wording::names(list(key, "columns")),
        wording::names(list(key, "referenced-columns")),
    );
    for (attribute, words) in [("on-delete", "ON DELETE"), ("on-update", "ON UPDATE")] {
        match text(key, attribute) {
            // What the servers do anyway.
            None | Some("RESTRICT") => {}
            Some(action @ ("CASCADE" | "SET NULL" | "SET DEFAULT")) => {
                clause.push_str(&format!(" {words} {action}"));
            }
            Some(action) => return Err(format!("its action {action} is not known")),
        }
    }
    Ok(vec![Statement::clause(&key.id.object, clause)])
}

/// Drops a foreign key. An index that the server made for it would give way to the one of the next
/// foreign key over these columns; made again, it stays.
pub(super) fn drop_foreign(ddl: MysqlDdl, key: &Fact, from: &Schema<'_>) -> Written {
    let mut clause = format!("DROP FOREIGN KEY {}", quoted(name(key)));
    if let Some(index) = made_for(key, from) {
        let (name, definition) = (quoted(name(index)), definition(ddl, index)?);
        clause.push_str(&format!(", DROP INDEX {name}, ADD {definition}"));
    }
    Ok(vec![Statement::clause(&key.id.object, clause)])
}

/// The index that the server made for a foreign key, by the names it gives where none are given.
fn made_for<'a>(key: &Fact, from: &Schema<'a>) -> Option<&'a Fact> {
    let table = &key.id.object;
    let columns = list(key, "columns");
    let has_columns = |fact: &Fact| list(fact, "columns") == columns;
    let keys = from.parts(ObjectKind::ForeignKey, table);
    let is_only = keys.filter(|other| has_columns(other)).count() == 1;
    let is_unnamed = name(key).starts_with(&format!("{}_ibfk_", table.name));
    let index = from.part(ObjectKind::Index, table, columns.first()?)?;
    (is_only && is_unnamed && has_columns(index) && text(index, "kind").is_none()).then_some(index)
}
