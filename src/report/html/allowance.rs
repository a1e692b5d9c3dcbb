//! How many rows a page may hold, and how they are shared between tables.
//!
//! One large table must not take everything: of what is left, a fair share is kept for each table
//! to come, of all together at most half. So what a page weighs is bounded, and every table is
//! likely to show something.

/// How many rows a page holds at most.
pub const MOST_ROWS: u64 = 200_000;

/// How many bytes of rows a page holds at most, give or take a row of each table.
pub const MOST_BYTES: u64 = 64 << 20;

/// What is kept for each table to come.
const FAIR_ROWS: u64 = 1_000;
const FAIR_BYTES: u64 = 256 << 10;

/// What is left for a page and for the table that is being written.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    rows: u64,
    bytes: u64,
    table_rows: u64,
    table_bytes: u64,
    tables_to_come: usize,
}

impl Allowance {
    /// For a page of so many tables.
    pub(super) fn new(tables: usize) -> Allowance {
        Allowance {
            rows: MOST_ROWS,
            bytes: MOST_BYTES,
            table_rows: 0,
            table_bytes: 0,
            tables_to_come: tables,
        }
    }

    /// Whether another table may have rows.
    pub(super) fn has_room(&self) -> bool {
        self.rows > 0 && self.bytes > 0
    }

    /// Gives the next table its share.
    pub(super) fn begin_table(&mut self) {
        self.tables_to_come = self.tables_to_come.saturating_sub(1);
        let to_come = u64::try_from(self.tables_to_come).unwrap_or(u64::MAX);
        let share = |left: u64, fair: u64| left - fair.saturating_mul(to_come).min(left / 2);
        (self.table_rows, self.table_bytes) =
            (share(self.rows, FAIR_ROWS), share(self.bytes, FAIR_BYTES));
    }

    /// Takes a row, if the table may have one more.
    pub(super) fn take_row(&mut self) -> bool {
        let may = self.table_rows > 0 && self.table_bytes > 0;
        if may {
            self.table_rows -= 1;
            self.rows -= 1;
        }
        may
    }

    /// Takes the bytes of the row that was taken. What a table's last row has beyond its share is
    /// not the others' loss.
    pub(super) fn take_bytes(&mut self, bytes: u64) {
        let taken = bytes.min(self.table_bytes);
        self.table_bytes -= taken;
        self.bytes -= taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(allowance: &mut Allowance, bytes: u64) -> u64 {
        allowance.begin_table();
        let mut rows = 0;
        while allowance.take_row() {
            allowance.take_bytes(bytes);
            rows += 1;
        }
        rows
    }

    #[test]
    fn a_table_may_have_what_the_others_are_unlikely_to_need() {
        assert_eq!(fill(&mut Allowance::new(1), 1), MOST_ROWS);
        let mut two = Allowance::new(2);
        assert_eq!((fill(&mut two, 1), fill(&mut two, 1)), (MOST_ROWS - FAIR_ROWS, FAIR_ROWS));
        assert!(!two.has_room());
    }

    #[test]
    fn no_table_takes_it_all_and_the_sum_is_bounded() {
        let mut many = Allowance::new(1_000);
        let rows: Vec<u64> = (0..1_000).map(|_| fill(&mut many, 1)).collect();
        assert_eq!((rows[0], rows[1], rows[9]), (100_000, 50_000, 195));
        assert_eq!(rows.iter().sum::<u64>(), MOST_ROWS);
        let mut wide = Allowance::new(2);
        assert_eq!((fill(&mut wide, 1 << 20), fill(&mut wide, 1 << 20)), (64, 1));
    }
}
