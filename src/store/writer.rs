//! Adding objects, from several threads, into object files that grow under `tmp/`.
//!
//! What is appended is visible to others only when its file is sealed; this writer sees it at
//! once. It remembers which object files its answers to `contains` rested on, and publishes only
//! if all of them are still there (`publish`). After a failed write nothing can be published: what
//! the disk holds is then unknown.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::chain;
use super::layout::FileId;
use super::mark::{Marker, Strictness};
use super::object_writer::{ObjectFileWriter, SealedFile};
use super::objects::{ObjectError, ObjectSink};
use super::reader::Reader;
use super::resume::RootObject;
use super::view::{Access, Location};
use super::{Store, StoreError};
use crate::codec::{Hasher, Kind, Stored};
use crate::fsio::AppendFile;
use crate::model::{ObjectId, SnapshotId};

/// How many of its sealed files a writer keeps locked: each takes a file descriptor. What falls
/// out is protected by the checkpoint that names it, and by the check at publish.
const MAX_HELD: usize = 64;

/// How a writer works.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// An object file that has this many bytes is sealed and another one begun. Bounds the memory
    /// for the ids that are not indexed yet: about 1 % of this.
    pub roll_over_at: u64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        WriterOptions { roll_over_at: 256 << 20 }
    }
}

/// Takes objects into a store.
pub struct Writer {
    store: Store,
    reader: Reader,
    options: WriterOptions,
    session: Mutex<Session>,
    /// Held while a file is being sealed, so that `seal` can wait for those that others seal.
    sealing: Mutex<()>,
    relied: Mutex<HashSet<FileId>>,
    held: Mutex<Vec<Box<dyn AppendFile>>>,
    new_objects: AtomicU64,
    new_bytes: AtomicU64,
}

#[derive(Default)]
struct Session {
    open: Option<ObjectFileWriter>,
    /// Full, not sealed yet.
    waiting: Vec<ObjectFileWriter>,
    /// What is in files that no view shows yet.
    pending: HashSet<ObjectId>,
    /// Why the first write that failed did.
    failure: Option<String>,
}

impl Session {
    fn fail(&mut self, error: &StoreError) {
        self.failure.get_or_insert_with(|| chain(error));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// A writer. It first takes over what an interrupted one left behind, if no other command
    /// holds the lock.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        self.writer_with(WriterOptions::default())
    }

    /// A writer with options.
    pub fn writer_with(&self, options: WriterOptions) -> Result<Writer, StoreError> {
        self.prepare_writing()?;
        if let Some(lock) = self.try_lock()? {
            self.adopt(&lock)?;
        }
        self.new_writer(options)
    }

    /// A writer for whoever holds the lock.
    pub(super) fn writer_for_keeping(&self) -> Result<Writer, StoreError> {
        self.new_writer(WriterOptions::default())
    }

    fn new_writer(&self, options: WriterOptions) -> Result<Writer, StoreError> {
        Ok(Writer {
            store: self.clone(),
            reader: self.reader()?,
            options,
            session: Mutex::default(),
            sealing: Mutex::default(),
            relied: Mutex::default(),
            held: Mutex::default(),
            new_objects: AtomicU64::new(0),
            new_bytes: AtomicU64::new(0),
        })
    }
}

impl Writer {
    /// The store that is written to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A reader that sees what this writer has sealed.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// How many objects were added, and how many bytes they take as stored.
    pub fn added(&self) -> (u64, u64) {
        (self.new_objects.load(Ordering::Relaxed), self.new_bytes.load(Ordering::Relaxed))
    }

    /// Makes all that was appended so far durable and visible. What is appended later goes into
    /// another file. Does nothing where nothing is new.
    pub fn seal(&self) -> Result<(), StoreError> {
        {
            let mut session = self.session()?;
            if let Some(open) = session.open.take() {
                session.waiting.push(open);
            }
        }
        self.seal_waiting()?;
        self.session().map(drop)
    }

    /// Seals every full file. Who waits here for another thread finds that thread's file sealed.
    fn seal_waiting(&self) -> Result<(), StoreError> {
        let _sealing = locked(&self.sealing);
        loop {
            let Some(file) = locked(&self.session).waiting.pop() else { return Ok(()) };
            let store = &self.store;
            let sealed = file.seal(store.fs.as_ref(), &store.layout);
            let shown = sealed.and_then(|sealed| self.reader.refreshed().map(|_| sealed));
            match shown {
                Ok(sealed) => self.remember(sealed),
                Err(error) => {
                    locked(&self.session).fail(&error);
                    return Err(error);
                }
            }
        }
    }

    fn remember(&self, sealed: SealedFile) {
        locked(&self.relied).insert(sealed.id);
        let mut held = locked(&self.held);
        if held.len() == MAX_HELD {
            held.remove(0);
        }
        held.push(sealed.lock);
        let mut session = locked(&self.session);
        if session.pending.len() == sealed.objects.len() {
            // It was the only file: every object goes into one, once.
            session.pending = HashSet::new();
        } else {
            for object in &sealed.objects {
                session.pending.remove(&object.id);
            }
        }
    }

    /// The session, unless a write of it failed.
    fn session(&self) -> Result<MutexGuard<'_, Session>, StoreError> {
        let session = locked(&self.session);
        if let Some(why) = session.failure.clone() {
            return Err(StoreError::WriterFailed { path: self.store.path().to_owned(), why });
        }
        Ok(session)
    }

    /// The object files that must be there for what was written to be whole.
    pub(super) fn relied(&self) -> MutexGuard<'_, HashSet<FileId>> {
        locked(&self.relied)
    }

    /// Lets go of the files this writer sealed: they are published, gc sees who needs them.
    pub(super) fn release(&self) {
        locked(&self.held).clear();
    }

    /// Makes everything below a snapshot part of what this writer relies on. Copies out what is
    /// only in condemned files. What was appended must be sealed before.
    pub(super) fn rely_on_all_below(&self, snapshot: SnapshotId) -> Result<(), StoreError> {
        let view = self.reader.refreshed()?;
        let mut marker = Marker::new(&self.store, view.clone(), Access::Mapped);
        let root = RootObject { kind: Kind::Snapshot, id: snapshot.0 };
        let name = format!("snapshot {}", snapshot.short());
        marker.mark(root, &name, Strictness::Required, &mut |object, location, _| {
            if view.is_healthy(&object.id, location) {
                self.relied().insert(location.file.id);
                return Ok(());
            }
            self.copy_out(&view, object.id, location)
        })?;
        match marker.missing().first() {
            None => Ok(()),
            Some(missing) => Err(StoreError::Incomplete {
                root: missing.root.clone(),
                id: missing.id,
                why: missing.why.clone(),
            }),
        }
    }

    /// Copies an object into the file that is being written, if it is what its id says.
    pub(super) fn copy_out(
        &self,
        view: &super::view::View,
        id: ObjectId,
        location: &Location<'_>,
    ) -> Result<(), StoreError> {
        let fs = self.store.fs.as_ref();
        let frame = view.frame_at(fs, Access::Positioned, location)?;
        let opened = frame.and_then(|frame| {
            let (kind, found, _) = frame.open(&self.store.hasher)?;
            if found == id {
                Ok((kind, frame))
            } else {
                Err("its bytes do not hash to its id".into())
            }
        });
        let (kind, frame) = opened.map_err(|why| {
            let kind = location.place.kind().unwrap_or(Kind::File);
            let why = format!("{why}, in {}", location.file.path.display());
            ObjectError::Damaged { id, kind, why }
        })?;
        let (codec, plain_len) = (frame.header.codec, frame.header.plain_len);
        self.add(kind, id, &Stored { codec, plain_len, bytes: frame.bytes })
    }

    pub(super) fn add(&self, kind: Kind, id: ObjectId, stored: &Stored) -> Result<(), StoreError> {
        let is_full = {
            let mut session = self.session()?;
            if !session.pending.insert(id) {
                return Ok(());
            }
            match self.append_to(&mut session, kind, id, stored) {
                Ok(is_full) => is_full,
                Err(error) => {
                    session.fail(&error);
                    return Err(error);
                }
            }
        };
        self.new_objects.fetch_add(1, Ordering::Relaxed);
        self.new_bytes.fetch_add(stored.bytes.len() as u64, Ordering::Relaxed);
        if is_full { self.seal_waiting() } else { Ok(()) }
    }

    fn append_to(
        &self,
        session: &mut Session,
        kind: Kind,
        id: ObjectId,
        stored: &Stored,
    ) -> Result<bool, StoreError> {
        if session.open.is_none() {
            let store = &self.store;
            session.open = Some(ObjectFileWriter::create(store.fs.as_ref(), &store.layout)?);
        }
        let open = session.open.as_mut().expect("it was created above");
        open.append(kind, id, stored)?;
        if open.len() < self.options.roll_over_at {
            return Ok(false);
        }
        session.waiting.extend(session.open.take());
        Ok(true)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut session = locked(&self.session);
        for unfinished in
            session.open.take().into_iter().chain(std::mem::take(&mut session.waiting))
        {
            unfinished.abandon(self.store.fs.as_ref());
        }
    }
}

impl ObjectSink for Writer {
    fn hasher(&self) -> &Hasher {
        &self.store.hasher
    }

    fn contains(&self, id: &ObjectId) -> Result<bool, ObjectError> {
        if self.session()?.pending.contains(id) {
            return Ok(true);
        }
        let view = self.reader.view();
        let Some(location) = view.healthy(id) else { return Ok(false) };
        self.relied().insert(location.file.id);
        Ok(true)
    }

    fn append(&self, kind: Kind, id: ObjectId, stored: Stored) -> Result<(), ObjectError> {
        Ok(self.add(kind, id, &stored)?)
    }
}
