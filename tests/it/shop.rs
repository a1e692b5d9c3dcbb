//! The bundled shop as SQLite databases, loaded by SQLite's own program.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lab::Lab;
use crate::rust_source::root;

/// Makes the shop as production has it in `folder`.
pub fn prod(folder: &Path) -> PathBuf {
    let database = folder.join("prod.db");
    load(&database, "prod.sql");
    database
}

/// Makes the shop as the developer left it in `folder`.
pub fn dev(folder: &Path) -> PathBuf {
    let database = folder.join("dev.db");
    load(&database, "prod.sql");
    load(&database, "dev.sql");
    database
}

/// What SQLite's own program prints for these statements.
pub fn sqlite3(database: &Path, sql: &str) -> String {
    run(Command::new("sqlite3").arg("-bail").arg(database).arg(sql).stdin(Stdio::null()))
}

fn load(database: &Path, script: &str) {
    let script = File::open(root().join("fixtures/shop").join(script)).unwrap();
    run(Command::new("sqlite3").arg("-bail").arg(database).stdin(script));
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("sqlite3 is installed (tests/run installs it)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_shop_loads_and_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    for database in [prod(folder.path()), dev(folder.path())] {
        assert_eq!(sqlite3(&database, "PRAGMA integrity_check"), "ok\n");
        assert_eq!(sqlite3(&database, "PRAGMA foreign_key_check"), "");
    }
}

/// Where it does not, run `fixtures/example-store`.
#[test]
fn the_example_store_holds_the_shop() {
    let lab = Lab::new();
    prod(&lab.path(""));
    dev(&lab.path(""));
    let example = root().join(".deepdiff-example");
    let example = example.to_str().unwrap();
    for name in ["prod", "dev"] {
        let state = lab.snapshot(&format!("{name}.db"), name);
        let shown = lab.run(&["--store", example, "show", name, "--json"]).ok().json();
        assert_eq!(shown["state"], state, "{name}");
        assert_eq!(shown["source"]["identity"], format!("/tmp/deepdiff-shop/{name}.db"));
    }
    lab.run(&["--store", example, "diff", "prod", "dev"]).fails(1, "87 rows updated");
    lab.run(&["--store", example, "verify", "--full"]).ok();
}

#[test]
fn the_developer_changed_only_what_a_pack_can_carry() {
    let folder = tempfile::tempdir().unwrap();
    let (prod, dev) = (prod(folder.path()), dev(folder.path()));
    let changed = format!(
        "ATTACH '{}' AS dev; \
         SELECT p.type || ' ' || p.name FROM main.sqlite_schema AS p \
         JOIN dev.sqlite_schema AS d ON d.type = p.type AND d.name = p.name \
         WHERE d.sql <> p.sql ORDER BY 1",
        dev.display()
    );
    // Two tables have a column more; a view was dropped and made again.
    let expected = "table customers\ntable products\nview current_prices\n";
    assert_eq!(sqlite3(&prod, &changed), expected);
}
