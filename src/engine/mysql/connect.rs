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

/// Date arithmetic that takes every date as stored, and no other deviation from the defaults.
const SQL_MODE: &str = "ALLOW_INVALID_DATES";

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
}

impl Link {
    /// Connects and pins the settings.
    pub(super) async fn open(
        url: &ServerUrl,
        name: String,
        open: &OpenOptions,
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
        let wrong = |error| failure::classify(&name, "set up a session of", error);
        let server = server(&mut connection, &database).await.map_err(wrong)?;
        let lock_wait = open.busy_timeout.as_secs().max(1);
        for statement in settings(&server, lock_wait) {
            execute(&mut connection, statement).await.map_err(wrong)?;
        }
        let check = "SELECT @@sql_mode, @@time_zone, @@character_set_results, @@autocommit, \
                     @@character_set_client, CONNECTION_ID()";
        let kept = query(&mut connection, check).await.map_err(wrong)?;
        let kept = kept.first().ok_or_else(|| wrong(sqlx::Error::RowNotFound))?;
        let are_kept = kept.text(0) == SQL_MODE
            && kept.text(1) == "+00:00"
            && kept.get(2).is_none()
            && kept.text(3) == "1"
            && kept.text(4) == "utf8mb4";
        let id = kept.number(5).filter(|_| are_kept).ok_or_else(|| EngineError::Unsupported {
            database: name.clone(),
            what: "the settings of the session are not kept: a proxy that shares connections \
                   stands between; connect to the server itself"
                .to_owned(),
        })?;
        Ok(Link { connection, options, id, server, database, name })
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
fn settings(server: &Server, lock_wait: u64) -> Vec<String> {
    let mode = sql::text(SQL_MODE);
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
    set
}
