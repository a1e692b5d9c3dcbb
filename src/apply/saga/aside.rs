//! What speaks against putting a table aside: rows that nobody knows of, and foreign keys from where this
//! program does not look, which would go with the table and point to what is about to be dropped.

use std::collections::BTreeSet;

use super::Saga;
use super::course::{Aside, Course};
use super::rows::Side;
use crate::apply::error::ApplyError;
use crate::apply::rows::{Tables, each_hash};
use crate::engine::UNDONE_PREFIX;
use crate::engine::mysql::precheck;
use crate::model::{Fact, ObjectId, ObjectKind, ObjectName};
use crate::pack::{Refusal, Run, content};

impl Saga<'_, '_> {
    /// The foreign keys of tables that are not in the catalog, to tables that a course puts aside.
    pub(super) fn held_from_elsewhere(
        &self,
        course: &Course,
        known: &[Fact],
    ) -> Result<Vec<Refusal>, ApplyError> {
        let tables = known.iter().filter(|fact| fact.id.kind == ObjectKind::Table);
        let known: BTreeSet<&str> = tables.map(|fact| fact.id.object.name.as_str()).collect();
        let mut reasons = Vec::new();
        for aside in course.steps.iter().filter_map(|step| step.aside.as_ref()) {
            let now = self.names.old(&aside.table);
            let table = if known.contains(now) { now } else { &aside.table };
            let query = precheck::held_from_elsewhere(table, &known);
            let Some(row) = self.my.first_row(&query)? else { continue };
            let names: Vec<&str> = row.iter().map(|name| name.as_deref().unwrap_or("")).collect();
            let reason = format!(
                "the foreign key {} refers to it, from a table that the pack knows nothing of",
                names.join(".")
            );
            let hint = "drop that foreign key, or take the table into the scope of both snapshots";
            reasons.push(Refusal::new(&aside.table, reason, hint));
        }
        Ok(reasons)
    }

    /// What speaks against a table that was put aside: rows that came since it was looked at.
    pub(super) fn wrong_aside(
        &self,
        run: Run,
        course: &Course,
        at: usize,
        aside: &Aside,
    ) -> Result<Option<Refusal>, ApplyError> {
        let id = |fact: &Fact| {
            fact.id.kind == ObjectKind::Table && fact.id.object.to_string() == aside.table
        };
        let before = course.facts_after(at);
        if !before.iter().any(id) {
            return Ok(None);
        }
        // Names may have changed since the tables were looked at, and change before they are put aside.
        let specs = self.specs.iter().map(|spec| self.names.after(spec));
        let Some(mut spec) = specs.into_iter().find(|spec| spec.name.to_string() == aside.table)
        else {
            return Ok(None);
        };
        let is_undone = aside.under.starts_with(UNDONE_PREFIX);
        let end = if (run == Run::Forward) == is_undone { Side::After } else { Side::Before };
        let called = self.side(&mut spec, end);
        spec.name = ObjectName::bare(aside.under.as_str());
        let name = spec.name.to_string();
        let tables = Tables::hashed_as(&[(spec, called)])?;
        let each = |take: &mut dyn FnMut(ObjectId)| {
            each_hash(self.session, &tables, &name, self.hasher, take)
        };
        let mut rows = 0;
        each(&mut |_| rows += 1)?;
        if rows == aside.rows && content::digest(rows, self.hasher, each)? == aside.digest {
            return Ok(None);
        }
        let reason = format!(
            "it holds {rows} rows, and not just the {} that the pack knows and that would go with it",
            aside.rows
        );
        let hint = match is_undone {
            true => {
                "the table that was put aside before takes its place: take the rows of others out of it, \
                 and run the same command again"
            }
            false => "take a new snapshot of the target and make the pack again",
        };
        Ok(Some(Refusal::new(&aside.table, reason, hint)))
    }
}
