//! A place for one test on PostgreSQL: two databases loaded by psql, read by the library or by the
//! binary under test, and psql as the oracle.

use std::sync::Arc;

use deepdiff_db::engine::{EngineError, OpenOptions, ReadEnd, ReadFrom, Source, SourceUrl};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, Flow, RowSink, SinkError, TableSpec, Value, ValueRef};
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use crate::lab::{Counts, Lab};
use crate::servers::{Database, postgres};

/// A runtime for the library's futures.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// An empty database on the default server.
pub fn database() -> Database {
    postgres().database("")
}

/// A database loaded by a script.
pub fn loaded(script: &str) -> Database {
    let database = database();
    database.sql(script);
    database
}

/// Rows that were read, and after how many to stop.
#[derive(Default)]
pub struct Kept {
    pub rows: Vec<Vec<Value>>,
    row: Vec<Value>,
    pub stop_after: Option<usize>,
}

impl RowSink for Kept {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.row.push(value.to_value());
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        self.rows.push(std::mem::take(&mut self.row));
        Ok(if self.stop_after == Some(self.rows.len()) { Flow::Stop } else { Flow::Continue })
    }
}

/// An open source with its catalog.
pub struct Open {
    pub runtime: Runtime,
    pub source: Source,
    pub catalog: Catalog,
}

/// Opens a URL, with whatever comes of it.
pub fn try_open(url: &str, scope: &Scope) -> Result<Open, EngineError> {
    let runtime = runtime();
    let url: SourceUrl = url.parse()?;
    let options = OpenOptions {
        busy_timeout: std::time::Duration::from_millis(300),
        ..OpenOptions::default()
    };
    let mut source = runtime.block_on(Source::open(&url, &options))?;
    runtime.block_on(source.begin(1))?;
    let catalog = runtime.block_on(source.catalog(scope))?;
    Ok(Open { runtime, source, catalog })
}

/// Opens a database.
#[track_caller]
pub fn open(database: &Database) -> Open {
    try_open(&database.url(), &Scope::default()).unwrap()
}

impl Open {
    /// The specification of a table.
    #[track_caller]
    pub fn table(&self, name: &str) -> TableSpec {
        let found = self.catalog.tables.iter().find(|table| table.name.to_string() == name);
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.names())).clone()
    }

    /// The names of the tables.
    pub fn names(&self) -> Vec<String> {
        self.catalog.tables.iter().map(|table| table.name.to_string()).collect()
    }

    /// Reads a table.
    pub fn try_read(
        &mut self,
        name: &str,
        from: &ReadFrom,
        stop_after: Option<usize>,
    ) -> Result<(Kept, ReadEnd), EngineError> {
        let table = self.table(name);
        let mut kept = Kept { stop_after, ..Kept::default() };
        let end = self.runtime.block_on(self.source.read_rows(&table, from, &mut kept))?;
        Ok((kept, end))
    }

    /// All rows of a table.
    #[track_caller]
    pub fn rows(&mut self, name: &str) -> Vec<Vec<Value>> {
        let (kept, end) = self.try_read(name, &ReadFrom::Start, None).unwrap();
        let table = self.table(name);
        let counted = self.runtime.block_on(self.source.count_rows(&table)).unwrap();
        assert_eq!((end.rows, end.is_complete), (counted, true));
        kept.rows
    }
}

/// The values of the only column beside the key, in key order.
#[track_caller]
pub fn values(script: &str) -> Vec<Value> {
    let database = loaded(script);
    let mut open = open(&database);
    let rows = open.rows("public.t");
    rows.into_iter().map(|mut row| row.pop().unwrap()).collect()
}

/// Two databases and a store.
pub struct Pair {
    pub lab: Lab,
    pub prod: Database,
    pub dev: Database,
}

impl Pair {
    /// Both with a common schema, and their own rows.
    pub fn new(schema: &str, prod: &str, dev: &str) -> Pair {
        Pair {
            lab: Lab::new(),
            prod: loaded(&format!("{schema};{prod}")),
            dev: loaded(&format!("{schema};{dev}")),
        }
    }

    /// Snapshots of both, and their difference.
    #[track_caller]
    pub fn diff(&self) -> Json {
        self.lab.snapshot(&self.prod.url(), "prod");
        self.lab.snapshot(&self.dev.url(), "dev");
        let diff = self.lab.diff("prod", "dev");
        assert_eq!(self.lab.run(&["verify", "--full", "--json"]).ok().json()["outcome"], "ok");
        diff
    }

    /// How the rows of `public.t` differ.
    #[track_caller]
    pub fn counts(&self) -> Counts {
        Lab::counts(&self.diff(), "public.t")
    }

    /// The state of a database, under a name.
    #[track_caller]
    pub fn state(&self, database: &Database, name: &str) -> String {
        self.lab.snapshot(&database.url(), name)
    }
}

/// A stop flag for options.
pub fn stop_flag() -> Arc<std::sync::atomic::AtomicBool> {
    Arc::default()
}
