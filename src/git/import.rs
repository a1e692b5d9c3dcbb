//! A commit as a snapshot again: all objects with the ids that they had, or an error and nothing
//! published.
//!
//! The texts and blobs of the commit are all that is used. What is made of them is hashed from the rows
//! up to the snapshot, and has to be what the commit promises.

use std::collections::BTreeMap;

use super::branch::CommitInfo;
use super::chunk_files::ChunkReader;
use super::commit::{lists, plan};
use super::error::GitError;
use super::manifest::hash_in_words;
use super::repository::{FolderEntry, Repository};
use super::table_file::TableFile;
use crate::codec::Kind;
use crate::codec::state::{StoredTable, write_snapshot, write_state, write_table};
use crate::diff::LoadedSnapshot;
use crate::model::snapshot::TreeRoot;
use crate::model::{ObjectId, ObjectName, SnapshotId, StateId};
use crate::store::{ObjectSink, Store, Writer};

/// A snapshot that was read from a commit. Its objects are in the store; nothing names it yet.
pub struct Imported {
    /// The snapshot.
    pub id: SnapshotId,
    /// How many tables and rows it has.
    pub tables: usize,
    /// How many rows it has.
    pub rows: u64,
    /// Publishes it.
    pub writer: Writer,
}

/// Reads the snapshot of a commit into a store.
pub fn import(
    repository: &Repository,
    commit: &CommitInfo,
    store: &Store,
) -> Result<Imported, GitError> {
    let shown = commit.shown();
    refuse_other_hash(commit, store)?;
    if !commit.has_rows {
        return Err(GitError::ManifestOnly { commit: shown });
    }
    let writer = store.writer()?;
    let chunks = ChunkReader { repository, commit: &shown, sink: &writer };
    let reading = Reading { chunks, commit };
    let tables = reading.tables()?;
    let rows = tables.values().fold(0u64, |sum, (_, rows)| sum.saturating_add(*rows));
    let loaded = reading.snapshot()?;
    writer.seal()?;
    let found: Vec<(ObjectName, ObjectId)> =
        tables.into_iter().map(|(name, (id, _))| (name, id)).collect();
    reading.compare(&loaded, &found, &writer)?;
    let count = found.len();
    let id = writer.put(Kind::Snapshot, &write_snapshot(&loaded.snapshot))?;
    writer.seal()?;
    Ok(Imported { id: SnapshotId(id), tables: count, rows, writer })
}

fn refuse_other_hash(commit: &CommitInfo, store: &Store) -> Result<(), GitError> {
    let (algorithm, is_keyed) = commit.hash()?;
    let ours = store.hasher();
    let is_same = (algorithm, is_keyed) == (ours.algorithm(), ours.is_keyed());
    if is_same && commit.manifest.is_of_key(ours) {
        return Ok(());
    }
    let theirs = match is_same {
        true => "another key".to_owned(),
        false => hash_in_words(algorithm.as_str(), is_keyed),
    };
    Err(GitError::OtherHash {
        commit: commit.shown(),
        theirs,
        ours: hash_in_words(ours.algorithm().as_str(), ours.is_keyed()),
    })
}

struct Reading<'a> {
    chunks: ChunkReader<'a>,
    commit: &'a CommitInfo,
}

/// For each table the id of its object and its rows.
type Tables = BTreeMap<ObjectName, (ObjectId, u64)>;

impl Reading<'_> {
    /// The entries of a folder of the commit; none where there is no such folder.
    fn top(&self, name: &str) -> Result<Vec<FolderEntry>, GitError> {
        match self.commit.entries.iter().find(|entry| entry.name == name && entry.is_folder) {
            Some(entry) => self.chunks.folder(entry.id, name),
            None => Ok(Vec::new()),
        }
    }

    fn tables(&self) -> Result<Tables, GitError> {
        let mut tables = Tables::new();
        for entry in self.top("tables")? {
            let path = format!("tables/{}", entry.name);
            if !entry.is_folder {
                return Err(self.other(format!("{path} is a file")));
            }
            let parts = self.chunks.folder(entry.id, &path)?;
            let part = |name: &str| parts.iter().find(|part| part.name == name);
            let file = format!("{path}/table.toml");
            let description = part("table.toml").ok_or_else(|| self.chunks.missing(&file))?;
            let text = String::from_utf8(self.chunks.blob(description.id, &file)?);
            let text = text.map_err(|error| self.chunks.unreadable(&file, error))?;
            let spec = TableFile::read(&text);
            let spec = spec.map_err(|why| self.chunks.unreadable(&file, why))?;
            let plan = plan(&spec).map_err(|error| self.chunks.unreadable(&file, error))?;
            let rows = match part("rows") {
                Some(rows) => self.chunks.read(rows.id, &format!("{path}/rows"), plan.0)?,
                None => TreeRoot::EMPTY,
            };
            let name = spec.name.clone();
            let table = write_table(&StoredTable { spec, rows });
            // What the strict decoder would not read was never a table.
            crate::codec::state::read_table(&table)
                .map_err(|error| self.chunks.unreadable(&file, error))?;
            let id = self.chunks.sink.put(Kind::Table, &table)?;
            if tables.insert(name.clone(), (id, rows.rows)).is_some() {
                return Err(self.other(format!("table {name} is there twice")));
            }
        }
        Ok(tables)
    }

    /// The snapshot of the description and the lists. Its state is in the store, it is not.
    fn snapshot(&self) -> Result<LoadedSnapshot, GitError> {
        let folders = self.top("catalog")?;
        let mut roots = [TreeRoot::EMPTY; 3];
        for (root, (list, plan)) in roots.iter_mut().zip(lists()?) {
            if let Some(folder) = folders.iter().find(|folder| folder.name == list) {
                *root = self.chunks.read(folder.id, &format!("catalog/{list}"), plan.0)?;
            }
        }
        let [facts, tables, definitions] = roots;
        let manifest = &self.commit.manifest;
        let state = manifest.state(facts, tables);
        let id = StateId(self.chunks.sink.put(Kind::State, &write_state(&state))?);
        let snapshot = manifest.snapshot(id, definitions);
        let snapshot =
            snapshot.map_err(|why| self.chunks.unreadable(super::branch::MANIFEST, why))?;
        Ok(LoadedSnapshot { id: self.commit.snapshot, snapshot, state })
    }

    /// Compares what was made with what the commit promises, and names what differs.
    fn compare(
        &self,
        loaded: &LoadedSnapshot,
        found: &[(ObjectName, ObjectId)],
        writer: &Writer,
    ) -> Result<(), GitError> {
        let expected = loaded.table_ids(writer.reader())?;
        for (name, id) in &expected {
            match found.binary_search_by(|(other, _)| other.cmp(name)) {
                Err(_) => return Err(self.other(format!("table {name} is missing"))),
                Ok(at) if found[at].1 != *id => {
                    return Err(self.other(format!("the rows or columns of table {name} differ")));
                }
                Ok(_) => {}
            }
        }
        if let Some((name, _)) =
            found.iter().find(|(name, _)| expected.binary_search_by(|(e, _)| e.cmp(name)).is_err())
        {
            return Err(self.other(format!("table {name} is none of the snapshot's")));
        }
        if loaded.snapshot.state.to_string() != self.commit.manifest.state {
            let what = "the schema's facts, the list of tables, or the rules it was read under";
            return Err(self.other(format!("{what} differ")));
        }
        let id = writer.hasher().id(Kind::Snapshot, &write_snapshot(&loaded.snapshot));
        if SnapshotId(id) != self.commit.snapshot {
            return Err(self.other("snapshot.toml or the definitions differ".to_owned()));
        }
        Ok(())
    }

    fn other(&self, what: String) -> GitError {
        GitError::OtherContent { commit: self.chunks.commit.to_owned(), what }
    }
}
