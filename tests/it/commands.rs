//! The commands as a person uses them: what they print, and that JSON holds what docs/json.md says.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value as Json, json};

use crate::lab::{Lab, lab};

const PROD: &str = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, photo BLOB);
    INSERT INTO item VALUES(1,'tea',2.5,NULL),(2,'cup',4.0,x'00FF'),(3,'pot',19.0,NULL);
    CREATE TABLE log(line TEXT); INSERT INTO log VALUES('open'),('open'),('close');
    CREATE VIEW cheap AS SELECT * FROM item WHERE price < 5;";
const DEV: &str = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, photo BLOB);
    INSERT INTO item VALUES(1,'tea',2.75,NULL),(2,'cup',4.0,x'00FE'),(4,'jug',12.0,NULL);
    CREATE TABLE log(line TEXT); INSERT INTO log VALUES('open'),('close'),('close');
    CREATE INDEX item_name ON item(name);
    CREATE VIEW cheap AS SELECT * FROM item WHERE price < 5;";

fn shop() -> Lab {
    let lab = lab(PROD, DEV);
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab
}

#[test]
fn diff_as_text() {
    let lab = shop();
    let run = lab.run(&["diff", "prod", "dev"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.stdout, @r"
     item | 4 +-~~
     log  | 2 +-
     1 schema change, 2 tables changed, 2 rows inserted, 2 rows deleted, 2 rows updated

    schema
    + index item_name

    table item
    ~ id=1
        price: 2.5 → 2.75
    ~ id=2
        photo: x'00ff' → x'00fe'
    - id=3  name='pot'  price=19.0
    + id=4  name='jug'  price=12.0
      1 inserted, 1 deleted, 2 updated

    table log
    - line='open'
    + line='close'
      1 inserted, 1 deleted, 0 updated
    ");
    lab.run(&["diff", "prod", "prod"]).ok();
}

/// Short differences are kept as text while they are counted; long ones are found a second time.
#[test]
fn a_long_difference_prints_every_row_once() {
    let lab = lab(
        "CREATE TABLE few(id INTEGER PRIMARY KEY, v); INSERT INTO few VALUES(1,'a');
         CREATE TABLE many(id INTEGER PRIMARY KEY, v, w);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
         INSERT INTO many SELECT i, printf('%.500c', 'x') || i, i FROM n;
         CREATE TABLE zero(id INTEGER PRIMARY KEY, v); INSERT INTO zero VALUES(1,'a');",
        "CREATE TABLE few(id INTEGER PRIMARY KEY, v); INSERT INTO few VALUES(1,'b');
         CREATE TABLE many(id INTEGER PRIMARY KEY, v, w);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
         INSERT INTO many SELECT i, printf('%.500c', 'y') || i, i FROM n;
         CREATE TABLE zero(id INTEGER PRIMARY KEY, v); INSERT INTO zero VALUES(1,'b');",
    );
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let text = lab.run(&["diff", "prod", "dev"]).stdout;
    assert!(text.len() > 3 << 19, "{}", text.len());
    let starts = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
    assert_eq!((starts("table "), starts("~ id="), starts("    v: ")), (3, 6002, 6002));
    assert_eq!((starts("    w: "), starts("  0 inserted, 0 deleted, 6000 updated")), (0, 1));
    assert!(text.contains(" 3 tables changed, 6002 rows updated"), "{}", &text[..400]);
}

#[test]
fn diff_as_one_json_object() {
    let lab = shop();
    let diff = lab.diff("prod", "dev");
    assert_eq!(diff["verdict"], "different");
    assert_eq!(
        diff["schema"],
        json!([{"kind": "index", "name": "item_name", "change": "created"}])
    );
    assert_eq!(
        diff["tables"],
        json!([
            {"name": "item", "inserted": 1, "deleted": 1, "updated": 2},
            {"name": "log", "inserted": 1, "deleted": 1, "updated": 0},
        ])
    );
    for side in ["from", "to"] {
        assert_eq!(diff[side]["snapshot"].as_str().unwrap().len(), 64);
        assert_eq!(diff[side]["state"].as_str().unwrap().len(), 64);
    }
    assert!(diff["not_captured"].is_array());
}

#[test]
fn diff_in_other_formats() {
    let lab = shop();
    let lines = lab.run(&["diff", "prod", "dev", "--format", "jsonl", "--data"]);
    assert_eq!(lines.code, 1);
    let lines: Vec<Json> =
        lines.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["cells"], json!({"price": [{"float": "2.5"}, {"float": "2.75"}]}));
    assert_eq!(lines[1]["cells"], json!({"photo": [{"base64": "AP8="}, {"base64": "AP4="}]}));
    let sql = lab.run(&["diff", "prod", "dev", "--format", "sql", "--data"]).stdout;
    assert!(sql.contains("INSERT INTO") && sql.contains("DELETE FROM"), "{sql}");
    let markdown = lab.run(&["diff", "prod", "dev", "--format", "markdown"]).stdout;
    assert!(markdown.contains("### item") && markdown.contains("| ~ |"), "{markdown}");
}

#[test]
fn diff_with_filters() {
    let lab = shop();
    let only = lab.run(&["diff", "prod", "dev", "--table", "log", "--json"]).json();
    assert_eq!(only["tables"].as_array().unwrap().len(), 1);
    let columns = lab.run(&["diff", "prod", "dev", "--columns", "price", "--json"]).json();
    assert_eq!(Lab::counts(&columns, "item"), (1, 1, 1));
    let schema = lab.run(&["diff", "prod", "dev", "--schema", "--json"]).json();
    assert_eq!(schema["tables"], json!([]));
    let limited = lab.run(&["diff", "prod", "dev", "--limit", "1", "--table", "item"]).stdout;
    assert!(limited.contains("and 3 more"), "{limited}");
    let stat = lab.run(&["diff", "prod", "dev", "--stat"]).stdout;
    assert_eq!(stat.lines().count(), 4, "{stat}");
}

#[test]
fn diff_of_a_live_source() {
    let lab = shop();
    assert_eq!(lab.run(&["diff", "prod", "sqlite:prod.db"]).code, 0);
    lab.sql("prod.db", "UPDATE item SET price = 3 WHERE id = 1;");
    let diff = lab.run(&["diff", "prod", "sqlite:prod.db", "--json"]).json();
    assert_eq!(Lab::counts(&diff, "item"), (0, 0, 1));
}

#[test]
fn diff_into_a_closed_pipe() {
    let lab = shop();
    let mut child = lab
        .command(&["diff", "prod", "dev"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(141), "an answer nobody heard is not `equal`");
}

/// Names that a terminal, or a reader of SQL, would take for something else.
#[test]
fn names_stay_on_their_line() {
    let name = "a\nDROP TABLE b; --\u{1b}[31m";
    let table = format!("CREATE TABLE \"{name}\"(\"c\nd\" INTEGER PRIMARY KEY, v);");
    let insert = |v: u8| format!("{table} INSERT INTO \"{name}\" VALUES(1, {v});");
    let lab = lab(&insert(1), &format!("{} CREATE VIEW \"v\n;\" AS SELECT 1;", insert(2)));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    for command in [
        &["diff", "prod", "dev"][..],
        &["diff", "prod", "dev", "--stat"],
        &["diff", "prod", "dev", "--format", "markdown"],
        &["ls", "prod"],
        &["show", "dev"],
        &["check", "dev.db"],
        &["pack", "prod", "dev", "-o", "change"],
        &["cat", "nosuch", "--at", "prod"],
        &["cat", name, "--at", "prod"],
    ] {
        let said = lab.run(command);
        let said = format!("{}{}", said.stdout, said.stderr);
        assert!(!said.contains('\u{1b}'), "{said}");
        assert!(!said.lines().any(|line| line.starts_with("DROP")), "{said}");
    }
    let sql = lab.run(&["diff", "prod", "dev", "--format", "sql"]).stdout;
    let comments: Vec<&str> = sql.lines().filter(|line| line.starts_with("--")).collect();
    let expected = [r"-- schema: + view v\n;", r"-- a\nDROP TABLE b; --\u{1b}[31m"];
    assert_eq!(comments, expected);
}

#[test]
fn numbers_beyond_reason() {
    let lab = shop();
    lab.run(&["snapshot", "prod.db", "--ref", "prod", "--jobs", "100000"]).fails(2, "--jobs");
    lab.run(&["snapshot", "prod.db", "--ref", "prod", "--jobs", "0"]).fails(2, "--jobs");
    let most = u64::MAX.to_string();
    lab.run(&["verify", "--budget", &most]).ok();
    lab.run(&["gc", "--grace-days", &most, "--log-days", &most]).ok();
    assert!(lab.run(&["log", "-n", "0"]).ok().stdout.is_empty());
    assert_eq!(lab.run(&["diff", "prod", "dev", "--limit", &most]).code, 1);
}

#[test]
fn one_name_means_one_thing() {
    let lab = shop();
    lab.run(&["tag", "prod", "dev"]).fails(4, "one name");
    lab.run(&["tag", "v1", "prod"]).ok();
    lab.run(&["ref", "v1", "dev"]).fails(4, "one name");
    lab.run(&["snapshot", "dev.db", "--ref", "v1"]).fails(4, "one name");
    lab.run(&["snapshot", "source:nosuch"]).fails(2, "names no source `nosuch`");
}

#[test]
fn cat_and_ls() {
    let lab = shop();
    let row = lab.run(&["cat", "item", "2", "--at", "prod"]).ok().stdout;
    assert_eq!(row, "id=2  name='cup'  photo=x'00ff'  price=4.0\n");
    assert_eq!(lab.run(&["cat", "item", "9", "--at", "prod"]).code, 1);
    let all = lab.run(&["cat", "log", "--at", "prod"]).ok().stdout;
    assert!(all.contains("line='open'  × 2"), "{all}");
    let tables = lab.run(&["ls", "prod", "--json"]).ok().json();
    assert_eq!(tables["tables"][0]["name"], "item");
    assert_eq!(tables["tables"][0]["rows"], 3);
    assert_eq!(tables["tables"][1]["key"], json!([]));
}

#[test]
fn cat_finds_null_keys() {
    let lab = lab(
        "CREATE TABLE t(a TEXT, b INTEGER, v, PRIMARY KEY(a, b));
         INSERT INTO t VALUES(NULL,1,'null'),('NULL',1,'text'),(NULL,NULL,'x'),(NULL,NULL,'y');",
        "",
    );
    lab.snapshot("prod.db", "prod");
    let both = lab.run(&["cat", "t", "NULL", "1", "--at", "prod"]).ok().stdout;
    assert_eq!(both, "a=NULL  b=1  v='null'\na='NULL'  b=1  v='text'\n");
    let nulls = lab.run(&["cat", "t", "NULL", "NULL", "--at", "prod"]).ok().stdout;
    assert_eq!(nulls.lines().count(), 2, "{nulls}");
    lab.run(&["cat", "t", "x", "NULL", "--at", "prod"]).fails(1, "no row");
}

#[test]
fn a_wrong_command_line_as_json() {
    let lab = Lab::new();
    for wrong in [&["dif", "--json"][..], &["--json", "diff", "a"], &["cat", "--json", "--no"]] {
        let said = lab.run(wrong);
        assert_eq!(said.code, 2);
        let error = said.json();
        assert_eq!(error["exit"], 2);
        assert!(!error["error"].as_str().unwrap().starts_with("error"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("Usage:"), "{error}");
        assert!(said.stderr.starts_with("error: "), "{}", said.stderr);
    }
    assert!(lab.run(&["dif"]).fails(2, "dif").stdout.is_empty());
    assert!(lab.run(&["--json", "--version"]).ok().stdout.starts_with("deepdiff-db "));
}

#[test]
fn history_of_a_ref() {
    let lab = shop();
    let first = lab.run(&["show", "prod", "--json"]).ok().json();
    lab.sql("prod.db", "DELETE FROM log;");
    lab.run(&["snapshot", "prod.db", "--ref", "prod", "-m", "emptied the log"]).ok();
    let log = lab.run(&["log", "prod", "--json"]).ok().json();
    let log = log["snapshots"].as_array().unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0]["message"], "emptied the log");
    assert_eq!(log[1]["snapshot"], first["snapshot"]);
    assert_eq!(log[0]["parents"], json!([first["snapshot"]]));
    assert_eq!(Lab::counts(&lab.diff("prod~1", "prod"), "log"), (0, 3, 0));
    assert_eq!(Lab::counts(&lab.diff("prod", "prod~"), "log"), (3, 0, 0));
    let now = lab.run(&["show", "prod@2999-01-01", "--json"]).ok().json();
    assert_eq!(now["snapshot"], log[0]["snapshot"]);
    let short = &first["snapshot"].as_str().unwrap()[..12];
    assert_eq!(lab.run(&["show", short, "--json"]).ok().json()["state"], first["state"]);
    let schema = lab.run(&["show", "prod", "--schema"]).ok().stdout;
    assert!(schema.contains("CREATE VIEW cheap"), "{schema}");
}

#[test]
fn tags_and_refs() {
    let lab = shop();
    lab.run(&["tag", "v1", "prod"]).ok();
    lab.run(&["tag", "v1", "dev"]).fails(4, "v1");
    lab.run(&["tag", "v1", "dev", "--force"]).ok();
    assert_eq!(lab.diff("v1", "dev")["verdict"], "equal");
    assert!(lab.run(&["tag"]).ok().stdout.contains("v1"));
    lab.run(&["tag", "--delete", "v1"]).ok();
    lab.run(&["show", "v1"]).fails(2, "v1");
    lab.run(&["ref", "release/1", "prod"]).ok();
    assert!(lab.run(&["ref", "release/1", "--log"]).ok().stdout.contains("tester"));
    lab.run(&["ref", "--delete", "release/1"]).ok();
    lab.run(&["show", "release/1"]).fails(2, "release/1");
}

#[test]
fn restore_is_exact_and_refuses_to_overwrite() {
    let lab = shop();
    let restored = lab.run(&["restore", "prod", "--to", "sqlite:new.db", "--json"]).ok().json();
    assert_eq!(restored["rows"], 6);
    assert_eq!(lab.snapshot("new.db", "new"), lab.snapshot("prod.db", "again"));
    lab.run(&["restore", "dev", "--to", "sqlite:new.db"]).fails(3, "new.db");
}

#[test]
fn hash_only_snapshots() {
    let lab = shop();
    let state = lab.run(&["show", "prod", "--json"]).ok().json()["state"].clone();
    let other = Lab::new();
    std::fs::copy(lab.path("prod.db"), other.path("prod.db")).unwrap();
    std::fs::copy(lab.path("dev.db"), other.path("dev.db")).unwrap();
    for name in ["prod", "dev"] {
        let db = format!("{name}.db");
        let taken =
            other.run(&["snapshot", &db, "--ref", name, "--hash-only", "--json"]).ok().json();
        assert_eq!(taken["state"] == state, name == "prod");
    }
    assert_eq!(Lab::counts(&other.diff("prod", "dev"), "item"), (1, 1, 2));
    other.run(&["cat", "item", "--at", "prod"]).fails(5, "values");
    other.run(&["restore", "prod", "--to", "sqlite:x.db"]).fails(3, "values");
    other.run(&["verify", "--full"]).ok();
    assert!(!other.path("x.db").exists(), "nothing half-written is left");
}

#[test]
fn keyed_and_sha256_stores() {
    let plain = shop();
    let state = |lab: &Lab| lab.run(&["show", "prod", "--json"]).ok().json()["state"].clone();
    for flags in [vec!["--hash", "sha256"], vec!["--hash-key-file", "key"]] {
        let lab = lab(PROD, DEV);
        std::fs::remove_dir_all(lab.path(".deepdiff")).unwrap();
        std::fs::write(lab.path("key"), [7u8; 32]).unwrap();
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(lab.path("key"), own).unwrap();
        lab.run(&[&["init"], &flags[..]].concat()).ok();
        let key: &[&str] = if flags.contains(&"key") { &["--hash-key-file", "key"] } else { &[] };
        for name in ["prod", "dev"] {
            let db = format!("{name}.db");
            lab.run(&[&["snapshot", &db, "--ref", name], key].concat()).ok();
        }
        let diff = lab.run(&[&["diff", "prod", "dev", "--json"], key].concat()).json();
        assert_eq!(Lab::counts(&diff, "item"), (1, 1, 2));
        if key.is_empty() {
            assert_ne!(state(&lab), state(&plain));
        } else {
            lab.run(&["diff", "prod", "dev"]).fails(3, "key");
            std::fs::write(lab.path("wrong"), [8u8; 32]).unwrap();
            lab.run(&["--hash-key-file", "wrong", "log"]).fails(3, "key");
        }
    }
}

#[test]
fn gc_removes_what_nothing_names() {
    let lab = shop();
    lab.run(&["ref", "--delete", "dev"]).ok();
    lab.run(&["gc", "--dry-run", "--log-days", "0", "--grace-days", "0"]).ok();
    lab.run(&["verify"]).ok();
    for _ in 0..2 {
        lab.run(&["gc", "--log-days", "0", "--grace-days", "0"]).ok();
    }
    lab.run(&["verify", "--full"]).ok();
    lab.run(&["cat", "item", "--at", "prod"]).ok();
    lab.run(&["snapshot", "dev.db", "--ref", "dev"]).ok();
    assert_eq!(Lab::counts(&lab.diff("prod", "dev"), "item"), (1, 1, 2));
}

#[test]
fn named_sources() {
    let lab = lab(PROD, DEV);
    let config = "exclude = ['log']\n[sources.prod]\nurl = 'sqlite:prod.db'\n";
    std::fs::write(lab.path("deepdiff.toml"), config).unwrap();
    lab.run(&["snapshot", "prod"]).ok();
    let shown = lab.run(&["show", "prod", "--json"]).ok().json();
    assert_eq!(shown["source"]["label"], "prod");
    assert_eq!(shown["tables"].as_array().unwrap().len(), 1, "log is left out: {shown}");
    lab.run(&["check", "prod"]).ok();
    assert_eq!(lab.run(&["diff", "prod", "source:prod"]).code, 0);
}

#[test]
fn a_key_of_the_configuration() {
    let table = "CREATE TABLE t(code TEXT, v);";
    let lab = lab(
        &format!("{table}INSERT INTO t VALUES('a',1),('b',2);"),
        &format!("{table}INSERT INTO t VALUES('a',1),('b',3);"),
    );
    std::fs::write(lab.path("deepdiff.toml"), "[keys]\nt = ['code']\n").unwrap();
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    assert_eq!(Lab::counts(&lab.diff("prod", "dev"), "t"), (0, 0, 1));
    lab.sql("dev.db", "INSERT INTO t VALUES('b',9);");
    lab.run(&["snapshot", "dev.db", "--ref", "dev"]).fails(3, "'b'");
}

#[test]
fn completions_and_manual_pages() {
    let lab = Lab::new();
    assert!(lab.run(&["completions", "bash"]).ok().stdout.contains("deepdiff-db"));
    lab.run(&["man", "pages"]).ok();
    let page = std::fs::read_to_string(lab.path("pages/deepdiff-db-diff.1")).unwrap();
    assert!(page.contains("diff"), "{page}");
}

#[test]
fn demo_runs_the_whole_job() {
    let lab = Lab::new();
    let said = lab.run(&["demo"]).ok().stdout;
    assert!(said.contains("migration applied and committed"), "{said}");
    assert!(said.contains("rollback applied and committed"), "{said}");
}

#[test]
fn a_partial_unique_index_orders_rows() {
    let schema = "CREATE TABLE price(id INTEGER, at TEXT, until TEXT, cents INTEGER,
        PRIMARY KEY(id, at)) WITHOUT ROWID;
        CREATE UNIQUE INDEX current ON price(id) WHERE until IS NULL;";
    let lab = lab(
        &format!(
            "{schema}INSERT INTO price VALUES(1,'2025',NULL,100),(2,'2024','2025',5),(2,'2025',NULL,6);"
        ),
        &format!(
            "{schema}INSERT INTO price VALUES(1,'2025','2026',100),(1,'2026',NULL,120),
            (2,'2024',NULL,5),(2,'2025','2026',6);"
        ),
    );
    assert_eq!(Lab::counts(&lab.converge(), "price"), (1, 0, 3));
}

#[test]
fn init_takes_a_relative_path_of_one_part() {
    let lab = Lab::new();
    lab.run(&["--store", "elsewhere", "init"]).ok();
    lab.run(&["--store", "elsewhere", "log"]).ok();
}
