//! The house rules that no compiler knows: what stands at the top, how long a file may be, where
//! `unsafe` may stand, and that nothing remembers the machine it was built on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rust_source::{root, rust_files, tokens};

/// The entries at the top of the repository, apart from those whose names begin with a dot.
const TOP: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "docs",
    "fixtures",
    "src",
    "tests",
];

/// The only files that may say `unsafe`: mapped files, and the raw handle of SQLite.
const UNSAFE: [&str; 2] = ["fsio/map.rs", "engine/sqlite/handle.rs"];

/// No source file is longer.
const MAX_LINES: usize = 600;

/// The files under version control, as paths from the root; everything but build results where
/// the sources were unpacked without a repository.
fn tracked_files() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    if let Ok(output) = listed
        && output.status.success()
        && !output.stdout.is_empty()
    {
        let names = String::from_utf8(output.stdout).unwrap();
        let files = names.split_terminator('\0').map(PathBuf::from);
        return files.filter(|file| root().join(file).is_file()).collect();
    }
    walkdir::WalkDir::new(root())
        .into_iter()
        .filter_entry(|e| e.depth() != 1 || (e.file_name() != "target" && e.file_name() != ".git"))
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(root()).unwrap().to_owned())
        .collect()
}

#[test]
fn the_top_holds_what_the_readme_lists() {
    let found: BTreeSet<String> = tracked_files()
        .iter()
        .map(|file| file.iter().next().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(found, TOP.map(str::to_owned).into());
}

#[test]
fn source_files_stay_short() {
    let long: Vec<String> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(|folder| rust_files(folder).into_iter().map(move |file| (folder, file)))
        .filter(|(_, (_, text))| text.lines().count() > MAX_LINES)
        .map(|(folder, (file, text))| {
            format!("{folder}/{}: {} lines", file.display(), text.lines().count())
        })
        .collect();
    assert!(long.is_empty(), "above {MAX_LINES} lines: {long:#?}");
}

#[test]
fn source_files_say_what_they_own() {
    let silent: Vec<PathBuf> = rust_files("src")
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(file, _)| file)
        .collect();
    assert!(silent.is_empty(), "these do not start with `//!`: {silent:#?}");
}

#[test]
fn unsafe_stands_in_two_files() {
    let mut found = Vec::new();
    for (file, source) in rust_files("src") {
        if UNSAFE.iter().any(|allowed| file == Path::new(allowed)) {
            continue;
        }
        let lines = tokens(&source).into_iter().filter(|t| t.text == "unsafe").map(|t| t.line);
        found.extend(lines.map(|line| format!("src/{}:{line}", file.display())));
    }
    assert!(found.is_empty(), "unsafe outside {UNSAFE:?}: {found:#?}");
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_made_on() {
    // Spelled so that this file does not hold them itself.
    let mut prefixes: Vec<String> =
        ["home", "Users", "root"].iter().map(|dir| format!("/{dir}/")).collect();
    prefixes.push(format!("{}/", root().display()));
    let mut found = Vec::new();
    for file in tracked_files() {
        let content = std::fs::read(root().join(&file)).unwrap();
        for prefix in &prefixes {
            if has_absolute_path(&content, prefix.as_bytes()) {
                found.push(format!("{}: {prefix}…", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Whether `prefix` stands in `content` where a path begins, not inside a longer one.
fn has_absolute_path(content: &[u8], prefix: &[u8]) -> bool {
    content.windows(prefix.len()).enumerate().filter(|(_, window)| *window == prefix).any(
        |(at, _)| {
            let before = at.checked_sub(1).map(|before| content[before]);
            !before.is_some_and(|c| c.is_ascii_alphanumeric() || b"._-~/".contains(&c))
        },
    )
}

#[test]
fn an_absolute_path_is_known_from_a_relative_one() {
    assert!(has_absolute_path(b"at \"/build/src/x\"", b"/build/"));
    assert!(!has_absolute_path(b"in docs/build/x", b"/build/"));
}
