//! Snapshots committed to git, cloned, imported: the same ids, and a repository that git finds sound.

use crate::git_lab::{fsck, git_in, git_lab, snapshot_id};
use crate::lab::{Lab, data_or_skip};

const SCHEMA: &str = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL DEFAULT 1.5);
    CREATE TABLE Item2(a TEXT COLLATE NOCASE, b, PRIMARY KEY(a, b)) WITHOUT ROWID;
    CREATE TABLE \"con\"(line TEXT);
    CREATE TABLE \"a/../b\"(x PRIMARY KEY);
    CREATE TABLE empty_one(x INTEGER PRIMARY KEY);
    CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB);
    CREATE VIEW cheap AS SELECT * FROM item WHERE price < 5;
    CREATE TRIGGER t AFTER INSERT ON empty_one BEGIN SELECT 1; END;
    INSERT INTO item SELECT value, 'name ' || value, value / 7.0 FROM generate_series(1, 3000);
    INSERT INTO Item2 VALUES('a', 1), ('b', 'x'), ('c', 2.5), ('d', x'00ff');
    INSERT INTO con VALUES('one'), ('one'), ('two'), (NULL);
    INSERT INTO \"a/../b\" VALUES('k'), (NULL), (printf('%.2000c', 'k'));
    INSERT INTO big VALUES(1, zeroblob(5000)), (2, zeroblob(3000000)), (3, x'0102'), (4, NULL);";

/// A repository with a snapshot `prod` of a database that has a bit of everything.
fn scene(options: &[&str]) -> Lab {
    let lab = git_lab(options);
    lab.sql("prod.db", SCHEMA);
    lab.snapshot("prod.db", "prod");
    lab
}

/// Everything at once: commit, fsck, clone, import into an empty store, the same ids, a full check.
fn there_and_back(options: &[&str]) {
    let lab = scene(options);
    let first = snapshot_id(&lab, "prod");
    let dir = lab.path("");
    let committed = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    assert_eq!(committed["outcome"], "committed");
    assert_eq!(committed["branch"], "deepdiff/prod");
    assert_eq!(committed["snapshot"], first);
    fsck(&dir);
    lab.sql(
        "prod.db",
        "UPDATE item SET price = 0 WHERE id = 1500; \
        INSERT INTO item VALUES(9000, 'new', NULL); CREATE INDEX by_name ON item(name); \
        UPDATE big SET body = zeroblob(3000001) WHERE id = 2;",
    );
    lab.snapshot("prod.db", "prod");
    let second = snapshot_id(&lab, "prod");
    let again = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    fsck(&dir);
    let objects = again["objects"].as_u64().unwrap();
    assert!(objects < 40, "unchanged chunks were written again: {again}");
    git_in(&dir, &["gc", "--quiet", "--prune=now"]);
    fsck(&dir);

    let other = Lab::new();
    let (from, to) = (dir.to_str().unwrap(), other.path("clone.git"));
    git_in(&other.path(""), &["clone", "-q", "--no-local", "--bare", from, "clone.git"]);
    fsck(&to);
    let imported = other.run(&["git", "import", "prod", "--repo", "clone.git", "--json"]);
    assert_eq!(imported.ok().json()["snapshot"], second);
    let old =
        other.run(&["git", "import", "deepdiff/prod~1", "--repo", "clone.git", "--ref", "old"]);
    old.ok();
    assert_eq!(snapshot_id(&other, "prod"), second);
    assert_eq!(snapshot_id(&other, "old"), first);
    assert_eq!(other.run(&["verify", "--full", "--json"]).ok().json()["outcome"], "ok");
    let there = lab.run(&["diff", "prod~1", "prod", "--format", "jsonl"]);
    let here = other.run(&["diff", "old", "prod", "--format", "jsonl"]);
    assert_eq!((here.code, here.stdout), (1, there.stdout));
}

#[test]
fn a_clone_has_the_same_ids() {
    there_and_back(&[]);
}

#[test]
fn a_repository_of_sha_256_too() {
    there_and_back(&["--object-format=sha256"]);
}

#[test]
fn the_work_tree_stays_as_it_is() {
    let lab = scene(&[]);
    let dir = lab.path("");
    std::fs::write(lab.path("note.txt"), "changed\n").unwrap();
    std::fs::write(lab.path("staged.txt"), "staged\n").unwrap();
    git_in(&dir, &["add", "staged.txt"]);
    let hook = dir.join(".git/hooks/pre-commit");
    std::fs::write(&hook, "#!/bin/sh\necho no >&2; exit 1\n").unwrap();
    let state = || {
        let index = std::fs::read(dir.join(".git/index")).unwrap();
        let head = std::fs::read(dir.join(".git/HEAD")).unwrap();
        (git_in(&dir, &["status", "--porcelain=v2"]), index, head)
    };
    git_in(&dir, &["status"]);
    let before = state();
    lab.run(&["git", "commit", "prod"]).ok();
    assert_eq!(state(), before);
    // Nor does a detached HEAD matter.
    git_in(&dir, &["checkout", "-q", "--detach"]);
    lab.run(&["git", "commit", "prod", "--branch", "other"]).ok();
    fsck(&dir);
}

/// The same snapshot on the same commit is the same commit, wherever it is made.
#[test]
fn commits_are_repeatable() {
    let lab = scene(&[]);
    let bare = lab.path("bare.git");
    git_in(&lab.path(""), &["init", "-q", "--bare", "bare.git"]);
    let here = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    let there = lab.run(&["git", "commit", "prod", "--repo", "bare.git", "--json"]).ok().json();
    assert_eq!(here["commit"], there["commit"]);
    fsck(&bare);
    let head = git_in(&bare, &["log", "-1", "--format=%an|%ae|%s", "deepdiff/prod"]);
    assert_eq!(head.trim(), "tester||Snapshot of sqlite:prod.db");
    // Nothing is committed twice, and it says so.
    let again = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    assert_eq!((&again["outcome"], &again["commit"]), (&"already-there".into(), &here["commit"]));
    lab.run(&["git", "commit", "prod"]).ok().fails(0, "already");
}

#[test]
fn a_commit_can_be_read_by_people() {
    let lab = scene(&[]);
    let dir = lab.path("");
    lab.run(&["git", "commit", "prod", "-m", "first light"]).ok();
    lab.sql("prod.db", "UPDATE item SET name = 'cup' WHERE id = 7; DROP VIEW cheap;");
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod"]).ok();
    let show = |path: &str| git_in(&dir, &["show", &format!("deepdiff/prod:{path}")]);
    let changes = show("changes.md");
    assert!(changes.contains("| ~ | id=7 | name | 'name 7' | 'cup' |"), "{changes}");
    assert!(changes.contains("- `- view cheap`"), "{changes}");
    assert!(show("README.md").contains("deepdiff-db git import"));
    assert!(show("schema/table/item.sql").starts_with("CREATE TABLE item(id INTEGER PRIMARY KEY"));
    assert!(show("tables.tsv").contains("item\t3000\t"), "{}", show("tables.tsv"));
    assert!(show("snapshot.toml").contains("guarantee = \"single-connection\""));
    let files = git_in(&dir, &["ls-tree", "-r", "--name-only", "deepdiff/prod"]);
    for path in ["tables/=item2/table.toml", "tables/%63on/table.toml", "tables/a%2f%2e%2e%2fb/"] {
        assert!(files.contains(path), "no {path} in {files}");
    }
    assert!(!files.contains("schema/view/cheap.sql"), "{files}");
    let log = lab.run(&["git", "log", "prod"]).ok().stdout;
    assert!(log.lines().nth(1).unwrap().ends_with("first light"), "{log}");
    let json = lab.run(&["git", "log", "--json"]).ok().json();
    assert_eq!(json["commits"].as_array().unwrap().len(), 2);
    assert_eq!(json["commits"][0]["snapshot"], snapshot_id(&lab, "prod"));
    // git shows rows, where it is told how to.
    let program = env!("CARGO_BIN_EXE_deepdiff-db");
    git_in(&dir, &["config", "diff.deepdiff.textconv", &format!("{program} git textconv")]);
    std::fs::create_dir_all(dir.join(".git/info")).unwrap();
    std::fs::write(dir.join(".git/info/attributes"), "*.chunk diff=deepdiff\n").unwrap();
    let shown = git_in(&dir, &["show", "deepdiff/prod", "--", "tables/item/rows"]);
    assert!(shown.contains("-id=7  name='name 7'  price=1.0"), "{shown}");
    assert!(shown.contains("+id=7  name='cup'  price=1.0"), "{shown}");
}

/// A store of its own is not needed to compare what git has.
#[test]
fn commits_are_compared_without_a_store() {
    let lab = scene(&[]);
    lab.run(&["git", "commit", "prod"]).ok();
    lab.sql("prod.db", "DELETE FROM item WHERE id = 30;");
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod"]).ok();
    let expected = lab.run(&["diff", "prod~1", "prod"]);
    std::fs::rename(lab.path(".deepdiff"), lab.path("elsewhere")).unwrap();
    let sides = ["git:deepdiff/prod~1", "git:prod"];
    let without = lab.run(&["diff", sides[0], sides[1]]);
    assert_eq!((without.code, &without.stdout), (1, &expected.stdout), "{}", without.stderr);
    assert!(!lab.path(".deepdiff").exists());
    lab.run(&["init"]).ok();
    let empty = lab.run(&["diff", sides[0], sides[1]]);
    assert_eq!((empty.code, empty.stdout), (1, expected.stdout));
    lab.run(&["cat", "item", "31", "--at", "git:prod"]).ok();
    lab.run(&["ls", "git:prod~5"]).fails(2, "shorter");
    lab.run(&["ls", "git:nowhere"]).fails(2, "names no commit");
}

/// A store that never saw the snapshot before commits the same as one that did.
#[test]
fn another_store_goes_on_where_one_ended() {
    let lab = scene(&[]);
    lab.run(&["git", "commit", "prod"]).ok();
    let dir = lab.path("");
    lab.sql("prod.db", "UPDATE item SET price = 2 WHERE id < 5;");
    lab.snapshot("prod.db", "prod");
    let id = snapshot_id(&lab, "prod");
    git_in(&dir, &["clone", "-q", "--bare", ".", "copy.git"]);
    let here = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    // The other store gets the second snapshot by git, then commits it on top of the first.
    let other = Lab::new();
    git_in(&other.path(""), &["clone", "-q", "--bare", dir.to_str().unwrap(), "full.git"]);
    other.run(&["git", "import", "prod", "--repo", "full.git"]).ok();
    let copy = lab.path("copy.git");
    let args =
        ["git", "commit", &id, "--branch", "prod", "--repo", copy.to_str().unwrap(), "--json"];
    let there = other.run(&args).ok().json();
    assert_eq!(here["commit"], there["commit"]);
}

#[test]
fn without_rows_there_is_nothing_to_import() {
    let lab = scene(&[]);
    lab.run(&["git", "commit", "prod", "--manifest-only"]).ok();
    let files = git_in(&lab.path(""), &["ls-tree", "-r", "--name-only", "deepdiff/prod"]);
    assert!(files.contains("tables/item/table.toml") && !files.contains(".chunk"), "{files}");
    lab.run(&["git", "import", "prod", "--ref", "x"]).fails(4, "no rows");
    // Nor does any other file of it hold a value of a row.
    lab.sql("prod.db", "UPDATE item SET name = 'a secret' WHERE id = 7;");
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod", "--manifest-only"]).ok();
    let patch = git_in(&lab.path(""), &["log", "-p", "--text", "deepdiff/prod"]);
    assert!(patch.contains("`item`: 0 inserted, 0 deleted, 1 updated"), "{patch}");
    assert!(!patch.contains("secret") && !patch.contains("name 7'"), "{patch}");
    // With rows it is another commit.
    let whole = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    assert_eq!(whole["outcome"], "committed");
    lab.run(&["git", "import", "prod", "--ref", "x"]).ok();
}

#[test]
fn branches_are_pushed_and_fetched() {
    let lab = scene(&[]);
    let dir = lab.path("");
    git_in(&dir, &["init", "-q", "--bare", "hub.git"]);
    git_in(&dir, &["remote", "add", "hub", "hub.git"]);
    lab.run(&["git", "push", "hub"]).fails(2, "no branch");
    lab.run(&["git", "commit", "prod"]).ok();
    lab.run(&["git", "push", "hub"]).ok();
    let other = git_lab(&[]);
    let hub = dir.join("hub.git");
    let hub = hub.to_str().unwrap();
    other.run(&["git", "fetch", hub]).ok();
    other.run(&["git", "import", "prod"]).ok();
    assert_eq!(snapshot_id(&other, "prod"), snapshot_id(&lab, "prod"));
    // Both go on: whoever is second is refused, and nothing is forced.
    lab.sql("prod.db", "DELETE FROM item;");
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod"]).ok();
    lab.run(&["git", "push", "hub", "prod"]).ok();
    other.sql("prod.db", "CREATE TABLE t(x); INSERT INTO t VALUES(1);");
    other.snapshot("prod.db", "mine");
    other.run(&["git", "commit", "mine", "--branch", "prod"]).ok();
    let before = git_in(&other.path(""), &["rev-parse", "deepdiff/prod"]);
    other.run(&["git", "push", hub]).fails(3, "rejected");
    other.run(&["git", "fetch", hub]).fails(3, "rejected");
    assert_eq!(git_in(&other.path(""), &["rev-parse", "deepdiff/prod"]), before);
}

/// Three versions of a public database, committed, cloned, imported.
#[test]
fn iso_three_versions() {
    let data = data_or_skip!().join("iso");
    let lab = git_lab(&[]);
    let mut ids = Vec::new();
    for year in ["2018", "2022", "2026"] {
        lab.snapshot(data.join(year).join("db.sqlite").to_str().unwrap(), "iso");
        lab.run(&["git", "commit", "iso"]).ok();
        ids.push(snapshot_id(&lab, "iso"));
    }
    fsck(&lab.path(""));
    let other = Lab::new();
    let from = lab.path("");
    git_in(&other.path(""), &["clone", "-q", "--bare", from.to_str().unwrap(), "c.git"]);
    for (back, id) in ids.iter().rev().enumerate() {
        let revision = format!("iso~{back}");
        let args = ["git", "import", &revision, "--repo", "c.git", "--ref", "x", "--json"];
        assert_eq!(other.run(&args).ok().json()["snapshot"], *id);
    }
    assert_eq!(other.run(&["verify", "--full", "--json"]).ok().json()["outcome"], "ok");

    // What became of one country, and the proof of it, by the id of the snapshot alone.
    let newest = &ids[2];
    let history = other.run(&["history", "country", "TR", "--at", newest, "--json"]).ok().json();
    assert_eq!(history["events"].as_array().unwrap().len(), 3, "{history}");
    other.run(&["prove", newest, "country", "TR", "-o", "tr.json"]).ok();
    let shown = other.run(&["check-proof", "tr.json", "--id", newest]).ok();
    assert!(shown.stdout.contains("name = 'Türkiye'"), "{}", shown.stdout);
    assert_eq!(other.run(&["check-proof", "tr.json", "--id", &ids[1]]).code, 1);
}

/// A table of many chunks has folders for them, and goes there and back as any other.
#[test]
fn a_table_of_many_chunks() {
    let lab = git_lab(&[]);
    lab.sql(
        "prod.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES ('first');
         WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 600000)
         INSERT INTO t(id) SELECT n FROM c;",
    );
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod"]).ok();
    let listed = git_in(&lab.path(""), &["ls-tree", "deepdiff/prod:tables/t/rows"]);
    assert_eq!(listed.lines().count(), 256, "{listed}");
    assert!(listed.lines().all(|line| line.starts_with("040000 tree")), "{listed}");
    // One row changes one chunk, and the folders above it.
    lab.sql("prod.db", "UPDATE t SET v = 'changed' WHERE id = 300000;");
    lab.snapshot("prod.db", "prod");
    let said = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    assert!(said["objects"].as_u64().unwrap() < 20, "{said}");
    fsck(&lab.path(""));
    let other = Lab::new();
    let from = lab.path("");
    let import = ["git", "import", "prod", "--repo", from.to_str().unwrap(), "--json"];
    let imported = other.run(&import).ok().json();
    assert_eq!(imported["snapshot"], snapshot_id(&lab, "prod"));
    assert_eq!(imported["rows"], 600_000);
}

/// The history of a row by the commits of a branch, with nothing but the repository; and gc leaves what
/// is committed.
#[test]
fn a_branch_is_a_history() {
    let lab = git_lab(&[]);
    let mut ids = Vec::new();
    for (number, name) in ["one", "two", "two", "three"].into_iter().enumerate() {
        lab.sql(
            "prod.db",
            &format!("DROP TABLE IF EXISTS t; CREATE TABLE t(id INTEGER PRIMARY KEY, v, n); INSERT INTO t VALUES (1, '{name}', {number}), (2, 'same', 0);"),
        );
        lab.snapshot("prod.db", "prod");
        ids.push(snapshot_id(&lab, "prod"));
        if number != 2 {
            lab.run(&["git", "commit", "prod"]).ok();
        }
    }
    let clone = Lab::new();
    std::fs::remove_dir_all(clone.path(".deepdiff")).unwrap();
    let from = lab.path("");
    git_in(&clone.path(""), &["clone", "-q", "--bare", from.to_str().unwrap(), "."]);
    for at in ["git:prod", "git:deepdiff/prod"] {
        let told = clone.run(&["history", "t", "1", "--at", at, "--json"]).ok().json();
        let events = told["events"].as_array().unwrap();
        let found: Vec<_> = events.iter().map(|event| event["snapshot"].clone()).collect();
        assert_eq!(found, [ids[3].as_str(), &ids[1], &ids[0]], "{told}");
    }
    let blamed = clone.run(&["blame", "t", "1", "--at", "git:prod~1", "--json"]).ok().json();
    let of = |name: &str| {
        let columns = blamed["columns"].as_array().unwrap();
        columns.iter().find(|column| column["column"] == name).unwrap()["snapshot"].clone()
    };
    assert_eq!((of("id"), of("v")), (ids[0].as_str().into(), ids[1].as_str().into()));
    assert!(!clone.path(".deepdiff").exists());

    // Of four snapshots the rule keeps the last, git three.
    let kept = |more: &[&str]| {
        let gc = ["gc", "--dry-run", "--keep-last", "1", "--json"];
        let plan = lab.run(&[&gc[..], more].concat()).ok().json();
        let kept = plan["retained"].as_array().unwrap().clone();
        let is_kept = |one: &&serde_json::Value| !one["rules"].as_array().unwrap().is_empty();
        let kept = kept.iter().filter(is_kept).map(|one| one["snapshot"].clone());
        kept.collect::<Vec<_>>()
    };
    assert_eq!(kept(&[]), [ids[3].as_str()]);
    assert_eq!(kept(&["--keep-in-git"]), [ids[3].as_str(), &ids[1], &ids[0]]);
    lab.run(&["gc", "--keep-last", "1", "--keep-in-git", "--grace-days", "0"]).ok();
    lab.run(&["gc", "--keep-last", "1", "--keep-in-git", "--grace-days", "0"]).ok();
    lab.run(&["cat", "t", "--at", &ids[0]]).ok();
    lab.run(&["cat", "t", "--at", &ids[2]]).fails(2, "");
    clone.run(&["gc", "--keep-in-git"]).fails(3, "");
}
