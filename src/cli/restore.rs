//! `restore`: a new database from a snapshot, read again to be sure.

use std::io::Write;
use std::sync::Arc;

use serde_json::json;

use super::args::RestoreArgs;
use super::context::{Context, NamedSource};
use super::error::CliError;
use super::exit::Exit;
use super::progress::Progress;
use super::scratch::Scratch;
use super::snapshot::{processors, runtime};
use crate::diff::LoadedSnapshot;
use crate::engine::{OpenOptions, Target, product};
use crate::report::stat::plural;
use crate::snapshot::restore;
use crate::snapshot::restore::Reading;
use crate::store::StoreError;
use crate::tree::ScratchSpace;

/// A database is made of a snapshot of its own engine.
fn refuse_other_engines(loaded: &LoadedSnapshot, named: &NamedSource) -> Result<(), CliError> {
    let (from, to) = (loaded.state.engine.as_str(), named.url.engine());
    if from == to {
        return Ok(());
    }
    let (id, from, to) = (loaded.id.short(), product(from), product(to));
    let message = format!("snapshot {id} is of a {from} database and is not restored into {to}");
    Err(CliError::new(Exit::Refused, message).hint("`cat` prints the rows of any snapshot"))
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
    let scratch: Arc<dyn ScratchSpace> =
        Arc::new(Scratch::new(&Context::file_system(), &store.tmp_dir()));
    let reading = Reading { hasher: store.hasher(), scratch: &scratch, jobs: processors() };
    let bar = Progress::new(!context.global.quiet && !context.global.json);
    let restored = restore(
        &runtime,
        &reader,
        &loaded,
        &mut target,
        &reading,
        &mut |table| bar.start(&table.spec.name.to_string(), Some(table.rows.rows)),
        &mut |rows| bar.rows(rows),
    );
    bar.finish();
    runtime.block_on(target.close())?;
    let restored = match restored {
        Ok(restored) => restored,
        Err(error) => {
            // A file was created here, and half a database is worse than none.
            let fs = Context::file_system();
            for file in named.url.files() {
                if fs.info(&file).is_ok_and(|info| info.is_some()) {
                    fs.remove_file(&file).map_err(StoreError::from)?;
                }
            }
            return Err(error.into());
        }
    };
    let found = restored.state.map(|state| state.to_string()).unwrap_or_default();
    let is_same = found == loaded.snapshot.state.to_string();
    let masked: Vec<String> = restored.masked.iter().map(ToString::to_string).collect();
    if context.global.json {
        let object = json!({"outcome": "restored", "to": named.label, "state": found,
            "tables": restored.tables, "rows": restored.rows, "masked": masked});
        writeln!(out, "{object}")?;
    } else {
        let (tables, rows) = (plural(restored.tables, "table"), plural(restored.rows, "row"));
        writeln!(out, "restored {tables} and {rows} into {}", named.label)?;
        let found = found.get(..12).unwrap_or(&found);
        let how = match is_same {
            true => "as in the snapshot",
            false => "all rows as in the snapshot; owners, grants or comments differ",
        };
        writeln!(out, "  read again: state {found}, {how}")?;
        if !masked.is_empty() {
            writeln!(out, "  without values, because they are masked: {}", masked.join(", "))?;
        }
    }
    Ok(Exit::Done)
}
