//! What `pack.json` tells of a plan: its two ways, what is left out, which triggers fire, hazards.

use std::borrow::Cow;

use super::consent::{Class, Consent};
use super::enforcement::Enforcement;
use super::error::PackError;
use super::fill;
use super::label::counted;
use super::manifest::{Hazard, Kept, LeftOut, TableTotals, TriggerLine, Way};
use super::online::Part;
use super::order::{Deletes, TableWork};
use super::request::{ChangedTable, Request};
use super::rules::Rules;
use super::schema::{SchemaLeftOut, SchemaPlan};
use super::spool::Verb;
use super::writer::Written;
use crate::engine::ddl::StepHazard;

/// One way, as it was written.
pub(super) fn way(written: &Written, schema_before: String, schema_after: String) -> Way {
    let tables: Vec<TableTotals> = written.tables.values().cloned().collect();
    Way {
        statements: written.statements,
        rows: written.rows,
        tables,
        schema_before,
        schema_after,
        is_deferred: written.is_deferred,
        rebuilds: written.rebuilds,
        reversals: written.reversals,
    }
}

/// The triggers that fire when rows change.
pub(super) fn triggers(
    rules: &Rules,
    works: &[TableWork<'_>],
    consent: &Consent,
) -> Vec<TriggerLine> {
    let mut lines = Vec::new();
    for work in works {
        let name = work.shape.label();
        let fires = |event: &str| match event {
            "insert" => work.changes(Verb::Insert) > 0,
            "delete" => work.changes(Verb::Delete) > 0 && work.deletes == Deletes::Run,
            _ => work.changes(Verb::Update) > 0,
        };
        let mut triggers: Vec<String> = rules
            .table(name)
            .into_iter()
            .flat_map(|table| &table.triggers)
            .filter(|trigger| fires(&trigger.event))
            .map(|trigger| trigger.name.clone())
            .collect();
        triggers.dedup();
        if !triggers.is_empty() {
            let is_allowed = consent.triggers().contains(name);
            lines.push(TriggerLine { table: name.to_owned(), triggers, is_allowed });
        }
    }
    lines
}

/// Schema steps that do not run, as the SQL file shows them: those that are left out, and those that
/// a strategy keeps from running.
pub(super) fn shown_left_out(left: &[SchemaLeftOut]) -> (Vec<String>, Vec<String>) {
    let (kept, left_out): (Vec<_>, Vec<_>) = left.iter().partition(|left| left.is_kept_table());
    let shown = |steps: Vec<&SchemaLeftOut>| steps.into_iter().map(shown).collect();
    (shown(left_out), shown(kept))
}

fn shown(left: &SchemaLeftOut) -> String {
    let why = match left.class {
        Some(class) => format!("{} ({})", left.reason, class.flag(&left.object())),
        None => left.reason.clone(),
    };
    let shown = match left.statements.is_empty() {
        true => format!("{} {}", left.deed.name(), left.object()),
        false => left.statements.join(";\n"),
    };
    format!("{shown}\n  {why}")
}

/// Everything that is left out, schema first.
pub(super) fn left_out(
    plan: &SchemaPlan,
    written: &Written,
    consent: &Consent,
    tables: &[ChangedTable],
) -> Vec<LeftOut> {
    let find = |name: &str| tables.iter().find(|table| table.name == name);
    let mut all: Vec<LeftOut> = plan
        .left_out
        .iter()
        .filter(|left| !left.is_kept_table())
        .map(|left| LeftOut {
            step: left.deed.name(),
            class: left.class.map_or("blocked", Class::as_str).to_owned(),
            object: left.object(),
            rows: match left.class {
                Some(Class::DropTable) => find(&left.object()).map_or(0, |t| t.rows_before),
                _ => 0,
            },
            keys: Vec::new(),
            allow: left.class.map(|class| class.flag(&left.object())).into_iter().collect(),
            reason: left.reason.clone(),
        })
        .collect();
    for ((table, verb, is_blocked), rows) in &written.left_out {
        let missing = match find(table) {
            Some(table) if !is_blocked => {
                let deleted = table.runs.of(Verb::Delete).rows;
                consent.missing_for_deletes(&table.name, deleted, table.rows_before)
            }
            _ => Vec::new(),
        };
        let class = missing.first().map_or("blocked", |class| class.as_str());
        let reason = match &rows.because {
            Some(because) => Cow::Owned(because.clone()),
            None => Cow::Borrowed("it destroys rows"),
        };
        all.push(LeftOut {
            step: verb.as_str().to_owned(),
            class: class.to_owned(),
            object: table.clone(),
            rows: rows.rows,
            keys: rows.keys.clone(),
            allow: missing.iter().map(|class| class.flag(table)).collect(),
            reason: reason.into_owned(),
        });
    }
    all
}

/// Everything that a strategy keeps from running, tables first.
pub(super) fn kept_lines(
    request: &Request<'_>,
    plan: &SchemaPlan,
    written: &Written,
    tables: &[ChangedTable],
) -> Result<Vec<Kept>, PackError> {
    let mut all = Vec::new();
    for table in &request.comparison.tables {
        let name = table.name.to_string();
        let choice = request.choice(&table.name)?;
        let strategy = choice.strategy.as_str().to_owned();
        let of_table = plan.left_out.iter().find(|l| l.is_kept_table() && l.object() == name);
        if let Some(left) = of_table {
            let find = tables.iter().find(|table| table.name == name);
            all.push(Kept {
                step: left.deed.name(),
                object: name.clone(),
                strategy: strategy.clone(),
                rows: find.map_or(0, |table| table.rows_before),
                keys: Vec::new(),
                reason: choice.reason(Verb::Delete),
            });
        }
        for verb in Verb::EVERY {
            let Some(rows) = written.kept.get(&(name.clone(), verb)) else { continue };
            all.push(Kept {
                step: verb.as_str().to_owned(),
                object: name.clone(),
                strategy: strategy.clone(),
                rows: rows.rows,
                keys: rows.keys.clone(),
                reason: match tables.iter().find(|table| table.name == name) {
                    Some(ChangedTable { findings, .. })
                        if verb == Verb::Delete && !findings.stays.is_empty() =>
                    {
                        fill::not_allowed(&name, &findings.stays)
                    }
                    _ => choice.reason(verb),
                },
            });
        }
    }
    Ok(all)
}

/// The hazards that a way's counts tell of.
pub(super) fn hazards(written: &Written, enforcement: Enforcement, part: Part) -> Vec<Hazard> {
    let mut hazards = Vec::new();
    if part.is_online() {
        hazards.push(Hazard {
            kind: "not-atomic".to_owned(),
            object: String::new(),
            text: "each statement commits by itself; a run that is interrupted is gone on with by the \
                   next one, and `apply --rollback` takes back what there is of it"
                .to_owned(),
            rows: 0,
            bytes: 0,
        });
    }
    if enforcement.commits_ddl() && written.changes_schema {
        hazards.push(Hazard {
            kind: "not-atomic".to_owned(),
            object: String::new(),
            text: "each statement of the schema commits: others see what is half done. Apply notes \
                   every step in a journal, undoes all of it where a step fails, and after a crash \
                   goes on, or back with --rollback; tables that are dropped are put aside until the \
                   end"
                .to_owned(),
            rows: 0,
            bytes: 0,
        });
    }
    for ((object, step), (rows, bytes)) in &written.losses {
        hazards.push(Hazard {
            kind: "data-loss".to_owned(),
            object: object.clone(),
            text: format!("{step}: {} removed; rollback.sql holds them", rows_are(*rows)),
            rows: *rows,
            bytes: *bytes,
        });
    }
    for (object, step, hazard) in &written.schema {
        let text = match hazard {
            StepHazard::Rewrite => format!("{step}: the table is written anew, with its indexes"),
            StepHazard::Scan => format!("{step}: all rows of the table are read"),
            StepHazard::Narrows => format!("{step}: values may become less than they were"),
            StepHazard::Lock { mode, table } => format!("{step}: {table} is locked, {mode}"),
            StepHazard::Behaviour => format!("{step}: who may do what, or what it does, changes"),
            StepHazard::OutsideTransaction => format!("{step}: it commits by itself"),
        };
        let (kind, object) = (hazard.as_str().to_owned(), object.clone());
        hazards.push(Hazard { kind, object, text, rows: 0, bytes: 0 });
    }
    hazards.extend(written.scans.iter().map(|table| Hazard {
        kind: "scan".to_owned(),
        object: table.clone(),
        text: "its rows have no key: each deleted row scans the table".to_owned(),
        rows: 0,
        bytes: 0,
    }));
    if written.is_deferred {
        hazards.push(Hazard {
            kind: "deferred-checks".to_owned(),
            object: String::new(),
            text: "foreign keys are checked at the end of the transaction, not at each statement"
                .to_owned(),
            rows: 0,
            bytes: 0,
        });
    }
    if written.statements == 0 || part.is_online() {
        return hazards;
    }
    hazards.push(Hazard {
        kind: "lock".to_owned(),
        object: String::new(),
        text: enforcement.locks().to_owned(),
        rows: 0,
        bytes: 0,
    });
    hazards
}

fn rows_are(rows: u64) -> String {
    let verb = if rows == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(rows, "row"))
}
