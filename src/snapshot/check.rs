//! What `verify --full` checks beyond hashes: that objects mean what they should.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use crate::codec::{Kind, state};
use crate::model::TableSpec;
use crate::model::snapshot::TreeRoot;
use crate::store::Objects;
use crate::store::verify::{Content, Extent, Reached, SemanticCheck};
use crate::tree::{CheckManner, StoreMode, Tree, TreePlan, check_tree_in};

/// Checks tables: boundaries, order, counts, row hashes, canonical blocks.
pub struct TreeCheck {
    jobs: NonZeroUsize,
    /// Held by the one table that is checked on several threads: the store asks for several tables
    /// at once.
    threads: Mutex<()>,
}

impl TreeCheck {
    /// A check that uses `jobs` threads for a large table.
    pub fn new(jobs: NonZeroUsize) -> Self {
        TreeCheck { jobs, threads: Mutex::new(()) }
    }

    fn tree(
        &self,
        objects: &dyn Objects,
        spec: &TableSpec,
        root: TreeRoot,
        mode: StoreMode,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Extent, String> {
        let plan = TreePlan::new(spec, mode).map_err(|error| error.to_string())?;
        let tree = Tree::new(objects, plan.shared(), root);
        let threads = self.threads.try_lock();
        let jobs = if threads.is_ok() { self.jobs } else { NonZeroUsize::MIN };
        let mut problems = Vec::new();
        let manner = CheckManner { jobs, is_over };
        let checked = check_tree_in(&tree, &manner, &mut |problem| problems.push(problem))
            .map_err(|error| error.to_string())?;
        match problems.first() {
            None if checked.is_whole => Ok(Extent::Whole),
            None => Ok(Extent::CutShort),
            Some(first) => {
                let more = problems.len() - 1;
                let (what, key, why) = (first.what, &first.last_key, &first.why);
                let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
                Err(format!("{what} {} up to {key}: {why}{more}", first.id.short()))
            }
        }
    }
}

impl SemanticCheck for TreeCheck {
    fn wants(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Table | Kind::State | Kind::Snapshot)
    }

    fn check(
        &self,
        object: &Reached<'_>,
        objects: &dyn Objects,
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<Extent, String> {
        let Some(plain) = object.plain else { return Ok(Extent::Whole) };
        if is_over() {
            return Ok(Extent::CutShort);
        }
        let said = |error: &dyn std::fmt::Display| error.to_string();
        match object.kind {
            Kind::Table => {
                let table = state::read_table(plain).map_err(|e| said(&e))?;
                let mode = match object.content {
                    Content::RowHashes => StoreMode::HashOnly,
                    Content::Values | Content::AboveHashes | Content::Either => StoreMode::Full,
                };
                self.tree(objects, &table.spec, table.rows, mode, is_over)
            }
            Kind::State => {
                let state = state::read_state(plain).map_err(|e| said(&e))?;
                let facts = crate::codec::catalog::facts_spec();
                self.tree(objects, &facts, state.facts, StoreMode::Full, is_over)
            }
            _ => Ok(Extent::Whole),
        }
    }
}
