//! The checks of a run that are about more than one row: the schema, what is dropped, what fires.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use super::outcome::{Drift, DriftClass};
use super::rows::{Multiset, Tables, each_hash};
use super::sinks::EachValue;
use crate::codec::Hasher;
use crate::codec::hash::HashAlgorithm;
use crate::engine::{EngineError, ForeignKeyViolation, ReadFrom, Session};
use crate::fsio::FileSystem;
use crate::model::{Fact, RowKey, TableSpec};
use crate::pack::exact::Exact;
use crate::pack::folder::Lines;
use crate::pack::label::label;
use crate::pack::manifest::{StepLine, ValueLine};
use crate::pack::{Pack, PackError, Refusal, content, fingerprint};

/// How many facts that differ are named.
const NAMED_FACTS: usize = 20;

/// How many foreign keys that point nowhere are compared.
const VIOLATIONS: usize = 100_000;

/// Refuses a pack whose row hashes are made otherwise than those of this store.
pub fn hash(pack: &Pack, hasher: &Hasher) -> Result<(), ApplyError> {
    let keyed = |is_keyed| if is_keyed { " with a key" } else { "" };
    let manifest = &pack.manifest;
    let given = format!("{}{}", hasher.algorithm().as_str(), keyed(hasher.is_keyed()));
    let wanted = format!("{}{}", manifest.hash, keyed(manifest.is_keyed));
    if given == wanted {
        // With another key every row would look changed.
        return match &manifest.key_check {
            Some(check) if *check != hasher.check_value().to_string() => {
                Err(PackError::WrongKey.into())
            }
            _ => Ok(()),
        };
    }
    Err(PackError::Hash { pack: wanted, given }.into())
}

/// Which end of the migration a schema is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Before the migration.
    Before,
    /// After it.
    After,
}

/// The facts that are not as expected; `None` where the fingerprint is right.
pub fn schema_differences(
    fs: &dyn FileSystem,
    pack: &Pack,
    facts: &[Fact],
    wanted: &str,
    end: Expected,
) -> Result<Option<Vec<String>>, ApplyError> {
    let algorithm = HashAlgorithm::from_name(&pack.manifest.hash).unwrap_or(HashAlgorithm::Blake3);
    let hasher = Hasher::new(algorithm);
    if fingerprint::of(facts, &hasher) == wanted {
        return Ok(None);
    }
    let expected: Vec<_> = pack
        .facts(fs)?
        .into_iter()
        .map(|line| {
            let digest = match end {
                Expected::Before => line.before,
                Expected::After => line.after,
            };
            (line.kind, line.object, line.part, digest)
        })
        .collect();
    let mut named = fingerprint::differences(&expected, facts, &hasher, NAMED_FACTS);
    if named.is_empty() {
        // The way back may start from, or end at, something between the two.
        named.push("schema".to_owned());
    }
    Ok(Some(named))
}

/// What a list of steps does, in large.
#[derive(Debug, Default)]
pub struct Overview {
    /// Whether any step changes the schema.
    pub changes_schema: bool,
    /// The triggers that are dropped.
    pub dropped_triggers: BTreeSet<String>,
    /// The foreign keys that are dropped.
    pub dropped_foreign_keys: BTreeSet<String>,
    /// What happens to rows, by table.
    pub events: BTreeMap<String, BTreeSet<&'static str>>,
    /// Rows without a key, by table.
    pub multisets: BTreeMap<String, Multiset>,
}

/// Reads a list of steps once.
pub fn overview(steps: &mut Lines) -> Result<Overview, PackError> {
    let mut overview = Overview::default();
    while let Some(step) = steps.next_step()? {
        let events: &[&'static str] = match step.verb.as_ref() {
            "insert" => &["insert"],
            "update" | "park" => &["update"],
            // One that is lifted leaves its table for a while.
            "delete" | "lift" => &["delete"],
            "check" | "defer" | "sequence" => &[],
            verb => {
                overview.changes_schema = true;
                if verb == "drop-trigger" || verb == "drop-rule" {
                    overview.dropped_triggers.insert(step.object.to_string());
                } else if verb == "drop-foreign-key" {
                    overview.dropped_foreign_keys.insert(step.object.to_string());
                }
                &[]
            }
        };
        if !events.is_empty() {
            let known = overview.events.entry(step.object.to_string()).or_default();
            known.extend(events);
        }
        if step.copies.is_some() {
            overview.multisets.entry(step.object.to_string()).or_default().note(&step);
        }
    }
    Ok(overview)
}

/// Whether what a step drops holds nothing but what the pack knows.
pub fn guard(
    session: &Session<'_>,
    tables: &Tables,
    step: &StepLine<'_>,
    hasher: &Hasher,
) -> Result<Option<Drift>, ApplyError> {
    if let Some(expected) = &step.content {
        let mut rows = 0;
        each_hash(session, tables, &step.object, hasher, &mut |_| rows += 1)?;
        let digest = match rows == expected.rows {
            true => content::digest(rows, hasher, |take| {
                each_hash(session, tables, &step.object, hasher, take)
            })?,
            false => String::new(),
        };
        if digest != expected.digest {
            let found = format!(
                "{rows} rows, and the pack knows {} that would be dropped with the table",
                expected.rows
            );
            return Ok(Some(whole_table(step, DriftClass::Changed, found)));
        }
    }
    if let Some(column) = &step.column
        && let Some(spec) = tables.spec(&step.object)
    {
        let mut others = 0u64;
        let mut sink = EachValue(|value: crate::model::ValueRef<'_>| {
            others += u64::from(value != column.default.0.as_ref());
        });
        let table = bare_table(spec, &column.name);
        session.read_rows(&table, &ReadFrom::Start, &mut sink)?;
        if others != column.others {
            let found = format!(
                "{others} rows hold something else than {} in column {}, and the pack knows {}",
                label(&column.default.0),
                column.name,
                column.others
            );
            return Ok(Some(whole_table(step, DriftClass::Changed, found)));
        }
    }
    Ok(None)
}

/// A table with a column that is read for itself.
fn bare_table(table: &TableSpec, name: &str) -> TableSpec {
    let columns = table.columns.iter().filter(|column| column.name == name);
    TableSpec {
        name: table.name.clone(),
        columns: columns.cloned().collect(),
        key: RowKey::RowHash,
        reads_in_key_order: false,
        column_order: Vec::new(),
    }
}

fn whole_table(step: &StepLine<'_>, class: DriftClass, found: String) -> Drift {
    Drift { table: step.object.to_string(), key: Vec::new(), class, found }
}

/// Rows without a key that are not there as often as needed.
pub fn missing_copies(table: &str, missing: u64) -> Drift {
    Drift {
        table: table.to_owned(),
        key: Vec::new(),
        class: DriftClass::Missing,
        found: format!("{missing} of the rows to be deleted are not there"),
    }
}

/// How long the statement of a step is with the values that it binds.
pub fn length(step: &StepLine<'_>, values: &[ValueLine]) -> u64 {
    let bound = step.binds.iter().filter_map(|bind| {
        let place = values.binary_search_by(|value| value.digest.cmp(&bind.value)).ok()?;
        Some(values[place].bytes)
    });
    step.len.unwrap_or(0) + bound.sum::<u64>()
}

/// Something that speaks against a step, with its table and row.
pub fn of_step(step: &StepLine<'_>, reason: String) -> Refusal {
    of_row(&step.verb, &step.object, step.key.as_deref(), reason)
}

/// Something that speaks against what is done to a row.
pub fn of_row(verb: &str, table: &str, key: Option<&[Exact]>, reason: String) -> Refusal {
    let refusal = Refusal::new(format!("{verb} {table}"), reason, "everything is as it was");
    match key {
        Some(key) => {
            let key: Vec<String> = key.iter().map(|value| label(&value.0)).collect();
            refusal.at_row(format!("({})", key.join(", ")))
        }
        None => refusal,
    }
}

/// The foreign keys that point nowhere; `None` where nothing is to be enforced: on a scratch copy
/// that lacks rows which others refer to.
pub fn violations(session: &Session<'_>) -> Result<Option<Vec<ForeignKeyViolation>>, EngineError> {
    match session.enforces_foreign_keys()? {
        true => Ok(Some(session.foreign_key_check(VIOLATIONS)?)),
        false => Ok(None),
    }
}

/// A foreign key that points nowhere after all statements, and did not before.
pub fn of_violation(violation: &ForeignKeyViolation) -> Refusal {
    let reason = format!("it refers to a row of {} that is not there", violation.parent);
    let refusal = Refusal::new(&violation.table, reason, "everything is as it was");
    match &violation.row {
        Some(row) => refusal.at_row(row.clone()),
        None => refusal,
    }
}
