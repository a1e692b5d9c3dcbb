//! Opening and reading SQLite files that other programs own: locks, journals, damage, traces.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deepdiff_db::engine::{EngineError, OpenOptions, ReadFrom, Source, SourceUrl};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Flow, RowSink, SinkError, ValueRef};
use sqlx::Connection;

use crate::sqlite_database::{Rows, TestDatabase, block_on, spec};

fn open_error(url: &SourceUrl) -> EngineError {
    block_on(Source::open(url, &OpenOptions::default())).err().unwrap()
}

fn impatient() -> OpenOptions {
    OpenOptions { busy_timeout: Duration::from_millis(50), ..OpenOptions::default() }
}

#[test]
fn a_wrong_path_is_not_found_and_not_created() {
    let database = TestDatabase::empty();
    let error = open_error(&database.url());
    assert!(matches!(error, EngineError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("test.db"), "{error}");
    assert!(database.files().is_empty());
    let error = open_error(&SourceUrl::sqlite(database.folder()));
    assert!(error.to_string().contains("directory"), "{error}");
    let error = open_error(&SourceUrl::sqlite(database.folder().join("no/such.db")));
    assert!(matches!(error, EngineError::NotFound { .. }), "{error}");
}

#[test]
fn a_file_that_is_no_database_says_so() {
    let database = TestDatabase::empty();
    for content in [&b"xy"[..], b"this is not a database", &[b'y'; 8192]] {
        std::fs::write(database.path(), content).unwrap();
        let error = open_error(&database.url());
        assert!(matches!(error, EngineError::NotADatabase { .. }), "{error}");
        assert!(error.to_string().contains("test.db"), "{error}");
        assert_eq!(database.bytes(), content);
        assert_eq!(database.files(), ["test.db"]);
    }
}

#[test]
fn an_empty_file_is_an_empty_database() {
    let database = TestDatabase::empty();
    std::fs::write(database.path(), b"").unwrap();
    let catalog = database.catalog();
    assert!(catalog.tables.is_empty());
    assert_eq!(database.bytes(), b"");
}

#[test]
fn reading_leaves_no_trace() {
    for mode in ["DELETE", "TRUNCATE", "PERSIST", "WAL"] {
        let database = TestDatabase::new(&format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE t(a); INSERT INTO t VALUES (1), (2);"
        ));
        let (files, bytes) = (database.files(), database.bytes());
        assert_eq!(database.rows("t").len(), 2, "{mode}");
        assert_eq!(database.files(), files, "{mode}");
        assert_eq!(database.bytes(), bytes, "{mode}");
    }
}

#[test]
fn e5_a_log_that_was_there_is_neither_checkpointed_nor_removed() {
    let database = TestDatabase::new("PRAGMA journal_mode = WAL; CREATE TABLE t(a);");
    block_on(async {
        let mut writer = database.connect().await;
        sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&mut writer).await.unwrap();
        // A copy of the files, as a crash would leave them: no connection is open on it.
        let copy = TestDatabase::empty();
        for suffix in ["", "-wal"] {
            let name = format!("test.db{suffix}");
            std::fs::copy(database.folder().join(&name), copy.folder().join(&name)).unwrap();
        }
        writer.close().await.unwrap();
        let (bytes, log) =
            (copy.bytes(), std::fs::read(copy.folder().join("test.db-wal")).unwrap());
        let mut source = Source::open(&copy.url(), &OpenOptions::default()).await.unwrap();
        source.begin(1).await.unwrap();
        let catalog = source.catalog(&Scope::default()).await.unwrap();
        let mut rows = Rows::default();
        source.read_rows(spec(&catalog, "t"), &ReadFrom::Start, &mut rows).await.unwrap();
        source.close().await.unwrap();
        assert_eq!(rows.rows.len(), 1);
        assert_eq!(copy.bytes(), bytes);
        assert_eq!(std::fs::read(copy.folder().join("test.db-wal")).unwrap(), log);
    });
}

#[test]
fn everything_read_in_one_transaction_is_of_one_moment() {
    let database = TestDatabase::new(
        "PRAGMA journal_mode = WAL; CREATE TABLE a(v); CREATE TABLE b(v);
         INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);",
    );
    block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        source.begin(1).await.unwrap();
        let mut writer = database.connect().await;
        sqlx::raw_sql(
            "BEGIN; INSERT INTO a VALUES (2); INSERT INTO b VALUES (2); DROP TABLE b; COMMIT;",
        )
        .execute(&mut writer)
        .await
        .unwrap();
        let catalog = source.catalog(&Scope::default()).await.unwrap();
        for table in ["a", "b"] {
            let mut rows = Rows::default();
            source.read_rows(spec(&catalog, table), &ReadFrom::Start, &mut rows).await.unwrap();
            assert_eq!(rows.rows.len(), 1, "{table}");
            assert_eq!(source.count_rows(spec(&catalog, table)).await.unwrap(), 1);
        }
        source.end().await.unwrap();
        let after = source.catalog(&Scope::default()).await.unwrap();
        assert_eq!(after.tables.len(), 1);
        source.close().await.unwrap();
        writer.close().await.unwrap();
    });
}

#[test]
fn l15_a_locked_database_is_waited_for_and_then_named() {
    let database = TestDatabase::new("CREATE TABLE t(a)");
    block_on(async {
        let mut writer = database.connect().await;
        sqlx::raw_sql("BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)")
            .execute(&mut writer)
            .await
            .unwrap();
        let began = Instant::now();
        let error = Source::open(&database.url(), &impatient()).await.err().unwrap();
        assert!(began.elapsed() >= Duration::from_millis(40), "{:?}", began.elapsed());
        assert!(matches!(error, EngineError::Locked { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("test.db") && message.contains("another connection"), "{message}");
        sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
        writer.close().await.unwrap();
    });
    assert_eq!(database.rows("t").len(), 1);
}

#[test]
fn l15_a_lock_that_is_given_up_in_time_is_no_error() {
    let database = TestDatabase::new("CREATE TABLE t(a)");
    let path = database.url();
    block_on(async {
        let mut writer = database.connect().await;
        sqlx::raw_sql("BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)")
            .execute(&mut writer)
            .await
            .unwrap();
        let reader = std::thread::spawn(move || {
            block_on(async {
                let mut source = Source::open(&path, &OpenOptions::default()).await.unwrap();
                source.begin(1).await.unwrap();
                let catalog = source.catalog(&Scope::default()).await.unwrap();
                let count = source.count_rows(spec(&catalog, "t")).await.unwrap();
                source.close().await.unwrap();
                count
            })
        });
        std::thread::sleep(Duration::from_millis(200));
        sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
        assert_eq!(reader.join().unwrap(), 1);
        writer.close().await.unwrap();
    });
}

#[test]
fn l15_a_hot_journal_is_refused_and_left_alone() {
    let database = TestDatabase::new("CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(100000));");
    let copy = TestDatabase::empty();
    block_on(async {
        let mut writer = database.connect().await;
        // A small cache makes SQLite write to the file before COMMIT, journal first.
        sqlx::raw_sql("PRAGMA cache_size = 2; BEGIN; UPDATE t SET a = randomblob(100000); INSERT INTO t VALUES (randomblob(100000));")
            .execute(&mut writer)
            .await
            .unwrap();
        for suffix in ["", "-journal"] {
            let name = format!("test.db{suffix}");
            std::fs::copy(database.folder().join(&name), copy.folder().join(&name)).unwrap();
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
        writer.close().await.unwrap();
    });
    let (files, bytes) = (copy.files(), copy.bytes());
    assert_eq!(files, ["test.db", "test.db-journal"]);
    let error = open_error(&copy.url());
    assert!(matches!(error, EngineError::HotJournal { .. }), "{error}");
    assert!(error.to_string().contains("hot journal"), "{error}");
    assert_eq!((copy.files(), copy.bytes()), (files, bytes));
}

#[test]
fn a_damaged_page_ends_the_reading_and_names_the_table() {
    let database = TestDatabase::new(
        "PRAGMA page_size = 512; CREATE TABLE good(a); CREATE TABLE bad(id INTEGER PRIMARY KEY, a);
         INSERT INTO good VALUES (1);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO bad SELECT i, randomblob(100) FROM n;",
    );
    let mut bytes = database.bytes();
    let middle = bytes.len() / 2 / 512 * 512;
    bytes[middle..middle + 512].fill(0xee);
    std::fs::write(database.path(), &bytes).unwrap();
    let catalog = database.catalog();
    let read = block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        let mut rows = Rows::default();
        let read = source.read_rows(spec(&catalog, "bad"), &ReadFrom::Start, &mut rows).await;
        source.close().await.unwrap();
        read
    });
    let error = read.unwrap_err();
    assert!(matches!(error, EngineError::Corrupt { .. }), "{error}");
    assert!(
        error.to_string().contains("`bad`") && error.to_string().contains("test.db"),
        "{error}"
    );
    assert_eq!(database.rows("good").len(), 1);
}

#[test]
fn a_file_cut_short_is_damaged() {
    let database = TestDatabase::new(
        "PRAGMA page_size = 512; CREATE TABLE t(id INTEGER PRIMARY KEY, a);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO t SELECT i, randomblob(100) FROM n;",
    );
    let bytes = database.bytes();
    std::fs::write(database.path(), &bytes[..bytes.len() / 2]).unwrap();
    let read = block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await?;
        let catalog = source.catalog(&Scope::default()).await?;
        let mut rows = Rows::default();
        source.read_rows(spec(&catalog, "t"), &ReadFrom::Start, &mut rows).await.map(|_| ())
    });
    let error = read.unwrap_err();
    assert!(matches!(error, EngineError::Corrupt { .. }), "{error}");
}

#[test]
fn the_error_of_a_sink_comes_back_untouched() {
    struct Failing;
    impl RowSink for Failing {
        fn cell(&mut self, _: ValueRef<'_>) -> Result<(), SinkError> {
            Err("the sink is full".into())
        }
        fn end_row(&mut self) -> Result<Flow, SinkError> {
            Ok(Flow::Continue)
        }
    }
    let database = TestDatabase::new("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    let catalog = database.catalog();
    let read = block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        let read = source.read_rows(spec(&catalog, "t"), &ReadFrom::Start, &mut Failing).await;
        source.close().await.unwrap();
        read
    });
    let error = read.unwrap_err();
    assert!(matches!(error, EngineError::Sink(_)));
    assert_eq!(error.to_string(), "the sink is full");
}

#[test]
fn a_stop_ends_a_long_statement() {
    let database = TestDatabase::new(
        "CREATE TABLE t(a);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
         INSERT INTO t SELECT i FROM n;",
    );
    let catalog = database.catalog();
    struct StopAt(Arc<AtomicBool>, u64);
    impl RowSink for StopAt {
        fn cell(&mut self, _: ValueRef<'_>) -> Result<(), SinkError> {
            Ok(())
        }
        fn end_row(&mut self) -> Result<Flow, SinkError> {
            self.1 += 1;
            self.0.store(self.1 > 1_000, Ordering::Relaxed);
            Ok(Flow::Continue)
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let options = OpenOptions { stop: Some(Arc::clone(&stop)), ..OpenOptions::default() };
    let read = block_on(async {
        let mut source = Source::open(&database.url(), &options).await.unwrap();
        let mut sink = StopAt(stop, 0);
        let read = source.read_rows(spec(&catalog, "t"), &ReadFrom::Start, &mut sink).await;
        source.close().await.unwrap();
        read
    });
    let error = read.unwrap_err();
    assert!(matches!(error, EngineError::Stopped { .. }), "{error}");
}

#[test]
fn a_source_says_what_it_is() {
    let database = TestDatabase::new("PRAGMA journal_mode = WAL; CREATE TABLE t(a)");
    block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        source.begin(1).await.unwrap();
        assert!(source.server().starts_with("SQLite 3."), "{}", source.server());
        assert_eq!(source.engine(), "sqlite");
        assert_eq!(source.identity(), database.path().display().to_string());
        let evidence = source.evidence().await.unwrap().join("; ");
        for part in
            ["one read transaction", "journal mode wal", "data version", "file change counter"]
        {
            assert!(evidence.contains(part), "{evidence}");
        }
        source.close().await.unwrap();
    });
}

#[test]
fn what_may_not_be_read_or_written_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let database = TestDatabase::new("CREATE TABLE t(a)");
    let set = |mode| {
        std::fs::set_permissions(database.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o000);
    if std::fs::File::open(database.path()).is_ok() {
        eprintln!("skipped what_may_not_be_read_or_written_says_so: this user may read everything");
        return;
    }
    let error = open_error(&database.url());
    assert!(matches!(error, EngineError::Privilege { .. }), "{error}");
    set(0o400);
    assert_eq!(database.catalog().tables.len(), 1);
    let error =
        block_on(deepdiff_db::engine::Target::open(&database.url(), &impatient())).err().unwrap();
    assert!(matches!(error, EngineError::Privilege { .. }), "{error}");
    set(0o600);
    // A database in WAL mode needs files beside it, even to be read.
    database.run("PRAGMA journal_mode = WAL");
    let folder = |mode| {
        std::fs::set_permissions(database.folder(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    folder(0o500);
    let error = open_error(&database.url());
    folder(0o700);
    assert!(matches!(error, EngineError::Privilege { .. }), "{error}");
    assert!(error.to_string().contains("folder"), "{error}");
}

#[test]
fn opening_can_be_awaited_on_any_thread() {
    fn assert_send<T: Send>(_: &T) {}
    let url = SourceUrl::sqlite("nowhere.db");
    let options = OpenOptions::default();
    assert_send(&Source::open(&url, &options));
    assert_send(&deepdiff_db::engine::Target::open(&url, &options));
}

#[test]
fn a_relative_name_that_looks_like_a_uri_is_a_path() {
    let database = TestDatabase::new("CREATE TABLE t(a)");
    for name in ["file:x.db?mode=memory", "a?b#c%41.db", "sp ace's.db"] {
        let path = database.folder().join(name);
        std::fs::copy(database.path(), &path).unwrap();
        block_on(async {
            let url = SourceUrl::sqlite(&path);
            let mut source = Source::open(&url, &OpenOptions::default()).await.unwrap();
            assert_eq!(source.catalog(&Scope::default()).await.unwrap().tables.len(), 1, "{name}");
            source.close().await.unwrap();
        });
    }
}

#[test]
fn a_source_refuses_to_write() {
    let database = TestDatabase::new("CREATE TABLE t(a)");
    let bytes = database.bytes();
    block_on(async {
        let mut source = Source::open(&database.url(), &OpenOptions::default()).await.unwrap();
        source.begin(1).await.unwrap();
        // A name that tries to be a statement stays a name.
        let mut catalog = source.catalog(&Scope::default()).await.unwrap();
        catalog.tables[0].name.name = "t\"; DELETE FROM t; --".to_owned();
        let mut rows = Rows::default();
        let read = source.read_rows(&catalog.tables[0], &ReadFrom::Start, &mut rows).await;
        assert!(read.unwrap_err().to_string().contains("no such table"));
        source.close().await.unwrap();
    });
    assert_eq!(database.bytes(), bytes);
}
