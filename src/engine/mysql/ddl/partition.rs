//! Partitions. Their rows are never dropped with them: a partition that goes hands its rows to
//! those that stay, and where there is no place for them, the server refuses.

use super::{Written, wording};
use crate::engine::ddl::{Alteration, Schema, Statement, text};
use crate::engine::mysql::catalog::tokens::{Kind, Token, cut};
use crate::engine::mysql::sql::quoted;
use crate::model::{Fact, ObjectKind, ObjectName};

/// The partitions of a table in their order.
pub(super) fn ordered<'a>(schema: &Schema<'a>, table: &ObjectName) -> Vec<&'a Fact> {
    let all: Vec<&'a Fact> = schema
        .parts(ObjectKind::Partition, table)
        .filter(|fact| !fact.id.part.is_empty())
        .collect();
    let mut ordered: Vec<&'a Fact> = Vec::with_capacity(all.len());
    let mut previous: Option<&str> = None;
    while let Some(next) = all.iter().find(|fact| text(fact, "after") == previous) {
        if ordered.len() == all.len() {
            break;
        }
        ordered.push(next);
        previous = Some(&next.id.part);
    }
    ordered
}

/// One partition, as it stands in a list.
fn definition(partition: &Fact) -> Result<String, String> {
    let said = text(partition, "definition").unwrap_or_default();
    if !wording::is_whole(said) {
        return Err(format!("its definition `{said}` is not understood"));
    }
    let name = quoted(&partition.id.part);
    Ok(format!("PARTITION {name} {said}").trim_end().to_owned())
}

fn definitions(partitions: &[&Fact]) -> Result<String, String> {
    let all: Result<Vec<String>, String> =
        partitions.iter().map(|partition| definition(partition)).collect();
    Ok(all?.join(",\n  "))
}

/// The method with the names of columns in quotes, which the facts leave out.
fn method(fact: &Fact, schema: &Schema<'_>) -> Result<String, String> {
    let said = text(fact, "method").ok_or("it has no method")?;
    if !wording::is_whole(said) {
        return Err(format!("its method `{said}` is not understood"));
    }
    let is_column = |token: &Token<'_>| {
        let columns = schema.parts(ObjectKind::Column, &fact.id.object);
        token.kind == Kind::Word
            && columns.into_iter().any(|column| column.id.part.eq_ignore_ascii_case(token.text))
    };
    let tokens = cut(said);
    let mut out = String::with_capacity(said.len());
    let (mut depth, mut copied) = (0usize, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_call = tokens.get(at + 1).is_some_and(|next| next.is_symbol("("));
        if depth > 0 && !is_call && is_column(token) {
            out.push_str(said.get(copied..token.start).unwrap_or_default());
            out.push_str(&quoted(token.text));
            copied = token.end();
        }
    }
    out.push_str(said.get(copied..).unwrap_or_default());
    Ok(out)
}

/// The partitioning of a table as a whole.
pub(super) fn whole(table: &ObjectName, schema: &Schema<'_>) -> Result<String, String> {
    let fact = schema.part(ObjectKind::Partition, table, "").ok_or("it has no method")?;
    let method = method(fact, schema)?;
    let partitions = ordered(schema, table);
    Ok(match partitions.is_empty() {
        true => format!("PARTITION BY {method}"),
        false => format!("PARTITION BY {method}\n ({})", definitions(&partitions)?),
    })
}

/// Partitions a table, or adds a partition at the end of its list.
pub(super) fn create(partition: &Fact, to: &Schema<'_>) -> Written {
    let table = &partition.id.object;
    let clause = match partition.id.part.as_str() {
        "" => whole(table, to)?,
        // In the middle of a list, the partition behind it changes too, and takes this one along.
        _ => format!("ADD PARTITION ({})", definition(partition)?),
    };
    Ok(vec![Statement::clause(table, clause)])
}

/// Ends the partitioning of a table.
pub(super) fn drop(partition: &Fact) -> Written {
    match partition.id.part.as_str() {
        "" => Ok(vec![Statement::clause(&partition.id.object, "REMOVE PARTITIONING")]),
        part => Err(format!("partition `{part}` does not go without its rows")),
    }
}

/// Changes partitions around their rows.
pub(super) fn alter(partition: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
    let table = &partition.id.object;
    if partition.id.part.is_empty() {
        return Alteration::Remade;
    }
    match reorganised(table, from, to) {
        Ok(clause) => Alteration::InPlace(vec![Statement::clause(table, clause)]),
        Err(reason) => Alteration::Refused(reason),
    }
}

/// How the server is told that a list of partitions becomes another one: by those in the middle
/// that differ, where they reach as far as before, else by all of them.
fn reorganised(table: &ObjectName, from: &Schema<'_>, to: &Schema<'_>) -> Result<String, String> {
    let (old, new) = (ordered(from, table), ordered(to, table));
    let is_same =
        |a: &Fact, b: &Fact| a.id == b.id && text(a, "definition") == text(b, "definition");
    let head = old.iter().zip(&new).take_while(|(a, b)| is_same(a, b)).count();
    let rest = old.len().min(new.len()) - head;
    let pairs = old.iter().rev().zip(new.iter().rev()).take(rest);
    let mut tail = pairs.take_while(|(a, b)| is_same(a, b)).count();
    let method = to.part(ObjectKind::Partition, table, "").and_then(|fact| text(fact, "method"));
    let is_listed = |word: &str| method.is_some_and(|method| method.starts_with(word));
    if !(is_listed("RANGE") || is_listed("LIST")) {
        return whole(table, to);
    }
    // One that stands behind the difference reaches over what goes, and gives what comes.
    if head + tail == old.len() || head + tail == new.len() {
        tail = tail.saturating_sub(1);
    }
    let (gone, made) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let reaches_the_same = is_listed("LIST")
        || match (gone.last(), made.last()) {
            (Some(old), Some(new)) => text(old, "definition") == text(new, "definition"),
            _ => false,
        };
    if gone.is_empty() || made.is_empty() || !reaches_the_same {
        return whole(table, to);
    }
    let names: Vec<String> = gone.iter().map(|partition| quoted(&partition.id.part)).collect();
    let made = definitions(made)?;
    Ok(format!("REORGANIZE PARTITION {} INTO (\n  {made})", names.join(", ")))
}

/// Which of two partitionings takes the rows of both.
pub(super) fn takes_more(table: &ObjectName, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let (old, new) = (ordered(from, table), ordered(to, table));
    let is_open = |partitions: &[&Fact]| {
        partitions.is_empty()
            || partitions.iter().any(|partition| {
                let tokens = cut(text(partition, "definition").unwrap_or_default());
                tokens.iter().any(|token| token.is("MAXVALUE") || token.is("DEFAULT"))
            })
    };
    if is_open(&new) || is_open(&old) {
        return is_open(&new);
    }
    let has_all = |all: &[&Fact], of: &[&Fact]| {
        of.iter().all(|one| all.iter().any(|other| other.id == one.id))
    };
    // The last bound of two that have the same partitions, or the one with more of them.
    match (has_all(&new, &old), has_all(&old, &new)) {
        (false, true) => false,
        (true, true) => bound(new.last()) >= bound(old.last()),
        _ => true,
    }
}

/// The bound of a partition, to be compared: numbers by their size, text as it is.
fn bound(partition: Option<&&Fact>) -> Option<(i128, String)> {
    let said = text(partition?, "definition")?;
    let (_, inner) = said.split_once('(')?;
    let (inner, _) = inner.split_once(')')?;
    Some((inner.trim().parse().unwrap_or(0), inner.to_owned()))
}
