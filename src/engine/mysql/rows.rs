//! Rows of tables: one streamed prepared select, cells as bytes, decoded on the caller's thread.
//!
//! Prepared, because only the binary protocol has all digits of a FLOAT and cannot mistake a wide
//! row for the end. Columns are named, in the order of [`TableSpec::columns`]. The end is believed
//! only where the server says so; the caller counts, too.

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Either, Executor as _, Row as _};
use std::sync::mpsc::SyncSender;

use super::batch::{Batch, Cells, LastSize, Spares};
use super::connect::Link;
use super::query::bytes;
use super::sql::{literal, quoted};
use super::types::{Kind, unsigned};
use crate::engine::error::EngineError;
use crate::engine::{KeyRange, ReadEnd, ReadFrom};
use crate::model::{
    Decimal, Flow, RowKey, RowKeySource, RowSink, SinkError, TableSpec, Value, ValueRef,
};

/// How the cells of a table come and what they become.
pub(super) struct Layout {
    kinds: Vec<Kind>,
    /// For each column that needs one: the place of its number among the cells of a row.
    numbers: Vec<Option<usize>>,
    cells: usize,
}

impl Layout {
    pub(super) fn of(table: &TableSpec) -> Layout {
        let kinds: Vec<Kind> =
            table.columns.iter().map(|column| Kind::of(&column.declared_type)).collect();
        let mut cells = kinds.len();
        let numbers = kinds
            .iter()
            .map(|kind| {
                kind.needs_number().then(|| {
                    cells += 1;
                    cells - 1
                })
            })
            .collect();
        Layout { kinds, numbers, cells }
    }

    /// How many cells a row has on the wire. A select names something even where a table has no
    /// column with data.
    pub(super) fn cells(&self) -> usize {
        self.cells
    }

    /// The select of all rows, to which conditions may be added.
    pub(super) fn select(&self, table: &TableSpec) -> String {
        let names = || table.columns.iter().map(|column| quoted(&column.name));
        let numbers = names().zip(&self.numbers).filter(|(_, number)| number.is_some());
        let mut list: Vec<String> = names().collect();
        list.extend(numbers.map(|(name, _)| format!("CAST({name} AS UNSIGNED)")));
        if list.is_empty() {
            list.push("0".to_owned());
        }
        format!("SELECT {} FROM {}", list.join(", "), quoted(&table.name.name))
    }
}

/// The select of a whole table, or of what comes after a key.
pub(super) fn scan(
    layout: &Layout,
    table: &TableSpec,
    from: &ReadFrom,
) -> Result<String, EngineError> {
    let mut sql = layout.select(table);
    let (names, source) = match &table.key {
        RowKey::Columns { source, .. } => (table.key.column_names(), Some(*source)),
        RowKey::RowHash => (Vec::new(), None),
    };
    // Rows lie by their primary key; another index that has every column would be read instead.
    let is_forced = source == Some(RowKeySource::PrimaryKey) || table.reads_in_key_order;
    if is_forced {
        sql.push_str(" FORCE INDEX (PRIMARY)");
    }
    let range = match from {
        ReadFrom::Start => KeyRange::default(),
        ReadFrom::After(key) => KeyRange { after: Some(key.clone()), ..KeyRange::default() },
        ReadFrom::Between(range) => range.clone(),
    };
    let bounds = [(&range.after, ">", ">="), (&range.until, "<", "<=")];
    let mut conditions = Vec::new();
    for (key, strict, loose) in bounds {
        let Some(key) = key else { continue };
        let last = if strict == ">" { strict } else { loose };
        let condition = (table.reads_in_key_order && names.len() == key.len())
            .then(|| beyond(&names, key, (strict, loose), last))
            .flatten();
        conditions.push(condition.ok_or_else(|| EngineError::Unsupported {
            database: table.name.to_string(),
            what: "reading on after a key needs a table that is read in key order".to_owned(),
        })?);
    }
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    if table.reads_in_key_order {
        let direction = if range.is_descending { " DESC" } else { "" };
        let order: Vec<String> =
            names.into_iter().map(|name| format!("{}{direction}", quoted(name))).collect();
        sql.push_str(" ORDER BY ");
        sql.push_str(&order.join(", "));
    }
    if let Some(limit) = range.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    Ok(sql)
}

/// `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`: the row comparison `(a, b) > (1, 2)`, for which the
/// server would not use the index. The last column is compared by `last`.
fn beyond(
    names: &[&str],
    key: &[Value],
    (strict, loose): (&str, &str),
    last: &str,
) -> Option<String> {
    let (name, value) = (names.first()?, literal(key.first()?)?);
    let name = quoted(name);
    if names.len() == 1 {
        return Some(format!("{name} {last} {value}"));
    }
    let rest = beyond(&names[1..], &key[1..], (strict, loose), last)?;
    Some(format!(
        "{name} {loose} {value} AND ({name} {strict} {value} OR ({name} = {value} AND {rest}))"
    ))
}

/// The select of the rows that the server takes for those of a key.
pub(super) fn lookup(layout: &Layout, table: &TableSpec, key: &[Value]) -> Option<String> {
    let names = table.key.column_names();
    if names.is_empty() || names.len() != key.len() {
        return None;
    }
    let mut conditions = Vec::with_capacity(names.len());
    for (name, value) in names.iter().zip(key) {
        conditions.push(format!("{} <=> {}", quoted(name), literal(value)?));
    }
    Some(format!("{} WHERE {}", layout.select(table), conditions.join(" AND ")))
}

/// Sends the rows of a select to the other thread, on the connection's.
pub(super) async fn stream(
    link: &mut Link,
    sql: String,
    cells: usize,
    sender: SyncSender<Batch>,
    mut spares: Spares,
) -> Result<(), sqlx::Error> {
    if !send_rows(link, sql, cells, sender, &mut spares).await? {
        link.interrupt().await?;
    }
    Ok(())
}

/// False where nobody takes the rows any more.
async fn send_rows(
    link: &mut Link,
    sql: String,
    cells: usize,
    sender: SyncSender<Batch>,
    spares: &mut Spares,
) -> Result<bool, sqlx::Error> {
    let select = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    let mut results = link.connection.fetch_many(select);
    let Some(mut batch) = spares.take(&LastSize::default()) else { return Ok(false) };
    while let Some(result) = results.try_next().await? {
        let Either::Right(row) = result else { continue };
        if row.len() != cells.max(1) {
            return Err(sqlx::Error::Protocol("a row has another number of cells".to_owned()));
        }
        for index in 0..cells {
            if !batch.push(bytes(&row, index)?) {
                return Err(sqlx::Error::Protocol("a cell is longer than any can be".to_owned()));
            }
        }
        drop(row);
        if batch.end_row() {
            let last = LastSize::of(&batch);
            if sender.send(batch).is_err() {
                return Ok(false);
            }
            let Some(next) = spares.take(&last) else { return Ok(false) };
            batch = next;
        }
    }
    Ok(batch.is_empty() || sender.send(batch).is_ok())
}

/// Decodes rows into a sink, on the caller's thread.
pub(super) struct Decoder<'t> {
    database: &'t str,
    table: &'t TableSpec,
    layout: &'t Layout,
    room: Decimal,
    rows: u64,
    is_stopped: bool,
}

impl<'t> Decoder<'t> {
    pub(super) fn new(database: &'t str, table: &'t TableSpec, layout: &'t Layout) -> Decoder<'t> {
        Decoder { database, table, layout, room: Decimal::NaN, rows: 0, is_stopped: false }
    }

    /// How the reading ended.
    pub(super) fn end(&self) -> ReadEnd {
        ReadEnd { rows: self.rows, is_complete: !self.is_stopped }
    }

    /// Sends the rows of a batch to the sink; false where it wants no more.
    pub(super) fn send<S: RowSink + ?Sized>(
        &mut self,
        batch: &Batch,
        sink: &mut S,
    ) -> Result<bool, EngineError> {
        let mut cells = batch.cells();
        let has_numbers = self.layout.cells > self.layout.kinds.len();
        for _ in 0..batch.rows() {
            if has_numbers {
                self.row_with_numbers(&mut cells, |value| sink.cell(value))?;
            } else {
                self.row(&mut cells, sink)?;
            }
            self.rows += 1;
            if sink.end_row().map_err(EngineError::Sink)? == Flow::Stop {
                self.is_stopped = true;
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[inline]
    fn row<S: RowSink + ?Sized>(
        &mut self,
        cells: &mut Cells<'_>,
        sink: &mut S,
    ) -> Result<(), EngineError> {
        for (place, kind) in self.layout.kinds.iter().enumerate() {
            let value = match cells.next() {
                Some(Some(bytes)) => kind.value(bytes, &mut self.room),
                Some(None) => Some(ValueRef::Null),
                None => None,
            };
            let Some(value) = value else { return Err(self.malformed(place)) };
            sink.cell(value).map_err(EngineError::Sink)?;
        }
        Ok(())
    }

    /// Rows in which some cells are told apart by a number that comes after all of them.
    fn row_with_numbers(
        &mut self,
        cells: &mut Cells<'_>,
        mut cell: impl FnMut(ValueRef<'_>) -> Result<(), SinkError>,
    ) -> Result<(), EngineError> {
        let mut row = Vec::with_capacity(self.layout.cells);
        for _ in 0..self.layout.cells {
            row.push(cells.next().ok_or_else(|| self.malformed(0))?);
        }
        for (place, kind) in self.layout.kinds.iter().enumerate() {
            let value = match (row[place], self.layout.numbers[place]) {
                (None, _) => Some(ValueRef::Null),
                (Some(bytes), None) => kind.value(bytes, &mut self.room),
                (Some(bytes), Some(number)) => row[number]
                    .and_then(unsigned)
                    .map(|number| kind.value_with_number(bytes, number)),
            };
            let Some(value) = value else { return Err(self.malformed(place)) };
            cell(value).map_err(EngineError::Sink)?;
        }
        Ok(())
    }

    fn malformed(&self, place: usize) -> EngineError {
        let what = match self.table.columns.get(place) {
            Some(column) => format!(
                "what it sends for column `{}` of row {} in reading order is no {}",
                column.name,
                self.rows + 1,
                column.declared_type
            ),
            None => format!("row {} in reading order is cut short", self.rows + 1),
        };
        let action = format!("read table `{}` of", self.table.name);
        EngineError::Malformed { database: self.database.to_owned(), action, what }
    }
}

/// Passes on the rows whose key is exactly this one: the server finds them by its own equality.
pub(super) struct Exactly<'k, S: ?Sized> {
    sink: &'k mut S,
    /// For each column its value of the key, where it is one of the key's.
    wanted: Vec<Option<&'k Value>>,
    row: Vec<Value>,
    /// How many rows had the key.
    pub(super) rows: u64,
}

impl<'k, S: RowSink + ?Sized> Exactly<'k, S> {
    pub(super) fn new(table: &TableSpec, key: &'k [Value], sink: &'k mut S) -> Exactly<'k, S> {
        let names = table.key.column_names();
        let wanted = table
            .columns
            .iter()
            .map(|column| names.iter().position(|name| *name == column.name))
            .map(|place| place.and_then(|place| key.get(place)))
            .collect();
        Exactly { sink, wanted, row: Vec::new(), rows: 0 }
    }
}

impl<S: RowSink + ?Sized> RowSink for Exactly<'_, S> {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.row.push(value.to_value());
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        let row = std::mem::take(&mut self.row);
        let is_it = row
            .iter()
            .zip(&self.wanted)
            .all(|(value, wanted)| wanted.is_none_or(|wanted| wanted == value));
        if !is_it {
            return Ok(Flow::Continue);
        }
        self.rows += 1;
        for value in &row {
            self.sink.cell(value.as_ref())?;
        }
        self.sink.end_row()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ColumnSpec, KeyColumn, KeyMatching, ObjectName};

    fn table(reads_in_key_order: bool) -> TableSpec {
        let column = |name: &str, declared_type: &str| ColumnSpec {
            name: name.to_owned(),
            declared_type: declared_type.to_owned(),
            default: Value::Null,
        };
        let key = |name: &str| KeyColumn { name: name.to_owned(), matching: KeyMatching::Binary };
        TableSpec {
            name: ObjectName::bare("t`x"),
            columns: vec![column("a", "int"), column("e", "enum('','x') character set utf8mb4")],
            key: RowKey::Columns {
                columns: vec![key("a"), key("e")],
                source: RowKeySource::PrimaryKey,
                may_be_null: false,
            },
            reads_in_key_order,
            column_order: Vec::new(),
        }
    }

    #[test]
    fn the_selects() {
        let table = table(true);
        let layout = Layout::of(&table);
        let start = scan(&layout, &table, &ReadFrom::Start).unwrap();
        let select = "SELECT `a`, `e`, CAST(`e` AS UNSIGNED) FROM `t``x`";
        assert_eq!(start, format!("{select} FORCE INDEX (PRIMARY) ORDER BY `a`, `e`"));
        let key = vec![Value::Int(1), Value::Text("x".to_owned())];
        let after = scan(&layout, &table, &ReadFrom::After(key.clone())).unwrap();
        let condition = "`a` >= 1 AND (`a` > 1 OR (`a` = 1 AND `e` > _utf8mb4 x'78'))";
        assert_eq!(
            after,
            format!("{select} FORCE INDEX (PRIMARY) WHERE {condition} ORDER BY `a`, `e`")
        );
        let found = lookup(&layout, &table, &key).unwrap();
        assert_eq!(found, format!("{select} WHERE `a` <=> 1 AND `e` <=> _utf8mb4 x'78'"));
    }

    #[test]
    fn reading_on_needs_an_order() {
        let table = table(false);
        let from = ReadFrom::After(vec![Value::Int(1), Value::Int(1)]);
        assert!(scan(&Layout::of(&table), &table, &from).is_err());
    }
}
