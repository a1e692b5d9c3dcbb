//! Changes that a strategy keeps from running, and what they are in the way of.
//!
//! They stand in the graph like others, so that whoever waits for one is left out; they never run.

use super::{Arranger, Node, RowKept, Steps, TableWork, index};
use crate::pack::error::PackError;
use crate::pack::graph::Edge;
use crate::pack::spool::{Spool, Verb};

impl Arranger<'_, '_> {
    /// Whether what a strategy keeps from running may be in the way of other tables' rows.
    pub(super) fn is_kept_linked(&self, group: &[usize]) -> bool {
        let keeps = |table: &usize| self.tables[*table].keeps_any();
        let is_linked = |(child, parent): &(usize, usize)| {
            group.contains(child) && (keeps(child) || keeps(parent))
        };
        self.links.iter().any(is_linked)
    }

    /// What is kept of a row does not wait for what is taken of it, nor the other way.
    pub(super) fn part_rows(
        &self,
        group: &[usize],
        nodes: &[Node],
        edges: &mut Vec<Edge>,
    ) -> Result<(), PackError> {
        let key = |node: Node| {
            let table = &self.tables[group[index(node.table)]];
            let change = table.at(self.spool, node.place)?;
            let is_there = !change.before.is_empty();
            Ok(is_there.then(|| table.shape.key_of(&table.shape.row_before(&change))).flatten())
        };
        let mut failed = None;
        edges.retain(|edge| {
            let (from, to) = (nodes[index(edge.from)], nodes[index(edge.to)]);
            if from.table != to.table || from.is_kept == to.is_kept {
                return true;
            }
            match (key(from), key(to)) {
                (Ok(from), Ok(to)) => from.is_none() || from != to,
                (Err(error), _) | (_, Err(error)) => {
                    failed.get_or_insert(error);
                    true
                }
            }
        });
        failed.map_or(Ok(()), Err)
    }
}

/// Tells of the changes of a verb that a strategy keeps from running.
pub(in crate::pack) fn report(
    spool: &Spool,
    table: usize,
    work: &TableWork<'_>,
    verb: Verb,
    steps: &mut dyn Steps,
) -> Result<(), PackError> {
    for change in work.kept(spool, verb) {
        let (_, change) = change.map_err(|error| work.damaged(error))?;
        steps.kept(RowKept { table, change: &change })?;
    }
    Ok(())
}
