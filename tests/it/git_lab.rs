//! A lab inside a git repository, and the real git beside it.

use std::path::Path;
use std::process::Command;

use crate::lab::Lab;

/// Runs git in a folder, without anybody's configuration; gives what it prints.
#[track_caller]
pub fn git_in(dir: &Path, args: &[&str]) -> String {
    let (ok, said) = try_git_in(dir, args);
    assert!(ok, "git {args:?}: {said}");
    said
}

/// As [`git_in`], where git may fail: whether it did not, and all that it said.
pub fn try_git_in(dir: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .args(["-c", "user.name=tester", "-c", "user.email=t@example.org", "-c", "gc.auto=0"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env_remove("GIT_DIR")
        .output()
        .expect("git is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A lab whose folder is a git repository with these options, and a commit of its own on `main`.
pub fn git_lab(options: &[&str]) -> Lab {
    let lab = Lab::new();
    let dir = lab.path("");
    git_in(&dir, &[&["init", "-q", "-b", "main"], options].concat());
    std::fs::write(lab.path("note.txt"), "kept\n").unwrap();
    git_in(&dir, &["add", "note.txt"]);
    git_in(&dir, &["commit", "-q", "-m", "note"]);
    lab
}

/// What git says is wrong with a repository; nothing, if all is well.
#[track_caller]
pub fn fsck(dir: &Path) {
    let (ok, said) = try_git_in(dir, &["fsck", "--strict", "--full", "--no-dangling"]);
    assert!(ok && !said.contains("error") && !said.contains("missing"), "{said}");
}

/// The id of the snapshot that a ref of the lab's store names.
#[track_caller]
pub fn snapshot_id(lab: &Lab, name: &str) -> String {
    let shown = lab.run(&["show", name, "--json"]).ok().json();
    shown["snapshot"].as_str().unwrap().to_owned()
}

/// A database with a few thousand rows, as the snapshot `prod` of a lab in a repository.
pub fn small_scene() -> Lab {
    let lab = git_lab(&[]);
    lab.sql(
        "prod.db",
        "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO item SELECT value, 'name ' || value FROM generate_series(1, 2000);",
    );
    lab.snapshot("prod.db", "prod");
    lab
}
