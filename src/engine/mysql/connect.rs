//! Opening a session on a server, with every setting pinned that could change what is read.
//!
//! Whatever the server's, the account's or the session's defaults are, two sessions opened here
//! read the same bytes: no conversion of text, times in UTC, no limits on rows or time that would
//! cut a reading short. What was set is read back: a proxy that loses settings is refused.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{ConnectOptions as _, Connection as _};

use super::option_files::Surroundings;
use super::query::{execute, query};
use super::{failure, sql};
use crate::engine::error::EngineError;
use crate::engine::sqlite::OpenOptions;
use crate::engine::{ServerUrl, Tls};

/// How long a connection may be silent, or wait for us, in seconds: a reader that is slower than
/// the server must not lose its stream.
const PATIENCE: u32 = 7 * 24 * 3600;

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

impl Purpose {
    /// Date arithmetic that takes every date as stored, and for writing: what does not fit is an
    /// error, 0 is a number like any other, and no table gets another engine than it says. The
    /// names are in the server's order.
    pub(super) fn sql_mode(self) -> &'static str {
        match self {
            Purpose::Read => "ALLOW_INVALID_DATES",
            Purpose::Write => {
                "NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"
            }
        }
    }
}

const SET_UP: &str = "set up a session of";

/// Which server it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// MariaDB rather than MySQL.
    pub(super) is_mariadb: bool,
    /// The version, as the server spells it.
    pub(super) version: String,
    /// What tells this server from others.
    pub(super) identity: String,
}

/// An open session.
pub(super) struct Link {
    pub(super) connection: MySqlConnection,
    /// To open another session beside it.
    options: MySqlConnectOptions,
    /// The server's number of the session.
    id: u64,
    pub(super) server: Server,
    /// The database.
    pub(super) database: String,
    /// The URL without secrets, for messages.
    pub(super) name: String,
    purpose: Purpose,
    /// How long a lock is waited for, in seconds.
    lock_wait: u64,
}

impl Link {
    /// Connects and pins the settings.
    pub(super) async fn open(
        url: &ServerUrl,
        name: String,
        open: &OpenOptions,
        purpose: Purpose,
    ) -> Result<Link, EngineError> {
        let database = url.database.clone().ok_or_else(|| EngineError::Url {
            url: name.clone(),
            reason: "it names no database: write `mysql://USER@HOST/DATABASE`".to_owned(),
        })?;
        if let Some(reason) = url.unreadable_file() {
            return Err(EngineError::Untrusted { database: name, reason });
        }
        let options = options(url, &database);
        let mut connection = connect(&options, url)
            .await
            .map_err(|error| failure::classify_connect(&name, error))?;
        let server = server(&mut connection, &database)
            .await
            .map_err(|error| failure::classify(&name, SET_UP, error))?;
        // The server knows whole seconds; what is left of one is waited for, too.
        let lock_wait = open.busy_timeout.as_millis().div_ceil(1000).clamp(1, 31_536_000);
        let lock_wait = u64::try_from(lock_wait).unwrap_or(1);
        let id = 0;
        let mut link = Link { connection, options, id, server, database, name, purpose, lock_wait };
        link.pin().await?;
        if purpose == Purpose::Write {
            link.check_writable().await?;
        }
        Ok(link)
    }

    /// Pins the settings, and fails where they are not kept.
    pub(super) async fn pin(&mut self) -> Result<(), EngineError> {
        for statement in settings(&self.server, self.purpose, self.lock_wait) {
            let set = execute(&mut self.connection, statement).await;
            set.map_err(|error| self.wrong(SET_UP, error))?;
        }
        if self.purpose == Purpose::Write {
            // Some servers do not know them, or do not let everybody set them. Without the first, tables
            // that somebody else's statements make may differ; without the second, one that a pack makes
            // gets a key it shall not have, which is found before anything runs.
            for set in
                ["explicit_defaults_for_timestamp = 1", "sql_generate_invisible_primary_key = 0"]
            {
                let _ = execute(&mut self.connection, format!("SET {set}")).await;
            }
        }
        let check = "SELECT @@sql_mode, @@time_zone, @@character_set_results, @@autocommit, \
                     @@character_set_client, @@foreign_key_checks, @@unique_checks, \
                     CONNECTION_ID()";
        let kept = query(&mut self.connection, check).await;
        let kept = kept.map_err(|error| self.wrong(SET_UP, error))?;
        let kept = kept.first().ok_or_else(|| self.wrong(SET_UP, sqlx::Error::RowNotFound))?;
        let is_writing = self.purpose == Purpose::Write;
        let are_kept = kept.text(0) == self.purpose.sql_mode()
            && kept.text(1) == "+00:00"
            && kept.get(2).is_none()
            && kept.text(3) == "1"
            && kept.text(4) == "utf8mb4"
            && (!is_writing || kept.text(5) == "1" && kept.text(6) == "1");
        self.id = kept.number(7).filter(|_| are_kept).ok_or_else(|| EngineError::Unsupported {
            database: self.name.clone(),
            what: "the settings of the session are not kept: a proxy that shares connections \
                   stands between; connect to the server itself"
                .to_owned(),
        })?;
        Ok(())
    }

    /// Fails where the server takes no writes, whatever the account might do in spite of that: it
    /// is a replica, or somebody is at work on it.
    async fn check_writable(&mut self) -> Result<(), EngineError> {
        let list = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
                    ('read_only', 'super_read_only', 'innodb_read_only')";
        let told = query(&mut self.connection, list).await;
        let told = told.map_err(|error| self.wrong(SET_UP, error))?;
        match told.iter().find(|row| !matches!(row.text(1), "OFF" | "0")) {
            None => Ok(()),
            Some(row) => Err(EngineError::Unsupported {
                database: self.name.clone(),
                what: format!(
                    "the server takes no writes ({} is {}): it may be a replica; name the server \
                     that is written to",
                    row.text(0),
                    row.text(1)
                ),
            }),
        }
    }

    /// The error of what was being done.
    pub(super) fn wrong(&self, action: &str, error: sqlx::Error) -> EngineError {
        failure::classify(&self.name, action, error)
    }

    /// Another connection with the same account, without settings.
    pub(super) async fn beside(&self) -> Result<MySqlConnection, sqlx::Error> {
        MySqlConnection::connect_with(&self.options).await
    }

    /// Ends a statement whose rows nobody wants any more, and leaves the session, its transaction
    /// and its locks as they were. Reading the rest away could take as long as reading it.
    pub(super) async fn interrupt(&mut self) -> Result<(), sqlx::Error> {
        if let Ok(mut other) = self.beside().await {
            // Where the statement has just ended, the order does nothing.
            let _ = execute(&mut other, format!("KILL QUERY {}", self.id)).await;
            let _ = other.close().await;
        }
        loop {
            match self.connection.ping().await {
                Ok(()) => return Ok(()),
                Err(error) if failure::number(&error) == Some(failure::INTERRUPTED) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Connects. MySQL 8 takes a password that it has not seen since it started in clear only, which
/// the driver gives within TLS only, and otherwise says that the password is wrong: over a unix
/// socket, where nothing else needs TLS, one connection with it makes the server remember.
async fn connect(
    options: &MySqlConnectOptions,
    url: &ServerUrl,
) -> Result<MySqlConnection, sqlx::Error> {
    let refused = match MySqlConnection::connect_with(options).await {
        Err(error) if failure::is_login(&error) => error,
        connected => return connected,
    };
    if url.socket.is_none() || url.tls != Tls::Prefer {
        return Err(refused);
    }
    let protected = options.clone().ssl_mode(MySqlSslMode::Required);
    match MySqlConnection::connect_with(&protected).await {
        Ok(known) => {
            let _ = known.close().await;
            MySqlConnection::connect_with(options).await
        }
        // A server without TLS, too, has said before what is wrong.
        Err(_) => Err(refused),
    }
}

fn options(url: &ServerUrl, database: &str) -> MySqlConnectOptions {
    let url = Surroundings::read().complete(url);
    let mut options = MySqlConnectOptions::new()
        .database(database)
        .host(url.host.as_deref().unwrap_or("127.0.0.1"))
        .set_names(false)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .disable_statement_logging()
        .ssl_mode(match url.tls {
            // A unix socket is as private as the two processes.
            Tls::Prefer if url.socket.is_some() => MySqlSslMode::Disabled,
            Tls::Disable => MySqlSslMode::Disabled,
            Tls::Prefer => MySqlSslMode::Preferred,
            Tls::Require => MySqlSslMode::Required,
            Tls::VerifyCa => MySqlSslMode::VerifyCa,
            Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    if let Some(user) = &url.user {
        options = options.username(user);
    }
    if let Some(password) = &url.password {
        options = options.password(password.expose());
    }
    if let Some(port) = url.port {
        options = options.port(port);
    }
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    if let Some(authorities) = &url.root_certificate {
        options = options.ssl_ca(authorities);
    }
    if let Some((certificate, key)) = &url.client_certificate {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
}

async fn server(connection: &mut MySqlConnection, database: &str) -> Result<Server, sqlx::Error> {
    let told = query(connection, "SELECT VERSION(), @@server_id, @@hostname, @@port").await?;
    let told = told.first().ok_or(sqlx::Error::RowNotFound)?;
    let version = told.text(0).to_owned();
    let is_mariadb = version.contains("MariaDB");
    let unique = if is_mariadb {
        // MariaDB has no number of its own for a server that every version shows.
        format!("{}:{}#{}", told.text(2), told.text(3), told.text(1))
    } else {
        let uuid = query(connection, "SELECT @@server_uuid").await?;
        uuid.first().map(|row| row.text(0).to_owned()).unwrap_or_default()
    };
    let family = if is_mariadb { "mariadb" } else { "mysql" };
    let identity = format!("{family}:{unique}/{database}");
    Ok(Server { is_mariadb, version, identity })
}

/// The statements that pin a session. `lock_wait` is in seconds.
fn settings(server: &Server, purpose: Purpose, lock_wait: u64) -> Vec<String> {
    let mode = sql::text(purpose.sql_mode());
    let mut set = vec![
        "SET NAMES utf8mb4".to_owned(),
        format!(
            "SET character_set_results = NULL, time_zone = '+00:00', sql_mode = {mode}, \
             autocommit = 1, sql_select_limit = 18446744073709551615, sql_big_selects = 1, \
             sql_auto_is_null = 0, net_write_timeout = {PATIENCE}, net_read_timeout = {PATIENCE}, \
             wait_timeout = {PATIENCE}, lock_wait_timeout = {lock_wait}"
        ),
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ".to_owned(),
    ];
    set.push(if server.is_mariadb {
        "SET max_statement_time = 0, idle_transaction_timeout = 0, \
         idle_readonly_transaction_timeout = 0, system_versioning_asof = DEFAULT"
            .to_owned()
    } else {
        "SET max_execution_time = 0".to_owned()
    });
    if purpose == Purpose::Write {
        set.push(format!(
            "SET foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, \
             completion_type = NO_CHAIN, innodb_lock_wait_timeout = {lock_wait}"
        ));
        if server.is_mariadb {
            set.push("SET check_constraint_checks = 1, idle_write_transaction_timeout = 0".into());
        }
    }
    set
}
