//! The layers of `docs/architecture.md`: imports point down only.
//!
//! The table below is the rule. What a layer may use includes whatever the layers it may use are
//! built on, unless the layer has a line of its own for it: that line then decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rust_source::{crate_paths, rust_files};

/// What one layer may use of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Everything public.
    All(&'static str),
    /// Only these items, named by the first segment after the layer.
    Only(&'static str, &'static [&'static str]),
}

use Use::{All, Only};

/// The two faces of a store that trees see, and the objects in memory that tests use.
const OBJECTS: Use =
    Only("store", &["objects", "memory", "Objects", "ObjectSink", "ObjectError", "MemoryObjects"]);

/// A store knows ids and bytes, no tables.
const IDS: Use = Only("model", &["id", "ObjectId", "SnapshotId", "StateId", "ParseIdError"]);

/// Every layer, with what it may use. Lower layers stand first.
const LAYERS: &[(&str, &[Use])] = &[
    ("model", &[]),
    ("fsio", &[]),
    ("codec", &[All("model")]),
    ("store", &[All("codec"), All("fsio"), IDS]),
    ("tree", &[All("model"), All("codec"), OBJECTS]),
    ("engine", &[All("model")]),
    ("snapshot", &[All("engine"), All("tree"), All("store"), All("model")]),
    ("diff", &[All("tree"), All("model")]),
    // A pack is a folder of files: written through fsio like everything else.
    ("pack", &[All("diff"), All("model"), All("engine"), All("fsio")]),
    ("apply", &[All("pack"), All("engine")]),
    ("git", &[All("store"), All("diff"), All("model")]),
    ("report", &[All("diff"), All("pack"), All("model")]),
    // A proof says in words what it shows: cells as all JSON has them.
    ("proof", &[All("tree"), All("model"), Only("report", &["value"])]),
    (
        "cli",
        &[
            All("snapshot"),
            All("apply"),
            All("git"),
            All("proof"),
            All("report"),
            All("store"),
            All("model"),
        ],
    ),
];

/// For each layer that `layer` may use, directly or by what that is built on: the items, or `None`
/// for all of them.
fn usable(layer: &str) -> BTreeMap<&'static str, Option<BTreeSet<&'static str>>> {
    let mut usable: BTreeMap<_, Option<BTreeSet<_>>> = BTreeMap::new();
    let (_, uses) = LAYERS.iter().find(|(name, _)| *name == layer).expect("the layer is listed");
    for used in *uses {
        let All(below) = used else { continue };
        for (name, items) in usable_below(below) {
            match (usable.get_mut(name), items) {
                (None, items) => {
                    usable.insert(name, items);
                }
                (Some(known), None) => *known = None,
                (Some(None), Some(_)) => {}
                (Some(Some(known)), Some(items)) => known.extend(items),
            }
        }
    }
    for used in *uses {
        match *used {
            All(name) => usable.insert(name, None),
            Only(name, items) => usable.insert(name, Some(items.iter().copied().collect())),
        };
    }
    usable
}

fn usable_below(layer: &'static str) -> BTreeMap<&'static str, Option<BTreeSet<&'static str>>> {
    let mut usable = usable(layer);
    usable.insert(layer, None);
    usable
}

/// Why a path is not allowed in a file, if it is not.
fn violation(file: &Path, segments: &[String]) -> Option<String> {
    let layer = file.iter().next()?.to_str()?;
    let target = segments.first()?.as_str();
    if target == layer {
        return None;
    }
    // `lib.rs` declares the layers; `main.rs` starts the command line and knows nothing else.
    match layer {
        "lib.rs" => return None,
        "main.rs" if target == "cli" => return None,
        "main.rs" => return Some("main.rs may use cli only".to_owned()),
        _ => {}
    }
    if !LAYERS.iter().any(|(name, _)| *name == layer) {
        return Some(format!("{layer} is no layer of the table"));
    }
    if !LAYERS.iter().any(|(name, _)| *name == target) {
        return Some(format!("crate::{target} is no layer of the table"));
    }
    match usable(layer).get(target) {
        None => Some(format!("{layer} may not use {target}")),
        Some(None) => None,
        Some(Some(items)) => {
            let item = segments.get(1).map_or("(the whole layer)", String::as_str);
            let allowed = items.contains(item);
            (!allowed).then(|| format!("{layer} may use only {items:?} of {target}, not {item}"))
        }
    }
}

#[test]
fn imports_point_down_only() {
    let mut violations = Vec::new();
    for (file, source) in rust_files("src") {
        for path in crate_paths(&file, &source) {
            if let Some(why) = violation(&file, &path.segments) {
                let (line, path) = (path.line, path.segments.join("::"));
                violations.push(format!("src/{}:{line}: crate::{path}: {why}", file.display()));
            }
        }
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn every_folder_of_src_is_a_layer() {
    for (file, _) in rust_files("src") {
        let first = file.iter().next().unwrap().to_str().unwrap();
        let known = matches!(first, "lib.rs" | "main.rs")
            || LAYERS.iter().any(|(layer, _)| *layer == first);
        assert!(known, "src/{} belongs to no layer", file.display());
    }
}

#[test]
fn the_table_points_down_only() {
    for (at, (layer, uses)) in LAYERS.iter().enumerate() {
        for used in *uses {
            let (All(name) | Only(name, _)) = used;
            let below = LAYERS[..at].iter().any(|(lower, _)| lower == name);
            assert!(below, "{layer} uses {name}, which does not stand above it in the table");
        }
    }
}

#[test]
fn directions_that_the_design_forbids_are_found() {
    let why = |file: &str, path: &str| {
        violation(Path::new(file), &path.split("::").map(str::to_owned).collect::<Vec<_>>())
    };
    for (file, path) in [
        ("model/value.rs", "codec::key"),
        ("fsio/mod.rs", "model::ObjectId"),
        ("codec/row.rs", "store::Objects"),
        ("store/gc.rs", "model::Value"),
        ("store/gc.rs", "tree::Cursor"),
        ("tree/diff.rs", "store::Store"),
        ("tree/diff.rs", "store"),
        ("tree/diff.rs", "store::*"),
        ("tree/diff.rs", "fsio::Files"),
        ("engine/mod.rs", "codec::key"),
        ("diff/rows.rs", "engine::Dialect"),
        ("diff/rows.rs", "store::Store"),
        ("pack/plan.rs", "apply::Receipt"),
        ("apply/run.rs", "snapshot::take"),
        ("report/text.rs", "cli::Style"),
        ("store/mod.rs", "no_such_layer::x"),
        ("utils/mod.rs", "model::Value"),
        ("main.rs", "store::Store"),
    ] {
        assert!(why(file, path).is_some(), "{file} could use crate::{path}");
    }
    for (file, path) in [
        ("tree/diff.rs", "store::Objects"),
        ("diff/rows.rs", "codec::key"),
        ("diff/rows.rs", "store::ObjectError"),
        ("snapshot/take.rs", "fsio::Files"),
        ("apply/run.rs", "diff::Verdict"),
        ("cli/diff.rs", "engine::Source"),
        ("main.rs", "cli::run"),
    ] {
        assert_eq!(why(file, path), None, "{file} could not use crate::{path}");
    }
}
