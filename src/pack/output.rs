//! A file that is written from front to end, in large pieces, while its length is known.

use std::path::Path;

use crate::codec::{Hasher, Kind};
use crate::fsio::{AppendFile, FileSystem, FsError};

/// Bytes are handed to the file system in pieces of about this size.
const PIECE: usize = 256 << 10;

/// A file being written.
#[derive(Debug)]
pub struct Output {
    file: Box<dyn AppendFile>,
    waiting: Vec<u8>,
    written: u64,
}

impl Output {
    /// Creates the file.
    pub fn create(fs: &dyn FileSystem, path: &Path) -> Result<Output, FsError> {
        Ok(Output { file: fs.create(path)?, waiting: Vec::new(), written: 0 })
    }

    /// Where the next byte will stand.
    pub fn position(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FsError> {
        self.file.append(&self.waiting)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting.shrink_to(PIECE * 2);
        Ok(())
    }

    /// Writes what is left and makes it survive a crash.
    pub fn finish(mut self) -> Result<(), FsError> {
        self.flush()?;
        self.file.sync()
    }
}

/// The length and digest of a file.
pub fn digest(fs: &dyn FileSystem, path: &Path, hasher: &Hasher) -> Result<(u64, String), FsError> {
    let file = fs.open(path)?;
    let len = file.len();
    let mut running = hasher.start(Kind::Pack, len);
    let mut at = 0;
    let mut piece = vec![0u8; PIECE];
    while at < len {
        let size = usize::try_from(len - at).map_or(PIECE, |left| left.min(PIECE));
        file.read_exact_at(&mut piece[..size], at)?;
        running.update(&piece[..size]);
        at += size as u64;
    }
    Ok((len, running.finish().to_string()))
}
