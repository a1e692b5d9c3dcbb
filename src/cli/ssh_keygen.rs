//! OpenSSH's `ssh-keygen`, which makes and checks signatures: this program reads no private key.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::error::CliError;
use super::exit::Exit;

/// What the signatures are for, so that one made for something else is none.
const NAMESPACE: &str = "deepdiff-db";

/// A path as an argument, which is no option whatever it begins with.
fn path_argument(path: &Path) -> std::path::PathBuf {
    if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() }
}

/// Runs `ssh-keygen -Y`, with a text as its input.
fn run(command: &mut Command, input: &str, stderr: Stdio) -> Result<Output, CliError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            CliError::new(Exit::CouldNot, "there is no program `ssh-keygen` to sign or check with")
                .hint("install OpenSSH 8.2 or later")
        }
        _ => CliError::because(Exit::CouldNot, "cannot run `ssh-keygen`", error),
    };
    let mut child = command
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // It did not want to read; how it ended says why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written.map_err(failed)?,
        }
    }
    child.wait_with_output().map_err(failed)
}

/// Signs a text with the key in a file, or with the agent's key of a public one.
pub(super) fn sign(key: &Path, text: &str) -> Result<Vec<u8>, CliError> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(path_argument(key));
    // It may ask for a passphrase; what it says is for whoever signs.
    let output = run(&mut command, text, Stdio::inherit())?;
    if output.status.success() && output.stdout.starts_with(b"-----BEGIN SSH SIGNATURE-----") {
        return Ok(output.stdout);
    }
    let message = format!("`ssh-keygen` did not sign with the key {}", key.display());
    Err(CliError::new(Exit::CouldNot, message).hint(
        "name a private key, or a public one whose private key an agent has, with --key FILE",
    ))
}

/// What a signature is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Worth {
    /// One of these whose keys are trusted made it.
    Good {
        /// Who, as the file of trusted keys calls them.
        principals: Vec<String>,
    },
    /// It is one of the text, by a key that is not trusted.
    Untrusted {
        /// What ssh-keygen said of the key.
        key: String,
    },
    /// It is none of the text.
    Bad {
        /// What ssh-keygen said.
        why: String,
    },
}

/// Judges the signature in a file.
pub(super) fn judge(signature: &Path, text: &str, allowed: &Path) -> Result<Worth, CliError> {
    let signature = path_argument(signature);
    let call = |mode: &str, more: &[&std::ffi::OsStr]| {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", mode, "-n", NAMESPACE, "-s"]).arg(&signature).args(more);
        run(&mut command, text, Stdio::piped())
    };
    let intact = call("check-novalidate", &[])?;
    if !intact.status.success() {
        let said = format!(
            "{} {}",
            String::from_utf8_lossy(&intact.stdout).trim(),
            String::from_utf8_lossy(&intact.stderr).trim()
        );
        return Ok(Worth::Bad { why: said.trim().replace(['\r', '\n'], " ") });
    }
    let allowed = path_argument(allowed);
    let found = call("find-principals", &["-f".as_ref(), allowed.as_os_str()])?;
    let listed = String::from_utf8_lossy(&found.stdout).into_owned();
    let mut principals = Vec::new();
    for principal in listed.lines().flat_map(|line| line.split(',')).map(str::trim) {
        let more = ["-f".as_ref(), allowed.as_os_str(), "-I".as_ref(), principal.as_ref()];
        if !principal.is_empty() && call("verify", &more)?.status.success() {
            principals.push(principal.to_owned());
        }
    }
    if !principals.is_empty() {
        return Ok(Worth::Good { principals });
    }
    let said = String::from_utf8_lossy(&intact.stdout);
    let key = said.trim().rsplit_once(" with ").map_or("a key", |(_, key)| key);
    Ok(Worth::Untrusted { key: key.to_owned() })
}
