//! SQLite files for tests: made from SQL, read through the engine, and looked at by other code.
//!
//! The oracle is sqlx's own row channel over `typeof()` and `hex()`, which shares no code with the
//! engine's reader.

use std::future::Future;
use std::path::{Path, PathBuf};

use deepdiff_db::engine::sqlite::SqliteTarget;
use deepdiff_db::engine::{OpenOptions, ReadEnd, ReadFrom, Source, SourceUrl, Target};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{
    Attribute, Catalog, Fact, Flow, RowSink, SinkError, TableSpec, Value, ValueRef,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

/// Runs a future to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A database in a folder of its own.
pub struct TestDatabase {
    folder: tempfile::TempDir,
}

impl TestDatabase {
    /// A database made by these statements.
    pub fn new(sql: &str) -> TestDatabase {
        let database = TestDatabase::empty();
        database.run(sql);
        database
    }

    /// A folder for a database that is not there yet.
    pub fn empty() -> TestDatabase {
        TestDatabase { folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("test.db")
    }

    pub fn url(&self) -> SourceUrl {
        SourceUrl::sqlite(self.path())
    }

    /// Runs statements on a connection of sqlx's own, foreign keys off, created if missing.
    pub fn run(&self, sql: &str) {
        self.try_run(sql).unwrap();
    }

    pub fn try_run(&self, sql: &str) -> Result<(), sqlx::Error> {
        block_on(async {
            let mut connection = self.connect().await;
            let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
            connection.close().await?;
            done.map(|_| ())
        })
    }

    pub async fn connect(&self) -> sqlx::SqliteConnection {
        sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.path())
            .create_if_missing(true)
            .foreign_keys(false)
            .disable_statement_logging()
            .connect()
            .await
            .unwrap()
    }

    /// The names of the files in the folder.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    /// What the oracle says of each row of a query: `typeof:hex` of each column, NULLs as `null:`.
    pub fn oracle(&self, table: &str, columns: &[&str]) -> Vec<Vec<String>> {
        let cells: Vec<String> = columns
            .iter()
            .map(|c| format!("typeof({c}) || ':' || coalesce(hex(CAST({c} AS BLOB)), '')"))
            .collect();
        let sql = format!("SELECT {} FROM {table}", cells.join(", "));
        block_on(async {
            let mut connection = self.connect().await;
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows.iter()
                .map(|row| (0..columns.len()).map(|index| row.get::<String, _>(index)).collect())
                .collect()
        })
    }

    pub fn catalog(&self) -> Catalog {
        self.catalog_under(&Scope::default())
    }

    pub fn catalog_under(&self, scope: &Scope) -> Catalog {
        block_on(async {
            let mut source = Source::open(&self.url(), &OpenOptions::default()).await.unwrap();
            source.begin(1).await.unwrap();
            let catalog = source.catalog(scope).await.unwrap();
            source.close().await.unwrap();
            catalog
        })
    }

    /// The rows of a table, in the order they are read, columns in byte order of their names.
    pub fn rows(&self, table: &str) -> Vec<Vec<Value>> {
        let catalog = self.catalog();
        let spec = spec(&catalog, table);
        let (rows, end) = self.read(spec, &ReadFrom::Start, None);
        assert!(end.is_complete);
        rows
    }

    pub fn read(
        &self,
        spec: &TableSpec,
        from: &ReadFrom,
        stop_after: Option<usize>,
    ) -> (Vec<Vec<Value>>, ReadEnd) {
        block_on(async {
            let mut source = Source::open(&self.url(), &OpenOptions::default()).await.unwrap();
            source.begin(1).await.unwrap();
            let mut rows = Rows { stop_after, ..Rows::default() };
            let end = source.read_rows(spec, from, &mut rows).await.unwrap();
            source.close().await.unwrap();
            (rows.rows, end)
        })
    }

    pub async fn target(&self) -> Target {
        Target::open(&self.url(), &OpenOptions::default()).await.unwrap()
    }
}

/// A scratch database made by these statements.
pub fn scratch(sql: &str) -> Target {
    block_on(async {
        let options = OpenOptions::default();
        let mut target = Target::Sqlite(SqliteTarget::scratch(&[], &options).await.unwrap());
        target.session().await.unwrap().execute_script(sql).unwrap();
        target
    })
}

/// The table of this name.
pub fn spec<'c>(catalog: &'c Catalog, table: &str) -> &'c TableSpec {
    catalog.tables.iter().find(|spec| spec.name.name == table).unwrap_or_else(|| {
        panic!("no table {table}; not captured: {:?}", catalog.not_captured);
    })
}

/// A sink that keeps everything.
#[derive(Default)]
pub struct Rows {
    pub rows: Vec<Vec<Value>>,
    pub row: Vec<Value>,
    pub stop_after: Option<usize>,
}

impl RowSink for Rows {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.row.push(value.to_value());
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        self.rows.push(std::mem::take(&mut self.row));
        let is_done = self.stop_after.is_some_and(|limit| self.rows.len() >= limit);
        Ok(if is_done { Flow::Stop } else { Flow::Continue })
    }
}

/// A value as the oracle spells it.
pub fn spelled(value: &Value) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    match value {
        Value::Null => "null:".to_owned(),
        Value::Int(number) => format!("integer:{}", hex(number.to_string().as_bytes())),
        Value::Float64(bits) => format!("real:{bits:016X}"),
        Value::Text(text) => format!("text:{}", hex(text.as_bytes())),
        Value::RawText { bytes, .. } => format!("text:{}", hex(bytes)),
        Value::Bytes(bytes) => format!("blob:{}", hex(bytes)),
        other => panic!("{other:?} came out of SQLite"),
    }
}

/// Facts as lines a person can compare.
pub fn lines(facts: &[Fact]) -> String {
    let mut text = String::new();
    for fact in facts {
        text.push_str(&format!("{} {}", fact.id.kind, fact.id));
        for (name, attribute) in &fact.attributes {
            match attribute {
                Attribute::Flag => text.push_str(&format!(" {name}")),
                Attribute::Number(number) => text.push_str(&format!(" {name}={number}")),
                Attribute::Text(value) => text.push_str(&format!(" {name}=<{value}>")),
                Attribute::List(items) => {
                    text.push_str(&format!(" {name}=[{}]", items.join(" | ")));
                }
            }
        }
        for object in &fact.depends_on {
            text.push_str(&format!(" -> {object}"));
        }
        text.push('\n');
    }
    text
}

/// The folder of public data; `None` where it is absent, and then a test says that it is skipped.
pub fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("DEEPDIFF_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("skipped {test}: {} is not there", folder.display());
    None
}
