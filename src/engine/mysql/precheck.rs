//! What the rows must be like for a schema to come: queries that give a row where they are not.
//!
//! They are asked before the first statement that would fail for such a row, because what ran until
//! then would have to be undone. What no query here asks the server finds when the step runs.

use std::collections::BTreeSet;

use super::MysqlDdl;
use super::sql::{quoted, text as literal};
use crate::engine::ddl::{Schema, flag, list, text};
use crate::model::{Fact, ObjectKind};

/// A query that gives a row where something is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub object: String,
    /// What is wrong where it gives a row.
    pub reason: &'static str,
    /// The query.
    pub query: String,
}

/// The checks of the rows of a schema, for what another one demands.
pub fn checks(ddl: MysqlDdl, from: &Schema<'_>, to: &Schema<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for fact in to.facts() {
        let before = from.get(&fact.id);
        if before.is_some_and(|before| before.attributes == fact.attributes)
            || from.object(ObjectKind::Table, &fact.id.object).is_none()
        {
            continue;
        }
        let mut add = |reason, query: Option<String>| {
            if let Some(query) = query {
                checks.push(Check { object: fact.id.to_string(), reason, query });
            }
        };
        match (fact.id.kind, before) {
            (ObjectKind::Column, Some(before)) => {
                add("it holds NULL, and shall not", nulls(before, fact));
                add("it holds a value that does not fit its new type", misfits(before, fact));
            }
            (ObjectKind::PrimaryKey | ObjectKind::Unique, _) => {
                add("rows have the same values", duplicates(fact, from));
            }
            (ObjectKind::Index, _) if flag(fact, "unique") => {
                add("rows have the same values", duplicates(fact, from));
            }
            (ObjectKind::ForeignKey, _) => {
                add("a row refers to nothing", orphans(fact, from));
            }
            (ObjectKind::Check, _) if !flag(fact, "not-enforced") => {
                add("a row is not as the check demands", violations(ddl, fact));
            }
            _ => {}
        }
    }
    checks
}

/// A query for a foreign key to a table, from one that is in another database or not among these.
pub fn held_from_elsewhere(table: &str, known: &BTreeSet<&str>) -> String {
    let known: Vec<String> = known.iter().map(|name| literal(name)).collect();
    let is_known = match known.is_empty() {
        true => "FALSE".to_owned(),
        false => format!("TABLE_NAME IN ({})", known.join(", ")),
    };
    format!(
        "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME \
         FROM information_schema.REFERENTIAL_CONSTRAINTS \
         WHERE UNIQUE_CONSTRAINT_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME = {} \
         AND NOT (CONSTRAINT_SCHEMA = DATABASE() AND {is_known}) LIMIT 1",
        literal(table)
    )
}

fn is_generated(column: &Fact) -> bool {
    text(column, "generated").is_some()
}

fn nulls(before: &Fact, after: &Fact) -> Option<String> {
    let is_new = flag(after, "not-null") && !flag(before, "not-null");
    let (table, column) = (quoted(&after.id.object.name), quoted(&after.id.part));
    (is_new && !is_generated(before))
        .then(|| format!("SELECT COUNT(*) FROM {table} WHERE {column} IS NULL HAVING COUNT(*) > 0"))
}

/// The word, the numbers in brackets and the rest of a type.
fn parts(type_text: &str) -> (&str, Vec<u32>) {
    let end = type_text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(type_text.len());
    let inner = type_text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let numbers = inner.map_or("", |(inner, _)| inner).split(',');
    (&type_text[..end], numbers.filter_map(|number| number.trim().parse().ok()).collect())
}

/// The bits of an integer type.
fn bits(word: &str) -> Option<u32> {
    Some(match word {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        _ => return None,
    })
}

fn misfits(before: &Fact, after: &Fact) -> Option<String> {
    let (was, is) = (text(before, "type")?, text(after, "type")?);
    if was == is || is_generated(before) || is_generated(after) {
        return None;
    }
    let (table, column) = (quoted(&after.id.object.name), quoted(&after.id.part));
    let ((old, _), (new, sizes)) = (parts(was), parts(is));
    let is_text = |word: &str| word.ends_with("char") || word.ends_with("text");
    let is_number = |word: &str| bits(word).is_some() || word == "decimal";
    let condition = if let Some(bits) = bits(new).filter(|_| is_number(old)) {
        let (low, high) = match is.contains("unsigned") {
            true => (0, (1_i128 << bits) - 1),
            false => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        };
        format!("{column} < {low} OR {column} > {high}")
    } else if ["char", "varchar"].contains(&new) && is_text(old) {
        format!("CHAR_LENGTH({column}) > {}", sizes.first()?)
    } else if ["binary", "varbinary"].contains(&new) && old.ends_with("binary") {
        format!("LENGTH({column}) > {}", sizes.first()?)
    } else if new == "enum" && (is_text(old) || old == "enum") {
        format!("{column} NOT IN {}", is.strip_prefix("enum")?)
    } else {
        return None;
    };
    Some(format!("SELECT {column} FROM {table} WHERE {condition} LIMIT 1"))
}

fn duplicates(key: &Fact, from: &Schema<'_>) -> Option<String> {
    let columns = list(key, "columns");
    let is_plain = |name: &String| {
        from.part(ObjectKind::Column, &key.id.object, name).is_some_and(|c| !is_generated(c))
    };
    let has_terms = list(key, "terms").iter().any(|term| term == "expression");
    let is_other = text(key, "kind").is_some() || key.attributes.contains_key("without-overlaps");
    if columns.is_empty() || has_terms || is_other || !columns.iter().all(is_plain) {
        return None;
    }
    let lengths = list(key, "lengths");
    let terms: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, name)| match lengths.get(at).map(String::as_str) {
            Some(length) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
                format!("LEFT({}, {length})", quoted(name))
            }
            _ => quoted(name),
        })
        .collect();
    let known: Vec<String> =
        columns.iter().map(|name| format!("{} IS NOT NULL", quoted(name))).collect();
    let (terms, known) = (terms.join(", "), known.join(" AND "));
    let table = quoted(&key.id.object.name);
    Some(format!(
        "SELECT {terms} FROM {table} WHERE {known} GROUP BY {terms} HAVING COUNT(*) > 1 LIMIT 1"
    ))
}

fn orphans(key: &Fact, from: &Schema<'_>) -> Option<String> {
    let (columns, referenced) = (list(key, "columns"), list(key, "referenced-columns"));
    let parent = text(key, "table")?;
    let has = |table: &str, names: &[String]| {
        let object = crate::model::ObjectName::bare(table);
        names.iter().all(|name| from.part(ObjectKind::Column, &object, name).is_some())
    };
    let is_here = text(key, "schema").is_none();
    if !is_here
        || columns.len() != referenced.len()
        || !has(parent, referenced)
        || !has(&key.id.object.name, columns)
    {
        return None;
    }
    let pairs = columns.iter().zip(referenced);
    let joined: Vec<String> =
        pairs.map(|(c, p)| format!("p.{} = c.{}", quoted(p), quoted(c))).collect();
    let known: Vec<String> =
        columns.iter().map(|c| format!("c.{} IS NOT NULL", quoted(c))).collect();
    let shown: Vec<String> = columns.iter().map(|c| format!("c.{}", quoted(c))).collect();
    Some(format!(
        "SELECT {} FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT 1",
        shown.join(", "),
        quoted(&key.id.object.name),
        known.join(" AND "),
        quoted(parent),
        joined.join(" AND ")
    ))
}

fn violations(ddl: MysqlDdl, check: &Fact) -> Option<String> {
    if ddl == MysqlDdl::Mysql57 {
        return None;
    }
    let expression = text(check, "expression")?;
    let table = quoted(&check.id.object.name);
    Some(format!("SELECT COUNT(*) FROM {table} WHERE NOT ({expression}) HAVING COUNT(*) > 0"))
}
