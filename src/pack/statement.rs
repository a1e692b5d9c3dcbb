//! The SQL of row changes: one statement a step, guarded by the row as it was.
//!
//! The engine writes the text; here is decided which row a statement is about. Statements overrule
//! the conflict clauses of a schema: a row that is in the way is an error, never replaced or
//! skipped.

use super::error::{PackError, Refusal};
use super::rules::{Rules, TableRules};
use super::shape::Shape;
use super::spool::Change;
use crate::engine::EngineError;
use crate::engine::sqlite::{SqliteDialect, TableSql, TextEncoding};
use crate::model::{Attribute, Fact, ObjectKind, Value};

/// SQLite takes no longer statement (`SQLITE_MAX_SQL_LENGTH`).
const LONGEST: usize = 1_000_000_000;

/// How much of a value a label shows.
const SHOWN: usize = 60;

/// A quoted name.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The encoding of a database by its facts.
pub fn encoding(facts: &[Fact]) -> TextEncoding {
    let setting = facts
        .iter()
        .find(|fact| fact.id.kind == ObjectKind::Setting && fact.id.object.name == "encoding");
    match setting.and_then(|fact| fact.attributes.get("value")) {
        Some(Attribute::Text(name)) => TextEncoding::from_name(name).unwrap_or(TextEncoding::Utf8),
        _ => TextEncoding::Utf8,
    }
}

/// A value as people are shown it.
pub fn label(value: &Value) -> String {
    let dialect = SqliteDialect { encoding: TextEncoding::Utf8 };
    let text = dialect.literal(value).unwrap_or_else(|| format!("{value:?}"));
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A row as people are shown it: its key, or all of it where it has none.
pub fn row_label(shape: &Shape, change: &Change) -> String {
    let row = match change.before.is_empty() {
        true => shape.row_after(change),
        false => shape.row_before(change),
    };
    let shown = shape.key_of(&row).unwrap_or(row);
    format!("({})", shown.iter().map(label).collect::<Vec<_>>().join(", "))
}

/// Writes the statements of one table.
pub struct RowSql {
    table: TableSql,
    dialect: SqliteDialect,
    overrules_conflicts: bool,
    /// Whether equal rows cannot be told apart: all of them go, and those that stay come back.
    pub takes_all_copies: bool,
}

impl RowSql {
    /// The writer for a table, under the facts that hold while rows change.
    pub fn new(shape: &Shape, facts: &[Fact], rules: &Rules) -> RowSql {
        let table_rules = rules.table(&shape.table().name);
        let mut spec = shape.spec.clone();
        if let Some(rules) = table_rules {
            spec.column_order = rules.columns.iter().cloned().collect();
        }
        RowSql {
            table: TableSql::new(&spec, facts),
            takes_all_copies: table_rules.is_some_and(TableRules::hides_rowid),
            dialect: SqliteDialect { encoding: encoding(facts) },
            overrules_conflicts: table_rules.is_some_and(|table| table.has_conflict_clause),
        }
    }

    /// Adds a row, so many times.
    pub fn insert(&self, shape: &Shape, row: &[Value], count: u64) -> Result<String, PackError> {
        let cells = cells(shape, row);
        let statement = match count {
            1 => self.table.insert(&cells).map_err(|error| unwritable(shape, &error))?,
            _ => self.insert_copies(shape, row, count)?,
        };
        self.finished(shape, row, "INSERT", statement)
    }

    fn insert_copies(&self, shape: &Shape, row: &[Value], count: u64) -> Result<String, PackError> {
        // The engine says what cannot be written.
        self.table.insert(&cells(shape, row)).map_err(|error| unwritable(shape, &error))?;
        let names: Vec<String> = (0..shape.len()).map(|at| identifier(shape.name(at))).collect();
        let values: Vec<String> = row.iter().filter_map(|v| self.dialect.literal(v)).collect();
        Ok(format!(
            "INSERT INTO {} ({}) WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM \
             copies WHERE n < {count}) SELECT {} FROM copies",
            identifier(&shape.table().name),
            names.join(", "),
            values.join(", "),
        ))
    }

    /// Changes a row that is as `before` into `after`; `None` where nothing differs.
    pub fn update(
        &self,
        shape: &Shape,
        before: &[Value],
        after: &[Value],
    ) -> Result<Option<String>, PackError> {
        let changed: Vec<(&str, &Value)> = (0..shape.len())
            .filter(|&at| before[at] != after[at])
            .map(|at| (shape.name(at), &after[at]))
            .collect();
        if changed.is_empty() {
            return Ok(None);
        }
        let Some(key) = shape.key_of(before) else {
            let reason = "a row without a key cannot be changed in place".to_owned();
            return Err(PackError::Statement { table: shape.table().clone(), reason });
        };
        let statement = self
            .table
            .update(&key, &cells(shape, before), &changed)
            .map_err(|error| unwritable(shape, &error))?;
        self.finished(shape, before, "UPDATE", statement).map(Some)
    }

    /// Removes so many rows that are as `before`.
    pub fn delete(&self, shape: &Shape, before: &[Value], count: u64) -> Result<String, PackError> {
        let cells = cells(shape, before);
        let statement = match shape.key_of(before) {
            Some(key) => self.table.delete(&key, &cells),
            None if self.takes_all_copies => self.table.guards(&[], &cells).map(|guards| {
                format!("DELETE FROM {} WHERE {guards}", identifier(&shape.table().name))
            }),
            None => self.table.delete_equal(&cells, count),
        };
        let statement = statement.map_err(|error| unwritable(shape, &error))?;
        self.finished(shape, before, "DELETE", statement)
    }

    fn finished(
        &self,
        shape: &Shape,
        row: &[Value],
        verb: &str,
        statement: String,
    ) -> Result<String, PackError> {
        if statement.len() > LONGEST {
            let key = shape.key_of(row).unwrap_or_default();
            let key = key.iter().map(label).collect::<Vec<_>>().join(", ");
            let reason = format!(
                "its statement would have {} bytes, and SQLite takes at most {LONGEST}",
                statement.len()
            );
            let refusal = Refusal::new(shape.table(), reason, "change this row by hand");
            return Err(PackError::Refused(vec![refusal.at_row(format!("({key})"))]));
        }
        match (self.overrules_conflicts, statement.strip_prefix(verb)) {
            (true, Some(rest)) if verb != "DELETE" => Ok(format!("{verb} OR ABORT{rest}")),
            _ => Ok(statement),
        }
    }
}

fn cells<'r>(shape: &'r Shape, row: &'r [Value]) -> Vec<(&'r str, &'r Value)> {
    row.iter().enumerate().map(|(at, value)| (shape.name(at), value)).collect()
}

fn unwritable(shape: &Shape, error: &EngineError) -> PackError {
    PackError::Statement { table: shape.table().clone(), reason: error.to_string() }
}
