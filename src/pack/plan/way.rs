//! One way of a pack, in the order in which it runs.

use std::collections::BTreeMap;

use super::super::changes::column_guards;
use super::super::error::PackError;
use super::super::order::{self, TableWork};
use super::super::parking::Accepts;
use super::super::schema::{SchemaPlan, SchemaStep, SchemaVerb};
use super::super::writer::{WayWriter, Written};
use super::super::written_table::{Ends, FactsAndRules, Layouts};
use super::super::{leaving, masked, unenforced};
use super::Drafter;
use crate::codec::state::StoredTable;
use crate::model::{Fact, Sequence};

/// What one way needs to be written.
pub(super) struct WayInput<'a> {
    pub(super) title: String,
    pub(super) sql: &'static str,
    pub(super) steps: &'static str,
    /// The schema and the tables before.
    pub(super) facts: &'a [Fact],
    pub(super) tables: &'a [StoredTable],
    pub(super) plan: &'a SchemaPlan,
    pub(super) works: &'a [TableWork<'a>],
    pub(super) ends: Vec<Ends<'a>>,
    pub(super) dropped: BTreeMap<&'a str, (TableWork<'a>, Layouts)>,
    pub(super) sequences: Vec<&'a Sequence>,
    pub(super) left_out: &'a [String],
    pub(super) kept: &'a [String],
}

impl Drafter<'_> {
    pub(super) fn way(
        &self,
        input: &WayInput<'_>,
        accepts: &mut Accepts<'_>,
    ) -> Result<Written, PackError> {
        let WayInput { plan, works, .. } = input;
        let request = self.request;
        let dir = request.dir;
        let layouts =
            input.ends.iter().map(|ends| Layouts::new(*ends)).collect::<Result<Vec<_>, _>>()?;
        let of = |facts| FactsAndRules { facts, rules: self.rules(facts) };
        let (before, during) = (of(input.facts), of(&plan.facts_for_rows));
        let (sql, steps) = (dir.join(input.sql), dir.join(input.steps));
        let mut writer =
            WayWriter::create(request.fs, &sql, &steps, &input.title, self.values, self.dialect)?;
        writer.masked = masked::tables(request);
        writer.names_facts = request.part.is_online();
        writer.tables(works, &layouts, &before, &during, request.hasher);
        self.prepare(input, &mut writer)?;
        self.before_rows(input, &mut writer)?;
        for place in coming(input) {
            leaving::put_in(self.spool, place, &works[place], &mut writer)?;
        }
        order::arrange(self.spool, works, &during.rules, accepts, &mut writer)?;
        self.after_rows(input, &mut writer)?;
        for left_out in input.left_out {
            writer.comment(left_out);
        }
        for kept in input.kept {
            writer.comment_kept(kept);
        }
        writer.finish()
    }

    fn prepare(&self, input: &WayInput<'_>, writer: &mut WayWriter<'_>) -> Result<(), PackError> {
        let WayInput { plan, works, .. } = input;
        writer.written.rebuilds = unenforced::are_put_off(self.enforcement, plan, works);
        if plan.is_deferred {
            order::Steps::defer(writer)?;
        }
        if plan.steps().next().is_some() {
            for statement in self.ddl.preamble() {
                writer.prepare(&statement)?;
            }
        }
        Ok(())
    }

    fn schema(
        &self,
        input: &WayInput<'_>,
        step: &SchemaStep,
        writer: &mut WayWriter<'_>,
    ) -> Result<(), PackError> {
        let object = step.object();
        let content = input.dropped.get(object.as_str()).map(|(work, layouts)| (work, layouts));
        let guards = column_guards(step, input.works, input.tables, self.spool)?;
        writer.schema(step, content, guards, self.spool, self.request.hasher)
    }

    /// What runs before the rows, and the rows that leave their tables for it.
    fn before_rows(
        &self,
        input: &WayInput<'_>,
        writer: &mut WayWriter<'_>,
    ) -> Result<(), PackError> {
        let WayInput { plan, works, .. } = input;
        self.names(input, &plan.opening, writer)?;
        for step in &plan.before_leaving {
            self.schema(input, step, writer)?;
        }
        for place in plan.anew.iter().filter_map(|name| place_of(works, name)) {
            writer.count_gone(place, self.spool)?;
        }
        for place in leaving(input) {
            leaving::take_out(self.spool, place, &works[place], writer)?;
        }
        let mut open = None;
        for step in &plan.before_rows {
            let table = step.rebuilt_table();
            if table != open {
                self.put_in(open, works, writer)?;
                let place = table.as_deref().and_then(|name| place_of(works, name));
                if let Some(place) = place {
                    writer.note_rowids(place)?;
                    leaving::take_out(self.spool, place, &works[place], writer)?;
                }
                open = table;
            }
            self.schema(input, step, writer)?;
        }
        self.put_in(open, works, writer)?;
        if self.enforcement.commits_ddl() && plan.steps().next().is_some() {
            writer.turn()?;
        }
        Ok(())
    }

    /// Names change, and what cannot be there meanwhile goes before or comes behind.
    fn names(
        &self,
        input: &WayInput<'_>,
        steps: &[SchemaStep],
        writer: &mut WayWriter<'_>,
    ) -> Result<(), PackError> {
        let (set_up, tidy_up) = self.ddl.rename_settings(writer.written.rebuilds);
        let is_rename = |step: &SchemaStep| step.main().verb == SchemaVerb::Rename;
        let last = steps.iter().rposition(is_rename);
        let first = steps.iter().position(is_rename);
        for (place, step) in steps.iter().enumerate() {
            if Some(place) == first {
                set_up.iter().try_for_each(|setting| writer.prepare(setting))?;
            }
            self.schema(input, step, writer)?;
            if Some(place) == last {
                tidy_up.iter().try_for_each(|setting| writer.prepare(setting))?;
            }
        }
        Ok(())
    }

    /// What runs after the rows.
    fn after_rows(
        &self,
        input: &WayInput<'_>,
        writer: &mut WayWriter<'_>,
    ) -> Result<(), PackError> {
        let plan = input.plan;
        let waits = |fact| self.enforcement.waits_by_itself(fact);
        let is_pending = writer.written.is_deferred || plan.facts_for_rows.iter().any(waits);
        if is_pending && !plan.after_rows.is_empty() {
            // A table whose deferred checks are pending cannot be altered.
            for statement in self.dialect.deferral_end() {
                writer.prepare(statement)?;
            }
        }
        for step in &plan.after_rows {
            self.schema(input, step, writer)?;
        }
        self.names(input, &plan.closing, writer)?;
        for sequence in &input.sequences {
            writer.sequence(&sequence.name, sequence.position, &plan.facts_after)?;
        }
        writer.empty_trash(plan, self.ddl)
    }

    /// Puts the rows of a table that was built anew into it.
    fn put_in(
        &self,
        table: Option<String>,
        works: &[TableWork<'_>],
        writer: &mut WayWriter<'_>,
    ) -> Result<(), PackError> {
        match table.and_then(|name| place_of(works, &name)) {
            Some(place) => {
                leaving::put_in(self.spool, place, &works[place], writer)?;
                writer.forget_rowids(place, self.dialect)
            }
            None => Ok(()),
        }
    }
}

/// The tables whose rows leave, by their places.
fn leaving(input: &WayInput<'_>) -> Vec<usize> {
    input.plan.leaving.iter().filter_map(|name| place_of(input.works, name)).collect()
}

/// The tables whose rows come when they are as they shall be, by their places.
fn coming(input: &WayInput<'_>) -> Vec<usize> {
    let anew = input.plan.anew.iter().filter_map(|name| place_of(input.works, name));
    leaving(input).into_iter().chain(anew).collect()
}

fn place_of(works: &[TableWork<'_>], table: &str) -> Option<usize> {
    works.iter().position(|work| work.leaves && work.shape.label() == table)
}
