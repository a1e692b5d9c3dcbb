//! Where a database on a server is: address, account, database, transport security.
//!
//! `postgres://user@host:5432/database?schema=a,b&sslmode=verify-full` and
//! `mysql://user@host:3306/database?ssl-mode=required`; a directory as PostgreSQL's `host` or a
//! path as MySQL's `socket` names a unix socket. What is missing comes from the environment and
//! the password files that the servers' own clients read; that is the engines' business. An
//! unknown parameter is an error: a misspelt `sslmode` must not be a connection in clear.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::secret::Secret;

/// How far a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Never.
    Disable,
    /// Where the server has it; the certificate is not checked.
    #[default]
    Prefer,
    /// Always; the certificate is not checked.
    Require,
    /// Always, with a certificate of a known authority.
    VerifyCa,
    /// Always, with a certificate of a known authority for this host.
    VerifyFull,
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerUrl {
    /// The host's name or address.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The unix socket: PostgreSQL's directory, MySQL's file.
    pub socket: Option<PathBuf>,
    /// The account.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The database.
    pub database: Option<String>,
    /// The schemas to read, sorted; all of them where empty (PostgreSQL).
    pub schemas: Vec<String>,
    /// How far the connection is protected.
    pub tls: Tls,
    /// The file with the authorities' certificates, where not the system's.
    pub root_certificate: Option<PathBuf>,
    /// The client's certificate and key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

/// The text with some host, where it names an account or a port and none, and whether the host is its own:
/// `postgres://me@/shop` is no URL by the standard, and a common one of a database.
fn with_host(text: &str) -> (Cow<'_, str>, bool) {
    let place = text.find("://").and_then(|colon| {
        let start = colon + 3;
        let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |len| start + len);
        let host = text[start..end].rfind('@').map_or(start, |at| start + at + 1);
        let is_missing = (host == end && host > start) || text[host..end].starts_with(':');
        is_missing.then_some(host)
    });
    match place {
        Some(place) => (format!("{}none{}", &text[..place], &text[place..]).into(), false),
        None => (text.into(), true),
    }
}

/// Whose URL it is; the names of parameters differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Postgres,
    Mysql,
}

impl Family {
    /// The family of a URL's scheme.
    pub(super) fn of_scheme(scheme: &str) -> Option<Family> {
        match scheme {
            "postgres" | "postgresql" => Some(Family::Postgres),
            "mysql" | "mariadb" => Some(Family::Mysql),
            _ => None,
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Family::Postgres => "postgres",
            Family::Mysql => "mysql",
        }
    }
}

impl ServerUrl {
    /// Reads a URL; the error says what is wrong, without the URL.
    pub(super) fn parse(text: &str, family: Family) -> Result<ServerUrl, String> {
        let (text, has_host) = with_host(text);
        let url = Url::parse(&text).map_err(|error| error.to_string())?;
        if url.cannot_be_a_base() {
            return Err(format!("write it as `{}://USER@HOST/DATABASE`", family.scheme()));
        }
        if url.fragment().is_some() {
            return Err("it has a `#`: write %23 where one is meant".to_owned());
        }
        let mut server = ServerUrl {
            port: url.port(),
            user: some(decoded(url.username())?),
            password: url.password().map(decoded).transpose()?.map(Secret::new),
            database: some(decoded(url.path().trim_start_matches('/'))?),
            ..ServerUrl::default()
        };
        if let Some(host) = url.host_str().filter(|_| has_host) {
            server.set_host(decoded(host.trim_start_matches('[').trim_end_matches(']'))?);
        }
        let mut certificate = (None, None);
        for (name, value) in url.query_pairs() {
            server.set(family, &name, &value, &mut certificate)?;
        }
        server.client_certificate = match certificate {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("a client's certificate and its key go together".to_owned()),
        };
        server.schemas.sort();
        server.schemas.dedup();
        Ok(server)
    }

    fn set(
        &mut self,
        family: Family,
        name: &str,
        value: &str,
        certificate: &mut (Option<PathBuf>, Option<PathBuf>),
    ) -> Result<(), String> {
        let path = || Some(PathBuf::from(value));
        match (family, name) {
            (_, "host") => self.set_host(value.to_owned()),
            (_, "port") => {
                let port = value.parse().map_err(|_| format!("`{value}` is not a port"))?;
                self.port = Some(port);
            }
            (_, "user") => self.user = some(value.to_owned()),
            (_, "password") => self.password = Some(Secret::new(value)),
            (_, "dbname") => self.database = some(value.to_owned()),
            (_, "socket") => self.socket = path(),
            (Family::Postgres, "schema" | "schemas") => {
                self.schemas.extend(value.split(',').filter(|s| !s.is_empty()).map(str::to_owned));
            }
            (_, "sslmode" | "ssl-mode") => self.tls = tls(value)?,
            (_, "sslrootcert" | "ssl-ca") => self.root_certificate = path(),
            (_, "sslcert" | "ssl-cert") => certificate.0 = path(),
            (_, "sslkey" | "ssl-key") => certificate.1 = path(),
            _ => return Err(format!("the parameter `{name}` is not known")),
        }
        Ok(())
    }

    /// A host that is a path is a unix socket.
    fn set_host(&mut self, host: String) {
        if host.starts_with('/') {
            self.socket = Some(PathBuf::from(host));
        } else {
            self.host = some(host);
        }
    }

    /// What is wrong with the files of certificates and keys: the driver's words for that name
    /// no file.
    pub(super) fn unreadable_file(&self) -> Option<String> {
        let client = self.client_certificate.iter().flat_map(|(one, other)| [one, other]);
        self.root_certificate.iter().chain(client).find_map(|path| {
            let error = File::open(path).err()?;
            Some(format!("could not read `{}`: {error}", path.display()))
        })
    }

    /// The URL without secrets.
    pub(super) fn redacted(&self, family: Family) -> String {
        let mut text = format!("{}://", family.scheme());
        if let Some(user) = &self.user {
            text.push_str(&format!("{}@", encoded(user)));
        }
        if let Some(host) = &self.host {
            let bracketed = host.contains(':');
            text.push_str(&if bracketed { format!("[{host}]") } else { host.clone() });
            if let Some(port) = self.port {
                text.push_str(&format!(":{port}"));
            }
        }
        text.push('/');
        text.push_str(&self.database.as_deref().map(encoded).unwrap_or_default());
        let mut parameters = Vec::new();
        if let Some(socket) = &self.socket {
            let name = if family == Family::Postgres { "host" } else { "socket" };
            parameters.push(format!("{name}={}", socket.display()));
        }
        if let Some(port) = self.port.filter(|_| self.host.is_none()) {
            parameters.push(format!("port={port}"));
        }
        if !self.schemas.is_empty() {
            parameters.push(format!("schema={}", self.schemas.join(",")));
        }
        if !parameters.is_empty() {
            text.push_str(&format!("?{}", parameters.join("&")));
        }
        text
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tls::Disable => "disable",
            Tls::Prefer => "prefer",
            Tls::Require => "require",
            Tls::VerifyCa => "verify-ca",
            Tls::VerifyFull => "verify-full",
        })
    }
}

/// Both servers' words, in either spelling. `allow` begins in clear, which is no protection.
fn tls(word: &str) -> Result<Tls, String> {
    match word.to_ascii_lowercase().replace('_', "-").as_str() {
        "disable" | "disabled" => Ok(Tls::Disable),
        "prefer" | "preferred" => Ok(Tls::Prefer),
        "require" | "required" => Ok(Tls::Require),
        "verify-ca" => Ok(Tls::VerifyCa),
        "verify-full" | "verify-identity" => Ok(Tls::VerifyFull),
        _ => Err(format!(
            "`{word}` is no TLS mode: disable, prefer, require, verify-ca or verify-full"
        )),
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| "it is not UTF-8".to_owned())
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
        .replace("%5F", "_")
        .replace("%2E", ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let text = "postgres://me:p%40ss@db.example:5433/shop?schema=b,a&sslmode=verify-full";
        let url = ServerUrl::parse(text, Family::Postgres).unwrap();
        assert_eq!(url.user.as_deref(), Some("me"));
        assert_eq!(url.password, Some(Secret::new("p@ss")));
        assert_eq!((url.host.as_deref(), url.port), (Some("db.example"), Some(5433)));
        assert_eq!(url.database.as_deref(), Some("shop"));
        assert_eq!(url.schemas, ["a", "b"]);
        assert_eq!(url.tls, Tls::VerifyFull);
        assert_eq!(url.redacted(Family::Postgres), "postgres://me@db.example:5433/shop?schema=a,b");
    }

    #[test]
    fn sockets_in_every_spelling() {
        let url = ServerUrl::parse("postgres://me@:5433/shop", Family::Postgres).unwrap();
        assert_eq!(url.redacted(Family::Postgres), "postgres://me@/shop?port=5433");
        assert_eq!((url.user.as_deref(), url.host, url.port), (Some("me"), None, Some(5433)));
        for text in ["postgres:///shop?host=/run/pg", "postgres://%2Frun%2Fpg/shop"] {
            let url = ServerUrl::parse(text, Family::Postgres).unwrap();
            assert_eq!(url.socket, Some(PathBuf::from("/run/pg")), "{text}");
            assert_eq!(url.redacted(Family::Postgres), "postgres:///shop?host=/run/pg");
        }
        let url = ServerUrl::parse("mysql://root@/shop?socket=/run/m.sock", Family::Mysql);
        assert_eq!(url.unwrap().redacted(Family::Mysql), "mysql://root@/shop?socket=/run/m.sock");
    }

    #[test]
    fn what_is_not_understood_is_an_error_without_secrets() {
        for text in [
            "postgres://u:geheim@h/d?sslmod=verify-full",
            "postgres://u:geheim@h/d?sslmode=allow",
            "postgres://u:geheim@h/d?port=x",
            "postgres://u:geheim@h/d#x",
            "postgres://u:geheim@h/d?sslcert=a",
        ] {
            let error = ServerUrl::parse(text, Family::Postgres).unwrap_err();
            assert!(!error.contains("geheim"), "{error}");
        }
        let url = ServerUrl::parse("postgres://u:geheim@h/d", Family::Postgres).unwrap();
        assert!(!format!("{url:?}").contains("geheim"));
    }
}
