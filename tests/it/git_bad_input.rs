//! Repositories and commits that cannot be used: a clear word, and nothing changed.

use std::path::Path;

use deepdiff_db::codec::{HashAlgorithm, Hasher};
use deepdiff_db::git::ChunkBlob;
use deepdiff_db::model::snapshot::TreeRoot;
use deepdiff_db::model::{
    ColumnSpec, KeyColumn, KeyMatching, ObjectName, RowKey, RowKeySource, TableSpec, Value,
};
use deepdiff_db::store::MemoryObjects;
use deepdiff_db::tree::{StoreMode, TreeFromChunks, TreePlan};

use crate::git_lab::{git_in, git_lab, small_scene};
use crate::lab::Lab;

/// All refs of a repository.
fn refs(dir: &Path) -> String {
    git_in(dir, &["for-each-ref"])
}

#[test]
fn where_there_is_no_repository() {
    let lab = Lab::new();
    lab.sql("prod.db", "CREATE TABLE t(x INTEGER PRIMARY KEY);");
    lab.snapshot("prod.db", "prod");
    let none = lab.path("").display().to_string();
    lab.run(&["git", "commit", "prod", "--repo", &none]).fails(3, "is in no git repository");
    lab.run(&["git", "commit", "prod"]).fails(3, "--repo DIR");
    lab.run(&["git", "log"]).fails(3, "is in no git repository");
    lab.run(&["diff", "prod", "git:main"]).fails(3, "is in no git repository");
}

#[test]
fn branches_that_must_not_be_moved() {
    let lab = small_scene();
    let dir = lab.path("");
    lab.run(&["git", "commit", "prod"]).ok();
    lab.sql("prod.db", "DELETE FROM item WHERE id > 10;");
    lab.snapshot("prod.db", "prod");
    git_in(&dir, &["worktree", "add", "-q", "tree", "deepdiff/prod"]);
    let before = refs(&dir);
    lab.run(&["git", "commit", "prod"]).fails(4, "is checked out in");
    assert_eq!(refs(&dir), before);
    git_in(&dir, &["worktree", "remove", "tree"]);
    git_in(&dir, &["checkout", "-q", "deepdiff/prod"]);
    lab.run(&["git", "commit", "prod"]).fails(4, "is checked out in");
    git_in(&dir, &["checkout", "-q", "main"]);
    // A branch whose head is none of ours.
    git_in(&dir, &["branch", "deepdiff/own", "main"]);
    let before = refs(&dir);
    lab.run(&["git", "commit", "prod", "--branch", "own"]).fails(4, "none of deepdiff-db");
    lab.run(&["git", "import", "own", "--ref", "x"]).fails(4, "none of deepdiff-db");
    lab.run(&["git", "import", "main", "--ref", "x"]).fails(4, "none of deepdiff-db");
    lab.run(&["git", "commit", "prod", "--branch", "a..b"]).fails(2, "cannot be the name");
    lab.run(&["git", "commit", "prod", "--branch", "own/deeper"]).fails(3, "deepdiff/own");
    assert_eq!(refs(&dir), before);
    lab.run(&["git", "commit", "prod"]).ok();
}

#[test]
fn snapshots_without_values_and_other_hashes() {
    let lab = small_scene();
    let dir = lab.path("");
    lab.run(&["snapshot", "prod.db", "--ref", "hashes", "--hash-only"]).ok();
    lab.run(&["git", "commit", "hashes"]).fails(4, "keys and row hashes only");
    lab.run(&["git", "commit", "prod"]).ok();
    let other = lab.path("other");
    std::fs::create_dir(&other).unwrap();
    let store = other.join("store");
    let store = store.to_str().unwrap();
    lab.run(&["init", "--store", store, "--hash", "sha256"]).ok();
    lab.run(&["git", "import", "prod", "--store", store]).fails(4, "are made with blake3");
    // Ids that depend on a key need that key.
    for name in ["one", "two"] {
        lab.secret(name, name.repeat(20).as_bytes());
        let keyed = ["init", "--store", &format!("{name}.store"), "--hash-key-file", name];
        lab.run(&keyed).ok();
    }
    let with = |name: &str, args: &[&str]| {
        let store = format!("{name}.store");
        lab.run(&[args, &["--store", &store, "--hash-key-file", name]].concat())
    };
    with("one", &["snapshot", "prod.db", "--ref", "keyed"]).ok();
    with("one", &["git", "commit", "keyed"]).ok();
    with("two", &["git", "import", "keyed"]).fails(4, "made with another key");
    lab.run(&["git", "import", "keyed"]).fails(4, "blake3 and a key");
    with("one", &["git", "import", "keyed", "--ref", "again"]).ok();
    // A ref that names something else is not moved unasked.
    lab.run(&["ref", "prod", "hashes"]).ok();
    lab.run(&["git", "import", "prod"]).fails(4, "names another snapshot");
    lab.run(&["git", "import", "prod", "--ref", "prod"]).ok();
    assert!(refs(&dir).contains("deepdiff/prod"));
}

/// What somebody made of a commit with git: the word for it.
fn edited(change: impl Fn(&Path), code: i32, word: &str) {
    let lab = small_scene();
    let dir = lab.path("");
    lab.run(&["git", "commit", "prod"]).ok();
    git_in(&dir, &["worktree", "add", "-q", "--detach", "tree", "deepdiff/prod"]);
    let tree = lab.path("tree");
    change(&tree);
    git_in(&tree, &["add", "-A"]);
    git_in(&tree, &["commit", "-q", "-m", "edited"]);
    git_in(&tree, &["branch", "edited"]);
    let other = Lab::new();
    let repo = dir.to_str().unwrap();
    other.run(&["git", "import", "edited", "--repo", repo, "--ref", "x"]).fails(code, word);
    other.run(&["show", "x"]).fails(2, "names no snapshot");
}

/// The files of rows of the table `item`.
fn chunks(tree: &Path) -> Vec<std::path::PathBuf> {
    let files = walkdir::WalkDir::new(tree.join("tables/item/rows")).sort_by_file_name();
    let files = files.into_iter().map(|entry| entry.unwrap().into_path());
    files.filter(|path| path.extension().is_some_and(|e| e == "chunk")).collect()
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn an_edited_value_is_found() {
    let change = |tree: &Path| {
        let path = &chunks(tree)[0];
        let mut bytes = std::fs::read(path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    edited(change, 4, "the rows or columns of table item differ");
}

#[test]
fn removed_and_doubled_rows_are_found() {
    let gone = |tree: &Path| std::fs::remove_file(&chunks(tree)[1]).unwrap();
    edited(gone, 4, "the rows or columns of table item differ");
    let cut = |tree: &Path| {
        let path = &chunks(tree)[0];
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    edited(cut, 3, "cannot be read");
    let double = |tree: &Path| {
        let path = &chunks(tree)[0];
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path.with_file_name("0000.chunk"), bytes).unwrap();
    };
    edited(double, 4, "the rows or columns of table item differ");
}

#[test]
fn edited_descriptions_are_found() {
    let kind = |tree: &Path| replace(&tree.join("tables/item/table.toml"), "TEXT", "BLOB");
    edited(kind, 4, "the rows or columns of table item differ");
    let author = |tree: &Path| replace(&tree.join("snapshot.toml"), "tester", "somebody");
    edited(author, 4, "snapshot.toml or the definitions differ");
    let extra = |tree: &Path| replace(&tree.join("snapshot.toml"), "author", "auteur");
    edited(extra, 3, "cannot be read");
    let table = |tree: &Path| std::fs::remove_dir_all(tree.join("tables/item")).unwrap();
    edited(table, 4, "table item is missing");
    let facts = |tree: &Path| std::fs::remove_dir_all(tree.join("catalog/facts")).unwrap();
    edited(facts, 4, "the schema's facts");
}

/// Any byte of a chunk's blob can be another one: that is an error or another tree, never a panic.
#[test]
fn every_byte_of_a_chunk() {
    let spec = TableSpec {
        name: ObjectName::bare("t"),
        columns: ["id", "line", "other"]
            .map(|name| ColumnSpec {
                name: name.into(),
                declared_type: String::new(),
                default: Value::Null,
            })
            .into(),
        key: RowKey::Columns {
            columns: vec![KeyColumn { name: "id".into(), matching: KeyMatching::Binary }],
            source: RowKeySource::PrimaryKey,
            may_be_null: false,
        },
        reads_in_key_order: false,
        column_order: Vec::new(),
    };
    let lab = git_lab(&[]);
    lab.sql(
        "prod.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, line TEXT, other);
         INSERT INTO t VALUES(1, 'a', 1.5), (2, 'bcd', x'00'), (3, NULL, zeroblob(5000)), (4, '', 7);",
    );
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod"]).ok();
    git_in(&lab.path(""), &["worktree", "add", "-q", "--detach", "tree", "deepdiff/prod"]);
    let files = walkdir::WalkDir::new(lab.path("tree/tables/t/rows")).into_iter();
    let mut files = files.map(|entry| entry.unwrap().into_path());
    let file = files.find(|path| path.extension().is_some_and(|e| e == "chunk")).unwrap();
    let bytes = std::fs::read(file).unwrap();
    let root = |bytes: &[u8]| -> Option<TreeRoot> {
        let blob = ChunkBlob::decode(bytes).ok()?;
        let _ = blob.rows();
        let sink = MemoryObjects::new(Hasher::new(HashAlgorithm::Blake3));
        let plan = TreePlan::new(&spec, StoreMode::Full).unwrap().shared();
        let mut tree = TreeFromChunks::new(&sink, plan);
        tree.push(blob.chunk).ok()?;
        tree.finish().ok()
    };
    let whole = root(&bytes).unwrap();
    assert_eq!(whole.rows, 4);
    // The names of the key's columns are for printing.
    let printed = 12..12 + 2 + 2 + "id".len();
    for at in 0..bytes.len() {
        for flip in [1u8, 0x80, 0xff] {
            let mut other = bytes.clone();
            other[at] ^= flip;
            let found = root(&other);
            assert!(printed.contains(&at) || found != Some(whole), "byte {at} of {}", bytes.len());
        }
    }
}

/// Objects that are gone or damaged on the disk.
#[test]
fn missing_and_damaged_objects_are_found() {
    let lab = small_scene();
    let dir = lab.path("");
    lab.run(&["git", "commit", "prod"]).ok();
    // Every object into a file of its own.
    git_in(&dir, &["clone", "-q", "--bare", "--no-local", ".", "loose.git"]);
    let packs = dir.join("loose.git/objects/pack");
    for entry in std::fs::read_dir(&packs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pack") {
            let moved = lab.path("moved.pack");
            std::fs::rename(&path, &moved).unwrap();
            let script = format!("git unpack-objects -q < {}", moved.display());
            let unpack = std::process::Command::new("sh")
                .args(["-c", &script])
                .current_dir(dir.join("loose.git"))
                .status();
            assert!(unpack.unwrap().success());
        }
    }
    let listed = git_in(&dir, &["ls-tree", "-r", "deepdiff/prod", "tables/item/rows"]);
    let ids: Vec<&str> =
        listed.lines().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    let file = |id: &str| dir.join("loose.git/objects").join(&id[..2]).join(&id[2..]);
    let other = Lab::new();
    let repo = dir.join("loose.git");
    let import = ["git", "import", "prod", "--repo", repo.to_str().unwrap(), "--ref", "x"];
    other.run(&import).ok();
    let other = Lab::new();
    // Another object's bytes under this id: sound for zlib, not for the hash.
    let kept = std::fs::read(file(ids[0])).unwrap();
    std::fs::remove_file(file(ids[0])).unwrap();
    std::fs::copy(file(ids[1]), file(ids[0])).unwrap();
    other.run(&import).fails(3, "damaged");
    std::fs::remove_file(file(ids[0])).unwrap();
    std::fs::write(file(ids[0]), &kept[..kept.len() / 2]).unwrap();
    other.run(&import).fails(3, "tables/item/rows");
    std::fs::remove_file(file(ids[0])).unwrap();
    other.run(&import).fails(3, "is missing");
    other.run(&["show", "x"]).fails(2, "names no snapshot");
}

/// Only root can make a repository somebody else's.
#[test]
fn a_repository_of_another_user_is_not_trusted() {
    let lab = small_scene();
    lab.run(&["git", "commit", "prod"]).ok();
    let chown = |user: &str| {
        let status =
            std::process::Command::new("chown").args(["-R", user]).arg(lab.path(".git")).status();
        status.unwrap().success()
    };
    if !chown("12345") {
        return;
    }
    let before = lab.path(".git/refs/heads/deepdiff/prod");
    let head = std::fs::read(&before).unwrap();
    lab.sql("prod.db", "DELETE FROM item;");
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod"]).fails(4, "belongs to another user");
    lab.run(&["git", "import", "prod", "--ref", "x"]).fails(4, "safe.directory");
    assert_eq!(std::fs::read(&before).unwrap(), head);
}

#[test]
fn refs_in_tables_are_refused_by_name() {
    let lab = git_lab(&[]);
    let dir = lab.path("");
    let made = crate::git_lab::try_git_in(&dir, &["init", "-q", "--ref-format=reftable", "r"]);
    if !made.0 {
        // A git before 2.45 knows no other.
        return;
    }
    lab.sql("prod.db", "CREATE TABLE t(x INTEGER PRIMARY KEY);");
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod", "--repo", "r"]).fails(3, "reftable");
}
