//! `snapshot`: one consistent read of a source, published under a ref.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Runtime;

use super::args::SnapshotArgs;
use super::config::FILE_NAME;
use super::context::{Context, NamedSource};
use super::error::CliError;
use super::exit::Exit;
use super::names;
use super::progress::Progress as Bar;
use super::scratch::Scratch;
use super::signals::StopFlag;
use crate::engine::{EngineError, OpenOptions, Source, SourceUrl};
use crate::model::snapshot::Scope;
use crate::model::{ObjectName, SnapshotId};
use crate::report::stat::plural;
use crate::report::value::visible;
use crate::snapshot::{
    self, Limits, Observer, Outcome, Progress, Request, RowMemory, SnapshotError, Taken,
};
use crate::store::{Moment, Move, RefName, Store, Writer};
use crate::tree::{ScratchSpace, StoreMode};

/// Takes the snapshot and moves the ref.
pub fn run(context: &Context, args: &SnapshotArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let started = Instant::now();
    if args.max_rate.is_some() {
        give_way();
    }
    let store = context.store()?;
    let named = context.source(&args.source)?;
    let reference = reference(args, &named)?;
    names::require_no_tag(&store, &reference)?;
    let before = store.reference(&reference)?;
    let taking = Taking {
        context,
        store: &store,
        named: &named,
        scope: &context.config.scope(),
        parents: before.into_iter().collect(),
        mode: if args.hash_only { StoreMode::HashOnly } else { StoreMode::Full },
        jobs: args.jobs.map(usize::from),
        message: &args.message,
        checkpoint: Some((&reference, args.resume)),
        checkpoint_every: Duration::from_secs(args.checkpoint_seconds),
        limits: args.limits(),
    };
    let Some((taken, writer)) = taking.run()? else {
        return interrupted(context, &store, out, &reference);
    };
    let author = Context::author();
    let change = Move {
        name: &reference,
        expected: names::expected(before),
        who: &author,
        message: if args.message.is_empty() { "snapshot" } else { &args.message },
        when: Moment(snapshot::take::now()),
    };
    let published = writer.publish(taken.id, &change)?;
    let (_, stored) = writer.added();
    debug_assert_eq!(published.new, taken.id);
    store.remove_checkpoint(&reference)?;
    let seconds = started.elapsed().as_secs_f64();
    if context.global.json {
        writeln!(out, "{}", as_json(&taken, &named, stored, seconds))?;
    } else {
        print(out, &taken, &reference, before, stored, seconds)?;
    }
    Ok(Exit::Done)
}

/// Lets every other process of this machine go first: who asks for less than all speed may share the
/// machine with the server. Threads that begin later inherit it. Where that is not allowed, nothing
/// is lost but the courtesy.
fn give_way() {
    let _ = rustix::process::nice(19);
}

fn reference(args: &SnapshotArgs, named: &NamedSource) -> Result<RefName, CliError> {
    let Some(name) = args.reference.as_ref().or(named.reference.as_ref()) else {
        return Err(CliError::usage(format!("a snapshot of {} needs a ref to move", named.label))
            .hint("name one with --ref NAME, or name the source in deepdiff.toml"));
    };
    Ok(RefName::new(name)?)
}

fn interrupted(
    context: &Context,
    store: &Store,
    out: &mut dyn Write,
    reference: &RefName,
) -> Result<Exit, CliError> {
    let is_resumable = store.checkpoint(reference)?.is_some();
    if context.global.json {
        writeln!(out, "{}", json!({"outcome": "interrupted", "resumable": is_resumable}))?;
    } else {
        let name = reference.as_str();
        writeln!(
            out,
            "interrupted; nothing was published, and `{name}` names what it named before"
        )?;
        if is_resumable {
            writeln!(out, "go on with the same command and --resume")?;
        }
    }
    Ok(Exit::Interrupted)
}

fn as_json(taken: &Taken, named: &NamedSource, stored: u64, seconds: f64) -> serde_json::Value {
    json!({
        "snapshot": taken.id.to_string(),
        "state": taken.snapshot.state.to_string(),
        "source": named.label,
        "guarantee": taken.snapshot.guarantee.as_str(),
        "tables": taken.tables,
        "rows": taken.rows,
        "bytes_read": taken.bytes,
        "bytes_stored": stored,
        "seconds": (seconds * 1000.0).round() / 1000.0,
        "not_captured": taken.snapshot.not_captured.iter()
            .map(crate::report::json::not_captured).collect::<Vec<_>>(),
        "warnings": taken.unused_rules,
    })
}

fn print(
    out: &mut dyn Write,
    taken: &Taken,
    reference: &RefName,
    before: Option<SnapshotId>,
    stored: u64,
    seconds: f64,
) -> Result<(), CliError> {
    let snapshot = &taken.snapshot;
    let from = before.map_or_else(|| "new".to_owned(), |id| format!("{}..", id.short()));
    writeln!(out, "{} {from} {}", reference.as_str(), taken.id.short())?;
    writeln!(
        out,
        "  {}, {}, {} read, {} stored, {seconds:.1} s",
        plural(taken.tables, "table"),
        plural(taken.rows, "row"),
        bytes(taken.bytes),
        bytes(stored),
    )?;
    writeln!(out, "  state {} ({})", snapshot.state.short(), snapshot.guarantee.as_str())?;
    if !snapshot.not_captured.is_empty() {
        let count = plural(snapshot.not_captured.len() as u64, "thing");
        writeln!(out, "  {count} not captured: see `deepdiff-db show {}`", taken.id.short())?;
    }
    Ok(())
}

/// A size for a person.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// A snapshot to be taken into a store.
pub struct Taking<'a> {
    /// The configuration.
    pub context: &'a Context,
    /// The store.
    pub store: &'a Store,
    /// What is read.
    pub named: &'a NamedSource,
    /// The rules it is read under.
    pub scope: &'a Scope,
    /// The snapshots before this one.
    pub parents: Vec<SnapshotId>,
    /// Whether values are stored.
    pub mode: StoreMode,
    /// Threads that hash and compress.
    pub jobs: Option<usize>,
    /// What to say of it.
    pub message: &'a str,
    /// Under which name to keep checkpoints, and whether to go on from one.
    pub checkpoint: Option<(&'a RefName, bool)>,
    /// How often to keep one.
    pub checkpoint_every: Duration,
    /// What the source may be asked.
    pub limits: Limits,
}

impl Taking<'_> {
    /// Takes it; gives the writer that holds its objects, not yet published. `None` where a
    /// signal stopped it.
    pub fn run(&self) -> Result<Option<(Box<Taken>, Writer)>, CliError> {
        let runtime = runtime()?;
        let stop = StopFlag::on_signals()?;
        let was_stopped =
            |error: &EngineError| matches!(error, EngineError::Stopped { .. }) && stop.is_raised();
        let opened = runtime.block_on(Source::open(&self.named.url, &self.open_options(&stop)));
        let mut source = match opened {
            Err(error) if was_stopped(&error) => return Ok(None),
            opened => opened?,
        };
        let writer = self.store.writer()?;
        let scratch: Arc<dyn ScratchSpace> =
            Arc::new(Scratch::new(self.store.file_system(), &self.store.tmp_dir()));
        let observer = Watch {
            bar: Bar::new(!self.context.global.quiet && !self.context.global.json),
            stop: stop.clone(),
            store: self.store,
            name: self.checkpoint.map(|(name, _)| name),
        };
        let author = Context::author();
        let request = Request {
            label: &self.named.label,
            scope: self.scope,
            mode: self.mode,
            jobs: self.jobs.unwrap_or_else(processors),
            readers: self.jobs.unwrap_or(1),
            limits: self.limits.clone(),
            parents: self.parents.clone(),
            author: &author,
            message: self.message,
            checkpoint_every: self.checkpoint_every,
            memory: RowMemory::default(),
            resume: self.resume()?,
        };
        let outcome = snapshot::take(&runtime, &mut source, &writer, &scratch, request, &observer);
        observer.bar.finish();
        runtime.block_on(source.close())?;
        match outcome {
            Ok(Outcome::Taken(taken)) => {
                warn(&taken.unused_rules);
                Ok(Some((taken, writer)))
            }
            Ok(Outcome::Interrupted) => Ok(None),
            Err(SnapshotError::Engine(error)) if was_stopped(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A server may let us wait, for a lock or an answer, and a signal ends that. A file is read
    /// row by row, so that there is always a next row at which to stop with a checkpoint.
    fn open_options(&self, stop: &StopFlag) -> OpenOptions {
        let is_file = matches!(self.named.url, SourceUrl::Sqlite(_));
        OpenOptions { stop: (!is_file).then(|| stop.shared()), ..OpenOptions::default() }
    }

    fn resume(&self) -> Result<Option<Progress>, CliError> {
        let Some((name, true)) = self.checkpoint else { return Ok(None) };
        let Some(checkpoint) = self.store.checkpoint(name)? else {
            let message = format!("no interrupted snapshot of `{}` is kept", name.as_str());
            return Err(CliError::new(Exit::CouldNot, message).hint("run it without --resume"));
        };
        Ok(Some(Progress::of_stored(&checkpoint, self.store.hasher())?))
    }
}

/// Says on standard error which rules of the configuration have no effect.
pub fn warn(unused_rules: &[String]) {
    let mut out = std::io::stderr().lock();
    for rule in unused_rules {
        // Where standard error is closed, nobody is left to tell.
        let _ = writeln!(out, "warning: {FILE_NAME}: {}", visible(rule));
    }
}

/// Says something on standard error that a person should know of, and that stops nothing.
pub(super) fn warn_of(what: &str) {
    // Where standard error is closed, nobody is left to tell.
    let _ = writeln!(std::io::stderr().lock(), "warning: {}", visible(what));
}

/// Where the engines' futures run.
pub fn runtime() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::because(Exit::CouldNot, "cannot start the runtime", error))
}

/// How many threads work at once, unless told.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

struct Watch<'a> {
    bar: Bar,
    stop: StopFlag,
    store: &'a Store,
    name: Option<&'a RefName>,
}

impl Observer for Watch<'_> {
    fn table(&self, name: &ObjectName, estimate: Option<u64>) {
        self.bar.start(&name.to_string(), estimate);
    }

    fn rows(&self, done: u64) {
        self.bar.rows(done);
    }

    fn should_stop(&self) -> bool {
        self.stop.is_raised()
    }

    fn keep(&self, progress: &Progress) -> Result<(), SnapshotError> {
        let Some(name) = self.name else { return Ok(()) };
        self.store.write_checkpoint(name, &progress.to_stored(snapshot::take::now()))?;
        Ok(())
    }
}
