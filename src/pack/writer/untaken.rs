//! Changes that do not run, as a pack lists and shows them: those that are left out until they are
//! allowed, and those that a strategy keeps from running.

use std::fmt::Write as _;

use super::WayWriter;
use crate::pack::error::{PackError, Refusal};
use crate::pack::label::row_label;
use crate::pack::order::{Because, Deletes, Part, RowKept, RowLeftOut, RowStep};
use crate::pack::shape::Shape;
use crate::pack::spool::{Change, Verb};
use crate::pack::statement::{Large, Purpose};

/// How many left-out statements of a table are shown in the SQL file.
const SHOWN_LEFT_OUT: u64 = 100;

/// How many keys of left-out rows are listed in `pack.json`.
const LISTED_KEYS: usize = 20;

/// How much of a left-out statement is shown.
const SHOWN_STATEMENT: usize = 2000;

/// Rows of one table that are left out, or kept, for one reason.
#[derive(Debug, Default)]
pub struct LeftOutRows {
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub keys: Vec<String>,
    /// The change that is in the way of the first.
    pub because: Option<String>,
}

impl LeftOutRows {
    /// Adds a row; says whether its statement is worth showing.
    fn add(&mut self, change: &Change, key: String) -> bool {
        self.rows += change.count;
        if self.keys.len() < LISTED_KEYS {
            self.keys.push(key);
        }
        self.rows <= SHOWN_LEFT_OUT
    }
}

/// A column that goes from under a row that does not change, with something in it.
fn lost_column<'s>(shape: &'s Shape, change: &Change) -> Option<&'s str> {
    let is_lost = |&column: &usize| {
        let default = &shape.spec.columns[column].default;
        shape.had(column)
            && !shape.will_have(column)
            && shape.before(change, column).here() != Some(default)
    };
    let stays = change.verb() != Verb::Insert;
    (0..shape.len()).filter(|_| stays).find(is_lost).map(|column| shape.name(column))
}

impl WayWriter<'_> {
    pub(super) fn tell_left_out(&mut self, left: &RowLeftOut<'_>) -> Result<(), PackError> {
        let work = self.tables[left.table].work;
        let verb = left.change.verb();
        if work.deletes == Deletes::Held && verb == Verb::Delete {
            return Ok(());
        }
        if let Some(column) = lost_column(&work.shape, left.change) {
            let reason = format!(
                "its {} is left out, and it would lose its column {column}, which a rollback could \
                 not bring back",
                verb.as_str()
            );
            let hint = "leave the column (no --allow drop-column), or allow what is in the way";
            let refusal = Refusal::new(work.shape.table(), reason, hint);
            let row = row_label(&work.shape, left.change);
            return Err(PackError::Refused(vec![refusal.at_row(row)]));
        }
        let of = |other: usize, change: &Change, ending: &str| {
            let other = &self.tables[other].work.shape;
            let row = row_label(other, change);
            format!("{} of {} {row} {ending}", change.verb().as_str(), other.table())
        };
        let because = left.because.map(|because| match because {
            Because::Kept(why) => why.to_owned(),
            Because::Change(other, change) => of(other, change, "is left out"),
            Because::KeptChange(other, change) => of(other, change, "is kept from running"),
        });
        let is_blocked = because.is_some();
        let (name, key) = (work.shape.label().to_owned(), row_label(&work.shape, left.change));
        let listed = self.written.left_out.entry((name, verb, is_blocked)).or_default();
        let is_shown = listed.add(left.change, key);
        listed.because = listed.because.take().or_else(|| because.clone());
        if is_blocked {
            self.written.blocked.push((left.table, left.place));
        }
        if is_shown && let Some(mut shown) = self.shown(left.table, left.change)? {
            if let Some(because) = because {
                let _ = write!(shown, "\n  because {because}");
            }
            self.comment(&shown);
        }
        Ok(())
    }

    pub(super) fn tell_kept(&mut self, kept: &RowKept<'_>) -> Result<(), PackError> {
        let work = self.tables[kept.table].work;
        let verb = kept.change.verb();
        // The rows of a table that stays as a whole are told of by the table.
        if work.deletes == Deletes::Held && verb == Verb::Delete {
            return Ok(());
        }
        let shape = &work.shape;
        let (name, key) = (shape.label().to_owned(), row_label(shape, kept.change));
        let listed = self.written.kept.entry((name, verb)).or_default();
        // A row that is kept may hold what this program cannot write.
        if listed.add(kept.change, key)
            && let Ok(Some(shown)) = self.shown(kept.table, kept.change)
        {
            self.kept_comments.push(shown);
        }
        Ok(())
    }

    /// The statement that a change would be, as far as it is shown; none where it would do nothing.
    fn shown(&self, table: usize, change: &Change) -> Result<Option<String>, PackError> {
        let step = RowStep { table, change, part: Part::Whole, needs: Vec::new() };
        let table = &self.tables[table];
        let Some(one) = table.move_of(&step) else { return Ok(None) };
        let large = Large { files: self.values, purpose: Purpose::Shown };
        let text = table.sql(&one).statement(&table.work.shape, &[one], large)?.text;
        let mut shown: String = text.chars().take(SHOWN_STATEMENT).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Ok(Some(shown))
    }

    /// Writes what does not run, as comments.
    pub(super) fn push_comments(&mut self) -> Result<(), PackError> {
        let groups = [
            ("Left out: none of this runs.", std::mem::take(&mut self.comments)),
            ("Kept by strategy: none of this runs.", std::mem::take(&mut self.kept_comments)),
        ];
        for (title, comments) in groups {
            if !comments.is_empty() {
                self.sql.push(format!("\n-- {title}\n").as_bytes())?;
            }
            for line in comments.iter().flat_map(|comment| comment.lines()) {
                self.sql.push(format!("-- {line}\n").as_bytes())?;
            }
        }
        Ok(())
    }
}
