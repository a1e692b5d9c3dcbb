//! `rehearse`: a pack tried out where nothing can be lost, on a scratch file or server that is
//! filled from the pack's base snapshot.
//!
//! The same code runs there as on the target. What is shown is what was seen: the states before and
//! after, what the server held locked and wrote anew, and how long each step took. The scratch
//! database is left as it was found.

mod bench;
mod verdict;

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;

use super::apply as applying;
use super::args::RehearseArgs;
use super::context::{Context, NamedSource};
use super::error::CliError;
use super::exit::Exit;
use super::scratch::Scratch;
use super::snapshot::{processors, runtime};
use crate::apply::options::ReadState;
use crate::apply::{Held, Options, Outcome, apply};
use crate::codec::Hasher;
use crate::engine::{HeldLock, OpenOptions, RelationFile, Session, SourceUrl, Target};
use crate::fsio::FileSystem;
use crate::model::SinkError;
use crate::model::snapshot::Scope;
use crate::pack::{Pack, Run};
use crate::snapshot::{SnapshotError, reread};
use crate::store::{Reader, Store};
use crate::tree::ScratchSpace;
use bench::Bench;
use verdict::{Effects, Verdict};

/// Rehearses the pack.
pub fn run(context: &Context, args: &RehearseArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let fs = Context::file_system();
    let pack = applying::open(fs.as_ref(), &args.pack)?;
    if pack.manifest.is_online() {
        let message =
            "this is the second of two packs, and no snapshot is as the first one leaves it";
        return Err(CliError::new(Exit::Refused, message)
            .hint("rehearse the first one; try this one on a copy of the target, after it"));
    }
    let store = context.store()?;
    let reader = store.reader()?;
    let base = context.snapshot(&reader, &pack.manifest.base.snapshot).map_err(|error| {
        let message = "the snapshot that the pack starts from is not in the store";
        CliError::because(error.exit(), message, error)
            .hint("rehearse with the store that the pack was made from (--store DIR)")
    })?;
    let scratch: Arc<dyn ScratchSpace> = Arc::new(Scratch::new(&fs, &store.tmp_dir()));
    let hasher = applying::hasher(context, &pack.manifest)?;
    let mut scene = Scene {
        context,
        store: &store,
        reader: &reader,
        runtime: runtime()?,
        fs: fs.as_ref(),
        scope: Scope::from(&pack.manifest.scope),
        engine: pack.manifest.engine.clone(),
        hasher,
        scratch,
        triggers: args.allow_triggers.clone(),
        times: Vec::new(),
    };
    let bench = Bench::set_up(&mut scene, args.on.as_deref(), &pack.manifest, &base)?;
    let rehearsed = scene.rehearse(&bench, &pack);
    let is_left = bench.take_down(&mut scene);
    let mut verdict = rehearsed?;
    verdict.left_behind = is_left?;
    verdict.times = scene.times;
    if context.global.json {
        writeln!(out, "{}", verdict.to_json())?;
    } else {
        verdict.print(out, &pack.manifest)?;
    }
    Ok(if verdict.is_good() { Exit::Done } else { Exit::Refused })
}

/// Everything a rehearsal works with.
struct Scene<'a> {
    context: &'a Context,
    store: &'a Store,
    reader: &'a Reader,
    runtime: Runtime,
    fs: &'a dyn FileSystem,
    scope: Scope,
    engine: String,
    hasher: Hasher,
    scratch: Arc<dyn ScratchSpace>,
    triggers: Vec<String>,
    /// What was done, and in how many seconds.
    times: Vec<(&'static str, f64)>,
}

/// What a pack did on the scratch database.
struct Ran {
    outcome: Outcome,
    locks: Option<Vec<HeldLock>>,
}

impl Scene<'_> {
    /// Does something, and notes how long it took.
    fn timed<T>(
        &mut self,
        what: &'static str,
        job: impl FnOnce(&mut Self) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let started = Instant::now();
        let done = job(self);
        self.times.push((what, started.elapsed().as_secs_f64()));
        done
    }

    fn rehearse(&mut self, bench: &Bench, pack: &Pack) -> Result<Verdict, CliError> {
        let url = &bench.named.url;
        let before = self.files(url)?;
        let there = self
            .timed("apply", |scene| scene.apply(url, pack, Run::Forward, Some(bench.is_exact)))?;
        let mut verdict = Verdict::new(&bench.seeded, there.outcome.clone());
        if !there.outcome.is_success() {
            return Ok(verdict);
        }
        let after = self.files(url)?;
        verdict.effects = Effects::new(there.locks, before.as_deref(), after.as_deref());
        let found = self.timed("read again", |scene| scene.state(url))?;
        verdict.forward(&found, &pack.manifest, bench.is_exact);
        let back = self.timed("roll back", |scene| scene.apply(url, pack, Run::Back, None))?;
        let found = self.timed("read again", |scene| scene.state(url))?;
        verdict.back(back.outcome, &found);
        Ok(verdict)
    }

    /// Runs one way of a pack on the scratch database; `watch` asks for its locks and says whether the
    /// database was exactly as the snapshot.
    fn apply(
        &self,
        url: &SourceUrl,
        pack: &Pack,
        run: Run,
        watch: Option<bool>,
    ) -> Result<Ran, CliError> {
        let mut target = self.runtime.block_on(Target::open(url, &OpenOptions::default()))?;
        let identity = target.identity();
        let mut options = Options::new(jiff::Timestamp::now().to_string());
        options.run = run;
        options.accepts_target = true;
        options.triggers = self.triggers.iter().cloned().collect();
        let mut locks = None;
        // What is read again is compared with what a complete pack promises.
        let may_watch = watch.is_some_and(|is_exact| is_exact || !pack.manifest.is_complete);
        let mut watch = |session: &Session<'_>| {
            // Locks are held until the end of the transaction: these are all that were taken.
            locks = session.held_locks().map_err(SinkError::from)?;
            self.read(session).map_err(SinkError::from)
        };
        let watch: Option<&mut ReadState<'_>> = if may_watch { Some(&mut watch) } else { None };
        let outcome = {
            let mut session = self.runtime.block_on(target.session())?;
            let held = Held { session: &mut session, identity: &identity };
            apply(held, self.fs, pack, &self.hasher, &options, watch)
        };
        self.runtime.block_on(target.close())?;
        Ok(Ran { outcome: outcome?, locks })
    }

    fn read(&self, session: &Session<'_>) -> Result<String, SnapshotError> {
        let jobs = processors();
        reread::state_of(session, &self.engine, &self.scope, &self.hasher, &self.scratch, jobs)
            .map(|state| state.to_string())
    }

    /// The state of the scratch database.
    fn state(&self, url: &SourceUrl) -> Result<String, CliError> {
        self.with_session(url, |session| {
            session.begin()?;
            let state = self.read(session);
            session.rollback()?;
            Ok(state?)
        })
    }

    fn files(&self, url: &SourceUrl) -> Result<Option<Vec<RelationFile>>, CliError> {
        self.with_session(url, |session| {
            session.begin()?;
            let files = session.relation_files();
            session.rollback()?;
            Ok(files?)
        })
    }

    /// A connection of its own for something.
    fn with_session<T>(
        &self,
        url: &SourceUrl,
        job: impl FnOnce(&Session<'_>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let mut target = self.runtime.block_on(Target::open(url, &OpenOptions::default()))?;
        let done = {
            let session = self.runtime.block_on(target.session())?;
            job(&session)
        };
        self.runtime.block_on(target.close())?;
        done
    }
}
