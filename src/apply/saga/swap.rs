//! Tables that were made anew give way to their predecessors, which were put aside with all rows.
//!
//! First goes what would hold the new ones (views, triggers, foreign keys), then each is renamed away and
//! the old one gets its name back. What is renamed away must hold what the run put there, so that
//! no row of anybody else goes with it; it is dropped when everything else is undone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::course::{Aside, Course, Pool, Step};
use super::{Saga, listing, undo};
use crate::apply::error::ApplyError;
use crate::codec::Hasher;
use crate::engine::undone_name;
use crate::model::{Fact, FactId, ObjectKind, ObjectName};
use crate::pack::{Refusal, content, schema};

/// What leads back from tables that were made anew.
#[derive(Debug, Default)]
pub(super) struct Swap {
    /// The tables.
    pub(super) tables: BTreeSet<String>,
    /// What goes first, before it is proved.
    pub(super) clearing: Vec<Step>,
    /// The schema then.
    pub(super) cleared: Vec<Fact>,
    /// The schema when all tables are back.
    pub(super) ends: Vec<Fact>,
    renames: Vec<Rename>,
}

/// A table that is renamed away, or comes back.
#[derive(Debug)]
struct Rename {
    table: String,
    statement: String,
    gone: Vec<Fact>,
    come: Vec<Fact>,
    /// What a table must hold that is renamed away.
    holds: Option<Holds>,
}

#[derive(Debug)]
enum Holds {
    Nothing,
    This(Aside),
}

impl Swap {
    /// Plans it, from the schema that these steps leave.
    pub(super) fn plan(
        saga: &Saga<'_, '_>,
        course: &Course,
        steps: Range<usize>,
        begins: &[Fact],
        has_rows: bool,
    ) -> Result<Swap, Vec<Refusal>> {
        let aside_at = |table: &str| {
            let is_it = |step: &Step| step.aside.as_ref().is_some_and(|a| a.table == table);
            let found = course.steps[..steps.end].iter().skip(steps.start).position(is_it);
            found.map(|at| at + steps.start)
        };
        let begun: Vec<_> = course
            .anew
            .iter()
            .filter_map(|anew| Some((anew, aside_at(&anew.before.table)?)))
            .collect();
        if begun.is_empty() {
            return Ok(Swap { ends: begins.to_vec(), ..Swap::default() });
        }
        let names = begun.iter().map(|(anew, _)| ObjectName::bare(anew.before.table.as_str()));
        let names: BTreeSet<ObjectName> = names.collect();
        let ddl = saga.ddl.as_ref();
        let (cleared, emptied) = schema::emptied(ddl, begins, &names);
        let clearing = listing::of_plan(&schema::straight(ddl, begins, &cleared)?);
        let left: BTreeSet<&FactId> = emptied.iter().map(|fact| &fact.id).collect();
        let is_new = |fact: &&Fact| !left.contains(&fact.id);
        let mut renames = Vec::new();
        for (anew, at) in &begun {
            let Aside { table, under, .. } = &anew.before;
            let is_table =
                |fact: &Fact| fact.id.kind == ObjectKind::Table && fact.id.object.name == *table;
            if cleared.iter().any(is_table) {
                let of_table = |fact: &&Fact| fact.id.object.name == *table;
                renames.push(Rename {
                    table: table.clone(),
                    statement: undo::renamed(table, &undone_name(table)),
                    gone: cleared.iter().filter(is_new).filter(of_table).cloned().collect(),
                    come: Vec::new(),
                    holds: Some(match has_rows {
                        true => Holds::This(anew.after.clone()),
                        false => Holds::Nothing,
                    }),
                });
            }
            let come = course.facts(&course.places_of(*at, &course.steps[*at].gone));
            let (table, statement) = (table.clone(), undo::renamed(under, table));
            renames.push(Rename { table, statement, gone: Vec::new(), come, holds: None });
        }
        let back = renames.iter().flat_map(|rename| rename.come.iter().cloned());
        let ends: BTreeMap<FactId, Fact> =
            emptied.iter().cloned().chain(back).map(|fact| (fact.id.clone(), fact)).collect();
        let tables = begun.iter().map(|(anew, _)| anew.before.table.clone()).collect();
        let ends = ends.into_values().collect();
        Ok(Swap { tables, clearing, cleared, ends, renames })
    }

    /// The steps, once what goes first is proved.
    pub(super) fn into_steps(
        self,
        pool: &mut Pool,
        hasher: &Hasher,
    ) -> Result<Vec<Step>, ApplyError> {
        let mut steps = self.clearing;
        for Rename { table, statement, gone, come, holds } in self.renames {
            let verb = if holds.is_some() { "put-aside" } else { "fetch-table" };
            let under = undone_name(&table);
            let aside = match holds {
                None => None,
                Some(Holds::This(aside)) => Some(Aside { under, ..aside }),
                Some(Holds::Nothing) => {
                    let digest = content::digest::<ApplyError>(0, hasher, |_| Ok(()))?;
                    Some(Aside { table: table.clone(), under, rows: 0, digest })
                }
            };
            steps.push(Step {
                name: format!("{verb} {table}"),
                statement,
                gone: pool.places(&gone),
                come: pool.places(&come),
                aside,
                ..Step::default()
            });
        }
        Ok(steps)
    }
}
