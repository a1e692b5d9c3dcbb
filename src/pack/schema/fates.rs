//! What happens to each fact in one stage, and what that does to the facts that need it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::contents;
use crate::engine::ddl::{Alteration, Break, Ddl, Schema, Statement, Yielding};
use crate::model::{Fact, FactId, ObjectKind};
use crate::pack::error::Refusal;

/// What happens to a fact in a stage.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// It stays as it is.
    Kept,
    /// It is made.
    Made,
    /// It goes.
    Gone,
    /// It is dropped and made again.
    Remade,
    /// It becomes another by these statements.
    Altered(Vec<Statement>),
    /// It becomes this, makes room for what it needs, and becomes what it shall be.
    Weakened(Fact),
    /// It is part of a table that is built anew.
    Rebuilt,
}

/// The fates of a stage.
pub(super) struct Fates<'a, 's> {
    pub(super) ddl: &'s dyn Ddl,
    pub(super) from: &'s Schema<'a>,
    pub(super) to: &'s Schema<'a>,
    pub(super) of: BTreeMap<&'a FactId, Fate>,
    /// What belongs to each fact afterwards.
    pub(super) contents: BTreeMap<FactId, Vec<&'a Fact>>,
    /// The tables that are built anew.
    pub(super) rebuilt: BTreeSet<FactId>,
    pub(super) refusals: Vec<Refusal>,
    /// What stays, once all is decided.
    left: RefCell<Option<Schema<'a>>>,
}

const HINT: &str = "make this change by hand in the target, take a new snapshot of it, and make the \
                    pack again; or leave the object out of the scope of both snapshots";

/// A refusal about a fact.
pub(super) fn refusal(fact: &Fact, reason: impl Into<String>) -> Refusal {
    Refusal::new(format!("{} {}", fact.id.kind, fact.id), reason, HINT)
}

impl<'a, 's> Fates<'a, 's> {
    /// Decides them; these tables are built anew in any case.
    pub(super) fn decide(
        ddl: &'s dyn Ddl,
        from: &'s Schema<'a>,
        to: &'s Schema<'a>,
        rebuilt: BTreeSet<FactId>,
    ) -> Self {
        let of = BTreeMap::new();
        let (contents, refusals) = (contents(ddl, to), Vec::new());
        let left = RefCell::new(None);
        let mut fates = Fates { ddl, from, to, of, contents, rebuilt, refusals, left };
        fates.first();
        fates.spread();
        fates.rebuild();
        fates
    }

    /// What happens to each fact by itself.
    fn first(&mut self) {
        let all: BTreeSet<&'a FactId> =
            self.from.facts().chain(self.to.facts()).map(|fact| &fact.id).collect();
        for id in all {
            let fate = match (self.from.get(id), self.to.get(id)) {
                (Some(before), Some(after)) if before.attributes == after.attributes => Fate::Kept,
                (Some(before), Some(after)) => {
                    match self.ddl.alter(before, after, self.from, self.to) {
                        Alteration::InPlace(statements) => Fate::Altered(statements),
                        Alteration::Remade if before.id.kind == ObjectKind::Table => {
                            self.refuse(after, "a table cannot be dropped and made again");
                            Fate::Kept
                        }
                        Alteration::Remade => Fate::Remade,
                        Alteration::Rebuilt => {
                            self.rebuild_table_of(after);
                            Fate::Rebuilt
                        }
                        Alteration::Refused(reason) => {
                            self.refuse(after, reason);
                            Fate::Kept
                        }
                    }
                }
                (None, _) => Fate::Made,
                (_, None) => Fate::Gone,
            };
            self.of.insert(id, fate);
        }
    }

    pub(super) fn refuse(&mut self, fact: &Fact, reason: impl Into<String>) {
        let refusal = refusal(fact, reason);
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// What `ask` says of the schema with a fact, and without everything else that goes or is
    /// remade.
    pub(super) fn left<T>(&self, fact: &'a Fact, ask: impl FnOnce(&Schema<'a>) -> T) -> T {
        let stays = |other: &&Fact| !matches!(self.of[&other.id], Fate::Gone | Fate::Remade);
        let left = || Schema::new(self.from.facts().filter(stays)).described_like(self.from);
        self.left.borrow_mut().get_or_insert_with(left).with(fact, ask)
    }

    /// Whether a fact stays and makes room for what changes below it.
    pub(super) fn is_weakened(&self, id: &FactId) -> bool {
        matches!(self.of.get(id), Some(Fate::Weakened(_)))
    }

    /// Whether one fact belonged to another.
    pub(super) fn belonged(&self, part: &FactId, whole: &FactId) -> bool {
        let part = self.from.get(part);
        part.and_then(|part| self.ddl.container(part, self.from)).as_ref() == Some(whole)
    }

    /// The table that a fact belongs to, through whatever is between.
    pub(super) fn table_of(&self, fact: &Fact) -> Option<FactId> {
        let mut id = fact.id.clone();
        loop {
            let fact = self.to.get(&id).or_else(|| self.from.get(&id))?;
            if fact.id.kind == ObjectKind::Table {
                return Some(id);
            }
            let of = |schema: &Schema<'_>| self.ddl.container(fact, schema);
            id = of(self.to).or_else(|| of(self.from))?;
        }
    }

    fn rebuild_table_of(&mut self, fact: &Fact) {
        match self.table_of(fact) {
            Some(table) => {
                self.rebuilt.insert(table);
            }
            None => self.refuse(fact, "it belongs to no table that could be built anew"),
        }
    }

    /// Every fact of `from` by what it needs.
    fn dependents(&self) -> BTreeMap<FactId, Vec<&'a Fact>> {
        let mut dependents: BTreeMap<FactId, Vec<&'a Fact>> = BTreeMap::new();
        for fact in self.from.facts() {
            let mut needs: BTreeSet<FactId> =
                self.ddl.requires(fact, self.from).into_iter().collect();
            needs.extend(self.ddl.container(fact, self.from));
            needs.remove(&fact.id);
            for needed in needs {
                dependents.entry(needed).or_default().push(fact);
            }
        }
        dependents
    }

    /// What is broken makes what needs it yield, and so on.
    fn spread(&mut self) {
        let dependents = self.dependents();
        let mut broken: VecDeque<&'a Fact> = self
            .from
            .facts()
            .filter(|fact| match &self.of[&fact.id] {
                Fate::Gone | Fate::Remade => true,
                Fate::Altered(statements) => !statements.is_empty(),
                _ => false,
            })
            .collect();
        while let Some(needed) = broken.pop_front() {
            for fact in dependents.get(&needed.id).into_iter().flatten() {
                if let Some(fate) = self.yielding(fact, needed) {
                    // What is weaker for a while is another for those that need it.
                    let is_broken = matches!(fate, Fate::Remade | Fate::Weakened(_));
                    self.of.insert(&fact.id, fate);
                    if is_broken {
                        broken.push_back(fact);
                    }
                }
            }
        }
    }

    /// The new fate of a fact that needs what is broken; `None` where nothing changes.
    fn yielding(&mut self, fact: &'a Fact, needed: &'a Fact) -> Option<Fate> {
        let after = self.to.get(&fact.id)?;
        let goes = matches!(self.of[&needed.id], Fate::Gone | Fate::Remade);
        let goes_with = goes && self.ddl.container(fact, self.from).as_ref() == Some(&needed.id);
        let current = match &self.of[&fact.id] {
            Fate::Kept | Fate::Altered(_) => fact.clone(),
            Fate::Weakened(weaker) => weaker.clone(),
            Fate::Made | Fate::Gone | Fate::Remade | Fate::Rebuilt => return None,
        };
        let becomes = match &self.of[&needed.id] {
            Fate::Gone | Fate::Remade => None,
            Fate::Weakened(weaker) => Some(weaker.clone()),
            _ => Some(self.to.get(&needed.id)?.clone()),
        };
        let altered = becomes.as_ref().map_or(Break::Gone, Break::Altered);
        match self.ddl.yields(&current, after, needed, altered, self.from) {
            Yielding::Stands if goes_with && fact.id.kind != ObjectKind::Table => {
                Some(Fate::Remade)
            }
            Yielding::Stands => None,
            Yielding::Remade if fact.id.kind == ObjectKind::Table => {
                self.refuse(fact, format!("it needs {}, which changes", needed.id));
                None
            }
            Yielding::Remade => Some(Fate::Remade),
            Yielding::Weakened(weaker) => (weaker != current).then_some(Fate::Weakened(weaker)),
            Yielding::Refused(reason) => {
                self.refuse(fact, reason);
                None
            }
        }
    }

    /// Tables that are built anew take everything with them that their definition holds.
    fn rebuild(&mut self) {
        if self.rebuilt.is_empty() {
            return;
        }
        let ids: Vec<&'a FactId> = self.of.keys().copied().collect();
        for id in ids {
            let Some(fact) = self.to.get(id).or_else(|| self.from.get(id)) else { continue };
            let Some(table) = self.table_of(fact) else { continue };
            if !self.rebuilt.contains(&table) {
                continue;
            }
            let schema = if self.to.get(id).is_some() { self.to } else { self.from };
            let is_part = *id == table || self.ddl.is_inline(fact, schema);
            let fate = match (&self.of[id], is_part) {
                (_, true) => Fate::Rebuilt,
                (Fate::Made, false) => Fate::Made,
                (Fate::Gone, false) => Fate::Gone,
                (_, false) => Fate::Remade,
            };
            self.of.insert(id, fate);
        }
    }
}
