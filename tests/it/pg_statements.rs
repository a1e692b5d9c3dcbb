//! Statements for PostgreSQL, run on the servers: what is written is what was read, and a guard
//! holds for exactly the row that it was made from.

use deepdiff_db::engine::{Cell, Dialect, EngineError, LargeKind, Operand, RowGuard};
use deepdiff_db::model::Value;
use deepdiff_db::model::snapshot::Scope;

use crate::pg_every_type::{SCHEMA, TYPES, knowing_every_type, of_every_type};
use crate::pg_lab::loaded;
use crate::pg_writing::{Held, session, target};

/// What differs between what should be and what is, in words.
fn differs(kind: &str, what: &str, wanted: &[Vec<Value>], found: &[Vec<Value>]) -> Option<String> {
    let sorted = |rows: &[Vec<Value>]| {
        let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    };
    let (wanted, found) = (sorted(wanted), sorted(found));
    (wanted != found).then(|| format!("{kind}, {what}:\n  {found:?}\n  instead of {wanted:?}"))
}

/// Every type: rows are deleted, inserted, updated by statements of one and of many rows, and come
/// back the same; the guard of a row holds for no other value of its type.
#[test]
fn c01_c18_every_type_is_written_and_guarded_exactly() {
    for server in knowing_every_type() {
        let database = server.database("");
        of_every_type(&database);
        // The facts of one schema alone: the types of another are not among them.
        let urls = [database.url(), format!("{}&schema=public", database.url())];
        for url in &urls[..if server.name == "postgres" { 2 } else { 1 }] {
            let mut target = crate::pg_writing::try_target(url).unwrap();
            let session = session(&mut target);
            session.begin().unwrap();
            let mut wrong = Vec::new();
            let catalog = session.catalog(&Scope::default()).unwrap();
            for (number, (kind, values)) in TYPES.iter().enumerate() {
                let held = Held::of(&catalog, &format!("public.t{number}"));
                let rows = held.rows(&session);
                assert_eq!(rows.len(), values.len() + 1, "{kind}");
                session.execute("SAVEPOINT before").unwrap();
                if let Err(error) = round_trip(&session, &held, &rows, kind, &mut wrong) {
                    wrong.push(format!("{kind}: {error}"));
                    session.execute("ROLLBACK TO before").unwrap();
                }
            }
            session.rollback().unwrap();
            assert!(wrong.is_empty(), "{}: {}", server.name, wrong.join("\n"));
        }
    }
}

fn round_trip(
    session: &deepdiff_db::engine::Session<'_>,
    held: &Held,
    rows: &[Vec<Value>],
    kind: &str,
    wrong: &mut Vec<String>,
) -> Result<(), EngineError> {
    let count = u64::try_from(rows.len()).unwrap();
    let cells: Vec<Vec<Cell<'_>>> = rows.iter().map(|row| held.cells(row)).collect();
    let guards: Vec<RowGuard<'_>> = rows.iter().map(|row| held.guard(row)).collect();
    let mut check = |what: &str, wanted: Option<&[Vec<Value>]>, count: u64, changed: u64| {
        if let Some(wanted) = wanted {
            wrong.extend(differs(kind, what, wanted, &held.rows(session)));
        }
        if count != changed {
            wrong.push(format!("{kind}, {what}: {changed} rows instead of {count}"));
        }
    };
    // How many rows a statement would change.
    let tried = |sql: &str| -> Result<u64, EngineError> {
        let (counts, ended) =
            session.execute_each(&["SAVEPOINT guarded", sql, "ROLLBACK TO guarded"]);
        ended.map(|()| counts[1])
    };
    // Many rows at once, and one by one.
    let changed = session.execute(&held.statements.delete(&guards)?)?;
    check("delete of many", Some(&[]), count, changed);
    let changed = session.execute(&held.statements.insert(&cells)?)?;
    check("insert of many", Some(rows), count, changed);
    for guard in &guards {
        let changed = session.execute(&held.statements.delete(std::slice::from_ref(guard))?)?;
        check("delete of one", None, 1, changed);
    }
    check("delete of each", Some(&[]), 0, 0);
    for row in &cells {
        session.execute(&held.statements.insert(std::slice::from_ref(row))?)?;
    }
    check("insert of each", Some(rows), 0, 0);
    // Every row gets the value of the next one, and loses it.
    let mut shifted = rows.to_vec();
    for (place, row) in shifted.iter_mut().enumerate() {
        row[1] = rows[(place + 1) % rows.len()][1].clone();
    }
    let there: Vec<_> =
        rows.iter().zip(&shifted).map(|(one, other)| held.update(one, other, &["v"])).collect();
    let changed = session.execute(&held.statements.update(&there)?)?;
    check("update of many", Some(&shifted), count, changed);
    for (one, other) in shifted.iter().zip(rows) {
        let sql = held.statements.update(&[held.update(one, other, &["v"])])?;
        let changed = session.execute(&sql)?;
        check("update of one", None, 1, changed);
    }
    check("update of each", Some(rows), 0, 0);
    // No other value of the type passes a guard, alone or among many.
    for (place, row) in rows.iter().enumerate() {
        let mut expected: Vec<Vec<Value>> = rows.to_vec();
        expected.iter_mut().for_each(|other| other[1] = row[1].clone());
        let guards: Vec<RowGuard<'_>> = expected.iter().map(|row| held.guard(row)).collect();
        for (other, guard) in guards.iter().enumerate() {
            let sql = held.statements.delete(std::slice::from_ref(guard))?;
            check(&sql, None, u64::from(other == place), tried(&sql)?);
        }
        // Beside a row that is otherwise, so that the values stand in the list.
        let mut guards = guards;
        let next = (place + 1) % rows.len();
        guards[next] = held.guard(&rows[next]);
        let sql = held.statements.delete(&guards)?;
        check(&sql, None, 2, tried(&sql)?);
    }
    // Rows without a key.
    for row in &cells {
        let sql = held.statements.delete_equal(row, 5)?;
        check(&sql, None, 1, tried(&sql)?);
    }
    Ok(())
}

/// Keys of every type that can be one: rows are found by them, and guarded by them.
#[test]
fn k08_k14_keys_of_every_type_find_their_rows() {
    let without =
        ["json", "xml", "point", "box", "path", "polygon", "circle", "line", "lseg", "xid"];
    for server in knowing_every_type() {
        let database = server.database("");
        let mut script = String::from(SCHEMA);
        let keys: Vec<_> =
            TYPES.iter().enumerate().filter(|(_, (kind, _))| !without.contains(kind)).collect();
        for (number, (kind, values)) in &keys {
            // What the index takes for equal is no key beside each other.
            script.push_str(&format!("CREATE TABLE t{number}(id {kind} PRIMARY KEY, v int);\n"));
            for (id, value) in values.iter().enumerate() {
                let insert = format!(
                    "INSERT INTO t{number} VALUES ({value}, {id}) ON CONFLICT DO NOTHING;\n"
                );
                script.push_str(&insert);
            }
        }
        database.sql(&script);
        let mut target = target(&database);
        let session = session(&mut target);
        session.begin().unwrap();
        let mut wrong = Vec::new();
        let catalog = session.catalog(&Scope::default()).unwrap();
        for (number, (kind, _)) in &keys {
            let held = Held::of(&catalog, &format!("public.t{number}"));
            let rows = held.rows(&session);
            let wanted: Vec<Vec<Value>> = rows.iter().map(|row| held.key(row)).collect();
            let mut kept = crate::pg_lab::Kept::default();
            session.rows_by_keys(&held.table, &wanted, &mut kept).unwrap();
            wrong.extend(differs(kind, "rows by keys", &rows, &kept.rows));
            let guards: Vec<RowGuard<'_>> = rows.iter().map(|row| held.guard(row)).collect();
            for guards in [&guards[..], &guards[..1]] {
                session.execute("SAVEPOINT guarded").unwrap();
                let sql = held.statements.delete(guards).unwrap();
                let changed = usize::try_from(session.execute(&sql).unwrap()).unwrap();
                if changed != guards.len() {
                    wrong.push(format!("{kind}: {changed} of {}: {sql}", guards.len()));
                }
                session.execute("ROLLBACK TO guarded").unwrap();
            }
        }
        assert!(wrong.is_empty(), "{}: {}", server.name, wrong.join("\n"));
    }
}

/// A key of several columns, and one whose key is not of bytes alone.
#[test]
fn composite_keys_find_their_rows() {
    let database = loaded(
        "CREATE TYPE mood AS ENUM ('a', 'b');
         CREATE TABLE t(a int, b text, c mood, d char(3), v int, PRIMARY KEY (b, a, c, d));
         INSERT INTO t SELECT i, 'x' || i % 7, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END::mood,
         'k' || i % 3, i FROM generate_series(1, 1000) i;",
    );
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let held = Held::new(&session, "public.t");
    let rows = held.rows(&session);
    let keys: Vec<Vec<Value>> = rows.iter().step_by(3).map(|row| held.key(row)).collect();
    let mut kept = crate::pg_lab::Kept::default();
    session.rows_by_keys(&held.table, &keys, &mut kept).unwrap();
    let mut found: Vec<String> = kept.rows.iter().map(|row| format!("{row:?}")).collect();
    let mut wanted: Vec<String> = rows.iter().step_by(3).map(|row| format!("{row:?}")).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
    let guards: Vec<RowGuard<'_>> = rows.iter().map(|row| held.guard(row)).collect();
    let sql = held.statements.delete(&guards[..500]).unwrap();
    assert_eq!(session.execute(&sql).unwrap(), 500);
}

/// Large values are bound: guarded by their length, and written whole.
#[test]
fn r05_large_values_are_bound_and_guarded_by_length() {
    for (encoding, text) in [("UTF8", "é"), ("LATIN1", "e")] {
        let options =
            format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        let database = crate::servers::postgres().database(&options);
        database.sql(&format!(
            "CREATE TABLE t(id int PRIMARY KEY, b bytea, j json, n numeric, t text, x text[], y jsonb, c char(9000));
             INSERT INTO t SELECT i, decode(repeat('00ff', 5000 + i), 'hex'), ('{{\"a\": \"' || repeat('{text}', 5000 + i) || '\"}}')::json,
             repeat('7', 5000 + i)::numeric, repeat('{text}', 5000 + i), ARRAY[repeat('{text}', 5000 + i), 'q'],
             ('{{\"a\": \"' || repeat('{text}', 5000 + i) || '\"}}')::jsonb, repeat('{text}', 8000 + i)
             FROM generate_series(1, 3) i;"
        ));
        let mut target = target(&database);
        let session = session(&mut target);
        session.begin().unwrap();
        let held = Held::new(&session, "public.t");
        let rows = held.rows(&session);
        let names: Vec<String> = held.table.columns.iter().map(|c| c.name.clone()).collect();
        let parameters: Vec<String> =
            (1..=100).map(|n| format!("${n} /* text of 5 bytes: values/ab */")).collect();
        // Everything but the key is bound.
        let bytes = |value: &Value| match value {
            Value::Bytes(bytes) => (LargeKind::Bytes, bytes.clone()),
            Value::Text(text) | Value::Json(text) | Value::Other(text) => {
                (LargeKind::Text, text.clone().into_bytes())
            }
            Value::Decimal(_) => (
                LargeKind::Text,
                database.sql("SELECT n FROM t WHERE id = 1").trim().as_bytes().to_vec(),
            ),
            other => panic!("{other:?}"),
        };
        let cells = |row: &[Value], first: usize| -> Vec<(usize, (LargeKind, Vec<u8>))> {
            row.iter()
                .enumerate()
                .filter(|(_, value)| !matches!(value, Value::Int(_)))
                .enumerate()
                .map(|(n, (_, value))| (first + n, bytes(value)))
                .collect()
        };
        let bound = cells(&rows[0], 0);
        let id = Value::Int(1);
        let mut row: Vec<Cell<'_>> = Vec::new();
        let mut at = bound.iter();
        for name in &names {
            row.push((
                name,
                if name == "id" {
                    Operand::Literal(&id)
                } else {
                    let (number, (kind, bytes)) = at.next().unwrap();
                    Operand::Bound {
                        kind: *kind,
                        bytes: bytes.len() as u64,
                        parameter: &parameters[*number],
                    }
                },
            ));
        }
        let guard = RowGuard { key: vec![id.clone()], before: row.clone() };
        // A guard of one, and of several, of which one is not bound.
        let other = held.guard(&rows[1]);
        for (guards, count) in [
            (vec![guard.clone()], 1),
            (vec![guard.clone(), other.clone()], 2),
            (vec![other, guard], 2),
        ] {
            session.execute("SAVEPOINT guarded").unwrap();
            assert_eq!(session.execute(&held.statements.delete(&guards).unwrap()).unwrap(), count);
            if count == 1 {
                let sql = held.statements.insert(std::slice::from_ref(&row)).unwrap();
                let values: Vec<(LargeKind, &[u8])> =
                    bound.iter().map(|(_, (kind, bytes))| (*kind, bytes.as_slice())).collect();
                assert_eq!(session.execute_with(&sql, &values).unwrap(), 1, "{sql:.300}");
                assert!(held.rows(&session).contains(&rows[0]), "{encoding}");
            }
            session.execute("ROLLBACK TO guarded").unwrap();
        }
    }
}

#[test]
fn p22_identity_columns_are_inserted_and_never_updated() {
    let database = loaded(
        "CREATE TABLE t(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text,
         g text GENERATED ALWAYS AS (v || '!') STORED, n int GENERATED BY DEFAULT AS IDENTITY);
         INSERT INTO t(v) VALUES ('a'), ('b');",
    );
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let held = Held::new(&session, "public.t");
    let rows = held.rows(&session);
    let guards: Vec<RowGuard<'_>> = rows.iter().map(|row| held.guard(row)).collect();
    assert_eq!(session.execute(&held.statements.delete(&guards).unwrap()).unwrap(), 2);
    let cells: Vec<Vec<Cell<'_>>> = rows.iter().map(|row| held.cells(row)).collect();
    assert_eq!(session.execute(&held.statements.insert(&cells).unwrap()).unwrap(), 2);
    assert_eq!(
        session
            .execute(
                &held
                    .statements
                    .insert_copies(&held.cells(&[Value::Int(7), Value::Int(8), Value::Null]), 1)
                    .unwrap()
            )
            .unwrap(),
        1
    );
    let after = vec![Value::Int(9), rows[0][1].clone(), rows[0][2].clone()];
    let error = held.statements.update(&[held.update(&rows[0], &after, &["id"])]).unwrap_err();
    assert!(error.to_string().contains("`id` is GENERATED ALWAYS AS IDENTITY"), "{error}");
    let sql = held.statements.update(&[held.update(
        &rows[0],
        &[Value::Int(1), Value::Int(70), Value::Null],
        &["n", "v"],
    )]);
    assert_eq!(session.execute(&sql.unwrap()).unwrap(), 1);
}

/// Rows without a key: so many of them, in the table, its partitions, or not its children.
#[test]
fn k12_b10_equal_rows_are_counted() {
    let database = loaded(
        "CREATE TABLE plain(a int, b json); CREATE TABLE child() INHERITS (plain);
         CREATE TABLE parted(a int, b json) PARTITION BY LIST (a);
         CREATE TABLE p1 PARTITION OF parted FOR VALUES IN (1);
         CREATE TABLE p2 PARTITION OF parted FOR VALUES IN (2, NULL);
         INSERT INTO plain SELECT 1, '{}' FROM generate_series(1, 5);
         INSERT INTO child SELECT 1, '{}' FROM generate_series(1, 5);
         INSERT INTO parted SELECT 1 + i % 2, '{}' FROM generate_series(1, 10) i;",
    );
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    for (table, left) in [("public.plain", 3), ("public.parted", 8)] {
        let held = Held::new(&session, table);
        let rows = held.rows(&session);
        let row = held.cells(&rows[0]);
        assert_eq!(session.execute(&held.statements.delete_equal(&row, 2).unwrap()).unwrap(), 2);
        assert_eq!(held.rows(&session).len(), left);
        assert_eq!(session.execute(&held.statements.delete_equal(&row, 9).unwrap()).unwrap(), 3);
        assert_eq!(session.execute(&held.statements.insert_copies(&row, 4).unwrap()).unwrap(), 4);
        assert_eq!(session.execute(&held.statements.delete_all_equal(&row).unwrap()).unwrap(), 4);
    }
    session.commit().unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM child"), "5\n");
    assert_eq!(database.sql("SELECT count(*) FROM parted"), "5\n");
}

#[test]
fn statements_are_readable() {
    let database = loaded(
        "CREATE TABLE \"Odd \"\"t\"(id int PRIMARY KEY, \"was id\" varchar(9), n numeric(9,2), f float8);
         INSERT INTO \"Odd \"\"t\" VALUES (1, 'a', 1.5, '-0'), (2, 'b''', NULL, 0.1), (3, 'c', NULL, 7);",
    );
    let mut target = target(&database);
    let session = session(&mut target);
    session.begin().unwrap();
    let held = Held::new(&session, "public.\"Odd \"\"t\"");
    let rows = held.rows(&session);
    let after: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| {
            let mut row = row.clone();
            row[3] = Value::Text("new".to_owned());
            row[2] = Value::Null;
            row
        })
        .collect();
    insta::assert_snapshot!(held.statements.insert(&[held.cells(&rows[0])]).unwrap(), @r##"INSERT INTO "public"."Odd ""t" ("f", "id", "n", "was id") VALUES ('-0', 1, 1.50, 'a')"##);
    let cells: Vec<Vec<Cell<'_>>> = rows.iter().map(|row| held.cells(row)).collect();
    insta::assert_snapshot!(held.statements.insert(&cells).unwrap(), @r##"
INSERT INTO "public"."Odd ""t" ("f", "id", "n", "was id") VALUES
  ('-0', 1, 1.50, 'a'),
  ('0.1', 2, NULL, 'b'''),
  ('7', 3, NULL, 'c')
"##);
    insta::assert_snapshot!(held.statements.delete(&[held.guard(&rows[0])]).unwrap(), @r##"DELETE FROM ONLY "public"."Odd ""t" WHERE "id" = 1 AND float8send("f") = float8send('-0') AND "n"::text = '1.50' AND "was id" = 'a'"##);
    let updates: Vec<_> = rows[1..]
        .iter()
        .zip(&after[1..])
        .map(|(one, other)| held.update(one, other, &["n", "was id"]))
        .collect();
    insta::assert_snapshot!(held.statements.update(&updates).unwrap(), @r##"
UPDATE ONLY "public"."Odd ""t" AS t SET "n" = NULL, "was id" = 'new'
FROM (VALUES
  (CAST(2 AS integer), CAST('0.1' AS double precision), CAST('b''' AS character varying)),
  (3, '7', 'c')
) AS v("id", "was f", "was was id")
WHERE t."id" = v."id" AND float8send(t."f") IS NOT DISTINCT FROM float8send(v."was f") AND t."n" IS NULL AND t."was id" IS NOT DISTINCT FROM v."was was id"
"##);
    insta::assert_snapshot!(held.statements.update(&updates[..1]).unwrap(), @r##"UPDATE ONLY "public"."Odd ""t" SET "n" = NULL, "was id" = 'new' WHERE "id" = 2 AND float8send("f") = float8send('0.1') AND "n" IS NULL AND "was id" = 'b'''"##);
    let guards: Vec<RowGuard<'_>> = rows.iter().map(|row| held.guard(row)).collect();
    insta::assert_snapshot!(held.statements.delete(&guards).unwrap(), @r##"
DELETE FROM ONLY "public"."Odd ""t" AS t
USING (VALUES
  (CAST(1 AS integer), CAST('-0' AS double precision), CAST('1.50' AS text), CAST('a' AS character varying)),
  (2, '0.1', NULL, 'b'''),
  (3, '7', NULL, 'c')
) AS v("id", "was f", "was n", "was was id")
WHERE t."id" = v."id" AND float8send(t."f") IS NOT DISTINCT FROM float8send(v."was f") AND t."n"::text IS NOT DISTINCT FROM v."was n" AND t."was id" IS NOT DISTINCT FROM v."was was id"
"##);
    assert_eq!(session.execute(&held.statements.update(&updates).unwrap()).unwrap(), 2);
}

/// No client runs a file of ours by itself, whatever it does about errors.
#[test]
fn d28_native_clients_stop() {
    let dialect = Dialect::of("postgres", &[]).unwrap();
    let script = format!(
        "{}INSERT INTO t VALUES (2);\nBEGIN;\nINSERT INTO t VALUES (3);\nCOMMIT;\nSELECT setval('s', 9);\n",
        dialect.client_stop()
    );
    let database = loaded("CREATE TABLE t(a int); INSERT INTO t VALUES (1); CREATE SEQUENCE s;");
    let without_quit = script.replace("\\quit\n", "");
    let ways: &[&[&str]] = &[
        &[],
        &["-1"],
        &["-v", "ON_ERROR_STOP=0"],
        &["-1", "-v", "ON_ERROR_STOP=0"],
        &["-v", "ON_ERROR_STOP=0", "-v", "AUTOCOMMIT=off"],
        &["-v", "ON_ERROR_STOP=0", "-v", "ON_ERROR_ROLLBACK=on", "-1"],
    ];
    let folder = tempfile::tempdir().unwrap();
    for (script, ways) in [(&script, ways), (&without_quit, ways)] {
        let file = folder.path().join("migration.sql");
        std::fs::write(&file, script).unwrap();
        for way in ways {
            let output = database
                .server
                .client(&database.name)
                .args(*way)
                .arg("-f")
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("deepdiff-db apply"), "{way:?}: {said}");
            assert_eq!(
                database.sql("SELECT string_agg(a::text, ','), (SELECT is_called FROM s) FROM t"),
                "1|f\n",
                "{way:?}"
            );
        }
        let output = database.server.client(&database.name).arg("-c").arg(script).output().unwrap();
        assert!(!output.status.success());
        assert_eq!(database.sql("SELECT count(*) FROM t"), "1\n");
    }
}
