//! Signatures of commits, as the user's git configuration says: `gpg.format`, `user.signingkey`,
//! `commit.gpgsign`, and the programs `gpg.program` and `gpg.ssh.program`.

use super::error::GitError;
use super::program;
use super::repository::Repository;

/// Whether a commit is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// Where the configuration says so (`commit.gpgsign`).
    AsConfigured,
    /// In any case.
    Always,
}

impl Signing {
    /// The header that signs a commit of this content; none where it is not signed.
    pub(super) fn sign(
        self,
        repository: &Repository,
        content: &[u8],
    ) -> Result<Option<String>, GitError> {
        let config = repository.gix.config_snapshot();
        let is_wanted = self == Signing::Always || config.boolean("commit.gpgsign") == Some(true);
        if !is_wanted {
            return Ok(None);
        }
        let setting = |key: &str| config.string(key).map(|value| value.to_string());
        let format = setting("gpg.format").unwrap_or_else(|| "openpgp".to_owned());
        let key = setting("user.signingkey");
        let signature = match format.as_str() {
            "openpgp" => {
                let program = setting("gpg.openpgp.program").or_else(|| setting("gpg.program"));
                let program = program.unwrap_or_else(|| "gpg".to_owned());
                let key = match key {
                    Some(key) => key,
                    None => committer(repository)?,
                };
                program::run(&program, &["--status-fd=2", "-bsau", &key], content)?
            }
            "ssh" => {
                let program = setting("gpg.ssh.program").unwrap_or_else(|| "ssh-keygen".to_owned());
                let key = key.ok_or_else(|| refused("user.signingkey names no key"))?;
                if key.starts_with("key::") || key.starts_with("ssh-") || key.starts_with("ecdsa-")
                {
                    return Err(refused(
                        "user.signingkey holds a key itself, and only the path of a key file can be \
                         used",
                    ));
                }
                let path = expanded(&key)?;
                program::run(&program, &["-Y", "sign", "-n", "git", "-f", &path], content)?
            }
            other => return Err(refused(&format!("gpg.format `{other}` is not supported"))),
        };
        let signature = String::from_utf8(signature)
            .map_err(|_| refused("the program printed something that is no text"))?;
        if !signature.starts_with("-----BEGIN ") {
            return Err(refused("the program printed no signature"));
        }
        let name = match repository.gix.object_hash() {
            gix::hash::Kind::Sha1 => "gpgsig",
            _ => "gpgsig-sha256",
        };
        // The lines of a header that has several begin with a blank.
        let lines: Vec<&str> = signature.trim_end().lines().collect();
        Ok(Some(format!("{name} {}\n", lines.join("\n "))))
    }
}

fn refused(why: &str) -> GitError {
    GitError::Signing { why: why.to_owned() }
}

/// Whom gpg shall look for where no key is named.
fn committer(repository: &Repository) -> Result<String, GitError> {
    match repository.gix.committer() {
        Some(Ok(who)) => Ok(format!("{} <{}>", who.name, who.email)),
        _ => Err(refused("neither user.signingkey nor user.name and user.email are set")),
    }
}

/// A path that may begin with `~/`.
fn expanded(path: &str) -> Result<String, GitError> {
    let Some(rest) = path.strip_prefix("~/") else { return Ok(path.to_owned()) };
    let home = std::env::var("HOME").map_err(|_| refused("there is no HOME for the key's `~`"))?;
    Ok(format!("{home}/{rest}"))
}
