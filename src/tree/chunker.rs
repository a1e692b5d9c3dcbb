//! Where chunks and nodes end: the local maximum of key hashes, and the cap.
//!
//! A run of rows ends after row *i* when its key's hash is the strict maximum of the hashes of the
//! rows *i−W* to *i+W*, all of which exist. Rows arrive in key order, so "ties by key" is "the
//! later row is the greater". A run that grows beyond the cap is cut again, counted from its
//! start. Both decisions depend on keys (and, for the cap, on sizes) between two boundaries only;
//! after a boundary the rule behaves as at the beginning of a table, since the boundary row beats
//! every row within reach. That is what makes ranges, checkpoints and edits agree.

use std::collections::VecDeque;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The seed of key hashes at the level of rows; each level of nodes adds one. Frozen.
const SEED: u64 = 0x6464_625f_7472_6565;

/// The hash of a key that decides boundaries. Level 0 is that of rows.
pub fn key_hash(level: u8, key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, SEED.wrapping_add(u64::from(level)))
}

/// The numbers of one level's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutRule {
    /// W: a boundary is the maximum of this many rows on either side. At least 1.
    pub window: usize,
    /// No more rows than this make one chunk.
    pub max_rows: usize,
    /// No more bytes of row-hash preimages than this make one chunk, unless one row does.
    pub max_bytes: u64,
    /// The cap leaves no fewer rows than this (1 or 2) behind itself.
    pub min_rows: usize,
}

/// The rules of a whole tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeRules {
    /// For chunks of rows.
    pub rows: CutRule,
    /// For nodes of children.
    pub nodes: CutRule,
}

/// The bytes of preimages at which a chunk is capped.
const MAX_CHUNK_BYTES: u64 = 4 << 20;

impl TreeRules {
    /// The rules of the format. Every id of every store depends on them.
    pub const FORMAT: TreeRules = TreeRules::with_windows(128, 16);

    /// Rules with other windows: for measurements and tests only.
    pub const fn with_windows(rows: usize, nodes: usize) -> TreeRules {
        TreeRules {
            rows: CutRule {
                window: rows,
                max_rows: 16 * rows,
                max_bytes: MAX_CHUNK_BYTES,
                min_rows: 1,
            },
            nodes: CutRule {
                window: nodes,
                max_rows: 16 * nodes,
                max_bytes: u64::MAX,
                min_rows: 2,
            },
        }
    }
}

/// Finds local maxima in a stream of hashes, each as soon as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMaximum {
    window: u64,
    seen: u64,
    /// The rows that can still be a maximum: positions ascend, hashes descend.
    candidates: VecDeque<(u64, u64)>,
}

impl LocalMaximum {
    /// Before the first row.
    pub fn new(window: usize) -> Self {
        let window = u64::try_from(window).expect("windows are small");
        LocalMaximum { window, seen: 0, candidates: VecDeque::new() }
    }

    /// Takes the hash of the next row. Settles the row `window` rows before it, if there is one:
    /// whether it is a boundary.
    #[inline]
    pub fn push(&mut self, hash: u64) -> Option<bool> {
        while self.candidates.back().is_some_and(|&(_, earlier)| earlier <= hash) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.seen, hash));
        let settled = self.seen.checked_sub(self.window);
        self.seen += 1;
        let settled = settled?;
        while self.candidates.front().is_some_and(|&(row, _)| row + self.window < settled) {
            self.candidates.pop_front();
        }
        let maximum = self.candidates.front().map(|&(row, _)| row);
        Some(settled >= self.window && maximum == Some(settled))
    }

    /// How many rows are not settled yet. Where the rows end here, none of them is a boundary.
    pub fn unsettled(&self) -> u64 {
        self.seen.min(self.window)
    }

    /// What must be kept to go on later: rows seen, and the candidates.
    pub(super) fn state(&self) -> (u64, impl ExactSizeIterator<Item = (u64, u64)> + '_) {
        (self.seen, self.candidates.iter().copied())
    }

    /// Goes on from [`LocalMaximum::state`]; `None` where that cannot be one.
    pub(super) fn restore(window: usize, seen: u64, candidates: Vec<(u64, u64)>) -> Option<Self> {
        let mut restored = LocalMaximum::new(window);
        let ordered = candidates.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 > two[1].1);
        let last = candidates.last().map_or(0, |&(row, _)| row + 1);
        if !ordered || last != seen {
            return None;
        }
        restored.seen = seen;
        restored.candidates = candidates.into();
        Some(restored)
    }
}

/// Why a chunk or node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutEnd {
    /// At a local maximum.
    Natural,
    /// At the cap.
    Cap,
    /// At the end of the table.
    Last,
}

/// The next `rows` rows make a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// How many rows.
    pub rows: usize,
    /// Why it ends there.
    pub end: CutEnd,
}

/// What is known of a row once it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Others follow it in its run.
    Within,
    /// It is a local maximum: its run ends with it.
    Boundary,
    /// It is the last row of the table.
    Last,
}

impl Settled {
    /// A row that others follow.
    pub fn inner(is_boundary: bool) -> Settled {
        if is_boundary { Settled::Boundary } else { Settled::Within }
    }
}

/// At most two cuts: one before the row that was settled, one after it.
pub type Cuts = [Option<Cut>; 2];

/// Cuts runs of settled rows at boundaries and at the cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cutter {
    rule: CutRule,
    rows: usize,
    bytes: u64,
}

impl Cutter {
    /// At the start of a table, or right after a boundary.
    pub fn new(rule: CutRule) -> Self {
        Cutter { rule, rows: 0, bytes: 0 }
    }

    /// Takes the next settled row and its bytes.
    #[inline]
    pub fn push(&mut self, bytes: u64, row: Settled) -> Cuts {
        let mut cuts = [None, None];
        let is_full = self.rows >= self.rule.max_rows
            || (self.rows > 0 && self.bytes.saturating_add(bytes) > self.rule.max_bytes);
        let leaves_enough = self.rule.min_rows < 2 || row == Settled::Within;
        if is_full && leaves_enough {
            cuts[0] = self.cut(CutEnd::Cap);
        }
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        cuts[1] = match row {
            Settled::Within => None,
            Settled::Boundary => self.cut(CutEnd::Natural),
            Settled::Last => self.cut(CutEnd::Last),
        };
        cuts
    }

    /// Ends the table here: what is left makes the last chunk.
    pub fn finish(&mut self) -> Option<Cut> {
        self.cut(CutEnd::Last)
    }

    /// Rows and bytes since the last cut.
    pub(super) fn state(&self) -> (usize, u64) {
        (self.rows, self.bytes)
    }

    /// Goes on from [`Cutter::state`].
    pub(super) fn restore(rule: CutRule, rows: usize, bytes: u64) -> Self {
        Cutter { rule, rows, bytes }
    }

    fn cut(&mut self, end: CutEnd) -> Option<Cut> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        (rows > 0).then_some(Cut { rows, end })
    }
}

/// The whole rule for rows that arrive one by one: local maxima, then the cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunker {
    maximum: LocalMaximum,
    /// The bytes of the rows that are not settled.
    waiting: VecDeque<u64>,
    cutter: Cutter,
}

impl Chunker {
    /// At the start of a table, or right after a boundary.
    pub fn new(rule: CutRule) -> Self {
        Chunker {
            maximum: LocalMaximum::new(rule.window),
            waiting: VecDeque::new(),
            cutter: Cutter::new(rule),
        }
    }

    /// Takes the next row; says what that settled.
    #[inline]
    pub fn push(&mut self, hash: u64, bytes: u64) -> Cuts {
        self.waiting.push_back(bytes);
        match self.maximum.push(hash) {
            None => [None, None],
            Some(is_boundary) => {
                let bytes = self.waiting.pop_front().expect("the settled row was waiting");
                self.cutter.push(bytes, Settled::inner(is_boundary))
            }
        }
    }

    /// Settles the rows that still wait, as the end of the table.
    pub fn finish(&mut self, mut on_cut: impl FnMut(Cut)) {
        while let Some(bytes) = self.waiting.pop_front() {
            let is_last = self.waiting.is_empty();
            let row = if is_last { Settled::Last } else { Settled::Within };
            let cuts = self.cutter.push(bytes, row);
            cuts.into_iter().flatten().for_each(&mut on_cut);
        }
        self.cutter.finish().into_iter().for_each(on_cut);
    }

    /// The parts, to be kept in a checkpoint.
    pub(super) fn parts(&self) -> (&LocalMaximum, &VecDeque<u64>, &Cutter) {
        (&self.maximum, &self.waiting, &self.cutter)
    }

    /// Goes on from [`Chunker::parts`].
    pub(super) fn from_parts(
        maximum: LocalMaximum,
        waiting: VecDeque<u64>,
        cutter: Cutter,
    ) -> Chunker {
        Chunker { maximum, waiting, cutter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(window: usize) -> CutRule {
        TreeRules::with_windows(window, window).rows
    }

    fn cuts_of(rule: CutRule, hashes: &[u64]) -> Vec<Cut> {
        let mut chunker = Chunker::new(rule);
        let mut cuts = Vec::new();
        for hash in hashes {
            cuts.extend(chunker.push(*hash, 1).into_iter().flatten());
        }
        chunker.finish(|cut| cuts.push(cut));
        cuts
    }

    /// The rule, word for word.
    fn is_boundary(hashes: &[u64], row: usize, window: usize) -> bool {
        row >= window
            && row + window < hashes.len()
            && (row - window..=row + window)
                .filter(|&other| other != row)
                .all(|other| (hashes[other], other) < (hashes[row], row))
    }

    #[test]
    fn the_stream_finds_what_the_definition_says() {
        for window in 1..6 {
            for seed in 0..40u64 {
                // Few distinct hashes, so that ties are common.
                let hashes: Vec<u64> = (0..60u64)
                    .map(|i| key_hash(0, &[i.to_le_bytes(), seed.to_le_bytes()].concat()) % 20)
                    .collect();
                let mut end = 0;
                let mut found = Vec::new();
                for cut in cuts_of(CutRule { max_rows: usize::MAX, ..rule(window) }, &hashes) {
                    end += cut.rows;
                    if cut.end == CutEnd::Natural {
                        found.push(end - 1);
                    }
                }
                assert_eq!(end, hashes.len());
                let expected: Vec<usize> =
                    (0..hashes.len()).filter(|&row| is_boundary(&hashes, row, window)).collect();
                assert_eq!(found, expected, "window {window}, seed {seed}");
            }
        }
    }

    #[test]
    fn ascending_hashes_are_cut_by_the_cap_alone() {
        let hashes: Vec<u64> = (0..100).collect();
        let rule = CutRule { max_rows: 32, ..rule(4) };
        let rows: Vec<usize> = cuts_of(rule, &hashes).iter().map(|cut| cut.rows).collect();
        assert_eq!(rows, [32, 32, 32, 4]);
    }

    #[test]
    fn the_cap_of_nodes_leaves_no_single_child() {
        let rule = CutRule { max_rows: 32, min_rows: 2, ..rule(4) };
        for len in 2..200u64 {
            let hashes: Vec<u64> = (0..len).collect();
            let cuts = cuts_of(rule, &hashes);
            assert!(cuts.iter().all(|cut| (2..=33).contains(&cut.rows)), "{len}: {cuts:?}");
        }
    }

    #[test]
    fn the_cap_counts_bytes() {
        let rule = CutRule { max_bytes: 10, ..rule(1) };
        let mut cutter = Cutter::new(rule);
        let mut cuts = Vec::new();
        for bytes in [4, 4, 4, 30, 1, 1] {
            cuts.extend(cutter.push(bytes, Settled::Within).into_iter().flatten());
        }
        cuts.extend(cutter.finish());
        assert_eq!(cuts.iter().map(|cut| cut.rows).collect::<Vec<_>>(), [2, 1, 1, 2]);
    }
}
