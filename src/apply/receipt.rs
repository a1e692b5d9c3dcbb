//! Receipts: which packs a target has taken, written in the transaction that took them.
//!
//! Where the answer to a commit was lost, the receipt says what happened. The last receipt of a
//! pack counts, so apply, rollback, apply works. The table is never captured in a snapshot.

use super::error::ApplyError;
use super::sinks::Values;
use crate::engine::{RECEIPTS_TABLE, ReadFrom, Session};
use crate::model::{ColumnSpec, ObjectName, RowKey, TableSpec, Value};
use crate::pack::Run;
use crate::pack::statement::identifier;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The pack's digest.
    pub pack: String,
    /// The target's identity when it was run.
    pub target: String,
    /// Which way.
    pub run: Run,
    /// When, as text.
    pub at: String,
    /// How many statements ran.
    pub statements: u64,
}

/// A table with columns that are read for themselves, outside any catalog.
pub fn bare_table(name: &str, columns: &[&str]) -> TableSpec {
    let columns = columns.iter().map(|name| ColumnSpec {
        name: (*name).to_owned(),
        declared_type: String::new(),
        default: Value::Null,
    });
    TableSpec {
        name: ObjectName::bare(name),
        columns: columns.collect(),
        key: RowKey::RowHash,
        reads_in_key_order: false,
        column_order: Vec::new(),
    }
}

/// The way this pack was run last on the target, if it was.
pub fn last_run(session: &Session<'_>, pack: &str) -> Result<Option<Run>, ApplyError> {
    let mut names = Values::default();
    session.read_rows(&bare_table("sqlite_schema", &["name"]), &ReadFrom::Start, &mut names)?;
    let is_receipts = |row: &Vec<Value>| row[..] == [Value::Text(RECEIPTS_TABLE.to_owned())];
    if !names.rows.iter().any(is_receipts) {
        return Ok(None);
    }
    let mut receipts = Values::default();
    let table = bare_table(RECEIPTS_TABLE, &["direction", "id", "pack"]);
    session.read_rows(&table, &ReadFrom::Start, &mut receipts)?;
    let last = receipts
        .rows
        .iter()
        .filter_map(|row| match &row[..] {
            [Value::Text(direction), Value::Int(id), Value::Text(of)] if of == pack => {
                Some((*id, direction))
            }
            _ => None,
        })
        .max();
    Ok(last.map(|(_, direction)| match direction.as_str() {
        "rollback" => Run::Back,
        _ => Run::Forward,
    }))
}

/// Writes a receipt, inside the transaction.
pub fn write(session: &Session<'_>, receipt: &Receipt) -> Result<(), ApplyError> {
    let table = identifier(RECEIPTS_TABLE);
    session.execute(&format!(
        "CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, pack TEXT NOT NULL, \
         target TEXT NOT NULL, direction TEXT NOT NULL, at TEXT NOT NULL, \
         statements INTEGER NOT NULL)"
    ))?;
    let statements = i64::try_from(receipt.statements).unwrap_or(i64::MAX);
    session
        .prepare(&format!(
            "INSERT INTO {table} (pack, target, direction, at, statements) \
             VALUES (?1, ?2, ?3, ?4, ?5)"
        ))?
        .run(&[
            Value::Text(receipt.pack.clone()),
            Value::Text(receipt.target.clone()),
            Value::Text(receipt.run.as_str().to_owned()),
            Value::Text(receipt.at.clone()),
            Value::Int(statements),
        ])?;
    Ok(())
}
