//! The file in which a person decides about rows, one by one: written where it is missing, read
//! where it is given.
//!
//! Rows stream in the order in which they are compared, and so do entries: only entries that stand
//! elsewhere than their rows are remembered. What an entry says must be what is compared now: a
//! row without a decision, a decision without its row and one about a row that has changed since
//! are all named, and no pack is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decision::{Answer, Entry, Unanswered};
use super::error::{PackError, Refusal};
use super::output::Output;
use crate::fsio::{FileSystem, ReadFile};

/// What begins an entry.
const ENTRY: &str = "[[row]]";

/// No entry is longer, and nothing between entries.
const LONGEST_ENTRY: usize = 64 << 20;

/// The file is read in pieces of this size.
const PIECE: usize = 64 << 10;

/// How many rows are named.
const NAMED: usize = 20;

/// Where decisions stand.
#[derive(Debug, Clone, Copy)]
pub enum DecisionFile<'a> {
    /// There are none yet: the file to write, if a row needs one.
    Ask(&'a Path),
    /// The file that holds them.
    Given(&'a Path),
}

/// Answers about rows, or the file that asks for them.
pub(super) enum Decisions<'a> {
    /// Nothing is decided yet.
    Asking { fs: &'a dyn FileSystem, path: &'a Path, output: Option<Output>, rows: u64 },
    /// A file of answers.
    Reading(Box<Reading>),
}

/// A file of answers, and what was wrong so far.
pub(super) struct Reading {
    entries: Entries,
    /// Entries whose rows are yet to come.
    ahead: BTreeMap<String, Entry>,
    is_incomplete: bool,
    is_void: bool,
    problems: Vec<Refusal>,
    more: u64,
}

const HEADER: &str = "\
# Rows that need a decision before the change pack can be made.
#
# Each entry is a row that differs. Fill in take:
#   take = \"theirs\"   the row becomes as in the second snapshot (kind says how)
#   take = \"ours\"     the target's row stays as it is
# Of a row that is updated, cells can be taken one by one; those that are not named follow take:
#   cells = { column = \"theirs\", other = \"ours\" }
# Nothing else may be edited: values are shown as literals, and the digest stands for the whole row.
# Then run the same command again with --decisions and the name of this file.
";

impl<'a> Decisions<'a> {
    /// Opens the file that holds the decisions, or is ready to ask for them.
    pub(super) fn open(
        fs: &'a dyn FileSystem,
        file: DecisionFile<'a>,
    ) -> Result<Decisions<'a>, PackError> {
        Ok(match file {
            DecisionFile::Ask(path) => Decisions::Asking { fs, path, output: None, rows: 0 },
            DecisionFile::Given(path) => Decisions::Reading(Box::new(Reading {
                entries: Entries::open(fs, path)?,
                ahead: BTreeMap::new(),
                is_incomplete: false,
                is_void: false,
                problems: Vec::new(),
                more: 0,
            })),
        })
    }

    /// What was decided about a row; nothing where no pack will be made anyway.
    pub(super) fn answer(&mut self, row: &Entry) -> Result<Option<Answer>, PackError> {
        match self {
            Decisions::Asking { fs, path, output, rows } => {
                if output.is_none() {
                    if fs.info(path)?.is_some() {
                        return Err(PackError::DecisionsThere { path: path.to_path_buf() });
                    }
                    output.insert(Output::create(*fs, path)?).push(HEADER.as_bytes())?;
                }
                if let Some(output) = output {
                    output.push(row.to_text().as_bytes())?;
                }
                *rows += 1;
                Ok(None)
            }
            Decisions::Reading(reading) => reading.answer(row),
        }
    }

    /// Ends: an error where something is not decided, or decided about something else.
    pub(super) fn finish(self) -> Result<(), PackError> {
        match self {
            Decisions::Asking { path, output, rows, .. } => match output {
                None => Ok(()),
                Some(output) => {
                    output.finish()?;
                    Err(PackError::Undecided { path: path.to_path_buf(), rows })
                }
            },
            Decisions::Reading(reading) => reading.finish(),
        }
    }

    /// Removes what was written for nothing: the error that led here matters more.
    pub(super) fn discard(self) {
        if let Decisions::Asking { fs, path, output: Some(output), .. } = self {
            drop(output);
            let _ = fs.remove_file(path);
        }
    }
}

impl Reading {
    fn answer(&mut self, row: &Entry) -> Result<Option<Answer>, PackError> {
        let Some(entry) = self.entry_of(&row.identity())? else {
            self.is_incomplete = true;
            self.problem(row, "it has no entry, and needs a decision");
            return Ok(None);
        };
        if entry.digest != row.digest {
            self.is_void = true;
            self.problem(row, "it has changed since it was decided about");
            return Ok(None);
        }
        if entry.fixed() != row.fixed() {
            self.is_void = true;
            self.problem(row, "its entry was edited in more than take and cells");
            return Ok(None);
        }
        match entry.answer() {
            Ok(answer) => Ok(Some(answer)),
            Err(Unanswered::Missing(what)) => {
                self.is_incomplete = true;
                self.problem(row, format!("it is not decided: {what}"));
                Ok(None)
            }
            Err(Unanswered::Wrong(what)) => {
                self.is_void = true;
                self.problem(row, what);
                Ok(None)
            }
        }
    }

    fn entry_of(&mut self, identity: &str) -> Result<Option<Entry>, PackError> {
        if let Some(entry) = self.ahead.remove(identity) {
            return Ok(Some(entry));
        }
        while let Some(entry) = self.entries.next()? {
            let found = entry.identity();
            if found == identity {
                return Ok(Some(entry));
            }
            self.remember(found, entry);
        }
        Ok(None)
    }

    fn remember(&mut self, identity: String, entry: Entry) {
        if let Some(first) = self.ahead.insert(identity, entry) {
            self.is_void = true;
            self.problem(&first, "it has two entries");
        }
    }

    fn problem(&mut self, row: &Entry, reason: impl Into<String>) {
        if self.problems.len() >= NAMED {
            self.more += 1;
            return;
        }
        self.problems.push(Refusal::new(&row.table, reason, "").at_row(row.row()));
    }

    /// A row whose answer cannot be followed.
    fn refuse(&mut self, row: &Entry, reason: String) {
        self.is_void = true;
        self.problem(row, reason);
    }

    fn finish(mut self) -> Result<(), PackError> {
        while let Some(entry) = self.entries.next()? {
            self.remember(entry.identity(), entry);
        }
        for entry in std::mem::take(&mut self.ahead).into_values() {
            self.is_void = true;
            self.problem(&entry, "no such row differs in a table whose strategy is manual");
        }
        if self.more > 0 {
            let reason = format!("{} more rows", self.more);
            self.problems.push(Refusal::new("decisions", reason, ""));
        }
        match (self.is_void, self.is_incomplete) {
            (false, false) => Ok(()),
            (is_void, _) => Err(PackError::Decisions {
                path: self.entries.path,
                is_void,
                problems: self.problems,
            }),
        }
    }
}

impl Decisions<'_> {
    /// Says that what was decided about a row cannot be done.
    pub(super) fn refuse(&mut self, row: &Entry, reason: impl Into<String>) {
        if let Decisions::Reading(reading) = self {
            reading.refuse(row, reason.into());
        }
    }
}

/// The entries of a file, one after the other.
struct Entries {
    path: PathBuf,
    file: Arc<dyn ReadFile>,
    read: u64,
    /// What was read and not handed out.
    piece: Vec<u8>,
    at: usize,
    line: u64,
    /// Whether an entry has begun.
    is_within: bool,
}

impl Entries {
    fn open(fs: &dyn FileSystem, path: &Path) -> Result<Entries, PackError> {
        let (path, file) = (path.to_owned(), fs.open(path)?);
        Ok(Entries { path, file, read: 0, piece: Vec::new(), at: 0, line: 0, is_within: false })
    }

    /// The next entry. What stands before the first must be comments.
    fn next(&mut self) -> Result<Option<Entry>, PackError> {
        loop {
            let (start, was_within) = (self.line, self.is_within);
            let mut text = String::new();
            let mut is_end = true;
            while let Some(line) = self.next_line()? {
                if line.trim() == ENTRY {
                    (self.is_within, is_end) = (true, false);
                    break;
                }
                text.push_str(&line);
                text.push('\n');
                if text.len() > LONGEST_ENTRY {
                    return Err(self.malformed(start, "the entry is too long"));
                }
            }
            if was_within {
                if is_end {
                    self.is_within = false;
                }
                let entry = toml::from_str(&text);
                return entry.map(Some).map_err(|error| {
                    let within = error.span().and_then(|span| text.get(..span.start));
                    let lines = within.map_or(0, |text| text.matches('\n').count() as u64);
                    self.malformed(start + lines + 1, error.message())
                });
            }
            let is_comment = |line: &str| line.is_empty() || line.starts_with('#');
            if let Some(at) = text.lines().position(|line| !is_comment(line.trim())) {
                return Err(self.malformed(start + at as u64 + 1, "an entry begins with [[row]]"));
            }
            if is_end {
                return Ok(None);
            }
        }
    }

    fn next_line(&mut self) -> Result<Option<String>, PackError> {
        let mut searched = self.at;
        loop {
            if let Some(end) = self.piece[searched..].iter().position(|&byte| byte == b'\n') {
                return self.take_line(searched + end, 1).map(Some);
            }
            self.piece.drain(..self.at);
            self.at = 0;
            searched = self.piece.len();
            if searched > LONGEST_ENTRY {
                return Err(self.malformed(self.line + 1, "the line is too long"));
            }
            let left = self.file.len() - self.read;
            if left == 0 {
                return match self.piece.is_empty() {
                    true => Ok(None),
                    false => self.take_line(searched, 0).map(Some),
                };
            }
            let size = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            self.piece.resize(searched + size, 0);
            self.file.read_exact_at(&mut self.piece[searched..], self.read)?;
            self.read += size as u64;
        }
    }

    fn take_line(&mut self, end: usize, ending: usize) -> Result<String, PackError> {
        self.line += 1;
        let line = std::str::from_utf8(&self.piece[self.at..end]).map(str::to_owned);
        self.at = end + ending;
        let line = line.map_err(|_| self.malformed(self.line, "it is not UTF-8"))?;
        Ok(line.strip_suffix('\r').map(str::to_owned).unwrap_or(line))
    }

    fn malformed(&self, line: u64, why: &str) -> PackError {
        PackError::DecisionsText { path: self.path.clone(), line, why: why.to_owned() }
    }
}
