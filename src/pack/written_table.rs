//! A table whose rows change, with what its statements and row hashes need.

use std::collections::BTreeSet;

use super::error::PackError;
use super::order::{Part, RowStep, TableWork};
use super::parking::Parking;
use super::row_hash::{RowHasher, layout};
use super::rules::{Action, Rules};
use super::shape::Shape;
use super::spool::Verb;
use super::statement::{Moment, Move, RowSql};
use crate::codec::Hasher;
use crate::codec::row::RowLayout;
use crate::diff::CellValue;
use crate::engine::Dialect;
use crate::model::{Fact, TableSpec};

/// What a table is on both ends of a way.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// Before anything runs.
    pub before: Option<&'a TableSpec>,
    /// When all has run.
    pub after: Option<&'a TableSpec>,
}

/// The layouts that row hashes of a table need, which writers borrow.
#[derive(Debug)]
pub struct Layouts {
    pub(super) before: Option<RowLayout>,
    after: Option<RowLayout>,
}

impl Layouts {
    /// The layouts of a table on both ends.
    pub fn new(ends: Ends<'_>) -> Result<Layouts, PackError> {
        let of = |side: Option<&TableSpec>| side.map(layout).transpose();
        Ok(Layouts { before: of(ends.before)?, after: of(ends.after)? })
    }
}

/// What holds at a moment.
pub(super) struct FactsAndRules<'a> {
    pub(super) facts: &'a [Fact],
    pub(super) rules: Rules,
}

/// A table as its statements are written.
pub(super) struct WrittenTable<'a> {
    pub(super) work: &'a TableWork<'a>,
    sql: RowSql,
    /// Where rows leave the table for a while: the writer for that.
    earlier: Option<RowSql>,
    pub(super) before: Option<RowHasher<'a>>,
    pub(super) after: Option<RowHasher<'a>>,
    /// Columns that no update can set.
    pub(super) unset: Vec<usize>,
    /// Columns whose rows follow where others refer to them.
    pub(super) followed: Vec<usize>,
    /// Whether rows may refer to its rows and would go with them, or change.
    pub(super) is_followed: bool,
}

impl<'a> WrittenTable<'a> {
    /// The table of this work, under the facts and rules that hold while rows change.
    pub(super) fn new(
        work: &'a TableWork<'a>,
        layouts: &'a Layouts,
        dialect: &Dialect,
        before: &FactsAndRules<'_>,
        during: &FactsAndRules<'_>,
        hasher: &'a Hasher,
    ) -> Self {
        let name = work.shape.label();
        let rules = &during.rules;
        let writer = |moment, side: &FactsAndRules<'_>| {
            RowSql::new(&work.shape, dialect, moment, side.facts, &side.rules)
        };
        let moment = if work.leaves { Moment::After } else { Moment::Midway };
        WrittenTable {
            work,
            sql: writer(moment, during),
            earlier: work.leaves.then(|| writer(Moment::Before, before)),
            before: layouts.before.as_ref().map(|layout| RowHasher::new(layout, hasher)),
            after: layouts.after.as_ref().map(|layout| RowHasher::new(layout, hasher)),
            unset: places(&work.shape, rules.table(name).map(|table| &table.identities)),
            followed: followed(&work.shape, rules),
            is_followed: rules.referring_to(name).any(|key| key.on_delete == Action::Changes),
        }
    }

    /// The writer of a statement that does this.
    pub(super) fn sql(&self, one: &Move) -> &RowSql {
        match (&self.earlier, one) {
            (Some(earlier), Move::Delete(..)) => earlier,
            _ => &self.sql,
        }
    }

    /// What the statement of a step does; `None` where it only checks.
    pub(super) fn move_of(&self, step: &RowStep<'_>) -> Option<Move> {
        let (shape, change) = (&self.work.shape, step.change);
        let before = || shape.row_before(change);
        let after = || shape.row_after(change);
        let waiting = |parking: &Parking| {
            let mut row = if change.before.is_empty() { after() } else { before() };
            if let Parking::Columns(columns) = parking {
                for (column, value) in columns {
                    row[*column] = CellValue::Here(value.clone());
                }
            }
            row
        };
        let one = match (step.part, change.verb()) {
            (Part::Whole, Verb::Insert) => Move::Insert(after(), change.count),
            (Part::Whole, Verb::Delete) => {
                let others = if self.takes_all_copies() { change.others } else { 0 };
                Move::Delete(before(), change.count + others)
            }
            (Part::Whole, Verb::Update) => Move::Update(before(), after()),
            (Part::Park(Parking::Reinsert), _) => Move::Delete(before(), 1),
            (Part::Unpark(Parking::Reinsert), _) => Move::Insert(after(), 1),
            (Part::Park(parking), Verb::Insert) => Move::Insert(waiting(parking), 1),
            (Part::Park(parking), _) => Move::Update(before(), waiting(parking)),
            (Part::Unpark(parking), Verb::Delete) => Move::Delete(waiting(parking), 1),
            (Part::Unpark(parking), _) => Move::Update(waiting(parking), after()),
        };
        let changes = !matches!(&one, Move::Update(before, after) if before == after);
        changes.then_some(one)
    }

    /// Whether equal rows cannot be told apart when they go.
    pub(super) fn takes_all_copies(&self) -> bool {
        self.earlier.as_ref().unwrap_or(&self.sql).takes_all_copies
    }
}

/// The places of columns by their names.
fn places(shape: &Shape, names: Option<&BTreeSet<String>>) -> Vec<usize> {
    names.into_iter().flatten().filter_map(|name| shape.place(name)).collect()
}

/// The columns that rows refer to and would follow.
fn followed(shape: &Shape, rules: &Rules) -> Vec<usize> {
    let keys = rules.referring_to(shape.label());
    let acting = keys.filter(|key| key.on_update == Action::Changes);
    let names = acting.flat_map(|key| key.parent_columns.iter().map(|(name, _)| name));
    names.filter_map(|name| shape.place(name)).collect()
}
