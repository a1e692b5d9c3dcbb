//! What every command needs: the configuration, the store, and the meaning of names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::GlobalArgs;
use super::config::Config;
use super::error::CliError;
use super::exit::Exit;
use super::git::{self, PassingStore};
use super::key_file::KeyFile;
use super::revision::{self, Revision};
use crate::diff::LoadedSnapshot;
use crate::engine::SourceUrl;
use crate::fsio::{FileSystem, RealFs};
use crate::model::SnapshotId;
use crate::store::{self, HashKey, Reader, RefName, STORE_DIR, Store};

/// The configuration and the command line's own options.
pub struct Context {
    /// The options that go with every command.
    pub global: GlobalArgs,
    /// The nearest `deepdiff.toml`.
    pub config: Config,
    /// A store for this command alone, where commits are read and there is no other.
    passing: PassingStore,
}

/// What a person means by a source.
pub struct NamedSource {
    /// Its name in the configuration, or its URL without secrets.
    pub label: String,
    /// The ref that its snapshots move, where it has a name.
    pub reference: Option<String>,
    /// Where it is.
    pub url: SourceUrl,
}

impl Context {
    /// Reads the configuration.
    pub fn new(global: GlobalArgs) -> Result<Context, CliError> {
        let dir = current_dir()?;
        let config = Config::discover(&dir)?;
        Ok(Context { global, config, passing: PassingStore::default() })
    }

    /// The key file of a keyed store, where one was named.
    pub fn hash_key(&self) -> Result<Option<HashKey>, CliError> {
        let Some(path) = &self.global.hash_key_file else { return Ok(None) };
        let file = KeyFile::read(path)?;
        if let Some(warning) = file.exposure() {
            super::snapshot::warn_of(&warning);
        }
        Ok(Some(file.key))
    }

    /// The file system that the store is on.
    pub fn file_system() -> Arc<dyn FileSystem> {
        Arc::new(RealFs)
    }

    /// Opens the store that was named, or the nearest one.
    pub fn store(&self) -> Result<Store, CliError> {
        let fs = Self::file_system();
        let path = match &self.global.store {
            Some(path) if path.join(STORE_DIR).is_dir() => path.join(STORE_DIR),
            Some(path) => path.clone(),
            None => store::discover(fs.as_ref(), &current_dir()?)?,
        };
        Ok(Store::open(fs, &path, self.hash_key()?.as_ref())?)
    }

    /// The store, as [`Context::store`] finds it; where there is none, and all of these names are those
    /// of commits (`git:REV`), one that is removed when the command ends.
    pub fn store_for(&self, names: &[&str]) -> Result<Store, CliError> {
        let is_named = self.global.store.is_some();
        let are_commits = names.iter().all(|name| name.starts_with(git::PREFIX));
        let dir = current_dir()?;
        let is_there = !matches!(
            store::discover(Self::file_system().as_ref(), &dir),
            Err(store::StoreError::NotFound { .. })
        );
        match names.first() {
            Some(first) if are_commits && !is_named && !is_there => {
                let algorithm = git::hash_of(first)?;
                self.passing.create(algorithm, self.hash_key()?.as_ref())
            }
            _ => self.store(),
        }
    }

    /// Who does this, as logs and snapshots name them.
    pub fn author() -> String {
        ["DEEPDIFF_AUTHOR", "USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// The source of this name or URL.
    pub fn source(&self, text: &str) -> Result<NamedSource, CliError> {
        let name = text.strip_prefix("source:").unwrap_or(text);
        if let Some(source) = self.config.sources.get(name) {
            let url = source.source_url(name, self.config.dir.as_deref())?;
            let reference = Some(name.to_owned());
            return Ok(NamedSource { label: name.to_owned(), reference, url });
        }
        if text.starts_with("source:") {
            let names: Vec<&str> = self.config.sources.keys().map(String::as_str).collect();
            return Err(CliError::usage(format!("deepdiff.toml names no source `{name}`"))
                .hint(format!("its sources: {}", names.join(", "))));
        }
        let url = text.parse::<SourceUrl>()?;
        Ok(NamedSource { label: url.to_string(), reference: None, url })
    }

    /// Whether the text names a live source rather than a snapshot.
    pub fn is_source(&self, text: &str) -> bool {
        text.starts_with("source:")
            || text.contains("://")
            || text.starts_with("sqlite:")
            || self.config.sources.contains_key(text)
            || Path::new(text).is_file()
    }

    /// The snapshot of this name, if anything has that name.
    pub fn find(
        &self,
        reader: &Reader,
        revision: &Revision,
    ) -> Result<Option<SnapshotId>, CliError> {
        let store = reader.store();
        let base = revision.base.as_str();
        let named = match RefName::new(base) {
            Err(_) => None,
            Ok(name) => match revision.at {
                Some(at) => at_moment(store, &name, at)?,
                None => match store.reference(&name)? {
                    Some(id) => Some(id),
                    None => store.tag(&name)?,
                },
            },
        };
        if named.is_some() || revision.at.is_some() {
            return Ok(named);
        }
        let is_id = base.len() >= 4 && base.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return Ok(None);
        }
        match reader.snapshot_by_prefix(&base.to_ascii_lowercase()) {
            Ok(id) => Ok(Some(id)),
            Err(store::StoreError::NoSuchSnapshot { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The snapshot that a text names, loaded.
    pub fn snapshot(&self, reader: &Reader, text: &str) -> Result<LoadedSnapshot, CliError> {
        if let Some(commit) = text.strip_prefix(git::PREFIX) {
            return git::snapshot(reader, commit);
        }
        let revision = Revision::parse(text)?;
        let Some(mut id) = self.find(reader, &revision)? else {
            return Err(self.unknown(reader, text, &revision));
        };
        if revision.at.is_some() && !reader.has(&id.0)? {
            let message = format!("`{text}`: snapshot {} was removed", id.short());
            return Err(CliError::usage(message)
                .hint("retention removed it; `deepdiff-db ref NAME --log` lists what there was"));
        }
        for step in 0..revision.ancestors {
            let snapshot = LoadedSnapshot::load(reader, id)?;
            id = *snapshot.snapshot.parents.first().ok_or_else(|| {
                CliError::usage(format!("`{text}`: history ends at `{}~{step}`", revision.base))
            })?;
            if !reader.has(&id.0)? {
                let message = format!("`{text}`: snapshot {} was removed", id.short());
                return Err(CliError::usage(message).hint(
                    "retention removed it; parents are kept only while something names them",
                ));
            }
        }
        Ok(LoadedSnapshot::load(reader, id)?)
    }

    fn unknown(&self, reader: &Reader, text: &str, revision: &Revision) -> CliError {
        let mut message = format!("`{text}` names no snapshot");
        if let Some(at) = revision.at {
            let moment = revision::shown(at);
            message = format!("{message}: ref `{}` had none at {moment}", revision.base);
        }
        let names: Vec<String> = reader
            .store()
            .references()
            .unwrap_or_default()
            .into_iter()
            .map(|(name, _)| name.as_str().to_owned())
            .collect();
        let hint = if names.is_empty() {
            "the store has no snapshots yet: take one with `deepdiff-db snapshot`".to_owned()
        } else {
            format!("refs: {}", names.join(", "))
        };
        CliError::usage(message).hint(hint)
    }
}

/// What a ref named at a moment.
fn at_moment(store: &Store, name: &RefName, at: i64) -> Result<Option<SnapshotId>, CliError> {
    let log = store.log(name)?;
    Ok(log.iter().rev().find(|entry| entry.when.0 <= at).and_then(|entry| entry.new))
}

fn current_dir() -> Result<PathBuf, CliError> {
    std::env::current_dir()
        .map_err(|error| CliError::because(Exit::CouldNot, "no working directory", error))
}
