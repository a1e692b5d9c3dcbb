//! Packs that lock less: what can wait is brought about by a second pack, beside everybody's work.
//!
//! The first pack is one transaction as ever, and leaves the schema without the indexes and with
//! constraints that are not validated; the second one leads from there to what is wanted, by
//! statements that each commit. Both are packs of their own, with a way back each.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{PackError, Refusal};
use super::manifest::{FIRST, ONLINE};
use super::request::{PackSide, Request};
use super::schema::drop_orphans;
use crate::diff::Comparison;
use crate::engine::ddl::{Postponed, Schema};
use crate::model::{Fact, FactId};

/// Which part of a change a pack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// What is one transaction, where more comes after it.
    First,
    /// What comes after it, each statement by itself.
    Online {
        /// Whether the first one leaves nothing out.
        is_complete: bool,
    },
}

impl Part {
    /// Whether its statements each commit.
    pub fn is_online(self) -> bool {
        matches!(self, Part::Online { .. })
    }

    /// Whether nothing is left to do when it has run.
    pub(super) fn is_last(self) -> bool {
        matches!(self, Part::Whole | Part::Online { is_complete: true })
    }

    /// The stable name, as in the pack; none for all of it.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Part::Whole => None,
            Part::First => Some(FIRST),
            Part::Online { .. } => Some(ONLINE),
        }
    }
}

/// Between the two packs.
#[derive(Debug)]
pub struct Meanwhile {
    /// What the first one leaves.
    pub side: PackSide,
    /// What is left to do then: no rows.
    pub comparison: Comparison,
}

/// What the wanted state is without what can wait; `None` where nothing can.
pub fn meanwhile(request: &Request<'_>) -> Result<Option<Meanwhile>, PackError> {
    let enforcement = request.enforcement()?;
    let ddl = enforcement.ddl(&request.before.source.server);
    if ddl.online().is_none() {
        let reason = "on this engine every pack runs as it does without it";
        let hint = "leave --online away (docs/pack.md says what this engine locks)";
        return Err(PackError::Refused(vec![Refusal::new("--online", reason, hint)]));
    }
    if !request.changes_schema(enforcement) {
        return Ok(None);
    }
    let from = Schema::new(&request.before.facts);
    let to = Schema::new(&request.after.facts);
    // What belongs to a fact goes with it.
    let needs = |fact: &Fact| {
        let container = ddl.container(fact, &to);
        let needs = ddl.requires(fact, &to).into_iter();
        needs.filter(|id| container.as_ref() != Some(id)).collect::<Vec<_>>()
    };
    let needed: BTreeSet<FactId> = to.facts().flat_map(needs).collect();
    let mut changed: BTreeMap<&FactId, Option<Fact>> = BTreeMap::new();
    for fact in &request.after.facts {
        let is_as_before =
            from.get(&fact.id).is_some_and(|before| before.attributes == fact.attributes);
        match ddl.postponed(fact, &from, &to) {
            Some(_) if is_as_before => {}
            Some(Postponed::Absent) if !needed.contains(&fact.id) => {
                changed.insert(&fact.id, None);
            }
            Some(Postponed::Weaker(weaker)) => {
                changed.insert(&fact.id, Some(weaker));
            }
            Some(Postponed::Absent) | None => {}
        }
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let facts = request.after.facts.iter();
    let facts = facts.filter_map(|fact| match changed.get(&fact.id) {
        None => Some(fact.clone()),
        Some(weaker) => weaker.clone(),
    });
    let mut facts: Vec<Fact> = facts.collect();
    drop_orphans(ddl.as_ref(), &mut facts, &from, &to);
    let side = PackSide { facts, source: request.before.source.clone(), ..request.after.clone() };
    let comparison = Comparison { tables: Vec::new(), ..request.comparison.clone() };
    Ok(Some(Meanwhile { side, comparison }))
}
