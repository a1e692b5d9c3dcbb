//! The command line of `git`, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `git`
#[derive(Debug, Args)]
pub struct GitArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: GitCommand,
}

impl GitArgs {
    /// Whether this needs neither a configuration nor a store.
    pub fn is_textconv(&self) -> bool {
        matches!(self.command, GitCommand::Textconv(_))
    }
}

/// What `git` does.
#[derive(Debug, Subcommand)]
pub enum GitCommand {
    /// Commit a snapshot on the branch `deepdiff/NAME`. Work tree, index and HEAD stay as they are.
    Commit(GitCommitArgs),
    /// Read the snapshot of a commit into the store, with the ids that it had.
    Import(GitImportArgs),
    /// List the commits of a branch with their snapshots, newest first.
    Log(GitLogArgs),
    /// Send branches of snapshots to a remote (needs git).
    Push(GitRemoteArgs),
    /// Get the branches of snapshots of a remote (needs git).
    Fetch(GitRemoteArgs),
    /// Print the rows of a `.chunk` file; git runs this (`diff.deepdiff.textconv`).
    Textconv(GitTextconvArgs),
}

/// `git commit`
#[derive(Debug, Args)]
pub struct GitCommitArgs {
    /// A ref, tag, id, `ref~n` or `ref@date`.
    pub snapshot: String,
    /// The repository; by default that around the working directory.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// The branch is `deepdiff/NAME`; by default the ref that names the snapshot.
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Leave the rows out: for what is confidential, or large. Such a commit cannot be imported.
    #[arg(long)]
    pub manifest_only: bool,
    /// What to say, instead of the snapshot's message.
    #[arg(long, short)]
    pub message: Option<String>,
    /// Sign the commit as git is configured to (`gpg.format`, `user.signingkey`). Without it, it is
    /// signed where `commit.gpgsign` says so.
    #[arg(long)]
    pub sign: bool,
}

/// `git import`
#[derive(Debug, Args)]
pub struct GitImportArgs {
    /// A branch (with or without `deepdiff/`), a tag, or the id of a commit; with `~n` the n-th before.
    pub revision: String,
    /// The repository; by default that around the working directory.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// The ref to set; by default the branch's name, where a branch is imported. It must not name
    /// another snapshot.
    #[arg(long = "ref", value_name = "NAME")]
    pub reference: Option<String>,
}

/// `git log`
#[derive(Debug, Args)]
pub struct GitLogArgs {
    /// Where to begin: a branch or a commit; by default all branches under `deepdiff/`.
    pub revision: Option<String>,
    /// The repository; by default that around the working directory.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// At most this many of each branch.
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<usize>,
}

/// `git push`, `git fetch`
#[derive(Debug, Args)]
pub struct GitRemoteArgs {
    /// The remote: its name in the repository, a path or a URL.
    pub remote: String,
    /// The branches, with or without `deepdiff/`; by default all under `deepdiff/`.
    pub branches: Vec<String>,
    /// The repository; by default that around the working directory.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
}

/// `git textconv`
#[derive(Debug, Args)]
pub struct GitTextconvArgs {
    /// The file.
    pub file: PathBuf,
}
