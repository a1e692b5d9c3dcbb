//! A small planner for the schema language of PostgreSQL: it orders what the language says, in two
//! stages, and runs it by psql in one transaction, so that statements are tried against a server
//! without rows in between.

use std::collections::{BTreeMap, BTreeSet};

use deepdiff_db::engine::ddl::{Alteration, Break, Ddl, FactChange, Schema, Statement, Yielding};
use deepdiff_db::engine::postgres::PostgresDdl;
use deepdiff_db::model::{Catalog, Fact, FactId};

/// A side of a step.
type Facts = BTreeMap<FactId, Fact>;

/// What a stage does with a fact.
#[derive(Debug, Clone)]
enum Step {
    Drop(FactId),
    Alter(FactId, Box<Fact>, Box<Fact>),
    Create(FactId),
}

fn named(step: &Step) -> String {
    let (verb, id) = match step {
        Step::Drop(id) => ("drop", id),
        Step::Alter(id, ..) => ("alter", id),
        Step::Create(id) => ("create", id),
    };
    format!("{verb} {} {id}", id.kind)
}

/// The facts of a catalog by id.
pub fn facts(catalog: &Catalog) -> Facts {
    catalog.facts.iter().map(|fact| (fact.id.clone(), fact.clone())).collect()
}

fn schema<'a>(facts: &'a Facts, catalogs: [&'a Catalog; 2]) -> Schema<'a> {
    let mut schema = Schema::new(facts.values());
    for catalog in catalogs {
        for table in &catalog.tables {
            schema.order_columns(&table.name, &table.column_order);
        }
    }
    schema
}

/// The statements that turn one catalog into another.
pub fn plan(before: &Catalog, after: &Catalog) -> Result<Vec<String>, String> {
    let ddl = PostgresDdl;
    let (from, to) = (facts(before), facts(after));
    let (source, target) = (schema(&from, [after, before]), schema(&to, [before, after]));
    let ids: BTreeSet<&FactId> = from.keys().chain(to.keys()).collect();
    let mut middle = Facts::new();
    for id in ids {
        let fact = match (from.get(id), to.get(id)) {
            (Some(old), Some(new)) if old.attributes == new.attributes => Some(new.clone()),
            (old, new) => ddl.midway(old, new, &source, &target),
        };
        middle.extend(fact.map(|fact| (id.clone(), fact)));
    }
    let mut sql = ddl.preamble();
    // What belongs to something that is not there is not there either.
    loop {
        let schema = Schema::new(middle.values());
        let is_orphan = |fact: &&Fact| {
            let container = ddl.container(fact, &target).or_else(|| ddl.container(fact, &source));
            container.is_some_and(|container| schema.get(&container).is_none())
        };
        let orphans: Vec<FactId> =
            schema.facts().filter(is_orphan).map(|fact| fact.id.clone()).collect();
        if orphans.is_empty() {
            break;
        }
        middle.retain(|id, _| !orphans.contains(id));
    }
    sql.extend(stage(&from, &middle, [before, after])?);
    sql.extend(stage(&middle, &to, [before, after])?);
    Ok(sql)
}

struct Stage<'a> {
    ddl: PostgresDdl,
    from: &'a Facts,
    to: &'a Facts,
    source: Schema<'a>,
    target: Schema<'a>,
    /// Whoever needs a fact, in the schema before.
    dependents: BTreeMap<FactId, Vec<FactId>>,
    gone: BTreeSet<FactId>,
    made: BTreeSet<FactId>,
    altered: BTreeMap<FactId, (Fact, Fact)>,
    weakened: BTreeMap<FactId, Fact>,
}

fn stage(from: &Facts, to: &Facts, catalogs: [&Catalog; 2]) -> Result<Vec<String>, String> {
    let (source, target) = (schema(from, catalogs), schema(to, catalogs));
    let mut stage = Stage {
        ddl: PostgresDdl,
        from,
        to,
        source,
        target,
        dependents: BTreeMap::new(),
        gone: BTreeSet::new(),
        made: BTreeSet::new(),
        altered: BTreeMap::new(),
        weakened: BTreeMap::new(),
    };
    for (id, fact) in from {
        for needed in stage.ddl.requires(fact, &stage.source) {
            stage.dependents.entry(needed).or_default().push(id.clone());
        }
    }
    stage.decide()?;
    let steps = stage.steps();
    let ordered = stage.order(steps)?;
    stage.write(&ordered)
}

impl Stage<'_> {
    fn decide(&mut self) -> Result<(), String> {
        let mut work = Vec::new();
        for (id, fact) in self.from {
            match self.to.get(id) {
                None => work.push((id.clone(), None)),
                Some(after) if after.attributes != fact.attributes => {
                    match self.ddl.alter(fact, after, &self.source, &self.target) {
                        Alteration::InPlace(_) => {
                            self.altered.insert(id.clone(), (fact.clone(), after.clone()));
                            work.push((id.clone(), Some(after.clone())));
                        }
                        Alteration::Remade => work.push((id.clone(), None)),
                        Alteration::Rebuilt => return Err(format!("{id} would be rebuilt")),
                        Alteration::Refused(why) => return Err(why),
                    }
                }
                Some(_) => {}
            }
        }
        self.made.extend(self.to.keys().filter(|id| !self.from.contains_key(*id)).cloned());
        while let Some((id, becomes)) = work.pop() {
            if becomes.is_none() {
                if !self.gone.insert(id.clone()) {
                    continue;
                }
                self.altered.remove(&id);
                self.weakened.remove(&id);
                if self.to.contains_key(&id) {
                    self.made.insert(id.clone());
                }
                for (other, fact) in self.from {
                    if self.ddl.container(fact, &self.source).as_ref() == Some(&id) {
                        work.push((other.clone(), None));
                    }
                }
            }
            let needed = &self.from[&id];
            for other in self.dependents.get(&id).cloned().unwrap_or_default() {
                let (Some(fact), Some(after)) = (self.from.get(&other), self.to.get(&other)) else {
                    continue;
                };
                if self.gone.contains(&other) {
                    continue;
                }
                let broken = becomes.as_ref().map_or(Break::Gone, Break::Altered);
                match self.ddl.yields(fact, after, needed, broken, &self.source) {
                    Yielding::Stands => {}
                    Yielding::Remade => work.push((other, None)),
                    Yielding::Weakened(weaker) => {
                        if self.weakened.insert(other.clone(), weaker.clone()).as_ref()
                            != Some(&weaker)
                        {
                            work.push((other, Some(weaker)));
                        }
                    }
                    Yielding::Refused(why) => return Err(why),
                }
            }
        }
        Ok(())
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.gone.iter().cloned().map(Step::Drop));
        for (id, (before, after)) in &self.altered {
            let before = self.weakened.get(id).unwrap_or(before);
            steps.push(Step::Alter(id.clone(), before.clone().into(), after.clone().into()));
        }
        for (id, weaker) in &self.weakened {
            steps.push(Step::Alter(
                id.clone(),
                self.from[id].clone().into(),
                weaker.clone().into(),
            ));
            if !self.altered.contains_key(id) {
                steps.push(Step::Alter(
                    id.clone(),
                    weaker.clone().into(),
                    self.to[id].clone().into(),
                ));
            }
        }
        steps.extend(self.made.iter().cloned().map(Step::Create));
        steps
    }

    /// The outermost container of a fact that goes or comes with it.
    fn holder(&self, id: &FactId, is_made: bool) -> FactId {
        let (facts, schema, set) = match is_made {
            true => (self.to, &self.target, &self.made),
            false => (self.from, &self.source, &self.gone),
        };
        let fact = &facts[id];
        match self.ddl.container(fact, schema) {
            Some(container)
                if set.contains(&container) && (!is_made || self.ddl.is_inline(fact, schema)) =>
            {
                self.holder(&container, is_made)
            }
            _ => id.clone(),
        }
    }

    fn order(&self, mut steps: Vec<Step>) -> Result<Vec<Step>, String> {
        let mut ordered = Vec::new();
        // Weaker versions of inline facts, which are altered later.
        loop {
            match self.sorted(&steps) {
                Ok(places) => {
                    ordered.extend(places.into_iter().map(|place| steps[place].clone()));
                    return Ok(ordered);
                }
                Err(stuck) => {
                    let is_new = |id: &FactId| {
                        !steps
                            .iter()
                            .any(|step| matches!(step, Step::Alter(other, ..) if other == id))
                    };
                    let weaker = stuck.iter().find_map(|&place| {
                        let Step::Create(id) = &steps[place] else { return None };
                        if !is_new(id) {
                            return None;
                        }
                        let is_inline = self.holder(id, true) != *id;
                        let weaker = self.ddl.weaker(&self.to[id]).filter(|_| is_inline)?;
                        Some((id.clone(), weaker))
                    });
                    match weaker {
                        Some((id, weaker)) => {
                            let full = self.to[&id].clone();
                            steps.push(Step::Alter(id, weaker.into(), full.into()));
                        }
                        None => {
                            let stuck: Vec<_> = stuck.iter().map(|&at| named(&steps[at])).collect();
                            return Err(format!("a cycle: {stuck:#?}"));
                        }
                    }
                }
            }
        }
    }

    /// The places of the steps in their order, or those that wait for each other.
    fn sorted(&self, steps: &[Step]) -> Result<Vec<usize>, Vec<usize>> {
        let group = |step: &Step| match step {
            Step::Drop(id) => ("drop", self.holder(id, false)),
            Step::Create(id) => ("create", self.holder(id, true)),
            Step::Alter(id, ..) => ("alter", id.clone()),
        };
        let is_weak = |id: &FactId| {
            self.made.contains(id)
                && steps.iter().any(|step| matches!(step, Step::Alter(other, ..) if other == id))
        };
        let mut edges: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); steps.len()];
        let down = |id: &FactId| self.weakened.contains_key(id);
        let find = |wanted: &dyn Fn(&Step) -> bool| -> Vec<usize> {
            (0..steps.len()).filter(|&at| wanted(&steps[at])).collect()
        };
        let is_down = |step: &Step| {
            matches!(step, Step::Alter(id, before, _) if down(id) && **before == self.from[id]
                && self.weakened.get(id) != Some(&**before))
        };
        let mut by_id: BTreeMap<&FactId, Vec<usize>> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            let (Step::Drop(id) | Step::Create(id) | Step::Alter(id, ..)) = step;
            by_id.entry(id).or_default().push(at);
        }
        let of = |id: &FactId| by_id.get(id).cloned().unwrap_or_default();
        for (at, step) in steps.iter().enumerate() {
            let (needs, breaks): (Option<&Fact>, Option<&FactId>) = match step {
                Step::Drop(id) => (None, Some(id)),
                Step::Create(id) if is_weak(id) => {
                    let weak = steps.iter().find_map(|step| match step {
                        Step::Alter(other, before, _) if other == id => Some(&**before),
                        _ => None,
                    });
                    (weak, None)
                }
                Step::Create(id) => (self.to.get(id), None),
                Step::Alter(id, before, after) => {
                    let is_first = self.from.get(id) == Some(&**before);
                    (Some(&**after), is_first.then_some(id))
                }
            };
            if let Some(fact) = needs
                && !is_down(step)
            {
                for needed in self.ddl.requires(fact, &self.target) {
                    for other in of(&needed) {
                        if !matches!(steps[other], Step::Drop(_)) && !is_down(&steps[other]) {
                            let waits = matches!(&steps[other], Step::Alter(id, ..) if is_weak(id));
                            if !waits {
                                edges[at].insert(other);
                            }
                        }
                    }
                }
            }
            if let Some(id) = breaks {
                for dependent in self.dependents.get(id).into_iter().flatten() {
                    for other in of(dependent) {
                        if matches!(steps[other], Step::Drop(_))
                            || is_down(&steps[other])
                            || matches!(step, Step::Drop(_))
                                && matches!(steps[other], Step::Alter(..))
                                && !down(dependent)
                        {
                            edges[at].insert(other);
                        }
                    }
                }
            }
            match step {
                Step::Create(id) => {
                    let names = self.ddl.names(&self.to[id]);
                    edges[at].extend(find(&|other| match other {
                        Step::Drop(gone) => {
                            gone == id
                                || self
                                    .ddl
                                    .names(&self.from[gone])
                                    .iter()
                                    .any(|n| names.contains(n))
                        }
                        _ => false,
                    }));
                }
                Step::Alter(id, ..) => {
                    for other in of(id) {
                        let is_before = matches!(steps[other], Step::Create(_))
                            || is_down(&steps[other]) && !is_down(step);
                        if is_before && other != at {
                            edges[at].insert(other);
                        }
                    }
                }
                Step::Drop(_) => {}
            }
        }
        // What goes or comes with another stands where that does.
        let mut groups: BTreeMap<_, usize> = BTreeMap::new();
        let mut group_of = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let key = match step {
                Step::Alter(..) => (format!("alter {at}"), group(step).1),
                _ => (group(step).0.to_owned(), group(step).1),
            };
            let next = groups.len();
            group_of.push(*groups.entry(key).or_insert(next));
        }
        let mut waits: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); groups.len()];
        for (at, others) in edges.iter().enumerate() {
            for &other in others {
                if group_of[other] != group_of[at] {
                    waits[group_of[at]].insert(group_of[other]);
                }
            }
        }
        let rank = |step: &Step| match step {
            Step::Drop(id) => self.ddl.rank(FactChange::Dropped(&self.from[id])),
            Step::Create(id) => self.ddl.rank(FactChange::Created(&self.to[id])),
            Step::Alter(_, before, after) => self.ddl.rank(FactChange::Altered(before, after)),
        };
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
        for (at, &group) in group_of.iter().enumerate() {
            members[group].push(at);
        }
        // What a group is about is its head.
        let key = |group_number: usize| {
            let is_head = |&&at: &&usize| match &steps[at] {
                Step::Alter(..) => true,
                Step::Drop(id) | Step::Create(id) => group(&steps[at]).1 == *id,
            };
            members[group_number].iter().filter(is_head).map(|&at| (rank(&steps[at]), at)).min()
        };
        let mut ready: BTreeSet<_> =
            (0..groups.len()).filter(|&g| waits[g].is_empty()).map(|g| (key(g), g)).collect();
        let mut blocks: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
        for (group, others) in waits.iter().enumerate() {
            for &other in others {
                blocks[other].push(group);
            }
        }
        let (mut order, mut done) = (Vec::new(), BTreeSet::new());
        while let Some((_, group)) = ready.pop_first() {
            done.insert(group);
            order.extend(members[group].iter().copied());
            for &blocked in &blocks[group] {
                waits[blocked].remove(&group);
                if waits[blocked].is_empty() {
                    ready.insert((key(blocked), blocked));
                }
            }
        }
        match done.len() == groups.len() {
            true => Ok(order),
            false => {
                // Along what is waited for, until something comes up again.
                let left = (0..groups.len()).find(|group| !done.contains(group));
                let (mut at, mut seen) = (left.unwrap_or(0), Vec::new());
                while !seen.contains(&at) {
                    seen.push(at);
                    at = waits[at].iter().copied().next().unwrap_or(at);
                }
                let start = seen.iter().position(|&group| group == at).unwrap_or(0);
                Err(seen[start..].iter().flat_map(|&group| members[group].clone()).collect())
            }
        }
    }

    fn write(&self, steps: &[Step]) -> Result<Vec<String>, String> {
        let mut statements = Vec::new();
        let weak: BTreeMap<&FactId, &Fact> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Alter(id, before, _) if self.made.contains(id) => Some((id, &**before)),
                _ => None,
            })
            .collect();
        for step in steps {
            match step {
                Step::Drop(id) if self.holder(id, false) != *id => {}
                Step::Drop(id) => {
                    let fact = &self.from[id];
                    let container = self.ddl.container(fact, &self.source);
                    if !container.is_some_and(|container| self.gone.contains(&container)) {
                        statements.extend(self.ddl.drop(fact, &self.source)?);
                    }
                }
                Step::Alter(_, before, after) => {
                    match self.ddl.alter(before, after, &self.source, &self.target) {
                        Alteration::InPlace(made) => statements.extend(made),
                        other => return Err(format!("{}: {other:?}", after.id)),
                    }
                }
                Step::Create(id) if self.holder(id, true) != *id => {}
                Step::Create(id) => {
                    let inline: Vec<&Fact> = self
                        .made
                        .iter()
                        .filter(|other| *other != id && self.holder(other, true) == *id)
                        .map(|other| weak.get(other).copied().unwrap_or(&self.to[other]))
                        .collect();
                    statements.extend(self.ddl.create(&self.to[id], &inline, &self.target)?);
                }
            }
        }
        Ok(self.rendered(statements))
    }

    fn rendered(&self, statements: Vec<Statement>) -> Vec<String> {
        let mut sql: Vec<String> = Vec::new();
        let mut open: Option<(deepdiff_db::model::ObjectName, Vec<String>)> = None;
        for statement in statements {
            match statement {
                Statement::Clause { table, clause } => {
                    if let Some((name, clauses)) = &mut open
                        && *name == table
                    {
                        let mut more = clauses.clone();
                        more.push(clause.clone());
                        if let Some(joined) = self.ddl.joined(&table, &more) {
                            *clauses = more;
                            *sql.last_mut().unwrap() = joined;
                            continue;
                        }
                    }
                    sql.push(self.ddl.alter_table(&table, &clause));
                    open = Some((table, vec![clause]));
                }
                Statement::Whole(text) => {
                    sql.push(text);
                    open = None;
                }
            }
        }
        sql
    }
}
