//! From one schema to another on a real server, by the statements that are planned.

use deepdiff_db::engine::ddl::Ddl;
use deepdiff_db::engine::mysql::{MysqlDdl, MysqlTarget};
use deepdiff_db::engine::{OpenOptions, SourceUrl};
use deepdiff_db::model::{Catalog, Fact, ObjectKind};

use crate::my_lab::{self, line};
use crate::schema_plan::plan;
use crate::servers::{Database, Server};

/// What databases of these tests have in common.
pub const OPTIONS: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci";

/// The schema language of a server.
pub fn ddl(server: &Server) -> MysqlDdl {
    let version = server.run("mysql", "SELECT VERSION()");
    let program = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    MysqlDdl::of(&format!("{program} {version}"))
}

/// What differs between facts that should be there and those that are.
fn differences(expected: &[Fact], found: &[Fact]) -> Vec<String> {
    let strip = |fact: &Fact| line(&Fact { depends_on: Vec::new(), ..fact.clone() });
    let (expected, found): (Vec<String>, Vec<String>) =
        (expected.iter().map(strip).collect(), found.iter().map(strip).collect());
    let missing = expected.iter().filter(|line| !found.contains(line)).map(|l| format!("- {l}"));
    let extra = found.iter().filter(|line| !expected.contains(line)).map(|l| format!("+ {l}"));
    missing.chain(extra).collect()
}

/// Runs statements in a session that is pinned as that of a pack is.
pub fn run(database: &Database, ddl: &dyn Ddl, statements: &[String]) -> Result<(), String> {
    my_lab::block_on(async {
        let SourceUrl::Mysql(url) = database.url().parse().unwrap() else {
            panic!("because it is a server of MySQL")
        };
        let mut target = MysqlTarget::open(&url, &OpenOptions::default()).await.unwrap();
        let session = target.session().await.unwrap();
        for statement in ddl.preamble().iter().chain(statements) {
            session.execute(statement).map_err(|error| format!("{error}\n{statement}"))?;
        }
        // A session is left as it was.
        let pinned = "SELECT 1 FROM DUAL WHERE @@sql_mode LIKE 'NO_AUTO_VALUE%' \
                      AND @@character_set_client = 'utf8mb4' AND @@time_zone = '+00:00' \
                      AND @@character_set_results IS NULL INTO @pinned";
        session.execute(pinned).unwrap();
        session.execute("DO 1 / IF(@pinned = 1, 1, (SELECT 1 UNION SELECT 2))").unwrap();
        Ok(())
    })
}

/// Brings a database from what it is to another catalog; what went wrong.
pub fn migrate(database: &Database, after: &Catalog) -> Result<(), String> {
    let ddl = ddl(&database.server);
    let before = my_lab::catalog(database);
    let plan = plan(&ddl, &before, after);
    let text = |steps: &[deepdiff_db::pack::schema::SchemaStep]| {
        steps.iter().map(|step| step.statement.clone()).collect::<Vec<String>>()
    };
    let (first, second) = (text(&plan.before_rows), text(&plan.after_rows));
    let story =
        || format!("-- before rows\n{}\n-- after rows\n{}", first.join(";\n"), second.join(";\n"));
    if !plan.refusals.is_empty() || !plan.left_out.is_empty() {
        let refusals: Vec<String> = plan.refusals.iter().map(|r| format!("{r:?}")).collect();
        let left_out: Vec<String> = plan.left_out.iter().map(|l| format!("{l:?}")).collect();
        return Err(format!("refused: {}\n{}", refusals.join("\n"), left_out.join("\n")));
    }
    run(database, &ddl, &first).map_err(|error| format!("{error}\n{}", story()))?;
    let wrong = differences(&plan.facts_for_rows, &my_lab::catalog(database).facts);
    if !wrong.is_empty() {
        return Err(format!("midway:\n{}\n{}", wrong.join("\n"), story()));
    }
    run(database, &ddl, &second).map_err(|error| format!("{error}\n{}", story()))?;
    let wrong = differences(&after.facts, &my_lab::catalog(database).facts);
    let dropped = before.facts.iter().filter(|fact| fact.id.kind == ObjectKind::Table);
    let trash: Vec<String> =
        dropped.filter_map(|table| ddl.dropped_for_good(&table.id.object)).collect();
    run(database, &ddl, &trash)?;
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("at the end:\n{}\n{}", wrong.join("\n"), story())),
    }
}

/// Loads both schemas, and goes from the first to the second and back.
pub fn there_and_back(server: &Server, first: &str, second: &str) -> Result<(), String> {
    there_and_back_with(server, first, second, OPTIONS)
}

/// The same in databases with these options.
pub fn there_and_back_with(
    server: &Server,
    first: &str,
    second: &str,
    options: &str,
) -> Result<(), String> {
    let (a, b) = (server.database(options), server.database(options));
    for (database, script) in [(&a, first), (&b, second)] {
        let loaded = server.try_run(&database.name, script);
        if !loaded.status.success() {
            let error = String::from_utf8_lossy(&loaded.stderr).into_owned();
            return Err(format!("{}: does not load: {error}", server.name));
        }
    }
    let (start, end) = (my_lab::catalog(&a), my_lab::catalog(&b));
    migrate(&a, &end).map_err(|error| format!("{}: there: {error}", server.name))?;
    migrate(&a, &start).map_err(|error| format!("{}: back: {error}", server.name))
}
