//! Mending what can be mended: plan, then execute.
//!
//! Damaged indexes are made again by reading the object files. Damaged object files are emptied:
//! their sound objects are copied into a new file, the bad ones marked in `damaged/`, and the file
//! condemned. A bad object no longer counts as there, so the next snapshot of unchanged data writes
//! it again, and with that the store is whole. Small files that are damaged are written anew where
//! their content is known, or removed where it is not needed; a damaged ref has to be set by a
//! person.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::layout::FileId;
use super::lock::StoreLock;
use super::log::LogFile;
use super::object_file::{Footer, Frame, Frames, ScanError};
use super::open::GITIGNORE;
use super::resume::Checkpoint;
use super::verify::{Damage, Examined, VerifyOptions, body_len, offsets_of};
use super::view::View;
use super::{Moment, Store, StoreError, Writer, index_writer, marks, record};
use crate::codec::Stored;
use crate::fsio::{OnExisting, ReadFile, write_atomically};
use crate::model::ObjectId;

/// A small file that is mended, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SmallFix {
    /// A log without its damaged lines.
    Log(PathBuf),
    /// A checkpoint that cannot be read is removed: the work starts anew.
    Checkpoint(PathBuf),
    /// A tombstone that cannot be read: the grace of its file begins now.
    Tombstone(FileId),
    /// A mark of damage that cannot be read is removed: what it marked is known again by now.
    Mark(PathBuf),
    /// The file that keeps git from taking the store in.
    Gitignore,
}

impl fmt::Display for SmallFix {
    /// The file, and what becomes of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SmallFix::Log(path) => write!(f, "{}: without its damaged lines", path.display()),
            SmallFix::Checkpoint(path) => {
                write!(f, "{}: removed, what it was for starts anew", path.display())
            }
            SmallFix::Tombstone(file) => {
                write!(f, "condemned/{file}: written anew, its grace begins now")
            }
            SmallFix::Mark(path) => write!(f, "{}: removed, it cannot be read", path.display()),
            SmallFix::Gitignore => f.write_str(".gitignore: written anew"),
        }
    }
}

/// What repair would do.
#[derive(Debug, Clone, Default)]
pub struct RepairPlan {
    /// Small files that are mended.
    pub small: BTreeSet<SmallFix>,
    /// Indexes that are replaced by new ones.
    pub indexes: BTreeSet<FileId>,
    /// Damaged object files that are emptied and condemned.
    pub emptied: BTreeSet<FileId>,
    /// Objects found bad, and in which files.
    pub bad_objects: BTreeMap<ObjectId, BTreeSet<FileId>>,
    /// All damage that was found, as `verify` tells it.
    pub found: Vec<Damage>,
}

impl RepairPlan {
    /// Whether there is nothing that repair could do.
    pub fn is_empty(&self) -> bool {
        self.small.is_empty() && self.indexes.is_empty() && self.emptied.is_empty()
    }
}

/// What repair did.
#[derive(Debug, Clone, Default)]
pub struct Repaired {
    /// The plan that was executed.
    pub plan: RepairPlan,
    /// How many sound objects were saved from damaged files.
    pub saved: u64,
    /// What is damaged or missing still. Snapshots of the same data bring missing objects back.
    pub remaining: Vec<Damage>,
}

impl Store {
    /// What repair would do. Nothing is locked or changed.
    pub fn plan_repair(&self) -> Result<RepairPlan, StoreError> {
        plan(self, &self.examine(&VerifyOptions::default())?)
    }

    /// Locks the store, looks for damage, mends what can be mended, and looks again.
    pub fn repair(&self, now: Moment) -> Result<Repaired, StoreError> {
        self.allows_collecting()?;
        self.prepare_writing()?;
        let lock = self.lock()?;
        let examined = self.examine(&VerifyOptions::default())?;
        let plan = plan(self, &examined)?;
        let saved = execute(self, &lock, &examined.view, &plan, now)?;
        self.adopt(&lock)?;
        let remaining = self.examine(&VerifyOptions::default())?.outcome.damaged;
        Ok(Repaired { plan, saved, remaining })
    }
}

fn plan(store: &Store, examined: &Examined) -> Result<RepairPlan, StoreError> {
    let (view, scan) = (&examined.view, &examined.scan);
    let mut plan = RepairPlan { found: examined.outcome.damaged.clone(), ..Default::default() };
    plan.indexes.extend(scan.indexes.keys());
    for broken in &view.broken {
        let stem = broken.path.file_stem().and_then(|stem| stem.to_str());
        plan.indexes.extend(stem.and_then(FileId::parse));
    }
    let damaged = scan.files.keys().chain(scan.frames.iter().map(|frame| &frame.file));
    plan.emptied.extend(damaged.filter(|file| !view.condemned.contains(file)));
    for frame in &scan.frames {
        if let Some(id) = frame.object {
            plan.bad_objects.entry(id).or_default().insert(frame.file);
        }
    }
    plan.small = small_fixes(store)?;
    Ok(plan)
}

/// The small files that are damaged and can be mended.
fn small_fixes(store: &Store) -> Result<BTreeSet<SmallFix>, StoreError> {
    let (fs, layout) = (store.fs.as_ref(), &store.layout);
    let files = |dir: &Path| -> Result<Vec<PathBuf>, StoreError> {
        Ok(fs.list_if_there(dir)?.into_iter().map(|entry| dir.join(entry.name)).collect())
    };
    let mut fixes = BTreeSet::new();
    for path in files(&layout.log())? {
        if !LogFile::read(fs, &path)?.damaged_lines.is_empty() {
            fixes.insert(SmallFix::Log(path));
        }
    }
    for path in files(&layout.resume())? {
        let bytes = fs.read(&path, record::MAX_RECORD_LEN)?;
        let is_cursor = path.file_name().is_some_and(|name| name == ".verify");
        let is_sound = if is_cursor {
            record::open(&bytes).is_ok()
        } else {
            Checkpoint::parse(&bytes).is_ok()
        };
        if !is_sound {
            fixes.insert(SmallFix::Checkpoint(path));
        }
    }
    for path in files(&layout.condemned())? {
        let Some(file) = path.file_name().and_then(|n| n.to_str()).and_then(FileId::parse) else {
            continue;
        };
        if let Err(StoreError::Damaged { .. }) = marks::condemned_since(fs, layout, &file) {
            fixes.insert(SmallFix::Tombstone(file));
        }
    }
    for path in files(&layout.damaged())? {
        if let Err(StoreError::Damaged { .. }) = marks::read_damage(fs, &path) {
            fixes.insert(SmallFix::Mark(path));
        }
    }
    let gitignore = layout.gitignore();
    let is_there = fs.info(&gitignore)?.is_some_and(|info| info.len == GITIGNORE.len() as u64);
    if !is_there || fs.read(&gitignore, GITIGNORE.len() as u64)? != GITIGNORE {
        fixes.insert(SmallFix::Gitignore);
    }
    Ok(fixes)
}

/// Copies come first, then marks, then tombstones, then indexes: whatever is interrupted, nothing
/// that was readable before is not readable after.
fn execute(
    store: &Store,
    _lock: &StoreLock,
    view: &View,
    plan: &RepairPlan,
    now: Moment,
) -> Result<u64, StoreError> {
    let (fs, layout) = (store.fs.as_ref(), &store.layout);
    let writer = store.writer_for_keeping()?;
    for file in &plan.emptied {
        save_objects(store, view, &writer, *file)?;
    }
    writer.seal()?;
    for (id, files) in &plan.bad_objects {
        let known = view.damaged.get(id).into_iter().flatten();
        let files = files.iter().chain(known).copied().collect();
        marks::mark_damaged(fs, layout, id, &files)?;
    }
    for file in &plan.emptied {
        marks::condemn(fs, layout, file, now)?;
    }
    rebuild_indexes(store, view, plan)?;
    for fix in &plan.small {
        mend(store, fix, now)?;
    }
    Ok(writer.added().0)
}

/// Adds every sound object of a damaged file to a writer.
fn save_objects(store: &Store, view: &View, writer: &Writer, id: FileId) -> Result<(), StoreError> {
    let file = store.fs.open(&store.layout.object_file(&id))?;
    let footer = Footer::read(file.as_ref())?.ok();
    let mut frames = Frames::new(file.as_ref(), body_len(file.as_ref(), footer.as_ref()));
    let offsets = offsets_of(view, id);
    if offsets.is_empty() {
        // No index knows the file: follow the frames for as far as they lead.
        frames.seek(0);
        while let Some(frame) = next_or_none(&mut frames)? {
            save(store, writer, frame)?;
        }
        return Ok(());
    }
    for offset in offsets {
        frames.seek(offset);
        if let Some(frame) = next_or_none(&mut frames)? {
            save(store, writer, frame)?;
        }
    }
    Ok(())
}

fn next_or_none(frames: &mut Frames<'_>) -> Result<Option<Frame>, StoreError> {
    match frames.next() {
        Ok(frame) => Ok(frame),
        Err(ScanError::NotAFrame { .. }) => Ok(None),
        Err(ScanError::Fs(error)) => Err(error.into()),
    }
}

fn save(store: &Store, writer: &Writer, frame: Frame) -> Result<(), StoreError> {
    // Whatever decodes is the object of its own hash; if that is none that anybody needs, gc
    // removes it.
    let Ok((kind, id, _)) = frame.open(&store.hasher) else { return Ok(()) };
    let (codec, plain_len) = (frame.header.codec, frame.header.plain_len);
    writer.add(kind, id, &Stored { codec, plain_len, bytes: frame.bytes })
}

/// Indexes every sound file that only bad indexes list, then removes the bad indexes.
fn rebuild_indexes(store: &Store, view: &View, plan: &RepairPlan) -> Result<(), StoreError> {
    if plan.indexes.is_empty() {
        return Ok(());
    }
    let (fs, layout) = (store.fs.as_ref(), &store.layout);
    let good = view.loaded.iter().filter(|loaded| !plan.indexes.contains(&loaded.index.id));
    let well_indexed: BTreeSet<FileId> =
        good.flat_map(|loaded| loaded.index.files.iter().map(|file| file.id)).collect();
    for file in view.files.values() {
        if well_indexed.contains(&file.id) || plan.emptied.contains(&file.id) {
            continue;
        }
        let opened: std::sync::Arc<dyn ReadFile> = fs.open(&file.path)?;
        if let Ok(scanned) = store.scan(opened.as_ref())? {
            index_writer::write_fresh(fs, layout, scanned.file, &scanned.objects)?;
        }
    }
    fs.sync_dir(&layout.objects())?;
    for index in &plan.indexes {
        fs.remove_file(&layout.index(index))?;
    }
    Ok(fs.sync_dir(&layout.objects())?)
}

fn mend(store: &Store, fix: &SmallFix, now: Moment) -> Result<(), StoreError> {
    let (fs, layout) = (store.fs.as_ref(), &store.layout);
    let tmp = layout.tmp();
    match fix {
        SmallFix::Log(path) => {
            let log = LogFile::read(fs, path)?;
            write_atomically(fs, &tmp, path, log.whole_lines(), OnExisting::Replace)?;
        }
        SmallFix::Checkpoint(path) | SmallFix::Mark(path) => fs.remove_file(path)?,
        SmallFix::Tombstone(file) => marks::condemn(fs, layout, file, now)?,
        SmallFix::Gitignore => {
            write_atomically(fs, &tmp, &layout.gitignore(), GITIGNORE, OnExisting::Replace)?;
        }
    }
    Ok(())
}
