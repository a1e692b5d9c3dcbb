//! The catalog of a database on a MySQL or MariaDB server, read as a snapshot would read it.

use std::fmt::Write as _;

use deepdiff_db::engine::mysql;
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Attribute, Catalog, Fact, NotCaptured, ObjectKind};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::servers::Database;

/// What a session is set to before it reads, as the reader of the rows does.
pub const PINNED: &str = "SET SESSION character_set_results = NULL, SESSION sql_mode = '', \
    SESSION time_zone = '+00:00'";

/// Runs on a runtime of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

async fn connect(database: &Database, user: &str, set: &str) -> MySqlConnection {
    let url = database.url();
    let (_, socket) = url.split_once("socket=").unwrap();
    let options = MySqlConnectOptions::new()
        .socket(socket)
        .username(user)
        .database(&database.name)
        .set_names(false)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    let mut connection = MySqlConnection::connect_with(&options).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(set.to_owned())).await.unwrap();
    connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.unwrap();
    connection
}

/// The catalog as an account sees it, in a session with these settings.
pub fn catalog_as(database: &Database, user: &str, set: &str, scope: &Scope) -> Catalog {
    block_on(async {
        let mut connection = connect(database, user, set).await;
        mysql::read_catalog(&mut connection, &database.name, scope).await.unwrap()
    })
}

/// The catalog.
pub fn catalog(database: &Database) -> Catalog {
    catalog_as(database, "tester", PINNED, &Scope::default())
}

/// The rights an account lacks.
pub fn missing_rights(database: &Database, user: &str) -> Vec<NotCaptured> {
    block_on(async {
        let mut connection = connect(database, user, PINNED).await;
        mysql::missing_rights(&mut connection, &database.name).await.unwrap()
    })
}

/// A fact in one line.
pub fn line(fact: &Fact) -> String {
    let mut out = format!("{} {}", fact.id.kind, fact.id);
    for (name, value) in &fact.attributes {
        match value {
            Attribute::Flag => write!(out, " {name}"),
            Attribute::Number(number) => write!(out, " {name}={number}"),
            Attribute::Text(text) => write!(out, " {name}=<{text}>"),
            Attribute::List(items) => write!(out, " {name}=[{}]", items.join("|")),
        }
        .unwrap();
    }
    if !fact.depends_on.is_empty() {
        let names: Vec<String> = fact.depends_on.iter().map(ToString::to_string).collect();
        write!(out, " -> {}", names.join(", ")).unwrap();
    }
    out
}

/// All facts, a line each.
pub fn lines(catalog: &Catalog) -> Vec<String> {
    catalog.facts.iter().map(line).collect()
}

/// The lines of the facts of one kind of one object.
pub fn lines_of(catalog: &Catalog, kind: ObjectKind, object: &str) -> String {
    let facts = catalog.facts.iter();
    let found = facts.filter(|fact| fact.id.kind == kind && fact.id.object.name == object);
    found.map(line).collect::<Vec<_>>().join("\n")
}

/// What is not captured, a line each.
pub fn not_captured(catalog: &Catalog) -> Vec<String> {
    catalog.not_captured.iter().map(entry).collect()
}

/// Something that is not captured, in a line.
pub fn entry(entry: &NotCaptured) -> String {
    let NotCaptured { kind, name, reason, is_unknown } = entry;
    format!("{}{kind} {name}: {reason}", if *is_unknown { "UNKNOWN " } else { "" })
}

/// What is said by one catalog and not by the other.
pub fn changes(left: &Catalog, right: &Catalog) -> Vec<String> {
    let (left, right) = (lines(left), lines(right));
    let gone = left.iter().filter(|line| !right.contains(line)).map(|line| format!("- {line}"));
    let new = right.iter().filter(|line| !left.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

/// Fails where two catalogs do not say the same.
pub fn assert_same_lines(left: &Catalog, right: &Catalog) {
    let changes = changes(left, right);
    assert!(changes.is_empty(), "{}", changes.join("\n"));
}

/// Fails where something is unknown.
pub fn assert_known(catalog: &Catalog, what: &str) {
    let unknown: Vec<String> =
        catalog.not_captured.iter().filter(|entry| entry.is_unknown).map(entry).collect();
    assert!(unknown.is_empty(), "{what}: {unknown:#?}");
}

/// A script that makes everything anew from the definitions, each under its own settings.
pub fn rebuilding(catalog: &Catalog) -> String {
    let mut script = "SET FOREIGN_KEY_CHECKS = 0;\n".to_owned();
    let of = |kind: ObjectKind| catalog.definitions.iter().filter(move |d| d.kind == kind);
    for definition in [ObjectKind::Sequence, ObjectKind::Table].into_iter().flat_map(of) {
        push(&mut script, catalog, definition);
    }
    // The body of a package comes after it.
    let is_body = |name: &str| name.starts_with("package body ");
    for after in [false, true] {
        for definition in of(ObjectKind::Routine) {
            if is_body(&definition.object.name) == after {
                push(&mut script, catalog, definition);
            }
        }
    }
    // Views in the order of what they read.
    let mut waiting: Vec<_> = of(ObjectKind::View).collect();
    while !waiting.is_empty() {
        let names: Vec<_> = waiting.iter().map(|view| view.object.clone()).collect();
        let needs = |name| {
            let facts = catalog.facts.iter();
            facts.filter(move |fact| fact.id.kind == ObjectKind::View && fact.id.object == name)
        };
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|view| {
            needs(view.object.clone())
                .all(|fact| fact.depends_on.iter().all(|on| !names.contains(on)))
        });
        assert!(!now.is_empty(), "views depend on one another: {names:?}");
        for view in now {
            push(&mut script, catalog, view);
        }
        waiting = later;
    }
    // Each trigger after the one it follows.
    let mut triggers: Vec<_> = of(ObjectKind::Trigger).collect();
    let follows = |name: &str| {
        let fact = catalog
            .facts
            .iter()
            .find(|f| f.id.kind == ObjectKind::Trigger && f.id.object.name == name);
        match fact.unwrap().attributes.get("follows") {
            Some(Attribute::Text(other)) => Some(other.clone()),
            _ => None,
        }
    };
    let mut made: Vec<String> = Vec::new();
    while !triggers.is_empty() {
        let next = triggers
            .iter()
            .position(|t| follows(&t.object.name).is_none_or(|other| made.contains(&other)));
        let trigger = triggers.remove(next.unwrap());
        push(&mut script, catalog, trigger);
        made.push(trigger.object.name.clone());
    }
    for definition in of(ObjectKind::Event) {
        push(&mut script, catalog, definition);
    }
    script
}

fn push(script: &mut String, catalog: &Catalog, definition: &deepdiff_db::model::Definition) {
    let fact = catalog
        .facts
        .iter()
        .find(|fact| fact.id.kind == definition.kind && fact.id.object == definition.object);
    let text = |name: &str| match fact.and_then(|fact| fact.attributes.get(name)) {
        Some(Attribute::Text(text)) => Some(text.clone()),
        _ => None,
    };
    writeln!(script, "SET sql_mode = '{}';", text("sql-mode").unwrap_or_default()).unwrap();
    if let Some(zone) = text("time-zone") {
        writeln!(script, "SET time_zone = '{zone}';").unwrap();
    }
    if definition.kind != ObjectKind::Table
        && let (Some(charset), Some(collation)) = (text("charset"), text("collation"))
    {
        writeln!(script, "SET character_set_client = utf8mb4;").unwrap();
        writeln!(script, "SET collation_connection = {collation};").unwrap();
        assert!(charset.starts_with("utf8"), "the client sends UTF-8");
    }
    writeln!(script, "DELIMITER $$\n{}\n$$\nDELIMITER ;", definition.text).unwrap();
}

/// The settings of a session in which a catalog was read.
pub fn settings_after_reading(database: &Database, set: &str) -> sqlx::mysql::MySqlRow {
    block_on(async {
        let mut connection = connect(database, "tester", set).await;
        let scope = Scope::default();
        mysql::read_catalog(&mut connection, &database.name, &scope).await.unwrap();
        let sql = "SELECT CAST(@@sql_mode AS CHAR), @@character_set_results, \
                   CAST(@@sql_quote_show_create AS CHAR)";
        sqlx::query(sql).fetch_one(&mut connection).await.unwrap()
    })
}
