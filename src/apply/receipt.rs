//! Receipts: which packs a target has taken, written in the transaction that took them.
//!
//! Where the answer to a commit was lost, the receipt says what happened. The last receipt of a
//! pack counts, so apply, rollback, apply works.

use super::error::ApplyError;
use crate::engine::{Receipt, Session};
use crate::pack::Run;

/// The way this pack was run last on the target, if it was.
pub fn last_run(session: &Session<'_>, pack: &str) -> Result<Option<Run>, ApplyError> {
    Ok(session.receipts(pack)?.last().map(way))
}

/// The way a receipt speaks of.
fn way(receipt: &Receipt) -> Run {
    match receipt.direction.as_str() {
        "rollback" => Run::Back,
        _ => Run::Forward,
    }
}

/// Whether the run that would have left this receipt is committed: asked on another connection,
/// where the answer to the commit was lost.
pub fn is_committed(session: &Session<'_>, receipt: &Receipt) -> Result<bool, ApplyError> {
    Ok(session.receipts(&receipt.pack)?.last() == Some(receipt))
}
