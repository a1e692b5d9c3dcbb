//! `diff`: two snapshots, or live sources, compared.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;

use super::args::{DiffArgs, DiffFormat};
use super::context::{Context, NamedSource};
use super::error::CliError;
use super::exit::Exit;
use super::page::{self, NamedSide};
use super::row_key::{table_named, unknown_table};
use super::scratch::Scratch;
use super::snapshot::Taking;
use super::statements::SqlRows;
use crate::diff::{
    self, Access, Comparison, LoadedSnapshot, RowChange, RowCounts, TableComparison, Verdict,
};
use crate::engine::Dialect;
use crate::model::Flow;
use crate::model::snapshot::Scope;
use crate::report::json::{DiffReport, Side};
use crate::report::rows::{JsonlRows, MarkdownRows, RowPrinter, TextRows};
use crate::report::stat::SchemaLines;
use crate::report::value::visible;
use crate::report::{schema, stat};
use crate::snapshot::Limits;
use crate::store::{Reader, Store};
use crate::tree::StoreMode;

/// Compares and prints.
pub fn run(context: &Context, args: &DiffArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    if args.pack.is_some() && args.format != DiffFormat::Html {
        return Err(CliError::usage("only a page tells of a pack").hint("--format html --pack DIR"));
    }
    let store = context.store_for(&[&args.from, &args.to])?;
    let reader = store.reader()?;
    let from = side(context, &store, &reader, &args.from)?;
    let to = side(context, &store, &reader, &args.to)?;
    let mut comparison = diff::compare(&reader, &from, &to)?;
    keep_tables(&reader, args, [&from, &to], &mut comparison)?;
    check_columns(&reader, args, [&from, &to])?;
    if args.data {
        comparison.schema.clear();
    }
    if args.schema {
        comparison.tables.clear();
    }
    let access = access(&store, &reader);
    let filter = Filter { columns: &args.columns, limit: args.limit, access: &access };
    let mut out = BufWriter::new(out);
    let streams = args.format != DiffFormat::Text && !context.global.json && !args.stat;
    if streams {
        let has_values = !from.snapshot.is_hash_only && !to.snapshot.is_hash_only;
        if args.format == DiffFormat::Sql && !has_values {
            let message = "statements need values, and one of the snapshots stored none";
            return Err(CliError::new(Exit::Incomplete, message)
                .hint("it was taken with --hash-only; take one without"));
        }
        if args.format == DiffFormat::Html {
            let sides = [
                &NamedSide { name: &args.from, loaded: &from },
                &NamedSide { name: &args.to, loaded: &to },
            ];
            return page::write(&reader, sides, &mut comparison, args, &filter, &mut out);
        }
        let dialect = Dialect::of(&from.state.engine, &[])?;
        return stream(args, &comparison, &dialect, &filter, &mut out);
    }
    let mut counts = Vec::new();
    let mut texts = Vec::new();
    let has_details = !context.global.json && !args.stat;
    let mut room = if has_details { LONGEST_TEXT } else { 0 };
    let has_tables = !comparison.tables.is_empty();
    // A table that has other columns, and the same rows, is a change of the schema alone.
    let mut differing = Vec::new();
    for table in std::mem::take(&mut comparison.tables) {
        let (count, text) = filter.told(&table, room)?;
        if count != RowCounts::default() {
            room -= text.as_ref().map_or(0, Vec::len);
            counts.push((table.name.clone(), count));
            texts.push(text);
            differing.push(table);
        }
    }
    if args.is_all() && counts.is_empty() && comparison.schema.is_empty() && has_tables {
        comparison.incomplete.push(UNTOLD.to_owned());
    }
    comparison.tables = differing;
    let report = DiffReport { from: told(&from), to: told(&to), comparison, counts };
    if context.global.json {
        writeln!(out, "{}", report.to_json())?;
    } else {
        let schema = if args.stat { SchemaLines::Listed } else { SchemaLines::Counted };
        for line in stat::lines(&report, schema) {
            writeln!(out, "{line}")?;
        }
        if !args.stat {
            details(&report, &texts, &filter, &mut out)?;
        }
    }
    out.flush()?;
    Ok(exit(report.verdict()))
}

/// The exit code of a verdict.
pub(super) fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Equal => Exit::Done,
        Verdict::Different => Exit::Different,
        Verdict::Incomplete => Exit::Incomplete,
    }
}

/// A difference that nothing else tells of.
pub(super) const UNTOLD: &str = "tables differ, and no row of them does";

fn told(loaded: &LoadedSnapshot) -> Side {
    Side {
        snapshot: loaded.id,
        state: loaded.snapshot.state,
        is_hash_only: loaded.snapshot.is_hash_only,
        not_captured: loaded.snapshot.not_captured.clone(),
    }
}

/// What rows are compared with.
pub fn access<'o>(store: &Store, reader: &'o Reader) -> Access<'o> {
    let scratch = Arc::new(Scratch::new(store.file_system(), &store.tmp_dir()));
    Access { objects: reader, scratch }
}

/// A snapshot by its name, or a live source, which is snapshotted first (under no ref).
pub fn side(
    context: &Context,
    store: &Store,
    reader: &Reader,
    text: &str,
) -> Result<LoadedSnapshot, CliError> {
    let is_live = context.is_source(text);
    match context.snapshot(reader, text) {
        Ok(loaded) => return Ok(loaded),
        Err(error) if !is_live => return Err(error),
        Err(_) => {}
    }
    let named = context.source(text)?;
    live(context, store, reader, &named, &context.config.scope(), StoreMode::Full)
}

/// The snapshot of a live source, which no ref will name.
pub(super) fn live(
    context: &Context,
    store: &Store,
    reader: &Reader,
    named: &NamedSource,
    scope: &Scope,
    mode: StoreMode,
) -> Result<LoadedSnapshot, CliError> {
    let taking = Taking {
        context,
        store,
        named,
        scope,
        parents: Vec::new(),
        mode,
        jobs: None,
        message: "for a comparison",
        checkpoint: None,
        checkpoint_every: Duration::MAX,
        limits: Limits::default(),
    };
    let Some((taken, writer)) = taking.run()? else {
        return Err(CliError::new(Exit::Interrupted, "interrupted"));
    };
    writer.seal()?;
    reader.refresh()?;
    Ok(LoadedSnapshot::load(reader, taken.id)?)
}

/// Keeps the tables that were asked for; one that neither side has is an error.
fn keep_tables(
    reader: &Reader,
    args: &DiffArgs,
    sides: [&LoadedSnapshot; 2],
    comparison: &mut Comparison,
) -> Result<(), CliError> {
    if args.table.is_empty() {
        return Ok(());
    }
    let mut known = BTreeSet::new();
    for side in sides {
        known.extend(side.table_ids(reader)?.into_iter().map(|(name, _)| name));
    }
    let mut wanted = BTreeSet::new();
    for text in &args.table {
        match table_named(&known, text)? {
            Some(name) => wanted.insert(name),
            None => return Err(unknown_table(text, &args.to, &sides[1].tables(reader)?)),
        };
    }
    comparison.tables.retain(|table| wanted.contains(&table.name));
    comparison.schema.retain(|change| wanted.contains(&change.id.object));
    Ok(())
}

/// A column that none of the tables has is an error: nothing would ever differ in it.
fn check_columns(
    reader: &Reader,
    args: &DiffArgs,
    sides: [&LoadedSnapshot; 2],
) -> Result<(), CliError> {
    if args.columns.is_empty() {
        return Ok(());
    }
    if sides.iter().any(|side| side.snapshot.is_hash_only) {
        let message = "which columns of a row changed is not known: one of the snapshots stored no \
                       values";
        return Err(CliError::new(Exit::Incomplete, message)
            .hint("it was taken with --hash-only; leave --columns away"));
    }
    let mut known = BTreeSet::new();
    for side in sides {
        for table in side.tables(reader)? {
            let (full, bare) = (table.spec.name.to_string(), &table.spec.name.name);
            if args.table.is_empty() || args.table.iter().any(|t| *t == full || t == bare) {
                known.extend(table.spec.columns.into_iter().map(|column| column.name));
            }
        }
    }
    match args.columns.iter().find(|name| !known.contains(*name)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<String> = known.iter().map(|name| visible(name)).collect();
            Err(CliError::usage(format!("no table that is compared has a column `{unknown}`"))
                .hint(format!("columns: {}", known.join(", "))))
        }
    }
}

/// What of the changed rows is wanted.
pub(super) struct Filter<'a> {
    /// Only differences in these columns; in any where it is empty.
    pub(super) columns: &'a [String],
    /// At most this many rows of each table are printed.
    pub(super) limit: Option<u64>,
    /// What rows are compared with.
    pub(super) access: &'a Access<'a>,
}

impl Filter<'_> {
    /// The counts of the wanted changes.
    pub(super) fn count(&self, table: &TableComparison) -> Result<RowCounts, CliError> {
        if self.columns.is_empty() {
            return Ok(diff::count(self.access, table)?);
        }
        let (counts, _) = self.each(table, &mut |_| Ok(()))?;
        Ok(counts)
    }

    /// The counts, and what the rows print as where there is room for it: a small difference is then
    /// found once, and not first counted and then printed.
    fn told(
        &self,
        table: &TableComparison,
        room: usize,
    ) -> Result<(RowCounts, Option<Vec<u8>>), CliError> {
        if room == 0 {
            return Ok((self.count(table)?, None));
        }
        let mut text = ShortText { bytes: Vec::new(), room, is_full: false };
        match self.print(table, &mut TextRows::new(&mut text)) {
            Ok(counts) => Ok((counts, Some(text.bytes))),
            Err(_) if text.is_full => Ok((self.count(table)?, None)),
            Err(error) => Err(error),
        }
    }

    /// The change as far as it is wanted.
    fn wanted(&self, change: RowChange) -> Option<RowChange> {
        match change {
            RowChange::Updated { before, after, mut changed } if !self.columns.is_empty() => {
                changed.retain(|name| self.columns.contains(name));
                (!changed.is_empty()).then_some(RowChange::Updated { before, after, changed })
            }
            change => Some(change),
        }
    }

    /// Hands on the wanted changes up to the limit; gives the counts, and how many rows were not
    /// handed on.
    fn each(
        &self,
        table: &TableComparison,
        print: &mut dyn FnMut(&RowChange) -> std::io::Result<()>,
    ) -> Result<(RowCounts, u64), CliError> {
        let mut counts = RowCounts::default();
        let (mut printed, mut hidden) = (0, 0);
        diff::changes(self.access, table, &mut |change| {
            let Some(change) = self.wanted(change) else { return Ok(Flow::Continue) };
            counts.add(&change);
            if self.limit.is_some_and(|limit| printed >= limit) {
                hidden += 1;
            } else {
                printed += 1;
                print(&change)?;
            }
            Ok(Flow::Continue)
        })?;
        Ok((counts, hidden))
    }

    /// Prints the changes of a table, and nothing where there are none.
    pub(super) fn print(
        &self,
        table: &TableComparison,
        printer: &mut dyn RowPrinter,
    ) -> Result<RowCounts, CliError> {
        let mut has_begun = false;
        let (counts, hidden) = self.each(table, &mut |change| {
            if !std::mem::replace(&mut has_begun, true) {
                printer.begin(table)?;
            }
            printer.row(table, change)
        })?;
        if counts != RowCounts::default() {
            if !has_begun {
                printer.begin(table)?;
            }
            printer.end(table, counts, hidden)?;
        }
        Ok(counts)
    }
}

/// How many bytes of printed rows are kept until everything was counted.
const LONGEST_TEXT: usize = 1 << 20;

/// A text up to a length; what goes beyond is refused.
struct ShortText {
    bytes: Vec<u8>,
    room: usize,
    is_full: bool,
}

impl Write for ShortText {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.is_full |= self.bytes.len() + bytes.len() > self.room;
        if self.is_full {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// After the overview: schema changes with their details, then the rows of each table, as text
/// where that is known already.
fn details(
    report: &DiffReport,
    texts: &[Option<Vec<u8>>],
    filter: &Filter<'_>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    print_schema(&report.comparison, out)?;
    for (table, text) in report.comparison.tables.iter().zip(texts) {
        match text {
            Some(text) => out.write_all(text)?,
            None => drop(filter.print(table, &mut TextRows::new(&mut *out))?),
        }
    }
    Ok(())
}

fn print_schema(comparison: &Comparison, out: &mut dyn Write) -> Result<(), CliError> {
    if !comparison.schema.is_empty() {
        writeln!(out, "\nschema")?;
    }
    for group in schema::grouped(&comparison.schema) {
        writeln!(out, "{}", group.headline())?;
        for line in schema::details(group.change) {
            writeln!(out, "    {}", visible(&line))?;
        }
    }
    Ok(())
}

/// Formats that need no overview: rows are printed as they are found.
fn stream(
    args: &DiffArgs,
    comparison: &Comparison,
    dialect: &Dialect,
    filter: &Filter<'_>,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    match args.format {
        DiffFormat::Jsonl => {
            for change in &comparison.schema {
                writeln!(out, "{}", serde_json::json!({"schema": schema::to_json(change)}))?;
            }
        }
        DiffFormat::Markdown => {
            for group in schema::grouped(&comparison.schema) {
                writeln!(out, "- `{}`", group.headline())?;
            }
        }
        DiffFormat::Text | DiffFormat::Html | DiffFormat::Sql => {
            for group in schema::grouped(&comparison.schema) {
                writeln!(out, "-- schema: {}", group.headline())?;
            }
        }
    }
    let mut differs = !comparison.schema.is_empty();
    for table in &comparison.tables {
        let mut printer: Box<dyn RowPrinter + '_> = match args.format {
            DiffFormat::Jsonl => Box::new(JsonlRows::new(&mut *out)),
            DiffFormat::Markdown => Box::new(MarkdownRows::new(&mut *out)),
            DiffFormat::Sql => Box::new(SqlRows::new(&mut *out, dialect.clone())),
            DiffFormat::Text | DiffFormat::Html => Box::new(TextRows::new(&mut *out)),
        };
        let counts = filter.print(table, printer.as_mut())?;
        differs |= counts != RowCounts::default();
    }
    out.flush()?;
    Ok(match (differs, comparison.incomplete.is_empty()) {
        (true, _) => Exit::Different,
        (false, false) => Exit::Incomplete,
        (false, true) => Exit::Done,
    })
}
