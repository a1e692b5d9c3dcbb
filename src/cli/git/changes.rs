//! `changes.md`: what changed since the commit before, for whoever reads a commit.

use std::io::Write as _;

use super::Before;
use crate::cli::diff::Filter;
use crate::cli::error::CliError;
use crate::diff::{self, Access, DiffError, LoadedSnapshot, RowCounts, TableComparison};
use crate::git::{Changes, Content};
use crate::report::rows::MarkdownRows;
use crate::report::schema;
use crate::report::stat::plural;
use crate::report::value::visible;
use crate::store::Reader;

/// How many changed rows of a table are shown.
const SHOWN: u64 = 20;

/// What changed.
pub(super) fn since(
    reader: &Reader,
    access: &Access<'_>,
    before: &Before,
    loaded: &LoadedSnapshot,
    content: Content,
) -> Result<Changes, CliError> {
    let mut page = b"# Changes\n\n".to_vec();
    let mut changes = Changes::default();
    match before {
        Before::Nothing => {
            let tables = loaded.tables(reader)?;
            let rows = tables.iter().fold(0u64, |sum, table| sum.saturating_add(table.rows.rows));
            let tables = u64::try_from(tables.len()).expect("a number of tables fits");
            writeln!(
                page,
                "The first snapshot of this branch: {}, {}.",
                plural(tables, "table"),
                plural(rows, "row")
            )?;
        }
        Before::Gone(id) => writeln!(
            page,
            "Not known: the commit before (snapshot `{}`) holds no rows, and they were not at hand.",
            id.short()
        )?,
        Before::At(before) => {
            let filter = Filter { columns: &[], limit: Some(SHOWN), access };
            let telling = Telling { reader, filter, content };
            telling.compare(before, loaded, &mut page, &mut changes)?;
        }
    }
    changes.page = String::from_utf8_lossy(&page).into_owned();
    Ok(changes)
}

/// How a difference is told.
struct Telling<'a> {
    reader: &'a Reader,
    filter: Filter<'a>,
    content: Content,
}

impl Telling<'_> {
    fn compare(
        &self,
        before: &LoadedSnapshot,
        loaded: &LoadedSnapshot,
        page: &mut Vec<u8>,
        changes: &mut Changes,
    ) -> Result<(), CliError> {
        let comparison = match diff::compare(self.reader, before, loaded) {
            Err(DiffError::Engines { left, right }) => {
                writeln!(page, "Another engine: {left} before, {right} now.")?;
                return Ok(());
            }
            comparison => comparison?,
        };
        writeln!(page, "From snapshot `{}` to `{}`.", before.id.short(), loaded.id.short())?;
        let grouped = schema::grouped(&comparison.schema);
        changes.schema_changes = grouped.len();
        if !grouped.is_empty() {
            writeln!(page, "\n## Schema\n")?;
        }
        for group in &grouped {
            writeln!(page, "- {}", in_code(&group.headline()))?;
            for line in schema::details(group.change) {
                writeln!(page, "    - {}", in_code(&line))?;
            }
        }
        let mut rows = Vec::new();
        for table in &comparison.tables {
            let counts = self.table(table, &mut rows)?;
            if counts != RowCounts::default() {
                changes.tables.push((table.name.clone(), counts));
            }
        }
        if !rows.is_empty() {
            writeln!(page, "\n## Rows")?;
            page.extend_from_slice(&rows);
        }
        if grouped.is_empty() && rows.is_empty() {
            writeln!(page, "\nNothing: neither the schema nor a row.")?;
        }
        for reason in &comparison.incomplete {
            writeln!(page, "\nIncomplete: {}", visible(reason))?;
        }
        Ok(())
    }

    /// The rows of a table that changed; where rows are left out of the commit, their numbers.
    fn table(&self, table: &TableComparison, page: &mut Vec<u8>) -> Result<RowCounts, CliError> {
        if self.content == Content::Rows {
            return self.filter.print(table, &mut MarkdownRows::new(page));
        }
        let counts = self.filter.count(table)?;
        if counts != RowCounts::default() {
            let RowCounts { inserted, deleted, updated } = counts;
            let name = in_code(&table.name.to_string());
            writeln!(page, "\n{name}: {inserted} inserted, {deleted} deleted, {updated} updated")?;
        }
        Ok(counts)
    }
}

/// A line as code of markdown.
fn in_code(text: &str) -> String {
    format!("`{}`", visible(text).replace('`', "'"))
}
