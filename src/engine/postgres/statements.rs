//! Statements for the rows of PostgreSQL tables, with guards.
//!
//! A literal has no type of its own: it takes the column's, by the type's input function, which
//! refuses what does not fit where a cast would cut it. Several rows are a list of values that is
//! joined, a row a line; its first row is cast. What is the same in all rows of a statement stands
//! in it once. Nothing here depends on the order of anything but the arguments.

use super::declared::find;
use super::dialect::encoding_of;
use super::guards::{Column, Writer};
use super::sql::ServerEncoding;
use crate::engine::error::EngineError;
use crate::engine::{Cell, Operand, RowGuard, RowUpdate};
use crate::model::{Fact, ObjectKind, ObjectName, TableSpec};

/// The longest name, in bytes.
const LONGEST_NAME: usize = 63;

/// Writes statements for one table.
#[derive(Debug, Clone)]
pub struct PostgresTable {
    table: ObjectName,
    /// The name of the table, without its children where it may have some.
    relation: String,
    /// The name without more.
    into: String,
    is_partitioned: bool,
    columns: Vec<Column>,
    /// The places of the key's columns.
    key: Vec<usize>,
    encoding: ServerEncoding,
}

impl PostgresTable {
    /// The writer for a table. The facts are those of its schema, sorted by id.
    pub fn new(table: &TableSpec, facts: &[Fact]) -> Self {
        let encoding = encoding_of(facts);
        let columns: Vec<Column> = table
            .columns
            .iter()
            .map(|column| Column::new(&table.name, column, facts, &encoding))
            .collect();
        let place = |name: &str| columns.iter().position(|column| column.name == name);
        let key = table.key.column_names().into_iter().filter_map(place).collect();
        // The rows of partitions are the table's own, those of children that inherit are not.
        let is_partitioned = find(facts, ObjectKind::Partition, &table.name, "").is_some();
        let into = encoding.qualified(&table.name);
        let relation = if is_partitioned { into.clone() } else { format!("ONLY {into}") };
        PostgresTable {
            table: table.name.clone(),
            relation,
            into,
            is_partitioned,
            columns,
            key,
            encoding,
        }
    }

    /// `INSERT` of rows, all with the same columns in the same order.
    pub fn insert(&self, rows: &[Vec<Cell<'_>>]) -> Result<String, EngineError> {
        let Some(first) = rows.first() else { return Err(self.mismatch("no rows")) };
        let mut sql = self.insert_into(first)?;
        sql.push_str("VALUES");
        for (place, row) in rows.iter().enumerate() {
            let is_alike = row.len() == first.len()
                && row.iter().zip(first).all(|((name, _), (other, _))| name == other);
            if !is_alike {
                return Err(self.mismatch("rows of different columns"));
            }
            sql.push_str(match (rows.len(), place) {
                (1, _) => " ",
                (_, 0) => "\n  ",
                _ => ",\n  ",
            });
            sql.push_str(&format!("({})", self.values(row)?.join(", ")));
        }
        Ok(sql)
    }

    /// `INSERT` of so many equal rows.
    pub fn insert_copies(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        let into = self.insert_into(row)?;
        let values = self.values(row)?.join(", ");
        Ok(match count {
            1 => format!("{into}VALUES ({values})"),
            count => format!("{into}SELECT {values} FROM generate_series(1, {count})"),
        })
    }

    /// `UPDATE` of the rows with these keys that still are as they were before. An identity column
    /// that is ALWAYS generated cannot be set.
    pub fn update(&self, rows: &[RowUpdate<'_>]) -> Result<String, EngineError> {
        let Some(first) = rows.first() else { return Err(self.mismatch("no rows")) };
        for (name, _) in &first.changes {
            if self.column(name)?.1.is_identity_always {
                return Err(EngineError::Unsupported {
                    database: self.table.to_string(),
                    what: format!(
                        "column `{name}` is GENERATED ALWAYS AS IDENTITY, and no UPDATE sets such a \
                         column: the row would have to be deleted and inserted"
                    ),
                });
            }
        }
        if first.changes.is_empty() {
            return Err(self.mismatch("an update of no column"));
        }
        let guards: Vec<&RowGuard<'_>> = rows.iter().map(|row| &row.row).collect();
        let changes: Vec<&[Cell<'_>]> = rows.iter().map(|row| row.changes.as_slice()).collect();
        if rows.len() == 1 {
            let mut sets = Vec::with_capacity(first.changes.len());
            for (name, operand) in &first.changes {
                let column = self.column(name)?.1;
                let value = self.writer().written(column, *operand)?;
                sets.push(format!("{} = {value}", column.quoted));
            }
            let guards = self.guards(&first.row.key, &first.row.before)?;
            let sets = sets.join(", ");
            return Ok(format!("UPDATE {} SET {sets} WHERE {guards}", self.relation));
        }
        let mut join = Join::new(self, rows.len());
        join.match_keys(&guards)?;
        let sets = join.set(&changes)?;
        join.match_rows(&guards)?;
        let Joined { values, conditions } = join.finish();
        let sets = sets.join(", ");
        Ok(format!("UPDATE {} AS t SET {sets}\nFROM {values}\nWHERE {conditions}", self.relation))
    }

    /// `DELETE` of the rows with these keys that still are as they were before.
    pub fn delete(&self, rows: &[RowGuard<'_>]) -> Result<String, EngineError> {
        if let [row] = rows {
            let guards = self.guards(&row.key, &row.before)?;
            return Ok(format!("DELETE FROM {} WHERE {guards}", self.relation));
        }
        let rows: Vec<&RowGuard<'_>> = rows.iter().collect();
        if rows.is_empty() {
            return Err(self.mismatch("no rows"));
        }
        let mut join = Join::new(self, rows.len());
        join.match_keys(&rows)?;
        join.match_rows(&rows)?;
        let Joined { values, conditions } = join.finish();
        Ok(format!("DELETE FROM {} AS t\nUSING {values}\nWHERE {conditions}", self.relation))
    }

    /// `DELETE` of this many of the rows that are exactly so, for rows without a key. It changes
    /// fewer where there are fewer: the count of changed rows is the guard.
    pub fn delete_equal(&self, row: &[Cell<'_>], count: u64) -> Result<String, EngineError> {
        let guards = self.guards(&[], row)?;
        let relation = &self.relation;
        Ok(match self.is_partitioned {
            // Every partition has a row at the same place.
            true => format!(
                "DELETE FROM {relation} WHERE (tableoid, ctid) IN \
                 (SELECT tableoid, ctid FROM {relation} WHERE {guards} LIMIT {count})"
            ),
            false => format!(
                "DELETE FROM {relation} WHERE ctid = ANY (ARRAY(\
                 SELECT ctid FROM {relation} WHERE {guards} LIMIT {count}))"
            ),
        })
    }

    /// `DELETE` of all rows that are exactly so.
    pub fn delete_all_equal(&self, row: &[Cell<'_>]) -> Result<String, EngineError> {
        let guards = self.guards(&[], row)?;
        Ok(format!("DELETE FROM {} WHERE {guards}", self.relation))
    }

    /// `INSERT INTO … (…) `, with what follows it left open.
    fn insert_into(&self, row: &[Cell<'_>]) -> Result<String, EngineError> {
        let mut names = Vec::with_capacity(row.len());
        let mut overrides = false;
        for (name, _) in row {
            let column = self.column(name)?.1;
            overrides |= column.is_identity_always;
            names.push(column.quoted.as_str());
        }
        if names.is_empty() {
            return Err(self.mismatch("rows without columns"));
        }
        let overriding = if overrides { "OVERRIDING SYSTEM VALUE " } else { "" };
        Ok(format!("INSERT INTO {} ({}) {overriding}", self.into, names.join(", ")))
    }

    fn values(&self, row: &[Cell<'_>]) -> Result<Vec<String>, EngineError> {
        row.iter()
            .map(|(name, operand)| self.writer().written(self.column(name)?.1, *operand))
            .collect()
    }

    /// The condition that is true of exactly this row, its key first.
    fn guards(
        &self,
        key: &[crate::model::Value],
        before: &[Cell<'_>],
    ) -> Result<String, EngineError> {
        let writer = self.writer();
        let mut conditions = Vec::with_capacity(before.len());
        if !key.is_empty() && key.len() != self.key.len() {
            return Err(self.mismatch("a key with another number of columns"));
        }
        for (&place, value) in self.key.iter().zip(key) {
            let column = &self.columns[place];
            let operand = Operand::Literal(value);
            let indexed = column.indexed(&column.quoted, value, &writer)?;
            let is_exact = column.comparison(std::iter::once(operand)).is_equality();
            if indexed.is_none() || !is_exact {
                conditions.extend(indexed);
                conditions.push(column.guard(&column.quoted, operand, &writer)?);
            } else {
                conditions.extend(indexed);
            }
        }
        for (name, operand) in before {
            let (place, column) = self.column(name)?;
            if key.is_empty() || !self.key.contains(&place) {
                conditions.push(column.guard(&column.quoted, *operand, &writer)?);
            }
        }
        if conditions.is_empty() {
            return Err(self.mismatch("a statement without a condition"));
        }
        Ok(conditions.join(" AND "))
    }

    fn column(&self, name: &str) -> Result<(usize, &Column), EngineError> {
        let found = self.columns.iter().enumerate().find(|(_, column)| column.name == name);
        found.ok_or_else(|| {
            self.mismatch(&format!("column `{name}`, which the table does not have"))
        })
    }

    fn writer(&self) -> Writer<'_> {
        Writer { table: &self.table, encoding: &self.encoding }
    }

    fn mismatch(&self, what: &str) -> EngineError {
        EngineError::Unsupported {
            database: self.table.to_string(),
            what: format!("no statement can be written for {what}"),
        }
    }
}

/// A list of values that the rows of a table are joined with.
struct Join<'t> {
    table: &'t PostgresTable,
    names: Vec<String>,
    rows: Vec<Vec<String>>,
    conditions: Vec<String>,
}

/// The list as SQL, and how it is joined.
struct Joined {
    values: String,
    conditions: String,
}

impl<'t> Join<'t> {
    fn new(table: &'t PostgresTable, rows: usize) -> Self {
        Join { table, names: Vec::new(), rows: vec![Vec::new(); rows], conditions: Vec::new() }
    }

    /// The rows are those with these keys.
    fn match_keys(&mut self, rows: &[&RowGuard<'_>]) -> Result<(), EngineError> {
        let table = self.table;
        let is_whole = |row: &&&RowGuard<'_>| row.key.len() == table.key.len();
        if table.key.is_empty() || rows.iter().filter(is_whole).count() != rows.len() {
            return Err(table.mismatch("several rows without their whole keys"));
        }
        for (at, &place) in table.key.iter().enumerate() {
            let column = &table.columns[place];
            let operands = || rows.iter().map(|row| Operand::Literal(&row.key[at]));
            let comparison = column.comparison(operands());
            let expression = format!("t.{}", column.quoted);
            let has_equality = column.declared.has_equality;
            let kind = match has_equality {
                true => &column.declared.base,
                false => column.compared_type(comparison),
            };
            let value = self.add(column, &column.name, kind, operands())?;
            if has_equality {
                self.conditions.push(format!("{} = {value}", column.operand(&expression)));
            }
            if !has_equality {
                let (left, right) = (comparison.exact(&expression), comparison.exact_value(&value));
                self.conditions.push(format!("{left} = {right}"));
            } else if !comparison.is_equality() {
                let (left, right) = (comparison.exact(&expression), comparison.exact(&value));
                self.conditions.push(format!("{left} = {right}"));
            }
        }
        Ok(())
    }

    /// The rows are as they were before.
    fn match_rows(&mut self, rows: &[&RowGuard<'_>]) -> Result<(), EngineError> {
        let table = self.table;
        let lists: Vec<&[Cell<'_>]> = rows.iter().map(|row| row.before.as_slice()).collect();
        for (at, name) in table.names_of(&lists)?.into_iter().enumerate() {
            let (place, column) = table.column(name)?;
            if table.key.contains(&place) {
                continue;
            }
            let operands = || lists.iter().map(|cells| cells[at].1);
            let expression = format!("t.{}", column.quoted);
            if are_equal(operands()) {
                let guard = column.guard(&expression, lists[0][at].1, &table.writer())?;
                self.conditions.push(guard);
                continue;
            }
            let comparison = column.comparison(operands());
            let lengths: Vec<Option<u64>> = operands().map(length_of).collect();
            let here = operands().map(|operand| match operand {
                Operand::Bound { .. } => Operand::Literal(&crate::model::Value::Null),
                literal => literal,
            });
            let kind = column.compared_type(comparison).to_owned();
            let value = self.add(column, &format!("was {name}"), &kind, here)?;
            let same = format!(
                "{} IS NOT DISTINCT FROM {}",
                comparison.exact(&column.operand_of(&expression, comparison)),
                comparison.exact_value(&value)
            );
            if lengths.iter().all(Option::is_none) {
                self.conditions.push(same);
                continue;
            }
            let length = self.add_lengths(&format!("bytes of {name}"), &lengths);
            self.conditions.push(format!(
                "CASE WHEN {length} IS NULL THEN {same} ELSE {} = {length} END",
                comparison.length(&expression)
            ));
        }
        Ok(())
    }

    /// The columns get these values.
    fn set(&mut self, changes: &[&[Cell<'_>]]) -> Result<Vec<String>, EngineError> {
        let table = self.table;
        let mut sets = Vec::new();
        for (at, name) in table.names_of(changes)?.into_iter().enumerate() {
            let column = table.column(name)?.1;
            let operands = || changes.iter().map(|cells| cells[at].1);
            let value = match are_equal(operands()) {
                true => table.writer().written(column, changes[0][at].1)?,
                false => {
                    let label = match table.key.iter().any(|&k| table.columns[k].name == name) {
                        true => format!("new {name}"),
                        false => name.to_owned(),
                    };
                    self.add(column, &label, &column.declared.cast, operands())?
                }
            };
            sets.push(format!("{} = {value}", column.quoted));
        }
        Ok(sets)
    }

    /// Adds a column to the list, its first value cast; gives its name.
    fn add<'v>(
        &mut self,
        column: &Column,
        label: &str,
        kind: &str,
        values: impl Iterator<Item = Operand<'v>>,
    ) -> Result<String, EngineError> {
        let writer = self.table.writer();
        // A number is no text; quoted, it takes any type.
        let is_text = kind == "text";
        for (place, (row, operand)) in self.rows.iter_mut().zip(values).enumerate() {
            let value = match operand {
                Operand::Literal(value) if is_text => writer.literal(column, value)?,
                operand => writer.written(column, operand)?,
            };
            let is_cast = place > 0 || matches!(operand, Operand::Bound { .. });
            row.push(if is_cast { value } else { format!("CAST({value} AS {kind})") });
        }
        Ok(self.name(label))
    }

    fn add_lengths(&mut self, label: &str, lengths: &[Option<u64>]) -> String {
        for (place, (row, length)) in self.rows.iter_mut().zip(lengths).enumerate() {
            let length = length.map_or("NULL".to_owned(), |length| length.to_string());
            row.push(if place > 0 { length } else { format!("CAST({length} AS bigint)") });
        }
        self.name(label)
    }

    /// A name for the column that was added last.
    fn name(&mut self, label: &str) -> String {
        let encoding = &self.table.encoding;
        let mut quoted = encoding.quoted(label);
        if label.len() > LONGEST_NAME || self.names.contains(&quoted) {
            quoted = (1..)
                .map(|number| encoding.quoted(&format!("column {number}")))
                .find(|name| !self.names.contains(name))
                .expect("because there are more numbers than names");
        }
        let name = format!("v.{quoted}");
        self.names.push(quoted);
        name
    }

    fn finish(self) -> Joined {
        let rows: Vec<String> =
            self.rows.iter().map(|row| format!("  ({})", row.join(", "))).collect();
        let names = self.names.join(", ");
        Joined {
            values: format!("(VALUES\n{}\n) AS v({names})", rows.join(",\n")),
            conditions: self.conditions.join(" AND "),
        }
    }
}

impl PostgresTable {
    /// The names of the columns, which are the same in all of these rows.
    fn names_of<'c>(&self, rows: &[&[Cell<'c>]]) -> Result<Vec<&'c str>, EngineError> {
        let first = rows.first().copied().unwrap_or_default();
        let names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
        let is_alike = |row: &[Cell<'_>]| {
            row.len() == names.len() && row.iter().zip(&names).all(|((a, _), b)| a == b)
        };
        match rows.iter().all(|row| is_alike(row)) {
            true => Ok(names),
            false => Err(self.mismatch("rows of different columns")),
        }
    }
}

/// Whether these are all the same, none of them bound.
fn are_equal<'v>(mut operands: impl Iterator<Item = Operand<'v>>) -> bool {
    let Some(Operand::Literal(first)) = operands.next() else { return false };
    operands.all(|operand| matches!(operand, Operand::Literal(value) if value == first))
}

fn length_of(operand: Operand<'_>) -> Option<u64> {
    match operand {
        Operand::Bound { bytes, .. } => Some(bytes),
        Operand::Literal(_) => None,
    }
}
