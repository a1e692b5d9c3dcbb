//! `git`: snapshots as commits, commits as snapshots, and `git:REV` wherever a snapshot is named.

pub mod args;
mod changes;
mod passing;
mod textconv;

use std::io::Write;

use serde_json::json;

pub use passing::PassingStore;
pub use textconv::textconv;

use self::args::{GitArgs, GitCommand, GitCommitArgs, GitImportArgs, GitLogArgs, GitRemoteArgs};
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::names::require_no_tag;
use super::revision::{Revision, shown};
use super::snapshot::bytes;
use crate::codec::HashAlgorithm;
use crate::diff::LoadedSnapshot;
use crate::diff::history::Trail;
use crate::git::{
    self, Branch, BranchName, CommitInfo, CommitRequest, Content, Repository, Signing,
};
use crate::model::SnapshotId;
use crate::report::stat::plural;
use crate::report::value::visible;
use crate::snapshot::take::now;
use crate::store::{Expected, Moment, Move, Reader, RefName, Store};

/// What the name of a commit begins with where a snapshot is asked for.
pub const PREFIX: &str = "git:";

/// Runs one of the commands.
pub fn run(context: &Context, args: &GitArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    match &args.command {
        GitCommand::Commit(args) => commit(context, args, out),
        GitCommand::Import(args) => import(context, args, out),
        GitCommand::Log(args) => log(context, args, out),
        GitCommand::Push(args) => push(context, args, out),
        GitCommand::Fetch(args) => fetch(context, args, out),
        GitCommand::Textconv(_) => textconv(args, out),
    }
}

fn commit(context: &Context, args: &GitCommitArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let reader = store.reader()?;
    let loaded = context.snapshot(&reader, &args.snapshot)?;
    let repository = Repository::open(args.repo.as_deref())?;
    let name = branch_name(context, args, &store, &loaded)?;
    let branch = repository.branch(name)?;
    let content = if args.manifest_only { Content::ManifestOnly } else { Content::Rows };
    if let Some(head) = &branch.head
        && head.snapshot == loaded.id
        && head.has_rows == (content == Content::Rows)
    {
        return said_committed(context, out, &branch, head.id, &loaded, None);
    }
    if loaded.snapshot.is_hash_only {
        return Err(git::GitError::HashOnly { snapshot: loaded.id }.into());
    }
    let before = match &branch.head {
        Some(head) => Before::of(&repository, head, &store, &reader)?,
        None => Before::Nothing,
    };
    let access = super::diff::access(&store, &reader);
    let changes = changes::since(&reader, &access, &before, &loaded, content)?;
    let request = CommitRequest {
        loaded: &loaded,
        objects: &reader,
        before: before.loaded(),
        content,
        changes: &changes,
        message: args.message.as_deref(),
        signing: if args.sign { Signing::Always } else { Signing::AsConfigured },
    };
    let committed = git::commit(&repository, &branch, store.file_system(), &request)?;
    let written = Some((committed.objects, committed.bytes));
    said_committed(context, out, &branch, committed.id, &loaded, written)
}

/// What is known of the snapshot of a branch's head.
enum Before {
    /// There is none.
    Nothing,
    /// It is at hand.
    At(Box<LoadedSnapshot>),
    /// Its rows are neither in the store nor in the commit.
    Gone(SnapshotId),
}

impl Before {
    fn of(
        repository: &Repository,
        head: &CommitInfo,
        store: &Store,
        reader: &Reader,
    ) -> Result<Before, CliError> {
        if !reader.has(&head.snapshot.0)? {
            if !head.has_rows {
                return Ok(Before::Gone(head.snapshot));
            }
            git::import(repository, head, store)?;
            reader.refresh()?;
        }
        Ok(Before::At(Box::new(LoadedSnapshot::load(reader, head.snapshot)?)))
    }

    fn loaded(&self) -> Option<&LoadedSnapshot> {
        match self {
            Before::At(loaded) => Some(loaded),
            Before::Nothing | Before::Gone(_) => None,
        }
    }
}

/// The branch that was named, or that of the ref by which the snapshot was.
fn branch_name(
    context: &Context,
    args: &GitCommitArgs,
    store: &Store,
    loaded: &LoadedSnapshot,
) -> Result<BranchName, CliError> {
    if let Some(name) = &args.branch {
        return Ok(BranchName::new(name)?);
    }
    let base = Revision::parse(&args.snapshot).map(|revision| revision.base).unwrap_or_default();
    let label = &loaded.snapshot.source.label;
    for name in [&base, label] {
        let is_ref = match RefName::new(name) {
            Ok(name) => store.reference(&name)?.is_some(),
            Err(_) => false,
        };
        if is_ref || context.config.sources.contains_key(name) {
            return Ok(BranchName::new(name)?);
        }
    }
    Err(CliError::usage(format!("`{}` is no ref that a branch could be named by", args.snapshot))
        .hint("name the branch with --branch NAME"))
}

fn said_committed(
    context: &Context,
    out: &mut dyn Write,
    branch: &Branch,
    commit: git::GitId,
    loaded: &LoadedSnapshot,
    written: Option<(u64, u64)>,
) -> Result<Exit, CliError> {
    let name = branch.name.shown();
    let (objects, size) = written.unwrap_or_default();
    if context.global.json {
        let object = json!({
            "outcome": if written.is_some() { "committed" } else { "already-there" },
            "commit": commit.to_string(),
            "branch": name,
            "snapshot": loaded.id.to_string(),
            "objects": objects,
            "bytes": size,
        });
        writeln!(out, "{object}")?;
    } else if written.is_some() {
        writeln!(out, "committed snapshot {} on {name} as {}", loaded.id.short(), commit.short())?;
        writeln!(out, "  {}, {}", plural(objects, "new object"), bytes(size))?;
    } else {
        let commit = commit.short();
        writeln!(out, "snapshot {} is the head of {name} already ({commit})", loaded.id.short())?;
    }
    Ok(Exit::Done)
}

fn import(context: &Context, args: &GitImportArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let repository = Repository::open(args.repo.as_deref())?;
    let commit = repository.commit_info(repository.resolve(&args.revision)?)?;
    let named = match &args.reference {
        Some(name) => Some(RefName::new(name)?),
        None => branch_of(&repository, &args.revision)?,
    };
    if let Some(name) = &named {
        require_no_tag(&store, name)?;
        let found = store.reference(name)?;
        if found.is_some_and(|found| found != commit.snapshot) && args.reference.is_none() {
            let message = format!("the ref `{}` names another snapshot", name.as_str());
            return Err(CliError::new(Exit::Refused, message)
                .hint(format!("move it with --ref {}, or choose another name", name.as_str())));
        }
    }
    let imported = git::import(&repository, &commit, &store)?;
    if let Some(name) = &named {
        let expected = store.reference(name)?.map_or(Expected::Absent, Expected::At);
        let (who, when) = (Context::author(), Moment(now()));
        let message = format!("imported from git commit {}", commit.id.short());
        let change = Move { name, expected, who: &who, message: &message, when };
        imported.writer.publish(imported.id, &change)?;
    }
    let name = named.as_ref().map(RefName::as_str);
    if context.global.json {
        let object = json!({
            "snapshot": imported.id.to_string(),
            "commit": commit.id.to_string(),
            "ref": name,
            "tables": imported.tables,
            "rows": imported.rows,
        });
        writeln!(out, "{object}")?;
        return Ok(Exit::Done);
    }
    let (id, commit) = (imported.id.short(), commit.id.short());
    let named = name.map_or_else(|| " (no ref names it)".to_owned(), |name| format!(" as {name}"));
    writeln!(out, "imported snapshot {id}{named} from commit {commit}")?;
    let tables = u64::try_from(imported.tables).expect("a number of tables fits");
    writeln!(out, "  {}, {}", plural(tables, "table"), plural(imported.rows, "row"))?;
    Ok(Exit::Done)
}

/// The ref that the head of a branch is imported as.
fn branch_of(repository: &Repository, revision: &str) -> Result<Option<RefName>, CliError> {
    let Ok(name) = BranchName::new(revision) else { return Ok(None) };
    let is_branch = repository.branches()?.contains(&name);
    Ok(if is_branch { Some(RefName::new(name.short())?) } else { None })
}

fn log(context: &Context, args: &GitLogArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let repository = Repository::open(args.repo.as_deref())?;
    let starts = match &args.revision {
        Some(revision) => vec![revision.clone()],
        None => repository.branches()?.iter().map(BranchName::shown).collect(),
    };
    let mut list = Vec::new();
    for start in &starts {
        if !context.global.json && starts.len() > 1 {
            writeln!(out, "{start}")?;
        }
        let mut next = Some(repository.resolve(start)?);
        let mut printed = 0;
        while let Some(id) = next.filter(|_| args.limit.is_none_or(|limit| printed < limit)) {
            let commit = repository.commit_info(id)?;
            printed += 1;
            if context.global.json {
                list.push(json!({
                    "commit": commit.id.to_string(),
                    "branch": start,
                    "snapshot": commit.snapshot.to_string(),
                    "read_at": commit.read_at,
                    "summary": commit.summary,
                    "rows": commit.has_rows,
                }));
            } else {
                let rows = if commit.has_rows { "" } else { " (without rows)" };
                writeln!(
                    out,
                    "{} {} {} {}{rows}",
                    commit.id.short(),
                    commit.snapshot.short(),
                    shown(commit.read_at),
                    visible(&commit.summary),
                )?;
            }
            next = commit.before();
        }
    }
    if context.global.json {
        writeln!(out, "{}", json!({ "commits": list }))?;
    } else if starts.is_empty() {
        writeln!(out, "no branch of snapshots yet")?;
    }
    Ok(Exit::Done)
}

fn push(context: &Context, args: &GitRemoteArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let repository = Repository::open(args.repo.as_deref())?;
    let mut branches = named_branches(args)?;
    if branches.is_empty() {
        branches = repository.branches()?;
    }
    if branches.is_empty() {
        return Err(CliError::usage("there is no branch of snapshots to push")
            .hint("commit a snapshot first: deepdiff-db git commit SNAPSHOT"));
    }
    git::push(&repository, &args.remote, &branches)?;
    let names: Vec<String> = branches.iter().map(BranchName::shown).collect();
    told(context, out, "pushed", &args.remote, &names)
}

fn fetch(context: &Context, args: &GitRemoteArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let repository = Repository::open(args.repo.as_deref())?;
    git::fetch(&repository, &args.remote, &named_branches(args)?)?;
    let names: Vec<String> = repository.branches()?.iter().map(BranchName::shown).collect();
    told(context, out, "fetched", &args.remote, &names)
}

fn named_branches(args: &GitRemoteArgs) -> Result<Vec<BranchName>, CliError> {
    Ok(args.branches.iter().map(|name| BranchName::new(name)).collect::<Result<_, _>>()?)
}

fn told(
    context: &Context,
    out: &mut dyn Write,
    outcome: &str,
    remote: &str,
    names: &[String],
) -> Result<Exit, CliError> {
    if context.global.json {
        writeln!(out, "{}", json!({"outcome": outcome, "branches": names}))?;
    } else {
        writeln!(out, "{outcome} {} ({})", names.join(", "), visible(remote))?;
    }
    Ok(Exit::Done)
}

/// The hash function of the snapshot of a commit, by its name with the prefix.
pub fn hash_of(text: &str) -> Result<HashAlgorithm, CliError> {
    let repository = Repository::open(None)?;
    let revision = text.strip_prefix(PREFIX).unwrap_or(text);
    Ok(repository.commit_info(repository.resolve(revision)?)?.hash()?.0)
}

/// The snapshots that branches of the repository around the working directory hold, each with the
/// branch.
pub fn committed() -> Result<Vec<(String, SnapshotId)>, CliError> {
    let repository = Repository::open(None)?;
    let mut found = Vec::new();
    for branch in repository.branches()? {
        let name = format!("git branch {}", branch.shown());
        let mut next = Some(repository.resolve(&branch.shown())?);
        while let Some(id) = next {
            let commit = repository.commit_info(id)?;
            found.push((name.clone(), commit.snapshot));
            next = commit.before();
        }
    }
    Ok(found)
}

/// The snapshots of a commit and of those before it, the newest first. One that is neither in the store
/// nor in its commit with its rows ends them.
pub fn trail(reader: &Reader, revision: &str) -> Result<Trail, CliError> {
    let repository = Repository::open(None)?;
    let mut trail = Trail { snapshots: Vec::new(), gone: None };
    let mut next = Some(repository.resolve(revision)?);
    while let Some(id) = next {
        let commit = repository.commit_info(id)?;
        if !commit.has_rows && !reader.has(&commit.snapshot.0)? {
            trail.gone = Some(commit.snapshot);
            break;
        }
        trail.snapshots.push(loaded(&repository, &commit, reader)?);
        next = commit.before();
    }
    Ok(trail)
}

/// The snapshot of a commit of the repository around the working directory. Where the store has not got
/// it, it is imported; no ref names it.
pub fn snapshot(reader: &Reader, revision: &str) -> Result<LoadedSnapshot, CliError> {
    let repository = Repository::open(None)?;
    let commit = repository.commit_info(repository.resolve(revision)?)?;
    loaded(&repository, &commit, reader)
}

fn loaded(
    repository: &Repository,
    commit: &CommitInfo,
    reader: &Reader,
) -> Result<LoadedSnapshot, CliError> {
    if !reader.has(&commit.snapshot.0)? {
        git::import(repository, commit, reader.store())?;
        reader.refresh()?;
    }
    Ok(LoadedSnapshot::load(reader, commit.snapshot)?)
}
