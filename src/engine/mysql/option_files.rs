//! What the servers' own clients read besides their arguments: the option file and the
//! environment.
//!
//! `~/.my.cnf`, groups `[client]`, `[client-mariadb]` and `[client-server]`: user, password, host,
//! port, socket. A URL always wins; a password of the file goes only with the user of the file.

use std::path::{Path, PathBuf};

use crate::engine::{Secret, ServerUrl};

/// Where servers put their socket unless told otherwise.
const SOCKETS: [&str; 4] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

/// What a client finds around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    file: ClientOptions,
    /// `MYSQL_PWD`.
    password: Option<Secret>,
    /// The account of the operating system.
    user: Option<String>,
}

/// The client's groups of an option file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ClientOptions {
    user: Option<String>,
    password: Option<Secret>,
    host: Option<String>,
    port: Option<u16>,
    socket: Option<PathBuf>,
}

impl Surroundings {
    /// Reads the environment and the option file.
    pub(super) fn read() -> Surroundings {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let file = variable("HOME")
            .and_then(|home| std::fs::read_to_string(Path::new(&home).join(".my.cnf")).ok());
        Surroundings {
            file: file.map(|text| client_options(&text)).unwrap_or_default(),
            password: variable("MYSQL_PWD").map(Secret::new),
            user: variable("USER").or_else(|| variable("LOGNAME")),
        }
    }

    /// A URL with everything that it leaves open.
    pub(super) fn complete(self, url: &ServerUrl) -> ServerUrl {
        let mut url = url.clone();
        let file = self.file;
        let is_same_user = match (&url.user, &file.user) {
            (Some(wanted), Some(named)) => wanted == named,
            _ => true,
        };
        if url.password.is_none() {
            url.password = file.password.filter(|_| is_same_user).or(self.password);
        }
        url.user = url.user.or(file.user).or(self.user).or_else(|| Some("root".to_owned()));
        if url.host.is_none() && url.socket.is_none() && url.port.is_none() {
            (url.host, url.socket) = (file.host, file.socket);
        }
        url.port = url.port.or(file.port);
        // A client that is told `localhost` or nothing uses the socket, and so do we.
        let is_local = url.host.as_deref().is_none_or(|host| host == "localhost");
        if url.socket.is_none() && url.port.is_none() && is_local {
            url.socket = SOCKETS.iter().map(PathBuf::from).find(|path| path.exists());
        }
        url
    }
}

fn client_options(text: &str) -> ClientOptions {
    let mut options = ClientOptions::default();
    let mut is_client = false;
    for line in text.lines().map(str::trim) {
        if let Some(group) = line.strip_prefix('[') {
            let group = group.trim_end_matches(']').trim();
            is_client = matches!(group, "client" | "client-mariadb" | "client-server");
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| is_client) else { continue };
        let value = unquoted(value.trim());
        match name.trim().replace('_', "-").as_str() {
            "user" => options.user = Some(value),
            "password" => options.password = Some(Secret::new(value)),
            "host" => options.host = Some(value),
            "port" => options.port = value.parse().ok(),
            "socket" => options.socket = Some(PathBuf::from(value)),
            _ => {}
        }
    }
    options
}

/// A value without its quotes, its escapes resolved and a comment cut off, as the clients read it.
fn unquoted(value: &str) -> String {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let mut text = String::new();
    let mut characters = value.chars().skip(usize::from(quote.is_some()));
    while let Some(character) = characters.next() {
        match character {
            _ if Some(character) == quote => break,
            '#' if quote.is_none() => break,
            '\\' => match characters.next() {
                Some('b') => text.push('\u{8}'),
                Some('t') => text.push('\t'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('s') => text.push(' '),
                Some(escaped @ ('\\' | '"' | '\'')) => text.push(escaped),
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            _ => text.push(character),
        }
    }
    if quote.is_none() { text.trim_end().to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\n[mysqld]\nuser = mysql\nport=1\n[client]\n user = me \n\
        password = \"p#s\\\\s\"\nhost=db.example # there\nport = 3307\n[mysql]\nuser=other\n";

    fn around(file: &str, password: Option<&str>) -> Surroundings {
        Surroundings {
            file: client_options(file),
            password: password.map(Secret::new),
            user: Some("login".to_owned()),
        }
    }

    #[test]
    fn the_file_completes_an_empty_url() {
        let url = around(FILE, Some("env")).complete(&ServerUrl::default());
        assert_eq!(url.user.as_deref(), Some("me"));
        assert_eq!(url.password, Some(Secret::new("p#s\\s")));
        assert_eq!((url.host.as_deref(), url.port), (Some("db.example"), Some(3307)));
    }

    #[test]
    fn a_url_wins_and_another_user_does_not_get_the_password() {
        let url = ServerUrl {
            user: Some("you".to_owned()),
            host: Some("else.example".to_owned()),
            ..ServerUrl::default()
        };
        let completed = around(FILE, None).complete(&url);
        assert_eq!(completed.user.as_deref(), Some("you"));
        assert_eq!(completed.host.as_deref(), Some("else.example"));
        assert_eq!(completed.password, None);
        let completed = around(FILE, Some("env")).complete(&url);
        assert_eq!(completed.password, Some(Secret::new("env")));
        assert_eq!(around("", None).complete(&ServerUrl::default()).user.as_deref(), Some("login"));
    }

    #[test]
    fn passwords_do_not_show() {
        assert!(!format!("{:?}", around(FILE, Some("geheim"))).contains("geheim"));
    }
}
