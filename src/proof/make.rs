//! Making a proof: the walk over a store, written down.

use super::error::ProofError;
use super::evidence::{Entry, Recorder, WalkedTable, mode};
use super::file::Proof;
use super::follow::{Claim, Proved, Question, follow};
use crate::codec::Kind;
use crate::codec::state::{self, StoredTable};
use crate::codec::structure::{BlockRef, Chunk, Node};
use crate::model::SnapshotId;
use crate::store::Objects;
use crate::tree::TreePlan;
use crate::tree::state::LoadedSnapshot;

/// A proof that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The proof.
    pub proof: Proof,
    /// What it proves.
    pub proved: Proved,
    /// What else it shows.
    pub shown: Shown,
}

/// What a proof shows of other rows than the one it is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// How many keys of other rows stand in it.
    pub keys: usize,
    /// The columns of which values stand in it: short blocks are part of a chunk's list.
    pub columns: Vec<String>,
}

/// Proves what is claimed of a snapshot.
///
/// # Errors
///
/// [`ProofError::Broken`] where it is not so, [`ProofError::Unprovable`] where nothing can prove it.
pub fn make(objects: &dyn Objects, id: SnapshotId, question: Question) -> Result<Made, ProofError> {
    let table = match question.claim {
        Claim::NoTable => None,
        _ => Some(table(objects, id, &question)?),
    };
    let recorder = Recorder::new(objects, table);
    let proved = follow(&recorder, id, &question)?;
    let entries = recorder.into_entries();
    let shown = shown(&entries, &question.claim)?;
    let hasher = objects.hasher();
    let says = proved.says();
    let proof = Proof {
        hash: hasher.algorithm(),
        is_keyed: hasher.is_keyed(),
        snapshot: id,
        says,
        question,
        entries,
    };
    Ok(Made { proof, proved, shown })
}

/// The table, as it is stored, and how its rows are read.
fn table(
    objects: &dyn Objects,
    id: SnapshotId,
    question: &Question,
) -> Result<WalkedTable, ProofError> {
    let loaded = LoadedSnapshot::load(objects, id)?;
    let ids = loaded.table_ids(objects)?;
    let found = ids.iter().find(|(name, _)| *name == question.table);
    let (_, table_id) = found.ok_or_else(|| ProofError::broken("there is no such table"))?;
    let plain = objects.get(Kind::Table, table_id)?;
    let StoredTable { spec, rows } = state::read_table(&plain)?;
    let plan = TreePlan::new(&spec, mode(loaded.snapshot.is_hash_only))?.shared();
    Ok(WalkedTable { plain, rows, plan })
}

/// What stands in the objects below the table. Of the list of tables, names may show.
fn shown(entries: &[Entry], claim: &Claim) -> Result<Shown, ProofError> {
    let mut shown = Shown::default();
    let is_table = |entry: &Entry| matches!(entry, Entry::Object(Kind::Table, _));
    let below = entries.iter().skip_while(|entry| !is_table(entry)).skip(1);
    for entry in below {
        match entry {
            Entry::Object(Kind::Node, plain) => shown.keys += Node::decode(plain)?.entries.len(),
            Entry::Object(Kind::Chunk, plain) => {
                let chunk = Chunk::decode(plain)?;
                let is_inline = |block: &BlockRef| matches!(block, BlockRef::Inline(_));
                if is_inline(&chunk.keys) || matches!(claim, Claim::NoRow { .. }) {
                    shown.keys += usize::try_from(chunk.rows).expect("a chunk was in memory");
                }
                let columns = chunk.columns.into_iter().filter(|c| is_inline(&c.block));
                shown.columns.extend(columns.map(|column| column.name));
            }
            Entry::Object(..) | Entry::Part(_) => {}
        }
    }
    shown.columns.sort();
    shown.columns.dedup();
    Ok(shown)
}
