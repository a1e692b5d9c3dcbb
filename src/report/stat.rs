//! The overview of a difference, like git's `--stat`.

use super::json::DiffReport;
use super::schema;
use super::value::visible;
use crate::diff::{RowCounts, Verdict};
use crate::model::ObjectName;

/// How many signs the longest bar has.
const BAR: u64 = 40;

/// Whether the overview lists the schema changes, or only counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaLines {
    /// A line for each: nothing else will tell.
    Listed,
    /// Their number: they are told below.
    Counted,
}

/// The lines of the overview.
pub fn lines(report: &DiffReport, schema_lines: SchemaLines) -> Vec<String> {
    let schema = schema::grouped(&report.comparison.schema);
    let mut lines = Vec::new();
    if schema_lines == SchemaLines::Listed {
        lines.extend(schema.iter().map(|change| format!(" schema {}", change.headline())));
    }
    let changed: Vec<_> = report.counts.iter().filter(|(_, counts)| total(counts) > 0).collect();
    let width = changed.iter().map(|(name, _)| shown(name).chars().count()).max().unwrap_or(0);
    let most = changed.iter().map(|(_, counts)| total(counts)).max().unwrap_or(0);
    let digits = most.to_string().len();
    for (name, counts) in &changed {
        lines.push(format!(
            " {:<width$} | {:>digits$} {}",
            shown(name),
            total(counts),
            bar(counts, most)
        ));
    }
    lines.push(summary(report, schema.len(), changed.len()));
    for reason in &report.comparison.incomplete {
        lines.push(format!(" incomplete: {}", visible(reason)));
    }
    lines
}

fn shown(name: &ObjectName) -> String {
    visible(&name.to_string())
}

fn total(counts: &RowCounts) -> u64 {
    counts.inserted + counts.deleted + counts.updated
}

fn bar(counts: &RowCounts, most: u64) -> String {
    let scaled = |count: u64| -> usize {
        let signs = if most <= BAR { count } else { (count * BAR).div_ceil(most) };
        usize::try_from(signs).expect("a bar is short")
    };
    let parts = [('+', counts.inserted), ('-', counts.deleted), ('~', counts.updated)];
    parts.into_iter().map(|(sign, count)| sign.to_string().repeat(scaled(count))).collect()
}

fn summary(report: &DiffReport, schema: usize, tables: usize) -> String {
    let verdict = report.verdict();
    if verdict == Verdict::Equal {
        return " equal".to_owned();
    }
    let sum = report.counts.iter().fold(RowCounts::default(), |sum, (_, counts)| RowCounts {
        inserted: sum.inserted + counts.inserted,
        deleted: sum.deleted + counts.deleted,
        updated: sum.updated + counts.updated,
    });
    let mut parts = Vec::new();
    if schema > 0 {
        parts.push(plural(schema as u64, "schema change"));
    }
    parts.push(format!("{} changed", plural(tables as u64, "table")));
    for (count, word) in
        [(sum.inserted, "inserted"), (sum.deleted, "deleted"), (sum.updated, "updated")]
    {
        if count > 0 {
            parts.push(format!("{} {word}", plural(count, "row")));
        }
    }
    format!(" {}", parts.join(", "))
}

/// `1 row`, `2 rows`.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
