//! Reading every object: one thread reads object files from front to back and hashes them as
//! files, others decode and hash the objects.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::VerifyOptions;
use super::outcome::{Cursor, Damage, Damaged, VerifyOutcome};
use super::reading::SoundFrames;
use crate::fsio::ReadFile;
use crate::model::ObjectId;
use crate::store::index::Index;
use crate::store::object_file::{FOOTER_LEN, Footer, Frame, Frames, HEADER_LEN, ScanError};
use crate::store::view::View;
use crate::store::{FileId, Store, StoreError};

/// Frames are handed on when they have this many bytes together.
const BATCH: usize = 1 << 20;

/// A place in an object file where no sound object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct BadFrame {
    pub(in crate::store) file: FileId,
    pub(in crate::store) offset: u64,
    pub(in crate::store) why: String,
    /// The object that an index promises there.
    pub(in crate::store) object: Option<ObjectId>,
}

/// What a scan found, for `repair`.
#[derive(Debug, Default)]
pub(in crate::store) struct ScanReport {
    /// Damaged places.
    pub(in crate::store) frames: Vec<BadFrame>,
    /// Files that are not what was sealed.
    pub(in crate::store) files: BTreeMap<FileId, String>,
    /// Indexes that are not what was written, or that do not fit their files.
    pub(in crate::store) indexes: BTreeMap<FileId, String>,
}

impl ScanReport {
    /// The damaged places as a set.
    pub(in crate::store) fn bad_places(&self) -> HashSet<(FileId, u64)> {
        self.frames.iter().map(|frame| (frame.file, frame.offset)).collect()
    }
}

struct Batch {
    file: FileId,
    is_indexed: bool,
    frames: Vec<Frame>,
}

#[derive(Default)]
struct Counted {
    objects: u64,
    bytes: u64,
    frames: Vec<BadFrame>,
    files: BTreeMap<FileId, String>,
}

/// Reads all objects from the start position on, until the time is up. Frames known to be `sound`
/// are hashed as parts of their files only.
pub(super) fn scan(
    store: &Store,
    view: &View,
    options: &VerifyOptions<'_>,
    deadline: Option<Instant>,
    sound: Option<&SoundFrames>,
    outcome: &mut VerifyOutcome,
) -> Result<ScanReport, StoreError> {
    let mut report = ScanReport { indexes: bad_indexes(view), ..ScanReport::default() };
    let counted = Mutex::new(Counted::default());
    let (sender, receiver) = sync_channel::<Batch>(options.jobs.get() * 2);
    let receiver = Arc::new(Mutex::new(receiver));
    let feeder = Feeder { store, view, deadline, indexed: view.indexed_files(), counted: &counted };
    let fed = std::thread::scope(|scope| {
        for _ in 0..options.jobs.get() {
            let receiver = receiver.clone();
            let counted = &counted;
            scope.spawn(move || work(store, view, &receiver, sound, counted));
        }
        // Whoever waits for a side that is gone is woken: the workers by the end of this, the
        // feeder by the end of the last worker.
        drop(receiver);
        let fed = feeder.feed(options.start, &sender);
        drop(sender);
        fed
    });
    outcome.next = fed?;
    let counted = counted.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.objects += counted.objects;
    outcome.bytes += counted.bytes;
    report.frames = counted.frames;
    report.files = counted.files;
    name_objects(view, &mut report.frames);
    tell(store, view, &report, outcome);
    Ok(report)
}

/// Indexes that are not what was written.
fn bad_indexes(view: &View) -> BTreeMap<FileId, String> {
    let mut bad = BTreeMap::new();
    for loaded in &view.loaded {
        let index = &loaded.index;
        if let Err(why) = index.check_hash().and_then(|()| check_entries(index)) {
            bad.insert(index.id, why);
        }
    }
    bad
}

/// Whether an index is in order and lists as many objects of each file as it says.
fn check_entries(index: &Index) -> Result<(), String> {
    let mut counts = vec![0u64; index.files.len()];
    let mut last: Option<ObjectId> = None;
    for position in 0..index.len() {
        let (id, place) = (index.id_at(position), index.place_at(position));
        if last.is_some_and(|last| last > id) {
            return Err("its ids are not in order".to_owned());
        }
        last = Some(id);
        let file = usize::try_from(place.file).ok().and_then(|n| Some((n, index.files.get(n)?)));
        let Some((number, file)) = file else {
            return Err("it names a file it does not list".to_owned());
        };
        let end = place.offset.checked_add(place.file_len() + FOOTER_LEN as u64);
        if end.is_none_or(|end| end > file.len) || place.kind().is_none() {
            return Err(format!("its entry for {id} leads outside of the file"));
        }
        counts[number] += 1;
    }
    let is_complete = index.files.iter().zip(counts).all(|(file, count)| file.objects == count);
    if is_complete { Ok(()) } else { Err("it does not list every object of its files".to_owned()) }
}

struct Feeder<'a> {
    store: &'a Store,
    view: &'a View,
    deadline: Option<Instant>,
    indexed: HashSet<FileId>,
    counted: &'a Mutex<Counted>,
}

impl Feeder<'_> {
    /// Reads the files in order of names, beginning at `start`.
    fn feed(
        &self,
        start: Option<Cursor>,
        sender: &SyncSender<Batch>,
    ) -> Result<Option<Cursor>, StoreError> {
        let start = start.unwrap_or(Cursor::START);
        let mut files: Vec<FileId> = self.view.files.keys().copied().collect();
        files.retain(|file| *file >= start.file);
        files.sort_unstable();
        for file in files {
            let offset = if file == start.file { start.offset } else { 0 };
            if let Some(cursor) = self.feed_file(file, offset, sender)? {
                return Ok(Some(cursor));
            }
        }
        Ok(None)
    }

    /// Reads one file; gives where it stopped when the time was up.
    fn feed_file(
        &self,
        id: FileId,
        offset: u64,
        sender: &SyncSender<Batch>,
    ) -> Result<Option<Cursor>, StoreError> {
        let path = self.store.layout.object_file(&id);
        let file = match self.store.fs.open(&path) {
            Ok(file) => file,
            // Collected since it was listed.
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let footer = Footer::read(file.as_ref())?;
        let body_len = body_len(file.as_ref(), footer.as_ref().ok());
        let mut frames = Frames::new(file.as_ref(), body_len);
        if let Err(why) = &footer {
            self.bad_file(id, why.clone());
        }
        if offset > 0 {
            frames.seek(offset);
        } else if file.len() < HEADER_LEN as u64 {
            return Ok(None);
        } else if let Err(why) = frames.check_header()? {
            self.bad_file(id, why);
        }
        let mut batch = self.new_batch(id);
        let mut batch_len = 0;
        loop {
            match frames.next() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    batch_len += frame.bytes.len();
                    batch.frames.push(frame);
                }
                Err(ScanError::Fs(error)) => return Err(error.into()),
                Err(ScanError::NotAFrame { offset, why }) => {
                    self.bad_frame(id, offset, why);
                    match offsets_of(self.view, id).into_iter().find(|next| *next > offset) {
                        Some(next) => frames.seek(next),
                        None => break,
                    }
                }
            }
            if batch_len >= BATCH {
                // A worker is gone only where it panicked, which the scope passes on.
                let _ = sender.send(std::mem::replace(&mut batch, self.new_batch(id)));
                batch_len = 0;
                if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Ok(Some(Cursor { file: id, offset: frames.position() }));
                }
            }
        }
        let _ = sender.send(batch);
        if let Ok(footer) = footer
            && let Err(why) = frames.finish(&footer)
        {
            self.bad_file(id, why);
        }
        let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        Ok(is_late.then(|| self.behind(id)))
    }

    /// Where to go on behind this file; behind the last one only the walk is left.
    fn behind(&self, id: FileId) -> Cursor {
        let next = self.view.files.keys().filter(|file| **file > id).min();
        next.map_or(Cursor::BEHIND_ALL, |file| Cursor { file: *file, offset: 0 })
    }

    fn new_batch(&self, file: FileId) -> Batch {
        Batch { file, is_indexed: self.indexed.contains(&file), frames: Vec::new() }
    }

    fn bad_file(&self, file: FileId, why: String) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.files.entry(file).or_insert(why);
    }

    fn bad_frame(&self, file: FileId, offset: u64, why: String) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.files.entry(file).or_insert_with(|| format!("at byte {offset}: {why}"));
        counted.frames.push(BadFrame { file, offset, why, object: None });
    }
}

/// How much of a file is frames, where its footer may be damaged.
pub(in crate::store) fn body_len(file: &dyn ReadFile, footer: Option<&Footer>) -> u64 {
    footer.map_or_else(|| file.len().saturating_sub(FOOTER_LEN as u64), |footer| footer.body_len)
}

/// Where objects begin in a file, as indexes know it, in order. Walks every index.
pub(in crate::store) fn offsets_of(view: &View, file: FileId) -> Vec<u64> {
    let mut offsets = Vec::new();
    for loaded in &view.loaded {
        let Some(number) = loaded.index.files.iter().position(|known| known.id == file) else {
            continue;
        };
        for position in 0..loaded.index.len() {
            let place = loaded.index.place_at(position);
            if usize::try_from(place.file) == Ok(number) {
                offsets.push(place.offset);
            }
        }
    }
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

/// Decodes and hashes what is fed, until nothing comes any more.
fn work(
    store: &Store,
    view: &View,
    receiver: &Mutex<Receiver<Batch>>,
    sound: Option<&SoundFrames>,
    counted: &Mutex<Counted>,
) {
    loop {
        let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = received else { return };
        let mut bad = Vec::new();
        let mut bytes = 0u64;
        let objects = batch.frames.len() as u64;
        for frame in batch.frames {
            let is_known =
                |sound: &SoundFrames| sound.contains(&batch.file, frame.offset, frame.file_len());
            if sound.is_some_and(is_known) {
                bytes += u64::from(frame.header.plain_len);
                continue;
            }
            match examine(store, view, batch.file, batch.is_indexed, &frame) {
                Ok(len) => bytes += len,
                Err(why) => {
                    let (file, offset) = (batch.file, frame.offset);
                    bad.push(BadFrame { file, offset, why, object: None });
                }
            }
        }
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.objects += objects;
        counted.bytes += bytes;
        counted.frames.append(&mut bad);
    }
}

/// Whether a frame holds the object that an index promises at its place.
fn examine(
    store: &Store,
    view: &View,
    file: FileId,
    is_indexed: bool,
    frame: &Frame,
) -> Result<u64, String> {
    let (kind, id, plain) = frame.open(&store.hasher)?;
    let is_listed = view.locations(&id).any(|location| {
        location.file.id == file
            && location.place.offset == frame.offset
            && location.place.file_len() == frame.file_len()
            && location.place.kind() == Some(kind)
    });
    if is_listed || !is_indexed {
        Ok(plain.len() as u64)
    } else {
        Err("it is not the object that is listed for its place".to_owned())
    }
}

/// Finds out which objects should be at the bad places.
fn name_objects(view: &View, frames: &mut [BadFrame]) {
    if frames.is_empty() {
        return;
    }
    let mut wanted: HashMap<(FileId, u64), Option<ObjectId>> =
        frames.iter().map(|frame| ((frame.file, frame.offset), None)).collect();
    for loaded in &view.loaded {
        for position in 0..loaded.index.len() {
            let place = loaded.index.place_at(position);
            let file = usize::try_from(place.file).ok().and_then(|n| loaded.index.files.get(n));
            let Some(file) = file else { continue };
            if let Some(object) = wanted.get_mut(&(file.id, place.offset)) {
                *object = Some(loaded.index.id_at(position));
            }
        }
    }
    for frame in frames {
        frame.object = wanted.get(&(frame.file, frame.offset)).copied().flatten();
    }
}

/// Puts a report into an outcome. Damage in condemned files is a note: nothing should need them.
fn tell(store: &Store, view: &View, report: &ScanReport, outcome: &mut VerifyOutcome) {
    let mut add = |file: &FileId, what: Damaged, why: String| {
        if view.condemned.contains(file) {
            outcome.notes.push(format!("{what} is damaged in a condemned file: {why}"));
        } else {
            outcome.damaged.push(Damage { what, why });
        }
    };
    for (file, why) in &report.files {
        add(file, Damaged::File(store.layout.object_file(file)), why.clone());
    }
    for frame in &report.frames {
        let path = store.layout.object_file(&frame.file);
        let (what, why) = match frame.object {
            Some(id) => {
                let why = format!("{}, at byte {} of {}", frame.why, frame.offset, path.display());
                (Damaged::Object { id, kind: None }, why)
            }
            None => (Damaged::File(path), format!("at byte {}: {}", frame.offset, frame.why)),
        };
        add(&frame.file, what, why);
    }
    for (index, why) in &report.indexes {
        outcome.damaged_file(store.layout.index(index), why.clone());
    }
}
