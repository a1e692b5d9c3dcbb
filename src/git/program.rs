//! What git itself has to do: sending branches, and getting them.

use std::path::Path;
use std::process::{Command, Stdio};

use super::branch::BranchName;
use super::error::GitError;
use super::repository::Repository;

/// Sends a branch to a remote. Where the remote has what this branch has not, git refuses.
pub fn push(
    repository: &Repository,
    remote: &str,
    branches: &[BranchName],
) -> Result<(), GitError> {
    run_git(repository, &["push"], remote, &specs(branches))
}

/// Gets the branches of a remote: what it has under `deepdiff/` moves here, forward only.
pub fn fetch(
    repository: &Repository,
    remote: &str,
    branches: &[BranchName],
) -> Result<(), GitError> {
    let mut specs = specs(branches);
    if specs.is_empty() {
        specs.push("refs/heads/deepdiff/*:refs/heads/deepdiff/*".to_owned());
    }
    run_git(repository, &["fetch", "--no-tags"], remote, &specs)
}

/// Each branch under the same name there, without force.
fn specs(branches: &[BranchName]) -> Vec<String> {
    let spec = |branch: &BranchName| {
        let name = format!("refs/heads/{}", branch.shown());
        format!("{name}:{name}")
    };
    branches.iter().map(spec).collect()
}

fn run_git(
    repository: &Repository,
    words: &[&str],
    remote: &str,
    specs: &[String],
) -> Result<(), GitError> {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository.gix.git_dir());
    command.args(words).arg("--").arg(remote).args(specs);
    // What git says, and asks (a password), is between it and the person.
    let status = command
        .status()
        .map_err(|source| GitError::NoProgram { program: "git".to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(GitError::ProgramFailed {
        program: format!("git {}", words.join(" ")),
        status: status.to_string(),
        said: "its own words stand above; nothing was changed by force".to_owned(),
    })
}

/// Runs a program with an input; gives what it prints.
pub(super) fn run(program: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
    let no_program = |source| GitError::NoProgram { program: program.to_owned(), source };
    let mut child = Command::new(Path::new(program))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(no_program)?;
    // What is signed is a commit of a few hundred bytes: no pipe is filled by it. A program that
    // closes its input says why on its own.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = std::io::Write::write_all(&mut stdin, input);
    }
    let output = child.wait_with_output().map_err(no_program)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().rev().take(3).collect();
    Err(GitError::ProgramFailed {
        program: program.to_owned(),
        status: output.status.to_string(),
        said: said.into_iter().rev().collect::<Vec<_>>().join("; "),
    })
}
