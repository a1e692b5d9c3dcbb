//! `restore`: a new database from a snapshot, read again to be sure.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use super::args::RestoreArgs;
use super::context::{Context, NamedSource};
use super::error::CliError;
use super::exit::Exit;
use super::progress::Progress;
use super::snapshot::{Taking, runtime};
use crate::diff::LoadedSnapshot;
use crate::engine::{OpenOptions, Target, product};
use crate::report::stat::plural;
use crate::snapshot::{Limits, restore};
use crate::store::StoreError;
use crate::tree::StoreMode;

/// A database is made of a snapshot of its own engine, and so far of SQLite alone.
fn refuse_other_engines(loaded: &LoadedSnapshot, named: &NamedSource) -> Result<(), CliError> {
    let (from, to) = (product(&loaded.state.engine), product(named.url.engine()));
    if loaded.state.engine == "sqlite" && named.url.engine() == "sqlite" {
        return Ok(());
    }
    let id = loaded.id.short();
    let message = if from == to {
        format!("snapshot {id} is not restored: restoring {to} databases is not written yet")
    } else {
        format!("snapshot {id} is of a {from} database and is not restored into one of {to}")
    };
    Err(CliError::new(Exit::Refused, message)
        .hint("SQLite snapshots are restored into SQLite; `cat` prints the rows of any snapshot"))
}

/// Restores, and compares the state of what was written.
pub fn run(context: &Context, args: &RestoreArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let reader = store.reader()?;
    let loaded = context.snapshot(&reader, &args.snapshot)?;
    if loaded.snapshot.is_hash_only {
        let message = format!("snapshot {} stored no values to restore", loaded.id.short());
        return Err(CliError::new(Exit::CouldNot, message)
            .hint("it was taken with --hash-only; take one without"));
    }
    let named = context.source(&args.to)?;
    refuse_other_engines(&loaded, &named)?;
    let runtime = runtime()?;
    let facts = loaded.facts(&reader)?;
    let options = OpenOptions::default();
    let mut target = runtime.block_on(Target::create(&named.url, &facts, &options))?;
    let bar = Progress::new(!context.global.quiet && !context.global.json);
    let restored = restore(
        &runtime,
        &reader,
        &loaded,
        &mut target,
        &mut |table| bar.start(&table.spec.name.to_string(), Some(table.rows.rows)),
        &mut |rows| bar.rows(rows),
    );
    bar.finish();
    runtime.block_on(target.close())?;
    let restored = match restored {
        Ok(restored) => restored,
        Err(error) => {
            // The file was created here, and half a database is worse than none.
            let fs = Context::file_system();
            for file in named.url.files() {
                if fs.info(&file).is_ok_and(|info| info.is_some()) {
                    fs.remove_file(&file).map_err(StoreError::from)?;
                }
            }
            return Err(error.into());
        }
    };
    let taking = Taking {
        context,
        store: &store,
        named: &named,
        parents: Vec::new(),
        mode: StoreMode::HashOnly,
        jobs: None,
        message: "",
        checkpoint: None,
        checkpoint_every: Duration::MAX,
        limits: Limits::default(),
    };
    let Some((taken, _unpublished)) = taking.run()? else {
        return Err(CliError::new(
            Exit::Interrupted,
            "interrupted while reading what was restored",
        ));
    };
    let (expected, found) = (loaded.snapshot.state, taken.snapshot.state);
    if expected != found {
        let message = format!(
            "{} was written, but its state is {} and not {}",
            named.label,
            found.short(),
            expected.short()
        );
        return Err(CliError::new(Exit::Incomplete, message).hint(
            "compare the two with `deepdiff-db diff`; tables that were left out, or \
                configuration that changed since the snapshot, can be the cause",
        ));
    }
    if context.global.json {
        let object = json!({"outcome": "restored", "to": named.label, "state": found.to_string(),
            "tables": restored.tables, "rows": restored.rows});
        writeln!(out, "{object}")?;
    } else {
        let (tables, rows) = (plural(restored.tables, "table"), plural(restored.rows, "row"));
        writeln!(out, "restored {tables} and {rows} into {}", named.label)?;
        writeln!(out, "  read again: state {}, as in the snapshot", found.short())?;
    }
    Ok(Exit::Done)
}
