//! The journal of a change that cannot be one transaction, and the names of this program's own
//! tables.
//!
//! Where every DDL statement commits, a table in the target says which pack is on its way, by which
//! steps, and how far it is. It is written before and after each statement; rows note their own
//! place in the transaction that changes them. What the steps are is no matter of engines.

use super::RECEIPTS_TABLE;

/// The table in which a run notes how far it is.
pub const JOURNAL_TABLE: &str = "_deepdiff_journal";

/// What the name of a table begins with that is put aside before it is dropped.
pub const TRASH_PREFIX: &str = "_deepdiff_trash_";

/// What the name of a table begins with that was made anew and is put aside when that is undone.
pub const UNDONE_PREFIX: &str = "_deepdiff_undone_";

/// Whether a table of a target is this program's own, and never captured.
pub fn is_own_table(name: &str) -> bool {
    let begins = |front: &str| {
        name.get(..front.len()).is_some_and(|start| start.eq_ignore_ascii_case(front))
    };
    name.eq_ignore_ascii_case(RECEIPTS_TABLE)
        || name.eq_ignore_ascii_case(JOURNAL_TABLE)
        || begins(TRASH_PREFIX)
        || begins(UNDONE_PREFIX)
}

/// How long the name of a table may be on MySQL and MariaDB, in characters.
const LONGEST_NAME: usize = 64;

/// The name under which a table is put aside.
pub fn trash_name(table: &str) -> String {
    own_name(TRASH_PREFIX, table)
}

/// The name under which a table is put aside that was made anew, and whose predecessor comes back.
pub fn undone_name(table: &str) -> String {
    own_name(UNDONE_PREFIX, table)
}

fn own_name(prefix: &str, table: &str) -> String {
    let room = LONGEST_NAME - prefix.len();
    if table.chars().count() <= room {
        return format!("{prefix}{table}");
    }
    // FNV-1a: it has to be the same in every version.
    let hash = table.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let start: String = table.chars().take(room - 17).collect();
    format!("{prefix}{start}_{hash:016x}")
}

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The digest of the pack that is run.
    pub pack: String,
    /// `migration` or `rollback`.
    pub direction: String,
    /// Whether what was done is being undone.
    pub is_undoing: bool,
    /// How many steps are done.
    pub position: u64,
    /// Whether the next one may have run.
    pub is_running: bool,
    /// The steps, as whoever runs them writes them.
    pub course: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_put_aside_fit_and_differ() {
        assert_eq!(trash_name("t`"), "_deepdiff_trash_t`");
        let [a, b] = ["a", "b"].map(|end| trash_name(&format!("{}{end}", "é".repeat(63))));
        assert_eq!(a.chars().count(), 64);
        assert!(a != b && is_own_table(&a));
    }

    #[test]
    fn own_tables_are_known_by_their_names() {
        for name in
            ["_deepdiff_receipts", "_DEEPDIFF_JOURNAL", "_deepdiff_trash_t", "_deepdiff_undone_t"]
        {
            assert!(is_own_table(name), "{name}");
        }
        for name in ["deepdiff_journal", "_deepdiff_journal2", "_deepdiff_tra\u{e9}", "é"] {
            assert!(!is_own_table(name), "{name}");
        }
    }
}
