//! One way of a pack on disk: the SQL a person reads and the list of steps that `apply` runs it by.
//!
//! Every statement stands once, in the SQL file; its line in the list says where, what it must
//! change, and what the row must be before and after. A statement may be for several rows, each of
//! which has a line; it belongs to the last of them. The first statement of the SQL file makes a
//! native client, which cannot check any of that, refuse every write that follows.

mod untaken;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::batch::Batch;
use super::content;
use super::error::{PackError, Refusal};
use super::exact::Exact;
use super::label::row_label;
use super::manifest::{
    ABSENT, ColumnGuard, Content, FactName, MOVES_KEY, RowTotals, StepLine, TableTotals,
};
use super::measure::{content_of, value_len};
use super::order::{Part, RowKept, RowLeftOut, RowStep, Steps, TableWork};
use super::output::Output;
use super::parking::Parking;
use super::reversal::Reversals;
use super::row_hash::RowHasher;
use super::schema::{SchemaStep, SchemaVerb};
use super::shape::Shape;
use super::spool::{Change, Spool, Verb};
use super::statement::{Large, Move, Purpose, Statement};
use super::values::ValueFiles;
use super::written_table::{FactsAndRules, Layouts, WrittenTable};
use crate::codec::Hasher;
use crate::diff::CellValue;
use crate::engine::Dialect;
use crate::engine::ddl::StepHazard;
use crate::fsio::FileSystem;
use crate::model::ObjectKind;

pub use untaken::LeftOutRows;

/// The step that drops a table, as losses name it.
pub(super) const DROP_TABLE: &str = "drop-table";

/// Everything counted while a way was written.
#[derive(Debug, Default)]
pub struct Written {
    /// How many statements.
    pub statements: u64,
    /// How many rows.
    pub rows: RowTotals,
    /// By table.
    pub tables: BTreeMap<String, TableTotals>,
    /// Whether foreign keys are checked at the end.
    pub is_deferred: bool,
    /// Whether foreign keys would be in the way: tables are built anew or dropped, or one is broken.
    pub rebuilds: bool,
    /// How its steps are taken back.
    pub reversals: Reversals,
    /// Data that is destroyed: rows and bytes by table and step.
    pub losses: BTreeMap<(String, &'static str), (u64, u64)>,
    /// Tables that are scanned once for each deleted row.
    pub scans: BTreeSet<String>,
    /// Rows that are not changed: by table, verb, and whether something is in the way.
    pub left_out: BTreeMap<(String, Verb, bool), LeftOutRows>,
    /// Rows that a strategy keeps as they are, or in part, by table and verb.
    pub kept: BTreeMap<(String, Verb), LeftOutRows>,
    /// Whether the schema changes.
    pub changes_schema: bool,
    /// What there is to know of schema steps: object, step, hazard.
    pub schema: Vec<(String, String, StepHazard)>,
    /// The changes that something is in the way of, by table number and place.
    pub blocked: Vec<(usize, super::spool::Place)>,
}

/// Writes one way.
pub struct WayWriter<'a> {
    sql: Output,
    steps: Output,
    pub(super) tables: Vec<WrittenTable<'a>>,
    values: &'a ValueFiles<'a>,
    pub(super) dialect: &'a Dialect,
    batch: Option<Batch>,
    next: u64,
    heading: String,
    comments: Vec<String>,
    kept_comments: Vec<String>,
    /// Whether steps say which fact they are about.
    pub(super) names_facts: bool,
    /// What was counted.
    pub written: Written,
}

impl<'a> WayWriter<'a> {
    /// Creates the two files and writes the head of the SQL.
    pub fn create(
        fs: &dyn FileSystem,
        sql: &Path,
        steps: &Path,
        title: &str,
        values: &'a ValueFiles<'a>,
        dialect: &'a Dialect,
    ) -> Result<WayWriter<'a>, PackError> {
        let mut writer = WayWriter {
            sql: Output::create(fs, sql)?,
            steps: Output::create(fs, steps)?,
            tables: Vec::new(),
            values,
            dialect,
            batch: None,
            next: 1,
            heading: String::new(),
            comments: Vec::new(),
            kept_comments: Vec::new(),
            names_facts: false,
            written: Written::default(),
        };
        writer.sql.push(head(title, dialect).as_bytes())?;
        Ok(writer)
    }

    /// Names the tables whose rows will change, in the order of their numbers.
    pub fn tables(
        &mut self,
        works: &'a [TableWork<'a>],
        layouts: &'a [Layouts],
        before: &FactsAndRules<'_>,
        during: &FactsAndRules<'_>,
        hasher: &'a Hasher,
    ) {
        let dialect = self.dialect;
        let tables = works.iter().zip(layouts);
        let tables = tables
            .map(|(work, ends)| WrittenTable::new(work, ends, dialect, before, during, hasher));
        self.tables = tables.collect();
    }

    /// Writes a statement with a line of its own.
    pub(super) fn statement(
        &mut self,
        statement: &str,
        line: StepLine<'_>,
    ) -> Result<u64, PackError> {
        self.flush()?;
        let id = self.number();
        self.write(statement, StepLine { id, ..line })?;
        Ok(id)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn write(&mut self, statement: &str, line: StepLine<'_>) -> Result<(), PackError> {
        let heading = format!("{} {}", line.verb, line.object);
        if heading != self.heading {
            self.sql.push(format!("\n-- {}\n", one_line(&heading)).as_bytes())?;
            self.heading = heading;
        }
        let at = self.sql.position();
        self.sql.push(statement.as_bytes())?;
        self.sql.push(b";\n")?;
        self.written.statements += 1;
        self.line(&StepLine { at: Some(at), len: Some(statement.len() as u64), ..line })
    }

    pub(super) fn line(&mut self, line: &StepLine<'_>) -> Result<(), PackError> {
        self.written.reversals.note(line);
        let mut bytes = serde_json::to_vec(&line).expect("a step is plain JSON");
        bytes.push(b'\n');
        Ok(self.steps.push(&bytes)?)
    }

    /// Takes a row for a statement that may be for others too.
    fn take(
        &mut self,
        table: usize,
        verb: &'static str,
        line: StepLine<'static>,
        one: Move,
    ) -> Result<(), PackError> {
        let limits = self.tables[table].sql(&one).limits();
        let takes = |batch: &Batch| batch.takes(table, &line, &one, limits.full);
        if !self.batch.as_ref().is_some_and(takes) {
            self.flush()?;
        }
        let is_insert = matches!(one, Move::Insert(..));
        let most = if is_insert { limits.inserted } else { limits.changed };
        let batch = self.batch.get_or_insert_with(|| Batch::new(table, verb, &one));
        let is_alone = line.copies.is_some();
        batch.push(line, one);
        if is_alone || batch.moves.len() >= most || batch.bytes >= limits.full {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the statement of the rows that wait for one.
    pub(super) fn flush(&mut self) -> Result<(), PackError> {
        let Some(batch) = self.batch.take() else { return Ok(()) };
        let Batch { table, moves, mut lines, .. } = batch;
        let large = Large { files: self.values, purpose: Purpose::Runs };
        let table = &self.tables[table];
        let Some(first) = moves.first() else { return Ok(()) };
        let Statement { text, binds } =
            table.sql(first).statement(&table.work.shape, &moves, large)?;
        let changes = moves.iter().map(Move::count).sum();
        let Some(last) = lines.pop() else { return Ok(()) };
        for line in &lines {
            self.line(line)?;
        }
        self.write(&text, StepLine { changes: Some(changes), binds, ..last })
    }

    /// Writes a schema step. For a table that is dropped, `work` holds its rows as deletes; for
    /// columns that are dropped, `columns` says what they may hold.
    pub fn schema(
        &mut self,
        step: &SchemaStep,
        dropped: Option<(&TableWork<'_>, &Layouts)>,
        columns: Vec<ColumnGuard>,
        spool: &Spool,
        hasher: &Hasher,
    ) -> Result<(), PackError> {
        let (verb, object) = (step.name(), step_object(step));
        self.written.changes_schema = true;
        let mut hazards: Vec<Cow<'_, str>> =
            step.hazards.iter().map(|hazard| Cow::Borrowed(hazard.as_str())).collect();
        let told = step.hazards.iter().map(|hazard| (object.clone(), verb.clone(), hazard.clone()));
        self.written.schema.extend(told);
        let mut line = StepLine {
            verb: Cow::Owned(verb.clone()),
            object: Cow::Borrowed(&object),
            fact: self.names_facts.then(|| FactName::of(&step.main().id)),
            ..StepLine::default()
        };
        let drops_table = step.deeds_of(SchemaVerb::Drop, ObjectKind::Table).next().is_some();
        match dropped {
            Some((work, layouts)) if drops_table => {
                let (rows, bytes, digest) = content_of(work, layouts, spool, hasher)?;
                self.written.losses.insert((object.clone(), DROP_TABLE), (rows, bytes));
                line.content = Some(Content { rows, digest: Cow::Owned(digest) });
                hazards.push(Cow::Borrowed("data-loss"));
            }
            None if drops_table => {
                let digest = content::digest::<PackError>(0, hasher, |_| Ok(()))?;
                line.content = Some(Content { rows: 0, digest: Cow::Owned(digest) });
            }
            _ => {}
        }
        let (is_one, table) = (step.deeds.len() == 1, step.object());
        for column in columns {
            if column.others > 0 {
                let loss = (format!("{table}.{}", column.name), "drop-column");
                self.written.losses.insert(loss, (column.others, 0));
            }
            if is_one {
                line.column = Some(column);
                hazards.push(Cow::Borrowed("data-loss"));
            } else {
                self.flush()?;
                let id = self.number();
                let guard = StepLine {
                    id,
                    verb: Cow::Borrowed("drop-column"),
                    object: Cow::Borrowed(&table),
                    column: Some(column),
                    hazards: vec![Cow::Borrowed("data-loss")],
                    ..StepLine::default()
                };
                self.line(&guard)?;
            }
        }
        line.hazards = hazards;
        if !is_one {
            self.tell_drops(step)?;
        }
        self.statement(&step.statement, line)?;
        Ok(())
    }

    /// Lines for what a statement of several deeds drops that acts on rows.
    fn tell_drops(&mut self, step: &SchemaStep) -> Result<(), PackError> {
        for kind in [ObjectKind::ForeignKey, ObjectKind::Trigger, ObjectKind::Rule] {
            for deed in step.deeds_of(SchemaVerb::Drop, kind) {
                self.flush()?;
                let (id, object) = (self.number(), deed.id.to_string());
                let verb = Cow::Owned(deed.name());
                let object = Cow::Owned(object);
                self.line(&StepLine { id, verb, object, ..StepLine::default() })?;
            }
        }
        Ok(())
    }

    /// Adds a comment about something that does not run.
    pub fn comment(&mut self, text: &str) {
        self.comments.push(text.to_owned());
    }

    /// Adds a comment about something that a strategy keeps from running.
    pub fn comment_kept(&mut self, text: &str) {
        self.kept_comments.push(text.to_owned());
    }

    /// Writes what is left and closes the files.
    pub fn finish(mut self) -> Result<Written, PackError> {
        self.flush()?;
        self.push_comments()?;
        self.sql.finish()?;
        self.steps.finish()?;
        Ok(self.written)
    }

    pub(super) fn count(&mut self, table: usize, verb: Verb, change: &Change) {
        let name = self.tables[table].work.shape.label().to_owned();
        let totals = self
            .written
            .tables
            .entry(name.clone())
            .or_insert_with(|| TableTotals { name: name.clone(), ..TableTotals::default() });
        let (one, all) = match verb {
            Verb::Insert => (&mut totals.inserted, &mut self.written.rows.inserted),
            Verb::Update => (&mut totals.updated, &mut self.written.rows.updated),
            Verb::Delete => (&mut totals.deleted, &mut self.written.rows.deleted),
        };
        *one += change.count;
        *all += change.count;
        if verb == Verb::Delete {
            let loss = self.written.losses.entry((name, "delete")).or_default();
            loss.0 += change.count;
            loss.1 += change.before.iter().map(value_len).sum::<u64>() * change.count;
        }
    }

    /// Where an update would set a column that no update can, the row is lifted out of its table and
    /// inserted again: writes the first of the two and gives its number.
    fn lifted(&mut self, step: &RowStep<'_>) -> Result<Option<u64>, PackError> {
        let table = &self.tables[step.table];
        let is_whole = matches!(step.part, Part::Whole) && step.change.verb() == Verb::Update;
        let shape = &table.work.shape;
        let changed = if is_whole { shape.changed(step.change) } else { Vec::new() };
        let Some(column) = changed.iter().find(|column| table.unset.contains(column)) else {
            return Ok(None);
        };
        if table.is_followed {
            let reason = format!(
                "column {} can only be set by an insert, and rows that refer to it would go with it",
                shape.name(*column)
            );
            let refusal = Refusal::new(shape.table(), reason, "change this row by hand");
            let row = row_label(shape, step.change);
            return Err(PackError::Refused(vec![refusal.at_row(row)]));
        }
        let (table, change, needs) = (step.table, step.change, step.needs.clone());
        let part = Part::Park(&Parking::Reinsert);
        self.step(RowStep { table, change, part, needs }).map(Some)
    }

    /// Inserts again the equal rows that had to go with those that were deleted.
    fn bring_back(&mut self, step: &RowStep<'_>) -> Result<(), PackError> {
        let table = &self.tables[step.table];
        let (shape, others) = (&table.work.shape, step.change.others);
        let is_delete = step.change.verb() == Verb::Delete;
        if !is_delete || others == 0 || !table.takes_all_copies() {
            return Ok(());
        }
        let one = Move::Insert(shape.row_before(step.change), others);
        let object = Cow::Owned(shape.label().to_owned());
        let id = self.number();
        let verb = Cow::Borrowed("insert");
        let copies = Some(others);
        let line = StepLine { id, verb, object, copies, ..StepLine::default() };
        self.take(step.table, "insert", line, one)
    }

    /// What the row must be before all and after all.
    fn expectations(
        &mut self,
        step: &RowStep<'_>,
    ) -> Result<(Option<String>, Option<String>), PackError> {
        let table = &mut self.tables[step.table];
        // Whether a row is not there is asked only by a key that both sides could have.
        let shape = &table.work.shape;
        let has_key = is_keyed(shape, step.change) && !shape.has_retyped_key();
        let wrong = |source| PackError::Rows { table: shape.table().clone(), source };
        let hash = |hasher: &mut Option<RowHasher<'_>>, row: &[CellValue]| match (row, hasher) {
            ([], _) => Ok(has_key.then(|| ABSENT.to_owned())),
            (row, Some(hasher)) => {
                hasher.hash(row).map(|hash| Some(hash.to_string())).map_err(wrong)
            }
            (_, None) => Ok(None),
        };
        let is_first = !matches!(step.part, Part::Unpark(_));
        let is_last = !matches!(step.part, Part::Park(_));
        let before = is_first.then(|| hash(&mut table.before, &step.change.before));
        let after = is_last.then(|| hash(&mut table.after, &step.change.after));
        Ok((before.transpose()?.flatten(), after.transpose()?.flatten()))
    }
}

/// The object of a step, as its line names it: of a column, the table.
fn step_object(step: &SchemaStep) -> String {
    match step.main().id.kind {
        ObjectKind::Column => step.object(),
        _ => step.main().id.to_string(),
    }
}

fn is_keyed(shape: &Shape, change: &Change) -> bool {
    let row = match change.before.is_empty() {
        true => shape.row_after(change),
        false => shape.row_before(change),
    };
    shape.key_of(&row).is_some()
}

impl Steps for WayWriter<'_> {
    fn defer(&mut self) -> Result<(), PackError> {
        self.written.is_deferred = true;
        let line = StepLine {
            verb: Cow::Borrowed("defer"),
            object: Cow::Borrowed("foreign keys are checked at the end"),
            ..StepLine::default()
        };
        let Some(deferral) = self.dialect.deferral() else { return Ok(()) };
        self.statement(deferral, line)?;
        Ok(())
    }

    fn step(&mut self, step: RowStep<'_>) -> Result<u64, PackError> {
        if let Some(first) = self.lifted(&step)? {
            let (table, change) = (step.table, step.change);
            let needs = step.needs.iter().copied().chain([first]).collect();
            let part = Part::Unpark(&Parking::Reinsert);
            return self.step(RowStep { table, change, part, needs });
        }
        let (before, after) = self.expectations(&step)?;
        let one = self.tables[step.table].move_of(&step);
        let shape = &self.tables[step.table].work.shape;
        let verb = match (&one, step.part) {
            (None, _) => "check",
            (_, Part::Park(Parking::Reinsert)) => "lift",
            (_, Part::Park(_)) if step.change.before.is_empty() => "insert",
            (_, Part::Park(_)) => "park",
            (_, Part::Unpark(Parking::Reinsert)) => "insert",
            (_, Part::Unpark(_)) if step.change.after.is_empty() => "delete",
            (_, Part::Unpark(_)) => "update",
            (_, Part::Whole) => step.change.verb().as_str(),
        };
        let object = shape.label().to_owned();
        let exact = |row: Vec<CellValue>| {
            shape.key_of(&row).map(|key| key.into_iter().map(Exact).collect::<Vec<_>>())
        };
        let old = (!step.change.before.is_empty()).then(|| shape.row_before(step.change));
        let new = (!step.change.after.is_empty()).then(|| shape.row_after(step.change));
        let key = old.or_else(|| new.clone()).and_then(exact);
        let new_key = new.and_then(exact).filter(|new| key.as_ref() != Some(new));
        let mut hazards = Vec::new();
        if verb == "delete" {
            hazards.push(Cow::Borrowed("data-loss"));
            if key.is_none() {
                hazards.push(Cow::Borrowed("scan"));
                self.written.scans.insert(object.clone());
            }
        }
        let copies = key.is_none().then_some(step.change.count);
        if let Some(Move::Update(before, after)) = &one
            && self.tables[step.table].followed.iter().any(|&at| before[at] != after[at])
        {
            hazards.push(Cow::Borrowed(MOVES_KEY));
        }
        let id = self.number();
        let line = StepLine {
            id,
            verb: Cow::Borrowed(verb),
            object: Cow::Owned(object),
            key,
            new_key,
            copies,
            before: before.map(Cow::Owned),
            after: after.map(Cow::Owned),
            needs: step.needs.clone(),
            hazards,
            ..StepLine::default()
        };
        if !matches!(step.part, Part::Park(_)) && one.is_some() {
            self.count(step.table, step.change.verb(), step.change);
        }
        match one {
            Some(one) => self.take(step.table, verb, line, one)?,
            None => {
                self.flush()?;
                self.line(&line)?;
            }
        }
        self.bring_back(&step)?;
        Ok(id)
    }

    fn left_out(&mut self, left: RowLeftOut<'_>) -> Result<(), PackError> {
        self.tell_left_out(&left)
    }

    fn kept(&mut self, kept: RowKept<'_>) -> Result<(), PackError> {
        self.tell_kept(&kept)
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Why the file must not be fed to a client, and the statements that make that harmless.
fn head(title: &str, dialect: &Dialect) -> String {
    format!(
        "-- {}\n--\n\
         -- Run this with `deepdiff-db apply`, which checks every row before it is changed and\n\
         -- undoes everything unless the outcome is exactly what was reviewed. A database client\n\
         -- cannot do that, so the next statements stop it: they forbid all writes of this\n\
         -- connection, and fail. `apply` does not run them: it runs each step by its place in\n\
         -- this file.\n\
         {}",
        one_line(title),
        dialect.client_stop()
    )
}
