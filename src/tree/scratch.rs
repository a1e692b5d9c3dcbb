//! Scratch files: where rows wait that do not fit in memory.
//!
//! A file is written from front to back, read anywhere, and gone when it is dropped. Whoever
//! builds a tree says where such files lie; nothing here knows paths.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes scratch files.
pub trait ScratchSpace: Send + Sync {
    /// A new, empty file.
    fn create(&self) -> io::Result<Box<dyn ScratchFile>>;
}

/// A file of this process alone. It disappears when dropped, and when the process dies.
pub trait ScratchFile: Send {
    /// Adds bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Fills `buffer` from `offset` on; an error where the file ends before that.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// Scratch "files" in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryScratch {
    created: AtomicUsize,
}

impl MemoryScratch {
    /// How many files were made.
    pub fn created(&self) -> usize {
        self.created.load(Ordering::Relaxed)
    }
}

struct MemoryFile(Vec<u8>);

impl ScratchSpace for MemoryScratch {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        self.created.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(MemoryFile(Vec::new())))
    }
}

impl ScratchFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.0.get(offset..)?.get(..buffer.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}
