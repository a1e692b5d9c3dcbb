//! A branch of snapshots: `refs/heads/deepdiff/<name>`, moved only forward, only by compare-and-swap,
//! and never while it is checked out.

use std::path::PathBuf;
use std::sync::Arc;

use gix::hash::ObjectId as GitOid;
use gix::refs::transaction::{LogChange, PreviousValue, RefEdit};
use gix::refs::{FullName, Target};

use super::error::GitError;
use super::manifest::{MANIFEST_ONLY, Manifest};
use super::pack_file::ObjectType;
use super::repository::{FolderEntry, GitId, RawCommit, Repository};
use crate::codec::HashAlgorithm;
use crate::fsio::FileSystem;
use crate::model::SnapshotId;

/// Where the description of a snapshot is in a commit.
pub(super) const MANIFEST: &str = "snapshot.toml";

/// The name of a branch, without `deepdiff/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchName {
    short: String,
    full: FullName,
}

impl BranchName {
    /// The branch of this name; a leading `deepdiff/` is understood.
    pub fn new(name: &str) -> Result<BranchName, GitError> {
        let short = name.strip_prefix("deepdiff/").unwrap_or(name);
        let wrong = |why: String| GitError::BranchName { name: name.to_owned(), why };
        if short.is_empty() || short.starts_with('-') {
            return Err(wrong("it is empty or begins with `-`".to_owned()));
        }
        let full = FullName::try_from(format!("refs/heads/deepdiff/{short}"))
            .map_err(|error| wrong(error.to_string()))?;
        Ok(BranchName { short: short.to_owned(), full })
    }

    /// The name without `deepdiff/`.
    pub fn short(&self) -> &str {
        &self.short
    }

    /// The branch as git shows it.
    pub fn shown(&self) -> String {
        format!("deepdiff/{}", self.short)
    }
}

/// A branch and where it is.
#[derive(Debug)]
pub struct Branch {
    /// Its name.
    pub name: BranchName,
    /// Its head, where it has one.
    pub head: Option<CommitInfo>,
}

/// A commit that holds a snapshot.
#[derive(Debug, Clone)]
pub struct CommitInfo {
    /// The commit.
    pub id: GitId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// When it was read, in microseconds since 1970 UTC.
    pub read_at: i64,
    /// The first line of the commit's message.
    pub summary: String,
    /// Whether the commit holds rows.
    pub has_rows: bool,
    pub(super) raw: RawCommit,
    pub(super) manifest: Manifest,
    pub(super) entries: Vec<FolderEntry>,
}

impl CommitInfo {
    /// The id as errors name it.
    pub(super) fn shown(&self) -> String {
        self.id.short()
    }

    /// The hash function of the snapshot's ids, and whether they depend on a key besides.
    pub fn hash(&self) -> Result<(HashAlgorithm, bool), GitError> {
        self.manifest.hash().map_err(|why| GitError::Unreadable {
            commit: self.shown(),
            path: MANIFEST.to_owned(),
            source: why.into(),
        })
    }

    /// The commit before, on the same branch.
    pub fn before(&self) -> Option<GitId> {
        self.raw.parents.first().copied().map(GitId)
    }
}

impl Repository {
    /// A branch. Its head is a commit of a snapshot, or there is none; the branch is not checked out.
    pub fn branch(&self, name: BranchName) -> Result<Branch, GitError> {
        self.refuse_checked_out(&name)?;
        let head = match self.head(&name)? {
            None => None,
            Some(id) => Some(self.commit_info(GitId(id))?),
        };
        Ok(Branch { name, head })
    }

    fn head(&self, name: &BranchName) -> Result<Option<GitOid>, GitError> {
        let shown = name.shown();
        let failed = |e| GitError::repository(format!("look up branch {shown}"), e);
        let Some(reference) = self.gix.try_find_reference(&name.full).map_err(failed)? else {
            return Ok(None);
        };
        match reference.try_id() {
            Some(id) => Ok(Some(id.detach())),
            None => Err(GitError::BranchName {
                name: shown,
                why: "it is a symbolic ref to another branch".to_owned(),
            }),
        }
    }

    fn refuse_checked_out(&self, name: &BranchName) -> Result<(), GitError> {
        let failed = |e| GitError::repository("list work trees", e);
        for tree in self.gix.worktrees_including_main().map_err(failed)? {
            let tree = tree.map_err(failed)?;
            if tree.is_bare() {
                continue;
            }
            let head = tree.head_name().map_err(|e| GitError::repository("read HEAD", e))?;
            if head.is_some_and(|head| head == name.full) {
                let worktree = tree.workdir().unwrap_or(tree.git_dir()).to_owned();
                return Err(GitError::CheckedOut { branch: name.shown(), worktree });
            }
        }
        Ok(())
    }

    /// A commit of a snapshot: what its description says.
    pub fn commit_info(&self, id: GitId) -> Result<CommitInfo, GitError> {
        let not_ours = |why: &str| GitError::NotOurs { commit: id.short(), why: why.to_owned() };
        let raw = self.commit(id.0)?;
        let missing = |path: &str| GitError::Missing { commit: id.short(), path: path.to_owned() };
        let entries = self.folder(raw.tree)?.ok_or_else(|| missing("its folder"))?;
        let file = entries.iter().find(|entry| entry.name == MANIFEST && !entry.is_folder);
        let file = file.ok_or_else(|| not_ours("it has no file snapshot.toml"))?;
        let bytes = self.read(ObjectType::Blob, file.id)?.ok_or_else(|| missing(MANIFEST))?;
        let text = String::from_utf8(bytes).map_err(|_| not_ours("snapshot.toml is no text"))?;
        let unreadable = |why: String| GitError::Unreadable {
            commit: id.short(),
            path: MANIFEST.to_owned(),
            source: why.into(),
        };
        let manifest = Manifest::from_text(&text).map_err(unreadable)?;
        Ok(CommitInfo {
            id,
            snapshot: manifest.snapshot_id().map_err(unreadable)?,
            read_at: manifest.read_at(),
            summary: raw.message.lines().next().unwrap_or_default().to_owned(),
            has_rows: manifest.content != MANIFEST_ONLY,
            raw,
            manifest,
            entries,
        })
    }

    /// The branches that hold snapshots, by their names without `deepdiff/`.
    pub fn branches(&self) -> Result<Vec<BranchName>, GitError> {
        let failed = |e| GitError::repository("list branches", e);
        let platform = self.gix.references().map_err(failed)?;
        let mut names = Vec::new();
        for reference in platform.prefixed("refs/heads/deepdiff/").map_err(failed)? {
            let reference = reference.map_err(|e| GitError::repository("list branches", e))?;
            let full = reference.name().as_bstr().to_string();
            if let Some(short) = full.strip_prefix("refs/heads/deepdiff/") {
                names.push(BranchName::new(short)?);
            }
        }
        Ok(names)
    }

    /// Moves a branch from where it was found to a new commit, and makes that survive a crash.
    pub(super) fn move_branch(
        &self,
        fs: &Arc<dyn FileSystem>,
        branch: &Branch,
        to: GitOid,
        reflog: (&[u8], i64),
    ) -> Result<(), GitError> {
        self.refuse_checked_out(&branch.name)?;
        let was = branch.head.as_ref().map(|head| head.id.0);
        let expected = match was {
            Some(id) => PreviousValue::MustExistAndMatch(Target::Object(id)),
            None => PreviousValue::MustNotExist,
        };
        let log = LogChange { message: "deepdiff-db: commit".into(), ..LogChange::default() };
        let edit = RefEdit::update_with_log(branch.name.full.clone(), to, expected, log);
        let (name, seconds) = reflog;
        let time = format!("{seconds} +0000");
        let who = gix::actor::SignatureRef { name: name.into(), email: "".into(), time: &time };
        if let Err(source) = self.gix.edit_references_as(Some(edit), Some(who)) {
            let name = branch.name.shown();
            if self.head(&branch.name)? != was {
                return Err(GitError::Moved { branch: name, source: source.into() });
            }
            return Err(GitError::repository(format!("move branch {name}"), source));
        }
        self.sync_branch(fs, &branch.name)
    }

    /// Syncs the file of a branch and the folders above it, as far as refs go.
    fn sync_branch(&self, fs: &Arc<dyn FileSystem>, name: &BranchName) -> Result<(), GitError> {
        let git_dir = self.gix.common_dir().to_owned();
        let path: PathBuf = git_dir.join(name.full.as_bstr().to_string());
        fs.open(&path)?.sync()?;
        let refs = git_dir.join("refs");
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(&refs)) {
            fs.sync_dir(folder)?;
        }
        Ok(())
    }
}
