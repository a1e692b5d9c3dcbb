//! Files as memory. The only `unsafe` of this layer.
//!
//! Only sealed files are mapped: written once, mode 0444, never written again, removed but never
//! cut. Somebody who truncates one under us kills the process with SIGBUS; `verify` therefore
//! reads by `pread`.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// The bytes of a sealed file.
#[derive(Debug)]
pub struct Mapping(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    Copied(Arc<[u8]>),
}

impl Mapping {
    /// The bytes of a file that exists in memory only.
    pub(super) fn of_bytes(bytes: Arc<[u8]>) -> Self {
        Mapping(Bytes::Copied(bytes))
    }

    /// Maps a file. It must be sealed.
    #[allow(unsafe_code, reason = "the one place that maps files")]
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Mapping(Bytes::Copied(Arc::default())));
        }
        // SAFETY: a mapping is undefined behaviour where the file changes beneath it. Sealed files
        // are written under another name, made read-only, and only then renamed to where this is
        // called for; this program never opens them for writing and never truncates a file. What
        // is read through the mapping is hashed before it is believed.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Mapping(Bytes::Mapped(map)))
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(map) => map,
            Bytes::Copied(bytes) => bytes,
        }
    }
}
