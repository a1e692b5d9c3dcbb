//! What `diff` says where an easy answer would be wrong: values that were not stored, sides that were
//! read under different rules, columns that no table has, changes of the schema alone.

use serde_json::{Value as Json, json};

use crate::lab::{Lab, lab};

fn configure(lab: &Lab, config: &str) {
    std::fs::write(lab.path("deepdiff.toml"), config).unwrap();
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_created_table_is_one_change() {
    let lab = lab(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE INDEX t_a ON t(a);
         CREATE TABLE gone(x); INSERT INTO gone VALUES(1);
         CREATE TRIGGER on_gone AFTER INSERT ON gone BEGIN SELECT 1; END;",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b TEXT DEFAULT 'x');
         CREATE INDEX t_a ON t(a DESC);
         CREATE TABLE new(id INTEGER PRIMARY KEY, t INTEGER REFERENCES t, n UNIQUE, CHECK(n > 0));
         CREATE INDEX by_t ON new(t); CREATE INDEX by_n ON new(n DESC);
         CREATE VIEW v AS SELECT * FROM new;",
    );
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    insta::assert_snapshot!(lab.run(&["diff", "prod", "dev"]).stdout, @r"
     gone | 1 -
     5 schema changes, 1 table changed, 1 row deleted

    schema
    - table gone (1 column, 1 trigger)
    + table new (3 columns, primary key, 1 unique constraint, 1 check, 1 foreign key, 2 indexes)
    + column t.b
    ~ index t_a
        orders: none → (DESC)
    + view v

    table gone
    - x=1
      0 inserted, 1 deleted, 0 updated
    ");
    insta::assert_snapshot!(lab.run(&["diff", "dev", "prod", "--stat"]).stdout, @r"
     schema + table gone (1 column, 1 trigger)
     schema - table new (3 columns, primary key, 1 unique constraint, 1 check, 1 foreign key, 2 indexes)
     schema - column t.b
     schema ~ index t_a
     schema - view v
     gone | 1 +
     5 schema changes, 1 table changed, 1 row inserted
    ");
    // Nothing is grouped for scripts, and a table without a changed row is none that differs.
    let diff = lab.diff("prod", "dev");
    let created = |name: &str| diff["schema"].as_array().unwrap().iter().any(|c| c["name"] == name);
    assert!(created("new") && created("new.n") && created("by_t") && created("t.b"), "{diff}");
    assert_eq!(
        diff["tables"],
        json!([{"name": "gone", "inserted": 0, "deleted": 1, "updated": 0}])
    );
}

#[test]
fn a_new_column_alone_is_a_change_of_the_schema() {
    let rows = "INSERT INTO t(id) VALUES(1),(2);";
    let lab = lab(
        &format!("CREATE TABLE t(id INTEGER PRIMARY KEY); {rows}"),
        &format!("CREATE TABLE t(id INTEGER PRIMARY KEY, b TEXT DEFAULT 'x'); {rows}"),
    );
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    assert_eq!(lab.diff("prod", "dev")["tables"], json!([]));
    for (format, expected) in [("jsonl", "\"t.b\""), ("markdown", "t.b"), ("sql", "t.b")] {
        let said = lab.run(&["diff", "prod", "dev", "--format", format]);
        assert_eq!((said.code, said.stdout.lines().count()), (1, 1), "{}", said.stdout);
        assert!(said.stdout.contains(expected), "{}", said.stdout);
    }
}

#[test]
fn a_column_that_no_table_has() {
    let lab = lab("CREATE TABLE t(a, b); CREATE TABLE u(c);", "CREATE TABLE t(a, b, d);");
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let diff = |more: &[&str]| lab.run(&[&["diff", "prod", "dev"], more].concat());
    diff(&["--columns", "a,nosuch"]).fails(2, "`nosuch`");
    diff(&["--columns", "c", "--table", "t"]).fails(2, "`c`");
    for known in ["a", "c", "d"] {
        assert_eq!(diff(&["--columns", known]).code, 1);
    }
}

/// Values that were not stored are not NULL.
#[test]
fn hash_only_values_are_unknown() {
    let long = "x".repeat(2000);
    let table = "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE bag(v);
        CREATE TABLE long(k TEXT PRIMARY KEY NOT NULL, v);";
    let lab = lab(
        &format!("{table} INSERT INTO t VALUES(1,'a'),(2,'b'); INSERT INTO bag VALUES(1);"),
        &format!(
            "{table} INSERT INTO t VALUES(1,NULL),(3,'c'); INSERT INTO bag VALUES(2);
             INSERT INTO long VALUES('{long}', 1);"
        ),
    );
    lab.snapshot("prod.db", "prod");
    lab.run(&["snapshot", "dev.db", "--ref", "dev", "--hash-only"]).ok();
    let said = lab.run(&["diff", "prod", "dev", "--format", "jsonl"]).stdout;
    let said: Vec<Json> = lines(&said).into_iter().filter(|l| l["change"].is_string()).collect();
    assert_eq!(
        said,
        [
            json!({"table": "bag", "change": "delete", "key": {}, "before": {"v": 1}, "count": 1}),
            json!({"table": "bag", "change": "insert", "key": "unknown", "values": "unknown",
                "count": 1}),
            json!({"table": "long", "change": "insert", "key": "unknown", "values": "unknown",
                "count": 1}),
            json!({"table": "t", "change": "update", "key": {"id": 1}, "values": "unknown"}),
            json!({"table": "t", "change": "delete", "key": {"id": 2},
                "before": {"id": 2, "v": "b"}, "count": 1}),
            json!({"table": "t", "change": "insert", "key": {"id": 3}, "values": "unknown",
                "count": 1}),
        ]
    );
    let text = lab.run(&["diff", "prod", "dev", "--table", "t", "--data"]).stdout;
    assert!(text.contains("~ id=1\n    (which columns changed is not known)"), "{text}");
    assert!(text.contains("+ id=3  (other values not stored)"), "{text}");
    let markdown = lab.run(&["diff", "prod", "dev", "--format", "markdown"]).stdout;
    assert!(markdown.contains("| ~ | id=1 | (not known) | | |"), "{markdown}");
}

/// What one side left out was neither created nor dropped, and equal states under different rules
/// are not equal.
#[test]
fn sides_read_under_different_rules() {
    let db = "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,1);
        CREATE TABLE log(x); INSERT INTO log VALUES(1); CREATE INDEX log_x ON log(x);";
    let lab = lab(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,1);");
    lab.snapshot("prod.db", "whole");
    configure(&lab, "exclude = ['log']\n");
    lab.snapshot("prod.db", "part");
    lab.snapshot("dev.db", "dev");
    for (from, to, side) in [("whole", "part", "right"), ("part", "whole", "left")] {
        let diff = lab.run(&["diff", from, to, "--json"]);
        assert_eq!(diff.code, 5, "{}", diff.stdout);
        let diff = diff.json();
        assert_eq!((&diff["verdict"], &diff["tables"]), (&json!("incomplete"), &json!([])));
        assert_eq!(diff["schema"], json!([]));
        let said = format!("table log is not compared: on the {side}, left out");
        assert!(diff["incomplete"].to_string().contains(&said), "{diff}");
        lab.run(&["diff", from, to]).fails(5, &said);
        lab.run(&["diff", from, to, "--format", "jsonl"]).fails(5, "");
        lab.run(&["pack", from, to, "-o", "change"]).fails(4, "different rules");
    }
    // The rule is the same, and so is what it left.
    assert_eq!(lab.diff("part", "dev")["verdict"], "equal");
    configure(&lab, "exclude = ['log', 'other']\n");
    lab.snapshot("prod.db", "other");
    lab.run(&["diff", "part", "other"]).fails(5, "different rules");
    configure(&lab, "exclude = ['log']\n[keys]\nt = ['v']\n");
    lab.snapshot("prod.db", "keyed");
    lab.run(&["diff", "part", "keyed"]).fails(5, "different rules");
}

#[test]
fn rules_without_effect_are_named() {
    let lab = lab("CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE log_a(x);", "");
    configure(
        &lab,
        "exclude = ['log_*', 'log_a', 'lgo_*']\n[keys]\nlog_a = ['x']\nT = ['ID']\nu = ['id']\n",
    );
    let expected = json!([
        "exclude: no table matches `lgo_*`",
        "keys: the rows of `log_a` are not captured",
        "keys: there is no table `u`",
    ]);
    for command in
        [&["snapshot", "prod.db", "--ref", "prod", "--json"][..], &["check", "prod.db", "--json"]]
    {
        let said = lab.run(command).ok();
        assert_eq!(said.json()["warnings"], expected);
        assert!(
            said.stderr.contains("warning: deepdiff.toml: exclude: no table matches"),
            "{}",
            said.stderr
        );
    }
    configure(&lab, "[keys]\nt = ['nosuch']\n");
    lab.run(&["check", "prod.db"]).fails(2, "`nosuch`");
    lab.run(&["snapshot", "prod.db", "--ref", "prod"]).fails(2, "`nosuch`");
}
