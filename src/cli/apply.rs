//! `apply`: a pack against a target, guarded, in one transaction, or not at all.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::ApplyArgs;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::scratch::Scratch;
use super::snapshot::{processors, runtime};
use crate::apply::options::ReadState;
use crate::apply::{
    ApplyError, DriftClass, Ending, Finish, Held, Options, Outcome, apply, receipt,
};
use crate::codec::{HashAlgorithm, Hasher};
use crate::engine::{EngineError, OpenOptions, Receipt, SourceUrl, Target};
use crate::fsio::FileSystem;
use crate::model::SinkError;
use crate::model::snapshot::Scope;
use crate::pack::{Manifest, Pack, Run};
use crate::report::stat::plural;
use crate::report::value;
use crate::snapshot::reread;
use crate::tree::ScratchSpace;

/// What makes a folder a pack.
const MANIFEST: &str = "pack.json";

/// Applies the pack, or its rollback.
pub fn run(context: &Context, args: &ApplyArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let fs = Context::file_system();
    let pack = open(fs.as_ref(), &args.pack)?;
    let hasher = hasher(context, &pack.manifest)?;
    let named = context.source(&args.to)?;
    let runtime = runtime()?;
    let mut target = runtime.block_on(Target::open(&named.url, &OpenOptions::default()))?;
    let (identity, engine) = (target.identity(), target.engine());
    let mut options = Options::new(jiff::Timestamp::now().to_string());
    options.run = if args.rollback { Run::Back } else { Run::Forward };
    options.finish = if args.dry_run { Finish::DryRun } else { Finish::Commit };
    options.accepts_target = args.accept_target;
    options.triggers = args.allow_triggers.iter().cloned().collect();
    let scope = Scope::from(&pack.manifest.scope);
    let scratch: Arc<dyn ScratchSpace> = Arc::new(Scratch::new(&fs, &std::env::temp_dir()));
    let mut read_state = |session: &crate::engine::Session<'_>| {
        reread::state_of(session, engine, &scope, &hasher, &scratch, processors())
            .map(|state| state.to_string())
            .map_err(SinkError::from)
    };
    let read_state: Option<&mut ReadState<'_>> =
        if args.verify_full { Some(&mut read_state) } else { None };
    let outcome = {
        let mut session = runtime.block_on(target.session())?;
        let held = Held { session: &mut session, identity: &identity };
        apply(held, fs.as_ref(), &pack, &hasher, &options, read_state)
    };
    // Whatever came of it is decided by now; closing can only fail to tidy up.
    let closed = runtime.block_on(target.close());
    let outcome = match outcome {
        Err(ApplyError::CommitUnknown { receipt, source }) => {
            let committed = runtime.block_on(is_committed(&named.url, &receipt));
            match committed {
                Some(true) => Outcome::committed(&pack, options.run, receipt.statements),
                Some(false) => return Err(nothing_committed(&source)),
                None => return Err(ApplyError::CommitUnknown { receipt, source }.into()),
            }
        }
        outcome => {
            let outcome = outcome?;
            closed?;
            outcome
        }
    };
    if context.global.json {
        let object = serde_json::to_value(&outcome).map_err(|error| {
            CliError::because(Exit::CouldNot, "cannot print the outcome", error)
        })?;
        writeln!(out, "{object}")?;
    } else {
        print(out, &outcome)?;
    }
    Ok(match outcome.outcome {
        Ending::Unfinished => Exit::Incomplete,
        _ if outcome.is_success() => Exit::Done,
        _ => Exit::Refused,
    })
}

/// Opens a pack and checks every byte of it.
pub(super) fn open(fs: &dyn FileSystem, dir: &Path) -> Result<Pack, CliError> {
    if matches!(fs.info(&dir.join(MANIFEST)), Ok(None)) {
        let message = format!("`{}` is no pack: it has no {MANIFEST}", dir.display());
        return Err(CliError::new(Exit::CouldNot, message)
            .hint("give the folder that `deepdiff-db pack A B -o FOLDER` wrote"));
    }
    Ok(Pack::open(fs, dir)?)
}

/// How often the target is asked whether it committed.
const QUESTIONS: u32 = 10;

/// Whether the run that would have left this receipt is committed, asked on a new connection;
/// `None` where the target does not answer.
async fn is_committed(url: &SourceUrl, receipt: &Receipt) -> Option<bool> {
    for question in 1..=QUESTIONS {
        if let Ok(mut target) = Target::open(url, &OpenOptions::default()).await {
            let answered = match target.session().await {
                Ok(session) => receipt::is_committed(&session, receipt).ok(),
                Err(_) => None,
            };
            // The answer is what counts.
            let _ = target.close().await;
            if answered.is_some() {
                return answered;
            }
        }
        std::thread::sleep(Duration::from_millis(200) * question);
    }
    None
}

fn nothing_committed(source: &EngineError) -> CliError {
    CliError::new(Exit::CouldNot, format!("nothing was changed: {source}"))
        .hint("the target holds no receipt of this run; run the same command again")
}

/// The hash function that the pack's guards were made with.
pub(super) fn hasher(context: &Context, manifest: &Manifest) -> Result<Hasher, CliError> {
    let algorithm = HashAlgorithm::from_name(&manifest.hash).ok_or_else(|| {
        let message = format!("the pack hashes rows with `{}`, which is not known", manifest.hash);
        CliError::new(Exit::Refused, message)
    })?;
    match (manifest.is_keyed, context.hash_key()?) {
        (false, _) => Ok(Hasher::new(algorithm)),
        (true, Some(key)) => Ok(key.hasher(algorithm)),
        (true, None) => Err(CliError::usage("the pack was made by a keyed store")
            .hint("name the store's key with --hash-key-file FILE")),
    }
}

fn print(out: &mut dyn Write, outcome: &Outcome) -> Result<(), CliError> {
    let what = outcome.direction;
    match outcome.outcome {
        Ending::Applied => writeln!(out, "{what} applied and committed")?,
        Ending::AlreadyApplied => writeln!(out, "{what} already applied; nothing was written")?,
        Ending::DryRun => writeln!(out, "{what} ran as it would, and was rolled back")?,
        Ending::Refused => writeln!(out, "{what} refused; nothing was written")?,
        Ending::RolledBack => writeln!(out, "{what} rolled back; the target is as it was")?,
        Ending::Checked => {
            writeln!(out, "{what} checked; it did not run: each of its statements would commit")?;
        }
        Ending::Unfinished => writeln!(
            out,
            "{what} stopped in the middle: the target is neither as before nor as after it; run the \
             same command again to go on, or {} to go back",
            if what == Run::Back.as_str() { "apply" } else { "apply --rollback" }
        )?,
    }
    let rows = &outcome.rows;
    writeln!(
        out,
        "  {}; rows: {} inserted, {} updated, {} deleted",
        plural(outcome.statements, "statement"),
        rows.inserted,
        rows.updated,
        rows.deleted
    )?;
    for effect in &outcome.side_effects {
        writeln!(
            out,
            "  by triggers in {}: {} inserted, {} updated, {} deleted",
            value::visible(&effect.name),
            effect.inserted,
            effect.updated,
            effect.deleted
        )?;
    }
    for reason in &outcome.reasons {
        writeln!(out, "  {}", value::visible(&reason.to_string()))?;
    }
    for drift in &outcome.drift {
        let key: Vec<String> = drift.key.iter().map(|part| value::to_text(&part.0)).collect();
        let row = if key.is_empty() { String::new() } else { format!(" ({})", key.join(", ")) };
        let (table, found) = (value::visible(&drift.table), value::visible(&drift.found));
        writeln!(out, "  {table}{row}: {}: {found}", drift_words(drift.class))?;
    }
    let hidden = outcome.drifted.saturating_sub(outcome.drift.len() as u64);
    if hidden > 0 {
        writeln!(out, "  … and {hidden} more")?;
    }
    if outcome.drifted > 0 {
        writeln!(out, "hint: take a new snapshot of the target and make the pack again")?;
    }
    if let Some(state) = &outcome.state {
        writeln!(out, "  read again inside the transaction: state {state}")?;
    }
    Ok(())
}

/// How a row differs, for people.
pub(super) fn drift_words(class: DriftClass) -> &'static str {
    match class {
        DriftClass::Changed => "changed",
        DriftClass::Missing => "missing",
        DriftClass::Extra => "not expected",
        DriftClass::AlreadyApplied => "already as the pack would leave it",
        DriftClass::Referring => "not known to the pack",
    }
}
