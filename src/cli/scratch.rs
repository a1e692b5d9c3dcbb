//! Scratch files for rows that do not fit in memory: nameless files of `fsio`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fsio::{self, FileSystem};
use crate::tree::{ScratchFile, ScratchSpace};

/// Makes scratch files in a folder.
pub struct Scratch {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
}

impl Scratch {
    /// Scratch files in `dir`.
    pub fn new(fs: &Arc<dyn FileSystem>, dir: &Path) -> Self {
        Scratch { fs: Arc::clone(fs), dir: dir.to_owned() }
    }
}

impl ScratchSpace for Scratch {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(Nameless(self.fs.scratch(&self.dir).map_err(io::Error::other)?)))
    }
}

struct Nameless(Box<dyn fsio::ScratchFile>);

impl ScratchFile for Nameless {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes).map_err(io::Error::other)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset).map_err(io::Error::other)
    }
}
