//! Rows of one table that one statement will be for, until there are enough of them.

use super::manifest::StepLine;
use super::measure::value_len;
use super::statement::Move;
use crate::diff::CellValue;

/// Rows that one statement will be for.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) table: usize,
    verb: &'static str,
    columns: Vec<usize>,
    pub(super) moves: Vec<Move>,
    pub(super) lines: Vec<StepLine<'static>>,
    pub(super) bytes: usize,
}

impl Batch {
    /// An empty one, for rows like this.
    pub(super) fn new(table: usize, verb: &'static str, like: &Move) -> Batch {
        let (columns, moves, lines) = (like.columns(), Vec::new(), Vec::new());
        Batch { table, verb, columns, moves, lines, bytes: 0 }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, line: StepLine<'static>, one: Move) {
        self.bytes = self.bytes.saturating_add(written_len(&one));
        self.lines.push(line);
        self.moves.push(one);
    }

    /// Whether a row can be of the same statement, which with it has at most `full` bytes.
    pub(super) fn takes(&self, table: usize, line: &StepLine<'_>, one: &Move, full: usize) -> bool {
        // A statement of several rows runs them in no order.
        let is_free = line.needs.iter().all(|needed| self.lines.iter().all(|l| l.id != *needed));
        self.table == table
            && self.verb == line.verb
            && is_free
            && line.copies.is_none()
            && self.columns == one.columns()
            && self.bytes.saturating_add(written_len(one)) <= full
    }
}

/// About how long the values of a row are in a statement.
fn written_len(one: &Move) -> usize {
    let of = |row: &[CellValue]| -> u64 {
        let apart = |value: &CellValue| matches!(value, CellValue::Apart(_));
        match row.iter().any(apart) {
            // A statement that binds large values is for one row.
            true => u64::MAX / 4,
            false => row.iter().map(|value| 4 + value_len(value)).sum(),
        }
    };
    let bytes = match one {
        Move::Insert(row, _) | Move::Delete(row, _) | Move::Return(_, row) => of(row),
        Move::Update(before, after) => of(before) + of(after),
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
