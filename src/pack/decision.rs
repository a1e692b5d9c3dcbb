//! An entry of a file of decisions: one differing row as a person reads it, and what becomes of it.
//!
//! The text of an entry is made from the row alone, so what a person must not edit is checked by
//! making it again. Values are written as literals of the engine, cut where they are long; the
//! digest vouches for all of the row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::exact::Exact;
use super::spool::{Change, write_change};
use crate::codec::{Hasher, Kind};
use crate::diff::{CellValue, RowChange};
use crate::engine::Dialect;
use crate::model::{RowKey, TableSpec, Value};

/// How many characters of a value are shown.
const SHOWN: usize = 1000;

/// A word of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// What the target has.
    Ours,
    /// What the wanted state has.
    Theirs,
}

/// What a person decided about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The row is changed.
    Theirs,
    /// The row stays.
    Ours,
    /// These cells are taken, the others stay.
    Cells(BTreeMap<String, Take>),
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) table: String,
    #[serde(default)]
    pub(super) key: BTreeMap<String, String>,
    #[serde(default)]
    copies: Option<u64>,
    pub(super) kind: String,
    pub(super) digest: String,
    #[serde(default)]
    before: BTreeMap<String, String>,
    #[serde(default)]
    after: BTreeMap<String, String>,
    #[serde(default)]
    take: String,
    #[serde(default)]
    cells: BTreeMap<String, String>,
}

/// The two sides of a table whose rows are decided about.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) name: &'a str,
    pub(super) before: Option<&'a TableSpec>,
    pub(super) after: Option<&'a TableSpec>,
}

impl Entry {
    /// The entry of a row, undecided.
    pub(super) fn of(
        sides: Sides<'_>,
        change: &RowChange<CellValue>,
        dialect: &Dialect,
        hasher: &Hasher,
    ) -> Entry {
        let raw = Change::from(change.clone());
        let text = |cell: &CellValue| text_of(cell, dialect, hasher);
        let cells = |spec: Option<&TableSpec>, row: &[CellValue], only: Option<&[String]>| {
            let columns = spec.into_iter().flat_map(|spec| &spec.columns).zip(row);
            let shown = columns.filter(|(c, _)| only.is_none_or(|only| only.contains(&c.name)));
            shown.map(|(column, cell)| (column.name.clone(), text(cell))).collect()
        };
        let only = match change {
            RowChange::Updated { changed, .. } => Some(changed.as_slice()),
            _ => None,
        };
        let (spec, row) = match raw.before.is_empty() {
            true => (sides.after, &raw.after),
            false => (sides.before, &raw.before),
        };
        let key = spec.map(|spec| key_of(spec, row, text)).unwrap_or_default();
        Entry {
            table: sides.name.to_owned(),
            copies: key.is_empty().then_some(raw.count),
            key,
            kind: raw.verb().as_str().to_owned(),
            digest: digest(sides, &raw, hasher),
            before: cells(sides.before, &raw.before, only),
            after: cells(sides.after, &raw.after, only),
            ..Entry::default()
        }
    }

    /// The row, for messages.
    pub(super) fn row(&self) -> String {
        let values = if self.key.is_empty() { &self.before } else { &self.key };
        let values = if values.is_empty() { &self.after } else { values };
        let shown = values.values().map(|value| value.chars().take(60).collect::<String>());
        format!("({})", shown.take(8).collect::<Vec<_>>().join(", "))
    }

    /// What tells the row from others: its table and key, or all that it holds.
    pub(super) fn identity(&self) -> String {
        let mut text = format!("{}\n", quoted(&self.table));
        match self.key.is_empty() {
            true => text.push_str(&self.digest),
            false => line_of_key(&mut text, &self.key),
        }
        text
    }

    /// What nobody edits.
    pub(super) fn fixed(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "table = {}", quoted(&self.table));
        if !self.key.is_empty() {
            line_of_key(&mut text, &self.key);
        }
        if let Some(copies) = self.copies {
            let _ = writeln!(text, "copies = {copies}");
        }
        let _ = writeln!(text, "kind = {}", quoted(&self.kind));
        let _ = writeln!(text, "digest = {}", quoted(&self.digest));
        let mut columns: Vec<&String> = self.before.keys().chain(self.after.keys()).collect();
        columns.sort_unstable();
        columns.dedup();
        for column in columns {
            for (side, cells) in [("before", &self.before), ("after", &self.after)] {
                if let Some(value) = cells.get(column) {
                    let _ = writeln!(text, "{side}.{} = {}", name(column), quoted(value));
                }
            }
        }
        text
    }

    /// The entry as it stands in a file.
    pub(super) fn to_text(&self) -> String {
        format!("\n[[row]]\n{}take = \"\"\n", self.fixed())
    }

    /// What was decided; what is missing where nothing was, or what is wrong.
    pub(super) fn answer(&self) -> Result<Answer, Unanswered> {
        let wrong = |why: String| Err(Unanswered::Wrong(why));
        let all = match word(&self.take) {
            Ok(all) => all,
            Err(why) => return wrong(format!("take = {}: {why}", quoted(&self.take))),
        };
        if self.cells.is_empty() {
            return match all {
                Some(Take::Ours) => Ok(Answer::Ours),
                Some(Take::Theirs) => Ok(Answer::Theirs),
                None => Err(Unanswered::Missing("take is empty".to_owned())),
            };
        }
        if self.kind != "update" {
            return wrong("only cells of an update are taken one by one".to_owned());
        }
        let mut cells = BTreeMap::new();
        for (column, text) in &self.cells {
            if !self.after.contains_key(column) {
                let why = match self.before.contains_key(column) {
                    true => "goes with the schema, and is not decided about by row",
                    false => "does not differ",
                };
                return wrong(format!("cells: column {column} {why}"));
            }
            match word(text) {
                Ok(Some(take)) => cells.insert(column.clone(), take),
                Ok(None) => return Err(Unanswered::Missing(format!("cell {column} is empty"))),
                Err(why) => return wrong(format!("cells: {column}: {why}")),
            };
        }
        for column in self.after.keys() {
            match all {
                _ if cells.contains_key(column) => {}
                Some(take) => {
                    cells.insert(column.clone(), take);
                }
                None => return Err(Unanswered::Missing(format!("cell {column} is not decided"))),
            }
        }
        Ok(Answer::Cells(cells))
    }
}

/// Why an entry decides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Nothing was filled in.
    Missing(String),
    /// What was filled in means nothing.
    Wrong(String),
}

fn word(text: &str) -> Result<Option<Take>, String> {
    match text {
        "" => Ok(None),
        "ours" => Ok(Some(Take::Ours)),
        "theirs" => Ok(Some(Take::Theirs)),
        other => Err(format!("there are ours and theirs, and no {}", quoted(other))),
    }
}

fn key_of(
    spec: &TableSpec,
    row: &[CellValue],
    text: impl Fn(&CellValue) -> String,
) -> BTreeMap<String, String> {
    let RowKey::Columns { columns, .. } = &spec.key else { return BTreeMap::new() };
    let mut key = BTreeMap::new();
    for column in columns {
        let place = spec.columns.iter().position(|other| other.name == column.name);
        let Some(cell) = place.and_then(|place| row.get(place)) else { return BTreeMap::new() };
        if cell.is_null() {
            // Such rows are known by all that they hold.
            return BTreeMap::new();
        }
        key.insert(column.name.clone(), text(cell));
    }
    key
}

/// The digest of a row on both sides, with the columns it is of.
fn digest(sides: Sides<'_>, change: &Change, hasher: &Hasher) -> String {
    let mut bytes = Vec::new();
    let mut add = |text: &str| {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    add(sides.name);
    for spec in [sides.before, sides.after] {
        add(&spec.map_or(0, |spec| spec.columns.len()).to_string());
        for column in spec.into_iter().flat_map(|spec| &spec.columns) {
            add(&column.name);
            add(&column.declared_type);
        }
    }
    write_change(&Change { others: 0, ..change.clone() }, &mut bytes);
    short(&hasher.id(Kind::Pack, &bytes).to_string())
}

fn short(digest: &str) -> String {
    digest.chars().take(32).collect()
}

/// A value as a literal; one that is long by its beginning and what tells it from others.
fn text_of(cell: &CellValue, dialect: &Dialect, hasher: &Hasher) -> String {
    let value = match cell {
        CellValue::Here(value) => value,
        CellValue::Apart(value) => {
            return format!("a value of {} bytes ({})", value.len, short(&value.id.to_string()));
        }
    };
    let text = dialect.literal(value).unwrap_or_else(|| exact(value));
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((at, _)) => {
            let whole = short(&hasher.id(Kind::Pack, text.as_bytes()).to_string());
            format!("{}… ({} characters, {whole})", &text[..at], text.chars().count())
        }
    }
}

fn exact(value: &Value) -> String {
    serde_json::to_string(&Exact(value.clone())).expect("an exact value is plain JSON")
}

fn line_of_key(text: &mut String, key: &BTreeMap<String, String>) {
    let parts = key.iter().map(|(column, value)| format!("{} = {}", name(column), quoted(value)));
    let _ = writeln!(text, "key = {{ {} }}", parts.collect::<Vec<_>>().join(", "));
}

/// A key of TOML.
fn name(column: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !column.is_empty() && column.chars().all(is_bare) {
        true => column.to_owned(),
        false => quoted(column),
    }
}

/// A string of TOML, on one line and without control characters.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c) => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        toml::from_str(text).unwrap()
    }

    const UPDATE: &str = "table = 't'\nkey = { id = '1' }\nkind = 'update'\ndigest = 'd'\n\
                          before.a = '1'\nafter.a = '2'\nbefore.\"b c\" = '3'\nafter.\"b c\" = '4'\n";

    #[test]
    fn what_is_written_is_read_again() {
        let odd = "a\"\\\n\t\r\u{0}\u{2028}[[row]]ü";
        let mut entry = entry(UPDATE);
        entry.table = odd.to_owned();
        entry.key = [(odd.to_owned(), odd.to_owned())].into();
        entry.before = [(odd.to_owned(), odd.to_owned())].into();
        let text = entry.to_text();
        assert_eq!(text.lines().filter(|line| line.trim() == "[[row]]").count(), 1);
        let read: Entry =
            toml::from_str(text.trim_start().strip_prefix("[[row]]").unwrap()).unwrap();
        assert_eq!(read, entry);
    }

    #[test]
    fn answers_are_whole_or_by_cell() {
        let of = |more: &str| entry(&format!("{UPDATE}{more}")).answer();
        assert_eq!(of("take = 'ours'"), Ok(Answer::Ours));
        assert_eq!(of("take = 'theirs'"), Ok(Answer::Theirs));
        assert!(matches!(of("take = ''"), Err(Unanswered::Missing(_))));
        assert!(matches!(of("take = 'mine'"), Err(Unanswered::Wrong(_))));
        assert!(matches!(of("cells = { a = 'ours' }"), Err(Unanswered::Missing(_))));
        assert!(matches!(of("take = 'ours'\ncells = { z = 'ours' }"), Err(Unanswered::Wrong(_))));
        let cells = [("a".to_owned(), Take::Theirs), ("b c".to_owned(), Take::Ours)].into();
        assert_eq!(of("take = 'ours'\ncells = { a = 'theirs' }"), Ok(Answer::Cells(cells)));
    }
}
