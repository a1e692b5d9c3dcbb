//! The graph of row changes: which must run before which, and what to do where that is a circle.
//!
//! An edge says "first this, then that", and why. Edges of constraints that may be checked at the
//! end of the transaction are soft: dropped where they would close a circle. Other edges of unique
//! keys are never dropped: a
//! circle of them is opened by splitting an update in two, which parks the row on a value nobody
//! else has. The order is the same for the same input: ties go to the change with the lower number.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::edges::Itself;
use super::spool::Verb;

/// Why one change must run before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The first gives up the value of a unique key that the second takes.
    Unique,
    /// As `Unique`, where the key may be checked later.
    UniqueLater,
    /// The first makes the row that the second refers to; may be checked later.
    ParentFirst,
    /// As `ParentFirst`, where it is checked at once.
    ParentFirstAlways,
    /// As `ParentFirstAlways`, where the row that refers may refer to nothing for a while.
    ParentFirstOrNull,
    /// The first stops referring to a row that the second removes; may be checked later.
    ChildFirst,
    /// As `ChildFirst`, where it is checked at once, or removing the row would change the rows that
    /// still refer to it.
    ChildFirstAlways,
    /// As `ChildFirstAlways`, where the row that refers may refer to nothing for a while.
    ChildFirstOrNull,
    /// The first parks the row that the second moves to where it belongs.
    Parked,
}

/// An order of two changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Runs first.
    pub from: u32,
    /// Runs later.
    pub to: u32,
    /// Why.
    pub why: Why,
}

/// The changes, numbered in the order they would run in if nothing spoke against it.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: u32,
    /// The first number that stands for the parking half of a split change.
    parked_of: Vec<u32>,
    first_parked: u32,
    edges: Vec<Edge>,
    themselves: Vec<Itself>,
}

/// A change of the finished order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The change with this number, or its second half where it was parked.
    Run(u32),
    /// The first half of the change with this number.
    Park(u32),
}

/// The finished order.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// The turns, in order.
    pub turns: Vec<Turn>,
    /// Which turns a turn must follow, by their places: (turn, the one before it), sorted.
    pub needs: Vec<(u32, u32)>,
    /// Whether foreign keys must be checked at the end of the transaction.
    pub is_deferred: bool,
}

/// A circle that cannot be opened, by its changes.
#[derive(Debug, PartialEq, Eq)]
pub struct Circle(pub Vec<u32>);

impl Graph {
    /// A graph of `nodes` changes and these edges. Edges from a change to itself say nothing.
    pub fn new(nodes: u32, mut edges: Vec<Edge>) -> Self {
        edges.retain(|edge| edge.from != edge.to);
        edges.sort_unstable();
        edges.dedup();
        Graph { nodes, parked_of: Vec::new(), first_parked: nodes, edges, themselves: Vec::new() }
    }

    /// The same graph, in which these changes are in their own way.
    pub fn with_themselves(self, themselves: Vec<Itself>) -> Self {
        Graph { themselves, ..self }
    }

    /// What cannot run because something before it does not: for each change the one that is in
    /// its way, `None` where nothing is. `excluded` marks the changes that do not run to begin
    /// with; they come back as in their own way.
    pub fn blocked(&self, excluded: impl Fn(u32) -> bool) -> Vec<Option<u32>> {
        let mut blocked: Vec<Option<u32>> =
            (0..self.nodes).map(|node| excluded(node).then_some(node)).collect();
        let mut waiting: Vec<u32> = (0..self.nodes).filter(|&node| excluded(node)).collect();
        while let Some(from) = waiting.pop() {
            for edge in self.edges_from(from) {
                let slot = &mut blocked[index(edge.to)];
                if slot.is_none() {
                    *slot = Some(from);
                    waiting.push(edge.to);
                }
            }
        }
        blocked
    }

    fn edges_from(&self, from: u32) -> &[Edge] {
        let start = self.edges.partition_point(|edge| edge.from < from);
        let len = self.edges[start..].partition_point(|edge| edge.from == from);
        &self.edges[start..start + len]
    }

    /// Removes the edges of these changes.
    pub fn detach(&mut self, removed: impl Fn(u32) -> bool) {
        self.edges.retain(|edge| !removed(edge.from) && !removed(edge.to));
    }

    /// The order of the changes that `runs` says run. `may_park` says which can be split in two,
    /// `may_let_go` which of those that are in their own way.
    pub fn arrange(
        mut self,
        runs: impl Fn(u32) -> bool,
        verb: impl Fn(u32) -> Verb,
        may_park: impl Fn(u32) -> bool,
        may_let_go: impl Fn(u32) -> bool,
    ) -> Result<Arrangement, Circle> {
        let mut is_deferred = false;
        for soft in [Why::ParentFirst, Why::ChildFirst, Why::UniqueLater] {
            is_deferred |= self.drop_soft(soft);
        }
        loop {
            let circles = self.circles();
            if circles.members.is_empty() {
                break;
            }
            self.park_one_of_each(&circles, &verb, &may_park)?;
        }
        self.let_go_first(&runs, &verb, &may_let_go)?;
        let (turns, needs) = self.sorted(runs);
        Ok(Arrangement { turns, needs, is_deferred })
    }

    /// Drops the edges of this kind that lie within a circle.
    fn drop_soft(&mut self, soft: Why) -> bool {
        let circles = self.circles();
        let before = self.edges.len();
        if !circles.members.is_empty() {
            self.edges.retain(|edge| edge.why != soft || !circles.hold(edge));
        }
        before != self.edges.len()
    }

    fn park_one_of_each(
        &mut self,
        circles: &Circles,
        verb: &impl Fn(u32) -> Verb,
        may_park: &impl Fn(u32) -> bool,
    ) -> Result<(), Circle> {
        let within = |is_end: fn(&Edge) -> u32, whys: &[Why]| -> Vec<u32> {
            let held = self.edges.iter().filter(|e| whys.contains(&e.why) && circles.hold(e));
            let mut ends: Vec<u32> = held.map(is_end).collect();
            ends.sort_unstable();
            ends
        };
        let gives = within(|edge| edge.from, &[Why::Unique]);
        let takes = within(|edge| edge.to, &[Why::Unique]);
        let arrives = within(|edge| edge.to, &[Why::ParentFirstOrNull]);
        let leaves = within(|edge| edge.from, &[Why::ChildFirstOrNull]);
        let is_in = |ends: &[u32], node: u32| ends.binary_search(&node).is_ok();
        let swaps =
            |node: u32| verb(node) == Verb::Update && is_in(&gives, node) && is_in(&takes, node);
        let waits = |node: u32| match verb(node) {
            Verb::Insert => is_in(&arrives, node),
            Verb::Update => is_in(&leaves, node) || is_in(&arrives, node),
            Verb::Delete => is_in(&leaves, node) || is_in(&gives, node),
        };
        let mut parked = Vec::new();
        for circle in &circles.members {
            let whole = || circle.iter().copied().filter(|node| *node < self.first_parked);
            let candidate = whole()
                .find(|&node| swaps(node) && may_park(node))
                .or_else(|| whole().find(|&node| waits(node) && may_park(node)));
            match candidate {
                Some(node) => parked.push(node),
                None => return Err(Circle(circle.iter().map(|n| self.original(*n)).collect())),
            }
        }
        for node in parked {
            self.split(node, verb(node));
        }
        self.edges.sort_unstable();
        Ok(())
    }

    /// Splits the changes that are in their own way and were not parked anyway.
    fn let_go_first(
        &mut self,
        runs: &impl Fn(u32) -> bool,
        verb: &impl Fn(u32) -> Verb,
        may_let_go: &impl Fn(u32) -> bool,
    ) -> Result<(), Circle> {
        let mut split: BTreeSet<u32> = self.parked_of.iter().copied().collect();
        for Itself { node, may_let_go: may } in std::mem::take(&mut self.themselves) {
            if !runs(node) || !split.insert(node) {
                continue;
            }
            if !may || !may_let_go(node) {
                return Err(Circle(vec![node]));
            }
            self.split(node, verb(node));
        }
        self.edges.sort_unstable();
        Ok(())
    }

    /// Splits a change: the first half gives up what others wait for, the second takes what it waits
    /// for itself. A row that is inserted is there after the first half.
    fn split(&mut self, node: u32, verb: Verb) {
        let first = self.nodes;
        self.nodes += 1;
        self.parked_of.push(node);
        for edge in &mut self.edges {
            let gives = match verb {
                Verb::Insert => true,
                Verb::Update | Verb::Delete => {
                    matches!(edge.why, Why::Unique | Why::ChildFirstOrNull)
                }
            };
            let takes = match verb {
                Verb::Insert => !matches!(edge.why, Why::ParentFirstOrNull),
                Verb::Update => matches!(
                    edge.why,
                    Why::ChildFirst | Why::ChildFirstAlways | Why::ChildFirstOrNull
                ),
                Verb::Delete => false,
            };
            if edge.from == node && gives {
                edge.from = first;
            }
            if edge.to == node && takes {
                edge.to = first;
            }
        }
        self.edges.push(Edge { from: first, to: node, why: Why::Parked });
    }

    fn original(&self, node: u32) -> u32 {
        if node < self.first_parked {
            return node;
        }
        self.parked_of[index(node - self.first_parked)]
    }

    /// Kahn's order with a heap: of what may run, the lowest number runs first.
    fn sorted(&self, runs: impl Fn(u32) -> bool) -> (Vec<Turn>, Vec<(u32, u32)>) {
        let mut waits_for = vec![0u32; index(self.nodes)];
        for edge in &self.edges {
            waits_for[index(edge.to)] += 1;
        }
        let rank = |node: u32| Reverse((self.original(node), node < self.first_parked, node));
        let mut ready: BinaryHeap<_> =
            (0..self.nodes).filter(|&node| waits_for[index(node)] == 0).map(rank).collect();
        let mut turns = Vec::with_capacity(index(self.nodes));
        let mut turn_of = vec![u32::MAX; index(self.nodes)];
        while let Some(Reverse((original, _, node))) = ready.pop() {
            turn_of[index(node)] = u32::try_from(turns.len()).expect("no more turns than nodes");
            if node >= self.first_parked {
                turns.push(Turn::Park(original));
            } else if runs(node) {
                turns.push(Turn::Run(node));
            }
            for edge in self.edges_from(node) {
                let left = &mut waits_for[index(edge.to)];
                *left -= 1;
                if *left == 0 {
                    ready.push(rank(edge.to));
                }
            }
        }
        let turn = |node: u32| turn_of[index(node)];
        let mut needs: Vec<(u32, u32)> =
            self.edges.iter().map(|edge| (turn(edge.to), turn(edge.from))).collect();
        needs.sort_unstable();
        needs.dedup();
        (turns, needs)
    }

    /// The circles: strongly connected components of more than one change (Tarjan, without
    /// recursion: a chain of a million rows must not need a million stack frames).
    fn circles(&self) -> Circles {
        let count = index(self.nodes);
        let mut search = Search {
            graph: self,
            found: vec![0; count],
            low: vec![0; count],
            component: vec![0; count],
            stack: Vec::new(),
            next: 0,
            members: Vec::new(),
        };
        for node in 0..self.nodes {
            if search.found[index(node)] == 0 {
                search.visit(node);
            }
        }
        Circles { component: search.component, members: search.members }
    }
}

/// The components that are circles.
struct Circles {
    /// For each change the number of its circle, counted from 1; 0 where it is in none, or not
    /// decided yet.
    component: Vec<u32>,
    /// The changes of each circle, sorted.
    members: Vec<Vec<u32>>,
}

impl Circles {
    fn hold(&self, edge: &Edge) -> bool {
        let circle = self.component[index(edge.from)];
        circle != 0 && circle == self.component[index(edge.to)]
    }
}

struct Search<'g> {
    graph: &'g Graph,
    /// In which order changes were found, from 1; 0 for not yet, `u32::MAX` when finished.
    found: Vec<u32>,
    low: Vec<u32>,
    component: Vec<u32>,
    stack: Vec<u32>,
    next: u32,
    members: Vec<Vec<u32>>,
}

impl<'g> Search<'g> {
    fn visit(&mut self, start: u32) {
        let mut path: Vec<(u32, &'g [Edge])> = vec![self.enter(start)];
        while let Some((node, rest)) = path.last_mut() {
            let node = *node;
            if let Some((edge, more)) = rest.split_first() {
                *rest = more;
                match self.found[index(edge.to)] {
                    0 => path.push(self.enter(edge.to)),
                    u32::MAX => {}
                    found => self.low[index(node)] = self.low[index(node)].min(found),
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                let low = self.low[index(node)];
                let parent = index(*parent);
                self.low[parent] = self.low[parent].min(low);
            }
            if self.low[index(node)] == self.found[index(node)] {
                self.leave(node);
            }
        }
    }

    fn enter(&mut self, node: u32) -> (u32, &'g [Edge]) {
        self.next += 1;
        self.found[index(node)] = self.next;
        self.low[index(node)] = self.next;
        self.stack.push(node);
        (node, self.graph.edges_from(node))
    }

    /// Everything above `node` on the stack is one component.
    fn leave(&mut self, node: u32) {
        let start = self.stack.iter().rposition(|&n| n == node).expect("it was put there");
        let is_circle = self.stack.len() - start > 1;
        let mut members = self.stack.split_off(start);
        for &member in &members {
            self.found[index(member)] = u32::MAX;
        }
        if is_circle {
            members.sort_unstable();
            self.members.push(members);
            let number = u32::try_from(self.members.len()).expect("fewer circles than changes");
            for &member in self.members.last().expect("just pushed") {
                self.component[index(member)] = number;
            }
        }
    }
}

fn index(node: u32) -> usize {
    usize::try_from(node).expect("addresses have at least 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: u32, to: u32, why: Why) -> Edge {
        Edge { from, to, why }
    }

    fn arrange(nodes: u32, edges: Vec<Edge>) -> Result<Arrangement, Circle> {
        Graph::new(nodes, edges).arrange(|_| true, |_| Verb::Update, |_| true, |_| true)
    }

    #[test]
    fn ties_keep_the_given_order() {
        let order = arrange(4, vec![edge(3, 0, Why::Unique)]).unwrap();
        let run = [1, 2, 3, 0].map(Turn::Run);
        let needs = vec![(3, 2)];
        assert_eq!(order, Arrangement { turns: run.to_vec(), needs, is_deferred: false });
    }

    #[test]
    fn a_swap_parks_one_row() {
        let edges = vec![edge(0, 1, Why::Unique), edge(1, 0, Why::Unique)];
        let order = arrange(2, edges).unwrap();
        assert_eq!(order.turns, [Turn::Park(0), Turn::Run(1), Turn::Run(0)]);
        assert!(!order.is_deferred);
    }

    #[test]
    fn a_long_chain_needs_no_parking() {
        let edges = (0..99_999).map(|n| edge(n + 1, n, Why::Unique)).collect();
        let order = arrange(100_000, edges).unwrap();
        assert_eq!(order.turns.len(), 100_000);
        assert_eq!(order.turns[0], Turn::Run(99_999));
    }

    #[test]
    fn foreign_key_circles_are_deferred_and_hard_ones_refused() {
        let soft = vec![edge(0, 1, Why::ParentFirst), edge(1, 0, Why::ParentFirst)];
        assert!(arrange(2, soft).unwrap().is_deferred);
        let hard = vec![edge(0, 1, Why::ChildFirstAlways), edge(1, 0, Why::ChildFirstAlways)];
        assert_eq!(arrange(2, hard), Err(Circle(vec![0, 1])));
    }

    #[test]
    fn rows_that_refer_to_one_another_wait_on_null() {
        let of = |verb, why| {
            let edges = vec![edge(0, 1, why), edge(1, 0, why)];
            let arranged = Graph::new(2, edges).arrange(|_| true, |_| verb, |_| true, |_| true);
            arranged.unwrap().turns
        };
        // Both are inserted; one of them without its reference.
        let inserts = of(Verb::Insert, Why::ParentFirstOrNull);
        assert_eq!(inserts, [Turn::Park(0), Turn::Run(1), Turn::Run(0)]);
        let deletes = of(Verb::Delete, Why::ChildFirstOrNull);
        assert_eq!(deletes, [Turn::Park(0), Turn::Run(1), Turn::Run(0)]);
    }

    #[test]
    fn a_row_that_is_in_its_own_way_lets_go_first() {
        let of = |may, runs| {
            let itself = vec![Itself { node: 1, may_let_go: may }];
            let edges = vec![edge(0, 1, Why::ChildFirstOrNull)];
            let graph = Graph::new(2, edges).with_themselves(itself);
            graph.arrange(|_| runs, |_| Verb::Delete, |_| false, |_| true).map(|found| found.turns)
        };
        assert_eq!(of(true, true).unwrap(), [Turn::Run(0), Turn::Park(1), Turn::Run(1)]);
        assert_eq!(of(false, true), Err(Circle(vec![1])));
        assert!(of(false, false).is_ok());
    }

    #[test]
    fn what_waits_for_a_left_out_change_is_blocked() {
        let edges = vec![edge(0, 1, Why::Unique), edge(1, 2, Why::ParentFirst)];
        let graph = Graph::new(4, edges);
        assert_eq!(graph.blocked(|n| n == 0), [Some(0), Some(0), Some(1), None]);
    }
}
