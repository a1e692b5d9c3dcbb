//! Proving a pack on a scratch copy before there is one: the way there and the way back are run as
//! they would be on the target, every row and the schema compared.
//!
//! The copy has the target's schema and the rows that the pack touches, as they were. Rows that
//! inserted ones refer to and that the pack does not touch are stood in for. Triggers of touched
//! tables are left away: whether they may fire is asked of whoever applies the pack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::checks;
use super::error::ApplyError;
use super::options::{Held, Options, Place};
use super::outcome::{Ending, Outcome};
use super::parents;
use super::run::run_at;
use super::stand_ins::{self, filler};
use crate::engine::ddl::Schema;
use crate::engine::sqlite::{OpenOptions, SqliteSession, SqliteTarget, quoted};
use crate::engine::{EngineError, Session, Target};
use crate::model::snapshot::Scope;
use crate::model::{Fact, ObjectKind, SinkError, Value};
use crate::pack::manifest::MANIFEST;
use crate::pack::rules::text;
use crate::pack::shape::Shape;
use crate::pack::spool::Verb;
use crate::pack::{
    CellValue, Draft, Manifest, Pack, PackError, Request, Run, check_sides, draft, fingerprint,
};

/// Changes of more bytes are proved in a file instead of in memory.
const IN_MEMORY: u64 = 48 << 20;

/// Plans a pack, proves it on a scratch copy, and seals it.
pub async fn create_pack(request: &Request<'_>) -> Result<Manifest, PackError> {
    check_sides(request)?;
    if !request.enforcement()?.is_proved() {
        // What rows need of such a database is proved in the transaction that changes it.
        let mut none_waits = |_: &Shape, _: &[CellValue]| Ok(false);
        return draft(request, &mut none_waits)?.finish(request.fs, request.hasher);
    }
    let mut bench = open(request, None).await?;
    let drafted = {
        let session = bench.target.session().await.map_err(prover)?;
        let mut accepts = |shape: &Shape, row: &[CellValue]| accepts(&session, request, shape, row);
        draft(request, &mut accepts)
    };
    bench.close(request).await?;
    let drafted = drafted?;
    match prove(request, &drafted).await {
        Ok(()) => drafted.finish(request.fs, request.hasher),
        Err(error) => {
            drafted.discard(request.fs);
            Err(error)
        }
    }
}

fn prover(error: impl Into<SinkError>) -> PackError {
    PackError::Prover(error.into())
}

/// A scratch database and the file it is in, if any.
struct Bench {
    target: Target,
    file: Option<PathBuf>,
}

impl Bench {
    async fn close(self, request: &Request<'_>) -> Result<(), PackError> {
        let closed = self.target.close().await.map_err(prover);
        if let Some(file) = self.file {
            request.fs.remove_file(&file)?;
        }
        closed
    }
}

async fn open(request: &Request<'_>, bytes: Option<u64>) -> Result<Bench, PackError> {
    let options = OpenOptions::default();
    let facts = &request.before.facts;
    if bytes.unwrap_or(0) <= IN_MEMORY {
        let target = SqliteTarget::scratch(facts, &options).await.map_err(prover)?;
        return Ok(Bench { target: Target::Sqlite(target), file: None });
    }
    let name: String = request.fs.nonce().iter().map(|byte| format!("{byte:02x}")).collect();
    let file = request.scratch.join(format!("{name}.proof"));
    let target = SqliteTarget::create(&file, facts, &options).await.map_err(prover)?;
    Ok(Bench { target: Target::Sqlite(target), file: Some(file) })
}

/// Whether a table takes a row, other rows and other tables aside.
fn accepts(
    session: &Session<'_>,
    request: &Request<'_>,
    shape: &Shape,
    row: &[CellValue],
) -> Result<bool, PackError> {
    let name = &shape.table().name;
    let definition =
        request.before.definitions.iter().find(|definition| {
            definition.kind == ObjectKind::Table && definition.object.name == *name
        });
    let table = request.before.tables.iter().find(|table| table.spec.name.name == *name);
    let (Some(definition), Some(table)) = (definition, table) else { return Ok(false) };
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for column in &table.spec.columns {
        if let Some(place) = shape.place(&column.name) {
            columns.push(column.name.as_str());
            values.push(row[place].clone());
        }
    }
    let unknown = stand_ins::unknown_columns(request, name);
    columns.extend(unknown.iter().map(|(name, _)| name));
    let fillers: Vec<Value> = unknown.iter().map(|(_, declared)| filler(declared, 1)).collect();
    let values = Whole::of(request, &values)?;
    let attempt = || -> Result<bool, EngineError> {
        session.execute("PRAGMA foreign_keys = OFF")?;
        session.begin()?;
        session.execute(&definition.text)?;
        Ok(scratch(session)
            .prepare(&insert(name, &columns))?
            .run(values.iter().chain(&fillers))
            .is_ok())
    };
    let taken = attempt();
    session.rollback().map_err(prover)?;
    taken.map_err(prover)
}

/// A row with its large values, which are there as long as it is.
pub(super) struct Whole<'r> {
    row: &'r [CellValue],
    /// By place.
    large: BTreeMap<usize, Value>,
}

impl<'r> Whole<'r> {
    pub(super) fn of(request: &Request<'_>, row: &'r [CellValue]) -> Result<Whole<'r>, PackError> {
        let mut large = BTreeMap::new();
        for (place, cell) in row.iter().enumerate() {
            if let CellValue::Apart(value) = cell {
                large.insert(place, request.rows.whole(value).map_err(PackError::Value)?);
            }
        }
        Ok(Whole { row, large })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Value> {
        let places = self.row.iter().enumerate();
        places.filter_map(|(place, cell)| cell.here().or_else(|| self.large.get(&place)))
    }
}

/// The scratch copy by its engine's own surface.
pub(super) fn scratch<'a, 's>(session: &'a Session<'s>) -> &'a SqliteSession<'s> {
    match session {
        Session::Sqlite(session) => session,
        _ => unreachable!("a scratch copy is a SQLite database"),
    }
}

/// An insert that binds its values.
pub(super) fn insert(table: &str, columns: &[&str]) -> String {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let marks: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
    format!(
        "INSERT OR ABORT INTO {} ({}) VALUES ({})",
        quoted(table),
        names.join(", "),
        marks.join(", ")
    )
}

async fn prove(request: &Request<'_>, draft: &Draft) -> Result<(), PackError> {
    let runs = draft.tables.iter().map(|table| &table.runs);
    let mut bytes: u64 =
        runs.map(|runs| Verb::EVERY.iter().map(|verb| runs.of(*verb).bytes).sum::<u64>()).sum();
    // Rows of these tables may be there besides.
    let redefined = parents::redefined(draft);
    let stored = request.before.tables.iter();
    let stored = stored.filter(|table| redefined.contains(&table.spec.name.name));
    bytes = stored.fold(bytes, |bytes, table| bytes.saturating_add(table.rows.bytes));
    let mut bench = open(request, Some(bytes)).await?;
    let proved = {
        let mut session = bench.target.session().await.map_err(prover)?;
        Proof { request, draft, session: &mut session, left_away: BTreeSet::new() }.run()
    };
    let closed = bench.close(request).await;
    proved.and(closed)
}

struct Proof<'a, 's> {
    request: &'a Request<'a>,
    draft: &'a Draft,
    session: &'a mut Session<'s>,
    /// Triggers and virtual tables that the copy does not have.
    left_away: BTreeSet<String>,
}

impl Proof<'_, '_> {
    fn run(mut self) -> Result<(), PackError> {
        self.build().map_err(|error| match error {
            ApplyError::Pack(error) => error,
            error => prover(error),
        })?;
        let pack = Pack::unsealed(&self.draft.dir, self.draft.manifest.clone());
        let ways = [
            (Run::Forward, "the migration", &self.draft.facts_after),
            (Run::Back, "the rollback", &self.draft.facts_before),
        ];
        for (run, direction, facts) in ways {
            let mut options = Options::new(MANIFEST);
            options.run = run;
            let held = Held { session: &mut *self.session, identity: "" };
            let (fs, hasher) = (self.request.fs, self.request.hasher);
            let outcome = run_at(Place::Scratch, held, fs, &pack, hasher, &options, None);
            let reason = match outcome {
                Ok(outcome) if outcome.outcome == Ending::Applied => self.schema_as(facts)?,
                Ok(outcome) => Some(reason_of(&outcome)),
                Err(ApplyError::Pack(error)) => return Err(error),
                Err(error) => Some(with_sources(&error)),
            };
            if let Some(reason) = reason {
                return Err(PackError::NotProved { direction, reason });
            }
        }
        Ok(())
    }

    /// Why the schema is not as planned; `None` where it is.
    fn schema_as(&self, facts: &[Fact]) -> Result<Option<String>, PackError> {
        let scope = Scope::from(&self.draft.manifest.scope);
        let catalog = self.session.catalog(&scope).map_err(prover)?;
        let counts = |fact: &&Fact| !self.is_left_away(fact);
        let expected: Vec<Fact> = facts.iter().filter(counts).cloned().collect();
        let found: Vec<Fact> = catalog.facts.iter().filter(counts).cloned().collect();
        let hasher = self.request.hasher;
        let expected: Vec<_> = fingerprint::lines(&expected, &[], hasher)
            .into_iter()
            .map(|line| (line.kind, line.object, line.part, line.before))
            .collect();
        let differences = fingerprint::differences(&expected, &found, hasher, 10);
        Ok(match differences.is_empty() {
            true => None,
            false => Some(format!("the schema came out different: {}", differences.join(", "))),
        })
    }

    fn is_left_away(&self, fact: &Fact) -> bool {
        matches!(fact.id.kind, ObjectKind::Trigger | ObjectKind::VirtualTable)
            && self.left_away.contains(&fact.id.object.name)
    }

    fn build(&mut self) -> Result<(), ApplyError> {
        for setting in ["foreign_keys = OFF", "ignore_check_constraints = ON", "synchronous = OFF"]
        {
            self.session.execute(&format!("PRAGMA {setting}"))?;
        }
        self.session.begin()?;
        self.define(ObjectKind::Table)?;
        // Rows are told by the names that the pack gives.
        self.rename(Run::Forward)?;
        self.load()?;
        self.rename(Run::Back)?;
        self.define(ObjectKind::Index)?;
        self.rename(Run::Forward)?;
        let are_complete = stand_ins::add(self.session, self.request, self.draft)?;
        self.rename(Run::Back)?;
        self.define(ObjectKind::VirtualTable)?;
        self.define(ObjectKind::View)?;
        self.choose_triggers()?;
        self.define(ObjectKind::Trigger)?;
        self.session.apply_settings(&self.draft.facts_before)?;
        self.session.commit()?;
        self.session.execute("PRAGMA ignore_check_constraints = OFF")?;
        if are_complete {
            self.session.execute("PRAGMA foreign_keys = ON")?;
        }
        Ok(())
    }

    /// Changes names, or changes them back, while nothing speaks of them but tables and indexes.
    fn rename(&self, run: Run) -> Result<(), ApplyError> {
        let Some(base) = self.request.base else { return Ok(()) };
        let ddl = self.request.before.enforcement()?.ddl("");
        let renames = match run {
            Run::Forward => base.renames.all(),
            Run::Back => base.renames.inverse(),
        };
        let schema = Schema::new(&base.facts);
        for rename in renames {
            let written = ddl.rename(&rename, &schema);
            let statement = written.map_err(|reason| PackError::Prover(reason.into()))?;
            self.session.execute(&statement)?;
        }
        Ok(())
    }

    fn define(&mut self, kind: ObjectKind) -> Result<(), ApplyError> {
        for definition in self.draft.definitions.iter().filter(|d| d.kind == kind) {
            let name = &definition.object.name;
            if self.left_away.contains(name) {
                continue;
            }
            match self.session.execute(&definition.text) {
                Ok(_) => {}
                // A module that this program does not have.
                Err(_) if kind == ObjectKind::VirtualTable => {
                    self.left_away.insert(name.clone());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The rows that are touched, as they were, and equal rows that stay: some statements concern
    /// them all.
    fn load(&self) -> Result<(), ApplyError> {
        for table in &self.draft.tables {
            let Some(spec) = &table.before else { continue };
            let mut columns: Vec<&str> = spec.columns.iter().map(|c| c.name.as_str()).collect();
            let unknown = stand_ins::unknown_columns(self.request, &table.name);
            columns.extend(unknown.iter().map(|(name, _)| name));
            if !unknown.is_empty() {
                // What stands in for a value need not pass the checks of its column.
                self.session.execute("PRAGMA ignore_check_constraints = ON")?;
            }
            let mut number = 0;
            let mut statement = scratch(self.session).prepare(&insert(&table.name, &columns))?;
            let wanted = Verb::EVERY.map(|verb| table.runs.of(verb));
            // Rows that stay as they are may be in the way.
            let kept = [Verb::Update, Verb::Delete].map(|verb| table.runs.kept(verb));
            let kept = kept.into_iter().filter(|_| !table.runs.is_divided());
            for run in wanted.into_iter().chain(kept) {
                for change in self.draft.spool.read(run) {
                    let (_, change) = change.map_err(|error| stand_ins::damaged(spec, error))?;
                    let (row, copies) = match change.verb() {
                        Verb::Insert => (&change.after, change.others),
                        Verb::Update | Verb::Delete => {
                            (&change.before, change.count + change.others)
                        }
                    };
                    let row = Whole::of(self.request, row)?;
                    for _ in 0..copies {
                        number += 1;
                        let fill = |(_, declared): &(&str, &str)| filler(declared, number);
                        let fillers: Vec<Value> = unknown.iter().map(fill).collect();
                        statement.run(row.iter().chain(&fillers))?;
                    }
                }
            }
            if !unknown.is_empty() {
                self.session.execute("PRAGMA ignore_check_constraints = OFF")?;
            }
        }
        Ok(())
    }

    /// Leaves away the triggers that are there all the time and would fire. Those of a table that is
    /// built anew are dropped before, and must be there for that.
    fn choose_triggers(&mut self) -> Result<(), ApplyError> {
        let pack = Pack::unsealed(&self.draft.dir, self.draft.manifest.clone());
        let mut dropped = BTreeSet::new();
        for run in [Run::Forward, Run::Back] {
            let overview = checks::overview(&mut pack.steps(self.request.fs, run)?)?;
            dropped.extend(overview.dropped_triggers);
        }
        let changed: BTreeSet<&str> =
            self.draft.tables.iter().map(|table| table.name.as_str()).collect();
        for fact in &self.draft.facts_before {
            let is_trigger = fact.id.kind == ObjectKind::Trigger;
            let fires = text(fact, "table").is_some_and(|table| changed.contains(table));
            let stays = self.draft.facts_after.contains(fact)
                && !dropped.contains(&fact.id.object.to_string());
            if is_trigger && fires && stays {
                self.left_away.insert(fact.id.object.name.clone());
            }
        }
        Ok(())
    }
}

fn reason_of(outcome: &Outcome) -> String {
    let reasons = outcome.reasons.iter().map(ToString::to_string);
    let drift = outcome.drift.iter().map(|drift| format!("{}: {}", drift.table, drift.found));
    reasons.chain(drift).take(10).collect::<Vec<_>>().join("; ")
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
