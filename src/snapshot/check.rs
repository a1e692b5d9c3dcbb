//! What `verify --full` checks beyond hashes: that objects mean what they should.

use crate::codec::{Kind, state};
use crate::model::TableSpec;
use crate::model::snapshot::TreeRoot;
use crate::store::Objects;
use crate::store::verify::{Content, Reached, SemanticCheck};
use crate::tree::{StoreMode, Tree, TreePlan, check_tree};

/// Checks tables: boundaries, order, counts, row hashes, canonical blocks.
pub struct TreeCheck;

impl SemanticCheck for TreeCheck {
    fn wants(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Table | Kind::State | Kind::Snapshot)
    }

    fn check(&self, object: &Reached<'_>, objects: &dyn Objects) -> Result<(), String> {
        let Some(plain) = object.plain else { return Ok(()) };
        let said = |error: &dyn std::fmt::Display| error.to_string();
        match object.kind {
            Kind::Table => {
                let table = state::read_table(plain).map_err(|e| said(&e))?;
                let mode = match object.content {
                    Content::RowHashes => StoreMode::HashOnly,
                    Content::Values | Content::AboveHashes | Content::Either => StoreMode::Full,
                };
                tree(objects, &table.spec, table.rows, mode)
            }
            Kind::State => {
                let state = state::read_state(plain).map_err(|e| said(&e))?;
                let facts = crate::codec::catalog::facts_spec();
                tree(objects, &facts, state.facts, StoreMode::Full)
            }
            _ => Ok(()),
        }
    }
}

fn tree(
    objects: &dyn Objects,
    spec: &TableSpec,
    root: TreeRoot,
    mode: StoreMode,
) -> Result<(), String> {
    let plan = TreePlan::new(spec, mode).map_err(|error| error.to_string())?;
    let tree = Tree::new(objects, plan.shared(), root);
    let mut problems = Vec::new();
    check_tree(&tree, &mut |problem| problems.push(problem)).map_err(|error| error.to_string())?;
    match problems.first() {
        None => Ok(()),
        Some(first) => {
            let more = problems.len() - 1;
            let (what, key, why) = (first.what, &first.last_key, &first.why);
            Err(format!("{what} {} up to {key}: {why} (and {more} more)", first.id.short()))
        }
    }
}
