//! Signatures of snapshots, made and checked by OpenSSH through the binary.

use std::process::Command;

use crate::lab::Lab;

/// A lab with a snapshot `prod`, the keys of ann and eve, and a file that trusts ann.
fn scene() -> Lab {
    let lab = Lab::new();
    lab.sql("prod.db", "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1);");
    lab.snapshot("prod.db", "prod");
    for name in ["ann", "eve"] {
        let path = lab.path(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&path)
            .output()
            .expect("OpenSSH is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let key = std::fs::read_to_string(lab.path("ann.pub")).unwrap();
    std::fs::write(lab.path("trusted"), format!("ann@example.org {key}")).unwrap();
    lab
}

const VERIFY: [&str; 4] = ["verify", "--signatures", "--allowed-signers", "trusted"];

fn signature_files(lab: &Lab) -> Vec<std::path::PathBuf> {
    match std::fs::read_dir(lab.path(".deepdiff/signatures")) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    }
}

#[test]
fn a_snapshot_is_signed_and_verified() {
    let lab = scene();
    let id = lab.run(&["show", "prod", "--json"]).ok().json()["snapshot"].clone();
    lab.run(&VERIFY).fails(1, "not signed");
    let signed = lab.run(&["sign", "prod", "--key", "ann", "--json"]).ok().json();
    assert_eq!(signed["snapshot"], id, "a signature is no part of the id");
    assert!(lab.run(&VERIFY).ok().stdout.contains("signed by ann@example.org"));
    let json = lab.run(&[&VERIFY[..], &["--json", "prod"]].concat()).ok().json();
    let told = &json["signatures"][0];
    assert_eq!((&told["snapshot"], &told["signature"]), (&id, &"good".into()));
    assert_eq!(told["signed_by"], serde_json::json!(["ann@example.org"]));
    // Signed once more by the same key: the same file.
    lab.run(&["sign", "prod", "--key", "ann"]).ok();
    assert_eq!(signature_files(&lab).len(), 1);
    let plain = lab.run(&["verify"]).ok().stdout;
    assert!(!plain.contains("belong") && !plain.contains("signed"), "{plain}");
    lab.run(&["repair"]).ok();
    // A later snapshot of the ref is another one.
    lab.sql("prod.db", "INSERT INTO t VALUES(2);");
    lab.snapshot("prod.db", "prod");
    lab.run(&VERIFY).fails(1, "not signed");
    lab.run(&[&VERIFY[..], &["prod~1"]].concat()).ok();
}

#[test]
fn who_is_not_trusted_vouches_for_nothing() {
    let lab = scene();
    lab.run(&["sign", "prod", "--key", "eve"]).ok();
    let said = lab.run(&VERIFY);
    assert!(
        said.stdout.contains("not trusted") && said.stdout.contains("SHA256:"),
        "{}",
        said.stdout
    );
    assert_eq!(said.code, 1);
    // Somebody trusted besides is enough.
    lab.run(&["sign", "prod", "--key", "ann"]).ok();
    lab.run(&VERIFY).ok();
    assert_eq!(signature_files(&lab).len(), 2);
}

#[test]
fn an_altered_or_foreign_signature_is_found() {
    let lab = scene();
    lab.run(&["sign", "prod", "--key", "ann"]).ok();
    let file = signature_files(&lab).remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.len() / 2;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    std::fs::write(&file, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
    lab.run(&VERIFY).fails(1, "not of this snapshot");
    std::fs::write(&file, "nothing").unwrap();
    lab.run(&VERIFY).fails(1, "not of this snapshot");
    // One of another snapshot, under this one's name.
    lab.sql("prod.db", "INSERT INTO t VALUES(2);");
    lab.snapshot("prod.db", "other");
    lab.run(&["sign", "other", "--key", "ann"]).ok();
    let theirs = signature_files(&lab).into_iter().find(|path| *path != file).unwrap();
    std::fs::copy(theirs, &file).unwrap();
    lab.run(&[&VERIFY[..], &["prod"]].concat()).fails(1, "not of this snapshot");
    lab.run(&[&VERIFY[..], &["other"]].concat()).ok();
    // What it was made for counts, too.
    std::fs::write(lab.path("text"), "deepdiff-db snapshot\n").unwrap();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "git", "-f"])
        .args([lab.path("ann"), lab.path("text")])
        .output()
        .unwrap();
    assert!(made.status.success());
    std::fs::copy(lab.path("text.sig"), &file).unwrap();
    lab.run(&[&VERIFY[..], &["prod"]].concat()).fails(1, "not of this snapshot");
}

#[test]
fn what_is_missing_is_named() {
    let lab = scene();
    lab.run(&["verify", "--signatures"]).fails(2, "--allowed-signers");
    lab.run(&["verify", "--signatures", "--allowed-signers", "no"]).fails(3, "no");
    lab.run(&["verify", "--allowed-signers", "trusted"]).fails(2, "--signatures");
    lab.run(&["verify", "prod"]).fails(2, "--signatures");
    lab.run(&["sign", "prod"]).fails(2, "--key");
    lab.run(&["sign", "prod", "--key", "no"]).fails(3, "no key");
    lab.run(&["sign", "nothing", "--key", "ann"]).fails(2, "nothing");
    lab.run(&["sign", "prod", "--key", "trusted"]).fails(3, "did not sign");
    assert!(signature_files(&lab).is_empty());
    lab.run(&["sign", "prod", "--key", "ann"]).ok();
    std::fs::create_dir(lab.path("bin")).unwrap();
    for args in [&["sign", "prod", "--key", "ann"][..], &VERIFY] {
        let output = lab.command(args).env("PATH", lab.path("bin")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("no program `ssh-keygen`"), "{said}");
        assert_eq!(output.status.code(), Some(3));
    }
}

#[test]
fn the_configuration_names_key_and_trusted_keys() {
    let lab = scene();
    let config = "[signing]\nkey = 'ann'\nallowed_signers = 'trusted'\n";
    std::fs::write(lab.path("deepdiff.toml"), config).unwrap();
    lab.run(&["sign", "prod"]).ok();
    lab.run(&["verify", "--signatures"]).ok();
}

#[test]
fn signatures_go_with_their_snapshot() {
    let lab = scene();
    lab.run(&["sign", "prod", "--key", "ann"]).ok();
    lab.run(&["ref", "kept", "prod"]).ok();
    lab.sql("prod.db", "INSERT INTO t VALUES(2);");
    lab.snapshot("prod.db", "prod");
    lab.run(&["sign", "prod", "--key", "ann"]).ok();
    let collect = ["gc", "--log-days", "0", "--grace-days", "0"];
    lab.run(&collect).ok();
    assert_eq!(signature_files(&lab).len(), 2);
    lab.run(&["ref", "--delete", "kept"]).ok();
    lab.run(&collect).ok();
    lab.run(&collect).ok();
    assert_eq!(signature_files(&lab).len(), 1);
    lab.run(&VERIFY).ok();
}
