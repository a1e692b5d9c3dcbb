//! Sequences: of their own, owned by a column, and those that an identity column brings along.

use super::spelling::{qualified, quoted};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, number, text};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// What a sequence counts with, as its facts and its type say.
struct Numbers {
    increment: i64,
    min: i64,
    max: i64,
    start: i64,
}

impl Numbers {
    fn of(sequence: &Fact) -> Numbers {
        let (bottom, top) = match text(sequence, "type") {
            Some("smallint") => (i64::from(i16::MIN), i64::from(i16::MAX)),
            Some("integer") => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        let increment = number(sequence, "increment").unwrap_or(1);
        let (lowest, highest) = if increment > 0 { (1, top) } else { (bottom, -1) };
        let min = number(sequence, "min").unwrap_or(lowest);
        let max = number(sequence, "max").unwrap_or(highest);
        let usual = if increment > 0 { min } else { max };
        let start = number(sequence, "start").unwrap_or(usual);
        Numbers { increment, min, max, start }
    }
}

/// The options of a sequence that is made.
pub(super) fn options(sequence: &Fact) -> Vec<String> {
    let mut options = Vec::new();
    let named = [
        ("start", "START WITH"),
        ("increment", "INCREMENT BY"),
        ("min", "MINVALUE"),
        ("max", "MAXVALUE"),
        ("cache", "CACHE"),
    ];
    for (name, words) in named {
        if let Some(number) = number(sequence, name) {
            options.push(format!("{words} {number}"));
        }
    }
    if flag(sequence, "cycle") {
        options.push("CYCLE".to_owned());
    }
    options
}

/// The name of a column, of which the catalog writes `schema.table.column`.
pub(super) fn owner(sequence: &Fact) -> Option<FactId> {
    let mut parts = Vec::new();
    let mut rest = text(sequence, "owned-by")?;
    loop {
        let (part, after) = part(rest)?;
        parts.push(part);
        match after.strip_prefix('.') {
            Some(after) => rest = after,
            None if after.is_empty() => break,
            None => return None,
        }
    }
    let column = parts.pop()?;
    let name = parts.pop()?;
    let object = ObjectName { schema: parts.pop()?, name };
    Some(FactId { kind: ObjectKind::Column, object, part: column })
}

fn part(sql: &str) -> Option<(String, &str)> {
    let Some(inner) = sql.strip_prefix('"') else {
        let end = sql.find('.').unwrap_or(sql.len());
        return Some((sql[..end].to_owned(), &sql[end..]));
    };
    let (mut name, mut at) = (String::new(), 0);
    loop {
        let end = at + inner[at..].find('"')?;
        name.push_str(&inner[at..end]);
        if !inner[end + 1..].starts_with('"') {
            return Some((name, &inner[end + 1..]));
        }
        name.push('"');
        at = end + 2;
    }
}

/// The sequence of an identity column.
pub(super) fn of_identity<'a>(column: &Fact, schema: &Schema<'a>) -> Option<&'a Fact> {
    let is_it = |sequence: &&'a Fact| {
        flag(sequence, "identity") && owner(sequence).is_some_and(|owner| owner == column.id)
    };
    let ObjectName { schema: space, name } = &column.id.object;
    let usual =
        ObjectName { schema: space.clone(), name: format!("{name}_{}_seq", column.id.part) };
    schema
        .object(ObjectKind::Sequence, &usual)
        .filter(is_it)
        .or_else(|| schema.of_kind(ObjectKind::Sequence).find(is_it))
}

fn owned_by(sequence: &Fact) -> String {
    match text(sequence, "owned-by") {
        Some(column) => format!("OWNED BY {column}"),
        None => "OWNED BY NONE".to_owned(),
    }
}

/// Makes a sequence. One of an identity column comes with it.
pub(super) fn create(sequence: &Fact, to: &Schema<'_>) -> Vec<Statement> {
    if flag(sequence, "identity") {
        return Vec::new();
    }
    let name = qualified(&sequence.id.object);
    let kind = if flag(sequence, "unlogged") { "UNLOGGED SEQUENCE" } else { "SEQUENCE" };
    let mut words = format!("CREATE {kind} {name}");
    if let Some(declared) = text(sequence, "type") {
        words.push_str(&format!(" AS {declared}"));
    }
    for option in options(sequence) {
        words.push(' ');
        words.push_str(&option);
    }
    let mut statements = vec![Statement::whole(words)];
    if text(sequence, "owned-by").is_some() {
        statements.extend(hand_over(sequence, to));
        statements.push(Statement::whole(format!("ALTER SEQUENCE {name} {}", owned_by(sequence))));
    }
    statements
}

/// A sequence and the table it is for have one owner.
fn hand_over(sequence: &Fact, to: &Schema<'_>) -> Option<Statement> {
    let table = owner(sequence)?.object;
    let owner = to.part(ObjectKind::Owner, &table, "table")?;
    let name = qualified(&sequence.id.object);
    let role = quoted(text(owner, "owner")?);
    Some(Statement::whole(format!("ALTER SEQUENCE {name} OWNER TO {role}")))
}

/// Drops a sequence.
pub(super) fn drop(sequence: &Fact) -> Vec<Statement> {
    match flag(sequence, "identity") {
        true => Vec::new(),
        false => {
            vec![Statement::whole(format!("DROP SEQUENCE {}", qualified(&sequence.id.object)))]
        }
    }
}

/// How a sequence becomes another.
pub(super) fn alter(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
    if flag(before, "identity") != flag(after, "identity") {
        return Alteration::Remade;
    }
    let name = qualified(&after.id.object);
    let is_identity = flag(after, "identity");
    if is_identity && text(before, "owned-by") != text(after, "owned-by") {
        return Alteration::Remade;
    }
    let mut statements = Vec::new();
    let words = changes(before, after, is_identity && is_retyped_by_column(after, from, to));
    if !words.is_empty() {
        statements.extend(lifted(before, after));
        statements.push(Statement::whole(format!("ALTER SEQUENCE {name} {}", words.join(" "))));
    }
    if flag(before, "unlogged") != flag(after, "unlogged") && !is_identity {
        let words = if flag(after, "unlogged") { "SET UNLOGGED" } else { "SET LOGGED" };
        statements.push(Statement::whole(format!("ALTER SEQUENCE {name} {words}")));
    }
    if text(before, "owned-by") != text(after, "owned-by") {
        statements.extend(hand_over(after, to));
        statements.push(Statement::whole(format!("ALTER SEQUENCE {name} {}", owned_by(after))));
    }
    Alteration::InPlace(statements)
}

/// Lifts a sequence to a new lower bound, where it stands below that: the server takes no bound that
/// leaves the position out. The first statement gives the sequence a file of its own, so that a
/// rollback takes back the second as well.
fn lifted(before: &Fact, after: &Fact) -> Vec<Statement> {
    let (old, new) = (Numbers::of(before), Numbers::of(after));
    if old.increment <= 0 || new.increment <= 0 || new.min <= old.min {
        return Vec::new();
    }
    let name = qualified(&after.id.object);
    let (min, max) = (new.min, old.max.max(new.max));
    let literal = name.replace('\'', "''");
    vec![
        Statement::whole(format!("ALTER SEQUENCE {name} MAXVALUE {max}")),
        Statement::whole(format!(
            "SELECT pg_catalog.setval('{literal}', greatest(last_value, {min}), \
             is_called AND last_value >= {min}) FROM {name}"
        )),
    ]
}

/// Whether the type of an identity column changes, and that of its sequence with it.
fn is_retyped_by_column(sequence: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let Some(column) = owner(sequence) else { return false };
    match (from.get(&column), to.get(&column)) {
        (Some(old), Some(new)) => text(old, "type") != text(new, "type"),
        _ => false,
    }
}

fn changes(before: &Fact, after: &Fact, is_retyped: bool) -> Vec<String> {
    let (old, new) = (Numbers::of(before), Numbers::of(after));
    let mut words = Vec::new();
    if text(before, "type") != text(after, "type") && !is_retyped {
        words.push(format!("AS {}", text(after, "type").unwrap_or("bigint")));
    }
    if old.increment != new.increment {
        words.push(format!("INCREMENT BY {}", new.increment));
    }
    if old.min != new.min {
        words.push(format!("MINVALUE {}", new.min));
    }
    if old.max != new.max {
        words.push(format!("MAXVALUE {}", new.max));
    }
    if old.start != new.start {
        words.push(format!("START WITH {}", new.start));
    }
    let cache = |fact| number(fact, "cache").unwrap_or(1);
    if cache(before) != cache(after) {
        words.push(format!("CACHE {}", cache(after)));
    }
    if flag(before, "cycle") != flag(after, "cycle") {
        words.push(if flag(after, "cycle") { "CYCLE" } else { "NO CYCLE" }.to_owned());
    }
    words
}
