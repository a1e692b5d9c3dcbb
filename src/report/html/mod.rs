//! `diff --format html`: one page that shows a difference, with nothing beside it.
//!
//! The page is written as it is found, in bounded memory: rows as blocks of JSON, which the page's
//! script parses when they are shown, then what is known only at the end, then the script. Values
//! and names are untrusted. They reach the document as JSON in which nothing can end the element it
//! stands in, and the script makes text nodes of them; a policy in the page forbids any other
//! script, any style, any request. What the blocks hold is no interface: scripts read
//! `--format jsonl`.

mod allowance;
mod block;
mod cell;
mod pack;
mod policy;
mod schema;
mod table;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value as Json, json};

pub use allowance::{MOST_BYTES, MOST_ROWS};
pub use schema::Definitions;

use super::json::{not_captured, verdict_word};
use super::rows::RowPrinter;
use crate::diff::{RowChange, RowCounts, SchemaChange, TableComparison, Verdict};
use crate::model::NotCaptured;
use crate::pack::Manifest;
use allowance::Allowance;
use block::Blocks;
use table::Shape;

/// One side, as the page tells of it.
#[derive(Debug, Clone, Default)]
pub struct ToldSide {
    /// What the person called it, without secrets.
    pub name: String,
    /// The snapshot's id.
    pub snapshot: String,
    /// The state's id.
    pub state: String,
    /// The label of the database it was read from.
    pub source: String,
    /// The server program and version.
    pub server: String,
    /// When it was read, for people.
    pub read_at: String,
    /// Who took it.
    pub author: String,
    /// What the author said of it.
    pub message: String,
    /// Whether no values were stored.
    pub is_hash_only: bool,
}

impl ToldSide {
    fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "snapshot": self.snapshot,
            "state": self.state,
            "source": self.source,
            "server": self.server,
            "read_at": self.read_at,
            "author": self.author,
            "message": self.message,
            "hash_only": self.is_hash_only,
        })
    }
}

/// What is known once every table was compared.
#[derive(Debug)]
pub struct Ending<'a> {
    /// The answer.
    pub verdict: Verdict,
    /// What could not be seen or compared.
    pub incomplete: &'a [String],
    /// What either side leaves out.
    pub not_captured: &'a [&'a NotCaptured],
    /// The change pack that was made of the difference, if the page shall tell of one.
    pub pack: Option<&'a Manifest>,
}

/// A page that is being written.
pub struct HtmlPage<W> {
    out: W,
    from: ToldSide,
    to: ToldSide,
    /// The names of the columns of each table, in its order.
    column_orders: BTreeMap<String, Vec<String>>,
    schema: Json,
    tables: Vec<Json>,
    /// The table that is being written.
    open: Option<(Shape, Blocks)>,
    allowance: Allowance,
}

impl<W: Write> HtmlPage<W> {
    /// Begins a page that may get rows of `tables` tables.
    pub fn begin(mut out: W, from: ToldSide, to: ToldSide, tables: usize) -> io::Result<Self> {
        let title = format!("{} → {}", from.name, to.name);
        out.write_all(policy::page_head(&title).as_bytes())?;
        Ok(HtmlPage {
            out,
            from,
            to,
            column_orders: BTreeMap::new(),
            schema: json!({ "changes": 0, "count": 0, "blocks": [] }),
            tables: Vec::new(),
            open: None,
            allowance: Allowance::new(tables),
        })
    }

    /// Writes the schema changes, with the texts of the objects where a side holds them.
    pub fn schema(&mut self, changes: &[SchemaChange], texts: &Definitions) -> io::Result<()> {
        self.column_orders = texts.column_orders();
        let cards = schema::cards(changes, texts);
        let mut blocks = Blocks::new("s".to_owned());
        for card in &cards.entries {
            blocks.push(&card.to_json(), &mut self.out)?;
        }
        let sizes = blocks.finish(&mut self.out)?;
        self.schema = json!({
            "changes": cards.changes,
            "count": cards.entries.len(),
            "blocks": sizes,
        });
        Ok(())
    }

    /// Whether any more rows may be written. Where not, tables only need to be counted.
    pub fn has_room(&self) -> bool {
        self.allowance.has_room()
    }

    /// Ends the page, and gives back what it was written into.
    pub fn finish(mut self, ending: &Ending<'_>) -> io::Result<W> {
        let unseen: Vec<Json> = ending.not_captured.iter().map(|item| not_captured(item)).collect();
        let meta = json!({
            "verdict": verdict_word(ending.verdict),
            "from": self.from.to_json(),
            "to": self.to.to_json(),
            "schema": self.schema,
            "tables": self.tables,
            "incomplete": ending.incomplete,
            "not_captured": unseen,
            "pack": ending.pack.map(pack::to_json),
        });
        block::write_element(&mut self.out, "meta", &meta.to_string())?;
        self.out.write_all(policy::page_tail().as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> RowPrinter for HtmlPage<W> {
    fn begin(&mut self, table: &TableComparison) -> io::Result<()> {
        let order = self.column_orders.get(&table.name.to_string());
        let shape = Shape::new(table, order.map_or(&[], Vec::as_slice));
        let blocks = Blocks::new(format!("t{}-", self.tables.len()));
        self.open = Some((shape, blocks));
        self.allowance.begin_table();
        Ok(())
    }

    fn row(&mut self, _: &TableComparison, change: &RowChange) -> io::Result<()> {
        let Some((shape, blocks)) = &mut self.open else { return Ok(()) };
        if self.allowance.take_row() {
            let bytes = blocks.push(&shape.row(change), &mut self.out)?;
            self.allowance.take_bytes(bytes);
        }
        Ok(())
    }

    fn end(&mut self, _: &TableComparison, counts: RowCounts, _: u64) -> io::Result<()> {
        let Some((shape, blocks)) = self.open.take() else { return Ok(()) };
        let written = shape.written();
        let sizes = blocks.finish(&mut self.out)?;
        self.tables.push(shape.to_json(counts, written, &sizes));
        Ok(())
    }
}
