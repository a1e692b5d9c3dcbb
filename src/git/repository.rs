//! A git repository that is read: opened only where its owner is trusted, and no object believed that
//! does not have the id it was asked for by.

use std::fmt;
use std::path::{Path, PathBuf};

use gix::hash::ObjectId as GitOid;
use gix::sec::trust::Mapping;

use super::error::GitError;
use super::pack_file::{ObjectType, object_id};

/// No object that a commit of ours needs is longer: the longest of a store.
const LONGEST: u64 = 64 << 20;

/// A repository.
pub struct Repository {
    pub(super) gix: gix::Repository,
}

/// The id of an object of a git repository.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GitId(pub(super) GitOid);

impl GitId {
    /// The first digits, as shown to people.
    pub fn short(&self) -> String {
        self.0.to_hex_with_len(10).to_string()
    }
}

impl fmt::Display for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_hex().fmt(f)
    }
}

impl fmt::Debug for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// An entry of a folder in git.
#[derive(Debug, Clone)]
pub(super) struct FolderEntry {
    pub(super) name: String,
    pub(super) is_folder: bool,
    pub(super) id: GitOid,
}

impl Repository {
    /// Opens the repository around a folder; without one that around the working directory, or the
    /// one that git's own variables name.
    pub fn open(dir: Option<&Path>) -> Result<Repository, GitError> {
        let start = dir.unwrap_or(Path::new("."));
        let strict = || gix::open::Options::default().bail_if_untrusted(true);
        let trust = Mapping { full: strict(), reduced: strict() };
        let opened = match dir {
            Some(dir) => gix::ThreadSafeRepository::discover_opts(
                dir,
                gix::discover::upwards::Options::default(),
                trust,
            ),
            None => gix::ThreadSafeRepository::discover_with_environment_overrides_opts(
                start,
                gix::discover::upwards::Options::default(),
                trust,
            ),
        };
        let gix = match opened {
            Ok(opened) => opened.to_thread_local(),
            Err(source) => return Err(cannot_open(start, source)),
        };
        let repository = Repository { gix };
        let storage = repository.gix.config_snapshot().string("extensions.refStorage");
        if let Some(storage) = storage.filter(|storage| storage != "files") {
            let path = repository.path();
            let why = format!("its refs are kept as {storage}, and only files can be written");
            return Err(GitError::Unsupported { path, why });
        }
        Ok(repository)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.gix.workdir().unwrap_or(self.gix.git_dir()).to_owned()
    }

    /// The folder of its objects.
    pub(super) fn objects(&self) -> PathBuf {
        self.gix.objects.store_ref().path().to_owned()
    }

    /// The content of an object; `None` where it is missing. One that is too long, of another kind, or
    /// not what its id says is an error.
    pub(super) fn read(&self, object: ObjectType, id: GitOid) -> Result<Option<Vec<u8>>, GitError> {
        let verb = || format!("read object {}", id.to_hex());
        let failed = |source| GitError::repository(verb(), source);
        let Some(header) = self.gix.try_find_header(id).map_err(failed)? else { return Ok(None) };
        let wrong = |why: String| GitError::repository(verb(), why);
        if header.size() > LONGEST {
            return Err(wrong(format!("it has {} bytes, more than any of ours", header.size())));
        }
        let Some(found) = self.gix.try_find_object(id).map_err(failed)? else { return Ok(None) };
        let content = found.detach().data;
        if object_id(self.gix.object_hash(), object, &content)? != id {
            return Err(wrong("it is damaged, or of another kind than expected".to_owned()));
        }
        Ok(Some(content))
    }

    /// The entries of a folder; `None` where it is missing. Names that are not UTF-8 are none of ours
    /// and left out, and so is what is neither a file nor a folder.
    pub(super) fn folder(&self, id: GitOid) -> Result<Option<Vec<FolderEntry>>, GitError> {
        let Some(content) = self.read(ObjectType::Tree, id)? else { return Ok(None) };
        let tree = gix::objs::TreeRef::from_bytes(&content, self.gix.object_hash())
            .map_err(|error| GitError::repository(format!("read folder {}", id.to_hex()), error))?;
        let entries = tree.entries.iter().filter_map(|entry| {
            let name = std::str::from_utf8(entry.filename).ok()?.to_owned();
            let is_folder = entry.mode.is_tree();
            (is_folder || entry.mode.is_blob()).then(|| FolderEntry {
                name,
                is_folder,
                id: entry.oid.to_owned(),
            })
        });
        Ok(Some(entries.collect()))
    }

    /// A commit.
    pub(super) fn commit(&self, id: GitOid) -> Result<RawCommit, GitError> {
        let missing = || GitError::Missing {
            commit: id.to_hex().to_string(),
            path: "the commit itself".to_owned(),
        };
        let content = self.read(ObjectType::Commit, id)?.ok_or_else(missing)?;
        let verb = || format!("read commit {}", id.to_hex());
        let commit = gix::objs::CommitRef::from_bytes(&content, self.gix.object_hash())
            .map_err(|error| GitError::repository(verb(), error))?;
        Ok(RawCommit {
            tree: commit.tree(),
            parents: commit.parents().collect(),
            message: commit.message.to_string(),
        })
    }

    /// The commit that a text names: a branch (with or without `deepdiff/`), a tag, or an id of at
    /// least four digits, with `~n` behind it for the n-th before.
    pub fn resolve(&self, text: &str) -> Result<GitId, GitError> {
        let unknown = |why: Option<&str>| GitError::UnknownRevision {
            revision: text.to_owned(),
            why: why.map(|why| format!(": {why}")),
        };
        let (base, steps) = text.find('~').map_or((text, ""), |at| text.split_at(at));
        let mut id = self.named(base)?.ok_or_else(|| unknown(None))?;
        for step in steps.split('~').skip(1) {
            let count = match step {
                "" => 1,
                digits => digits.parse::<u32>().map_err(|_| unknown(Some("`~` needs a number")))?,
            };
            for _ in 0..count {
                let before = self.commit(id)?.parents.first().copied();
                id = before.ok_or_else(|| unknown(Some("its history is shorter")))?;
            }
        }
        Ok(GitId(id))
    }

    /// The commit of a name without steps.
    fn named(&self, base: &str) -> Result<Option<GitOid>, GitError> {
        for name in [format!("refs/heads/deepdiff/{base}"), base.to_owned()] {
            let Ok(partial) = <&gix::refs::PartialNameRef>::try_from(name.as_str()) else {
                continue;
            };
            let found = self.gix.try_find_reference(partial);
            let found = found.map_err(|e| GitError::repository(format!("look up `{name}`"), e))?;
            if let Some(mut reference) = found {
                let commit = reference.peel_to_commit();
                let commit = commit
                    .map_err(|e| GitError::repository(format!("find the commit of `{name}`"), e))?;
                return Ok(Some(commit.id));
            }
        }
        let is_id = base.len() >= 4 && base.bytes().all(|b| b.is_ascii_hexdigit());
        let Some(prefix) = is_id.then(|| gix::hash::Prefix::from_hex(base).ok()).flatten() else {
            return Ok(None);
        };
        let found = self.gix.objects.lookup_prefix(prefix, None);
        match found.map_err(|e| GitError::repository(format!("look up `{base}`"), e))? {
            Some(Ok(id)) => Ok(Some(id)),
            Some(Err(())) => Err(GitError::UnknownRevision {
                revision: base.to_owned(),
                why: Some(": several objects begin so".to_owned()),
            }),
            None => Ok(None),
        }
    }
}

/// A commit as git has it.
#[derive(Debug, Clone)]
pub(super) struct RawCommit {
    pub(super) tree: GitOid,
    pub(super) parents: Vec<GitOid>,
    pub(super) message: String,
}

fn cannot_open(start: &Path, source: gix::Error) -> GitError {
    let path = start.to_owned();
    let said: Vec<String> =
        std::iter::successors(Some(&source as &dyn std::error::Error), |error| error.source())
            .map(|error| error.to_string().to_lowercase())
            .collect();
    let says =
        |words: &[&str]| said.iter().any(|line| words.iter().any(|word| line.contains(word)));
    if says(&["safe.directory", "not trusted", "unsafe", "ownership", "owned by"]) {
        return GitError::Untrusted { path, source: source.into() };
    }
    GitError::NotARepository { path, source: source.into() }
}
