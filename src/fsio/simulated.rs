//! A file system in memory that fails on purpose: the twin of [`RealFs`](super::RealFs) for tests.
//!
//! It keeps apart what a program sees and what would survive a crash: content up to the last sync,
//! names up to the last sync of their directory. Every operation that changes anything has a
//! number, so a test can run a piece of work once to count them and then again with the n-th one
//! failed, cut short, or being the last before the power goes. A failed sync loses what it should
//! have saved for good, as on Linux.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::survival::Survival;
use super::world::{Course, DirNode, FileNode, Inode, ROOT, World, copy_out};
use super::{
    AppendFile, DirEntry, FileInfo, FileLock, FileSystem, FsError, Mapping, OnExisting, ReadFile,
    ScratchFile, WriteBack,
};

/// What goes wrong at one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and changes nothing; the program goes on.
    Fail,
    /// It fails half done: a write writes half, anything else is done but reported as failed.
    CutShort,
    /// The power goes before it.
    CrashBefore,
    /// The power goes right after it.
    CrashAfter,
    /// From here on the disk is full: nothing grows or is created.
    DiskFull,
}

/// A file system in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct SimulatedFs {
    world: Arc<Mutex<World>>,
}

impl Default for SimulatedFs {
    fn default() -> Self {
        Self::new()
    }
}

impl SimulatedFs {
    /// An empty file system: a root directory.
    pub fn new() -> Self {
        Self::of_world(World::new())
    }

    fn of_world(world: World) -> Self {
        SimulatedFs { world: Arc::new(Mutex::new(world)) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations that change something were attempted so far.
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// Lets the `nth` operation from now on (counted from 0) go wrong.
    pub fn inject(&self, nth: u64, fault: Fault) {
        let mut world = self.world();
        world.fault = Some((world.operations + nth, fault));
    }

    /// Whether the fault that was injected has happened.
    pub fn has_faulted(&self) -> bool {
        let world = self.world();
        world.fault.is_some_and(|(at, _)| world.operations > at)
    }

    /// What a machine finds that starts after a crash at this moment. Locks are gone.
    pub fn after_crash(&self, survival: Survival) -> SimulatedFs {
        let world = self.world().after_crash(survival);
        Self::of_world(world)
    }

    /// A copy that shares nothing: as if the disk had been cloned.
    pub fn deep_copy(&self) -> SimulatedFs {
        let mut world = self.world().clone();
        world.locks.clear();
        world.fault = None;
        Self::of_world(world)
    }

    /// The paths of all files, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        let world = self.world();
        let mut found = Vec::new();
        let mut waiting = vec![(ROOT, PathBuf::from("/"))];
        while let Some((inode, path)) = waiting.pop() {
            match &world.inodes[inode] {
                Inode::File(_) => found.push(path),
                Inode::Dir(dir) => {
                    waiting.extend(dir.names.iter().map(|(name, node)| (*node, path.join(name))));
                }
            }
        }
        found.sort();
        found
    }

    /// Changes one byte of a file on the disk, as decay would.
    ///
    /// # Panics
    ///
    /// Where there is no such file or byte: tests ask only for what they listed.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) {
        let mut world = self.world();
        let inode = world.find(path).expect("the file was listed");
        let Inode::File(file) = &mut world.inodes[inode] else { panic!("not a file") };
        file.content[offset] ^= mask;
    }

    /// Performs one operation that changes something, under the fault plan.
    fn change<T>(
        &self,
        verb: &'static str,
        path: &Path,
        grows: bool,
        act: impl FnOnce(&mut World, Course) -> io::Result<T>,
    ) -> Result<T, FsError> {
        let mut world = self.world();
        let fail = |kind: ErrorKind, why: &str| {
            Err(FsError::new(verb, path, io::Error::new(kind, why.to_owned())))
        };
        if world.is_dead {
            return fail(ErrorKind::Other, "the simulated machine is off");
        }
        let number = world.operations;
        world.operations += 1;
        let course = match world.fault {
            Some((at, Fault::DiskFull)) if number >= at && grows => {
                return fail(ErrorKind::StorageFull, "simulated full disk");
            }
            Some((at, Fault::Fail)) if number == at => {
                if verb == "sync" {
                    world.lose_unsynced(path);
                }
                return fail(ErrorKind::Other, "simulated failure");
            }
            Some((at, Fault::CrashBefore)) if number == at => {
                world.is_dead = true;
                return fail(ErrorKind::Other, "the simulated machine went off");
            }
            Some((at, Fault::CutShort)) if number == at => Course::Half,
            Some((at, Fault::CrashAfter)) if number == at => Course::LastBeforeCrash,
            _ => Course::Whole,
        };
        let done = act(&mut world, course).map_err(|error| FsError::new(verb, path, error))?;
        match course {
            Course::Whole => Ok(done),
            Course::Half => fail(ErrorKind::Other, "simulated failure half way"),
            Course::LastBeforeCrash => {
                world.is_dead = true;
                fail(ErrorKind::Other, "the simulated machine went off")
            }
        }
    }

    /// Looks at something, unless the machine is off.
    fn look<T>(
        &self,
        verb: &'static str,
        path: &Path,
        act: impl FnOnce(&World) -> io::Result<T>,
    ) -> Result<T, FsError> {
        let world = self.world();
        if world.is_dead {
            let error = io::Error::other("the simulated machine is off");
            return Err(FsError::new(verb, path, error));
        }
        act(&world).map_err(|error| FsError::new(verb, path, error))
    }
}

impl FileSystem for SimulatedFs {
    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>, FsError> {
        let (inode, token) = self.change("create", path, true, |world, _| {
            let inode = world.add(path, Inode::File(FileNode::default()))?;
            Ok((inode, world.lock(inode)))
        })?;
        let lock = token.map(|token| Held { fs: self.clone(), inode, token });
        Ok(Box::new(OpenFile { fs: self.clone(), path: path.to_owned(), inode, _lock: lock }))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn AppendFile>, FsError> {
        let inode = self.change("open", path, true, |world, _| match world.find(path) {
            Ok(inode) => Ok(inode),
            Err(_) => world.add(path, Inode::File(FileNode::default())),
        })?;
        Ok(Box::new(OpenFile { fs: self.clone(), path: path.to_owned(), inode, _lock: None }))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn ReadFile>, FsError> {
        let (inode, len) = self.look("open", path, |world| {
            let inode = world.find(path)?;
            Ok((inode, world.file(inode)?.content.len() as u64))
        })?;
        Ok(Arc::new(OpenReader { fs: self.clone(), path: path.to_owned(), inode, len }))
    }

    fn create_dir(&self, path: &Path) -> Result<(), FsError> {
        self.change("create directory", path, true, |world, _| {
            world.add(path, Inode::Dir(DirNode::default())).map(drop)
        })
    }

    fn sync_dir(&self, path: &Path) -> Result<(), FsError> {
        self.change("sync directory", path, false, |world, _| {
            let inode = world.find(path)?;
            let dir = world.dir_mut(inode)?;
            dir.pending.clear();
            dir.safe_names = dir.names.clone();
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path, on_existing: OnExisting) -> Result<(), FsError> {
        self.change("rename a file to", to, false, |world, _| world.rename(from, to, on_existing))
    }

    fn remove_file(&self, path: &Path) -> Result<(), FsError> {
        self.change("remove", path, false, |world, _| {
            let inode = world.find(path)?;
            world.file(inode)?;
            world.remove(path)
        })
    }

    fn remove_dir(&self, path: &Path) -> Result<(), FsError> {
        self.change("remove directory", path, false, |world, _| {
            let inode = world.find(path)?;
            if !world.dir(inode)?.names.is_empty() {
                return Err(io::Error::from(ErrorKind::DirectoryNotEmpty));
            }
            world.remove(path)
        })
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>, FsError> {
        self.look("list", path, |world| {
            let dir = world.dir(world.find(path)?)?;
            Ok(dir
                .names
                .iter()
                .map(|(name, inode)| DirEntry {
                    name: name.clone(),
                    is_dir: matches!(world.inodes[*inode], Inode::Dir(_)),
                })
                .collect())
        })
    }

    fn info(&self, path: &Path) -> Result<Option<FileInfo>, FsError> {
        self.look("look at", path, |world| {
            let Ok(inode) = world.find(path) else { return Ok(None) };
            Ok(Some(match &world.inodes[inode] {
                Inode::File(file) => FileInfo {
                    len: file.content.len() as u64,
                    is_dir: false,
                    mode: if file.is_read_only { 0o444 } else { 0o600 },
                    owner: 0,
                },
                Inode::Dir(_) => FileInfo { len: 0, is_dir: true, mode: 0o700, owner: 0 },
            }))
        })
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>, FsError> {
        let inode = self.look("lock", path, |world| world.find(path))?;
        let token = self.world().lock(inode);
        Ok(token
            .map(|token| Box::new(Held { fs: self.clone(), inode, token }) as Box<dyn FileLock>))
    }

    fn scratch(&self, dir: &Path) -> Result<Box<dyn ScratchFile>, FsError> {
        self.change("create", dir, true, |world, _| world.find(dir).map(drop))?;
        Ok(Box::new(Scratch { fs: self.clone(), path: dir.join("scratch"), content: Vec::new() }))
    }

    fn nonce(&self) -> [u8; 16] {
        let mut world = self.world();
        world.tokens += 1;
        let mut nonce = [0u8; 16];
        nonce[..8].copy_from_slice(&world.tokens.to_be_bytes());
        nonce
    }
}

#[derive(Debug)]
struct OpenFile {
    fs: SimulatedFs,
    path: PathBuf,
    inode: usize,
    _lock: Option<Held>,
}

impl AppendFile for OpenFile {
    fn write_back(&self) -> Result<Option<WriteBack>, FsError> {
        // Other threads would make the numbers of operations differ from run to run.
        Ok(None)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        let inode = self.inode;
        self.fs.change("write", &self.path, true, |world, how| world.append(inode, bytes, how))
    }

    fn sync(&mut self) -> Result<(), FsError> {
        self.fs.change("sync", &self.path, false, |world, how| world.sync(self.inode, how))
    }

    fn make_read_only(&mut self) -> Result<(), FsError> {
        self.fs.change("make read-only", &self.path, false, |world, _| {
            world.file_mut(self.inode)?.is_read_only = true;
            Ok(())
        })
    }
}

#[derive(Debug)]
struct OpenReader {
    fs: SimulatedFs,
    path: PathBuf,
    inode: usize,
    len: u64,
}

impl ReadFile for OpenReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FsError> {
        self.fs.look("read", &self.path, |world| {
            copy_out(&world.file(self.inode)?.content, buffer, offset)
        })
    }

    fn sync(&self) -> Result<(), FsError> {
        self.fs.change("sync", &self.path, false, |world, how| world.sync(self.inode, how))
    }

    fn map(&self) -> Result<Mapping, FsError> {
        self.fs.look("map", &self.path, |world| {
            Ok(Mapping::of_bytes(world.file(self.inode)?.content.as_slice().into()))
        })
    }
}

#[derive(Debug)]
struct Scratch {
    fs: SimulatedFs,
    path: PathBuf,
    content: Vec<u8>,
}

impl ScratchFile for Scratch {
    fn append(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.fs.change("write", &self.path, true, |_, _| Ok(()))?;
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FsError> {
        copy_out(&self.content, buffer, offset)
            .map_err(|error| FsError::new("read", &self.path, error))
    }

    fn len(&self) -> u64 {
        self.content.len() as u64
    }
}

#[derive(Debug)]
struct Held {
    fs: SimulatedFs,
    inode: usize,
    token: u64,
}

impl FileLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let mut world = self.fs.world();
        if world.locks.get(&self.inode) == Some(&self.token) {
            world.locks.remove(&self.inode);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_synced_content_under_synced_names_is_safe() {
        let fs = SimulatedFs::new();
        let path = Path::new("/a");
        let mut file = fs.create(path).unwrap();
        file.append(b"safe").unwrap();
        file.sync().unwrap();
        assert!(fs.after_crash(Survival::SyncedOnly).files().is_empty());
        fs.sync_dir(Path::new("/")).unwrap();
        file.append(b", not safe").unwrap();
        let after = fs.after_crash(Survival::SyncedOnly);
        assert_eq!(after.read(path, 100).unwrap(), b"safe");
        let after = fs.after_crash(Survival::Torn);
        assert_eq!(after.read(path, 100).unwrap(), b"safe, not");
    }

    #[test]
    fn a_failed_sync_loses_content_for_good() {
        let fs = SimulatedFs::new();
        let path = Path::new("/a");
        let mut file = fs.create(path).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        file.append(b"content").unwrap();
        fs.inject(0, Fault::Fail);
        file.sync().unwrap_err();
        file.sync().unwrap();
        assert_eq!(fs.after_crash(Survival::ContentOnly).read(path, 100).unwrap(), b"");
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let fs = SimulatedFs::new();
        let owner = fs.create(Path::new("/a")).unwrap();
        assert!(fs.try_lock(Path::new("/a")).unwrap().is_none());
        drop(owner);
        assert!(fs.try_lock(Path::new("/a")).unwrap().is_some());
    }
}
