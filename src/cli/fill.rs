//! What `--fill` says: `TABLE.COLUMN=VALUE`, `=DEFAULT`, or `=@OTHER` for what another column holds.
//!
//! Names are those that columns have when the pack has run. A word means what the column's own values
//! are like: those of the wanted state, else those of the target, else its type. A value that the server would write otherwise is found when a pack is
//! applied, before it commits.

use std::mem::discriminant;

use super::context::Context;
use super::error::CliError;
use super::key_words;
use crate::codec::state::StoredTable;
use crate::diff;
use crate::engine::ddl::text;
use crate::model::{ColumnSpec, Decimal, FactId, Flow, KeyMatching, ObjectKind, Value};
use crate::pack::enforcement::{Compared, Enforcement};
use crate::pack::fill::{Fill, Rule};
use crate::pack::renames::Base;
use crate::pack::{PackError, PackSide};
use crate::store::Reader;

/// How many rows are looked at for a value to go by.
const LOOKED_AT: u32 = 1000;

/// The rules that the command line and `deepdiff.toml` name, those of the command line last.
pub(super) fn rules(
    context: &Context,
    words: &[String],
    reader: &Reader,
    (before, base): (&PackSide, Option<&Base>),
    after: &PackSide,
) -> Result<Vec<Fill>, CliError> {
    let enforcement = before.enforcement()?;
    let states = States { reader, before, base, after, enforcement };
    let mut fills: Vec<Fill> = Vec::new();
    for word in context.config.pack.fills.iter().chain(words) {
        let fill = states.rule(word)?;
        fills.retain(|other| (&other.table, &other.column) != (&fill.table, &fill.column));
        fills.push(fill);
    }
    Ok(fills)
}

/// What a pack is made from: the target by the names that it gets, and the wanted state.
struct States<'a> {
    reader: &'a Reader,
    before: &'a PackSide,
    base: Option<&'a Base>,
    after: &'a PackSide,
    enforcement: Enforcement,
}

impl States<'_> {
    fn rule(&self, word: &str) -> Result<Fill, CliError> {
        let wrong =
            |reason: String| CliError::from(PackError::Fill { word: word.to_owned(), reason });
        let (table, column, value) = named(word, self.after).map_err(wrong)?;
        let spec = &table.spec;
        if spec.key.column_names().contains(&column.name.as_str()) {
            return Err(wrong("it is part of the key, by which rows are told apart".to_owned()));
        }
        let old = self.before.tables.iter().find(|other| other.spec.name == spec.name);
        let rule = if let Some(other) = value.strip_prefix('@') {
            Rule::Column(source(other, column, old).map_err(wrong)?)
        } else if value == "DEFAULT" {
            Rule::Value(default(self.after, table, column).ok_or_else(|| {
                wrong("it has no default, or one that only the server knows".to_owned())
            })?)
        } else {
            let like = self.like(table, old, column)?;
            Rule::Value(meaning(self.enforcement, value, column, like.as_ref()).map_err(wrong)?)
        };
        Ok(Fill { table: spec.name.clone(), column: column.name.clone(), rule })
    }

    /// A value that the column holds, in the wanted state or in the target.
    fn like(
        &self,
        table: &StoredTable,
        old: Option<&StoredTable>,
        column: &ColumnSpec,
    ) -> Result<Option<Value>, CliError> {
        for table in [Some(table), old].into_iter().flatten() {
            let is_it = |other: &ColumnSpec| {
                other.name == column.name && other.declared_type == column.declared_type
            };
            let Some(place) = table.spec.columns.iter().position(is_it) else { continue };
            // The place of a column is the same by all names.
            let stored = self.base.map_or(table, |base| base.stored(table));
            if let Some(found) = first_value(self.reader, stored, place)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The column that a word names, and what is said of it. Names may have a `=` of their own.
fn named<'s, 'w>(
    word: &'w str,
    after: &'s PackSide,
) -> Result<(&'s StoredTable, &'s ColumnSpec, &'w str), String> {
    let mut found = Vec::new();
    for (at, _) in word.match_indices('=') {
        let (name, value) = (&word[..at], &word[at + 1..]);
        for table in &after.tables {
            let object = &table.spec.name;
            for column in &table.spec.columns {
                let front = name.strip_suffix(&column.name).and_then(|n| n.strip_suffix('.'));
                if front.is_some_and(|n| n == object.to_string() || n == object.name) {
                    found.push((table, column, value));
                }
            }
        }
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 if !word.contains('=') => Err("it is not of the form TABLE.COLUMN=VALUE".to_owned()),
        0 => Err("the second state has no such column with values of its own".to_owned()),
        _ => Err("it may mean several columns: name the schema too".to_owned()),
    }
}

/// The default that a column has by its definition, where it is a constant. (MySQL gives columns
/// others by itself.)
fn default(after: &PackSide, table: &StoredTable, column: &ColumnSpec) -> Option<Value> {
    let (object, part) = (table.spec.name.clone(), column.name.clone());
    let id = FactId { kind: ObjectKind::Column, object, part };
    let place = after.facts.binary_search_by(|fact| fact.id.cmp(&id)).ok()?;
    text(&after.facts[place], "default")?;
    Some(column.default.clone()).filter(|value| *value != Value::Null)
}

/// The column that values come from, which the target has, of the same type.
fn source(other: &str, column: &ColumnSpec, old: Option<&StoredTable>) -> Result<String, String> {
    let columns = old.map_or(&[][..], |table| &table.spec.columns);
    let found = columns.iter().find(|found| found.name == other);
    match found {
        None => Err(format!("the first state has no column {other} there")),
        Some(found) if found.declared_type != column.declared_type => Err(format!(
            "{other} is {}, and the column is {}",
            found.declared_type, column.declared_type
        )),
        Some(_) => Ok(other.to_owned()),
    }
}

/// The first value in a column, among the rows that are looked at.
fn first_value(
    reader: &Reader,
    table: &StoredTable,
    place: usize,
) -> Result<Option<Value>, CliError> {
    let (mut found, mut left) = (None, LOOKED_AT);
    diff::rows_of(reader, table, &mut |row| {
        found = row.values.into_iter().nth(place).filter(|value| *value != Value::Null);
        left -= 1;
        Ok(if found.is_some() || left == 0 { Flow::Stop } else { Flow::Continue })
    })?;
    Ok(found)
}

/// What a word means as a value of a column, by a value that such a column holds.
fn meaning(
    enforcement: Enforcement,
    word: &str,
    column: &ColumnSpec,
    like: Option<&Value>,
) -> Result<Value, String> {
    let quoted = word.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let text = quoted.map(|text| text.replace("''", "'"));
    let word = text.as_deref().unwrap_or(word);
    let Some(like) = like.cloned().or_else(|| stand_in(&column.declared_type)) else {
        return Err("neither state has a value in it to go by: use DEFAULT or @OTHER".to_owned());
    };
    let word = shaped(enforcement, word, &column.declared_type, &like);
    let meanings = key_words::meanings_like(&word, &like);
    let is_of_kind = |value: &&Value| discriminant(*value) == discriminant(&like);
    let meant = meanings.iter().find(is_of_kind);
    let meant = meant.or_else(|| meanings.iter().find(|value| **value != Value::Null)).cloned();
    meant.ok_or_else(|| format!("`{word}` is no value of the type {}", column.declared_type))
}

/// A word as the server would write it: with all the digits that a number has after its point, and
/// with the spaces that a text of fixed length has at its end where they do not count.
fn shaped(enforcement: Enforcement, word: &str, declared: &str, like: &Value) -> String {
    let compared = Compared { collation: None, declared, prefix: None };
    let is_padded = enforcement.folding(compared).matching == KeyMatching::TrailingSpaces;
    match like {
        Value::Decimal(Decimal::Finite(number)) if declared.contains('(') => {
            let digits = word.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let more = usize::from(number.scale()).saturating_sub(digits);
            let point = if digits == 0 && more > 0 { "." } else { "" };
            format!("{word}{point}{}", "0".repeat(more))
        }
        // All values of the column are as long.
        Value::Text(text) if is_padded => {
            let more = text.chars().count().saturating_sub(word.chars().count());
            format!("{word}{}", " ".repeat(more))
        }
        _ => word.to_owned(),
    }
}

/// A value such as a column of this type holds, where the type says it by itself.
fn stand_in(declared: &str) -> Option<Value> {
    let end = declared.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(declared.len());
    match declared[..end].to_ascii_lowercase().as_str() {
        "int" | "integer" | "smallint" | "bigint" | "tinyint" | "mediumint" => Some(Value::Int(0)),
        "boolean" => Some(Value::Bool(false)),
        "text" | "varchar" | "char" | "character" | "longtext" | "mediumtext" | "tinytext" => {
            Some(Value::Text(String::new()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(declared: &str) -> ColumnSpec {
        ColumnSpec {
            name: "c".to_owned(),
            declared_type: declared.to_owned(),
            default: Value::Null,
        }
    }

    #[test]
    fn words_mean_what_the_column_holds() {
        let text = |text: &str| Value::Text(text.to_owned());
        let on = |enforcement: Enforcement, word: &str, declared: &str, like: Option<Value>| {
            meaning(enforcement, word, &column(declared), like.as_ref())
        };
        let means = |word: &str, declared: &str, like: Option<Value>| {
            on(Enforcement::Postgres, word, declared, like)
        };
        assert_eq!(means("5", "integer", None), Ok(Value::Int(5)));
        assert_eq!(means("'5'", "text", None), Ok(text("5")));
        assert_eq!(means("it''s", "varchar(9)", None), Ok(text("it''s")));
        assert_eq!(means("'it''s'", "varchar(9)", None), Ok(text("it's")));
        assert_eq!(means("a", "character(3)", Some(text("xyz"))), Ok(text("a  ")));
        let sqlite = on(Enforcement::Sqlite, "a", "character(3)", Some(text("xyz")));
        assert_eq!(sqlite, Ok(text("a")));
        assert_eq!(means("true", "boolean", None), Ok(Value::Bool(true)));
        assert!(means("five", "integer", None).is_err());
        assert!(means("(1,2)", "point", None).is_err());
        let price = key_words::meanings_like("1.50", &decimal());
        let found = means("7", "numeric(12,2)", Some(price[0].clone())).unwrap();
        assert_eq!(found, key_words::meanings_like("7.00", &decimal())[0]);
        let free = means("7", "numeric", Some(price[0].clone())).unwrap();
        assert_eq!(free, key_words::meanings_like("7", &decimal())[0]);
    }

    fn decimal() -> Value {
        Value::Decimal(Decimal::Finite(crate::model::value::FiniteDecimal::default()))
    }
}
