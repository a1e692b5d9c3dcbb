//! The SQL of row changes: one statement a step, guarded by the row as it was.
//!
//! The engine writes the text; here is decided which row a statement is about, and which of its
//! values are bound from files instead of standing in it. Statements overrule the conflict clauses
//! of a schema: a row that is in the way is an error, never replaced or skipped.

use super::error::{PackError, Refusal};
use super::label::label;
use super::manifest::Binding;
use super::rules::{Rules, TableRules};
use super::shape::Shape;
use super::values::{Measure, ValueFiles};
use crate::diff::CellValue;
use crate::engine::EngineError;
use crate::engine::sqlite::{Operand, SqliteDialect, TableSql, TextEncoding};
use crate::model::{Attribute, Fact, ObjectKind, Value};

/// SQLite takes no longer statement (`SQLITE_MAX_SQL_LENGTH`).
const LONGEST: usize = 1_000_000_000;

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

/// A statement and what it binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text.
    pub text: String,
    /// The values of its parameters, in order.
    pub binds: Vec<Binding>,
}

/// What a statement is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It runs: its large values are kept in files.
    Runs,
    /// It is only shown.
    Shown,
}

/// Where large values are, and whether they are kept.
#[derive(Clone, Copy)]
pub struct Large<'a> {
    /// The files.
    pub files: &'a ValueFiles<'a>,
    /// What for.
    pub purpose: Purpose,
}

/// A value as it stands in a statement.
enum Given<'r> {
    Here(&'r Value),
    Apart { measure: Measure, parameter: String },
}

impl Given<'_> {
    fn operand(&self) -> Operand<'_> {
        match self {
            Given::Here(value) => Operand::Literal(value),
            Given::Apart { measure, parameter } => {
                let Measure { class, bytes } = *measure;
                Operand::Bound { class, bytes, parameter }
            }
        }
    }
}

impl Large<'_> {
    /// A value of the row as it was: a guard knows class and length of a large one.
    fn guard<'r>(&self, value: &'r CellValue) -> Result<Given<'r>, PackError> {
        Ok(match value {
            CellValue::Here(value) => Given::Here(value),
            CellValue::Apart(value) => {
                let measure = self.files.measure(value)?;
                Given::Apart { measure, parameter: String::new() }
            }
        })
    }

    /// A value that is written: a large one is the next parameter.
    fn written<'r>(
        &self,
        value: &'r CellValue,
        binds: &mut Vec<Binding>,
    ) -> Result<Given<'r>, PackError> {
        let value = match value {
            CellValue::Here(value) => return Ok(Given::Here(value)),
            CellValue::Apart(value) => value,
        };
        let number = binds.len() + 1;
        if self.purpose == Purpose::Shown {
            let measure = self.files.measure(value)?;
            let (class, bytes) = (measure.class.as_str(), measure.bytes);
            let parameter = format!("?{number} /* {class} of {bytes} bytes, not kept */");
            return Ok(Given::Apart { measure, parameter });
        }
        let (measure, digest) = self.files.keep(value)?;
        let (class, bytes) = (measure.class.as_str(), measure.bytes);
        let parameter = format!("?{number} /* {class} of {bytes} bytes: values/{digest} */");
        binds.push(Binding { class: class.to_owned(), value: digest });
        Ok(Given::Apart { measure, parameter })
    }
}

type Cells<'r> = Vec<(&'r str, Given<'r>)>;

fn guards<'r>(
    shape: &'r Shape,
    row: &'r [CellValue],
    large: Large<'_>,
) -> Result<Cells<'r>, PackError> {
    let cells = row.iter().enumerate();
    cells.map(|(at, value)| Ok((shape.name(at), large.guard(value)?))).collect()
}

fn operands<'g>(cells: &'g Cells<'_>) -> Vec<(&'g str, Operand<'g>)> {
    cells.iter().map(|(name, given)| (*name, given.operand())).collect()
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
    pub fn insert(
        &self,
        shape: &Shape,
        row: &[CellValue],
        count: u64,
        large: Large<'_>,
    ) -> Result<Statement, PackError> {
        let mut binds = Vec::new();
        let cells = row.iter().enumerate();
        let cells = cells
            .map(|(at, value)| Ok((shape.name(at), large.written(value, &mut binds)?)))
            .collect::<Result<Cells<'_>, PackError>>()?;
        // The engine says what cannot be written.
        let one =
            self.table.insert(&operands(&cells)).map_err(|error| unwritable(shape, &error))?;
        let text = if count == 1 { one } else { self.insert_copies(shape, &cells, count) };
        self.finished(shape, row, "INSERT", text, binds)
    }

    fn insert_copies(&self, shape: &Shape, cells: &Cells<'_>, count: u64) -> String {
        let names: Vec<String> = cells.iter().map(|(name, _)| identifier(name)).collect();
        let values: Vec<String> = cells
            .iter()
            .filter_map(|(_, given)| match given {
                Given::Here(value) => self.dialect.literal(value),
                Given::Apart { parameter, .. } => Some(parameter.clone()),
            })
            .collect();
        format!(
            "INSERT INTO {} ({}) WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM \
             copies WHERE n < {count}) SELECT {} FROM copies",
            identifier(&shape.table().name),
            names.join(", "),
            values.join(", "),
        )
    }

    /// Changes a row that is as `before` into `after`; `None` where nothing differs.
    pub fn update(
        &self,
        shape: &Shape,
        before: &[CellValue],
        after: &[CellValue],
        large: Large<'_>,
    ) -> Result<Option<Statement>, PackError> {
        let mut binds = Vec::new();
        let changed = (0..shape.len())
            .filter(|&at| before[at] != after[at])
            .map(|at| Ok((shape.name(at), large.written(&after[at], &mut binds)?)))
            .collect::<Result<Cells<'_>, PackError>>()?;
        if changed.is_empty() {
            return Ok(None);
        }
        let Some(key) = shape.key_of(before) else {
            let reason = "a row without a key cannot be changed in place".to_owned();
            return Err(PackError::Statement { table: shape.table().clone(), reason });
        };
        let guards = guards(shape, before, large)?;
        let text = self
            .table
            .update(&key, &operands(&guards), &operands(&changed))
            .map_err(|error| unwritable(shape, &error))?;
        self.finished(shape, before, "UPDATE", text, binds).map(Some)
    }

    /// Removes so many rows that are as `before`.
    pub fn delete(
        &self,
        shape: &Shape,
        before: &[CellValue],
        count: u64,
        large: Large<'_>,
    ) -> Result<Statement, PackError> {
        let cells = guards(shape, before, large)?;
        let cells = operands(&cells);
        let text = match shape.key_of(before) {
            Some(key) => self.table.delete(&key, &cells),
            None if self.takes_all_copies => self.table.guards(&[], &cells).map(|guards| {
                format!("DELETE FROM {} WHERE {guards}", identifier(&shape.table().name))
            }),
            None => self.table.delete_equal(&cells, count),
        };
        let text = text.map_err(|error| unwritable(shape, &error))?;
        self.finished(shape, before, "DELETE", text, Vec::new())
    }

    fn finished(
        &self,
        shape: &Shape,
        row: &[CellValue],
        verb: &str,
        text: String,
        binds: Vec<Binding>,
    ) -> Result<Statement, PackError> {
        if text.len() > LONGEST {
            let key = shape.key_of(row).unwrap_or_default();
            let key = key.iter().map(label).collect::<Vec<_>>().join(", ");
            let reason = format!(
                "its statement would have {} bytes, and SQLite takes at most {LONGEST}",
                text.len()
            );
            let refusal = Refusal::new(shape.table(), reason, "change this row by hand");
            return Err(PackError::Refused(vec![refusal.at_row(format!("({key})"))]));
        }
        let text = match (self.overrules_conflicts, text.strip_prefix(verb)) {
            (true, Some(rest)) if verb != "DELETE" => format!("{verb} OR ABORT{rest}"),
            _ => text,
        };
        Ok(Statement { text, binds })
    }
}

fn unwritable(shape: &Shape, error: &EngineError) -> PackError {
    PackError::Statement { table: shape.table().clone(), reason: error.to_string() }
}
