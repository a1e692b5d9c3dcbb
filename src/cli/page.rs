//! `diff --format html`: the difference as one page, written as it is found.

use std::io::Write;
use std::path::Path;

use super::args::DiffArgs;
use super::diff::{Filter, UNTOLD, exit};
use super::error::CliError;
use super::exit::Exit;
use super::revision::shown;
use crate::diff::{Comparison, LoadedSnapshot, RowCounts, Verdict};
use crate::fsio::RealFs;
use crate::pack::Pack;
use crate::report::html::{Definitions, Ending, HtmlPage, ToldSide};
use crate::report::json::not_captured_by;
use crate::report::rows::RowPrinter as _;
use crate::store::Reader;

/// A side under the name that the person gave it.
pub struct NamedSide<'a> {
    /// As it stands on the command line.
    pub name: &'a str,
    /// What it is.
    pub loaded: &'a LoadedSnapshot,
}

impl NamedSide<'_> {
    fn told(&self) -> ToldSide {
        let snapshot = &self.loaded.snapshot;
        // A URL may hold a password; the label of what was read does not.
        let is_url = self.name.contains("://");
        let name = if is_url { snapshot.source.label.as_str() } else { self.name };
        let read_at = match (snapshot.read_at.first(), snapshot.read_at.last()) {
            (Some((start, _)), Some((_, end))) if shown(*start) != shown(*end) => {
                format!("{} to {}", shown(*start), shown(*end))
            }
            (Some((start, _)), _) => shown(*start),
            _ => String::new(),
        };
        ToldSide {
            name: name.to_owned(),
            snapshot: self.loaded.id.to_string(),
            state: snapshot.state.to_string(),
            source: snapshot.source.label.clone(),
            server: snapshot.source.server.clone(),
            read_at,
            author: snapshot.author.clone(),
            message: snapshot.message.clone(),
            is_hash_only: snapshot.is_hash_only,
        }
    }
}

/// Writes the page.
pub fn write(
    reader: &Reader,
    [from, to]: [&NamedSide<'_>; 2],
    comparison: &mut Comparison,
    args: &DiffArgs,
    filter: &Filter<'_>,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    let pack = args.pack.as_deref().map(|dir| pack_of(dir, from, to)).transpose()?;
    let Comparison { schema, tables, incomplete } = comparison;
    let mut page = HtmlPage::begin(out, from.told(), to.told(), tables.len())?;
    let texts = Definitions::new(from.loaded.definitions(reader)?, to.loaded.definitions(reader)?);
    page.schema(schema, &texts)?;
    let mut differs = !schema.is_empty();
    for table in &*tables {
        let counts = if page.has_room() {
            filter.print(table, &mut page)?
        } else {
            let counts = filter.count(table)?;
            if counts != RowCounts::default() {
                page.begin(table)?;
                page.end(table, counts, 0)?;
            }
            counts
        };
        differs |= counts != RowCounts::default();
    }
    if args.is_all() && !differs && !tables.is_empty() {
        incomplete.push(UNTOLD.to_owned());
    }
    let verdict = match (differs, incomplete.is_empty()) {
        (true, _) => Verdict::Different,
        (false, false) => Verdict::Incomplete,
        (false, true) => Verdict::Equal,
    };
    let [left, right] = [from, to].map(|side| side.loaded.snapshot.not_captured.as_slice());
    page.finish(&Ending {
        verdict,
        incomplete,
        not_captured: &not_captured_by(left, right),
        pack: pack.as_ref().map(|pack| &pack.manifest),
    })?;
    Ok(exit(verdict))
}

/// The pack in a folder, if it was made of this very difference.
fn pack_of(dir: &Path, from: &NamedSide<'_>, to: &NamedSide<'_>) -> Result<Pack, CliError> {
    let pack = Pack::open(&RealFs, dir)?;
    let sides = [(from, &pack.manifest.base), (to, &pack.manifest.wanted)];
    for (side, packed) in sides {
        let state = side.loaded.snapshot.state.to_string();
        if state != packed.state {
            let message = format!("{} is no pack of this difference", dir.display());
            return Err(CliError::usage(message).hint(format!(
                "it was made of the states {:.12} and {:.12}",
                pack.manifest.base.state, pack.manifest.wanted.state
            )));
        }
    }
    Ok(pack)
}
