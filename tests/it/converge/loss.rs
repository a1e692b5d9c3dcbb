//! What an applied pack destroyed, and whether it said so: rows and columns that were seen before
//! and are not there after, against what `pack.json` declares.

use std::path::Path;

use serde_json::Value as Json;

use super::observe::Observation;

/// What is gone and was not declared, for people.
pub fn undeclared(pack: &Path, before: &Observation, after: &Observation) -> Vec<String> {
    let text = match std::fs::read_to_string(pack.join("pack.json")) {
        Ok(text) => text,
        Err(error) => return vec![format!("pack.json cannot be read: {error}")],
    };
    let manifest: Json = match serde_json::from_str(&text) {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("pack.json is no JSON: {error}")],
    };
    let declared = Declared { manifest: &manifest };
    let mut gone = Vec::new();
    for (name, rows) in &before.tables {
        match after.tables.get(name) {
            Some(left) => {
                let (inserted, deleted) = declared.rows(name);
                if rows.count + inserted != left.count + deleted && left.count < rows.count {
                    gone.push(format!(
                        "table {name}: {} rows became {}, declared are {inserted} inserted and \
                         {deleted} deleted",
                        rows.count, left.count
                    ));
                }
                // A column of one value may hold nothing but its default, which is no loss.
                let dropped = rows.columns.iter().filter(|(column, values)| {
                    values.values() > 1 && !left.columns.contains_key(*column)
                });
                for (column, values) in dropped {
                    if deleted < rows.count && !declared.loses(name) {
                        let values = values.values();
                        gone.push(format!("column {name}.{column}: {values} different values"));
                    }
                }
            }
            None if rows.count > 0 && !declared.loses(name) => {
                gone.push(format!("table {name}: {} rows", rows.count));
            }
            None => {}
        }
    }
    gone
}

/// What a pack says of itself.
struct Declared<'a> {
    manifest: &'a Json,
}

impl Declared<'_> {
    /// Rows inserted into a table and deleted from it.
    fn rows(&self, table: &str) -> (u64, u64) {
        let tables = self.manifest["migration"]["tables"].as_array();
        let found = tables.into_iter().flatten().find(|entry| entry["name"] == table);
        found.map_or((0, 0), |entry| {
            (entry["inserted"].as_u64().unwrap_or(0), entry["deleted"].as_u64().unwrap_or(0))
        })
    }

    /// Whether there is a hazard of data loss for a table or something in it.
    fn loses(&self, table: &str) -> bool {
        let hazards = self.manifest["hazards"].as_array();
        hazards.into_iter().flatten().any(|hazard| {
            let object = hazard["object"].as_str().unwrap_or_default();
            let is_in = object == table
                || object.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
            hazard["kind"] == "data-loss" && is_in
        })
    }
}

#[test]
fn what_goes_must_be_declared() {
    use super::pairs::Side;
    use super::place::{Engine, Place};
    let dir = tempfile::tempdir().unwrap();
    let look = |name: &str, script: &str| {
        let place = Place::create(&Engine::Sqlite, dir.path(), name);
        let side = Side { setup: String::new(), schema: script.to_owned(), seed: String::new() };
        place.load_side(&side).unwrap();
        Observation::of(&place).unwrap()
    };
    let before = look(
        "before",
        "CREATE TABLE t (i, a); INSERT INTO t VALUES (1, 'x'), (2, 'y');
         CREATE TABLE u (i); INSERT INTO u VALUES (1);",
    );
    let after = look("after", "CREATE TABLE t (i); INSERT INTO t VALUES (1);");
    let gone = |manifest: &str| {
        std::fs::write(dir.path().join("pack.json"), manifest).unwrap();
        undeclared(dir.path(), &before, &after)
    };
    assert_eq!(
        gone("{}"),
        [
            "table t: 2 rows became 1, declared are 0 inserted and 0 deleted",
            "column t.a: 2 different values",
            "table u: 1 rows",
        ]
    );
    let declared = r#"{"migration": {"tables": [{"name": "t", "inserted": 0, "deleted": 1}]},
        "hazards": [{"kind": "data-loss", "object": "t.a"}, {"kind": "data-loss", "object": "u"}]}"#;
    assert_eq!(gone(declared), Vec::<String>::new());
    assert_eq!(gone(&declared.replace("t.a", "tea")), ["column t.a: 2 different values"]);
}
