//! Rows that change leave their table before it is built anew, or its columns convert what they hold,
//! and come back after that.
//!
//! The unchanged rows stay, and are copied or converted. So what the table becomes never meets a row
//! that is about to change, whatever it demands.

use super::error::PackError;
use super::order::{self, Part, RowLeftOut, RowStep, Steps, TableWork};
use super::parking::Parking;
use super::spool::{Spool, Verb};

/// Takes the rows that change out of a table.
pub fn take_out(
    spool: &Spool,
    table: usize,
    work: &TableWork<'_>,
    steps: &mut dyn Steps,
) -> Result<(), PackError> {
    for verb in Verb::EVERY {
        order::report_kept(spool, table, work, verb, steps)?;
    }
    for verb in [Verb::Delete, Verb::Update] {
        for change in work.read(spool, verb) {
            let (place, change) = change.map_err(|error| work.damaged(error))?;
            let (change, needs) = (&change, Vec::new());
            if verb == Verb::Update {
                let part = Part::Park(&Parking::Reinsert);
                steps.step(RowStep { table, change, part, needs })?;
            } else if work.runs_deletes() {
                steps.step(RowStep { table, change, part: Part::Whole, needs })?;
            } else {
                steps.left_out(RowLeftOut { table, place, change, because: None })?;
            }
        }
    }
    Ok(())
}

/// Puts the rows that change back into the table.
pub fn put_in(
    spool: &Spool,
    table: usize,
    work: &TableWork<'_>,
    steps: &mut dyn Steps,
) -> Result<(), PackError> {
    for verb in [Verb::Update, Verb::Insert] {
        for change in work.read(spool, verb) {
            let (_, change) = change.map_err(|error| work.damaged(error))?;
            let part = match verb {
                Verb::Update => Part::Unpark(&Parking::Reinsert),
                _ => Part::Whole,
            };
            steps.step(RowStep { table, change: &change, part, needs: Vec::new() })?;
        }
    }
    Ok(())
}
