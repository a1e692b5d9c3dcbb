//! Whole snapshots of a real database, with every write, sync and rename of the store going wrong
//! once.
//!
//! As `store_faults`, one layer up: what writes is `snapshot::take` with its checkpoints, its
//! sorter's scratch files and its large values, then the publication, then the end of the
//! checkpoint. The source is a SQLite file; the store is on the simulated file system. Whatever
//! happened, the store opens and is sound, the ref names the old state or the new one, and going on
//! from the checkpoint, or beginning again, gives the new state.
//!
//! Every operation meets every fault; the ideas of what survives take turns from one to the next.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deepdiff_db::cli::scratch::Scratch;
use deepdiff_db::engine::{OpenOptions, Source, SourceUrl};
use deepdiff_db::fsio::{Fault, SimulatedFs, Survival};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{ObjectName, StateId};
use deepdiff_db::snapshot::{
    Observer, Outcome, Progress, Request, RowMemory, SnapshotError, take, take::now,
};
use deepdiff_db::store::verify::Depth;
use deepdiff_db::store::{Expected, Moment, Move, RefName, Store, WriterOptions};
use deepdiff_db::tree::state::LoadedSnapshot;
use deepdiff_db::tree::{ScratchSpace, StoreMode};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::lab::sqlite3;
use crate::store_scene::{name, reopen, simulated, verify};

/// Small enough that the tables below have several batches, and do not fit in the sorter.
const MEMORY: RowMemory = RowMemory { batch: 12 << 10, sort: 24 << 10 };

/// Several object files a snapshot.
const OPTIONS: WriterOptions = WriterOptions { roll_over_at: 16 << 10 };

/// One table of each kind: read in key order, with a key but out of order, without a key, and with
/// a value of several pieces.
const TABLES: &str = "
    CREATE TABLE a_keyed(id INTEGER PRIMARY KEY, word TEXT, n INTEGER);
    CREATE TABLE b_out_of_order(word TEXT PRIMARY KEY, n INTEGER);
    CREATE TABLE c_keyless(word TEXT, n INTEGER);
    CREATE TABLE d_large(id INTEGER PRIMARY KEY, body BLOB);
    CREATE INDEX by_n ON a_keyed(n);
    WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 1000)
    INSERT INTO a_keyed SELECT n, 'word number '||n, n % 7 FROM i;
    INSERT INTO b_out_of_order SELECT 'key '||(id * 7919 % 104729), id FROM a_keyed WHERE id <= 600;
    INSERT INTO c_keyless SELECT 'row '||(id % 550), id % 3 FROM a_keyed WHERE id <= 600;";

/// What the new state has beside the old one, in every table.
const CHANGES: &str = "
    UPDATE a_keyed SET word = 'changed' WHERE id IN (3, 500, 900);
    INSERT INTO b_out_of_order VALUES('a new key', 1);
    DELETE FROM c_keyless WHERE rowid % 100 = 0;
    INSERT INTO d_large VALUES(2, zeroblob(1100000));";

/// Keeps checkpoints, and stops once it kept so many that lie within a table.
struct Watch<'a> {
    store: &'a Store,
    name: RefName,
    stop_after: Option<u32>,
    kept_within_a_table: Cell<u32>,
}

impl Observer for Watch<'_> {
    fn table(&self, _: &ObjectName, _: Option<u64>) {}

    fn rows(&self, _: u64) {}

    fn should_stop(&self) -> bool {
        self.stop_after.is_some_and(|kept| self.kept_within_a_table.get() >= kept)
    }

    fn keep(&self, progress: &Progress) -> Result<(), SnapshotError> {
        self.store.write_checkpoint(&self.name, &progress.to_stored(now()))?;
        if progress.unfinished.is_some() {
            self.kept_within_a_table.set(self.kept_within_a_table.get() + 1);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    Anew,
    AtCheckpoint,
}

/// Databases, and what takes snapshots of them.
struct Scene {
    dir: TempDir,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Scene {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let scene = Scene { dir: tempfile::tempdir().unwrap(), runtime };
        sqlite3(&scene.path("old.db"), TABLES);
        sqlite3(&scene.path("new.db"), &[TABLES, CHANGES].concat());
        scene
    }

    fn path(&self, db: &str) -> PathBuf {
        self.dir.path().join(db)
    }

    /// What `deepdiff-db snapshot DB --ref prod` does; `None` where it was stopped.
    fn snapshot(
        &self,
        store: &Store,
        db: &str,
        begin: Begin,
        stop_after: Option<u32>,
    ) -> Result<Option<StateId>, SnapshotError> {
        let prod = name("prod");
        let resume = match (begin, store.checkpoint(&prod)?) {
            (Begin::AtCheckpoint, Some(kept)) => Some(Progress::of_stored(&kept, store.hasher())?),
            _ => None,
        };
        let url = SourceUrl::sqlite(self.path(db));
        let opened = self.runtime.block_on(Source::open(&url, &OpenOptions::default()));
        let mut source = opened.unwrap();
        let writer = store.writer_with(OPTIONS)?;
        let scratch: Arc<dyn ScratchSpace> =
            Arc::new(Scratch::new(store.file_system(), &store.tmp_dir()));
        let watch =
            Watch { store, name: prod.clone(), stop_after, kept_within_a_table: Cell::new(0) };
        let request = Request {
            label: "prod",
            scope: &Scope::default(),
            mode: StoreMode::Full,
            jobs: 1,
            parents: Vec::new(),
            author: "ada",
            message: "",
            checkpoint_every: Duration::ZERO,
            memory: MEMORY,
            resume,
        };
        let outcome = take(&self.runtime, &mut source, &writer, &scratch, request, &watch);
        self.runtime.block_on(source.close()).unwrap();
        let Outcome::Taken(taken) = outcome? else { return Ok(None) };
        assert!(begin == Begin::AtCheckpoint || watch.kept_within_a_table.get() > 1);
        let change = Move {
            name: &prod,
            expected: Expected::Anything,
            who: "ada",
            message: "",
            when: Moment(now()),
        };
        writer.publish(taken.id, &change)?;
        store.remove_checkpoint(&prod)?;
        Ok(Some(taken.snapshot.state))
    }
}

/// The state that the ref names.
fn state_of(store: &Store) -> Option<StateId> {
    let id = store.reference(&name("prod")).unwrap()?;
    let reader = store.reader().unwrap();
    Some(LoadedSnapshot::load(&reader, id).unwrap().snapshot.state)
}

fn check_sound(store: &Store, what: &str) {
    let outcome = verify(store, Depth::Default);
    assert!(outcome.is_sound(), "{what}: {:#?}", outcome.damaged);
}

/// What goes wrong, and under how many ideas of what survives each time. The power going before an
/// operation is the power going after the one before it.
const FAULTS: [(Fault, usize); 4] =
    [(Fault::Fail, 1), (Fault::CutShort, 1), (Fault::DiskFull, 1), (Fault::CrashAfter, 3)];

/// Takes the new snapshot on copies of `fs` with every operation going wrong; `operations` is about
/// how many there are. Goes on or begins again on what is left.
fn enumerate(scene: &Scene, fs: &SimulatedFs, begin: Begin, old: Option<StateId>, fault: usize) {
    let clean = fs.deep_copy();
    let new = scene.snapshot(&reopen(&clean).unwrap(), "new.db", begin, None).unwrap();
    assert!(new.is_some() && new != old);
    let operations = clean.operations() - fs.operations();
    assert!(operations > 50, "{operations}");
    let (fault, ideas) = FAULTS[fault];
    for nth in 0..operations {
        let fs = fs.deep_copy();
        let store = reopen(&fs).unwrap();
        fs.inject(nth, fault);
        let done = scene.snapshot(&store, "new.db", begin, None);
        assert!(fs.has_faulted(), "{fault:?} at operation {nth}");
        let turn = usize::try_from(nth).unwrap() * ideas;
        for survival in (0..ideas).map(|idea| Survival::ALL[(turn + idea) % Survival::ALL.len()]) {
            let what = format!("{fault:?} at operation {nth} of {operations}, {survival:?}");
            let after = fs.after_crash(survival);
            let store = reopen(&after).unwrap_or_else(|error| panic!("{what}: {error}"));
            check_sound(&store, &what);
            let state = state_of(&store);
            assert!(state == new || done.is_err() && state == old, "{what}: {state:?}");
            let again = if nth % 2 == 0 { Begin::AtCheckpoint } else { Begin::Anew };
            let taken = scene
                .snapshot(&store, "new.db", again, None)
                .unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!((taken, state_of(&store)), (new, new), "{what}");
            check_sound(&store, &what);
        }
    }
}

/// A whole snapshot on a store that holds an older one.
fn whole(fault: usize) {
    let scene = Scene::new();
    let (fs, store) = simulated();
    let old = scene.snapshot(&store, "old.db", Begin::Anew, None).unwrap();
    enumerate(&scene, &fs, Begin::Anew, old, fault);
}

fn kept(store: &Store) -> Progress {
    let kept = store.checkpoint(&name("prod")).unwrap().unwrap();
    Progress::of_stored(&kept, store.hasher()).unwrap()
}

/// The rest of a snapshot that was stopped in its first table, without any older one.
fn resumed(fault: usize) {
    let scene = Scene::new();
    let (fs, store) = simulated();
    let stopped = scene.snapshot(&store, "new.db", Begin::Anew, Some(2)).unwrap();
    assert_eq!(stopped, None);
    assert!(kept(&store).unfinished.is_some());
    enumerate(&scene, &fs, Begin::AtCheckpoint, None, fault);
}

/// Where no later place was reached, the one of the session before is still there.
#[test]
fn stopped_right_after_resuming() {
    let scene = Scene::new();
    let (_, store) = simulated();
    scene.snapshot(&store, "new.db", Begin::Anew, Some(2)).unwrap();
    let before = kept(&store).unfinished;
    let stopped = scene.snapshot(&store, "new.db", Begin::AtCheckpoint, Some(0)).unwrap();
    assert_eq!((stopped, kept(&store).unfinished), (None, before));
}

#[test]
fn a_whole_snapshot_with_a_failure() {
    whole(0);
}

#[test]
fn a_whole_snapshot_cut_short() {
    whole(1);
}

#[test]
fn a_whole_snapshot_on_a_full_disk() {
    whole(2);
}

#[test]
fn a_whole_snapshot_without_power() {
    whole(3);
}

#[test]
fn a_resumed_snapshot_with_a_failure() {
    resumed(0);
}

#[test]
fn a_resumed_snapshot_cut_short() {
    resumed(1);
}

#[test]
fn a_resumed_snapshot_on_a_full_disk() {
    resumed(2);
}

#[test]
fn a_resumed_snapshot_without_power() {
    resumed(3);
}
