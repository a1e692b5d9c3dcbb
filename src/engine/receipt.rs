//! Receipts: which packs a database has taken, kept in a table of its own.
//!
//! A receipt is written in the transaction that it speaks of, so where the answer to a commit was
//! lost, it says what happened. The table is never captured in a snapshot.

/// The table in which apply keeps its receipts.
pub const RECEIPTS_TABLE: &str = "_deepdiff_receipts";

/// What a receipt says. The columns of the table have these names, `id` aside, which numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The pack's digest.
    pub pack: String,
    /// The target's identity when it was run.
    pub target: String,
    /// `migration` or `rollback`.
    pub direction: String,
    /// When, as text.
    pub at: String,
    /// How many statements ran.
    pub statements: u64,
}
