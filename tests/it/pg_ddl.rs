//! Schemas of PostgreSQL become others by the statements of its schema language, on every server
//! there is: from nothing to everything and back, and from one to another, until the catalogs are
//! equal.

use deepdiff_db::engine::ddl::Ddl as _;
use deepdiff_db::engine::postgres::PostgresDdl;
use deepdiff_db::model::Catalog;

use crate::pg_catalog::{catalog, differences, line, script_for};
use crate::schema_plan::plan;
use crate::servers::{Database, Server, postgres_servers};

/// The major version of a server.
pub fn version(server: &Server) -> u32 {
    let number = server.run("postgres", "SHOW server_version_num");
    number.trim().parse::<u32>().unwrap() / 10_000
}

fn lines(catalog: &Catalog) -> Vec<String> {
    catalog.facts.iter().map(line).collect()
}

/// Runs statements in one transaction, in a session like those that apply packs.
fn run(database: &Database, statements: &[String]) -> Result<(), String> {
    let mut script = "SET search_path = ''; BEGIN;\n".to_owned();
    for statement in statements {
        script.push_str(statement);
        script.push_str("\n;\n");
    }
    script.push_str("COMMIT;\n");
    let output = database.server.try_run(&database.name, &script);
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Turns a database into what another is.
pub fn converge(database: &Database, wanted: &Catalog) -> Result<Vec<String>, String> {
    let planned = plan(&PostgresDdl::default(), &catalog(database), wanted);
    if !planned.refusals.is_empty() {
        return Err(format!("{:#?}", planned.refusals));
    }
    let steps = planned.steps().map(|step| step.statement.clone());
    let statements: Vec<String> =
        PostgresDdl::default().preamble().into_iter().chain(steps).collect();
    run(database, &statements).map_err(|error| format!("{error}\n{}", statements.join(";\n")))?;
    let differ = differences(&lines(wanted), &lines(&catalog(database)));
    match differ.is_empty() {
        true => Ok(statements),
        false => Err(format!("{differ:#?}\n{}", statements.join(";\n"))),
    }
}

/// There and back, on one server.
pub fn round(server: &Server, before: &str, after: &str) -> Result<(), String> {
    let (here, there) = (server.database(""), server.database(""));
    for (database, script) in [(&here, before), (&there, after)] {
        let output = server.try_run(&database.name, script);
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {error}\n{script}", server.name));
        }
    }
    let (old, new) = (catalog(&here), catalog(&there));
    converge(&here, &new).map_err(|why| format!("{} forward: {why}", server.name))?;
    converge(&here, &old).map_err(|why| format!("{} back: {why}", server.name))?;
    Ok(())
}

/// X1, as far as facts have no secrets.
#[test]
fn x1_from_nothing_to_everything_and_back() {
    for server in postgres_servers() {
        let script = script_for(version(&server)).replace("api_token 'tok-hidden'", "more 'x'");
        let script = script
            .replace(", password 'srv-hidden'", "")
            .replace(", password 'map-hidden'", "")
            .replace(", secret_key 'ft-hidden'", "");
        round(&server, "", &script).unwrap_or_else(|why| panic!("{why}"));
    }
}
