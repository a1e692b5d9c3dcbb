//! Reading rows of PostgreSQL: order, stopping, going on, several sessions at one moment, and what
//! stands in the way.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deepdiff_db::engine::{EngineError, OpenOptions, ReadFrom, Source, SourceUrl};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{RowKey, RowKeySource, Value};

use crate::lab::Lab;
use crate::pg_lab::{Kept, Pair, database, loaded, open, runtime, stop_flag, try_open};
use crate::servers::{Database, postgres};

fn ints(rows: &[Vec<Value>], place: usize) -> Vec<i64> {
    rows.iter()
        .map(|row| match row[place] {
            Value::Int(number) => number,
            ref value => panic!("{value:?}"),
        })
        .collect()
}

/// Something long enough that a reading of it is stopped in the middle.
fn large() -> Database {
    loaded(
        "CREATE TABLE t(id int PRIMARY KEY, v text);
         INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 60000) i;
         CREATE TABLE u(id int PRIMARY KEY); INSERT INTO u VALUES (7);",
    )
}

#[test]
fn a_reading_that_is_stopped_leaves_the_session_as_it_was() {
    let database = large();
    let mut open = open(&database);
    for stop_after in [1, 10_000] {
        let (kept, end) = open.try_read("public.t", &ReadFrom::Start, Some(stop_after)).unwrap();
        assert_eq!((kept.rows.len(), end.is_complete), (stop_after, false));
        // What others do since is not seen, so it is the same transaction.
        database.sql("INSERT INTO u SELECT max(id) + 1 FROM u");
        assert_eq!(ints(&open.rows("public.u"), 0), [7]);
    }
    assert_eq!(open.rows("public.t").len(), 60_000);
}

#[test]
fn a_reading_goes_on_after_a_key() {
    let database = loaded(
        "CREATE TABLE t(a bigint, b uuid, c date, PRIMARY KEY (c, a, b));
         INSERT INTO t SELECT i % 7, md5(i::text)::uuid, '2024-01-01'::date + i % 5
         FROM generate_series(1, 1000) i; INSERT INTO t SELECT 1, gen_random_uuid(), '0044-03-15 BC';",
    );
    let mut open = open(&database);
    assert!(open.table("public.t").reads_in_key_order);
    let whole = open.rows("public.t");
    for place in [0, 1, 499, 1000] {
        // Columns come by name, keys in their own order.
        let row = &whole[place];
        let key = vec![row[2].clone(), row[0].clone(), row[1].clone()];
        let (rest, end) = open.try_read("public.t", &ReadFrom::After(key), None).unwrap();
        assert_eq!(rest.rows, whole[place + 1..]);
        assert!(end.is_complete);
    }
}

#[test]
fn rows_are_found_by_their_exact_key() {
    let database = loaded(
        "CREATE TABLE t(k numeric PRIMARY KEY, v text); INSERT INTO t VALUES (1.00, 'one'), (2, 'two');
         CREATE TABLE u(k text PRIMARY KEY); INSERT INTO u VALUES ('o''k'), ('é');",
    );
    let mut open = open(&database);
    let (t, u) = (open.table("public.t"), open.table("public.u"));
    let all = open.rows("public.t");
    let mut find = |table, key: &Value| {
        let mut kept = Kept::default();
        let key = std::slice::from_ref(key);
        let found = open.source.read_row_by_key(table, key, &mut kept);
        assert_eq!(open.runtime.block_on(found).unwrap(), kept.rows.len() as u64);
        kept.rows
    };
    for row in &all {
        assert_eq!(find(&t, &row[0]), std::slice::from_ref(row));
    }
    let other = deepdiff_db::model::value::FiniteDecimal::new(false, &[1], 0).unwrap();
    let other = Value::Decimal(deepdiff_db::model::Decimal::Finite(other));
    assert_eq!(find(&t, &other), Vec::<Vec<Value>>::new());
    assert_eq!(find(&u, &Value::Text("é".to_owned())).len(), 1);
    assert_eq!(find(&u, &Value::Int(1)).len(), 0);
}

#[test]
fn other_sessions_read_at_the_same_moment() {
    let database = large();
    let open = open(&database);
    let table = open.table("public.u");
    let Source::Postgres(source) = &open.source else { panic!("not PostgreSQL") };
    database.sql("INSERT INTO u VALUES (8)");
    let mut other = open.runtime.block_on(source.reader()).unwrap();
    database.sql("INSERT INTO u VALUES (9)");
    let mut kept = Kept::default();
    open.runtime.block_on(other.read_rows(&table, &ReadFrom::Start, &mut kept)).unwrap();
    assert_eq!(ints(&kept.rows, 0), [7]);
}

#[test]
fn l19_inheritance_partitions_and_what_is_no_table() {
    let database = loaded(
        "CREATE TABLE parent(id int PRIMARY KEY); CREATE TABLE child(PRIMARY KEY (id)) INHERITS (parent);
         INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1), (3);
         CREATE TABLE root(id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10);
         CREATE TABLE high(v text, gone int, id int NOT NULL); ALTER TABLE high DROP gone;
         ALTER TABLE root ATTACH PARTITION high FOR VALUES FROM (10) TO (20);
         INSERT INTO root SELECT i, 'v' || i FROM generate_series(0, 19) i;
         CREATE UNLOGGED TABLE unlogged(id int); CREATE VIEW v AS SELECT 1;
         CREATE MATERIALIZED VIEW m AS SELECT 1; CREATE SEQUENCE s;
         CREATE TABLE generated(id int, twice int GENERATED ALWAYS AS (id * 2) STORED);
         INSERT INTO generated VALUES (4); CREATE TABLE nothing(); INSERT INTO nothing DEFAULT VALUES;
         CREATE TABLE _deepdiff_receipts(id int);",
    );
    let mut open = open(&database);
    assert_eq!(
        open.names(),
        ["generated", "nothing", "parent", "root", "unlogged"]
            .into_iter()
            .chain(["child"])
            .map(|name| format!("public.{name}"))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(ints(&open.rows("public.parent"), 0), [1, 2]);
    assert_eq!(ints(&open.rows("public.child"), 0), [1, 3]);
    assert_eq!(ints(&open.rows("public.root"), 0), (0..20).collect::<Vec<_>>());
    assert_eq!(open.rows("public.generated"), [[Value::Int(4)]]);
    assert_eq!(open.rows("public.nothing"), [Vec::<Value>::new()]);
    let root = open.table("public.root");
    let estimate = open.runtime.block_on(open.source.estimated_rows(&root)).unwrap();
    assert_eq!(estimate, None);
    database.sql("ANALYZE");
    drop(open);
    let mut open = crate::pg_lab::open(&database);
    let estimate = open.runtime.block_on(open.source.estimated_rows(&root)).unwrap();
    assert_eq!(estimate, Some(20));
}

#[test]
fn k10_k18_keys_are_total_and_not_null() {
    let database = loaded(
        "CREATE TABLE a(id int PRIMARY KEY DEFERRABLE); CREATE TABLE b(x int UNIQUE);
         CREATE TABLE c(x text NOT NULL, y int NOT NULL, z bool); CREATE UNIQUE INDEX ON c(lower(x));
         CREATE UNIQUE INDEX ON c(y) WHERE z;
         CREATE TABLE d(p int NOT NULL, q int NOT NULL, r int NOT NULL, UNIQUE (p, q), UNIQUE (r) INCLUDE (p));
         CREATE TABLE e(b int, a int, PRIMARY KEY (b, a));
         CREATE TABLE f(id text COLLATE \"C\" PRIMARY KEY); CREATE TABLE g(id text COLLATE \"en-x-icu\" PRIMARY KEY);
         CREATE TABLE h(n numeric, m int, PRIMARY KEY (n, m));
         CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE i(k text COLLATE ci PRIMARY KEY); CREATE TABLE j(k interval PRIMARY KEY);",
    );
    let open = open(&database);
    let key = |name: &str| {
        let spec = open.table(&format!("public.{name}"));
        let names = spec.key.column_names().join(",");
        let source = match &spec.key {
            RowKey::Columns { source, .. } => Some(*source),
            RowKey::RowHash => None,
        };
        (names, source, spec.reads_in_key_order)
    };
    let (primary, unique) = (Some(RowKeySource::PrimaryKey), Some(RowKeySource::UniqueIndex));
    for (table, names, source, is_ordered) in [
        ("a", "id", primary, true),
        ("b", "", None, false),
        ("c", "", None, false),
        ("d", "r", unique, true),
        ("e", "b,a", primary, true),
        ("f", "id", primary, true),
        ("g", "id", primary, false),
        ("h", "n,m", primary, false),
        ("i", "k", primary, false),
        ("j", "k", primary, false),
    ] {
        assert_eq!(key(table), (names.to_owned(), source, is_ordered), "{table}");
    }
    let unknown = |name: &str| match open.table(&format!("public.{name}")).key {
        RowKey::Columns { columns, .. } => format!("{:?}", columns[0].matching),
        RowKey::RowHash => String::new(),
    };
    assert_eq!(["f", "g", "i", "j"].map(unknown), ["Binary", "Binary", "Unknown", "Unknown"]);
}

#[test]
fn defaults_that_are_constants_are_values() {
    let database = loaded(
        "CREATE TYPE mood AS ENUM ('ok', 'it''s'); CREATE SEQUENCE s;
         CREATE TABLE t(a int DEFAULT -1, b text DEFAULT 'it''s', c numeric(10, 2) DEFAULT 0,
         d timestamptz DEFAULT '2024-01-02 03:04:05+00', e mood DEFAULT 'it''s', f char(3) DEFAULT 'x',
         g int DEFAULT nextval('s'), h timestamptz DEFAULT now(), i bool DEFAULT true, j int);",
    );
    let spec = open(&database).table("public.t");
    let default = |name: &str| {
        let column = spec.columns.iter().find(|column| column.name == name).unwrap();
        column.default.clone()
    };
    assert_eq!(default("a"), Value::Int(-1));
    assert_eq!(default("b"), Value::Text("it's".to_owned()));
    assert!(matches!(default("c"), Value::Decimal(_)));
    assert!(matches!(default("d"), Value::Timestamp(_)));
    assert_eq!(default("e"), Value::Other("it's".to_owned()));
    assert_eq!(default("f"), Value::Text("x  ".to_owned()));
    assert_eq!(["g", "h", "j"].map(default), [const { Value::Null }; 3]);
    assert_eq!(default("i"), Value::Bool(true));
    assert_eq!(spec.columns[1].declared_type, "text");
}

#[test]
fn schemas_and_patterns_say_what_is_read() {
    let database = loaded(
        "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t(x int); CREATE TABLE b.t(x int);
         CREATE TABLE b.log_1(x int); CREATE TABLE public.u(x int, y int);",
    );
    let names = |url: &str, excluded: &[&str]| {
        let excluded_tables = excluded.iter().map(|&pattern| pattern.to_owned()).collect();
        let scope = Scope { excluded_tables, ..Scope::default() };
        try_open(url, &scope).map(|open| open.names())
    };
    let url = database.url();
    assert_eq!(names(&url, &["log_*"]).unwrap(), ["a.t", "b.t", "public.u"]);
    assert_eq!(names(&url, &["b.*"]).unwrap(), ["a.t", "public.u"]);
    assert_eq!(names(&format!("{url}&schema=a,b"), &["t"]).unwrap(), ["b.log_1"]);
    let error = names(&format!("{url}&schema=nope"), &[]).unwrap_err().to_string();
    assert!(error.contains("no schema `nope`"), "{error}");
    let key = |columns: &[&str]| {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        let key_overrides = vec![("public.u".to_owned(), columns)];
        let scope = Scope { key_overrides, ..Scope::default() };
        try_open(&url, &scope).map(|open| open.table("public.u").key)
    };
    let RowKey::Columns { source, .. } = key(&["y"]).unwrap() else { panic!("no key") };
    assert_eq!(source, RowKeySource::Configured);
    assert!(matches!(key(&["z"]), Err(EngineError::KeyOverride { .. })));
}

/// The error of opening a URL.
fn refused(url: &str) -> EngineError {
    match try_open(url, &Scope::default()) {
        Ok(open) => panic!("{url} was read: {:?}", open.names()),
        Err(error) => error,
    }
}

#[test]
fn what_stands_in_the_way_is_named() {
    let database = loaded(
        "DROP ROLE IF EXISTS rows_reader; CREATE ROLE rows_reader LOGIN PASSWORD 'pw';
         CREATE TABLE open_t(id int PRIMARY KEY); CREATE TABLE secret_t(id int PRIMARY KEY);
         GRANT SELECT ON open_t TO rows_reader;",
    );
    let tcp = database.server.tcp_url(&database.name);
    let with = |user: &str, password: &str| tcp.replace("tester@", &format!("{user}:{password}@"));

    let error = refused(&with("tester", "wrong-password"));
    assert!(matches!(error, EngineError::Login { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("wrong-password"), "{error:?}");
    let error = refused(&database.server.url("no_such_database"));
    assert!(matches!(error, EngineError::NotFound { .. }), "{error:?}");
    let error = refused("postgres://tester@127.0.0.1:1/x");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error:?}");
    let error = refused(&with("rows_reader", "pw"));
    assert!(matches!(error, EngineError::Privilege { .. }), "{error:?}");
    assert!(error.to_string().contains("secret_t"), "{error}");
    let scope = Scope { excluded_tables: vec!["secret_t".to_owned()], ..Scope::default() };
    let open = try_open(&with("rows_reader", "pw"), &scope).unwrap();
    assert_eq!(open.names(), ["public.open_t"]);
    drop(open);

    // Policies that hide rows are an error when the rows are read.
    database.sql(
        "GRANT SELECT ON secret_t TO rows_reader; ALTER TABLE secret_t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY half ON secret_t USING (id % 2 = 0);",
    );
    let mut open = try_open(&with("rows_reader", "pw"), &Scope::default()).unwrap();
    let read = open.try_read("public.secret_t", &ReadFrom::Start, None);
    let Err(error @ EngineError::Privilege { .. }) = read.map(|_| ()) else { panic!("read") };
    assert!(error.to_string().contains("secret_t"), "{error}");
    drop(open);
    database.sql("DROP OWNED BY rows_reader; DROP ROLE rows_reader;");
}

#[test]
fn a_lock_of_somebody_else_is_named_after_the_timeout() {
    let database = large();
    let mut holder = database
        .server
        .client(&database.name)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = holder.stdin.take().unwrap();
    stdin.write_all(b"BEGIN; LOCK TABLE u IN ACCESS EXCLUSIVE MODE;\n").unwrap();
    stdin.flush().unwrap();
    let held = "SELECT count(*) FROM pg_locks WHERE relation = 'u'::regclass AND granted";
    while database.sql(held).trim() != "1" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = refused(&database.url());
    assert!(matches!(error, EngineError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("public.u"), "{error}");
    drop(stdin);
    holder.wait().unwrap();
    assert_eq!(ints(&open(&database).rows("public.u"), 0), [7]);
}

#[test]
fn l03_l04_tables_stay_as_they_are_while_they_are_read() {
    let database = large();
    let mut open = open(&database);
    for statement in ["TRUNCATE t", "DROP TABLE t", "ALTER TABLE t ALTER id TYPE bigint"] {
        let script = format!("SET lock_timeout = 200; {statement}");
        let output = database.server.try_run(&database.name, &script);
        assert!(String::from_utf8_lossy(&output.stderr).contains("lock timeout"), "{output:?}");
    }
    assert_eq!(open.rows("public.t").len(), 60_000);
    drop(open);
    database.sql("TRUNCATE t");
    assert_eq!(crate::pg_lab::open(&database).rows("public.t").len(), 0);
}

#[test]
fn a_server_process_that_ends_is_an_error_and_no_snapshot() {
    let database = large();
    let mut open = open(&database);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'deepdiff-db' AND datname = current_database()";
    assert_eq!(database.sql(end).trim(), "t");
    let error = open.try_read("public.t", &ReadFrom::Start, None).map(|_| ()).unwrap_err();
    assert!(matches!(error, EngineError::Lost { .. }), "{error:?}");
    let error = open.try_read("public.u", &ReadFrom::Start, None).map(|_| ()).unwrap_err();
    assert!(matches!(error, EngineError::Lost { .. }), "{error:?}");
}

#[test]
fn a_stop_flag_ends_a_statement_that_waits() {
    let database = loaded("CREATE TABLE t(id int)");
    let (runtime, stop) = (runtime(), stop_flag());
    let options = OpenOptions { busy_timeout: Duration::from_secs(60), stop: Some(stop.clone()) };
    let url: SourceUrl = database.url().parse().unwrap();
    let mut source = runtime.block_on(Source::open(&url, &options)).unwrap();
    runtime.block_on(source.begin(1)).unwrap();
    stop.store(true, Ordering::Relaxed);
    let error = runtime.block_on(source.catalog(&Scope::default())).unwrap_err();
    assert!(matches!(error, EngineError::Stopped { .. }), "{error:?}");
}

#[test]
fn an_identity_is_the_databases() {
    let (one, other) = (database(), database());
    let identity = |url: &str| try_open(url, &Scope::default()).unwrap().source.identity();
    assert_eq!(identity(&one.url()), identity(&one.url()));
    assert_ne!(identity(&one.url()), identity(&other.url()));
    let tcp = one.server.tcp_url(&one.name).replace("tester@", "tester:tester-password@");
    assert_eq!(identity(&one.url()), identity(&tcp));
    assert!(!identity(&tcp).contains("tester-password"));
}

#[test]
fn q21_k21_physical_order_is_no_part_of_a_state() {
    let script = "CREATE TABLE t(id int PRIMARY KEY, v text); CREATE TABLE k(v text);
                  CREATE TABLE l(k text COLLATE \"en-x-icu\" PRIMARY KEY);
                  INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
                  INSERT INTO k SELECT v FROM t UNION ALL SELECT v FROM t WHERE id < 10;
                  INSERT INTO l SELECT v FROM t;";
    let pair = Pair::new("SELECT 1", script, script);
    let before = pair.state(&pair.prod, "prod");
    assert_eq!(pair.state(&pair.dev, "dev"), before);
    pair.prod.sql(
        "UPDATE t SET v = v WHERE id % 3 = 0; CREATE INDEX by_v ON t(v); CLUSTER t USING by_v; DROP INDEX by_v;
         UPDATE k SET v = v WHERE v < '8';",
    );
    pair.prod.sql("VACUUM FULL");
    assert_eq!(pair.state(&pair.prod, "prod"), before);
}

#[test]
fn t14_q13_values_of_hundreds_of_megabytes() {
    let pair = Pair::new(
        "CREATE TABLE t(id int PRIMARY KEY, v bytea); ALTER TABLE t ALTER v SET STORAGE EXTERNAL",
        "INSERT INTO t SELECT 1, decode(repeat('ab', 60000000), 'hex') || '\\x00'",
        "INSERT INTO t SELECT 1, decode(repeat('ab', 60000000), 'hex') || '\\x01'",
    );
    assert_eq!(pair.counts(), (0, 0, 1));
}

#[test]
fn no_password_is_in_anything_that_is_printed() {
    let database = loaded("CREATE TABLE t(id int PRIMARY KEY)");
    let lab = Lab::new();
    let url = database.server.tcp_url(&database.name);
    let url = url.replace("tester@", "tester:tester-password@");
    let taken = lab.run(&["snapshot", &url, "--ref", "p"]).ok();
    let shown = lab.run(&["show", "p", "--json"]).ok();
    let log = lab.run(&["log", "p"]).ok();
    let wrong = lab.run(&["snapshot", &url.replace("-password", "-passwort"), "--ref", "p"]);
    assert_eq!(wrong.code, 3, "{}", wrong.stderr);
    for output in [&taken, &shown, &log, &wrong] {
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(!said.contains("tester-passwor"), "{said}");
    }
    assert!(postgres().port.parse::<u16>().is_ok());
}
