//! Names, small files, and the structure and sizes of indexes and object files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::VerifyOutcome;
use crate::codec::Kind;
use crate::fsio::FsError;
use crate::model::{ObjectId, SnapshotId};
use crate::store::format::Format;
use crate::store::gc::Root;
use crate::store::layout::SealedName;
use crate::store::log::LogFile;
use crate::store::mark::Strictness;
use crate::store::object_file::Footer;
use crate::store::open::GITIGNORE;
use crate::store::refs::{Space, parse_ref};
use crate::store::resume::{Checkpoint, RootObject};
use crate::store::signatures::snapshot_of;
use crate::store::view::{Access, Found, View};
use crate::store::{FileId, RefName, Store, StoreError, marks, record};

const SMALL_FILE: u64 = 1 << 20;

/// Checks what can be checked without reading objects; gives what names lead to.
pub(super) fn check(
    store: &Store,
    view: &View,
    outcome: &mut VerifyOutcome,
) -> Result<Vec<Root>, StoreError> {
    let mut checked = Quick { store, view, outcome, roots: Vec::new() };
    checked.fixed_files()?;
    for space in Space::BOTH {
        checked.names(space)?;
    }
    checked.checkpoints()?;
    checked.logs()?;
    checked.tombstones()?;
    checked.damage_marks()?;
    checked.signatures()?;
    checked.indexes();
    checked.object_files()?;
    Ok(checked.roots)
}

struct Quick<'a> {
    store: &'a Store,
    view: &'a View,
    outcome: &'a mut VerifyOutcome,
    roots: Vec<Root>,
}

impl Quick<'_> {
    /// A file's content, unless it vanished since it was listed.
    fn content(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.store.fs.read(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
        let entries = self.store.fs.list_if_there(dir)?;
        let mut files: Vec<_> =
            entries.into_iter().map(|entry| (entry.name.clone(), dir.join(entry.name))).collect();
        files.sort();
        Ok(files)
    }

    fn fixed_files(&mut self) -> Result<(), StoreError> {
        let layout = &self.store.layout;
        let bytes = self.content(&layout.format(), SMALL_FILE)?.unwrap_or_default();
        if let Err(error) = Format::parse(&bytes, layout.root(), &layout.format()) {
            self.outcome.damaged_file(layout.format(), error.to_string());
        }
        match self.content(&layout.gitignore(), SMALL_FILE)? {
            Some(bytes) if bytes == GITIGNORE => {}
            _ => self.outcome.damaged_file(layout.gitignore(), "git could take the store in"),
        }
        for (name, path) in self.list(layout.root())? {
            let is_known = ["format", "lock", ".gitignore"].contains(&name.as_str())
                || layout.directories().contains(&path)
                || path == layout.signatures();
            if !is_known {
                self.outcome.notes.push(format!("{} does not belong here", path.display()));
            }
        }
        Ok(())
    }

    fn names(&mut self, space: Space) -> Result<(), StoreError> {
        for (file, path) in self.list(&self.store.space_dir(space))? {
            let Some(name) = RefName::from_file_name(&file) else {
                self.outcome.damaged_file(path, "its name is none that a ref can have");
                continue;
            };
            let Some(bytes) = self.content(&path, SMALL_FILE)? else { continue };
            let Some(id) = parse_ref(&bytes) else {
                self.outcome.damaged_file(path, "it is not an id and a newline");
                continue;
            };
            if let Some(why) = self.unreadable_snapshot(id)? {
                self.outcome.damaged_file(path, format!("snapshot {} {why}", id.0));
            }
            let object = RootObject { kind: Kind::Snapshot, id: id.0 };
            let name = format!("{} {name}", space.word());
            self.roots.push(Root { name, object, strictness: Strictness::Required });
        }
        Ok(())
    }

    fn unreadable_snapshot(&self, id: SnapshotId) -> Result<Option<String>, StoreError> {
        let (fs, hasher) = (self.store.fs.as_ref(), &self.store.hasher);
        Ok(match self.view.read(fs, hasher, Access::Positioned, Kind::Snapshot, &id.0)? {
            Found::Plain(_) => None,
            // It may have been published since the view was made.
            Found::Nothing => match self.store.reader()?.object(Kind::Snapshot, &id.0) {
                Ok(_) => None,
                Err(_) => Some("is missing".to_owned()),
            },
            Found::Bad(why) => Some(format!("is damaged: {why}")),
        })
    }

    fn checkpoints(&mut self) -> Result<(), StoreError> {
        for (file, path) in self.list(&self.store.layout.resume())? {
            let Some(bytes) = self.content(&path, record::MAX_RECORD_LEN)? else { continue };
            if file == ".verify" {
                if let Err(why) = record::open(&bytes) {
                    self.outcome.damaged_file(path, why);
                }
                continue;
            }
            match Checkpoint::parse(&bytes) {
                Err(why) => self.outcome.damaged_file(path, why),
                Ok(checkpoint) => self.roots.extend(checkpoint.roots.into_iter().map(|object| {
                    let name = format!("checkpoint {file}");
                    Root { name, object, strictness: Strictness::Required }
                })),
            }
        }
        Ok(())
    }

    fn logs(&mut self) -> Result<(), StoreError> {
        for (file, path) in self.list(&self.store.layout.log())? {
            let log = LogFile::read(self.store.fs.as_ref(), &path)?;
            for line in &log.damaged_lines {
                self.outcome.damaged_file(&path, format!("line {line} is not as it was written"));
            }
            if log.torn_len > 0 {
                let note = format!("{} ends in an append that a crash cut short", path.display());
                self.outcome.notes.push(note);
            }
            for id in log.entries.iter().flat_map(|entry| entry.old.into_iter().chain(entry.new)) {
                let object = RootObject { kind: Kind::Snapshot, id: id.0 };
                let name = format!("log of {file}");
                self.roots.push(Root { name, object, strictness: Strictness::Tolerated });
            }
        }
        Ok(())
    }

    fn tombstones(&mut self) -> Result<(), StoreError> {
        let store = self.store;
        for (name, path) in self.list(&store.layout.condemned())? {
            let Some(file) = FileId::parse(&name) else {
                self.outcome.damaged_file(path, "its name is not that of an object file");
                continue;
            };
            match marks::condemned_since(store.fs.as_ref(), &store.layout, &file) {
                Err(StoreError::Damaged { path, why }) => self.outcome.damaged_file(path, why),
                Err(StoreError::Fs(error)) if error.is_not_found() => {}
                result => drop(result?),
            }
        }
        Ok(())
    }

    /// What they are worth is not looked at here.
    fn signatures(&mut self) -> Result<(), StoreError> {
        for (name, path) in self.list(&self.store.layout.signatures())? {
            if snapshot_of(&name).is_none() {
                self.outcome.notes.push(format!("{} does not belong here", path.display()));
            }
        }
        Ok(())
    }

    fn damage_marks(&mut self) -> Result<(), StoreError> {
        for (name, path) in self.list(&self.store.layout.damaged())? {
            if name.parse::<ObjectId>().is_err() {
                self.outcome.damaged_file(path, "its name is not an id");
                continue;
            }
            match marks::read_damage(self.store.fs.as_ref(), &path) {
                Err(StoreError::Damaged { path, why }) => self.outcome.damaged_file(path, why),
                Err(StoreError::Fs(error)) if error.is_not_found() => {}
                result => drop(result?),
            }
        }
        Ok(())
    }

    fn indexes(&mut self) {
        for broken in &self.view.broken {
            self.outcome.damaged_file(&broken.path, &broken.why);
        }
        for loaded in &self.view.loaded {
            let path = self.store.layout.index(&loaded.index.id);
            for (indexed, file) in loaded.index.files.iter().zip(&loaded.files) {
                if file.is_none() {
                    let note = format!("{} lists {}, which is gone", path.display(), indexed.id);
                    self.outcome.notes.push(note);
                }
            }
        }
    }

    fn object_files(&mut self) -> Result<(), StoreError> {
        let layout = &self.store.layout;
        let indexed = self.view.indexed_files();
        let mut lengths = std::collections::HashMap::new();
        for file in self.view.loaded.iter().flat_map(|loaded| &loaded.index.files) {
            lengths.entry(file.id).or_insert((file.len, file.objects));
        }
        for (name, path) in self.list(&layout.objects())? {
            match SealedName::parse(&name) {
                None => self.outcome.damaged_file(path, "its name is not that of a sealed file"),
                Some(SealedName::Objects(id)) if self.view.files.contains_key(&id) => {
                    let why = self.wrong_with(id, &path, lengths.get(&id).copied())?;
                    self.say(id, &path, why, &indexed);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What is wrong with the structure of an object file.
    fn wrong_with(
        &self,
        id: FileId,
        path: &Path,
        expected: Option<(u64, u64)>,
    ) -> Result<Option<String>, FsError> {
        let file = match self.store.fs.open(path) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let footer = match Footer::read(file.as_ref())? {
            Ok(footer) => footer,
            Err(why) => return Ok(Some(why)),
        };
        if footer.id != id {
            return Ok(Some("its footer does not fit its name".to_owned()));
        }
        match expected {
            Some(expected) if expected != (file.len(), footer.objects) => {
                Ok(Some("its index knows another length or number of objects".to_owned()))
            }
            _ => Ok(None),
        }
    }

    fn say(&mut self, id: FileId, path: &Path, why: Option<String>, indexed: &HashSet<FileId>) {
        let is_condemned = self.view.condemned.contains(&id);
        match why {
            Some(why) if is_condemned => {
                let note = format!("{} is condemned, and damaged: {why}", path.display());
                self.outcome.notes.push(note);
            }
            Some(why) => self.outcome.damaged_file(path, why),
            None if !indexed.contains(&id) && !is_condemned => {
                let note = format!("{} has no index yet", path.display());
                self.outcome.notes.push(note);
            }
            None => {}
        }
    }
}
