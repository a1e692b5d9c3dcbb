//! `diff --format html` says what `--format jsonl` says, whatever names and values hold, and its
//! page is nothing but itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::lab::{Lab, Output, lab};
use crate::shop;

/// Text that would be markup, a script, or the end of one.
pub const HOSTILE: &str = "</script><img src=x onerror=\"window.hacked=1\">";

/// Two databases whose names and values are hostile, one difference a row.
pub fn hostile_lab() -> Lab {
    let name = HOSTILE.replace('"', "\"\"");
    let script = |side: &str| {
        format!(
            "CREATE TABLE \"{name}\"(id INTEGER PRIMARY KEY, \"<b>\u{2028}\" , \"__proto__\");
             INSERT INTO \"{name}\" VALUES
                (1, '{HOSTILE}{side}', '<!--<script>{side}'),
                (2, 'a\u{2028}b\u{2029}c\u{202e}d{side}', 'tab' || char(9, 10, 13, 0, 27, 127) || '{side}'),
                (3, CAST(x'ff3c2f7363726970743e{hex}' AS TEXT), x'00ff3c{hex}'),
                (4, '&lt;&#60;\\u003c\"''`{side}', '{{{{data}}}}{{{{script}}}}{side}'),
                (5, {int}, {real});
             CREATE VIEW \"view </script>\" AS SELECT '</script><script>window.hacked=1</script>{side}';",
            hex = if side == "a" { "41" } else { "42" },
            int = if side == "a" { "9223372036854775807" } else { "'9223372036854775807'" },
            real = if side == "a" { "1" } else { "1.0" },
        )
    };
    let lab = lab(&script("a"), &script("b"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab
}

/// The data of a page, by the id of its element.
struct Page {
    text: String,
    data: BTreeMap<String, Json>,
}

const OPENING: &str = "<script type=\"application/json\" id=\"";

impl Page {
    #[track_caller]
    fn of(output: &Output, code: i32) -> Page {
        assert_eq!(output.code, code, "{}", output.stderr);
        let text = output.stdout.clone();
        let mut data = BTreeMap::new();
        for part in text.split(OPENING).skip(1) {
            let (id, rest) = part.split_once("\">").unwrap();
            let json = rest.split_once("</script>").unwrap().0;
            data.insert(id.to_owned(), serde_json::from_str(json).unwrap());
        }
        Page { text, data }
    }

    fn meta(&self) -> &Json {
        &self.data["meta"]
    }

    fn items(&self, prefix: &str, blocks: &Json) -> Vec<Json> {
        let sizes = blocks.as_array().unwrap();
        let mut items = Vec::new();
        for (block, size) in sizes.iter().enumerate() {
            let found = self.data[&format!("{prefix}{block}")].as_array().unwrap();
            assert_eq!(json!(found.len()), *size);
            items.extend(found.iter().cloned());
        }
        items
    }

    /// The rows as `--format jsonl` prints them, and each table's counts after its rows.
    fn lines(&self) -> Vec<Json> {
        let mut lines = Vec::new();
        for (index, table) in self.meta()["tables"].as_array().unwrap().iter().enumerate() {
            let name = &table["name"];
            for row in self.items(&format!("t{index}-"), &table["blocks"]) {
                lines.push(line(name, table, &row));
            }
            lines.push(json!({ "table": name, "inserted": table["inserted"],
                "deleted": table["deleted"], "updated": table["updated"] }));
        }
        lines
    }
}

fn is_absent(cell: &Json) -> bool {
    cell["absent"] == true
}

fn line(name: &Json, table: &Json, row: &Json) -> Json {
    let column = |at: usize| table["columns"][at]["name"].as_str().unwrap().to_owned();
    let cells = |cells: &Json, wanted: &dyn Fn(usize) -> bool| -> Map<String, Json> {
        let all = cells.as_array().unwrap().iter().enumerate();
        all.filter(|(at, cell)| wanted(*at) && !is_absent(cell))
            .map(|(at, cell)| (column(at), cell.clone()))
            .collect()
    };
    let is_key = |at: usize| table["key"].as_array().unwrap().contains(&json!(at));
    if row[0] != "~" {
        let (change, side) = if row[0] == "+" { ("insert", "after") } else { ("delete", "before") };
        return json!({ "table": name, "change": change, "key": cells(&row[2], &is_key),
            side: cells(&row[2], &|_| true), "count": row[1] });
    }
    let told = |cell: &Json| if is_absent(cell) { Json::Null } else { cell.clone() };
    let olds = row[2].as_object().unwrap();
    let pairs: Map<String, Json> = olds
        .iter()
        .map(|(at, old)| {
            let at: usize = at.parse().unwrap();
            (column(at), json!([told(old), told(&row[1][at])]))
        })
        .collect();
    json!({ "table": name, "change": "update", "key": cells(&row[1], &is_key), "cells": pairs })
}

/// Checks a page against `--format jsonl`, and gives it.
#[track_caller]
fn same(lab: &Lab, flags: &[&str]) -> Page {
    let diff = |format| lab.run(&[&["diff", "prod", "dev", "--format", format], flags].concat());
    let jsonl = diff("jsonl");
    let page = Page::of(&diff("html"), jsonl.code);
    let lines: Vec<Json> =
        jsonl.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (schema, rows): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line["schema"].is_object());
    for (found, expected) in page.lines().iter().zip(&rows) {
        assert_eq!(found, expected);
    }
    assert_eq!(page.lines().len(), rows.len());
    let entries = page.items("s", &page.meta()["schema"]["blocks"]);
    assert_eq!(entries.is_empty(), schema.is_empty());
    page
}

#[test]
fn the_shop_as_jsonl_tells_it() {
    let lab = Lab::new();
    shop::prod(&lab.path(""));
    shop::dev(&lab.path(""));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let page = same(&lab, &[]);
    let meta = page.meta();
    assert_eq!((&meta["verdict"], &meta["from"]["name"]), (&json!("different"), &json!("prod")));
    assert_eq!(meta["to"]["state"], lab.run(&["show", "dev", "--json"]).ok().json()["state"]);
    // Columns stand as the table has them, not as they are stored.
    let prices = meta["tables"].as_array().unwrap().iter().find(|t| t["name"] == "prices").unwrap();
    assert_eq!(prices["columns"][0]["name"], "product_id");
    assert_eq!(prices["key"], json!([0, 1, 2]));
    for entry in page.items("s", &meta["schema"]["blocks"]) {
        let has = |side: &str| entry[side].as_str().is_some_and(|text| text.starts_with("CREATE"));
        let expected = match entry["sign"].as_str().unwrap() {
            "+" => (false, true),
            "-" => (true, false),
            _ => (true, true),
        };
        assert_eq!((has("before"), has("after")), expected, "{entry}");
    }
    same(&lab, &["--data"]);
    same(&lab, &["--schema"]);
    same(&lab, &["--table", "tax_rates", "--table", "prices"]);
    same(&lab, &["--columns", "amount_cents,valid_to"]);
    // The same difference is the same page.
    let again = lab.run(&["diff", "prod", "dev", "--format", "html"]);
    assert_eq!(again.stdout, page.text);
}

#[test]
fn hostile_names_and_values_stay_data() {
    let lab = hostile_lab();
    let page = same(&lab, &[]);
    let blocks = page.data.len();
    let lower = page.text.to_lowercase();
    // Each element begins and ends once; beside the data there is one script.
    for tag in ["<script", "</script"] {
        assert_eq!(lower.matches(tag).count(), blocks + 1, "{tag}");
    }
    assert!(!page.text.contains("<img") && !page.text.contains("<!--"));
    assert!(!page.text.contains('\u{2028}'));
    assert!(page.text.contains("default-src 'none'"));
}

#[test]
fn names_of_sides_are_text() {
    let lab = hostile_lab();
    let hostile = "</title><script>x";
    std::fs::copy(lab.path("dev.db"), lab.path("<b>&\"'.db")).unwrap();
    let page = Page::of(&lab.run(&["diff", "prod", "<b>&\"'.db", "--format", "html"]), 1);
    assert!(page.text.contains("<title>prod → &lt;b&gt;&amp;&quot;&#39;.db</title>"));
    assert_eq!(page.meta()["to"]["name"], "<b>&\"'.db");
    assert!(!page.text.contains(hostile));
}

#[test]
fn long_values_are_cut_around_what_differs() {
    let lab = lab(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w);
         INSERT INTO t VALUES(1, printf('%05000d', 0) || 'old', 'same' || printf('%0200d', 0));",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w);
         INSERT INTO t VALUES(1, printf('%05000d', 0) || 'new', 'same' || printf('%0200d', 0)),
            (2, zeroblob(3000), NULL);",
    );
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let page = Page::of(&lab.run(&["diff", "prod", "dev", "--format", "html"]), 1);
    let rows = page.items("t0-", &page.meta()["tables"][0]["blocks"]);
    let (new, old) = (&rows[0][1][1], &rows[0][2]["1"]);
    assert!(old["cut"].as_str().unwrap().ends_with("00old"), "{old}");
    assert!(new["cut"].as_str().unwrap().ends_with("00new"), "{new}");
    assert_eq!((&new["length"], &old["length"]), (&json!(5_003), &json!(5_003)));
    assert_eq!((&rows[0][1][2]["length"], &rows[0][2]["2"]), (&json!(204), &Json::Null));
    assert_eq!(rows[1][2][1]["length"], 3_000);
}

#[test]
fn a_limit_a_table_keeps_the_counts() {
    let row = "INSERT INTO t SELECT value FROM json_each('[1,2,3,4,5]');";
    let table = "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE u(id INTEGER PRIMARY KEY);";
    let lab = lab(table, &format!("{table}{row} INSERT INTO u VALUES(1);"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let page = Page::of(&lab.run(&["diff", "prod", "dev", "--format", "html", "--limit", "2"]), 1);
    let tables = page.meta()["tables"].as_array().unwrap();
    let told: Vec<(&Json, &Json)> =
        tables.iter().map(|t| (&t["inserted"], &t["written"])).collect();
    assert_eq!(told, [(&json!(5), &json!(2)), (&json!(1), &json!(1))]);
}

#[test]
fn equal_and_incomplete_are_told() {
    let db = "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,1);
        CREATE TABLE log(x); INSERT INTO log VALUES(1);";
    let lab = lab(db, db);
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let diff = |to| lab.run(&["diff", "prod", to, "--format", "html"]);
    assert_eq!(Page::of(&diff("dev"), 0).meta()["verdict"], "equal");
    std::fs::write(lab.path("deepdiff.toml"), "exclude = ['log']\n").unwrap();
    lab.snapshot("dev.db", "part");
    let page = Page::of(&diff("part"), 5);
    assert_eq!(page.meta()["verdict"], "incomplete");
    assert!(page.meta()["incomplete"].to_string().contains("table log is not compared"));
}

#[test]
fn values_that_were_not_stored_are_unknown() {
    let table = "CREATE TABLE t(id INTEGER PRIMARY KEY, v);";
    let lab = lab(
        &format!("{table} INSERT INTO t VALUES(1,'a'),(2,'b');"),
        &format!("{table} INSERT INTO t VALUES(1,NULL),(3,'c');"),
    );
    lab.snapshot("prod.db", "prod");
    lab.run(&["snapshot", "dev.db", "--ref", "dev", "--hash-only"]).ok();
    let page = Page::of(&lab.run(&["diff", "prod", "dev", "--format", "html"]), 1);
    let unknown = json!({ "unknown": true });
    assert_eq!(
        page.items("t0-", &page.meta()["tables"][0]["blocks"]),
        [
            json!(["~", [1, unknown], null]),
            json!(["-", 1, [2, "b"]]),
            json!(["+", 1, [3, unknown]]),
        ]
    );
    assert_eq!(page.meta()["to"]["hash_only"], true);
}

#[test]
fn a_pack_of_the_difference_is_told_with_it() {
    let lab = hostile_lab();
    let other = HOSTILE.replace('"', "\"\"");
    lab.sql(
        "dev.db",
        &format!("DELETE FROM \"{other}\" WHERE id = 5; DROP VIEW \"view </script>\";"),
    );
    lab.snapshot("dev.db", "dev");
    let made = lab.run(&["pack", "prod", "dev", "-o", "change", "--json"]).ok().json();
    let flags = ["diff", "prod", "dev", "--format", "html", "--pack", "change"];
    let page = Page::of(&lab.run(&flags), 1);
    let pack = &page.meta()["pack"];
    assert_eq!((&pack["digest"], &pack["complete"]), (&made["pack"], &json!(false)));
    assert_eq!(pack["rows"], made["rows"]);
    assert_eq!(pack["hazards"], made["hazards"]);
    let left_out = |side: &Json| -> Vec<(Json, Json)> {
        let items = side["left_out"].as_array().unwrap().iter();
        items.map(|item| (item["object"].clone(), item["reason"].clone())).collect()
    };
    assert_eq!((left_out(pack), left_out(pack).len()), (left_out(&made), 2));
    // An option can be pasted: its value is quoted.
    let left = pack["left_out"].as_array().unwrap();
    let delete = left.iter().find(|item| item["step"] == "delete").unwrap();
    assert_eq!(delete["allow"], json!([format!("--allow 'delete-rows:{HOSTILE}'")]));

    lab.run(&["diff", "dev", "prod", "--format", "html", "--pack", "change"])
        .fails(2, "no pack of this difference");
    lab.run(&["diff", "prod", "dev", "--pack", "change"]).fails(2, "--format html");
    std::fs::write(lab.path("change/summary.md"), "edited").unwrap();
    lab.run(&flags).fails(4, "summary.md");
}

/// A table is told with its indexes where it is new, on its own where it is not; what has no text
/// is told by what the catalog says.
#[test]
fn objects_before_and_after() {
    let lab = lab(
        "PRAGMA user_version = 1; CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t(a);",
        "PRAGMA user_version = 2; CREATE TABLE t(id INTEGER PRIMARY KEY, a, b TEXT, CHECK(a > 0));
         CREATE INDEX i ON t(a DESC); CREATE TABLE n(x UNIQUE); CREATE INDEX n_x ON n(x);",
    );
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let page = Page::of(&lab.run(&["diff", "prod", "dev", "--format", "html"]), 1);
    let schema = &page.meta()["schema"];
    assert_eq!((&schema["changes"], &schema["count"]), (&json!(5), &json!(4)));
    let entries = page.items("s", &schema["blocks"]);
    let told: Vec<String> = entries
        .iter()
        .map(|e| format!("{} {} {}", e["sign"], e["kind"], e["name"]).replace('"', ""))
        .collect();
    assert_eq!(told, ["~ setting user_version", "+ table n", "~ table t", "~ index i"]);
    let text = |entry: usize, side: &str| entries[entry][side].as_str().unwrap().to_owned();
    assert_eq!(text(0, "before"), "setting user_version\n    value: 1");
    assert_eq!(text(0, "after"), "setting user_version\n    value: 2");
    assert_eq!(entries[1]["before"], Json::Null);
    assert_eq!(text(1, "after"), "CREATE TABLE n(x UNIQUE);\n\nCREATE INDEX n_x ON n(x);");
    assert_eq!(entries[1]["parts"], "1 column, 1 unique constraint, 1 index");
    assert_eq!(text(2, "before"), "CREATE TABLE t(id INTEGER PRIMARY KEY, a);");
    assert_eq!(entries[2]["facts"], json!([["+", "column t.b", []], ["+", "check t.(a > 0)", []]]));
    assert_eq!(text(3, "after"), "CREATE INDEX i ON t(a DESC);");
}
