//! Changed rows, one after the other, in the format that was asked for.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use super::value::{self, visible};
use crate::diff::{Known, Row, RowChange, RowCounts, TableComparison};
use crate::model::{ColumnSpec, TableSpec, Value};

/// Prints the changes of tables as they are found.
pub trait RowPrinter {
    /// A table begins.
    fn begin(&mut self, table: &TableComparison) -> io::Result<()>;
    /// A row differs.
    fn row(&mut self, table: &TableComparison, change: &RowChange) -> io::Result<()>;
    /// A table ends; `hidden` rows were found and not printed.
    fn end(&mut self, table: &TableComparison, counts: RowCounts, hidden: u64) -> io::Result<()>;
}

/// For a terminal.
pub struct TextRows<W> {
    out: W,
}

impl<W: Write> TextRows<W> {
    /// Prints into `out`.
    pub fn new(out: W) -> Self {
        TextRows { out }
    }
}

impl<W: Write> RowPrinter for TextRows<W> {
    fn begin(&mut self, table: &TableComparison) -> io::Result<()> {
        writeln!(self.out, "\ntable {}", visible(&table.name.to_string()))
    }

    fn row(&mut self, table: &TableComparison, change: &RowChange) -> io::Result<()> {
        match change {
            RowChange::Inserted(row) => {
                let spec = spec(table.after.as_ref().map(|t| &t.spec));
                writeln!(self.out, "+ {}{}", cells(&spec.columns, row), times(row.count))
            }
            RowChange::Deleted(row) => {
                let spec = spec(table.before.as_ref().map(|t| &t.spec));
                writeln!(self.out, "- {}{}", cells(&spec.columns, row), times(row.count))
            }
            RowChange::Updated { before, after, changed } => {
                let left = spec(table.before.as_ref().map(|t| &t.spec));
                let right = spec(table.after.as_ref().map(|t| &t.spec));
                writeln!(self.out, "~ {}", key_cells(left, before))?;
                if !are_known(before, after) {
                    writeln!(self.out, "    (which columns changed is not known)")?;
                }
                for name in changed {
                    let (old, new) = (cell(left, before, name), cell(right, after, name));
                    writeln!(self.out, "    {}: {old} → {new}", visible(name))?;
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, _: &TableComparison, counts: RowCounts, hidden: u64) -> io::Result<()> {
        if hidden > 0 {
            writeln!(self.out, "  … and {hidden} more")?;
        }
        let RowCounts { inserted, deleted, updated } = counts;
        writeln!(self.out, "  {inserted} inserted, {deleted} deleted, {updated} updated")
    }
}

/// A side that has rows has a table.
fn spec(side: Option<&TableSpec>) -> &TableSpec {
    side.expect("a row of a side comes from a table of that side")
}

fn times(count: u64) -> String {
    if count == 1 { String::new() } else { format!("  × {count}") }
}

fn are_known(before: &Row, after: &Row) -> bool {
    before.known == Known::All && after.known == Known::All
}

fn cells(columns: &[ColumnSpec], row: &Row) -> String {
    if row.known == Known::Nothing {
        return "(values not stored)".to_owned();
    }
    let shown = columns.iter().zip(&row.values).filter(|(_, value)| !value.is_null());
    let cells: Vec<String> = shown
        .map(|(column, v)| format!("{}={}", visible(&column.name), value::to_text(v)))
        .collect();
    match (cells.is_empty(), row.known) {
        (true, Known::All) => "(every column NULL)".to_owned(),
        (false, Known::All) => cells.join("  "),
        _ => format!("{}  (other values not stored)", cells.join("  ")),
    }
}

fn key_cells(table: &TableSpec, row: &Row) -> String {
    let names = table.key.column_names();
    if names.is_empty() || row.known == Known::Nothing {
        return cells(&table.columns, row);
    }
    let shown: Vec<String> =
        names.iter().map(|name| format!("{}={}", visible(name), cell(table, row, name))).collect();
    shown.join("  ")
}

fn find<'r>(table: &TableSpec, row: &'r Row, name: &str) -> Option<&'r Value> {
    let position = table.columns.iter().position(|column| column.name == name)?;
    row.values.get(position)
}

fn cell(table: &TableSpec, row: &Row, name: &str) -> String {
    find(table, row, name).map_or_else(|| "(no column)".to_owned(), value::to_text)
}

/// One JSON object a line.
pub struct JsonlRows<W> {
    out: W,
}

impl<W: Write> JsonlRows<W> {
    /// Prints into `out`.
    pub fn new(out: W) -> Self {
        JsonlRows { out }
    }
}

/// All cells of a row by column name.
pub fn row_json(columns: &[ColumnSpec], row: &Row) -> Json {
    let cells: Map<String, Json> = columns
        .iter()
        .zip(&row.values)
        .map(|(column, v)| (column.name.clone(), value::to_json(v)))
        .collect();
    Json::Object(cells)
}

/// What stands for values that were not stored.
const UNKNOWN: &str = "unknown";

fn key_json(table: &TableSpec, row: &Row) -> Json {
    if row.known == Known::Nothing {
        return json!(UNKNOWN);
    }
    let key: Map<String, Json> = table
        .key
        .column_names()
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), value::to_json(find(table, row, name)?))))
        .collect();
    Json::Object(key)
}

/// A row that is on one side only.
fn one_side(line: &mut Json, change: &str, side: &str, spec: &TableSpec, row: &Row) {
    line["change"] = json!(change);
    line["key"] = key_json(spec, row);
    if row.known == Known::All {
        line[side] = row_json(&spec.columns, row);
    } else {
        line["values"] = json!(UNKNOWN);
    }
    line["count"] = json!(row.count);
}

impl<W: Write> RowPrinter for JsonlRows<W> {
    fn begin(&mut self, _: &TableComparison) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, table: &TableComparison, change: &RowChange) -> io::Result<()> {
        let name = table.name.to_string();
        let mut line = json!({ "table": name });
        match change {
            RowChange::Inserted(row) => {
                let spec = spec(table.after.as_ref().map(|t| &t.spec));
                one_side(&mut line, "insert", "after", spec, row);
            }
            RowChange::Deleted(row) => {
                let spec = spec(table.before.as_ref().map(|t| &t.spec));
                one_side(&mut line, "delete", "before", spec, row);
            }
            RowChange::Updated { before, after, changed } => {
                let left = spec(table.before.as_ref().map(|t| &t.spec));
                let right = spec(table.after.as_ref().map(|t| &t.spec));
                line["change"] = json!("update");
                line["key"] = key_json(left, before);
                if are_known(before, after) {
                    let side = |table, row, name| find(table, row, name).map(value::to_json);
                    let pair = |name| json!([side(left, before, name), side(right, after, name)]);
                    line["cells"] = changed.iter().map(|name| (name.clone(), pair(name))).collect();
                } else {
                    line["values"] = json!(UNKNOWN);
                }
            }
        }
        writeln!(self.out, "{line}")
    }

    fn end(&mut self, table: &TableComparison, counts: RowCounts, _: u64) -> io::Result<()> {
        let line = json!({
            "table": table.name.to_string(),
            "inserted": counts.inserted,
            "deleted": counts.deleted,
            "updated": counts.updated,
        });
        writeln!(self.out, "{line}")
    }
}

/// A markdown table for each table.
pub struct MarkdownRows<W> {
    out: W,
}

impl<W: Write> MarkdownRows<W> {
    /// Prints into `out`.
    pub fn new(out: W) -> Self {
        MarkdownRows { out }
    }
}

fn markdown_cell(text: &str) -> String {
    visible(text).replace('|', "\\|").replace('`', "\\`").replace('<', "&lt;")
}

impl<W: Write> RowPrinter for MarkdownRows<W> {
    fn begin(&mut self, table: &TableComparison) -> io::Result<()> {
        writeln!(self.out, "\n### {}\n", markdown_cell(&table.name.to_string()))?;
        writeln!(self.out, "| | row | column | before | after |\n|---|---|---|---|---|")
    }

    fn row(&mut self, table: &TableComparison, change: &RowChange) -> io::Result<()> {
        match change {
            RowChange::Inserted(row) => {
                let spec = spec(table.after.as_ref().map(|t| &t.spec));
                let text = markdown_cell(&cells(&spec.columns, row));
                writeln!(
                    self.out,
                    "| + | {}{} | | | {text} |",
                    markdown_cell(&key_cells(spec, row)),
                    times(row.count)
                )
            }
            RowChange::Deleted(row) => {
                let spec = spec(table.before.as_ref().map(|t| &t.spec));
                let text = markdown_cell(&cells(&spec.columns, row));
                writeln!(
                    self.out,
                    "| − | {}{} | | {text} | |",
                    markdown_cell(&key_cells(spec, row)),
                    times(row.count)
                )
            }
            RowChange::Updated { before, after, changed } => {
                let left = spec(table.before.as_ref().map(|t| &t.spec));
                let right = spec(table.after.as_ref().map(|t| &t.spec));
                if !are_known(before, after) {
                    let key = markdown_cell(&key_cells(left, before));
                    writeln!(self.out, "| ~ | {key} | (not known) | | |")?;
                }
                for name in changed {
                    writeln!(
                        self.out,
                        "| ~ | {} | {} | {} | {} |",
                        markdown_cell(&key_cells(left, before)),
                        markdown_cell(name),
                        markdown_cell(&cell(left, before, name)),
                        markdown_cell(&cell(right, after, name)),
                    )?;
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, _: &TableComparison, counts: RowCounts, hidden: u64) -> io::Result<()> {
        if hidden > 0 {
            writeln!(self.out, "| | … and {hidden} more | | | |")?;
        }
        let RowCounts { inserted, deleted, updated } = counts;
        writeln!(self.out, "\n{inserted} inserted, {deleted} deleted, {updated} updated")
    }
}
