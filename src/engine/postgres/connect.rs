//! Opening sessions: address, account, transport, and settings that are the same for everybody.
//!
//! What a URL leaves open comes from the environment and the password file, as with PostgreSQL's
//! own clients. Every setting that changes how a value is written is pinned before the first
//! value is read. A pooler is recognised before anything is set, because what is set there would
//! outlive the session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};

use super::errors::{Failure, abandoned, cannot_connect, classify};
use super::passfile::{self, Login};
use super::query;
use super::sql::ServerEncoding;
use crate::engine::error::EngineError;
use crate::engine::remote::Remote;
use crate::engine::server_url::Family;
use crate::engine::{OpenOptions, ServerUrl, Tls};

/// How long a connection may take, where `PGCONNECT_TIMEOUT` says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The first version whose catalogs are understood.
const OLDEST_VERSION: u32 = 130_000;

/// A setting that only a server that is spoken to directly takes over from the first message.
const MARK: &str = "deepdiff_db.session";

/// The settings by which values are written and plans are made. Rows are read as they lie, or in
/// the order of an index: by one process, from the first page on, from the table itself. Policies
/// that would hide rows are an error.
const SETTINGS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
     SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex'; \
     SET xmlbinary = 'base64'; SET xmloption = 'content'; SET lc_monetary = 'C'; \
     SET standard_conforming_strings = on; SET escape_string_warning = off; \
     SET quote_all_identifiers = off; SET client_min_messages = 'warning'; \
     SET row_security = off; SET statement_timeout = 0; \
     SET idle_in_transaction_session_timeout = 0; SET jit = off; \
     SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0; \
     SET enable_indexonlyscan = off; SET enable_bitmapscan = off; \
     SET client_encoding = 'UTF8'; SELECT pg_catalog.set_config('search_path', '', false); \
     SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
     WHERE name IN ('transaction_timeout', 'idle_session_timeout')";

/// What is pinned beside these for writing: a commit waits until it is on disk, triggers and foreign
/// keys are at work, and a text means what it says.
pub(super) const WRITING: &str = "SET enable_bitmapscan = on; SET array_nulls = on; \
     SET transform_null_equals = off; \
     SELECT pg_catalog.set_config(name, 'on', false) FROM pg_catalog.pg_settings \
     WHERE name = 'synchronous_commit' AND setting = 'off'; \
     SELECT pg_catalog.set_config(name, 'origin', false) FROM pg_catalog.pg_settings \
     WHERE name = 'session_replication_role' AND setting <> 'origin'";

/// A session and what is needed to end a statement of it.
pub(super) struct Connection {
    /// The driver's connection.
    pub(super) session: PgConnection,
    /// How it was opened.
    pub(super) options: PgConnectOptions,
    /// The number of the server's process.
    pub(super) process: u32,
    /// Whether a failure left the driver in no known state.
    pub(super) is_broken: bool,
}

/// What the server says of itself.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Its version, as it spells it.
    pub(super) version: String,
    /// Its version as a number, 150002 for 15.2.
    pub(super) number: u32,
    /// The encoding of the database.
    pub(super) encoding: ServerEncoding,
    /// What tells the cluster from others.
    pub(super) system: String,
    /// The database.
    pub(super) database: String,
    /// Its number in the cluster.
    pub(super) database_oid: String,
    /// Whether it follows another server.
    pub(super) is_standby: bool,
}

impl Server {
    /// The cluster, the database in it, and the chosen schemas of it.
    pub(super) fn identity(&self, schemas: &[String]) -> String {
        let mut identity =
            format!("postgres:{}/{}/{}", self.system, self.database_oid, self.database);
        if !schemas.is_empty() {
            identity.push_str(&format!("?schema={}", schemas.join(",")));
        }
        identity
    }
}

/// An open session on a thread of its own, and the name it goes by in messages.
pub(super) struct Link {
    remote: Remote<Connection>,
    /// The URL without secrets.
    pub(super) name: String,
    /// What the server says of itself.
    pub(super) server: Server,
}

impl Link {
    /// Connects, pins the settings, and refuses what is not understood.
    pub(super) fn open(url: &ServerUrl, options: &OpenOptions) -> Result<Link, EngineError> {
        let name = url.redacted(Family::Postgres);
        if let Some(reason) = url.unreadable_file() {
            return Err(EngineError::Untrusted { database: name, reason });
        }
        let connect = connect_options(url);
        let lock_timeout = options.busy_timeout.as_millis();
        let named = name.clone();
        let job = move || establish(connect, named, lock_timeout).boxed();
        let opened = Remote::connect(options.stop.clone(), job).map_err(|source| {
            let (database, action) = (name.clone(), "start a thread for".to_owned());
            EngineError::Io { database, action, source }
        })?;
        let remote = match opened {
            Ok(remote) => remote,
            Err(Ok(error)) => return Err(error),
            Err(Err(why)) => return Err(abandoned(&name, "connect to", why)),
        };
        let server = remote
            .call(|connection: &mut Connection| describe(connection).boxed())
            .map_err(|why| abandoned(&name, "connect to", why))?
            .map_err(|failure| failure.error(&name, "connect to"))?;
        Ok(Link { remote, name, server })
    }

    /// Hands the session a job.
    pub(super) fn call<R: Send + 'static>(
        &self,
        action: &str,
        job: impl for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<R, Failure>>
        + Send
        + 'static,
    ) -> Result<R, EngineError> {
        self.remote
            .call(|connection: &mut Connection| {
                async move {
                    if connection.is_broken {
                        return Err(Failure::Broken);
                    }
                    job(connection).await
                }
                .boxed()
            })
            .map_err(|why| abandoned(&self.name, action, why))?
            .map_err(|failure| failure.error(&self.name, action))
    }

    /// Hands the session statements whose answers nobody needs.
    pub(super) fn execute(&self, action: &str, sql: String) -> Result<(), EngineError> {
        self.call(action, move |connection| {
            async move { Ok(query::execute(&mut connection.session, sql).await?) }.boxed()
        })
    }

    /// Hands the session a query.
    pub(super) fn rows(&self, action: &str, sql: String) -> Result<Vec<query::Texts>, EngineError> {
        self.call(action, move |connection| {
            async move { Ok(query::rows(&mut connection.session, sql).await?) }.boxed()
        })
    }

    /// The thread of the session.
    pub(super) fn remote(&self) -> &Remote<Connection> {
        &self.remote
    }
}

async fn establish(
    options: PgConnectOptions,
    name: String,
    lock_timeout: u128,
) -> Result<Connection, EngineError> {
    let mark = mark();
    let options = options.options([(MARK, &mark)]);
    let mut session = connect(&options, &name).await?;
    let mut run = async || {
        let seen =
            query::text(&mut session, format!("SELECT pg_catalog.current_setting('{MARK}', true)"))
                .await?;
        if seen != mark {
            return Ok(None);
        }
        let sql = format!("{SETTINGS}; SET lock_timeout = {lock_timeout}");
        query::execute(&mut session, sql).await?;
        let process = query::text(&mut session, "SELECT pg_backend_pid()".to_owned()).await?;
        Ok::<_, sqlx::Error>(Some(process))
    };
    match run().await {
        Ok(Some(process)) => {
            let process = process.parse().map_err(|_| EngineError::Unsupported {
                database: name.clone(),
                what: "the server does not tell the number of its process".to_owned(),
            })?;
            Ok(Connection { session, options, process, is_broken: false })
        }
        Ok(None) => Err(pooler(name)),
        Err(error) => Err(classify(&name, "set up a session of", error)),
    }
}

/// Connects, within a time.
async fn connect(options: &PgConnectOptions, name: &str) -> Result<PgConnection, EngineError> {
    let seconds = std::env::var("PGCONNECT_TIMEOUT").ok().and_then(|text| text.parse().ok());
    let limit = seconds.filter(|&seconds| seconds > 0).map_or(CONNECT_TIMEOUT, Duration::from_secs);
    match tokio::time::timeout(limit, options.connect()).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => {
            let is_startup_parameter = error
                .as_database_error()
                .is_some_and(|error| error.message().contains("unsupported startup parameter"));
            if is_startup_parameter {
                return Err(pooler(name.to_owned()));
            }
            Err(cannot_connect(name, error))
        }
        Err(_) => Err(EngineError::Unreachable {
            database: name.to_owned(),
            reason: format!("no answer within {} s", limit.as_secs()),
        }),
    }
}

fn pooler(database: String) -> EngineError {
    let what = "there is a connection pooler in between, which may give one session to several \
                clients; connect to the server itself"
        .to_owned();
    EngineError::Unsupported { database, what }
}

/// A text that no other session has.
fn mark() -> String {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |at| at.as_nanos());
    format!("{}-{nanoseconds}", std::process::id())
}

/// What the server says of itself; an old server, or another one that speaks alike, is refused.
async fn describe(connection: &mut Connection) -> Result<Server, Failure> {
    let session = &mut connection.session;
    let number = session.server_version_num().unwrap_or_default();
    let sql = "SELECT version(), current_setting('server_encoding'), d.datname::text, \
               d.oid::text, pg_is_in_recovery() FROM pg_catalog.pg_database d \
               WHERE d.datname = current_database()";
    let rows = query::rows(session, sql.to_owned()).await?;
    let unsupported = |what: String| {
        let database = connection.options.get_database().unwrap_or_default().to_owned();
        Failure::Engine(EngineError::Unsupported { database, what })
    };
    let Some(row) = rows.first() else {
        return Err(unsupported("the server does not know the database it is in".to_owned()));
    };
    let version = row.text(0).split(',').next().unwrap_or_default();
    let version = version.split(" on ").next().unwrap_or_default().to_owned();
    if !version.starts_with("PostgreSQL ") || number < OLDEST_VERSION {
        return Err(unsupported(format!("`{version}` is not read: PostgreSQL 13 or later is")));
    }
    // Not everybody may ask; then the address has to do.
    let sql = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()";
    let system = match query::text(session, sql.to_owned()).await {
        Ok(system) => system,
        Err(sqlx::Error::Database(_)) => address(&connection.options),
        Err(error) => return Err(error.into()),
    };
    Ok(Server {
        version,
        number,
        encoding: ServerEncoding { name: row.text(1).to_owned() },
        system,
        database: row.text(2).to_owned(),
        database_oid: row.text(3).to_owned(),
        is_standby: row.is_true(4),
    })
}

fn address(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    format!("{host}:{}", options.get_port())
}

/// The driver's options for a URL. What it leaves open comes from the environment (`PGHOST`,
/// `PGPASSWORD`, …), which the driver reads, and the password file, which it would read for the
/// environment's host only.
fn connect_options(url: &ServerUrl) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .application_name("deepdiff-db")
        .extra_float_digits(None)
        .disable_statement_logging();
    if let Some(host) = &url.host {
        options = options.host(host);
    }
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    if let Some(port) = url.port {
        options = options.port(port);
    }
    if let Some(user) = &url.user {
        options = options.username(user);
    }
    if let Some(database) = &url.database {
        options = options.database(database);
    }
    let is_socket = url.socket.is_some() || (url.host.is_none() && has_socket(&options));
    options = match url.tls {
        // As with libpq: what stays on this machine needs no protection on its way.
        _ if is_socket => options.ssl_mode(PgSslMode::Disable),
        Tls::Prefer => options,
        Tls::Disable => options.ssl_mode(PgSslMode::Disable),
        Tls::Require => options.ssl_mode(PgSslMode::Require),
        Tls::VerifyCa => options.ssl_mode(PgSslMode::VerifyCa),
        Tls::VerifyFull => options.ssl_mode(PgSslMode::VerifyFull),
    };
    if let Some(root) = &url.root_certificate {
        options = options.ssl_root_cert(root);
    }
    if let Some((certificate, key)) = &url.client_certificate {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    with_password(options, url)
}

fn has_socket(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

/// The URL's password, else the environment's, else the password file's.
fn with_password(options: PgConnectOptions, url: &ServerUrl) -> PgConnectOptions {
    if let Some(password) = &url.password {
        return options.password(password.expose());
    }
    if std::env::var_os("PGPASSWORD").is_some() {
        return options;
    }
    let found = {
        let socket = options.get_socket().map(|socket| socket.display().to_string());
        let user = options.get_username();
        passfile::password(Login {
            host: socket.as_deref().unwrap_or(options.get_host()),
            port: options.get_port(),
            database: options.get_database().unwrap_or(user),
            user,
        })
    };
    match found {
        Some(password) => options.password(password.expose()),
        None => options,
    }
}

/// How many transactions have begun since the oldest that a session keeps visible. Another session
/// asks: within a transaction the count stands still.
pub(super) async fn horizon(options: &PgConnectOptions, process: u32) -> Option<u64> {
    let mut other = options.connect().await.ok()?;
    let sql = format!(
        "SELECT pg_catalog.age(backend_xmin)::text FROM pg_catalog.pg_stat_activity \
         WHERE pid = {process}"
    );
    let told = query::text(&mut other, sql).await;
    let _ = other.close().await;
    told.ok()?.parse().ok()
}

/// Asks the server to end the statement that a session runs. False where that could not be asked.
pub(super) async fn cancel(options: &PgConnectOptions, process: u32) -> bool {
    let Ok(mut other) = options.connect().await else { return false };
    let sql = format!("SELECT pg_catalog.pg_cancel_backend({process})");
    let asked = query::text(&mut other, sql).await;
    let _ = other.close().await;
    asked.is_ok_and(|answer| answer.starts_with('t'))
}
