//! Orders that cannot be found, told by the rows they are about.

use super::{Arranger, Node, TableWork, index};
use crate::pack::error::{PackError, Refusal};
use crate::pack::graph::Circle;
use crate::pack::label::row_label;

impl Arranger<'_, '_> {
    pub(super) fn too_many(&self, table: &TableWork<'_>) -> PackError {
        PackError::Refused(vec![Refusal::new(
            table.shape.table(),
            "more than four thousand million changes are connected by constraints",
            "make the change in several packs",
        )])
    }

    pub(super) fn refuse_circle(
        &self,
        group: &[usize],
        nodes: &[Node],
        circle: &Circle,
    ) -> PackError {
        let name = |node: &u32| {
            let Node { place, table, verb, .. } = nodes[index(*node)];
            let table = &self.tables[group[index(table)]];
            let row = match table.at(self.spool, place) {
                Ok(change) => row_label(&table.shape, &change),
                Err(_) => "?".to_owned(),
            };
            (table.shape.table().to_string(), format!("{} of row {row}", verb.as_str()))
        };
        let rows = circle.0.iter().take(20).map(name).map(|(table, row)| {
            let reason = match circle.0.len() {
                1 => {
                    "it refers to itself, which keeps it, and it cannot refer to nothing for a while"
                }
                _ => {
                    "it waits in a circle for other rows of this pack: their unique values or \
                     foreign keys change places, and neither a waiting value nor a later check is \
                     possible"
                }
            };
            Refusal::new(
                table,
                reason,
                "change one of the rows by hand in the target, take a new snapshot of it, and make \
                 the pack again",
            )
            .at_row(row)
        });
        PackError::Refused(rows.collect())
    }
}
