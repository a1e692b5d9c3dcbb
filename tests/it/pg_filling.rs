//! What is kept in a PostgreSQL database beside changed rows: receipts, counts of changes, tables that
//! are filled.

use std::collections::BTreeMap;

use deepdiff_db::engine::{EngineError, Loader, Receipt, TableChanges, Unenforced};
use deepdiff_db::model::Value;
use deepdiff_db::model::snapshot::Scope;

use crate::pg_lab::{Kept, loaded, open};
use crate::pg_writing::{Held, session, target, try_target};
use crate::servers::{Database, postgres_servers};

fn receipt(pack: &str, direction: &str) -> Receipt {
    Receipt {
        pack: pack.to_owned(),
        target: "postgres:x/y?schema='z'".to_owned(),
        direction: direction.to_owned(),
        at: "2024-01-01T00:00:00Z".to_owned(),
        statements: 7,
    }
}

/// Runs a script as an account of its own, in a database that it may use.
fn as_account(database: &Database, rights: &str) -> (String, String) {
    let account = format!("a_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {account} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; {}",
        rights.replace("ACCOUNT", &account)
    ));
    let url = database.url().replace("tester@", &format!("{account}@"));
    (account, url)
}

fn drop_account(database: &Database, account: &str) {
    database.sql(&format!("DROP OWNED BY {account}; DROP ROLE {account}"));
}

#[test]
fn receipts_are_written_and_found() {
    for (schemas, options, wanted) in [
        ("", "", "public"),
        ("CREATE SCHEMA b; CREATE SCHEMA a;", "&schema=b,a", "a"),
        ("DROP SCHEMA public; CREATE SCHEMA lone;", "", "lone"),
        (
            "CREATE SCHEMA b; CREATE TABLE b._deepdiff_receipts(id serial PRIMARY KEY, pack text, target text, direction text, at text, statements int8);",
            "",
            "b",
        ),
    ] {
        let database = loaded(schemas);
        let facts = open(&database).catalog.facts;
        let url = format!("{}{options}", database.url());
        let mut target = try_target(&url).unwrap();
        let session = session(&mut target);
        session.prepare_receipts().unwrap();
        session.begin().unwrap();
        assert_eq!(session.receipts("p1").unwrap(), []);
        session.write_receipt(&receipt("p1", "migration")).unwrap();
        session.write_receipt(&receipt("p2", "migration")).unwrap();
        session.write_receipt(&receipt("p1", "rollback")).unwrap();
        let both = [receipt("p1", "migration"), receipt("p1", "rollback")];
        assert_eq!(session.receipts("p1").unwrap(), both);
        session.commit().unwrap();
        session.prepare_receipts().unwrap();
        assert_eq!(session.receipts("p1").unwrap(), both);
        let places =
            database.sql("SELECT schemaname FROM pg_tables WHERE tablename = '_deepdiff_receipts'");
        assert_eq!(places, format!("{wanted}\n"));
        let read = open(&database);
        assert_eq!(read.catalog.facts, facts);
        assert_eq!(read.names(), Vec::<String>::new());
        assert_eq!(read.catalog.sequences, []);
        let named = read.catalog.not_captured.iter().any(|left| left.name.contains("_deepdiff"));
        assert!(!named, "{:?}", read.catalog.not_captured);
    }
}

#[test]
fn rights_to_write_receipts_are_asked_for_before() {
    let database = loaded("CREATE SCHEMA s;");
    let (account, url) = as_account(&database, "GRANT USAGE ON SCHEMA s TO ACCOUNT;");
    for (url, says) in
        [(url.clone(), "CREATE on one"), (format!("{url}&schema=s"), "CREATE on schema \"s\"")]
    {
        let mut target = try_target(&url).unwrap();
        let error = session(&mut target).prepare_receipts().unwrap_err();
        assert!(matches!(error, EngineError::Privilege { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    database.sql(&format!("GRANT CREATE ON SCHEMA s TO {account}"));
    let mut allowed = try_target(&url).unwrap();
    session(&mut allowed).prepare_receipts().unwrap();
    database.sql("CREATE TABLE s._deepdiff_receipts(id int)");
    let error = session(&mut allowed).prepare_receipts().unwrap_err();
    assert!(error.to_string().contains("SELECT and INSERT"), "{error}");
    drop(allowed);
    drop_account(&database, &account);
}

#[test]
fn d06_d08_changes_are_counted_by_table() {
    for server in postgres_servers() {
        let database = server.database("");
        database.sql(
            "CREATE TABLE p(id int PRIMARY KEY);
             CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
             CREATE TABLE n(id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL);
             CREATE TABLE audit(what text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES ('x'), ('y'); RETURN NULL; END $$;
             CREATE TRIGGER note AFTER DELETE ON c FOR EACH ROW EXECUTE FUNCTION note();
             CREATE TABLE parted(a int, v int) PARTITION BY LIST (a);
             CREATE TABLE p1 PARTITION OF parted FOR VALUES IN (1) PARTITION BY LIST (v);
             CREATE TABLE p11 PARTITION OF p1 DEFAULT; CREATE TABLE p2 PARTITION OF parted FOR VALUES IN (2);
             INSERT INTO p SELECT generate_series(1, 9); INSERT INTO c SELECT i, 1 + i % 3 FROM generate_series(1, 30) i;
             INSERT INTO n SELECT i, 1 FROM generate_series(1, 5) i; INSERT INTO parted SELECT 1, i FROM generate_series(1, 4) i;",
        );
        let mut target = target(&database);
        let mut session = session(&mut target);
        session.watch_changes();
        let named = |changes: Option<BTreeMap<_, TableChanges>>| {
            let changes: BTreeMap<_, TableChanges> = changes.unwrap();
            changes
                .into_iter()
                .map(|(name, c): (deepdiff_db::model::ObjectName, _)| {
                    (name.to_string(), [c.inserted, c.updated, c.deleted])
                })
                .collect::<Vec<_>>()
        };
        for round in 0..2 {
            session.begin().unwrap();
            session.catalog(&Scope::default()).unwrap();
            session.write_receipt(&receipt("p", "migration")).unwrap();
            session.execute("DELETE FROM public.p WHERE id = 1").unwrap();
            assert_eq!(
                named(session.take_changes().unwrap()),
                [
                    ("public.audit".to_owned(), [20, 0, 0]),
                    ("public.c".to_owned(), [0, 0, 10]),
                    ("public.n".to_owned(), [0, 5, 0]),
                    ("public.p".to_owned(), [0, 0, 1])
                ],
                "{round}"
            );
            session.execute("SAVEPOINT x").unwrap();
            session.execute("UPDATE public.parted SET a = 2 WHERE v = 1").unwrap();
            session.execute("UPDATE public.parted SET v = 7 WHERE v = 2").unwrap();
            session.execute("RELEASE x").unwrap();
            assert_eq!(
                named(session.take_changes().unwrap()),
                [("public.parted".to_owned(), [1, 1, 1])]
            );
            assert_eq!(named(session.take_changes().unwrap()), []);
            session.rollback().unwrap();
        }
        session.execute("SET track_counts = off").unwrap();
        assert_eq!(session.take_changes().unwrap(), None);
    }
}

#[test]
fn tables_are_filled_with_what_was_read() {
    let schema = "CREATE TYPE pair AS (n numeric, t text); CREATE TYPE mood AS ENUM ('sad', 'ok');
         CREATE TABLE t(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b bytea, c char(4), d date, f float8, g int GENERATED ALWAYS AS (id * 2) STORED,
         i interval, j json, k jsonb, m mood, n numeric, p pair, q \"char\", r int4range, s text, tz timestamptz, u uuid, x text[], z timetz);
         CREATE TABLE none(); CREATE TABLE loose(a text);
         CREATE TABLE parted(a int, v text) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF parted FOR VALUES IN (1);
         CREATE TABLE child() INHERITS (loose);
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
         CREATE TRIGGER no BEFORE INSERT ON loose FOR EACH ROW EXECUTE FUNCTION no();
         CREATE TABLE c(a int REFERENCES t);";
    let rows = "INSERT INTO t(b, c, d, f, i, j, k, m, n, p, q, r, s, tz, u, x, z) SELECT decode(lpad(to_hex(i), 4, '0'), 'hex'), 'c', date '2024-01-01' + i, ('-0'::float8), make_interval(mins => -i),
         '{\"a\" : 1}', '[1.00]', 'ok', 1.00 * i, '(1.0,\"a\\tb\")', (-56)::\"char\", '[1,4)', E'a\\tb\\nc\\\\d\\r' || chr(i), 'infinity', '00000000-0000-0000-0000-000000000001', ARRAY['\\N', NULL, E'\\t'], '24:00+15:59:59'
         FROM generate_series(1, 300) i;
         INSERT INTO t(s) VALUES (''), ('\\.'), ('\\N'), (NULL), (repeat('x', 6000000));
         INSERT INTO none SELECT FROM generate_series(1, 3); INSERT INTO child VALUES ('child'); ALTER TABLE loose DISABLE TRIGGER no; INSERT INTO loose VALUES ('own'), (''); ALTER TABLE loose ENABLE TRIGGER no;
         INSERT INTO parted VALUES (1, 'x'); INSERT INTO c VALUES (1);";
    let (from, to) = (loaded(&format!("{schema} {rows}")), loaded(schema));
    let mut source = open(&from);
    let mut target = target(&to);
    let session = session(&mut target);
    assert_eq!(session.begin_restore().unwrap(), Unenforced { foreign_keys: true, triggers: true });
    let catalog = session.catalog(&Scope::default()).unwrap();
    // Children before parents: nothing is checked.
    for table in &catalog.tables {
        assert_eq!(session.count_rows(table).unwrap(), 0);
        let mut loader = session.loader(table).unwrap();
        for row in source.rows(&table.name.to_string()) {
            loader.push(&row).unwrap();
        }
        loader.finish().unwrap();
    }
    for table in &catalog.tables {
        let mut kept = Kept::default();
        session.read_rows(table, &deepdiff_db::engine::ReadFrom::Start, &mut kept).unwrap();
        let sorted = |rows: Vec<Vec<Value>>| {
            let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
            rows.sort();
            rows
        };
        assert!(
            sorted(kept.rows) == sorted(source.rows(&table.name.to_string())),
            "{}",
            table.name
        );
    }
    session.commit().unwrap();
    assert_eq!(
        to.sql("SHOW session_replication_role; SELECT sum(g) = 2 * sum(id) FROM t"),
        "origin\nt\n"
    );
    // An error of one row is one of the transaction, not of the connection.
    session.begin_restore().unwrap();
    let table = catalog.tables.iter().find(|table| table.name.name == "t").unwrap();
    let mut fill = |mut loader: Loader<'_>| {
        for row in source.rows("public.t").into_iter().take(2) {
            loader.push(&row)?;
        }
        loader.finish()
    };
    let error = fill(session.loader(table).unwrap()).unwrap_err();
    assert!(matches!(error, EngineError::Constraint { .. }), "{error}");
    session.rollback().unwrap();
    session.begin_restore().unwrap();
    session.rollback().unwrap();
}

#[test]
fn without_the_right_triggers_fire_while_tables_are_filled() {
    let database = loaded(
        "CREATE TABLE t(a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.a = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$; CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
    );
    let (account, url) = as_account(&database, "GRANT ALL ON t TO ACCOUNT;");
    let mut target = try_target(&url).unwrap();
    {
        let session = session(&mut target);
        assert_eq!(
            session.begin_restore().unwrap(),
            Unenforced { foreign_keys: false, triggers: false }
        );
        let held = Held::new(&session, "public.t");
        let mut loader = session.loader(&held.table).unwrap();
        loader.push(&[Value::Int(1)]).unwrap();
        loader.push(&[Value::Int(2)]).unwrap();
        let error = loader.finish().unwrap_err();
        assert!(error.to_string().contains("took 1 of 2 rows"), "{error}");
        session.rollback().unwrap();
    }
    drop(target);
    database.sql(&format!("GRANT SET ON PARAMETER session_replication_role TO {account}"));
    let mut target = try_target(&url).unwrap();
    let told = session(&mut target).begin_restore().unwrap();
    assert_eq!(told, Unenforced { foreign_keys: true, triggers: true });
    drop(target);
    drop_account(&database, &account);
}
