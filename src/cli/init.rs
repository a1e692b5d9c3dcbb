//! `init`: an empty store.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::args::{HashChoice, InitArgs};
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::key_file::KeyFile;
use crate::codec::HashAlgorithm;
use crate::store::{HashKey, STORE_DIR, Store};

/// Creates the store.
pub fn run(context: &Context, args: &InitArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let algorithm = match args.hash {
        HashChoice::Blake3 => HashAlgorithm::Blake3,
        HashChoice::Sha256 => HashAlgorithm::Sha256,
    };
    if !args.dir.is_dir() {
        let message = format!("{} is not a folder", args.dir.display());
        return Err(CliError::new(Exit::CouldNot, message).hint("create it first"));
    }
    let path = context.global.store.clone().unwrap_or_else(|| args.dir.join(STORE_DIR));
    let key = key(context, args)?;
    let is_keyed = key.is_some();
    let store = Store::init(Context::file_system(), &path, algorithm, key.as_ref());
    let store = match (store, &args.new_hash_key_file) {
        (Err(error), Some(new)) => {
            remove_new(new);
            return Err(error.into());
        }
        (store, _) => store?,
    };
    if context.global.json {
        let path = store.path().display().to_string();
        let object = json!({"store": path, "hash": algorithm.as_str(), "keyed": is_keyed});
        writeln!(out, "{object}")?;
    } else {
        let keyed = if is_keyed { ", keyed" } else { "" };
        let path = store.path().display();
        writeln!(out, "created an empty store in {path} ({}{keyed})", algorithm.as_str())?;
        if let Some(new) = &args.new_hash_key_file {
            let new = new.display();
            writeln!(out, "its key is in {new}: every command needs it (--hash-key-file {new},")?;
            writeln!(out, "or DEEPDIFF_HASH_KEY_FILE); keep a copy, and not beside the store")?;
        }
    }
    Ok(Exit::Done)
}

/// The key of the new store, where it shall have one.
fn key(context: &Context, args: &InitArgs) -> Result<Option<HashKey>, CliError> {
    let file = match (&args.new_hash_key_file, &context.global.hash_key_file) {
        (Some(_), Some(_)) => {
            let message = "a store has one key: the new one or that of --hash-key-file";
            return Err(CliError::usage(message)
                .hint("leave one of them away; DEEPDIFF_HASH_KEY_FILE may be set, too"));
        }
        (Some(new), None) => Some(KeyFile::create(Context::file_system().as_ref(), new)?),
        (None, Some(path)) => Some(KeyFile::read(path)?),
        (None, None) => None,
    };
    if let Some(exposure) = file.as_ref().and_then(KeyFile::exposure) {
        return Err(CliError::new(Exit::Refused, exposure)
            .hint("a key that others can read hides nothing from them"));
    }
    Ok(file.map(|file| file.key))
}

/// Removes the key of a store that did not come about: nothing was ever hashed with it.
fn remove_new(path: &Path) {
    // The error that led here matters more.
    let _ = Context::file_system().remove_file(path);
}
