//! Columns: their definitions, and their places among the others.
//!
//! A definition is written whole wherever a column changes, with the check that belongs to it,
//! because MODIFY forgets what it does not say. The order of columns is part of the schema; of the
//! columns that stay, as few as possible are moved.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{self, Relation};
use super::{MysqlDdl, Written, wording};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, text};
use crate::engine::mysql::catalog::tokens::{Kind, Token, cut};
use crate::engine::mysql::sql::quoted;
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// The columns of a table in its order, by what each comes after. Where several come after one,
/// their names decide; those whose place is not known stand last.
pub(super) fn ordered<'a>(schema: &Schema<'a>, table: &ObjectName) -> Vec<&'a Fact> {
    let mut after: BTreeMap<Option<&str>, Vec<&'a Fact>> = BTreeMap::new();
    let mut count = 0;
    for column in schema.parts(ObjectKind::Column, table) {
        after.entry(text(column, "after")).or_default().push(column);
        count += 1;
    }
    let mut ordered: Vec<&'a Fact> = Vec::with_capacity(count);
    let mut next: Vec<&'a Fact> = after.remove(&None).unwrap_or_default();
    next.reverse();
    while let Some(column) = next.pop() {
        ordered.push(column);
        let followers = after.remove(&Some(column.id.part.as_str())).unwrap_or_default();
        next.extend(followers.into_iter().rev());
    }
    ordered.extend(after.into_values().flatten());
    ordered
}

/// The columns of both schemas that have to be moved, given that the others stay where they are.
fn moved<'a>(from: &Schema<'a>, to: &Schema<'a>, table: &ObjectName) -> BTreeSet<&'a str> {
    let before = ordered(from, table);
    let places: BTreeMap<&str, usize> =
        before.iter().enumerate().map(|(at, column)| (column.id.part.as_str(), at)).collect();
    let common: Vec<(&'a str, usize)> = ordered(to, table)
        .into_iter()
        .filter_map(|column| {
            let name = column.id.part.as_str();
            Some((name, *places.get(name)?))
        })
        .collect();
    let staying = longest_rise(&common.iter().map(|(_, place)| *place).collect::<Vec<_>>());
    let moved = common.iter().enumerate().filter(|(at, _)| !staying.contains(at));
    moved.map(|(_, (name, _))| *name).collect()
}

/// Where the members of the longest rising part of a sequence stand.
fn longest_rise(places: &[usize]) -> BTreeSet<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; places.len()];
    for (at, place) in places.iter().enumerate() {
        let length = ends.partition_point(|&end| places[end] < *place);
        before[at] = length.checked_sub(1).map(|last| ends[last]);
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut rise = BTreeSet::new();
    let mut at = ends.last().copied();
    while let Some(here) = at {
        rise.insert(here);
        at = before[here];
    }
    rise
}

/// The check that belongs to a column.
fn check<'a>(column: &Fact, schema: &Schema<'a>) -> Option<&'a Fact> {
    schema
        .parts(ObjectKind::Check, &column.id.object)
        .find(|check| text(check, "column") == Some(&column.id.part))
}

/// Whether a default is written as it is, rather than in brackets as an expression.
fn is_literal(tokens: &[Token<'_>]) -> bool {
    match tokens {
        [one] => {
            matches!(one.kind, Kind::Text | Kind::Number)
                || ["NULL", "TRUE", "FALSE", "CURRENT_TIMESTAMP"].iter().any(|word| one.is(word))
        }
        [sign, number] if sign.is_symbol("-") || sign.is_symbol("+") => number.kind == Kind::Number,
        [prefix, digits] => {
            ["b", "x", "n"].iter().any(|word| prefix.is(word))
                && digits.kind == Kind::Text
                && !digits.has_gap
        }
        [now, ..] => now.is("CURRENT_TIMESTAMP") && tokens.len() == 4,
        [] => false,
    }
}

fn default_of(ddl: MysqlDdl, column: &Fact, type_text: &str) -> Result<Option<String>, String> {
    let Some(default) = text(column, "default") else { return Ok(None) };
    if !wording::is_whole(default) {
        return Err(format!("its default `{default}` is not understood"));
    }
    // MySQL takes no literal for types without a length.
    let takes_literals = ddl.is_mariadb() || !types::is_unbounded(type_text);
    Ok(Some(match takes_literals && is_literal(&cut(default)) {
        true => default.to_owned(),
        false => format!("({default})"),
    }))
}

/// What follows the name of a column, with its check as the schema has it.
pub(super) fn definition(
    ddl: MysqlDdl,
    column: &Fact,
    schema: &Schema<'_>,
) -> Result<String, String> {
    let type_text = text(column, "type").ok_or("it has no type")?;
    if !wording::is_whole(type_text) {
        return Err(format!("its type `{type_text}` is not understood"));
    }
    let mut words = vec![type_text.to_owned()];
    if let Some(charset) = wording::word_of(column, "charset")? {
        words.push(format!("CHARACTER SET {charset}"));
    }
    if let Some(collation) = wording::word_of(column, "collation")? {
        words.push(format!("COLLATE {collation}"));
    }
    let options = text(column, "options");
    if options.is_some_and(|options| !wording::is_whole(options)) {
        return Err("its options are not understood".to_owned());
    }
    let is_early = |options: &&str| options.starts_with("COMPRESSED");
    words.extend(options.filter(is_early).map(str::to_owned));
    match text(column, "generated") {
        Some(row @ ("ROW START" | "ROW END")) => {
            words.push(format!("GENERATED ALWAYS AS {row}"));
        }
        Some(expression) => {
            let expression = wording::bracketed(expression)?;
            let kind = if flag(column, "stored") { "STORED" } else { "VIRTUAL" };
            words.push(format!("GENERATED ALWAYS AS {expression} {kind}"));
            if flag(column, "not-null") {
                words.push("NOT NULL".to_owned());
            }
        }
        None => values(ddl, column, type_text, &mut words)?,
    }
    if flag(column, "invisible") {
        words.push("INVISIBLE".to_owned());
    }
    if let Some(srid) = wording::word_of(column, "srid")? {
        let words_of = if ddl.is_mariadb() { "REF_SYSTEM_ID=" } else { "SRID " };
        words.push(format!("{words_of}{srid}"));
    }
    if flag(column, "without-system-versioning") {
        words.push("WITHOUT SYSTEM VERSIONING".to_owned());
    }
    words.extend(options.filter(|options| !is_early(options)).map(str::to_owned));
    if let Some(comment) = text(column, "comment") {
        words.push(format!("COMMENT {}", wording::string(comment)));
    }
    if let Some(expression) = check(column, schema).and_then(|check| text(check, "expression")) {
        words.push(format!("CHECK {}", wording::bracketed(expression)?));
    }
    Ok(words.join(" "))
}

/// What a column with values of its own says of them.
fn values(
    ddl: MysqlDdl,
    column: &Fact,
    type_text: &str,
    words: &mut Vec<String>,
) -> Result<(), String> {
    let is_not_null = flag(column, "not-null");
    if is_not_null {
        words.push("NOT NULL".to_owned());
    } else if types::word(type_text) == "timestamp" {
        // It could be NOT NULL by itself.
        words.push("NULL".to_owned());
    }
    match default_of(ddl, column, type_text)? {
        Some(default) => words.push(format!("DEFAULT {default}")),
        None if !is_not_null && types::word(type_text) == "timestamp" => {
            words.push("DEFAULT NULL".to_owned());
        }
        None => {}
    }
    if let Some(on_update) = text(column, "on-update") {
        if !wording::is_whole(on_update) {
            return Err(format!("ON UPDATE `{on_update}` is not understood"));
        }
        words.push(format!("ON UPDATE {on_update}"));
    }
    if flag(column, "auto-increment") {
        words.push("AUTO_INCREMENT".to_owned());
    }
    Ok(())
}

/// Where a column stands: after the one before it.
fn place(column: &Fact) -> String {
    match text(column, "after") {
        Some(before) => format!(" AFTER {}", quoted(before)),
        None => " FIRST".to_owned(),
    }
}

/// The clause that takes the default from a column that has none, not even NULL.
pub(super) fn without_default(column: &Fact) -> Option<String> {
    flag(column, "no-default")
        .then(|| format!("ALTER COLUMN {} DROP DEFAULT", quoted(&column.id.part)))
}

/// Adds a column.
pub(super) fn create(ddl: MysqlDdl, column: &Fact, to: &Schema<'_>) -> Written {
    let table = &column.id.object;
    let name = quoted(&column.id.part);
    let definition = definition(ddl, column, to)?;
    let added = format!("ADD COLUMN {name} {definition}{}", place(column));
    let mut statements = vec![Statement::clause(table, added)];
    statements.extend(without_default(column).map(|clause| Statement::clause(table, clause)));
    Ok(statements)
}

/// Drops a column.
pub(super) fn drop(column: &Fact) -> Written {
    let clause = format!("DROP COLUMN {}", quoted(&column.id.part));
    Ok(vec![Statement::clause(&column.id.object, clause)])
}

/// The clause that defines a column as a schema has it, where it stands.
pub(super) fn modified(
    ddl: MysqlDdl,
    column: &Fact,
    schema: &Schema<'_>,
) -> Result<String, String> {
    let name = quoted(&column.id.part);
    Ok(format!("MODIFY COLUMN {name} {}", definition(ddl, column, schema)?))
}

/// Whether a column is part of a key that a row may be found by.
pub(super) fn is_in_key(column: &FactId, schema: &Schema<'_>) -> bool {
    schema.of(&column.object).iter().any(|fact| {
        matches!(fact.id.kind, ObjectKind::PrimaryKey | ObjectKind::Unique)
            && crate::engine::ddl::list(fact, "columns").contains(&column.part)
    })
}

/// Whether a column cannot become another one with its values.
pub(super) fn is_remade(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let (was, is) = (text(before, "generated"), text(after, "generated"));
    if was.is_some() || is.is_some() {
        return was.is_some() != is.is_some()
            || flag(before, "stored") != flag(after, "stored")
            || was != is;
    }
    let is_foreign = types::relation(before, after) == Relation::Foreign;
    // The values of a key are what the rows are found by: those the server converts.
    is_foreign && !is_in_key(&before.id, from) && !is_in_key(&after.id, to)
}

/// Alters a column, and moves it with those that stay behind it.
pub(super) fn alter(
    ddl: MysqlDdl,
    before: &Fact,
    after: &Fact,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Alteration {
    if is_remade(before, after, from, to) {
        return Alteration::Remade;
    }
    let is_plain = |column: &Fact| text(column, "generated").is_none();
    if is_plain(before) && is_plain(after) && types::relation(before, after) == Relation::Foreign {
        return Alteration::Refused(format!(
            "rows are found by it, and its type changes from {} to {}, which does not take its values",
            text(before, "type").unwrap_or_default(),
            text(after, "type").unwrap_or_default()
        ));
    }
    match altered(ddl, before, after, from, to) {
        Ok(statements) => Alteration::InPlace(statements),
        Err(reason) => Alteration::Refused(reason),
    }
}

fn altered(
    ddl: MysqlDdl,
    before: &Fact,
    after: &Fact,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Written {
    let table = &after.id.object;
    let differs = says(before) != says(after);
    let is_at_place = text(before, "after") == text(after, "after");
    if is_at_place && !differs {
        return Ok(Vec::new());
    }
    let moved = moved(from, to, table);
    let is_moved = moved.contains(after.id.part.as_str());
    if !is_moved && !differs {
        return Ok(Vec::new());
    }
    let mut clauses = Vec::new();
    let place_of = |is_moved: bool| if is_moved { place(after) } else { String::new() };
    clauses.push(format!("{}{}", modified(ddl, after, to)?, place_of(is_moved)));
    clauses.extend(without_default(after));
    if is_moved {
        // Columns that stay behind this one say nothing new, and nobody else moves them.
        let order = ordered(to, table);
        let behind = order.iter().skip_while(|column| column.id != after.id).skip(1);
        for column in behind {
            let is_same = from.get(&column.id).is_some_and(|b| b.attributes == column.attributes);
            if !is_same || !moved.contains(column.id.part.as_str()) {
                break;
            }
            clauses.push(format!("{}{}", modified(ddl, column, to)?, place(column)));
        }
    }
    Ok(clauses.into_iter().map(|clause| Statement::clause(table, clause)).collect())
}

/// What a column says beside its place.
fn says(column: &Fact) -> Vec<(&String, &crate::model::Attribute)> {
    column.attributes.iter().filter(|(name, _)| *name != "after").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_few_columns_as_possible_move() {
        assert_eq!(longest_rise(&[0, 2, 1, 3]).len(), 3);
        assert_eq!(longest_rise(&[3, 0, 1, 2]), BTreeSet::from([1, 2, 3]));
        assert_eq!(longest_rise(&[]), BTreeSet::new());
    }

    #[test]
    fn literals_and_expressions() {
        for literal in ["'a'", "-1", "1.50", "b'101'", "CURRENT_TIMESTAMP(3)", "NULL"] {
            assert!(is_literal(&cut(literal)), "{literal}");
        }
        for expression in ["uuid()", "1 + 2", "_utf8mb4'a'", "now()", "nextval(`s`)"] {
            assert!(!is_literal(&cut(expression)), "{expression}");
        }
    }
}
