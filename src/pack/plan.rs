//! From two snapshots and what differs between them to a pack on disk, all but its manifest.
//!
//! Pure as far as databases go: nothing here reaches a server. The way back is planned like the way
//! there, from the state that the way there leaves, so it undoes exactly what runs. What comes out
//! is a draft (`draft`), which becomes a pack when it has been proved.

mod staying;
mod way;

use std::collections::{BTreeMap, BTreeSet};

use super::consent::Consent;
use super::enforcement::Enforcement;
use super::error::{PackError, Refusal};
use super::listing::{hazards, kept_lines, left_out, shown_left_out, triggers, way};
use super::manifest::{
    FILES, FORMAT, FileLine, Hazard, Manifest, ScopeLine, Side, TargetId, TriggerLine,
};
use super::online::Part;
use super::order::{Deletes, Skipped, TableWork};
use super::output;
use super::parking::Accepts;
use super::renames::{self, Base};
use super::request::{ChangedTable, PackSide, Request};
use super::rules::Rules;
use super::schema::{self, SchemaInput, SchemaPlan, SchemaSide, SchemaVerb};
use super::shape::Shape;
use super::spool::{Spool, Verb};
use super::values::ValueFiles;
use super::writer::Written;
use super::written_table::{Ends, Layouts};
use super::{fingerprint, kept, masked, selection, summary, unwritten};
use crate::codec::Hasher;
use crate::diff::TableDefinition;
use crate::engine::Dialect;
use crate::engine::ddl::Ddl;
use crate::model::{Fact, ObjectKind, ObjectName, Sequence, TableSpec};
use way::WayInput;

const INCOMPLETE_HINT: &str = "take the snapshot with an account that sees everything, or leave the \
                               object out of the scope of both snapshots";

/// Which way is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// From the target's state to the wanted one.
    Forward,
    /// Back, undoing exactly what a pack did.
    Back,
}

pub(super) struct Drafter<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) spool: &'a Spool,
    pub(super) tables: &'a [ChangedTable],
    pub(super) values: &'a ValueFiles<'a>,
    pub(super) enforcement: Enforcement,
    pub(super) ddl: &'a dyn Ddl,
    pub(super) dialect: &'a Dialect,
}

impl<'a> Drafter<'a> {
    /// Writes both ways, and gives the manifest and the facts that the pack leaves.
    pub(super) fn write(
        &self,
        plan: SchemaPlan,
        accepts: &mut Accepts<'_>,
    ) -> Result<(Manifest, Vec<Fact>), PackError> {
        let request = self.request;
        let works = self.forward_works(&plan)?;
        let (shown, shown_kept) = shown_left_out(&plan.left_out);
        let forward = self.way(
            &WayInput {
                title: format!(
                    "Change pack: from {} to {}",
                    request.before.snapshot.short(),
                    request.after.snapshot.short()
                ),
                sql: "migration.sql",
                steps: "migration.jsonl",
                facts: &request.before.facts,
                tables: &request.before.tables,
                plan: &plan,
                works: &works,
                ends: works.iter().map(|work| self.ends(work, Direction::Forward)).collect(),
                dropped: self.dropped(&plan, Direction::Forward, &BTreeMap::new())?,
                sequences: self.raised_sequences(&plan),
                left_out: &shown,
                kept: &shown_kept,
            },
            accepts,
        )?;
        let skipped = skipped(&works, &forward);
        let back = self.back_schema(&plan)?;
        let back_works = self.back_works(&back, &skipped);
        let backward = self.way(
            &WayInput {
                title: format!(
                    "Rollback of a change pack: back to {}",
                    request.before.snapshot.short()
                ),
                sql: "rollback.sql",
                steps: "rollback.jsonl",
                facts: &plan.facts_after,
                tables: &request.after.tables,
                plan: &back,
                works: &back_works,
                ends: back_works.iter().map(|work| self.ends(work, Direction::Back)).collect(),
                dropped: self.dropped(&back, Direction::Back, &skipped)?,
                sequences: Vec::new(),
                left_out: &[],
                kept: &[],
            },
            accepts,
        )?;
        let manifest = self.manifest(&plan, &works, &forward, &back, &backward)?;
        Ok((manifest, plan.facts_after))
    }

    fn rules(&self, facts: &[Fact]) -> Rules {
        Rules::of(self.enforcement, facts)
    }

    /// What happens to the schema on the way there.
    pub(super) fn forward_schema(&self) -> Result<SchemaPlan, PackError> {
        let request = self.request;
        self.check_columns()?;
        if !request.changes_schema(self.enforcement) {
            let plan = SchemaPlan::unchanged(&request.before.facts);
            let refusals = masked::refusals(request, self.tables, &plan, self.spool)?;
            return if refusals.is_empty() { Ok(plan) } else { Err(PackError::Refused(refusals)) };
        }
        let tables: Vec<(ObjectName, bool)> =
            request.before.tables.iter().map(|t| (t.spec.name.clone(), t.rows.rows > 0)).collect();
        let mut plan = schema::plan(
            self.ddl,
            &SchemaInput {
                before: side(&request.before.facts, &request.before.definitions),
                after: side(&request.after.facts, &request.after.definitions),
                consent: request.consent,
                tables: &tables,
                keeps_rows: &|name| self.missing_for_deletes(name) || self.keeps_rows(name),
                keeps_values: &|table, column| {
                    self.missing_for_deletes(table) && self.holds_values(table, column)
                },
                lacks_rows: &|name| self.lacks_rows(name),
                keeps_table: &|name| self.keeps_table(name),
                loses_sight: &|name| self.loses_sight(name),
                is_rekeyed: &|name| self.is_rekeyed(name),
                may_be_anew: &|name| self.goes_whole(name),
                may_leave: &|name| {
                    self.replaces(name, Verb::Delete)
                        && !self.missing_for_deletes(name)
                        && !self.keeps_rows(name)
                },
            },
        );
        if let Some(base) = request.base {
            schema::forth(self.ddl, base, &request.after.facts, request.consent, &mut plan);
        }
        plan.refusals.extend(unwritten::refusals(
            request,
            self.ddl,
            &plan.facts_after,
            &plan.anew,
        )?);
        plan.refusals.extend(masked::refusals(request, self.tables, &plan, self.spool)?);
        let rules = self.rules(&plan.facts_for_rows);
        for table in self.tables.iter().filter(|table| table.runs.changes() > 0) {
            let unknown = rules.table(&table.name).map_or(&[][..], |r| &r.unknown_collations);
            for collation in unknown.iter().filter(|_| self.enforcement.needs_collations()) {
                plan.refusals.push(Refusal::new(
                    &table.name,
                    format!("its rows change, and SQLite needs the collation {collation} for that"),
                    "make this change with the program that brings the collation",
                ));
            }
        }
        if plan.refusals.is_empty() { Ok(plan) } else { Err(PackError::Refused(plan.refusals)) }
    }

    /// Refuses tables that hold what cannot be written exactly.
    fn check_columns(&self) -> Result<(), PackError> {
        let mut refusals = Vec::new();
        for table in self.tables.iter().filter(|table| table.runs.changes() > 0) {
            for column in table.after.iter().flat_map(|table| &table.columns) {
                if let Some(reason) = self.dialect.unwritable(column) {
                    let object = format!("{}.{}", table.name, column.name);
                    let hint = "change its rows by hand, or name the other tables with --tables";
                    refusals.push(Refusal::new(object, reason, hint));
                }
            }
        }
        if refusals.is_empty() { Ok(()) } else { Err(PackError::Refused(refusals)) }
    }

    /// Whether rows that a table has are updated, or taken away by this verb of the comparison.
    fn replaces(&self, name: &str, away: Verb) -> bool {
        self.table(name).is_some_and(|table| {
            [Verb::Update, away].iter().any(|verb| table.runs.of(*verb).changes > 0)
        })
    }

    fn back_schema(&self, forward: &SchemaPlan) -> Result<SchemaPlan, PackError> {
        let request = self.request;
        if !request.changes_schema(self.enforcement) {
            return Ok(SchemaPlan::unchanged(&request.before.facts));
        }
        let mut plan = schema::plan(
            self.ddl,
            &SchemaInput {
                before: side(&forward.facts_after, &request.after.definitions),
                after: side(&request.before.facts, &request.before.definitions),
                consent: &Consent::everything(),
                tables: &[],
                keeps_rows: &|_| false,
                keeps_values: &|_, _| false,
                lacks_rows: &|_| false,
                keeps_table: &|_| false,
                may_leave: &|name| self.replaces(name, Verb::Insert),
                loses_sight: &|name| self.loses_sight(name),
                is_rekeyed: &|name| forward.anew.contains(name),
                may_be_anew: &|name| forward.anew.contains(name),
            },
        );
        if let Some(base) = request.base {
            schema::back(self.ddl, base, &mut plan);
            plan.facts_after.clone_from(&base.facts);
        }
        if plan.refusals.is_empty() {
            return Ok(plan);
        }
        let back = |mut refusal: Refusal| {
            refusal.reason = format!("the way back cannot be written: {}", refusal.reason);
            refusal
        };
        Err(PackError::Refused(plan.refusals.into_iter().map(back).collect()))
    }

    fn forward_works(&self, plan: &SchemaPlan) -> Result<Vec<TableWork<'a>>, PackError> {
        let (dropped, leaves) = (gone_names(plan), leaving_names(plan));
        let during = self.rules(&plan.facts_for_rows);
        let wanted = self.rules(&self.request.after.facts);
        let consent = self.request.consent;
        let works = self.tables.iter().filter(|table| {
            let is_changed = table.runs.changes() > 0 || table.runs.kept_changes() > 0;
            is_changed && !dropped.contains(&table.name)
        });
        works
            .filter_map(|table| {
                let deleted = table.runs.of(Verb::Delete).rows;
                let missing = consent.missing_for_deletes(&table.name, deleted, table.rows_before);
                let deletes = match (&table.after, missing.is_empty()) {
                    (None, _) => Deletes::Held,
                    (_, true) => Deletes::Run,
                    (_, false) => Deletes::LeftOut,
                };
                let shape = Shape::new(table.before.as_ref(), table.after.as_ref())?;
                let (request, spool) = (self.request, self.spool);
                let held = match &table.after {
                    Some(_) => kept::held(request, spool, table, &shape, &during, &wanted),
                    None => Ok(BTreeMap::new()),
                };
                Some(held.map(|held| TableWork {
                    shape,
                    runs: &table.runs,
                    is_reversed: false,
                    skipped: Skipped::default(),
                    deletes,
                    held,
                    leaves: leaves.contains(&table.name),
                }))
            })
            .collect()
    }

    fn back_works(
        &self,
        plan: &SchemaPlan,
        skipped: &BTreeMap<String, Skipped>,
    ) -> Vec<TableWork<'a>> {
        let (dropped, leaves) = (gone_names(plan), leaving_names(plan));
        let works = self
            .tables
            .iter()
            .filter(|table| table.runs.changes() > 0 && !dropped.contains(&table.name));
        works
            .filter_map(|table| {
                Some(TableWork {
                    shape: Shape::new(table.after.as_ref(), table.before.as_ref())?,
                    runs: &table.runs,
                    is_reversed: true,
                    skipped: skipped.get(&table.name).cloned().unwrap_or_default(),
                    deletes: Deletes::Run,
                    held: BTreeMap::new(),
                    leaves: leaves.contains(&table.name),
                })
            })
            .collect()
    }

    fn table(&self, name: &str) -> Option<&'a ChangedTable> {
        self.tables.iter().find(|table| table.name == name)
    }

    fn ends(&self, work: &TableWork<'_>, direction: Direction) -> Ends<'a> {
        let table = self.table(work.shape.label());
        let before = table.and_then(|table| table.before.as_ref());
        // Row hashes hold the names that the columns have at the time.
        let before = before.map(|spec| self.request.spec_before(work.shape.label(), spec));
        let after = table.and_then(|table| table.after.as_ref());
        match direction {
            Direction::Forward => Ends { before, after },
            Direction::Back => Ends { before: after, after: before },
        }
    }

    /// The tables that are dropped, with their rows as deletes.
    fn dropped(
        &self,
        plan: &SchemaPlan,
        direction: Direction,
        skipped: &BTreeMap<String, Skipped>,
    ) -> Result<BTreeMap<&'a str, (TableWork<'a>, Layouts)>, PackError> {
        let mut dropped = BTreeMap::new();
        for name in dropped_names(plan) {
            let Some(table) = self.table(&name) else { continue };
            let side = match direction {
                Direction::Forward => table.before.as_ref(),
                Direction::Back => table.after.as_ref(),
            };
            let Some(shape) = Shape::new(side, None) else { continue };
            let work = TableWork {
                shape,
                runs: &table.runs,
                is_reversed: direction == Direction::Back,
                skipped: skipped.get(&name).cloned().unwrap_or_default(),
                deletes: Deletes::Run,
                held: BTreeMap::new(),
                leaves: false,
            };
            // Its rows are looked at by the names that they have before.
            let spec = |spec: &'a TableSpec| match direction {
                Direction::Forward => self.request.spec_before(&table.name, spec),
                Direction::Back => spec,
            };
            let layouts = Layouts::new(Ends { before: side.map(spec), after: None })?;
            dropped.insert(table.name.as_str(), (work, layouts));
        }
        Ok(dropped)
    }

    /// The sequences that stand higher in the wanted state.
    fn raised_sequences(&self, plan: &SchemaPlan) -> Vec<&'a Sequence> {
        let rules = self.rules(&plan.facts_after);
        let before = &self.request.before.sequences;
        let position = |wanted: &Sequence| {
            before.iter().find(|sequence| sequence.name == wanted.name).map(|s| s.position)
        };
        let is_raised = |wanted: &&Sequence| {
            let name = wanted.name.to_string();
            match self.enforcement.numbers_tables() {
                true => rules.table(&name).is_some_and(|table| table.is_autoincrement),
                false => self.owner_of(&name).is_none_or(|table| self.request.is_for(&table)),
            }
        };
        self.request
            .after
            .sequences
            .iter()
            .filter(is_raised)
            .filter(|wanted| position(wanted).is_none_or(|position| position < wanted.position))
            .collect()
    }

    /// The table that a sequence numbers, or itself where it stands alone.
    fn owner_of(&self, sequence: &str) -> Option<String> {
        let fact = self.request.before.facts.iter().find(|fact| {
            fact.id.kind == ObjectKind::Sequence && fact.id.object.to_string() == sequence
        })?;
        let owner = super::rules::text(fact, "owned-by")?;
        owner.rsplit_once('.').map(|(table, _)| table.to_owned())
    }

    fn manifest(
        &self,
        plan: &SchemaPlan,
        works: &[TableWork<'_>],
        forward: &Written,
        back: &SchemaPlan,
        backward: &Written,
    ) -> Result<Manifest, PackError> {
        let request = self.request;
        let plain = Hasher::new(request.hasher.algorithm());
        let tables = request.tables;
        let is_whole = request.changes_schema(self.enforcement);
        let print = |facts: &[Fact]| {
            fingerprint::of(&selection::vouched(self.enforcement, facts, tables, is_whole), &plain)
        };
        let left_out = left_out(plan, forward, request.consent, self.tables);
        let kept = kept_lines(request, plan, forward, self.tables)?;
        let triggers = triggers(&self.rules(&plan.facts_for_rows), works, request.consent);
        let mut hazards = hazards(forward, self.enforcement, request.part);
        hazards.extend(self.more_hazards(&triggers));
        hazards.extend(renames::propose(request)?);
        hazards.extend(masked::hazards(request, self.tables));
        let mut manifest = Manifest {
            format: FORMAT,
            pack: String::new(),
            engine: request.before.engine.clone(),
            hash: request.hasher.algorithm().as_str().to_owned(),
            is_keyed: request.hasher.is_keyed(),
            key_check: request.hasher.is_keyed().then(|| request.hasher.check_value().to_string()),
            base: manifest_side(request.before),
            wanted: manifest_side(request.after),
            target: TargetId {
                label: request.before.source.label.clone(),
                identity: request.before.source.identity.clone(),
            },
            scope: ScopeLine::from(&request.before.scope),
            tables: tables.to_vec(),
            renames: request.base.map(Base::lines).unwrap_or_default(),
            changes_schema: is_whole,
            part: request.part.name().map(str::to_owned),
            is_complete: request.part.is_last()
                && left_out.is_empty()
                && kept.is_empty()
                && !selection::is_ignored(request, self.enforcement),
            migration: way(forward, print(request.facts_before()), print(&plan.facts_after)),
            rollback: way(backward, print(&plan.facts_after), print(&back.facts_after)),
            files: Vec::new(),
            values: self.values.finish()?,
            left_out,
            kept,
            hazards,
            triggers,
        };
        self.other_files(plan, &manifest, &plain)?;
        for name in FILES {
            let (bytes, digest) = output::digest(request.fs, &request.dir.join(name), &plain)?;
            manifest.files.push(FileLine { name: name.to_owned(), bytes, digest });
        }
        Ok(manifest)
    }

    fn more_hazards(&self, triggers: &[TriggerLine]) -> Vec<Hazard> {
        let mut hazards: Vec<Hazard> = triggers
            .iter()
            .map(|line| Hazard {
                kind: "triggers".to_owned(),
                object: line.table.clone(),
                text: format!(
                    "triggers fire: {}; apply refuses that unless --allow-triggers {}",
                    line.triggers.join(", "),
                    line.table
                ),
                rows: 0,
                bytes: 0,
            })
            .collect();
        if self.request.part == Part::First {
            hazards.push(Hazard {
                kind: "follow-up".to_owned(),
                object: String::new(),
                text:
                    "indexes and constraints that can wait are brought about by another pack after \
                       this one, which locks less"
                        .to_owned(),
                rows: 0,
                bytes: 0,
            });
        }
        hazards.extend(self.request.comparison.incomplete.iter().map(|what| Hazard {
            kind: "not-seen".to_owned(),
            object: String::new(),
            text: format!("{what}; the pack does not touch it ({INCOMPLETE_HINT})"),
            rows: 0,
            bytes: 0,
        }));
        hazards
    }

    fn other_files(
        &self,
        plan: &SchemaPlan,
        manifest: &Manifest,
        hasher: &Hasher,
    ) -> Result<(), PackError> {
        let request = self.request;
        let mut schema = output::Output::create(request.fs, &request.dir.join("schema.jsonl"))?;
        let is_whole = request.changes_schema(self.enforcement);
        let vouched =
            |facts: &[Fact]| selection::vouched(self.enforcement, facts, request.tables, is_whole);
        let (before, after) = (vouched(request.facts_before()), vouched(&plan.facts_after));
        for line in fingerprint::lines(&before, &after, hasher) {
            let mut bytes = serde_json::to_vec(&line).expect("a fact line is plain JSON");
            bytes.push(b'\n');
            schema.push(&bytes)?;
        }
        schema.finish()?;
        let text = summary::write(manifest, plan);
        crate::fsio::write_new(request.fs, &request.dir.join("summary.md"), text.as_bytes())?;
        Ok(())
    }
}

fn side<'a>(facts: &'a [Fact], definitions: &'a [TableDefinition]) -> SchemaSide<'a> {
    SchemaSide { facts, definitions }
}

fn manifest_side(side: &PackSide) -> Side {
    Side { snapshot: side.snapshot.to_string(), state: side.state.to_string() }
}

fn dropped_names(plan: &SchemaPlan) -> BTreeSet<String> {
    let drops = plan.steps().flat_map(|s| s.deeds_of(SchemaVerb::Drop, ObjectKind::Table));
    drops.map(|deed| deed.id.object.to_string()).collect()
}

/// The tables that are dropped for good.
fn gone_names(plan: &SchemaPlan) -> BTreeSet<String> {
    dropped_names(plan).difference(&plan.anew).cloned().collect()
}

/// The tables whose rows change around the statements that change them.
fn leaving_names(plan: &SchemaPlan) -> BTreeSet<String> {
    let mut names = plan.rebuilt();
    names.extend(plan.leaving.iter().chain(&plan.anew).cloned());
    names
}

/// What did not run, by table.
fn skipped(works: &[TableWork<'_>], written: &Written) -> BTreeMap<String, Skipped> {
    let mut skipped: BTreeMap<String, Skipped> = BTreeMap::new();
    for (number, work) in works.iter().enumerate() {
        let entry = skipped.entry(work.shape.label().to_owned()).or_default();
        if work.deletes != Deletes::Run {
            entry.verbs.push(Verb::Delete);
        }
        let blocked = written.blocked.iter().filter(|(table, _)| *table == number);
        entry.places.extend(blocked.map(|(_, place)| *place));
    }
    skipped
}
