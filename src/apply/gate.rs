//! What is checked of a target before the first write: that it is the one, its schema, its triggers,
//! every row that will be touched.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::checks::{self, Expected};
use super::error::ApplyError;
use super::names::Names;
use super::options::Place;
use super::outcome::Ending;
use super::receipt;
use super::relations::Relations;
use super::rows::{Expectation, RowReader, Tables};
use super::run::{Before, ROWS_AT_ONCE, Runner};
use crate::model::{Catalog, TableSpec};
use crate::pack::enforcement::Enforcement;
use crate::pack::manifest::MANIFEST;
use crate::pack::rules::Rules;
use crate::pack::{PackError, Refusal, Run, selection};

impl Runner<'_, '_> {
    /// Receipts and identity.
    pub(super) fn may_run(&mut self) -> Result<bool, ApplyError> {
        let manifest = &self.pack.manifest;
        if receipt::last_run(self.session, &manifest.pack)? == Some(self.options.run) {
            self.outcome.outcome = Ending::AlreadyApplied;
            return Ok(false);
        }
        Ok(self.is_target())
    }

    /// Whether the target is the one that the pack was made for, or may be another.
    pub(super) fn is_target(&mut self) -> bool {
        let manifest = &self.pack.manifest;
        if manifest.target.identity != self.identity && !self.options.accepts_target {
            let reason = format!(
                "the pack was made for `{}`, and this is `{}`",
                manifest.target.identity, self.identity
            );
            let hint = "if this is meant (a copy, a clone, a file that was moved), say \
                        --accept-target: schema and rows are checked all the same";
            self.refuse(Refusal::new("target", reason, hint));
            return false;
        }
        true
    }

    /// Everything that is checked before the first write.
    pub(super) fn before(&mut self, catalog: &Catalog) -> Result<Option<Before>, ApplyError> {
        if self.place == Place::Target {
            let wanted = &self.pack.way(self.options.run).schema_before;
            let end = match self.options.run {
                Run::Forward => Expected::Before,
                Run::Back => Expected::After,
            };
            self.schema(catalog, wanted, end, "the schema is not the one the pack was made for")?;
            if self.is_refused() {
                return Ok(None);
            }
        }
        let steps = checks::overview(&mut self.pack.steps(self.fs, self.options.run)?)?;
        let (enforcement, manifest) = (self.enforcement()?, &self.pack.manifest);
        let names = Names::of(manifest, &catalog.facts);
        let rules = Rules::of(enforcement, &names.called(enforcement, &catalog.facts));
        let firing = self.triggers(&rules, &steps);
        self.unseen(catalog, &steps);
        let tables = Tables::new(&catalog.tables)?.called(&names);
        let touched: Vec<&TableSpec> =
            steps.events.keys().filter_map(|name| tables.spec(name)).collect();
        self.session.lock_tables(&touched)?;
        let mut multisets = steps.multisets;
        self.rows_before(&tables)?;
        for (table, rows) in &mut multisets {
            let missing = rows.before(self.session, &tables, table, self.hasher)?;
            if missing > 0 {
                self.drift(checks::missing_copies(table, missing));
            }
        }
        if self.is_refused() {
            return Ok(None);
        }
        let way = self.pack.way(self.options.run);
        let checks_all = steps.changes_schema || way.is_deferred || way.rebuilds;
        let violations = if checks_all { checks::violations(self.session)? } else { None };
        Ok(Some(Before {
            tables,
            rules,
            multisets,
            violations,
            firing,
            changes_schema: steps.changes_schema,
            dropped_foreign_keys: steps.dropped_foreign_keys,
            relations: Relations::of(catalog),
        }))
    }

    pub(super) fn enforcement(&self) -> Result<Enforcement, ApplyError> {
        let engine = &self.pack.manifest.engine;
        Enforcement::of(engine).ok_or_else(|| {
            let path = PathBuf::from(MANIFEST);
            let why = format!("it is for the engine `{engine}`, which is not known");
            PackError::Edited { path, why }.into()
        })
    }

    /// Refuses tables whose triggers the account may not see.
    fn unseen(&mut self, catalog: &Catalog, steps: &checks::Overview) {
        let unknown = catalog.not_captured.iter().filter(|item| {
            item.is_unknown && (item.kind.starts_with("trigger") || item.kind == "table")
        });
        for item in unknown {
            if steps.events.contains_key(&item.name) {
                let reason = format!("its {} cannot be seen: {}", item.kind, item.reason);
                let hint = "apply with an account that sees them";
                self.refuse(Refusal::new(&item.name, reason, hint));
            }
        }
    }

    pub(super) fn schema(
        &mut self,
        catalog: &Catalog,
        wanted: &str,
        end: Expected,
        reason: &str,
    ) -> Result<(), ApplyError> {
        let manifest = &self.pack.manifest;
        let (tables, is_whole) = (&manifest.tables, manifest.changes_schema);
        let facts = selection::vouched(self.enforcement()?, &catalog.facts, tables, is_whole);
        let found = checks::schema_differences(self.fs, self.pack, &facts, wanted, end)?;
        for difference in found.into_iter().flatten() {
            let hint = "take a new snapshot of the target and make the pack again";
            self.refuse(Refusal::new(difference, reason, hint));
        }
        Ok(())
    }

    /// The tables whose triggers fire; refuses those that may not.
    pub(super) fn triggers(&mut self, rules: &Rules, steps: &checks::Overview) -> BTreeSet<String> {
        let manifest = &self.pack.manifest;
        let allowed: BTreeSet<String> = manifest
            .triggers
            .iter()
            .filter(|line| line.is_allowed)
            .map(|line| line.table.clone())
            .chain(self.options.triggers.iter().cloned())
            .collect();
        let mut firing = BTreeSet::new();
        for (table, events) in &steps.events {
            let names: Vec<&str> = rules
                .table(table)
                .into_iter()
                .flat_map(|table| &table.triggers)
                .filter(|trigger| events.contains(trigger.event.as_str()))
                .filter(|trigger| !steps.dropped_triggers.contains(&trigger.id))
                .map(|trigger| trigger.name.as_str())
                .collect();
            if names.is_empty() {
                continue;
            }
            if allowed.contains(table) || self.place == Place::Scratch {
                firing.insert(table.clone());
                continue;
            }
            let reason = format!("its triggers would fire: {}", names.join(", "));
            let hint = format!("if that is meant, say --allow-triggers {table}");
            self.refuse(Refusal::new(table, reason, hint));
        }
        firing
    }

    /// Reads every row that will be touched, and looks at every statement.
    pub(super) fn rows_before(&mut self, tables: &Tables) -> Result<(), ApplyError> {
        let session = self.session;
        let reader = RowReader::new(session, tables, self.hasher);
        let longest = session.longest_statement()?;
        let mut steps = self.pack.steps(self.fs, self.options.run)?;
        let mut rows = Vec::new();
        while let Some(step) = steps.next_step()? {
            // A scratch copy has rows that stand in for others, and that nobody would lose.
            if self.place == Place::Target
                && let Some(drift) = checks::guard(session, tables, &step, self.hasher)?
            {
                self.drift(drift);
            }
            if let Some(longest) = longest
                .filter(|longest| checks::length(&step, &self.pack.manifest.values) > *longest)
            {
                let reason = format!(
                    "its statement has {} bytes with its values, and the server takes at most \
                     {longest}",
                    checks::length(&step, &self.pack.manifest.values)
                );
                self.refuse(checks::of_step(&step, reason));
            }
            rows.extend(Expectation::of(&step));
            if rows.len() >= ROWS_AT_ONCE {
                reader.wrong_before(&rows)?.into_iter().for_each(|drift| self.drift(drift));
                rows.clear();
            }
        }
        reader.wrong_before(&rows)?.into_iter().for_each(|drift| self.drift(drift));
        Ok(())
    }
}
