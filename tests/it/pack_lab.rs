//! A place for one test of packs: two databases made by scripts, snapshots of both by the program,
//! packs made and applied by the library, and the oracle of `lab`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepdiff_db::apply::{self, Ending, Finish, Held, Options, Outcome};
use deepdiff_db::codec::Hasher;
use deepdiff_db::diff::{Access, LoadedSnapshot, compare};
use deepdiff_db::engine::Target;
use deepdiff_db::engine::sqlite::{OpenOptions, SqliteTarget};
use deepdiff_db::fsio::RealFs;
use deepdiff_db::pack::{
    Consent, DecisionFile, Manifest, Pack, PackError, PackSide, Part, Request, Run, StoredRows,
    Strategies,
};
use deepdiff_db::store::{RefName, Store};
use deepdiff_db::tree::MemoryScratch;

use crate::lab::{Lab, dump, sqlite3};

/// Runs a future to its end.
pub fn wait<T>(future: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub struct PackLab {
    pub lab: Lab,
}

impl PackLab {
    /// `prod.db` and `dev.db` by scripts, with snapshots `prod` and `dev`.
    #[track_caller]
    pub fn new(prod: &str, dev: &str) -> PackLab {
        let lab = Lab::new();
        lab.sql("prod.db", prod);
        lab.sql("dev.db", dev);
        lab.snapshot("prod.db", "prod");
        lab.snapshot("dev.db", "dev");
        PackLab { lab }
    }

    /// `prod.db` by a script, and `dev.db` by that script and another.
    #[track_caller]
    pub fn changed(prod: &str, change: &str) -> PackLab {
        PackLab::new(prod, &format!("{prod};\n{change}"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.lab.path(name)
    }

    pub fn store(&self) -> Store {
        Store::open(Arc::new(RealFs), &self.path(".deepdiff"), None).unwrap()
    }

    pub fn hasher(&self) -> Hasher {
        self.store().hasher().clone()
    }

    /// Packs `prod` → `dev` into a folder.
    pub fn pack(&self, dir: &str, consent: &Consent) -> Result<Manifest, PackError> {
        self.pack_between("prod", "dev", dir, consent)
    }

    pub fn pack_between(
        &self,
        from: &str,
        to: &str,
        dir: &str,
        consent: &Consent,
    ) -> Result<Manifest, PackError> {
        let file = self.path("decisions.toml");
        let decisions = DecisionFile::Ask(&file);
        self.pack_by([from, to], dir, consent, &Strategies::none(), decisions)
    }

    pub fn pack_by(
        &self,
        [from, to]: [&str; 2],
        dir: &str,
        consent: &Consent,
        strategies: &Strategies,
        decisions: DecisionFile<'_>,
    ) -> Result<Manifest, PackError> {
        let store = self.store();
        let reader = store.reader().unwrap();
        let load = |name: &str| {
            let id = store.reference(&RefName::new(name).unwrap()).unwrap().unwrap();
            LoadedSnapshot::load(&reader, id).unwrap()
        };
        let (before, after) = (load(from), load(to));
        let comparison = compare(&reader, &before, &after).unwrap();
        let before = PackSide::load(&reader, &before).unwrap();
        let after = PackSide::load(&reader, &after).unwrap();
        let scratch = Arc::new(MemoryScratch::default());
        let rows = StoredRows::new(Access { objects: &reader, scratch });
        let request = Request {
            before: &before,
            base: None,
            after: &after,
            comparison: &comparison,
            rows: &rows,
            hasher: store.hasher(),
            consent,
            strategies,
            fills: &[],
            decisions,
            tables: &[],
            part: Part::Whole,
            fs: &RealFs,
            scratch: &store.tmp_dir(),
            dir: &self.path(dir),
        };
        wait(apply::create_pack(&request))
    }

    /// Applies a pack.
    pub fn apply(&self, dir: &str, db: &str, change: impl FnOnce(&mut Options)) -> Outcome {
        self.try_apply(dir, db, change).unwrap()
    }

    pub fn try_apply(
        &self,
        dir: &str,
        db: &str,
        change: impl FnOnce(&mut Options),
    ) -> Result<Outcome, deepdiff_db::apply::ApplyError> {
        let pack = Pack::open(&RealFs, &self.path(dir))?;
        let mut options = Options::new("2026-01-01T00:00:00Z");
        options.accepts_target = true;
        change(&mut options);
        let hasher = self.hasher();
        wait(async {
            let opened = SqliteTarget::open(&self.path(db), &OpenOptions::default()).await?;
            let mut target = Target::Sqlite(opened);
            let identity = target.identity();
            let outcome = {
                let mut session = target.session().await?;
                let held = Held { session: &mut session, identity: &identity };
                apply::apply(held, &RealFs, &pack, &hasher, &options, None)
            };
            target.close().await?;
            outcome
        })
    }

    pub fn copy_prod(&self) {
        std::fs::copy(self.path("prod.db"), self.path("copy.db")).unwrap();
    }

    /// Everything: dry run, native client, apply, apply again, rollback, apply again, rollback.
    #[track_caller]
    pub fn converges(&self) -> Manifest {
        self.converges_with(&Consent::everything())
    }

    #[track_caller]
    pub fn converges_with(&self, consent: &Consent) -> Manifest {
        let manifest = match self.pack("change", consent) {
            Ok(manifest) => manifest,
            Err(error) => panic!("{error}"),
        };
        assert!(manifest.is_complete, "{:#?}", manifest.left_out);
        self.copy_prod();
        let (prod, dev) = (dump(&self.path("prod.db")), dump(&self.path("dev.db")));
        let state = |name: &str| self.lab.snapshot("copy.db", name);
        let allowed = |options: &mut Options| {
            options.triggers = manifest.triggers.iter().map(|line| line.table.clone()).collect();
        };

        let dry = self.apply("change", "copy.db", |options| {
            allowed(options);
            options.finish = Finish::DryRun;
        });
        assert_eq!(dry.outcome, Ending::DryRun, "{dry:#?}");
        assert_eq!(dump(&self.path("copy.db")), prod, "the dry run wrote");
        for way in ["migration.sql", "rollback.sql"] {
            native_client(&self.path("copy.db"), &self.path("change").join(way));
        }
        assert_eq!(dump(&self.path("copy.db")), prod, "a native client wrote");

        for _ in 0..2 {
            let applied = self.apply("change", "copy.db", allowed);
            assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
            assert_eq!(applied.rows, dry.rows);
            assert_eq!(applied.statements, dry.statements);
            assert_eq!(state("copy"), manifest.wanted.state, "apply did not reach dev's state");
            assert_eq!(dump(&self.path("copy.db")), dev, "oracle after apply");
            let again = self.apply("change", "copy.db", allowed);
            assert_eq!(again.outcome, Ending::AlreadyApplied);

            let back = self.apply("change", "copy.db", |options| {
                allowed(options);
                options.run = Run::Back;
            });
            assert_eq!(back.outcome, Ending::Applied, "{back:#?}");
            assert_eq!(state("copy"), manifest.base.state, "rollback did not restore prod's state");
            assert_eq!(dump(&self.path("copy.db")), prod, "oracle after rollback");
        }
        manifest
    }

    /// Applies a pack that leaves things out, and undoes it.
    #[track_caller]
    pub fn applies_and_rolls_back(&self) {
        self.copy_prod();
        let applied = self.apply("change", "copy.db", |_| {});
        assert_eq!(applied.outcome, Ending::Applied, "{applied:#?}");
        let back = self.apply("change", "copy.db", |options| options.run = Run::Back);
        assert_eq!(back.outcome, Ending::Applied, "{back:#?}");
        assert_eq!(dump(&self.path("copy.db")), dump(&self.path("prod.db")));
    }

    /// Applies to `copy.db`, which a script changed, and expects that nothing happens.
    #[track_caller]
    pub fn refused_after(&self, drift: &str) -> Outcome {
        if !self.path("change").exists() {
            self.pack("change", &Consent::everything()).unwrap();
        }
        self.copy_prod();
        sqlite3(&self.path("copy.db"), drift);
        let before = dump(&self.path("copy.db"));
        let outcome = self.apply("change", "copy.db", |_| {});
        assert!(!outcome.is_success(), "{outcome:#?}");
        assert_eq!(dump(&self.path("copy.db")), before, "a refused pack wrote");
        outcome
    }
}

/// Feeds a file to the sqlite3 program, both ways.
fn native_client(db: &Path, file: &Path) {
    let input = std::fs::File::open(file).unwrap();
    let piped = std::process::Command::new("sqlite3").arg(db).stdin(input).output().unwrap();
    assert!(!piped.status.success());
    let read = format!(".read {}", file.display());
    let read = std::process::Command::new("sqlite3").arg(db).arg(read).output().unwrap();
    assert!(!read.status.success());
}
