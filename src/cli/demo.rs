//! `demo`: the whole job on the bundled shop, in a temporary folder, saying what it does.
//!
//! Every step is a real command line, run by the same code as the program's own.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::args::{Cli, DemoArgs};
use super::error::CliError;
use super::exit::Exit;
use super::snapshot::runtime;
use crate::engine::{OpenOptions, SourceUrl, Target};
use crate::fsio::{self, FileSystem as _, RealFs};

const PROD: &str = include_str!("../../fixtures/shop/prod.sql");
const DEV: &str = include_str!("../../fixtures/shop/dev.sql");

const CONFIG: &str = "[sources.prod]\nurl = \"sqlite:prod.db\"\n\n\
    [sources.dev]\nurl = \"sqlite:dev.db\"\n";

/// What is said, what is run, and how it must end.
const STEPS: &[(&str, &[&str], Exit)] = &[
    ("An empty store; from here on nothing needs a database to compare.", &["init"], Exit::Done),
    (
        "Production is read as one consistent state. Nothing is written to it.",
        &["snapshot", "prod", "-m", "production on Monday"],
        Exit::Done,
    ),
    (
        "The developer's copy, after some weeks of work.",
        &["snapshot", "dev", "-m", "spring assortment"],
        Exit::Done,
    ),
    (
        "What differs, offline: schema and rows, down to the cell. Exit code 1, as diff(1).",
        &["diff", "prod", "dev", "--limit", "2"],
        Exit::Different,
    ),
    (
        "The reviewed change from one to the other. Destructive steps are left out and listed.",
        &["pack", "prod", "dev", "-o", "careful"],
        Exit::Done,
    ),
    (
        "The same with consent to everything; migration.sql in the folder is what will run.",
        &["pack", "prod", "dev", "-o", "change", "--allow", "all"],
        Exit::Done,
    ),
    (
        "A dry run executes everything in a transaction, reports, and rolls back.",
        &["apply", "change", "--to", "prod", "--dry-run"],
        Exit::Done,
    ),
    (
        "Now for real: guarded by before-images, verified before COMMIT.",
        &["apply", "change", "--to", "prod", "--verify-full"],
        Exit::Done,
    ),
    ("Production again …", &["snapshot", "prod", "-m", "after the change"], Exit::Done),
    ("… is what the developer had.", &["diff", "prod", "dev"], Exit::Done),
    (
        "And back: destroyed rows return, because the store has them.",
        &["apply", "change", "--to", "prod", "--rollback"],
        Exit::Done,
    ),
    ("Production once more …", &["snapshot", "prod", "-m", "after the rollback"], Exit::Done),
    ("… is what it was on Monday.", &["diff", "prod~2", "prod"], Exit::Done),
    ("Everything the store should hold is there and undamaged.", &["verify", "--full"], Exit::Done),
];

/// Runs the demonstration.
pub fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let before = std::env::current_dir()
        .map_err(|error| CliError::because(Exit::CouldNot, "no working directory", error))?;
    let dir = new_folder()?;
    let shown = dir.display();
    writeln!(out, "A shop's database and a developer's changed copy of it, in {shown}\n")?;
    let result = steps(&dir, out);
    enter(&before)?;
    if args.keep {
        writeln!(out, "kept in {shown}")?;
    } else {
        fsio::remove_tree(&RealFs, &dir).map_err(could_not)?;
    }
    result.map(|()| Exit::Done)
}

fn steps(dir: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    create(&dir.join("prod.db"), &[PROD])?;
    create(&dir.join("dev.db"), &[PROD, DEV])?;
    fsio::write_new(&RealFs, &dir.join("deepdiff.toml"), CONFIG.as_bytes()).map_err(could_not)?;
    enter(dir)?;
    for (said, words, expected) in STEPS {
        writeln!(out, "# {said}\n$ deepdiff-db {}", quoted(words))?;
        let line = ["deepdiff-db"].iter().chain(*words);
        let cli = Cli::try_parse_from(line)
            .map_err(|error| CliError::because(Exit::Usage, "the demonstration is wrong", error))?;
        let exit = super::run(cli, out)?;
        if exit != *expected {
            let message =
                format!("`deepdiff-db {}` ended with exit code {}", quoted(words), exit.code());
            return Err(CliError::new(Exit::CouldNot, message));
        }
        writeln!(out)?;
    }
    Ok(())
}

fn quoted(words: &[&str]) -> String {
    let quote = |word: &&str| {
        if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn create(path: &Path, scripts: &[&str]) -> Result<(), CliError> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let url = SourceUrl::sqlite(path);
        let mut target = Target::create(&url, &[], &OpenOptions::default()).await?;
        let session = target.session().await?;
        for script in scripts {
            session.execute_script(script)?;
        }
        drop(session);
        target.close().await
    })?;
    Ok(())
}

fn new_folder() -> Result<PathBuf, CliError> {
    let nonce: String = RealFs.nonce().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let dir = std::env::temp_dir().join(format!("deepdiff-demo-{nonce}"));
    RealFs.create_dir(&dir).map_err(could_not)?;
    Ok(dir)
}

fn enter(dir: &Path) -> Result<(), CliError> {
    std::env::set_current_dir(dir).map_err(|error| {
        CliError::because(Exit::CouldNot, format!("cannot enter {}", dir.display()), error)
    })
}

fn could_not(error: fsio::FsError) -> CliError {
    CliError::because(Exit::CouldNot, error.to_string(), error)
}
