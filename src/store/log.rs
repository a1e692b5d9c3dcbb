//! The log of a ref or tag: every move of it, one line of JSON each, only ever appended to.
//!
//! A line ends in the first 64 bits of its own hash, so a flipped bit is noticed. A last line
//! without its newline is what a crash during an append leaves: it is ignored, and cut away by the
//! next append.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::fsio::{FileSystem, FsError, OnExisting, write_atomically};
use crate::model::{ObjectId, SnapshotId};

/// No log is longer than this.
const MAX_LOG_LEN: u64 = 1 << 30;

/// A moment in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// One move of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When it moved.
    pub when: Moment,
    /// What it named before; `None` where it was created.
    pub old: Option<SnapshotId>,
    /// What it names since; `None` where it was deleted.
    pub new: Option<SnapshotId>,
    /// Who moved it.
    pub who: String,
    /// Why.
    pub message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    when: i64,
    old: Option<String>,
    new: Option<String>,
    who: String,
    message: String,
    sum: String,
}

/// The content of a log file.
#[derive(Debug, Default)]
pub(super) struct LogFile {
    /// The entries that are whole, in order.
    pub(super) entries: Vec<LogEntry>,
    /// The numbers of damaged lines, from 1.
    pub(super) damaged_lines: Vec<usize>,
    /// How many bytes of an unfinished append stand at the end.
    pub(super) torn_len: usize,
    /// The lines that are whole, as they stand.
    whole: Vec<u8>,
}

impl LogEntry {
    fn to_line(&self) -> Vec<u8> {
        let hex = |id: &SnapshotId| id.0.to_string();
        let mut line = Line {
            when: self.when.0,
            old: self.old.as_ref().map(hex),
            new: self.new.as_ref().map(hex),
            who: self.who.clone(),
            message: self.message.clone(),
            sum: String::new(),
        };
        line.sum = sum_of(&line);
        let mut text = to_json(&line).into_bytes();
        text.push(b'\n');
        text
    }

    fn parse(text: &[u8]) -> Option<LogEntry> {
        let line: Line = serde_json::from_slice(text).ok()?;
        let id = |hex: &Option<String>| match hex {
            None => Some(None),
            Some(hex) => hex.parse::<ObjectId>().ok().map(|id| Some(SnapshotId(id))),
        };
        let entry = LogEntry {
            when: Moment(line.when),
            old: id(&line.old)?,
            new: id(&line.new)?,
            who: line.who,
            message: line.message,
        };
        // The line as it would be written, sum included, must be the line as it stands.
        let written = entry.to_line();
        (written.strip_suffix(b"\n") == Some(text)).then_some(entry)
    }
}

fn to_json(line: &Line) -> String {
    serde_json::to_string(line).expect("a line has nothing that JSON cannot hold")
}

fn sum_of(line: &Line) -> String {
    let mut sum = blake3::hash(to_json(line).as_bytes()).to_hex().to_string();
    sum.truncate(16);
    sum
}

impl LogFile {
    /// Reads a log; an absent one is empty.
    pub(super) fn read(fs: &dyn FileSystem, path: &Path) -> Result<LogFile, FsError> {
        match fs.read(path, MAX_LOG_LEN) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.is_not_found() => Ok(LogFile::default()),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> LogFile {
        let mut log = LogFile::default();
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            match line.strip_suffix(b"\n") {
                Some(text) => match LogEntry::parse(text) {
                    Some(entry) => {
                        log.entries.push(entry);
                        log.whole.extend_from_slice(line);
                    }
                    None => log.damaged_lines.push(number + 1),
                },
                None if is_unfinished(line) => log.torn_len = line.len(),
                None => log.damaged_lines.push(number + 1),
            }
        }
        log
    }

    /// The entries, unless a line is damaged.
    pub(super) fn into_entries(self, path: &Path) -> Result<Vec<LogEntry>, StoreError> {
        match self.damaged_lines.first() {
            None => Ok(self.entries),
            Some(line) => Err(StoreError::Damaged {
                path: path.to_owned(),
                why: format!("line {line} is not as it was written"),
            }),
        }
    }

    /// The content without what is torn or damaged.
    pub(super) fn whole_lines(&self) -> &[u8] {
        &self.whole
    }
}

/// Whether a last line without a newline is the beginning of a line, rather than a whole line
/// whose newline was damaged.
fn is_unfinished(line: &[u8]) -> bool {
    let without_last = &line[..line.len().saturating_sub(1)];
    LogEntry::parse(without_last).is_none()
}

/// Adds an entry at the end and makes it durable, the name of a new log included.
pub(super) fn append(
    fs: &dyn FileSystem,
    tmp_dir: &Path,
    path: &Path,
    entry: &LogEntry,
) -> Result<(), FsError> {
    let log = LogFile::read(fs, path)?;
    let line = entry.to_line();
    if log.torn_len > 0 {
        let mut bytes = log.whole;
        bytes.extend_from_slice(&line);
        return write_atomically(fs, tmp_dir, path, &bytes, OnExisting::Replace);
    }
    let is_new = log.whole.is_empty() && log.damaged_lines.is_empty();
    let mut file = fs.open_append(path)?;
    file.append(&line)?;
    file.sync()?;
    match path.parent() {
        Some(parent) if is_new => fs.sync_dir(parent),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: &str) -> LogEntry {
        LogEntry {
            when: Moment(1_700_000_000_000_000),
            old: None,
            new: Some(SnapshotId(ObjectId([7; 32]))),
            who: "ada".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let mut bytes = entry("first \" \n").to_line();
        bytes.extend(entry("second").to_line());
        assert_eq!(LogFile::parse(&bytes).entries.len(), 2);
        for at in 0..bytes.len() {
            for mask in [1, 0x20, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let log = LogFile::parse(&flipped);
                assert!(!log.damaged_lines.is_empty(), "byte {at} mask {mask}");
            }
        }
    }

    #[test]
    fn a_torn_last_line_is_no_damage() {
        let first = entry("first").to_line();
        let second = entry("second").to_line();
        for cut in 0..second.len() {
            let mut bytes = first.clone();
            bytes.extend_from_slice(&second[..cut]);
            let log = LogFile::parse(&bytes);
            assert_eq!((log.entries.len(), log.torn_len), (1, cut));
            assert!(log.damaged_lines.is_empty());
        }
    }
}
