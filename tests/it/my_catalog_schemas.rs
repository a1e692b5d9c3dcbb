//! The catalog of MariaDB against schemas that people wrote: pairs of them, and a long chain of
//! migrations. Skipped where the shared data is not there.

use std::collections::BTreeSet;

use crate::my_lab::{assert_known, assert_same_lines, catalog, changes, entry, lines, rebuilding};
use crate::servers::{self, Database};
use crate::sqlite_database::shared_data;

/// Every how many-th schema is loaded; all of them would take minutes.
const EVERY: usize = 10;

fn load(script: &str) -> Option<Database> {
    let database = servers::mariadb().database("CHARACTER SET utf8mb4");
    let output = database.server.try_run(&database.name, script);
    output.status.success().then_some(database)
}

#[test]
fn schemas_of_pairs_are_understood_made_again_and_told_apart() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("schema-pairs");
    let notes = std::fs::read_to_string(folder.join("load-notes.json")).unwrap();
    let notes: serde_json::Value = serde_json::from_str(&notes).unwrap();
    let skipped: BTreeSet<&str> = notes["mariadb-10.11"]["sqldef"]["do_not_load"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let text = std::fs::read_to_string(folder.join("sqldef.jsonl")).unwrap();
    let pairs = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|pair| pair["engine"] == "mysql")
        .filter(|pair| !skipped.contains(pair["id"].as_str().unwrap()));
    let (mut understood, mut differ, mut wrong) = (0, 0, Vec::new());
    for pair in pairs.step_by(EVERY) {
        let name = &pair["name"];
        let script = |side: &str| {
            let text = |key: &str| pair[key].as_str().unwrap_or_default().to_owned();
            format!("{}\n;{}", text("setup"), text(side))
        };
        let mut sides = Vec::new();
        for side in ["current", "desired"] {
            let Some(database) = load(&script(side)) else { continue };
            let told = catalog(&database);
            let unknown = told.not_captured.iter().filter(|entry| entry.is_unknown);
            wrong.extend(unknown.map(|unknown| format!("{name} {side}: {}", entry(unknown))));
            match load(&rebuilding(&told)) {
                Some(again) => {
                    let changes = changes(&told, &catalog(&again));
                    wrong.extend(changes.iter().map(|line| format!("{name} {side}: {line}")));
                }
                None => wrong.push(format!("{name} {side}: is not made again")),
            }
            understood += 1;
            sides.push(lines(&told));
        }
        if let [current, desired] = sides.as_slice()
            // What MySQL alone tells apart is left out.
            && pair["meta"]["flavor"] != "mysql"
            && pair["meta"]["up"].as_str().is_some_and(|up| !up.trim().is_empty())
        {
            differ += 1;
            if current == desired {
                wrong.push(format!("{name}: both sides are equal"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(understood > 30 && differ > 10, "{understood} {differ}");
}

#[test]
fn a_long_chain_of_migrations_is_understood_at_every_tenth_state() {
    let Some(data) = shared_data() else { return };
    let text = std::fs::read_to_string(data.join("schema-pairs/chain-hydra-mysql.jsonl")).unwrap();
    let steps: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let database = servers::mariadb().database("CHARACTER SET utf8mb4");
    let mut last = Vec::new();
    let mut states = 0;
    for steps in steps.chunks(10) {
        let ups: Vec<&str> = steps.iter().filter_map(|step| step["up"].as_str()).collect();
        let output = database.server.try_run(&database.name, &ups.join("\n;\n"));
        if !output.status.success() {
            // MariaDB has no CAST(… AS JSON).
            break;
        }
        let told = catalog(&database);
        assert_known(&told, &steps[0]["version"].to_string());
        let facts = lines(&told);
        if ups.iter().any(|up| up.to_ascii_uppercase().contains("ADD COLUMN")) {
            assert_ne!(facts, last, "{}", steps[0]["version"]);
        }
        last = facts;
        states += 1;
    }
    assert!(states > 15, "{states}");
    let told = catalog(&database);
    let again = load(&rebuilding(&told)).expect("because the definitions are the server's own");
    assert_same_lines(&catalog(&again), &told);
}
