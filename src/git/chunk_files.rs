//! The chunks of one tree as files of a folder, and back.
//!
//! A chunk lies at a path made of the hash of its first key, so it stays where it is while that key
//! stays: git shares it between commits, and deltas what became of it. Values that are stored apart
//! lie in a folder beside their chunk. A chunk that the commit before has too is neither encoded nor
//! hashed again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use gix::hash::ObjectId as GitOid;

use super::chunk_blob::ChunkBlob;
use super::error::GitError;
use super::folder::Folder;
use super::object_writer::ObjectWriter;
use super::pack_file::ObjectType;
use super::repository::{FolderEntry, Repository};
use crate::codec::cell::ExternalValue;
use crate::codec::structure::BlockRef;
use crate::codec::{DecodeError, Kind, block};
use crate::model::ObjectId;
use crate::model::snapshot::TreeRoot;
use crate::store::{ObjectSink, Objects};
use crate::tree::{ChunkPlaces, LoadedChunk, Tree, TreeFromChunks, TreePlan};

/// Digits of the hash of a first key: as many as make a collision a matter of attack alone, which then
/// is an error.
const DIGITS: usize = 32;

/// From this height of its tree on, a table has a folder for each beginning of the hashes: about two
/// thousand chunks. In a small one they would be all folders and few files, and each of them costs
/// every change below it an id.
const FANNED_OUT_FROM: u8 = 3;

/// The same tree in the commit before.
pub(super) struct Before {
    /// Its chunks; they are readable.
    pub(super) root: TreeRoot,
    /// How its rows look.
    pub(super) plan: Arc<TreePlan>,
    /// Where its files are.
    pub(super) folder: GitOid,
}

/// Writes trees into folders.
pub(super) struct ChunkFiles<'a> {
    pub(super) repository: &'a Repository,
    pub(super) objects: &'a dyn Objects,
    pub(super) writer: &'a mut ObjectWriter,
}

/// What of the commit before is used again.
#[derive(Default)]
struct Reusable {
    chunks: HashSet<ObjectId>,
    files: BTreeMap<String, GitOid>,
}

impl ChunkFiles<'_> {
    /// The folder of a tree; none where it has no rows.
    pub(super) fn write(
        &mut self,
        plan: &Arc<TreePlan>,
        key_columns: &[String],
        root: TreeRoot,
        before: Option<Before>,
    ) -> Result<Option<GitOid>, GitError> {
        if root.id.is_none() {
            return Ok(None);
        }
        let reusable = match before {
            Some(before) if before.root == root => return Ok(Some(before.folder)),
            Some(before) => self.reusable(&before)?,
            None => Reusable::default(),
        };
        let tree = Tree::new(self.objects, Arc::clone(plan), root);
        let mut places = ChunkPlaces::new(&tree);
        let mut folder = Folder::default();
        while let Some(place) = places.next_place()? {
            let chunk = places.open(&place)?;
            let first = self.objects.hasher().id(Kind::LongKey, chunk.key(0)?).to_string();
            let path = match root.height {
                FANNED_OUT_FROM.. => format!("{}/{}", &first[..2], &first[2..DIGITS]),
                _ => first[..DIGITS].to_owned(),
            };
            self.chunk(&chunk, key_columns, &path, &reusable, &mut folder)?;
        }
        folder.write(self.writer).map(Some)
    }

    fn reusable(&mut self, before: &Before) -> Result<Reusable, GitError> {
        let mut reusable = Reusable::default();
        for outer in self.repository.folder(before.folder)?.unwrap_or_default() {
            self.writer.know(outer.id);
            if !is_fan(&outer) {
                reusable.files.insert(outer.name, outer.id);
                continue;
            }
            for inner in self.repository.folder(outer.id)?.unwrap_or_default() {
                self.writer.know(inner.id);
                reusable.files.insert(format!("{}/{}", outer.name, inner.name), inner.id);
            }
        }
        let tree = Tree::new(self.objects, Arc::clone(&before.plan), before.root);
        let mut places = ChunkPlaces::new(&tree);
        while let Some(place) = places.next_place()? {
            reusable.chunks.insert(place.id());
        }
        Ok(reusable)
    }

    fn chunk(
        &mut self,
        chunk: &LoadedChunk<'_>,
        key_columns: &[String],
        path: &str,
        reusable: &Reusable,
        folder: &mut Folder,
    ) -> Result<(), GitError> {
        let (file, values) = (format!("{path}.chunk"), format!("{path}.values"));
        let collision =
            || GitError::Collision { what: format!("a chunk of table {}", chunk.plan().table()) };
        let refers = |column: &crate::codec::structure::ChunkColumn| {
            matches!(column.block, BlockRef::WithValues(_))
        };
        let has_values = chunk.list().columns.iter().any(refers);
        let known = |name: &str| reusable.files.get(name).copied();
        let is_known = reusable.chunks.contains(&chunk.id());
        match (is_known, known(&file), has_values, known(&values)) {
            (true, Some(blob), false, _) => {
                return folder.insert_blob(&file, blob).then_some(()).ok_or_else(collision);
            }
            (true, Some(blob), true, Some(tree)) => {
                let fits = folder.insert_blob(&file, blob) && folder.insert_tree(&values, tree);
                return fits.then_some(()).ok_or_else(collision);
            }
            _ => {}
        }
        // Of a chunk that changed, most values that it stores apart did not.
        if let Some(folder) = known(&values) {
            let entries = self.repository.folder(folder)?.unwrap_or_default();
            entries.iter().for_each(|entry| self.writer.know(entry.id));
        }
        let blob = ChunkBlob { key_columns: key_columns.to_vec(), chunk: chunk.plain_blocks()? };
        let id = self.writer.put(ObjectType::Blob, &blob.encode())?;
        if !folder.insert_blob(&file, id) {
            return Err(collision());
        }
        let external = blob.external_values().map_err(|source| malformed(chunk, source))?;
        if !external.is_empty() {
            let tree = self.values(chunk, &external)?;
            if !folder.insert_tree(&values, tree) {
                return Err(collision());
            }
        }
        Ok(())
    }

    /// The folder of the values that a chunk stores apart.
    fn values(
        &mut self,
        chunk: &LoadedChunk<'_>,
        external: &[ExternalValue],
    ) -> Result<GitOid, GitError> {
        let mut folder = Folder::default();
        let mut seen = BTreeSet::new();
        for value in external {
            if !seen.insert(value.id) {
                continue;
            }
            let plain = self.objects.get(value.kind, &value.id)?;
            let pieces = match value.kind {
                Kind::ValueList => {
                    block::value_pieces(&plain).map_err(|source| malformed(chunk, source))?
                }
                _ => Vec::new(),
            };
            self.value(&mut folder, value.kind, &value.id, &plain)?;
            for piece in pieces {
                if seen.insert(piece) {
                    let plain = self.objects.get(Kind::Value, &piece)?;
                    self.value(&mut folder, Kind::Value, &piece, &plain)?;
                }
            }
        }
        folder.write(self.writer)
    }

    fn value(
        &mut self,
        folder: &mut Folder,
        kind: Kind,
        id: &ObjectId,
        plain: &[u8],
    ) -> Result<(), GitError> {
        let blob = self.writer.put(ObjectType::Blob, plain)?;
        let what = || format!("value {}", id.short());
        let is_new = folder.insert_blob(&value_file(kind, id), blob);
        is_new.then_some(()).ok_or_else(|| GitError::Collision { what: what() })
    }
}

fn malformed(chunk: &LoadedChunk<'_>, source: DecodeError) -> GitError {
    let table = chunk.plan().table().to_owned();
    let id = chunk.id();
    crate::tree::TreeError::Malformed { table, kind: Kind::Chunk, id, source }.into()
}

/// Whether an entry is a folder of chunks.
fn is_fan(entry: &FolderEntry) -> bool {
    entry.is_folder && entry.name.len() == 2
}

fn value_file(kind: Kind, id: &ObjectId) -> String {
    match kind {
        Kind::ValueList => format!("{id}.list"),
        _ => format!("{id}.value"),
    }
}

/// Reads the trees of one commit.
pub(super) struct ChunkReader<'a> {
    pub(super) repository: &'a Repository,
    pub(super) commit: &'a str,
    pub(super) sink: &'a dyn ObjectSink,
}

impl ChunkReader<'_> {
    /// The tree of the files of a folder, `path` in errors. Holds a chunk at a time, and an entry for
    /// each chunk.
    pub(super) fn read(
        &self,
        folder: GitOid,
        path: &str,
        plan: Arc<TreePlan>,
    ) -> Result<TreeRoot, GitError> {
        let mut tree = TreeFromChunks::new(self.sink, plan);
        let entries = self.folder(folder, path)?;
        let (fans, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_fan);
        self.chunks(&mut tree, files, path)?;
        for fan in fans {
            let path = format!("{path}/{}", fan.name);
            let files = self.folder(fan.id, &path)?;
            self.chunks(&mut tree, files, &path)?;
        }
        Ok(tree.finish()?)
    }

    /// The chunks among the entries of a folder.
    fn chunks(
        &self,
        tree: &mut TreeFromChunks<'_>,
        entries: Vec<FolderEntry>,
        path: &str,
    ) -> Result<(), GitError> {
        let mut values = BTreeMap::new();
        let mut chunks = Vec::new();
        for entry in entries {
            match entry.name.rsplit_once('.') {
                Some((name, "chunk")) if !entry.is_folder => {
                    chunks.push((name.to_owned(), entry.id));
                }
                Some((name, "values")) if entry.is_folder => {
                    values.insert(name.to_owned(), entry.id);
                }
                _ => {
                    let path = format!("{path}/{}", entry.name);
                    return Err(self.damaged(&path, "is no file of rows"));
                }
            }
        }
        for (name, id) in chunks {
            let path = format!("{path}/{name}");
            self.chunk(tree, id, values.get(&name).copied(), &path)?;
        }
        Ok(())
    }

    fn chunk(
        &self,
        tree: &mut TreeFromChunks<'_>,
        id: GitOid,
        values: Option<GitOid>,
        path: &str,
    ) -> Result<(), GitError> {
        let file = format!("{path}.chunk");
        let unreadable = |source: DecodeError| self.unreadable(&file, source);
        let bytes = self.blob(id, &file)?;
        let blob = ChunkBlob::decode(&bytes).map_err(unreadable)?;
        let external = blob.external_values().map_err(unreadable)?;
        if !external.is_empty() {
            self.values(values, &external, &format!("{path}.values"))?;
        }
        tree.push(blob.chunk).map_err(|source| self.unreadable(&file, source))
    }

    fn values(
        &self,
        folder: Option<GitOid>,
        external: &[ExternalValue],
        path: &str,
    ) -> Result<(), GitError> {
        let folder = folder.ok_or_else(|| self.missing(path))?;
        let files: BTreeMap<String, GitOid> =
            self.folder(folder, path)?.into_iter().map(|entry| (entry.name, entry.id)).collect();
        let mut seen = BTreeSet::new();
        for value in external {
            if !seen.insert(value.id) {
                continue;
            }
            let plain = self.value(&files, value.kind, &value.id, path)?;
            if value.kind == Kind::ValueList {
                let pieces = block::value_pieces(&plain);
                for piece in pieces.map_err(|source| self.unreadable(path, source))? {
                    if seen.insert(piece) {
                        self.value(&files, Kind::Value, &piece, path)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn value(
        &self,
        files: &BTreeMap<String, GitOid>,
        kind: Kind,
        id: &ObjectId,
        path: &str,
    ) -> Result<Vec<u8>, GitError> {
        let path = format!("{path}/{}", value_file(kind, id));
        let blob = files.get(&value_file(kind, id)).ok_or_else(|| self.missing(&path))?;
        let plain = self.blob(*blob, &path)?;
        if self.sink.hasher().id(kind, &plain) != *id {
            return Err(self.damaged(&path, "does not have the id that it is named by"));
        }
        self.sink.put(kind, &plain)?;
        Ok(plain)
    }

    pub(super) fn blob(&self, id: GitOid, path: &str) -> Result<Vec<u8>, GitError> {
        let content = self.repository.read(ObjectType::Blob, id);
        content.map_err(|e| self.unreadable(path, e))?.ok_or_else(|| self.missing(path))
    }

    pub(super) fn folder(&self, id: GitOid, path: &str) -> Result<Vec<FolderEntry>, GitError> {
        let entries = self.repository.folder(id).map_err(|e| self.unreadable(path, e))?;
        entries.ok_or_else(|| self.missing(path))
    }

    pub(super) fn missing(&self, path: &str) -> GitError {
        GitError::Missing { commit: self.commit.to_owned(), path: path.to_owned() }
    }

    fn damaged(&self, path: &str, why: &str) -> GitError {
        let (commit, path) = (self.commit.to_owned(), path.to_owned());
        GitError::Damaged { commit, path, why: why.to_owned() }
    }

    pub(super) fn unreadable(
        &self,
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> GitError {
        let (commit, path) = (self.commit.to_owned(), path.to_owned());
        GitError::Unreadable { commit, path, source: source.into() }
    }
}
