//! A pack that is written and not sealed: planned into its folder, then proved, then made a pack by its
//! manifest, or removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::changes::spool_changes;
use super::enforcement::Enforcement;
use super::error::{PackError, Refusal};
use super::left;
use super::manifest::{FILES, MANIFEST, Manifest};
use super::parking::Accepts;
use super::plan::Drafter;
use super::request::{ChangedTable, Findings, Request, check_sides};
use super::spool::Spool;
use super::values::{self, ValueFiles};
use super::whole;
use crate::codec::Hasher;
use crate::diff::TableDefinition;
use crate::engine::Dialect;
use crate::engine::ddl::flag;
use crate::engine::sqlite::TextEncoding;
use crate::fsio::FileSystem;
use crate::model::{Fact, FactId};

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
    let mut ddl = enforcement.ddl(&request.before.source.server);
    if request.part.is_online()
        && let Some(online) = ddl.online()
    {
        ddl = online;
    }
    let mut whole = whole::wanted(request, ddl.as_ref())?;
    let tables = spool_changes(request, &dialect, &BTreeMap::new(), &whole, &mut spool)?;
    if request.fs.info(request.dir)?.is_some() {
        return Err(PackError::Exists { path: request.dir.to_owned() });
    }
    let plain = Hasher::new(request.hasher.algorithm());
    let encoding = match enforcement {
        Enforcement::Sqlite => Some(TextEncoding::of_facts(&request.before.facts)),
        Enforcement::Postgres | Enforcement::Mysql => None,
    };
    let values = ValueFiles::new(request.fs, request.dir, request.rows, plain, encoding);
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
    let facts_after = plan.facts_after.clone();
    let is_settled = left.is_empty() && !whole::for_nothing(&whole, &tables, &plan);
    whole.retain(|table| plan.anew.contains(table));
    let again = match is_settled {
        true => None,
        false => {
            let mut spool = Spool::new(request.fs.scratch(request.scratch)?);
            let tables = spool_changes(request, &dialect, &left, &whole, &mut spool)?;
            Some((spool, tables))
        }
    };
    let left_tables = again.as_ref().map_or(&tables, |(_, tables)| tables);
    let found = || left_tables.iter().map(|table| &table.findings);
    let mut losses: Vec<_> = found().flat_map(|found| found.losses.clone()).collect();
    losses.extend(wanting(found(), &facts_after));
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

/// The rows that stay without a value, of columns that take no NULL any more when the pack has run.
fn wanting<'t>(found: impl Iterator<Item = &'t Findings>, facts_after: &[Fact]) -> Vec<Refusal> {
    let takes_none = |column: &FactId| {
        let place = facts_after.binary_search_by(|fact| fact.id.cmp(column));
        place.is_ok_and(|place| flag(&facts_after[place], "not-null"))
    };
    let all = found.flat_map(|found| &found.wanting);
    all.filter(|wanting| takes_none(&wanting.column)).map(|w| w.refusal.clone()).collect()
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
