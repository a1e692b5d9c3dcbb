//! What a person says: `TABLE=NEW`, `TABLE.COLUMN=NEW`, each name as the first state spells it.

use super::super::enforcement::Enforcement;
use super::super::error::PackError;
use super::super::request::PackSide;
use crate::engine::ddl::{Rename, Renames};
use crate::model::{Fact, ObjectKind, ObjectName};

/// The renames that these words name.
pub fn resolve(
    words: &[String],
    before: &PackSide,
    after: &PackSide,
) -> Result<Renames, PackError> {
    let mut renames = Renames::none();
    let mut all: Vec<Rename> = Vec::new();
    for word in words {
        let wrong = |reason: String| PackError::Rename { word: word.clone(), reason };
        let rename = one(word, before).map_err(wrong)?;
        if all.contains(&rename) {
            continue;
        }
        let is_same =
            |other: &&Rename| other.table == rename.table && other.column == rename.column;
        if all.iter().any(|other| is_same(&other)) {
            return Err(wrong("it gets two names".to_owned()));
        }
        let is_taken = |other: &Rename| {
            let (a, b) = (&other.table, &rename.table);
            let is_beside = match (&other.column, &rename.column) {
                (Some(_), Some(_)) => a == b,
                (None, None) => a.schema == b.schema,
                _ => false,
            };
            is_beside && other.to == rename.to
        };
        if all.iter().any(is_taken) {
            return Err(wrong("another gets that name".to_owned()));
        }
        renames.add(&rename);
        all.push(rename);
    }
    for rename in &all {
        check(rename, &renames, before, after)
            .map_err(|reason| PackError::Rename { word: said(rename), reason })?;
    }
    Ok(renames)
}

/// How a person says it.
fn said(rename: &Rename) -> String {
    match &rename.column {
        Some(column) => format!("{}.{column}={}", rename.table, rename.to),
        None => format!("{}={}", rename.table, rename.to),
    }
}

/// A name may have a `=` of its own: what is before one is what the first state has.
fn one(word: &str, before: &PackSide) -> Result<Rename, String> {
    let mut found: Vec<Rename> = Vec::new();
    for (at, _) in word.match_indices('=') {
        let (old, to) = (&word[..at], &word[at + 1..]);
        for table in tables(&before.facts) {
            let is_table = |name: &str| *name == table.to_string() || *name == table.name;
            if is_table(old) {
                let to = bare(table, to)?;
                found.push(Rename { table: table.clone(), column: None, to });
            }
            for column in columns(&before.facts, table) {
                let of = old.strip_suffix(column).and_then(|rest| rest.strip_suffix('.'));
                if of.is_some_and(is_table) {
                    let (table, column) = (table.clone(), Some(column.to_owned()));
                    found.push(Rename { table, column, to: to.to_owned() });
                }
            }
        }
    }
    match found.len() {
        1 => {
            let rename = found.swap_remove(0);
            match rename.to.is_empty() {
                true => Err("it has no new name".to_owned()),
                false => Ok(rename),
            }
        }
        0 if !word.contains('=') => Err("it is not of the form OLD=NEW".to_owned()),
        0 => Err("the first state has no such table or column (TABLE=NEW, or TABLE.COLUMN=NEW)"
            .to_owned()),
        _ => Err("it may mean several tables or columns: name the schema too".to_owned()),
    }
}

/// The new name of a table, which stays in its schema.
fn bare(table: &ObjectName, to: &str) -> Result<String, String> {
    if table.schema.is_empty() {
        return Ok(to.to_owned());
    }
    let own = ObjectName { schema: table.schema.clone(), name: String::new() }.to_string();
    match to.strip_prefix(&own) {
        Some(name) => Ok(name.to_owned()),
        None if to.contains('.') => Err("a table stays in its schema".to_owned()),
        None => Ok(to.to_owned()),
    }
}

fn tables(facts: &[Fact]) -> impl Iterator<Item = &ObjectName> {
    facts.iter().filter(|fact| fact.id.kind == ObjectKind::Table).map(|fact| &fact.id.object)
}

fn columns<'f>(facts: &'f [Fact], table: &'f ObjectName) -> impl Iterator<Item = &'f str> {
    let of_table = |fact: &&Fact| fact.id.kind == ObjectKind::Column && fact.id.object == *table;
    facts.iter().filter(of_table).map(|fact| fact.id.part.as_str())
}

/// A name that changes is in the first state alone, and the new one in the second alone.
fn check(
    rename: &Rename,
    renames: &Renames,
    before: &PackSide,
    after: &PackSide,
) -> Result<(), String> {
    let new_table = renames.object(&rename.table);
    let is_table = |facts: &[Fact], name: &ObjectName| tables(facts).any(|table| table == name);
    let ignores_case = before.enforcement().is_ok_and(Enforcement::ignores_case);
    let is_one = |a: &str, b: &str| if ignores_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let Some(column) = &rename.column else {
        let taken = before.facts.iter().find(|fact| {
            let object = &fact.id.object;
            takes_names(fact)
                && object.schema == new_table.schema
                && is_one(&object.name, &new_table.name)
        });
        return match () {
            () if is_table(&after.facts, &rename.table) => {
                Err(format!("the second state has a table {} too", rename.table))
            }
            () if !is_table(&after.facts, &new_table) => {
                Err(format!("the second state has no table {new_table}"))
            }
            () => match taken {
                Some(fact) => {
                    Err(format!("the first state has a {} {} too", fact.id.kind, fact.id.object))
                }
                None => Ok(()),
            },
        };
    };
    let taken = columns(&before.facts, &rename.table).find(|name| is_one(name, &rename.to));
    let has = |facts: &[Fact], table: &ObjectName, name: &str| {
        columns(facts, table).any(|column| column == name)
    };
    match () {
        () if !is_table(&after.facts, &new_table) => Err(format!(
            "the second state has no table {new_table}; one that has another name there is renamed \
             as well"
        )),
        () if has(&after.facts, &new_table, column) => {
            Err(format!("the column {column} is in the second state too"))
        }
        () if !has(&after.facts, &new_table, &rename.to) => {
            Err(format!("the second state has no column {} in {new_table}", rename.to))
        }
        () => match taken.filter(|taken| taken != column) {
            Some(taken) => {
                Err(format!("the first state has a column {taken} in {} too", rename.table))
            }
            None => Ok(()),
        },
    }
}

/// Whether a fact is of an object that has its name among those of tables.
fn takes_names(fact: &Fact) -> bool {
    let is_whole = fact.id.part.is_empty();
    match fact.id.kind {
        ObjectKind::Foreign => fact.id.part == "table",
        ObjectKind::Table
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::VirtualTable
        | ObjectKind::Index
        | ObjectKind::Sequence
        | ObjectKind::Type
        | ObjectKind::Domain => is_whole,
        _ => false,
    }
}
