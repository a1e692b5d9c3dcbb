//! `init`: an empty store.

use std::io::Write;

use serde_json::json;

use super::args::{HashChoice, InitArgs};
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::codec::HashAlgorithm;
use crate::store::{STORE_DIR, Store};

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
    let key = context.hash_key()?;
    let is_keyed = key.is_some();
    let store = Store::init(Context::file_system(), &path, algorithm, key.as_ref())?;
    if context.global.json {
        let path = store.path().display().to_string();
        let object = json!({"store": path, "hash": algorithm.as_str(), "keyed": is_keyed});
        writeln!(out, "{object}")?;
    } else {
        let keyed = if is_keyed { ", keyed" } else { "" };
        let path = store.path().display();
        writeln!(out, "created an empty store in {path} ({}{keyed})", algorithm.as_str())?;
    }
    Ok(Exit::Done)
}
