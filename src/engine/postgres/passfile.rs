//! The password file that PostgreSQL's own clients read
//! (<https://www.postgresql.org/docs/current/libpq-pgpass.html>).
//!
//! A file that others may read is not used, as libpq does not use it. What stands in the file is
//! never shown.

use std::path::{Path, PathBuf};

use crate::engine::secret::Secret;

/// Whom a password is wanted for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login<'l> {
    /// The host, or the directory of the socket.
    pub(super) host: &'l str,
    /// The port.
    pub(super) port: u16,
    /// The database.
    pub(super) database: &'l str,
    /// The account.
    pub(super) user: &'l str,
}

/// The directories in which servers put their sockets; logins over those are kept as `localhost`.
const DEFAULT_SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The password that `PGPASSFILE` or `~/.pgpass` keeps for a login.
pub(super) fn password(login: Login<'_>) -> Option<Secret> {
    let path = std::env::var_os("PGPASSFILE").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
        Some(PathBuf::from(home).join(".pgpass"))
    })?;
    find(&read_private(&path)?, login)
}

#[cfg(unix)]
fn read_private(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    let is_private = metadata.is_file() && metadata.permissions().mode() & 0o077 == 0;
    is_private.then(|| std::fs::read_to_string(path).ok()).flatten()
}

#[cfg(not(unix))]
fn read_private(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The first line that fits decides.
fn find(content: &str, login: Login<'_>) -> Option<Secret> {
    let port = login.port.to_string();
    let host = if DEFAULT_SOCKETS.contains(&login.host) { "localhost" } else { login.host };
    content.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let [of_host, of_port, of_database, of_user, password] = fields.as_slice() else {
            return None;
        };
        let fits = |wanted: &str, field: &String| field == "*" || field == wanted;
        let is_host = fits(host, of_host) || fits(login.host, of_host);
        (is_host
            && fits(&port, of_port)
            && fits(login.database, of_database)
            && fits(login.user, of_user))
        .then(|| Secret::new(password.clone()))
    })
}

/// The fields of a line; `\:` and `\\` are a colon and a backslash.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            '\\' => fields[last].extend(characters.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            character => fields[last].push(character),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_decides() {
        let content = "# h:1:d:u:comment\nh:1:d:other:no\nh:*:d:u:a\\:b\\\\c\n*:*:*:*:any\n\
                       localhost:5432:s:u:socket\n";
        let login = Login { host: "h", port: 1, database: "d", user: "u" };
        assert_eq!(find(content, login).unwrap().expose(), "a:b\\c");
        assert_eq!(find(content, Login { user: "x", ..login }).unwrap().expose(), "any");
        let socket = "localhost:5432:s:u:socket";
        let login = Login { host: "/var/run/postgresql", port: 5432, database: "s", user: "u" };
        assert_eq!(find(socket, login).unwrap().expose(), "socket");
        assert_eq!(find(socket, Login { host: "/elsewhere", ..login }), None);
    }
}
