//! A PostgreSQL database that a test changes through the library.

use std::time::Duration;

use deepdiff_db::engine::{
    Cell, Dialect, EngineError, OpenOptions, Operand, ReadFrom, RowGuard, RowUpdate, Session,
    SourceUrl, TableStatements, Target,
};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, TableSpec, Value};

use crate::pg_lab::{Kept, runtime};
use crate::servers::Database;

/// How long a lock is waited for.
pub const PATIENCE: Duration = Duration::from_millis(300);

/// Opens a database for writing.
pub fn try_target(url: &str) -> Result<Target, EngineError> {
    let url: SourceUrl = url.parse()?;
    let options = OpenOptions { busy_timeout: PATIENCE, ..OpenOptions::default() };
    runtime().block_on(Target::open(&url, &options))
}

/// Opens a database for writing.
#[track_caller]
pub fn target(database: &Database) -> Target {
    try_target(&database.url()).unwrap()
}

/// The connection of a target.
#[track_caller]
pub fn session(target: &mut Target) -> Session<'_> {
    runtime().block_on(target.session()).unwrap()
}

/// A table that is changed.
pub struct Held {
    pub table: TableSpec,
    pub statements: TableStatements,
}

impl Held {
    /// The table of this name, in the open transaction.
    #[track_caller]
    pub fn new(session: &Session<'_>, name: &str) -> Held {
        Held::of(&session.catalog(&Scope::default()).unwrap(), name)
    }

    /// The table of this name in a catalog.
    #[track_caller]
    pub fn of(catalog: &Catalog, name: &str) -> Held {
        let table = catalog.tables.iter().find(|table| table.name.to_string() == name);
        let table = table
            .unwrap_or_else(|| {
                panic!(
                    "no {name} in {:?}",
                    catalog.tables.iter().map(|t| t.name.to_string()).collect::<Vec<_>>()
                )
            })
            .clone();
        let dialect = Dialect::of("postgres", &catalog.facts).unwrap();
        let statements = dialect.table(&table, &catalog.facts);
        Held { table, statements }
    }

    /// Its rows.
    #[track_caller]
    pub fn rows(&self, session: &Session<'_>) -> Vec<Vec<Value>> {
        let mut kept = Kept::default();
        session.read_rows(&self.table, &ReadFrom::Start, &mut kept).unwrap();
        kept.rows
    }

    /// A row as cells.
    pub fn cells<'r>(&'r self, row: &'r [Value]) -> Vec<Cell<'r>> {
        let names = self.table.columns.iter().map(|column| column.name.as_str());
        names.zip(row.iter().map(Operand::Literal)).collect()
    }

    /// The key of a row.
    pub fn key(&self, row: &[Value]) -> Vec<Value> {
        let place =
            |name: &str| self.table.columns.iter().position(|column| column.name == name).unwrap();
        self.table.key.column_names().into_iter().map(|name| row[place(name)].clone()).collect()
    }

    /// A row as a statement expects it.
    pub fn guard<'r>(&'r self, row: &'r [Value]) -> RowGuard<'r> {
        RowGuard { key: self.key(row), before: self.cells(row) }
    }

    /// A row and what it becomes, in its columns of these names.
    pub fn update<'r>(
        &'r self,
        before: &'r [Value],
        after: &'r [Value],
        columns: &[&str],
    ) -> RowUpdate<'r> {
        let mut changes = self.cells(after);
        changes.retain(|(name, _)| columns.contains(name));
        RowUpdate { row: self.guard(before), changes }
    }
}
