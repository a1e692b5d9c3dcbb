//! A writer, a reader, gc and crashes in any order.
//!
//! A random sequence of steps runs against a model that knows what each ref should be. After each
//! step everything below every ref is there, and readers that were opened before still read it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deepdiff_db::codec::{HashAlgorithm, Kind};
use deepdiff_db::fsio::{RealFs, SimulatedFs, Survival};
use deepdiff_db::model::SnapshotId;
use deepdiff_db::store::gc::GcOptions;
use deepdiff_db::store::{Expected, Move, Reader, Store, StoreError, Writer};
use proptest::prelude::*;

use crate::store_scene::*;

#[derive(Debug, Clone)]
enum Step {
    /// Writer `who` begins, or goes on with, a snapshot of this content.
    Write { who: usize, content: Vec<Vec<u64>> },
    /// Writer `who` seals what it has.
    Seal { who: usize },
    /// Writer `who` publishes the last snapshot it wrote.
    Publish { who: usize, to: usize },
    /// A ref is deleted.
    Delete { name: usize },
    /// A ref is set to another one's snapshot.
    Set { name: usize, from: usize },
    /// gc runs, days later.
    Collect { days: i64, at_once: bool },
    /// The machine crashes.
    Crash { survival: usize },
    /// A reader is opened.
    Open,
}

fn step() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec(0..6u64, 1..6);
    let content = prop::collection::vec(rows, 1..3);
    prop_oneof![
        4 => (0..2usize, content).prop_map(|(who, content)| Step::Write { who, content }),
        1 => (0..2usize).prop_map(|who| Step::Seal { who }),
        4 => (0..2usize, 0..2usize).prop_map(|(who, to)| Step::Publish { who, to }),
        1 => (0..2usize).prop_map(|name| Step::Delete { name }),
        1 => (0..2usize, 0..2usize).prop_map(|(name, from)| Step::Set { name, from }),
        3 => (0..20i64, any::<bool>()).prop_map(|(days, at_once)| Step::Collect { days, at_once }),
        1 => (0..Survival::ALL.len()).prop_map(|survival| Step::Crash { survival }),
        1 => Just(Step::Open),
    ]
}

const NAMES: [&str; 2] = ["prod", "dev"];

struct Machine {
    fs: SimulatedFs,
    store: Store,
    refs: BTreeMap<usize, SnapshotId>,
    writers: [Option<(Writer, Option<SnapshotId>)>; 2],
    reader: Reader,
    day: i64,
}

impl Machine {
    fn new() -> Machine {
        let (fs, store) = simulated();
        let reader = store.reader().unwrap();
        let refs = BTreeMap::new();
        Machine { fs, store, refs, writers: [None, None], reader, day: 0 }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Write { who, content } => {
                if self.writers[*who].is_none() {
                    self.writers[*who] = Some((self.store.writer().unwrap(), None));
                }
                let (writer, last) = self.writers[*who].as_mut().unwrap();
                let tables: Vec<&[u64]> = content.iter().map(Vec::as_slice).collect();
                *last = Some(add(writer, &Content::of(&tables)));
            }
            Step::Seal { who } => {
                if let Some((writer, _)) = &self.writers[*who] {
                    writer.seal().unwrap();
                }
            }
            Step::Publish { who, to } => self.publish(*who, *to),
            Step::Delete { name: number } => {
                let name = name(NAMES[*number]);
                let how = Move { when: later(self.day), ..moved(&name, Expected::Anything) };
                let is_there = self.refs.remove(number).is_some();
                assert_eq!(self.store.delete_reference(&how).is_ok(), is_there);
            }
            Step::Set { name: number, from } => {
                if let Some(id) = self.refs.get(from).copied() {
                    let name = name(NAMES[*number]);
                    let how = Move { when: later(self.day), ..moved(&name, Expected::Anything) };
                    self.store.set_reference(id, &how).unwrap();
                    self.refs.insert(*number, id);
                }
            }
            Step::Collect { days, at_once } => {
                self.day += days;
                let mut options = GcOptions { log_age: Duration::ZERO, ..GcOptions::default() };
                if *at_once {
                    options.grace = Duration::ZERO;
                }
                self.store.collect(&options, later(self.day)).unwrap();
            }
            Step::Crash { survival } => {
                self.fs = self.fs.after_crash(Survival::ALL[*survival]);
                self.writers = [None, None];
                self.store = reopen(&self.fs).unwrap();
                self.reader = self.store.reader().unwrap();
            }
            Step::Open => self.reader = self.store.reader().unwrap(),
        }
    }

    fn publish(&mut self, who: usize, to: usize) {
        let Some((writer, Some(snapshot))) = &self.writers[who] else { return };
        let name = name(NAMES[to]);
        let expected = self.refs.get(&to).map_or(Expected::Absent, |id| Expected::At(*id));
        let how = Move { when: later(self.day), ..moved(&name, expected) };
        match writer.publish(*snapshot, &how) {
            Ok(published) => {
                assert_eq!(published.old, self.refs.get(&to).copied());
                self.refs.insert(to, *snapshot);
            }
            // gc without grace took what it relied on; it has to begin anew.
            Err(StoreError::Collected { .. }) => self.writers[who] = None,
            Err(error) => panic!("{error}: {error:?}"),
        }
    }

    fn check(&self) {
        for (number, expected) in &self.refs {
            let found = self.store.reference(&name(NAMES[*number])).unwrap();
            assert_eq!(found, Some(*expected));
            self.reader.object(Kind::Snapshot, &expected.0).unwrap();
        }
        assert_eq!(self.store.references().unwrap().len(), self.refs.len());
        assert_sound(&self.store);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_below_a_ref_is_ever_missing(steps in prop::collection::vec(step(), 1..40)) {
        let mut machine = Machine::new();
        for step in &steps {
            machine.run(step);
            machine.check();
        }
    }
}

/// After a crash an index and those it was merged from were there together, with other numbers for
/// the same files: an object that is in two of these was listed three times in what was merged next.
#[test]
fn indexes_of_the_same_files_merge_whatever_their_numbers() {
    let write = |who: usize, rows: &[u64]| Step::Write { who, content: vec![rows.to_vec()] };
    let collect = || Step::Collect { days: 0, at_once: false };
    let mut machine = Machine::new();
    for step in [
        write(1, &[1]),
        write(1, &[0, 0, 0, 1]),
        write(1, &[0]),
        write(0, &[0]),
        Step::Publish { who: 1, to: 0 },
        collect(),
        Step::Publish { who: 0, to: 0 },
        Step::Crash { survival: 6 },
        collect(),
    ] {
        machine.run(&step);
        machine.check();
    }
}

/// Ends the other threads also where this one panics.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A writer, a reader and gc in threads of their own, on the real file system.
#[test]
fn a_writer_a_reader_and_gc_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::init(RealFs::shared(), &path, HashAlgorithm::Blake3, None).unwrap();
    publish(&store, "prod", &Content::of(&[&[1]])).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _done = SetOnDrop(&is_done);
            for n in 0..40u64 {
                let content = Content::of(&[&[n % 5, n % 3, 7], &[n % 2, n % 7]]);
                // The clock of gc runs so fast here that its grace may be over before a publish.
                while let Err(error) = publish(&store, "prod", &content) {
                    assert!(matches!(error, StoreError::Collected { .. }), "{error:?}");
                }
            }
        });
        scope.spawn(|| {
            let options = GcOptions { log_age: Duration::ZERO, ..GcOptions::default() };
            let mut day = 0;
            while !is_done.load(Ordering::SeqCst) {
                day += 1;
                store.collect(&options, later(day)).unwrap();
                // The lock is not fair: without a pause nobody else would get it.
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        scope.spawn(|| {
            let reader = store.reader().unwrap();
            while !is_done.load(Ordering::SeqCst) {
                let prod = store.reference(&name("prod")).unwrap().unwrap();
                reader.object(Kind::Snapshot, &prod.0).unwrap();
                assert_sound(&store);
            }
        });
    });
    assert_sound(&store);
}
