//! A snapshot as a commit: its files, then the objects durable, then the branch.
//!
//! The same snapshot on the same commit gives the same commit: everything in it is taken from the
//! snapshot and from what changed since. An unsigned commit therefore has one id, wherever it is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use gix::hash::ObjectId as GitOid;

use super::branch::{Branch, CommitInfo, MANIFEST};
use super::chunk_files::{Before, ChunkFiles};
use super::error::GitError;
use super::folder::Folder;
use super::manifest::{MANIFEST_ONLY, Manifest, ROWS};
use super::object_writer::ObjectWriter;
use super::pack_file::ObjectType;
use super::repository::{GitId, Repository};
use super::signing::Signing;
use super::table_file::TableFile;
use super::{failpoint, names, pages, schema_files};
use crate::codec::catalog;
use crate::codec::state::StoredTable;
use crate::diff::{LoadedSnapshot, RowCounts};
use crate::fsio::FileSystem;
use crate::model::snapshot::TreeRoot;
use crate::model::{ObjectName, TableSpec};
use crate::store::Objects;
use crate::tree::state::StateError;
use crate::tree::{StoreMode, TreePlan};

/// What of a snapshot is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Everything: it can be imported from the commit alone.
    Rows,
    /// No rows: for what is confidential, or large.
    ManifestOnly,
}

/// What changed since the commit before, in words and numbers.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// `changes.md`
    pub page: String,
    /// The rows that changed, of tables in which any did.
    pub tables: Vec<(ObjectName, RowCounts)>,
    /// How many changes of the schema there are.
    pub schema_changes: usize,
}

/// A snapshot that is to be committed.
pub struct CommitRequest<'a> {
    /// The snapshot.
    pub loaded: &'a LoadedSnapshot,
    /// Where its objects are.
    pub objects: &'a dyn Objects,
    /// The snapshot of the branch's head, where its objects are at hand: unchanged chunks are then
    /// neither encoded nor written.
    pub before: Option<&'a LoadedSnapshot>,
    /// What is committed.
    pub content: Content,
    /// What changed.
    pub changes: &'a Changes,
    /// What to say in place of the snapshot's own message.
    pub message: Option<&'a str>,
    /// Whether and how it is signed.
    pub signing: Signing,
}

/// A commit that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The commit.
    pub id: GitId,
    /// How many git objects were written.
    pub objects: u64,
    /// How many bytes they take, before git packs them.
    pub bytes: u64,
}

/// Commits a snapshot on a branch. Where this fails, the branch is where it was.
pub fn commit(
    repository: &Repository,
    branch: &Branch,
    fs: &Arc<dyn FileSystem>,
    request: &CommitRequest<'_>,
) -> Result<Committed, GitError> {
    let loaded = request.loaded;
    if loaded.snapshot.is_hash_only {
        return Err(GitError::HashOnly { snapshot: loaded.id });
    }
    let hash = repository.gix.object_hash();
    let mut writer = ObjectWriter::new(Arc::clone(fs), &repository.objects(), hash)?;
    let mut files = Files { repository, branch, request, writer: &mut writer };
    let tree = files.write()?;
    let tables = loaded.tables(request.objects)?;
    let id = loaded.id.to_string();
    let message = pages::message(&id, &loaded.snapshot, &loaded.state, &tables, request);
    let (name, seconds) = author(loaded);
    let parent = branch.head.as_ref().map(|head| head.id.0);
    let draft = Draft { tree, parent, name: &name, seconds, message: &message };
    let content = draft.content(request.signing.sign(repository, &draft.unsigned())?.as_deref());
    let commit = writer.put(ObjectType::Commit, &content)?;
    let written = writer.finish()?;
    failpoint::pass("git-objects");
    repository.move_branch(fs, branch, commit, (name.as_bytes(), seconds))?;
    failpoint::pass("git-moved");
    drop(writer);
    Ok(Committed { id: GitId(commit), objects: written.objects, bytes: written.bytes })
}

/// Who took the snapshot, as git writes names, and when the reading ended in seconds since 1970.
fn author(loaded: &LoadedSnapshot) -> (String, i64) {
    let allowed = |c: &char| !c.is_control() && !matches!(c, '<' | '>');
    let name: String = loaded.snapshot.author.chars().filter(allowed).collect();
    let name = name.trim_matches(|c: char| c.is_whitespace() || ".,:;\"\\'".contains(c));
    let name = if name.is_empty() { "unknown" } else { name };
    let micros = loaded.snapshot.read_at.last().map_or(0, |(_, end)| *end);
    (name.to_owned(), micros.div_euclid(1_000_000).max(0))
}

/// A commit object that is to be written.
struct Draft<'a> {
    tree: GitOid,
    parent: Option<GitOid>,
    name: &'a str,
    seconds: i64,
    message: &'a str,
}

impl Draft<'_> {
    fn unsigned(&self) -> Vec<u8> {
        self.content(None)
    }

    /// The commit, with a header that signs it.
    fn content(&self, signature: Option<&str>) -> Vec<u8> {
        let mut text = format!("tree {}\n", self.tree.to_hex());
        if let Some(parent) = self.parent {
            text.push_str(&format!("parent {}\n", parent.to_hex()));
        }
        for who in ["author", "committer"] {
            text.push_str(&format!("{who} {} <> {} +0000\n", self.name, self.seconds));
        }
        if let Some(signature) = signature {
            text.push_str(signature);
        }
        text.push('\n');
        text.push_str(self.message);
        text.into_bytes()
    }
}

/// The files of one commit.
struct Files<'a> {
    repository: &'a Repository,
    branch: &'a Branch,
    request: &'a CommitRequest<'a>,
    writer: &'a mut ObjectWriter,
}

/// The folders of the commit before, by their paths.
type Folders = BTreeMap<String, GitOid>;

impl Files<'_> {
    /// Writes all files; gives the folder of all.
    fn write(&mut self) -> Result<GitOid, GitError> {
        let CommitRequest { loaded, objects, content, changes, .. } = *self.request;
        let folders = match &self.branch.head {
            Some(head) => self.known(head)?,
            None => Folders::new(),
        };
        let describe = |why| GitError::NotDescribable { state: loaded.snapshot.state, why };
        let what = if content == Content::Rows { ROWS } else { MANIFEST_ONLY };
        let (snapshot, state) = (&loaded.snapshot, &loaded.state);
        let manifest = Manifest::new(loaded.id, snapshot, state, objects.hasher(), what);
        let manifest = manifest.and_then(|manifest| manifest.to_text()).map_err(describe)?;
        let tables = loaded.tables(objects)?;
        let mut root = Folder::default();
        for (path, text) in [
            ("README.md", pages::README),
            (".gitattributes", pages::ATTRIBUTES),
            (MANIFEST, &manifest),
            ("changes.md", &changes.page),
            ("tables.tsv", &pages::tables(&tables)),
        ] {
            self.text(&mut root, path, text)?;
        }
        for (path, text) in
            schema_files::files(&loaded.definitions(objects)?, &loaded.facts(objects)?)
        {
            self.text(&mut root, &format!("schema/{path}"), &text)?;
        }
        for table in &tables {
            let folder = format!("tables/{}", names::file_name(&table.spec.name));
            let file = TableFile::new(&table.spec).to_text().map_err(describe)?;
            self.text(&mut root, &format!("{folder}/table.toml"), &file)?;
            if content == Content::Rows {
                let path = format!("{folder}/rows");
                let before = self.table_before(table, folders.get(&path).copied())?;
                let plan = plan(&table.spec)?;
                self.rows(&mut root, &path, &plan, table.rows, before)?;
            }
        }
        if content == Content::Rows {
            self.lists(&mut root, &folders)?;
        }
        root.write(self.writer)
    }

    fn text(&mut self, root: &mut Folder, path: &str, text: &str) -> Result<(), GitError> {
        let id = self.writer.put(ObjectType::Blob, text.as_bytes())?;
        let is_new = root.insert_blob(path, id);
        is_new.then_some(()).ok_or_else(|| GitError::Collision { what: path.to_owned() })
    }

    /// Tells the writer which objects the commit before holds, apart from those of rows; gives its
    /// folders by their paths.
    fn known(&mut self, head: &CommitInfo) -> Result<Folders, GitError> {
        self.writer.know(head.raw.tree);
        let mut folders = Folders::new();
        let mut waiting = vec![(String::new(), head.entries.clone())];
        while let Some((path, entries)) = waiting.pop() {
            for entry in entries {
                self.writer.know(entry.id);
                if !entry.is_folder {
                    continue;
                }
                let path = format!("{path}{}", entry.name);
                folders.insert(path.clone(), entry.id);
                if entry.name != "rows" && path != "catalog" {
                    let missing = || GitError::Missing { commit: head.shown(), path: path.clone() };
                    let below = self.repository.folder(entry.id)?.ok_or_else(missing)?;
                    waiting.push((format!("{path}/"), below));
                }
                if path == "catalog" {
                    for list in self.repository.folder(entry.id)?.unwrap_or_default() {
                        folders.insert(format!("catalog/{}", list.name), list.id);
                    }
                }
            }
        }
        Ok(folders)
    }

    /// The table in the commit before, where that is at hand and has rows.
    fn table_before(
        &self,
        table: &StoredTable,
        folder: Option<GitOid>,
    ) -> Result<Option<Before>, GitError> {
        let (Some(before), Some(folder)) = (self.request.before, folder) else { return Ok(None) };
        let objects = self.request.objects;
        let name = &table.spec.name;
        let ids = before.table_ids(objects)?;
        let Ok(at) = ids.binary_search_by(|(other, _)| other.cmp(name)) else { return Ok(None) };
        let stored = crate::tree::state::load_table(objects, &ids[at].1)?;
        Ok(Some(Before { root: stored.rows, plan: plan(&stored.spec)?.0, folder }))
    }

    fn rows(
        &mut self,
        root: &mut Folder,
        path: &str,
        plan: &Planned,
        rows: TreeRoot,
        before: Option<Before>,
    ) -> Result<(), GitError> {
        let mut files = ChunkFiles {
            repository: self.repository,
            objects: self.request.objects,
            writer: self.writer,
        };
        match files.write(&plan.0, &plan.1, rows, before)? {
            None => Ok(()),
            Some(id) if root.insert_tree(path, id) => Ok(()),
            Some(_) => Err(GitError::Collision { what: path.to_owned() }),
        }
    }

    /// The lists of the state: facts and tables, and the definitions beside them.
    fn lists(&mut self, root: &mut Folder, folders: &Folders) -> Result<(), GitError> {
        let of = |loaded: &LoadedSnapshot| {
            let (state, snapshot) = (&loaded.state, &loaded.snapshot);
            [state.facts, state.tables, snapshot.definitions]
        };
        let before = self.request.before.map(of);
        for (at, (list, plan)) in lists()?.into_iter().enumerate() {
            let path = format!("catalog/{list}");
            let before = match (before, folders.get(&path)) {
                (Some(roots), Some(&folder)) => {
                    Some(Before { root: roots[at], plan: Arc::clone(&plan.0), folder })
                }
                _ => None,
            };
            self.rows(root, &path, &plan, of(self.request.loaded)[at], before)?;
        }
        Ok(())
    }
}

/// How the rows of a table look, and the names of its key's columns.
pub(super) type Planned = (Arc<TreePlan>, Vec<String>);

/// How the rows of a table look.
pub(super) fn plan(spec: &TableSpec) -> Result<Planned, GitError> {
    let plan = TreePlan::new(spec, StoreMode::Full).map_err(StateError::from)?;
    let key = spec.key.column_names().into_iter().map(str::to_owned).collect();
    Ok((plan.shared(), key))
}

/// The lists of a state, by the names of their folders.
pub(super) fn lists() -> Result<[(&'static str, Planned); 3], GitError> {
    let tables = catalog::tables_spec();
    let column = tables.place("table").expect("the format's own column");
    let plan_of_tables = TreePlan::new(&tables, StoreMode::Full).map_err(StateError::from)?;
    let key = tables.key.column_names().into_iter().map(str::to_owned).collect();
    Ok([
        ("facts", plan(&catalog::facts_spec())?),
        ("tables", (plan_of_tables.with_table_column(column).shared(), key)),
        ("definitions", plan(&catalog::definitions_spec())?),
    ])
}
