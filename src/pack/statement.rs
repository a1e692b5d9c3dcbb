//! The SQL of row changes, guarded by the rows as they were.
//!
//! The engine writes the text; here is decided which rows a statement is about, and which of their
//! values are bound from files instead of standing in it. Statements overrule the conflict clauses
//! of a schema: a row that is in the way is an error, never replaced or skipped.

use super::error::{PackError, Refusal};
use super::label::label;
use super::manifest::Binding;
use super::rules::{Rules, TableRules};
use super::shape::Shape;
use super::values::{Measure, ValueFiles};
use crate::diff::CellValue;
use crate::engine::{
    Cell, Dialect, EngineError, Operand, RowGuard, RowUpdate, StatementLimits, TableStatements,
};
use crate::model::{Fact, Value};

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

/// What one statement does to a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// The row is added, so many times.
    Insert(Vec<CellValue>, u64),
    /// The row as it was becomes the row as it shall be.
    Update(Vec<CellValue>, Vec<CellValue>),
    /// The row goes, so many times.
    Delete(Vec<CellValue>, u64),
}

impl Move {
    /// The row that names it.
    fn row(&self) -> &[CellValue] {
        match self {
            Move::Insert(row, _) | Move::Update(row, _) | Move::Delete(row, _) => row,
        }
    }

    /// How many rows it changes.
    pub fn count(&self) -> u64 {
        match self {
            Move::Insert(_, count) | Move::Delete(_, count) => *count,
            Move::Update(..) => 1,
        }
    }

    /// The columns that it changes; all of them where a row comes or goes.
    pub fn columns(&self) -> Vec<usize> {
        match self {
            Move::Update(before, after) => {
                (0..before.len()).filter(|&at| before[at] != after[at]).collect()
            }
            Move::Insert(row, _) | Move::Delete(row, _) => (0..row.len()).collect(),
        }
    }
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
                let Measure { kind, bytes } = *measure;
                Operand::Bound { kind, bytes, parameter }
            }
        }
    }
}

/// The values of a row, by column.
struct Values<'r>(Vec<(&'r str, Given<'r>)>);

impl Values<'_> {
    fn cells(&self) -> Vec<Cell<'_>> {
        self.0.iter().map(|(name, given)| (*name, given.operand())).collect()
    }
}

/// Writes the statements of one table.
pub struct RowSql {
    table: TableStatements,
    dialect: Dialect,
    /// The places of the columns that statements may name, sorted.
    columns: Vec<usize>,
    /// Those of them whose values statements are guarded by, sorted.
    guarded: Vec<usize>,
    /// Whether equal rows cannot be told apart: all of them go, and those that stay come back.
    pub takes_all_copies: bool,
}

/// Which of a table's columns are there when its statements run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Between the stages of a schema change, or where there is none.
    Midway,
    /// Before the rows that change leave the table.
    Before,
    /// When they are back.
    After,
}

/// Writes one statement: what it binds, and from where.
struct Writing<'w> {
    shape: &'w Shape,
    columns: &'w [usize],
    guarded: &'w [usize],
    dialect: &'w Dialect,
    large: Large<'w>,
    binds: Vec<Binding>,
}

impl<'w> Writing<'w> {
    /// A value of the row as it was: a guard knows kind and length of a large one.
    fn guard<'r>(&self, value: &'r CellValue) -> Result<Given<'r>, PackError> {
        Ok(match value {
            CellValue::Here(value) => Given::Here(value),
            CellValue::Apart(value) => {
                let measure = self.large.files.measure(value)?;
                Given::Apart { measure, parameter: String::new() }
            }
        })
    }

    /// A value that is written: a large one is the next parameter.
    fn written<'r>(&mut self, value: &'r CellValue) -> Result<Given<'r>, PackError> {
        let value = match value {
            CellValue::Here(value) => return Ok(Given::Here(value)),
            CellValue::Apart(value) => value,
        };
        let number = self.dialect.parameter(self.binds.len() + 1);
        if self.large.purpose == Purpose::Shown {
            let measure = self.large.files.measure(value)?;
            let (kind, bytes) = (measure.kind.as_str(), measure.bytes);
            let parameter = format!("{number} /* {kind} of {bytes} bytes, not kept */");
            return Ok(Given::Apart { measure, parameter });
        }
        let (measure, digest) = self.large.files.keep(value)?;
        let (kind, bytes) = (measure.kind.as_str(), measure.bytes);
        let parameter = format!("{number} /* {kind} of {bytes} bytes: values/{digest} */");
        self.binds.push(Binding { class: kind.to_owned(), value: digest });
        Ok(Given::Apart { measure, parameter })
    }

    fn guards<'r>(&self, row: &'r [CellValue]) -> Result<Values<'r>, PackError>
    where
        'w: 'r,
    {
        let cells = self.guarded.iter();
        let cells = cells.map(|&at| Ok((self.shape.name(at), self.guard(&row[at])?)));
        cells.collect::<Result<_, PackError>>().map(Values)
    }

    fn values<'r>(
        &mut self,
        row: &'r [CellValue],
        places: &[usize],
    ) -> Result<Values<'r>, PackError>
    where
        'w: 'r,
    {
        let shape = self.shape;
        let places = places.iter().filter(|at| self.columns.contains(at)).collect::<Vec<_>>();
        let cells = places.into_iter().map(|&at| Ok((shape.name(at), self.written(&row[at])?)));
        cells.collect::<Result<_, PackError>>().map(Values)
    }

    /// The key of a row as it was; none where it has none.
    fn key(&self, row: &[CellValue]) -> Vec<Value> {
        self.shape.key_of(row).unwrap_or_default()
    }
}

impl RowSql {
    /// The writer for a table at a moment, under the facts and rules that hold then.
    pub fn new(
        shape: &Shape,
        dialect: &Dialect,
        moment: Moment,
        facts: &[Fact],
        rules: &Rules,
    ) -> RowSql {
        let table_rules = rules.table(shape.label());
        let is_there = |at: &usize| match (moment, table_rules) {
            (Moment::Before, _) => shape.had(*at),
            (Moment::Midway, None) => true,
            (Moment::After, None) => shape.will_have(*at),
            // A column that should go and may not is there too, with what it holds.
            (_, Some(table)) => table.holds(shape.name(*at)),
        };
        let columns: Vec<usize> = (0..shape.len()).filter(is_there).collect();
        let is_comparable =
            |at: &usize| moment != Moment::Midway || (shape.had(*at) && !shape.is_retyped(*at));
        let guarded: Vec<usize> = columns.iter().copied().filter(is_comparable).collect();
        let mut spec = shape.spec.clone();
        let spec_of = |&at: &usize| match moment {
            Moment::Before => shape.earlier(at).clone(),
            Moment::Midway | Moment::After => shape.spec.columns[at].clone(),
        };
        spec.columns = columns.iter().map(spec_of).collect();
        if let Some(rules) = table_rules {
            spec.column_order = rules.columns.iter().cloned().collect();
        }
        let hides_rowid = table_rules.is_some_and(TableRules::hides_rowid);
        RowSql {
            table: dialect.table(&spec, facts),
            dialect: dialect.clone(),
            columns,
            guarded,
            takes_all_copies: rules.enforcement.has_hidden_rowids() && hides_rowid,
        }
    }

    /// How long statements may be.
    pub fn limits(&self) -> StatementLimits {
        self.dialect.limits()
    }

    /// One statement for moves of one kind that change the same columns; more than one only of rows
    /// with keys.
    pub fn statement(
        &self,
        shape: &Shape,
        moves: &[Move],
        large: Large<'_>,
    ) -> Result<Statement, PackError> {
        let (columns, guarded) = (&self.columns[..], &self.guarded[..]);
        let (dialect, binds) = (&self.dialect, Vec::new());
        let mut writing = Writing { shape, columns, guarded, dialect, large, binds };
        // The engine says what cannot be written.
        let wrong = |error: EngineError| {
            let (table, reason) = (shape.table().clone(), error.to_string());
            PackError::Statement { table, reason }
        };
        let first = moves.first().expect("a statement is about a row");
        let places = first.columns();
        let text = match first {
            Move::Insert(row, count) if *count > 1 => {
                let row = writing.values(row, &places)?;
                self.table.insert_copies(&row.cells(), *count).map_err(wrong)?
            }
            Move::Insert(..) => {
                let mut rows = Vec::with_capacity(moves.len());
                for one in moves {
                    rows.push(writing.values(one.row(), &places)?);
                }
                let rows: Vec<Vec<Cell<'_>>> = rows.iter().map(Values::cells).collect();
                self.table.insert(&rows).map_err(wrong)?
            }
            Move::Update(..) => {
                let mut rows = Vec::with_capacity(moves.len());
                for one in moves {
                    let Move::Update(before, after) = one else { continue };
                    let key = writing.key(before);
                    if key.is_empty() {
                        let reason = "a row without a key cannot be changed in place".to_owned();
                        return Err(PackError::Statement { table: shape.table().clone(), reason });
                    }
                    rows.push((key, writing.guards(before)?, writing.values(after, &places)?));
                }
                let rows: Vec<RowUpdate<'_>> = rows
                    .iter()
                    .map(|(key, before, changes)| RowUpdate {
                        row: RowGuard { key: key.clone(), before: before.cells() },
                        changes: changes.cells(),
                    })
                    .collect();
                self.table.update(&rows).map_err(wrong)?
            }
            Move::Delete(row, count) if writing.key(row).is_empty() => {
                let row = writing.guards(row)?;
                let text = match self.takes_all_copies {
                    true => self.table.delete_all_equal(&row.cells()),
                    false => self.table.delete_equal(&row.cells(), *count),
                };
                text.map_err(wrong)?
            }
            Move::Delete(..) => {
                let mut rows = Vec::with_capacity(moves.len());
                for one in moves {
                    rows.push((writing.key(one.row()), writing.guards(one.row())?));
                }
                let rows: Vec<RowGuard<'_>> = rows
                    .iter()
                    .map(|(key, row)| RowGuard { key: key.clone(), before: row.cells() })
                    .collect();
                self.table.delete(&rows).map_err(wrong)?
            }
        };
        self.check_length(shape, first, &text)?;
        Ok(Statement { text, binds: writing.binds })
    }

    fn check_length(&self, shape: &Shape, first: &Move, text: &str) -> Result<(), PackError> {
        let longest = self.limits().longest;
        if text.len() <= longest {
            return Ok(());
        }
        let key = shape.key_of(first.row()).unwrap_or_default();
        let key = key.iter().map(label).collect::<Vec<_>>().join(", ");
        let reason = format!(
            "its statement would have {} bytes, and the database takes at most {longest}",
            text.len()
        );
        let refusal = Refusal::new(shape.table(), reason, "change this row by hand");
        Err(PackError::Refused(vec![refusal.at_row(format!("({key})"))]))
    }
}
