//! Rows of SQLite tables, by a bare step loop.
//!
//! Nothing is allocated for a row or a value: the sink gets borrowed cells straight from SQLite's
//! record. Every query names its columns, quoted, in the order of [`TableSpec::columns`]; a hidden
//! rowid is never read. Any error of a step ends the reading and names the table.

use super::connect::{Locked, classify};
use super::handle::{Failure, Statement};
use super::sql::{collate, free_rowid, quoted};
use super::types::{TextEncoding, bind_of, describe, is_exactly, value_of};
use crate::engine::error::EngineError;
use crate::engine::{ReadEnd, ReadFrom};
use crate::model::{Flow, KeyColumn, KeyMatching, RowKey, RowSink, TableSpec, Value};

/// Sends the rows of a table, from a place on.
pub(super) fn read<S: RowSink + ?Sized>(
    locked: &Locked<'_>,
    encoding: TextEncoding,
    table: &TableSpec,
    from: &ReadFrom,
    sink: &mut S,
) -> Result<ReadEnd, EngineError> {
    let context = Context { locked, encoding, table };
    if matches!(from, ReadFrom::Between(_)) {
        return Err(context.unsupported("is read by one connection, not in ranges"));
    }
    let mut statement = context.prepare_scan(from)?;
    if let ReadFrom::After(key) = from {
        context.bind_key(&mut statement, key)?;
    }
    context.send(&mut statement, sink)
}

/// How many rows a table has.
pub(super) fn count(locked: &Locked<'_>, table: &TableSpec) -> Result<u64, EngineError> {
    let sql = format!("SELECT count(*) FROM main.{}", quoted(&table.name.name));
    let action = format!("count the rows of table `{}` of", table.name);
    let rows = locked.query_int(&sql, &action)?.unwrap_or(0);
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// About how many rows a table has, from what is at hand: the planner's statistics, else the span
/// of its rowids.
pub(super) fn estimate(locked: &Locked<'_>, table: &TableSpec) -> Result<Option<u64>, EngineError> {
    let action = format!("estimate the rows of table `{}` of", table.name);
    let has_statistics = locked.query_int(
        "SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_stat1'",
        &action,
    )?;
    if has_statistics == Some(1) {
        let name = table.name.name.replace('\'', "''");
        let sql = format!(
            "SELECT max(CAST(stat AS INTEGER)) FROM main.sqlite_stat1 WHERE tbl = '{name}'"
        );
        let rows = locked.query_int(&sql, &action)?.and_then(|rows| u64::try_from(rows).ok());
        if let Some(rows) = rows.filter(|&rows| rows > 0) {
            return Ok(Some(rows));
        }
    }
    let Some(rowid) = free_rowid(table) else {
        return Ok(None);
    };
    let name = quoted(&table.name.name);
    // A table WITHOUT ROWID has no such column, which is no error here. Minimum and maximum are
    // asked for apart: together they would be a scan.
    let ends = ["min", "max"].map(|end| {
        locked.query_int(&format!("SELECT {end}(main.{name}.{rowid}) FROM main.{name}"), &action)
    });
    match ends {
        [Ok(Some(first)), Ok(Some(last))] => {
            let span = last.checked_sub(first).and_then(|span| u64::try_from(span).ok());
            // An empty table answers NULL twice, which reads as zero.
            Ok(span.map(|span| if span == 0 && last == 0 { 0 } else { span.saturating_add(1) }))
        }
        _ => Ok(None),
    }
}

/// Finds rows by key, many times over.
pub struct KeyReader<'s> {
    context: Context<'s>,
    statement: Statement<'s>,
    /// The places of the key's columns in a row.
    places: Vec<i32>,
    room: String,
}

impl<'s> KeyReader<'s> {
    pub(super) fn new(
        locked: &'s Locked<'s>,
        encoding: TextEncoding,
        table: &'s TableSpec,
    ) -> Result<KeyReader<'s>, EngineError> {
        let context = Context { locked, encoding, table };
        let RowKey::Columns { columns, .. } = &table.key else {
            return Err(context.unsupported("has no key to find its rows by"));
        };
        let mut sql = select(table);
        push_matches(&mut sql, columns);
        let statement = context.prepare(&sql)?;
        let places = columns
            .iter()
            .map(|key| context.place(&key.name))
            .collect::<Result<Vec<i32>, EngineError>>()?;
        Ok(KeyReader { context, statement, places, room: String::new() })
    }

    /// Sends the rows whose key is exactly this one, storage class and bytes, and says how many
    /// there are: none or one, unless the key holds NULL or is a configured one that repeats.
    pub fn read<S: RowSink + ?Sized>(
        &mut self,
        key: &[Value],
        sink: &mut S,
    ) -> Result<u64, EngineError> {
        self.statement.reset();
        self.context.bind_key(&mut self.statement, key)?;
        let mut rows = 0;
        while self.context.step(&mut self.statement)? {
            if self.is_row_of(key)? {
                rows += 1;
                if self.context.send_row(&self.statement, &mut self.room, sink)? == Flow::Stop {
                    break;
                }
            }
        }
        self.statement.reset();
        Ok(rows)
    }

    /// SQLite found the row by its own equality, which takes 1 and 1.0, or texts of one collation
    /// class, for the same.
    fn is_row_of(&mut self, key: &[Value]) -> Result<bool, EngineError> {
        for (place, value) in self.places.iter().zip(key) {
            let cell =
                self.statement.cell(*place).map_err(|failure| self.context.wrong(failure))?;
            if !is_exactly(cell, self.context.encoding, &mut self.room, value) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Sends the rows of a table whose foreign key columns hold these values of the parent. The
/// matching of each column is that of the parent's key, by which SQLite compares.
pub(super) fn read_referencing<S: RowSink + ?Sized>(
    locked: &Locked<'_>,
    encoding: TextEncoding,
    child: &TableSpec,
    columns: &[KeyColumn],
    parent_key: &[Value],
    limit: u64,
    sink: &mut S,
) -> Result<ReadEnd, EngineError> {
    let context = Context { locked, encoding, table: child };
    if columns.len() != parent_key.len() {
        return Err(context.unsupported("has a foreign key with another number of columns"));
    }
    let mut sql = select(child);
    push_matches(&mut sql, columns);
    sql.push_str(&format!(" LIMIT {limit}"));
    let mut statement = context.prepare(&sql)?;
    for (index, value) in (1..).zip(parent_key) {
        context.bind(&mut statement, index, value, &child.name.name)?;
    }
    context.send(&mut statement, sink)
}

/// What every reading knows.
struct Context<'s> {
    locked: &'s Locked<'s>,
    encoding: TextEncoding,
    table: &'s TableSpec,
}

impl<'s> Context<'s> {
    fn wrong(&self, failure: Failure) -> EngineError {
        classify(self.locked.name, &format!("read table `{}` of", self.table.name), failure)
    }

    fn unsupported(&self, what: &str) -> EngineError {
        EngineError::Unsupported {
            database: self.locked.name.to_owned(),
            what: format!("table `{}` {what}", self.table.name),
        }
    }

    fn prepare(&self, sql: &str) -> Result<Statement<'s>, EngineError> {
        self.locked.database.prepare(sql).map_err(|failure| self.wrong(failure))
    }

    fn prepare_scan(&self, from: &ReadFrom) -> Result<Statement<'s>, EngineError> {
        let sql = scan(self.table, from)?;
        self.prepare(&sql).map_err(|error| match self.missing_collation() {
            Some(what) if matches!(error, EngineError::Server { .. }) => self.unsupported(&what),
            _ => error,
        })
    }

    /// A table WITHOUT ROWID that is kept in the order of a collation cannot be read without it,
    /// and all SQLite says then is that it has no plan.
    fn missing_collation(&self) -> Option<String> {
        let RowKey::Columns { columns, .. } = &self.table.key else {
            return None;
        };
        let key = columns.iter().find(|key| key.matching == KeyMatching::Unknown)?;
        let told = self.locked.database.column_metadata(&self.table.name.name, &key.name).ok()?;
        Some(format!(
            "cannot be read: it is kept in the order of the collation `{}` (column `{}`), which \
             only the program that owns the database has",
            told.collation, key.name
        ))
    }

    #[inline]
    fn step(&self, statement: &mut Statement<'_>) -> Result<bool, EngineError> {
        statement.step().map_err(|failure| self.wrong(failure))
    }

    fn send<S: RowSink + ?Sized>(
        &self,
        statement: &mut Statement<'_>,
        sink: &mut S,
    ) -> Result<ReadEnd, EngineError> {
        let mut room = String::new();
        let mut rows = 0;
        while self.step(statement)? {
            rows += 1;
            if self.send_row(statement, &mut room, sink)? == Flow::Stop {
                return Ok(ReadEnd { rows, is_complete: false });
            }
        }
        Ok(ReadEnd { rows, is_complete: true })
    }

    #[inline]
    fn send_row<S: RowSink + ?Sized>(
        &self,
        statement: &Statement<'_>,
        room: &mut String,
        sink: &mut S,
    ) -> Result<Flow, EngineError> {
        for index in 0..statement.column_count() {
            let cell = statement.cell(index).map_err(|failure| self.wrong(failure))?;
            sink.cell(value_of(cell, self.encoding, room)).map_err(EngineError::Sink)?;
        }
        sink.end_row().map_err(EngineError::Sink)
    }

    fn bind_key(&self, statement: &mut Statement<'_>, key: &[Value]) -> Result<(), EngineError> {
        let names = self.table.key.column_names();
        if names.len() != key.len() {
            return Err(self.unsupported("was asked for a key with another number of columns"));
        }
        for ((index, value), name) in (1..).zip(key).zip(names) {
            self.bind(statement, index, value, name)?;
        }
        Ok(())
    }

    fn bind(
        &self,
        statement: &mut Statement<'_>,
        index: i32,
        value: &Value,
        column: &str,
    ) -> Result<(), EngineError> {
        let mut room = Vec::new();
        let bound =
            bind_of(value, self.encoding, &mut room).ok_or_else(|| EngineError::ValueKind {
                engine: "SQLite",
                table: self.table.name.to_string(),
                column: column.to_owned(),
                value: describe(value),
            })?;
        statement.bind(index, bound).map_err(|failure| self.wrong(failure))
    }

    fn place(&self, column: &str) -> Result<i32, EngineError> {
        self.table
            .columns
            .iter()
            .position(|known| known.name == column)
            .and_then(|place| i32::try_from(place).ok())
            .ok_or_else(|| self.unsupported(&format!("has no column `{column}` of its key")))
    }
}

/// `SELECT "a", "b" FROM main."t" NOT INDEXED`. A covering index could be read instead of the
/// table, but what is captured is the table, whatever state its indexes are in.
fn scan(table: &TableSpec, from: &ReadFrom) -> Result<String, EngineError> {
    let mut sql = select(table);
    sql.push_str(" NOT INDEXED");
    let names: Vec<String> = table.key.column_names().into_iter().map(quoted).collect();
    if let ReadFrom::After(key) = from {
        if !table.reads_in_key_order || names.is_empty() || names.len() != key.len() {
            return Err(EngineError::Unsupported {
                database: table.name.to_string(),
                what: "reading on after a key needs a table that is read in key order".to_owned(),
            });
        }
        let places: Vec<String> = (1..=names.len()).map(|place| format!("?{place}")).collect();
        let condition = format!(" WHERE ({}) > ({})", names.join(", "), places.join(", "));
        sql.push_str(&condition);
    }
    if table.reads_in_key_order && !names.is_empty() {
        sql.push_str(" ORDER BY ");
        sql.push_str(&names.join(", "));
    }
    Ok(sql)
}

fn select(table: &TableSpec) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    format!("SELECT {} FROM main.{}", columns.join(", "), quoted(&table.name.name))
}

/// ` WHERE "a" COLLATE … IS ?1 AND …`, with the collations by which an index on the columns can
/// answer.
fn push_matches(sql: &mut String, columns: &[KeyColumn]) {
    let matches: Vec<String> = (1..)
        .zip(columns)
        .map(|(place, key): (usize, _)| {
            format!("{}{} IS ?{place}", quoted(&key.name), collate(key.matching))
        })
        .collect();
    sql.push_str(" WHERE ");
    sql.push_str(&matches.join(" AND "));
}
