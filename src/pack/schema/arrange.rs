//! The actions of a stage and the order they run in.
//!
//! An action brings about the fates of one fact, or of a table with its columns. What a fact needs
//! is made before it and dropped after it; a name is given up before another takes it. Where
//! nothing else decides, the engine's rank and the names do, so equal input gives equal output.

use std::collections::{BTreeMap, BTreeSet};

use super::circles::{self, Edges};
use super::fates::{Fate, Fates, refusal};
use super::step::{Deed, SchemaVerb};
use crate::engine::ddl::{Alteration, FactChange, Schema, Statement, StepHazard};
use crate::model::{Fact, FactId, ObjectKind};
use crate::pack::error::Refusal;

/// Something that is done as one.
#[derive(Debug, Clone)]
pub(super) struct Action {
    pub(super) deeds: Vec<Deed>,
    pub(super) statements: Vec<Statement>,
    pub(super) hazards: Vec<StepHazard>,
    rank: u16,
}

impl Action {
    fn place(&self) -> (u16, &Deed) {
        (self.rank, &self.deeds[0])
    }
}

/// The actions of a stage.
#[derive(Default)]
pub(super) struct Arrangement<'a> {
    pub(super) actions: Vec<Action>,
    /// By fact, the action after which it is as it shall be, and the one before which it is as it
    /// was.
    maker: BTreeMap<&'a FactId, usize>,
    unmaker: BTreeMap<&'a FactId, usize>,
    /// Whether what an action unmakes is gone after it.
    drops: BTreeSet<usize>,
    /// Facts that are made weaker first, to break a circle.
    weaker: BTreeMap<&'a FactId, Fact>,
    /// Facts that are made weaker before they go, likewise.
    lighter: BTreeMap<&'a FactId, Fact>,
    /// The actions by which those then go, as far as others need them.
    last: BTreeMap<&'a FactId, usize>,
    /// The actions that make the weaker ones, as far as others need them.
    first: BTreeMap<&'a FactId, usize>,
    pub(super) refusals: Vec<Refusal>,
    /// Tables that have to be built anew, because a part of them cannot change otherwise.
    pub(super) to_rebuild: Vec<&'a Fact>,
    /// Whether tables that refer to each other go.
    pub(super) is_deferred: bool,
}

impl<'a> Arrangement<'a> {
    /// The actions that bring these fates about, in order.
    pub(super) fn of(fates: &Fates<'a, '_>) -> Arrangement<'a> {
        let (mut weaker, mut lighter) = (BTreeMap::new(), BTreeMap::new());
        loop {
            let mut arrangement = Arrangement { weaker, lighter, ..Arrangement::default() };
            arrangement.act(fates);
            arrangement.check(fates);
            if !arrangement.refusals.is_empty() || !arrangement.to_rebuild.is_empty() {
                return arrangement;
            }
            let edges = arrangement.edges(fates);
            let circles = arrangement.sort(&edges);
            let Some(first) = circles.first() else { return arrangement };
            let members = circles.iter().flatten().copied().collect();
            let [weakened, lightened] = arrangement.loosen(fates, &members);
            if weakened.is_empty() && lightened.is_empty() {
                arrangement.refuse_circle(first);
                return arrangement;
            }
            (weaker, lighter) = (arrangement.weaker, arrangement.lighter);
            weaker.extend(weakened);
            lighter.extend(lightened);
        }
    }

    fn act(&mut self, fates: &Fates<'a, '_>) {
        self.rebuild(fates);
        let ids: Vec<&'a FactId> = fates.of.keys().copied().collect();
        for id in &ids {
            match &fates.of[id] {
                Fate::Kept | Fate::Rebuilt => {}
                Fate::Altered(statements) => self.alter(fates, id, statements),
                Fate::Weakened(weaker) => self.weakened(fates, id, weaker),
                Fate::Made => self.create(fates, id),
                Fate::Gone => self.drop(fates, id),
                Fate::Remade => {
                    self.drop(fates, id);
                    self.create(fates, id);
                }
            }
        }
        self.make_lighter(fates);
        // What goes with what it belongs to goes by the same action.
        for id in ids {
            if matches!(fates.of[id], Fate::Gone | Fate::Remade)
                && let Some(action) = self.going(fates, id)
            {
                self.unmaker.entry(id).or_insert(action);
            }
        }
        for id in self.lighter.keys().copied().collect::<Vec<_>>() {
            let container = fates.from.get(id).and_then(|fact| Self::goes_with(fates, fact));
            if let Some(action) = container.and_then(|container| self.going(fates, &container)) {
                self.last.insert(id, action);
            }
        }
    }

    /// Every fact that comes or goes does so by an action.
    fn check(&mut self, fates: &Fates<'a, '_>) {
        if !self.refusals.is_empty() || !self.to_rebuild.is_empty() {
            return;
        }
        for (id, fate) in &fates.of {
            let (comes, goes) = match fate {
                Fate::Made => (true, false),
                Fate::Gone => (false, true),
                Fate::Remade => (true, true),
                Fate::Kept | Fate::Altered(_) | Fate::Weakened(_) | Fate::Rebuilt => (false, false),
            };
            let is_done =
                (!comes || self.maker.contains_key(id)) && (!goes || self.unmaker.contains_key(id));
            let fact = fates.to.get(id).or_else(|| fates.from.get(id));
            if let Some(fact) = fact.filter(|_| !is_done) {
                self.refusals.push(refusal(fact, "no statement brings this change about"));
            }
        }
    }

    fn push(
        &mut self,
        fates: &Fates<'a, '_>,
        change: FactChange<'_>,
        statements: Vec<Statement>,
    ) -> usize {
        let (verb, fact, schema) = match change {
            FactChange::Created(fact) => (SchemaVerb::Create, fact, fates.to),
            FactChange::Altered(_, fact) => (SchemaVerb::Alter, fact, fates.from),
            FactChange::Dropped(fact) => (SchemaVerb::Drop, fact, fates.from),
        };
        self.actions.push(Action {
            deeds: vec![Deed { verb, id: fact.id.clone() }],
            statements,
            hazards: fates.ddl.hazards(change, schema),
            rank: fates.ddl.rank(change),
        });
        self.actions.len() - 1
    }

    fn rebuild(&mut self, fates: &Fates<'a, '_>) {
        for table in &fates.rebuilt {
            let (Some(before), Some(after)) = (fates.from.get(table), fates.to.get(table)) else {
                continue;
            };
            let statements = match fates.ddl.rebuild(&table.object, fates.from, fates.to) {
                Ok(statements) => statements,
                Err(reason) => {
                    self.refusals.push(refusal(after, reason));
                    continue;
                }
            };
            let action = self.push(fates, FactChange::Altered(before, after), statements);
            self.actions[action].deeds[0].verb = SchemaVerb::Rebuild;
            let is_gone = |fact: &&Fact| fates.to.get(&fact.id).is_none();
            let columns = fates.from.parts(ObjectKind::Column, &table.object).filter(is_gone);
            let deeds = columns.map(|fact| Deed { verb: SchemaVerb::Drop, id: fact.id.clone() });
            self.actions[action].deeds.extend(deeds);
            self.drops.insert(action);
            for (id, fate) in &fates.of {
                if matches!(fate, Fate::Rebuilt) && id.object == table.object {
                    if fates.from.get(id).is_some() {
                        self.unmaker.insert(id, action);
                    }
                    if fates.to.get(id).is_some() {
                        self.maker.insert(id, action);
                    }
                }
            }
        }
    }

    fn alter(&mut self, fates: &Fates<'a, '_>, id: &'a FactId, statements: &[Statement]) {
        let (Some(before), Some(after)) = (fates.from.get(id), fates.to.get(id)) else { return };
        if statements.is_empty() {
            return;
        }
        let action = self.push(fates, FactChange::Altered(before, after), statements.to_vec());
        self.maker.insert(id, action);
        self.unmaker.insert(id, action);
    }

    /// To what lets others change, and from there to what it shall be.
    fn weakened(&mut self, fates: &Fates<'a, '_>, id: &'a FactId, weaker: &Fact) {
        let (Some(before), Some(after)) = (fates.from.get(id), fates.to.get(id)) else { return };
        for (is_first, from, to) in [(true, before, weaker), (false, weaker, after)] {
            let statements = match self.between(fates, from, to) {
                Some(statements) if !statements.is_empty() => statements,
                _ => continue,
            };
            let action = self.push(fates, FactChange::Altered(from, to), statements);
            if is_first {
                self.unmaker.insert(id, action);
                self.drops.insert(action);
            } else {
                self.maker.insert(id, action);
            }
        }
    }

    fn between(&mut self, fates: &Fates<'a, '_>, from: &Fact, to: &Fact) -> Option<Vec<Statement>> {
        if from.attributes == to.attributes {
            return None;
        }
        match fates.ddl.alter(from, to, fates.from, fates.to) {
            Alteration::InPlace(statements) => Some(statements),
            Alteration::Refused(reason) => {
                self.refusals.push(refusal(to, reason));
                None
            }
            Alteration::Remade | Alteration::Rebuilt => {
                let reason = "what it needs changes, and it cannot make room in place";
                self.refusals.push(refusal(to, reason));
                None
            }
        }
    }

    /// Whether a fact comes with the statement that makes what it belongs to.
    fn comes_with(fates: &Fates<'a, '_>, fact: &Fact) -> Option<FactId> {
        let container = fates.ddl.container(fact, fates.to)?;
        let is_made = matches!(fates.of.get(&container), Some(Fate::Made | Fate::Remade));
        (is_made && fates.ddl.is_inline(fact, fates.to)).then_some(container)
    }

    fn create(&mut self, fates: &Fates<'a, '_>, id: &'a FactId) {
        let Some(fact) = fates.to.get(id) else { return };
        if Self::comes_with(fates, fact).is_some() {
            return;
        }
        let inline = Self::inline(fates, id);
        let written: Vec<&Fact> =
            inline.iter().map(|fact| self.weaker.get(&fact.id).unwrap_or(*fact)).collect();
        match fates.ddl.create(fact, &written, fates.to) {
            Ok(statements) => {
                let action = self.push(fates, FactChange::Created(fact), statements);
                self.maker.insert(id, action);
                for fact in inline {
                    self.maker.insert(&fact.id, action);
                    if self.weaker.contains_key(&fact.id) {
                        self.first.insert(&fact.id, action);
                    }
                    self.strengthen(fates, fact);
                }
            }
            Err(reason) => self.obstacle(fates, fact, reason),
        }
    }

    /// Makes whole what was made weaker.
    fn strengthen(&mut self, fates: &Fates<'a, '_>, fact: &'a Fact) {
        let Some(weaker) = self.weaker.get(&fact.id).cloned() else { return };
        if let Some(statements) = self.between(fates, &weaker, fact) {
            let action = self.push(fates, FactChange::Altered(&weaker, fact), statements);
            self.maker.insert(&fact.id, action);
        }
    }

    /// Everything that comes with a fact, however deep, sorted by id.
    fn inline(fates: &Fates<'a, '_>, id: &FactId) -> Vec<&'a Fact> {
        let mut found: Vec<&'a Fact> = Vec::new();
        let mut containers = vec![id.clone()];
        while let Some(container) = containers.pop() {
            for fact in fates.contents.get(&container).into_iter().flatten() {
                if Self::comes_with(fates, fact).is_some() {
                    found.push(fact);
                    containers.push(fact.id.clone());
                }
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    fn drop(&mut self, fates: &Fates<'a, '_>, id: &'a FactId) {
        let Some(fact) = fates.from.get(id) else { return };
        if Self::goes_with(fates, fact).is_some() {
            return;
        }
        // What names a column and goes as well is no longer there when the column goes.
        let dropped = match fact.id.kind {
            ObjectKind::Column => fates.left(fact, |left| fates.ddl.drop(fact, left)),
            _ => fates.ddl.drop(fact, fates.from),
        };
        match dropped {
            Ok(statements) => {
                let action = self.push(fates, FactChange::Dropped(fact), statements);
                self.unmaker.insert(id, action);
                self.drops.insert(action);
            }
            Err(reason) => self.obstacle(fates, fact, reason),
        }
    }

    /// What a fact goes with, without a statement of its own. A foreign key to a table that goes
    /// too has one: two such tables may refer to each other.
    fn goes_with(fates: &Fates<'a, '_>, fact: &Fact) -> Option<FactId> {
        let container = fates.ddl.container(fact, fates.from)?;
        if !matches!(fates.of.get(&container), Some(Fate::Gone | Fate::Remade)) {
            return None;
        }
        let is_gone = |id: &FactId| matches!(fates.of.get(id), Some(Fate::Gone));
        let refers_to_going = fact.id.kind == ObjectKind::ForeignKey
            && !fates.ddl.is_inline(fact, fates.from)
            && fates
                .ddl
                .requires(fact, fates.from)
                .iter()
                .any(|id| id.object != fact.id.object && is_gone(id));
        (!refers_to_going).then_some(container)
    }

    /// The action by which a fact goes.
    fn going(&self, fates: &Fates<'a, '_>, id: &FactId) -> Option<usize> {
        let mut id = id.clone();
        loop {
            if let Some(action) = self.unmaker.get(&id) {
                return Some(*action);
            }
            id = Self::goes_with(fates, fates.from.get(&id)?)?;
        }
    }

    /// A part of a table that cannot come or go by itself may come or go with the table.
    fn obstacle(&mut self, fates: &Fates<'a, '_>, fact: &'a Fact, reason: String) {
        let is_of_table = fates
            .ddl
            .container(fact, if fates.to.get(&fact.id).is_some() { fates.to } else { fates.from })
            .is_some_and(|id| id.kind == ObjectKind::Table);
        let table = &fact.id.object;
        if is_of_table && fates.ddl.rebuild(table, fates.from, fates.to).is_ok() {
            self.to_rebuild.push(fact);
        } else {
            self.refusals.push(refusal(fact, reason));
        }
    }

    /// Pairs of actions, the first of which runs before the second.
    fn edges(&self, fates: &Fates<'a, '_>) -> Edges {
        let mut edges = Edges::new();
        let mut edge = |first: usize, second: usize| {
            if first != second {
                edges.insert((first, second));
            }
        };
        for fact in fates.from.facts() {
            let Some(&unmaker) = self.unmaker.get(&fact.id) else { continue };
            let mut needs = fates.ddl.requires(fact, fates.from);
            // What stays has left what it belonged to before that goes.
            if fates.is_weakened(&fact.id) {
                needs.extend(fates.ddl.container(fact, fates.from));
            }
            for needed in needs {
                if fates.is_weakened(&needed) && fates.belonged(&needed, &fact.id) {
                    continue;
                }
                let other = self.last.get(&needed).or_else(|| self.unmaker.get(&needed));
                if let Some(&other) = other
                    && (self.drops.contains(&other) || self.drops.contains(&unmaker))
                {
                    edge(unmaker, other);
                }
            }
            if let Some(&maker) = self.maker.get(&fact.id) {
                edge(unmaker, maker);
            }
        }
        for fact in fates.to.facts() {
            let Some(&maker) = self.maker.get(&fact.id) else { continue };
            for needed in fates.ddl.requires(fact, fates.to) {
                if let Some(other) = self.ready(&needed) {
                    edge(other, maker);
                }
            }
            // What was made weaker needs less at first, and its maker is the one that makes it whole.
            if let (Some(weaker), Some(&first)) =
                (self.weaker.get(&fact.id), self.first.get(&fact.id))
            {
                edge(first, maker);
                for needed in fates.ddl.requires(weaker, fates.to) {
                    if let Some(other) = self.ready(&needed) {
                        edge(other, first);
                    }
                }
            }
        }
        self.name_edges(fates, &mut edge);
        edges
    }

    /// The action after which a fact is there for those that need it.
    fn ready(&self, id: &FactId) -> Option<usize> {
        self.first.get(id).or_else(|| self.maker.get(id)).copied()
    }

    /// A name is given up before it is taken.
    fn name_edges(&self, fates: &Fates<'a, '_>, edge: &mut dyn FnMut(usize, usize)) {
        let mut given: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for fact in fates.from.facts() {
            let Some(&unmaker) = self.unmaker.get(&fact.id) else { continue };
            // One that is altered may have another name afterwards.
            let kept = match fates.to.get(&fact.id) {
                Some(after) if !self.drops.contains(&unmaker) => fates.ddl.names(after),
                _ => Vec::new(),
            };
            for name in fates.ddl.names(fact).into_iter().filter(|name| !kept.contains(name)) {
                given.entry(name).or_default().push(unmaker);
            }
        }
        for fact in fates.to.facts() {
            let Some(&maker) = self.maker.get(&fact.id) else { continue };
            for name in fates.ddl.names(fact) {
                for &giver in given.get(&name).into_iter().flatten() {
                    edge(giver, maker);
                }
            }
        }
    }

    /// Puts the actions in order; gives circles of those that wait for each other.
    fn sort(&mut self, edges: &Edges) -> Vec<Vec<usize>> {
        let mut waits = vec![0_usize; self.actions.len()];
        let mut after: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &(first, second) in edges {
            waits[second] += 1;
            after.entry(first).or_default().push(second);
        }
        let place = |action: usize| (self.actions[action].place(), action);
        let mut ready: BTreeSet<_> =
            (0..self.actions.len()).filter(|&at| waits[at] == 0).map(place).collect();
        let mut order = Vec::with_capacity(self.actions.len());
        let mut is_deferred = false;
        loop {
            while let Some((_, action)) = ready.pop_first() {
                order.push(action);
                for &next in after.get(&action).into_iter().flatten() {
                    if waits[next] > 0 {
                        waits[next] -= 1;
                        if waits[next] == 0 {
                            ready.insert(place(next));
                        }
                    }
                }
            }
            if order.len() == self.actions.len() {
                break;
            }
            let done: BTreeSet<usize> = order.iter().copied().collect();
            let left: Vec<usize> =
                (0..self.actions.len()).filter(|at| !done.contains(at)).collect();
            // Tables that refer to each other and whose keys go with them: any of them first, and
            // the foreign keys looked at when all are gone.
            let is_table = |action: &usize| {
                let deed = &self.actions[*action].deeds[0];
                deed.verb == SchemaVerb::Drop && deed.id.kind == ObjectKind::Table
            };
            let circles = circles::of(edges, &left);
            let others: Vec<Vec<usize>> =
                circles.iter().filter(|circle| !circle.iter().all(is_table)).cloned().collect();
            if !others.is_empty() {
                return others;
            }
            for table in
                circles.iter().filter_map(|c| c.iter().copied().min_by_key(|&at| place(at)))
            {
                is_deferred = true;
                waits[table] = 0;
                ready.insert(place(table));
            }
        }
        let mut actions: Vec<Option<Action>> =
            std::mem::take(&mut self.actions).into_iter().map(Some).collect();
        self.actions = order.into_iter().filter_map(|at| actions[at].take()).collect();
        self.is_deferred |= is_deferred;
        Vec::new()
    }

    /// The facts of circles that can be made weaker first: as they are made with something, or
    /// before they go with it.
    fn loosen(
        &self,
        fates: &Fates<'a, '_>,
        members: &BTreeSet<usize>,
    ) -> [BTreeMap<&'a FactId, Fact>; 2] {
        let loose = |actions: &BTreeMap<&'a FactId, usize>,
                     schema: &Schema<'a>,
                     known: &BTreeMap<&'a FactId, Fact>,
                     whole: &dyn Fn(&Fact) -> Option<FactId>| {
            let of_circle = actions.iter().filter(|(_, action)| members.contains(action));
            let fresh = of_circle.filter(|(id, _)| !known.contains_key(**id));
            let facts = fresh.filter_map(|(id, _)| schema.get(id));
            facts
                .filter(|fact| whole(fact).is_some())
                .filter_map(|fact| Some((&fact.id, fates.ddl.weaker(fact)?)))
                .filter(|(id, weaker)| schema.get(id) != Some(weaker))
                .collect()
        };
        [
            loose(&self.maker, fates.to, &self.weaker, &|fact| Self::comes_with(fates, fact)),
            loose(&self.unmaker, fates.from, &self.lighter, &|fact| Self::goes_with(fates, fact)),
        ]
    }

    /// Makes weaker what others wait for to go.
    fn make_lighter(&mut self, fates: &Fates<'a, '_>) {
        for (id, lighter) in self.lighter.clone() {
            let Some(fact) = fates.from.get(id) else { continue };
            if let Some(statements) = self.between(fates, fact, &lighter) {
                let action = self.push(fates, FactChange::Altered(fact, &lighter), statements);
                self.unmaker.insert(id, action);
                self.drops.insert(action);
            }
        }
    }

    fn refuse_circle(&mut self, circle: &[usize]) {
        let names: Vec<String> = circle
            .iter()
            .map(|&at| {
                let deed = &self.actions[at].deeds[0];
                format!("{} {}", deed.name(), deed.id)
            })
            .collect();
        let reason = format!("these wait for each other: {}", names.join(", "));
        let hint = "make one of these changes by hand in the target, take a new snapshot of it, and \
                    make the pack again";
        self.refusals.push(Refusal::new(&self.actions[circle[0]].deeds[0].id, reason, hint));
    }
}
