//! `deepdiff.toml`: named sources, what is left out, row keys, retention. Unknown keys are errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::CliError;
use super::exit::Exit;
use crate::model::snapshot::Scope;

/// The name of the file.
pub const FILE_NAME: &str = "deepdiff.toml";

/// What the configuration says; everything has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Sources by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// Patterns of tables to leave out of every snapshot (`*` and `?`).
    pub exclude: Vec<String>,
    /// Row keys by table, for tables whose catalog names none.
    pub keys: BTreeMap<String, Vec<String>>,
    /// How long things are kept.
    pub retention: Retention,
    /// The folder the file was found in; relative paths start there.
    #[serde(skip)]
    pub dir: Option<PathBuf>,
}

/// A source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// `sqlite:PATH`; a relative path starts at the folder of the file.
    pub url: String,
}

/// How long things are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days that what gc condemned waits until it is deleted.
    pub grace_days: Option<u64>,
    /// Days of the log that keep what they name.
    pub log_days: Option<u64>,
}

impl Config {
    /// The configuration of the nearest `deepdiff.toml` in `dir` or above it.
    pub fn discover(dir: &Path) -> Result<Config, CliError> {
        match dir.ancestors().map(|dir| dir.join(FILE_NAME)).find(|path| path.is_file()) {
            Some(path) => Config::read(&path),
            None => Ok(Config::default()),
        }
    }

    fn read(path: &Path) -> Result<Config, CliError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::because(Exit::CouldNot, format!("cannot read {}", path.display()), error)
        })?;
        let mut config: Config = toml::from_str(&text).map_err(|error| {
            CliError::because(Exit::Usage, format!("{} is not valid", path.display()), error)
        })?;
        config.dir = path.parent().map(Path::to_path_buf);
        Ok(config)
    }

    /// The rules under which databases are read.
    pub fn scope(&self) -> Scope {
        let mut excluded_tables = self.exclude.clone();
        excluded_tables.sort();
        excluded_tables.dedup();
        Scope {
            excluded_tables,
            key_overrides: self.keys.iter().map(|(t, c)| (t.clone(), c.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors() {
        assert!(toml::from_str::<Config>("exclud = []").is_err());
        assert!(toml::from_str::<Config>("[sources.prod]\nurl='x'\nurk='y'").is_err());
        let config: Config = toml::from_str("[sources.prod]\nurl='sqlite:x'").unwrap();
        assert_eq!(config.sources["prod"].url, "sqlite:x");
    }
}
