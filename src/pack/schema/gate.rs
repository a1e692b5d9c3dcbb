//! What of the wanted schema is not allowed, and what that makes impossible.
//!
//! A drop without consent is taken back: the object stays in the wanted schema, with all that
//! belongs to it and all that it needs. What cannot be beside it is taken out. What comes out is a
//! schema that can be reached, and a list of what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{Deed, SchemaLeftOut, SchemaVerb, class_of_drop, consent_name};
use super::{SchemaInput, contents, is_of_columns};
use crate::engine::ddl::{Alteration, Ddl, FactChange, Schema, Statement, StepHazard, flag, text};
use crate::model::{Fact, FactId, ObjectKind};
use crate::pack::consent::Class;

/// The schema that is allowed.
pub(super) struct Gated {
    /// Its facts, sorted by id.
    pub(super) facts: Vec<Fact>,
    /// What it lacks.
    pub(super) left_out: Vec<SchemaLeftOut>,
}

/// Takes out of the wanted schema what is not allowed.
pub(super) fn open(
    ddl: &dyn Ddl,
    from: &Schema<'_>,
    wanted: &Schema<'_>,
    input: &SchemaInput<'_>,
) -> Gated {
    let after = wanted.facts().map(|fact| (&fact.id, fact)).collect();
    let mut gate = Gate {
        ddl,
        from,
        wanted,
        input,
        contents: contents(ddl, from),
        after,
        stays: BTreeMap::new(),
        left_out: Vec::new(),
        has_changed: true,
    };
    gate.narrowing();
    gate.clashing();
    while std::mem::take(&mut gate.has_changed) {
        gate.drops();
        gate.needed_by_what_stays();
        gate.names();
        gate.unsupported();
    }
    let mut facts: Vec<Fact> =
        gate.after.values().chain(gate.stays.values()).map(|fact| (*fact).clone()).collect();
    facts.sort_by(|a, b| a.id.cmp(&b.id));
    let facts = match gate.left_out.is_empty() {
        true => facts,
        false => ddl.mended(facts, from, wanted),
    };
    let mut left_out = gate.left_out;
    left_out.sort_by(|a, b| (a.deed.verb, &a.deed.id).cmp(&(b.deed.verb, &b.deed.id)));
    Gated { facts, left_out }
}

/// Why a table is not dropped although that may be allowed.
pub(super) const KEPT_TABLE: &str = "a strategy keeps its rows";

struct Gate<'a, 's> {
    ddl: &'s dyn Ddl,
    from: &'s Schema<'a>,
    wanted: &'s Schema<'a>,
    input: &'s SchemaInput<'s>,
    /// What belongs to each fact that is there.
    contents: BTreeMap<FactId, Vec<&'a Fact>>,
    /// What is wanted, and allowed so far.
    after: BTreeMap<&'a FactId, &'a Fact>,
    /// What is not wanted, and stays.
    stays: BTreeMap<&'a FactId, &'a Fact>,
    left_out: Vec<SchemaLeftOut>,
    /// Whether something was taken back or taken out since it was last looked.
    has_changed: bool,
}

impl<'a> Gate<'a, '_> {
    fn leave_out(
        &mut self,
        verb: SchemaVerb,
        fact: &Fact,
        class: Option<Class>,
        reason: impl Into<String>,
    ) {
        let statements = match verb {
            SchemaVerb::Drop => self.ddl.drop(fact, self.from),
            SchemaVerb::Create => self.ddl.create(fact, &[], self.wanted),
            _ => Ok(Vec::new()),
        };
        let shown = |statement| match statement {
            Statement::Whole(text) => text,
            Statement::Clause { table, clause } => self.ddl.alter_table(&table, &clause),
        };
        let statements = statements.unwrap_or_default().into_iter().map(shown).collect();
        let deed = Deed { verb, id: fact.id.clone() };
        self.left_out.push(SchemaLeftOut { deed, statements, class, reason: reason.into() });
    }

    fn is_gone(&self, id: &FactId) -> bool {
        self.from.get(id).is_some() && !self.after.contains_key(id) && !self.stays.contains_key(id)
    }

    /// Whether values may become less than they were, or are lost and written again: those of rows
    /// that the wanted state does not have are then nobody's to write.
    fn narrows(&self, before: &Fact, after: &Fact) -> bool {
        let change = FactChange::Altered(before, after);
        let is_remade = before.id.kind == ObjectKind::Column
            && text(before, "generated").is_none()
            && self.ddl.alter(before, after, self.from, self.wanted) == Alteration::Remade;
        is_remade || self.ddl.hazards(change, self.from).contains(&StepHazard::Narrows)
    }

    /// Values that may become less than they were.
    fn narrowing(&mut self) {
        for before in self.from.facts() {
            let Some(&after) = self.after.get(&before.id) else { continue };
            if before.attributes == after.attributes || !self.from.has_rows(&before.id.object) {
                continue;
            }
            let narrows = self.narrows(before, after);
            let name = consent_name(&before.id);
            if narrows && !self.input.consent.allows(Class::NarrowType, &name) {
                let reason = "values may become less than they were";
                self.leave_out(SchemaVerb::Alter, before, Some(Class::NarrowType), reason);
                self.after.insert(&before.id, before);
            }
        }
    }

    /// Constraints that rows may break which stay because their deletion is left out.
    fn clashing(&mut self) {
        let made: Vec<&Fact> = self
            .after
            .values()
            .copied()
            .filter(|fact| {
                let is_same = |before: &Fact| before.attributes == fact.attributes;
                !self.from.get(&fact.id).is_some_and(is_same)
            })
            .filter(|fact| match fact.id.kind {
                ObjectKind::Index => flag(fact, "unique"),
                kind => kind.is_constraint(),
            })
            .collect();
        for fact in made {
            let container = self.ddl.container(fact, self.wanted);
            let Some(table) = container.filter(|id| id.kind == ObjectKind::Table) else { continue };
            let keeps = self.from.get(&table).is_some()
                && (self.input.keeps_rows)(&table.object.to_string());
            let reason = match keeps {
                true => "rows that stay, and would go or change, may not be as it demands",
                false if self.refers_to_lacking(fact) => {
                    "rows that it refers to are kept from coming by a strategy"
                }
                false => continue,
            };
            self.after.remove(&fact.id);
            if let Some(before) = self.from.get(&fact.id) {
                self.after.insert(&before.id, before);
            }
            self.leave_out(SchemaVerb::Create, fact, None, reason);
        }
    }

    /// Whether a foreign key refers to a table that lacks rows of the wanted state.
    fn refers_to_lacking(&self, fact: &Fact) -> bool {
        fact.id.kind == ObjectKind::ForeignKey
            && self
                .ddl
                .requires(fact, self.wanted)
                .iter()
                .any(|id| (self.input.lacks_rows)(&id.object.to_string()))
    }

    /// Drops that need a word, and do not have it.
    fn drops(&mut self) {
        let gone: Vec<&'a Fact> = self.from.facts().filter(|fact| self.is_gone(&fact.id)).collect();
        for fact in gone {
            if !self.is_gone(&fact.id) || self.goes_along(fact) {
                continue;
            }
            let Some(class) = class_of_drop(fact) else { continue };
            let is_kept =
                class == Class::DropTable && (self.input.keeps_table)(&fact.id.object.to_string());
            // A rollback could not bring back what a row loses that no change is about.
            if class == Class::DropColumn
                && (self.input.keeps_values)(&fact.id.object.to_string(), &fact.id.part)
            {
                let reason = "rows whose deletion is left out hold values in it";
                self.leave_out(SchemaVerb::Drop, fact, None, reason);
                self.stay(fact);
                continue;
            }
            if is_kept || !self.input.consent.allows(class, &consent_name(&fact.id)) {
                let reason = match class {
                    _ if is_kept => KEPT_TABLE,
                    Class::DropTable => "it destroys the table and its rows",
                    Class::DropColumn => "it destroys the column's values",
                    _ => "it removes something the target uses",
                };
                self.leave_out(SchemaVerb::Drop, fact, (!is_kept).then_some(class), reason);
                self.stay(fact);
            }
        }
    }

    /// Whether a fact goes with something that may go: what it belongs to, or a column that it is
    /// about.
    fn goes_along(&self, fact: &Fact) -> bool {
        let goes = |id: &FactId| self.is_gone(id);
        self.ddl.container(fact, self.from).as_ref().is_some_and(goes)
            || (is_of_columns(fact.id.kind)
                && self
                    .ddl
                    .requires(fact, self.from)
                    .iter()
                    .any(|id| id.kind == ObjectKind::Column && goes(id)))
    }

    /// A fact stays, with what belongs to it.
    fn stay(&mut self, fact: &'a Fact) {
        if !self.is_gone(&fact.id) {
            return;
        }
        self.stays.insert(&fact.id, fact);
        self.has_changed = true;
        for part in self.contents.get(&fact.id).cloned().unwrap_or_default() {
            self.stay(part);
        }
    }

    fn needed_by_what_stays(&mut self) {
        let staying: Vec<&'a Fact> = self.stays.values().copied().collect();
        for fact in staying {
            for id in self.ddl.requires(fact, self.from) {
                if !self.is_gone(&id) {
                    continue;
                }
                let Some(needed) = self.from.get(&id) else { continue };
                let reason = format!("{} {} stays and needs it", fact.id.kind, fact.id);
                self.leave_out(SchemaVerb::Drop, needed, None, reason);
                self.stay(needed);
            }
        }
    }

    /// What is new and would have the name of something that stays.
    fn names(&mut self) {
        let taken: BTreeMap<String, FactId> = self
            .stays
            .values()
            .flat_map(|fact| self.ddl.names(fact).into_iter().map(|name| (name, fact.id.clone())))
            .collect();
        let clashing: Vec<(&'a Fact, FactId)> = self
            .after
            .values()
            .filter(|fact| self.from.get(&fact.id).is_none())
            .filter_map(|fact| {
                let names = self.ddl.names(fact);
                let by = names.iter().find_map(|name| taken.get(name))?;
                Some((*fact, by.clone()))
            })
            .collect();
        for (fact, by) in clashing {
            let reason =
                format!("its name is still used by {} {by}, whose drop is left out", by.kind);
            self.take_out(fact, reason);
        }
    }

    fn take_out(&mut self, fact: &'a Fact, reason: String) {
        self.after.remove(&fact.id);
        self.has_changed = true;
        self.leave_out(SchemaVerb::Create, fact, None, reason);
    }

    /// What is new and needs something that is left out.
    fn unsupported(&mut self) {
        let mut listed: BTreeSet<FactId> = BTreeSet::new();
        let new: Vec<&'a Fact> = self.after.values().copied().collect();
        for fact in new {
            let lacking = self.ddl.requires(fact, self.wanted).into_iter().find(|id| {
                self.wanted.get(id).is_some()
                    && !self.after.contains_key(id)
                    && !self.stays.contains_key(id)
            });
            let Some(lacking) = lacking else { continue };
            let before = self.from.get(&fact.id);
            self.after.remove(&fact.id);
            // What was there stays as it was.
            self.after.extend(before.map(|before| (&before.id, before)));
            if before.is_some_and(|before| before.attributes == fact.attributes) {
                continue;
            }
            self.has_changed = true;
            let is_part = self.ddl.container(fact, self.wanted).is_some_and(|id| {
                listed.contains(&id) || (!self.after.contains_key(&id) && id == lacking)
            });
            listed.insert(fact.id.clone());
            if !is_part {
                let reason = format!("it needs {} {lacking}, which is left out", lacking.kind);
                self.leave_out(SchemaVerb::Create, fact, None, reason);
            }
        }
    }
}
