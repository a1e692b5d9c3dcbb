//! Statements for the rows of MySQL and MariaDB tables, with guards.
//!
//! Nothing here depends on the order of anything but its arguments, so equal changes give equal
//! text. An INSERT holds many rows, each on a line of its own; an UPDATE or a DELETE changes one
//! row, so that the count of each tells whether its guard held. Columns that the server would set
//! by itself (ON UPDATE) are set to what they are.

use super::guard::{Column, condition};
use super::sql::{quoted, readable};
use super::types::{Kind, base};
use crate::engine::error::EngineError;
use crate::engine::{Cell, Operand, RowGuard, RowUpdate, StatementLimits};
use crate::model::{ColumnSpec, Fact, FactId, ObjectKind, ObjectName, RowKey, TableSpec, Value};

/// How many rows one INSERT holds.
const INSERTED: usize = 100;

/// Statements of several rows stay below the smallest packet that servers are set to.
const FULL: usize = 32 << 10;

/// What a native client runs into. A session that may only read refuses whatever comes after, even
/// where the client is told to go on after errors.
const CLIENT_STOP: &str = "SET SESSION TRANSACTION READ ONLY;
START TRANSACTION READ ONLY;
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'run this file with deepdiff-db apply: this client cannot check its guards';
";

/// How MySQL and MariaDB write SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MysqlDialect;

/// Writes statements for one table.
#[derive(Debug, Clone)]
pub struct MysqlTable {
    table: ObjectName,
    columns: Vec<Column>,
    /// The columns of the key, by place in `columns`.
    key: Vec<usize>,
    /// Columns that the server sets at each UPDATE which does not.
    set_by_server: Vec<String>,
}

impl MysqlDialect {
    /// A quoted name.
    pub fn quoted(&self, name: &str) -> String {
        quoted(name)
    }

    /// The exact text of a value; `None` where the engine cannot hold it.
    pub fn literal(&self, value: &Value) -> Option<String> {
        readable(value)
    }

    /// The text of the parameter with this number: they are counted by where they stand.
    pub fn parameter(&self, _number: usize) -> String {
        "?".to_owned()
    }

    /// None: InnoDB checks foreign keys row by row and never defers.
    pub fn deferral(&self) -> Option<&'static str> {
        None
    }

    /// Nothing waits on these servers.
    pub fn deferral_end(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Raises a sequence (MariaDB), which never lowers one and is no part of the transaction: it
    /// stays where it was raised to when the transaction is rolled back.
    ///
    /// For the numbering of a table nothing is done: inserting a row raises it above the row's
    /// number, and anything else would commit. So numbers that were given out and whose rows are
    /// gone may be given out again, and on MySQL before 8.0 those of rows whose key an UPDATE
    /// raised.
    pub fn raise_sequence(&self, name: &ObjectName, position: i64, facts: &[Fact]) -> Vec<String> {
        let has = |part: &str| {
            let kind = ObjectKind::Sequence;
            let id = FactId { kind, object: name.clone(), part: part.to_owned() };
            facts.binary_search_by(|fact| fact.id.cmp(&id)).is_ok()
        };
        match has("") {
            true => vec![format!("DO SETVAL({}, {position})", quoted(&name.name))],
            false => Vec::new(),
        }
    }

    /// The statements that make a native client stop, one a line.
    pub fn client_stop(&self) -> &'static str {
        CLIENT_STOP
    }

    /// How long statements may be. The session knows the limit of its server.
    pub fn limits(&self) -> StatementLimits {
        StatementLimits { longest: 1 << 30, inserted: INSERTED, changed: 1, full: FULL }
    }

    /// Why rows of a table with this column cannot be written exactly; `None` where they can.
    pub fn unwritable(&self, column: &ColumnSpec) -> Option<String> {
        let declared = &column.declared_type;
        match (Kind::of(declared), base(declared)) {
            (Kind::Json, _) => Some(
                "MySQL's JSON tells DECIMAL from DOUBLE and opaque values from strings, and the \
                 text that it shows does not: what is written from that is another value"
                    .to_owned(),
            ),
            (Kind::Other, "inet4" | "inet6") => None,
            (Kind::Other, name) | (_, name @ "vector") => {
                Some(format!("the type {name} is not known to come back as it was written"))
            }
            _ => None,
        }
    }

    /// Schema is not changed here, so no column is defined anew.
    pub fn column_definition(&self, _create_table: &str, _column: &str) -> Option<String> {
        None
    }
}

impl MysqlTable {
    /// The writer for a table. The facts are those of its schema, sorted by id.
    pub fn new(table: &TableSpec, facts: &[Fact]) -> Self {
        let key = match &table.key {
            RowKey::Columns { columns, .. } => columns.as_slice(),
            RowKey::RowHash => &[],
        };
        let columns: Vec<Column> = table
            .columns
            .iter()
            .map(|column| {
                let part = key.iter().find(|part| part.name == column.name);
                Column::new(column, part.map(|part| part.matching))
            })
            .collect();
        let place = |name: &str| columns.iter().position(|column| column.name == name);
        let key = key.iter().filter_map(|part| place(&part.name)).collect();
        let is_set_by_server = |column: &&ColumnSpec| {
            let (object, part) = (table.name.clone(), column.name.clone());
            let id = FactId { kind: ObjectKind::Column, object, part };
            let fact = facts.binary_search_by(|fact| fact.id.cmp(&id)).ok();
            fact.is_some_and(|index| facts[index].attributes.contains_key("on-update"))
        };
        let set_by_server = table.columns.iter().filter(is_set_by_server);
        MysqlTable {
            table: table.name.clone(),
            key,
            set_by_server: set_by_server.map(|column| column.name.clone()).collect(),
            columns,
        }
    }

    /// `INSERT` of rows, all with the same columns in the same order.
    pub fn insert(&self, rows: &[Vec<Cell<'_>>]) -> Result<String, EngineError> {
        let first = rows.first().ok_or_else(|| self.mismatch("no row"))?;
        let mut sql = self.insert_into(first);
        sql.push_str(" VALUES");
        let before = if rows.len() == 1 { " (" } else { "\n(" };
        for (place, row) in rows.iter().enumerate() {
            let is_alike = row.len() == first.len()
                && row.iter().zip(first).all(|((one, _), (other, _))| one == other);
            if !is_alike {
                return Err(self.mismatch("rows with other columns"));
            }
            sql.push_str(if place == 0 { "" } else { "," });
            sql.push_str(before);
            sql.push_str(&self.values(row)?);
            sql.push(')');
        }
        Ok(sql)
    }

    /// `INSERT` of so many equal rows. A parameter stands in it once.
    pub fn insert_copies(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        if count <= 1 {
            return self.insert(&[row.to_vec()]);
        }
        if row.is_empty() {
            let rows = vec!["()"; usize::try_from(count).unwrap_or(0)];
            return Ok(format!("{} VALUES {}", self.insert_into(row), rows.join(", ")));
        }
        // Digits that count rows: as many as the number has, each of ten rows.
        let mut digits = Vec::new();
        let mut reached = 1u64;
        while reached < count {
            let rows: Vec<String> = (0..10).map(|digit| format!("SELECT {digit}")).collect();
            digits.push(format!("({}) AS d{}", rows.join(" UNION ALL "), digits.len()));
            reached = reached.saturating_mul(10);
        }
        Ok(format!(
            "{} SELECT {} FROM {} LIMIT {count}",
            self.insert_into(row),
            self.values(row)?,
            digits.join(", ")
        ))
    }

    /// `UPDATE` of a row that still is as it was before.
    pub fn update(&self, rows: &[RowUpdate<'_>]) -> Result<String, EngineError> {
        let [update] = rows else { return Err(self.mismatch("several rows that change")) };
        let mut sets = Vec::with_capacity(update.changes.len() + self.set_by_server.len());
        for (name, operand) in &update.changes {
            sets.push(format!("{} = {}", quoted(name), self.operand(name, *operand)?));
        }
        for name in &self.set_by_server {
            if !update.changes.iter().any(|(changed, _)| changed == name) {
                sets.push(format!("{0} = {0}", quoted(name)));
            }
        }
        let guards = self.row_guards(&update.row)?;
        Ok(format!("UPDATE {} SET {} WHERE {guards}", quoted(&self.table.name), sets.join(", ")))
    }

    /// `DELETE` of a row that still is as it was before.
    pub fn delete(&self, rows: &[RowGuard<'_>]) -> Result<String, EngineError> {
        let [row] = rows else { return Err(self.mismatch("several rows that go")) };
        Ok(format!("DELETE FROM {} WHERE {}", quoted(&self.table.name), self.row_guards(row)?))
    }

    /// `DELETE` of this many of the rows that are exactly so. Which ones does not matter, so that
    /// they are not ordered does not matter either.
    pub fn delete_equal(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        Ok(format!("{} LIMIT {count}", self.delete_all_equal(row)?))
    }

    /// `DELETE` of all rows that are exactly so.
    pub fn delete_all_equal(&self, row: &[Cell<'_>]) -> Result<String, EngineError> {
        let guards = self.guards(&[], row)?;
        Ok(format!("DELETE FROM {} WHERE {guards}", quoted(&self.table.name)))
    }

    fn insert_into(&self, row: &[Cell<'_>]) -> String {
        let names: Vec<String> = row.iter().map(|(name, _)| quoted(name)).collect();
        format!("INSERT INTO {} ({})", quoted(&self.table.name), names.join(", "))
    }

    /// The values of a row, as they stand in an INSERT.
    pub(super) fn values(&self, row: &[Cell<'_>]) -> Result<String, EngineError> {
        let values: Result<Vec<String>, EngineError> =
            row.iter().map(|(name, operand)| self.operand(name, *operand)).collect();
        Ok(values?.join(", "))
    }

    fn row_guards(&self, row: &RowGuard<'_>) -> Result<String, EngineError> {
        if row.key.is_empty() || row.key.len() != self.key.len() {
            return Err(self.mismatch("a key with another number of columns"));
        }
        self.guards(&row.key, &row.before)
    }

    fn guards(&self, key: &[Value], before: &[Cell<'_>]) -> Result<String, EngineError> {
        let key: Vec<(&Column, &Value)> =
            self.key.iter().map(|&place| &self.columns[place]).zip(key).collect();
        let mut conditions: Vec<String> =
            key.iter().filter_map(|(column, value)| column.by_index(value)).collect();
        let found = conditions.len();
        for (column, value) in &key {
            if column.is_exact_by_index() && found > 0 && column.by_index(value).is_some() {
                continue;
            }
            let condition = column.is_exactly(value);
            conditions.push(condition.ok_or_else(|| self.cannot_hold(&column.name, value))?);
        }
        let is_key = |name: &str| key.iter().any(|(column, _)| column.name == name);
        for (name, operand) in before.iter().filter(|(name, _)| !is_key(name)) {
            let column = self.column(name)?;
            conditions.push(condition(column, *operand).ok_or_else(|| match operand {
                Operand::Literal(value) => self.cannot_hold(name, value),
                Operand::Bound { .. } => self.mismatch("a large value"),
            })?);
        }
        if conditions.is_empty() {
            return Err(self.mismatch("a statement without a condition"));
        }
        Ok(conditions.join(" AND "))
    }

    fn operand(&self, name: &str, operand: Operand<'_>) -> Result<String, EngineError> {
        match operand {
            Operand::Literal(value) => {
                let written = self.column(name)?.written(value);
                written.ok_or_else(|| self.cannot_hold(name, value))
            }
            Operand::Bound { parameter, .. } => Ok(parameter.to_owned()),
        }
    }

    fn column(&self, name: &str) -> Result<&Column, EngineError> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.ok_or_else(|| self.mismatch(&format!("column `{name}`, which the table has not")))
    }

    fn cannot_hold(&self, column: &str, value: &Value) -> EngineError {
        let value = match value {
            Value::Int(0) => "the number 0 of an ENUM, which stands for no label".to_owned(),
            Value::RawText { charset, .. } => format!("text that is no valid {charset}"),
            Value::Float32(_) | Value::Float64(_) => "a float that is no number".to_owned(),
            Value::Json(_) => "JSON exactly as it was".to_owned(),
            _ => "a value of this kind".to_owned(),
        };
        let (table, column) = (self.table.to_string(), column.to_owned());
        EngineError::ValueKind { engine: "MySQL", table, column, value }
    }

    fn mismatch(&self, what: &str) -> EngineError {
        EngineError::Unsupported {
            database: self.table.to_string(),
            what: format!("no statement can be written for {what}"),
        }
    }
}
