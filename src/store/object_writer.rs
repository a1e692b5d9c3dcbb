//! Writing one object file: under `tmp/`, then sealed, then in `objects/` with its index.
//!
//! The order is that of `docs/durability.md`, "Sealing": content, footer, read-only, sync, rename,
//! index, directory. Until the index has its name nobody sees the objects. While the writer lives
//! it holds the lock of its file, so nobody takes it for abandoned.

use std::path::PathBuf;
use std::thread::JoinHandle;

use super::StoreError;
use super::index::{IndexedFile, Place};
use super::index_writer;
use super::layout::{FileId, Layout};
use super::object_file::{FOOTER_LEN, FRAME_HEADER_LEN, Footer, FrameHeader, header};
use crate::codec::{Kind, Stored};
use crate::fsio::{AppendFile, FileSystem, FsError, OnExisting, create_unique};
use crate::model::ObjectId;

const BUFFER: usize = 1 << 20;
/// The disk gets this much at a time while the file grows, so that sealing does not wait for all.
const WRITE_BACK: u64 = 32 << 20;

/// An object in a file that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NewObject {
    pub(super) id: ObjectId,
    pub(super) offset: u64,
    pub(super) stored_len: u32,
    pub(super) kind: u8,
}

impl NewObject {
    /// The first bytes of the id, as a number of the same order.
    fn first_bytes(&self) -> u64 {
        self.id.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Its place in an index whose only file is the new one.
    pub(super) fn place(&self) -> Place {
        Place { file: 0, kind: self.kind, stored_len: self.stored_len, offset: self.offset }
    }
}

/// An object file that is not sealed yet.
pub(super) struct ObjectFileWriter {
    path: PathBuf,
    file: Box<dyn AppendFile>,
    hash: blake3::Hasher,
    buffer: Vec<u8>,
    len: u64,
    objects: Vec<NewObject>,
    /// How much has been written back, or is being.
    written_back: u64,
    write_back: Option<JoinHandle<Result<(), FsError>>>,
}

/// A file that was sealed and indexed. It holds the lock that keeps gc from taking it for garbage.
#[derive(Debug)]
pub(super) struct SealedFile {
    pub(super) id: FileId,
    pub(super) objects: Vec<NewObject>,
    pub(super) lock: Box<dyn AppendFile>,
}

impl ObjectFileWriter {
    pub(super) fn create(fs: &dyn FileSystem, layout: &Layout) -> Result<Self, FsError> {
        let (path, file) = create_unique(fs, &layout.tmp(), "objs")?;
        let header = header(fs.nonce());
        let mut buffer = Vec::with_capacity(BUFFER + BUFFER / 4);
        buffer.extend_from_slice(&header);
        let len = header.len() as u64;
        Ok(ObjectFileWriter {
            path,
            file,
            hash: blake3::Hasher::new(),
            buffer,
            len,
            objects: Vec::new(),
            written_back: 0,
            write_back: None,
        })
    }

    /// How long the file is by now.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn append(
        &mut self,
        kind: Kind,
        id: ObjectId,
        stored: &Stored,
    ) -> Result<(), StoreError> {
        let stored_len = u32::try_from(stored.bytes.len())
            .map_err(|_| StoreError::ObjectTooLarge { id, len: stored.bytes.len() })?;
        let kind = kind as u8;
        let frame =
            FrameHeader { kind, codec: stored.codec, plain_len: stored.plain_len, stored_len };
        self.buffer.extend_from_slice(&frame.to_bytes());
        self.buffer.extend_from_slice(&stored.bytes);
        self.objects.push(NewObject { id, offset: self.len, stored_len, kind });
        self.len += (FRAME_HEADER_LEN + stored.bytes.len()) as u64;
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FsError> {
        self.hash.update(&self.buffer);
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        if self.len - self.written_back >= WRITE_BACK {
            self.start_write_back()?;
        }
        Ok(())
    }

    /// Lets another thread bring to the disk what was written so far, unless one still does.
    fn start_write_back(&mut self) -> Result<(), FsError> {
        if self.write_back.as_ref().is_some_and(|running| !running.is_finished()) {
            return Ok(());
        }
        self.end_write_back()?;
        if let Some(write_back) = self.file.write_back()? {
            // Without another thread the sync at the end has more to do, that is all.
            self.write_back = std::thread::Builder::new().spawn(write_back).ok();
        }
        self.written_back = self.len;
        Ok(())
    }

    fn end_write_back(&mut self) -> Result<(), FsError> {
        let Some(running) = self.write_back.take() else { return Ok(()) };
        running.join().unwrap_or_else(|_| {
            let error = std::io::Error::other("the thread that wrote it back panicked");
            Err(FsError::new("sync", &self.path, error))
        })
    }

    /// Seals the file, makes it and its index durable, and with that visible.
    pub(super) fn seal(
        mut self,
        fs: &dyn FileSystem,
        layout: &Layout,
    ) -> Result<SealedFile, StoreError> {
        let sealed = self.write_seal(fs, layout);
        if sealed.is_err() {
            // Best effort: whoever comes next clears what is left over.
            let _ = fs.remove_file(&self.path);
        }
        let id = sealed?;
        let mut objects = self.objects;
        // Ids are evenly spread: their first bytes tell almost all of them apart.
        objects.sort_unstable_by(|a, b| a.first_bytes().cmp(&b.first_bytes()).then(a.cmp(b)));
        let indexed =
            IndexedFile { id, len: self.len + FOOTER_LEN as u64, objects: objects.len() as u64 };
        index_writer::write_fresh(fs, layout, indexed, &objects)?;
        fs.sync_dir(&layout.objects())?;
        Ok(SealedFile { id, objects, lock: self.file })
    }

    fn write_seal(&mut self, fs: &dyn FileSystem, layout: &Layout) -> Result<FileId, FsError> {
        let objects = self.objects.len() as u64;
        self.flush()?;
        self.hash.update(&Footer::hashed_part(objects, self.len));
        let id = FileId(*self.hash.finalize().as_bytes());
        self.file.append(&Footer { objects, body_len: self.len, id }.to_bytes())?;
        self.file.make_read_only()?;
        // An error that this met would not be told again by the sync below.
        self.end_write_back()?;
        self.file.sync()?;
        fs.rename(&self.path, &layout.object_file(&id), OnExisting::Refuse)?;
        Ok(id)
    }

    /// Gives the file up.
    pub(super) fn abandon(self, fs: &dyn FileSystem) {
        // Best effort: whoever comes next clears what is left over.
        let _ = fs.remove_file(&self.path);
    }
}
