//! What answers for objects while a proof is made, and while it is checked.
//!
//! Both give the same objects in the same order: the recorder writes each down when it is first
//! asked for, and the witness gives the next one or nothing. Values stored apart are given anew each
//! time, so that what a row holds is never longer than its proof.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::ProofError;
use super::follow::{Evidence, Hashes};
use crate::codec::{Hasher, Kind, slice};
use crate::model::ObjectId;
use crate::model::snapshot::TreeRoot;
use crate::store::{ObjectError, Objects};
use crate::tree::{StoreMode, Tree, TreePlan};

/// An object of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// The plain bytes of an object.
    Object(Kind, Vec<u8>),
    /// A part of a block of row hashes.
    Part(slice::Slice),
}

/// Whether an object is given each time it is asked for.
fn is_given_anew(kind: Kind) -> bool {
    matches!(kind, Kind::Value | Kind::ValueList)
}

/// Reads from a store and writes down what was read.
pub(super) struct Recorder<'o> {
    objects: &'o dyn Objects,
    /// The table that is walked to.
    table: Option<WalkedTable>,
    entries: Mutex<Vec<Entry>>,
    seen: Mutex<HashSet<ObjectId>>,
}

/// A table that a recorder walks to.
pub(super) struct WalkedTable {
    /// Its plain bytes.
    pub(super) plain: Vec<u8>,
    /// Its rows.
    pub(super) rows: TreeRoot,
    /// How they are stored.
    pub(super) plan: Arc<TreePlan>,
}

impl<'o> Recorder<'o> {
    /// A recorder of a walk to this table, as it is stored.
    pub(super) fn new(objects: &'o dyn Objects, table: Option<WalkedTable>) -> Recorder<'o> {
        Recorder { objects, table, entries: Mutex::default(), seen: Mutex::default() }
    }

    /// What was read, in order.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, entry: Entry) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}

impl Objects for Recorder<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        let plain = self.objects.get(kind, id)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if is_given_anew(kind) || seen.insert(*id) {
            self.write(Entry::Object(kind, plain.clone()));
        }
        Ok(plain)
    }

    fn hasher(&self) -> &Hasher {
        self.objects.hasher()
    }
}

impl Evidence for Recorder<'_> {
    fn table(&self) -> Result<Vec<u8>, ProofError> {
        let table = self.table.as_ref().ok_or_else(|| ProofError::broken("there is no table"))?;
        self.write(Entry::Object(Kind::Table, table.plain.clone()));
        Ok(table.plain.clone())
    }

    fn row_hashes(
        &self,
        tree: &Tree<'_>,
        key: &[u8],
        wanted: &ObjectId,
    ) -> Result<Hashes, ProofError> {
        // The hashes are those of rows, which are read beside the walk: they are no part of it. Of a
        // hash-only table they are stored; a state's own lists are whole in any case.
        let plan = match &self.table {
            Some(table) if table.rows == tree.root() => Arc::clone(&table.plan),
            _ => Arc::clone(tree.plan()),
        };
        let beside = Tree::new(self.objects, plan, tree.root());
        let missing = || ProofError::broken("there is no such row");
        let chunk = beside.chunk_of(key)?.ok_or_else(missing)?;
        let hashes = chunk.row_hashes()?;
        let place = hashes.iter().position(|hash| hash == wanted).ok_or_else(missing)?;
        let plain: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        let range = place * 32..(place + 1) * 32;
        Ok(match slice::cut(self.hasher(), Kind::RowHashes, &plain, range) {
            Some(part) => {
                self.write(Entry::Part(part.clone()));
                Hashes::Part(part)
            }
            None => {
                self.write(Entry::Object(Kind::RowHashes, plain.clone()));
                Hashes::Whole(plain)
            }
        })
    }
}

/// Whether only keys and row hashes of a table's rows are stored.
pub(super) fn mode(is_hash_only: bool) -> StoreMode {
    if is_hash_only { StoreMode::HashOnly } else { StoreMode::Full }
}

/// Answers with the objects of a proof, in their order.
pub(super) struct Witness<'p> {
    hasher: &'p Hasher,
    entries: &'p [Entry],
    course: Mutex<Course>,
}

/// How far a witness was asked.
#[derive(Default)]
struct Course {
    next: usize,
    seen: HashMap<ObjectId, usize>,
}

impl<'p> Witness<'p> {
    /// A witness that has these objects.
    pub(super) fn new(hasher: &'p Hasher, entries: &'p [Entry]) -> Witness<'p> {
        Witness { hasher, entries, course: Mutex::default() }
    }

    /// Whether every object was asked for.
    pub(super) fn is_done(&self) -> bool {
        self.course.lock().unwrap_or_else(PoisonError::into_inner).next == self.entries.len()
    }

    fn next(&self) -> Option<&'p Entry> {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.entries.get(course.next)?;
        course.next += 1;
        Some(entry)
    }
}

impl Objects for Witness<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let again = course.seen.get(id).copied().filter(|_| !is_given_anew(kind));
        let entry = self.entries.get(again.unwrap_or(course.next));
        match entry {
            Some(Entry::Object(given, plain))
                if *given == kind && self.hasher.id(kind, plain) == *id =>
            {
                if again.is_none() {
                    let place = course.next;
                    course.seen.insert(*id, place);
                    course.next += 1;
                }
                Ok(plain.clone())
            }
            _ => Err(ObjectError::Missing { id: *id, kind }),
        }
    }

    fn hasher(&self) -> &Hasher {
        self.hasher
    }
}

impl Evidence for Witness<'_> {
    fn table(&self) -> Result<Vec<u8>, ProofError> {
        match self.next() {
            Some(Entry::Object(Kind::Table, plain)) => Ok(plain.clone()),
            _ => Err(ProofError::broken("it does not give its table")),
        }
    }

    fn row_hashes(&self, _: &Tree<'_>, _: &[u8], _: &ObjectId) -> Result<Hashes, ProofError> {
        match self.next() {
            Some(Entry::Object(Kind::RowHashes, plain)) => Ok(Hashes::Whole(plain.clone())),
            Some(Entry::Part(part)) => Ok(Hashes::Part(part.clone())),
            _ => Err(ProofError::broken("it does not give the row hashes of its chunk")),
        }
    }
}
