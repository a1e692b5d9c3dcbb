//! Commits that are cut short or get in each other's way: the branch is where it was or where it shall
//! be, git finds nothing wrong, and the next commit clears what was left.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::git_lab::{fsck, git_in, small_scene, snapshot_id, try_git_in};
use crate::lab::Lab;

/// A commit that waits at a place.
struct Waiting {
    child: Child,
    file: PathBuf,
}

impl Waiting {
    fn at(lab: &Lab, place: &str, args: &[&str]) -> Waiting {
        let file = lab.path("wait");
        std::fs::write(&file, "").unwrap();
        let mut command = lab.command(args);
        command.env("DEEPDIFF_TEST_WAIT_AT", format!("{place}:{}", file.display()));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let reached = file.with_extension("reached");
        let started = Instant::now();
        while !reached.exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "{place} was never reached");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::remove_file(reached).unwrap();
        Waiting { child, file }
    }

    /// Lets it go on; gives its exit code and what it said.
    fn go_on(self) -> (i32, String) {
        std::fs::remove_file(&self.file).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_file(&self.file).unwrap();
    }
}

fn kept(dir: &Path) -> usize {
    let packs = std::fs::read_dir(dir.join(".git/objects/pack")).unwrap();
    let names = packs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".keep") || name.starts_with("tmp_")).count()
}

/// `git gc` between the objects and the branch finds nothing that names the objects, and leaves them.
#[test]
fn a_collection_in_the_middle_takes_nothing() {
    let lab = small_scene();
    let dir = lab.path("");
    let waiting = Waiting::at(&lab, "git-objects", &["git", "commit", "prod"]);
    git_in(&dir, &["gc", "--quiet", "--prune=now"]);
    let (code, said) = waiting.go_on();
    assert_eq!(code, 0, "{said}");
    assert_eq!(kept(&dir), 0);
    git_in(&dir, &["gc", "--quiet", "--prune=now"]);
    fsck(&dir);
    let other = Lab::new();
    let args = ["git", "import", "prod", "--repo", dir.to_str().unwrap()];
    other.run(&args).ok();
    assert_eq!(snapshot_id(&other, "prod"), snapshot_id(&lab, "prod"));
}

#[test]
fn a_kill_before_the_branch_moves_changes_nothing() {
    let lab = small_scene();
    let dir = lab.path("");
    Waiting::at(&lab, "git-objects", &["git", "commit", "prod"]).kill();
    assert!(!try_git_in(&dir, &["rev-parse", "--verify", "-q", "deepdiff/prod"]).0);
    fsck(&dir);
    assert_eq!(kept(&dir), 1);
    lab.run(&["git", "commit", "prod"]).ok();
    assert_eq!(kept(&dir), 0);
    fsck(&dir);
}

#[test]
fn a_kill_after_the_branch_moved_has_done_it() {
    let lab = small_scene();
    let dir = lab.path("");
    Waiting::at(&lab, "git-moved", &["git", "commit", "prod"]).kill();
    lab.run(&["git", "commit", "prod"]).ok().fails(0, "already");
    lab.sql("prod.db", "DELETE FROM item WHERE id = 1000;");
    lab.snapshot("prod.db", "prod");
    lab.run(&["git", "commit", "prod"]).ok();
    assert_eq!(kept(&dir), 0);
    git_in(&dir, &["gc", "--quiet", "--prune=now"]);
    fsck(&dir);
    assert_eq!(git_in(&dir, &["rev-list", "--count", "deepdiff/prod"]).trim(), "2");
}

#[test]
fn of_two_at_once_the_second_is_told() {
    let lab = small_scene();
    let dir = lab.path("");
    let waiting = Waiting::at(&lab, "git-objects", &["git", "commit", "prod"]);
    // The same snapshot has the same objects.
    lab.run(&["git", "commit", "prod"]).fails(4, "another process");
    lab.sql("prod.db", "DELETE FROM item WHERE id = 1000;");
    lab.snapshot("prod.db", "prod");
    let other = lab.run(&["git", "commit", "prod", "--json"]).ok().json();
    let (code, said) = waiting.go_on();
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("was moved by somebody else"), "{said}");
    let head = git_in(&dir, &["rev-parse", "deepdiff/prod"]);
    assert_eq!(head.trim(), other["commit"].as_str().unwrap());
    assert_eq!(kept(&dir), 0);
    fsck(&dir);
}

/// A crash can leave an object as an empty file: git takes it for the object, and stumbles.
#[test]
fn empty_objects_are_healed() {
    let lab = small_scene();
    let dir = lab.path("");
    lab.run(&["git", "commit", "prod", "--branch", "first"]).ok();
    git_in(&dir, &["init", "-q", "--bare", "fresh.git"]);
    for path in ["README.md", "tables.tsv"] {
        let id = git_in(&dir, &["rev-parse", &format!("deepdiff/first:{path}")]);
        let folder = dir.join("fresh.git/objects").join(&id[..2]);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(id[2..].trim()), "").unwrap();
    }
    lab.run(&["git", "commit", "prod", "--repo", "fresh.git"]).ok();
    fsck(&lab.path("fresh.git"));
}

#[test]
fn commits_are_signed_with_a_key_of_ssh() {
    let lab = small_scene();
    let dir = lab.path("");
    let key = lab.path("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "tester", "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    git_in(&dir, &["config", "gpg.format", "x509"]);
    lab.run(&["git", "commit", "prod", "--sign"]).fails(3, "cannot be signed");
    git_in(&dir, &["config", "gpg.format", "ssh"]);
    git_in(&dir, &["config", "user.signingkey", key.to_str().unwrap()]);
    git_in(&dir, &["config", "commit.gpgsign", "true"]);
    let public = std::fs::read_to_string(lab.path("key.pub")).unwrap();
    std::fs::write(lab.path("signers"), format!("tester {public}")).unwrap();
    git_in(&dir, &["config", "gpg.ssh.allowedSignersFile", lab.path("signers").to_str().unwrap()]);
    lab.run(&["git", "commit", "prod"]).ok();
    let said = git_in(&dir, &["verify-commit", "deepdiff/prod"]);
    assert!(said.contains("Good \"git\" signature for tester"), "{said}");
    fsck(&dir);
    lab.run(&["git", "import", "prod", "--ref", "back"]).ok();
}
