//! One stage: from one set of facts to another, as steps in order.

use std::collections::BTreeSet;

use super::arrange::{Action, Arrangement};
use super::fates::{Fate, Fates};
use super::step::{Deed, SchemaStep, SchemaVerb};
use crate::engine::ddl::{Ddl, Schema, Statement, StepHazard};
use crate::model::{FactId, ObjectKind, ObjectName};
use crate::pack::error::Refusal;

/// A stage that was planned.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) steps: Vec<SchemaStep>,
    pub(super) refusals: Vec<Refusal>,
    /// What is dropped and made again.
    pub(super) remade: BTreeSet<FactId>,
    pub(super) is_deferred: bool,
}

/// Plans a stage.
pub(super) fn plan(ddl: &dyn Ddl, from: &Schema<'_>, to: &Schema<'_>) -> Stage {
    let mut fates = Fates::decide(ddl, from, to, BTreeSet::new());
    let arrangement = loop {
        if !fates.refusals.is_empty() {
            return Stage { refusals: fates.refusals, ..Stage::default() };
        }
        let arrangement = Arrangement::of(&fates);
        if arrangement.to_rebuild.is_empty() {
            break arrangement;
        }
        let tables = arrangement.to_rebuild.iter().filter_map(|fact| fates.table_of(fact));
        let rebuilt: BTreeSet<FactId> = tables.chain(fates.rebuilt.iter().cloned()).collect();
        fates = Fates::decide(ddl, from, to, rebuilt);
    };
    let is_remade = |fate: &Fate| matches!(fate, Fate::Remade);
    let remade = fates.of.iter().filter(|(_, fate)| is_remade(fate));
    Stage {
        remade: remade.map(|(id, _)| (*id).clone()).collect(),
        is_deferred: arrangement.is_deferred,
        refusals: arrangement.refusals,
        steps: steps(ddl, arrangement.actions),
    }
}

/// Clauses of one table that follow each other.
struct Clauses {
    table: ObjectName,
    clauses: Vec<String>,
    deeds: Vec<Deed>,
    hazards: BTreeSet<StepHazard>,
}

/// The statements of the actions, neighbours of one table together.
fn steps(ddl: &dyn Ddl, actions: Vec<Action>) -> Vec<SchemaStep> {
    let mut steps = Vec::new();
    let mut open: Option<Clauses> = None;
    for action in actions {
        let Action { mut deeds, statements, mut hazards, .. } = action;
        for (number, statement) in statements.into_iter().enumerate() {
            if number > 0 {
                // What there is to know is told once.
                deeds.truncate(1);
                hazards.clear();
            }
            match statement {
                Statement::Whole(statement) => {
                    steps.extend(open.take().map(|clauses| close(ddl, clauses)));
                    let (deeds, hazards) = (deeds.clone(), hazards.clone());
                    steps.push(SchemaStep { deeds, statement, hazards });
                }
                Statement::Clause { table, clause } => {
                    let joins = open.as_ref().is_some_and(|open| {
                        let all: Vec<String> =
                            open.clauses.iter().cloned().chain([clause.clone()]).collect();
                        open.table == table && ddl.joined(&table, &all).is_some()
                    });
                    if !joins {
                        steps.extend(open.take().map(|clauses| close(ddl, clauses)));
                    }
                    let open = open.get_or_insert_with(|| Clauses {
                        table,
                        clauses: Vec::new(),
                        deeds: Vec::new(),
                        hazards: BTreeSet::new(),
                    });
                    open.clauses.push(clause);
                    for deed in &deeds {
                        if !open.deeds.contains(deed) {
                            open.deeds.push(deed.clone());
                        }
                    }
                    open.hazards.extend(hazards.iter().cloned());
                }
            }
        }
    }
    steps.extend(open.take().map(|clauses| close(ddl, clauses)));
    steps
}

fn close(ddl: &dyn Ddl, clauses: Clauses) -> SchemaStep {
    let Clauses { table, clauses, mut deeds, hazards } = clauses;
    let statement = match clauses.as_slice() {
        [clause] => ddl.alter_table(&table, clause),
        several => ddl.joined(&table, several).unwrap_or_else(|| several.join(", ")),
    };
    if deeds.len() > 1 {
        let id = FactId { kind: ObjectKind::Table, object: table, part: String::new() };
        deeds.insert(0, Deed { verb: SchemaVerb::Alter, id });
    }
    SchemaStep { deeds, statement, hazards: hazards.into_iter().collect() }
}
