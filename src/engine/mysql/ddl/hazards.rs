//! What a change costs and whom it locks out, and where it stands among others.
//!
//! From the tables of the manuals on online DDL: what is done at once, what reads or writes the
//! whole table, and what others may do meanwhile. Where versions differ and it is not known, the
//! worse is said.

use super::MysqlDdl;
use super::types::{self, Relation};
use crate::engine::ddl::{FactChange, StepHazard, flag, text};
use crate::model::{Fact, FactId, ObjectKind};

/// Where changes of one table stand: together, so that they become one statement.
const TABLES: u16 = 2_000;
/// How many places there are for tables.
const PLACES: u16 = 30_000;
/// Where their partitions change.
const PARTITIONS: u16 = TABLES + PLACES;
/// Behind the tables.
const AFTER: u16 = PARTITIONS + PLACES;

/// Where a step stands among others that nothing else orders.
pub(super) fn rank(change: FactChange<'_>) -> u16 {
    let (fact, is_drop, is_made) = match change {
        FactChange::Created(fact) => (fact, false, true),
        FactChange::Altered(_, fact) => (fact, false, false),
        FactChange::Dropped(fact) => (fact, true, false),
    };
    match (fact.id.kind, is_drop) {
        (ObjectKind::Event, true) => 100,
        (ObjectKind::Trigger, true) => 110,
        (ObjectKind::View, true) => 120,
        (ObjectKind::Routine, true) => 130,
        (ObjectKind::ForeignKey, true) => 200,
        (ObjectKind::Setting, _) => 300,
        (ObjectKind::Sequence, false) => 400,
        // What destroys goes last: until then everything can be taken back.
        (ObjectKind::Table, true) => AFTER + 900,
        (ObjectKind::Sequence, true) => AFTER + 910,
        (ObjectKind::Table, false) if is_made => 1_000,
        (ObjectKind::Partition, _) => PARTITIONS + place(&fact.id),
        (ObjectKind::ForeignKey, false) => AFTER + 200,
        (ObjectKind::Routine, false) => AFTER + 300,
        (ObjectKind::View, false) => AFTER + 310,
        (ObjectKind::Trigger, false) => AFTER + 320,
        (ObjectKind::Event, false) => AFTER + 330,
        _ => TABLES + place(&fact.id),
    }
}

/// A place of its own for each table, as far as there are any.
fn place(id: &FactId) -> u16 {
    let hash = id
        .object
        .name
        .bytes()
        .fold(2_166_136_261u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    u16::try_from(hash % u32::from(PLACES)).unwrap_or(0)
}

/// What a reviewer has to know of a change.
pub(super) fn hazards(ddl: MysqlDdl, change: FactChange<'_>) -> Vec<StepHazard> {
    let fact = match change {
        FactChange::Created(fact) | FactChange::Altered(_, fact) | FactChange::Dropped(fact) => {
            fact
        }
    };
    match fact.id.kind {
        ObjectKind::View
        | ObjectKind::Routine
        | ObjectKind::Trigger
        | ObjectKind::Event
        | ObjectKind::Setting => vec![StepHazard::Behaviour],
        ObjectKind::Sequence => Vec::new(),
        _ => match change {
            FactChange::Created(fact) => created(ddl, fact),
            FactChange::Altered(before, after) => altered(ddl, before, after),
            FactChange::Dropped(fact) => dropped(ddl, fact),
        },
    }
}

/// Nobody may write meanwhile.
fn shared(fact: &Fact) -> StepHazard {
    StepHazard::Lock { mode: "SHARED", table: fact.id.object.to_string() }
}

/// Others may write, except for the moment at which the change is made.
fn brief(fact: &Fact) -> StepHazard {
    StepHazard::Lock { mode: "NONE", table: fact.id.object.to_string() }
}

fn copied(fact: &Fact) -> Vec<StepHazard> {
    vec![StepHazard::Rewrite, shared(fact)]
}

fn created(ddl: MysqlDdl, fact: &Fact) -> Vec<StepHazard> {
    match fact.id.kind {
        ObjectKind::Table => Vec::new(),
        ObjectKind::Column if flag(fact, "stored") || flag(fact, "auto-increment") => copied(fact),
        ObjectKind::Column if ddl.is_instant() || text(fact, "generated").is_some() => {
            vec![brief(fact)]
        }
        ObjectKind::Column => vec![StepHazard::Rewrite, brief(fact)],
        ObjectKind::PrimaryKey => vec![StepHazard::Rewrite, brief(fact)],
        ObjectKind::Index if text(fact, "kind").is_some() => vec![StepHazard::Scan, shared(fact)],
        ObjectKind::Index | ObjectKind::Unique => vec![StepHazard::Scan, brief(fact)],
        ObjectKind::ForeignKey => {
            let parent = text(fact, "table").unwrap_or_default().to_owned();
            let mut hazards = copied(fact);
            hazards.push(StepHazard::Lock { mode: "SHARED", table: parent });
            hazards
        }
        // A check of a column that is there, a check, and partitions are copied for.
        _ => copied(fact),
    }
}

fn altered(ddl: MysqlDdl, before: &Fact, after: &Fact) -> Vec<StepHazard> {
    match after.id.kind {
        ObjectKind::Column => column(ddl, before, after),
        ObjectKind::Table => {
            let is_moved = ["engine", "row-format", "key-block-size", "options", "periods"]
                .iter()
                .any(|name| before.attributes.get(*name) != after.attributes.get(*name))
                || flag(before, "system-versioned") != flag(after, "system-versioned");
            if is_moved { copied(after) } else { vec![brief(after)] }
        }
        ObjectKind::PrimaryKey => vec![StepHazard::Rewrite, brief(after)],
        ObjectKind::Unique | ObjectKind::Index => vec![StepHazard::Scan, brief(after)],
        _ => copied(after),
    }
}

fn column(ddl: MysqlDdl, before: &Fact, after: &Fact) -> Vec<StepHazard> {
    let differs = |name: &str| before.attributes.get(name) != after.attributes.get(name);
    let relation = types::relation(before, after);
    let mut hazards = match () {
        () if differs("type") && !is_longer(before, after) => copied(after),
        () if differs("charset") || differs("collation") || differs("stored") => copied(after),
        () if differs("auto-increment") || differs("srid") || differs("options") => copied(after),
        () if differs("generated") => copied(after),
        () if differs("not-null") => vec![StepHazard::Rewrite, brief(after)],
        () if differs("after") && !ddl.is_mariadb() => vec![StepHazard::Rewrite, brief(after)],
        () => vec![brief(after)],
    };
    let is_less = matches!(relation, Relation::Narrower | Relation::Between(_));
    let loses_characters = match (text(before, "charset"), text(after, "charset")) {
        (Some(was), Some(is)) if was != is => {
            types::charset_between(before, after).is_none_or(|(charset, _)| charset != is)
        }
        _ => false,
    };
    if is_less || loses_characters {
        hazards.push(StepHazard::Narrows);
    }
    hazards
}

/// Whether only the length of text grows within what its length is kept in.
fn is_longer(before: &Fact, after: &Fact) -> bool {
    let length = |fact: &Fact| {
        let inner = text(fact, "type")?.strip_prefix("varchar(")?.strip_suffix(')')?;
        inner.parse::<u64>().ok()
    };
    let width = match text(after, "charset") {
        Some("utf8mb4") => 4,
        Some("utf8mb3") => 3,
        _ => 1,
    };
    match (length(before), length(after)) {
        (Some(was), Some(is)) => is >= was && (was * width > 255) == (is * width > 255),
        _ => false,
    }
}

fn dropped(ddl: MysqlDdl, fact: &Fact) -> Vec<StepHazard> {
    match fact.id.kind {
        ObjectKind::Table => Vec::new(),
        ObjectKind::Column if flag(fact, "stored") || !ddl.is_instant() => {
            vec![StepHazard::Rewrite, brief(fact)]
        }
        ObjectKind::PrimaryKey | ObjectKind::Partition => copied(fact),
        _ => vec![brief(fact)],
    }
}
