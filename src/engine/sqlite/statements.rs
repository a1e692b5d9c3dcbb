//! INSERT, UPDATE and DELETE statements with guards.
//!
//! A guard is true of exactly the row it was made from: NULL-safe, by storage class, by bytes
//! whatever the collation. SQL cannot tell 0.0 from -0.0, and values above 4 KiB are compared by class
//! and length only: whoever applies a statement compares the row byte by byte before.
//! Nothing here depends on the order of anything but its arguments, so equal changes give equal
//! text.

use super::sql::{collate, free_rowid, is_cast, literal, quoted};
use super::types::{Affinity, TextEncoding, describe};
use crate::engine::error::EngineError;
use crate::engine::{Cell, LargeKind, Operand, RowGuard, RowUpdate};
use crate::model::{
    Fact, FactId, KeyColumn, KeyMatching, ObjectKind, ObjectName, RowKey, TableSpec, Value,
};

/// Values up to this many bytes are compared whole by a guard.
const LARGEST_COMPARED: usize = 4096;

/// A column of a table that notes rowids by keys.
fn noted_column(number: usize) -> String {
    format!("k{number}")
}

/// How many conditions stand in one group. SQLite limits the depth of an expression to 1,000.
const GROUP: usize = 100;

/// Integers below this are never kept as floats by a column that prefers integers.
const SURE_INTEGER: u64 = 1 << 51;

/// Writes statements for one table.
#[derive(Debug, Clone)]
pub struct TableSql {
    table: ObjectName,
    columns: Vec<Column>,
    key: Vec<KeyColumn>,
    /// A name of the rowid that no column hides.
    rowid: Option<&'static str>,
    encoding: TextEncoding,
    /// Whether a constraint says what to do on conflict.
    overrules_conflicts: bool,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    affinity: Affinity,
    is_binary: bool,
}

impl TableSql {
    /// The writer for a table. The facts are those of its schema, sorted by id, as a catalog
    /// gives them.
    pub fn new(table: &TableSpec, facts: &[Fact]) -> TableSql {
        let find = |kind: ObjectKind, object: &ObjectName, part: &str| {
            let id = FactId { kind, object: object.clone(), part: part.to_owned() };
            facts.binary_search_by(|fact| fact.id.cmp(&id)).ok().map(|index| &facts[index])
        };
        let has = |fact: Option<&Fact>, name: &str| {
            fact.is_some_and(|fact| fact.attributes.contains_key(name))
        };
        let own = find(ObjectKind::Table, &table.name, "");
        let is_strict = has(own, "strict");
        let columns = table.columns.iter().map(|column| {
            let fact = find(ObjectKind::Column, &table.name, &column.name);
            Column {
                name: column.name.clone(),
                affinity: Affinity::of(&column.declared_type, is_strict),
                is_binary: fact.is_some() && !has(fact, "collation"),
            }
        });
        let key = match &table.key {
            RowKey::Columns { columns, .. } => columns.clone(),
            RowKey::RowHash => Vec::new(),
        };
        let rowid = if has(own, "without-rowid") { None } else { free_rowid(table) };
        TableSql {
            table: table.name.clone(),
            columns: columns.collect(),
            key,
            rowid,
            encoding: TextEncoding::of_facts(facts),
            overrules_conflicts: facts.iter().any(|fact| {
                fact.id.object == table.name
                    && (has(Some(fact), "conflict") || has(Some(fact), "not-null-conflict"))
            }),
        }
    }

    /// `INSERT` of a row. All columns of the row should be given, NULLs included: a column that
    /// is left out gets its default.
    pub fn insert(&self, rows: &[Vec<Cell<'_>>]) -> Result<String, EngineError> {
        let (names, values) = self.names_and_values(self.one(rows)?)?;
        Ok(format!("{} ({names}) VALUES ({values})", self.verb("INSERT", "INTO ")))
    }

    /// `INSERT` of so many equal rows.
    pub fn insert_copies(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        let (names, values) = self.names_and_values(row)?;
        Ok(format!(
            "{} ({names}) WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies \
             WHERE n < {count}) SELECT {values} FROM copies",
            self.verb("INSERT", "INTO "),
        ))
    }

    /// Statements that note the hidden rowid of every row, by its key, in a new table of this name.
    pub fn note_rowids(&self, notes: &str) -> Vec<String> {
        let Some(rowid) = self.rowid.filter(|_| !self.key.is_empty()) else { return Vec::new() };
        let (table, notes_table) = (quoted(&self.table.name), quoted(notes));
        // Without types every value stays as it is.
        let noted: Vec<String> = (1..=self.key.len()).map(noted_column).collect();
        let noted = noted.join(", ");
        let keys: Vec<String> = self.key.iter().map(|column| quoted(&column.name)).collect();
        vec![
            format!("CREATE TABLE {notes_table} ({noted})"),
            format!(
                "INSERT INTO {notes_table} (rowid, {noted})\nSELECT {rowid}, {}\nFROM {table}",
                keys.join(", ")
            ),
            format!("CREATE INDEX {} ON {notes_table} ({noted})", quoted(&format!("{notes}_key"))),
        ]
    }

    /// `INSERT` of a row that had this key and comes back with the rowid that was noted for it.
    pub fn insert_noted(
        &self,
        row: &[Cell<'_>],
        key: &[Value],
        notes: &str,
    ) -> Result<String, EngineError> {
        let rowid = self.rowid.ok_or_else(|| self.mismatch("a rowid where there is none"))?;
        let mut conditions = Vec::new();
        for (place, value) in key.iter().enumerate() {
            let text = literal(value, self.encoding);
            let text = text.ok_or_else(|| self.mismatch("a key that has no text"))?;
            conditions.push(format!("{} IS {text}", noted_column(place + 1)));
        }
        let (names, values) = self.names_and_values(row)?;
        Ok(format!(
            "{} ({rowid}, {names}) VALUES ((SELECT rowid FROM {} WHERE {}), {values})",
            self.verb("INSERT", "INTO "),
            quoted(notes),
            conditions.join(" AND ")
        ))
    }

    fn names_and_values(&self, row: &[Cell<'_>]) -> Result<(String, String), EngineError> {
        let mut names = Vec::with_capacity(row.len());
        let mut values = Vec::with_capacity(row.len());
        for (column, value) in row {
            names.push(quoted(column));
            values.push(self.operand(column, *value)?);
        }
        Ok((names.join(", "), values.join(", ")))
    }

    /// `UPDATE` of the row with this key that still is as it was before.
    pub fn update(&self, rows: &[RowUpdate<'_>]) -> Result<String, EngineError> {
        let RowUpdate { row, changes } = self.one(rows)?;
        let mut sets = Vec::with_capacity(changes.len());
        for (column, value) in changes {
            sets.push(format!("{} = {}", quoted(column), self.operand(column, *value)?));
        }
        let guards = self.guards(&row.key, &row.before)?;
        Ok(format!("{} SET {} WHERE {guards}", self.verb("UPDATE", ""), sets.join(", ")))
    }

    /// `DELETE` of the row with this key that still is as it was before.
    pub fn delete(&self, rows: &[RowGuard<'_>]) -> Result<String, EngineError> {
        let RowGuard { key, before } = self.one(rows)?;
        let guards = self.guards(key, before)?;
        Ok(format!("DELETE FROM {} WHERE {guards}", quoted(&self.table.name)))
    }

    /// `DELETE` of this many of the rows that are exactly so, where rows have no key. It changes
    /// fewer rows than asked for where there are fewer: that count is the guard.
    pub fn delete_equal(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        let rowid = self.rowid.ok_or_else(|| EngineError::Unsupported {
            database: self.table.to_string(),
            what: format!(
                "a single one of equal rows of table `{}` cannot be named: its columns hide every \
                 name of the rowid",
                self.table
            ),
        })?;
        let table = quoted(&self.table.name);
        let guards = self.guards(&[], row)?;
        Ok(format!(
            "DELETE FROM {table} WHERE {rowid} IN \
             (SELECT {rowid} FROM {table} WHERE {guards} LIMIT {count})"
        ))
    }

    /// `DELETE` of all rows that are exactly so.
    pub fn delete_all_equal(&self, row: &[Cell<'_>]) -> Result<String, EngineError> {
        let guards = self.guards(&[], row)?;
        Ok(format!("DELETE FROM {} WHERE {guards}", quoted(&self.table.name)))
    }

    /// The head of a statement, which overrules the conflict clauses of the schema.
    fn verb(&self, verb: &str, preposition: &str) -> String {
        let or_abort = if self.overrules_conflicts { " OR ABORT" } else { "" };
        format!("{verb}{or_abort} {preposition}{}", quoted(&self.table.name))
    }

    fn one<'r, R>(&self, rows: &'r [R]) -> Result<&'r R, EngineError> {
        match rows {
            [row] => Ok(row),
            _ => Err(self.mismatch("any number of rows but one")),
        }
    }

    /// The condition that is true of exactly this row.
    pub fn guards(&self, key: &[Value], before: &[Cell<'_>]) -> Result<String, EngineError> {
        let mut conditions = Vec::new();
        if !key.is_empty() {
            if key.len() != self.key.len() {
                return Err(self.mismatch("a key with another number of columns"));
            }
            for (column, value) in self.key.iter().zip(key) {
                self.push_key_guard(&mut conditions, column, value)?;
            }
        }
        let is_key = |name: &str| !key.is_empty() && self.key.iter().any(|key| key.name == name);
        for (column, value) in before.iter().filter(|(column, _)| !is_key(column)) {
            match *value {
                Operand::Literal(value) => self.push_guard(&mut conditions, column, value)?,
                Operand::Bound { kind, bytes, .. } => {
                    let class = match kind {
                        LargeKind::Text => "text",
                        LargeKind::Bytes => "blob",
                    };
                    self.push_size_guard(&mut conditions, &quoted(column), class, bytes);
                }
            }
        }
        if conditions.is_empty() {
            return Err(self.mismatch("a statement without a condition"));
        }
        Ok(conjunction(&conditions))
    }

    /// A key guard begins with the comparison that the key's index can answer.
    fn push_key_guard(
        &self,
        conditions: &mut Vec<String>,
        column: &KeyColumn,
        value: &Value,
    ) -> Result<(), EngineError> {
        let is_by_collation =
            matches!(column.matching, KeyMatching::AsciiNoCase | KeyMatching::TrailingSpaces);
        if is_by_collation && matches!(value, Value::Text(_) | Value::RawText { .. }) {
            let text = self.value(&column.name, value)?;
            conditions.push(format!(
                "{}{} IS {text}",
                quoted(&column.name),
                collate(column.matching)
            ));
        }
        self.push_guard(conditions, &column.name, value)
    }

    fn push_guard(
        &self,
        conditions: &mut Vec<String>,
        column: &str,
        value: &Value,
    ) -> Result<(), EngineError> {
        let known = self.columns.iter().find(|known| known.name == column);
        let affinity = known.map(|known| known.affinity);
        let name = quoted(column);
        match value {
            Value::Null => conditions.push(format!("{name} IS NULL")),
            Value::Int(number) => {
                conditions.push(format!("{name} IS {number}"));
                let is_sure = number.unsigned_abs() < SURE_INTEGER
                    && matches!(affinity, Some(Affinity::Integer | Affinity::Numeric));
                if !is_sure {
                    conditions.push(class_is(&name, "integer"));
                }
            }
            // No function of SQLite tells 0.0 and -0.0 apart, so this guard does not either.
            Value::Float64(_) => {
                conditions.push(format!("{name} IS {}", self.value(column, value)?));
                if affinity != Some(Affinity::Real) {
                    conditions.push(class_is(&name, "real"));
                }
            }
            Value::Bytes(bytes) => {
                self.push_bytes_guard(conditions, column, value, ("blob", bytes.len()))?;
            }
            Value::Text(text) => {
                let length = self.encoding.encode(text).len();
                self.push_bytes_guard(conditions, column, value, ("text", length))?;
            }
            Value::RawText { bytes, .. } => {
                self.push_bytes_guard(conditions, column, value, ("text", bytes.len()))?;
            }
            _ => return Err(self.cannot_hold(column, value)),
        }
        Ok(())
    }

    fn push_bytes_guard(
        &self,
        conditions: &mut Vec<String>,
        column: &str,
        value: &Value,
        (class, length): (&str, usize),
    ) -> Result<(), EngineError> {
        let known = self.columns.iter().find(|known| known.name == column);
        let name = quoted(column);
        let is_key = self.key.iter().any(|key| key.name == column);
        if length > LARGEST_COMPARED && !is_key {
            self.push_size_guard(conditions, &name, class, length as u64);
            return Ok(());
        }
        let is_blob = class == "blob";
        let by = match known {
            Some(known) if known.is_binary || is_blob => "",
            _ => " COLLATE BINARY",
        };
        conditions.push(format!("{name}{by} IS {}", self.value(column, value)?));
        let is_sure = match known.map(|known| known.affinity) {
            Some(Affinity::Text) => true,
            Some(Affinity::Blob) => !is_cast(value, self.encoding),
            _ => is_blob,
        };
        if !is_sure {
            conditions.push(class_is(&name, class));
        }
        Ok(())
    }

    /// A guard of class and length, which SQLite knows without reading the value; of UTF-16 it
    /// does not, where that is not of this machine's byte order.
    fn push_size_guard(&self, conditions: &mut Vec<String>, name: &str, class: &str, bytes: u64) {
        conditions.push(class_is(name, class));
        conditions.push(match (class, self.encoding) {
            ("blob", _) | (_, TextEncoding::Utf8) => format!("octet_length({name}) IS {bytes}"),
            _ => format!("length(CAST({name} AS BLOB)) IS {bytes}"),
        });
    }

    fn operand(&self, column: &str, operand: Operand<'_>) -> Result<String, EngineError> {
        match operand {
            Operand::Literal(value) => self.value(column, value),
            Operand::Bound { parameter, .. } => Ok(parameter.to_owned()),
        }
    }

    fn value(&self, column: &str, value: &Value) -> Result<String, EngineError> {
        literal(value, self.encoding).ok_or_else(|| self.cannot_hold(column, value))
    }

    fn cannot_hold(&self, column: &str, value: &Value) -> EngineError {
        EngineError::ValueKind {
            engine: "SQLite",
            table: self.table.to_string(),
            column: column.to_owned(),
            value: describe(value),
        }
    }

    fn mismatch(&self, what: &str) -> EngineError {
        EngineError::Unsupported {
            database: self.table.to_string(),
            what: format!("no statement can be written for {what}"),
        }
    }
}

fn class_is(name: &str, class: &str) -> String {
    format!("typeof({name}) IS '{class}'")
}

/// All conditions, in groups, so that the expression stays shallow however many columns there are.
fn conjunction(conditions: &[String]) -> String {
    if conditions.len() <= GROUP {
        return conditions.join(" AND ");
    }
    let groups: Vec<String> =
        conditions.chunks(GROUP).map(|group| format!("({})", group.join(" AND "))).collect();
    groups.join(" AND ")
}
