//! Tables as a whole: CREATE TABLE, and the options of a table.

use super::{MysqlDdl, Written, column, key, partition, types, wording};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::engine::mysql::sql::quoted;
use crate::engine::trash_name;
use crate::model::{Fact, ObjectKind, ObjectName};

/// Options whose value is a string for the server.
const STRINGS: [&str; 7] = [
    "COMPRESSION",
    "DATA DIRECTORY",
    "ENCRYPTION",
    "ENGINE_ATTRIBUTE",
    "INDEX DIRECTORY",
    "PASSWORD",
    "SECONDARY_ENGINE_ATTRIBUTE",
];

/// Options that can be taken back, and the value that says nothing.
const RESETS: [(&str, &str); 18] = [
    ("AUTOEXTEND_SIZE", "0"),
    ("AVG_ROW_LENGTH", "0"),
    ("CHECKSUM", "0"),
    ("COMPRESSION", "''"),
    ("DELAY_KEY_WRITE", "0"),
    ("ENCRYPTED", "DEFAULT"),
    ("ENCRYPTION", "'N'"),
    ("ENCRYPTION_KEY_ID", "DEFAULT"),
    ("INSERT_METHOD", "NO"),
    ("MAX_ROWS", "0"),
    ("MIN_ROWS", "0"),
    ("PACK_KEYS", "DEFAULT"),
    ("PAGE_CHECKSUM", "DEFAULT"),
    ("PAGE_COMPRESSED", "DEFAULT"),
    ("PAGE_COMPRESSION_LEVEL", "DEFAULT"),
    ("STATS_AUTO_RECALC", "DEFAULT"),
    ("STATS_PERSISTENT", "DEFAULT"),
    ("STATS_SAMPLE_PAGES", "DEFAULT"),
];

/// What stands in a definition where a password or a key was.
const HIDDEN: &str = "***";

/// Makes a table with everything that belongs to it.
pub(super) fn create(ddl: MysqlDdl, table: &Fact, inline: &[&Fact]) -> Written {
    let name = &table.id.object;
    // What comes with the table, as it is to be now; a column's check is found beside it.
    let here = Schema::new(inline.iter().copied().chain([table]));
    let mut elements = Vec::new();
    let mut later = Vec::new();
    for fact in column::ordered(&here, name) {
        let definition = column::definition(ddl, fact, &here)?;
        elements.push(format!("{} {definition}", quoted(&fact.id.part)));
        later.extend(column::without_default(fact));
    }
    for kind in [ObjectKind::PrimaryKey, ObjectKind::Unique, ObjectKind::Index] {
        for fact in here.parts(kind, name) {
            elements.push(key::definition(ddl, fact)?);
        }
    }
    elements.extend(periods(table, &here)?);
    for fact in here.parts(ObjectKind::Check, name) {
        if text(fact, "column").is_none() {
            elements.push(key::check_definition(fact)?);
        }
    }
    let mut statement = format!("CREATE TABLE {} (\n  ", quoted(&name.name));
    statement.push_str(&elements.join(",\n  "));
    statement.push_str("\n)");
    let options = options(table)?;
    for (_, option) in &options {
        statement.push(' ');
        statement.push_str(option);
    }
    if flag(table, "system-versioned") {
        statement.push_str(" WITH SYSTEM VERSIONING");
    }
    if here.part(ObjectKind::Partition, name, "").is_some() {
        statement.push('\n');
        statement.push_str(&partition::whole(name, &here)?);
    }
    let mut statements = vec![Statement::whole(statement)];
    statements.extend(later.into_iter().map(|clause| Statement::clause(name, clause)));
    Ok(statements)
}

/// Puts a table aside: until everything else is as it shall be, it can come back with its rows.
pub(super) fn put_aside(table: &Fact) -> Vec<Statement> {
    let name = &table.id.object.name;
    let aside = trash_name(name);
    vec![Statement::whole(format!("RENAME TABLE {} TO {}", quoted(name), quoted(&aside)))]
}

/// The tables with a column whose new type does not take its values. One that keeps its history would
/// lose that.
pub(super) fn made_anew(from: &Schema<'_>, to: &Schema<'_>) -> Vec<ObjectName> {
    let is_plain = |column: &Fact| text(column, "generated").is_none();
    let is_foreign = |before: &&Fact| {
        to.get(&before.id).is_some_and(|after| {
            is_plain(before)
                && is_plain(after)
                && types::relation(before, after) == types::Relation::Foreign
        })
    };
    let stays = |table: &&Fact| {
        let after = to.get(&table.id);
        after.is_some_and(|after| [*table, after].iter().all(|t| !flag(t, "system-versioned")))
    };
    let tables = from.of_kind(ObjectKind::Table).filter(stays).map(|table| &table.id.object);
    let is_anew = |table: &&ObjectName| {
        from.parts(ObjectKind::Column, table).any(|column| is_foreign(&column))
    };
    tables.filter(is_anew).cloned().collect()
}

/// Drops a table that was put aside.
pub(super) fn dropped_for_good(table: &ObjectName) -> String {
    format!("DROP TABLE IF EXISTS {}", quoted(&trash_name(&table.name)))
}

/// The periods of a table, as elements of its definition.
fn periods(table: &Fact, schema: &Schema<'_>) -> Result<Vec<String>, String> {
    let written = list(table, "periods").iter().map(|period| written_period(table, period, schema));
    written.collect()
}

fn written_period(table: &Fact, period: &str, schema: &Schema<'_>) -> Result<String, String> {
    let wrong = || format!("its period `{period}` is not understood");
    let columns: Vec<&str> = schema
        .parts(ObjectKind::Column, &table.id.object)
        .map(|column| column.id.part.as_str())
        .collect();
    let inner = period.strip_suffix(')').ok_or_else(wrong)?;
    // Names may hold anything, so the columns are looked for.
    let mut found = columns.iter().flat_map(|start| {
        columns.iter().filter_map(move |end| {
            inner.strip_suffix(&format!(" ({start}, {end}")).map(|name| (name, *start, *end))
        })
    });
    let (Some((name, start, end)), None) = (found.next(), found.next()) else {
        return Err(wrong());
    };
    let name = match name {
        "SYSTEM_TIME" => name.to_owned(),
        _ => quoted(name),
    };
    Ok(format!("PERIOD FOR {name} ({}, {})", quoted(start), quoted(end)))
}

/// The name of a period, as a clause names it.
fn period_name(period: &str) -> Result<String, String> {
    let (name, _) = period.rsplit_once(" (").ok_or("its period is not understood")?;
    Ok(if name == "SYSTEM_TIME" { name.to_owned() } else { quoted(name) })
}

/// The options of a table by what they set, as they stand behind its definition.
fn options(table: &Fact) -> Result<Vec<(String, String)>, String> {
    let mut options = Vec::new();
    let mut push = |name: &str, option: String| options.push((name.to_owned(), option));
    if let Some(engine) = wording::word_of(table, "engine")? {
        push("ENGINE", format!("ENGINE={engine}"));
    }
    if let Some(charset) = wording::word_of(table, "charset")? {
        let collation = wording::word_of(table, "collation")?;
        let collate = collation.map(|name| format!(" COLLATE={name}")).unwrap_or_default();
        push("CHARSET", format!("DEFAULT CHARSET={charset}{collate}"));
    }
    if let Some(format) = wording::word_of(table, "row-format")? {
        push("ROW_FORMAT", format!("ROW_FORMAT={format}"));
    }
    if let Some(size) = wording::word_of(table, "key-block-size")? {
        push("KEY_BLOCK_SIZE", format!("KEY_BLOCK_SIZE={size}"));
    }
    for option in list(table, "options") {
        let (name, value) = option.split_once('=').ok_or("an option has no value")?;
        push(name, written_option(name, value)?);
    }
    if let Some(union) = text(table, "union") {
        if !wording::is_whole(union) {
            return Err(format!("its union `{union}` is not understood"));
        }
        push("UNION", format!("UNION={union}"));
    }
    if let Some(connection) = text(table, "connection") {
        if connection.contains(HIDDEN) {
            return Err("its connection holds a secret, which is not kept".to_owned());
        }
        push("CONNECTION", format!("CONNECTION={}", wording::string(connection)));
    }
    if let Some(comment) = text(table, "comment") {
        push("COMMENT", format!("COMMENT={}", wording::string(comment)));
    }
    Ok(options)
}

fn written_option(name: &str, value: &str) -> Result<String, String> {
    let words: Result<Vec<&str>, String> = name.split(' ').map(wording::word).collect();
    words?;
    if value.contains(HIDDEN) {
        return Err(format!("its option {name} holds a secret, which is not kept"));
    }
    if name == "TABLESPACE" {
        return Ok(format!("TABLESPACE {}", quoted(value)));
    }
    let is_string = STRINGS.contains(&name) || wording::word(value).is_err();
    Ok(match is_string {
        true => format!("{name}={}", wording::string(value)),
        false => format!("{name}={value}"),
    })
}

/// The option with which nothing is said any more.
fn reset(name: &str) -> Result<String, String> {
    match name {
        "ROW_FORMAT" => Ok("ROW_FORMAT=DEFAULT".to_owned()),
        "KEY_BLOCK_SIZE" => Ok("KEY_BLOCK_SIZE=0".to_owned()),
        "COMMENT" => Ok("COMMENT=''".to_owned()),
        "CONNECTION" => Ok("CONNECTION=''".to_owned()),
        "UNION" => Ok("UNION=()".to_owned()),
        _ => {
            let value = RESETS.iter().find(|(reset, _)| *reset == name).map(|(_, value)| *value);
            let value = value.ok_or_else(|| format!("its option {name} cannot be taken back"))?;
            Ok(format!("{name}={value}"))
        }
    }
}

/// Changes what differs in a table as a whole.
pub(super) fn alter(before: &Fact, after: &Fact, to: &Schema<'_>) -> Alteration {
    match clauses(before, after, to) {
        Ok(clauses) => {
            let table = &after.id.object;
            let clauses = clauses.into_iter();
            Alteration::InPlace(clauses.map(|clause| Statement::clause(table, clause)).collect())
        }
        Err(reason) => Alteration::Refused(reason),
    }
}

fn clauses(before: &Fact, after: &Fact, to: &Schema<'_>) -> Result<Vec<String>, String> {
    let (old, new) = (options(before)?, options(after)?);
    let mut clauses = Vec::new();
    let (was, is) = (list(before, "periods"), list(after, "periods"));
    for period in was.iter().filter(|period| !is.contains(period)) {
        clauses.push(format!("DROP PERIOD FOR {}", period_name(period)?));
    }
    let versioned = "system-versioned";
    if flag(before, versioned) && !flag(after, versioned) {
        clauses.push("DROP SYSTEM VERSIONING".to_owned());
    }
    for (name, option) in &new {
        if !old.contains(&(name.clone(), option.clone())) {
            clauses.push(option.clone());
        }
    }
    for (name, _) in &old {
        if !new.iter().any(|(other, _)| other == name) {
            clauses.push(reset(name)?);
        }
    }
    for period in is.iter().filter(|period| !was.contains(period)) {
        clauses.push(format!("ADD {}", written_period(after, period, to)?));
    }
    if !flag(before, versioned) && flag(after, versioned) {
        clauses.push("ADD SYSTEM VERSIONING".to_owned());
    }
    Ok(clauses)
}
