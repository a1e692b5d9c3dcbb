//! The order in which the rows of all tables change.
//!
//! Tables are joined to groups by the foreign keys between those that change. A group whose
//! changes do not meet in a constraint runs in the plain order: inserts, parents first; updates;
//! deletes, children first; its changes stream through and memory does not grow with them. Where
//! they do meet, every change of the group becomes a node of a graph (about 100 bytes each).

mod kept;
mod refusal;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::changes::damaged;
use super::edges::EdgeFinder;
use super::error::PackError;
use super::graph::{Graph, Turn};
use super::parking::{self, Accepts, Known, Parking};
use super::rules::Rules;
use super::shape::Shape;
use super::spool::{Change, Place, RunReader, Spool, SpoolError, TableRuns, Verb};

pub(super) use kept::report as report_kept;

/// What becomes of the deletes of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// They run.
    Run,
    /// They are not allowed.
    LeftOut,
    /// They are no deletes: the table should be dropped and is not, so its rows stay.
    Held,
}

/// Changes that a pack did not run, and that undoing it does not undo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// All changes of these verbs.
    pub verbs: Vec<Verb>,
    /// Single changes.
    pub places: BTreeSet<Place>,
}

/// A table whose rows change.
#[derive(Debug)]
pub struct TableWork<'a> {
    /// Its columns while the rows change.
    pub shape: Shape,
    /// The changes as they were compared.
    pub runs: &'a TableRuns,
    /// Whether they are undone.
    pub is_reversed: bool,
    /// What of them is not there.
    pub skipped: Skipped,
    /// What becomes of the deletes.
    pub deletes: Deletes,
    /// Changes that an index which stays forbids, and why.
    pub held: BTreeMap<Place, String>,
    /// Whether its rows change around the statements that change the table, and not among the others.
    pub leaves: bool,
}

impl<'a> TableWork<'a> {
    /// How many changes of a verb there are at most.
    pub fn changes(&self, verb: Verb) -> u64 {
        let original = if self.is_reversed { verb.reversed() } else { verb };
        if self.skipped.verbs.contains(&original) {
            return 0;
        }
        self.runs.of(original).changes
    }

    /// The changes of a verb, in key order.
    pub fn read<'s>(&'s self, spool: &'s Spool, verb: Verb) -> Changes<'s> {
        let original = if self.is_reversed { verb.reversed() } else { verb };
        let is_skipped = self.skipped.verbs.contains(&original);
        let reader = (!is_skipped).then(|| spool.read(self.runs.of(original)));
        self.changes_of(reader, self.is_reversed)
    }

    /// The changes of a verb that a strategy keeps from running, in key order. There is nothing of
    /// them to undo.
    pub fn kept<'s>(&'s self, spool: &'s Spool, verb: Verb) -> Changes<'s> {
        let reader = (!self.is_reversed).then(|| spool.read(self.runs.kept(verb)));
        self.changes_of(reader, false)
    }

    fn changes_of<'s>(&'s self, reader: Option<RunReader<'s>>, is_reversed: bool) -> Changes<'s> {
        Changes { reader, skipped: &self.skipped.places, is_reversed }
    }

    fn keeps_any(&self) -> bool {
        !self.is_reversed && self.runs.kept_changes() > 0
    }

    fn at(&self, spool: &Spool, place: Place) -> Result<Change, PackError> {
        let change = spool.at(place).map_err(|error| self.damaged(error))?;
        Ok(if self.is_reversed { change.reversed() } else { change })
    }

    /// The error of a spool that cannot be read.
    pub fn damaged(&self, error: SpoolError) -> PackError {
        damaged(self.shape.table(), error)
    }

    /// Whether its deletes run.
    pub fn runs_deletes(&self) -> bool {
        self.deletes == Deletes::Run
    }
}

/// The changes of one verb of one table, in key order.
pub struct Changes<'s> {
    reader: Option<RunReader<'s>>,
    skipped: &'s BTreeSet<Place>,
    is_reversed: bool,
}

impl Iterator for Changes<'_> {
    type Item = Result<(Place, Change), SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.reader.as_mut()?.next()? {
                Ok((place, _)) if self.skipped.contains(&place) => {}
                Ok((place, change)) => {
                    let change = if self.is_reversed { change.reversed() } else { change };
                    return Some(Ok((place, change)));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Which part of a change a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'p> {
    /// All of it.
    Whole,
    /// The row leaves its unique values.
    Park(&'p Parking),
    /// The row comes from where it waited.
    Unpark(&'p Parking),
}

/// A step of the finished order.
#[derive(Debug)]
pub struct RowStep<'c> {
    /// The table, by its place.
    pub table: usize,
    /// The change.
    pub change: &'c Change,
    /// Which part of it.
    pub part: Part<'c>,
    /// The steps it must follow.
    pub needs: Vec<u64>,
}

/// A change that does not run.
#[derive(Debug)]
pub struct RowLeftOut<'c> {
    /// The table, by its place.
    pub table: usize,
    /// Where the change stands in the spool.
    pub place: Place,
    /// The change.
    pub change: &'c Change,
    /// What is in its way; `None` where it is not allowed itself.
    pub because: Option<Because<'c>>,
}

/// What is in the way of a change.
#[derive(Debug, Clone, Copy)]
pub enum Because<'c> {
    /// Another change that does not run, with its table.
    Change(usize, &'c Change),
    /// Another change, which a strategy keeps from running, with its table.
    KeptChange(usize, &'c Change),
    /// Something that stays.
    Kept(&'c str),
}

/// A change that a strategy keeps from running.
#[derive(Debug)]
pub struct RowKept<'c> {
    /// The table, by its place.
    pub table: usize,
    /// The change.
    pub change: &'c Change,
}

/// Takes the finished order.
pub trait Steps {
    /// Foreign keys are checked at the end of the transaction from here on.
    fn defer(&mut self) -> Result<(), PackError>;
    /// The next step; gives its number.
    fn step(&mut self, step: RowStep<'_>) -> Result<u64, PackError>;
    /// A change that does not run.
    fn left_out(&mut self, left_out: RowLeftOut<'_>) -> Result<(), PackError>;
    /// A change that a strategy keeps from running.
    fn kept(&mut self, kept: RowKept<'_>) -> Result<(), PackError>;
}

/// Orders the changes of all tables and hands them on.
pub fn arrange(
    spool: &Spool,
    tables: &[TableWork<'_>],
    rules: &Rules,
    accepts: &mut Accepts<'_>,
    steps: &mut dyn Steps,
) -> Result<(), PackError> {
    let mut links = links(tables, rules);
    links.retain(|&(child, parent)| !tables[child].leaves && !tables[parent].leaves);
    let (is_deferred, parked, known) = (false, 0, Known::new());
    let mut arranger =
        Arranger { spool, tables, rules, accepts, steps, links, is_deferred, parked, known };
    for group in arranger.groups() {
        arranger.group(&group)?;
    }
    Ok(())
}

struct Arranger<'a, 'b> {
    spool: &'a Spool,
    tables: &'a [TableWork<'a>],
    rules: &'a Rules,
    accepts: &'b mut Accepts<'b>,
    steps: &'b mut dyn Steps,
    /// The foreign keys between two tables of the work, by place: child, parent.
    links: BTreeSet<(usize, usize)>,
    is_deferred: bool,
    parked: u32,
    known: Known,
}

fn links(tables: &[TableWork<'_>], rules: &Rules) -> BTreeSet<(usize, usize)> {
    let names = tables.iter().map(|table| table.shape.label());
    let places: BTreeMap<&str, usize> = names.zip(0..).collect();
    let place = |name: &str| places.get(name).copied();
    let keys = rules.foreign_keys.iter();
    keys.filter_map(|key| Some((place(&key.child)?, place(&key.parent)?))).collect()
}

/// A change in the graph.
#[derive(Debug, Clone, Copy)]
struct Node {
    place: Place,
    table: u32,
    verb: Verb,
    is_kept: bool,
}

impl Arranger<'_, '_> {
    fn name(&self, table: usize) -> &str {
        self.tables[table].shape.label()
    }

    /// The groups, each with parents before children, in the order of their first tables' names.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut group_of: Vec<usize> = (0..self.tables.len()).collect();
        for &(child, parent) in &self.links {
            let (from, to) = (group_of[child], group_of[parent]);
            for group in group_of.iter_mut().filter(|group| **group == from) {
                *group = to;
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (table, group) in group_of.iter().enumerate() {
            if !self.tables[table].leaves {
                groups.entry(*group).or_default().push(table);
            }
        }
        let mut groups: Vec<Vec<usize>> =
            groups.into_values().map(|group| self.parents_first(&group)).collect();
        groups.sort_by_key(|group| group.iter().map(|&t| self.name(t).to_owned()).min());
        groups
    }

    fn parents_first(&self, group: &[usize]) -> Vec<usize> {
        let mut left: Vec<usize> = group.to_vec();
        left.sort_by_key(|&table| self.name(table));
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let is_free = |&table: &usize| {
                left.iter().all(|&other| other == table || !self.links.contains(&(table, other)))
            };
            let next = left.iter().position(is_free).unwrap_or(0);
            order.push(left.remove(next));
        }
        order
    }

    fn group(&mut self, group: &[usize]) -> Result<(), PackError> {
        let shapes = group.iter().map(|&table| &self.tables[table].shape).collect();
        let mut finder = EdgeFinder::new(shapes, self.rules);
        let is_linked = self.is_linked(group);
        let may_clash = group
            .iter()
            .enumerate()
            .any(|(at, &table)| finder.has_unique_keys(at) && self.tables[table].may_clash());
        let is_held = group.iter().any(|&table| !self.tables[table].held.is_empty());
        let is_linked = is_linked || self.is_kept_linked(group);
        if !is_linked && !may_clash && !is_held {
            return self.plain(group);
        }
        self.each(group, |node, at, change| finder.add_unique(node, at, change))?;
        if !is_linked && !is_held && !finder.has_unique_clash() {
            return self.plain(group);
        }
        self.each(group, |node, at, change| finder.add_foreign(node, at, change))?;
        self.by_graph(group, finder)
    }

    /// Whether the plain order may be wrong for the foreign keys of a group.
    fn is_linked(&self, group: &[usize]) -> bool {
        let order: BTreeMap<usize, usize> = group.iter().copied().zip(0..).collect();
        self.links.iter().any(|&(child, parent)| {
            let (Some(at_child), Some(at_parent)) = (order.get(&child), order.get(&parent)) else {
                return false;
            };
            let (child, parent) = (&self.tables[child], &self.tables[parent]);
            // Rows come and go in one table and refer to one another.
            let is_circle = at_child <= at_parent;
            let may_move_key = parent.changes(Verb::Update) > 0 && self.is_key_moved(parent);
            let stays = child.changes(Verb::Delete) > 0 && !child.runs_deletes();
            let goes = parent.changes(Verb::Delete) > 0 && parent.runs_deletes();
            is_circle || may_move_key || (stays && goes)
        })
    }

    /// Whether updates can change what rows refer to: never the key that rows are matched by.
    fn is_key_moved(&self, parent: &TableWork<'_>) -> bool {
        let key: BTreeSet<&str> =
            parent.shape.key().iter().map(|&place| parent.shape.name(place)).collect();
        self.rules
            .referring_to(parent.shape.label())
            .any(|link| link.parent_columns.iter().any(|(name, _)| !key.contains(name.as_str())))
    }

    /// Every change of a group, numbered in the plain order.
    fn each(
        &self,
        group: &[usize],
        mut take: impl FnMut(u32, usize, &Change),
    ) -> Result<Vec<Node>, PackError> {
        let mut nodes = Vec::new();
        for verb in Verb::EVERY {
            for at in self.plain_order(group, verb) {
                let table = &self.tables[group[at]];
                let wanted = table.read(self.spool, verb).map(|change| (change, false));
                let kept = table.kept(self.spool, verb).map(|change| (change, true));
                for (change, is_kept) in wanted.chain(kept) {
                    let (place, change) = change.map_err(|error| table.damaged(error))?;
                    let node = u32::try_from(nodes.len()).map_err(|_| self.too_many(table))?;
                    take(node, at, &change);
                    let table = u32::try_from(at).map_err(|_| self.too_many(table))?;
                    nodes.push(Node { place, table, verb, is_kept });
                }
            }
        }
        Ok(nodes)
    }

    fn plain_order(&self, group: &[usize], verb: Verb) -> Vec<usize> {
        let places = 0..group.len();
        if verb == Verb::Delete { places.rev().collect() } else { places.collect() }
    }

    fn plain(&mut self, group: &[usize]) -> Result<(), PackError> {
        for verb in Verb::EVERY {
            for at in self.plain_order(group, verb) {
                let number = group[at];
                let table = &self.tables[number];
                if verb == Verb::Delete && table.deletes == Deletes::Held {
                    kept::report(self.spool, number, table, verb, self.steps)?;
                    continue;
                }
                for change in table.read(self.spool, verb) {
                    let (place, change) = change.map_err(|error| table.damaged(error))?;
                    let change = &change;
                    if verb == Verb::Delete && !table.runs_deletes() {
                        let left = RowLeftOut { table: number, place, change, because: None };
                        self.steps.left_out(left)?;
                        continue;
                    }
                    let (part, needs) = (Part::Whole, Vec::new());
                    self.steps.step(RowStep { table: number, change, part, needs })?;
                }
                kept::report(self.spool, number, table, verb, self.steps)?;
            }
        }
        Ok(())
    }

    fn by_graph(&mut self, group: &[usize], finder: EdgeFinder<'_>) -> Result<(), PackError> {
        let nodes = self.each(group, |_, _, _| {})?;
        let mut found = finder.finish();
        self.part_rows(group, &nodes, &mut found.edges)?;
        let count = u32::try_from(nodes.len()).expect("counted while they were numbered");
        let mut graph = Graph::new(count, found.edges).with_themselves(found.themselves);
        let table_of = |node: u32| group[index(nodes[index(node)].table)];
        let excluded = |node: u32| {
            let Node { place, verb, is_kept, .. } = nodes[index(node)];
            let table = &self.tables[table_of(node)];
            let is_left_out = verb == Verb::Delete && !table.runs_deletes();
            is_kept || is_left_out || table.held.contains_key(&place)
        };
        let blocked = graph.blocked(excluded);
        let runs = |node: u32| blocked[index(node)].is_none();
        self.report(group, &nodes, &blocked)?;
        graph.detach(|node| !runs(node));
        let parkings = self.parkings(group, &nodes, graph, runs)?;
        if parkings.is_deferred || found.moves_referenced_value {
            self.defer()?;
        }
        self.run(group, &nodes, &parkings)
    }

    fn report(
        &mut self,
        group: &[usize],
        nodes: &[Node],
        blocked: &[Option<u32>],
    ) -> Result<(), PackError> {
        for (node, cause) in nodes.iter().zip(blocked).enumerate().filter_map(|(at, (n, cause))| {
            cause.map(|cause| (n, (index(cause) != at).then_some(cause)))
        }) {
            let table = group[index(node.table)];
            let change = self.tables[table].at(self.spool, node.place)?;
            if node.is_kept {
                self.steps.kept(RowKept { table, change: &change })?;
                continue;
            }
            let cause = match cause {
                Some(cause) => {
                    let node = nodes[index(cause)];
                    let table = group[index(node.table)];
                    Some((table, self.tables[table].at(self.spool, node.place)?, node.is_kept))
                }
                None => None,
            };
            let because = match &cause {
                Some((table, change, true)) => Some(Because::KeptChange(*table, change)),
                Some((table, change, false)) => Some(Because::Change(*table, change)),
                None => self.tables[table].held.get(&node.place).map(|why| Because::Kept(why)),
            };
            self.steps.left_out(RowLeftOut {
                table,
                place: node.place,
                change: &change,
                because,
            })?;
        }
        Ok(())
    }

    fn parkings(
        &mut self,
        group: &[usize],
        nodes: &[Node],
        graph: Graph,
        runs: impl Fn(u32) -> bool,
    ) -> Result<Parked, PackError> {
        let found: RefCell<BTreeMap<u32, Parking>> = RefCell::default();
        let failed: RefCell<Option<PackError>> = RefCell::default();
        let number = RefCell::new(self.parked);
        let accepts = RefCell::new(&mut *self.accepts);
        let known = RefCell::new(std::mem::take(&mut self.known));
        let may_park = |node: u32| {
            let Node { place, table, .. } = nodes[index(node)];
            if found.borrow().contains_key(&node) {
                return false;
            }
            let table = &self.tables[group[index(table)]];
            let parking = table.at(self.spool, place).and_then(|change| {
                let ask = &mut **accepts.borrow_mut();
                let (number, known) = (*number.borrow(), &mut *known.borrow_mut());
                parking::find(&table.shape, self.rules, &change, number, known, ask)
            });
            match parking {
                Ok(Some(parking)) => {
                    *number.borrow_mut() += 1;
                    found.borrow_mut().insert(node, parking);
                    true
                }
                Ok(None) => false,
                Err(error) => {
                    failed.borrow_mut().get_or_insert(error);
                    false
                }
            }
        };
        let may_let_go = |node: u32| {
            let Node { place, table, .. } = nodes[index(node)];
            let table = &self.tables[group[index(table)]];
            match table.at(self.spool, place) {
                Ok(change) => {
                    let parking = parking::letting_go(&table.shape, self.rules, &change);
                    let may = parking.is_some();
                    found.borrow_mut().extend(parking.map(|parking| (node, parking)));
                    may
                }
                Err(error) => {
                    failed.borrow_mut().get_or_insert(error);
                    false
                }
            }
        };
        let verb = |node: u32| nodes[index(node)].verb;
        let arranged = graph.arrange(runs, verb, may_park, may_let_go);
        self.parked = number.into_inner();
        self.known = known.into_inner();
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        let places = found.into_inner();
        match arranged {
            Ok(arranged) => {
                let reinserts = places.values().any(|parking| *parking == Parking::Reinsert);
                let is_deferred = arranged.is_deferred || reinserts;
                let (turns, needs) = (arranged.turns, arranged.needs);
                Ok(Parked { turns, needs, is_deferred, places })
            }
            Err(circle) => Err(self.refuse_circle(group, nodes, &circle)),
        }
    }

    fn defer(&mut self) -> Result<(), PackError> {
        if !self.is_deferred {
            self.is_deferred = true;
            self.steps.defer()?;
        }
        Ok(())
    }

    fn run(&mut self, group: &[usize], nodes: &[Node], parked: &Parked) -> Result<(), PackError> {
        let mut numbers: Vec<u64> = Vec::with_capacity(parked.turns.len());
        let mut needs = &parked.needs[..];
        for (at, turn) in parked.turns.iter().enumerate() {
            let (Turn::Run(number) | Turn::Park(number)) = *turn;
            let node = nodes[index(number)];
            let table = group[index(node.table)];
            let change = self.tables[table].at(self.spool, node.place)?;
            let part = match (turn, parked.places.get(&number)) {
                (Turn::Park(_), Some(parking)) => Part::Park(parking),
                (Turn::Run(_), Some(parking)) => Part::Unpark(parking),
                _ => Part::Whole,
            };
            let own = needs.partition_point(|(turn, _)| index(*turn) <= at);
            let follows = needs[..own].iter().map(|(_, needed)| numbers[index(*needed)]).collect();
            needs = &needs[own..];
            let step = RowStep { table, change: &change, part, needs: follows };
            numbers.push(self.steps.step(step)?);
        }
        Ok(())
    }
}

impl TableWork<'_> {
    /// Whether its changes could meet in a unique key: one gives up, another takes.
    fn may_clash(&self) -> bool {
        self.keeps_any()
            || self.changes(Verb::Update) > 0
            || (self.changes(Verb::Insert) > 0 && self.changes(Verb::Delete) > 0)
    }
}

/// The order of a group, and where rows wait.
struct Parked {
    turns: Vec<Turn>,
    needs: Vec<(u32, u32)>,
    is_deferred: bool,
    places: BTreeMap<u32, Parking>,
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("addresses have at least 32 bits")
}
