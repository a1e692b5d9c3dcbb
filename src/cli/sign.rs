//! `sign`, and the signatures of `verify`: who vouches for which snapshot.
//!
//! A signature is about a snapshot's id, and that covers all the snapshot holds; so signatures are
//! worth what `verify` finds of the objects beside them. Who is trusted stands in a file of
//! ssh-keygen's ALLOWED SIGNERS.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::config::FILE_NAME;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::ssh_keygen::{self, Worth};
use crate::model::SnapshotId;
use crate::report::value::visible;
use crate::store::Store;

/// `sign`
#[derive(Debug, Args)]
pub struct SignArgs {
    /// A ref, tag, id, `ref~n` or `ref@date`.
    pub snapshot: String,
    /// The SSH key to sign with, or its public key where an agent has it; by default that of
    /// deepdiff.toml (`[signing] key`), else the first of ~/.ssh/id_ed25519, id_ecdsa and id_rsa.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// The signatures of `verify`.
#[derive(Debug, Args)]
pub struct SignaturesArgs {
    /// Also check that snapshots are signed by somebody who is trusted: those that are given, else
    /// all that refs and tags name. The exit code is 1 where one is not.
    #[arg(long)]
    pub signatures: bool,
    /// The file of trusted keys (see ssh-keygen, ALLOWED SIGNERS); by default that of deepdiff.toml
    /// (`[signing] allowed_signers`).
    #[arg(long, value_name = "FILE", requires = "signatures")]
    pub allowed_signers: Option<PathBuf>,
}

/// A path of the configuration, which starts at the folder of its file.
fn configured(context: &Context, path: Option<&PathBuf>) -> Option<PathBuf> {
    let dir = context.config.dir.as_deref().unwrap_or(Path::new(""));
    path.map(|path| dir.join(path))
}

/// Signs a snapshot.
pub fn run(context: &Context, args: &SignArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let reader = store.reader()?;
    let id = context.snapshot(&reader, &args.snapshot)?.id;
    let configured = configured(context, context.config.signing.key.as_ref());
    let Some(key) = args.key.clone().or(configured).or_else(own_key) else {
        return Err(CliError::usage("there is no key to sign with")
            .hint(format!("name one with --key FILE, or as `key` of [signing] in {FILE_NAME}")));
    };
    if !key.is_file() {
        let message = format!("there is no key {}", key.display());
        return Err(CliError::new(Exit::CouldNot, message));
    }
    let signature = ssh_keygen::sign(&key, &Store::signed_text(id))?;
    store.add_signature(id, &signature)?;
    if context.global.json {
        writeln!(out, "{}", json!({"snapshot": id.to_string(), "key": key.display().to_string()}))?;
    } else {
        writeln!(out, "signed snapshot {} with {}", id.short(), key.display())?;
    }
    Ok(Exit::Done)
}

/// The key that ssh would take.
fn own_key() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let names = ["id_ed25519", "id_ecdsa", "id_rsa"];
    names.iter().map(|name| home.join(".ssh").join(name)).find(|path| path.is_file())
}

/// A snapshot, and what its signatures are worth.
pub struct Signed {
    snapshot: SnapshotId,
    /// What names it.
    names: Vec<String>,
    worths: Vec<Worth>,
}

impl Signed {
    /// Whether somebody who is trusted vouches for it, and nothing was altered.
    pub fn is_good(&self) -> bool {
        let is_good = |worth: &Worth| matches!(worth, Worth::Good { .. });
        let is_bad = |worth: &Worth| matches!(worth, Worth::Bad { .. });
        self.worths.iter().any(is_good) && !self.worths.iter().any(is_bad)
    }

    fn word(&self) -> &'static str {
        match () {
            () if self.is_good() => "good",
            () if self.worths.is_empty() => "unsigned",
            () if self.worths.iter().any(|worth| matches!(worth, Worth::Bad { .. })) => "altered",
            () => "untrusted",
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let signed_by: Vec<&String> = self
            .worths
            .iter()
            .flat_map(|worth| match worth {
                Worth::Good { principals } => principals.as_slice(),
                _ => &[],
            })
            .collect();
        let told = |worth: &Worth| match worth {
            Worth::Good { .. } => None,
            Worth::Untrusted { key } => Some(format!("signed by a key that is not trusted: {key}")),
            Worth::Bad { why } => Some(format!("no signature of this snapshot: {why}")),
        };
        json!({
            "snapshot": self.snapshot.to_string(),
            "names": self.names,
            "signature": self.word(),
            "signed_by": signed_by,
            "problems": self.worths.iter().filter_map(told).collect::<Vec<_>>(),
        })
    }

    /// For a person.
    pub fn print(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let names = match self.names.as_slice() {
            [] => String::new(),
            names => format!(" ({})", visible(&names.join(", "))),
        };
        let what = format!("snapshot {}{names}", self.snapshot.short());
        if self.worths.is_empty() {
            writeln!(out, "  {what}: not signed")?;
        }
        for worth in &self.worths {
            match worth {
                Worth::Good { principals } => {
                    writeln!(out, "  {what}: signed by {}", visible(&principals.join(", ")))?;
                }
                Worth::Untrusted { key } => {
                    writeln!(
                        out,
                        "  {what}: signed by a key that is not trusted: {}",
                        visible(key)
                    )?;
                }
                Worth::Bad { why } => {
                    writeln!(
                        out,
                        "  {what}: a signature is not of this snapshot: {}",
                        visible(why)
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// What the signatures are worth that are asked for.
pub fn verify(
    context: &Context,
    store: &Store,
    args: &SignaturesArgs,
    snapshots: &[String],
) -> Result<Vec<Signed>, CliError> {
    if !args.signatures {
        return match snapshots {
            [] => Ok(Vec::new()),
            _ => Err(CliError::usage("a verification is of the whole store")
                .hint("snapshots are named with --against SOURCE, or with --signatures")),
        };
    }
    let configured = configured(context, context.config.signing.allowed_signers.as_ref());
    let Some(allowed) = args.allowed_signers.clone().or(configured) else {
        return Err(CliError::usage("nobody is trusted yet to sign").hint(format!(
            "name a file of trusted keys with --allowed-signers FILE, or as `allowed_signers` of \
             [signing] in {FILE_NAME}; a line of it: NAME ssh-ed25519 AAAA…"
        )));
    };
    if !allowed.is_file() {
        let message = format!("there is no file of trusted keys {}", allowed.display());
        return Err(CliError::new(Exit::CouldNot, message));
    }
    let signatures = store.signatures()?;
    let mut checked = Vec::new();
    for (snapshot, names) in wanted(context, store, snapshots)? {
        let text = Store::signed_text(snapshot);
        let mut worths = Vec::new();
        for signature in signatures.iter().filter(|signature| signature.snapshot == snapshot) {
            worths.push(ssh_keygen::judge(&signature.path, &text, &allowed)?);
        }
        checked.push(Signed { snapshot, names, worths });
    }
    Ok(checked)
}

/// The snapshots to look at, with their names.
fn wanted(
    context: &Context,
    store: &Store,
    given: &[String],
) -> Result<BTreeMap<SnapshotId, Vec<String>>, CliError> {
    let mut wanted: BTreeMap<SnapshotId, Vec<String>> = BTreeMap::new();
    if given.is_empty() {
        for (name, id) in store.references()?.into_iter().chain(store.tags()?) {
            wanted.entry(id).or_default().push(name.as_str().to_owned());
        }
        return Ok(wanted);
    }
    let reader = store.reader()?;
    for text in given {
        let id = context.snapshot(&reader, text)?.id;
        wanted.entry(id).or_default().push(text.clone());
    }
    Ok(wanted)
}
