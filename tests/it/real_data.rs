//! The whole workflow on public data, where it is present: exact counts, equal state ids after
//! apply, the old state id after rollback.

use std::path::Path;

use crate::lab::{Counts, Lab, data_or_skip};

/// Both databases are read where they lie; the pack is applied to a copy of the old one.
fn workflow(old: &Path, new: &Path, expected: Counts, tables: &[(&str, Counts)]) {
    let lab = Lab::new();
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let old_state = lab.snapshot(old, "old");
    let new_state = lab.snapshot(new, "new");
    let diff = lab.diff("old", "new");
    let sum = diff["tables"].as_array().unwrap().iter().fold((0, 0, 0), |sum: Counts, table| {
        let counts = Lab::counts(&diff, table["name"].as_str().unwrap());
        (sum.0 + counts.0, sum.1 + counts.1, sum.2 + counts.2)
    });
    assert_eq!(sum, expected, "{diff}");
    for (table, counts) in tables {
        assert_eq!(Lab::counts(&diff, table), *counts, "{table}");
    }
    lab.run(&["pack", "old", "new", "-o", "change", "--allow", "all"]).ok();
    std::fs::write(lab.path("copy.db"), std::fs::read(old).unwrap()).unwrap();
    let apply = ["apply", "change", "--to", "copy.db", "--accept-target", "--json"];
    assert_eq!(lab.run(&apply).ok().json()["outcome"], "applied");
    assert_eq!(lab.snapshot("copy.db", "copy"), new_state);
    assert_eq!(lab.run(&[&apply[..], &["--rollback"]].concat()).ok().json()["outcome"], "applied");
    assert_eq!(lab.snapshot("copy.db", "copy"), old_state);
    assert_eq!(lab.run(&["verify", "--full", "--json"]).ok().json()["outcome"], "ok");
}

#[test]
fn chinook_old_to_new() {
    let data = data_or_skip!().join("chinook");
    workflow(
        &data.join("old/chinook.sqlite"),
        &data.join("new/chinook.sqlite"),
        (0, 0, 413),
        &[("Invoice", (0, 0, 412)), ("Track", (0, 0, 1))],
    );
}

#[test]
fn ourairports_2022_to_2024() {
    let data = data_or_skip!().join("ourairports");
    workflow(
        &data.join("2022-01-01/db.sqlite"),
        &data.join("2024-08-01/db.sqlite"),
        (3_668, 288, 19_390),
        &[],
    );
}

#[test]
fn iso_2018_to_2022() {
    let data = data_or_skip!().join("iso");
    workflow(&data.join("2018/db.sqlite"), &data.join("2022/db.sqlite"), (677, 390, 1_673), &[]);
}

#[test]
fn iso_2022_to_2026() {
    let data = data_or_skip!().join("iso");
    workflow(&data.join("2022/db.sqlite"), &data.join("2026/db.sqlite"), (300, 249, 751), &[]);
}

#[test]
fn restore_gives_the_same_state() {
    let data = data_or_skip!();
    for db in
        ["chinook/new/chinook.sqlite", "iso/2026/db.sqlite", "ourairports/2024-08-01/db.sqlite"]
    {
        let lab = Lab::new();
        let state = lab.snapshot(data.join(db).to_str().unwrap(), "source");
        lab.run(&["restore", "source", "--to", "sqlite:restored.db"]).ok();
        assert_eq!(lab.snapshot("restored.db", "restored"), state, "{db}");
    }
}
