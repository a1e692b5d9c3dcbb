//! The inodes of a simulated file system, and which of them would survive a crash.
//!
//! A directory keeps the names a program sees apart from those that are safe, with the changes in
//! between; a file knows how much of its content is synced. Nothing here fails on purpose: that is
//! the business of [`SimulatedFs`](super::SimulatedFs).

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

use super::survival::{Judge, Survival};
use super::{Fault, OnExisting};

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) inodes: Vec<Inode>,
    pub(super) locks: HashMap<usize, u64>,
    pub(super) operations: u64,
    pub(super) fault: Option<(u64, Fault)>,
    pub(super) is_dead: bool,
    pub(super) tokens: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Inode {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Debug, Clone, Default)]
pub(super) struct FileNode {
    pub(super) content: Vec<u8>,
    pub(super) synced: usize,
    /// Content from here on was lost by a failed sync and will never be safe.
    pub(super) lost_from: Option<usize>,
    pub(super) is_read_only: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct DirNode {
    pub(super) names: BTreeMap<String, usize>,
    pub(super) safe_names: BTreeMap<String, usize>,
    pub(super) pending: Vec<NameChanges>,
}

/// Changes of one directory that survive together or not at all.
pub(super) type NameChanges = Vec<(String, Option<usize>)>;

pub(super) const ROOT: usize = 0;

/// What an operation does beside succeeding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Whole,
    Half,
    LastBeforeCrash,
}

pub(super) fn apply(names: &mut BTreeMap<String, usize>, changes: &[(String, Option<usize>)]) {
    for (name, inode) in changes {
        match inode {
            Some(inode) => names.insert(name.clone(), *inode),
            None => names.remove(name),
        };
    }
}

pub(super) fn not_found() -> io::Error {
    io::Error::from(ErrorKind::NotFound)
}

impl World {
    /// An empty file system: a root directory.
    pub(super) fn new() -> World {
        World {
            inodes: vec![Inode::Dir(DirNode::default())],
            locks: HashMap::new(),
            operations: 0,
            fault: None,
            is_dead: false,
            tokens: 0,
        }
    }

    /// What a machine finds that starts after a crash at this moment.
    pub(super) fn after_crash(&self, survival: Survival) -> World {
        let mut judge = Judge::new(survival);
        let mut inodes = self.inodes.clone();
        for inode in &mut inodes {
            match inode {
                Inode::File(file) => {
                    let possible = file.lost_from.unwrap_or(file.content.len()).max(file.synced);
                    let kept = match survival {
                        // The machine is alive: pages stay readable even where a sync failed.
                        Survival::Everything => file.content.len(),
                        _ => judge.content(file.synced, possible),
                    };
                    file.content.truncate(kept);
                    file.synced = kept.min(possible);
                }
                Inode::Dir(dir) => {
                    for changes in std::mem::take(&mut dir.pending) {
                        if judge.keeps_names() {
                            apply(&mut dir.safe_names, &changes);
                        }
                    }
                    dir.names = dir.safe_names.clone();
                }
            }
        }
        World { inodes, tokens: self.tokens + 1000, ..World::new() }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<usize> {
        let mut inode = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let name = name.to_str().ok_or_else(not_found)?;
            inode = *self.dir(inode)?.names.get(name).ok_or_else(not_found)?;
        }
        Ok(inode)
    }

    pub(super) fn dir(&self, inode: usize) -> io::Result<&DirNode> {
        match &self.inodes[inode] {
            Inode::Dir(dir) => Ok(dir),
            Inode::File(_) => Err(io::Error::from(ErrorKind::NotADirectory)),
        }
    }

    pub(super) fn dir_mut(&mut self, inode: usize) -> io::Result<&mut DirNode> {
        match &mut self.inodes[inode] {
            Inode::Dir(dir) => Ok(dir),
            Inode::File(_) => Err(io::Error::from(ErrorKind::NotADirectory)),
        }
    }

    pub(super) fn file(&self, inode: usize) -> io::Result<&FileNode> {
        match &self.inodes[inode] {
            Inode::File(file) => Ok(file),
            Inode::Dir(_) => Err(io::Error::from(ErrorKind::IsADirectory)),
        }
    }

    pub(super) fn file_mut(&mut self, inode: usize) -> io::Result<&mut FileNode> {
        match &mut self.inodes[inode] {
            Inode::File(file) => Ok(file),
            Inode::Dir(_) => Err(io::Error::from(ErrorKind::IsADirectory)),
        }
    }

    /// The directory of a path, and the name in it.
    pub(super) fn parent(&self, path: &Path) -> io::Result<(usize, String)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(not_found)?;
        Ok((self.find(path.parent().ok_or_else(not_found)?)?, name.to_owned()))
    }

    pub(super) fn change_names(&mut self, dir: usize, changes: NameChanges) -> io::Result<()> {
        let dir = self.dir_mut(dir)?;
        apply(&mut dir.names, &changes);
        dir.pending.push(changes);
        Ok(())
    }

    pub(super) fn add(&mut self, path: &Path, inode: Inode) -> io::Result<usize> {
        let (dir, name) = self.parent(path)?;
        if self.dir(dir)?.names.contains_key(&name) {
            return Err(io::Error::from(ErrorKind::AlreadyExists));
        }
        self.inodes.push(inode);
        let number = self.inodes.len() - 1;
        self.change_names(dir, vec![(name, Some(number))])?;
        Ok(number)
    }

    pub(super) fn append(&mut self, inode: usize, bytes: &[u8], course: Course) -> io::Result<()> {
        let len = if course == Course::Half { bytes.len() / 2 } else { bytes.len() };
        self.file_mut(inode)?.content.extend_from_slice(&bytes[..len]);
        Ok(())
    }

    pub(super) fn sync(&mut self, inode: usize, course: Course) -> io::Result<()> {
        let file = self.file_mut(inode)?;
        let possible = file.lost_from.unwrap_or(file.content.len());
        if course == Course::Half {
            file.synced += possible.saturating_sub(file.synced) / 2;
            file.lost_from = Some(file.synced);
        } else {
            file.synced = file.synced.max(possible);
        }
        Ok(())
    }

    pub(super) fn lose_unsynced(&mut self, path: &Path) {
        let Ok(inode) = self.find(path) else { return };
        if let Inode::File(file) = &mut self.inodes[inode] {
            file.lost_from = Some(file.synced);
        }
    }

    pub(super) fn lock(&mut self, inode: usize) -> Option<u64> {
        if self.locks.contains_key(&inode) {
            return None;
        }
        self.tokens += 1;
        self.locks.insert(inode, self.tokens);
        Some(self.tokens)
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        self.change_names(dir, vec![(name, None)])
    }

    pub(super) fn rename(
        &mut self,
        from: &Path,
        to: &Path,
        on_existing: OnExisting,
    ) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        let inode = *self.dir(from_dir)?.names.get(&from_name).ok_or_else(not_found)?;
        let is_taken = self.dir(to_dir)?.names.contains_key(&to_name);
        if is_taken && on_existing == OnExisting::Refuse {
            return Err(io::Error::from(ErrorKind::AlreadyExists));
        }
        if from_dir == to_dir {
            return self.change_names(from_dir, vec![(from_name, None), (to_name, Some(inode))]);
        }
        self.change_names(to_dir, vec![(to_name, Some(inode))])?;
        self.change_names(from_dir, vec![(from_name, None)])
    }
}

pub(super) fn copy_out(content: &[u8], buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let bytes = usize::try_from(offset)
        .ok()
        .and_then(|start| content.get(start..start.checked_add(buffer.len())?))
        .ok_or_else(|| io::Error::from(ErrorKind::UnexpectedEof))?;
    buffer.copy_from_slice(bytes);
    Ok(())
}
