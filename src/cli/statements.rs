//! Changed rows as SQL statements, for reading. What runs is a pack, which is guarded and ordered.

use std::io::{self, Write};

use crate::diff::{Row, RowChange, RowCounts, TableComparison};
use crate::engine::{Cell, Dialect, Operand, RowGuard, RowUpdate, TableStatements};
use crate::model::{TableSpec, Value};
use crate::report::RowPrinter;
use crate::report::value::visible;

/// Prints a statement for each changed row.
pub struct SqlRows<W> {
    out: W,
    dialect: Dialect,
}

impl<W: Write> SqlRows<W> {
    /// Prints into `out`, as an engine takes it.
    pub fn new(out: W, dialect: Dialect) -> Self {
        SqlRows { out, dialect }
    }

    fn table(&self, spec: &TableSpec) -> TableStatements {
        self.dialect.table(spec, &[])
    }
}

fn cells<'r>(spec: &'r TableSpec, row: &'r Row) -> Vec<Cell<'r>> {
    let values = row.values.iter().map(Operand::Literal);
    spec.columns.iter().map(|column| column.name.as_str()).zip(values).collect()
}

/// The values of the row's key; none where it takes the whole row to name it.
fn key_values(spec: &TableSpec, row: &Row) -> Vec<Value> {
    let value = |name: &str| {
        let position = spec.columns.iter().position(|column| column.name == name)?;
        row.values.get(position).cloned()
    };
    let key: Vec<Value> = spec.key.column_names().into_iter().filter_map(value).collect();
    if key.iter().any(Value::is_null) { Vec::new() } else { key }
}

impl<W: Write> RowPrinter for SqlRows<W> {
    fn begin(&mut self, table: &TableComparison) -> io::Result<()> {
        writeln!(self.out, "-- {}", visible(&table.name.to_string()))
    }

    fn row(&mut self, table: &TableComparison, change: &RowChange) -> io::Result<()> {
        let side = |side: &'_ Option<crate::codec::state::StoredTable>| {
            side.as_ref().map(|table| table.spec.clone())
        };
        let statement = match change {
            RowChange::Inserted(row) => {
                let Some(spec) = side(&table.after) else { return Ok(()) };
                self.table(&spec).insert(&[cells(&spec, row)])
            }
            RowChange::Deleted(row) => {
                let Some(spec) = side(&table.before) else { return Ok(()) };
                let sql = self.table(&spec);
                match key_values(&spec, row) {
                    key if key.is_empty() => sql.delete_equal(&cells(&spec, row), row.count),
                    key => sql.delete(&[RowGuard { key, before: cells(&spec, row) }]),
                }
            }
            RowChange::Updated { before, after, changed } => {
                let (Some(left), Some(right)) = (side(&table.before), side(&table.after)) else {
                    return Ok(());
                };
                let wanted = |(name, _): &Cell<'_>| changed.iter().any(|c| c == name);
                let changes: Vec<_> = cells(&right, after).into_iter().filter(wanted).collect();
                let old: Vec<_> = cells(&left, before).into_iter().filter(wanted).collect();
                let row = RowGuard { key: key_values(&left, before), before: old };
                self.table(&left).update(&[RowUpdate { row, changes }])
            }
        };
        // One DELETE takes all of several equal rows; an INSERT makes one.
        let times = if let RowChange::Inserted(row) = change { row.count } else { 1 };
        match statement {
            Ok(statement) => {
                for _ in 0..times {
                    writeln!(self.out, "{statement};")?;
                }
                Ok(())
            }
            Err(error) => writeln!(self.out, "-- {}", visible(&error.to_string())),
        }
    }

    fn end(&mut self, _: &TableComparison, _: RowCounts, hidden: u64) -> io::Result<()> {
        if hidden > 0 {
            writeln!(self.out, "-- {hidden} more")?;
        }
        Ok(())
    }
}
