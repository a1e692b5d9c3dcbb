//! A pack that is written and not sealed: planned into its folder, then proved, then made a pack by its
//! manifest, or removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::changes::spool_changes;
use super::enforcement::Enforcement;
use super::error::PackError;
use super::left;
use super::manifest::{FILES, MANIFEST, Manifest};
use super::parking::Accepts;
use super::plan::Drafter;
use super::request::{ChangedTable, Request, check_sides};
use super::spool::Spool;
use super::values::{self, ValueFiles};
use crate::codec::Hasher;
use crate::diff::TableDefinition;
use crate::engine::Dialect;
use crate::engine::sqlite::TextEncoding;
use crate::fsio::FileSystem;
use crate::model::Fact;

/// A pack that was written and not proved yet.
#[derive(Debug)]
pub struct Draft {
    /// The folder.
    pub dir: PathBuf,
    /// The manifest, without its digest.
    pub manifest: Manifest,
    /// The row changes, for the proof.
    pub spool: Spool,
    /// The tables that change.
    pub tables: Vec<ChangedTable>,
    /// The schema before.
    pub facts_before: Vec<Fact>,
    /// The schema that the pack leaves.
    pub facts_after: Vec<Fact>,
    /// The texts of the objects before.
    pub definitions: Vec<TableDefinition>,
}

/// Plans a pack and writes its folder, the manifest aside.
pub fn draft(request: &Request<'_>, accepts: &mut Accepts<'_>) -> Result<Draft, PackError> {
    check_sides(request)?;
    let enforcement = request.enforcement()?;
    let dialect = Dialect::of(&request.before.engine, &request.before.facts)
        .map_err(|error| PackError::Prover(error.into()))?;
    let mut spool = Spool::new(request.fs.scratch(request.scratch)?);
    let tables = spool_changes(request, &dialect, &BTreeMap::new(), &mut spool)?;
    if request.fs.info(request.dir)?.is_some() {
        return Err(PackError::Exists { path: request.dir.to_owned() });
    }
    let plain = Hasher::new(request.hasher.algorithm());
    let encoding = match enforcement {
        Enforcement::Sqlite => Some(TextEncoding::of_facts(&request.before.facts)),
        Enforcement::Postgres | Enforcement::Mysql => None,
    };
    let values = ValueFiles::new(request.fs, request.dir, request.rows, plain, encoding);
    let mut ddl = enforcement.ddl(&request.before.source.server);
    if request.part.is_online()
        && let Some(online) = ddl.online()
    {
        ddl = online;
    }
    let drafter = Drafter {
        request,
        spool: &spool,
        tables: &tables,
        values: &values,
        enforcement,
        ddl: ddl.as_ref(),
        dialect: &dialect,
    };
    let plan = drafter.forward_schema()?;
    let left = left::tables(request, &plan.facts_after);
    let again = match left.is_empty() {
        true => None,
        false => {
            let mut spool = Spool::new(request.fs.scratch(request.scratch)?);
            let tables = spool_changes(request, &dialect, &left, &mut spool)?;
            Some((spool, tables))
        }
    };
    let left_tables = again.as_ref().map_or(&tables, |(_, tables)| tables);
    let losses: Vec<_> = left_tables.iter().flat_map(|table| table.losses.clone()).collect();
    if !losses.is_empty() {
        return Err(PackError::Refused(losses));
    }
    request.fs.create_dir(request.dir)?;
    let written = match &again {
        None => drafter.write(plan, accepts),
        Some((spool, tables)) => Drafter { spool, tables, ..drafter }.write(plan, accepts),
    };
    drop(values);
    let (spool, tables) = again.unwrap_or((spool, tables));
    match written {
        Ok((manifest, facts_after)) => Ok(Draft {
            dir: request.dir.to_owned(),
            manifest,
            spool,
            tables,
            facts_before: request.facts_before().to_vec(),
            facts_after,
            definitions: request.definitions_before().to_vec(),
        }),
        Err(error) => {
            remove(request.fs, request.dir);
            Err(error)
        }
    }
}

/// Removes the files of a draft, as far as possible: the error that led here matters more.
fn remove(fs: &dyn FileSystem, dir: &Path) {
    for name in FILES.iter().chain([&MANIFEST]) {
        let _ = fs.remove_file(&dir.join(name));
    }
    values::remove(fs, dir);
    let _ = fs.remove_dir(dir);
}

impl Draft {
    /// Seals the pack: writes the manifest, which makes the folder a pack.
    pub fn finish(self, fs: &dyn FileSystem, hasher: &Hasher) -> Result<Manifest, PackError> {
        let manifest = self.manifest.sealed(&Hasher::new(hasher.algorithm()));
        let written = crate::fsio::write_new(fs, &self.dir.join(MANIFEST), &manifest.to_bytes())
            .and_then(|()| fs.sync_dir(&self.dir));
        if let Err(error) = written {
            remove(fs, &self.dir);
            return Err(error.into());
        }
        Ok(manifest)
    }

    /// Removes what was written.
    pub fn discard(self, fs: &dyn FileSystem) {
        remove(fs, &self.dir);
    }
}
