//! Writing indexes: of one new object file, or several indexes merged into one.
//!
//! Merging streams: it walks its sources once to count, once for the ids and once for the places,
//! so that its memory does not grow with the store. Entries of files that are no longer wanted are
//! left out on the way.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::index::{FANOUT_LEN, HEADER_LEN, Index, IndexedFile, MAGIC, MAX_FILES, Place, VERSION};
use super::layout::{FileId, Layout};
use super::{StoreError, object_writer::NewObject};
use crate::fsio::{AppendFile, FileSystem, FsError, OnExisting, create_unique};
use crate::model::ObjectId;

const BUFFER: usize = 1 << 18;

/// Where entries come from, in order of ids.
enum Source<'a> {
    /// The objects of a new file.
    Fresh(&'a [NewObject]),
    /// An index, with the new number of each of its files, where the file is kept.
    Old(Arc<Index>, Vec<Option<u32>>),
}

impl Source<'_> {
    /// The next entry at or behind `cursor`.
    fn entry(&self, cursor: &mut usize) -> Option<(ObjectId, Place)> {
        loop {
            let position = *cursor;
            match self {
                Source::Fresh(objects) => {
                    let object = objects.get(position)?;
                    *cursor += 1;
                    return Some((object.id, object.place()));
                }
                Source::Old(index, numbers) => {
                    if position >= index.len() {
                        return None;
                    }
                    *cursor += 1;
                    let mut place = index.place_at(position);
                    let number = usize::try_from(place.file).ok().and_then(|n| numbers.get(n));
                    if let Some(Some(number)) = number {
                        place.file = *number;
                        return Some((index.id_at(position), place));
                    }
                }
            }
        }
    }
}

/// The entries of one source, in order of ids and places. Files have other numbers than before, so
/// entries of the same id may have to change places.
struct Ordered<'s, 'a> {
    source: &'s Source<'a>,
    cursor: usize,
    /// Entries of one id that were read, the last of them first.
    run: Vec<(ObjectId, Place)>,
    /// The entry behind them.
    ahead: Option<(ObjectId, Place)>,
}

impl<'s, 'a> Ordered<'s, 'a> {
    fn new(source: &'s Source<'a>) -> Self {
        let mut cursor = 0;
        let ahead = source.entry(&mut cursor);
        Ordered { source, cursor, run: Vec::new(), ahead }
    }
}

impl Iterator for Ordered<'_, '_> {
    type Item = (ObjectId, Place);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.run.pop() {
            return Some(entry);
        }
        let first = self.ahead?;
        self.ahead = self.source.entry(&mut self.cursor);
        if self.ahead.is_none_or(|(id, _)| id != first.0) {
            return Some(first);
        }
        self.run.push(first);
        while let Some(entry) = self.ahead.filter(|(id, _)| *id == first.0) {
            self.run.push(entry);
            self.ahead = self.source.entry(&mut self.cursor);
        }
        self.run.sort_unstable_by(|one, other| other.cmp(one));
        self.run.pop()
    }
}

/// The entries of several sources in one order, each once.
struct Merged<'s, 'a> {
    sources: Vec<Ordered<'s, 'a>>,
    heads: Vec<Option<(ObjectId, Place)>>,
}

impl<'s, 'a> Merged<'s, 'a> {
    fn new(sources: &'s [Source<'a>]) -> Self {
        let mut sources: Vec<Ordered<'_, '_>> = sources.iter().map(Ordered::new).collect();
        let heads = sources.iter_mut().map(Iterator::next).collect();
        Merged { sources, heads }
    }
}

impl Iterator for Merged<'_, '_> {
    type Item = (ObjectId, Place);

    fn next(&mut self) -> Option<Self::Item> {
        if let ([source], [head]) = (self.sources.as_mut_slice(), self.heads.as_mut_slice()) {
            return std::mem::replace(head, source.next());
        }
        let least = self.heads.iter().flatten().min().copied()?;
        for (source, head) in self.sources.iter_mut().zip(&mut self.heads) {
            if *head == Some(least) {
                *head = source.next();
            }
        }
        Some(least)
    }
}

/// Writes the index of one object file whose objects are sorted by id, and makes it visible.
/// The directory is not synced yet.
pub(super) fn write_fresh(
    fs: &dyn FileSystem,
    layout: &Layout,
    file: IndexedFile,
    objects: &[NewObject],
) -> Result<FileId, StoreError> {
    write(fs, layout, &[file], &[Source::Fresh(objects)])
}

/// Writes one index over the wanted files of several, and makes it visible. The directory is not
/// synced yet. `None` where no file is wanted.
pub(super) fn write_merged(
    fs: &dyn FileSystem,
    layout: &Layout,
    indexes: &[Arc<Index>],
    wanted: &dyn Fn(&FileId) -> bool,
) -> Result<Option<FileId>, StoreError> {
    let mut numbers: HashMap<FileId, u32> = HashMap::new();
    let mut files: Vec<IndexedFile> = Vec::new();
    let mut sources = Vec::new();
    for index in indexes {
        let mut renumbered = Vec::with_capacity(index.files.len());
        for file in &index.files {
            if !wanted(&file.id) {
                renumbered.push(None);
                continue;
            }
            let next = u32::try_from(files.len()).expect("files are far fewer than 2^32");
            let number = *numbers.entry(file.id).or_insert_with(|| {
                files.push(*file);
                next
            });
            renumbered.push(Some(number));
        }
        sources.push(Source::Old(index.clone(), renumbered));
    }
    if files.is_empty() {
        return Ok(None);
    }
    write(fs, layout, &files, &sources).map(Some)
}

fn write(
    fs: &dyn FileSystem,
    layout: &Layout,
    files: &[IndexedFile],
    sources: &[Source<'_>],
) -> Result<FileId, StoreError> {
    let mut out = Output::create(fs, layout)?;
    let written = write_content(&mut out, files, sources);
    match written.and_then(|()| out.publish(fs, layout)) {
        Ok(id) => Ok(id),
        Err(error) => {
            // Best effort: whoever comes next clears what is left over.
            let _ = fs.remove_file(&out.path);
            Err(error.into())
        }
    }
}

fn write_content(
    out: &mut Output,
    files: &[IndexedFile],
    sources: &[Source<'_>],
) -> Result<(), FsError> {
    let mut counts = [0u64; 256];
    for (id, _) in Merged::new(sources) {
        counts[usize::from(id.0[0])] += 1;
    }
    let entries: u64 = counts.iter().sum();
    let too_many = || {
        let why = std::io::Error::other("an index holds at most 2^32 objects and 2^24 files");
        FsError::new("write", &out.path, why)
    };
    let file_count = u32::try_from(files.len()).map_err(|_| too_many())?;
    if files.len() > MAX_FILES {
        return Err(too_many());
    }
    let mut fanout = Vec::with_capacity(FANOUT_LEN);
    let mut running = 0u64;
    for count in counts {
        running += count;
        let running = u32::try_from(running).map_err(|_| too_many())?;
        fanout.extend_from_slice(&running.to_le_bytes());
    }
    let mut header = [0u8; HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&file_count.to_le_bytes());
    header[16..].copy_from_slice(&entries.to_le_bytes());
    out.write(&header)?;
    for file in files {
        out.write(&file.id.0)?;
        out.write(&file.len.to_le_bytes())?;
        out.write(&file.objects.to_le_bytes())?;
    }
    out.write(&fanout)?;
    for (id, _) in Merged::new(sources) {
        out.write(&id.0)?;
    }
    for (_, place) in Merged::new(sources) {
        out.write(&place.to_bytes())?;
    }
    Ok(())
}

/// A file under `tmp/` that is hashed while it is written and named by its hash.
struct Output {
    path: PathBuf,
    file: Box<dyn AppendFile>,
    hash: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Output {
    fn create(fs: &dyn FileSystem, layout: &Layout) -> Result<Output, FsError> {
        let (path, file) = create_unique(fs, &layout.tmp(), "idx")?;
        Ok(Output { path, file, hash: blake3::Hasher::new(), buffer: Vec::with_capacity(BUFFER) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), FsError> {
        self.hash.update(&self.buffer);
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn publish(&mut self, fs: &dyn FileSystem, layout: &Layout) -> Result<FileId, FsError> {
        self.hash.update(&self.buffer);
        let id = FileId(*self.hash.finalize().as_bytes());
        self.buffer.extend_from_slice(&id.0);
        self.file.append(&self.buffer)?;
        self.file.make_read_only()?;
        self.file.sync()?;
        // An index of the same content may be there already; it makes no difference which stays.
        fs.rename(&self.path, &layout.index(&id), OnExisting::Replace)?;
        Ok(id)
    }
}
