//! The scratch database of a rehearsal: made or filled from the base snapshot, and left as it was.
//!
//! On SQLite it is a file. On a server an empty database is filled by a pack of its own, from what it
//! is to what the snapshot is, and emptied by that pack's rollback.

use std::path::{Path, PathBuf};

use super::super::diff::{access, live};
use super::super::snapshot::processors;
use super::{CliError, Exit, NamedSource, Scene};
use crate::apply::create_pack;
use crate::diff::{self, LoadedSnapshot};
use crate::engine::{OpenOptions, Session, SourceUrl, Target, product};
use crate::fsio;
use crate::model::{Catalog, ObjectKind};
use crate::pack::{
    Consent, DecisionFile, Manifest, Pack, PackSide, Part, Request, Run, StoredRows, Strategies,
};
use crate::report::value::visible;
use crate::snapshot::restore::{self, Reading};
use crate::tree::StoreMode;

/// A scratch database that is as the base snapshot.
pub(super) struct Bench {
    /// Where it is.
    pub(super) named: NamedSource,
    /// Its state, which should be that of the snapshot.
    pub(super) seeded: String,
    /// Whether it is: on MySQL and MariaDB rights and comments may differ.
    pub(super) is_exact: bool,
    folder: PathBuf,
    seed: Option<Seed>,
}

/// What filled a server's database.
struct Seed {
    pack: Pack,
    /// The state before.
    before: String,
}

impl Bench {
    /// Makes the scratch database, or fills the one that was named.
    pub(super) fn set_up(
        scene: &mut Scene<'_>,
        on: Option<&str>,
        manifest: &Manifest,
        base: &LoadedSnapshot,
    ) -> Result<Bench, CliError> {
        let nonce: String =
            scene.fs.nonce().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let folder = scene.store.tmp_dir().join(format!("rehearsal-{nonce}"));
        scene.fs.create_dir(&folder).map_err(could_not)?;
        let made = match (scene.engine.as_str(), on) {
            ("sqlite", None) => Bench::file(scene, folder.clone(), base),
            ("sqlite", Some(_)) => Err(CliError::usage("a pack for SQLite is rehearsed on a file")
                .hint("leave --on away: a scratch file is made, and removed")),
            (_, Some(on)) => Bench::server(scene, folder.clone(), on, manifest, base),
            (engine, None) => {
                let message = format!("a pack for {} needs a scratch server", product(engine));
                Err(CliError::usage(message).hint("name an empty database on one: --on URL"))
            }
        };
        if made.is_err() {
            // What led here matters more.
            let _ = fsio::remove_tree(scene.fs, &folder);
        }
        made
    }

    fn file(
        scene: &mut Scene<'_>,
        folder: PathBuf,
        base: &LoadedSnapshot,
    ) -> Result<Bench, CliError> {
        let url = SourceUrl::sqlite(folder.join("scratch.db"));
        let named = NamedSource { label: "a scratch file".to_owned(), reference: None, url };
        scene.timed("restore", |scene| restored(scene, &named.url, base))?;
        let seeded = scene.state(&named.url)?;
        let is_exact = seeded == base.snapshot.state.to_string();
        Ok(Bench { named, seeded, is_exact, folder, seed: None })
    }

    fn server(
        scene: &mut Scene<'_>,
        folder: PathBuf,
        on: &str,
        manifest: &Manifest,
        base: &LoadedSnapshot,
    ) -> Result<Bench, CliError> {
        let named = scene.context.source(on)?;
        if named.url.engine() != scene.engine {
            let (made, given) = (product(&scene.engine), product(named.url.engine()));
            let message = format!("the pack is for {made}, and {} is {given}", named.label);
            return Err(CliError::usage(message));
        }
        let has_objects = is_empty(scene, &named, manifest)?;
        let before = scene.state(&named.url)?;
        let dir = folder.join("seed");
        let pack = scene
            .timed("plan the filling", |scene| seed(scene, &named, &dir, base, has_objects))?;
        let filled = scene.timed("fill", |scene| {
            scene.apply(&named.url, &pack, Run::Forward, None).map(|ran| ran.outcome)
        });
        let reason = match &filled {
            Ok(outcome) if outcome.is_success() => None,
            Ok(outcome) => Some(super::verdict::reasons(outcome).join("; ")),
            Err(_) => Some(String::new()),
        };
        let Some(reason) = reason else {
            let seeded = scene.state(&named.url)?;
            let is_exact = seeded == base.snapshot.state.to_string();
            let seed = Some(Seed { pack, before });
            return Ok(Bench { named, seeded, is_exact, folder, seed });
        };
        // On engines whose DDL commits there is a table of receipts by now.
        let _ = remove_own_tables(scene, &named.url);
        filled?;
        let message = format!("the scratch database could not be filled: {}", visible(&reason));
        Err(CliError::new(Exit::CouldNot, message))
    }

    /// Leaves nothing behind; says what is left where that does not work.
    pub(super) fn take_down(self, scene: &mut Scene<'_>) -> Result<Option<String>, CliError> {
        let url = &self.named.url;
        let left = match &self.seed {
            None => Ok(None),
            Some(seed) => scene.timed("empty", |scene| {
                let ran = scene.apply(url, &seed.pack, Run::Back, None)?;
                if !ran.outcome.is_success() {
                    return Ok(Some(super::verdict::reasons(&ran.outcome).join("; ")));
                }
                remove_own_tables(scene, url)?;
                let is_as_before = scene.state(url)? == seed.before;
                Ok((!is_as_before).then(|| "its state is another than before".to_owned()))
            }),
        };
        let removed = fsio::remove_tree(scene.fs, &self.folder).map_err(could_not);
        let left = left?;
        removed?;
        Ok(left)
    }
}

fn could_not(error: fsio::FsError) -> CliError {
    CliError::because(Exit::CouldNot, error.to_string(), error)
}

fn remove_own_tables(scene: &Scene<'_>, url: &SourceUrl) -> Result<(), CliError> {
    scene.with_session(url, |session| Ok(session.drop_own_tables()?))
}

fn restored(scene: &Scene<'_>, url: &SourceUrl, base: &LoadedSnapshot) -> Result<(), CliError> {
    let (facts, options) = (base.facts(scene.reader)?, OpenOptions::default());
    let mut target = scene.runtime.block_on(Target::create(url, &facts, &options))?;
    let hasher = scene.store.hasher();
    let reading = Reading { hasher, scratch: &scene.scratch, jobs: processors() };
    let (reader, runtime) = (scene.reader, &scene.runtime);
    let restored =
        restore::restore(runtime, reader, base, &mut target, &reading, &mut |_| {}, &mut |_| {});
    scene.runtime.block_on(target.close())?;
    restored?;
    Ok(())
}

/// Refuses the target itself and databases that hold rows; says whether there is anything in the
/// database besides what every database has.
fn is_empty(scene: &Scene<'_>, named: &NamedSource, manifest: &Manifest) -> Result<bool, CliError> {
    let target = scene.runtime.block_on(Target::open(&named.url, &OpenOptions::default()))?;
    let identity = target.identity();
    scene.runtime.block_on(target.close())?;
    let refused = |message: String| {
        CliError::new(Exit::Refused, message).hint("name an empty database on a scratch server")
    };
    if identity == manifest.target.identity {
        let message = format!("{} is the target of the pack itself", named.label);
        return Err(refused(message));
    }
    scene.with_session(&named.url, |session| {
        session.begin()?;
        let found = full_table(scene, session);
        session.rollback()?;
        let (catalog, full) = found?;
        match full {
            Some((table, rows)) => {
                let message = format!(
                    "{} is not empty: its table `{}` holds {rows} rows",
                    named.label,
                    visible(&table)
                );
                Err(refused(message))
            }
            None => Ok(catalog.facts.iter().any(|fact| !is_of_every_database(fact.id.kind))),
        }
    })
}

fn full_table(
    scene: &Scene<'_>,
    session: &Session<'_>,
) -> Result<(Catalog, Option<(String, u64)>), CliError> {
    let catalog = session.catalog(&scene.scope)?;
    for table in &catalog.tables {
        let rows = session.count_rows(table)?;
        if rows > 0 {
            let name = table.name.to_string();
            return Ok((catalog, Some((name, rows))));
        }
    }
    Ok((catalog, None))
}

/// What is there in an empty database too.
fn is_of_every_database(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Schema
            | ObjectKind::Setting
            | ObjectKind::Owner
            | ObjectKind::Grant
            | ObjectKind::DefaultGrant
            | ObjectKind::Comment
            | ObjectKind::Extension
    )
}

/// The pack that makes the scratch database as the snapshot.
fn seed(
    scene: &Scene<'_>,
    named: &NamedSource,
    dir: &Path,
    base: &LoadedSnapshot,
    has_objects: bool,
) -> Result<Pack, CliError> {
    let failed = |error: CliError| {
        let message = "no plan makes the scratch database as the snapshot";
        CliError::because(error.exit(), format!("{message}: {error}"), error).hint(
            "the server must have the roles, extensions and settings that the snapshot names; on \
             MySQL and MariaDB load its schema first",
        )
    };
    let empty =
        live(scene.context, scene.store, scene.reader, named, &scene.scope, StoreMode::Full)?;
    let comparison = diff::compare(scene.reader, &empty, base)?;
    let (before, after) =
        (PackSide::load(scene.reader, &empty)?, PackSide::load(scene.reader, base)?);
    let rows = StoredRows::new(access(scene.store, scene.reader));
    // Nothing that somebody may want is dropped.
    let consent = if has_objects { Consent::none() } else { Consent::everything() };
    let request = Request {
        base: None,
        before: &before,
        after: &after,
        comparison: &comparison,
        rows: &rows,
        hasher: scene.store.hasher(),
        consent: &consent,
        strategies: &Strategies::none(),
        fills: &[],
        decisions: DecisionFile::Ask(&dir.with_extension("decisions")),
        tables: &[],
        part: Part::Whole,
        fs: scene.fs,
        scratch: &scene.store.tmp_dir(),
        dir,
    };
    let made = scene.runtime.block_on(create_pack(&request)).map_err(CliError::from);
    let manifest = made.map_err(failed)?;
    if let Some(left_out) = manifest.left_out.first() {
        let (object, reason) = (visible(&left_out.object), visible(&left_out.reason));
        let message = format!("{} {object}: {reason}", left_out.step);
        return Err(failed(CliError::new(Exit::Refused, message)));
    }
    Ok(Pack::open(scene.fs, dir)?)
}
