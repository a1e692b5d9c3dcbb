//! What a store held when it was last listed: indexes, object files, tombstones, damage marks.
//!
//! A view never changes, so whoever works with one sees one store. "Exists" means: listed by an
//! index whose object file is there. An index without its data is ignored, an object file without
//! an index is not seen.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::index::{Index, Place};
use super::layout::{FileId, Layout, SealedName};
use super::object_file::{FRAME_HEADER_LEN, Frame, FrameHeader};
use super::{StoreError, marks};
use crate::codec::{Hasher, Kind};
use crate::fsio::{FileSystem, FsError, Mapping, ReadFile};
use crate::model::ObjectId;

/// A sealed object file; mapped when it is first read.
#[derive(Debug)]
pub(super) struct ObjectFile {
    pub(super) id: FileId,
    pub(super) path: PathBuf,
    mapping: RwLock<Option<Arc<Mapping>>>,
}

impl ObjectFile {
    fn mapping(&self, fs: &dyn FileSystem) -> Result<Arc<Mapping>, FsError> {
        let ready = self.mapping.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(mapping) = ready {
            return Ok(mapping);
        }
        let mapping = Arc::new(fs.open(&self.path)?.map()?);
        *self.mapping.write().unwrap_or_else(PoisonError::into_inner) = Some(mapping.clone());
        Ok(mapping)
    }

    fn unmap(&self) {
        *self.mapping.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How bytes of object files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Through a mapping: fast.
    Mapped,
    /// By positioned reads: an unreadable sector is an error, not a signal.
    Positioned,
}

/// An index and, by its numbers, those of its files that are there.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) index: Arc<Index>,
    pub(super) files: Vec<Option<Arc<ObjectFile>>>,
}

/// One copy of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Location<'v> {
    /// The number of the index in the view, and the position in it.
    pub(super) entry: (usize, usize),
    pub(super) place: Place,
    pub(super) file: &'v Arc<ObjectFile>,
}

/// An index that could not be used.
#[derive(Debug, Clone)]
pub(super) struct BrokenIndex {
    pub(super) path: PathBuf,
    pub(super) why: String,
}

/// What a store held at one moment.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The largest index first.
    pub(super) loaded: Vec<Loaded>,
    pub(super) files: HashMap<FileId, Arc<ObjectFile>>,
    pub(super) condemned: HashSet<FileId>,
    /// Objects found bad, and the files whose copy is bad.
    pub(super) damaged: HashMap<ObjectId, HashSet<FileId>>,
    pub(super) broken: Vec<BrokenIndex>,
    /// The file that was opened last for positioned reads.
    opened: Mutex<Option<(FileId, Arc<dyn ReadFile>)>>,
}

/// What reading an object gave.
pub(super) enum Found {
    Plain(Vec<u8>),
    Nothing,
    Bad(String),
}

impl View {
    /// Lists the store; what `previous` had open is reused.
    pub(super) fn load(
        fs: &dyn FileSystem,
        layout: &Layout,
        previous: Option<&View>,
    ) -> Result<View, StoreError> {
        let mut attempts = 0;
        loop {
            match Self::load_once(fs, layout, previous) {
                // An index was merged away between listing and opening: list again.
                Err(StoreError::Fs(error)) if error.is_not_found() && attempts < 16 => {
                    attempts += 1;
                }
                result => return result,
            }
        }
    }

    fn load_once(
        fs: &dyn FileSystem,
        layout: &Layout,
        previous: Option<&View>,
    ) -> Result<View, StoreError> {
        let mut view = View::default();
        let mut indexes = Vec::new();
        let objects = layout.objects();
        for entry in fs.list_if_there(&objects)? {
            match SealedName::parse(&entry.name) {
                Some(SealedName::Objects(id)) => {
                    let known = previous.and_then(|view| view.files.get(&id)).cloned();
                    let file = known.unwrap_or_else(|| {
                        let path = objects.join(&entry.name);
                        Arc::new(ObjectFile { id, path, mapping: RwLock::default() })
                    });
                    view.files.insert(id, file);
                }
                Some(SealedName::Index(id)) => indexes.push(id),
                None => {}
            }
        }
        for id in indexes {
            let known = previous.and_then(|view| view.index(&id));
            let path = layout.index(&id);
            let index = match known {
                Some(index) => index.clone(),
                None => match Index::open(fs, &path, id)? {
                    Ok(index) => Arc::new(index),
                    Err(why) => {
                        view.broken.push(BrokenIndex { path, why });
                        continue;
                    }
                },
            };
            let files = index.files.iter().map(|file| view.files.get(&file.id).cloned()).collect();
            view.loaded.push(Loaded { index, files });
        }
        view.loaded.sort_by_key(|loaded| (std::cmp::Reverse(loaded.index.len()), loaded.index.id));
        view.condemned = marks::condemned(fs, layout)?;
        view.damaged = marks::damaged(fs, layout)?;
        Ok(view)
    }

    fn index(&self, id: &FileId) -> Option<&Arc<Index>> {
        self.loaded.iter().map(|loaded| &loaded.index).find(|index| index.id == *id)
    }

    /// Every copy of an object, also condemned and damaged ones.
    pub(super) fn locations<'v>(&'v self, id: &ObjectId) -> impl Iterator<Item = Location<'v>> {
        let id = *id;
        self.loaded.iter().enumerate().flat_map(move |(number, loaded)| {
            loaded.index.find(&id).filter_map(move |position| {
                let place = loaded.index.place_at(position);
                let file = loaded.files.get(usize::try_from(place.file).ok()?)?.as_ref()?;
                Some(Location { entry: (number, position), place, file })
            })
        })
    }

    /// Whether a copy counts: not in a condemned file, and not found bad.
    pub(super) fn is_healthy(&self, id: &ObjectId, location: &Location<'_>) -> bool {
        !self.condemned.contains(&location.file.id) && !self.is_marked_bad(id, &location.file.id)
    }

    pub(super) fn is_marked_bad(&self, id: &ObjectId, file: &FileId) -> bool {
        // A mark that names no file could not be read: no copy is trusted.
        self.damaged.get(id).is_some_and(|files| files.is_empty() || files.contains(file))
    }

    /// A copy that counts.
    pub(super) fn healthy<'v>(&'v self, id: &ObjectId) -> Option<Location<'v>> {
        self.locations(id).find(|location| self.is_healthy(id, location))
    }

    /// The copy that stands for the object where each is counted once: a healthy one if there is
    /// one, else a condemned one, else a damaged one.
    pub(super) fn canonical<'v>(&'v self, id: &ObjectId) -> Option<Location<'v>> {
        self.locations(id).min_by_key(|location| {
            let file = location.file.id;
            let is_bad = self.is_marked_bad(id, &file);
            (is_bad, self.condemned.contains(&file), file, location.entry)
        })
    }

    /// The files that are there and listed by an index.
    pub(super) fn indexed_files(&self) -> HashSet<FileId> {
        let present = self.loaded.iter().flat_map(|loaded| loaded.files.iter().flatten());
        present.map(|file| file.id).collect()
    }

    /// The plain bytes of an object from whichever copy is what its id says.
    pub(super) fn read(
        &self,
        fs: &dyn FileSystem,
        hasher: &Hasher,
        access: Access,
        kind: Kind,
        id: &ObjectId,
    ) -> Result<Found, StoreError> {
        let mut bad = None;
        for location in self.locations(id) {
            match self.read_at(fs, hasher, access, &location, id) {
                Ok(Ok((found, plain))) if found == kind => return Ok(Found::Plain(plain)),
                Ok(Ok((found, _))) => bad = Some(format!("it is a {found}")),
                Ok(Err(why)) => bad = Some(format!("{why}, in {}", location.file.path.display())),
                // Collected since the view was made.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let listed = || {
            let broken = self.broken.first()?;
            Some(format!("index {} is damaged: {}", broken.path.display(), broken.why))
        };
        Ok(bad.or_else(listed).map_or(Found::Nothing, Found::Bad))
    }

    fn read_at(
        &self,
        fs: &dyn FileSystem,
        hasher: &Hasher,
        access: Access,
        location: &Location<'_>,
        id: &ObjectId,
    ) -> Result<Result<(Kind, Vec<u8>), String>, FsError> {
        let frame = match self.frame_at(fs, access, location)? {
            Ok(frame) => frame,
            Err(why) => return Ok(Err(why)),
        };
        Ok(frame.open(hasher).and_then(|(kind, found, plain)| {
            if found == *id {
                Ok((kind, plain))
            } else {
                Err("its bytes do not hash to its id".into())
            }
        }))
    }

    /// The frame at a location. Nothing of it is believed yet.
    pub(super) fn frame_at(
        &self,
        fs: &dyn FileSystem,
        access: Access,
        location: &Location<'_>,
    ) -> Result<Result<Frame, String>, FsError> {
        let offset = location.place.offset;
        let read = match access {
            Access::Mapped => {
                let mapping = location.file.mapping(fs)?;
                frame_bytes(&location.place, mapping.len() as u64).map(|range| {
                    let frame = &mapping[range];
                    frame.to_vec()
                })
            }
            Access::Positioned => {
                let file = self.opened(fs, location.file)?;
                match frame_bytes(&location.place, file.len()) {
                    None => None,
                    Some(range) => {
                        let mut frame = vec![0u8; range.len()];
                        file.read_exact_at(&mut frame, offset)?;
                        Some(frame)
                    }
                }
            }
        };
        let Some(mut frame) = read else {
            return Ok(Err("its index leads behind the end of the file".to_owned()));
        };
        let bytes = frame.split_off(FRAME_HEADER_LEN);
        let mut header = [0u8; FRAME_HEADER_LEN];
        header.copy_from_slice(&frame);
        let header = FrameHeader::parse(&header);
        if header.stored_len != location.place.stored_len {
            return Ok(Err("its index and its frame disagree".to_owned()));
        }
        Ok(Ok(Frame { offset, header, bytes }))
    }

    /// A file, open for positioned reads. One is kept open: what is read next is mostly in it.
    pub(super) fn opened(
        &self,
        fs: &dyn FileSystem,
        file: &ObjectFile,
    ) -> Result<Arc<dyn ReadFile>, FsError> {
        let kept = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, opened)) = kept().as_ref()
            && *id == file.id
        {
            return Ok(Arc::clone(opened));
        }
        let opened = fs.open(&file.path)?;
        *kept() = Some((file.id, Arc::clone(&opened)));
        Ok(opened)
    }

    /// Whether another view shows the same object files and indexes.
    pub(super) fn is_same_as(&self, other: &View) -> bool {
        let indexes = |view: &View| -> HashSet<FileId> {
            view.loaded.iter().map(|loaded| loaded.index.id).collect()
        };
        self.files.len() == other.files.len()
            && self.files.keys().all(|file| other.files.contains_key(file))
            && indexes(self) == indexes(other)
    }

    /// Gives back the memory of mapped object files; they are mapped again when needed.
    pub(super) fn unmap(&self) {
        self.files.values().for_each(|file| file.unmap());
    }
}

/// The range of a frame in a file of this length.
fn frame_bytes(place: &Place, len: u64) -> Option<std::ops::Range<usize>> {
    let end = place.offset.checked_add(place.file_len())?;
    if end > len {
        return None;
    }
    Some(usize::try_from(place.offset).ok()?..usize::try_from(end).ok()?)
}
