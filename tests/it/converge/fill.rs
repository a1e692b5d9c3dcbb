//! Rows for tables that are already there: many are tried one by one, and the server keeps those
//! that its constraints allow.
//!
//! What is tried depends on the pair, the table and the side alone. Both sides get mostly the same
//! keys, with the same values or other ones, and each some that the other has not.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

use super::columns::{Column, Table, tables};
use super::place::Place;
use super::values::{Dialect, Use, value};

/// Rows with these numbers are on both sides, so that others can refer to them.
const COMMON: u64 = 3;

/// Puts rows into every table of a database; `side` is 0 or 1.
pub fn fill(place: &Place, id: &str, side: usize) -> Result<(), String> {
    let dialect = Dialect::of(place);
    let mut script = String::new();
    for table in tables(place)? {
        let plan = Plan { id, side, dialect, table: &table };
        for number in 1..=plan.rows() {
            if plan.has(number) {
                plan.attempts(&mut script, number);
            }
        }
    }
    if !script.is_empty() {
        place.try_rows(&script);
    }
    Ok(())
}

/// The rows of one table of one side.
struct Plan<'a> {
    id: &'a str,
    side: usize,
    dialect: Dialect,
    table: &'a Table,
}

/// How a row is made. Where one way breaks a constraint another may not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Every column has a value.
    Full,
    /// Only what must be given, and keys.
    Sparse,
    /// As `Full`, but a row refers to that of its own number.
    Alike,
    /// As `Full`, with literals out of the conditions.
    Literal(u64),
}

impl Plan<'_> {
    fn hash(&self, words: &[&str]) -> u64 {
        let text = [&[self.id, &self.table.name], words].concat().join("\0");
        xxh3_64(text.as_bytes())
    }

    /// From 3 to 50.
    fn rows(&self) -> u64 {
        let hash = self.hash(&["rows"]);
        if hash.is_multiple_of(8) { 50 } else { 4 + hash / 8 % 9 }
    }

    /// Whether the side has the row: a fifth of them is on this side only, a fifth on the other.
    fn has(&self, number: u64) -> bool {
        let missing = if self.side == 0 { 0 } else { 1 };
        number <= COMMON || self.hash(&["on", &number.to_string()]) % 5 != missing
    }

    /// Whether the sides have different values in the row.
    fn is_changed(&self, number: u64) -> bool {
        self.hash(&["changed", &number.to_string()]).is_multiple_of(3)
    }

    fn attempts(&self, script: &mut String, number: u64) {
        let has_key = self.table.columns.iter().any(|column| column.key.is_set());
        let has_checks = self.table.columns.iter().any(|c| has_literals(c.checks.as_deref()));
        let mut ways = vec![Way::Full, Way::Alike, Way::Sparse];
        if !has_key {
            // Nothing keeps the server from taking every attempt.
            ways.truncate(1);
        }
        if has_checks {
            ways.extend((0..4).map(Way::Literal));
        }
        if !has_key && self.table.columns.iter().any(|column| column.refers.is_set()) {
            ways.push(Way::Sparse);
        }
        let mut tried = std::collections::BTreeSet::new();
        for way in ways {
            let statement = self.statement(number, way);
            if tried.insert(statement.clone()) {
                script.push_str(&statement);
            }
        }
    }

    fn statement(&self, number: u64, way: Way) -> String {
        let mut columns = Vec::new();
        let mut values = Vec::new();
        for column in &self.table.columns {
            let is_wanted = column.required.is_set() || column.key.is_set();
            if way == Way::Sparse && !is_wanted {
                continue;
            }
            if let Some(value) = self.cell(column, number, way) {
                columns.push(column.column.as_str());
                values.push(value);
            }
        }
        let mut statement = format!("INSERT INTO {}", self.table.name);
        if columns.is_empty() {
            let empty =
                if self.dialect == Dialect::Mysql { "() VALUES ()" } else { "DEFAULT VALUES" };
            writeln!(statement, " {empty};").expect("because it is memory");
            return statement;
        }
        let overriding =
            if self.dialect == Dialect::Postgres { " OVERRIDING SYSTEM VALUE" } else { "" };
        let (columns, values) = (columns.join(", "), values.join(", "));
        writeln!(statement, " ({columns}){overriding} VALUES ({values});")
            .expect("because it is memory");
        statement
    }

    /// The value of a column, or nothing where its default is to be taken.
    fn cell(&self, column: &Column, number: u64, way: Way) -> Option<String> {
        let salt = if self.is_changed(number) { ["a", "b"][self.side] } else { "ab" };
        let hash = self.hash(&[&column.column, &number.to_string(), salt]);
        let is_matched = column.key.is_set() || column.refers.is_set();
        let drawn = if column.key.is_set() || (column.refers.is_set() && way == Way::Alike) {
            number
        } else if column.refers.is_set() {
            1 + hash % COMMON
        } else {
            1 + hash % 9
        };
        if let Some(labels) = &column.labels {
            let place = usize::try_from(drawn).expect("because it is small") % labels.len();
            return Some(self.dialect.quoted(&labels[place]));
        }
        if let Way::Literal(shift) = way
            && !column.key.is_set()
            && let Some(literal) = self.literal(column, drawn + shift)
        {
            return Some(literal);
        }
        let may_be_null = !is_matched && !column.required.is_set();
        if may_be_null && (hash / 16).is_multiple_of(6) {
            return None;
        }
        let usage = if is_matched { Use::Matched } else { Use::Free };
        value(self.dialect, &column.kind, drawn, usage)
    }

    /// One of the literals in the conditions, of the column's sort.
    fn literal(&self, column: &Column, number: u64) -> Option<String> {
        let checks = column.checks.as_deref()?;
        let plain = value(self.dialect, &column.kind, 1, Use::Matched)?;
        let found = literals(checks, plain.starts_with('\''));
        let place = usize::try_from(number).expect("because it is small");
        let literal = found.get(place % found.len().max(1))?;
        Some(if plain.starts_with('\'') { self.dialect.quoted(literal) } else { literal.clone() })
    }
}

fn has_literals(checks: Option<&str>) -> bool {
    checks.is_some_and(|text| text.contains(|c: char| c == '\'' || c.is_ascii_digit()))
}

/// The quoted texts in a condition, or its numbers and their neighbours.
fn literals(checks: &str, quoted: bool) -> Vec<String> {
    if quoted {
        return checks.split('\'').skip(1).step_by(2).map(str::to_owned).collect();
    }
    let words = checks.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let numbers = words.filter_map(|word| word.parse::<i64>().ok());
    numbers
        .flat_map(|n| [n, n.saturating_add(1), n.saturating_sub(1)])
        .map(|n| n.to_string())
        .collect()
}

#[test]
fn literals_of_conditions() {
    let check = "CHECK (state IN ('on', 'off') AND age > 17 AND t2 < 9)";
    assert_eq!(literals(check, true), ["on", "off"]);
    assert_eq!(literals(check, false), ["17", "18", "16", "9", "10", "8"]);
}
