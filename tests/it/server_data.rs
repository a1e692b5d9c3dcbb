//! Public data on PostgreSQL and MariaDB, where it is present: exact counts of differences, packs
//! that bring one version to the other and back.

use std::path::Path;

use crate::lab::{Counts, Lab, data_or_skip};
use crate::server_lab::{ENGINES, Engine};
use crate::servers::Database;

/// Loads a folder of CSV files by its own script.
fn from_csv(engine: Engine, dir: &Path) -> Database {
    let database = engine.database();
    let path = dir.to_str().unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    match engine {
        Engine::Postgres => {
            database.sql(&format!("\\cd '{path}'\n{}", read("load_pg.sql")));
        }
        Engine::Mariadb => {
            // The client runs no `source`, and has another folder.
            let script = read("load_mariadb.sql")
                .replace("source schema.sql", &read("schema.sql"))
                .replace("infile '", &format!("infile '{path}/"));
            database.sql(&script);
        }
    }
    database
}

/// Loads a script of statements.
fn from_script(engine: Engine, dir: &Path) -> Database {
    let database = engine.database();
    let name = match engine {
        Engine::Postgres => "postgres.sql",
        Engine::Mariadb => "mysql.sql",
    };
    database.sql(&std::fs::read_to_string(dir.join(name)).unwrap());
    database
}

/// Compares two databases; gives how many rows differ in which tables.
fn compare(old: &Database, new: &Database, expected: Counts) -> Vec<(String, Counts)> {
    let lab = Lab::new();
    let old_state = lab.snapshot(&old.url(), "old");
    let new_state = lab.snapshot(&new.url(), "new");
    let diff = lab.diff("old", "new");
    let mut changed = Vec::new();
    let mut sum: Counts = (0, 0, 0);
    for table in diff["tables"].as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        let counts = Lab::counts(&diff, name);
        sum = (sum.0 + counts.0, sum.1 + counts.1, sum.2 + counts.2);
        if counts != (0, 0, 0) {
            changed.push((name.to_owned(), counts));
        }
    }
    assert_eq!(sum, expected, "{changed:?}");
    // The same database, live, is no difference.
    lab.run(&["diff", "old", &old.url(), "--json"]).ok();
    assert_eq!(lab.snapshot(&old.url(), "again"), old_state);
    assert_eq!(lab.run(&["verify", "--full", "--json"]).ok().json()["outcome"], "ok");
    converge(&lab, old, &old_state, &new_state);
    changed
}

/// Packs the difference, applies it to the old database, and undoes it.
fn converge(lab: &Lab, old: &Database, old_state: &str, new_state: &str) {
    lab.run(&["pack", "old", "new", "-o", "change", "--allow", "all", "--allow", "large-delete"])
        .ok();
    let apply = ["apply", "change", "--to", &old.url()];
    lab.run(&[&apply[..], &["--dry-run"]].concat()).ok();
    assert_eq!(lab.snapshot(&old.url(), "dry"), old_state);
    lab.run(&apply).ok();
    assert_eq!(lab.snapshot(&old.url(), "applied"), new_state);
    lab.run(&[&apply[..], &["--rollback"]].concat()).ok();
    assert_eq!(lab.snapshot(&old.url(), "undone"), old_state);
}

#[test]
fn chinook_old_to_new() {
    let data = data_or_skip!().join("chinook");
    for engine in ENGINES {
        let (old, new) =
            (from_script(engine, &data.join("old")), from_script(engine, &data.join("new")));
        let (invoice, track) = match engine {
            Engine::Postgres => ("public.invoice", "public.track"),
            Engine::Mariadb => ("Invoice", "Track"),
        };
        let expected = [(invoice.to_owned(), (0, 0, 412)), (track.to_owned(), (0, 0, 1))];
        assert_eq!(compare(&old, &new, (0, 0, 413)), expected);
    }
}

fn csv_counts(engine: Engine, old: &Path, new: &Path, expected: Counts) {
    compare(&from_csv(engine, old), &from_csv(engine, new), expected);
}

#[test]
fn ourairports_2022_to_2024_on_postgres() {
    let data = data_or_skip!().join("ourairports");
    let (old, new) = (data.join("2022-01-01"), data.join("2024-08-01"));
    csv_counts(Engine::Postgres, &old, &new, (3_668, 288, 19_390));
}

#[test]
fn ourairports_2022_to_2024_on_mariadb() {
    let data = data_or_skip!().join("ourairports");
    let (old, new) = (data.join("2022-01-01"), data.join("2024-08-01"));
    csv_counts(Engine::Mariadb, &old, &new, (3_668, 288, 19_390));
}

#[test]
fn iso_2018_to_2022_to_2026() {
    let data = data_or_skip!().join("iso");
    for engine in ENGINES {
        csv_counts(engine, &data.join("2018"), &data.join("2022"), (677, 390, 1_673));
        csv_counts(engine, &data.join("2022"), &data.join("2026"), (300, 249, 751));
    }
}
