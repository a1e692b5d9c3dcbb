//! Actions that wait for each other: one circle of each group of them.
//!
//! Groups are the strongly connected components of what waits (Tarjan, without recursion), so all
//! circles that have nothing to do with each other are found at once.

use std::collections::{BTreeMap, BTreeSet};

/// Pairs of actions, the first of which runs before the second.
pub(super) type Edges = BTreeSet<(usize, usize)>;

/// A circle of each group among the actions that are left, each sorted, by their first members.
pub(super) fn of(edges: &Edges, left: &[usize]) -> Vec<Vec<usize>> {
    let is_left: BTreeSet<usize> = left.iter().copied().collect();
    let mut after: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(first, second) in edges {
        if is_left.contains(&first) && is_left.contains(&second) {
            after.entry(first).or_default().push(second);
        }
    }
    let mut circles: Vec<Vec<usize>> = Search::new(&after)
        .groups(left)
        .into_iter()
        .filter(|group| group.len() > 1)
        .map(|group| circle(&after, &group))
        .collect();
    circles.sort();
    circles
}

/// One circle in a group in which everything can be reached from everything.
fn circle(after: &BTreeMap<usize, Vec<usize>>, group: &[usize]) -> Vec<usize> {
    let is_member: BTreeSet<usize> = group.iter().copied().collect();
    let next = |at: usize| {
        let nexts = after.get(&at).into_iter().flatten().copied();
        nexts.filter(|next| is_member.contains(next)).min()
    };
    let mut path = Vec::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut at = is_member.first().copied();
    while let Some(here) = at {
        if let Some(start) = places.get(&here) {
            let mut circle = path.split_off(*start);
            circle.sort_unstable();
            return circle;
        }
        places.insert(here, path.len());
        path.push(here);
        at = next(here);
    }
    path
}

/// What is known of an action that was reached.
#[derive(Clone, Copy)]
struct Reached {
    /// When.
    number: usize,
    /// The earliest that can be reached from it.
    earliest: usize,
    is_open: bool,
}

struct Search<'e> {
    after: &'e BTreeMap<usize, Vec<usize>>,
    reached: BTreeMap<usize, Reached>,
    open: Vec<usize>,
    groups: Vec<Vec<usize>>,
}

impl<'e> Search<'e> {
    fn new(after: &'e BTreeMap<usize, Vec<usize>>) -> Search<'e> {
        Search { after, reached: BTreeMap::new(), open: Vec::new(), groups: Vec::new() }
    }

    fn groups(mut self, all: &[usize]) -> Vec<Vec<usize>> {
        for &at in all {
            if !self.reached.contains_key(&at) {
                self.from(at);
            }
        }
        self.groups
    }

    fn reach(&mut self, at: usize) {
        let number = self.reached.len();
        self.reached.insert(at, Reached { number, earliest: number, is_open: true });
        self.open.push(at);
    }

    /// Everything that can be reached from an action.
    fn from(&mut self, start: usize) {
        self.reach(start);
        // Each with how many of those after it were looked at.
        let mut path = vec![(start, 0)];
        while let Some((at, place)) = path.pop() {
            match self.after.get(&at).and_then(|nexts| nexts.get(place)) {
                Some(&next) => {
                    path.push((at, place + 1));
                    match self.reached.get(&next).copied() {
                        None => {
                            self.reach(next);
                            path.push((next, 0));
                        }
                        Some(known) if known.is_open => self.lower(at, known.number),
                        Some(_) => {}
                    }
                }
                None => {
                    let own = self.reached[&at];
                    if own.number == own.earliest {
                        self.close(at);
                    }
                    if let Some(&(parent, _)) = path.last() {
                        self.lower(parent, own.earliest);
                    }
                }
            }
        }
    }

    fn lower(&mut self, at: usize, number: usize) {
        if let Some(reached) = self.reached.get_mut(&at) {
            reached.earliest = reached.earliest.min(number);
        }
    }

    /// What was reached since `first`, and is open, is a group.
    fn close(&mut self, first: usize) {
        let start = self.open.iter().rposition(|at| *at == first).unwrap_or(0);
        let group = self.open.split_off(start);
        for at in &group {
            if let Some(reached) = self.reached.get_mut(at) {
                reached.is_open = false;
            }
        }
        self.groups.push(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_gives_one_circle() {
        let edges: Edges =
            [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 2), (4, 5), (6, 7)].into_iter().collect();
        let left: Vec<usize> = (0..8).collect();
        assert_eq!(of(&edges, &left), [vec![0, 1], vec![2, 3, 4]]);
        assert_eq!(of(&edges, &[2, 3, 5, 6, 7]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_long_circle_needs_no_deep_stack() {
        let count = 20_000;
        let edges: Edges = (0..count).map(|at| (at, (at + 1) % count)).collect();
        let left: Vec<usize> = (0..count).collect();
        assert_eq!(of(&edges, &left).len(), 1);
    }
}
