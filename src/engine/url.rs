//! Where a database is: the text a person writes, parsed.
//!
//! `sqlite:path`, `sqlite://path` and a bare path name a SQLite file, `postgres://…` and `mysql://…`
//! (or `mariadb://…`) a database on a server; any other scheme is refused by name. What is shown of
//! a URL never holds a password, whatever its scheme.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::EngineError;
use super::secret::Secret;
use super::server_url::{Family, ServerUrl};

/// A parsed source URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<ServerUrl>),
    /// A MySQL or MariaDB database.
    Mysql(Box<ServerUrl>),
}

/// What is understood, for messages.
const SUPPORTED: &str = "supported are `sqlite:PATH`, a bare path, \
                         `postgres://USER@HOST/DATABASE` and `mysql://USER@HOST/DATABASE`";

impl SourceUrl {
    /// The URL of a SQLite file.
    pub fn sqlite(path: impl Into<PathBuf>) -> SourceUrl {
        SourceUrl::Sqlite(path.into())
    }

    /// The URL without secrets, as shown to people and kept in snapshots.
    pub fn redacted(&self) -> String {
        match self {
            SourceUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            SourceUrl::Postgres(server) => server.redacted(Family::Postgres),
            SourceUrl::Mysql(server) => server.redacted(Family::Mysql),
        }
    }

    /// The engine's name, as states carry it.
    pub fn engine(&self) -> &'static str {
        match self {
            SourceUrl::Sqlite(_) => "sqlite",
            SourceUrl::Postgres(_) => "postgres",
            SourceUrl::Mysql(_) => "mysql",
        }
    }

    /// The files that the database is, and that its engine keeps beside it.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            SourceUrl::Sqlite(path) => ["", "-journal", "-wal", "-shm"]
                .into_iter()
                .map(|suffix| {
                    let mut name = path.clone().into_os_string();
                    name.push(suffix);
                    PathBuf::from(name)
                })
                .collect(),
            SourceUrl::Postgres(_) | SourceUrl::Mysql(_) => Vec::new(),
        }
    }

    /// The same, where a relative path starts at `dir`.
    #[must_use]
    pub fn relative_to(self, dir: &Path) -> SourceUrl {
        match self {
            SourceUrl::Sqlite(path) => SourceUrl::Sqlite(dir.join(path)),
            server => server,
        }
    }

    /// The same, with a password where the URL has none.
    #[must_use]
    pub fn with_password(mut self, password: impl FnOnce() -> Option<Secret>) -> SourceUrl {
        if let SourceUrl::Postgres(server) | SourceUrl::Mysql(server) = &mut self
            && server.password.is_none()
        {
            server.password = password();
        }
        self
    }
}

/// The canonical path of an existing file.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, EngineError> {
    let database = || path.display().to_string();
    let resolved = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            EngineError::NotFound { database: database(), reason: "no such file".to_owned() }
        }
        std::io::ErrorKind::PermissionDenied => EngineError::Privilege {
            database: database(),
            action: "open".to_owned(),
            message: error.to_string(),
        },
        _ => EngineError::Io { database: database(), action: "open".to_owned(), source: error },
    })?;
    if resolved.is_dir() {
        return Err(EngineError::NotFound {
            database: database(),
            reason: "that is a directory".to_owned(),
        });
    }
    Ok(resolved)
}

impl FromStr for SourceUrl {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let refuse = |reason: String| EngineError::Url { url: without_password(text), reason };
        let path = match scheme_of(text) {
            None => text,
            Some("sqlite") => {
                let rest = &text["sqlite:".len()..];
                rest.strip_prefix("//").unwrap_or(rest)
            }
            Some("file") => {
                return Err(refuse(format!("write a plain path instead of `file:`; {SUPPORTED}")));
            }
            Some(scheme) if Family::of_scheme(scheme).is_some() => {
                let family = Family::of_scheme(scheme).expect("because it was just found");
                let server = Box::new(ServerUrl::parse(text, family).map_err(refuse)?);
                return Ok(match family {
                    Family::Postgres => SourceUrl::Postgres(server),
                    Family::Mysql => SourceUrl::Mysql(server),
                });
            }
            Some(scheme) => {
                return Err(refuse(format!("`{scheme}` is not supported yet; {SUPPORTED}")));
            }
        };
        if path.is_empty() {
            return Err(refuse(format!("the path is empty; {SUPPORTED}")));
        }
        if path == ":memory:" {
            return Err(refuse("a database in memory has nothing to read".to_owned()));
        }
        if path.contains('\0') {
            return Err(refuse("the path holds a NUL byte".to_owned()));
        }
        Ok(SourceUrl::Sqlite(PathBuf::from(path)))
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// The scheme before the colon. One letter is a Windows drive, and a text with a slash before the
/// colon is a path.
fn scheme_of(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut characters = scheme.chars();
    let is_scheme = scheme.len() > 1
        && characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some(scheme)
}

/// The text with what stands between `://user:` and the last `@` before the path hidden.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let Some((login, host)) = rest.rsplit_once('@') else {
        return text.to_owned();
    };
    let user = login.split(':').next().unwrap_or_default();
    let host = host.split('?').next().unwrap_or_default();
    if login.contains(':') {
        format!("{scheme}://{user}:***@{host}")
    } else {
        format!("{scheme}://{user}@{host}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_sqlite_url_name_one_path() {
        for text in ["sqlite:a/b.db", "sqlite://a/b.db", "a/b.db"] {
            assert_eq!(text.parse::<SourceUrl>().unwrap(), SourceUrl::sqlite("a/b.db"), "{text}");
        }
        assert_eq!("sqlite:///x.db".parse::<SourceUrl>().unwrap(), SourceUrl::sqlite("/x.db"));
        assert_eq!("./a:b.db".parse::<SourceUrl>().unwrap(), SourceUrl::sqlite("./a:b.db"));
        assert_eq!(SourceUrl::sqlite("/x.db").to_string(), "sqlite:/x.db");
    }

    #[test]
    fn other_schemes_are_refused_without_their_password() {
        let error = "oracle://me:se@cret@host/db?password=x".parse::<SourceUrl>().unwrap_err();
        let message = error.to_string();
        assert!(message.contains("oracle"), "{message}");
        assert!(message.contains("sqlite:PATH"), "{message}");
        assert!(!message.contains("cret") && !message.contains("password=x"), "{message}");
        for text in [
            "",
            "sqlite:",
            ":memory:",
            "sqlite::memory:",
            "file:x.db",
            "mysql:x",
            "postgres://h/d?x=y",
        ] {
            assert!(text.parse::<SourceUrl>().is_err(), "{text}");
        }
    }
}
