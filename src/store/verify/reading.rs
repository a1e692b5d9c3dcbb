//! What a semantic check reads: objects by positioned reads, each remembered as sound, so that the
//! scan of all object files need not decode and hash it once more.
//!
//! Objects that are needed together were written together, so files are read in windows. Whatever
//! is not found sound here is asked of the store's reader, which looks for other copies and lists
//! the store again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::codec::{Hasher, Kind};
use crate::fsio::FsError;
use crate::model::ObjectId;
use crate::store::object_file::{FRAME_HEADER_LEN, FrameHeader, open_frame};
use crate::store::objects::{ObjectError, Objects};
use crate::store::view::{Location, View};
use crate::store::{FileId, Reader, Store};

/// A window of a file that is kept.
const WINDOW: u64 = 128 << 10;
const WINDOWS: usize = 32;

/// Places are remembered in steps of so many bytes; a frame shorter than a step is not remembered,
/// so no two that are remembered share one.
const STEP: u64 = 64;

/// Which frames were found sound.
#[derive(Debug, Default)]
pub(super) struct SoundFrames {
    files: HashMap<FileId, Vec<AtomicU64>>,
}

impl SoundFrames {
    /// None yet, of the files of a view.
    fn new(store: &Store, view: &View) -> Result<SoundFrames, FsError> {
        let mut files = HashMap::new();
        for file in view.files.values() {
            let len = store.fs.info(&file.path)?.map_or(0, |info| info.len);
            let words = usize::try_from(len.div_ceil(STEP * 64)).unwrap_or(0);
            files.insert(file.id, (0..words).map(|_| AtomicU64::new(0)).collect());
        }
        Ok(SoundFrames { files })
    }

    fn place(&self, file: &FileId, offset: u64, len: u64) -> Option<(&AtomicU64, u64)> {
        let step = offset / STEP;
        let word = usize::try_from(step / 64).ok().filter(|_| len >= STEP)?;
        Some((self.files.get(file)?.get(word)?, 1 << (step % 64)))
    }

    fn add(&self, file: &FileId, offset: u64, len: u64) {
        if let Some((word, bit)) = self.place(file, offset, len) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether the frame of `len` bytes at `offset` was found sound.
    pub(super) fn contains(&self, file: &FileId, offset: u64, len: u64) -> bool {
        self.place(file, offset, len)
            .is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }
}

/// A part of a file.
#[derive(Clone)]
struct Window {
    file: FileId,
    number: u64,
    bytes: Arc<Vec<u8>>,
}

/// The objects of a store, as a semantic check reads them.
pub(super) struct CheckedObjects<'s> {
    store: &'s Store,
    view: Arc<View>,
    reader: &'s Reader,
    sound: SoundFrames,
    windows: Vec<Mutex<Option<Window>>>,
}

impl<'s> CheckedObjects<'s> {
    pub(super) fn new(
        store: &'s Store,
        view: &Arc<View>,
        reader: &'s Reader,
    ) -> Result<Self, FsError> {
        let sound = SoundFrames::new(store, view)?;
        let windows = (0..WINDOWS).map(|_| Mutex::new(None)).collect();
        Ok(CheckedObjects { store, view: Arc::clone(view), reader, sound, windows })
    }

    /// The frames that were found sound.
    pub(super) fn into_sound(self) -> SoundFrames {
        self.sound
    }

    /// The plain bytes of the object at a location, if it is there and sound.
    fn at(
        &self,
        location: &Location<'_>,
        kind: Kind,
        id: &ObjectId,
    ) -> Result<Option<Vec<u8>>, FsError> {
        let (offset, len) = (location.place.offset, location.place.file_len());
        let (number, inside) = (offset / WINDOW, offset % WINDOW);
        if inside + len <= WINDOW {
            let window = self.window(location, number)?;
            let as_index = |at: u64| usize::try_from(at).expect("inside of a window");
            let frame = window.get(as_index(inside)..as_index(inside + len));
            return Ok(frame.and_then(|frame| self.open(location, kind, id, frame)));
        }
        let opened = self.view.opened(self.store.fs.as_ref(), location.file)?;
        let is_inside = offset.checked_add(len).is_some_and(|end| end <= opened.len());
        let Some(len) = usize::try_from(len).ok().filter(|_| is_inside) else { return Ok(None) };
        let mut frame = vec![0u8; len];
        opened.read_exact_at(&mut frame, offset)?;
        Ok(self.open(location, kind, id, &frame))
    }

    fn open(
        &self,
        location: &Location<'_>,
        kind: Kind,
        id: &ObjectId,
        frame: &[u8],
    ) -> Option<Vec<u8>> {
        let (header, bytes) = frame.split_first_chunk::<FRAME_HEADER_LEN>()?;
        let header = FrameHeader::parse(header);
        if header.stored_len != location.place.stored_len {
            return None;
        }
        let (found, found_id, plain) = open_frame(header, bytes, &self.store.hasher).ok()?;
        if (found, found_id) != (kind, *id) || location.place.kind() != Some(kind) {
            return None;
        }
        self.sound.add(&location.file.id, location.place.offset, location.place.file_len());
        Some(plain)
    }

    fn window(&self, location: &Location<'_>, number: u64) -> Result<Arc<Vec<u8>>, FsError> {
        let file = location.file;
        let slot = usize::try_from(number % WINDOWS as u64).expect("below their number");
        let kept = || self.windows[slot].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = kept().as_ref()
            && (window.file, window.number) == (file.id, number)
        {
            return Ok(Arc::clone(&window.bytes));
        }
        let opened = self.view.opened(self.store.fs.as_ref(), file)?;
        let at = number.saturating_mul(WINDOW);
        let len = opened.len().saturating_sub(at).min(WINDOW);
        let mut bytes = vec![0u8; usize::try_from(len).expect("at most a window")];
        opened.read_exact_at(&mut bytes, at)?;
        let bytes = Arc::new(bytes);
        *kept() = Some(Window { file: file.id, number, bytes: Arc::clone(&bytes) });
        Ok(bytes)
    }
}

impl Objects for CheckedObjects<'_> {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        for location in self.view.locations(id) {
            match self.at(&location, kind, id) {
                Ok(Some(plain)) => return Ok(plain),
                Ok(None) => {}
                // Collected since the view was made.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(ObjectError::Io(Box::new(error))),
            }
        }
        self.reader.get(kind, id)
    }

    fn hasher(&self) -> &Hasher {
        &self.store.hasher
    }
}
