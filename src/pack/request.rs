//! What a pack is made from: two states, what differs, what may be destroyed, where to write.

use std::path::Path;

use super::consent::{Class, Consent};
use super::decisions::DecisionFile;
use super::enforcement::Enforcement;
use super::error::{PackError, Refusal};
use super::fill::{Fill, Wanting};
use super::online::Part;
use super::renames::Base;
use super::selection;
use super::spool::TableRuns;
use super::strategy::{Choice, Strategies};
use crate::codec::state::StoredTable;
use crate::codec::{Hasher, cell};
use crate::diff::{Called, CellValue, Comparison, ExternalValue, Row, RowChange, TableDefinition};
use crate::engine::product;
use crate::fsio::FileSystem;
use crate::model::snapshot::{Scope, SourceInfo};
use crate::model::{
    Fact, Flow, ObjectName, Sequence, SinkError, SnapshotId, StateId, TableSpec, Value,
};

/// One of the two states a pack is made from.
#[derive(Debug, Clone)]
pub struct PackSide {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its state.
    pub state: StateId,
    /// The engine it was read from.
    pub engine: String,
    /// Where it was read.
    pub source: SourceInfo,
    /// The rules it was read under.
    pub scope: Scope,
    /// Whether it holds hashes only.
    pub is_hash_only: bool,
    /// Its schema, sorted by id.
    pub facts: Vec<Fact>,
    /// The texts of its objects.
    pub definitions: Vec<TableDefinition>,
    /// Its tables.
    pub tables: Vec<StoredTable>,
    /// Its sequences.
    pub sequences: Vec<Sequence>,
}

impl PackSide {
    /// The engine of the state, as far as planning is concerned.
    pub fn enforcement(&self) -> Result<Enforcement, PackError> {
        let engine = &self.engine;
        Enforcement::of(engine).ok_or_else(|| {
            let reason = format!("this program makes no packs for {}", product(engine));
            let hint = "`deepdiff-db diff` shows what differs";
            let snapshot = format!("snapshot {}", self.snapshot.short());
            PackError::Refused(vec![Refusal::new(snapshot, reason, hint)])
        })
    }
}

/// A large value, given in pieces.
pub trait Pieces {
    /// The next piece; `None` at the end.
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>, SinkError>;
}

/// Gives the rows that differ between two tables, in key order. Large values stay where they are
/// until they are asked for.
pub trait RowChanges {
    /// Hands every change to `take`. `before` may go by other names than it is stored under.
    fn changes_called(
        &self,
        before: Option<Called<'_>>,
        after: Option<&StoredTable>,
        take: &mut dyn FnMut(RowChange<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError>;

    /// Hands every change to `take`.
    fn changes(
        &self,
        before: Option<&StoredTable>,
        after: Option<&StoredTable>,
        take: &mut dyn FnMut(RowChange<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError>;

    /// Hands every row of a table to `take`.
    fn rows(
        &self,
        table: &StoredTable,
        take: &mut dyn FnMut(Row<CellValue>) -> Result<Flow, SinkError>,
    ) -> Result<(), SinkError>;

    /// The rows with exactly these values of a table's key.
    fn rows_by_key(&self, table: &StoredTable, key: &[Value]) -> Result<Vec<Row>, SinkError>;

    /// The payload of a large value.
    fn payload<'s>(&'s self, value: &ExternalValue) -> Result<Box<dyn Pieces + 's>, SinkError>;

    /// A large value as a whole.
    fn whole(&self, value: &ExternalValue) -> Result<Value, SinkError> {
        let mut pieces = self.payload(value)?;
        // Grown piece by piece: nothing of a claimed size is allocated.
        let mut payload = pieces.next_piece()?.unwrap_or_default();
        if let Some(piece) = pieces.next_piece()? {
            // The list has this length, and its first pieces are there.
            payload.reserve_exact(usize::try_from(value.len)?.saturating_sub(payload.len()));
            payload.extend_from_slice(&piece);
        }
        while let Some(piece) = pieces.next_piece()? {
            payload.extend_from_slice(&piece);
        }
        Ok(cell::into_value(value.tag, payload)?)
    }
}

/// What a pack is made from.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What the target is like, by the names that it gets.
    pub before: &'a PackSide,
    /// What gets another name, where anything does.
    pub base: Option<&'a Base>,
    /// What it shall become.
    pub after: &'a PackSide,
    /// What differs.
    pub comparison: &'a Comparison,
    /// The rows that differ.
    pub rows: &'a dyn RowChanges,
    /// The hash function of the store.
    pub hasher: &'a Hasher,
    /// What may be destroyed.
    pub consent: &'a Consent,
    /// Which rows are taken, kept, or decided one by one.
    pub strategies: &'a Strategies,
    /// What rows that stay get where the wanted schema asks for a value.
    pub fills: &'a [Fill],
    /// Where such decisions stand.
    pub decisions: DecisionFile<'a>,
    /// The tables that the pack is for; all where none is named.
    pub tables: &'a [String],
    /// Which part of the change the pack is.
    pub part: Part,
    /// Where files are written.
    pub fs: &'a dyn FileSystem,
    /// A folder for nameless scratch files.
    pub scratch: &'a Path,
    /// The folder of the pack, which must not exist yet.
    pub dir: &'a Path,
}

impl Request<'_> {
    /// The engine of the states, as far as planning is concerned.
    pub fn enforcement(&self) -> Result<Enforcement, PackError> {
        self.before.enforcement()
    }

    /// Whether the pack may change the schema, and vouches for all of it. One for named tables does
    /// not; nor one between equal schemas on a server.
    pub fn changes_schema(&self, enforcement: Enforcement) -> bool {
        enforcement.is_proved()
            || (self.tables.is_empty()
                && (!self.comparison.schema.is_empty() || self.base.is_some()))
    }

    /// The schema before anything runs.
    pub fn facts_before(&self) -> &[Fact] {
        self.base.map_or(&self.before.facts, |base| &base.facts)
    }

    /// The texts of its objects.
    pub fn definitions_before(&self) -> &[TableDefinition] {
        self.base.map_or(&self.before.definitions, |base| &base.definitions)
    }

    /// A table as it is before anything runs, by the name that it gets.
    pub fn spec_before<'t>(&'t self, name: &str, spec: &'t TableSpec) -> &'t TableSpec {
        self.base.and_then(|base| base.spec(name)).unwrap_or(spec)
    }

    /// What becomes of the rows of a table that differ.
    pub fn choice(&self, table: &ObjectName) -> Result<Choice, PackError> {
        self.strategies.of(self.enforcement()?.ignores_case(), table)
    }

    /// Whether the pack is for this table.
    pub fn is_for(&self, table: &str) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|name| name == table)
    }
}

/// A table with its changes.
#[derive(Debug)]
pub struct ChangedTable {
    /// The table's name.
    pub name: String,
    /// Before.
    pub before: Option<TableSpec>,
    /// After.
    pub after: Option<TableSpec>,
    /// How many rows it had.
    pub rows_before: u64,
    /// The changes.
    pub runs: TableRuns,
    /// What was found while its differences were divided.
    pub findings: Findings,
}

/// What was found while the differences of a table were divided.
#[derive(Debug)]
pub struct Findings {
    /// Rows that would lose what nothing could bring back.
    pub losses: Vec<Refusal>,
    /// Rows that stay without a value that a column asks for.
    pub wanting: Vec<Wanting>,
    /// What would have to be allowed for its deletes to run, where the rows stay and are filled.
    pub stays: Vec<Class>,
}

/// Refuses states that no pack can be made from.
pub fn check_sides(request: &Request<'_>) -> Result<(), PackError> {
    let enforcement = request.enforcement()?;
    let mut refusals = match request.changes_schema(enforcement) {
        _ if request.base.is_some() && !request.tables.is_empty() => {
            let reason = "a pack for named tables changes no names";
            vec![Refusal::new("--rename", reason, "leave --tables away")]
        }
        true if !request.tables.is_empty() => {
            let reason = "a pack for this engine is for all tables";
            vec![Refusal::new("--tables", reason, "leave --tables away")]
        }
        true => Vec::new(),
        false => selection::refusals(request, enforcement),
    };
    for side in [request.before, request.after] {
        if side.is_hash_only {
            refusals.push(Refusal::new(
                format!("snapshot {}", side.snapshot.short()),
                "it holds keys and row hashes only, and a pack needs values",
                "take a snapshot without --hash-only",
            ));
        }
    }
    if request.before.scope != request.after.scope {
        refusals.push(Refusal::new(
            "scope",
            "the two snapshots were taken under different rules (excluded tables or key overrides)",
            "take both under the same deepdiff.toml",
        ));
    }
    if !refusals.is_empty() {
        return Err(PackError::Refused(refusals));
    }
    let tables = request.before.tables.iter().chain(&request.after.tables);
    let names: Vec<&ObjectName> = tables.map(|table| &table.spec.name).collect();
    request.strategies.check(enforcement.ignores_case(), &names)
}
