//! The catalog of PostgreSQL against real schemas, with `pg_dump` for an oracle: two schemas have
//! equal facts exactly where their dumps have the same lines, whatever their order.
//!
//! A sample of the pairs in the shared data, or all of them where `DEEPDIFF_ALL_PAIRS` is set.

use std::collections::BTreeSet;
use std::process::Command;

use deepdiff_db::model::Catalog;
use serde_json::Value;

use crate::pg_catalog::{catalog, line};
use crate::servers::{self, Database, Server};
use crate::sqlite_database::shared_data;

/// How many pairs of each collection are tried.
const SAMPLE: usize = 4;

fn facts(catalog: &Catalog) -> Vec<String> {
    catalog.facts.iter().map(line).collect()
}

/// The lines of a dump of the schema, without their order and without what separates them. An
/// owner is named in a comment as well, which changes with it.
fn dumped(database: &Database) -> Vec<String> {
    let (server, name) = (&database.server, &database.name);
    let url = server.url(name);
    let output = Command::new("pg_dump").args(["-s", "-d", &url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with("--") && !line.starts_with("\\"))
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect();
    lines.sort();
    lines
}

/// Loads a script, if this server takes it.
fn loaded(server: &Server, scripts: &[&str]) -> Option<Database> {
    let database = server.database("");
    for script in scripts {
        if !server.try_run(&database.name, script).status.success() {
            return None;
        }
    }
    Some(database)
}

fn assert_known(catalog: &Catalog, what: &str) {
    let unknown: Vec<_> = catalog.not_captured.iter().filter(|thing| thing.is_unknown).collect();
    assert!(unknown.is_empty(), "{what}: {unknown:#?}");
}

/// Roles are of the whole server: they are made once, and left.
fn make_roles(server: &Server, notes: &Value) {
    let suites = notes["postgresql-15"].as_object().unwrap().values();
    let roles: BTreeSet<&str> = suites
        .flat_map(|suite| suite["roles_to_create"].as_array().unwrap())
        .map(|role| role.as_str().unwrap())
        .collect();
    // The dumps among them were made by `postgres`.
    for role in roles.into_iter().chain(["postgres"]) {
        let _ = server.try_run("postgres", &format!("CREATE ROLE \"{role}\";"));
    }
}

fn pairs_of(collection: &str) {
    let Some(data) = shared_data() else { return };
    let folder = data.join("schema-pairs");
    let notes = std::fs::read_to_string(folder.join("load-notes.json")).unwrap();
    let notes: Value = serde_json::from_str(&notes).unwrap();
    let server = servers::postgres();
    make_roles(&server, &notes);
    let text = std::fs::read_to_string(folder.join(format!("{collection}.jsonl"))).unwrap();
    let pairs: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|pair| pair["engine"] == "postgres")
        .filter(|pair| {
            let lists = ["do_not_load", "need_a_server_of_their_own"];
            !lists.iter().any(|list| {
                let ids = notes["postgresql-15"][collection][list].as_array();
                ids.is_some_and(|ids| ids.contains(&pair["id"]))
            })
        })
        .collect();
    let is_all = std::env::var_os("DEEPDIFF_ALL_PAIRS").is_some();
    let step = if is_all { 1 } else { (pairs.len() / SAMPLE).max(1) };
    let (mut read, mut wrong) = (0, Vec::new());
    for pair in pairs.iter().step_by(step) {
        let id = pair["id"].as_str().unwrap();
        let script = |name: &str| pair[name].as_str().unwrap_or_default();
        let (current, desired) = (
            loaded(&server, &[script("setup"), script("current")]),
            loaded(&server, &[script("setup"), script("desired")]),
        );
        let (Some(current), Some(desired)) = (current, desired) else { continue };
        let (left, right) = (catalog(&current), catalog(&desired));
        assert_known(&left, id);
        assert_known(&right, id);
        let is_same = dumped(&current) == dumped(&desired);
        if is_same != (facts(&left) == facts(&right)) {
            wrong.push(format!("{id}: {}", if is_same { "false difference" } else { "missed" }));
        }
        if read % 4 == 0 {
            let again = loaded(&server, &[script("setup"), script("desired")]).unwrap();
            assert_eq!(facts(&right), facts(&catalog(&again)), "{id}");
        }
        read += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > pairs.len() / step / 2, "{read} of {} pairs", pairs.len());
}

#[test]
fn schemas_of_sqldef_are_told_apart() {
    pairs_of("sqldef");
}

#[test]
fn schemas_of_pgschema_are_told_apart() {
    pairs_of("pgschema");
}

#[test]
fn schemas_of_apgdiff_are_told_apart() {
    pairs_of("apgdiff");
}

#[test]
fn schemas_of_tusker_are_told_apart() {
    pairs_of("tusker");
}

#[test]
fn states_of_a_long_chain_of_migrations_are_told_apart() {
    let Some(data) = shared_data() else { return };
    let text = std::fs::read_to_string(data.join("schema-pairs/chain-hydra-postgres.jsonl"));
    let server = servers::postgres();
    let database = server.database("");
    let (mut before, mut before_dump, mut states) = (Vec::new(), Vec::new(), 0);
    for (number, step) in text.unwrap().lines().enumerate() {
        let step: Value = serde_json::from_str(step).unwrap();
        database.sql(step["up"].as_str().unwrap_or_default());
        if number % 40 != 0 {
            continue;
        }
        let found = catalog(&database);
        assert_known(&found, &step["version"].to_string());
        let (after, after_dump) = (facts(&found), dumped(&database));
        assert_eq!(before == after, before_dump == after_dump, "{}", step["version"]);
        (before, before_dump) = (after, after_dump);
        states += 1;
    }
    assert!(states > 4, "{states}");
}
