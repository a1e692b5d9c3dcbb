//! Changing PostgreSQL databases: transactions, locks, counts, receipts, filling tables.

use std::time::{Duration, Instant};

use deepdiff_db::engine::EngineError;
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Flow, KeyColumn, KeyMatching, RowSink, SinkError, Value, ValueRef};

use crate::pg_lab::{Kept, loaded, open, runtime};
use crate::pg_writing::{Held, PATIENCE, session, target, try_target};

const TWO: &str =
    "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b');";

#[test]
fn a_target_says_what_it_is() {
    let database = loaded(TWO);
    let open = open(&database);
    let target = target(&database);
    assert_eq!(target.identity(), open.source.identity());
    assert_eq!(target.server(), open.source.server());
    let missing = database.url().replace(&database.name, "no_such_database");
    let error = try_target(&missing).err().unwrap();
    assert!(matches!(error, EngineError::NotFound { .. }), "{error}");
}

#[test]
fn transactions_are_committed_rolled_back_and_closed() {
    let database = loaded(TWO);
    let mut target = target(&database);
    {
        let session = session(&mut target);
        assert!(!session.is_in_transaction());
        session.begin().unwrap();
        assert!(session.is_in_transaction());
        assert!(session.begin().is_err());
        assert_eq!(session.execute("UPDATE public.t SET v = 'x' WHERE id > 0").unwrap(), 2);
        assert_eq!(session.execute("UPDATE public.t SET v = 'x' WHERE id = 1").unwrap(), 1);
        session.rollback().unwrap();
        assert!(!session.is_in_transaction());
        session.rollback().unwrap();
        session.begin().unwrap();
        session.execute("UPDATE public.t SET v = 'y' WHERE id = 1").unwrap();
        session.commit().unwrap();
        session.begin().unwrap();
        session.execute("UPDATE public.t SET v = 'z' WHERE id = 2").unwrap();
    }
    runtime().block_on(target.close()).unwrap();
    assert_eq!(database.sql("SELECT v FROM t ORDER BY id"), "y\nb\n");
    assert_eq!(database.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"), "0\n");
}

/// What a server would take for a rollback is an error.
#[test]
fn a_failed_transaction_is_not_committed() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    session.execute("UPDATE public.t SET v = 'y'").unwrap();
    assert!(session.execute("SELECT 1/0").is_err());
    let error = session.commit().unwrap_err();
    assert!(error.to_string().contains("aborted"), "{error}");
    assert!(!session.is_in_transaction());
    assert_eq!(database.sql("SELECT v FROM t ORDER BY id"), "a\nb\n");
}

#[test]
fn statements_are_counted_until_one_fails() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let (counts, ended) = session.execute_each(&[
        "UPDATE public.t SET v = 'x' -- and a comment",
        "INSERT INTO public.t VALUES (3, 'c;'), (4, 'd')",
        "SELECT * FROM public.t",
        "DELETE FROM public.t WHERE id = 3 /* ; */",
        "CREATE TABLE public.u()",
    ]);
    ended.unwrap();
    assert_eq!(counts, [2, 2, 0, 1, 0]);
    let (counts, ended) = session.execute_each(&[
        "UPDATE public.t SET v = 'x' WHERE id = 1",
        "INSERT INTO public.t VALUES (1, 'again')",
        "DELETE FROM public.t",
    ]);
    assert_eq!(counts, [1]);
    let error = ended.unwrap_err();
    assert!(matches!(error, EngineError::Constraint { .. }), "{error}");
    assert!(error.to_string().contains("INSERT INTO public.t VALUES (1"), "{error}");
    session.rollback().unwrap();
    assert_eq!(session.execute_each(&[]).0, Vec::<u64>::new());
    session.execute_script("CREATE TABLE public.w(); DROP TABLE public.w;").unwrap();
}

/// 10: a trigger's own error is a refusal too, and a broken deferred constraint one of COMMIT.
#[test]
fn refusals_have_their_kinds() {
    let database = loaded(
        "CREATE TABLE p(id int PRIMARY KEY);
         CREATE TABLE c(p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
         CREATE TABLE t(a int); CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no();",
    );
    let mut target = target(&database);
    let session = session(&mut target);
    let is_constraint = |error: EngineError, says: &str| {
        assert!(matches!(error, EngineError::Constraint { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    session.begin().unwrap();
    is_constraint(session.execute("INSERT INTO public.t VALUES (1)").unwrap_err(), "not today");
    session.rollback().unwrap();
    session.begin().unwrap();
    session.execute("INSERT INTO public.c VALUES (1)").unwrap();
    is_constraint(session.check_deferred().unwrap_err(), "c_p_fkey");
    session.rollback().unwrap();
    session.begin().unwrap();
    session.execute("INSERT INTO public.c VALUES (1)").unwrap();
    is_constraint(session.commit().unwrap_err(), "c_p_fkey");
    assert!(!session.is_in_transaction());
    session.begin().unwrap();
    session.rollback().unwrap();
}

/// Tables are locked before the snapshot: what was committed before the first look is seen.
#[test]
fn the_first_look_fixes_the_moment() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    database.sql("TRUNCATE t; ALTER TABLE t ADD w int; INSERT INTO t VALUES (9, 'late', 1)");
    let held = Held::new(&session, "public.t");
    assert_eq!(held.rows(&session).len(), 1);
    assert_eq!(session.count_rows(&held.table).unwrap(), 1);
    let client = |sql: &str| {
        database.server.try_run(&database.name, &format!("SET lock_timeout = '200ms'; {sql}"))
    };
    assert!(!client("TRUNCATE t").status.success());
    assert!(!client("ALTER TABLE t ADD x int").status.success());
    database.sql("INSERT INTO t VALUES (10, 'later', 1)");
    assert_eq!(held.rows(&session).len(), 1);
    session.lock_tables(&[&held.table]).unwrap();
    assert!(!client("LOCK TABLE t IN SHARE MODE").status.success());
    // Once more, in the same transaction, with what it has changed itself.
    session.execute("CREATE TABLE public.new(id int PRIMARY KEY)").unwrap();
    session.execute("INSERT INTO public.new VALUES (1)").unwrap();
    let new = Held::new(&session, "public.new");
    assert_eq!(new.rows(&session).len(), 1);
    assert_eq!(Held::new(&session, "public.t").rows(&session).len(), 1);
    session.rollback().unwrap();
}

/// A look that is not the first thing of a transaction: what others did to a table meanwhile.
#[test]
fn a_late_look_notices_what_happened_before() {
    let database = loaded(&format!(
        "{TWO} CREATE TABLE p(a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
    ));
    for meanwhile in ["TRUNCATE t", "TRUNCATE p", "TRUNCATE p1"] {
        let mut target = target(&database);
        let session = session(&mut target);
        session.begin().unwrap();
        session.execute("SELECT 1").unwrap();
        database.sql(meanwhile);
        let error = session.catalog(&Scope::default()).unwrap_err();
        assert!(matches!(error, EngineError::Changed { .. }), "{error}");
        session.rollback().unwrap();
        session.begin().unwrap();
        session.execute("SELECT 1").unwrap();
        Held::new(&session, "public.t");
        session.rollback().unwrap();
    }
}

#[test]
fn r10_a_lock_of_others_is_waited_for_and_not_for_ever() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    for (lock, is_row) in [
        ("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", false),
        ("UPDATE t SET v = 'q' WHERE id = 1", true),
    ] {
        let mut client = database.server.client(&database.name);
        let mut other = client
            .args(["-c", &format!("BEGIN; {lock}; SELECT pg_sleep(60)")])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let holds = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep' AND datname = current_database()";
        while database.sql(holds) != "1\n" {
            std::thread::sleep(Duration::from_millis(20));
        }
        let started = Instant::now();
        session.begin().unwrap();
        let ended = match is_row {
            false => session.catalog(&Scope::default()).map(drop),
            true => {
                let held = Held::new(&session, "public.t");
                let keys = [vec![Value::Int(1)], vec![Value::Int(2)]];
                session.rows_by_keys(&held.table, &keys, &mut Kept::default())
            }
        };
        let error = ended.unwrap_err();
        assert!(matches!(error, EngineError::Locked { .. }), "{error}");
        assert!(started.elapsed() < PATIENCE * 20, "{:?}", started.elapsed());
        assert!(session.is_in_transaction());
        session.rollback().unwrap();
        database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid() AND datname = current_database()");
        other.wait().unwrap();
        session.begin().unwrap();
        Held::new(&session, "public.t");
        session.rollback().unwrap();
    }
}

/// One apply after the other.
#[test]
fn a_second_apply_waits_for_the_first() {
    let database = loaded(TWO);
    let (mut one, mut two) = (target(&database), target(&database));
    let (one, two) = (session(&mut one), session(&mut two));
    one.begin().unwrap();
    let error = two.begin().unwrap_err();
    assert!(matches!(error, EngineError::Locked { .. }), "{error}");
    assert!(!two.is_in_transaction());
    one.rollback().unwrap();
    two.begin().unwrap();
    two.rollback().unwrap();
}

#[test]
fn r09_what_others_changed_meanwhile_is_contention() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    let keys = [vec![Value::Int(1)]];
    for by_keys in [true, false] {
        session.begin().unwrap();
        let held = Held::new(&session, "public.t");
        database.sql("UPDATE t SET v = v || '!' WHERE id = 1");
        let error = match by_keys {
            true => session.rows_by_keys(&held.table, &keys, &mut Kept::default()),
            false => session.execute("UPDATE public.t SET v = 'mine' WHERE id = 1").map(drop),
        }
        .unwrap_err();
        assert!(matches!(error, EngineError::Contention { .. }), "{error}");
        session.rollback().unwrap();
        // All of it once more.
        session.begin().unwrap();
        let held = Held::new(&session, "public.t");
        session.rows_by_keys(&held.table, &keys, &mut Kept::default()).unwrap();
        session.rollback().unwrap();
    }
}

#[test]
fn r09_a_deadlock_is_contention() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    // The other one waits for as long as it takes, this one no longer than a deadlock does.
    session.execute("SET LOCAL lock_timeout = 0").unwrap();
    session.execute("SET LOCAL deadlock_timeout = '100ms'").unwrap();
    session.execute("UPDATE public.t SET v = 'x' WHERE id = 1").unwrap();
    let mut client = database.server.client(&database.name);
    let mut other = client
        .args(["-c", "SET deadlock_timeout = '60s'; BEGIN; UPDATE t SET v = 'y' WHERE id = 2; UPDATE t SET v = 'y' WHERE id = 1; COMMIT"])
        .spawn()
        .unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while database.sql(waits) != "1\n" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = session.execute("UPDATE public.t SET v = 'x' WHERE id = 2").unwrap_err();
    assert!(matches!(error, EngineError::Contention { .. }), "{error}");
    session.rollback().unwrap();
    assert!(other.wait().unwrap().success());
}

#[test]
fn a_server_that_goes_away_leaves_nothing_known() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    session.execute("UPDATE public.t SET v = 'x'").unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deepdiff-db' AND datname = current_database()";
    database.sql(kill);
    let error = session.commit().unwrap_err();
    assert!(matches!(error, EngineError::Lost { .. }), "{error}");
    assert!(!session.is_in_transaction());
    session.rollback().unwrap();
    assert!(matches!(session.begin().unwrap_err(), EngineError::Lost { .. }));
    assert_eq!(database.sql("SELECT v FROM t ORDER BY id"), "a\nb\n");
}

/// Receipts are where they should be, survive, and are no part of what is captured.
/// What triggers, foreign keys and partitions do is counted.
/// Every row of every type, and a table without columns, in a database of the same schema.
/// An account that may not let triggers rest is told so, and they do not.
/// Rows that refer to a value, by the rules of foreign keys.
#[test]
fn d06_rows_that_refer_to_a_key_are_found() {
    let database = loaded(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TYPE pair AS (n numeric, t text);
         CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
         CREATE TABLE c(id int PRIMARY KEY, i2 smallint, n numeric, ch char(5), vc varchar(9), ci citext, m mood, l text COLLATE loose, a int[], p pair, b bytea, x inet, j jsonb, iv interval, f float8);
         INSERT INTO c VALUES (1, 7, 1.0, 'ab', 'ab', 'Foo', 'a', 'X', '{1,2}', '(1.0,a)', '\\x00', '10.0.0.1', '[1.0]', '1 mon', '-0'),
         (2, 7, 1.00, 'ab', 'ab ', 'foo', 'a', 'x', '{1,2}', '(1.00,a)', '\\x00', '10.0.0.1', '[1.00]', '30 days', '0'), (3) ON CONFLICT DO NOTHING;".replace(", (3) ON CONFLICT DO NOTHING", ", (3, 8, 2, 'x', 'x', 'x', 'b', 'z', '{}', '(2,a)', '', '::1', '2', '1 day', 'NaN')").as_str(),
    );
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let held = Held::new(&session, "public.c");
    let rows = held.rows(&session);
    let place = |name: &str| held.table.columns.iter().position(|c| c.name == name).unwrap();
    let found = |name: &str, matching, value: &Value, limit| {
        let columns = [KeyColumn { name: name.to_owned(), matching }];
        let mut kept = Kept::default();
        session
            .referencing_rows(&held.table, &columns, std::slice::from_ref(value), limit, &mut kept)
            .unwrap();
        kept.rows.len()
    };
    for (name, matching, wanted) in [
        ("i2", KeyMatching::Binary, 2),
        ("n", KeyMatching::Binary, 2),
        ("ch", KeyMatching::TrailingSpaces, 2),
        ("vc", KeyMatching::Binary, 1),
        ("vc", KeyMatching::TrailingSpaces, 2),
        ("ci", KeyMatching::Unknown, 2),
        ("m", KeyMatching::Binary, 2),
        ("l", KeyMatching::Unknown, 2),
        ("a", KeyMatching::Unknown, 2),
        ("p", KeyMatching::Unknown, 2),
        ("b", KeyMatching::Binary, 2),
        ("x", KeyMatching::Binary, 2),
        ("j", KeyMatching::Unknown, 2),
        ("iv", KeyMatching::Unknown, 2),
        ("f", KeyMatching::Binary, 2),
    ] {
        assert_eq!(found(name, matching, &rows[0][place(name)], 10), wanted, "{name}");
        assert_eq!(found(name, matching, &rows[0][place(name)], 1), 1, "{name}");
        assert_eq!(found(name, matching, &Value::Null, 10), 0, "{name}");
    }
    assert_eq!(found("i2", KeyMatching::Binary, &rows[2][place("n")], 10), 0);
    assert_eq!(found("i2", KeyMatching::Binary, &Value::Int(70_000), 10), 0);
}

struct Counted(u64);

impl RowSink for Counted {
    fn cell(&mut self, _: ValueRef<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        self.0 += 1;
        Ok(Flow::Continue)
    }
}

struct Stops;

impl RowSink for Stops {
    fn cell(&mut self, _: ValueRef<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        Ok(Flow::Stop)
    }
}

/// Many keys at once, by the index; whoever stops early does not lose the transaction.
#[test]
fn rows_are_found_by_many_keys() {
    let database = loaded(
        "CREATE TABLE t(id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i * 3, 'row ' || i FROM generate_series(1, 100000) i;",
    );
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let held = Held::new(&session, "public.t");
    session.execute("UPDATE public.t SET v = v WHERE id = 3").unwrap();
    let started = Instant::now();
    let mut counted = Counted(0);
    for first in (0..20_000).step_by(1000) {
        let keys: Vec<Vec<Value>> =
            (first..first + 1000).map(|id| vec![Value::Int(id * 3)]).collect();
        session.rows_by_keys(&held.table, &keys, &mut counted).unwrap();
    }
    assert_eq!(counted.0, 19_999);
    eprintln!("20,000 rows by keys in {:?}", started.elapsed());
    let keys: Vec<Vec<Value>> = (0..12_000).map(|id| vec![Value::Int(id)]).collect();
    session.rows_by_keys(&held.table, &keys, &mut Stops).unwrap();
    session.rows_by_keys(&held.table, &[], &mut Stops).unwrap();
    session.read_rows(&held.table, &deepdiff_db::engine::ReadFrom::Start, &mut Stops).unwrap();
    session.execute("UPDATE public.t SET v = 'x' WHERE id = 6").unwrap();
    // Without a transaction of its own for each call.
    let locked = session.rows_by_keys(&held.table, &keys, &mut counted);
    locked.unwrap();
    session.commit().unwrap();
    assert_eq!(database.sql("SELECT v FROM t WHERE id = 6"), "x\n");
}

#[test]
fn rows_are_locked_until_the_end() {
    let database = loaded(TWO);
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let held = Held::new(&session, "public.t");
    session.rows_by_keys(&held.table, &[vec![Value::Int(1)]], &mut Kept::default()).unwrap();
    let blocked = database
        .server
        .try_run(&database.name, "SET lock_timeout = '200ms'; UPDATE t SET v = 'q' WHERE id = 1");
    assert!(!blocked.status.success());
    database.sql("UPDATE t SET v = 'q' WHERE id = 2");
    session.rollback().unwrap();
    database.sql("UPDATE t SET v = 'q' WHERE id = 1");
}

/// A session's settings are those of nobody else.
#[test]
fn d24_settings_of_the_account_do_not_matter() {
    let database = loaded(TWO);
    let (name, set) = (&database.name, "ALTER DATABASE");
    database.sql(&format!(
        "{set} {name} SET default_transaction_read_only = on; {set} {name} SET standard_conforming_strings = off;
         {set} {name} SET session_replication_role = replica; {set} {name} SET synchronous_commit = off;
         {set} {name} SET array_nulls = off; {set} {name} SET transform_null_equals = on; {set} {name} SET DateStyle = 'SQL, DMY';
         {set} {name} SET lock_timeout = 1; {set} {name} SET statement_timeout = '1ms'; {set} {name} SET search_path = pg_temp;"
    ));
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let held = Held::new(&session, "public.t");
    for (name, value) in [
        ("session_replication_role", "origin"),
        ("synchronous_commit", "on"),
        ("array_nulls", "on"),
        ("transaction_isolation", "repeatable read"),
        ("standard_conforming_strings", "on"),
    ] {
        let sql = format!(
            "DO $$ BEGIN IF current_setting('{name}') <> '{value}' THEN RAISE '{name} is %', current_setting('{name}'); END IF; END $$"
        );
        session.execute(&sql).unwrap();
    }
    let row = held.rows(&session).remove(0);
    assert_eq!(session.execute(&held.statements.delete(&[held.guard(&row)]).unwrap()).unwrap(), 1);
    session.commit().unwrap();
}

#[test]
fn p24_sequences_are_raised_and_never_lowered() {
    let database = loaded(
        "CREATE SEQUENCE up; SELECT setval('up', 10); CREATE SEQUENCE down INCREMENT -1; SELECT setval('down', -10);
         CREATE SEQUENCE set_only; SELECT setval('set_only', 5, false); CREATE TABLE t(id int GENERATED ALWAYS AS IDENTITY);",
    );
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let catalog = session.catalog(&Scope::default()).unwrap();
    let dialect = deepdiff_db::engine::Dialect::of("postgres", &catalog.facts).unwrap();
    let raise = |name: &str, position: i64| {
        let name =
            deepdiff_db::model::ObjectName { schema: "public".to_owned(), name: name.to_owned() };
        for sql in dialect.raise_sequence(&name, position, &catalog.facts) {
            assert_eq!(session.execute(&sql).unwrap(), 0);
        }
    };
    for (name, position) in [
        ("up", 9),
        ("up", 12),
        ("up", 11),
        ("down", -9),
        ("down", -12),
        ("set_only", 5),
        ("t_id_seq", 501),
        ("no_sequence", 5),
    ] {
        raise(name, position);
    }
    session.commit().unwrap();
    assert_eq!(
        database.sql("SELECT nextval('up'), nextval('down'), nextval('set_only')"),
        "13|-13|6\n"
    );
    assert_eq!(database.sql("INSERT INTO t DEFAULT VALUES RETURNING id"), "502\n");
}
