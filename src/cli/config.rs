//! `deepdiff.toml`: named sources, what is left out and masked, row keys, strategies, retention.
//! Unknown keys are errors.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::CliError;
use super::exit::Exit;
use crate::engine::{Secret, SourceUrl};
use crate::model::snapshot::Scope;
use crate::pack::{Setting, Strategies};
use crate::store::gc::KeepRules;

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
    /// Columns whose values are never read, as `table.column` or `schema.table.column`, or patterns
    /// of them (`*` and `?`).
    pub mask: Vec<String>,
    /// Row keys by table, for tables whose catalog names none.
    pub keys: BTreeMap<String, Vec<String>>,
    /// What becomes of the rows that differ, when packs are made.
    pub pack: PackConfig,
    /// How long things are kept.
    pub retention: Retention,
    /// Who signs, and who is trusted.
    pub signing: Signing,
    /// The folder the file was found in; relative paths start there.
    #[serde(skip)]
    pub dir: Option<PathBuf>,
}

/// A source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// `sqlite:PATH`, `postgres://…` or `mysql://…`; a relative path starts at the folder of the
    /// file.
    pub url: String,
    /// The variable of the environment that holds the password.
    pub password_env: Option<String>,
    /// The file whose first line is the password; a relative path starts at the folder of the file.
    pub password_file: Option<PathBuf>,
    /// The command, with its arguments, whose first line of output is the password.
    pub password_command: Option<Vec<String>>,
}

impl SourceConfig {
    /// The password that the configuration leads to. What is read is never shown, not even where
    /// reading fails.
    fn password(&self, name: &str, dir: Option<&Path>) -> Result<Option<Secret>, CliError> {
        let failed = |what: String| {
            CliError::new(Exit::CouldNot, format!("no password for source `{name}`: {what}"))
        };
        let text = match (&self.password_env, &self.password_file, &self.password_command) {
            (None, None, None) => return Ok(None),
            (Some(variable), None, None) => std::env::var(variable)
                .map_err(|_| failed(format!("the variable {variable} is not set")))?,
            (None, Some(path), None) => {
                let path = dir.map_or_else(|| path.clone(), |dir| dir.join(path));
                std::fs::read_to_string(&path)
                    .map_err(|error| failed(format!("{}: {error}", path.display())))?
            }
            (None, None, Some(command)) => output_of(command).map_err(failed)?,
            _ => {
                let message = format!("source `{name}` names its password in more than one way");
                return Err(CliError::usage(message));
            }
        };
        match text.lines().next() {
            Some(password) if !password.is_empty() => Ok(Some(Secret::new(password))),
            _ => Err(failed("it is empty".to_owned())),
        }
    }

    /// The database, with the password that the configuration leads to.
    pub fn source_url(&self, name: &str, dir: Option<&Path>) -> Result<SourceUrl, CliError> {
        let mut url = self.url.parse::<SourceUrl>()?;
        if let Some(dir) = dir {
            url = url.relative_to(dir);
        }
        let password = self.password(name, dir)?;
        Ok(url.with_password(|| password))
    }
}

/// What is wrong with a configuration, and in which line. The line itself is not shown, nor any
/// value: it may be a URL with a password.
fn complaint(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let message = match (message.find('"'), message.rfind('"')) {
        (Some(from), Some(to)) if from < to => {
            format!("{}\"…\"{}", &message[..from], &message[to + 1..])
        }
        _ => message.to_owned(),
    };
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

/// Whether a mask is of a table and a column.
fn names_column(mask: &str) -> bool {
    mask.rsplit_once('.').is_some_and(|(table, column)| !table.is_empty() && !column.is_empty())
}

/// What a command prints; the error names the command, never its output.
fn output_of(command: &[String]) -> Result<String, String> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| "password_command is empty".to_owned())?;
    let output = std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("`{program}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program}` failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{program}` printed no text"))
}

/// What becomes of the rows that differ: a default, and by table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PackConfig {
    /// `theirs`, `ours` or `manual`, for tables that are not named.
    pub strategy: Option<String>,
    /// Which of `insert`, `update` and `delete` are wanted, for tables that are not named.
    pub changes: Option<Vec<String>>,
    /// Tables and columns that only have another name, as `--rename` takes them.
    pub renames: Vec<String>,
    /// What rows that stay get where a value is asked for, as `--fill` takes it.
    pub fills: Vec<String>,
    /// The same by table, or by pattern of tables (`*` and `?`).
    pub tables: BTreeMap<String, TableConfig>,
}

/// What becomes of the rows of a table that differ.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableConfig {
    /// `theirs`, `ours` or `manual`.
    pub strategy: Option<String>,
    /// Which of `insert`, `update` and `delete` are wanted.
    pub changes: Option<Vec<String>>,
}

impl PackConfig {
    /// The strategies that the file names.
    pub fn strategies(&self) -> Result<Strategies, CliError> {
        let mut strategies = Strategies::none();
        let setting = |strategy: &Option<String>, changes: &Option<Vec<String>>| {
            let setting = Setting::of_words(strategy.as_deref(), changes.as_deref());
            setting.map_err(|error| CliError::usage(format!("{FILE_NAME}: [pack]: {error}")))
        };
        strategies.file_default(setting(&self.strategy, &self.changes)?);
        for (table, of_table) in &self.tables {
            strategies.file_table(table, setting(&of_table.strategy, &of_table.changes)?);
        }
        Ok(strategies)
    }
}

/// How long things are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days that what gc condemned waits until it is deleted.
    pub grace_days: Option<u64>,
    /// Days of the log that keep what they name.
    pub log_days: Option<u64>,
    /// Of each ref keep the last so many snapshots.
    pub keep_last: Option<NonZeroU32>,
    /// Of each ref keep the newest snapshot of each of so many days.
    pub keep_daily: Option<NonZeroU32>,
    /// The same of weeks.
    pub keep_weekly: Option<NonZeroU32>,
    /// The same of months.
    pub keep_monthly: Option<NonZeroU32>,
    /// The same of years.
    pub keep_yearly: Option<NonZeroU32>,
    /// Keep what is committed in the git repository around the working directory.
    pub keep_in_git: bool,
}

impl Retention {
    /// The rules for older snapshots, if there is one.
    pub fn keep(&self) -> Option<KeepRules> {
        let rules = KeepRules {
            last: self.keep_last,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
        };
        (!rules.is_empty()).then_some(rules)
    }
}

/// Signing snapshots with SSH keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signing {
    /// The key that `sign` uses; a relative path starts at the folder of the file.
    pub key: Option<PathBuf>,
    /// The file of trusted keys, as ssh-keygen's ALLOWED SIGNERS; likewise.
    pub allowed_signers: Option<PathBuf>,
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
            let message = format!("{} is not valid: {}", path.display(), complaint(&text, &error));
            CliError::new(Exit::Usage, message)
        })?;
        if let Some(mask) = config.mask.iter().find(|mask| !names_column(mask)) {
            let message = format!("{} is not valid: mask `{mask}` names no column", path.display());
            return Err(CliError::usage(message).hint("write it as TABLE.COLUMN"));
        }
        config.dir = path.parent().map(Path::to_path_buf);
        Ok(config)
    }

    /// The rules under which databases are read.
    pub fn scope(&self) -> Scope {
        let mut excluded_tables = self.exclude.clone();
        excluded_tables.sort();
        excluded_tables.dedup();
        let mut masks = self.mask.clone();
        masks.sort();
        masks.dedup();
        Scope {
            excluded_tables,
            masks,
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

    #[test]
    fn a_password_comes_from_one_place_and_is_not_shown() {
        let read = |more: &str| {
            let text = format!("[sources.p]\nurl='postgres://u@h/d'\n{more}");
            let config: Config = toml::from_str(&text).unwrap();
            config.sources["p"].source_url("p", None)
        };
        let url = read("password_command=['echo','geheim']").unwrap();
        let SourceUrl::Postgres(server) = &url else { panic!("{url:?}") };
        assert_eq!(server.password, Some(Secret::new("geheim")));
        assert!(!format!("{url:?} {url}").contains("geheim"));
        for bad in [
            "password_env='DEEPDIFF_NO_SUCH_VARIABLE'",
            "password_file='/no/such/file'",
            "password_command=['false']",
            "password_command=['true']",
            "password_command=[]",
            "password_env='A'\npassword_file='b'",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
